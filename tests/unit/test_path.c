/* SPDX-License-Identifier: GPL-2.0 */
/* What the path engine decides, from records made by hand. */
#include <stdlib.h>

#include "../../src/engine/path.h"
#include "check.h"
#include "nettrace/link.h"

#define MS 1000000ULL

static struct nt_path path;
static unsigned int n_decided;
static struct nt_path_entry last;

static void decided(void *arg, const struct nt_path_entry *e)
{
	(void)arg;
	n_decided++;
	last = *e;
}

static void begin(enum nt_path_kind kind, uint32_t max)
{
	nt_path_free(&path);
	memset(&path, 0, sizeof(path));
	n_decided = 0;
	nt_path_init(&path, kind, max, 1000 * MS);
	path.one_way = kind == NT_PATH_DATAGRAM;
	path.decided = decided;
}

static struct nt_path_event base(int stage, uint64_t ms, uint8_t proto)
{
	bool reply = stage >= NT_REP_RX;
	struct nt_path_event ev = {
		.ts_ns = ms * MS, .skb = 0x1000, .bits = NT_PATH_EXPR | (reply ? NT_PATH_REPLY : 0),
		.hook = stage % 2 ? NT_PATH_SEND : NT_PATH_RECEIVE,
		.sides = stage == NT_REQ_RX || stage == NT_REP_TX ? NT_PATH_RX : NT_PATH_TX,
	};

	ev.flow.saddr[15] = reply ? 2 : 1;
	ev.flow.daddr[15] = reply ? 1 : 2;
	ev.flow.proto = proto;
	ev.flow.ip_version = 4;
	ev.flow.ifindex = (uint32_t)(ev.sides == NT_PATH_RX ? 10 : 20);
	return ev;
}

static void echo(int stage, uint64_t ms, uint16_t seq)
{
	struct nt_path_event ev = base(stage, ms, 1);

	ev.flow.icmp_seq = seq;
	nt_path_record(&path, &ev);
}

static bool balanced(void)
{
	return nt_path_unfinished(&path) == 0;
}

static void test_echo(void)
{
	struct nt_path_event ev;

	begin(NT_PATH_ECHO, 16);
	for (int stage = 0; stage < 4; stage++)
		echo(stage, (uint64_t)stage, 1);
	CHECK(path.count.verdict[NT_PATH_COMPLETE] == 1 && n_decided == 1, "a ping");
	echo(NT_REP_TX, 5, 1);
	CHECK(path.count.duplicate == 1, "its reply again");
	echo(NT_REQ_RX, 10, 2);
	echo(NT_REQ_RX, 11, 2);
	CHECK(path.count.duplicate == 2 && path.count.total == 2, "an open request again");
	nt_path_sweep(&path, 900 * MS);
	CHECK(n_decided == 1, "nothing before the timeout");
	nt_path_sweep(&path, 1011 * MS);
	CHECK(path.count.verdict[NT_PATH_REQ_INTERNAL] == 1, "never sent: inside");
	echo(NT_REQ_TX, 1020, 2);
	CHECK(path.count.late == 1, "sent after all: late");
	echo(NT_REQ_RX, 2000, 3);
	echo(NT_REQ_TX, 2001, 3);
	echo(NT_REQ_RX, 2000, 4);
	echo(NT_REQ_TX, 2001, 4);
	echo(NT_REP_RX, 2002, 4);
	nt_path_sweep(&path, 4000 * MS);
	CHECK(path.count.verdict[NT_PATH_EXTERNAL] == 1 && path.count.verdict[NT_PATH_REP_INTERNAL] == 1,
	      "no reply: outside; reply not sent: inside");
	echo(NT_REQ_RX, 5000, 5);
	ev = base(NT_REQ_RX, 5001, 1);
	ev.hook = NT_PATH_DROP;
	ev.flow.icmp_seq = 5;
	nt_path_record(&path, &ev);
	nt_path_sweep(&path, 5200 * MS);
	CHECK(path.count.verdict[NT_PATH_REQ_INTERNAL] == 1, "a drop has a grace");
	nt_path_sweep(&path, 5252 * MS);
	CHECK(path.count.verdict[NT_PATH_REQ_INTERNAL] == 2, "and does not wait for the timeout");
	echo(NT_REQ_TX, 6000, 6);
	nt_path_sweep(&path, 8000 * MS);
	CHECK(path.count.verdict[NT_PATH_UNMATCHED] == 1 && path.count.total == 5, "no start: not tracked");
	for (uint16_t i = 100; i < 120; i++)
		echo(NT_REQ_RX, 9000, i);
	CHECK(path.count.verdict[NT_PATH_EVICTED] == 4, "the oldest make room");
	nt_path_finish(&path);
	CHECK(path.count.verdict[NT_PATH_OPEN_AT_END] == 16 && balanced(), "open at the end; all are counted");
	begin(NT_PATH_ECHO, 16);
	echo(NT_REQ_RX, 1, 1);
	path.records_lost_ns = 500 * MS;
	nt_path_sweep(&path, 2000 * MS);
	CHECK(path.count.verdict[NT_PATH_UNCERTAIN] == 1 && !n_decided && balanced(), "records were lost: uncertain");
}

