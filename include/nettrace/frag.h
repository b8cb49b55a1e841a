/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fragments of IP datagrams (trace_ip_defrag): which datagrams are put together, which are not and
 * why, beside the kernel's own counters.
 */
#ifndef NETTRACE_FRAG_H
#define NETTRACE_FRAG_H

#include "nettrace/mib.h"
#include "nettrace/nt_abi_frag.h"
#include "nettrace/run.h"

struct nt_frag_opts {
	bool all, failures_only, summary;
	uint32_t rate;			/* events a second, 0: no limit */
	const char *log_file;
};

extern const struct nt_engine nt_frag_engine;

/* For the tool's check(): contradicting options, which events are shown. */
int nt_frag_check(struct nt_run *r, struct nt_err *err);

/* ---- what is missing of a datagram ---- */
#define NT_FRAG_OPEN_END UINT32_MAX	/* up to the end, wherever that is */
struct nt_frag_hole {
	uint32_t from, to;		/* bytes, to exclusive */
};
#define NT_FRAG_HOLES (NT_FRAG_RANGES + 1)

/* Number of bytes that are known to be missing. The holes too, if all ranges are known: *n. */
uint32_t nt_frag_missing(const struct nt_frag_queue *q, struct nt_frag_hole hole[NT_FRAG_HOLES], size_t *n);

/* ---- who asked for the datagram ---- */
struct nt_frag_users {
	struct { char name[40]; uint32_t base; } user[24];
	size_t n;
};
/* As the kernel's enum has it: "IP_DEFRAG_CONNTRACK_IN", its first value. */
void nt_frag_users_add(struct nt_frag_users *u, const char *enumerator, uint32_t value);
/* Those of kernels whose BTF does not tell. */
void nt_frag_users_default(struct nt_frag_users *u, uint8_t ip_version);
/* "conntrack_in" and its zone (-1: it has none); NULL if unknown. */
const char *nt_frag_user(const struct nt_frag_users *u, uint32_t value, int32_t *zone);

/* ---- between the engine's files ---- */
#define NT_FRAG_WHOLE (1u << 31)	/* among enum nt_frag_bits: the queue was followed from its beginning */

struct nt_frag_counts {			/* since the start */
	uint64_t what[NT_FRAG_WHATS];
	uint64_t failed, opened, closed, rate_limited;
};

struct nt_frag_snapshot {
	struct nt_frag_counts count;
	struct nt_hist took;
	struct nt_mib mib;
};

struct nt_frag {			/* private data */
	struct nt_frag_snapshot start, last;
	struct nt_frag_users users[2];	/* IPv4, IPv6 */
	struct nt_out *log;		/* --log-file, text */
	unsigned int reports;
};

void nt_frag_show_event(struct nt_run *r, const struct nt_frag_event *e);
/* What happened between two snapshots, as members of the open record or as text. */
void nt_frag_show_report(struct nt_run *r, const struct nt_frag_snapshot *before,
			 const struct nt_frag_snapshot *now);

#endif
