/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the CPU engine: measuring (cpu.c), threads (cpu_threads.c), samples (cpu_profile.c), output. */
#ifndef NT_ENGINE_CPU_H
#define NT_ENGINE_CPU_H

#include "nettrace/cpu.h"
#include "nettrace/task.h"
#include "nettrace/usyms.h"

/* ---- threads' time ---- */
struct nt_cpu_threads {
	bool exact;			/* from the kernel side, by CPU; else ticks and the last CPU */
	bool foreign;			/* other ids in /proc than the kernel side has */
	size_t n_cpus;
	const bool *watched;
	bool *nohz_full;		/* no tick there: the kernel's CPU time of a running thread stands still */
	struct nt_cpu_now *now;		/* of each CPU */
	bool softirqs;			/* their time is known, and not the threads' */
	uint64_t *softirq_ns, *idle_ns;		/* of each CPU in the last span */
	uint64_t *softirq_base, *idle_base;	/* of each CPU up to it */
	uint64_t tick_ns;
	uint64_t start_ns;		/* of the counting */
	uint64_t at_ns;			/* of the last snapshot */
	struct nt_cpu_shot base;	/* what differences are taken of */
};
int nt_cpu_threads_open(struct nt_cpu_threads *t, const bool *watched, size_t n_cpus);
/* Loaded: tells the kernel side which CPUs are watched. */
int nt_cpu_threads_prepare(struct nt_run *r, struct nt_cpu_threads *t);
/* The gate opens next. */
void nt_cpu_threads_start(struct nt_run *r, struct nt_cpu_threads *t);
/* What each thread had since the last call (keep: since the first one), most of it first; the caller
 * frees out->row. */
int nt_cpu_threads_rise(struct nt_run *r, struct nt_cpu_threads *t, bool keep, struct nt_cpu_shot *out);
void nt_cpu_threads_close(struct nt_cpu_threads *t);

/* ---- samples ---- */
#define NT_CPU_STACKS 8192
struct nt_cpu_stack {
	struct nt_cpu_sample s;
	uint32_t cpu;
	uint64_t count;			/* 0: free */
};
struct nt_cpu_ring {			/* of one CPU */
	int fd;
	struct perf_event_mmap_page *page;
	uint64_t samples, lost, too_many;	/* of the span; too_many: found no place in the table */
};
struct nt_cpu_profile {
	struct nt_cpu_ring *ring;
	size_t n_cpus, page_size, n_stacks;
	struct nt_cpu_stack *stack;	/* NT_CPU_STACKS, open addressing */
	struct nt_usyms *usyms;
	uint32_t files;
	bool told;
	char dir[400], path[600];
};
/* One event on each watched CPU. NULL and *err if the kernel refuses. */
struct nt_cpu_profile *nt_cpu_profile_open(struct nt_run *r, const bool *watched, struct nt_err *err);
void nt_cpu_profile_drain(struct nt_run *r, struct nt_cpu_profile *p);
/* cpu_profile_file.c: writes the CPU's samples of the span into a new file, whose path it returns (until the next call),
 * NULL: it could not. threads: for the names. */
const char *nt_cpu_profile_write(struct nt_run *r, struct nt_cpu_profile *p, uint32_t cpu, double usage,
				 double seconds, const struct nt_cpu_shot *threads, uint64_t *samples);
void nt_cpu_profile_clear(struct nt_cpu_profile *p);
void nt_cpu_profile_close(struct nt_cpu_profile *p);

/* ---- what is shown ---- */
struct nt_cpu_row {
	uint32_t cpu;
	struct nt_cpu_share share;
	double threads_pct, softirq_pct, idle_pct;	/* as the hooks tell, of the span */
	bool online, hot, shown;	/* hot: profiled; shown: its threads are */
	char path[600];			/* of the profile */
	uint64_t samples;
	char siblings[64];		/* text: "5 (12 %)" */
	bool *sibling;
};
struct nt_cpu_view {			/* one span */
	double seconds;
	struct nt_cpu_share total;
	const struct nt_cpu_row *row;	/* of all CPUs, by number */
	const bool *watched;
	size_t n_cpus;
	bool profiling;
	const struct nt_cpu_shot *threads;
	bool exact, softirqs;		/* as in struct nt_cpu_threads */
};
void nt_cpu_show(struct nt_run *r, const struct nt_cpu_view *v);
void nt_cpu_show_share(struct nt_out *o, const struct nt_cpu_share *s);

#endif
