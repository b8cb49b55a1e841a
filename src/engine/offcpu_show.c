/* SPDX-License-Identifier: GPL-2.0 */
/* Off-CPU time as blocks of stacks, folded lines for flame graphs, and JSON. */
#include <stdio.h>
#include <string.h>

#include "offcpu.h"

static const struct nt_offcpu_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* "function[+offset]", an address where it is unknown; modules are part of the kernel's names. */
static const char *kernel_name(struct nt_run *r, uint64_t addr, bool offsets, char *buf, size_t size)
{
	const struct nt_resolver *names = nt_run_names(r);
	uint64_t off = 0;
	const char *name = names->ksym(names->ctx, addr, &off);

	if (!name)
		snprintf(buf, size, "0x%llx", (unsigned long long)addr);
	else if (offsets)
		snprintf(buf, size, "%s+0x%llx", name, (unsigned long long)off);
	else
		snprintf(buf, size, "%s", name);
	return buf;
}

static const char *user_name(struct nt_run *r, uint32_t pid, uint64_t addr, bool offsets, bool module,
			     char *buf, size_t size)
{
	return nt_usyms_text(((struct nt_offcpu_priv *)nt_run_priv(r))->usyms, pid, addr,
			     (offsets ? NT_USYM_OFFSET : 0) | (module ? NT_USYM_MODULE : 0), buf, size);
}

/* Stacks that were asked for and that the kernel could not store. */
static bool missed_kernel(struct nt_run *r, const struct nt_off_key *k, const struct nt_offcpu_frames *f)
{
	return !opts_of(r)->user_stacks && !f->n_k && k->kernel_stack != NT_NO_STACK;
}

/* A kernel thread has none: NT_NO_STACK. -EFAULT, too, where the frame pointer leads nowhere. */
static bool missed_user(struct nt_run *r, const struct nt_off_key *k, const struct nt_offcpu_frames *f)
{
	return !opts_of(r)->kernel_stacks && !f->n_u && k->user_stack != NT_NO_STACK;
}

/* ---- text ---- */
static void stacks_text(struct nt_run *r, const struct nt_off_key *k, const struct nt_offcpu_frames *f)
{
	const struct nt_offcpu_opts *o = opts_of(r);
	struct nt_out *out = nt_run_out(r);
	char name[300];

	for (size_t i = 0; i < f->n_k; i++)
		nt_text(out, "    %.95s\n", kernel_name(r, f->k[i], o->offsets, name, sizeof(name)));
	if (missed_kernel(r, k, f))
		nt_text(out, "    [Missed Kernel Stack]\n");
	if (o->delimited && !o->user_stacks && !o->kernel_stacks && k->user_stack != NT_NO_STACK)
		nt_text(out, "    --\n");
	for (size_t i = 0; i < f->n_u; i++)
		nt_text(out, "    %.95s\n", user_name(r, k->tgid, f->u[i], o->offsets, true, name, sizeof(name)));
	if (missed_user(r, k, f))
		nt_text(out, "    [Missed User Stack]\n");
}

/* Bits of include/linux/sched.h, words of /proc/PID/status. */
static const char *state_text(uint32_t state, char *buf, size_t size)
{
	const char *word = (state & 0x402) == 0x402 ? "idle" : state & 0x1 ? "sleeping" :
			   state & 0x2 ? "uninterruptible" : state & 0xc ? "stopped" : "not running";

	if (state)
		snprintf(buf, size, "%s (0x%x)", word, state);
	else
		snprintf(buf, size, "never asleep");
	return buf;
}

static void row_text(struct nt_run *r, const struct nt_offcpu_row *row)
{
	char comm[80], max[24], queued[24], state[40];
	struct nt_out *out = nt_run_out(r);
	struct nt_offcpu_frames f;

	nt_offcpu_frames(r, &row->key, &f);
	stacks_text(r, &row->key, &f);
	nt_fmt_escape(row->key.comm, strnlen(row->key.comm, 16), comm, sizeof(comm));
	nt_text(out, "    %-16s %s (%u)\n", "-", comm, row->key.tid);
	if (row->key.waker[0]) {
		nt_fmt_escape(row->key.waker, strnlen(row->key.waker, 16), comm, sizeof(comm));
		nt_text(out, "    %-16s %s\n", "woken by", comm);
	}
	nt_text(out, "        %llu us in %llu %s, max %s, %s of it runnable, %s%s\n\n",
		(unsigned long long)(row->val.total_ns / 1000), (unsigned long long)row->val.count,
		row->val.count == 1 ? "wait" : "waits", nt_fmt_ns(row->val.max_ns, max, sizeof(max)),
		nt_fmt_ns(row->val.queued_ns, queued, sizeof(queued)),
		state_text(row->key.state, state, sizeof(state)),
		row->blocked ? ", not back yet" : "");
}

