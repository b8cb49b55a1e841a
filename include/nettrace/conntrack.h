/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Connection tracking: packets as they are judged, entries from their first packet to their end, and
 * totals beside the kernel's own counters. A tool is its hooks and its options.
 */
#ifndef NETTRACE_CONNTRACK_H
#define NETTRACE_CONNTRACK_H

#include "nettrace/hist.h"
#include "nettrace/nt_abi_conntrack.h"
#include "nettrace/run.h"

/* ---- rules of a file (conntrack_rules.c) ---- */
struct nt_ct_rule {
	struct nt_prefix src, dst;	/* not set: any */
	uint32_t proto;			/* NT_PROTO_ALL: any */
	uint16_t sport, dport;		/* 0: any */
};
struct nt_ct_rules {
	struct nt_ct_rule rule[NT_CT_RULES_MAX];
	size_t n;
};
/* A JSON list of objects, or one object. 0, or -EINVAL with why: "line 3: ...". */
int nt_ct_rules_parse(struct nt_ct_rules *rules, const char *text, char *why, size_t size);
/* Bits of the rules that an end may be the source or the destination of. */
struct nt_ct_ends nt_ct_rules_of_addr(const struct nt_ct_rules *rules, const struct nt_prefix *p);
struct nt_ct_ends nt_ct_rules_of_port(const struct nt_ct_rules *rules, uint16_t port);	/* 0: none named */
uint64_t nt_ct_rules_of_proto(const struct nt_ct_rules *rules, uint8_t proto);
/* Into the maps of the kernel side. */
int nt_ct_rules_write(struct nt_run *r, const struct nt_ct_rules *rules, struct nt_ct_cfg *cfg);

/* ---- options ---- */
enum nt_ct_mode { NT_CT_MODE_AUTO, NT_CT_MODE_PACKET, NT_CT_MODE_FLOW };
struct nt_ct_opts {
	uint32_t mode;			/* enum nt_ct_mode */
	uint32_t zone, rate;
	uint32_t mark_value, mark_mask;
	bool rel_time, stack, update, invalid_only;
	const char *filters_file, *mark;
	struct nt_ct_rules rules;
};

/* For the tool's check(): the mode, the rules, the mark. */
int nt_ct_check(struct nt_run *r, struct nt_err *err);
bool nt_ct_wants_update(const void *opts);	/* struct nt_hook.wanted; the tool's options begin with ours */

extern const struct nt_engine nt_ct_engine;

/* ---- the kernel's counters of our namespace (conntrack_kernel.c) ---- */
#define NT_CT_KERNEL_LIST(X)									\
	X(found) X(invalid) X(insert) X(insert_failed) X(drop) X(early_drop) X(icmp_error)	\
	X(search_restart) X(clash_resolve) X(chain_toolong)
struct nt_ct_kernel {
	bool known;
#define NT_CT_MEMBER(name) uint32_t name;	/* modulo 2^32, as the kernel has them */
	NT_CT_KERNEL_LIST(NT_CT_MEMBER)
#undef NT_CT_MEMBER
	uint32_t entries, max;		/* of the table, now */
};
int nt_ct_kernel_read(struct nt_ct_kernel *k);
/* Adds one answer of ctnetlink, or the text of /proc/net/stat/nf_conntrack. */
void nt_ct_kernel_message(struct nt_ct_kernel *k, const void *msg, size_t len);
void nt_ct_kernel_text(struct nt_ct_kernel *k, char *text);

/* ---- names (conntrack_names.c) ---- */
const char *nt_ct_info_name(uint32_t ctinfo);
const char *nt_ct_tcp_state(uint8_t state);	/* of the tracker, not of a socket */
const char *nt_ct_hook_name(uint8_t hooknum);
const char *nt_ct_status_name(unsigned int bit);	/* NULL: unnamed */
const char *nt_ct_cause_name(uint32_t cause);
/* "+new+trk", "-" if there is none. */
const char *nt_ct_ovs_state(uint8_t state, char *buf, size_t size);
/* Why a packet is invalid: the kernel's words without what printf() would fill in, else what
 * follows from the event. Returns buf. */
const char *nt_ct_reason(const struct nt_ct_event *e, char *buf, size_t size);
/* Would nf_conntrack_tcp_be_liberal let it pass? */
bool nt_ct_liberal_helps(const char *reason);

/* ---- between the engine's files ---- */
struct nt_ct_row {
	struct nt_ct_stats_key key;
	struct nt_ct_stats s;
};
struct nt_ct_snapshot {
	struct nt_ct_row *row;		/* by key */
	size_t n;
	struct nt_ct_kernel kernel;
	struct nt_hist lifetime;
};
struct nt_ct {				/* private data */
	struct nt_ct_snapshot start, last;
	unsigned int reports;
	uint64_t first_ns;		/* of the first event, --rel-time */
	double tick_ns;			/* of the kernel's jiffies */
	uint64_t remaining;		/* entries followed at the end */
};
void nt_ct_show_event(struct nt_run *r, const struct nt_ct_event *e);
void nt_ct_show_report(struct nt_run *r, const struct nt_ct_snapshot *before, const struct nt_ct_snapshot *now);

#endif
