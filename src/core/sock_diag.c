/* SPDX-License-Identifier: GPL-2.0 */
/* TCP sockets by NETLINK_SOCK_DIAG: the question, the filter that the kernel runs, the answers. */
#include "nettrace/sock_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nettrace/tool.h"

_Static_assert(offsetof(struct nt_tcp_info, bytes_acked) == 120, "the kernel's layout");
_Static_assert(offsetof(struct nt_tcp_info, snd_wnd) == 228, "the kernel's layout");
_Static_assert(offsetof(struct nt_tcp_info, received_ce) == 248, "the kernel's layout");

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

const char *nt_tcp_state_name(uint32_t state)
{
	static const char *const names[] = {
		[NT_TCP_ESTABLISHED] = "ESTABLISHED", [NT_TCP_SYN_SENT] = "SYN_SENT",
		[NT_TCP_SYN_RECV] = "SYN_RECV", [NT_TCP_FIN_WAIT1] = "FIN_WAIT1",
		[NT_TCP_FIN_WAIT2] = "FIN_WAIT2", [NT_TCP_TIME_WAIT] = "TIME_WAIT", [NT_TCP_CLOSE] = "CLOSE",
		[NT_TCP_CLOSE_WAIT] = "CLOSE_WAIT", [NT_TCP_LAST_ACK] = "LAST_ACK", [NT_TCP_LISTEN] = "LISTEN",
		[NT_TCP_CLOSING] = "CLOSING", [NT_TCP_NEW_SYN_RECV] = "NEW_SYN_RECV",
	};

	return state < NT_COUNT(names) && names[state] ? names[state] : "UNKNOWN";
}

/* ---- answers ---- */
static void read_cc(struct nt_sock *s, uint32_t kind, const void *data, size_t n)
{
	s->has |= kind;
	memcpy(s->cc, data, n < sizeof(s->cc) ? n : sizeof(s->cc));
}

static void read_attr(struct nt_sock *s, const struct rtattr *a)
{
	const void *data = RTA_DATA(a);
	size_t n = RTA_PAYLOAD(a);

	switch (a->rta_type) {
	case INET_DIAG_INFO:
		s->has |= NT_SOCK_INFO;
		s->info_len = n;
		memcpy(&s->info, data, n < sizeof(s->info) ? n : sizeof(s->info));
		break;
	case INET_DIAG_SKMEMINFO:
		s->has |= NT_SOCK_MEM;
		memcpy(&s->mem, data, n < sizeof(s->mem) ? n : sizeof(s->mem));
		break;
	case INET_DIAG_CONG:
		s->has |= NT_SOCK_CONG;
		memcpy(s->cong, data, n < sizeof(s->cong) ? n : sizeof(s->cong) - 1);
		break;
	case INET_DIAG_TOS:
		s->has |= NT_SOCK_TOS;
		memcpy(&s->tos, data, n ? 1 : 0);
		break;
	case INET_DIAG_TCLASS:
		s->has |= NT_SOCK_TCLASS;
		memcpy(&s->tclass, data, n ? 1 : 0);
		break;
	case INET_DIAG_BBRINFO: read_cc(s, NT_SOCK_BBR, data, n); break;
	case INET_DIAG_DCTCPINFO: read_cc(s, NT_SOCK_DCTCP, data, n); break;
	case INET_DIAG_VEGASINFO: read_cc(s, NT_SOCK_VEGAS, data, n); break;
	}
}

static void read_addr(uint8_t *out, const void *addr, uint8_t family)
{
	if (family == AF_INET) {
		memcpy(out, mapped, sizeof(mapped));
		memcpy(out + 12, addr, 4);
	} else {
		memcpy(out, addr, 16);
	}
}

bool nt_sock_parse(struct nt_sock *s, const void *msg, size_t len)
{
	const struct nlmsghdr *h = msg;
	const struct inet_diag_msg *m;
	int left;

	memset(s, 0, sizeof(*s));
	if (len < sizeof(*h) || h->nlmsg_len > len || h->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return false;
	m = NLMSG_DATA(h);
	s->cookie = m->id.idiag_cookie[0] | (uint64_t)m->id.idiag_cookie[1] << 32;
	s->family = m->idiag_family;
	s->state = m->idiag_state;
	s->timer = m->idiag_timer;
	s->timer_retrans = m->idiag_retrans;
	s->timer_ms = m->idiag_expires;
	read_addr(s->local, m->id.idiag_src, m->idiag_family);
	read_addr(s->remote, m->id.idiag_dst, m->idiag_family);
	s->local_port = m->id.idiag_sport;
	s->remote_port = m->id.idiag_dport;
	s->ifindex = m->id.idiag_if;
	s->recv_queue = m->idiag_rqueue;
	s->send_queue = m->idiag_wqueue;
	s->uid = m->idiag_uid;
	s->inode = m->idiag_inode;
	left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));
	for (const struct rtattr *a = (const void *)(m + 1); RTA_OK(a, left); a = RTA_NEXT(a, left))
		read_attr(s, a);
	return true;
}

/* ---- the filter ---- */
static bool addr_match(const uint8_t *addr, const struct nt_prefix *p)
{
	uint32_t whole = p->len / 8, bits = p->len % 8;

	if (!p->set)
		return true;
	return !memcmp(addr, p->addr, whole) &&
	       (!bits || !((addr[whole] ^ p->addr[whole]) >> (8 - bits)));
}

