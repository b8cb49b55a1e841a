// SPDX-License-Identifier: GPL-2.0
/* The bench's program: empty BPF programs, loads of fixed work, the start of a tool. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

uint64_t bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void bench_die(const char *what)
{
	fprintf(stderr, "nt-bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static const struct { const char *name; int (*run)(int, char **); const char *help; } verbs[] = {
	{ "bare", bench_bare, "KIND:TARGET...        attach empty programs, say ready" },
	{ "frames", bench_frames, "DEV N ROUNDS          send UDP frames that are not for the other end" },
	{ "ping", bench_ping, "ADDRESS N ROUNDS [BYTES]  one echo after the other" },
	{ "tap", bench_tap, "NAME N ROUNDS         send frames into a tap and take them out again" },
	{ "rwlock", bench_rwlock, "N ROUNDS               a lock that is free, for writing" },
	{ "futex", bench_futex, "N ROUNDS                a wake of nobody and a wait that does not wait" },
	{ "tcp", bench_tcp, "N ROUNDS                  a byte over TCP and back" },
	{ "recv", bench_recv, "N ROUNDS                 a datagram to oneself" },
	{ "threads", bench_threads, "N ROUNDS              a byte to another process and back" },
	{ "start", bench_start, "COMMAND...            until the first line of output; memory then" },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 2, argv + 2);
	fputs("usage: nt-bench VERB ARGUMENTS\n"
	      "Loads print the ns of each round, the first is for warming up.\n\n", stderr);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(stderr, "  %-8s %s\n", verbs[i].name, verbs[i].help);
	return 2;
}
