/* SPDX-License-Identifier: GPL-2.0 */
/* argv[0], subcommand or alias -> tool or built-in verb; nothing else. */
#include <string.h>

#include "nettrace/core_api.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "list", nt_cmd_list },
	{ "help", nt_cmd_help },
	{ "--help", nt_cmd_help },
	{ "-h", nt_cmd_help },
	{ "doctor", nt_cmd_doctor },
	{ "btf", nt_cmd_btf },
	{ "--install", nt_cmd_install },
	{ "install", nt_cmd_install },
	{ "--version", nt_cmd_version },
	{ "version", nt_cmd_version },
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int main(int argc, char **argv)
{
	const char *self = argc ? base_name(argv[0]) : "nettrace";
	const struct nt_tool_entry *t = nt_tool_find(self);

	if (t)
		return nt_tool_main(t, self, argc - 1, argv + 1);
	if (argc < 2) {
		nt_usage(stderr);
		return NT_EXIT_USAGE;
	}
	for (size_t i = 0; i < NT_COUNT(verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	t = nt_tool_find(argv[1]);
	if (!t)
		return nt_unknown_tool(argv[1]);
	return nt_tool_main(t, base_name(argv[1]), argc - 2, argv + 2);
}
