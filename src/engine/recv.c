/* SPDX-License-Identifier: GPL-2.0 */
/* Engine of syscall_recv_latency: options, processes, what the kernel side has added up. */
#include "recv.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const sock_maps[] = { "nt_recv_socks0", "nt_recv_socks1" };

static const struct nt_recv_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

bool nt_recv_wants_names(const void *opts)
{
	return ((const struct nt_recv_opts *)opts)->process.n;
}

bool nt_recv_wants_other(const void *opts)
{
	/* not by .classes: doctor asks without check() */
	return nt_strlist_has(&((const struct nt_recv_opts *)opts)->syscalls, "other");
}

/* ---- options ---- */
static int check_syscalls(struct nt_recv_opts *o, struct nt_err *err)
{
	for (size_t i = 0; i < o->syscalls.n; i++) {
		const char *names = NT_RECV_CLASS_NAMES, *word;
		unsigned int class = 0;
		char bad[64];
		size_t len;

		while (nt_opt_next_word(&names, &word, &len) &&
		       (strlen(o->syscalls.item[i]) != len || memcmp(o->syscalls.item[i], word, len) != 0))
			class++;
		if (class >= NT_RECV_CLASSES)
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"bad value for --syscalls: %s: give some of recvfrom,recvmsg,recvmmsg,read,readv,other",
				nt_err_quote(bad, sizeof(bad), o->syscalls.item[i]));
		o->classes |= 1u << class;
	}
	return 0;
}

/* The socket's own end is the source of its flow. */
static void fill_tuple(struct nt_run *r)
{
	const struct nt_recv_opts *o = opts_of(r);
	struct nt_tuple_opts *t = nt_run_tuple(r);

	t->src = o->laddr;
	t->dst = o->raddr;
	t->sport = o->port;
	t->dport = o->rport;
}

int nt_recv_check(struct nt_run *r, struct nt_err *err)
{
	struct nt_recv_opts *o = nt_run_opts_rw(r);
	struct nt_ids ids = { 0 };
	int rc;

	if (o->pid.n && o->process.n)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"contradicting options: --pid and --process: give one of them; --process takes numbers too");
	if (o->process.n > NT_TASK_NAMES)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "too many names for --process: %zu: give at most %d",
				  o->process.n, NT_TASK_NAMES);
	if (nt_run_common(r)->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: syscall_recv_latency prints several tables: use --json");
	rc = nt_ids_parse(&ids, &o->pid, "pid", err);
	nt_ids_free(&ids);
	o->has_threshold = nt_run_given(r, "high-latency-threshold") && o->threshold_us;
	o->has_on = nt_run_given(r, "threshold-on");
	fill_tuple(r);
	return rc ? rc : check_syscalls(o, err);
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	const struct nt_recv_opts *o = opts_of(r);
	bool some = o->pid.n || o->process.n;

	nt_run_const(r, NT_CONST_TOOL0, some ? NT_TASK_BY_TGID : 0);
	nt_run_const(r, NT_CONST_TOOL1, o->classes);
	nt_run_const(r, NT_CONST_TOOL2, o->has_threshold ? o->threshold_us * 1000ULL : UINT64_MAX);
	nt_run_const(r, NT_CONST_TOOL3, o->on | (o->has_on ? o->on : NT_RECV_ON_DELAY) << 8);
	return some ? nt_task_check_namespace(err) : 0;
}

static void find_processes(struct nt_run *r)
{
	struct nt_recv_priv *p = nt_run_priv(r);

	if (!opts_of(r)->process.n)
		return;
	nt_procs_watch(r, &p->procs);
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_recv_priv *p = nt_run_priv(r);
	uint32_t most = nt_run_common(r)->top;
	int rc;

	nt_ids_free(&p->ids);
	rc = nt_ids_parse(&p->ids, &opts_of(r)->pid, "pid", err);
	if (rc)
		return rc;
	if (!p->now.slowest.record && (nt_slowest_new(&p->now.slowest, most, sizeof(struct nt_recv_event)) ||
				       nt_slowest_new(&p->all.slowest, most, sizeof(struct nt_recv_event))))
		return nt_err_set(err, NT_EXIT_RUNTIME, ENOMEM,
			"no memory for the slowest calls: give a smaller --top");
	for (size_t i = 0; i < NT_RECV_HISTS; i++)
		nt_hist_init(&p->before[i]);
	if (p->ids.n)
		nt_task_write_ids(r, &p->ids, nt_now_ns());
	p->procs.names = opts_of(r)->process;
	nt_task_cfg_names(&p->cfg, &opts_of(r)->process);
	find_processes(r);
	p->since_ns = p->cfg.start_ns = nt_now_ns();
	return nt_task_write_cfg(r, &p->cfg);
}

/* ---- calls by themselves ---- */
static uint64_t measure(const struct nt_recv_event *e, uint32_t on)
{
	switch (on) {
	case NT_RECV_ON_TOTAL: return e->total_ns;
	case NT_RECV_ON_WAIT: return e->call.wait_ns;
	case NT_RECV_ON_WAKEUP: return e->call.wakeup_ns;
	case NT_RECV_ON_WORK: return e->work_ns;
	default: return e->call.wakeup_ns + e->work_ns;
	}
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	struct nt_recv_priv *p = nt_run_priv(r);
	const struct nt_recv_opts *o = opts_of(r);
	struct nt_recv_event e;
	uint64_t time;

	(void)size;
	memcpy(&e, data, sizeof(e));
	time = measure(&e, o->has_on ? o->on : NT_RECV_ON_DELAY);
	nt_slowest_add(&p->now.slowest, time, &e);
	nt_slowest_add(&p->all.slowest, time, &e);
	nt_slowest_tell(r, &p->now.slowest);
	if (e.over)
		nt_recv_show_event(r, &e);
}

