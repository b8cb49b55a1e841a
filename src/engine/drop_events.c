/* SPDX-License-Identifier: GPL-2.0 */
/* Each dropped packet as an event: place, reason, packet, stack; totals at the end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/drop.h"
#include "nettrace/packet.h"
#include "nettrace/pcapng.h"

struct total {
	char reason[44];
	uint64_t location;
	uint64_t count;
};

struct events_priv {
	struct nt_drop_reader reader;
	struct nt_pcapng *pcap;
	struct total *total;
	size_t n_totals, cap_totals;
};

#define E(member) offsetof(struct nt_drop_event, member)

static const struct nt_field event_fields[] = {
	{ .name = "time", .kind = NT_K_TS, .off = E(ts_ns) },
	{ .name = "reason", .kind = NT_K_REASON, .off = E(reason) },
	{ .name = "reason_id", .kind = NT_K_U32, .off = E(reason), .flags = NT_F_IF_NONZERO },
	{ .name = "location", .kind = NT_K_KSYM, .off = E(location) },
	{ .name = "location_raw", .kind = NT_K_KSYM, .off = E(location_raw), .arg = 1 },
	{ .name = "cpu", .kind = NT_K_U32, .off = E(cpu) },
	{ .name = "pid", .kind = NT_K_U32, .off = E(pid) },
	{ .name = "tid", .kind = NT_K_U32, .off = E(tid) },
	{ .name = "comm", .kind = NT_K_COMM, .off = E(comm) },
};
static const struct nt_field verbose_fields[] = {
	{ .name = "skb_len_bytes", .kind = NT_K_U32, .off = E(skb.len) },
	{ .name = "data_len_bytes", .kind = NT_K_U32, .off = E(skb.data_len) },
	{ .name = "mac_header", .kind = NT_K_U16, .off = E(skb.mac_off) },
	{ .name = "network_header", .kind = NT_K_U16, .off = E(skb.network_off) },
	{ .name = "transport_header", .kind = NT_K_U16, .off = E(skb.transport_off) },
	{ .name = "queue_mapping", .kind = NT_K_U16, .off = E(skb.queue_mapping) },
	{ .name = "mark", .kind = NT_K_HEX32, .off = E(skb.mark) },
};
static const struct nt_field stack_field =
	{ .name = "stack", .kind = NT_K_STACK, .off = E(stack), .arg = NT_STACK_MAX };

static const struct nt_drop_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* ---- text ---- */
static const char *text_of(struct nt_run *r, const char *name, const struct nt_drop_event *e, char *buf,
			   size_t size)
{
	return nt_field_by_name(nt_run_names(r), event_fields, NT_COUNT(event_fields), name, e, buf, size);
}

static void arp_text(struct nt_run *r, const struct nt_arp *a)
{
	unsigned int op = __builtin_bswap16(a->op);
	static const char *const names[] = { "?", "request", "reply", "RARP request", "RARP reply" };

	nt_text(nt_run_out(r), "    ARP %s sender %02x:%02x:%02x:%02x:%02x:%02x %u.%u.%u.%u"
		" target %02x:%02x:%02x:%02x:%02x:%02x %u.%u.%u.%u\n", names[op < 5 ? op : 0],
		a->sender_mac[0], a->sender_mac[1], a->sender_mac[2], a->sender_mac[3], a->sender_mac[4],
		a->sender_mac[5], a->sender_ip[0], a->sender_ip[1], a->sender_ip[2], a->sender_ip[3],
		a->target_mac[0], a->target_mac[1], a->target_mac[2], a->target_mac[3], a->target_mac[4],
		a->target_mac[5], a->target_ip[0], a->target_ip[1], a->target_ip[2], a->target_ip[3]);
}

