/* SPDX-License-Identifier: GPL-2.0 */
/* The records that every tool has: start, interval, end, error, and the plan of a dry run. */
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "core.h"
#include "nettrace/version.h"

static uint64_t wall(struct nt_run *r)
{
	return r->resolver.realtime(r, nt_now_ns());
}

static const char *clock_text(uint64_t ns, char *buf, size_t size)
{
	time_t s = (time_t)(ns / 1000000000ULL);
	struct tm tm;

	localtime_r(&s, &tm);
	strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm);
	return buf;
}

/* Types of modules that the BTF at hand does not have. */
static void json_types(const struct nt_run *r, struct nt_out *o)
{
	nt_json_arr(o, "missing_types");
	for (size_t i = 0; i < r->n_missing_types; i++) {
		nt_json_obj(o, NULL);
		nt_json_str(o, "name", r->missing_type[i].need->name);
		nt_json_str(o, "module", r->missing_type[i].need->module);
		nt_json_str(o, "why", r->missing_type[i].why);
		nt_json_str(o, "loss", r->missing_type[i].need->loss);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
}

void nt_report_types(const struct nt_run *r, struct nt_out *o, const char *indent)
{
	for (size_t i = 0; i < r->n_missing_types; i++) {
		const char *why = r->missing_type[i].why, *todo = strstr(why, ": ");
		int n = todo ? (int)(todo + 1 - why) : (int)strlen(why);

		nt_text(o, "%smissing: %s\n%s  %.*s\n", indent, r->missing_type[i].need->loss, indent, n,
			why);
		if (todo)
			nt_text(o, "%s  %s\n", indent, todo + 2);
	}
}

void nt_report_hooks(const struct nt_run *r, struct nt_out *o)
{
	nt_json_arr(o, "hooks");
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct nt_plan_hook *h = &r->plan.hook[i];

		if (h->off || h->chosen < 0)
			continue;
		nt_json_obj(o, NULL);
		nt_json_str(o, "name", h->cand[h->chosen].target);
		nt_json_str(o, "via", nt_prog_kind_name(h->cand[h->chosen].kind));
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
	nt_json_arr(o, "missing_hooks");
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct nt_plan_hook *h = &r->plan.hook[i];

		if (!nt_hook_missing(h))
			continue;
		nt_json_obj(o, NULL);
		nt_json_str(o, "name", h->hook->stem);
		nt_json_str(o, "targets", h->hook->targets);
		nt_json_str(o, "why", h->why);
		nt_json_str(o, "loss", h->hook->loss);
		nt_json_obj_end(o);
	}
	nt_json_arr_end(o);
	if (r->n_missing_types)
		json_types(r, o);
}

static void json_head(struct nt_run *r)
{
	struct utsname u;

	uname(&u);
	nt_json_str(r->out, "tool", r->tool->name);
	nt_json_str(r->out, "version", NT_VERSION);
	nt_json_str(r->out, "kernel", u.release);
	nt_json_str(r->out, "arch", u.machine);
	nt_json_time(r->out, "time", wall(r));
	nt_report_hooks(r, r->out);
	if (r->btf_custom)
		nt_json_str(r->out, "btf", r->btf_name);
	nt_filter_json(r);
}

/* One text over as many lines as 100 columns need, the later ones indented. */
static void wrapped(struct nt_run *r, const char *text, int indent)
{
	enum { COLUMNS = 100 };
	size_t room = COLUMNS;

	while (strlen(text) > room) {
		size_t n = room;

		while (n && text[n] != ' ')
			n--;
		if (!n)
			n = strcspn(text, " ");		/* one long word */
		nt_text(r->out, "%.*s\n%*s", (int)n, text, indent, "");
		text += n + (text[n] == ' ');
		room = COLUMNS - (size_t)indent;
	}
	nt_text(r->out, "%s\n", text);
}

static void text_hooks(struct nt_run *r)
{
	char line[2048] = "  hooks: ";
	size_t len = strlen(line);
	bool any = false;

	for (size_t i = 0; i < r->plan.n; i++) {
		const struct nt_plan_hook *h = &r->plan.hook[i];

		if (h->off || h->chosen < 0 || len >= sizeof(line))
			continue;
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s %s (%s)", any ? "," : "",
					h->cand[h->chosen].target,
					nt_prog_kind_name(h->cand[h->chosen].kind));
		any = true;
	}
	if (!any)
		snprintf(line + len, sizeof(line) - len, " none");
	wrapped(r, line, 10);
}

static void text_head(struct nt_run *r)
{
	char filter[400], line[1024], clock[32];
	struct utsname u;

	uname(&u);
	nt_text(r->out, "%s on %s %s, %s\n", r->tool->name, u.release, u.machine,
		clock_text(wall(r), clock, sizeof(clock)));
	text_hooks(r);
	nt_filter_text(r, filter, sizeof(filter));
	nt_text(r->out, "  filter: %s\n", filter);
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct nt_plan_hook *h = &r->plan.hook[i];

		if (!nt_hook_missing(h))
			continue;
		snprintf(line, sizeof(line), "  missing: %s (%s): %s", h->hook->stem, h->why, h->hook->loss);
		wrapped(r, line, 11);
	}
	nt_report_types(r, r->out, "  ");
}

void nt_report_start(struct nt_run *r)
{
	nt_json_begin(r->out, "start");
	json_head(r);
	nt_json_end(r->out);
	text_head(r);
	nt_out_flush(r->out);
}

