/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the counting face of the drop engine. */
#ifndef NT_ENGINE_DROP_STATS_H
#define NT_ENGINE_DROP_STATS_H

#include "nettrace/drop.h"
#include "nettrace/mib.h"

struct nt_drop_entry {
	struct nt_drop_key key;
	struct nt_drop_val val;
};

struct nt_drop_snapshot {
	struct nt_drop_entry *entry;
	size_t n, cap;
};

struct nt_drop_totals {
	uint64_t drops, packets, bytes, suppressed, child, no_stack;
};

struct nt_drop_stats {
	struct nt_drop_places *places;
	struct nt_drop_snapshot last;
	struct nt_drop_totals last_totals;
	uint64_t evicted;
	uint64_t benign_late;	/* counted as drops before the places were known */
	struct nt_mib mib_start, mib;	/* before the first and since the last report */
	uint64_t cycle;
	struct nt_drop_entry *rows;	/* of the report that is being made */
	size_t n_rows;
};

/* Frames of an entry's stack from its raw location on; their number. */
size_t nt_drop_stack_of(struct nt_run *r, const struct nt_drop_entry *e, uint64_t *frames);
/* drop_stats_show.c: the rows in p->rows, rankings (--by), the kernel's counters that rose. */
void nt_drop_show_rows(struct nt_run *r, uint64_t all, size_t top, size_t frames);
void nt_drop_show_rankings(struct nt_run *r);
void nt_drop_show_counters(struct nt_run *r, const struct nt_mib *before, const struct nt_mib *now);

#endif
