/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/udp_ports.h"

#include <stdio.h>

bool nt_udp_port_parse(const char *line, uint8_t ip_version, struct nt_udp_port *p)
{
	unsigned int port, inode;

	/* slot, local address, remote address, state, queues, timer, retransmissions, uid, timeout, inode */
	if (sscanf(line, " %*u: %*32[0-9A-Fa-f]:%x %*32[0-9A-Fa-f]:%*x %*x %*x:%*x %*x:%*x %*x %*u %*u %u", &port,
		   &inode) != 2 || port > 65535)
		return false;
	*p = (struct nt_udp_port){ .port = (uint16_t)port, .ip_version = ip_version, .inode = inode };
	return true;
}

static void read_file(const char *path, uint8_t ip_version, const uint16_t *port, size_t n,
		      void (*fn)(void *arg, const struct nt_udp_port *p), void *arg)
{
	FILE *f = fopen(path, "re");
	struct nt_udp_port p;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (!nt_udp_port_parse(line, ip_version, &p))
			continue;
		for (size_t i = 0; i < n; i++)
			if (p.port == port[i])
				fn(arg, &p);
	}
	if (f)
		fclose(f);
}

void nt_udp_ports(const uint16_t *port, size_t n, void (*fn)(void *arg, const struct nt_udp_port *p), void *arg)
{
	read_file("/proc/thread-self/net/udp", 4, port, n, fn, arg);
	read_file("/proc/thread-self/net/udp6", 6, port, n, fn, arg);
}
