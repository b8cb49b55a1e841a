/* SPDX-License-Identifier: GPL-2.0 */
/* Receive calls as parts, sockets, slowest calls, histograms; and JSON. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/packet.h"
#include "recv.h"

static const char *const hist_names[] = { "total", "wait", "wakeup", "work", "busy", "bytes_per_call",
					  "recv_queue_bytes" };

static const struct nt_recv_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

static uint16_t port(uint16_t be)
{
	return __builtin_bswap16(be);
}

/* "tcp 10.0.0.1:80 < 10.0.0.2:4711": own end, peer. */
static void socket_text(uint8_t proto, const uint8_t *local, uint16_t lport, const uint8_t *remote, uint16_t rport,
			char *buf, size_t size)
{
	const char *name = nt_proto_name(proto);
	char own[48], peer[48], number[8];
	bool v6 = false;

	snprintf(number, sizeof(number), "%u", proto);
	nt_fmt_addr(local, own, sizeof(own));
	nt_fmt_addr(remote, peer, sizeof(peer));
	v6 = strchr(own, ':') || strchr(peer, ':');
	if (!rport)
		snprintf(peer, sizeof(peer), "any");
	if (v6)
		snprintf(buf, size, "%s [%s]:%u < [%s]:%u", name ? name : number, own, port(lport), peer, port(rport));
	else
		snprintf(buf, size, "%s %s:%u < %s:%u", name ? name : number, own, port(lport), peer, port(rport));
	if (!rport)
		snprintf(buf, size, v6 ? "%s [%s]:%u < any" : "%s %s:%u < any", name ? name : number, own, port(lport));
}

static const char *process_text(const char *comm, uint32_t id, char *buf, size_t size)
{
	char escaped[80];

	snprintf(buf, size, "%.24s:%u", nt_fmt_escape(comm, strnlen(comm, 16), escaped, sizeof(escaped)), id);
	return buf;
}

/* ---- calls by themselves ---- */
struct shown_call {
	struct nt_recv_event e;
	const char *error_p;
	uint32_t has_busy;
};
#define C(member) offsetof(struct shown_call, member)
static const struct nt_field call_fields[] = {
	{ .name = "time", .kind = NT_K_TS, .off = C(e.ts_ns) },
	{ .name = "pid", .kind = NT_K_U32, .off = C(e.call.tgid) },
	{ .name = "tid", .kind = NT_K_U32, .off = C(e.tid) },
	{ .name = "comm", .kind = NT_K_COMM, .off = C(e.comm) },
	{ .name = "syscall", .kind = NT_K_ENUM, .off = C(e.call.class), .names = NT_RECV_CLASS_NAMES },
	{ .name = "fd", .kind = NT_K_I32, .off = C(e.call.fd) },
	{ .name = "protocol", .kind = NT_K_PROTO, .off = C(e.call.flow.proto) },
	{ .name = "local_ip", .kind = NT_K_ADDR, .off = C(e.call.flow.saddr) },
	{ .name = "local_port", .kind = NT_K_PORT, .off = C(e.call.flow.sport) },
	{ .name = "remote_ip", .kind = NT_K_ADDR, .off = C(e.call.flow.daddr) },
	{ .name = "remote_port", .kind = NT_K_PORT, .off = C(e.call.flow.dport) },
	{ .name = "total_us", .kind = NT_K_NS_AS_US, .off = C(e.total_ns) },
	{ .name = "wait_us", .kind = NT_K_NS_AS_US, .off = C(e.call.wait_ns) },
	{ .name = "wakeup_us", .kind = NT_K_NS_AS_US, .off = C(e.call.wakeup_ns) },
	{ .name = "work_us", .kind = NT_K_NS_AS_US, .off = C(e.work_ns) },
	{ .name = "preempted_us", .kind = NT_K_NS_AS_US, .off = C(e.call.preempted_ns) },
	{ .name = "blocked_us", .kind = NT_K_NS_AS_US, .off = C(e.call.blocked_ns) },
	{ .name = "busy_us", .kind = NT_K_NS_AS_US, .off = C(e.call.busy_ns), .has_off = C(has_busy), .has_mask = 1 },
	{ .name = "recv_queue_bytes", .kind = NT_K_U32, .off = C(e.call.queued) },
	{ .name = "bytes", .kind = NT_K_U64, .off = C(e.bytes) },
	{ .name = "error", .kind = NT_K_CSTR, .off = C(error_p) },
	{ .name = "cpu_start", .kind = NT_K_U32, .off = C(e.call.cpu) },
	{ .name = "cpu", .kind = NT_K_U32, .off = C(e.call.cpu_now) },
	{ .name = "migrations", .kind = NT_K_U32, .off = C(e.call.migrations) },
};

