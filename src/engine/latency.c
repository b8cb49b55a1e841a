/* SPDX-License-Identifier: GPL-2.0 */
/* Latency engine: options and constants, events from the kernel, sweeps for what never ends. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "latency.h"

#define SWEEP_KEYS 16384	/* most entries that one sweep looks at */

/* Figures only, no events? */
static bool aggregates(struct nt_run *r)
{
	return nt_latency_opts_of(r)->summary || nt_run_common(r)->interval_ns;
}

int nt_latency_check(struct nt_run *r, struct nt_err *err)
{
	const struct nt_common_opts *c = nt_run_common(r);

	if (nt_latency_opts_of(r)->summary && c->count && !c->interval_ns)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"--count without events: --summary shows none: give --interval too");
	nt_run_set_aggregates(r, aggregates(r));
	return 0;
}

/* ---- constants ---- */

static uint64_t hooked(const struct nt_run *r, bool v6)
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	uint64_t mask = 0;

	for (int dir = 0; dir < 2; dir++) {
		for (uint32_t i = 0; i < d->n_stages; i++) {
			const struct nt_latency_stage *s = &d->stage[dir][i];

			if (nt_run_hooked(r, v6 ? s->hook6 : s->hook4))
				mask |= 1ULL << (8 * dir + (int)i);
		}
	}
	return mask;
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	const struct nt_latency_opts *o = nt_latency_opts_of(r);
	uint64_t sw = 0;

	(void)err;
	if (nt_latency_wants(r, NT_DIR_TX))
		sw |= NT_LAT_TX;
	if (nt_latency_wants(r, NT_DIR_RX))
		sw |= NT_LAT_RX;
	if (!aggregates(r))
		sw |= NT_LAT_EVENTS | (o->no_stacks ? 0 : NT_LAT_STACKS);
	if (o->debug)
		sw |= NT_LAT_DEBUG;
	if (o->reversed[NT_DIR_TX])
		sw |= NT_LAT_REVERSED_TX;
	if (o->reversed[NT_DIR_RX])
		sw |= NT_LAT_REVERSED_RX;
	nt_run_const(r, NT_CONST_TOOL0, hooked(r, false) | hooked(r, true) << 16);
	nt_run_const(r, NT_CONST_TOOL1, sw);
	nt_run_const(r, NT_CONST_TOOL2, (uint64_t)(o->latency_ms * 1e6));
	if (!(sw & NT_LAT_STACKS))
		nt_run_map_entries(r, "nt_stacks", 1);
	return 0;
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_latency_priv *p = nt_run_priv(r);

	(void)err;
	return p->row ? 0 : nt_latency_rows(r);
}

/* ---- events ---- */

/* --count is about what is shown: when it is reached, the rest is only counted. */
static bool shows(struct nt_run *r)
{
	return !aggregates(r) && !nt_run_enough(r);
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	const size_t key_size = nt_latency_desc_of(r)->key_size;
	const uint8_t *p = data;
	struct nt_latency_event e = { .key = p + sizeof(e.ts_ns) };

	if (size < sizeof(e.ts_ns) + key_size + 2 * sizeof(uint32_t) + sizeof(e.lat))
		return;
	memcpy(&e.ts_ns, p, sizeof(e.ts_ns));
	p += sizeof(e.ts_ns) + key_size;
	memcpy(&e.ended, p, sizeof(e.ended));
	memcpy(&e.lat, p + 2 * sizeof(uint32_t), sizeof(e.lat));
	nt_latency_show(r, &e);
}

/* ---- what does not end ---- */

static uint64_t started_ns(const struct nt_lat *l)
{
	return l->seen ? l->ts[__builtin_ctz(l->seen)] : 0;
}

/* The passage is ours only if we delete its entry: else its end has come after all. */
static void evict(struct nt_run *r, int fd, const void *key, const struct nt_lat *l, uint64_t now,
		  enum nt_lat_end ended)
{
	uint32_t dir = nt_latency_desc_of(r)->direction(key), last = nt_latency_last_stage(l);
	struct nt_latency_event e = { .ts_ns = now, .key = key, .ended = ended, .lat = *l };
	struct nt_latency_priv *p = nt_run_priv(r);

	if (bpf_map_delete_elem(fd, key))
		return;
	nt_run_lost(r, NT_STAT_EVICTED, 1);
	if (ended == NT_LAT_TIMEOUT)
		p->timed_out[dir][last]++;
	else
		p->unfinished[dir][last]++;
	/* At the end of a run a screen full of sessions that are merely under way helps nobody:
	 * the summary counts them. */
	if (shows(r) && (ended == NT_LAT_TIMEOUT || nt_out_format(nt_run_out(r)) != NT_TEXT))
		nt_latency_show(r, &e);
}

static void judge(struct nt_run *r, int fd, const void *key, const void *value, void *all)
{
	uint64_t now = nt_now_ns(), limit = nt_latency_opts_of(r)->timeout_ms * 1000000ULL;

	if (now > started_ns(value) + limit)
		evict(r, fd, key, value, now, NT_LAT_TIMEOUT);
	else if (all)
		evict(r, fd, key, value, now, NT_LAT_UNFINISHED);
}

static void sweep(struct nt_run *r)
{
	struct nt_latency_priv *p = nt_run_priv(r);
	struct nt_lat l;

	nt_sweep(r, &p->sweep, "nt_lat", &l, SWEEP_KEYS, judge, NULL);
	nt_stacks_renew(r, &p->stacks, NT_STAT_LAT_NO_STACK);
}

static void finish(struct nt_run *r)
{
	struct nt_latency_priv *p = nt_run_priv(r);
	struct nt_lat l;

	/* None is to be left, as nothing is stored any more. */
	p->sweep.has_cursor = false;
	nt_sweep(r, &p->sweep, "nt_lat", &l, SIZE_MAX, judge, r);
}

static void release(struct nt_run *r)
{
	struct nt_latency_priv *p = nt_run_priv(r);

	nt_stream_free(p->csv);
	free(p->row);
}

const struct nt_engine nt_latency_engine = {
	.name = "latency",
	.priv_size = sizeof(struct nt_latency_priv),
	.configure = configure,
	.prepare = prepare,
	.event = event,
	.min_event = sizeof(uint64_t) + sizeof(struct nt_lat),
	.interval = nt_latency_interval,
	.sweep = sweep,
	.finish = finish,
	.end = nt_latency_end,
	.release = release,
};
