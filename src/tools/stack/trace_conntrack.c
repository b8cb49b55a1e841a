/* SPDX-License-Identifier: GPL-2.0 */
#include <unistd.h>

#include "nettrace/conntrack.h"

#define O(member) offsetof(struct nt_ct_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON, .help = "one end; both directions match" },
	{ .name = "dst-ip", .letter = 'd', .flags = NT_OPT_COMMON, .help = "the other end" },
	{ .name = "protocol", .letter = 'p', .flags = NT_OPT_COMMON },
	{ .name = "src-port", .letter = 'S', .flags = NT_OPT_COMMON | NT_OPT_ZERO_IS_ANY,
	  .help = "port of the one end, 0: any" },
	{ .name = "dst-port", .letter = 'D', .flags = NT_OPT_COMMON | NT_OPT_ZERO_IS_ANY,
	  .help = "port of the other end, 0: any" },
	{ .name = "interval", .letter = 'i', .def = "5", .flags = NT_OPT_COMMON,
	  .help = "report period; in packet mode none unless it is given" },
	{ .name = "verbose", .letter = 'v', .flags = NT_OPT_COMMON,
	  .help = "original and reply tuple, status bits and label of every event" },
	{ .name = "max-entries", .def = "65536", .flags = NT_OPT_COMMON,
	  .help = "connections that are followed at a time" },
	{ .name = "mode", .type = NT_OPT_ENUM, .offset = O(mode), .choices = "auto|packet|flow", .def = "auto",
	  .help = "packet: what is decided about each packet; flow: the life of connections. auto is flow, and packet "
		  "under the old name with .py or with one of --stack, --rel-time, --filters-file" },
	{ .name = "filters-file", .type = NT_OPT_STRING, .arg = "FILE", .offset = O(filters_file),
	  .flags = NT_OPT_FILTER,
	  .help = "JSON: a list of up to 64 objects with some of src_ip, dst_ip, protocol, src_port, dst_port; one "
		  "that matches is enough" },
	{ .name = "zone", .type = NT_OPT_U32, .offset = O(zone), .max = 65535, .arg = "ID", .unit = "zone id",
	  .flags = NT_OPT_FILTER, .help = "this conntrack zone only" },
	{ .name = "mark", .type = NT_OPT_STRING, .arg = "VALUE/MASK", .offset = O(mark), .flags = NT_OPT_FILTER,
	  .help = "connections with this mark only; without a mask it must be the same" },
	{ .name = "invalid-only", .type = NT_OPT_FLAG, .offset = O(invalid_only),
	  .help = "show only packets that are INVALID, and why" },
	{ .name = "update", .letter = 'u', .type = NT_OPT_FLAG, .offset = O(update),
	  .help = "flow mode: show each packet that extends a timeout, too" },
	{ .name = "rel-time", .type = NT_OPT_FLAG, .offset = O(rel_time),
	  .help = "seconds since the first event instead of the time of day" },
	{ .name = "stack", .type = NT_OPT_FLAG, .flags = NT_OPT_BOOL_WORD, .offset = O(stack),
	  .help = "kernel stack of every event, the default in packet mode; \"true\" or \"false\" may follow" },
	{ .name = "rate", .type = NT_OPT_U32, .offset = O(rate), .def = "10000", .max = 4294967295.0,
	  .unit = "events/s", .help = "show at most this many, count the others; 0: no limit" },
};

static bool has_ovs(const void *o)
{
	(void)o;
	return !access("/sys/module/openvswitch", F_OK);
}

#define TCP_LOSS "states of the TCP tracker, and which connections a packet ended"
#define REASON_LOSS "the kernel's own words about why a packet is invalid"
#define EARLY_LOSS "which entries were deleted to make room: shown as other"
#define GC_LOSS "entries that the collector deletes to make room: shown as other"
#define OVS_LOSS "actions ct() of Open vSwitch as such, only what the tracker does for them"

/* Returns come first: of the kprobes of a function the last one made runs first, and once a return
 * probe has run there is no stack any more (5.10). */
