/* SPDX-License-Identifier: GPL-2.0 */
/* Path engine: devices and constants, records from the kernel, sweeps. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "path.h"

#define SIDE_MAX 8	/* devices a side */

static const struct nt_path_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

static bool one_way(const struct nt_run *r)
{
	return opts_of(r)->one_way || nt_path_desc_of(r)->kind == NT_PATH_DATAGRAM;
}

/* ---- devices ---- */

static int find_devices(struct nt_run *r, struct nt_err *err)
{
	struct nt_devset *set = &((struct nt_path_priv *)nt_run_priv(r))->devset;
	const struct nt_path_opts *o = opts_of(r);
	struct nt_devlinks links;
	int rc = nt_devlinks_read(&links, err);

	if (rc)
		return rc;
	rc = nt_devset_add(set, &links, "--rx-iface", &o->rx, NT_PATH_RX, SIDE_MAX, err);
	if (!rc)
		rc = nt_devset_add(set, &links, "--tx-iface", &o->tx, NT_PATH_TX, SIDE_MAX, err);
	nt_devlinks_free(&links);
	return rc;
}

int nt_path_check(struct nt_run *r, struct nt_err *err)
{
	const struct nt_tuple_opts *t = nt_run_tuple(r);

	if (t->src.is_v4 != t->dst.is_v4)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"addresses that cannot meet: --src-ip and --dst-ip: give both as IPv4 or both as IPv6");
	if (nt_run_common(r)->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: %s has records of several kinds: use --json", nt_run_tool(r)->name);
	return find_devices(r, err);
}

/* ---- constants, maps ---- */

static int configure(struct nt_run *r, struct nt_err *err)
{
	(void)err;
	nt_run_const(r, NT_CONST_TOOL0, nt_path_desc_of(r)->proto);
	nt_run_const(r, NT_CONST_TOOL1, one_way(r) ? NT_PATH_ONE_WAY : 0);
	nt_run_const(r, NT_CONST_TOOL2, nt_run_reason_id(r, "CONSUMED"));
	return 0;
}

static void decided(void *arg, const struct nt_path_entry *e)
{
	struct nt_run *r = arg;
	struct nt_path_priv *p = nt_run_priv(r);
	uint64_t ns;

	for (int i = 0; i < NT_PATH_GAPS && e->verdict == NT_PATH_COMPLETE && !e->control; i++)
		if (nt_path_gap_ns(e, (enum nt_path_gap)i, p->path.one_way, &ns))
			nt_hist_add(&p->gap[i], ns);
	if (nt_run_enough(r) || (e->verdict == NT_PATH_COMPLETE && !nt_run_common(r)->verbose))
		return;
	nt_path_show(r, e);
}

static int make_table(struct nt_run *r)
{
	const struct nt_path_opts *o = opts_of(r);
	struct nt_path_priv *p = nt_run_priv(r);
	uint32_t max = nt_run_common(r)->max_entries;

	p->gap = calloc(NT_PATH_GAPS, sizeof(*p->gap));
	if (!p->gap || nt_path_init(&p->path, nt_path_desc_of(r)->kind, max ? max : 65536,
				    (o->timeout_ms ? o->timeout_ms : 1000) * 1000000ULL))
		return -ENOMEM;
	for (int i = 0; i < NT_PATH_GAPS; i++)
		nt_hist_init(&p->gap[i]);
	p->path.one_way = one_way(r);
	p->path.sport = nt_run_tuple(r)->sport;
	p->path.dport = nt_run_tuple(r)->dport;
	p->path.decided = decided;
	p->path.arg = r;
	return 0;
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_path_priv *p = nt_run_priv(r);
	int rc = p->gap ? 0 : make_table(r);

	if (rc)
		return nt_err_set(err, NT_EXIT_RUNTIME, -rc,
			"no memory for the packets: --max-entries %u: give less",
			nt_run_common(r)->max_entries);
	nt_devset_write(r, &p->devset);
	return 0;
}

