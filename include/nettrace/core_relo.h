/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CO-RE relocations against BTF, resolved as libbpf does it when it loads a program: by name
 * without ___FLAVOUR, through anonymous members, first in the kernel proper and only then in
 * modules. "nettrace btf make" needs the path to each field, "btf check" the values.
 */
#ifndef NETTRACE_CORE_RELO_H
#define NETTRACE_CORE_RELO_H

#include <stdbool.h>
#include <stdint.h>

#include "nettrace/object.h"

#define NT_CORE_STEPS 64	/* libbpf's BPF_CORE_SPEC_MAX_LEN */

/* A kernel's BTF and that of its modules, indexed by name. */
struct nt_core_source {
	const struct btf *btf;
	uint32_t first, end;	/* ids that are its own */
	uint32_t *head, *next;	/* hash chains by essential name, 0 ends */
};
struct nt_core_target {
	struct nt_core_source *source;	/* the first is the kernel proper */
	size_t n;
};

/* btf is borrowed. -ENOMEM. */
int nt_core_target_add(struct nt_core_target *t, const struct btf *btf);
void nt_core_target_free(struct nt_core_target *t);

/* One step into a type: a member of a struct (anonymous ones too), or an element of an array. */
struct nt_core_step {
	uint32_t type_id;	/* without modifiers and typedefs */
	uint32_t index;
	bool member;
	bool named;		/* a step of the source text; else through an anonymous member */
};

struct nt_core_path {
	const struct btf *btf;
	uint32_t root;		/* as named: may be a typedef */
	struct nt_core_step step[NT_CORE_STEPS];
	size_t n;
	uint32_t end_type;	/* of what the path leads to, as declared */
	uint64_t bit;		/* its offset from the root */
	uint64_t enum_value;
	uint32_t enum_index;
};

/* The path as the program was compiled. -EINVAL (not of ours), -ENOTSUP (a kind nobody uses). */
int nt_core_local(struct nt_core_path *p, const struct btf *local, const struct nt_relo *r);

/* Calls fn for each candidate in the target that fits; returns their number or fn's error (< 0). */
int nt_core_each(const struct nt_core_target *t, const struct nt_relo *r,
		 const struct nt_core_path *local,
		 int (*fn)(void *arg, size_t source, const struct nt_core_path *p), void *arg);
/* Is there a type of the relocation's name at all? */
bool nt_core_known(const struct nt_core_target *t, const struct nt_core_path *local);

/*
 * The value that the instruction gets. -ENOENT: there is none, libbpf makes the instruction one
 * that the verifier refuses if it can run. -EINVAL: libbpf gives up, whether it can run or not.
 */
int nt_core_value(const struct nt_core_target *t, const struct nt_relo *r,
		  const struct nt_core_path *local, const struct bpf_insn *insn, uint64_t *value);
/* Writes it; -EINVAL if the instruction takes none. */
int nt_core_patch(struct bpf_insn *insns, size_t n, const struct nt_relo *r, uint64_t value);

/* "struct sk_buff.dev" into buf, without flavour; returns buf. */
const char *nt_core_text(const struct nt_core_path *local, char *buf, size_t size);
/* Bytes of a name in front of ___FLAVOUR. */
size_t nt_core_name_len(const char *name);
/* The type behind modifiers and typedefs; *id is set too. */
const struct btf_type *nt_core_strip(const struct btf *btf, uint32_t *id);

#endif
