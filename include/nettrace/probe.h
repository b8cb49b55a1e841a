/* SPDX-License-Identifier: GPL-2.0 */
/* What this kernel can do, found by trying (as root), not by its version. */
#ifndef NETTRACE_PROBE_H
#define NETTRACE_PROBE_H

#include "nettrace/tool.h"

enum nt_verdict { NT_VERDICT_OK, NT_VERDICT_DEGRADED, NT_VERDICT_UNAVAILABLE };

/* Loads and attaches the tool with its defaults and detaches it again; without the privilege to
 * do so, judges by BTF alone and says so. text: what is missing, or why, and the remedy. */
enum nt_verdict nt_probe_tool(const struct nt_tool_entry *e, char *text, size_t size);
/* Attaches a program that does nothing to something that every kernel has. */
bool nt_probe_attach(enum nt_prog_kind kind);
bool nt_probe_module_btf(void);

#endif
