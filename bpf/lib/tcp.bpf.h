/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP connections by their sockets: whose they are, how they are doing, and
 * what was counted of each. A tcp_sock is read through its address, as typed
 * programs know only the struct sock at its beginning.
 */
#ifndef NT_BPF_TCP_H
#define NT_BPF_TCP_H

#include "lib/filter.bpf.h"
#include "lib/hist.bpf.h"
#include "nettrace/nt_abi_tcp.h"


struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_tcp_cfg);
} nt_tcp_cfg SEC(".maps");

#define NT_TCP_CONNS(name)			\
struct {					\
	__uint(type, BPF_MAP_TYPE_HASH);	\
	__uint(max_entries, 8192);		\
	__type(key, struct nt_tcp_key);		\
	__type(value, struct nt_tcp_conn);	\
} name SEC(".maps")
NT_TCP_CONNS(nt_tcp_conns0);	/* of the intervals of even number */
NT_TCP_CONNS(nt_tcp_conns1);

/* What a new entry begins with; nobody writes to it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_tcp_conn);
} nt_tcp_none SEC(".maps");

NT_HISTS(nt_tcp_hists, NT_TCP_HISTS);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_tcp_tables);
} nt_tcp_tables SEC(".maps");

/* What a program works on lies in a map: the verifier would follow every value on the stack, and the ways
 * through seven histograms are too many for it. */
struct nt_tcp_work {
	struct nt_tcp_key key;
	struct nt_tcp_state state;
};

NT_INLINE struct nt_tcp_work *nt_tcp_work_get(void)
{
	return nt_scratch_get(0);
}

/* ---- whose connection it is ---- */
NT_INLINE void nt_tcp_addr(__u8 *dst, __be32 v4)
{
	nt_v4_mapped(dst, (const __u8 *)&v4);
}

