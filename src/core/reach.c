/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which instructions can run: constants are propagated through registers, a branch whose
 * outcome is known is followed one way. Per instruction, not per path, so it knows less than
 * the verifier and calls more alive. A subprogram's arguments are the join of all its calls.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/object.h"

#define REGS 11

enum kind { UNSEEN, CONSTANT, STACK, ANY };

struct value {
	enum kind kind;
	uint64_t v;			/* the constant, or the offset from the frame pointer */
};

struct state {
	struct value r[REGS];
};

struct work {
	const struct bpf_insn *insns;
	const uint8_t *unknown;
	size_t n;
	struct state *at;		/* before each instruction */
	size_t *todo, n_todo;
	uint8_t *queued;
	struct nt_reach *out;
};

static const struct value any = { .kind = ANY };

static struct value constant(uint64_t v)
{
	return (struct value){ CONSTANT, v };
}

static struct value join(struct value a, struct value b)
{
	if (a.kind == UNSEEN)
		return b;
	if (b.kind == UNSEEN || (a.kind == b.kind && a.v == b.v))
		return a;
	return any;
}

static int reach(struct work *w, size_t to, const struct state *s)
{
	bool changed = false;

	if (to >= w->n)
		return -EINVAL;
	for (int i = 0; i < REGS; i++) {
		struct value v = join(w->at[to].r[i], s->r[i]);

		changed |= v.kind != w->at[to].r[i].kind;
		w->at[to].r[i] = v;
	}
	if (!w->out->live[to] || changed) {
		w->out->live[to] = 1;
		if (!w->queued[to])
			w->todo[w->n_todo++] = to;
		w->queued[to] = 1;
	}
	return 0;
}

static uint64_t bits64(uint8_t op, uint64_t a, uint64_t b, bool *known)
{
	switch (op) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_OR: return a | b;
	case BPF_AND: return a & b;
	case BPF_XOR: return a ^ b;
	case BPF_LSH: return b < 64 ? a << b : 0;
	case BPF_RSH: return b < 64 ? a >> b : 0;
	case BPF_ARSH: return b < 64 ? (uint64_t)((int64_t)a >> b) : 0;
	case BPF_NEG: return -a;
	case BPF_MOV: return b;
	default: *known = false; return 0;
	}
}

static struct value alu(const struct bpf_insn *i, struct value a, struct value b)
{
	bool wide = BPF_CLASS(i->code) == BPF_ALU64, known = true;
	uint8_t op = BPF_OP(i->code);
	uint64_t v;

	if (op == BPF_MOV)
		a = b;			/* what was there does not matter */
	if (wide && b.kind == STACK && op == BPF_MOV)
		return b;
	if (wide && a.kind == STACK && b.kind == CONSTANT && op == BPF_ADD)
		return (struct value){ STACK, a.v + b.v };
	if (op == BPF_AND && ((a.kind == CONSTANT && !a.v) || (b.kind == CONSTANT && !b.v)))
		return constant(0);
	if (a.kind != CONSTANT || b.kind != CONSTANT)
		return any;
	/* Narrow shifts and sign extensions are rare: what is not known is called alive. */
	if (!wide && (op == BPF_ARSH || op == BPF_RSH || op == BPF_NEG)) {
		a.v = (uint32_t)a.v;
		known = op == BPF_RSH;
	}
	v = bits64(op, a.v, b.v, &known);
	return known ? constant(wide ? v : (uint32_t)v) : any;
}

/* 1 taken, 0 not, -1 not known. */
static int outcome(const struct bpf_insn *i, struct value a, struct value b)
{
	uint64_t x = a.v, y = b.v;

	if (a.kind != CONSTANT || b.kind != CONSTANT)
		return -1;
	if (BPF_CLASS(i->code) == BPF_JMP32)
		return -1;
	switch (BPF_OP(i->code)) {
	case BPF_JEQ: return x == y;
	case BPF_JNE: return x != y;
	case BPF_JGT: return x > y;
	case BPF_JGE: return x >= y;
	case BPF_JLT: return x < y;
	case BPF_JLE: return x <= y;
	case BPF_JSET: return (x & y) != 0;
	case BPF_JSGT: return (int64_t)x > (int64_t)y;
	case BPF_JSGE: return (int64_t)x >= (int64_t)y;
	case BPF_JSLT: return (int64_t)x < (int64_t)y;
	case BPF_JSLE: return (int64_t)x <= (int64_t)y;
	default: return -1;
	}
}

static struct value second(const struct work *w, size_t at, const struct state *s)
{
	const struct bpf_insn *i = &w->insns[at];

