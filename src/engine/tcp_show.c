/* SPDX-License-Identifier: GPL-2.0 */
/* Samples of all connections: figures, distributions, JSON. */
#include <stdio.h>
#include <string.h>

#include "tcp.h"

enum { SAMPLES = 1, PERF = 2 };		/* tools that have a figure, and those that draw it */
static const struct figure {
	const char *key, *title;	/* title: as a row of figures */
	const char *unit, *raw;		/* raw: name in lines of --raw */
	double div;
	unsigned int in, drawn;
} figures[NT_TCP_HISTS] = {
	[NT_TCP_HIST_SRTT] = { "srtt", "smoothed RTT", "us", "srtt_us", 1, SAMPLES | PERF, SAMPLES },
	[NT_TCP_HIST_RTT] = { "rtt", "single RTT", "us", "rtt_us", 1, SAMPLES | PERF, SAMPLES | PERF },
	[NT_TCP_HIST_INFLIGHT] = { "inflight", "in flight", "segments", "inflight_segments", 1, SAMPLES | PERF, SAMPLES },
	[NT_TCP_HIST_PACKETS_OUT] = { "packets_out", "not acknowledged", "segments", "packets_out_segments", 1, SAMPLES, 0 },
	[NT_TCP_HIST_INFLIGHT_BYTES] = { "inflight_bytes", "in flight", "bytes", "inflight_bytes", 1, SAMPLES, 0 },
	[NT_TCP_HIST_CWND] = { "cwnd", "congestion window", "segments", "cwnd_segments", 1, SAMPLES | PERF, SAMPLES },
	[NT_TCP_HIST_KBPS] = { "bandwidth", "bandwidth", "Mbit/s", "bandwidth_mbps", 1000, SAMPLES | PERF, 0 },
	[NT_TCP_HIST_ACTIVE] = { "handshake_active", "handshake, active", "us", "active_us", 1, PERF, PERF },
	[NT_TCP_HIST_PASSIVE] = { "handshake_passive", "handshake, passive", "us", "passive_us", 1, PERF, PERF },
};

static unsigned int tool_bit(const struct nt_run *r)
{
	return nt_tcp_desc_of(r)->perf ? PERF : SAMPLES;
}

static const struct nt_tcp_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

static bool sends(const struct nt_run *r)
{
	return nt_tcp_desc_of(r)->sends;
}

static double share(uint64_t part, uint64_t all)
{
	return all ? 100 * (double)part / (double)all : 0;
}

static double mean(const struct nt_hist *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}

/* Sums of what connections had out at their last sample. */
static void out_now(const struct nt_tcp_rows *rows, uint64_t *retrans, uint64_t *lost)
{
	*retrans = *lost = 0;
	for (size_t i = 0; i < rows->n; i++) {
		*retrans += rows->row[i].conn.last.retrans_out;
		*lost += rows->row[i].conn.last.lost_out;
	}
}

static void out_most(const struct nt_tcp_rows *rows, uint64_t *retrans, uint64_t *lost)
{
	*retrans = *lost = 0;
	for (size_t i = 0; i < rows->n; i++) {
		if (rows->row[i].conn.retrans_out_max > *retrans)
			*retrans = rows->row[i].conn.retrans_out_max;
		if (rows->row[i].conn.lost_out_max > *lost)
			*lost = rows->row[i].conn.lost_out_max;
	}
}

/* ---- JSON ---- */
static void json_sent(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct nt_out *o = nt_run_out(r);
	double seconds = rep->seconds > 0 ? rep->seconds : 1;

	nt_json_u64(o, "skbs_sent", nt_tcp_stat(rep, NT_STAT_TCP_SKBS));
	nt_json_u64(o, "segments_sent", nt_tcp_stat(rep, NT_STAT_TCP_SEGMENTS));
	nt_json_u64(o, "bytes_sent", nt_tcp_stat(rep, NT_STAT_TCP_BYTES));
	nt_json_u64(o, "skbs_sent_again", nt_tcp_stat(rep, NT_STAT_TCP_AGAIN_SKBS));
	nt_json_u64(o, "segments_sent_again", nt_tcp_stat(rep, NT_STAT_TCP_AGAIN_SEGMENTS));
	nt_json_f64(o, "send_rate_mbps", (double)nt_tcp_stat(rep, NT_STAT_TCP_BYTES) * 8 / 1e6 / seconds, 3);
}