static void fill_call(struct shown_call *s, const struct nt_recv_event *e)
{
	s->e = *e;
	s->error_p = e->ret < 0 ? nt_errno_name((uint32_t)-e->ret) : NULL;
	s->has_busy = e->call.busy_ns != UINT64_MAX;
}

static const char heading[] =
	"time          thread                  total      wait    wakeup      work       bytes  call\n";

/* How long; then which socket, and what else is to be known. */
static void call_text(struct nt_run *r, const struct shown_call *s)
{
	const struct nt_recv_call *c = &s->e.call;
	char time[40], thread[40], total[24], wait[24], wakeup[24], work[24], bytes[32], sock[120], call[16];
	const struct nt_resolver *names = nt_run_names(r);
	struct nt_out *o = nt_run_out(r);

	nt_text(o, "%s  %-20s %8s  %8s  %8s  %8s  %10s  %s\n",
		nt_field_text(names, &call_fields[0], s, time, sizeof(time)),
		process_text(s->e.comm, s->e.tid, thread, sizeof(thread)),
		nt_fmt_ns(s->e.total_ns, total, sizeof(total)),
		nt_fmt_ns(c->wait_ns, wait, sizeof(wait)), nt_fmt_ns(c->wakeup_ns, wakeup, sizeof(wakeup)),
		nt_fmt_ns(s->e.work_ns, work, sizeof(work)), nt_fmt_count(s->e.bytes, bytes, sizeof(bytes)),
		nt_field_by_name(names, call_fields, NT_COUNT(call_fields), "syscall", s, call, sizeof(call)));
	socket_text(c->flow.proto, c->flow.saddr, c->flow.sport, c->flow.daddr, c->flow.dport, sock, sizeof(sock));
	nt_text(o, "    %s, Recv-Q %u, cpu %u", sock, c->queued, c->cpu);
	if (c->migrations)
		nt_text(o, " to %u", c->cpu_now);
	if (c->preempted_ns)
		nt_text(o, ", preempted for %s", nt_fmt_ns(c->preempted_ns, work, sizeof(work)));
	if (c->blocked_ns)
		nt_text(o, ", blocked for %s", nt_fmt_ns(c->blocked_ns, work, sizeof(work)));
	nt_text(o, "%s%s\n", s->error_p ? ", " : "", s->error_p ? s->error_p : "");
}

int nt_recv_stream_open(struct nt_run *r)
{
	struct nt_recv_priv *p = nt_run_priv(r);

	return nt_stream_new(&p->stream, nt_run_out(r), nt_run_names(r), call_fields, NT_COUNT(call_fields));
}

void nt_recv_show_event(struct nt_run *r, const struct nt_recv_event *e)
{
	struct nt_recv_priv *p = nt_run_priv(r);
	struct shown_call s;

	fill_call(&s, e);
	if (nt_out_format(nt_run_out(r)) == NT_JSON) {
		if (p->stream)
			nt_stream_event(p->stream, &s);
		return;
	}
	if (!p->headed)
		nt_text(nt_run_out(r), heading);
	p->headed = true;
	call_text(r, &s);
}

