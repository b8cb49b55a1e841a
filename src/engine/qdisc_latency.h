/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the engine of qdisc_latency_details. */
#ifndef NETTRACE_ENGINE_QDISC_LATENCY_H
#define NETTRACE_ENGINE_QDISC_LATENCY_H

#include "nettrace/nt_abi_track.h"
#include "nettrace/qdisc_latency.h"
#include "slowest.h"
#include "sweep.h"

struct nt_qlat_row {			/* a transmit queue and its discipline */
	struct nt_qlat_key key;
	uint64_t outcome[NT_QLAT_OUTCOMES], path[NT_QLAT_PATHS];	/* packets; path: of those that ended */
	uint64_t requeues, bytes;
	struct nt_hist hist[NT_QLAT_HISTS];	/* ns */
};

struct nt_qlat_figures {		/* counted since the start, or in an interval */
	struct nt_qlat_row *row;
	size_t n;
	uint64_t started, ended[NT_QLAT_OUTCOMES], superseded, timed_out, segments, no_row;
	uint64_t inside, oldest_ns;	/* at this moment: packets, and how long the oldest is in */
};

struct nt_qlat_priv {
	struct nt_drop_places *places;
	struct nt_sweep sweep;
	struct nt_slowest slowest;	/* struct nt_qlat; --summary and --interval */
	struct nt_qlat_figures last;	/* at the last interval report */
	uint64_t timed_out;
	uint64_t inside, oldest_ns;	/* found by the last walk over all packets */
	bool finished;
	unsigned int reports;
};

static inline uint64_t nt_qlat_whole_ns(const struct nt_qlat *l)
{
	return l->ended_ns > l->queued_ns ? l->ended_ns - l->queued_ns : 0;
}

/* qdisc_latency_show.c */
void nt_qlat_show_packet(struct nt_run *r, const struct nt_qlat *l);
void nt_qlat_show_figures(struct nt_run *r, const struct nt_qlat_figures *f);

#endif
