/* SPDX-License-Identifier: GPL-2.0 */
/* A look at connections as JSON (all figures) and as text (a table, findings, and all figures if asked). */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/conn.h"

#define C(member) offsetof(struct nt_conn, member)
#define I(member) offsetof(struct nt_conn, s.info.member)
#define M(member) offsetof(struct nt_conn, s.mem.member)
#define IF(bits) .has_off = C(has), .has_mask = (bits)
#define INFO(json, k, member) { .name = json, .kind = NT_K_##k, .off = I(member), IF(NT_SOCK_INFO) }
#define TAIL(json, k, member, if_) { .name = json, .kind = NT_K_##k, .off = I(member), IF(NT_CONN_##if_) }
#define MEM(json, member) { .name = json, .kind = NT_K_U32, .off = M(member), IF(NT_SOCK_MEM) }
#define PCT(json, member, if_) { .name = json, .kind = NT_K_F64, .decimals = 3, .off = C(member), IF(if_) }

/* ---- JSON ---- */
static const struct nt_field identity[] = {
	{ .name = "local_ip", .kind = NT_K_ADDR, .off = C(s.local) },
	{ .name = "local_port", .kind = NT_K_PORT, .off = C(s.local_port) },
	{ .name = "remote_ip", .kind = NT_K_ADDR, .off = C(s.remote) },
	{ .name = "remote_port", .kind = NT_K_PORT, .off = C(s.remote_port) },
	{ .name = "ifname", .kind = NT_K_IFINDEX, .off = C(s.ifindex), .flags = NT_F_IF_NONZERO },
	{ .name = "uid", .kind = NT_K_U32, .off = C(s.uid) },
	{ .name = "inode", .kind = NT_K_U32, .off = C(s.inode), .flags = NT_F_IF_NONZERO },
	{ .name = "cookie", .kind = NT_K_U64, .off = C(s.cookie) },
	{ .name = "pid", .kind = NT_K_U32, .off = C(pid), IF(NT_CONN_OWNED) },
	{ .name = "comm", .kind = NT_K_COMM, .off = C(comm), IF(NT_CONN_OWNED) },
	{ .name = "fd", .kind = NT_K_U32, .off = C(fd), IF(NT_CONN_OWNED) },
	{ .name = "processes", .kind = NT_K_U32, .off = C(processes) },
	{ .name = "accept_queue", .kind = NT_K_U32, .off = C(s.recv_queue), IF(NT_CONN_LISTENER) },
	{ .name = "accept_queue_limit", .kind = NT_K_U32, .off = C(s.send_queue), IF(NT_CONN_LISTENER) },
	{ .name = "recv_queue_bytes", .kind = NT_K_U32, .off = C(s.recv_queue), IF(NT_CONN_STREAM) },
	{ .name = "send_queue_bytes", .kind = NT_K_U32, .off = C(s.send_queue), IF(NT_CONN_STREAM) },
	{ .name = "tos", .kind = NT_K_U8, .off = C(s.tos), IF(NT_SOCK_TOS) },
	{ .name = "tclass", .kind = NT_K_U8, .off = C(s.tclass), IF(NT_SOCK_TCLASS) },
	{ .name = "congestion_control", .kind = NT_K_STR, .arg = 16, .off = C(s.cong), IF(NT_SOCK_CONG) },
};

static const struct nt_field timer_fields[] = {
	{ .name = "expires_ms", .kind = NT_K_U32, .off = C(s.timer_ms) },
	{ .name = "retrans", .kind = NT_K_U8, .off = C(s.timer_retrans) },
};

static const struct nt_field memory_fields[] = {
	MEM("rmem_bytes", rmem), MEM("rcvbuf_bytes", rcvbuf), MEM("wmem_bytes", wmem), MEM("sndbuf_bytes", sndbuf),
	MEM("fwd_bytes", fwd), MEM("wmem_queued_bytes", wmem_queued), MEM("optmem_bytes", optmem),
	MEM("backlog_bytes", backlog), MEM("drops", drops),
};

