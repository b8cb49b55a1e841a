/* SPDX-License-Identifier: GPL-2.0 */
/* What could put types of tunnels on packets, as it is configured now: in all network namespaces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/link.h"
#include "nettrace/netns.h"
#include "nettrace/ovs_vport.h"
#include "nettrace/sock_diag.h"
#include "nettrace/udp_ports.h"
#include "tunnel_static.h"

#define ROWS 4096	/* of each kind */

/* A new row at the end; NULL: there is no memory, or there are enough. */
static void *add(struct nt_rows *rows, size_t size)
{
	if (rows->n == ROWS) {
		rows->more++;
		return NULL;
	}
	if (rows->n == rows->cap) {
		size_t cap = rows->cap ? 2 * rows->cap : 32;
		void *grown = realloc(rows->at, cap * size);

		if (!grown) {
			rows->more++;
			return NULL;
		}
		rows->at = grown;
		rows->cap = cap;
	}
	return memset((char *)rows->at + size * rows->n++, 0, size);
}

static int add_device(void *arg, const void *msg, size_t len)
{
	struct nt_tunnel_facts *f = arg;
	struct nt_static_offload *o;
	struct nt_static_device *d;
	struct nt_link_tunnel t;
	uint32_t mask;

	if (!nt_link_tunnel_parse(msg, len, &t))
		return 0;
	if (t.kind[0] && (d = add(&f->tunnels, sizeof(*d)))) {
		d->tunnel = t;
		d->ns = f->ns.n - 1;
	}
	mask = nt_link_offloads(t.name);
	if (mask && strcmp(t.name, "lo") && (o = add(&f->offloads, sizeof(*o)))) {
		memcpy(o->name, t.name, sizeof(o->name));
		o->mask = mask;
		o->ns = f->ns.n - 1;
	}
	return 0;
}

static void add_socket(void *arg, const struct nt_udp_port *p)
{
	struct nt_tunnel_facts *f = arg;
	struct nt_static_socket *s = add(&f->sockets, sizeof(*s));

	if (!s)
		return;
	s->port = *p;
	s->ns = f->ns.n - 1;
}

static void add_vport(void *arg, const struct nt_ovs_vport *v)
{
	struct nt_tunnel_facts *f = arg;
	struct nt_static_vport *p;

	if (!nt_ovs_tunnel_kind(v->type) || !(p = add(&f->vports, sizeof(*p))))
		return;
	p->vport = *v;
	p->ns = f->ns.n - 1;
}

static bool is_on(const char *path)
{
	FILE *f = fopen(path, "re");
	bool on = f && getc(f) == '1';

	if (f)
		fclose(f);
	return on;
}

static void look_at(void *arg, const struct nt_netns *ns)
{
	static const uint16_t ports[] = { 4789, 8472, 6081 };
	struct nt_tunnel_facts *f = arg;
	struct nt_static_ns *n = add(&f->ns, sizeof(*n));
	int rc;

	if (!n)
		return;
	n->inode = ns->inode;
	n->pid = ns->pid;
	n->ours = f->ns.n == 1;
	snprintf(n->name, sizeof(n->name), "%s", ns->name ? ns->name : "");
	n->forward4 = is_on("/proc/sys/net/ipv4/ip_forward");
	n->forward6 = is_on("/proc/sys/net/ipv6/conf/all/forwarding");
	rc = nt_link_each(add_device, f);
	f->unread += rc != 0;
	nt_udp_ports(ports, sizeof(ports) / sizeof(ports[0]), add_socket, f);
	rc = nt_ovs_vports(add_vport, f);
	f->ovs = f->ovs || rc != -ENOENT;
}

/* ---- whose the sockets are ---- */
static int by_inode(const void *a, const void *b)
{
	const struct nt_sock_owner *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static bool stop(void *arg)
{
	return nt_run_ending(arg);
}

static void find_owners(struct nt_run *r, struct nt_tunnel_facts *f)
{
	struct nt_sock_owner *owner = calloc(f->sockets.n ? f->sockets.n : 1, sizeof(*owner));
	struct nt_static_socket *s = f->sockets.at;
	size_t n = 0;

	for (size_t i = 0; owner && i < f->sockets.n; i++)
		if (s[i].port.inode)
			owner[n++].inode = s[i].port.inode;
	if (n) {
		qsort(owner, n, sizeof(*owner), by_inode);
		f->owners_known = nt_sock_owners(owner, n, stop, r);
	}
	for (size_t i = 0; owner && i < f->sockets.n; i++) {
		struct nt_sock_owner key = { .inode = s[i].port.inode };
		const struct nt_sock_owner *o = n ? bsearch(&key, owner, n, sizeof(key), by_inode) : NULL;

		if (!o || !o->processes)
			continue;
		s[i].pid = o->pid;
		memcpy(s[i].comm, o->comm, sizeof(s[i].comm));
	}
	free(owner);
}

void nt_tunnel_show_static(struct nt_run *r)
{
	struct nt_tunnel_facts f = { .owners_known = true };

	nt_netns_each(look_at, &f);
	find_owners(r, &f);
	nt_tunnel_static_json(r, &f);
	nt_tunnel_static_text(r, &f);
	nt_out_flush(nt_run_out(r));
	free(f.ns.at);
	free(f.tunnels.at);
	free(f.sockets.at);
	free(f.offloads.at);
	free(f.vports.at);
}
