/* SPDX-License-Identifier: GPL-2.0 */
/* Engine of the tools about shared info: what is asked for, events as they come, packets that are forgotten. */
#include "shinfo.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nettrace/btf.h"
#include "nettrace/vxlan.h"

#define FORGET_NS 60000000000ULL	/* last seen; addresses of packets that end unseen are used again sooner */
enum { SWEEP_ENTRIES = 512 };

static const struct nt_shinfo_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* ---- options ---- */
bool nt_shinfo_both_ends(const void *opts)
{
	return !((const struct nt_shinfo_opts *)opts)->entry_only;
}

bool nt_shinfo_has_ipv6(const void *opts)
{
	(void)opts;
	return !access("/proc/sys/net/ipv6", F_OK);
}

static int read_ports(struct nt_shinfo_opts *o, struct nt_err *err)
{
	uint32_t port;

	if (o->port.n > NT_SHINFO_PORTS)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "bad value: --vxlan-port: give at most %d ports",
				  NT_SHINFO_PORTS);
	for (size_t i = 0; i < o->port.n; i++) {
		if (nt_vxlan_number(o->port.item[i], 65535, &port) || !port)
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"bad value: --vxlan-port %s: give ports from 1 to 65535, a comma between", o->port.item[i]);
		o->cfg.port[i] = htons((uint16_t)port);
	}
	return 0;
}

