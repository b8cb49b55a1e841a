/* SPDX-License-Identifier: GPL-2.0 */
/* How counted drops are shown: ranked rows, rankings by one property, the kernel's own counters. */
#include <stdlib.h>
#include <string.h>

#include "drop_stats.h"
#include "nettrace/packet.h"

static const struct nt_drop_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* ---- rows ---- */
#define E(member) offsetof(struct nt_drop_entry, member)
static const struct nt_field row_fields[] = {
	{ .name = "count", .label = "drops", .kind = NT_K_U64, .off = E(val.count), .flags = NT_F_GROUP },
	{ .name = "packets", .kind = NT_K_U64, .off = E(val.packets) },
	{ .name = "bytes", .kind = NT_K_U64, .off = E(val.bytes) },
	{ .name = "ifname", .label = "device", .kind = NT_K_IFINDEX, .off = E(key.flow.ifindex),
	  .arg = E(key.flow.netns), .flags = NT_F_IF_NONZERO },
	{ .name = "ifindex", .kind = NT_K_U32, .off = E(key.flow.ifindex), .flags = NT_F_IF_NONZERO },
	{ .name = "netns", .kind = NT_K_U32, .off = E(key.flow.netns), .flags = NT_F_IF_NONZERO },
	{ .name = "reason", .kind = NT_K_REASON, .off = E(key.reason) },
	{ .name = "reason_id", .kind = NT_K_U32, .off = E(key.reason), .flags = NT_F_IF_NONZERO },
	{ .name = "location", .kind = NT_K_KSYM, .off = E(key.location) },
	{ .name = "location_raw", .kind = NT_K_KSYM, .off = E(val.location_raw), .arg = 1 },
	{ .name = "first_ns", .kind = NT_K_U64, .off = E(val.first_ns) },
	{ .name = "last_ns", .kind = NT_K_U64, .off = E(val.last_ns) },
};
static const struct nt_field flow_fields[] = {
	{ .name = "eth_type", .kind = NT_K_ETHTYPE, .off = E(key.flow.eth_type) },
	NT_FLOW_FIELDS(E(key.flow)),
};

static double share(uint64_t part, uint64_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

static void row_json(struct nt_run *r, const struct nt_drop_entry *e, uint64_t all)
{
	struct { uint64_t frame[NT_STACK_MAX]; } s = { { 0 } };
	static const struct nt_field stack = { .name = "stack", .kind = NT_K_STACK, .arg = NT_STACK_MAX };
	struct nt_out *o = nt_run_out(r);
	size_t n = nt_drop_stack_of(r, e, s.frame);

	nt_json_obj(o, NULL);
	nt_fields_json(o, nt_run_names(r), row_fields, NT_COUNT(row_fields), e);
	nt_json_f64(o, "pct", share(e->val.count, all), 2);
	if (opts_of(r)->group_by != NT_DROP_GROUP_STACK) {
		nt_json_obj(o, "flow");
		nt_fields_json(o, nt_run_names(r), flow_fields, NT_COUNT(flow_fields), e);
		nt_json_obj_end(o);
	}
	if (n < NT_STACK_MAX)
		s.frame[n] = 0;
	nt_fields_json(o, nt_run_names(r), &stack, 1, &s);
	nt_json_obj_end(o);
}

static void flow_text(struct nt_run *r, const struct nt_flow *f)
{
	char src[48], dst[48], proto[8];
	const char *name = nt_proto_name(f->proto);

	if (!f->ip_version) {
		nt_text(nt_run_out(r), "        EtherType 0x%04x\n", __builtin_bswap16(f->eth_type));
		return;
	}
	snprintf(proto, sizeof(proto), "%u", f->proto);
	nt_fmt_addr(f->saddr, src, sizeof(src));
	nt_fmt_addr(f->daddr, dst, sizeof(dst));
	if (f->sport || f->dport)
		nt_text(nt_run_out(r), "        %s %s port %u > %s port %u\n", name ? name : proto, src,
			__builtin_bswap16(f->sport), dst, __builtin_bswap16(f->dport));
	else
		nt_text(nt_run_out(r), "        %s %s > %s\n", name ? name : proto, src, dst);
}

static void stack_text(struct nt_run *r, const struct nt_drop_entry *e, size_t most)
{
	const struct nt_resolver *names = nt_run_names(r);
	uint64_t frames[NT_STACK_MAX];
	size_t n = nt_drop_stack_of(r, e, frames);

	if (!n && opts_of(r)->group_by != NT_DROP_GROUP_FLOW)
		nt_text(nt_run_out(r), "        [stack not stored]\n");
	for (size_t i = 0; i < n && i < most; i++) {
		uint64_t off = 0;
		const char *sym = names->ksym(names->ctx, frames[i], &off);

		if (sym)
			nt_text(nt_run_out(r), "          %s+0x%llx\n", sym, (unsigned long long)off);
		else
			nt_text(nt_run_out(r), "          0x%llx\n", (unsigned long long)frames[i]);
	}
	if (n > most)
		nt_text(nt_run_out(r), "          ... %zu more frames (-v shows them)\n", n - most);
}

static const char *cell(struct nt_run *r, size_t field, const struct nt_drop_entry *e, char *buf, size_t size)
{
	return nt_field_text(nt_run_names(r), &row_fields[field], e, buf, size);
}

static void row_text(struct nt_run *r, size_t rank, const struct nt_drop_entry *e, uint64_t all, size_t frames)
{
	char count[32], packets[32], bytes[32], dev[32], reason[48], place[96], line[256];
	size_t width = (size_t)snprintf(line, sizeof(line), "%4zu %9s %5.1f%% %9s %11s  %-10s %-20s", rank,
		cell(r, 0, e, count, sizeof(count)), share(e->val.count, all),
		nt_fmt_count(e->val.packets, packets, sizeof(packets)),
		nt_fmt_count(e->val.bytes, bytes, sizeof(bytes)), cell(r, 3, e, dev, sizeof(dev)),
		cell(r, 6, e, reason, sizeof(reason)));

	cell(r, 8, e, place, sizeof(place));
	nt_text(nt_run_out(r), "%s%s%s\n", line,
		width + strlen(place) < NT_DROP_COLUMNS ? " " : "\n        ", place);
	if (opts_of(r)->group_by != NT_DROP_GROUP_STACK)
		flow_text(r, &e->key.flow);
	stack_text(r, e, frames);
}

void nt_drop_show_rows(struct nt_run *r, uint64_t all, size_t top, size_t frames)
{
	const struct nt_drop_stats *p = nt_run_priv(r);
	size_t n = p->n_rows < top ? p->n_rows : top;

	nt_json_arr(nt_run_out(r), "rows");
	if (n)
		nt_text(nt_run_out(r), "rank     drops  share   packets       bytes  device     reason"
			"               location\n");
	for (size_t i = 0; i < n; i++) {
		if (nt_out_format(nt_run_out(r)) == NT_JSON)
			row_json(r, &p->rows[i], all);
		else
			row_text(r, i + 1, &p->rows[i], all, frames);
	}
	nt_json_arr_end(nt_run_out(r));
	nt_json_u64(nt_run_out(r), "rows_total", p->n_rows);
	if (p->n_rows > n)
		nt_text(nt_run_out(r), "      ... %zu more rows (--top %zu shows them)\n", p->n_rows - n, p->n_rows);
}

/* ---- rankings by one property (--by) ---- */
struct rank {
	char name[96];
	uint64_t count;
};

static int by_rank(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->name, y->name);
}

