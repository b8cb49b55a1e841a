/* SPDX-License-Identifier: GPL-2.0 */
/*
 * BTF files for kernels without BTF: made with just what our programs relocate against, and
 * judged: what would each tool miss?
 */
#ifndef NETTRACE_BTF_FILE_H
#define NETTRACE_BTF_FILE_H

#include "nettrace/btf.h"
#include "nettrace/core_relo.h"
#include "nettrace/tool.h"

/* Validated files, opened by libbpf: the kernel's first, then modules' (split, or standing alone). */
struct nt_btf_set {
	struct {
		struct nt_btf *raw;
		struct btf *btf;
	} item[64];
	size_t n;
	struct nt_core_target target;
};

/* Adds raw, which is then owned by the set (also on failure). -errno and *err. */
int nt_btf_set_add(struct nt_btf_set *s, struct nt_btf *raw, const char *path, struct nt_err *err);
void nt_btf_set_free(struct nt_btf_set *s);

struct nt_btf_made {
	void *data;		/* malloc */
	uint32_t size, n_types;
	char missing[400];	/* names of types that no file has, "" if none */
};

/* What the tools need of the set. -ENOENT: the set has nothing of it; -errno and *err. */
int nt_btf_make(struct nt_btf_made *m, const struct nt_btf_set *s,
		const struct nt_tool_entry *const *tools, size_t n, struct nt_err *err);

/* ---- what a tool would miss ---- */
struct nt_relo_fault {
	const char *prog;	/* owned by the object */
	char what[120];		/* "struct sk_buff.dev" */
	bool ambiguous;		/* several types of that name which disagree */
};

struct nt_btf_judged {
	struct nt_object object;
	struct nt_relo_fault *fault;
	size_t n_faults, n_relocations, n_programs;
	enum { NT_FILE_OK, NT_FILE_DEGRADED, NT_FILE_UNAVAILABLE } state;
	char text[600];		/* what is missing, or why it cannot run */
};

/*
 * As a kernel without BTF would run the tool with this file: by kprobes and raw tracepoints.
 * Relocations in code that cannot run (behind a bpf_core_field_exists) are no fault. -errno.
 */
int nt_btf_judge(struct nt_btf_judged *j, const struct nt_btf_set *s, const struct nt_tool_entry *e);
void nt_btf_judged_free(struct nt_btf_judged *j);

#endif
