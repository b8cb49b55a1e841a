/* SPDX-License-Identifier: GPL-2.0 */
/* Ports of the kernel's Open vSwitch in our network namespace, by generic netlink. */
#ifndef NETTRACE_OVS_VPORT_H
#define NETTRACE_OVS_VPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nt_ovs_vport {
	char name[16];
	uint32_t type;		/* enum ovs_vport_type */
	uint16_t port;		/* UDP, host order, of a tunnel; 0: none */
};
/* "vxlan", "gre", "geneve"; NULL: the type is no tunnel. */
const char *nt_ovs_tunnel_kind(uint32_t type);
/* One message of a dump. False: it is none of a port. */
bool nt_ovs_vport_parse(const void *msg, size_t len, struct nt_ovs_vport *v);
/* All of them. 0, or -errno; -ENOENT: Open vSwitch is not loaded (and is not loaded by this). */
int nt_ovs_vports(void (*fn)(void *arg, const struct nt_ovs_vport *v), void *arg);

#endif
