/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the TCP engine. */
#ifndef NETTRACE_ENGINE_TCP_H
#define NETTRACE_ENGINE_TCP_H

#include "nettrace/sock_diag.h"
#include "nettrace/nt_abi_tcp.h"
#include "nettrace/tcp.h"

struct nt_tcp_row {			/* a connection of a span of time */
	struct nt_tcp_key key;
	struct nt_tcp_conn conn;
	struct nt_tcp_rtts *rtts;	/* NULL: none */
};
struct nt_tcp_rows {
	struct nt_tcp_row *row;
	size_t n, cap;
	uint64_t left_out;		/* rows that fell out, those of a connection at each time */
};

struct nt_tcp_drop_row {
	struct nt_tcp_drop key;
	uint64_t packets;
};
struct nt_tcp_figures {			/* of all connections */
	uint64_t stat[NT_STAT_MAX];
	struct nt_hist hist[NT_TCP_HISTS];
	struct nt_tcp_tables tables;
	struct nt_tcp_drop_row drop[NT_TCP_DROPS];	/* tcp_perf_observer */
	size_t n_drops;
};
struct nt_tcp_report {
	struct nt_tcp_figures fig;
	struct nt_tcp_rows rows;
	double seconds;
};

struct nt_tcp_priv {
	struct nt_tcp_cfg cfg;
	struct nt_drop_places *places;	/* tcp_perf_observer */
	struct nt_tcp_figures last;	/* since the start, at the last report */
	struct nt_tcp_report now;
	struct nt_tcp_rows all;
	uint64_t last_ns;
	unsigned int reports;
	struct nt_stream *stream;
};

static inline uint64_t nt_tcp_stat(const struct nt_tcp_report *rep, unsigned int which)
{
	return rep->fig.stat[which];
}

static inline const struct nt_tcp_desc *nt_tcp_desc_of(const struct nt_run *r)
{
	return nt_run_tool(r)->engine_data;
}

/* tcp_rows.c */
/* Moves the rows of a map to the end of rows; they are deleted there. */
void nt_tcp_rows_take(struct nt_run *r, const char *map, struct nt_tcp_rows *rows);
/* The same for the round trips of rows that are there. */
void nt_tcp_rows_take_rtts(struct nt_run *r, const char *map, struct nt_tcp_rows *rows);
void nt_tcp_rows_clear(struct nt_tcp_rows *rows);
/* A connection's round trips as a histogram in us. */
void nt_tcp_row_hist(const struct nt_tcp_row *row, struct nt_hist *h);
/* Adds what a span brought to what is known since the start, at most so many rows: the ones with the
 * fewest samples and packets fall out, and are counted. */
void nt_tcp_rows_add(struct nt_tcp_rows *all, const struct nt_tcp_rows *now, size_t most);
void nt_tcp_conn_join(struct nt_tcp_conn *to, const struct nt_tcp_conn *from);
/* Busiest first; those that were retransmitted most. */
void nt_tcp_rows_rank(struct nt_tcp_rows *rows);
void nt_tcp_rows_rank_harm(struct nt_tcp_rows *rows);
void nt_tcp_rows_free(struct nt_tcp_rows *rows);

/* tcp_show.c */
void nt_tcp_show(struct nt_run *r, struct nt_tcp_report *rep);
/* The figures that the tool has, as JSON, and as a table with distributions. */
void nt_tcp_hists_json(struct nt_run *r, const struct nt_tcp_report *rep);
void nt_tcp_hists_text(struct nt_run *r, const struct nt_tcp_report *rep);
const char *nt_tcp_count_text(uint64_t v, const char *one, char *buf, size_t size);
/* tcp_perf.c */
void nt_tcp_perf_show(struct nt_run *r, const struct nt_tcp_report *rep);
/* tcp_drops.c */
/* What drops are judged by, in the kernel. */
void nt_tcp_drops_prepare(struct nt_run *r, struct nt_err *err);
void nt_tcp_drops_read(struct nt_run *r, struct nt_tcp_figures *f);
/* f becomes what came since was. */
void nt_tcp_drops_subtract(struct nt_tcp_figures *f, const struct nt_tcp_figures *was);
void nt_tcp_drops_show(struct nt_run *r, const struct nt_tcp_report *rep);
/* "NO_SOCKET", or of a kernel without reasons the function that dropped it. */
const char *nt_tcp_drop_why(struct nt_run *r, const struct nt_tcp_drop *d, char *buf, size_t size);
/* tcp_event.c */
int nt_tcp_stream_open(struct nt_run *r);
void nt_tcp_event_show(struct nt_run *r, const struct nt_tcp_event *e);
/* "10.0.0.1:80", "[fd00::1]:80" */
const char *nt_tcp_end_text(const uint8_t *addr, __be16 port, char *buf, size_t size);
/* tcp_show_rows.c */
void nt_tcp_show_rows(struct nt_run *r, struct nt_tcp_report *rep);

#endif
