/* SPDX-License-Identifier: GPL-2.0 */
/* One run of a tool, from its command line to its exit code. */
#include <bpf/bpf.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core.h"
#include "nettrace/core_api.h"

/* ---- the API that engines see ---- */
const struct nt_tool *nt_run_tool(const struct nt_run *r) { return r->tool; }
const char *nt_run_called_as(const struct nt_run *r) { return r->called_as; }
const void *nt_run_opts(const struct nt_run *r) { return r->opts; }
void *nt_run_opts_rw(struct nt_run *r) { return r->opts; }
struct nt_common_opts *nt_run_common(struct nt_run *r) { return &r->common; }
struct nt_tuple_opts *nt_run_tuple(struct nt_run *r) { return &r->tuple; }
struct nt_out *nt_run_out(struct nt_run *r) { return r->out; }
const struct nt_resolver *nt_run_names(struct nt_run *r) { return &r->resolver; }
void *nt_run_priv(struct nt_run *r) { return r->priv; }
uint64_t nt_run_started_ns(const struct nt_run *r) { return r->start_ns; }
void nt_run_consume_words(struct nt_run *r) { r->words_consumed = true; }
size_t nt_run_n_words(const struct nt_run *r) { return nt_opts_n_words(r->cmdline); }
const char *nt_run_word(const struct nt_run *r, size_t i) { return nt_opts_word(r->cmdline, i); }

void nt_run_stop(struct nt_run *r) { r->stop = true; }
bool nt_run_ending(struct nt_run *r) { return nt_stopping(r); }

void nt_run_fail(struct nt_run *r, const struct nt_err *err)
{
	if (!r->failure.text[0])
		r->failure = *err;
	r->stop = true;
}

struct nt_out *nt_run_set_out(struct nt_run *r, struct nt_out *o)
{
	struct nt_out *before = r->out;

	r->out = o;
	return before;
}

void nt_run_set_aggregates(struct nt_run *r, bool aggregates) { r->aggregates = aggregates; }

void nt_run_set_first_interval(struct nt_run *r, uint64_t ns) { r->first_interval_ns = ns; }

void nt_run_set_one_look(struct nt_run *r) { r->one_look = true; }

void nt_run_event_shown(struct nt_run *r)
{
	r->events++;
	if (nt_run_enough(r))
		r->stop = true;
}

bool nt_run_enough(const struct nt_run *r)
{
	return r->common.count && !r->aggregates && r->events >= r->common.count;
}

bool nt_run_given(const struct nt_run *r, const char *option)
{
	return nt_opts_given(r->cmdline, option);
}

void nt_run_set_device(struct nt_run *r, const char *name)
{
	r->one_device = name;
	r->tuple.devs = (struct nt_strlist){ &r->one_device, 1 };
}

bool nt_run_has_filter(const struct nt_run *r)
{
	return !r->words_consumed && nt_opts_n_words(r->cmdline);
}

