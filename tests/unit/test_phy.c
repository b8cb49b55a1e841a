/* SPDX-License-Identifier: GPL-2.0 */
/* Messages as the script has them on the wire, broken ones, sequence numbers, and verdicts. */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "nettrace/phy.h"

static uint8_t buf[NT_PHY_MESSAGE];

static void test_wire(void)
{
	static const uint8_t probe[16] = { 0x50, 0x48, 0x59, 0x44, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0x30, 0x39 };
	static const uint8_t start[9] = { 0x50, 0x48, 0x59, 0x43, 3, 0xde, 0xad, 0xbe, 0xef };
	struct nt_phy_message m = { .probe = true, .seq = 258, .time_us = 12345 }, back;

	memset(buf, 0xff, sizeof(buf));
	CHECK_U64(nt_phy_put(&m, buf, 64), 64, "a probe is as long as asked for");
	CHECK(!memcmp(buf, probe, 16) && !buf[16] && !buf[63] && buf[64] == 0xff, "its bytes, and zeros");
	CHECK(!nt_phy_parse(&back, buf, 64) && back.probe && back.seq == 258 && back.time_us == 12345, "read again");
	CHECK_U64(nt_phy_put(&m, buf, 15), 0, "no room for a probe");
	m = (struct nt_phy_message){ .type = NT_PHY_START, .session = 0xdeadbeef };
	CHECK(nt_phy_put(&m, buf, sizeof(buf)) == 9 && !memcmp(buf, start, 9), "start with a session");
	CHECK(!nt_phy_parse(&back, buf, 9) && back.type == NT_PHY_START && back.session == 0xdeadbeef, "read again");
	CHECK(!nt_phy_parse(&back, buf, 5) && back.session == 0, "the script's start has none");
	CHECK(nt_phy_parse(&back, buf, 4) == -EINVAL && nt_phy_parse(&back, buf, 0) == -EINVAL, "cut short");
	buf[4] = 6;
	CHECK(nt_phy_parse(&back, buf, 5) == -EINVAL, "a type that is none");
	buf[3] = 0x45;
	CHECK(nt_phy_parse(&back, buf, 9) == -EINVAL, "another magic");
}

static void test_stats(void)
{
	struct nt_phy_message m = { .type = NT_PHY_STATS, .stats = { .received = 1, .lowest = 2, .highest = 3,
		.out_of_order = 4, .extended = true, .session = 5, .longest_run = 6, .overflow = 7,
		.duplicates = 8, .drops = { .known = true, .n = 1 } } }, back;
	size_t n, good = 0;

	for (size_t i = 0; i < NT_PHY_COUNTERS; i++)
		m.stats.counters[i] = 100 + i;
	strcpy(m.stats.drops.reason[0].name, "NETFILTER_DROP");
	m.stats.drops.reason[0].count = 9;
	n = nt_phy_put(&m, buf, sizeof(buf));
	CHECK(n > 5 + 16 + 13 * 8, "an answer");
	CHECK(!nt_phy_parse(&back, buf, n) && !memcmp(&back.stats, &m.stats, sizeof(m.stats)), "read again");
	CHECK(!nt_phy_parse(&back, buf, 5 + 16 + 13 * 8) && !back.stats.extended && back.stats.received == 1 &&
	      back.stats.counters[12] == 112 && buf[5 + 16 + 7] == 100, "the script's part of it");
	for (size_t cut = 0; cut <= n; cut++)
		good += !nt_phy_parse(&back, buf, cut);
	CHECK_U64(good, n - (5 + 16 + 13 * 8) + 1, "any cut is refused, or costs only what is cut");
	m.stats.drops.n = NT_PHY_REASONS;
	for (size_t i = 0; i < NT_PHY_REASONS; i++)
		memset(m.stats.drops.reason[i].name, 'x', sizeof(m.stats.drops.reason[i].name) - 1);
	n = nt_phy_put(&m, buf, 400);
	CHECK(n && n <= 400 && !nt_phy_parse(&back, buf, n) && back.stats.drops.n == 4, "what has no room is left out");
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)rand() % sizeof(buf);

		for (size_t i = 5; i < len; i++)
			buf[i] = (uint8_t)rand();
		nt_phy_parse(&back, buf, len);	/* nothing but the sanitizers judges it */
	}
}

