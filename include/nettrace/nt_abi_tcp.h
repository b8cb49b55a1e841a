/* SPDX-License-Identifier: GPL-2.0 */
/* As nt_abi.h: what the kernel side and the user side of the observers of TCP connections share. */
#ifndef NETTRACE_NT_ABI_TCP_H
#define NETTRACE_NT_ABI_TCP_H

#include "nettrace/nt_abi.h"

struct nt_tcp_cfg {
	__u32 sample;			/* number of the interval; its last bit chooses the map of connections */
	__u32 consumed;			/* drop reason of what was not dropped; ~0: this kernel has none */
};

struct nt_tcp_key {			/* a connection, seen from this host */
	__u8 laddr[16], raddr[16];	/* network order, v4-mapped */
	__be16 lport, rport;
	__u32 netns;			/* inode of the socket's namespace */
};
NT_ASSERT_SIZE(struct nt_tcp_key, 40);

/* What keeps a sender from sending more at this moment. */
enum nt_tcp_limit {
	NT_TCP_LIMIT_APP,		/* none of the others: it has sent all that it was given, or is paced */
	NT_TCP_LIMIT_CWND,
	NT_TCP_LIMIT_RWND,		/* the receiver's window, as the kernel's chronometer has it */
	NT_TCP_LIMIT_SNDBUF,		/* its own send buffer */
	NT_TCP_LIMITS,
};

struct nt_tcp_state {			/* of a socket at one moment; numbers of packets are segments */
	__u32 srtt_us;			/* smoothed round trip time; 0: not measured yet */
	__u32 cwnd, ssthresh;
	__u32 packets_out;		/* sent and not acknowledged */
	__u32 inflight;			/* of them those that are neither lost nor received, and those sent again */
	__u32 retrans_out, lost_out;
	__u32 mss;			/* bytes */
	__u32 limit;			/* enum nt_tcp_limit */
	__u32 kbps;			/* inflight * mss * 8 / srtt: what this window gives; 0: no srtt */
	__u32 data_segs_out, total_retrans;	/* since the connection began */
};

struct nt_tcp_conn {			/* of one interval */
	__u64 samples;			/* with a srtt */
	__u64 srtt_sum, cwnd_sum, inflight_sum, kbps_sum;
	__u64 rtt_samples, rtt_sum, rtt_max, rtt_min_inv;	/* us; min_inv: ~min */
	__u64 skbs, segments, bytes;	/* sent with data, also again */
	__u64 again_segments;		/* of segments: not for the first time */
	__u64 retrans_skbs, retrans_segments;
	__u64 limited[NT_TCP_LIMITS];	/* samples */
	__u64 retrans_out_max, lost_out_max;
	struct nt_tcp_state last;
};

/* Histograms, one entry of nt_tcp_hists each. */
enum nt_tcp_hist {
	NT_TCP_HIST_SRTT,		/* us */
	NT_TCP_HIST_RTT,		/* us, of single acknowledgements */
	NT_TCP_HIST_INFLIGHT,		/* segments */
	NT_TCP_HIST_PACKETS_OUT,	/* segments */
	NT_TCP_HIST_INFLIGHT_BYTES,
	NT_TCP_HIST_CWND,		/* segments */
	NT_TCP_HIST_KBPS,		/* kbit/s */
	NT_TCP_HIST_SAMPLES,		/* number of those above */
	NT_TCP_HIST_ACTIVE = NT_TCP_HIST_SAMPLES,	/* us, from SYN to SYN-ACK */
	NT_TCP_HIST_PASSIVE,		/* us, from SYN-ACK to ACK */
	NT_TCP_HISTS,
};

/* --bw-hist: equal steps of bandwidth, the last one open-ended. */
#define NT_TCP_BW_STEPS 64
#define NT_TCP_BW_STEP_KBPS 500000
/* --2d: powers of two of us, then of KiB in flight: row r holds [2^r, 2^(r + 1)), row 0 also 0. */
#define NT_TCP_GRID 24
struct nt_tcp_tables {			/* per CPU */
	__u64 bw[NT_TCP_BW_STEPS];
	__u64 grid[NT_TCP_GRID * NT_TCP_GRID];
};

enum nt_tcp_stat {
	NT_STAT_TCP_SEEN = NT_STAT_TOOL0,	/* packets of the filter's connections at the main hook */
	NT_STAT_TCP_NO_SRTT,		/* of them before the first round trip was measured */
	NT_STAT_TCP_IDLE,		/* received while nothing was in flight: nothing to learn */
	NT_STAT_TCP_NO_NEWS,		/* --acks-only: acknowledge nothing new */
	NT_STAT_TCP_UNSAMPLED,		/* left out by --sample-rate */
	NT_STAT_TCP_NO_RTT,		/* acknowledgements that give no round trip time (of data sent again) */
	NT_STAT_TCP_SKBS,		/* sent with data */
	NT_STAT_TCP_SEGMENTS,
	NT_STAT_TCP_BYTES,
	NT_STAT_TCP_AGAIN_SKBS,		/* of them not for the first time */
	NT_STAT_TCP_AGAIN_SEGMENTS,
	NT_STAT_TCP_RETRANS_SKBS,	/* as the kernel counts retransmissions */
	NT_STAT_TCP_RETRANS_SEGMENTS,
	NT_STAT_TCP_RETRANS_FAILED,	/* segments that could not be sent */
	NT_STAT_TCP_LIMIT0,		/* samples by enum nt_tcp_limit */
	NT_STAT_TCP_SHARED_END = NT_STAT_TCP_LIMIT0 + NT_TCP_LIMITS,
};

