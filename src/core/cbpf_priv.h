/* SPDX-License-Identifier: GPL-2.0 */
/* What cbpf.c finds out about a classic program and cbpf_emit.c writes from it. */
#ifndef NETTRACE_CBPF_PRIV_H
#define NETTRACE_CBPF_PRIV_H

#include <linux/bpf.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
static inline unsigned int load_size(uint16_t code)
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

static inline uint64_t load_end(const struct sock_filter *f)
{
	return (uint64_t)f->k + load_size(f->code);
}

static inline int slot_count(uint32_t slots)
{
	return __builtin_popcount(slots);
}

/* Scratch slots that are not used take no stack. */
static inline int16_t slot_off(const struct conv *c, uint32_t k)
{
	return (int16_t)(OFF_TMP - 4 * (slot_count(c->slots & ((1u << k) - 1)) + 1));
}

/* Instructions that an unaligned load costs more than an aligned one. */
static inline unsigned int misalign_cost(unsigned int size, uint32_t off)
{
	unsigned int step = 1;

	while (step < size && !(off & step))
		step *= 2;
	return size / step - 1;
}

/* Writes the program to c->out, counting in c->len what did not fit too; 0 or -errno. */
int nt_cbpf_emit(struct conv *c);

#endif