/* ';' separates frames, and a blank the figure: neither may be in a name. */
static void clean(char *s)
{
	for (; *s; s++)
		if (*s == ';' || *s == ' ')
			*s = '_';
}

/* comm;user root ... leaf;[-;]kernel root ... leaf microseconds */
static void row_folded(struct nt_run *r, const struct nt_offcpu_row *row)
{
	const struct nt_offcpu_opts *o = opts_of(r);
	struct nt_out *out = nt_run_out(r);
	char name[300];
	struct nt_offcpu_frames f;

	nt_offcpu_frames(r, &row->key, &f);
	nt_fmt_escape(row->key.comm, strnlen(row->key.comm, 16), name, sizeof(name));
	clean(name);
	nt_text(out, "%s", name);
	if (missed_user(r, &row->key, &f))
		nt_text(out, ";[Missed_User_Stack]");
	for (size_t i = f.n_u; i-- > 0;) {
		user_name(r, row->key.tgid, f.u[i], false, false, name, sizeof(name));
		clean(name);
		nt_text(out, ";%s", name);
	}
	if (o->delimited && !o->user_stacks && !o->kernel_stacks)
		nt_text(out, ";-");
	if (missed_kernel(r, &row->key, &f))
		nt_text(out, ";[Missed_Kernel_Stack]");
	for (size_t i = f.n_k; i-- > 0;) {
		kernel_name(r, f.k[i], false, name, sizeof(name));
		clean(name);
		nt_text(out, ";%s", name);
	}
	nt_text(out, " %llu\n", (unsigned long long)(row->val.total_ns / 1000));
}

/* ---- JSON ---- */
static void row_json(struct nt_run *r, const struct nt_offcpu_row *row)
{
	struct nt_out *o = nt_run_out(r);
	char name[300];
	struct nt_offcpu_frames f;

	nt_offcpu_frames(r, &row->key, &f);
	nt_json_obj(o, NULL);
	nt_json_strn(o, "comm", row->key.comm, strnlen(row->key.comm, 16));
	nt_json_u64(o, "tid", row->key.tid);
	nt_json_u64(o, "pid", row->key.tgid);
	nt_json_u64(o, "state", row->key.state);
	nt_json_u64(o, "count", row->val.count);
	nt_json_f64(o, "total_us", (double)row->val.total_ns / 1e3, 3);
	nt_json_f64(o, "max_us", (double)row->val.max_ns / 1e3, 3);
	nt_json_f64(o, "runnable_us", (double)row->val.queued_ns / 1e3, 3);
	nt_json_bool(o, "blocked", row->blocked);
	if (opts_of(r)->waker)
		nt_json_strn(o, "waker_comm", row->key.waker, strnlen(row->key.waker, 16));
	nt_json_arr(o, "kernel_stack");
	for (size_t i = 0; i < f.n_k; i++)
		nt_json_str(o, NULL, kernel_name(r, f.k[i], true, name, sizeof(name)));
	nt_json_arr_end(o);
	nt_json_arr(o, "user_stack");
	for (size_t i = 0; i < f.n_u; i++)
		nt_json_str(o, NULL, user_name(r, row->key.tgid, f.u[i], true, true, name, sizeof(name)));
	nt_json_arr_end(o);
	nt_json_bool(o, "kernel_stack_missed", missed_kernel(r, &row->key, &f));
	nt_json_bool(o, "user_stack_missed", missed_user(r, &row->key, &f));
	nt_json_obj_end(o);
}

static void show_missed(struct nt_run *r)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);
	uint64_t kernel = nt_run_stat(r, NT_STAT_OFF_NO_KERNEL), user = nt_run_stat(r, NT_STAT_OFF_NO_USER);

	if (kernel != p->missed_kernel)
		nt_text(nt_run_out(r), "warning: %llu kernel stacks were missed: raise --stack-storage-size\n",
			(unsigned long long)(kernel - p->missed_kernel));
	if (user != p->missed_user)
		nt_text(nt_run_out(r), "warning: %llu user stacks were missed: the process was ending, "
			"or --stack-storage-size\n", (unsigned long long)(user - p->missed_user));
	p->missed_kernel = kernel;
	p->missed_user = user;
}

void nt_offcpu_show(struct nt_run *r)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);
	size_t top = nt_run_common(r)->top, first = p->n > top ? p->n - top : 0;

	nt_json_arr(nt_run_out(r), "rows");
	if (first)
		nt_text(nt_run_out(r), "... %zu shorter ones (--top)\n", first);
	for (size_t i = first; i < p->n; i++) {
		if (nt_out_format(nt_run_out(r)) == NT_JSON)
			row_json(r, &p->row[i]);
		else if (opts_of(r)->folded)
			row_folded(r, &p->row[i]);
		else
			row_text(r, &p->row[i]);
	}
	nt_json_arr_end(nt_run_out(r));
	show_missed(r);
}
