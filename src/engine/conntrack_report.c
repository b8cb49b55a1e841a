/* SPDX-License-Identifier: GPL-2.0 */
/* What happened between two snapshots, by protocol and by zone, beside the kernel's own counters. */
#include <stdlib.h>
#include <string.h>

#include "nettrace/conntrack.h"

struct row {
	char name[16];			/* of a protocol */
	uint32_t netns, zone;
	uint64_t packets;		/* all that were given to the tracker */
	uint64_t n[NT_CT_WHATS];
};

#define N(label_, name_, what) { .name = name_, .label = label_, .kind = NT_K_U64, \
				 .off = offsetof(struct row, n) + 8 * (what), .flags = NT_F_GROUP }
#define NUMBERS										\
	{ .name = "packets", .kind = NT_K_U64, .off = offsetof(struct row, packets), .flags = NT_F_GROUP },	\
	N(NULL, "new", NT_CT_NEW), N(NULL, "confirmed", NT_CT_CONFIRM),			\
	N("failed", "confirm_failed", NT_CT_CONFIRM_FAILED), N(NULL, "clashes", NT_CT_CLASH),	\
	N(NULL, "deleted", NT_CT_DELETE), N("freed", "destroyed", NT_CT_DESTROY),	\
	N(NULL, "invalid", NT_CT_INVALID), N(NULL, "dropped", NT_CT_DROP)
static const struct nt_field protocol_fields[] = {
	{ .name = "protocol", .kind = NT_K_STR, .arg = 16, .off = offsetof(struct row, name), .flags = NT_F_LEFT },
	NUMBERS,
};
static const struct nt_field zone_fields[] = {
	{ .name = "netns", .kind = NT_K_U32, .off = offsetof(struct row, netns) },
	{ .name = "zone", .kind = NT_K_U32, .off = offsetof(struct row, zone) },
	NUMBERS,
};

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nt_ct_stats_key));
}

static struct nt_ct_stats risen(const struct nt_ct_row *now, const struct nt_ct_snapshot *before)
{
	const struct nt_ct_row *was = before->n ? bsearch(now, before->row, before->n, sizeof(*now), by_key) : NULL;
	struct nt_ct_stats s = now->s;

	for (size_t i = 0; was && i < NT_CT_WHATS; i++)
		s.n[i] -= was->s.n[i];
	for (size_t i = 0; was && i < NT_CT_CAUSES; i++)
		s.cause[i] -= was->s.cause[i];
	return s;
}

static void add(struct row *to, const struct nt_ct_stats *s)
{
	for (size_t i = 0; i < NT_CT_WHATS; i++)
		to->n[i] += s->n[i];
	to->packets += s->n[NT_CT_PACKET] + s->n[NT_CT_NEW] + s->n[NT_CT_INVALID] + s->n[NT_CT_DROP];
}

static bool is_empty(const struct nt_ct_stats *s)
{
	for (size_t i = 0; i < NT_CT_WHATS; i++)
		if (s->n[i])
			return false;
	return true;
}

/* The row of this name, or of this zone; made if there is none. */
static struct row *row_of(struct row *rows, size_t *n, const char *name, uint32_t netns, uint32_t zone)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(rows[i].name, name) && rows[i].netns == netns && rows[i].zone == zone)
			return &rows[i];
	memset(&rows[*n], 0, sizeof(*rows));
	snprintf(rows[*n].name, sizeof(rows->name), "%s", name);
	rows[*n].netns = netns;
	rows[*n].zone = zone;
	return &rows[(*n)++];
}

static int by_packets(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->packets < y->packets ? 1 : x->packets > y->packets ? -1 : strcmp(x->name, y->name);
}

static void totals_json(struct nt_out *o, const struct row *all)
{
	nt_json_u64(o, "packets", all->packets);
#define NT_CT_TOTAL(event, count) if (NT_CT_##event != NT_CT_PACKET) nt_json_u64(o, #count, all->n[NT_CT_##event]);
	NT_CT_WHAT_LIST(NT_CT_TOTAL)
#undef NT_CT_TOTAL
}

