/* SPDX-License-Identifier: GPL-2.0 */
/* Engine of tools about connection tracking: what is asked for, events as they come, and reports made
 * of two snapshots of the counters. */
#include "nettrace/conntrack.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BIT(what) (1u << (what))

static const struct nt_ct_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* ---- options ---- */
static int read_rules(struct nt_ct_opts *o, struct nt_err *err)
{
	static char text[65536];
	FILE *f = fopen(o->filters_file, "re");
	char why[200];
	size_t n;

	if (!f)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "cannot read the rules: %s: %s", o->filters_file,
				  strerror(errno));
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	if (nt_ct_rules_parse(&o->rules, text, why, sizeof(why)))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "bad rules: %s: %s", o->filters_file, why);
	return 0;
}

/* VALUE or VALUE/MASK, as of "conntrack --mark". */
static int read_mark(struct nt_ct_opts *o, struct nt_err *err)
{
	unsigned long value, mask = UINT32_MAX;
	char *end;

	errno = 0;
	value = strtoul(o->mark, &end, 0);
	if (end != o->mark && *end == '/' && end[1])
		mask = strtoul(end + 1, &end, 0);
	if (end == o->mark || *end || o->mark[0] == '-' || errno || value > UINT32_MAX || mask > UINT32_MAX)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "bad value: --mark %s: give VALUE or VALUE/MASK", o->mark);
	o->mark_value = (uint32_t)(value & mask);
	o->mark_mask = (uint32_t)mask;
	return 0;
}

/* The old script traced packets, and what only it could do asks for its mode. */
static uint32_t mode_by_name(const struct nt_run *r, const struct nt_ct_opts *o)
{
	bool packet = strstr(nt_run_called_as(r), ".py") || o->filters_file || o->rel_time || nt_run_given(r, "stack");

	return packet ? NT_CT_MODE_PACKET : NT_CT_MODE_FLOW;
}

int nt_ct_check(struct nt_run *r, struct nt_err *err)
{
	struct nt_ct_opts *o = nt_run_opts_rw(r);

	if (nt_run_common(r)->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: records about connections are of several kinds: use --json");
	if (o->mode == NT_CT_MODE_AUTO)
		o->mode = mode_by_name(r, o);
	if (o->mode == NT_CT_MODE_PACKET && o->update)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"contradicting options: --update and packet mode: give --mode flow");
	if (o->mode == NT_CT_MODE_PACKET && !nt_run_given(r, "stack"))
		o->stack = true;
	if (o->mode == NT_CT_MODE_PACKET && !nt_run_given(r, "interval"))
		nt_run_common(r)->interval_ns = 0;
	if (o->filters_file && read_rules(o, err))
		return -EINVAL;
	return o->mark ? read_mark(o, err) : 0;
}

bool nt_ct_wants_update(const void *opts)
{
	return ((const struct nt_ct_opts *)opts)->update;
}

/* ---- configuration ---- */
static uint32_t shown(const struct nt_ct_opts *o)
{
	if (o->invalid_only)
		return BIT(NT_CT_INVALID);
	if (o->mode == NT_CT_MODE_PACKET)
		return BIT(NT_CT_PACKET) | BIT(NT_CT_NEW) | BIT(NT_CT_INVALID) | BIT(NT_CT_DROP) | BIT(NT_CT_CONFIRM) |
		       BIT(NT_CT_CONFIRM_FAILED) | BIT(NT_CT_CLASH) | BIT(NT_CT_OVS);
	return BIT(NT_CT_NEW) | BIT(NT_CT_CONFIRM) | BIT(NT_CT_CONFIRM_FAILED) | BIT(NT_CT_CLASH) |
	       BIT(NT_CT_DELETE) | BIT(NT_CT_DESTROY) | (o->update ? BIT(NT_CT_UPDATE) : 0);
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	const struct nt_ct_opts *o = opts_of(r);
	uint32_t tool = shown(o);

	(void)err;
	if (o->stack)
		tool |= NT_CT_STACKS;
	if (nt_run_given(r, "zone"))
		tool |= NT_CT_ZONE;
	if (o->mark)
		tool |= NT_CT_MARK;
	if (o->rules.n)
		tool |= NT_CT_RULES;
	nt_run_const(r, NT_CONST_TOOL0, tool);
	nt_run_const(r, NT_CONST_TOOL3, o->rate);
	return 0;
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	const struct nt_ct_opts *o = opts_of(r);
	struct nt_ct_cfg cfg = { .zone = o->zone, .mark = o->mark_value, .mark_mask = o->mark_mask };
	struct nt_ct *p = nt_run_priv(r);
	struct timespec tick;
	uint32_t zero = 0;
	int rc = o->rules.n ? nt_ct_rules_write(r, &o->rules, &cfg) : 0;

	/* the coarse clock's resolution is the timer tick */
	if (!clock_getres(CLOCK_MONOTONIC_COARSE, &tick))
		p->tick_ns = (double)tick.tv_sec * 1e9 + (double)tick.tv_nsec;
	if (!rc && bpf_map_update_elem(nt_run_map_fd(r, "nt_ct_cfg"), &zero, &cfg, BPF_ANY))
		rc = -errno;
	if (rc)
		return nt_err_set(err, NT_EXIT_RUNTIME, -rc, "cannot write the rules: %s", strerror(-rc));
	return 0;
}

