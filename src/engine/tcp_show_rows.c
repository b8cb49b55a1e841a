/* SPDX-License-Identifier: GPL-2.0 */
/* Connections as a table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "tcp.h"

struct shown {
	char local[64], remote[64];
	const char *local_p, *remote_p;
	const struct nt_tcp_row *row;
	uint64_t samples, segments, retrans;
	uint64_t srtt_ns, cwnd, inflight;
	double mbps;
	uint32_t limit;
	uint64_t rtt_min, rtt_p50, rtt_p99;		/* ns; tcp_perf_observer */
	double retrans_pct;				/* of all that the connection has sent */
};
#define S(member) offsetof(struct shown, member)
#define LIMITS "-|cwnd|rwnd|sndbuf"

static const struct nt_field fields[] = {
	{ .name = "local", .kind = NT_K_CSTR, .off = S(local_p), .flags = NT_F_LEFT },
	{ .name = "remote", .kind = NT_K_CSTR, .off = S(remote_p), .flags = NT_F_LEFT },
	{ .name = "samples", .kind = NT_K_U64, .off = S(samples), .flags = NT_F_GROUP },
	{ .name = "srtt", .kind = NT_K_NS_AS_US, .off = S(srtt_ns) },
	{ .name = "in flight", .kind = NT_K_U64, .off = S(inflight), .flags = NT_F_GROUP },
	{ .name = "cwnd", .kind = NT_K_U64, .off = S(cwnd), .flags = NT_F_GROUP },
	{ .name = "Mbit/s", .kind = NT_K_F64, .off = S(mbps), .decimals = 1 },
	{ .name = "retrans", .kind = NT_K_U64, .off = S(retrans), .flags = NT_F_GROUP },
	{ .name = "held by", .kind = NT_K_ENUM, .off = S(limit), .names = LIMITS },
};

static const struct nt_field perf_fields[] = {
	{ .name = "local", .kind = NT_K_CSTR, .off = S(local_p), .flags = NT_F_LEFT },
	{ .name = "remote", .kind = NT_K_CSTR, .off = S(remote_p), .flags = NT_F_LEFT },
	{ .name = "retrans", .kind = NT_K_U64, .off = S(retrans), .flags = NT_F_GROUP },
	{ .name = "% ever", .kind = NT_K_F64, .off = S(retrans_pct), .decimals = 2 },
	{ .name = "RTT min", .kind = NT_K_NS_AS_US, .off = S(rtt_min), .flags = NT_F_IF_NONZERO },
	{ .name = "p50", .kind = NT_K_NS_AS_US, .off = S(rtt_p50), .flags = NT_F_IF_NONZERO },
	{ .name = "p99", .kind = NT_K_NS_AS_US, .off = S(rtt_p99), .flags = NT_F_IF_NONZERO },
	{ .name = "cwnd", .kind = NT_K_U64, .off = S(cwnd), .flags = NT_F_GROUP },
	{ .name = "held by", .kind = NT_K_ENUM, .off = S(limit), .names = LIMITS },
};

static double mean(uint64_t sum, uint64_t n)
{
	return n ? (double)sum / (double)n : 0;
}

static uint64_t rounded(uint64_t sum, uint64_t n)
{
	return n ? (sum + n / 2) / n : 0;
}

/* What held it back in most samples. */
static uint32_t main_limit(const struct nt_tcp_conn *c)
{
	uint32_t most = 0;

	for (uint32_t i = 1; i < NT_TCP_LIMITS; i++)
		if (c->limited[i] > c->limited[most])
			most = i;
	return most;
}

static void fill(struct shown *s, const struct nt_tcp_row *row)
{
	const struct nt_tcp_conn *c = &row->conn;
	static struct nt_hist h;

	s->row = row;
	s->local_p = nt_tcp_end_text(row->key.laddr, row->key.lport, s->local, sizeof(s->local));
	s->remote_p = nt_tcp_end_text(row->key.raddr, row->key.rport, s->remote, sizeof(s->remote));
	s->samples = c->samples;
	s->srtt_ns = 1000 * rounded(c->srtt_sum, c->samples);
	s->cwnd = rounded(c->cwnd_sum, c->samples);
	s->inflight = rounded(c->inflight_sum, c->samples);
	s->mbps = mean(c->kbps_sum, c->samples) / 1000;
	s->retrans = c->retrans_segments;
	s->limit = main_limit(c);
	s->retrans_pct = c->last.data_segs_out ? 100.0 * c->last.total_retrans / c->last.data_segs_out : 0;
	if (!row->rtts)
		return;
	nt_tcp_row_hist(row, &h);
	s->rtt_min = 1000 * h.min;
	s->rtt_p50 = 1000 * nt_hist_quantile(&h, .50);
	s->rtt_p99 = 1000 * nt_hist_quantile(&h, .99);
}

static void json_rtt(struct nt_out *o, const struct nt_tcp_row *row)
{
	const struct nt_tcp_conn *c = &row->conn;
	static struct nt_hist h;

	nt_json_u64(o, "rtt_samples", c->rtt_samples);
	if (!c->rtt_samples)
		return;
	nt_json_u64(o, "rtt_min_us", ~c->rtt_min_inv);
	nt_json_f64(o, "rtt_avg_us", mean(c->rtt_sum, c->rtt_samples), 1);
	nt_json_u64(o, "rtt_max_us", c->rtt_max);
	if (!row->rtts)
		return;
	nt_tcp_row_hist(row, &h);
	nt_json_u64(o, "rtt_p50_us", nt_hist_quantile(&h, .50));
	nt_json_u64(o, "rtt_p99_us", nt_hist_quantile(&h, .99));
}

