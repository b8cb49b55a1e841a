/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Path engine: TCP, by ranges of sequence numbers. A received segment waits
 * until all its bytes were sent, in whatever pieces (GRO and TSO change them);
 * then, unless one way only matters, until an ACK that covers it comes back to
 * the device where it left. Data that comes in again after it was forwarded was
 * lost beyond us; if its ACK has gone through us already, it was sent again for
 * nothing. Segments that occupy no sequence number (ACK, RST) are matched one
 * by one and counted apart, as "control".
 */
#include <stdlib.h>

#include "path.h"

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

/* Sequence numbers wrap; these do not. */
static uint64_t unwrap(const struct nt_path_dir *d, uint32_t seq)
{
	if (!d->started)
		return (1ULL << 32) + seq;
	return d->high + (uint64_t)(int64_t)(int32_t)(seq - (uint32_t)d->high);
}

/* ---- an entry's place in its direction ---- */

static struct nt_path_list *list_of(struct nt_path_entry *e)
{
	return e->forwarded ? &e->dir->unacked : &e->dir->waiting;
}

static void insert_after(struct nt_path_list *l, struct nt_path_entry *at, struct nt_path_entry *e)
{
	e->dir_prev = at;
	e->dir_next = at ? at->dir_next : l->head;
	if (e->dir_next)
		e->dir_next->dir_prev = e;
	else
		l->tail = e;
	if (at)
		at->dir_next = e;
	else
		l->head = e;
}

static void unhook(struct nt_path_entry *e)
{
	struct nt_path_list *l = list_of(e);

	if (e->dir_prev)
		e->dir_prev->dir_next = e->dir_next;
	else
		l->head = e->dir_next;
	if (e->dir_next)
		e->dir_next->dir_prev = e->dir_prev;
	else
		l->tail = e->dir_prev;
}

void nt_path_stream_detach(struct nt_path_entry *e)
{
	if (!e->dir)
		return;
	unhook(e);
	e->dir->flow->entries--;
	e->dir = NULL;
}

static void await_ack(struct nt_path_entry *e)
{
	struct nt_path_entry *at;

	unhook(e);
	e->forwarded = true;
	for (at = e->dir->unacked.tail; at && at->end > e->end;)
		at = at->dir_prev;
	insert_after(&e->dir->unacked, at, e);
}

/* ---- data ---- */

static bool overlaps(const struct nt_path_entry *e, uint64_t start, uint64_t end)
{
	return e->seq < end && e->end > start;
}

static uint64_t segments_in(const struct nt_path_entry *e, uint64_t bytes)
{
	return e->gso_size ? (bytes + e->gso_size - 1) / e->gso_size : 1;
}

/* Data that comes in again: was it forwarded before? */
static void seen_again(struct nt_path *p, struct nt_path_dir *d, const struct nt_path_event *ev,
		       uint64_t start, uint64_t end)
{
	uint64_t segs = ev->gso_segs ? ev->gso_segs : 1;
	bool lost = false;

	for (struct nt_path_entry *e = d->unacked.tail; e && e->end > start; e = e->dir_prev) {
		if (!overlaps(e, start, end))
			continue;
		e->resent = lost = true;
		e->lost_bytes = (e->end < end ? e->end : end) - (e->seq > start ? e->seq : start);
	}
	if (lost)
		p->count.external_segments += segs;
	else if (end <= d->acked)
		p->count.spurious_segments += segs;
}

static void data_in(struct nt_path *p, struct nt_path_flow *f, const struct nt_path_event *ev,
		    uint64_t start, uint64_t end, int stage)
{
	struct nt_path_dir *d = &f->dir[!!(ev->bits & NT_PATH_REPLY)];
	struct nt_path_entry *e = d->waiting.tail;
	struct nt_path_key k = f->key;

	if (e && e->skb == ev->skb && e->seq == start && e->end == end &&
	    e->ifindex[stage] != ev->flow.ifindex)
		return;			/* stacked devices */
	f->entries++;			/* so that it stays when room is made */
	if (!p->one_way)
		seen_again(p, d, ev, start, end);
	e = nt_path_new(p, &k, ev);
	e->dir = d;
	e->seq = start;
	e->end = end;
	e->ip_id = ev->ip_id;
	e->key.seq = ev->tcp_seq;
	insert_after(&d->waiting, d->waiting.tail, e);
	if (!d->started || end > d->high)
		d->high = end;
	d->started = true;
	nt_path_stamp(p, e, ev, stage);
}

/* The part of [*start, *end) that e waits for is forwarded now. Returns its bytes. */
static uint64_t take_bytes(struct nt_path_entry *e, uint64_t start, uint64_t end)
{
	uint64_t n;

	if (!e->need && start <= e->seq && end >= e->end)
		return e->end - e->seq;
	if (!e->need) {
		e->need = calloc(1, sizeof(*e->need));
		if (!e->need)
			return 0;
		nt_ranges_add(e->need, e->seq, e->end);
	}
	n = nt_ranges_sub(e->need, start, end);
	return n;
}

