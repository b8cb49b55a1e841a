/* SPDX-License-Identifier: GPL-2.0 */
/* The shared option sets, and from the filter options to what the kernel side tests. */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "nettrace/cbpf.h"

#define C(member) offsetof(struct nt_common_opts, member)
#define T(member) offsetof(struct nt_tuple_opts, member)
#define H(member) offsetof(struct nt_hidden_opts, member)

const struct nt_opt nt_common_rows[] = {
	{ .name = "duration", .type = NT_OPT_DURATION, .offset = C(duration_ns), .min = 0.001, .max = 1e9,
	  .unit = "s", .help = "stop after this time and print the summary (default: until interrupted)" },
	{ .name = "interval", .type = NT_OPT_DURATION, .offset = C(interval_ns), .min = 0.01, .max = 1e9,
	  .unit = "s", .help = "report period of tools that aggregate" },
	{ .name = "count", .type = NT_OPT_U32, .offset = C(count), .min = 1, .max = 4294967295.0,
	  .unit = "events or intervals", .help = "stop after N events (event tools) or N intervals (aggregating tools)" },
	{ .name = "cumulative", .type = NT_OPT_FLAG, .offset = C(cumulative),
	  .help = "interval reports since the start instead of since the last report" },
	{ .name = "json", .type = NT_OPT_FLAG, .offset = C(json), .help = "JSON lines, the same as --format json" },
	{ .name = "format", .type = NT_OPT_ENUM, .offset = C(format), .choices = "text|json|csv", .def = "text",
	  .help = "output format; csv where rows are uniform" },
	{ .name = "output", .letter = 'o', .type = NT_OPT_STRING, .arg = "FILE", .offset = C(output),
	  .help = "write to FILE instead of standard output; SIGHUP opens it again" },
	{ .name = "top", .type = NT_OPT_U32, .offset = C(top), .def = "20", .min = 1, .max = 1e6,
	  .unit = "rows", .help = "rows of ranked tables" },
	{ .name = "max-entries", .type = NT_OPT_U32, .offset = C(max_entries), .min = 1, .max = 1e7,
	  .unit = "entries", .help = "size of the tool's state and aggregation maps" },
	{ .name = "buffer-size", .type = NT_OPT_SIZE, .offset = C(buffer_bytes), .def = "4M", .min = 4096,
	  .max = 1073741824.0, .unit = "bytes", .help = "ring buffer, or perf buffer of each CPU" },
	{ .name = "attach", .type = NT_OPT_ENUM, .offset = C(attach), .choices = "auto|fentry|kprobe", .def = "auto",
	  .help = "force the attach mechanism; kprobe also takes raw tracepoints instead of typed ones" },
	{ .name = "btf", .type = NT_OPT_STRING, .arg = "PATH", .offset = C(btf),
	  .help = "BTF file for a kernel without its own" },
	{ .name = "dry-run", .type = NT_OPT_FLAG, .offset = C(dry_run),
	  .help = "print the plan and attach nothing; needs no privilege" },
	{ .name = "quiet", .letter = 'q', .type = NT_OPT_FLAG, .offset = C(quiet), .help = "no notes on standard error" },
	{ .name = "verbose", .letter = 'v', .type = NT_OPT_FLAG, .offset = C(verbose),
	  .help = "more detail" },
	{ .name = "no-color", .type = NT_OPT_FLAG, .offset = C(no_color), .help = "no colour on a terminal" },
	{ .name = "help", .letter = 'h', .type = NT_OPT_FLAG, .offset = C(help), .help = "this text" },
};
const size_t nt_n_common_rows = NT_COUNT(nt_common_rows);

