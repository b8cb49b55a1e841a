/* SPDX-License-Identifier: GPL-2.0 */
/* Timelines by device: packets, bytes and drops of each, and how long its packets were on their way. */
#include <bpf/bpf.h>
#include <string.h>

#include "timeline.h"

void nt_tl_ifs_read(struct nt_run *r, struct nt_tl_figures *f)
{
	struct nt_tl_if key, *prev = NULL;
	static struct nt_tl_if_val v;
	int fd = nt_run_map_fd(r, "nt_tl_ifs");

	f->n_ifs = 0;
	if (!nt_tl_opts_of(r)->summary || nt_tl_desc_of(r)->legs)
		return;
	for (; f->n_ifs < NT_TL_IF_ROWS && !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		struct nt_tl_if_row *row = &f->ifs[f->n_ifs];

		if (bpf_map_lookup_elem(fd, &key, &v))
			continue;
		*row = (struct nt_tl_if_row){ .key = key, .packets = v.packets, .bytes = v.bytes, .drops = v.drops };
		nt_hist_init(&row->hist);
		nt_hist_merge(&row->hist, &v.hist);
		f->n_ifs++;
	}
}

void nt_tl_ifs_subtract(struct nt_tl_figures *f, const struct nt_tl_figures *last)
{
	for (size_t i = 0; i < f->n_ifs; i++) {
		for (size_t k = 0; k < last->n_ifs; k++) {
			struct nt_tl_if_row *row = &f->ifs[i];
			const struct nt_tl_if_row *was = &last->ifs[k];

			if (memcmp(&row->key, &was->key, sizeof(row->key)))
				continue;
			row->packets -= was->packets;
			row->bytes -= was->bytes;
			row->drops -= was->drops;
			nt_hist_diff(&row->hist, &row->hist, &was->hist);
		}
	}
}

struct text_row {
	uint32_t ifindex, netns;
	const char *direction;
	uint64_t packets, bytes, drops, p50, p99, max;
	double rate;
};

#define R(member) offsetof(struct text_row, member)
static const struct nt_field fields[] = {
	{ .name = "ifname", .label = "device", .kind = NT_K_IFINDEX, .off = R(ifindex), .arg = R(netns) },
	{ .name = "direction", .label = "", .kind = NT_K_CSTR, .off = R(direction), .width = 2 },
	{ .name = "packets", .kind = NT_K_U64, .off = R(packets), .flags = NT_F_GROUP },
	{ .name = "rate_pps", .label = "packets/s", .kind = NT_K_F64, .off = R(rate), .decimals = 1 },
	{ .name = "bytes", .kind = NT_K_U64, .off = R(bytes), .flags = NT_F_GROUP },
	{ .name = "drops", .kind = NT_K_U64, .off = R(drops), .flags = NT_F_GROUP },
	{ .name = "p50", .kind = NT_K_NS_AS_US, .off = R(p50), .flags = NT_F_NO_JSON },
	{ .name = "p99", .kind = NT_K_NS_AS_US, .off = R(p99), .flags = NT_F_NO_JSON },
	{ .name = "max", .kind = NT_K_NS_AS_US, .off = R(max), .flags = NT_F_NO_JSON },
};

static void fill(struct text_row *t, const struct nt_tl_if_row *row, double seconds)
{
	*t = (struct text_row){
		.ifindex = row->key.ifindex, .netns = row->key.netns,
		.direction = row->key.direction == NT_DIR_TX ? "tx" : "rx",
		.packets = row->packets, .bytes = row->bytes, .drops = row->drops,
		.rate = seconds > 0 ? (double)row->packets / seconds : 0,
		.p50 = nt_hist_quantile(&row->hist, .50), .p99 = nt_hist_quantile(&row->hist, .99), .max = row->hist.max,
	};
}

void nt_tl_ifs_show(struct nt_run *r, const struct nt_tl_figures *f)
{
	static struct text_row row[NT_TL_IF_ROWS];
	struct nt_out *o = nt_run_out(r);
	double seconds = (double)f->at_ns / 1e9;

	if (!nt_tl_opts_of(r)->summary)
		return;
	nt_json_arr(o, "devices");
	for (size_t i = 0; i < f->n_ifs; i++) {
		fill(&row[i], &f->ifs[i], seconds);
		nt_json_obj(o, NULL);
		nt_fields_json(o, nt_run_names(r), fields, NT_COUNT(fields), &row[i]);
		nt_hist_json(o, "total", &f->ifs[i].hist, "us", 1000.0);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
	if (f->n_ifs && nt_out_format(o) == NT_TEXT)
		nt_table(o, nt_run_names(r), NULL, "\nby device", fields, NT_COUNT(fields), row, sizeof(*row), f->n_ifs);
}
