/* SPDX-License-Identifier: GPL-2.0 */
/* The formatting helpers. */
#include <arpa/inet.h>
#include <time.h>

#include "check.h"
#include "capture.h"

static char fmt_buf[128];

static const char *fmt_ns(uint64_t v)
{
	return nt_fmt_ns(v, fmt_buf, sizeof(fmt_buf));
}

static const char *fmt_bytes(uint64_t v)
{
	return nt_fmt_bytes(v, fmt_buf, sizeof(fmt_buf));
}

static const char *fmt_count(uint64_t v)
{
	return nt_fmt_count(v, fmt_buf, sizeof(fmt_buf));
}

static void test_fmt_numbers(void)
{
	CHECK_STR(fmt_ns(0), "0 ns", "0 ns");
	CHECK_STR(fmt_ns(999), "999 ns", "999 ns");
	CHECK_STR(fmt_ns(1000), "1.00 us", "1 us");
	CHECK_STR(fmt_ns(9994), "9.99 us", "9.994 us");
	CHECK_STR(fmt_ns(9995), "10.0 us", "9.995 us takes one decimal");
	CHECK_STR(fmt_ns(12345), "12.3 us", "12.3 us");
	CHECK_STR(fmt_ns(123456), "123 us", "123 us");
	CHECK_STR(fmt_ns(999499), "999 us", "below the next unit");
	CHECK_STR(fmt_ns(999500), "1.00 ms", "rounds into the next unit");
	CHECK_STR(fmt_ns(1200000), "1.20 ms", "1.20 ms");
	CHECK_STR(fmt_ns(3000000000), "3.00 s", "3.00 s");
	CHECK_STR(fmt_ns(12345000000000), "12345 s", "many seconds");
	CHECK_STR(fmt_ns(UINT64_MAX), "18446744074 s", "largest time");
	CHECK_STR(fmt_count(0), "0", "count 0");
	CHECK_STR(fmt_count(999), "999", "count 999");
	CHECK_STR(fmt_count(1000), "1,000", "count 1,000");
	CHECK_STR(fmt_count(1234567), "1,234,567", "count 1,234,567");
	CHECK_STR(fmt_count(UINT64_MAX), "18,446,744,073,709,551,615", "largest count");
	CHECK_STR(fmt_bytes(0), "0 B", "0 B");
	CHECK_STR(fmt_bytes(1023), "1023 B", "1023 B");
	CHECK_STR(fmt_bytes(1024), "1.0 KiB", "1 KiB");
	CHECK_STR(fmt_bytes(1258291), "1.2 MiB", "1.2 MiB");
	CHECK_STR(fmt_bytes(1048575), "1.0 MiB", "rounds into the next unit");
	CHECK_STR(fmt_bytes(UINT64_MAX), "16.0 EiB", "largest size");
	CHECK_STR(nt_fmt_count(123456, fmt_buf, 4), "123", "cut to the buffer");
	fmt_buf[0] = 'x';
	CHECK(nt_fmt_count(1, fmt_buf, 0) == fmt_buf && fmt_buf[0] == 'x', "buffer of 0");
}

static const char *addr(const char *text)
{
	uint8_t a[16];

	inet_pton(AF_INET6, text, a);
	return nt_fmt_addr(a, fmt_buf, sizeof(fmt_buf));
}

static void test_fmt_addr(void)
{
	char want[INET6_ADDRSTRLEN];
	uint8_t a[16];
	int i, j, bad = 0;

	CHECK_STR(addr("::ffff:10.0.0.1"), "10.0.0.1", "IPv4");
	CHECK_STR(addr("::ffff:0.0.0.0"), "0.0.0.0", "IPv4 any");
	CHECK_STR(addr("::"), "::", "any");
	CHECK_STR(addr("::1"), "::1", "loopback");
	CHECK_STR(addr("2001:db8::"), "2001:db8::", "zeros at the end");
	CHECK_STR(addr("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1", "one zero group stays");
	CHECK_STR(addr("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1", "longest run");
	CHECK_STR(addr("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1", "first of equal runs");
	CHECK_STR(addr("fe80::1:2:3:4"), "fe80::1:2:3:4", "link-local");
	for (i = 0; i < 100000; i++) {
		for (j = 0; j < 16; j++)
			a[j] = rand() % 3 ? 0 : (uint8_t)rand();
		a[0] |= 1;	/* the C library writes ::1.2.3.4 its own way */
		inet_ntop(AF_INET6, a, want, sizeof(want));
		bad += strcmp(nt_fmt_addr(a, fmt_buf, sizeof(fmt_buf)), want) != 0;
	}
	CHECK_U64((uint64_t)bad, 0, "100000 addresses as inet_ntop writes them");
}

static const char *escape(const char *s, size_t n, size_t size)
{
	return nt_fmt_escape(s, n, fmt_buf, size);
}

static void test_fmt_names(void)
{
	CHECK_STR(nt_fmt_tcpflags(0x12, fmt_buf, 64), "SYN|ACK", "SYN|ACK");
	CHECK_STR(nt_fmt_tcpflags(0, fmt_buf, 64), "-", "no flags");
	CHECK_STR(nt_fmt_tcpflags(0xff, fmt_buf, 64), "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR",
		  "all flags");
	CHECK_STR(nt_proto_name(6), "tcp", "tcp");
	CHECK_STR(nt_proto_name(58), "icmpv6", "icmpv6");
	CHECK(!nt_proto_name(253), "unnamed protocol");
	CHECK_STR(escape("eth0", 4, 64), "eth0", "plain name");
	CHECK_STR(escape("a\033[1m\n", 64, 64), "a\\x1b[1m\\x0a", "control characters");
	CHECK_STR(escape("\xc3\xbc\xff", 3, 64), "\xc3\xbc\\xff", "UTF-8 and a stray byte");
	CHECK_STR(escape("abc\0def", 7, 64), "abc", "ends at 0");
	CHECK_STR(escape("abcdef", 3, 64), "abc", "ends at the length");
	CHECK_STR(escape("ab\xff", 3, 6), "ab", "an escape is not cut");
	CHECK_STR(escape("ab\xc3\xbc", 4, 4), "ab", "a character is not cut");
	CHECK_STR(escape("ab\xc3\xbc", 4, 5), "ab\xc3\xbc", "exactly fits");
	CHECK_STR(escape(NULL, 4, 5), "", "NULL");
}

static const char *json_time(uint64_t ns)
{
	struct nt_out *o = capture_start(NT_JSON);

	nt_json_begin(o, NULL);
	nt_json_time(o, "t", ns);
	nt_json_end(o);
	return capture_end(o);
}

static void test_time_zone(void)
{
	CHECK_STR(json_time(0), "{\"t\":\"1970-01-01T00:00:00.000000+00:00\"}\n", "epoch");
	setenv("TZ", "XST-5:45", 1);	/* east of Greenwich */
	tzset();
	CHECK_STR(json_time(1795255201000001000ULL),
		  "{\"t\":\"2026-11-21T15:45:01.000001+05:45\"}\n", "zone east");
	setenv("TZ", "XST3:30", 1);
	tzset();
	CHECK_STR(json_time(1795255202999999999ULL),
		  "{\"t\":\"2026-11-21T06:30:02.999999-03:30\"}\n", "zone west");
	setenv("TZ", "UTC0", 1);
	tzset();
}

int main(void)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	test_fmt_numbers();
	test_fmt_addr();
	test_fmt_names();
	test_time_zone();
	return check_done();
}
