/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stages of this host's own packets, between its IP layer and its uplinks, with
 * Open vSwitch between them or without. A packet that is sent begins at its
 * output by IP and ends at an uplink's queue; one that is received begins at an
 * uplink and ends at its transport protocol. What a tool does not hook is no
 * stage of its.
 */
#ifndef NT_BPF_TIMELINE_HOST_H
#define NT_BPF_TIMELINE_HOST_H

#ifdef NT_TL_TO_DRIVER
#include "lib/qdisc.bpf.h"
#endif
#include "lib/calls.bpf.h"
#include "lib/timeline_dev.bpf.h"
#if NT_TL_LEGS
#include "lib/timeline_legs.bpf.h"
#endif
#include "lib/timeline_l4.bpf.h"

#define NT_OVS_PACKET_CMD_MISS 1
#define NT_EINTR 4
#define NT_EAGAIN 11
#define NT_ERESTARTSYS 512

/* ---- sent: the first stage ---- */
NT_INLINE void nt_tl_send(void *ctx, const bool direct, struct sk_buff *skb, struct nt_cur *c)
{
#if NT_TL_LEGS
	nt_tl_leg(ctx, direct, skb, c, NT_DIR_TX, NT_TL_IP_OUT, NULL);
#else
	if (!nt_filter(c))
		return;
	nt_cur_parse(c);
	if (nt_tl_followed(c))
		nt_tl_begin(ctx, direct, skb, c, NT_DIR_TX, NT_TL_IP_OUT, NULL);
#endif
}

NT_INLINE void nt_tl_ip_out(void *ctx, const bool direct, struct sk_buff *skb, const __u16 eth_type)
{
	struct nt_cur *c = nt_cur_get();

	if (!c || !nt_tl_wants(NT_DIR_TX))
		return;
	nt_cur_init(direct, c, skb, NT_AT_L3);
	c->eth_type = eth_type;		/* skb->protocol is set by the function itself */
	c->flow.eth_type = bpf_htons(eth_type);
	nt_tl_send(ctx, direct, skb, c);
}

#define NT_TL_OUT(stem, eth, args...)								\
NT_FUNC_(stem, NT_TL_REJECT(nt_const(NT_CONST_FILTER), true, (void *)ctx[2], NT_AT_L3, eth),		\
	 NT_TL_REJECT(nt_const(NT_CONST_FILTER), false, (void *)PT_REGS_PARM3(ctx), NT_AT_L3, eth), ##args)

NT_TL_OUT(ip_out, NT_ETH_P_IP, void *net, void *sk, struct sk_buff *skb)
{
	nt_tl_ip_out(ctx, direct, skb, NT_ETH_P_IP);
	return 0;
}

NT_TL_OUT(ip6_out, NT_ETH_P_IPV6, void *net, void *sk, struct sk_buff *skb)
{
	nt_tl_ip_out(ctx, direct, skb, NT_ETH_P_IPV6);
	return 0;
}

#if !NT_TL_LEGS
/* What did not pass there: packets of raw sockets that bring their own header, and IPv6's TCP under a filter
 * expression. */
#define NT_SOCK_STREAM 1
#define NT_SOCK_RAW 3
NT_INLINE bool nt_tl_passed_by(struct sk_buff *skb, struct sock *sk, const __u16 eth_type)
{
	__u32 type;

	if (!sk)	/* forwarded */
		return false;
	type = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_type);
	if (type != NT_SOCK_RAW && (eth_type == NT_ETH_P_IP || type != NT_SOCK_STREAM || !nt_const(NT_CONST_PCAP)))
		return false;
	return !nt_track_of(skb);
}

NT_TL_OUT(ip_output, NT_ETH_P_IP, void *net, struct sock *sk, struct sk_buff *skb)
{
	if (nt_tl_passed_by(skb, sk, NT_ETH_P_IP))
		nt_tl_ip_out(ctx, direct, skb, NT_ETH_P_IP);
	return 0;
}

NT_TL_OUT(ip6_output, NT_ETH_P_IPV6, void *net, struct sock *sk, struct sk_buff *skb)
{
	if (nt_tl_passed_by(skb, sk, NT_ETH_P_IPV6))
		nt_tl_ip_out(ctx, direct, skb, NT_ETH_P_IPV6);
	return 0;
}

/* TCP over IPv6. There is no IP header yet: its fields come from the flow. Without a header a filter
 * expression cannot run, so ip6_output begins such packets. */
