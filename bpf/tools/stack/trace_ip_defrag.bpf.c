// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams that are put together, or not. ip_defrag(), ipv6_frag_rcv() and nf_ct_frag6_gather()
 * take one fragment each; what becomes of it is told by the functions of inet_fragment.c that they
 * call.
 */
#include "lib/frag.bpf.h"

NT_LICENSE;

#define EINPROGRESS 115
#define MAX_ERRNO 4095
#define OFFSET_MASK 0x1fff
#define MORE_FRAGMENTS 0x2000

/* ---- one fragment ---- */
/* Offset, end, id and "more fragments" of the fragment in cur; false: it is none. */
NT_INLINE bool read_ipv4(const struct nt_cur *cur, struct nt_frag_call *c)
{
	__u32 frag = bpf_ntohs(cur->frag_off);
	struct { __u8 vihl, tos; __be16 len; } ip;

	if (!(frag & (OFFSET_MASK | MORE_FRAGMENTS)) || nt_read_at(cur, cur->l3, &ip, sizeof(ip)))
		return false;
	c->offset = (frag & OFFSET_MASK) * 8;
	c->end = c->offset + bpf_ntohs(ip.len) - (ip.vihl & 15) * 4;
	c->id = bpf_ntohs(cur->ip_id);
	if (frag & MORE_FRAGMENTS)
		c->bits |= NT_FRAG_MF;
	return true;
}

NT_INLINE bool read_ipv6(const struct nt_cur *cur, struct nt_frag_call *c)
{
	struct { __u8 next, reserved; __be16 off; __be32 id; } frag;
	__be16 payload;

	if (!cur->frag || nt_read_at(cur, cur->frag, &frag, sizeof(frag)) ||
	    nt_read_at(cur, cur->l3 + 4, &payload, sizeof(payload)))
		return false;
	if (!(frag.off & bpf_htons(0xfff9)))	/* all of the datagram: nothing to wait for */
		return false;
	c->offset = bpf_ntohs(frag.off) & 0xfff8;
	c->end = c->offset + bpf_ntohs(payload) -
		 (cur->frag + sizeof(frag) - cur->l3 - sizeof(struct nt_ipv6));
	c->id = bpf_ntohl(frag.id);
	if (frag.off & bpf_htons(1))
		c->bits |= NT_FRAG_MF;
	return true;
}

/* Does the fragment concern us? Then it is parsed. The expression may be about ports, which only
 * the first fragment has: its verdict is kept with the queue. */
NT_INLINE bool read_fragment(const bool direct, struct sk_buff *skb, struct nt_cur *cur,
			     struct nt_frag_call *c, const __u16 eth_type)
{
	struct net_device *dev = NT_GET(direct, skb, dev);

	nt_cur_init(direct, cur, skb, NT_AT_L3);
	cur->eth_type = eth_type;
	cur->flow.eth_type = bpf_htons(eth_type);
	if (dev)	/* a packet of this host has none yet */
		nt_cur_dev(direct, cur, dev);
	nt_cur_l3(cur);
	if (!(eth_type == NT_ETH_P_IP ? read_ipv4(cur, c) : read_ipv6(cur, c)))
		return false;
	nt_cur_l4(cur);
	if (!nt_tuple_match(cur))
		return false;
	c->bits |= NT_FRAG_HAS;
	if (!nt_const(NT_CONST_PCAP) || nt_pcap_match(cur))
		c->bits |= NT_FRAG_MATCHED;
	if (cur->bits & NT_PKT_PORTS)
		c->bits |= NT_FRAG_PORTS;
	c->flow = cur->flow;
	return true;
}

NT_INLINE int call_begins(const bool direct, struct sk_buff *skb, __u32 user, const __u16 eth_type)
{
	struct nt_cur *cur = nt_cur_get();
	struct nt_frag_call *c, now;

	if (!cur || !nt_const(NT_CONST_TOOL2))
		return 0;
	__builtin_memset(&now, 0, sizeof(now));
	if (nt_quick_reject(direct, skb, NT_AT_L3) || !read_fragment(direct, skb, cur, &now, eth_type)) {
		nt_frag_call_push(false);
		return 0;
	}
	c = nt_frag_call_push(true);
	if (!c)
		return 0;
	now.bits |= NT_FRAG_USER;
	now.user = user;
	now.ts_ns = bpf_ktime_get_ns();
	*c = now;
	return 0;
}

