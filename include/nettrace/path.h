/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Path engine: packets that this host forwards from one side of devices to the
 * other (and back). Stages of a packet: received at the rx side, sent at the tx
 * side; of its answer: received at the tx side, sent at the rx side. What is
 * missing after the timeout is lost: inside this host, or outside. A drop that
 * the kernel reports is told with reason and place without waiting for the
 * timeout. Every tracked packet is in one counter: complete, one kind of loss,
 * uncertain, open, evicted.
 */
#ifndef NETTRACE_PATH_H
#define NETTRACE_PATH_H

#include "nettrace/drop.h"

enum nt_path_kind { NT_PATH_ECHO, NT_PATH_DATAGRAM, NT_PATH_STREAM };

struct nt_path_opts {			/* option struct of every tool on this engine */
	struct nt_drop_opts drop;	/* first, unset: places are judged as by the drop tools */
	struct nt_strlist rx, tx;	/* device names */
	uint32_t timeout_ms;
	bool one_way;			/* answers do not matter */
};

struct nt_path_desc {
	enum nt_path_kind kind;
	uint8_t proto;			/* IPv4's number */
};

extern const struct nt_engine nt_path_engine;

/* For a tool's check(): devices are resolved and expanded, addresses compared. */
int nt_path_check(struct nt_run *r, struct nt_err *err);

/* The rows that the tools share. */
#define NT_PATH_O(member) offsetof(struct nt_path_opts, member)
#define NT_PATH_OPTS \
	{ .name = "src-ip", .flags = NT_OPT_COMMON | NT_OPT_REQUIRED, \
	  .help = "address or prefix of the end behind the rx side" }, \
	{ .name = "dst-ip", .flags = NT_OPT_COMMON | NT_OPT_REQUIRED, \
	  .help = "address or prefix of the end behind the tx side" }, \
	{ .name = "rx-iface", .type = NT_OPT_IFNAMES, .offset = NT_PATH_O(rx), .arg = "NAME[,NAME]", \
	  .flags = NT_OPT_REQUIRED | NT_OPT_FILTER, \
	  .help = "devices where they come in, at most 8" }, \
	{ .name = "tx-iface", .type = NT_OPT_IFNAMES, .offset = NT_PATH_O(tx), .arg = "NAME[,NAME]", \
	  .flags = NT_OPT_REQUIRED | NT_OPT_FILTER, .help = "devices where they go out, at most 8" }, \
	{ .name = "timeout-ms", .type = NT_OPT_U32, .offset = NT_PATH_O(timeout_ms), .def = "1000", \
	  .min = 1, .max = 3600000, .unit = "ms", \
	  .help = "a packet is lost when nothing is seen of it for so long" }, \
	{ .name = "verbose", .flags = NT_OPT_COMMON, \
	  .help = "show each passage, and complete packets with their times" }, \
	{ .name = "interval", .flags = NT_OPT_COMMON, .help = "print the counters each period, too" }, \
	{ .name = "buffer-size", .def = "8M", .flags = NT_OPT_COMMON }, \
	{ .name = "max-entries", .def = "65536", .flags = NT_OPT_COMMON, \
	  .help = "packets that can be followed at a time" }

#define NT_PATH_ONE_WAY_OPT \
	{ .name = "one-way", .type = NT_OPT_FLAG, .offset = NT_PATH_O(one_way), \
	  .help = "do not wait for an answer: it comes back another way" }

#define NT_PATH_PORT_OPTS \
	{ .name = "src-port", .flags = NT_OPT_COMMON | NT_OPT_ZERO_IS_ANY, \
	  .help = "port or range of the end behind the rx side; 0: any" }, \
	{ .name = "dst-port", .flags = NT_OPT_COMMON | NT_OPT_ZERO_IS_ANY, \
	  .help = "port or range of the end behind the tx side; 0: any" }

#define NT_PATH_N_HOOKS 3
extern const struct nt_hook nt_path_hooks[NT_PATH_N_HOOKS];

/* What every tool on this engine says of itself; opts is its array of rows. */
#define NT_PATH_TOOL \
	.group = NT_GROUP_STACK, .opts = opts, .n_opts = NT_COUNT(opts), \
	.opts_size = sizeof(struct nt_path_opts), .hooks = nt_path_hooks, .n_hooks = NT_PATH_N_HOOKS, \
	.engine = &nt_path_engine, .check = nt_path_check

#endif
