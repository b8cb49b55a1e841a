/* SPDX-License-Identifier: GPL-2.0 */
/* CPUs and threads as /proc and /sys show them. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nettrace/cpu.h"

/* ---- /proc/stat ---- */
/* One line's numbers; kernels before 2.6.33 had fewer. */
static bool parse_ticks(const char *p, struct nt_cpu_ticks *t)
{
	size_t i;

	memset(t, 0, sizeof(*t));
	for (i = 0; i < NT_CPU_FIELDS; i++) {
		char *end;

		p += strspn(p, " ");
		if (!isdigit((unsigned char)*p))
			break;
		t->v[i] = strtoull(p, &end, 10);
		p = end;
	}
	t->online = i > NT_CPU_IDLE && (*p == '\n' || *p == '\0' || *p == ' ');
	return t->online;
}

int nt_cpu_stat_parse(const char *text, struct nt_cpu_ticks *cpus, size_t n, struct nt_cpu_ticks *all)
{
	int online = 0;

	memset(cpus, 0, n * sizeof(*cpus));
	if (strncmp(text, "cpu ", 4) || !parse_ticks(text + 4, all))
		return -EINVAL;
	while ((text = strchr(text, '\n')) && !strncmp(++text, "cpu", 3)) {
		struct nt_cpu_ticks t;
		char *end;
		unsigned long id;

		if (!isdigit((unsigned char)text[3]))
			return -EINVAL;
		id = strtoul(text + 3, &end, 10);
		if (*end != ' ' || !parse_ticks(end, &t))
			return -EINVAL;
		if (id >= n)
			continue;
		online += !cpus[id].online;
		cpus[id] = t;
	}
	return online ? online : -EINVAL;
}

static ssize_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	while (n < size - 1 && (got = read(fd, buf + n, size - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	buf[n] = '\0';
	return (ssize_t)n;
}

/* The CPUs' lines come first; a line has at most 11 numbers of 20 digits. */
int nt_cpu_stat_read(struct nt_cpu_ticks *cpus, size_t n, struct nt_cpu_ticks *all)
{
	size_t size = (n + 2) * 256;
	char *text = malloc(size);
	ssize_t got = text ? read_file("/proc/stat", text, size) : -ENOMEM;
	int rc = got < 0 ? (int)got : 0;

	if (!rc) {
		char *rest = strstr(text, "\nintr");

		if (rest)
			rest[1] = '\0';
		rc = nt_cpu_stat_parse(text, cpus, n, all);
	}
	free(text);
	return rc;
}

/* A counter that goes back (iowait does, now and then) has not risen. */
static uint64_t rise(const struct nt_cpu_ticks *before, const struct nt_cpu_ticks *now, int f)
{
	return now->v[f] > before->v[f] ? now->v[f] - before->v[f] : 0;
}

void nt_cpu_share(struct nt_cpu_share *s, const struct nt_cpu_ticks *before, const struct nt_cpu_ticks *now)
{
	uint64_t d[NT_CPU_FIELDS], all = 0;

	memset(s, 0, sizeof(*s));
	if (!before->online || !now->online)
		return;
	for (int f = 0; f < NT_CPU_FIELDS; f++)
		d[f] = rise(before, now, f);
	for (int f = 0; f <= NT_CPU_STEAL; f++)
		all += d[f];
	d[NT_CPU_USER] -= d[NT_CPU_GUEST] < d[NT_CPU_USER] ? d[NT_CPU_GUEST] : d[NT_CPU_USER];
	d[NT_CPU_NICE] -= d[NT_CPU_GUEST_NICE] < d[NT_CPU_NICE] ? d[NT_CPU_GUEST_NICE] : d[NT_CPU_NICE];
	s->accounted_ms = (double)all * 1000.0 / (double)sysconf(_SC_CLK_TCK);
	if (!all)
		return;
	for (int f = 0; f < NT_CPU_FIELDS; f++)
		s->pct[f] = 100.0 * (double)d[f] / (double)all;
	s->busy = 100.0 * (double)(all - d[NT_CPU_IDLE] - d[NT_CPU_IOWAIT]) / (double)all;
}

/* ---- lists of CPUs ---- */
static bool number(const char **p, unsigned long *v)
{
	char *end;

	if (!isdigit((unsigned char)**p))
		return false;
	*v = strtoul(*p, &end, 10);
	*p = end;
	return true;
}

int nt_cpu_list_parse(const char *text, bool *set, size_t n)
{
	unsigned long low, high;

	if (!*text || !strcmp(text, "\n"))
		return 0;
	for (;;) {
		if (!number(&text, &low))
			return -EINVAL;
		high = low;
		if (*text == '-' && (text++, !number(&text, &high) || high < low))
			return -EINVAL;
		if (high >= n)
			return -ERANGE;
		for (unsigned long i = low; i <= high; i++)
			set[i] = true;
		if (!*text || !strcmp(text, "\n"))
			return 0;
		if (*text++ != ',')
			return -EINVAL;
	}
}

int nt_cpu_wanted(const struct nt_strlist *l, const char *option, bool *set, size_t n, struct nt_err *err)
{
	for (size_t i = 0; i < n; i++)
		set[i] = !l->n;
	for (size_t i = 0; i < l->n; i++) {
		char bad[64];

		if (nt_cpu_list_parse(l->item[i], set, n))
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "no such CPU: --%s %s: this machine has 0-%zu", option,
					  nt_err_quote(bad, sizeof(bad), l->item[i]), n - 1);
	}
	return 0;
}

int nt_cpu_list_read(const char *path, bool *set, size_t n)
{
	char text[4096];
	ssize_t got = read_file(path, text, sizeof(text));

	/* "(null)" where the kernel was not told of any */
	return got < 0 ? (int)got : nt_cpu_list_parse(text, set, n);
}

void nt_cpu_siblings(uint32_t cpu, bool *set, size_t n)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
	memset(set, 0, n * sizeof(*set));
	if (nt_cpu_list_read(path, set, n))
		memset(set, 0, n * sizeof(*set));
	set[cpu] = false;
}

