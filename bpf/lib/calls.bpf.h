/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls of a kernel function that have not returned yet, by who is in them
 * (nt_caller()): what its entry saw is wanted at its return. They nest: a
 * function may call itself, a softirq may run on top of a task that is in it.
 * NT_CALLS(name, type, deep) makes the map and these, type being what is known
 * of a call and deep a power of two:
 *
 *	name_get()	the caller's calls, NULL: it never made one
 *	name_at(calls, i)	one of them, 0: the outermost
 *	name_push()	a call begins: its record, all zero; NULL: no memory
 *	name_top()	the innermost, NULL: there is none
 *	name_pop()	the innermost ends; NULL: there is none, it began before the gate opened
 *
 * The map forgets callers that were not in the function for long (LRU). Should
 * it ever forget one that is, begun and ended calls differ at the end, and user
 * space counts them as unmatched.
 *
 * NT_LONG_CALLS(name, type, entries) is for calls that may take minutes, in which
 * many threads may be at a time, and which do not nest: the map forgets nobody by
 * itself, name_forget() has to be called when a call has ended, and the scheduler's
 * hooks may ask for the call of any thread with name_of(tid).
 */
#ifndef NT_BPF_CALLS_H
#define NT_BPF_CALLS_H

#include "lib/maps.bpf.h"

/* i is below deep, which the mask tells the verifier; the barriers keep it where it is, and make clang
 * keep the pointer: 4.19 forgets the bounds of a number that was on the stack. */
#define NT_CALLS(name, type_, deep) NT_CALLS_IN(BPF_MAP_TYPE_LRU_HASH, 4096, name, type_, deep)

#define NT_CALLS_IN(kind, entries, name, type_, deep)				\
struct name##_stack {								\
	__u32 n, pad;								\
	type_ call[deep];							\
};										\
_Static_assert(sizeof(struct name##_stack) <= NT_SCRATCH_SIZE, "calls too large");	\
struct {									\
	__uint(type, kind);							\
	__uint(max_entries, entries);						\
	__type(key, __u32);							\
	__type(value, struct name##_stack);					\
} name SEC(".maps");								\
										\
/* Begun and ended calls tell of entries that were forgotten: only an LRU map does that. */	\
NT_INLINE void name##_count(__u32 stat, __u64 n)				\
{										\
	if ((kind) == BPF_MAP_TYPE_LRU_HASH)					\
		nt_stat_add(stat, n);						\
}										\
										\
NT_INLINE struct name##_stack *name##_get(void)					\
{										\
	__u32 key = nt_caller();						\
										\
	return bpf_map_lookup_elem(&name, &key);				\
}										\
										\
NT_INLINE type_ *name##_at(struct name##_stack *c, __u64 i)			\
{										\
	type_ *at;								\
										\
	NT_BARRIER(i);								\
	i &= (deep) - 1;							\
	NT_BARRIER(i);								\
	at = &c->call[i];							\
	NT_BARRIER(at);								\
	return at;								\
}										\
										\
NT_INLINE struct name##_stack *name##_make(void)				\
{										\
	struct name##_stack *c = name##_get(), *none;				\
	__u32 key = nt_caller();						\
										\
	if (c)									\
		return c;							\
	none = nt_scratch_get(1);	/* each call is cleared as it begins */	\
	if (!none)								\
		return NULL;							\
	none->n = none->pad = 0;						\
	bpf_map_update_elem(&name, &key, none, BPF_NOEXIST);			\
	c = bpf_map_lookup_elem(&name, &key);					\
	if (!c)									\
		nt_stat_add(NT_STAT_MAP_FULL, 1);				\
	return c;								\
}										\
										\
NT_INLINE type_ *name##_push_on(struct name##_stack *c)				\
{										\
	type_ *top;								\
										\
	if (!c)									\
		return NULL;							\
	if (c->n >= (deep)) {		/* returns were missed */		\
		c->n = 0;							\
		nt_stat_add(NT_STAT_UNMATCHED, deep);				\
		name##_count(NT_STAT_CALLS_ENDED, deep);			\
	}									\
	top = name##_at(c, c->n);						\
	c->n++;									\
	__builtin_memset(top, 0, sizeof(*top));					\
	name##_count(NT_STAT_CALLS_BEGUN, 1);					\
	return top;								\
}										\
										\
NT_INLINE type_ *name##_push(void)						\
{										\
	return name##_push_on(name##_make());					\
}										\
										\
NT_INLINE type_ *name##_top(void)						\
{										\
	struct name##_stack *c = name##_get();					\
										\
	return c && c->n ? name##_at(c, (__u64)c->n - 1) : NULL;		\
}										\
										\
NT_INLINE type_ *name##_pop_off(struct name##_stack *c)				\
{										\
	if (!c || !c->n)							\
		return NULL;							\
	c->n--;									\
	name##_count(NT_STAT_CALLS_ENDED, 1);					\
	return name##_at(c, c->n);						\
}										\
										\
NT_INLINE type_ *name##_pop(void)						\
{										\
	return name##_pop_off(name##_get());					\
}

#define NT_LONG_CALLS(name, type_, entries)					\
NT_CALLS_IN(BPF_MAP_TYPE_HASH, entries, name, type_, 1)				\
										\
NT_INLINE type_ *name##_of(__u32 tid)						\
{										\
	struct name##_stack *c = tid ? bpf_map_lookup_elem(&name, &tid) : NULL;	\
										\
	return c && c->n ? name##_at(c, 0) : NULL;				\
}										\
										\
/* False: there was none. */							\
NT_INLINE bool name##_forget(void)						\
{										\
	__u32 key = nt_caller();						\
										\
	return !bpf_map_delete_elem(&name, &key);				\
}

#endif
