/* SPDX-License-Identifier: GPL-2.0 */
/* nettrace doctor: what this kernel offers, and what that means for each tool. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "nettrace/core_api.h"
#include "nettrace/out.h"
#include "nettrace/probe.h"

static void ability(struct nt_out *o, const char *name, bool have, const char *how)
{
	nt_json_obj(o, name);
	nt_json_bool(o, "available", have);
	nt_json_str(o, "found_by", how);
	nt_json_obj_end(o);
	nt_text(o, "  %-28s %-4s (%s)\n", name, have ? "yes" : "no", how);
}

static bool module_btf(void)
{
	/* any entry beside vmlinux; the folder of modules may be empty on kernels without them */
	return nt_probe_module_btf();
}

static void abilities(struct nt_out *o)
{
	nt_json_obj(o, "abilities");
	nt_text(o, "abilities of this kernel\n");
	ability(o, "btf", !access("/sys/kernel/btf/vmlinux", R_OK), "/sys/kernel/btf/vmlinux");
	ability(o, "module_btf", module_btf(), "/sys/kernel/btf");
	ability(o, "kprobe", nt_probe_attach(NT_PROG_KPROBE), "attaching a kprobe");
	ability(o, "fentry", nt_probe_attach(NT_PROG_FENTRY), "attaching a fentry program");
	ability(o, "tp_btf", nt_probe_attach(NT_PROG_TP_BTF), "attaching a typed tracepoint program");
	ability(o, "raw_tp", nt_probe_attach(NT_PROG_RAW_TP), "attaching a raw tracepoint program");
	ability(o, "ring_buffer", libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1,
		"creating a ring buffer");
	nt_json_obj_end(o);
}

static void one_tool(struct nt_out *o, const struct nt_tool_entry *e)
{
	static const char *const words[] = { "ok", "degraded", "unavailable" };
	char text[512];
	enum nt_verdict v = nt_probe_tool(e, text, sizeof(text));

	nt_json_obj(o, NULL);
	nt_json_str(o, "name", e->tool->name);
	nt_json_str(o, "state", words[v]);
	if (text[0])
		nt_json_str(o, "detail", text);
	nt_json_obj_end(o);
	nt_text(o, "  %-34s %-12s %s\n", e->tool->name, words[v], text);
}

static int run(struct nt_out *o, int argc, char **argv)
{
	struct utsname u;
	bool named = false;

	uname(&u);
	nt_json_begin(o, "doctor");
	nt_json_str(o, "kernel", u.release);
	nt_json_str(o, "arch", u.machine);
	nt_text(o, "%s %s\n", u.release, u.machine);
	abilities(o);
	nt_json_arr(o, "tools");
	nt_text(o, "tools\n");
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		one_tool(o, nt_tool_find(argv[i]));
		named = true;
	}
	for (size_t i = 0; !named && i < nt_n_tools; i++)
		one_tool(o, &nt_tools[i]);
	nt_json_arr_end(o);
	nt_json_end(o);
	nt_out_flush(o);
	return 0;
}

int nt_cmd_doctor(int argc, char **argv)
{
	bool json = false;
	struct nt_out *o;
	int rc;

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
	rc = run(o, argc, argv);
	nt_out_close(o);
	return rc;
}
