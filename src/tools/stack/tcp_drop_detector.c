/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/path.h"

static const struct nt_opt opts[] = {
	NT_PATH_OPTS,
	NT_PATH_PORT_OPTS,
	NT_PATH_ONE_WAY_OPT,
};

static const struct nt_path_desc desc = { .kind = NT_PATH_STREAM, .proto = 6 };

extern const struct nt_tool nt_tool_tcp_drop_detector;
const struct nt_tool nt_tool_tcp_drop_detector = {
	.name = "tcp_drop_detector",
	.aliases = "tcp_drop_detector.py",
	.summary = "TCP segments that are lost inside this host or beyond it, and why",
	.help =
	"Follows TCP connections from --src-ip to --dst-ip, in both directions, through a host that forwards them\n"
	"(router, bridge, Open vSwitch). Packets are compared by sequence numbers, so it does not matter that\n"
	"GRO, GSO and TSO join and cut them:\n"
	"\n"
	"  req_internal  received by --rx-iface, never (or not wholly) sent by --tx-iface\n"
	"  rep_internal  the same the other way, for what the other end sends\n"
	"  external      forwarded, but sent again by its sender (lost, or its ACK was late), or not\n"
	"                acknowledged within --timeout-ms\n"
	"\n"
	"Packets are as they were received: one may be many segments; lost ones are counted in segments and\n"
	"bytes too. Segments that come again although their ACK went through here are counted as sent again\n"
	"for nothing. Packets without data (ACK, RST) are counted apart, as control.\n"
	"\n"
	"A drop that the kernel reports is told within a quarter of a second with its reason and place. If the\n"
	"answers come back another way, give --one-way, else everything is external. The name of a bond, team\n"
	"or VLAN device stands for the devices below it.",
	.example = {
		"nettrace tcp_drop_detector --src-ip 10.0.0.5 --dst-ip 10.1.0.9 --rx-iface eth0 --tx-iface eth1 # a router",
		"nettrace tcp_drop_detector --src-ip 10.0.0.0/8 --dst-ip 10.1.0.9 --dst-port 443 --rx-iface vnet3 --tx-iface eth0 # a VM",
	},
	NT_PATH_TOOL,
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_EXPR,
	.engine_data = &desc,
};