static void json_retransmits(struct nt_out *o, const struct nt_tcp_report *rep)
{
	uint64_t retrans, lost;

	nt_json_obj(o, "retransmitted");
	nt_json_u64(o, "packets", nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_SKBS));
	nt_json_u64(o, "segments", nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_SEGMENTS));
	nt_json_u64(o, "failed_segments", nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_FAILED));
	out_now(&rep->rows, &retrans, &lost);
	nt_json_u64(o, "retrans_out_sum_segments", retrans);
	nt_json_u64(o, "lost_out_sum_segments", lost);
	out_most(&rep->rows, &retrans, &lost);
	nt_json_u64(o, "retrans_out_max_segments", retrans);
	nt_json_u64(o, "lost_out_max_segments", lost);
	nt_json_obj_end(o);
}

static void json_counts(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_u64(o, "samples", nt_tcp_stat(rep, NT_STAT_EVENTS));
	nt_json_u64(o, sends(r) ? "skbs_seen" : "segments_seen", nt_tcp_stat(rep, NT_STAT_TCP_SEEN));
	nt_json_u64(o, "without_srtt", nt_tcp_stat(rep, NT_STAT_TCP_NO_SRTT));
	if (!sends(r)) {
		nt_json_u64(o, "while_nothing_in_flight", nt_tcp_stat(rep, NT_STAT_TCP_IDLE));
		nt_json_u64(o, "nothing_acknowledged", nt_tcp_stat(rep, NT_STAT_TCP_NO_NEWS));
	}
	nt_json_u64(o, "not_sampled", nt_tcp_stat(rep, NT_STAT_TCP_UNSAMPLED));
	nt_json_u64(o, "acks_without_rtt", nt_tcp_stat(rep, NT_STAT_TCP_NO_RTT));
	if (sends(r))
		json_sent(r, rep);
	json_retransmits(o, rep);
	nt_json_obj(o, "limited");
	nt_json_u64(o, "none", nt_tcp_stat(rep, NT_STAT_TCP_LIMIT0 + NT_TCP_LIMIT_APP));
	nt_json_u64(o, "cwnd", nt_tcp_stat(rep, NT_STAT_TCP_LIMIT0 + NT_TCP_LIMIT_CWND));
	nt_json_u64(o, "rwnd", nt_tcp_stat(rep, NT_STAT_TCP_LIMIT0 + NT_TCP_LIMIT_RWND));
	if (!sends(r))		/* who sends has room again */
		nt_json_u64(o, "sndbuf", nt_tcp_stat(rep, NT_STAT_TCP_LIMIT0 + NT_TCP_LIMIT_SNDBUF));
	nt_json_obj_end(o);
}

static void json_bandwidth(struct nt_out *o, const struct nt_tcp_tables *t)
{
	nt_json_obj(o, "bandwidth_steps");
	nt_json_str(o, "unit", "Mbit/s");
	nt_json_u64(o, "step", NT_TCP_BW_STEP_KBPS / 1000);
	nt_json_arr(o, "counts");
	for (size_t i = 0; i < NT_TCP_BW_STEPS; i++)
		nt_json_u64(o, NULL, t->bw[i]);
	nt_json_arr_end(o);
	nt_json_obj_end(o);
}

static uint64_t grid_low(size_t row)
{
	return row ? 1ULL << row : 0;
}

