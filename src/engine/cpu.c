/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu.h"

#define DRAIN_NS 100000000ULL

struct cpu_summary {			/* of the whole run */
	double max_busy;
	uint64_t hot;			/* intervals */
};

struct cpu_priv {
	size_t n;			/* possible CPUs */
	bool *watched, *siblings;	/* siblings: n flags of each CPU */
	struct nt_cpu_ticks *first, *base, *now;	/* one more than CPUs: the machine's */
	struct nt_cpu_threads threads;
	struct nt_cpu_profile *profile;
	struct nt_cpu_row *row;
	struct cpu_summary *summary;
	uint64_t since_ns, first_ns, intervals, profiles;
};

static const struct nt_cpu_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* ---- the command line ---- */
static bool called_fast(const struct nt_run *r)
{
	return !strncmp(nt_run_called_as(r), "fast", 4);
}

static void name_log(struct nt_run *r, struct nt_cpu_opts *o)
{
	static char name[64];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(name, sizeof(name), called_fast(r) ? "fast_cpu_monitor_%Y%m%d_%H%M%S.log"
						    : "cpu_monitor_%Y%m%d_%H%M%S.log", &tm);
	nt_run_common(r)->output = o->log_file ? o->log_file : name;
}

int nt_cpu_check(struct nt_run *r, struct nt_err *err)
{
	struct nt_cpu_opts *o = nt_run_opts_rw(r);
	size_t n = nt_run_cpus(r);
	bool *set = calloc(n, sizeof(*set));
	int rc = set ? nt_cpu_wanted(&opts_of(r)->cpus, "cpus", set, n, err) : -ENOMEM;

	free(set);
	if (rc)
		return rc;
	if (o->profile_dir && !*o->profile_dir)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "bad value for --perf-output: \"\": give a folder");
	if (!nt_run_given(r, "interval") && called_fast(r))
		nt_run_common(r)->interval_ns = 2000000000ULL;
	if (called_fast(r) && !nt_run_given(r, "show-above"))
		o->show_above_pct = o->threshold_pct;
	if (!called_fast(r) && !nt_run_given(r, "profile-above"))
		o->profile_above_pct = o->threshold_pct;
	if ((o->log || o->log_file) && nt_run_common(r)->output)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				  "contradicting options: --log or --log-file, and --output: give one of them");
	if (o->log || o->log_file)
		name_log(r, o);
	return 0;
}

/* ---- start ---- */
static int make_room(struct nt_run *r, struct nt_err *err)
{
	struct cpu_priv *p = nt_run_priv(r);
	int rc;

	if (p->n)
		return 0;
	p->n = nt_run_cpus(r);
	p->watched = calloc(p->n, sizeof(*p->watched));
	p->siblings = calloc(p->n * p->n, sizeof(*p->siblings));
	p->first = calloc(3 * (p->n + 1), sizeof(*p->first));
	p->row = calloc(p->n, sizeof(*p->row));
	p->summary = calloc(p->n, sizeof(*p->summary));
	if (!p->watched || !p->siblings || !p->first || !p->row || !p->summary)
		return -ENOMEM;
	p->base = p->first + p->n + 1;
	p->now = p->base + p->n + 1;
	rc = nt_cpu_wanted(&opts_of(r)->cpus, "cpus", p->watched, p->n, err);
	for (uint32_t i = 0; i < p->n; i++)
		nt_cpu_siblings(i, p->siblings + i * p->n, p->n);
	return rc ? rc : nt_cpu_threads_open(&p->threads, p->watched, p->n);
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	(void)err;
	nt_run_map_entries(r, "nt_tasks", 1);	/* all threads are wanted */
	return 0;
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct cpu_priv *p = nt_run_priv(r);
	int rc = make_room(r, err);

	return rc ? rc : nt_cpu_threads_prepare(r, &p->threads);
}

