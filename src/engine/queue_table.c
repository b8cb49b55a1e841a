/* SPDX-License-Identifier: GPL-2.0 */
/* The figures of each queue: read from the kernel, made into rows, shown. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/queue.h"

struct nt_queue_count {
	struct nt_ring_key key;
	struct nt_ring_stats stats;
};
struct nt_queue_drops {
	struct nt_ring_key key;
	uint64_t count;
};

enum { HAS_RING = 1 << 0, HAS_SUGGESTION = 1 << 1 };

struct row {
	struct nt_ring_key key;
	uint64_t packets, bytes, drops;
	double drop_pct;
	uint32_t has;			/* bits above */
	uint32_t ring_size, num_queues;
	uint32_t queued_min, queued_max;
	double queued_avg;
	uint32_t pct_min, pct_p50, pct_p99, pct_max;
	double pct_avg;
	uint64_t full_ns;
	uint32_t burst_max, suggested;
	uint8_t known;
	char reasons[120];		/* text: "FULL_RING 36, TAP_FILTER 2" */
	uint32_t occ[NT_OCC_SLOTS];	/* packets by occupancy in percent */
	uint64_t samples, queued_sum;
};

#define ROW(member) offsetof(struct row, member)
#define RING .has_off = ROW(has), .has_mask = HAS_RING

static const struct nt_field fields[] = {
	{ .name = "ifname", .label = "device", .kind = NT_K_IFINDEX, .off = ROW(key.ifindex),
	  .arg = ROW(key.netns) },
	{ .name = "ifindex", .kind = NT_K_U32, .off = ROW(key.ifindex), .flags = NT_F_NO_TEXT },
	{ .name = "netns", .kind = NT_K_U32, .off = ROW(key.netns), .flags = NT_F_NO_TEXT },
	{ .name = "queue", .label = "q", .kind = NT_K_U32, .off = ROW(key.queue) },
	{ .name = "num_queues", .kind = NT_K_U32, .off = ROW(num_queues),
	  .flags = NT_F_NO_TEXT | NT_F_IF_NONZERO },
	{ .name = "packets", .kind = NT_K_U64, .off = ROW(packets), .flags = NT_F_GROUP },
	{ .name = "bytes", .kind = NT_K_U64, .off = ROW(bytes), .flags = NT_F_GROUP },
	{ .name = "drops", .kind = NT_K_U64, .off = ROW(drops), .flags = NT_F_GROUP },
	{ .name = "drop_pct", .label = "drop%", .kind = NT_K_F64, .off = ROW(drop_pct), .decimals = 2 },
	{ .name = "ring_known", .kind = NT_K_BOOL8, .off = ROW(known), .flags = NT_F_NO_TEXT },
	{ .name = "ring_size", .label = "ring", .kind = NT_K_U32, .off = ROW(ring_size), RING },
	{ .name = "queued_min", .label = "min", .kind = NT_K_U32, .off = ROW(queued_min), RING },
	{ .name = "queued_avg", .label = "avg", .kind = NT_K_F64, .off = ROW(queued_avg),
	  .decimals = 1, RING },
	{ .name = "queued_max", .label = "max", .kind = NT_K_U32, .off = ROW(queued_max), RING },
	{ .name = "p50", .label = "p50%", .kind = NT_K_U32, .off = ROW(pct_p50),
	  .flags = NT_F_NO_JSON, RING },
	{ .name = "p99", .label = "p99%", .kind = NT_K_U32, .off = ROW(pct_p99),
	  .flags = NT_F_NO_JSON, RING },
	{ .name = "max", .label = "max%", .kind = NT_K_U32, .off = ROW(pct_max),
	  .flags = NT_F_NO_JSON, RING },
	{ .name = "full_us", .label = "full", .kind = NT_K_NS_AS_US, .off = ROW(full_ns), RING },
	{ .name = "burst_max", .label = "burst", .kind = NT_K_U32, .off = ROW(burst_max), RING },
	{ .name = "suggested_txqueuelen", .kind = NT_K_U32, .off = ROW(suggested),
	  .flags = NT_F_NO_TEXT, .has_off = ROW(has), .has_mask = HAS_SUGGESTION },
	{ .name = "reasons", .label = "drop reasons", .kind = NT_K_STR, .off = ROW(reasons),
	  .arg = sizeof(((struct row *)0)->reasons), .flags = NT_F_NO_JSON },
};

