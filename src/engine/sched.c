/* SPDX-License-Identifier: GPL-2.0 */
#include "sched.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct nt_sched_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

bool nt_sched_wants_waking(const void *opts)
{
	return ((const struct nt_sched_opts *)opts)->from_waking;
}

bool nt_sched_wants_names(const void *opts)
{
	return !((const struct nt_sched_opts *)opts)->all;
}

/* Samples that follow each other without a gap. */
static bool gapless(struct nt_run *r)
{
	return opts_of(r)->period_ns >= nt_run_common(r)->interval_ns;
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	const struct nt_sched_opts *o = opts_of(r);

	nt_run_const(r, NT_CONST_TOOL0, (o->all ? 0 : NT_TASK_BY_TGID) | (o->stack ? NT_SCHED_STACK : 0));
	nt_run_const(r, NT_CONST_TOOL1, o->has_threshold ? o->threshold_us * 1000ULL : ~0ULL);
	return o->all ? 0 : nt_task_check_namespace(err);
}

static void find_processes(struct nt_run *r)
{
	struct nt_sched_priv *p = nt_run_priv(r);

	if (opts_of(r)->all)
		return;
	nt_procs_watch(r, &p->procs);
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_sched_priv *p = nt_run_priv(r);

	(void)err;
	p->procs.names = opts_of(r)->process;
	p->cfg.start_ns = nt_now_ns();
	p->cfg.sample = 1;
	nt_task_cfg_names(&p->cfg, &opts_of(r)->process);
	find_processes(r);
	return nt_task_write_cfg(r, &p->cfg);
}

/* A thread that never leaves its CPU passes no hook: it is put into the map as running. */
static void add_running(struct nt_run *r)
{
	static const struct nt_sched_thread zero;
	struct nt_sched_priv *p = nt_run_priv(r);
	int fd = nt_run_map_fd(r, "nt_threads");

	for (size_t i = 0; i < p->procs.found.n; i++) {
		struct nt_ids tids = { 0 };

		nt_task_threads(p->procs.found.id[i], true, &tids);
		for (size_t k = 0; k < tids.n; k++) {
			struct nt_sched_thread t = zero;

			t.tgid = p->procs.found.id[i];
			t.run_since_ns = nt_now_ns();
			nt_task_comm(t.tgid, tids.id[k], t.comm, sizeof(t.comm));
			bpf_map_update_elem(fd, &tids.id[k], &t, BPF_NOEXIST);
		}
		nt_ids_free(&tids);
	}
}

