/* SPDX-License-Identifier: GPL-2.0 */
/* Figures of a latency tool, of an interval or of the whole run: stages, legs, what was lost. */
#include <string.h>

#include "latency.h"

struct row {
	const char *from, *to;
	uint64_t count, min, p50, p90, p99, max;
	double share;
};

#define ROW(member) offsetof(struct row, member)

static const struct nt_field rows[] = {
	{ .name = "from", .kind = NT_K_CSTR, .off = ROW(from), .width = 9 },
	{ .name = "to", .kind = NT_K_CSTR, .off = ROW(to), .width = 9 },
	{ .name = "count", .kind = NT_K_U64, .off = ROW(count), .flags = NT_F_GROUP },
	{ .name = "min", .kind = NT_K_NS_AS_US, .off = ROW(min), .width = 8 },
	{ .name = "p50", .kind = NT_K_NS_AS_US, .off = ROW(p50), .width = 8 },
	{ .name = "p90", .kind = NT_K_NS_AS_US, .off = ROW(p90), .width = 8 },
	{ .name = "p99", .kind = NT_K_NS_AS_US, .off = ROW(p99), .width = 8 },
	{ .name = "max", .kind = NT_K_NS_AS_US, .off = ROW(max), .width = 8 },
	{ .name = "share", .label = "share%", .kind = NT_K_F64, .off = ROW(share), .decimals = 1 },
};

/* ---- reading ---- */

static void read_figures(struct nt_run *r, struct nt_latency_figures *f)
{
	const struct nt_latency_priv *p = nt_run_priv(r);

	for (uint32_t i = NT_STAT_TOOL0; i < NT_STAT_MAX; i++)
		f->stat[i] = nt_run_stat(r, i);
	memcpy(f->timed_out, p->timed_out, sizeof(f->timed_out));
	memcpy(f->unfinished, p->unfinished, sizeof(f->unfinished));
	for (uint32_t dir = 0; dir < 2; dir++)
		for (uint32_t i = 0; i < NT_LAT_HISTS; i++)
			nt_run_hist(r, "nt_hists", dir * NT_LAT_HISTS + i, &f->hist[dir][i]);
}

/* f becomes what came since last. */
static void subtract(struct nt_latency_figures *f, const struct nt_latency_figures *last)
{
	for (size_t i = 0; i < NT_STAT_MAX; i++)
		f->stat[i] -= last->stat[i];
	for (size_t dir = 0; dir < 2; dir++) {
		for (size_t i = 0; i < NT_STAGES; i++) {
			f->timed_out[dir][i] -= last->timed_out[dir][i];
			f->unfinished[dir][i] -= last->unfinished[dir][i];
		}
		for (size_t i = 0; i < NT_LAT_HISTS; i++)
			nt_hist_diff(&f->hist[dir][i], &f->hist[dir][i], &last->hist[dir][i]);
	}
}

static uint64_t sum_of(uint64_t v[2][NT_STAGES])
{
	uint64_t sum = 0;

	for (size_t dir = 0; dir < 2; dir++)
		for (size_t i = 0; i < NT_STAGES; i++)
			sum += v[dir][i];
	return sum;
}

/* ---- pairs of stages that follow each other ---- */

struct pair {
	uint32_t from, to;
	const struct nt_hist *hist;
	double share;			/* of the summed time, in percent */
	bool outside;			/* between the legs */
};

/*
 * The histogram of stage i has the time since the stage before that the passage
 * visited. That is the nearest one that any passage did: a stage that is not
 * hooked, or is filtered out, is in no pair.
 */
static size_t pairs_of(const struct nt_latency_desc *d, struct nt_latency_figures *f, uint32_t dir,
		       uint32_t first, struct pair *pair)
{
	double total = (double)f->hist[dir][NT_LAT_HIST_TOTAL].sum;
	uint32_t from = first;
	size_t n = 0;

	for (uint32_t i = first + 1; i < d->n_stages; i++) {
		const struct nt_hist *h = &f->hist[dir][i];

		if (!h->count)
			continue;
		pair[n++] = (struct pair){ from, i, h, total ? 100 * (double)h->sum / total : 0,
					   from < d->leg2 && i >= d->leg2 };
		from = i;
	}
	return n;
}