static void add_rank(struct rank *ranks, size_t *n, const char *name, uint64_t count)
{
	size_t i;

	for (i = 0; i < *n && strcmp(ranks[i].name, name); i++)
		;
	if (i == *n) {
		snprintf(ranks[i].name, sizeof(ranks[i].name), "%s", name);
		ranks[i].count = 0;
		(*n)++;
	}
	ranks[i].count += count;
}

static const struct nt_field rank_fields[] = {
	{ .name = "name", .label = "", .kind = NT_K_STR, .off = offsetof(struct rank, name), .arg = 96,
	  .flags = NT_F_LEFT },
	{ .name = "count", .label = "drops", .kind = NT_K_U64, .off = offsetof(struct rank, count),
	  .flags = NT_F_GROUP },
};

static size_t rank_cpus(struct nt_run *r, struct rank *ranks)
{
	uint64_t per_cpu[nt_run_cpus(r)];
	size_t n = 0;

	nt_run_stat_cpus(r, NT_STAT_EVENTS, per_cpu, nt_run_cpus(r));
	for (size_t i = 0; i < nt_run_cpus(r); i++) {
		char name[24];

		snprintf(name, sizeof(name), "cpu %zu (since start)", i);
		if (per_cpu[i])
			add_rank(ranks, &n, name, per_cpu[i]);
	}
	return n;
}

static size_t rank_rows(struct nt_run *r, const char *by, struct rank *ranks)
{
	static const struct { const char *by; size_t field; } fields[] = {
		{ "reason", 6 }, { "location", 8 }, { "dev", 3 }, { "netns", 5 },
	};
	const struct nt_drop_stats *p = nt_run_priv(r);
	size_t n = 0;

	for (size_t f = 0; f < NT_COUNT(fields); f++) {
		if (strcmp(fields[f].by, by))
			continue;
		for (size_t i = 0; i < p->n_rows; i++) {
			char name[96];

			add_rank(ranks, &n, cell(r, fields[f].field, &p->rows[i], name, sizeof(name)),
				 p->rows[i].val.count);
		}
	}
	return n;
}

void nt_drop_show_rankings(struct nt_run *r)
{
	const struct nt_drop_stats *p = nt_run_priv(r);
	const struct nt_strlist *by = &opts_of(r)->by;
	struct rank *ranks = calloc(p->n_rows + nt_run_cpus(r) + 1, sizeof(*ranks));

	for (size_t i = 0; ranks && i < by->n; i++) {
		size_t n = strcmp(by->item[i], "cpu") ? rank_rows(r, by->item[i], ranks)
						      : rank_cpus(r, ranks);
		char key[40], title[40];

		qsort(ranks, n, sizeof(*ranks), by_rank);
		snprintf(key, sizeof(key), "by_%s", by->item[i]);
		snprintf(title, sizeof(title), "drops by %s", by->item[i]);
		nt_table(nt_run_out(r), nt_run_names(r), key, title, rank_fields, NT_COUNT(rank_fields),
			 ranks, sizeof(*ranks), n);
	}
	free(ranks);
}

