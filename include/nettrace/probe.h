/* SPDX-License-Identifier: GPL-2.0 */
/* What this kernel can do, found by trying (as root), not by its version. */
#ifndef NETTRACE_PROBE_H
#define NETTRACE_PROBE_H

#include "nettrace/out.h"
#include "nettrace/tool.h"

enum nt_verdict { NT_VERDICT_OK, NT_VERDICT_DEGRADED, NT_VERDICT_UNAVAILABLE };

struct nt_probe {
	enum nt_verdict verdict;
	bool tried;			/* false: judged by BTF alone, for want of privilege */
	char why[1024];			/* unavailable: why, and the remedy; degraded: what is lost */
	struct nt_run *run;		/* private */
};

/* Loads and attaches the tool with its defaults and detaches it again; without the privilege to
 * do so, judges by BTF alone. nt_probe_free() in any case. */
void nt_probe_tool(struct nt_probe *p, const struct nt_tool_entry *e);
/* Members hooks and missing_hooks of the open record; text lines for what is missing. */
void nt_probe_show(const struct nt_probe *p, struct nt_out *o);
void nt_probe_free(struct nt_probe *p);

enum nt_answer { NT_NO, NT_YES, NT_NOT_TRIED };

struct nt_ability {
	const char *name, *how;		/* static text */
	enum nt_answer answer;
};

/* Fills at most max, returns how many there are. Attaches programs that do nothing to something
 * that every kernel has. */
size_t nt_probe_abilities(struct nt_ability *a, size_t max);

enum nt_module_state { NT_MODULE_ABSENT, NT_MODULE_BUILT_IN, NT_MODULE_LOADED };

struct nt_module {
	const char *name;
	const char *function;		/* one of its functions that no compiler inlines */
	enum nt_module_state state;
	bool btf;			/* its types are in BTF: its own, or the kernel's */
};

/* The modules that tools look into. Built-in ones without parameters have no /sys/module/NAME:
 * there the kernel's BTF must know the function, or without BTF its symbols. */
size_t nt_probe_modules(struct nt_module *m, size_t max);

#endif