/* ---- threads ---- */
int nt_cpu_task_parse(const char *text, struct nt_cpu_task *t)
{
	enum { STATE = 3, UTIME = 14, STIME = 15, START = 22, PROCESSOR = 39 };
	const char *open = strchr(text, '('), *p = strrchr(text, ')');	/* a comm may hold anything */
	uint64_t v[PROCESSOR + 1] = { 0 };
	size_t len;

	if (!open || !p || p < open || p[1] != ' ' || !isalpha((unsigned char)p[2]))
		return -EINVAL;
	len = (size_t)(p - open - 1);
	if (len > sizeof(t->comm) - 1)
		len = sizeof(t->comm) - 1;
	memset(t, 0, sizeof(*t));
	memcpy(t->comm, open + 1, len);
	t->state = p[2];
	p += 3;
	for (int f = STATE + 1; f <= PROCESSOR; f++) {
		char *end;

		if (*p++ != ' ')
			return -EINVAL;
		v[f] = *p == '-' ? (uint64_t)strtoll(p, &end, 10) : strtoull(p, &end, 10);
		if (end == p)
			return -EINVAL;
		p = end;
	}
	t->ticks = v[UTIME] + v[STIME];
	t->start_ticks = v[START];
	t->cpu = (uint32_t)v[PROCESSOR];
	return 0;
}

bool nt_cpu_is_vcpu(const char *comm)
{
	size_t digits;

	if (strncmp(comm, "CPU ", 4))
		return false;
	digits = strspn(comm + 4, "0123456789");
	return digits && !strcmp(comm + 4 + digits, "/KVM");
}

/* One value of a list "a=b,c=d": to the next single comma; two stand for one. */
static const char *item(const char *p, char *buf, size_t size)
{
	size_t n = 0;

	for (; *p && (*p != ',' || p[1] == ','); p++) {
		if (n < size - 1)
			buf[n++] = *p;
		p += *p == ',';
	}
	buf[n] = '\0';
	return *p ? p + 1 : p;
}

bool nt_cpu_vm_name(const char *cmdline, size_t n, char *buf, size_t size)
{
	const char *p = cmdline, *end = cmdline + n;
	char one[256];

	buf[0] = '\0';
	while (p < end && strnlen(p, (size_t)(end - p)) < (size_t)(end - p)) {
		bool is_name = !strcmp(p, "-name") || !strcmp(p, "--name");

		p += strlen(p) + 1;
		if (!is_name || p >= end || strnlen(p, (size_t)(end - p)) == (size_t)(end - p))
			continue;
		for (const char *w = p; *w;) {
			bool first = w == p, named;

			w = item(w, one, sizeof(one));
			named = !strncmp(one, "guest=", 6);
			if (named || (first && !strchr(one, '=')))
				snprintf(buf, size, "%s", named ? one + 6 : one);
		}
	}
	return buf[0] != '\0';
}
