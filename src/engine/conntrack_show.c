/* SPDX-License-Identifier: GPL-2.0 */
/* How one packet, or one moment of a connection, is shown. */
#include <string.h>

#include "nettrace/conntrack.h"
#include "nettrace/packet.h"

#define E(member) offsetof(struct nt_ct_event, member)
#define IF_BIT(bit) .has_off = E(bits), .has_mask = (bit)

#define NT_CT_NAME(event, count) "|" #event
static const char *const whats = &NT_CT_WHAT_LIST(NT_CT_NAME)[1];
#undef NT_CT_NAME
static const char hooks[] = "nf_conntrack_in|__nf_conntrack_confirm|ovs_ct_execute|early_drop|__nf_ct_refresh_acct|"
			    "nf_ct_delete|nf_ct_destroy|gc_worker";
static const struct nt_field time_field = { .name = "time", .kind = NT_K_TS, .off = E(ts_ns) };
static const struct nt_field task_fields[] = {
	{ .name = "cpu", .kind = NT_K_U32, .off = E(cpu) },
	{ .name = "pid", .kind = NT_K_U32, .off = E(pid) },
	{ .name = "tid", .kind = NT_K_U32, .off = E(tid) },
	{ .name = "comm", .kind = NT_K_COMM, .off = E(comm) },
};
static const struct nt_field stack_field =
	{ .name = "stack", .kind = NT_K_STACK, .off = E(stack), .arg = NT_STACK_MAX };

static const char *name_of(const char *list, uint32_t i, char *buf, size_t size)
{
	while (i-- && *list)
		list += strcspn(list, "|") + (list[strcspn(list, "|")] == '|');
	snprintf(buf, size, "%.*s", (int)strcspn(list, "|"), list);
	return buf;
}

static const char *verdict_of(const struct nt_ct_event *e)
{
	if (e->what == NT_CT_INVALID)
		return "invalid";
	if (e->hook == NT_CT_OVS_EXECUTE)
		return e->ret ? "drop" : "accept";
	return e->ret == 0 ? "drop" : e->ret == 1 ? "accept" : e->ret == 4 ? "repeat" : "stop";
}

static bool about_packet(const struct nt_ct_event *e)
{
	return e->hook == NT_CT_IN || e->hook == NT_CT_CONFIRMING || e->hook == NT_CT_OVS_EXECUTE;
}

/* ns from its first packet to now; 0: not known. */
static uint64_t age_of(const struct nt_ct_event *e)
{
	return e->conn.bits & NT_CT_EARLIER || !e->conn.created_ns ? 0 : e->ts_ns - e->conn.created_ns;
}

static const char *label_of(const uint32_t *l, char *buf, size_t size)
{
	snprintf(buf, size, "0x%08x%08x%08x%08x", l[3], l[2], l[1], l[0]);
	return buf;
}

/* ---- JSON ---- */
static void flow_json(struct nt_out *o, const struct nt_flow *f)
{
	static const struct nt_field fields[] = { NT_FLOW_FIELDS(0) };

	nt_fields_json(o, NULL, fields, NT_COUNT(fields), f);
}

static void tuple_json(struct nt_out *o, const char *key, const struct nt_ct_tuple *t)
{
	nt_json_obj(o, key);
	flow_json(o, &t->flow);
	if (t->flow.proto == 1 || t->flow.proto == 58) {
		nt_json_u64(o, "icmp_type", t->icmp_type);
		nt_json_u64(o, "icmp_code", t->icmp_code);
		nt_json_u64(o, "icmp_id", __builtin_bswap16(t->flow.icmp_id));
	}
	nt_json_obj_end(o);
}

static void hex_json(struct nt_out *o, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v);
	nt_json_str(o, key, text);
}

static void status_json(struct nt_out *o, uint64_t status)
{
	nt_json_arr(o, "status");
	for (unsigned int bit = 0; bit < 64; bit++)
		if (status >> bit & 1 && nt_ct_status_name(bit))
			nt_json_str(o, NULL, nt_ct_status_name(bit));
	nt_json_arr_end(o);
}

