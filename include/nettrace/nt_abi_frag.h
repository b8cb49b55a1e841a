/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel side and the user side of trace_ip_defrag share; units, orders as in nt_abi.h. */
#ifndef NETTRACE_NT_ABI_FRAG_H
#define NETTRACE_NT_ABI_FRAG_H

#include "nettrace/nt_abi.h"

enum nt_frag_what {
	NT_FRAG_IN, NT_FRAG_DUP, NT_FRAG_OVERLAP,	/* what inet_frag_queue_insert() returns */
	NT_FRAG_COMPLETE, NT_FRAG_TIMEOUT, NT_FRAG_NOMEM, NT_FRAG_ERROR, NT_FRAG_WHATS,
};

/* NT_CONST_TOOL0: a bit for each of the above that is shown, and: */
#define NT_FRAG_STACKS (1u << 16)
/* NT_CONST_TOOL1: drop reasons of the fallback, 16 bits each: FRAG_REASM_TIMEOUT, DUP_FRAG,
 * FRAG_TOO_FAR from the lowest; 0: this kernel has it not. NT_CONST_TOOL2: 1 if queues are followed,
 * 0 in the fallback. NT_CONST_TOOL3: events a second. */

enum nt_frag_bits {
	NT_FRAG_MF = 1 << 0,		/* of the fragment: more follow */
	NT_FRAG_HAS = 1 << 1,		/* the event is about a fragment: offset and end are valid */
	NT_FRAG_PORTS = 1 << 2,		/* the first fragment was seen */
	NT_FRAG_LAST = 1 << 3,		/* the last one was: end is the datagram's length */
	NT_FRAG_EARLIER = 1 << 4,	/* the queue is older than the tool, or could not be stored: what
					 * came first is not in times, numbers and ranges */
	NT_FRAG_MORE = 1 << 5,		/* more ranges than fit */
	NT_FRAG_MATCHED = 1 << 6,	/* some fragment matched the filter */
	NT_FRAG_USER = 1 << 7,		/* user is valid */
	NT_FRAG_QUEUE = 1 << 8,		/* the event has a queue's figures */
};

#define NT_FRAG_RANGES 32
struct nt_frag_queue {			/* fragments that wait for the others of their datagram */
	__u64 queue;			/* its address */
	__u64 first_ns, last_ns;	/* when a fragment came that was kept */
	struct nt_flow flow;		/* ports once the first fragment was seen */
	__u32 id;			/* host order */
	__u32 user;			/* enum ip_defrag_users, ip6_defrag_users */
	__u32 bits;			/* enum nt_frag_bits */
	__u32 frags, dups, overlaps;	/* kept; refused */
	__u32 bytes, end;		/* kept; the highest end */
	__u32 n_ranges;
	struct { __u16 from, to; } range[NT_FRAG_RANGES];	/* kept, as they came */
};
NT_ASSERT_SIZE(struct nt_frag_queue, 112 + 4 * NT_FRAG_RANGES);

struct nt_frag_event {
	__u64 ts_ns;
	__u64 mem_bytes, limit_bytes;	/* of all queues of the namespace: NT_FRAG_NOMEM */
	__u32 what;			/* enum nt_frag_what */
	__s32 code;			/* -errno of NT_FRAG_ERROR, as far as the function says */
	__u32 bits;			/* of the fragment */
	__u32 cpu;
	__u32 offset, end;		/* bytes of the datagram that the fragment has */
	struct nt_frag_queue q;
	__u64 stack[NT_STACK_MAX];	/* 0 ends; sent only with NT_FRAG_STACKS */
};
NT_ASSERT_SIZE(struct nt_frag_event, 48 + 240 + 8 * NT_STACK_MAX);

enum nt_frag_stat {
	NT_STAT_FRAG0 = NT_STAT_TOOL0,	/* + enum nt_frag_what */
	NT_STAT_FRAG_FAILED = NT_STAT_FRAG0 + NT_FRAG_WHATS,	/* datagrams given up */
	NT_STAT_FRAG_OPENED, NT_STAT_FRAG_CLOSED,	/* queues followed */
	NT_STAT_FRAG_RATE_LIMITED,
};

#endif