/* ---- reading ---- */

static void *grow(void *p, size_t n, size_t *cap, size_t size)
{
	void *grown;

	if (n < *cap)
		return p;
	grown = realloc(p, (*cap ? *cap * 2 : 16) * size);
	if (grown)
		*cap = *cap ? *cap * 2 : 16;
	return grown;
}

static int read_queues(int fd, struct nt_queue_snapshot *s)
{
	struct nt_ring_key *prev = NULL, key;

	for (s->n = 0; !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		struct nt_queue_count *q = grow(s->queue, s->n, &s->cap, sizeof(*q));

		if (!q)
			return -ENOMEM;
		s->queue = q;
		q[s->n].key = key;
		if (!bpf_map_lookup_elem(fd, &key, &q[s->n].stats))
			s->n++;
	}
	return 0;
}

static int read_drops(int fd, struct nt_queue_snapshot *s)
{
	struct nt_ring_key *prev = NULL, key;

	for (s->n_drops = 0; !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		struct nt_queue_drops *d = grow(s->drops, s->n_drops, &s->cap_drops, sizeof(*d));

		if (!d)
			return -ENOMEM;
		s->drops = d;
		d[s->n_drops].key = key;
		if (!bpf_map_lookup_elem(fd, &key, &d[s->n_drops].count))
			s->n_drops++;
	}
	return 0;
}

int nt_queue_read(struct nt_run *r, struct nt_queue_snapshot *s)
{
	int rc = read_queues(nt_run_map_fd(r, "nt_rings"), s);

	if (!rc)
		rc = read_drops(nt_run_map_fd(r, "nt_ring_drops"), s);
	/* A name that is looked up while the device is there is known when it is gone. */
	for (size_t i = 0; i < s->n; i++)
		nt_run_names(r)->ifname(nt_run_names(r)->ctx, s->queue[i].key.netns,
					s->queue[i].key.ifindex);
	return rc;
}

void nt_queue_free(struct nt_queue_snapshot *s)
{
	free(s->queue);
	free(s->drops);
	memset(s, 0, sizeof(*s));
}

static const struct nt_ring_stats *stats_of(const struct nt_queue_snapshot *s,
					    const struct nt_ring_key *k)
{
	static const struct nt_ring_stats none;

	for (size_t i = 0; s && i < s->n; i++)
		if (!memcmp(&s->queue[i].key, k, sizeof(*k)))
			return &s->queue[i].stats;
	return &none;
}

static uint64_t drops_of(const struct nt_queue_snapshot *s, const struct nt_ring_key *k)
{
	for (size_t i = 0; s && i < s->n_drops; i++)
		if (!memcmp(&s->drops[i].key, k, sizeof(*k)))
			return s->drops[i].count;
	return 0;
}

/* ---- rows ---- */

/* A period that has not ended counts until its last drop: whether the ring is still full when
 * nothing is sent any more, nobody has seen. */
static uint64_t full_ns(const struct nt_ring_stats *s)
{
	uint64_t open = s->full_since_ns && s->last_full_ns > s->full_since_ns
		? s->last_full_ns - s->full_since_ns : 0;

	return s->full_ns + open;
}

static uint32_t quantile(const uint32_t *occ, uint64_t samples, double q)
{
	uint64_t rank = (uint64_t)((double)samples * q + 0.999999), seen = 0;
	uint32_t i;

	for (i = 0; i < NT_OCC_SLOTS - 1; i++) {
		seen += occ[i];
		if (seen >= rank && seen)
			break;
	}
	return i;
}

