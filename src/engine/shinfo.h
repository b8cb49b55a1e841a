/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the shared info engine. */
#ifndef NETTRACE_ENGINE_SHINFO_H
#define NETTRACE_ENGINE_SHINFO_H

#include "nettrace/shinfo.h"
#include "sweep.h"

struct nt_shinfo_run {		/* private data */
	struct nt_gso_names gso;
	struct nt_sweep sweep;
	bool make6_of_3;	/* arguments of __ip6_make_skb() */
};
/* stack: zero terminated, NULL: none. */
void nt_shinfo_show_event(struct nt_run *r, const struct nt_shinfo_event *e, const uint64_t *stack);
/* count[place * NT_SHINFO_WHATS + what] */
void nt_shinfo_show_counts(struct nt_run *r, const uint64_t *count);

#endif