int nt_shinfo_check_options(struct nt_run *r, struct nt_err *err)
{
	struct nt_shinfo_opts *o = nt_run_opts_rw(r);

	if (nt_run_common(r)->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: records are of several kinds: use --json");
	if (strstr(nt_run_called_as(r), "kprobe_only"))
		o->entry_only = true;
	return read_ports(o, err);
}

/* ---- configuration ---- */
uint64_t nt_shinfo_pairs(struct nt_run *r)
{
	static const struct { uint32_t place; const char *in, *out; } p[] = {
		{ NT_SHINFO_AT_GRO_RECEIVE, "merge_in", "merge_out" },
		{ NT_SHINFO_AT_GRO_LIST, "merge_list_in", "merge_list_out" },
		{ NT_SHINFO_AT_REASM, "reassemble_in", "reassemble_out" },
		{ NT_SHINFO_AT_MAKE4, "make4_in", "make4_out" },
		{ NT_SHINFO_AT_MAKE6, "make6_in", "make6_out" },
		{ NT_SHINFO_AT_SEGMENT_LIST, "segment_list_in", "segment_list_out" },
		{ NT_SHINFO_AT_FRAGMENT4, "fragment4_in", "fragment4_out" },
		{ NT_SHINFO_AT_FRAGMENT6, "fragment6_in", "fragment6_out" },
		{ NT_SHINFO_AT_EXPAND, "expand_in", "expand_out" },
		{ NT_SHINFO_AT_PULL, "pull_in", "pull_out" },
		{ NT_SHINFO_AT_TRIM, "trim_in", "trim_out" },
		{ NT_SHINFO_AT_OFFLOADS, "offloads_in", "offloads_out" },
		{ NT_SHINFO_AT_PULL_TUNNEL, "pull_tunnel_in", "pull_tunnel_out" },
		{ NT_SHINFO_AT_VXLAN_RCV, "vxlan_rcv_in", "vxlan_rcv_out" },
		{ NT_SHINFO_AT_GRO_UDP4, "gro_udp4_in", "gro_udp4_out" },
		{ NT_SHINFO_AT_GRO_UDP6, "gro_udp6_in", "gro_udp6_out" },
		{ NT_SHINFO_AT_GRO_UDP, "gro_udp_in", "gro_udp_out" },
		{ NT_SHINFO_AT_GRO_VXLAN, "gro_vxlan_in", "gro_vxlan_out" },
		{ NT_SHINFO_AT_GRO_GRE, "gro_gre_in", "gro_gre_out" },
		{ NT_SHINFO_AT_GRO_TCP, "gro_tcp_in", "gro_tcp_out" },
	};
	uint64_t mask = 0;

	for (size_t i = 0; i < NT_COUNT(p); i++)
		if (nt_run_hooked(r, p[i].in) && nt_run_hooked(r, p[i].out))
			mask |= 1ULL << p[i].place;
	return mask;
}

static uint64_t switches(struct nt_run *r)
{
	const struct nt_shinfo_opts *o = opts_of(r);
	uint64_t tool = (1u << NT_SHINFO_WHATS) - 1;

	if (o->exclude_access)
		tool &= ~(1ULL << NT_SHINFO_ACCESS);
	if (o->stack)
		tool |= NT_SHINFO_STACKS;
	if (o->check == NT_SHINFO_CHECK_DEEP)
		tool |= NT_SHINFO_DEEP;
	if (o->gso_only)
		tool |= NT_SHINFO_GSO_ONLY;
	if (nt_run_common(r)->verbose)
		tool |= NT_SHINFO_INNER;
	return tool;
}

/* Once: configure() runs before each load. */
struct nt_shinfo_run *nt_shinfo_btf(struct nt_run *r)
{
	struct nt_shinfo_run *p = nt_run_priv(r);
	struct nt_btf_place place;
	struct nt_btf *b = NULL;

	if (p->gso.name[0][0])
		return p;
	if (!nt_btf_find(&place, nt_run_common(r)->btf))
		nt_btf_open(&b, place.path, NULL);
	nt_gso_names_read(&p->gso, b);
	p->make6_of_3 = nt_btf_func_args(b, "__ip6_make_skb") == 3;
	nt_btf_close(b);
	nt_btf_place_close(&place);
	return p;
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	struct nt_shinfo_run *p = nt_shinfo_btf(r);

	(void)err;
	nt_run_const(r, NT_CONST_TOOL0, switches(r));
	nt_run_const(r, NT_CONST_TOOL1, nt_shinfo_pairs(r) | (p->make6_of_3 ? NT_SHINFO_MAKE6_OF_3 : 0));
	nt_run_const(r, NT_CONST_TOOL2, nt_gso_bit(&p->gso, "DODGY") |
		     (uint64_t)nt_gso_bit(&p->gso, "FRAGLIST") << 32);
	nt_run_const(r, NT_CONST_TOOL3, opts_of(r)->rate);
	return 0;
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	uint32_t zero = 0;

	if (bpf_map_update_elem(nt_run_map_fd(r, "nt_shinfo_cfg"), &zero, &opts_of(r)->cfg, BPF_ANY))
		return nt_err_set(err, NT_EXIT_RUNTIME, errno, "cannot write the ports: %s", strerror(errno));
	return 0;
}

/* ---- records ---- */
static void read_stack(struct nt_run *r, int32_t id, uint64_t *stack)
{
	memset(stack, 0, NT_STACK_MAX * sizeof(*stack));
	if (id < 0 || nt_run_stack(r, "nt_stacks", id, stack, NT_STACK_MAX) < 0)
		stack[0] = 0;
	nt_run_cut_stack(r, stack, NT_STACK_MAX);
}

void nt_shinfo_event(struct nt_run *r, const void *data, bool stacks, nt_shinfo_show *show)
{
	uint64_t stack[NT_STACK_MAX];
	struct nt_shinfo_event e;

	memcpy(&e, data, sizeof(e));
	if (stacks)
		read_stack(r, e.stack_id, stack);
	show(r, &e, stacks ? stack : NULL);
	nt_run_event_shown(r);
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	(void)size;
	nt_shinfo_event(r, data, opts_of(r)->stack, nt_shinfo_show_event);
}

static void forget(struct nt_run *r, int fd, const void *key, const void *value, void *arg)
{
	const struct nt_shinfo_track *t = value;

	(void)arg;
	if (t->seen_ns + FORGET_NS < nt_now_ns() && !bpf_map_delete_elem(fd, key))
		nt_run_lost(r, NT_STAT_EVICTED, 1);
}

void nt_shinfo_sweep(struct nt_run *r)
{
	struct nt_shinfo_run *p = nt_run_priv(r);
	struct nt_shinfo_track t;

	nt_sweep(r, &p->sweep, "nt_shinfos", &t, SWEEP_ENTRIES, forget, NULL);
}

void nt_shinfo_warnings(struct nt_run *r, bool lists)
{
	static const struct { const char *name, *text; uint32_t stat; } w[] = {
		{ "rate_limited", "events not shown: above --rate", NT_STAT_SHINFO_RATE_LIMITED },
		{ "no_stack", "stacks could not be stored", NT_STAT_SHINFO_NO_STACK },
		{ "long_lists", "looks at packets with too many members or fragments to add up", NT_STAT_SHINFO_LONG },
	};

	for (size_t i = 0; i < NT_COUNT(w) - !lists; i++) {
		uint64_t n = nt_run_stat(r, w[i].stat);

		nt_json_u64(nt_run_out(r), w[i].name, n);
		if (n)
			nt_text(nt_run_out(r), "warning: %llu %s\n", (unsigned long long)n, w[i].text);
	}
}

static void read_counts(struct nt_run *r, uint64_t *count)
{
	uint32_t cpus = nt_run_cpus(r);
	uint64_t *value = calloc(cpus, sizeof(*value));

	for (uint32_t i = 0; value && i < NT_SHINFO_PLACES_N * NT_SHINFO_WHATS; i++) {
		if (bpf_map_lookup_elem(nt_run_map_fd(r, "nt_shinfo_counts"), &i, value))
			continue;
		for (uint32_t cpu = 0; cpu < cpus; cpu++)
			count[i] += value[cpu];
	}
	free(value);
}

static void end(struct nt_run *r)
{
	uint64_t count[NT_SHINFO_PLACES_N * NT_SHINFO_WHATS] = { 0 };

	read_counts(r, count);
	nt_shinfo_warnings(r, true);
	nt_json_u64(nt_run_out(r), "packets", nt_run_stat(r, NT_STAT_SHINFO_PACKETS));
	nt_shinfo_show_counts(r, count);
}

const struct nt_engine nt_shinfo_engine = {
	.name = "shinfo",
	.priv_size = sizeof(struct nt_shinfo_run),
	.configure = configure,
	.prepare = prepare,
	.event = event,
	.min_event = sizeof(struct nt_shinfo_event),
	.sweep = nt_shinfo_sweep,
	.end = end,
};
