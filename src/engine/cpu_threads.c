/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long each thread ran. The kernel side adds up finished slices by thread and CPU and never
 * forgets; a span is the difference of two snapshots, to which the slices that still run are added.
 * Without it the threads' ticks are read from /proc, and all of a thread's time is its last CPU's.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cpu.h"

int nt_cpu_threads_open(struct nt_cpu_threads *t, const bool *watched, size_t n_cpus)
{
	struct nt_err none = { .text = "" };
	struct timespec tick = { 0 };

	t->watched = watched;
	t->n_cpus = n_cpus;
	t->foreign = nt_task_check_namespace(&none) != 0;
	t->now = calloc(n_cpus, sizeof(*t->now));
	t->nohz_full = calloc(n_cpus, sizeof(*t->nohz_full));
	t->softirq_ns = calloc(4 * n_cpus, sizeof(*t->softirq_ns));
	if (!t->now || !t->nohz_full || !t->softirq_ns)
		return -ENOMEM;
	t->softirq_base = t->softirq_ns + n_cpus;
	t->idle_ns = t->softirq_base + n_cpus;
	t->idle_base = t->idle_ns + n_cpus;
	nt_cpu_list_read("/sys/devices/system/cpu/nohz_full", t->nohz_full, n_cpus);
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);	/* a tick's length, by definition */
	t->tick_ns = (uint64_t)tick.tv_sec * 1000000000ULL + (uint64_t)tick.tv_nsec;
	return 0;
}

void nt_cpu_threads_close(struct nt_cpu_threads *t)
{
	free(t->now);
	free(t->nohz_full);
	free(t->softirq_ns);
	free(t->base.row);
}

int nt_cpu_threads_prepare(struct nt_run *r, struct nt_cpu_threads *t)
{
	uint32_t zero = 0;

	memset(t->now, 0, t->n_cpus * sizeof(*t->now));
	for (size_t i = 0; i < t->n_cpus; i++)
		t->now[i].skip = !t->watched[i];
	return bpf_map_update_elem(nt_run_map_fd(r, "nt_cpu_now"), &zero, t->now, BPF_ANY) ? -errno : 0;
}

/* ---- snapshots ---- */
static struct nt_cpu_thread *push(struct nt_cpu_shot *s)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 1024;
		struct nt_cpu_thread *row = realloc(s->row, cap * sizeof(*row));

		if (!row)
			return NULL;
		s->row = row;
		s->cap = cap;
	}
	memset(&s->row[s->n], 0, sizeof(*s->row));
	return &s->row[s->n++];
}

