/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the scheduling latency engine: what is measured (sched.c), how it is shown (sched_show.c). */
#ifndef NT_ENGINE_SCHED_H
#define NT_ENGINE_SCHED_H

#include "nettrace/sched.h"
#include "nettrace/task.h"

/* All threads at one moment, sorted by tid. */
struct nt_sched_copy {
	uint32_t tid;
	uint64_t at_ns;			/* when it was read */
	struct nt_sched_thread t;	/* run_ns includes the slice that is running */
};
struct nt_sched_shot {
	struct nt_sched_copy *row;
	size_t n;
};

struct nt_sched_row {			/* a thread in a sample */
	char comm[16];
	uint32_t tid, pid;
	double runtime_ms;
	uint64_t switches, wakeups, preemptions, migrations, delays;
	uint64_t delay_ns, avg_ns, p50_ns, p99_ns, p999_ns, max_ns, max_at_ns, before_ns;
	uint32_t before_tid, cpu;
	char before_comm[16];
	const char *where;		/* "comm:tid", text */
	char place[32];
	char at_text[24];
	struct nt_hist hist;
};

struct nt_sched_priv {
	struct nt_procs procs;
	struct nt_task_cfg cfg;
	struct nt_sched_shot base, now;
	bool measuring;			/* base is the beginning of a sample */
	uint64_t sample_start_ns;
	uint64_t samples, dropped;	/* dropped: threads that ended and made room */
	struct nt_stream *stream;
};

/* The sample between two snapshots (base empty: since the start); members of the open record. */
void nt_sched_show(struct nt_run *r, const struct nt_sched_shot *base, const struct nt_sched_shot *now,
		   uint64_t span_ns, bool total);
int nt_sched_stream_open(struct nt_run *r);
void nt_sched_show_event(struct nt_run *r, const struct nt_sched_event *e);

#endif
