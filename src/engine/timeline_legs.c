/* SPDX-License-Identifier: GPL-2.0 */
/* Two legs: sessions that ended, and those that do not. */
#include <bpf/bpf.h>
#include <string.h>

#include "timeline.h"

#define SWEEP_KEYS 4096		/* most entries that one sweep looks at */
#define TRACKS 4		/* packets that can be on their way, for each session */

int nt_tl_legs_configure(struct nt_run *r)
{
	const struct nt_tl_opts *o = nt_tl_opts_of(r);
	uint32_t entries = nt_run_common(r)->max_entries, sw = 0;

	if (nt_tl_legs_wants(r, NT_DIR_TX))
		sw |= NT_TL_ECHO_TX;
	if (nt_tl_legs_wants(r, NT_DIR_RX))
		sw |= NT_TL_ECHO_RX;
	if (o->reversed[NT_DIR_TX])
		sw |= NT_TL_REVERSED_TX;
	if (o->reversed[NT_DIR_RX])
		sw |= NT_TL_REVERSED_RX;
	if (o->debug)
		sw |= NT_TL_DEBUG;
	nt_run_map_entries(r, "nt_tracks", TRACKS * entries);
	nt_run_map_entries(r, "nt_aliases", TRACKS * entries);
	return (int)sw;
}

static uint64_t hooked(const struct nt_run *r, const char *const stem[NT_RTT_HOOKS])
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < NT_RTT_HOOKS; i++)
		if (nt_run_hooked(r, stem[i]))
			mask |= 1u << i;
	return mask;
}

uint64_t nt_tl_legs_hooked(const struct nt_run *r)
{
	static const char *const v4[] = { "ip_out", "phy_queue", "phy_xmit", "phy_rx", "ip_rcv", "icmp_rcv" };
	static const char *const v6[] = { "ip6_out", "phy_queue", "phy_xmit", "phy_rx", "ip6_rcv", "icmp6_rcv" };

	return hooked(r, v4) | hooked(r, v6) << NT_RTT_HOOKS_V6;
}

/* --count is about what is shown: when it is reached, the rest is only counted. */
static bool shows(struct nt_run *r)
{
	return nt_tl_details(r) && !nt_run_enough(r);
}

void nt_tl_legs_event(struct nt_run *r, const void *data, size_t size)
{
	static struct nt_rtt s;

	if (size < sizeof(s) || !shows(r))
		return;
	memcpy(&s, data, sizeof(s));
	nt_tl_legs_show(r, &s);
	nt_run_event_shown(r);
}

/* ---- what does not end ---- */
/* A leg that is under way: its packet's timeline is younger than what the session has of it. */
static void look_up_leg(struct nt_run *r, struct nt_timeline *leg)
{
	int aliases = nt_run_map_fd(r, "nt_aliases"), tracks = nt_run_map_fd(r, "nt_tracks");
	struct nt_tl_alias_key k = {
		.sport = leg->pkt.flow.sport, .dport = leg->pkt.flow.dport, .id_a = leg->id_a, .id_b = leg->id_b,
		.proto = leg->pkt.flow.proto, .ip_version = leg->pkt.flow.ip_version,
	};
	static struct nt_timeline now;
	struct nt_tl_alias a;

	memcpy(k.saddr, leg->pkt.flow.saddr, sizeof(k.saddr));
	memcpy(k.daddr, leg->pkt.flow.daddr, sizeof(k.daddr));
	if (!leg->start_ns || leg->ended != NT_TL_INSIDE || bpf_map_lookup_elem(aliases, &k, &a) ||
	    a.start_ns != leg->start_ns || bpf_map_lookup_elem(tracks, &a.skb, &now) || now.start_ns != leg->start_ns)
		return;
	*leg = now;
	bpf_map_delete_elem(tracks, &a.skb);
	bpf_map_delete_elem(aliases, &k);
}

static uint32_t last_stage(const struct nt_timeline *l)
{
	return l->stop[(l->n ? l->n - 1 : 0) % NT_TL_STOPS].stage % NT_TL_STAGES;
}

/* It is ours only if we delete its entry: else its end has come after all. */
static void evict(struct nt_run *r, int fd, const void *key, const struct nt_rtt *was, uint64_t now, uint32_t ended)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	static struct nt_rtt s;
	uint32_t leg;

	if (bpf_map_delete_elem(fd, key))
		return;
	s = *was;
	s.ended = ended;
	s.ended_ns = now;
	look_up_leg(r, &s.leg[0]);
	look_up_leg(r, &s.leg[1]);
	leg = s.leg[1].start_ns != 0;
	nt_run_lost(r, NT_STAT_EVICTED, 1);
	if (ended == NT_RTT_TIMEOUT)
		p->legs.timed_out.n[s.key.direction & 1][leg][last_stage(&s.leg[leg])]++;
	else
		p->legs.unfinished.n[s.key.direction & 1][leg][last_stage(&s.leg[leg])]++;
	/* At the end of a run a screen full of sessions that are merely under way helps nobody:
	 * the summary counts them. */
	if (shows(r) && (ended == NT_RTT_TIMEOUT || nt_out_format(nt_run_out(r)) != NT_TEXT)) {
		nt_tl_legs_show(r, &s);
		nt_run_event_shown(r);
	}
}

static void judge(struct nt_run *r, int fd, const void *key, const void *value, void *all)
{
	uint64_t now = nt_now_ns(), limit = nt_tl_opts_of(r)->timeout_ms * 1000000ULL;
	const struct nt_rtt *s = value;

	if (now > s->start_ns + limit)
		evict(r, fd, key, value, now, NT_RTT_TIMEOUT);
	else if (all)
		evict(r, fd, key, value, now, NT_RTT_UNFINISHED);
}

void nt_tl_legs_sweep(struct nt_run *r)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	static struct nt_rtt s;

	nt_sweep(r, &p->rtt_sweep, "nt_rtts", &s, SWEEP_KEYS, judge, NULL);
}

/* The gate is shut: nothing is stored any more. */
void nt_tl_legs_finish(struct nt_run *r)
{
	struct nt_tl_priv *p = nt_run_priv(r);
	static struct nt_rtt s;

	p->rtt_sweep.has_cursor = false;
	nt_sweep(r, &p->rtt_sweep, "nt_rtts", &s, SIZE_MAX, judge, r);
}
