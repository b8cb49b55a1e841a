/* SPDX-License-Identifier: GPL-2.0 */
/* A packet with its stages, as text and JSON. */
#include <string.h>

#include "nettrace/packet.h"
#include "timeline.h"

#define L(member) offsetof(struct nt_timeline, member)
static const struct nt_field head_fields[] = {
	{ .name = "time", .kind = NT_K_TS, .off = L(ended_ns) },
	{ .name = "direction", .kind = NT_K_ENUM, .off = L(direction), .names = "tx|rx" },
	{ .name = "ended", .kind = NT_K_ENUM, .off = L(ended), .names = "inside|complete|dropped|elsewhere|timeout" },
};
static const struct nt_field sender_fields[] = {
	{ .name = "pid", .kind = NT_K_U32, .off = L(pid) },
	{ .name = "tid", .kind = NT_K_U32, .off = L(tid) },
	{ .name = "comm", .kind = NT_K_COMM, .off = L(comm) },
};
static const struct nt_field drop_fields[] = {
	{ .name = "drop_reason", .kind = NT_K_REASON, .off = L(reason), NT_TL_FREED(L(location)) },
	{ .name = "drop_location", .kind = NT_K_KSYM, .off = L(location), NT_TL_FREED(L(location)) },
	{ .name = "upcall_error", .kind = NT_K_ERRNO, .off = L(upcall_error), .flags = NT_F_IF_NONZERO },
};

#define S(member) offsetof(struct nt_tl_stop, member)
static const struct nt_field stop_fields[] = {
	{ .name = "cpu", .kind = NT_K_U16, .off = S(cpu) },
	{ .name = "ifname", .kind = NT_K_IFINDEX, .off = S(ifindex), .arg = S(netns), .flags = NT_F_IF_NONZERO },
	{ .name = "len_bytes", .kind = NT_K_U32, .off = S(len) },
	{ .name = "queue", .kind = NT_K_U16, .off = S(queue) },
	{ .name = "hash", .kind = NT_K_HEX32, .off = S(hash), .flags = NT_F_IF_NONZERO },
};

static const struct { uint32_t flag; const char *name; } flag_names[] = {
	{ NT_TL_CLONE, "clone" }, { NT_TL_REASSEMBLED, "reassembled" }, { NT_TL_RETRANS, "retrans" },
	{ NT_TL_AMBIGUOUS, "ambiguous" }, { NT_TL_GSO_UPCALL, "gso_upcall" },
	{ NT_TL_ENCAPSULATED, "encapsulated" }, { NT_TL_FRAGMENTED, "fragmented" },
	{ NT_TL_BY_INTERRUPT, "by_softirq" },
};

void nt_tl_flags_json(struct nt_out *o, uint32_t flags)
{
	for (size_t i = 0; i < NT_COUNT(flag_names); i++)
		if (flags & flag_names[i].flag)
			nt_json_str(o, NULL, flag_names[i].name);
}

static uint32_t stops(const struct nt_timeline *l)
{
	return l->n < NT_TL_STOPS ? l->n : NT_TL_STOPS;
}

static uint64_t delta(const struct nt_timeline *l, uint32_t i)
{
	return i && l->stop[i].ts_ns > l->stop[i - 1].ts_ns ? l->stop[i].ts_ns - l->stop[i - 1].ts_ns : 0;
}

static uint64_t total(const struct nt_timeline *l)
{
	return l->ended_ns > l->start_ns ? l->ended_ns - l->start_ns : 0;
}

/* ---- the stack at the end of the slowest way ---- */
struct stack {
	uint64_t frame[NT_STACK_MAX + 1];
	uint32_t stop;			/* which stage has it; 0: there is none */
};

/* As nt_tl_stack_of_slowest() (timeline_stamp.bpf.h) goes. */
static uint32_t slowest(const struct nt_timeline *l)
{
	uint32_t at = 0;

	for (uint32_t i = 1; i < stops(l); i++)
		if (delta(l, i) > (at ? delta(l, at) : 0))
			at = i;
	return at;
}

static void read_stack(struct nt_run *r, const struct nt_timeline *l, struct stack *s)
{
	struct nt_tl_priv *p = nt_run_priv(r);

	s->stop = 0;
	if (!nt_tl_has_stacks(r))
		return;
	nt_stacks_read(r, &p->stacks, l->stack, l->start_ns, s->frame);
	if (s->frame[0])
		s->stop = slowest(l);
}