void nt_run_note(struct nt_run *r, const char *fmt, ...)
{
	va_list args;

	if (r->common.quiet)
		return;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

void nt_run_const(struct nt_run *r, enum nt_const_id id, uint64_t value)
{
	r->bpf.consts.value[id] = value;
	r->bpf.consts.set |= 1u << id;
}

int nt_run_map_fd(const struct nt_run *r, const char *map)
{
	return r->bpf.obj ? bpf_object__find_map_fd_by_name(r->bpf.obj, map) : -1;
}

int nt_run_map_entries(struct nt_run *r, const char *map, uint32_t n)
{
	struct bpf_map *m = bpf_object__find_map_by_name(r->bpf.obj, map);

	return m ? bpf_map__set_max_entries(m, n) : -ENOENT;
}

bool nt_run_in_order(const struct nt_run *r)
{
	return r->bpf.ringbuf;
}

uint32_t nt_run_cpus(const struct nt_run *r)
{
	(void)r;
	return (uint32_t)libbpf_num_possible_cpus();
}

void nt_run_stat_cpus(struct nt_run *r, uint32_t stat, uint64_t *per_cpu, size_t n)
{
	uint64_t values[nt_run_cpus(r)];
	int fd = nt_run_map_fd(r, "nt_stats");

	memset(values, 0, sizeof(values));
	if (fd >= 0)
		bpf_map_lookup_elem(fd, &stat, values);
	for (size_t i = 0; i < n; i++)
		per_cpu[i] = i < nt_run_cpus(r) ? values[i] : 0;
}

uint64_t nt_run_stat(struct nt_run *r, uint32_t stat)
{
	uint64_t values[nt_run_cpus(r)], sum = 0;

	nt_run_stat_cpus(r, stat, values, nt_run_cpus(r));
	for (uint32_t i = 0; i < nt_run_cpus(r); i++)
		sum += values[i];
	return sum;
}

int nt_run_hist(struct nt_run *r, const char *map, uint32_t index, struct nt_hist *h)
{
	struct nt_hist_raw *raw = calloc(nt_run_cpus(r), sizeof(*raw));
	int fd = nt_run_map_fd(r, map), rc = -ENOENT;

	nt_hist_init(h);
	if (raw && fd >= 0)
		rc = bpf_map_lookup_elem(fd, &index, raw);
	for (uint32_t i = 0; !rc && i < nt_run_cpus(r); i++)
		nt_hist_merge(h, &raw[i]);
	free(raw);
	return rc;
}

/* Stacks of a fixed code path are few: an id read once is kept, so that the kernel's table need
 * not be. */
int nt_run_stack(struct nt_run *r, const char *map, int32_t id, uint64_t *frames, size_t n)
{
	uint64_t all[NT_STACK_MAX] = { 0 };
	size_t i;

	if (id < 0 || n > NT_STACK_MAX)
		return -ENOENT;
	for (i = 0; i < r->stack_cache_n; i++)
		if (r->stack_cache[i].id == id && !strcmp(r->stack_cache[i].map, map))
			break;
	if (i == r->stack_cache_n) {
		void *grown;

		if (bpf_map_lookup_elem(nt_run_map_fd(r, map), &id, all))
			return -errno;
		grown = realloc(r->stack_cache, (i + 1) * sizeof(*r->stack_cache));
		if (!grown)
			return -ENOMEM;
		r->stack_cache = grown;
		r->stack_cache[i].map = map;
		r->stack_cache[i].id = id;
		memcpy(r->stack_cache[i].frames, all, sizeof(all));
		r->stack_cache_n++;
	}
	memcpy(frames, r->stack_cache[i].frames, n * sizeof(*frames));
	for (i = 0; i < n && frames[i]; i++)
		;
	return (int)i;
}

/* ---- the life of a run ---- */
static void make_sets(struct nt_run *r)
{
	size_t n;
	const struct nt_opt *rows = nt_tuple_rows(r->tool->tuple, &n);

	r->sets[r->n_sets++] = (struct nt_optset){ "Options of this tool", r->tool->opts,
						   r->tool->n_opts, r->opts };
	if (n)
		r->sets[r->n_sets++] = (struct nt_optset){ "Filter", rows, n, &r->tuple };
	r->sets[r->n_sets++] = (struct nt_optset){ "Options of every tool", nt_common_rows,
						   nt_n_common_rows, &r->common };
	r->sets[r->n_sets++] = (struct nt_optset){ NULL, nt_hidden_rows, nt_n_hidden_rows,
						   &r->hidden };
}

static int check_common(struct nt_run *r, struct nt_err *err)
{
	int rc;

	if (r->common.json) {
		if (nt_opts_given(r->cmdline, "format") && r->common.format != NT_JSON)
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"contradicting options: --json and --format: give one of them");
		r->common.format = NT_JSON;
	}
	if (r->common.quiet && r->common.verbose)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"contradicting options: --quiet and --verbose: give one of them");
	r->aggregates = r->tool->engine->aggregates;
	rc = r->tool->check ? r->tool->check(r, err) : 0;
	if (!rc && r->common.format == NT_CSV && r->aggregates)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: %s prints several tables: use --json", r->tool->name);
	return rc;
}

