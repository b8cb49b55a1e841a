/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table walk: what a tool's declaration can get wrong is found here, for
 * every tool there is.
 */
#include <bpf/libbpf.h>
#include <ctype.h>
#include <stdlib.h>

#include "check.h"
#include "core.h"
#include "nettrace/core_api.h"

#define CHECK_TOOL(cond, ...) check_tool(!!(cond), __LINE__, __VA_ARGS__)

static const struct nt_tool *tool;	/* under test */

/* Names a check "TOOL: what". */
__attribute__((format(printf, 3, 4)))
static bool check_tool(bool ok, int line, const char *fmt, ...)
{
	char what[200], name[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(name, sizeof(name), "%s: %s", tool->name, what);
	return check_one(ok, name, __FILE__, line);
}

/* ---- names ---- */
#define NAMES_MAX 2000
static char names[NAMES_MAX][64];
static size_t n_names;

static void fold(char *s)
{
	for (; *s; s++)
		if (*s == '-')
			*s = '_';
}

static bool name_is_new(const char *name)
{
	char folded[64];

	snprintf(folded, sizeof(folded), "%s", name);
	fold(folded);
	for (size_t i = 0; i < n_names; i++)
		if (!strcmp(names[i], folded))
			return false;
	if (n_names < NAMES_MAX)
		strcpy(names[n_names++], folded);
	return true;
}

static bool finds(const char *fmt, const char *name)
{
	const struct nt_tool_entry *e;
	char text[200];

	snprintf(text, sizeof(text), fmt, name);
	e = nt_tool_find(text);
	if (e && e->tool == tool)
		return true;
	printf("# \"%s\" is %s\n", text, e ? e->tool->name : "unknown");
	return false;
}

static bool has_suffix(const char *name)
{
	size_t n = strlen(name);

	return n > 3 && (!strcmp(name + n - 3, ".py") || !strcmp(name + n - 3, ".bt") ||
			 !strcmp(name + n - 3, ".sh"));
}

static void check_name(const char *name)
{
	char dashes[64], mixed[64];
	bool plain = name[0] != '\0' && strlen(name) < sizeof(dashes);

	for (const char *p = name; *p; p++)
		plain = plain && (isalnum((unsigned char)*p) || strchr("_-.", *p));
	if (!CHECK_TOOL(plain, "name \"%s\" is plain and short", name))
		return;
	CHECK_TOOL(name_is_new(name), "name \"%s\" is nobody else's", name);
	strcpy(dashes, name);
	strcpy(mixed, name);
	for (size_t i = 0; dashes[i]; i++) {
		if (dashes[i] == '_')
			dashes[i] = '-';
		if (i % 2 && (mixed[i] == '_' || mixed[i] == '-'))
			mixed[i] = mixed[i] == '_' ? '-' : '_';
	}
	CHECK_TOOL(finds("%s", name) && finds("/usr/bin/%s", name) && finds("./%s", name) &&
		   finds("%s", dashes) && finds("../a-b/%s", dashes) && finds("%s", mixed),
		   "found as \"%s\", with a folder, and with '-' for '_'", name);
	if (!has_suffix(name))
		CHECK_TOOL(finds("%s.py", name) && finds("%s.bt", name) && finds("%s.sh", name) &&
			   finds("/opt/%s.py", dashes), "\"%s\" found with .py, .bt and .sh", name);
}

/* Steps through "a|b"; false at the end. */
static bool next_name(const char **list, char *name, size_t size)
{
	size_t n;

	if (!*list || !**list)
		return false;
	n = strcspn(*list, "|");
	snprintf(name, size, "%.*s", (int)n, *list);
	*list += n + ((*list)[n] == '|');
	return true;
}

static void check_names(void)
{
	const char *list = tool->aliases;
	char name[200];

	check_name(tool->name);
	while (next_name(&list, name, sizeof(name)))
		check_name(name);
	CHECK_TOOL(!tool->aliases || tool->aliases[strlen(tool->aliases) - 1] != '|',
		   "no '|' ends the aliases");
}

/* ---- texts and options ---- */
static bool example_ok(const char *example)
{
	char start[100];

	snprintf(start, sizeof(start), "nettrace %s ", tool->name);
	return example && !strncmp(example, start, strlen(start)) && strstr(example, " # ");
}

static void check_texts(void)
{
	CHECK_TOOL(tool->summary && strlen(tool->summary) > 20 && !strchr(tool->summary, '\n'),
		   "a summary of one line");
	CHECK_TOOL(tool->help && strlen(tool->help) > 80, "a help text");
	for (const char *p = tool->help; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strcspn(p, "\n") > 110)
			CHECK_TOOL(false, "help line too long: %.40s...", p);
	for (size_t i = 0; i < NT_COUNT(tool->example); i++)
		CHECK_TOOL(example_ok(tool->example[i]), "example %zu calls it and says what it shows", i + 1);
	CHECK_TOOL(tool->group <= NT_GROUP_MISC && nt_group_name(tool->group)[0], "a group");
}

static void check_options(void)
{
	struct nt_optset sets[NT_OPTSET_MAX];
	size_t n = nt_tool_optsets(tool, sets);
	struct nt_arena arena = { NULL };
	struct nt_optview view;
	struct nt_err err = { .text = "" };
	char *help = NULL;
	size_t size;
	FILE *f;

	CHECK_TOOL(n > 0 && n <= NT_OPTSET_MAX, "option sets");
	for (size_t i = 0; i < n; i++) {
		CHECK_TOOL(nt_optset_check(stdout, &sets[i]) == 0, "option table \"%s\"", sets[i].title);
		for (size_t k = 0; i == 0 && k < sets[i].n; k++)
			if (!(sets[i].rows[k].flags & NT_OPT_COMMON) &&
			    sets[i].rows[k].offset >= tool->opts_size)
				CHECK_TOOL(false, "--%s lies outside of the struct", sets[i].rows[k].name);
	}
	CHECK_TOOL(!nt_optview_init(&view, sets, n, &arena, &err), "every retuned row has its common one");
	CHECK_TOOL(nt_optview_name(&view, "interval", 8) && nt_optview_name(&view, "json", 4) &&
		   nt_optview_name(&view, "dry-run", 7) && nt_optview_name(&view, "duration", 8),
		   "the common options are there");
	nt_arena_free(&arena);
	f = open_memstream(&help, &size);
	nt_tool_help(f, tool);
	fclose(f);
	CHECK_TOOL(strstr(help, tool->summary) && strstr(help, "Examples:") && strstr(help, "Hooks:"),
		   "--help has all its parts");
	free(help);
}

/* ---- hooks and the object ---- */
static const struct {
	const char *name;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;	/* of BPF_PROG_TYPE_TRACING */
} kinds[NT_PROG_KINDS] = {
	[NT_PROG_TP_BTF] = { "tp_btf", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP },
	[NT_PROG_RAW_TP] = { "raw_tp", BPF_PROG_TYPE_RAW_TRACEPOINT, 0 },
	[NT_PROG_FENTRY] = { "fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY },
	[NT_PROG_KPROBE] = { "kprobe", BPF_PROG_TYPE_KPROBE, 0 },
	[NT_PROG_FEXIT] = { "fexit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT },
	[NT_PROG_KRETPROBE] = { "kretprobe", BPF_PROG_TYPE_KPROBE, 0 },
	[NT_PROG_UPROBE] = { "uprobe", BPF_PROG_TYPE_KPROBE, 0 },
	[NT_PROG_URETPROBE] = { "uretprobe", BPF_PROG_TYPE_KPROBE, 0 },
};

static bool has_prog(const struct bpf_object *o, const char *stem, enum nt_prog_kind kind)
{
	const struct bpf_program *p;
	char name[128];

	snprintf(name, sizeof(name), "%s__%s", stem, kinds[kind].name);
	p = bpf_object__find_program_by_name(o, name);
	if (!p)
		printf("# no program %s\n", name);
	return p && bpf_program__type(p) == kinds[kind].type &&
	       (kinds[kind].type != BPF_PROG_TYPE_TRACING ||
		bpf_program__expected_attach_type(p) == kinds[kind].attach);
}

static bool targets_ok(const struct nt_hook *h)
{
	const char *list = h->targets;
	char target[200];
	size_t n = 0;

	while (next_name(&list, target, sizeof(target))) {
		const char *colon = strchr(target, ':');

		n++;
		if ((h->type == NT_HOOK_TP) != (colon != NULL) || strlen(target) >= 64 ||
		    !target[0] || (colon && (colon == target || !colon[1])))
			return false;
	}
	return n > 0 && n * 2 <= NT_CANDIDATES;
}

static void check_hook(const struct bpf_object *o, const struct nt_hook *h)
{
	static const enum nt_prog_kind of[][2] = {
		[NT_HOOK_TP] = { NT_PROG_TP_BTF, NT_PROG_RAW_TP },
		[NT_HOOK_FUNC] = { NT_PROG_FENTRY, NT_PROG_KPROBE },
		[NT_HOOK_RET] = { NT_PROG_FEXIT, NT_PROG_KRETPROBE },
		[NT_HOOK_USER] = { NT_PROG_UPROBE, NT_PROG_UPROBE },
		[NT_HOOK_USER_RET] = { NT_PROG_URETPROBE, NT_PROG_URETPROBE },
	};

	if (o)
		CHECK_TOOL((h->flags & NT_HOOK_PLAIN || has_prog(o, h->stem, of[h->type][0])) &&
			   has_prog(o, h->stem, of[h->type][1]), "hook %s has the programs of its kind", h->stem);
	CHECK_TOOL(!(h->flags & NT_HOOK_PLAIN) || h->type == NT_HOOK_FUNC, "hook %s can be a kprobe", h->stem);
	CHECK_TOOL(targets_ok(h), "hook %s has targets of its kind: %s", h->stem, h->targets);
	if (h->need == NT_OPTIONAL)
		CHECK_TOOL(h->loss && strlen(h->loss) > 10, "optional hook %s says what is lost", h->stem);
	if (h->need == NT_VARIANT)
		CHECK_TOOL(h->group && h->variant < 4, "variant hook %s has a group", h->stem);
	for (const struct nt_hook *other = tool->hooks; other < h; other++)
		CHECK_TOOL(strcmp(other->stem, h->stem) != 0, "stem %s is there once", h->stem);
}

/* Of a filter expression: some hook must be able to run it. */
static void check_hooks(const struct bpf_object *o)
{
	bool entry = false, bytes = false, needs_hook = false;

	CHECK_TOOL(tool->n_hooks > 0 || tool->engine->possible, "hooks, or another condition");
	for (size_t i = 0; i < tool->n_hooks; i++) {
		const struct nt_hook *h = &tool->hooks[i];

		check_hook(o, h);
		needs_hook = needs_hook || h->need != NT_OPTIONAL || h->group;
		entry = entry || (h->flags & NT_HOOK_ENTRY);
		bytes = bytes || ((h->flags & NT_HOOK_ENTRY) && (h->flags & NT_HOOK_BYTES));
	}
	CHECK_TOOL(tool->works_without_bpf == !needs_hook, "it works without BPF if all its hooks are optional");
	CHECK_TOOL(!tool->tuple || entry, "a hook where the filter runs");
	CHECK_TOOL(!(tool->tuple & NT_TUPLE_EXPR) || bytes, "a hook where an expression can run");
}

static bool has_hook(const char *prog)
{
	for (size_t i = 0; i < tool->n_hooks; i++) {
		size_t n = strlen(tool->hooks[i].stem);

		if (!strncmp(prog, tool->hooks[i].stem, n) && !strncmp(prog + n, "__", 2))
			return true;
	}
	return false;
}

static void check_object(const struct bpf_object *o)
{
	struct bpf_program *p;
	struct bpf_map *m;
	const char *list = tool->state_maps;
	char name[200];

	bpf_object__for_each_program(p, o)
		CHECK_TOOL(has_hook(bpf_program__name(p)), "program %s has a hook", bpf_program__name(p));
	bpf_object__for_each_map(m, o) {
		const char *n = bpf_map__name(m);

		CHECK_TOOL(!bpf_map__is_internal(m) && !strstr(n, ".rodata") && !strstr(n, ".data") &&
			   !strstr(n, ".bss") && !strstr(n, ".kconfig"),
			   "map %s is no global data", n);
	}
	CHECK_TOOL(bpf_object__find_map_by_name(o, "nt_gate") && bpf_object__find_map_by_name(o, "nt_stats"),
		   "it has the gate and the counters");
	while (next_name(&list, name, sizeof(name)))
		CHECK_TOOL(bpf_object__find_map_by_name(o, name), "state map %s is there", name);
}

static int silent(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

static void check_entry(const struct nt_tool_entry *e)
{
	size_t size = 0;
	void *data = nt_tool_object(e, &size);
	struct bpf_object *o;

	tool = e->tool;
	check_names();
	check_texts();
	check_options();
	CHECK_TOOL(tool->engine && tool->engine->name, "an engine");
	CHECK_TOOL(tool->engine && (!tool->engine->event || tool->engine->min_event >= 8),
		   "its events have a least size");
	o = data && size ? bpf_object__open_mem(data, size, NULL) : NULL;
	if (tool->n_hooks)
		CHECK_TOOL(o, "its object can be opened");
	else
		CHECK_TOOL(!e->packed && !tool->tuple && !tool->n_types, "without hooks it has no object");
	check_hooks(o);
	if (o)
		check_object(o);
	bpf_object__close(o);
	free(data);
}

int main(void)
{
	libbpf_set_print(silent);
	CHECK(nt_n_tools > 0, "there are tools");
	for (size_t i = 0; i < nt_n_tools; i++) {
		check_entry(&nt_tools[i]);
		CHECK_TOOL(!i || strcmp(nt_tools[i - 1].tool->name, tool->name) < 0, "sorted by name");
	}
	CHECK(!nt_tool_find("") && !nt_tool_find("/") && !nt_tool_find(".py") && !nt_tool_find("nettrace"),
	      "names that are no tool's");
	for (size_t i = 0; i < nt_n_tools; i++) {
		char cut[64];

		snprintf(cut, sizeof(cut), "%s", nt_tools[i].tool->name);
		cut[strlen(cut) - 1] = '\0';
		tool = nt_tools[i].tool;
		CHECK_TOOL(!nt_tool_find(cut), "a prefix is not enough");
	}
	return check_done();
}
