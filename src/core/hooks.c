/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The plan: which program on which target for every hook of a tool. What BTF
 * can tell is decided here; what only a trial can tell (the verifier, the
 * attach) comes back through nt_plan_refuse().
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core.h"

/* The kernel's own ENOTSUPP, which never should have reached user space: no header has it. */
#define KERNEL_ENOTSUPP 524
/* More arguments no trampoline passed on before 6.6, which only the attach tells, and a second load is slower
 * than a kprobe. */
#define TRAMPOLINE_ARGS 6

static const char *const kind_names[NT_PROG_KINDS] = {
	[NT_PROG_NONE] = "none",
	[NT_PROG_TP_BTF] = "tp_btf", [NT_PROG_RAW_TP] = "raw_tp",
	[NT_PROG_FENTRY] = "fentry", [NT_PROG_KPROBE] = "kprobe",
	[NT_PROG_FEXIT] = "fexit", [NT_PROG_KRETPROBE] = "kretprobe",
	[NT_PROG_UPROBE] = "uprobe", [NT_PROG_URETPROBE] = "uretprobe",
};

const char *nt_prog_kind_name(enum nt_prog_kind k)
{
	return kind_names[k];
}

/* BTF-typed kinds come first: they are cheaper and need no probe_read. */
static enum nt_prog_kind typed_kind(enum nt_hook_type t)
{
	return t == NT_HOOK_TP ? NT_PROG_TP_BTF : t == NT_HOOK_FUNC ? NT_PROG_FENTRY : NT_PROG_FEXIT;
}

enum nt_prog_kind nt_prog_plain_kind(enum nt_hook_type t)
{
	static const enum nt_prog_kind kinds[] = {
		[NT_HOOK_TP] = NT_PROG_RAW_TP, [NT_HOOK_FUNC] = NT_PROG_KPROBE,
		[NT_HOOK_RET] = NT_PROG_KRETPROBE,
		[NT_HOOK_USER] = NT_PROG_UPROBE, [NT_HOOK_USER_RET] = NT_PROG_URETPROBE,
	};

	return kinds[t];
}

static bool in_user_space(const struct nt_hook *h)
{
	return h->type == NT_HOOK_USER || h->type == NT_HOOK_USER_RET;
}

static void add_candidate(struct nt_plan_hook *h, enum nt_prog_kind kind, const char *target,
			  size_t len, int args)
{
	struct nt_candidate *c;

	if (h->n == NT_CANDIDATES || len >= sizeof(c->target))
		return;
	c = &h->cand[h->n++];
	c->kind = kind;
	c->tp_args = h->hook->type == NT_HOOK_TP ? args : -1;
	c->unsure = h->hook->type != NT_HOOK_TP && args < 0 && !in_user_space(h->hook);
	memcpy(c->target, target, len);
}

/* Module BTF is looked through only for functions that the kernel proper has not. */
struct module_btf {
	struct nt_btf *btf[512];
	size_t n;
	bool read;
};

static void read_modules(struct module_btf *m, const struct nt_btf *base)
{
	DIR *d = opendir("/sys/kernel/btf");
	struct dirent *e;
	char path[300];

	m->read = true;
	while (d && (e = readdir(d)) && m->n < NT_COUNT(m->btf)) {
		if (e->d_name[0] == '.' || !strcmp(e->d_name, "vmlinux"))
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/btf/%s", e->d_name);
		if (!nt_btf_open(&m->btf[m->n], path, base))
			m->n++;
	}
	if (d)
		closedir(d);
}

/* Number of its arguments, negative: BTF does not know it. */
static int func_args(const struct nt_btf *vmlinux, struct module_btf *m, const char *name)
{
	int n = nt_btf_func_args(vmlinux, name);

	if (n < 0 && !m->read)
		read_modules(m, vmlinux);
	for (size_t i = 0; n < 0 && i < m->n; i++)
		n = nt_btf_func_args(m->btf[i], name);
	return n;
}

/* own: the kernel's own BTF, by which alone the kernel attaches; a file tells arguments only. *args is that of
 * a tracepoint or function, negative if unknown. */