/* ---- snapshots ---- */
static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nt_ct_stats_key));
}

static void add_cpus(struct nt_ct_stats *sum, const struct nt_ct_stats *cpu, uint32_t n)
{
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < n; i++) {
		for (size_t k = 0; k < NT_CT_WHATS; k++)
			sum->n[k] += cpu[i].n[k];
		for (size_t k = 0; k < NT_CT_CAUSES; k++)
			sum->cause[k] += cpu[i].cause[k];
	}
}

static void read_table(struct nt_run *r, struct nt_ct_snapshot *s)
{
	struct nt_ct_stats *cpu = calloc(nt_run_cpus(r), sizeof(*cpu));
	int fd = nt_run_map_fd(r, "nt_ct_table");
	struct nt_ct_stats_key key, *prev = NULL;
	size_t cap = 0;

	for (; cpu && !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		struct nt_ct_row *p = s->row;

		if (s->n == cap) {
			cap = cap ? cap * 2 : 32;
			p = realloc(s->row, cap * sizeof(*p));
			if (!p)
				break;
			s->row = p;
		}
		p[s->n].key = key;
		if (bpf_map_lookup_elem(fd, &key, cpu))
			continue;
		add_cpus(&p[s->n++].s, cpu, nt_run_cpus(r));
	}
	free(cpu);
	if (s->n)
		qsort(s->row, s->n, sizeof(*s->row), by_key);
}

static void take(struct nt_run *r, struct nt_ct_snapshot *s)
{
	memset(s, 0, sizeof(*s));
	read_table(r, s);
	nt_ct_kernel_read(&s->kernel);
	nt_run_hist(r, "nt_hists", 0, &s->lifetime);
}

/* ---- records ---- */
static void event(struct nt_run *r, const void *data, size_t size)
{
	struct nt_ct *p = nt_run_priv(r);
	static struct nt_ct_event e;

	memcpy(&e, data, size < sizeof(e) ? size : sizeof(e));
	if (size < sizeof(e))
		e.stack[0] = 0;
	if (e.stack_id >= 0 && nt_run_stack(r, "nt_stacks", e.stack_id, (uint64_t *)e.stack, NT_STACK_MAX) < 0)
		e.stack[0] = 0;
	nt_run_cut_stack(r, (uint64_t *)e.stack, NT_STACK_MAX);
	if (e.what >= NT_CT_WHATS)
		return;
	if (!p->first_ns)
		p->first_ns = e.ts_ns;
	nt_ct_show_event(r, &e);
	nt_run_event_shown(r);
}

static void baseline(struct nt_run *r)
{
	struct nt_ct *p = nt_run_priv(r);

	take(r, &p->start);
}

/* The log of text has the time above each report by itself. */
static void interval(struct nt_run *r, bool final)
{
	struct nt_ct *p = nt_run_priv(r);
	struct nt_ct_snapshot now;

	(void)final;
	take(r, &now);
	nt_ct_show_report(r, p->reports++ && !nt_run_common(r)->cumulative ? &p->last : &p->start, &now);
	free(p->last.row);
	p->last = now;
}

/* Entries that the table of the kernel side had to forget: those made, less those that it has, and
 * those that ended. */
static void finish(struct nt_run *r)
{
	struct nt_ct *p = nt_run_priv(r);
	uint64_t key, *prev = NULL, left = 2ull * nt_run_common(r)->max_entries + 131072, open;
	int fd = nt_run_map_fd(r, "nt_cts");

	for (; left-- && !bpf_map_get_next_key(fd, prev, &key); prev = &key)
		p->remaining++;
	open = nt_run_stat(r, NT_STAT_CT_OPENED) - nt_run_stat(r, NT_STAT_CT_CLOSED);
	if (open > p->remaining)
		nt_run_lost(r, NT_STAT_EVICTED, open - p->remaining);
}

static void end(struct nt_run *r)
{
	uint64_t limited = nt_run_stat(r, NT_STAT_CT_RATE_LIMITED);
	struct nt_ct *p = nt_run_priv(r);
	struct nt_ct_snapshot now;

	take(r, &now);
	nt_json_u64(nt_run_out(r), "rate_limited", limited);
	nt_json_u64(nt_run_out(r), "followed", p->remaining);
	if (limited)
		nt_text(nt_run_out(r), "warning: %llu events not shown: above --rate %u a second\n",
			(unsigned long long)limited, opts_of(r)->rate);
	if (p->reports != 1)
		nt_text(nt_run_out(r), "since the start:\n");
	if (p->reports != 1 || nt_out_format(nt_run_out(r)) == NT_JSON)
		nt_ct_show_report(r, &p->start, &now);	/* else the last report said it */
	free(now.row);
}

static void release(struct nt_run *r)
{
	struct nt_ct *p = nt_run_priv(r);

	free(p->start.row);
	free(p->last.row);
}

const struct nt_engine nt_ct_engine = {
	.name = "conntrack",
	.priv_size = sizeof(struct nt_ct),
	.configure = configure,
	.prepare = prepare,
	.baseline = baseline,
	.event = event,
	.min_event = offsetof(struct nt_ct_event, stack),
	.interval = interval,
	.finish = finish,
	.end = end,
	.release = release,
};
