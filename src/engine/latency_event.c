/* SPDX-License-Identifier: GPL-2.0 */
/* One passage as it is shown: a block of stages in text, an object in JSON, a row in CSV. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "latency.h"

enum { HAS_TOTAL = 1 << 0, HAS_LEG1 = 1 << 1, HAS_LEG2 = 1 << 2, COMPLETE = 1 << 3 };

/* A passage with what is made from its stages; the rows point into it. */
struct shown {
	uint64_t ts_ns;
	uint8_t key[NT_LATENCY_KEY_MAX] __attribute__((aligned(8)));
	struct nt_lat lat;
	uint32_t has;			/* bits above */
	uint32_t direction, ended;
	const char *protocol, *last_stage;
	uint32_t ifindex[2], netns[2];	/* by leg: where it left, where it came in */
	uint64_t leg_ns[2], external_ns, total_ns;
};

struct shown_stage {
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
	{ .name = "ttl", .kind = NT_K_U32, .off = S(lat.ttl) },
	{ .name = "len_bytes", .kind = NT_K_U32, .off = S(lat.len) },
	{ .name = "pid", .kind = NT_K_U32, .off = S(lat.pid), .flags = NT_F_IF_NONZERO },
	{ .name = "tid", .kind = NT_K_U32, .off = S(lat.tid), .flags = NT_F_IF_NONZERO },
	{ .name = "comm", .kind = NT_K_COMM, .off = S(lat.comm), .flags = NT_F_IF_NONZERO },
	{ .name = "ifname", .kind = NT_K_IFINDEX, .off = S(ifindex[0]), .arg = S(netns[0]),
	  .flags = NT_F_IF_NONZERO },
	{ .name = "leg2_ifname", .kind = NT_K_IFINDEX, .off = S(ifindex[1]), .arg = S(netns[1]),
	  .flags = NT_F_IF_NONZERO },
	{ .name = "ended", .kind = NT_K_ENUM, .off = S(ended),
	  .names = "complete|timeout|superseded|unfinished" },
	{ .name = "last_stage", .kind = NT_K_CSTR, .off = S(last_stage) },
	{ .name = "rtt_us", .kind = NT_K_NS_AS_US, .off = S(total_ns), IF(COMPLETE) },
	{ .name = "leg1_us", .kind = NT_K_NS_AS_US, .off = S(leg_ns[0]), IF(HAS_LEG1) },
	{ .name = "external_us", .kind = NT_K_NS_AS_US, .off = S(external_ns), IF(HAS_LEG2) },
	{ .name = "leg2_us", .kind = NT_K_NS_AS_US, .off = S(leg_ns[1]), IF(HAS_LEG2) },
	{ .name = "total_us", .kind = NT_K_NS_AS_US, .off = S(total_ns) },
};

#define G(member) offsetof(struct shown_stage, member)

static const struct nt_field stage_rows[] = {
	{ .name = "stage", .kind = NT_K_CSTR, .off = G(name) },
	{ .name = "ts_ns", .kind = NT_K_U64, .off = G(ts_ns) },
	{ .name = "delta_us", .kind = NT_K_NS_AS_US, .off = G(delta_ns) },
	{ .name = "cpu", .kind = NT_K_U32, .off = G(cpu) },
	{ .name = "ifname", .kind = NT_K_IFINDEX, .off = G(ifindex), .arg = G(netns),
	  .flags = NT_F_IF_NONZERO },
	{ .name = "stack", .kind = NT_K_STACK, .off = G(stack), .arg = NT_STACK_MAX,
	  .flags = NT_F_IF_NONZERO },
};

/* The tool's key lies inside the shown record: its rows move by so much. */
int nt_latency_rows(struct nt_run *r)
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	struct nt_latency_priv *p = nt_run_priv(r);
	size_t n = 0;

	p->row = calloc(NT_COUNT(head_rows) + d->n_key + NT_COUNT(tail_rows), sizeof(*p->row));
	if (!p->row)
		return -ENOMEM;
	for (size_t i = 0; i < NT_COUNT(head_rows); i++)
		p->row[n++] = head_rows[i];
	for (size_t i = 0; i < d->n_key; i++) {
		p->row[n] = d->key[i];
		p->row[n++].off += S(key);
	}
	for (size_t i = 0; i < NT_COUNT(tail_rows); i++)
		p->row[n++] = tail_rows[i];
	p->n_rows = n;
	return nt_stream_new(&p->csv, nt_run_out(r), nt_run_names(r), p->row, n);
}

