/* SPDX-License-Identifier: GPL-2.0 */
/* nettrace doctor: what this kernel offers, and what that means for each tool. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "nettrace/core_api.h"
#include "nettrace/out.h"
#include "nettrace/probe.h"

static void show_abilities(struct nt_out *o)
{
	static const char *const words[] = { "no", "yes", "?" };
	struct nt_ability a[32];
	size_t n = nt_probe_abilities(a, NT_COUNT(a));

	nt_json_obj(o, "abilities");
	nt_text(o, "abilities of this kernel\n");
	for (size_t i = 0; i < n && i < NT_COUNT(a); i++) {
		bool open = a[i].answer == NT_NOT_TRIED;
		const char *how = open ? "not tried: that needs root" : a[i].how;

		nt_json_obj(o, a[i].name);
		if (open)
			nt_json_str(o, "available", NULL);
		else
			nt_json_bool(o, "available", a[i].answer == NT_YES);
		nt_json_str(o, "found_by", how);
		nt_json_obj_end(o);
		nt_text(o, "  %-28s %-4s (%s)\n", a[i].name, words[a[i].answer], how);
	}
	nt_json_obj_end(o);
}

static void show_modules(struct nt_out *o)
{
	static const char *const words[] = { "not loaded", "built in", "loaded" };
	struct nt_module m[32];
	size_t n = nt_probe_modules(m, NT_COUNT(m));

	nt_json_arr(o, "modules");
	nt_text(o, "modules\n");
	for (size_t i = 0; i < n && i < NT_COUNT(m); i++) {
		nt_json_obj(o, NULL);
		nt_json_str(o, "name", m[i].name);
		nt_json_str(o, "state", words[m[i].state]);
		nt_json_bool(o, "btf", m[i].btf);
		nt_json_obj_end(o);
		nt_text(o, "  %-28s %s%s\n", m[i].name, words[m[i].state],
			m[i].state && !m[i].btf ? ", no BTF" : "");
	}
	nt_json_arr_end(o);
}

static void show_tool(struct nt_out *o, const struct nt_tool_entry *e)
{
	static const char *const words[] = { "ok", "degraded", "unavailable" };
	struct nt_probe p;

	nt_probe_tool(&p, e);
	nt_json_obj(o, NULL);
	nt_json_str(o, "name", e->tool->name);
	nt_json_str(o, "state", words[p.verdict]);
	nt_json_bool(o, "tried", p.tried);
	if (p.why[0])
		nt_json_str(o, "detail", p.why);
	nt_text(o, "  %-34s %s%s\n", e->tool->name, words[p.verdict],
		p.tried ? "" : " (not tried: that needs root)");
	if (p.verdict == NT_VERDICT_UNAVAILABLE)
		nt_text(o, "      %s\n", p.why);
	nt_probe_show(&p, o);
	nt_json_obj_end(o);
	nt_probe_free(&p);
}

static void show(struct nt_out *o, int argc, char **argv)
{
	struct utsname u;
	bool named = false;

	uname(&u);
	nt_json_begin(o, "doctor");
	nt_json_str(o, "kernel", u.release);
	nt_json_str(o, "arch", u.machine);
	nt_text(o, "%s %s\n", u.release, u.machine);
	show_abilities(o);
	show_modules(o);
	nt_json_arr(o, "tools");
	nt_text(o, "tools\n");
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		show_tool(o, nt_tool_find(argv[i]));
		named = true;
	}
	for (size_t i = 0; !named && i < nt_n_tools; i++)
		show_tool(o, &nt_tools[i]);
	nt_json_arr_end(o);
	nt_json_end(o);
	nt_out_flush(o);
}

int nt_cmd_doctor(int argc, char **argv)
{
	bool json = false;
	struct nt_out *o;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			json = true;
		else if (argv[i][0] == '-') {
			fprintf(stderr, "nettrace doctor: unknown option: %s: only --json is known\n", argv[i]);
			return NT_EXIT_USAGE;
		} else if (!nt_tool_find(argv[i])) {
			return nt_unknown_tool(argv[i]);
		}
	}
	if (nt_out_open(&o, NULL, json ? NT_JSON : NT_TEXT, false))
		return NT_EXIT_RUNTIME;
	show(o, argc, argv);
	nt_out_close(o);
	return 0;
}
