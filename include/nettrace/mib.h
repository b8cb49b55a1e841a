/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's own counters of our namespace beside a tool's figures, so that a
 * gap is seen: /proc/net/snmp, snmp6, netstat, softnet_stat (per CPU summed) and
 * the 64-bit statistics of devices.
 */
#ifndef NETTRACE_MIB_H
#define NETTRACE_MIB_H

#include <stddef.h>
#include <stdint.h>

struct nt_mib_row {
	char name[48];		/* "UdpNoPorts", "softnet_dropped", "eth0.rx_dropped" */
	uint64_t value;
};

struct nt_mib {
	struct nt_mib_row *row;
	size_t n, cap;
};

/* Reads everything now; ifindex/ifname lists name the devices to add. The caller frees. */
int nt_mib_read(struct nt_mib *m, const uint32_t *ifindex, const char *const *ifname, size_t n_devs);
void nt_mib_free(struct nt_mib *m);
/* b - a for every row that rose; out has room for b->n rows. Returns their number. */
size_t nt_mib_rises(const struct nt_mib *a, const struct nt_mib *b, struct nt_mib_row *out);

#endif
