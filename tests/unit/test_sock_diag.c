/* SPDX-License-Identifier: GPL-2.0 */
/* Answers of sock_diag of several lengths, the filter's code, owners in /proc, and a dump of our own sockets. */
#include "nettrace/sock_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

/* A message with tcp_info of n bytes, each 1, 2, 3 ... */
static size_t message(char *buf, uint8_t family, size_t n)
{
	struct nlmsghdr *h = (void *)buf;
	struct inet_diag_msg *m = NLMSG_DATA(h);
	struct rtattr *a = (void *)(m + 1);
	uint8_t *info = RTA_DATA(a);

	memset(buf, 0, 1024);
	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	m->idiag_family = family;
	m->idiag_state = 1;
	m->id.idiag_sport = htons(22);
	m->id.idiag_dport = htons(40000);
	m->id.idiag_cookie[0] = 7;
	m->id.idiag_cookie[1] = 1;
	inet_pton(family, family == AF_INET ? "10.1.2.3" : "::ffff:10.1.2.3", m->id.idiag_src);
	inet_pton(family, family == AF_INET ? "10.9.9.9" : "2001:db8::9", m->id.idiag_dst);
	a->rta_type = INET_DIAG_INFO;
	a->rta_len = (uint16_t)RTA_LENGTH(n);
	for (size_t i = 0; i < n; i++)
		info[i] = (uint8_t)(i + 1);
	h->nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(*m)) + RTA_ALIGN(a->rta_len));
	return h->nlmsg_len;
}

static void test_parse(void)
{
	static char buf[1024] __attribute__((aligned(8)));
	struct nt_sock s;
	size_t n = message(buf, AF_INET, 104);

	CHECK(nt_sock_parse(&s, buf, n), "a socket");
	CHECK_U64(s.cookie, 0x100000007ULL, "cookie");
	CHECK(s.has == NT_SOCK_INFO && s.local[10] == 0xff && s.local[12] == 10 && s.local[15] == 3, "v4-mapped");
	CHECK(s.local_port == htons(22) && s.remote_port == htons(40000), "ports");
	CHECK(nt_tcp_has(&s, total_retrans) && !nt_tcp_has(&s, pacing_rate) && !s.info.pacing_rate,
	      "an old kernel's tcp_info ends early");
	CHECK_U64(s.info.rtt_us, 0x48474645, "the round trip is at byte 68");
	n = message(buf, AF_INET6, 232);
	CHECK(nt_sock_parse(&s, buf, n) && nt_tcp_has(&s, snd_wnd) && !nt_tcp_has(&s, rcv_wnd), "5.4's");
	CHECK_U64(s.info.snd_wnd, 0xe8e7e6e5, "the peer's window is at byte 228");
	n = message(buf, AF_INET6, 400);
	CHECK(nt_sock_parse(&s, buf, n) && nt_tcp_has(&s, received_ce) && s.info_len == 400, "a newer kernel's is longer");
	CHECK(!memcmp(s.remote, "\x20\x01\x0d\xb8", 4) && s.local[10] == 0xff && s.family == AF_INET6, "IPv6");
	for (size_t cut = 0; cut < n; cut++)
		if (nt_sock_parse(&s, buf, cut))
			CHECK(false, "a message that is cut is none");
	((struct nlmsghdr *)(void *)buf)->nlmsg_type = NLMSG_DONE;
	CHECK(!nt_sock_parse(&s, buf, n), "the end is no socket");
}

static struct nt_sock_filter filter(const char *local, const char *remote, const char *lport, const char *rport)
{
	struct nt_sock_filter f;

	memset(&f, 0, sizeof(f));
	if (local)
		nt_parse_prefix(local, &f.local);
	if (remote)
		nt_parse_prefix(remote, &f.remote);
	if (lport)
		nt_parse_ports(lport, &f.local_port);
	if (rport)
		nt_parse_ports(rport, &f.remote_port);
	return f;
}