/* Refused before it was inserted, or the datagram could not be put together: then this is the
 * only place that knows. failed: what the function returned says so. */
NT_INLINE void call_failed(void *ctx, struct nt_frag_call *c, bool failed, __u64 code)
{
	const __u32 known = 1 << NT_FRAG_DUP | 1 << NT_FRAG_OVERLAP | 1 << NT_FRAG_NOMEM |
			    1 << NT_FRAG_COMPLETE;
	struct nt_frag_queue *q = NULL;
	__u64 key = c->queue;

	if ((c->told & known) || !(failed || c->destroyed || (c->queue && !c->told)))
		return;
	if (key)
		q = bpf_map_lookup_elem(&nt_frags, &key);
	if (!q)
		q = nt_frag_blank(c);
	nt_frag_tell(ctx, c, q, NT_FRAG_ERROR, code);
	if (!c->destroyed)
		return;
	if (q)
		nt_frag_fails(q);
	nt_frag_close(key);
}

NT_INLINE int call_ends(void *ctx, bool failed, __u64 code)
{
	struct nt_frag_call *c = nt_frag_call_pop();

	if (c)
		call_failed(ctx, c, failed, code);
	return 0;
}

/* An int in a 64-bit register. */
NT_INLINE bool is_error(__u64 ret)
{
	return (__s32)ret < 0 && (__s32)ret != -EINPROGRESS;
}

NT_FUNC(defrag_in, void *net, struct sk_buff *skb, void *user)
{
	return call_begins(direct, skb, (__u64)user, NT_ETH_P_IP);
}

NT_RET(defrag_out, 3, __u64 ret)
{
	return call_ends(ctx, is_error(ret), ret);
}

NT_FUNC(frag6_in, struct sk_buff *skb)
{
	return call_begins(direct, skb, 0, NT_ETH_P_IPV6);
}

NT_RET(frag6_out, 1, __u64 ret)
{
	return call_ends(ctx, is_error(ret), ret);
}

NT_FUNC(gather_in, void *net, struct sk_buff *skb, void *user)
{
	return call_begins(direct, skb, (__u64)user, NT_ETH_P_IPV6);
}

/* It says "in progress" of every fragment that it has taken, also of refused ones. */
NT_RET(gather_out, 3, __u64 ret)
{
	return call_ends(ctx, false, 0);
}

/* ---- what becomes of it ---- */
NT_FUNC(find_in, void *fqdir)
{
	struct nt_frag_call *c = nt_frag_call_top();

	if (c)
		c->fqdir = (__u64)fqdir;
	return 0;
}

NT_RET(find_out, 2, __u64 ret)
{
	struct nt_frag_call *c = nt_frag_call_top();
	struct nt_frag_queue *q;

	if (!c)
		return 0;
	if (ret && ret < (__u64)-MAX_ERRNO) {
		c->queue = ret;
		return 0;
	}
	c->told |= 1 << NT_FRAG_NOMEM;
	q = nt_frag_blank(c);
	nt_frag_tell(ctx, c, q, NT_FRAG_NOMEM, 0);
	return 0;
}

/* Only a fragment that is about to be inserted has an end that the kernel has checked. */
NT_FUNC(insert_in, void *kq, struct sk_buff *skb, void *offset, void *end)
{
	struct nt_frag_call *c = nt_frag_call_top();

	if (!c)
		return 0;
	c->queue = (__u64)kq;
	c->offset = (__u32)(__u64)offset;
	c->end = (__u32)(__u64)end;
	c->inserting = 1;
	return 0;
}

/* The state that the fragment finds. The kernel begins a queue anew when too many datagrams of the
 * peer came in between: what it had is given up. */
