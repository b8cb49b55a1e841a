/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Both ends of a probe test. The receiver waits for tests, one at a time; the sender starts one,
 * sends at its rate, and asks for the receiver's figures. Control messages are repeated until they
 * are answered.
 */
#include "nettrace/phy.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nettrace/link.h"

#define RETRY_NS	200000000ULL
#define SETTLE_NS	500000000ULL	/* for the last probes, before the figures are asked for */
#define TICK_NS		1000000ULL
enum { TRIES = 25, BATCH = 64 };

enum state { WAITING, STARTING, SENDING, SETTLING, ASKING, DONE };

struct phy {
	int fd;
	enum state state;
	struct sockaddr_storage to;	/* the peer */
	socklen_t to_len;
	uint32_t session;
	uint64_t counters[NT_PHY_COUNTERS];	/* of the interface when the test began */
	struct nt_phy_drops drops;	/* of the kernel then */
	/* sender */
	uint64_t begin_ns, send_errors;
	uint32_t tries, next;
	int timer;
	struct nt_phy_result result;
	/* receiver */
	struct nt_phy_seen seen;
	uint32_t overflow, overflow_start;	/* the socket's count, of ever */
	uint64_t stray, tests;		/* from others while a test runs */
	uint64_t last_ns;
	bool shown;
};

static const struct nt_phy_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

static void fail(struct nt_run *r, const char *what, const char *on, const char *why)
{
	struct nt_err e = { .text = "" };

	nt_err_set(&e, NT_EXIT_RUNTIME, EIO, "%s: %s: %s", what, on, why);
	nt_run_fail(r, &e);
}

int nt_phy_check(struct nt_run *r, struct nt_err *err)
{
	struct nt_phy_opts *o = nt_run_opts_rw(r);
	struct nt_common_opts *c = nt_run_common(r);
	struct nt_tuple_opts *t = nt_run_tuple(r);

	if (t->devs.n > 1)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "too many interfaces: %s: give one of them",
				  t->devs.item[1]);
	if (o->mode == NT_PHY_MODE_SENDER && (!o->peer.set || o->peer.len != 128))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no receiver: --peer: give the address of the host that runs --mode receiver");
	if (o->bind.set && o->bind.len != 128)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "bad address: --bind: give one address, no prefix");
	if (c->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: phy_net_drop_detector has one record of many figures: use --json");
	if (o->mode == NT_PHY_MODE_SENDER) {	/* the time of sending: the answer comes later */
		o->send_ns = c->duration_ns;
		c->duration_ns = 0;
	} else if (!nt_run_given(r, "duration")) {
		c->duration_ns = 0;
	}
	o->drop.no_stack = o->drop.show_benign = true;
	t->dport = (struct nt_ports){ (uint16_t)o->port, (uint16_t)o->port, true };
	return 0;
}

/* ---- figures of this end ---- */
static void read_counters(struct nt_run *r, uint64_t *v)
{
	struct nt_link l;
	const struct rtnl_link_stats64 *s = &l.stats;

	memset(v, 0, NT_PHY_COUNTERS * sizeof(*v));
	if (nt_link_get(nt_run_tuple_values(r)->ifindex[0], &l))
		return;
	memcpy(v, (const uint64_t[NT_PHY_COUNTERS]){
		s->rx_over_errors, s->rx_crc_errors, s->rx_missed_errors, s->rx_fifo_errors, s->rx_frame_errors,
		s->rx_length_errors, s->tx_carrier_errors, s->tx_aborted_errors, s->tx_fifo_errors,
		s->rx_dropped, s->tx_dropped, s->rx_errors, s->tx_errors }, NT_PHY_COUNTERS * sizeof(*v));
}

