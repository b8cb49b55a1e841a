/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core.h"

bool nt_probe_module_btf(void)
{
	DIR *d = opendir("/sys/kernel/btf");
	struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d)))
		found = e->d_name[0] != '.' && strcmp(e->d_name, "vmlinux") != 0;
	if (d)
		closedir(d);
	return found;
}

static const struct bpf_insn nothing[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K },	/* r0 = 0 */
	{ .code = BPF_JMP | BPF_EXIT },
};

static int load_typed(enum bpf_attach_type at, const char *target)
{
	LIBBPF_OPTS(bpf_prog_load_opts, o, .expected_attach_type = at);
	int id = libbpf_find_vmlinux_btf_id(target, at);

	if (id < 0)
		return id;
	o.attach_btf_id = (uint32_t)id;
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "nt_probe", "GPL", nothing, NT_COUNT(nothing), &o);
}

/* 6 is the perf type of kprobes on most kernels, but it is assigned at boot: read it. */
static int kprobe_type(void)
{
	FILE *f = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	int type = -1;

	if (f && fscanf(f, "%d", &type) != 1)
		type = -1;
	if (f)
		fclose(f);
	return type;
}

static bool try_kprobe(void)
{
	struct perf_event_attr a = { .size = sizeof(a) };
	int type = kprobe_type(), fd;

	if (type < 0)
		return false;
	a.type = (uint32_t)type;
	a.config1 = (uint64_t)(uintptr_t)"ip_rcv";
	fd = (int)syscall(SYS_perf_event_open, &a, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool nt_probe_attach(enum nt_prog_kind kind)
{
	int prog = -1, link = -1;

	switch (kind) {
	case NT_PROG_KPROBE: return try_kprobe();
	case NT_PROG_FENTRY: prog = load_typed(BPF_TRACE_FENTRY, "ip_rcv"); break;
	case NT_PROG_TP_BTF: prog = load_typed(BPF_TRACE_RAW_TP, "kfree_skb"); break;
	default:
		prog = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "nt_probe", "GPL", nothing,
				     NT_COUNT(nothing), NULL);
	}
	if (prog < 0)
		return false;
	link = bpf_raw_tracepoint_open(kind == NT_PROG_RAW_TP ? "kfree_skb" : NULL, prog);
	close(prog);
	if (link < 0)
		return false;
	close(link);
	return true;
}

static void add(char *text, size_t size, const char *what)
{
	size_t n = strlen(text);

	if (n < size)
		snprintf(text + n, size - n, "%s%s", n ? "; " : "", what);
}

static enum nt_verdict judge(struct nt_run *r, char *text, size_t size)
{
	enum nt_verdict v = NT_VERDICT_OK;

	for (size_t i = 0; i < r->plan.n; i++) {
		const struct nt_plan_hook *h = &r->plan.hook[i];

		if (!nt_hook_missing(h) || h->hook->need != NT_OPTIONAL)
			continue;
		v = NT_VERDICT_DEGRADED;
		add(text, size, h->hook->loss);
	}
	return v;
}

enum nt_verdict nt_probe_tool(const struct nt_tool_entry *e, char *text, size_t size)
{
	struct nt_run *r = nt_run_for_probe(e);
	struct nt_err err = { .text = "" };
	enum nt_verdict v = NT_VERDICT_UNAVAILABLE;
	bool trial = !nt_bpf_check_caps(NULL);
	int rc;

	text[0] = '\0';
	if (!r)
		return v;
	if (!r->btf_found) {
		add(text, size, "no BTF for this kernel: give a file with --btf");
	} else {
		rc = trial ? nt_bpf_load(r, &err) : nt_plan_choose(r, &err);
		if (rc)
			add(text, size, err.text[0] ? err.text : strerror(-rc));
		else
			v = judge(r, text, size);
		if (!trial)
			add(text, size, "not tried: root is needed to try");
	}
	nt_run_free(r);
	return v;
}
