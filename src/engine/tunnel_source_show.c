/* SPDX-License-Identifier: GPL-2.0 */
/* How gso_types of tunnels look: events, numbers by function and device, the verdict. */
#include <arpa/inet.h>
#include <string.h>

#include "nettrace/packet.h"
#include "tunnel_source.h"

static const struct nt_tunnel_run *run_of(struct nt_run *r)
{
	return nt_run_priv(r);
}

static const char *gso(struct nt_run *r, uint32_t type, char *buf, size_t size)
{
	return nt_gso_text(&run_of(r)->shinfo.gso, type, buf, size);
}

static const char *source(const struct nt_shinfo_event *e)
{
	if (e->rules & NT_TUNNEL_FROM_TUN)
		return "tun";
	return e->rules & NT_TUNNEL_FROM_VIRTIO ? "virtio_net" : NULL;
}

static const char *device(struct nt_run *r, uint32_t netns, uint32_t ifindex)
{
	const struct nt_resolver *names = nt_run_names(r);

	return ifindex ? names->ifname(names->ctx, netns, ifindex) : NULL;
}

/* ---- JSON ---- */
static void state_json(struct nt_run *r, const char *key, const struct nt_shinfo *s)
{
	struct nt_out *o = nt_run_out(r);
	char text[400];

	if (!(s->bits & NT_SHINFO_KNOWN))
		return;
	nt_json_obj(o, key);
	nt_json_str(o, "gso_type", gso(r, s->gso_type, text, sizeof(text)));
	nt_json_u64(o, "gso_size_bytes", s->gso_size);
	nt_json_u64(o, "gso_segs", s->gso_segs);
	nt_json_bool(o, "encapsulation", s->bits & NT_SHINFO_ENCAP);
	snprintf(text, sizeof(text), "0x%04x", ntohs(s->inner_protocol));
	nt_json_str(o, "inner_protocol", s->inner_protocol ? text : NULL);
	nt_json_u64(o, "len_bytes", s->len);
	nt_json_obj_end(o);
}

static void members_json(struct nt_run *r, const struct nt_shinfo_event *e)
{
	struct nt_out *o = nt_run_out(r);

	nt_shinfo_head_json(r, e, nt_tunnel_what_name(e->what));
	if (source(e))
		nt_json_str(o, "source", source(e));
	state_json(r, "before", &e->before);
	state_json(r, "after", &e->after);
	nt_json_bool(o, "added", e->rules & NT_TUNNEL_ADDED);
	nt_json_bool(o, "mismatch", e->rules & NT_TUNNEL_MISMATCH);
	nt_packet_json(r, &e->pkt);
}

static void event_json(struct nt_run *r, const struct nt_shinfo_event *e, const uint64_t *stack)
{
	nt_json_begin(nt_run_out(r), "event");
	members_json(r, e);
	nt_shinfo_stack_json(r, stack);
	nt_json_end(nt_run_out(r));
}

/* ---- text ---- */
static void types_text(struct nt_run *r, const struct nt_shinfo_event *e)
{
	char before[400], after[400];

	gso(r, e->after.gso_type, after, sizeof(after));
	if (!(e->before.bits & NT_SHINFO_KNOWN))
		nt_text(nt_run_out(r), "    %s\n", after);
	else if (e->before.gso_type == e->after.gso_type)
		nt_text(nt_run_out(r), "    %s, as before\n", after);
	else
		nt_text(nt_run_out(r), "    %s -> %s\n", gso(r, e->before.gso_type, before, sizeof(before)), after);
}

static void detail_text(struct nt_run *r, const struct nt_shinfo_event *e)
{
	const struct nt_shinfo *s = &e->after;
	struct nt_out *o = nt_run_out(r);
	char comm[64];

	nt_text(o, "    encapsulation %u", !!(s->bits & NT_SHINFO_ENCAP));
	if (s->inner_protocol)
		nt_text(o, ", inner protocol 0x%04x", ntohs(s->inner_protocol));
	if (s->gso_size)
		nt_text(o, ", gso_size %u bytes", s->gso_size);
	if (e->rules & NT_TUNNEL_MISMATCH)
		nt_text(o, ": MISMATCH, of a tunnel, but not marked as encapsulated");
	nt_text(o, "\n");
	if (nt_run_common(r)->verbose)
		nt_text(o, "    skb 0x%llx cpu %u %s/%u\n", (unsigned long long)e->skb, e->cpu,
			nt_fmt_escape(e->comm, strnlen(e->comm, sizeof(e->comm)), comm, sizeof(comm)), e->pid);
}

static void packet_text(struct nt_run *r, const struct nt_shinfo_event *e)
{
	const char *dev = device(r, e->pkt.flow.netns, e->pkt.flow.ifindex);
	char text[256], name[64];

	if (dev)
		nt_text(nt_run_out(r), "    %s: %s\n", nt_fmt_escape(dev, strlen(dev), name, sizeof(name)),
			nt_packet_text(&e->pkt, text, sizeof(text)));
	else
		nt_text(nt_run_out(r), "    %s\n", nt_packet_text(&e->pkt, text, sizeof(text)));
}

