/* SPDX-License-Identifier: GPL-2.0 */
/* Kernel text symbols from /proc/kallsyms, read once. */
#ifndef NETTRACE_KSYMS_H
#define NETTRACE_KSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nt_ksyms;

/* path NULL: /proc/kallsyms. -ENOENT when there is none, -EPERM when all addresses read as 0. */
int nt_ksyms_load(struct nt_ksyms **out, const char *path);
void nt_ksyms_free(struct nt_ksyms *k);
/* Symbol that contains addr, as "name" or "name [module]"; NULL if unknown. Static buffer. */
const char *nt_ksyms_lookup(const struct nt_ksyms *k, uint64_t addr, uint64_t *offset);
/* Calls fn for every text symbol: [start, end). Pattern tests are the caller's. */
void nt_ksyms_each(const struct nt_ksyms *k,
		   void (*fn)(void *arg, const char *name, uint64_t start, uint64_t end), void *arg);

#endif
