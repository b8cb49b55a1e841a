/* SPDX-License-Identifier: GPL-2.0 */
/* Timelines through the per-CPU backlog: how deep it was, which CPU put packets in, which took them out. */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nettrace/ksyms.h"
#include "timeline.h"

#define SHOWN 10		/* pairs of CPUs in text */

/* ---- what is to be expected of a device ---- */
/* Has any receive queue a mask of CPUs? "00000000,00000003": any digit but 0. */
static bool has_rps(const char *name)
{
	char pattern[80], text[256];
	glob_t g = { .gl_pathc = 0 };
	bool found = false;

	snprintf(pattern, sizeof(pattern), "/sys/class/net/%s/queues/rx-*/rps_cpus", name);
	if (glob(pattern, 0, NULL, &g))
		return false;
	for (size_t i = 0; i < g.gl_pathc && !found; i++) {
		int fd = open(g.gl_pathv[i], O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

		text[n > 0 ? n : 0] = 0;
		found = text[strspn(text, "0,\n")] != 0;
		if (fd >= 0)
			close(fd);
	}
	globfree(&g);
	return found;
}

void nt_tl_backlog_started(struct nt_run *r)
{
	const struct nt_strlist *names = &nt_tl_opts_of(r)->phy;
	char path[64];

	for (size_t i = 0; i < names->n; i++) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/device", names->item[i]);
		if (!access(path, F_OK) && !has_rps(names->item[i]))
			nt_run_note(r, "%s: a device on a bus without RPS: its packets do not pass the backlog", names->item[i]);
	}
}

/* ---- figures ---- */
void nt_tl_backlog_read(struct nt_run *r, struct nt_tl_figures *f)
{
	struct nt_tl_cpus key, *prev = NULL;
	static struct nt_hist_raw raw;
	int fd = nt_run_map_fd(r, "nt_tl_cpus");

	if (fd < 0)
		return;
	if (!f->backlog)
		f->backlog = calloc(1, sizeof(*f->backlog));
	if (!f->backlog)
		return;
	nt_run_hist(r, "nt_tl_depths", 0, &f->backlog->depth);
	f->backlog->n_cpus = 0;
	for (; f->backlog->n_cpus < NT_TL_CPU_ROWS && !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		struct nt_tl_cpus_row *row = &f->backlog->cpus[f->backlog->n_cpus];

		if (bpf_map_lookup_elem(fd, &key, &raw))
			continue;
		row->key = key;
		nt_hist_init(&row->hist);
		nt_hist_merge(&row->hist, &raw);
		f->backlog->n_cpus++;
	}
}

void nt_tl_backlog_copy(struct nt_tl_figures *to, const struct nt_tl_figures *from)
{
	if (!from->backlog)
		return;
	if (!to->backlog)
		to->backlog = malloc(sizeof(*to->backlog));
	if (to->backlog)
		*to->backlog = *from->backlog;
}

void nt_tl_backlog_subtract(struct nt_tl_figures *f, const struct nt_tl_figures *last)
{
	struct nt_tl_backlog *b = f->backlog, *was = last->backlog;

	if (!b || !was)
		return;
	nt_hist_diff(&b->depth, &b->depth, &was->depth);
	for (size_t i = 0; i < b->n_cpus; i++)
		for (size_t k = 0; k < was->n_cpus; k++)
			if (!memcmp(&b->cpus[i].key, &was->cpus[k].key, sizeof(b->cpus[i].key)))
				nt_hist_diff(&b->cpus[i].hist, &b->cpus[i].hist, &was->cpus[k].hist);
}

static int by_count(const void *a, const void *b)
{
	uint64_t x = ((const struct nt_tl_cpus_row *)a)->hist.count, y = ((const struct nt_tl_cpus_row *)b)->hist.count;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void cpus_show(struct nt_run *r, const struct nt_tl_cpus_row *row, bool text)
{
	struct nt_out *o = nt_run_out(r);
	char n[32], p50[32], p99[32];
	bool cross = row->key.from != row->key.to;

	if (text)
		nt_text(o, "  cpu %-4u to cpu %-4u %-6s %10s %10s %10s\n", row->key.from, row->key.to,
			cross ? "cross" : "same", nt_fmt_count(row->hist.count, n, sizeof(n)),
			nt_fmt_ns(nt_hist_quantile(&row->hist, .50), p50, sizeof(p50)),
			nt_fmt_ns(nt_hist_quantile(&row->hist, .99), p99, sizeof(p99)));
	nt_json_obj(o, NULL);
	nt_json_u64(o, "from_cpu", row->key.from);
	nt_json_u64(o, "to_cpu", row->key.to);
	nt_json_bool(o, "cross", cross);
	nt_hist_json(o, "wait", &row->hist, "us", 1000.0);
	nt_json_obj_end(o);
}

/* As nt_backlog_depth() of bpf/lib/timeline_backlog.bpf.h. arm64 often has no data in kallsyms. */
static bool depth_known(struct nt_run *r)
{
	struct nt_ksyms *k = nt_run_ksyms(r);

	return nt_ksyms_var(k, NT_KSYMS_SOFTNET_DATA) && nt_ksyms_var(k, NT_KSYMS_PER_CPU_OFFSET);
}

static void depth_show(struct nt_run *r, const struct nt_hist *depth)
{
	struct nt_out *o = nt_run_out(r);

	if (!depth_known(r)) {
		nt_json_str(o, "backlog_depth", NULL);
		nt_text(o, "\npackets that were in the backlog before: not known, kallsyms has no data here\n");
		return;
	}
	nt_hist_json(o, "backlog_depth", depth, "packets", 1.0);
	if (depth->count)
		nt_text(o, "\npackets that were in the backlog before: on average %.1f, p99 %llu, most %llu\n",
			(double)depth->sum / (double)depth->count, (unsigned long long)nt_hist_quantile(depth, .99),
			(unsigned long long)depth->max);
}

void nt_tl_backlog_show(struct nt_run *r, struct nt_tl_figures *f)
{
	struct nt_tl_backlog *b = f->backlog;
	struct nt_out *o = nt_run_out(r);

	if (!b)
		return;
	qsort(b->cpus, b->n_cpus, sizeof(b->cpus[0]), by_count);
	depth_show(r, &b->depth);
	if (b->n_cpus && b->cpus[0].hist.count)
		nt_text(o, "  from CPU to CPU              packets  wait  p50        p99\n");
	nt_json_arr(o, "cpus");
	for (size_t i = 0; i < b->n_cpus; i++)
		if (b->cpus[i].hist.count)
			cpus_show(r, &b->cpus[i], i < SHOWN);
	nt_json_arr_end(o);
}