static void slowest(struct nt_run *r, struct nt_recv_report *rep)
{
	static const char *const by[] = { "total", "wait", "wakeup", "work", "wakeup and work" };
	const struct nt_recv_opts *opts = opts_of(r);
	struct nt_out *o = nt_run_out(r);
	struct shown_call s;

	nt_slowest_sort(&rep->slowest);
	nt_json_arr(o, "slowest");
	if (rep->slowest.n)
		nt_text(o, "slowest calls, by %s\n%s", by[opts->has_on ? opts->on : NT_RECV_ON_DELAY], heading);
	for (uint32_t i = 0; i < rep->slowest.n; i++) {
		fill_call(&s, nt_slowest_get(&rep->slowest, i));
		nt_json_obj(o, NULL);
		nt_fields_json(o, nt_run_names(r), call_fields, NT_COUNT(call_fields), &s);
		nt_json_obj_end(o);
		if (nt_out_format(o) == NT_TEXT)
			call_text(r, &s);
	}
	nt_json_arr_end(o);
}

/* ---- sockets ---- */
struct shown_sock {
	const struct nt_recv_sock *s;
	char process[40], sock[120], bytes[32];
	const char *process_p, *sock_p, *bytes_p, *by_p;
	uint64_t calls, work_ns, queued_max;
};
#define S(member) offsetof(struct shown_sock, member)
static const struct nt_field sock_fields[] = {
	{ .name = "process", .kind = NT_K_CSTR, .off = S(process_p), .flags = NT_F_LEFT },
	{ .name = "socket", .kind = NT_K_CSTR, .off = S(sock_p), .flags = NT_F_LEFT },
	{ .name = "calls", .kind = NT_K_U64, .off = S(calls), .flags = NT_F_GROUP },
	{ .name = "bytes", .kind = NT_K_CSTR, .off = S(bytes_p) },
	{ .name = "work", .kind = NT_K_NS_AS_US, .off = S(work_ns) },
	{ .name = "Recv-Q", .kind = NT_K_U64, .off = S(queued_max), .flags = NT_F_GROUP },
	{ .name = "limited by", .kind = NT_K_CSTR, .off = S(by_p), .flags = NT_F_LEFT },
};

static void fill_sock(struct shown_sock *t, const struct nt_recv_sock *s)
{
	struct nt_recv_verdict v;

	nt_recv_judge(&s->val.n, &v);
	t->s = s;
	t->calls = s->val.n.calls;
	t->work_ns = nt_recv_work(&s->val.n);
	t->queued_max = s->val.queued_max;
	t->by_p = v.limited_by ? v.limited_by : "-";
	process_text(s->val.comm, s->key.tgid, t->process, sizeof(t->process));
	socket_text(s->key.proto, s->key.local, s->key.local_port, s->key.remote, s->key.remote_port, t->sock,
		    sizeof(t->sock));
	t->bytes_p = nt_fmt_bytes(s->val.n.bytes, t->bytes, sizeof(t->bytes));
	t->process_p = t->process;
	t->sock_p = t->sock;
}

static void socks_text(struct nt_run *r, const struct nt_recv_report *rep, size_t n)
{
	static const char *const by[] = { "work", "wakeup", "busy application", "Recv-Q", "bytes", "calls" };
	struct shown_sock *row = calloc(n + 1, sizeof(*row));
	char title[80];

	if (!row || !n) {
		free(row);
		return;
	}
	for (size_t i = 0; i < n; i++)
		fill_sock(&row[i], &rep->socks.row[i]);
	snprintf(title, sizeof(title), "sockets, by %s (Recv-Q: the most that a call found)", by[opts_of(r)->sort]);
	nt_table(nt_run_out(r), nt_run_names(r), NULL, title, sock_fields, NT_COUNT(sock_fields), row, sizeof(*row), n);
	if (rep->socks.n > n)
		nt_text(nt_run_out(r), "... %zu more sockets (--top)\n", rep->socks.n - n);
	free(row);
}

static double us(uint64_t ns)
{
	return (double)ns / 1e3;
}

