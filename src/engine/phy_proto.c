/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <string.h>

#include "nettrace/phy.h"

/* In the order of the wire. */
static const char *const counter_names[NT_PHY_COUNTERS] = {
	"rx_over_errors", "rx_crc_errors", "rx_missed_errors", "rx_fifo_errors", "rx_frame_errors",
	"rx_length_errors", "tx_carrier_errors", "tx_aborted_errors", "tx_fifo_errors",
	"rx_dropped", "tx_dropped", "rx_errors", "tx_errors",
};
enum { RX_DROPPED = 9, TX_DROPPED = 10, HARDWARE = 9 };	/* the first nine are the device's */
/* Our extension behind the script's answer: type, length, value. */
enum tlv { TLV_VERSION = 1, TLV_SESSION, TLV_OVERFLOW, TLV_DUPLICATES, TLV_RUN, TLV_DROPS_KNOWN, TLV_DROP };

const char *nt_phy_counter_name(size_t i)
{
	return counter_names[i];
}

/* ---- writing and reading ---- */
struct cursor {
	uint8_t *p;
	size_t left;
	bool bad;
};

static void put(struct cursor *c, uint64_t v, size_t bytes)
{
	if (c->left < bytes) {
		c->bad = true;
		return;
	}
	for (size_t i = 0; i < bytes; i++)
		*c->p++ = (uint8_t)(v >> 8 * (bytes - 1 - i));
	c->left -= bytes;
}