static bool typed_possible(const struct nt_run *r, const struct nt_btf *own, struct module_btf *m,
			   const struct nt_hook *hook, const char *target, size_t len, int *args)
{
	char name[64];

	*args = -1;
	if (len >= sizeof(name))
		return false;
	memcpy(name, target, len);
	name[len] = '\0';
	if (hook->type != NT_HOOK_TP) {
		*args = own ? func_args(own, m, name) : -1;
		return *args >= 0;
	}
	*args = nt_btf_tp_args(own ? own : r->btf_file, name);
	return own && *args >= 0;
}

static void candidates(struct nt_run *r, struct nt_plan_hook *h, const struct nt_btf *own,
		       struct module_btf *m)
{
	bool typed_wanted = r->common.attach != NT_ATTACH_KPROBE && !(h->hook->flags & NT_HOOK_PLAIN);
	const char *p = h->hook->targets;
	char tracepoint[64];

	/* Which of the names it is differs from file to file: nt_uprobe_attach(). */
	if (in_user_space(h->hook)) {
		add_candidate(h, nt_prog_plain_kind(h->hook->type), p, strcspn(p, "|"), -1);
		return;
	}
	while (*p) {
		size_t len = strcspn(p, "|");
		const char *colon = memchr(p, ':', len), *name = colon ? colon + 1 : p;
		size_t name_len = len - (size_t)(name - p);
		bool typed, plain_first;
		int args = -1;

		if (h->hook->type == NT_HOOK_TP && name_len < sizeof(tracepoint)) {
			snprintf(tracepoint, sizeof(tracepoint), "%.*s", (int)name_len, name);
			h->tp_ptrs = nt_btf_tp_ptrs(own ? own : r->btf_file, tracepoint);
		}
		typed = (typed_wanted || h->hook->type == NT_HOOK_TP) &&
			typed_possible(r, own, m, h->hook, name, name_len, &args) && typed_wanted;
		plain_first = h->hook->type != NT_HOOK_TP && args > TRAMPOLINE_ARGS && r->common.attach != NT_ATTACH_FENTRY;
		if (typed && !plain_first)
			add_candidate(h, typed_kind(h->hook->type), name, name_len, args);
		if (r->common.attach != NT_ATTACH_FENTRY)
			add_candidate(h, nt_prog_plain_kind(h->hook->type), name, name_len, args);
		if (typed && plain_first)
			add_candidate(h, typed_kind(h->hook->type), name, name_len, args);
		p += len + (p[len] == '|');
	}
}

static bool is_trampoline(enum nt_prog_kind k)
{
	return k == NT_PROG_FENTRY || k == NT_PROG_FEXIT;
}

static void refuse(struct nt_plan_hook *h, struct nt_candidate *c, const char *what, int err_no)
{
	c->refused = true;
	snprintf(h->why, sizeof(h->why), "%s on %s: %s (%s)", kind_names[c->kind], c->target, what,
		 err_no == KERNEL_ENOTSUPP ? "not supported" : strerror(err_no));
}

static bool is_probe(enum nt_prog_kind k)
{
	return k == NT_PROG_KPROBE || k == NT_PROG_KRETPROBE;
}

/* Kernels built without kprobes have neither of the two ways to make one. */
static bool no_kprobes(void)
{
	return access("/sys/bus/event_source/devices/kprobe", F_OK) &&
	       access("/sys/kernel/tracing/kprobe_events", F_OK) &&
	       access("/sys/kernel/debug/tracing/kprobe_events", F_OK);
}

static bool is_user_probe(enum nt_prog_kind k)
{
	return k == NT_PROG_UPROBE || k == NT_PROG_URETPROBE;
}

/* A kernel that forbids or lacks the whole mechanism: one answer is enough. */
static void refuse_all(struct nt_run *r, bool (*of)(enum nt_prog_kind k), const char *what, int err_no)
{
	for (size_t i = 0; i < r->plan.n; i++)
		for (size_t k = 0; k < r->plan.hook[i].n; k++)
			if (of(r->plan.hook[i].cand[k].kind))
				refuse(&r->plan.hook[i], &r->plan.hook[i].cand[k], what, err_no);
}

static void refuse_absent(struct nt_plan_hook *h, const char *function)
{
	for (size_t k = 0; k < h->n; k++)
		if (h->cand[k].unsure && !strcmp(h->cand[k].target, function))
			refuse(h, &h->cand[k], "not in this kernel", ENOENT);
}

