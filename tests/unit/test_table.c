/* SPDX-License-Identifier: GPL-2.0 */
/* Streams of records and tables. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* posix_openpt() */
#endif
#include <fcntl.h>
#include <math.h>
#include <time.h>

#include "check.h"
#include "capture.h"
#include "record.h"

static const struct nt_field FLOW[] = {
	F("time", NT_K_TS, ts, .label = "TIME"),
	F("src_ip", NT_K_ADDR, addr, .label = "SOURCE"),
	F("src_port", NT_K_PORT, port, .label = "PORT"),
	F("latency_us", NT_K_NS_AS_US, ns, .label = "LATENCY"),
	F("location", NT_K_KSYM, symbol, .label = "LOCATION"),
	F("stack", NT_K_STACK, stack, .arg = 4),
};

static void test_stream_text(void)
{
	static const uint8_t v6[16] = { 0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3 };
	struct record rec = sample();
	struct nt_stream *s;
	struct nt_out *o = capture_start(NT_TEXT);
	int i, headings = 0;
	const char *p;

	nt_stream_new(&s, o, &resolver, FLOW, 6);
	nt_stream_event(s, &rec);
	memcpy(rec.addr, v6, 16);
	rec.stack[0] = 0;
	nt_stream_event(s, &rec);
	CHECK_STR(capture_flushed(o),
		  "TIME          SOURCE            PORT   LATENCY  LOCATION\n"
		  "10:00:01.234  10.0.0.1           443   12.3 us  "
		  "ovs_vport_receive [openvswitch]\n"
		  "    tcp_v4_rcv+0x10\n"
		  "    ovs_vport_receive+0x1f [openvswitch]\n"
		  "    0x999\n"
		  "10:00:01.234  2001:db8:102:304:506:708:901:203 443 12.3 us "
		  "ovs_vport_receive [openvswitch]\n", "stream with stacks and a long address");
	for (i = 0; i < 100; i++)
		nt_stream_event(s, &rec);
	for (p = capture_flushed(o); (p = strstr(p, "SOURCE")); p++)
		headings++;
	CHECK_U64((uint64_t)headings, 1, "headings once if it is no terminal");
	unlink(capture_path);
	nt_out_reopen(o);
	nt_stream_event(s, &rec);
	CHECK(!strncmp(capture_flushed(o), "TIME", 4), "a new file gets headings");
	nt_stream_free(s);
	capture_end(o);
}

static void test_stream_json(void)
{
	struct record rec = sample();
	struct nt_stream *s;
	struct nt_out *o = capture_start(NT_JSON);

	nt_stream_new(&s, o, &resolver, FLOW, 2);
	nt_stream_event(s, &rec);
	nt_stream_event(s, &rec);
	nt_stream_free(s);
	CHECK_STR(capture_end(o),
		  "{\"type\":\"event\",\"time\":\"2026-11-21T10:00:01.234567+00:00\","
		  "\"ts_ns\":1234567890,\"src_ip\":\"10.0.0.1\"}\n"
		  "{\"type\":\"event\",\"time\":\"2026-11-21T10:00:01.234567+00:00\","
		  "\"ts_ns\":1234567890,\"src_ip\":\"10.0.0.1\"}\n", "stream of JSON lines");
}

static const struct nt_field TABLE[] = {
	F("ifname", NT_K_IFINDEX, ifindex, .label = "DEVICE",
	  .arg = offsetof(struct record, netns)),
	F("packets", NT_K_U64, u64, .label = "PACKETS", .flags = NT_F_GROUP),
	F("share_pct", NT_K_F64, f64, .label = "SHARE %", .decimals = 1),
	F("note", NT_K_U16, u16, .label = "NOTE", .flags = NT_F_LEFT | NT_F_IF_NONZERO, .width = 6),
	F("comm", NT_K_CSTR, cstr, .label = "COMMAND"),
};

static void fill_table(struct record rec[3])
{
	rec[0] = (struct record){ .ifindex = 1, .u64 = 1234567, .f64 = 97.25, .cstr = "short" };
	rec[1] = (struct record){ .ifindex = 2, .u64 = 42, .f64 = 2.5, .u16 = 7,
				  .cstr = "a rather long command name that goes on and on and on, "
					  "well beyond the end of the line" };
	rec[2] = (struct record){ .ifindex = 123456, .cstr = "gr\xc3\xbc\xc3\x9f" "e" };
}

static void test_table(void)
{
	struct nt_out *o = capture_start(NT_TEXT);
	struct record rec[3];
	int valid;

	fill_table(rec);
	nt_table(o, &resolver, "devices", "Packets by device", TABLE, 5, rec, sizeof(*rec), 3);
	CHECK_STR(capture_end(o),
		  "Packets by device\n"
		  "DEVICE      PACKETS  SHARE %  NOTE    COMMAND\n"
		  "eth0.1    1,234,567     97.3  -       short\n"
		  "a\\x1bb           42      2.5  7       a rather long command name that goes on "
		  "and on and on, well beyond the end of the line\n"
		  "if123456          0      0.0  -       gr\xc3\xbc\xc3\x9f" "e\n", "text table");
	o = capture_start(NT_TEXT);
	nt_table(o, &resolver, "devices", "Packets by device", TABLE, 5, rec, sizeof(*rec), 0);
	CHECK_STR(capture_end(o), "Packets by device\n  (none)\n", "empty text table");
	o = capture_start(NT_JSON);
	nt_json_begin(o, "interval");
	nt_table(o, &resolver, "devices", "Packets by device", TABLE, 2, rec, sizeof(*rec), 2);
	nt_table(o, &resolver, "none", NULL, TABLE, 2, rec, sizeof(*rec), 0);
	nt_json_end(o);
	CHECK_STR(capture_end_jq(o, &valid),
		  "{\"type\":\"interval\",\"devices\":[{\"ifname\":\"eth0.1\",\"packets\":1234567},"
		  "{\"ifname\":\"a\\u001bb\",\"packets\":42}],\"none\":[]}\n", "JSON table");
	CHECK(valid, "jq takes it");
}

