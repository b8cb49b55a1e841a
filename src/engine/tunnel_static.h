/* SPDX-License-Identifier: GPL-2.0 */
/* What tunnels are configured: rows by network namespace. */
#ifndef NETTRACE_ENGINE_TUNNEL_STATIC_H
#define NETTRACE_ENGINE_TUNNEL_STATIC_H

#include "nettrace/link.h"
#include "nettrace/ovs_vport.h"
#include "nettrace/udp_ports.h"
#include "tunnel_source.h"

struct nt_rows {
	void *at;		/* n of them, room for cap */
	size_t n, cap;
	size_t more;		/* that were not kept */
};

struct nt_static_ns {
	uint32_t inode;
	uint32_t pid;		/* of a process in it, by which it was found; else 0 */
	char name[64];		/* of ip netns, "": none */
	bool ours;		/* the one that we were started in */
	bool forward4, forward6;	/* IPv4, IPv6 packets */
};
struct nt_static_device {
	struct nt_link_tunnel tunnel;
	size_t ns;		/* row of its namespace, here and below */
};
struct nt_static_socket {
	struct nt_udp_port port;
	uint32_t pid;		/* 0: the kernel's, as far as processes can be seen */
	char comm[16];		/* of that process */
	size_t ns;
};
struct nt_static_offload {
	char name[16];
	uint32_t mask;		/* nt_link_offloads() */
	size_t ns;
};
struct nt_static_vport {
	struct nt_ovs_vport vport;
	size_t ns;
};
struct nt_tunnel_facts {
	struct nt_rows ns, tunnels, sockets, offloads, vports;
	size_t unread;		/* namespaces whose devices could not be listed */
	bool ovs;		/* Open vSwitch is loaded */
	bool owners_known;	/* all processes could be looked at */
};

void nt_tunnel_static_json(struct nt_run *r, const struct nt_tunnel_facts *f);
void nt_tunnel_static_text(struct nt_run *r, const struct nt_tunnel_facts *f);

#endif
