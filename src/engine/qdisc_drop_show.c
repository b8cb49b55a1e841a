/* SPDX-License-Identifier: GPL-2.0 */
/* How drops on the way out are shown: events, rows by discipline, return codes, device counters. */
#include <linux/pkt_sched.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/packet.h"
#include "nettrace/qdisc_drop.h"

/* ---- disciplines ---- */
/* bfifo and its like have their limit in bytes, the others in packets. */
static const char *limit_unit(const char *kind)
{
	static const char *const bytes[] = { "bfifo", "red", "gred", "sfb", "cake" };

	for (size_t i = 0; i < NT_COUNT(bytes); i++)
		if (!strcmp(kind, bytes[i]))
			return "bytes";
	return "packets";
}

/* ---- events ---- */
#define E(member) offsetof(struct nt_qdisc_event, member)
static const struct nt_field time_field = { .name = "time", .kind = NT_K_TS, .off = E(ts_ns) };
static const struct nt_field drop_fields[] = {
	{ .name = "reason", .kind = NT_K_REASON, .off = E(reason) },
	{ .name = "reason_id", .kind = NT_K_U32, .off = E(reason), .flags = NT_F_IF_NONZERO },
	{ .name = "location", .kind = NT_K_KSYM, .off = E(location) },
	{ .name = "location_raw", .kind = NT_K_KSYM, .off = E(location_raw), .arg = 1 },
};
static const struct nt_field task_fields[] = {
	{ .name = "txq", .kind = NT_K_U32, .off = E(txq) },
	{ .name = "cpu", .kind = NT_K_U32, .off = E(cpu) },
	{ .name = "pid", .kind = NT_K_U32, .off = E(pid) },
	{ .name = "tid", .kind = NT_K_U32, .off = E(tid) },
	{ .name = "comm", .kind = NT_K_COMM, .off = E(comm) },
};
static const struct nt_field stack_field =
	{ .name = "stack", .kind = NT_K_STACK, .off = E(stack), .arg = NT_STACK_MAX };
static const char *const stages[] = { "dropped", "tx_queue", "tx_driver" };

static void queue_json(struct nt_out *o, const struct nt_qdisc *q)
{
	if (q->bits & NT_QDISC_QLEN) {
		nt_json_u64(o, "qlen", q->qlen);
		nt_json_u64(o, "backlog_bytes", q->backlog_bytes);
	}
	if (!q->limit)
		return;
	nt_json_u64(o, "limit", q->limit);
	nt_json_str(o, "limit_unit", limit_unit(q->kind));
}

static void disciplines_json(struct nt_out *o, const struct nt_qdisc_event *e)
{
	if (e->root.bits & NT_QDISC_KNOWN)
		nt_qdisc_json(o, "qdisc", e->root.kind, e->root.handle, e->root.parent);
	if (e->leaf.bits & NT_QDISC_KNOWN) {
		nt_qdisc_json(o, "leaf", e->leaf.kind, e->leaf.handle, e->leaf.parent);
		nt_json_f64(o, "sojourn_us", (double)e->queued_ns / 1e3, 3);
	}
	queue_json(o, e->leaf.bits & NT_QDISC_KNOWN ? &e->leaf : &e->root);
}

static void event_json(struct nt_run *r, const struct nt_qdisc_event *e)
{
	const struct nt_resolver *names = nt_run_names(r);
	struct nt_out *o = nt_run_out(r);

	nt_json_begin(o, "event");
	nt_fields_json(o, names, &time_field, 1, e);
	nt_json_str(o, "stage", stages[e->stage < NT_COUNT(stages) ? e->stage : 0]);
	if (e->stage == NT_QDISC_DROPPED)
		nt_fields_json(o, names, drop_fields, NT_COUNT(drop_fields), e);
	nt_fields_json(o, names, task_fields, NT_COUNT(task_fields), e);
	disciplines_json(o, e);
	nt_packet_json(r, &e->pkt);
	if (e->stage == NT_QDISC_DROPPED && nt_run_common(r)->verbose)
		nt_fields_json(o, names, &stack_field, 1, e);
	nt_json_end(o);
}