static int by_thread(const void *a, const void *b)
{
	const struct nt_cpu_thread *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static int by_thread_cpu(const void *a, const void *b)
{
	const struct nt_cpu_thread *x = a, *y = b;
	int d = by_thread(a, b);

	return d ? d : x->cpu < y->cpu ? -1 : x->cpu > y->cpu;
}

static int (*order(const struct nt_cpu_threads *t))(const void *, const void *)
{
	return t->exact ? by_thread_cpu : by_thread;
}

/* A walk during which entries come and go may meet one twice. */
static void sort(struct nt_cpu_shot *s, int (*cmp)(const void *, const void *))
{
	size_t n = 0;

	if (s->n)
		qsort(s->row, s->n, sizeof(*s->row), cmp);
	for (size_t i = 0; i < s->n; i++)
		if (!i || cmp(&s->row[n - 1], &s->row[i]))
			s->row[n++] = s->row[i];
	s->n = n;
}

/* ---- /proc ---- */
static int add_task(uint32_t pid, uint32_t tid, struct nt_cpu_shot *s, bool only_running)
{
	char path[64], text[1024];
	struct nt_cpu_thread *row;
	struct nt_cpu_task task;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/stat", pid, tid);
	if (!nt_proc_read(path, text, sizeof(text)) || nt_cpu_task_parse(text, &task) ||
	    (only_running && task.state != 'R'))
		return 0;
	row = push(s);
	if (!row)
		return -ENOMEM;
	row->start = task.start_ticks;
	row->tid = tid;
	row->pid = pid;
	row->cpu = task.cpu;
	row->ns = task.ticks * (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
	memcpy(row->comm, task.comm, sizeof(row->comm));
	return 0;
}

struct scan {
	struct nt_cpu_shot *shot;
	bool only_running;
};

static int scan_process(void *arg, uint32_t pid)
{
	struct scan *scan = arg;
	struct nt_ids tids = { 0 };
	int rc = 0;

	nt_task_threads(pid, false, &tids);
	for (size_t i = 0; !rc && i < tids.n; i++)
		rc = add_task(pid, tids.id[i], scan->shot, scan->only_running);
	nt_ids_free(&tids);
	return rc;
}

static int scan_proc(struct nt_cpu_shot *s, bool only_running)
{
	struct scan scan = { s, only_running };

	return nt_proc_each(scan_process, &scan);
}

/* ---- the kernel side ---- */
/* A copy is good when the word written last and the one written first agree. */
static void read_now(struct nt_run *r, struct nt_cpu_threads *t)
{
	int fd = nt_run_map_fd(r, "nt_cpu_now");
	uint32_t zero = 0;

	for (int try = 0; try < 8; try++) {
		bool good = !bpf_map_lookup_elem(fd, &zero, t->now);

		for (size_t i = 0; i < t->n_cpus; i++)
			good = good && t->now[i].since_ns == t->now[i].since_writer;
		if (good)
			return;
	}
	for (size_t i = 0; i < t->n_cpus; i++)
		if (t->now[i].since_ns != t->now[i].since_writer)
			t->now[i].tid = 0;	/* the next snapshot will know */
}

/* A CPU that has not switched since the start runs what it ran then: so /proc is asked. */
static void find_unseen(struct nt_cpu_threads *t)
{
	struct nt_cpu_shot running = { 0 };
	bool any = false;

	for (size_t i = 0; i < t->n_cpus; i++)
		any = any || (t->watched[i] && !t->now[i].since_ns);
	if (!any || t->foreign)
		return;
	scan_proc(&running, true);
	for (size_t i = 0; i < running.n; i++) {
		const struct nt_cpu_thread *row = &running.row[i];
		struct nt_cpu_now *now = row->cpu < t->n_cpus ? &t->now[row->cpu] : NULL;

		if (!now || now->since_writer || !t->watched[row->cpu])
			continue;
		now->since_ns = t->start_ns;	/* start_ns stays 0: /proc has it in ticks only */
		now->tid = row->tid;
		now->tgid = row->pid;
	}
	free(running.row);
}

static uint64_t softirq_ns(const struct nt_cpu_now *c, uint64_t at)
{
	uint64_t since = c->softirq_since_ns;

	return c->softirq_ns + (since && at > since ? at - since : 0);
}

/* By the clock since the last switch, without softirqs. */
static uint64_t wall_ns(const struct nt_cpu_threads *t, const struct nt_cpu_now *c, uint64_t at)
{
	uint64_t since = (c->since_ns ? c->since_ns : t->start_ns) + softirq_ns(c, at) - c->softirq_before_ns;

	return at > since ? at - since : 0;
}

/* CPU time of the slice that still runs. The kernel's figure is as old as its last tick: so as much as
 * a tick may be missing, but no more than the clock says. */
static uint64_t running_ns(const struct nt_cpu_threads *t, uint32_t cpu, uint64_t at)
{
	const struct nt_cpu_now *c = &t->now[cpu];
	uint64_t wall = wall_ns(t, c, at), exec;
	char path[48], text[128];

	if (t->foreign || t->nohz_full[cpu] || !c->since_writer)
		return wall;
	snprintf(path, sizeof(path), "/proc/%u/schedstat", c->tid);
	if (!nt_proc_read(path, text, sizeof(text)))
		return wall;
	exec = strtoull(text, NULL, 10);
	exec = (exec > c->exec_ns ? exec - c->exec_ns : 0) + t->tick_ns;
	return exec < wall ? exec : wall;
}

static void add_running(struct nt_cpu_threads *t, struct nt_cpu_shot *s, uint64_t at)
{
	size_t known = s->n;

	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		const struct nt_cpu_now *c = &t->now[cpu];
		struct nt_cpu_thread key = { .start = c->start_ns, .tid = c->tid, .cpu = cpu }, *row;

		if (!c->tid || !t->watched[cpu])
			continue;
		row = known ? bsearch(&key, s->row, known, sizeof(key), by_thread_cpu) : NULL;
		if (row && row->off_ns > c->since_ns)
			continue;	/* it ended before the entry was read, which has it */
		if (!row) {
			row = push(s);
			if (!row)
				return;
			*row = key;
			row->pid = c->tgid;
		}
		row->ns += running_ns(t, cpu, at);
	}
	sort(s, by_thread_cpu);
}

static int read_times(struct nt_run *r, struct nt_cpu_shot *s)
{
	int fd = nt_run_map_fd(r, "nt_cpu_times");
	struct nt_cpu_key key, *prev = NULL;

	for (uint32_t i = 0; i < 2 * nt_run_common(r)->max_entries &&
	     !bpf_map_get_next_key(fd, prev, &key); i++, prev = &key) {
		struct nt_cpu_time time;
		struct nt_cpu_thread *row;

		if (bpf_map_lookup_elem(fd, &key, &time))
			continue;
		row = push(s);
		if (!row)
			return -ENOMEM;
		*row = (struct nt_cpu_thread){ .start = key.start_ns, .tid = key.tid, .cpu = key.cpu,
			.pid = time.tgid, .ns = time.run_ns, .switches = time.switches, .off_ns = time.off_ns };
		memcpy(row->comm, time.comm, sizeof(row->comm));
	}
	sort(s, by_thread_cpu);
	return 0;
}

static int take_shot(struct nt_run *r, struct nt_cpu_threads *t, struct nt_cpu_shot *s)
{
	int rc;

	t->at_ns = nt_now_ns();
	if (!t->exact) {
		rc = scan_proc(s, false);
		sort(s, by_thread);
		return rc;
	}
	read_now(r, t);
	find_unseen(t);
	rc = read_times(r, s);
	if (!rc)
		add_running(t, s, t->at_ns);
	return rc;
}

void nt_cpu_threads_start(struct nt_run *r, struct nt_cpu_threads *t)
{
	struct nt_task_cfg cfg = { .start_ns = nt_now_ns() };

	t->exact = nt_run_hooked(r, "sched_switch") && nt_run_map_fd(r, "nt_cpu_times") >= 0;
	t->softirqs = t->exact && nt_run_hooked(r, "softirq_entry") && nt_run_hooked(r, "softirq_exit");
	t->start_ns = cfg.start_ns;
	if (t->exact)
		nt_task_write_cfg(r, &cfg);
	else
		take_shot(r, t, &t->base);
}

/* ---- spans ---- */
static void cut(struct nt_cpu_thread *row, uint64_t ns)
{
	row->ns -= ns;
	row->cut_ns += ns;
}

/* Cuts what the CPU had too much, from the threads that had it last. */
static void clip_cpu(struct nt_cpu_shot *s, uint32_t cpu, uint64_t excess)
{
	while (excess) {
		struct nt_cpu_thread *last = NULL;
		uint64_t ns;

		for (size_t i = 0; i < s->n; i++)
			if (s->row[i].cpu == cpu && s->row[i].ns && (!last || s->row[i].off_ns > last->off_ns))
				last = &s->row[i];
		if (!last)
			return;
		ns = excess < last->ns ? excess : last->ns;
		cut(last, ns);
		excess -= ns;
	}
}

void nt_cpu_clip(struct nt_cpu_shot *s, uint64_t span_ns, const uint64_t *softirq_ns, size_t n_cpus)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->row[i].ns > span_ns)
			cut(&s->row[i], s->row[i].ns - span_ns);
	for (uint32_t cpu = 0; cpu < n_cpus; cpu++) {
		uint64_t sum = softirq_ns[cpu];

		for (size_t i = 0; i < s->n; i++)
			if (s->row[i].cpu == cpu)
				sum += s->row[i].ns;
		if (sum > span_ns)
			clip_cpu(s, cpu, sum - span_ns);
	}
}