static void entry_json(struct nt_run *r, const struct nt_ct_event *e)
{
	const struct nt_ct *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);
	char label[40];

	hex_json(o, "ct", e->ct);
	status_json(o, e->status);
	nt_json_u64(o, "zone_dir", e->zone_dir);
	nt_json_u64(o, "mark", e->mark);
	if (e->bits & NT_CT_LABELS)
		nt_json_str(o, "label_hex", label_of(e->labels, label, sizeof(label)));
	if (e->bits & NT_CT_TIMEOUT_LEFT)
		nt_json_f64(o, "timeout_left_s", e->timeout_left * p->tick_ns / 1e9, 3);
	tuple_json(o, "orig", &e->orig);
	tuple_json(o, "reply", &e->reply);
	if (e->conn.bits & NT_CT_EARLIER)
		nt_json_bool(o, "began_earlier", true);
	else
		nt_json_u64(o, "packets_seen", e->conn.packets);
	if (e->bits & NT_CT_ACCT) {
		nt_json_u64(o, "orig_packets", e->acct_packets[0]);
		nt_json_u64(o, "orig_bytes", e->acct_bytes[0]);
		nt_json_u64(o, "reply_packets", e->acct_packets[1]);
		nt_json_u64(o, "reply_bytes", e->acct_bytes[1]);
	}
}

static void window_json(struct nt_out *o, const char *key, const struct nt_ct_window *w)
{
	nt_json_obj(o, key);
	nt_json_u64(o, "td_end", w->end);
	nt_json_u64(o, "td_maxend", w->maxend);
	nt_json_u64(o, "td_maxwin_bytes", w->maxwin);
	nt_json_u64(o, "td_maxack", w->maxack);
	nt_json_u64(o, "td_scale", w->scale);
	nt_json_u64(o, "flags", w->flags);
	nt_json_obj_end(o);
}

static void tcp_json(struct nt_out *o, const struct nt_ct_event *e)
{
	if (e->bits & NT_CT_TCP)
		nt_json_str(o, "tcp_state_old", nt_ct_tcp_state(e->tcp_old));
	if (e->bits & NT_CT_TCP_STATE)
		nt_json_str(o, "tcp_state_new", nt_ct_tcp_state(e->tcp_new));
	if (e->what != NT_CT_INVALID || !(e->bits & NT_CT_TCP) || !e->tcp_old)
		return;
	nt_json_obj(o, "window");
	window_json(o, "orig", &e->seen[0]);
	window_json(o, "reply", &e->seen[1]);
	nt_json_obj_end(o);
}

static void ovs_json(struct nt_out *o, const struct nt_ct_event *e)
{
	char text[48];

	if (!(e->bits & NT_CT_IN_OVS))
		return;
	nt_json_obj(o, "ovs");
	if (e->bits & NT_CT_OVS_INFO) {
		nt_json_bool(o, "commit", e->ovs.commit);
		nt_json_u64(o, "zone", e->ovs.zone);
		nt_json_u64(o, "nat", e->ovs.nat);
		nt_json_bool(o, "force", e->ovs.force);
	}
	if (e->bits & NT_CT_OVS_KEY) {
		nt_json_str(o, "ct_state", nt_ct_ovs_state(e->ovs.key_state, text, sizeof(text)));
		nt_json_u64(o, "ct_zone", e->ovs.key_zone);
		nt_json_u64(o, "ct_mark", e->ovs.key_mark);
		nt_json_str(o, "ct_label_hex", label_of(e->ovs.key_labels, text, sizeof(text)));
	}
	nt_json_obj_end(o);
}

