/* SPDX-License-Identifier: GPL-2.0 */
/* Locks as a histogram, a table, code paths, and JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lock.h"
#include "nettrace/umaps.h"

struct shown {				/* a row as it is shown */
	const struct nt_lock_row *row;
	char process[40], op[12], peer[20], where[64];
	const char *process_p, *op_p, *peer_p, *where_p;
	uint64_t addr, calls, total_ns, avg_ns, max_ns, timeouts, again, waiting, longest_ns;
};
#define S(member) offsetof(struct shown, member)

static const struct nt_field fields[] = {
	{ .name = "process", .kind = NT_K_CSTR, .off = S(process_p), .flags = NT_F_LEFT },
	{ .name = "uaddr", .label = "lock", .kind = NT_K_HEX64, .off = S(addr) },
	{ .name = "op", .kind = NT_K_CSTR, .off = S(op_p), .flags = NT_F_LEFT },
	{ .name = "waits", .label = "calls", .kind = NT_K_U64, .off = S(calls), .flags = NT_F_GROUP },
	{ .name = "total_us", .label = "total", .kind = NT_K_NS_AS_US, .off = S(total_ns) },
	{ .name = "avg_us", .label = "average", .kind = NT_K_NS_AS_US, .off = S(avg_ns) },
	{ .name = "max_us", .label = "max", .kind = NT_K_NS_AS_US, .off = S(max_ns) },
	{ .name = "timeouts", .label = "timeout", .kind = NT_K_U64, .off = S(timeouts), .flags = NT_F_GROUP },
	{ .name = "waiting", .label = "now", .kind = NT_K_U64, .off = S(waiting), .flags = NT_F_GROUP },
	{ .name = "peer", .label = "waker", .kind = NT_K_CSTR, .off = S(peer_p), .flags = NT_F_LEFT },
};

static const struct nt_lock_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

static const char *class_name(struct nt_run *r, unsigned int class, char *buf, size_t size)
{
	const char *p = nt_lock_desc_of(r)->classes;

	for (; class && *p; class--)
		p += strcspn(p, "|") + 1;
	snprintf(buf, size, "%.*s", (int)strcspn(p, "|"), p);
	return buf;
}

