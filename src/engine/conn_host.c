/* SPDX-License-Identifier: GPL-2.0 */
/* What of the host matters to its TCP connections: settings, and counters of all connections. */
#include <stdio.h>
#include <string.h>

#include "nettrace/conn.h"

static bool read_setting(const char *name, char *buf, size_t size)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	f = fopen(path, "re");
	if (!f || !fgets(buf, (int)size, f))
		buf[0] = '\0';
	if (f)
		fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
	for (char *p = buf; *p; p++)
		*p = *p == '\t' ? ' ' : *p;
	return buf[0];
}

bool nt_conn_port_is_ours(uint16_t port)
{
	unsigned int low, high;
	char text[64];

	if (!read_setting("net/ipv4/ip_local_port_range", text, sizeof(text)) ||
	    sscanf(text, "%u %u", &low, &high) != 2)
		return port >= 32768;
	return port >= low && port <= high;
}

/* ---- settings ---- */
static const struct { const char *name, *what; } settings[] = {
	{ "net/ipv4/tcp_congestion_control", "of new connections" },
	{ "net/core/default_qdisc", "queue of new devices" },
	{ "net/ipv4/tcp_rmem", "receive buffer: least, first, most" },
	{ "net/ipv4/tcp_wmem", "send buffer: least, first, most; bytes" },
	{ "net/core/rmem_max", "most that SO_RCVBUF sets; bytes" },
	{ "net/core/wmem_max", "most that SO_SNDBUF sets; bytes" },
	{ "net/ipv4/tcp_mem", "pages of all: low, pressure, high" },
	{ "net/ipv4/tcp_moderate_rcvbuf", "receive buffers grow" },
	{ "net/ipv4/tcp_adv_win_scale", "window's part of the receive buffer" },
	{ "net/ipv4/tcp_window_scaling", "windows above 64 KiB" },
	{ "net/ipv4/tcp_timestamps", "" },
	{ "net/ipv4/tcp_sack", "selective acknowledgements" },
	{ "net/ipv4/tcp_ecn", "explicit congestion notification" },
	{ "net/ipv4/tcp_slow_start_after_idle", "the window shrinks when idle" },
	{ "net/ipv4/tcp_notsent_lowat", "unsent bytes above which writers wait" },
	{ "net/ipv4/tcp_limit_output_bytes", "bytes of one in queues and devices" },
	{ "net/ipv4/tcp_mtu_probing", "" },
	{ "net/ipv4/tcp_no_metrics_save", "" },
	{ "net/ipv4/tcp_retries2", "tries until a connection is given up" },
	{ "net/ipv4/tcp_max_syn_backlog", "connections half open" },
	{ "net/core/somaxconn", "limit of accept queues" },
	{ "net/core/netdev_max_backlog", "packets waiting for a CPU" },
	{ "net/ipv4/ip_local_port_range", "ports of clients" },
};

void nt_conn_show_config(struct nt_run *r)
{
	struct nt_out *o = nt_run_out(r);
	char name[64], value[128];

	nt_json_obj(o, "config");
	nt_text(o, "\nsettings\n");
	for (size_t i = 0; i < NT_COUNT(settings); i++) {
		if (!read_setting(settings[i].name, value, sizeof(value)))
			continue;		/* another kernel's */
		snprintf(name, sizeof(name), "%s", settings[i].name);
		for (char *p = name; *p; p++)
			*p = *p == '/' ? '.' : *p;
		nt_json_str(o, name, value);
		nt_text(o, "  %-34s %-22s %s\n", name, value, settings[i].what);
	}
	nt_json_obj_end(o);
}

/* ---- counters ---- */
static uint64_t count_of(const struct nt_mib_row *rises, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rises[i].name, name))
			return rises[i].value;
	return 0;
}

/* Those that are no counters do not rise. */
static bool is_counter(const char *name)
{
	static const char *const others[] = { "TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn",
					      "TcpCurrEstab" };

	for (size_t i = 0; i < NT_COUNT(others); i++)
		if (!strcmp(name, others[i]))
			return false;
	return !strncmp(name, "Tcp", 3);
}

