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

static bool exists(const char *folder, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return !access(path, F_OK);
}

/* Of a kernel without BTF: is the function in its symbols, and not in a module? */
static bool in_symbols(const char *function)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[256], name[128], module[64];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*x %*c %127s [%63[^]]]", name, module) == 1 && !strcmp(name, function);
	if (f)
		fclose(f);
	return found;
}

size_t nt_probe_modules(struct nt_module *m, size_t max)
{
	static const struct nt_module all[] = {
		{ .name = "tun", .function = "tun_net_xmit" },
		{ .name = "vhost", .function = "vhost_poll_queue" },
		{ .name = "vhost_net", .function = "vhost_net_open" },
		{ .name = "kvm", .function = "kvm_set_irq" },
		{ .name = "kvm_intel", .function = "vmx_vcpu_load" },
		{ .name = "kvm_amd", .function = "svm_vcpu_load" },
		{ .name = "virtio_net", .function = "virtnet_poll" },
		{ .name = "openvswitch", .function = "ovs_dp_process_packet" },
		{ .name = "vxlan", .function = "vxlan_xmit" },
		{ .name = "nf_conntrack", .function = "nf_conntrack_in" },
		{ .name = "veth", .function = "veth_xmit" },
		{ .name = "bridge", .function = "br_handle_frame" },
	};
	struct nt_btf *btf = NULL;

	nt_btf_open(&btf, "/sys/kernel/btf/vmlinux", NULL);
	for (size_t i = 0; i < NT_COUNT(all) && i < max; i++) {
		bool typed = nt_btf_has_func(btf, all[i].function);

		m[i] = all[i];
		m[i].btf = typed || exists("/sys/kernel/btf", all[i].name);
		if (typed || (!btf && in_symbols(all[i].function)))
			m[i].state = NT_MODULE_BUILT_IN;
		else if (exists("/sys/module", all[i].name))
			m[i].state = NT_MODULE_LOADED;
	}
	nt_btf_close(btf);
	return NT_COUNT(all);
}

/* Any entry beside vmlinux. */
static bool some_module_btf(void)
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

