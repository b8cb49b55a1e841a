/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A tool is a declaration: tables of options and hooks, an engine with its
 * data, help. The core drives it: parse, plan (a dry run ends here), open,
 * configure, load, attach, start line, loop, end line.
 */
#ifndef NETTRACE_TOOL_H
#define NETTRACE_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nettrace/err.h"
#include "nettrace/options.h"

struct nt_run;

enum nt_prog_kind {
	NT_PROG_NONE,
	NT_PROG_TP_BTF, NT_PROG_RAW_TP,
	NT_PROG_FENTRY, NT_PROG_KPROBE,
	NT_PROG_FEXIT, NT_PROG_KRETPROBE,
	NT_PROG_UPROBE, NT_PROG_URETPROBE,
	NT_PROG_KINDS,
};

/* The last two: entry and return of functions of user space, in every file that the engine names with
 * nt_run_user_file(); targets are the names of one function, in order. */
enum nt_hook_type { NT_HOOK_TP, NT_HOOK_FUNC, NT_HOOK_RET, NT_HOOK_USER, NT_HOOK_USER_RET };
enum nt_need {
	NT_REQUIRED,	/* without it the tool cannot run: exit 3 */
	NT_OPTIONAL,	/* without it .loss is what the user does not see; with a .group (words for
			 * the user): at least one hook of the group is needed, else exit 3 */
	NT_VARIANT,	/* member of .group: all hooks of one .variant are needed, the lowest
			 * variant that works is taken, no variant: exit 3 */
};
enum {
	NT_HOOK_ENTRY = 1u << 0,	/* the filter runs here */
	NT_HOOK_BYTES = 1u << 1,	/* packet bytes are readable: a filter expression can run */
	NT_HOOK_EOL = 1u << 2,		/* end of life of a tracked pointer */
	NT_HOOK_PLAIN = 1u << 3,	/* of a function: by kprobe only. Variadic functions, and parts that the
					 * compiler made, whose arguments no BTF tells */
};

struct nt_hook {
	const char *stem;	/* programs are STEM__tp_btf, STEM__fentry, ... in the object */
	enum nt_hook_type type;
	const char *targets;	/* alternatives in order, '|' between: functions "f", or
				 * tracepoints "category:name" */
	enum nt_need need;
	const char *group;	/* NT_VARIANT, NT_OPTIONAL */
	unsigned int variant;
	unsigned int flags;
	const char *loss;	/* what the user cannot see without it; for every optional hook */
	bool (*wanted)(const void *opts);	/* NULL: always; opts: the tool's option struct */
};

/* A module's struct that a tool can do without, but not well: it is read behind a
 * bpf_core_type_exists(), so no hook is missing without it. */
struct nt_type_need {
	const char *module;	/* as in /sys/module */
	const char *name;	/* struct */
	const char *loss;	/* what the user cannot see without it */
	bool if_loaded;		/* nothing is missed while the module is not loaded */
};

enum nt_group { NT_GROUP_STACK, NT_GROUP_SYSTEM, NT_GROUP_VM, NT_GROUP_KVM, NT_GROUP_OVS,
		NT_GROUP_CPU, NT_GROUP_MISC };

/* Which options of the shared tuple set a tool offers. */
enum nt_tuple_opt {
	NT_TUPLE_ADDR = 1u << 0,	/* --src-ip --dst-ip */
	NT_TUPLE_PORT = 1u << 1,	/* --src-port --dst-port */
	NT_TUPLE_PROTO = 1u << 2,	/* --protocol */
	NT_TUPLE_ETHTYPE = 1u << 3,	/* --type */
	NT_TUPLE_VLAN = 1u << 4,	/* --vlan-id */
	NT_TUPLE_DEV = 1u << 5,		/* --interface */
	NT_TUPLE_EXPR = 1u << 6,	/* trailing filter expression */
};

/* Behaviour shared by a family of tools. Every function but event may be NULL. */
struct nt_engine {
	const char *name;
	size_t priv_size;		/* of nt_run_priv(), zeroed */
	bool aggregates;		/* --count is about intervals, not events */
	/* For a tool without programs, in place of hooks: what it needs of the kernel is there. 0, or
	 * -errno with *err (exit 3). Asked by the start, by a dry run and by doctor, without privilege. */
	int (*possible)(struct nt_err *err);
	/* After the plan, before each load: load-time constants, map sizes. */
	int (*configure)(struct nt_run *r, struct nt_err *err);
	/* Loaded, not attached: fills maps. */
	int (*prepare)(struct nt_run *r, struct nt_err *err);
	/* Attached, the gate opens next: the kernel's counters that figures are compared with. */
	void (*baseline)(struct nt_run *r);
	/* Attached, start line printed. */
	void (*started)(struct nt_run *r);
	/* One record from the kernel; size >= min_event, alignment 8. */
	void (*event)(struct nt_run *r, const void *data, size_t size);
	size_t min_event;
	/* Every --interval, beside the events of an engine that has them; the record "interval"
	 * is open in JSON. final: the last, shorter one. */
	void (*interval)(struct nt_run *r, bool final);
	/* About every half second, or so often: timeouts, device changes. */
	void (*sweep)(struct nt_run *r);
	uint64_t (*sweep_ns)(const struct nt_run *r);
	/* The gate is shut and all events are delivered: what is unfinished can still be counted
	 * lost, and be shown. */
	void (*finish)(struct nt_run *r);
	/* Nothing is attached any more and all events are delivered: fields of the open "end"
	 * record, or the text summary. */
	void (*end)(struct nt_run *r);
	/* Frees what the private data points to; called once, also after a failed start. */
	void (*release)(struct nt_run *r);
};

struct nt_tool {
	const char *name;
	const char *aliases;		/* every legacy name, '|' between; NULL */
	enum nt_group group;
	const char *summary;		/* one line for "nettrace list" */
	const char *help;		/* paragraphs for --help */
	const char *example[2];		/* command lines, each with "# what it shows" */
	const struct nt_opt *opts;	/* the tool's rows; may retune common ones */
	size_t n_opts;
	size_t opts_size;		/* of the struct that opts fill */
	unsigned int tuple;		/* enum nt_tuple_opt */
	const struct nt_hook *hooks;	/* none: a tool without programs (NO_BPF in CMakeLists.txt) */
	size_t n_hooks;
	const struct nt_type_need *types;	/* NULL: none */
	size_t n_types;
	bool works_without_bpf;		/* all hooks are optional; without privilege or BTF it runs too */
	const char *state_maps;		/* maps that --max-entries sizes, '|' between */
	const struct nt_engine *engine;
	const void *engine_data;
	/* Across options, before anything is resolved; may fill values. -EINVAL with *err. */
	int (*check)(struct nt_run *r, struct nt_err *err);
};

/* Generated: every tool, sorted by name, and its BPF object, packed (owned by the binary); NULL if it
 * has no programs. */
struct nt_tool_entry {
	const struct nt_tool *tool;
	const uint8_t *packed, *packed_end;
};
extern const struct nt_tool_entry nt_tools[];
extern const size_t nt_n_tools;

/* The tool's BPF object, unpacked: malloc, the caller frees. NULL: no memory, or it has none. */
void *nt_tool_object(const struct nt_tool_entry *e, size_t *size);

const char *nt_group_name(enum nt_group g);
/* By name or alias; '-' and '_' are the same, a directory and the suffixes .py .bt .sh do not
 * matter unless an alias has them. NULL if unknown. */
const struct nt_tool_entry *nt_tool_find(const char *name);

#define NT_COUNT(a) (sizeof(a) / sizeof((a)[0]))

#endif
