/* SPDX-License-Identifier: GPL-2.0 */
/* What main and the built-in verbs need of the core. */
#ifndef NETTRACE_CORE_API_H
#define NETTRACE_CORE_API_H

#include <stdio.h>

#include "nettrace/tool.h"

/* Runs a tool; argv without program and tool name. Returns the exit code. */
int nt_tool_main(const struct nt_tool_entry *entry, const char *called_as, int argc, char **argv);
void nt_tool_help(FILE *f, const struct nt_tool *t);
/* Fills at most NT_OPTSET_MAX sets (values NULL); returns their number. */
size_t nt_tool_optsets(const struct nt_tool *t, struct nt_optset *sets);

/* Built-in verbs: argv[0] is the verb. Return exit codes. */
int nt_cmd_list(int argc, char **argv);
int nt_cmd_help(int argc, char **argv);
int nt_cmd_doctor(int argc, char **argv);
int nt_cmd_btf(int argc, char **argv);
void nt_btf_help(FILE *f);
int nt_cmd_install(int argc, char **argv);
int nt_cmd_version(int argc, char **argv);
int nt_usage(FILE *f);
/* One line on stderr with the nearest names; NT_EXIT_USAGE. */
int nt_unknown_tool(const char *name);

#endif
