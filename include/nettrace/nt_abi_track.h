/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared with BPF: packets that are followed by the address of their skb, from
 * one tracepoint to another (bpf/lib/track.bpf.h). A packet's state begins with
 * the time at which it was first seen.
 */
#ifndef NETTRACE_NT_ABI_TRACK_H
#define NETTRACE_NT_ABI_TRACK_H

#include "nettrace/nt_abi.h"

enum nt_track_stat {
	NT_STAT_TRACKED = NT_STAT_TOOL0,	/* packets at the first stage */
	NT_STAT_TRACK_SUPERSEDED,	/* the address came again: how the packet ended was not seen */
	NT_STAT_TRACK_ENDED,		/* NT_STAT_TRACK_ENDED + n: the tool's ends */
};

/* ---- packets at a device's transmit queue (qdisc_latency_details) ---- */
enum nt_qlat_outcome {
	NT_QLAT_INSIDE,		/* not ended */
	NT_QLAT_SENT,		/* given to the driver */
	NT_QLAT_DROPPED,
	NT_QLAT_CONSUMED,	/* ended otherwise: cut into segments that are packets of their own */
	NT_QLAT_OUTCOMES,
};
enum nt_qlat_path {
	NT_QLAT_QUEUED,		/* through the discipline */
	NT_QLAT_BYPASS,		/* past it: it was empty */
	NT_QLAT_NOQUEUE,	/* the device has none */
	NT_QLAT_PATHS,
};
enum nt_qlat_stat {
	NT_STAT_QLAT_SEGMENTS = NT_STAT_TRACK_ENDED + NT_QLAT_OUTCOMES,	/* at the driver, of packets that
									 * were cut behind the discipline */
	NT_STAT_QLAT_NO_ROW,	/* ended, but no row was free to count them in */
};

struct nt_qlat {			/* state of a packet, and the event of its end */
	__u64 queued_ns;		/* at net:net_dev_queue */
	__u64 dequeued_ns;		/* first; 0: it was not */
	__u64 ended_ns;
	__u64 location;			/* of a drop: effective, as in nt_drop_key */
	__u32 reason;			/* of a drop */
	__u32 outcome, path;
	__u32 requeues;			/* the driver was busy */
	__u32 txq;
	__u16 cpu_queued, cpu_ended;
	struct nt_qdisc qdisc;		/* of the transmit queue, as the packet found it */
	struct nt_pkt pkt;
};
NT_ASSERT_SIZE(struct nt_qlat, 224);

struct nt_qlat_key {			/* a row: transmit queue and its discipline */
	char kind[16];
	__u32 handle, parent;
	__u32 ifindex, netns, txq, pad;
};
NT_ASSERT_SIZE(struct nt_qlat_key, 40);

enum nt_qlat_hist {
	NT_QLAT_WAIT,		/* in the discipline, of packets that were queued and left */
	NT_QLAT_DRIVER,		/* from there (else from the queue's entry) to the driver, of packets sent */
	NT_QLAT_LOST,		/* from the queue's entry to the drop */
	NT_QLAT_HISTS,
};
struct nt_qlat_val {
	__u64 outcome[NT_QLAT_OUTCOMES];	/* packets */
	__u64 path[NT_QLAT_PATHS];		/* of those that ended */
	__u64 requeues, bytes;
	struct nt_hist_raw hist[NT_QLAT_HISTS];	/* ns */
};

/* NT_CONST_TOOL0: enum nt_qlat_switch; NT_CONST_TOOL1: show packets whose whole time is at least so
 * many ns; with NT_QLAT_SLOWEST also at least what nt_slowest holds: user space raises it as it gets
 * slower ones than it has to keep. */
enum nt_qlat_switch { NT_QLAT_EVENTS = 1, NT_QLAT_SLOWEST = 2 };

#endif
