/* SPDX-License-Identifier: GPL-2.0 */
/* The N slowest of many records. The caller frees with nt_slowest_free(). */
#ifndef NETTRACE_ENGINE_SLOWEST_H
#define NETTRACE_ENGINE_SLOWEST_H

#include <stddef.h>
#include <stdint.h>

#include "nettrace/run.h"

struct nt_slowest {
	uint64_t *time;		/* of each record, in the caller's unit */
	char *record;
	size_t size;		/* of a record */
	uint32_t n, most;
};

int nt_slowest_new(struct nt_slowest *s, uint32_t most, size_t record_size);	/* 0 or -ENOMEM */
void nt_slowest_free(struct nt_slowest *s);
void nt_slowest_clear(struct nt_slowest *s);
/* Keeps a copy if it is among the slowest so far. */
void nt_slowest_add(struct nt_slowest *s, uint64_t time, const void *record);
/* Only slower ones than this will be kept; 0 while there is room. */
uint64_t nt_slowest_least(const struct nt_slowest *s);
/* Tells the kernel side (bpf/lib/slowest.bpf.h), which need not send what would not be kept. */
void nt_slowest_tell(struct nt_run *r, const struct nt_slowest *s);
/* The i-th of s->n, slowest first, after nt_slowest_sort(). */
void nt_slowest_sort(struct nt_slowest *s);
const void *nt_slowest_get(const struct nt_slowest *s, uint32_t i);

#endif