static void json_grid(struct nt_out *o, const struct nt_tcp_tables *t)
{
	nt_json_arr(o, "rtt_by_inflight");
	for (size_t i = 0; i < NT_TCP_GRID * NT_TCP_GRID; i++) {
		if (!t->grid[i])
			continue;
		nt_json_obj(o, NULL);
		nt_json_u64(o, "srtt_from_us", grid_low(i / NT_TCP_GRID));
		nt_json_u64(o, "inflight_from_bytes", 1024 * grid_low(i % NT_TCP_GRID));
		nt_json_u64(o, "count", t->grid[i]);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

void nt_tcp_hists_json(struct nt_run *r, const struct nt_tcp_report *rep)
{
	for (size_t i = 0; i < NT_TCP_HISTS; i++)
		if (figures[i].in & tool_bit(r))
			nt_hist_json(nt_run_out(r), figures[i].key, &rep->fig.hist[i], figures[i].unit, figures[i].div);
}

static void json(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct nt_out *o = nt_run_out(r);

	json_counts(r, rep);
	nt_tcp_hists_json(r, rep);
	if (opts_of(r)->bw_hist)
		json_bandwidth(o, &rep->fig.tables);
	if (opts_of(r)->grid)
		json_grid(o, &rep->fig.tables);
}

/* ---- text ---- */
struct cells {
	const char *name, *unit;
	uint64_t count;
	char text[5][24];		/* mean, p50, p90, p99, max */
	const char *cell[5];
};
#define C(member) offsetof(struct cells, member)
static const struct nt_field cell_fields[] = {
	{ .name = "figure", .kind = NT_K_CSTR, .off = C(name), .flags = NT_F_LEFT, .width = 18 },
	{ .name = "unit", .kind = NT_K_CSTR, .off = C(unit), .flags = NT_F_LEFT },
	{ .name = "count", .kind = NT_K_U64, .off = C(count), .flags = NT_F_GROUP },
	{ .name = "mean", .kind = NT_K_CSTR, .off = C(cell[0]) },
	{ .name = "p50", .kind = NT_K_CSTR, .off = C(cell[1]) },
	{ .name = "p90", .kind = NT_K_CSTR, .off = C(cell[2]) },
	{ .name = "p99", .kind = NT_K_CSTR, .off = C(cell[3]) },
	{ .name = "max", .kind = NT_K_CSTR, .off = C(cell[4]) },
};

static void number(double v, bool fraction, char *buf, size_t size)
{
	if (fraction && v < 1000)
		snprintf(buf, size, v < 10 ? "%.2f" : "%.1f", v);
	else
		nt_fmt_count((uint64_t)(v + 0.5), buf, size);
}

static void fill_cells(struct cells *c, const struct figure *f, const struct nt_hist *h)
{
	const double v[5] = { mean(h), (double)nt_hist_quantile(h, .50), (double)nt_hist_quantile(h, .90),
			      (double)nt_hist_quantile(h, .99), (double)h->max };

	c->name = f->title;
	c->unit = f->unit;
	c->count = h->count;
	for (size_t i = 0; i < NT_COUNT(v); i++) {
		number(v[i] / f->div, f->div > 1 || !i, c->text[i], sizeof(c->text[i]));
		c->cell[i] = h->count ? c->text[i] : "-";
	}
}

static void text_figures(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct cells c[NT_TCP_HISTS];
	size_t n = 0;

	for (size_t i = 0; i < NT_TCP_HISTS; i++)
		if (figures[i].in & tool_bit(r))
			fill_cells(&c[n++], &figures[i], &rep->fig.hist[i]);
	nt_table(nt_run_out(r), nt_run_names(r), NULL, NULL, cell_fields, NT_COUNT(cell_fields), c, sizeof(c[0]), n);
}

void nt_tcp_hists_text(struct nt_run *r, const struct nt_tcp_report *rep)
{
	text_figures(r, rep);
	for (size_t i = 0; i < NT_TCP_HISTS; i++) {
		if (!(figures[i].drawn & tool_bit(r)) || !rep->fig.hist[i].count)
			continue;
		nt_text(nt_run_out(r), "\n");
		nt_hist_text(nt_run_out(r), figures[i].title, &rep->fig.hist[i], figures[i].unit, figures[i].div);
	}
}

const char *nt_tcp_count_text(uint64_t v, const char *one, char *buf, size_t size)
{
	char n[32];

	snprintf(buf, size, "%s %s%s", nt_fmt_count(v, n, sizeof(n)), one, v == 1 ? "" : "s");
	return buf;
}

static void text_sent(struct nt_run *r, const struct nt_tcp_report *rep)
{
	uint64_t bytes = nt_tcp_stat(rep, NT_STAT_TCP_BYTES), segments = nt_tcp_stat(rep, NT_STAT_TCP_SEGMENTS);
	char packets[48], segs[48], size[32];

	nt_text(nt_run_out(r), "sent: %s in %s, %s (%.1f Mbit/s)\n",
		nt_tcp_count_text(segments, "segment", segs, sizeof(segs)),
		nt_tcp_count_text(nt_tcp_stat(rep, NT_STAT_TCP_SKBS), "packet", packets, sizeof(packets)),
		nt_fmt_bytes(bytes, size, sizeof(size)),
		rep->seconds > 0 ? (double)bytes * 8 / 1e6 / rep->seconds : 0);
}

static void text_retransmits(struct nt_run *r, const struct nt_tcp_report *rep)
{
	uint64_t segments = nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_SEGMENTS), retrans, lost;
	uint64_t failed = nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_FAILED);
	struct nt_out *o = nt_run_out(r);
	char segs[48], packets[48];

	out_most(&rep->rows, &retrans, &lost);
	nt_text(o, "retransmitted: %s", nt_tcp_count_text(segments, "segment", segs, sizeof(segs)));
	if (segments)
		nt_text(o, " in %s", nt_tcp_count_text(nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_SKBS), "packet", packets,
						sizeof(packets)));
	if (sends(r) && segments)
		nt_text(o, " (%.2f %% of those sent)", share(segments, nt_tcp_stat(rep, NT_STAT_TCP_SEGMENTS)));
	if (failed)
		nt_text(o, ", %s could not be sent", nt_tcp_count_text(failed, "segment", segs, sizeof(segs)));
	if (retrans || lost)
		nt_text(o, "; out at a time: %llu retransmitted, %llu lost", (unsigned long long)retrans,
			(unsigned long long)lost);
	nt_text(o, "\n");
}

