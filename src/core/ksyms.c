/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/ksyms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A symbol ends where the next one of any kind begins; only text symbols keep a name. Names of
 * a module's symbols are followed by the module's index. */
struct sym {
	uint64_t addr;
	uint32_t name;		/* offset in names; 0: not text, ends the one before */
	uint32_t module;	/* offset in names of "module"; 0: kernel proper */
};

struct nt_ksyms {
	struct sym *sym;
	size_t n, cap;
	char *names;
	size_t names_len, names_cap;
	uint32_t last_module;
};

static uint32_t add_name(struct nt_ksyms *k, const char *s, size_t len)
{
	uint32_t at = k->names_len;

	if (k->names_len + len + 1 > k->names_cap) {
		size_t cap = k->names_cap ? k->names_cap * 2 : 1 << 20;
		char *p = realloc(k->names, cap);

		if (!p)
			return 0;
		k->names = p;
		k->names_cap = cap;
	}
	memcpy(k->names + at, s, len);
	k->names[at + len] = '\0';
	k->names_len += len + 1;
	return at;
}

static uint32_t module_name(struct nt_ksyms *k, const char *s, size_t len)
{
	const char *last = k->names + k->last_module;

	if (k->last_module && !strncmp(last, s, len) && !last[len])
		return k->last_module;
	k->last_module = add_name(k, s, len);
	return k->last_module;
}

static int add_sym(struct nt_ksyms *k, uint64_t addr, uint32_t name, uint32_t module)
{
	/* Runs of data symbols need one entry only: the end of the text before them. */
	if (!name && k->n && !k->sym[k->n - 1].name)
		return 0;
	if (k->n == k->cap) {
		size_t cap = k->cap ? k->cap * 2 : 1 << 16;
		struct sym *p = realloc(k->sym, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		k->sym = p;
		k->cap = cap;
	}
	k->sym[k->n++] = (struct sym){ addr, name, module };
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

/* "ffffffff81000000 T name" or "... t name\t[module]" */
static int add_line(struct nt_ksyms *k, const char *p, const char *end)
{
	uint64_t addr = parse_hex(&p);
	const char *name, *stop;
	char type;
	uint32_t module = 0, at;

	if (end - p < 4 || *p != ' ')
		return 0;
	type = p[1];
	if (type != 't' && type != 'T' && type != 'w' && type != 'W')
		return add_sym(k, addr, 0, 0);
	name = p + 3;
	stop = memchr(name, '\t', (size_t)(end - name));
	if (stop && stop + 2 < end && stop[1] == '[')
		module = module_name(k, stop + 2, (size_t)(end - stop - 3));
	at = add_name(k, name, (size_t)((stop ? stop : end) - name));
	return at ? add_sym(k, addr, at, module) : -ENOMEM;
}

static int by_addr(const void *a, const void *b)
{
	const struct sym *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	/* aliases of one address: the first in the file wins */
	return x->name < y->name ? -1 : x->name > y->name;
}

static int read_all(struct nt_ksyms *k, int fd)
{
	size_t cap = 256 * 1024, have = 0;
	char *buf = malloc(cap);
	int err = buf ? 0 : -ENOMEM;

	while (!err) {
		ssize_t n = read(fd, buf + have, cap - have - 1);
		char *line = buf, *nl;

		if (n < 0)
			err = errno == EINTR ? 0 : -errno;
		if (n <= 0)
			break;
		have += (size_t)n;
		while (!err && (nl = memchr(line, '\n', have - (size_t)(line - buf)))) {
			*nl = '\0';
			err = add_line(k, line, nl);
			line = nl + 1;
		}
		have -= (size_t)(line - buf);
		memmove(buf, line, have);
	}
	free(buf);
	return err;
}

static bool sorted(const struct nt_ksyms *k)
{
	for (size_t i = 1; i < k->n; i++)
		if (k->sym[i - 1].addr > k->sym[i].addr)
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
	add_name(k, "", 0);		/* offset 0 means "no name" */
	err = read_all(k, fd);
	close(fd);
	if (!err && (!k->n || !k->sym[k->n - 1].addr))
		err = k->n ? -EPERM : -ENOENT;
	if (err) {
		nt_ksyms_free(k);
		return err;
	}
	if (!sorted(k))
		qsort(k->sym, k->n, sizeof(*k->sym), by_addr);
	k->sym = realloc(k->sym, k->n * sizeof(*k->sym));
	k->names = realloc(k->names, k->names_len);
	*out = k;
	return 0;
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
	static char text[192];
	size_t lo = 0, hi = k ? k->n : 0;
	const struct sym *s;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (k->sym[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	s = &k->sym[lo - 1];
	while (s > k->sym && s[-1].addr == s->addr && s[-1].name)
		s--;			/* first of several aliases */
	if (!s->name || (lo == k->n && addr - s->addr > 1 << 20))
		return NULL;
	if (offset)
		*offset = addr - s->addr;
	if (!s->module)
		return k->names + s->name;
	snprintf(text, sizeof(text), "%s [%s]", k->names + s->name, k->names + s->module);
	return text;
}

void nt_ksyms_each(const struct nt_ksyms *k,
		   void (*fn)(void *arg, const char *name, uint64_t start, uint64_t end), void *arg)
{
	for (size_t i = 0; i < k->n; i++) {
		size_t j = i + 1;

		if (!k->sym[i].name)
			continue;
		while (j < k->n && k->sym[j].addr == k->sym[i].addr)
			j++;
		fn(arg, k->names + k->sym[i].name, k->sym[i].addr,
		   j < k->n ? k->sym[j].addr : k->sym[i].addr + 4096);
	}
}