static void queue_text(struct nt_run *r, const struct nt_qdisc_event *e)
{
	const struct nt_qdisc *q = e->leaf.bits & NT_QDISC_KNOWN ? &e->leaf : &e->root;
	char name[48], time[32];
	struct nt_out *o = nt_run_out(r);

	nt_text(o, "    %s", nt_qdisc_name(q->kind, q->handle, q->parent, name, sizeof(name)));
	if (q->bits & NT_QDISC_QLEN)
		nt_text(o, " held %u packets, %u bytes", q->qlen, q->backlog_bytes);
	if (q->limit)
		nt_text(o, ", limit %u %s", q->limit, limit_unit(q->kind));
	if (e->leaf.bits & NT_QDISC_KNOWN)
		nt_text(o, ", this one for %s", nt_fmt_ns(e->queued_ns, time, sizeof(time)));
	nt_text(o, "\n");
}

static const char *text_of(struct nt_run *r, const struct nt_field *f, const struct nt_qdisc_event *e,
			   char *buf, size_t size)
{
	return nt_field_text(nt_run_names(r), f, e, buf, size);
}

static void event_text(struct nt_run *r, const struct nt_qdisc_event *e)
{
	char time[40], reason[48], place[96], name[48], packet[160], comm[40], stack[4096];
	const struct nt_resolver *names = nt_run_names(r);
	const char *dev = names->ifname(names->ctx, e->pkt.flow.netns, e->pkt.flow.ifindex);
	struct nt_out *o = nt_run_out(r);

	nt_text(o, "%s %s txq %u  %s  ", text_of(r, &time_field, e, time, sizeof(time)), dev ? dev : "-",
		e->txq, nt_qdisc_name(e->root.kind, e->root.handle, e->root.parent, name, sizeof(name)));
	if (e->stage == NT_QDISC_DROPPED)
		nt_text(o, "%s at %s\n", text_of(r, &drop_fields[0], e, reason, sizeof(reason)),
			text_of(r, &drop_fields[2], e, place, sizeof(place)));
	else
		nt_text(o, "%s\n", stages[e->stage < NT_COUNT(stages) ? e->stage : 0]);
	nt_text(o, "    %s\n", nt_packet_text(&e->pkt, packet, sizeof(packet)));
	if (e->stage != NT_QDISC_DROPPED)
		return;
	queue_text(r, e);
	if (!nt_run_common(r)->verbose)
		return;
	nt_text(o, "    cpu %u  current %s %u/%u\n", e->cpu,
		text_of(r, &task_fields[4], e, comm, sizeof(comm)), e->pid, e->tid);
	if (e->stack[0])
		nt_text(o, "%s\n", text_of(r, &stack_field, e, stack, sizeof(stack)));
}

void nt_qdisc_drop_event(struct nt_run *r, const struct nt_qdisc_event *e)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		event_json(r, e);
	else
		event_text(r, e);
}

/* ---- rows: one a device, transmit queue and discipline ---- */
struct row {
	uint32_t ifindex, netns, txq, handle, parent;
	char kind[16];
	uint64_t drops, packets, bytes;
	uint64_t by_discipline;		/* of them: what the kernel's counter must show too */
	uint64_t kernel_drops;
	bool compared;
};

struct rows {
	struct row *row;
	size_t n;
	struct nt_qdrop_entry *part;	/* drops of the interval */
	size_t n_parts;
};

/* The kernel counts all packets: with a packet filter there is nothing to compare. */
static bool filters_packets(const struct nt_run *r)
{
	const struct nt_tuple_opts *t = nt_run_tuple((struct nt_run *)r);

	return nt_run_has_filter(r) || t->src.set || t->dst.set || t->sport.set || t->dport.set ||
	       t->proto != NT_PROTO_ALL;
}

