/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the TCP engine. */
#ifndef NETTRACE_ENGINE_TCP_H
#define NETTRACE_ENGINE_TCP_H

#include "nettrace/nt_abi_tcp.h"
#include "nettrace/tcp.h"

struct nt_tcp_row {			/* a connection of a span of time */
	struct nt_tcp_key key;
	struct nt_tcp_conn conn;
};
struct nt_tcp_rows {
	struct nt_tcp_row *row;
	size_t n, cap;
	uint64_t left_out;		/* rows that fell out, those of a connection at each time */
};

struct nt_tcp_figures {			/* of all connections */
	uint64_t stat[NT_STAT_MAX];
	struct nt_hist hist[NT_TCP_HISTS];
	struct nt_tcp_tables tables;
};
struct nt_tcp_report {
	struct nt_tcp_figures fig;
	struct nt_tcp_rows rows;
	double seconds;
};

struct nt_tcp_priv {
	struct nt_tcp_cfg cfg;
	struct nt_tcp_figures last;	/* since the start, at the last report */
	struct nt_tcp_report now;
	struct nt_tcp_rows all;
	uint64_t last_ns;
	unsigned int reports;
};

static inline uint64_t nt_tcp_stat(const struct nt_tcp_report *rep, unsigned int which)
{
	return rep->fig.stat[which];
}

/* tcp_rows.c */
/* Moves the rows of a map to the end of rows; they are deleted there. */
void nt_tcp_rows_take(struct nt_run *r, const char *map, struct nt_tcp_rows *rows);
/* Adds what a span brought to what is known since the start, at most so many rows: the ones with the
 * fewest samples and packets fall out, and are counted. */
void nt_tcp_rows_add(struct nt_tcp_rows *all, const struct nt_tcp_rows *now, size_t most);
void nt_tcp_conn_join(struct nt_tcp_conn *to, const struct nt_tcp_conn *from);
/* Busiest first. */
void nt_tcp_rows_rank(struct nt_tcp_rows *rows);
void nt_tcp_rows_free(struct nt_tcp_rows *rows);

/* tcp_show.c */
void nt_tcp_show(struct nt_run *r, struct nt_tcp_report *rep);
/* tcp_show_rows.c */
void nt_tcp_show_rows(struct nt_run *r, struct nt_tcp_report *rep);

#endif
