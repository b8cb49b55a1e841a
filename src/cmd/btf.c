/* SPDX-License-Identifier: GPL-2.0 */
/* nettrace btf make, check, list: BTF files for kernels without BTF. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nettrace/btf_file.h"
#include "nettrace/core_api.h"
#include "nettrace/out.h"

struct args {
	const char *file[64];
	size_t n_files;
	const struct nt_tool_entry **tool;
	size_t n_tools;
	const char *output;
	bool json, quiet;
	struct nt_out *out;
};

static const char help[] =
"nettrace btf - BTF files for kernels that have no BTF, or none of their modules\n"
"\n"
"Usage: nettrace btf make VMLINUX [MODULE...] [-o FILE] [--tool NAME]... [--quiet]\n"
"       nettrace btf check FILE [TOOL...] [--json]\n"
"       nettrace btf list [--json]\n"
"\n"
"BTF tells where the fields of the kernel's structs are. A kernel that has it shows it as\n"
"/sys/kernel/btf/vmlinux, and that of loaded modules beside it. For another, make a file\n"
"once, on any machine, and give it with --btf or put it where it is found (docs/btf.md).\n"
"\n"
"Make:\n"
"  Writes one file with just the types that the tools read, of the kernel and of the modules\n"
"  (tun; openvswitch for its drop reasons). VMLINUX and MODULE are ELF files with a section\n"
"  .BTF (vmlinux, tun.ko) or raw BTF (/sys/kernel/btf/vmlinux, /sys/kernel/btf/tun). A\n"
"  compressed module must be unpacked first. Types that are in no file are named.\n"
"\n"
"  -o, --output FILE   write there (default: standard output, unless it is a terminal)\n"
"  --tool NAME         what this tool reads only; may be given again (default: all tools)\n"
"  --quiet             no summary on standard error\n"
"\n"
"Check:\n"
"  Says for every tool, or those named, which fields it would miss with FILE on a kernel\n"
"  without BTF. Exit status 0 if each is ok or degraded, 1 if one is unavailable.\n"
"  Whether the kernel has the functions to attach to is not in the file: see nettrace doctor.\n"
"\n"
"List:\n"
"  What is known on this machine, in the order in which it is looked for, and what is used:\n"
"  the kernel's own; nettrace-btf/ARCH/RELEASE.btf beside this program;\n"
"  /usr/lib/nettrace/btf/ARCH/RELEASE.btf; those compiled in.\n";

void nt_btf_help(FILE *f)
{
	fputs(help, f);
}

static int fail(const struct args *a, const struct nt_err *err)
{
	fprintf(stderr, "nettrace btf: %s\n", err->text);
	if (a->json && a->out) {
		nt_json_begin(a->out, "error");
		nt_json_str(a->out, "tool", "btf");
		nt_json_u64(a->out, "exit_code", (uint64_t)err->code);
		nt_json_str(a->out, "message", err->text);
		nt_json_end(a->out);
		nt_out_flush(a->out);
	}
	return (int)err->code;
}

/* ---- the command line ---- */

static int add_tool(struct args *a, const char *name)
{
	const struct nt_tool_entry *e = nt_tool_find(name);

	if (!e)
		return nt_unknown_tool(name);
	for (size_t i = 0; i < a->n_tools; i++)
		if (a->tool[i] == e)
			return 0;
	a->tool[a->n_tools++] = e;
	return 0;
}

static int wrong(const struct args *a, struct nt_err *err, const char *what, const char *arg,
		 const char *todo)
{
	char quoted[128];

	nt_err_quote(quoted, sizeof(quoted), arg);
	nt_err_set(err, NT_EXIT_USAGE, EINVAL, "%s: %s: %s", what, quoted, todo);
	return fail(a, err);
}

/* The value of an option called name (or its letter) at argv[*i]; NULL if it is another. */
static const char *value_of(const char *name, char letter, char **argv, int *i)
{
	const char *arg = argv[*i];
	size_t n = strlen(name);

	if (!strncmp(arg, "--", 2) && !strncmp(arg + 2, name, n) && arg[2 + n] == '=')
		return arg + 3 + n;
	if (!(letter && arg[1] == letter && !arg[2]) && (strncmp(arg, "--", 2) || strcmp(arg + 2, name)))
		return NULL;
	*i += argv[*i + 1] != NULL;
	return argv[*i] == arg ? "" : argv[*i];
}

