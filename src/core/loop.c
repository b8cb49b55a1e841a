/* SPDX-License-Identifier: GPL-2.0 */
/* The event loop: one epoll set with the buffer, the signals and the engine's sources; deadlines by
 * its timeout. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core.h"

#define POLL_NS		50000000ULL	/* events are fetched at least this often */
#define SWEEP_NS	500000000ULL

/* From the start line on: a script may send one as soon as it has read that. */
void nt_block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigprocmask(SIG_BLOCK, set, NULL);
}

/* While the output's reader sleeps nobody reads the signals: they are pending. */
bool nt_stopping(void *run)
{
	const struct nt_run *r = run;
	sigset_t set;

	if (r->stop || (r->common.duration_ns && r->start_ns && nt_now_ns() > r->start_ns + r->common.duration_ns))
		return true;
	return !sigpending(&set) && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM));
}

static int open_signals(void)
{
	sigset_t set;

	nt_block_signals(&set);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void read_signals(struct nt_run *r, int fd)
{
	struct signalfd_siginfo si;

	while (read(fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGHUP)
			nt_out_reopen(r->out);
		else
			r->stop = true;
	}
}

static int watch(int epoll, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	return fd < 0 ? 0 : epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_interval(const struct nt_run *r)
{
	if (!r->common.interval_ns || !r->tool->engine->interval)
		return UINT64_MAX;
	return r->start_ns + r->intervals * r->common.interval_ns +
	       (r->first_interval_ns ? r->first_interval_ns : r->common.interval_ns);
}

/* The last interval is reported after the loop, when the gate is shut: so the intervals add up to
 * the end record, and no second, tiny one follows. */
static void on_interval(struct nt_run *r, uint64_t end)
{
	uint64_t next = next_interval(r);

	r->intervals++;
	if (r->aggregates && r->common.count && r->intervals >= r->common.count)
		r->stop = true;
	else if (end == UINT64_MAX || next + r->common.interval_ns / 20 < end)
		nt_report_interval(r, false);
}

static int wait_ms(uint64_t now, uint64_t until)
{
	uint64_t ns = until > now ? until - now : 0;

	return (int)((ns + 999999) / 1000000);
}

/* ---- sources of the engine ---- */
static int add_source(struct nt_run *r, struct nt_source s)
{
	for (size_t i = 0; i < NT_SOURCES; i++) {
		if (r->source[i].fn)
			continue;
		if (r->epoll && watch(r->epoll, s.fd))
			return -errno;
		r->source[i] = s;
		return 0;
	}
	return -ENOSPC;
}

int nt_run_watch(struct nt_run *r, int fd, nt_ready_fn *fn, void *arg)
{
	return add_source(r, (struct nt_source){ .fd = fd, .fn = fn, .arg = arg });
}

int nt_run_timer(struct nt_run *r, uint64_t first_ns, uint64_t every_ns, nt_ready_fn *fn, void *arg)
{
	struct itimerspec t = {
		.it_value = { (time_t)(first_ns / 1000000000), (long)(first_ns % 1000000000) },
		.it_interval = { (time_t)(every_ns / 1000000000), (long)(every_ns % 1000000000) },
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), rc;

	if (fd < 0)
		return -errno;
	rc = timerfd_settime(fd, 0, &t, NULL) ? -errno : 0;
	if (!rc)
		rc = add_source(r, (struct nt_source){ .fd = fd, .fn = fn, .arg = arg, .timer = true });
	if (rc)
		close(fd);
	return rc ? rc : fd;
}

void nt_run_unwatch(struct nt_run *r, int fd)
{
	for (size_t i = 0; i < NT_SOURCES; i++) {
		if (!r->source[i].fn || r->source[i].fd != fd)
			continue;
		if (r->epoll)
			epoll_ctl(r->epoll, EPOLL_CTL_DEL, fd, NULL);
		if (r->source[i].timer)
			close(fd);
		r->source[i].fn = NULL;
	}
}

/* A source may be gone by the time it is its turn: another one's function took it out. */
static void on_source(struct nt_run *r, int fd)
{
	for (size_t i = 0; i < NT_SOURCES; i++) {
		struct nt_source s = r->source[i];
		uint64_t expired;

		if (!s.fn || s.fd != fd)
			continue;
		if (s.timer && read(fd, &expired, sizeof(expired)) != sizeof(expired))
			return;
		s.fn(r, fd, s.arg);
		return;
	}
}

static int watch_sources(struct nt_run *r, int epoll)
{
	r->epoll = epoll;
	for (size_t i = 0; i < NT_SOURCES; i++)
		if (r->source[i].fn && watch(epoll, r->source[i].fd))
			return -errno;
	return 0;
}

static void end_sources(struct nt_run *r)
{
	r->epoll = 0;
	for (size_t i = 0; i < NT_SOURCES; i++)
		if (r->source[i].fn && r->source[i].timer)
			nt_run_unwatch(r, r->source[i].fd);
}

static uint64_t sweep_ns(const struct nt_run *r)
{
	return r->tool->engine->sweep_ns ? r->tool->engine->sweep_ns(r) : SWEEP_NS;
}

int nt_loop(struct nt_run *r)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), signals = open_signals();
	int buffer = nt_transport_fd(r);
	uint64_t now = nt_now_ns(), sweep = now + sweep_ns(r);
	uint64_t end = r->common.duration_ns ? r->start_ns + r->common.duration_ns : UINT64_MAX;

	if (epoll < 0 || signals < 0 || watch(epoll, signals) || watch(epoll, buffer) ||
	    watch_sources(r, epoll))
		return -errno;
	while (!r->stop && now < end && !nt_out_failed(r->out, NULL)) {
		struct epoll_event e[8];
		int n;
		uint64_t until = earlier(earlier(end, sweep), next_interval(r));

		if (buffer >= 0)
			until = earlier(until, now + POLL_NS);
		n = epoll_wait(epoll, e, NT_COUNT(e), wait_ms(now, until));
		read_signals(r, signals);
		nt_transport_drain(r);
		for (int i = 0; i < n; i++)
			on_source(r, e[i].data.fd);
		now = nt_now_ns();
		if (now >= sweep) {
			if (r->tool->engine->sweep)
				r->tool->engine->sweep(r);
			sweep = now + sweep_ns(r);
		}
		while (!r->stop && now >= next_interval(r))
			on_interval(r, end);
		nt_out_flush(r->out);
	}
	end_sources(r);
	close(epoll);
	close(signals);
	return 0;
}
