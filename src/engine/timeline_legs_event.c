/* SPDX-License-Identifier: GPL-2.0 */
/* A session of two legs: a block of stages in text, an object in JSON, a row in CSV. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/echo.h"
#include "timeline.h"

enum { HAS_LEG1 = 1 << 0, HAS_LEG2 = 1 << 1, COMPLETE = 1 << 2, HAS_OVS1 = 1 << 3, HAS_OVS2 = 1 << 4,
       HAS_UPCALL1 = 1 << 5, HAS_UPCALL2 = 1 << 6, HAS_UPCALL = 1 << 7, DROPPED = 1 << 8 };

/* A session with what is made from its stages; the rows point into it. */
struct shown {
	const struct nt_rtt *s;
	uint64_t ts_ns;
	struct nt_echo_key key;
	uint32_t has;			/* bits above */
	uint32_t direction, ended, len, ttl;
	uint32_t pid, tid;
	char comm[16];
	const char *protocol, *last_stage;
	uint32_t ifindex[2], netns[2];	/* by leg: of the uplink */
	uint64_t leg_ns[2], ovs_ns[2], upcall_ns[2], upcalls_ns, external_ns, total_ns;
	uint64_t location;
	uint32_t reason;
	uint16_t upcall_error;
};

struct shown_stage {
	uint32_t leg;
	const char *name;
	uint64_t ts_ns, delta_ns;
	uint32_t cpu, ifindex, netns;
	uint64_t stack[NT_STACK_MAX + 1];
};

#define S(member) offsetof(struct shown, member)
#define IF(bit) .has_off = S(has), .has_mask = (bit)

static const struct nt_field head_rows[] = {
	{ .name = "time", .kind = NT_K_TS, .off = S(ts_ns) },
	{ .name = "direction", .kind = NT_K_ENUM, .off = S(direction), .names = "tx|rx" },
	{ .name = "protocol", .kind = NT_K_CSTR, .off = S(protocol) },
};
static const struct nt_field tail_rows[] = {
	{ .name = "ttl", .kind = NT_K_U32, .off = S(ttl) },
	{ .name = "len_bytes", .kind = NT_K_U32, .off = S(len) },
	{ .name = "pid", .kind = NT_K_U32, .off = S(pid), .flags = NT_F_IF_NONZERO },
	{ .name = "tid", .kind = NT_K_U32, .off = S(tid), .flags = NT_F_IF_NONZERO },
	{ .name = "comm", .kind = NT_K_COMM, .off = S(comm), .flags = NT_F_IF_NONZERO },
	{ .name = "ifname", .kind = NT_K_IFINDEX, .off = S(ifindex[0]), .arg = S(netns[0]), .flags = NT_F_IF_NONZERO },
	{ .name = "leg2_ifname", .kind = NT_K_IFINDEX, .off = S(ifindex[1]), .arg = S(netns[1]),
	  .flags = NT_F_IF_NONZERO },
	{ .name = "ended", .kind = NT_K_ENUM, .off = S(ended), .names = "complete|timeout|superseded|unfinished|dropped" },
	{ .name = "last_stage", .kind = NT_K_CSTR, .off = S(last_stage) },
	{ .name = "rtt_us", .kind = NT_K_NS_AS_US, .off = S(total_ns), IF(COMPLETE) },
	{ .name = "leg1_us", .kind = NT_K_NS_AS_US, .off = S(leg_ns[0]), IF(HAS_LEG1) },
	{ .name = "external_us", .kind = NT_K_NS_AS_US, .off = S(external_ns), IF(HAS_LEG2) },
	{ .name = "leg2_us", .kind = NT_K_NS_AS_US, .off = S(leg_ns[1]), IF(HAS_LEG2) },
	{ .name = "total_us", .kind = NT_K_NS_AS_US, .off = S(total_ns) },
};
/* Where packets are followed through Open vSwitch, and to where they are dropped. */
static const struct nt_field way_rows[] = {
	{ .name = "drop_reason", .kind = NT_K_REASON, .off = S(reason), NT_TL_FREED(S(location)) },
	{ .name = "drop_location", .kind = NT_K_KSYM, .off = S(location), NT_TL_FREED(S(location)) },
	{ .name = "upcall_error", .kind = NT_K_ERRNO, .off = S(upcall_error), .flags = NT_F_IF_NONZERO },
	{ .name = "leg1_ovs_us", .kind = NT_K_NS_AS_US, .off = S(ovs_ns[0]), IF(HAS_OVS1) },
	{ .name = "leg2_ovs_us", .kind = NT_K_NS_AS_US, .off = S(ovs_ns[1]), IF(HAS_OVS2) },
	{ .name = "leg1_upcall_us", .kind = NT_K_NS_AS_US, .off = S(upcall_ns[0]), IF(HAS_UPCALL1) },
	{ .name = "leg2_upcall_us", .kind = NT_K_NS_AS_US, .off = S(upcall_ns[1]), IF(HAS_UPCALL2) },
	{ .name = "upcall_us", .kind = NT_K_NS_AS_US, .off = S(upcalls_ns), IF(HAS_UPCALL) },
};

