// SPDX-License-Identifier: GPL-2.0
/* Loads of fixed work: the same system calls in every round. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <pthread.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define PING_MAX 4000		/* bytes behind the ICMP header */
#define TAP_BATCH 500		/* fewer than the ring of a tap holds */

/* 10.77.0.1:40000 to 10.77.0.2:5000 with 22 bytes, for a MAC address that nobody here has: the
 * receiving end drops it in its IP layer, one kfree_skb a frame and nothing else. */
static const unsigned char frame[64] = {
	2, 0x77, 0, 0, 0, 9, 2, 0x77, 0, 0, 0, 1, 8, 0,
	0x45, 0, 0, 50, 0, 1, 0x40, 0, 64, 17, 0x25, 0xfe, 10, 77, 0, 1, 10, 77, 0, 2,
	0x9c, 0x40, 0x13, 0x88, 0, 30, 0, 0,
};

struct packet_socket {
	int fd;
	struct sockaddr_ll to;
};

static void packet_open(struct packet_socket *p, const char *dev)
{
	*p = (struct packet_socket){
		.fd = socket(AF_PACKET, SOCK_RAW, 0),
		.to = { .sll_family = AF_PACKET, .sll_halen = ETH_ALEN,
			.sll_ifindex = (int)if_nametoindex(dev) },
	};
	if (p->fd < 0 || !p->to.sll_ifindex)
		bench_die(dev);
}

static void packet_send(const struct packet_socket *p)
{
	if (sendto(p->fd, frame, sizeof(frame), 0, (const void *)&p->to, sizeof(p->to)) < 0)
		bench_die("send");
}

static void need(int argc, int want)
{
	if (argc < want) {
		errno = EINVAL;
		bench_die("arguments");
	}
}

static void round_done(uint64_t ns)
{
	printf("%llu\n", (unsigned long long)ns);
	fflush(stdout);
}

int bench_frames(int argc, char **argv)
{
	struct packet_socket p;

	need(argc, 3);
	packet_open(&p, argv[0]);
	for (int round = 0; round <= atoi(argv[2]); round++) {
		uint64_t start = bench_now();

		for (int i = 0; i < atoi(argv[1]); i++)
			packet_send(&p);
		round_done(bench_now() - start);
	}
	return 0;
}

int bench_ping(int argc, char **argv)
{
	struct { struct icmphdr head; char data[PING_MAX]; } echo = { .head = { .type = ICMP_ECHO } };
	struct { unsigned char ip[20]; struct icmphdr head; char data[PING_MAX]; } reply;
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	size_t size = argc > 3 ? (size_t)atoi(argv[3]) : 56;
	unsigned int seq = 0;

	need(argc, 3);
	if (size > sizeof(echo.data))
		bench_die("bytes");
	inet_pton(AF_INET, argv[0], &to.sin_addr);
	if (fd < 0 || connect(fd, (void *)&to, sizeof(to)))
		bench_die(argv[0]);
	for (int round = 0; round <= atoi(argv[2]); round++) {
		uint64_t start = bench_now();

		for (int i = 0; i < atoi(argv[1]); i++) {
			echo.head.un.echo.id = htons(77);
			echo.head.un.echo.sequence = htons((uint16_t)++seq);
			/* type 8, id, sequence; the rest is zero */
			echo.head.checksum = htons((uint16_t)~(0x0800 + 77 + (seq & 0xffff) +
				((0x0800 + 77 + (seq & 0xffff)) >> 16)));
			if (send(fd, &echo, sizeof(echo.head) + size, 0) < 0)
				bench_die("send");
			do {
				if (recv(fd, &reply, sizeof(reply), 0) < 0)
					bench_die("receive");
			} while (reply.head.type != ICMP_ECHOREPLY ||
				 reply.head.un.echo.sequence != echo.head.un.echo.sequence);
		}
		round_done(bench_now() - start);
	}
	return 0;
}

static int tap_open(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || s < 0 || ioctl(fd, TUNSETIFF, &r))
		bench_die("/dev/net/tun");
	r.ifr_flags = IFF_UP;
	if (ioctl(s, SIOCSIFFLAGS, &r))
		bench_die(name);
	close(s);
	return fd;
}