static void fail(struct nt_run *r, const char *what, int rc)
{
	struct nt_err e = { .text = "" };

	nt_err_set(&e, NT_EXIT_RUNTIME, -rc, "%s: %s", what, strerror(-rc));
	nt_run_fail(r, &e);
}

static void baseline(struct nt_run *r)
{
	struct cpu_priv *p = nt_run_priv(r);
	struct nt_err err = { .text = "" };
	int rc = make_room(r, &err);

	if (!rc)
		rc = nt_cpu_stat_read(p->first, p->n, &p->first[p->n]);
	if (rc < 0) {
		fail(r, "cannot read /proc/stat", rc);
		return;
	}
	memcpy(p->base, p->first, (p->n + 1) * sizeof(*p->base));
	if (opts_of(r)->profile_above_pct > 0) {
		nt_run_ksyms(r);	/* reads them now: later it would be part of the load */
		p->profile = nt_cpu_profile_open(r, p->watched, &err);
		if (!p->profile)
			nt_run_fail(r, &err);
	}
	nt_cpu_threads_start(r, &p->threads);
	p->since_ns = p->first_ns = p->threads.at_ns = p->threads.start_ns;
}

static void drain(struct nt_run *r, int timer, void *unused)
{
	struct cpu_priv *p = nt_run_priv(r);

	(void)timer;
	(void)unused;
	nt_cpu_profile_drain(r, p->profile);
}

static void started(struct nt_run *r)
{
	struct cpu_priv *p = nt_run_priv(r);
	int rc = p->profile ? nt_run_timer(r, DRAIN_NS, DRAIN_NS, drain, NULL) : 0;

	if (rc < 0)
		fail(r, "cannot make a timer", rc);
}

/* ---- a span ---- */
static void name_siblings(struct cpu_priv *p, struct nt_cpu_row *row)
{
	size_t len = 0;

	row->siblings[0] = '\0';
	for (uint32_t i = 0; i < p->n && len < sizeof(row->siblings) - 20; i++)
		if (row->sibling[i] && p->row[i].online)
			len += (size_t)snprintf(row->siblings + len, sizeof(row->siblings) - len, "%s%u: %.1f",
						len ? " " : "", i, p->row[i].share.busy);
}

static void fill_rows(struct nt_run *r, const struct nt_cpu_ticks *base, const struct nt_cpu_shot *threads,
		      double seconds)
{
	struct cpu_priv *p = nt_run_priv(r);
	const struct nt_cpu_opts *o = opts_of(r);

	for (uint32_t i = 0; i < p->n; i++) {
		struct nt_cpu_row *row = &p->row[i];

		memset(row, 0, sizeof(*row));
		row->cpu = i;
		row->sibling = p->siblings + i * p->n;
		row->online = p->now[i].online;
		nt_cpu_share(&row->share, &base[i], &p->now[i]);
		row->shown = row->share.busy >= o->show_above_pct;
		row->hot = p->watched[i] && row->online && o->profile_above_pct > 0 &&
			   row->share.busy >= o->profile_above_pct;
	}
	for (uint32_t i = 0; i < p->n; i++) {
		p->row[i].softirq_pct = (double)p->threads.softirq_ns[i] / seconds / 1e7;
		p->row[i].idle_pct = (double)p->threads.idle_ns[i] / seconds / 1e7;
	}
	for (size_t i = 0; i < threads->n; i++)
		if (threads->row[i].cpu < p->n)
			p->row[threads->row[i].cpu].threads_pct += (double)threads->row[i].ns / seconds / 1e7;
	for (uint32_t i = 0; i < p->n; i++)
		name_siblings(p, &p->row[i]);
}

static void write_profiles(struct nt_run *r, const struct nt_cpu_shot *threads, double seconds)
{
	struct cpu_priv *p = nt_run_priv(r);

	if (!p->profile)
		return;
	nt_cpu_profile_drain(r, p->profile);
	for (uint32_t i = 0; i < p->n; i++) {
		struct nt_cpu_row *row = &p->row[i];
		const char *path;

		if (!row->hot)
			continue;
		path = nt_cpu_profile_write(r, p->profile, i, row->share.busy, seconds, threads, &row->samples);
		if (path) {
			snprintf(row->path, sizeof(row->path), "%s", path);
			p->profiles++;
		}
	}
	nt_cpu_profile_clear(p->profile);
}

