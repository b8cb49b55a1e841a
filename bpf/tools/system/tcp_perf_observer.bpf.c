// SPDX-License-Identifier: GPL-2.0
/* How connections fare: round trips, handshakes, retransmissions, resets, drops, states; the bad ones one by one. */
#include "lib/drop.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/rate.bpf.h"
#include "lib/tcp.bpf.h"

NT_LICENSE;

enum { SYN_SENT = 2, SYN_RECV = 3, ESTABLISHED = 1, CLOSE = 7 };
enum { CA_RECOVERY = 3, CA_LOSS = 4, PENDING_LOSS_PROBE = 5 };

#define RTTS(name)				\
struct {					\
	__uint(type, BPF_MAP_TYPE_HASH);	\
	__uint(max_entries, 4096);		\
	__type(key, struct nt_tcp_key);		\
	__type(value, struct nt_tcp_rtts);	\
} name SEC(".maps")
RTTS(nt_tcp_rtts0);		/* as the maps of connections */
RTTS(nt_tcp_rtts1);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_tcp_rtts);
} nt_tcp_no_rtts SEC(".maps");

/* Connections that this host opens, by the address of the socket: SYN_SENT always ends in ESTABLISHED or CLOSE. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct nt_tcp_open);
} nt_tcp_opens SEC(".maps");

/* Packets by place, reason and direction. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NT_TCP_DROPS);
	__type(key, struct nt_tcp_drop);
	__type(value, __u64);
} nt_tcp_drops SEC(".maps");

/* ---- details ---- */
/* In the scratch behind the work: its key is that of the event. NULL: none is wanted now. */
NT_INLINE struct nt_tcp_event *detail(struct nt_tcp_work *w, __u32 kind)
{
	struct nt_tcp_event *e;

	if (!(nt_const(NT_CONST_TOOL0) & NT_TCP_DETAILS))
		return NULL;
	if (nt_rate_limited()) {
		nt_stat_add(NT_STAT_TCP_SUPPRESSED, 1);
		return NULL;
	}
	e = nt_scratch_get(1);
	if (!e)
		return NULL;
	__builtin_memset(e, 0, sizeof(*e));
	e->ts_ns = bpf_ktime_get_ns();
	e->key = w->key;
	e->kind = kind;
	e->cpu = bpf_get_smp_processor_id();
	return e;
}

/* sk: a full TCP socket. */
NT_INLINE void tell(void *ctx, const bool direct, struct nt_tcp_event *e, struct sock *sk)
{
	if (!e->tcp_state)	/* at a change of state it is still the old one */
		e->tcp_state = NT_GET(direct, sk, __sk_common.skc_state);
	nt_tcp_read(sk, &e->state);
	nt_emit(ctx, e, sizeof(*e));
}

/* ---- samples ---- */
NT_TP(probe, struct sock *sk, struct sk_buff *skb)
{
	struct nt_tcp_work *w = nt_tcp_wanted(direct, sk);

	if (!w)
		return 0;
	nt_stat_add(NT_STAT_TCP_SEEN, 1);
	if (!NT_TCP_GET(sk, packets_out)) {
		nt_stat_add(NT_STAT_TCP_IDLE, 1);
		return 0;
	}
	nt_tcp_read(sk, &w->state);
	nt_tcp_sample(nt_tcp_conn_of(&w->key), &w->state);
	return 0;
}

NT_INLINE void count_rtt(const struct nt_tcp_key *k, __u64 us)
{
	__u32 zero = 0, slot = nt_hist_slot(us);
	struct nt_tcp_cfg *c = bpf_map_lookup_elem(&nt_tcp_cfg, &zero);
	void *none = bpf_map_lookup_elem(&nt_tcp_no_rtts, &zero);
	struct nt_tcp_rtts *v;

	if (!c || !none)
		return;
	v = c->sample & 1 ? nt_row(&nt_tcp_rtts1, k, none) : nt_row(&nt_tcp_rtts0, k, none);
	if (slot >= NT_TCP_RTT_SLOTS)
		slot = NT_TCP_RTT_SLOTS - 1;
	NT_BARRIER(slot);
	if (v && slot < NT_TCP_RTT_SLOTS)
		__sync_fetch_and_add(&v->slot[slot], 1);
}

