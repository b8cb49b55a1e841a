/* SPDX-License-Identifier: GPL-2.0 */
/* How trace_ip_defrag's events and reports look. */
#include <stdlib.h>
#include <string.h>

#include "nettrace/frag.h"
#include "nettrace/packet.h"

#define E(member) offsetof(struct nt_frag_event, member)
#define IF_QUEUE(bit) .has_off = E(q.bits), .has_mask = (bit)

static const char whats[] = "FRAG|DUP|OVERLAP|COMPLETE|TIMEOUT|NOMEM|ERROR";
static const struct nt_field time_field = { .name = "time", .kind = NT_K_TS, .off = E(ts_ns) };
static const struct nt_field head_fields[] = {
	{ .name = "event", .kind = NT_K_ENUM, .off = E(what), .names = whats },
	{ .name = "queue_id", .kind = NT_K_HEX64, .off = E(q.queue), .flags = NT_F_IF_NONZERO },
	{ .name = "ifname", .kind = NT_K_IFINDEX, .off = E(q.flow.ifindex), .arg = E(q.flow.netns),
	  .flags = NT_F_IF_NONZERO },
	{ .name = "ifindex", .kind = NT_K_U32, .off = E(q.flow.ifindex), .flags = NT_F_IF_NONZERO },
	{ .name = "netns", .kind = NT_K_U32, .off = E(q.flow.netns), .flags = NT_F_IF_NONZERO },
	{ .name = "cpu", .kind = NT_K_U32, .off = E(cpu) },
	{ .name = "ip_version", .kind = NT_K_U8, .off = E(q.flow.ip_version) },
	{ .name = "protocol", .kind = NT_K_PROTO, .off = E(q.flow.proto), .flags = NT_F_IF_NONZERO },
	{ .name = "src_ip", .kind = NT_K_ADDR, .off = E(q.flow.saddr) },
	{ .name = "dst_ip", .kind = NT_K_ADDR, .off = E(q.flow.daddr) },
	{ .name = "src_port", .kind = NT_K_PORT, .off = E(q.flow.sport), IF_QUEUE(NT_FRAG_PORTS) },
	{ .name = "dst_port", .kind = NT_K_PORT, .off = E(q.flow.dport), IF_QUEUE(NT_FRAG_PORTS) },
	{ .name = "ip_id", .kind = NT_K_U32, .off = E(q.id) },
	{ .name = "offset_bytes", .kind = NT_K_U32, .off = E(offset), .has_off = E(bits), .has_mask = NT_FRAG_HAS },
	{ .name = "end_bytes", .kind = NT_K_U32, .off = E(end), .has_off = E(bits), .has_mask = NT_FRAG_HAS },
	{ .name = "mem_bytes", .kind = NT_K_U64, .off = E(mem_bytes), .flags = NT_F_IF_NONZERO },
	{ .name = "limit_bytes", .kind = NT_K_U64, .off = E(limit_bytes), .flags = NT_F_IF_NONZERO },
	{ .name = "code", .kind = NT_K_I32, .off = E(code), .flags = NT_F_IF_NONZERO },
	{ .name = "fragments", .kind = NT_K_U32, .off = E(q.frags), IF_QUEUE(NT_FRAG_WHOLE) },
	{ .name = "bytes", .kind = NT_K_U32, .off = E(q.bytes), IF_QUEUE(NT_FRAG_QUEUE) },
	{ .name = "duplicates", .kind = NT_K_U32, .off = E(q.dups), IF_QUEUE(NT_FRAG_WHOLE) },
	{ .name = "overlaps", .kind = NT_K_U32, .off = E(q.overlaps), IF_QUEUE(NT_FRAG_WHOLE) },
};
static const struct nt_field stack_field =
	{ .name = "stack", .kind = NT_K_STACK, .off = E(stack), .arg = NT_STACK_MAX };

static const char *user_of(struct nt_run *r, const struct nt_frag_event *e, int32_t *zone)
{
	const struct nt_frag *p = nt_run_priv(r);

	*zone = -1;
	return e->q.bits & NT_FRAG_USER ? nt_frag_user(&p->users[e->q.flow.ip_version == 6], e->q.user, zone) : NULL;
}

