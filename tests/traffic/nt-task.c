/* nt-task: threads that run, sleep and wait for each other for known times. */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64

enum mode { SPIN, SLEEP, DUTY, HOLD, COND, RWLOCK };

static int mode;
static uint64_t threads = 1, count = 100, sleep_us = 10000, run_us, period_us = 10000, hold_us = 10000;
static uint64_t main_us, uncontended, fifo, cpu = UINT64_MAX, duration = 1 * NSEC_PER_SEC;
static const char *name, *wait_file, *hold_file;

static const struct opt opts[] = {
	{ "do", OPT_CHOICE, &mode, "spin|sleep|duty|hold|cond|rwlock",
	  "spin: run; sleep: count times sleep and run; duty: run a part of each period;\n"
	  "hold: the second thread waits for a mutex that the first holds; cond: wait for a\n"
	  "condition until the time is over; rwlock: as hold, for writing", 0, 0, true },
	{ "threads", OPT_U64, &threads, "N", "threads of spin, sleep and duty; default 1", 1, THREADS_MAX, false },
	{ "count", OPT_U64, &count, "N", "rounds; default 100", 1, 1ull << 32, false },
	{ "sleep-us", OPT_U64, &sleep_us, "US", "sleep of a round; default 10000", 0, 1ull << 32, false },
	{ "run-us", OPT_U64, &run_us, "US", "CPU time of a round; default 0", 0, 1ull << 32, false },
	{ "main-us", OPT_U64, &main_us, "US", "CPU time of the first thread before all else; default 0", 0, 1ull << 32, false },
	{ "period-us", OPT_U64, &period_us, "US", "period of duty; default 10000", 1, 1ull << 32, false },
	{ "hold-us", OPT_U64, &hold_us, "US", "how long a lock is held; default 10000", 0, 1ull << 32, false },
	{ "uncontended", OPT_U64, &uncontended, "N", "locks that nobody holds, afterwards", 0, 1ull << 32, false },
	{ "seconds", OPT_SECONDS, &duration, "S", "of spin; default 1", 0, 0, false },
	{ "cpu", OPT_U64, &cpu, "N", "run on this CPU only", 0, CPU_SETSIZE - 1, false },
	{ "fifo", OPT_U64, &fifo, "PRIO", "real-time priority", 1, 99, false },
	{ "name", OPT_STR, &name, "NAME", "name of all threads", 0, 0, false },
	{ "wait-file", OPT_STR, &wait_file, "PATH", "print 'ready', then begin when PATH exists", 0, 0, false },
	{ "hold-file", OPT_STR, &hold_file, "PATH", "end when PATH exists", 0, 0, false },
	{ 0 },
};

static const char summary[] =
	"Reports what the kernel says about each thread's work: CPU time, time on the run queue\n"
	"(schedstat) and switches (status), from the first round to the end of the last. With --hold-file the threads\n"
	"sleep then, so that /proc tells the same from outside.\n"
	"Example: nt-task --do sleep --count 100 --sleep-us 20000 --cpu 0";

struct figures {
	uint64_t run_ns, wait_ns, slices, voluntary, involuntary;
};
struct worker {
	pthread_t thread;
	uint64_t index, tid;
	struct figures before, after;
	double seconds;
};
static struct worker workers[THREADS_MAX];
static pthread_barrier_t start;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int held[2], done[2];		/* pipes: the threads meet without a futex */

static uint64_t status_field(const char *text, const char *field)
{
	const char *p = strstr(text, field);

	return p ? strtoull(p + strlen(field), NULL, 10) : 0;
}

static void read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		die_errno("cannot read %s", path);
	buf[n] = '\0';
	close(fd);
}

static void figures_get(struct figures *f)
{
	char text[8192], *end;

	read_text("/proc/thread-self/schedstat", text, sizeof(text));
	f->run_ns = strtoull(text, &end, 10);
	f->wait_ns = strtoull(end, &end, 10);
	f->slices = strtoull(end, NULL, 10);
	read_text("/proc/thread-self/status", text, sizeof(text));
	f->voluntary = status_field(text, "\nvoluntary_ctxt_switches:");
	f->involuntary = status_field(text, "\nnonvoluntary_ctxt_switches:");
}

/* CPU time of this thread: what a competitor takes does not count. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static __attribute__((noinline)) void burn(uint64_t us)
{
	uint64_t end = cpu_ns() + us * 1000;

	while (us && cpu_ns() < end)
		;
}

static __attribute__((noinline)) void spin_until(uint64_t end)
{
	while (now_ns() < end && !stopped())
		for (volatile int i = 0; i < 1000; i++)
			;
}

static void give(int fd)
{
	if (write(fd, "x", 1) != 1)
		die_errno("pipe");
}

static void take(int fd)
{
	char c;

	while (read(fd, &c, 1) != 1)
		if (errno != EINTR)
			die_errno("pipe");
}

/* Two places, for tools that tell them apart: neither folded into one, nor a jump. */
static __attribute__((noipa)) void lock_contended(bool rw)
{
	if (rw)
		pthread_rwlock_wrlock(&rwlock);
	else
		pthread_mutex_lock(&mutex);
}

