// SPDX-License-Identifier: GPL-2.0
/*
 * Classic BPF to eBPF (see cbpf.h for the contract).
 *
 * Classic jumps only go forward, so one pass in program order sees every
 * predecessor of an instruction before the instruction itself. That pass finds
 *   - what is reachable (the eBPF verifier refuses dead code),
 *   - which of A, X and the scratch slots may be read before they are written
 *     (only those are zeroed),
 *   - how many readable bytes earlier loads have already proven on every path
 *     (their bounds checks need not be repeated).
 * The second pass (cbpf_emit.c) emits; jumps are patched at the end.
 *
 * Loads at constant offsets near the start share one read into a window on the
 * stack. The others, and all loads relative to X, make one helper call each: old
 * verifiers refuse a variable offset into the stack.
 *
 * A and X always hold zero-extended 32-bit values. This makes 64-bit compares
 * exact, and JMP32 (5.1 and later) unnecessary.
 */
#include "nettrace/cbpf.h"

#include <errno.h>
#include <stdlib.h>

#include "cbpf_priv.h"

/* A load at the constant offset k; MSH is one, too. */
static bool is_fixed_load(uint16_t code)
{
	switch (code) {
	case BPF_LD | BPF_ABS | BPF_B:
	case BPF_LD | BPF_ABS | BPF_H:
	case BPF_LD | BPF_ABS | BPF_W:
	case BPF_LDX | BPF_MSH | BPF_B:
		return true;
	default:
		return false;
	}
}

static bool is_indirect_load(uint16_t code)
{
	return BPF_CLASS(code) == BPF_LD && BPF_MODE(code) == BPF_IND;
}

static bool is_len(uint16_t code)
{
	return code == (BPF_LD | BPF_W | BPF_LEN) || code == (BPF_LDX | BPF_W | BPF_LEN);
}

/* A scratch slot is read or written. */
static bool is_mem(uint16_t code)
{
	return code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM) ||
	       code == BPF_ST || code == BPF_STX;
}

static int check_alu(const struct sock_filter *f)
{
	switch (BPF_OP(f->code)) {
	case BPF_DIV:
	case BPF_MOD:
		if (BPF_SRC(f->code) == BPF_K && !f->k)
			return -EINVAL;
		return 0;
	case BPF_NEG:
		return BPF_SRC(f->code) == BPF_K ? 0 : -EINVAL;
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_OR:
	case BPF_AND:
	case BPF_LSH:
	case BPF_RSH:
	case BPF_XOR:
		return 0;
	default:
		return -EINVAL;
	}
}

/* Instruction I of N may only jump forward, and not past the end. */
static int check_jump(const struct sock_filter *f, size_t i, size_t n)
{
	size_t left = n - i - 1;	/* instructions behind this one */

	switch (f->code) {
	case BPF_JMP | BPF_JA:
		return f->k < left ? 0 : -EINVAL;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return f->jt < left && f->jf < left ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int check_load_store(const struct sock_filter *f)
{
	if (is_mem(f->code))
		return f->k < BPF_MEMWORDS ? 0 : -EINVAL;
	if (is_fixed_load(f->code) || is_indirect_load(f->code)) {
		if (f->code > 0xff || BPF_SIZE(f->code) == 0x18)
			return -EINVAL;
		/* The kernel gives offsets from SKF_LL_OFF up another meaning. */
		return f->k >= (uint32_t)SKF_LL_OFF ? -EOPNOTSUPP : 0;
	}
	switch (f->code) {
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
		return 0;
	default:
		return is_len(f->code) ? 0 : -EINVAL;
	}
}

static int check_insn(const struct sock_filter *f, size_t i, size_t n)
{
	if (f->code > 0xff)
		return -EINVAL;
	switch (BPF_CLASS(f->code)) {
	case BPF_ALU:
		return check_alu(f);
	case BPF_JMP:
		return check_jump(f, i, n);
	case BPF_RET:
		return f->code == (BPF_RET | BPF_K) || f->code == (BPF_RET | BPF_A) ? 0 : -EINVAL;
	case BPF_MISC:
		return f->code == (BPF_MISC | BPF_TAX) || f->code == (BPF_MISC | BPF_TXA) ?
		       0 : -EINVAL;
	default:
		return check_load_store(f);
	}
}

/* What the instruction reads, as bits of insn_state.defined. */
static uint32_t reads(const struct sock_filter *f)
{
	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
	case BPF_LDX:
		if (is_mem(f->code))
			return 1u << f->k;
		return is_indirect_load(f->code) ? BIT_X : 0;
	case BPF_ST:
		return BIT_A;
	case BPF_STX:
		return BIT_X;
	case BPF_JMP:
		if (BPF_OP(f->code) == BPF_JA)
			return 0;
		return BIT_A | (BPF_SRC(f->code) == BPF_X ? BIT_X : 0);
	case BPF_ALU:
		return BIT_A | (BPF_SRC(f->code) == BPF_X ? BIT_X : 0);
	case BPF_RET:
		return BPF_RVAL(f->code) == BPF_A ? BIT_A : 0;
	default:
		return BPF_MISCOP(f->code) == BPF_TAX ? BIT_A : BIT_X;
	}
}

static uint32_t writes(const struct sock_filter *f)
{
	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
	case BPF_ALU:
		return BIT_A;
	case BPF_LDX:
		return BIT_X;
	case BPF_ST:
	case BPF_STX:
		return 1u << f->k;
	case BPF_MISC:
		return BPF_MISCOP(f->code) == BPF_TAX ? BIT_X : BIT_A;
	default:
		return 0;
	}
}

