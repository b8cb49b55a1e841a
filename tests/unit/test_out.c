/* SPDX-License-Identifier: GPL-2.0 */
/* The writer and the JSON builder. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "check.h"
#include "capture.h"

static void test_json_values(void)
{
	struct nt_out *o = capture_start(NT_JSON);
	int valid;

	nt_json_begin(o, "start");
	nt_json_u64(o, "zero", 0);
	nt_json_u64(o, "max", UINT64_MAX);
	nt_json_i64(o, "min", INT64_MIN);
	nt_json_i64(o, "pos", 7);
	nt_json_bool(o, "yes", true);
	nt_json_bool(o, "no", false);
	nt_json_str(o, "null", NULL);
	nt_json_strn(o, "fixed", "eth0\0garbage", 12);
	nt_json_strn(o, "unterminated", "abcdef", 3);
	nt_json_obj(o, "obj");
	nt_json_obj_end(o);
	nt_json_arr(o, "arr");
	nt_json_u64(o, NULL, 1);
	nt_json_str(o, NULL, "two");
	nt_json_arr(o, NULL);
	nt_json_arr_end(o);
	nt_json_obj(o, NULL);
	nt_json_u64(o, "k", 3);
	nt_json_obj_end(o);
	nt_json_arr_end(o);
	nt_json_time(o, "time", 1795255200123456789ULL);
	nt_json_end(o);
	CHECK_STR(capture_end_jq(o, &valid),
		  "{\"type\":\"start\",\"zero\":0,\"max\":18446744073709551615,"
		  "\"min\":-9223372036854775808,\"pos\":7,\"yes\":true,\"no\":false,"
		  "\"null\":null,\"fixed\":\"eth0\",\"unterminated\":\"abc\",\"obj\":{},"
		  "\"arr\":[1,\"two\",[],{\"k\":3}],"
		  "\"time\":\"2026-11-21T10:00:00.123456+00:00\"}\n", "JSON of all values");
	CHECK(valid, "jq takes it");
}

static const char *json_f64(double v, int decimals)
{
	struct nt_out *o = capture_start(NT_JSON);
	char *end;

	nt_json_begin(o, NULL);
	nt_json_f64(o, "v", v, decimals);
	nt_json_end(o);
	capture_end(o);
	end = strchr(capture_text, '}');
	if (end)
		*end = '\0';
	return strchr(capture_text, ':') + 1;
}

static void test_json_f64(void)
{
	CHECK_STR(json_f64(1.5, 3), "1.5", "trailing zeros are trimmed");
	CHECK_STR(json_f64(2.0, 3), "2", "no point without decimals");
	CHECK_STR(json_f64(0.0005, 3), "0.001", "rounds up");
	CHECK_STR(json_f64(0.0004, 3), "0", "rounds down");
	CHECK_STR(json_f64(-0.0004, 3), "0", "no minus zero");
	CHECK_STR(json_f64(-12.25, 2), "-12.25", "negative");
	CHECK_STR(json_f64(0.05, 2), "0.05", "leading zeros of the fraction");
	CHECK_STR(json_f64(1234567.0, 0), "1234567", "whole number");
	CHECK_STR(json_f64(0.0 / 0.0, 3), "null", "NaN is null");
	CHECK_STR(json_f64(1.0 / 0.0, 3), "null", "infinity is null");
	CHECK_STR(json_f64(1e300, 3), "1.0000000000000001e+300", "huge");
	CHECK_STR(json_f64(99.9999, 2), "100", "carry into the whole part");
}

static const char *json_str(const char *s)
{
	struct nt_out *o = capture_start(NT_JSON);
	int valid;

	nt_json_begin(o, NULL);
	nt_json_str(o, "s", s);
	nt_json_end(o);
	capture_end_jq(o, &valid);
	if (!valid)
		return "(invalid JSON)";
	capture_text[strlen(capture_text) - 2] = '\0';
	return capture_text + 5;
}

static void test_json_escapes(void)
{
	CHECK_STR(json_str(""), "\"\"", "empty string");
	CHECK_STR(json_str("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"", "quote and backslash");
	CHECK_STR(json_str("\n\t\x01\x1f\x7f"), "\"\\u000a\\u0009\\u0001\\u001f\\u007f\"",
		  "control characters");
	CHECK_STR(json_str("\033[31mred"), "\"\\u001b[31mred\"", "terminal escape");
	CHECK_STR(json_str("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
		  "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"", "UTF-8 is kept");
	CHECK_STR(json_str("a\xff\xfe"), "\"a\\u00ff\\u00fe\"", "bytes that are no UTF-8");
	CHECK_STR(json_str("\xc3"), "\"\\u00c3\"", "cut character");
	CHECK_STR(json_str("\xe2\x82"), "\"\\u00e2\\u0082\"", "cut character of three");
	CHECK_STR(json_str("\xf0\x9f\x98"), "\"\\u00f0\\u009f\\u0098\"", "cut character of four");
	CHECK_STR(json_str("\xc0\xaf"), "\"\\u00c0\\u00af\"", "overlong of two");
	CHECK_STR(json_str("\xe0\x80\xaf"), "\"\\u00e0\\u0080\\u00af\"", "overlong of three");
	CHECK_STR(json_str("\xf0\x80\x80\xaf"), "\"\\u00f0\\u0080\\u0080\\u00af\"",
		  "overlong of four");
	CHECK_STR(json_str("\xed\xa0\x80"), "\"\\u00ed\\u00a0\\u0080\"", "surrogate");
	CHECK_STR(json_str("\xf4\x90\x80\x80"), "\"\\u00f4\\u0090\\u0080\\u0080\"",
		  "beyond Unicode");
	CHECK_STR(json_str("\xc2\x9b" "31m"), "\"\\u00c2\\u009b31m\"", "C1 control");
	CHECK_STR(json_str("\xc3("), "\"\\u00c3(\"", "broken sequence keeps what follows");
}

static void test_json_random(void)
{
	struct nt_out *o = capture_start(NT_JSON);
	char s[40];
	int valid, i;
	size_t j;

	srand(1);
	for (i = 0; i < 2000; i++) {
		for (j = 0; j < sizeof(s); j++)
			s[j] = (char)(rand() % 255 + 1);
		s[39] = '\0';
		nt_json_begin(o, s);
		nt_json_strn(o, s + 3, s, (size_t)(rand() % 40));
		nt_json_end(o);
	}
	capture_end_jq(o, &valid);
	CHECK(valid, "2000 lines of random bytes are JSON");
}

static void test_other_formats_are_silent(void)
{
	struct nt_out *o = capture_start(NT_TEXT);

	nt_json_begin(o, "x");
	nt_json_arr(o, "a");
	nt_json_arr_end(o);
	nt_json_obj(o, "a");
	nt_json_obj_end(o);
	nt_json_f64(o, "f", 1, 1);
	nt_json_time(o, "t", 1);
	nt_json_end(o);
	CHECK_STR(capture_end(o), "", "JSON calls do nothing in text");
	o = capture_start(NT_JSON);
	nt_text(o, "hello\n");
	CHECK_STR(capture_end(o), "", "text does nothing in JSON");
	o = capture_start(NT_CSV);
	nt_text(o, "hello\n");
	nt_json_begin(o, "x");
	nt_json_end(o);
	CHECK_STR(capture_end(o), "", "neither does in CSV");
}

static void test_lines(void)
{
	struct nt_out *o = capture_start(NT_JSON);

	nt_json_begin(o, "a");
	nt_json_end(o);
	CHECK_STR(capture_read(), "", "nothing is written before the flush");
	nt_json_begin(o, "b");
	nt_json_u64(o, "n", 1);
	CHECK_STR(capture_flushed(o), "{\"type\":\"a\"}\n", "only whole lines are flushed");
	nt_json_u64(o, "m", 2);
	CHECK_STR(capture_flushed(o), "{\"type\":\"a\"}\n", "again");
	nt_json_end(o);
	CHECK_STR(capture_flushed(o), "{\"type\":\"a\"}\n{\"type\":\"b\",\"n\":1,\"m\":2}\n",
		  "the rest comes when it is whole");
	nt_json_begin(o, "c");
	CHECK_STR(capture_end(o), "{\"type\":\"a\"}\n{\"type\":\"b\",\"n\":1,\"m\":2}\n",
		  "an unfinished line is not written at the end");
}

static void test_long_lines(void)
{
	static char big[300000];
	struct nt_out *o = capture_start(NT_TEXT);

	memset(big, 'x', sizeof(big) - 1);
	nt_text(o, "%s|%d\n", big, 42);
	CHECK_U64(strlen(capture_read()), sizeof(big) - 1 + 4,
		  "a full buffer is written at a line's end");
	nt_text(o, "short %s\n", "line");
	capture_flushed(o);
	CHECK_STR(capture_text + sizeof(big) - 1, "|42\nshort line\n", "text around the growth");
	capture_end(o);

	o = capture_start(NT_JSON);
	nt_json_begin(o, "big");
	nt_json_str(o, "s", big);
	nt_json_str(o, "t", big);
	CHECK_STR(capture_flushed(o), "", "a long unfinished line is kept");
	nt_json_end(o);
	CHECK_U64(strlen(capture_end(o)), 2 * (sizeof(big) - 1) + 14 + 6 + 7 + 2, "long JSON line");
}

static void test_reopen(void)
{
	struct nt_out *o = capture_start(NT_TEXT);
	char old[80];
	struct stat st;

	nt_text(o, "one\n");
	snprintf(old, sizeof(old), "%s.1", capture_path);
	CHECK(!rename(capture_path, old), "rotate");
	CHECK(!nt_out_reopen(o), "reopen");
	nt_text(o, "two\n");
	CHECK_STR(capture_flushed(o), "two\n", "new file gets new lines");
	CHECK(!stat(old, &st) && st.st_size == 4, "old file got what was buffered");
	CHECK(!nt_out_reopen(o), "reopen without rotation");
	nt_text(o, "three\n");
	CHECK_STR(capture_flushed(o), "two\nthree\n", "appends");
	unlink(old);
	unlink(capture_path);
	CHECK(!mkdir(capture_path, 0700), "put a directory in the way");
	CHECK(nt_out_reopen(o) == -EISDIR, "reopen fails");
	nt_text(o, "four\n");
	nt_out_flush(o);
	CHECK(!nt_out_failed(o, NULL), "the old file is still written to");
	nt_out_close(o);
	rmdir(capture_path);
}

static void test_open(void)
{
	struct nt_out *o = (void *)1;
	int err = 5;

	CHECK(nt_out_open(&o, "/nonexistent/x", NT_TEXT, false) == -ENOENT, "open fails");
	CHECK(!o, "no object then");
	nt_out_close(NULL);
	CHECK(!nt_out_open(&o, NULL, NT_TEXT, true), "stdout");
	CHECK(nt_out_color(o) && nt_out_format(o) == NT_TEXT, "colour and format");
	CHECK(!nt_out_reopen(o), "reopen of stdout does nothing");
	CHECK(!nt_out_failed(o, &err) && err == 0, "no failure");
	nt_out_close(o);
	CHECK(fcntl(STDOUT_FILENO, F_GETFD) >= 0, "stdout is not closed");
	CHECK(!nt_out_open(&o, NULL, NT_JSON, true) && !nt_out_color(o), "JSON has no colour");
	nt_out_close(o);
}

/* An output whose file descriptor is the write end of a pipe. */
static struct nt_out *open_pipe(int fds[2])
{
	struct nt_out *o;
	char path[40];