/* A kprobe on a function that is not there costs more than asking: the attach fails, and all programs are loaded
 * once more. BTF does not list every function, kallsyms does. */
static void drop_absent(struct nt_run *r)
{
	struct nt_ksyms_func *func = calloc(r->plan.n * NT_CANDIDATES + 1, sizeof(*func));
	size_t n = 0;

	for (size_t i = 0; func && i < r->plan.n; i++) {
		struct nt_plan_hook *h = &r->plan.hook[i];

		/* what stands behind one that is there will hardly be used */
		for (size_t k = 0; k < h->n && h->cand[k].unsure; k++)
			if (!h->cand[k].refused)
				func[n++] = (struct nt_ksyms_func){ .name = h->cand[k].target, .tag = h };
	}
	if (n && !nt_ksyms_find(func, n, NULL))
		for (size_t i = 0; i < n; i++)
			if (!func[i].found)
				refuse_absent(func[i].tag, func[i].name);
	free(func);
}

int nt_plan_make(struct nt_run *r)
{
	struct module_btf *m = calloc(1, sizeof(*m));
	struct nt_btf *own;

	r->plan.n = r->tool->n_hooks;
	r->plan.hook = calloc(r->plan.n, sizeof(*r->plan.hook));
	if (!m || !r->plan.hook) {
		free(m);
		return -ENOMEM;
	}
	own = nt_run_btf_own(r);
	nt_run_btf_types(r, own);
	for (size_t i = 0; i < r->plan.n; i++) {
		struct nt_plan_hook *h = &r->plan.hook[i];

		h->hook = &r->tool->hooks[i];
		h->chosen = -1;
		h->off = h->hook->wanted && !h->hook->wanted(r->opts);
		if (h->off)
			continue;
		if (nt_strlist_has(&r->hidden.without, h->hook->stem))
			snprintf(h->why, sizeof(h->why), "left out by --without");
		else
			candidates(r, h, own, m);
	}
	if (no_kprobes())
		refuse_all(r, is_probe, "this kernel has no kprobes", ENOENT);
	drop_absent(r);
	nt_names_read_reasons(r, own ? own : r->btf_file);
	for (size_t i = 0; i < m->n; i++)
		nt_btf_close(m->btf[i]);
	free(m);
	nt_btf_close(own);
	return 0;
}

void nt_plan_free(struct nt_plan *p)
{
	free(p->hook);
	p->hook = NULL;
	p->n = 0;
}

static void choose(struct nt_plan_hook *h)
{
	h->chosen = -1;
	for (size_t i = 0; i < h->n; i++) {
		if (!h->cand[i].refused) {
			h->chosen = (int)i;
			return;
		}
	}
	if (!h->why[0])
		snprintf(h->why, sizeof(h->why), "not on this kernel");
}

/* All hooks of one variant of a group have a candidate? */
static bool variant_works(const struct nt_plan *p, const char *group, unsigned int variant)
{
	bool any = false;

	for (size_t i = 0; i < p->n; i++) {
		const struct nt_hook *k = p->hook[i].hook;

		if (k->need != NT_VARIANT || strcmp(k->group, group) || k->variant != variant)
			continue;
		if (p->hook[i].chosen < 0)
			return false;
		any = true;
	}
	return any;
}

static int choose_variant(struct nt_plan *p, const char *group)
{
	for (unsigned int v = 0; v < 4; v++) {
		if (!variant_works(p, group, v))
			continue;
		for (size_t i = 0; i < p->n; i++) {
			const struct nt_hook *k = p->hook[i].hook;

			if (k->need == NT_VARIANT && !strcmp(k->group, group))
				p->hook[i].off = k->variant != v;
		}
		return 0;
	}
	return -ENOTSUP;
}

/* Some hook of the group of optional ones works, or none is wanted? */
static bool some_work(const struct nt_plan *p, const char *group)
{
	bool wanted = false;

	for (size_t i = 0; i < p->n; i++) {
		const struct nt_hook *k = p->hook[i].hook;

		if (p->hook[i].off || k->need != NT_OPTIONAL || !k->group || strcmp(k->group, group))
			continue;
		if (p->hook[i].chosen >= 0)
			return true;
		wanted = true;
	}
	return !wanted;
}

