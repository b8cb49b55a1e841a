/* SPDX-License-Identifier: GPL-2.0 */
/* Histograms: bucket rule, quantiles against sorted data, JSON and text. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "nettrace/hist.h"
#include "check.h"
#include "capture.h"

static uint64_t rng_state = 88172645463325252ULL;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static double rng_unit(void)
{
	return (double)(rng() >> 11) / 9007199254740992.0;
}

static void test_slots(void)
{
	unsigned int i, slot, bad = 0, wide = 0;
	uint64_t v;

	for (i = 0; i + 1 < NT_HIST_SLOTS; i++) {
		bad += nt_hist_slot(nt_hist_low(i)) != i;
		bad += nt_hist_slot(nt_hist_high(i) - 1) != i;
		bad += nt_hist_high(i) != nt_hist_low(i + 1);
		wide += i >= 16 && (nt_hist_high(i) - nt_hist_low(i)) * 16 > nt_hist_low(i);
	}
	CHECK_U64(bad, 0, "bounds of all slots agree with the rule");
	CHECK_U64(wide, 0, "no slot is wider than 1/16 of its lower bound");
	for (bad = 0, i = 0; i < 1000000; i++) {
		v = rng() >> (24 + rng() % 40);
		slot = nt_hist_slot(v);
		bad += slot >= NT_HIST_SLOTS || v < nt_hist_low(slot) || v >= nt_hist_high(slot);
	}
	CHECK_U64(bad, 0, "random values lie in their slots");
	CHECK_U64(nt_hist_slot(0), 0, "slot of 0");
	CHECK_U64(nt_hist_slot(15), 15, "slot of 15");
	CHECK_U64(nt_hist_slot(16), 16, "slot of 16");
	CHECK_U64(nt_hist_slot(33), 32, "slot of 33");
	CHECK_U64(nt_hist_slot(1000), 111, "slot of 1000");
	CHECK_U64(nt_hist_slot((1ULL << 40) - 1), NT_HIST_SLOTS - 1, "last value of the range");
	CHECK_U64(nt_hist_slot(1ULL << 40), NT_HIST_SLOTS - 1, "2^40");
	CHECK_U64(nt_hist_slot(UINT64_MAX), NT_HIST_SLOTS - 1, "largest value");
	CHECK_U64(nt_hist_high(NT_HIST_SLOTS - 1), 1ULL << 40, "upper bound of the last slot");
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t uniform(void)
{
	return rng() % 1000000;
}

static uint64_t exponential(void)
{
	return (uint64_t)(-log(1 - rng_unit()) * 50000);
}

static uint64_t lognormal(void)
{
	double n = sqrt(-2 * log(1 - rng_unit())) * cos(2 * M_PI * rng_unit());

	return (uint64_t)exp(11 + 1.5 * n);
}

static uint64_t two_peaks(void)
{
	return rng() % 10 ? 20000 + rng() % 2000 : 5000000 + rng() % 900000;
}

static uint64_t pareto(void)
{
	return (uint64_t)(1000 / pow(1 - rng_unit(), 0.8));
}

static uint64_t small(void)
{
	return rng() % 12;
}

static uint64_t constant(void)
{
	return 123457;
}

static uint64_t huge(void)
{
	return (1ULL << 39) + rng() % (1ULL << 39);
}

enum { SAMPLES = 50000 };

static void test_quantiles(const char *name, uint64_t (*value)(void))
{
	static const double q[] = { .001, .01, .1, .25, .5, .75, .9, .95, .99, .999, .9999, 1 };
	static uint64_t v[SAMPLES];
	static struct nt_hist h;
	double worst = 0, err;
	char text[80];
	uint64_t got;
	unsigned int i;

	nt_hist_init(&h);
	for (i = 0; i < SAMPLES; i++) {
		v[i] = value();
		nt_hist_add(&h, v[i]);
	}
	qsort(v, SAMPLES, sizeof(*v), compare);
	for (i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
		uint64_t want = v[(size_t)ceil(q[i] * SAMPLES) - 1];

		got = nt_hist_quantile(&h, q[i]);
		err = fabs((double)got - (double)want) / (want ? (double)want : 1);
		if (err > worst)
			worst = err;
	}
	snprintf(text, sizeof(text), "%s: worst error of a quantile %.4f", name, worst);
	CHECK(worst <= 1.0 / 16, text);
	snprintf(text, sizeof(text), "%s: ends are exact", name);
	CHECK(nt_hist_quantile(&h, 0) == v[0] && nt_hist_quantile(&h, 1) == v[SAMPLES - 1], text);
}

static void test_quantile_edges(void)
{
	static struct nt_hist h;

	nt_hist_init(&h);
	CHECK_U64(nt_hist_quantile(&h, .5), 0, "empty");
	nt_hist_add(&h, 777777);
	CHECK_U64(nt_hist_quantile(&h, .001), 777777, "one value, low quantile");
	CHECK_U64(nt_hist_quantile(&h, .999), 777777, "one value, high quantile");
	CHECK_U64(nt_hist_quantile(&h, 7), 777777, "q beyond 1");
	CHECK_U64(nt_hist_quantile(&h, -1), 777777, "q below 0");
	CHECK_U64(nt_hist_quantile(&h, NAN), 777777, "q is no number");
	nt_hist_init(&h);
	nt_hist_add(&h, UINT64_MAX);
	CHECK_U64(nt_hist_quantile(&h, .5), UINT64_MAX, "largest value");
	nt_hist_add(&h, (1ULL << 40) - 1);
	CHECK_U64(nt_hist_quantile(&h, 1), UINT64_MAX, "largest value of a wide slot");
	nt_hist_init(&h);
	nt_hist_add(&h, 3);
	nt_hist_add(&h, 5);
	CHECK_U64(nt_hist_quantile(&h, .5), 3, "small values are exact");
	CHECK_U64(nt_hist_quantile(&h, .51), 5, "small values are exact above too");
	h.count = 100;		/* map was read while it was written to */
	CHECK_U64(nt_hist_quantile(&h, .99), 5, "count ahead of the slots");
	h.min = 9;
	h.max = 2;
	CHECK_U64(nt_hist_quantile(&h, .99), 5, "torn bounds");
}

