/* SPDX-License-Identifier: GPL-2.0 */
/* Tables, records and single delays of ksoftirqd_sched_latency. */
#include <stdlib.h>
#include <string.h>

#include "softirqd.h"

/* ---- threads ---- */
struct text_row {
	char comm[16];
	uint64_t wakeups, runs, preemptions, over, p50, p99, max, preempted_max;
	double over_pct;
	char behind[16];
};

#define T(member) offsetof(struct text_row, member)
static const struct nt_field text_fields[] = {
	{ .name = "thread", .kind = NT_K_COMM, .off = T(comm) },
	{ .name = "wakeups", .kind = NT_K_U64, .off = T(wakeups), .flags = NT_F_GROUP },
	{ .name = "runs", .kind = NT_K_U64, .off = T(runs), .flags = NT_F_GROUP },
	{ .name = "preempted", .label = "preempt", .kind = NT_K_U64, .off = T(preemptions), .flags = NT_F_GROUP },
	{ .name = "p50", .label = "wait p50", .kind = NT_K_NS_AS_US, .off = T(p50), .flags = NT_F_IF_NONZERO },
	{ .name = "p99", .kind = NT_K_NS_AS_US, .off = T(p99), .flags = NT_F_IF_NONZERO },
	{ .name = "max", .kind = NT_K_NS_AS_US, .off = T(max), .flags = NT_F_IF_NONZERO },
	{ .name = "over", .kind = NT_K_U64, .off = T(over), .flags = NT_F_GROUP },
	{ .name = "over%", .kind = NT_K_F64, .off = T(over_pct), .decimals = 1 },
	{ .name = "worst behind", .kind = NT_K_COMM, .off = T(behind) },
};

static void both(const struct nt_softirqd_row *row, struct nt_hist *all)
{
	nt_hist_init(all);
	nt_hist_join(all, &row->wake);
	nt_hist_join(all, &row->preempted);
	if (row->worst.delay_ns && row->worst.delay_ns >= all->max / 17 * 16)
		all->max = row->worst.delay_ns;		/* of a difference only the bucket is known */
}

static void behind(const struct nt_sched_worst *w, char *buf, size_t size)
{
	if (!w->delay_ns)
		snprintf(buf, size, "-");
	else
		snprintf(buf, size, "%.15s", w->before_tid ? w->before_comm : "(idle)");
}

static void fill(struct text_row *t, const char *name, const struct nt_softirqd_row *row, const struct nt_hist *all)
{
	*t = (struct text_row){
		.wakeups = row->wakeups, .runs = row->runs, .preemptions = row->preemptions, .over = row->over,
		.over_pct = all->count ? 100 * (double)row->over / (double)all->count : 0,
		.max = all->max,
		.p50 = nt_hist_quantile(all, .50), .p99 = nt_hist_quantile(all, .99),
	};
	snprintf(t->comm, sizeof(t->comm), "%s", name);
	behind(&row->worst, t->behind, sizeof(t->behind));
}

static void add(struct nt_softirqd_row *sum, const struct nt_softirqd_row *row)
{
	sum->wakeups += row->wakeups;
	sum->wakeups_again += row->wakeups_again;
	sum->runs += row->runs;
	sum->preemptions += row->preemptions;
	sum->run_ns += row->run_ns;
	sum->over += row->over;
	nt_hist_join(&sum->wake, &row->wake);
	nt_hist_join(&sum->preempted, &row->preempted);
	if (row->worst.delay_ns > sum->worst.delay_ns)
		sum->worst = row->worst;
}

static void sum_of(const struct nt_softirqd_shot *s, struct nt_softirqd_row *sum)
{
	memset(sum, 0, sizeof(*sum));
	nt_hist_init(&sum->wake);
	nt_hist_init(&sum->preempted);
	for (size_t i = 0; i < s->n; i++)
		add(sum, &s->row[i]);
}

static void threads_text(struct nt_run *r, const struct nt_softirqd_shot *s, const struct nt_softirqd_row *sum)
{
	struct text_row *row = calloc(s->n + 1, sizeof(*row));
	static struct nt_hist all;
	size_t n = 0, idle = 0;

	for (size_t i = 0; row && i < s->n; i++) {
		both(&s->row[i], &all);
		if (s->row[i].runs || s->row[i].wakeups)
			fill(&row[n++], s->row[i].comm, &s->row[i], &all);
		else
			idle++;
	}
	both(sum, &all);
	if (row)
		fill(&row[n++], "all", sum, &all);
	nt_table(nt_run_out(r), nt_run_names(r), NULL, NULL, text_fields, NT_COUNT(text_fields), row, sizeof(*row), n);
	if (idle)
		nt_text(nt_run_out(r), "%zu more threads had nothing to do\n", idle);
	if (all.count)
		nt_hist_text(nt_run_out(r), "wait for the CPU, of all", &all, "us", 1000.0);
	free(row);
}

