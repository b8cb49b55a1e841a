/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/tcp.h"

static const struct nt_opt rows[] = {
	NT_TCP_FILTER_ROWS,
	{ .name = "interval", .letter = 'i', .def = "5", .flags = NT_OPT_COMMON, .help = "report period" },
	{ .name = "duration", .letter = 'd', .flags = NT_OPT_COMMON },
	{ .name = "max-entries", .def = "4096", .flags = NT_OPT_COMMON,
	  .help = "connections of which there are rows, of one interval and of the run" },
	{ .name = "mode", .letter = 'm', .type = NT_OPT_ENUM, .offset = NT_TCP_O(mode), .choices = "summary|detail|both",
	  .def = "both", .help = "reports, the bad moments one by one, or both" },
	{ .name = "rtt-threshold-us", .letter = 't', .type = NT_OPT_U32, .offset = NT_TCP_O(rtt_us), .def = "10000",
	  .max = 4294967295.0, .unit = "us", .arg = "US", .aliases = "rtt-threshold",
	  .help = "show each round trip from this on" },
	{ .name = "connlat-threshold-us", .letter = 'c', .type = NT_OPT_U32, .offset = NT_TCP_O(connlat_us),
	  .def = "20000", .max = 4294967295.0, .unit = "us", .arg = "US", .aliases = "connlat-threshold",
	  .help = "show each handshake from this on" },
	{ .name = "detail-rate", .type = NT_OPT_U32, .offset = NT_TCP_O(detail_rate), .def = "200", .max = 1e9,
	  .unit = "events per second", .arg = "N", .help = "show at most so many; the others are counted (0: no limit)" },
	{ .name = "sample-rate", .letter = 's', .type = NT_OPT_U32, .offset = NT_TCP_O(sample_rate), .def = "1",
	  .min = 1, .max = 1e6, .arg = "N", .unit = "RTTs", .help = "take one round trip of so many, at random" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "set_state", .type = NT_HOOK_TP, .targets = "sock:inet_sock_set_state" },
	{ .stem = "probe", .type = NT_HOOK_TP, .targets = "tcp:tcp_probe", .flags = NT_HOOK_ENTRY },
	{ .stem = "retransmit", .type = NT_HOOK_TP, .targets = "tcp:tcp_retransmit_skb" },
	{ .stem = "retransmit_synack", .type = NT_HOOK_TP, .targets = "tcp:tcp_retransmit_synack", .need = NT_OPTIONAL,
	  .loss = "SYN-ACKs that are sent again" },
	{ .stem = "ack_update_rtt", .type = NT_HOOK_FUNC, .targets = "tcp_ack_update_rtt", .need = NT_OPTIONAL,
	  .loss = "the RTT of single acknowledgements, as figure and as detail" },
	{ .stem = "send_reset", .type = NT_HOOK_TP, .targets = "tcp:tcp_send_reset", .need = NT_OPTIONAL,
	  .loss = "resets that this host sends" },
	{ .stem = "receive_reset", .type = NT_HOOK_TP, .targets = "tcp:tcp_receive_reset", .need = NT_OPTIONAL,
	  .loss = "resets that this host receives" },
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .need = NT_OPTIONAL,
	  .loss = "packets that this host drops" },
};

static const struct nt_tcp_desc desc = { .perf = true };

extern const struct nt_tool nt_tool_tcp_perf_observer;
const struct nt_tool nt_tool_tcp_perf_observer = {
	.name = "tcp_perf_observer",
	.aliases = "tcp_perf_observer.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "how TCP connections fare: RTT, handshakes, retransmissions, resets, drops, changes of state",
	.help =
	"Reports on the connections of this host, and shows the bad moments as they come:\n"
	"\n"
	"  rtt        an acknowledgement that took --rtt-threshold-us or more\n"
	"  connlat    a handshake of --connlat-threshold-us or more; active: from SYN to SYN-ACK, with all tries\n"
	"             (and who called connect()); passive: from SYN-ACK to its acknowledgement\n"
	"  failed     a connection that could not be opened, and why\n"
	"  retrans    a packet that is sent again: SYN, SYN-ACK, after a timeout, fast (as the receiver has got\n"
	"             what came later), tail loss probe\n"
	"  reset_out, reset_in\n"
	"  drop       a packet of TCP that this host drops (skb:kfree_skb), in or out, with reason and place\n"
	"\n"
	"Connections are listed by harm: those with most retransmissions first, then by RTT. \"% ever\" is what\n"
	"the kernel counts of the connection since its begin. Before 6.10 the kernel does not tell of resets that\n"
	"answer segments without a connection; before 5.17 it has no reasons of drops, and TCP drops unseen what\n"
	"it has found a socket for. With --laddr and --raddr the two match in either order.",
	.example = {
		"nettrace tcp_perf_observer -R 443 -t 50000  # connections to port 443; RTTs from 50 ms on",
		"nettrace tcp_perf_observer -m summary -i 60 --json  # a record each minute",
	},
	.opts = rows,
	.n_opts = NT_COUNT(rows),
	.opts_size = sizeof(struct nt_tcp_opts),
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_tcp_conns0|nt_tcp_conns1|nt_tcp_rtts0|nt_tcp_rtts1",
	.engine = &nt_tcp_engine,
	.engine_data = &desc,
	.check = nt_tcp_check,
};
