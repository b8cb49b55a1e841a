/* SPDX-License-Identifier: GPL-2.0 */
/* How changes of shared info look. */
#include <string.h>

#include "nettrace/packet.h"
#include "shinfo.h"

#define E(member) offsetof(struct nt_shinfo_event, member)
#define F(member) offsetof(struct nt_flow, member)
#define IF_PORTS .has_off = sizeof(struct nt_flow), .has_mask = NT_PKT_PORTS

static const struct nt_field head_fields[] = {
	{ .name = "time", .kind = NT_K_TS, .off = E(ts_ns) },
	{ .name = "cpu", .kind = NT_K_U32, .off = E(cpu) },
	{ .name = "pid", .kind = NT_K_U32, .off = E(pid) },
	{ .name = "tid", .kind = NT_K_U32, .off = E(tid) },
	{ .name = "comm", .kind = NT_K_COMM, .off = E(comm) },
};
struct inner {			/* a flow and enum nt_pkt_bits */
	struct nt_flow flow;
	uint32_t bits;
};
static const struct nt_field inner_fields[] = {
	{ .name = "protocol", .kind = NT_K_PROTO, .off = F(proto) },
	{ .name = "src_ip", .kind = NT_K_ADDR, .off = F(saddr) },
	{ .name = "src_port", .kind = NT_K_PORT, .off = F(sport), IF_PORTS },
	{ .name = "dst_ip", .kind = NT_K_ADDR, .off = F(daddr) },
	{ .name = "dst_port", .kind = NT_K_PORT, .off = F(dport), IF_PORTS },
};
static const struct nt_field stack_field = { .name = "stack", .kind = NT_K_STACK, .arg = NT_STACK_MAX };

static const char *address(uint64_t a, char *buf, size_t size)
{
	snprintf(buf, size, "none");
	if (a)
		snprintf(buf, size, "0x%llx", (unsigned long long)a);
	return buf;
}

static const struct nt_gso_names *gso_of(struct nt_run *r)
{
	return &((struct nt_shinfo_run *)nt_run_priv(r))->gso;
}

/* ---- JSON ---- */
static void shinfo_json(struct nt_run *r, const char *key, const struct nt_shinfo *s)
{
	struct nt_out *o = nt_run_out(r);
	char text[400];

	if (!(s->bits & NT_SHINFO_KNOWN))
		return;
	nt_json_obj(o, key);
	nt_json_str(o, "frag_list", s->frag_list ? address(s->frag_list, text, sizeof(text)) : NULL);
	nt_json_u64(o, "len_bytes", s->len);
	nt_json_u64(o, "data_len_bytes", s->data_len);
	nt_json_u64(o, "nr_frags", s->nr_frags);
	nt_json_u64(o, "gso_size_bytes", s->gso_size);
	nt_json_u64(o, "gso_segs", s->gso_segs);
	nt_json_str(o, "gso_type", nt_gso_text(gso_of(r), s->gso_type, text, sizeof(text)));
	nt_json_bool(o, "cloned", s->bits & NT_SHINFO_CLONED);
	nt_json_obj_end(o);
}

static void inner_json(struct nt_run *r, const struct nt_shinfo_event *e)
{
	const struct inner in = { .flow = e->inner, .bits = e->inner_bits };

	if (!e->inner_bits)
		return;
	nt_json_u64(nt_run_out(r), "vni", e->vni);
	nt_json_obj(nt_run_out(r), "inner");
	if (e->inner_bits & NT_PKT_L3)
		nt_fields_json(nt_run_out(r), nt_run_names(r), inner_fields, NT_COUNT(inner_fields), &in);
	nt_json_obj_end(nt_run_out(r));
}

void nt_shinfo_head_json(struct nt_run *r, const struct nt_shinfo_event *e, const char *what)
{
	struct nt_out *o = nt_run_out(r);
	char text[32];

	nt_fields_json(o, nt_run_names(r), head_fields, NT_COUNT(head_fields), e);
	nt_json_str(o, "event", what);
	nt_json_str(o, "function", nt_shinfo_place_name(e->place));
	nt_json_str(o, "seen_at", nt_shinfo_place_name(e->seen_at));
	if (e->since)
		nt_json_str(o, "since", nt_shinfo_place_name(e->since));
	nt_json_str(o, "skb", address(e->skb, text, sizeof(text)));
}

