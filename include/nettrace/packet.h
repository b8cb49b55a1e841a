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

#endif
