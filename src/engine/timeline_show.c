/* SPDX-License-Identifier: GPL-2.0 */
/* How figures of timelines are shown: counters, a line for each pair of stages, drops, flows. */
#include <string.h>

#include "nettrace/packet.h"
#include "timeline.h"

static const char *direction_name(uint32_t direction)
{
	return direction == NT_DIR_TX ? "tx" : "rx";
}

static bool is_total(const struct nt_tl_pair *k)
{
	return k->from == NT_TL_TOTAL;
}

/* All of a direction's time from the first stage to the last, ns. */
static double sum_of(const struct nt_tl_figures *f, uint32_t direction)
{
	for (size_t i = 0; i < f->n_pairs; i++)
		if (is_total(&f->pair[i].key) && f->pair[i].key.direction == direction)
			return (double)f->pair[i].hist.sum;
	return 0;
}

static double share_of(const struct nt_tl_figures *f, const struct nt_tl_pair_row *row)
{
	double sum = sum_of(f, row->key.direction);

	return sum > 0 ? 100 * (double)row->hist.sum / sum : 0;
}

static uint64_t timed_out(const struct nt_tl_figures *f)
{
	uint64_t n = 0;

	for (size_t dir = 0; dir < 2; dir++)
		for (size_t i = 0; i < NT_TL_STAGES; i++)
			n += f->timed_out[dir][i];
	return n;
}

static uint64_t elsewhere(const struct nt_tl_figures *f)
{
	return f->stat[NT_STAT_TRACK_ENDED + NT_TL_ELSEWHERE] + f->timed_out_elsewhere;
}

/* ---- counters ---- */
static const struct { const char *json, *text; uint32_t stat; } counters[] = {
	{ "gso_packets", "super-packets (GSO)", NT_STAT_TL_GSO },
	{ "fragments", "later fragments", NT_STAT_TL_FRAGMENTS },
	{ "cross_cpu", "taken from the backlog by another CPU", NT_STAT_TL_CROSS_CPU },
	{ "ambiguous", "alike: followed by address only", NT_STAT_TL_AMBIGUOUS },
	{ "without_alias", "without room for an alias", NT_STAT_TL_NO_ALIAS },
	{ "clock_skew", "times with clock skew", NT_STAT_TL_SKEW },
	{ "stages_cut", "stages more than a timeline holds", NT_STAT_TL_CUT },
	{ "without_row", "that no table had room for", NT_STAT_TL_NO_ROW },
	{ "below_threshold", "under the threshold", NT_STAT_TL_BELOW },
	{ "rate_limited", "not shown (--rate)", NT_STAT_TL_RATE_LIMITED },
	{ "direct", "came past the backlog", NT_STAT_TL_DIRECT },
	{ "no_stack", "ways without a stack (no room)", NT_STAT_TL_NO_STACK },
};

static void counters_json(struct nt_run *r, const struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_u64(o, "started", f->stat[NT_STAT_TRACKED]);
	nt_json_u64(o, "completed", f->stat[NT_STAT_TRACK_ENDED + NT_TL_COMPLETE]);
	nt_json_u64(o, "dropped_total", f->stat[NT_STAT_TRACK_ENDED + NT_TL_DROPPED]);
	nt_json_u64(o, "elsewhere", elsewhere(f));
	nt_json_u64(o, "timed_out_total", timed_out(f));
	nt_json_u64(o, "superseded", f->stat[NT_STAT_TRACK_SUPERSEDED]);
	nt_json_u64(o, "inside", f->inside);
	nt_json_f64(o, "oldest_inside_us", (double)f->oldest_ns / 1e3, 3);
	for (size_t i = 0; i < NT_COUNT(counters); i++)
		nt_json_u64(o, counters[i].json, f->stat[counters[i].stat]);
}

static void count_text(struct nt_out *o, const char *what, uint64_t n)
{
	char c[32];

	if (n)
		nt_text(o, ", %s %s", nt_fmt_count(n, c, sizeof(c)), what);
}

static void counters_text(struct nt_run *r, const struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);
	char a[32], b[32];

	nt_text(o, "%s packets began, %s complete", nt_fmt_count(f->stat[NT_STAT_TRACKED], a, sizeof(a)),
		nt_fmt_count(f->stat[NT_STAT_TRACK_ENDED + NT_TL_COMPLETE], b, sizeof(b)));
	count_text(o, "dropped", f->stat[NT_STAT_TRACK_ENDED + NT_TL_DROPPED]);
	count_text(o, "went elsewhere", elsewhere(f));
	count_text(o, "timed out", timed_out(f));
	count_text(o, "ended unseen", f->stat[NT_STAT_TRACK_SUPERSEDED]);
	count_text(o, "still inside", f->inside);
	for (size_t i = 0; i < NT_COUNT(counters); i++)
		count_text(o, counters[i].text, f->stat[counters[i].stat]);
	nt_text(o, "\n");
}