/* inet_diag's interpreter: what the kernel would say. -1: it would refuse the code. */
static int run_code(const uint8_t *code, size_t n, const struct nt_sock *s, bool v6)
{
	long left = (long)n;

	while (left > 0) {
		const struct inet_diag_bc_op *op = (const void *)code;
		const struct inet_diag_hostcond *c = (const void *)(op + 1);
		const uint8_t *addr = op->code == INET_DIAG_BC_S_COND ? s->local : s->remote;
		bool yes = true;

		if (op->yes < 4 || op->yes & 3 || op->no & 3 || op->no > left + 4 || op->yes > left)
			return -1;
		switch (op->code) {
		case INET_DIAG_BC_S_GE: yes = ntohs(s->local_port) >= op[1].no; break;
		case INET_DIAG_BC_S_LE: yes = ntohs(s->local_port) <= op[1].no; break;
		case INET_DIAG_BC_D_GE: yes = ntohs(s->remote_port) >= op[1].no; break;
		case INET_DIAG_BC_D_LE: yes = ntohs(s->remote_port) <= op[1].no; break;
		case INET_DIAG_BC_S_COND:
		case INET_DIAG_BC_D_COND:
			if (c->port != -1 || op->yes != 12 + (c->family == AF_INET ? 4 : 16))
				return -1;
			addr += c->family == AF_INET ? 12 : 0;
			yes = (c->family == AF_INET6) == v6 || !memcmp(addr - 12, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
			for (int b = 0; b < c->prefix_len; b++)
				yes = yes && !((addr[b / 8] ^ ((const uint8_t *)c->addr)[b / 8]) >> (7 - b % 8) & 1);
			break;
		default: return -1;
		}
		left -= yes ? op->yes : op->no;
		code += yes ? op->yes : op->no;
	}
	return left == 0;
}

static void test_filter(void)
{
	static const struct { const char *local, *remote, *lport, *rport; bool v4, v6; } t[] = {
		{ NULL, NULL, NULL, NULL, true, true },
		{ "10.1.2.3", NULL, NULL, NULL, true, true },		/* the second socket's is v4-mapped */
		{ "10.1.2.4", NULL, NULL, NULL, false, false },
		{ "10.1.0.0/15", NULL, NULL, NULL, true, true },
		{ "10.2.0.0/15", NULL, NULL, NULL, false, false },
		{ NULL, "10.9.9.9", NULL, NULL, true, false },
		{ NULL, "2001:db8::/33", NULL, NULL, false, true },
		{ NULL, "2001:db8:8000::/33", NULL, NULL, false, false },
		{ NULL, NULL, "22", NULL, true, true },
		{ NULL, NULL, "23-65535", NULL, false, false },
		{ NULL, NULL, "1-22", "40000", true, true },
		{ NULL, NULL, "22", "39000-39999", false, false },
		{ "10.0.0.0/8", "10.9.9.9", "22", "40000", true, false },
	};
	static char buf4[1024] __attribute__((aligned(8))), buf6[1024] __attribute__((aligned(8)));
	size_t n4 = message(buf4, AF_INET, 104), n6 = message(buf6, AF_INET6, 104);
	struct nt_sock v4, v6;

	nt_sock_parse(&v4, buf4, n4);
	nt_sock_parse(&v6, buf6, n6);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nt_sock_filter f = filter(t[i].local, t[i].remote, t[i].lport, t[i].rport);
		uint8_t code[NT_SOCK_CODE_MAX] __attribute__((aligned(8)));
		size_t n = nt_sock_code(&f, code);
		char name[80];

		snprintf(name, sizeof(name), "filter %zu: by us and by the kernel's code", i);
		CHECK(nt_sock_match(&v4, &f) == t[i].v4 && nt_sock_match(&v6, &f) == t[i].v6 &&
		      n <= sizeof(code) && (n != 0) == (i != 0) &&
		      run_code(code, n, &v4, false) == t[i].v4 && run_code(code, n, &v6, true) == t[i].v6, name);
	}
}

/* ---- a socket of our own ---- */
struct seen { uint16_t port; uint32_t inode, n; };

static bool see(void *arg, const struct nt_sock *s)
{
	struct seen *seen = arg;

	seen->n++;
	seen->inode = s->inode;
	return true;
}

static void test_own(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), copy = dup(fd), rc;
	struct nt_sock_filter f = { .local_port = { .set = true } };
	struct seen seen = { .n = 0 };
	struct nt_sock_owner o[2] = { { .inode = 1 } };
	socklen_t len = sizeof(a);

	bind(fd, (void *)&a, len);
	listen(fd, 3);
	getsockname(fd, (void *)&a, &len);
	f.local_port.low = f.local_port.high = ntohs(a.sin_port);
	rc = nt_sock_dump(1u << NT_TCP_LISTEN, &f, see, &seen);
	if (rc) {
		printf("# no sock_diag here: %s\n", strerror(-rc));	/* some sandboxes' kernels */
		return;
	}
	CHECK_U64(seen.n, 1, "our listener is found");
	o[1].inode = seen.inode;
	CHECK(nt_sock_owners(o, 2, NULL, NULL), "all of /proc was looked through");
	CHECK(o[1].processes == 1 && o[1].pid == (uint32_t)getpid() && o[1].fd == (uint32_t)fd &&
	      !strncmp(o[1].comm, "test_sock_diag", 14), "it is ours, once");
	CHECK(!o[0].processes, "and the other is nobody's");
	close(copy);
	close(fd);
}

int main(void)
{
	test_parse();
	test_filter();
	test_own();
	return check_done();
}