static bool try_kprobe(void)
{
	struct perf_event_attr a = { .size = sizeof(a) };
	int type = nt_kprobe_pmu(), fd;

	if (type < 0)			/* then by tracefs */
		return !access("/sys/kernel/tracing/kprobe_events", W_OK) ||
		       !access("/sys/kernel/debug/tracing/kprobe_events", W_OK);
	a.type = (uint32_t)type;
	a.config1 = (uint64_t)(uintptr_t)"ip_rcv";
	fd = (int)syscall(SYS_perf_event_open, &a, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool nt_try_attach(enum nt_prog_kind kind)
{
	int prog = -1, link = -1;

	switch (kind) {
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

static bool has_helper(enum bpf_func_id id)
{
	/* not a kprobe program: before 5.0 that needs the kernel's version, which libbpf may not know */
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_TRACEPOINT, id, NULL) == 1;
}

/* Restricted readers see every address as 0. */
static bool symbol_addresses(void)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long long first = 0;
	bool found = false;

	for (int i = 0; f && !found && i < 64 && fscanf(f, "%llx%*[^\n]", &first) == 1; i++)
		found = first != 0;
	if (f)
		fclose(f);
	return found;
}

static bool tracefs(void)
{
	return !access("/sys/kernel/tracing/events", R_OK) ||
	       !access("/sys/kernel/debug/tracing/events", R_OK);
}

static enum nt_answer tried(bool can, bool answer)
{
	return !can ? NT_NOT_TRIED : answer ? NT_YES : NT_NO;
}

#define TRY(what) tried(can, can && (what))

size_t nt_probe_abilities(struct nt_ability *a, size_t max)
{
	bool can = !nt_bpf_check_caps(NULL);
	const struct nt_ability all[] = {
		{ "permission", "capabilities of this process", can },
		{ "btf", "/sys/kernel/btf/vmlinux", !access("/sys/kernel/btf/vmlinux", R_OK) },
		{ "module_btf", "files in /sys/kernel/btf", some_module_btf() },
		{ "kprobe", "attaching to ip_rcv", TRY(try_kprobe()) },
		{ "uprobe", "perf's device, or tracefs", nt_uprobe_possible() },
		{ "fentry", "attaching to ip_rcv", TRY(nt_try_attach(NT_PROG_FENTRY)) },
		{ "tp_btf", "attaching to kfree_skb", TRY(nt_try_attach(NT_PROG_TP_BTF)) },
		{ "raw_tp", "attaching to kfree_skb", TRY(nt_try_attach(NT_PROG_RAW_TP)) },
		{ "tracepoints", "tracefs", tracefs() },
		{ "ring_buffer", "creating one",
		  TRY(libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1) },
		{ "probe_read_kernel", "loading a program with it",
		  TRY(has_helper(BPF_FUNC_probe_read_kernel)) },
		/* both came with 5.11: what maps take is not charged to RLIMIT_MEMLOCK then */
		{ "memcg_accounting", "loading a program with ktime_get_coarse_ns",
		  TRY(has_helper(BPF_FUNC_ktime_get_coarse_ns)) },
		{ "symbol_addresses", "/proc/kallsyms", symbol_addresses() },
	};

	memcpy(a, all, (max < NT_COUNT(all) ? max : NT_COUNT(all)) * sizeof(*a));
	return NT_COUNT(all);
}

static void judge(struct nt_probe *p)
{
	size_t n = 0;

	p->verdict = NT_VERDICT_OK;
	for (size_t i = 0; i < p->run->plan.n; i++) {
		const struct nt_plan_hook *h = &p->run->plan.hook[i];

		if (!nt_hook_missing(h))
			continue;
		p->verdict = NT_VERDICT_DEGRADED;
		if (n < sizeof(p->why))
			n += (size_t)snprintf(p->why + n, sizeof(p->why) - n, "%s%s", n ? "; " : "missing: ",
					      h->hook->loss);
	}
	for (size_t i = 0; i < p->run->n_missing_types; i++) {
		p->verdict = NT_VERDICT_DEGRADED;
		if (n < sizeof(p->why))
			n += (size_t)snprintf(p->why + n, sizeof(p->why) - n, "%s%s (%s)",
					      n ? "; " : "missing: ", p->run->missing_type[i].need->loss,
					      p->run->missing_type[i].why);
	}
}

/* Nothing to attach: what it needs is asked for, whoever asks. */
static void without_programs(struct nt_probe *p)
{
	const struct nt_engine *e = p->run->tool->engine;
	struct nt_err err = { .text = "" };

	p->tried = true;
	if (e->possible && e->possible(&err))
		snprintf(p->why, sizeof(p->why), "%s", err.text);
	else
		judge(p);
}

void nt_probe_tool(struct nt_probe *p, const struct nt_tool_entry *e)
{
	struct nt_err err = { .text = "" };
	int rc;

	memset(p, 0, sizeof(*p));
	p->verdict = NT_VERDICT_UNAVAILABLE;
	p->tried = !nt_bpf_check_caps(NULL);
	p->run = nt_run_for_probe(e);
	if (!p->run) {
		snprintf(p->why, sizeof(p->why), "out of memory");
		return;
	}
	if (!p->run->tool->n_hooks) {
		without_programs(p);
		return;
	}
	if (!p->run->btf_found && p->run->tool->works_without_bpf) {
		nt_plan_give_up(&p->run->plan, p->run->btf_why);
		judge(p);
		return;
	}
	if (!p->run->btf_found) {
		snprintf(p->why, sizeof(p->why), "%s", p->run->btf_why);
		return;
	}
	rc = p->tried ? nt_bpf_load(p->run, &err) : nt_plan_choose(p->run, &err);
	if (rc && p->run->tool->works_without_bpf) {
		nt_plan_give_up(&p->run->plan, err.text[0] ? err.text : strerror(-rc));
		rc = 0;
	}
	if (rc)
		snprintf(p->why, sizeof(p->why), "%s", err.text[0] ? err.text : strerror(-rc));
	else
		judge(p);
	nt_bpf_close(p->run);
}

void nt_probe_show(const struct nt_probe *p, struct nt_out *o)
{
	if (!p->run)
		return;
	nt_report_hooks(p->run, o);
	for (size_t i = 0; p->verdict != NT_VERDICT_UNAVAILABLE && i < p->run->plan.n; i++) {
		const struct nt_plan_hook *h = &p->run->plan.hook[i];

		if (nt_hook_missing(h))
			nt_text(o, "      without %s (%s): %s\n", h->hook->stem, h->why, h->hook->loss);
	}
	if (p->verdict != NT_VERDICT_UNAVAILABLE)
		nt_report_types(p->run, o, "      ");
}

void nt_probe_free(struct nt_probe *p)
{
	if (p->run)
		nt_run_free(p->run);
	p->run = NULL;
}