/* ---- figures from stages ---- */

static uint64_t since(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;	/* the kernel side counts clock skew */
}

static void add_leg(struct shown *s, uint32_t leg, uint32_t first_stage, uint32_t n)
{
	const struct nt_lat *l = &s->lat;
	uint64_t first = 0, last = 0;

	for (uint32_t i = first_stage; i < n; i++) {
		if (!(l->seen & (1u << i)))
			continue;
		if (!first)
			first = l->ts[i];
		last = l->ts[i];
		if (l->ifindex[i]) {
			s->ifindex[leg] = l->ifindex[i];
			s->netns[leg] = l->netns[i];
		}
	}
	if (!first)
		return;
	s->has |= leg ? HAS_LEG2 : HAS_LEG1;
	s->leg_ns[leg] = since(first, last);
}

static uint64_t first_ns(const struct nt_lat *l, uint32_t from)
{
	for (uint32_t i = from; i < NT_STAGES; i++)
		if (l->seen & (1u << i))
			return l->ts[i];
	return 0;
}

static void fill(struct nt_run *r, const struct nt_latency_event *e, struct shown *s)
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	uint32_t last = nt_latency_last_stage(&e->lat);

	memset(s, 0, sizeof(*s));
	s->ts_ns = e->ts_ns;
	memcpy(s->key, e->key, d->key_size);
	s->lat = e->lat;
	s->ended = e->ended;
	s->direction = d->direction(s->key);
	s->protocol = d->protocol(s->key);
	s->last_stage = d->stage[s->direction][last].name;
	s->total_ns = since(first_ns(&s->lat, 0), s->lat.ts[last]);
	if (e->ended == NT_LAT_COMPLETE)
		s->has |= COMPLETE;
	add_leg(s, 0, 0, d->leg2);
	add_leg(s, 1, d->leg2, d->n_stages);
	if (s->has & HAS_LEG2)
		s->external_ns = since(first_ns(&s->lat, 0) + s->leg_ns[0],
				       first_ns(&s->lat, d->leg2));
}

static void read_stack(struct nt_run *r, const struct shown *s, uint32_t i, uint64_t *stack)
{
	const struct nt_latency_priv *p = nt_run_priv(r);

	nt_stacks_read(r, &p->stacks, nt_latency_opts_of(r)->no_stacks ? -1 : s->lat.stack[i], first_ns(&s->lat, 0),
		       stack);
}

/* False if the passage did not visit stage i; *prev_ns is the stage before, 0: none yet. */
static bool fill_stage(struct nt_run *r, const struct shown *s, uint32_t i, uint64_t *prev_ns,
		       struct shown_stage *g)
{
	const struct nt_lat *l = &s->lat;

	if (!(l->seen & (1u << i)))
		return false;
	g->name = nt_latency_desc_of(r)->stage[s->direction][i].name;
	g->ts_ns = l->ts[i];
	g->delta_ns = *prev_ns ? since(*prev_ns, l->ts[i]) : 0;
	g->cpu = l->cpu[i];
	g->ifindex = l->ifindex[i];
	g->netns = l->netns[i];
	read_stack(r, s, i, g->stack);
	*prev_ns = l->ts[i];
	return true;
}

/* ---- JSON ---- */

static void show_json(struct nt_run *r, const struct shown *s)
{
	struct nt_latency_priv *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);
	struct shown_stage g;
	uint64_t prev = 0;

	nt_json_begin(o, "event");
	nt_fields_json(o, nt_run_names(r), p->row, p->n_rows, s);
	nt_json_arr(o, "stages");
	for (uint32_t i = 0; i < nt_latency_desc_of(r)->n_stages; i++) {
		if (!fill_stage(r, s, i, &prev, &g))
			continue;
		nt_json_obj(o, NULL);
		nt_fields_json(o, nt_run_names(r), stage_rows, NT_COUNT(stage_rows), &g);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
	nt_json_end(o);
}

/* ---- text ---- */

