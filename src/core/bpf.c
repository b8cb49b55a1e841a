/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Opens a tool's object, configures, loads and attaches it by the plan. A
 * program that the kernel refuses costs its candidate: the hook falls to its
 * next kind and everything is opened again (libbpf cannot load an object
 * twice), which happens only on kernels where the first choice fails.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/capability.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core.h"

/* libbpf's callbacks have no room for a pointer of ours that changes. */
static struct nt_run *loading;

static bool useful(const char *line)
{
	return line[0] && !strstr(line, "BPF_PROG_LOAD") && !strstr(line, "-- BEGIN") &&
	       !strstr(line, "-- END") && strncmp(line, "processed ", 10) &&
	       !strstr(line, "failed to load");
}

/* Keeps the last line that says something: the verifier's complaint is the last of its log. */
static void keep_log(struct nt_bpf *b, const char *text)
{
	char line[256];

	while (*text) {
		size_t n = strcspn(text, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)(n < 200 ? n : 200), text);
		if (useful(line))
			snprintf(b->log, sizeof(b->log), "%s", line);
		text += n + (text[n] == '\n');
	}
}

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char *text = NULL;

	bool developer = getenv("NETTRACE_LIBBPF");

	if ((level == LIBBPF_DEBUG && !developer) || vasprintf(&text, fmt, args) < 0)
		return 0;
	if (developer)		/* everything libbpf and the verifier say */
		fputs(text, stderr);
	if (loading && level == LIBBPF_WARN)
		keep_log(&loading->bpf, text);
	free(text);
	return 0;
}

static void free_scratch(struct nt_bpf *b)
{
	while (b->n_scratch)
		free(b->scratch[--b->n_scratch]);
}

/* A function that is static: the appended code borrows its type. That of a global one would make
 * the kernel verify the code by itself, with that function's arguments. */
static uint32_t static_func(const struct nt_bpf *b, const char *info, uint32_t n, uint32_t rec)
{
	const struct btf *btf = bpf_object__btf(b->obj);

	for (uint32_t i = n; btf && i-- > 0;) {
		struct bpf_func_info f;
		const struct btf_type *t;

		memcpy(&f, info + (size_t)rec * i, sizeof(f));
		t = btf__type_by_id(btf, f.type_id);
		if (t && btf_is_func(t) && btf_vlen(t) == BTF_FUNC_STATIC)
			return i;
	}
	return n - 1;
}

/* Records for the appended subprograms; libbpf reads them until the program is loaded. */
static const void *grow_info(struct nt_bpf *b, const void *info, uint32_t *n, uint32_t rec,
			     uint32_t like, const size_t *at, size_t n_at)
{
	void *p = b->n_scratch < NT_COUNT(b->scratch) ?
		  nt_patch_grow_info(info, n, rec, like, at, n_at) : NULL;

	if (!p)
		return info;
	b->scratch[b->n_scratch++] = p;
	return p;
}

static int append_filter(struct nt_run *r, struct bpf_program *prog,
			 struct bpf_prog_load_opts *opts, struct bpf_insn *insns, size_t n)
{
	struct nt_append apps[NT_LINK_FORMS] = {
		[NT_LINK_ETHER] = { .call = NT_CALL_PCAP_L2 },
		[NT_LINK_RAW] = { .call = NT_CALL_PCAP_L3 },
	};
	struct bpf_insn *out = NULL;
	size_t at[NT_LINK_FORMS];
	int len;

	free_scratch(&r->bpf);		/* the last program is in the kernel */
	for (int i = 0; i < NT_LINK_FORMS; i++) {
		apps[i].insns = r->pcap_insns[i];
		apps[i].n = r->pcap_len[i];
	}
	len = nt_patch_append(insns, n, apps, 2, &out, at);
	if (len < 0)
		return len;
	if (opts->func_info_cnt && (at[0] || at[1]))
		opts->func_info = grow_info(&r->bpf, opts->func_info, &opts->func_info_cnt,
					    opts->func_info_rec_size,
					    static_func(&r->bpf, opts->func_info, opts->func_info_cnt,
							opts->func_info_rec_size), at, 2);
	if (opts->line_info_cnt && (at[0] || at[1]))
		opts->line_info = grow_info(&r->bpf, opts->line_info, &opts->line_info_cnt,
					    opts->line_info_rec_size, opts->line_info_cnt - 1, at, 2);
	len = bpf_program__set_insns(prog, out, (size_t)len);
	free(out);
	return len;
}

