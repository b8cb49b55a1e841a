/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/conn.h"

#define O(member) offsetof(struct nt_conn_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "role", .type = NT_OPT_ENUM, .offset = O(role), .choices = "any|client|server", .def = "any",
	  .flags = NT_OPT_FILTER, .help = "server: the local port has a listener, or is no client's" },
	{ .name = "local-ip", .type = NT_OPT_PREFIX, .offset = O(filter.local), .flags = NT_OPT_FILTER,
	  .help = "local address or prefix, IPv4 or IPv6" },
	{ .name = "local-port", .type = NT_OPT_PORTS, .offset = O(filter.local_port), .flags = NT_OPT_FILTER,
	  .help = "local port or range" },
	{ .name = "remote-ip", .type = NT_OPT_PREFIX, .offset = O(filter.remote), .flags = NT_OPT_FILTER,
	  .help = "remote address or prefix, IPv4 or IPv6" },
	{ .name = "remote-port", .type = NT_OPT_PORTS, .offset = O(filter.remote_port), .flags = NT_OPT_FILTER,
	  .help = "remote port or range" },
	{ .name = "all", .type = NT_OPT_FLAG, .offset = O(all), .help = "all states, not only ESTABLISHED; listeners too" },
	{ .name = "target-bandwidth", .type = NT_OPT_FLOAT, .offset = O(target_gbps), .def = "25", .min = 0.000001,
	  .max = 1e5, .arg = "GBITS", .unit = "Gbit/s", .help = "what a connection should reach; buffers are judged by it" },
	{ .name = "show-config", .type = NT_OPT_FLAG, .offset = O(config), .help = "this host's settings too" },
	{ .name = "show-stats", .type = NT_OPT_FLAG, .offset = O(stats),
	  .help = "the counters of all connections too: their rise in the interval, without one since boot" },
	{ .name = "show-analysis", .type = NT_OPT_FLAG, .offset = O(analysis),
	  .help = "what these counters say too: kinds of retransmissions, drops" },
	{ .name = "interval", .flags = NT_OPT_COMMON, .min = 0, .max = 1e9,
	  .help = "look again and again; 0 or none: one look, with --duration at its end" },
	{ .name = "verbose", .flags = NT_OPT_COMMON, .help = "all figures of every connection (of a single one always)" },
	{ .name = "max-entries", .flags = NT_OPT_COMMON, .help = "connections at a look, 16384 by default" },
	{ .name = "attach", .flags = NT_OPT_COMMON | NT_OPT_HIDDEN },
	{ .name = "btf", .flags = NT_OPT_COMMON | NT_OPT_HIDDEN },
	{ .name = "buffer-size", .flags = NT_OPT_COMMON | NT_OPT_HIDDEN },
	{ .name = "cumulative", .flags = NT_OPT_COMMON | NT_OPT_HIDDEN },
};

const struct nt_tool nt_tool_tcp_connection_analyzer = {
	.name = "tcp_connection_analyzer",
	.aliases = "tcp_connection_analyzer.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "what holds TCP connections back, by their sockets' own figures",
	.help =
	"Asks the kernel for the TCP sockets of this network namespace and judges each: is it held back by the\n"
	"peer's receive window, the send buffer, the congestion window, loss, or an application that does not\n"
	"read? Every finding has a severity, its evidence and what to do. Shares of time (rwnd, sndbuf; the rest\n"
	"is the congestion window and the wait for the last acknowledgement) are of the time in which there was\n"
	"data to send: in the last interval, or since the connection began; so are the bytes out and in. Without\n"
	"root the processes of other users are not shown, all else is. No program is loaded, any kernel will do.",
	.example = {
		"nettrace tcp_connection_analyzer --remote-port 5201 --interval 2   # one service, every 2 s",
		"nettrace tcp_connection_analyzer --role server --all --show-analysis   # one look, listeners too",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_conn_opts),
	.works_without_bpf = true,
	.engine = &nt_conn_engine,
	.check = nt_conn_check,
};
