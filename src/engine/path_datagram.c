/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Path engine: UDP datagrams, one way. A whole datagram is known by its ports,
 * IP id and length; among equal ones (id 0 with DF, IPv6) by the skb's address,
 * then by the checksum, then by age, which keeps the count right. Fragments are
 * one datagram by addresses and id: the bytes that came in are compared with
 * those that went out, as the pieces may differ (conntrack puts them together,
 * a smaller MTU cuts them).
 */
#include <stdlib.h>
#include <string.h>

#include "path.h"

enum { SUB_WHOLE, SUB_FRAGMENTS };
#define UDP_HLEN 8u
#define LOOK_AT 256	/* open entries that are compared for a datagram under a new id */

static void key_of(const struct nt_path_event *ev, struct nt_path_key *k)
{
	memset(k, 0, sizeof(*k));
	memcpy(k->src, ev->flow.saddr, 16);
	memcpy(k->dst, ev->flow.daddr, 16);
	k->id = ev->ip_id;
	k->kind = NT_PATH_DATAGRAM;
	if (ev->bits & NT_PATH_FRAG) {
		k->sub = SUB_FRAGMENTS;
		return;
	}
	k->sport = ev->flow.sport;
	k->dport = ev->flow.dport;
	k->len = (uint16_t)ev->len;
}

static bool live(const struct nt_path_entry *e)
{
	return e->state == NT_PATH_LIVE || e->state == NT_PATH_DOOMED;
}

/* ---- whole datagrams ---- */

static bool may_be(const struct nt_path_entry *e, const struct nt_path_event *ev, int stage)
{
	bool known = (ev->bits & NT_PATH_CSUM) && ev->l4_check;

	if (!live(e) || e->seen & 1u << stage)
		return false;
	/* sent before it was received: not the one */
	if (stage == NT_REQ_TX ? e->ts[NT_REQ_RX] > ev->ts_ns : e->ts[NT_REQ_TX] < ev->ts_ns)
		return false;
	return !known || !e->check_known || e->check == ev->l4_check;
}

/* The packet that this is a later (or, out of order, an earlier) record of. */
static struct nt_path_entry *partner(const struct nt_path *p, const struct nt_path_key *k,
				     const struct nt_path_event *ev, int stage)
{
	struct nt_path_entry *best = NULL, *same = NULL;

	for (struct nt_path_entry *e = nt_path_first(p, k); e; e = nt_path_next(e)) {
		if (!may_be(e, ev, stage))
			continue;
		/* the youngest of that address: a dropped one's is soon used again */
		if (e->skb == ev->skb && !e->drop)
			same = e;
		if (!best || (best->drop && !e->drop))
			best = e;
	}
	return same ? same : best;
}

/* A sent datagram that nobody waits for: seen twice, given up, or not received here. */
static bool known_end(struct nt_path *p, const struct nt_path_key *k)
{
	struct nt_path_entry *e = nt_path_first(p, k);

	for (; e; e = nt_path_next(e)) {
		if (e->state != NT_PATH_DONE)
			continue;
		if (e->verdict == NT_PATH_COMPLETE)
			p->count.duplicate++;
		else
			p->count.late++;
		return true;
	}
	return false;
}

static bool same_device_again(const struct nt_path_entry *e, const struct nt_path_event *ev,
			      int stage)
{
	return live(e) && (e->seen & 1u << stage) && e->skb == ev->skb &&
	       e->ifindex[stage] != ev->flow.ifindex && ev->ts_ns - e->ts[stage] < 1000000;
}

/* Stacked devices show one skb twice. */
static bool repassed(const struct nt_path *p, const struct nt_path_key *k,
		     const struct nt_path_event *ev, int stage)
{
	for (struct nt_path_entry *e = nt_path_first(p, k); e; e = nt_path_next(e))
		if (same_device_again(e, ev, stage))
			return true;
	return false;
}

static struct nt_path_entry *fragments_of(struct nt_path *p, const struct nt_path_event *ev);
static void fragment_bytes(struct nt_path *p, struct nt_path_entry *e,
			   const struct nt_path_event *ev, int stage);