/* 0: unknown */
static uint64_t tp_args(struct nt_plan_hook *h)
{
	struct nt_candidate *c = &h->cand[h->chosen];

	if (c->tp_args < 0)
		c->tp_args = nt_trial_tp_args(c->target);
	return c->tp_args > 0 ? (uint64_t)c->tp_args : 0;
}

static int prepare_load(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	struct nt_run *r = loading;
	const char *name = bpf_program__name(prog);
	size_t n = bpf_program__insn_cnt(prog);
	struct nt_plan_hook *h;
	struct bpf_insn *insns;
	unsigned int missing;
	int err;

	(void)cookie;
	snprintf(r->bpf.last_prog, sizeof(r->bpf.last_prog), "%s", name);
	h = nt_plan_by_prog(&r->plan, name);
	insns = malloc(n * sizeof(*insns));
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(prog), n * sizeof(*insns));
	if (h && nt_patch_uses(insns, n, NT_CONST_TP_ARGS))
		nt_run_const(r, NT_CONST_TP_ARGS, tp_args(h));
	nt_run_const(r, NT_CONST_TP_PTRS, h ? h->tp_ptrs : 0);
	err = nt_patch_consts(insns, n, &r->bpf.consts, &missing);
	if (err < 0)
		snprintf(r->bpf.log, sizeof(r->bpf.log), "load-time constant %u has no value", missing);
	if (nt_strlist_has(&r->hidden.refuse, name))	/* for tests: "exit" with r0 never written */
		insns[0] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	if (err >= 0)
		err = append_filter(r, prog, opts, insns, n);
	free(insns);
	return err < 0 ? err : 0;
}

static void register_handlers(void)
{
	static const struct { const char *sec; enum bpf_prog_type type; enum bpf_attach_type at; } s[] = {
		{ "tp_btf", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP },
		{ "fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY },
		{ "fexit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT },
		{ "raw_tp", BPF_PROG_TYPE_RAW_TRACEPOINT, 0 },
		{ "kprobe", BPF_PROG_TYPE_KPROBE, 0 },
		{ "kretprobe", BPF_PROG_TYPE_KPROBE, 0 },
		{ "uprobe", BPF_PROG_TYPE_KPROBE, 0 },
		{ "uretprobe", BPF_PROG_TYPE_KPROBE, 0 },
	};
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = prepare_load);
	static bool done;

	if (done)
		return;
	done = true;
	libbpf_set_print(print_libbpf);
	for (size_t i = 0; i < NT_COUNT(s); i++)
		libbpf_register_prog_handler(s[i].sec, s[i].type, s[i].at, &opts);
}

static bool has_cap(const struct __user_cap_data_struct *d, unsigned int cap)
{
	return d[cap / 32].effective & 1u << cap % 32;
}

int nt_bpf_check_caps(struct nt_err *err)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };
	const char *missing = NULL;

	if (syscall(SYS_capget, &h, d))
		return 0;
	if (has_cap(d, CAP_SYS_ADMIN))
		return 0;
	if (!has_cap(d, CAP_BPF))
		missing = "CAP_BPF";
	else if (!has_cap(d, CAP_PERFMON))
		missing = "CAP_PERFMON";
	else if (!has_cap(d, CAP_NET_ADMIN))
		missing = "CAP_NET_ADMIN";
	if (!missing)
		return 0;
	return nt_err_set(err, NT_EXIT_PERMISSION, EPERM,
			  "not permitted to attach: %s is missing: run it as root", missing);
}

/* ---- opening and configuring ---- */

static void size_state_maps(struct nt_run *r)
{
	const char *p = r->tool->state_maps;
	char name[32];

	while (p && *p) {
		size_t n = strcspn(p, "|");

		snprintf(name, sizeof(name), "%.*s", (int)n, p);
		if (r->common.max_entries)
			nt_run_map_entries(r, name, r->common.max_entries);
		p += n + (p[n] == '|');
	}
}

