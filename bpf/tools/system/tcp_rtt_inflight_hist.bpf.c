// SPDX-License-Identifier: GPL-2.0
/* How connections are doing whenever a segment is received, before it is worked on. */
#include "lib/tcp.bpf.h"

NT_LICENSE;

NT_TCP_RTT_HOOK
NT_TCP_RETRANSMIT_HOOK

/* While nothing is in flight the socket sends nothing: what it believes is old news, again and again. */
NT_INLINE bool has_news(struct sock *sk, struct sk_buff *skb)
{
	const __u64 sw = nt_const(NT_CONST_TOOL0);

	if (sw & NT_TCP_IDLE_TOO)
		return true;
	if (!NT_TCP_GET(sk, packets_out)) {
		nt_stat_add(NT_STAT_TCP_IDLE, 1);
		return false;
	}
	if (!(sw & NT_TCP_ACKS_ONLY))
		return true;
	if ((__s32)(BPF_CORE_READ(nt_tcp_cb(skb), ack_seq) - NT_TCP_GET(sk, snd_una)) > 0)
		return true;
	nt_stat_add(NT_STAT_TCP_NO_NEWS, 1);
	return false;
}

NT_TP(probe, struct sock *sk, struct sk_buff *skb)
{
	struct nt_tcp_work *w = nt_tcp_wanted(direct, sk);

	if (!w || !nt_tcp_chosen() || !has_news(sk, skb))
		return 0;
	nt_tcp_read(sk, &w->state);
	nt_tcp_sample(nt_tcp_conn_of(&w->key), &w->state);
	return 0;
}