/* One option of make at argv[*i]; the exit code, or 0. */
static int make_option(struct args *a, char **argv, int *i, struct nt_err *err)
{
	const char *arg = argv[*i], *output, *tool;

	if (!strcmp(arg, "--quiet")) {
		a->quiet = true;
		return 0;
	}
	output = value_of("output", 'o', argv, i);
	tool = output ? NULL : value_of("tool", 0, argv, i);
	if (!output && !tool)
		return wrong(a, err, "unknown option", arg, "see nettrace btf --help");
	if (!*(output ? output : tool))
		return wrong(a, err, "option without its value", arg, output ? "give a file" : "give a tool");
	if (output)
		a->output = output;
	return tool ? add_tool(a, tool) : 0;
}

static int add_file(struct args *a, const char *name, struct nt_err *err)
{
	if (a->n_files == NT_COUNT(a->file))
		return wrong(a, err, "too many files", name, "give at most 64");
	a->file[a->n_files++] = name;
	return 0;
}

/* One argument of check or list. */
static int other_argument(struct args *a, bool check, const char *arg, struct nt_err *err)
{
	if (!strcmp(arg, "--json"))
		return 0;		/* seen already */
	if (arg[0] == '-' || !check)
		return wrong(a, err, "unknown argument", arg, "see nettrace btf --help");
	return a->n_files ? add_tool(a, arg) : add_file(a, arg, err);
}

static int parse(struct args *a, const char *verb, int argc, char **argv, struct nt_err *err)
{
	bool make = !strcmp(verb, "make"), check = !strcmp(verb, "check");
	int rc = 0;

	for (int i = 0; i < argc && !make; i++)
		a->json |= !strcmp(argv[i], "--json");
	if (!make && nt_out_open(&a->out, NULL, a->json ? NT_JSON : NT_TEXT, false))
		return NT_EXIT_RUNTIME;
	for (int i = 0; !rc && i < argc; i++) {
		if (!make)
			rc = other_argument(a, check, argv[i], err);
		else
			rc = argv[i][0] == '-' ? make_option(a, argv, &i, err) : add_file(a, argv[i], err);
	}
	if (!rc && (make || check) && !a->n_files)
		rc = wrong(a, err, "missing file", make ? "make" : "check",
			   make ? "give the kernel's vmlinux" : "give a BTF file");
	for (size_t i = 0; !a->n_tools && i < nt_n_tools; i++)
		a->tool[i] = &nt_tools[i];
	if (!a->n_tools)
		a->n_tools = nt_n_tools;
	return rc;
}

/* ---- make ---- */

static int read_files(const struct args *a, struct nt_btf_set *s, struct nt_err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < a->n_files; i++) {
		struct nt_btf *raw;

		rc = nt_btf_read(&raw, a->file[i], i ? s->item[0].raw : NULL, err);
		if (!rc)
			rc = nt_btf_set_add(s, raw, a->file[i], err);
	}
	return rc;
}

static int write_file(const char *path, const struct nt_btf_made *m, struct nt_err *err)
{
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : STDOUT_FILENO;
	int rc = fd < 0 ? -errno : 0;
	uint32_t done = 0;

	while (!rc && done < m->size) {
		ssize_t n = write(fd, (const char *)m->data + done, m->size - done);

		if (n < 0 && errno != EINTR)
			rc = -errno;
		done += n > 0 ? (uint32_t)n : 0;
	}
	if (path && fd >= 0 && close(fd) && !rc)
		rc = -errno;
	return rc ? nt_err_set(err, NT_EXIT_RUNTIME, -rc, "cannot write the BTF file: %s: %s",
			       path ? path : "standard output", strerror(-rc)) : 0;
}

static int make(struct args *a, struct nt_err *err)
{
	struct nt_btf_made m = { .data = NULL };
	struct nt_btf_set s = { .n = 0 };
	int rc;

	if (!a->output && isatty(STDOUT_FILENO))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				  "no file to write: standard output is a terminal: give one with -o");
	rc = read_files(a, &s, err);
	if (!rc)
		rc = nt_btf_make(&m, &s, a->tool, a->n_tools, err);
	if (!rc)
		rc = write_file(a->output, &m, err);
	if (!rc && !a->quiet)
		fprintf(stderr, "nettrace btf: made %s: %u types, %u bytes, for %zu tools%s%s\n",
			a->output ? a->output : "the file", m.n_types, m.size, a->n_tools,
			m.missing[0] ? "; in no file: " : "", m.missing);
	free(m.data);
	nt_btf_set_free(&s);
	return rc;
}

/* ---- check ---- */

static void show_faults(struct nt_out *o, const struct nt_btf_judged *j)
{
	nt_json_arr(o, "failing");
	for (size_t i = 0; i < j->n_faults; i++) {
		const struct nt_relo_fault *f = &j->fault[i];

		nt_json_obj(o, NULL);
		nt_json_str(o, "program", f->prog);
		nt_json_str(o, "what", f->what);
		nt_json_str(o, "why", f->ambiguous ? "ambiguous" : "missing");
		nt_json_obj_end(o);
		nt_text(o, "    %s: %s %s\n", f->prog, f->ambiguous ? "ambiguous:" : "not found:", f->what);
	}
	nt_json_arr_end(o);
}

