/* SPDX-License-Identifier: GPL-2.0 */
/* Figures of sessions of two legs: counters, pairs of stages, legs, what --debug counted. */
#include <bpf/bpf.h>
#include <string.h>

#include "timeline.h"

/* The direction of the session; that of a pair is its packets'. */
static uint32_t direction_of(uint32_t packets, uint32_t part)
{
	return part == NT_TL_LEG2 ? !packets : packets & 1;
}

static const char *direction_name(uint32_t direction)
{
	return direction == NT_DIR_TX ? "tx" : "rx";
}

static uint64_t sum_of(const struct nt_tl_by_leg *v)
{
	uint64_t sum = 0;

	for (uint32_t dir = 0; dir < 2; dir++)
		for (uint32_t leg = 0; leg < 2; leg++)
			for (uint32_t i = 0; i < NT_TL_STAGES; i++)
				sum += v->n[dir][leg][i];
	return sum;
}

/* The whole's histogram of a direction, or that of a part; NULL: none. */
static const struct nt_hist *total_of(const struct nt_tl_figures *f, uint32_t direction, uint32_t part)
{
	for (size_t i = 0; i < f->n_pairs; i++) {
		const struct nt_tl_pair *k = &f->pair[i].key;

		if (k->from == NT_TL_TOTAL && k->part == part && direction_of(k->direction, part) == direction)
			return &f->pair[i].hist;
	}
	return NULL;
}

static double share_of(const struct nt_tl_figures *f, uint32_t direction, const struct nt_hist *h)
{
	const struct nt_hist *whole = total_of(f, direction, NT_TL_WHOLE);

	return whole && whole->sum ? 100 * (double)h->sum / (double)whole->sum : 0;
}

/* The next pair in the order of a ping, from *at on: its first leg, between, its second. NULL: no more. */
static const struct nt_tl_pair_row *next_pair(const struct nt_tl_figures *f, uint32_t direction, size_t *at)
{
	static const uint8_t order[] = { NT_TL_LEG1, NT_TL_EXTERNAL, NT_TL_LEG2 };

	for (; *at < NT_COUNT(order) * f->n_pairs; (*at)++) {
		const struct nt_tl_pair_row *row = &f->pair[*at % f->n_pairs];
		const struct nt_tl_pair *k = &row->key;

		if (k->part == order[*at / f->n_pairs] && k->from != NT_TL_TOTAL && row->hist.count &&
		    direction_of(k->direction, k->part) == direction) {
			(*at)++;
			return row;
		}
	}
	return NULL;
}

/* Between the legs packets are of two directions. */
static const char *to_name(struct nt_run *r, const struct nt_tl_pair *k)
{
	return nt_tl_stage_name(r, k->part == NT_TL_EXTERNAL ? !k->direction : k->direction, k->to);
}

/* ---- JSON ---- */
static void by_stage_json(struct nt_run *r, const char *key, const struct nt_tl_by_leg *v)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_arr(o, key);
	for (uint32_t dir = 0; dir < 2; dir++) {
		for (uint32_t leg = 0; leg < 2; leg++) {
			for (uint32_t i = 0; i < NT_TL_STAGES; i++) {
				if (!v->n[dir][leg][i])
					continue;
				nt_json_obj(o, NULL);
				nt_json_str(o, "direction", direction_name(dir));
				nt_json_u64(o, "leg", leg + 1);
				nt_json_str(o, "after", nt_tl_stage_name(r, dir ^ leg, i));
				nt_json_u64(o, "count", v->n[dir][leg][i]);
				nt_json_obj_end(o);
			}
		}
	}
	nt_json_arr_end(o);
}

