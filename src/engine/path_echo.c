/* SPDX-License-Identifier: GPL-2.0 */
/* Path engine: echo requests and their replies, known by addresses, id and sequence number. */
#include <string.h>

#include "path.h"

static void key_of(const struct nt_path_event *ev, struct nt_path_key *k)
{
	bool reply = ev->bits & NT_PATH_REPLY;

	memset(k, 0, sizeof(*k));
	memcpy(k->src, reply ? ev->flow.daddr : ev->flow.saddr, 16);
	memcpy(k->dst, reply ? ev->flow.saddr : ev->flow.daddr, 16);
	k->id = ev->flow.icmp_id;
	k->seq = ev->flow.icmp_seq;
	k->kind = NT_PATH_ECHO;
}

static bool complete(const struct nt_path *p, const struct nt_path_entry *e)
{
	uint8_t ends = p->one_way ? 1u << NT_REQ_RX | 1u << NT_REQ_TX : 1u << NT_REQ_RX | 1u << NT_REP_TX;

	return (e->seen & ends) == ends;
}

/* A finished one's number is used again: a new ping, or the old one late. */
static struct nt_path_entry *begin(struct nt_path *p, const struct nt_path_key *k,
				   struct nt_path_entry *old, const struct nt_path_event *ev, int stage)
{
	struct nt_path_entry *e;

	if (old && stage != NT_REQ_RX) {
		if (old->seen & 1u << stage || old->verdict == NT_PATH_COMPLETE)
			p->count.duplicate++;
		else
			p->count.late++;
		return NULL;
	}
	if (old)
		nt_path_remove(p, old);
	e = nt_path_new(p, k, ev);
	e->reply = false;	/* one entry for both ways */
	nt_path_link(p, e);
	return e;
}

static void echo_drop(struct nt_path *p, struct nt_path_entry *e, const struct nt_path_event *ev)
{
	bool answered = e && (e->seen & (1u << NT_REP_RX | 1u << NT_REP_TX));

	/* the request is freed somewhere when it has been answered */
	if (e && e->state != NT_PATH_DONE && (ev->bits & NT_PATH_REPLY || !answered))
		nt_path_dropped(p, e, ev);
}

void nt_path_echo(struct nt_path *p, const struct nt_path_event *ev)
{
	struct nt_path_entry *e;
	struct nt_path_key k;
	int stage = nt_path_stage(ev);

	key_of(ev, &k);
	e = nt_path_first(p, &k);
	if (ev->hook == NT_PATH_DROP) {
		echo_drop(p, e, ev);
		return;
	}
	if (stage < 0 || (ev->flow.proto != 1 && ev->flow.proto != 58))
		return;
	if (!e || e->state == NT_PATH_DONE) {
		e = begin(p, &k, e, ev, stage);
		if (!e)
			return;
	} else if ((e->seen & 1u << stage) && e->ifindex[stage] == ev->flow.ifindex) {
		p->count.duplicate++;
		return;
	}
	nt_path_stamp(p, e, ev, stage);
	if (complete(p, e))
		nt_path_decide(p, e, NT_PATH_COMPLETE, true);
}

enum nt_path_verdict nt_path_echo_verdict(const struct nt_path *p, const struct nt_path_entry *e)
{
	(void)p;
	if (e->seen & 1u << NT_REP_RX)
		return NT_PATH_REP_INTERNAL;
	return e->seen & 1u << NT_REQ_TX ? NT_PATH_EXTERNAL : NT_PATH_REQ_INTERNAL;
}
