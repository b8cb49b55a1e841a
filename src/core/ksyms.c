/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/ksyms.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A symbol ends where the next one of any kind begins; only text symbols keep a name, with
 * " [module]" where there is one. Eight bytes a symbol and its name: memory is promised small. */
struct sym {
	uint32_t off;		/* address - base: text and modules lie within 4 GiB */
	uint32_t name;		/* offset in names; 0: not text, ends the one before */
};

struct nt_ksyms {
	struct sym *sym;
	size_t n, cap;
	uint64_t base;		/* 2 GiB below the first symbol kept */
	char *names;
	size_t names_len, names_cap;
	bool zeros;		/* addresses are hidden from us */
	uint64_t var[NT_KSYMS_VARS];
};

static const char *const vars[NT_KSYMS_VARS] = {
	[NT_KSYMS_PER_CPU_OFFSET] = "__per_cpu_offset", [NT_KSYMS_SOFTNET_DATA] = "softnet_data",
	[NT_KSYMS_PREEMPT_COUNT] = "__preempt_count", [NT_KSYMS_PCPU_HOT] = "pcpu_hot",
};

/* Room for every name that len bytes of lines can hold. */
static int reserve_names(struct nt_ksyms *k, size_t len)
{
	size_t cap = k->names_cap ? k->names_cap : 1 << 20;
	char *p;

	while (cap - k->names_len < len)
		cap *= 2;
	if (cap == k->names_cap)
		return 0;
	p = realloc(k->names, cap);
	if (!p)
		return -ENOMEM;
	k->names = p;
	k->names_cap = cap;
	return 0;
}

static int add_sym(struct nt_ksyms *k, uint64_t addr, uint32_t name)
{
	/* Runs of data symbols need one entry only: the end of the text before them. Per-CPU
	 * variables come first, with small numbers. */
	if (!name && (!k->n || !k->sym[k->n - 1].name))
		return 0;
	if (!k->n)
		k->base = addr - 0x80000000ULL;	/* arm64 has modules below the kernel */
	if (addr < k->base || addr - k->base > UINT32_MAX)
		return 0;
	if (k->n == k->cap) {
		size_t cap = k->cap ? k->cap * 2 : 1 << 15;
		struct sym *p = realloc(k->sym, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		k->sym = p;
		k->cap = cap;
	}
	k->sym[k->n++] = (struct sym){ (uint32_t)(addr - k->base), name };
	return 0;
}

static uint64_t parse_hex(const char **p)
{
	uint64_t v = 0;

	for (;; (*p)++) {
		char c = **p;

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return v;
	}
}

static const char *line_end(const char *p)
{
	while (*p != '\n')
		p++;
	return p;
}

/* Copies the name that ends with the line, "name" or "name\t[module]"; returns the line's end. */
static const char *add_name(struct nt_ksyms *k, const char *p)
{
	char *to = k->names + k->names_len;

	for (; *p != '\n'; p++)
		*to++ = *p == '\t' ? ' ' : *p;
	*to++ = '\0';
	k->names_len = (size_t)(to - k->names);
	return p;
}

/* A module may have a variable of the same name: the kernel's own comes first. */
static void note_var(struct nt_ksyms *k, uint64_t addr, const char *name)
{
	for (size_t i = 0; i < NT_KSYMS_VARS; i++) {
		size_t n = strlen(vars[i]);

		if (*name == *vars[i] && !k->var[i] && !strncmp(name, vars[i], n) && name[n] == '\n')
			k->var[i] = addr;
	}
}

/* "ffffffff81000000 T name" or "... t name\t[module]", by its first byte; *line is moved to its
 * newline. One pass by bytes: there are 200,000 lines, most of them short. */
static int add_line(struct nt_ksyms *k, const char **line)
{
	const char *p = *line;
	uint64_t addr = parse_hex(&p);
	uint32_t name = (uint32_t)k->names_len;
	char type;

	if (p[0] != ' ' || p[1] == '\n' || p[2] != ' ' || p[3] == '\n') {
		*line = line_end(p);
		return 0;
	}
	if (!addr)
		k->zeros = true;
	type = p[1];
	p += 3;
	if (type != 't' && type != 'T' && type != 'w' && type != 'W') {
		note_var(k, addr, p);
		*line = line_end(p);
		return add_sym(k, addr, 0);
	}
	/* Padding in front of a function (6.2+): half of all symbols, and no code runs there. */
	if (p[0] == '_' && p[1] == '_' && p[2] == 'p' && p[3] == 'f' && p[4] == 'x' && p[5] == '_') {
		*line = line_end(p);
		return 0;
	}
	*line = add_name(k, p);
	return add_sym(k, addr, name);
}

/* Whole lines: the last byte is a newline. */
static int add_lines(void *arg, const char *p, const char *end)
{
	struct nt_ksyms *k = arg;
	int err = reserve_names(k, (size_t)(end - p));

	for (; !err && p < end; p++)
		err = add_line(k, &p);
	return err;
}

static int by_addr(const void *a, const void *b)
{
	const struct sym *x = a, *y = b;

	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	/* aliases of one address: the first in the file wins */
	return x->name < y->name ? -1 : x->name > y->name;
}

/* fn gets whole lines, as many as there are. */
static int read_all(int fd, int (*fn)(void *arg, const char *p, const char *end), void *arg)
{
	size_t cap = 256 * 1024, have = 0, whole;
	char *buf = malloc(cap);
	int err = buf ? 0 : -ENOMEM;

	while (!err) {
		ssize_t n = read(fd, buf + have, cap - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		have += (size_t)n;
		for (whole = have; whole && buf[whole - 1] != '\n';)
			whole--;
		err = fn(arg, buf, buf + whole);
		have -= whole;
		memmove(buf, buf + whole, have);
	}
	free(buf);
	return err;
}

static bool sorted(const struct nt_ksyms *k)
{
	for (size_t i = 1; i < k->n; i++)
		if (k->sym[i - 1].off > k->sym[i].off)
			return false;
	return true;
}

int nt_ksyms_load(struct nt_ksyms **out, const char *path)
{
	struct nt_ksyms *k = calloc(1, sizeof(*k));
	int fd, err;

	*out = NULL;
	if (!k)
		return -ENOMEM;
	fd = open(path ? path : "/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		free(k);
		return err;
	}
	err = reserve_names(k, 1);
	if (!err) {
		k->names[k->names_len++] = '\0';	/* offset 0 means "no name" */
		err = read_all(fd, add_lines, k);
	}
	close(fd);
	if (!err && (!k->n || !k->base))
		err = k->zeros ? -EPERM : -ENOENT;
	if (err) {
		nt_ksyms_free(k);
		return err;
	}
	if (!sorted(k))
		qsort(k->sym, k->n, sizeof(*k->sym), by_addr);
	k->sym = realloc(k->sym, k->n * sizeof(*k->sym));
	k->names = realloc(k->names, k->names_len);
	malloc_trim(0);
	*out = k;
	return 0;
}

struct wanted {
	struct nt_ksyms_func *func;
	size_t n, seen;
};

static int compare_name(const void *key, const void *func)
{
	const char *a = key, *b = ((const struct nt_ksyms_func *)func)->name;
	unsigned char c;

	for (; *b && *a == *b; a++)
		b++;
	c = *a == '\n' || *a == '\t' ? 0 : (unsigned char)*a;	/* its end, before a module's name */
	return c - (unsigned char)*b;
}

static int find_in_lines(void *arg, const char *p, const char *end)
{
	struct wanted *w = arg;

	for (; p < end; p = line_end(p) + 1) {
		struct nt_ksyms_func *f;

		parse_hex(&p);
		if (p[0] != ' ' || p[1] == '\n' || p[2] != ' ' || !strchr("tTwW", p[1]))
			continue;
		w->seen++;
		f = bsearch(p + 3, w->func, w->n, sizeof(*f), compare_name);
		if (f)
			f->found = true;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct nt_ksyms_func *)a)->name, ((const struct nt_ksyms_func *)b)->name);
}