/* --sample-rate is about these. */
NT_INLINE bool is_chosen(void)
{
	const __u64 rate = nt_const(NT_CONST_TOOL1);

	if (rate < 2 || !(bpf_get_prandom_u32() % rate))
		return true;
	nt_stat_add(NT_STAT_TCP_UNSAMPLED, 1);
	return false;
}

NT_FUNC(ack_update_rtt, struct sock *sk, void *flag, void *seq_us, void *sack_us, void *ca_us)
{
	__s64 us = nt_tcp_rtt_of((__s64)seq_us, (__s64)sack_us, (__s64)ca_us);
	struct nt_tcp_work *w = nt_tcp_wanted(direct, sk);
	struct nt_tcp_event *e;

	if (!w)
		return 0;
	if (us < 0) {
		nt_stat_add(NT_STAT_TCP_NO_RTT, 1);
		return 0;
	}
	if (!is_chosen())
		return 0;
	nt_tcp_rtt(&w->key, us);
	count_rtt(&w->key, us);
	if (us < (__u32)nt_const(NT_CONST_TOOL2))
		return 0;
	e = detail(w, NT_TCP_RTT);
	if (e) {
		e->us = us;
		tell(ctx, direct, e, sk);
	}
	return 0;
}

/* ---- handshakes and states ---- */
NT_INLINE void begins(struct sock *sk)
{
	struct nt_tcp_open o;
	__u64 key = (__u64)sk;

	__builtin_memset(&o, 0, sizeof(o));
	o.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(o.comm, sizeof(o.comm));
	o.since_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&nt_tcp_opens, &key, &o, BPF_ANY))
		nt_stat_add(NT_STAT_MAP_FULL, 1);
}

NT_INLINE __u32 fail_of(__u32 error)
{
	return error == 111 /* ECONNREFUSED */ ? NT_TCP_FAIL_REFUSED : error == 110 /* ETIMEDOUT */ ? NT_TCP_FAIL_TIMEOUT :
	       error == 113 || error == 101 /* EHOSTUNREACH, ENETUNREACH */ ? NT_TCP_FAIL_UNREACHABLE : NT_TCP_FAIL_OTHER;
}

NT_INLINE void shaken(void *ctx, const bool direct, struct nt_tcp_work *w, struct sock *sk, __u64 us,
		      const struct nt_tcp_open *o, bool passive)
{
	struct nt_tcp_event *e;

	nt_stat_add(passive ? NT_STAT_TCP_ACCEPTED : NT_STAT_TCP_OPENED, 1);
	nt_tcp_hist(passive ? NT_TCP_HIST_PASSIVE : NT_TCP_HIST_ACTIVE, us);
	if (us < nt_const(NT_CONST_TOOL2) >> 32)
		return;
	e = detail(w, NT_TCP_CONNLAT);
	if (!e)
		return;
	e->us = us;
	e->why = passive;
	e->tcp_state = ESTABLISHED;
	if (o) {
		e->pid = o->pid;
		__builtin_memcpy(e->comm, o->comm, 16);
	}
	tell(ctx, direct, e, sk);
}

NT_INLINE void failed(void *ctx, const bool direct, struct nt_tcp_work *w, struct sock *sk, const struct nt_tcp_open *o)
{
	__u32 error = NT_GET(direct, sk, sk_err);
	struct nt_tcp_event *e;

	nt_stat_add(NT_STAT_TCP_FAIL0 + fail_of(error), 1);
	e = detail(w, NT_TCP_FAILED);
	if (!e)
		return;
	e->error = error;
	e->tcp_state = CLOSE;
	e->us = (e->ts_ns - o->since_ns) / 1000;
	e->pid = o->pid;
	__builtin_memcpy(e->comm, o->comm, 16);
	tell(ctx, direct, e, sk);
}

/* The local port may be chosen after SYN_SENT: the filter decides at the end. */
NT_INLINE void opened(void *ctx, const bool direct, struct nt_tcp_work *w, struct sock *sk, bool established)
{
	__u64 key = (__u64)sk;
	struct nt_tcp_open *o = bpf_map_lookup_elem(&nt_tcp_opens, &key);

	if (!o) {
		if (w)
			nt_stat_add(NT_STAT_UNMATCHED, 1);
		return;
	}
	if (w && established)
		shaken(ctx, direct, w, sk, (bpf_ktime_get_ns() - o->since_ns) / 1000, o, false);
	else if (w)
		failed(ctx, direct, w, sk, o);
	bpf_map_delete_elem(&nt_tcp_opens, &key);
}

