/* SPDX-License-Identifier: GPL-2.0 */
/* Engine of qdisc_latency_details: constants, events, the slowest packets, rows, what is still inside. */
#include "qdisc_latency.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_KEYS 16384	/* most entries that one sweep looks at */

static const struct nt_qlat_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* Figures with the slowest packets, not each packet? */
static bool aggregates(struct nt_run *r)
{
	return opts_of(r)->summary || (nt_run_common(r)->interval_ns && !opts_of(r)->threshold_us);
}

int nt_qdisc_latency_check(struct nt_run *r, struct nt_err *err)
{
	const struct nt_qlat_opts *o = opts_of(r);
	const struct nt_common_opts *c = nt_run_common(r);
	const struct nt_tuple_opts *t = nt_run_tuple(r);

	if (o->summary && o->threshold_us)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"contradicting options: --summary and --threshold: give one of them");
	if (o->summary && c->count && !c->interval_ns)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"--count without events: --summary shows none: give --interval too");
	if (c->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: qdisc_latency_details prints several tables: use --json");
	if (t->src.set || t->dst.set || t->sport.set || t->dport.set)
		nt_run_tuple_mask(r, NT_FILTER_EITHER);		/* as the script had it */
	nt_run_set_aggregates(r, aggregates(r));
	return 0;
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	(void)err;
	nt_run_const(r, NT_CONST_TOOL0, NT_QLAT_EVENTS | (aggregates(r) ? NT_QLAT_SLOWEST : 0));
	nt_run_const(r, NT_CONST_TOOL1, (uint64_t)(opts_of(r)->threshold_us * 1e3));
	return 0;
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_qlat_priv *p = nt_run_priv(r);

	nt_drop_prepare(r, &p->places, err);
	if (!p->places)
		nt_drop_load_places(r, &p->places);
	if (p->slowest.record || !nt_slowest_new(&p->slowest, nt_run_common(r)->top, sizeof(struct nt_qlat)))
		return 0;
	return nt_err_set(err, NT_EXIT_RUNTIME, ENOMEM, "no memory for the slowest packets: give a smaller --top");
}

/* ---- packets that ended ---- */
static void event(struct nt_run *r, const void *data, size_t size)
{
	struct nt_qlat_priv *p = nt_run_priv(r);
	static struct nt_qlat l;

	(void)size;
	memcpy(&l, data, sizeof(l));
	if (!aggregates(r)) {
		nt_qlat_show_packet(r, &l);
		nt_run_event_shown(r);
		return;
	}
	nt_slowest_add(&p->slowest, nt_qlat_whole_ns(&l), &l);
	nt_slowest_tell(r, &p->slowest);
}

/* ---- packets that have not ---- */
static void judge(struct nt_run *r, int fd, const void *key, const void *value, void *arg)
{
	uint64_t now = nt_now_ns(), limit = opts_of(r)->timeout_ms * 1000000ULL, age;
	struct nt_qlat_priv *p = nt_run_priv(r);
	const struct nt_qlat *l = value;

	(void)arg;
	age = now > l->queued_ns ? now - l->queued_ns : 0;
	if (age > limit && !bpf_map_delete_elem(fd, key)) {
		nt_run_lost(r, NT_STAT_EVICTED, 1);
		p->timed_out++;
		return;
	}
	p->inside++;
	if (age > p->oldest_ns)
		p->oldest_ns = age;
}

static void sweep(struct nt_run *r)
{
	struct nt_qlat_priv *p = nt_run_priv(r);
	struct nt_qlat l;

	nt_sweep(r, &p->sweep, "nt_tracks", &l, SWEEP_KEYS, judge, NULL);
}

static void look_inside(struct nt_run *r)
{
	struct nt_qlat_priv *p = nt_run_priv(r);
	struct nt_sweep all = { .has_cursor = false };
	struct nt_qlat l;

	p->inside = p->oldest_ns = 0;
	nt_sweep(r, &all, "nt_tracks", &l, SIZE_MAX, judge, NULL);
}

/* The gate is shut: what is inside now is what the run leaves behind. */
static void finish(struct nt_run *r)
{
	struct nt_qlat_priv *p = nt_run_priv(r);

	look_inside(r);
	p->finished = true;
}

/* ---- figures ---- */
static void fill_row(struct nt_qlat_row *row, const struct nt_qlat_key *key, const struct nt_qlat_val *v)
{
	row->key = *key;
	memcpy(row->outcome, v->outcome, sizeof(row->outcome));
	memcpy(row->path, v->path, sizeof(row->path));
	row->requeues = v->requeues;
	row->bytes = v->bytes;
	for (size_t i = 0; i < NT_QLAT_HISTS; i++) {
		nt_hist_init(&row->hist[i]);
		nt_hist_merge(&row->hist[i], &v->hist[i]);
	}
}

static void read_rows(struct nt_run *r, struct nt_qlat_figures *f)
{
	static struct nt_qlat_val v;
	struct nt_qlat_key key, *prev = NULL;
	int fd = nt_run_map_fd(r, "nt_qlat_rows");
	size_t cap = 0;

	for (; !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		if (f->n == cap) {
			struct nt_qlat_row *grown = realloc(f->row, (cap = cap ? 2 * cap : 8) * sizeof(*grown));

			if (!grown)
				return;
			f->row = grown;
		}
		if (!bpf_map_lookup_elem(fd, &key, &v))
			fill_row(&f->row[f->n++], &key, &v);
	}
}

