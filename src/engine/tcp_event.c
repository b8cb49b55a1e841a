/* SPDX-License-Identifier: GPL-2.0 */
/* Single events of tcp_perf_observer. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "tcp.h"

struct shown {
	struct nt_tcp_event e;
	char local[64], remote[64], what[64];
	const char *local_p, *remote_p, *what_p, *state_p, *error_p;
	uint32_t rtt, handshake, failed, retrans, dropped, known, slow_start_ended;	/* has_mask 1: the event has it */
};
#define S(member) offsetof(struct shown, member)

static const struct nt_field fields[] = {
	{ .name = "time", .kind = NT_K_TS, .off = S(e.ts_ns) },
	{ .name = "kind", .kind = NT_K_ENUM, .off = S(e.kind), .names = "rtt|connlat|failed|retrans|reset_out|reset_in|drop",
	  .width = 7, .flags = NT_F_LEFT },
	{ .name = "local", .kind = NT_K_CSTR, .off = S(local_p), .width = 16, .flags = NT_F_LEFT | NT_F_NO_JSON },
	{ .name = "remote", .kind = NT_K_CSTR, .off = S(remote_p), .width = 16, .flags = NT_F_LEFT | NT_F_NO_JSON },
	{ .name = "what", .kind = NT_K_CSTR, .off = S(what_p), .width = 12, .flags = NT_F_LEFT | NT_F_NO_JSON },
	{ .name = "src_ip", .kind = NT_K_ADDR, .off = S(e.key.laddr), .flags = NT_F_NO_TEXT },
	{ .name = "src_port", .kind = NT_K_PORT, .off = S(e.key.lport), .flags = NT_F_NO_TEXT },
	{ .name = "dst_ip", .kind = NT_K_ADDR, .off = S(e.key.raddr), .flags = NT_F_NO_TEXT },
	{ .name = "dst_port", .kind = NT_K_PORT, .off = S(e.key.rport), .flags = NT_F_NO_TEXT },
	{ .name = "netns", .kind = NT_K_U32, .off = S(e.key.netns), .flags = NT_F_NO_TEXT },
	{ .name = "rtt_us", .kind = NT_K_U64, .off = S(e.us), .has_off = S(rtt), .has_mask = 1, .flags = NT_F_NO_TEXT },
	{ .name = "handshake_us", .kind = NT_K_U64, .off = S(e.us), .has_off = S(handshake), .has_mask = 1,
	  .flags = NT_F_NO_TEXT },
	{ .name = "role", .kind = NT_K_ENUM, .off = S(e.why), .names = "active|passive", .has_off = S(handshake),
	  .has_mask = 1, .flags = NT_F_NO_TEXT },
	{ .name = "waited_us", .kind = NT_K_U64, .off = S(e.us), .has_off = S(failed), .has_mask = 1,
	  .flags = NT_F_NO_TEXT },
	{ .name = "error", .kind = NT_K_CSTR, .off = S(error_p), .has_off = S(failed), .has_mask = 1,
	  .flags = NT_F_NO_TEXT },
	{ .name = "cause", .kind = NT_K_ENUM, .off = S(e.why), .names = "syn|syn_ack|rto|fast|tail_loss_probe|other",
	  .has_off = S(retrans), .has_mask = 1, .flags = NT_F_NO_TEXT },
	{ .name = "segments", .kind = NT_K_U32, .off = S(e.segments), .has_off = S(retrans), .has_mask = 1,
	  .flags = NT_F_NO_TEXT },
	{ .name = "direction", .kind = NT_K_ENUM, .off = S(e.drop.received), .names = "out|in", .has_off = S(dropped),
	  .has_mask = 1, .flags = NT_F_NO_TEXT },
	{ .name = "drop_reason", .kind = NT_K_REASON, .off = S(e.drop.reason), .has_off = S(dropped), .has_mask = 1,
	  .flags = NT_F_NO_TEXT },
	{ .name = "drop_location", .kind = NT_K_KSYM, .off = S(e.drop.location), .has_off = S(dropped), .has_mask = 1,
	  .flags = NT_F_NO_TEXT },
	{ .name = "cwnd_segments", .label = "cwnd", .kind = NT_K_U32, .off = S(e.state.cwnd), .width = 5,
	  .has_off = S(known), .has_mask = 1 },
	{ .name = "ssthresh_segments", .kind = NT_K_U32, .off = S(e.state.ssthresh),
	  .has_off = S(slow_start_ended), .has_mask = 1, .flags = NT_F_NO_TEXT },
	{ .name = "inflight_segments", .label = "out", .kind = NT_K_U32, .off = S(e.state.inflight), .width = 5,
	  .has_off = S(known), .has_mask = 1 },
	{ .name = "srtt_us", .kind = NT_K_U32, .off = S(e.state.srtt_us), .has_off = S(known), .has_mask = 1,
	  .flags = NT_F_NO_TEXT },
	{ .name = "state", .kind = NT_K_CSTR, .off = S(state_p), .width = 11, .has_off = S(e.tcp_state), .has_mask = ~0U,
	  .flags = NT_F_LEFT },
	{ .name = "pid", .kind = NT_K_U32, .off = S(e.pid), .flags = NT_F_NO_TEXT | NT_F_IF_NONZERO },
	{ .name = "comm", .kind = NT_K_COMM, .off = S(e.comm), .flags = NT_F_LEFT | NT_F_IF_NONZERO },
	{ .name = "cpu", .kind = NT_K_U32, .off = S(e.cpu), .flags = NT_F_NO_TEXT },
};

