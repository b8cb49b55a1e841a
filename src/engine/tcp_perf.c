/* SPDX-License-Identifier: GPL-2.0 */
/* Report of tcp_perf_observer: handshakes, causes of retransmissions, resets, drops, states. */
#include <stdio.h>
#include <string.h>

#include "tcp.h"

static const struct { const char *key, *text; } again[NT_TCP_RETRANS_KINDS] = {
	[NT_TCP_RETRANS_SYN] = { "syn", "SYN" },
	[NT_TCP_RETRANS_SYNACK] = { "syn_ack", "SYN-ACK" },
	[NT_TCP_RETRANS_RTO] = { "rto", "after a timeout" },
	[NT_TCP_RETRANS_FAST] = { "fast", "fast" },
	[NT_TCP_RETRANS_TLP] = { "tail_loss_probe", "tail loss probe" },
	[NT_TCP_RETRANS_OTHER] = { "other", "other" },
}, fails[NT_TCP_FAILS] = {
	[NT_TCP_FAIL_REFUSED] = { "refused", "refused" },
	[NT_TCP_FAIL_TIMEOUT] = { "timeout", "timed out" },
	[NT_TCP_FAIL_UNREACHABLE] = { "unreachable", "unreachable" },
	[NT_TCP_FAIL_OTHER] = { "other", "for another cause" },
};

/* ---- JSON ---- */
static uint64_t fails_of(const struct nt_tcp_report *rep)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < NT_TCP_FAILS; i++)
		sum += nt_tcp_stat(rep, NT_STAT_TCP_FAIL0 + i);
	return sum;
}

static void json_retransmitted(struct nt_out *o, const struct nt_tcp_report *rep)
{
	nt_json_obj(o, "retransmitted");
	nt_json_u64(o, "packets", nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_SKBS));
	nt_json_u64(o, "segments", nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_SEGMENTS));
	nt_json_u64(o, "failed_segments", nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_FAILED));
	nt_json_obj(o, "segments_by_cause");
	for (unsigned int i = 0; i < NT_TCP_RETRANS_KINDS; i++)
		nt_json_u64(o, again[i].key, nt_tcp_stat(rep, NT_STAT_TCP_KIND0 + i));
	nt_json_obj_end(o);
	nt_json_obj_end(o);
}

static void json_opens(struct nt_out *o, const struct nt_tcp_report *rep)
{
	nt_json_u64(o, "opened", nt_tcp_stat(rep, NT_STAT_TCP_OPENED));
	nt_json_u64(o, "accepted", nt_tcp_stat(rep, NT_STAT_TCP_ACCEPTED));
	nt_json_u64(o, "failed_opens", fails_of(rep));
	nt_json_obj(o, "failed_opens_by_cause");
	for (unsigned int i = 0; i < NT_TCP_FAILS; i++)
		nt_json_u64(o, fails[i].key, nt_tcp_stat(rep, NT_STAT_TCP_FAIL0 + i));
	nt_json_obj_end(o);
	nt_json_obj(o, "into_state");
	for (unsigned int i = 1; i < NT_TCP_KERNEL_STATES; i++)
		if (nt_tcp_stat(rep, NT_STAT_TCP_STATE0 + i))
			nt_json_u64(o, nt_tcp_state_name(i), nt_tcp_stat(rep, NT_STAT_TCP_STATE0 + i));
	nt_json_obj_end(o);
}

static void json(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_u64(o, "samples", nt_tcp_stat(rep, NT_STAT_EVENTS));
	nt_json_u64(o, "segments_seen", nt_tcp_stat(rep, NT_STAT_TCP_SEEN));
	nt_json_u64(o, "while_nothing_in_flight", nt_tcp_stat(rep, NT_STAT_TCP_IDLE));
	nt_json_u64(o, "rtts_not_sampled", nt_tcp_stat(rep, NT_STAT_TCP_UNSAMPLED));
	nt_json_u64(o, "acks_without_rtt", nt_tcp_stat(rep, NT_STAT_TCP_NO_RTT));
	json_retransmitted(o, rep);
	json_opens(o, rep);
	nt_json_u64(o, "resets_sent", nt_tcp_stat(rep, NT_STAT_TCP_RESETS_OUT));
	nt_json_u64(o, "resets_received", nt_tcp_stat(rep, NT_STAT_TCP_RESETS_IN));
	nt_tcp_drops_show(r, rep);
	nt_json_u64(o, "details_suppressed", nt_tcp_stat(rep, NT_STAT_TCP_SUPPRESSED));
	nt_tcp_hists_json(r, rep);
}

