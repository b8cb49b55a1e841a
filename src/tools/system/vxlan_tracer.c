/* SPDX-License-Identifier: GPL-2.0 */
#include <unistd.h>

#include "nettrace/vxlan.h"

#define O(member) offsetof(struct nt_vxlan_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON, .help = "inner source address or prefix, IPv4 or IPv6" },
	{ .name = "dst-ip", .letter = 'd', .flags = NT_OPT_COMMON, .help = "inner destination address or prefix" },
	{ .name = "src-port", .flags = NT_OPT_COMMON, .help = "inner source port or range (TCP, UDP, SCTP)" },
	{ .name = "dst-port", .flags = NT_OPT_COMMON, .help = "inner destination port or range" },
	{ .name = "protocol", .letter = 'p', .aliases = "inner-proto", .flags = NT_OPT_COMMON,
	  .help = "inner protocol: all, icmp (ICMPv6 in IPv6), tcp, udp, another name, or a number" },
	{ .name = "vlan-id", .flags = NT_OPT_COMMON, .help = "any VLAN tag of the inner frame has this id (0-4095)" },
	{ .name = "vni", .letter = 'n', .type = NT_OPT_STRLIST, .arg = "VNI[,VNI]", .offset = O(vni),
	  .flags = NT_OPT_FILTER, .help = "these VXLAN network identifiers only, up to 16" },
	{ .name = "direction", .type = NT_OPT_ENUM, .offset = O(direction), .choices = "both|tx|rx", .def = "both",
	  .flags = NT_OPT_FILTER, .help = "tx: packets that are encapsulated here, rx: decapsulated" },
	{ .name = "interface", .letter = 'i', .type = NT_OPT_IFNAMES, .arg = "NAME[,NAME]", .offset = O(dev),
	  .flags = NT_OPT_FILTER, .help = "VXLAN devices, or devices of the underlay, of this namespace" },
	{ .name = "outer-src", .type = NT_OPT_PREFIX, .offset = O(outer_src), .flags = NT_OPT_FILTER,
	  .help = "outer source address or prefix, IPv4 or IPv6" },
	{ .name = "outer-dst", .type = NT_OPT_PREFIX, .offset = O(outer_dst), .flags = NT_OPT_FILTER,
	  .help = "outer destination address or prefix" },
	{ .name = "drops-only", .type = NT_OPT_FLAG, .offset = O(drops_only),
	  .help = "show only packets that are dropped; all are counted" },
	{ .name = "summary", .letter = 'S', .type = NT_OPT_FLAG, .offset = O(summary),
	  .help = "no packet by itself; tables by VNI and peer, and of inner flows, every --interval" },
	{ .name = "interval", .flags = NT_OPT_COMMON,
	  .help = "report period; default with --summary 5 s, else no reports until the end" },
	{ .name = "stack", .type = NT_OPT_FLAG, .offset = O(stack), .help = "kernel stack of every packet shown" },
	{ .name = "by-port", .type = NT_OPT_FLAG, .offset = O(by_port),
	  .help = "do not look for the kernel's VXLAN: take UDP packets to --vxlan-port at devices; for what a "
		  "program or another host encapsulates" },
	{ .name = "vxlan-port", .type = NT_OPT_STRLIST, .arg = "PORT[,PORT]", .offset = O(port), .def = "4789,8472",
	  .help = "UDP destination ports of VXLAN, up to 8, where packets are told by it" },
	{ .name = "verbose", .letter = 'v', .flags = NT_OPT_COMMON,
	  .help = "inner addresses of Ethernet, GSO, buffers, and VXLAN flags of every packet" },
	{ .name = "max-entries", .def = "16384", .flags = NT_OPT_COMMON,
	  .help = "peers, and inner flows, that are counted" },
	{ .name = "rate", .type = NT_OPT_U32, .offset = O(rate), .def = "10000", .max = 4294967295.0,
	  .unit = "events/s", .help = "show at most this many, count the others; 0: no limit" },
};

static bool by_functions(const void *o)
{
	return !((const struct nt_vxlan_opts *)o)->by_port;
}

static bool has_ipv6(const void *o)
{
	return by_functions(o) && !access("/proc/sys/net/ipv6", F_OK);
}

#define FUNCTIONS(program, kind, function, bits)						\
	{ .stem = program, .type = kind, .targets = function, .need = NT_VARIANT, .group = "vxlan",	\
	  .wanted = by_functions, .flags = bits }
#define PORTS(program, tracepoint)								\
	{ .stem = program, .type = NT_HOOK_TP, .targets = tracepoint, .need = NT_VARIANT, .group = "vxlan",	\
	  .variant = 1, .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES }
