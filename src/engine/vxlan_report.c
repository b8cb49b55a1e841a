/* SPDX-License-Identifier: GPL-2.0 */
/* What happened between two snapshots: by direction, by VNI and peer, by inner flow. */
#include <stdlib.h>
#include <string.h>

#include "nettrace/packet.h"
#include "nettrace/vxlan.h"

enum { NUMBERS_AT = 46 };	/* text column of the numbers */
#define HEADINGS "     packets    segments           bytes   dropped\n"

static struct nt_vxlan_val risen(const struct nt_vxlan_val *now, const struct nt_vxlan_val *was)
{
	struct nt_vxlan_val v = *now;

	if (was) {
		v.packets -= was->packets;
		v.segments -= was->segments;
		v.bytes -= was->bytes;
		v.dropped -= was->dropped;
	}
	return v;
}

static int more_first(const struct nt_vxlan_val *a, const struct nt_vxlan_val *b)
{
	if (a->segments != b->segments)
		return a->segments < b->segments ? 1 : -1;
	return a->dropped < b->dropped ? 1 : a->dropped > b->dropped ? -1 : 0;
}

static const char *vni_text(uint32_t vni, bool known, char *buf, size_t size)
{
	snprintf(buf, size, "-");
	if (known)
		snprintf(buf, size, "%u", vni);
	return buf;
}

static void numbers_json(struct nt_out *o, const struct nt_vxlan_val *v)
{
	nt_json_u64(o, "packets", v->packets);
	nt_json_u64(o, "segments", v->segments);
	nt_json_u64(o, "bytes", v->bytes);
	nt_json_u64(o, "dropped", v->dropped);
}

static void numbers_text(struct nt_out *o, const struct nt_vxlan_val *v)
{
	char a[32], b[32], c[32], d[32];

	nt_text(o, " %11s %11s %15s %9s\n", nt_fmt_count(v->packets, a, sizeof(a)),
		nt_fmt_count(v->segments, b, sizeof(b)), nt_fmt_count(v->bytes, c, sizeof(c)),
		nt_fmt_count(v->dropped, d, sizeof(d)));
}

/* A name in front of the numbers, on a line of its own if it is too long. */
static void name_text(struct nt_out *o, const char *name, int width)
{
	nt_text(o, "%-*s", width, name);
	if (strlen(name) > (size_t)width)
		nt_text(o, "\n%*s", NUMBERS_AT, "");
}

static const char *direction(uint32_t d)
{
	return d == NT_DIR_RX ? "rx" : "tx";
}

/* ---- peers ---- */
static int peer_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nt_vxlan_peer_key));
}

static int peer_order(const void *a, const void *b)
{
	const struct nt_vxlan_peer *x = a, *y = b;
	int order = more_first(&x->val, &y->val);

	return order ? order : peer_key(a, b);
}

static void peer_show(struct nt_run *r, const struct nt_vxlan_peer *p)
{
	static const uint8_t none[16];
	const struct nt_resolver *names = nt_run_names(r);
	const char *dev = names->ifname(names->ctx, p->key.netns, p->key.ifindex);
	bool known = memcmp(p->key.peer, none, sizeof(none)) != 0;
	struct nt_out *o = nt_run_out(r);
	char peer[48] = "-", vni[16];

	if (known)
		nt_fmt_addr(p->key.peer, peer, sizeof(peer));
	nt_text(o, "%s  %8s  %-15s ", direction(p->key.direction),
		vni_text(p->key.vni, p->key.has_vni, vni, sizeof(vni)), dev ? dev : "-");
	name_text(o, peer, NUMBERS_AT - 30);
	numbers_text(o, &p->val);
	nt_json_obj(o, NULL);
	nt_json_str(o, "direction", direction(p->key.direction));
	if (p->key.has_vni)
		nt_json_u64(o, "vni", p->key.vni);
	nt_json_str(o, "ifname", dev);
	nt_json_u64(o, "netns", p->key.netns);
	if (known)
		nt_json_str(o, "peer_ip", peer);
	numbers_json(o, &p->val);
	nt_json_obj_end(o);
}

static void peers(struct nt_run *r, const struct nt_vxlan_snapshot *before, const struct nt_vxlan_snapshot *now)
{
	struct nt_vxlan_peer *row = calloc(now->n_peers + 1, sizeof(*row));
	size_t n = 0, top = nt_run_common(r)->top;
	struct nt_out *o = nt_run_out(r);

	for (size_t i = 0; row && i < now->n_peers; i++) {
		const struct nt_vxlan_peer *was = before->n_peers ? bsearch(&now->peer[i], before->peer,
				before->n_peers, sizeof(*row), peer_key) : NULL;

		row[n] = now->peer[i];
		row[n].val = risen(&row[n].val, was ? &was->val : NULL);
		n += row[n].val.packets || row[n].val.dropped;
	}
	if (n)
		qsort(row, n, sizeof(*row), peer_order);
	if (n)
		nt_text(o, "dir      vni  device          peer             " HEADINGS);
	nt_json_arr(o, "peers");
	for (size_t i = 0; i < n && i < top; i++)
		peer_show(r, &row[i]);
	nt_json_arr_end(o);
	nt_json_u64(o, "peers_total", n);
	if (n > top)
		nt_text(o, "        ... %zu more rows (--top)\n", n - top);
	free(row);
}

/* ---- inner flows ---- */
static int flow_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nt_vxlan_flow_key));
}

static int flow_order(const void *a, const void *b)
{
	const struct nt_vxlan_flow *x = a, *y = b;
	int order = more_first(&x->val, &y->val);

	return order ? order : flow_key(a, b);
}