NT_INLINE struct nt_frag_queue *nt_frag_find(void *ctx, const struct nt_frag_call *c, bool kept)
{
	struct inet_frag_queue *kq = (void *)c->queue;
	struct nt_frag_queue *q;
	__u64 key = c->queue;

	q = bpf_map_lookup_elem(&nt_frags, &key);
	if (q && (!kept || BPF_CORE_READ(kq, meat)))
		return q;
	if (q) {
		nt_frag_fails(q);
		nt_frag_tell(ctx, NULL, q, NT_FRAG_ERROR, 0);
		nt_frag_close(key);
	}
	return nt_frag_open(c);
}

NT_RET(insert_out, 4, __u64 ret)
{
	const __u32 verdict = ret;	/* 0 kept, 1 duplicate, 2 overlap */
	struct nt_frag_call *c = nt_frag_call_top();
	struct nt_frag_queue *q;

	if (!c || !c->inserting || verdict > 2)
		return 0;
	c->inserting = 0;
	q = nt_frag_find(ctx, c, !verdict);
	if (!q)
		return 0;
	q->bits |= c->bits & (NT_FRAG_MATCHED | NT_FRAG_PORTS);
	if (c->bits & NT_FRAG_PORTS) {
		q->flow.sport = c->flow.sport;
		q->flow.dport = c->flow.dport;
	}
	if (verdict == 0) {
		q->last_ns = c->ts_ns;
		nt_frag_keep(q, c);
	} else if (verdict == 1) {
		q->dups++;
	} else {
		q->overlaps++;
	}
	c->told |= 1 << verdict;	/* NT_FRAG_IN, _DUP, _OVERLAP */
	nt_frag_tell(ctx, c, q, verdict, 0);
	if (verdict == 2)		/* the kernel gives the datagram up */
		nt_frag_close(c->queue);
	return 0;
}

NT_FUNC(finish, void *kq)
{
	struct nt_frag_call *c = nt_frag_call_top();
	__u64 key = (__u64)kq, took;
	struct nt_hist_raw *h;
	struct nt_frag_queue *q;
	__u32 zero = 0;

	if (!c)
		return 0;
	c->told |= 1 << NT_FRAG_COMPLETE;
	q = bpf_map_lookup_elem(&nt_frags, &key);
	if (!q) {	/* there was no room for it */
		q = nt_frag_blank(c);
		if (!q)
			return 0;
		nt_frag_earlier(q, kq);
	}
	nt_frag_tell(ctx, c, q, NT_FRAG_COMPLETE, 0);
	h = bpf_map_lookup_elem(&nt_hists, &zero);
	took = q->last_ns - q->first_ns;
	if (h && (q->bits & NT_FRAG_MATCHED) && !(q->bits & NT_FRAG_EARLIER))
		nt_hist_record(h, took);
	nt_frag_close(key);
	return 0;
}

/* ---- queues that end otherwise ---- */
/* From the kernel's own key; the filter's devices are not known any more. */
NT_INLINE struct nt_frag_queue *nt_frag_of_key(struct inet_frag_queue *kq, const __u32 ip_version)
{
	struct nt_frag_queue *q = nt_frag_blank(NULL);
	struct nt_cur *cur = nt_cur_get();
	__be32 saddr, daddr;

	if (!q || !cur || nt_const(NT_CONST_PCAP))
		return NULL;
	__builtin_memset(cur, 0, sizeof(*cur));
	cur->l3 = cur->l4 = NT_NO_OFF;
	cur->bits = NT_PKT_L3;
	cur->flow.ip_version = ip_version;
	if (ip_version == 4) {
		saddr = BPF_CORE_READ(kq, key.v4.saddr);
		daddr = BPF_CORE_READ(kq, key.v4.daddr);
		nt_v4_mapped(cur->flow.saddr, (void *)&saddr);
		nt_v4_mapped(cur->flow.daddr, (void *)&daddr);
		cur->flow.proto = BPF_CORE_READ(kq, key.v4.protocol);
		q->id = bpf_ntohs(BPF_CORE_READ(kq, key.v4.id));
		q->user = BPF_CORE_READ(kq, key.v4.user);
	} else {
		bpf_probe_read_kernel(cur->flow.saddr, 16, &kq->key.v6.saddr);
		bpf_probe_read_kernel(cur->flow.daddr, 16, &kq->key.v6.daddr);
		q->id = bpf_ntohl(BPF_CORE_READ(kq, key.v6.id));
		q->user = BPF_CORE_READ(kq, key.v6.user);
	}
	if (!nt_tuple_match(cur))
		return NULL;
	q->queue = (__u64)kq;
	q->flow = cur->flow;
	q->bits = NT_FRAG_MATCHED | NT_FRAG_USER;
	nt_frag_earlier(q, kq);
	return q;
}

