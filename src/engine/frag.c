/* SPDX-License-Identifier: GPL-2.0 */
/* trace_ip_defrag's engine: events as they come, and reports made of two snapshots of the counters. */
#include "nettrace/frag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/btf.h"

#define BIT(what) (1u << (what))

static const struct nt_frag_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

int nt_frag_check(struct nt_run *r, struct nt_err *err)
{
	struct nt_frag_opts *o = nt_run_opts_rw(r);
	const char *one = o->all ? "all" : "failures-only";

	if ((o->all && o->failures_only) || (o->summary && (o->all || o->failures_only)))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "contradicting options: --%s and --%s: give one of them",
				  one, o->summary ? "summary" : "failures-only");
	if (nt_run_common(r)->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: records of trace_ip_defrag are of several kinds: use --json");
	if (o->summary)
		nt_run_set_aggregates(r, true);
	else if (strstr(nt_run_called_as(r), ".py") && !o->failures_only)
		o->all = true;
	return 0;
}

/* ---- configuration ---- */
static uint64_t reason_of(struct nt_run *r, const char *name)
{
	uint32_t id = nt_run_reason_id(r, name);

	return id < 1u << 16 ? id : 0;
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	const struct nt_frag_opts *o = opts_of(r);
	bool follows = nt_run_hooked(r, "insert_in");
	uint32_t shown = BIT(NT_FRAG_DUP) | BIT(NT_FRAG_OVERLAP) | BIT(NT_FRAG_TIMEOUT) | BIT(NT_FRAG_NOMEM) |
			 BIT(NT_FRAG_ERROR);

	(void)err;
	if (o->all)
		shown |= BIT(NT_FRAG_IN) | BIT(NT_FRAG_COMPLETE);
	if (nt_run_common(r)->verbose)
		shown |= NT_FRAG_STACKS;
	nt_run_const(r, NT_CONST_TOOL0, o->summary ? 0 : shown);
	nt_run_const(r, NT_CONST_TOOL1, follows ? 0 : reason_of(r, "FRAG_REASM_TIMEOUT") |
			     reason_of(r, "DUP_FRAG") << 16 | reason_of(r, "FRAG_TOO_FAR") << 32);
	nt_run_const(r, NT_CONST_TOOL2, follows);
	nt_run_const(r, NT_CONST_TOOL3, o->rate);
	return 0;
}

static void add_user(void *arg, const char *name, uint32_t value)
{
	nt_frag_users_add(arg, name, value);
}

/* The enum of IPv6 is known to the BTF only where something that is not a module uses it. */
static void read_users(struct nt_frag *p)
{
	struct nt_btf *btf = NULL;

	nt_btf_open(&btf, "/sys/kernel/btf/vmlinux", NULL);
	if (!btf || nt_btf_enum(btf, "ip_defrag_users", add_user, &p->users[0]))
		nt_frag_users_default(&p->users[0], 4);
	if (!btf || nt_btf_enum(btf, "ip6_defrag_users", add_user, &p->users[1]))
		nt_frag_users_default(&p->users[1], 6);
	nt_btf_close(btf);
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_frag *p = nt_run_priv(r);
	const char *path = opts_of(r)->log_file;
	int rc = path ? nt_out_open(&p->log, path, NT_TEXT, false) : 0;

	if (rc)
		return nt_err_set(err, NT_EXIT_RUNTIME, -rc, "cannot write the log: %s: %s", path, strerror(-rc));
	return 0;
}

/* ---- snapshots ---- */
static void take(struct nt_run *r, struct nt_frag_snapshot *s)
{
	memset(s, 0, sizeof(*s));
	for (uint32_t i = 0; i < NT_FRAG_WHATS; i++)
		s->count.what[i] = nt_run_stat(r, NT_STAT_FRAG0 + i);
	s->count.failed = nt_run_stat(r, NT_STAT_FRAG_FAILED);
	s->count.opened = nt_run_stat(r, NT_STAT_FRAG_OPENED);
	s->count.closed = nt_run_stat(r, NT_STAT_FRAG_CLOSED);
	s->count.rate_limited = nt_run_stat(r, NT_STAT_FRAG_RATE_LIMITED);
	nt_run_hist(r, "nt_hists", 0, &s->took);
	nt_mib_read(&s->mib, NULL, NULL, 0);
}

