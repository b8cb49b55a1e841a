/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Questions to a kernel's BTF that must be answered before libbpf opens an
 * object. libbpf would parse the whole blob a second time (about 15 ms), so
 * this is a plain walk over the raw types (Documentation/bpf/btf.rst). And:
 * where the BTF for this kernel is.
 */
#ifndef NETTRACE_BTF_H
#define NETTRACE_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nettrace/err.h"

struct nt_btf;

/* Raw BTF of the kernel (/sys/kernel/btf/vmlinux), which is trusted; base NULL unless split BTF of
 * a module. base must outlive the result. -ENOENT, -EINVAL (not BTF, or truncated). */
int nt_btf_open(struct nt_btf **out, const char *path, const struct nt_btf *base);
/* The same from memory: data (malloc) is taken over, also on failure. */
int nt_btf_new(struct nt_btf **out, uint8_t *data, size_t size, const struct nt_btf *base);
/*
 * Any file that a user names: raw BTF, or an ELF file with a section .BTF; looked through by
 * nt_btf_validate(). If it does not continue base, it stands alone. -errno and one line in *err.
 */
int nt_btf_read(struct nt_btf **out, const char *path, const struct nt_btf *base, struct nt_err *err);
/*
 * Is every id, string offset and size right, so that libbpf may see it? base must have been
 * validated. -EINVAL or -ENOMEM, and why: half a sentence.
 */
int nt_btf_validate(const struct nt_btf *b, char *why, size_t size);
void nt_btf_close(struct nt_btf *b);
/* The bytes, owned by b. */
const void *nt_btf_bytes(const struct nt_btf *b, size_t *size);
/* The bytes in memory that has a path, for libbpf: a descriptor that the caller closes, or -errno. */
int nt_btf_memory(const void *data, size_t size, char path[32]);
bool nt_btf_split(const struct nt_btf *b);	/* continues another's types */

bool nt_btf_has_func(const struct nt_btf *b, const char *name);
/* Number of arguments of a function; -ENOENT. */
int nt_btf_func_args(const struct nt_btf *b, const char *name);
bool nt_btf_has_struct(const struct nt_btf *b, const char *name);
/* Number of arguments of a tracepoint as its programs see them; -ENOENT. */
int nt_btf_tp_args(const struct nt_btf *b, const char *tracepoint);
/* Bit i: argument i of the tracepoint is a pointer; 0 if it is unknown. */
uint32_t nt_btf_tp_ptrs(const struct nt_btf *b, const char *tracepoint);
/* Calls fn for every enumerator of the enum; -ENOENT if there is no such enum. */
int nt_btf_enum(const struct nt_btf *b, const char *name,
		void (*fn)(void *arg, const char *name, uint32_t value), void *arg);
/* The same for an enum without a name, which its first enumerator tells. */
int nt_btf_enum_with(const struct nt_btf *b, const char *first,
		     void (*fn)(void *arg, const char *name, uint32_t value), void *arg);

/* ---- where it is ---- */
enum nt_btf_from {
	NT_BTF_GIVEN,		/* --btf */
	NT_BTF_KERNEL,		/* /sys/kernel/btf/vmlinux */
	NT_BTF_BESIDE,		/* nettrace-btf/ARCH/RELEASE.btf beside the executable */
	NT_BTF_SYSTEM,		/* /usr/lib/nettrace/btf/ARCH/RELEASE.btf */
	NT_BTF_BUNDLE,		/* compiled in */
};

struct nt_btf_place {
	enum nt_btf_from from;
	char path[512];		/* that libbpf can open */
	int fd;			/* NT_BTF_BUNDLE: the memory behind path; else -1 */
};

/* The kernel's BTF: given (--btf, may be NULL), else the kernel's own, else nt_btf_find_file().
 * 0 or -errno; nt_btf_place_close() afterwards, whatever was returned. */
int nt_btf_find(struct nt_btf_place *p, const char *given);
/* A file or a compiled-in one for this kernel, whether or not it has BTF of its own. -ENOENT. */
int nt_btf_find_file(struct nt_btf_place *p);
void nt_btf_place_close(struct nt_btf_place *p);

/* All that is known: release NULL for a kernel's own. bytes is what libbpf would read. */
struct nt_btf_known {
	enum nt_btf_from from;
	const char *path, *arch, *release;
	uint64_t bytes;
	bool used;		/* what nt_btf_find() takes on this machine */
};
void nt_btf_each(void (*fn)(void *arg, const struct nt_btf_known *k), void *arg);

/* Compiled in by -DNT_BTF_BUNDLE (generated): gzip, owned by the binary. */
struct nt_btf_packed {
	const char *arch, *release;
	const uint8_t *data, *end;
	uint32_t bytes;		/* unpacked */
};
extern const struct nt_btf_packed nt_btf_bundle[];
extern const size_t nt_n_btf_bundle;

#endif
