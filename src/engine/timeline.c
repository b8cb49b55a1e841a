/* SPDX-License-Identifier: GPL-2.0 */
/* Timeline engine: devices, constants, packets that ended, packets that do not. */
#include "timeline.h"
#include "nettrace/echo.h"
#include "nettrace/ksyms.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_KEYS 16384	/* most entries that one sweep looks at */
#define UPLINKS 16		/* most devices of a role */

bool nt_tl_details(const struct nt_run *r)
{
	const struct nt_tl_desc *d = nt_tl_desc_of(r);

	return (d->details && !nt_tl_opts_of(r)->summary) || (d->backlog && nt_tl_opts_of(r)->latency_us > 0);
}

bool nt_tl_has_stacks(const struct nt_run *r)
{
	const struct nt_tl_opts *o = nt_tl_opts_of(r);

	return nt_tl_details(r) && (nt_tl_desc_of(r)->legs ? !o->no_stacks : o->stacks);
}

bool nt_tl_keeps_slowest(const struct nt_run *r)
{
	return nt_tl_desc_of(r)->details && !nt_tl_desc_of(r)->legs && nt_run_given(r, "top");
}

/* ---- the command line ---- */
static int name_devices(struct nt_tl_priv *p, const struct nt_devlinks *links, const char *option,
			const struct nt_strlist *names, uint16_t role, struct nt_err *err)
{
	if (names->n)
		p->named |= role;
	return nt_devset_add(&p->devset, links, option, names, role, UPLINKS, err);
}

/* --interface: a device's role by what it is. */
static int name_either(struct nt_tl_priv *p, const struct nt_devlinks *links, const struct nt_strlist *names,
		       struct nt_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < names->n && !rc; i++) {
		const struct nt_strlist one = { &names->item[i], 1 };
		bool internal = nt_devlinks_kind(links, names->item[i]) == NT_LINK_OVS_INTERNAL;

		rc = name_devices(p, links, "--interface", &one, internal ? NT_TL_INTERNAL : NT_TL_PHY, err);
	}
	return rc;
}

static int find_devices(struct nt_run *r, struct nt_err *err)
{
	const char *phy = nt_tl_desc_of(r)->phy_option ?: "--phy-interface";
	const struct nt_tl_opts *o = nt_tl_opts_of(r);
	struct nt_tl_priv *p = nt_run_priv(r);
	struct nt_devlinks links;
	int rc = nt_devlinks_read(&links, err);

	if (rc)
		return rc;
	rc = name_devices(p, &links, phy, &o->phy, NT_TL_PHY, err);
	if (!rc)
		rc = name_devices(p, &links, "--internal-interface", &o->internal, NT_TL_INTERNAL, err);
	if (!rc)
		rc = name_either(p, &links, &o->either, err);
	for (size_t i = 0; i < NT_COUNT(o->old_phy) && !rc; i++)
		rc = name_devices(p, &links, "--phy-iface", &o->old_phy[i], NT_TL_PHY, err);
	if (!rc && !(p->named & NT_TL_PHY) && !nt_tl_desc_of(r)->backlog)
		p->any_device = !nt_devset_add_uplinks(&p->devset, &links, NT_TL_PHY, UPLINKS);
	nt_devlinks_free(&links);
	return rc;
}

static int parse_stage_us(struct nt_run *r, struct nt_err *err)
{
	const char *text = nt_tl_opts_of(r)->stage_us;
	struct nt_tl_priv *p = nt_run_priv(r);

	if (text && nt_tl_parse_stage_us(text, &p->stage_from, &p->stage_to, &p->stage_ns))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"bad threshold of a stage: --stage-us %s: give FROM:TO:US, as ip_out:phy_queue:500", text);
	return 0;
}

/* The direction says whose addresses are meant; ports were those of either end in the scripts. */
static void decide_filter(struct nt_run *r)
{
	const struct nt_tuple_opts *t = nt_run_tuple(r);
	const struct nt_tl_opts *o = nt_tl_opts_of(r);

	if (o->direction == NT_TL_BOTH && (t->src.set || t->dst.set))
		nt_run_tuple_mask(r, NT_FILTER_EITHER_ADDR);
	if (!o->strict_ports && (t->sport.set || t->dport.set))
		nt_run_tuple_mask(r, NT_FILTER_EITHER_PORT);
}

