/* SPDX-License-Identifier: GPL-2.0 */
/* Engine of ksoftirqd_sched_latency: finds the threads, takes snapshots, subtracts them. */
#include "softirqd.h"

#include <bpf/bpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/cpu.h"
#include "nettrace/task.h"

#define PF_KTHREAD 0x00200000	/* include/linux/sched.h */

static const struct nt_softirqd_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

bool nt_softirqd_wants_vectors(const void *opts)
{
	return ((const struct nt_softirqd_opts *)opts)->vectors;
}

/* ---- options ---- */
int nt_softirqd_check(struct nt_run *r, struct nt_err *err)
{
	struct nt_softirqd_priv *p = nt_run_priv(r);

	p->n_cpus = nt_run_cpus(r);
	p->cpu = calloc(p->n_cpus, sizeof(*p->cpu));
	if (!p->cpu)
		return nt_err_set(err, NT_EXIT_RUNTIME, ENOMEM, "no memory for the list of CPUs");
	return nt_cpu_wanted(&opts_of(r)->cpus, "cpu", p->cpu, p->n_cpus, err);
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	(void)err;
	nt_run_const(r, NT_CONST_TOOL0, 0);
	nt_run_const(r, NT_CONST_TOOL1, opts_of(r)->threshold_us * 1000ULL);
	return nt_task_check_namespace(err);
}

/* ---- threads ---- */
static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool nt_softirqd_is(const char *stat, bool napi, char *comm, int *cpu)
{
	const char *open = strchr(stat, '('), *close = strrchr(stat, ')'), *number;
	unsigned int flags;
	size_t n;

	if (!open || !close || close < open ||
	    sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 || !(flags & PF_KTHREAD))
		return false;
	n = (size_t)(close - open - 1);
	n = n < 16 ? n : 15;
	memcpy(comm, open + 1, n);
	comm[n] = '\0';
	*cpu = -1;
	if (napi && has_prefix(comm, "napi/"))
		return true;
	if (!has_prefix(comm, "ksoftirqd/") && !(napi && has_prefix(comm, "backlog_napi/")))
		return false;
	number = strchr(comm, '/') + 1;
	if (!isdigit((unsigned char)*number))
		return false;
	*cpu = atoi(number);
	return true;
}

static bool is_watched(const struct nt_softirqd_priv *p, uint32_t tid)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->thread[i].tid == tid)
			return true;
	return false;
}

/* Threads of no CPU belong to all of them. */
static bool is_wanted(const struct nt_softirqd_priv *p, const struct nt_softirqd_opts *o, int cpu)
{
	if (cpu < 0)
		return !o->cpus.n;
	return !p->cpu || ((size_t)cpu < p->n_cpus && p->cpu[cpu]);
}

static void watch(struct nt_run *r, uint32_t tid, int cpu, const char *comm)
{
	static const struct nt_softirqd zero;
	struct nt_softirqd_priv *p = nt_run_priv(r);
	struct nt_softirqd s = zero;
	struct nt_softirqd_row *grown = realloc(p->thread, (p->n + 1) * sizeof(*grown));

	if (!grown)
		return;
	p->thread = grown;
	memset(&grown[p->n], 0, sizeof(*grown));
	grown[p->n].tid = tid;
	grown[p->n].cpu = cpu;
	snprintf(grown[p->n].comm, sizeof(grown->comm), "%s", comm);
	s.cpu = (uint32_t)cpu;
	if (bpf_map_update_elem(nt_run_map_fd(r, "nt_softirqds"), &tid, &s, BPF_NOEXIST))
		nt_run_lost(r, NT_STAT_MAP_FULL, 1);
	p->n++;
}

static int look_at(void *arg, uint32_t pid)
{
	struct nt_run *r = arg;
	struct nt_softirqd_priv *p = nt_run_priv(r);
	char path[40], stat[512], comm[16];
	int cpu;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	if (!is_watched(p, pid) && nt_proc_read(path, stat, sizeof(stat)) &&
	    nt_softirqd_is(stat, opts_of(r)->napi, comm, &cpu) && is_wanted(p, opts_of(r), cpu))
		watch(r, pid, cpu, comm);
	return 0;
}

