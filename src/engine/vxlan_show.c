/* SPDX-License-Identifier: GPL-2.0 */
/* How vxlan_tracer's packets look. */
#include <string.h>

#include "nettrace/packet.h"
#include "nettrace/vxlan.h"

#define E(member) offsetof(struct nt_vxlan_event, member)
#define IF_BIT(bit) .has_off = E(bits), .has_mask = (bit)

static const struct nt_field head_fields[] = {
	{ .name = "time", .kind = NT_K_TS, .off = E(ts_ns) },
	{ .name = "direction", .kind = NT_K_ENUM, .off = E(direction), .names = "tx|rx" },
	{ .name = "vni", .kind = NT_K_U32, .off = E(vni), IF_BIT(NT_VXLAN_VNI) },
	{ .name = "cpu", .kind = NT_K_U32, .off = E(cpu) },
};
static const struct nt_field drop_fields[] = {
	{ .name = "reason", .kind = NT_K_REASON, .off = E(reason), .flags = NT_F_IF_NONZERO },
	{ .name = "location", .kind = NT_K_KSYM, .off = E(location), .flags = NT_F_IF_NONZERO },
};
static const struct nt_field outer_fields[] = {
	{ .name = "src_ip", .kind = NT_K_ADDR, .off = E(outer_src), IF_BIT(NT_VXLAN_HEADER) },
	{ .name = "dst_ip", .kind = NT_K_ADDR, .off = E(outer_dst), IF_BIT(NT_VXLAN_PEER) },
	{ .name = "src_port", .kind = NT_K_PORT, .off = E(outer_sport), IF_BIT(NT_VXLAN_HEADER) },
	{ .name = "dst_port", .kind = NT_K_PORT, .off = E(outer_dport), IF_BIT(NT_VXLAN_HEADER) },
	{ .name = "ttl", .kind = NT_K_U8, .off = E(outer_ttl), IF_BIT(NT_VXLAN_HEADER) },
	{ .name = "tos", .kind = NT_K_U8, .off = E(outer_tos), IF_BIT(NT_VXLAN_HEADER) },
	{ .name = "len_bytes", .kind = NT_K_U32, .off = E(outer_len), .flags = NT_F_IF_NONZERO },
	{ .name = "segment_bytes", .kind = NT_K_U32, .off = E(segment_len), .flags = NT_F_IF_NONZERO },
	{ .name = "ifname", .kind = NT_K_IFINDEX, .off = E(lower_ifindex), .arg = E(lower_netns),
	  .flags = NT_F_IF_NONZERO },
	{ .name = "netns", .kind = NT_K_U32, .off = E(lower_netns), .flags = NT_F_IF_NONZERO },
	{ .name = "mtu_bytes", .kind = NT_K_U32, .off = E(lower_mtu), .flags = NT_F_IF_NONZERO },
};
#define A(member) E(pkt.arp.member)
static const struct nt_field arp_fields[] = {
	{ .name = "operation", .kind = NT_K_BE16, .off = A(op) },
	{ .name = "sender_mac", .kind = NT_K_MAC, .off = A(sender_mac) },
	{ .name = "target_mac", .kind = NT_K_MAC, .off = A(target_mac) },
};