/* Room for others: threads that ended, and when the map is half full all that did not run. An entry
 * cannot change once its thread has ended. */
static bool forget(struct nt_run *r, const struct nt_cpu_threads *t, const struct nt_cpu_thread *row,
		   size_t entries)
{
	struct nt_cpu_key key = { row->start, row->tid, row->cpu };
	char path[32];

	if (!t->exact || t->now[row->cpu].tid == row->tid)
		return false;
	snprintf(path, sizeof(path), "/proc/%u", row->tid);
	if (entries < nt_run_common(r)->max_entries / 2 && (t->foreign || !access(path, F_OK)))
		return false;
	return !bpf_map_delete_elem(nt_run_map_fd(r, "nt_cpu_times"), &key);
}

static int by_time(const void *a, const void *b)
{
	const struct nt_cpu_thread *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	return by_thread_cpu(a, b);
}

/* One snapshot's row, place its index there, and the one that it rises from (NULL: none); false: it did not
 * rise. */
static bool add_rise(struct nt_cpu_shot *out, struct nt_cpu_thread *now, const struct nt_cpu_thread *before,
		     size_t place)
{
	uint64_t ns = before ? before->ns : 0, switches = before ? before->switches : 0;
	struct nt_cpu_thread *row;

	if (now->ns < ns)
		now->ns = ns;	/* too much was taken for a slice that still ran */
	if (now->ns == ns && now->switches == switches)
		return false;
	row = push(out);
	if (row) {
		*row = *now;
		row->ns -= ns;
		row->switches -= switches;
		row->place = place;
	}
	return true;
}

