/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Drop engine: where packets ended. Two faces: nt_drop_events_engine shows each
 * drop, nt_drop_stats_engine counts them in the kernel by place, reason, device
 * and, as asked, stack and flow. Both judge by the same rules (bpf/lib/drop.bpf.h).
 */
#ifndef NETTRACE_DROP_H
#define NETTRACE_DROP_H

#include "nettrace/run.h"

enum nt_drop_group { NT_DROP_GROUP_ALL, NT_DROP_GROUP_STACK, NT_DROP_GROUP_FLOW };

struct nt_drop_opts {			/* option struct of every drop tool */
	bool show_benign;		/* --disable-normal-filter */
	bool no_stack;
	bool deferred;
	bool clear;
	uint32_t group_by;		/* enum nt_drop_group */
	uint32_t rate;			/* events a second, 0: no limit */
	uint32_t snaplen;
	struct nt_strlist reason, exclude_reason, location, by;
	const char *normal_list;	/* file with one function or pattern a line */
	const char *pcap;		/* file to write */
};

extern const struct nt_engine nt_drop_events_engine;
extern const struct nt_engine nt_drop_stats_engine;

/* Options of the family that contradict each other, names of reasons. For a tool's check(). */
int nt_drop_check(struct nt_run *r, struct nt_err *err);

/* ---- events of eth_drop's programs, for engines that do something else with them ---- */
struct nt_drop_places;		/* ranges of wrappers, benign functions, ...; made from kallsyms */
struct nt_drop_reader {
	struct nt_drop_places *places;
	uint64_t suppressed, child;	/* judged here, before the kernel side knew the places */
};
/* One record as it came: *e filled, judged by its place; false: not a drop that was asked for. */
bool nt_drop_event_read(struct nt_run *r, struct nt_drop_reader *p, const void *data, size_t size,
			struct nt_drop_event *e);
/* Writes it to the run's output, as text or JSON. */
void nt_drop_event_show(struct nt_run *r, const struct nt_drop_event *e);

/* ---- between the engine's files ---- */
enum { NT_DROP_COLUMNS = 100 };	/* text lines that would be longer are broken */
/* Load-time constants of the family; before each load. */
int nt_drop_configure(struct nt_run *r, struct nt_err *err);
/* Writes the reason list; the places too if an option needs them before the first packet. */
int nt_drop_prepare(struct nt_run *r, struct nt_drop_places **places, struct nt_err *err);
/* Reads kallsyms and hands the ranges to the kernel side. Until then it takes every location as
 * it is; nt_drop_place() judges again. */
void nt_drop_load_places(struct nt_run *r, struct nt_drop_places **places);
enum nt_loc_class nt_drop_class(const struct nt_drop_places *p, uint64_t addr);
/* Of class NT_LOC_ICMP: was the message delivered, not dropped? echo: it is one, or may be. */
bool nt_drop_delivered(struct nt_run *r, uint32_t reason, const struct nt_flow *f, bool echo);
/* Effective location of a raw one, by a stack (may be NULL). */
uint64_t nt_drop_place(const struct nt_drop_places *p, uint64_t raw, const uint64_t *stack, size_t n);
/* Index of the frame that holds location: frames above it are the probe's own. 0 if none. */
size_t nt_drop_first_frame(const uint64_t *stack, size_t n, uint64_t location);
void nt_drop_free_places(struct nt_drop_places *p);

#endif
