/* SPDX-License-Identifier: GPL-2.0 */
/* Histograms: merging, differences, quantiles, JSON. */
#include <string.h>

#include "nettrace/hist.h"

void nt_hist_init(struct nt_hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void nt_hist_merge(struct nt_hist *h, const struct nt_hist_raw *raw)
{
	unsigned int i;

	if (!raw->count)
		return;
	h->count += raw->count;
	h->sum += raw->sum;
	if (raw->max > h->max)
		h->max = raw->max;
	if (raw->min_inv && ~raw->min_inv < h->min)
		h->min = ~raw->min_inv;
	for (i = 0; i < NT_HIST_SLOTS; i++)
		h->slot[i] += raw->slot[i];
}

void nt_hist_add(struct nt_hist *h, uint64_t value)
{
	nt_hist_add_n(h, value, 1);
}

void nt_hist_add_n(struct nt_hist *h, uint64_t value, uint64_t n)
{
	if (!n)
		return;
	h->count += n;
	h->sum += n * value;
	if (value > h->max)
		h->max = value;
	if (value < h->min)
		h->min = value;
	h->slot[nt_hist_slot(value)] += n;
}

uint64_t nt_hist_low(unsigned int slot)
{
	unsigned int shift;

	if (slot < NT_HIST_SUB)
		return slot;
	if (slot >= NT_HIST_SLOTS)
		return UINT64_MAX;
	shift = slot / NT_HIST_SUB - 1;
	return (uint64_t)(NT_HIST_SUB + slot % NT_HIST_SUB) << shift;
}

uint64_t nt_hist_high(unsigned int slot)
{
	/* The last slot also takes what is larger; nt_hist users know the largest value. */
	if (slot >= NT_HIST_SLOTS - 1)
		return 1ULL << NT_HIST_MAX_BITS;
	return nt_hist_low(slot + 1);
}

/* Largest value that the slot holds; the last slot reaches as far as the values do. */
static uint64_t slot_last(const struct nt_hist *h, unsigned int slot)
{
	uint64_t last = nt_hist_high(slot) - 1;

	return slot == NT_HIST_SLOTS - 1 && h->max > last ? h->max : last;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void nt_hist_join(struct nt_hist *h, const struct nt_hist *other)
{
	h->count += other->count;
	h->sum += other->sum;
	if (other->count && other->min < h->min)
		h->min = other->min;
	if (other->max > h->max)
		h->max = other->max;
	for (size_t i = 0; i < NT_HIST_SLOTS; i++)
		h->slot[i] += other->slot[i];
}

void nt_hist_diff(struct nt_hist *out, const struct nt_hist *a, const struct nt_hist *b)
{
	uint64_t min = a->min, max = a->max, last;
	unsigned int i;

	/* out may be a or b: a member is read before it is written. */
	out->count = minus(a->count, b->count);
	out->sum = minus(a->sum, b->sum);
	out->max = max;
	out->min = UINT64_MAX;
	for (i = 0; i < NT_HIST_SLOTS; i++) {
		out->slot[i] = minus(a->slot[i], b->slot[i]);
		if (out->slot[i] && out->min == UINT64_MAX)
			out->min = nt_hist_low(i);
	}
	for (i = NT_HIST_SLOTS; i && !out->slot[i - 1]; i--)
		;
	if (!i) {
		out->max = 0;
		return;
	}
	last = slot_last(out, i - 1);
	out->max = last < max ? last : max;
	if (min != UINT64_MAX && out->min < min)
		out->min = min;
}

/* Counted from the slots: a map that is read while it is written to may have a count that is
 * ahead of them. */
static uint64_t slots_total(const struct nt_hist *h)
{
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < NT_HIST_SLOTS; i++)
		total += h->slot[i];
	return total;
}

static uint64_t within_slot(const struct nt_hist *h, unsigned int slot, double share)
{
	uint64_t low = nt_hist_low(slot), last = slot_last(h, slot), part;

	if (h->min <= h->max) {
		if (low < h->min)
			low = h->min;
		if (last > h->max)
			last = h->max;
	}
	if (last <= low || share >= 1)
		return last;
	part = (uint64_t)((double)(last - low) * share + 0.5);
	return part < last - low ? low + part : last;
}

uint64_t nt_hist_quantile(const struct nt_hist *h, double q)
{
	uint64_t total = slots_total(h), below = 0;
	unsigned int i, last = 0;
	double rank;

	if (!total)
		return 0;
	rank = q * (double)total;
	if (!(rank > 0) || q <= 0) {
		for (i = 0; !h->slot[i]; i++)
			;
		return within_slot(h, i, 0);
	}
	for (i = 0; i < NT_HIST_SLOTS; i++) {
		if (!h->slot[i])
			continue;
		last = i;
		if ((double)(below + h->slot[i]) >= rank)
			return within_slot(h, i, (rank - (double)below) / (double)h->slot[i]);
		below += h->slot[i];
	}
	return within_slot(h, last, 1);
}

static void json_buckets(struct nt_out *o, const struct nt_hist *h, double div, int decimals)
{
	unsigned int i;

	nt_json_arr(o, "buckets");
	for (i = 0; i < NT_HIST_SLOTS; i++) {
		if (!h->slot[i])
			continue;
		nt_json_arr(o, NULL);
		nt_json_f64(o, NULL, (double)nt_hist_low(i) / div, decimals);
		nt_json_f64(o, NULL, ((double)slot_last(h, i) + 1) / div, decimals);
		nt_json_u64(o, NULL, h->slot[i]);
		nt_json_arr_end(o);
	}
	nt_json_arr_end(o);
}

/* As many as show the recorded unit: 3 for us from ns. */
static int decimals_of(double div)
{
	int n = 0;

	for (; div > 1 && n < 9; div /= 10)
		n++;
	return n;
}

void nt_hist_json(struct nt_out *o, const char *key, const struct nt_hist *h,
		  const char *unit, double div)
{
	static const struct {
		const char *key;
		double q;
	} quantile[] = {
		{ "p50", .50 }, { "p90", .90 }, { "p95", .95 }, { "p99", .99 }, { "p999", .999 },
	};
	int decimals = decimals_of(div);
	unsigned int i;

	if (nt_out_format(o) != NT_JSON)
		return;
	nt_json_obj(o, key);
	nt_json_str(o, "unit", unit);
	nt_json_u64(o, "count", h->count);
	nt_json_f64(o, "sum", (double)h->sum / div, decimals);
	nt_json_f64(o, "min", h->min <= h->max ? (double)h->min / div : 0, decimals);
	nt_json_f64(o, "max", (double)h->max / div, decimals);
	for (i = 0; i < sizeof(quantile) / sizeof(quantile[0]); i++)
		nt_json_f64(o, quantile[i].key,
			    (double)nt_hist_quantile(h, quantile[i].q) / div, decimals);
	json_buckets(o, h, div, decimals);
	nt_json_obj_end(o);
}
