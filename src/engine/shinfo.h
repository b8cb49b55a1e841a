/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the shared info engine. */
#ifndef NETTRACE_ENGINE_SHINFO_H
#define NETTRACE_ENGINE_SHINFO_H

#include "nettrace/shinfo.h"
#include "sweep.h"

struct nt_shinfo_run {		/* private data, or its beginning */
	struct nt_gso_names gso;
	struct nt_sweep sweep;
	bool make6_of_3;	/* arguments of __ip6_make_skb() */
};

/* ---- what the tools about shared info have in common (shinfo.c) ---- */
/* What the kernel's BTF tells; reads it once. */
struct nt_shinfo_run *nt_shinfo_btf(struct nt_run *r);
uint64_t nt_shinfo_pairs(struct nt_run *r);		/* NT_CONST_TOOL1: places of which both ends are hooked */
/* stack: zero terminated, without the tracing's own frames; NULL: none. */
typedef void nt_shinfo_show(struct nt_run *r, const struct nt_shinfo_event *e, const uint64_t *stack);
/* A record as it was sent, shown with its stack, if stacks are wanted. */
void nt_shinfo_event(struct nt_run *r, const void *data, bool stacks, nt_shinfo_show *show);
void nt_shinfo_sweep(struct nt_run *r);			/* forgets packets that were not seen for long */
void nt_shinfo_warnings(struct nt_run *r, bool lists);	/* what was not shown */

nt_shinfo_show nt_shinfo_show_event;
/* count[place * NT_SHINFO_WHATS + what] */
void nt_shinfo_show_counts(struct nt_run *r, const uint64_t *count);
/* Parts of an event's JSON and text that are the same for all tools. */
void nt_shinfo_head_json(struct nt_run *r, const struct nt_shinfo_event *e, const char *what);
void nt_shinfo_stack_json(struct nt_run *r, const uint64_t *stack);
void nt_shinfo_stack_text(struct nt_run *r, const uint64_t *stack);
const char *nt_shinfo_time_text(struct nt_run *r, const struct nt_shinfo_event *e, char *buf, size_t size);

#endif
