/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Histograms for people: powers of two of the shown unit, drawn as bars.
 *
 * The recorded buckets are finer than the rows. Where the unit is another one
 * than the recorded, a bucket may lie across two rows; its middle decides.
 */
#include <stdio.h>
#include <string.h>

#include "nettrace/hist.h"

enum { BAR = 40, ROWS = 64, NUMBER_MAX = 32 };

struct rows {
	uint64_t count[ROWS], most;
	unsigned int n;		/* up to the last that is not empty */
};

static uint64_t whole(double v)
{
	return v < 18446744073709551615.0 ? (uint64_t)v : UINT64_MAX;
}

static unsigned int row_of(const struct nt_hist *h, unsigned int slot, double div)
{
	uint64_t low = nt_hist_low(slot), v = low + (nt_hist_high(slot) - low) / 2;

	if (v < h->min)
		v = h->min;
	if (v > h->max || slot == NT_HIST_SLOTS - 1)
		v = h->max;
	v = whole((double)v / div);
	return v < 2 ? 0 : 63 - (unsigned int)__builtin_clzll(v);
}

static void fill_rows(struct rows *r, const struct nt_hist *h, double div)
{
	unsigned int i, row;

	memset(r, 0, sizeof(*r));
	for (i = 0; i < NT_HIST_SLOTS; i++) {
		if (!h->slot[i])
			continue;
		row = row_of(h, i, div);
		r->count[row] += h->slot[i];
		if (row >= r->n)
			r->n = row + 1;
	}
	for (i = 0; i < r->n; i++) {
		if (r->count[i] > r->most)
			r->most = r->count[i];
	}
}

static uint64_t row_low(unsigned int row)
{
	return row ? 1ULL << row : 0;
}

static uint64_t row_last(unsigned int row)
{
	return row == 63 ? UINT64_MAX : (2ULL << row) - 1;
}

static int digits(uint64_t v, int least)
{
	int n = 1;

	for (; v >= 10; v /= 10)
		n++;
	return n > least ? n : least;
}

/* Three significant digits or whole numbers with separators. */
static const char *number(double v, double div, char buf[NUMBER_MAX])
{
	if (div <= 1 || v >= 999.5)
		return nt_fmt_count(whole(v + 0.5), buf, NUMBER_MAX);
	snprintf(buf, NUMBER_MAX, "%.*f", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v);
	return buf;
}

static void put_figures(struct nt_out *o, const struct nt_hist *h, const char *unit, double div)
{
	static const struct {
		const char *name;
		double q;
	} quantile[] = { { "p50", .50 }, { "p90", .90 }, { "p99", .99 } };
	char n[NUMBER_MAX];
	unsigned int i;

	nt_text(o, "     count %s", nt_fmt_count(h->count, n, sizeof(n)));
	if (h->count)
		nt_text(o, ", avg %s", number((double)h->sum / (double)h->count / div, div, n));
	for (i = 0; i < sizeof(quantile) / sizeof(quantile[0]); i++)
		nt_text(o, ", %s %s", quantile[i].name,
			number((double)nt_hist_quantile(h, quantile[i].q) / div, div, n));
	nt_text(o, ", max %s%s%s\n", number((double)h->max / div, div, n), *unit ? " " : "", unit);
}

static void put_heading(struct nt_out *o, const char *title, const char *unit, int width,
			int count)
{
	char head[64];
	int n = -1;

	if (title && *title && *unit)
		n = snprintf(head, sizeof(head), "%s (%s)", title, unit);
	else
		n = snprintf(head, sizeof(head), "%s", *unit ? unit : title ? title : "");
	if (n > width) {	/* too long for the place above the rows */
		nt_text(o, "%s\n", title);
		snprintf(head, sizeof(head), "%s", *unit ? unit : "value");
	}
	nt_text(o, "     %-*s : %-*s distribution\n", width, head, count, "count");
}

void nt_hist_text(struct nt_out *o, const char *title, const struct nt_hist *h,
		  const char *unit, double div)
{
	static const char stars[BAR + 1] = "****************************************";
	int label, count, bar;
	struct rows r;
	unsigned int i;

	if (nt_out_format(o) != NT_TEXT)
		return;
	if (!unit)
		unit = "";
	fill_rows(&r, h, div);
	label = digits(r.n ? row_last(r.n - 1) : 0, 10);
	count = digits(r.most, 8);
	put_heading(o, title, unit, 2 * label - 1, count);
	for (i = 0; i < r.n; i++) {
		bar = (int)((double)r.count[i] * BAR / (double)r.most);
		nt_text(o, "%*llu -> %-*llu : %-*llu |%-*.*s|\n",
			label, (unsigned long long)row_low(i),
			label, (unsigned long long)row_last(i), count,
			(unsigned long long)r.count[i], BAR, bar, stars);
	}
	put_figures(o, h, unit, div);
}
