/* SPDX-License-Identifier: GPL-2.0 */
/* What all drop tools share: the places that do not count as the place of a drop. */
#include "nettrace/drop.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/ksyms.h"

struct place_rule {
	enum nt_loc_class class;
	const char *patterns;	/* '|' between; '*' matches any run */
};

/*
 * Wrappers free for somebody else. skb_release_data frees what belongs to a packet that was
 * counted already. Benign: sockets that close, packet taps, raw sockets' copies, AF_UNIX,
 * netlink, multicast nobody joined. NT_LOC_ICMP: the packet decides (nt_drop_icmp_delivered()).
 */
static const struct place_rule rules[] = {
	{ NT_LOC_CHILD, "skb_release_data" },
	{ NT_LOC_DEFERRED, "net_tx_action" },
	{ NT_LOC_ICMP, "icmp_rcv|icmpv6_rcv" },
	{ NT_LOC_WRAPPER,
	  "kfree_skb|kfree_skb_reason|__kfree_skb|sk_skb_reason_drop|kfree_skb_list|kfree_skb_list_reason|"
	  "__tcf_kfree_skb_list|"
	  "skb_queue_purge|skb_queue_purge_reason|skb_rbtree_purge|inet_frag_rbtree_purge|rtnl_kfree_skbs|"
	  "__dev_kfree_skb_any|dev_kfree_skb_any_reason|tcp_drop|tcp_drop_reason|sock_queue_rcv_skb*" },
};
static const char benign_default[] =
	"sk_stream_kill_queues|inet_sock_destruct|unix_*|netlink_*|packet_rcv|tpacket_rcv|packet_sock_destruct|"
	"ping_rcv|raw_rcv|raw_v4_input|raw_local_deliver|rawv6_rcv|raw6_local_deliver|ip6_mc_input";

struct range {
	uint64_t start, end;
	enum nt_loc_class class;
};

struct nt_drop_places {
	struct range *range;
	size_t n, cap;
	char *benign;
	const struct nt_drop_opts *opts;
};

static const struct nt_drop_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* ---- classes of functions ---- */

/* Compiler suffixes (.isra.0, .constprop.0, .cold) belong to the function. */
static bool matches(const char *pattern, size_t len, const char *name)
{
	size_t base;

	if (len && *pattern != *name && *pattern != '*')	/* nearly every symbol */
		return false;
	base = strcspn(name, ". ");
	if (memchr(pattern, '*', len)) {
		size_t head = (size_t)((const char *)memchr(pattern, '*', len) - pattern);

		return !strncmp(pattern, name, head);
	}
	return base == len && !strncmp(pattern, name, len);
}

static bool in_list(const char *patterns, const char *name)
{
	while (*patterns) {
		size_t n = strcspn(patterns, "|");

		if (n && matches(patterns, n, name))
			return true;
		patterns += n + (patterns[n] == '|');
	}
	return false;
}

static enum nt_loc_class class_of_name(const struct nt_drop_places *p, const char *name)
{
	for (size_t i = 0; i < p->opts->location.n; i++)
		if (matches(p->opts->location.item[i], strlen(p->opts->location.item[i]), name))
			return NT_LOC_LISTED;
	for (size_t i = 0; i < NT_COUNT(rules); i++)
		if (in_list(rules[i].patterns, name) &&
		    (rules[i].class != NT_LOC_ICMP || !p->opts->normal_list))
			return rules[i].class;
	return in_list(p->benign, name) ? NT_LOC_BENIGN : NT_LOC_OTHER;
}

/* Neighbours of one class become one range: unix_* is a hundred functions in a row. */
static void add_range(void *arg, const char *name, uint64_t start, uint64_t end)
{
	struct nt_drop_places *p = arg;
	enum nt_loc_class class = class_of_name(p, name);
	struct range *last = p->n ? &p->range[p->n - 1] : NULL;

	if (class == NT_LOC_OTHER)
		return;
	if (last && last->class == class && last->end >= start) {
		if (end > last->end)
			last->end = end;
		return;
	}
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 128;
		struct range *grown = realloc(p->range, cap * sizeof(*grown));

		if (!grown)
			return;
		p->range = grown;
		p->cap = cap;
	}
	p->range[p->n++] = (struct range){ start, end, class };
}