static bool all_forwarded(const struct nt_path_entry *e, uint64_t taken)
{
	return e->need ? !e->need->n : taken == e->end - e->seq;
}

static void forwarded(struct nt_path *p, struct nt_path_entry *e, const struct nt_path_event *ev,
		      int stage)
{
	nt_path_stamp(p, e, ev, stage);
	if (p->one_way || e->end <= e->dir->acked)
		nt_path_decide(p, e, NT_PATH_COMPLETE, false);
	else
		await_ack(e);
}

/* Gives the bytes of [start, end) to e, as far as it waits for them; *left is what is over. */
static void give(struct nt_path *p, struct nt_path_entry *e, const struct nt_path_event *ev,
		 struct nt_ranges *left, int stage)
{
	struct nt_ranges offer = *left, before;
	uint64_t taken = 0;

	if (e->need)
		before = *e->need;
	else
		before = (struct nt_ranges){ 1, { { e->seq, e->end } } };
	for (uint32_t i = 0; i < offer.n; i++)
		taken += take_bytes(e, offer.v[i].start, offer.v[i].end);
	if (!taken)
		return;
	/* what it took: what it needed and needs no more */
	for (uint32_t i = 0; e->need && i < e->need->n; i++)
		nt_ranges_sub(&before, e->need->v[i].start, e->need->v[i].end);
	for (uint32_t i = 0; i < before.n; i++)
		nt_ranges_sub(left, before.v[i].start, before.v[i].end);
	if (all_forwarded(e, taken))
		forwarded(p, e, ev, stage);
	else
		e->last_ns = ev->ts_ns;
}

static void data_out(struct nt_path *p, struct nt_path_flow *f, const struct nt_path_event *ev,
		     uint64_t start, uint64_t end, int stage)
{
	struct nt_path_dir *d = &f->dir[!!(ev->bits & NT_PATH_REPLY)];
	struct nt_ranges left = { 1, { { start, end } } };
	struct nt_path_entry *e, *next;

	/* the youngest: the address of an skb that was dropped is soon another one's */
	for (e = d->waiting.tail; e; e = e->dir_prev) {
		if (e->skb != ev->skb || !overlaps(e, start, end))
			continue;
		give(p, e, ev, &left, stage);
		break;
	}
	for (int dropped = 0; dropped < 2; dropped++) {
		for (e = d->waiting.head; e && left.n; e = next) {
			next = e->dir_next;
			if (overlaps(e, start, end) && !!e->drop == dropped)
				give(p, e, ev, &left, stage);
		}
	}
	/* bytes nobody waits for: of a stacked device's second look, or never received here */
	if (left.n && (!d->started || left.v[0].start >= d->high))
		p->count.verdict[NT_PATH_UNMATCHED]++;
}

/* ---- acknowledgements ---- */

/* A reset connection: nothing is acknowledged any more. */
static void reset(struct nt_path *p, struct nt_path_flow *f)
{
	struct nt_path_entry *e;

	for (int i = 0; i < 2; i++)
		while ((e = f->dir[i].unacked.head))
			nt_path_decide(p, e, e->resent ? NT_PATH_EXTERNAL : NT_PATH_COMPLETE, false);
}

static void acknowledged(struct nt_path *p, struct nt_path_flow *f, const struct nt_path_event *ev)
{
	struct nt_path_dir *d = &f->dir[!(ev->bits & NT_PATH_REPLY)];
	struct nt_path_entry *e;
	uint64_t ack;

	if (!(ev->tcp_flags & TCP_ACK) || p->one_way || !d->started)
		return;
	ack = unwrap(d, ev->tcp_ack);
	if (ack <= d->acked || ack > d->high + (1u << 30))
		return;
	d->acked = ack;
	while ((e = d->unacked.head) && e->end <= ack) {
		/* the third stage is where the ACK came in */
		if (!e->reply && !e->resent) {
			e->ts[NT_REP_RX] = ev->ts_ns;
			e->ifindex[NT_REP_RX] = ev->flow.ifindex;
			e->seen |= 1u << NT_REP_RX;
		}
		nt_path_decide(p, e, e->resent ? NT_PATH_EXTERNAL : NT_PATH_COMPLETE, false);
	}
}

/* ---- segments without data ---- */

static void control_key(const struct nt_path_event *ev, struct nt_path_key *k)
{
	nt_path_flow_key(ev, k);
	k->id = ev->ip_id;
	k->seq = ev->tcp_seq;
	k->ack = ev->tcp_ack;
	k->len = ev->tcp_flags;
	k->sub = ev->bits & NT_PATH_REPLY ? 2 : 1;
}

static struct nt_path_entry *control_entry(struct nt_path *p, const struct nt_path_key *k,
					   uint64_t skb)
{
	struct nt_path_entry *best = NULL;

	for (struct nt_path_entry *e = nt_path_first(p, k); e; e = nt_path_next(e)) {
		if (e->state == NT_PATH_DONE)
			continue;
		if (e->skb == skb)
			return e;
		if (!best)
			best = e;
	}
	return best;
}

