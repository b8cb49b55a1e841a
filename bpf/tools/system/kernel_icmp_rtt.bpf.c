// SPDX-License-Identifier: GPL-2.0
/*
 * Echo sessions by stage. At each hook a packet says itself what session it is
 * of, so that any of the hooks may be missing, and nothing is known but by them.
 * Hooks are numbered as a ping of this host meets them (enum nt_rtt_hook); for
 * one that comes in (rx) the request meets the second three, the reply the first.
 */
#define NT_TL_LEGS 1

#include "lib/timeline_rtt.bpf.h"

NT_LICENSE;

#define EEXIST	17
#define ALL	((1u << NT_RTT_HOOKS) - 1)

/* Of a hook that is known when this is compiled. */
#define STAGE(hook) \
	((hook) == NT_RTT_IP_OUT ? NT_TL_IP_OUT : (hook) == NT_RTT_PHY_QUEUE ? NT_TL_PHY_QUEUE : \
	 (hook) == NT_RTT_PHY_XMIT ? NT_TL_PHY_XMIT : (hook) == NT_RTT_PHY_RX ? NT_TL_PHY_RX : \
	 (hook) == NT_RTT_IP_RCV ? NT_TL_IP_RCV : NT_TL_L4_RCV)
#define SENT(hook) ((hook) < NT_RTT_LEG2)

NT_INLINE bool device_wanted(const struct nt_cur *c)
{
	struct nt_tuple *t;
	__u32 zero = 0;

	if (!(nt_const(NT_CONST_FILTER) & NT_FILTER_DEV))
		return true;
	t = bpf_map_lookup_elem(&nt_tuple, &zero);
	return t && nt_dev_match(t, c);
}

NT_INLINE __u32 ip_len(const struct nt_cur *c)
{
	return c->len - (c->l2 != NT_NO_OFF ? c->l3 - c->l2 : 0);
}

/* Of its packet only what is shown: the session's key has the rest. */
NT_INLINE void leg_begin(struct nt_timeline *l, const struct nt_cur *c, __u64 now, const __u32 hook)
{
	__builtin_memset(l, 0, offsetof(struct nt_timeline, stop));
	l->start_ns = now;
	l->direction = SENT(hook) ? NT_DIR_TX : NT_DIR_RX;
	l->pkt.len = ip_len(c);
	l->pkt.ttl = c->ttl;
}

NT_INLINE void stamp(void *ctx, struct nt_timeline *l, const struct nt_cur *c, __u64 now, const __u32 hook)
{
	struct nt_tl_stop *s = nt_tl_stop_new(ctx, l, STAGE(hook), now);

	if (s) {
		s->ifindex = c->flow.ifindex;
		s->netns = c->flow.netns;
	}
}

/* ---- the first stage ---- */
NT_INLINE void start(void *ctx, const struct nt_cur *c, const struct nt_echo_key *k, __u64 now, const __u32 hook)
{
	struct nt_rtt *s, *old = bpf_map_lookup_elem(&nt_rtts, k);
	long err;

	if (old && hook != NT_RTT_IP_OUT && now - old->start_ns < NT_RTT_REPASS_NS)
		return;		/* stacked devices */
	if (nt_const(NT_CONST_PCAP) && !nt_pcap_match(c))
		return;
	if (old)
		nt_rtt_supersede(ctx, k, now);
	s = nt_scratch_get(1);
	if (!s)
		return;
	s->start_ns = now;
	s->ended_ns = 0;
	s->key = *k;
	s->ended = s->pad = 0;
	__builtin_memset(&s->leg[1], 0, offsetof(struct nt_timeline, stop));
	leg_begin(&s->leg[0], c, now, hook);
	stamp(ctx, &s->leg[0], c, now, hook);
	if (SENT(hook))
		nt_tl_task(&s->leg[0]);
	err = bpf_map_update_elem(&nt_rtts, k, s, BPF_NOEXIST);
	if (err == -EEXIST)	/* another CPU has just started it */
		return;
	nt_stat_add(NT_STAT_EVENTS, 1);
	nt_stat_add(NT_STAT_RTT_STARTED, 1);
	if (err) {
		nt_stat_add(NT_STAT_MAP_FULL, 1);
		nt_tl_bury(k, NT_PAST_REFUSED, 0);
	}
}

/* ---- those behind it ---- */
/* The entry goes first: whoever deletes it has finished the session, so a duplicate reply on another CPU counts
 * nothing. */
