/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kprobes: by perf's kprobe device or, on kernels without it (it came with 4.17),
 * by events of our own in tracefs. Such an event outlives the process that made
 * it: it is removed at the end, and what a killed process left is swept at the
 * next start.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core.h"

#define GROUP "nettrace"	/* of our events: events/nettrace/nettrace_PID_HOOK */

/* The device's number differs from boot to boot. */
int nt_kprobe_pmu(void)
{
	FILE *f = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	int type = -1;

	if (f && fscanf(f, "%d", &type) != 1)
		type = -1;
	if (f)
		fclose(f);
	return type;
}

/* A file of tracefs, which older systems have below debugfs only. */
static int open_tracefs(const char *file, int flags)
{
	static const char *const mounts[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char path[192];
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < NT_COUNT(mounts); i++) {
		snprintf(path, sizeof(path), "%s/%s", mounts[i], file);
		fd = open(path, flags | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

static FILE *read_tracefs(const char *file)
{
	int fd = open_tracefs(file, O_RDONLY);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (!f && fd >= 0)
		close(fd);
	return f;
}

/* One command; without O_APPEND the kernel would first remove everybody's events. */
static int write_command(const char *command)
{
	int fd = open_tracefs("kprobe_events", O_WRONLY | O_APPEND), err = 0;

	if (fd < 0)
		return fd;
	if (write(fd, command, strlen(command)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int remove_event(const char *event)
{
	char command[128];
	int err = -EBUSY;

	snprintf(command, sizeof(command), "-:" GROUP "/%s\n", event);
	/* The program's last reference may be dropped a moment after its link is closed. */
	for (int i = 0; err == -EBUSY && i < 20; i++) {
		err = write_command(command);
		if (err == -EBUSY)
			usleep(5000);
	}
	return err;
}

int nt_kprobe_event_pid(const char *line, char *event, size_t size)
{
	const char *at = strstr(line, ":" GROUP "/" GROUP "_");
	size_t n;

	if (!at)
		return 0;
	at += strlen(":" GROUP "/");
	n = strcspn(at, " \t\n");
	if (n >= size)
		return 0;
	memcpy(event, at, n);
	event[n] = '\0';
	return atoi(event + strlen(GROUP "_"));
}

void nt_kprobe_sweep(void)
{
	FILE *f = read_tracefs("kprobe_events");
	char line[512], event[NT_EVENT_NAME], command[128];

	while (f && fgets(line, sizeof(line), f)) {
		int pid = nt_kprobe_event_pid(line, event, sizeof(event));

		if (pid <= 0 || !kill(pid, 0) || errno != ESRCH)
			continue;
		/* One in use, of a process that only another PID namespace shows, is refused. */
		snprintf(command, sizeof(command), "-:" GROUP "/%s\n", event);
		write_command(command);
	}
	if (f)
		fclose(f);
}

static int event_id(const char *event)
{
	char path[128];
	FILE *f;
	int id = -1;

	snprintf(path, sizeof(path), "events/" GROUP "/%s/id", event);
	f = read_tracefs(path);
	if (!f)
		return -errno;
	if (fscanf(f, "%d", &id) != 1)
		id = -EINVAL;
	fclose(f);
	return id;
}

static struct bpf_link *attach_event(struct bpf_program *p, const char *event)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .type = PERF_TYPE_TRACEPOINT };
	int id = event_id(event), fd;
	struct bpf_link *link;

	if (id < 0) {
		errno = -id;
		return NULL;
	}
	attr.config = (uint64_t)id;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return NULL;
	link = bpf_program__attach_perf_event(p, fd);
	if (!link) {
		int err = errno;

		close(fd);
		errno = err;
	}
	return link;
}

static struct bpf_link *attach_tracefs(struct nt_run *r, struct nt_plan_hook *h,
				       struct bpf_program *p, bool ret)
{
	struct bpf_link *link;
	char command[192];
	int err;

	snprintf(h->event, sizeof(h->event), GROUP "_%d_%zu", getpid(), (size_t)(h - r->plan.hook));
	snprintf(command, sizeof(command), "%c:" GROUP "/%s %s\n", ret ? 'r' : 'p', h->event,
		 h->cand[h->chosen].target);
	err = write_command(command);
	if (err) {
		h->event[0] = '\0';
		errno = -err;
		return NULL;
	}
	link = attach_event(p, h->event);
	if (!link) {
		err = errno;
		nt_kprobe_remove(h);
		errno = err;
	}
	return link;
}

struct bpf_link *nt_kprobe_attach(struct nt_run *r, struct nt_plan_hook *h, struct bpf_program *p)
{
	bool ret = h->cand[h->chosen].kind == NT_PROG_KRETPROBE;

	if (!r->hidden.tracefs_kprobes && nt_kprobe_pmu() >= 0)
		return bpf_program__attach_kprobe(p, ret, h->cand[h->chosen].target);
	return attach_tracefs(r, h, p, ret);
}

void nt_kprobe_remove(struct nt_plan_hook *h)
{
	if (h->event[0])
		remove_event(h->event);
	h->event[0] = '\0';
}

uint64_t nt_kprobe_profile(FILE *f, const char *event)
{
	unsigned long long hits, misses;
	char line[256], name[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%127s %llu %llu", name, &hits, &misses) == 3 && !strcmp(name, event))
			return misses;
	return 0;
}

uint64_t nt_kprobe_missed(const struct nt_plan_hook *h)
{
	FILE *f = read_tracefs("kprobe_profile");
	uint64_t n = nt_kprobe_profile(f, h->event);

	if (f)
		fclose(f);
	return n;
}