int nt_timeline_check(struct nt_run *r, struct nt_err *err)
{
	const struct nt_common_opts *c = nt_run_common(r);
	uint32_t proto = nt_run_tuple(r)->proto;

	if (proto != NT_PROTO_ALL && proto != 6 && proto != 17 && proto != 1)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"protocol that is not followed: --protocol: give tcp, udp, icmp or all");
	if (c->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: %s has records of several kinds: use --json", nt_run_tool(r)->name);
	if (nt_tl_keeps_slowest(r) && c->count)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"contradicting options: --top and --count: give one of them");
	if (parse_stage_us(r, err))
		return -EINVAL;
	decide_filter(r);
	nt_run_set_aggregates(r, !nt_tl_details(r) || nt_tl_keeps_slowest(r));
	return find_devices(r, err);
}

int nt_timeline_backlog_check(struct nt_run *r, struct nt_err *err)
{
	const struct nt_common_opts *c = nt_run_common(r);

	if (c->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: %s has records of several kinds: use --json", nt_run_tool(r)->name);
	decide_filter(r);
	nt_run_set_aggregates(r, !nt_tl_details(r));
	return find_devices(r, err);
}

int nt_timeline_legs_check(struct nt_run *r, struct nt_err *err)
{
	struct nt_tl_opts *o = nt_run_opts_rw(r);
	const struct nt_common_opts *c = nt_run_common(r);

	if (o->summary && c->count && !c->interval_ns)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"--count without events: --summary shows none: give --interval too");
	o->summary |= c->interval_ns > 0;
	o->latency_us = o->latency_ms * 1e3;
	nt_echo_ends(r, o->reversed);
	nt_run_set_aggregates(r, o->summary);
	return nt_tl_desc_of(r)->by_packet ? 0 : find_devices(r, err);
}

/* ---- constants, maps ---- */
static uint64_t switches(struct nt_run *r)
{
	const struct nt_tl_opts *o = nt_tl_opts_of(r);
	const struct nt_tl_priv *p = nt_run_priv(r);
	uint64_t sw = 0;

	if (o->direction != NT_TL_ONLY_RX || nt_tl_desc_of(r)->legs)
		sw |= NT_TL_TX;
	if (o->direction != NT_TL_ONLY_TX || nt_tl_desc_of(r)->legs)
		sw |= NT_TL_RX;
	if (nt_tl_details(r))
		sw |= NT_TL_EVENTS | (nt_tl_desc_of(r)->legs ? 0 : NT_TL_DETAIL);
	if (nt_tl_keeps_slowest(r))
		sw |= NT_TL_SLOWEST;
	if (nt_tl_has_stacks(r))
		sw |= NT_TL_STACKS;
	if (o->by_flow)
		sw |= NT_TL_BY_FLOW;
	if (o->summary && !nt_tl_desc_of(r)->legs)
		sw |= NT_TL_BY_IF;
	if (p->any_device)
		sw |= NT_TL_ANY_DEVICE;
	if (p->named & NT_TL_INTERNAL)
		sw |= NT_TL_INTERNAL_NAMED;
	if (p->named & NT_TL_PHY)
		sw |= NT_TL_BY_PHY;
	if (nt_run_hooked(r, "ovs_send"))
		sw |= NT_TL_FROM_OVS;
	return sw;
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	const struct nt_tl_priv *p = nt_run_priv(r);

	(void)err;
	nt_run_const(r, NT_CONST_TOOL0, switches(r) | (nt_tl_desc_of(r)->legs ? nt_tl_legs_configure(r) : 0));
	nt_run_const(r, NT_CONST_TOOL1, (uint64_t)(nt_tl_opts_of(r)->latency_us * 1e3));
	nt_run_const(r, NT_CONST_TOOL2, nt_tl_desc_of(r)->by_packet ? nt_tl_legs_hooked(r) : !p->stage_ns ? 0 :
		     p->stage_ns << 16 | (uint64_t)p->stage_from << 8 | p->stage_to);
	nt_run_const(r, NT_CONST_TOOL3, nt_tl_opts_of(r)->rate);
	if (!nt_tl_has_stacks(r))
		nt_run_map_entries(r, "nt_stacks", 1);
	if (!nt_tl_opts_of(r)->by_flow)
		nt_run_map_entries(r, "nt_tl_flows", 1);
	if (!nt_tl_opts_of(r)->summary || nt_tl_desc_of(r)->legs)
		nt_run_map_entries(r, "nt_tl_ifs", 1);
	if (nt_tl_desc_of(r)->legs)
		return 0;
	if (!nt_run_tool(r)->state_maps || !strstr(nt_run_tool(r)->state_maps, "nt_aliases"))
		nt_run_map_entries(r, "nt_aliases", 1);
	return 0;
}

