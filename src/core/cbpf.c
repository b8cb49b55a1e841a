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
 * The second pass emits; jumps are patched at the end.
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
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <linux/bpf.h>
#include <linux/filter.h>

enum {
	REG_DATA = BPF_REG_6,
	REG_CAP = BPF_REG_7,
	REG_A = BPF_REG_8,
	REG_X = BPF_REG_9,

	/* Stack, downwards: wire length, load buffer, scratch slots, window. */
	OFF_WIRELEN = -4,
	OFF_TMP = -8,

	BIT_A = 1 << BPF_MEMWORDS,
	BIT_X = 1 << (BPF_MEMWORDS + 1),

	WINDOW_MAX = 64,
	JUMPS_PER_INSN = 2,
	JUMPS_PROLOGUE = 1,
};

struct insn_state {
	uint32_t defined;	/* bits 0..15 scratch, BIT_A, BIT_X: written on every path */
	uint32_t proven;	/* readable bytes known on every path */
	uint32_t start;		/* first eBPF instruction */
	bool reached;
};

struct jump {
	uint32_t at;	/* eBPF index of the jump */
	uint32_t to;	/* classic index; n means "return 0" */
};

struct conv {
	const struct sock_filter *f;
	size_t n;
	unsigned int read_helper;
	struct bpf_insn *out;
	size_t cap;
	size_t len;		/* emitted, also beyond cap */
	struct insn_state *st;	/* n + 1 */
	struct jump *jumps;
	size_t njumps;
	uint32_t zero;		/* registers and slots that need a zero at the start */
	uint32_t slots;		/* scratch slots that are used */
	bool uses_len;
	bool uses_calls;	/* loads outside the window */
	uint32_t window;	/* bytes, 0: none */
	int16_t window_off;	/* stack offset of packet byte 0 */
	int16_t window_area;	/* stack offset of the 8-byte aligned area around it */
};

/* One classic instruction, decoded. */
static unsigned int load_size(uint16_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	default:
		return 4;
	}
}

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

