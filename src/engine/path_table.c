/* SPDX-License-Identifier: GPL-2.0 */
/* Path engine: the table of packets, its bound, timeouts and verdicts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "path.h"

#define GRACE_MAX_NS 250000000ULL
#define GRACE_MIN_NS 1000000ULL

/* ---- ranges ---- */

static void remove_range(struct nt_ranges *r, uint32_t i)
{
	memmove(&r->v[i], &r->v[i + 1], (r->n - i - 1) * sizeof(r->v[0]));
	r->n--;
}

static void insert_range(struct nt_ranges *r, uint32_t i, uint64_t start, uint64_t end)
{
	memmove(&r->v[i + 1], &r->v[i], (r->n - i) * sizeof(r->v[0]));
	r->v[i] = (struct nt_range){ start, end };
	r->n++;
}

uint64_t nt_ranges_bytes(const struct nt_ranges *r)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < r->n; i++)
		sum += r->v[i].end - r->v[i].start;
	return sum;
}

static void close_nearest(struct nt_ranges *r)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i + 1 < r->n; i++)
		if (r->v[i + 1].start - r->v[i].end < r->v[best + 1].start - r->v[best].end)
			best = i;
	r->v[best].end = r->v[best + 1].end;
	remove_range(r, best + 1);
}

uint64_t nt_ranges_add(struct nt_ranges *r, uint64_t start, uint64_t end)
{
	uint64_t before = nt_ranges_bytes(r);
	uint32_t i = 0;

	if (start >= end)
		return 0;
	while (i < r->n && r->v[i].end < start)
		i++;
	while (i < r->n && r->v[i].start <= end) {	/* overlaps or touches */
		if (r->v[i].start < start)
			start = r->v[i].start;
		if (r->v[i].end > end)
			end = r->v[i].end;
		remove_range(r, i);
	}
	if (r->n == NT_PATH_RANGES) {
		close_nearest(r);
		return nt_ranges_add(r, start, end) + nt_ranges_bytes(r) - before;
	}
	insert_range(r, i, start, end);
	return nt_ranges_bytes(r) - before;
}

uint64_t nt_ranges_sub(struct nt_ranges *r, uint64_t start, uint64_t end)
{
	uint64_t before = nt_ranges_bytes(r);

	for (uint32_t i = 0; i < r->n;) {
		struct nt_range *v = &r->v[i];

		if (v->end <= start || v->start >= end) {
			i++;
		} else if (v->start >= start && v->end <= end) {
			remove_range(r, i);
		} else if (v->start < start && v->end > end) {
			if (r->n < NT_PATH_RANGES) {
				insert_range(r, i + 1, end, v->end);
				r->v[i].end = start;
			}
			break;
		} else {
			if (v->start < start)
				v->end = start;
			else
				v->start = end;
			i++;
		}
	}
	return before - nt_ranges_bytes(r);
}

/* ---- lists and the hash ---- */

static void list_append(struct nt_path_list *l, struct nt_path_entry *e)
{
	e->prev = l->tail;
	e->next = NULL;
	if (l->tail)
		l->tail->next = e;
	else
		l->head = e;
	l->tail = e;
}

static void list_remove(struct nt_path_list *l, struct nt_path_entry *e)
{
	if (e->prev)
		e->prev->next = e->next;
	else
		l->head = e->next;
	if (e->next)
		e->next->prev = e->prev;
	else
		l->tail = e->prev;
}

static void set_state(struct nt_path *p, struct nt_path_entry *e, enum nt_path_state state)
{
	if (e->state != NT_PATH_FREE)
		list_remove(&p->list[e->state], e);
	e->state = (uint8_t)state;
	if (state != NT_PATH_FREE)
		list_append(&p->list[state], e);
}

static struct nt_path_bucket *bucket_of(const struct nt_path *p, const struct nt_path_key *k)
{
	const uint8_t *b = (const void *)k;
	uint64_t h = 14695981039346656037ULL, w;