static bool is_disciplines_drop(struct nt_run *r, const struct nt_qdrop_key *k)
{
	const struct nt_drop_opts *o = nt_run_opts(r);

	if (k->leaf_kind[0] || !o->reason.n)	/* no reasons before 5.17 */
		return k->root_kind[0] && strcmp(k->root_kind, "noqueue") != 0;
	for (size_t i = 0; i < o->reason.n; i++)
		if (k->reason == nt_run_reason_id(r, o->reason.item[i]))
			return true;
	return false;
}

static bool same_row(const struct row *a, const struct nt_qdrop_key *k)
{
	return a->ifindex == k->ifindex && a->netns == k->netns && a->txq == k->txq &&
	       a->handle == k->root_handle && a->parent == k->root_parent &&
	       !strncmp(a->kind, k->root_kind, sizeof(a->kind));
}

static struct row *row_of(struct rows *all, const struct nt_qdrop_key *k)
{
	struct row *row;

	for (size_t i = 0; i < all->n; i++)
		if (same_row(&all->row[i], k))
			return &all->row[i];
	row = &all->row[all->n++];
	*row = (struct row){ .ifindex = k->ifindex, .netns = k->netns, .txq = k->txq,
			     .handle = k->root_handle, .parent = k->root_parent };
	memcpy(row->kind, k->root_kind, sizeof(row->kind));
	return row;
}

static const struct nt_qdrop_val *value_before(const struct nt_qdisc_snapshot *s, const struct nt_qdrop_key *k)
{
	for (size_t i = 0; i < s->n_drops; i++)
		if (!memcmp(&s->drop[i].key, k, sizeof(*k)))
			return &s->drop[i].val;
	return NULL;
}

static void add_drops(struct nt_run *r, struct rows *all, const struct nt_qdisc_snapshot *before,
		      const struct nt_qdisc_snapshot *now)
{
	for (size_t i = 0; i < now->n_drops; i++) {
		struct nt_qdrop_entry e = now->drop[i];
		const struct nt_qdrop_val *was = value_before(before, &e.key);
		struct row *row;

		e.val.drops -= was ? was->drops : 0;
		e.val.packets -= was ? was->packets : 0;
		e.val.bytes -= was ? was->bytes : 0;
		if (!e.val.drops)
			continue;
		row = row_of(all, &e.key);
		row->drops += e.val.drops;
		row->packets += e.val.packets;
		row->bytes += e.val.bytes;
		if (is_disciplines_drop(r, &e.key))
			row->by_discipline += e.val.drops;
		all->part[all->n_parts++] = e;
	}
}

static uint32_t rise(const struct nt_qdisc_snapshot *before, const struct nt_qdisc_row *k)
{
	const struct nt_qdisc_row *was = nt_qdiscs_find(&before->kernel, k->ifindex, k->handle, k->parent);

	return k->drops - (was && !strcmp(was->kind, k->kind) ? was->drops : 0);
}

/* mq has no packets of its own: its figures are the sum of the queues' disciplines. */
static bool is_mq(const char *kind)
{
	return !strncmp(kind, "mq", 2);
}

/* Does a transmit queue lead to it directly? */
static bool is_root(const struct nt_qdiscs *all, const struct nt_qdisc_row *k)
{
	if (k->parent == TC_H_ROOT)
		return !is_mq(k->kind);
	for (size_t i = 0; i < all->n; i++)
		if (all->row[i].ifindex == k->ifindex && is_mq(all->row[i].kind) &&
		    TC_H_MAJ(all->row[i].handle) == TC_H_MAJ(k->parent))
			return true;
	return false;
}

static bool device_wanted(struct nt_run *r, uint32_t ifindex)
{
	const uint32_t *asked = nt_run_tuple_values(r)->ifindex;

	for (size_t i = 0; i < NT_FILTER_DEVS && asked[i]; i++)
		if (asked[i] == ifindex)
			return true;
	return !asked[0];
}

