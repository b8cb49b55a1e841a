/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <string.h>

#include "nettrace/drop.h"

#define O(member) offsetof(struct nt_drop_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "interval", .letter = 'i', .def = "10", .flags = NT_OPT_COMMON, .help = "report period" },
	{ .name = "duration", .letter = 'd', .alt = "dst-ip", .flags = NT_OPT_COMMON },
	{ .name = "top", .letter = 't', .def = "5", .flags = NT_OPT_COMMON,
	  .help = "rows of a report; the final one has twice as many" },
	{ .name = "interface", .letter = 'n', .aliases = "name", .flags = NT_OPT_COMMON },
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON },
	{ .name = "src-port", .letter = 'S', .flags = NT_OPT_COMMON },
	{ .name = "dst-port", .letter = 'D', .flags = NT_OPT_COMMON },
	{ .name = "protocol", .letter = 'p', .flags = NT_OPT_COMMON },
	{ .name = "max-entries", .def = "10240", .flags = NT_OPT_COMMON },
	{ .name = "group-by", .type = NT_OPT_ENUM, .offset = O(group_by), .choices = "all|stack|fivetuple",
	  .help = "what makes a row: stack and flow (all), stack, or fivetuple; the old names have their own default" },
	{ .name = "clear", .letter = 'c', .type = NT_OPT_FLAG, .offset = O(clear),
	  .help = "figures of the interval alone; default except under old names that counted on" },
	{ .name = "disable-normal-filter", .letter = 'N', .type = NT_OPT_FLAG, .offset = O(show_benign),
	  .help = "count normal ends of life (sockets that close, packet taps) too" },
	{ .name = "normal-list", .type = NT_OPT_STRING, .arg = "FILE", .offset = O(normal_list),
	  .help = "functions whose frees are normal, one a line, instead of the built-in list" },
	{ .name = "reason", .type = NT_OPT_STRLIST, .arg = "LIST", .offset = O(reason),
	  .help = "drop reasons to count" },
	{ .name = "exclude-reason", .type = NT_OPT_STRLIST, .arg = "LIST", .offset = O(exclude_reason),
	  .help = "drop reasons to leave out" },
	{ .name = "location", .type = NT_OPT_STRLIST, .arg = "LIST", .offset = O(location),
	  .help = "functions whose drops are counted" },
	{ .name = "by", .type = NT_OPT_STRLIST, .arg = "LIST", .offset = O(by),
	  .help = "more rankings: reason, location, dev, cpu, netns" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb",
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
};

static bool called(const struct nt_run *r, const char *word)
{
	return strstr(nt_run_called_as(r), word) != NULL;
}

/* The scripts of other names: stacks only, counting on since the start. */
static bool called_as_stack_script(const struct nt_run *r)
{
	return !called(r, "_all") && (called(r, ".py") || called(r, ".bt"));
}

/* The .bt form took DEVICE [INTERVAL]; "" is no filter. */
static int bt_words(struct nt_run *r, struct nt_err *err)
{
	size_t n = nt_run_n_words(r);

	if (!called(r, ".bt") || !n)
		return 0;
	if (n > 2)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "too many words: %s: give DEVICE [INTERVAL]",
				  nt_run_word(r, 2));
	if (nt_run_word(r, 0)[0])
		nt_run_set_device(r, nt_run_word(r, 0));
	if (n == 2 && nt_parse_duration(nt_run_word(r, 1), 0.01, 1e9, &nt_run_common(r)->interval_ns))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "bad interval: %s: give seconds",
				  nt_run_word(r, 1));
	nt_run_consume_words(r);
	return 0;
}

static int check(struct nt_run *r, struct nt_err *err)
{
	static const char *const by[] = { "reason", "location", "dev", "cpu", "netns" };
	struct nt_drop_opts *o = nt_run_opts_rw(r);
	int rc = bt_words(r, err);

	if (!nt_run_given(r, "group-by"))
		o->group_by = called_as_stack_script(r) ? NT_DROP_GROUP_STACK : NT_DROP_GROUP_ALL;
	if (called(r, "fivetuple") && !nt_run_given(r, "group-by"))
		o->group_by = NT_DROP_GROUP_FLOW;
	if (!called_as_stack_script(r))
		o->clear = true;
	for (size_t i = 0; !rc && i < o->by.n; i++) {
		size_t k;

		for (k = 0; k < NT_COUNT(by) && strcmp(by[k], o->by.item[i]); k++)
			;
		if (k == NT_COUNT(by))
			rc = nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"bad value for --by: %s: give reason, location, dev, cpu or netns", o->by.item[i]);
	}
	return rc ? rc : nt_drop_check(r, err);
}

const struct nt_tool nt_tool_kernel_drop_stack_stats_summary = {
	.name = "kernel_drop_stack_stats_summary",
	.aliases = "kernel_drop_stack_stats_summary.py|kernel_drop_stack_stats_summary_all|"
		   "kernel_drop_stack_stats_summary_all.py|kernel_drop_stack_stats.bt|kernel_drop_stack_stats|"
		   "kfree_skb_stack_stats_hist|kfree_skb_stack_stats_hist.py|kfree_skb_stack_stats|"
		   "kfree_skb_stack_stats.bt|kernel_drop_stack_stats_fivetuple|"
		   "kernel_drop_stack_stats_fivetuple.py",
	.group = NT_GROUP_STACK,
	.summary = "where the kernel drops packets: by reason, place, device, stack and flow",
	.help =
	"Counts every packet that the kernel drops (the tracepoint skb:kfree_skb), in the kernel, by reason,\n"
	"place, device and, as --group-by says, call stack and flow. The place is the function that gave the\n"
	"packet up; list and purge functions that only free for others are skipped. Normal ends of life are\n"
	"left out but counted as suppressed. Beside the table stand the kernel's own counters that rose, with\n"
	"the part of them that the drops seen here explain.",
	.example = {
		"nettrace kernel_drop_stack_stats_summary -i 5            # every 5 s, all drops",
		"nettrace kernel_drop_stack_stats_summary -n eth0 --by reason udp port 53   # DNS on one device",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_drop_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_DEV | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_drops",
	.engine = &nt_drop_stats_engine,
	.check = check,
};