/* The row of the last snapshot. One that had been found by find_unseen() has no start. */
static const struct nt_cpu_thread *find_before(const struct nt_cpu_threads *t, const struct nt_cpu_thread *now)
{
	struct nt_cpu_thread unseen = { .tid = now->tid, .cpu = now->cpu };
	const struct nt_cpu_thread *row;

	if (!t->base.n)
		return NULL;
	row = bsearch(now, t->base.row, t->base.n, sizeof(*now), order(t));
	return row || !t->exact ? row : bsearch(&unseen, t->base.row, t->base.n, sizeof(unseen), order(t));
}

static size_t find_rises(struct nt_run *r, struct nt_cpu_threads *t, bool keep, struct nt_cpu_shot *now,
			 struct nt_cpu_shot *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < now->n; i++) {
		const struct nt_cpu_thread *before = find_before(t, &now->row[i]);

		if (!add_rise(out, &now->row[i], before, kept) && !keep && before && forget(r, t, &now->row[i], now->n))
			continue;
		now->row[kept++] = now->row[i];
	}
	return kept;
}

/* Never more than the span, of which a copy may be a little newer. */
static uint64_t rise_of(uint64_t now, uint64_t *base, uint64_t span, bool keep)
{
	uint64_t rise = now > *base ? now - *base : 0;

	if (rise > span)
		rise = span;
	if (!keep)
		*base += rise;
	return rise;
}

static void find_others(struct nt_cpu_threads *t, bool keep, uint64_t span)
{
	for (size_t i = 0; i < t->n_cpus; i++) {
		const struct nt_cpu_now *c = &t->now[i];
		bool idles = !c->tid && c->since_ns == c->since_writer;
		uint64_t idle = c->idle_ns + (idles ? wall_ns(t, c, t->at_ns) : 0);

		t->softirq_ns[i] = rise_of(softirq_ns(c, t->at_ns), &t->softirq_base[i], span, keep);
		t->idle_ns[i] = rise_of(idle, &t->idle_base[i], span, keep);
	}
}

int nt_cpu_threads_rise(struct nt_run *r, struct nt_cpu_threads *t, bool keep, struct nt_cpu_shot *out)
{
	uint64_t since = keep ? t->start_ns : t->at_ns;
	struct nt_cpu_shot now = { 0 };
	int rc = take_shot(r, t, &now);

	find_others(t, keep, t->at_ns - since);
	now.n = find_rises(r, t, keep, &now, out);
	for (size_t i = 0; i < out->n; i++)	/* who runs now had the CPU last */
		if (t->exact && t->now[out->row[i].cpu].tid == out->row[i].tid)
			out->row[i].off_ns = UINT64_MAX;
	nt_cpu_clip(out, t->at_ns - since, t->softirq_ns, t->exact ? t->n_cpus : 0);
	for (size_t i = 0; i < out->n; i++)
		now.row[out->row[i].place].ns -= out->row[i].cut_ns;
	if (keep) {
		free(now.row);
	} else {
		free(t->base.row);
		t->base = now;
	}
	if (out->n)
		qsort(out->row, out->n, sizeof(*out->row), by_time);
	return rc;
}