static void test_merge(void)
{
	static struct nt_hist_raw raw[2], empty;
	static struct nt_hist h;

	raw[0] = (struct nt_hist_raw){ .count = 2, .sum = 30, .max = 20, .min_inv = ~10ULL };
	raw[0].slot[10] = 1;
	raw[0].slot[20] = 1;
	raw[1] = (struct nt_hist_raw){ .count = 1, .sum = 5, .max = 5, .min_inv = ~5ULL };
	raw[1].slot[5] = 1;
	nt_hist_init(&h);
	nt_hist_merge(&h, &empty);
	CHECK(h.count == 0 && h.min == UINT64_MAX, "an idle CPU adds nothing");
	nt_hist_merge(&h, &raw[0]);
	nt_hist_merge(&h, &raw[1]);
	CHECK(h.count == 3 && h.sum == 35 && h.min == 5 && h.max == 20, "merged figures");
	CHECK(h.slot[5] == 1 && h.slot[10] == 1 && h.slot[20] == 1, "merged slots");
	raw[1].min_inv = ~0ULL;
	nt_hist_merge(&h, &raw[1]);
	CHECK_U64(h.min, 0, "0 is a smallest value");
}

static void test_diff(void)
{
	static struct nt_hist a, b, d;
	int i;

	nt_hist_init(&b);
	nt_hist_add(&b, 10);
	nt_hist_add(&b, 1000000);
	a = b;
	nt_hist_diff(&d, &a, &b);
	CHECK(!d.count && !d.sum && !d.max && d.min == UINT64_MAX, "nothing new");
	for (i = 0; i < 10; i++)
		nt_hist_add(&a, 1000);
	nt_hist_diff(&d, &a, &b);
	CHECK(d.count == 10 && d.sum == 10000 && d.slot[nt_hist_slot(1000)] == 10, "new values");
	CHECK(d.min == 992 && d.max == 1023, "bounds of the bucket");
	CHECK(!d.slot[10] && !d.slot[nt_hist_slot(1000000)], "old values are gone");
	nt_hist_add(&a, 5);
	nt_hist_add(&a, 1ULL << 41);
	nt_hist_diff(&d, &a, &b);
	CHECK(d.min == 5 && d.max == 1ULL << 41, "bounds beyond the range");
	nt_hist_diff(&a, &a, &b);
	CHECK(!memcmp(&a, &d, sizeof(a)), "result in the first operand");
	nt_hist_diff(&d, &b, &a);
	CHECK(d.count == 0 && d.slot[5] == 0, "never below 0");
}

static const char *json(const struct nt_hist *h, const char *unit, double div, int *valid)
{
	struct nt_out *o = capture_start(NT_JSON);

	nt_json_begin(o, NULL);
	nt_hist_json(o, "h", h, unit, div);
	nt_json_end(o);
	return capture_end_jq(o, valid);
}