NT_SUBPROG int finish(void *ctx, const struct nt_echo_key *k, __u64 now, __u32 ifindex)
{
	struct nt_rtt *s;

	if (!k)
		return 0;
	s = bpf_map_lookup_elem(&nt_rtts, k);
	if (s)
		s = nt_rtt_take(s, k, now, NT_RTT_COMPLETE);
	if (!s)
		return 0;
	nt_tl_bury(k, NT_PAST_DONE, ifindex);
	s->leg[0].part = NT_TL_LEG1;
	s->leg[1].part = NT_TL_LEG2;
	s->leg[0].ended = s->leg[1].ended = NT_TL_COMPLETE;
	s->leg[0].ended_ns = nt_tl_stop(&s->leg[0], (__u64)s->leg[0].n - 1)->ts_ns;
	s->leg[1].ended_ns = now;
	nt_rtt_completed(ctx, s);
	return 0;
}

/*
 * A packet of the reply whose session is not there. local: this host handed it
 * up or made it, so its request must have been seen; at the device hooks it may
 * be anybody's. What the request was not let in for cannot be told from it.
 */
NT_INLINE void without_session(const struct nt_cur *c, const struct nt_echo_key *k, bool local, bool last)
{
	bool same_device = false;
	enum nt_past_fate fate;

	if (!local && !last)
		return;
	fate = nt_past_fate_of(nt_tl_key_hash(k), c->flow.ifindex, &same_device);
	if (fate == NT_PAST_DONE && last && same_device)
		nt_stat_add(NT_STAT_RTT_DUPLICATE, 1);
	if (fate != NT_PAST_UNKNOWN || !local || nt_const(NT_CONST_PCAP))
		return;
	if ((nt_const(NT_CONST_FILTER) & NT_FILTER_DEV) && k->direction == NT_DIR_RX)
		return;
	nt_stat_add(NT_STAT_UNMATCHED, 1);
}

NT_INLINE void pass(void *ctx, const struct nt_cur *c, const struct nt_echo_key *k, bool request, __u64 now,
		    const __u32 hook, bool local, bool last)
{
	struct nt_rtt *s = bpf_map_lookup_elem(&nt_rtts, k);
	struct nt_timeline *l;

	if (!s) {
		nt_tl_reject(STAGE(hook), NT_RTT_REJECT_STATE);
		without_session(c, k, local, last);
		return;
	}
	if (ip_len(c) > s->leg[0].pkt.len)	/* the first fragment began it */
		s->leg[0].pkt.len = ip_len(c);
	l = request ? &s->leg[0] : &s->leg[1];
	if (!l->start_ns)
		leg_begin(l, c, now, hook);
	stamp(ctx, l, c, now, hook);
	if (last)
		finish(ctx, k, now, c->flow.ifindex);
}

/* ---- an echo packet at a hook: which session, what to do ---- */
#define LOWEST(m) ((m) & 1 ? 0 : (m) & 2 ? 1 : (m) & 4 ? 2 : (m) & 8 ? 3 : (m) & 16 ? 4 : 5)
#define HIGHEST(m) ((m) & 32 ? 5 : (m) & 16 ? 4 : (m) & 8 ? 3 : (m) & 4 ? 2 : (m) & 2 ? 1 : 0)
/* In the order of sessions that come in. */
#define ROTATED(m) (((m) >> NT_RTT_LEG2 | (m) << NT_RTT_LEG2) & ALL)

NT_INLINE int at_hook(void *ctx, struct nt_cur *c, const __u32 hook)
{
	const __u32 hooked = nt_const(NT_CONST_TOOL2);
	bool request = nt_echo_is_request(c->icmp_type), last, local;
	__u32 mask = (c->flow.ip_version == 6 ? hooked >> NT_RTT_HOOKS_V6 : hooked) & ALL, stage = hook;
	__u64 now = bpf_ktime_get_ns();
	struct nt_echo_key k;

	if (!nt_tl_leg_wanted(&k, c, request, SENT(hook) ? NT_DIR_TX : NT_DIR_RX, STAGE(hook)))
		return 0;
	if (k.direction == NT_DIR_RX) {
		mask = ROTATED(mask);
		stage = (hook + NT_RTT_LEG2) % NT_RTT_HOOKS;
	}
	if (stage == LOWEST(mask)) {
		start(ctx, c, &k, now, hook);
		return 0;
	}
	last = stage == HIGHEST(mask);
	/* where a reply is certainly this host's: icmp_rcv and ip_out, if they are hooked */
	local = k.direction == NT_DIR_TX ? last : stage == NT_RTT_LEG2 + LOWEST(mask >> NT_RTT_LEG2);
	pass(ctx, c, &k, request, now, hook, local, last);
	return 0;
}

