/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of nt-bench. */
#ifndef NETTRACE_BENCH_H
#define NETTRACE_BENCH_H

#include <stdint.h>
#include <stdnoreturn.h>

uint64_t bench_now(void);	/* ns, monotonic */
noreturn void bench_die(const char *what);	/* with the text of errno */

/* Each gets the arguments behind its name; the result is the exit status. */
int bench_bare(int argc, char **argv);
int bench_frames(int argc, char **argv);
int bench_ping(int argc, char **argv);
int bench_tap(int argc, char **argv);
int bench_tcp(int argc, char **argv);
int bench_threads(int argc, char **argv);
int bench_rwlock(int argc, char **argv);
int bench_futex(int argc, char **argv);
int bench_recv(int argc, char **argv);
int bench_start(int argc, char **argv);

#endif
