/* SPDX-License-Identifier: GPL-2.0 */
/* TCP engine: options, and reports out of what the kernel side counts. */
#include "tcp.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const conn_maps[] = { "nt_tcp_conns0", "nt_tcp_conns1" };
static const char *const rtt_maps[] = { "nt_tcp_rtts0", "nt_tcp_rtts1" };

static const struct nt_tcp_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* ---- options ---- */
/* The local end is the tuple filter's source. */
int nt_tcp_check(struct nt_run *r, struct nt_err *err)
{
	const struct nt_tcp_opts *o = opts_of(r);
	struct nt_tuple_opts *t = nt_run_tuple(r);

	t->src = o->laddr;
	t->dst = o->raddr;
	t->sport = o->lport;
	t->dport = o->rport;
	if (nt_tcp_desc_of(r)->perf && o->mode == NT_TCP_DETAIL) {
		nt_run_common(r)->interval_ns = 0;
		nt_run_set_aggregates(r, false);
	}
	if (o->acks_only && o->all_segments)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				  "options exclude each other: --acks-only and --all-segments: give one of them");
	return 0;
}

static uint64_t switches(const struct nt_tcp_opts *o)
{
	return (o->mode != NT_TCP_SUMMARY ? NT_TCP_DETAILS : 0) |
	       (o->laddr.set && o->raddr.set ? NT_TCP_PAIR : 0) | (o->acks_only ? NT_TCP_ACKS_ONLY : 0) |
	       (o->all_segments ? NT_TCP_IDLE_TOO : 0) | (o->bw_hist ? NT_TCP_BW : 0) | (o->grid ? NT_TCP_2D : 0);
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	(void)err;
	nt_run_const(r, NT_CONST_TOOL0, switches(opts_of(r)));
	nt_run_const(r, NT_CONST_TOOL1, opts_of(r)->sample_rate);
	nt_run_const(r, NT_CONST_TOOL2, (uint64_t)opts_of(r)->connlat_us << 32 | opts_of(r)->rtt_us);
	nt_run_const(r, NT_CONST_TOOL3, opts_of(r)->detail_rate);
	return 0;
}

static int write_cfg(struct nt_run *r)
{
	struct nt_tcp_priv *p = nt_run_priv(r);
	uint32_t zero = 0;

	return bpf_map_update_elem(nt_run_map_fd(r, "nt_tcp_cfg"), &zero, &p->cfg, BPF_ANY) ? -errno : 0;
}

static void clear(struct nt_tcp_figures *f)
{
	memset(f, 0, sizeof(*f));
	for (size_t i = 0; i < NT_TCP_HISTS; i++)
		nt_hist_init(&f->hist[i]);
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_tcp_priv *p = nt_run_priv(r);

	clear(&p->last);
	if (nt_tcp_desc_of(r)->perf)
		nt_tcp_drops_prepare(r, err);
	p->cfg.sample = 0;
	return write_cfg(r);
}

static void started(struct nt_run *r)
{
	((struct nt_tcp_priv *)nt_run_priv(r))->last_ns = nt_run_started_ns(r);
	if (nt_tcp_desc_of(r)->perf)
		nt_tcp_stream_open(r);
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	(void)size;
	nt_tcp_event_show(r, data);
}

/* ---- figures ---- */
static void read_tables(struct nt_run *r, struct nt_tcp_tables *sum)
{
	struct nt_tcp_tables *cpus = calloc(nt_run_cpus(r), sizeof(*cpus));
	uint32_t zero = 0;

	if (cpus && !bpf_map_lookup_elem(nt_run_map_fd(r, "nt_tcp_tables"), &zero, cpus)) {
		for (uint32_t c = 0; c < nt_run_cpus(r); c++) {
			for (size_t i = 0; i < NT_TCP_BW_STEPS; i++)
				sum->bw[i] += cpus[c].bw[i];
			for (size_t i = 0; i < NT_TCP_GRID * NT_TCP_GRID; i++)
				sum->grid[i] += cpus[c].grid[i];
		}
	}
	free(cpus);
}