int nt_ksyms_find(struct nt_ksyms_func *func, size_t n, const char *path)
{
	struct wanted w = { func, n, 0 };
	int fd = open(path ? path : "/proc/kallsyms", O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	qsort(func, n, sizeof(*func), by_name);
	err = read_all(fd, find_in_lines, &w);
	close(fd);
	/* of those with one name the search meets any */
	for (size_t i = 1; i < n; i++)
		func[i].found |= func[i - 1].found && !strcmp(func[i].name, func[i - 1].name);
	for (size_t i = n; i > 1; i--)
		func[i - 2].found |= func[i - 1].found && !strcmp(func[i - 2].name, func[i - 1].name);
	if (!err && !w.seen)
		err = -ENOENT;		/* masked, as some containers have it */
	return err;
}

void nt_ksyms_free(struct nt_ksyms *k)
{
	if (!k)
		return;
	free(k->sym);
	free(k->names);
	free(k);
}

const char *nt_ksyms_lookup(const struct nt_ksyms *k, uint64_t addr, uint64_t *offset)
{
	size_t lo = 0, hi = k ? k->n : 0;
	const struct sym *s;

	if (!k || addr < k->base)
		return NULL;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (k->base + k->sym[mid].off <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	s = &k->sym[lo - 1];
	while (s > k->sym && s[-1].off == s->off && s[-1].name)
		s--;			/* first of several aliases */
	if (!s->name || (lo == k->n && addr - k->base - s->off > 1 << 20))
		return NULL;
	if (offset)
		*offset = addr - k->base - s->off;
	return k->names + s->name;
}

uint64_t nt_ksyms_var(const struct nt_ksyms *k, enum nt_ksyms_var var)
{
	return k ? k->var[var] : 0;
}

void nt_ksyms_each(const struct nt_ksyms *k,
		   void (*fn)(void *arg, const char *name, uint64_t start, uint64_t end), void *arg)
{
	for (size_t i = 0; i < k->n; i++) {
		size_t j = i + 1;

		if (!k->sym[i].name)
			continue;
		while (j < k->n && k->sym[j].off == k->sym[i].off)
			j++;
		fn(arg, k->names + k->sym[i].name, k->base + k->sym[i].off,
		   k->base + (j < k->n ? k->sym[j].off : k->sym[i].off + 4096));
	}
}