static void l2_text(struct nt_run *r, const struct nt_drop_event *e)
{
	char src[24], dst[24], type[12];

	nt_text(nt_run_out(r), "   ");
	if (e->pkt.bits & NT_PKT_L2)
		nt_text(nt_run_out(r), " %s > %s", nt_packet_field(r, &e->pkt, "src_mac", src, sizeof(src)),
			nt_packet_field(r, &e->pkt, "dst_mac", dst, sizeof(dst)));
	for (int i = 0; i < 2 && e->pkt.vlan[i] != NT_VLAN_NONE; i++)
		nt_text(nt_run_out(r), " vlan %u", e->pkt.vlan[i]);
	nt_text(nt_run_out(r), " type %s length %u",
		nt_packet_field(r, &e->pkt, "eth_type", type, sizeof(type)), e->pkt.len);
	if (e->pkt.gso_segs > 1)
		nt_text(nt_run_out(r), " (GSO, %u segments of %u)", e->pkt.gso_segs, e->pkt.gso_size);
	nt_text(nt_run_out(r), "%s\n", e->pkt.bits & NT_PKT_TRUNC ? " [headers not linear]" : "");
}

static void l4_text(struct nt_run *r, const struct nt_drop_event *e)
{
	const struct nt_pkt *p = &e->pkt;
	char flags[40];

	if (p->bits & NT_PKT_TCP)
		nt_text(nt_run_out(r), " [%s] seq %u ack %u", nt_fmt_tcpflags(p->tcp_flags, flags, sizeof(flags)),
			__builtin_bswap32(p->tcp_seq), __builtin_bswap32(p->tcp_ack));
	if (p->bits & NT_PKT_ICMP)
		nt_text(nt_run_out(r), " type %u code %u", p->icmp_type, p->icmp_code);
	if (p->bits & NT_PKT_ECHO)
		nt_text(nt_run_out(r), " id %u seq %u", __builtin_bswap16(p->flow.icmp_id),
			__builtin_bswap16(p->flow.icmp_seq));
	if (p->bits & NT_PKT_FRAG)
		nt_text(nt_run_out(r), " fragment");
	nt_text(nt_run_out(r), " ttl %u", p->ttl);
	if (p->flow.ip_version == 4)
		nt_text(nt_run_out(r), " id %u", __builtin_bswap16(p->ip_id));
	nt_text(nt_run_out(r), "\n");
}

static void l3_text(struct nt_run *r, const struct nt_drop_event *e)
{
	const struct nt_pkt *p = &e->pkt;
	char src[48], dst[48], proto[16];

	if (p->bits & NT_PKT_ARP)
		arp_text(r, &p->arp);
	if (!(p->bits & NT_PKT_L3))
		return;
	nt_fmt_addr(p->flow.saddr, src, sizeof(src));
	nt_fmt_addr(p->flow.daddr, dst, sizeof(dst));
	nt_packet_field(r, &e->pkt, "protocol", proto, sizeof(proto));
	if (p->bits & NT_PKT_PORTS)
		nt_text(nt_run_out(r), "    %s %s port %u > %s port %u", proto, src,
			__builtin_bswap16(p->flow.sport), dst, __builtin_bswap16(p->flow.dport));
	else
		nt_text(nt_run_out(r), "    %s %s > %s", proto, src, dst);
	l4_text(r, e);
}

/* What a developer would ask next, for the reasons that have one answer. */
static const char *hint(const char *reason)
{
	static const struct { const char *reason, *hint; } hints[] = {
		{ "NO_SOCKET", "nobody listens on that port: ss -ltun" },
		{ "SOCKET_RCVBUFF", "the socket's buffer is full: ss -m, net.core.rmem_max" },
		{ "NETFILTER_DROP", "a firewall rule: nft list ruleset, iptables -L -v" },
		{ "QDISC_DROP", "a queueing discipline: tc -s qdisc" },
		{ "FULL_RING", "the ring to a tap's reader is full: nettrace tun_ring_monitor" },
		{ "IP_CSUM", "wrong IPv4 header checksum" },
		{ "UDP_CSUM", "wrong UDP checksum" },
		{ "TCP_CSUM", "wrong TCP checksum" },
		{ "PROTO_MEM", "socket memory limit: net.ipv4.udp_mem, tcp_mem" },
		{ "CPU_BACKLOG", "per-CPU backlog is full: net.core.netdev_max_backlog" },
		{ "NEIGH_FAILED", "no link-layer address for the next hop: ip neigh" },
		{ "IP_RPFILTER", "reverse path filter: net.ipv4.conf.*.rp_filter" },
	};

	for (size_t i = 0; i < NT_COUNT(hints); i++)
		if (!strcmp(hints[i].reason, reason))
			return hints[i].hint;
	return NULL;
}