static void test_json(void)
{
	static struct nt_hist h;
	int valid, i;

	nt_hist_init(&h);
	CHECK_STR(json(&h, "us", 1000, &valid),
		  "{\"h\":{\"unit\":\"us\",\"count\":0,\"sum\":0,\"min\":0,\"max\":0,\"p50\":0,"
		  "\"p90\":0,\"p95\":0,\"p99\":0,\"p999\":0,\"buckets\":[]}}\n", "empty JSON");
	CHECK(valid, "jq takes it");
	for (i = 0; i < 3; i++)
		nt_hist_add(&h, 1500);
	nt_hist_add(&h, 20001);
	CHECK_STR(json(&h, "us", 1000, &valid),
		  "{\"h\":{\"unit\":\"us\",\"count\":4,\"sum\":24.501,\"min\":1.5,\"max\":20.001,"
		  "\"p50\":1.523,\"p90\":19.783,\"p95\":19.892,\"p99\":19.979,\"p999\":19.999,"
		  "\"buckets\":[[1.472,1.536,3],[19.456,20.48,1]]}}\n", "JSON in us");
	CHECK(valid, "jq takes that");
	CHECK_STR(json(&h, "ns", 1, &valid),
		  "{\"h\":{\"unit\":\"ns\",\"count\":4,\"sum\":24501,\"min\":1500,\"max\":20001,"
		  "\"p50\":1523,\"p90\":19783,\"p95\":19892,\"p99\":19979,\"p999\":19999,"
		  "\"buckets\":[[1472,1536,3],[19456,20480,1]]}}\n", "JSON in ns");
	nt_hist_init(&h);
	nt_hist_add(&h, 1ULL << 42);
	json(&h, "ns", 1, &valid);
	CHECK(strstr(capture_text, "[[1065151889408,4398046511105,1]]"),
	      "the last bucket holds its values");
	nt_hist_init(&h);
	nt_hist_add(&h, 1);
	json(&h, "ms", 1e6, &valid);
	CHECK(strstr(capture_text, "[[0.000001,0.000002,1]]"), "ms show ns");
}

static const char *text(const char *title, const struct nt_hist *h, const char *unit, double div)
{
	struct nt_out *o = capture_start(NT_TEXT);

	nt_hist_text(o, title, h, unit, div);
	return capture_end(o);
}

static void test_text(void)
{
	static struct nt_hist h;
	int i;

	nt_hist_init(&h);
	CHECK_STR(text("rtt", &h, "us", 1000),
		  "     rtt (us)            : count    distribution\n"
		  "     count 0, p50 0.00, p90 0.00, p99 0.00, max 0.00 us\n", "empty text");
	for (i = 0; i < 20; i++)
		nt_hist_add(&h, 2000);
	for (i = 0; i < 10; i++)
		nt_hist_add(&h, 9000);
	nt_hist_add(&h, 16000);
	CHECK_STR(text("rtt", &h, "us", 1000),
		  "     rtt (us)            : count    distribution\n"
		  "         0 -> 1          : 0        |                                        |\n"
		  "         2 -> 3          : 20       |****************************************|\n"
		  "         4 -> 7          : 0        |                                        |\n"
		  "         8 -> 15         : 10       |********************                    |\n"
		  "        16 -> 31         : 1        |**                                      |\n"
		  "     count 31, avg 4.71, p50 2.04, p90 9.11, p99 16.0, max 16.0 us\n",
		  "text in us");
	CHECK(strstr(text("a title that is longer than the label", &h, "us", 1000),
		     "a title that is longer than the label\n     us                  : count"),
	      "long title on its own line");
	CHECK(strstr(text(NULL, &h, "us", 1000), "     us                  : count"), "no title");
	CHECK(strstr(text("queue", &h, NULL, 1), "     queue               : count"), "no unit");
	nt_hist_init(&h);
	for (i = 0; i < 1000; i++)
		nt_hist_add(&h, (uint64_t)i * 1000);
	CHECK(strstr(text("len", &h, "bytes", 1), "    524288 -> 1048575    : 475      |"),
	      "large row");
	CHECK(strstr(capture_text, "max 999,000 bytes\n"), "whole numbers with separators");
	nt_hist_init(&h);
	nt_hist_add(&h, UINT64_MAX);
	nt_hist_add(&h, 1);
	h.slot[1] = 12345678901ULL;
	CHECK(strstr(text("x", &h, "ns", 1), ": 12345678901 |****"), "wide count");
	CHECK(strstr(capture_text, "x (ns)"), "heading of a wide one");
}

/* Values that are whole powers of two of the shown unit stand in their own row. */
static void test_text_rows(void)
{
	static struct nt_hist h;
	char want[64];
	int k, bad = 0;

	for (k = 1; k < 29; k++) {
		nt_hist_init(&h);
		nt_hist_add(&h, 1000ULL << k);
		nt_hist_add(&h, (1000ULL << k) + 1);
		snprintf(want, sizeof(want), "%10llu -> %-10llu : 2 ", 1ULL << k, (2ULL << k) - 1);
		bad += !strstr(text("x", &h, "us", 1000), want);
	}
	CHECK_U64((uint64_t)bad, 0, "us rows begin where they say");
}

int main(void)
{
	test_slots();
	test_quantiles("uniform", uniform);
	test_quantiles("exponential", exponential);
	test_quantiles("log-normal", lognormal);
	test_quantiles("two peaks", two_peaks);
	test_quantiles("Pareto", pareto);
	test_quantiles("small", small);
	test_quantiles("constant", constant);
	test_quantiles("large", huge);
	test_quantile_edges();
	test_merge();
	test_diff();
	test_json();
	test_text();
	test_text_rows();
	return check_done();
}
