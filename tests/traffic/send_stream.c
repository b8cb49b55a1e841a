/* nt-send tcp-send, tcp-sink: a stream of known length, and what the kernel says about it. */
#include "common.h"
#include "nt-send.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK_MAX (1 << 20)
#define SINKS 64

/* --- tcp-send ------------------------------------------------------------ */

struct stream_job {
	struct addr to, from;
	uint64_t port, sport, bytes, chunk, rate, hold_ns, mss, sndbuf;
	bool reset;
	uint64_t sent;
};

static void set_int(int fd, int level, int name, uint64_t value)
{
	int v = (int)value;

	if (value && setsockopt(fd, level, name, &v, sizeof(v)))
		die_errno("setsockopt");
}

static int stream_connect(const struct stream_job *j)
{
	int fd = socket_bound(j->to.family, SOCK_STREAM, 0, &j->from, (uint16_t)j->sport);
	struct sockaddr_storage ss;

	set_int(fd, IPPROTO_TCP, TCP_MAXSEG, j->mss);
	set_int(fd, SOL_SOCKET, SO_SNDBUF, j->sndbuf);
	if (connect(fd, (struct sockaddr *)&ss, sockaddr_fill(&ss, &j->to, (uint16_t)j->port)))
		die_errno("connect");
	return fd;
}

static void stream_write(struct stream_job *j, int fd)
{
	uint8_t *buf = xcalloc(1, j->chunk);
	uint64_t start = now_ns();

	while (j->sent < j->bytes && !stopped()) {
		uint64_t left = j->bytes - j->sent;
		ssize_t n;

		if (j->rate)
			sleep_until_ns(start + (uint64_t)((double)j->sent * NSEC_PER_SEC / (double)j->rate));
		n = send(fd, buf, left < j->chunk ? left : j->chunk, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			die_errno("send");
		j->sent += n > 0 ? (uint64_t)n : 0;
	}
	free(buf);
}

/* Until the other end has acknowledged all. */
static void stream_drain(int fd)
{
	int left = 1;

	while (!ioctl(fd, SIOCOUTQ, &left) && left && !stopped())
		sleep_ns(1000000);
}

static void stream_info(struct json *out, int fd)
{
	struct tcp_info i = { 0 };
	socklen_t len = sizeof(i);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len))
		die_errno("TCP_INFO");
	json_u64(out, "data_segs_out", i.tcpi_data_segs_out);
	json_u64(out, "segs_out", i.tcpi_segs_out);
	json_u64(out, "bytes_sent", i.tcpi_bytes_sent);
	json_u64(out, "total_retrans", i.tcpi_total_retrans);
	json_u64(out, "bytes_retrans", i.tcpi_bytes_retrans);
	json_u64(out, "rtt_us", i.tcpi_rtt);
	json_u64(out, "min_rtt_us", i.tcpi_min_rtt);
	json_u64(out, "cwnd", i.tcpi_snd_cwnd);
	json_u64(out, "mss", i.tcpi_snd_mss);
	json_u64(out, "delivered", i.tcpi_delivered);
}

