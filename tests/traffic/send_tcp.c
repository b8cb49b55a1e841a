/* nt-send tcp-connect, tcp */
#include "common.h"
#include "nt-send.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

struct tcp_job {
	struct addr to, from;
	uint64_t port, count, timeout_ms;
	uint64_t attempts, refused, connected, timeouts, errors;
};

/* The result of a connect() that is under way, or ETIMEDOUT. */
static int connect_wait(int fd, uint64_t timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = ETIMEDOUT;

	if (poll(&p, 1, (int)timeout_ms) <= 0)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		die_errno("SO_ERROR");
	return err;
}

static int connect_once(const struct tcp_job *j)
{
	int fd = socket_bound(j->to.family, SOCK_STREAM | SOCK_NONBLOCK, 0, &j->from, 0);
	struct sockaddr_storage ss;
	int err = 0;

	if (connect(fd, (struct sockaddr *)&ss, sockaddr_fill(&ss, &j->to, (uint16_t)j->port)))
		err = errno == EINPROGRESS ? connect_wait(fd, j->timeout_ms) : errno;
	close(fd);
	return err;
}

static void count_result(struct tcp_job *j, int err)
{
	j->attempts++;
	switch (err) {
	case 0:
		j->connected++;
		break;
	case ECONNREFUSED:
		j->refused++;
		break;
	case ETIMEDOUT:
		j->timeouts++;
		break;
	default:
		j->errors++;
	}
}

void cmd_tcp_connect(int argc, char **argv)
{
	struct tcp_job j = { .count = 1, .timeout_ms = 1000 };
	const struct opt opts[] = {
		OPT_TO(&j.to),
		OPT_PORT("port", &j.port, "destination port", true),
		OPT_FROM(&j.from),
		{ "count", OPT_U64, &j.count, "N", "attempts; default 1", 0, 0, false },
		{ "timeout-ms", OPT_U64, &j.timeout_ms, "MS",
		  "for one attempt; default 1000", 1, 600000, false },
		{ 0 },
	};
	struct json out;
	uint64_t start;
	double seconds;

	opts_parse("tcp-connect",
		   "Tries TCP connections one after the other and closes them at once.",
		   opts, argc, argv);
	start = now_ns();
	while (j.attempts < j.count && !stopped())
		count_result(&j, connect_once(&j));
	seconds = seconds_since(start);
	json_begin(&out);
	json_u64(&out, "attempts", j.attempts);
	json_u64(&out, "refused", j.refused);
	json_u64(&out, "connected", j.connected);
	json_u64(&out, "timeouts", j.timeouts);
	json_u64(&out, "errors", j.errors);
	json_double(&out, "seconds", seconds);
	json_end(&out);
}

/* --- tcp ----------------------------------------------------------------- */

struct stream_job {
	struct addr to, from;
	uint64_t port, sport, count, size, interval_us;
	bool reset;
	uint64_t sends, bytes, errors;
};

static int stream_connect(const struct stream_job *j)
{
	int fd = socket_bound(j->to.family, SOCK_STREAM, 0, &j->from, (uint16_t)j->sport), on = 1;
	struct sockaddr_storage ss;

	if (connect(fd, (struct sockaddr *)&ss, sockaddr_fill(&ss, &j->to, (uint16_t)j->port)))
		die_errno("connect to port %llu", (unsigned long long)j->port);
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		die_errno("TCP_NODELAY");
	return fd;
}

static void stream_run(struct stream_job *j, int fd)
{
	uint64_t start = now_ns();
	char *buf = xcalloc(1, j->size);

	for (uint64_t i = 0; i < j->count && !stopped(); i++) {
		ssize_t n;

		sleep_until_ns(start + (i + 1) * j->interval_us * 1000);
		n = send(fd, buf, j->size, MSG_NOSIGNAL);
		j->sends++;
		j->errors += n != (ssize_t)j->size;
		j->bytes += n > 0 ? (uint64_t)n : 0;
	}
	free(buf);
}

void cmd_tcp(int argc, char **argv)
{
	struct stream_job j = { .count = 1, .size = 1, .interval_us = 10000 };
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	const struct opt opts[] = {
		OPT_TO(&j.to),
		OPT_PORT("port", &j.port, "destination port", true),
		OPT_FROM(&j.from),
		OPT_PORT("sport", &j.sport, "source port (default: the kernel's choice)", false),
		{ "count", OPT_U64, &j.count, "N", "sends; default 1", 0, 0, false },
		{ "size", OPT_U64, &j.size, "BYTES", "of a send; default 1", 1, 1 << 26, false },
		{ "interval-us", OPT_U64, &j.interval_us, "US", "from one send to the next; default 10000",
		  0, 0, false },
		{ "reset", OPT_FLAG, &j.reset, NULL, "end with a reset instead of FIN", 0, 0, false },
		{ 0 },
	};
	struct json out;
	int fd;

	opts_parse("tcp", "Opens a TCP connection, sends at equal intervals and closes it; no send waits for another.",
		   opts, argc, argv);
	fd = stream_connect(&j);
	stream_run(&j, fd);
	if (j.reset && setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)))
		die_errno("SO_LINGER");
	close(fd);
	json_begin(&out);
	json_u64(&out, "sends", j.sends);
	json_u64(&out, "bytes", j.bytes);
	json_u64(&out, "errors", j.errors);
	json_end(&out);
}