	for (size_t i = 0; i + 4 <= sizeof(*k); i += 4) {
		w = 0;
		memcpy(&w, b + i, 4);
		h = (h ^ w) * 1099511628211ULL;
		h ^= h >> 29;
	}
	return &p->bucket[h & (p->buckets - 1)];
}

static bool same_key(const struct nt_path_key *a, const struct nt_path_key *b)
{
	return !memcmp(a, b, sizeof(*a));
}

struct nt_path_entry *nt_path_first(const struct nt_path *p, const struct nt_path_key *k)
{
	struct nt_path_entry *e = bucket_of(p, k)->head;

	while (e && !same_key(&e->key, k))
		e = e->chain_next;
	return e;
}

struct nt_path_entry *nt_path_next(const struct nt_path_entry *e)
{
	struct nt_path_entry *n = e->chain_next;

	while (n && !same_key(&n->key, &e->key))
		n = n->chain_next;
	return n;
}

void nt_path_link(struct nt_path *p, struct nt_path_entry *e)
{
	struct nt_path_bucket *b = bucket_of(p, &e->key);

	e->chain_prev = b->tail;
	e->chain_next = NULL;
	if (b->tail)
		b->tail->chain_next = e;
	else
		b->head = e;
	b->tail = e;
}

void nt_path_unlink(struct nt_path *p, struct nt_path_entry *e)
{
	struct nt_path_bucket *b = bucket_of(p, &e->key);

	if (!e->chain_prev && b->head != e)
		return;			/* not linked */
	if (e->chain_prev)
		e->chain_prev->chain_next = e->chain_next;
	else
		b->head = e->chain_next;
	if (e->chain_next)
		e->chain_next->chain_prev = e->chain_prev;
	else
		b->tail = e->chain_prev;
	e->chain_prev = e->chain_next = NULL;
}

/* ---- entries ---- */

/* A clone may die while the packet itself goes on: a drop counts when nothing follows so long. */
uint64_t nt_path_grace_ns(uint64_t timeout_ns)
{
	uint64_t ns = timeout_ns / 4;

	return ns > GRACE_MAX_NS ? GRACE_MAX_NS : ns < GRACE_MIN_NS ? GRACE_MIN_NS : ns;
}

int nt_path_init(struct nt_path *p, enum nt_path_kind kind, uint32_t max, uint64_t timeout_ns)
{
	p->kind = kind;
	p->max = max;
	p->timeout_ns = timeout_ns;
	p->grace_ns = nt_path_grace_ns(timeout_ns);
	for (p->buckets = 1024; p->buckets < max && p->buckets < 1u << 24;)
		p->buckets *= 2;
	p->pool = calloc(max, sizeof(*p->pool));	/* touched as it is used */
	p->bucket = calloc(p->buckets, sizeof(*p->bucket));
	return p->pool && p->bucket ? 0 : -ENOMEM;
}

static void release_parts(struct nt_path_entry *e)
{
	free(e->drop);
	free(e->frags);
	free(e->need);
	e->drop = NULL;
	e->frags = NULL;
	e->need = NULL;
}

void nt_path_free(struct nt_path *p)
{
	nt_path_stream_free(p);
	for (uint32_t i = 0; p->pool && i < p->used; i++)
		release_parts(&p->pool[i]);
	free(p->pool);
	free(p->bucket);
	p->pool = NULL;
	p->bucket = NULL;
}

void nt_path_remove(struct nt_path *p, struct nt_path_entry *e)
{
	nt_path_stream_detach(e);
	nt_path_unlink(p, e);
	release_parts(e);
	set_state(p, e, NT_PATH_FREE);
	e->next = p->free;
	p->free = e;
}

static struct nt_path_entry *take(struct nt_path *p)
{
	struct nt_path_entry *e;