#define G(member) offsetof(struct shown_stage, member)
static const struct nt_field stage_rows[] = {
	{ .name = "leg", .kind = NT_K_U32, .off = G(leg) },
	{ .name = "stage", .kind = NT_K_CSTR, .off = G(name) },
	{ .name = "ts_ns", .kind = NT_K_U64, .off = G(ts_ns) },
	{ .name = "delta_us", .kind = NT_K_NS_AS_US, .off = G(delta_ns) },
	{ .name = "cpu", .kind = NT_K_U32, .off = G(cpu) },
	{ .name = "ifname", .kind = NT_K_IFINDEX, .off = G(ifindex), .arg = G(netns), .flags = NT_F_IF_NONZERO },
	{ .name = "stack", .kind = NT_K_STACK, .off = G(stack), .arg = NT_STACK_MAX, .flags = NT_F_IF_NONZERO },
};

int nt_tl_legs_rows(struct nt_run *r)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	size_t n = 0;

	p->row = calloc(NT_COUNT(head_rows) + NT_ECHO_KEY_FIELDS + NT_COUNT(tail_rows) + NT_COUNT(way_rows),
			sizeof(*p->row));
	if (!p->row)
		return -ENOMEM;
	for (size_t i = 0; i < NT_COUNT(head_rows); i++)
		p->row[n++] = head_rows[i];
	for (size_t i = 0; i < NT_ECHO_KEY_FIELDS; i++) {
		p->row[n] = nt_echo_key_fields[i];
		p->row[n++].off += S(key);
	}
	for (size_t i = 0; i < NT_COUNT(tail_rows); i++)
		p->row[n++] = tail_rows[i];
	for (size_t i = 0; i < NT_COUNT(way_rows) && !nt_tl_desc_of(r)->by_packet; i++)
		p->row[n++] = way_rows[i];
	p->n_rows = n;
	return nt_stream_new(&p->csv, nt_run_out(r), nt_run_names(r), p->row, n);
}

/* ---- figures from stages ---- */
static uint64_t since(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;	/* the kernel side counts clock skew */
}

static uint32_t stops(const struct nt_timeline *l)
{
	return !l->start_ns ? 0 : l->n < NT_TL_STOPS ? l->n : NT_TL_STOPS;
}

static uint64_t at(const struct nt_timeline *l, uint32_t stage)
{
	for (uint32_t i = 0; i < stops(l); i++)
		if (l->stop[i].stage == stage)
			return l->stop[i].ts_ns;
	return 0;
}

/* From the switch's first stage to its output; where that is not hooked, to what is next. */
bool nt_tl_in_switch(const struct nt_timeline *l, uint64_t *ns)
{
	static const uint32_t all = 1u << NT_TL_INTERNAL_XMIT | 1u << NT_TL_OVS_HOOK | 1u << NT_TL_OVS_PROCESS |
				    1u << NT_TL_OVS_UPCALL | 1u << NT_TL_OVS_EXEC | 1u << NT_TL_OVS_SEND;
	uint64_t from = 0, to = 0;

	for (uint32_t i = 0; i < stops(l); i++) {
		bool of_switch = all & 1u << l->stop[i].stage % NT_TL_STAGES;

		if (of_switch && !from)
			from = l->stop[i].ts_ns;
		if (of_switch || (from && !at(l, NT_TL_OVS_SEND)))
			to = l->stop[i].ts_ns;
		if (from && !of_switch)
			break;
	}
	*ns = since(from, to);
	return from;
}

static void fill_leg(struct shown *g, uint32_t i)
{
	const struct nt_timeline *l = &g->s->leg[i];
	uint32_t n = stops(l);

	if (!n)
		return;
	g->has |= i ? HAS_LEG2 : HAS_LEG1;
	g->leg_ns[i] = since(l->start_ns, l->stop[n - 1].ts_ns);
	if (nt_tl_in_switch(l, &g->ovs_ns[i]))
		g->has |= i ? HAS_OVS2 : HAS_OVS1;
	if (at(l, NT_TL_OVS_EXEC)) {
		g->upcall_ns[i] = since(at(l, NT_TL_OVS_UPCALL), at(l, NT_TL_OVS_EXEC));
		g->upcalls_ns += g->upcall_ns[i];
		g->has |= HAS_UPCALL | (i ? HAS_UPCALL2 : HAS_UPCALL1);
	}
	for (uint32_t k = 0; k < n; k++) {
		if (l->stop[k].stage != NT_TL_PHY_RX && l->stop[k].stage != NT_TL_PHY_QUEUE &&
		    l->stop[k].stage != NT_TL_PHY_XMIT)
			continue;
		g->ifindex[i] = l->stop[k].ifindex;
		g->netns[i] = l->stop[k].netns;
	}
}