static void read_drops(struct nt_run *r, struct nt_phy_drops *d)
{
	const struct nt_resolver *names = nt_run_names(r);
	int fd = nt_run_map_fd(r, "nt_phy_drops");
	uint32_t key, *prev = NULL;

	memset(d, 0, sizeof(*d));
	d->known = fd >= 0 && nt_run_hooked(r, "kfree_skb");
	while (fd >= 0 && d->n < NT_PHY_REASONS && !bpf_map_get_next_key(fd, prev, &key)) {
		const char *name = names->reason(names->ctx, key);

		snprintf(d->reason[d->n].name, sizeof(d->reason[0].name), "%s", name ? name : "-");
		if (!bpf_map_lookup_elem(fd, &key, &d->reason[d->n].count))
			d->n++;
		prev = &key;
	}
}

static void begin_figures(struct nt_run *r)
{
	struct phy *p = nt_run_priv(r);

	read_counters(r, p->counters);
	read_drops(r, &p->drops);
}

static void rises(struct nt_run *r, uint64_t *counters, struct nt_phy_drops *drops)
{
	struct phy *p = nt_run_priv(r);
	struct nt_phy_drops now;

	read_counters(r, counters);
	for (size_t i = 0; i < NT_PHY_COUNTERS; i++)
		counters[i] = counters[i] > p->counters[i] ? counters[i] - p->counters[i] : 0;
	read_drops(r, &now);
	*drops = (struct nt_phy_drops){ .known = now.known };
	for (size_t i = 0; i < now.n; i++) {
		for (size_t j = 0; j < p->drops.n; j++)
			if (!strcmp(p->drops.reason[j].name, now.reason[i].name))
				now.reason[i].count -= p->drops.reason[j].count;
		if (now.reason[i].count)
			drops->reason[drops->n++] = now.reason[i];
	}
}

/* ---- messages ---- */
static bool send_message(struct nt_run *r, const struct nt_phy_message *m, size_t size)
{
	struct phy *p = nt_run_priv(r);
	static uint8_t buf[65536];
	size_t n = nt_phy_put(m, buf, m->probe ? size : NT_PHY_MESSAGE);

	return n && sendto(p->fd, buf, n, 0, (void *)&p->to, p->to_len) == (ssize_t)n;
}

static void send_control(struct nt_run *r, enum nt_phy_type type)
{
	struct phy *p = nt_run_priv(r);

	send_message(r, &(struct nt_phy_message){ .type = type, .session = p->session }, 0);
}

static uint64_t time_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- receiver ---- */
static void begin_test(struct nt_run *r, const struct sockaddr_storage *from, socklen_t len, uint32_t session)
{
	struct phy *p = nt_run_priv(r);

	memset(&p->seen, 0, sizeof(p->seen));
	p->to = *from;
	p->to_len = len;
	p->session = session;
	p->state = SENDING;
	p->stray = 0;
	p->shown = false;
	p->overflow_start = p->overflow;
	p->tests++;
	begin_figures(r);
}

static void stats_of_test(struct nt_run *r, struct nt_phy_stats *s)
{
	struct phy *p = nt_run_priv(r);

	*s = (struct nt_phy_stats){ .received = p->seen.received, .lowest = p->seen.lowest,
		.highest = p->seen.highest, .out_of_order = p->seen.out_of_order, .extended = true,
		.session = p->session, .overflow = p->overflow - p->overflow_start,
		.duplicates = p->seen.duplicates };
	s->longest_run = p->seen.any ? nt_phy_seen_longest(&p->seen, p->seen.lowest, p->seen.highest) : 0;
	rises(r, s->counters, &s->drops);
}

static void stop_later(struct nt_run *r, int fd, void *arg)
{
	(void)fd;
	(void)arg;
	nt_run_stop(r);
}

static void answer(struct nt_run *r)
{
	struct nt_phy_message m = { .type = NT_PHY_STATS };
	struct phy *p = nt_run_priv(r);

	stats_of_test(r, &m.stats);
	send_message(r, &m, 0);
	p->state = DONE;
	if (p->shown)
		return;
	p->shown = true;
	nt_phy_show_stats(r, &m.stats, p->stray);
	nt_run_event_shown(r);
	if (opts_of(r)->once)			/* the answer may be lost: it is asked for again */
		nt_run_timer(r, 1000000000, 0, stop_later, NULL);
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	return a->ss_family == AF_INET ? a4->sin_addr.s_addr == b4->sin_addr.s_addr
				       : !memcmp(&a6->sin6_addr, &b6->sin6_addr, 16);
}

