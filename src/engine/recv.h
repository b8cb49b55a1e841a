/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the engine of receive calls: reading (recv.c), sockets (recv_socks.c), showing (recv_show.c). */
#ifndef NETTRACE_ENGINE_RECV_H
#define NETTRACE_ENGINE_RECV_H

#include "nettrace/recv.h"
#include "nettrace/task.h"
#include "slowest.h"

struct nt_recv_sock {
	struct nt_recv_key key;
	struct nt_recv_val val;
};
struct nt_recv_socks {
	struct nt_recv_sock *row;	/* by key, until they are shown */
	size_t n, cap;
	uint64_t left_out;		/* of the whole run: sockets that were dropped for want of room */
};

struct nt_recv_open {			/* calls that have not returned */
	uint64_t calls, waiting, longest_ns;
};

/* What a report is about. */
struct nt_recv_report {
	struct nt_recv_sums sums;
	struct nt_hist hist[NT_RECV_HISTS];
	struct nt_recv_socks socks;
	struct nt_recv_open open;
	struct nt_slowest slowest;	/* struct nt_recv_event */
	double seconds;
};

struct nt_recv_priv {
	struct nt_task_cfg cfg;
	struct nt_ids ids;
	struct nt_procs procs;
	struct nt_recv_report now, all;	/* of the interval; of the run */
	struct nt_recv_sums sums_before;
	struct nt_hist before[NT_RECV_HISTS];
	uint64_t since_ns, reports;
	struct nt_stream *stream;	/* JSON */
	bool headed;
};

/* recv_socks.c: appends and empties the map; adds one report's to the other's; keeps the first max of them. */
void nt_recv_socks_read(struct nt_run *r, const char *map, struct nt_recv_socks *s);
void nt_recv_socks_add(struct nt_recv_socks *all, const struct nt_recv_socks *now, size_t max);
/* All of the calls but wait and wakeup, ns. */
uint64_t nt_recv_work(const struct nt_recv_counts *n);
void nt_recv_socks_sort(struct nt_recv_socks *s, enum nt_recv_sort by);

/* recv_show.c: members of the open record, or the text; reorders sockets and slowest. */
void nt_recv_show(struct nt_run *r, struct nt_recv_report *rep, bool final);
int nt_recv_stream_open(struct nt_run *r);
void nt_recv_show_event(struct nt_run *r, const struct nt_recv_event *e);
/* Words of enum nt_recv_class, '|' between: as --syscalls takes them. */
#define NT_RECV_CLASS_NAMES "recvfrom|recvmsg|recvmmsg|read|readv|other"

#endif
