/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the timeline engine. */
#ifndef NETTRACE_ENGINE_TIMELINE_H
#define NETTRACE_ENGINE_TIMELINE_H

#include "devset.h"
#include "nettrace/nt_abi_timeline.h"
#include "nettrace/timeline.h"
#include "slowest.h"
#include "stacks.h"
#include "sweep.h"

struct nt_tl_pair_row {
	struct nt_tl_pair key;
	struct nt_hist hist;		/* ns */
};
struct nt_tl_drop_row {
	struct nt_tl_drop key;
	uint64_t count;
};
struct nt_tl_flow_row {
	struct nt_flow flow;
	struct nt_hist hist;		/* ns, first to last stage */
};
struct nt_tl_cpus_row {
	struct nt_tl_cpus key;
	struct nt_hist hist;		/* ns in the backlog */
};
struct nt_tl_backlog {
	struct nt_hist depth;		/* packets that were there before */
	struct nt_tl_cpus_row cpus[NT_TL_CPU_ROWS];
	size_t n_cpus;
};
struct nt_tl_if_row {
	struct nt_tl_if key;
	uint64_t packets, bytes, drops;
	struct nt_hist hist;
};
struct nt_tl_by_leg {			/* sessions by direction, leg and last stage */
	uint64_t n[2][2][NT_TL_STAGES];
};
struct nt_tl_leg_counts {
	struct nt_tl_by_leg timed_out, unfinished;
};
struct nt_tl_figures {			/* since the start, or of an interval */
	struct nt_tl_pair_row pair[NT_TL_PAIRS];
	struct nt_tl_drop_row drop[NT_TL_DROPS];
	struct nt_tl_if_row ifs[NT_TL_IF_ROWS];
	size_t n_ifs;
	uint64_t at_ns;			/* when it was read; of an interval: how long it is */
	struct nt_tl_flow_row *flow;	/* n_flows; malloc */
	struct nt_tl_backlog *backlog;	/* NULL: the tool is not about it; malloc */
	size_t n_pairs, n_drops, n_flows;
	uint64_t stat[NT_STAT_MAX], evicted, map_full;
	uint64_t timed_out[2][NT_TL_STAGES], timed_out_elsewhere;	/* by direction and last stage */
	uint64_t inside, oldest_ns;	/* at this moment */
	struct nt_tl_leg_counts legs;
};

struct nt_tl_priv {
	struct nt_devset devset;
	bool any_device;
	uint16_t named;			/* roles that options gave to devices */
	uint8_t stage_from, stage_to;	/* --stage-us */
	uint64_t stage_ns;
	struct nt_drop_places *places;
	struct nt_sweep sweep, alias_sweep;
	struct nt_slowest slowest;	/* struct nt_timeline; --top */
	uint64_t timed_out[2][NT_TL_STAGES], timed_out_elsewhere;
	uint64_t inside, oldest_ns;
	struct nt_tl_figures *now, *last, *since;
	bool finished;
	unsigned int reports;
	/* of tools about two legs */
	struct nt_tl_leg_counts legs;
	struct nt_sweep rtt_sweep;
	struct nt_field *row;		/* of an event, in JSON and CSV */
	size_t n_rows;
	struct nt_stream *csv;
	struct nt_stack_table stacks;
};

static inline const struct nt_tl_desc *nt_tl_desc_of(const struct nt_run *r)
{
	return nt_run_tool(r)->engine_data;
}

static inline const struct nt_tl_opts *nt_tl_opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* Only the slowest are kept, till the end? */
bool nt_tl_keeps_slowest(const struct nt_run *r);
bool nt_tl_has_stacks(const struct nt_run *r);
bool nt_tl_details(const struct nt_run *r);
/* Walks over all packets: .inside and .oldest_ns. */
void nt_tl_look_inside(struct nt_run *r);

/* timeline_names.c */
/* A pair of stages, or a sum of pairs, as a row of text. */
struct nt_tl_text_row {
	const char *from;
	char to[48];
	bool async;
	uint64_t count, min, p50, p90, p99, max;	/* times in ns */
	double share;
};
void nt_tl_text_fill(struct nt_tl_text_row *t, const char *from, const char *to, bool async, const struct nt_hist *h,
		     double share);