static int check_tool(struct args *a, const struct nt_btf_set *s, const struct nt_tool_entry *e,
		      bool *unavailable, struct nt_err *err)
{
	static const char *const words[] = { "ok", "degraded", "unavailable" };
	struct nt_btf_judged j;
	int rc = nt_btf_judge(&j, s, e);

	if (rc) {
		nt_err_set(err, NT_EXIT_RUNTIME, -rc, "cannot judge the tool: %s: %s", e->tool->name,
			   strerror(-rc));
		nt_btf_judged_free(&j);
		return rc;
	}
	nt_json_obj(a->out, NULL);
	nt_json_str(a->out, "name", e->tool->name);
	nt_json_str(a->out, "state", words[j.state]);
	if (j.text[0])
		nt_json_str(a->out, "detail", j.text);
	nt_json_u64(a->out, "programs", j.n_programs);
	nt_json_u64(a->out, "relocations", j.n_relocations);
	nt_text(a->out, "  %-34s %-12s %s\n", e->tool->name, words[j.state], j.text);
	show_faults(a->out, &j);
	nt_json_obj_end(a->out);
	*unavailable |= j.state == NT_FILE_UNAVAILABLE;
	nt_btf_judged_free(&j);
	return 0;
}

static int check(struct args *a, struct nt_err *err)
{
	struct nt_btf_set s = { .n = 0 };
	bool unavailable = false;
	int rc = read_files(a, &s, err);

	if (!rc) {
		nt_json_begin(a->out, "btf_check");
		nt_json_str(a->out, "file", a->file[0]);
		nt_json_arr(a->out, "tools");
		nt_text(a->out, "%s, without any other BTF:\n", a->file[0]);
		for (size_t i = 0; !rc && i < a->n_tools; i++)
			rc = check_tool(a, &s, a->tool[i], &unavailable, err);
		nt_json_arr_end(a->out);
		nt_json_end(a->out);
		nt_out_flush(a->out);
	}
	nt_btf_set_free(&s);
	if (!rc && unavailable)
		err->code = NT_EXIT_RUNTIME;	/* said already, tool by tool */
	return rc;
}

/* ---- list ---- */

static void list_one(void *arg, const struct nt_btf_known *k)
{
	static const char *const from[] = { "given", "kernel", "beside", "system", "compiled in" };
	static const char *const word[] = { "given", "kernel", "beside", "system", "bundle" };
	struct nt_out *o = arg;

	nt_json_begin(o, "btf");
	nt_json_str(o, "source", word[k->from]);
	nt_json_str(o, "arch", k->arch);
	if (k->release)
		nt_json_str(o, "release", k->release);
	if (k->path)
		nt_json_str(o, "path", k->path);
	nt_json_u64(o, "size_bytes", k->bytes);
	nt_json_bool(o, "used", k->used);
	nt_json_end(o);
	nt_text(o, "%-4s %-11s %9llu bytes  %-8s %s\n", k->used ? "used" : "", from[k->from],
		(unsigned long long)k->bytes, k->arch, k->path ? k->path : k->release);
}

static int list(struct args *a, struct nt_err *err)
{
	(void)err;
	nt_btf_each(list_one, a->out);
	nt_out_flush(a->out);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct args *a, struct nt_err *err);
} verbs[] = {
	{ "make", make },
	{ "check", check },
	{ "list", list },
};

static int run(int (*fn)(struct args *a, struct nt_err *err), int argc, char **argv)
{
	struct args a = { .tool = calloc(nt_n_tools + 1, sizeof(*a.tool)) };
	struct nt_err err = { .text = "" };
	int rc;

	libbpf_set_print(NULL);		/* errors are ours to tell */
	signal(SIGPIPE, SIG_IGN);
	rc = a.tool ? parse(&a, argv[0], argc - 1, argv + 1, &err) : NT_EXIT_RUNTIME;
	if (!rc)
		rc = fn(&a, &err) ? fail(&a, &err) : (int)err.code;
	if (a.out)
		nt_out_close(a.out);
	free(a.tool);
	return rc;
}

int nt_cmd_btf(int argc, char **argv)
{
	struct args a = { .n_files = 0 };
	struct nt_err err = { .text = "" };

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			nt_btf_help(stdout);
			return NT_EXIT_OK;
		}
	}
	if (argc < 2)
		return wrong(&a, &err, "missing word", "btf", "give make, check or list");
	for (size_t i = 0; i < NT_COUNT(verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return run(verbs[i].run, argc - 1, argv + 1);
	return wrong(&a, &err, "unknown word", argv[1], "give make, check or list");
}
