/* SPDX-License-Identifier: GPL-2.0 */
/* The N slowest of many records: which are kept, in which order. */
#include "check.h"
#include "../../src/engine/slowest.h"

static uint64_t at(const struct nt_slowest *s, uint32_t i)
{
	uint64_t v;

	memcpy(&v, nt_slowest_get(s, i), sizeof(v));
	return v;
}

static void test_keeps_the_slowest(void)
{
	struct nt_slowest s;
	int order = 1, full = 1;

	CHECK(!nt_slowest_new(&s, 10, sizeof(uint64_t)), "made");
	for (uint64_t i = 0; i < 1009; i++) {
		uint64_t time = i * 7919 % 1009;	/* each of 0 to 1008 once */

		full = full && s.n == (i < 10 ? i : 10) && (i >= 10 || !nt_slowest_least(&s));
		nt_slowest_add(&s, time, &time);
	}
	CHECK(full, "room for ten");
	CHECK_U64(nt_slowest_least(&s), 999, "the least of those kept");
	nt_slowest_sort(&s);
	for (uint32_t i = 0; i < s.n; i++)
		order = order && at(&s, i) == 1008 - i && s.time[i] == 1008 - i;
	CHECK(order && s.n == 10, "slowest first");
	nt_slowest_clear(&s);
	CHECK(!s.n && !nt_slowest_least(&s), "cleared");
	nt_slowest_free(&s);
}

static void test_none(void)
{
	struct nt_slowest s;
	uint64_t v = 1;

	CHECK(!nt_slowest_new(&s, 0, sizeof(v)), "none are kept");
	nt_slowest_add(&s, 1, &v);
	CHECK(!s.n && !nt_slowest_least(&s), "none are there");
	nt_slowest_sort(&s);
	nt_slowest_free(&s);
}

int main(void)
{
	test_keeps_the_slowest();
	test_none();
	return check_done();
}