NT_FUNC(ip6_xmit, void *sk, struct sk_buff *skb, struct flowi6 *fl6)
{
	struct nt_cur *c = nt_cur_get();

	if (!c || !nt_tl_wants(NT_DIR_TX) || nt_const(NT_CONST_PCAP))
		return 0;
	nt_cur_init(direct, c, skb, NT_AT_L3);
	c->l2 = c->l3 = NT_NO_OFF;
	c->l4 = NT_GET(direct, skb, transport_header);
	c->eth_type = NT_ETH_P_IPV6;
	c->flow.eth_type = bpf_htons(NT_ETH_P_IPV6);
	c->flow.ip_version = 6;
	c->flow.proto = BPF_CORE_READ(fl6, __fl_common.flowic_proto);
	bpf_core_read(c->flow.saddr, 16, &fl6->saddr);
	bpf_core_read(c->flow.daddr, 16, &fl6->daddr);
	c->bits = NT_PKT_L3;
	c->len = NT_GET(direct, skb, len) + sizeof(struct nt_ipv6);
	nt_tl_send(ctx, direct, skb, c);
	return 0;
}

#endif

NT_FUNC(internal_xmit, struct sk_buff *skb, struct net_device *dev)
{
	nt_tl_pass(ctx, direct, skb, dev, NT_DIR_TX, NT_TL_INTERNAL_XMIT);
	return 0;
}

/* ---- an uplink: the end of what is sent, at its queue or (NT_TL_TO_DRIVER) at its driver ---- */
#ifdef NT_TL_TO_DRIVER
NT_INLINE void nt_tl_queued(void *ctx, const bool direct, struct nt_timeline *l, struct sk_buff *skb,
			    struct net_device *dev, __u64 now)
{
	struct nt_qdisc q = { .bits = 0 };

	if (nt_qdisc_root(&q, dev, NT_GET(direct, skb, queue_mapping)) && (q.bits & NT_QDISC_QLEN))
		l->qlen = q.qlen;
	nt_tl_stamp(ctx, direct, l, skb, dev, NT_TL_PHY_QUEUE, now);
}
#endif

/* At its last stage. How does it end? */
NT_INLINE __u32 nt_tl_leaves(void *ctx, const bool direct, struct nt_timeline *l, struct sk_buff *skb,
			     struct net_device *dev, const __u32 stage, __u64 now)
{
	struct nt_cur *c = nt_cur_get();

	if (!c)
		return NT_TL_INSIDE;
	nt_cur_init(direct, c, skb, NT_AT_DATA_L2);
	nt_cur_without_l2(direct, c, dev);
	nt_cur_parse_all(c);
	if (!nt_tl_same(c, l)) {
		nt_stat_add(NT_STAT_UNMATCHED, 1);
		return NT_TL_ELSEWHERE;
	}
	if (nt_tl_first_fragment(c))
		nt_tl_frag_note(c);
	nt_tl_stamp(ctx, direct, l, skb, dev, stage, now);
	return NT_TL_COMPLETE;
}

/* Of a packet that is queued, at this device; NT_TL_INSIDE: it goes on. */
NT_INLINE __u32 nt_tl_queue_end(void *ctx, const bool direct, struct nt_timeline *l, struct sk_buff *skb,
				struct net_device *dev, __u32 roles, __u64 now)
{
	if (l->direction == NT_DIR_TX && (roles & NT_TL_PHY)) {
#ifdef NT_TL_TO_DRIVER
		nt_tl_queued(ctx, direct, l, skb, dev, now);
		return NT_TL_INSIDE;
#else
		return nt_tl_leaves(ctx, direct, l, skb, dev, NT_TL_PHY_QUEUE, now);
#endif
	}
	if (nt_tl_internal(direct, dev, roles))
		return NT_TL_INSIDE;
	if (l->direction == NT_DIR_RX)			/* forwarded */
		return NT_TL_ELSEWHERE;
	l->left_ifindex = NT_GET(direct, dev, ifindex);	/* an uplink may lie below this device */
	l->left_netns = nt_dev_netns(direct, dev);
	return NT_TL_INSIDE;
}

