/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/shinfo.h"

#define O(member) offsetof(struct nt_shinfo_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON },
	{ .name = "dst-ip", .letter = 'd', .flags = NT_OPT_COMMON },
	{ .name = "interface", .letter = 'i', .flags = NT_OPT_COMMON,
	  .help = "devices that a packet is first seen at, or is about to leave by" },
	{ .name = "gso-only", .letter = 'g', .type = NT_OPT_FLAG, .offset = O(gso_only),
	  .help = "only packets that are to be segmented (gso_size is not 0)" },
	{ .name = "exclude-access", .type = NT_OPT_FLAG, .offset = O(exclude_access),
	  .help = "do not show ACCESS; it is counted" },
	{ .name = "stack-trace", .letter = 't', .type = NT_OPT_FLAG, .offset = O(stack),
	  .help = "kernel stack of every event; of a function that is over, from its beginning" },
	{ .name = "check", .type = NT_OPT_ENUM, .offset = O(check), .choices = "basic|deep", .def = "basic",
	  .help = "deep: add up fragments and list members, too (at most 17 and 64)" },
	{ .name = "entry-only", .type = NT_OPT_FLAG, .offset = O(entry_only),
	  .help = "hook no returns: changes are told between two functions; default under the kprobe_only name" },
	{ .name = "vxlan-port", .type = NT_OPT_STRLIST, .arg = "PORT[,PORT]", .offset = O(port), .def = "4789,8472",
	  .help = "UDP ports of VXLAN, up to 8, whose inner flow --verbose shows" },
	{ .name = "verbose", .letter = 'v', .flags = NT_OPT_COMMON,
	  .help = "address, CPU and current process, VXLAN network and inner flow of every event" },
	{ .name = "max-entries", .def = "10240", .flags = NT_OPT_COMMON, .help = "packets that are followed at a time" },
	{ .name = "rate", .type = NT_OPT_U32, .offset = O(rate), .def = "10000", .max = 4294967295.0,
	  .unit = "events/s", .help = "show at most this many, count the others; 0: no limit" },
};

static bool ipv6_both_ends(const void *o)
{
	return nt_shinfo_both_ends(o) && nt_shinfo_has_ipv6(o);
}

#define BOTH_ENDS(program, function, in_group, text)						\
	NT_SHINFO_RETURN(program, function, NULL, nt_shinfo_both_ends, text),				\
	NT_SHINFO_ENTRY(program "_in", function, in_group, NULL, text)
#define MAKER "one that makes lists"
#define TAKER "one that takes lists apart"
#define MADE4 "lists of large IPv4 datagrams as they are made"
#define MADE6 "lists of large IPv6 datagrams as they are made"

