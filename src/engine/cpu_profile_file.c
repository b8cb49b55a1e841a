/* SPDX-License-Identifier: GPL-2.0 */
/* The samples of a hot CPU as a file: functions that ran most, then folded stacks. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cpu.h"

enum { TOP_FUNCTIONS = 20, NAME_SIZE = 120 };

/* ---- names ---- */
/* Escaped, and without what separates frames and counts. */
static void clean(const char *name, size_t n, char *buf, size_t size)
{
	nt_fmt_escape(name, n, buf, size);
	for (; *buf; buf++)
		if (*buf == ' ' || *buf == ';')
			*buf = *buf == ' ' ? '_' : ':';
}

static void frame_name(struct nt_run *r, struct nt_cpu_profile *p, const struct nt_cpu_sample *s, uint32_t i,
		       char *buf, size_t size)
{
	const char *file = NULL, *name;
	char plain[NAME_SIZE];
	uint64_t off;

	if (i < s->n_kernel)
		name = nt_run_names(r)->ksym(nt_run_names(r)->ctx, s->frame[i], &off);
	else
		name = p->usyms ? nt_usyms_lookup(p->usyms, s->pid, s->frame[i], &off, &file) : NULL;
	if (!name && file)
		snprintf(plain, sizeof(plain), "[%s]", file);
	else if (!name)
		snprintf(plain, sizeof(plain), "0x%llx", (unsigned long long)s->frame[i]);
	else
		snprintf(plain, sizeof(plain), "%s%s", name, i < s->n_kernel ? "_[k]" : "");
	clean(plain, strlen(plain), buf, size);
}

static void thread_name(const struct nt_cpu_shot *threads, const struct nt_cpu_sample *s, char *buf, size_t size)
{
	char comm[16] = "";

	for (size_t i = 0; i < threads->n && !comm[0]; i++)
		if (threads->row[i].tid == s->tid)
			memcpy(comm, threads->row[i].comm, sizeof(comm));
	if (!comm[0])
		nt_task_comm(s->pid, s->tid, comm, sizeof(comm));
	if (comm[0])
		clean(comm, strnlen(comm, sizeof(comm)), buf, size);
	else
		snprintf(buf, size, "tid-%u", s->tid);
}

/* Without frame pointers the caller is what happened to be in the register: from the first address
 * on that is in no mapping there is nothing to be told. */
static uint32_t n_frames(struct nt_cpu_profile *p, const struct nt_cpu_sample *s)
{
	uint32_t n = s->n_kernel;

	while (n < s->n_kernel + s->n_user && (n == s->n_kernel || !p->usyms ||
	       nt_usyms_mapped(p->usyms, s->pid, s->frame[n])))
		n++;
	return n;
}

/* ---- counts by text ---- */
struct tally {
	char *text;
	uint64_t count;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct tally *)a)->text, ((const struct tally *)b)->text);
}

static int by_count(const void *a, const void *b)
{
	const struct tally *x = a, *y = b;

	return x->count != y->count ? (x->count < y->count ? 1 : -1) : by_text(a, b);
}

/* Adds up those of the same text; most first. Different addresses are one function. */
static size_t merge(struct tally *t, size_t n)
{
	size_t last = 0;

	if (!n)
		return 0;
	qsort(t, n, sizeof(*t), by_text);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(t[last].text, t[i].text)) {
			t[++last] = t[i];
		} else {
			t[last].count += t[i].count;
			free(t[i].text);
		}
	}
	qsort(t, last + 1, sizeof(*t), by_count);
	return last + 1;
}

static char *function_text(struct nt_run *r, struct nt_cpu_profile *p, const struct nt_cpu_sample *s)
{
	char name[NAME_SIZE] = "[unknown]";

	if (s->n_kernel + s->n_user)
		frame_name(r, p, s, 0, name, sizeof(name));
	return strdup(name);
}

/* Outermost first, as flame graphs are made of. */
static char *stack_text(struct nt_run *r, struct nt_cpu_profile *p, const struct nt_cpu_sample *s,
			const struct nt_cpu_shot *threads)
{
	char text[NAME_SIZE * (NT_CPU_FRAMES + 1)], name[NAME_SIZE];
	size_t len;

	thread_name(threads, s, name, sizeof(name));
	len = (size_t)snprintf(text, sizeof(text), "%s", name);
	for (uint32_t i = n_frames(p, s); i-- > s->n_kernel;) {
		frame_name(r, p, s, i, name, sizeof(name));
		len += (size_t)snprintf(text + len, sizeof(text) - len, ";%s", name);
	}
	for (uint32_t i = s->n_kernel; i-- > 0;) {
		frame_name(r, p, s, i, name, sizeof(name));
		len += (size_t)snprintf(text + len, sizeof(text) - len, ";%s", name);
	}
	return strdup(text);
}