static void whole(struct nt_path *p, const struct nt_path_event *ev, int stage)
{
	struct nt_path_entry *e;
	struct nt_path_key k;
	bool unique = ev->ip_id != 0;

	key_of(ev, &k);
	e = partner(p, &k, ev, stage);
	if (!e && stage == NT_REQ_TX) {
		if (known_end(p, &k))
			return;
		e = fragments_of(p, ev);	/* defragmented on the way */
		if (e) {
			fragment_bytes(p, e, ev, stage);
			return;
		}
	}
	if (!e) {
		if (repassed(p, &k, ev, stage))
			return;
		e = nt_path_new(p, &k, ev);
		nt_path_link(p, e);
	}
	nt_path_stamp(p, e, ev, stage);
	if (e->seen == (1u << NT_REQ_RX | 1u << NT_REQ_TX))
		/* of equal ones no tombstone is needed, and there may be many */
		nt_path_decide(p, e, NT_PATH_COMPLETE, unique);
}

/* GRO and senders with UDP_SEGMENT make one packet of many; the other side may see them singly. */
static void segments(struct nt_path *p, const struct nt_path_event *ev, int stage)
{
	struct nt_path_event one = *ev;
	uint32_t left = ev->len > UDP_HLEN ? ev->len - UDP_HLEN : 0;

	one.gso_size = one.gso_segs = 0;
	one.bits &= ~(uint32_t)NT_PATH_CSUM;
	while (left) {
		uint32_t n = left < ev->gso_size ? left : ev->gso_size;

		one.len = n + UDP_HLEN;
		one.udp_len = (uint16_t)one.len;
		whole(p, &one, stage);
		left -= n;
		if (ev->flow.ip_version == 4)
			one.ip_id = (one.ip_id + 1) & 0xffff;
	}
}

/* ---- fragments ---- */

static bool make_fragments(struct nt_path_entry *e)
{
	if (!e->frags)
		e->frags = calloc(1, sizeof(*e->frags));
	return e->frags;
}

static void fragment_bytes(struct nt_path *p, struct nt_path_entry *e,
			   const struct nt_path_event *ev, int stage)
{
	struct nt_path_frags *f;

	if (!make_fragments(e))
		return;
	f = e->frags;
	nt_ranges_add(stage == NT_REQ_RX ? &f->in : &f->out, ev->frag_off, ev->frag_off + ev->len);
	if (!(ev->bits & NT_PATH_MF))
		f->total = ev->frag_off + ev->len;
	if (f->total > e->len)
		e->len = (uint32_t)f->total;
	nt_path_stamp(p, e, ev, stage);
	if (f->total && f->in.n == 1 && !f->in.v[0].start && f->in.v[0].end >= f->total &&
	    f->out.n == 1 && !f->out.v[0].start && f->out.v[0].end >= f->total)
		nt_path_decide(p, e, NT_PATH_COMPLETE, true);
}

/* Fragments that came in, of a datagram that goes out whole: by id, else (IPv6 has none then)
 * by ports and length. */
static bool is_of(const struct nt_path_entry *e, const struct nt_path_event *ev)
{
	return e->key.sub == SUB_FRAGMENTS && !(e->seen & 1u << NT_REQ_TX) &&
	       (e->seen & 1u << NT_REQ_RX) && e->flow.sport == ev->flow.sport &&
	       e->flow.dport == ev->flow.dport && e->frags && e->frags->total == ev->udp_len &&
	       !memcmp(e->flow.saddr, ev->flow.saddr, 16) && !memcmp(e->flow.daddr, ev->flow.daddr, 16);
}

static struct nt_path_entry *fragments_of(struct nt_path *p, const struct nt_path_event *ev)
{
	struct nt_path_entry *e = p->list[NT_PATH_LIVE].tail;

	for (int i = 0; e && i < LOOK_AT; i++, e = e->prev)
		if (is_of(e, ev))
			return e;
	return NULL;
}

/* The first fragment has the ports; the key of the whole datagram follows from it. */
static struct nt_path_entry *whole_of(struct nt_path *p, const struct nt_path_event *ev)
{
	struct nt_path_event w = *ev;
	struct nt_path_key k;

	if (ev->frag_off || !ev->udp_len)
		return NULL;
	w.bits &= ~(uint32_t)(NT_PATH_FRAG | NT_PATH_MF | NT_PATH_CSUM);
	w.len = ev->udp_len;
	if (ev->flow.ip_version == 6)
		w.ip_id = 0;
	key_of(&w, &k);
	return partner(p, &k, &w, NT_REQ_TX);
}

/* A whole datagram is cut on the way out: its entry becomes one of fragments. */
static void cut(struct nt_path *p, struct nt_path_entry *e, const struct nt_path_key *k)
{
	if (!make_fragments(e))
		return;
	nt_ranges_add(&e->frags->in, 0, e->len);
	e->frags->total = e->len;
	nt_path_unlink(p, e);
	e->key = *k;
	nt_path_link(p, e);
	p->count.fragments++;
}