static uint64_t get(struct cursor *c, size_t bytes)
{
	uint64_t v = 0;

	if (c->left < bytes) {
		c->bad = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | *c->p++;
	c->left -= bytes;
	return v;
}

static void put_tlv(struct cursor *c, enum tlv type, uint64_t v, size_t bytes)
{
	put(c, type, 2);
	put(c, bytes, 2);
	put(c, v, bytes);
}

static void put_drops(struct cursor *c, const struct nt_phy_drops *d)
{
	put_tlv(c, TLV_DROPS_KNOWN, d->known, 1);
	for (size_t i = 0; i < d->n; i++) {
		size_t len = strnlen(d->reason[i].name, sizeof(d->reason[i].name) - 1);

		if (c->left < 12 + len)		/* the rest has no room: better than no answer */
			return;
		put(c, TLV_DROP, 2);
		put(c, 8 + len, 2);
		put(c, d->reason[i].count, 8);
		memcpy(c->p, d->reason[i].name, len);
		c->p += len;
		c->left -= len;
	}
}

static void put_stats(struct cursor *c, const struct nt_phy_stats *s)
{
	put(c, s->received, 4);
	put(c, s->lowest, 4);
	put(c, s->highest, 4);
	put(c, s->out_of_order, 4);
	for (size_t i = 0; i < NT_PHY_COUNTERS; i++)
		put(c, s->counters[i], 8);
	if (!s->extended)
		return;
	put_tlv(c, TLV_VERSION, 1, 2);
	put_tlv(c, TLV_SESSION, s->session, 4);
	put_tlv(c, TLV_OVERFLOW, s->overflow, 8);
	put_tlv(c, TLV_DUPLICATES, s->duplicates, 8);
	put_tlv(c, TLV_RUN, s->longest_run, 4);
	put_drops(c, &s->drops);
}

size_t nt_phy_put(const struct nt_phy_message *m, void *buf, size_t size)
{
	struct cursor c = { buf, size, false };

	put(&c, m->probe ? NT_PHY_PROBE : NT_PHY_CONTROL, 4);
	if (m->probe) {
		put(&c, m->seq, 4);
		put(&c, m->time_us, 8);
		memset(c.p, 0, c.left);
		return c.bad ? 0 : size;
	}
	put(&c, m->type, 1);
	if (m->type == NT_PHY_START && m->session)
		put(&c, m->session, 4);
	if (m->type == NT_PHY_STATS)
		put_stats(&c, &m->stats);
	return c.bad ? 0 : size - c.left;
}

static void get_drop(struct nt_phy_drops *d, struct cursor c)
{
	uint64_t count = get(&c, 8);
	size_t len = c.left < sizeof(d->reason[0].name) - 1 ? c.left : sizeof(d->reason[0].name) - 1;

	if (c.bad || d->n == NT_PHY_REASONS)
		return;
	d->reason[d->n].count = count;
	memcpy(d->reason[d->n].name, c.p, len);
	d->reason[d->n++].name[len] = '\0';
}

static void get_tlvs(struct nt_phy_stats *s, struct cursor *c)
{
	while (c->left >= 4) {
		uint64_t type = get(c, 2), len = get(c, 2);
		struct cursor v = { c->p, len, false };

		if (len > c->left)
			return;
		c->p += len;
		c->left -= len;
		switch (type) {
		case TLV_VERSION: s->extended = true; break;
		case TLV_SESSION: s->session = (uint32_t)get(&v, 4); break;
		case TLV_OVERFLOW: s->overflow = get(&v, 8); break;
		case TLV_DUPLICATES: s->duplicates = get(&v, 8); break;
		case TLV_RUN: s->longest_run = (uint32_t)get(&v, 4); break;
		case TLV_DROPS_KNOWN: s->drops.known = get(&v, 1); break;
		case TLV_DROP: get_drop(&s->drops, v); break;
		default: break;			/* a newer peer's */
		}
	}
}

int nt_phy_parse(struct nt_phy_message *m, const void *buf, size_t n)
{
	struct cursor c = { (uint8_t *)buf, n, false };
	uint64_t magic = get(&c, 4);

	memset(m, 0, sizeof(*m));
	m->probe = magic == NT_PHY_PROBE;
	if (m->probe) {
		m->seq = (uint32_t)get(&c, 4);
		m->time_us = get(&c, 8);
		return c.bad ? -EINVAL : 0;
	}
	m->type = (enum nt_phy_type)get(&c, 1);
	if (magic != NT_PHY_CONTROL || c.bad || m->type < NT_PHY_STATS_REQUEST || m->type > NT_PHY_ACK)
		return -EINVAL;
	if (m->type == NT_PHY_START && c.left >= 4)
		m->session = (uint32_t)get(&c, 4);
	if (m->type != NT_PHY_STATS)
		return 0;
	m->stats.received = (uint32_t)get(&c, 4);
	m->stats.lowest = (uint32_t)get(&c, 4);
	m->stats.highest = (uint32_t)get(&c, 4);
	m->stats.out_of_order = (uint32_t)get(&c, 4);
	for (size_t i = 0; i < NT_PHY_COUNTERS; i++)
		m->stats.counters[i] = get(&c, 8);
	if (c.bad)
		return -EINVAL;
	get_tlvs(&m->stats, &c);
	return 0;
}

/* ---- sequence numbers ---- */
static bool test(const struct nt_phy_seen *s, uint32_t seq)
{
	return s->bit[seq % NT_PHY_WINDOW / 8] >> seq % 8 & 1;
}

static void set(struct nt_phy_seen *s, uint32_t seq, bool on)
{
	uint8_t *b = &s->bit[seq % NT_PHY_WINDOW / 8];

	*b = (uint8_t)(on ? *b | 1u << seq % 8 : *b & ~(1u << seq % 8));
}

static void step(uint32_t *run, uint32_t *longest, bool got)
{
	*run = got ? 0 : *run + 1;
	if (*run > *longest)
		*longest = *run;
}

/* The window moves up to seq: what leaves it is final. */
static void advance(struct nt_phy_seen *s, uint32_t seq)
{
	if (seq - s->highest > NT_PHY_WINDOW) {		/* a wild number, or a very long silence */
		memset(s->bit, 0, sizeof(s->bit));
		s->highest = seq;
		return;
	}
	while (s->highest != seq) {
		s->highest++;
		if (s->highest - s->lowest >= NT_PHY_WINDOW)
			step(&s->run, &s->longest_run, test(s, s->highest));
		set(s, s->highest, false);
	}
}

void nt_phy_seen_add(struct nt_phy_seen *s, uint32_t seq)
{
	if (!s->any) {
		s->any = true;
		s->lowest = s->highest = seq;
	} else if (seq > s->highest) {
		advance(s, seq);
	} else if (s->highest - seq >= NT_PHY_WINDOW) {
		s->out_of_order++;		/* too late to know whether it is the first */
		s->received++;
		return;
	} else if (test(s, seq)) {
		s->duplicates++;
		return;
	} else {
		s->out_of_order++;
		if (seq < s->lowest)
			s->lowest = seq;
	}
	set(s, seq, true);
	s->received++;
}

uint32_t nt_phy_seen_longest(const struct nt_phy_seen *s, uint32_t first, uint32_t last)
{
	uint32_t run = s->run, longest = s->longest_run, from = first;

	if (!s->any)
		return last >= first ? last - first + 1 : 0;
	if (s->highest - from >= NT_PHY_WINDOW)
		from = s->highest - NT_PHY_WINDOW + 1;
	for (uint32_t seq = from; seq <= last && seq >= from; seq++)
		step(&run, &longest, seq <= s->highest && seq >= s->lowest && test(s, seq));
	return longest;
}

/* ---- what follows ---- */
uint64_t nt_phy_lost(const struct nt_phy_result *r)
{
	return r->sent > r->peer.received ? r->sent - r->peer.received : 0;
}

static uint64_t drops_of(const struct nt_phy_drops *d, const char *only, const char *but)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		if ((!only || !strcmp(d->reason[i].name, only)) && (!but || strcmp(d->reason[i].name, but)))
			n += d->reason[i].count;
	return n;
}

