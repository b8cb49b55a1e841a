/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The limits of Linux 4.19 (kernel/bpf/verifier.c, include/linux/bpf.h and bpf_trace.c there),
 * checked on an object with the load-time constants that such a kernel gets.
 */
#ifndef NETTRACE_TEST_GATE_H
#define NETTRACE_TEST_GATE_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

enum gate_rule {
	GATE_READ,		/* the object cannot be read, or jumps out of itself */
	GATE_DATA,		/* global data: 5.2 */
	GATE_MAP,		/* a map type that is newer */
	GATE_LENGTH,		/* 4096 instructions a program, subprograms and dead code included */
	GATE_LOOP,		/* a jump back that closes a loop, alive or not: 5.3 */
	GATE_OPCODE,		/* 32-bit jumps (5.1), atomics other than add (5.12) */
	GATE_HELPER,		/* a helper that is newer or not for tracing, in code that can run */
	GATE_STACK,		/* more than 512 bytes over a chain of calls */
};

/* Called for each broken rule: what is the program's or map's name, number what was found. */
typedef void (*gate_report)(void *arg, enum gate_rule rule, const char *what, long number);

struct gate_numbers {
	size_t programs, longest, live, deepest;	/* instructions, instructions, bytes */
	const char *longest_name;
};

/* Number of broken rules. Programs that 4.19 never gets (fentry, fexit, tp_btf) are not judged. */
int gate_check(const void *elf, size_t size, gate_report report, void *arg, struct gate_numbers *n);
const char *gate_rule_text(enum gate_rule rule);

/* Writes the constants that an old kernel gets: no ring buffer, every filter and switch on. < 0: cannot. */
int gate_set_consts(struct bpf_insn *insns, size_t n);
bool gate_loaded_on_419(const char *section);

struct gate_work {
	unsigned long most;	/* instructions that this kernel's verifier processed for one program */
	char name[64];
};

/* Loads the programs that 4.19 gets into this kernel. Not 0: it cannot (no privilege, no BTF). */
int gate_verify(const void *elf, size_t size, struct gate_work *w);

#endif