static void text_limits(struct nt_run *r, const struct nt_tcp_report *rep)
{
	uint64_t all = nt_tcp_stat(rep, NT_STAT_EVENTS);

	if (!all)
		return;
	nt_text(nt_run_out(r), "held back by: congestion window %.1f %%, receiver's window %.1f %%, ",
		share(nt_tcp_stat(rep, NT_STAT_TCP_LIMIT0 + NT_TCP_LIMIT_CWND), all),
		share(nt_tcp_stat(rep, NT_STAT_TCP_LIMIT0 + NT_TCP_LIMIT_RWND), all));
	if (!sends(r))
		nt_text(nt_run_out(r), "send buffer %.1f %%, ",
			share(nt_tcp_stat(rep, NT_STAT_TCP_LIMIT0 + NT_TCP_LIMIT_SNDBUF), all));
	nt_text(nt_run_out(r), "none %.1f %%\n", share(nt_tcp_stat(rep, NT_STAT_TCP_LIMIT0 + NT_TCP_LIMIT_APP), all));
}

static void text_counts(struct nt_run *r, const struct nt_tcp_report *rep)
{
	static const struct { unsigned int stat; const char *what; } left[] = {
		{ NT_STAT_TCP_NO_SRTT, "before the first RTT" },
		{ NT_STAT_TCP_IDLE, "with nothing in flight" },
		{ NT_STAT_TCP_NO_NEWS, "acknowledged nothing" },
		{ NT_STAT_TCP_UNSAMPLED, "left out" },
	};
	struct nt_out *o = nt_run_out(r);
	char samples[48], conns[48], n[32];

	nt_text(o, "%s of %s", nt_tcp_count_text(nt_tcp_stat(rep, NT_STAT_EVENTS), "sample", samples, sizeof(samples)),
		nt_tcp_count_text(rep->rows.n, "connection", conns, sizeof(conns)));
	for (size_t i = 0; i < NT_COUNT(left); i++)
		if (nt_tcp_stat(rep, left[i].stat))
			nt_text(o, "; %s %s", nt_fmt_count(nt_tcp_stat(rep, left[i].stat), n, sizeof(n)), left[i].what);
	nt_text(o, "\n");
	if (sends(r))
		text_sent(r, rep);
	text_retransmits(r, rep);
	text_limits(r, rep);
}

static void text_bandwidth(struct nt_run *r, const struct nt_tcp_tables *t)
{
	static const char stars[] = "****************************************";
	struct nt_out *o = nt_run_out(r);
	uint64_t most = 1;
	size_t n = 0;

	for (size_t i = 0; i < NT_TCP_BW_STEPS; i++) {
		most = t->bw[i] > most ? t->bw[i] : most;
		n = t->bw[i] ? i + 1 : n;
	}
	nt_text(o, "\nbandwidth (Mbit/s)\n");
	for (size_t i = 0; i < n; i++) {
		unsigned long long low = i * NT_TCP_BW_STEP_KBPS / 1000, next = low + NT_TCP_BW_STEP_KBPS / 1000;
		int bar = (int)((double)t->bw[i] * (sizeof(stars) - 1) / (double)most);

		if (i == NT_TCP_BW_STEPS - 1)
			nt_text(o, "%8llu and more   : ", low);
		else
			nt_text(o, "%8llu -> %-8llu : ", low, next - 1);
		nt_text(o, "%-8llu |%-40.*s|\n", (unsigned long long)t->bw[i], bar, stars);
	}
}