static size_t worst_hardware(const uint64_t *counters)
{
	size_t worst = 0;

	for (size_t i = 1; i < HARDWARE; i++)
		if (counters[i] > counters[worst])
			worst = i;
	return worst;
}

/* A cause explains the loss if it accounts for at least half of it. */
static bool half(uint64_t n, uint64_t lost)
{
	return n && 2 * n >= lost;
}

static enum nt_phy_verdict judge_network(const struct nt_phy_result *r, char *evidence, size_t size)
{
	size_t ours = worst_hardware(r->counters), theirs = worst_hardware(r->peer.counters);
	uint64_t seen = drops_of(&r->drops, NULL, NULL) + drops_of(&r->peer.drops, NULL, NULL) + r->peer.overflow;

	if (r->counters[ours] || r->peer.counters[theirs])
		snprintf(evidence, size, "the %s's %s rose by %llu", r->counters[ours] ? "sender" : "receiver",
			 counter_names[r->counters[ours] ? ours : theirs],
			 (unsigned long long)(r->counters[ours] ? r->counters[ours] : r->peer.counters[theirs]));
	else if (r->drops.known && r->peer.drops.known)
		snprintf(evidence, size, "neither kernel dropped them: the sender saw %llu drops of probes, the "
			 "receiver %llu", (unsigned long long)drops_of(&r->drops, NULL, NULL),
			 (unsigned long long)drops_of(&r->peer.drops, NULL, NULL));
	else if (seen || r->counters[TX_DROPPED] || r->peer.counters[RX_DROPPED]) {
		snprintf(evidence, size, "the drops seen explain less than half of the loss");
		return NT_PHY_INCONCLUSIVE;
	} else
		snprintf(evidence, size, "no counter of either end rose");
	return NT_PHY_NETWORK;
}

enum nt_phy_verdict nt_phy_judge(const struct nt_phy_result *r, char *evidence, size_t size)
{
	uint64_t lost = nt_phy_lost(r), n;

	if (!r->answered || !r->sent) {
		snprintf(evidence, size, "%s", r->sent ? "the receiver did not tell its figures" : "nothing was sent");
		return NT_PHY_INCONCLUSIVE;
	}
	if (!lost || 100.0 * (double)lost / (double)r->sent < r->threshold_pct) {
		snprintf(evidence, size, "%llu of %llu probes lost", (unsigned long long)lost,
			 (unsigned long long)r->sent);
		return NT_PHY_NO_DROP;
	}
	n = drops_of(&r->peer.drops, "SOCKET_RCVBUFF", NULL);
	if (half(n > r->peer.overflow ? n : r->peer.overflow, lost)) {
		snprintf(evidence, size, "%llu probes did not fit the receiver's socket buffer",
			 (unsigned long long)(n > r->peer.overflow ? n : r->peer.overflow));
		return NT_PHY_OVERRUN;
	}
	n = r->drops.known ? drops_of(&r->drops, NULL, NULL) : r->counters[TX_DROPPED];
	if (half(n, lost)) {
		snprintf(evidence, size, r->drops.known ? "the sender's kernel dropped %llu probes" :
			 "the sender's tx_dropped rose by %llu", (unsigned long long)n);
		return NT_PHY_SENDER;
	}
	n = r->peer.drops.known ? drops_of(&r->peer.drops, NULL, "SOCKET_RCVBUFF") : r->peer.counters[RX_DROPPED];
	if (half(n, lost)) {
		snprintf(evidence, size, r->peer.drops.known ? "the receiver's kernel dropped %llu probes" :
			 "the receiver's rx_dropped rose by %llu", (unsigned long long)n);
		return NT_PHY_RECEIVER;
	}
	return judge_network(r, evidence, size);
}

const char *nt_phy_verdict_name(enum nt_phy_verdict v)
{
	static const char *const names[] = { "NO_DROP", "PHYSICAL_NETWORK_DROP", "SENDER_STACK_DROP",
		"RECEIVER_STACK_DROP", "RECEIVER_APP_OVERRUN", "INCONCLUSIVE" };

	return names[v];
}

const char *nt_phy_remedy(enum nt_phy_verdict v)
{
	static const char *const remedies[] = {
		"none needed",
		"look at cables, optics and switch ports between the hosts; ethtool -S on both",
		"nettrace qdisc_drop_trace and eth_drop on the sender; tc -s qdisc",
		"nettrace eth_drop on the receiver; nft list ruleset",
		"a lower --rate, or a larger --rcvbuf: the receiver itself was too slow",
		"run it again, with privilege on both ends so that both kernels tell what they drop",
	};

	return remedies[v];
}
