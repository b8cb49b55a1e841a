/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Last change of a program's instructions before the kernel sees them:
 * load-time constants get their values, the appended filter its place. Pure
 * functions over instruction arrays; core/bpf.c calls them from libbpf's
 * prepare-load callback.
 */
#ifndef NETTRACE_PATCH_H
#define NETTRACE_PATCH_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nettrace/nt_abi.h"

struct nt_consts {
	uint64_t value[NT_CONST_TOOL3 + 1];
	uint32_t set;			/* bit per id */
};

/*
 * Writes the constants' values in place. Returns the number of places, or
 * -ENOENT when a marker's constant has no value: an unreplaced marker would run
 * as a number nobody chose. *missing (may be NULL) is the id then.
 */
int nt_patch_consts(struct bpf_insn *insns, size_t n, const struct nt_consts *c, unsigned *missing);

/* Is the constant in the program? (Some cost a trial to find out.) */
bool nt_patch_uses(const struct bpf_insn *insns, size_t n, unsigned int id);

/* A subprogram to append: instructions and the placeholder call that it replaces. */
struct nt_append {
	uint32_t call;			/* NT_CALL_PCAP_L2, ... */
	const struct bpf_insn *insns;	/* NULL: the call becomes "r0 = 1" */
	size_t n;
};

/*
 * Copies insns with the subprograms behind it into *out (malloc, the caller
 * frees) and turns placeholder calls into calls of them. A subprogram without a
 * call is not appended. at[i] is where subprogram i begins, 0 if it was not
 * used. Returns the new length or -errno. A placeholder left without an
 * entry in apps is -ENOENT.
 */
int nt_patch_append(const struct bpf_insn *insns, size_t n, const struct nt_append *apps,
		    size_t n_apps, struct bpf_insn **out, size_t *at);

/*
 * func_info and line_info, records of rec bytes that begin with the number of an instruction, get
 * a record for each subprogram that was appended: the kernel wants one for every subprogram. It is
 * a copy of record like. at: of nt_patch_append(). Returns a copy (malloc, the caller frees) with
 * *n adjusted, or NULL: no memory.
 */
void *nt_patch_grow_info(const void *info, uint32_t *n, uint32_t rec, uint32_t like, const size_t *at,
			 size_t n_at);

#endif