static void started(struct nt_run *r)
{
	struct nt_path_priv *p = nt_run_priv(r);

	nt_devset_text(r, &p->devset, "rx:    ", NT_PATH_RX);
	nt_devset_text(r, &p->devset, "tx:    ", NT_PATH_TX);
	if (nt_run_hooked(r, "kfree_skb"))
		nt_drop_load_places(r, &p->places);
}

/* ---- records ---- */

/* A drop that ends a packet's way: not the parts of one that was counted, nor a normal end. */
static bool is_drop(struct nt_run *r, struct nt_path_event *ev)
{
	struct nt_path_priv *p = nt_run_priv(r);
	uint64_t *stack = (uint64_t *)ev->stack;
	enum nt_loc_class class;
	size_t n, first;

	for (n = 0; n < NT_STACK_MAX && stack[n]; n++)
		;
	first = nt_drop_first_frame(stack, n, ev->location);
	ev->location = nt_drop_place(p->places, ev->location, stack, n);
	memmove(stack, stack + first, (n - first) * sizeof(*stack));
	if (n - first < NT_STACK_MAX)
		stack[n - first] = 0;
	class = nt_drop_class(p->places, ev->location);
	if (class == NT_LOC_ICMP)
		return !nt_drop_delivered(r, ev->reason, &ev->flow, ev->pkt & NT_PKT_ECHO);
	return class != NT_LOC_CHILD && class != NT_LOC_BENIGN;
}

static void record(struct nt_run *r, struct nt_path_event *ev)
{
	struct nt_path_priv *p = nt_run_priv(r);
	int stage = nt_path_stage(ev);

	if (ev->hook == NT_PATH_DROP && !is_drop(r, ev))
		return;
	if (nt_run_common(r)->verbose && (stage >= 0 || ev->hook == NT_PATH_DROP) &&
	    (ev->bits & NT_PATH_EXPR))
		nt_path_show_passage(r, ev, stage);
	nt_path_record(&p->path, ev);
}

/* Perf buffers are read CPU by CPU: records are put in order before they are judged. */
static void queue_record(struct nt_run *r, const void *data, size_t size)
{
	struct nt_path_priv *p = nt_run_priv(r);

	if (p->n_queued == p->cap_queued) {
		size_t cap = p->cap_queued ? 2 * p->cap_queued : 4096;
		struct nt_path_event **grown = realloc(p->queue, cap * sizeof(*grown));

		if (!grown) {
			nt_run_lost(r, NT_STAT_LOST_BUFFER, 1);
			return;
		}
		p->queue = grown;
		p->cap_queued = cap;
	}
	p->queue[p->n_queued] = malloc(size);
	if (!p->queue[p->n_queued]) {
		nt_run_lost(r, NT_STAT_LOST_BUFFER, 1);
		return;
	}
	memcpy(p->queue[p->n_queued++], data, size);
}

static int by_time(const void *a, const void *b)
{
	const struct nt_path_event *x = *(struct nt_path_event *const *)a;
	const struct nt_path_event *y = *(struct nt_path_event *const *)b;

	return x->ts_ns < y->ts_ns ? -1 : x->ts_ns > y->ts_ns;
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	static struct nt_path_event ev;

	if (!nt_run_in_order(r)) {
		queue_record(r, data, size);
		return;
	}
	memcpy(&ev, data, size < sizeof(ev) ? size : sizeof(ev));
	record(r, &ev);
}

#define SETTLE_NS 150000000ULL	/* three fetches of the buffers */

/* Those that no older one can come after any more. */
static void run_queue(struct nt_run *r, uint64_t until)
{
	struct nt_path_priv *p = nt_run_priv(r);
	static struct nt_path_event ev;
	size_t n = 0;

	if (p->n_queued)
		qsort(p->queue, p->n_queued, sizeof(*p->queue), by_time);
	for (; n < p->n_queued && p->queue[n]->ts_ns <= until; n++) {
		struct nt_path_event *q = p->queue[n];

		memcpy(&ev, q, q->hook == NT_PATH_DROP ? sizeof(ev) : NT_PATH_PASS_SIZE);
		record(r, &ev);
		free(q);
	}
	memmove(p->queue, p->queue + n, (p->n_queued - n) * sizeof(*p->queue));
	p->n_queued -= n;
}

