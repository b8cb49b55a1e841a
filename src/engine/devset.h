/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices in roles, by names of the command line or by what this namespace's devices are; for
 * bpf/lib/devset.bpf.h.
 */
#ifndef NETTRACE_ENGINE_DEVSET_H
#define NETTRACE_ENGINE_DEVSET_H

#include "nettrace/link.h"
#include "nettrace/run.h"

struct nt_devset_dev {
	uint32_t ifindex;	/* 0 ends */
	uint16_t vlan;		/* NT_VLAN_NONE: any or none */
	uint16_t roles;
};
struct nt_devset {
	struct nt_devset_dev dev[NT_DEVSET_MAX];
};

struct nt_devlinks {		/* every device of our namespace; free with nt_devlinks_free() */
	struct nt_link_row *row;
	size_t n;
};
int nt_devlinks_read(struct nt_devlinks *l, struct nt_err *err);
void nt_devlinks_free(struct nt_devlinks *l);

/* The named devices, as members of bonds and below VLANs, get a role; at most max. 0 or -EINVAL with *err. */
int nt_devset_add(struct nt_devset *set, const struct nt_devlinks *l, const char *option,
		  const struct nt_strlist *names, uint16_t role, size_t max, struct nt_err *err);
/* What the device of that name is; NT_LINK_PLAIN, too, if there is none. */
enum nt_link_kind nt_devlinks_kind(const struct nt_devlinks *l, const char *name);
/* Devices to the network: those on a bus that are up; else those that default routes name. Their number. */
size_t nt_devset_add_uplinks(struct nt_devset *set, const struct nt_devlinks *l, uint16_t role, size_t max);
/* "  label eth0 eth1 (VLAN 5)" as a line of text. */
void nt_devset_text(struct nt_run *r, const struct nt_devset *set, const char *label, uint16_t role);
/* The same names as a JSON array. */
void nt_devset_json(struct nt_run *r, const struct nt_devset *set, const char *key, uint16_t role);
/* Hands it to the kernel side. */
void nt_devset_write(struct nt_run *r, const struct nt_devset *set);

#endif