static uint32_t first_stage(const struct nt_run *r, uint32_t dir)
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);

	for (uint32_t i = 0; i < d->n_stages; i++)
		if (nt_run_hooked(r, d->stage[dir][i].hook4) ||
		    nt_run_hooked(r, d->stage[dir][i].hook6))
			return i;
	return 0;
}

/* ---- JSON ---- */

static void json_by_stage(struct nt_run *r, const char *key, uint64_t v[2][NT_STAGES])
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	struct nt_out *o = nt_run_out(r);

	nt_json_arr(o, key);
	for (size_t dir = 0; dir < 2; dir++) {
		for (size_t i = 0; i < d->n_stages; i++) {
			if (!v[dir][i])
				continue;
			nt_json_obj(o, NULL);
			nt_json_str(o, "direction", dir == NT_DIR_TX ? "tx" : "rx");
			nt_json_str(o, "after", d->stage[dir][i].name);
			nt_json_u64(o, "count", v[dir][i]);
			nt_json_obj_end(o);
		}
	}
	nt_json_arr_end(o);
}

static void json_counters(struct nt_run *r, struct nt_latency_figures *f, bool final)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_u64(o, "started", f->stat[NT_STAT_STARTED]);
	nt_json_u64(o, "completed", f->stat[NT_STAT_COMPLETED]);
	nt_json_u64(o, "below_threshold", f->stat[NT_STAT_BELOW]);
	nt_json_u64(o, "timed_out_total", sum_of(f->timed_out));
	json_by_stage(r, "timed_out", f->timed_out);
	if (final) {
		nt_json_u64(o, "unfinished", sum_of(f->unfinished));
		json_by_stage(r, "unfinished_after", f->unfinished);
	}
	nt_json_u64(o, "superseded", f->stat[NT_STAT_SUPERSEDED]);
	nt_json_u64(o, "duplicate_replies", f->stat[NT_STAT_DUPLICATE]);
	nt_json_u64(o, "clock_skew", f->stat[NT_STAT_CLOCK_SKEW]);
	nt_json_u64(o, "no_stack", f->stat[NT_STAT_LAT_NO_STACK]);
}

static void json_stages(struct nt_run *r, struct nt_latency_figures *f)
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	struct nt_out *o = nt_run_out(r);
	struct pair pair[NT_STAGES];

	nt_json_arr(o, "stages");
	for (uint32_t dir = 0; dir < 2; dir++) {
		size_t n = pairs_of(d, f, dir, first_stage(r, dir), pair);

		for (size_t i = 0; i < n; i++) {
			nt_json_obj(o, NULL);
			nt_json_str(o, "direction", dir == NT_DIR_TX ? "tx" : "rx");
			nt_json_str(o, "from", d->stage[dir][pair[i].from].name);
			nt_json_str(o, "to", d->stage[dir][pair[i].to].name);
			nt_json_bool(o, "external", pair[i].outside);
			nt_json_f64(o, "share_pct", pair[i].share, 2);
			nt_hist_json(o, "hist", pair[i].hist, "us", 1000.0);
			nt_json_obj_end(o);
		}
	}
	nt_json_arr_end(o);
}

static void json_legs(struct nt_run *r, const struct nt_hist *h)
{
	struct nt_out *o = nt_run_out(r);

	nt_hist_json(o, nt_latency_desc_of(r)->total, &h[NT_LAT_HIST_TOTAL], "us", 1000.0);
	nt_hist_json(o, "leg1", &h[NT_LAT_HIST_LEG1], "us", 1000.0);
	nt_hist_json(o, "external", &h[NT_LAT_HIST_EXTERNAL], "us", 1000.0);
	nt_hist_json(o, "leg2", &h[NT_LAT_HIST_LEG2], "us", 1000.0);
}

