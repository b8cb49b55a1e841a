/* SPDX-License-Identifier: GPL-2.0 */
/* How qdisc_latency_details shows packets and figures. */
#include <linux/pkt_sched.h>
#include <string.h>

#include "nettrace/packet.h"
#include "nettrace/qdisc.h"
#include "qdisc_latency.h"

static const char *const outcomes[] = { "inside", "sent", "dropped", "consumed" };
static const char *const paths[] = { "queued", "bypass", "noqueue" };

/* ---- a packet ---- */
#define L(member) offsetof(struct nt_qlat, member)
static const struct nt_field head_fields[] = {
	{ .name = "time", .kind = NT_K_TS, .off = L(ended_ns) },
	{ .name = "outcome", .kind = NT_K_ENUM, .off = L(outcome), .names = "inside|sent|dropped|consumed" },
	{ .name = "path", .kind = NT_K_ENUM, .off = L(path), .names = "queued|bypass|noqueue" },
};
static const struct nt_field tail_fields[] = {
	{ .name = "requeues", .kind = NT_K_U32, .off = L(requeues) },
	{ .name = "queue", .kind = NT_K_U32, .off = L(txq) },
	{ .name = "cpu_queued", .kind = NT_K_U16, .off = L(cpu_queued) },
	{ .name = "cpu", .kind = NT_K_U16, .off = L(cpu_ended) },
	{ .name = "t_queue_ns", .kind = NT_K_U64, .off = L(queued_ns) },
	{ .name = "t_dequeue_ns", .kind = NT_K_U64, .off = L(dequeued_ns), .flags = NT_F_IF_NONZERO },
};
static const struct nt_field drop_fields[] = {
	{ .name = "reason", .kind = NT_K_REASON, .off = L(reason) },
	{ .name = "location", .kind = NT_K_KSYM, .off = L(location) },
};