static void drops_json(struct nt_run *r, const struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_arr(o, "dropped");
	for (size_t i = 0; i < f->n_drops; i++) {
		const struct nt_tl_drop *k = &f->drop[i].key;

		if (!f->drop[i].count)
			continue;
		nt_json_obj(o, NULL);
		nt_json_str(o, "direction", direction_name(direction_of(k->direction, k->part)));
		nt_json_u64(o, "leg", k->part);
		nt_json_str(o, "after", nt_tl_stage_name(r, k->direction, k->after));
		nt_tl_drop_json(r, k);
		nt_json_u64(o, "count", f->drop[i].count);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

static const struct counter {
	const char *json, *text;	/* text stands behind the number */
	uint32_t stat;
	bool followed;			/* where packets are followed by the address of their skb only */
} counters[] = {
	{ "dropped_total", "dropped", NT_STAT_RTT_DROPPED, true },
	{ "elsewhere", "of other hosts: forwarded", NT_STAT_RTT_ELSEWHERE, true },
	{ "superseded", "sent again before the end", NT_STAT_RTT_SUPERSEDED, false },
	{ "below_threshold", "under the threshold", NT_STAT_TL_BELOW, false },
	{ "upcalls", "with an upcall of Open vSwitch", NT_STAT_RTT_UPCALLS, true },
	{ "duplicate_replies", "duplicate replies", NT_STAT_RTT_DUPLICATE, false },
	{ "fragments", "later fragments", NT_STAT_TL_FRAGMENTS, true },
	{ "ambiguous", "alike: followed by address only", NT_STAT_TL_AMBIGUOUS, true },
	{ "without_alias", "without room for an alias", NT_STAT_TL_NO_ALIAS, true },
	{ "clock_skew", "times with clock skew", NT_STAT_TL_SKEW, false },
	{ "without_row", "that no table had room for", NT_STAT_TL_NO_ROW, false },
	{ "stages_cut", "stages more than a timeline holds", NT_STAT_TL_CUT, true },
	{ "no_stack", "without a stack", NT_STAT_TL_NO_STACK, false },
};

/* The i-th of the tool's counters; NULL: it has not that one. */
static const struct counter *counter_of(struct nt_run *r, size_t i)
{
	return counters[i].followed && nt_tl_desc_of(r)->by_packet ? NULL : &counters[i];
}

static void counters_json(struct nt_run *r, struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_u64(o, "started", f->stat[NT_STAT_RTT_STARTED]);
	nt_json_u64(o, "completed", f->stat[NT_STAT_RTT_COMPLETED]);
	for (size_t i = 0; i < NT_COUNT(counters); i++)
		if (counter_of(r, i))
			nt_json_u64(o, counters[i].json, f->stat[counters[i].stat]);
	nt_json_u64(o, "timed_out_total", sum_of(&f->legs.timed_out));
	by_stage_json(r, "timed_out", &f->legs.timed_out);
	nt_json_u64(o, "unfinished", sum_of(&f->legs.unfinished));
	by_stage_json(r, "unfinished_after", &f->legs.unfinished);
	if (!nt_tl_desc_of(r)->by_packet)
		drops_json(r, f);
}

static void stages_json(struct nt_run *r, const struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_arr(o, "stages");
	for (uint32_t dir = 0; dir < 2; dir++) {
		const struct nt_tl_pair_row *row;
		size_t at = 0;

		while ((row = next_pair(f, dir, &at))) {
			const struct nt_tl_pair *k = &row->key;

			nt_json_obj(o, NULL);
			nt_json_str(o, "direction", direction_name(dir));
			if (k->part != NT_TL_EXTERNAL)
				nt_json_u64(o, "leg", k->part);
			nt_json_str(o, "from", nt_tl_stage_name(r, k->direction, k->from));
			nt_json_str(o, "to", to_name(r, k));
			nt_json_bool(o, "external", k->part == NT_TL_EXTERNAL);
			nt_json_bool(o, "async", nt_tl_async(k->from, k->to));
			nt_json_f64(o, "share_pct", share_of(f, dir, &row->hist), 2);
			nt_hist_json(o, "hist", &row->hist, "us", 1000.0);
			nt_json_obj_end(o);
		}
	}
	nt_json_arr_end(o);
}

static void legs_json(struct nt_run *r, const struct nt_tl_figures *f, uint32_t direction)
{
	static const struct { const char *name; uint32_t part; } part[] = {
		{ "rtt", NT_TL_WHOLE }, { "leg1", NT_TL_LEG1 }, { "external", NT_TL_EXTERNAL }, { "leg2", NT_TL_LEG2 },
	};
	static struct nt_hist none;

	nt_hist_init(&none);
	for (size_t i = 0; i < NT_COUNT(part); i++) {
		const struct nt_hist *h = total_of(f, direction, part[i].part);

		nt_hist_json(nt_run_out(r), part[i].name, h ? h : &none, "us", 1000.0);
	}
}

/* One direction: the histograms themselves; two: an object each. */
static void figures_json(struct nt_run *r, struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);
	uint32_t direction = nt_tl_opts_of(r)->direction;

	counters_json(r, f);
	stages_json(r, f);
	if (direction != NT_TL_BOTH) {
		legs_json(r, f, direction == NT_TL_ONLY_TX ? NT_DIR_TX : NT_DIR_RX);
		return;
	}
	for (uint32_t dir = 0; dir < 2; dir++) {
		nt_json_obj(o, direction_name(dir));
		legs_json(r, f, dir);
		nt_json_obj_end(o);
	}
}

/* ---- text ---- */
static size_t total_rows(const struct nt_tl_figures *f, uint32_t dir, struct nt_tl_text_row *row)
{
	const struct { const char *from, *to; uint32_t part; } total[] = {
		{ "request", "(leg 1)", NT_TL_LEG1 },
		{ dir == NT_DIR_TX ? "outside" : "responder", "(between)", NT_TL_EXTERNAL },
		{ "reply", "(leg 2)", NT_TL_LEG2 }, { "rtt", "(all)", NT_TL_WHOLE },
	};
	size_t n = 0;

	for (size_t i = 0; i < NT_COUNT(total); i++) {
		const struct nt_hist *h = total_of(f, dir, total[i].part);

		if (h && h->count)
			nt_tl_text_fill(&row[n++], total[i].from, total[i].to, false, h, share_of(f, dir, h));
	}
	return n;
}

static void table_text(struct nt_run *r, const struct nt_tl_figures *f, uint32_t dir)
{
	static struct nt_tl_text_row row[NT_TL_PAIRS + 4];
	const struct nt_tl_pair_row *pair;
	size_t n = 0, at = 0;

	while ((pair = next_pair(f, dir, &at))) {
		const struct nt_tl_pair *k = &pair->key;

		nt_tl_text_fill(&row[n++], nt_tl_stage_name(r, k->direction, k->from), to_name(r, k),
				nt_tl_async(k->from, k->to), &pair->hist, share_of(f, dir, &pair->hist));
	}
	n += total_rows(f, dir, &row[n]);
	nt_tl_text_table(r, dir == NT_DIR_TX ? "\ntx, this host sends the request" : "\nrx, this host answers", row, n);
}

/* The leg is named where a stage may be of either. */
static void by_stage_text(struct nt_run *r, const char *what, const struct nt_tl_by_leg *v)
{
	bool either = !nt_tl_desc_of(r)->by_packet;
	char c[32];

	for (uint32_t dir = 0; dir < 2; dir++)
		for (uint32_t leg = 0; leg < 2; leg++)
			for (uint32_t i = 0; i < NT_TL_STAGES; i++)
				if (v->n[dir][leg][i])
					nt_text(nt_run_out(r), "  %s after %s (%s%s): %s\n", what,
						nt_tl_stage_name(r, dir ^ leg, i), direction_name(dir),
						!either ? "" : leg ? ", reply" : ", request",
						nt_fmt_count(v->n[dir][leg][i], c, sizeof(c)));
}

static void drops_text(struct nt_run *r, const struct nt_tl_figures *f)
{
	char n[32], why[NT_TL_DROP_TEXT];

	for (size_t i = 0; i < f->n_drops; i++) {
		const struct nt_tl_drop *k = &f->drop[i].key;

		if (f->drop[i].count)
			nt_text(nt_run_out(r), "  %s, %s dropped after %s: %s, %s\n",
				direction_name(direction_of(k->direction, k->part)),
				k->part == NT_TL_LEG2 ? "reply" : "request", nt_tl_stage_name(r, k->direction, k->after),
				nt_fmt_count(f->drop[i].count, n, sizeof(n)),
				nt_tl_drop_text(r, k, why, sizeof(why)));
	}
}

static void count_text(struct nt_run *r, const char *what, uint64_t n)
{
	char c[32];

	if (n)
		nt_text(nt_run_out(r), ", %s %s", nt_fmt_count(n, c, sizeof(c)), what);
}

static void figures_text(struct nt_run *r, struct nt_tl_figures *f)
{
	struct nt_out *o = nt_run_out(r);
	char a[32], b[32];

	nt_text(o, "%s started, %s completed", nt_fmt_count(f->stat[NT_STAT_RTT_STARTED], a, sizeof(a)),
		nt_fmt_count(f->stat[NT_STAT_RTT_COMPLETED], b, sizeof(b)));
	count_text(r, "timed out", sum_of(&f->legs.timed_out));
	count_text(r, "unfinished", sum_of(&f->legs.unfinished));
	for (size_t i = 0; i < NT_COUNT(counters); i++)
		if (counter_of(r, i))
			count_text(r, counters[i].text, f->stat[counters[i].stat]);
	nt_text(o, "\n");
	by_stage_text(r, "timed out", &f->legs.timed_out);
	by_stage_text(r, "unfinished", &f->legs.unfinished);
	drops_text(r, f);
	for (uint32_t dir = 0; dir < 2; dir++)
		table_text(r, f, dir);
}

void nt_tl_legs_figures(struct nt_run *r, struct nt_tl_figures *f)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		figures_json(r, f);
	else if (nt_out_format(nt_run_out(r)) == NT_TEXT)
		figures_text(r, f);
}