/* The kernel's counters beside ours, and rows for what it counted and we did not see. */
static void add_kernel(struct nt_run *r, struct rows *all, const struct nt_qdisc_snapshot *before,
		       const struct nt_qdisc_snapshot *now)
{
	for (size_t i = 0; i < now->kernel.n && !filters_packets(r); i++) {
		const struct nt_qdisc_row *k = &now->kernel.row[i];
		struct nt_qdrop_key key = { .ifindex = k->ifindex, .netns = nt_run_netns(r),
			.txq = k->parent == TC_H_ROOT ? 0 : TC_H_MIN(k->parent) - 1,
			.root_handle = k->handle, .root_parent = k->parent };
		struct row *row = NULL;

		if (!is_root(&now->kernel, k) || !device_wanted(r, k->ifindex))
			continue;
		memcpy(key.root_kind, k->kind, sizeof(key.root_kind));
		for (size_t j = 0; j < all->n && !row; j++)	/* a root serves every queue */
			if (all->row[j].ifindex == key.ifindex && all->row[j].netns == key.netns &&
			    all->row[j].handle == k->handle && all->row[j].parent == k->parent)
				row = &all->row[j];
		if (!row && rise(before, k))
			row = row_of(all, &key);
		if (!row)
			continue;
		row->kernel_drops = rise(before, k);
		row->compared = true;
	}
}

/* ---- showing rows ---- */
static bool part_of(const struct row *row, const struct nt_qdrop_entry *e)
{
	return same_row(row, &e->key);
}

#define K(member) offsetof(struct nt_qdrop_entry, member)
static const struct nt_field part_fields[] = {
	{ .name = "reason", .kind = NT_K_REASON, .off = K(key.reason) },
	{ .name = "location", .kind = NT_K_KSYM, .off = K(key.location) },
	{ .name = "drops", .kind = NT_K_U64, .off = K(val.drops), .flags = NT_F_GROUP },
};

static void part_json(struct nt_run *r, const struct nt_qdrop_entry *e)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_obj(o, NULL);
	nt_fields_json(o, nt_run_names(r), part_fields, NT_COUNT(part_fields), e);
	if (e->key.leaf_kind[0])
		nt_qdisc_json(o, "leaf", e->key.leaf_kind, e->key.leaf_handle, e->key.leaf_parent);
	nt_json_obj_end(o);
}

static void part_text(struct nt_run *r, const struct nt_qdrop_entry *e)
{
	char drops[32], reason[48], place[96], leaf[48];
	const struct nt_qdrop_key *k = &e->key;
	const struct nt_resolver *names = nt_run_names(r);

	nt_text(nt_run_out(r), "      %10s  %s at %s", nt_field_text(names, &part_fields[2], e, drops, sizeof(drops)),
		nt_field_text(names, &part_fields[0], e, reason, sizeof(reason)),
		nt_field_text(names, &part_fields[1], e, place, sizeof(place)));
	if (k->leaf_kind[0])
		nt_text(nt_run_out(r), ", in %s",
			nt_qdisc_name(k->leaf_kind, k->leaf_handle, k->leaf_parent, leaf, sizeof(leaf)));
	nt_text(nt_run_out(r), "\n");
}

static void row_json(struct nt_run *r, const struct rows *all, const struct row *row)
{
	const struct nt_resolver *names = nt_run_names(r);
	struct nt_out *o = nt_run_out(r);

	nt_json_obj(o, NULL);
	nt_json_str(o, "ifname", row->ifindex ? names->ifname(names->ctx, row->netns, row->ifindex) : NULL);
	nt_json_u64(o, "ifindex", row->ifindex);
	nt_json_u64(o, "netns", row->netns);
	nt_json_u64(o, "txq", row->txq);
	nt_qdisc_json(o, "qdisc", row->kind, row->handle, row->parent);
	nt_json_u64(o, "drops", row->drops);
	nt_json_u64(o, "packets", row->packets);
	nt_json_u64(o, "bytes", row->bytes);
	if (row->compared) {
		nt_json_u64(o, "kernel_drops", row->kernel_drops);
		nt_json_i64(o, "unexplained", (int64_t)(row->kernel_drops - row->by_discipline));
	}
	nt_json_arr(o, "reasons");
	for (size_t i = 0; i < all->n_parts; i++)
		if (part_of(row, &all->part[i]))
			part_json(r, &all->part[i]);
	nt_json_arr_end(o);
	nt_json_obj_end(o);
}

