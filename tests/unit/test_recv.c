/* SPDX-License-Identifier: GPL-2.0 */
/* Whom the time of receive calls belongs to, and sums of sockets over intervals. */
#include <stdlib.h>

#include "../../src/engine/recv.h"
#include "check.h"

#define MS 1000000ULL

static void test_judge(struct nt_recv_counts n, const char *want, double pct, const char *what)
{
	struct nt_recv_verdict v;
	double sum = 0, most = 0;

	nt_recv_judge(&n, &v);
	for (size_t i = 0; i < NT_RECV_SIDES; i++) {
		sum += v.pct[i];
		most = v.pct[i] > most ? v.pct[i] : most;
	}
	CHECK(want ? v.limited_by && !strcmp(v.limited_by, want) : !v.limited_by, what);
	CHECK(!want || (sum > 99.99 && sum < 100.01), "shares of the whole");
	CHECK(most > pct - 0.01 && most < pct + 0.01, "the greatest of them");
}

static void test_judges(void)
{
	test_judge((struct nt_recv_counts){ 0 }, NULL, 0, "nothing was measured");
	test_judge((struct nt_recv_counts){ .total_ns = 100 * MS, .wait_ns = 90 * MS, .wakeup_ns = 4 * MS },
		   "sender", 90, "no data");
	test_judge((struct nt_recv_counts){ .total_ns = 10 * MS, .poll_ns = 30 * MS },
		   "sender", 75, "no data, told by poll");
	test_judge((struct nt_recv_counts){ .total_ns = 10 * MS, .wait_ns = 2 * MS, .wakeup_ns = 6 * MS },
		   "scheduler", 60, "woken late");
	test_judge((struct nt_recv_counts){ .total_ns = 10 * MS, .wait_ns = 1 * MS, .wakeup_ns = 1 * MS }, "kernel", 80,
		   "work");
	test_judge((struct nt_recv_counts){ .total_ns = 10 * MS, .wakeup_ns = 1 * MS, .preempted_ns = 6 * MS,
					    .blocked_ns = 2 * MS }, "scheduler", 70, "preempted in its work");
	test_judge((struct nt_recv_counts){ .total_ns = 10 * MS, .late_ns = 90 * MS, .late = 1 }, "application", 90,
		   "data wait for a busy thread");
	test_judge((struct nt_recv_counts){ .total_ns = 5 * MS, .wait_ns = 6 * MS }, "sender", 100,
		   "parts above the whole: clocks of two CPUs");
}

static struct nt_recv_sock sock(uint32_t tgid, uint64_t calls, uint64_t total_ns, uint64_t queued)
{
	struct nt_recv_sock s;

	memset(&s, 0, sizeof(s));
	s.key.tgid = tgid;
	s.val.n.calls = calls;
	s.val.n.total_ns = total_ns;
	s.val.queued_max = queued;
	s.val.fd = (int32_t)calls;
	return s;
}

static void test_sums(void)
{
	struct nt_recv_sock first[] = { sock(3, 1, 5, 10), sock(1, 2, 9, 0) };
	struct nt_recv_sock second[] = { sock(2, 1, 1, 7), sock(3, 4, 6, 8) };
	struct nt_recv_socks all = { 0 }, now = { first, 2, 2, 0 };

	nt_recv_socks_add(&all, &now, 100);
	now.row = second;
	nt_recv_socks_add(&all, &now, 100);
	CHECK(all.n == 3 && all.left_out == 0, "three sockets");
	nt_recv_socks_sort(&all, NT_RECV_BY_WORK);
	CHECK(all.row[0].key.tgid == 3 && all.row[1].key.tgid == 1 && all.row[2].key.tgid == 2, "most work first");
	CHECK(all.row[0].val.n.calls == 5 && all.row[0].val.n.total_ns == 11, "sums");
	CHECK(all.row[0].val.queued_max == 10 && all.row[0].val.fd == 4, "the most, and the last");
	nt_recv_socks_sort(&all, NT_RECV_BY_QUEUE);
	CHECK(all.row[0].key.tgid == 3 && all.row[1].key.tgid == 2, "by Recv-Q");
	nt_recv_socks_add(&all, &(struct nt_recv_socks){ 0 }, 2);
	CHECK(all.n == 1 && all.left_out == 2 && all.row[0].key.tgid == 3, "no room: least work is left out");
	free(all.row);
}

int main(void)
{
	test_judges();
	test_sums();
	return check_done();
}