/* Columns and rows that have anything. */
static void text_grid(struct nt_run *r, const struct nt_tcp_tables *t)
{
	size_t first = NT_TCP_GRID, last = 0;
	struct nt_out *o = nt_run_out(r);

	for (size_t i = 0; i < NT_TCP_GRID * NT_TCP_GRID; i++) {
		if (!t->grid[i])
			continue;
		first = i % NT_TCP_GRID < first ? i % NT_TCP_GRID : first;
		last = i % NT_TCP_GRID > last ? i % NT_TCP_GRID : last;
	}
	if (first > last)
		return;
	nt_text(o, "\nsamples by smoothed RTT (us, from) and KiB in flight (from)\n%10s", "");
	for (size_t c = first; c <= last; c++)
		nt_text(o, " %8llu", (unsigned long long)grid_low(c));
	nt_text(o, "\n");
	for (size_t row = 0; row < NT_TCP_GRID; row++) {
		uint64_t sum = 0;

		for (size_t c = first; c <= last; c++)
			sum += t->grid[row * NT_TCP_GRID + c];
		if (!sum)
			continue;
		nt_text(o, "%10llu", (unsigned long long)grid_low(row));
		for (size_t c = first; c <= last; c++)
			nt_text(o, " %8llu", (unsigned long long)t->grid[row * NT_TCP_GRID + c]);
		nt_text(o, "\n");
	}
}

static void text(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct nt_out *o = nt_run_out(r);

	text_counts(r, rep);
	if (!nt_tcp_stat(rep, NT_STAT_EVENTS))
		return;
	nt_text(o, "\n");
	nt_tcp_hists_text(r, rep);
	if (opts_of(r)->bw_hist)
		text_bandwidth(r, &rep->fig.tables);
	if (opts_of(r)->grid)
		text_grid(r, &rep->fig.tables);
	nt_text(o, "\n");
}

/* ---- lines for scripts ---- */
static void raw(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct nt_out *o = nt_run_out(r);
	uint64_t retrans, lost;

	for (size_t i = 0; i < NT_TCP_HIST_SAMPLES; i++) {
		const struct nt_hist *h = &rep->fig.hist[i];

		for (unsigned int k = 0; k < NT_HIST_SLOTS; k++)
			if (h->slot[k])
				nt_text(o, "HIST name=%s low=%.6g high=%.6g count=%llu\n", figures[i].raw,
					(double)nt_hist_low(k) / figures[i].div, (double)nt_hist_high(k) / figures[i].div,
					(unsigned long long)h->slot[k]);
		nt_text(o, "STATS name=%s count=%llu mean=%.6g p50=%.6g p90=%.6g p99=%.6g max=%.6g\n", figures[i].raw,
			(unsigned long long)h->count, mean(h) / figures[i].div,
			(double)nt_hist_quantile(h, .50) / figures[i].div, (double)nt_hist_quantile(h, .90) / figures[i].div,
			(double)nt_hist_quantile(h, .99) / figures[i].div, (double)h->max / figures[i].div);
	}
	out_now(&rep->rows, &retrans, &lost);
	nt_text(o, "RETRANS segments=%llu packets=%llu retrans_out=%llu lost_out=%llu\n",
		(unsigned long long)nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_SEGMENTS),
		(unsigned long long)nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_SKBS), (unsigned long long)retrans,
		(unsigned long long)lost);
}

void nt_tcp_show(struct nt_run *r, struct nt_tcp_report *rep)
{
	if (nt_tcp_desc_of(r)->perf)
		nt_tcp_perf_show(r, rep);
	else if (nt_out_format(nt_run_out(r)) == NT_JSON)
		json(r, rep);
	else if (opts_of(r)->raw)
		raw(r, rep);
	else
		text(r, rep);
	if (!opts_of(r)->raw || nt_out_format(nt_run_out(r)) == NT_JSON)
		nt_tcp_show_rows(r, rep);
}
