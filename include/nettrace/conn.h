/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Engine of TCP connections as their sockets tell of themselves (tcp_connection_analyzer): no
 * programs, the kernel is asked at each interval. What holds a connection back is judged from its
 * figures of the last interval, or of its life where there is no interval yet.
 */
#ifndef NETTRACE_CONN_H
#define NETTRACE_CONN_H

#include "nettrace/mib.h"
#include "nettrace/run.h"
#include "nettrace/sock_diag.h"

enum nt_conn_role { NT_CONN_ANY, NT_CONN_CLIENT, NT_CONN_SERVER };

struct nt_conn_opts {			/* the tool's options */
	uint32_t role;			/* enum nt_conn_role */
	struct nt_sock_filter filter;
	double target_gbps;
	bool all, config, stats, analysis;
};

/* Bits of nt_conn.has above those of nt_sock.has: what of the figures is known, or has a meaning. */
enum {
	NT_CONN_STREAM = 1u << 8,	/* no listener */
	NT_CONN_LISTENER = 1u << 9,
	NT_CONN_V419 = 1u << 10,	/* tcp_info reaches that far: the first version that has it */
	NT_CONN_V54 = 1u << 11,
	NT_CONN_V62 = 1u << 12,
	NT_CONN_V67 = 1u << 13,
	NT_CONN_V618 = 1u << 14,
	NT_CONN_OWNED = 1u << 15,	/* a process is known */
	NT_CONN_RTT = 1u << 16,		/* measured, and what follows from it */
	NT_CONN_MIN_RTT = 1u << 17,
	NT_CONN_PACED = 1u << 18,
	NT_CONN_MAX_PACED = 1u << 19,
	NT_CONN_SENT = 1u << 20,	/* segments */
	NT_CONN_RESENT = 1u << 21,
	NT_CONN_BUSY = 1u << 22,
	NT_CONN_GOT = 1u << 23,		/* segments with data */
	NT_CONN_TIMED = 1u << 24,	/* a timer runs */
	NT_CONN_WINDOW = 1u << 25,	/* something is in flight */
	NT_CONN_CC = 1u << 26,
	NT_CONN_MET = 1u << 28,		/* the peer has answered once */
	NT_CONN_SSTHRESH = 1u << 27,	/* it has left slow start once */
};

struct nt_conn_past {			/* running figures of a socket */
	uint64_t cookie, sent, acked, received, busy_us, rwnd_us, sndbuf_us;
	uint32_t retrans, segs_out, segs_in, data_segs_in, dsack, ooo, drops;
};

struct nt_conn {
	struct nt_sock s;
	uint32_t has;			/* NT_SOCK_*, NT_CONN_* */
	uint32_t role;
	uint32_t processes, pid, fd;
	char comm[16];
	/* Since the last look; seconds 0: it was not there, or there was none. */
	double seconds;
	struct nt_conn_past rise;
	uint64_t out_rate, in_rate;	/* bytes/s */
	/* What follows; percentages are those of the last interval if there is one. */
	uint64_t unacked_bytes, inflight_bytes, bdp_bytes, window_bytes;	/* window: recommended */
	uint32_t inflight;		/* segments */
	double cwnd_used_pct, retrans_pct, spurious_pct, ooo_pct, data_segs_pct;
	double rwnd_pct, sndbuf_pct, cwnd_pct;	/* of the time that it had data to send */
	/* for ranking */
	uint32_t n_findings;
	int worst;			/* enum nt_conn_severity, -1: none */
};

/* The socket's running figures, and what they rose by: NULL before: not known. */
void nt_conn_sums(struct nt_conn_past *p, const struct nt_sock *s);
/* Fills all from "rise" (from the sums alone) to cwnd_pct, and has. */
void nt_conn_derive(struct nt_conn *c, const struct nt_conn_past *before, double seconds, double target_gbps);

/* ---- conn_judge.c ---- */
enum nt_conn_severity { NT_CONN_INFO, NT_CONN_WARNING, NT_CONN_CRITICAL };
const char *nt_conn_severity_name(int s);
struct nt_conn_finding {
	const char *name;		/* "rwnd_limited" */
	const char *title, *advice;	/* advice: lines, '\n' between */
	enum nt_conn_severity severity;
	char evidence[160];
};
#define NT_CONN_FINDINGS 14
/* Its findings, the worst first; their number. */
size_t nt_conn_judge(const struct nt_conn *c, double target_gbps, struct nt_conn_finding *f, size_t max);

/* ---- conn_host.c: the host's settings and counters ---- */
bool nt_conn_port_is_ours(uint16_t port);	/* in the range from which clients' ports are taken */
void nt_conn_show_config(struct nt_run *r);
/* rises: counters of /proc/net that rose, since the boot or in an interval. */
void nt_conn_show_stats(struct nt_run *r, const struct nt_mib_row *rises, size_t n);
void nt_conn_show_analysis(struct nt_run *r, const struct nt_mib_row *rises, size_t n);

/* ---- conn_show.c ---- */
struct nt_conn_totals {
	uint64_t connections, clients, servers, listeners, findings[NT_CONN_CRITICAL + 1], left_out;
	bool owners_complete;
};
void nt_conn_show(struct nt_run *r, const struct nt_conn *c, size_t n, const struct nt_conn_totals *t);

extern const struct nt_engine nt_conn_engine;
int nt_conn_check(struct nt_run *r, struct nt_err *err);

#endif
