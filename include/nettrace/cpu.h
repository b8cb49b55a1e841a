/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Engine of CPU load (cpu_monitor): per CPU what the kernel's own figures say, which threads had
 * it, and what code ran while it was hot. The threads' time comes from the kernel side
 * (bpf/tools/cpu/cpu_monitor.bpf.c), or in ticks from /proc where that cannot be.
 */
#ifndef NETTRACE_CPU_H
#define NETTRACE_CPU_H

#include "nettrace/run.h"

struct nt_cpu_opts {			/* the tool's options */
	struct nt_strlist cpus;		/* none: all */
	double threshold_pct, profile_above_pct, show_above_pct;
	bool log;
	const char *log_file, *profile_dir;
	uint32_t max_profiles, hz;
};

extern const struct nt_engine nt_cpu_engine;
/* The old meaning of --threshold, which depends on the name called; the log's name; CPUs. */
int nt_cpu_check(struct nt_run *r, struct nt_err *err);

/* ---- cpu_proc.c: what /proc and /sys say ---- */
enum nt_cpu_field {			/* order of /proc/stat */
	NT_CPU_USER, NT_CPU_NICE, NT_CPU_SYSTEM, NT_CPU_IDLE, NT_CPU_IOWAIT, NT_CPU_IRQ, NT_CPU_SOFTIRQ,
	NT_CPU_STEAL, NT_CPU_GUEST, NT_CPU_GUEST_NICE, NT_CPU_FIELDS,
};
struct nt_cpu_ticks {
	uint64_t v[NT_CPU_FIELDS];
	bool online;			/* it had a line */
};
/* The text of /proc/stat: cpus[n] and the machine's line; CPUs beyond n are left out. Number of
 * CPUs that are online, or -EINVAL if the text is not of this kind. */
int nt_cpu_stat_parse(const char *text, struct nt_cpu_ticks *cpus, size_t n, struct nt_cpu_ticks *all);
int nt_cpu_stat_read(struct nt_cpu_ticks *cpus, size_t n, struct nt_cpu_ticks *all);

/* Shares of a span in percent of the time that the kernel accounted: guest time is taken out of
 * user and nice, so that all of them add up to 100. busy: all but idle and iowait. */
struct nt_cpu_share {
	double pct[NT_CPU_FIELDS];
	double busy;
	double accounted_ms;	/* less than the span where the kernel missed ticks */
};
void nt_cpu_share(struct nt_cpu_share *s, const struct nt_cpu_ticks *before, const struct nt_cpu_ticks *now);

/* "0-3,8" (also as the kernel writes it, with a newline) marks set[n]; "" marks none. -EINVAL: no
 * list, -ERANGE: a CPU at or above n. */
int nt_cpu_list_parse(const char *text, bool *set, size_t n);
/* The items of an option mark set[n], which is cleared; none: all. -EINVAL with *err (usage). */
int nt_cpu_wanted(const struct nt_strlist *l, const char *option, bool *set, size_t n, struct nt_err *err);
int nt_cpu_list_read(const char *path, bool *set, size_t n);
/* Other CPUs of the same core. */
void nt_cpu_siblings(uint32_t cpu, bool *set, size_t n);

struct nt_cpu_task {			/* of /proc/PID/task/TID/stat */
	char comm[16];
	char state;
	uint64_t ticks, start_ticks;	/* user and system time; start after boot */
	uint32_t cpu;			/* the last one */
};
int nt_cpu_task_parse(const char *text, struct nt_cpu_task *t);		/* 0 or -EINVAL */
/* Is it a vCPU's thread by its name ("CPU 0/KVM")? */
bool nt_cpu_is_vcpu(const char *comm);
/* The VM's name in QEMU's command line (words with a zero byte between); false: none, buf "". */
bool nt_cpu_vm_name(const char *cmdline, size_t n, char *buf, size_t size);

/* ---- cpu_threads.c: threads' time ---- */
struct nt_cpu_thread {
	uint64_t start;			/* tells two users of an id apart */
	uint32_t tid, cpu, pid;
	char comm[16];
	uint64_t ns, switches;		/* in a snapshot: all; in a difference: of the span */
	uint64_t off_ns;		/* end of its last slice */
	uint64_t cut_ns;		/* nt_cpu_clip() left it to the next span */
	size_t place;			/* of a difference: in the newer snapshot */
};
struct nt_cpu_shot {			/* sorted by thread (and CPU if the kernel side tells it) */
	struct nt_cpu_thread *row;
	size_t n, cap;
};
/* Makes a difference fit its span: no thread has more of it than it is long, and no CPU below n_cpus more than
 * softirqs left of it. What is too much (a slice that still ran at an end of the span is known to a tick
 * only) is cut from those that had the CPU last. */
void nt_cpu_clip(struct nt_cpu_shot *s, uint64_t span_ns, const uint64_t *softirq_ns, size_t n_cpus);

/* ---- cpu_profile.c: samples of the code that runs ---- */
#define NT_CPU_FRAMES 48
struct nt_cpu_sample {
	uint32_t pid, tid;
	uint32_t n_kernel, n_user;	/* frames, innermost first, kernel's first */
	uint64_t frame[NT_CPU_FRAMES];
};
/* One record of a perf buffer: 1 a sample, 0 another kind (*lost grows by what a lost record tells),
 * -EINVAL: damaged. */
int nt_cpu_sample_parse(const void *record, size_t size, struct nt_cpu_sample *s, uint64_t *lost);

#endif