int nt_plan_choose(struct nt_run *r, struct nt_err *err)
{
	struct nt_plan *p = &r->plan;

	for (size_t i = 0; i < p->n; i++)
		if (!p->hook[i].off || p->hook[i].hook->need == NT_VARIANT)
			choose(&p->hook[i]);
	for (size_t i = 0; i < p->n; i++) {
		struct nt_plan_hook *h = &p->hook[i];
		bool fails = h->hook->need == NT_REQUIRED && !h->off && h->chosen < 0;

		if (h->hook->need == NT_VARIANT)
			fails = choose_variant(p, h->hook->group) != 0;
		if (h->hook->need == NT_OPTIONAL && h->hook->group && !some_work(p, h->hook->group))
			return nt_err_set(err, NT_EXIT_UNSUPPORTED, ENOTSUP,
				"cannot attach any hook of those needed: %s: %s: %s: see nettrace doctor %s",
				h->hook->group, h->hook->targets, h->why, r->tool->name);
		if (fails)
			return nt_err_set(err, NT_EXIT_UNSUPPORTED, ENOTSUP,
				"cannot attach the required hook: %s (%s): %s: see nettrace doctor %s",
				h->hook->stem, h->hook->targets, h->why, r->tool->name);
	}
	return 0;
}

bool nt_plan_empty(const struct nt_plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->hook[i].off)
			return false;
	return true;
}

void nt_plan_give_up(struct nt_plan *p, const char *why)
{
	for (size_t i = 0; i < p->n; i++) {
		p->hook[i].chosen = -1;
		p->hook[i].n = 0;
		snprintf(p->hook[i].why, sizeof(p->hook[i].why), "%s", why);
	}
}

void nt_plan_refuse(struct nt_run *r, struct nt_plan_hook *h, enum nt_refusal what, int err_no)
{
	static const char *const texts[] = {
		[NT_REFUSED_BTF] = "not in this kernel's BTF",
		[NT_REFUSED_LOAD] = "refused by the verifier",
		[NT_REFUSED_ATTACH] = "cannot be attached",
	};
	struct nt_candidate *c = &h->cand[h->chosen];

	if (err_no == EPERM && is_trampoline(c->kind)) {
		refuse_all(r, is_trampoline, "not permitted by this kernel", err_no);
		return;
	}
	/* arm64 before 6.4 loads trampoline programs and attaches none; elsewhere this is about a
	 * function with more arguments than a trampoline passes on. */
	if (err_no == KERNEL_ENOTSUPP && is_trampoline(c->kind) && !nt_try_attach(NT_PROG_FENTRY)) {
		refuse_all(r, is_trampoline, "this kernel attaches no such program", err_no);
		return;
	}
	if (what == NT_REFUSED_ATTACH && is_user_probe(c->kind) && !nt_uprobe_possible()) {
		refuse_all(r, is_user_probe, "this kernel has no uprobes", err_no);
		return;
	}
	refuse(h, c, texts[what], err_no);
	if (what == NT_REFUSED_LOAD)
		nt_run_note(r, "nettrace: verifier refused %s__%s: %s", h->hook->stem,
			    kind_names[c->kind], r->bpf.log);
}

void nt_plan_prog(const struct nt_plan_hook *h, char *buf, size_t size)
{
	snprintf(buf, size, "%s__%s", h->hook->stem, kind_names[h->cand[h->chosen].kind]);
}

struct nt_plan_hook *nt_plan_by_prog(struct nt_plan *p, const char *prog)
{
	for (size_t i = 0; i < p->n; i++) {
		char name[96];

		if (p->hook[i].off || p->hook[i].chosen < 0)
			continue;
		nt_plan_prog(&p->hook[i], name, sizeof(name));
		if (!strcmp(name, prog))
			return &p->hook[i];
	}
	return NULL;
}

bool nt_hook_missing(const struct nt_plan_hook *h)
{
	return !h->off && h->chosen < 0;
}

bool nt_run_hooked(const struct nt_run *r, const char *stem)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct nt_plan_hook *h = &r->plan.hook[i];

		if (!strcmp(h->hook->stem, stem))
			return !h->off && h->chosen >= 0;
	}
	return false;
}