static void read_figures(struct nt_run *r, struct nt_qlat_figures *f)
{
	struct nt_qlat_priv *p = nt_run_priv(r);

	memset(f, 0, sizeof(*f));
	if (!p->finished)
		look_inside(r);
	f->inside = p->inside;
	f->oldest_ns = p->oldest_ns;
	f->started = nt_run_stat(r, NT_STAT_TRACKED);
	for (uint32_t i = 0; i < NT_QLAT_OUTCOMES; i++)
		f->ended[i] = nt_run_stat(r, NT_STAT_TRACK_ENDED + i);
	f->superseded = nt_run_stat(r, NT_STAT_TRACK_SUPERSEDED);
	f->segments = nt_run_stat(r, NT_STAT_QLAT_SEGMENTS);
	f->no_row = nt_run_stat(r, NT_STAT_QLAT_NO_ROW);
	f->timed_out = p->timed_out;
	read_rows(r, f);
}

static const struct nt_qlat_row *row_before(const struct nt_qlat_figures *f, const struct nt_qlat_key *key)
{
	for (size_t i = 0; i < f->n; i++)
		if (!memcmp(&f->row[i].key, key, sizeof(*key)))
			return &f->row[i];
	return NULL;
}

static void subtract_row(struct nt_qlat_row *row, const struct nt_qlat_row *was)
{
	for (size_t i = 0; i < NT_QLAT_OUTCOMES; i++)
		row->outcome[i] -= was->outcome[i];
	for (size_t i = 0; i < NT_QLAT_PATHS; i++)
		row->path[i] -= was->path[i];
	row->requeues -= was->requeues;
	row->bytes -= was->bytes;
	for (size_t i = 0; i < NT_QLAT_HISTS; i++)
		nt_hist_diff(&row->hist[i], &row->hist[i], &was->hist[i]);
}

static uint64_t packets_of(const struct nt_qlat_row *row)
{
	uint64_t n = 0;

	for (size_t i = 0; i < NT_QLAT_OUTCOMES; i++)
		n += row->outcome[i];
	return n;
}

/* f becomes what came since; rows in which nothing came are left out. */
static void subtract(struct nt_qlat_figures *f, const struct nt_qlat_figures *last)
{
	size_t n = 0;

	f->started -= last->started;
	for (size_t i = 0; i < NT_QLAT_OUTCOMES; i++)
		f->ended[i] -= last->ended[i];
	f->superseded -= last->superseded;
	f->timed_out -= last->timed_out;
	f->segments -= last->segments;
	f->no_row -= last->no_row;
	for (size_t i = 0; i < f->n; i++) {
		const struct nt_qlat_row *was = row_before(last, &f->row[i].key);

		if (was)
			subtract_row(&f->row[i], was);
		if (packets_of(&f->row[i]))
			f->row[n++] = f->row[i];
	}
	f->n = n;
}

static bool copy_rows(struct nt_qlat_figures *to, const struct nt_qlat_figures *from)
{
	*to = *from;
	to->row = malloc((from->n + 1) * sizeof(*to->row));
	if (to->row)
		memcpy(to->row, from->row, from->n * sizeof(*to->row));
	return to->row != NULL;
}

static int by_packets(const void *a, const void *b)
{
	uint64_t x = packets_of(a), y = packets_of(b);

	return x < y ? 1 : x > y ? -1 : 0;
}

static void report(struct nt_run *r, struct nt_qlat_figures *f)
{
	struct nt_qlat_priv *p = nt_run_priv(r);

	qsort(f->row, f->n, sizeof(*f->row), by_packets);
	nt_slowest_sort(&p->slowest);
	nt_qlat_show_figures(r, f);
	p->reports++;
}

static void interval(struct nt_run *r, bool final)
{
	struct nt_qlat_priv *p = nt_run_priv(r);
	struct nt_qlat_figures now, since;

	(void)final;
	read_figures(r, &now);
	if (!copy_rows(&since, &now)) {
		free(now.row);
		return;
	}
	if (!nt_run_common(r)->cumulative)
		subtract(&since, &p->last);
	report(r, &since);
	if (!nt_run_common(r)->cumulative) {
		nt_slowest_clear(&p->slowest);
		nt_slowest_tell(r, &p->slowest);
	}
	free(since.row);
	free(p->last.row);
	p->last = now;
}

static void end(struct nt_run *r)
{
	struct nt_qlat_priv *p = nt_run_priv(r);
	struct nt_qlat_figures now;

	if (p->reports && !nt_run_common(r)->cumulative)
		nt_slowest_clear(&p->slowest);		/* each interval has shown its own */
	read_figures(r, &now);
	if (p->reports)
		nt_text(nt_run_out(r), "since the start:\n");
	report(r, &now);
	free(now.row);
}

static void release(struct nt_run *r)
{
	struct nt_qlat_priv *p = nt_run_priv(r);

	nt_drop_free_places(p->places);
	nt_slowest_free(&p->slowest);
	free(p->last.row);
}

const struct nt_engine nt_qdisc_latency_engine = {
	.name = "qdisc_latency",
	.priv_size = sizeof(struct nt_qlat_priv),
	.configure = configure,
	.prepare = prepare,
	.event = event,
	.min_event = sizeof(struct nt_qlat),
	.interval = interval,
	.sweep = sweep,
	.finish = finish,
	.end = end,
	.release = release,
};
