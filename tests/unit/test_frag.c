/* SPDX-License-Identifier: GPL-2.0 */
/* What is missing of a datagram, and who asked for it. */
#include "check.h"
#include "nettrace/frag.h"

static struct nt_frag_hole hole[NT_FRAG_HOLES];
static size_t n;

static void keep(struct nt_frag_queue *q, uint32_t from, uint32_t to)
{
	q->range[q->n_ranges].from = (uint16_t)from;
	q->range[q->n_ranges++].to = (uint16_t)to;
	q->bytes += to - from;
	if (to > q->end)
		q->end = to;
}

static bool is_hole(size_t i, uint32_t from, uint32_t to)
{
	return i < n && hole[i].from == from && hole[i].to == to;
}

static void test_missing(void)
{
	struct nt_frag_queue q = { .bits = NT_FRAG_QUEUE };

	keep(&q, 0, 1480);
	CHECK(nt_frag_missing(&q, hole, &n) == 0 && n == 1 && is_hole(0, 1480, NT_FRAG_OPEN_END),
	      "the rest, to an end that is not known");
	keep(&q, 4440, 4448);
	q.bits |= NT_FRAG_LAST;
	CHECK(nt_frag_missing(&q, hole, &n) == 2960 && n == 1 && is_hole(0, 1480, 4440),
	      "a gap before the last fragment");
	keep(&q, 2000, 2008);	/* later, but before */
	CHECK(nt_frag_missing(&q, hole, &n) == 2952 && n == 2 && is_hole(0, 1480, 2000) && is_hole(1, 2008, 4440),
	      "a fragment into the gap");
	q = (struct nt_frag_queue){ .bits = NT_FRAG_QUEUE | NT_FRAG_LAST };
	keep(&q, 1480, 65535);
	CHECK(nt_frag_missing(&q, hole, &n) == 1480 && n == 1 && is_hole(0, 0, 1480),
	      "all but the first");
	q.bits |= NT_FRAG_EARLIER;
	CHECK(nt_frag_missing(&q, hole, &n) == 1480 && n == 0, "a queue that is older: only how much");
	q = (struct nt_frag_queue){ .bits = NT_FRAG_QUEUE };
	CHECK(nt_frag_missing(&q, hole, &n) == 0 && n == 1 && is_hole(0, 0, NT_FRAG_OPEN_END),
	      "nothing kept");
	for (uint32_t i = 0; i < NT_FRAG_RANGES; i++)
		keep(&q, 16 * i + 8, 16 * i + 16);
	CHECK(nt_frag_missing(&q, hole, &n) == 8 * NT_FRAG_RANGES && n == NT_FRAG_HOLES &&
	      is_hole(NT_FRAG_RANGES, 16 * NT_FRAG_RANGES, NT_FRAG_OPEN_END), "as many ranges as fit");
}

static bool is_user(const struct nt_frag_users *u, uint32_t value, const char *name, int32_t zone)
{
	int32_t z;
	const char *found = nt_frag_user(u, value, &z);

	return name ? found && !strcmp(found, name) && z == zone : !found;
}

static void test_users(void)
{
	struct nt_frag_users u;

	nt_frag_users_default(&u, 4);
	CHECK(is_user(&u, 0, "local_deliver", -1), "no zone");
	CHECK(is_user(&u, 2, "conntrack_in", 0), "conntrack, zone 0");
	CHECK(is_user(&u, 2 + 65535, "conntrack_in", 65535), "conntrack, the last zone");
	CHECK(is_user(&u, 2 + 65536, "conntrack_out", 0), "the next user");
	CHECK(is_user(&u, 5 + 3 * 65536, "af_packet", -1), "behind the zones");
	CHECK(is_user(&u, 99 + 3 * 65536, NULL, 0), "unknown");
	nt_frag_users_default(&u, 6);
	CHECK(is_user(&u, 7, "conntrack_in", 6), "IPv6: conntrack with a zone");
	CHECK(is_user(&u, 1 + 65536, "conntrack_out", 0), "IPv6: conntrack out");
	u.n = 0;
	CHECK(is_user(&u, 0, NULL, 0), "no table");
	nt_frag_users_add(&u, "__IP_DEFRAG_CONNTRACK_IN_END", 7);
	nt_frag_users_add(&u, "SOMETHING_ELSE", 8);
	CHECK(u.n == 0, "enumerators that are no users");
	for (uint32_t i = 0; i < 99; i++)
		nt_frag_users_add(&u, "IP_DEFRAG_VS_IN", i);
	CHECK(u.n == NT_COUNT(u.user) && is_user(&u, 3, "vs_in", -1), "a full table");
}

int main(void)
{
	test_missing();
	test_users();
	return check_done();
}