static void json_state(struct nt_out *o, const struct nt_tcp_conn *c, bool sends)
{
	nt_json_f64(o, "srtt_avg_us", mean(c->srtt_sum, c->samples), 1);
	nt_json_f64(o, "cwnd_avg_segments", mean(c->cwnd_sum, c->samples), 2);
	nt_json_f64(o, "inflight_avg_segments", mean(c->inflight_sum, c->samples), 2);
	nt_json_f64(o, "bandwidth_avg_mbps", mean(c->kbps_sum, c->samples) / 1000, 3);
	nt_json_obj(o, "last");
	nt_json_u64(o, "srtt_us", c->last.srtt_us);
	nt_json_u64(o, "cwnd_segments", c->last.cwnd);
	if (c->last.ssthresh < 0x7fffffff)
		nt_json_u64(o, "ssthresh_segments", c->last.ssthresh);
	nt_json_u64(o, "inflight_segments", c->last.inflight);
	nt_json_u64(o, "packets_out_segments", c->last.packets_out);
	nt_json_u64(o, "retrans_out_segments", c->last.retrans_out);
	nt_json_u64(o, "lost_out_segments", c->last.lost_out);
	nt_json_u64(o, "mss_bytes", c->last.mss);
	nt_json_u64(o, "data_segments_sent_ever", c->last.data_segs_out);
	nt_json_u64(o, "retransmitted_segments_ever", c->last.total_retrans);
	nt_json_obj_end(o);
	nt_json_obj(o, "limited");
	nt_json_u64(o, "none", c->limited[NT_TCP_LIMIT_APP]);
	nt_json_u64(o, "cwnd", c->limited[NT_TCP_LIMIT_CWND]);
	nt_json_u64(o, "rwnd", c->limited[NT_TCP_LIMIT_RWND]);
	if (!sends)
		nt_json_u64(o, "sndbuf", c->limited[NT_TCP_LIMIT_SNDBUF]);
	nt_json_obj_end(o);
}

static void json_key(struct nt_out *o, const struct nt_tcp_key *k)
{
	char addr[48];

	nt_json_str(o, "src_ip", nt_fmt_addr(k->laddr, addr, sizeof(addr)));
	nt_json_u64(o, "src_port", ntohs(k->lport));
	nt_json_str(o, "dst_ip", nt_fmt_addr(k->raddr, addr, sizeof(addr)));
	nt_json_u64(o, "dst_port", ntohs(k->rport));
	nt_json_u64(o, "netns", k->netns);
}

static void json_row(struct nt_run *r, const struct nt_tcp_row *row, double seconds)
{
	const struct nt_tcp_desc *d = nt_tcp_desc_of(r);
	const struct nt_tcp_conn *c = &row->conn;
	struct nt_out *o = nt_run_out(r);

	nt_json_obj(o, NULL);
	json_key(o, &row->key);
	nt_json_u64(o, "samples", c->samples);
	if (d->sends) {
		nt_json_u64(o, "skbs_sent", c->skbs);
		nt_json_u64(o, "segments_sent", c->segments);
		nt_json_u64(o, "bytes_sent", c->bytes);
		nt_json_u64(o, "segments_sent_again", c->again_segments);
		nt_json_f64(o, "send_rate_mbps", (double)c->bytes * 8 / 1e6 / seconds, 3);
	}
	nt_json_u64(o, "retransmitted_packets", c->retrans_skbs);
	nt_json_u64(o, "retransmitted_segments", c->retrans_segments);
	nt_json_u64(o, "retrans_out_max_segments", c->retrans_out_max);
	nt_json_u64(o, "lost_out_max_segments", c->lost_out_max);
	json_rtt(o, row);
	if (c->samples)
		json_state(o, c, d->sends);
	nt_json_obj_end(o);
}

static void json_rows(struct nt_run *r, const struct nt_tcp_report *rep, size_t n)
{
	nt_json_u64(nt_run_out(r), "connections", rep->rows.n);
	nt_json_u64(nt_run_out(r), "rows_left_out", rep->rows.left_out);
	nt_json_arr(nt_run_out(r), "top");
	for (size_t i = 0; i < n; i++)
		json_row(r, &rep->rows.row[i], rep->seconds > 0 ? rep->seconds : 1);
	nt_json_arr_end(nt_run_out(r));
}

void nt_tcp_show_rows(struct nt_run *r, struct nt_tcp_report *rep)
{
	size_t top = nt_run_common(r)->top, n = rep->rows.n < top ? rep->rows.n : top;
	struct shown *s = calloc(n + 1, sizeof(*s));
	bool perf = nt_tcp_desc_of(r)->perf;

	if (perf)
		nt_tcp_rows_rank_harm(&rep->rows);
	else
		nt_tcp_rows_rank(&rep->rows);
	for (size_t i = 0; s && i < n; i++)
		fill(&s[i], &rep->rows.row[i]);
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		json_rows(r, rep, n);
	else if (s && n)
		nt_table(nt_run_out(r), nt_run_names(r), "top", NULL, perf ? perf_fields : fields,
			 perf ? NT_COUNT(perf_fields) : NT_COUNT(fields), s, sizeof(*s), n);
	if (rep->rows.n > n)
		nt_text(nt_run_out(r), "... %zu more (--top)\n", rep->rows.n - n);
	if (rep->rows.left_out)
		nt_text(nt_run_out(r), "... %llu rows of less were left out (--max-entries)\n",
			(unsigned long long)rep->rows.left_out);
	free(s);
}