/* ---- text ---- */
static void text_opens(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct nt_out *o = nt_run_out(r);
	char n[32], conns[48];
	bool any = false;

	nt_text(o, "%s had traffic; opened: %s", nt_tcp_count_text(rep->rows.n, "connection", conns, sizeof(conns)),
		nt_fmt_count(nt_tcp_stat(rep, NT_STAT_TCP_OPENED), n, sizeof(n)));
	nt_text(o, ", accepted: %s", nt_fmt_count(nt_tcp_stat(rep, NT_STAT_TCP_ACCEPTED), n, sizeof(n)));
	nt_text(o, ", failed to open: %s", nt_fmt_count(fails_of(rep), n, sizeof(n)));
	for (unsigned int i = 0; i < NT_TCP_FAILS; i++) {
		if (!nt_tcp_stat(rep, NT_STAT_TCP_FAIL0 + i))
			continue;
		nt_text(o, "%s%s %s", any ? ", " : " (", nt_fmt_count(nt_tcp_stat(rep, NT_STAT_TCP_FAIL0 + i), n, sizeof(n)),
			fails[i].text);
		any = true;
	}
	nt_text(o, "%s\nresets: %s sent", any ? ")" : "",
		nt_fmt_count(nt_tcp_stat(rep, NT_STAT_TCP_RESETS_OUT), n, sizeof(n)));
	nt_text(o, ", %s received\n", nt_fmt_count(nt_tcp_stat(rep, NT_STAT_TCP_RESETS_IN), n, sizeof(n)));
}

static void text_retransmitted(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct nt_out *o = nt_run_out(r);
	char n[48];
	bool any = false;

	nt_text(o, "retransmitted: %s",
		nt_tcp_count_text(nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_SEGMENTS), "segment", n, sizeof(n)));
	for (unsigned int i = 0; i < NT_TCP_RETRANS_KINDS; i++) {
		if (!nt_tcp_stat(rep, NT_STAT_TCP_KIND0 + i))
			continue;
		nt_text(o, "%s%s %s", any ? ", " : ": ",
			nt_fmt_count(nt_tcp_stat(rep, NT_STAT_TCP_KIND0 + i), n, sizeof(n)), again[i].text);
		any = true;
	}
	if (nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_FAILED))
		nt_text(o, "; %s could not be sent",
			nt_fmt_count(nt_tcp_stat(rep, NT_STAT_TCP_RETRANS_FAILED), n, sizeof(n)));
	nt_text(o, "\n");
}

static void text_states(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct nt_out *o = nt_run_out(r);
	bool any = false;
	char n[32];

	for (unsigned int i = 1; i < NT_TCP_KERNEL_STATES; i++) {
		if (!nt_tcp_stat(rep, NT_STAT_TCP_STATE0 + i))
			continue;
		nt_text(o, "%s%s %s", any ? ", " : "changes of state: ", nt_tcp_state_name(i),
			nt_fmt_count(nt_tcp_stat(rep, NT_STAT_TCP_STATE0 + i), n, sizeof(n)));
		any = true;
	}
	if (any)
		nt_text(o, "\n");
}

static void text(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct nt_out *o = nt_run_out(r);
	char n[32];

	text_opens(r, rep);
	text_retransmitted(r, rep);
	nt_tcp_drops_show(r, rep);
	text_states(r, rep);
	if (nt_tcp_stat(rep, NT_STAT_TCP_SUPPRESSED))
		nt_text(o, "%s details over --detail-rate were not shown\n",
			nt_fmt_count(nt_tcp_stat(rep, NT_STAT_TCP_SUPPRESSED), n, sizeof(n)));
	if (!nt_tcp_stat(rep, NT_STAT_EVENTS) && !rep->fig.hist[NT_TCP_HIST_RTT].count)
		return;
	nt_text(o, "\n");
	nt_tcp_hists_text(r, rep);
	nt_text(o, "\n");
}

void nt_tcp_perf_show(struct nt_run *r, const struct nt_tcp_report *rep)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		json(r, rep);
	else
		text(r, rep);
}