	if (BPF_SRC(i->code) == BPF_X)
		return s->r[i->src_reg % REGS];
	if (w->unknown && w->unknown[at])
		return any;
	return constant((uint64_t)(int64_t)i->imm);
}

static void touch(struct work *w, size_t at, struct value base, int off)
{
	int64_t low = base.kind == STACK ? (int64_t)base.v + off : 0;

	if (low < w->out->stack[at] && low >= -INT16_MAX)
		w->out->stack[at] = (int16_t)low;
}

static int call(struct work *w, size_t at, struct state *s)
{
	const struct bpf_insn *i = &w->insns[at];
	struct state callee = { 0 };
	int err = 0;

	for (int r = 1; r <= 5; r++)
		touch(w, at, s->r[r], 0);
	if (i->src_reg == BPF_PSEUDO_CALL) {
		for (int r = 0; r < REGS; r++)	/* the caller's stack is not the callee's */
			callee.r[r] = r >= 1 && r <= 5 && s->r[r].kind == CONSTANT ? s->r[r] : any;
		callee.r[10] = (struct value){ STACK, 0 };
		err = reach(w, at + 1 + (size_t)(int64_t)i->imm, &callee);
	}
	for (int r = 0; r <= 5; r++)
		s->r[r] = any;
	return err ? err : reach(w, at + 1, s);
}

static int jump(struct work *w, size_t at, struct state *s)
{
	const struct bpf_insn *i = &w->insns[at];
	size_t to = at + 1 + (size_t)(int64_t)i->off;
	int taken, err = 0;

	switch (BPF_OP(i->code)) {
	case BPF_EXIT: return 0;
	case BPF_CALL: return call(w, at, s);
	case BPF_JA: return reach(w, to, s);
	}
	taken = outcome(i, s->r[i->dst_reg % REGS], second(w, at, s));
	if (taken)
		err = reach(w, to, s);
	return err || taken == 1 ? err : reach(w, at + 1, s);
}

static int step(struct work *w, size_t at)
{
	const struct bpf_insn *i = &w->insns[at];
	struct state s = w->at[at];
	struct value *dst = &s.r[i->dst_reg % REGS];
	bool wide = i->code == (BPF_LD | BPF_DW | BPF_IMM);

	switch (BPF_CLASS(i->code)) {
	case BPF_JMP: case BPF_JMP32: return jump(w, at, &s);
	case BPF_ALU: case BPF_ALU64:
		/* byte swaps keep nothing that a branch would ask */
		*dst = BPF_OP(i->code) == BPF_END ? any : alu(i, *dst, second(w, at, &s));
		touch(w, at, *dst, 0);
		break;
	case BPF_LDX:
		touch(w, at, s.r[i->src_reg % REGS], i->off);
		*dst = any;
		break;
	case BPF_ST: case BPF_STX:
		touch(w, at, *dst, i->off);
		break;
	default:
		if (wide && at + 1 >= w->n)
			return -EINVAL;
		*dst = any;
		if (wide && !i->src_reg && !(w->unknown && w->unknown[at]))
			*dst = constant((uint32_t)i->imm | (uint64_t)(uint32_t)i[1].imm << 32);
		if (wide)
			w->out->live[at + 1] = 1;
	}
	return reach(w, at + 1 + wide, &s);
}

static int run(struct work *w)
{
	struct state start = { 0 };
	int err;

	for (int i = 0; i < REGS; i++)
		start.r[i] = any;
	start.r[10] = (struct value){ STACK, 0 };
	err = reach(w, 0, &start);
	while (!err && w->n_todo) {
		size_t at = w->todo[--w->n_todo];

		w->queued[at] = 0;
		err = step(w, at);
	}
	return err;
}

int nt_reach_find(struct nt_reach *f, const struct bpf_insn *insns, size_t n, const uint8_t *unknown)
{
	struct work w = { .insns = insns, .unknown = unknown, .n = n, .out = f };
	int err = -ENOMEM;

	f->live = calloc(n + 1, sizeof(*f->live));
	f->stack = calloc(n + 1, sizeof(*f->stack));
	w.at = calloc(n + 1, sizeof(*w.at));
	w.todo = calloc(n + 1, sizeof(*w.todo));
	w.queued = calloc(n + 1, sizeof(*w.queued));
	if (f->live && f->stack && w.at && w.todo && w.queued)
		err = run(&w);
	free(w.at);
	free(w.todo);
	free(w.queued);
	if (err)
		nt_reach_free(f);
	return err;
}

void nt_reach_free(struct nt_reach *f)
{
	free(f->live);
	free(f->stack);
	memset(f, 0, sizeof(*f));
}