/* ---- figures ---- */
static void read_sums(struct nt_run *r, struct nt_recv_sums *sum)
{
	struct nt_recv_sums *cpus = calloc(nt_run_cpus(r), sizeof(*cpus));
	uint64_t *to = (uint64_t *)sum;
	uint32_t zero = 0;

	memset(sum, 0, sizeof(*sum));
	if (cpus && !bpf_map_lookup_elem(nt_run_map_fd(r, "nt_recv_sums"), &zero, cpus))
		for (uint32_t c = 0; c < nt_run_cpus(r); c++)
			for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
				to[i] += ((const uint64_t *)&cpus[c])[i];
	free(cpus);
}

static void take_sums(struct nt_run *r, struct nt_recv_report *rep)
{
	struct nt_recv_priv *p = nt_run_priv(r);
	const uint64_t *was = (const uint64_t *)&p->sums_before;
	uint64_t *to = (uint64_t *)&rep->sums;

	read_sums(r, &p->all.sums);
	rep->sums = p->all.sums;
	for (size_t i = 0; i < sizeof(rep->sums) / sizeof(*to); i++)
		to[i] -= was[i];
	p->sums_before = p->all.sums;
}

static void take_hists(struct nt_run *r, struct nt_recv_report *rep)
{
	struct nt_recv_priv *p = nt_run_priv(r);

	for (uint32_t i = 0; i < NT_RECV_HISTS; i++) {
		struct nt_hist *sum = &p->all.hist[i];

		nt_hist_init(sum);
		nt_run_hist(r, "nt_hists", i, sum);
		nt_hist_diff(&rep->hist[i], sum, &p->before[i]);
		if (!p->before[i].count)
			rep->hist[i] = *sum;		/* least and most are exact */
		p->before[i] = *sum;
	}
}

/* A reader that waits for ever shows here and nowhere else. */
static void take_open(struct nt_run *r, struct nt_recv_open *open)
{
	int fd = nt_run_map_fd(r, "nt_recv_calls");
	uint64_t now = nt_now_ns(), limit = 4ULL * nt_run_common(r)->max_entries;
	struct { uint32_t n, pad; struct nt_recv_call call; } c;
	uint32_t tid, *prev = NULL;

	memset(open, 0, sizeof(*open));
	for (; limit-- && !bpf_map_get_next_key(fd, prev, &tid); prev = &tid) {
		if (bpf_map_lookup_elem(fd, &tid, &c) || !c.n || !c.call.since_ns || c.call.since_ns > now ||
		    !(opts_of(r)->classes & 1u << c.call.class))
			continue;
		open->calls++;
		open->waiting += c.call.phase == NT_RECV_WAITS;
		if (now - c.call.since_ns > open->longest_ns)
			open->longest_ns = now - c.call.since_ns;
	}
}

/* The interval that ends now, and the whole run. */
static void take(struct nt_run *r)
{
	struct nt_recv_priv *p = nt_run_priv(r);
	size_t old = p->cfg.sample & 1;

	p->cfg.sample++;
	nt_task_write_cfg(r, &p->cfg);
	usleep(2000);		/* programs that have chosen the old map run to their end */
	p->now.seconds = (double)(nt_now_ns() - p->since_ns) / 1e9;
	p->all.seconds = (double)(nt_now_ns() - nt_run_started_ns(r)) / 1e9;
	p->since_ns = nt_now_ns();
	p->now.socks.n = 0;
	nt_recv_socks_read(r, sock_maps[old], &p->now.socks);
	nt_recv_socks_add(&p->all.socks, &p->now.socks, nt_run_common(r)->max_entries);
	take_sums(r, &p->now);
	take_hists(r, &p->now);
	take_open(r, &p->now.open);
	p->all.open = p->now.open;
}

/* ---- the life of a run ---- */
static void started(struct nt_run *r)
{
	struct nt_recv_priv *p = nt_run_priv(r);

	p->since_ns = nt_run_started_ns(r);
	nt_recv_stream_open(r);
}

static void interval(struct nt_run *r, bool final)
{
	struct nt_recv_priv *p = nt_run_priv(r);

	take(r);
	p->reports++;
	nt_recv_show(r, nt_run_common(r)->cumulative ? &p->all : &p->now, false);
	nt_slowest_clear(&p->now.slowest);
	nt_slowest_tell(r, &p->now.slowest);
	if (!final)
		find_processes(r);
}

static void end(struct nt_run *r)
{
	struct nt_recv_priv *p = nt_run_priv(r);

	take(r);		/* nothing, if there was an interval just now */
	if (p->reports)
		nt_text(nt_run_out(r), "since the start:\n");
	nt_recv_show(r, &p->all, true);
}

static void release_report(struct nt_recv_report *rep)
{
	free(rep->socks.row);
	nt_slowest_free(&rep->slowest);
}

static void release(struct nt_run *r)
{
	struct nt_recv_priv *p = nt_run_priv(r);

	nt_stream_free(p->stream);
	nt_ids_free(&p->ids);
	nt_procs_free(&p->procs);
	release_report(&p->now);
	release_report(&p->all);
}

const struct nt_engine nt_recv_engine = {
	.name = "recv",
	.priv_size = sizeof(struct nt_recv_priv),
	.aggregates = true,
	.configure = configure,
	.prepare = prepare,
	.started = started,
	.event = event,
	.min_event = sizeof(struct nt_recv_event),
	.interval = interval,
	.end = end,
	.release = release,
};
