/* SPDX-License-Identifier: GPL-2.0 */
/* Packets of TCP that this host drops, by direction, reason and place. */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "tcp.h"

#define D(member) offsetof(struct nt_tcp_drop_row, key.member)
static const struct nt_field fields[] = {
	{ .name = "direction", .kind = NT_K_ENUM, .off = D(received), .names = "out|in" },
	{ .name = "drop_reason", .kind = NT_K_REASON, .off = D(reason) },
	{ .name = "drop_location", .kind = NT_K_KSYM, .off = D(location) },
	{ .name = "packets", .kind = NT_K_U64, .off = offsetof(struct nt_tcp_drop_row, packets), .flags = NT_F_GROUP },
};
enum { REASON = 1, LOCATION, PACKETS };

void nt_tcp_drops_prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_tcp_priv *p = nt_run_priv(r);

	p->cfg.consumed = nt_run_reason_id(r, "CONSUMED");
	nt_drop_prepare(r, &p->places, err);
	if (!p->places)
		nt_drop_load_places(r, &p->places);
}

void nt_tcp_drops_read(struct nt_run *r, struct nt_tcp_figures *f)
{
	int fd = nt_run_map_fd(r, "nt_tcp_drops");
	struct nt_tcp_drop *prev = NULL;

	for (f->n_drops = 0; f->n_drops < NT_TCP_DROPS; f->n_drops++) {
		struct nt_tcp_drop_row *row = &f->drop[f->n_drops];

		if (bpf_map_get_next_key(fd, prev, &row->key) || bpf_map_lookup_elem(fd, &row->key, &row->packets))
			return;
		prev = &row->key;
	}
}

void nt_tcp_drops_subtract(struct nt_tcp_figures *f, const struct nt_tcp_figures *was)
{
	for (size_t i = 0; i < f->n_drops; i++)
		for (size_t k = 0; k < was->n_drops; k++)
			if (!memcmp(&f->drop[i].key, &was->drop[k].key, sizeof(f->drop[i].key)))
				f->drop[i].packets -= was->drop[k].packets;
}

const char *nt_tcp_drop_why(struct nt_run *r, const struct nt_tcp_drop *d, char *buf, size_t size)
{
	struct nt_tcp_drop_row row = { .key = *d };

	return nt_field_text(nt_run_names(r), &fields[d->reason ? REASON : LOCATION], &row, buf, size);
}

static int by_packets(const void *a, const void *b)
{
	const struct nt_tcp_drop_row *x = a, *y = b;

	if (x->packets != y->packets)
		return x->packets < y->packets ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static void json(struct nt_run *r, const struct nt_tcp_report *rep, const struct nt_tcp_drop_row *row, size_t n)
{
	struct nt_out *o = nt_run_out(r);

	nt_json_u64(o, "dropped_packets", nt_tcp_stat(rep, NT_STAT_TCP_DROPS));
	nt_json_u64(o, "freed_normally_packets", nt_tcp_stat(rep, NT_STAT_TCP_DROPS_NORMAL));
	nt_table(o, nt_run_names(r), "drops", NULL, fields, NT_COUNT(fields), row, sizeof(*row), n);
}

static void text(struct nt_run *r, const struct nt_tcp_report *rep, const struct nt_tcp_drop_row *row, size_t n)
{
	struct nt_out *o = nt_run_out(r);
	char packets[48], reason[64], place[96];

	nt_text(o, "dropped: %s\n", nt_tcp_count_text(nt_tcp_stat(rep, NT_STAT_TCP_DROPS), "packet", packets, sizeof(packets)));
	for (size_t i = 0; i < n; i++)
		nt_text(o, "  %-3s %8s  %s at %s\n", row[i].key.received ? "in" : "out",
			nt_field_text(nt_run_names(r), &fields[PACKETS], &row[i], packets, sizeof(packets)),
			row[i].key.reason ? nt_field_text(nt_run_names(r), &fields[REASON], &row[i], reason, sizeof(reason))
					  : "no reason known,",
			nt_field_text(nt_run_names(r), &fields[LOCATION], &row[i], place, sizeof(place)));
}

/* Those of the span, most first. */
void nt_tcp_drops_show(struct nt_run *r, const struct nt_tcp_report *rep)
{
	struct nt_tcp_drop_row *row = calloc(NT_TCP_DROPS, sizeof(*row));
	size_t n = 0;

	for (size_t i = 0; row && i < rep->fig.n_drops; i++)
		if (rep->fig.drop[i].packets)
			row[n++] = rep->fig.drop[i];
	if (n)
		qsort(row, n, sizeof(*row), by_packets);
	if (nt_out_format(nt_run_out(r)) == NT_JSON)
		json(r, rep, row, n);
	else
		text(r, rep, row, n);
	free(row);
}
