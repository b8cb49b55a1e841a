// SPDX-License-Identifier: GPL-2.0
/*
 * Echo sessions by stage. Hooks are numbered as a local ping meets them:
 * 0 ip_out, 1 phy_queue, 2 phy_xmit with the request, 3 phy_rx, 4 ip_rcv,
 * 5 icmp_rcv with the reply. For a ping that comes in (rx) the request meets
 * 3, 4, 5 and the reply 0, 1, 2: stage = (hook + 3) mod 6.
 */
#include "lib/filter.bpf.h"
#include "lib/latency.bpf.h"

NT_LICENSE;

#define LEG2		3
#define REPASS_NS	1000000000ULL	/* a device hook again within this: stacked devices */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct nt_echo_key);
	__type(value, struct nt_lat);
} nt_lat SEC(".maps");

NT_INLINE bool is_request(const struct nt_cur *c)
{
	return c->icmp_type == 8 || c->icmp_type == 128;
}

NT_INLINE void key_fill(struct nt_echo_key *k, const struct nt_cur *c, bool request, __u32 dir)
{
	__builtin_memset(k, 0, sizeof(*k));
	if (request) {
		__builtin_memcpy(k->initiator, c->flow.saddr, 16);
		__builtin_memcpy(k->target, c->flow.daddr, 16);
	} else {
		__builtin_memcpy(k->initiator, c->flow.daddr, 16);
		__builtin_memcpy(k->target, c->flow.saddr, 16);
	}
	k->id = c->flow.icmp_id;
	k->seq = c->flow.icmp_seq;
	k->ip_version = c->flow.ip_version;
	k->direction = dir;
}

/* Addresses are the session's: src the initiator, dst the target. */
NT_INLINE bool key_wanted(const struct nt_echo_key *k)
{
	const __u64 mask = nt_const(NT_CONST_FILTER);
	struct nt_tuple *t;
	__u32 zero = 0;

	if (!(mask & (NT_FILTER_SRC | NT_FILTER_DST)))
		return true;
	t = bpf_map_lookup_elem(&nt_tuple, &zero);
	if (!t)
		return false;
	if ((mask & NT_FILTER_SRC) && !nt_addr_match(k->initiator, t->src, t->src_mask))
		return false;
	return !(mask & NT_FILTER_DST) || nt_addr_match(k->target, t->dst, t->dst_mask);
}

NT_INLINE bool device_wanted(const struct nt_cur *c)
{
	struct nt_tuple *t;
	__u32 zero = 0;

	if (!(nt_const(NT_CONST_FILTER) & NT_FILTER_DEV))
		return true;
	t = bpf_map_lookup_elem(&nt_tuple, &zero);
	return t && nt_dev_match(t, c);
}

NT_INLINE void emit(void *ctx, const struct nt_echo_key *k, const struct nt_lat *l, __u64 now,
		    __u32 ended, __u32 stage)
{
	struct nt_echo_event *e = nt_scratch_get(1);

	if (!e)
		return;
	e->ts_ns = now;
	e->key = *k;
	e->ended = ended;
	e->last_stage = stage;
	__builtin_memcpy(&e->lat, l, sizeof(*l));
	nt_emit(ctx, e, sizeof(*e));
}

NT_INLINE void start(void *ctx, struct nt_cur *c, const struct nt_echo_key *k, __u64 now,
		     const __u32 hook, __u32 stage)
{
	struct nt_lat *l, *old;
	__u64 id;

	old = bpf_map_lookup_elem(&nt_lat, k);
	if (old && hook != 0 && now - old->ts[stage & (NT_STAGES - 1)] < REPASS_NS)
		return;
	if (nt_const(NT_CONST_PCAP) && !nt_pcap_match(c))
		return;
	nt_stat_add(NT_STAT_STARTED, 1);
	l = nt_scratch_get(0);
	if (!l)
		return;
	if (old) {
		nt_stat_add(NT_STAT_EVICTED, 1);
		nt_stat_add(NT_STAT_SUPERSEDED, 1);
		emit(ctx, k, old, now, NT_LAT_SUPERSEDED, stage);
	}
	__builtin_memset(l, 0, sizeof(*l));
	nt_lat_stamp(ctx, l, stage, now, c->flow.ifindex);
	l->netns = c->flow.netns;
	l->len = c->len;
	l->ttl = c->ttl;
	if (hook < LEG2 && k->direction == NT_DIR_TX) {
		id = bpf_get_current_pid_tgid();
		l->pid = id >> 32;
		l->tid = id;
		bpf_get_current_comm(l->comm, sizeof(l->comm));
	}
	if (bpf_map_update_elem(&nt_lat, k, l, BPF_ANY))
		nt_lat_refuse(nt_lat_hash(k, sizeof(*k)));
}