/* ---- UDP ---- */
static void datagram(int stage, uint64_t ms, uint32_t id, uint16_t check, uint64_t skb)
{
	struct nt_path_event ev = base(stage, ms, 17);

	ev.ip_id = id;
	ev.len = ev.udp_len = 108;
	ev.pkt = NT_PKT_PORTS;
	ev.l4_check = check;
	ev.bits |= check ? NT_PATH_CSUM : 0;
	ev.skb = skb;
	nt_path_record(&path, &ev);
}

static void fragment(int stage, uint64_t ms, uint32_t id, uint16_t off, uint32_t len, bool more)
{
	struct nt_path_event ev = base(stage, ms, 17);

	ev.ip_id = id;
	ev.frag_off = off;
	ev.len = len;
	ev.bits |= NT_PATH_FRAG | (more ? NT_PATH_MF : 0);
	if (!off) {
		ev.pkt = NT_PKT_PORTS;
		ev.udp_len = 4000;
	}
	nt_path_record(&path, &ev);
}

static void test_datagram(void)
{
	begin(NT_PATH_DATAGRAM, 100);
	for (uint64_t i = 1; i <= 3; i++)
		datagram(NT_REQ_RX, i, 0, 0, i);
	datagram(NT_REQ_TX, 10, 0, 0, 1);
	datagram(NT_REQ_TX, 11, 0, 0, 3);
	nt_path_sweep(&path, 1005 * MS);
	CHECK(path.count.verdict[NT_PATH_INTERNAL] == 1 && last.ts[0] == 2 * MS, "equal ones by the skb's address");
	for (uint16_t i = 1; i <= 3; i++)
		datagram(NT_REQ_RX, 2000 + i, 0, i, 0x10u + i);
	datagram(NT_REQ_TX, 2010, 0, 1, 0x77);
	datagram(NT_REQ_TX, 2011, 0, 3, 0x78);
	nt_path_sweep(&path, 3005 * MS);
	CHECK(path.count.verdict[NT_PATH_INTERNAL] == 2 && last.check == 2, "else by the checksum");
	for (uint64_t i = 1; i <= 3; i++)
		datagram(NT_REQ_RX, 4000, 0, 0, 0x20 + i);
	datagram(NT_REQ_TX, 4001, 0, 0, 0x88);
	datagram(NT_REQ_TX, 4002, 0, 0, 0x89);
	nt_path_sweep(&path, 5005 * MS);
	CHECK(path.count.verdict[NT_PATH_INTERNAL] == 3, "else the count is right");
	datagram(NT_REQ_RX, 6000, 9, 0, 1);
	datagram(NT_REQ_TX, 6001, 9, 0, 1);
	datagram(NT_REQ_TX, 6002, 9, 0, 2);
	CHECK(path.count.duplicate == 1, "a late duplicate opens nothing");
	nt_path_finish(&path);
	CHECK(path.count.total == 10 && balanced(), "all are counted");
}

