/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sockets of IPv4 and IPv6: who they belong to in the file table, addresses, ports, protocol, what
 * lies in the receive queue. The socket's own end is the source of the flow, the peer the destination.
 */
#ifndef NT_BPF_SOCK_H
#define NT_BPF_SOCK_H

#include "lib/filter.bpf.h"

#define NT_S_IFMT 0170000
#define NT_S_IFSOCK 0140000
#define NT_IPPROTO_TCP 6
#define NT_IPPROTO_UDP 17

NT_INLINE bool nt_sock_is_inet(struct sock *sk)
{
	__u16 family = sk ? BPF_CORE_READ(sk, __sk_common.skc_family) : 0;

	return family == NT_AF_INET || family == NT_AF_INET6;
}

/* The IPv4 or IPv6 socket behind a descriptor of the running thread; NULL: it is something else. */
NT_INLINE struct sock *nt_sock_of_fd(__u64 fd)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(t, files, fdt);
	struct file **array = BPF_CORE_READ(fdt, fd), *file = NULL;
	struct socket *sock;
	struct sock *sk;

	if (fd >= BPF_CORE_READ(fdt, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), array + fd) || !file)
		return NULL;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & NT_S_IFMT) != NT_S_IFSOCK)
		return NULL;
	sock = BPF_CORE_READ(file, private_data);	/* NULL of a path that was opened with O_PATH */
	sk = sock ? BPF_CORE_READ(sock, sk) : NULL;
	return nt_sock_is_inet(sk) ? sk : NULL;
}

/* Above 255 there are protocols that have no number on the wire (MPTCP). */
NT_INLINE __u32 nt_sock_protocol(struct sock *sk)
{
	struct sock___protocol *s = (void *)sk;

	return BPF_CORE_READ_BITFIELD_PROBED(s, sk_protocol);
}

NT_INLINE void nt_sock_addrs4(struct sock *sk, struct nt_flow *f)
{
	__be32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	__be32 remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);

	nt_v4_mapped(f->saddr, (const __u8 *)&local);
	nt_v4_mapped(f->daddr, (const __u8 *)&remote);
}

NT_INLINE void nt_sock_addrs6(struct sock *sk, struct nt_flow *f)
{
	if (!bpf_core_field_exists(sk->__sk_common.skc_v6_daddr))
		return;
	BPF_CORE_READ_INTO((struct in6_addr *)f->saddr, sk, __sk_common.skc_v6_rcv_saddr);
	BPF_CORE_READ_INTO((struct in6_addr *)f->daddr, sk, __sk_common.skc_v6_daddr);
}

NT_INLINE void nt_sock_flow(struct sock *sk, struct nt_flow *f)
{
	struct inet_sock *inet = (void *)sk;

	__builtin_memset(f, 0, sizeof(*f));
	f->proto = nt_sock_protocol(sk);
	f->sport = BPF_CORE_READ(inet, inet_sport);	/* skc_num is 0 once a connection was reset */
	f->dport = BPF_CORE_READ(sk, __sk_common.skc_dport);
	f->ip_version = 4;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == NT_AF_INET) {
		nt_sock_addrs4(sk, f);
		return;
	}
	nt_sock_addrs6(sk, f);
	/* An IPv6 socket may talk IPv4: then its addresses are v4-mapped. */
	if (!nt_is_v4_mapped(f->daddr) && !nt_is_v4_mapped(f->saddr))
		f->ip_version = 6;
}

/* A cursor that has the socket's flow, for nt_tuple_match(): no packet is behind it. */
NT_INLINE void nt_sock_cur(struct sock *sk, struct nt_cur *c)
{
	__builtin_memset(c, 0, sizeof(*c));
	c->l2 = c->l3 = c->l4 = NT_NO_OFF;
	c->bits = NT_PKT_L3 | NT_PKT_PORTS;
	nt_sock_flow(sk, &c->flow);
}

/* Bytes that wait to be received, as ss shows them: of TCP data, else memory of the packets. */
NT_INLINE __u32 nt_sock_recvq(struct sock *sk)
{
	__u32 proto = nt_sock_protocol(sk);
	struct tcp_sock *tp = (void *)sk;
	struct udp_sock *up = (void *)sk;
	__s32 n;

	if (proto == NT_IPPROTO_TCP)
		n = BPF_CORE_READ(tp, rcv_nxt) - BPF_CORE_READ(tp, copied_seq);
	else if (proto > 255)
		n = 0;
	else
		n = BPF_CORE_READ(sk, sk_backlog.rmem_alloc.counter);
	if (proto == NT_IPPROTO_UDP && bpf_core_field_exists(up->forward_deficit))
		n -= BPF_CORE_READ(up, forward_deficit);
	return n > 0 ? n : 0;
}

#endif