/* ---- the end: distributions, and --debug ---- */
struct debug_row {
	const char *hook;
	struct nt_tl_debug n;
};

#define D(why) offsetof(struct debug_row, n.reject[NT_RTT_REJECT_##why])
static const struct nt_field debug_rows[] = {
	{ .name = "hook", .kind = NT_K_CSTR, .off = offsetof(struct debug_row, hook), .width = 13 },
	{ .name = "seen", .kind = NT_K_U64, .off = offsetof(struct debug_row, n.seen) },
	{ .name = "wrong_protocol", .label = "protocol", .kind = NT_K_U64, .off = D(PROTOCOL) },
	{ .name = "wrong_icmp_type", .label = "ICMP type", .kind = NT_K_U64, .off = D(TYPE) },
	{ .name = "parse_failed", .label = "not parsed", .kind = NT_K_U64, .off = D(PARSE) },
	{ .name = "address_mismatch", .label = "address", .kind = NT_K_U64, .off = D(ADDRESS) },
	{ .name = "wrong_device", .label = "device", .kind = NT_K_U64, .off = D(DEVICE) },
	{ .name = "no_state", .label = "no session", .kind = NT_K_U64, .off = D(STATE) },
};

static bool stage_hooked(struct nt_run *r, uint32_t stage)
{
	return nt_run_hooked(r, stage == NT_TL_L4_RCV ? "icmp_rcv" : nt_tl_stage_name(r, NT_DIR_TX, stage));
}

