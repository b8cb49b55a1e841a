/* SPDX-License-Identifier: GPL-2.0 */
/* Nothing is lost in silence: the five kinds of loss, from the kernel's counters and ours. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "core.h"

/* bpf_link_info of a perf link ends with "missed" since 6.7; our headers may be older. */
struct perf_link_info {
	uint32_t type, id, prog_id, pad;
	uint32_t perf_type, pad2;
	uint64_t func_name;
	uint32_t name_len, offset;
	uint64_t addr, missed;
	uint64_t rest[4];
};

static uint64_t kprobe_missed(int link_fd)
{
	struct perf_link_info info;
	uint32_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (link_fd < 0 || bpf_obj_get_info_by_fd(link_fd, (void *)&info, &len))
		return 0;
	/* a kernel that does not know the member leaves the zero that we wrote */
	return info.type == 7 /* BPF_LINK_TYPE_PERF_EVENT */ ? info.missed : 0;
}

/* Runs that the kernel skipped because the program was active on that CPU (5.12+). */
static uint64_t recursion_missed(int prog_fd)
{
	struct bpf_prog_info info;
	uint32_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (prog_fd < 0 || bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return 0;
	return info.recursion_misses;
}

static uint64_t missed(struct nt_run *r)
{
	uint64_t n = 0;

	for (size_t i = 0; i < r->plan.n; i++) {
		struct nt_plan_hook *h = &r->plan.hook[i];
		struct bpf_program *p;
		char name[96];

		if (h->off || h->chosen < 0 || !r->bpf.link)
			continue;
		nt_plan_prog(h, name, sizeof(name));
		p = bpf_object__find_program_by_name(r->bpf.obj, name);
		n += recursion_missed(p ? bpf_program__fd(p) : -1);
		if (h->event[0])
			n += nt_kprobe_missed(h);
		else if (r->bpf.link[i] && (h->cand[h->chosen].kind == NT_PROG_KPROBE ||
					    h->cand[h->chosen].kind == NT_PROG_KRETPROBE))
			n += kprobe_missed(bpf_link__fd(r->bpf.link[i]));
	}
	return n;
}

/*
 * Events that no buffer took. From 5.1 on the program is told and counts them
 * (NT_STAT_LOST_BUFFER); before, bpf_perf_event_output() returns 0 whatever
 * becomes of an event. perf's own records of losses are late: they come with the
 * next event that fits, so the last ones never come. Once everything is read,
 * sent and received are compared.
 */
static uint64_t buffer_lost(struct nt_run *r)
{
	uint64_t told = nt_run_stat(r, NT_STAT_LOST_BUFFER), sent;

	if (r->bpf.ringbuf)
		return told;
	if (!r->end_ns)
		return r->perf_lost > told ? r->perf_lost : told;
	sent = nt_run_stat(r, NT_STAT_PERF_SENT);
	return told + (sent > r->perf_received ? sent - r->perf_received : 0);
}

/*
 * Calls whose return never came, as the table of callers forgot them. When the gate shuts some are
 * under way, which looks the same: at most a task's and a softirq's on each CPU.
 */
static uint64_t calls_lost(struct nt_run *r)
{
	uint64_t begun, ended;

	if (!r->end_ns)
		return 0;
	begun = nt_run_stat(r, NT_STAT_CALLS_BEGUN);
	ended = nt_run_stat(r, NT_STAT_CALLS_ENDED);
	return begun > ended + 2 * nt_run_cpus(r) ? begun - ended : 0;
}

void nt_loss_read(struct nt_run *r, struct nt_lost *l)
{
	*l = r->user_lost;
	l->buffer += buffer_lost(r);
	l->map_full += nt_run_stat(r, NT_STAT_MAP_FULL);
	l->evicted += nt_run_stat(r, NT_STAT_EVICTED);
	l->unmatched += nt_run_stat(r, NT_STAT_UNMATCHED) + calls_lost(r);
	l->probe_missed += missed(r) + r->too_deep;
}

void nt_run_lost(struct nt_run *r, enum nt_stat kind, uint64_t n)
{
	switch (kind) {
	case NT_STAT_LOST_BUFFER: r->user_lost.buffer += n; break;
	case NT_STAT_MAP_FULL: r->user_lost.map_full += n; break;
	case NT_STAT_EVICTED: r->user_lost.evicted += n; break;
	case NT_STAT_UNMATCHED: r->user_lost.unmatched += n; break;
	default: break;
	}
}

void nt_loss_json(struct nt_run *r, const struct nt_lost *l)
{
	nt_json_obj(r->out, "lost");
	nt_json_u64(r->out, "buffer", l->buffer);
	nt_json_u64(r->out, "map_full", l->map_full);
	nt_json_u64(r->out, "evicted", l->evicted);
	nt_json_u64(r->out, "probe_missed", l->probe_missed);
	nt_json_u64(r->out, "unmatched", l->unmatched);
	nt_json_obj_end(r->out);
}

static void warn(struct nt_run *r, uint64_t n, const char *what, const char *remedy)
{
	char count[32];

	if (n)
		nt_text(r->out, "warning: %s %s%s%s\n", nt_fmt_count(n, count, sizeof(count)), what,
			remedy ? ": " : "", remedy ? remedy : "");
}

void nt_loss_text(struct nt_run *r, const struct nt_lost *l)
{
	warn(r, l->buffer, "events did not fit the buffer", "raise --buffer-size, or filter");
	warn(r, l->map_full, "could not be stored, the state map was full", "raise --max-entries");
	warn(r, l->evicted, "entries were evicted before they were finished", NULL);
	warn(r, l->probe_missed, "probe hits were missed by the kernel", NULL);
	warn(r, l->unmatched, "ends had no start", NULL);
}