void nt_report_interval(struct nt_run *r, bool final)
{
	uint64_t now = nt_now_ns();
	struct nt_lost lost;
	char clock[32];

	nt_json_begin(r->out, "interval");
	nt_json_time(r->out, "time", r->resolver.realtime(r, now));
	nt_json_f64(r->out, "seconds", (double)(now - r->last_interval_ns) / 1e9, 3);
	nt_text(r->out, "\n%s", clock_text(r->resolver.realtime(r, now), clock, sizeof(clock)));
	if (!r->one_look)
		nt_text(r->out, "  (%.3f s)", (double)(now - r->last_interval_ns) / 1e9);
	nt_text(r->out, "\n");
	r->tool->engine->interval(r, final);
	nt_json_end(r->out);
	r->last_interval_ns = now;
	nt_loss_read(r, &lost);
	if (nt_out_format(r->out) == NT_TEXT)
		nt_loss_text(r, &lost);
	nt_out_flush(r->out);
}

void nt_report_end(struct nt_run *r)
{
	double seconds = (double)(r->end_ns - r->start_ns) / 1e9;
	struct nt_lost lost;

	nt_loss_read(r, &lost);
	nt_json_begin(r->out, "end");
	nt_json_time(r->out, "time", r->resolver.realtime(r, r->end_ns));
	nt_json_f64(r->out, "seconds", seconds, 3);
	nt_json_u64(r->out, "events", r->aggregates ? nt_run_stat(r, NT_STAT_EVENTS) : r->events);
	nt_loss_json(r, &lost);
	nt_text(r->out, "\n%s: ended after %.1f s\n", r->tool->name, seconds);
	if (r->tool->engine->end)
		r->tool->engine->end(r);
	nt_json_end(r->out);
	if (nt_out_format(r->out) == NT_TEXT)
		nt_loss_text(r, &lost);
	nt_out_flush(r->out);
}

static const char *state_of(const struct nt_plan_hook *h)
{
	return h->off ? "not used" : h->chosen < 0 ? "missing" : "planned";
}

static void text_option(void *arg, const struct nt_opt *row, const char *text)
{
	struct nt_run *r = arg;

	if (!(row->flags & NT_OPT_HIDDEN) && strcmp(row->name, "dry-run"))
		nt_text(r->out, "  --%s %s\n", row->name, text);
}

static void json_option(void *arg, const struct nt_opt *row, const char *text)
{
	struct nt_run *r = arg;

	if (!(row->flags & NT_OPT_HIDDEN))
		nt_json_str(r->out, row->name, text);
}

/* Every hook with what it can be attached to, in the order in which it is tried. */
static void json_candidates(struct nt_run *r)
{
	static const char *const need[] = { "required", "optional", "variant" };

	nt_json_arr(r->out, "candidates");
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct nt_plan_hook *h = &r->plan.hook[i];

		nt_json_obj(r->out, NULL);
		nt_json_str(r->out, "hook", h->hook->stem);
		nt_json_str(r->out, "need", need[h->hook->need]);
		nt_json_str(r->out, "state", state_of(h));
		nt_json_arr(r->out, "tries");
		for (size_t k = 0; k < h->n; k++) {
			nt_json_obj(r->out, NULL);
			nt_json_str(r->out, "name", h->cand[k].target);
			nt_json_str(r->out, "via", nt_prog_kind_name(h->cand[k].kind));
			nt_json_obj_end(r->out);
		}
		nt_json_arr_end(r->out);
		nt_json_obj_end(r->out);
	}
	nt_json_arr_end(r->out);
}

/* missing: why the tool could not run here, NULL if it could. */
void nt_report_plan(struct nt_run *r, const char *missing)
{
	char filter[400];

	nt_json_begin(r->out, "plan");
	json_head(r);
	nt_json_obj(r->out, "options");
	nt_opts_each_value(r->cmdline, r->sets, r->n_sets, json_option, r);
	nt_json_obj_end(r->out);
	json_candidates(r);
	nt_json_bool(r->out, "can_run", !missing);
	if (missing)
		nt_json_str(r->out, "missing", missing);
	nt_json_end(r->out);
	nt_filter_text(r, filter, sizeof(filter));
	nt_text(r->out, "plan of %s (nothing is attached)\n filter: %s\n hooks:%s\n", r->tool->name, filter,
		r->plan.n ? "" : " none, it has no programs");
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct nt_plan_hook *h = &r->plan.hook[i];

		nt_text(r->out, "  %-16s %-10s %-28s %s\n", h->hook->stem,
			h->chosen >= 0 && !h->off ? nt_prog_kind_name(h->cand[h->chosen].kind) : "-",
			h->chosen >= 0 ? h->cand[h->chosen].target : h->hook->targets, state_of(h));
	}
	nt_report_types(r, r->out, "  ");
	nt_text(r->out, " options:\n");
	nt_opts_each_value(r->cmdline, r->sets, r->n_sets, text_option, r);
	if (missing)
		nt_text(r->out, " would not run here: %s\n", missing);
	nt_out_flush(r->out);
}

void nt_report_error(struct nt_run *r, const struct nt_err *err)
{
	fprintf(stderr, "nettrace %s: %s\n", r->tool->name, err->text);
	if (!r->out)
		return;
	nt_json_begin(r->out, "error");
	nt_json_str(r->out, "tool", r->tool->name);
	nt_json_u64(r->out, "exit_code", (uint64_t)err->code);
	nt_json_str(r->out, "message", err->text);
	nt_json_end(r->out);
	nt_out_flush(r->out);
}
