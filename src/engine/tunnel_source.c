/* SPDX-License-Identifier: GPL-2.0 */
/* Engine of the tool about gso_types of tunnels: what is looked for, events, the verdict. */
#include "tunnel_source.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct nt_tunnel_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* ---- names ---- */
static const char *const tunnel_types[] = { "UDP_TUNNEL", "UDP_TUNNEL_CSUM", "TUNNEL_REMCSUM", "GRE", "GRE_CSUM",
					    "IPXIP4", "IPXIP6" };

static uint32_t type_of(const struct nt_gso_names *n, const char *name)
{
	if (!strncasecmp(name, "SKB_GSO_", 8))
		name += 8;
	for (uint32_t i = 0; i < 32; i++)
		if (n->name[i][0] && !strcasecmp(n->name[i], name))
			return 1u << i;
	return 0;
}

uint32_t nt_tunnel_types_all(const struct nt_gso_names *n)
{
	uint32_t types = 0;

	for (size_t i = 0; i < NT_COUNT(tunnel_types); i++)
		types |= nt_gso_bit(n, tunnel_types[i]);
	return types;
}

int nt_tunnel_types(const struct nt_gso_names *n, const struct nt_strlist *l, uint32_t *types, const char **wrong)
{
	uint32_t type;

	*types = l->n ? 0 : nt_tunnel_types_all(n);
	for (size_t i = 0; i < l->n; i++) {
		type = type_of(n, l->item[i]);
		*wrong = l->item[i];
		if (!type)
			return -EINVAL;
		*types |= type;
	}
	return 0;
}

const char *nt_tunnel_what_name(uint32_t what)
{
	static const char *const names[NT_TUNNEL_WHATS] = { "SET", "CLEAR", "VIRTIO_RX", "GRO_COMPLETE", "DECAP", "TX",
							    "SEEN" };

	return what < NT_TUNNEL_WHATS ? names[what] : "-";
}

/* "from vnet0", "on a packet of eth0" */
static void device_text(const char *before, const char *ifname, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", ifname ? " " : "", ifname ? before : "", ifname ? ifname : "");
}

const char *nt_tunnel_verdict(const struct nt_gso_names *n, const struct nt_shinfo_event *first, const char *ifname,
			      uint32_t types, char *buf, size_t size)
{
	char names[200], dev[64];

	if (!first) {
		snprintf(buf, size, "no packet had one of %s", nt_gso_text(n, types, names, sizeof(names)));
		return buf;
	}
	nt_gso_text(n, first->after.gso_type & types, names, sizeof(names));
	if (first->what == NT_TUNNEL_VIRTIO_RX) {
		device_text("", ifname, dev, sizeof(dev));
		snprintf(buf, size, "%s came with the packet from the %s device%s", names,
			 first->rules & NT_TUNNEL_FROM_TUN ? "tun" : "virtio_net", dev);
	} else if (first->rules & NT_TUNNEL_FOUND) {
		device_text("of ", ifname, dev, sizeof(dev));
		snprintf(buf, size, "a packet%s had %s already when it was first seen, at %s", dev, names,
			 nt_shinfo_place_name(first->seen_at));
	} else if (first->since) {
		device_text("of ", ifname, dev, sizeof(dev));
		snprintf(buf, size, "%s was put on a packet%s between %s and %s", names, dev,
			 nt_shinfo_place_name(first->since), nt_shinfo_place_name(first->seen_at));
	} else {
		device_text("of ", ifname, dev, sizeof(dev));
		snprintf(buf, size, "%s put %s on a packet%s", nt_shinfo_place_name(first->place), names, dev);
	}
	return buf;
}

/* ---- options ---- */
int nt_tunnel_source_check(struct nt_run *r, struct nt_err *err)
{
	const struct nt_tunnel_opts *o = opts_of(r);
	struct nt_gso_names names;
	const char *wrong = NULL;
	uint32_t types;

	if (nt_run_common(r)->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "no csv output: records are of several kinds: use --json");
	nt_gso_names_default(&names);	/* which of them this kernel has is known once its BTF was read */
	if (nt_tunnel_types(&names, &o->flags, &types, &wrong))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"bad value: --flags %s: give names of SKB_GSO_*, as UDP_TUNNEL, GRE or IPXIP4, a comma between", wrong);
	return 0;
}

