/* nt-send udp, sink, echo, rcvbuf */
#include "common.h"
#include "nt-send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define UDP_MAX 65507
#define SINK_BUFFER (16 << 20)
#define RETRY_NS 100000

/* --- udp ----------------------------------------------------------------- */

enum vary { VARY_SPORT, VARY_DPORT };

struct udp_job {
	struct addr to, from;
	uint64_t port, sport, flows, count, size, rate;
	int vary;

	int *fds;
	size_t nfds;
	uint8_t *payload;	/* BATCH datagrams of size bytes */
	uint64_t sent, bytes, errors, retries;
};

/* Without connect() an ICMP error does not come back to the sender. */
static void udp_open(struct udp_job *j)
{
	j->nfds = j->vary == VARY_SPORT ? j->flows : 1;
	j->fds = xcalloc(j->nfds, sizeof(*j->fds));
	for (size_t i = 0; i < j->nfds; i++)
		j->fds[i] = socket_bound(j->to.family, SOCK_DGRAM, 0, &j->from,
					 (uint16_t)(j->sport ? j->sport + i : 0));
}

/* The number of the datagram, in as many bytes as there are. */
static void udp_number(uint8_t *at, size_t size, uint64_t number)
{
	for (size_t i = 0; i < 4 && i < size; i++)
		at[i] = (uint8_t)(number >> (24 - 8 * i));
}

static size_t udp_prepare(struct udp_job *j, uint64_t first, size_t n, struct mmsghdr *msgs,
			  struct iovec *iov, struct sockaddr_storage *to)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t number = first + i;
		uint64_t step = j->vary == VARY_DPORT ? number % j->flows : 0;

		iov[i] = (struct iovec){ j->payload + i * j->size, j->size };
		udp_number(iov[i].iov_base, j->size, number);
		msgs[i] = (struct mmsghdr){ .msg_hdr = {
			.msg_name = &to[i],
			.msg_namelen = sockaddr_fill(&to[i], &j->to, (uint16_t)(j->port + step)),
			.msg_iov = &iov[i], .msg_iovlen = 1,
		} };
	}
	return n;
}

/*
 * Sends datagrams first to first+n-1. A full queue is tried again, any other
 * error costs the datagram it happened to.
 */
static void udp_send(struct udp_job *j, uint64_t first, size_t n)
{
	static struct sockaddr_storage to[BATCH];
	static struct mmsghdr msgs[BATCH];
	static struct iovec iov[BATCH];
	int fd = j->fds[first % j->nfds];
	size_t done = 0;

	udp_prepare(j, first, n, msgs, iov, to);
	while (done < n && !stopped()) {
		int r = sendmmsg(fd, msgs + done, (unsigned int)(n - done), 0);

		if (r > 0) {
			j->sent += (uint64_t)r;
			done += (size_t)r;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			j->retries++;
			sleep_ns(RETRY_NS);
		} else if (errno != EINTR) {
			j->errors++;
			done++;
		}
	}
}

static void udp_run(struct udp_job *j, uint64_t start)
{
	/* Neighbours in a batch share the socket. */
	size_t batch = j->rate || j->nfds > 1 ? 1 : BATCH;

	for (uint64_t i = 0; i < j->count && !stopped(); i += batch) {
		uint64_t left = j->count - i;

		if (j->rate)
			sleep_until_ns(start + i * NSEC_PER_SEC / j->rate);
		udp_send(j, i, left < batch ? left : batch);
	}
}

void cmd_udp(int argc, char **argv)
{
	struct udp_job j = { .flows = 1, .count = 1, .size = 100, .rate = 1000 };
	const struct opt opts[] = {
		OPT_TO(&j.to),
		OPT_PORT("port", &j.port, "destination port", true),
		OPT_FROM(&j.from),
		OPT_PORT("sport", &j.sport, "first source port (default: the kernel's choice)",
			 false),
		{ "flows", OPT_U64, &j.flows, "N",
		  "number of flows, datagram i goes to flow i modulo N; default 1",
		  1, 65535, false },
		{ "vary", OPT_CHOICE, &j.vary, "sport|dport",
		  "the port that counts up from flow to flow; default sport", 0, 0, false },
		{ "count", OPT_U64, &j.count, "N", "datagrams in total; default 1", 0, 0, false },
		{ "size", OPT_U64, &j.size, "BYTES",
		  "UDP payload; starts with a 4 byte number; default 100",
		  0, UDP_MAX, false },
		{ "rate", OPT_U64, &j.rate, "PPS",
		  "datagrams per second, 0: as fast as possible; default 1000",
		  0, 0, false },
		{ 0 },
	};
	struct json out;
	uint64_t start;
	double seconds;

	opts_parse("udp", "Sends UDP datagrams and does not mind ICMP errors.", opts, argc, argv);
	if ((j.vary == VARY_SPORT ? j.sport : j.port) + j.flows - 1 > 65535)
		die("--flows: the ports would exceed 65535");
	udp_open(&j);
	j.payload = xcalloc(BATCH, j.size);
	start = now_ns();
	udp_run(&j, start);
	seconds = seconds_since(start);
	json_begin(&out);
	json_u64(&out, "sent", j.sent);
	json_u64(&out, "bytes", j.sent * j.size);
	json_u64(&out, "errors", j.errors);
	json_u64(&out, "retries", j.retries);
	json_u64(&out, "flows", j.flows);
	json_double(&out, "seconds", seconds);
	json_end(&out);
}