static int by_time(const void *a, const void *b)
{
	const struct nt_lock_row *x = a, *y = b;
	uint64_t s = x->val.total_ns + x->longest_ns, t = y->val.total_ns + y->longest_ns;

	if (s != t)
		return s < t ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static void fill(struct nt_run *r, struct shown *s, const struct nt_lock_row *row)
{
	char comm[80];

	s->row = row;
	s->addr = row->key.addr;
	s->calls = row->val.calls;
	s->total_ns = row->val.total_ns;
	s->avg_ns = s->calls ? s->total_ns / s->calls : 0;
	s->max_ns = row->val.max_ns;
	s->timeouts = row->val.timeouts;
	s->again = row->val.again;
	s->waiting = row->waiting;
	s->longest_ns = row->longest_ns;
	snprintf(s->process, sizeof(s->process), "%.24s:%u",
		 nt_fmt_escape(row->val.comm, strnlen(row->val.comm, 16), comm, sizeof(comm)), row->key.tgid);
	if (row->val.peer_tid)
		snprintf(s->peer, sizeof(s->peer), row->val.peer_comm[0] ? "%u" : "owner %u", row->val.peer_tid);
	nt_umap_text(row->key.tgid, row->key.addr, s->where, sizeof(s->where));
	class_name(r, row->key.class, s->op, sizeof(s->op));
	s->process_p = s->process;
	s->peer_p = s->peer[0] ? s->peer : "-";
	s->op_p = s->op;
	s->where_p = s->where;
}

static void sum_hists(struct nt_run *r, const struct nt_lock_report *rep, struct nt_hist *sum)
{
	nt_hist_init(sum);
	for (size_t i = 0; i < NT_LOCK_CLASSES; i++)
		if (opts_of(r)->classes & 1u << i)
			nt_hist_join(sum, &rep->hist[i]);
}

/* ---- code paths ---- */
static int by_path_time(const void *a, const void *b)
{
	const struct nt_lock_path *const *x = a, *const *y = b;

	if ((*x)->val.calls != (*y)->val.calls)
		return (*x)->val.calls < (*y)->val.calls ? 1 : -1;
	return memcmp(&(*x)->key, &(*y)->key, sizeof((*x)->key));
}

/* At most NT_STACK_MAX + 1. */
static size_t frames_of(struct nt_run *r, const struct nt_lock_path *path, uint64_t *frame)
{
	struct nt_lock_priv *p = nt_run_priv(r);
	int n = nt_run_stack(r, "nt_stacks", path->key.stack, frame, NT_STACK_MAX);
	size_t k = n > 0 ? 1 : 0;

	/* At a function's first instruction its caller has no frame yet: kernels before 6.11 leave it out. */
	if (path->key.caller && k && (n == 1 || frame[1] != path->key.caller)) {
		memmove(frame + 2, frame + 1, (size_t)(n - 1) * sizeof(*frame));
		frame[k++] = path->key.caller;
		n++;
	}
	/* What follows a frame that is in no mapping is what happened to be in a register. */
	while (n > 0 && k < (size_t)n && nt_usyms_mapped(p->usyms, path->key.lock.tgid, frame[k]))
		k++;
	return k;
}

static void show_path(struct nt_run *r, const struct nt_lock_path *path, const char *process)
{
	struct nt_lock_priv *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);
	uint64_t frame[NT_STACK_MAX + 1];
	size_t n = frames_of(r, path, frame);
	char text[300], total[24], max[24];

	nt_json_u64(o, "waits", path->val.calls);
	nt_json_f64(o, "total_us", (double)path->val.total_ns / 1e3, 3);
	nt_json_f64(o, "max_us", (double)path->val.max_ns / 1e3, 3);
	nt_json_arr(o, "stack");
	nt_text(o, "    %s%llu %s, %s, longest %s\n", process, (unsigned long long)path->val.calls,
		path->val.calls == 1 ? "call" : "calls", nt_fmt_ns(path->val.total_ns, total, sizeof(total)),
		nt_fmt_ns(path->val.max_ns, max, sizeof(max)));
	for (size_t i = 0; i < n; i++) {
		nt_usyms_text(p->usyms, path->key.lock.tgid, frame[i], NT_USYM_OFFSET | NT_USYM_MODULE, text,
			      sizeof(text));
		nt_json_str(o, NULL, text);
		nt_text(o, "        %.90s\n", text);
	}
	if (!n)
		nt_text(o, "        [Missed User Stack]\n");
	nt_json_arr_end(o);
}

/* Those of one lock, most calls first. */
static void show_paths(struct nt_run *r, const struct nt_lock_report *rep, const struct nt_lock_key *key)
{
	const struct nt_lock_path **own = calloc(rep->paths.n + 1, sizeof(*own));
	size_t n = 0;

	for (size_t i = 0; own && i < rep->paths.n; i++)
		if (!memcmp(&rep->paths.path[i].key.lock, key, sizeof(*key)))
			own[n++] = &rep->paths.path[i];
	if (n)
		qsort(own, n, sizeof(*own), by_path_time);
	nt_json_arr(nt_run_out(r), "stacks");
	for (size_t i = 0; i < n; i++) {
		nt_json_obj(nt_run_out(r), NULL);
		show_path(r, own[i], "");
		nt_json_obj_end(nt_run_out(r));
	}
	nt_json_arr_end(nt_run_out(r));
	free(own);
}