	if (!p->free && p->used == p->max) {
		if (p->list[NT_PATH_DONE].head)		/* a tombstone is no loss */
			nt_path_remove(p, p->list[NT_PATH_DONE].head);
		else if (p->list[NT_PATH_LIVE].head)
			nt_path_decide(p, p->list[NT_PATH_LIVE].head, NT_PATH_EVICTED, false);
		else
			nt_path_decide(p, p->list[NT_PATH_DOOMED].head, NT_PATH_EVICTED, false);
	}
	if (!p->free)
		return &p->pool[p->used++];
	e = p->free;
	p->free = e->next;
	return e;
}

struct nt_path_entry *nt_path_new(struct nt_path *p, const struct nt_path_key *k,
				  const struct nt_path_event *ev)
{
	struct nt_path_entry *e = take(p);

	memset(e, 0, sizeof(*e));
	e->key = *k;
	e->wanted = true;
	e->flow = ev->flow;
	if (ev->bits & NT_PATH_REPLY) {
		memcpy(e->flow.saddr, ev->flow.daddr, 16);
		memcpy(e->flow.daddr, ev->flow.saddr, 16);
		e->flow.sport = ev->flow.dport;
		e->flow.dport = ev->flow.sport;
	}
	e->len = ev->len;
	e->ip_id = ev->ip_id;
	e->tcp_flags = ev->tcp_flags;
	e->gso_size = ev->gso_size;
	e->check = ev->l4_check;
	e->check_known = (ev->bits & NT_PATH_CSUM) && ev->l4_check;
	e->reply = ev->bits & NT_PATH_REPLY;
	e->skb = ev->skb;
	e->last_ns = ev->ts_ns;
	set_state(p, e, NT_PATH_LIVE);
	return e;
}

static int first_stage(const struct nt_path_entry *e)
{
	return e->reply ? NT_REP_RX : NT_REQ_RX;
}

void nt_path_stamp(struct nt_path *p, struct nt_path_entry *e, const struct nt_path_event *ev,
		   int stage)
{
	if (ev->ts_ns > e->last_ns)
		e->last_ns = ev->ts_ns;
	e->skb = ev->skb;
	set_state(p, e, NT_PATH_LIVE);		/* to the end of the list; alive after all */
	if (e->seen & 1u << stage)
		return;
	e->seen |= (uint8_t)(1u << stage);
	e->ts[stage] = ev->ts_ns;
	e->ifindex[stage] = ev->flow.ifindex;
	if (stage != first_stage(e))
		return;
	e->wanted = ev->bits & NT_PATH_EXPR;
	if (e->wanted && !e->control)
		p->count.total++;
}

void nt_path_dropped(struct nt_path *p, struct nt_path_entry *e, const struct nt_path_event *ev)
{
	if (!e->drop)
		e->drop = malloc(sizeof(*e->drop));
	if (!e->drop)
		return;
	*e->drop = *ev;
	if (e->state != NT_PATH_LIVE)
		return;
	if (ev->ts_ns > e->last_ns)
		e->last_ns = ev->ts_ns;
	set_state(p, e, NT_PATH_DOOMED);
}

/* ---- verdicts ---- */

bool nt_path_is_loss(enum nt_path_verdict v)
{
	return v >= NT_PATH_REQ_INTERNAL && v <= NT_PATH_PARTIAL_FRAG;
}

static bool tracked(const struct nt_path_entry *e)
{
	return e->wanted && (e->seen & 1u << first_stage(e));
}

/* An end without a start, if its start had the time to be seen. */
static enum nt_path_verdict untracked(const struct nt_path_entry *e, enum nt_path_verdict v)
{
	if (!e->wanted || e->whole || v == NT_PATH_OPEN_AT_END || v == NT_PATH_EVICTED)
		return NT_PATH_UNWANTED;
	return NT_PATH_UNMATCHED;
}

static void count_control(struct nt_path_counts *c, enum nt_path_verdict v)
{
	if (v == NT_PATH_COMPLETE)
		c->control_complete++;
	else if (nt_path_is_loss(v))
		c->control_lost++;
	else
		c->control_other++;
}