void nt_conn_show_stats(struct nt_run *r, const struct nt_mib_row *rises, size_t n)
{
	struct nt_out *o = nt_run_out(r);
	char count[32];

	nt_json_obj(o, "stats");
	nt_text(o, "\ncounters of all connections\n");
	for (size_t i = 0; i < n; i++) {
		if (!is_counter(rises[i].name))
			continue;
		nt_json_u64(o, rises[i].name, rises[i].value);
		nt_text(o, "  %-36s %18s\n", rises[i].name, nt_fmt_count(rises[i].value, count, sizeof(count)));
	}
	nt_json_obj_end(o);
}

/* What the counters say together; "of": the share is of this row of the table, else none is shown. */
static const struct { const char *key, *counter, *what; int of; } judged[] = {
	{ "out_segs", "TcpOutSegs", "segments sent", -1 },
	{ "retrans_segs", "TcpRetransSegs", "segments sent again", 0 },
	{ "fast_retrans_segs", "TcpExtTCPFastRetrans", "after duplicate acknowledgements: loss or reordering", 1 },
	{ "slow_start_retrans_segs", "TcpExtTCPSlowStartRetrans", "in slow start, mostly after a timeout", 1 },
	{ "loss_probes", "TcpExtTCPLossProbes", "probes of a tail: small windows, or the last of a transfer", 1 },
	{ "lost_retrans_segs", "TcpExtTCPLostRetransmit", "lost once more: heavy loss on the path", 1 },
	{ "timeouts", "TcpExtTCPTimeouts", "timeouts", -1 },
	{ "spurious_timeouts", "TcpExtTCPSpuriousRTOs", "of them too early: the round trip jumps", 6 },
	{ "dsacks_received", "TcpExtTCPDSACKRecv", "the peer had it already: sent again in vain", 1 },
	{ "out_of_order_segs", "TcpExtTCPOFOQueue", "received out of order", -1 },
	{ "receive_queue_pruned", "TcpExtPruneCalled", "receive buffers full: raise net.ipv4.tcp_rmem", -1 },
	{ "receive_queue_drops", "TcpExtTCPRcvQDrop", "dropped, receive buffer full", -1 },
	{ "receive_queue_collapsed", "TcpExtTCPRcvCollapsed", "receive queues squeezed for want of memory", -1 },
	{ "zero_window_drops", "TcpExtTCPZeroWindowDrop", "dropped, the window was closed", -1 },
	{ "backlog_drops", "TcpExtTCPBacklogDrop", "dropped while the application held the socket", -1 },
	{ "out_of_order_pruned", "TcpExtOfoPruned", "out of order, dropped for want of memory", -1 },
	{ "listen_overflows", "TcpExtListenOverflows", "accept queue full: raise net.core.somaxconn and listen()", -1 },
	{ "listen_drops", "TcpExtListenDrops", "connections refused by listeners, all reasons", -1 },
	{ "memory_pressures", "TcpExtTCPMemoryPressures", "memory of all connections short: net.ipv4.tcp_mem", -1 },
};

void nt_conn_show_analysis(struct nt_run *r, const struct nt_mib_row *rises, size_t n)
{
	struct nt_out *o = nt_run_out(r);
	char count[32], share[32], key[48];

	nt_json_obj(o, "analysis");
	nt_text(o, "\nwhat the counters of all connections say\n");
	for (size_t i = 0; i < NT_COUNT(judged); i++) {
		uint64_t v = count_of(rises, n, judged[i].counter), whole = 0;
		double pct;

		if (judged[i].of >= 0)
			whole = count_of(rises, n, judged[judged[i].of].counter);
		pct = whole ? 100.0 * (double)v / (double)whole : 0;
		nt_json_u64(o, judged[i].key, v);
		snprintf(key, sizeof(key), "%s_pct", judged[i].key);
		snprintf(share, sizeof(share), "%.2f %%", pct);
		if (whole)
			nt_json_f64(o, key, pct, 4);
		if (v || i < 2)
			nt_text(o, "  %18s %9s  %s\n", nt_fmt_count(v, count, sizeof(count)), whole ? share : "",
				judged[i].what);
	}
	nt_json_obj_end(o);
}