static void merge(struct nt_ring_extremes *x, const struct nt_ring_extremes *y)
{
	if (y->queued_min_inv > x->queued_min_inv)
		x->queued_min_inv = y->queued_min_inv;
	if (y->queued_max > x->queued_max)
		x->queued_max = y->queued_max;
	if (y->burst_max > x->burst_max)
		x->burst_max = y->burst_max;
}

/* Packets that came after the id was counted up and before the counters were read are in this
 * interval's counters, so its extremes are theirs too. */
static struct nt_ring_extremes interval_extremes(const struct nt_ring_stats *s, uint32_t id)
{
	struct nt_ring_extremes x = { .id = id };

	for (int i = 0; i < 2; i++)
		if (s->interval[i].id == id || s->interval[i].id == id + 1)
			merge(&x, &s->interval[i]);
	return x;
}

static void fill_ring(struct row *row, const struct nt_ring_extremes *x)
{
	if (!row->samples || !row->ring_size)
		return;
	row->has |= HAS_RING;
	row->known = true;
	row->queued_min = ~x->queued_min_inv;
	row->queued_max = x->queued_max;
	row->queued_avg = (double)row->queued_sum / (double)row->samples;
	row->pct_min = (uint32_t)((uint64_t)row->queued_min * 100 / row->ring_size);
	row->pct_max = (uint32_t)((uint64_t)row->queued_max * 100 / row->ring_size);
	row->pct_avg = row->queued_avg * 100 / row->ring_size;
	row->pct_p50 = quantile(row->occ, row->samples, 0.5);
	row->pct_p99 = quantile(row->occ, row->samples, 0.99);
	row->burst_max = x->burst_max;
	if (!x->burst_max)
		return;
	row->suggested = row->ring_size + x->burst_max;
	row->has |= HAS_SUGGESTION;
}

static void fill_row(struct row *row, const struct nt_queue_count *q,
		     const struct nt_ring_stats *was, const struct nt_ring_extremes *x)
{
	const struct nt_ring_stats *s = &q->stats;

	memset(row, 0, sizeof(*row));
	row->key = q->key;
	row->packets = s->packets - was->packets;
	row->bytes = s->bytes - was->bytes;
	row->drops = s->drops - was->drops;
	row->drop_pct = row->packets ? 100.0 * (double)row->drops / (double)row->packets : 0;
	row->ring_size = s->ring_size;
	row->num_queues = s->num_queues;
	row->samples = s->queued_n - was->queued_n;
	row->queued_sum = s->queued_sum - was->queued_sum;
	row->full_ns = full_ns(s) - full_ns(was);
	for (int i = 0; i < NT_OCC_SLOTS; i++)
		row->occ[i] = s->occ[i] - was->occ[i];
	fill_ring(row, x);
}

/* Calls fn for each reason of a queue's drops. */
static void each_reason(struct nt_run *r, const struct row *row, const struct nt_queue_snapshot *now,
			const struct nt_queue_snapshot *since,
			void (*fn)(void *arg, const char *reason, uint64_t count), void *arg)
{
	for (size_t i = 0; i < now->n_drops; i++) {
		struct nt_ring_key k = now->drops[i].key;
		uint64_t count = now->drops[i].count - drops_of(since, &k);
		uint32_t reason = k.reason;

		k.reason = 0;
		if (count && !memcmp(&k, &row->key, sizeof(k)))
			fn(arg, nt_queue_reason(r, reason), count);
	}
}

static void reason_text(void *arg, const char *reason, uint64_t count)
{
	struct row *row = arg;
	size_t n = strlen(row->reasons);
	char c[32];

	snprintf(row->reasons + n, sizeof(row->reasons) - n, "%s%s %s", n ? ", " : "",
		 reason[0] == '-' ? "unknown" : reason, nt_fmt_count(count, c, sizeof(c)));
}

static void reason_json(void *arg, const char *reason, uint64_t count)
{
	struct nt_out *o = nt_run_out(arg);

	nt_json_obj(o, NULL);
	nt_json_str(o, "reason", reason);
	nt_json_u64(o, "count", count);
	nt_json_obj_end(o);
}

