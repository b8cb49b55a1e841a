/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Count engine: counters that the kernel side keeps in per-CPU arrays. User
 * space sums them, keeps the sum of the last report and shows the difference;
 * nothing in the kernel is ever reset, so nothing falls between two reports.
 */
#ifndef NETTRACE_COUNT_H
#define NETTRACE_COUNT_H

#include "nettrace/run.h"

/*
 * What a counting tool adds: the rows' meaning. A snapshot is n_rows rows of
 * row_words 64-bit counters; total says whether rows are since the start.
 */
struct nt_count_desc {
	const char *map;
	size_t row_words;
	/* Rows of the map: called in configure(), may set constants. 0: *err is set. */
	size_t (*rows)(struct nt_run *r, struct nt_err *err);
	void (*report)(struct nt_run *r, const uint64_t *rows, size_t n_rows, double seconds, bool total);
};

extern const struct nt_engine nt_count_engine;

#endif