static void event_text(struct nt_run *r, const struct nt_shinfo_event *e, const uint64_t *stack)
{
	struct nt_out *o = nt_run_out(r);
	char time[40];

	nt_text(o, "%s %-12s %s", nt_shinfo_time_text(r, e, time, sizeof(time)), nt_tunnel_what_name(e->what),
		nt_shinfo_place_name(e->place));
	if (source(e))
		nt_text(o, ", from %s", source(e));
	if (e->since)
		nt_text(o, ", since %s", nt_shinfo_place_name(e->since));
	else if (e->seen_at != e->place)
		nt_text(o, ", noticed at %s", nt_shinfo_place_name(e->seen_at));
	nt_text(o, "\n");
	types_text(r, e);
	packet_text(r, e);
	detail_text(r, e);
	nt_shinfo_stack_text(r, stack);
}

void nt_tunnel_show_event(struct nt_run *r, const struct nt_shinfo_event *e, const uint64_t *stack)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		event_json(r, e, stack);
	else
		event_text(r, e, stack);
}

/* ---- numbers ---- */
static void row_text(struct nt_run *r, const struct nt_tunnel_row *row, const char *dev)
{
	char count[32], added[32], wrong[32], name[64] = "-";

	if (dev)
		nt_fmt_escape(dev, strlen(dev), name, sizeof(name));
	nt_text(nt_run_out(r), "%-26s %-16s %-12s %12s %12s %12s\n", nt_shinfo_place_name(row->key.place),
		name, nt_tunnel_what_name(row->key.what), nt_fmt_count(row->val.count, count, sizeof(count)),
		nt_fmt_count(row->val.added, added, sizeof(added)),
		nt_fmt_count(row->val.mismatches, wrong, sizeof(wrong)));
}

void nt_tunnel_show_rows(struct nt_run *r, const struct nt_tunnel_row *row, size_t n)
{
	struct nt_out *o = nt_run_out(r);

	if (n)
		nt_text(o, "%-26s %-16s %-12s %12s %12s %12s\n", "function", "device", "event", "packets", "got a type",
			"mismatch");
	nt_json_arr(o, "functions");
	for (size_t i = 0; i < n; i++) {
		const char *dev = device(r, row[i].key.netns, row[i].key.ifindex);

		row_text(r, &row[i], dev);
		nt_json_obj(o, NULL);
		nt_json_str(o, "function", nt_shinfo_place_name(row[i].key.place));
		nt_json_str(o, "ifname", dev);
		nt_json_u64(o, "ifindex", row[i].key.ifindex);
		nt_json_u64(o, "netns", row[i].key.netns);
		nt_json_str(o, "event", nt_tunnel_what_name(row[i].key.what));
		nt_json_u64(o, "packets", row[i].val.count);
		nt_json_u64(o, "added", row[i].val.added);
		nt_json_u64(o, "mismatches", row[i].val.mismatches);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

const char *nt_tunnel_verdict_of(struct nt_run *r, const struct nt_shinfo_event *first, char *buf, size_t size)
{
	const char *dev = first ? device(r, first->pkt.flow.netns, first->pkt.flow.ifindex) : NULL;
	char name[64];

	if (dev)
		dev = nt_fmt_escape(dev, strlen(dev), name, sizeof(name));
	return nt_tunnel_verdict(&run_of(r)->shinfo.gso, first, dev, run_of(r)->types, buf, size);
}

/* Wrapped behind "verdict: ": names of types and functions are long. */
static void words_text(struct nt_run *r, const char *text)
{
	const size_t room = 100 - strlen("verdict: ");
	size_t n;

	while (strlen(text) > room) {
		for (n = room; n && text[n] != ' '; n--)
			;
		if (!n)
			break;
		nt_text(nt_run_out(r), "%.*s\n        ", (int)n, text);
		text += n;
	}
	nt_text(nt_run_out(r), "%s\n", text);
}

void nt_tunnel_show_verdict(struct nt_run *r, const struct nt_shinfo_event *first)
{
	struct nt_out *o = nt_run_out(r);
	char text[400], time[40];

	nt_tunnel_verdict_of(r, first, text, sizeof(text));
	nt_json_bool(o, "tunnel_types_seen", first);
	nt_json_str(o, "verdict", text);
	nt_text(o, "verdict: ");
	words_text(r, text);
	if (!first)
		return;
	nt_text(o, "    first at %s\n", nt_shinfo_time_text(r, first, time, sizeof(time)));
	packet_text(r, first);
	nt_json_obj(o, "first");
	members_json(r, first);
	nt_json_obj_end(o);
}
