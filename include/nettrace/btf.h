/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Questions to a kernel's BTF that must be answered before libbpf opens an
 * object. libbpf would parse the whole blob a second time (about 15 ms), so
 * this is a plain walk over the raw types (Documentation/bpf/btf.rst).
 */
#ifndef NETTRACE_BTF_H
#define NETTRACE_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nt_btf;

/* Raw BTF file (/sys/kernel/btf/vmlinux or a --btf file); base NULL unless split BTF of a module.
 * base must outlive the result. -ENOENT, -EINVAL (not BTF, or truncated). */
int nt_btf_open(struct nt_btf **out, const char *path, const struct nt_btf *base);
void nt_btf_close(struct nt_btf *b);
bool nt_btf_has_func(const struct nt_btf *b, const char *name);
/* Number of arguments of a tracepoint as its programs see them; -ENOENT. */
int nt_btf_tp_args(const struct nt_btf *b, const char *tracepoint);
/* Calls fn for every enumerator of the enum; -ENOENT if there is no such enum. */
int nt_btf_enum(const struct nt_btf *b, const char *name,
		void (*fn)(void *arg, const char *name, uint32_t value), void *arg);

/*
 * Where this kernel's BTF is: custom (--btf), else /sys/kernel/btf/vmlinux, else
 * nettrace-btf/ARCH/RELEASE.btf beside the executable, else
 * /usr/lib/nettrace/btf/ARCH/RELEASE.btf. 0 and the path in buf; *is_custom when libbpf must
 * be told; -ENOENT.
 */
int nt_btf_find(const char *custom, char *buf, size_t size, bool *is_custom);

#endif
