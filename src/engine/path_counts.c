/* SPDX-License-Identifier: GPL-2.0 */
/* Path engine: the counters of an interval or of the run, and how long complete packets took. */
#include "path.h"

struct counter {
	const char *name, *text;	/* JSON; what text calls it, NULL: as JSON */
	size_t off;
	uint8_t kinds;			/* bit per enum nt_path_kind */
	bool if_nonzero;		/* text only */
};

#define C(member) offsetof(struct nt_path_counts, member)
#define V(v) C(verdict[NT_PATH_##v])
#define ALL 7
#define ECHO (1u << NT_PATH_ECHO)
#define UDP (1u << NT_PATH_DATAGRAM)
#define TCP (1u << NT_PATH_STREAM)

static const struct counter counters[] = {
	{ "total", "packets", C(total), ALL, false },
	{ "complete", NULL, V(COMPLETE), ALL, false },
	{ "req_internal", NULL, V(REQ_INTERNAL), ECHO | TCP, false },
	{ "external", NULL, V(EXTERNAL), ECHO | TCP, false },
	{ "rep_internal", NULL, V(REP_INTERNAL), ECHO | TCP, false },
	{ "internal", NULL, V(INTERNAL), UDP, false },
	{ "partial_frag", NULL, V(PARTIAL_FRAG), UDP, false },
	{ "upstream", "incomplete when they came", V(UPSTREAM), UDP, true },
	{ "uncertain", NULL, V(UNCERTAIN), ALL, true },
	{ "evicted", NULL, V(EVICTED), ALL, true },
	{ "missing_bytes", "bytes missing", C(lost_bytes), UDP | TCP, true },
	{ "internal_segments", "segments lost here", C(internal_segments), TCP, true },
	{ "external_segments", "segments lost beyond", C(external_segments), TCP, true },
	{ "spurious_segments", "sent again for nothing", C(spurious_segments), TCP, true },
	{ "control", NULL, C(control), TCP, true },
	{ "control_complete", "of it complete", C(control_complete), TCP, true },
	{ "control_missing", "of it lost", C(control_lost), TCP, true },
	{ "control_other", "of it undecided", C(control_other), TCP, true },
	{ "fragmented", "were in fragments", C(fragments), UDP, true },
	{ "duplicate", "duplicates", C(duplicate), ECHO | UDP, true },
	{ "late", NULL, C(late), ECHO | UDP, true },
};

static uint64_t value(const struct nt_path_counts *c, const struct counter *k)
{
	return *(const uint64_t *)((const char *)c + k->off);
}

void nt_path_show_counts(struct nt_run *r, const struct nt_path_counts *c, uint64_t open)
{
	uint8_t kind = (uint8_t)(1u << nt_path_desc_of(r)->kind);
	struct nt_out *o = nt_run_out(r);
	char n[32], line[64];
	size_t col = 0, len;

	for (size_t i = 0; i < NT_COUNT(counters); i++) {
		const struct counter *k = &counters[i];

		if (!(k->kinds & kind))
			continue;
		nt_json_u64(o, k->name, value(c, k));
		if (k->if_nonzero && !value(c, k))
			continue;
		len = (size_t)snprintf(line, sizeof(line), "%s%s %s", col ? ", " : "",
				       k->text ? k->text : k->name, nt_fmt_count(value(c, k), n, sizeof(n)));
		if (col + len > NT_DROP_COLUMNS - 1) {
			nt_text(o, ",\n");
			col = 0;
			len -= 2;
		}
		nt_text(o, "%s", col || i == 0 ? line : line + 2);
		col += len;
	}
	nt_json_u64(o, "open", open);
	nt_text(o, ", open %s\n", nt_fmt_count(open, n, sizeof(n)));
}

/* ---- times ---- */

struct row {
	const char *name;
	uint64_t count, min, p50, p90, p99, max;
};
#define ROW(member) offsetof(struct row, member)

static const struct nt_field rows[] = {
	{ .name = "gap", .label = "complete packets", .kind = NT_K_CSTR, .off = ROW(name),
	  .flags = NT_F_LEFT },
	{ .name = "count", .kind = NT_K_U64, .off = ROW(count), .flags = NT_F_GROUP },
	{ .name = "min", .kind = NT_K_NS_AS_US, .off = ROW(min) },
	{ .name = "p50", .kind = NT_K_NS_AS_US, .off = ROW(p50) },
	{ .name = "p90", .kind = NT_K_NS_AS_US, .off = ROW(p90) },
	{ .name = "p99", .kind = NT_K_NS_AS_US, .off = ROW(p99) },
	{ .name = "max", .kind = NT_K_NS_AS_US, .off = ROW(max) },
};

void nt_path_show_gaps(struct nt_run *r)
{
	static const char *const json[] = { "req_internal_hist", "external_hist", "rep_internal_hist",
					    "total_hist" };
	static const char *const text[] = { "ReqInternal", "External", "RepInternal", "Total" };
	struct nt_path_priv *p = nt_run_priv(r);
	struct row row[NT_PATH_GAPS];
	size_t n = 0;

	for (int i = 0; i < NT_PATH_GAPS; i++) {
		const struct nt_hist *h = &p->gap[i];

		if (!h->count)
			continue;
		nt_hist_json(nt_run_out(r), json[i], h, "us", 1000.0);
		row[n++] = (struct row){ text[i], h->count, h->min, nt_hist_quantile(h, .5),
					 nt_hist_quantile(h, .9), nt_hist_quantile(h, .99), h->max };
	}
	if (n && nt_out_format(nt_run_out(r)) == NT_TEXT)
		nt_table(nt_run_out(r), nt_run_names(r), NULL, NULL, rows, NT_COUNT(rows), row, sizeof(*row), n);
}
