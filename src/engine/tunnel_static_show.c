/* SPDX-License-Identifier: GPL-2.0 */
#include <string.h>

#include "tunnel_static.h"

static const struct nt_static_ns *ns_of(const struct nt_tunnel_facts *f, size_t i)
{
	return (const struct nt_static_ns *)f->ns.at + i;
}

/* "a", "here", "of pid 12" */
static const char *ns_text(const struct nt_tunnel_facts *f, size_t i, char *buf, size_t size)
{
	const struct nt_static_ns *ns = ns_of(f, i);

	if (ns->ours)
		snprintf(buf, size, "this one");
	else if (ns->name[0])
		nt_fmt_escape(ns->name, strlen(ns->name), buf, size);
	else
		snprintf(buf, size, "of pid %u", ns->pid);
	return buf;
}

static const char *address(const uint8_t *addr, char *buf, size_t size)
{
	static const uint8_t any[16];

	return memcmp(addr, any, sizeof(any)) ? nt_fmt_addr(addr, buf, size) : NULL;
}

/* ---- JSON ---- */
static void ns_json(struct nt_run *r, const struct nt_tunnel_facts *f, size_t i)
{
	const struct nt_static_ns *ns = ns_of(f, i);

	nt_json_u64(nt_run_out(r), "netns", ns->inode);
	nt_json_str(nt_run_out(r), "netns_name", ns->name[0] ? ns->name : NULL);
}

static void tunnel_json(struct nt_run *r, const struct nt_tunnel_facts *f, const struct nt_static_device *d)
{
	const struct nt_link_tunnel *t = &d->tunnel;
	struct nt_out *o = nt_run_out(r);
	char text[64];

	nt_json_obj(o, NULL);
	nt_json_str(o, "ifname", t->name);
	nt_json_u64(o, "ifindex", t->ifindex);
	ns_json(r, f, d->ns);
	nt_json_str(o, "kind", t->kind);
	nt_json_bool(o, "up", t->up);
	nt_json_bool(o, "external", t->external);
	if (t->has_vni)
		nt_json_u64(o, "vni", t->vni);
	if (t->port)
		nt_json_u64(o, "dst_port", t->port);
	if (address(t->local, text, sizeof(text)))
		nt_json_str(o, "local_ip", text);
	if (address(t->remote, text, sizeof(text)))
		nt_json_str(o, "remote_ip", text);
	nt_json_obj_end(o);
}

static void socket_json(struct nt_run *r, const struct nt_tunnel_facts *f, const struct nt_static_socket *s)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_obj(o, NULL);
	nt_json_u64(o, "port", s->port.port);
	nt_json_u64(o, "ip_version", s->port.ip_version);
	ns_json(r, f, s->ns);
	nt_json_str(o, "owner", s->pid ? "process" : f->owners_known ? "kernel" : "unknown");
	if (s->pid) {
		nt_json_u64(o, "pid", s->pid);
		nt_json_strn(o, "comm", s->comm, strnlen(s->comm, sizeof(s->comm)));
	}
	nt_json_obj_end(o);
}

static void offload_json(struct nt_run *r, const struct nt_tunnel_facts *f, const struct nt_static_offload *d)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_obj(o, NULL);
	nt_json_str(o, "ifname", d->name);
	ns_json(r, f, d->ns);
	nt_json_arr(o, "features");
	for (uint32_t i = 0; i < NT_LINK_OFFLOADS; i++)
		if (d->mask >> i & 1)
			nt_json_str(o, NULL, nt_link_offload_name(i));
	nt_json_arr_end(o);
	nt_json_obj_end(o);
}

static void vport_json(struct nt_run *r, const struct nt_tunnel_facts *f, const struct nt_static_vport *p)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_obj(o, NULL);
	nt_json_str(o, "name", p->vport.name);
	ns_json(r, f, p->ns);
	nt_json_str(o, "kind", nt_ovs_tunnel_kind(p->vport.type));
	if (p->vport.port)
		nt_json_u64(o, "dst_port", p->vport.port);
	nt_json_obj_end(o);
}

static void forwarding_json(struct nt_run *r, const struct nt_tunnel_facts *f, size_t i)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_obj(o, NULL);
	ns_json(r, f, i);
	nt_json_bool(o, "ipv4", ns_of(f, i)->forward4);
	nt_json_bool(o, "ipv6", ns_of(f, i)->forward6);
	nt_json_obj_end(o);
}

#define ROWS(rows, fn, type)					\
	do {							\
		for (size_t i = 0; i < (rows).n; i++)		\
			fn(r, f, (const type *)(rows).at + i);	\
	} while (0)

void nt_tunnel_static_json(struct nt_run *r, const struct nt_tunnel_facts *f)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_begin(o, "static");
	nt_json_arr(o, "tunnels");
	ROWS(f->tunnels, tunnel_json, struct nt_static_device);
	nt_json_arr_end(o);
	nt_json_arr(o, "sockets");
	ROWS(f->sockets, socket_json, struct nt_static_socket);
	nt_json_arr_end(o);
	nt_json_arr(o, "offloads");
	ROWS(f->offloads, offload_json, struct nt_static_offload);
	nt_json_arr_end(o);
	nt_json_arr(o, "forwarding");
	for (size_t i = 0; i < f->ns.n; i++)
		forwarding_json(r, f, i);
	nt_json_arr_end(o);
	nt_json_bool(o, "ovs_loaded", f->ovs);
	nt_json_arr(o, "ovs_vports");
	ROWS(f->vports, vport_json, struct nt_static_vport);
	nt_json_arr_end(o);
	nt_json_u64(o, "namespaces_unread", f->unread);
	nt_json_u64(o, "rows_not_kept", f->tunnels.more + f->sockets.more + f->offloads.more + f->vports.more);
	nt_json_end(o);
}

