/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the latency engine. */
#ifndef NETTRACE_ENGINE_LATENCY_H
#define NETTRACE_ENGINE_LATENCY_H

#include "nettrace/latency.h"
#include "stacks.h"
#include "sweep.h"

struct nt_latency_figures {		/* counted since the start, or in an interval */
	uint64_t stat[NT_STAT_MAX];
	uint64_t timed_out[2][NT_STAGES];	/* by direction and last stage */
	uint64_t unfinished[2][NT_STAGES];
	struct nt_hist hist[2][NT_LAT_HISTS];
};

struct nt_latency_priv {
	struct nt_field *row;		/* of an event, in JSON and CSV */
	size_t n_rows;
	struct nt_stream *csv;
	struct nt_sweep sweep;
	struct nt_stack_table stacks;
	uint64_t timed_out[2][NT_STAGES], unfinished[2][NT_STAGES];
	struct nt_latency_figures now, last;	/* last: at the last interval report */
};

/* One passage, as the engine got it. */
struct nt_latency_event {
	uint64_t ts_ns;
	const void *key;
	uint32_t ended;			/* enum nt_lat_end */
	struct nt_lat lat;
};

static inline const struct nt_latency_desc *nt_latency_desc_of(const struct nt_run *r)
{
	return nt_run_tool(r)->engine_data;
}

static inline const struct nt_latency_opts *nt_latency_opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

static inline bool nt_latency_wants(const struct nt_run *r, uint32_t dir)
{
	uint32_t d = nt_latency_opts_of(r)->direction;

	return d == NT_LATENCY_BOTH || d == (dir == NT_DIR_TX ? NT_LATENCY_TX : NT_LATENCY_RX);
}

static inline uint32_t nt_latency_last_stage(const struct nt_lat *l)
{
	uint32_t seen = l->seen & ((1u << NT_STAGES) - 1);

	return seen ? 31 - (uint32_t)__builtin_clz(seen) : 0;
}

/* latency_event.c */
int nt_latency_rows(struct nt_run *r);		/* makes the rows of events */
void nt_latency_show(struct nt_run *r, const struct nt_latency_event *e);

/* latency_stats.c */
void nt_latency_interval(struct nt_run *r, bool final);
void nt_latency_end(struct nt_run *r);

#endif