void nt_shinfo_stack_json(struct nt_run *r, const uint64_t *stack)
{
	if (stack)
		nt_fields_json(nt_run_out(r), nt_run_names(r), &stack_field, 1, stack);
}

static void event_json(struct nt_run *r, const struct nt_shinfo_event *e, const uint64_t *stack)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_begin(o, "event");
	nt_shinfo_head_json(r, e, nt_shinfo_what_name(e->what));
	shinfo_json(r, "before", &e->before);
	shinfo_json(r, "after", &e->after);
	nt_json_arr(o, "rules");
	for (uint32_t i = 0; i < NT_SHINFO_RULES; i++)
		if (e->rules >> i & 1)
			nt_json_str(o, NULL, nt_shinfo_rule_text(1u << i));
	nt_json_arr_end(o);
	nt_json_arr(o, "history");
	for (uint64_t h = e->history; h; h >>= 8)
		nt_json_str(o, NULL, nt_shinfo_place_name(h & 0xff));
	nt_json_arr_end(o);
	nt_packet_json(r, &e->pkt);
	inner_json(r, e);
	nt_shinfo_stack_json(r, stack);
	nt_json_end(o);
}

/* ---- text ---- */
static const char *list_text(const struct nt_shinfo *s, char *buf, size_t size)
{
	return s->bits & NT_SHINFO_KNOWN ? address(s->frag_list, buf, size) : "unknown";
}

static void detail_text(struct nt_run *r, const struct nt_shinfo_event *e)
{
	const struct nt_shinfo *s = &e->after;
	struct nt_out *o = nt_run_out(r);
	char gso[400], comm[64];

	nt_text(o, "    len %u data_len %u frags %u%s", s->len, s->data_len, s->nr_frags,
		s->bits & NT_SHINFO_CLONED ? " cloned" : "");
	if (s->gso_size == NT_GSO_BY_FRAGS)
		nt_text(o, " gso by frag_list, %s", nt_gso_text(gso_of(r), s->gso_type, gso, sizeof(gso)));
	else if (s->gso_size && s->gso_segs)
		nt_text(o, " gso %u x %u bytes, %s", s->gso_segs, s->gso_size,
			nt_gso_text(gso_of(r), s->gso_type, gso, sizeof(gso)));
	else if (s->gso_size)	/* GRO counts at the end */
		nt_text(o, " gso %u bytes, %s", s->gso_size, nt_gso_text(gso_of(r), s->gso_type, gso, sizeof(gso)));
	if (e->before.bits & NT_SHINFO_KNOWN && e->before.data_len != s->data_len)
		nt_text(o, "; before data_len %u", e->before.data_len);
	nt_text(o, "\n");
	if (nt_run_common(r)->verbose)
		nt_text(o, "    skb 0x%llx cpu %u %s/%u\n", (unsigned long long)e->skb, e->cpu,
			nt_fmt_escape(e->comm, strnlen(e->comm, sizeof(e->comm)), comm, sizeof(comm)), e->pid);
}

static void rules_text(struct nt_run *r, const struct nt_shinfo_event *e)
{
	struct nt_out *o = nt_run_out(r);

	for (uint32_t i = 0; i < NT_SHINFO_RULES; i++)
		if (e->rules >> i & 1)
			nt_text(o, "    %s\n", nt_shinfo_rule_text(1u << i));
	if (!e->history)
		return;
	nt_text(o, "    came through, the last first:\n");
	for (uint64_t h = e->history; h; h >>= 8)
		nt_text(o, "        %s\n", nt_shinfo_place_name(h & 0xff));
}

const char *nt_shinfo_time_text(struct nt_run *r, const struct nt_shinfo_event *e, char *buf, size_t size)
{
	return nt_field_text(nt_run_names(r), &head_fields[0], e, buf, size);
}

