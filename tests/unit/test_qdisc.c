/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's answers about queueing disciplines, sound and broken; how handles are written. */
#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "check.h"
#include "nettrace/qdisc.h"

static _Alignas(8) char buf[1024];
static size_t len;

static void *put(size_t size)
{
	void *p = buf + len;

	memset(p, 0, NLMSG_ALIGN(size));
	len += NLMSG_ALIGN(size);
	return p;
}

static struct rtattr *put_attr(unsigned short type, const void *data, size_t size)
{
	struct rtattr *a = put(RTA_LENGTH(size));

	a->rta_len = (unsigned short)RTA_LENGTH(size);
	a->rta_type = type;
	if (data)
		memcpy(RTA_DATA(a), data, size);
	return a;
}

static struct nlmsghdr *put_head(unsigned short type)
{
	struct nlmsghdr *h = put(sizeof(*h));

	h->nlmsg_type = type;
	return h;
}

static void end(struct nlmsghdr *h)
{
	h->nlmsg_len = (unsigned int)(buf + len - (char *)h);
}

/* queue_size: older and newer kernels have a shorter or longer struct. */
static void put_qdisc(int ifindex, const char *kind, uint32_t handle, uint32_t parent, uint32_t drops,
		      size_t queue_size)
{
	struct { struct gnet_stats_queue q; uint32_t more[4]; } queue =
		{ { .qlen = 3, .backlog = 3126, .drops = drops, .requeues = 1, .overlimits = 7 }, { 0 } };
	struct gnet_stats_basic basic = { .bytes = 1ULL << 40, .packets = 99 };
	struct nlmsghdr *h = put_head(RTM_NEWQDISC);
	struct tcmsg *t = put(sizeof(*t));
	struct rtattr *nest;

	t->tcm_ifindex = ifindex;
	t->tcm_handle = handle;
	t->tcm_parent = parent;
	put_attr(TCA_KIND, kind, strlen(kind) + 1);
	nest = put_attr(TCA_STATS2, NULL, 0);
	put_attr(TCA_STATS_BASIC, &basic, sizeof(basic));
	put_attr(TCA_STATS_QUEUE, &queue, queue_size);
	nest->rta_len = (unsigned short)(buf + len - (char *)nest);
	end(h);
}

static void test_answers(void)
{
	struct nt_qdiscs q = { .n = 0 };
	const struct nt_qdisc_row *row;

	len = 0;
	put_qdisc(4, "htb", 0x10000, TC_H_ROOT, 46, sizeof(struct gnet_stats_queue));
	put_qdisc(4, "pfifo", 0x200000, 0x1000a, 41, sizeof(struct gnet_stats_queue) + 8);
	CHECK(nt_qdiscs_parse(&q, buf, len) == 1, "more answers follow");
	len = 0;
	put_qdisc(5, "a_kind_that_is_far_too_long", 0, 0x80010002, 1, 12);
	end(put_head(NLMSG_DONE));
	CHECK(nt_qdiscs_parse(&q, buf, len) == 0, "the last answer");
	CHECK_U64(q.n, 3, "three disciplines");
	row = nt_qdiscs_find(&q, 4, 0x10000, TC_H_ROOT);
	CHECK(row && !strcmp(row->kind, "htb") && row->drops == 46 && row->qlen == 3 && row->requeues == 1 &&
	      row->overlimits == 7 && row->backlog_bytes == 3126 && row->packets == 99 &&
	      row->bytes == 1ULL << 40, "all figures of one");
	row = nt_qdiscs_find(&q, 4, 0x200000, 0x1000a);
	CHECK(row && row->drops == 41, "a longer struct");
	row = nt_qdiscs_find(&q, 5, 0, 0x80010002);
	CHECK(row && row->drops == 1 && !row->overlimits && !strcmp(row->kind, "a_kind_that_is_"),
	      "a shorter struct, a long kind");
	CHECK(!nt_qdiscs_find(&q, 5, 0x10000, TC_H_ROOT) && !nt_qdiscs_find(&q, 4, 0x10000, 0), "no other");
	nt_qdiscs_free(&q);
	CHECK(!q.n && !q.row, "freed");
}

static void test_broken(void)
{
	struct nt_qdiscs q = { .n = 0 };
	struct nlmsghdr *h;
	struct nlmsgerr *e;

	CHECK(nt_qdiscs_parse(&q, buf, 0) == -EIO, "nothing at all");
	len = 0;
	h = put_head(NLMSG_ERROR);
	e = put(sizeof(*e));
	e->error = -EPERM;
	end(h);
	CHECK(nt_qdiscs_parse(&q, buf, len) == -EPERM, "the kernel's error");
	CHECK(nt_qdiscs_parse(&q, buf, len - 4) == -EIO, "cut short");
	h->nlmsg_len = sizeof(*h);
	CHECK(nt_qdiscs_parse(&q, buf, len) == -EIO, "an error without its number");
	len = 0;
	put_qdisc(4, "tbf", 0x10000, TC_H_ROOT, 46, 12);
	h = (void *)buf;
	h->nlmsg_len = sizeof(*h) + 4;
	CHECK(nt_qdiscs_parse(&q, buf, len) == -EIO, "no room for its own header");
	nt_qdiscs_free(&q);
	for (size_t cut = sizeof(*h) + sizeof(struct tcmsg); cut < len; cut++) {
		h->nlmsg_len = (unsigned int)cut;
		if (nt_qdiscs_parse(&q, buf, cut) != 1)
			CHECK(0, "a message cut within its attributes");
		nt_qdiscs_free(&q);
	}
}

static void test_handles(void)
{
	char h[16];

	CHECK_STR(nt_qdisc_handle(0x10000, h, sizeof(h)), "1:", "a discipline");
	CHECK_STR(nt_qdisc_handle(0x1000a, h, sizeof(h)), "1:a", "a class, hexadecimal as tc has it");
	CHECK_STR(nt_qdisc_handle(0x80010000, h, sizeof(h)), "8001:", "one that the kernel named");
	CHECK_STR(nt_qdisc_handle(TC_H_ROOT, h, sizeof(h)), "root", "the root");
	CHECK_STR(nt_qdisc_handle(0, h, sizeof(h)), "none", "none");
	CHECK_STR(nt_qdisc_handle(0xfffffffe, h, sizeof(h)), "ffff:fffe", "the longest");
}

int main(void)
{
	struct nt_qdiscs q;

	test_answers();
	test_broken();
	test_handles();
	CHECK(!nt_qdiscs_read(&q), "this kernel answers");
	nt_qdiscs_free(&q);
	CHECK(!nt_qdisc_kind_used("no_such_kind"), "a kind that nobody uses");
	return check_done();
}