static void verbose_text(struct nt_run *r, const struct nt_drop_event *e)
{
	nt_text(nt_run_out(r), "    skb len %u data_len %u mac %u network %u transport %u queue_mapping %u"
		" mark 0x%x\n", e->skb.len, e->skb.data_len, e->skb.mac_off, e->skb.network_off,
		e->skb.transport_off, e->skb.queue_mapping, e->skb.mark);
	if (!e->caplen)
		return;
	nt_text(nt_run_out(r), "    bytes ");
	for (uint32_t i = 0; i < e->caplen && i < 32; i++)
		nt_text(nt_run_out(r), "%02x%s", e->bytes[i], i % 4 == 3 ? " " : "");
	nt_text(nt_run_out(r), "\n");
}

static void event_text(struct nt_run *r, const struct nt_drop_event *e)
{
	char time[40], dev[32], reason[48], place[96], comm[40], line[256], task[96], stack[4096];
	const char *h = hint(text_of(r, "reason", e, reason, sizeof(reason)));
	size_t width = (size_t)snprintf(line, sizeof(line), "%s %s%s  %s at %s",
		text_of(r, "time", e, time, sizeof(time)),
		nt_packet_field(r, &e->pkt, "ifname", dev, sizeof(dev)),
		e->pkt.bits & NT_PKT_IIF ? " (came in by)" : "", reason,
		text_of(r, "location", e, place, sizeof(place)));

	width += (size_t)snprintf(task, sizeof(task), "  cpu %u  current %s %u/%u", e->cpu,
				  text_of(r, "comm", e, comm, sizeof(comm)), e->pid, e->tid);
	nt_text(nt_run_out(r), "\n%s%s%s\n", line, width > NT_DROP_COLUMNS ? "\n  " : "", task);
	l2_text(r, e);
	l3_text(r, e);
	if (nt_run_common(r)->verbose)
		verbose_text(r, e);
	if (e->stack[0])
		nt_text(nt_run_out(r), "%s\n",
			nt_field_text(nt_run_names(r), &stack_field, e, stack, sizeof(stack)));
	if (h)
		nt_text(nt_run_out(r), "    hint: %s\n", h);
}

/* ---- JSON ---- */
static void arp_json(struct nt_run *r, const struct nt_arp *a)
{
	static const struct nt_field fields[] = {
		{ .name = "operation", .kind = NT_K_BE16, .off = offsetof(struct nt_arp, op) },
		{ .name = "sender_mac", .kind = NT_K_MAC, .off = offsetof(struct nt_arp, sender_mac) },
		{ .name = "target_mac", .kind = NT_K_MAC, .off = offsetof(struct nt_arp, target_mac) },
	};
	char ip[20];

	nt_json_obj(nt_run_out(r), "arp");
	nt_fields_json(nt_run_out(r), nt_run_names(r), fields, NT_COUNT(fields), a);
	snprintf(ip, sizeof(ip), "%u.%u.%u.%u", a->sender_ip[0], a->sender_ip[1], a->sender_ip[2], a->sender_ip[3]);
	nt_json_str(nt_run_out(r), "sender_ip", ip);
	snprintf(ip, sizeof(ip), "%u.%u.%u.%u", a->target_ip[0], a->target_ip[1], a->target_ip[2], a->target_ip[3]);
	nt_json_str(nt_run_out(r), "target_ip", ip);
	nt_json_obj_end(nt_run_out(r));
}

static void hex_json(struct nt_run *r, const struct nt_drop_event *e)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * NT_SNAP_MAX];
	uint32_t n = e->caplen < NT_SNAP_MAX ? e->caplen : NT_SNAP_MAX;

	for (uint32_t i = 0; i < n; i++) {
		hex[2 * i] = digits[e->bytes[i] >> 4];
		hex[2 * i + 1] = digits[e->bytes[i] & 15];
	}
	nt_json_strn(nt_run_out(r), "bytes_hex", hex, 2 * n);
}