/* What the event itself is about, beside packet and entry. */
static void moment_json(struct nt_run *r, const struct nt_ct_event *e)
{
	const struct nt_ct *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);
	char text[NT_CT_REASON + 96];

	if (about_packet(e)) {
		nt_json_str(o, "ctinfo_old", nt_ct_info_name(e->ctinfo_old));
		nt_json_str(o, "ctinfo", nt_ct_info_name(e->ctinfo));
		nt_json_str(o, "verdict", verdict_of(e));
	}
	if (e->what == NT_CT_INVALID)
		nt_json_str(o, "reason", nt_ct_reason(e, text, sizeof(text)));
	if (e->bits & NT_CT_HOOK)
		nt_json_str(o, "netfilter_hook", nt_ct_hook_name(e->hooknum));
	if (e->bits & NT_CT_CLASHED)
		nt_json_bool(o, "clash", true);
	if (e->what == NT_CT_UPDATE)
		nt_json_f64(o, "timeout_new_s", e->extension * p->tick_ns / 1e9, 3);
	if (e->what == NT_CT_DELETE || (e->what == NT_CT_DESTROY && e->conn.cause))
		nt_json_str(o, "cause", nt_ct_cause_name(e->what == NT_CT_DELETE ? e->cause : e->conn.cause));
	if (age_of(e) && (e->what == NT_CT_DELETE || e->what == NT_CT_DESTROY))
		nt_json_f64(o, "lifetime_us", (double)age_of(e) / 1e3, 3);
}

static void event_json(struct nt_run *r, const struct nt_ct_event *e)
{
	const struct nt_ct_opts *opts = nt_run_opts(r);
	const struct nt_resolver *names = nt_run_names(r);
	const struct nt_ct *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);
	char text[32];

	nt_json_begin(o, "event");
	nt_fields_json(o, names, &time_field, 1, e);
	if (opts->rel_time)
		nt_json_f64(o, "rel_time_s", (double)(e->ts_ns - p->first_ns) / 1e9, 6);
	nt_json_str(o, "event", name_of(whats, e->what, text, sizeof(text)));
	nt_json_str(o, "hook", name_of(hooks, e->hook, text, sizeof(text)));
	nt_fields_json(o, names, task_fields, NT_COUNT(task_fields), e);
	if (e->bits & NT_CT_PKT)
		nt_packet_json(r, &e->pkt);
	else if (e->bits & NT_CT_HAS)
		flow_json(o, &e->orig.flow);
	if (e->netns && !(e->bits & NT_CT_PKT && e->pkt.flow.netns))
		nt_json_u64(o, "netns", e->netns);
	nt_json_u64(o, "zone", e->zone);
	moment_json(r, e);
	tcp_json(o, e);
	if (e->bits & NT_CT_HAS && e->ct)
		entry_json(r, e);
	ovs_json(o, e);
	if (opts->stack)
		nt_fields_json(o, names, &stack_field, 1, e);
	nt_json_end(o);
}

/* ---- text ---- */
static const char *when(struct nt_run *r, const struct nt_ct_event *e, char *buf, size_t size)
{
	const struct nt_ct_opts *opts = nt_run_opts(r);
	const struct nt_ct *p = nt_run_priv(r);

	if (!opts->rel_time)
		return nt_field_text(nt_run_names(r), &time_field, e, buf, size);
	snprintf(buf, size, "%12.6f", (double)(e->ts_ns - p->first_ns) / 1e9);
	return buf;
}

static void headline(struct nt_run *r, const struct nt_ct_event *e)
{
	const struct nt_resolver *names = nt_run_names(r);
	const struct nt_flow *f = e->bits & NT_CT_PKT ? &e->pkt.flow : &e->orig.flow;
	const char *dev = e->bits & NT_CT_PKT ? names->ifname(names->ctx, f->netns, f->ifindex) : NULL;
	char time[40], what[24], flow[160];

	nt_flow_text(f, f->sport || f->dport, flow, sizeof(flow));
	nt_text(nt_run_out(r), "%s %-6s %-9s %s\n", when(r, e, time, sizeof(time)), dev ? dev : "-",
		name_of(whats, e->what, what, sizeof(what)), flow);
}

