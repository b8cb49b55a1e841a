/* SPDX-License-Identifier: GPL-2.0 */
/* What a device lies on: bonds, teams and VLANs, by a dump of rtnetlink. */
#include <errno.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nettrace/link.h"

#define LAYERS 8	/* nested devices; the kernel allows as many (MAX_NEST_DEV) */

static uint32_t u32_of(const struct rtattr *a)
{
	uint32_t v = 0;

	if (RTA_PAYLOAD(a) >= sizeof(v))
		memcpy(&v, RTA_DATA(a), sizeof(v));
	return v;
}

static void parse_info(const struct rtattr *info, struct nt_link_row *row)
{
	int left = (int)RTA_PAYLOAD(info), inner;

	for (struct rtattr *a = RTA_DATA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		const char *kind = RTA_DATA(a);
		size_t n = RTA_PAYLOAD(a);

		if (a->rta_type == IFLA_INFO_KIND && n) {
			n = strnlen(kind, n);
			if ((n == 4 && !memcmp(kind, "bond", 4)) || (n == 4 && !memcmp(kind, "team", 4)))
				row->kind = NT_LINK_GROUP;
			else if (n == 4 && !memcmp(kind, "vlan", 4))
				row->kind = NT_LINK_VLAN;
			else if (n == 11 && !memcmp(kind, "openvswitch", 11))
				row->kind = NT_LINK_OVS_INTERNAL;
		}
		if (a->rta_type != IFLA_INFO_DATA || row->kind != NT_LINK_VLAN)
			continue;
		inner = (int)RTA_PAYLOAD(a);
		for (struct rtattr *d = RTA_DATA(a); RTA_OK(d, inner); d = RTA_NEXT(d, inner))
			if (d->rta_type == IFLA_VLAN_ID && RTA_PAYLOAD(d) >= sizeof(row->vlan))
				memcpy(&row->vlan, RTA_DATA(d), sizeof(row->vlan));
	}
}

bool nt_link_parse(const void *msg, size_t len, struct nt_link_row *row)
{
	const struct nlmsghdr *h = msg;
	const struct ifinfomsg *info;
	bool elsewhere = false;
	int left;

	memset(row, 0, sizeof(*row));
	if (len < NLMSG_LENGTH(sizeof(*info)) || h->nlmsg_len > len ||
	    h->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) || h->nlmsg_type != RTM_NEWLINK)
		return false;
	info = NLMSG_DATA(h);
	left = (int)IFLA_PAYLOAD(h);
	row->ifindex = (uint32_t)info->ifi_index;
	row->up = info->ifi_flags & IFF_UP;
	for (const struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		switch (a->rta_type & NLA_TYPE_MASK) {
		case IFLA_LINK: row->lower = u32_of(a); break;
		case IFLA_MASTER: row->master = u32_of(a); break;
		case IFLA_LINK_NETNSID: elsewhere = true; break;
		case IFLA_LINKINFO: parse_info(a, row); break;
		}
	}
	if (elsewhere)
		row->lower = 0;
	return true;
}

struct table {
	struct nt_link_row *row;
	size_t n, cap;
};

static int add_row(void *arg, const void *msg, size_t len)
{
	struct table *t = arg;
	struct nt_link_row row;

	if (!nt_link_parse(msg, len, &row))
		return 0;
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		struct nt_link_row *grown = realloc(t->row, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		t->row = grown;
		t->cap = cap;
	}
	t->row[t->n++] = row;
	return 0;
}

/* 1: more is to come, 0: done, or -errno. */
static int read_messages(char *buf, size_t n, int (*fn)(void *arg, const void *msg, size_t len), void *arg)
{
	int rc = 0;

	for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, n) && !rc; h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((struct nlmsgerr *)NLMSG_DATA(h))->error ?: -EIO;
		rc = fn(arg, h, h->nlmsg_len);
	}
	return rc ?: 1;
}

int nt_link_each(int (*fn)(void *arg, const void *msg, size_t len), void *arg)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg info;
	} req = {
		.h = { .nlmsg_len = sizeof(req), .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.info = { .ifi_family = AF_UNSPEC },
	};
	static char buf[65536] __attribute__((aligned(8)));
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc = 1;

	if (fd < 0)
		return -errno;
	if (send(fd, &req, sizeof(req), 0) < 0)
		rc = -errno;
	while (rc == 1) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		rc = n < 0 ? -errno : read_messages(buf, (size_t)n, fn, arg);
	}
	close(fd);
	return rc;
}

int nt_link_dump(struct nt_link_row **rows)
{
	struct table t = { 0 };
	int rc = nt_link_each(add_row, &t);

	if (rc) {
		free(t.row);
		return rc;
	}
	*rows = t.row;
	return (int)t.n;
}

static const struct nt_link_row *row_of(const struct nt_link_row *rows, size_t n, uint32_t ifindex)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].ifindex == ifindex)
			return &rows[i];
	return NULL;
}

struct expansion {
	const struct nt_link_row *rows;
	size_t n_rows, n, max;
	struct nt_link_lower *out;
};

static void expand(struct expansion *x, uint32_t ifindex, uint16_t vlan, int layer)
{
	const struct nt_link_row *r = row_of(x->rows, x->n_rows, ifindex);
	bool any = false;

	if (r && r->kind == NT_LINK_VLAN && r->lower && layer < LAYERS) {
		expand(x, r->lower, r->vlan, layer + 1);	/* its tag is outside of the one above */
		return;
	}
	for (size_t i = 0; r && r->kind == NT_LINK_GROUP && layer < LAYERS && i < x->n_rows; i++) {
		if (x->rows[i].master != ifindex)
			continue;
		expand(x, x->rows[i].ifindex, vlan, layer + 1);
		any = true;
	}
	if (any)
		return;
	if (x->n < x->max)
		x->out[x->n] = (struct nt_link_lower){ ifindex, vlan };
	x->n++;
}

size_t nt_link_expand(const struct nt_link_row *rows, size_t n, uint32_t ifindex,
		      struct nt_link_lower *out, size_t max)
{
	struct expansion x = { .rows = rows, .n_rows = n, .max = max, .out = out };

	expand(&x, ifindex, 0xffff, 0);
	return x.n;
}
