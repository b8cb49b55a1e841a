/* SPDX-License-Identifier: GPL-2.0 */
/* What is said of a connection: ratios and findings from figures. */
#include "nettrace/conn.h"

#include "check.h"

static struct nt_conn conn(void)
{
	struct nt_conn c;

	memset(&c, 0, sizeof(c));
	c.s.has = NT_SOCK_INFO | NT_SOCK_MEM;
	c.s.state = NT_TCP_ESTABLISHED;
	c.s.info_len = sizeof(c.s.info);
	c.s.info = (struct nt_tcp_info){ .snd_mss = 1000, .snd_cwnd = 100, .rtt_us = 20000, .min_rtt_us = 19000,
		.segs_out = 1000, .data_segs_out = 900, .data_segs_in = 10, .busy_us = 1000000 };
	c.s.mem = (struct nt_sock_mem){ .rcvbuf = 100000, .sndbuf = 100000 };
	return c;
}

static char names[256];

static const struct nt_conn_finding *judge(struct nt_conn *c, const struct nt_conn_past *before)
{
	static struct nt_conn_finding f[NT_CONN_FINDINGS];
	size_t n;

	nt_conn_derive(c, before, 2, 1);
	n = nt_conn_judge(c, 1, f, NT_CONN_FINDINGS);
	names[0] = '\0';
	for (size_t i = 0; i < n; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s:%s", i ? " " : "", f[i].name,
			 nt_conn_severity_name((int)f[i].severity));
	return f;
}

static void test_ratios(void)
{
	struct nt_conn c = conn();

	c.s.info.unacked = 80;
	c.s.info.sacked = 5;
	c.s.info.lost = 3;
	c.s.info.retrans = 2;
	c.s.info.total_retrans = 40;
	c.s.info.dsack_dups = 4;
	judge(&c, NULL);
	CHECK_U64(c.inflight, 74, "in flight: without what is acknowledged or lost, with what was sent again");
	CHECK_U64(c.unacked_bytes, 80000, "not acknowledged");
	CHECK(c.retrans_pct > 3.99 && c.retrans_pct < 4.01, "4 % retransmissions");
	CHECK(c.spurious_pct > 9.99 && c.spurious_pct < 10.01, "10 % of them spurious");
	CHECK(c.data_segs_pct > 89.9 && c.data_segs_pct < 90.1, "90 % of the segments have data");
	CHECK_U64(c.bdp_bytes, 2500000, "1 Gbit/s times 20 ms");
	CHECK_U64(c.window_bytes, 10000000, "four times as much");
	CHECK_STR(names, "cwnd_limited:warning retransmissions:warning spurious_retransmissions:warning", "and both are found");
	c.s.info.dsack_dups = 9;
	judge(&c, NULL);
	CHECK_STR(names, "spurious_retransmissions:critical cwnd_limited:warning retransmissions:warning", "the worst comes first");
}

static void test_intervals(void)
{
	struct nt_conn c = conn();
	struct nt_conn_past before;

	c.s.info.total_retrans = 40;
	c.s.info.rwnd_limited_us = 900000;
	nt_conn_sums(&before, &c.s);
	c.s.info.segs_out += 200;
	c.s.info.bytes_sent = 4000000;
	c.s.info.busy_us += 500000;
	judge(&c, &before);
	CHECK_STR(names, "", "what was is no finding of the interval");
	CHECK_U64(c.out_rate, 2000000, "bytes a second");
	c.s.info.sndbuf_limited_us = 300000;
	c.s.info.total_retrans = 60;
	judge(&c, &before);
	CHECK_STR(names, "sndbuf_limited:critical retransmissions:critical", "what is, is");
	CHECK(c.sndbuf_pct > 59.9 && c.sndbuf_pct < 60.1 && c.retrans_pct > 9.9 && c.retrans_pct < 10.1,
	      "of the interval alone");
	c = conn();
	c.s.info.rwnd_limited_us = 200000;
	judge(&c, NULL);
	CHECK_STR(names, "rwnd_limited:warning", "without an interval: of its life");
	c.s.info.busy_us = c.s.info.rwnd_limited_us = 90000;
	judge(&c, NULL);
	CHECK_STR(names, "", "90 ms tell nothing");
}

static void test_queues(void)
{
	struct nt_conn c = conn();

	c.s.recv_queue = 50000;
	judge(&c, NULL);
	CHECK_STR(names, "recv_queue_full:critical", "half the buffer in data is a full one");
	c.s.recv_queue = 30000;
	judge(&c, NULL);
	CHECK_STR(names, "", "less is not");
	c.s.mem.rmem = 80000;
	judge(&c, NULL);
	CHECK_STR(names, "recv_queue_full:critical", "unless it takes much memory");
	c = conn();
	c.s.send_queue = 100;
	c.s.mem.wmem_queued = 95000;
	c.s.timer = 4;
	judge(&c, NULL);
	CHECK_STR(names, "zero_window:critical send_queue_full:info", "a closed window");
	c.s.timer = 1;
	c.s.info.retransmits = 2;
	c.s.mem.drops = 3;
	judge(&c, NULL);
	CHECK_STR(names, "no_answer:warning socket_drops:warning send_queue_full:info", "no answer, and drops");
	c = conn();
	c.s.info.unacked = 95;
	judge(&c, NULL);
	CHECK_STR(names, "cwnd_full:warning cwnd_limited:warning", "the window is full, and less than the target");
	c.s.info.snd_cwnd = 1000000;
	c.s.info.unacked = 950000;
	judge(&c, NULL);
	CHECK_STR(names, "cwnd_full:info cwnd_limited:info", "full, and enough");
	c = conn();
	c.s.info.bytes_acked = 2 << 20;
	judge(&c, NULL);
	CHECK_STR(names, "small_buffer:info", "a buffer below bandwidth times round trip");
}

static void test_states(void)
{
	struct nt_conn c = conn();

	c.s.state = NT_TCP_LISTEN;
	c.s.recv_queue = 6;
	c.s.send_queue = 5;
	judge(&c, NULL);
	CHECK_STR(names, "accept_queue_full:critical", "a listener");
	c.s.recv_queue = 4;
	judge(&c, NULL);
	CHECK_STR(names, "", "with room");
	c.s.recv_queue = c.s.send_queue = 0;
	judge(&c, NULL);
	CHECK_STR(names, "", "that takes none");
	c = conn();
	c.s.state = NT_TCP_CLOSE_WAIT;
	judge(&c, NULL);
	CHECK_STR(names, "not_closed:warning", "left open");
	c = conn();
	c.s.has = 0;
	c.s.state = NT_TCP_TIME_WAIT;
	judge(&c, NULL);
	CHECK_STR(names, "", "nothing is known of TIME_WAIT");
	c = conn();
	c.s.info_len = offsetof(struct nt_tcp_info, bytes_sent);
	judge(&c, NULL);
	CHECK(!(c.has & (NT_CONN_V419 | NT_CONN_V54)) && c.has & NT_SOCK_INFO, "an old kernel has fewer figures");
}

int main(void)
{
	test_ratios();
	test_intervals();
	test_queues();
	test_states();
	return check_done();
}
