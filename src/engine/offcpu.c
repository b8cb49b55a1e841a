/* SPDX-License-Identifier: GPL-2.0 */
#include "offcpu.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const counts[] = { "nt_counts0", "nt_counts1" };

static const struct nt_offcpu_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

static uint64_t switches(const struct nt_offcpu_opts *o)
{
	return (o->pid.n ? NT_TASK_BY_TGID : 0) | (o->tid.n ? NT_TASK_BY_TID : 0) |
	       (o->user_threads ? NT_TASK_USER : 0) | (o->kernel_threads ? NT_TASK_KERNEL : 0) |
	       (o->user_stacks ? 0 : NT_OFF_KERNEL_STACK) | (o->kernel_stacks ? 0 : NT_OFF_USER_STACK) |
	       (o->waker ? NT_OFF_WAKER : 0);
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	const struct nt_offcpu_opts *o = opts_of(r);

	nt_run_const(r, NT_CONST_TOOL0, switches(o));
	nt_run_const(r, NT_CONST_TOOL1, o->min_us * 1000ULL);
	nt_run_const(r, NT_CONST_TOOL2, o->has_max ? o->max_us * 1000ULL + 999 : ~0ULL);
	nt_run_const(r, NT_CONST_TOOL3, o->has_state ? o->state : ~0ULL);
	nt_run_map_entries(r, "nt_stacks", o->stack_entries);
	return o->pid.n || o->tid.n ? nt_task_check_namespace(err) : 0;
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	const struct nt_offcpu_opts *o = opts_of(r);
	struct nt_offcpu_priv *p = nt_run_priv(r);
	int rc;

	nt_ids_free(&p->ids);
	rc = nt_ids_parse(&p->ids, &o->pid, "pid", err);
	if (!rc)
		rc = nt_ids_parse(&p->ids, &o->tid, "tid", err);
	if (!rc && !p->usyms)
		rc = nt_usyms_new(&p->usyms);
	if (rc)
		return rc;
	nt_task_write_ids(r, &p->ids, nt_now_ns());
	p->cfg.start_ns = nt_now_ns();
	return nt_task_write_cfg(r, &p->cfg);
}

static void started(struct nt_run *r)
{
	((struct nt_offcpu_priv *)nt_run_priv(r))->since_ns = nt_run_started_ns(r);
}

/* ---- reading ---- */
static struct nt_offcpu_row *new_row(struct nt_offcpu_priv *p)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 256;
		void *grown = realloc(p->row, cap * sizeof(*p->row));

		if (!grown)
			return NULL;
		p->row = grown;
		p->cap = cap;
	}
	memset(&p->row[p->n], 0, sizeof(p->row[0]));
	return &p->row[p->n++];
}

static void read_counts(struct nt_run *r, const char *map)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);
	int fd = nt_run_map_fd(r, map);
	struct nt_off_key key, *prev = NULL;
	struct nt_offcpu_row *row;
	size_t first = p->n;

	for (; !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		row = new_row(p);
		if (!row)
			break;
		row->key = key;
		if (bpf_map_lookup_elem(fd, &key, &row->val))
			p->n--;
	}
	for (size_t i = first; i < p->n; i++)
		bpf_map_delete_elem(fd, &p->row[i].key);
}

static void add_blocked(struct nt_run *r)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);
	int fd = nt_run_map_fd(r, "nt_off");
	uint32_t tid, *prev = NULL;
	uint64_t now = nt_now_ns();

	for (; !bpf_map_get_next_key(fd, prev, &tid); prev = &tid) {
		struct nt_offcpu_row *row;
		struct nt_off o;

		if (bpf_map_lookup_elem(fd, &tid, &o) || o.since_ns > now || !(row = new_row(p)))
			continue;
		row->key.tid = tid;
		row->key.tgid = o.tgid;
		row->key.kernel_stack = o.kernel_stack;
		row->key.user_stack = o.user_stack;
		row->key.state = o.state;
		memcpy(row->key.comm, o.comm, sizeof(row->key.comm));
		row->val.total_ns = row->val.max_ns = now - o.since_ns;
		row->val.count = 1;
		row->blocked = true;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct nt_offcpu_row *x = a, *y = b;

	if (x->val.total_ns != y->val.total_ns)
		return x->val.total_ns < y->val.total_ns ? -1 : 1;
	return x->key.tid < y->key.tid ? -1 : x->key.tid > y->key.tid;
}

