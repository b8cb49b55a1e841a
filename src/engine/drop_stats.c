/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Drops by place: the kernel side keeps one entry for each (place, reason,
 * device[, stack][, flow]) since the start; a report is the difference of two
 * snapshots, so nothing is cleared under the kernel's hands.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drop_stats.h"

static const struct nt_drop_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* ---- snapshots ---- */
static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nt_drop_key));
}

static int by_count(const void *a, const void *b)
{
	const struct nt_drop_entry *x = a, *y = b;

	if (x->val.count != y->val.count)
		return x->val.count < y->val.count ? 1 : -1;
	return by_key(a, b);
}

static bool grow(struct nt_drop_snapshot *s)
{
	size_t cap = s->cap ? s->cap * 2 : 256;
	struct nt_drop_entry *p;

	if (s->n < s->cap)
		return true;
	p = realloc(s->entry, cap * sizeof(*p));
	if (!p)
		return false;
	s->entry = p;
	s->cap = cap;
	return true;
}

/* An entry may vanish while we walk (LRU): the walk then starts over, duplicates are removed. */
static void read_entries(struct nt_run *r, struct nt_drop_snapshot *s)
{
	int fd = nt_run_map_fd(r, "nt_drops");
	struct nt_drop_key key, *prev = NULL;
	size_t limit = 4u * nt_run_common(r)->max_entries + 1024, unique = 0;

	while (limit-- && !bpf_map_get_next_key(fd, prev, &key) && grow(s)) {
		struct nt_drop_entry *e = &s->entry[s->n];

		e->key = key;
		if (!bpf_map_lookup_elem(fd, &key, &e->val))
			s->n++;
		prev = &key;
	}
	qsort(s->entry, s->n, sizeof(*s->entry), by_key);
	for (size_t i = 0; i < s->n; i++)
		if (!i || by_key(&s->entry[i], &s->entry[unique - 1]))
			s->entry[unique++] = s->entry[i];
	s->n = unique;
}

static const struct nt_drop_entry *find(const struct nt_drop_snapshot *s, const struct nt_drop_entry *e)
{
	return s->n ? bsearch(e, s->entry, s->n, sizeof(*e), by_key) : NULL;
}

/* Since the last report. An entry that was evicted and came back is another one: first_ns. */
static void subtract(struct nt_drop_entry *e, const struct nt_drop_entry *before)
{
	if (!before || before->val.first_ns != e->val.first_ns)
		return;
	e->val.count -= before->val.count;
	e->val.packets -= before->val.packets;
	e->val.bytes -= before->val.bytes;
}

size_t nt_drop_stack_of(struct nt_run *r, const struct nt_drop_entry *e, uint64_t *frames)
{
	int n = nt_run_stack(r, "nt_stacks", e->key.stack_id, frames, NT_STACK_MAX);
	size_t first;

	if (n <= 0)
		return 0;
	first = nt_drop_first_frame(frames, (size_t)n, e->val.location_raw);
	memmove(frames, frames + first, ((size_t)n - first) * sizeof(*frames));
	return (size_t)n - first;
}

/* Drops of the first moments were counted before the kernel side knew the places. */
static bool judge_again(struct nt_run *r, struct nt_drop_entry *e)
{
	struct nt_drop_stats *p = nt_run_priv(r);
	uint64_t frames[NT_STACK_MAX];
	enum nt_loc_class class;

	if (nt_drop_class(p->places, e->key.location) == NT_LOC_WRAPPER)
		e->key.location = nt_drop_place(p->places, e->key.location, frames,
						nt_drop_stack_of(r, e, frames));
	class = nt_drop_class(p->places, e->key.location);
	if (class == NT_LOC_ICMP &&	/* rows by stack alone have no flow */
	    nt_drop_delivered(r, e->key.reason, &e->key.flow, e->key.flow.icmp_id || !e->key.flow.proto))
		class = NT_LOC_BENIGN;
	return opts_of(r)->show_benign || (class != NT_LOC_BENIGN && class != NT_LOC_CHILD);
}

static void make_rows(struct nt_run *r, const struct nt_drop_snapshot *now, bool cumulative)
{
	struct nt_drop_stats *p = nt_run_priv(r);
	uint64_t late = 0;

	free(p->rows);
	p->rows = calloc(now->n + 1, sizeof(*p->rows));
	p->n_rows = 0;
	for (size_t i = 0; p->rows && i < now->n; i++) {
		struct nt_drop_entry e = now->entry[i];
		uint64_t all = e.val.count;

		if (!cumulative)
			subtract(&e, find(&p->last, &e));
		if (!judge_again(r, &e))
			late += all;
		else if (e.val.count)
			p->rows[p->n_rows++] = e;
	}
	p->benign_late = late;
	if (p->n_rows)
		qsort(p->rows, p->n_rows, sizeof(*p->rows), by_count);
}