static void test_fragments(void)
{
	begin(NT_PATH_DATAGRAM, 100);
	fragment(NT_REQ_RX, 1, 5, 2960, 1040, false);	/* last first */
	fragment(NT_REQ_RX, 1, 5, 0, 1480, true);
	fragment(NT_REQ_TX, 2, 5, 2960, 1040, false);
	fragment(NT_REQ_RX, 2, 5, 1480, 1480, true);
	fragment(NT_REQ_TX, 3, 5, 0, 1480, true);
	fragment(NT_REQ_TX, 4, 5, 1480, 1480, true);
	CHECK(path.count.verdict[NT_PATH_COMPLETE] == 1 && path.count.total == 1, "in any order");
	fragment(NT_REQ_TX, 5, 5, 1480, 1480, true);
	CHECK(path.count.duplicate == 1 && path.count.total == 1, "a fragment again");
	for (int i = 0; i < 3; i++)
		fragment(NT_REQ_RX, 10, 6, (uint16_t)(1480 * i), i < 2 ? 1480 : 1040, i < 2);
	fragment(NT_REQ_TX, 11, 6, 0, 1480, true);
	fragment(NT_REQ_TX, 11, 6, 2960, 1040, false);
	nt_path_sweep(&path, 1500 * MS);
	CHECK(path.count.verdict[NT_PATH_PARTIAL_FRAG] == 1 && last.lost_bytes == 1480, "one is lost");
	fragment(NT_REQ_RX, 2000, 7, 0, 1480, true);
	nt_path_sweep(&path, 3500 * MS);
	CHECK(path.count.verdict[NT_PATH_UPSTREAM] == 1, "the others never came");
	for (int i = 0; i < 3; i++)
		fragment(NT_REQ_RX, 4000, 8, (uint16_t)(1480 * i), i < 2 ? 1480 : 1040, i < 2);
	nt_path_sweep(&path, 5500 * MS);
	CHECK(path.count.verdict[NT_PATH_INTERNAL] == 1, "none was sent");
	datagram(NT_REQ_RX, 6000, 9, 0, 1);
	{
		struct nt_path_event ev = base(NT_REQ_TX, 6001, 17);

		ev.ip_id = 9;
		ev.len = 56;
		ev.udp_len = 108;
		ev.pkt = NT_PKT_PORTS;
		ev.bits |= NT_PATH_FRAG | NT_PATH_MF;
		nt_path_record(&path, &ev);
	}
	fragment(NT_REQ_TX, 6002, 9, 56, 52, false);
	CHECK(path.count.verdict[NT_PATH_COMPLETE] == 2, "cut on the way out");
	nt_path_finish(&path);
	CHECK(balanced(), "all are counted");
}

/* ---- TCP ---- */
static uint64_t tcp_skb = 0x100;

static void tcp(int stage, uint64_t ms, uint32_t seq, uint32_t len, uint32_t ack, uint8_t flags)
{
	struct nt_path_event ev = base(stage, ms, 6);

	ev.tcp_seq = seq;
	ev.tcp_ack = ack;
	ev.tcp_flags = flags;
	ev.tcp_hlen = 20;
	ev.len = len + 20;
	ev.skb = tcp_skb;
	ev.pkt = NT_PKT_TCP | NT_PKT_PORTS;
	nt_path_record(&path, &ev);
}

static void test_stream(void)
{
	const uint32_t s = 0xfffff000;		/* wraps soon */

	begin(NT_PATH_STREAM, 100);
	tcp(NT_REQ_RX, 1, s, 10000, 1, 16);
	for (uint32_t i = 0; i < 10; i++)	/* cut in pieces, by other skbs */
		tcp(NT_REQ_TX, 2, s + 1000 * i, 1000, 1, 16);
	CHECK(!n_decided, "forwarded, not acknowledged");
	tcp_skb = 0x200;
	tcp(NT_REP_RX, 3, 1, 0, s + 5000, 16);
	CHECK(!n_decided, "half of it acknowledged");
	tcp(NT_REP_RX, 4, 1, 0, s + 10000, 16);
	CHECK(path.count.verdict[NT_PATH_COMPLETE] == 1, "acknowledged");
	CHECK(path.count.control == 2, "two ACKs");
	tcp(NT_REP_TX, 5, 1, 0, s + 5000, 16);
	tcp(NT_REP_TX, 5, 1, 0, s + 10000, 16);
	CHECK(path.count.control_complete == 2, "forwarded, too");
	tcp_skb = 0x300;
	tcp(NT_REQ_RX, 10, s + 10000, 1000, 1, 16);
	tcp_skb = 0x400;
	tcp(NT_REQ_RX, 10, s + 11000, 1000, 1, 16);
	tcp(NT_REQ_TX, 11, s + 11000, 1000, 1, 16);
	tcp_skb = 0x300;			/* that address again: the first one was dropped */
	tcp(NT_REQ_RX, 20, s + 10000, 1000, 1, 16);
	tcp(NT_REQ_TX, 21, s + 10000, 1000, 1, 16);
	tcp(NT_REP_RX, 22, 1, 0, s + 12000, 16);
	nt_path_sweep(&path, 1015 * MS);
	CHECK(path.count.verdict[NT_PATH_REQ_INTERNAL] == 1 && last.ts[0] == 10 * MS &&
	      path.count.internal_segments == 1, "the one that was dropped is lost, not its repetition");
	tcp_skb = 0x500;
	tcp(NT_REQ_RX, 2000, s + 12000, 1000, 1, 16);
	tcp(NT_REQ_TX, 2001, s + 12000, 1000, 1, 16);
	tcp_skb = 0x600;
	tcp(NT_REQ_RX, 2300, s + 12000, 1000, 1, 16);
	tcp(NT_REQ_TX, 2301, s + 12000, 1000, 1, 16);
	tcp(NT_REP_RX, 2302, 1, 0, s + 13000, 16);
	CHECK(path.count.verdict[NT_PATH_EXTERNAL] == 1 && path.count.external_segments == 1,
	      "sent again after it was forwarded: lost beyond");
	tcp_skb = 0x700;
	tcp(NT_REQ_RX, 2400, s + 12000, 1000, 1, 16);
	tcp(NT_REQ_TX, 2401, s + 12000, 1000, 1, 16);
	CHECK(path.count.spurious_segments == 1, "sent again after its ACK");
	tcp(NT_REQ_RX, 2500, s + 13000, 5000, 1, 16);
	tcp(NT_REQ_TX, 2501, s + 14000, 1000, 1, 16);
	nt_path_sweep(&path, 4000 * MS);
	CHECK(last.verdict == NT_PATH_REQ_INTERNAL && last.lost_bytes == 4000, "a part was sent");
	tcp_skb = 0x800;
	tcp(NT_REP_RX, 5000, 77, 100, s + 13000, 16);
	nt_path_sweep(&path, 7000 * MS);
	CHECK(path.count.verdict[NT_PATH_REP_INTERNAL] == 1, "the other way");
	nt_path_finish(&path);
	CHECK(balanced(), "all are counted");
	CHECK(path.count.control == path.count.control_complete + path.count.control_lost + path.count.control_other,
	      "all control segments, too");
}