static int by_process(const void *a, const void *b)
{
	const struct nt_lock_stack_key *x = &(*(const struct nt_lock_path *const *)a)->key;
	const struct nt_lock_stack_key *y = &(*(const struct nt_lock_path *const *)b)->key;

	if (x->lock.tgid != y->lock.tgid)
		return x->lock.tgid < y->lock.tgid ? -1 : 1;
	if (x->caller != y->caller)
		return x->caller < y->caller ? -1 : 1;
	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

static const char *comm_of(const struct nt_lock_report *rep, uint32_t tgid)
{
	for (size_t i = 0; i < rep->rows.n; i++)
		if (rep->rows.row[i].key.tgid == tgid)
			return rep->rows.row[i].val.comm;
	return "";
}

/* Code paths whatever the lock, most calls first: array gets pointers into path, which is changed. */
static size_t join_locks(struct nt_lock_path **array, struct nt_lock_path *path, size_t n)
{
	size_t joined = 0;

	for (size_t i = 0; i < n; i++)
		array[i] = &path[i];
	if (n)
		qsort(array, n, sizeof(*array), by_process);
	for (size_t i = 0; i < n; i++) {
		if (joined && !by_process(&array[joined - 1], &array[i]))
			nt_lock_join_path(array[joined - 1], array[i]);
		else
			array[joined++] = array[i];
	}
	if (joined)
		qsort(array, joined, sizeof(*array), by_path_time);
	return joined;
}

static void show_all_paths(struct nt_run *r, const struct nt_lock_report *rep)
{
	struct nt_lock_path **array = calloc(rep->paths.n + 1, sizeof(*array));
	struct nt_lock_path *copy = calloc(rep->paths.n + 1, sizeof(*copy));
	struct nt_out *o = nt_run_out(r);
	size_t n = 0;

	if (array && copy && rep->paths.n) {
		memcpy(copy, rep->paths.path, rep->paths.n * sizeof(*copy));
		n = join_locks(array, copy, rep->paths.n);
	}
	nt_json_arr(o, "stacks");
	for (size_t i = 0; i < n && i < nt_run_common(r)->top; i++) {
		uint32_t tgid = array[i]->key.lock.tgid;
		const char *comm = comm_of(rep, tgid);
		char process[120], escaped[80];

		nt_json_obj(o, NULL);
		nt_json_u64(o, "pid", tgid);
		nt_json_strn(o, "comm", comm, strnlen(comm, 16));
		snprintf(process, sizeof(process), "%s:%u: ",
			 nt_fmt_escape(comm, strnlen(comm, 16), escaped, sizeof(escaped)), tgid);
		show_path(r, array[i], process);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
	free(array);
	free(copy);
}

/* ---- JSON ---- */
static void json_lock(struct nt_run *r, const struct nt_lock_report *rep, const struct shown *s)
{
	const struct nt_lock_val *v = &s->row->val;
	struct nt_out *o = nt_run_out(r);

	nt_json_obj(o, NULL);
	nt_json_u64(o, "pid", s->row->key.tgid);
	nt_json_strn(o, "comm", v->comm, strnlen(v->comm, sizeof(v->comm)));
	nt_json_u64(o, "last_tid", v->last_tid);
	nt_fields_json(o, nt_run_names(r), fields + 1, NT_COUNT(fields) - 2, s);
	nt_json_str(o, "where", s->where[0] ? s->where : NULL);
	if (nt_lock_desc_of(r)->contended)
		nt_json_bool(o, "contended", nt_lock_desc_of(r)->contended & 1u << s->row->key.class);
	nt_json_u64(o, "again", v->again);
	nt_json_u64(o, "interrupted", v->interrupted);
	nt_json_u64(o, "failed", v->failed);
	nt_json_u64(o, "woken", v->woken);
	nt_json_f64(o, "longest_waiting_us", (double)s->longest_ns / 1e3, 3);
	if (v->peer_tid && v->peer_comm[0]) {
		nt_json_u64(o, "waker_tid", v->peer_tid);
		nt_json_strn(o, "waker_comm", v->peer_comm, strnlen(v->peer_comm, sizeof(v->peer_comm)));
	} else if (v->peer_tid) {
		nt_json_u64(o, "owner_tid", v->peer_tid);
	}
	if (opts_of(r)->stack)
		show_paths(r, rep, &s->row->key);
	nt_json_obj_end(o);
}

static void json(struct nt_run *r, const struct nt_lock_report *rep, const struct shown *s, size_t n)
{
	struct nt_out *o = nt_run_out(r);
	struct nt_hist sum;
	char name[16];

	sum_hists(r, rep, &sum);
	nt_json_u64(o, "waits", sum.count);
	nt_hist_json(o, "histogram", &sum, "us", 1000.0);
	nt_json_arr(o, "ops");
	for (unsigned int i = 0; i < NT_LOCK_CLASSES; i++) {
		if (!(opts_of(r)->classes & 1u << i))
			continue;
		nt_json_obj(o, NULL);
		nt_json_str(o, "op", class_name(r, i, name, sizeof(name)));
		nt_hist_json(o, "histogram", &rep->hist[i], "us", 1000.0);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
	nt_json_arr(o, "locks");
	for (size_t i = 0; i < n; i++)
		json_lock(r, rep, &s[i]);
	nt_json_arr_end(o);
	if (opts_of(r)->stack)
		show_all_paths(r, rep);
}

/* ---- text ---- */
static void text_hists(struct nt_run *r, const struct nt_lock_report *rep)
{
	bool ms = opts_of(r)->unit == NT_LOCK_MS;
	char name[16], title[80], p50[24], p99[24], max[24];

	for (unsigned int i = 0; i < NT_LOCK_CLASSES; i++) {
		const struct nt_hist *h = &rep->hist[i];

		if (!h->count)
			continue;
		snprintf(title, sizeof(title), "%s: %s", nt_lock_desc_of(r)->title,
			 class_name(r, i, name, sizeof(name)));
		nt_hist_text(nt_run_out(r), title, h, ms ? "ms" : "us", ms ? 1e6 : 1e3);
		nt_text(nt_run_out(r), "%llu calls, p50 %s, p99 %s, longest %s\n\n", (unsigned long long)h->count,
			nt_fmt_ns(nt_hist_quantile(h, 0.5), p50, sizeof(p50)),
			nt_fmt_ns(nt_hist_quantile(h, 0.99), p99, sizeof(p99)), nt_fmt_ns(h->max, max, sizeof(max)));
	}
}

/* What has no room in the table. */
static void text_more(struct nt_run *r, const struct nt_lock_report *rep, const struct shown *s)
{
	struct nt_out *o = nt_run_out(r);
	char longest[24];

	nt_text(o, "lock 0x%llx of %s", (unsigned long long)s->addr, s->process);
	if (s->where[0])
		nt_text(o, ", %s", s->where);
	if (s->waiting)
		nt_text(o, ":\n    %llu in it now, the longest for %s", (unsigned long long)s->waiting,
			nt_fmt_ns(s->longest_ns, longest, sizeof(longest)));
	nt_text(o, "\n");
	if (opts_of(r)->stack)
		show_paths(r, rep, &s->row->key);
}

static void text(struct nt_run *r, const struct nt_lock_report *rep, const struct shown *s, size_t n)
{
	struct nt_out *o = nt_run_out(r);

	text_hists(r, rep);
	nt_table(o, nt_run_names(r), "locks", NULL, fields, NT_COUNT(fields), s, sizeof(*s), n);
	if (rep->rows.n > n)
		nt_text(o, "... %zu more (--top)\n", rep->rows.n - n);
	if (opts_of(r)->by_path)
		show_all_paths(r, rep);
	for (size_t i = 0; i < n && !opts_of(r)->by_path; i++)
		if (opts_of(r)->stack || nt_run_common(r)->verbose || s[i].waiting)
			text_more(r, rep, &s[i]);
}

void nt_lock_show(struct nt_run *r, struct nt_lock_report *rep)
{
	size_t top = nt_run_common(r)->top, n = rep->rows.n < top ? rep->rows.n : top;
	struct shown *s = calloc(n + 1, sizeof(*s));

	if (!s)
		return;
	if (rep->rows.n)
		qsort(rep->rows.row, rep->rows.n, sizeof(rep->rows.row[0]), by_time);
	for (size_t i = 0; i < n; i++)
		fill(r, &s[i], &rep->rows.row[i]);
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		json(r, rep, s, n);
	else
		text(r, rep, s, n);
	free(s);
}