static void control(struct nt_path *p, const struct nt_path_event *ev, int stage)
{
	bool in = stage == NT_REQ_RX || stage == NT_REP_RX;
	struct nt_path_entry *e;
	struct nt_path_key k;

	control_key(ev, &k);
	e = control_entry(p, &k, ev->skb);
	if (in) {
		if (e && e->skb == ev->skb && e->ifindex[stage] != ev->flow.ifindex)
			return;
		e = nt_path_new(p, &k, ev);
		e->control = true;
		nt_path_link(p, e);
		nt_path_stamp(p, e, ev, stage);
		if (e->wanted)
			p->count.control++;
		return;
	}
	if (!e)
		return;		/* a second look at stacked devices, or this host's own (reject) */
	nt_path_stamp(p, e, ev, stage);
	nt_path_decide(p, e, NT_PATH_COMPLETE, false);
}

/* ---- records and verdicts ---- */

static struct nt_path_entry *dropped_entry(struct nt_path_dir *d, const struct nt_path_event *ev,
					   uint64_t start, uint64_t end)
{
	struct nt_path_entry *best = NULL;

	for (struct nt_path_entry *e = d->waiting.tail; e; e = e->dir_prev) {
		if (!overlaps(e, start, end) || e->drop)
			continue;
		if (e->skb == ev->skb)
			return e;
		best = e;
	}
	for (struct nt_path_entry *e = d->unacked.tail; e && e->end > start; e = e->dir_prev)
		if (overlaps(e, start, end) && (!best || e->skb == ev->skb))
			best = e;
	return best;
}

static void stream_drop(struct nt_path *p, const struct nt_path_event *ev, uint64_t bytes)
{
	struct nt_path_entry *e = NULL;
	struct nt_path_flow *f;
	struct nt_path_key k;

	nt_path_flow_key(ev, &k);
	f = nt_path_flow_of(p, &k, false);
	if (bytes && f) {
		struct nt_path_dir *d = &f->dir[!!(ev->bits & NT_PATH_REPLY)];
		uint64_t start = unwrap(d, ev->tcp_seq);

		e = dropped_entry(d, ev, start, start + bytes);
	} else if (!bytes) {
		control_key(ev, &k);
		e = control_entry(p, &k, ev->skb);
	}
	if (e)
		nt_path_dropped(p, e, ev);
}

/* A new connection with the ports of an old one. */
static void restart(struct nt_path_dir *d)
{
	if (d->waiting.head || d->unacked.head)
		return;			/* a SYN that is sent again */
	d->started = false;
	d->acked = 0;
}

void nt_path_stream(struct nt_path *p, const struct nt_path_event *ev)
{
	uint64_t bytes = ev->len > ev->tcp_hlen ? ev->len - ev->tcp_hlen : 0, start;
	int stage = nt_path_stage(ev);
	struct nt_path_flow *f;
	struct nt_path_key k;

	if (!ev->tcp_hlen)
		return;			/* its header could not be read */
	bytes += !!(ev->tcp_flags & TCP_SYN) + !!(ev->tcp_flags & TCP_FIN);
	if (ev->tcp_flags & TCP_RST)
		bytes = 0;
	if (ev->hook == NT_PATH_DROP) {
		stream_drop(p, ev, bytes);
		return;
	}
	if (stage < 0)
		return;
	nt_path_flow_key(ev, &k);
	f = nt_path_flow_of(p, &k, true);
	if (!f)
		return;
	if (ev->tcp_flags & TCP_SYN)
		restart(&f->dir[!!(ev->bits & NT_PATH_REPLY)]);
	if (stage == NT_REQ_RX || stage == NT_REP_RX)
		acknowledged(p, f, ev);
	if (ev->tcp_flags & TCP_RST)
		reset(p, f);
	if (!bytes) {
		control(p, ev, stage);
		return;
	}
	start = unwrap(&f->dir[!!(ev->bits & NT_PATH_REPLY)], ev->tcp_seq);
	if (stage == NT_REQ_RX || stage == NT_REP_RX)
		data_in(p, f, ev, start, start + bytes, stage);
	else
		data_out(p, f, ev, start, start + bytes, stage);
}

enum nt_path_verdict nt_path_stream_verdict(struct nt_path *p, struct nt_path_entry *e)
{
	enum nt_path_verdict internal = e->reply ? NT_PATH_REP_INTERNAL : NT_PATH_REQ_INTERNAL;

	if (e->control)
		return internal;
	if (p->records_lost_ns >= e->last_ns)
		return internal;	/* nothing is counted: it becomes uncertain */
	if (e->forwarded) {
		if (!e->resent) {
			e->lost_bytes = e->end - e->seq;
			p->count.external_segments += segments_in(e, e->lost_bytes);
		}
		return NT_PATH_EXTERNAL;
	}
	e->lost_bytes = e->need ? nt_ranges_bytes(e->need) : e->end - e->seq;
	p->count.internal_segments += segments_in(e, e->lost_bytes);
	return internal;
}
