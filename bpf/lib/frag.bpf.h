/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queues of fragments: who is at which fragment, what is known of each queue, and what is told of
 * both. The state of a queue changes only under the queue's own lock.
 */
#ifndef NT_BPF_FRAG_H
#define NT_BPF_FRAG_H

#include "lib/calls.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/filter.bpf.h"
#include "lib/hist.bpf.h"
#include "lib/rate.bpf.h"
#include "nettrace/nt_abi_frag.h"

#define NT_INET_FRAG_LAST_IN 2		/* enumerators without a type's name: CO-RE cannot find them */
#define NT_INET_FRAG_COMPLETE 4

struct {			/* by address; every queue ends in inet_frag_destroy() */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct nt_frag_queue);
} nt_frags SEC(".maps");

NT_HISTS(nt_hists, 1);		/* ns from the first fragment to the last of complete datagrams */

/* ---- the fragment that a caller is at ---- */
struct nt_frag_call {
	__u64 ts_ns, queue, fqdir;
	struct nt_flow flow;
	__u32 id, user;
	__u32 bits;		/* enum nt_frag_bits; 0: not ours */
	__u32 offset, end;
	__u32 told;		/* bits: which of enum nt_frag_what */
	__u32 inserting, destroyed;
};
NT_CALLS(nt_frag_calls, struct nt_frag_call, 4)

/* How many calls are about our fragments now, on all CPUs: while none is, nobody looks for his own.
 * An array, whose lookup is inlined. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} nt_frag_busy SEC(".maps");

NT_INLINE __u64 *nt_frag_busy_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nt_frag_busy, &zero);
}

NT_INLINE struct nt_frag_calls_stack *nt_frag_busy_calls(void)
{
	__u64 *busy = nt_frag_busy_get();

	return busy && *busy ? nt_frag_calls_get() : NULL;
}

/* The innermost call, if it is about one of our fragments. */
NT_INLINE struct nt_frag_call *nt_frag_call_top(void)
{
	struct nt_frag_calls_stack *c = nt_frag_busy_calls();
	struct nt_frag_call *top;

	if (!c || !c->n)
		return NULL;
	top = nt_frag_calls_at(c, (__u64)c->n - 1);
	return top->bits ? top : NULL;
}

/* A call that is not ours needs a place only above others: so its return takes none of theirs. */
NT_INLINE struct nt_frag_call *nt_frag_call_push(const bool ours)
{
	struct nt_frag_calls_stack *c = ours ? nt_frag_calls_make() : nt_frag_busy_calls();
	__u64 *busy;

	if (!ours && (!c || !c->n))
		return NULL;
	busy = nt_frag_busy_get();
	if (ours && c && busy)
		__sync_fetch_and_add(busy, 1);
	return nt_frag_calls_push_on(c);
}

/* The innermost call ends; NULL if there is none: no fragment, or it began before the gate opened. */
NT_INLINE struct nt_frag_call *nt_frag_call_pop(void)
{
	struct nt_frag_call *top = nt_frag_calls_pop_off(nt_frag_busy_calls());
	__u64 *busy;

	if (!top || !top->bits)
		return NULL;
	busy = nt_frag_busy_get();
	if (busy)
		__sync_fetch_and_add(busy, -1);
	return top;
}

/* ---- events ---- */
NT_INLINE bool nt_frag_is_failure(__u32 what)
{
	return what == NT_FRAG_OVERLAP || what == NT_FRAG_TIMEOUT || what == NT_FRAG_NOMEM;
}

NT_INLINE void nt_frag_send(void *ctx, struct nt_frag_event *e)
{
	if (!(nt_const(NT_CONST_TOOL0) & NT_FRAG_STACKS)) {
		nt_emit(ctx, e, offsetof(struct nt_frag_event, stack));
		return;
	}
	nt_stack_fill(ctx, e->stack);
	nt_emit(ctx, e, sizeof(*e));
}

NT_INLINE void nt_frag_memory(struct nt_frag_event *e, __u64 addr)
{
	struct netns_frags *old = (void *)addr;
	struct fqdir *dir = (void *)addr;

	if (bpf_core_type_exists(struct fqdir)) {
		e->mem_bytes = BPF_CORE_READ(dir, mem.counter);
		e->limit_bytes = BPF_CORE_READ(dir, high_thresh);
	} else {
		e->mem_bytes = BPF_CORE_READ(old, mem.counter);
		e->limit_bytes = BPF_CORE_READ(old, high_thresh);
	}
}

/* q: the queue's state, or one made up. code: of NT_FRAG_ERROR. A subprogram: every program here
 * tells something. */