/* Of tools that look at data of each CPU. */
static void write_percpu(struct nt_run *r)
{
	struct nt_ksyms *k = nt_run_ksyms(r);
	struct nt_percpu at = {
		.offsets = nt_ksyms_var(k, NT_KSYMS_PER_CPU_OFFSET), .softnet = nt_ksyms_var(k, NT_KSYMS_SOFTNET_DATA),
		.preempt_count = nt_ksyms_var(k, NT_KSYMS_PREEMPT_COUNT), .hot = nt_ksyms_var(k, NT_KSYMS_PCPU_HOT),
	};
	int fd = nt_run_map_fd(r, "nt_percpu");
	uint32_t zero = 0;

	if (k && fd >= 0)
		bpf_map_update_elem(fd, &zero, &at, BPF_ANY);
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	uint32_t top = nt_tl_keeps_slowest(r) ? nt_run_common(r)->top : 1;

	if (!nt_tl_desc_of(r)->by_packet) {
		nt_drop_prepare(r, &p->places, err);
		if (!p->places)
			nt_drop_load_places(r, &p->places);
		nt_devset_write(r, &p->devset);
	}
	write_percpu(r);
	if (nt_tl_desc_of(r)->legs && !p->row && nt_tl_legs_rows(r))
		return nt_err_set(err, NT_EXIT_RUNTIME, ENOMEM, "no memory for the rows");
	if (p->now)
		return 0;
	p->now = calloc(1, sizeof(*p->now));
	p->last = calloc(1, sizeof(*p->last));
	p->since = calloc(1, sizeof(*p->since));
	if (p->now && p->last && p->since && !nt_slowest_new(&p->slowest, top, sizeof(struct nt_timeline)))
		return 0;
	return nt_err_set(err, NT_EXIT_RUNTIME, ENOMEM, "no memory for the figures: give a smaller --top");
}

static void started(struct nt_run *r)
{
	const struct nt_tl_priv *p = nt_run_priv(r);

	if (nt_tl_desc_of(r)->by_packet)
		return;
	if (nt_tl_desc_of(r)->backlog)
		nt_tl_backlog_started(r);
	else if (p->any_device)
		nt_text(nt_run_out(r), "  uplinks: none known by bus or default route: every device but lo (--phy-interface)\n");
	else
		nt_devset_text(r, &p->devset, "uplinks:", NT_TL_PHY);
}

/* ---- packets that ended ---- */
static void event(struct nt_run *r, const void *data, size_t size)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	static struct nt_timeline l;

	if (nt_tl_desc_of(r)->legs) {
		nt_tl_legs_event(r, data, size);
		return;
	}
	memcpy(&l, data, sizeof(l));
	if (!nt_tl_keeps_slowest(r)) {
		if (nt_run_enough(r))
			return;
		nt_tl_show_event(r, &l);
		nt_run_event_shown(r);
		return;
	}
	nt_slowest_add(&p->slowest, l.ended_ns - l.start_ns, &l);
	nt_slowest_tell(r, &p->slowest);
}

/* ---- packets that have not ---- */
static bool shows_timeouts(struct nt_run *r, uint64_t age_ns)
{
	const struct nt_tl_priv *p = nt_run_priv(r);

	return nt_tl_details(r) && !nt_tl_keeps_slowest(r) && !nt_run_enough(r) && !p->stage_ns &&
	       (double)age_ns >= nt_tl_opts_of(r)->latency_us * 1e3;
}

