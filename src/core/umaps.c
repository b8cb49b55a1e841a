/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/umaps.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "7f..-7f.. r-xp 00001000 fd:01 1234   /usr/lib/libc.so.6" */
int nt_umap_parse(struct nt_umap *m, char *line)
{
	unsigned long long start, end, pgoff, ino;
	unsigned int major, minor;
	char perms[8];
	int at = 0;

	if (sscanf(line, "%llx-%llx %7s %llx %x:%x %llu %n", &start, &end, perms, &pgoff, &major, &minor,
		   &ino, &at) < 7 || !at || strlen(perms) < 3)
		return -EINVAL;
	line[at + (int)strcspn(line + at, "\n")] = '\0';
	*m = (struct nt_umap){ start, end, pgoff, (uint64_t)major << 32 | minor, ino, perms[2] == 'x', line + at };
	return 0;
}

static FILE *open_maps(uint32_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	return fopen(path, "re");
}

const char *nt_umap_text(uint32_t pid, uint64_t addr, char *buf, size_t size)
{
	FILE *f = open_maps(pid);
	char *line = NULL;
	struct nt_umap m;
	size_t cap = 0;

	buf[0] = '\0';
	while (f && getline(&line, &cap, f) > 0) {
		const char *slash;

		if (nt_umap_parse(&m, line) || addr < m.start || addr >= m.end)
			continue;
		slash = strrchr(m.name, '/');
		snprintf(buf, size, "%.40s+0x%llx", !*m.name ? "anonymous" : slash ? slash + 1 : m.name,
			 (unsigned long long)(addr - m.start));
		break;
	}
	if (f)
		fclose(f);
	free(line);
	return buf;
}

/* ---- files ---- */
struct seen {
	uint64_t dev, ino;
};
struct search {
	bool (*fn)(void *arg, const char *path, const char *shown);
	void *arg;
	struct seen *seen;
	size_t n;
	bool over;
};

static bool is_new(struct search *s, uint64_t dev, uint64_t ino)
{
	struct seen *p;

	for (size_t i = s->n; i-- > 0;)		/* a process's files stand together */
		if (s->seen[i].ino == ino && s->seen[i].dev == dev)
			return false;
	p = realloc(s->seen, (s->n + 1) * sizeof(*p));
	if (!p)
		return false;
	s->seen = p;
	p[s->n++] = (struct seen){ dev, ino };
	return true;
}

/* Through the process's own root, which may be a container's; a file that was replaced or removed is
 * still there as the mapping. */
static void give(struct search *s, uint32_t pid, const struct nt_umap *m)
{
	char path[4096];

	snprintf(path, sizeof(path), "/proc/%u/root%s", pid, m->name);
	if (access(path, R_OK))
		snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", pid, (unsigned long long)m->start,
			 (unsigned long long)m->end);
	s->over = !s->fn(s->arg, path, m->name);
}

static void search_one(struct search *s, uint32_t pid)
{
	FILE *f = open_maps(pid);
	char *line = NULL;
	struct nt_umap m;
	size_t cap = 0;

	while (f && !s->over && getline(&line, &cap, f) > 0)
		if (!nt_umap_parse(&m, line) && m.executable && m.name[0] == '/' && is_new(s, m.dev, m.ino))
			give(s, pid, &m);
	free(line);
	if (f)
		fclose(f);
}

void nt_umap_files(uint32_t pid, bool (*fn)(void *arg, const char *path, const char *shown), void *arg)
{
	struct search s = { .fn = fn, .arg = arg };
	DIR *d = pid ? NULL : opendir("/proc");
	struct dirent *e;

	if (pid)
		search_one(&s, pid);
	while (d && !s.over && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]))
			search_one(&s, (uint32_t)strtoul(e->d_name, NULL, 10));
	if (d)
		closedir(d);
	free(s.seen);
}