static const struct nt_field info_fields[] = {
	{ .name = "rtt_us", .kind = NT_K_U32, .off = I(rtt_us), IF(NT_CONN_RTT) },
	{ .name = "rttvar_us", .kind = NT_K_U32, .off = I(rttvar_us), IF(NT_CONN_RTT) },
	{ .name = "min_rtt_us", .kind = NT_K_U32, .off = I(min_rtt_us), IF(NT_CONN_MIN_RTT) },
	INFO("rcv_rtt_us", U32, rcv_rtt_us), INFO("rto_us", U32, rto_us), INFO("ato_us", U32, ato_us),
	INFO("cwnd_segs", U32, snd_cwnd), TAIL("ssthresh_segs", U32, snd_ssthresh, SSTHRESH),
	INFO("mss_bytes", U32, snd_mss), INFO("rcv_mss_bytes", U32, rcv_mss), INFO("advmss_bytes", U32, advmss),
	INFO("pmtu_bytes", U32, pmtu),
	TAIL("snd_wnd_bytes", U32, snd_wnd, V54), TAIL("rcv_wnd_bytes", U32, rcv_wnd, V62),
	INFO("rcv_space_bytes", U32, rcv_space), INFO("rcv_ssthresh_bytes", U32, rcv_ssthresh),
	INFO("unacked_segs", U32, unacked), INFO("sacked_segs", U32, sacked), INFO("lost_segs", U32, lost),
	INFO("retrans_out_segs", U32, retrans), INFO("retrans_segs", U32, total_retrans),
	INFO("timeouts_in_a_row", U8, retransmits), INFO("backoff", U8, backoff), INFO("probes", U8, probes),
	TAIL("retrans_bytes", U64, bytes_retrans, V419), TAIL("dsack_dups", U32, dsack_dups, V419),
	INFO("reordering_segs", U32, reordering), TAIL("reordering_seen", U32, reord_seen, V419),
	TAIL("out_of_order_segs", U32, rcv_ooopack, V54),
	TAIL("sent_bytes", U64, bytes_sent, V419), INFO("acked_bytes", U64, bytes_acked),
	INFO("received_bytes", U64, bytes_received), INFO("notsent_bytes", U32, notsent_bytes),
	INFO("out_segs", U32, segs_out), INFO("in_segs", U32, segs_in),
	INFO("data_out_segs", U32, data_segs_out), INFO("data_in_segs", U32, data_segs_in),
	INFO("delivered_segs", U32, delivered), INFO("delivered_ce_segs", U32, delivered_ce),
	TAIL("received_ce_segs", U32, received_ce, V618),
	{ .name = "pacing_rate_bytes_per_s", .kind = NT_K_U64, .off = I(pacing_rate), IF(NT_CONN_PACED) },
	{ .name = "max_pacing_rate_bytes_per_s", .kind = NT_K_U64, .off = I(max_pacing_rate), IF(NT_CONN_MAX_PACED) },
	INFO("delivery_rate_bytes_per_s", U64, delivery_rate),
	INFO("busy_us", U64, busy_us), INFO("rwnd_limited_us", U64, rwnd_limited_us),
	INFO("sndbuf_limited_us", U64, sndbuf_limited_us),
	TAIL("last_sent_ms", U32, last_data_sent_ms, MET), TAIL("last_received_ms", U32, last_data_recv_ms, MET),
	TAIL("last_acked_ms", U32, last_ack_recv_ms, MET),
	TAIL("rehashes", U32, rehash, V62), TAIL("timeouts", U16, total_rto, V67),
	TAIL("timeout_recoveries", U16, total_rto_recoveries, V67), TAIL("timeouts_ms", U32, total_rto_ms, V67),
	/* derived */
	{ .name = "inflight_segs", .kind = NT_K_U32, .off = C(inflight), IF(NT_SOCK_INFO) },
	{ .name = "inflight_bytes", .kind = NT_K_U64, .off = C(inflight_bytes), IF(NT_SOCK_INFO) },
	{ .name = "unacked_bytes", .kind = NT_K_U64, .off = C(unacked_bytes), IF(NT_SOCK_INFO) },
	PCT("cwnd_used_pct", cwnd_used_pct, NT_SOCK_INFO), PCT("retrans_pct", retrans_pct, NT_CONN_SENT),
	PCT("spurious_retrans_pct", spurious_pct, NT_CONN_RESENT), PCT("out_of_order_pct", ooo_pct, NT_CONN_GOT),
	PCT("data_segs_pct", data_segs_pct, NT_CONN_SENT), PCT("rwnd_limited_pct", rwnd_pct, NT_CONN_BUSY),
	PCT("sndbuf_limited_pct", sndbuf_pct, NT_CONN_BUSY), PCT("cwnd_limited_pct", cwnd_pct, NT_CONN_BUSY),
	{ .name = "bdp_bytes", .kind = NT_K_U64, .off = C(bdp_bytes), IF(NT_CONN_RTT) },
	{ .name = "recommended_window_bytes", .kind = NT_K_U64, .off = C(window_bytes), IF(NT_CONN_RTT) },
};