static void time_out(struct nt_run *r, const struct nt_timeline *l, uint64_t now)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	struct nt_timeline e = *l;

	if (nt_tl_desc_of(r)->legs)	/* of a session that is counted already */
		return;
	if (l->left_ifindex) {
		p->timed_out_elsewhere++;
		return;
	}
	nt_run_lost(r, NT_STAT_EVICTED, 1);
	p->timed_out[l->direction & 1][l->stop[(l->n - 1) & (NT_TL_STOPS - 1)].stage % NT_TL_STAGES]++;
	e.ended = NT_TL_ENDS;
	e.ended_ns = now;
	if (shows_timeouts(r, now - l->start_ns)) {
		nt_tl_show_event(r, &e);
		nt_run_event_shown(r);
	}
}

static void judge(struct nt_run *r, int fd, const void *key, const void *value, void *arg)
{
	uint64_t now = nt_now_ns(), limit = nt_tl_opts_of(r)->timeout_ms * 1000000ULL, age;
	struct nt_tl_priv *p = nt_run_priv(r);
	const struct nt_timeline *l = value;

	(void)arg;
	if (nt_tl_desc_of(r)->legs)	/* sessions come first */
		limit *= 2;
	age = now > l->start_ns ? now - l->start_ns : 0;
	if (age > limit && !bpf_map_delete_elem(fd, key)) {
		time_out(r, l, now);
		return;
	}
	p->inside++;
	if (age > p->oldest_ns)
		p->oldest_ns = age;
}

/* Aliases of packets that timed out, and those that several packets had. */
static void judge_alias(struct nt_run *r, int fd, const void *key, const void *value, void *arg)
{
	const struct nt_tl_alias *a = value;

	(void)arg;
	if (nt_now_ns() > a->start_ns + 2 * nt_tl_opts_of(r)->timeout_ms * 1000000ULL)
		bpf_map_delete_elem(fd, key);
}

static void sweep(struct nt_run *r)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	struct nt_timeline l;
	struct nt_tl_alias a;

	if (nt_tl_desc_of(r)->legs)
		nt_tl_legs_sweep(r);
	nt_sweep(r, &p->sweep, "nt_tracks", &l, SWEEP_KEYS, judge, NULL);
	nt_sweep(r, &p->alias_sweep, "nt_aliases", &a, SWEEP_KEYS, judge_alias, NULL);
	if (nt_tl_has_stacks(r))
		nt_stacks_renew(r, &p->stacks, NT_STAT_TL_NO_STACK);
}

void nt_tl_look_inside(struct nt_run *r)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	struct nt_sweep all = { .has_cursor = false };
	struct nt_timeline l;

	p->inside = p->oldest_ns = 0;
	nt_sweep(r, &all, "nt_tracks", &l, SIZE_MAX, judge, NULL);
}

/* The gate is shut: what is inside now is what the run leaves behind. */
static void finish(struct nt_run *r)
{
	struct nt_tl_priv *p = nt_run_priv(r);

	if (nt_tl_desc_of(r)->legs)
		nt_tl_legs_finish(r);
	nt_tl_look_inside(r);
	p->finished = true;
}

static void release(struct nt_run *r)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	struct nt_tl_figures *f[] = { p->now, p->last, p->since };

	for (size_t i = 0; i < NT_COUNT(f); i++) {
		if (f[i]) {
			free(f[i]->flow);
			free(f[i]->backlog);
		}
		free(f[i]);
	}
	nt_drop_free_places(p->places);
	nt_slowest_free(&p->slowest);
	nt_stream_free(p->csv);
	free(p->row);
}

const struct nt_engine nt_timeline_engine = {
	.name = "timeline",
	.priv_size = sizeof(struct nt_tl_priv),
	.configure = configure,
	.prepare = prepare,
	.started = started,
	.event = event,
	.min_event = sizeof(struct nt_timeline),
	.interval = nt_tl_interval,
	.sweep = sweep,
	.finish = finish,
	.end = nt_tl_report_end,
	.release = release,
};
