// SPDX-License-Identifier: GPL-2.0
/*
 * Echo sessions by stage. Hooks are numbered as a local ping meets them:
 * 0 ip_out, 1 phy_queue, 2 phy_xmit with the request, 3 phy_rx, 4 ip_rcv,
 * 5 icmp_rcv with the reply. For a ping that comes in (rx) the request meets
 * 3, 4, 5 and the reply 0, 1, 2: stage = (hook + 3) mod 6.
 */
#include "lib/echo.bpf.h"
#include "lib/latency.bpf.h"

NT_LICENSE;

#define STAGES		6
#define LEG2		3
#define REPASS_NS	1000000000ULL	/* a device hook again within this: stacked devices */
#define EEXIST		17

/* Where a program works: memory that the verifier does not follow, one for each depth. */
struct work {
	struct nt_cur cur;
	struct nt_lat lat;
	struct nt_echo_event event;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NT_DEPTH);
	__type(key, __u32);
	__type(value, struct work);
} nt_work SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct nt_echo_key);
	__type(value, struct nt_lat);
} nt_lat SEC(".maps");

NT_INLINE void reject(const __u32 hook, const enum nt_lat_reject why)
{
	if (nt_const(NT_CONST_TOOL1) & NT_LAT_DEBUG)
		nt_stat_add(NT_STAT_REJECT0 + hook * NT_LAT_REJECTS + why, 1);
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

NT_INLINE void event_fill(struct work *w, const struct nt_echo_key *k, __u64 now, __u32 ended,
			  __u32 stage)
{
	w->event.ts_ns = now;
	w->event.key = *k;
	w->event.ended = ended;
	w->event.last_stage = stage;
}

/* The same key again: the older session will not end any more. Whoever deletes its entry counts
 * it, so that the sweep of user space and we never both do. */
NT_INLINE void supersede(void *ctx, struct work *w, const struct nt_echo_key *k,
			 const struct nt_lat *old, __u64 now)
{
	__builtin_memcpy(&w->event.lat, old, sizeof(*old));
	if (bpf_map_delete_elem(&nt_lat, k))
		return;
	nt_stat_add(NT_STAT_EVICTED, 1);
	nt_stat_add(NT_STAT_SUPERSEDED, 1);
	if (!(nt_const(NT_CONST_TOOL1) & NT_LAT_EVENTS))
		return;
	event_fill(w, k, now, NT_LAT_SUPERSEDED, 0);
	nt_emit_uncounted(ctx, &w->event, sizeof(w->event));	/* it is in "evicted" */
}

NT_INLINE __u32 ip_len(const struct nt_cur *c)
{
	return c->len - (c->l2 != NT_NO_OFF ? c->l3 - c->l2 : 0);
}

NT_INLINE void start(void *ctx, struct work *w, const struct nt_echo_key *k, __u64 now,
		     const __u32 hook, __u32 stage)
{
	struct nt_lat *l = &w->lat, *old = bpf_map_lookup_elem(&nt_lat, k);
	const struct nt_cur *c = &w->cur;
	long err;

	if (old && hook != 0 && now - old->ts[stage & (NT_STAGES - 1)] < REPASS_NS)
		return;
	if (nt_const(NT_CONST_PCAP) && !nt_pcap_match(c))
		return;
	if (old)
		supersede(ctx, w, k, old, now);
	__builtin_memset(l, 0, sizeof(*l));
	nt_lat_stamp(ctx, l, stage, now, c->flow.ifindex, c->flow.netns);
	l->len = ip_len(c);
	l->ttl = c->ttl;
	if (hook < LEG2) {
		__u64 id = bpf_get_current_pid_tgid();

		l->pid = id >> 32;
		l->tid = id;
		bpf_get_current_comm(l->comm, sizeof(l->comm));
	}
	err = bpf_map_update_elem(&nt_lat, k, l, BPF_NOEXIST);
	if (err == -EEXIST)	/* another CPU has just started it */
		return;
	nt_stat_add(NT_STAT_EVENTS, 1);
	nt_stat_add(NT_STAT_STARTED, 1);
	if (err) {
		nt_stat_add(NT_STAT_MAP_FULL, 1);
		nt_lat_bury(nt_lat_hash(k, sizeof(*k)), NT_LAT_REFUSED, 0);
	}
}

NT_INLINE void finish(void *ctx, struct work *w, const struct nt_echo_key *k,
		      const struct nt_lat *l, __u64 now, __u32 stage)
{
	struct nt_lat *done = &w->event.lat;
	__u64 total;

	/* The entry goes first: whoever deletes it has finished the passage, so a duplicate
	 * reply on another CPU counts nothing. */
	__builtin_memcpy(done, l, sizeof(*done));
	if (bpf_map_delete_elem(&nt_lat, k))
		return;
	nt_lat_bury(nt_lat_hash(k, sizeof(*k)), NT_LAT_DONE, w->cur.flow.ifindex);
	total = nt_lat_record(done, LEG2, k->direction * NT_LAT_HISTS);
	nt_stat_add(NT_STAT_COMPLETED, 1);
	if (!(nt_const(NT_CONST_TOOL1) & NT_LAT_EVENTS))
		return;
	if (total < nt_const(NT_CONST_TOOL2)) {
		nt_stat_add(NT_STAT_BELOW, 1);
		return;
	}
	event_fill(w, k, now, NT_LAT_COMPLETE, stage);
	nt_emit(ctx, &w->event, sizeof(w->event));
}

/*
 * A packet of the reply whose session is not there. local: this host handed it
 * up or made it, so its request must have been seen; at the device hooks it may
 * be anybody's. What the request was not let in for cannot be told from it.
 */
NT_INLINE void without_session(const struct nt_cur *c, const struct nt_echo_key *k, bool local,
			       bool last)
{
	bool same_device = false;
	enum nt_lat_fate fate;

	if (!local && !last)
		return;
	fate = nt_lat_fate_of(nt_lat_hash(k, sizeof(*k)), c->flow.ifindex, &same_device);
	if (fate == NT_LAT_DONE && last && same_device)
		nt_stat_add(NT_STAT_DUPLICATE, 1);
	if (fate != NT_LAT_UNKNOWN || !local || nt_const(NT_CONST_PCAP))
		return;
	if ((nt_const(NT_CONST_FILTER) & NT_FILTER_DEV) && k->direction == NT_DIR_RX)
		return;
	nt_stat_add(NT_STAT_UNMATCHED, 1);
}

NT_INLINE void pass(void *ctx, struct work *w, const struct nt_echo_key *k, __u64 now,
		    const __u32 hook, __u32 stage, bool local, bool last)
{
	struct nt_lat *l = bpf_map_lookup_elem(&nt_lat, k);
	const struct nt_cur *c = &w->cur;

	if (!l) {
		reject(hook, NT_LAT_REJECT_STATE);
		without_session(c, k, local, last);
		return;
	}
	if (stage >= LEG2)
		l->ttl = c->ttl;
	if (ip_len(c) > l->len)		/* the first fragment began it */
		l->len = ip_len(c);
	nt_lat_stamp(ctx, l, stage, now, c->flow.ifindex, c->flow.netns);
	if (last)
		finish(ctx, w, k, l, now, stage);
}

#define LOWEST(m) ((m) & 1 ? 0 : (m) & 2 ? 1 : (m) & 4 ? 2 : (m) & 8 ? 3 : (m) & 16 ? 4 : 5)
#define HIGHEST(m) ((m) & 32 ? 5 : (m) & 16 ? 4 : (m) & 8 ? 3 : (m) & 4 ? 2 : (m) & 2 ? 1 : 0)

/* An echo packet at a hook: which session, which stage, what to do. */
NT_INLINE int at_hook(void *ctx, struct work *w, const __u32 hook)
{
	const __u64 sw = nt_const(NT_CONST_TOOL1), hooked = nt_const(NT_CONST_TOOL0);
	bool request = nt_echo_is_request(w->cur.icmp_type), last, local;
	__u32 dir = request == (hook < LEG2) ? NT_DIR_TX : NT_DIR_RX;
	__u32 mask = hooked >> (w->cur.flow.ip_version == 6 ? 16 : 0) >> (dir == NT_DIR_TX ? 0 : 8);
	__u32 stage = dir == NT_DIR_TX ? hook : (hook + LEG2) % STAGES;
	__u64 now = bpf_ktime_get_ns();
	struct nt_echo_key k;

	if (!(sw & (dir == NT_DIR_TX ? NT_LAT_TX : NT_LAT_RX)))
		return 0;
	nt_echo_key_fill(&k, &w->cur.flow, request, dir);
	if (!nt_echo_wanted(&k, sw & (dir == NT_DIR_TX ? NT_LAT_REVERSED_TX : NT_LAT_REVERSED_RX))) {
		reject(hook, NT_LAT_REJECT_ADDRESS);
		return 0;
	}
	if (sw & NT_LAT_DEBUG)
		nt_stat_add(NT_STAT_STAGE0 + hook, 1);
	if (stage == LOWEST(mask)) {
		start(ctx, w, &k, now, hook, stage);
		return 0;
	}
	last = stage == HIGHEST(mask);
	/* where a reply is certainly this host's: icmp_rcv and ip_out, if they are hooked */
	local = dir == NT_DIR_TX ? last : stage == LEG2 + LOWEST(mask >> LEG2);
	pass(ctx, w, &k, now, hook, stage, local, last);
	return 0;
}

/* Is it an echo packet? Reads it into c. */
NT_INLINE bool is_echo(struct nt_cur *c, const __u32 hook)
{
	if (c->eth_type != NT_ETH_P_IP && c->eth_type != NT_ETH_P_IPV6) {
		reject(hook, NT_LAT_REJECT_PROTOCOL);
		return false;
	}
	nt_cur_l3(c);
	if (!(c->bits & NT_PKT_L3)) {
		reject(hook, NT_LAT_REJECT_PARSE);
		return false;
	}
	if (c->flow.proto != 1 && c->flow.proto != 58) {
		reject(hook, NT_LAT_REJECT_PROTOCOL);
		return false;
	}
	nt_cur_l4(c);
	if (c->bits & NT_PKT_ECHO)
		return true;
	/* a later fragment has no ICMP header */
	reject(hook, c->bits & NT_PKT_ICMP ? NT_LAT_REJECT_TYPE : NT_LAT_REJECT_PARSE);
	return false;
}

/* eth_type 0: skb->protocol is set. dev NULL: the hook has no device that can be trusted. */
NT_INLINE int hook(void *ctx, const bool direct, struct sk_buff *skb, struct net_device *dev,
		   const __u32 n, const enum nt_at at, const __u16 eth_type)
{
	__u32 depth = nt_depth();
	struct work *w = bpf_map_lookup_elem(&nt_work, &depth);

	if (!w)
		return 0;
	nt_cur_init(direct, &w->cur, skb, at);
	if (eth_type)
		w->cur.eth_type = eth_type;
	if (dev && at == NT_AT_DATA_L2)
		nt_cur_without_l2(direct, &w->cur, dev);
	if (!is_echo(&w->cur, n))
		return 0;
	if (dev) {
		nt_cur_dev(direct, &w->cur, dev);
		if (!device_wanted(&w->cur)) {
			reject(n, NT_LAT_REJECT_DEVICE);
			return 0;
		}
	}
	return at_hook(ctx, w, n);
}

/* --debug counts what is rejected, and why. */
NT_INLINE bool no_echo(const bool direct, struct sk_buff *skb, const enum nt_at at, const __u16 eth_type)
{
	return !(nt_const(NT_CONST_TOOL1) & NT_LAT_DEBUG) &&
	       nt_quick_other(direct, skb, at, eth_type, 1);
}

#define ECHO_TP(stem, at, args...) \
	NT_TP_(stem, no_echo(true, (void *)ctx[0], at, 0), no_echo(false, (void *)ctx[0], at, 0), ##args)
/* n: which argument the skb is, counted from 1 */
#define ECHO_FUNC(stem, n, eth_type, args...) \
	NT_FUNC_(stem, no_echo(true, (void *)ctx[n - 1], NT_AT_L3, eth_type), \
		 no_echo(false, (void *)PT_REGS_PARM##n(ctx), NT_AT_L3, eth_type), ##args)

/* At __ip_local_out skb->protocol is not set yet (the function does that). */
ECHO_FUNC(ip_out, 3, NT_ETH_P_IP, void *net, void *sk, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 0, NT_AT_L3, NT_ETH_P_IP);
}

ECHO_FUNC(ip6_out, 3, NT_ETH_P_IPV6, void *net, void *sk, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 0, NT_AT_L3, NT_ETH_P_IPV6);
}

ECHO_TP(phy_queue, NT_AT_DATA_L2, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NT_GET(direct, skb, dev), 1, NT_AT_DATA_L2, 0);
}

ECHO_TP(phy_xmit, NT_AT_DATA_L2, struct sk_buff *skb, struct net_device *dev)
{
	return hook(ctx, direct, skb, dev, 2, NT_AT_DATA_L2, 0);
}

ECHO_TP(phy_rx, NT_AT_DATA_L3, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NT_GET(direct, skb, dev), 3, NT_AT_DATA_L3, 0);
}

ECHO_FUNC(ip_rcv, 1, NT_ETH_P_IP, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 4, NT_AT_L3, NT_ETH_P_IP);
}

ECHO_FUNC(ip6_rcv, 1, NT_ETH_P_IPV6, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 4, NT_AT_L3, NT_ETH_P_IPV6);
}

/* Only these packets come here. */
NT_FUNC(icmp_rcv, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 5, NT_AT_L3, NT_ETH_P_IP);
}

NT_FUNC(icmp6_rcv, struct sk_buff *skb)
{
	return hook(ctx, direct, skb, NULL, 5, NT_AT_L3, NT_ETH_P_IPV6);
}