static const struct nt_field rise_fields[] = {
	{ .name = "seconds", .kind = NT_K_F64, .decimals = 6, .off = C(seconds) },
#define RISE(json, k, member) { .name = json, .kind = NT_K_##k, .off = C(rise.member) }
	RISE("sent_bytes", U64, sent), RISE("acked_bytes", U64, acked), RISE("received_bytes", U64, received),
	RISE("retrans_segs", U32, retrans), RISE("out_segs", U32, segs_out), RISE("in_segs", U32, segs_in),
	RISE("busy_us", U64, busy_us), RISE("rwnd_limited_us", U64, rwnd_us),
	RISE("sndbuf_limited_us", U64, sndbuf_us), RISE("dsack_dups", U32, dsack), RISE("drops", U32, drops),
	{ .name = "out_bytes_per_s", .kind = NT_K_U64, .off = C(out_rate) },
	{ .name = "in_bytes_per_s", .kind = NT_K_U64, .off = C(in_rate) },
};

static const char *const role_names[] = { "any", "client", "server" };
static const char *const timer_names[] = { "off", "retransmit", "keepalive", "time_wait", "zero_window" };
static const char *const ca_names[] = { "open", "disorder", "cwr", "recovery", "loss" };
static const char *const option_names[] = { "timestamps", "sack", "window_scaling", "ecn", "ecn_seen", "fast_open",
					    "usec_timestamps", "fast_open_child" };

static const char *name_of(const char *const *names, size_t n, size_t i)
{
	return i < n ? names[i] : "unknown";
}
#define NAME(names, i) name_of(names, NT_COUNT(names), i)

static void json_states(struct nt_out *o, const struct nt_conn *c)
{
	const struct nt_tcp_info *i = &c->s.info;

	if (!(c->has & NT_SOCK_INFO))
		return;
	nt_json_str(o, "congestion_state", NAME(ca_names, i->ca_state));
	nt_json_bool(o, "app_limited", i->delivery_rate_app_limited);
	nt_json_arr(o, "tcp_options");
	for (size_t k = 0; k < NT_COUNT(option_names); k++)
		if (i->options >> k & 1)
			nt_json_str(o, NULL, option_names[k]);
	nt_json_arr_end(o);
	if (i->options & 4) {
		nt_json_u64(o, "snd_wscale", i->snd_wscale);
		nt_json_u64(o, "rcv_wscale", i->rcv_wscale);
	}
}

/* Figures that only one congestion control has. */
static void json_cc(struct nt_out *o, const struct nt_conn *c)
{
	const uint32_t *v = c->s.cc;

	if (!(c->has & NT_CONN_CC))
		return;
	nt_json_obj(o, "congestion");
	if (c->has & NT_SOCK_BBR) {
		nt_json_u64(o, "bw_bytes_per_s", v[0] | (uint64_t)v[1] << 32);
		nt_json_u64(o, "min_rtt_us", v[2]);
		nt_json_f64(o, "pacing_gain", v[3] / 256.0, 4);
		nt_json_f64(o, "cwnd_gain", v[4] / 256.0, 4);
	} else if (c->has & NT_SOCK_DCTCP) {
		nt_json_u64(o, "ce_state", v[0] >> 16);
		nt_json_u64(o, "alpha", v[1]);
		nt_json_u64(o, "ecn_bytes", v[2]);
		nt_json_u64(o, "acked_bytes", v[3]);
	} else {
		nt_json_u64(o, "rtts", v[1]);
		nt_json_u64(o, "rtt_us", v[2]);
		nt_json_u64(o, "min_rtt_us", v[3]);
	}
	nt_json_obj_end(o);
}

