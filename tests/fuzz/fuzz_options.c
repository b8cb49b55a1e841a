/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libFuzzer target: the option parser. The input is a command line, arguments
 * apart by NUL or newline, for two sets that collide. Beyond memory errors:
 *   - a failure has a sentence without control characters and a usage code;
 *   - what nt_opts_each_value() tells, parsed again, gives the same telling.
 */
#include "nettrace/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define ARGS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct values {
	bool flag, on;
	uint32_t number, mode, proto, type, pid;
	double real;
	uint64_t time, size;
	struct nt_prefix prefix, prefix2;
	struct nt_ports ports;
	struct nt_strlist ifnames, cpus, words;
	const char *text;
};

#define AT(member) .offset = offsetof(struct values, member)

static const struct nt_opt tool_rows[] = {
	{ .name = "flag", .letter = 'f', .type = NT_OPT_FLAG, AT(flag), .help = "h" },
	{ .name = "on", .letter = 'n', .type = NT_OPT_FLAG, AT(on), .def = "true", .help = "h" },
	{ .name = "number", .letter = 'N', .type = NT_OPT_U32, AT(number), .unit = "", .max = 4095,
	  .help = "h" },
	{ .name = "real", .letter = 'r', .type = NT_OPT_FLOAT, AT(real), .unit = "", .help = "h" },
	{ .name = "time", .letter = 't', .type = NT_OPT_DURATION, AT(time), .unit = "s",
	  .help = "h", .alt = "dst-ip" },
	{ .name = "size", .letter = 'z', .type = NT_OPT_SIZE, AT(size), .unit = "bytes",
	  .help = "h" },
	{ .name = "src-ip", .letter = 's', .type = NT_OPT_PREFIX, AT(prefix), .help = "h" },
	{ .name = "dst-ip", .letter = 'd', .type = NT_OPT_PREFIX, AT(prefix2), .help = "h" },
	{ .name = "ports", .letter = 'P', .type = NT_OPT_PORTS, AT(ports), .help = "h" },
	{ .name = "interface", .letter = 'i', .type = NT_OPT_IFNAMES, AT(ifnames),
	  .aliases = "dev|phy-interface", .help = "h" },
	{ .name = "mode", .letter = 'm', .type = NT_OPT_ENUM, AT(mode), .choices = "tx|rx|both",
	  .help = "h" },
	{ .name = "protocol", .letter = 'p', .type = NT_OPT_PROTO, AT(proto), .def = "all",
	  .help = "h" },
	{ .name = "type", .letter = 'T', .type = NT_OPT_ETHERTYPE, AT(type), .def = "all",
	  .help = "h" },
	{ .name = "cpus", .letter = 'c', .type = NT_OPT_CPUS, AT(cpus), .help = "h" },
	{ .name = "pid", .type = NT_OPT_PID, AT(pid), .help = "h" },
	{ .name = "text", .letter = 'w', .type = NT_OPT_STRING, AT(text), .help = "h" },
	{ .name = "words", .letter = 'W', .type = NT_OPT_STRLIST, AT(words), .help = "h" },
	{ .name = "interval", .letter = 'I', .def = "5", .aliases = "period",
	  .flags = NT_OPT_COMMON },
};

static const struct nt_opt common_rows[] = {
	{ .name = "interval", .letter = 'i', .type = NT_OPT_DURATION, AT(time), .unit = "s",
	  .min = 0.1, .max = 3600, .help = "h" },
	{ .name = "flag", .letter = '4', .type = NT_OPT_FLAG, AT(flag), .help = "h" },
	{ .name = "top", .letter = 't', .type = NT_OPT_U32, AT(number), .def = "20", .unit = "rows",
	  .help = "h" },
};

struct telling {
	const struct nt_opts *o;
	char **argv;
	int argc;
};

static void tell(void *arg, const struct nt_opt *row, const char *text)
{
	struct telling *t = arg;
	size_t size = strlen(row->name) + strlen(text) + sizeof("--=");
	char *s;

	/* Given by its letter, while an earlier set owns the name: cannot be told again. */
	if (&nt_optview_name(nt_opts_view(t->o), row->name, strlen(row->name))->opt != row)
		return;
	s = malloc(size);
	if (!s || t->argc == ARGS_MAX)
		abort();
	snprintf(s, size, "--%s=%s", row->name, text);
	t->argv[t->argc++] = s;
}

static void forget(struct telling *t)
{
	while (t->argc)
		free(t->argv[--t->argc]);
}

static void check_failure(int rc, const struct nt_err *err)
{
	if (rc != -EINVAL || err->code != NT_EXIT_USAGE || !err->text[0])
		abort();
	for (const char *s = err->text; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			abort();
}

/* The values as told, parsed again, must be told the same. */
static void check_again(const struct nt_opts *o, const struct nt_optset *sets)
{
	char *argv1[ARGS_MAX], *argv2[ARGS_MAX];
	struct telling t1 = { .o = o, .argv = argv1 }, t2 = { .argv = argv2 };
	struct values again[2];
	struct nt_optset sets2[2] = { sets[0], sets[1] };
	struct nt_err err = { 0 };
	struct nt_opts *o2;

	nt_opts_each_value(o, sets, 2, tell, &t1);
	memset(again, 0, sizeof(again));
	sets2[0].values = &again[0];
	sets2[1].values = &again[1];
	if (nt_opts_parse(&o2, sets2, 2, t1.argc, t1.argv, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	t2.o = o2;
	nt_opts_each_value(o2, sets2, 2, tell, &t2);
	if (t1.argc != t2.argc)
		abort();
	for (int i = 0; i < t1.argc; i++)
		if (strcmp(t1.argv[i], t2.argv[i])) {
			fprintf(stderr, "%s\n%s\n", t1.argv[i], t2.argv[i]);
			abort();
		}
	nt_opts_free(o2);
	forget(&t1);
	forget(&t2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct values values[2];
	const struct nt_optset sets[] = {
		{ "Tool", tool_rows, N_OF(tool_rows), &values[0] },
		{ "Common", common_rows, N_OF(common_rows), &values[1] },
	};
	char *argv[ARGS_MAX], *line = malloc(size + 1);
	struct nt_err err = { 0 };
	struct nt_opts *o;
	int argc = 0, rc;
	size_t at = 0;

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	memset(values, 0, sizeof(values));
	for (size_t i = 0; i <= size && argc < ARGS_MAX; i++)
		if (line[i] == '\n' || !line[i]) {
			line[i] = '\0';
			argv[argc++] = line + at;
			at = i + 1;
		}
	rc = nt_opts_parse(&o, sets, 2, argc, argv, &err);
	if (rc) {
		check_failure(rc, &err);
	} else {
		check_again(o, sets);
		nt_opts_free(o);
	}
	free(line);
	return 0;
}