const struct nt_opt nt_hidden_rows[] = {
	{ .name = "without", .type = NT_OPT_STRLIST, .offset = H(without), .flags = NT_OPT_HIDDEN,
	  .help = "leave out these hooks (for tests)" },
	{ .name = "refuse", .type = NT_OPT_STRLIST, .offset = H(refuse), .flags = NT_OPT_HIDDEN,
	  .help = "break these programs so that the kernel refuses them (for tests)" },
	{ .name = "tracefs-kprobes", .type = NT_OPT_FLAG, .offset = H(tracefs_kprobes),
	  .flags = NT_OPT_HIDDEN, .help = "make kprobes by tracefs where perf's own device would do (for tests)" },
	{ .name = "perf-buffer", .type = NT_OPT_FLAG, .offset = H(perf_buffer), .flags = NT_OPT_HIDDEN,
	  .help = "use perf buffers where a ring buffer would do (for tests)" },
};
const size_t nt_n_hidden_rows = NT_COUNT(nt_hidden_rows);

static const struct { enum nt_tuple_opt of; struct nt_opt row; } tuple_rows[] = {
	{ NT_TUPLE_ADDR, { .name = "src-ip", .type = NT_OPT_PREFIX, .offset = T(src),
	  .help = "source address or prefix, IPv4 or IPv6" } },
	{ NT_TUPLE_ADDR, { .name = "dst-ip", .type = NT_OPT_PREFIX, .offset = T(dst),
	  .help = "destination address or prefix, IPv4 or IPv6" } },
	{ NT_TUPLE_PORT, { .name = "src-port", .type = NT_OPT_PORTS, .offset = T(sport),
	  .help = "source port or range (TCP, UDP, SCTP)" } },
	{ NT_TUPLE_PORT, { .name = "dst-port", .type = NT_OPT_PORTS, .offset = T(dport),
	  .help = "destination port or range" } },
	{ NT_TUPLE_PROTO, { .name = "protocol", .type = NT_OPT_PROTO, .offset = T(proto), .def = "all",
	  .aliases = "l4-protocol", .help = "all, icmp (ICMPv6 in IPv6), tcp, udp, another name, or a number" } },
	{ NT_TUPLE_ETHTYPE, { .name = "type", .type = NT_OPT_ETHERTYPE, .offset = T(eth_type), .def = "all",
	  .help = "EtherType behind VLAN tags: all, arp, rarp, ipv4, ipv6, lldp, flow_control, other or 0xHHHH" } },
	{ NT_TUPLE_VLAN, { .name = "vlan-id", .type = NT_OPT_U32, .offset = T(vlan), .max = 4095,
	  .unit = "", .help = "any VLAN tag of the packet has this id (0-4095)" } },
	{ NT_TUPLE_DEV, { .name = "interface", .type = NT_OPT_IFNAMES, .offset = T(devs), .arg = "NAME[,NAME]",
	  .help = "network devices of this namespace" } },
};

const struct nt_opt *nt_tuple_rows(unsigned int which, size_t *n)
{
	static struct nt_opt rows[NT_COUNT(tuple_rows)];

	*n = 0;
	for (size_t i = 0; i < NT_COUNT(tuple_rows); i++)
		if (which & tuple_rows[i].of)
			rows[(*n)++] = tuple_rows[i].row;
	return rows;
}

void nt_prefix_mask(uint8_t addr[16], uint8_t mask[16], const struct nt_prefix *p)
{
	memcpy(addr, p->addr, 16);
	for (int i = 0; i < 16; i++) {
		int bits = p->len - 8 * i;

		mask[i] = bits >= 8 ? 0xff : bits <= 0 ? 0 : (uint8_t)(0xff << (8 - bits));
	}
}

static int resolve_devs(struct nt_run *r, struct nt_err *err)
{
	const struct nt_strlist *l = &r->tuple.devs;

	if (l->n > NT_FILTER_DEVS)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "too many interfaces: %zu: give at most %d",
				  l->n, NT_FILTER_DEVS);
	for (size_t i = 0; i < l->n; i++) {
		r->tuple_values.ifindex[i] = if_nametoindex(l->item[i]);
		if (!r->tuple_values.ifindex[i])
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"no such interface: %s: see ip link for the names in this namespace",
				l->item[i]);
	}
	r->tuple_values.netns = nt_run_netns(r);
	if (l->n)
		r->tuple_mask |= NT_FILTER_DEV;
	return 0;
}

