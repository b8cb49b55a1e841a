/* nt-send ping */
#include "common.h"
#include "nt-send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ICMP_FILTER_OPT 1	/* linux/icmp.h, which conflicts with netinet/ip_icmp.h */
#define PING_BUFFER (8 << 20)
#define PING_REQUESTS_MAX (1ull << 22)
#define RETRY_NS 100000

/*
 * Request i (from 0) has the id first id + i % ids and the sequence number
 * i / ids + 1, cut to 16 bits.
 */
struct ping_job {
	struct addr to, from;
	uint64_t count, id, ids, interval_us, size, timeout_ms;
	bool flood, per_seq;

	int fd;
	uint64_t total;
	uint64_t *sent_ns;	/* 0: not sent */
	int64_t *rtt_ns;	/* -1: no reply */
	uint64_t next;		/* requests tried */
	uint64_t sent, received, duplicates, errors, retries;
};

struct echo {
	uint8_t type, code;
	uint16_t check, id, seq;
};

static uint8_t request_type(const struct ping_job *j)
{
	return j->to.family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
}

static uint8_t reply_type(const struct ping_job *j)
{
	return j->to.family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
}

static void ping_open(struct ping_job *j)
{
	if (j->to.family == AF_INET) {
		uint32_t drop = ~(1u << ICMP_ECHOREPLY);

		j->fd = socket_bound(AF_INET, SOCK_RAW, IPPROTO_ICMP, &j->from, 0);
		if (setsockopt(j->fd, SOL_RAW, ICMP_FILTER_OPT, &drop, sizeof(drop)))
			die_errno("ICMP_FILTER");
	} else {
		struct icmp6_filter f;

		ICMP6_FILTER_SETBLOCKALL(&f);
		ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &f);
		j->fd = socket_bound(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, &j->from, 0);
		if (setsockopt(j->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof(f)))
			die_errno("ICMP6_FILTER");
	}
	set_receive_buffer(j->fd, PING_BUFFER);
	j->sent_ns = xcalloc(j->total, sizeof(*j->sent_ns));
	j->rtt_ns = xcalloc(j->total, sizeof(*j->rtt_ns));
	for (uint64_t i = 0; i < j->total; i++)
		j->rtt_ns[i] = -1;
}

/* The latest request with this id and sequence number, or total. */
static uint64_t find_request(const struct ping_job *j, uint16_t id, uint16_t seq)
{
	uint64_t k = (uint16_t)(id - j->id);
	uint64_t rounds, n;

	if (k >= j->ids || j->next <= k)
		return j->total;
	rounds = (j->next - k - 1) / j->ids + 1;	/* sequence numbers 1..rounds were used */
	n = (rounds & ~0xffffull) | seq;
	if (n > rounds) {
		if (n < 0x10000)
			return j->total;
		n -= 0x10000;
	}
	return n ? (n - 1) * j->ids + k : j->total;
}

static void take_reply(struct ping_job *j, const uint8_t *data, size_t len, uint64_t now)
{
	struct echo e;
	uint64_t i;

	if (j->to.family == AF_INET) {
		size_t ihl = (size_t)(data[0] & 15) * 4;

		if (len < ihl)
			return;
		data += ihl;
		len -= ihl;
	}
	if (len < sizeof(e))
		return;
	memcpy(&e, data, sizeof(e));
	if (e.type != reply_type(j))
		return;
	i = find_request(j, ntohs(e.id), ntohs(e.seq));
	if (i == j->total || !j->sent_ns[i])
		return;
	if (j->rtt_ns[i] >= 0) {
		j->duplicates++;
		return;
	}
	j->rtt_ns[i] = (int64_t)(now - j->sent_ns[i]);
	j->received++;
}

static void take_replies(struct ping_job *j)
{
	static uint8_t buf[FRAME_MAX];

	for (;;) {
		ssize_t n = recv(j->fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n > 0)
			take_reply(j, buf, (size_t)n, now_ns());
		else if (n == 0 || errno != EINTR)
			return;
	}
}

static void send_request(struct ping_job *j)
{
	static uint8_t packet[FRAME_MAX];
	size_t len = sizeof(struct echo) + j->size;
	uint64_t i = j->next++;
	struct echo e = {
		.type = request_type(j),
		.id = htons((uint16_t)(j->id + i % j->ids)),
		.seq = htons((uint16_t)(i / j->ids + 1)),
	};
	struct sockaddr_storage ss;
	socklen_t ss_len = sockaddr_fill(&ss, &j->to, 0);

	memcpy(packet, &e, sizeof(e));
	if (j->to.family == AF_INET) {	/* the kernel does it for ICMPv6 */
		e.check = csum_fold(csum_add(0, packet, len));
		memcpy(packet, &e, sizeof(e));
	}
	while (!stopped()) {
		j->sent_ns[i] = now_ns();
		if (sendto(j->fd, packet, len, 0, (struct sockaddr *)&ss, ss_len) == (ssize_t)len) {
			j->sent++;
			return;
		}
		j->sent_ns[i] = 0;
		if (errno == EAGAIN || errno == ENOBUFS) {
			j->retries++;
			take_replies(j);
			sleep_ns(RETRY_NS);
		} else if (errno != EINTR) {
			j->errors++;
			return;
		}
	}
}