/* ---- text ---- */
static void tunnel_text(struct nt_run *r, const struct nt_tunnel_facts *f, const struct nt_static_device *d)
{
	const struct nt_link_tunnel *t = &d->tunnel;
	struct nt_out *o = nt_run_out(r);
	char ns[80], ip[64], name[64];

	if (!t->up)
		return;
	nt_text(o, "    tunnel %s (%s%s), namespace %s", nt_fmt_escape(t->name, strlen(t->name), name, sizeof(name)),
		t->kind, t->external ? ", external" : "", ns_text(f, d->ns, ns, sizeof(ns)));
	if (t->has_vni)
		nt_text(o, ", vni %u", t->vni);
	if (t->port)
		nt_text(o, ", port %u", t->port);
	if (address(t->remote, ip, sizeof(ip)))
		nt_text(o, ", to %s", ip);
	nt_text(o, "\n");
}

/* Every namespace has some that came with a module and are down. */
static void down_text(struct nt_run *r, const struct nt_tunnel_facts *f)
{
	const struct nt_static_device *d = f->tunnels.at;
	size_t n = 0;

	for (size_t i = 0; i < f->tunnels.n; i++)
		n += !d[i].tunnel.up;
	if (n)
		nt_text(nt_run_out(r), "    %zu tunnel device%s down\n", n, n == 1 ? " is" : "s are");
}

static void socket_text(struct nt_run *r, const struct nt_tunnel_facts *f, const struct nt_static_socket *s)
{
	char ns[80], comm[64];

	nt_text(nt_run_out(r), "    UDP port %u (IPv%u), namespace %s: ", s->port.port, s->port.ip_version,
		ns_text(f, s->ns, ns, sizeof(ns)));
	if (s->pid)
		nt_text(nt_run_out(r), "%s/%u\n",
			nt_fmt_escape(s->comm, strnlen(s->comm, sizeof(s->comm)), comm, sizeof(comm)), s->pid);
	else
		nt_text(nt_run_out(r), "%s\n", f->owners_known ? "the kernel" : "of the kernel or a process");
}

static void vport_text(struct nt_run *r, const struct nt_tunnel_facts *f, const struct nt_static_vport *p)
{
	char ns[80], name[64];

	nt_text(nt_run_out(r), "    Open vSwitch port %s (%s), namespace %s\n",
		nt_fmt_escape(p->vport.name, strlen(p->vport.name), name, sizeof(name)),
		nt_ovs_tunnel_kind(p->vport.type), ns_text(f, p->ns, ns, sizeof(ns)));
}

/* Devices of one namespace that segment packets of UDP tunnels, as many as a line takes. */
static void offloads_text(struct nt_run *r, const struct nt_tunnel_facts *f, size_t ns)
{
	const struct nt_static_offload *d = f->offloads.at;
	char line[512], name[80], escaped[64];
	size_t used = 0, room = 60, left = 0;

	for (size_t i = 0; i < f->offloads.n; i++) {
		if (d[i].ns != ns || !(d[i].mask & 1))
			continue;
		if (used + strlen(d[i].name) > room) {
			left++;
			continue;
		}
		used += (size_t)snprintf(line + used, sizeof(line) - used, " %s",
					 nt_fmt_escape(d[i].name, strlen(d[i].name), escaped, 17));
	}
	if (!used)
		return;
	nt_text(nt_run_out(r), "    %s on, namespace %s:%s", nt_link_offload_name(0), ns_text(f, ns, name, sizeof(name)),
		line);
	if (left)
		nt_text(nt_run_out(r), " and %zu more", left);
	nt_text(nt_run_out(r), "\n");
}

static void forwarding_text(struct nt_run *r, const struct nt_tunnel_facts *f, size_t i)
{
	const struct nt_static_ns *ns = ns_of(f, i);
	char name[80];

	if (ns->forward4 || ns->forward6)
		nt_text(nt_run_out(r), "    forwarding of %s%s%s, namespace %s\n", ns->forward4 ? "IPv4" : "",
			ns->forward4 && ns->forward6 ? " and " : "", ns->forward6 ? "IPv6" : "",
			ns_text(f, i, name, sizeof(name)));
}

void nt_tunnel_static_text(struct nt_run *r, const struct nt_tunnel_facts *f)
{
	struct nt_out *o = nt_run_out(r);

	nt_text(o, "  configured in %zu network namespace%s:\n", f->ns.n, f->ns.n == 1 ? "" : "s");
	ROWS(f->tunnels, tunnel_text, struct nt_static_device);
	down_text(r, f);
	ROWS(f->sockets, socket_text, struct nt_static_socket);
	ROWS(f->vports, vport_text, struct nt_static_vport);
	if (!f->tunnels.n && !f->sockets.n && !f->vports.n)
		nt_text(o, "    no tunnel device, no UDP socket on a port of VXLAN or Geneve, no such port of Open vSwitch\n");
	for (size_t i = 0; i < f->ns.n; i++)
		offloads_text(r, f, i);
	for (size_t i = 0; i < f->ns.n; i++)
		forwarding_text(r, f, i);
	if (f->unread)
		nt_text(o, "    devices of %zu namespaces could not be listed\n", f->unread);
	nt_text(o, "\n");
}