/* With a line that says what the asynchronous ones are; nothing if n is 0. */
void nt_tl_text_table(struct nt_run *r, const char *title, struct nt_tl_text_row *row, size_t n);

const char *nt_tl_stage_name(const struct nt_run *r, uint32_t direction, uint32_t stage);
/* NT_TL_STAGES: no such stage. */
uint32_t nt_tl_stage_by_name(const char *name, size_t len);
/* FROM:TO:US, names of stages and a time above 0. 0 or -EINVAL. */
int nt_tl_parse_stage_us(const char *text, uint8_t *from, uint8_t *to, uint64_t *ns);
/* Does a queue or a program of user space lie between them? */
bool nt_tl_async(uint32_t from, uint32_t to);

/* timeline_backlog.c */
void nt_tl_backlog_started(struct nt_run *r);
void nt_tl_backlog_read(struct nt_run *r, struct nt_tl_figures *f);
void nt_tl_backlog_copy(struct nt_tl_figures *to, const struct nt_tl_figures *from);
void nt_tl_backlog_subtract(struct nt_tl_figures *f, const struct nt_tl_figures *last);
void nt_tl_backlog_show(struct nt_run *r, struct nt_tl_figures *f);

/* timeline_if.c */
void nt_tl_ifs_read(struct nt_run *r, struct nt_tl_figures *f);
void nt_tl_ifs_subtract(struct nt_tl_figures *f, const struct nt_tl_figures *last);
void nt_tl_ifs_show(struct nt_run *r, const struct nt_tl_figures *f);

/* timeline_legs.c */
static inline bool nt_tl_legs_wants(const struct nt_run *r, uint32_t direction)
{
	uint32_t d = nt_tl_opts_of(r)->direction;

	return d == NT_TL_BOTH || d == (direction == NT_DIR_TX ? NT_TL_ONLY_TX : NT_TL_ONLY_RX);
}
int nt_tl_legs_configure(struct nt_run *r);
uint64_t nt_tl_legs_hooked(const struct nt_run *r);	/* enum nt_rtt_hook */
void nt_tl_legs_event(struct nt_run *r, const void *data, size_t size);
void nt_tl_legs_sweep(struct nt_run *r);
void nt_tl_legs_finish(struct nt_run *r);

/* timeline_legs_event.c */
int nt_tl_legs_rows(struct nt_run *r);		/* makes the rows of events */
void nt_tl_legs_show(struct nt_run *r, const struct nt_rtt *s);
/* ns in Open vSwitch; false: it was not there. */
bool nt_tl_in_switch(const struct nt_timeline *l, uint64_t *ns);

/* timeline_legs_show.c */
void nt_tl_legs_figures(struct nt_run *r, struct nt_tl_figures *f);
void nt_tl_legs_end(struct nt_run *r, struct nt_tl_figures *f);

/* timeline_drop.c */
/* Rows of what is known of kfree_skb() only: after an upcall that failed a packet may be consumed instead. */
#define NT_TL_FREED(location) .has_off = (location), .has_mask = ~0u
void nt_tl_drop_json(struct nt_run *r, const struct nt_tl_drop *k);
/* "SOCKET_RCVBUFF at udp_queue_rcv_one_skb", of a failed upcall with its error. */
#define NT_TL_DROP_TEXT 240
const char *nt_tl_drop_text(struct nt_run *r, const struct nt_tl_drop *k, char *buf, size_t size);
const char *nt_tl_dropped_text(struct nt_run *r, const struct nt_timeline *l, char *buf, size_t size);

/* timeline_event.c: ended is enum nt_tl_end, or NT_TL_ENDS for a timeout. */
void nt_tl_flags_json(struct nt_out *o, uint32_t flags);
void nt_tl_show_event(struct nt_run *r, const struct nt_timeline *l);
void nt_tl_show_slowest(struct nt_run *r);

/* timeline_stats.c, timeline_show.c */
void nt_tl_interval(struct nt_run *r, bool final);
void nt_tl_report_end(struct nt_run *r);
void nt_tl_show_figures(struct nt_run *r, struct nt_tl_figures *f);

#endif