static const struct nt_timeline *last_leg(const struct nt_rtt *s)
{
	return s->leg[1].start_ns ? &s->leg[1] : &s->leg[0];
}

static void fill(struct nt_run *r, const struct nt_rtt *s, struct shown *g)
{
	const struct nt_timeline *first = &s->leg[0], *last = last_leg(s);

	*g = (struct shown){
		.s = s, .ts_ns = s->ended_ns, .key = s->key, .direction = s->key.direction & 1, .ended = s->ended,
		.len = first->pkt.len, .ttl = last->pkt.ttl, .pid = first->pid, .tid = first->tid,
		.protocol = nt_echo_protocol(&s->key),
	};
	memcpy(g->comm, first->comm, sizeof(g->comm));
	fill_leg(g, 0);
	fill_leg(g, 1);
	if (g->has & HAS_LEG2)
		g->external_ns = since(s->start_ns + g->leg_ns[0], s->leg[1].start_ns);
	if (stops(last)) {
		g->last_stage = nt_tl_stage_name(r, last->direction, last->stop[stops(last) - 1].stage);
		g->total_ns = since(s->start_ns, last->stop[stops(last) - 1].ts_ns);
	}
	if (s->ended == NT_RTT_COMPLETE)
		g->has |= COMPLETE;
	if (s->ended == NT_RTT_DROPPED) {
		g->has |= DROPPED;
		g->location = last->location;
		g->reason = last->reason;
		g->upcall_error = last->upcall_error;
	}
}

static void fill_stage(struct nt_run *r, const struct shown *g, uint32_t leg, uint32_t i, uint64_t *prev_ns,
		       struct shown_stage *t)
{
	const struct nt_timeline *l = &g->s->leg[leg];
	const struct nt_tl_priv *priv = nt_run_priv(r);
	const struct nt_tl_stop *p = &l->stop[i];

	t->leg = leg + 1;
	t->name = nt_tl_stage_name(r, l->direction, p->stage);
	t->ts_ns = p->ts_ns;
	t->delta_ns = *prev_ns ? since(*prev_ns, p->ts_ns) : 0;
	t->cpu = p->cpu;
	t->ifindex = p->ifindex;
	t->netns = p->netns;
	nt_stacks_read(r, &priv->stacks, nt_tl_opts_of(r)->no_stacks ? -1 : p->stack, g->s->start_ns, t->stack);
	*prev_ns = p->ts_ns;
}

/* ---- JSON ---- */
static void show_json(struct nt_run *r, const struct shown *g)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);
	struct shown_stage t;
	uint64_t prev = 0;

	nt_json_begin(o, "event");
	nt_fields_json(o, nt_run_names(r), p->row, p->n_rows, g);
	if (!nt_tl_desc_of(r)->by_packet) {
		nt_json_arr(o, "flags");
		nt_tl_flags_json(o, g->s->leg[0].flags | (g->s->leg[1].start_ns ? g->s->leg[1].flags : 0));
		nt_json_arr_end(o);
	}
	nt_json_arr(o, "stages");
	for (uint32_t leg = 0; leg < 2; leg++) {
		for (uint32_t i = 0; i < stops(&g->s->leg[leg]); i++) {
			fill_stage(r, g, leg, i, &prev, &t);
			nt_json_obj(o, NULL);
			nt_fields_json(o, nt_run_names(r), stage_rows, NT_COUNT(stage_rows), &t);
			nt_json_obj_end(o);
		}
	}
	nt_json_arr_end(o);
	nt_json_end(o);
}

/* ---- text ---- */
static const char *row_text(struct nt_run *r, const struct shown *g, const char *name, char *buf, size_t size)
{
	struct nt_tl_priv *p = nt_run_priv(r);

	nt_field_by_name(nt_run_names(r), p->row, p->n_rows, name, g, buf, size);
	return buf;
}