/* Is it an echo packet? Reads it into c. */
NT_INLINE bool is_echo(struct nt_cur *c, const __u32 hook)
{
	if (c->eth_type != NT_ETH_P_IP && c->eth_type != NT_ETH_P_IPV6) {
		nt_tl_reject(STAGE(hook), NT_RTT_REJECT_PROTOCOL);
		return false;
	}
	nt_cur_l3(c);
	if (!(c->bits & NT_PKT_L3)) {
		nt_tl_reject(STAGE(hook), NT_RTT_REJECT_PARSE);
		return false;
	}
	if (c->flow.proto != 1 && c->flow.proto != 58) {
		nt_tl_reject(STAGE(hook), NT_RTT_REJECT_PROTOCOL);
		return false;
	}
	nt_cur_l4(c);
	if (c->bits & NT_PKT_ECHO)
		return true;
	/* a later fragment has no ICMP header */
	nt_tl_reject(STAGE(hook), c->bits & NT_PKT_ICMP ? NT_RTT_REJECT_TYPE : NT_RTT_REJECT_PARSE);
	return false;
}

/* eth_type 0: skb->protocol is set. dev NULL: the hook has no device that can be trusted. */
NT_INLINE int hook(void *ctx, const bool direct, struct sk_buff *skb, struct net_device *dev, const __u32 n,
		   const enum nt_at at, const __u16 eth_type)
{
	struct nt_cur *c = nt_cur_get();

	if (!c)
		return 0;
	nt_cur_init(direct, c, skb, at);
	if (eth_type)
		c->eth_type = eth_type;
	if (dev && at == NT_AT_DATA_L2)
		nt_cur_without_l2(direct, c, dev);
	if (!is_echo(c, n))
		return 0;
	if (dev) {
		nt_cur_dev(direct, c, dev);
		if (!device_wanted(c)) {
			nt_tl_reject(STAGE(n), NT_RTT_REJECT_DEVICE);
			return 0;
		}
	}
	return at_hook(ctx, c, n);
}

#define ECHO_TP(stem, at, args...) \
	NT_TP_(stem, nt_rtt_quick_other(true, (void *)ctx[0], at, 0), nt_rtt_quick_other(false, (void *)ctx[0], at, 0), ##args)
/* n: which argument the skb is, counted from 1 */
#define ECHO_FUNC(stem, n, eth_type, args...) \
	NT_FUNC_(stem, nt_rtt_quick_other(true, (void *)ctx[n - 1], NT_AT_L3, eth_type), \
		 nt_rtt_quick_other(false, (void *)PT_REGS_PARM##n(ctx), NT_AT_L3, eth_type), ##args)

/* At __ip_local_out skb->protocol is not set yet (the function does that). */
ECHO_FUNC(ip_out, 3, NT_ETH_P_IP, void *net, void *sk, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, NT_RTT_IP_OUT, NT_AT_L3, NT_ETH_P_IP);
}

ECHO_FUNC(ip6_out, 3, NT_ETH_P_IPV6, void *net, void *sk, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, NT_RTT_IP_OUT, NT_AT_L3, NT_ETH_P_IPV6);
}

ECHO_TP(phy_queue, NT_AT_DATA_L2, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NT_GET(direct, skb, dev), NT_RTT_PHY_QUEUE, NT_AT_DATA_L2, 0);
}

ECHO_TP(phy_xmit, NT_AT_DATA_L2, struct sk_buff *skb, struct net_device *dev)
{
	return hook(ctx, direct, skb, dev, NT_RTT_PHY_XMIT, NT_AT_DATA_L2, 0);
}

ECHO_TP(phy_rx, NT_AT_DATA_L3, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NT_GET(direct, skb, dev), NT_RTT_PHY_RX, NT_AT_DATA_L3, 0);
}

ECHO_FUNC(ip_rcv, 1, NT_ETH_P_IP, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, NT_RTT_IP_RCV, NT_AT_L3, NT_ETH_P_IP);
}

ECHO_FUNC(ip6_rcv, 1, NT_ETH_P_IPV6, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, NT_RTT_IP_RCV, NT_AT_L3, NT_ETH_P_IPV6);
}

/* Only these packets come here. */
NT_FUNC(icmp_rcv, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, NT_RTT_ICMP_RCV, NT_AT_L3, NT_ETH_P_IP);
}

NT_FUNC(icmp6_rcv, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, NT_RTT_ICMP_RCV, NT_AT_L3, NT_ETH_P_IPV6);
}