/* One function or pattern a line; '#' starts a comment. */
static char *read_list(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[256], *all = calloc(1, 1);
	size_t used = 0;

	while (f && all && fgets(line, sizeof(line), f)) {
		size_t n = strcspn(line, " \t\r\n#");
		char *grown = n ? realloc(all, used + n + 2) : NULL;

		if (!grown)
			continue;
		all = grown;
		memcpy(all + used, line, n);
		memcpy(all + used + n, "|", 2);
		used += n + 1;
	}
	if (f)
		fclose(f);
	return all;
}

enum nt_loc_class nt_drop_class(const struct nt_drop_places *p, uint64_t addr)
{
	addr--;		/* a return address may be the first byte behind its function */
	for (size_t i = 0; p && i < p->n; i++)
		if (addr >= p->range[i].start && addr < p->range[i].end)
			return p->range[i].class;
	return NT_LOC_OTHER;
}

size_t nt_drop_first_frame(const uint64_t *stack, size_t n, uint64_t location)
{
	for (size_t i = 0; i < n; i++)
		if (stack[i] == location)
			return i;
	return 0;
}

uint64_t nt_drop_place(const struct nt_drop_places *p, uint64_t raw, const uint64_t *stack, size_t n)
{
	size_t i;

	if (!stack || nt_drop_class(p, raw) != NT_LOC_WRAPPER)
		return raw;
	for (i = 0; i < n && stack[i] != raw; i++)
		;
	for (i++; i < n; i++)
		if (nt_drop_class(p, stack[i]) != NT_LOC_WRAPPER)
			return stack[i];
	return raw;
}

