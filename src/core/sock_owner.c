/* SPDX-License-Identifier: GPL-2.0 */
/* Whose are these sockets: /proc/PID/fd, each descriptor once. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nettrace/sock_diag.h"

#define MAX_DESCRIPTORS	(1u << 20)	/* about a second */
#define ASK_EVERY	1024

struct search {
	struct nt_sock_owner *owner;
	size_t n;
	bool (*stop)(void *arg);
	void *arg;
	uint32_t seen;
};

static int by_inode(const void *a, const void *b)
{
	const struct nt_sock_owner *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static void read_comm(uint32_t pid, char *comm, size_t size)
{
	char path[40];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, comm, size - 1);
		close(fd);
	}
	if (n < 0)
		n = 0;
	comm[n] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
}

/* A process that has it open twice counts once. */
static void found(struct search *s, uint32_t inode, uint32_t pid, uint32_t fd, uint32_t *last_pid)
{
	struct nt_sock_owner key = { .inode = inode };
	struct nt_sock_owner *o = bsearch(&key, s->owner, s->n, sizeof(*o), by_inode);

	if (!o || last_pid[o - s->owner] == pid)
		return;
	last_pid[o - s->owner] = pid;
	if (o->processes++)
		return;
	o->pid = pid;
	o->fd = fd;
	read_comm(pid, o->comm, sizeof(o->comm));
}

static bool look_at(struct search *s, uint32_t pid, uint32_t *last_pid)
{
	char path[40], target[64];
	struct dirent *e;
	bool go_on = true;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	d = opendir(path);
	while (d && go_on && (e = readdir(d))) {
		ssize_t n = isdigit((unsigned char)e->d_name[0])
			? readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1) : -1;
		unsigned int inode;

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (sscanf(target, "socket:[%u]", &inode) == 1)
			found(s, inode, pid, (uint32_t)strtoul(e->d_name, NULL, 10), last_pid);
		go_on = ++s->seen < MAX_DESCRIPTORS &&
			(s->seen % ASK_EVERY || !s->stop || !s->stop(s->arg));
	}
	if (d)
		closedir(d);
	return go_on;
}

bool nt_sock_owners(struct nt_sock_owner *o, size_t n, bool (*stop)(void *arg), void *arg)
{
	struct search s = { .owner = o, .n = n, .stop = stop, .arg = arg };
	uint32_t *last_pid = calloc(n + 1, sizeof(*last_pid));
	DIR *d = last_pid ? opendir("/proc") : NULL;
	bool complete = d != NULL;
	struct dirent *e;

	while (complete && n && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]))
			complete = look_at(&s, (uint32_t)strtoul(e->d_name, NULL, 10), last_pid);
	if (d)
		closedir(d);
	free(last_pid);
	return complete;
}