static const char *arp_ip(const uint8_t ip[4], char *buf, size_t size)
{
	snprintf(buf, size, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
	return buf;
}

static const char *device(struct nt_run *r, uint32_t netns, uint32_t ifindex)
{
	const struct nt_resolver *names = nt_run_names(r);
	const char *name = ifindex ? names->ifname(names->ctx, netns, ifindex) : NULL;

	return name ? name : "-";
}

/* ---- JSON ---- */
static void arp_json(struct nt_run *r, const struct nt_vxlan_event *e)
{
	struct nt_out *o = nt_run_out(r);
	char ip[16];

	nt_json_obj(o, "arp");
	nt_fields_json(o, nt_run_names(r), arp_fields, NT_COUNT(arp_fields), e);
	nt_json_str(o, "sender_ip", arp_ip(e->pkt.arp.sender_ip, ip, sizeof(ip)));
	nt_json_str(o, "target_ip", arp_ip(e->pkt.arp.target_ip, ip, sizeof(ip)));
	nt_json_obj_end(o);
}

static void flags_json(struct nt_out *o, const struct nt_vxlan_event *e)
{
	char text[160];

	nt_json_bool(o, "metadata", e->bits & NT_VXLAN_METADATA);
	if (e->bits & NT_VXLAN_HEADER)
		nt_json_str(o, "vxlan_flags", nt_vxlan_flag_names(e->flags, text, sizeof(text)));
	if (e->bits & NT_VXLAN_GBP_ID)
		nt_json_u64(o, "gbp_id", e->gbp);
	if (e->bits & NT_VXLAN_GSO)
		nt_json_str(o, "gso_type", nt_vxlan_gso_names(e->gso_type, text, sizeof(text)));
	nt_json_u64(o, "data_len_bytes", e->data_len);
	nt_json_bool(o, "frag_list", e->bits & NT_VXLAN_FRAG_LIST);
	nt_json_bool(o, "over_mtu", e->bits & NT_VXLAN_OVER_MTU);
}

static void event_json(struct nt_run *r, const struct nt_vxlan_event *e, const uint64_t *stack)
{
	static const struct nt_field stack_field = { .name = "stack", .kind = NT_K_STACK, .arg = NT_STACK_MAX };
	const struct nt_resolver *names = nt_run_names(r);
	struct nt_out *o = nt_run_out(r);

	nt_json_begin(o, "event");
	nt_fields_json(o, names, head_fields, NT_COUNT(head_fields), e);
	nt_json_str(o, "outcome", nt_vxlan_what_name(e->what));
	if (e->what == NT_VXLAN_DROPPED)
		nt_fields_json(o, names, drop_fields, NT_COUNT(drop_fields), e);
	nt_packet_json(r, &e->pkt);
	if (e->pkt.bits & NT_PKT_ARP)
		arp_json(r, e);
	flags_json(o, e);
	nt_json_obj(o, "outer");
	nt_fields_json(o, names, outer_fields, NT_COUNT(outer_fields), e);
	nt_json_obj_end(o);
	if (stack)
		nt_fields_json(o, names, &stack_field, 1, stack);
	nt_json_end(o);
}

/* ---- text ---- */
static const char *inner_text(const struct nt_vxlan_event *e, char *buf, size_t size)
{
	static const char *const ops[] = { "?", "request", "reply", "RARP request", "RARP reply" };
	const struct nt_arp *a = &e->pkt.arp;
	unsigned int op = __builtin_bswap16(a->op);
	char sender[16], target[16];
	size_t n = 0;

	if (!(e->pkt.bits & NT_PKT_ARP))
		return nt_packet_text(&e->pkt, buf, size);
	for (int i = 0; i < 2 && e->pkt.vlan[i] != NT_VLAN_NONE; i++)
		n += (size_t)snprintf(buf + n, size - n, "vlan %u ", e->pkt.vlan[i]);
	snprintf(buf + n, size - n, "arp %s %s > %s length %u", ops[op < NT_COUNT(ops) ? op : 0],
		 arp_ip(a->sender_ip, sender, sizeof(sender)), arp_ip(a->target_ip, target, sizeof(target)), e->pkt.len);
	return buf;
}

static void outer_text(struct nt_run *r, const struct nt_vxlan_event *e)
{
	struct nt_out *o = nt_run_out(r);
	char src[48], dst[48];

	nt_fmt_addr(e->outer_src, src, sizeof(src));
	nt_fmt_addr(e->outer_dst, dst, sizeof(dst));
	if (e->bits & NT_VXLAN_HEADER)
		nt_text(o, "%s port %u > %s port %u", src, __builtin_bswap16(e->outer_sport), dst,
			__builtin_bswap16(e->outer_dport));
	else
		nt_text(o, "to %s", e->bits & NT_VXLAN_PEER ? dst : "-");
	if (e->lower_ifindex)
		nt_text(o, " %s %s", e->direction == NT_DIR_RX ? "from" : "via", device(r, e->lower_netns, e->lower_ifindex));
}

static void detail_text(struct nt_run *r, const struct nt_vxlan_event *e)
{
	struct nt_out *o = nt_run_out(r);
	char src[32], dst[32], text[160];

	nt_text(o, "    cpu %u", e->cpu);
	if (e->pkt.bits & NT_PKT_L2)
		nt_text(o, "  %s > %s", nt_packet_field(r, &e->pkt, "src_mac", src, sizeof(src)),
			nt_packet_field(r, &e->pkt, "dst_mac", dst, sizeof(dst)));
	if (e->bits & NT_VXLAN_HEADER)
		nt_text(o, "  flags %s", nt_vxlan_flag_names(e->flags, text, sizeof(text)));
	if (e->bits & NT_VXLAN_GBP_ID)
		nt_text(o, " gbp %u", e->gbp);
	if (e->bits & NT_VXLAN_METADATA)
		nt_text(o, "  metadata");
	nt_text(o, "  paged %u bytes%s\n", e->data_len, e->bits & NT_VXLAN_FRAG_LIST ? ", frag_list" : "");
	if (e->bits & NT_VXLAN_GSO)
		nt_text(o, "    gso %s, segments of %u bytes\n", nt_vxlan_gso_names(e->gso_type, text, sizeof(text)),
			e->pkt.gso_size);
}

static void drop_text(struct nt_run *r, const struct nt_vxlan_event *e)
{
	const struct nt_resolver *names = nt_run_names(r);
	char reason[64], place[96];

	if (!e->location) {
		nt_text(nt_run_out(r), "    dropped: the kernel gives no reason\n");
		return;
	}
	nt_text(nt_run_out(r), "    dropped: %s at %s\n", nt_field_text(names, &drop_fields[0], e, reason, sizeof(reason)),
		nt_field_text(names, &drop_fields[1], e, place, sizeof(place)));
}

static void event_text(struct nt_run *r, const struct nt_vxlan_event *e, const uint64_t *stack)
{
	static const struct nt_field stack_field = { .name = "stack", .kind = NT_K_STACK, .arg = NT_STACK_MAX };
	const struct nt_resolver *names = nt_run_names(r);
	char time[40], vni[16], packet[200], frames[4096];
	struct nt_out *o = nt_run_out(r);

	snprintf(vni, sizeof(vni), "-");
	if (e->bits & NT_VXLAN_VNI)
		snprintf(vni, sizeof(vni), "%u", e->vni);
	nt_text(o, "%s %s vni %-5s %-9s %-10s ", nt_field_text(names, &head_fields[0], e, time, sizeof(time)),
		e->direction == NT_DIR_RX ? "rx" : "tx", vni, nt_vxlan_what_name(e->what),
		device(r, e->pkt.flow.netns, e->pkt.flow.ifindex));
	outer_text(r, e);
	nt_text(o, "\n    %s\n", inner_text(e, packet, sizeof(packet)));
	if (e->what == NT_VXLAN_DROPPED)
		drop_text(r, e);
	if (e->bits & NT_VXLAN_OVER_MTU)
		nt_text(o, "    over MTU: %u bytes with the outer headers, %s takes %u\n", e->segment_len,
			device(r, e->lower_netns, e->lower_ifindex), e->lower_mtu);
	if (nt_run_common(r)->verbose)
		detail_text(r, e);
	if (stack && stack[0])
		nt_text(o, "%s\n", nt_field_text(names, &stack_field, stack, frames, sizeof(frames)));
}

void nt_vxlan_show_event(struct nt_run *r, const struct nt_vxlan_event *e, const uint64_t *stack)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		event_json(r, e, stack);
	else
		event_text(r, e, stack);
}