	if (pipe(fds))
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	if (nt_out_open(&o, path, NT_TEXT, false))
		return NULL;
	close(fds[1]);
	return o;
}

static void test_failures(void)
{
	int fds[2], err = 0, i;
	struct nt_out *o = open_pipe(fds);

	nt_text(o, "a\n");
	nt_out_flush(o);
	CHECK(!nt_out_failed(o, NULL), "open pipe");
	close(fds[0]);
	nt_text(o, "b\n");
	nt_out_flush(o);
	CHECK(nt_out_failed(o, &err) && err == EPIPE, "closed pipe is EPIPE");
	for (i = 0; i < 100000; i++)
		nt_text(o, "some line that nobody will read: %d\n", i);
	CHECK(nt_out_failed(o, &err) && err == EPIPE, "the first error stays");
	nt_out_close(o);

	CHECK(!nt_out_open(&o, "/dev/full", NT_JSON, false), "open /dev/full");
	nt_json_begin(o, "x");
	nt_json_end(o);
	nt_out_flush(o);
	CHECK(nt_out_failed(o, &err) && err == ENOSPC, "full disk is ENOSPC");
	nt_out_close(o);
}

struct reader {
	int fd;
	size_t got;
	pthread_t writer;
	bool interrupt;
};

static void *slow_reader(void *arg)
{
	struct reader *r = arg;
	char buf[10000];
	ssize_t n;

	do {
		if (r->interrupt)
			pthread_kill(r->writer, SIGUSR1);
		usleep(1000);
		n = read(r->fd, buf, sizeof(buf));
		if (n > 0)
			r->got += (size_t)n;
	} while (n > 0);
	return NULL;
}

