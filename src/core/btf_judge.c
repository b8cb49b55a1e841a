/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What each tool would miss with a BTF file, found without loading anything: the values that
 * libbpf would write are written into a copy of the instructions, and what fails counts only
 * where the verifier would come by.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "nettrace/btf_file.h"

struct judging {
	struct nt_btf_judged *j;
	const struct nt_btf_set *set;
	const struct nt_prog *prog;
	struct bpf_insn *insns;		/* the copy */
	uint8_t *unknown, *failed;	/* per instruction; failed: errno of its relocation */
	int tp_args;			/* -1: not in the file */
};

static bool is_const(const struct bpf_insn *i)
{
	return i->code == (BPF_LD | BPF_DW | BPF_IMM) && i->src_reg == 0 &&
	       (uint32_t)i[1].imm == (uint32_t)(NT_CONST_MARK >> 32);
}

/* Any option may be given, and either buffer used: only the tracepoint's arguments are certain. */
static int set_consts(struct judging *g)
{
	struct nt_consts c = { .set = ~0u };
	int rc;

	for (size_t i = 0; i + 1 < g->prog->n; i++)
		if (is_const(&g->insns[i]))
			g->unknown[i] = g->insns[i].imm != NT_CONST_TP_ARGS || g->tp_args < 0;
	c.value[NT_CONST_TP_ARGS] = g->tp_args < 0 ? 0 : (uint64_t)g->tp_args;
	rc = nt_patch_consts(g->insns, g->prog->n, &c, NULL);
	return rc < 0 ? rc : 0;
}