static __attribute__((noipa)) void lock_free_one(bool rw)
{
	if (rw)
		pthread_rwlock_wrlock(&rwlock);
	else
		pthread_mutex_lock(&mutex);
}

static void unlock(bool rw)
{
	if (rw)
		pthread_rwlock_unlock(&rwlock);
	else
		pthread_mutex_unlock(&mutex);
}

/* The first thread holds the lock while the second asks for it. */
static void hold(uint64_t index, bool rw)
{
	for (uint64_t i = 0; i < count && !stopped(); i++) {
		if (index == 0) {
			lock_free_one(rw);
			give(held[1]);
			sleep_ns(hold_us * 1000);
			unlock(rw);
			take(done[0]);
		} else {
			take(held[0]);
			lock_contended(rw);
			unlock(rw);
			give(done[1]);
		}
	}
	for (uint64_t i = 0; index == 1 && i < uncontended; i++) {
		lock_free_one(rw);
		unlock(rw);
	}
}

static void cond(void)
{
	pthread_cond_t c;
	pthread_condattr_t attr;
	struct timespec t;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c, &attr);
	pthread_mutex_lock(&mutex);
	for (uint64_t i = 0; i < count && !stopped(); i++) {
		uint64_t until = now_ns() + sleep_us * 1000;

		t.tv_sec = (time_t)(until / NSEC_PER_SEC);
		t.tv_nsec = (long)(until % NSEC_PER_SEC);
		while (pthread_cond_timedwait(&c, &mutex, &t) != ETIMEDOUT)
			;
	}
	pthread_mutex_unlock(&mutex);
}

static void rounds(void)
{
	uint64_t begin = now_ns();

	for (uint64_t i = 0; i < count && !stopped(); i++) {
		if (mode == SLEEP) {
			sleep_ns(sleep_us * 1000);
			burn(run_us);
		} else {
			burn(run_us);
			sleep_until_ns(begin + (i + 1) * period_us * 1000);
		}
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t begin;

	w->tid = (uint64_t)syscall(SYS_gettid);
	if (name)
		prctl(PR_SET_NAME, name);
	pthread_barrier_wait(&start);	/* all are there */
	pthread_barrier_wait(&start);	/* begin */
	figures_get(&w->before);
	begin = now_ns();
	switch (mode) {
	case SPIN: spin_until(begin + duration); break;
	case HOLD: hold(w->index, false); break;
	case RWLOCK: hold(w->index, true); break;
	case COND: cond(); break;
	default: rounds();
	}
	w->seconds = seconds_since(begin);
	figures_get(&w->after);
	pthread_barrier_wait(&start);	/* done */
	pthread_barrier_wait(&start);	/* may end */
	return NULL;
}

static void pin(void)
{
	struct sched_param p = { .sched_priority = (int)fifo };
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu != UINT64_MAX) {
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			die_errno("cannot run on CPU %llu", (unsigned long long)cpu);
	}
	if (fifo && sched_setscheduler(0, SCHED_FIFO, &p))
		die_errno("cannot get a real-time priority");
}

static void report(void)
{
	struct json out;

	json_begin(&out);
	json_u64(&out, "pid", (uint64_t)getpid());
	json_open(&out, "threads", '[');
	for (uint64_t i = 0; i < threads; i++) {
		const struct figures *a = &workers[i].before, *b = &workers[i].after;

		json_open(&out, NULL, '{');
		json_u64(&out, "tid", workers[i].tid);
		json_u64(&out, "run_ns", b->run_ns - a->run_ns);
		json_u64(&out, "wait_ns", b->wait_ns - a->wait_ns);
		json_u64(&out, "voluntary", b->voluntary - a->voluntary);
		json_u64(&out, "involuntary", b->involuntary - a->involuntary);
		json_double(&out, "seconds", workers[i].seconds);
		json_close(&out, '}');
	}
	json_close(&out, ']');
	json_end(&out);
}

int main(int argc, char **argv)
{
	set_program_name("nt-task");
	opts_parse("nt-task", summary, opts, argc, argv);
	burn(main_us);
	if (mode == HOLD || mode == RWLOCK)
		threads = 2;
	stop_on_signals();
	if (name)
		prctl(PR_SET_NAME, name);
	if (pipe(held) || pipe(done))
		die_errno("pipe");
	pin();
	pthread_barrier_init(&start, NULL, (unsigned int)threads + 1);
	for (uint64_t i = 0; i < threads; i++) {
		workers[i].index = i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("cannot start a thread");
	}
	pthread_barrier_wait(&start);
	if (wait_file) {
		print_ready();
		wait_for_file(wait_file);
	}
	pthread_barrier_wait(&start);
	pthread_barrier_wait(&start);
	report();
	if (hold_file)
		wait_for_file(hold_file);
	pthread_barrier_wait(&start);
	for (uint64_t i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	return 0;
}
