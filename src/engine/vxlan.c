/* SPDX-License-Identifier: GPL-2.0 */
/* Engine of vxlan_tracer: what is asked for, packets as they come, and snapshots of the counters. */
#include "nettrace/vxlan.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

enum { SUMMARY_SECONDS = 5 };

static const struct nt_vxlan_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* ---- options ---- */
static int bad_list(struct nt_err *err, const char *option, const char *item, const char *what)
{
	return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "bad value: --%s %s: give %s, a comma between", option, item, what);
}

static int read_vnis(struct nt_vxlan_opts *o, struct nt_err *err)
{
	if (o->vni.n > NT_VXLAN_VNIS)
		return bad_list(err, "vni", o->vni.item[NT_VXLAN_VNIS], "at most 16 numbers");
	for (size_t i = 0; i < o->vni.n; i++)
		if (nt_vxlan_number(o->vni.item[i], (1u << 24) - 1, &o->cfg.vni[i]))
			return bad_list(err, "vni", o->vni.item[i], "numbers from 0 to 16777215");
	o->cfg.n_vnis = (uint32_t)o->vni.n;
	return 0;
}

static int read_ports(struct nt_vxlan_opts *o, struct nt_err *err)
{
	uint32_t port;

	if (o->port.n > NT_VXLAN_PORTS)
		return bad_list(err, "vxlan-port", o->port.item[NT_VXLAN_PORTS], "at most 8 ports");
	for (size_t i = 0; i < o->port.n; i++) {
		if (nt_vxlan_number(o->port.item[i], 65535, &port) || !port)
			return bad_list(err, "vxlan-port", o->port.item[i], "ports from 1 to 65535");
		o->cfg.port[i] = htons((uint16_t)port);
	}
	return 0;
}

static int read_devs(struct nt_vxlan_opts *o, struct nt_err *err)
{
	if (o->dev.n > NT_FILTER_DEVS)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "too many interfaces: %zu: give at most %d", o->dev.n,
				  NT_FILTER_DEVS);
	for (size_t i = 0; i < o->dev.n; i++) {
		o->cfg.ifindex[i] = if_nametoindex(o->dev.item[i]);
		if (!o->cfg.ifindex[i])
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"no such interface: %s: see ip link for the names in this namespace", o->dev.item[i]);
	}
	return 0;
}

int nt_vxlan_check(struct nt_run *r, struct nt_err *err)
{
	struct nt_vxlan_opts *o = nt_run_opts_rw(r);

	if (nt_run_common(r)->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: packets have members of several kinds: use --json");
	if (o->summary && (o->stack || o->drops_only))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "contradicting options: --summary and --%s: give one of them",
				  o->stack ? "stack" : "drops-only");
	if (read_vnis(o, err) || read_ports(o, err) || read_devs(o, err))
		return -EINVAL;
	nt_prefix_mask(o->cfg.src, o->cfg.src_mask, &o->outer_src);
	nt_prefix_mask(o->cfg.dst, o->cfg.dst_mask, &o->outer_dst);
	if (!o->summary)
		return 0;
	nt_run_set_aggregates(r, true);
	if (!nt_run_given(r, "interval"))
		nt_run_common(r)->interval_ns = SUMMARY_SECONDS * 1000000000ULL;
	return 0;
}

/* ---- configuration ---- */
static uint64_t switches(const struct nt_vxlan_opts *o)
{
	uint64_t tool = 0;

	if (o->direction != NT_VXLAN_DIR_RX)
		tool |= NT_VXLAN_TX;
	if (o->direction != NT_VXLAN_DIR_TX)
		tool |= NT_VXLAN_RX;
	tool |= o->summary ? NT_VXLAN_FLOWS : NT_VXLAN_EVENTS;
	if (o->drops_only)
		tool |= NT_VXLAN_ONLY_DROPS;
	if (o->stack)
		tool |= NT_VXLAN_STACKS;
	if (o->vni.n)
		tool |= NT_VXLAN_BY_VNI;
	if (o->dev.n)
		tool |= NT_VXLAN_BY_DEV;
	if (o->outer_src.set)
		tool |= NT_VXLAN_BY_SRC;
	if (o->outer_dst.set)
		tool |= NT_VXLAN_BY_DST;
	return tool;
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	struct nt_vxlan *p = nt_run_priv(r);

	(void)err;
	p->by_port = nt_run_hooked(r, "port_tx");
	nt_run_const(r, NT_CONST_TOOL0, switches(opts_of(r)));
	nt_run_const(r, NT_CONST_TOOL2, nt_run_reason_id(r, "CONSUMED"));
	nt_run_const(r, NT_CONST_TOOL3, opts_of(r)->rate);
	return 0;
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_vxlan_cfg cfg = opts_of(r)->cfg;
	uint32_t zero = 0;

	cfg.netns = nt_run_netns(r);
	if (bpf_map_update_elem(nt_run_map_fd(r, "nt_vxlan_cfg"), &zero, &cfg, BPF_ANY))
		return nt_err_set(err, NT_EXIT_RUNTIME, errno, "cannot write the filter: %s", strerror(errno));
	return 0;
}

/* ---- snapshots ---- */
static int by_peer(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nt_vxlan_peer_key));
}