int bench_tap(int argc, char **argv)
{
	struct packet_socket p;
	char buf[2048];
	int fd;

	need(argc, 3);
	fd = tap_open(argv[0]);
	packet_open(&p, argv[0]);
	for (int round = 0; round <= atoi(argv[2]); round++) {
		uint64_t spent = 0;

		for (int left = atoi(argv[1]); left > 0; left -= TAP_BATCH) {
			uint64_t start = bench_now();

			for (int i = 0; i < TAP_BATCH && i < left; i++)
				packet_send(&p);
			spent += bench_now() - start;
			while (read(fd, buf, sizeof(buf)) > 0)
				;
		}
		round_done(spent);
	}
	return 0;
}

/* A byte to another process and back: two wakeups and two switches on one CPU. */
int bench_threads(int argc, char **argv)
{
	int there[2], back[2];
	char c = 0;

	need(argc, 2);
	if (pipe(there) || pipe(back))
		bench_die("pipe");
	if (!fork()) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1)
			if (write(back[1], &c, 1) != 1)
				bench_die("pipe");
		_exit(0);
	}
	for (int round = 0; round <= atoi(argv[1]); round++) {
		uint64_t start = bench_now();

		for (int i = 0; i < atoi(argv[0]); i++)
			if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
				bench_die("pipe");
		round_done(bench_now() - start);
	}
	return 0;
}

/* The two ends of a connection over the loopback device. */
static void tcp_pair(int fd[2])
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(5000),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, l = socket(AF_INET, SOCK_STREAM, 0);

	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (l < 0 || fd[0] < 0 || setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(l, (void *)&to, sizeof(to)) || listen(l, 1) || connect(fd[0], (void *)&to, sizeof(to)))
		bench_die("tcp");
	fd[1] = accept(l, NULL, NULL);
	for (int i = 0; i < 2; i++)
		if (fd[i] < 0 || setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
			bench_die("tcp");
	close(l);
}

/* A byte there and a byte back: each segment acknowledges the one before. */
int bench_tcp(int argc, char **argv)
{
	char c = 0;
	int fd[2];

	need(argc, 2);
	tcp_pair(fd);
	for (int round = 0; round <= atoi(argv[1]); round++) {
		uint64_t start = bench_now();

		for (int i = 0; i < atoi(argv[0]); i++)
			for (int k = 0; k < 2; k++)
				if (write(fd[k], &c, 1) != 1 || read(fd[!k], &c, 1) != 1)
					bench_die("tcp");
		round_done(bench_now() - start);
	}
	return 0;
}

/* A datagram to oneself, and the call that takes it. */
int bench_recv(int argc, char **argv)
{
	struct sockaddr_in self = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				    .sin_port = htons(7000) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char c = 0;

	need(argc, 2);
	if (fd < 0 || bind(fd, (struct sockaddr *)&self, sizeof(self)) ||
	    connect(fd, (struct sockaddr *)&self, sizeof(self)))
		bench_die("UDP socket");
	for (int round = 0; round <= atoi(argv[1]); round++) {
		uint64_t start = bench_now();

		for (int i = 0; i < atoi(argv[0]); i++)
			if (send(fd, &c, 1, 0) != 1 || recv(fd, &c, 1, 0) != 1)
				bench_die("UDP");
		round_done(bench_now() - start);
	}
	return 0;
}

/* Nobody waits, and the value is another one: two calls that return at once. */
int bench_futex(int argc, char **argv)
{
	unsigned int word = 0;

	need(argc, 2);
	for (int round = 0; round <= atoi(argv[1]); round++) {
		uint64_t start = bench_now();

		for (int i = 0; i < atoi(argv[0]); i++) {
			syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
			syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
		}
		round_done(bench_now() - start);
	}
	return 0;
}

int bench_rwlock(int argc, char **argv)
{
	pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

	need(argc, 2);
	for (int round = 0; round <= atoi(argv[1]); round++) {
		uint64_t start = bench_now();

		for (int i = 0; i < atoi(argv[0]); i++) {
			pthread_rwlock_wrlock(&lock);
			pthread_rwlock_unlock(&lock);
		}
		round_done(bench_now() - start);
	}
	return 0;
}