/* Also those of CPUs that have come since. */
static void find_threads(struct nt_run *r)
{
	nt_proc_each(look_at, r);
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_softirqd_priv *p = nt_run_priv(r);

	p->n = 0;
	p->cfg.start_ns = nt_now_ns();
	p->cfg.sample = 1;
	find_threads(r);
	if (!p->n)
		return nt_err_set(err, NT_EXIT_UNSUPPORTED, ENOENT,
			"no ksoftirqd: /proc: run it in the initial PID namespace, and give CPUs that are online");
	return nt_task_write_cfg(r, &p->cfg);
}

/* ---- snapshots ---- */
static void take_thread(struct nt_run *r, struct nt_softirqd_row *row)
{
	struct nt_softirqd_priv *p = nt_run_priv(r);
	struct nt_softirqd s;

	nt_hist_init(&row->wake);
	nt_hist_init(&row->preempted);
	if (bpf_map_lookup_elem(nt_run_map_fd(r, "nt_softirqds"), &row->tid, &s))
		return;
	row->wakeups = s.wakeups;
	row->wakeups_again = s.wakeups_again;
	row->runs = s.runs;
	row->preemptions = s.preemptions;
	row->run_ns = s.run_ns;
	row->over = s.over;
	row->worst = s.worst_sample.sample == p->cfg.sample ? s.worst_sample : (struct nt_sched_worst){ 0 };
	nt_hist_merge(&row->wake, &s.wake);
	nt_hist_merge(&row->preempted, &s.preempted);
}

static void take_culprits(struct nt_run *r, struct nt_softirqd_shot *s)
{
	int fd = nt_run_map_fd(r, "nt_culprits");
	struct nt_softirqd_culprit key, *prev = NULL;
	size_t cap = 0;

	for (; !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		if (s->n_culprits == cap) {
			struct nt_softirqd_culprit_row *grown;

			grown = realloc(s->culprit, (cap = cap ? 2 * cap : 16) * sizeof(*grown));
			if (!grown)
				return;
			s->culprit = grown;
		}
		s->culprit[s->n_culprits].key = key;
		if (!bpf_map_lookup_elem(fd, &key, &s->culprit[s->n_culprits].blame))
			s->n_culprits++;
	}
}

static void take_vectors(struct nt_run *r, struct nt_softirqd_shot *s)
{
	struct nt_softirq_vec *cpus = calloc(nt_run_cpus(r), sizeof(*cpus));
	int fd = nt_run_map_fd(r, "nt_softirq_vecs");

	for (uint32_t i = 0; cpus && i < NT_SOFTIRQS; i++) {
		nt_run_hist(r, "nt_hists", i, &s->vec[i].hist);
		if (bpf_map_lookup_elem(fd, &i, cpus))
			continue;
		for (uint32_t c = 0; c < nt_run_cpus(r); c++) {
			s->vec[i].runs += cpus[c].runs;
			s->vec[i].in_thread += cpus[c].in_thread;
		}
	}
	free(cpus);
}

static void take(struct nt_run *r, struct nt_softirqd_shot *s)
{
	struct nt_softirqd_priv *p = nt_run_priv(r);

	memset(s, 0, sizeof(*s));
	s->row = calloc(p->n + 1, sizeof(*s->row));
	for (size_t i = 0; s->row && i < p->n; i++) {
		s->row[i] = p->thread[i];
		take_thread(r, &s->row[i]);
		s->n++;
	}
	take_culprits(r, s);
	if (opts_of(r)->vectors)
		take_vectors(r, s);
}

static void forget(struct nt_softirqd_shot *s)
{
	free(s->row);
	free(s->culprit);
	memset(s, 0, sizeof(*s));
}

/* ---- differences ---- */
static void subtract_row(struct nt_softirqd_row *row, const struct nt_softirqd_row *was)
{
	row->wakeups -= was->wakeups;
	row->wakeups_again -= was->wakeups_again;
	row->runs -= was->runs;
	row->preemptions -= was->preemptions;
	row->run_ns -= was->run_ns;
	row->over -= was->over;
	nt_hist_diff(&row->wake, &row->wake, &was->wake);
	nt_hist_diff(&row->preempted, &row->preempted, &was->preempted);
}