void nt_path_decide(struct nt_path *p, struct nt_path_entry *e, enum nt_path_verdict v, bool keep)
{
	if (!tracked(e))
		v = untracked(e, v);
	else if (nt_path_is_loss(v) && p->records_lost_ns >= e->last_ns)
		v = NT_PATH_UNCERTAIN;
	else if (v == NT_PATH_UNWANTED)		/* turned out not to be of the filter */
		p->count.total--;
	if (nt_path_is_loss(v))
		p->count.lost_bytes += e->lost_bytes;
	e->verdict = (uint8_t)v;
	if (e->control && tracked(e))
		count_control(&p->count, v);
	else
		p->count.verdict[v]++;
	if (p->decided && (v == NT_PATH_COMPLETE || nt_path_is_loss(v)))
		p->decided(p->arg, e);
	if (!keep || v == NT_PATH_UNMATCHED) {
		nt_path_remove(p, e);
		return;
	}
	nt_path_stream_detach(e);
	release_parts(e);
	set_state(p, e, NT_PATH_DONE);
}

static enum nt_path_verdict verdict_of(struct nt_path *p, struct nt_path_entry *e)
{
	switch (p->kind) {
	case NT_PATH_ECHO: return nt_path_echo_verdict(p, e);
	case NT_PATH_DATAGRAM: return nt_path_datagram_verdict(p, e);
	case NT_PATH_STREAM: return nt_path_stream_verdict(p, e);
	}
	return NT_PATH_UNDECIDED;
}

int nt_path_stage(const struct nt_path_event *ev)
{
	bool reply = ev->bits & NT_PATH_REPLY;

	if (ev->sides == (NT_PATH_RX | NT_PATH_TX))	/* out by the device it came in by */
		return ev->hook == NT_PATH_RECEIVE ? (reply ? NT_REP_RX : NT_REQ_RX)
						   : (reply ? NT_REP_TX : NT_REQ_TX);
	/* An OVS internal port or a bridge on top receives what the host gets, and sends what the
	 * host sends: so the side tells the stage, not the hook. */
	if (ev->sides == NT_PATH_RX)
		return reply ? NT_REP_TX : NT_REQ_RX;
	if (ev->sides == NT_PATH_TX)
		return reply ? NT_REP_RX : NT_REQ_TX;
	return -1;
}

void nt_path_record(struct nt_path *p, const struct nt_path_event *ev)
{
	switch (p->kind) {
	case NT_PATH_ECHO: nt_path_echo(p, ev); break;
	case NT_PATH_DATAGRAM: nt_path_datagram(p, ev); break;
	case NT_PATH_STREAM: nt_path_stream(p, ev); break;
	}
}

void nt_path_sweep(struct nt_path *p, uint64_t now)
{
	const bool keep = p->kind != NT_PATH_STREAM;	/* ranges tell what comes late */
	struct nt_path_entry *e;

	while ((e = p->list[NT_PATH_DOOMED].head) && e->last_ns + p->grace_ns <= now)
		nt_path_decide(p, e, verdict_of(p, e), keep);
	while ((e = p->list[NT_PATH_LIVE].head) && e->last_ns + p->timeout_ns <= now)
		nt_path_decide(p, e, verdict_of(p, e), keep);
	while ((e = p->list[NT_PATH_DONE].head) && e->last_ns + 2 * p->timeout_ns <= now)
		nt_path_remove(p, e);
}

void nt_path_finish(struct nt_path *p)
{
	struct nt_path_entry *e;

	while ((e = p->list[NT_PATH_DOOMED].head))
		nt_path_decide(p, e, verdict_of(p, e), false);
	while ((e = p->list[NT_PATH_LIVE].head))
		nt_path_decide(p, e, NT_PATH_OPEN_AT_END, false);
}

uint64_t nt_path_unfinished(const struct nt_path *p)
{
	uint64_t n = p->count.total;

	for (int v = 0; v < NT_PATH_UNMATCHED; v++)
		n -= p->count.verdict[v];
	return n;
}