static void event_json(struct nt_run *r, const struct nt_drop_event *e)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_begin(o, "event");
	nt_fields_json(o, nt_run_names(r), event_fields, NT_COUNT(event_fields), e);
	nt_packet_json(r, &e->pkt);
	nt_json_str(o, "ifindex_source", e->pkt.bits & NT_PKT_DEV ? "dev" :
					 e->pkt.bits & NT_PKT_IIF ? "iif" : "none");
	if (e->pkt.bits & NT_PKT_ARP)
		arp_json(r, &e->pkt.arp);
	if (nt_run_common(r)->verbose) {
		nt_fields_json(o, nt_run_names(r), verbose_fields, NT_COUNT(verbose_fields), e);
		hex_json(r, e);
	}
	if (!opts_of(r)->no_stack)
		nt_fields_json(o, nt_run_names(r), &stack_field, 1, e);
	nt_json_end(o);
}

/* ---- the engine ---- */
static void add_total(struct nt_run *r, const struct nt_drop_event *e)
{
	struct events_priv *p = nt_run_priv(r);
	const struct nt_resolver *names = nt_run_names(r);
	const char *reason = names->reason(names->ctx, e->reason);
	uint64_t off, place = e->location;
	size_t i;

	/* One row for a function, however many of its calls dropped. */
	if (names->ksym(names->ctx, place, &off))
		place -= off;
	for (i = 0; i < p->n_totals; i++)
		if (p->total[i].location == place &&
		    !strcmp(p->total[i].reason, reason ? reason : "-"))
			break;
	if (i == p->cap_totals) {
		size_t cap = p->cap_totals ? p->cap_totals * 2 : 64;
		struct total *grown = realloc(p->total, cap * sizeof(*grown));

		if (!grown)
			return;
		p->total = grown;
		p->cap_totals = cap;
	}
	if (i == p->n_totals) {
		memset(&p->total[i], 0, sizeof(p->total[i]));
		snprintf(p->total[i].reason, sizeof(p->total[i].reason), "%s", reason ? reason : "-");
		p->total[i].location = place;
		p->n_totals++;
	}
	p->total[i].count++;
}

/* Events from before the kernel side knew the places are judged here. */
static bool wanted(struct nt_run *r, struct nt_drop_reader *p, const struct nt_drop_event *e)
{
	enum nt_loc_class class = nt_drop_class(p->places, e->location);

	if (opts_of(r)->show_benign || opts_of(r)->location.n)
		return true;
	if (class == NT_LOC_ICMP &&
	    nt_drop_delivered(r, e->reason, &e->pkt.flow, e->pkt.bits & NT_PKT_ECHO))
		class = NT_LOC_BENIGN;
	p->suppressed += class == NT_LOC_BENIGN;
	p->child += class == NT_LOC_CHILD;
	return class != NT_LOC_BENIGN && class != NT_LOC_CHILD;
}

bool nt_drop_event_read(struct nt_run *r, struct nt_drop_reader *p, const void *data, size_t size,
			struct nt_drop_event *e)
{
	size_t n, first;

	memcpy(e, data, size < sizeof(*e) ? size : sizeof(*e));
	nt_drop_load_places(r, &p->places);
	for (n = 0; n < NT_STACK_MAX && e->stack[n]; n++)
		;
	e->location = nt_drop_place(p->places, e->location, (const uint64_t *)e->stack, n);
	if (!wanted(r, p, e))
		return false;
	first = nt_drop_first_frame((const uint64_t *)e->stack, n, e->location_raw);
	memmove(e->stack, e->stack + first, (n - first) * sizeof(e->stack[0]));
	if (n - first < NT_STACK_MAX)
		e->stack[n - first] = 0;
	return true;
}

void nt_drop_event_show(struct nt_run *r, const struct nt_drop_event *e)
{
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		event_json(r, e);
	else
		event_text(r, e);
}

