/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/packet.h"

#include <string.h>

#define P(member) offsetof(struct nt_pkt, member)
#define IF_BIT(bit) .has_off = P(bits), .has_mask = (bit)

static const struct nt_field fields[] = {
	{ .name = "ifname", .kind = NT_K_IFINDEX, .off = P(flow.ifindex), .arg = P(flow.netns),
	  .flags = NT_F_IF_NONZERO },
	{ .name = "ifindex", .kind = NT_K_U32, .off = P(flow.ifindex), .flags = NT_F_IF_NONZERO },
	{ .name = "netns", .kind = NT_K_U32, .off = P(flow.netns), .flags = NT_F_IF_NONZERO },
	{ .name = "src_mac", .kind = NT_K_MAC, .off = P(src_mac), IF_BIT(NT_PKT_L2) },
	{ .name = "dst_mac", .kind = NT_K_MAC, .off = P(dst_mac), IF_BIT(NT_PKT_L2) },
	{ .name = "eth_type", .kind = NT_K_ETHTYPE, .off = P(flow.eth_type) },
	{ .name = "vlan", .kind = NT_K_VLANS, .off = P(vlan), .arg = 2 },
	{ .name = "ip_version", .kind = NT_K_U8, .off = P(flow.ip_version), IF_BIT(NT_PKT_L3) },
	{ .name = "protocol", .kind = NT_K_PROTO, .off = P(flow.proto), IF_BIT(NT_PKT_L3) },
	{ .name = "src_ip", .kind = NT_K_ADDR, .off = P(flow.saddr), IF_BIT(NT_PKT_L3) },
	{ .name = "dst_ip", .kind = NT_K_ADDR, .off = P(flow.daddr), IF_BIT(NT_PKT_L3) },
	{ .name = "src_port", .kind = NT_K_PORT, .off = P(flow.sport), IF_BIT(NT_PKT_PORTS) },
	{ .name = "dst_port", .kind = NT_K_PORT, .off = P(flow.dport), IF_BIT(NT_PKT_PORTS) },
	{ .name = "tcp_flags", .kind = NT_K_TCPFLAGS, .off = P(tcp_flags), IF_BIT(NT_PKT_TCP) },
	{ .name = "tcp_seq", .kind = NT_K_BE32, .off = P(tcp_seq), IF_BIT(NT_PKT_TCP) },
	{ .name = "tcp_ack", .kind = NT_K_BE32, .off = P(tcp_ack), IF_BIT(NT_PKT_TCP) },
	{ .name = "icmp_type", .kind = NT_K_U8, .off = P(icmp_type), IF_BIT(NT_PKT_ICMP) },
	{ .name = "icmp_code", .kind = NT_K_U8, .off = P(icmp_code), IF_BIT(NT_PKT_ICMP) },
	{ .name = "icmp_id", .kind = NT_K_BE16, .off = P(flow.icmp_id), IF_BIT(NT_PKT_ECHO) },
	{ .name = "icmp_seq", .kind = NT_K_BE16, .off = P(flow.icmp_seq), IF_BIT(NT_PKT_ECHO) },
	{ .name = "ip_id", .kind = NT_K_BE16, .off = P(ip_id), IF_BIT(NT_PKT_L3) },
	{ .name = "ttl", .kind = NT_K_U8, .off = P(ttl), IF_BIT(NT_PKT_L3) },
	{ .name = "tos", .kind = NT_K_U8, .off = P(tos), IF_BIT(NT_PKT_L3) },
	{ .name = "len_bytes", .kind = NT_K_U32, .off = P(len) },
	{ .name = "gso_segs", .kind = NT_K_U16, .off = P(gso_segs) },
	{ .name = "gso_size_bytes", .kind = NT_K_U16, .off = P(gso_size), .flags = NT_F_IF_NONZERO },
};

const char *nt_packet_field(struct nt_run *r, const struct nt_pkt *p, const char *name, char *buf,
			    size_t size)
{
	return nt_field_by_name(nt_run_names(r), fields, NT_COUNT(fields), name, p, buf, size);
}

void nt_packet_json(struct nt_run *r, const struct nt_pkt *p)
{
	nt_fields_json(nt_run_out(r), nt_run_names(r), fields, NT_COUNT(fields), p);
	if (p->bits & NT_PKT_TRUNC)
		nt_json_bool(nt_run_out(r), "truncated", true);
}

size_t nt_flow_text(const struct nt_flow *f, bool ports, char *buf, size_t size)
{
	const char *name = nt_proto_name(f->proto);
	char src[48], dst[48], number[8];
	int n;

	snprintf(number, sizeof(number), "%u", f->proto);
	nt_fmt_addr(f->saddr, src, sizeof(src));
	nt_fmt_addr(f->daddr, dst, sizeof(dst));
	if (ports)
		n = snprintf(buf, size, "%s %s port %u > %s port %u", name ? name : number, src,
			     __builtin_bswap16(f->sport), dst, __builtin_bswap16(f->dport));
	else
		n = snprintf(buf, size, "%s %s > %s", name ? name : number, src, dst);
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

const char *nt_packet_text(const struct nt_pkt *p, char *buf, size_t size)
{
	size_t n = 0;

	for (int i = 0; i < 2 && p->vlan[i] != NT_VLAN_NONE && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "vlan %u ", p->vlan[i]);
	if (n >= size)
		return buf;
	if (p->bits & NT_PKT_L3)
		n += nt_flow_text(&p->flow, p->bits & NT_PKT_PORTS, buf + n, size - n);
	else
		n += (size_t)snprintf(buf + n, size - n, "type 0x%04x",
				      __builtin_bswap16(p->flow.eth_type));
	if (n < size)
		n += (size_t)snprintf(buf + n, size - n, " length %u", p->len);
	if (n < size && p->gso_segs > 1)
		snprintf(buf + n, size - n, " (%u segments)", p->gso_segs);
	return buf;
}
