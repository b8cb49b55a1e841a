/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The TCP sockets of our network namespace as the kernel tells them over NETLINK_SOCK_DIAG, and the
 * processes that have them open. No privilege is needed; processes of others are hidden without.
 */
#ifndef NETTRACE_SOCK_DIAG_H
#define NETTRACE_SOCK_DIAG_H

#include "nettrace/err.h"
#include "nettrace/options.h"

/*
 * The kernel's struct tcp_info up to 6.18. Older kernels return less of it, newer ones more: a
 * field is there if the length that came covers it, nt_tcp_has().
 */
struct nt_tcp_info {
	uint8_t state, ca_state, retransmits, probes, backoff, options;
	uint8_t snd_wscale : 4, rcv_wscale : 4;
	uint8_t delivery_rate_app_limited : 1, fastopen_client_fail : 2;
	uint32_t rto_us, ato_us;
	uint32_t snd_mss, rcv_mss;			/* bytes */
	uint32_t unacked, sacked, lost, retrans, fackets;	/* segments; of a listener: queue, limit */
	uint32_t last_data_sent_ms, last_ack_sent_ms, last_data_recv_ms, last_ack_recv_ms;
	uint32_t pmtu, rcv_ssthresh;			/* bytes */
	uint32_t rtt_us, rttvar_us;
	uint32_t snd_ssthresh, snd_cwnd;		/* segments */
	uint32_t advmss;				/* bytes */
	uint32_t reordering;				/* segments */
	uint32_t rcv_rtt_us, rcv_space;			/* bytes */
	uint32_t total_retrans;				/* segments */
	uint64_t pacing_rate, max_pacing_rate;		/* bytes/s; all ones: no limit */
	uint64_t bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, notsent_bytes, min_rtt_us, data_segs_in, data_segs_out;
	uint64_t delivery_rate;				/* bytes/s */
	uint64_t busy_us, rwnd_limited_us, sndbuf_limited_us;
	uint32_t delivered, delivered_ce;		/* segments */
	uint64_t bytes_sent, bytes_retrans;		/* 4.19 */
	uint32_t dsack_dups, reord_seen;
	uint32_t rcv_ooopack, snd_wnd;			/* 5.4 */
	uint32_t rcv_wnd, rehash;			/* 6.2 */
	uint16_t total_rto, total_rto_recoveries;	/* 6.7 */
	uint32_t total_rto_ms;
	uint32_t received_ce;				/* 6.18 */
};

enum nt_tcp_conn_state {		/* the kernel's numbers */
	NT_TCP_ESTABLISHED = 1, NT_TCP_SYN_SENT, NT_TCP_SYN_RECV, NT_TCP_FIN_WAIT1, NT_TCP_FIN_WAIT2,
	NT_TCP_TIME_WAIT, NT_TCP_CLOSE, NT_TCP_CLOSE_WAIT, NT_TCP_LAST_ACK, NT_TCP_LISTEN, NT_TCP_CLOSING,
	NT_TCP_NEW_SYN_RECV,
};
#define NT_TCP_ALL_STATES	0xffeu
const char *nt_tcp_state_name(uint32_t state);		/* "ESTABLISHED" */

/* Attributes that came with a socket. */
enum {
	NT_SOCK_INFO = 1u << 0, NT_SOCK_MEM = 1u << 1, NT_SOCK_CONG = 1u << 2, NT_SOCK_TOS = 1u << 3,
	NT_SOCK_TCLASS = 1u << 4, NT_SOCK_BBR = 1u << 5, NT_SOCK_DCTCP = 1u << 6, NT_SOCK_VEGAS = 1u << 7,
};

struct nt_sock_mem {		/* bytes of memory, not of data, but drops: packets */
	uint32_t rmem, rcvbuf, wmem, sndbuf, fwd, wmem_queued, optmem, backlog, drops;
};

struct nt_sock {
	uint64_t cookie;	/* the socket's, never used again */
	uint32_t has;		/* NT_SOCK_* */
	uint32_t state;
	uint8_t family;		/* AF_INET, AF_INET6: of the socket; addresses may be v4-mapped */
	uint8_t timer, timer_retrans;	/* 0 off, 1 retransmission, 2 keepalive, 3 TIME_WAIT, 4 zero window */
	uint8_t tos, tclass;
	uint8_t local[16], remote[16];	/* v4-mapped */
	uint16_t local_port, remote_port;	/* network order */
	uint32_t ifindex;	/* that it is bound to; 0: none */
	uint32_t timer_ms, uid, inode;
	uint32_t recv_queue, send_queue;	/* bytes; of a listener: connections waiting, their limit */
	struct nt_sock_mem mem;
	char cong[16];
	uint32_t cc[5];		/* private figures of the congestion control, as the kernel has them */
	size_t info_len;
	struct nt_tcp_info info;
};
#define nt_tcp_has(s, field) \
	((s)->info_len >= offsetof(struct nt_tcp_info, field) + sizeof(((struct nt_tcp_info *)0)->field))

struct nt_sock_filter {
	struct nt_prefix local, remote;
	struct nt_ports local_port, remote_port;
};

/* One message of a dump. False: it is none of a socket. */
bool nt_sock_parse(struct nt_sock *s, const void *msg, size_t len);
/* Does it match? The kernel has decided the same by the code below. */
bool nt_sock_match(const struct nt_sock *s, const struct nt_sock_filter *f);
/* The filter as inet_diag's code; bytes written, 0: nothing to filter. NT_SOCK_CODE_MAX is enough. */
#define NT_SOCK_CODE_MAX 256
size_t nt_sock_code(const struct nt_sock_filter *f, void *buf);
/*
 * Calls fn for every TCP socket in one of the states (1 << state) that matches, IPv4 first; fn
 * returns false to end it. 0 or -errno (-ENOENT: the kernel has no tcp_diag).
 */
int nt_sock_dump(uint32_t states, const struct nt_sock_filter *f, bool (*fn)(void *arg, const struct nt_sock *s),
		 void *arg);

/* ---- sock_owner.c: /proc ---- */
struct nt_sock_owner {
	uint32_t inode;		/* asked for */
	uint32_t processes;	/* that have it open; 0: none seen */
	uint32_t pid, fd;	/* of the first */
	char comm[16];
};
/* Fills owners[n], which are sorted by inode. stop (may be NULL) is asked now and then. False: it
 * was stopped, or there are more descriptors than it looks at. */
bool nt_sock_owners(struct nt_sock_owner *o, size_t n, bool (*stop)(void *arg), void *arg);

#endif