NT_TP(phy_queue, struct sk_buff *skb)
{
	struct net_device *dev = NT_GET(direct, skb, dev);
	__u32 roles = nt_tl_roles(direct, skb, dev), ended;
	struct nt_timeline *l = nt_track_of(skb);
	__u64 now = bpf_ktime_get_ns();

	if (!l && (roles & NT_TL_PHY) && nt_tl_wants(NT_DIR_TX))
		l = nt_tl_by_alias(direct, skb, NT_AT_DATA_L2, dev, 0, NT_TL_CLONE | NT_TL_COUNT_LATER);
	if (!l)
		return 0;
	ended = nt_tl_queue_end(ctx, direct, l, skb, dev, roles, now);
	if (ended != NT_TL_INSIDE)
		nt_tl_end(ctx, (__u64)skb, l, ended, now);
	return 0;
}

/* ---- received: the first stage ---- */
NT_TP_(phy_rx, NT_TL_REJECT(nt_const(NT_CONST_FILTER) & ~(__u64)NT_FILTER_L4, true, (void *)ctx[0], NT_AT_DATA_L3, 0),
       NT_TL_REJECT(nt_const(NT_CONST_FILTER) & ~(__u64)NT_FILTER_L4, false, (void *)ctx[0], NT_AT_DATA_L3, 0),
       struct sk_buff *skb)
{
	struct net_device *dev = NT_GET(direct, skb, dev);
	struct nt_cur *c = nt_cur_get();

	if (!c || !nt_tl_wants(NT_DIR_RX))
		return 0;
#ifdef NT_TL_TO_DRIVER
	if (nt_track_of(skb) && nt_tl_internal(direct, dev, nt_tl_roles(direct, skb, dev))) {
		nt_tl_pass(ctx, direct, skb, dev, NT_DIR_RX, NT_TL_INTERNAL_RX);
		return 0;
	}
#endif
	nt_cur_init(direct, c, skb, NT_AT_DATA_L3);
	nt_cur_dev(direct, c, dev);
#if NT_TL_LEGS
	nt_tl_leg(ctx, direct, skb, c, NT_DIR_RX, NT_TL_PHY_RX, dev);
	return 0;
#endif
	if (!(nt_tl_roles_of(direct, dev, nt_cur_vlan(c)) & NT_TL_PHY))
		return 0;
	nt_cur_l3(c);
	if (!nt_tl_followed(c))
		return 0;
	if (c->bits & NT_PKT_FRAG) {
		nt_tl_frag_later(c);
		return 0;
	}
	if (!nt_filter(c))
		return 0;
	nt_cur_l4(c);
	nt_tl_begin(ctx, direct, skb, c, NT_DIR_RX, NT_TL_PHY_RX, dev);
	return 0;
}

/* ---- Open vSwitch ---- */
/* By kprobe: its argument is a pointer to a pointer, which the verifier lets no typed program read. */
NT_KPROBE(ovs_hook)
{
	struct sk_buff *skb = NULL;

	bpf_probe_read_kernel(&skb, sizeof(skb), (void *)PT_REGS_PARM1(ctx));
	if (skb)
		nt_tl_pass(ctx, false, skb, NULL, NT_DIR_RX, NT_TL_OVS_HOOK);
	return 0;
}

/* A packet tap at the uplink makes the switch work on a clone. */
NT_FUNC(ovs_process, struct sk_buff *skb)
{
	struct nt_timeline *l = nt_track_of(skb);

	if (!l)
		l = nt_tl_by_alias(direct, skb, NT_AT_DATA_L2, NULL, 0, NT_TL_CLONE);
	if (l)
		nt_tl_stamp(ctx, direct, l, skb, NULL, NT_TL_OVS_PROCESS, bpf_ktime_get_ns());
	return 0;
}

/*
 * The skb ends here, and another comes back from user space. Until then the
 * state lies under its start time, which is no address (odd): the skb's own is
 * used again at once. Where it lies now.
 */
NT_SUBPROG __u64 nt_tl_park(const struct nt_cur *c, struct nt_timeline *l, __u64 skb)
{
	struct nt_timeline *was = nt_scratch_get(1);
	struct nt_tl_alias a = { .ambiguous = 0 };
	struct nt_tl_alias_key k;

	if (!c || !l || !was)
		return skb;
	was->pkt.gso_size = l->pkt.gso_size;
	if (!nt_tl_ids(c, was) || (l->flags & NT_TL_AMBIGUOUS))
		return skb;
	a.skb = l->start_ns << 1 | 1;
	a.start_ns = l->start_ns;
	if (!nt_tl_move(skb, a.skb, l->pkt.gso_size ? NT_TL_GSO_UPCALL : 0))
		return skb;
	nt_tl_alias_key(&k, &c->flow, was);	/* as it is now: the host may have changed its addresses */
	if (bpf_map_update_elem(&nt_aliases, &k, &a, BPF_ANY))
		nt_stat_add(NT_STAT_TL_NO_ALIAS, 1);
	return a.skb;
}