/* threads NULL: of the functions that ran, else of whole stacks. */
static struct tally *tally(struct nt_run *r, struct nt_cpu_profile *p, uint32_t cpu,
			   const struct nt_cpu_shot *threads, size_t *n)
{
	struct tally *t = calloc(p->n_stacks + 1, sizeof(*t));

	*n = 0;
	for (size_t i = 0; t && i < NT_CPU_STACKS; i++) {
		const struct nt_cpu_stack *e = &p->stack[i];

		if (!e->count || e->cpu != cpu)
			continue;
		t[*n].text = threads ? stack_text(r, p, &e->s, threads) : function_text(r, p, &e->s);
		t[*n].count = e->count;
		*n += t[*n].text != NULL;
	}
	if (t)
		*n = merge(t, *n);
	return t;
}

static void tally_free(struct tally *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(t[i].text);
	free(t);
}

/* ---- the file ---- */
/* The default folder lies where everybody can write: it has to be ours, and no link. */
static bool may_use(struct nt_run *r, const char *dir)
{
	struct stat st;

	if (((const struct nt_cpu_opts *)nt_run_opts(r))->profile_dir)
		return true;
	if (!lstat(dir, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		return true;
	errno = EPERM;
	return false;
}

static FILE *create(struct nt_run *r, struct nt_cpu_profile *p, uint32_t cpu, const char *date)
{
	int fd = -1;

	if ((mkdir(p->dir, 0700) && errno != EEXIST) || !may_use(r, p->dir))
		return NULL;
	for (int again = 1; fd < 0 && again < 100; again++) {
		char more[8] = "";

		if (again > 1)	/* of the same second */
			snprintf(more, sizeof(more), "_%d", again);
		snprintf(p->path, sizeof(p->path), "%s/perf_cpu%u_%s%s.txt", p->dir, cpu, date, more);
		fd = open(p->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			return NULL;
	}
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static const char *complain(struct nt_run *r, struct nt_cpu_profile *p, const char *what, const char *why)
{
	if (!p->told)
		nt_run_note(r, "nettrace %s: %s: %s: %s", nt_run_tool(r)->name, what, p->dir, why);
	p->told = true;
	return NULL;
}

static void write_all(struct nt_run *r, struct nt_cpu_profile *p, uint32_t cpu,
		      const struct nt_cpu_shot *threads, FILE *f)
{
	size_t n;
	struct tally *t = tally(r, p, cpu, NULL, &n);

	fprintf(f, "# samples       %%  function\n");
	for (size_t i = 0; i < n && i < TOP_FUNCTIONS; i++)
		fprintf(f, "# %7llu  %6.2f  %s\n", (unsigned long long)t[i].count,
			100.0 * (double)t[i].count / (double)p->ring[cpu].samples, t[i].text);
	tally_free(t, n);
	t = tally(r, p, cpu, threads, &n);
	fprintf(f, "# thread;frames from outermost to innermost, [k] in the kernel; samples\n");
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s %llu\n", t[i].text, (unsigned long long)t[i].count);
	tally_free(t, n);
}

const char *nt_cpu_profile_write(struct nt_run *r, struct nt_cpu_profile *p, uint32_t cpu, double usage,
				 double seconds, const struct nt_cpu_shot *threads, uint64_t *samples)
{
	const struct nt_cpu_opts *o = nt_run_opts(r);
	const struct nt_cpu_ring *ring = &p->ring[cpu];
	time_t now = time(NULL);
	char date[32];
	struct tm tm;
	FILE *f;

	*samples = ring->samples;
	if (p->files >= o->max_profiles)
		return complain(r, p, "no more profiles are written", "--max-profiles is reached");
	localtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y%m%d_%H%M%S", &tm);
	f = create(r, p, cpu, date);
	if (!f)
		return complain(r, p, "cannot write profiles", strerror(errno));
	p->files++;
	fprintf(f, "# CPU %u until %s: busy %.1f %% of %.3f s, %llu samples at %u Hz, %llu lost\n", cpu, date, usage,
		seconds, (unsigned long long)ring->samples, o->hz, (unsigned long long)(ring->lost + ring->too_many));
	write_all(r, p, cpu, threads, f);
	if (fclose(f))
		return complain(r, p, "cannot write profiles", strerror(errno));
	return p->path;
}