NT_INLINE void finish(void *ctx, const struct nt_echo_key *k, struct nt_lat *l, __u64 now,
		      __u32 stage)
{
	struct nt_lat *done = nt_scratch_get(0);
	__u64 total;

	if (!done)
		return;
	/* The entry goes first: whoever deletes it has finished the passage, so a duplicate
	 * reply on another CPU counts nothing. */
	__builtin_memcpy(done, l, sizeof(*done));
	if (bpf_map_delete_elem(&nt_lat, k))
		return;
	total = nt_lat_record(done, LEG2);
	nt_stat_add(NT_STAT_COMPLETED, 1);
	if (!(nt_const(NT_CONST_TOOL1) & NT_LAT_EVENTS))
		return;
	if (total < nt_const(NT_CONST_TOOL2)) {
		nt_stat_add(NT_STAT_BELOW, 1);
		return;
	}
	emit(ctx, k, done, now, NT_LAT_COMPLETE, stage);
}

NT_INLINE void pass(void *ctx, struct nt_cur *c, const struct nt_echo_key *k, __u64 now,
		    __u32 stage, bool first_of_leg2, bool last)
{
	struct nt_lat *l = bpf_map_lookup_elem(&nt_lat, k);

	if (!l) {
		if (!first_of_leg2)
			return;
		if (nt_lat_was_refused(nt_lat_hash(k, sizeof(*k))))
			return;
		nt_stat_add(NT_STAT_UNMATCHED, 1);
		return;
	}
	if (stage >= LEG2)
		l->ttl = c->ttl;
	nt_lat_stamp(ctx, l, stage, now, c->flow.ifindex);
	if (last)
		finish(ctx, k, l, now, stage);
}

#define LOWEST(m) ((m) & 1 ? 0 : (m) & 2 ? 1 : (m) & 4 ? 2 : (m) & 8 ? 3 : (m) & 16 ? 4 : 5)
#define HIGHEST(m) ((m) & 32 ? 5 : (m) & 16 ? 4 : (m) & 8 ? 3 : (m) & 4 ? 2 : (m) & 2 ? 1 : 0)

/* An echo packet in c at a hook: which session, which stage, what to do. */
NT_INLINE int at_hook(void *ctx, struct nt_cur *c, const __u32 hook)
{
	const __u64 sw = nt_const(NT_CONST_TOOL1), hooked = nt_const(NT_CONST_TOOL0);
	bool request = is_request(c);
	__u32 dir = request == (hook < LEG2) ? NT_DIR_TX : NT_DIR_RX;
	__u32 mask = dir == NT_DIR_TX ? hooked & 0xff : hooked >> 8 & 0xff;
	__u32 stage = dir == NT_DIR_TX ? hook : (hook + LEG2) % 6;
	__u64 now = bpf_ktime_get_ns();
	struct nt_echo_key k;

	if (!(sw & (dir == NT_DIR_TX ? NT_LAT_TX : NT_LAT_RX)))
		return 0;
	key_fill(&k, c, request, dir);
	if (!key_wanted(&k))
		return 0;
	nt_stat_add(NT_STAT_STAGE0 + stage, 1);
	if (stage == LOWEST(mask))
		start(ctx, c, &k, now, hook, stage);
	else
		pass(ctx, c, &k, now, stage, stage == 3 + LOWEST(mask >> 3), stage == HIGHEST(mask));
	return 0;
}

/* eth_type 0: skb->protocol is set. dev NULL: the hook has no device that can be trusted. */
NT_INLINE int hook(void *ctx, const bool direct, struct sk_buff *skb, struct net_device *dev,
		   const __u32 n, const enum nt_at at, const __u16 eth_type)
{
	struct nt_cur *c = nt_cur_get();

	if (!c)
		return 0;
	nt_cur_init(direct, c, skb, at);
	if (eth_type)
		c->eth_type = eth_type;
	if (c->eth_type != NT_ETH_P_IP && c->eth_type != NT_ETH_P_IPV6)
		return 0;
	nt_cur_l3(c);
	if (c->flow.proto != 1 && c->flow.proto != 58)
		return 0;
	nt_cur_l4(c);
	if (!(c->bits & NT_PKT_ECHO))
		return 0;
	if (dev) {
		nt_cur_dev(direct, c, dev);
		if (!device_wanted(c))
			return 0;
	}
	return at_hook(ctx, c, n);
}

/* At __ip_local_out skb->protocol is not set yet (the function does that). */
NT_FUNC(ip_out, void *net, void *sk, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 0, NT_AT_L3, NT_ETH_P_IP);
}

NT_FUNC(ip6_out, void *net, void *sk, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 0, NT_AT_L3, NT_ETH_P_IPV6);
}

NT_TP(phy_queue, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NT_GET(direct, skb, dev), 1, NT_AT_DATA_L2, 0);
}

NT_TP(phy_xmit, struct sk_buff *skb, struct net_device *dev)
{
	return hook(ctx, direct, skb, dev, 2, NT_AT_DATA_L2, 0);
}

NT_TP(phy_rx, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NT_GET(direct, skb, dev), 3, NT_AT_DATA_L3, 0);
}

NT_FUNC(ip_rcv, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 4, NT_AT_L3, NT_ETH_P_IP);
}

NT_FUNC(ip6_rcv, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 4, NT_AT_L3, NT_ETH_P_IPV6);
}

NT_FUNC(icmp_rcv, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 5, NT_AT_L3, NT_ETH_P_IP);
}

NT_FUNC(icmp6_rcv, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 5, NT_AT_L3, NT_ETH_P_IPV6);
}