/* ---- snapshots ---- */
static int by_tid(const void *a, const void *b)
{
	const struct nt_sched_copy *x = a, *y = b;

	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

/* The kernel may be writing: a copy is good when the first and the last word agree. */
static int read_thread(int fd, uint32_t tid, struct nt_sched_copy *c)
{
	int rc = 0;

	c->tid = tid;
	for (int i = 0; i < 4; i++) {
		c->at_ns = nt_now_ns();
		rc = bpf_map_lookup_elem(fd, &tid, &c->t);
		if (rc || c->t.seq == c->t.seq_writer)
			break;
	}
	if (!rc && c->t.run_since_ns && c->at_ns > c->t.run_since_ns)
		c->t.run_ns += c->at_ns - c->t.run_since_ns;
	return rc;
}

/* Threads that ended make room when three quarters of the map are used. */
static void make_room(struct nt_run *r, const struct nt_sched_shot *s)
{
	struct nt_sched_priv *p = nt_run_priv(r);
	uint32_t max = nt_run_common(r)->max_entries;
	int fd = nt_run_map_fd(r, "nt_threads");

	if (s->n < max / 4 * 3)
		return;
	for (size_t i = 0; i < s->n; i++)
		if (s->row[i].t.exited && !s->row[i].t.run_since_ns && !s->row[i].t.wait_since_ns)
			p->dropped += !bpf_map_delete_elem(fd, &s->row[i].tid);
}

static void take_shot(struct nt_run *r, struct nt_sched_shot *s)
{
	int fd = nt_run_map_fd(r, "nt_threads");
	struct nt_ids tids = { 0 };
	uint32_t key, *prev = NULL, most = nt_run_common(r)->max_entries;

	for (uint32_t i = 0; i < 2 * most && !bpf_map_get_next_key(fd, prev, &key); i++, prev = &key)
		nt_ids_add(&tids, key);
	free(s->row);
	s->n = 0;
	s->row = calloc(tids.n + 1, sizeof(*s->row));
	for (size_t i = 0; s->row && i < tids.n; i++)
		if (!read_thread(fd, tids.id[i], &s->row[s->n]))
			s->n++;
	if (s->row)
		qsort(s->row, s->n, sizeof(*s->row), by_tid);
	nt_ids_free(&tids);
}

static void next_sample(struct nt_run *r)
{
	struct nt_sched_priv *p = nt_run_priv(r);

	p->cfg.sample++;
	nt_task_write_cfg(r, &p->cfg);
}

/* ---- the life of samples ---- */
/* The next sample begins, behind a gap. */
static void begin_sample(struct nt_run *r, int timer, void *unused)
{
	struct nt_sched_priv *p = nt_run_priv(r);

	(void)timer;
	(void)unused;
	find_processes(r);
	next_sample(r);
	take_shot(r, &p->base);
	p->sample_start_ns = nt_now_ns();
	p->measuring = true;
}

static void started(struct nt_run *r)
{
	struct nt_sched_priv *p = nt_run_priv(r);
	uint64_t every = nt_run_common(r)->interval_ns;
	struct nt_err err = { .text = "" };
	int timer;

	nt_sched_stream_open(r);
	add_running(r);
	p->measuring = true;
	p->sample_start_ns = nt_run_started_ns(r);
	if (gapless(r))
		return;
	timer = nt_run_timer(r, every, every, begin_sample, NULL);
	if (timer < 0) {
		nt_err_set(&err, NT_EXIT_RUNTIME, -timer, "cannot make a timer: %s", strerror(-timer));
		nt_run_fail(r, &err);
	}
}

static void interval(struct nt_run *r, bool final)
{
	struct nt_sched_priv *p = nt_run_priv(r);
	struct nt_sched_shot old = p->base, none = { 0 };

	if (!p->measuring) {
		nt_text(nt_run_out(r), "no sample was running\n");
		nt_json_arr(nt_run_out(r), "threads");
		nt_json_arr_end(nt_run_out(r));
		return;
	}
	take_shot(r, &p->now);
	p->samples++;
	if (nt_run_common(r)->cumulative)
		nt_sched_show(r, &none, &p->now, nt_now_ns() - nt_run_started_ns(r), true);
	else
		nt_sched_show(r, &old, &p->now, nt_now_ns() - p->sample_start_ns, false);
	if (gapless(r)) {
		p->base = p->now;
		p->now = old;
		p->sample_start_ns = nt_now_ns();
	} else {
		p->measuring = false;
	}
	make_room(r, gapless(r) ? &p->base : &p->now);
	next_sample(r);
	if (!final)
		find_processes(r);
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	struct nt_sched_event e;

	(void)size;
	memcpy(&e, data, sizeof(e));
	nt_sched_show_event(r, &e);
}

static void end(struct nt_run *r)
{
	struct nt_sched_priv *p = nt_run_priv(r);
	struct nt_sched_shot none = { 0 }, all = { 0 };

	take_shot(r, &all);
	nt_json_u64(nt_run_out(r), "samples", p->samples);
	nt_json_u64(nt_run_out(r), "ended_threads_left_out", p->dropped);
	if (p->dropped)
		nt_text(nt_run_out(r), "%llu threads that ended are not in this summary, but in their samples\n",
			(unsigned long long)p->dropped);
	nt_sched_show(r, &none, &all, nt_now_ns() - nt_run_started_ns(r), true);
	free(all.row);
}

static void release(struct nt_run *r)
{
	struct nt_sched_priv *p = nt_run_priv(r);

	nt_procs_free(&p->procs);
	nt_stream_free(p->stream);
	free(p->base.row);
	free(p->now.row);
}

const struct nt_engine nt_sched_engine = {
	.name = "sched",
	.priv_size = sizeof(struct nt_sched_priv),
	.aggregates = true,
	.configure = configure,
	.prepare = prepare,
	.started = started,
	.event = event,
	.min_event = sizeof(struct nt_sched_event),
	.interval = interval,
	.end = end,
	.release = release,
};