/* ---- stacks ---- */
static size_t read_stack(struct nt_run *r, int32_t id, uint64_t *frames)
{
	size_t n = 0;

	memset(frames, 0, NT_STACK_MAX * sizeof(*frames));
	if (id < 0 || bpf_map_lookup_elem(nt_run_map_fd(r, "nt_stacks"), &id, frames))
		return 0;
	while (n < NT_STACK_MAX && frames[n])
		n++;
	return n;
}

/* How many frames belong to the tracepoint: those inside of __schedule(). */
static size_t tracepoint_frames(struct nt_run *r, const uint64_t *frames, size_t n)
{
	const struct nt_resolver *names = nt_run_names(r);

	for (size_t i = 0; i < n && i < 8; i++) {
		uint64_t off;
		const char *name = names->ksym(names->ctx, frames[i], &off);

		if (name && !strcmp(name, "__schedule"))
			return i;
	}
	return 0;
}

void nt_offcpu_frames(struct nt_run *r, const struct nt_off_key *k, struct nt_offcpu_frames *f)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);
	size_t skip, n;

	f->n_k = read_stack(r, k->kernel_stack, f->k);
	skip = tracepoint_frames(r, f->k, f->n_k);
	f->n_k -= skip;
	memmove(f->k, f->k + skip, f->n_k * sizeof(f->k[0]));
	n = read_stack(r, k->user_stack, f->u);
	for (f->n_u = n ? 1 : 0; f->n_u < n && nt_usyms_mapped(p->usyms, k->tgid, f->u[f->n_u]); f->n_u++)
		;
}

static uint64_t hash(uint64_t h, const uint64_t *frames, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ frames[i]) * 0x100000001b3ULL ^ h >> 29;
	return h;
}

static void hash_stacks(struct nt_run *r, struct nt_offcpu_row *row)
{
	struct nt_offcpu_frames f;

	nt_offcpu_frames(r, &row->key, &f);
	row->stacks = hash(hash(0xcbf29ce484222325ULL, f.k, f.n_k) + f.n_k, f.u, f.n_u);
}

static int by_thread(const void *a, const void *b)
{
	const struct nt_offcpu_row *x = a, *y = b;
	int names;

	if (x->key.tid != y->key.tid)
		return x->key.tid < y->key.tid ? -1 : 1;
	if (x->stacks != y->stacks)
		return x->stacks < y->stacks ? -1 : 1;
	if (x->key.state != y->key.state)
		return x->key.state < y->key.state ? -1 : 1;
	if (x->blocked != y->blocked)
		return x->blocked ? 1 : -1;
	names = memcmp(x->key.comm, y->key.comm, sizeof(x->key.comm));
	return names ? names : memcmp(x->key.waker, y->key.waker, sizeof(x->key.waker));
}

/* Rows that show the same become one. */
static void merge(struct nt_run *r)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		hash_stacks(r, &p->row[i]);
	qsort(p->row, p->n, sizeof(*p->row), by_thread);
	for (size_t i = 0; i < p->n; i++) {
		struct nt_off_val *to = n ? &p->row[n - 1].val : NULL, *from = &p->row[i].val;

		if (!n || by_thread(&p->row[n - 1], &p->row[i])) {
			p->row[n++] = p->row[i];
			continue;
		}
		to->total_ns += from->total_ns;
		to->count += from->count;
		to->queued_ns += from->queued_ns;
		if (from->max_ns > to->max_ns)
			to->max_ns = from->max_ns;
	}
	p->n = n;
}

/* Of the last report: with --cumulative what has ended stays. */
static void keep_rows(struct nt_run *r)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);
	size_t n = 0;

	for (size_t i = 0; nt_run_common(r)->cumulative && i < p->n; i++)
		if (!p->row[i].blocked)
			p->row[n++] = p->row[i];
	p->n = n;
}

