/* SPDX-License-Identifier: GPL-2.0 */
/* Kernel text symbols from /proc/kallsyms, read once, and the few variables that tools read. */
#ifndef NETTRACE_KSYMS_H
#define NETTRACE_KSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nt_ksyms;

/* path NULL: /proc/kallsyms. -ENOENT when there is none, -EPERM when all addresses read as 0. */
int nt_ksyms_load(struct nt_ksyms **out, const char *path);
void nt_ksyms_free(struct nt_ksyms *k);

/* Which of the functions there are, without keeping the others: sorts them by name and sets .found. Needs no
 * privilege: names can be read where addresses are hidden. 0 or -errno; -ENOENT also if the file has no function. */
struct nt_ksyms_func {
	const char *name;
	bool found;
	void *tag;		/* the caller's */
};
int nt_ksyms_find(struct nt_ksyms_func *func, size_t n, const char *path);
/* Symbol that contains addr, as "name" or "name [module]"; NULL if unknown. Static buffer. */
const char *nt_ksyms_lookup(const struct nt_ksyms *k, uint64_t addr, uint64_t *offset);
/* Address of a variable, of a per-CPU one its place in each CPU's area; 0: unknown. */
enum nt_ksyms_var {
	NT_KSYMS_PER_CPU_OFFSET,
	NT_KSYMS_SOFTNET_DATA,
	NT_KSYMS_PREEMPT_COUNT,
	NT_KSYMS_PCPU_HOT,
	NT_KSYMS_VARS
};
uint64_t nt_ksyms_var(const struct nt_ksyms *k, enum nt_ksyms_var var);
/* Calls fn for every text symbol: [start, end). Pattern tests are the caller's. */
void nt_ksyms_each(const struct nt_ksyms *k,
		   void (*fn)(void *arg, const char *name, uint64_t start, uint64_t end), void *arg);

#endif
