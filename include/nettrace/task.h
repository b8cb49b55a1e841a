/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes and threads of tools that are about threads: which ones the user
 * means, looked up in /proc again and again, and told to the kernel side
 * (lib/task.bpf.h). Ids are those of the initial PID namespace.
 */
#ifndef NETTRACE_TASK_H
#define NETTRACE_TASK_H

#include "nettrace/nt_abi_task.h"
#include "nettrace/run.h"

/* Sorted ids without doubles. Zero-initialise; free the array with nt_ids_free(). */
struct nt_ids {
	uint32_t *id;
	size_t n, cap;
};
int nt_ids_add(struct nt_ids *s, uint32_t id);		/* at its place; 0 (also if it is there), -ENOMEM */
bool nt_ids_has(const struct nt_ids *s, uint32_t id);
void nt_ids_free(struct nt_ids *s);
/* Numbers of a comma list; -EINVAL with *err (usage) that names option and item. */
int nt_ids_parse(struct nt_ids *s, const struct nt_strlist *l, const char *option, struct nt_err *err);

/* Processes by name or id. */
struct nt_procs {
	struct nt_strlist names;	/* comm, base name of the executable, or a number */
	struct nt_ids found;		/* process ids that match now */
	struct nt_ids known;		/* looked at already, and no match */
	unsigned int scans;
	bool told_none;			/* the user knows that nobody has these names */
};
/* "sleep" or "12": is it the process of this comm and executable (base name, may be NULL)? comm has
 * at most 15 characters, the name may be longer. */
bool nt_proc_is(const char *name, uint32_t pid, const char *comm, const char *exe);
/* Looks through /proc; what is known not to match is looked at again every 16th time only, or if
 * it is doubtful (the kernel side sees new processes and exec by itself, and may have added it).
 * -errno if /proc cannot be read. */
int nt_procs_find(struct nt_procs *p, const struct nt_ids *doubtful);
void nt_procs_free(struct nt_procs *p);

/* A small file of /proc or /sys into buf, terminated; false if it cannot be read or is empty. */
bool nt_proc_read(const char *path, char *buf, size_t size);
/* Calls fn for every process there is until it returns something else than 0, which is returned. -errno if
 * /proc cannot be read. */
int nt_proc_each(int (*fn)(void *arg, uint32_t pid), void *arg);

/* Ids of a process's threads, those that can run now if only_runnable; -errno. */
int nt_task_threads(uint32_t pid, bool only_runnable, struct nt_ids *out);
/* comm of a thread into buf (16 bytes or more); -errno, buf "". */
int nt_task_comm(uint32_t pid, uint32_t tid, char *buf, size_t size);

/* ---- the kernel side ---- */
/* Our /proc must show the ids that the kernel side sees: exit 3 with *err elsewhere. */
int nt_task_check_namespace(struct nt_err *err);
int nt_task_write_cfg(struct nt_run *r, const struct nt_task_cfg *c);
/* Looks for the processes and tells the kernel which they are, and once the user if there is none. -errno if /proc cannot be read. */
int nt_procs_watch(struct nt_run *r, struct nt_procs *p);
/* nt_tasks holds these ids from now on. Ids that the kernel added after not_after stay. */
void nt_task_write_ids(struct nt_run *r, const struct nt_ids *ids, uint64_t not_after);
/* Names for the kernel's own matching of new processes; numbers are left out. */
void nt_task_cfg_names(struct nt_task_cfg *c, const struct nt_strlist *names);

#endif
