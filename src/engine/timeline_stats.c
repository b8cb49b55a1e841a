/* SPDX-License-Identifier: GPL-2.0 */
/* Figures of timelines: read from the kernel side, since the start or since the last report. */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "timeline.h"

/* ---- reading ---- */
static void read_pairs(struct nt_run *r, struct nt_tl_figures *f)
{
	int fd = nt_run_map_fd(r, "nt_tl_pairs");
	struct nt_tl_pair key, *prev = NULL;
	uint32_t index;

	for (f->n_pairs = 0; f->n_pairs < NT_TL_PAIRS && !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		memcpy(&index, &key, sizeof(index));
		f->pair[f->n_pairs].key = key;
		if (!nt_run_hist(r, "nt_tl_pairs", index, &f->pair[f->n_pairs].hist))
			f->n_pairs++;
	}
}

static void read_drops(struct nt_run *r, struct nt_tl_figures *f)
{
	int fd = nt_run_map_fd(r, "nt_tl_drops");
	struct nt_tl_drop key, *prev = NULL;

	for (f->n_drops = 0; f->n_drops < NT_TL_DROPS && !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		f->drop[f->n_drops].key = key;
		if (!bpf_map_lookup_elem(fd, &key, &f->drop[f->n_drops].count))
			f->n_drops++;
	}
}

static void read_flows(struct nt_run *r, struct nt_tl_figures *f)
{
	int fd = nt_run_map_fd(r, "nt_tl_flows");
	static struct nt_hist_raw raw;
	struct nt_flow key, *prev = NULL;

	f->n_flows = 0;
	if (!nt_tl_opts_of(r)->by_flow)
		return;
	if (!f->flow)
		f->flow = calloc(NT_TL_FLOWS, sizeof(*f->flow));
	for (; f->flow && f->n_flows < NT_TL_FLOWS && !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		struct nt_tl_flow_row *row = &f->flow[f->n_flows];

		if (bpf_map_lookup_elem(fd, &key, &raw))
			continue;
		row->flow = key;
		nt_hist_init(&row->hist);
		nt_hist_merge(&row->hist, &raw);
		f->n_flows++;
	}
}

static void read_figures(struct nt_run *r, struct nt_tl_figures *f)
{
	struct nt_tl_priv *p = nt_run_priv(r);

	if (!p->finished && !nt_tl_desc_of(r)->legs)
		nt_tl_look_inside(r);
	f->legs = p->legs;
	read_pairs(r, f);
	read_drops(r, f);
	read_flows(r, f);
	nt_tl_backlog_read(r, f);
	nt_tl_ifs_read(r, f);
	f->at_ns = nt_now_ns() - nt_run_started_ns(r);
	for (uint32_t i = NT_STAT_TOOL0; i < NT_STAT_MAX; i++)
		f->stat[i] = nt_run_stat(r, i);
	f->map_full = nt_run_stat(r, NT_STAT_MAP_FULL);
	memcpy(f->timed_out, p->timed_out, sizeof(f->timed_out));
	f->timed_out_elsewhere = p->timed_out_elsewhere;
	f->inside = p->inside;
	f->oldest_ns = p->oldest_ns;
}

/* ---- since the last report ---- */
static void subtract_pairs(struct nt_tl_figures *f, const struct nt_tl_figures *last)
{
	for (size_t i = 0; i < f->n_pairs; i++)
		for (size_t k = 0; k < last->n_pairs; k++)
			if (!memcmp(&f->pair[i].key, &last->pair[k].key, sizeof(f->pair[i].key)))
				nt_hist_diff(&f->pair[i].hist, &f->pair[i].hist, &last->pair[k].hist);
}

static void subtract_drops(struct nt_tl_figures *f, const struct nt_tl_figures *last)
{
	for (size_t i = 0; i < f->n_drops; i++)
		for (size_t k = 0; k < last->n_drops; k++)
			if (!memcmp(&f->drop[i].key, &last->drop[k].key, sizeof(f->drop[i].key)))
				f->drop[i].count -= last->drop[k].count;
}

