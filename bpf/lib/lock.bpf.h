/* SPDX-License-Identifier: GPL-2.0 */
/* Calls at locks: how long each took, summed by process, lock and class of call. */
#ifndef NT_BPF_LOCK_H
#define NT_BPF_LOCK_H

#include "lib/hist.bpf.h"
#include "lib/stacks.bpf.h"
#include "lib/task.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct nt_lock_call);
} nt_lock_calls SEC(".maps");

#define LOCK_ROWS(name)				\
struct {					\
	__uint(type, BPF_MAP_TYPE_HASH);	\
	__uint(max_entries, 16384);		\
	__type(key, struct nt_lock_key);	\
	__type(value, struct nt_lock_val);	\
} name SEC(".maps")
LOCK_ROWS(nt_locks0);		/* of the intervals of even number */
LOCK_ROWS(nt_locks1);

/* Who woke somebody at a lock last: a hint, so an old one may go unseen. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct nt_lock_key);
	__type(value, struct nt_lock_waker);
} nt_wakers SEC(".maps");

#define LOCK_STACKS(name)			\
struct {					\
	__uint(type, BPF_MAP_TYPE_HASH);	\
	__uint(max_entries, 16384);		\
	__type(key, struct nt_lock_stack_key);	\
	__type(value, struct nt_lock_stack_val);	\
} name SEC(".maps")
LOCK_STACKS(nt_lock_stacks0);
LOCK_STACKS(nt_lock_stacks1);

NT_HISTS(nt_lock_hists, NT_LOCK_CLASSES);

NT_INLINE bool nt_lock_measured(__u32 class)
{
	return nt_const(NT_CONST_TOOL1) & (1ULL << (class & (NT_LOCK_CLASSES - 1)));
}

/* The running thread enters a call. */
NT_INLINE void nt_lock_begin(void *ctx, __u64 addr, __u32 class, __u32 owner_tid, __u64 caller)
{
	__u64 ids = bpf_get_current_pid_tgid();
	struct nt_lock_call c;
	__u32 tid = ids;

	__builtin_memset(&c, 0, sizeof(c));
	c.addr = addr;
	c.tgid = ids >> 32;
	c.class = class;
	c.owner_tid = owner_tid;
	c.caller = caller;
	c.stack = NT_NO_STACK;
	bpf_get_current_comm(c.comm, sizeof(c.comm));
	if ((nt_const(NT_CONST_TOOL0) & NT_LOCK_STACK) && nt_lock_measured(class)) {
		c.stack = bpf_get_stackid(ctx, &nt_stacks, BPF_F_USER_STACK);
		if (c.stack < 0)
			nt_stat_add(NT_STAT_LOCK_NO_STACK, 1);
	}
	c.since_ns = bpf_ktime_get_ns();	/* last: our own work is not the call's */
	if (bpf_map_update_elem(&nt_lock_calls, &tid, &c, BPF_ANY))
		nt_stat_add(NT_STAT_MAP_FULL, 1);
}

NT_INLINE void nt_lock_count(struct nt_lock_val *v, const struct nt_lock_call *c, const struct nt_lock_key *k,
			     __u64 time, __s64 ret, bool wakes)
{
	struct nt_lock_waker *w = bpf_map_lookup_elem(&nt_wakers, k);

	__sync_fetch_and_add(&v->calls, 1);
	__sync_fetch_and_add(&v->total_ns, time);
	nt_max(&v->max_ns, time);
	if (ret == -110 /* ETIMEDOUT */)
		__sync_fetch_and_add(&v->timeouts, 1);
	else if (ret == -11 /* EAGAIN */)
		__sync_fetch_and_add(&v->again, 1);
	else if (ret == -4 /* EINTR */ || (ret <= -512 && ret >= -516) /* ERESTART... */)
		__sync_fetch_and_add(&v->interrupted, 1);
	else if (ret < 0)
		__sync_fetch_and_add(&v->failed, 1);
	else if (wakes)
		__sync_fetch_and_add(&v->woken, ret);
	v->last_tid = bpf_get_current_pid_tgid();
	__builtin_memcpy(v->comm, c->comm, 16);
	if (c->owner_tid) {
		v->peer_tid = c->owner_tid;
		__builtin_memset(v->peer_comm, 0, 16);
	} else if (w) {
		v->peer_tid = w->tid;
		__builtin_memcpy(v->peer_comm, w->comm, 16);
	}
}

NT_INLINE void nt_lock_count_stack(const struct nt_lock_call *c, const struct nt_lock_key *k, __u64 time,
				   bool odd)
{
	struct nt_lock_stack_val zero = { 0 }, *v;
	struct nt_lock_stack_key s = { .lock = *k };

	s.caller = c->caller;
	s.stack = c->stack;
	v = odd ? nt_row(&nt_lock_stacks1, &s, &zero) : nt_row(&nt_lock_stacks0, &s, &zero);
	if (!v)
		return;
	__sync_fetch_and_add(&v->calls, 1);
	__sync_fetch_and_add(&v->total_ns, time);
	nt_max(&v->max_ns, time);
}

/* A call of the running thread returned ret. wakes: ret is a number of threads that it woke, those of
 * calls of class waiters at the same lock. */
NT_INLINE void nt_lock_end(__s64 ret, bool wakes, __u32 waiters)
{
	const __u64 now = bpf_ktime_get_ns();
	__u32 tid = bpf_get_current_pid_tgid();
	struct nt_lock_call *c = bpf_map_lookup_elem(&nt_lock_calls, &tid);
	struct nt_task_cfg *cfg = nt_task_cfg_get();
	struct nt_lock_val zero = { .calls = 0 }, *v;
	struct nt_lock_key k;
	struct nt_hist_raw *h;
	__u64 time;

	if (!c || !cfg)
		return;
	k.addr = c->addr;
	k.tgid = c->tgid;
	k.class = waiters;
	if (wakes && ret > 0) {
		struct nt_lock_waker w = { .tid = tid };

		__builtin_memcpy(w.comm, c->comm, 16);
		bpf_map_update_elem(&nt_wakers, &k, &w, BPF_ANY);
	}
	k.class = c->class;
	time = now > c->since_ns ? now - c->since_ns : 0;
	if (!nt_lock_measured(c->class))
		return;
	if (time < nt_const(NT_CONST_TOOL2)) {
		nt_stat_add(NT_STAT_LOCK_BELOW, 1);
		return;
	}
	nt_stat_add(NT_STAT_EVENTS, 1);
	h = bpf_map_lookup_elem(&nt_lock_hists, &k.class);
	if (h)
		nt_hist_record(h, time);
	v = cfg->sample & 1 ? nt_row(&nt_locks1, &k, &zero) : nt_row(&nt_locks0, &k, &zero);
	if (v)
		nt_lock_count(v, c, &k, time, ret, wakes);
	if (v && (nt_const(NT_CONST_TOOL0) & NT_LOCK_STACK))
		nt_lock_count_stack(c, &k, time, cfg->sample & 1);
}

/* The call is over, or the thread: nothing of it stays. False: its beginning was not seen. */
NT_INLINE bool nt_lock_forget(void)
{
	__u32 tid = bpf_get_current_pid_tgid();

	return !bpf_map_delete_elem(&nt_lock_calls, &tid);
}

#endif