NT_TP(set_state, struct sock *sk, void *from, void *to)
{
	__u32 old = (__u64)from, state = (__u64)to;
	struct nt_tcp_work *w;

	if (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) != 6)
		return 0;
	if (state == SYN_SENT)
		begins(sk);
	w = nt_tcp_wanted(direct, sk);
	NT_BARRIER(w);	/* or clang keeps a flag in its place, of whose value on the stack 4.19 knows nothing */
	if (w && state != SYN_SENT) {
		NT_BARRIER(state);
		nt_stat_add(NT_STAT_TCP_STATE0 + (state < NT_TCP_KERNEL_STATES ? state : NT_TCP_KERNEL_STATES - 1), 1);
	}
	if (old == SYN_SENT && (state == ESTABLISHED || state == CLOSE)) {
		opened(ctx, direct, w, sk, state == ESTABLISHED);
		return 0;
	}
	if (w && old == SYN_RECV && state == ESTABLISHED)
		shaken(ctx, direct, w, sk, NT_TCP_GET(sk, srtt_us) >> 3, NULL, true);
	return 0;
}

/* ---- retransmissions ---- */
NT_INLINE __u32 why_again(struct sock *sk, struct sk_buff *skb)
{
	struct inet_connection_sock *i = (void *)sk;
	__u32 state = BPF_CORE_READ_BITFIELD_PROBED(i, icsk_ca_state);

	if (BPF_CORE_READ(nt_tcp_cb(skb), tcp_flags) & 2)
		return NT_TCP_RETRANS_SYN;
	if (state == CA_LOSS)
		return NT_TCP_RETRANS_RTO;
	if (state == CA_RECOVERY)
		return NT_TCP_RETRANS_FAST;
	return BPF_CORE_READ(i, icsk_pending) == PENDING_LOSS_PROBE ? NT_TCP_RETRANS_TLP : NT_TCP_RETRANS_OTHER;
}

NT_TP(retransmit, struct sock *sk, struct sk_buff *skb)
{
	struct nt_tcp_work *w = nt_tcp_wanted(direct, sk);
	__u32 n = nt_tcp_segments(skb), why;
	struct nt_tcp_event *e;

	if (!w)
		return 0;
	if (nt_tcp_retransmit_failed(ctx)) {
		nt_stat_add(NT_STAT_TCP_RETRANS_FAILED, n);
		return 0;
	}
	why = why_again(sk, skb);
	nt_tcp_retransmitted(nt_tcp_conn_of(&w->key), n);
	nt_stat_add(NT_STAT_TCP_KIND0 + why, n);
	e = detail(w, NT_TCP_RETRANS);
	if (e) {
		e->why = why;
		e->segments = n;
		tell(ctx, direct, e, sk);
	}
	return 0;
}

/* A request begins with the same members as a socket, but is none: nothing else of it is read. */
NT_TP(retransmit_synack, struct sock *listener, void *req)
{
	struct nt_tcp_work *w = nt_tcp_wanted(false, req);
	struct nt_tcp_event *e;

	if (!w)
		return 0;
	nt_tcp_retransmitted(nt_tcp_conn_of(&w->key), 1);
	nt_stat_add(NT_STAT_TCP_KIND0 + NT_TCP_RETRANS_SYNACK, 1);
	e = detail(w, NT_TCP_RETRANS);
	if (e) {
		e->why = NT_TCP_RETRANS_SYNACK;
		e->segments = 1;
		e->tcp_state = SYN_RECV;
		nt_emit(ctx, e, sizeof(*e));
	}
	return 0;
}

/* ---- resets ---- */
NT_TP(receive_reset, struct sock *sk)
{
	struct nt_tcp_work *w = nt_tcp_wanted(direct, sk);
	struct nt_tcp_event *e;

	if (!w)
		return 0;
	nt_stat_add(NT_STAT_TCP_RESETS_IN, 1);
	e = detail(w, NT_TCP_RESET_IN);
	if (e)
		tell(ctx, direct, e, sk);
	return 0;
}