static int by_flow(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nt_vxlan_flow_key));
}

/* All entries of a map, as rows of a key, a value at val_off, and nothing else. Their number. */
static size_t read_map(int fd, void **rows, size_t row_size, size_t val_off)
{
	uint8_t key[64], *grown, *all = NULL;
	bool first = true;
	size_t n = 0, cap = 0;

	*rows = NULL;
	while (fd >= 0 && !bpf_map_get_next_key(fd, first ? NULL : key, key)) {
		first = false;
		if (n == cap) {
			cap = cap ? cap * 2 : 64;
			grown = realloc(all, cap * row_size);
			if (!grown)
				break;
			all = grown;
		}
		memset(all + n * row_size, 0, row_size);
		memcpy(all + n * row_size, key, val_off < sizeof(key) ? val_off : sizeof(key));
		if (!bpf_map_lookup_elem(fd, key, all + n * row_size + val_off))
			n++;
	}
	*rows = all;
	return n;
}

static void take(struct nt_run *r, struct nt_vxlan_snapshot *s)
{
	memset(s, 0, sizeof(*s));
	for (uint32_t d = 0; d < 2; d++)
		for (uint32_t i = 0; i < NT_VXLAN_COUNTS; i++)
			s->count[d][i] = nt_run_stat(r, NT_STAT_VXLAN0 + d * NT_VXLAN_COUNTS + i);
	s->device_packets = nt_run_stat(r, NT_STAT_VXLAN_DEVICE);
	s->n_peers = read_map(nt_run_map_fd(r, "nt_vxlan_peers"), (void **)&s->peer, sizeof(*s->peer),
			      offsetof(struct nt_vxlan_peer, val));
	s->n_flows = read_map(nt_run_map_fd(r, "nt_vxlan_flows"), (void **)&s->flow, sizeof(*s->flow),
			      offsetof(struct nt_vxlan_flow, val));
	if (s->n_peers)
		qsort(s->peer, s->n_peers, sizeof(*s->peer), by_peer);
	if (s->n_flows)
		qsort(s->flow, s->n_flows, sizeof(*s->flow), by_flow);
}

static void forget(struct nt_vxlan_snapshot *s)
{
	free(s->peer);
	free(s->flow);
}

/* ---- records ---- */
static void started(struct nt_run *r)
{
	const struct nt_vxlan *p = nt_run_priv(r);

	if (p->by_port && !opts_of(r)->by_port)
		nt_run_note(r, "the kernel's VXLAN cannot be hooked (is its module loaded?): packets are told by UDP port");
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	uint64_t stack[NT_STACK_MAX] = { 0 };
	struct nt_vxlan_event e;

	(void)size;
	memcpy(&e, data, sizeof(e));
	if (!opts_of(r)->stack || e.stack_id < 0 || nt_run_stack(r, "nt_stacks", e.stack_id, stack, NT_STACK_MAX) < 0)
		stack[0] = 0;
	nt_run_cut_stack(r, stack, NT_STACK_MAX);
	nt_vxlan_show_event(r, &e, opts_of(r)->stack ? stack : NULL);
	nt_run_event_shown(r);
}

static void interval(struct nt_run *r, bool final)
{
	struct nt_vxlan *p = nt_run_priv(r);
	struct nt_vxlan_snapshot now;

	(void)final;
	take(r, &now);
	nt_vxlan_show_report(r, p->reports++ && !nt_run_common(r)->cumulative ? &p->last : &p->start, &now);
	forget(&p->last);
	p->last = now;
}

static void warnings(struct nt_run *r)
{
	static const struct { const char *name, *text; uint32_t stat; } w[] = {
		{ "rate_limited", "packets not shown: above --rate", NT_STAT_VXLAN_RATE_LIMITED },
		{ "no_stack", "stacks could not be stored", NT_STAT_VXLAN_NO_STACK },
		{ "unreadable", "packets left out: their headers could not be read", NT_STAT_VXLAN_UNREADABLE },
	};

	for (size_t i = 0; i < NT_COUNT(w); i++) {
		uint64_t n = nt_run_stat(r, w[i].stat);

		nt_json_u64(nt_run_out(r), w[i].name, n);
		if (n)
			nt_text(nt_run_out(r), "warning: %llu %s\n", (unsigned long long)n, w[i].text);
	}
}

/* A single report has said what the summary would say. */
static void end(struct nt_run *r)
{
	struct nt_vxlan *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);
	struct nt_vxlan_snapshot now;

	take(r, &now);
	warnings(r);
	if (p->reports > 1)
		nt_text(o, "since the start:\n");
	if (p->reports != 1 || nt_out_format(o) == NT_JSON)
		nt_vxlan_show_report(r, &p->start, &now);
	forget(&now);
}

static void release(struct nt_run *r)
{
	struct nt_vxlan *p = nt_run_priv(r);

	forget(&p->last);
}

const struct nt_engine nt_vxlan_engine = {
	.name = "vxlan",
	.priv_size = sizeof(struct nt_vxlan),
	.configure = configure,
	.prepare = prepare,
	.started = started,
	.event = event,
	.min_event = sizeof(struct nt_vxlan_event),
	.interval = interval,
	.end = end,
	.release = release,
};
