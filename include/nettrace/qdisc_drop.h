/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Drops on the way out (qdisc_drop_trace): each as an event, counted by device, transmit queue and
 * discipline, beside the kernel's own counters and what callers and drivers answered.
 */
#ifndef NETTRACE_QDISC_DROP_H
#define NETTRACE_QDISC_DROP_H

#include "nettrace/drop.h"
#include "nettrace/qdisc.h"

struct nt_qdisc_opts {
	struct nt_drop_opts drop;	/* first: the drop engine's functions see only this */
	bool drops_only, summary, trace, trace_all;
};

extern const struct nt_engine nt_qdisc_drop_engine;

/* For the tool's check(): contradicting options, and which places are transmit places. */
int nt_qdisc_drop_check(struct nt_run *r, struct nt_err *err);

/* ---- between the engine's files ---- */
struct nt_qdrop_entry {
	struct nt_qdrop_key key;
	struct nt_qdrop_val val;
};

struct nt_txrc_entry {
	struct nt_txrc_key key;
	uint64_t count;
};

struct nt_qdisc_dev {			/* a device's own counters */
	uint32_t ifindex, netns;
	uint64_t tx_packets, tx_dropped, tx_errors;
};

struct nt_qdisc_snapshot {		/* counts since the start at one moment */
	struct nt_qdrop_entry *drop;
	struct nt_txrc_entry *rc;
	struct nt_qdisc_dev *dev;
	size_t n_drops, n_rcs, n_devs;
	struct nt_qdiscs kernel;
	bool taken;
};

struct nt_qdisc_drop {			/* private data */
	struct nt_drop_places *places;
	struct nt_qdisc_snapshot start, last;
	unsigned int reports;
};

/* What happened between two snapshots, as members of the open record or as text. */
void nt_qdisc_drop_show(struct nt_run *r, const struct nt_qdisc_snapshot *before,
			const struct nt_qdisc_snapshot *now);
void nt_qdisc_drop_show_codes(struct nt_run *r, const struct nt_qdisc_snapshot *before,
			      const struct nt_qdisc_snapshot *now);
void nt_qdisc_drop_show_devices(struct nt_run *r, const struct nt_qdisc_snapshot *before,
				const struct nt_qdisc_snapshot *now);
void nt_qdisc_drop_event(struct nt_run *r, const struct nt_qdisc_event *e);

#endif