static void read_figures(struct nt_run *r, struct nt_tcp_figures *f)
{
	clear(f);
	f->stat[NT_STAT_EVENTS] = nt_run_stat(r, NT_STAT_EVENTS);
	for (uint32_t i = NT_STAT_TOOL0; i < NT_STAT_TCP_END; i++)
		f->stat[i] = nt_run_stat(r, i);
	for (uint32_t i = 0; i < NT_TCP_HISTS; i++)
		nt_run_hist(r, "nt_tcp_hists", i, &f->hist[i]);
	if (nt_tcp_desc_of(r)->perf)
		nt_tcp_drops_read(r, f);
	if (opts_of(r)->bw_hist || opts_of(r)->grid)
		read_tables(r, &f->tables);
}

static void subtract(struct nt_tcp_figures *f, const struct nt_tcp_figures *was)
{
	for (size_t i = 0; i < NT_STAT_MAX; i++)
		f->stat[i] -= was->stat[i];
	for (size_t i = 0; i < NT_TCP_HISTS; i++) {
		if (was->hist[i].count)
			nt_hist_diff(&f->hist[i], &f->hist[i], &was->hist[i]);
	}
	nt_tcp_drops_subtract(f, was);
	for (size_t i = 0; i < NT_TCP_BW_STEPS; i++)
		f->tables.bw[i] -= was->tables.bw[i];
	for (size_t i = 0; i < NT_TCP_GRID * NT_TCP_GRID; i++)
		f->tables.grid[i] -= was->tables.grid[i];
}

/* The interval's connections, which count in the other map from here on. */
static void take_rows(struct nt_run *r)
{
	struct nt_tcp_priv *p = nt_run_priv(r);
	size_t old = p->cfg.sample & 1;

	p->cfg.sample++;
	write_cfg(r);
	usleep(2000);		/* programs that have chosen the old map run to their end */
	nt_tcp_rows_clear(&p->now.rows);
	nt_tcp_rows_take(r, conn_maps[old], &p->now.rows);
	if (nt_tcp_desc_of(r)->perf)
		nt_tcp_rows_take_rtts(r, rtt_maps[old], &p->now.rows);
	nt_tcp_rows_add(&p->all, &p->now.rows, nt_run_common(r)->max_entries);
}

/* since_start: the report is about the whole run. */
static void report(struct nt_run *r, bool since_start)
{
	struct nt_tcp_priv *p = nt_run_priv(r);
	struct nt_tcp_rows interval = p->now.rows;
	struct nt_tcp_figures *now = malloc(sizeof(*now));
	uint64_t ns = nt_now_ns();

	if (!now)
		return;
	read_figures(r, now);
	p->now.fig = *now;
	p->now.seconds = (double)(ns - (since_start ? nt_run_started_ns(r) : p->last_ns)) / 1e9;
	if (since_start)
		p->now.rows = p->all;
	else
		subtract(&p->now.fig, &p->last);
	nt_tcp_show(r, &p->now);
	if (since_start)
		p->all = p->now.rows;
	p->now.rows = interval;
	p->last = *now;
	p->last_ns = ns;
	free(now);
}

static void interval(struct nt_run *r, bool final)
{
	struct nt_tcp_priv *p = nt_run_priv(r);

	(void)final;
	take_rows(r);
	report(r, nt_run_common(r)->cumulative);
	p->reports++;
}

static void end(struct nt_run *r)
{
	struct nt_tcp_priv *p = nt_run_priv(r);

	take_rows(r);
	if (p->reports == 1 && nt_out_format(nt_run_out(r)) != NT_JSON)
		return;		/* that was all */
	if (p->reports)
		nt_text(nt_run_out(r), "since the start:\n");
	report(r, true);
}

static void release(struct nt_run *r)
{
	struct nt_tcp_priv *p = nt_run_priv(r);

	nt_stream_free(p->stream);
	nt_drop_free_places(p->places);
	nt_tcp_rows_free(&p->now.rows);
	nt_tcp_rows_free(&p->all);
}

const struct nt_engine nt_tcp_engine = {
	.name = "tcp",
	.priv_size = sizeof(struct nt_tcp_priv),
	.aggregates = true,
	.configure = configure,
	.prepare = prepare,
	.started = started,
	.event = event,
	.min_event = sizeof(struct nt_tcp_event),
	.interval = interval,
	.end = end,
	.release = release,
};
