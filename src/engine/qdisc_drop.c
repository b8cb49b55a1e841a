/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Drops on the way out. A packet counts if a discipline held it, if the reason is one of the
 * disciplines', or if it was freed in one of the transmit functions below: 5.10 has no reasons,
 * and without kprobes nobody tells which discipline holds a packet.
 */
#include "nettrace/qdisc_drop.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/link.h"

/* Disciplines drop with rtnl_kfree_skbs() what they hold when they are reset: it is freed when
 * RTNL is unlocked. */
static const char *const places[] = {
	"__dev_queue_xmit", "__dev_xmit_skb", "dev_qdisc_enqueue", "sch_direct_xmit", "validate_xmit_skb*",
	"dev_hard_start_xmit", "__qdisc_run", "net_tx_action", "qdisc_reset", "qdisc_reset_queue",
	"__qdisc_reset_queue", "qdisc_purge_queue", "qdisc_dequeue_head", "qdisc_peek_dequeued", "qdisc_graft",
	"qdisc_destroy", "__qdisc_destroy", "dev_deactivate_queue", "dev_reset_queue", "__rtnl_unlock", "rtnl_unlock",
};

#define KIND_PLACES(kind, function) #kind "_dequeue", #kind "_reset", #kind "_change", #function,
static const char *const kind_places[] = { NT_QDISC_KINDS(KIND_PLACES) };
enum { PLACES_OF_KIND = 4 };
#define KIND_NAME(kind, function) #kind,
static const char *const kinds[] = { NT_QDISC_KINDS(KIND_NAME) };

/* The functions of kinds that nobody uses would only fill the kernel's table of places. */
static void list_places(struct nt_strlist *l)
{
	static const char *all[NT_COUNT(places) + NT_COUNT(kind_places)];
	size_t n = 0;

	for (size_t i = 0; i < NT_COUNT(places); i++)
		all[n++] = places[i];
	for (size_t i = 0; i < NT_COUNT(kind_places); i++)
		if (nt_qdisc_kind_used(kinds[i / PLACES_OF_KIND]))
			all[n++] = kind_places[i];
	*l = (struct nt_strlist){ all, n };
}

int nt_qdisc_drop_check(struct nt_run *r, struct nt_err *err)
{
	static const char *const reasons[] = {	/* of all kernels; unknown ones are left out */
		"QDISC_DROP", "QDISC_OVERLIMIT", "QDISC_BURST_DROP", "QDISC_CONGESTED", "FQ_BAND_LIMIT",
		"FQ_HORIZON_LIMIT", "FQ_FLOW_LIMIT", "CAKE_FLOOD", "GENERIC", "OVERLIMIT", "CONGESTED",
		"MAXFLOWS", "FLOOD_PROTECTION", "BAND_LIMIT", "HORIZON_LIMIT", "FLOW_LIMIT",
	};
	struct nt_qdisc_opts *o = nt_run_opts_rw(r);
	struct nt_common_opts *c = nt_run_common(r);

	if (o->summary && (o->trace || o->trace_all))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"contradicting options: --summary and --%s: give one of them",
			o->trace ? "trace" : "trace-all");
	if (c->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: qdisc_drop_trace prints several tables: use --json");
	if (o->summary)
		nt_run_set_aggregates(r, true);
	if (o->trace)
		c->interval_ns = 0;
	o->drop.no_stack = !c->verbose;
	o->drop.show_benign = true;
	o->drop.reason = (struct nt_strlist){ reasons, NT_COUNT(reasons) };
	list_places(&o->drop.location);
	return 0;
}

static const struct nt_qdisc_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	int rc = nt_drop_configure(r, err);

	nt_run_const(r, NT_CONST_TOOL1, opts_of(r)->summary ? 0 : NT_QDISC_EVENTS);
	return rc;
}

/* ---- snapshots ---- */
/* Entries of a map of fixed-size keys and values, one behind the other; *n filled. */
static void *read_map(struct nt_run *r, const char *map, size_t key_size, size_t value_size, size_t *n)
{
	size_t size = key_size + value_size, cap = 0;
	int fd = nt_run_map_fd(r, map);
	char *all = NULL, key[128], *prev = NULL;

	*n = 0;
	while (fd >= 0 && !bpf_map_get_next_key(fd, prev, key)) {
		if (*n == cap) {
			char *grown = realloc(all, (cap = cap ? 2 * cap : 64) * size);

			if (!grown)
				break;
			all = grown;
		}
		memcpy(all + *n * size, key, key_size);
		if (!bpf_map_lookup_elem(fd, key, all + *n * size + key_size))
			(*n)++;
		prev = key;
	}
	return all;
}

