/* SPDX-License-Identifier: GPL-2.0 */
/* Path engine: one packet as an event. */
#include <string.h>

#include "path.h"

static const char *const verdicts[NT_PATH_VERDICTS] = {
	[NT_PATH_COMPLETE] = "complete", [NT_PATH_REQ_INTERNAL] = "req_internal",
	[NT_PATH_EXTERNAL] = "external", [NT_PATH_REP_INTERNAL] = "rep_internal",
	[NT_PATH_INTERNAL] = "internal", [NT_PATH_PARTIAL_FRAG] = "partial_frag",
};
static const char *const stages[NT_PATH_STAGES] = { "ReqRX", "ReqTX", "RepRX", "RepTX" };
static const char *const gaps[NT_PATH_GAPS] = {
	"req_internal_us", "external_us", "rep_internal_us", "total_us",
};

#define E(member) offsetof(struct nt_path_entry, member)
#define F(member) E(flow.member)

static const struct nt_field flow_rows[] = {
	{ .name = "src_ip", .kind = NT_K_ADDR, .off = F(saddr) },
	{ .name = "dst_ip", .kind = NT_K_ADDR, .off = F(daddr) },
	{ .name = "protocol", .kind = NT_K_PROTO, .off = F(proto) },
	{ .name = "ip_version", .kind = NT_K_U8, .off = F(ip_version) },
	{ .name = "len_bytes", .kind = NT_K_U32, .off = E(len) },
	{ .name = "ip_id", .kind = NT_K_U32, .off = E(ip_id), .flags = NT_F_IF_NONZERO },
};
static const struct nt_field echo_rows[] = {
	{ .name = "icmp_id", .kind = NT_K_BE16, .off = F(icmp_id) },
	{ .name = "icmp_seq", .kind = NT_K_BE16, .off = F(icmp_seq) },
};
static const struct nt_field port_rows[] = {
	{ .name = "src_port", .kind = NT_K_PORT, .off = F(sport) },
	{ .name = "dst_port", .kind = NT_K_PORT, .off = F(dport) },
};
static const struct nt_field tcp_rows[] = {
	{ .name = "tcp_seq", .kind = NT_K_U32, .off = E(key.seq) },
	{ .name = "tcp_flags", .kind = NT_K_TCPFLAGS, .off = E(tcp_flags) },
};

#define D(member) offsetof(struct nt_path_event, member)
static const struct nt_field drop_rows[] = {
	{ .name = "drop_reason", .kind = NT_K_REASON, .off = D(reason) },
	{ .name = "drop_location", .kind = NT_K_KSYM, .off = D(location) },
	{ .name = "drop_ifname", .kind = NT_K_IFINDEX, .off = D(flow.ifindex), .arg = D(flow.netns),
	  .flags = NT_F_IF_NONZERO },
	{ .name = "drop_netns", .kind = NT_K_U32, .off = D(flow.netns), .flags = NT_F_IF_NONZERO },
	{ .name = "drop_cpu", .kind = NT_K_U32, .off = D(cpu) },
	{ .name = "stack", .kind = NT_K_STACK, .off = D(stack), .arg = NT_STACK_MAX },
};
enum { DROP_REASON, DROP_LOCATION, DROP_DEVICE, DROP_NETNS, DROP_CPU, DROP_STACK };
static const struct nt_field time_row = { .name = "time", .kind = NT_K_TS, .off = E(last_ns) };

bool nt_path_gap_ns(const struct nt_path_entry *e, enum nt_path_gap gap, bool one_way,
		    uint64_t *ns)
{
	static const uint8_t ends[NT_PATH_GAPS][2] = {
		[NT_GAP_REQ] = { NT_REQ_RX, NT_REQ_TX }, [NT_GAP_EXTERNAL] = { NT_REQ_TX, NT_REP_RX },
		[NT_GAP_REP] = { NT_REP_RX, NT_REP_TX }, [NT_GAP_TOTAL] = { NT_REQ_RX, NT_REP_TX },
	};
	uint8_t from = ends[gap][0], to = ends[gap][1], both = (uint8_t)(1u << from | 1u << to);

	if (one_way && gap == NT_GAP_TOTAL)
		return false;
	if ((e->seen & both) != both || e->ts[to] < e->ts[from])
		return false;
	*ns = e->ts[to] - e->ts[from];
	return true;
}

static int n_stages(const struct nt_run *r)
{
	return nt_path_desc_of(r)->kind == NT_PATH_DATAGRAM ? 2 : NT_PATH_STAGES;
}

static bool one_way(struct nt_run *r)
{
	return ((struct nt_path_priv *)nt_run_priv(r))->path.one_way;
}

static const char *device(struct nt_run *r, uint32_t ifindex)
{
	const struct nt_resolver *n = nt_run_names(r);
	const char *name = n->ifname(n->ctx, nt_run_netns(r), ifindex);

	return name ? name : "?";
}

