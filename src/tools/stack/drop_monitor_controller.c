/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/monitor.h"

#define O(member) offsetof(struct nt_monitor_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "interface", .flags = NT_OPT_REQUIRED | NT_OPT_COMMON, .help = "devices whose counters are watched" },
	{ .name = "interval", .def = "30", .flags = NT_OPT_COMMON, .help = "length of a cycle" },
	{ .name = "count", .flags = NT_OPT_COMMON, .help = "stop after N cycles" },
	{ .name = "command", .type = NT_OPT_STRING, .arg = "COMMAND", .offset = O(command),
	  .help = "what writes the log: run without a shell, one of our own tools by this executable; default: "
		  "eth_drop on the interface, in process" },
	{ .name = "stop-command", .type = NT_OPT_STRING, .arg = "COMMAND", .offset = O(stop_command),
	  .help = "run at the end of a cycle before the command's process group gets SIGTERM" },
	{ .name = "log-dir", .type = NT_OPT_STRING, .arg = "PATH", .offset = O(log_dir), .def = "./logs",
	  .help = "where logs are kept, made if missing; if given, cycles without drops print nothing" },
	{ .name = "counters", .type = NT_OPT_STRLIST, .arg = "LIST", .offset = O(counters),
	  .help = "rx_dropped (the default), rx_missed, rx_errors, rx_over, rx_fifo, tx_dropped, tx_errors, "
		  "nohandler, all" },
	{ .name = "min-drops", .type = NT_OPT_U32, .offset = O(min_drops), .def = "1", .min = 1, .max = 4294967295.0,
	  .unit = "packets", .help = "rise of the counters in a cycle that keeps its log" },
	{ .name = "keep", .type = NT_OPT_U32, .offset = O(keep), .def = "100", .min = 1, .max = 1e6,
	  .unit = "files", .help = "logs kept; the oldest goes first" },
	{ .name = "max-log", .type = NT_OPT_SIZE, .offset = O(max_log_bytes), .def = "64M", .min = 65536,
	  .max = 1e12, .unit = "bytes", .help = "size of a log; what is above it is counted" },
	{ .name = "pre", .type = NT_OPT_DURATION, .offset = O(pre_ns), .def = "5", .max = 3600, .unit = "s",
	  .help = "events before the cycle that a log begins with; a command runs on as long beside the next" },
};

static bool in_process(const void *o)
{
	return !((const struct nt_monitor_opts *)o)->command;
}

static bool deferred(const void *o)
{
	return in_process(o) && ((const struct nt_monitor_opts *)o)->drop.deferred;
}

static const struct nt_hook hooks[] = {
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .wanted = in_process,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "free_irq", .type = NT_HOOK_FUNC, .targets = "dev_kfree_skb_irq_reason|__dev_kfree_skb_irq",
	  .need = NT_OPTIONAL, .wanted = deferred, .loss = "who dropped packets that softirq freed" },
};

const struct nt_tool nt_tool_drop_monitor_controller = {
	.name = "drop_monitor_controller",
	.aliases = "drop_monitor_controller.py",
	.group = NT_GROUP_STACK,
	.summary = "keeps a drop log only of periods in which a device's drop counter rose",
	.help =
	"For watches of days: reads the counters of the interfaces at the start and at the end of each cycle and\n"
	"keeps the cycle's log, monitor_YYYYMMDD_HHMMSS.log, only if they rose in between. Without --command the\n"
	"log holds every dropped packet as eth_drop shows it (JSON lines with --json); the programs stay attached,\n"
	"so no start is missed, and the log begins with the last seconds before the cycle (--pre). With --command\n"
	"nothing is attached and no privilege is needed; the next cycle's command starts before the last one is\n"
	"stopped. A stop command that kills by name or pattern also ends what others run: the process group of\n"
	"the command is stopped in any case, so rather give none.",
	.example = {
		"nettrace drop_monitor_controller --interface eth0 --counters rx_dropped,rx_missed   # every drop",
		"nettrace drop_monitor_controller --interface eth0 --command 'tcpdump -lni eth0'  # a command's log",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_monitor_opts),
	.tuple = NT_TUPLE_DEV,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.engine = &nt_monitor_engine,
	.check = nt_monitor_check,
};
