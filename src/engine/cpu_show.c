/* SPDX-License-Identifier: GPL-2.0 */
/* Load of CPUs and of their threads as tables and records. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"

#define C(member) offsetof(struct nt_cpu_row, member)
#define SHARE(i, json, head) \
	{ .name = json "_pct", .label = head, .kind = NT_K_F64, .off = C(share.pct) + (i) * sizeof(double), .decimals = 1 }

static const struct nt_field cpu_fields[] = {
	{ .name = "cpu", .label = "CPU", .kind = NT_K_U32, .off = C(cpu) },
	{ .name = "usage_pct", .label = "usage %", .kind = NT_K_F64, .off = C(share.busy), .decimals = 1 },
	SHARE(NT_CPU_USER, "user", "user"), SHARE(NT_CPU_NICE, "nice", "nice"),
	SHARE(NT_CPU_SYSTEM, "system", "system"), SHARE(NT_CPU_IRQ, "irq", "irq"),
	SHARE(NT_CPU_SOFTIRQ, "softirq", "softirq"), SHARE(NT_CPU_STEAL, "steal", "steal"),
	SHARE(NT_CPU_GUEST, "guest", "guest"), SHARE(NT_CPU_IOWAIT, "iowait", "iowait"),
	SHARE(NT_CPU_IDLE, "idle", "idle"),
	{ .name = "siblings", .label = "siblings", .kind = NT_K_STR, .off = C(siblings), .arg = 64,
	  .flags = NT_F_LEFT },
};

/* One thread as it is shown. */
struct row {
	uint32_t cpu, pid, tid;
	double pct;
	uint64_t switches;
	uint32_t bits;
	char comm[16], vm[64];
};
enum { HAS_SWITCHES = 1 };
#define R(member) offsetof(struct row, member)

static const struct nt_field thread_fields[] = {
	{ .name = "cpu", .label = "CPU", .kind = NT_K_U32, .off = R(cpu) },
	{ .name = "pid", .label = "pid", .kind = NT_K_U32, .off = R(pid), .width = 7 },
	{ .name = "tid", .label = "tid", .kind = NT_K_U32, .off = R(tid), .width = 7 },
	{ .name = "pct", .label = "CPU %", .kind = NT_K_F64, .off = R(pct), .decimals = 2 },
	{ .name = "comm", .label = "thread", .kind = NT_K_COMM, .off = R(comm), .flags = NT_F_LEFT },
	{ .name = "switches", .label = "switches", .kind = NT_K_U64, .off = R(switches), .flags = NT_F_GROUP,
	  .has_off = R(bits), .has_mask = HAS_SWITCHES },
	{ .name = "vm", .label = "VM", .kind = NT_K_STR, .off = R(vm), .arg = 64,
	  .flags = NT_F_LEFT | NT_F_IF_NONZERO },	/* last: left out of a table without */
};

void nt_cpu_show_share(struct nt_out *o, const struct nt_cpu_share *s)
{
	static const char *const name[NT_CPU_FIELDS] = {
		[NT_CPU_USER] = "user_pct", [NT_CPU_NICE] = "nice_pct", [NT_CPU_SYSTEM] = "system_pct",
		[NT_CPU_IDLE] = "idle_pct", [NT_CPU_IOWAIT] = "iowait_pct", [NT_CPU_IRQ] = "irq_pct",
		[NT_CPU_SOFTIRQ] = "softirq_pct", [NT_CPU_STEAL] = "steal_pct", [NT_CPU_GUEST] = "guest_pct",
		[NT_CPU_GUEST_NICE] = "guest_nice_pct",
	};

	nt_json_f64(o, "usage_pct", s->busy, 2);
	for (int f = 0; f < NT_CPU_FIELDS; f++)
		nt_json_f64(o, name[f], s->pct[f], 2);
	nt_json_f64(o, "accounted_ms", s->accounted_ms, 3);
}

/* ---- threads ---- */
/* A vCPU's thread says which VM it is of in its process's command line. */
static void name_vm(uint32_t pid, struct row *row)
{
	char path[48], text[8192];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text));
		close(fd);
	}
	if (n > 0)
		nt_cpu_vm_name(text, (size_t)n, row->vm, sizeof(row->vm));
}

static void fill(const struct nt_cpu_view *v, const struct nt_cpu_thread *t, struct row *row)
{
	memset(row, 0, sizeof(*row));
	row->cpu = t->cpu;
	row->pid = t->pid;
	row->tid = t->tid;
	row->switches = t->switches;
	row->bits = v->exact ? HAS_SWITCHES : 0;
	row->pct = (double)t->ns / v->seconds / 1e7;
	memcpy(row->comm, t->comm, sizeof(row->comm));
	if (!row->comm[0])	/* it has not been switched out yet */
		nt_task_comm(t->pid, t->tid, row->comm, sizeof(row->comm));
	if (nt_cpu_is_vcpu(row->comm))
		name_vm(t->pid, row);
}

/* The first rows of a CPU; the threads are sorted by time. */
static size_t top_of(const struct nt_cpu_view *v, uint32_t cpu, struct row *rows, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < v->threads->n && n < most; i++)
		if (v->threads->row[i].cpu == cpu && v->threads->row[i].ns)
			fill(v, &v->threads->row[i], &rows[n++]);
	return n;
}