static void resolve_tuple(struct nt_run *r)
{
	const struct nt_tuple_opts *o = &r->tuple;
	struct nt_tuple *t = &r->tuple_values;

	if (o->src.set) {
		nt_prefix_mask(t->src, t->src_mask, &o->src);
		r->tuple_mask |= NT_FILTER_SRC;
	}
	if (o->dst.set) {
		nt_prefix_mask(t->dst, t->dst_mask, &o->dst);
		r->tuple_mask |= NT_FILTER_DST;
	}
	if ((o->src.set && !o->src.is_v4) || (o->dst.set && !o->dst.is_v4))
		r->tuple_mask |= NT_FILTER_IP6;
	if (o->sport.set) {
		t->sport_low = o->sport.low;
		t->sport_high = o->sport.high;
		r->tuple_mask |= NT_FILTER_SPORT;
	}
	if (o->dport.set) {
		t->dport_low = o->dport.low;
		t->dport_high = o->dport.high;
		r->tuple_mask |= NT_FILTER_DPORT;
	}
	if ((r->tool->tuple & NT_TUPLE_PROTO) && o->proto != NT_PROTO_ALL) {
		t->proto = o->proto;
		r->tuple_mask |= NT_FILTER_PROTO | (o->proto == 1 ? NT_FILTER_ICMP46 : 0);
	}
	if (nt_opts_given(r->cmdline, "vlan-id")) {
		t->vlan = (uint16_t)o->vlan;
		r->tuple_mask |= NT_FILTER_VLAN;
	}
	if (!(r->tool->tuple & NT_TUPLE_ETHTYPE))
		return;
	if (o->eth_type == NT_ETHERTYPE_OTHER)
		r->tuple_mask |= NT_FILTER_ETHTYPE_OTHER;
	else if (o->eth_type != NT_ETHERTYPE_ALL) {
		t->eth_type = (uint16_t)o->eth_type;
		r->tuple_mask |= NT_FILTER_ETHTYPE;
	}
}

static bool takes_expression(const struct nt_tool *t)
{
	for (size_t i = 0; i < t->n_hooks; i++)
		if ((t->hooks[i].flags & NT_HOOK_ENTRY) && (t->hooks[i].flags & NT_HOOK_BYTES))
			return t->tuple & NT_TUPLE_EXPR;
	return false;
}

static int to_ebpf(struct nt_run *r, const struct nt_pcap_filter *f, enum nt_link_form form,
		   unsigned int helper)
{
	int n = nt_pcap_to_ebpf(f, form, helper, NULL, 0);

	if (n < 0)
		return n;
	r->pcap_insns[form] = calloc((size_t)n + 1, sizeof(struct bpf_insn));
	if (!r->pcap_insns[form])
		return -ENOMEM;
	r->pcap_len[form] = (size_t)n;
	return nt_pcap_to_ebpf(f, form, helper, r->pcap_insns[form], (size_t)n);
}

