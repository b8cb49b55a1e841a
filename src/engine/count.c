/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/count.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct count_priv {
	size_t n_rows;
	uint64_t *now, *last;	/* snapshots: since the start, and at the last report */
	uint64_t *diff, *cpus;
	uint64_t last_ns;
};

static const struct nt_count_desc *desc(const struct nt_run *r)
{
	return nt_run_tool(r)->engine_data;
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	struct count_priv *p = nt_run_priv(r);
	size_t words = desc(r)->row_words;

	p->n_rows = desc(r)->rows(r, err);
	if (!p->n_rows)
		return -EINVAL;
	free(p->now);
	p->now = calloc(3 * p->n_rows * words + nt_run_cpus(r) * words, sizeof(uint64_t));
	if (!p->now)
		return -ENOMEM;
	p->last = p->now + p->n_rows * words;
	p->diff = p->last + p->n_rows * words;
	p->cpus = p->diff + p->n_rows * words;
	return nt_run_map_entries(r, desc(r)->map, (uint32_t)p->n_rows);
}

static void snapshot(struct nt_run *r)
{
	struct count_priv *p = nt_run_priv(r);
	size_t words = desc(r)->row_words;
	int fd = nt_run_map_fd(r, desc(r)->map);

	memset(p->now, 0, p->n_rows * words * sizeof(uint64_t));
	for (uint32_t row = 0; row < p->n_rows; row++) {
		if (bpf_map_lookup_elem(fd, &row, p->cpus))
			continue;
		for (size_t c = 0; c < nt_run_cpus(r); c++)
			for (size_t w = 0; w < words; w++)
				p->now[row * words + w] += p->cpus[c * words + w];
	}
}

static void started(struct nt_run *r)
{
	((struct count_priv *)nt_run_priv(r))->last_ns = nt_run_started_ns(r);
}

static void interval(struct nt_run *r, bool final)
{
	struct count_priv *p = nt_run_priv(r);
	size_t n = p->n_rows * desc(r)->row_words;
	uint64_t now = nt_now_ns();
	bool total = nt_run_common(r)->cumulative;

	(void)final;
	snapshot(r);
	for (size_t i = 0; i < n; i++)
		p->diff[i] = total ? p->now[i] : p->now[i] - p->last[i];
	memcpy(p->last, p->now, n * sizeof(uint64_t));
	desc(r)->report(r, p->diff, p->n_rows,
			(double)(now - (total ? nt_run_started_ns(r) : p->last_ns)) / 1e9, total);
	p->last_ns = now;
}

static void end(struct nt_run *r)
{
	struct count_priv *p = nt_run_priv(r);

	snapshot(r);
	desc(r)->report(r, p->now, p->n_rows, (double)(nt_now_ns() - nt_run_started_ns(r)) / 1e9, true);
}

static void finish(struct nt_run *r)
{
	free(((struct count_priv *)nt_run_priv(r))->now);
}

const struct nt_engine nt_count_engine = {
	.name = "count",
	.priv_size = sizeof(struct count_priv),
	.aggregates = true,
	.configure = configure,
	.started = started,
	.interval = interval,
	.end = end,
	.release = finish,
};