static void write_pcap(struct nt_run *r, const struct nt_drop_event *e)
{
	struct events_priv *p = nt_run_priv(r);
	const struct nt_resolver *names = nt_run_names(r);
	char reason[48], place[96], comment[160];

	snprintf(comment, sizeof(comment), "%s at %s", text_of(r, "reason", e, reason, sizeof(reason)),
		 text_of(r, "location", e, place, sizeof(place)));
	nt_pcapng_packet(p->pcap, e->pkt.bits & NT_PKT_L2, names->realtime(names->ctx, e->ts_ns), e->bytes,
			 e->caplen, e->pkt.len, comment);
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	struct events_priv *p = nt_run_priv(r);
	static struct nt_drop_event e;

	if (!nt_drop_event_read(r, &p->reader, data, size, &e))
		return;
	nt_drop_event_show(r, &e);
	if (p->pcap)
		write_pcap(r, &e);
	add_total(r, &e);
	nt_run_event_shown(r);
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct events_priv *p = nt_run_priv(r);
	const char *path = opts_of(r)->pcap;
	int rc = path && !p->pcap ? nt_pcapng_open(&p->pcap, path) : 0;

	if (rc)
		return nt_err_set(err, NT_EXIT_USAGE, -rc, "cannot write the packet file: %s: %s", path,
				  strerror(-rc));
	return nt_drop_prepare(r, &p->reader.places, err);
}

static void started(struct nt_run *r)
{
	struct events_priv *p = nt_run_priv(r);

	nt_drop_load_places(r, &p->reader.places);
}

static int by_count(const void *a, const void *b)
{
	const struct total *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

static const struct nt_field total_fields[] = {
	{ .name = "count", .label = "drops", .kind = NT_K_U64, .off = offsetof(struct total, count),
	  .flags = NT_F_GROUP },
	{ .name = "reason", .kind = NT_K_STR, .off = offsetof(struct total, reason),
	  .arg = sizeof(((struct total *)0)->reason), .flags = NT_F_LEFT },
	{ .name = "location", .kind = NT_K_KSYM, .off = offsetof(struct total, location), .flags = NT_F_LEFT },
};

static void end(struct nt_run *r)
{
	struct events_priv *p = nt_run_priv(r);
	uint64_t limited = nt_run_stat(r, NT_STAT_RATE_LIMITED);
	uint64_t suppressed = nt_run_stat(r, NT_STAT_SUPPRESSED) + p->reader.suppressed;
	uint64_t child = nt_run_stat(r, NT_STAT_CHILD) + p->reader.child;

	nt_json_u64(nt_run_out(r), "matched", nt_run_stat(r, NT_STAT_EVENTS) - p->reader.suppressed -
		    p->reader.child);
	nt_json_u64(nt_run_out(r), "rate_limited", limited);
	nt_json_u64(nt_run_out(r), "suppressed", suppressed);
	nt_json_u64(nt_run_out(r), "child", child);
	if (p->n_totals)
		qsort(p->total, p->n_totals, sizeof(*p->total), by_count);
	nt_table(nt_run_out(r), nt_run_names(r), "totals", "drops shown, by reason and place", total_fields,
		 NT_COUNT(total_fields), p->total, sizeof(*p->total), p->n_totals);
	nt_text(nt_run_out(r), "suppressed as normal %llu, fragments of counted packets %llu\n",
		(unsigned long long)suppressed, (unsigned long long)child);
	if (limited)
		nt_text(nt_run_out(r), "warning: %llu drops not shown: above --rate %u a second\n",
			(unsigned long long)limited, opts_of(r)->rate);
}

static void release(struct nt_run *r)
{
	struct events_priv *p = nt_run_priv(r);

	if (nt_pcapng_close(p->pcap))
		nt_run_note(r, "nettrace eth_drop: the packet file is incomplete: %s", opts_of(r)->pcap);
	nt_drop_free_places(p->reader.places);
	free(p->total);
}

const struct nt_engine nt_drop_events_engine = {
	.name = "drop",
	.priv_size = sizeof(struct events_priv),
	.configure = nt_drop_configure,
	.prepare = prepare,
	.started = started,
	.event = event,
	.min_event = sizeof(struct nt_drop_event) - NT_SNAP_MAX,
	.end = end,
	.release = release,
};
