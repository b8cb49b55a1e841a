/* SPDX-License-Identifier: GPL-2.0 */
/* Finding a tool by any of its names, and its help text. */
#include <string.h>

#include "nettrace/core_api.h"

const char *nt_group_name(enum nt_group g)
{
	static const char *const names[] = { "stack", "system", "vm", "kvm", "ovs", "cpu", "misc" };

	return names[g];
}

static char fold(char c)
{
	return c == '-' ? '_' : c;
}

/* Compares n bytes of a with the whole of b, '-' and '_' being the same. */
static bool same_name(const char *a, size_t n, const char *b, size_t b_len)
{
	if (n != b_len)
		return false;
	for (size_t i = 0; i < n; i++)
		if (fold(a[i]) != fold(b[i]))
			return false;
	return true;
}

static bool has_name(const struct nt_tool *t, const char *name, size_t n)
{
	const char *p = t->aliases;

	if (same_name(name, n, t->name, strlen(t->name)))
		return true;
	while (p && *p) {
		size_t len = strcspn(p, "|");

		if (same_name(name, n, p, len))
			return true;
		p += len + (p[len] == '|');
	}
	return false;
}

static const struct nt_tool_entry *find(const char *name, size_t n)
{
	for (size_t i = 0; i < nt_n_tools; i++)
		if (has_name(nt_tools[i].tool, name, n))
			return &nt_tools[i];
	return NULL;
}

const struct nt_tool_entry *nt_tool_find(const char *name)
{
	static const char *const suffixes[] = { ".py", ".bt", ".sh" };
	const char *slash = strrchr(name, '/');
	const struct nt_tool_entry *e;
	size_t n;

	if (slash)
		name = slash + 1;
	n = strlen(name);
	e = find(name, n);
	for (size_t i = 0; !e && i < NT_COUNT(suffixes); i++)
		if (n > 3 && !strcmp(name + n - 3, suffixes[i]))
			e = find(name, n - 3);
	return e;
}

/* The legacy names, a few a line. */
static void help_names(FILE *f, const char *names)
{
	size_t column = 100;

	if (!names)
		return;
	fprintf(f, "Also called:");
	while (*names) {
		size_t n = strcspn(names, "|");

		if (column + n > 98)
			column = (size_t)fprintf(f, "\n ") - 1;
		column += (size_t)fprintf(f, " %.*s", (int)n, names);
		names += n + (names[n] == '|');
	}
	fputc('\n', f);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Entry and return of a function are two hooks; who reads the list wants to know of one. */
static bool listed_before(const struct nt_tool *t, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same_text(t->hooks[k].targets, t->hooks[i].targets) && t->hooks[k].need == t->hooks[i].need &&
		    same_text(t->hooks[k].loss, t->hooks[i].loss))
			return true;
	return false;
}

/* What is lost without a hook is said once for those that follow each other. */
static void help_hooks(FILE *f, const struct nt_tool *t)
{
	const char *loss = NULL;

	fprintf(f, "\nHooks:\n%s", t->n_hooks ? "" : "  none: it has no programs and needs no BTF\n");
	for (size_t i = 0; i < t->n_hooks; i++) {
		const struct nt_hook *h = &t->hooks[i];
		static const char *const need[] = { "required", "optional", "one set of" };

		if (listed_before(t, i))
			continue;
		if (loss && !same_text(loss, h->loss))
			fprintf(f, "      without it not seen: %s\n", loss);
		loss = h->loss;
		fprintf(f, "  %-44s %s\n", h->targets,
			h->need == NT_OPTIONAL && h->group ? h->group : need[h->need]);
	}
	if (loss)
		fprintf(f, "      without it not seen: %s\n", loss);
}

void nt_tool_help(FILE *f, const struct nt_tool *t)
{
	struct nt_optset sets[NT_OPTSET_MAX];
	size_t n = nt_tool_optsets(t, sets);

	fprintf(f, "nettrace %s - %s\n\nUsage: nettrace %s [options]%s\n", t->name, t->summary, t->name,
		t->tuple & NT_TUPLE_EXPR ? " [filter expression]" : "");
	help_names(f, t->aliases);
	fprintf(f, "\n%s\n\n", t->help);
	nt_opts_help(f, sets, n);
	help_hooks(f, t);
	fprintf(f, "\nExamples:\n");
	for (size_t i = 0; i < NT_COUNT(t->example); i++)
		if (t->example[i])
			fprintf(f, "  %s\n", t->example[i]);
}
