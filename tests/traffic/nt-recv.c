/* nt-recv: makes exactly known receive calls on one socket and reports what each kind came to. */
#include "common.h"
#include "recv_uring.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define MESSAGES_MAX 64

enum proto { TCP, UDP };
enum call { RECVFROM, RECVMSG, RECVMMSG, READ, READV, RECV32, URING };

static struct addr own;
static uint64_t port, size = 4096, count, again, zero, timeout_us, pause_us, messages = 1, cpu = UINT64_MAX;
static int proto, call;
static bool waitall, use_poll;
static const char *name, *wait_file;

static const struct opt opts[] = {
	{ "proto", OPT_CHOICE, &proto, "tcp|udp", "of the socket; tcp: one connection", 0, 0, false },
	{ "bind", OPT_ADDR, &own, "ADDR", "own address, IPv4 or IPv6", 0, 0, true },
	OPT_PORT("port", &port, "own port", true),
	{ "call", OPT_CHOICE, &call, "recvfrom|recvmsg|recvmmsg|read|readv|recv32|uring",
	  "the system call; default recvfrom; recv32: as 32-bit programs of x86 do it; uring: by io_uring",
	  0, 0, false },
	{ "size", OPT_U64, &size, "BYTES", "of the buffer; default 4096", 1, 1 << 26, false },
	{ "messages", OPT_U64, &messages, "N", "of recvmmsg; default 1", 1, MESSAGES_MAX, false },
	{ "count", OPT_U64, &count, "N", "calls that get data; default: until the end of the stream", 0, 0, false },
	{ "again", OPT_U64, &again, "N", "calls that do not wait, before anything is sent: EAGAIN", 0, 0, false },
	{ "zero", OPT_U64, &zero, "N", "calls for no bytes at all at the end; TCP: no end of the stream", 0, 0, false },
	{ "timeout-us", OPT_U64, &timeout_us, "US", "SO_RCVTIMEO; a call that times out is made again", 0, 0, false },
	{ "pause-us", OPT_U64, &pause_us, "US", "sleep before each call", 0, 0, false },
	{ "waitall", OPT_FLAG, &waitall, NULL, "MSG_WAITALL: calls wait until the buffer is full", 0, 0, false },
	{ "poll", OPT_FLAG, &use_poll, NULL, "poll before each call, which does not wait then", 0, 0, false },
	{ "cpu", OPT_U64, &cpu, "N", "run on this CPU only", 0, CPU_SETSIZE - 1, false },
	{ "name", OPT_STR, &name, "NAME", "own name", 0, 0, false },
	{ "wait-file", OPT_STR, &wait_file, "PATH", "after the connection, begin when PATH exists", 0, 0, false },
	{ 0 },
};

static const char summary[] =
	"Receives with one system call again and again. The first line says 'ready'. calls: all that were made.\n"
	"Example: nt-recv --bind 10.0.0.1 --port 9 --call readv";

static uint64_t calls, got, bytes, eof, eagain, timeouts, interrupted, errors, spent_ns;
static int last_errno;

