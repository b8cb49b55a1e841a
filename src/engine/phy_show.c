/* SPDX-License-Identifier: GPL-2.0 */
#include <string.h>

#include "nettrace/phy.h"

static void counters_json(struct nt_out *o, const uint64_t *v)
{
	nt_json_obj(o, "counters");
	for (size_t i = 0; i < NT_PHY_COUNTERS; i++)
		nt_json_u64(o, nt_phy_counter_name(i), v[i]);
	nt_json_obj_end(o);
}

static void drops_json(struct nt_out *o, const struct nt_phy_drops *d)
{
	nt_json_bool(o, "kernel_drops_known", d->known);
	nt_json_obj(o, "kernel_drops");
	for (size_t i = 0; i < d->n; i++)
		nt_json_u64(o, d->reason[i].name, d->reason[i].count);
	nt_json_obj_end(o);
}

static void stats_json(struct nt_out *o, const struct nt_phy_stats *s)
{
	nt_json_u64(o, "received", s->received);
	nt_json_u64(o, "lowest_seq", s->lowest);
	nt_json_u64(o, "highest_seq", s->highest);
	nt_json_u64(o, "out_of_order", s->out_of_order);
	if (s->extended) {
		nt_json_u64(o, "duplicates", s->duplicates);
		nt_json_u64(o, "longest_loss_run", s->longest_run);
		nt_json_u64(o, "socket_overflow", s->overflow);
		drops_json(o, &s->drops);
	}
	counters_json(o, s->counters);
}

static void drops_text(struct nt_run *r, const char *who, const struct nt_phy_drops *d)
{
	nt_text(nt_run_out(r), "  probes dropped by the %s's kernel:%s", who,
		!d->known ? " not known" : d->n ? "" : " none");
	for (size_t i = 0; d->known && i < d->n; i++)
		nt_text(nt_run_out(r), "%s %s %llu", i ? "," : "", d->reason[i].name,
			(unsigned long long)d->reason[i].count);
	nt_text(nt_run_out(r), "\n");
}

static void stats_text(struct nt_run *r, const struct nt_phy_stats *s)
{
	struct nt_out *o = nt_run_out(r);

	nt_text(o, "  received %u (numbers %u to %u), out of order %u", s->received, s->lowest, s->highest,
		s->out_of_order);
	if (s->extended)
		nt_text(o, ", duplicates %llu, longest loss %u, socket overflow %llu",
			(unsigned long long)s->duplicates, s->longest_run, (unsigned long long)s->overflow);
	nt_text(o, "\n");
}

void nt_phy_show_stats(struct nt_run *r, const struct nt_phy_stats *s, uint64_t stray)
{
	const struct nt_resolver *names = nt_run_names(r);
	struct nt_out *o = nt_run_out(r);

	nt_json_begin(o, "test");
	nt_json_time(o, "time", names->realtime(names->ctx, nt_now_ns()));
	stats_json(o, s);
	nt_json_u64(o, "stray", stray);
	nt_json_end(o);
	nt_text(o, "test ended\n");
	stats_text(r, s);
	drops_text(r, "receiver", &s->drops);
	for (size_t i = 0; i < NT_PHY_COUNTERS; i++)
		if (s->counters[i])
			nt_text(o, "  %s rose by %llu\n", nt_phy_counter_name(i), (unsigned long long)s->counters[i]);
	if (stray)
		nt_text(o, "  %llu messages of others were left out\n", (unsigned long long)stray);
}

static void counters_text(struct nt_run *r, const struct nt_phy_result *res)
{
	struct nt_out *o = nt_run_out(r);

	nt_text(o, "  counters of the interfaces, all traffic      sender   receiver\n");
	for (size_t i = 0; i < NT_PHY_COUNTERS; i++)
		if (res->counters[i] || res->peer.counters[i] || nt_run_common(r)->verbose)
			nt_text(o, "    %-34s %12llu %10llu\n", nt_phy_counter_name(i),
				(unsigned long long)res->counters[i], (unsigned long long)res->peer.counters[i]);
}

void nt_phy_show_result(struct nt_run *r, const struct nt_phy_result *res, uint64_t send_errors)
{
	char evidence[200];
	enum nt_phy_verdict v = nt_phy_judge(res, evidence, sizeof(evidence));
	uint64_t lost = res->answered ? nt_phy_lost(res) : 0;
	double pct = res->sent ? 100.0 * (double)lost / (double)res->sent : 0;
	struct nt_out *o = nt_run_out(r);

	nt_json_u64(o, "sent", res->sent);
	nt_json_u64(o, "send_errors", send_errors);
	if (res->answered) {
		nt_json_u64(o, "received", res->peer.received);
		nt_json_u64(o, "not_received", lost);
		nt_json_f64(o, "loss_pct", pct, 4);
	}
	nt_json_str(o, "verdict", nt_phy_verdict_name(v));
	nt_json_str(o, "evidence", evidence);
	nt_json_str(o, "remedy", nt_phy_remedy(v));
	nt_json_obj(o, "sender");
	drops_json(o, &res->drops);
	counters_json(o, res->counters);
	nt_json_obj_end(o);
	if (res->answered) {
		nt_json_obj(o, "receiver");
		stats_json(o, &res->peer);
		nt_json_obj_end(o);
	}
	nt_text(o, "  sent %llu, lost %llu (%.4f %%), refused by the kernel %llu\n", (unsigned long long)res->sent,
		(unsigned long long)lost, pct, (unsigned long long)send_errors);
	if (res->answered)
		stats_text(r, &res->peer);
	drops_text(r, "sender", &res->drops);
	if (res->answered)
		drops_text(r, "receiver", &res->peer.drops);
	counters_text(r, res);
	nt_text(o, "verdict: %s\n  %s\n  %s\n", nt_phy_verdict_name(v), evidence, nt_phy_remedy(v));
}