static void show_head(struct nt_run *r, const struct shown *g)
{
	struct nt_out *o = nt_run_out(r);
	char time[40], key[160], comm[40], ns[32], why[NT_TL_DROP_TEXT];

	nt_echo_text(&g->key, key, sizeof(key));
	nt_text(o, "\n%s  %s  %s  ", row_text(r, g, "time", time, sizeof(time)), g->direction == NT_DIR_TX ? "tx" : "rx",
		key);
	if (g->ended == NT_RTT_COMPLETE)
		nt_text(o, "rtt %s\n", nt_fmt_ns(g->total_ns, ns, sizeof(ns)));
	else
		nt_text(o, "%s after %s\n", g->ended == NT_RTT_TIMEOUT ? "TIMEOUT" :
			g->ended == NT_RTT_SUPERSEDED ? "SENT AGAIN" :
			g->ended == NT_RTT_DROPPED ? "DROPPED" : "UNFINISHED", g->last_stage);
	nt_text(o, "    %u bytes, ttl %u", g->len, g->ttl);
	if (g->pid)
		nt_text(o, ", sent by %s %u/%u", row_text(r, g, "comm", comm, sizeof(comm)), g->pid, g->tid);
	if (g->has & DROPPED)
		nt_text(o, ", dropped: %s", nt_tl_dropped_text(r, last_leg(g->s), why, sizeof(why)));
	nt_text(o, "\n");
}

static const char *const leg_names[] = { "request", "reply" };
static const char *const outside_names[] = { [NT_DIR_TX] = "outside", [NT_DIR_RX] = "responder" };

static void show_stage(struct nt_run *r, const struct shown *g, uint32_t leg, uint32_t i, const struct shown_stage *t)
{
	const struct nt_timeline *l = &g->s->leg[leg];
	char dev[40] = "", ns[32] = "";
	const char *what = "";

	if (t->ifindex)
		nt_field_by_name(nt_run_names(r), stage_rows, NT_COUNT(stage_rows), "ifname", t, dev, sizeof(dev));
	if (leg || i)
		nt_fmt_ns(t->delta_ns, ns, sizeof(ns));
	if (leg && !i)
		what = outside_names[g->direction];
	else if (i && l->stop[i].stage == NT_TL_OVS_EXEC)
		what = "upcall";
	nt_text(nt_run_out(r), "    %-8s %-14s %9s   cpu %u%s%s%s%s%s\n", i ? "" : leg_names[leg], t->name, ns, t->cpu,
		*dev ? "  " : "", dev, *what ? "  (" : "", what, *what ? ")" : "");
}

static void show_part(struct nt_run *r, const struct shown *g, const char *sign, const char *name, uint64_t ns)
{
	double total = g->total_ns ? (double)g->total_ns : 1;
	char buf[32];

	nt_text(nt_run_out(r), " %s %s %s (%.1f%%)", sign, name, nt_fmt_ns(ns, buf, sizeof(buf)), 100 * (double)ns / total);
}

static void show_sum(struct nt_run *r, const struct shown *g)
{
	struct nt_out *o = nt_run_out(r);
	char buf[32], up[32];

	if (g->ended != NT_RTT_COMPLETE)
		return;
	nt_text(o, "   ");
	show_part(r, g, "=", leg_names[0], g->leg_ns[0]);
	show_part(r, g, "+", outside_names[g->direction], g->external_ns);
	show_part(r, g, "+", leg_names[1], g->leg_ns[1]);
	nt_text(o, "\n");
	if (!(g->has & (HAS_OVS1 | HAS_OVS2)))
		return;
	nt_text(o, "    in Open vSwitch %s", nt_fmt_ns(g->ovs_ns[0] + g->ovs_ns[1], buf, sizeof(buf)));
	if (g->has & HAS_UPCALL)
		nt_text(o, ", of this the upcall%s %s", g->upcall_ns[0] && g->upcall_ns[1] ? "s" : "",
			nt_fmt_ns(g->upcalls_ns, up, sizeof(up)));
	nt_text(o, "\n");
}

static void show_text(struct nt_run *r, const struct shown *g)
{
	uint64_t prev = 0, above[NT_STACK_MAX + 1] = { 0 };
	struct shown_stage t;

	show_head(r, g);
	for (uint32_t leg = 0; leg < 2; leg++) {
		for (uint32_t i = 0; i < stops(&g->s->leg[leg]); i++) {
			fill_stage(r, g, leg, i, &prev, &t);
			show_stage(r, g, leg, i, &t);
			nt_stack_text(r, t.stack, above);
			memcpy(above, t.stack, sizeof(above));
		}
	}
	show_sum(r, g);
}

void nt_tl_legs_show(struct nt_run *r, const struct nt_rtt *s)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	struct shown g;

	fill(r, s, &g);
	switch (nt_out_format(nt_run_out(r))) {
	case NT_JSON:
		show_json(r, &g);
		break;
	case NT_CSV:
		nt_stream_event(p->csv, &g);
		break;
	case NT_TEXT:
		show_text(r, &g);
		break;
	}
}