static int size_events(struct nt_run *r)
{
	struct bpf_map *m = bpf_object__find_map_by_name(r->bpf.obj, "nt_events");
	uint32_t size = (uint32_t)sysconf(_SC_PAGESIZE);	/* 64 KiB on some arm64 kernels */

	r->bpf.ringbuf = false;
	if (!m)
		return 0;
	r->bpf.ringbuf = !r->hidden.perf_buffer &&
			 libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1;
	if (r->bpf.ringbuf) {
		while (size < r->common.buffer_bytes && size < 1u << 30)
			size *= 2;
		nt_run_const(r, NT_CONST_WATERMARK, size / 4);
		return bpf_map__set_max_entries(m, size);
	}
	nt_run_const(r, NT_CONST_WATERMARK, 0);
	bpf_map__set_type(m, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	bpf_map__set_key_size(m, sizeof(uint32_t));
	bpf_map__set_value_size(m, sizeof(uint32_t));
	return bpf_map__set_max_entries(m, nt_run_cpus(r));
}

static int choose_programs(struct nt_run *r, struct nt_plan_hook **bad)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, r->bpf.obj) {
		struct nt_plan_hook *h = nt_plan_by_prog(&r->plan, bpf_program__name(p));
		struct nt_candidate *c = h ? &h->cand[h->chosen] : NULL;
		int err;

		bpf_program__set_autoload(p, h != NULL);
		if (getenv("NETTRACE_LIBBPF"))
			bpf_program__set_log_level(p, 4);	/* statistics only */
		if (!h || (c->kind != NT_PROG_TP_BTF && c->kind != NT_PROG_FENTRY &&
			   c->kind != NT_PROG_FEXIT))
			continue;
		err = bpf_program__set_attach_target(p, 0, c->target);
		if (err) {
			*bad = h;
			return err;
		}
	}
	return 0;
}

static int open_object(struct nt_run *r, struct nt_err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "nettrace",
		    .btf_custom_path = r->btf_custom ? r->btf_load : NULL);
	uint32_t version = nt_kernel_version_code();
	size_t size;
	void *elf = nt_tool_object(r->entry, &size);

	register_handlers();
	loading = r;
	memset(&r->bpf.consts, 0, sizeof(r->bpf.consts));
	r->bpf.obj = elf ? bpf_object__open_mem(elf, size, &opts) : NULL;
	free(elf);		/* libbpf has copied what it needs */
	if (!r->bpf.obj)
		return nt_err_set(err, NT_EXIT_RUNTIME, errno, "cannot open the BPF object: %s: %s",
				  r->tool->name, strerror(errno));
	if (version)
		bpf_object__set_kversion(r->bpf.obj, version);
	return 0;
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	for (int id = NT_CONST_TOOL0; id <= NT_CONST_TOOL3; id++)
		nt_run_const(r, (enum nt_const_id)id, 0);
	size_state_maps(r);
	size_events(r);
	nt_run_const(r, NT_CONST_RINGBUF, r->bpf.ringbuf);
	nt_run_const(r, NT_CONST_FILTER, r->tuple_mask);
	nt_run_const(r, NT_CONST_PCAP, r->pcap_insns[0] != NULL);
	return r->tool->engine->configure ? r->tool->engine->configure(r, err) : 0;
}

/* ---- loading and attaching ---- */

/* 0 with *link (NULL in user space, where there are several), or -errno. */
static int attach_one(struct nt_run *r, struct nt_plan_hook *h, struct bpf_link **link)
{
	const struct nt_candidate *c = &h->cand[h->chosen];
	struct bpf_program *p;
	char name[96];

	nt_plan_prog(h, name, sizeof(name));
	p = bpf_object__find_program_by_name(r->bpf.obj, name);
	if (!p)
		return -ENOENT;
	errno = 0;
	switch (c->kind) {
	case NT_PROG_UPROBE:
	case NT_PROG_URETPROBE: return nt_uprobe_attach(r, h, p);
	case NT_PROG_RAW_TP: *link = bpf_program__attach_raw_tracepoint(p, c->target); break;
	case NT_PROG_KPROBE:
	case NT_PROG_KRETPROBE: *link = nt_kprobe_attach(r, h, p); break;
	default: *link = bpf_program__attach_trace(p);
	}
	return *link ? 0 : errno ? -errno : -EINVAL;
}

