/* SPDX-License-Identifier: GPL-2.0 */
/* Sockets of receive calls: reading, adding up, order; and whom a socket's time belongs to. */
#include "recv.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

void nt_recv_judge(const struct nt_recv_counts *n, struct nt_recv_verdict *v)
{
	static const char *const names[] = { "sender", "scheduler", "kernel", "application" };
	uint64_t other = n->wait_ns + n->wakeup_ns + n->preempted_ns, sum = 0;
	size_t most = 0;

	memset(v, 0, sizeof(*v));
	v->ns[NT_RECV_SENDER] = n->wait_ns + n->poll_ns;
	v->ns[NT_RECV_SCHEDULER] = n->wakeup_ns + n->preempted_ns;
	v->ns[NT_RECV_KERNEL] = n->total_ns > other ? n->total_ns - other : 0;
	v->ns[NT_RECV_APPLICATION] = n->late_ns;
	for (size_t i = 0; i < NT_RECV_SIDES; i++) {
		sum += v->ns[i];
		if (v->ns[i] > v->ns[most])
			most = i;
	}
	for (size_t i = 0; sum && i < NT_RECV_SIDES; i++)
		v->pct[i] = 100 * (double)v->ns[i] / (double)sum;
	v->limited_by = sum ? names[most] : NULL;
}

static struct nt_recv_sock *new_row(struct nt_recv_socks *s)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		struct nt_recv_sock *grown = realloc(s->row, cap * sizeof(*grown));

		if (!grown)
			return NULL;
		s->row = grown;
		s->cap = cap;
	}
	return &s->row[s->n++];
}

void nt_recv_socks_read(struct nt_run *r, const char *map, struct nt_recv_socks *s)
{
	int fd = nt_run_map_fd(r, map);
	struct nt_recv_key key, *prev = NULL;
	struct nt_recv_sock *row;
	size_t first = s->n;

	for (; !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		row = new_row(s);
		if (!row)
			break;
		row->key = key;
		if (bpf_map_lookup_elem(fd, &key, &row->val))
			s->n--;
	}
	for (size_t i = first; i < s->n; i++)
		bpf_map_delete_elem(fd, &s->row[i].key);
}

/* ---- adding up ---- */
static int by_key(const void *a, const void *b)
{
	const struct nt_recv_sock *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static void join_val(struct nt_recv_val *to, const struct nt_recv_val *from)
{
	uint64_t *sum = (uint64_t *)&to->n;
	const uint64_t *n = (const uint64_t *)&from->n;

	for (size_t i = 0; i < sizeof(to->n) / sizeof(*sum); i++)
		sum[i] += n[i];
	if (from->delay_max_ns > to->delay_max_ns)
		to->delay_max_ns = from->delay_max_ns;
	if (from->queued_max > to->queued_max)
		to->queued_max = from->queued_max;
	to->fd = from->fd;
	to->tid = from->tid;
	memcpy(to->comm, from->comm, sizeof(to->comm));
}

static void join(struct nt_recv_socks *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (n && !by_key(&s->row[n - 1], &s->row[i]))
			join_val(&s->row[n - 1].val, &s->row[i].val);
		else
			s->row[n++] = s->row[i];
	}
	s->n = n;
}

void nt_recv_socks_add(struct nt_recv_socks *all, const struct nt_recv_socks *now, size_t max)
{
	for (size_t i = 0; i < now->n; i++) {
		struct nt_recv_sock *row = new_row(all);

		if (!row)
			break;
		*row = now->row[i];
	}
	if (!all->n)
		return;
	qsort(all->row, all->n, sizeof(*all->row), by_key);
	join(all);
	if (all->n <= max)
		return;
	nt_recv_socks_sort(all, NT_RECV_BY_WORK);
	all->left_out += all->n - max / 2;	/* half: not again at each interval */
	all->n = max / 2;
}

/* ---- order ---- */
uint64_t nt_recv_work(const struct nt_recv_counts *n)
{
	uint64_t idle = n->wait_ns + n->wakeup_ns;

	return n->total_ns > idle ? n->total_ns - idle : 0;
}

static uint64_t rank(const struct nt_recv_val *v, enum nt_recv_sort by)
{
	switch (by) {
	case NT_RECV_BY_WAKEUP: return v->n.wakeup_ns;
	case NT_RECV_BY_APPLICATION: return v->n.late_ns;
	case NT_RECV_BY_QUEUE: return v->queued_max;
	case NT_RECV_BY_BYTES: return v->n.bytes;
	case NT_RECV_BY_CALLS: return v->n.calls;
	default: return nt_recv_work(&v->n);
	}
}

static int compare(const void *a, const void *b, void *by)
{
	const struct nt_recv_sock *x = a, *y = b;
	uint64_t s = rank(&x->val, *(enum nt_recv_sort *)by), t = rank(&y->val, *(enum nt_recv_sort *)by);

	return s < t ? 1 : s > t ? -1 : by_key(a, b);
}

void nt_recv_socks_sort(struct nt_recv_socks *s, enum nt_recv_sort by)
{
	if (s->n)
		qsort_r(s->row, s->n, sizeof(*s->row), compare, &by);
}