static const struct nt_hook hooks[] = {
	BOTH_ENDS("merge", "skb_gro_receive", MAKER, "lists that GRO makes"),
	BOTH_ENDS("merge_list", "skb_gro_receive_list", MAKER, "lists that GRO makes of UDP and TCP packets (rx-gro-list)"),
	BOTH_ENDS("reassemble", "inet_frag_reasm_finish", MAKER, "lists of fragments that are put together"),
	NT_SHINFO_RETURN("make4", "__ip_make_skb", NULL, nt_shinfo_both_ends, MADE4),
	NT_SHINFO_ENTRY("make4_in", "__ip_make_skb", MAKER, nt_shinfo_both_ends, MADE4),
	NT_SHINFO_RETURN("make6", "__ip6_make_skb", NULL, ipv6_both_ends, MADE6),
	NT_SHINFO_ENTRY("make6_in", "__ip6_make_skb", NULL, ipv6_both_ends, MADE6),
	BOTH_ENDS("segment_list", "skb_segment_list", TAKER, "lists that are taken apart as GRO made them"),
	BOTH_ENDS("fragment4", "ip_do_fragment", TAKER, "lists that become IPv4 fragments"),
	NT_SHINFO_RETURN("fragment6", "ip6_fragment", NULL, ipv6_both_ends, "lists that become IPv6 fragments"),
	NT_SHINFO_ENTRY("fragment6_in", "ip6_fragment", NULL, nt_shinfo_has_ipv6, "lists that become IPv6 fragments"),
	NT_SHINFO_PASSES("segment", "skb_segment", "packets right before they are segmented"),
	BOTH_ENDS("expand", "pskb_expand_head", NULL, "which packets get a new buffer"),
	BOTH_ENDS("pull", "__pskb_pull_tail", NULL, "lists that a pull uses up"),
	BOTH_ENDS("trim", "___pskb_trim", NULL, "lists that a trim cuts"),
	NT_SHINFO_PASSES("gro", "napi_gro_receive|gro_receive_skb", "packets as they come from a driver"),
	NT_SHINFO_PASSES("forward", "ip_forward", "packets as they are forwarded"),
	NT_SHINFO_PASSES("gso", "__skb_gso_segment", "packets as segmentation begins"),
	NT_SHINFO_PASSES("gso_tunnel", "skb_udp_tunnel_segment", "packets in UDP tunnels as they are segmented"),
	NT_SHINFO_PASSES("gso_inet", "inet_gso_segment", "IPv4 packets as they are segmented"),
	NT_SHINFO_PASSES("gso_ipv6", "ipv6_gso_segment", "IPv6 packets as they are segmented"),
	NT_SHINFO_PASSES("gso_tcp", "tcp_gso_segment", "TCP packets as they are segmented"),
	{ .stem = "dev_queue", .type = NT_HOOK_TP, .targets = "net:net_dev_queue", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES, .loss = "packets as they are given to a device" },
	NT_SHINFO_ENDS,
};

const struct nt_tool nt_tool_skb_frag_list_watcher = {
	.name = "skb_frag_list_watcher",
	.aliases = "skb_frag_list_watcher.py|skb_frag_list_watcher_kprobe_only.py|skb_frag_list_watcher_kprobe_only|"
		   "skb_frag_list_watcher_kprobe",
	.group = NT_GROUP_SYSTEM,
	.summary = "which function makes, changes or loses a packet's frag_list",
	.help =
	"A packet may carry others in skb_shinfo()->frag_list: merged by GRO, reassembled of fragments, or a\n"
	"large datagram on its way to be fragmented. Who changes the list and not the lengths and GSO fields\n"
	"that belong to it makes skb_segment() fail later. Shown are\n"
	"\n"
	"  CREATE        the packet has got a list\n"
	"  CLEAR         it has lost it\n"
	"  MODIFY        list, data_len, number of fragments or GSO fields have changed\n"
	"  ACCESS        a packet with a list comes by, unchanged\n"
	"  INCONSISTENT  what the packet says does not fit together; once for each rule and packet, with\n"
	"                the functions that it came through:\n"
	"                  data_len without fragments and without frag_list\n"
	"                  linear part, fragments and frag_list together are not len (--check deep)\n"
	"                  FRAGLIST, or gso_size by frags, without a frag_list\n"
	"                  DODGY with a list whose members' linear parts are not gso_size\n"
	"\n"
	"A change belongs to the innermost function that has the packet; \"between\" two functions where it\n"
	"happened in neither. Packets are followed by address from where they first match the filter, on the\n"
	"way too; what a packet had before it was first seen is unknown. From 6.18 on napi_gro_receive stands\n"
	"for gro_receive_skb. A packet with GSO and without a list is in order.",
	.example = {
		"nettrace skb_frag_list_watcher --exclude-access --check deep  # changes, and what is wrong",
		"nettrace skb_frag_list_watcher -g -t -d 10.0.0.0/8  # GSO packets to these hosts, with stacks",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_shinfo_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_DEV | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_shinfos",
	.engine = &nt_shinfo_engine,
	.check = nt_shinfo_check_options,
};