struct nt_tl_upcall {
	__u64 skb, parked;
};
NT_CALLS(nt_tl_upcalls, struct nt_tl_upcall, 2)

NT_FUNC(ovs_upcall, void *dp, struct sk_buff *skb, void *key, struct dp_upcall_info *info)
{
	struct nt_timeline *l = nt_track_of(skb);
	struct nt_cur *c = nt_cur_get();
	struct nt_tl_upcall *call;
	__u64 parked;

	if (!l || !c || (l->seen & (1u << NT_TL_OVS_UPCALL)))
		return 0;
	/* an action that sends a copy up leaves the packet where it is */
	if (bpf_core_field_exists(info->cmd) && BPF_CORE_READ(info, cmd) != NT_OVS_PACKET_CMD_MISS)
		return 0;
	nt_tl_stamp(ctx, direct, l, skb, NULL, NT_TL_OVS_UPCALL, bpf_ktime_get_ns());
	nt_cur_init(direct, c, skb, NT_AT_DATA_L2);
	nt_cur_parse_all(c);
	parked = nt_tl_park(c, l, (__u64)skb);
	call = nt_tl_upcalls_push();
	if (call) {
		call->skb = (__u64)skb;
		call->parked = parked;
	}
	return 0;
}

/*
 * Who should answer was not asked: its socket is full, or nobody has one. The
 * skb is freed as a drop next, for which its state has to be found; consumed is
 * one whose error means that it is worth another try, and its state ends here.
 */
NT_RET(ovs_upcall_ret, 5, __u64 ret)
{
	struct nt_tl_upcall *call = nt_tl_upcalls_pop();
	struct nt_timeline *l = call ? bpf_map_lookup_elem(&nt_tracks, &call->parked) : NULL;
	__s32 error = -(__s32)ret;

	if (!l || error <= 0)
		return 0;
	l->upcall_error = error;
	if (error == NT_EAGAIN || error == NT_EINTR || error == NT_ERESTARTSYS)
		nt_tl_end(ctx, call->parked, l, NT_TL_DROPPED, bpf_ktime_get_ns());
	else if (call->parked != call->skb)
		nt_tl_move(call->parked, call->skb, 0);
	return 0;
}

NT_FUNC(ovs_exec, void *net, void *attr, struct sk_buff *skb)
{
	struct nt_timeline *l = nt_tl_by_alias(direct, skb, NT_AT_DATA_L2, NULL, 0, 0);

	if (l)
		nt_tl_stamp(ctx, direct, l, skb, NULL, NT_TL_OVS_EXEC, bpf_ktime_get_ns());
	return 0;
}

/* To the port that the packet is for: mirrors and floods end no stage. The copy of a packet that goes to
 * several ports has another address. */
NT_FUNC(ovs_send, struct vport *vport, struct sk_buff *skb)
{
	struct nt_timeline *l;
	struct net_device *dev;
	__u32 roles;
	bool internal;

	if (!bpf_core_type_exists(struct vport))
		return 0;
	dev = BPF_CORE_READ(vport, dev);
	roles = nt_tl_roles(false, skb, dev);
	internal = nt_tl_internal(false, dev, roles);
	if (!internal && !(roles & NT_TL_PHY))
		return 0;
	l = nt_track_of(skb);
	if (!l)
		l = nt_tl_by_alias(direct, skb, NT_AT_DATA_L2, NULL, 0, NT_TL_CLONE);
	if (l && (l->direction == NT_DIR_RX) == internal)
		nt_tl_stamp(ctx, false, l, skb, dev, NT_TL_OVS_SEND, bpf_ktime_get_ns());
	return 0;
}

/* ---- received: the backlog ---- */
NT_FUNC(backlog_enq, struct sk_buff *skb)
{
	nt_tl_pass(ctx, direct, skb, NULL, NT_DIR_RX, NT_TL_BACKLOG_ENQ);
	return 0;
}

/* Packets that did not come by the backlog pass here too: to them it is no stage. */
NT_FUNC(backlog_deq, struct sk_buff *skb)
{
	struct nt_timeline *l = nt_track_of(skb);

	if (l && (l->seen & (1u << NT_TL_BACKLOG_ENQ)))
		nt_tl_stamp(ctx, direct, l, skb, NULL, NT_TL_BACKLOG_DEQ, bpf_ktime_get_ns());
	return 0;
}

#endif
