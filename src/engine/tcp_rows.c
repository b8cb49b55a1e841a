/* SPDX-License-Identifier: GPL-2.0 */
/* Rows of connections: out of the kernel, joined over intervals, the busiest kept. */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "tcp.h"

static struct nt_tcp_row *new_row(struct nt_tcp_rows *rows)
{
	if (rows->n == rows->cap) {
		size_t cap = rows->cap ? rows->cap * 2 : 64;
		void *p = realloc(rows->row, cap * sizeof(*rows->row));

		if (!p)
			return NULL;
		rows->row = p;
		rows->cap = cap;
	}
	return &rows->row[rows->n++];
}

void nt_tcp_rows_take(struct nt_run *r, const char *map, struct nt_tcp_rows *rows)
{
	int fd = nt_run_map_fd(r, map);
	struct nt_tcp_key key, *prev = NULL;
	size_t first = rows->n;
	struct nt_tcp_row *row;

	for (; !bpf_map_get_next_key(fd, prev, &key) && (row = new_row(rows)); prev = &key) {
		row->key = key;
		row->rtts = NULL;
		if (bpf_map_lookup_elem(fd, &key, &row->conn))
			rows->n--;
	}
	for (size_t i = first; i < rows->n; i++)
		bpf_map_delete_elem(fd, &rows->row[i].key);
}

static int by_key(const void *a, const void *b)
{
	const struct nt_tcp_row *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static void take_rtts(struct nt_tcp_rows *rows, const struct nt_tcp_key *key, const struct nt_tcp_rtts *rtts)
{
	struct nt_tcp_row like = { .key = *key }, *row;

	row = rows->n ? bsearch(&like, rows->row, rows->n, sizeof(like), by_key) : NULL;
	if (!row || row->rtts)
		return;
	row->rtts = malloc(sizeof(*row->rtts));
	if (row->rtts)
		*row->rtts = *rtts;
}

void nt_tcp_rows_take_rtts(struct nt_run *r, const char *map, struct nt_tcp_rows *rows)
{
	int fd = nt_run_map_fd(r, map);
	struct nt_tcp_key key, *prev = NULL;
	static struct nt_tcp_rtts rtts;

	if (rows->n)
		qsort(rows->row, rows->n, sizeof(rows->row[0]), by_key);
	for (; !bpf_map_get_next_key(fd, prev, &key); prev = &key)
		if (!bpf_map_lookup_elem(fd, &key, &rtts))
			take_rtts(rows, &key, &rtts);
	while (!bpf_map_get_next_key(fd, NULL, &key) && !bpf_map_delete_elem(fd, &key))
		;
}

void nt_tcp_row_hist(const struct nt_tcp_row *row, struct nt_hist *h)
{
	nt_hist_init(h);
	h->count = row->conn.rtt_samples;
	h->sum = row->conn.rtt_sum;
	h->max = row->conn.rtt_max;
	if (h->count)
		h->min = ~row->conn.rtt_min_inv;
	for (size_t i = 0; row->rtts && i < NT_TCP_RTT_SLOTS; i++)
		h->slot[i] = row->rtts->slot[i];
}

static uint64_t more(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void nt_tcp_conn_join(struct nt_tcp_conn *to, const struct nt_tcp_conn *from)
{
	to->samples += from->samples;
	to->srtt_sum += from->srtt_sum;
	to->cwnd_sum += from->cwnd_sum;
	to->inflight_sum += from->inflight_sum;
	to->kbps_sum += from->kbps_sum;
	to->rtt_samples += from->rtt_samples;
	to->rtt_sum += from->rtt_sum;
	to->rtt_max = more(to->rtt_max, from->rtt_max);
	to->rtt_min_inv = more(to->rtt_min_inv, from->rtt_min_inv);
	to->skbs += from->skbs;
	to->segments += from->segments;
	to->bytes += from->bytes;
	to->again_segments += from->again_segments;
	to->retrans_skbs += from->retrans_skbs;
	to->retrans_segments += from->retrans_segments;
	for (size_t i = 0; i < NT_TCP_LIMITS; i++)
		to->limited[i] += from->limited[i];
	to->retrans_out_max = more(to->retrans_out_max, from->retrans_out_max);
	to->lost_out_max = more(to->lost_out_max, from->lost_out_max);
	if (from->samples)
		to->last = from->last;
}

static int by_traffic(const void *a, const void *b)
{
	const struct nt_tcp_row *x = a, *y = b;
	uint64_t s = x->conn.samples + x->conn.skbs + x->conn.retrans_skbs;
	uint64_t t = y->conn.samples + y->conn.skbs + y->conn.retrans_skbs;

	if (s != t)
		return s < t ? 1 : -1;
	return by_key(a, b);
}

void nt_tcp_rows_rank(struct nt_tcp_rows *rows)
{
	if (rows->n)
		qsort(rows->row, rows->n, sizeof(rows->row[0]), by_traffic);
}

static int by_harm(const void *a, const void *b)
{
	const struct nt_tcp_row *x = a, *y = b;
	uint64_t s = x->conn.retrans_segments, t = y->conn.retrans_segments;

	if (s == t) {
		s = x->conn.rtt_max;
		t = y->conn.rtt_max;
	}
	return s != t ? s < t ? 1 : -1 : by_traffic(a, b);
}

void nt_tcp_rows_rank_harm(struct nt_tcp_rows *rows)
{
	if (rows->n)
		qsort(rows->row, rows->n, sizeof(rows->row[0]), by_harm);
}

static void join_row(struct nt_tcp_row *to, const struct nt_tcp_row *from)
{
	nt_tcp_conn_join(&to->conn, &from->conn);
	if (!from->rtts)
		return;
	if (!to->rtts)
		to->rtts = calloc(1, sizeof(*to->rtts));
	for (size_t i = 0; to->rtts && i < NT_TCP_RTT_SLOTS; i++)
		to->rtts->slot[i] += from->rtts->slot[i];
}

/* What is behind the first n. */
static void drop(struct nt_tcp_rows *rows, size_t n)
{
	for (size_t i = n; i < rows->n; i++)
		free(rows->row[i].rtts);
	rows->n = n < rows->n ? n : rows->n;
}

void nt_tcp_rows_clear(struct nt_tcp_rows *rows)
{
	drop(rows, 0);
}

/* qsort() is not stable: of two rows of a connection the last state may be the older one's; so each
 * row of now is looked for among those of all, which are sorted. */
void nt_tcp_rows_add(struct nt_tcp_rows *all, const struct nt_tcp_rows *now, size_t most)
{
	size_t sorted = all->n;

	if (sorted)
		qsort(all->row, sorted, sizeof(all->row[0]), by_key);
	for (size_t i = 0; i < now->n; i++) {
		struct nt_tcp_row *row = NULL;

		if (sorted)
			row = bsearch(&now->row[i], all->row, sorted, sizeof(all->row[0]), by_key);
		if (row) {
			join_row(row, &now->row[i]);
			continue;
		}
		row = new_row(all);
		if (!row) {
			all->left_out++;
			continue;
		}
		memset(row, 0, sizeof(*row));
		row->key = now->row[i].key;
		join_row(row, &now->row[i]);
	}
	if (all->n <= most)
		return;
	nt_tcp_rows_rank(all);
	all->left_out += all->n - most;
	drop(all, most);
}

void nt_tcp_rows_free(struct nt_tcp_rows *rows)
{
	drop(rows, 0);
	free(rows->row);
	memset(rows, 0, sizeof(*rows));
}
