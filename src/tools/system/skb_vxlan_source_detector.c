/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/tunnel_source.h"

#define O(member) offsetof(struct nt_tunnel_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON },
	{ .name = "dst-ip", .letter = 'd', .flags = NT_OPT_COMMON },
	{ .name = "interface", .letter = 'i', .flags = NT_OPT_COMMON,
	  .help = "devices that a packet is first seen at, or is about to leave by" },
	{ .name = "flags", .type = NT_OPT_STRLIST, .arg = "TYPE[,TYPE]", .offset = O(flags),
	  .help = "look for these gso_types, SKB_GSO_* without the prefix; default: UDP_TUNNEL, UDP_TUNNEL_CSUM, "
		  "TUNNEL_REMCSUM, GRE, GRE_CSUM, IPXIP4, IPXIP6" },
	{ .name = "gso-changes-only", .type = NT_OPT_FLAG, .offset = O(changes_only),
	  .help = "do not show VIRTIO_RX and TX of packets whose tunnel types do not change there; they are counted" },
	{ .name = "no-static-check", .type = NT_OPT_FLAG, .offset = O(no_static),
	  .help = "do not look at the start which tunnels are configured" },
	{ .name = "assert", .type = NT_OPT_ENUM, .offset = O(assert), .choices = "off|none", .def = "off",
	  .help = "none: end with exit code 1 if a packet had such a type" },
	{ .name = "stack-trace", .letter = 't', .type = NT_OPT_FLAG, .offset = O(stack),
	  .help = "kernel stack of every event; of a function that is over, from its beginning" },
	{ .name = "verbose", .letter = 'v', .flags = NT_OPT_COMMON,
	  .help = "address, CPU and current process of every event" },
	{ .name = "max-entries", .def = "10240", .flags = NT_OPT_COMMON, .help = "packets that are followed at a time" },
	{ .name = "rate", .type = NT_OPT_U32, .offset = O(rate), .def = "10000", .max = 4294967295.0,
	  .unit = "events/s", .help = "show at most this many, count the others; 0: no limit" },
};

#define BOTH_ENDS_IF(program, function, when, text)			\
	NT_SHINFO_RETURN(program, function, NULL, when, text),		\
	NT_SHINFO_ENTRY(program "_in", function, NULL, when, text)
#define BOTH_ENDS(program, function, text) BOTH_ENDS_IF(program, function, NULL, text)
#define SEEN_AT(program, tracepoint, text)				\
	{ .stem = program, .type = NT_HOOK_TP, .targets = tracepoint, .need = NT_OPTIONAL,	\
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES, .loss = text }
#define MERGED "that it is GRO that puts a type on packets"

static const struct nt_hook hooks[] = {
	BOTH_ENDS("offloads", "iptunnel_handle_offloads", "that it is a tunnel of this host that puts its type on packets"),
	BOTH_ENDS("pull_tunnel", "__iptunnel_pull_header", "where types are taken off as packets leave a tunnel"),
	BOTH_ENDS("vxlan_rcv", "vxlan_rcv", "that VXLAN takes types off; the module may not be loaded"),
	BOTH_ENDS("gro_udp4", "udp4_gro_complete", MERGED),
	BOTH_ENDS_IF("gro_udp6", "udp6_gro_complete", nt_shinfo_has_ipv6, MERGED),
	BOTH_ENDS("gro_udp", "udp_gro_complete", MERGED),
	BOTH_ENDS("gro_vxlan", "vxlan_gro_complete", "that GRO puts a type on packets of VXLAN; the module may not be loaded"),
	BOTH_ENDS("gro_gre", "gre_gro_complete", MERGED),
	BOTH_ENDS("gro_tcp", "tcp_gro_complete", MERGED),
	SEEN_AT("gro", "net:napi_gro_receive_entry", "packets as they come from a driver, virtio_net"),
	SEEN_AT("receive", "net:netif_receive_skb", "packets as they come from a tun device"),
	NT_SHINFO_PASSES("gso_tunnel", "skb_udp_tunnel_segment", "packets in UDP tunnels as they are segmented"),
	NT_SHINFO_PASSES("segment", "skb_segment", "packets right before they are segmented"),
	{ .stem = "start_xmit", .type = NT_HOOK_TP, .targets = "net:net_dev_start_xmit", .need = NT_REQUIRED,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	NT_SHINFO_ENDS,
};

const struct nt_tool nt_tool_skb_vxlan_source_detector = {
	.name = "skb_vxlan_source_detector",
	.aliases = "skb_vxlan_source_detector.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "which function or device puts GSO types of tunnels on packets",
	.help =
	"A packet that is to be segmented says how in skb_shinfo()->gso_type. Those of tunnels (UDP_TUNNEL of\n"
	"VXLAN and Geneve, GRE, IPXIP4, ...) have no business on a host or VM without tunnels. Shown are\n"
	"\n"
	"  SET           a packet has got such a type\n"
	"  CLEAR         it has lost it\n"
	"  VIRTIO_RX     a packet to be segmented comes from a virtio_net or a tun device (source), with what\n"
	"                a hypervisor, a VM or a program says of it; DODGY: it was not checked yet\n"
	"  GRO_COMPLETE  GRO has merged packets and puts the type on the result\n"
	"  DECAP         the type is taken off as the packet leaves its tunnel\n"
	"  TX            a packet with such a type is given to a device; mismatch: it is not marked as\n"
	"                encapsulated (skb->encapsulation), so the device cannot find its inner headers\n"
	"  SEEN          a packet had such a type when it was first seen, at no such device\n"
	"\n"
	"A change belongs to the innermost function that has the packet; \"since\" names the last place\n"
	"before it, where it happened in none. Packets are followed by address from where they first match\n"
	"the filter, into tunnels and out of them. The verdict is the first packet with such a type, whatever\n"
	"the limits of what is shown. At the start it is told what could put one on: devices that are tunnels\n"
	"and UDP sockets on ports of VXLAN and Geneve (4789, 8472, 6081) of all network namespaces, devices\n"
	"that segment packets of tunnels, forwarding, ports of Open vSwitch.",
	.example = {
		"nettrace skb_vxlan_source_detector --gso-changes-only -t  # who puts types of tunnels on packets",
		"nettrace skb_vxlan_source_detector --assert none --duration 60  # exit code 1 if there was one",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_tunnel_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_DEV | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_shinfos",
	.engine = &nt_tunnel_source_engine,
	.check = nt_tunnel_source_check,
};