static void causes(struct nt_out *o, const uint64_t *cause)
{
	char count[32];
	bool any = false;

	nt_json_obj(o, "deleted_by");
	for (uint32_t i = 1; i < NT_CT_CAUSES; i++) {
		nt_json_u64(o, nt_ct_cause_name(i), cause[i]);
		if (!cause[i])
			continue;
		nt_text(o, "%s %s %s", any ? "," : "deleted by:", nt_ct_cause_name(i),
			nt_fmt_count(cause[i], count, sizeof(count)));
		any = true;
	}
	nt_json_obj_end(o);
	if (any)
		nt_text(o, "\n");
}

/* The kernel counts everything of our namespace: with a filter the figures need not agree. */
static void kernel(struct nt_out *o, const struct nt_ct_kernel *before, const struct nt_ct_kernel *now)
{
	char count[32];
	unsigned int shown = 0;

	if (!now->known)
		return;
	nt_json_obj(o, "kernel");
	nt_text(o, "kernel counted in this namespace:");
#define NT_CT_SHOW(member)									\
	nt_json_u64(o, #member, now->member - before->member);					\
	if (now->member - before->member)							\
		nt_text(o, "%s %s %s", shown++ ? "," : "", #member,				\
			nt_fmt_count(now->member - before->member, count, sizeof(count)));
	NT_CT_KERNEL_LIST(NT_CT_SHOW)
#undef NT_CT_SHOW
	nt_json_u64(o, "entries", now->entries);
	nt_json_u64(o, "entries_max", now->max);
	nt_json_obj_end(o);
	nt_text(o, "%s table %s", shown ? ";" : " nothing;", nt_fmt_count(now->entries, count, sizeof(count)));
	nt_text(o, " of %s entries\n", nt_fmt_count(now->max, count, sizeof(count)));
}

/* Zones are worth a table if there is more than the first. */
static void tables(struct nt_run *r, struct row *protocols, size_t n_protocols, struct row *zones, size_t n_zones)
{
	const struct nt_resolver *names = nt_run_names(r);
	size_t top = nt_run_common(r)->top;
	struct nt_out *o = nt_run_out(r);
	bool several = n_zones > 1 || (n_zones == 1 && zones[0].zone);

	qsort(protocols, n_protocols, sizeof(*protocols), by_packets);
	qsort(zones, n_zones, sizeof(*zones), by_packets);
	if (n_protocols)
		nt_table(o, names, "protocols", NULL, protocol_fields, NT_COUNT(protocol_fields), protocols,
			 sizeof(*protocols), n_protocols < top ? n_protocols : top);
	if (n_zones && (several || nt_out_format(o) == NT_JSON))
		nt_table(o, names, "zones", NULL, zone_fields, NT_COUNT(zone_fields), zones, sizeof(*zones),
			 n_zones < top ? n_zones : top);
	if (!n_protocols)
		nt_text(o, "no packets of connections\n");
}

void nt_ct_show_report(struct nt_run *r, const struct nt_ct_snapshot *before, const struct nt_ct_snapshot *now)
{
	struct row *protocols = calloc(now->n + 1, sizeof(*protocols)), *zones = calloc(now->n + 1, sizeof(*zones));
	struct row all = { .netns = 0 };
	uint64_t cause[NT_CT_CAUSES] = { 0 };
	size_t n_protocols = 0, n_zones = 0;
	struct nt_out *o = nt_run_out(r);
	struct nt_hist lifetime;

	for (size_t i = 0; protocols && zones && i < now->n; i++) {
		const struct nt_ct_stats_key *k = &now->row[i].key;
		struct nt_ct_stats s = risen(&now->row[i], before);
		const char *name = nt_proto_name(k->proto);
		char number[8];

		if (is_empty(&s))
			continue;
		snprintf(number, sizeof(number), "%u", k->proto);
		add(&all, &s);
		add(row_of(protocols, &n_protocols, name ? name : number, 0, 0), &s);
		add(row_of(zones, &n_zones, "", k->netns, k->zone), &s);
		for (size_t c = 0; c < NT_CT_CAUSES; c++)
			cause[c] += s.cause[c];
	}
	totals_json(o, &all);
	if (protocols && zones)
		tables(r, protocols, n_protocols, zones, n_zones);
	causes(o, cause);
	nt_hist_diff(&lifetime, &now->lifetime, &before->lifetime);
	nt_hist_json(o, "lifetime", &lifetime, "ms", 1000.0);
	if (lifetime.count)
		nt_hist_text(o, "lifetime, from the first packet to the removal", &lifetime, "ms", 1000.0);
	kernel(o, &before->kernel, &now->kernel);
	free(protocols);
	free(zones);
}
