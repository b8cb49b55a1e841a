/* SPDX-License-Identifier: GPL-2.0 */
#include <string.h>

#include "nettrace/count.h"
#include "nettrace/link.h"

struct opts {
	bool throughput, ebpf;
};

static const struct nt_opt opts[] = {
	{ .name = "interface", .letter = 'n', .aliases = "name", .arg = "NAME[,NAME]",
	  .flags = NT_OPT_REQUIRED | NT_OPT_COMMON, .help = "devices to watch" },
	{ .name = "throughput", .letter = 't', .type = NT_OPT_FLAG, .offset = offsetof(struct opts, throughput),
	  .help = "add columns of bytes and packets per second" },
	{ .name = "ebpf", .type = NT_OPT_FLAG, .offset = offsetof(struct opts, ebpf), .flags = NT_OPT_HIDDEN,
	  .help = "accepted and ignored: there is nothing else" },
	{ .name = "interval", .letter = 'i', .def = "1", .flags = NT_OPT_COMMON },
};

static const struct nt_hook hooks[] = {
	{ .stem = "start_xmit", .type = NT_HOOK_TP, .targets = "net:net_dev_start_xmit",
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "receive", .type = NT_HOOK_TP, .targets = "net:netif_receive_skb",
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
};

/* One row as it is shown. queue -1: the driver recorded none. */
struct row {
	const char *ifname, *label;
	uint64_t queue, has;
	uint64_t packets, segments, bytes, wire_bytes, size[NT_SIZE_CLASSES];
	double avg, bytes_per_s, pps;
	uint32_t bits;
	char name[12];
};
enum { HAS_QUEUE = 1 };

#define ROW(member) offsetof(struct row, member)
#define SIZE_FIELD(i, json, head) \
	{ .name = json, .label = head, .kind = NT_K_U64, .off = ROW(size) + 8 * (i), \
	  .flags = NT_F_GROUP | NT_F_NO_JSON }

static const struct nt_field fields[] = {
	{ .name = "ifname", .label = "device", .kind = NT_K_CSTR, .off = ROW(ifname), .flags = NT_F_LEFT },
	{ .name = "queue", .kind = NT_K_U64, .off = ROW(queue), .has_off = ROW(bits),
	  .has_mask = HAS_QUEUE, .flags = NT_F_NO_TEXT },
	{ .name = "queue_label", .label = "queue", .kind = NT_K_CSTR, .off = ROW(label), .flags = NT_F_LEFT },
	{ .name = "packets", .label = "packets", .kind = NT_K_U64, .off = ROW(packets), .flags = NT_F_GROUP },
	{ .name = "segments", .label = "segments", .kind = NT_K_U64, .off = ROW(segments), .flags = NT_F_GROUP },
	{ .name = "bytes", .kind = NT_K_U64, .off = ROW(bytes), .flags = NT_F_NO_TEXT },
	{ .name = "wire_bytes", .kind = NT_K_U64, .off = ROW(wire_bytes), .flags = NT_F_NO_TEXT },
	{ .name = "avg_bytes", .label = "avg B", .kind = NT_K_F64, .off = ROW(avg), .decimals = 1 },
	{ .name = "size", .kind = NT_K_U64S, .off = ROW(size), .arg = NT_SIZE_CLASSES - 1,
	  .flags = NT_F_NO_TEXT },
	SIZE_FIELD(0, "lt_64", "<64"), SIZE_FIELD(1, "lt_512", "64-511"),
	SIZE_FIELD(2, "lt_2k", "512-2K"), SIZE_FIELD(3, "lt_16k", "2K-16K"),
	SIZE_FIELD(4, "lt_64k", "16K-64K"), SIZE_FIELD(5, "ge_64k", ">=64K"),
	{ .name = "bytes_per_s", .label = "B/s", .kind = NT_K_F64, .off = ROW(bytes_per_s), .decimals = 0 },
	{ .name = "pps", .label = "packets/s", .kind = NT_K_F64, .off = ROW(pps), .decimals = 1 },
};
#define RATE_FIELDS 2	/* the last two: text shows them with --throughput only */

static const uint64_t *words_of(const uint64_t *rows, size_t row)
{
	return rows + row * (sizeof(struct nt_queue_traffic) / sizeof(uint64_t));
}

static void add_traffic(struct row *row, const uint64_t *words, double seconds)
{
	struct nt_queue_traffic t;

	memcpy(&t, words, sizeof(t));
	row->packets += t.packets;
	row->segments += t.segments;
	row->bytes += t.bytes;
	row->wire_bytes += t.wire_bytes;
	for (int i = 0; i < NT_SIZE_CLASSES; i++)
		row->size[i] += t.size[i];
	row->avg = row->packets ? (double)row->bytes / (double)row->packets : 0;
	row->bytes_per_s = seconds > 0 ? (double)row->bytes / seconds : 0;
	row->pps = seconds > 0 ? (double)row->packets / seconds : 0;
}

/* Rows of one direction: every queue the devices have, then what has no queue, then the total. */
#define MAX_ROWS 4096
static struct row table[MAX_ROWS];

struct layout {			/* of the kernel's table */
	uint32_t rows;			/* per device and direction */
	uint32_t queues[NT_FILTER_DEVS][2];
};
static struct layout layout;

static void label_row(struct row *row, uint32_t q)
{
	if (q < layout.rows - 2) {
		row->queue = q;
		row->bits = HAS_QUEUE;
		nt_fmt_count(q, row->name, sizeof(row->name));
		row->label = row->name;
	} else {
		row->label = q == layout.rows - 2 ? "unrecorded" : "beyond";
	}
}

static size_t fill_direction(struct nt_run *r, const uint64_t *rows, int dir, double seconds)
{
	const struct nt_strlist *devs = &nt_run_tuple(r)->devs;
	struct row total = { .ifname = "all", .label = "total" };
	size_t n = 0;

	for (size_t d = 0; d < devs->n; d++) {
		for (uint32_t q = 0; q < layout.rows && n < MAX_ROWS - 1; q++) {
			const uint64_t *w = words_of(rows, (d * 2 + (size_t)dir) * layout.rows + q);

			if (!w[0] && (q >= layout.rows - 2 || q >= layout.queues[d][dir]))
				continue;	/* idle queues show zeros, the special rows do not */
			table[n] = (struct row){ .ifname = devs->item[d] };
			label_row(&table[n], q);
			add_traffic(&table[n++], w, seconds);
			add_traffic(&total, w, seconds);
		}
	}
	if (nt_out_format(nt_run_out(r)) == NT_TEXT)
		table[n++] = total;
	return n;
}

static void pow2_text(struct nt_run *r, const uint64_t *rows, size_t n_rows, int dir)
{
	static struct nt_hist h;

	nt_hist_init(&h);
	for (size_t row = 0; row < n_rows; row++) {
		struct nt_queue_traffic t;

		if ((int)(row / layout.rows % 2) != dir)
			continue;
		memcpy(&t, words_of(rows, row), sizeof(t));
		for (int i = 0; i < NT_SIZE_POW2; i++)
			nt_hist_add_n(&h, 1ULL << i, t.pow2[i]);
	}
	nt_hist_text(nt_run_out(r), dir == NT_DIR_TX ? "TX packet size" : "RX packet size", &h, "bytes", 1);
}

static void report(struct nt_run *r, const uint64_t *rows, size_t n_rows, double seconds, bool total)
{
	const struct opts *o = nt_run_opts(r);
	bool text = nt_out_format(nt_run_out(r)) == NT_TEXT;
	size_t n_fields = NT_COUNT(fields) - (text && !o->throughput ? RATE_FIELDS : 0);

	(void)total;
	for (int dir = NT_DIR_TX; dir <= NT_DIR_RX; dir++) {
		size_t n = fill_direction(r, rows, dir, seconds);

		nt_table(nt_run_out(r), nt_run_names(r), dir == NT_DIR_TX ? "tx" : "rx",
			 dir == NT_DIR_TX ? "TX (before segmentation), sizes in bytes on the wire without FCS"
					  : "RX (after GRO)",
			 fields, n_fields, table, sizeof(table[0]), n);
		if (nt_run_common(r)->verbose && text)
			pow2_text(r, rows, n_rows, dir);
	}
}

static size_t rows(struct nt_run *r, struct nt_err *err)
{
	const struct nt_tuple *t = nt_run_tuple_values(r);
	size_t devs = nt_run_tuple(r)->devs.n;
	uint32_t most = 1;

	for (size_t d = 0; d < devs; d++) {
		struct nt_link link;
		int rc = nt_link_get(t->ifindex[d], &link);

		if (rc) {
			nt_err_set(err, NT_EXIT_RUNTIME, -rc, "cannot read the number of queues: %s: %s",
				   nt_run_tuple(r)->devs.item[d], strerror(-rc));
			return 0;
		}
		layout.queues[d][NT_DIR_TX] = link.num_tx_queues;
		layout.queues[d][NT_DIR_RX] = link.num_rx_queues;
		most = link.num_tx_queues > most ? link.num_tx_queues : most;
		most = link.num_rx_queues > most ? link.num_rx_queues : most;
	}
	layout.rows = (most > MAX_ROWS / 4 ? MAX_ROWS / 4 : most) + 2;
	nt_run_const(r, NT_CONST_TOOL0, layout.rows);
	return devs * 2 * layout.rows;
}

static const struct nt_count_desc count = {
	.map = "nt_traffic",
	.row_words = sizeof(struct nt_queue_traffic) / sizeof(uint64_t),
	.rows = rows,
	.report = report,
};

const struct nt_tool nt_tool_iface_netstat = {
	.name = "iface_netstat",
	.aliases = "iface_netstat.py",
	.group = NT_GROUP_STACK,
	.summary = "packet sizes and load of a device by queue and direction",
	.help =
	"Counts packets and bytes of the named devices by transmit and receive queue, with the spread of\n"
	"packet sizes. Sizes are bytes on the wire without the frame check sequence; sent packets are counted\n"
	"before segmentation (a GSO packet is one packet, its segments are in their own column), received ones\n"
	"after GRO. A receive queue that the driver did not record is its own row. Counts are 1000-based.",
	.example = {
		"nettrace iface_netstat -n eth0 -t             # every second, with rates",
		"nettrace iface_netstat -n eth0,eth1 -i 10 tcp port 443   # one service on two devices",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct opts),
	.tuple = NT_TUPLE_DEV | NT_TUPLE_EXPR | NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.engine = &nt_count_engine,
	.engine_data = &count,
};