/* ---- pairs of stages ---- */
static void stages_json(struct nt_run *r, const struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_arr(o, "stages");
	for (size_t i = 0; i < f->n_pairs; i++) {
		const struct nt_tl_pair_row *row = &f->pair[i];
		const struct nt_tl_pair *k = &row->key;

		if (is_total(k) || !row->hist.count)
			continue;
		nt_json_obj(o, NULL);
		nt_json_str(o, "direction", direction_name(k->direction));
		nt_json_str(o, "from", nt_tl_stage_name(r, k->direction, k->from));
		nt_json_str(o, "to", nt_tl_stage_name(r, k->direction, k->to));
		nt_json_bool(o, "async", nt_tl_async(k->from, k->to));
		nt_json_f64(o, "share_pct", share_of(f, row), 2);
		nt_hist_json(o, "hist", &row->hist, "us", 1000.0);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

/* Of both directions under "total", of each in "totals". */
static void totals_json(struct nt_run *r, const struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);
	static struct nt_hist all;

	nt_hist_init(&all);
	for (size_t i = 0; i < f->n_pairs; i++)
		if (is_total(&f->pair[i].key) && f->pair[i].hist.count)
			nt_hist_join(&all, &f->pair[i].hist);
	nt_json_obj(o, "total");
	nt_hist_json(o, "hist", &all, "us", 1000.0);
	nt_json_obj_end(o);
	nt_json_arr(o, "totals");
	for (size_t i = 0; i < f->n_pairs; i++) {
		if (!is_total(&f->pair[i].key) || !f->pair[i].hist.count)
			continue;
		nt_json_obj(o, NULL);
		nt_json_str(o, "direction", direction_name(f->pair[i].key.direction));
		nt_hist_json(o, "hist", &f->pair[i].hist, "us", 1000.0);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

#define R(member) offsetof(struct nt_tl_text_row, member)
#define TIME(member) { .name = #member, .kind = NT_K_NS_AS_US, .off = R(member), .width = 8 }
static const struct nt_field text_fields[] = {
	{ .name = "from", .kind = NT_K_CSTR, .off = R(from), .width = 12 },
	{ .name = "to", .kind = NT_K_STR, .off = R(to), .arg = sizeof(((struct nt_tl_text_row *)0)->to), .width = 12 },
	{ .name = "count", .kind = NT_K_U64, .off = R(count), .flags = NT_F_GROUP },
	TIME(min), TIME(p50), TIME(p90), TIME(p99), TIME(max),
	{ .name = "share", .label = "share%", .kind = NT_K_F64, .off = R(share), .decimals = 1 },
};

void nt_tl_text_fill(struct nt_tl_text_row *t, const char *from, const char *to, bool async, const struct nt_hist *h,
		     double share)
{
	*t = (struct nt_tl_text_row){
		.from = from, .async = async, .count = h->count, .min = h->count ? h->min : 0, .max = h->max,
		.p50 = nt_hist_quantile(h, .50), .p90 = nt_hist_quantile(h, .90), .p99 = nt_hist_quantile(h, .99),
		.share = share,
	};
	snprintf(t->to, sizeof(t->to), "%s%s", to, async ? " *" : "");
}

void nt_tl_text_table(struct nt_run *r, const char *title, struct nt_tl_text_row *row, size_t n)
{
	bool async = false;

	for (size_t i = 0; i < n; i++)
		async |= row[i].async;
	if (n)
		nt_table(nt_run_out(r), nt_run_names(r), NULL, title, text_fields, NT_COUNT(text_fields),
			 row, sizeof(*row), n);
	if (async)
		nt_text(nt_run_out(r), "* async: a queue or a program lies between\n");
}

static void fill_row(struct nt_run *r, const struct nt_tl_figures *f, const struct nt_tl_pair_row *p,
		     struct nt_tl_text_row *t)
{
	const struct nt_tl_pair *k = &p->key;

	if (is_total(k))
		nt_tl_text_fill(t, "total", "(all)", false, &p->hist, share_of(f, p));
	else
		nt_tl_text_fill(t, nt_tl_stage_name(r, k->direction, k->from), nt_tl_stage_name(r, k->direction, k->to),
				nt_tl_async(k->from, k->to), &p->hist, share_of(f, p));
}

static const char *const titles[] = {
	"\ntx, packets that this host sends", "\nrx, packets that this host receives",
};

static void stages_text(struct nt_run *r, const struct nt_tl_figures *f, uint32_t direction)
{
	static struct nt_tl_text_row row[NT_TL_PAIRS];
	size_t n = 0;

	for (size_t i = 0; i < f->n_pairs; i++) {
		const struct nt_tl_pair *k = &f->pair[i].key;

		if (k->direction != direction || !f->pair[i].hist.count)
			continue;
		fill_row(r, f, &f->pair[i], &row[n++]);
	}
	nt_tl_text_table(r, titles[direction], row, n);
}

/* --hist: each pair's distribution; else the whole's. */
static void hists_text(struct nt_run *r, const struct nt_tl_figures *f)
{
	char title[120];

	for (size_t i = 0; i < f->n_pairs; i++) {
		const struct nt_tl_pair *k = &f->pair[i].key;

		if (!f->pair[i].hist.count || (!is_total(k) && !nt_tl_opts_of(r)->hist))
			continue;
		if (is_total(k))
			snprintf(title, sizeof(title), "%s, from the first stage to the last", direction_name(k->direction));
		else
			snprintf(title, sizeof(title), "%s, %s to %s", direction_name(k->direction),
				 nt_tl_stage_name(r, k->direction, k->from), nt_tl_stage_name(r, k->direction, k->to));
		nt_text(nt_run_out(r), "\n");
		nt_hist_text(nt_run_out(r), title, &f->pair[i].hist, "us", 1000.0);
	}
}

/* ---- packets that did not come to their end ---- */
static void drops_json(struct nt_run *r, const struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_arr(o, "dropped");
	for (size_t i = 0; i < f->n_drops; i++) {
		const struct nt_tl_drop *k = &f->drop[i].key;

		if (!f->drop[i].count)
			continue;
		nt_json_obj(o, NULL);
		nt_json_str(o, "direction", direction_name(k->direction));
		nt_json_str(o, "after", nt_tl_stage_name(r, k->direction, k->after));
		nt_tl_drop_json(r, k);
		nt_json_u64(o, "count", f->drop[i].count);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
	nt_json_arr(o, "timed_out");
	for (uint32_t dir = 0; dir < 2; dir++) {
		for (uint32_t i = 0; i < NT_TL_STAGES; i++) {
			if (!f->timed_out[dir][i])
				continue;
			nt_json_obj(o, NULL);
			nt_json_str(o, "direction", direction_name(dir));
			nt_json_str(o, "after", nt_tl_stage_name(r, dir, i));
			nt_json_u64(o, "count", f->timed_out[dir][i]);
			nt_json_obj_end(o);
		}
	}
	nt_json_arr_end(o);
}

static void drops_text(struct nt_run *r, const struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);
	char n[32], why[NT_TL_DROP_TEXT];

	for (size_t i = 0; i < f->n_drops; i++) {
		const struct nt_tl_drop *k = &f->drop[i].key;

		if (f->drop[i].count)
			nt_text(o, "  %s, dropped after %s: %s, %s\n", direction_name(k->direction),
				nt_tl_stage_name(r, k->direction, k->after), nt_fmt_count(f->drop[i].count, n, sizeof(n)),
				nt_tl_drop_text(r, k, why, sizeof(why)));
	}
	for (uint32_t dir = 0; dir < 2; dir++)
		for (uint32_t i = 0; i < NT_TL_STAGES; i++)
			if (f->timed_out[dir][i])
				nt_text(o, "  %s, timed out after %s: %s\n", direction_name(dir),
					nt_tl_stage_name(r, dir, i), nt_fmt_count(f->timed_out[dir][i], n, sizeof(n)));
}

/* ---- flows, worst first ---- */
static void flows(struct nt_run *r, const struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);
	size_t shown = 0;
	static const struct nt_field fields[] = { NT_FLOW_FIELDS(0) };
	char text[140], p50[32], p99[32], n[32];

	if (!nt_tl_opts_of(r)->by_flow)
		return;
	nt_json_arr(o, "flows");
	if (f->n_flows)
		nt_text(o, "\nflows, worst p99 first\n     count        p50        p99  flow\n");
	for (size_t i = 0; i < f->n_flows && shown < nt_run_common(r)->top; i++) {
		const struct nt_hist *h = &f->flow[i].hist;

		if (!h->count)
			continue;
		nt_flow_text(&f->flow[i].flow, true, text, sizeof(text));
		nt_text(o, "%10s %10s %10s  %s\n", nt_fmt_count(h->count, n, sizeof(n)),
			nt_fmt_ns(nt_hist_quantile(h, .50), p50, sizeof(p50)),
			nt_fmt_ns(nt_hist_quantile(h, .99), p99, sizeof(p99)), text);
		nt_json_obj(o, NULL);
		nt_json_str(o, "flow", text);
		nt_fields_json(o, nt_run_names(r), fields, NT_COUNT(fields), &f->flow[i].flow);
		nt_hist_json(o, "total", h, "us", 1000.0);
		nt_json_obj_end(o);
		shown++;
	}
	nt_json_arr_end(o);
}

void nt_tl_show_figures(struct nt_run *r, struct nt_tl_figures *f)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON) {
		counters_json(r, f);
		stages_json(r, f);
		totals_json(r, f);
		drops_json(r, f);
		nt_tl_backlog_show(r, f);
		nt_tl_ifs_show(r, f);
		flows(r, f);
		return;
	}
	counters_text(r, f);
	drops_text(r, f);
	for (uint32_t dir = 0; dir < 2; dir++)
		stages_text(r, f, dir);
	nt_tl_backlog_show(r, f);
	nt_tl_ifs_show(r, f);
	hists_text(r, f);
	flows(r, f);
}