static void row_text(struct nt_run *r, const struct rows *all, const struct row *row)
{
	const struct nt_resolver *names = nt_run_names(r);
	const char *dev = row->ifindex ? names->ifname(names->ctx, row->netns, row->ifindex) : NULL;
	char name[48], drops[32], packets[32], bytes[32], kernel[32], gap[32];

	snprintf(kernel, sizeof(kernel), "-");
	snprintf(gap, sizeof(gap), "-");
	if (row->compared) {
		nt_fmt_count(row->kernel_drops, kernel, sizeof(kernel));
		snprintf(gap, sizeof(gap), "%lld", (long long)(row->kernel_drops - row->by_discipline));
	}
	nt_text(nt_run_out(r), "%-15s %4u  %-20s %9s %9s %12s %9s %9s\n", dev ? dev : "-", row->txq,
		nt_qdisc_name(row->kind, row->handle, row->parent, name, sizeof(name)),
		nt_fmt_count(row->drops, drops, sizeof(drops)),
		nt_fmt_count(row->packets, packets, sizeof(packets)),
		nt_fmt_count(row->bytes, bytes, sizeof(bytes)), kernel, gap);
	for (size_t i = 0; i < all->n_parts; i++)
		if (part_of(row, &all->part[i]))
			part_text(r, &all->part[i]);
}

static int by_drops(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	uint64_t dx = x->drops + x->kernel_drops, dy = y->drops + y->kernel_drops;

	return dx < dy ? 1 : dx > dy ? -1 : 0;
}

static void show_rows(struct nt_run *r, const struct nt_qdisc_snapshot *before,
		      const struct nt_qdisc_snapshot *now)
{
	struct rows all = { .row = calloc(now->n_drops + now->kernel.n + 1, sizeof(struct row)),
			    .part = calloc(now->n_drops + 1, sizeof(struct nt_qdrop_entry)) };
	struct nt_out *o = nt_run_out(r);
	uint64_t drops = 0;

	if (all.row && all.part) {
		add_drops(r, &all, before, now);
		add_kernel(r, &all, before, now);
		qsort(all.row, all.n, sizeof(*all.row), by_drops);
	}
	for (size_t i = 0; i < all.n; i++)
		drops += all.row[i].drops;
	nt_json_u64(o, "drops", drops);
	nt_json_arr(o, "rows");
	nt_text(o, all.n ? "device           txq  qdisc                    drops   packets        bytes"
		"    kernel unexplained\n" : "no drops\n");
	for (size_t i = 0; i < all.n && i < nt_run_common(r)->top; i++) {
		if (nt_out_format(o) == NT_JSON)
			row_json(r, &all, &all.row[i]);
		else
			row_text(r, &all, &all.row[i]);
	}
	nt_json_arr_end(o);
	nt_json_u64(o, "rows_total", all.n);
	if (all.n > nt_run_common(r)->top)
		nt_text(o, "      ... %zu more rows (--top)\n", all.n - nt_run_common(r)->top);
	free(all.row);
	free(all.part);
}

void nt_qdisc_drop_show(struct nt_run *r, const struct nt_qdisc_snapshot *before,
			const struct nt_qdisc_snapshot *now)
{
	show_rows(r, before, now);
	nt_qdisc_drop_show_codes(r, before, now);
	nt_qdisc_drop_show_devices(r, before, now);
}