static void test_seen(void)
{
	struct nt_phy_seen *s = calloc(1, sizeof(*s));

	if (!s)
		return;
	CHECK_U64(nt_phy_seen_longest(s, 0, 9), 10, "none of ten");
	for (uint32_t i = 0; i < 1000; i++)
		if (i % 100 != 7 && !(i >= 500 && i < 520) && i != 600)
			nt_phy_seen_add(s, i);
	CHECK(s->received == 1000 - 10 - 19 - 1 && !s->out_of_order && !s->duplicates, "received");
	nt_phy_seen_add(s, 600);
	nt_phy_seen_add(s, 600);
	CHECK(s->received == 971 && s->out_of_order == 1 && s->duplicates == 1, "late, then twice");
	CHECK_U64(nt_phy_seen_longest(s, 0, 999), 20, "the longest loss");
	CHECK_U64(nt_phy_seen_longest(s, 0, 1029), 30, "the end is lost too");
	for (uint32_t i = 1000; i < 3 * NT_PHY_WINDOW; i++)
		if (i < NT_PHY_WINDOW + 50 || i >= NT_PHY_WINDOW + 90)
			nt_phy_seen_add(s, i);
	CHECK_U64(nt_phy_seen_longest(s, 0, 3 * NT_PHY_WINDOW - 1), 40, "a loss that left the window");
	CHECK_U64(s->received, 3 * NT_PHY_WINDOW - 29 - 40, "numbers beyond the window are counted once");
	nt_phy_seen_add(s, 5);
	CHECK(s->out_of_order == 2 && s->duplicates == 1, "too late to know");
	nt_phy_seen_add(s, 0xffffffff);
	CHECK(s->highest == 0xffffffff, "a wild number does not hang");
	free(s);
}

static void verdict(const struct nt_phy_result *r, enum nt_phy_verdict expected, const char *name)
{
	char evidence[200];

	CHECK_STR(nt_phy_verdict_name(nt_phy_judge(r, evidence, sizeof(evidence))), nt_phy_verdict_name(expected), name);
	CHECK(evidence[0] && strlen(nt_phy_remedy(expected)) > 3, "evidence and remedy");
}

static void test_verdicts(void)
{
	struct nt_phy_result r = { .sent = 10000, .threshold_pct = 0.01, .answered = true,
				   .peer = { .received = 10000, .extended = true } };

	verdict(&r, NT_PHY_NO_DROP, "all received");
	r.peer.received = 9999;
	verdict(&r, NT_PHY_NETWORK, "one in 10000 is not below 0.01 %");
	r.threshold_pct = 0.02;
	verdict(&r, NT_PHY_NO_DROP, "but below 0.02 %");
	r.peer.received = 9900;
	r.counters[10] = 60;
	verdict(&r, NT_PHY_SENDER, "tx_dropped of the sender");
	r.drops.known = true;
	verdict(&r, NT_PHY_INCONCLUSIVE, "its kernel did not drop probes, the receiver's does not tell");
	r.peer.drops.known = true;
	verdict(&r, NT_PHY_NETWORK, "no kernel dropped them");
	r.peer.drops.n = 1;
	strcpy(r.peer.drops.reason[0].name, "NETFILTER_DROP");
	r.peer.drops.reason[0].count = 100;
	verdict(&r, NT_PHY_RECEIVER, "the receiver's kernel");
	strcpy(r.peer.drops.reason[0].name, "SOCKET_RCVBUFF");
	verdict(&r, NT_PHY_OVERRUN, "its socket, by the kernel");
	r.peer.drops.n = 0;
	r.peer.overflow = 50;
	verdict(&r, NT_PHY_OVERRUN, "its socket, by the socket");
	r.peer.overflow = 49;
	verdict(&r, NT_PHY_NETWORK, "less than half");
	r.peer.counters[1] = 3;
	verdict(&r, NT_PHY_NETWORK, "with checksum errors at the receiver's card");
	r.answered = false;
	verdict(&r, NT_PHY_INCONCLUSIVE, "no answer");
	r.sent = 0;
	verdict(&r, NT_PHY_INCONCLUSIVE, "nothing sent");
}

int main(void)
{
	test_wire();
	test_stats();
	test_seen();
	test_verdicts();
	return check_done();
}
