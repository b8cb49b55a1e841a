/* SPDX-License-Identifier: GPL-2.0 */
/* What cpu_monitor reads: /proc/stat, lists of CPUs, threads, command lines, samples. */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "nettrace/cpu.h"

static struct nt_cpu_ticks cpus[4], all;

static bool close_to(double a, double b)
{
	return a - b < 0.001 && b - a < 0.001;
}

static void test_stat(void)
{
	static const char text[] = "cpu  10 2 3 40 5 6 7 8 9 1\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
				   "cpu2 18446744073709551615 0 0 1\ncpu77 1 1 1 1 1 1 1 1 1 1\nintr 5 0\nctxt 9\n";
	static const char *const bad[] = {
		"", "cpu", "cpu ", "cpu  x", "cpu  1 2 3", "intr 5\n", "cpu0 1 2 3 4\n", "cpu  1 2 3 4\n",
		"cpu  1 2 3 4\ncpux 1 2 3 4\n", "cpu  1 2 3 4\ncpu0\n", "cpu  1 2 3 4\ncpu0 1 2 3\n",
		"cpu  1 2 3 4\ncpu0 1 2 3 4x\n", "cpu  1 2 3 4\ncpu-1 1 2 3 4\n", "cpu  -1 2 3 4\n",
	};

	CHECK(nt_cpu_stat_parse(text, cpus, 4, &all) == 2, "two CPUs are online");
	CHECK(all.v[NT_CPU_USER] == 10 && all.v[NT_CPU_GUEST_NICE] == 1, "the machine");
	CHECK(cpus[0].online && cpus[0].v[NT_CPU_STEAL] == 8 && cpus[0].v[NT_CPU_IDLE] == 4, "all fields");
	CHECK(!cpus[1].online && !cpus[3].online, "a CPU without a line");
	CHECK(cpus[2].online && cpus[2].v[NT_CPU_USER] == UINT64_MAX && !cpus[2].v[NT_CPU_STEAL], "an old kernel's four");
	for (size_t i = 0; i < NT_COUNT(bad); i++)
		CHECK(nt_cpu_stat_parse(bad[i], cpus, 4, &all) == -EINVAL, "no /proc/stat");
	for (size_t i = 0; i < sizeof(text); i++) {
		char cut[sizeof(text)];

		memcpy(cut, text, i);
		cut[i] = '\0';
		nt_cpu_stat_parse(cut, cpus, 4, &all);
	}
	CHECK(nt_cpu_stat_read(cpus, 4, &all) > 0 && all.v[NT_CPU_IDLE] > 0, "this machine's");
}

static void test_share(void)
{
	struct nt_cpu_ticks a = { .online = true }, b = { .online = true, .v = { 30, 10, 20, 20, 5, 3, 7, 5, 10, 4 } };
	struct nt_cpu_share s;
	double sum = 0;

	nt_cpu_share(&s, &a, &b);
	for (int i = 0; i < NT_CPU_FIELDS; i++)
		sum += s.pct[i];
	CHECK(close_to(sum, 100), "they add up");
	CHECK(close_to(s.pct[NT_CPU_USER], 20) && close_to(s.pct[NT_CPU_NICE], 6) && close_to(s.pct[NT_CPU_GUEST], 10),
	      "guest time is not user time");
	CHECK(close_to(s.accounted_ms, 1000), "100 ticks are a second");
	CHECK(close_to(s.busy, 75), "busy with steal, without iowait");
	a.v[NT_CPU_IOWAIT] = 9;
	nt_cpu_share(&s, &a, &b);
	CHECK(s.pct[NT_CPU_IOWAIT] == 0 && s.busy < 100, "a counter that went back has not risen");
	nt_cpu_share(&s, &b, &b);
	CHECK(s.busy == 0 && s.pct[NT_CPU_IDLE] == 0, "no time");
	b.v[NT_CPU_GUEST] = 1000;	/* more than user */
	a = (struct nt_cpu_ticks){ .online = true };
	nt_cpu_share(&s, &a, &b);
	CHECK(s.pct[NT_CPU_USER] == 0, "guest time above user time");
	a.online = false;
	nt_cpu_share(&s, &a, &b);
	CHECK(s.busy == 0 && s.pct[NT_CPU_USER] == 0, "a CPU that came meanwhile");
}