void nt_shinfo_stack_text(struct nt_run *r, const uint64_t *stack)
{
	char frames[4096];

	if (stack && stack[0])
		nt_text(nt_run_out(r), "%s\n",
			nt_field_text(nt_run_names(r), &stack_field, stack, frames, sizeof(frames)));
}

static void event_text(struct nt_run *r, const struct nt_shinfo_event *e, const uint64_t *stack)
{
	const struct nt_resolver *names = nt_run_names(r);
	char time[40], a[32], b[32], text[256];
	struct nt_out *o = nt_run_out(r);
	const char *dev = names->ifname(names->ctx, e->pkt.flow.netns, e->pkt.flow.ifindex);

	nt_text(o, "%s %-12s %-22s frag_list %s -> %s\n",
		nt_shinfo_time_text(r, e, time, sizeof(time)), nt_shinfo_what_name(e->what),
		nt_shinfo_place_name(e->place), list_text(&e->before, a, sizeof(a)), list_text(&e->after, b, sizeof(b)));
	if (e->since)
		nt_text(o, "    between %s and %s\n", nt_shinfo_place_name(e->since), nt_shinfo_place_name(e->seen_at));
	else if (e->seen_at != e->place)
		nt_text(o, "    noticed at %s\n", nt_shinfo_place_name(e->seen_at));
	nt_text(o, "    %s%s%s\n", e->pkt.flow.ifindex && dev ? dev : "", e->pkt.flow.ifindex && dev ? ": " : "",
		nt_packet_text(&e->pkt, text, sizeof(text)));
	detail_text(r, e);
	if (e->inner_bits) {
		nt_flow_text(&e->inner, e->inner_bits & NT_PKT_PORTS, text, sizeof(text));
		nt_text(o, "    vni %u: %s\n", e->vni, e->inner_bits & NT_PKT_L3 ? text : "not IP");
	}
	if (e->what == NT_SHINFO_INCONSISTENT)
		rules_text(r, e);
	nt_shinfo_stack_text(r, stack);
}

void nt_shinfo_show_event(struct nt_run *r, const struct nt_shinfo_event *e, const uint64_t *stack)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		event_json(r, e, stack);
	else
		event_text(r, e, stack);
}

/* ---- numbers ---- */
static const char *const count_names[NT_SHINFO_WHATS] = { "create", "clear", "modify", "access", "inconsistent" };

static void counts_row(struct nt_run *r, const char *name, const uint64_t *n)
{
	struct nt_out *o = nt_run_out(r);
	char text[32];

	nt_text(o, "%-24s", name);
	for (uint32_t w = 0; w < NT_SHINFO_WHATS; w++) {
		nt_text(o, " %12s", nt_fmt_count(n[w], text, sizeof(text)));
		nt_json_u64(o, count_names[w], n[w]);
	}
	nt_text(o, "\n");
}

void nt_shinfo_show_counts(struct nt_run *r, const uint64_t *count)
{
	uint64_t all[NT_SHINFO_WHATS] = { 0 };
	struct nt_out *o = nt_run_out(r);

	nt_text(o, "%-24s", "function");
	for (uint32_t w = 0; w < NT_SHINFO_WHATS; w++)
		nt_text(o, " %12s", nt_shinfo_what_name(w));
	nt_text(o, "\n");
	nt_json_arr(o, "functions");
	for (uint32_t p = 0; p < NT_SHINFO_PLACES_N; p++) {
		const uint64_t *n = count + p * NT_SHINFO_WHATS;
		uint64_t any = 0;

		for (uint32_t w = 0; w < NT_SHINFO_WHATS; w++) {
			all[w] += n[w];
			any |= n[w];
		}
		if (!any)
			continue;
		nt_json_obj(o, NULL);
		nt_json_str(o, "function", nt_shinfo_place_name(p));
		counts_row(r, nt_shinfo_place_name(p), n);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
	counts_row(r, "all", all);
}