/* ---- configuration ---- */
static uint64_t switches(struct nt_run *r)
{
	const struct nt_tunnel_opts *o = opts_of(r);
	uint64_t tool = (1u << NT_TUNNEL_WHATS) - 1;

	if (o->stack)
		tool |= NT_SHINFO_STACKS;
	if (o->changes_only)
		tool |= NT_SHINFO_CHANGES;
	return tool;
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	struct nt_tunnel_run *p = nt_run_priv(r);
	const char *wrong = NULL;

	nt_shinfo_btf(r);
	if (nt_tunnel_types(&p->shinfo.gso, &opts_of(r)->flags, &p->types, &wrong))
		return nt_err_set(err, NT_EXIT_UNSUPPORTED, ENOTSUP,
			"no such type of segmentation: SKB_GSO_%s: this kernel's BTF does not have it", wrong);
	nt_run_const(r, NT_CONST_TOOL0, switches(r));
	nt_run_const(r, NT_CONST_TOOL1, nt_shinfo_pairs(r));
	nt_run_const(r, NT_CONST_TOOL2, p->types | (uint64_t)nt_tunnel_types_all(&p->shinfo.gso) << 32);
	nt_run_const(r, NT_CONST_TOOL3, opts_of(r)->rate);
	return 0;
}

static void started(struct nt_run *r)
{
	if (!opts_of(r)->no_static)
		nt_tunnel_show_static(r);
}

/* ---- records ---- */
static void event(struct nt_run *r, const void *data, size_t size)
{
	(void)size;
	nt_shinfo_event(r, data, opts_of(r)->stack, nt_tunnel_show_event);
}

static int by_place(const void *a, const void *b)
{
	const struct nt_tunnel_key *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->netns != y->netns)
		return x->netns < y->netns ? -1 : 1;
	if (x->ifindex != y->ifindex)
		return x->ifindex < y->ifindex ? -1 : 1;
	return (x->what > y->what) - (x->what < y->what);
}

static void show_rows(struct nt_run *r)
{
	int fd = nt_run_map_fd(r, "nt_tunnel_counts");
	struct nt_tunnel_key key, *at = NULL;
	struct nt_tunnel_row *row = NULL;
	size_t n = 0, cap = 0;

	while (!bpf_map_get_next_key(fd, at, &key)) {
		at = &key;
		if (n == cap) {
			void *grown = realloc(row, (cap = cap ? 2 * cap : 64) * sizeof(*row));

			if (!grown)
				break;
			row = grown;
		}
		row[n].key = key;
		if (!bpf_map_lookup_elem(fd, &key, &row[n].val))
			n++;
	}
	if (n)
		qsort(row, n, sizeof(*row), by_place);
	nt_tunnel_show_rows(r, row, n);
	free(row);
}

static void end(struct nt_run *r)
{
	struct nt_err err = { .text = "" };
	struct nt_shinfo_event first;
	uint32_t zero = 0;
	char text[400];
	bool any = !bpf_map_lookup_elem(nt_run_map_fd(r, "nt_tunnel_first"), &zero, &first);

	nt_shinfo_warnings(r, false);
	nt_json_u64(nt_run_out(r), "packets", nt_run_stat(r, NT_STAT_SHINFO_PACKETS));
	show_rows(r);
	nt_tunnel_show_verdict(r, any ? &first : NULL);
	if (!any || opts_of(r)->assert != NT_TUNNEL_ASSERT_NONE)
		return;
	nt_err_set(&err, NT_EXIT_RUNTIME, EEXIST, "--assert none: %s",
		   nt_tunnel_verdict_of(r, &first, text, sizeof(text)));
	nt_run_fail(r, &err);
}

const struct nt_engine nt_tunnel_source_engine = {
	.name = "tunnel_source",
	.priv_size = sizeof(struct nt_tunnel_run),
	.configure = configure,
	.started = started,
	.event = event,
	.min_event = sizeof(struct nt_shinfo_event),
	.sweep = nt_shinfo_sweep,
	.end = end,
};