static void show_head(struct nt_run *r, const struct shown *s)
{
	struct nt_latency_priv *p = nt_run_priv(r);
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	struct nt_out *o = nt_run_out(r);
	char time[40], key[160], comm[40], ns[32];

	d->text(s->key, key, sizeof(key));
	nt_fmt_ns(s->total_ns, ns, sizeof(ns));
	nt_text(o, "\n%s  %s  %s  ",
		nt_field_by_name(nt_run_names(r), p->row, p->n_rows, "time", s, time, sizeof(time)),
		s->direction == NT_DIR_TX ? "tx" : "rx", key);
	if (s->ended == NT_LAT_COMPLETE)
		nt_text(o, "%s %s\n", d->total, ns);
	else if (s->ended == NT_LAT_TIMEOUT)
		nt_text(o, "TIMEOUT after %s\n", s->last_stage);
	else
		nt_text(o, "%s after %s\n",
			s->ended == NT_LAT_SUPERSEDED ? "SENT AGAIN" : "UNFINISHED", s->last_stage);
	nt_text(o, "    %u bytes, ttl %u", s->lat.len, s->lat.ttl);
	if (s->lat.pid)
		nt_text(o, ", sent by %s %u/%u",
			nt_field_by_name(nt_run_names(r), p->row, p->n_rows, "comm", s, comm, sizeof(comm)),
			s->lat.pid, s->lat.tid);
	nt_text(o, "\n");
}

static void show_stage(struct nt_run *r, const struct shown *s, uint32_t i,
		       const struct shown_stage *g, const char *leg)
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	bool first = !(s->lat.seen & ((1u << i) - 1));
	bool outside = i >= d->leg2 && !(s->lat.seen & ((1u << i) - (1u << d->leg2)));
	struct nt_out *o = nt_run_out(r);
	char dev[40] = "", ns[32] = "";

	if (g->ifindex)
		nt_field_by_name(nt_run_names(r), stage_rows, NT_COUNT(stage_rows), "ifname", g, dev,
				 sizeof(dev));
	if (!first)
		nt_fmt_ns(g->delta_ns, ns, sizeof(ns));
	nt_text(o, "    %-8s %-10s %9s   cpu %u%s%s", leg, g->name, ns, g->cpu, *dev ? "  " : "",
		dev);
	if (outside && !first)
		nt_text(o, "  (%s)", d->outside[s->direction]);
	nt_text(o, "\n");
}

static void show_sum(struct nt_run *r, const struct shown *s)
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	double total = s->total_ns ? (double)s->total_ns : 1;
	char leg1[32], leg2[32], outside[32];

	if (s->ended != NT_LAT_COMPLETE || !(s->has & HAS_LEG1) || !(s->has & HAS_LEG2))
		return;
	nt_text(nt_run_out(r), "    = %s %s (%.1f%%) + %s %s (%.1f%%) + %s %s (%.1f%%)\n",
		d->leg[0], nt_fmt_ns(s->leg_ns[0], leg1, sizeof(leg1)),
		100 * (double)s->leg_ns[0] / total,
		d->outside[s->direction], nt_fmt_ns(s->external_ns, outside, sizeof(outside)),
		100 * (double)s->external_ns / total,
		d->leg[1], nt_fmt_ns(s->leg_ns[1], leg2, sizeof(leg2)),
		100 * (double)s->leg_ns[1] / total);
}

static void show_text(struct nt_run *r, const struct shown *s)
{
	const struct nt_latency_desc *d = nt_latency_desc_of(r);
	bool leg_named[2] = { false, false };
	uint64_t prev = 0, above[NT_STACK_MAX + 1] = { 0 };
	struct shown_stage g;

	show_head(r, s);
	for (uint32_t i = 0; i < d->n_stages; i++) {
		uint32_t leg = i >= d->leg2;

		if (!fill_stage(r, s, i, &prev, &g))
			continue;
		show_stage(r, s, i, &g, leg_named[leg] ? "" : d->leg[leg]);
		nt_stack_text(r, g.stack, above);
		memcpy(above, g.stack, sizeof(above));
		leg_named[leg] = true;
	}
	show_sum(r, s);
}

void nt_latency_show(struct nt_run *r, const struct nt_latency_event *e)
{
	struct nt_latency_priv *p = nt_run_priv(r);
	struct shown s;

	fill(r, e, &s);
	switch (nt_out_format(nt_run_out(r))) {
	case NT_JSON:
		show_json(r, &s);
		break;
	case NT_CSV:
		nt_stream_event(p->csv, &s);
		break;
	case NT_TEXT:
		show_text(r, &s);
		break;
	}
	nt_run_event_shown(r);
}
