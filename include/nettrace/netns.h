/* SPDX-License-Identifier: GPL-2.0 */
/* The network namespaces of this machine, as far as somebody can name them: those of ip netns and of processes. */
#ifndef NETTRACE_NETNS_H
#define NETTRACE_NETNS_H

#include <stdint.h>

struct nt_netns {
	uint32_t inode;
	const char *name;	/* of ip netns; NULL: it has none, or it is ours */
	uint32_t pid;		/* of a process in it, where it was found by that; else 0 */
};
/* Calls fn from within each of them once, ours first; at most 4096. Without privilege: ours only. */
void nt_netns_each(void (*fn)(void *arg, const struct nt_netns *ns), void *arg);

#endif
