/* SPDX-License-Identifier: GPL-2.0 */
/* What a connection's figures say: ratios, and what holds it back. No input but the figures. */
#include <string.h>

#include "nettrace/conn.h"

/* ---- figures ---- */
void nt_conn_sums(struct nt_conn_past *p, const struct nt_sock *s)
{
	const struct nt_tcp_info *i = &s->info;

	*p = (struct nt_conn_past){ .cookie = s->cookie, .sent = nt_tcp_has(s, bytes_sent) ? i->bytes_sent : i->bytes_acked,
		.acked = i->bytes_acked, .received = i->bytes_received, .busy_us = i->busy_us,
		.rwnd_us = i->rwnd_limited_us, .sndbuf_us = i->sndbuf_limited_us, .retrans = i->total_retrans,
		.segs_out = i->segs_out, .segs_in = i->segs_in, .data_segs_in = i->data_segs_in,
		.dsack = i->dsack_dups, .ooo = i->rcv_ooopack, .drops = s->mem.drops };
}

static void rises(struct nt_conn_past *p, const struct nt_conn_past *before)
{
	p->sent -= before->sent;
	p->acked -= before->acked;
	p->received -= before->received;
	p->busy_us -= before->busy_us;
	p->rwnd_us -= before->rwnd_us;
	p->sndbuf_us -= before->sndbuf_us;
	p->retrans -= before->retrans;
	p->segs_out -= before->segs_out;
	p->segs_in -= before->segs_in;
	p->data_segs_in -= before->data_segs_in;
	p->dsack -= before->dsack;
	p->ooo -= before->ooo;
	p->drops -= before->drops;
}

static uint32_t known(const struct nt_conn *c)
{
	const struct nt_sock *s = &c->s;
	const struct nt_tcp_info *i = &s->info;
	uint32_t has = s->has;

	has |= s->state == NT_TCP_LISTEN ? NT_CONN_LISTENER : NT_CONN_STREAM;
	has |= s->timer ? NT_CONN_TIMED : 0;
	has |= s->has & (NT_SOCK_BBR | NT_SOCK_DCTCP | NT_SOCK_VEGAS) ? NT_CONN_CC : 0;
	if (!(s->has & NT_SOCK_INFO) || s->state == NT_TCP_LISTEN)
		return has & ~NT_SOCK_INFO;
	has |= nt_tcp_has(s, reord_seen) ? NT_CONN_V419 : 0;
	has |= nt_tcp_has(s, snd_wnd) ? NT_CONN_V54 : 0;
	has |= nt_tcp_has(s, rehash) ? NT_CONN_V62 : 0;
	has |= nt_tcp_has(s, total_rto_ms) ? NT_CONN_V67 : 0;
	has |= nt_tcp_has(s, received_ce) ? NT_CONN_V618 : 0;
	has |= i->rtt_us ? NT_CONN_RTT : 0;
	has |= i->min_rtt_us && i->min_rtt_us != UINT32_MAX ? NT_CONN_MIN_RTT : 0;
	has |= i->pacing_rate != UINT64_MAX ? NT_CONN_PACED : 0;
	has |= i->max_pacing_rate != UINT64_MAX ? NT_CONN_MAX_PACED : 0;
	has |= i->snd_ssthresh < 0x7fffffff ? NT_CONN_SSTHRESH : 0;
	has |= s->state != NT_TCP_SYN_SENT && s->state != NT_TCP_SYN_RECV ? NT_CONN_MET : 0;
	has |= i->snd_cwnd && i->unacked ? NT_CONN_WINDOW : 0;
	return has;
}