#define FDB_LOSS "packets for which a VXLAN device knows no peer"

/* Returns come first: of the kprobes of a function the last one made runs first, and once a return
 * probe has run there is no stack any more (5.10). */
static const struct nt_hook hooks[] = {
	FUNCTIONS("encap_out", NT_HOOK_RET, "vxlan_xmit_one", 0),
	FUNCTIONS("encap_in", NT_HOOK_FUNC, "vxlan_xmit_one", NT_HOOK_ENTRY | NT_HOOK_BYTES),
	FUNCTIONS("ip_out", NT_HOOK_FUNC, "__ip_local_out", 0),
	FUNCTIONS("decap_out", NT_HOOK_RET, "vxlan_rcv", 0),
	FUNCTIONS("decap_in", NT_HOOK_FUNC, "vxlan_rcv", NT_HOOK_ENTRY | NT_HOOK_BYTES),
	FUNCTIONS("delivered", NT_HOOK_FUNC, "gro_cells_receive", 0),
	FUNCTIONS("kfree_skb", NT_HOOK_TP, "skb:kfree_skb", 0),
	PORTS("port_tx", "net:net_dev_start_xmit"),
	PORTS("port_rx", "net:netif_receive_skb"),
	{ .stem = "ip6_out", .type = NT_HOOK_FUNC, .targets = "__ip6_local_out", .need = NT_OPTIONAL,
	  .wanted = has_ipv6, .loss = "packets sent to peers with IPv6 addresses: they look dropped" },
	{ .stem = "bypass", .type = NT_HOOK_FUNC, .targets = "vxlan_encap_bypass|vxlan_encap_bypass.isra.0",
	  .need = NT_OPTIONAL, .wanted = by_functions,
	  .loss = "packets to a VXLAN device of this host: they look dropped" },
	{ .stem = "device_out", .type = NT_HOOK_RET, .targets = "vxlan_xmit", .need = NT_OPTIONAL,
	  .wanted = by_functions, .loss = FDB_LOSS },
	{ .stem = "device_in", .type = NT_HOOK_FUNC, .targets = "vxlan_xmit", .need = NT_OPTIONAL,
	  .wanted = by_functions, .loss = FDB_LOSS },
};

static const struct nt_type_need types[] = {
	{ .module = "vxlan", .name = "vxlan_rdst", .if_loaded = true,
	  .loss = "the peer of packets dropped before they are encapsulated, or their own VNI" },
};

const struct nt_tool nt_tool_vxlan_tracer = {
	.name = "vxlan_tracer",
	.aliases = "vxlan_tracer.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "inner flows that are encapsulated and decapsulated here: VNI, peer, drops",
	.help =
	"Shows each packet that the kernel's VXLAN puts into UDP or takes out of it, with its VNI, its inner\n"
	"flow and the outer addresses, and what became of it:\n"
	"\n"
	"  sent       encapsulated and given to IP; once for each peer that it goes to\n"
	"  delivered  decapsulated and given to the VXLAN device\n"
	"  dropped    lost in VXLAN: no device for its VNI, no peer, no route ...; with the kernel's reason\n"
	"  local      the peer is this host: given to the other VXLAN device without encapsulation\n"
	"  seen       told by its UDP port, at a device: what becomes of it is not known\n"
	"\n"
	"Address, port and protocol filters and the filter expression are about the inner packet. Numbers\n"
	"are packets as the stack has them, segments that GSO makes of them or GRO made them of, and bytes\n"
	"of inner frames. \"over MTU\" are packets that are larger with their outer headers than the MTU of\n"
	"the underlay: they are cut into fragments there, or lost. Devices in metadata mode (\"external\",\n"
	"Open vSwitch) take VNI and peer from whoever sends. device_packets in JSON is what all VXLAN\n"
	"devices were given to send, whatever the filter.\n"
	"\n"
	"The module vxlan must be loaded when the tool starts. Without it, where functions cannot be hooked,\n"
	"and with --by-port, packets are told by UDP port at the devices that are given, else at all that\n"
	"lie on no other device: a packet that this host only forwards counts as received and as sent.\n"
	"Where probes stand in for fentry (5.10), return probes of tools that are started later hide the\n"
	"rest of a stack.",
	.example = {
		"nettrace vxlan_tracer -n 100 -d 10.1.0.5  # packets of VNI 100 to this inner address",
		"nettrace vxlan_tracer --summary --interval 10  # who talks to whom in which VNI, every 10 s",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_vxlan_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_VLAN | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.types = types,
	.n_types = NT_COUNT(types),
	.state_maps = "nt_vxlan_peers|nt_vxlan_flows",
	.engine = &nt_vxlan_engine,
	.check = nt_vxlan_check,
};
