/* SPDX-License-Identifier: GPL-2.0 */
#include "lock.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const lock_maps[] = { "nt_locks0", "nt_locks1" };
static const char *const path_maps[] = { "nt_lock_stacks0", "nt_lock_stacks1" };

static const struct nt_lock_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

const struct nt_lock_desc *nt_lock_desc_of(const struct nt_run *r)
{
	return nt_run_tool(r)->engine_data;
}

int nt_lock_check(struct nt_run *r, struct nt_err *err)
{
	struct nt_ids ids = { 0 };
	int rc = nt_ids_parse(&ids, &opts_of(r)->pid, "pid", err);

	nt_ids_free(&ids);
	return rc;
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	const struct nt_lock_opts *o = opts_of(r);

	nt_run_const(r, NT_CONST_TOOL0, (o->pid.n ? NT_TASK_BY_TGID : 0) | (o->stack ? NT_LOCK_STACK : 0));
	nt_run_const(r, NT_CONST_TOOL1, o->classes);
	nt_run_const(r, NT_CONST_TOOL2, (uint64_t)(o->min_us * 1000));
	if (!o->stack) {
		nt_run_map_entries(r, "nt_stacks", 1);
		nt_run_map_entries(r, path_maps[0], 1);
		nt_run_map_entries(r, path_maps[1], 1);
	}
	return o->pid.n ? nt_task_check_namespace(err) : 0;
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_lock_priv *p = nt_run_priv(r);
	int rc;

	nt_ids_free(&p->ids);
	rc = nt_ids_parse(&p->ids, &opts_of(r)->pid, "pid", err);
	if (!rc && nt_lock_desc_of(r)->files)
		rc = nt_lock_desc_of(r)->files(r, p->ids.id, p->ids.n, err);
	if (!rc && !p->usyms)
		rc = nt_usyms_new(&p->usyms);
	if (rc)
		return rc;
	for (size_t i = 0; i < NT_LOCK_CLASSES; i++)
		nt_hist_init(&p->before[i]);
	nt_task_write_ids(r, &p->ids, nt_now_ns());
	p->cfg.start_ns = nt_now_ns();
	return nt_task_write_cfg(r, &p->cfg);
}