static uint64_t since(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

/* In the discipline: until it gave the packet away, or until the packet's end in it. */
static uint64_t wait_ns(const struct nt_qlat *l)
{
	if (l->dequeued_ns)
		return since(l->queued_ns, l->dequeued_ns);
	return l->path == NT_QLAT_QUEUED ? nt_qlat_whole_ns(l) : 0;
}

/* Until the driver had it: requeues, segmentation, locks. */
static uint64_t driver_ns(const struct nt_qlat *l)
{
	return since(l->dequeued_ns ? l->dequeued_ns : l->queued_ns, l->ended_ns);
}

static void packet_members(struct nt_run *r, const struct nt_qlat *l)
{
	struct nt_out *o = nt_run_out(r);

	nt_fields_json(o, nt_run_names(r), head_fields, NT_COUNT(head_fields), l);
	nt_json_f64(o, "qdisc_us", (double)wait_ns(l) / 1e3, 3);
	if (l->outcome == NT_QLAT_SENT)
		nt_json_f64(o, "driver_wait_us", (double)driver_ns(l) / 1e3, 3);
	nt_json_f64(o, "total_us", (double)nt_qlat_whole_ns(l) / 1e3, 3);
	nt_fields_json(o, nt_run_names(r), tail_fields, NT_COUNT(tail_fields), l);
	if (l->outcome == NT_QLAT_DROPPED)
		nt_fields_json(o, nt_run_names(r), drop_fields, NT_COUNT(drop_fields), l);
	nt_qdisc_json(o, "qdisc", l->qdisc.kind, l->qdisc.handle, l->qdisc.parent);
	if (l->qdisc.bits & NT_QDISC_QLEN) {
		nt_json_u64(o, "qlen", l->qdisc.qlen);
		nt_json_u64(o, "backlog_bytes", l->qdisc.backlog_bytes);
	}
	nt_packet_json(r, &l->pkt);
}

static void drop_text(struct nt_run *r, const struct nt_qlat *l)
{
	const struct nt_resolver *names = nt_run_names(r);
	char reason[48], place[96];

	if (l->outcome == NT_QLAT_DROPPED)
		nt_text(nt_run_out(r), "    %s at %s\n",
			nt_field_text(names, &drop_fields[0], l, reason, sizeof(reason)),
			nt_field_text(names, &drop_fields[1], l, place, sizeof(place)));
}

static void raw_times_text(struct nt_run *r, const struct nt_qlat *l)
{
	if (!nt_run_common(r)->verbose)
		return;
	nt_text(nt_run_out(r), "    ns: queued %llu (cpu %u), dequeued %llu, ended %llu (cpu %u)\n",
		(unsigned long long)l->queued_ns, l->cpu_queued, (unsigned long long)l->dequeued_ns,
		(unsigned long long)l->ended_ns, l->cpu_ended);
}

/* Where and how long; which packet; why it was dropped. */
static void packet_text(struct nt_run *r, const struct nt_qlat *l)
{
	char time[40], dev[40], name[48], wait[32], driver[32], packet[200], more[48] = "";
	struct nt_out *o = nt_run_out(r);

	nt_field_text(nt_run_names(r), &head_fields[0], l, time, sizeof(time));
	nt_qdisc_name(l->qdisc.kind, l->qdisc.handle, l->qdisc.parent, name, sizeof(name));
	nt_fmt_ns(wait_ns(l), wait, sizeof(wait));
	snprintf(driver, sizeof(driver), "-");
	if (l->outcome == NT_QLAT_SENT)
		nt_fmt_ns(driver_ns(l), driver, sizeof(driver));
	if (l->requeues)
		snprintf(more, sizeof(more), ", requeued %u times", l->requeues);
	nt_text(o, "%s  %-10s %2u  %-14s %-7s %10s %10s  %s%s\n", time,
		nt_packet_field(r, &l->pkt, "ifname", dev, sizeof(dev)), l->txq, name,
		paths[l->path < NT_QLAT_PATHS ? l->path : 0], wait, driver,
		l->outcome == NT_QLAT_DROPPED ? "DROPPED" : outcomes[l->outcome < NT_QLAT_OUTCOMES ? l->outcome : 0],
		more);
	nt_text(o, "    %s\n", nt_packet_text(&l->pkt, packet, sizeof(packet)));
	drop_text(r, l);
	raw_times_text(r, l);
}

static const char heading[] =
	"time          device      q  qdisc          path       in qdisc  to driver  end\n";

void nt_qlat_show_packet(struct nt_run *r, const struct nt_qlat *l)
{
	static bool headed;
	struct nt_out *o = nt_run_out(r);

	if (nt_out_format(o) == NT_TEXT) {
		if (!headed)
			nt_text(o, heading);
		headed = true;
		packet_text(r, l);
		return;
	}
	nt_json_begin(o, "event");
	packet_members(r, l);
	nt_json_end(o);
}

/* ---- the slowest ---- */
static void slowest(struct nt_run *r)
{
	struct nt_qlat_priv *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);

	nt_json_arr(o, "slowest");
	if (p->slowest.n)
		nt_text(o, "the slowest packets:\n%s", heading);
	for (uint32_t i = 0; i < p->slowest.n; i++) {
		const struct nt_qlat *l = nt_slowest_get(&p->slowest, i);

		nt_json_obj(o, NULL);
		if (nt_out_format(o) == NT_TEXT)
			packet_text(r, l);
		else
			packet_members(r, l);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

/* ---- rows ---- */
static const char *const hist_names[] = { "qdisc_wait", "driver_wait", "wait_before_drop" };

static void row_json(struct nt_run *r, const struct nt_qlat_row *row)
{
	const struct nt_resolver *names = nt_run_names(r);
	const struct nt_qlat_key *k = &row->key;
	struct nt_out *o = nt_run_out(r);

	nt_json_obj(o, NULL);
	nt_json_str(o, "ifname", names->ifname(names->ctx, k->netns, k->ifindex));
	nt_json_u64(o, "ifindex", k->ifindex);
	nt_json_u64(o, "netns", k->netns);
	nt_json_u64(o, "queue", k->txq);
	nt_qdisc_json(o, "qdisc", k->kind, k->handle, k->parent);
	for (size_t i = NT_QLAT_SENT; i < NT_QLAT_OUTCOMES; i++)
		nt_json_u64(o, outcomes[i], row->outcome[i]);
	for (size_t i = 0; i < NT_QLAT_PATHS; i++)
		nt_json_u64(o, paths[i], row->path[i]);
	nt_json_u64(o, "requeues", row->requeues);
	nt_json_u64(o, "bytes", row->bytes);
	for (size_t i = 0; i < NT_QLAT_HISTS; i++)
		nt_hist_json(o, hist_names[i], &row->hist[i], "us", 1000.0);
	nt_json_obj_end(o);
}

struct text_row {
	char name[48];
	uint32_t ifindex, netns, txq;
	uint64_t queued, bypass, noqueue, dropped, p50, p99, max, driver_p99;
};

#define R(member) offsetof(struct text_row, member)
#define NUMBER(member) { .name = #member, .kind = NT_K_U64, .off = R(member), .flags = NT_F_GROUP }
static const struct nt_field text_fields[] = {
	{ .name = "device", .kind = NT_K_IFINDEX, .off = R(ifindex), .arg = R(netns) },
	{ .name = "q", .kind = NT_K_U32, .off = R(txq) },
	{ .name = "qdisc", .kind = NT_K_STR, .off = R(name), .arg = sizeof(((struct text_row *)0)->name) },
	NUMBER(queued), NUMBER(bypass), NUMBER(noqueue), NUMBER(dropped),
	{ .name = "p50", .label = "wait p50", .kind = NT_K_NS_AS_US, .off = R(p50), .flags = NT_F_IF_NONZERO },
	{ .name = "p99", .kind = NT_K_NS_AS_US, .off = R(p99), .flags = NT_F_IF_NONZERO },
	{ .name = "max", .kind = NT_K_NS_AS_US, .off = R(max), .flags = NT_F_IF_NONZERO },
	{ .name = "driver_p99", .label = "driver p99", .kind = NT_K_NS_AS_US, .off = R(driver_p99) },
};

static void fill_text_row(struct text_row *t, const struct nt_qlat_row *row)
{
	const struct nt_hist *wait = &row->hist[NT_QLAT_WAIT];

	*t = (struct text_row){
		.ifindex = row->key.ifindex, .netns = row->key.netns, .txq = row->key.txq,
		.queued = row->path[NT_QLAT_QUEUED], .bypass = row->path[NT_QLAT_BYPASS],
		.noqueue = row->path[NT_QLAT_NOQUEUE], .dropped = row->outcome[NT_QLAT_DROPPED],
		.p50 = nt_hist_quantile(wait, .50), .p99 = nt_hist_quantile(wait, .99), .max = wait->max,
		.driver_p99 = nt_hist_quantile(&row->hist[NT_QLAT_DRIVER], .99),
	};
	nt_qdisc_name(row->key.kind, row->key.handle, row->key.parent, t->name, sizeof(t->name));
}

#define TEXT_ROWS 256		/* as many as the kernel side has */
static void rows_text(struct nt_run *r, const struct nt_qlat_figures *f)
{
	static struct text_row row[TEXT_ROWS];
	size_t n = f->n < nt_run_common(r)->top ? f->n : nt_run_common(r)->top;

	if (n > TEXT_ROWS)
		n = TEXT_ROWS;
	for (size_t i = 0; i < n; i++)
		fill_text_row(&row[i], &f->row[i]);
	if (n && nt_out_format(nt_run_out(r)) == NT_TEXT)
		nt_table(nt_run_out(r), nt_run_names(r), NULL, "packets by queue, and how long the queued ones waited",
			 text_fields, NT_COUNT(text_fields), row, sizeof(*row), n);
	if (f->n > n)
		nt_text(nt_run_out(r), "... %zu more queues (--top)\n", f->n - n);
}

/* ---- all together ---- */
static void totals_json(struct nt_out *o, const struct nt_qlat_figures *f)
{
	nt_json_u64(o, "started", f->started);
	for (size_t i = NT_QLAT_SENT; i < NT_QLAT_OUTCOMES; i++)
		nt_json_u64(o, outcomes[i], f->ended[i]);
	nt_json_u64(o, "inside", f->inside);
	nt_json_f64(o, "oldest_inside_us", (double)f->oldest_ns / 1e3, 3);
	nt_json_u64(o, "timed_out", f->timed_out);
	nt_json_u64(o, "superseded", f->superseded);
	nt_json_u64(o, "segments", f->segments);
	nt_json_u64(o, "without_row", f->no_row);
}

static void count_text(struct nt_out *o, const char *what, uint64_t n)
{
	char c[32];

	if (n)
		nt_text(o, ", %s %s", nt_fmt_count(n, c, sizeof(c)), what);
}

static void totals_text(struct nt_out *o, const struct nt_qlat_figures *f)
{
	char started[32], sent[32], oldest[32];

	nt_text(o, "%s packets came to a queue, %s were sent", nt_fmt_count(f->started, started, sizeof(started)),
		nt_fmt_count(f->ended[NT_QLAT_SENT], sent, sizeof(sent)));
	count_text(o, "dropped", f->ended[NT_QLAT_DROPPED]);
	count_text(o, "consumed (cut into segments)", f->ended[NT_QLAT_CONSUMED]);
	count_text(o, "not ended in time", f->timed_out);
	count_text(o, "ended unseen", f->superseded);
	count_text(o, "still inside", f->inside);
	if (f->inside)
		nt_text(o, " (the oldest for %s)", nt_fmt_ns(f->oldest_ns, oldest, sizeof(oldest)));
	count_text(o, "segments sent", f->segments);
	count_text(o, "not in the table below: it is full", f->no_row);
	nt_text(o, "\n");
}

static void joined(const struct nt_qlat_figures *f, enum nt_qlat_hist which, struct nt_hist *all)
{
	nt_hist_init(all);
	for (size_t i = 0; i < f->n; i++)
		nt_hist_join(all, &f->row[i].hist[which]);
}

void nt_qlat_show_figures(struct nt_run *r, const struct nt_qlat_figures *f)
{
	struct nt_out *o = nt_run_out(r);
	static struct nt_hist all;

	totals_json(o, f);
	totals_text(o, f);
	for (size_t i = 0; i < NT_QLAT_HISTS; i++) {
		joined(f, i, &all);
		nt_hist_json(o, hist_names[i], &all, "us", 1000.0);
	}
	nt_json_arr(o, "queues");
	for (size_t i = 0; i < f->n && nt_out_format(o) == NT_JSON; i++)
		row_json(r, &f->row[i]);
	nt_json_arr_end(o);
	rows_text(r, f);
	joined(f, NT_QLAT_WAIT, &all);
	if (all.count && nt_out_format(o) == NT_TEXT)
		nt_hist_text(o, "wait in the discipline", &all, "us", 1000.0);
	slowest(r);
}
