/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Cycles: the counters are read at the start and at the end of each, and its log is kept if they
 * rose in between. The log comes from eth_drop's programs, which stay attached (and the last
 * seconds before the cycle are written first), or from the user's command: the next one is started
 * before the last one is stopped, so that its start costs nothing that matters.
 */
#include "nettrace/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nettrace/child.h"

enum { RECENT_BYTES = 4 << 20, RUNNERS = 2 };
/* What a command has to end in, at the end of a cycle and when we end ourselves. */
enum { STOP_MS = 2000, LAST_STOP_MS = 250 };
struct runner {				/* one cycle's log and the command that writes it */
	struct nt_monitor_log log;
	pid_t pid;			/* 0: none */
	int pipe;			/* its output, -1: none */
	int timer;			/* until it is stopped, 0: none */
	bool keep;			/* decided at the end of the cycle */
};

struct recent {				/* events of the last seconds, oldest first */
	struct { uint64_t ts_ns; size_t size; char data[sizeof(struct nt_drop_event)]; } *event;
	size_t first, n, cap;
};

struct monitor {
	struct nt_drop_reader reader;
	struct nt_monitor_values at_start;		/* of the cycle */
	struct runner runner[RUNNERS];	/* the one of the cycle, the one that still ends */
	int now;			/* index */
	struct nt_out *log_out;		/* in-process: writes to the cycle's log */
	struct recent recent;
	uint64_t cycle, kept, removed, log_events, total_events, unread;
	char **words, **stop_words;
	char **argv;			/* the command, maybe with our own executable before it */
	bool ending;
};

static const struct nt_monitor_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

static bool in_process(const struct nt_run *r)
{
	return !opts_of(r)->command;
}