static void flow_json(struct nt_run *r, const struct nt_flow *f)
{
#define F(member) offsetof(struct nt_flow, member)
	static const struct nt_field fields[] = {
		{ .name = "eth_type", .kind = NT_K_ETHTYPE, .off = F(eth_type) },
		{ .name = "ip_version", .kind = NT_K_U8, .off = F(ip_version), .flags = NT_F_IF_NONZERO },
	}, ip[] = {
		{ .name = "protocol", .kind = NT_K_PROTO, .off = F(proto) },
		{ .name = "src_ip", .kind = NT_K_ADDR, .off = F(saddr) },
		{ .name = "dst_ip", .kind = NT_K_ADDR, .off = F(daddr) },
	}, ports[] = {
		{ .name = "src_port", .kind = NT_K_PORT, .off = F(sport) },
		{ .name = "dst_port", .kind = NT_K_PORT, .off = F(dport) },
	}, echo = { .name = "icmp_id", .kind = NT_K_BE16, .off = F(icmp_id), .flags = NT_F_IF_NONZERO };
	const struct nt_resolver *names = nt_run_names(r);
	struct nt_out *o = nt_run_out(r);

	nt_json_obj(o, "flow");
	nt_fields_json(o, names, fields, NT_COUNT(fields), f);
	if (f->ip_version)
		nt_fields_json(o, names, ip, NT_COUNT(ip), f);
	if (f->sport || f->dport)
		nt_fields_json(o, names, ports, NT_COUNT(ports), f);
	nt_fields_json(o, names, &echo, 1, f);
	nt_json_obj_end(o);
}

static void flow_show(struct nt_run *r, const struct nt_vxlan_flow *w)
{
	const struct nt_flow *f = &w->key.flow;
	struct nt_out *o = nt_run_out(r);
	uint16_t type = __builtin_bswap16(f->eth_type);
	char flow[160], vni[16];

	snprintf(flow, sizeof(flow), type == 0x0806 ? "arp" : "type 0x%04x", type);
	if (f->ip_version)
		nt_flow_text(f, f->sport || f->dport, flow, sizeof(flow));
	nt_text(o, "%s  %8s  ", direction(w->key.direction),
		vni_text(w->key.vni, w->key.has_vni, vni, sizeof(vni)));
	name_text(o, flow, NUMBERS_AT - 14);
	numbers_text(o, &w->val);
	nt_json_obj(o, NULL);
	nt_json_str(o, "direction", direction(w->key.direction));
	if (w->key.has_vni)
		nt_json_u64(o, "vni", w->key.vni);
	flow_json(r, f);
	numbers_json(o, &w->val);
	nt_json_obj_end(o);
}

static void flows(struct nt_run *r, const struct nt_vxlan_snapshot *before, const struct nt_vxlan_snapshot *now)
{
	struct nt_vxlan_flow *row = calloc(now->n_flows + 1, sizeof(*row));
	size_t n = 0, top = nt_run_common(r)->top;
	struct nt_out *o = nt_run_out(r);

	for (size_t i = 0; row && i < now->n_flows; i++) {
		const struct nt_vxlan_flow *was = before->n_flows ? bsearch(&now->flow[i], before->flow,
				before->n_flows, sizeof(*row), flow_key) : NULL;

		row[n] = now->flow[i];
		row[n].val = risen(&row[n].val, was ? &was->val : NULL);
		n += row[n].val.packets || row[n].val.dropped;
	}
	if (n)
		qsort(row, n, sizeof(*row), flow_order);
	if (n)
		nt_text(o, "\ndir      vni  inner flow                       " HEADINGS);
	nt_json_arr(o, "flows");
	for (size_t i = 0; i < n && i < top; i++)
		flow_show(r, &row[i]);
	nt_json_arr_end(o);
	nt_json_u64(o, "flows_total", n);
	if (n > top)
		nt_text(o, "        ... %zu more flows (--top)\n", n - top);
	free(row);
}

/* ---- totals ---- */
static void totals(struct nt_run *r, const struct nt_vxlan_snapshot *before, const struct nt_vxlan_snapshot *now)
{
	static const char *const names[NT_VXLAN_COUNTS] = {
		"packets", "segments", "bytes", "dropped", "local", "over_mtu",
	}, *const labels[NT_VXLAN_COUNTS] = {
		"packets", "segments", "bytes", "dropped", "local", "over MTU",
	};
	struct nt_out *o = nt_run_out(r);
	char count[32];

	for (uint32_t d = 0; d < 2; d++) {
		nt_json_obj(o, direction(d));
		nt_text(o, "%s:", direction(d));
		for (uint32_t i = 0; i < NT_VXLAN_COUNTS; i++) {
			uint64_t v = now->count[d][i] - before->count[d][i];

			nt_json_u64(o, names[i], v);
			if (v || i <= NT_VXLAN_N_DROPPED)
				nt_text(o, "%s %s %s", i ? "," : "", nt_fmt_count(v, count, sizeof(count)), labels[i]);
		}
		nt_text(o, "\n");
		nt_json_obj_end(o);
	}
	nt_json_u64(o, "device_packets", now->device_packets - before->device_packets);
}

void nt_vxlan_show_report(struct nt_run *r, const struct nt_vxlan_snapshot *before,
			  const struct nt_vxlan_snapshot *now)
{
	const struct nt_vxlan_opts *opts = nt_run_opts(r);

	totals(r, before, now);
	peers(r, before, now);
	if (opts->summary)
		flows(r, before, now);
}