/* ---- records ---- */
/* Until it is told to stop, what is written goes to the log: NULL if there is none. */
static struct nt_out *to_log(struct nt_run *r)
{
	struct nt_frag *p = nt_run_priv(r);

	return p->log ? nt_run_set_out(r, p->log) : NULL;
}

static void back_from_log(struct nt_run *r, struct nt_out *before)
{
	nt_out_flush(nt_run_out(r));
	nt_run_set_out(r, before);
}

/* The log has the time of a report by itself: the core writes it elsewhere. */
static void report(struct nt_run *r, const char *title, const struct nt_frag_snapshot *before,
		   const struct nt_frag_snapshot *now)
{
	static const struct nt_field field = { .name = "time", .kind = NT_K_TS };
	uint64_t ns = nt_now_ns();
	struct nt_out *out;
	char time[40];

	nt_frag_show_report(r, before, now);
	out = to_log(r);
	if (!out)
		return;
	nt_text(nt_run_out(r), "\n%s  %s\n", nt_field_text(nt_run_names(r), &field, &ns, time, sizeof(time)), title);
	nt_frag_show_report(r, before, now);
	back_from_log(r, out);
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	struct nt_frag *p = nt_run_priv(r);
	static struct nt_frag_event e;
	struct nt_out *out;

	if (!p->users[0].n)
		read_users(p);
	memcpy(&e, data, size < sizeof(e) ? size : sizeof(e));
	if (size < sizeof(e))
		e.stack[0] = 0;
	nt_run_cut_stack(r, (uint64_t *)e.stack, NT_STACK_MAX);
	if (e.what >= NT_FRAG_WHATS)
		return;
	if (e.q.bits & NT_FRAG_QUEUE && !(e.q.bits & NT_FRAG_EARLIER))
		e.q.bits |= NT_FRAG_WHOLE;
	nt_frag_show_event(r, &e);
	out = to_log(r);
	if (out) {
		nt_frag_show_event(r, &e);
		back_from_log(r, out);
	}
	nt_run_event_shown(r);
}

static void forget(struct nt_frag_snapshot *s)
{
	nt_mib_free(&s->mib);
}

static void baseline(struct nt_run *r)
{
	struct nt_frag *p = nt_run_priv(r);

	take(r, &p->start);
}

static void interval(struct nt_run *r, bool final)
{
	struct nt_frag *p = nt_run_priv(r);
	struct nt_frag_snapshot now;

	(void)final;
	take(r, &now);
	if (p->reports++ && !nt_run_common(r)->cumulative)
		report(r, "since the last report", &p->last, &now);
	else
		report(r, "since the start", &p->start, &now);
	forget(&p->last);
	p->last = now;
}

static void end(struct nt_run *r)
{
	struct nt_frag *p = nt_run_priv(r);
	struct nt_frag_snapshot now;

	take(r, &now);
	nt_json_u64(nt_run_out(r), "rate_limited", now.count.rate_limited);
	if (now.count.rate_limited)
		nt_text(nt_run_out(r), "warning: %llu events not shown: above --rate %u a second\n",
			(unsigned long long)now.count.rate_limited, opts_of(r)->rate);
	if (p->reports != 1)
		nt_text(nt_run_out(r), "since the start:\n");
	if (p->reports != 1 || nt_out_format(nt_run_out(r)) == NT_JSON)
		report(r, "since the start", &p->start, &now);	/* else the last report said it */
	forget(&now);
}

static void release(struct nt_run *r)
{
	struct nt_frag *p = nt_run_priv(r);

	forget(&p->start);
	forget(&p->last);
	nt_out_close(p->log);
}

const struct nt_engine nt_frag_engine = {
	.name = "frag",
	.priv_size = sizeof(struct nt_frag),
	.configure = configure,
	.prepare = prepare,
	.baseline = baseline,
	.event = event,
	.min_event = offsetof(struct nt_frag_event, stack),
	.interval = interval,
	.end = end,
	.release = release,
};
