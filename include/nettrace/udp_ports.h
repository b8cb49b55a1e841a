/* SPDX-License-Identifier: GPL-2.0 */
/* UDP sockets of our network namespace, the kernel's own too, by /proc/net. */
#ifndef NETTRACE_UDP_PORTS_H
#define NETTRACE_UDP_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nt_udp_port {
	uint16_t port;		/* local, host order */
	uint8_t ip_version;
	uint32_t inode;		/* for nt_sock_owners(); that of a socket of the kernel no process has */
};
/* One line of /proc/net/udp or udp6. False: it is none of a socket. */
bool nt_udp_port_parse(const char *line, uint8_t ip_version, struct nt_udp_port *p);
/* Those that are bound to one of the ports. */
void nt_udp_ports(const uint16_t *port, size_t n, void (*fn)(void *arg, const struct nt_udp_port *p), void *arg);

#endif