static void json_findings(struct nt_out *o, const struct nt_conn_finding *f, size_t n)
{
	nt_json_arr(o, "findings");
	for (size_t i = 0; i < n; i++) {
		nt_json_obj(o, NULL);
		nt_json_str(o, "name", f[i].name);
		nt_json_str(o, "severity", nt_conn_severity_name((int)f[i].severity));
		nt_json_str(o, "title", f[i].title);
		nt_json_str(o, "evidence", f[i].evidence);
		nt_json_arr(o, "advice");
		for (const char *p = f[i].advice; *p;) {
			size_t len = strcspn(p, "\n");

			nt_json_strn(o, NULL, p, len);
			p += len + (p[len] == '\n');
		}
		nt_json_arr_end(o);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

static void json_part(struct nt_run *r, const char *key, const struct nt_field *f, size_t n, const struct nt_conn *c)
{
	if (key)
		nt_json_obj(nt_run_out(r), key);
	nt_fields_json(nt_run_out(r), nt_run_names(r), f, n, c);
	if (key)
		nt_json_obj_end(nt_run_out(r));
}
#define PART(r, key, fields, c) json_part(r, key, fields, NT_COUNT(fields), c)

static void json_conn(struct nt_run *r, const struct nt_conn *c)
{
	struct nt_out *o = nt_run_out(r);
	struct nt_conn_finding f[NT_CONN_FINDINGS];
	size_t n = nt_conn_judge(c, ((const struct nt_conn_opts *)nt_run_opts(r))->target_gbps, f, NT_COUNT(f));
	bool v4 = !memcmp(c->s.remote, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

	nt_json_obj(o, NULL);
	nt_json_str(o, "state", nt_tcp_state_name(c->s.state));
	nt_json_str(o, "role", c->has & NT_CONN_LISTENER ? "listener" : role_names[c->role]);
	nt_json_u64(o, "ip_version", v4 ? 4 : 6);
	nt_json_bool(o, "v4_mapped", v4 && c->s.family == AF_INET6);
	PART(r, NULL, identity, c);
	json_states(o, c);
	json_cc(o, c);
	if (c->has & NT_CONN_TIMED) {
		nt_json_obj(o, "timer");
		nt_json_str(o, "name", NAME(timer_names, c->s.timer));
		PART(r, NULL, timer_fields, c);
		nt_json_obj_end(o);
	}
	if (c->has & NT_SOCK_MEM)
		PART(r, "skmem", memory_fields, c);
	PART(r, NULL, info_fields, c);
	if (c->seconds > 0)
		PART(r, "since_last", rise_fields, c);
	json_findings(o, f, n);
	nt_json_obj_end(o);
}

static void json(struct nt_run *r, const struct nt_conn *c, size_t n, const struct nt_conn_totals *t)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_u64(o, "connections_total", t->connections);
	nt_json_u64(o, "clients", t->clients);
	nt_json_u64(o, "servers", t->servers);
	nt_json_u64(o, "listeners", t->listeners);
	nt_json_bool(o, "processes_complete", t->owners_complete);
	nt_json_f64(o, "target_bandwidth_gbit_per_s", ((const struct nt_conn_opts *)nt_run_opts(r))->target_gbps, 3);
	nt_json_arr(o, "connections");
	for (size_t i = 0; i < n; i++)
		json_conn(r, &c[i]);
	nt_json_arr_end(o);
}

/* ---- text ---- */
struct row {
	const char *state, *worst;
	char local[64], remote[64], process[32], out[12], in[12], recv_queue[12], send_queue[12];
	uint32_t rtt_us, cwnd, has;
	double retrans_pct;
};

#define R(member) offsetof(struct row, member)
#define RIF(bits) .has_off = R(has), .has_mask = (bits)
#define SIZE(n, member, bits) { .name = n, .kind = NT_K_STR, .arg = 12, .off = R(member), RIF(bits) }
#define BASE \
	{ .name = "local", .kind = NT_K_STR, .arg = 64, .off = R(local), .flags = NT_F_LEFT }, \
	{ .name = "remote", .label = "  remote", .kind = NT_K_STR, .arg = 64, .off = R(remote), .flags = NT_F_LEFT }, \
	{ .name = "process", .kind = NT_K_STR, .arg = 32, .off = R(process), .flags = NT_F_LEFT }, \
	{ .name = "rtt", .label = "rtt us", .kind = NT_K_U32, .off = R(rtt_us), RIF(NT_CONN_RTT) }, \
	SIZE("out B", out, NT_SOCK_INFO), SIZE(" in B", in, NT_SOCK_INFO), \
	{ .name = "retr%", .kind = NT_K_F64, .decimals = 2, .off = R(retrans_pct), RIF(NT_CONN_SENT) }, \
	SIZE("recvq", recv_queue, 0), SIZE("sendq", send_queue, 0), \
	{ .name = "worst", .label = "find", .kind = NT_K_CSTR, .off = R(worst), .flags = NT_F_LEFT }
static const struct nt_field columns[] = {
	BASE, { .name = "cwnd", .kind = NT_K_U32, .off = R(cwnd), RIF(NT_SOCK_INFO) },
};
static const struct nt_field columns_of_all[] = {
	BASE, { .name = "state", .kind = NT_K_CSTR, .off = R(state), .flags = NT_F_LEFT },
};

/* "  999", " 1.2K", "  12K": 1000-based, five wide. */
static const char *short_count(uint64_t v, char *buf, size_t size)
{
	static const char units[] = "KMGTPE";
	double x = (double)v;
	int u = -1;

	while (x >= 999.5) {
		x /= 1000;
		u++;
	}
	if (u < 0)
		snprintf(buf, size, "%5llu", (unsigned long long)v);
	else
		snprintf(buf, size, x < 9.95 ? "%4.1f%c" : "%4.0f%c", x, units[u]);
	return buf;
}

static void endpoint(char *buf, size_t size, const uint8_t *addr, uint16_t port)
{
	char text[48];

	nt_fmt_addr(addr, text, sizeof(text));
	snprintf(buf, size, strchr(text, ':') ? "[%s]:%u" : "%s:%u", text, ntohs(port));
}

static void process_text(char *buf, size_t size, const struct nt_conn *c)
{
	char comm[64];

	if (c->has & NT_CONN_OWNED)
		snprintf(buf, size, "%s/%u%s", nt_fmt_escape(c->comm, strnlen(c->comm, sizeof(c->comm)), comm, sizeof(comm)),
			 c->pid, c->processes > 1 ? "+" : "");
	else
		snprintf(buf, size, "-");
}

/* An arrow for who opened it. */
static struct row row_of(const struct nt_conn *c)
{
	static const char *const severities[] = { "info", "warn", "crit" };
	struct row w = { .state = nt_tcp_state_name(c->s.state), .worst = c->worst < 0 ? "-" : severities[c->worst],
		.rtt_us = c->s.info.rtt_us, .cwnd = c->s.info.snd_cwnd, .has = c->has, .retrans_pct = c->retrans_pct };

	endpoint(w.local, sizeof(w.local), c->s.local, c->s.local_port);
	snprintf(w.remote, sizeof(w.remote), "%s", c->role == NT_CONN_CLIENT ? "> " : "< ");
	if (c->has & NT_CONN_LISTENER)
		snprintf(w.remote + 2, sizeof(w.remote) - 2, "*");
	else
		endpoint(w.remote + 2, sizeof(w.remote) - 2, c->s.remote, c->s.remote_port);
	process_text(w.process, sizeof(w.process), c);
	short_count(c->rise.sent, w.out, sizeof(w.out));
	short_count(c->rise.received, w.in, sizeof(w.in));
	short_count(c->s.recv_queue, w.recv_queue, sizeof(w.recv_queue));
	short_count(c->s.send_queue, w.send_queue, sizeof(w.send_queue));
	return w;
}

/* All figures of one, several a line, under its table's line. */
static void text_figures(struct nt_run *r, const struct nt_conn *c, const struct nt_field *f, size_t n)
{
	struct nt_out *o = nt_run_out(r);
	size_t column = 0;
	char value[64], cell[128];

	for (size_t i = 0; i < n; i++) {
		size_t len;

		nt_field_text(nt_run_names(r), &f[i], c, value, sizeof(value));
		if (!strcmp(value, "-") || !value[0])
			continue;
		len = (size_t)snprintf(cell, sizeof(cell), " %s %s", f[i].name, value);
		if (column && column + len > 98) {
			nt_text(o, "\n");
			column = 0;
		}
		column += column ? 0 : 5;
		nt_text(o, "%s%s", column == 5 ? "     " : ",", cell);
		column += len + 1;
	}
	if (column)
		nt_text(o, "\n");
}

static void text_findings(struct nt_run *r, const struct nt_conn *c, const struct row *w, bool figures)
{
	struct nt_out *o = nt_run_out(r);
	struct nt_conn_finding f[NT_CONN_FINDINGS];
	size_t n = nt_conn_judge(c, ((const struct nt_conn_opts *)nt_run_opts(r))->target_gbps, f, NT_COUNT(f));

	figures = figures && (c->has & NT_SOCK_INFO);
	if (!n && !figures)
		return;
	nt_text(o, "\n%s %s  %s\n", w->local, w->remote, w->process);
	for (size_t i = 0; i < n; i++) {
		nt_text(o, "  %-8s  %s\n            %s\n", nt_conn_severity_name((int)f[i].severity), f[i].title,
			f[i].evidence);
		for (const char *p = f[i].advice; *p;) {
			size_t len = strcspn(p, "\n");

			nt_text(o, "            - %.*s\n", (int)len, p);
			p += len + (p[len] == '\n');
		}
	}
	if (!figures)
		return;
	text_figures(r, c, info_fields, NT_COUNT(info_fields));
	text_figures(r, c, memory_fields, NT_COUNT(memory_fields));
}

static void text(struct nt_run *r, const struct nt_conn *c, size_t n, const struct nt_conn_totals *t)
{
	struct nt_out *o = nt_run_out(r);
	struct row *rows = calloc(n + 1, sizeof(*rows));
	bool all = ((const struct nt_conn_opts *)nt_run_opts(r))->all;

	nt_text(o, "%llu connections (%llu client, %llu server)", (unsigned long long)t->connections,
		(unsigned long long)t->clients, (unsigned long long)t->servers);
	if (t->listeners)
		nt_text(o, ", %llu listeners", (unsigned long long)t->listeners);
	nt_text(o, "; findings: %llu critical, %llu warning, %llu info\n",
		(unsigned long long)t->findings[NT_CONN_CRITICAL], (unsigned long long)t->findings[NT_CONN_WARNING],
		(unsigned long long)t->findings[NT_CONN_INFO]);
	if (!t->owners_complete)
		nt_text(o, "warning: not all descriptors were looked through: processes may be missing\n");
	for (size_t i = 0; rows && i < n; i++)
		rows[i] = row_of(&c[i]);
	if (rows && n)
		nt_table(o, nt_run_names(r), "connections", NULL, all ? columns_of_all : columns, NT_COUNT(columns), rows,
			 sizeof(*rows), n);
	if (n < t->connections + t->listeners)
		nt_text(o, "  %llu more: see --top\n", (unsigned long long)(t->connections + t->listeners - n));
	for (size_t i = 0; rows && i < n; i++)
		text_findings(r, &c[i], &rows[i], nt_run_common(r)->verbose || t->connections + t->listeners == 1);
	free(rows);
}

void nt_conn_show(struct nt_run *r, const struct nt_conn *c, size_t n, const struct nt_conn_totals *t)
{
	if (nt_out_format(nt_run_out(r)) == NT_TEXT)
		text(r, c, n, t);
	else
		json(r, c, n, t);
}
