/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/tcp.h"

static const struct nt_opt rows[] = {
	NT_TCP_FILTER_ROWS,
	NT_TCP_COMMON_ROWS("1"),
	NT_TCP_SAMPLE_ROWS,
	{ .name = "acks-only", .type = NT_OPT_FLAG, .offset = NT_TCP_O(acks_only),
	  .help = "samples only of segments that acknowledge something new" },
	{ .name = "all-segments", .type = NT_OPT_FLAG, .offset = NT_TCP_O(all_segments),
	  .help = "samples also of segments that come while nothing is in flight" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "probe", .type = NT_HOOK_TP, .targets = "tcp:tcp_probe", .flags = NT_HOOK_ENTRY },
	{ .stem = "ack_update_rtt", .type = NT_HOOK_FUNC, .targets = "tcp_ack_update_rtt", .need = NT_OPTIONAL,
	  .loss = "the RTT of single acknowledgements: there is the smoothed one only" },
	{ .stem = "retransmit", .type = NT_HOOK_TP, .targets = "tcp:tcp_retransmit_skb", .need = NT_OPTIONAL,
	  .loss = "retransmissions" },
};

static const struct nt_tcp_desc desc = { .sends = false };

extern const struct nt_tool nt_tool_tcp_rtt_inflight_hist;
const struct nt_tool nt_tool_tcp_rtt_inflight_hist = {
	.name = "tcp_rtt_inflight_hist",
	.aliases = "tcp_rtt_inflight_hist.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "RTT, in flight and congestion window of TCP senders, as segments received find them",
	.help =
	"Looks at a TCP socket whenever a segment for it arrives, before the segment is worked on: smoothed RTT,\n"
	"segments in flight, congestion window, and the bandwidth that follows (in flight * MSS / RTT), as\n"
	"distributions and for the busiest connections.\n"
	"\n"
	"  smoothed RTT      what the kernel goes by; a mean that hides short peaks\n"
	"  single RTT        each measurement that went into it\n"
	"  in flight         sent, neither acknowledged nor lost, and what was sent again\n"
	"  not acknowledged  sent and not acknowledged: packets_out\n"
	"  held back by      what kept the sender from sending more: the window of the network, that of the\n"
	"                    receiver, its own send buffer, or none: it had no more to send\n"
	"\n"
	"A socket that has nothing in flight learns nothing from what it receives: such segments are counted,\n"
	"but give no sample (--all-segments). With --laddr and --raddr the two match in either order.",
	.example = {
		"nettrace tcp_rtt_inflight_hist -R 443  # connections to port 443, each second",
		"nettrace tcp_rtt_inflight_hist -l 10.0.0.1 -i 5 --bw-hist -d 60  # those of one address, for a minute",
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