void nt_offcpu_read(struct nt_run *r)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);
	const char *full = counts[p->cfg.sample & 1];
	size_t kept;

	keep_rows(r);
	p->cfg.sample++;
	nt_task_write_cfg(r, &p->cfg);
	usleep(2000);		/* programs that have chosen the old map run to their end */
	kept = p->n;
	read_counts(r, full);
	if (opts_of(r)->include_blocked)
		add_blocked(r);
	for (size_t i = kept; i < p->n; i++) {
		p->total_ns += p->row[i].val.total_ns;
		p->waits += p->row[i].val.count;
	}
	merge(r);
	qsort(p->row, p->n, sizeof(*p->row), by_time);
}

/* Stacks that no waiting thread holds, when the table is half full. One that is taken up again in
 * this very moment is lost, and shows as missed. */
static void drop_old_stacks(struct nt_run *r)
{
	int stacks = nt_run_map_fd(r, "nt_stacks"), off = nt_run_map_fd(r, "nt_off");
	struct nt_ids used = { 0 }, all = { 0 };
	uint32_t key, *prev = NULL;
	struct nt_off o;

	for (; !bpf_map_get_next_key(stacks, prev, &key); prev = &key)
		nt_ids_add(&all, key);
	prev = NULL;
	for (; all.n > opts_of(r)->stack_entries / 2 && !bpf_map_get_next_key(off, prev, &key); prev = &key) {
		if (bpf_map_lookup_elem(off, &key, &o))
			continue;
		if (o.kernel_stack >= 0)
			nt_ids_add(&used, (uint32_t)o.kernel_stack);
		if (o.user_stack >= 0)
			nt_ids_add(&used, (uint32_t)o.user_stack);
	}
	for (size_t i = 0; all.n > opts_of(r)->stack_entries / 2 && i < all.n; i++)
		if (!nt_ids_has(&used, all.id[i]))
			bpf_map_delete_elem(stacks, &all.id[i]);
	nt_ids_free(&used);
	nt_ids_free(&all);
}

/* ---- the life of a run ---- */
static void interval(struct nt_run *r, bool final)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);

	(void)final;
	nt_offcpu_read(r);
	p->reports++;
	nt_offcpu_show(r);
	p->since_ns = nt_now_ns();
	if (!final && !nt_run_common(r)->cumulative)
		drop_old_stacks(r);
}

/* Mappings of processes, while they live. */
static void sweep(struct nt_run *r)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);
	int fd = nt_run_map_fd(r, counts[p->cfg.sample & 1]);
	struct nt_off_key key, *prev = NULL;
	uint32_t limit = 2 * nt_run_common(r)->max_entries;

	for (uint32_t i = 0; i < limit && !bpf_map_get_next_key(fd, prev, &key); i++, prev = &key)
		if (key.user_stack >= 0)
			nt_usyms_remember(p->usyms, key.tgid);
}

static void end(struct nt_run *r)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);

	if (!nt_run_common(r)->interval_ns) {
		nt_offcpu_read(r);
		nt_offcpu_show(r);
	}
	nt_json_u64(o, "reports", p->reports);
	nt_json_u64(o, "waits", p->waits);
	nt_json_f64(o, "total_us", (double)p->total_ns / 1e3, 3);
	nt_json_u64(o, "missed_kernel_stacks", nt_run_stat(r, NT_STAT_OFF_NO_KERNEL));
	nt_json_u64(o, "missed_user_stacks", nt_run_stat(r, NT_STAT_OFF_NO_USER));
}

static void release(struct nt_run *r)
{
	struct nt_offcpu_priv *p = nt_run_priv(r);

	nt_ids_free(&p->ids);
	nt_usyms_free(p->usyms);
	free(p->row);
}

const struct nt_engine nt_offcpu_engine = {
	.name = "offcpu",
	.priv_size = sizeof(struct nt_offcpu_priv),
	.aggregates = true,
	.configure = configure,
	.prepare = prepare,
	.started = started,
	.interval = interval,
	.sweep = sweep,
	.end = end,
	.release = release,
};