/* ---- time ---- */

/* Records that did not fit may be just the ones that a packet is waited for. */
static void note_lost_records(struct nt_run *r, uint64_t now)
{
	struct nt_path_priv *p = nt_run_priv(r);
	uint64_t lost = nt_run_stat(r, NT_STAT_LOST_BUFFER);

	if (lost != p->buffer_lost)
		p->path.records_lost_ns = now;
	p->buffer_lost = lost;
}

static uint64_t sweep_ns(const struct nt_run *r)
{
	return nt_path_grace_ns(opts_of(r)->timeout_ms * 1000000ULL);
}

/* The core adds up what is lost; it is told what it does not know yet. */
static void report_losses(struct nt_run *r)
{
	struct nt_path_priv *p = nt_run_priv(r);
	const struct nt_path_counts *c = &p->path.count;

	nt_run_lost(r, NT_STAT_EVICTED, c->verdict[NT_PATH_EVICTED] - p->told_evicted);
	nt_run_lost(r, NT_STAT_UNMATCHED, c->verdict[NT_PATH_UNMATCHED] - p->told_unmatched);
	p->told_evicted = c->verdict[NT_PATH_EVICTED];
	p->told_unmatched = c->verdict[NT_PATH_UNMATCHED];
}

static void sweep(struct nt_run *r)
{
	struct nt_path_priv *p = nt_run_priv(r);
	uint64_t now = nt_now_ns();

	note_lost_records(r, now);
	if (!nt_run_in_order(r)) {
		now -= SETTLE_NS;
		run_queue(r, now);
	}
	nt_path_sweep(&p->path, now);
	report_losses(r);
}

static void finish(struct nt_run *r)
{
	struct nt_path_priv *p = nt_run_priv(r);
	uint64_t now = nt_now_ns();

	note_lost_records(r, now);
	run_queue(r, UINT64_MAX);
	nt_path_sweep(&p->path, now);
	nt_path_finish(&p->path);
	report_losses(r);
}

static void interval(struct nt_run *r, bool final)
{
	struct nt_path_priv *p = nt_run_priv(r);
	struct nt_path_counts now = p->path.count, since = now;

	(void)final;
	if (!nt_run_common(r)->cumulative) {
		const uint64_t *last = (const void *)&p->last;
		uint64_t *v = (void *)&since;

		for (size_t i = 0; i < sizeof(since) / sizeof(*v); i++)
			v[i] -= last[i];
	}
	nt_path_show_counts(r, &since, nt_path_unfinished(&p->path));
	p->last = now;
}

static void end(struct nt_run *r)
{
	struct nt_path_priv *p = nt_run_priv(r);

	nt_path_show_counts(r, &p->path.count, p->path.count.verdict[NT_PATH_OPEN_AT_END]);
	nt_path_show_gaps(r);
}

static void release(struct nt_run *r)
{
	struct nt_path_priv *p = nt_run_priv(r);

	for (size_t i = 0; i < p->n_queued; i++)
		free(p->queue[i]);
	free(p->queue);
	nt_path_free(&p->path);
	nt_drop_free_places(p->places);
	free(p->gap);
}

const struct nt_hook nt_path_hooks[NT_PATH_N_HOOKS] = {
	{ .stem = "receive", .type = NT_HOOK_TP, .targets = "net:netif_receive_skb",
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "start_xmit", .type = NT_HOOK_TP, .targets = "net:net_dev_start_xmit",
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .need = NT_OPTIONAL,
	  .loss = "reason, place and stack of a drop; losses are told after the timeout" },
};

const struct nt_engine nt_path_engine = {
	.name = "path",
	.priv_size = sizeof(struct nt_path_priv),
	.configure = configure,
	.prepare = prepare,
	.started = started,
	.event = event,
	.min_event = NT_PATH_PASS_SIZE,
	.interval = interval,
	.sweep = sweep,
	.sweep_ns = sweep_ns,
	.finish = finish,
	.end = end,
	.release = release,
};