/* ---- ranges ---- */
static void test_ranges(void)
{
	static struct nt_ranges r;

	CHECK(nt_ranges_add(&r, 10, 20) == 10 && nt_ranges_add(&r, 30, 40) == 10 && r.n == 2, "two ranges");
	CHECK(nt_ranges_add(&r, 20, 30) == 10 && r.n == 1 && r.v[0].end == 40, "joined");
	CHECK(nt_ranges_add(&r, 5, 50) == 15 && r.n == 1, "covered");
	CHECK(nt_ranges_add(&r, 7, 7) == 0 && nt_ranges_add(&r, 9, 8) == 0, "nothing");
	CHECK(nt_ranges_sub(&r, 10, 20) == 10 && r.n == 2, "a hole");
	CHECK(nt_ranges_sub(&r, 0, 7) == 2 && nt_ranges_sub(&r, 45, 99) == 5, "the ends");
	CHECK(nt_ranges_sub(&r, 0, 99) == 28 && !r.n, "all");
	for (uint64_t i = 0; i < 2 * NT_PATH_RANGES; i++)
		nt_ranges_add(&r, 10 * i, 10 * i + 1);
	CHECK(r.n <= NT_PATH_RANGES && r.v[0].start == 0, "too many are joined");
}

/* ---- devices below others ---- */
static void test_lower(void)
{
	static const struct nt_link_row rows[] = {
		{ 1, 0, 0, 0, NT_LINK_PLAIN, true }, { 2, 0, 4, 0, NT_LINK_PLAIN, true }, { 3, 0, 4, 0, NT_LINK_PLAIN, true },
		{ 4, 0, 0, 0, NT_LINK_GROUP, true }, { 5, 4, 0, 100, NT_LINK_VLAN, true }, { 6, 5, 0, 7, NT_LINK_VLAN, true },
		{ 7, 0, 0, 9, NT_LINK_VLAN, true }, { 8, 9, 0, 1, NT_LINK_VLAN, true }, { 9, 8, 0, 1, NT_LINK_VLAN, true },
	};
	struct nt_link_lower low[8];

#define LOWER(i) nt_link_expand(rows, NT_COUNT(rows), i, low, 8)
	CHECK(LOWER(1) == 1 && low[0].ifindex == 1 && low[0].vlan == 0xffff, "a plain device");
	CHECK(LOWER(4) == 2 && low[0].ifindex == 2 && low[1].ifindex == 3, "a bond");
	CHECK(LOWER(5) == 2 && low[1].ifindex == 3 && low[1].vlan == 100, "a VLAN on it");
	CHECK(LOWER(6) == 2 && low[0].vlan == 100, "a VLAN on that: the outer tag is seen");
	CHECK(LOWER(7) == 1 && low[0].ifindex == 7 && low[0].vlan == 0xffff, "below it is another namespace");
	CHECK(LOWER(8) >= 1, "a loop ends");
	CHECK(LOWER(99) == 1, "an unknown device");
	CHECK(nt_link_expand(rows, NT_COUNT(rows), 4, low, 1) == 2, "more than there is room for");
}

int main(void)
{
	test_ranges();
	test_echo();
	test_datagram();
	test_fragments();
	test_stream();
	test_lower();
	nt_path_free(&path);
	return check_done();
}