static void read_totals(struct nt_run *r, struct nt_drop_totals *t)
{
	const struct nt_drop_stats *p = nt_run_priv(r);

	t->drops = nt_run_stat(r, NT_STAT_EVENTS) - p->benign_late;
	t->packets = nt_run_stat(r, NT_STAT_PACKETS);
	t->bytes = nt_run_stat(r, NT_STAT_BYTES);
	t->suppressed = nt_run_stat(r, NT_STAT_SUPPRESSED) + p->benign_late;
	t->child = nt_run_stat(r, NT_STAT_CHILD);
	t->no_stack = nt_run_stat(r, NT_STAT_NO_STACK);
}

static struct nt_drop_totals minus(struct nt_drop_totals a, const struct nt_drop_totals *b)
{
	a.drops -= b->drops;
	a.packets -= b->packets;
	a.bytes -= b->bytes;
	a.suppressed -= b->suppressed;
	a.child -= b->child;
	a.no_stack -= b->no_stack;
	return a;
}

/* inserted: from before the entries were read, so that those added meanwhile do not count. */
static void count_evicted(struct nt_run *r, uint64_t inserted, size_t present)
{
	struct nt_drop_stats *p = nt_run_priv(r);
	uint64_t evicted = inserted - present;

	if (evicted > p->evicted && evicted < UINT64_MAX / 2) {
		nt_run_lost(r, NT_STAT_EVICTED, evicted - p->evicted);
		p->evicted = evicted;
	}
}

static void read_mib(struct nt_run *r, struct nt_mib *m)
{
	const struct nt_strlist *devs = &nt_run_tuple(r)->devs;

	nt_mib_read(m, nt_run_tuple_values(r)->ifindex, devs->item, devs->n);
}

/* ---- the engine ---- */
static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_drop_stats *p = nt_run_priv(r);

	read_mib(r, &p->mib_start);
	read_mib(r, &p->mib);
	return nt_drop_prepare(r, &p->places, err);
}

static void started(struct nt_run *r)
{
	struct nt_drop_stats *p = nt_run_priv(r);

	nt_drop_load_places(r, &p->places);
}

static void show_totals(struct nt_run *r, const struct nt_drop_totals *part, const struct nt_drop_totals *all)
{
	struct nt_out *o = nt_run_out(r);
	char a[32], b[32], c[32], d[32];

	nt_json_u64(o, "drops", part->drops);
	nt_json_u64(o, "packets", part->packets);
	nt_json_u64(o, "bytes", part->bytes);
	nt_json_u64(o, "total_drops", all->drops);
	nt_json_u64(o, "suppressed", part->suppressed);
	nt_json_u64(o, "child", part->child);
	nt_json_u64(o, "stacks_not_stored", part->no_stack);
	nt_text(o, "drops %s, since start %s; suppressed as normal %s, fragments of counted packets %s\n",
		nt_fmt_count(part->drops, a, sizeof(a)), nt_fmt_count(all->drops, b, sizeof(b)),
		nt_fmt_count(part->suppressed, c, sizeof(c)), nt_fmt_count(part->child, d, sizeof(d)));
}

static void report(struct nt_run *r, bool cumulative, size_t top, size_t frames)
{
	struct nt_drop_stats *p = nt_run_priv(r);
	struct nt_drop_snapshot now = { .entry = NULL };
	struct nt_drop_totals all, part;
	uint64_t inserted = nt_run_stat(r, NT_STAT_INSERTED);
	struct nt_mib mib;

	nt_drop_load_places(r, &p->places);
	read_entries(r, &now);
	make_rows(r, &now, cumulative);
	read_totals(r, &all);
	count_evicted(r, inserted, now.n);
	part = cumulative ? all : minus(all, &p->last_totals);
	show_totals(r, &part, &all);
	nt_drop_show_rows(r, part.drops, top, frames);
	nt_drop_show_rankings(r);
	read_mib(r, &mib);
	nt_drop_show_counters(r, cumulative ? &p->mib_start : &p->mib, &mib);
	if (cumulative) {
		nt_mib_free(&mib);
	} else {
		nt_mib_free(&p->mib);
		p->mib = mib;
	}
	free(p->last.entry);
	p->last = now;
	p->last_totals = all;
}

static void interval(struct nt_run *r, bool final)
{
	struct nt_drop_stats *p = nt_run_priv(r);
	const struct nt_common_opts *c = nt_run_common(r);

	(void)final;
	nt_json_u64(nt_run_out(r), "cycle", ++p->cycle);
	nt_text(nt_run_out(r), "report %llu: ", (unsigned long long)p->cycle);
	report(r, !opts_of(r)->clear || c->cumulative, c->top, c->verbose ? NT_STACK_MAX : 5);
}

static void end(struct nt_run *r)
{
	report(r, true, 2 * (size_t)nt_run_common(r)->top, NT_STACK_MAX);
}

static void release(struct nt_run *r)
{
	struct nt_drop_stats *p = nt_run_priv(r);

	nt_drop_free_places(p->places);
	nt_mib_free(&p->mib_start);
	nt_mib_free(&p->mib);
	free(p->last.entry);
	free(p->rows);
}

const struct nt_engine nt_drop_stats_engine = {
	.name = "drop",
	.priv_size = sizeof(struct nt_drop_stats),
	.aggregates = true,
	.configure = nt_drop_configure,
	.prepare = prepare,
	.started = started,
	.interval = interval,
	.end = end,
	.release = release,
};
