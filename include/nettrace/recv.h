/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Engine of syscall_recv_latency: receive calls of IPv4 and IPv6 sockets, in which parts their time goes,
 * by socket, and who keeps whom waiting. The kernel side adds up; sockets are summed in one of two maps,
 * user space reads and empties the other.
 */
#ifndef NETTRACE_RECV_H
#define NETTRACE_RECV_H

#include "nettrace/nt_abi_recv.h"
#include "nettrace/run.h"

struct nt_recv_opts {
	struct nt_strlist pid, process;
	struct nt_ports port, rport;
	struct nt_prefix laddr, raddr;
	struct nt_strlist syscalls;
	uint32_t threshold_us;
	uint32_t on;			/* enum nt_recv_measure */
	uint32_t sort;			/* enum nt_recv_sort */
	unsigned int classes;		/* check(): bits of enum nt_recv_class */
	bool has_threshold, has_on;	/* check() */
};
enum nt_recv_sort { NT_RECV_BY_WORK, NT_RECV_BY_WAKEUP, NT_RECV_BY_APPLICATION, NT_RECV_BY_QUEUE, NT_RECV_BY_BYTES,
		    NT_RECV_BY_CALLS };

extern const struct nt_engine nt_recv_engine;

int nt_recv_check(struct nt_run *r, struct nt_err *err);
/* hooks[].wanted */
bool nt_recv_wants_names(const void *opts);
bool nt_recv_wants_other(const void *opts);

/* Where the time went that passed until the program had its data, and who the greatest part belongs to. */
enum nt_recv_side {
	NT_RECV_SENDER,			/* there were no data: sender or network */
	NT_RECV_SCHEDULER,		/* woken or in the middle of its work, but no CPU */
	NT_RECV_KERNEL,			/* copying, locks, protocol */
	NT_RECV_APPLICATION,		/* data waited while the thread did something else */
	NT_RECV_SIDES,
};
struct nt_recv_verdict {
	uint64_t ns[NT_RECV_SIDES];
	double pct[NT_RECV_SIDES];	/* of their sum */
	const char *limited_by;		/* "sender", "scheduler", "kernel", "application"; NULL: nothing was measured */
};
void nt_recv_judge(const struct nt_recv_counts *n, struct nt_recv_verdict *v);

#endif