static double pct(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

/* A share is of the last interval, if it did enough in it to tell. */
static void shares(struct nt_conn *c)
{
	const struct nt_tcp_info *i = &c->s.info;
	struct nt_conn_past p;

	nt_conn_sums(&p, &c->s);
	c->has |= i->segs_out ? NT_CONN_SENT : 0;
	c->has |= i->total_retrans ? NT_CONN_RESENT : 0;
	c->has |= i->busy_us ? NT_CONN_BUSY : 0;
	c->has |= i->data_segs_in ? NT_CONN_GOT : 0;
	c->data_segs_pct = pct(i->data_segs_out, i->segs_out);
	c->spurious_pct = pct(p.dsack, p.retrans);
	c->ooo_pct = pct(p.ooo, p.data_segs_in);
	if (c->seconds > 0 && c->rise.segs_out)
		c->retrans_pct = pct(c->rise.retrans, c->rise.segs_out);
	else
		c->retrans_pct = pct(p.retrans, p.segs_out);
	if (c->seconds > 0 && c->rise.busy_us)
		p = c->rise;
	c->rwnd_pct = pct((double)p.rwnd_us, (double)p.busy_us);
	c->sndbuf_pct = pct((double)p.sndbuf_us, (double)p.busy_us);
	c->cwnd_pct = p.busy_us ? 100 - c->rwnd_pct - c->sndbuf_pct : 0;
}

static void windows(struct nt_conn *c, double target_gbps)
{
	const struct nt_tcp_info *i = &c->s.info;
	uint32_t out = i->sacked + i->lost;

	c->inflight = (i->unacked > out ? i->unacked - out : 0) + i->retrans;
	c->unacked_bytes = (uint64_t)i->unacked * i->snd_mss;
	c->inflight_bytes = (uint64_t)c->inflight * i->snd_mss;
	c->cwnd_used_pct = pct(c->inflight, i->snd_cwnd);
	c->bdp_bytes = (uint64_t)(target_gbps * 1e9 / 8 * i->rtt_us / 1e6);
	c->window_bytes = 4 * c->bdp_bytes;
}

void nt_conn_derive(struct nt_conn *c, const struct nt_conn_past *before, double seconds, double target_gbps)
{
	c->has = known(c);
	nt_conn_sums(&c->rise, &c->s);
	c->seconds = before ? seconds : 0;
	if (before)
		rises(&c->rise, before);
	if (c->seconds > 0) {
		c->out_rate = (uint64_t)((double)c->rise.sent / seconds);
		c->in_rate = (uint64_t)((double)c->rise.received / seconds);
	}
	if (!(c->has & NT_SOCK_INFO))
		return;
	shares(c);
	windows(c, target_gbps);
}

/* ---- findings ---- */
const char *nt_conn_severity_name(int s)
{
	static const char *const names[] = { "info", "warning", "critical" };

	return s < 0 ? "none" : names[s];
}

struct list {
	struct nt_conn_finding *f;
	size_t n, max;
};

static struct nt_conn_finding *add(struct list *l, enum nt_conn_severity severity, const char *name, const char *title,
				   const char *advice)
{
	static struct nt_conn_finding nowhere;
	struct nt_conn_finding *f = l->n < l->max ? &l->f[l->n++] : &nowhere;

	f->name = name;
	f->title = title;
	f->advice = advice;
	f->severity = severity;
	return f;
}

#define SAY(finding, ...) snprintf((finding)->evidence, sizeof((finding)->evidence), __VA_ARGS__)

static void judge_listener(struct list *l, const struct nt_conn *c)
{
	uint32_t waiting = c->s.recv_queue, limit = c->s.send_queue;

	if (!limit || waiting * 10 < limit * 9)
		return;
	SAY(add(l, waiting > limit ? NT_CONN_CRITICAL : NT_CONN_WARNING, "accept_queue_full",
		"new connections wait for the application, its accept queue is full",
		"let the application accept faster, or call listen() with more than that\n"
		"sysctl -w net.core.somaxconn=4096    # the limit of what listen() asks for"),
	    "%u connections wait, %u are allowed", waiting, limit);
}

static void judge_timers(struct list *l, const struct nt_conn *c)
{
	const struct nt_tcp_info *i = &c->s.info;
	struct nt_conn_finding *f;

	if (c->s.timer == 4 && c->s.send_queue)
		SAY(add(l, NT_CONN_CRITICAL, "zero_window", "the peer takes nothing more: its receive window is closed",
			"see why the receiving application does not read"),
		    "%u bytes wait; %u probes so far, the next in %u ms", c->s.send_queue, c->s.timer_retrans,
		    c->s.timer_ms);
	if (c->s.timer != 1 || i->retransmits < 2)
		return;
	f = add(l, i->retransmits >= 5 ? NT_CONN_CRITICAL : NT_CONN_WARNING, "no_answer",
		c->s.state == NT_TCP_SYN_SENT ? "nobody answers the request for a connection"
					      : "the peer does not answer: the same data is sent again and again",
		"see whether the peer and the path to it are up, and what drops packets there");
	SAY(f, "sent again %u times in a row, the next time in %u ms", i->retransmits, c->s.timer_ms);
	if (c->s.state != NT_TCP_SYN_SENT)
		snprintf(f->evidence + strlen(f->evidence), sizeof(f->evidence) - strlen(f->evidence),
			 "; the last acknowledgement came %u ms ago", i->last_ack_recv_ms);
}

/* Of the time with data to send: in the last interval, or of its life. */
static uint64_t busy_us(const struct nt_conn *c)
{
	return c->seconds > 0 && c->rise.busy_us ? c->rise.busy_us : c->s.info.busy_us;
}

/* A first exchange tells nothing of a life. */
static bool too_short(const struct nt_conn *c)
{
	return busy_us(c) < (c->seconds > 0 && c->rise.busy_us ? 10000 : 100000);
}

static void judge_limits(struct list *l, const struct nt_conn *c)
{
	double seconds = (double)busy_us(c) / 1e6;
	struct nt_conn_finding *f;

	if (too_short(c))
		return;
	if (c->rwnd_pct >= 10) {
		f = add(l, c->rwnd_pct >= 50 ? NT_CONN_CRITICAL : NT_CONN_WARNING, "rwnd_limited",
			"the peer's receive window holds it back",
			"see whether the receiving application reads fast enough\n"
			"at the receiver: raise the third figure of net.ipv4.tcp_rmem, and set no SO_RCVBUF");
		SAY(f, "%.1f %% of the %.3f s with data to send", c->rwnd_pct, seconds);
		if (c->has & NT_CONN_V54)
			snprintf(f->evidence + strlen(f->evidence), sizeof(f->evidence) - strlen(f->evidence),
				 "; its window is %u bytes", c->s.info.snd_wnd);
	}
	if (c->sndbuf_pct >= 10)
		SAY(add(l, c->sndbuf_pct >= 50 ? NT_CONN_CRITICAL : NT_CONN_WARNING, "sndbuf_limited",
			"the send buffer holds it back", "let the application set no SO_SNDBUF, so that it can grow\n"
			"raise the third figure of net.ipv4.tcp_wmem"),
		    "%.1f %% of the %.3f s with data to send; the buffer is %u bytes", c->sndbuf_pct, seconds,
		    c->s.mem.sndbuf);
}

/* The window now, and the time in which neither the peer nor the buffer was the limit. */
static void judge_cwnd(struct list *l, const struct nt_conn *c, double target_gbps)
{
	const struct nt_tcp_info *i = &c->s.info;
	double seconds = (double)busy_us(c) / 1e6, gbps = (double)i->snd_cwnd * i->snd_mss * 8 / i->rtt_us / 1e3;
	enum nt_conn_severity severity;

	if (!i->rtt_us || too_short(c))
		return;
	severity = gbps < target_gbps && c->cwnd_pct >= 50 ? NT_CONN_WARNING : NT_CONN_INFO;
	if ((c->has & NT_CONN_WINDOW) && c->cwnd_used_pct > 90)
		SAY(add(l, severity, "cwnd_full", "the congestion window is used up",
			"look for loss on the path; compare congestion controls (net.ipv4.tcp_congestion_control)"),
		    "%u of %u segments in flight: %.3f Gbit/s at a round trip of %.3f ms", c->inflight, i->snd_cwnd,
		    gbps, i->rtt_us / 1e3);
	/* Else it had little to send. */
	if (c->cwnd_pct >= 50 && (c->seconds > 0 ? seconds >= c->seconds / 2 : (c->has & NT_CONN_WINDOW) != 0))
		SAY(add(l, severity, "cwnd_limited", "the congestion window and the path hold it back",
			"look for loss and long round trips on the path; the window grows by time without loss"),
		    "%.1f %% of the %.3f s with data to send; %u segments at a round trip of %.3f ms are %.3f Gbit/s",
		    c->cwnd_pct, seconds, i->snd_cwnd, i->rtt_us / 1e3, gbps);
}

static void judge_loss(struct list *l, const struct nt_conn *c)
{
	const struct nt_tcp_info *i = &c->s.info;
	bool last = c->seconds > 0 && c->rise.segs_out;
	uint32_t again = last ? c->rise.retrans : i->total_retrans, out = last ? c->rise.segs_out : i->segs_out;

	if (out >= 100 && c->retrans_pct >= 1)
		SAY(add(l, c->retrans_pct >= 5 ? NT_CONN_CRITICAL : NT_CONN_WARNING, "retransmissions",
			"many segments are sent again", "nettrace eth_drop and qdisc_drop_trace show what this host drops\n"
			"ethtool -S DEVICE    # what the card drops"),
		    "%.2f %%: %u of %u segments", c->retrans_pct, again, out);
	if (i->total_retrans >= 10 && c->spurious_pct > 5)
		SAY(add(l, c->spurious_pct > 20 ? NT_CONN_CRITICAL : NT_CONN_WARNING, "spurious_retransmissions",
			"segments are sent again that had arrived", "the path reorders, or its delay jumps: look at its "
			"balancing over links\nsysctl net.ipv4.tcp_timestamps net.ipv4.tcp_sack    # both should be 1"),
		    "%.1f %%: the peer had %u of the %u already", c->spurious_pct, i->dsack_dups, i->total_retrans);
	if ((c->has & NT_CONN_V54) && i->data_segs_in >= 100 && c->ooo_pct >= 5)
		SAY(add(l, NT_CONN_WARNING, "out_of_order", "segments arrive out of order",
			"loss or reordering on the way here; see the sender's retransmissions"),
		    "%.1f %%: %u of %u segments with data", c->ooo_pct, i->rcv_ooopack, i->data_segs_in);
	if ((c->has & NT_CONN_MIN_RTT) && i->rtt_us > 4 * (uint64_t)i->min_rtt_us && i->rtt_us - i->min_rtt_us > 5000)
		SAY(add(l, NT_CONN_INFO, "rtt_inflated", "the round trip is much longer than it can be",
			"packets wait in queues on the path, or the peer acknowledges late"),
		    "%.3f ms, at least it was %.3f ms", i->rtt_us / 1e3, i->min_rtt_us / 1e3);
}

/* Buffers are counted in memory, of which data is a half or more. */
static void judge_queues(struct list *l, const struct nt_conn *c)
{
	const struct nt_sock_mem *m = &c->s.mem;
	uint64_t unread = c->s.recv_queue;
	uint32_t drops = c->seconds > 0 ? c->rise.drops : m->drops;

	if (unread && m->rcvbuf && (m->rmem >= m->rcvbuf * 0.75 || unread >= m->rcvbuf * 0.4))
		SAY(add(l, NT_CONN_CRITICAL, "recv_queue_full", "the application does not read what has arrived",
			"see what it does instead: nettrace offcputime_ts -p PID"),
		    "%llu bytes unread, %u of %u bytes of buffer memory used", (unsigned long long)unread, m->rmem,
		    m->rcvbuf);
	if (c->s.send_queue && m->sndbuf && m->wmem_queued >= m->sndbuf * 0.9)
		SAY(add(l, NT_CONN_INFO, "send_queue_full", "the send buffer is full: the application waits",
			"normal for a bulk sender; what it waits for is in the other findings"),
		    "%u bytes not acknowledged, %u of %u bytes of buffer memory used", c->s.send_queue, m->wmem_queued,
		    m->sndbuf);
	if (drops)
		SAY(add(l, NT_CONN_WARNING, "socket_drops", "the socket has dropped packets",
			"nettrace tcp_drop_detector shows which and why\nraise the third figure of net.ipv4.tcp_rmem"),
		    "%u packets%s", drops, c->seconds > 0 ? " since the last look" : "");
	if (c->s.state == NT_TCP_CLOSE_WAIT)
		SAY(add(l, NT_CONN_WARNING, "not_closed", "the peer has closed, the application has not",
			"it should close the socket: a leak if there are many"),
		    "%llu bytes unread", (unsigned long long)unread);
}

/* Only where much was transferred: an idle connection's buffers have had no reason to grow. */
static void judge_buffers(struct list *l, const struct nt_conn *c, double target_gbps)
{
	const struct nt_tcp_info *i = &c->s.info;
	const struct nt_sock_mem *m = &c->s.mem;
	const char *which = i->bytes_acked >= i->bytes_received ? "send" : "receive";
	uint32_t buffer = which[0] == 's' ? m->sndbuf : m->rcvbuf;
	uint64_t moved = which[0] == 's' ? i->bytes_acked : i->bytes_received;

	if (!(c->has & NT_SOCK_MEM) || !(c->has & NT_CONN_RTT) || moved < 1 << 20 || buffer >= c->bdp_bytes)
		return;
	SAY(add(l, c->sndbuf_pct >= 10 || c->rwnd_pct >= 10 ? NT_CONN_WARNING : NT_CONN_INFO, "small_buffer",
		"the buffer is smaller than bandwidth times round trip",
		which[0] == 's' ? "raise the third figure of net.ipv4.tcp_wmem if it has reached that; set no SO_SNDBUF"
				: "raise the third figure of net.ipv4.tcp_rmem if it has reached that; set no SO_RCVBUF"),
	    "%s buffer %u bytes; %g Gbit/s times %.3f ms are %llu, better %llu", which, buffer, target_gbps,
	    i->rtt_us / 1e3, (unsigned long long)c->bdp_bytes, (unsigned long long)c->window_bytes);
}

size_t nt_conn_judge(const struct nt_conn *c, double target_gbps, struct nt_conn_finding *f, size_t max)
{
	struct list l = { .f = f, .max = max };

	if (c->has & NT_CONN_LISTENER)
		judge_listener(&l, c);
	if ((c->has & NT_CONN_STREAM) && (c->has & NT_SOCK_INFO)) {
		judge_timers(&l, c);
		judge_limits(&l, c);
		judge_cwnd(&l, c, target_gbps);
		judge_loss(&l, c);
		judge_queues(&l, c);
		judge_buffers(&l, c, target_gbps);
	}
	for (size_t i = 1; i < l.n; i++)	/* the worst first, else as above */
		for (size_t k = i; k && f[k].severity > f[k - 1].severity; k--) {
			struct nt_conn_finding swap = f[k];

			f[k] = f[k - 1];
			f[k - 1] = swap;
		}
	return l.n;
}
