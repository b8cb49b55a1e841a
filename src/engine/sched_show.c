/* SPDX-License-Identifier: GPL-2.0 */
/* Samples of scheduling latency as tables and records, and single long delays. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sched.h"

#define R(member) offsetof(struct nt_sched_row, member)

static const struct nt_field fields[] = {
	{ .name = "where", .label = "thread", .kind = NT_K_CSTR, .off = R(where),
	  .flags = NT_F_LEFT | NT_F_NO_JSON },
	{ .name = "comm", .kind = NT_K_COMM, .off = R(comm), .flags = NT_F_NO_TEXT },
	{ .name = "tid", .kind = NT_K_U32, .off = R(tid), .flags = NT_F_NO_TEXT },
	{ .name = "pid", .kind = NT_K_U32, .off = R(pid), .flags = NT_F_NO_TEXT },
	{ .name = "runtime_ms", .label = "run ms", .kind = NT_K_F64, .off = R(runtime_ms), .decimals = 3 },
	{ .name = "switches", .label = "switch", .kind = NT_K_U64, .off = R(switches), .flags = NT_F_GROUP },
	{ .name = "wakeups", .kind = NT_K_U64, .off = R(wakeups), .flags = NT_F_NO_TEXT },
	{ .name = "preemptions", .kind = NT_K_U64, .off = R(preemptions), .flags = NT_F_NO_TEXT },
	{ .name = "migrations", .kind = NT_K_U64, .off = R(migrations), .flags = NT_F_NO_TEXT },
	{ .name = "delays", .kind = NT_K_U64, .off = R(delays), .flags = NT_F_NO_TEXT },
	{ .name = "sum_delay_us", .kind = NT_K_NS_AS_US, .off = R(delay_ns), .flags = NT_F_NO_TEXT },
	{ .name = "avg_delay_us", .label = "avg", .kind = NT_K_NS_AS_US, .off = R(avg_ns) },
	{ .name = "p50_delay_us", .kind = NT_K_NS_AS_US, .off = R(p50_ns), .flags = NT_F_NO_TEXT },
	{ .name = "p99_delay_us", .label = "p99", .kind = NT_K_NS_AS_US, .off = R(p99_ns) },
	{ .name = "p999_delay_us", .kind = NT_K_NS_AS_US, .off = R(p999_ns), .flags = NT_F_NO_TEXT },
	{ .name = "max_delay_us", .label = "max", .kind = NT_K_NS_AS_US, .off = R(max_ns) },
	{ .name = "max_at", .label = "at", .kind = NT_K_STR, .off = R(at_text), .arg = 24, .flags = NT_F_NO_JSON },
	{ .name = "before", .label = "behind", .kind = NT_K_COMM, .off = R(before_comm), .flags = NT_F_NO_JSON },
};
static const struct nt_field worst_fields[] = {		/* only where there was a delay */
	{ .name = "cpu", .kind = NT_K_U32, .off = R(cpu) },
	{ .name = "behind_comm", .kind = NT_K_COMM, .off = R(before_comm) },
	{ .name = "behind_tid", .kind = NT_K_U32, .off = R(before_tid) },
	{ .name = "behind_ran_us", .kind = NT_K_NS_AS_US, .off = R(before_ns) },
};