/* Another sender may begin when the one before is done or silent. */
static bool busy_with_another(struct nt_run *r, const struct sockaddr_storage *from)
{
	struct phy *p = nt_run_priv(r);

	return p->state == SENDING && !same_host(from, &p->to) && nt_now_ns() - p->last_ns < 3000000000ULL;
}

static void on_control(struct nt_run *r, const struct nt_phy_message *m, const struct sockaddr_storage *from,
		       socklen_t len)
{
	struct phy *p = nt_run_priv(r);

	if (m->type == NT_PHY_START && (!m->session || m->session != p->session || p->state == WAITING))
		begin_test(r, from, len, m->session);
	p->to = *from;
	p->to_len = len;
	if (m->type == NT_PHY_STATS_REQUEST)
		answer(r);
	else if (m->type == NT_PHY_START || m->type == NT_PHY_STOP)
		send_control(r, NT_PHY_ACK);
}

static void received(struct nt_run *r, const struct nt_phy_message *m, const struct sockaddr_storage *from,
		     socklen_t len)
{
	struct phy *p = nt_run_priv(r);

	if (busy_with_another(r, from) || (m->probe && p->state == DONE && !same_host(from, &p->to))) {
		p->stray++;
		return;
	}
	p->last_ns = nt_now_ns();
	if (!m->probe) {
		on_control(r, m, from, len);
		return;
	}
	if (p->state == WAITING)		/* its start was lost */
		begin_test(r, from, len, 0);
	nt_phy_seen_add(&p->seen, m->seq);
}

/* ---- sender ---- */
static void send_tick(struct nt_run *r, int fd, void *arg);

static void set_timer(struct nt_run *r, uint64_t first, uint64_t every)
{
	struct phy *p = nt_run_priv(r);

	if (p->timer > 0)
		nt_run_unwatch(r, p->timer);
	p->timer = nt_run_timer(r, first, every, send_tick, NULL);
	if (p->timer < 0)
		fail(r, "cannot make a timer", "probes", strerror(-p->timer));
}

static void send_probes(struct nt_run *r)
{
	struct phy *p = nt_run_priv(r);
	uint64_t ns = nt_now_ns() - p->begin_ns, due;

	if (ns >= opts_of(r)->send_ns)
		ns = opts_of(r)->send_ns;
	due = ns / 1000 * opts_of(r)->rate / 1000000;
	for (int i = 0; i < BATCH && p->next < due; i++) {
		const struct nt_phy_message m = { .probe = true, .seq = p->next, .time_us = time_us() };

		/* Refused by the kernel: it was sent, and lost here. */
		p->send_errors += !send_message(r, &m, opts_of(r)->size);
		p->next++;
	}
	if (ns < opts_of(r)->send_ns || p->next < due)
		return;
	p->state = SETTLING;
	send_control(r, NT_PHY_STOP);
	set_timer(r, SETTLE_NS, 0);
}

static void retry(struct nt_run *r, enum nt_phy_type type)
{
	struct phy *p = nt_run_priv(r);
	char addr[48];

	if (p->tries++ < TRIES) {
		send_control(r, type);
		return;
	}
	nt_fmt_addr(opts_of(r)->peer.addr, addr, sizeof(addr));
	if (p->state == ASKING) {
		nt_run_note(r, "nettrace phy_net_drop_detector: the receiver does not answer any more: %s", addr);
		nt_run_stop(r);
		return;
	}
	fail(r, "no answer from the receiver", addr, "start nettrace phy_net_drop_detector --mode receiver there");
}

static void send_tick(struct nt_run *r, int fd, void *arg)
{
	struct phy *p = nt_run_priv(r);

	(void)fd;
	(void)arg;
	if (p->state == STARTING) {
		retry(r, NT_PHY_START);
	} else if (p->state == SENDING) {
		send_probes(r);
	} else {
		if (p->state == SETTLING) {
			p->state = ASKING;
			p->tries = 0;
			set_timer(r, RETRY_NS, RETRY_NS);
		}
		retry(r, NT_PHY_STATS_REQUEST);
	}
}

