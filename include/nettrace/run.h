/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One run of a tool, as engines and tools see it. The core owns everything
 * here; pointers are valid for the whole run.
 */
#ifndef NETTRACE_RUN_H
#define NETTRACE_RUN_H

#include <stdio.h>

#include "nettrace/hist.h"
#include "nettrace/nt_abi.h"
#include "nettrace/out.h"
#include "nettrace/tool.h"

struct nt_common_opts {
	uint64_t duration_ns, interval_ns;	/* 0: none */
	uint64_t buffer_bytes;
	uint32_t count, top, max_entries;	/* 0: none, tool's own */
	uint32_t format, attach;		/* enum nt_format, enum nt_attach */
	bool json, dry_run, quiet, no_color, cumulative, help;
	bool verbose;
	const char *output, *btf;
};
enum nt_attach { NT_ATTACH_AUTO, NT_ATTACH_FENTRY, NT_ATTACH_KPROBE };

struct nt_tuple_opts {
	struct nt_prefix src, dst;
	struct nt_ports sport, dport;
	uint32_t proto, eth_type;
	uint32_t vlan;				/* only if --vlan-id was given */
	struct nt_strlist devs;
};

/* ---- what the user asked for ---- */
const struct nt_tool *nt_run_tool(const struct nt_run *r);
const char *nt_run_called_as(const struct nt_run *r);	/* argv[0] base name or subcommand */
const void *nt_run_opts(const struct nt_run *r);	/* the tool's struct */
void *nt_run_opts_rw(struct nt_run *r);			/* in check() only */
struct nt_common_opts *nt_run_common(struct nt_run *r);
struct nt_tuple_opts *nt_run_tuple(struct nt_run *r);
bool nt_run_given(const struct nt_run *r, const char *option);
/* Positional words of old command lines; consumed words are not a filter expression. */
size_t nt_run_n_words(const struct nt_run *r);
const char *nt_run_word(const struct nt_run *r, size_t i);
void nt_run_consume_words(struct nt_run *r);
/* An old positional device name: as if --interface had been given. */
void nt_run_set_device(struct nt_run *r, const char *name);
bool nt_run_has_filter(const struct nt_run *r);
/* In check(): this run aggregates, or shows events, other than struct nt_engine says. */
void nt_run_set_aggregates(struct nt_run *r, bool aggregates);
/* In check(): the first interval report comes after this time, the others at --interval. */
void nt_run_set_first_interval(struct nt_run *r, uint64_t ns);
/* In check(): one interval report at once, and the end. */
void nt_run_set_one_look(struct nt_run *r);

/* ---- output ---- */
uint64_t nt_now_ns(void);				/* CLOCK_MONOTONIC */
struct nt_out *nt_run_out(struct nt_run *r);
const struct nt_resolver *nt_run_names(struct nt_run *r);
void *nt_run_priv(struct nt_run *r);
uint64_t nt_run_started_ns(const struct nt_run *r);	/* CLOCK_MONOTONIC of the start line */
/* One event was shown: counts towards --count and the end record's "events". */
void nt_run_event_shown(struct nt_run *r);
bool nt_run_enough(const struct nt_run *r);	/* --count events have been shown */
void nt_run_note(struct nt_run *r, const char *fmt, ...);	/* stderr, unless --quiet */

void nt_run_stop(struct nt_run *r);		/* the loop ends after what it is at */
bool nt_run_ending(struct nt_run *r);	/* a signal came that the loop has not seen yet, or it ends */
/* The run has failed: the loop ends, the error is printed behind the end record. */
void nt_run_fail(struct nt_run *r, const struct nt_err *err);
/* Records go to o until it is set back; the one before is returned. The engine owns its own. */
struct nt_out *nt_run_set_out(struct nt_run *r, struct nt_out *o);

/* ---- more sources for the loop, from started() on ---- */
typedef void nt_ready_fn(struct nt_run *r, int fd, void *arg);
/* fn is called when fd is readable or hung up; fd stays the caller's. 0, or -errno (-ENOSPC: 16). */
int nt_run_watch(struct nt_run *r, int fd, nt_ready_fn *fn, void *arg);
/* A timer of the core: first after first_ns, then every every_ns (0: once). Descriptor or -errno. */
int nt_run_timer(struct nt_run *r, uint64_t first_ns, uint64_t every_ns, nt_ready_fn *fn, void *arg);
void nt_run_unwatch(struct nt_run *r, int fd);	/* closes it if it is a timer */

/* ---- kernel side ---- */
void nt_run_const(struct nt_run *r, enum nt_const_id id, uint64_t value);	/* configure() */
int nt_run_map_fd(const struct nt_run *r, const char *map);			/* -1: no such map */
int nt_run_map_entries(struct nt_run *r, const char *map, uint32_t n);		/* configure() */
/* prepare(): hooks of user space are attached in this file, too. pid 0: for every process. 0 or -ENOMEM. */
int nt_run_user_file(struct nt_run *r, const char *path, uint32_t pid);
/* The same for every file that the processes (n 0: all) have mapped and that has one of the functions,
 * '|' between. Exit 3 with *err, which names places that were searched, if there is none. */
int nt_run_user_search(struct nt_run *r, const uint32_t *pid, size_t n, const char *functions, struct nt_err *err);
bool nt_run_hooked(const struct nt_run *r, const char *stem);	/* in the plan: attached or about to be */
uint64_t nt_run_stat(struct nt_run *r, uint32_t stat);			/* sum over CPUs */
void nt_run_stat_cpus(struct nt_run *r, uint32_t stat, uint64_t *per_cpu, size_t n);
uint32_t nt_run_cpus(const struct nt_run *r);				/* possible CPUs */
/* Sum of one histogram over CPUs since start. */
int nt_run_hist(struct nt_run *r, const char *map, uint32_t index, struct nt_hist *h);
/* Frames of a stack id, zero terminated, innermost first; cached. Number of frames or -errno. */
int nt_run_stack(struct nt_run *r, const char *map, int32_t id, uint64_t *frames, size_t n);
/* Takes away the frames of the tracing itself, which are innermost. At most max frames, 0 ends them where they
 * are fewer. */
void nt_run_cut_stack(struct nt_run *r, uint64_t *stack, size_t max);
/* Do records come in the order in which they were written? Perf buffers are read CPU by CPU. */
bool nt_run_in_order(const struct nt_run *r);
/* Fields that user space counted lost on top of the kernel's counters. */
void nt_run_lost(struct nt_run *r, enum nt_stat kind, uint64_t n);
/* The tuple filter as the kernel has it; engines may refill and write it while running. */
struct nt_tuple *nt_run_tuple_values(struct nt_run *r);
int nt_run_tuple_write(struct nt_run *r);
void nt_run_tuple_mask(struct nt_run *r, uint64_t set);	/* enum nt_filter_bits to test besides */

/* ---- kernel facts ---- */
struct nt_ksyms;
struct nt_ksyms *nt_run_ksyms(struct nt_run *r);	/* read at the first call */
uint32_t nt_run_reason_id(struct nt_run *r, const char *name);	/* UINT32_MAX: unknown */
uint32_t nt_run_netns(const struct nt_run *r);			/* inode of our namespace */

#endif