/* ---- a sample ---- */
static const struct nt_sched_copy *find(const struct nt_sched_shot *s, uint32_t tid)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->row[mid].tid == tid)
			return &s->row[mid];
		if (s->row[mid].tid < tid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static void put_clock(struct nt_run *r, uint64_t mono_ns, char *buf, size_t size)
{
	uint64_t ns = nt_run_names(r)->realtime(nt_run_names(r)->ctx, mono_ns);
	time_t s = (time_t)(ns / 1000000000ULL);
	struct tm tm;
	size_t n;

	localtime_r(&s, &tm);
	n = strftime(buf, size, "%H:%M:%S", &tm);
	snprintf(buf + n, size - n, ".%03u", (unsigned int)(ns / 1000000 % 1000));
}

static void fill_worst(struct nt_run *r, struct nt_sched_row *row, const struct nt_sched_worst *w)
{
	row->max_ns = w->delay_ns;
	row->max_at_ns = w->at_ns;
	row->before_ns = w->before_ns;
	row->before_tid = w->before_tid;
	row->cpu = w->cpu;
	memcpy(row->before_comm, w->before_comm, sizeof(row->before_comm));
	if (!w->before_tid)
		snprintf(row->before_comm, sizeof(row->before_comm), "(idle)");
	put_clock(r, w->at_ns, row->at_text, sizeof(row->at_text));
}

static uint64_t rise(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static void fill(struct nt_run *r, struct nt_sched_row *row, const struct nt_sched_copy *b,
		 const struct nt_sched_copy *n, bool total)
{
	static const struct nt_sched_thread zero;
	const struct nt_sched_thread *x = b ? &b->t : &zero;
	const struct nt_sched_worst *w = total ? &n->t.worst : &n->t.worst_sample;
	struct nt_hist before, now;

	memcpy(row->comm, n->t.comm, sizeof(row->comm));
	row->tid = n->tid;
	row->pid = n->t.tgid;
	row->runtime_ms = (double)rise(n->t.run_ns, x->run_ns) / 1e6;
	row->switches = rise(n->t.switches, x->switches);
	row->wakeups = rise(n->t.wakeups, x->wakeups);
	row->preemptions = rise(n->t.preemptions, x->preemptions);
	row->migrations = rise(n->t.migrations, x->migrations);
	nt_hist_init(&before);
	nt_hist_init(&now);
	nt_hist_merge(&before, &x->delay);
	nt_hist_merge(&now, &n->t.delay);
	nt_hist_diff(&row->hist, &now, &before);
	row->delays = row->hist.count;
	row->delay_ns = row->hist.sum;
	row->avg_ns = row->delays ? row->delay_ns / row->delays : 0;
	/* One that came between the last copy and the new number of the sample is this sample's, too. */
	if (row->delays && w->at_ns > (b ? b->at_ns : 0) && w->delay_ns >= row->hist.max / 17 * 16) {
		fill_worst(r, row, w);
		row->hist.max = w->delay_ns;	/* of the difference only the bucket is known */
	} else {
		row->max_ns = row->hist.max;
	}
	row->p50_ns = nt_hist_quantile(&row->hist, 0.5);
	row->p99_ns = nt_hist_quantile(&row->hist, 0.99);
	row->p999_ns = nt_hist_quantile(&row->hist, 0.999);
	snprintf(row->place, sizeof(row->place), "%.15s:%u", row->comm, row->tid);
	row->where = row->place;
}

static int by_max(const void *a, const void *b)
{
	const struct nt_sched_row *x = a, *y = b;

	if (x->max_ns != y->max_ns)
		return x->max_ns < y->max_ns ? 1 : -1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static size_t fill_all(struct nt_run *r, const struct nt_sched_shot *base, const struct nt_sched_shot *now,
		       struct nt_sched_row *rows, bool total)
{
	size_t n = 0;

	for (size_t i = 0; i < now->n; i++) {
		struct nt_sched_row *row = &rows[n];

		memset(row, 0, sizeof(*row));
		fill(r, row, find(base, now->row[i].tid), &now->row[i], total);
		if (row->delays || row->switches || row->runtime_ms > 0)
			n++;
	}
	qsort(rows, n, sizeof(*rows), by_max);
	for (size_t i = 0; i < n; i++)
		rows[i].where = rows[i].place;	/* they have moved */
	return n;
}

/* ---- output ---- */
static void json_rows(struct nt_run *r, const struct nt_sched_row *rows, size_t n)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_arr(o, "threads");
	for (size_t i = 0; i < n; i++) {
		nt_json_obj(o, NULL);
		nt_fields_json(o, nt_run_names(r), fields, NT_COUNT(fields), &rows[i]);
		if (rows[i].max_at_ns) {
			nt_json_time(o, "max_delay_at", nt_run_names(r)->realtime(nt_run_names(r)->ctx,
									  rows[i].max_at_ns));
			nt_fields_json(o, nt_run_names(r), worst_fields, NT_COUNT(worst_fields), &rows[i]);
		}
		nt_hist_json(o, "histogram", &rows[i].hist, "us", 1000.0);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

static void text_head(struct nt_run *r, uint64_t span_ns, size_t threads, bool total)
{
	const struct nt_sched_priv *p = nt_run_priv(r);
	const struct nt_sched_opts *o = nt_run_opts(r);
	char pids[64];
	size_t len = (size_t)snprintf(pids, sizeof(pids), o->all ? "all processes" : "pid ");

	for (size_t i = 0; i < p->procs.found.n && len < 40; i++)
		len += (size_t)snprintf(pids + len, sizeof(pids) - len, "%s%u", i ? "," : "",
					p->procs.found.id[i]);
	if (!o->all && !p->procs.found.n)
		snprintf(pids, sizeof(pids), "no process");
	if (len >= 40)
		snprintf(pids + len, sizeof(pids) - len, ",...");
	if (total)
		nt_text(nt_run_out(r), "all %llu samples: ", (unsigned long long)p->samples);
	else
		nt_text(nt_run_out(r), "sample %llu: ", (unsigned long long)p->samples);
	nt_text(nt_run_out(r), "%s, %.3f s, %zu threads active\n", pids, (double)span_ns / 1e9, threads);
}

static void text_total(struct nt_run *r, const struct nt_hist *h, double run_ms, uint64_t switches)
{
	char p50[24], p99[24], p999[24], max[24], sw[24];

	nt_text(nt_run_out(r), "all: run %.0f ms, %s switches, delay p50 %s, p99 %s, p99.9 %s, max %s\n",
		run_ms, nt_fmt_count(switches, sw, sizeof(sw)),
		nt_fmt_ns(nt_hist_quantile(h, 0.5), p50, sizeof(p50)),
		nt_fmt_ns(nt_hist_quantile(h, 0.99), p99, sizeof(p99)),
		nt_fmt_ns(nt_hist_quantile(h, 0.999), p999, sizeof(p999)), nt_fmt_ns(h->max, max, sizeof(max)));
}

static void json_head(struct nt_run *r, uint64_t span_ns, size_t threads, double run_ms)
{
	const struct nt_sched_priv *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);

	nt_json_u64(o, "sample", p->samples);
	nt_json_f64(o, "span_ms", (double)span_ns / 1e6, 3);
	nt_json_arr(o, "pids");
	for (size_t i = 0; i < p->procs.found.n; i++)
		nt_json_u64(o, NULL, p->procs.found.id[i]);
	nt_json_arr_end(o);
	nt_json_u64(o, "active_threads", threads);
	nt_json_f64(o, "runtime_ms", run_ms, 3);
}

void nt_sched_show(struct nt_run *r, const struct nt_sched_shot *base, const struct nt_sched_shot *now,
		   uint64_t span_ns, bool total)
{
	struct nt_sched_row *rows = calloc(now->n + 1, sizeof(*rows));
	size_t n = rows ? fill_all(r, base, now, rows, total) : 0, top = nt_run_common(r)->top;
	struct nt_out *o = nt_run_out(r);
	struct nt_hist sum;
	uint64_t switches = 0;
	double run_ms = 0;

	nt_hist_init(&sum);
	for (size_t i = 0; i < n; i++) {
		nt_hist_join(&sum, &rows[i].hist);
		run_ms += rows[i].runtime_ms;
		switches += rows[i].switches;
	}
	if (n < top)
		top = n;
	if (nt_out_format(o) == NT_JSON) {
		json_head(r, span_ns, n, run_ms);
		nt_hist_json(o, "histogram", &sum, "us", 1000.0);
		json_rows(r, rows, top);
	} else {
		text_head(r, span_ns, n, total);
		nt_table(o, nt_run_names(r), "threads", NULL, fields, NT_COUNT(fields), rows, sizeof(*rows), top);
		if (n > top)
			nt_text(o, "... %zu more threads (--top)\n", n - top);
		text_total(r, &sum, run_ms, switches);
		if (nt_run_common(r)->verbose)
			nt_hist_text(o, "delay of all threads", &sum, "us", 1000.0);
	}
	free(rows);
}

/* ---- single delays ---- */
#define E(member) offsetof(struct nt_sched_event, member)
static const struct nt_field event_fields[] = {
	{ .name = "time", .kind = NT_K_TS, .off = E(ts_ns) },
	{ .name = "cpu", .kind = NT_K_U32, .off = E(cpu), .width = 3 },
	{ .name = "comm", .label = "thread", .kind = NT_K_COMM, .off = E(comm) },
	{ .name = "tid", .kind = NT_K_U32, .off = E(tid), .width = 7 },
	{ .name = "pid", .kind = NT_K_U32, .off = E(pid), .flags = NT_F_NO_TEXT },
	{ .name = "latency_us", .label = "delay", .kind = NT_K_NS_AS_US, .off = E(delay_ns), .width = 8 },
	{ .name = "cause", .kind = NT_K_ENUM, .off = E(cause), .names = "unknown|wakeup|preempted" },
	{ .name = "behind_comm", .label = "behind", .kind = NT_K_COMM, .off = E(before_comm) },
	{ .name = "behind_tid", .kind = NT_K_U32, .off = E(before_tid), .flags = NT_F_NO_TEXT },
	{ .name = "behind_ran_us", .label = "ran", .kind = NT_K_NS_AS_US, .off = E(before_ns), .width = 8 },
	{ .name = "waker_comm", .label = "woken by", .kind = NT_K_COMM, .off = E(waker_comm) },
	{ .name = "waker_tid", .kind = NT_K_U32, .off = E(waker_tid), .flags = NT_F_NO_TEXT | NT_F_IF_NONZERO },
	{ .name = "stack", .kind = NT_K_STACK, .off = E(stack), .arg = NT_STACK_MAX },
};

int nt_sched_stream_open(struct nt_run *r)
{
	struct nt_sched_priv *p = nt_run_priv(r);
	const struct nt_sched_opts *o = nt_run_opts(r);

	return nt_stream_new(&p->stream, nt_run_out(r), nt_run_names(r), event_fields,
			     NT_COUNT(event_fields) - !o->stack);
}

void nt_sched_show_event(struct nt_run *r, const struct nt_sched_event *e)
{
	struct nt_sched_priv *p = nt_run_priv(r);

	if (p->stream)
		nt_stream_event(p->stream, e);
}