static void summarise(struct cpu_priv *p)
{
	p->intervals++;
	for (size_t i = 0; i < p->n; i++) {
		if (p->row[i].share.busy > p->summary[i].max_busy)
			p->summary[i].max_busy = p->row[i].share.busy;
		p->summary[i].hot += p->row[i].hot;
	}
}

static void interval(struct nt_run *r, bool final)
{
	struct cpu_priv *p = nt_run_priv(r);
	bool keep = nt_run_common(r)->cumulative;
	const struct nt_cpu_ticks *base = keep ? p->first : p->base;
	struct nt_cpu_shot threads = { 0 };
	struct nt_cpu_view v = { .row = p->row, .watched = p->watched, .n_cpus = p->n, .threads = &threads,
				 .exact = p->threads.exact, .softirqs = p->threads.softirqs, .profiling = p->profile };
	int rc = nt_cpu_stat_read(p->now, p->n, &p->now[p->n]);

	(void)final;
	if (rc >= 0)
		rc = nt_cpu_threads_rise(r, &p->threads, keep, &threads);
	if (rc < 0)
		fail(r, "cannot read the load", rc);
	v.seconds = (double)(p->threads.at_ns - (keep ? p->first_ns : p->since_ns)) / 1e9;
	fill_rows(r, base, &threads, v.seconds);
	write_profiles(r, &threads, v.seconds);
	nt_cpu_share(&v.total, &base[p->n], &p->now[p->n]);
	nt_cpu_show(r, &v);
	summarise(p);
	memcpy(p->base, p->now, (p->n + 1) * sizeof(*p->base));
	p->since_ns = p->threads.at_ns;
	free(threads.row);
}

/* ---- end ---- */
static void end(struct nt_run *r)
{
	struct cpu_priv *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);
	struct nt_cpu_share share;

	if (!p->now)
		return;
	nt_json_u64(o, "intervals", p->intervals);
	nt_json_u64(o, "profiles", p->profiles);
	nt_json_arr(o, "cpus");
	for (uint32_t i = 0; i < p->n; i++) {
		if (!p->watched[i] || !p->first[i].online || !p->base[i].online)
			continue;
		nt_cpu_share(&share, &p->first[i], &p->base[i]);
		nt_json_obj(o, NULL);
		nt_json_u64(o, "cpu", i);
		nt_cpu_show_share(o, &share);
		nt_json_f64(o, "max_usage_pct", p->summary[i].max_busy, 2);
		if (p->profile)
			nt_json_u64(o, "hot_intervals", p->summary[i].hot);
		nt_json_obj_end(o);
		nt_text(o, "CPU %u: busy %.1f %%, at most %.1f %% in an interval", i, share.busy, p->summary[i].max_busy);
		nt_text(o, p->profile ? ", profiled in %llu of %llu\n" : "\n", (unsigned long long)p->summary[i].hot,
			(unsigned long long)p->intervals);
	}
	nt_json_arr_end(o);
}

static void release(struct nt_run *r)
{
	struct cpu_priv *p = nt_run_priv(r);

	nt_cpu_profile_close(p->profile);
	nt_cpu_threads_close(&p->threads);
	free(p->watched);
	free(p->siblings);
	free(p->first);
	free(p->row);
	free(p->summary);
}

const struct nt_engine nt_cpu_engine = {
	.name = "cpu",
	.priv_size = sizeof(struct cpu_priv),
	.aggregates = true,
	.configure = configure,
	.prepare = prepare,
	.baseline = baseline,
	.started = started,
	.interval = interval,
	.end = end,
	.release = release,
};