static ssize_t call_mmsg(int fd, void *buf, int flags)
{
	static struct mmsghdr msg[MESSAGES_MAX];
	static struct iovec iov[MESSAGES_MAX];
	int n;

	for (size_t i = 0; i < messages; i++) {
		iov[i] = (struct iovec){ (char *)buf + i * (size / messages), size / messages };
		msg[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	n = recvmmsg(fd, msg, (unsigned int)messages, flags | MSG_WAITFORONE, NULL);
	for (int i = 0; i < n; i++)
		bytes += msg[i].msg_len;
	return n;
}

/* The old way into the kernel: numbers and pointers of 32 bits, of which the static program has some. */
static ssize_t call_recv32(int fd, void *buf, size_t len, int flags)
{
#ifdef __x86_64__
	int ret;

	asm volatile("push %%rbp; xor %%ebp, %%ebp; int $0x80; pop %%rbp"
		     : "=a"(ret) : "0"(371), "b"(fd), "c"(buf), "d"(len), "S"(flags), "D"(0)
		     : "memory", "cc", "r8", "r9", "r10", "r11");
	errno = ret < 0 ? -ret : 0;
	return ret < 0 ? -1 : ret;
#else
	return recv(fd, buf, len, flags);
#endif
}

static ssize_t call_once(int fd, void *buf, size_t len, int flags)
{
	struct iovec iov = { buf, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	switch (call) {
	case READ: return read(fd, buf, len);
	case READV: return readv(fd, &iov, 1);
	case RECVMSG: return recvmsg(fd, &msg, flags);
	case RECVMMSG: return call_mmsg(fd, buf, flags);
	case RECV32: return call_recv32(fd, buf, len, flags);
	case URING: return uring_recv(fd, buf, len);
	default: return recvfrom(fd, buf, len, flags, NULL, NULL);
	}
}

static void count_failure(uint64_t took)
{
	if (errno == EAGAIN && timeout_us && took * 2 > timeout_us * 1000)
		timeouts++;
	else if (errno == EAGAIN)
		eagain++;
	else if (errno == EINTR)
		interrupted++;
	else
		errors++;
	last_errno = errno;
}

/* One call; false: nothing more will come. */
static bool receive(int fd, void *buf, size_t len, int flags)
{
	uint64_t start = now_ns(), took;
	ssize_t n = call_once(fd, buf, len, flags);
	int err = errno;

	took = now_ns() - start;
	spent_ns += took;
	calls++;
	errno = err;
	if (n < 0) {
		count_failure(took);
		return err == EAGAIN || (err == EINTR && !stopped());
	}
	if (!len)
		return true;
	if (call != RECVMMSG)
		bytes += (uint64_t)n;
	got += n > 0 || proto == UDP;
	eof += proto == TCP && !n;
	return proto == UDP || n;
}

static int connection(void)
{
	int fd = socket_bound(own.family, proto == TCP ? SOCK_STREAM : SOCK_DGRAM, 0, &own, (uint16_t)port), conn;
	struct timeval t = { .tv_sec = (time_t)(timeout_us / 1000000), .tv_usec = (suseconds_t)(timeout_us % 1000000) };

	if (proto == TCP && listen(fd, 1))
		die_errno("listen");
	print_ready();
	conn = proto == TCP ? accept(fd, NULL, NULL) : fd;
	if (conn < 0)
		die_errno("accept");
	if (timeout_us && setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)))
		die_errno("SO_RCVTIMEO");
	return conn;
}

static void run(int fd, void *buf)
{
	int flags = (waitall ? MSG_WAITALL : 0) | (use_poll ? MSG_DONTWAIT : 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (uint64_t i = 0; i < again; i++)
		receive(fd, buf, size, MSG_DONTWAIT);
	if (again) {
		puts("again");
		fflush(stdout);
	}
	while ((!count || got < count) && !stopped()) {
		if (pause_us)
			sleep_ns(pause_us * 1000);
		if (use_poll && poll(&p, 1, -1) < 0)
			continue;
		if (!receive(fd, buf, size, flags))
			break;
	}
	for (uint64_t i = 0; i < zero; i++)
		receive(fd, buf, 0, MSG_DONTWAIT);
}

static void report(void)
{
	struct json out;

	json_begin(&out);
	json_u64(&out, "pid", (uint64_t)getpid());
	json_u64(&out, "calls", calls);
	json_u64(&out, "bytes", bytes);
	json_u64(&out, "eof", eof);
	json_u64(&out, "again", eagain);
	json_u64(&out, "timeouts", timeouts);
	json_u64(&out, "interrupted", interrupted);
	json_u64(&out, "errors", errors);
	json_u64(&out, "errno", (uint64_t)last_errno);
	json_u64(&out, "spent_us", spent_ns / 1000);
	json_end(&out);
}

int main(int argc, char **argv)
{
	cpu_set_t set;
	void *buf;
	int fd;

	set_program_name("nt-recv");
	opts_parse("nt-recv", summary, opts, argc, argv);
	stop_on_signals();
	if (name)
		prctl(PR_SET_NAME, name);
	CPU_ZERO(&set);
	CPU_SET(cpu == UINT64_MAX ? 0 : cpu, &set);
	if (cpu != UINT64_MAX && sched_setaffinity(0, sizeof(set), &set))
		die_errno("cannot run on CPU %llu", (unsigned long long)cpu);
	buf = xcalloc(1, size);
	memset(buf, 1, size);		/* no page faults in the calls */
	fd = connection();
	if (wait_file)
		wait_for_file(wait_file);
	run(fd, buf);
	report();
	return 0;
}