static int most_drops(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->drops != y->drops)
		return x->drops < y->drops ? 1 : -1;
	if (x->packets != y->packets)
		return x->packets < y->packets ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* ---- output ---- */

static void json_row(struct nt_run *r, const struct row *row, const struct nt_queue_snapshot *now,
		     const struct nt_queue_snapshot *since)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_obj(o, NULL);
	nt_fields_json(o, nt_run_names(r), fields, NT_COUNT(fields), row);
	nt_json_arr(o, "drops_by_reason");
	each_reason(r, row, now, since, reason_json, r);
	nt_json_arr_end(o);
	if (row->known) {
		nt_json_obj(o, "occupancy_pct");
		nt_json_u64(o, "min", row->pct_min);
		nt_json_f64(o, "avg", row->pct_avg, 1);
		nt_json_u64(o, "p50", row->pct_p50);
		nt_json_u64(o, "p99", row->pct_p99);
		nt_json_u64(o, "max", row->pct_max);
		nt_json_obj_end(o);
	}
	nt_json_obj_end(o);
}

static void text_advice(struct nt_run *r, const struct row *row)
{
	char name[64];

	if (!(row->has & HAS_SUGGESTION))
		return;
	nt_field_text(nt_run_names(r), &fields[0], row, name, sizeof(name));
	nt_text(nt_run_out(r), "%s queue %u: a txqueuelen of %u would have held the longest burst (%u + %u)\n",
		name, row->key.queue, row->suggested, row->ring_size, row->burst_max);
}

static void text_table(struct nt_run *r, const struct row *rows, size_t n)
{
	size_t top = nt_run_common(r)->top, shown = top && n > top ? top : n, unknown = 0;
	struct nt_out *o = nt_run_out(r);

	nt_table(o, nt_run_names(r), "queues",
		 "queues (ring, min, avg, max: packets in the ring as new ones met it)", fields,
		 NT_COUNT(fields), rows, sizeof(*rows), shown);
	if (shown < n)
		nt_text(o, "  %zu more queues, see --top\n", n - shown);
	for (size_t i = 0; i < shown; i++)
		text_advice(r, &rows[i]);
	for (size_t i = 0; i < n; i++)
		unknown += !rows[i].known;
	if (unknown)
		nt_text(o, "no ring figures for %zu of %zu queues: no BTF for the module tun (see the"
			" start), or the queue was detached\n", unknown, n);
}

static void json_sums(struct nt_out *o, const struct row *rows, size_t n)
{
	uint64_t packets = 0, bytes = 0, drops = 0;

	for (size_t i = 0; i < n; i++) {
		packets += rows[i].packets;
		bytes += rows[i].bytes;
		drops += rows[i].drops;
	}
	nt_json_u64(o, "packets", packets);
	nt_json_u64(o, "bytes", bytes);
	nt_json_u64(o, "drops", drops);
}

void nt_queue_report(struct nt_run *r, const struct nt_queue_snapshot *now,
		     const struct nt_queue_snapshot *since, uint32_t interval_id)
{
	struct row *rows = calloc(now->n ? now->n : 1, sizeof(*rows));
	struct nt_out *o = nt_run_out(r);
	size_t n = 0;

	for (size_t i = 0; rows && i < now->n; i++) {
		const struct nt_ring_stats *s = &now->queue[i].stats;
		struct nt_ring_extremes x = since ? interval_extremes(s, interval_id) : s->all;

		fill_row(&rows[n], &now->queue[i], stats_of(since, &now->queue[i].key), &x);
		each_reason(r, &rows[n], now, since, reason_text, &rows[n]);
		n += rows[n].packets != 0;
	}
	if (rows)
		qsort(rows, n, sizeof(*rows), most_drops);
	json_sums(o, rows, n);
	nt_json_arr(o, "queues");
	if (nt_out_format(o) == NT_JSON)
		for (size_t i = 0; i < n; i++)
			json_row(r, &rows[i], now, since);
	nt_json_arr_end(o);
	if (nt_out_format(o) == NT_TEXT)
		text_table(r, rows, n);
	free(rows);
}
