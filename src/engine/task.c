/* SPDX-License-Identifier: GPL-2.0 */
/* Which processes and threads the user means: sets of ids, /proc, and the kernel's list. */
#include "nettrace/task.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INITIAL_PIDNS "pid:[4026531836]"	/* PROC_PID_INIT_INO, part of the kernel's interface */
#define COMM_LEN 15

/* ---- sets of ids ---- */
static size_t place(const struct nt_ids *s, uint32_t id)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->id[mid] < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool nt_ids_has(const struct nt_ids *s, uint32_t id)
{
	size_t i = place(s, id);

	return i < s->n && s->id[i] == id;
}

int nt_ids_add(struct nt_ids *s, uint32_t id)
{
	size_t i = place(s, id);

	if (i < s->n && s->id[i] == id)
		return 0;
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		uint32_t *p = realloc(s->id, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		s->id = p;
		s->cap = cap;
	}
	memmove(s->id + i + 1, s->id + i, (s->n - i) * sizeof(*s->id));
	s->id[i] = id;
	s->n++;
	return 0;
}

void nt_ids_free(struct nt_ids *s)
{
	free(s->id);
	memset(s, 0, sizeof(*s));
}

/* A whole decimal number above 0 that fits. */
static bool number(const char *s, uint32_t *out)
{
	size_t n = strspn(s, "0123456789");
	unsigned long v;

	if (!n || n > 10 || s[n])
		return false;
	v = strtoul(s, NULL, 10);
	*out = (uint32_t)v;
	return v > 0 && v <= INT32_MAX;
}

int nt_ids_parse(struct nt_ids *s, const struct nt_strlist *l, const char *option, struct nt_err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		char bad[64];
		uint32_t id;

		if (!number(l->item[i], &id))
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"bad value for --%s: %s: give numbers above 0, with commas between", option,
				nt_err_quote(bad, sizeof(bad), l->item[i]));
		if (nt_ids_add(s, id))
			return -ENOMEM;
	}
	return 0;
}

/* ---- /proc ---- */
bool nt_proc_is(const char *name, uint32_t pid, const char *comm, const char *exe)
{
	uint32_t id;

	if (number(name, &id))
		return id == pid;
	if (strlen(name) <= COMM_LEN && !strcmp(name, comm))
		return true;
	return exe && !strcmp(name, exe);
}

int nt_task_comm(uint32_t pid, uint32_t tid, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", pid, tid);
	buf[0] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n <= 0)
		return n ? -errno : -ESRCH;
	buf[n] = '\0';
	if (buf[n - 1] == '\n')
		buf[n - 1] = '\0';
	return 0;
}

/* Base name of the executable; a replaced file's link ends with " (deleted)". */
static const char *exe_name(uint32_t pid, char *buf, size_t size)
{
	static const char gone[] = " (deleted)";
	char path[64], *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	n = readlink(path, buf, size - 1);
	if (n <= 0)
		return NULL;	/* a kernel thread */
	buf[n] = '\0';
	if ((size_t)n > sizeof(gone) && !strcmp(buf + n - sizeof(gone) + 1, gone))
		buf[(size_t)n - sizeof(gone) + 1] = '\0';
	slash = strrchr(buf, '/');
	return slash ? slash + 1 : buf;
}

static bool matches(const struct nt_procs *p, uint32_t pid)
{
	char comm[32], exe[512];
	const char *base;

	if (nt_task_comm(pid, pid, comm, sizeof(comm)))
		return false;
	base = exe_name(pid, exe, sizeof(exe));
	for (size_t i = 0; i < p->names.n; i++)
		if (nt_proc_is(p->names.item[i], pid, comm, base))
			return true;
	return false;
}

bool nt_proc_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

int nt_proc_each(int (*fn)(void *arg, uint32_t pid), void *arg)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	uint32_t pid;
	int rc = 0;

	if (!d)
		return -errno;
	while (!rc && (e = readdir(d)))
		if (number(e->d_name, &pid))
			rc = fn(arg, pid);
	closedir(d);
	return rc;
}

struct search {
	struct nt_procs *procs;
	const struct nt_ids *doubtful;
	struct nt_ids found, known;
	bool all;
};

static int search_one(void *arg, uint32_t pid)
{
	struct search *s = arg;

	if (!s->all && nt_ids_has(&s->procs->known, pid) && !nt_ids_has(s->doubtful, pid))
		return nt_ids_add(&s->known, pid);
	return nt_ids_add(matches(s->procs, pid) ? &s->found : &s->known, pid);
}