/* The stages of the hooks that are there, those of what is sent first. */
static void debug_table(struct nt_run *r)
{
	static struct debug_row row[NT_TL_STAGES];
	int fd = nt_run_map_fd(r, "nt_tl_debug");
	size_t n = 0;

	if (!nt_tl_opts_of(r)->debug || nt_out_format(nt_run_out(r)) == NT_CSV)
		return;
	for (uint32_t k = 0; k < NT_TL_STAGES; k++) {
		uint32_t sent = NT_TL_STAGES - NT_TL_PHY_QUEUE, own = NT_TL_PHY_RX;
		uint32_t i = k < own ? k : k < own + sent ? k - own + NT_TL_PHY_QUEUE : k - sent;

		row[n].hook = nt_tl_stage_name(r, NT_DIR_TX, i);
		if (stage_hooked(r, i) && !bpf_map_lookup_elem(fd, &i, &row[n].n))
			n++;
	}
	nt_table(nt_run_out(r), nt_run_names(r), "debug",
		 "\npackets of sessions at each hook, and those that were left out", debug_rows, NT_COUNT(debug_rows),
		 row, sizeof(*row), n);
}

void nt_tl_legs_end(struct nt_run *r, struct nt_tl_figures *f)
{
	for (uint32_t dir = 0; dir < 2; dir++) {
		const struct nt_hist *h = total_of(f, dir, NT_TL_WHOLE);

		if (!h || !h->count)
			continue;
		nt_text(nt_run_out(r), "\n");
		nt_hist_text(nt_run_out(r), dir == NT_DIR_TX ? "rtt, tx" : "rtt, rx", h, "us", 1000.0);
	}
	debug_table(r);
}
