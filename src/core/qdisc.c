/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/qdisc.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct nt_qdisc_row *add_row(struct nt_qdiscs *q)
{
	if (q->n == q->cap) {
		size_t cap = q->cap ? q->cap * 2 : 16;
		struct nt_qdisc_row *grown = realloc(q->row, cap * sizeof(*grown));

		if (!grown)
			return NULL;
		q->row = grown;
		q->cap = cap;
	}
	memset(&q->row[q->n], 0, sizeof(*q->row));
	return &q->row[q->n++];
}

/* Kernels differ in the length of these structs: what is not there stays 0. */
static void copy(void *to, size_t size, const struct rtattr *a)
{
	size_t n = RTA_PAYLOAD(a);

	memcpy(to, RTA_DATA(a), n < size ? n : size);
}

static void read_stats(struct nt_qdisc_row *row, const struct rtattr *nest)
{
	struct gnet_stats_queue queue = { .qlen = 0 };
	struct gnet_stats_basic basic = { .bytes = 0 };
	int left = (int)RTA_PAYLOAD(nest);

	for (const struct rtattr *a = RTA_DATA(nest); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == TCA_STATS_QUEUE)
			copy(&queue, sizeof(queue), a);
		else if (a->rta_type == TCA_STATS_BASIC)
			copy(&basic, sizeof(basic), a);
	}
	row->qlen = queue.qlen;
	row->backlog_bytes = queue.backlog;
	row->drops = queue.drops;
	row->overlimits = queue.overlimits;
	row->requeues = queue.requeues;
	row->packets = basic.packets;
	row->bytes = basic.bytes;
}

static int read_row(struct nt_qdiscs *q, const struct nlmsghdr *h)
{
	const struct tcmsg *t = NLMSG_DATA(h);
	int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*t));
	struct nt_qdisc_row *row;

	if (left < 0)
		return -EIO;
	row = add_row(q);
	if (!row)
		return -ENOMEM;
	row->ifindex = (uint32_t)t->tcm_ifindex;
	row->handle = t->tcm_handle;
	row->parent = t->tcm_parent;
	for (const struct rtattr *a = (const void *)((const char *)t + NLMSG_ALIGN(sizeof(*t)));
	     RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == TCA_KIND)
			snprintf(row->kind, sizeof(row->kind), "%.*s", (int)RTA_PAYLOAD(a),
				 (const char *)RTA_DATA(a));
		else if (a->rta_type == TCA_STATS2)
			read_stats(row, a);
	}
	return 0;
}

int nt_qdiscs_parse(struct nt_qdiscs *q, const void *answer, size_t n)
{
	const struct nlmsghdr *h = answer;
	int left = (int)n, rc = n ? 1 : -EIO;

	for (; rc == 1 && left > 0; h = NLMSG_NEXT(h, left)) {
		if (!NLMSG_OK(h, (unsigned int)left))
			return -EIO;
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error < 0 ? e->error : -EIO;
		}
		if (h->nlmsg_type == RTM_NEWQDISC) {
			int e = read_row(q, h);

			rc = e ? e : 1;
		}
	}
	return rc;
}

static int ask(int fd)
{
	struct {
		struct nlmsghdr h;
		struct tcmsg t;
		struct rtattr invisible;
	} req = {
		.h = { .nlmsg_len = sizeof(req), .nlmsg_type = RTM_GETQDISC,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.t = { .tcm_family = AF_UNSPEC },
		.invisible = { .rta_len = RTA_LENGTH(0), .rta_type = TCA_DUMP_INVISIBLE },
	};

	return send(fd, &req, sizeof(req), 0) < 0 ? -errno : 0;
}

int nt_qdiscs_read(struct nt_qdiscs *q)
{
	static char buf[32768] __attribute__((aligned(8)));
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc;

	memset(q, 0, sizeof(*q));
	if (fd < 0)
		return -errno;
	rc = ask(fd);
	if (!rc)
		rc = 1;
	while (rc == 1) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		rc = n < 0 ? -errno : nt_qdiscs_parse(q, buf, (size_t)n);
	}
	close(fd);
	return rc;
}

void nt_qdiscs_free(struct nt_qdiscs *q)
{
	free(q->row);
	memset(q, 0, sizeof(*q));
}

const struct nt_qdisc_row *nt_qdiscs_find(const struct nt_qdiscs *q, uint32_t ifindex, uint32_t handle,
					  uint32_t parent)
{
	for (size_t i = 0; i < q->n; i++)
		if (q->row[i].ifindex == ifindex && q->row[i].handle == handle &&
		    q->row[i].parent == parent)
			return &q->row[i];
	return NULL;
}

bool nt_qdisc_kind_used(const char *kind)
{
	static struct nt_qdiscs all;
	static bool read;

	if (!read) {
		nt_qdiscs_read(&all);	/* nothing read: no kind is used */
		read = true;
	}
	for (size_t i = 0; i < all.n; i++)
		if (!strcmp(all.row[i].kind, kind))
			return true;
	return false;
}

const char *nt_qdisc_handle(uint32_t handle, char *buf, size_t size)
{
	if (handle == TC_H_ROOT)
		snprintf(buf, size, "root");
	else if (!handle)
		snprintf(buf, size, "none");
	else if (TC_H_MIN(handle))
		snprintf(buf, size, "%x:%x", TC_H_MAJ(handle) >> 16, TC_H_MIN(handle));
	else
		snprintf(buf, size, "%x:", TC_H_MAJ(handle) >> 16);
	return buf;
}

const char *nt_qdisc_name(const char *kind, uint32_t handle, uint32_t parent, char *buf, size_t size)
{
	char h[24];

	if (handle)
		snprintf(buf, size, "%.15s %s", kind, nt_qdisc_handle(handle, h, sizeof(h)));
	else if (parent && parent != TC_H_ROOT)
		snprintf(buf, size, "%.15s of %s", kind, nt_qdisc_handle(parent, h, sizeof(h)));
	else
		snprintf(buf, size, "%.15s", kind[0] ? kind : "-");
	return buf;
}

static void json_part(struct nt_out *o, const char *prefix, const char *part, const char *value, size_t size)
{
	char key[32];

	snprintf(key, sizeof(key), "%s_%s", prefix, part);
	nt_json_strn(o, key, value, strnlen(value, size));
}

void nt_qdisc_json(struct nt_out *o, const char *prefix, const char kind[16], uint32_t handle, uint32_t parent)
{
	char h[24];

	json_part(o, prefix, "kind", kind, 16);
	json_part(o, prefix, "handle", nt_qdisc_handle(handle, h, sizeof(h)), sizeof(h));
	json_part(o, prefix, "parent", nt_qdisc_handle(parent, h, sizeof(h)), sizeof(h));
}
