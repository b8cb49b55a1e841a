/* SPDX-License-Identifier: GPL-2.0 */
/* Which threads of /proc do softirq work. */
#include "check.h"
#include "nettrace/softirqd.h"

#define KERNEL " S 2 0 0 0 -1 69238848 0 0 0 0"		/* PF_KTHREAD is among these flags */
#define USER " S 1 0 0 0 -1 4194304 0 0 0 0"

static void test_one(const char *stat, bool napi, const char *want, int want_cpu)
{
	char comm[16] = "";
	int cpu = -2;
	bool is = nt_softirqd_is(stat, napi, comm, &cpu);

	CHECK(is == (want != NULL), stat);
	if (is && want)
		CHECK(!strcmp(comm, want) && cpu == want_cpu, "its name and CPU");
}

int main(void)
{
	test_one("14 (ksoftirqd/0)" KERNEL, false, "ksoftirqd/0", 0);
	test_one("914 (ksoftirqd/127)" KERNEL, false, "ksoftirqd/127", 127);
	test_one("14 (ksoftirqd/0)" USER, false, NULL, 0);
	test_one("14 (ksoftirqd/)" KERNEL, false, NULL, 0);
	test_one("14 (kworker/0:1)" KERNEL, true, NULL, 0);
	test_one("20 (backlog_napi/3)" KERNEL, false, NULL, 0);
	test_one("20 (backlog_napi/3)" KERNEL, true, "backlog_napi/3", 3);
	test_one("21 (napi/eth0-8193)" KERNEL, true, "napi/eth0-8193", -1);
	test_one("22 (x) (ksoftirqd/1)" USER, true, NULL, 0);
	test_one("", true, NULL, 0);
	test_one("14 (ksoftirqd/0", true, NULL, 0);
	test_one("14 (ksoftirqd/0) S 2", true, NULL, 0);
	return check_done();
}
