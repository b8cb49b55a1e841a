/* SPDX-License-Identifier: GPL-2.0 */
/* A packet's view (struct nt_pkt) as records show it, the same in every tool. */
#ifndef NETTRACE_PACKET_H
#define NETTRACE_PACKET_H

#include "nettrace/run.h"

/* A member by its JSON name as text, "" if there is none; returns buf or static text. */
const char *nt_packet_field(struct nt_run *r, const struct nt_pkt *p, const char *name, char *buf,
			    size_t size);
/* Adds the packet's members, ifname to gso_size_bytes, to the JSON object that is being built. */
void nt_packet_json(struct nt_run *r, const struct nt_pkt *p);
/* "udp 10.0.0.1 port 53 > 10.0.0.2 port 4 length 80", without a newline; returns buf. */
const char *nt_packet_text(const struct nt_pkt *p, char *buf, size_t size);
/* "udp 10.0.0.1 port 53 > 10.0.0.2 port 4", of IP packets; returns its length. */
size_t nt_flow_text(const struct nt_flow *f, bool ports, char *buf, size_t size);
/* Fields of the struct nt_flow that is at an offset of a record; what the packet does not have is left out. */
#define NT_FLOW_FIELD(title, type, at, member)	\
	{ .name = title, .kind = type, .off = (at) + offsetof(struct nt_flow, member), .flags = NT_F_IF_NONZERO }
#define NT_FLOW_FIELDS(at)						\
	NT_FLOW_FIELD("ip_version", NT_K_U8, at, ip_version),		\
	NT_FLOW_FIELD("protocol", NT_K_PROTO, at, proto),		\
	NT_FLOW_FIELD("src_ip", NT_K_ADDR, at, saddr),			\
	NT_FLOW_FIELD("dst_ip", NT_K_ADDR, at, daddr),			\
	NT_FLOW_FIELD("src_port", NT_K_PORT, at, sport),		\
	NT_FLOW_FIELD("dst_port", NT_K_PORT, at, dport),		\
	NT_FLOW_FIELD("icmp_id", NT_K_BE16, at, icmp_id)

#endif