static int add_fault(struct judging *g, const struct nt_relo *r, const struct nt_core_path *local)
{
	struct nt_btf_judged *j = g->j;
	struct nt_relo_fault f = { .prog = g->prog->name, .ambiguous = g->failed[r->insn] == EINVAL };
	struct nt_relo_fault *grown;

	nt_core_text(local, f.what, sizeof(f.what));
	for (size_t i = 0; i < j->n_faults; i++)
		if (j->fault[i].prog == f.prog && !strcmp(j->fault[i].what, f.what))
			return 0;
	grown = realloc(j->fault, (j->n_faults + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	j->fault = grown;
	grown[j->n_faults++] = f;
	return 0;
}

static int apply(struct judging *g, const struct nt_relo *r)
{
	struct nt_core_path local;
	uint64_t value = 0;
	int rc = nt_core_local(&local, g->j->object.btf, r);

	if (rc)
		return rc;
	rc = nt_core_value(&g->set->target, r, &local, &g->insns[r->insn], &value);
	if (!rc)
		rc = nt_core_patch(g->insns, g->prog->n, r, value);
	g->failed[r->insn] = (uint8_t)-rc;
	return 0;
}

/* Faults of what can run; what libbpf itself gives up on counts everywhere. */
static int collect(struct judging *g, const struct nt_reach *reach)
{
	int err = 0;

	for (size_t i = 0; !err && i < g->prog->n_relo; i++) {
		const struct nt_relo *r = &g->prog->relo[i];
		struct nt_core_path local;

		if (!g->failed[r->insn] || (!reach->live[r->insn] && g->failed[r->insn] != EINVAL))
			continue;
		err = nt_core_local(&local, g->j->object.btf, r);
		if (!err)
			err = add_fault(g, r, &local);
	}
	return err;
}

static int judge_prog(struct judging *g)
{
	const struct nt_prog *p = g->prog;
	struct nt_reach reach;
	int err = 0;

	g->insns = malloc(p->n * sizeof(*g->insns));
	g->unknown = calloc(p->n, 1);
	g->failed = calloc(p->n, 1);
	if (!g->insns || !g->unknown || !g->failed)
		err = -ENOMEM;
	if (!err) {
		memcpy(g->insns, p->insns, p->n * sizeof(*g->insns));
		err = set_consts(g);
	}
	for (size_t i = 0; !err && i < p->n_relo; i++)
		err = p->relo[i].insn < p->n ? apply(g, &p->relo[i]) : -EINVAL;
	if (!err)
		err = nt_reach_find(&reach, g->insns, p->n, g->unknown);
	if (!err) {
		err = collect(g, &reach);
		nt_reach_free(&reach);
	}
	g->j->n_relocations += p->n_relo;
	g->j->n_programs++;
	free(g->insns);
	free(g->unknown);
	free(g->failed);
	return err;
}

static const struct nt_prog *find_prog(const struct nt_object *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (!strcmp(o->prog[i].name, name))
			return &o->prog[i];
	return NULL;
}

static int tp_args(const struct nt_btf_set *s, const struct nt_hook *h)
{
	const char *colon = strchr(h->targets, ':');
	char name[64];

	if (h->type != NT_HOOK_TP || !colon)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(colon + 1, "|"), colon + 1);
	for (size_t i = 0; i < s->n; i++) {
		int n = nt_btf_tp_args(s->item[i].raw, name);

		if (n >= 0)
			return n;
	}
	return -1;
}

/* The hook's program of the kind that needs no BTF in the kernel; its plan has one candidate. */
static int judge_hook(struct nt_btf_judged *j, const struct nt_btf_set *s, struct nt_plan_hook *h)
{
	struct judging g = { .j = j, .set = s, .tp_args = tp_args(s, h->hook) };
	size_t before = j->n_faults;
	char name[96];
	int err;

	h->n = 1;
	h->cand[0].kind = nt_prog_plain_kind(h->hook->type);
	h->chosen = 0;
	nt_plan_prog(h, name, sizeof(name));
	g.prog = find_prog(&j->object, name);
	if (!g.prog)
		return -EINVAL;
	err = judge_prog(&g);
	h->cand[0].refused = j->n_faults > before;
	if (h->cand[0].refused)
		snprintf(h->why, sizeof(h->why), "the file has no %s", j->fault[before].what);
	return err;
}

static void add(struct nt_btf_judged *j, const char *what, const char *without)
{
	size_t n = strlen(j->text);

	snprintf(j->text + n, sizeof(j->text) - n, "%s%s; without it not seen: %s", n ? "; " : "", what,
		 without);
}

static bool has_struct(const struct nt_btf_set *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (nt_btf_has_struct(s->item[i].raw, name))
			return true;
	return false;
}

static void verdict(struct nt_btf_judged *j, const struct nt_btf_set *s, struct nt_run *r)
{
	struct nt_err err = { .text = "" };
	char what[160];

	j->state = NT_FILE_OK;
	if (nt_plan_choose(r, &err)) {
		j->state = NT_FILE_UNAVAILABLE;
		snprintf(j->text, sizeof(j->text), "%s", err.text);
		return;
	}
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct nt_plan_hook *h = &r->plan.hook[i];

		if (!nt_hook_missing(h) || h->hook->need != NT_OPTIONAL)
			continue;
		j->state = NT_FILE_DEGRADED;
		snprintf(what, sizeof(what), "hook %s: %s", h->hook->stem, h->why);
		add(j, what, h->hook->loss);
	}
	for (size_t i = 0; i < r->tool->n_types; i++) {
		const struct nt_type_need *t = &r->tool->types[i];

		if (has_struct(s, t->name))
			continue;
		j->state = NT_FILE_DEGRADED;
		snprintf(what, sizeof(what), "the file has no struct %s of module %s", t->name, t->module);
		add(j, what, t->loss);
	}
}

int nt_btf_judge(struct nt_btf_judged *j, const struct nt_btf_set *s, const struct nt_tool_entry *e)
{
	struct nt_run *r = calloc(1, sizeof(*r));
	int err;

	memset(j, 0, sizeof(*j));
	if (!r)
		return -ENOMEM;
	r->tool = e->tool;
	r->plan.n = e->tool->n_hooks;
	r->plan.hook = calloc(r->plan.n + 1, sizeof(*r->plan.hook));
	err = r->plan.hook ? nt_object_read_tool(&j->object, e) : -ENOMEM;
	for (size_t i = 0; !err && i < r->plan.n; i++) {
		r->plan.hook[i].hook = &e->tool->hooks[i];
		err = judge_hook(j, s, &r->plan.hook[i]);
	}
	if (!err)
		verdict(j, s, r);
	nt_plan_free(&r->plan);
	free(r);
	return err;
}

void nt_btf_judged_free(struct nt_btf_judged *j)
{
	nt_object_free(&j->object);
	free(j->fault);
	j->fault = NULL;
}
