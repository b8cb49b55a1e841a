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
		if (bpf_map_lookup_elem(fd, &key, &row->conn))
			rows->n--;
	}
	for (size_t i = first; i < rows->n; i++)
		bpf_map_delete_elem(fd, &rows->row[i].key);
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

static int by_key(const void *a, const void *b)
{
	const struct nt_tcp_row *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
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
			nt_tcp_conn_join(&row->conn, &now->row[i].conn);
			continue;
		}
		row = new_row(all);
		if (row)
			*row = now->row[i];
		else
			all->left_out++;
	}
	if (all->n <= most)
		return;
	nt_tcp_rows_rank(all);
	all->left_out += all->n - most;
	all->n = most;
}

void nt_tcp_rows_free(struct nt_tcp_rows *rows)
{
	free(rows->row);
	memset(rows, 0, sizeof(*rows));
}