/* ---- JSON ---- */

static void flow_json(struct nt_run *r, const struct nt_path_entry *e)
{
	struct nt_out *o = nt_run_out(r);
	const struct nt_resolver *n = nt_run_names(r);
	enum nt_path_kind kind = nt_path_desc_of(r)->kind;

	nt_fields_json(o, n, flow_rows, NT_COUNT(flow_rows), e);
	if (kind == NT_PATH_ECHO)
		nt_fields_json(o, n, echo_rows, NT_COUNT(echo_rows), e);
	else
		nt_fields_json(o, n, port_rows, NT_COUNT(port_rows), e);
	if (kind != NT_PATH_STREAM)
		return;
	nt_json_str(o, "direction", e->reply ? "reply" : "request");
	nt_json_bool(o, "control", e->control);
	nt_fields_json(o, n, tcp_rows, NT_COUNT(tcp_rows), e);
}

static void stages_json(struct nt_run *r, const struct nt_path_entry *e)
{
	struct nt_out *o = nt_run_out(r);
	uint64_t ns;

	nt_json_arr(o, "stages_ns");
	for (int i = 0; i < n_stages(r); i++) {
		if (e->seen & 1u << i)
			nt_json_u64(o, NULL, e->ts[i]);
		else
			nt_json_str(o, NULL, NULL);
	}
	nt_json_arr_end(o);
	nt_json_arr(o, "stages_ifname");
	for (int i = 0; i < n_stages(r); i++)
		nt_json_str(o, NULL, e->seen & 1u << i ? device(r, e->ifindex[i]) : NULL);
	nt_json_arr_end(o);
	for (int i = 0; i < NT_PATH_GAPS; i++)
		if (nt_path_gap_ns(e, (enum nt_path_gap)i, one_way(r), &ns))
			nt_json_f64(o, gaps[i], (double)ns / 1000, 3);
}

static void show_json(struct nt_run *r, const struct nt_path_entry *e)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_begin(o, "event");
	nt_fields_json(o, nt_run_names(r), &time_row, 1, e);
	nt_json_str(o, "verdict", verdicts[e->verdict]);
	flow_json(r, e);
	stages_json(r, e);
	if (e->lost_bytes && e->verdict != NT_PATH_COMPLETE)
		nt_json_u64(o, "missing_bytes", e->lost_bytes);
	if (e->drop && e->verdict != NT_PATH_COMPLETE)
		nt_fields_json(o, nt_run_names(r), drop_rows, NT_COUNT(drop_rows), e->drop);
	nt_json_end(o);
}

/* ---- text ---- */

static void flow_text(struct nt_run *r, const struct nt_path_entry *e, char *buf, size_t size)
{
	enum nt_path_kind kind = nt_path_desc_of(r)->kind;
	const struct nt_flow *f = &e->flow;
	char src[48], dst[48], flags[40];
	bool back = kind == NT_PATH_STREAM && e->reply;
	const char *proto = nt_proto_name(f->proto);
	size_t n;

	nt_fmt_addr(back ? f->daddr : f->saddr, src, sizeof(src));
	nt_fmt_addr(back ? f->saddr : f->daddr, dst, sizeof(dst));
	if (kind == NT_PATH_ECHO) {
		snprintf(buf, size, "%s %s > %s id %u seq %u", proto, src, dst,
			 __builtin_bswap16(f->icmp_id), __builtin_bswap16(f->icmp_seq));
		return;
	}
	n = (size_t)snprintf(buf, size, f->ip_version == 6 ? "%s [%s]:%u > [%s]:%u" : "%s %s:%u > %s:%u",
			     proto, src, __builtin_bswap16(back ? f->dport : f->sport), dst,
			     __builtin_bswap16(back ? f->sport : f->dport));
	if (n >= size)
		return;
	if (kind == NT_PATH_STREAM)
		snprintf(buf + n, size - n, " [%s] seq %u", nt_fmt_tcpflags(e->tcp_flags, flags, sizeof(flags)),
			 e->key.seq);
	else
		snprintf(buf + n, size - n, " id %u length %u", e->ip_id, e->len);
}

/* What comes back for a TCP segment is the ACK that covers it. */
static const char *stage_name(struct nt_run *r, int stage, bool reply)
{
	if (stage == NT_REP_RX && !reply && nt_path_desc_of(r)->kind == NT_PATH_STREAM)
		return "ACK";
	return stages[stage];
}