/* ---- rows by key ---- */
static int by_lock(const void *a, const void *b)
{
	const struct nt_lock_row *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static int by_path(const void *a, const void *b)
{
	const struct nt_lock_path *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* Room for one more of size bytes; NULL: no memory. */
static void *grow(void **array, size_t n, size_t *cap, size_t size)
{
	if (n == *cap) {
		size_t more = *cap ? *cap * 2 : 64;
		void *p = realloc(*array, more * size);

		if (!p)
			return NULL;
		*array = p;
		*cap = more;
	}
	return memset((char *)*array + n * size, 0, size);
}

static struct nt_lock_row *new_row(struct nt_lock_rows *rows)
{
	struct nt_lock_row *row = grow((void **)&rows->row, rows->n, &rows->cap, sizeof(*row));

	rows->n += row != NULL;
	return row;
}

static struct nt_lock_path *new_path(struct nt_lock_paths *paths)
{
	struct nt_lock_path *path = grow((void **)&paths->path, paths->n, &paths->cap, sizeof(*path));

	paths->n += path != NULL;
	return path;
}

static void join_val(struct nt_lock_val *to, const struct nt_lock_val *from)
{
	to->calls += from->calls;
	to->total_ns += from->total_ns;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	to->timeouts += from->timeouts;
	to->again += from->again;
	to->interrupted += from->interrupted;
	to->failed += from->failed;
	to->woken += from->woken;
	if (!from->calls)
		return;
	to->last_tid = from->last_tid;
	memcpy(to->comm, from->comm, sizeof(to->comm));
	if (from->peer_tid) {
		to->peer_tid = from->peer_tid;
		memcpy(to->peer_comm, from->peer_comm, sizeof(to->peer_comm));
	}
}

/* Rows of one key become one; the later ones of the array are the later ones in time. */
static void join_rows(struct nt_lock_rows *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++) {
		struct nt_lock_row *to = n ? &rows->row[n - 1] : NULL, *from = &rows->row[i];

		if (!to || by_lock(to, from)) {
			rows->row[n++] = *from;
			continue;
		}
		join_val(&to->val, &from->val);
		to->waiting += from->waiting;
		if (from->longest_ns > to->longest_ns)
			to->longest_ns = from->longest_ns;
	}
	rows->n = n;
}

void nt_lock_join_path(struct nt_lock_path *to, const struct nt_lock_path *from)
{
	to->val.calls += from->val.calls;
	to->val.total_ns += from->val.total_ns;
	if (from->val.max_ns > to->val.max_ns)
		to->val.max_ns = from->val.max_ns;
}

static void join_paths(struct nt_lock_paths *paths)
{
	size_t n = 0;

	for (size_t i = 0; i < paths->n; i++) {
		struct nt_lock_path *to = n ? &paths->path[n - 1] : NULL, *from = &paths->path[i];

		if (!to || by_path(to, from)) {
			paths->path[n++] = *from;
			continue;
		}
		nt_lock_join_path(to, from);
	}
	paths->n = n;
}

/* ---- reading ---- */
static void read_locks(struct nt_run *r, const char *map, struct nt_lock_rows *rows)
{
	int fd = nt_run_map_fd(r, map);
	struct nt_lock_key key, *prev = NULL;
	size_t first = rows->n;
	struct nt_lock_row *row;

	for (; !bpf_map_get_next_key(fd, prev, &key) && (row = new_row(rows)); prev = &key) {
		row->key = key;
		if (bpf_map_lookup_elem(fd, &key, &row->val))
			rows->n--;
	}
	for (size_t i = first; i < rows->n; i++)
		bpf_map_delete_elem(fd, &rows->row[i].key);
}

static void read_paths(struct nt_run *r, const char *map, struct nt_lock_paths *paths)
{
	int fd = nt_run_map_fd(r, map);
	struct nt_lock_stack_key key, *prev = NULL;
	size_t first = paths->n;
	struct nt_lock_path *path;

	for (; !bpf_map_get_next_key(fd, prev, &key) && (path = new_path(paths)); prev = &key) {
		path->key = key;
		if (bpf_map_lookup_elem(fd, &key, &path->val))
			paths->n--;
	}
	for (size_t i = first; i < paths->n; i++)
		bpf_map_delete_elem(fd, &paths->path[i].key);
}

/* Threads that are in a call at this moment: a deadlock shows here and nowhere else. */
static void add_waiting(struct nt_run *r, struct nt_lock_rows *rows)
{
	int fd = nt_run_map_fd(r, "nt_lock_calls");
	uint64_t now = nt_now_ns(), limit = 65536;
	uint32_t tid, *prev = NULL;

	for (; limit-- && !bpf_map_get_next_key(fd, prev, &tid); prev = &tid) {
		struct nt_lock_call c;
		struct nt_lock_row *row;

		if (bpf_map_lookup_elem(fd, &tid, &c) || c.since_ns > now ||
		    !(nt_lock_desc_of(r)->waiting & opts_of(r)->classes & 1u << c.class) || !(row = new_row(rows)))
			continue;
		row->key = (struct nt_lock_key){ .addr = c.addr, .tgid = c.tgid, .class = c.class };
		row->val.last_tid = tid;
		row->val.peer_tid = c.owner_tid;
		memcpy(row->val.comm, c.comm, sizeof(c.comm));
		row->waiting = 1;
		row->longest_ns = now - c.since_ns;
	}
}

static void read_hists(struct nt_run *r, struct nt_lock_report *rep)
{
	struct nt_lock_priv *p = nt_run_priv(r);

	for (uint32_t i = 0; i < NT_LOCK_CLASSES; i++) {
		struct nt_hist sum;

		nt_hist_init(&sum);
		nt_run_hist(r, "nt_lock_hists", i, &sum);
		nt_hist_diff(&rep->hist[i], &sum, &p->before[i]);
		if (!p->before[i].count)
			rep->hist[i] = sum;	/* least and most are exact */
		p->before[i] = sum;
	}
}

/* The interval that ends now. */
static void take(struct nt_run *r)
{
	struct nt_lock_priv *p = nt_run_priv(r);
	size_t old = p->cfg.sample & 1;

	p->cfg.sample++;
	nt_task_write_cfg(r, &p->cfg);
	usleep(2000);		/* programs that have chosen the old map run to their end */
	p->now.rows.n = p->now.paths.n = 0;
	read_locks(r, lock_maps[old], &p->now.rows);
	if (opts_of(r)->stack)
		read_paths(r, path_maps[old], &p->now.paths);
	read_hists(r, &p->now);
}

/* What the interval adds to the whole run. */
static void add_up(struct nt_lock_report *all, const struct nt_lock_report *now)
{
	for (size_t i = 0; i < now->rows.n; i++) {
		struct nt_lock_row *row = new_row(&all->rows);

		if (!row)
			break;
		row->key = now->rows.row[i].key;
		row->val = now->rows.row[i].val;
	}
	for (size_t i = 0; i < now->paths.n; i++) {
		struct nt_lock_path *path = new_path(&all->paths);

		if (!path)
			break;
		*path = now->paths.path[i];
	}
	qsort(all->rows.row, all->rows.n, sizeof(all->rows.row[0]), by_lock);
	join_rows(&all->rows);
	qsort(all->paths.path, all->paths.n, sizeof(all->paths.path[0]), by_path);
	join_paths(&all->paths);
}

static void show(struct nt_run *r, struct nt_lock_report *rep)
{
	add_waiting(r, &rep->rows);
	qsort(rep->rows.row, rep->rows.n, sizeof(rep->rows.row[0]), by_lock);
	join_rows(&rep->rows);
	nt_lock_show(r, rep);
}

/* ---- the life of a run ---- */
static void interval(struct nt_run *r, bool final)
{
	struct nt_lock_priv *p = nt_run_priv(r);

	(void)final;
	take(r);
	add_up(&p->all, &p->now);
	p->reports++;
	if (!nt_run_common(r)->cumulative) {
		show(r, &p->now);
		return;
	}
	memcpy(p->all.hist, p->before, sizeof(p->all.hist));
	p->now.rows.n = p->now.paths.n = 0;
	add_up(&p->now, &p->all);	/* a copy: showing reorders */
	memcpy(p->now.hist, p->before, sizeof(p->now.hist));
	show(r, &p->now);
}

/* Mappings of processes, while they live. */
static void sweep(struct nt_run *r)
{
	struct nt_lock_priv *p = nt_run_priv(r);
	int fd = nt_run_map_fd(r, path_maps[p->cfg.sample & 1]);
	struct nt_lock_stack_key key, *prev = NULL;
	uint32_t limit = 2 * nt_run_common(r)->max_entries;

	for (; opts_of(r)->stack && limit-- && !bpf_map_get_next_key(fd, prev, &key); prev = &key)
		nt_usyms_remember(p->usyms, key.lock.tgid);
}

static void end(struct nt_run *r)
{
	struct nt_lock_priv *p = nt_run_priv(r);

	take(r);		/* nothing, if there were intervals */
	add_up(&p->all, &p->now);
	memcpy(p->all.hist, p->before, sizeof(p->all.hist));
	nt_json_u64(nt_run_out(r), "reports", p->reports);
	nt_json_u64(nt_run_out(r), "below_min", nt_run_stat(r, NT_STAT_LOCK_BELOW));
	nt_json_u64(nt_run_out(r), "missed_stacks", nt_run_stat(r, NT_STAT_LOCK_NO_STACK));
	show(r, &p->all);
}

static void release(struct nt_run *r)
{
	struct nt_lock_priv *p = nt_run_priv(r);

	nt_ids_free(&p->ids);
	nt_usyms_free(p->usyms);
	free(p->now.rows.row);
	free(p->now.paths.path);
	free(p->all.rows.row);
	free(p->all.paths.path);
}

const struct nt_engine nt_lock_engine = {
	.name = "lock",
	.priv_size = sizeof(struct nt_lock_priv),
	.aggregates = true,
	.configure = configure,
	.prepare = prepare,
	.interval = interval,
	.sweep = sweep,
	.end = end,
	.release = release,
};