static int parse(struct nt_run *r, int argc, char **argv, struct nt_err *err)
{
	int rc;

	r->opts = calloc(1, r->tool->opts_size ? r->tool->opts_size : 1);
	r->priv = calloc(1, r->tool->engine->priv_size ? r->tool->engine->priv_size : 1);
	if (!r->opts || !r->priv)
		return -ENOMEM;
	make_sets(r);
	rc = nt_opts_parse(&r->cmdline, r->sets, r->n_sets, argc, argv, err);
	/* A probe has no command line: what a tool requires of one does not matter to it. */
	if (rc && r->probing)
		return 0;
	if (!rc && !r->common.help && !r->probing)
		rc = check_common(r, err);
	return rc;
}

static int open_output(struct nt_run *r, struct nt_err *err)
{
	bool color = !r->common.no_color && !getenv("NO_COLOR") && !r->common.output && isatty(1);
	int rc = nt_out_open(&r->out, r->common.output, (enum nt_format)r->common.format, color);

	if (rc)
		return nt_err_set(err, NT_EXIT_USAGE, -rc, "cannot write the output: %s: %s",
				  r->common.output, strerror(-rc));
	nt_out_on_stall(r->out, nt_stopping, r);
	return 0;
}

static int resolve(struct nt_run *r, struct nt_err *err)
{
	int rc = nt_names_open(r);

	if (!rc)
		rc = nt_filter_resolve(r, err);
	if (rc || (!r->tool->n_hooks && !r->common.btf))
		return rc;
	rc = nt_run_btf_find(r, err);
	return rc ? rc : nt_plan_make(r);
}

static int dry_run(struct nt_run *r)
{
	struct nt_err missing = { .text = "" };

	nt_plan_choose(r, &missing);
	if (r->tool->engine->possible)
		r->tool->engine->possible(&missing);
	if (!r->btf_found && !nt_plan_empty(&r->plan) && !r->tool->works_without_bpf)
		snprintf(missing.text, sizeof(missing.text), "%s", r->btf_why);
	nt_report_plan(r, missing.text[0] ? missing.text : NULL);
	return 0;
}

static int load(struct nt_run *r, struct nt_err *err)
{
	int rc = nt_bpf_check_caps(err);

	if (rc)
		return rc;
	if (!r->btf_found)
		return nt_err_set(err, NT_EXIT_UNSUPPORTED, ENOTSUP, "%s", r->btf_why);
	rc = nt_bpf_load(r, err);
	if (!rc)
		rc = nt_transport_open(r, err);
	return rc;
}

static int attach(struct nt_run *r, struct nt_err *err)
{
	struct nt_err why = { .text = "" };
	int rc;

	if (r->tool->engine->possible)
		return r->tool->engine->possible(err);
	if (nt_plan_empty(&r->plan))
		return 0;
	rc = load(r, &why);
	if (rc && r->tool->works_without_bpf) {
		nt_bpf_close(r);
		nt_plan_give_up(&r->plan, why.text);
		return 0;
	}
	if (rc && err)
		*err = why;
	return rc;
}

static int watch(struct nt_run *r)
{
	sigset_t set;
	int rc;

	nt_block_signals(&set);
	if (r->tool->engine->baseline)
		r->tool->engine->baseline(r);
	if (r->failure.text[0])
		return 0;
	r->start_ns = r->last_interval_ns = nt_now_ns();
	nt_bpf_gate(r, true);
	nt_report_start(r);
	malloc_trim(0);		/* libbpf's copy of vmlinux BTF (13 MiB) is gone */
	if (r->tool->engine->started)
		r->tool->engine->started(r);
	rc = r->one_look ? 0 : nt_loop(r);
	nt_bpf_gate(r, false);
	nt_transport_drain(r);
	r->end_ns = nt_now_ns();
	if (r->tool->engine->finish)
		r->tool->engine->finish(r);
	if (r->one_look || (r->common.interval_ns && r->tool->engine->interval &&
			    r->end_ns - r->last_interval_ns > 1000000))
		nt_report_interval(r, true);
	nt_report_end(r);
	return rc;
}

static int output_failure(struct nt_run *r, struct nt_err *err)
{
	int e = 0;

	if (!r->out || !nt_out_failed(r->out, &e) || e == EPIPE)
		return 0;
	return nt_err_set(err, NT_EXIT_RUNTIME, e, "cannot write the output: %s: %s",
			  r->common.output ? r->common.output : "standard output",
			  e == ETIMEDOUT ? "its reader takes nothing" : strerror(e));
}

