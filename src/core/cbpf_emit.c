// SPDX-License-Identifier: GPL-2.0
/* The second pass of cbpf.c: eBPF for every classic instruction that is reached. */
#include <errno.h>

#include "cbpf_priv.h"
#include "nettrace/cbpf.h"

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

int nt_cbpf_emit(struct conv *c)
{
	emit_prologue(c);
	for (size_t i = 0; i < c->n; i++) {
		if (!c->st[i].reached)
			continue;
		c->st[i].start = (uint32_t)c->len;
		emit_insn(c, i);
	}
	emit_fail(c);
	return patch_jumps(c);
}