static int attach_all(struct nt_run *r, struct nt_plan_hook **bad)
{
	int rc;

	r->bpf.link = calloc(r->plan.n, sizeof(*r->bpf.link));
	if (!r->bpf.link)
		return -ENOMEM;
	for (size_t i = 0; i < r->plan.n; i++) {
		struct nt_plan_hook *h = &r->plan.hook[i];

		if (h->off || h->chosen < 0)
			continue;
		rc = attach_one(r, h, &r->bpf.link[i]);
		if (rc) {
			*bad = h;
			return rc;
		}
	}
	return 0;
}

void nt_bpf_close(struct nt_run *r)
{
	for (size_t i = 0; r->bpf.link && i < r->plan.n; i++) {
		bpf_link__destroy(r->bpf.link[i]);
		nt_kprobe_remove(&r->plan.hook[i]);
	}
	nt_uprobe_detach(r);
	free(r->bpf.link);
	r->bpf.link = NULL;
	bpf_object__close(r->bpf.obj);
	r->bpf.obj = NULL;
	free_scratch(&r->bpf);
}

/* One try. On a failure that costs one candidate, *bad is its hook. */
static int try_load(struct nt_run *r, struct nt_plan_hook **bad, enum nt_refusal *what,
		    struct nt_err *err)
{
	int rc;

	*bad = NULL;
	r->bpf.last_prog[0] = r->bpf.log[0] = '\0';
	rc = open_object(r, err);
	if (rc)
		return rc;
	*what = NT_REFUSED_BTF;
	rc = choose_programs(r, bad);
	if (!rc)
		rc = configure(r, err);
	if (rc)
		return rc;
	rc = bpf_object__load(r->bpf.obj);
	free_scratch(&r->bpf);
	if (rc) {
		*what = NT_REFUSED_LOAD;
		*bad = nt_plan_by_prog(&r->plan, r->bpf.last_prog);
		if (!*bad)
			nt_err_set(err, NT_EXIT_RUNTIME, -rc, "cannot load the BPF object: %s: %s",
				   strerror(-rc), r->bpf.log);
		return rc;
	}
	nt_filter_load(r);
	rc = r->tool->engine->prepare ? r->tool->engine->prepare(r, err) : 0;
	if (rc)
		return rc;
	*what = NT_REFUSED_ATTACH;
	return attach_all(r, bad);
}

int nt_bpf_load(struct nt_run *r, struct nt_err *err)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct nt_plan_hook *bad;
	enum nt_refusal what;
	int rc;

	setrlimit(RLIMIT_MEMLOCK, &unlimited);	/* maps count as locked memory before 5.11 */
	nt_kprobe_sweep();
	for (;;) {
		rc = nt_plan_choose(r, err);
		if (rc)
			return rc;
		rc = try_load(r, &bad, &what, err);
		if (!rc)
			return 0;
		nt_bpf_close(r);
		malloc_trim(0);		/* the next try parses vmlinux BTF again */
		if (!bad)
			return rc;
		nt_plan_refuse(r, bad, what, -rc);
	}
}

static uint64_t too_deep(struct nt_run *r)
{
	struct nt_gate *gate = calloc(nt_run_cpus(r), sizeof(*gate));
	int fd = nt_run_map_fd(r, "nt_gate");
	uint32_t zero = 0;
	uint64_t n = 0;

	if (gate && fd >= 0 && !bpf_map_lookup_elem(fd, &zero, gate))
		for (uint32_t i = 0; i < nt_run_cpus(r); i++)
			n += gate[i].too_deep;
	free(gate);
	return n;
}

void nt_bpf_gate(struct nt_run *r, bool open)
{
	int fd = nt_run_map_fd(r, "nt_open");
	uint32_t zero = 0, value = open;

	if (fd >= 0)
		bpf_map_update_elem(fd, &zero, &value, BPF_ANY);
	if (open)
		return;
	usleep(2000);	/* programs that had passed the gate run to their end */
	r->too_deep = too_deep(r);
}