static bool port_match(uint16_t port, const struct nt_ports *p)
{
	return !p->set || (ntohs(port) >= p->low && ntohs(port) <= p->high);
}

bool nt_sock_match(const struct nt_sock *s, const struct nt_sock_filter *f)
{
	return addr_match(s->local, &f->local) && addr_match(s->remote, &f->remote) &&
	       port_match(s->local_port, &f->local_port) && port_match(s->remote_port, &f->remote_port);
}

/* Operations go on with the next one if they hold, and else 4 bytes behind the end, which is "no": how
 * far that is shows when all of them are there. */
struct code {
	uint8_t *at;
	size_t n;
};

static struct inet_diag_bc_op *put(struct code *c, uint8_t op, size_t extra)
{
	struct inet_diag_bc_op *o = (void *)(c->at + c->n);

	memset(o, 0, sizeof(*o) + extra);
	o->code = op;
	o->yes = (uint8_t)(sizeof(*o) + extra);
	c->n += o->yes;
	return o;
}

static void put_port(struct code *c, uint8_t op, uint16_t port)
{
	put(c, op, sizeof(struct inet_diag_bc_op))[1].no = port;
}

static void put_addr(struct code *c, uint8_t op, const struct nt_prefix *p)
{
	size_t bytes = p->is_v4 ? 4 : 16;
	struct inet_diag_hostcond *h;

	if (!p->set)
		return;
	h = (void *)(put(c, op, sizeof(*h) + bytes) + 1);
	h->family = p->is_v4 ? AF_INET : AF_INET6;
	h->prefix_len = (uint8_t)(p->is_v4 ? p->len - 96 : p->len);
	h->port = -1;
	memcpy(h->addr, p->addr + 16 - bytes, bytes);
}

size_t nt_sock_code(const struct nt_sock_filter *f, void *buf)
{
	struct code c = { .at = buf };

	if (f->local_port.set) {
		put_port(&c, INET_DIAG_BC_S_GE, f->local_port.low);
		put_port(&c, INET_DIAG_BC_S_LE, f->local_port.high);
	}
	if (f->remote_port.set) {
		put_port(&c, INET_DIAG_BC_D_GE, f->remote_port.low);
		put_port(&c, INET_DIAG_BC_D_LE, f->remote_port.high);
	}
	put_addr(&c, INET_DIAG_BC_S_COND, &f->local);
	put_addr(&c, INET_DIAG_BC_D_COND, &f->remote);
	for (size_t i = 0; i < c.n;) {
		struct inet_diag_bc_op *o = (void *)(c.at + i);

		o->no = (uint16_t)(c.n - i + 4);
		i += o->yes;
	}
	return c.n;
}

/* ---- the question ---- */
static int ask(int fd, uint8_t family, uint32_t states, const struct nt_sock_filter *f)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 req;
		struct rtattr code;
		uint8_t bytes[NT_SOCK_CODE_MAX];
	} q = {
		.h = { .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = states,
			 .idiag_ext = 1u << (INET_DIAG_INFO - 1) | 1u << (INET_DIAG_VEGASINFO - 1) |
				      1u << (INET_DIAG_CONG - 1) | 1u << (INET_DIAG_TOS - 1) |
				      1u << (INET_DIAG_TCLASS - 1) | 1u << (INET_DIAG_SKMEMINFO - 1) },
	};
	size_t n = nt_sock_code(f, q.bytes);

	q.code.rta_type = INET_DIAG_REQ_BYTECODE;
	q.code.rta_len = (uint16_t)RTA_LENGTH(n);
	q.h.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(q.req)) + (n ? RTA_LENGTH(n) : 0));
	return send(fd, &q, q.h.nlmsg_len, 0) < 0 ? -errno : 0;
}

struct dump {
	const struct nt_sock_filter *filter;
	bool (*fn)(void *arg, const struct nt_sock *s);
	void *arg;
	bool ended;		/* by fn */
};

/* 1: the dump is complete. */
static int read_messages(struct dump *d, const char *buf, size_t n)
{
	const struct nlmsghdr *h = (const void *)buf;
	struct nt_sock s;

	for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		if (!nt_sock_parse(&s, h, h->nlmsg_len) || !nt_sock_match(&s, d->filter))
			continue;
		if (!d->fn(d->arg, &s)) {
			d->ended = true;
			return 1;
		}
	}
	return 0;
}

static int dump_family(struct dump *d, uint8_t family, uint32_t states)
{
	static char buf[32768] __attribute__((aligned(8)));
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), rc;

	if (fd < 0)
		return errno == EPROTONOSUPPORT ? -ENOENT : -errno;
	rc = ask(fd, family, states, d->filter);
	while (!rc) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? -errno : read_messages(d, buf, (size_t)n);
	}
	close(fd);
	return rc < 0 ? rc : 0;
}

int nt_sock_dump(uint32_t states, const struct nt_sock_filter *f, bool (*fn)(void *arg, const struct nt_sock *s),
		 void *arg)
{
	bool v6_only = (f->local.set && !f->local.is_v4) || (f->remote.set && !f->remote.is_v4);
	struct dump d = { .filter = f, .fn = fn, .arg = arg };
	int rc = v6_only ? 0 : dump_family(&d, AF_INET, states), rc6;

	if (rc || d.ended)
		return rc;
	rc6 = dump_family(&d, AF_INET6, states);
	return rc6 == -ENOENT && !v6_only ? 0 : rc6;	/* a kernel without IPv6 */
}