#define R(member) offsetof(struct nt_softirqd_row, member)
static const struct nt_field fields[] = {
	{ .name = "comm", .kind = NT_K_COMM, .off = R(comm) },
	{ .name = "tid", .kind = NT_K_U32, .off = R(tid) },
	{ .name = "cpu", .kind = NT_K_I32, .off = R(cpu) },
	{ .name = "wakeups", .kind = NT_K_U64, .off = R(wakeups) },
	{ .name = "wakeups_again", .kind = NT_K_U64, .off = R(wakeups_again) },
	{ .name = "runs", .kind = NT_K_U64, .off = R(runs) },
	{ .name = "preemptions", .kind = NT_K_U64, .off = R(preemptions) },
	{ .name = "over_threshold", .kind = NT_K_U64, .off = R(over) },
};
static const struct nt_field worst_fields[] = {		/* only where there was a delay */
	{ .name = "max_us", .kind = NT_K_NS_AS_US, .off = R(worst.delay_ns) },
	{ .name = "behind_comm", .kind = NT_K_COMM, .off = R(worst.before_comm) },
	{ .name = "behind_tid", .kind = NT_K_U32, .off = R(worst.before_tid) },
	{ .name = "behind_ran_us", .kind = NT_K_NS_AS_US, .off = R(worst.before_ns) },
};

static void row_json(struct nt_run *r, const struct nt_softirqd_row *row, size_t first)
{
	struct nt_out *o = nt_run_out(r);
	static struct nt_hist all;

	both(row, &all);
	nt_fields_json(o, nt_run_names(r), fields + first, NT_COUNT(fields) - first, row);
	nt_json_f64(o, "over_threshold_pct", all.count ? 100 * (double)row->over / (double)all.count : 0, 2);
	nt_json_f64(o, "runtime_ms", (double)row->run_ns / 1e6, 3);
	if (row->worst.delay_ns)
		nt_fields_json(o, nt_run_names(r), worst_fields, NT_COUNT(worst_fields), row);
	nt_hist_json(o, "wait", &all, "us", 1000.0);
	nt_hist_json(o, "wait_woken", &row->wake, "us", 1000.0);
	nt_hist_json(o, "wait_preempted", &row->preempted, "us", 1000.0);
}