static uint64_t load_end(const struct sock_filter *f)
{
	return (uint64_t)f->k + load_size(f->code);
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

static int slot_count(uint32_t slots)
{
	return __builtin_popcount(slots);
}

/* Scratch slots that are not used take no stack. */
static int16_t slot_off(const struct conv *c, uint32_t k)
{
	return (int16_t)(OFF_TMP - 4 * (slot_count(c->slots & ((1u << k) - 1)) + 1));
}

/* Instructions that an unaligned load costs more than an aligned one. */
static unsigned int misalign_cost(unsigned int size, uint32_t off)
{
	unsigned int step = 1;

	while (step < size && !(off & step))
		step *= 2;
	return size / step - 1;
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

/* Emitting. */
static void emit(struct conv *c, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	if (c->out && c->len < c->cap) {
		struct bpf_insn *insn = &c->out[c->len];

		*insn = (struct bpf_insn){ .code = code, .off = off, .imm = imm };
		insn->dst_reg = dst & 0xf;
		insn->src_reg = src & 0xf;
	}
	c->len++;
}

static void emit_jump(struct conv *c, uint8_t code, uint8_t dst, uint8_t src, int32_t imm,
		      size_t to)
{
	c->jumps[c->njumps++] = (struct jump){ .at = (uint32_t)c->len, .to = (uint32_t)to };
	emit(c, code, dst, src, 0, imm);
}

static void emit_fail_if(struct conv *c, uint8_t op, uint8_t dst, uint8_t src, int32_t imm)
{
	emit_jump(c, BPF_JMP | op, dst, src, imm, c->n);
}

static void emit_mov32(struct conv *c, uint8_t dst, uint32_t k)
{
	emit(c, BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, (int32_t)k);
}

static void emit_mov64_reg(struct conv *c, uint8_t dst, uint8_t src)
{
	emit(c, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

/* A 64-bit constant; r4 and r5 are free between calls. */
static void emit_const64(struct conv *c, uint8_t dst, uint64_t v)
{
	emit(c, BPF_LD | BPF_IMM | BPF_DW, dst, 0, 0, (int32_t)(uint32_t)v);
	emit(c, 0, 0, 0, 0, (int32_t)(uint32_t)(v >> 32));
}

/* dst += v, where v may not fit the sign-extended immediate. */
static void emit_add64(struct conv *c, uint8_t dst, uint64_t v)
{
	if (!v)
		return;
	if (v <= INT32_MAX) {
		emit(c, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, (int32_t)v);
		return;
	}
	emit_const64(c, BPF_REG_4, v);
	emit(c, BPF_ALU64 | BPF_ADD | BPF_X, dst, BPF_REG_4, 0, 0);
}

/* Stack bytes to register, zero-extended and in host order. */
static void emit_stack_load(struct conv *c, uint8_t dst, int16_t off, unsigned int size)
{
	uint8_t code = BPF_LDX | BPF_MEM | (size == 1 ? BPF_B : size == 2 ? BPF_H : BPF_W);

	emit(c, code, dst, BPF_REG_10, off, 0);
	if (size > 1)
		emit(c, BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, (int32_t)size * 8);
}

/* As emit_stack_load(), in pieces as large as the alignment of OFF allows. */
static void emit_window_load(struct conv *c, uint8_t dst, uint32_t k, unsigned int size)
{
	int16_t off = (int16_t)(c->window_off + (int)k);
	unsigned int piece = size / (misalign_cost(size, (uint32_t)off) + 1);
	unsigned int done;

	emit_stack_load(c, dst, off, piece);
	for (done = piece; done < size; done += piece) {
		emit(c, BPF_ALU | BPF_LSH | BPF_K, dst, 0, 0, (int32_t)piece * 8);
		emit_stack_load(c, BPF_REG_1, (int16_t)(off + (int)done), piece);
		emit(c, BPF_ALU | BPF_OR | BPF_X, dst, BPF_REG_1, 0, 0);
	}
}

/* Reads SIZE bytes at the address in r3 and loads them into DST. */
static void emit_read(struct conv *c, uint8_t dst, unsigned int size)
{
	emit_mov64_reg(c, BPF_REG_1, BPF_REG_10);
	emit(c, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, OFF_TMP);
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, (int32_t)size);
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, (int32_t)c->read_helper);
	emit_fail_if(c, BPF_JNE | BPF_K, BPF_REG_0, 0, 0);
	emit_stack_load(c, dst, OFF_TMP, size);
}

static void emit_fixed_load(struct conv *c, uint8_t dst, size_t i)
{
	const struct sock_filter *f = &c->f[i];
	unsigned int size = load_size(f->code);
	uint64_t end = load_end(f);

	if (end > c->st[i].proven) {
		if (end <= INT32_MAX) {
			emit_fail_if(c, BPF_JLT | BPF_K, REG_CAP, 0, (int32_t)end);
		} else {
			emit_const64(c, BPF_REG_4, end);
			emit_fail_if(c, BPF_JLT | BPF_X, REG_CAP, BPF_REG_4, 0);
		}
	}
	if (end <= c->window) {
		emit_window_load(c, dst, f->k, size);
		return;
	}
	emit_mov64_reg(c, BPF_REG_3, REG_DATA);
	emit_add64(c, BPF_REG_3, f->k);
	emit_read(c, dst, size);
}

/* X + k is computed in 64 bits and so cannot wrap: X and k are both below 2^32. */
static void emit_indirect_load(struct conv *c, const struct sock_filter *f)
{
	unsigned int size = load_size(f->code);

	emit_mov64_reg(c, BPF_REG_3, REG_X);
	emit_add64(c, BPF_REG_3, load_end(f));
	emit_fail_if(c, BPF_JGT | BPF_X, BPF_REG_3, REG_CAP, 0);
	emit(c, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_3, REG_DATA, 0, 0);
	emit(c, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, -(int32_t)size);
	emit_read(c, REG_A, size);
}

/* LD and LDX. */
static void emit_load(struct conv *c, size_t i)
{
	const struct sock_filter *f = &c->f[i];
	uint8_t dst = BPF_CLASS(f->code) == BPF_LD ? REG_A : REG_X;

	switch (BPF_MODE(f->code)) {
	case BPF_ABS:
		emit_fixed_load(c, dst, i);
		break;
	case BPF_IND:
		emit_indirect_load(c, f);
		break;
	case BPF_MSH:
		emit_fixed_load(c, dst, i);
		emit(c, BPF_ALU | BPF_AND | BPF_K, dst, 0, 0, 0xf);
		emit(c, BPF_ALU | BPF_LSH | BPF_K, dst, 0, 0, 2);
		break;
	case BPF_IMM:
		emit_mov32(c, dst, f->k);
		break;
	case BPF_LEN:
		emit(c, BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_10, OFF_WIRELEN, 0);
		break;
	case BPF_MEM:
		emit(c, BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_10, slot_off(c, f->k), 0);
		break;
	}
}

/* eBPF masks a shift count, classic BPF shifts everything out. */
static void emit_shift(struct conv *c, const struct sock_filter *f)
{
	if (BPF_SRC(f->code) == BPF_K) {
		if (f->k < 32)
			emit(c, (uint8_t)f->code, REG_A, 0, 0, (int32_t)f->k);
		else
			emit_mov32(c, REG_A, 0);
		return;
	}
	emit(c, BPF_JMP | BPF_JGE | BPF_K, REG_X, 0, 2, 32);
	emit(c, (uint8_t)f->code, REG_A, REG_X, 0, 0);
	emit(c, BPF_JMP | BPF_JA, 0, 0, 1, 0);
	emit_mov32(c, REG_A, 0);
}

static void emit_alu(struct conv *c, const struct sock_filter *f)
{
	bool by_x = BPF_SRC(f->code) == BPF_X;

	switch (BPF_OP(f->code)) {
	case BPF_LSH:
	case BPF_RSH:
		emit_shift(c, f);
		return;
	case BPF_NEG:
		emit(c, BPF_ALU | BPF_NEG, REG_A, 0, 0, 0);
		return;
	case BPF_DIV:
	case BPF_MOD:
		if (by_x)
			emit_fail_if(c, BPF_JEQ | BPF_K, REG_X, 0, 0);
		break;
	}
	/* The 32-bit ALU opcodes are the same in both languages. */
	emit(c, (uint8_t)f->code, REG_A, by_x ? REG_X : 0, 0, by_x ? 0 : (int32_t)f->k);
}

static void emit_compare(struct conv *c, const struct sock_filter *f, uint8_t op, size_t to)
{
	if (BPF_SRC(f->code) == BPF_X) {
		emit_jump(c, BPF_JMP | op | BPF_X, REG_A, REG_X, 0, to);
	} else if (f->k <= INT32_MAX) {
		emit_jump(c, BPF_JMP | op | BPF_K, REG_A, 0, (int32_t)f->k, to);
	} else {
		/* The immediate would be sign-extended to 64 bits. */
		emit_mov32(c, BPF_REG_1, f->k);
		emit_jump(c, BPF_JMP | op | BPF_X, REG_A, BPF_REG_1, 0, to);
	}
}

static void emit_branch(struct conv *c, size_t i)
{
	const struct sock_filter *f = &c->f[i];
	uint8_t op = BPF_OP(f->code);
	uint8_t inverse = op == BPF_JEQ ? BPF_JNE : op == BPF_JGT ? BPF_JLE : BPF_JLT;

	if (op == BPF_JA || f->jt == f->jf) {
		size_t skip = op == BPF_JA ? f->k : f->jt;

		if (skip)
			emit_jump(c, BPF_JMP | BPF_JA, 0, 0, 0, i + 1 + skip);
	} else if (!f->jt && op != BPF_JSET) {
		emit_compare(c, f, inverse, i + 1 + f->jf);
	} else {
		emit_compare(c, f, op, i + 1 + f->jt);
		if (f->jf)
			emit_jump(c, BPF_JMP | BPF_JA, 0, 0, 0, i + 1 + f->jf);
	}
}

static void emit_return(struct conv *c, const struct sock_filter *f)
{
	if (BPF_RVAL(f->code) == BPF_A)
		emit(c, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_0, REG_A, 0, 0);
	else
		emit_mov32(c, BPF_REG_0, f->k);
	emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void emit_insn(struct conv *c, size_t i)
{
	const struct sock_filter *f = &c->f[i];

	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
	case BPF_LDX:
		emit_load(c, i);
		break;
	case BPF_ST:
		emit(c, BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, REG_A, slot_off(c, f->k), 0);
		break;
	case BPF_STX:
		emit(c, BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, REG_X, slot_off(c, f->k), 0);
		break;
	case BPF_ALU:
		emit_alu(c, f);
		break;
	case BPF_JMP:
		emit_branch(c, i);
		break;
	case BPF_RET:
		emit_return(c, f);
		break;
	case BPF_MISC:
		if (BPF_MISCOP(f->code) == BPF_TAX)
			emit(c, BPF_ALU | BPF_MOV | BPF_X, REG_X, REG_A, 0, 0);
		else
			emit(c, BPF_ALU | BPF_MOV | BPF_X, REG_A, REG_X, 0, 0);
		break;
	}
}

/*
 * One read of the first min(caplen, window) bytes. Its size is variable, so the
 * verifier wants the whole area initialised.
 */
static void emit_window(struct conv *c)
{
	int off;

	for (off = c->window_area; off < c->window_off + (int)c->window; off += 8)
		emit(c, BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, (int16_t)off, 0);
	emit_mov64_reg(c, BPF_REG_3, BPF_REG_1);
	emit_mov64_reg(c, BPF_REG_2, REG_CAP);
	emit(c, BPF_JMP | BPF_JLE | BPF_K, BPF_REG_2, 0, 1, (int32_t)c->window);
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, (int32_t)c->window);
	emit_mov64_reg(c, BPF_REG_1, BPF_REG_10);
	emit(c, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, c->window_off);
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, (int32_t)c->read_helper);
	emit_fail_if(c, BPF_JNE | BPF_K, BPF_REG_0, 0, 0);
}