static void test_list(void)
{
	static const char *const bad[] = { "x", "1-", "-1", "3-1", "1,", ",1", "1,,2", "1 2", "1-2-3", "(null)\n", "0x1", "1\n2" };
	bool set[8] = { false };

	CHECK(!nt_cpu_list_parse("0-2,7\n", set, 8) && set[0] && set[1] && set[2] && !set[3] && set[7], "a list");
	CHECK(!nt_cpu_list_parse("", set, 8) && !nt_cpu_list_parse("\n", set, 8), "none");
	CHECK(nt_cpu_list_parse("8", set, 8) == -ERANGE && nt_cpu_list_parse("0-99999999999999999999", set, 8) == -ERANGE &&
	      nt_cpu_list_parse("18446744073709551616", set, 8) == -ERANGE, "beyond the last");
	for (size_t i = 0; i < NT_COUNT(bad); i++)
		CHECK(nt_cpu_list_parse(bad[i], set, 8) == -EINVAL, "no list");
	CHECK(nt_cpu_list_read("/nowhere", set, 8) == -ENOENT, "no file");
}

static void test_task(void)
{
	static const char rest[] = " R 1 2 3 4 -1 6 7 8 9 10 100 20 15 16 17 18 19 20 5555 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 "
				   "37 3 40 41\n";
	char text[400];
	struct nt_cpu_task t;

	snprintf(text, sizeof(text), "7 (ab)%s", rest);
	CHECK(!nt_cpu_task_parse(text, &t), "a thread");
	CHECK_STR(t.comm, "ab", "its comm");
	CHECK(t.state == 'R' && t.ticks == 120 && t.start_ticks == 5555 && t.cpu == 3, "its figures");
	snprintf(text, sizeof(text), "7 (a) S 1 (x)%s", rest);
	CHECK(!nt_cpu_task_parse(text, &t) && t.ticks == 120, "brackets and spaces in a comm");
	CHECK_STR(t.comm, "a) S 1 (x", "all of it");
	snprintf(text, sizeof(text), "7 (a comm that is longer than sixteen)%s", rest);
	CHECK(!nt_cpu_task_parse(text, &t) && strlen(t.comm) == 15, "a long comm is cut");
	snprintf(text, sizeof(text), "7 ()%s", rest);
	CHECK(!nt_cpu_task_parse(text, &t) && !t.comm[0], "an empty comm");
	snprintf(text, sizeof(text), "7 (ab)%s", rest);
	for (size_t n = strlen(text) - 8; n--;) {
		char cut[400];

		memcpy(cut, text, n);
		cut[n] = '\0';
		if (!CHECK(nt_cpu_task_parse(cut, &t) == -EINVAL, "a line that is cut off"))
			break;
	}
	CHECK(nt_cpu_task_parse(")(", &t) == -EINVAL && nt_cpu_task_parse("1 (a) R x", &t) == -EINVAL &&
	      nt_cpu_task_parse("1 (a)R 1", &t) == -EINVAL, "no line of this kind");
}

static bool vm(const char *cmdline, size_t n, const char *want)
{
	char name[16];

	return nt_cpu_vm_name(cmdline, n, name, sizeof(name)) == (want[0] != 0) && !strcmp(name, want);
}
#define VM(text, want) vm(text, sizeof(text), want)

static void test_vm(void)
{
	CHECK(nt_cpu_is_vcpu("CPU 0/KVM") && nt_cpu_is_vcpu("CPU 12/KVM"), "a virtual CPU");
	CHECK(!nt_cpu_is_vcpu("CPU /KVM") && !nt_cpu_is_vcpu("CPU 1/TCG") && !nt_cpu_is_vcpu("") &&
	      !nt_cpu_is_vcpu("XCPU 1/KVM") && !nt_cpu_is_vcpu("CPU 1/KVM2"), "another thread");
	CHECK(VM("qemu\0-m\0001\0-name\0guest=web,debug-threads=on\0-S", "web"), "libvirt's");
	CHECK(VM("qemu\0-name\0web2", "web2") && VM("qemu\0--name\0web2,process=x", "web2"), "by hand");
	CHECK(VM("qemu\0-name\0debug-threads=on,guest=a,,b", "a,b"), "elsewhere in the list, with a comma");
	CHECK(VM("qemu\0-name\0debug-threads=on", "") && VM("qemu\0-name", "") && VM("qemu\0-nam\0x", "") &&
	      VM("", "") && VM("\0\0\0", "") && VM("qemu\0-name\0", ""), "none");
	CHECK(VM("qemu\0-name\0guest=0123456789abcdefghi", "0123456789abcde"), "a long name is cut");
	CHECK(vm("qemu\0-name\0web", 14, ""), "a command line that is cut off");
	CHECK(vm("-name\0w", 3, "") && vm(NULL, 0, ""), "or empty");
}