/* ---- to the kernel side ---- */
/* What must be right first, then the largest ranges of what is merely left out. */
static int by_weight(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	bool benign_x = x->class == NT_LOC_BENIGN, benign_y = y->class == NT_LOC_BENIGN;
	uint64_t size_x = x->end - x->start, size_y = y->end - y->start;

	if (benign_x != benign_y)
		return benign_x ? 1 : -1;
	return size_x < size_y ? 1 : size_x > size_y ? -1 : 0;
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void write_ranges(struct nt_run *r, struct nt_drop_places *p)
{
	struct nt_loc_ranges v;
	uint32_t zero = 0;
	size_t n = p->n < NT_LOC_RANGES ? p->n : NT_LOC_RANGES;

	/* Ranges that find no room (.cold parts, mostly) are judged in user space. */
	memset(&v, 0, sizeof(v));
	if (p->n)
		qsort(p->range, p->n, sizeof(*p->range), by_weight);
	if (n)
		qsort(p->range, n, sizeof(*p->range), by_start);
	for (size_t i = 0; i < NT_LOC_RANGES; i++) {
		v.start[i] = i < n ? p->range[i].start : UINT64_MAX;
		v.end[i] = i < n ? p->range[i].end : UINT64_MAX;
		v.class[i] = i < n ? (uint8_t)p->range[i].class : NT_LOC_OTHER;
	}
	bpf_map_update_elem(nt_run_map_fd(r, "nt_loc_ranges"), &zero, &v, BPF_ANY);
}

/* An empty table has no range below any address. */
static void write_no_ranges(struct nt_run *r)
{
	struct nt_drop_places none = { .n = 0 };

	write_ranges(r, &none);
}

void nt_drop_load_places(struct nt_run *r, struct nt_drop_places **places)
{
	struct nt_drop_places *p;

	if (*places || !nt_run_ksyms(r))
		return;
	p = calloc(1, sizeof(*p));
	if (!p)
		return;
	p->opts = opts_of(r);
	p->benign = p->opts->normal_list ? read_list(p->opts->normal_list) : strdup(benign_default);
	if (p->benign)
		nt_ksyms_each(nt_run_ksyms(r), add_range, p);
	write_ranges(r, p);
	*places = p;
}

void nt_drop_free_places(struct nt_drop_places *p)
{
	if (!p)
		return;
	free(p->range);
	free(p->benign);
	free(p);
}

int nt_drop_configure(struct nt_run *r, struct nt_err *err)
{
	const struct nt_drop_opts *o = opts_of(r);
	uint64_t sw = 0;

	(void)err;
	if (o->reason.n || o->exclude_reason.n)
		sw |= NT_DROP_REASONS;
	if (o->location.n)
		sw |= NT_DROP_LISTED;
	if (o->show_benign)
		sw |= NT_DROP_SHOW_BENIGN;
	if (o->group_by != NT_DROP_GROUP_FLOW)
		sw |= NT_DROP_BY_STACK;
	if (o->group_by != NT_DROP_GROUP_STACK)
		sw |= NT_DROP_BY_FLOW;
	if (!o->no_stack)
		sw |= NT_DROP_STACK;
	if (o->deferred)
		sw |= NT_DROP_DEFERRED;
	nt_run_const(r, NT_CONST_TOOL0, sw);
	nt_run_const(r, NT_CONST_TOOL1, o->pcap || nt_run_common(r)->verbose ? o->snaplen : 0);
	nt_run_const(r, NT_CONST_TOOL2, nt_run_reason_id(r, "CONSUMED"));
	nt_run_const(r, NT_CONST_TOOL3, o->rate);
	return 0;
}

/* 0: this kernel has no reasons, as its drops have it. */
static uint32_t reason_id(struct nt_run *r, const char *name)
{
	uint32_t id = nt_run_reason_id(r, name);

	return id == UINT32_MAX ? 0 : id;
}

/* The rule of nt_drop_icmp_delivered() in bpf/lib/drop.bpf.h. */
bool nt_drop_delivered(struct nt_run *r, uint32_t reason, const struct nt_flow *f, bool echo)
{
	if (f->proto != 1 && reason == reason_id(r, "NOT_SPECIFIED"))
		return true;
	return echo && reason == reason_id(r, "NO_SOCKET");
}

int nt_drop_prepare(struct nt_run *r, struct nt_drop_places **places, struct nt_err *err)
{
	const struct nt_drop_opts *o = opts_of(r);
	const struct nt_strlist *l = o->reason.n ? &o->reason : &o->exclude_reason;
	struct nt_drop_cfg cfg = { .exclude = o->reason.n == 0, .no_socket = reason_id(r, "NO_SOCKET"),
				   .not_specified = reason_id(r, "NOT_SPECIFIED") };
	uint32_t zero = 0;

	for (size_t i = 0; i < l->n && i < NT_REASONS; i++) {
		cfg.reason[i] = nt_run_reason_id(r, l->item[i]);
		if (cfg.reason[i] == UINT32_MAX)
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"unknown drop reason: %s: this kernel does not have it", l->item[i]);
		cfg.n_reasons++;
	}
	bpf_map_update_elem(nt_run_map_fd(r, "nt_drop_cfg"), &zero, &cfg, BPF_ANY);
	/* After a refused program everything is loaded again: the places are known then. */
	if (*places)
		write_ranges(r, *places);
	else
		write_no_ranges(r);
	if (o->location.n) {
		nt_drop_load_places(r, places);
		if (!*places)
			return nt_err_set(err, NT_EXIT_UNSUPPORTED, ENOTSUP,
				"cannot find functions by name: /proc/kallsyms: see kernel.kptr_restrict");
	}
	return 0;
}

int nt_drop_check(struct nt_run *r, struct nt_err *err)
{
	const struct nt_drop_opts *o = opts_of(r);
	FILE *f;

	if (o->reason.n && o->exclude_reason.n)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"contradicting options: --reason and --exclude-reason: give one of them");
	if (o->reason.n > NT_REASONS || o->exclude_reason.n > NT_REASONS)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"too many drop reasons: %zu: give at most %d",
			o->reason.n + o->exclude_reason.n, NT_REASONS);
	if (!o->normal_list)
		return 0;
	f = fopen(o->normal_list, "re");
	if (!f)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "cannot read the list: %s: %s",
				  o->normal_list, strerror(errno));
	fclose(f);
	return 0;
}