int nt_procs_find(struct nt_procs *p, const struct nt_ids *doubtful)
{
	struct search s = { .procs = p, .doubtful = doubtful, .all = p->scans++ % 16 == 0 };
	int rc = nt_proc_each(search_one, &s);

	if (rc) {		/* what was known stays */
		nt_ids_free(&s.found);
		nt_ids_free(&s.known);
		return rc;
	}
	nt_ids_free(&p->found);
	nt_ids_free(&p->known);
	p->found = s.found;
	p->known = s.known;
	return 0;
}

void nt_procs_free(struct nt_procs *p)
{
	nt_ids_free(&p->found);
	nt_ids_free(&p->known);
}

/* The third field of stat, behind the comm, which may hold anything. */
static bool runnable(uint32_t pid, uint32_t tid)
{
	char path[64], buf[512], *p;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, buf, sizeof(buf) - 1);
		close(fd);
	}
	if (n <= 0)
		return false;
	buf[n] = '\0';
	p = strrchr(buf, ')');
	return p && p[1] == ' ' && p[2] == 'R';
}

int nt_task_threads(uint32_t pid, bool only_runnable, struct nt_ids *out)
{
	struct dirent *e;
	char path[64];
	int rc = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	d = opendir(path);
	if (!d)
		return -errno;
	while (!rc && (e = readdir(d))) {
		uint32_t tid;

		if (number(e->d_name, &tid) && (!only_runnable || runnable(pid, tid)))
			rc = nt_ids_add(out, tid);
	}
	closedir(d);
	return rc;
}

/* ---- the kernel side ---- */
int nt_task_check_namespace(struct nt_err *err)
{
	char link[64];
	ssize_t n = readlink("/proc/self/ns/pid", link, sizeof(link) - 1);

	if (n <= 0)
		return 0;	/* no PID namespaces */
	link[n] = '\0';
	if (!strcmp(link, INITIAL_PIDNS))
		return 0;
	return nt_err_set(err, NT_EXIT_UNSUPPORTED, ENOTSUP,
		"cannot tell which processes are meant: this is not the initial PID namespace (%s): "
		"run it on the host, or in a container with the host's PID namespace", link);
}

int nt_task_write_cfg(struct nt_run *r, const struct nt_task_cfg *c)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(nt_run_map_fd(r, "nt_task_cfg"), &zero, c, BPF_ANY);
}

static void read_ids(int fd, struct nt_ids *ids)
{
	uint32_t key, *prev = NULL;

	for (; !bpf_map_get_next_key(fd, prev, &key); prev = &key)
		nt_ids_add(ids, key);
}

static void tell_none(struct nt_run *r, struct nt_procs *p)
{
	nt_run_note(r, "nettrace %s: no process is called %s%s: waiting for one", nt_run_tool(r)->name,
		    p->names.item[0], p->names.n > 1 ? " or as the others" : "");
	p->told_none = true;
}

int nt_procs_watch(struct nt_run *r, struct nt_procs *p)
{
	uint64_t before = nt_now_ns();
	struct nt_ids watched = { 0 };
	int rc;

	read_ids(nt_run_map_fd(r, "nt_tasks"), &watched);
	rc = nt_procs_find(p, &watched);
	if (!rc)
		nt_task_write_ids(r, &p->found, before);
	if (!p->found.n && p->names.n && !p->told_none)
		tell_none(r, p);
	nt_ids_free(&watched);
	return rc;
}

void nt_task_write_ids(struct nt_run *r, const struct nt_ids *ids, uint64_t not_after)
{
	int fd = nt_run_map_fd(r, "nt_tasks");
	struct nt_ids now_there = { 0 };
	uint64_t since, now = nt_now_ns();

	for (size_t i = 0; i < ids->n; i++)
		if (bpf_map_update_elem(fd, &ids->id[i], &now, BPF_NOEXIST) && errno == E2BIG)
			nt_run_lost(r, NT_STAT_MAP_FULL, 1);
	read_ids(fd, &now_there);
	for (size_t i = 0; i < now_there.n; i++)
		if (!nt_ids_has(ids, now_there.id[i]) &&
		    !bpf_map_lookup_elem(fd, &now_there.id[i], &since) && since <= not_after)
			bpf_map_delete_elem(fd, &now_there.id[i]);
	nt_ids_free(&now_there);
}

void nt_task_cfg_names(struct nt_task_cfg *c, const struct nt_strlist *names)
{
	c->n_names = 0;
	memset(c->name, 0, sizeof(c->name));
	for (size_t i = 0; i < names->n && c->n_names < NT_TASK_NAMES; i++) {
		uint32_t id;

		if (!number(names->item[i], &id))
			snprintf(c->name[c->n_names++], sizeof(c->name[0]), "%.15s", names->item[i]);
	}
}
