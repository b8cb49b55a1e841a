/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A tool's BPF object as the kernel would get it, read without libbpf and without
 * loading anything: each program with its subprograms behind it, calls resolved,
 * and its CO-RE relocations (.BTF.ext, Documentation/bpf/btf.rst). "nettrace btf"
 * and the static gate judge these.
 */
#ifndef NETTRACE_OBJECT_H
#define NETTRACE_OBJECT_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btf;

struct nt_relo {
	size_t insn;			/* index in the program's instructions */
	enum bpf_core_relo_kind kind;
	uint32_t type_id;		/* in the object's BTF */
	const char *access;		/* "0:5:0" */
};

struct nt_subprog {
	const char *name;
	size_t start;			/* the main program starts at 0 */
};

struct nt_prog {
	const char *name, *section;
	struct bpf_insn *insns;
	size_t n;
	struct nt_relo *relo;
	size_t n_relo;
	struct nt_subprog *sub;		/* sub[0] is the program itself */
	size_t n_sub;
};

struct nt_object {
	struct nt_prog *prog;
	size_t n;
	struct btf *btf;
	bool global_data;		/* has .data, .rodata, .bss or .kconfig maps */
	void *elf, *bytes;		/* private */
};

/* elf must outlive the object; names point into it. 0, -EINVAL (no BPF object of ours), -ENOMEM. */
int nt_object_read(struct nt_object *o, const void *elf, size_t size);
/* The object of a tool; the bytes are o's. */
struct nt_tool_entry;
int nt_object_read_tool(struct nt_object *o, const struct nt_tool_entry *e);
void nt_object_free(struct nt_object *o);

/* What can run of a program, as the verifier sees it once constants are propagated. */
struct nt_reach {
	uint8_t *live;			/* per instruction */
	int16_t *stack;			/* per instruction: lowest stack offset it touches, <= 0 */
};

/*
 * unknown[i] (may be NULL) says that the immediate of instruction i will be patched to a value
 * nobody knows yet. Cautious: an instruction that is marked dead cannot run. 0, -ENOMEM, or
 * -EINVAL (a jump out of the program).
 */
int nt_reach_find(struct nt_reach *f, const struct bpf_insn *insns, size_t n, const uint8_t *unknown);
void nt_reach_free(struct nt_reach *f);

#endif