static void add_dev(struct nt_qdisc_snapshot *s, uint32_t ifindex)
{
	struct nt_qdisc_dev *grown;
	struct nt_link l;

	for (size_t i = 0; i < s->n_devs; i++)
		if (s->dev[i].ifindex == ifindex)
			return;
	if (nt_link_get(ifindex, &l))
		return;
	grown = realloc(s->dev, (s->n_devs + 1) * sizeof(*grown));
	if (!grown)
		return;
	s->dev = grown;
	s->dev[s->n_devs++] = (struct nt_qdisc_dev){ ifindex, 0, l.stats.tx_packets, l.stats.tx_dropped,
						     l.stats.tx_errors };
}

/* The devices asked for; without --interface those that have a discipline. */
static void read_devs(struct nt_run *r, struct nt_qdisc_snapshot *s)
{
	const uint32_t *asked = nt_run_tuple_values(r)->ifindex;

	for (size_t i = 0; i < NT_FILTER_DEVS && asked[i]; i++)
		add_dev(s, asked[i]);
	for (size_t i = 0; !asked[0] && i < s->kernel.n; i++)
		add_dev(s, s->kernel.row[i].ifindex);
}

static void take(struct nt_run *r, struct nt_qdisc_snapshot *s)
{
	memset(s, 0, sizeof(*s));
	s->drop = read_map(r, "nt_qdrops", sizeof(struct nt_qdrop_key), sizeof(struct nt_qdrop_val),
			   &s->n_drops);
	s->rc = read_map(r, "nt_txrc", sizeof(struct nt_txrc_key), sizeof(uint64_t), &s->n_rcs);
	nt_qdiscs_read(&s->kernel);
	read_devs(r, s);
	s->taken = true;
}

static void forget(struct nt_qdisc_snapshot *s)
{
	free(s->drop);
	free(s->rc);
	free(s->dev);
	nt_qdiscs_free(&s->kernel);
	memset(s, 0, sizeof(*s));
}

/* ---- the engine ---- */
/* The list of reasons holds those of all kernels. */
static void keep_known_reasons(struct nt_run *r)
{
	struct nt_drop_opts *o = nt_run_opts_rw(r);
	static const char *known[NT_REASONS];
	size_t n = 0;

	for (size_t i = 0; i < o->reason.n && n < NT_REASONS; i++)
		if (nt_run_reason_id(r, o->reason.item[i]) != UINT32_MAX)
			known[n++] = o->reason.item[i];
	o->reason = (struct nt_strlist){ known, n };
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_qdisc_drop *p = nt_run_priv(r);

	keep_known_reasons(r);
	return nt_drop_prepare(r, &p->places, err);
}

static void baseline(struct nt_run *r)
{
	struct nt_qdisc_drop *p = nt_run_priv(r);

	take(r, &p->start);
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	static struct nt_qdisc_event e;
	size_t n, first;

	(void)size;
	memcpy(&e, data, sizeof(e));
	for (n = 0; n < NT_STACK_MAX && e.stack[n]; n++)
		;
	first = nt_drop_first_frame((const uint64_t *)e.stack, n, e.location_raw);
	memmove(e.stack, e.stack + first, (n - first) * sizeof(e.stack[0]));
	if (n - first < NT_STACK_MAX)
		e.stack[n - first] = 0;
	nt_qdisc_drop_event(r, &e);
	nt_run_event_shown(r);
}

static void interval(struct nt_run *r, bool final)
{
	struct nt_qdisc_drop *p = nt_run_priv(r);
	struct nt_qdisc_snapshot now;

	(void)final;
	take(r, &now);
	p->reports++;
	nt_qdisc_drop_show(r, p->last.taken && !nt_run_common(r)->cumulative ? &p->last : &p->start, &now);
	forget(&p->last);
	p->last = now;
}

static void end(struct nt_run *r)
{
	struct nt_qdisc_drop *p = nt_run_priv(r);
	uint64_t limited = nt_run_stat(r, NT_STAT_RATE_LIMITED);
	struct nt_qdisc_snapshot now;

	nt_json_u64(nt_run_out(r), "rate_limited", limited);
	if (limited)
		nt_text(nt_run_out(r), "warning: %llu events not shown: above --rate %u a second\n",
			(unsigned long long)limited, opts_of(r)->drop.rate);
	take(r, &now);
	if (p->reports != 1)
		nt_text(nt_run_out(r), "since the start:\n");
	if (p->reports != 1 || nt_out_format(nt_run_out(r)) == NT_JSON)
		nt_qdisc_drop_show(r, &p->start, &now);	/* else the last report said it */
	forget(&now);
}

static void release(struct nt_run *r)
{
	struct nt_qdisc_drop *p = nt_run_priv(r);

	nt_drop_free_places(p->places);
	forget(&p->start);
	forget(&p->last);
}

const struct nt_engine nt_qdisc_drop_engine = {
	.name = "qdisc_drop",
	.priv_size = sizeof(struct nt_qdisc_drop),
	.configure = configure,
	.prepare = prepare,
	.baseline = baseline,
	.event = event,
	.min_event = sizeof(struct nt_qdisc_event),
	.interval = interval,
	.end = end,
	.release = release,
};