static void test_sample(void)
{
	struct { struct perf_event_header h; uint32_t pid, tid; uint64_t n, ip[80]; } s = {
		.h = { .type = PERF_RECORD_SAMPLE }, .pid = 5, .tid = 6, .n = 6,
		.ip = { (uint64_t)PERF_CONTEXT_KERNEL, 0xffffffff81000001, 0xffffffff81000002,
			(uint64_t)PERF_CONTEXT_USER, 0x400000, 0x500000 },
	};
	struct { struct perf_event_header h; uint64_t id, lost; } lost = { .h = { .type = PERF_RECORD_LOST }, .lost = 7 };
	struct nt_cpu_sample got;
	uint64_t n = 0;
	size_t size = sizeof(s.h) + 16 + 6 * 8;

	s.h.size = (uint16_t)size;
	CHECK(nt_cpu_sample_parse(&s, size, &got, &n) == 1 && got.pid == 5 && got.tid == 6, "a sample");
	CHECK(got.n_kernel == 2 && got.n_user == 2 && got.frame[1] == 0xffffffff81000002 && got.frame[2] == 0x400000,
	      "its frames, without the marks");
	CHECK(nt_cpu_sample_parse(&s, size - 1, &got, &n) == -EINVAL, "another size than it says");
	s.n = 7;
	CHECK(nt_cpu_sample_parse(&s, size, &got, &n) == -EINVAL, "more frames than there is room for");
	s.n = UINT64_MAX;
	CHECK(nt_cpu_sample_parse(&s, size, &got, &n) == -EINVAL, "far more");
	for (int i = 1; i < 80; i++)
		s.ip[i] = (uint64_t)i;
	s.n = 80;
	s.h.size = sizeof(s);
	CHECK(nt_cpu_sample_parse(&s, sizeof(s), &got, &n) == 1 && got.n_kernel == NT_CPU_FRAMES, "more than are kept");
	s.n = 0;
	CHECK(nt_cpu_sample_parse(&s, sizeof(s), &got, &n) == 1 && !got.n_kernel && !got.n_user, "none");
	s.h.size = 20;
	CHECK(nt_cpu_sample_parse(&s, 20, &got, &n) == -EINVAL && nt_cpu_sample_parse(&s, 4, &got, &n) == -EINVAL, "too short");
	lost.h.size = sizeof(lost);
	CHECK(nt_cpu_sample_parse(&lost, sizeof(lost), &got, &n) == 0 && n == 7, "lost ones are counted");
	lost.h.size = 16;
	CHECK(nt_cpu_sample_parse(&lost, 16, &got, &n) == 0 && n == 7, "a short record of them is not");
}

static void test_clip(void)
{
	struct nt_cpu_thread row[] = {
		{ .tid = 1, .cpu = 0, .ns = 130, .off_ns = UINT64_MAX },	/* runs; one tick too much */
		{ .tid = 2, .cpu = 1, .ns = 60, .off_ns = 90 },
		{ .tid = 3, .cpu = 1, .ns = 30, .off_ns = 99 },			/* the last one */
		{ .tid = 4, .cpu = 1, .ns = 30, .off_ns = 10 },
		{ .tid = 5, .cpu = 2, .ns = 90, .off_ns = 7 },			/* fits */
		{ .tid = 6, .cpu = 3, .ns = 70 }, { .tid = 7, .cpu = 3, .ns = 70 },
	};
	struct nt_cpu_shot s = { .row = row, .n = NT_COUNT(row) }, none = { 0 };
	const uint64_t softirq[] = { 0, 20, 10, 0 };

	nt_cpu_clip(&none, 0, softirq, 4);
	nt_cpu_clip(&s, 100, softirq, 3);
	CHECK(row[0].ns == 100 && row[0].cut_ns == 30, "a thread has no more than the span");
	CHECK(row[2].ns == 0 && row[2].cut_ns == 30, "what a CPU had too much is cut from the last one");
	CHECK(row[1].ns == 50 && row[1].cut_ns == 10, "the rest from the one before");
	CHECK(row[3].ns == 30 && !row[3].cut_ns, "not from the first");
	CHECK(row[4].ns == 90 && !row[4].cut_ns, "a CPU that fits");
	CHECK(row[5].ns == 70 && row[6].ns == 70, "a CPU that is not looked at");
	nt_cpu_clip(&s, 0, softirq, 4);
	CHECK(row[0].ns + row[1].ns + row[5].ns == 0 && row[1].cut_ns == 60, "no span");
}

int main(void)
{
	test_stat();
	test_share();
	test_list();
	test_task();
	test_vm();
	test_sample();
	test_clip();
	return check_done();
}