/* One direction: the histograms themselves; two: an object each. */
static void json_figures(struct nt_run *r, struct nt_latency_figures *f, bool final)
{
	struct nt_out *o = nt_run_out(r);
	uint32_t direction = nt_latency_opts_of(r)->direction;

	json_counters(r, f, final);
	json_stages(r, f);
	if (direction != NT_LATENCY_BOTH) {
		json_legs(r, f->hist[direction == NT_LATENCY_TX ? NT_DIR_TX : NT_DIR_RX]);
		return;
	}
	for (uint32_t dir = 0; dir < 2; dir++) {
		nt_json_obj(o, dir == NT_DIR_TX ? "tx" : "rx");
		json_legs(r, f->hist[dir]);
		nt_json_obj_end(o);
	}
}

/* ---- text ---- */

static void put_row(struct row *row, const char *from, const char *to, const struct nt_hist *h,
		    double share)
{
	*row = (struct row){
		.from = from, .to = to, .count = h->count, .share = share,
		.min = h->count ? h->min : 0, .max = h->max,
		.p50 = nt_hist_quantile(h, .50), .p90 = nt_hist_quantile(h, .90),
		.p99 = nt_hist_quantile(h, .99),
	};
}

static void text_table(struct nt_run *r, struct nt_latency_figures *f, uint32_t dir)
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	const struct nt_hist *h = f->hist[dir];
	double total = (double)h[NT_LAT_HIST_TOTAL].sum / 100;
	struct row row[NT_STAGES + 4];
	struct pair pair[NT_STAGES];
	size_t n = pairs_of(d, f, dir, first_stage(r, dir), pair), used = 0;

	if (!h[NT_LAT_HIST_TOTAL].count)
		return;
	for (size_t i = 0; i < n; i++)
		put_row(&row[used++], d->stage[dir][pair[i].from].name,
			d->stage[dir][pair[i].to].name, pair[i].hist, pair[i].share);
	if (h[NT_LAT_HIST_LEG1].count && total > 0) {
		put_row(&row[used++], d->leg[0], "(leg 1)", &h[NT_LAT_HIST_LEG1],
			(double)h[NT_LAT_HIST_LEG1].sum / total);
		put_row(&row[used++], d->outside[dir], "(between)", &h[NT_LAT_HIST_EXTERNAL],
			(double)h[NT_LAT_HIST_EXTERNAL].sum / total);
		put_row(&row[used++], d->leg[1], "(leg 2)", &h[NT_LAT_HIST_LEG2],
			(double)h[NT_LAT_HIST_LEG2].sum / total);
	}
	put_row(&row[used++], d->total, "(all)", &h[NT_LAT_HIST_TOTAL], 100);
	nt_table(nt_run_out(r), nt_run_names(r), NULL,
		 dir == NT_DIR_TX ? "\ntx, this host sends the request" : "\nrx, this host answers",
		 rows, NT_COUNT(rows), row, sizeof(*row), used);
}

static void text_by_stage(struct nt_run *r, const char *what, uint64_t v[2][NT_STAGES])
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	char c[32];

	for (size_t dir = 0; dir < 2; dir++)
		for (size_t i = 0; i < d->n_stages; i++)
			if (v[dir][i])
				nt_text(nt_run_out(r), "  %s after %s (%s): %s\n", what,
					d->stage[dir][i].name, dir == NT_DIR_TX ? "tx" : "rx",
					nt_fmt_count(v[dir][i], c, sizeof(c)));
}

static void text_count(struct nt_run *r, const char *what, uint64_t n)
{
	char c[32];

	if (n)
		nt_text(nt_run_out(r), ", %s %s", nt_fmt_count(n, c, sizeof(c)), what);
}

static void text_figures(struct nt_run *r, struct nt_latency_figures *f)
{
	struct nt_out *o = nt_run_out(r);
	char a[32], b[32];

	nt_text(o, "%s started, %s completed", nt_fmt_count(f->stat[NT_STAT_STARTED], a, sizeof(a)),
		nt_fmt_count(f->stat[NT_STAT_COMPLETED], b, sizeof(b)));
	text_count(r, "of these under the threshold", f->stat[NT_STAT_BELOW]);
	text_count(r, "timed out", sum_of(f->timed_out));
	text_count(r, "sent again before the end", f->stat[NT_STAT_SUPERSEDED]);
	text_count(r, "unfinished", sum_of(f->unfinished));
	text_count(r, "duplicate replies", f->stat[NT_STAT_DUPLICATE]);
	text_count(r, "times with clock skew", f->stat[NT_STAT_CLOCK_SKEW]);
	text_count(r, "without a stack", f->stat[NT_STAT_LAT_NO_STACK]);
	nt_text(o, "\n");
	text_by_stage(r, "timed out", f->timed_out);
	text_by_stage(r, "unfinished", f->unfinished);
	for (uint32_t dir = 0; dir < 2; dir++)
		text_table(r, f, dir);
}