/* ---- the kernel's own counters ---- */
struct counter_row {
	struct nt_mib_row rise;
	uint64_t explained;
	uint32_t bits;
};
enum { EXPLAINED = 1 };

/* Which of our drops a counter means; protocol 0: any. */
static const struct { const char *counter, *reasons; uint8_t proto; uint8_t version; } explains[] = {
	{ "UdpNoPorts", "NO_SOCKET", 17, 4 }, { "Udp6NoPorts", "NO_SOCKET", 17, 6 },
	{ "UdpRcvbufErrors", "SOCKET_RCVBUFF|PROTO_MEM", 17, 4 },
	{ "Udp6RcvbufErrors", "SOCKET_RCVBUFF|PROTO_MEM", 17, 6 },
	{ "UdpInCsumErrors", "UDP_CSUM", 17, 4 }, { "Udp6InCsumErrors", "UDP_CSUM", 17, 6 },
	{ "TcpInCsumErrors", "TCP_CSUM", 6, 0 },
	{ "IpInHdrErrors", "IP_CSUM|IP_INHDR", 0, 4 }, { "IpExtInCsumErrors", "IP_CSUM", 0, 4 },
};

static bool reason_in(struct nt_run *r, const struct nt_drop_entry *e, const char *reasons)
{
	char name[48];
	size_t len;

	cell(r, 6, e, name, sizeof(name));
	len = strlen(name);
	while (*reasons) {
		size_t n = strcspn(reasons, "|");

		if (n == len && !strncmp(reasons, name, n))
			return true;
		reasons += n + (reasons[n] == '|');
	}
	return false;
}

/* Only flows of our own namespace can be in our namespace's counters. */
static bool explain(struct nt_run *r, struct counter_row *c)
{
	const struct nt_drop_stats *p = nt_run_priv(r);

	if (opts_of(r)->group_by == NT_DROP_GROUP_STACK ||
	    nt_run_reason_id(r, "NO_SOCKET") == UINT32_MAX)	/* before 5.17 */
		return false;
	for (size_t k = 0; k < NT_COUNT(explains); k++) {
		if (strcmp(explains[k].counter, c->rise.name))
			continue;
		for (size_t i = 0; i < p->n_rows; i++) {
			const struct nt_flow *f = &p->rows[i].key.flow;

			if ((!explains[k].proto || explains[k].proto == f->proto) &&
			    (!explains[k].version || explains[k].version == f->ip_version) &&
			    (!f->netns || f->netns == nt_run_netns(r)) &&
			    reason_in(r, &p->rows[i], explains[k].reasons))
				c->explained += p->rows[i].val.count;
		}
		c->bits = EXPLAINED;
		return true;
	}
	return false;
}

/* Counters that tell of loss; the traffic counters beside them would only be noise. */
static bool tells_of_loss(const char *name)
{
	static const char *const words[] = { "rop", "rror", "NoPorts", "iscard", "Fail", "verflow", "queeze",
		"NoRoute", "Prune", "missed", "fifo", "nohandler", "Unknown", "TooBig", "Abort", "Reject" };

	for (size_t i = 0; i < NT_COUNT(words); i++)
		if (strstr(name, words[i]))
			return true;
	return false;
}

static const struct nt_field counter_fields[] = {
	{ .name = "counter", .kind = NT_K_STR, .arg = sizeof(((struct nt_mib_row *)0)->name),
	  .off = offsetof(struct counter_row, rise.name), .flags = NT_F_LEFT },
	{ .name = "rise", .label = "rose by", .kind = NT_K_U64, .off = offsetof(struct counter_row, rise.value),
	  .flags = NT_F_GROUP },
	{ .name = "explained", .label = "explained here", .kind = NT_K_U64,
	  .off = offsetof(struct counter_row, explained), .flags = NT_F_GROUP,
	  .has_off = offsetof(struct counter_row, bits), .has_mask = EXPLAINED },
};

void nt_drop_show_counters(struct nt_run *r, const struct nt_mib *before, const struct nt_mib *now)
{
	struct nt_mib_row *rises = calloc(now->n + 1, sizeof(*rises));
	struct counter_row *rows = calloc(now->n + 1, sizeof(*rows));
	size_t n = rises && rows ? nt_mib_rises(before, now, rises) : 0, shown = 0;

	for (size_t i = 0; i < n; i++) {
		if (!tells_of_loss(rises[i].name))
			continue;
		rows[shown].rise = rises[i];
		explain(r, &rows[shown++]);
	}
	if (shown || nt_out_format(nt_run_out(r)) == NT_JSON)
		nt_table(nt_run_out(r), nt_run_names(r), "counters",
			 "kernel counters of this namespace that rose", counter_fields,
			 NT_COUNT(counter_fields), rows, sizeof(*rows), shown);
	free(rises);
	free(rows);
}