/* Control goes from a place with state S to instruction TO. */
static void flow(struct conv *c, const struct insn_state *s, size_t to)
{
	struct insn_state *t = &c->st[to];

	if (!t->reached) {
		t->reached = true;
		t->defined = s->defined;
		t->proven = s->proven;
		return;
	}
	t->defined &= s->defined;
	if (t->proven > s->proven)
		t->proven = s->proven;
}

static void flow_out(struct conv *c, size_t i, const struct insn_state *s)
{
	const struct sock_filter *f = &c->f[i];

	if (BPF_CLASS(f->code) == BPF_RET)
		return;
	if (BPF_CLASS(f->code) != BPF_JMP) {
		flow(c, s, i + 1);
	} else if (BPF_OP(f->code) == BPF_JA) {
		flow(c, s, i + 1 + f->k);
	} else {
		flow(c, s, i + 1 + f->jt);
		flow(c, s, i + 1 + f->jf);
	}
}

/* First pass: see the head of this file. */
static int analyse(struct conv *c)
{
	const struct insn_state entry = { 0 };
	size_t i;

	flow(c, &entry, 0);
	for (i = 0; i < c->n; i++) {
		const struct sock_filter *f = &c->f[i];
		struct insn_state s;
		int err = check_insn(f, i, c->n);

		if (err)
			return err;
		if (!c->st[i].reached)
			continue;
		s = c->st[i];
		c->zero |= reads(f) & ~s.defined;
		s.defined |= writes(f);
		if (is_mem(f->code))
			c->slots |= 1u << f->k;
		c->uses_len |= is_len(f->code);
		if (is_fixed_load(f->code) && load_end(f) > s.proven)
			s.proven = load_end(f) > UINT32_MAX ? UINT32_MAX : (uint32_t)load_end(f);
		flow_out(c, i, &s);
	}
	/* Reaching the end means that some path has no return. */
	return c->st[c->n].reached ? -EINVAL : 0;
}

/*
 * Stack accesses must be aligned, and nearly everything behind an Ethernet header
 * is off by two: place the window so that most loads come out aligned.
 */
static uint32_t window_shift(const struct conv *c)
{
	unsigned int best_cost = ~0u;
	uint32_t best = 0, shift;
	size_t i;

	for (shift = 0; shift < 4; shift++) {
		unsigned int cost = 0;

		for (i = 0; i < c->n; i++)
			if (c->st[i].reached && is_fixed_load(c->f[i].code) &&
			    load_end(&c->f[i]) <= c->window)
				cost += misalign_cost(load_size(c->f[i].code), c->f[i].k + shift);
		if (cost < best_cost) {
			best_cost = cost;
			best = shift;
		}
	}
	return best;
}

static void plan_window(struct conv *c)
{
	int top = -OFF_TMP + (slot_count(c->slots) * 4 + 7) / 8 * 8;
	uint32_t limit = (uint32_t)(NT_CBPF_STACK_BYTES - top - 4);
	uint32_t end = 0, shift;
	unsigned int inside = 0;
	size_t i;

	if (limit > WINDOW_MAX)
		limit = WINDOW_MAX;
	for (i = 0; i < c->n; i++) {
		if (!c->st[i].reached)
			continue;
		if (is_indirect_load(c->f[i].code)) {
			c->uses_calls = true;
		} else if (is_fixed_load(c->f[i].code)) {
			if (load_end(&c->f[i]) > limit) {
				c->uses_calls = true;
				continue;
			}
			inside++;
			if (load_end(&c->f[i]) > end)
				end = (uint32_t)load_end(&c->f[i]);
		}
	}
	if (inside < 2) {	/* a window pays from the second load on */
		c->uses_calls |= inside > 0;
		return;
	}
	c->window = end;
	shift = window_shift(c);
	c->window_area = (int16_t)(-top - (int)((end + shift + 7) / 8 * 8));
	c->window_off = (int16_t)(c->window_area + (int)shift);
}

static int convert(struct conv *c)
{
	int err = analyse(c);

	if (err)
		return err;
	plan_window(c);
	err = nt_cbpf_emit(c);
	if (err)
		return err;
	return c->out && c->len > c->cap ? -E2BIG : (int)c->len;
}

int nt_cbpf_convert(const struct sock_filter *f, size_t n, unsigned int read_helper,
		    struct bpf_insn *out, size_t cap)
{
	struct conv c = {
		.f = f, .n = n, .read_helper = read_helper, .out = out, .cap = cap,
	};
	int ret = -ENOMEM;

	if (!f || !n)
		return -EINVAL;
	if (n > NT_CBPF_MAX_INSNS)
		return -E2BIG;
	c.st = calloc(n + 1, sizeof(*c.st));
	c.jumps = calloc(n * JUMPS_PER_INSN + JUMPS_PROLOGUE, sizeof(*c.jumps));
	if (c.st && c.jumps)
		ret = convert(&c);
	free(c.jumps);
	free(c.st);
	return ret;
}
