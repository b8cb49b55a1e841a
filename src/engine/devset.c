/* SPDX-License-Identifier: GPL-2.0 */
#include "devset.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int nt_devlinks_read(struct nt_devlinks *l, struct nt_err *err)
{
	int rc = nt_link_dump(&l->row);

	if (rc < 0)
		return nt_err_set(err, NT_EXIT_RUNTIME, -rc, "cannot list the interfaces: rtnetlink: %s",
				  strerror(-rc));
	l->n = (size_t)rc;
	return 0;
}

void nt_devlinks_free(struct nt_devlinks *l)
{
	free(l->row);
	*l = (struct nt_devlinks){ .row = NULL };
}

static size_t used(const struct nt_devset *set)
{
	size_t n = 0;

	while (n < NT_DEVSET_MAX && set->dev[n].ifindex)
		n++;
	return n;
}

static size_t with_role(const struct nt_devset *set, uint16_t role)
{
	size_t n = 0;

	for (size_t i = 0; i < used(set); i++)
		n += (set->dev[i].roles & role) != 0;
	return n;
}

/* The device's lower ones; false: there is no room for all. */
static bool add(struct nt_devset *set, const struct nt_devlinks *l, uint32_t ifindex, uint16_t role, size_t max)
{
	struct nt_link_lower low[NT_DEVSET_MAX];
	size_t n = nt_link_expand(l->row, l->n, ifindex, low, NT_DEVSET_MAX), at = used(set);

	if (with_role(set, role) + n > max || at + n > NT_DEVSET_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		set->dev[at++] = (struct nt_devset_dev){ low[i].ifindex, low[i].vlan, role };
	return true;
}

int nt_devset_add(struct nt_devset *set, const struct nt_devlinks *l, const char *option,
		  const struct nt_strlist *names, uint16_t role, size_t max, struct nt_err *err)
{
	for (size_t i = 0; i < names->n; i++) {
		uint32_t ifindex = if_nametoindex(names->item[i]);

		if (!ifindex)
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"no such interface: %s: see ip link for the names in this namespace",
				names->item[i]);
		if (!add(set, l, ifindex, role, max))
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"too many interfaces: %s: give at most %zu, members of a bond counted", option, max);
	}
	return 0;
}

/* ---- what the namespace's devices are ---- */
enum nt_link_kind nt_devlinks_kind(const struct nt_devlinks *l, const char *name)
{
	uint32_t ifindex = if_nametoindex(name);

	for (size_t i = 0; i < l->n; i++)
		if (l->row[i].ifindex == ifindex)
			return l->row[i].kind;
	return NT_LINK_PLAIN;
}

static bool on_a_bus(uint32_t ifindex)
{
	char name[IF_NAMESIZE], path[64];

	if (!if_indextoname(ifindex, name))
		return false;
	snprintf(path, sizeof(path), "/sys/class/net/%s/device", name);
	return !access(path, F_OK);
}

static bool has(const struct nt_devset *set, uint32_t ifindex, uint16_t role)
{
	for (size_t i = 0; i < used(set); i++)
		if (set->dev[i].ifindex == ifindex && (set->dev[i].roles & role))
			return true;
	return false;
}

/* /proc/net/route: name, destination, gateway, flags, counters, metric, mask. */
static void add_default_routes(struct nt_devset *set, const struct nt_devlinks *l, uint16_t role, size_t max)
{
	FILE *f = fopen("/proc/net/route", "re");
	char line[256], name[IF_NAMESIZE];
	unsigned long destination, mask;
	uint32_t ifindex;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%15s %lx %*s %*s %*s %*s %*s %lx", name, &destination, &mask) != 3)
			continue;
		ifindex = if_nametoindex(name);
		if (!destination && !mask && ifindex && !has(set, ifindex, role))
			add(set, l, ifindex, role, max);
	}
	if (f)
		fclose(f);
}

size_t nt_devset_add_uplinks(struct nt_devset *set, const struct nt_devlinks *l, uint16_t role, size_t max)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->row[i].up && on_a_bus(l->row[i].ifindex))
			add(set, l, l->row[i].ifindex, role, max);
	if (!with_role(set, role))
		add_default_routes(set, l, role, max);
	return with_role(set, role);
}

/* ---- showing, writing ---- */
void nt_devset_text(struct nt_run *r, const struct nt_devset *set, const char *label, uint16_t role)
{
	char name[IF_NAMESIZE];

	nt_text(nt_run_out(r), "  %s", label);
	for (size_t i = 0; i < used(set); i++) {
		const struct nt_devset_dev *d = &set->dev[i];

		if (d->roles != role)
			continue;
		nt_text(nt_run_out(r), " %s", if_indextoname(d->ifindex, name) ? name : "?");
		if (d->vlan != NT_VLAN_NONE)
			nt_text(nt_run_out(r), " (VLAN %u)", d->vlan);
	}
	nt_text(nt_run_out(r), "\n");
}

void nt_devset_json(struct nt_run *r, const struct nt_devset *set, const char *key, uint16_t role)
{
	char name[IF_NAMESIZE];

	nt_json_arr(nt_run_out(r), key);
	for (size_t i = 0; i < used(set); i++)
		if (set->dev[i].roles & role)
			nt_json_str(nt_run_out(r), NULL, if_indextoname(set->dev[i].ifindex, name) ? name : "?");
	nt_json_arr_end(nt_run_out(r));
}

/* A device that is named twice has both roles. */
static uint32_t roles_of(const struct nt_devset *set, const struct nt_devset_dev *d)
{
	uint32_t roles = 0;

	for (size_t i = 0; i < used(set); i++)
		if (set->dev[i].ifindex == d->ifindex && set->dev[i].vlan == d->vlan)
			roles |= set->dev[i].roles;
	return roles;
}

void nt_devset_write(struct nt_run *r, const struct nt_devset *set)
{
	for (size_t i = 0; i < used(set); i++) {
		const struct nt_devset_dev *d = &set->dev[i];
		struct nt_devset_key key = { d->ifindex, nt_run_netns(r), d->vlan };
		uint32_t roles = roles_of(set, d);

		bpf_map_update_elem(nt_run_map_fd(r, "nt_devset"), &key, &roles, BPF_ANY);
	}
}