/* The entry that a sent fragment belongs to, if it has not come in under that id. */
static struct nt_path_entry *sent_of(struct nt_path *p, const struct nt_path_key *k,
				     const struct nt_path_event *ev)
{
	struct nt_path_entry *e = whole_of(p, ev), *alias;

	if (e) {
		cut(p, e, k);
		return e;
	}
	/* IPv6 gives a datagram that conntrack put together a new id */
	e = ev->flow.ip_version == 6 && !ev->frag_off ? fragments_of(p, ev) : NULL;
	if (!e)
		return NULL;
	alias = nt_path_new(p, k, ev);
	if (e->state == NT_PATH_FREE || e->whole)	/* it had to make room */
		return alias;
	nt_path_link(p, alias);
	alias->whole = e;
	alias->seq = e->ts[NT_REQ_RX];	/* e may become another packet's entry */
	return e;
}

static void learn_ports(struct nt_path_entry *e, const struct nt_path_event *ev)
{
	if (!(ev->pkt & NT_PKT_PORTS))
		return;
	e->flow.sport = ev->flow.sport;
	e->flow.dport = ev->flow.dport;
}

static void fragment(struct nt_path *p, const struct nt_path_event *ev, int stage)
{
	struct nt_path_entry *e;
	struct nt_path_key k;

	key_of(ev, &k);
	e = nt_path_first(p, &k);
	if (e && e->whole)
		e = live(e->whole) && e->whole->ts[NT_REQ_RX] == e->seq ? e->whole : NULL;
	if (!e && stage == NT_REQ_TX)
		e = sent_of(p, &k, ev);
	if (e && e->state == NT_PATH_DONE) {
		if (e->verdict == NT_PATH_COMPLETE)
			p->count.duplicate++;
		else
			p->count.late++;
		return;
	}
	if (!e) {
		e = nt_path_new(p, &k, ev);
		e->len = 0;
		nt_path_link(p, e);
		p->count.fragments++;
	}
	learn_ports(e, ev);
	fragment_bytes(p, e, ev, stage);
}

/* ---- records and verdicts ---- */

static void datagram_drop(struct nt_path *p, const struct nt_path_event *ev)
{
	struct nt_path_entry *e, *best = NULL;
	struct nt_path_key k;

	key_of(ev, &k);
	for (e = nt_path_first(p, &k); e; e = nt_path_next(e)) {
		if (e->whole)
			continue;
		if (live(e) && !(e->drop && !e->frags) && (!best || e->skb == ev->skb))
			best = e;
	}
	if (best)
		nt_path_dropped(p, best, ev);
}

void nt_path_datagram(struct nt_path *p, const struct nt_path_event *ev)
{
	int stage = nt_path_stage(ev);

	if (ev->hook == NT_PATH_DROP)
		datagram_drop(p, ev);
	else if (stage < 0 || stage > NT_REQ_TX)
		return;
	else if (ev->bits & NT_PATH_FRAG)
		fragment(p, ev, stage);
	else if (ev->gso_size)
		segments(p, ev, stage);
	else
		whole(p, ev, stage);
}

static bool port_in(const struct nt_ports *want, __be16 port)
{
	uint16_t v = __builtin_bswap16(port);

	return !want->set || (v >= want->low && v <= want->high);
}

static enum nt_path_verdict fragments_verdict(struct nt_path_entry *e)
{
	struct nt_ranges missing = e->frags->in;
	bool whole_in = e->frags->total && missing.n == 1 && !missing.v[0].start &&
			missing.v[0].end >= e->frags->total;

	for (uint32_t i = 0; i < e->frags->out.n; i++)
		nt_ranges_sub(&missing, e->frags->out.v[i].start, e->frags->out.v[i].end);
	e->lost_bytes = nt_ranges_bytes(&missing);
	if (!missing.n)
		return whole_in ? NT_PATH_COMPLETE : NT_PATH_UPSTREAM;
	if (e->frags->out.n)
		return NT_PATH_PARTIAL_FRAG;
	/* Nothing went out. Did it wait here for a fragment that never came (conntrack)? */
	return whole_in || e->drop ? NT_PATH_INTERNAL : NT_PATH_UPSTREAM;
}

enum nt_path_verdict nt_path_datagram_verdict(const struct nt_path *p, struct nt_path_entry *e)
{
	if (!port_in(&p->sport, e->flow.sport) || !port_in(&p->dport, e->flow.dport))
		return NT_PATH_UNWANTED;	/* fragments whose first one was not of the filter */
	if (e->frags)
		return fragments_verdict(e);
	e->lost_bytes = e->len;
	return NT_PATH_INTERNAL;
}