static void nothing(int sig)
{
	(void)sig;
}

static void test_slow_reader(bool nonblock)
{
	struct sigaction sa = { .sa_handler = nothing };
	struct reader r = { .writer = pthread_self(), .interrupt = !nonblock };
	struct nt_out *o;
	pthread_t thread;
	int fds[2], i;

	sigaction(SIGUSR1, &sa, NULL);
	o = open_pipe(fds);
	r.fd = fds[0];
	for (i = 3; nonblock && i < 20; i++) {	/* the writer's descriptor is one of them */
		if (i != fds[0] && fcntl(i, F_GETFL) >= 0)
			fcntl(i, F_SETFL, O_NONBLOCK | fcntl(i, F_GETFL));
	}
	pthread_create(&thread, NULL, slow_reader, &r);
	for (i = 0; i < 20000; i++)
		nt_text(o, "%015d\n", i);
	nt_out_flush(o);
	CHECK(!nt_out_failed(o, NULL), nonblock ? "EAGAIN is no failure" : "EINTR is no failure");
	nt_out_close(o);
	r.interrupt = false;
	pthread_join(thread, NULL);
	close(fds[0]);
	CHECK_U64(r.got, 20000 * 16, "all bytes arrive at a slow reader");
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	setenv("TZ", "UTC0", 1);
	tzset();
	test_json_values();
	test_json_f64();
	test_json_escapes();
	test_json_random();
	test_other_formats_are_silent();
	test_lines();
	test_long_lines();
	test_reopen();
	test_open();
	test_failures();
	test_slow_reader(false);
	test_slow_reader(true);
	return check_done();
}
