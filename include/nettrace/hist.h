/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Histograms, user-space side. The bucket rule is shared with the BPF side
 * (nt_abi.h, nt_hist_slot()): values below 16 have a bucket each; above, every
 * power of two is cut into 16 equal buckets, so a bucket is at most 1/16 of its
 * lower bound wide and a percentile is off by at most that. Values are in the
 * unit that the kernel side recorded (nanoseconds for latencies).
 */
#ifndef NETTRACE_HIST_H
#define NETTRACE_HIST_H

#include <stddef.h>
#include <stdint.h>

#include "nettrace/nt_abi.h"
#include "nettrace/out.h"

struct nt_hist {
	uint64_t count, sum, min, max;		/* min is UINT64_MAX while count is 0 */
	uint64_t slot[NT_HIST_SLOTS];
};

/* The rule: the same as nt_hist_slot() of the BPF side. */
static inline unsigned int nt_hist_slot(uint64_t v)
{
	unsigned int e;

	if (v < NT_HIST_SUB)
		return (unsigned int)v;
	if (v >= 1ULL << NT_HIST_MAX_BITS)
		return NT_HIST_SLOTS - 1;
	e = 63 - (unsigned int)__builtin_clzll(v);
	return (e - NT_HIST_SUB_BITS + 1) * NT_HIST_SUB +
	       (unsigned int)(v >> (e - NT_HIST_SUB_BITS) & (NT_HIST_SUB - 1));
}

void nt_hist_init(struct nt_hist *h);
/* Adds one CPU's raw record (what the BPF map holds) to h. */
void nt_hist_merge(struct nt_hist *h, const struct nt_hist_raw *raw);
void nt_hist_add(struct nt_hist *h, uint64_t value);
void nt_hist_add_n(struct nt_hist *h, uint64_t value, uint64_t n);	/* n times the value */
void nt_hist_join(struct nt_hist *h, const struct nt_hist *other);	/* other's values too */
/* out = a - b, for interval figures from two cumulative snapshots; min and max of the result
 * are bucket bounds. */
void nt_hist_diff(struct nt_hist *out, const struct nt_hist *a, const struct nt_hist *b);
/* Value at quantile q (0..1), linear within its bucket, clamped to [min, max]; 0 if empty. */
uint64_t nt_hist_quantile(const struct nt_hist *h, double q);
/* Bounds of a slot: low inclusive, high exclusive. */
uint64_t nt_hist_low(unsigned int slot);
uint64_t nt_hist_high(unsigned int slot);

/* JSON object under key: unit, count, sum, min, max, p50 ... p999, buckets. Values are divided
 * by div (1000.0 and unit "us" for ns records). */
void nt_hist_json(struct nt_out *o, const char *key, const struct nt_hist *h,
		  const char *unit, double div);
/* Text: powers of two with bars as bcc draws them. */
void nt_hist_text(struct nt_out *o, const char *title, const struct nt_hist *h,
		  const char *unit, double div);

#endif
