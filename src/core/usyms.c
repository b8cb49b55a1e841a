/* SPDX-License-Identifier: GPL-2.0 */
/* Which file a user-space address lies in, process by process; the files are shared. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "nettrace/out.h"
#include "nettrace/umaps.h"
#include "nettrace/usyms.h"

#define REREAD_NS 1000000000ULL		/* a process's mappings at most once a second */

struct file {				/* one executable or library */
	uint64_t dev, ino;
	char *path;
	struct nt_elf *elf;
	bool tried;
};

struct mapping {
	uint64_t start, end, pgoff;
	size_t file;
};

struct process {
	uint32_t pid;
	uint64_t read_ns;
	struct mapping *map;
	size_t n;
};

struct nt_usyms {
	struct file *file;
	size_t n_files;
	struct process *proc;
	size_t n_procs;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

int nt_usyms_new(struct nt_usyms **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void nt_usyms_free(struct nt_usyms *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->n_files; i++) {
		nt_elf_close(u->file[i].elf);
		free(u->file[i].path);
	}
	for (size_t i = 0; i < u->n_procs; i++)
		free(u->proc[i].map);
	free(u->file);
	free(u->proc);
	free(u);
}

/* Index of the file, or -ENOMEM. */
static ssize_t file_of(struct nt_usyms *u, uint64_t dev, uint64_t ino, const char *path)
{
	struct file *p;

	for (size_t i = 0; i < u->n_files; i++)
		if (u->file[i].dev == dev && u->file[i].ino == ino && !strcmp(u->file[i].path, path))
			return (ssize_t)i;
	p = realloc(u->file, (u->n_files + 1) * sizeof(*p));
	if (!p)
		return -ENOMEM;
	u->file = p;
	p[u->n_files] = (struct file){ .dev = dev, .ino = ino, .path = strdup(path) };
	if (!p[u->n_files].path)
		return -ENOMEM;
	return (ssize_t)u->n_files++;
}

static int add_line(struct nt_usyms *u, struct process *p, char *line)
{
	struct nt_umap l;
	struct mapping *m;
	ssize_t file;

	if (nt_umap_parse(&l, line) || !l.executable || !*l.name)
		return 0;
	file = file_of(u, l.dev, l.ino, l.name);
	m = file < 0 ? NULL : realloc(p->map, (p->n + 1) * sizeof(*m));
	if (!m)
		return -ENOMEM;
	p->map = m;
	m[p->n++] = (struct mapping){ l.start, l.end, l.pgoff, (size_t)file };
	return 0;
}

/* A process that has ended keeps the mappings that are known. */
static void read_maps(struct nt_usyms *u, struct process *p)
{
	struct process fresh = { .pid = p->pid, .read_ns = now_ns() };
	char path[64], *line = NULL;
	size_t cap = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/maps", p->pid);
	f = fopen(path, "re");
	while (f && getline(&line, &cap, f) > 0)
		if (add_line(u, &fresh, line))
			break;
	if (f)
		fclose(f);
	free(line);
	if (!fresh.n) {
		p->read_ns = fresh.read_ns;
		return;
	}
	free(p->map);
	*p = fresh;
}

static struct process *process_of(struct nt_usyms *u, uint32_t pid)
{
	struct process *p;

	for (size_t i = 0; i < u->n_procs; i++)
		if (u->proc[i].pid == pid)
			return &u->proc[i];
	p = realloc(u->proc, (u->n_procs + 1) * sizeof(*p));
	if (!p)
		return NULL;
	u->proc = p;
	p += u->n_procs++;
	*p = (struct process){ .pid = pid };
	read_maps(u, p);
	return p;
}

void nt_usyms_remember(struct nt_usyms *u, uint32_t pid)
{
	process_of(u, pid);
}

static const struct mapping *mapping_of(const struct process *p, uint64_t addr)
{
	for (size_t i = 0; i < p->n; i++)
		if (addr >= p->map[i].start && addr < p->map[i].end)
			return &p->map[i];
	return NULL;
}

/* By the mapping, which also has deleted files and those of other mount namespaces; by the path when
 * the process is gone. */
static void open_file(struct file *f, uint32_t pid, const struct mapping *m)
{
	char path[96];
	struct stat st;
	int fd;

	f->tried = true;
	if (f->path[0] != '/')
		return;		/* [vdso] and the like */
	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", pid, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fd = open(f->path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && (fstat(fd, &st) || (uint64_t)st.st_ino != f->ino)) {
			close(fd);	/* another file has the name now */
			fd = -1;
		}
	}
	if (fd < 0)
		return;
	nt_elf_open(&f->elf, fd);
	close(fd);
}

/* The address's mapping, read again if it is unknown: the process may have loaded something since. */
static const struct mapping *find(struct nt_usyms *u, uint32_t pid, uint64_t addr)
{
	struct process *p = process_of(u, pid);
	const struct mapping *m = p ? mapping_of(p, addr) : NULL;

	if (p && !m && now_ns() - p->read_ns > REREAD_NS) {
		read_maps(u, p);
		m = mapping_of(p, addr);
	}
	return m;
}

bool nt_usyms_mapped(struct nt_usyms *u, uint32_t pid, uint64_t addr)
{
	return find(u, pid, addr) != NULL;
}

const char *nt_usyms_lookup(struct nt_usyms *u, uint32_t pid, uint64_t addr, uint64_t *offset,
			    const char **module)
{
	const struct mapping *m = find(u, pid, addr);
	struct file *f;
	char *slash;

	*module = NULL;
	if (!m)
		return NULL;
	f = &u->file[m->file];
	if (!f->tried)
		open_file(f, pid, m);
	slash = strrchr(f->path, '/');
	*module = slash ? slash + 1 : f->path;
	return f->elf ? nt_elf_lookup(f->elf, addr - m->start + m->pgoff, offset) : NULL;
}

const char *nt_usyms_text(struct nt_usyms *u, uint32_t pid, uint64_t addr, unsigned int what, char *buf,
			  size_t size)
{
	char name[256] = "", offset[24] = "";
	const char *module, *known;
	uint64_t off = 0;

	known = nt_usyms_lookup(u, pid, addr, &off, &module);
	if (known)
		nt_fmt_escape(known, strlen(known), name, sizeof(name));
	else
		snprintf(name, sizeof(name), "0x%llx", (unsigned long long)addr);
	if (known && (what & NT_USYM_OFFSET))
		snprintf(offset, sizeof(offset), "+0x%llx", (unsigned long long)off);
	if (!module || !(what & NT_USYM_MODULE))
		snprintf(buf, size, "%s%s", name, offset);
	else
		snprintf(buf, size, module[0] == '[' ? "%s%s %s" : "%s%s [%s]", name, offset, module);
	return buf;
}