static int resolve_expression(struct nt_run *r, struct nt_err *err)
{
	struct nt_pcap_filter *f;
	struct nt_pcap_error e;
	unsigned int helper;
	int rc;

	if (!nt_run_has_filter(r))
		return 0;
	r->expr = strdup(nt_opts_words(r->cmdline));
	if (!r->expr)
		return -ENOMEM;
	if (!takes_expression(r->tool))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"this tool takes no filter expression: %.100s: use its filter options, see nettrace help %s",
			r->expr, r->tool->name);
	rc = nt_pcap_compile(r->expr, &f, &e);
	if (rc && e.pos >= 0)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"bad filter expression: %.120s: at position %d: %s", r->expr, e.pos, e.msg);
	if (rc)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "bad filter expression: %.120s: %s",
				  r->expr, e.msg);
	/* libbpf swaps the helper in our objects by a trial of its own; this code it never sees. */
	helper = r->common.dry_run || nt_trial_read_kernel() ? NT_READ_HELPER_KERNEL
							     : NT_READ_HELPER_LEGACY;
	for (int i = 0; i < NT_LINK_FORMS && rc >= 0; i++)
		rc = to_ebpf(r, f, (enum nt_link_form)i, helper);
	nt_pcap_free(f);
	return rc < 0 ? nt_err_set(err, NT_EXIT_USAGE, -rc, "cannot convert the filter expression: %.120s: %s",
				   r->expr, strerror(-rc)) : 0;
}

int nt_filter_resolve(struct nt_run *r, struct nt_err *err)
{
	int rc = resolve_devs(r, err);

	if (!rc)
		resolve_tuple(r);
	return rc ? rc : resolve_expression(r, err);
}

int nt_filter_load(struct nt_run *r)
{
	int fd = nt_run_map_fd(r, "nt_tuple");
	uint32_t zero = 0;

	return fd < 0 ? 0 : bpf_map_update_elem(fd, &zero, &r->tuple_values, BPF_ANY);
}

struct nt_tuple *nt_run_tuple_values(struct nt_run *r)
{
	return &r->tuple_values;
}

void nt_run_tuple_mask(struct nt_run *r, uint64_t set)
{
	r->tuple_mask |= set;
}

int nt_run_tuple_write(struct nt_run *r)
{
	return nt_filter_load(r);
}

/* ---- the filter as records show it ---- */
static bool is_tuple_row(const struct nt_opt *row)
{
	if (row->flags & NT_OPT_FILTER)
		return true;
	for (size_t i = 0; i < NT_COUNT(tuple_rows); i++)
		if (!strcmp(tuple_rows[i].row.name, row->name))
			return true;
	return false;
}

static bool is_default(const struct nt_run *r, const struct nt_opt *row)
{
	return !nt_opts_given(r->cmdline, row->name);
}

static void json_value(void *arg, const struct nt_opt *row, const char *text)
{
	struct nt_run *r = arg;
	char key[40];
	size_t i;

	if (!is_tuple_row(row) || is_default(r, row))
		return;
	for (i = 0; row->name[i] && i < sizeof(key) - 1; i++)
		key[i] = row->name[i] == '-' ? '_' : row->name[i];
	key[i] = '\0';
	nt_json_str(r->out, key, text);
}

void nt_filter_json(struct nt_run *r)
{
	nt_json_obj(r->out, "filter");
	nt_opts_each_value(r->cmdline, r->sets, r->n_sets, json_value, r);
	if (r->expr)
		nt_json_str(r->out, "expression", r->expr);
	nt_json_obj_end(r->out);
}

struct text_buf { struct nt_run *r; char *buf; size_t size; };

static void add_text(struct text_buf *t, const char *a, const char *b)
{
	size_t n = strlen(t->buf);

	snprintf(t->buf + n, t->size - n, "%s%s%s", n ? ", " : "", a, b);
}

static void text_value(void *arg, const struct nt_opt *row, const char *text)
{
	struct text_buf *t = arg;
	char name[48];

	if (!is_tuple_row(row) || is_default(t->r, row))
		return;
	snprintf(name, sizeof(name), "%s ", row->name);
	add_text(t, name, text);
}

void nt_filter_text(struct nt_run *r, char *buf, size_t size)
{
	struct text_buf t = { r, buf, size };

	buf[0] = '\0';
	nt_opts_each_value(r->cmdline, r->sets, r->n_sets, text_value, &t);
	if (r->expr)
		add_text(&t, "", r->expr);
	if (!buf[0])
		snprintf(buf, size, "none");
}