/* The namespace of a packet's socket, its device, or its route: TCP takes the device away from what it has received. */
NT_INLINE __u32 netns_of_packet(struct nt_cur *c, struct sk_buff *skb)
{
	struct sock *sk = BPF_CORE_READ(skb, sk);
	struct dst_entry *dst;

	if (sk)
		return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	nt_cur_maybe_dev(false, c, skb);
	if (c->bits & NT_PKT_DEV)
		return c->flow.netns;
	dst = nt_skb_dst(false, skb);
	return BPF_CORE_READ(dst, dev, nd_net.net, ns.inum);
}

/* Of a packet that was received, this end is the destination; else the source. False: no TCP. */
NT_INLINE bool key_of_packet(struct sk_buff *skb, struct nt_tcp_key *k, bool received)
{
	struct nt_cur *c = nt_cur_get();

	if (!c || !skb)
		return false;
	nt_cur_init(false, c, skb, NT_AT_ANY);
	nt_cur_l3(c);
	nt_cur_l4(c);
	if (!(c->bits & NT_PKT_PORTS) || c->flow.proto != 6)
		return false;
	__builtin_memcpy(k->laddr, received ? c->flow.daddr : c->flow.saddr, 16);
	__builtin_memcpy(k->raddr, received ? c->flow.saddr : c->flow.daddr, 16);
	k->lport = received ? c->flow.dport : c->flow.sport;
	k->rport = received ? c->flow.sport : c->flow.dport;
	k->netns = netns_of_packet(c, skb);
	return true;
}

/* Without a connection there is no socket, or one that listens: the packet that is answered tells. The socket
 * is read through its address: typed programs of some kernels may not look at what can be NULL. */
NT_TP(send_reset, void *socket, void *packet)
{
	struct nt_tcp_work *w = nt_tcp_work_get();
	struct nt_tcp_event *e;
	struct sock *sk;
	struct sk_buff *skb;
	__u32 state = 0;

	bpf_probe_read_kernel(&sk, sizeof(sk), &socket);
	bpf_probe_read_kernel(&skb, sizeof(skb), &packet);
	if (sk)
		state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (!w)
		return 0;
	/* TIME_WAIT, LISTEN and NEW_SYN_RECV are no connections, or no whole sockets. */
	if (state && state != 6 && state != 10 && state != 12)
		nt_tcp_key_of(false, sk, &w->key);
	else if (!key_of_packet(skb, &w->key, true))
		return 0;
	if (!nt_tcp_match(&w->key))
		return 0;
	nt_stat_add(NT_STAT_TCP_RESETS_OUT, 1);
	e = detail(w, NT_TCP_RESET_OUT);
	if (e) {
		e->tcp_state = state;
		nt_emit(ctx, e, sizeof(*e));
	}
	return 0;
}

/* ---- drops ---- */
NT_INLINE void count_drop(const struct nt_tcp_drop *d)
{
	__u64 none = 0, *n = nt_row(&nt_tcp_drops, d, &none);

	nt_stat_add(NT_STAT_TCP_DROPS, 1);
	if (n)
		__sync_fetch_and_add(n, 1);
}

/* Did it come in by a device? The first receive function writes skb_iif; a change of namespace clears it. */
NT_INLINE bool was_received(struct sk_buff *skb)
{
	return BPF_CORE_READ(skb, skb_iif) != 0;
}

NT_TP(kfree_skb, struct sk_buff *skb, void *location)
{
	struct nt_tcp_work *w = nt_tcp_work_get();
	struct nt_drop d = { .location_raw = (__u64)location, .reason = nt_drop_reason(ctx) };
	struct nt_tcp_drop key = { .reason = d.reason, .received = was_received(skb) };
	struct nt_tcp_event *e;
	__u32 zero = 0;
	struct nt_tcp_cfg *cfg = bpf_map_lookup_elem(&nt_tcp_cfg, &zero);

	if (!w || !cfg || nt_drop_is_none(d.reason, cfg->consumed))
		return 0;
	if (!key_of_packet(skb, &w->key, key.received) || !nt_tcp_match(&w->key))
		return 0;
	nt_drop_find_place(ctx, &d);
	if (d.class == NT_LOC_CHILD)
		return 0;		/* its parent is counted */
	if (d.class == NT_LOC_BENIGN) {
		nt_stat_add(NT_STAT_TCP_DROPS_NORMAL, 1);
		return 0;
	}
	key.location = d.location;
	count_drop(&key);
	e = detail(w, NT_TCP_DROP);
	if (e) {
		e->drop = key;
		nt_emit(ctx, e, sizeof(*e));
	}
	return 0;
}