static void stream_close(const struct stream_job *j, int fd)
{
	struct linger now = { 1, 0 };

	if (j->reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

void cmd_tcp_send(int argc, char **argv)
{
	struct stream_job j = { .bytes = 1000000, .chunk = 65536 };
	const struct opt opts[] = {
		OPT_TO(&j.to),
		OPT_PORT("port", &j.port, "destination port", true),
		OPT_FROM(&j.from),
		OPT_PORT("sport", &j.sport, "source port (default: the kernel's choice)", false),
		{ "bytes", OPT_U64, &j.bytes, "N", "length of the stream; default 1000000", 0, 0, false },
		{ "chunk", OPT_U64, &j.chunk, "N", "bytes of one write; default 65536", 1, CHUNK_MAX, false },
		{ "rate", OPT_U64, &j.rate, "N", "bytes a second; default: as fast as it goes", 0, 0, false },
		{ "mss", OPT_U64, &j.mss, "N", "TCP_MAXSEG; default: the kernel's", 0, 65535, false },
		{ "sndbuf", OPT_U64, &j.sndbuf, "N", "SO_SNDBUF; default: the kernel's", 0, 1 << 30, false },
		{ "hold", OPT_SECONDS, &j.hold_ns, "S",
		  "say ready when all is acknowledged, and stay connected so long", 0, 0, false },
		{ "reset", OPT_FLAG, &j.reset, NULL, "end with a reset", 0, 0, false },
		{ 0 },
	};
	struct json out;
	uint64_t start;
	double connected, seconds;
	int fd;

	opts_parse("tcp-send", "Sends a stream, waits until it is acknowledged, and reports TCP_INFO.",
		   opts, argc, argv);
	start = now_ns();
	fd = stream_connect(&j);
	connected = seconds_since(start);
	start = now_ns();
	stream_write(&j, fd);
	stream_drain(fd);
	seconds = seconds_since(start);
	if (j.hold_ns) {
		print_ready();
		sleep_ns(j.hold_ns);
	}
	json_begin(&out);
	json_u64(&out, "bytes", j.sent);
	json_double(&out, "connect_seconds", connected);
	json_double(&out, "seconds", seconds);
	stream_info(&out, fd);
	stream_close(&j, fd);
	json_end(&out);
}

/* --- tcp-sink ------------------------------------------------------------ */

struct sink_job {
	struct addr from;
	uint64_t port, rcvbuf, rate;
	uint64_t accepted, resets, bytes;
	struct pollfd p[SINKS + 1];
	nfds_t n;
};

static void sink_accept(struct sink_job *j)
{
	int fd = accept(j->p[0].fd, NULL, NULL);

	if (fd < 0)
		return;
	j->accepted++;
	if (j->n > SINKS)
		die("more than %d connections at a time", SINKS);
	j->p[j->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* False: it has ended. */
static bool sink_read(struct sink_job *j, int fd)
{
	static uint8_t buf[CHUNK_MAX];
	size_t most = j->rate ? j->rate / 100 + 1 : sizeof(buf);
	ssize_t n = recv(fd, buf, most < sizeof(buf) ? most : sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	j->resets += n < 0;
	j->bytes += n > 0 ? (uint64_t)n : 0;
	if (n > 0 && j->rate)
		sleep_ns((uint64_t)((double)n * NSEC_PER_SEC / (double)j->rate));
	return n > 0;
}

static void sink_run(struct sink_job *j)
{
	while (!stopped()) {
		if (poll(j->p, j->n, 200) <= 0)
			continue;
		for (nfds_t i = j->n - 1; i > 0; i--) {
			if (!j->p[i].revents || sink_read(j, j->p[i].fd))
				continue;
			close(j->p[i].fd);
			j->p[i] = j->p[--j->n];
		}
		if (j->p[0].revents)
			sink_accept(j);
	}
}

void cmd_tcp_sink(int argc, char **argv)
{
	struct sink_job j = { .n = 1 };
	const struct opt opts[] = {
		OPT_PORT("port", &j.port, "port", true),
		OPT_FROM(&j.from),
		{ "rcvbuf", OPT_U64, &j.rcvbuf, "N", "SO_RCVBUF; default: the kernel's", 0, 1 << 30, false },
		{ "rate", OPT_U64, &j.rate, "N", "read at most so many bytes a second", 0, 0, false },
		{ 0 },
	};
	struct json out;
	int one = 1;

	opts_parse("tcp-sink", "Takes connections, reads what comes, until it is stopped.", opts, argc, argv);
	if (!j.from.family)
		j.from.family = AF_INET6;	/* ::, which takes IPv4, too */
	j.p[0].fd = socket(j.from.family, SOCK_STREAM, 0);
	j.p[0].events = POLLIN;
	if (j.p[0].fd < 0 || setsockopt(j.p[0].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		die_errno("socket");
	set_int(j.p[0].fd, SOL_SOCKET, SO_RCVBUF, j.rcvbuf);
	{
		struct sockaddr_storage ss;
		socklen_t len = sockaddr_fill(&ss, &j.from, (uint16_t)j.port);

		if (bind(j.p[0].fd, (struct sockaddr *)&ss, len) || listen(j.p[0].fd, SINKS))
			die_errno("bind, listen");
	}
	print_ready();
	sink_run(&j);
	json_begin(&out);
	json_u64(&out, "accepted", j.accepted);
	json_u64(&out, "resets", j.resets);
	json_u64(&out, "bytes", j.bytes);
	json_end(&out);
}
