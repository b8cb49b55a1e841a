/* SPDX-License-Identifier: GPL-2.0 */
/* nettrace list, help, --version: what there is. */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "nettrace/core_api.h"
#include "nettrace/out.h"
#include "nettrace/version.h"

static void json_words(struct nt_out *o, const char *key, const char *words)
{
	nt_json_arr(o, key);
	while (words && *words) {
		size_t n = strcspn(words, "|");

		nt_json_strn(o, NULL, words, n);
		words += n + (words[n] == '|');
	}
	nt_json_arr_end(o);
}

static void list_json(struct nt_out *o)
{
	for (size_t i = 0; i < nt_n_tools; i++) {
		const struct nt_tool *t = nt_tools[i].tool;

		nt_json_begin(o, "tool");
		nt_json_str(o, "name", t->name);
		nt_json_str(o, "group", nt_group_name(t->group));
		nt_json_str(o, "summary", t->summary);
		json_words(o, "aliases", t->aliases);
		nt_json_end(o);
	}
}

static void list_text(void)
{
	for (size_t i = 0; i < nt_n_tools; i++) {
		const struct nt_tool *t = nt_tools[i].tool;

		printf("%-34s %-7s %s\n", t->name, nt_group_name(t->group), t->summary);
		if (t->aliases)
			printf("%-34s %-7s also: %s\n", "", "", t->aliases);
	}
}

static int json_only(int argc, char **argv, bool *json)
{
	*json = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json")) {
			fprintf(stderr, "nettrace %s: unknown argument: %s: only --json is known\n",
				argv[0], argv[i]);
			return NT_EXIT_USAGE;
		}
		*json = true;
	}
	return 0;
}

int nt_cmd_list(int argc, char **argv)
{
	struct nt_out *o;
	bool json;
	int rc = json_only(argc, argv, &json);

	if (rc || !json) {
		if (!rc)
			list_text();
		return rc;
	}
	if (nt_out_open(&o, NULL, NT_JSON, false))
		return NT_EXIT_RUNTIME;
	list_json(o);
	nt_out_flush(o);
	nt_out_close(o);
	return 0;
}

int nt_cmd_version(int argc, char **argv)
{
	struct utsname u;
	bool json;
	int rc = json_only(argc, argv, &json);

	if (rc)
		return rc;
	uname(&u);
	printf(json ? "{\"type\":\"version\",\"version\":\"%s\",\"revision\":\"%s\",\"libbpf\":\"%s\","
		      "\"arch\":\"%s\",\"tools\":%zu}\n"
		    : "nettrace %s (revision %s, libbpf %s, %s, %zu tools)\n",
	       NT_VERSION, NT_REVISION, libbpf_version_string(), u.machine, nt_n_tools);
	return 0;
}

int nt_usage(FILE *f)
{
	fprintf(f,
		"nettrace - where was my packet dropped, where did it wait, who is to blame\n\n"
		"Usage: nettrace TOOL [options] [filter expression]\n"
		"       nettrace list [--json]             every tool\n"
		"       nettrace help TOOL                 options, hooks, examples\n"
		"       nettrace doctor [TOOL...] [--json] what this kernel offers, what each tool can do\n"
		"       nettrace btf make|check|list       BTF files for kernels without BTF\n"
		"       nettrace --install DIR             symlinks for every tool name\n"
		"       nettrace --version [--json]\n");
	return 0;
}

int nt_cmd_help(int argc, char **argv)
{
	const struct nt_tool_entry *t;

	if (argc < 2) {
		nt_usage(stdout);
		printf("\nTools:\n");
		for (size_t i = 0; i < nt_n_tools; i++)
			printf("  %-34s %s\n", nt_tools[i].tool->name, nt_tools[i].tool->summary);
		return 0;
	}
	if (!strcmp(argv[1], "btf")) {
		nt_btf_help(stdout);
		return 0;
	}
	t = nt_tool_find(argv[1]);
	if (!t)
		return nt_unknown_tool(argv[1]);
	nt_tool_help(stdout, t->tool);
	return 0;
}

/* ---- nearest names ---- */
static int min3(int a, int b, int c)
{
	int m = a < b ? a : b;

	return m < c ? m : c;
}

static int distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	int row[129], diagonal;

	if (n > 128 || m > 128)
		return 1000;
	for (size_t j = 0; j <= m; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		diagonal = row[0];
		row[0] = (int)i;
		for (size_t j = 1; j <= m; j++) {
			int up = row[j];

			row[j] = min3(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[m];
}

/* Lower is nearer; a name that contains the word is near whatever its length. */
static int score(const char *word, const char *name)
{
	return strstr(name, word) ? 0 : distance(word, name);
}

int nt_unknown_tool(const char *name)
{
	const char *best[3] = { NULL };
	int at[3] = { 1000, 1000, 1000 };

	for (size_t i = 0; i < nt_n_tools; i++) {
		const char *candidate = nt_tools[i].tool->name;
		int s = score(name, candidate);

		for (int k = 0; k < 3; k++) {
			if (s >= at[k])
				continue;
			memmove(&at[k + 1], &at[k], sizeof(at[0]) * (size_t)(2 - k));
			memmove(&best[k + 1], &best[k], sizeof(best[0]) * (size_t)(2 - k));
			at[k] = s;
			best[k] = candidate;
			break;
		}
	}
	fprintf(stderr, "nettrace: unknown tool: %.64s: did you mean %s%s%s%s%s? see nettrace list\n", name,
		best[0], best[1] ? ", " : "", best[1] ? best[1] : "", best[2] ? ", " : "",
		best[2] ? best[2] : "");
	return NT_EXIT_USAGE;
}