static void stages_text(struct nt_run *r, const struct nt_path_entry *e)
{
	struct nt_out *o = nt_run_out(r);
	const char *sep = "";
	uint64_t before = 0;
	char ns[32];

	nt_text(o, "   ");
	for (int i = 0; i < n_stages(r); i++) {
		/* the two ends of an answer have no request before them, and the other way round */
		if (nt_path_desc_of(r)->kind == NT_PATH_STREAM && (e->reply ? i < 2 : i == 3))
			continue;
		if (one_way(r) && !e->reply && i > NT_REQ_TX)
			break;
		if (!(e->seen & 1u << i)) {
			nt_text(o, "%s %s MISSING", sep, stage_name(r, i, e->reply));
			sep = " |";
			continue;
		}
		nt_text(o, "%s %s %s", sep, stage_name(r, i, e->reply), device(r, e->ifindex[i]));
		sep = " |";
		if (before && e->ts[i] >= before)
			nt_text(o, " +%s", nt_fmt_ns(e->ts[i] - before, ns, sizeof(ns)));
		before = e->ts[i];
	}
	nt_text(o, "\n");
}

#define FRAMES 5	/* without --verbose */

static void stack_text(struct nt_run *r, const struct nt_path_event *d)
{
	struct nt_path_event cut = *d;
	char stack[4096];
	size_t n = 0;

	while (n < NT_STACK_MAX && d->stack[n])
		n++;
	if (!n)
		return;
	if (n > FRAMES && !nt_run_common(r)->verbose)
		cut.stack[FRAMES] = 0;
	nt_text(nt_run_out(r), "%s\n",
		nt_field_text(nt_run_names(r), &drop_rows[DROP_STACK], &cut, stack, sizeof(stack)));
	if (n > FRAMES && !nt_run_common(r)->verbose)
		nt_text(nt_run_out(r), "    ... %zu more frames (-v shows them)\n", n - FRAMES);
}

static void drop_text(struct nt_run *r, const struct nt_path_event *d)
{
	const struct nt_resolver *n = nt_run_names(r);
	char reason[48], place[96], dev[40];

	nt_text(nt_run_out(r), "    dropped: %s at %s, device %s, cpu %u\n",
		nt_field_text(n, &drop_rows[DROP_REASON], d, reason, sizeof(reason)),
		nt_field_text(n, &drop_rows[DROP_LOCATION], d, place, sizeof(place)),
		nt_field_text(n, &drop_rows[DROP_DEVICE], d, dev, sizeof(dev)), d->cpu);
	stack_text(r, d);
}

static void show_text(struct nt_run *r, const struct nt_path_entry *e)
{
	char time[40], flow[160], what[48], lost[32] = "", bytes[32];
	struct nt_out *o = nt_run_out(r);

	nt_field_text(nt_run_names(r), &time_row, e, time, sizeof(time));
	flow_text(r, e, flow, sizeof(flow));
	snprintf(what, sizeof(what), "%s%s%s", e->verdict == NT_PATH_COMPLETE ? "" : "LOST ",
		 verdicts[e->verdict], e->control ? " (control)" : "");
	if (e->lost_bytes && e->lost_bytes != e->len && e->verdict != NT_PATH_COMPLETE &&
	    nt_path_desc_of(r)->kind != NT_PATH_ECHO)
		snprintf(lost, sizeof(lost), ", %s bytes", nt_fmt_count(e->lost_bytes, bytes, sizeof(bytes)));
	nt_text(o, "%s %s%s%s%s\n", time, what, lost,
		strlen(time) + strlen(what) + strlen(lost) + strlen(flow) + 3 > NT_DROP_COLUMNS ? "\n    " : "  ",
		flow);
	stages_text(r, e);
	if (e->drop && e->verdict != NT_PATH_COMPLETE)
		drop_text(r, e->drop);
}

void nt_path_show(struct nt_run *r, const struct nt_path_entry *e)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		show_json(r, e);
	else
		show_text(r, e);
	nt_run_event_shown(r);
}

/* ---- --verbose: each passage ---- */

void nt_path_show_passage(struct nt_run *r, const struct nt_path_event *ev, int stage)
{
	const char *name = ev->hook == NT_PATH_DROP ? "drop" : stages[stage];
	struct nt_path_entry e = {
		.flow = ev->flow, .last_ns = ev->ts_ns, .len = ev->len, .ip_id = ev->ip_id,
		.tcp_flags = ev->tcp_flags, .key.seq = ev->tcp_seq,
	};
	struct nt_out *o = nt_run_out(r);
	char time[40], flow[160];

	if (nt_run_enough(r))
		return;
	nt_json_begin(o, "event");
	nt_fields_json(o, nt_run_names(r), &time_row, 1, &e);
	nt_json_str(o, "stage", name);
	nt_json_str(o, "ifname", device(r, ev->flow.ifindex));
	flow_json(r, &e);
	nt_json_end(o);
	flow_text(r, &e, flow, sizeof(flow));
	nt_text(o, "%s %s %s  %s\n", nt_field_text(nt_run_names(r), &time_row, &e, time, sizeof(time)), name,
		device(r, ev->flow.ifindex), flow);
	nt_run_event_shown(r);
}