/* Since the first fragment came; 0: not known. */
static uint64_t age_of(const struct nt_frag_event *e)
{
	if (!(e->q.bits & NT_FRAG_WHOLE))
		return 0;
	return (e->what == NT_FRAG_COMPLETE ? e->q.last_ns : e->ts_ns) - e->q.first_ns;
}

/* ---- JSON ---- */
static void missing_json(struct nt_out *o, const struct nt_frag_event *e)
{
	struct nt_frag_hole hole[NT_FRAG_HOLES];
	size_t n;
	uint32_t bytes = nt_frag_missing(&e->q, hole, &n);

	if (e->what == NT_FRAG_COMPLETE || !(e->q.bits & NT_FRAG_QUEUE))
		return;
	nt_json_u64(o, "missing_bytes", bytes);
	nt_json_bool(o, "last_seen", e->q.bits & NT_FRAG_LAST);
	nt_json_arr(o, "missing");
	for (size_t i = 0; i < n; i++) {
		nt_json_obj(o, NULL);
		nt_json_u64(o, "from", hole[i].from);
		if (hole[i].to != NT_FRAG_OPEN_END)
			nt_json_u64(o, "to", hole[i].to);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

static void event_json(struct nt_run *r, const struct nt_frag_event *e)
{
	const struct nt_resolver *names = nt_run_names(r);
	struct nt_out *o = nt_run_out(r);
	int32_t zone;
	const char *user = user_of(r, e, &zone);

	nt_json_begin(o, "event");
	nt_fields_json(o, names, &time_field, 1, e);
	nt_fields_json(o, names, head_fields, NT_COUNT(head_fields), e);
	if (e->bits & NT_FRAG_HAS)
		nt_json_bool(o, "more_fragments", e->bits & NT_FRAG_MF);
	if (user)
		nt_json_str(o, "user", user);
	if (zone >= 0)
		nt_json_u64(o, "zone", (uint64_t)zone);
	if (e->q.bits & NT_FRAG_EARLIER)
		nt_json_bool(o, "began_earlier", true);
	missing_json(o, e);
	if (e->what == NT_FRAG_COMPLETE && e->q.bits & NT_FRAG_WHOLE)
		nt_json_f64(o, "reassembly_us", (double)age_of(e) / 1e3, 3);
	else if (age_of(e))
		nt_json_f64(o, "age_us", (double)age_of(e) / 1e3, 3);
	if (nt_run_common(r)->verbose)
		nt_fields_json(o, names, &stack_field, 1, e);
	nt_json_end(o);
}

/* ---- text ---- */
static void missing_text(struct nt_out *o, const struct nt_frag_event *e)
{
	enum { SHOWN = 4 };
	struct nt_frag_hole hole[NT_FRAG_HOLES];
	char count[32];
	size_t n;
	uint32_t bytes = nt_frag_missing(&e->q, hole, &n);

	nt_text(o, "    missing");
	if (bytes)
		nt_text(o, " %s bytes", nt_fmt_count(bytes, count, sizeof(count)));
	for (size_t i = 0; i < n && i < SHOWN; i++) {
		nt_text(o, "%s%u to ", i ? ", " : bytes ? ": " : " ", hole[i].from);
		if (hole[i].to == NT_FRAG_OPEN_END)
			nt_text(o, "the end");
		else
			nt_text(o, "%u", hole[i].to);
	}
	if (n > SHOWN)
		nt_text(o, " and %zu more ranges", n - SHOWN);
	if (!n && !(e->q.bits & NT_FRAG_LAST))
		nt_text(o, " the end");
	nt_text(o, "\n");
}

static void queue_text(struct nt_out *o, const struct nt_frag_event *e)
{
	char bytes[32], time[32];

	nt_fmt_count(e->q.bytes, bytes, sizeof(bytes));
	if (e->q.bits & NT_FRAG_EARLIER)
		nt_text(o, "    %s bytes, begun before this tool", bytes);
	else
		nt_text(o, "    %u fragment%s, %s bytes in %s", e->q.frags, e->q.frags == 1 ? "" : "s", bytes,
			nt_fmt_ns(age_of(e), time, sizeof(time)));
	if (e->q.dups)
		nt_text(o, ", %u duplicate%s", e->q.dups, e->q.dups == 1 ? "" : "s");
	if (e->q.overlaps)
		nt_text(o, ", %u overlap%s", e->q.overlaps, e->q.overlaps == 1 ? "" : "s");
	nt_text(o, "\n");
	if (e->what == NT_FRAG_TIMEOUT || e->what == NT_FRAG_ERROR || e->what == NT_FRAG_OVERLAP)
		missing_text(o, e);
}

static void fragment_text(struct nt_out *o, const struct nt_frag_event *e)
{
	if (e->bits & NT_FRAG_HAS)
		nt_text(o, "  bytes %u to %u%s", e->offset, e->end, e->bits & NT_FRAG_MF ? "" : ", last");
	if (e->what == NT_FRAG_ERROR && e->code)
		nt_text(o, "  %s", strerror(-e->code));
}

static void event_text(struct nt_run *r, const struct nt_frag_event *e)
{
	const struct nt_resolver *names = nt_run_names(r);
	const char *dev = names->ifname(names->ctx, e->q.flow.netns, e->q.flow.ifindex);
	char time[40], what[16], flow[160], used[32], limit[32], stack[4096];
	struct nt_out *o = nt_run_out(r);
	int32_t zone;
	const char *user = user_of(r, e, &zone);

	nt_flow_text(&e->q.flow, e->q.bits & NT_FRAG_PORTS, flow, sizeof(flow));
	nt_text(o, "%s %-6s %-8s %s id %u\n", nt_field_text(names, &time_field, e, time, sizeof(time)),
		dev ? dev : "-", nt_field_text(names, &head_fields[0], e, what, sizeof(what)), flow, e->q.id);
	nt_text(o, "    for %s", user ? user : "-");
	if (zone > 0)
		nt_text(o, " zone %d", zone);
	fragment_text(o, e);
	nt_text(o, "\n");
	if (e->what == NT_FRAG_NOMEM && e->limit_bytes)
		nt_text(o, "    queues hold %s of %s\n", nt_fmt_bytes(e->mem_bytes, used, sizeof(used)),
			nt_fmt_bytes(e->limit_bytes, limit, sizeof(limit)));
	if (e->q.bits & NT_FRAG_QUEUE && e->what != NT_FRAG_IN)
		queue_text(o, e);
	if (nt_run_common(r)->verbose && e->stack[0])
		nt_text(o, "%s\n", nt_field_text(names, &stack_field, e, stack, sizeof(stack)));
}

void nt_frag_show_event(struct nt_run *r, const struct nt_frag_event *e)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		event_json(r, e);
	else
		event_text(r, e);
}

/* ---- reports ---- */
static const char *const count_names[NT_FRAG_WHATS] = {
	"fragments", "duplicates", "overlaps", "completed", "timeouts", "no_memory", "errors",
};

/* The value behind a word of a line of a file, such as "memory" of "FRAG: inuse 0 memory 0". */
static uint64_t value_in(const char *path, const char *line, const char *word)
{
	char text[256];
	uint64_t v = 0;
	FILE *f = fopen(path, "re");

	while (f && fgets(text, sizeof(text), f)) {
		const char *at = strncmp(text, line, strlen(line)) ? NULL : strstr(text, word);

		if (at)
			v = strtoull(at + strlen(word), NULL, 10);
	}
	if (f)
		fclose(f);
	return v;
}

static void memory(struct nt_run *r)
{
	static const struct { const char *name, *used, *line, *limit; } family[] = {
		{ "IPv4", "/proc/self/net/sockstat", "FRAG:", "/proc/sys/net/ipv4/ipfrag_high_thresh" },
		{ "IPv6", "/proc/self/net/sockstat6", "FRAG6:", "/proc/sys/net/ipv6/ip6frag_high_thresh" },
	};
	struct nt_out *o = nt_run_out(r);
	char a[32], b[32];

	nt_json_obj(o, "memory");
	nt_text(o, "memory of queues in this namespace:");
	for (size_t i = 0; i < NT_COUNT(family); i++) {
		uint64_t used = value_in(family[i].used, family[i].line, "memory"),
			 limit = value_in(family[i].limit, "", "");

		nt_json_u64(o, i ? "ipv6_used_bytes" : "ipv4_used_bytes", used);
		nt_json_u64(o, i ? "ipv6_limit_bytes" : "ipv4_limit_bytes", limit);
		nt_text(o, "%s %s %s of %s", i ? "," : "", family[i].name, nt_fmt_bytes(used, a, sizeof(a)),
			nt_fmt_bytes(limit, b, sizeof(b)));
	}
	nt_json_obj_end(o);
	nt_text(o, "\n");
}

/* The kernel counts every packet of our namespace: with a filter the figures need not agree. */
static void kernel(struct nt_run *r, const struct nt_mib *before, const struct nt_mib *now)
{
	struct nt_mib_row *row = calloc(now->n ? now->n : 1, sizeof(*row));
	size_t n = row ? nt_mib_rises(before, now, row) : 0, shown = 0;
	struct nt_out *o = nt_run_out(r);
	char count[32];

	nt_json_obj(o, "kernel");
	for (size_t i = 0; i < n; i++) {
		if (!strstr(row[i].name, "Reasm"))
			continue;
		nt_json_u64(o, row[i].name, row[i].value);
		nt_text(o, "%s %s %s", shown % 4 ? "," : shown ? "\n              " : "kernel counted",
			row[i].name, nt_fmt_count(row[i].value, count, sizeof(count)));
		shown++;
	}
	nt_json_obj_end(o);
	if (shown)
		nt_text(o, "\n");
	free(row);
}

static void counts_text(struct nt_run *r, const struct nt_frag_counts *d, uint64_t open)
{
	char c[5][32];

	nt_text(nt_run_out(r), "datagrams: %s completed, %s failed; %s open\n",
		nt_fmt_count(d->what[NT_FRAG_COMPLETE], c[0], sizeof(c[0])),
		nt_fmt_count(d->failed, c[1], sizeof(c[1])), nt_fmt_count(open, c[2], sizeof(c[2])));
	nt_text(nt_run_out(r), "fragments: %s kept, %s duplicates, %s overlaps, %s without memory, %s errors;",
		nt_fmt_count(d->what[NT_FRAG_IN], c[0], sizeof(c[0])),
		nt_fmt_count(d->what[NT_FRAG_DUP], c[1], sizeof(c[1])),
		nt_fmt_count(d->what[NT_FRAG_OVERLAP], c[2], sizeof(c[2])),
		nt_fmt_count(d->what[NT_FRAG_NOMEM], c[3], sizeof(c[3])),
		nt_fmt_count(d->what[NT_FRAG_ERROR], c[4], sizeof(c[4])));
	nt_text(nt_run_out(r), " %s timeouts\n", nt_fmt_count(d->what[NT_FRAG_TIMEOUT], c[0], sizeof(c[0])));
}

void nt_frag_show_report(struct nt_run *r, const struct nt_frag_snapshot *before,
			 const struct nt_frag_snapshot *now)
{
	uint64_t open = now->count.opened - now->count.closed;
	struct nt_frag_counts d = { .failed = now->count.failed - before->count.failed };
	struct nt_out *o = nt_run_out(r);
	struct nt_hist took;

	for (size_t i = 0; i < NT_FRAG_WHATS; i++) {
		d.what[i] = now->count.what[i] - before->count.what[i];
		nt_json_u64(o, count_names[i], d.what[i]);
	}
	nt_json_u64(o, "failed", d.failed);
	nt_json_u64(o, "open_queues", open);
	counts_text(r, &d, open);
	nt_hist_diff(&took, &now->took, &before->took);
	nt_hist_json(o, "reassembly", &took, "us", 1000.0);
	if (took.count)
		nt_hist_text(o, "reassembly, from the first fragment to the last", &took, "us", 1000.0);
	memory(r);
	kernel(r, &before->mib, &now->mib);
}
