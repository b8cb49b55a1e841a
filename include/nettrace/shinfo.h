/* SPDX-License-Identifier: GPL-2.0 */
/* What functions of the kernel do to the shared info of packets: lists of skbs, segmentation. */
#ifndef NETTRACE_SHINFO_H
#define NETTRACE_SHINFO_H

#include "nettrace/nt_abi_shinfo.h"
#include "nettrace/run.h"

struct nt_shinfo_opts {
	struct nt_strlist port;
	uint32_t rate;			/* events a second, 0: no limit */
	uint32_t check;			/* enum nt_shinfo_checks */
	bool gso_only, exclude_access, stack, entry_only;
	struct nt_shinfo_cfg cfg;	/* made of the above */
};
enum nt_shinfo_checks { NT_SHINFO_CHECK_BASIC, NT_SHINFO_CHECK_DEEP };

extern const struct nt_engine nt_shinfo_engine;

/* For the tool's check(): format, list of ports, what the name that it was called by means. */
int nt_shinfo_check_options(struct nt_run *r, struct nt_err *err);
/* For .wanted of returns. */
bool nt_shinfo_both_ends(const void *opts);
bool nt_shinfo_has_ipv6(const void *opts);	/* for .wanted of functions that IPv6 brings */

/* ---- rows of hooks (bpf/lib/shinfo_hooks.bpf.h) ---- */
/* Of a function's two, the return's comes first: of the kprobes of a function the last one made runs first, and
 * once a return probe has run there is no stack any more (5.10). */
#define NT_SHINFO_RETURN(program, function, in_group, when, text)				\
	{ .stem = program "_out", .type = NT_HOOK_RET, .targets = function, .need = NT_OPTIONAL,	\
	  .group = in_group, .wanted = when, .loss = text }
#define NT_SHINFO_ENTRY(program, function, in_group, when, text)				\
	{ .stem = program, .type = NT_HOOK_FUNC, .targets = function, .need = NT_OPTIONAL,	\
	  .group = in_group, .wanted = when, .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES, .loss = text }
#define NT_SHINFO_PASSES(program, function, text) NT_SHINFO_ENTRY(program, function, NULL, NULL, text)
/* Ends of packets. */
#define NT_SHINFO_ENDS										\
	{ .stem = "dropped", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .need = NT_REQUIRED,	\
	  .flags = NT_HOOK_EOL },								\
	{ .stem = "consumed", .type = NT_HOOK_TP, .targets = "skb:consume_skb", .need = NT_REQUIRED,	\
	  .flags = NT_HOOK_EOL },								\
	{ .stem = "freed", .type = NT_HOOK_FUNC, .targets = "__kfree_skb", .need = NT_OPTIONAL,	\
	  .flags = NT_HOOK_EOL, .loss = "ends of some packets: what is at their address next seems changed" },	\
	{ .stem = "deferred", .type = NT_HOOK_FUNC, .targets = "skb_attempt_defer_free|__kfree_skb_defer",	\
	  .need = NT_OPTIONAL, .flags = NT_HOOK_EOL,						\
	  .loss = "ends of received packets: what is at their address next seems changed" },	\
	{ .stem = "partly_freed", .type = NT_HOOK_FUNC, .targets = "kfree_skb_partial", .need = NT_OPTIONAL,	\
	  .flags = NT_HOOK_EOL,									\
	  .loss = "ends of some merged packets: what is at their address next seems changed" }

/* ---- names (shinfo_names.c) ---- */
#define NT_GSO_NAME 32
struct nt_gso_names {		/* SKB_GSO_* of this kernel, by bit, without the prefix; "": none */
	char name[32][NT_GSO_NAME];
};
void nt_gso_names_default(struct nt_gso_names *n);
void nt_gso_names_add(struct nt_gso_names *n, const char *name, uint32_t value);
/* From a kernel's BTF, where it has them. */
struct nt_btf;
void nt_gso_names_read(struct nt_gso_names *n, const struct nt_btf *btf);
uint32_t nt_gso_bit(const struct nt_gso_names *n, const char *name);	/* 0: this kernel has no such */
/* "TCPV4,DODGY"; "-": none. Returns buf. */
const char *nt_gso_text(const struct nt_gso_names *n, uint32_t gso_type, char *buf, size_t size);
const char *nt_shinfo_place_name(uint32_t place);
const char *nt_shinfo_what_name(uint32_t what);
const char *nt_shinfo_rule_text(uint32_t rule);		/* of one bit */

#endif
