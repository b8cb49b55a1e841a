/* SPDX-License-Identifier: GPL-2.0 */
/* What __dev_queue_xmit() returned to its callers and drivers to the stack; device counters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/qdisc_drop.h"

struct code_row {
	uint32_t ifindex, netns, of;
	int32_t rc;
	char name[24];
	uint64_t count;
};

/* NET_XMIT_* of __dev_queue_xmit(); NETDEV_TX_* of drivers, some of which return NET_XMIT_DROP. */
static void name_code(struct code_row *c)
{
	static const char *const queue[] = { "SUCCESS", "DROP", "CN" };
	const char *error = c->rc < 0 ? nt_errno_name((uint32_t)-c->rc) : NULL;

	if (error)
		snprintf(c->name, sizeof(c->name), "%s", error);
	else if (c->of == NT_TXRC_DRIVER && c->rc == 0)
		snprintf(c->name, sizeof(c->name), "OK");
	else if (c->of == NT_TXRC_DRIVER && c->rc == 0x10)
		snprintf(c->name, sizeof(c->name), "BUSY");
	else if (c->rc >= 0 && c->rc <= 2)
		snprintf(c->name, sizeof(c->name), "%s", queue[c->rc]);
	else
		snprintf(c->name, sizeof(c->name), "%d", c->rc);
}

static uint64_t count_before(const struct nt_qdisc_snapshot *s, const struct nt_txrc_key *k)
{
	for (size_t i = 0; i < s->n_rcs; i++)
		if (!memcmp(&s->rc[i].key, k, sizeof(*k)))
			return s->rc[i].count;
	return 0;
}

static int by_device(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct code_row, rc) + sizeof(int32_t));
}

static size_t make_rows(struct code_row *rows, const struct nt_qdisc_snapshot *before,
			const struct nt_qdisc_snapshot *now)
{
	size_t n = 0;

	for (size_t i = 0; i < now->n_rcs; i++) {
		const struct nt_txrc_key *k = &now->rc[i].key;
		uint64_t count = now->rc[i].count - count_before(before, k);

		if (!count)
			continue;
		rows[n] = (struct code_row){ k->ifindex, k->netns, k->of, k->rc, "", count };
		name_code(&rows[n++]);
	}
	qsort(rows, n, sizeof(*rows), by_device);
	return n;
}

/* {"queue_xmit":{"SUCCESS":4,"DROP":46},"driver":{"OK":4}} over all devices. */
static void sums_json(struct nt_out *o, const struct code_row *rows, size_t n)
{
	static const char *const of[] = { "queue_xmit", "driver" };

	nt_json_obj(o, "rc");
	for (uint32_t f = 0; f < NT_COUNT(of); f++) {
		nt_json_obj(o, of[f]);
		for (size_t i = 0; i < n; i++) {
			uint64_t sum = 0;
			size_t first = n;

			for (size_t j = 0; j < n; j++) {
				if (rows[j].of != f || rows[j].rc != rows[i].rc || rows[i].of != f)
					continue;
				first = first == n ? j : first;
				sum += rows[j].count;
			}
			if (first == i)
				nt_json_u64(o, rows[i].name, sum);
		}
		nt_json_obj_end(o);
	}
	nt_json_obj_end(o);
}

#define C(member) offsetof(struct code_row, member)
static const struct nt_field code_fields[] = {
	{ .name = "ifname", .label = "device", .kind = NT_K_IFINDEX, .off = C(ifindex), .arg = C(netns) },
	{ .name = "netns", .kind = NT_K_U32, .off = C(netns), .flags = NT_F_NO_TEXT },
	{ .name = "function", .kind = NT_K_ENUM, .off = C(of), .names = "__dev_queue_xmit|driver" },
	{ .name = "rc", .label = "code", .kind = NT_K_I32, .off = C(rc) },
	{ .name = "rc_name", .label = "name", .kind = NT_K_STR, .off = C(name), .arg = 24, .flags = NT_F_LEFT },
	{ .name = "count", .label = "calls", .kind = NT_K_U64, .off = C(count), .flags = NT_F_GROUP },
};

void nt_qdisc_drop_show_codes(struct nt_run *r, const struct nt_qdisc_snapshot *before,
			      const struct nt_qdisc_snapshot *now)
{
	struct code_row *rows = calloc(now->n_rcs + 1, sizeof(*rows));
	size_t n = rows ? make_rows(rows, before, now) : 0;

	sums_json(nt_run_out(r), rows, n);
	if (n || nt_out_format(nt_run_out(r)) == NT_JSON)
		nt_table(nt_run_out(r), nt_run_names(r), "return_codes",
			 "what callers of __dev_queue_xmit and drivers answered, packets of any kind",
			 code_fields, NT_COUNT(code_fields), rows, sizeof(*rows), n);
	free(rows);
}

#define D(member) offsetof(struct nt_qdisc_dev, member)
static const struct nt_field dev_fields[] = {
	{ .name = "ifname", .label = "device", .kind = NT_K_IFINDEX, .off = D(ifindex), .arg = D(netns) },
	{ .name = "tx_packets", .kind = NT_K_U64, .off = D(tx_packets), .flags = NT_F_GROUP },
	{ .name = "tx_dropped", .kind = NT_K_U64, .off = D(tx_dropped), .flags = NT_F_GROUP },
	{ .name = "tx_errors", .kind = NT_K_U64, .off = D(tx_errors), .flags = NT_F_GROUP },
};

void nt_qdisc_drop_show_devices(struct nt_run *r, const struct nt_qdisc_snapshot *before,
				const struct nt_qdisc_snapshot *now)
{
	struct nt_qdisc_dev *rows = calloc(now->n_devs + 1, sizeof(*rows));
	bool json = nt_out_format(nt_run_out(r)) == NT_JSON;
	size_t n = 0;

	for (size_t i = 0; rows && i < now->n_devs; i++) {
		struct nt_qdisc_dev d = now->dev[i];

		for (size_t j = 0; j < before->n_devs; j++) {
			if (before->dev[j].ifindex != d.ifindex)
				continue;
			d.tx_packets -= before->dev[j].tx_packets;
			d.tx_dropped -= before->dev[j].tx_dropped;
			d.tx_errors -= before->dev[j].tx_errors;
		}
		if (json || d.tx_dropped || d.tx_errors)
			rows[n++] = d;
	}
	if (n || json)
		nt_table(nt_run_out(r), nt_run_names(r), "devices", "the devices' own counters", dev_fields,
			 NT_COUNT(dev_fields), rows, sizeof(*rows), n);
	free(rows);
}
