/* SPDX-License-Identifier: GPL-2.0 */
/* Rows of TCP connections: joined over intervals, the busiest kept. */
#include <stdlib.h>

#include "../../src/engine/tcp.h"
#include "check.h"

static struct nt_tcp_row row(uint16_t port, uint64_t samples, uint32_t cwnd)
{
	struct nt_tcp_row r = { .key.lport = port, .key.laddr[15] = 1 };

	r.conn.samples = samples;
	r.conn.cwnd_sum = samples * cwnd;
	r.conn.last.cwnd = cwnd;
	r.conn.rtt_samples = samples;
	r.conn.rtt_max = 100 * cwnd;
	r.conn.rtt_min_inv = ~(uint64_t)(10 * cwnd);
	r.conn.limited[NT_TCP_LIMIT_RWND] = samples;
	return r;
}

static const struct nt_tcp_conn *conn_of(const struct nt_tcp_rows *rows, uint16_t port)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->row[i].key.lport == port)
			return &rows->row[i].conn;
	return NULL;
}

static void test_join(void)
{
	struct nt_tcp_row first[] = { row(3, 5, 10), row(1, 2, 20) };
	struct nt_tcp_row second[] = { row(1, 4, 7), row(2, 1, 1), row(3, 0, 99) };
	struct nt_tcp_rows a = { .row = first, .n = 2 }, b = { .row = second, .n = 3 }, all = { 0 };
	const struct nt_tcp_conn *c;

	nt_tcp_rows_add(&all, &a, 10);
	nt_tcp_rows_add(&all, &b, 10);
	CHECK(all.n == 3 && !all.left_out, "a row for each connection");
	c = conn_of(&all, 1);
	CHECK(c && c->samples == 6 && c->cwnd_sum == 68 && c->limited[NT_TCP_LIMIT_RWND] == 6, "sums");
	CHECK(c && c->last.cwnd == 7, "the state is the later one");
	CHECK(c && c->rtt_max == 2000 && ~c->rtt_min_inv == 70, "extremes");
	c = conn_of(&all, 3);
	CHECK(c && c->last.cwnd == 10, "without a sample the state stays");
	nt_tcp_rows_rank(&all);
	CHECK(all.row[0].key.lport == 1 && all.row[2].key.lport == 2, "busiest first");
	nt_tcp_rows_free(&all);
	CHECK(!all.row && !all.n, "nothing is left");
}

static void test_bound(void)
{
	struct nt_tcp_row many[100];
	struct nt_tcp_rows now = { .row = many, .n = 100 }, all = { 0 };

	for (uint16_t i = 0; i < 100; i++)
		many[i] = row((uint16_t)(i + 1), i, 1);
	nt_tcp_rows_add(&all, &now, 10);
	CHECK(all.n == 10 && all.left_out == 90, "no more rows than wanted, the rest is counted");
	CHECK(conn_of(&all, 100) && conn_of(&all, 91) && !conn_of(&all, 90), "the busiest stay");
	nt_tcp_rows_add(&all, &now, 10);
	CHECK(all.n == 10 && conn_of(&all, 100)->samples == 198, "and are found again");
	nt_tcp_rows_free(&all);
}

int main(void)
{
	test_join();
	test_bound();
	return check_done();
}