/* --- receivers ----------------------------------------------------------- */

struct receiver {
	struct addr bind;
	uint64_t port, count, seconds, buffer;
	int fd;
	uint64_t received, bytes, sent;
};

#define OPT_BIND(v) \
	{ .name = "bind", .type = OPT_ADDR, .value = v, .arg = "ADDR", \
	  .help = "own address, IPv4 or IPv6", .required = true }
#define OPTS_UNTIL(r) \
	{ .name = "count", .type = OPT_U64, .value = &(r)->count, .arg = "N", \
	  .help = "end after N datagrams; default: no limit" }, \
	{ .name = "seconds", .type = OPT_SECONDS, .value = &(r)->seconds, .arg = "S", \
	  .help = "end after S seconds; default: on SIGINT or SIGTERM" }

static void receiver_open(struct receiver *r)
{
	r->fd = socket_bound(r->bind.family, SOCK_DGRAM, 0, &r->bind, (uint16_t)r->port);
	set_receive_buffer(r->fd, (int)r->buffer);
}

/* Takes what is there; sends it back if asked. */
static void receiver_take(struct receiver *r, bool echo)
{
	static uint8_t buf[UDP_MAX + 1];

	while (!r->count || r->received < r->count) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(r->fd, buf, sizeof(buf), MSG_DONTWAIT,
				     (struct sockaddr *)&from, &len);

		if (n < 0 && (errno == EINTR || errno == ECONNREFUSED))
			continue;
		if (n < 0)
			return;
		r->received++;
		r->bytes += (uint64_t)n;
		if (echo && sendto(r->fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len) == n)
			r->sent++;
	}
}

static void receiver_run(struct receiver *r, bool echo)
{
	uint64_t until = r->seconds ? now_ns() + r->seconds : UINT64_MAX / 2;

	print_ready();
	while (!r->count || r->received < r->count) {
		if (wait_readable(r->fd, until) <= 0)
			break;
		receiver_take(r, echo);
	}
	if (stopped())
		receiver_take(r, echo);
}

static void receiver_report(struct json *out, const struct receiver *r)
{
	json_u64(out, "received", r->received);
	json_u64(out, "bytes", r->bytes);
	json_u64(out, "drops", socket_drops(r->fd));
}

void cmd_sink(int argc, char **argv)
{
	struct receiver r = { .buffer = SINK_BUFFER };
	const struct opt opts[] = {
		OPT_BIND(&r.bind),
		OPT_PORT("port", &r.port, "own port", true),
		OPTS_UNTIL(&r),
		{ 0 },
	};
	struct json out;

	opts_parse("sink", "Receives and counts UDP datagrams. The first line says 'ready'.\n"
		   "drops: datagrams that the full socket lost.", opts, argc, argv);
	receiver_open(&r);
	receiver_run(&r, false);
	json_begin(&out);
	receiver_report(&out, &r);
	json_end(&out);
}

void cmd_echo(int argc, char **argv)
{
	struct receiver r = { .buffer = SINK_BUFFER };
	const struct opt opts[] = {
		OPT_BIND(&r.bind),
		OPT_PORT("port", &r.port, "own port", true),
		OPTS_UNTIL(&r),
		{ 0 },
	};
	struct json out;

	opts_parse("echo", "Sends UDP datagrams back. The first line says 'ready'.",
		   opts, argc, argv);
	receiver_open(&r);
	receiver_run(&r, true);
	json_begin(&out);
	receiver_report(&out, &r);
	json_u64(&out, "sent", r.sent);
	json_end(&out);
}

static uint64_t buffer_in_use(int fd)
{
	socklen_t len = sizeof(int);
	int bytes = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len))
		die_errno("SO_RCVBUF");
	return (uint64_t)bytes;
}

void cmd_rcvbuf(int argc, char **argv)
{
	struct receiver r = { .buffer = 2048, .seconds = 5 * NSEC_PER_SEC };
	const struct opt opts[] = {
		OPT_BIND(&r.bind),
		OPT_PORT("port", &r.port, "own port", true),
		{ "bytes", OPT_U64, &r.buffer, "BYTES",
		  "SO_RCVBUF; default 2048", 0, INT32_MAX / 2, false },
		{ "hold", OPT_SECONDS, &r.seconds, "SECONDS",
		  "how long not to read; a signal ends it; default 5",
		  0, 0, false },
		{ 0 },
	};
	struct json out;

	opts_parse("rcvbuf", "Lets the receive buffer run full, then counts what is in it.\n"
		   "The first line says 'ready'.", opts, argc, argv);
	receiver_open(&r);
	print_ready();
	sleep_ns(r.seconds);
	receiver_take(&r, false);
	json_begin(&out);
	receiver_report(&out, &r);
	json_u64(&out, "rcvbuf", buffer_in_use(r.fd));
	json_end(&out);
}