static void threads_json(struct nt_run *r, const struct nt_softirqd_shot *s, const struct nt_softirqd_row *sum)
{
	struct nt_out *o = nt_run_out(r);

	row_json(r, sum, 3);	/* without the thread's own members */
	nt_json_arr(o, "threads");
	for (size_t i = 0; i < s->n; i++) {
		nt_json_obj(o, NULL);
		row_json(r, &s->row[i], 0);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

/* ---- who had the CPU ---- */
#define C(member) offsetof(struct nt_softirqd_culprit_row, member)
static const struct nt_field culprit_fields[] = {
	{ .name = "comm", .label = "had the CPU", .kind = NT_K_COMM, .off = C(key.comm) },
	{ .name = "tid", .kind = NT_K_U32, .off = C(key.tid) },
	{ .name = "cpu", .kind = NT_K_U32, .off = C(key.cpu) },
	{ .name = "delays", .kind = NT_K_U64, .off = C(blame.delays), .flags = NT_F_GROUP },
	{ .name = "delay_us", .label = "delay", .kind = NT_K_NS_AS_US, .off = C(blame.delay_ns) },
	{ .name = "max_us", .label = "max so far", .kind = NT_K_NS_AS_US, .off = C(blame.max_ns) },
};

static int by_delay(const void *a, const void *b)
{
	const struct nt_softirqd_culprit_row *x = a, *y = b;

	return x->blame.delay_ns < y->blame.delay_ns ? 1 : x->blame.delay_ns > y->blame.delay_ns ? -1 : 0;
}

static void culprits(struct nt_run *r, const struct nt_softirqd_shot *s)
{
	const struct nt_softirqd_opts *o = nt_run_opts(r);
	size_t n = s->n_culprits < nt_run_common(r)->top ? s->n_culprits : nt_run_common(r)->top;
	char title[80];

	if (s->n_culprits)
		qsort(s->culprit, s->n_culprits, sizeof(*s->culprit), by_delay);
	if (!n && nt_out_format(nt_run_out(r)) == NT_TEXT)
		return;
	snprintf(title, sizeof(title), "delays of %u us or more, by who had the CPU", o->threshold_us);
	nt_table(nt_run_out(r), nt_run_names(r), "culprits", title, culprit_fields, NT_COUNT(culprit_fields), s->culprit,
		 sizeof(*s->culprit), n);
}

/* ---- kinds of work ---- */
static const char *const vec_names[] = { "hi", "timer", "net_tx", "net_rx", "block", "irq_poll", "tasklet", "sched",
					 "hrtimer", "rcu" };

struct vec_text {
	const char *name;
	uint64_t runs, in_thread, p50, p99, max;
	double pct;
};
#define V(member) offsetof(struct vec_text, member)
static const struct nt_field vec_fields[] = {
	{ .name = "softirq", .kind = NT_K_CSTR, .off = V(name) },
	{ .name = "runs", .kind = NT_K_U64, .off = V(runs), .flags = NT_F_GROUP },
	{ .name = "in_thread", .label = "in thread", .kind = NT_K_U64, .off = V(in_thread), .flags = NT_F_GROUP },
	{ .name = "in_thread_pct", .label = "%", .kind = NT_K_F64, .off = V(pct), .decimals = 1 },
	{ .name = "p50", .label = "raise to run p50", .kind = NT_K_NS_AS_US, .off = V(p50) },
	{ .name = "p99", .kind = NT_K_NS_AS_US, .off = V(p99) },
	{ .name = "max", .kind = NT_K_NS_AS_US, .off = V(max) },
};

static double pct_of(uint64_t part, uint64_t all)
{
	return all ? 100 * (double)part / (double)all : 0;
}

static void vectors_json(struct nt_out *o, const struct nt_softirqd_shot *s)
{
	nt_json_arr(o, "vectors");
	for (size_t i = 0; i < NT_SOFTIRQS; i++) {
		const struct nt_softirqd_vec_row *v = &s->vec[i];

		if (!v->runs)
			continue;
		nt_json_obj(o, NULL);
		nt_json_str(o, "softirq", vec_names[i]);
		nt_json_u64(o, "runs", v->runs);
		nt_json_u64(o, "in_thread", v->in_thread);
		nt_json_f64(o, "in_thread_pct", pct_of(v->in_thread, v->runs), 2);
		nt_hist_json(o, "raise_to_run", &v->hist, "us", 1000.0);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

static void vectors(struct nt_run *r, const struct nt_softirqd_shot *s)
{
	struct vec_text row[NT_SOFTIRQS];
	size_t n = 0;

	if (!nt_softirqd_wants_vectors(nt_run_opts(r)))
		return;
	vectors_json(nt_run_out(r), s);
	for (size_t i = 0; i < NT_SOFTIRQS; i++) {
		const struct nt_softirqd_vec_row *v = &s->vec[i];

		if (v->runs)
			row[n++] = (struct vec_text){ vec_names[i], v->runs, v->in_thread,
				nt_hist_quantile(&v->hist, .50), nt_hist_quantile(&v->hist, .99), v->hist.max,
				pct_of(v->in_thread, v->runs) };
	}
	if (nt_out_format(nt_run_out(r)) == NT_TEXT)
		nt_table(nt_run_out(r), nt_run_names(r), NULL, "softirq work on all CPUs, and that done by these threads",
			 vec_fields, NT_COUNT(vec_fields), row, sizeof(*row), n);
}

void nt_softirqd_show(struct nt_run *r, const struct nt_softirqd_shot *s)
{
	static struct nt_softirqd_row sum;

	sum_of(s, &sum);
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		threads_json(r, s, &sum);
	else
		threads_text(r, s, &sum);
	culprits(r, s);
	vectors(r, s);
}

/* ---- single delays ---- */
#define E(member) offsetof(struct nt_sched_event, member)
static const struct nt_field event_fields[] = {
	{ .name = "time", .kind = NT_K_TS, .off = E(ts_ns) },
	{ .name = "cpu", .kind = NT_K_U32, .off = E(cpu), .width = 3 },
	{ .name = "comm", .label = "thread", .kind = NT_K_COMM, .off = E(comm) },
	{ .name = "tid", .kind = NT_K_U32, .off = E(tid), .width = 7 },
	{ .name = "latency_us", .label = "delay", .kind = NT_K_NS_AS_US, .off = E(delay_ns), .width = 8 },
	{ .name = "cause", .kind = NT_K_ENUM, .off = E(cause), .names = "unknown|wakeup|preempted" },
	{ .name = "behind_comm", .label = "behind", .kind = NT_K_COMM, .off = E(before_comm) },
	{ .name = "behind_tid", .kind = NT_K_U32, .off = E(before_tid), .flags = NT_F_NO_TEXT },
	{ .name = "behind_ran_us", .label = "ran", .kind = NT_K_NS_AS_US, .off = E(before_ns), .width = 8 },
};

int nt_softirqd_stream_open(struct nt_run *r)
{
	struct nt_softirqd_priv *p = nt_run_priv(r);

	return nt_stream_new(&p->stream, nt_run_out(r), nt_run_names(r), event_fields, NT_COUNT(event_fields));
}

void nt_softirqd_show_event(struct nt_run *r, const struct nt_sched_event *e)
{
	struct nt_softirqd_priv *p = nt_run_priv(r);

	if (p->stream)
		nt_stream_event(p->stream, e);
}