NT_INLINE void nt_tcp_addrs(const bool direct, struct sock *sk, struct nt_tcp_key *k)
{
	if (NT_GET(direct, sk, __sk_common.skc_family) == NT_AF_INET6 &&
	    bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		bpf_core_read(k->laddr, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(k->raddr, 16, &sk->__sk_common.skc_v6_daddr);
		return;
	}
	nt_tcp_addr(k->laddr, NT_GET(direct, sk, __sk_common.skc_rcv_saddr));
	nt_tcp_addr(k->raddr, NT_GET(direct, sk, __sk_common.skc_daddr));
}

NT_INLINE bool nt_tcp_addrs_match(const __u64 mask, const struct nt_tuple *t, const __u8 *local, const __u8 *remote)
{
	if ((mask & NT_FILTER_SRC) && !nt_addr_match(local, t->src, t->src_mask))
		return false;
	return !(mask & NT_FILTER_DST) || nt_addr_match(remote, t->dst, t->dst_mask);
}

/* The tuple filter's source is this host's end. */
NT_INLINE bool nt_tcp_match(const struct nt_tcp_key *k)
{
	const __u64 mask = nt_const(NT_CONST_FILTER);
	struct nt_tuple *t;
	__u32 zero = 0;

	if (!mask)
		return true;
	t = bpf_map_lookup_elem(&nt_tuple, &zero);
	if (!t)
		return false;
	if ((mask & NT_FILTER_SPORT) && !nt_port_in(k->lport, t->sport_low, t->sport_high))
		return false;
	if ((mask & NT_FILTER_DPORT) && !nt_port_in(k->rport, t->dport_low, t->dport_high))
		return false;
	if ((mask & NT_FILTER_IP6) && nt_is_v4_mapped(k->raddr))
		return false;
	return nt_tcp_addrs_match(mask, t, k->laddr, k->raddr) ||
	       ((nt_const(NT_CONST_TOOL0) & NT_TCP_PAIR) && nt_tcp_addrs_match(mask, t, k->raddr, k->laddr));
}

NT_INLINE void nt_tcp_key_of(const bool direct, struct sock *sk, struct nt_tcp_key *k)
{
	struct net *net = NT_GET(direct, sk, __sk_common.skc_net.net);

	nt_tcp_addrs(direct, sk, k);
	k->lport = bpf_htons(NT_GET(direct, sk, __sk_common.skc_num));
	if (!k->lport)		/* closed */
		k->lport = BPF_CORE_READ((struct inet_sock *)sk, inet_sport);
	k->rport = NT_GET(direct, sk, __sk_common.skc_dport);
	k->netns = NT_GET(direct, net, ns.inum);
}

/* The work on a socket whose connection is wanted, with its key; else NULL. */
NT_INLINE struct nt_tcp_work *nt_tcp_wanted(const bool direct, struct sock *sk)
{
	struct nt_tcp_work *w = nt_tcp_work_get();

	if (!w)
		return NULL;
	nt_tcp_key_of(direct, sk, &w->key);
	return nt_tcp_match(&w->key) ? w : NULL;
}

/* Its row of this interval; NULL: there is no room, which is counted. */
NT_INLINE struct nt_tcp_conn *nt_tcp_conn_of(const struct nt_tcp_key *k)
{
	__u32 zero = 0;
	struct nt_tcp_cfg *c = bpf_map_lookup_elem(&nt_tcp_cfg, &zero);
	void *none = bpf_map_lookup_elem(&nt_tcp_none, &zero);

	if (!c || !none)
		return NULL;
	return c->sample & 1 ? nt_row(&nt_tcp_conns1, k, none) : nt_row(&nt_tcp_conns0, k, none);
}

/* ---- how it is doing ---- */
#define NT_TCP_GET(sk, field) BPF_CORE_READ((struct tcp_sock *)(sk), field)

/* tcp_chrono: 1 busy, 2 the receiver's window, 3 the send buffer. */
NT_INLINE __u32 nt_tcp_limit(struct sock *sk, const struct nt_tcp_state *s)
{
	__u32 chrono = BPF_CORE_READ_BITFIELD_PROBED((struct tcp_sock *)sk, chrono_type);

	if (chrono == 2)
		return NT_TCP_LIMIT_RWND;
	if (chrono == 3)
		return NT_TCP_LIMIT_SNDBUF;
	return s->inflight >= s->cwnd ? NT_TCP_LIMIT_CWND : NT_TCP_LIMIT_APP;
}

NT_INLINE void nt_tcp_read(struct sock *sk, struct nt_tcp_state *s)
{
	__u32 sacked = NT_TCP_GET(sk, sacked_out);
	__u64 kbps = 0;

	s->srtt_us = NT_TCP_GET(sk, srtt_us) >> 3;
	s->cwnd = NT_TCP_GET(sk, snd_cwnd);
	s->ssthresh = NT_TCP_GET(sk, snd_ssthresh);
	s->packets_out = NT_TCP_GET(sk, packets_out);
	s->retrans_out = NT_TCP_GET(sk, retrans_out);
	s->lost_out = NT_TCP_GET(sk, lost_out);
	s->mss = NT_TCP_GET(sk, mss_cache);
	s->data_segs_out = NT_TCP_GET(sk, data_segs_out);
	s->total_retrans = NT_TCP_GET(sk, total_retrans);
	s->inflight = s->packets_out - (sacked + s->lost_out) + s->retrans_out;
	if (s->inflight >> 31)
		s->inflight = 0;
	s->limit = nt_tcp_limit(sk, s);
	if (s->srtt_us)
		kbps = (__u64)s->inflight * s->mss * 8000 / s->srtt_us;
	s->kbps = kbps >> 32 ? ~0U : kbps;
}

/* The control block of a packet that TCP owns. */
NT_INLINE struct tcp_skb_cb *nt_tcp_cb(struct sk_buff *skb)
{
	return (void *)&skb->cb;
}

NT_INLINE __u32 nt_tcp_segments(struct sk_buff *skb)
{
	__u32 n = BPF_CORE_READ(nt_tcp_cb(skb), tcp_gso_segs);

	return n ? n : 1;
}

/* ---- samples ---- */
NT_SUBPROG int nt_tcp_hist(__u32 which, __u64 v)
{
	struct nt_hist_raw *h = bpf_map_lookup_elem(&nt_tcp_hists, &which);

	if (h)
		nt_hist_record(h, v);
	return 0;
}

NT_INLINE __u32 nt_tcp_grid_row(__u64 v)
{
	__u32 row = v ? nt_log2(v) : 0;

	NT_BARRIER(row);
	return row < NT_TCP_GRID ? row : NT_TCP_GRID - 1;
}

NT_INLINE void nt_tcp_table(const struct nt_tcp_state *s)
{
	const __u64 sw = nt_const(NT_CONST_TOOL0);
	struct nt_tcp_tables *t;
	__u32 i, zero = 0;

	if (!(sw & (NT_TCP_BW | NT_TCP_2D)))
		return;
	t = bpf_map_lookup_elem(&nt_tcp_tables, &zero);
	if (!t)
		return;
	i = s->kbps / NT_TCP_BW_STEP_KBPS;
	i = i < NT_TCP_BW_STEPS ? i : NT_TCP_BW_STEPS - 1;
	NT_BARRIER(i);
	if (i < NT_TCP_BW_STEPS)
		__sync_fetch_and_add(&t->bw[i], 1);
	i = nt_tcp_grid_row(s->srtt_us) * NT_TCP_GRID + nt_tcp_grid_row((__u64)s->inflight * s->mss >> 10);
	NT_BARRIER(i);
	if (i < NT_TCP_GRID * NT_TCP_GRID)
		__sync_fetch_and_add(&t->grid[i], 1);
}

NT_INLINE void nt_tcp_sample_hists(const struct nt_tcp_state *s)
{
	nt_tcp_hist(NT_TCP_HIST_SRTT, s->srtt_us);
	nt_tcp_hist(NT_TCP_HIST_INFLIGHT, s->inflight);
	nt_tcp_hist(NT_TCP_HIST_PACKETS_OUT, s->packets_out);
	nt_tcp_hist(NT_TCP_HIST_INFLIGHT_BYTES, (__u64)s->inflight * s->mss);
	nt_tcp_hist(NT_TCP_HIST_CWND, s->cwnd);
	nt_tcp_hist(NT_TCP_HIST_KBPS, s->kbps);
	nt_tcp_table(s);
}

NT_INLINE void nt_tcp_sample_conn(struct nt_tcp_conn *v, const struct nt_tcp_state *s)
{
	__u32 limit;

	__sync_fetch_and_add(&v->samples, 1);
	__sync_fetch_and_add(&v->srtt_sum, s->srtt_us);
	__sync_fetch_and_add(&v->cwnd_sum, s->cwnd);
	__sync_fetch_and_add(&v->inflight_sum, s->inflight);
	__sync_fetch_and_add(&v->kbps_sum, s->kbps);
	limit = s->limit;
	NT_BARRIER(limit);
	if (limit < NT_TCP_LIMITS)
		__sync_fetch_and_add(&v->limited[limit], 1);
	nt_max(&v->retrans_out_max, s->retrans_out);
	nt_max(&v->lost_out_max, s->lost_out);
	v->last = *s;
}

/* One of the packets at the main hook in every --sample-rate; counted on each CPU by itself. */
NT_INLINE bool nt_tcp_chosen(void)
{
	const __u64 rate = nt_const(NT_CONST_TOOL1);
	__u32 stat = NT_STAT_TCP_SEEN;
	__u64 *seen = bpf_map_lookup_elem(&nt_stats, &stat);
	__u64 n;

	if (!seen)
		return false;
	n = *seen;
	__sync_fetch_and_add(seen, 1);
	if (rate < 2 || !(n % rate))
		return true;
	nt_stat_add(NT_STAT_TCP_UNSAMPLED, 1);
	return false;
}

/* The state of a wanted connection's socket, as the histograms take it. */
NT_INLINE void nt_tcp_sample(struct nt_tcp_conn *v, const struct nt_tcp_state *s)
{
	if (!s->srtt_us) {
		nt_stat_add(NT_STAT_TCP_NO_SRTT, 1);
		return;
	}
	nt_stat_add(NT_STAT_EVENTS, 1);
	nt_stat_add(NT_STAT_TCP_LIMIT0 + s->limit, 1);
	nt_tcp_sample_hists(s);
	if (v)
		nt_tcp_sample_conn(v, s);
}

/* One round trip, of the acknowledgement that is at work. */
NT_INLINE void nt_tcp_rtt(const struct nt_tcp_key *k, __u64 us)
{
	struct nt_tcp_conn *v = nt_tcp_conn_of(k);

	nt_tcp_hist(NT_TCP_HIST_RTT, us);
	if (!v)
		return;
	__sync_fetch_and_add(&v->rtt_samples, 1);
	__sync_fetch_and_add(&v->rtt_sum, us);
	nt_max(&v->rtt_max, us);
	nt_max(&v->rtt_min_inv, ~us);
}

/* Arguments are signed 64-bit registers that hold longs; -1: not known. */
NT_INLINE __s64 nt_tcp_rtt_of(__s64 seq_us, __s64 sack_us, __s64 ca_us)
{
	return ca_us >= 0 ? ca_us : seq_us >= 0 ? seq_us : sack_us;
}

/* The hook of it, the same in each tool. */
#define NT_TCP_RTT_HOOK									\
NT_FUNC(ack_update_rtt, struct sock *sk, void *flag, void *seq_us, void *sack_us, void *ca_us)	\
{											\
	__s64 us = nt_tcp_rtt_of((__s64)seq_us, (__s64)sack_us, (__s64)ca_us);		\
	struct nt_tcp_work *w = nt_tcp_wanted(direct, sk);				\
											\
	if (!w)										\
		return 0;								\
	if (us < 0)									\
		nt_stat_add(NT_STAT_TCP_NO_RTT, 1);					\
	else										\
		nt_tcp_rtt(&w->key, us);						\
	return 0;									\
}

/* ---- retransmissions ---- */
/* From 6.18 on tcp_retransmit_skb also tells of packets that could not be sent. */
NT_INLINE bool nt_tcp_retransmit_failed(void *ctx)
{
	volatile __u64 *arg = ctx;

	return nt_const(NT_CONST_TP_ARGS) >= 3 && (__s32)arg[2];
}

NT_INLINE void nt_tcp_retransmitted(struct nt_tcp_conn *v, __u32 segments)
{
	nt_stat_add(NT_STAT_TCP_RETRANS_SKBS, 1);
	nt_stat_add(NT_STAT_TCP_RETRANS_SEGMENTS, segments);
	if (!v)
		return;
	__sync_fetch_and_add(&v->retrans_skbs, 1);
	__sync_fetch_and_add(&v->retrans_segments, segments);
}

#define NT_TCP_RETRANSMIT_HOOK								\
NT_TP(retransmit, struct sock *sk, struct sk_buff *skb)					\
{											\
	struct nt_tcp_work *w = nt_tcp_wanted(direct, sk);				\
											\
	if (!w)										\
		return 0;								\
	if (nt_tcp_retransmit_failed(ctx))						\
		nt_stat_add(NT_STAT_TCP_RETRANS_FAILED, nt_tcp_segments(skb));		\
	else										\
		nt_tcp_retransmitted(nt_tcp_conn_of(&w->key), nt_tcp_segments(skb));	\
	return 0;									\
}

#endif