static void verdict_json(struct nt_out *o, const struct nt_recv_counts *n)
{
	static const char *const names[] = { "sender_pct", "scheduler_pct", "kernel_pct", "application_pct" };
	struct nt_recv_verdict v;

	nt_recv_judge(n, &v);
	for (size_t i = 0; i < NT_RECV_SIDES; i++)
		nt_json_f64(o, names[i], v.pct[i], 2);
	nt_json_str(o, "limited_by", v.limited_by);
}

static void counts_json(struct nt_out *o, const struct nt_recv_counts *n)
{
	nt_json_u64(o, "calls", n->calls);
	nt_json_u64(o, "bytes", n->bytes);
	nt_json_u64(o, "messages", n->messages);
	nt_json_u64(o, "eof", n->eof);
	nt_json_u64(o, "again", n->again);
	nt_json_u64(o, "timeouts", n->timeouts);
	nt_json_u64(o, "errors", n->errors);
	nt_json_u64(o, "migrations", n->migrations);
	nt_json_f64(o, "total_us", us(n->total_ns), 3);
	nt_json_f64(o, "wait_us", us(n->wait_ns), 3);
	nt_json_f64(o, "wakeup_us", us(n->wakeup_ns), 3);
	nt_json_f64(o, "work_us", us(nt_recv_work(n)), 3);
	nt_json_f64(o, "preempted_us", us(n->preempted_ns), 3);
	nt_json_f64(o, "blocked_us", us(n->blocked_ns), 3);
	nt_json_f64(o, "poll_us", us(n->poll_ns), 3);
	nt_json_u64(o, "calls_with_data_waiting", n->late);
	nt_json_f64(o, "application_us", us(n->late_ns), 3);
	nt_json_f64(o, "recv_queue_avg_bytes", n->calls ? (double)n->queued_bytes / (double)n->calls : 0, 1);
	verdict_json(o, n);
}

static void sock_json(struct nt_out *o, const struct nt_recv_sock *s)
{
	char addr[48];

	nt_json_obj(o, NULL);
	nt_json_u64(o, "pid", s->key.tgid);
	nt_json_u64(o, "tid", s->val.tid);
	nt_json_strn(o, "comm", s->val.comm, strnlen(s->val.comm, sizeof(s->val.comm)));
	nt_json_i64(o, "fd", s->val.fd);
	if (nt_proto_name(s->key.proto))
		nt_json_str(o, "protocol", nt_proto_name(s->key.proto));
	else
		nt_json_u64(o, "protocol", s->key.proto);
	nt_json_u64(o, "ip_version", s->key.ip_version);
	nt_json_str(o, "local_ip", nt_fmt_addr(s->key.local, addr, sizeof(addr)));
	nt_json_u64(o, "local_port", port(s->key.local_port));
	nt_json_str(o, "remote_ip", nt_fmt_addr(s->key.remote, addr, sizeof(addr)));
	nt_json_u64(o, "remote_port", port(s->key.remote_port));
	counts_json(o, &s->val.n);
	nt_json_f64(o, "delay_max_us", us(s->val.delay_max_ns), 3);
	nt_json_u64(o, "recv_queue_max_bytes", s->val.queued_max);
	nt_json_obj_end(o);
}

