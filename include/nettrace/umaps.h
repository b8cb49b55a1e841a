/* SPDX-License-Identifier: GPL-2.0 */
/* Mappings of processes, from /proc/PID/maps (proc(5)). */
#ifndef NETTRACE_UMAPS_H
#define NETTRACE_UMAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nt_umap {
	uint64_t start, end, pgoff, dev, ino;
	bool executable;
	const char *name;		/* within the line; "" if it has none */
};
/* One line, whose newline is removed. 0 or -EINVAL. */
int nt_umap_parse(struct nt_umap *m, char *line);

/* Which mapping an address lies in, as it is now: "[heap]+0x10", "libc.so.6+0x1f0" (offset in the
 * mapping), "anonymous+0x..."; "" if it is not known. Returns buf. */
const char *nt_umap_text(uint32_t pid, uint64_t addr, char *buf, size_t size);

/* Calls fn once for every file that a process has mapped as code; pid 0: all processes, each file once
 * as one of them names it. path can be opened from here, shown is the path as the process has it. fn
 * returns false to end it. */
void nt_umap_files(uint32_t pid, bool (*fn)(void *arg, const char *path, const char *shown), void *arg);

#endif
