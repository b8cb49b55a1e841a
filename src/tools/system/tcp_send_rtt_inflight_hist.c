/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/tcp.h"

static const struct nt_opt rows[] = {
	NT_TCP_FILTER_ROWS,
	NT_TCP_COMMON_ROWS("1"),
	NT_TCP_SAMPLE_ROWS,
};

static const struct nt_hook hooks[] = {
	/* The first is gone in 7.x, the second not there in 4.19; the third also sees what has no data, and what
	 * IP could not send. */
	{ .stem = "transmit", .type = NT_HOOK_FUNC, .flags = NT_HOOK_ENTRY,
	  .targets = "tcp_rate_skb_sent|tcp_update_skb_after_send|__tcp_transmit_skb" },
	{ .stem = "ack_update_rtt", .type = NT_HOOK_FUNC, .targets = "tcp_ack_update_rtt", .need = NT_OPTIONAL,
	  .loss = "the RTT of single acknowledgements: there is the smoothed one only" },
	{ .stem = "retransmit", .type = NT_HOOK_TP, .targets = "tcp:tcp_retransmit_skb", .need = NT_OPTIONAL,
	  .loss = "retransmissions as the kernel counts them" },
};

static const struct nt_tcp_desc desc = { .sends = true };

extern const struct nt_tool nt_tool_tcp_send_rtt_inflight_hist;
const struct nt_tool nt_tool_tcp_send_rtt_inflight_hist = {
	.name = "tcp_send_rtt_inflight_hist",
	.aliases = "tcp_send_rtt_inflight_hist.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "RTT, in flight and congestion window of TCP senders at each packet sent",
	.help =
	"Looks at a TCP socket whenever it gives a packet with data to IP: what did the sender believe then?\n"
	"Smoothed RTT, segments in flight before this packet, congestion window, and the bandwidth that\n"
	"follows (in flight * MSS / RTT), as distributions and for the busiest connections.\n"
	"\n"
	"  sent              packets as TCP makes them: one has up to 64 KiB, which the device or the stack cuts\n"
	"                    into segments; the kernel counts these in data_segs_out (ss -ti)\n"
	"  retransmitted     as the kernel counts it, with segments that have no data (SYN, FIN)\n"
	"  single RTT        each measurement that went into the smoothed one\n"
	"  held back by      what keeps the sender from sending more: the window of the network, that of the\n"
	"                    receiver, or none: it has no more, or it waited for room in its own send buffer\n"
	"                    (tcp_rtt_inflight_hist tells)\n"
	"\n"
	"With --laddr and --raddr the two match in either order.",
	.example = {
		"nettrace tcp_send_rtt_inflight_hist -L 80  # what a web server sends, each second",
		"nettrace tcp_send_rtt_inflight_hist -r 10.0.0.0/8 --2d -d 10  # RTT by bytes in flight",
	},
	.opts = rows,
	.n_opts = NT_COUNT(rows),
	.opts_size = sizeof(struct nt_tcp_opts),
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_tcp_conns0|nt_tcp_conns1",
	.engine = &nt_tcp_engine,
	.engine_data = &desc,
	.check = nt_tcp_check,
};