NT_INLINE int expires(void *ctx, void *timer, const __u32 ip_version)
{
	struct inet_frag_queue *kq;
	struct nt_frag_queue *q;
	__u64 key;

	if (!nt_const(NT_CONST_TOOL2))
		return 0;
	/* as a number: the verifier lets nobody step back from a typed pointer */
	bpf_probe_read_kernel(&key, sizeof(key), &timer);
	key -= bpf_core_field_offset(struct inet_frag_queue, timer);
	kq = (void *)key;
	if (BPF_CORE_READ(kq, flags) & NT_INET_FRAG_COMPLETE)
		return 0;	/* the last fragment came at this very moment */
	q = bpf_map_lookup_elem(&nt_frags, &key);
	if (!q)
		q = nt_frag_of_key(kq, ip_version);
	nt_frag_tell(ctx, NULL, q, NT_FRAG_TIMEOUT, 0);
	nt_frag_close(key);
	return 0;
}

NT_FUNC(expire4, void *timer)
{
	return expires(ctx, timer, 4);
}

NT_FUNC(expire6, void *timer)
{
	return expires(ctx, timer, 6);
}

NT_FUNC(expire_gather, void *timer)
{
	return expires(ctx, timer, 6);
}

/* A queue that we still have was not completed: it was given up by the call that is under way,
 * whose end tells why, or its namespace ends. */
NT_FUNC(destroy, void *kq)
{
	__u64 key = (__u64)kq;
	struct nt_frag_queue *q = bpf_map_lookup_elem(&nt_frags, &key);
	struct nt_frag_call *c;

	if (!q)
		return 0;
	c = nt_frag_call_top();
	if (c && c->queue == key) {
		c->destroyed = 1;
		return 0;
	}
	nt_frag_fails(q);
	nt_frag_tell(ctx, NULL, q, NT_FRAG_ERROR, 0);
	nt_frag_close(key);
	return 0;
}

/* ---- a kernel whose functions cannot be hooked: fragments that are freed with a reason ---- */
NT_INLINE __u32 what_of_reason(__u32 reason)
{
	const __u64 reasons = nt_const(NT_CONST_TOOL1);

	if (!reason)
		return NT_FRAG_WHATS;
	if (reason == (reasons & 0xffff))
		return NT_FRAG_TIMEOUT;
	if (reason == (reasons >> 16 & 0xffff))
		return NT_FRAG_DUP;
	return reason == (reasons >> 32 & 0xffff) ? NT_FRAG_ERROR : NT_FRAG_WHATS;
}

NT_TP(kfree_skb, struct sk_buff *skb)
{
	struct nt_cur *cur = nt_cur_get();
	struct nt_frag_queue *q;
	struct nt_frag_call c;
	__u32 what;

	if (!cur || nt_const(NT_CONST_TP_ARGS) < 3)
		return 0;
	what = what_of_reason(((__u64 *)ctx)[2]);
	if (what == NT_FRAG_WHATS)
		return 0;
	__builtin_memset(&c, 0, sizeof(c));
	nt_cur_init(direct, cur, skb, NT_AT_L3);
	nt_cur_maybe_dev(direct, cur, skb);
	nt_cur_l3(cur);
	if (!(cur->eth_type == NT_ETH_P_IP ? read_ipv4(cur, &c) : read_ipv6(cur, &c)) || !nt_filter(cur))
		return 0;
	nt_cur_parse(cur);
	c.ts_ns = bpf_ktime_get_ns();
	c.flow = cur->flow;
	c.bits |= NT_FRAG_HAS | NT_FRAG_MATCHED | (cur->bits & NT_PKT_PORTS ? NT_FRAG_PORTS : 0);
	q = nt_frag_blank(&c);
	nt_frag_tell(ctx, &c, q, what, 0);
	return 0;
}
