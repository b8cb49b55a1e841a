/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/path.h"

static const struct nt_opt opts[] = {
	NT_PATH_OPTS,
	NT_PATH_PORT_OPTS,
};

static const struct nt_path_desc desc = { .kind = NT_PATH_DATAGRAM, .proto = 17 };

extern const struct nt_tool nt_tool_udp_drop_detector;
const struct nt_tool nt_tool_udp_drop_detector = {
	.name = "udp_drop_detector",
	.aliases = "udp_drop_detector.py",
	.summary = "UDP datagrams, or fragments of them, that are lost inside this host, and why",
	.help =
	"Follows UDP datagrams from --src-ip to --dst-ip through a host that forwards them (router, bridge, Open\n"
	"vSwitch): received by a device of --rx-iface, they have to be sent by one of --tx-iface. One that is\n"
	"not is internal; of one in fragments the bytes are compared that came in and went out, and if only some\n"
	"are missing it is partial_frag. It does not matter where fragments are put together or cut anew.\n"
	"Fragments that never came here whole are counted, not lost here (upstream).\n"
	"\n"
	"A drop that the kernel reports is told within a quarter of a second with its reason and place, the\n"
	"others after --timeout-ms without a sign. Datagrams that cannot be told apart (IP id 0, no checksum)\n"
	"are counted rightly, but which of them was lost is then a guess. The name of a bond, team or VLAN\n"
	"device stands for the devices below it.",
	.example = {
		"nettrace udp_drop_detector --src-ip 10.0.0.5 --dst-ip 10.1.0.9 --rx-iface eth0 --tx-iface eth1 # a router",
		"nettrace udp_drop_detector --src-ip fd00::/64 --dst-ip fd01::9 --dst-port 4789 --rx-iface vnet3 --tx-iface eth0 # VXLAN",
	},
	NT_PATH_TOOL,
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_EXPR,
	.engine_data = &desc,
};
