/* SPDX-License-Identifier: GPL-2.0 */
/* Looks through a map of state for what does not end, some entries at a time. */
#ifndef NETTRACE_ENGINE_SWEEP_H
#define NETTRACE_ENGINE_SWEEP_H

#include "nettrace/run.h"

#define NT_SWEEP_KEY_MAX 64

struct nt_sweep {		/* zeroed: from the beginning */
	uint8_t cursor[NT_SWEEP_KEY_MAX];	/* where the last one ended */
	bool has_cursor;
};

/* May delete the entry; deleted by somebody else meanwhile, it has ended after all. */
typedef void nt_sweep_fn(struct nt_run *r, int fd, const void *key, const void *value, void *arg);

/*
 * Calls fn for at most n entries from the cursor on; value has room for one. A
 * key that the kernel deletes while we stand on it makes the walk begin again,
 * hence the limit.
 */
void nt_sweep(struct nt_run *r, struct nt_sweep *s, const char *map, void *value, size_t n, nt_sweep_fn *fn,
	      void *arg);

#endif