/* ---- --debug: what the hooks met ---- */

struct debug_row {
	const char *hook;
	uint64_t seen, reject[NT_LAT_REJECTS];
};

#define D(why) offsetof(struct debug_row, reject[NT_LAT_REJECT_##why])

static const struct nt_field debug_rows[] = {
	{ .name = "hook", .kind = NT_K_CSTR, .off = offsetof(struct debug_row, hook), .width = 9 },
	{ .name = "seen", .kind = NT_K_U64, .off = offsetof(struct debug_row, seen) },
	{ .name = "wrong_protocol", .label = "protocol", .kind = NT_K_U64, .off = D(PROTOCOL) },
	{ .name = "wrong_icmp_type", .label = "ICMP type", .kind = NT_K_U64, .off = D(TYPE) },
	{ .name = "parse_failed", .label = "not parsed", .kind = NT_K_U64, .off = D(PARSE) },
	{ .name = "address_mismatch", .label = "address", .kind = NT_K_U64, .off = D(ADDRESS) },
	{ .name = "wrong_device", .label = "device", .kind = NT_K_U64, .off = D(DEVICE) },
	{ .name = "no_state", .label = "no session", .kind = NT_K_U64, .off = D(STATE) },
};

static void debug_table(struct nt_run *r, const struct nt_latency_figures *f)
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	struct debug_row row[NT_STAGES];
	size_t n = 0;

	if (!nt_latency_opts_of(r)->debug || nt_out_format(nt_run_out(r)) == NT_CSV)
		return;
	for (size_t i = 0; i < NT_STAGES && d->hook[i]; i++) {
		row[n].hook = d->hook[i];
		row[n].seen = f->stat[NT_STAT_STAGE0 + i];
		for (size_t why = 0; why < NT_LAT_REJECTS; why++)
			row[n].reject[why] = f->stat[NT_STAT_REJECT0 + i * NT_LAT_REJECTS + why];
		n++;
	}
	nt_table(nt_run_out(r), nt_run_names(r), "debug",
		 "\npackets of the filter at each hook, and those that were left out", debug_rows,
		 NT_COUNT(debug_rows), row, sizeof(*row), n);
}

/* ---- the engine's reports ---- */

static void report(struct nt_run *r, struct nt_latency_figures *f, bool final)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		json_figures(r, f, final);
	else if (nt_out_format(nt_run_out(r)) == NT_TEXT)
		text_figures(r, f);
}

void nt_latency_interval(struct nt_run *r, bool final)
{
	struct nt_latency_priv *p = nt_run_priv(r);
	static struct nt_latency_figures since;

	(void)final;
	read_figures(r, &p->now);
	since = p->now;
	if (!nt_run_common(r)->cumulative)
		subtract(&since, &p->last);
	report(r, &since, final);
	p->last = p->now;
}

void nt_latency_end(struct nt_run *r)
{
	struct nt_latency_priv *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);
	const char *total = nt_latency_desc_of(r)->total;

	read_figures(r, &p->now);
	report(r, &p->now, true);
	for (uint32_t dir = 0; dir < 2; dir++) {
		const struct nt_hist *h = &p->now.hist[dir][NT_LAT_HIST_TOTAL];
		char title[40];

		if (!h->count)
			continue;
		snprintf(title, sizeof(title), "%s, %s", total, dir == NT_DIR_TX ? "tx" : "rx");
		nt_text(o, "\n");
		nt_hist_text(o, title, h, "us", 1000.0);
	}
	debug_table(r, &p->now);
}