NT_SUBPROG int nt_frag_tell(void *ctx, const struct nt_frag_call *c, const struct nt_frag_queue *q,
			    __u32 what, __u64 code)
{
	struct nt_frag_event *e = nt_scratch_get(0);

	if (!e || !q || !(q->bits & NT_FRAG_MATCHED) || what >= NT_FRAG_WHATS)
		return 0;
	nt_stat_add(NT_STAT_FRAG0 + what, 1);
	nt_stat_add(NT_STAT_EVENTS, 1);
	if (nt_frag_is_failure(what))
		nt_stat_add(NT_STAT_FRAG_FAILED, 1);
	if (!(nt_const(NT_CONST_TOOL0) >> what & 1))
		return 0;
	if (nt_rate_limited()) {
		nt_stat_add(NT_STAT_FRAG_RATE_LIMITED, 1);
		return 0;
	}
	__builtin_memset(e, 0, offsetof(struct nt_frag_event, q));
	e->ts_ns = bpf_ktime_get_ns();
	e->what = what;
	e->code = code;
	e->cpu = bpf_get_smp_processor_id();
	if (c) {
		e->bits = c->bits;
		e->offset = c->offset;
		e->end = c->end;
	}
	if (c && what == NT_FRAG_NOMEM)
		nt_frag_memory(e, c->fqdir);
	e->q = *q;
	nt_frag_send(ctx, e);
	return 0;
}

/* ---- a queue's state ---- */
/* As the fragment says; NULL only without scratch memory. */
NT_INLINE struct nt_frag_queue *nt_frag_blank(const struct nt_frag_call *c)
{
	struct nt_frag_queue *q = nt_scratch_get(1);

	if (!q)
		return NULL;
	__builtin_memset(q, 0, sizeof(*q));
	if (!c)
		return q;
	q->queue = c->queue;
	q->first_ns = q->last_ns = c->ts_ns;
	q->flow = c->flow;
	q->id = c->id;
	q->user = c->user;
	q->bits = c->bits & (NT_FRAG_MATCHED | NT_FRAG_PORTS | NT_FRAG_USER);
	return q;
}

/* What the kernel knows of a queue that we did not follow from its beginning. */
NT_INLINE void nt_frag_earlier(struct nt_frag_queue *q, struct inet_frag_queue *kq)
{
	q->bits |= NT_FRAG_EARLIER | NT_FRAG_QUEUE;
	q->bytes = BPF_CORE_READ(kq, meat);
	q->end = BPF_CORE_READ(kq, len);
	if (BPF_CORE_READ(kq, flags) & NT_INET_FRAG_LAST_IN)
		q->bits |= NT_FRAG_LAST;
}

/* Opens the state of a queue with this call's fragment; the state may be one in scratch memory,
 * if no more fit. */
NT_INLINE struct nt_frag_queue *nt_frag_open(const struct nt_frag_call *c)
{
	struct inet_frag_queue *kq = (void *)c->queue;
	struct nt_frag_queue *q = nt_frag_blank(c), *stored;
	__u64 key = c->queue;

	if (!q)
		return NULL;
	q->bits |= NT_FRAG_QUEUE;
	if (BPF_CORE_READ(kq, meat))
		nt_frag_earlier(q, kq);
	bpf_map_update_elem(&nt_frags, &key, q, BPF_ANY);
	stored = bpf_map_lookup_elem(&nt_frags, &key);
	if (!stored) {
		nt_stat_add(NT_STAT_MAP_FULL, 1);
		return q;
	}
	nt_stat_add(NT_STAT_FRAG_OPENED, 1);
	return stored;
}

/* For a reason that is no event of its own. */
NT_INLINE void nt_frag_fails(const struct nt_frag_queue *q)
{
	if (q->bits & NT_FRAG_MATCHED)
		nt_stat_add(NT_STAT_FRAG_FAILED, 1);
}

NT_INLINE void nt_frag_close(__u64 key)
{
	if (!bpf_map_delete_elem(&nt_frags, &key))
		nt_stat_add(NT_STAT_FRAG_CLOSED, 1);
}

/* Fragments that come in order are one range. */
NT_INLINE void nt_frag_keep(struct nt_frag_queue *q, const struct nt_frag_call *c)
{
	__u64 n = q->n_ranges, last = n - 1;

	q->frags++;
	q->bytes += c->end - c->offset;
	if (c->end > q->end)
		q->end = c->end;
	if (!(c->bits & NT_FRAG_MF))
		q->bits |= NT_FRAG_LAST;
	NT_BARRIER(last);
	if (last < NT_FRAG_RANGES && q->range[last].to == c->offset) {
		q->range[last].to = c->end;
		return;
	}
	NT_BARRIER(n);
	if (n >= NT_FRAG_RANGES) {
		q->bits |= NT_FRAG_MORE;
		return;
	}
	q->range[n].from = c->offset;
	q->range[n].to = c->end;
	q->n_ranges = n + 1;
}

#endif
