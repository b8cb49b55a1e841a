/* SPDX-License-Identifier: GPL-2.0 */
/* Watches device counters in cycles and keeps the log only of cycles in which they rose. */
#ifndef NETTRACE_MONITOR_H
#define NETTRACE_MONITOR_H

#include "nettrace/drop.h"

struct nt_monitor_opts {
	struct nt_drop_opts drop;	/* first: the drop engine's functions see only this */
	const char *command, *stop_command, *log_dir;
	struct nt_strlist counters;
	uint32_t min_drops, keep;
	uint64_t max_log_bytes, pre_ns;
};

extern const struct nt_engine nt_monitor_engine;

/* For the tool's check(): words of the commands, names of counters, a device. */
int nt_monitor_check(struct nt_run *r, struct nt_err *err);

/* ---- monitor_counters.c: what is watched ---- */
#define NT_MONITOR_COUNTERS 8
struct nt_monitor_values {
	uint64_t v[NT_FILTER_DEVS][NT_MONITOR_COUNTERS];
	bool known[NT_FILTER_DEVS];	/* the device was there */
};

const char *nt_monitor_name(size_t counter);
bool nt_monitor_asked(const struct nt_run *r, size_t counter);	/* by --counters */
void nt_monitor_read(struct nt_run *r, struct nt_monitor_values *v);
/* Rise of one counter; one that was set back (the device was made again) has not risen. */
uint64_t nt_monitor_rise(const struct nt_monitor_values *a, const struct nt_monitor_values *b, size_t dev,
			 size_t counter);
/* Of all that are asked for. */
uint64_t nt_monitor_rises(struct nt_run *r, const struct nt_monitor_values *a,
			  const struct nt_monitor_values *b, size_t dev);

/* ---- monitor_log.c: one log file of bounded size, deleted unless it is kept ---- */
struct nt_monitor_log {
	char path[512];
	int fd;				/* -1: none */
	uint64_t bytes, max_bytes, cut_bytes;	/* written, limit, not written for it */
};

/* monitor_YYYYMMDD_HHMMSS.log in dir, which is made if it is not there; another of the same second
 * gets _2, _3 ... 0 or -errno. */
int nt_monitor_log_open(struct nt_monitor_log *l, const char *dir, uint64_t max_bytes);
void nt_monitor_log_write(struct nt_monitor_log *l, const char *text, size_t n);
void nt_monitor_log_close(struct nt_monitor_log *l, bool keep);
/* Removes the oldest of more than keep logs in dir; their number. */
size_t nt_monitor_log_prune(const char *dir, size_t keep);

#endif
