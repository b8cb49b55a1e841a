/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP engine: observers of TCP connections by their sockets. Figures of all
 * wanted connections as histograms, and of each connection as a row.
 */
#ifndef NETTRACE_TCP_H
#define NETTRACE_TCP_H

#include "nettrace/drop.h"

/* The first member of every such tool's options. */
struct nt_tcp_opts {
	struct nt_drop_opts drop;	/* first, unset: places are judged as by the drop tools */
	struct nt_prefix laddr, raddr;
	struct nt_ports lport, rport;
	uint32_t sample_rate;
	bool acks_only, all_segments, bw_hist, grid, raw;
	/* tcp_perf_observer */
	uint32_t mode;			/* enum nt_tcp_mode */
	uint32_t rtt_us, connlat_us, detail_rate;
};
enum nt_tcp_mode { NT_TCP_SUMMARY, NT_TCP_DETAIL, NT_TCP_BOTH };

#define NT_TCP_O(member) offsetof(struct nt_tcp_opts, member)
/* Whose connections: a socket's two ends. */
#define NT_TCP_FILTER_ROWS								\
	{ .name = "laddr", .letter = 'l', .type = NT_OPT_PREFIX, .offset = NT_TCP_O(laddr),	\
	  .aliases = "local-ip", .flags = NT_OPT_FILTER,				\
	  .help = "address or prefix of this host's end; with --raddr: of either end" },	\
	{ .name = "raddr", .letter = 'r', .type = NT_OPT_PREFIX, .offset = NT_TCP_O(raddr),	\
	  .aliases = "remote-ip", .flags = NT_OPT_FILTER,				\
	  .help = "address or prefix of the other end; with --laddr: of either end" },	\
	{ .name = "lport", .letter = 'L', .type = NT_OPT_PORTS, .offset = NT_TCP_O(lport),	\
	  .aliases = "local-port", .flags = NT_OPT_FILTER | NT_OPT_ZERO_IS_ANY,		\
	  .help = "port or range of this host's end" },					\
	{ .name = "rport", .letter = 'R', .type = NT_OPT_PORTS, .offset = NT_TCP_O(rport),	\
	  .aliases = "remote-port", .flags = NT_OPT_FILTER | NT_OPT_ZERO_IS_ANY,	\
	  .help = "port or range of the other end" }

#define NT_TCP_COMMON_ROWS(period)							\
	{ .name = "interval", .letter = 'i', .def = period, .flags = NT_OPT_COMMON, .help = "report period" },	\
	{ .name = "duration", .letter = 'd', .flags = NT_OPT_COMMON },			\
	{ .name = "max-entries", .def = "8192", .flags = NT_OPT_COMMON,			\
	  .help = "connections of which there are rows, of one interval and of the run" }

/* What both of the tools of samples have. */
#define NT_TCP_SAMPLE_ROWS								\
	{ .name = "sample-rate", .letter = 's', .type = NT_OPT_U32, .offset = NT_TCP_O(sample_rate), .def = "1",	\
	  .min = 1, .max = 1e6, .arg = "N", .unit = "packets", .help = "one sample of so many packets, on each CPU" },	\
	{ .name = "bw-hist", .letter = 'b', .type = NT_OPT_FLAG, .offset = NT_TCP_O(bw_hist),	\
	  .help = "also the bandwidth in equal steps of 500 Mbit/s" },			\
	{ .name = "2d", .type = NT_OPT_FLAG, .offset = NT_TCP_O(grid),			\
	  .help = "also a table of RTT by bytes in flight" },				\
	{ .name = "raw", .type = NT_OPT_FLAG, .offset = NT_TCP_O(raw),			\
	  .help = "text as lines HIST, STATS and RETRANS of key=value, for scripts" }

struct nt_tcp_desc {
	bool sends;		/* samples are of packets sent: they are counted, too */
	bool perf;		/* tcp_perf_observer: handshakes, causes of retransmissions, details */
};

extern const struct nt_engine nt_tcp_engine;

int nt_tcp_check(struct nt_run *r, struct nt_err *err);

#endif