/* ---- JSON ---- */
static void stops_json(struct nt_run *r, const struct nt_timeline *l)
{
	static const struct nt_field stack_field = { .name = "stack", .kind = NT_K_STACK, .arg = NT_STACK_MAX };
	struct nt_out *o = nt_run_out(r);
	struct stack stack;

	read_stack(r, l, &stack);
	nt_json_arr(o, "stages");
	for (uint32_t i = 0; i < stops(l); i++) {
		nt_json_obj(o, NULL);
		nt_json_str(o, "stage", nt_tl_stage_name(r, l->direction, l->stop[i].stage));
		nt_json_u64(o, "ts_ns", l->stop[i].ts_ns);
		nt_json_f64(o, "delta_us", (double)delta(l, i) / 1e3, 3);
		nt_fields_json(o, nt_run_names(r), stop_fields, NT_COUNT(stop_fields), &l->stop[i]);
		if (i && i == stack.stop)
			nt_fields_json(o, nt_run_names(r), &stack_field, 1, stack.frame);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

/* From one stage to another, us; false: they were not both met. */
static bool between(const struct nt_timeline *l, uint32_t from, uint32_t to, double *us)
{
	uint64_t a = 0, b = 0;

	for (uint32_t i = 0; i < stops(l); i++) {
		if (l->stop[i].stage == from)
			a = l->stop[i].ts_ns;
		if (l->stop[i].stage == to)
			b = l->stop[i].ts_ns;
	}
	*us = b > a ? (double)(b - a) / 1e3 : 0;
	return a && b;
}

static const struct { const char *name; uint8_t from, to; } parts[] = {
	{ "qdisc_sojourn_us", NT_TL_PHY_QUEUE, NT_TL_QDISC_DEQ },
	{ "ct_us", NT_TL_CT_IN, NT_TL_CT_OUT },
	{ "upcall_us", NT_TL_OVS_UPCALL, NT_TL_OVS_EXEC },
	{ "backlog_us", NT_TL_BACKLOG_ENQ, NT_TL_BACKLOG_DEQ },
};

static void parts_json(struct nt_out *o, const struct nt_timeline *l)
{
	double us;

	for (size_t i = 0; i < NT_COUNT(parts); i++)
		if (between(l, parts[i].from, parts[i].to, &us))
			nt_json_f64(o, parts[i].name, us, 3);
	if (l->backlog != NT_TL_NO_DEPTH)
		nt_json_u64(o, "backlog_packets", l->backlog);
	if (l->qlen != NT_TL_NO_DEPTH)
		nt_json_u64(o, "qlen", l->qlen);
}

static void members(struct nt_run *r, const struct nt_timeline *l)
{
	struct nt_out *o = nt_run_out(r);

	nt_fields_json(o, nt_run_names(r), head_fields, NT_COUNT(head_fields), l);
	nt_json_f64(o, "total_us", (double)total(l) / 1e3, 3);
	if (l->ended == NT_TL_DROPPED)
		nt_fields_json(o, nt_run_names(r), drop_fields, NT_COUNT(drop_fields), l);
	nt_packet_json(r, &l->pkt);
	if (l->pid)
		nt_fields_json(o, nt_run_names(r), sender_fields, NT_COUNT(sender_fields), l);
	nt_json_u64(o, "ovs_passes", l->ovs_passes);
	parts_json(o, l);
	nt_json_arr(o, "flags");
	nt_tl_flags_json(o, l->flags);
	nt_json_arr_end(o);
	stops_json(r, l);
}

/* ---- text ---- */
#define BAR 30
/* Where in the whole time a step lies: "    ======     ". */
static void bar(const struct nt_timeline *l, uint32_t i, char *buf)
{
	uint64_t whole = total(l) ? total(l) : 1, from = i ? l->stop[i - 1].ts_ns : l->start_ns;
	uint64_t a = (from - l->start_ns) * BAR / whole, b = (l->stop[i].ts_ns - l->start_ns) * BAR / whole;

	memset(buf, ' ', BAR);
	for (uint64_t k = a; k < b && k < BAR; k++)
		buf[k] = '=';
	buf[BAR] = 0;
	for (int k = BAR - 1; k >= 0 && buf[k] == ' '; k--)
		buf[k] = 0;
}

static void stop_text(struct nt_run *r, const struct nt_timeline *l, uint32_t i)
{
	const struct nt_tl_stop *s = &l->stop[i];
	char dev[40] = "", ns[32] = "", draw[BAR + 1] = "";

	if (s->ifindex)
		nt_field_by_name(nt_run_names(r), stop_fields, NT_COUNT(stop_fields), "ifname", s, dev, sizeof(dev));
	if (i) {
		nt_fmt_ns(delta(l, i), ns, sizeof(ns));
		bar(l, i, draw);
	}
	nt_text(nt_run_out(r), "    %-18s %10s  cpu %-*u%s%-*s%s%s\n", nt_tl_stage_name(r, l->direction, s->stage), ns,
		*dev || *draw ? 3 : 0, s->cpu, *dev || *draw ? " " : "", *draw ? 10 : 0, dev, *draw ? " " : "", draw);
}

static void stop_columns(struct nt_run *r, const struct nt_timeline *l, uint32_t i)
{
	const struct nt_tl_stop *s = &l->stop[i];
	char dev[40] = "-", ns[32] = "", hash[16] = "-";

	if (s->ifindex)
		nt_field_by_name(nt_run_names(r), stop_fields, NT_COUNT(stop_fields), "ifname", s, dev, sizeof(dev));
	if (s->hash)
		snprintf(hash, sizeof(hash), "%08x", s->hash);
	if (i)
		nt_fmt_ns(delta(l, i), ns, sizeof(ns));
	nt_text(nt_run_out(r), "    %-18s %10s  cpu %-3u %-15s queue %-3u %6u bytes  hash %s\n",
		nt_tl_stage_name(r, l->direction, s->stage), ns, s->cpu, dev, s->queue, s->len, hash);
}

static void end_text(struct nt_run *r, const struct nt_timeline *l)
{
	const struct nt_tl_stop *last = &l->stop[(stops(l) - 1) % NT_TL_STOPS];
	char why[NT_TL_DROP_TEXT], ns[32];

	nt_fmt_ns(l->ended_ns > last->ts_ns ? l->ended_ns - last->ts_ns : 0, ns, sizeof(ns));
	if (l->ended == NT_TL_DROPPED)
		nt_text(nt_run_out(r), "    %-18s %10s  %s\n", "DROPPED", ns, nt_tl_dropped_text(r, l, why, sizeof(why)));
	else if (l->ended == NT_TL_ENDS)
		nt_text(nt_run_out(r), "    %-18s %10s  nothing more was seen of it\n", "TIMEOUT", ns);
}

static void text(struct nt_run *r, const struct nt_timeline *l)
{
	static const uint64_t none[NT_STACK_MAX + 1];
	char time[40], packet[200], whole[32], comm[40];
	struct nt_out *o = nt_run_out(r);
	struct stack stack;

	nt_field_text(nt_run_names(r), &head_fields[0], l, time, sizeof(time));
	nt_text(o, "%s  %s %s  %s", time, l->direction == NT_DIR_TX ? "tx" : "rx", nt_fmt_ns(total(l), whole, sizeof(whole)),
		nt_packet_text(&l->pkt, packet, sizeof(packet)));
	for (size_t i = 0; i < NT_COUNT(flag_names); i++)
		if (l->flags & flag_names[i].flag)
			nt_text(o, " %s", flag_names[i].name);
	if (l->pid)
		nt_text(o, ", sent by %s %u/%u", nt_field_text(nt_run_names(r), &sender_fields[2], l, comm, sizeof(comm)),
			l->pid, l->tid);
	if (l->ovs_passes > 1)
		nt_text(o, " (%u times through the switch)", l->ovs_passes);
	if (l->backlog != NT_TL_NO_DEPTH)
		nt_text(o, ", %u before it", l->backlog);
	if (l->qlen != NT_TL_NO_DEPTH)
		nt_text(o, ", %u in the qdisc", l->qlen);
	nt_text(o, "\n");
	read_stack(r, l, &stack);
	for (uint32_t i = 0; i < stops(l); i++) {
		if (nt_tl_desc_of(r)->columns)
			stop_columns(r, l, i);
		else
			stop_text(r, l, i);
		if (i && i == stack.stop)
			nt_stack_text(r, stack.frame, none);
	}
	end_text(r, l);
}

void nt_tl_show_event(struct nt_run *r, const struct nt_timeline *l)
{
	struct nt_out *o = nt_run_out(r);

	if (nt_out_format(o) == NT_TEXT) {
		text(r, l);
		return;
	}
	nt_json_begin(o, "event");
	members(r, l);
	nt_json_end(o);
}

void nt_tl_show_slowest(struct nt_run *r)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);

	if (!nt_tl_keeps_slowest(r))
		return;
	nt_slowest_sort(&p->slowest);
	nt_json_arr(o, "slowest");
	if (p->slowest.n)
		nt_text(o, "the slowest packets:\n");
	for (uint32_t i = 0; i < p->slowest.n; i++) {
		const struct nt_timeline *l = nt_slowest_get(&p->slowest, i);

		nt_json_obj(o, NULL);
		if (nt_out_format(o) == NT_TEXT)
			text(r, l);
		else
			members(r, l);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}