static void packet_text(struct nt_run *r, const struct nt_ct_event *e)
{
	struct nt_out *o = nt_run_out(r);
	char hook[32], flags[32], comm[80];
	const struct nt_pkt *p = &e->pkt;

	nt_text(o, "    %s", name_of(hooks, e->hook, hook, sizeof(hook)));
	if (e->bits & NT_CT_HOOK)
		nt_text(o, " at %s", nt_ct_hook_name(e->hooknum));
	nt_text(o, ", cpu %u, task %s %u\n", e->cpu, nt_fmt_escape(e->comm, strnlen(e->comm, sizeof(e->comm)), comm,
								  sizeof(comm)), e->pid);
	if (!(e->bits & NT_CT_PKT))
		return;
	nt_text(o, "    length %u", p->len);
	if (p->flow.ip_version == 4)
		nt_text(o, ", id %u", __builtin_bswap16(p->ip_id));
	if (p->bits & NT_PKT_TCP)
		nt_text(o, ", %s seq %u ack %u", nt_fmt_tcpflags(p->tcp_flags, flags, sizeof(flags)),
			__builtin_bswap32(p->tcp_seq), __builtin_bswap32(p->tcp_ack));
	if (p->bits & NT_PKT_ICMP)
		nt_text(o, ", type %u code %u", p->icmp_type, p->icmp_code);
	nt_text(o, "\n");
}

static void zone_text(struct nt_out *o, const struct nt_ct_event *e)
{
	if (e->zone)
		nt_text(o, ", zone %u", e->zone);
	if (e->mark)
		nt_text(o, ", mark 0x%x", e->mark);
}

static void state_text(struct nt_run *r, const struct nt_ct_event *e)
{
	const struct nt_ct *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);

	if (e->bits & NT_CT_TCP && e->bits & NT_CT_TCP_STATE)
		nt_text(o, ", TCP %s > %s", nt_ct_tcp_state(e->tcp_old), nt_ct_tcp_state(e->tcp_new));
	else if (e->bits & NT_CT_TCP_STATE)
		nt_text(o, ", TCP %s", nt_ct_tcp_state(e->tcp_new));
	zone_text(o, e);
	if (e->bits & NT_CT_TIMEOUT_LEFT && e->what != NT_CT_DESTROY && e->what != NT_CT_DELETE)
		nt_text(o, ", %.0f s left", e->timeout_left * p->tick_ns / 1e9);
}

static void window_text(struct nt_out *o, const char *name, const struct nt_ct_window *w)
{
	nt_text(o, "    %s: end %u, max end %u, max ack %u, window %u bytes, scale %u\n", name, w->end, w->maxend,
		w->maxack, w->maxwin, w->scale);
}

static void invalid_text(struct nt_out *o, const struct nt_ct_event *e)
{
	char reason[NT_CT_REASON + 96];

	nt_text(o, "    why: %s\n", nt_ct_reason(e, reason, sizeof(reason)));
	if (!(e->bits & NT_CT_TCP) || !e->tcp_old)
		return;
	nt_text(o, "    TCP state %s\n", nt_ct_tcp_state(e->tcp_old));
	window_text(o, "original", &e->seen[0]);
	window_text(o, "reply   ", &e->seen[1]);
	if (nt_ct_liberal_helps(reason))
		nt_text(o, "    nf_conntrack_tcp_be_liberal = 1 would let it pass\n");
}

static void ovs_text(struct nt_out *o, const struct nt_ct_event *e)
{
	char state[48];

	if (!(e->bits & NT_CT_IN_OVS))
		return;
	nt_text(o, "    Open vSwitch");
	if (e->bits & NT_CT_OVS_INFO)
		nt_text(o, " ct(%szone=%u%s%s)", e->ovs.commit ? "commit," : "", e->ovs.zone, e->ovs.nat ? ",nat" : "",
			e->ovs.force ? ",force" : "");
	if (e->bits & NT_CT_OVS_KEY)
		nt_text(o, " ct_state %s", nt_ct_ovs_state(e->ovs.key_state, state, sizeof(state)));
	nt_text(o, "\n");
}