static void test_table_csv(void)
{
	struct nt_out *o = capture_start(NT_CSV);
	struct record rec[3];

	fill_table(rec);
	nt_table(o, &resolver, "devices", "title", TABLE, 2, rec, sizeof(*rec), 0);
	nt_table(o, &resolver, "devices", "title", TABLE, 2, rec, sizeof(*rec), 1);
	nt_table(o, &resolver, "devices", "title", TABLE, 2, rec + 1, sizeof(*rec), 1);
	CHECK_STR(capture_flushed(o), "ifname,packets\neth0.1,1234567\na\\x1bb,42\n",
		  "CSV tables of the same rows: one header");
	nt_table(o, &resolver, "devices", "title", TABLE, 1, rec, sizeof(*rec), 1);
	nt_table(o, &resolver, "devices", "title", TABLE, 2, rec, sizeof(*rec), 1);
	CHECK_STR(capture_end(o), "ifname,packets\neth0.1,1234567\na\\x1bb,42\n"
		  "ifname\neth0.1\nifname,packets\neth0.1,1234567\n",
		  "other rows have their own header");
}

static void test_table_narrow(void)
{
	static const struct nt_field W[] = {
		F("a", NT_K_U8, u8, .width = 30), F("b", NT_K_U8, u8, .width = 30),
		F("c", NT_K_U8, u8, .width = 45),
	};
	static const struct nt_field S[] = {
		F("a", NT_K_STR, comm, .arg = 16), F("b", NT_K_STR, comm, .arg = 16),
		F("c", NT_K_STR, comm, .arg = 16), F("d", NT_K_STR, comm, .arg = 16),
		F("e", NT_K_STR, comm, .arg = 16), F("f", NT_K_STR, comm, .arg = 15),
	};
	struct record rec = { .u8 = 1, .comm = "0123456789abcdef" };
	struct nt_out *o = capture_start(NT_TEXT);

	nt_table(o, NULL, "t", NULL, W, 3, &rec, sizeof(rec), 1);
	CHECK_STR(capture_end(o), "a  b  c\n1  1  1\n", "least widths give way to 100 columns");
	o = capture_start(NT_TEXT);
	nt_table(o, NULL, "t", NULL, S, 6, &rec, sizeof(rec), 1);
	CHECK(strstr(capture_end(o), "\n0123456789abcdef  0123456789abcdef  "),
	      "a long last column leaves the gaps");
}

static void test_terminal_color(void)
{
	struct record rec = sample();
	struct nt_stream *s;
	struct nt_out *o;

	capture_end(capture_start(NT_TEXT));
	CHECK(!nt_out_open(&o, capture_path, NT_TEXT, true), "open with colour");
	nt_stream_new(&s, o, &resolver, FLOW, 1);
	nt_stream_event(s, &rec);
	nt_stream_free(s);
	CHECK_STR(capture_end(o), "\033[1mTIME\033[0m\n10:00:01.234\n", "bold headings");
}

static void test_terminal_headings(void)
{
	static const struct nt_field ONE[] = { F("n", NT_K_U8, u8) };
	struct record rec = { .u8 = 1 };
	int headings = 0, pty = posix_openpt(O_RDWR | O_NOCTTY), i;
	char buf[2000];
	struct nt_stream *s;
	struct nt_out *o;
	ssize_t n;

	if (pty < 0 || grantpt(pty) || unlockpt(pty) ||
	    nt_out_open(&o, ptsname(pty), NT_TEXT, false)) {
		printf("# no pseudo-terminal here\n");
		return;
	}
	nt_stream_new(&s, o, NULL, ONE, 1);
	for (i = 0; i < 81; i++)
		nt_stream_event(s, &rec);
	nt_out_flush(o);
	n = read(pty, buf, sizeof(buf));
	while (n-- > 0)
		headings += buf[n] == 'n';
	CHECK_U64((uint64_t)headings, 3, "headings again after 40 rows on a terminal");
	nt_stream_free(s);
	nt_out_close(o);
	close(pty);
}

/* Thread time of one of n events, in us. */
static double us_per_event(struct nt_stream *s, int n)
{
	struct record rec = sample();
	struct timespec a, b;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	for (int i = 0; i < n; i++) {
		rec.ts += 10000;
		nt_stream_event(s, &rec);
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / 1e3 / n;
}

static void test_speed(void)
{
	struct nt_stream *s;
	struct nt_out *o;
	double us = 1e9;

	if (nt_out_open(&o, "/dev/null", NT_JSON, false))
		return;
	nt_stream_new(&s, o, &resolver, ALL, 25);
	/* The best of several: a guest's thread time goes on while its emulator waits for a CPU. */
	for (int i = 0; i < 20; i++)
		us = fmin(us, us_per_event(s, 1000));
	nt_stream_free(s);
	nt_out_close(o);
	printf("# %.2f us for an event of 25 fields\n", us);
	CHECK(us < 50, "an event of 25 fields costs microseconds (generous: sanitizers)");
}

int main(void)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	test_stream_text();
	test_stream_json();
	test_table();
	test_table_csv();
	test_table_narrow();
	test_terminal_color();
	test_terminal_headings();
	test_speed();
	return check_done();
}