static void answered(struct nt_run *r, const struct nt_phy_message *m)
{
	struct phy *p = nt_run_priv(r);

	if (m->type == NT_PHY_ACK && p->state == STARTING) {
		p->state = SENDING;
		begin_figures(r);
		p->begin_ns = nt_now_ns();
		set_timer(r, TICK_NS, TICK_NS);
	} else if (m->type == NT_PHY_STATS && p->state == ASKING &&
		   (!m->stats.extended || m->stats.session == p->session)) {
		p->result.peer = m->stats;
		p->result.answered = true;
		p->state = DONE;
		nt_run_stop(r);
	}
}

/* ---- the socket ---- */
static void read_overflow(struct phy *p, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
			memcpy(&p->overflow, CMSG_DATA(c), sizeof(p->overflow));
}

static void readable(struct nt_run *r, int fd, void *arg)
{
	bool receiver = opts_of(r)->mode == NT_PHY_MODE_RECEIVER;
	static uint8_t buf[2048];

	(void)arg;
	for (int i = 0; i < 256; i++) {		/* then the loop has its turn */
		struct sockaddr_storage from;
		_Alignas(8) char control[64];
		struct iovec v = { buf, sizeof(buf) };
		struct msghdr h = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1,
				    .msg_control = control, .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT);
		struct nt_phy_message m;

		if (n < 0)
			return;
		read_overflow(nt_run_priv(r), &h);
		if (nt_phy_parse(&m, buf, (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf)))
			continue;
		if (receiver)
			received(r, &m, &from, h.msg_namelen);
		else if (!m.probe)
			answered(r, &m);
	}
}

/* ---- the engine ---- */
/* Before the start line: who waits for it may send at once. */
static void baseline(struct nt_run *r)
{
	struct phy *p = nt_run_priv(r);
	struct nt_err err = { .text = "" };

	p->fd = -1;
	if (nt_phy_socket(r, &p->fd, &p->to, &p->to_len, &err))
		nt_run_fail(r, &err);
}

static void started(struct nt_run *r)
{
	struct phy *p = nt_run_priv(r);

	if (p->fd < 0)
		return;
	nt_run_watch(r, p->fd, readable, NULL);
	if (opts_of(r)->mode == NT_PHY_MODE_RECEIVER)
		return;
	p->session = (uint32_t)time_us() ^ (uint32_t)getpid() << 16;
	p->session += !p->session;
	p->state = STARTING;
	begin_figures(r);
	send_control(r, NT_PHY_START);
	set_timer(r, RETRY_NS, RETRY_NS);
}

static void end(struct nt_run *r)
{
	struct phy *p = nt_run_priv(r);

	if (opts_of(r)->mode == NT_PHY_MODE_RECEIVER) {
		nt_json_u64(nt_run_out(r), "tests", p->tests);
		return;
	}
	p->result.sent = p->next;
	p->result.threshold_pct = opts_of(r)->threshold_pct;
	nt_phy_show_result(r, &p->result, p->send_errors);
}

static void finish(struct nt_run *r)
{
	struct phy *p = nt_run_priv(r);

	if (opts_of(r)->mode == NT_PHY_MODE_SENDER)
		rises(r, p->result.counters, &p->result.drops);
}

static void release(struct nt_run *r)
{
	struct phy *p = nt_run_priv(r);

	if (p->fd > 0)
		close(p->fd);
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_drop_places *none = NULL;

	return nt_drop_prepare(r, &none, err);
}

const struct nt_engine nt_phy_engine = {
	.name = "phy",
	.priv_size = sizeof(struct phy),
	.configure = nt_drop_configure,
	.prepare = prepare,
	.baseline = baseline,
	.started = started,
	.finish = finish,
	.end = end,
	.release = release,
};
