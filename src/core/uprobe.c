/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hooks in user space: one function in many files, each attached by its offset in the file. libbpf
 * takes perf's uprobe device, or tracefs on kernels without it.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core.h"
#include "nettrace/umaps.h"
#include "nettrace/usyms.h"

bool nt_uprobe_possible(void)
{
	return !access("/sys/bus/event_source/devices/uprobe", F_OK) ||
	       !access("/sys/kernel/tracing/uprobe_events", F_OK) ||
	       !access("/sys/kernel/debug/tracing/uprobe_events", F_OK);
}

int nt_run_user_file(struct nt_run *r, const char *path, uint32_t pid)
{
	struct nt_bpf *b = &r->bpf;
	struct nt_user_file *p = realloc(b->user_file, (b->n_user_files + 1) * sizeof(*p));

	if (!p)
		return -ENOMEM;
	b->user_file = p;
	p[b->n_user_files] = (struct nt_user_file){ .path = strdup(path), .pid = pid };
	if (!p[b->n_user_files].path)
		return -ENOMEM;
	b->n_user_files++;
	return 0;
}

/* Offset of the first of the '|' separated names that the file has; 0: none. */
static uint64_t offset_of(const char *path, const char *names)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct nt_elf *e = NULL;
	uint64_t off = 0;
	char name[64];

	if (fd < 0)
		return 0;
	for (nt_elf_open(&e, fd); e && *names && !off; names += *names == '|') {
		size_t n = strcspn(names, "|");

		snprintf(name, sizeof(name), "%.*s", (int)n, names);
		off = nt_elf_find(e, name);
		names += n;
	}
	nt_elf_close(e);
	close(fd);
	return off;
}

/* ---- looking for files ---- */
struct search {
	struct nt_run *r;
	const char *functions;
	uint32_t pid;			/* only in this process; 0: in all */
	size_t files, found;
	char searched[200];
	int err;
};

static bool look_into(void *arg, const char *path, const char *shown)
{
	struct search *s = arg;
	size_t len = strlen(s->searched);

	s->files++;
	if (!offset_of(path, s->functions)) {
		if (len + strlen(shown) + 3 < sizeof(s->searched))
			snprintf(s->searched + len, sizeof(s->searched) - len, "%s%s", len ? ", " : "", shown);
		return true;
	}
	s->found++;
	s->err = nt_run_user_file(s->r, path, s->pid);
	return !s->err;
}

int nt_run_user_search(struct nt_run *r, const uint32_t *pid, size_t n, const char *functions, struct nt_err *err)
{
	struct search s = { .r = r, .functions = functions, .pid = n == 1 ? pid[0] : 0 };

	for (size_t i = 0; i < n; i++)
		nt_umap_files(pid[i], look_into, &s);
	if (!n)
		nt_umap_files(0, look_into, &s);
	if (s.err || s.found)
		return s.err;
	return nt_err_set(err, NT_EXIT_UNSUPPORTED, ENOENT, "no file has the function: %s: searched %zu: %s%s: "
			  "name the library", functions, s.files, s.searched, s.files ? ", ..." : "nothing is mapped");
}

/* ---- attaching ---- */
static int keep(struct nt_bpf *b, struct bpf_link *l)
{
	struct bpf_link **p = realloc(b->user_link, (b->n_user_links + 1) * sizeof(*p));

	if (!p)
		return -ENOMEM;
	b->user_link = p;
	p[b->n_user_links++] = l;
	return 0;
}

int nt_uprobe_attach(struct nt_run *r, const struct nt_plan_hook *h, struct bpf_program *p)
{
	const struct nt_candidate *c = &h->cand[h->chosen];
	LIBBPF_OPTS(bpf_uprobe_opts, o, .retprobe = c->kind == NT_PROG_URETPROBE);
	int err = -ENOENT, attached = 0;

	for (size_t i = 0; i < r->bpf.n_user_files; i++) {
		const struct nt_user_file *f = &r->bpf.user_file[i];
		uint64_t off = offset_of(f->path, h->hook->targets);
		struct bpf_link *l = NULL;

		if (off)
			l = bpf_program__attach_uprobe_opts(p, f->pid ? (pid_t)f->pid : -1, f->path, off, &o);
		if (!l) {
			err = off ? -errno : err;
			continue;
		}
		if (keep(&r->bpf, l)) {
			bpf_link__destroy(l);
			return -ENOMEM;
		}
		attached++;
	}
	return attached ? 0 : err;
}

void nt_uprobe_detach(struct nt_run *r)
{
	struct nt_bpf *b = &r->bpf;

	while (b->n_user_links)
		bpf_link__destroy(b->user_link[--b->n_user_links]);
	free(b->user_link);
	b->user_link = NULL;
	while (b->n_user_files)
		free(b->user_file[--b->n_user_files].path);
	free(b->user_file);
	b->user_file = NULL;
}