/* ---- tcp_perf_observer ---- */
/* A connection's round trips in us, by the rule of nt_hist_slot(); those above share the last. */
#define NT_TCP_RTT_SLOTS (21 * NT_HIST_SUB)	/* below 2^24 us */
struct nt_tcp_rtts {
	__u32 slot[NT_TCP_RTT_SLOTS];
};

enum nt_tcp_retrans {			/* why a packet was sent again */
	NT_TCP_RETRANS_SYN,
	NT_TCP_RETRANS_SYNACK,
	NT_TCP_RETRANS_RTO,
	NT_TCP_RETRANS_FAST,		/* after duplicate acknowledgements, SACK, RACK */
	NT_TCP_RETRANS_TLP,		/* tail loss probe */
	NT_TCP_RETRANS_OTHER,
	NT_TCP_RETRANS_KINDS,
};
enum nt_tcp_fail { NT_TCP_FAIL_REFUSED, NT_TCP_FAIL_TIMEOUT, NT_TCP_FAIL_UNREACHABLE, NT_TCP_FAIL_OTHER, NT_TCP_FAILS };
#define NT_TCP_KERNEL_STATES 13		/* 1 is ESTABLISHED, 12 NEW_SYN_RECV (BOUND_INACTIVE of 6.8 counts as that) */

enum nt_tcp_perf_stat {			/* retransmissions are in segments */
	NT_STAT_TCP_KIND0 = NT_STAT_TCP_SHARED_END,
	NT_STAT_TCP_OPENED = NT_STAT_TCP_KIND0 + NT_TCP_RETRANS_KINDS,
	NT_STAT_TCP_ACCEPTED,
	NT_STAT_TCP_FAIL0,
	NT_STAT_TCP_RESETS_OUT = NT_STAT_TCP_FAIL0 + NT_TCP_FAILS,
	NT_STAT_TCP_RESETS_IN,
	NT_STAT_TCP_SUPPRESSED,		/* details over the limit */
	NT_STAT_TCP_DROPS,		/* packets */
	NT_STAT_TCP_DROPS_NORMAL,	/* freed at a place where that is normal, as when a socket closes */
	NT_STAT_TCP_STATE0,
	NT_STAT_TCP_END = NT_STAT_TCP_STATE0 + NT_TCP_KERNEL_STATES,
};
_Static_assert((int)NT_STAT_TCP_END <= (int)NT_STAT_MAX, "too many counters");

struct nt_tcp_open {			/* a connection that is being opened, by its socket */
	__u64 since_ns;
	__u32 pid, pad;
	char comm[16];
};

struct nt_tcp_drop {			/* key of a counter of packets */
	__u64 location;			/* effective (drop.bpf.h) */
	__u32 reason;
	__u32 received;			/* 1: it came in by a device; 0: this host made it */
};
NT_ASSERT_SIZE(struct nt_tcp_drop, 16);
#define NT_TCP_DROPS 256

enum nt_tcp_kind {
	NT_TCP_RTT,
	NT_TCP_CONNLAT,
	NT_TCP_FAILED,
	NT_TCP_RETRANS,
	NT_TCP_RESET_OUT,
	NT_TCP_RESET_IN,
	NT_TCP_DROP,
};
struct nt_tcp_event {
	__u64 ts_ns;
	struct nt_tcp_key key;
	__u32 kind;			/* enum nt_tcp_kind */
	__u32 why;			/* enum nt_tcp_retrans; of a handshake: 1 if passive */
	__u64 us;			/* round trip or handshake */
	__u32 segments, error;		/* error: errno of a failed open */
	struct nt_tcp_drop drop;
	__u32 tcp_state, cpu;
	__u32 pid, pad;			/* who opened it; 0: not known */
	char comm[16];
	struct nt_tcp_state state;
};
NT_ASSERT_SIZE(struct nt_tcp_event, 120 + 48);

/* NT_CONST_TOOL2: least round trip that is shown, in its upper half that of handshakes (us);
 * NT_CONST_TOOL3: details a second. */

/* NT_CONST_TOOL0: enum nt_tcp_switch; NT_CONST_TOOL1: a sample of so many packets. */
enum nt_tcp_switch {
	NT_TCP_PAIR = 1 << 0,		/* both addresses are given: they match in either order */
	NT_TCP_ACKS_ONLY = 1 << 1,
	NT_TCP_IDLE_TOO = 1 << 2,	/* also what comes while nothing is in flight */
	NT_TCP_BW = 1 << 3,
	NT_TCP_2D = 1 << 4,
	NT_TCP_DETAILS = 1 << 5,
};

#endif
