/* SPDX-License-Identifier: GPL-2.0 */
/* Sets of ids, names of processes, and /proc as this process sees itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "check.h"
#include "nettrace/task.h"

static void test_ids(void)
{
	static const char *const good[] = { "7", "2147483647", "7" };
	static const char *const bad[] = { "0", "", "1x", "-1", "2147483648", "99999999999", " 1" };
	struct nt_strlist l = { good, 3 };
	struct nt_ids s = { 0 };
	struct nt_err err = { .text = "" };
	bool sorted = true;

	for (uint32_t i = 0; i < 1000; i++)
		nt_ids_add(&s, i * 7919 % 1009 + 1);
	CHECK_U64(s.n, 1000, "a thousand ids");
	for (size_t i = 1; i < s.n; i++)
		sorted = sorted && s.id[i - 1] < s.id[i];
	CHECK(sorted, "sorted");
	CHECK(nt_ids_add(&s, 1) == 0 && s.n == 1000, "no doubles");
	CHECK(nt_ids_has(&s, 1) && !nt_ids_has(&s, 0) && !nt_ids_has(&s, 5000), "found or not");
	nt_ids_free(&s);
	CHECK(!nt_ids_has(&s, 1), "empty");
	CHECK(!nt_ids_parse(&s, &l, "pid", &err) && s.n == 2 && nt_ids_has(&s, 2147483647), "a list");
	for (size_t i = 0; i < NT_COUNT(bad); i++) {
		err.text[0] = '\0';
		l = (struct nt_strlist){ &bad[i], 1 };
		CHECK(nt_ids_parse(&s, &l, "pid", &err) == -EINVAL && err.code == NT_EXIT_USAGE &&
		      strstr(err.text, "--pid"), "no id");
	}
	nt_ids_free(&s);
}

static void test_names(void)
{
	CHECK(nt_proc_is("sleep", 5, "sleep", "coreutils"), "by comm");
	CHECK(nt_proc_is("coreutils", 5, "sleep", "coreutils"), "by executable");
	CHECK(!nt_proc_is("slee", 5, "sleep", "coreutils") && !nt_proc_is("", 5, "sleep", NULL), "a prefix is neither");
	CHECK(nt_proc_is("5", 5, "sleep", NULL) && !nt_proc_is("5", 6, "5", "5"), "a number is an id");
	CHECK(nt_proc_is("qemu-system-x86_64", 5, "qemu-system-x86", "qemu-system-x86_64"), "longer than a comm");
	CHECK(!nt_proc_is("qemu-system-x86_64", 5, "qemu-system-x86", NULL), "a cut comm is not the name");
}

static void test_proc(void)
{
	static const char *name = "nt-unit-task";
	struct nt_procs p = { .names = { &name, 1 } };
	struct nt_ids none = { 0 }, me = { 0 }, tids = { 0 };
	uint32_t pid = (uint32_t)getpid();
	char comm[16];

	CHECK(!nt_procs_find(&p, &none) && p.found.n == 0, "nobody has the name");
	prctl(PR_SET_NAME, name);
	CHECK(!nt_task_comm(pid, pid, comm, sizeof(comm)) && !strcmp(comm, name), "own comm");
	CHECK(!nt_procs_find(&p, &none) && p.found.n == 0, "known not to match");
	nt_ids_add(&me, pid);
	CHECK(!nt_procs_find(&p, &me) && p.found.n == 1 && nt_ids_has(&p.found, pid), "unless it is doubtful");
	CHECK(!nt_procs_find(&p, &none) && p.found.n == 1, "found again");
	CHECK(!nt_task_threads(pid, false, &tids) && nt_ids_has(&tids, pid), "own threads");
	nt_ids_free(&tids);
	CHECK(!nt_task_threads(pid, true, &tids) && nt_ids_has(&tids, pid), "this one is running");
	CHECK(nt_task_threads(2147483647, false, &tids) == -ENOENT, "no such process");
	CHECK(nt_task_comm(2147483647, 1, comm, sizeof(comm)) == -ENOENT && !comm[0], "nor a comm");
	nt_ids_free(&tids);
	nt_ids_free(&me);
	nt_procs_free(&p);
}

static void test_cfg(void)
{
	static const char *const names[] = { "12", "a", "a-name-that-is-longer", "3" };
	struct nt_strlist l = { names, 4 };
	struct nt_task_cfg c = { .n_names = 5 };

	nt_task_cfg_names(&c, &l);
	CHECK(c.n_names == 2 && !strcmp(c.name[0], "a") && !strcmp(c.name[1], "a-name-that-is-"),
	      "names for the kernel: no numbers, as long as a comm");
}

int main(void)
{
	test_ids();
	test_names();
	test_proc();
	test_cfg();
	return check_done();
}