/* ---- all together ---- */
static void errors_json(struct nt_out *o, const struct nt_recv_sums *s)
{
	nt_json_arr(o, "errnos");
	for (int i = 1; i < NT_RECV_ERRNOS; i++) {
		if (!s->error[i])
			continue;
		nt_json_obj(o, NULL);
		nt_json_str(o, "error", strerrorname_np(i));
		nt_json_u64(o, "errno", (uint64_t)i);
		nt_json_u64(o, "count", s->error[i]);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

static void json(struct nt_run *r, struct nt_recv_report *rep, size_t n)
{
	const char *names = NT_RECV_CLASS_NAMES, *word;
	struct nt_out *o = nt_run_out(r);
	char name[16];
	size_t len;

	counts_json(o, &rep->sums.n);
	nt_json_f64(o, "bytes_per_second", rep->seconds > 0 ? (double)rep->sums.n.bytes / rep->seconds : 0, 1);
	nt_json_obj(o, "syscalls");
	for (size_t i = 0; i < NT_RECV_CLASSES && nt_opt_next_word(&names, &word, &len); i++) {
		snprintf(name, sizeof(name), "%.*s", (int)len, word);
		nt_json_u64(o, name, rep->sums.class[i]);
	}
	nt_json_obj_end(o);
	nt_json_u64(o, "messages_of_unknown_length", rep->sums.unsized);
	errors_json(o, &rep->sums);
	nt_json_obj(o, "open");
	nt_json_u64(o, "calls", rep->open.calls);
	nt_json_u64(o, "waiting", rep->open.waiting);
	nt_json_f64(o, "longest_us", us(rep->open.longest_ns), 3);
	nt_json_obj_end(o);
	for (size_t i = 0; i < NT_RECV_BYTES; i++)
		nt_hist_json(o, hist_names[i], &rep->hist[i], "us", 1000.0);
	for (size_t i = NT_RECV_BYTES; i < NT_RECV_HISTS; i++)
		nt_hist_json(o, hist_names[i], &rep->hist[i], "bytes", 1);
	nt_json_u64(o, "sockets_total", rep->socks.n);
	nt_json_u64(o, "sockets_left_out", rep->socks.left_out);
	nt_json_arr(o, "sockets");
	for (size_t i = 0; i < n; i++)
		sock_json(o, &rep->socks.row[i]);
	nt_json_arr_end(o);
	slowest(r, rep);
}

/* ---- text ---- */
static void more(struct nt_out *o, uint64_t n, const char *what)
{
	char c[32];

	if (n)
		nt_text(o, ", %s %s", nt_fmt_count(n, c, sizeof(c)), what);
}

static void errors_text(struct nt_out *o, const struct nt_recv_sums *s)
{
	for (int i = 1; i < NT_RECV_ERRNOS; i++)
		if (i != EAGAIN)
			more(o, s->error[i], strerrorname_np(i));
}

static void counts_text(struct nt_out *o, const struct nt_recv_report *rep)
{
	const struct nt_recv_sums *s = &rep->sums;
	char calls[32], bytes[32], rate[32], longest[24];

	nt_text(o, "%s calls, %s (%s/s)", nt_fmt_count(s->n.calls, calls, sizeof(calls)),
		nt_fmt_bytes(s->n.bytes, bytes, sizeof(bytes)),
		nt_fmt_bytes(rep->seconds > 0 ? (uint64_t)((double)s->n.bytes / rep->seconds) : 0, rate, sizeof(rate)));
	more(o, s->n.eof, "EOF");
	more(o, s->n.again, "EAGAIN");
	more(o, s->n.timeouts, "timed out");
	errors_text(o, s);
	more(o, s->n.migrations, "CPU migrations");
	more(o, s->unsized, "messages of unknown length");
	nt_text(o, "\n");
	if (rep->open.calls)
		nt_text(o, "%llu threads are in a call now (%llu wait for data), the longest for %s\n",
			(unsigned long long)rep->open.calls, (unsigned long long)rep->open.waiting,
			nt_fmt_ns(rep->open.longest_ns, longest, sizeof(longest)));
}

struct part {
	const char *name;
	uint64_t calls, p50, p90, p99, max, sum;
	double pct;
};
#define P(member) offsetof(struct part, member)
static const struct nt_field part_fields[] = {
	{ .name = "part", .kind = NT_K_CSTR, .off = P(name), .flags = NT_F_LEFT },
	{ .name = "calls", .kind = NT_K_U64, .off = P(calls), .flags = NT_F_GROUP },
	{ .name = "p50", .kind = NT_K_NS_AS_US, .off = P(p50), .width = 8,
	  .flags = NT_F_IF_NONZERO },
	{ .name = "p90", .kind = NT_K_NS_AS_US, .off = P(p90), .width = 8,
	  .flags = NT_F_IF_NONZERO },
	{ .name = "p99", .kind = NT_K_NS_AS_US, .off = P(p99), .width = 8,
	  .flags = NT_F_IF_NONZERO },
	{ .name = "max", .kind = NT_K_NS_AS_US, .off = P(max), .width = 8,
	  .flags = NT_F_IF_NONZERO },
	{ .name = "sum", .kind = NT_K_NS_AS_US, .off = P(sum), .width = 8,
	  .flags = NT_F_IF_NONZERO },
	{ .name = "%", .kind = NT_K_F64, .off = P(pct), .decimals = 1, .flags = NT_F_IF_NONZERO },
};

static void parts_text(struct nt_run *r, const struct nt_recv_report *rep)
{
	static const char *const names[] = { "whole call", "  wait (no data)", "  wakeup (no CPU yet)", "  work",
					     "busy before it" };
	struct part row[NT_RECV_BYTES];

	for (size_t i = 0; i < NT_RECV_BYTES; i++) {
		const struct nt_hist *h = &rep->hist[i];
		bool share = rep->sums.n.total_ns && i != NT_RECV_BUSY;

		row[i] = (struct part){ names[i], h->count, nt_hist_quantile(h, .5), nt_hist_quantile(h, .9),
			nt_hist_quantile(h, .99), h->count ? h->max : 0, h->sum,
			share ? 100 * (double)h->sum / (double)rep->sums.n.total_ns : 0 };
	}
	nt_table(nt_run_out(r), nt_run_names(r), NULL, "time in receive calls", part_fields, NT_COUNT(part_fields), row,
		 sizeof(*row), NT_RECV_BYTES);
}

static void verdict_text(struct nt_out *o, const struct nt_recv_counts *n)
{
	static const char *const who[] = { "sender", "scheduler", "kernel", "application" };
	static const char *const what[] = {
		"the sender or the network: data are read as they come",
		"the scheduler: data are there, the reader has no CPU",
		"the kernel: copying and protocol take the time",
		"the application: data wait in Recv-Q while it does not read",
	};
	struct nt_recv_verdict v;

	nt_recv_judge(n, &v);
	if (!v.limited_by)
		return;
	for (size_t i = 0; i < NT_RECV_SIDES; i++)
		if (!strcmp(v.limited_by, who[i]))
			nt_text(o, "limited by %s\n", what[i]);
	nt_text(o, "  sender %.1f %%, scheduler %.1f %%, kernel %.1f %%, application %.1f %%; "
		"%.1f %% of the calls found data\n", v.pct[0], v.pct[1], v.pct[2], v.pct[3],
		n->calls ? 100 * (double)n->late / (double)n->calls : 0);
}

static void hists_text(struct nt_out *o, const struct nt_recv_report *rep)
{
	static const char *const titles[] = { "whole call", "wait", "wakeup", "work", "busy before it",
					      "bytes of a call", "Recv-Q at its start" };

	for (size_t i = 0; i < NT_RECV_HISTS; i++)
		if (rep->hist[i].count)
			nt_hist_text(o, titles[i], &rep->hist[i], i < NT_RECV_BYTES ? "us" : "bytes",
				     i < NT_RECV_BYTES ? 1000.0 : 1);
}

static void text(struct nt_run *r, struct nt_recv_report *rep, size_t n, bool final)
{
	struct nt_out *o = nt_run_out(r);

	counts_text(o, rep);
	if (!rep->sums.n.calls)
		return;
	verdict_text(o, &rep->sums.n);
	parts_text(r, rep);
	socks_text(r, rep, n);
	slowest(r, rep);
	if (final || nt_run_common(r)->verbose)
		hists_text(o, rep);
}

void nt_recv_show(struct nt_run *r, struct nt_recv_report *rep, bool final)
{
	size_t top = nt_run_common(r)->top, n = rep->socks.n < top ? rep->socks.n : top;

	nt_recv_socks_sort(&rep->socks, opts_of(r)->sort);
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		json(r, rep, n);
	else
		text(r, rep, n, final);
}