static void passage_text(struct nt_run *r, const struct nt_ct_event *e)
{
	struct nt_out *o = nt_run_out(r);

	packet_text(r, e);
	nt_text(o, "    %s > %s, %s", nt_ct_info_name(e->ctinfo_old), nt_ct_info_name(e->ctinfo), verdict_of(e));
	if (e->ct)
		state_text(r, e);
	else
		zone_text(o, e);
	if (e->bits & NT_CT_CLASHED)
		nt_text(o, ", another entry was faster");
	nt_text(o, "\n");
	if (e->what == NT_CT_INVALID)
		invalid_text(o, e);
	ovs_text(o, e);
}

static void acct_text(struct nt_out *o, const struct nt_ct_event *e)
{
	char a[4][32];

	if (e->bits & NT_CT_ACCT)
		nt_text(o, "    original %s packets %s, reply %s packets %s\n",
			nt_fmt_count(e->acct_packets[0], a[0], sizeof(a[0])), nt_fmt_bytes(e->acct_bytes[0], a[1], sizeof(a[1])),
			nt_fmt_count(e->acct_packets[1], a[2], sizeof(a[2])), nt_fmt_bytes(e->acct_bytes[1], a[3], sizeof(a[3])));
}

static void life_text(struct nt_run *r, const struct nt_ct_event *e)
{
	const struct nt_ct *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);
	char lived[32], count[32];
	bool ends = e->what == NT_CT_DELETE || e->what == NT_CT_DESTROY;

	if (e->what == NT_CT_DELETE)
		nt_text(o, "    by %s", nt_ct_cause_name(e->cause));
	else if (e->what == NT_CT_UPDATE)
		nt_text(o, "    %s, timeout now %.0f s", nt_ct_info_name(e->ctinfo), e->extension * p->tick_ns / 1e9);
	else
		nt_text(o, "    %s", e->conn.confirmed_ns || e->conn.bits & NT_CT_EARLIER ? "freed" : "never confirmed");
	if (ends && age_of(e))
		nt_text(o, ", lived %s, %s packets", nt_fmt_ns(age_of(e), lived, sizeof(lived)),
			nt_fmt_count(e->conn.packets, count, sizeof(count)));
	else if (ends)
		nt_text(o, ", begun before this tool");
	state_text(r, e);
	nt_text(o, "\n");
	if (e->what == NT_CT_DELETE)
		acct_text(o, e);
}

static void details_text(struct nt_run *r, const struct nt_ct_event *e)
{
	struct nt_out *o = nt_run_out(r);
	char text[160];

	nt_flow_text(&e->orig.flow, e->orig.flow.sport, text, sizeof(text));
	nt_text(o, "    original %s\n", text);
	nt_flow_text(&e->reply.flow, e->reply.flow.sport, text, sizeof(text));
	nt_text(o, "    reply    %s\n    status  %s", text, e->status ? "" : " -");
	for (unsigned int bit = 0; bit < 64; bit++)
		if (e->status >> bit & 1 && nt_ct_status_name(bit))
			nt_text(o, " %s", nt_ct_status_name(bit));
	nt_text(o, "\n");
	if (e->bits & NT_CT_LABELS)
		nt_text(o, "    label    %s\n", label_of(e->labels, text, sizeof(text)));
}

static void event_text(struct nt_run *r, const struct nt_ct_event *e)
{
	const struct nt_ct_opts *opts = nt_run_opts(r);
	struct nt_out *o = nt_run_out(r);
	char stack[4096];

	headline(r, e);
	if (opts->mode == NT_CT_MODE_PACKET || e->what == NT_CT_INVALID || e->what == NT_CT_CONFIRM_FAILED)
		passage_text(r, e);
	else if (!about_packet(e))
		life_text(r, e);
	if (nt_run_common(r)->verbose && e->ct)
		details_text(r, e);
	if (opts->stack && e->stack[0])
		nt_text(o, "%s\n", nt_field_text(nt_run_names(r), &stack_field, e, stack, sizeof(stack)));
}

void nt_ct_show_event(struct nt_run *r, const struct nt_ct_event *e)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		event_json(r, e);
	else
		event_text(r, e);
}
