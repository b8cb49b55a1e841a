/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/recv.h"

#define O(member) offsetof(struct nt_recv_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "pid", .letter = 'p', .type = NT_OPT_STRLIST, .arg = "PID,...", .offset = O(pid),
	  .flags = NT_OPT_FILTER, .help = "these processes (default: all)" },
	{ .name = "process", .type = NT_OPT_STRLIST, .arg = "NAME|PID,...", .offset = O(process),
	  .flags = NT_OPT_FILTER,
	  .help = "all processes of these names (of the main thread or the executable), those started later too" },
	{ .name = "port", .type = NT_OPT_PORTS, .offset = O(port), .flags = NT_OPT_FILTER | NT_OPT_ZERO_IS_ANY,
	  .help = "the socket's own port, or a range" },
	{ .name = "rport", .type = NT_OPT_PORTS, .offset = O(rport), .flags = NT_OPT_FILTER | NT_OPT_ZERO_IS_ANY,
	  .help = "the peer's port, or a range; sockets that are not connected have none" },
	{ .name = "laddr", .type = NT_OPT_PREFIX, .offset = O(laddr), .flags = NT_OPT_FILTER,
	  .help = "the socket's own address or prefix, IPv4 or IPv6" },
	{ .name = "raddr", .type = NT_OPT_PREFIX, .offset = O(raddr), .flags = NT_OPT_FILTER,
	  .help = "the peer's address or prefix" },
	{ .name = "syscalls", .type = NT_OPT_STRLIST, .arg = "LIST", .offset = O(syscalls), .flags = NT_OPT_FILTER,
	  .def = "recvfrom,recvmsg,recvmmsg,read,readv,other",
	  .help = "calls that are measured; other: past these, as by io_uring, 32-bit programs and the kernel itself" },
	{ .name = "interval", .letter = 'i', .def = "5", .flags = NT_OPT_COMMON, .help = "report period" },
	{ .name = "duration", .letter = 'd', .flags = NT_OPT_COMMON },
	{ .name = "high-latency-threshold", .letter = 't', .type = NT_OPT_U32, .arg = "US", .offset = O(threshold_us),
	  .aliases = "threshold", .unit = "us", .help = "also show each call from this on (default and 0: none)" },
	{ .name = "threshold-on", .type = NT_OPT_ENUM, .offset = O(on), .choices = "total|wait|wakeup|work",
	  .def = "total",
	  .help = "the part that the threshold is about, and by which the slowest calls are listed; without it "
		  "these are listed by wakeup and work together" },
	{ .name = "sort", .type = NT_OPT_ENUM, .offset = O(sort),
	  .choices = "work|wakeup|application|queue|bytes|calls", .def = "work",
	  .help = "order of the sockets; application: the time that data waited for a busy thread" },
	{ .name = "top", .def = "10", .flags = NT_OPT_COMMON, .help = "sockets and slowest calls of a report" },
	{ .name = "max-entries", .def = "16384", .flags = NT_OPT_COMMON,
	  .help = "threads that are in a call at a time, and sockets in an interval" },
};

#define OTHER(stem_, type_, target, family) \
	{ .stem = stem_, .type = type_, .targets = target, .need = NT_OPTIONAL, .wanted = nt_recv_wants_other, \
	  .loss = "receives by io_uring, 32-bit programs, the kernel (" family ")" }

static const struct nt_hook hooks[] = {
	{ .stem = "sys_enter", .type = NT_HOOK_TP, .targets = "raw_syscalls:sys_enter", .flags = NT_HOOK_ENTRY },
	{ .stem = "sys_exit", .type = NT_HOOK_TP, .targets = "raw_syscalls:sys_exit" },
	{ .stem = "sched_switch", .type = NT_HOOK_TP, .targets = "sched:sched_switch" },
	{ .stem = "sched_waking", .type = NT_HOOK_TP, .targets = "sched:sched_waking" },
	OTHER("inet_recv", NT_HOOK_FUNC, "inet_recvmsg", "IPv4"),
	OTHER("inet_recv_end", NT_HOOK_RET, "inet_recvmsg", "IPv4"),
	OTHER("inet6_recv", NT_HOOK_FUNC, "inet6_recvmsg", "IPv6, but on 4.19"),
	OTHER("inet6_recv_end", NT_HOOK_RET, "inet6_recvmsg", "IPv6, but on 4.19"),
	{ .stem = "process_exit", .type = NT_HOOK_TP, .targets = "sched:sched_process_exit", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_EOL, .loss = "a thread that dies in a call is shown as waiting on" },
	{ .stem = "process_fork", .type = NT_HOOK_TP, .targets = "sched:sched_process_fork", .need = NT_OPTIONAL,
	  .wanted = nt_recv_wants_names, .loss = "new processes of the name are seen an interval late" },
	{ .stem = "process_exec", .type = NT_HOOK_TP, .targets = "sched:sched_process_exec", .need = NT_OPTIONAL,
	  .wanted = nt_recv_wants_names, .loss = "processes that get the name by exec are seen an interval late" },
};

extern const struct nt_tool nt_tool_syscall_recv_latency;
const struct nt_tool nt_tool_syscall_recv_latency = {
	.name = "syscall_recv_latency",
	.aliases = "syscall_recv_latency.py|syscall_recv_latency_summary|syscall_recv_latency_summary.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "why receive calls take long or Recv-Q grows, and who is to blame",
	.help =
	"Recv-Q grows: is the receive call slow, is the reader woken late, or does the application not read?\n"
	"Measures recvfrom (recv), recvmsg, recvmmsg, read and readv on IPv4 and IPv6 sockets, not on files:\n"
	"\n"
	"  wait      the thread sleeps in the call until data come, a timeout or a signal\n"
	"  wakeup    from there until it has a CPU: it was woken late, or others had the CPU\n"
	"  work      the rest of the call: copying, locks, protocol; also preempted or blocked in it\n"
	"  busy      before the call: since the thread last received, or came back from poll, select, epoll\n"
	"  Recv-Q    what waited in the socket as the call began: bytes of TCP, else memory of the packets\n"
	"\n"
	"A socket is limited by what most of the time went to: the sender (wait; time in poll counts as that,\n"
	"too), the scheduler (wakeup, preempted), the kernel (other work), or the application (busy while\n"
	"data waited). A long call is no slow one, it may have waited for data: so the slowest calls are\n"
	"those with most time from data to return, wakeup and work. EAGAIN and timeouts are no errors. Calls\n"
	"that had begun before the tool are counted as unmatched. The last report is since the start.",
	.example = {
		"nettrace syscall_recv_latency --process redis-server --port 6379  # that server, every 5 s",
		"nettrace syscall_recv_latency -p 4711 -t 1000 --threshold-on wakeup # each call woken 1 ms late",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_recv_opts),
	.tuple = NT_TUPLE_PROTO,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_recv_calls|nt_recv_socks0|nt_recv_socks1",
	.engine = &nt_recv_engine,
	.check = nt_recv_check,
};