static void emit_prologue(struct conv *c)
{
	uint32_t k;

	if (c->uses_calls)
		emit_mov64_reg(c, REG_DATA, BPF_REG_1);
	if (c->uses_calls || c->window)
		emit(c, BPF_ALU | BPF_MOV | BPF_X, REG_CAP, BPF_REG_2, 0, 0);
	if (c->uses_len)
		emit(c, BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, BPF_REG_3, OFF_WIRELEN, 0);
	if (c->zero & BIT_A)
		emit_mov32(c, REG_A, 0);
	if (c->zero & BIT_X)
		emit_mov32(c, REG_X, 0);
	for (k = 0; k < BPF_MEMWORDS; k++)
		if (c->zero & (1u << k))
			emit(c, BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, slot_off(c, k), 0);
	if (c->window)
		emit_window(c);
}

/* Where failed loads go: the program's own last "return 0", else one of ours. */
static void emit_fail(struct conv *c)
{
	size_t last = c->n, i;

	while (last && !c->st[last - 1].reached)
		last--;
	c->st[c->n].start = (uint32_t)c->len;
	if (last && c->f[last - 1].code == (BPF_RET | BPF_K) && !c->f[last - 1].k) {
		c->st[c->n].start = c->st[last - 1].start;
		return;
	}
	for (i = 0; i < c->njumps; i++) {
		if (c->jumps[i].to == c->n) {
			emit_mov32(c, BPF_REG_0, 0);
			emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
			return;
		}
	}
}

static int patch_jumps(struct conv *c)
{
	size_t i;

	for (i = 0; i < c->njumps; i++) {
		const struct jump *j = &c->jumps[i];
		uint32_t off = c->st[j->to].start - j->at - 1;

		if (off > INT16_MAX)
			return -E2BIG;
		if (c->out && j->at < c->cap)
			c->out[j->at].off = (int16_t)off;
	}
	return 0;
}

static int convert(struct conv *c)
{
	size_t i;
	int err = analyse(c);

	if (err)
		return err;
	plan_window(c);
	emit_prologue(c);
	for (i = 0; i < c->n; i++) {
		if (!c->st[i].reached)
			continue;
		c->st[i].start = (uint32_t)c->len;
		emit_insn(c, i);
	}
	emit_fail(c);
	err = patch_jumps(c);
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