/* Receives until then, or until all replies are here. */
static void receive_until(struct ping_job *j, uint64_t until, bool all)
{
	while (!(all && j->received == j->sent)) {
		if (wait_readable(j->fd, until) <= 0)
			return;
		take_replies(j);
	}
}

static void ping_run(struct ping_job *j)
{
	uint64_t start = now_ns();

	while (j->next < j->total && !stopped()) {
		if (!j->flood)
			receive_until(j, start + j->next * j->interval_us * 1000, false);
		send_request(j);
		take_replies(j);
	}
	receive_until(j, now_ns() + j->timeout_ms * 1000000, true);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void json_us(struct json *out, const char *name, int64_t ns)
{
	if (ns < 0)
		json_null(out, name);
	else
		json_double(out, name, (double)ns / 1e3);
}

static void report_rtt(struct json *out, const struct ping_job *j)
{
	int64_t *sorted = xcalloc(j->received, sizeof(*sorted));
	uint64_t n = 0;

	for (uint64_t i = 0; i < j->total; i++)
		if (j->rtt_ns[i] >= 0)
			sorted[n++] = j->rtt_ns[i];
	qsort(sorted, n, sizeof(*sorted), compare);
	json_open(out, "rtt_us", '{');
	json_us(out, "min", n ? sorted[0] : -1);
	json_us(out, "p50", n ? sorted[(n - 1) / 2] : -1);
	json_us(out, "max", n ? sorted[n - 1] : -1);
	json_close(out, '}');
	free(sorted);
}

static void report_each(struct json *out, const struct ping_job *j)
{
	json_open(out, "per_seq", '[');
	for (uint64_t i = 0; i < j->next; i++) {
		json_open(out, NULL, '[');
		if (j->ids > 1)
			json_u64(out, NULL, (uint16_t)(j->id + i % j->ids));
		json_u64(out, NULL, (uint16_t)(i / j->ids + 1));
		json_us(out, NULL, j->rtt_ns[i]);
		json_close(out, ']');
	}
	json_close(out, ']');
}

static void ping_report(const struct ping_job *j, double seconds)
{
	struct json out;

	json_begin(&out);
	json_u64(&out, "sent", j->sent);
	json_u64(&out, "received", j->received);
	json_u64(&out, "duplicates", j->duplicates);
	json_u64(&out, "errors", j->errors);
	json_u64(&out, "retries", j->retries);
	json_double(&out, "seconds", seconds);
	report_rtt(&out, j);
	if (j->per_seq)
		report_each(&out, j);
	json_end(&out);
}

void cmd_ping(int argc, char **argv)
{
	struct ping_job j = { .count = 1, .id = 1, .ids = 1, .interval_us = 10000, .size = 56,
			      .timeout_ms = 1000 };
	const struct opt opts[] = {
		OPT_TO(&j.to),
		OPT_FROM(&j.from),
		{ "count", OPT_U64, &j.count, "N",
		  "requests per id, sequence numbers 1 to N (16 bit); default 1",
		  0, PING_REQUESTS_MAX, false },
		{ "id", OPT_U64, &j.id, "ID", "ICMP id; default 1", 0, 65535, false },
		{ "ids", OPT_U64, &j.ids, "K",
		  "ids ID to ID+K-1 in turn, K*N requests; default 1", 1, 65536, false },
		{ "interval-us", OPT_U64, &j.interval_us, "US",
		  "time between requests; default 10000", 0,
		  1ull << 32, false },
		{ "size", OPT_U64, &j.size, "BYTES",
		  "data after the ICMP header; default 56", 0, 65400, false },
		{ "flood", OPT_FLAG, &j.flood, NULL, "as fast as possible", 0, 0, false },
		{ "timeout-ms", OPT_U64, &j.timeout_ms, "MS",
		  "wait for the last replies; default 1000", 0,
		  600000, false },
		{ "per-seq", OPT_FLAG, &j.per_seq, NULL,
		  "list [seq, rtt_us] of every request, with --ids [id, seq, rtt_us];\n"
		  "null: no reply",
		  0, 0, false },
		{ 0 },
	};
	uint64_t start;

	opts_parse("ping", "Sends ICMP or ICMPv6 echo requests and measures the round trips.",
		   opts, argc, argv);
	j.total = j.count * j.ids;
	if (j.total > PING_REQUESTS_MAX)
		die("more than %llu requests", PING_REQUESTS_MAX);
	ping_open(&j);
	start = now_ns();
	ping_run(&j);
	ping_report(&j, seconds_since(start));
}