static void release(struct nt_run *r)
{
	if (r->priv && r->tool->engine->release)
		r->tool->engine->release(r);
	nt_transport_close(r);
	nt_bpf_close(r);
	nt_plan_free(&r->plan);
	nt_run_btf_close(r);
	nt_names_close(r);
	nt_ksyms_free(r->ksyms);
	nt_out_close(r->out);
	nt_opts_free(r->cmdline);
	for (int i = 0; i < NT_LINK_FORMS; i++)
		free(r->pcap_insns[i]);
	free(r->expr);
	free(r->stack_cache);
	free(r->opts);
	free(r->priv);
}

static int run(struct nt_run *r, int argc, char **argv, struct nt_err *err)
{
	int rc = parse(r, argc, argv, err);

	if (rc)
		return rc;
	if (r->common.help) {
		nt_tool_help(stdout, r->tool);
		return 0;
	}
	rc = open_output(r, err);
	if (!rc)
		rc = resolve(r, err);
	if (rc)
		return rc;
	if (r->common.dry_run)
		return dry_run(r);
	rc = attach(r, err);
	if (!rc)
		rc = watch(r);
	if (!rc && r->failure.text[0]) {
		*err = r->failure;
		rc = -EIO;
	}
	return rc;
}

/* A wrong command line is told in JSON too, if it asked for JSON: it cannot be parsed, so look. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--json") || !strcmp(argv[i], "--format=json"))
			return true;
		if (i && !strcmp(argv[i - 1], "--format") && !strcmp(argv[i], "json"))
			return true;
	}
	return false;
}

int nt_tool_main(const struct nt_tool_entry *entry, const char *called_as, int argc, char **argv)
{
	struct nt_run r = { .entry = entry, .tool = entry->tool, .called_as = called_as };
	struct nt_err err = { .text = "" };
	int rc;

	signal(SIGPIPE, SIG_IGN);
	/* help wins over whatever else is wrong with the command line */
	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || (!strcmp(argv[i], "-h") && argc == 1)) {
			nt_tool_help(stdout, r.tool);
			return NT_EXIT_OK;
		}
	}
	rc = run(&r, argc, argv, &err);
	if (!rc)
		rc = output_failure(&r, &err);
	if (rc) {
		nt_err_set(&err, NT_EXIT_RUNTIME, -rc, "failed: %s", strerror(-rc));
		if (!r.out && wants_json(argc, argv))
			nt_out_open(&r.out, NULL, NT_JSON, false);
		nt_report_error(&r, &err);
	}
	release(&r);
	return rc ? (int)err.code : NT_EXIT_OK;
}

struct nt_run *nt_run_for_probe(const struct nt_tool_entry *e)
{
	struct nt_run *r = calloc(1, sizeof(*r));
	struct nt_err err = { .text = "" };
	int rc;

	if (!r)
		return NULL;
	r->entry = e;
	r->tool = e->tool;
	r->called_as = e->tool->name;
	r->probing = true;
	r->common.quiet = true;
	rc = parse(r, 0, NULL, &err);
	if (e->tool->tuple & NT_TUPLE_DEV)
		nt_run_set_device(r, "lo");	/* some tools need one */
	if (rc || resolve(r, &err)) {
		nt_run_free(r);
		return NULL;
	}
	return r;
}

void nt_run_free(struct nt_run *r)
{
	release(r);
	free(r);
}

/* The option tables of a tool, for help and completion; storage is the caller's. */
size_t nt_tool_optsets(const struct nt_tool *t, struct nt_optset *sets)
{
	size_t n, used = 0;
	const struct nt_opt *rows = nt_tuple_rows(t->tuple, &n);

	sets[used++] = (struct nt_optset){ "Options of this tool", t->opts, t->n_opts, NULL };
	if (n)
		sets[used++] = (struct nt_optset){ "Filter", rows, n, NULL };
	sets[used++] = (struct nt_optset){ "Options of every tool", nt_common_rows,
					   nt_n_common_rows, NULL };
	return used;
}