const char *nt_tcp_end_text(const uint8_t *addr, __be16 port, char *buf, size_t size)
{
	char a[48];

	nt_fmt_addr(addr, a, sizeof(a));
	snprintf(buf, size, strchr(a, ':') ? "[%s]:%u" : "%s:%u", a, ntohs(port));
	return buf;
}

static void fill_what(struct nt_run *r, struct shown *s)
{
	static const char *const why[NT_TCP_RETRANS_KINDS] = { "SYN", "SYN-ACK", "timeout", "fast",
							     "loss probe", "other" };
	const struct nt_tcp_event *e = &s->e;
	char time[24], why_text[56];

	nt_fmt_ns(e->us * 1000, time, sizeof(time));
	switch (e->kind) {
	case NT_TCP_RETRANS:
		snprintf(s->what, sizeof(s->what), "%u x %s", e->segments,
			 e->why < NT_TCP_RETRANS_KINDS ? why[e->why] : "?");
		break;
	case NT_TCP_CONNLAT:
		snprintf(s->what, sizeof(s->what), "%s %s", time, e->why ? "passive" : "active");
		break;
	case NT_TCP_FAILED:
		snprintf(s->what, sizeof(s->what), "%.40s", s->error_p);
		break;
	case NT_TCP_RTT:
		snprintf(s->what, sizeof(s->what), "%s", time);
		break;
	case NT_TCP_DROP:
		snprintf(s->what, sizeof(s->what), "%s %s", e->drop.received ? "in" : "out",
			 nt_tcp_drop_why(r, &e->drop, why_text, sizeof(why_text)));
		break;
	default:
		snprintf(s->what, sizeof(s->what), "-");
	}
}

int nt_tcp_stream_open(struct nt_run *r)
{
	struct nt_tcp_priv *p = nt_run_priv(r);

	return nt_stream_new(&p->stream, nt_run_out(r), nt_run_names(r), fields, NT_COUNT(fields));
}

void nt_tcp_event_show(struct nt_run *r, const struct nt_tcp_event *e)
{
	struct nt_tcp_priv *p = nt_run_priv(r);
	struct shown s;

	if (!p->stream || nt_run_enough(r))
		return;
	memset(&s, 0, sizeof(s));
	s.e = *e;
	s.local_p = nt_tcp_end_text(e->key.laddr, e->key.lport, s.local, sizeof(s.local));
	s.remote_p = nt_tcp_end_text(e->key.raddr, e->key.rport, s.remote, sizeof(s.remote));
	s.state_p = nt_tcp_state_name(e->tcp_state);
	s.error_p = e->error ? strerror((int)e->error) : "closed";
	s.rtt = e->kind == NT_TCP_RTT;
	s.handshake = e->kind == NT_TCP_CONNLAT;
	s.failed = e->kind == NT_TCP_FAILED;
	s.retrans = e->kind == NT_TCP_RETRANS;
	s.dropped = e->kind == NT_TCP_DROP;
	s.known = e->state.mss != 0;
	s.slow_start_ended = s.known && e->state.ssthresh < 0x7fffffff;	/* TCP_INFINITE_SSTHRESH */
	s.what_p = s.what;
	fill_what(r, &s);
	nt_stream_event(p->stream, &s);
	nt_run_event_shown(r);
}
