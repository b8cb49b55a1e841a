/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/path.h"

static const struct nt_opt opts[] = {
	NT_PATH_OPTS,
	NT_PATH_ONE_WAY_OPT,
};

static const struct nt_path_desc desc = { .kind = NT_PATH_ECHO, .proto = 1 };

extern const struct nt_tool nt_tool_icmp_drop_detector;
const struct nt_tool nt_tool_icmp_drop_detector = {
	.name = "icmp_drop_detector",
	.aliases = "icmp_drop_detector.py",
	.summary = "pings that this host forwards: which are lost, here or beyond it, and why",
	.help =
	"Follows ICMP and ICMPv6 echo requests from --src-ip to --dst-ip, and their replies, through a host that\n"
	"forwards them (router, bridge, Open vSwitch):\n"
	"\n"
	"  ReqRX  the request is received by a device of --rx-iface\n"
	"  ReqTX  it is sent by a device of --tx-iface, behind its queueing discipline\n"
	"  RepRX  the reply is received there\n"
	"  RepTX  it is sent by a device of --rx-iface\n"
	"\n"
	"Lost between the first two is req_internal, between the middle two external (or nobody answered),\n"
	"between the last two rep_internal. A drop that the kernel reports is told within a quarter of a second\n"
	"with its reason and place, the others after --timeout-ms without a sign. If replies come back another\n"
	"way, give --one-way, else every ping is external. Of a ping in fragments only the first is followed.\n"
	"A filter expression decides which requests are followed. The name of a bond, team or VLAN device stands\n"
	"for the devices below it.",
	.example = {
		"nettrace icmp_drop_detector --src-ip 10.0.0.5 --dst-ip 10.1.0.9 --rx-iface eth0 --tx-iface eth1 # a router",
		"nettrace icmp_drop_detector --src-ip fd00::/64 --dst-ip fd01::9 --rx-iface vnet3 --tx-iface bond0 -v # all",
	},
	NT_PATH_TOOL,
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_EXPR,
	.engine_data = &desc,
};