static void subtract_culprits(struct nt_softirqd_shot *s, const struct nt_softirqd_shot *last)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_culprits; i++) {
		struct nt_softirqd_culprit_row row = s->culprit[i];

		for (size_t k = 0; k < last->n_culprits; k++) {
			if (memcmp(&last->culprit[k].key, &row.key, sizeof(row.key)) != 0)
				continue;
			row.blame.delays -= last->culprit[k].blame.delays;
			row.blame.delay_ns -= last->culprit[k].blame.delay_ns;
		}
		if (row.blame.delays)
			s->culprit[n++] = row;
	}
	s->n_culprits = n;
}

/* The threads of a snapshot are those of the one before, and new ones behind. */
static void subtract(struct nt_softirqd_shot *s, const struct nt_softirqd_shot *last)
{
	for (size_t i = 0; i < last->n && i < s->n; i++)
		subtract_row(&s->row[i], &last->row[i]);
	subtract_culprits(s, last);
	for (size_t i = 0; i < NT_SOFTIRQS; i++) {
		s->vec[i].runs -= last->vec[i].runs;
		s->vec[i].in_thread -= last->vec[i].in_thread;
		nt_hist_diff(&s->vec[i].hist, &s->vec[i].hist, &last->vec[i].hist);
	}
}

static bool copy(struct nt_softirqd_shot *to, const struct nt_softirqd_shot *from)
{
	*to = *from;
	to->row = malloc((from->n + 1) * sizeof(*to->row));
	to->culprit = malloc((from->n_culprits + 1) * sizeof(*to->culprit));
	if (!to->row || !to->culprit) {
		forget(to);
		return false;
	}
	memcpy(to->row, from->row, from->n * sizeof(*to->row));
	if (from->n_culprits)
		memcpy(to->culprit, from->culprit, from->n_culprits * sizeof(*to->culprit));
	return true;
}

/* ---- the engine ---- */
static void started(struct nt_run *r)
{
	nt_softirqd_stream_open(r);
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	struct nt_sched_event e;

	(void)size;
	memset(&e, 0, sizeof(e));
	memcpy(&e, data, offsetof(struct nt_sched_event, stack));
	nt_softirqd_show_event(r, &e);
}

static void interval(struct nt_run *r, bool final)
{
	struct nt_softirqd_priv *p = nt_run_priv(r);
	struct nt_softirqd_shot now, shown;

	take(r, &now);
	if (copy(&shown, &now)) {
		if (!nt_run_common(r)->cumulative)
			subtract(&shown, &p->last);
		nt_softirqd_show(r, &shown);
		forget(&shown);
	}
	forget(&p->last);
	p->last = now;
	p->reports++;
	if (final)
		return;
	p->cfg.sample++;
	nt_task_write_cfg(r, &p->cfg);
	find_threads(r);
}

static void take_worst(struct nt_run *r, struct nt_softirqd_row *row)
{
	struct nt_softirqd s;

	if (!bpf_map_lookup_elem(nt_run_map_fd(r, "nt_softirqds"), &row->tid, &s))
		row->worst = s.worst;
}

static void end(struct nt_run *r)
{
	struct nt_softirqd_priv *p = nt_run_priv(r);
	struct nt_softirqd_shot all;

	take(r, &all);
	for (size_t i = 0; i < all.n; i++)
		take_worst(r, &all.row[i]);
	if (p->reports)
		nt_text(nt_run_out(r), "since the start:\n");
	nt_softirqd_show(r, &all);
	forget(&all);
}

static void release(struct nt_run *r)
{
	struct nt_softirqd_priv *p = nt_run_priv(r);

	nt_stream_free(p->stream);
	forget(&p->last);
	free(p->thread);
	free(p->cpu);
}

const struct nt_engine nt_softirqd_engine = {
	.name = "softirqd",
	.priv_size = sizeof(struct nt_softirqd_priv),
	.aggregates = true,
	.configure = configure,
	.prepare = prepare,
	.started = started,
	.event = event,
	.min_event = offsetof(struct nt_sched_event, stack),
	.interval = interval,
	.end = end,
	.release = release,
};
