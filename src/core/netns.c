/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/netns.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMESPACES 4096

struct walk {
	void (*fn)(void *arg, const struct nt_netns *ns);
	void *arg;
	int home;			/* our namespace, to come back */
	uint32_t done[NAMESPACES];	/* inodes of the n that were visited */
	size_t n;
};

static uint32_t inode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint32_t)st.st_ino;
}

static bool is_new(struct walk *w, uint32_t inode)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->done[i] == inode)
			return false;
	if (!inode || w->n == NAMESPACES)
		return false;
	w->done[w->n++] = inode;
	return true;
}

static void visit(struct walk *w, const char *path, const struct nt_netns *ns)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!setns(fd, CLONE_NEWNET)) {
		w->fn(w->arg, ns);
		if (setns(w->home, CLONE_NEWNET))
			abort();	/* we must not go on in a foreign namespace */
	}
	close(fd);
}

static void visit_folder(struct walk *w, const char *folder, bool processes)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[300];

	while (d && (e = readdir(d))) {
		struct nt_netns ns = { .name = processes ? NULL : e->d_name };

		if (e->d_name[0] == '.' || (processes && (e->d_name[0] < '1' || e->d_name[0] > '9')))
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", folder, e->d_name, processes ? "/ns/net" : "");
		ns.inode = inode_of(path);
		ns.pid = processes ? (uint32_t)strtoul(e->d_name, NULL, 10) : 0;
		if (is_new(w, ns.inode))
			visit(w, path, &ns);
	}
	if (d)
		closedir(d);
}

void nt_netns_each(void (*fn)(void *arg, const struct nt_netns *ns), void *arg)
{
	struct walk w = { .fn = fn, .arg = arg, .home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) };
	struct nt_netns ours = { .inode = inode_of("/proc/self/ns/net") };

	is_new(&w, ours.inode);
	fn(arg, &ours);
	if (w.home < 0)
		return;
	visit_folder(&w, "/run/netns", false);
	visit_folder(&w, "/proc", true);
	close(w.home);
}