static const struct nt_hook hooks[] = {
	{ .stem = "track_out", .type = NT_HOOK_RET, .targets = "nf_conntrack_in" },
	{ .stem = "track_in", .type = NT_HOOK_FUNC, .targets = "nf_conntrack_in", .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "confirm_out", .type = NT_HOOK_RET, .targets = "__nf_conntrack_confirm" },
	{ .stem = "confirm_in", .type = NT_HOOK_FUNC, .targets = "__nf_conntrack_confirm" },
	{ .stem = "destroy", .type = NT_HOOK_FUNC, .targets = "nf_ct_destroy|destroy_conntrack", .flags = NT_HOOK_EOL },
	{ .stem = "delete_part", .type = NT_HOOK_FUNC, .targets = "nf_ct_delete.part.0", .need = NT_VARIANT,
	  .group = "delete", .flags = NT_HOOK_PLAIN },
	{ .stem = "delete", .type = NT_HOOK_FUNC, .targets = "nf_ct_delete", .need = NT_VARIANT, .group = "delete",
	  .variant = 1 },
	{ .stem = "tcp_in", .type = NT_HOOK_FUNC, .targets = "nf_conntrack_tcp_packet|tcp_packet", .need = NT_OPTIONAL,
	  .loss = TCP_LOSS },
	{ .stem = "tcp_out", .type = NT_HOOK_RET, .targets = "nf_conntrack_tcp_packet|tcp_packet", .need = NT_OPTIONAL,
	  .loss = TCP_LOSS },
	{ .stem = "invalid_ct", .type = NT_HOOK_FUNC, .targets = "nf_ct_l4proto_log_invalid", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_PLAIN, .loss = REASON_LOSS },
	{ .stem = "invalid_l4", .type = NT_HOOK_FUNC, .targets = "nf_l4proto_log_invalid", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_PLAIN, .loss = REASON_LOSS },
	{ .stem = "clash", .type = NT_HOOK_FUNC, .targets = "nf_ct_resolve_clash", .need = NT_OPTIONAL,
	  .loss = "that an entry was not confirmed because another had the same addresses" },
	{ .stem = "early_in", .type = NT_HOOK_FUNC, .targets = "early_drop", .need = NT_OPTIONAL, .loss = EARLY_LOSS },
	{ .stem = "early_out", .type = NT_HOOK_RET, .targets = "early_drop", .need = NT_OPTIONAL, .loss = EARLY_LOSS },
	{ .stem = "gc_in", .type = NT_HOOK_FUNC, .targets = "gc_worker", .need = NT_OPTIONAL, .loss = GC_LOSS },
	{ .stem = "gc_out", .type = NT_HOOK_RET, .targets = "gc_worker", .need = NT_OPTIONAL, .loss = GC_LOSS },
	{ .stem = "refresh", .type = NT_HOOK_FUNC, .targets = "__nf_ct_refresh_acct", .need = NT_OPTIONAL,
	  .wanted = nt_ct_wants_update, .loss = "packets that extend a timeout" },
	{ .stem = "ovs_out", .type = NT_HOOK_RET, .targets = "ovs_ct_execute", .need = NT_OPTIONAL, .wanted = has_ovs,
	  .loss = OVS_LOSS },
	{ .stem = "ovs_in", .type = NT_HOOK_FUNC, .targets = "ovs_ct_execute", .need = NT_OPTIONAL, .wanted = has_ovs,
	  .loss = OVS_LOSS },
};

static const struct nt_type_need types[] = {
	{ .module = "nf_conntrack", .name = "nf_conn_acct", .loss = "the kernel's numbers of packets and bytes of each "
	  "connection (nf_conntrack_acct)" },
	{ .module = "openvswitch", .name = "ovs_conntrack_info", .loss = "what an action ct() of Open vSwitch asks for, "
	  "and ct_state behind it", .if_loaded = true },
};

const struct nt_tool nt_tool_trace_conntrack = {
	.name = "trace_conntrack",
	.aliases = "trace_conntrack.py",
	.group = NT_GROUP_STACK,
	.summary = "connection tracking: verdicts on packets, how entries live, why they end",
	.help =
	"Watches the kernel's connection tracker, for netfilter and for Open vSwitch's ct().\n"
	"\n"
	"flow mode shows the life of each entry:\n"
	"  NEW             made for its first packet    CONFIRM   put into the table with that packet\n"
	"  CONFIRM_FAILED  not put there: the packet is dropped\n"
	"  CLASH           joined an entry that another CPU made for the same addresses\n"
	"  DELETE          left the table, by timeout, user (ctnetlink), early_drop (the table was full;\n"
	"                  early_drop_gc: almost, and the collector saw to it), reset (a RST without an\n"
	"                  answer before), reopened (a new SYN) or other (a namespace that ends)\n"
	"  DESTROY         freed, with its final state; \"never confirmed\": its packet did not get through\n"
	"packet mode shows each packet as the tracker judges it: NEW, PACKET (of a known connection), INVALID\n"
	"and why, DROP; TCP states are the tracker's, not a socket's. Reports have all of this as numbers, by\n"
	"protocol and zone, beside the kernel's counters of this network namespace.\n"
	"\n"
	"INVALID comes with the kernel's own words where it has some, whether it logs them or not, and with\n"
	"the window that both ends have. Filters match both directions, and what NAT makes of them; a filter\n"
	"expression is about single packets: a connection is shown from the first one on that matches. The\n"
	"modules nf_conntrack and openvswitch must be loaded when the tool starts. Where probes stand in for\n"
	"fentry (5.10), return probes of tools that are started later hide the rest of a stack.",
	.example = {
		"nettrace trace_conntrack -p tcp -D 443  # connections to port 443, from NEW to DESTROY",
		"nettrace trace_conntrack --mode packet --invalid-only  # packets that are INVALID, and why",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_ct_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.types = types,
	.n_types = NT_COUNT(types),
	.state_maps = "nt_cts",
	.engine = &nt_ct_engine,
	.check = nt_ct_check,
};
