/* SPDX-License-Identifier: GPL-2.0 */
/* As nt_abi.h: what the kernel side and the user side of syscall_recv_latency share. */
#ifndef NETTRACE_NT_ABI_RECV_H
#define NETTRACE_NT_ABI_RECV_H

#include "nettrace/nt_abi_task.h"

enum nt_recv_class {			/* bits of NT_CONST_TOOL1: which are measured */
	NT_RECV_RECVFROM, NT_RECV_RECVMSG, NT_RECV_RECVMMSG, NT_RECV_READ, NT_RECV_READV,
	NT_RECV_OTHER,			/* past these system calls: io_uring, 32-bit programs, the kernel's own */
	NT_RECV_CLASSES,
};

enum nt_recv_phase {			/* what the thread in a call does */
	NT_RECV_RUNS,
	NT_RECV_WAITS,			/* sleeps until data come (or a timeout, a signal) */
	NT_RECV_WOKEN,			/* has been woken, has no CPU yet */
	NT_RECV_PREEMPTED,		/* put off its CPU */
	NT_RECV_BLOCKED,		/* sleeps for something else: the socket's lock, a page */
};

struct nt_recv_call {			/* a thread in a receive call, by its tid */
	__u64 since_ns;
	__u64 mark_ns;			/* of the last change of phase */
	__u64 woken_ns;			/* woken before it was off its CPU; 0: no */
	__u64 wait_ns, wakeup_ns;
	__u64 preempted_ns, blocked_ns;	/* parts of the work */
	__u64 busy_ns;			/* before the call, since it last received or polled; ~0: not known */
	__u64 poll_ns;			/* in poll calls since it last received */
	__u64 messages;			/* recvmmsg: its array in user space */
	__u32 phase, class;
	__s32 fd;			/* -1: not known */
	__u32 tgid;
	__u32 cpu, cpu_now, migrations;
	__u32 queued;			/* Recv-Q at the start, bytes */
	__u32 wanted;			/* bytes that were asked for, of read and recvfrom; else 1 */
	struct nt_flow flow;		/* source: the socket's own end */
};
NT_ASSERT_SIZE(struct nt_recv_call, 168);

struct nt_recv_event {			/* a call that ended */
	__u64 ts_ns, total_ns, work_ns;
	__s64 ret;
	__u64 bytes;
	struct nt_recv_call call;
	__u32 tid;
	__u32 over;			/* of at least the threshold: to be shown */
	char comm[16];
};
NT_ASSERT_SIZE(struct nt_recv_event, 232);

struct nt_recv_thread {			/* a thread that receives, by its tid */
	__u64 end_ns;			/* of its last receive call */
	__u64 poll_since_ns;		/* it is in poll, select, epoll_wait; 0: no */
	__u64 poll_end_ns;		/* of its last such call */
	__u64 poll_ns;			/* in such calls since its last receive call */
};

enum nt_recv_hist {
	NT_RECV_TOTAL, NT_RECV_WAIT, NT_RECV_WAKEUP, NT_RECV_WORK,	/* ns; wait and wakeup: of calls that had one */
	NT_RECV_BUSY,			/* ns from the last receive or poll call of the thread to the call */
	NT_RECV_BYTES,			/* of calls that got some */
	NT_RECV_QUEUED,			/* Recv-Q at the start, bytes */
	NT_RECV_HISTS,
};

/* What is counted of calls, in all and by socket. */
struct nt_recv_counts {
	__u64 calls, bytes, messages;
	__u64 eof, again, timeouts, errors;	/* again: EAGAIN at once; timeouts: after a wait; errors: all others */
	__u64 total_ns, wait_ns, wakeup_ns, preempted_ns, blocked_ns;
	__u64 poll_ns;
	__u64 late, late_ns;		/* calls that found data waiting, and for how long the thread was busy before */
	__u64 queued_bytes;		/* sum of Recv-Q at the starts */
	__u64 migrations;
};

#define NT_RECV_ERRNOS 134		/* EHWPOISON is 133 */
struct nt_recv_sums {			/* per CPU; 64-bit words only */
	struct nt_recv_counts n;
	__u64 class[NT_RECV_CLASSES];
	__u64 unsized;			/* messages of recvmmsg whose length was not read: beyond NT_RECV_MMSG */
	__u64 error[NT_RECV_ERRNOS];
};
#define NT_RECV_MMSG 32

struct nt_recv_key {			/* a socket */
	__u8 local[16], remote[16];
	__be16 local_port, remote_port;
	__u8 proto, ip_version;
	__u16 pad;
	__u32 tgid;
};
NT_ASSERT_SIZE(struct nt_recv_key, 44);

struct nt_recv_val {
	struct nt_recv_counts n;
	__u64 delay_max_ns;		/* wakeup and work of one call */
	__u64 queued_max;
	__s32 fd;
	__u32 tid;
	char comm[16];			/* of the last thread */
};
NT_ASSERT_SIZE(struct nt_recv_val, 176);

/* NT_CONST_TOOL2: threshold in ns, ~0: none. NT_CONST_TOOL3: enum nt_recv_measure that the threshold is on, and
 * << 8 the one by which the slowest calls are told: those of at least what nt_slowest holds are sent. */
enum nt_recv_measure { NT_RECV_ON_TOTAL, NT_RECV_ON_WAIT, NT_RECV_ON_WAKEUP, NT_RECV_ON_WORK, NT_RECV_ON_DELAY };

#endif