/* ---- what a cycle's log gets ---- */
static void log_text(struct nt_monitor_log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void log_text(struct nt_monitor_log *l, const char *fmt, ...)
{
	char line[1200];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	nt_monitor_log_write(l, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static void log_head(struct nt_run *r, struct nt_monitor_log *l)
{
	const struct nt_strlist *devs = &nt_run_tuple(r)->devs;
	time_t now = time(NULL);
	char clock[32];
	struct tm tm;

	if (nt_run_common(r)->format == NT_JSON && in_process(r))
		return;				/* the log is JSON lines */
	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%Y-%m-%d %H:%M:%S", &tm);
	log_text(l, "start:     %s\ninterface:", clock);
	for (size_t i = 0; i < devs->n; i++)
		log_text(l, " %s", devs->item[i]);
	log_text(l, "\ncommand:   %s\n\n", opts_of(r)->command ? opts_of(r)->command : "eth_drop, in process");
}

/* The writer opens the log a second time, for appending: the size is judged between events. */
static void log_event(struct nt_run *r, const void *data, size_t size)
{
	struct monitor *p = nt_run_priv(r);
	struct nt_monitor_log *l = &p->runner[p->now].log;
	static struct nt_drop_event e;
	struct nt_out *before;

	if (!p->log_out || !nt_drop_event_read(r, &p->reader, data, size, &e))
		return;
	if (l->bytes + 16384 > l->max_bytes) {
		l->cut_bytes += size;
		p->unread++;
		return;
	}
	before = nt_run_set_out(r, p->log_out);
	nt_drop_event_show(r, &e);
	nt_out_flush(p->log_out);
	nt_run_set_out(r, before);
	l->bytes = (uint64_t)lseek(l->fd, 0, SEEK_END);
	p->log_events++;
}

static void remember(struct nt_run *r, const struct nt_drop_event *e, size_t size)
{
	struct recent *q = &((struct monitor *)nt_run_priv(r))->recent;
	uint64_t pre = opts_of(r)->pre_ns;

	if (!q->cap) {
		q->event = calloc(RECENT_BYTES / sizeof(*q->event), sizeof(*q->event));
		q->cap = q->event ? RECENT_BYTES / sizeof(*q->event) : 0;
	}
	while (q->n && (q->n == q->cap || q->event[q->first].ts_ns + pre < e->ts_ns)) {
		q->first = (q->first + 1) % q->cap;
		q->n--;
	}
	if (q->n == q->cap)
		return;
	memcpy(q->event[(q->first + q->n) % q->cap].data, e, size);
	q->event[(q->first + q->n) % q->cap].size = size;
	q->event[(q->first + q->n++) % q->cap].ts_ns = e->ts_ns;
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	struct monitor *p = nt_run_priv(r);

	p->total_events++;
	log_event(r, data, size);
	if (opts_of(r)->pre_ns && size <= sizeof(struct nt_drop_event))
		remember(r, data, size);
}

static void log_recent(struct nt_run *r)
{
	struct monitor *p = nt_run_priv(r);
	struct recent *q = &p->recent;
	uint64_t now = nt_now_ns(), pre = opts_of(r)->pre_ns;

	for (size_t i = 0; i < q->n; i++) {
		size_t k = (q->first + i) % q->cap;

		if (q->event[k].ts_ns + pre >= now)
			log_event(r, q->event[k].data, q->event[k].size);
	}
	p->log_events = 0;	/* of the cycle alone */
}

/* ---- the user's command ---- */
static void from_command(struct nt_run *r, int fd, void *arg)
{
	struct runner *c = arg;
	char buf[16384];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		nt_monitor_log_write(&c->log, buf, (size_t)n);
	if (n == 0) {
		nt_run_unwatch(r, fd);
		close(fd);
		c->pipe = -1;
	}
}

static int start_command(struct nt_run *r, struct runner *c)
{
	struct monitor *p = nt_run_priv(r);
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	c->pid = nt_child_start(p->argv, fds[1]);
	close(fds[1]);
	rc = c->pid < 0 ? c->pid : 0;
	if (rc) {
		c->pid = 0;
		close(fds[0]);
		return rc;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	c->pipe = fds[0];
	return nt_run_watch(r, fds[0], from_command, c);
}

struct draining { struct nt_run *r; struct runner *c; };

/* A command that ends writes its summary, which may not fit the pipe. */
static bool drain(void *arg)
{
	struct draining *d = arg;
	struct monitor *p = nt_run_priv(d->r);

	if (d->c->pipe >= 0)
		from_command(d->r, d->c->pipe, d->c);
	return p->ending || !nt_run_ending(d->r);
}

static void stop_command(struct nt_run *r, struct runner *c)
{
	struct monitor *p = nt_run_priv(r);
	unsigned int wait_ms = p->ending ? LAST_STOP_MS : STOP_MS;
	struct draining d = { r, c };
	pid_t stop = p->stop_words ? nt_child_start(p->stop_words, c->log.fd) : 0;

	if (stop > 0)
		nt_child_wait(stop, wait_ms, drain, &d);
	nt_child_stop(c->pid, wait_ms, drain, &d);
	c->pid = 0;
}

static size_t open_logs(const struct monitor *p)
{
	size_t n = 0;

	for (int i = 0; i < RUNNERS; i++)
		n += p->runner[i].log.fd >= 0;
	return n;
}

static void end_runner(struct nt_run *r, struct runner *c)
{
	struct monitor *p = nt_run_priv(r);
	bool had_log = c->log.fd >= 0;

	if (c->timer)
		nt_run_unwatch(r, c->timer);
	c->timer = 0;
	if (c->pid)
		stop_command(r, c);
	if (c->pipe >= 0)
		from_command(r, c->pipe, c);
	if (c->pipe >= 0) {
		nt_run_unwatch(r, c->pipe);
		close(c->pipe);
		c->pipe = -1;
	}
	if (c->log.cut_bytes && c->keep) {
		char note[80];
		int n = snprintf(note, sizeof(note), "\n[%llu more bytes: above --max-log]\n",
				 (unsigned long long)c->log.cut_bytes);

		c->log.max_bytes = UINT64_MAX;
		nt_monitor_log_write(&c->log, note, (size_t)n);
	}
	nt_monitor_log_close(&c->log, c->keep);
	if (had_log)
		nt_monitor_log_prune(opts_of(r)->log_dir, opts_of(r)->keep + open_logs(p));
}

/* ---- cycles ---- */
static void fail(struct nt_run *r, const char *what, const char *on, int rc)
{
	struct nt_err e = { .text = "" };

	nt_err_set(&e, NT_EXIT_RUNTIME, -rc, "%s: %s: %s", what, on, strerror(-rc));
	nt_run_fail(r, &e);
}

static void begin_cycle(struct nt_run *r)
{
	struct monitor *p = nt_run_priv(r);
	struct runner *c = &p->runner[p->now];
	int rc = nt_monitor_log_open(&c->log, opts_of(r)->log_dir, opts_of(r)->max_log_bytes);

	p->cycle++;
	p->log_events = 0;
	c->keep = false;
	c->pipe = -1;
	if (rc) {
		fail(r, "cannot write the log", opts_of(r)->log_dir, rc);
		return;
	}
	log_head(r, &c->log);
	if (!in_process(r)) {
		rc = start_command(r, c);
		if (rc)
			fail(r, "cannot start the command", p->argv[0], rc);
		return;
	}
	if (nt_out_open(&p->log_out, c->log.path, (enum nt_format)nt_run_common(r)->format, false))
		p->log_out = NULL;
	log_recent(r);
}

static void show_device(struct nt_run *r, size_t d, const struct nt_monitor_values *now, bool keep)
{
	struct monitor *p = nt_run_priv(r);
	const char *name = nt_run_tuple(r)->devs.item[d];
	struct nt_out *o = nt_run_out(r);
	struct nt_monitor_log *l = &p->runner[p->now].log;
	bool quiet = nt_run_given(r, "log-dir");	/* as the script */

	nt_json_begin(o, "cycle");
	nt_json_time(o, "time", nt_run_names(r)->realtime(nt_run_names(r)->ctx, nt_now_ns()));
	nt_json_u64(o, "cycle", p->cycle);
	nt_json_str(o, "ifname", name);
	nt_json_bool(o, "present", now->known[d]);
	nt_json_obj(o, "counters");
	for (size_t c = 0; c < NT_MONITOR_COUNTERS; c++)
		if (nt_monitor_asked(r, c))
			nt_json_u64(o, nt_monitor_name(c), nt_monitor_rise(&p->at_start, now, d, c));
	nt_json_obj_end(o);
	nt_json_bool(o, "kept", keep);
	nt_json_str(o, "log", keep ? l->path : NULL);
	nt_json_u64(o, "log_bytes", l->bytes);
	if (in_process(r))
		nt_json_u64(o, "log_events", p->log_events);
	nt_json_end(o);
	if (quiet && !keep)
		return;
	for (size_t c = 0; c < NT_MONITOR_COUNTERS; c++)
		if (nt_monitor_asked(r, c))
			nt_text(o, "cycle %llu  %s %s %llu -> %llu (+%llu)\n", (unsigned long long)p->cycle, name,
				nt_monitor_name(c), (unsigned long long)p->at_start.v[d][c],
				(unsigned long long)now->v[d][c],
				(unsigned long long)nt_monitor_rise(&p->at_start, now, d, c));
}

static void end_cycle(struct nt_run *r)
{
	struct monitor *p = nt_run_priv(r);
	struct runner *c = &p->runner[p->now];
	struct nt_monitor_values now;
	uint64_t sum = 0;

	nt_monitor_read(r, &now);
	for (size_t d = 0; d < nt_run_tuple(r)->devs.n; d++)
		sum += nt_monitor_rises(r, &p->at_start, &now, d);
	c->keep = sum >= opts_of(r)->min_drops;
	for (size_t d = 0; d < nt_run_tuple(r)->devs.n; d++)
		show_device(r, d, &now, c->keep);
	if (c->keep)
		nt_text(nt_run_out(r), "cycle %llu  kept %s (%llu bytes)\n", (unsigned long long)p->cycle,
			c->log.path, (unsigned long long)c->log.bytes);
	else if (!nt_run_given(r, "log-dir"))
		nt_text(nt_run_out(r), "cycle %llu  log removed\n", (unsigned long long)p->cycle);
	p->kept += c->keep;
	p->removed += !c->keep;
	nt_out_close(p->log_out);
	p->log_out = NULL;
	p->at_start = now;
	nt_out_flush(nt_run_out(r));
}

static void overlap_over(struct nt_run *r, int fd, void *arg)
{
	(void)fd;
	end_runner(r, arg);
}

static void next_cycle(struct nt_run *r, int fd, void *arg)
{
	struct monitor *p = nt_run_priv(r);
	struct runner *last = &p->runner[p->now];
	uint64_t overlap = in_process(r) ? 0 : opts_of(r)->pre_ns;

	(void)fd;
	(void)arg;
	end_cycle(r);
	if (nt_run_common(r)->count && p->cycle >= nt_run_common(r)->count) {
		end_runner(r, last);
		nt_run_stop(r);
		return;
	}
	p->now = !p->now;
	end_runner(r, &p->runner[p->now]);	/* if its time was longer than a cycle */
	begin_cycle(r);
	if (overlap)
		last->timer = nt_run_timer(r, overlap, 0, overlap_over, last);
	if (last->timer <= 0) {
		last->timer = 0;
		end_runner(r, last);
	}
}

/* ---- the engine ---- */
static int split(struct nt_run *r, struct nt_err *err)
{
	struct monitor *p = nt_run_priv(r);
	char **begin;
	size_t n = 0;
	bool own;

	if (opts_of(r)->stop_command && !p->stop_words)
		p->stop_words = nt_words_split(opts_of(r)->stop_command, &n, err);
	if (!opts_of(r)->command || p->words)
		return 0;
	p->words = nt_words_split(opts_of(r)->command, &n, err);
	p->argv = p->words ? calloc(n + 2, sizeof(*p->argv)) : NULL;
	if (!p->argv)
		return -ENOMEM;
	begin = nt_words_own_tool(p->words, &own);
	n = 0;
	if (own)
		p->argv[n++] = (char *)"/proc/self/exe";
	while (*begin)
		p->argv[n++] = *begin++;
	return 0;
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct monitor *p = nt_run_priv(r);

	return nt_drop_prepare(r, &p->reader.places, err);
}

static void baseline(struct nt_run *r)
{
	struct monitor *p = nt_run_priv(r);

	p->runner[0] = p->runner[1] = (struct runner){ .log = { .fd = -1 }, .pipe = -1 };
	nt_monitor_read(r, &p->at_start);
}

static void started(struct nt_run *r)
{
	struct monitor *p = nt_run_priv(r);
	struct nt_err err = { .text = "" };
	uint64_t every = nt_run_common(r)->interval_ns;

	if (split(r, &err)) {
		fail(r, "cannot start the command", opts_of(r)->command, -ENOMEM);
		return;
	}
	if (in_process(r))
		nt_drop_load_places(r, &p->reader.places);
	for (size_t d = 0; d < nt_run_tuple(r)->devs.n; d++)
		for (size_t c = 0; c < NT_MONITOR_COUNTERS; c++)
			if (nt_monitor_asked(r, c))
				nt_text(nt_run_out(r), "baseline  %s %s %llu\n", nt_run_tuple(r)->devs.item[d],
					nt_monitor_name(c), (unsigned long long)p->at_start.v[d][c]);
	begin_cycle(r);
	if (nt_run_timer(r, every, every, next_cycle, NULL) < 0)
		fail(r, "cannot make a timer", "cycles", -errno);
}

/* The cycle that was interrupted is judged as the others. */
static void finish(struct nt_run *r)
{
	struct monitor *p = nt_run_priv(r);

	p->ending = true;
	if (p->runner[p->now].log.fd >= 0 && p->cycle > p->kept + p->removed)
		end_cycle(r);
	for (int i = 0; i < RUNNERS; i++)
		end_runner(r, &p->runner[i]);
}

static void end(struct nt_run *r)
{
	struct monitor *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);

	nt_json_u64(o, "cycles", p->cycle);
	nt_json_u64(o, "kept", p->kept);
	nt_json_u64(o, "removed", p->removed);
	nt_json_u64(o, "not_logged", p->unread);
	nt_text(o, "%llu cycles, %llu logs kept in %s, %llu removed\n", (unsigned long long)p->cycle,
		(unsigned long long)p->kept, opts_of(r)->log_dir, (unsigned long long)p->removed);
	if (p->unread)
		nt_text(o, "warning: %llu events not logged: above --max-log\n", (unsigned long long)p->unread);
}

static void release(struct nt_run *r)
{
	struct monitor *p = nt_run_priv(r);

	nt_drop_free_places(p->reader.places);
	free(p->recent.event);
	free(p->argv);
	free(p->words);
	free(p->stop_words);
}

const struct nt_engine nt_monitor_engine = {
	.name = "monitor",
	.priv_size = sizeof(struct monitor),
	.aggregates = true,
	.configure = nt_drop_configure,
	.prepare = prepare,
	.baseline = baseline,
	.started = started,
	.event = event,
	.min_event = sizeof(struct nt_drop_event) - NT_SNAP_MAX,
	.finish = finish,
	.end = end,
	.release = release,
};