/* ---- JSON ---- */
static void json_siblings(struct nt_out *o, const struct nt_cpu_view *v, const struct nt_cpu_row *row)
{
	nt_json_arr(o, "siblings");
	for (uint32_t i = 0; i < v->n_cpus; i++)
		if (row->sibling[i] && v->row[i].online)
			nt_json_u64(o, NULL, i);
	nt_json_arr_end(o);
	nt_json_arr(o, "siblings_usage_pct");
	for (uint32_t i = 0; i < v->n_cpus; i++)
		if (row->sibling[i] && v->row[i].online)
			nt_json_f64(o, NULL, v->row[i].share.busy, 2);
	nt_json_arr_end(o);
}

static void json_cpu(struct nt_run *r, const struct nt_cpu_view *v, const struct nt_cpu_row *row, struct row *rows)
{
	struct nt_out *o = nt_run_out(r);
	size_t n = row->shown ? top_of(v, row->cpu, rows, nt_run_common(r)->top) : 0;

	nt_json_obj(o, NULL);
	nt_json_u64(o, "cpu", row->cpu);
	json_siblings(o, v, row);
	nt_cpu_show_share(o, &row->share);
	if (v->exact) {	/* by ticks threads' time may be another CPU's */
		nt_json_f64(o, "threads_pct", row->threads_pct, 2);
		nt_json_f64(o, "idle_by_hooks_pct", row->idle_pct, 2);
	}
	if (v->softirqs)
		nt_json_f64(o, "softirq_by_hooks_pct", row->softirq_pct, 2);
	if (v->profiling)
		nt_json_str(o, "profile", row->path[0] ? row->path : NULL);
	if (row->hot)
		nt_json_u64(o, "samples", row->samples);
	nt_json_arr(o, "threads");
	for (size_t i = 0; i < n; i++) {
		nt_json_obj(o, NULL);
		nt_fields_json(o, nt_run_names(r), thread_fields, NT_COUNT(thread_fields), &rows[i]);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
	nt_json_obj_end(o);
}

/* ---- text ---- */
/* Watched CPUs that are there. */
static size_t text_rows(const struct nt_cpu_view *v, struct nt_cpu_row *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n_cpus; i++)
		if (v->watched[i] && v->row[i].online)
			rows[n++] = v->row[i];
	return n;
}

static bool any_siblings(const struct nt_cpu_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].siblings[0])
			return true;
	return false;
}

static bool any_vm(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].vm[0])
			return true;
	return false;
}

static void text(struct nt_run *r, const struct nt_cpu_view *v)
{
	size_t most = nt_run_common(r)->top, n = 0, n_cpus;
	struct nt_cpu_row *cpus = calloc(v->n_cpus, sizeof(*cpus));
	struct row *rows = calloc(v->n_cpus * (most) + 1, sizeof(*rows));
	struct nt_out *o = nt_run_out(r);

	if (!cpus || !rows)
		goto out;
	n_cpus = text_rows(v, cpus);
	nt_text(o, "all CPUs: usage %.1f %%, idle %.1f %%, iowait %.1f %%, softirq %.1f %%, steal %.1f %%\n",
		v->total.busy, v->total.pct[NT_CPU_IDLE], v->total.pct[NT_CPU_IOWAIT], v->total.pct[NT_CPU_SOFTIRQ],
		v->total.pct[NT_CPU_STEAL]);
	nt_table(o, nt_run_names(r), "cpus", NULL, cpu_fields,
		 NT_COUNT(cpu_fields) - !any_siblings(cpus, n_cpus), cpus, sizeof(*cpus), n_cpus);
	for (size_t i = 0; i < n_cpus; i++)
		if (cpus[i].shown)
			n += top_of(v, cpus[i].cpu, rows + n, most);
	nt_table(o, nt_run_names(r), "threads", v->exact ? "threads" : "threads, by ticks: all on their last CPU",
		 thread_fields, NT_COUNT(thread_fields) - !any_vm(rows, n), rows, sizeof(*rows), n);
	for (size_t i = 0; i < n_cpus; i++)
		if (cpus[i].path[0])
			nt_text(o, "CPU %u is hot: %llu samples in %s\n", cpus[i].cpu,
				(unsigned long long)cpus[i].samples, cpus[i].path);
out:
	free(cpus);
	free(rows);
}

void nt_cpu_show(struct nt_run *r, const struct nt_cpu_view *v)
{
	struct nt_out *o = nt_run_out(r);
	struct row *rows;

	if (nt_out_format(o) != NT_JSON) {
		text(r, v);
		return;
	}
	rows = calloc(nt_run_common(r)->top, sizeof(*rows));
	nt_json_f64(o, "span_ms", v->seconds * 1e3, 3);
	nt_json_str(o, "threads_by", v->exact ? "sched_switch" : "ticks");
	nt_json_obj(o, "total");
	nt_cpu_show_share(o, &v->total);
	nt_json_obj_end(o);
	nt_json_arr(o, "cpus");
	for (size_t i = 0; rows && i < v->n_cpus; i++)
		if (v->watched[i] && v->row[i].online)
			json_cpu(r, v, &v->row[i], rows);
	nt_json_arr_end(o);
	free(rows);
}