static void subtract_flows(struct nt_tl_figures *f, const struct nt_tl_figures *last)
{
	for (size_t i = 0; i < f->n_flows; i++)
		for (size_t k = 0; k < last->n_flows; k++)
			if (!memcmp(&f->flow[i].flow, &last->flow[k].flow, sizeof(f->flow[i].flow)))
				nt_hist_diff(&f->flow[i].hist, &f->flow[i].hist, &last->flow[k].hist);
}

/* f becomes what came since; what is inside is of this moment. */
static void subtract(struct nt_tl_figures *f, const struct nt_tl_figures *last)
{
	subtract_pairs(f, last);
	subtract_drops(f, last);
	subtract_flows(f, last);
	nt_tl_backlog_subtract(f, last);
	nt_tl_ifs_subtract(f, last);
	f->at_ns -= last->at_ns;
	for (size_t i = 0; i < NT_STAT_MAX; i++)
		f->stat[i] -= last->stat[i];
	f->map_full -= last->map_full;
	f->timed_out_elsewhere -= last->timed_out_elsewhere;
	for (size_t dir = 0; dir < 2; dir++)
		for (size_t i = 0; i < NT_TL_STAGES; i++)
			f->timed_out[dir][i] -= last->timed_out[dir][i];
	for (size_t i = 0; i < sizeof(f->legs) / sizeof(uint64_t); i++)
		((uint64_t *)&f->legs)[i] -= ((const uint64_t *)&last->legs)[i];
}

static void copy(struct nt_tl_figures *to, const struct nt_tl_figures *from)
{
	struct nt_tl_flow_row *flow = to->flow;
	struct nt_tl_backlog *backlog = to->backlog;

	*to = *from;
	to->backlog = backlog;
	nt_tl_backlog_copy(to, from);
	to->flow = flow ? flow : from->n_flows ? calloc(NT_TL_FLOWS, sizeof(*to->flow)) : NULL;
	if (to->flow && from->n_flows)
		memcpy(to->flow, from->flow, from->n_flows * sizeof(*to->flow));
	else
		to->n_flows = 0;
}

/* ---- reports ---- */
/* By direction, then in the order of the stages; the total is last. */
static int by_stage(const void *a, const void *b)
{
	const struct nt_tl_pair *x = &((const struct nt_tl_pair_row *)a)->key, *y = &((const struct nt_tl_pair_row *)b)->key;
	int k = x->direction * 4096 + x->from * 64 + x->to, l = y->direction * 4096 + y->from * 64 + y->to;

	return x->part != y->part ? x->part - y->part : k - l;
}

static int by_p99(const void *a, const void *b)
{
	uint64_t x = nt_hist_quantile(&((const struct nt_tl_flow_row *)a)->hist, .99);
	uint64_t y = nt_hist_quantile(&((const struct nt_tl_flow_row *)b)->hist, .99);

	return x < y ? 1 : x > y ? -1 : 0;
}

static void report(struct nt_run *r, struct nt_tl_figures *f)
{
	struct nt_tl_priv *p = nt_run_priv(r);

	qsort(f->pair, f->n_pairs, sizeof(f->pair[0]), by_stage);
	if (f->n_flows)
		qsort(f->flow, f->n_flows, sizeof(*f->flow), by_p99);
	if (nt_tl_desc_of(r)->legs)
		nt_tl_legs_figures(r, f);
	else
		nt_tl_show_figures(r, f);
	p->reports++;
}

void nt_tl_interval(struct nt_run *r, bool final)
{
	struct nt_tl_priv *p = nt_run_priv(r);

	(void)final;
	read_figures(r, p->now);
	copy(p->since, p->now);
	if (!nt_run_common(r)->cumulative)
		subtract(p->since, p->last);
	report(r, p->since);
	copy(p->last, p->now);
}

void nt_tl_report_end(struct nt_run *r)
{
	struct nt_tl_priv *p = nt_run_priv(r);

	read_figures(r, p->now);
	if (p->reports)
		nt_text(nt_run_out(r), "since the start:\n");
	report(r, p->now);
	if (nt_tl_desc_of(r)->legs)
		nt_tl_legs_end(r, p->now);
	nt_tl_show_slowest(r);
}
