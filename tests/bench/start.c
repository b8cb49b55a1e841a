// SPDX-License-Identifier: GPL-2.0
/* From exec to the first line of output, and the memory that the program then has. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static unsigned long status_kb(pid_t pid, const char *field)
{
	char path[64], line[256];
	unsigned long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)))
			kb = strtoul(line + strlen(field) + 1, NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

/* Resident pages of mapped BPF maps: ring buffers. */
static unsigned long maps_kb(pid_t pid)
{
	char path[64], line[512];
	unsigned long kb = 0;
	int map = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (strchr(line, '-') && strchr(line, '-') < strchr(line, ' '))
			map = strstr(line, "bpf-map") != NULL;
		else if (map && !strncmp(line, "Rss:", 4))
			kb += strtoul(line + 4, NULL, 10);
	}
	if (f)
		fclose(f);
	return kb;
}

int bench_start(int argc, char **argv)
{
	uint64_t start, ns;
	int p[2], status;
	char c = 0, line[64] = "";
	size_t n = 0;
	pid_t pid;

	if (argc < 1 || pipe(p))
		bench_die("arguments");
	start = bench_now();
	pid = fork();
	if (pid < 0)
		bench_die("fork");
	if (!pid) {
		dup2(p[1], 1);
		close(p[0]);
		execvp(argv[0], argv);
		bench_die(argv[0]);
	}
	close(p[1]);
	while (c != '\n' && read(p[0], &c, 1) == 1)
		if (n < sizeof(line) - 1)
			line[n++] = c;
	ns = bench_now() - start;
	if (c != '\n' || !strstr(line, "\"type\":\"start\""))
		bench_die("it does not start");
	usleep(200000);		/* what it frees after its start line is free then */
	printf("%llu %lu %lu %lu\n", (unsigned long long)ns, status_kb(pid, "VmRSS"),
	       maps_kb(pid), status_kb(pid, "VmHWM"));
	kill(pid, SIGINT);
	while (read(p[0], &c, 1) == 1)
		;
	waitpid(pid, &status, 0);
	return 0;
}
