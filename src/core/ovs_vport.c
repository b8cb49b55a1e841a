/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/ovs_vport.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/openvswitch.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct request {
	struct nlmsghdr h;
	struct genlmsghdr g;
	uint8_t rest[64];
};

struct dump {
	uint16_t family;	/* of ports */
	void (*fn)(void *arg, const struct nt_ovs_vport *v);
	void *arg;
};

const char *nt_ovs_tunnel_kind(uint32_t type)
{
	switch (type) {
	case OVS_VPORT_TYPE_GRE: return "gre";
	case OVS_VPORT_TYPE_VXLAN: return "vxlan";
	case OVS_VPORT_TYPE_GENEVE: return "geneve";
	default: return NULL;
	}
}

/* ---- answers ---- */
static const struct nlattr *next(const struct nlattr *a, int *left)
{
	*left -= (int)NLA_ALIGN(a->nla_len);
	return (const void *)((const char *)a + NLA_ALIGN(a->nla_len));
}

static bool fits(const struct nlattr *a, int left)
{
	return left >= (int)sizeof(*a) && a->nla_len >= sizeof(*a) && a->nla_len <= left;
}

#define EACH(a, first, left) for (const struct nlattr *a = (first); fits(a, left); a = next(a, &(left)))

static const void *data_of(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}

static size_t size_of(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}

static void read_options(struct nt_ovs_vport *v, const struct nlattr *options)
{
	int left = (int)size_of(options);

	EACH(a, data_of(options), left)
		if ((a->nla_type & NLA_TYPE_MASK) == OVS_TUNNEL_ATTR_DST_PORT && size_of(a) >= 2)
			memcpy(&v->port, data_of(a), 2);
}

bool nt_ovs_vport_parse(const void *msg, size_t len, struct nt_ovs_vport *v)
{
	const size_t head = NLMSG_HDRLEN + GENL_HDRLEN + sizeof(struct ovs_header);
	const struct nlmsghdr *h = msg;
	int left;
	size_t n;

	memset(v, 0, sizeof(*v));
	if (len < head || h->nlmsg_len > len || h->nlmsg_len < head)
		return false;
	left = (int)(h->nlmsg_len - head);
	EACH(a, (const void *)((const char *)msg + head), left) {
		switch (a->nla_type & NLA_TYPE_MASK) {
		case OVS_VPORT_ATTR_NAME:
			n = strnlen(data_of(a), size_of(a));
			memcpy(v->name, data_of(a), n < sizeof(v->name) ? n : sizeof(v->name) - 1);
			break;
		case OVS_VPORT_ATTR_TYPE:
			if (size_of(a) >= 4)
				memcpy(&v->type, data_of(a), 4);
			break;
		case OVS_VPORT_ATTR_OPTIONS: read_options(v, a); break;
		}
	}
	return v->name[0];
}

/* ---- questions ---- */
/* Calls fn for every message of the answer. 0 or -errno. */
static int ask(int fd, struct request *q, void (*fn)(void *arg, const struct nlmsghdr *h), void *arg)
{
	static char buf[32768] __attribute__((aligned(8)));

	if (send(fd, q, q->h.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t got = recv(fd, buf, sizeof(buf), 0);
		size_t n = got < 0 ? 0 : (size_t)got;

		if (got < 0)
			return -errno;
		for (const struct nlmsghdr *h = (const void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
			fn(arg, h);
			if (!(h->nlmsg_flags & NLM_F_MULTI))
				return 0;
		}
	}
}

static void begin(struct request *q, uint16_t family, uint8_t cmd, uint8_t version, uint16_t flags)
{
	memset(q, 0, sizeof(*q));
	q->h.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
	q->h.nlmsg_type = family;
	q->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	q->g.cmd = cmd;
	q->g.version = version;
}

static void put(struct request *q, const void *data, size_t n)
{
	memcpy((char *)q + q->h.nlmsg_len, data, n);
	q->h.nlmsg_len += (uint32_t)NLA_ALIGN(n);
}

static void read_family(void *arg, const struct nlmsghdr *h)
{
	int left = (int)(h->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN);

	EACH(a, (const void *)((const char *)h + NLMSG_HDRLEN + GENL_HDRLEN), left)
		if ((a->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_FAMILY_ID && size_of(a) >= 2)
			memcpy(arg, data_of(a), 2);
}

/* Number of a family; 0: there is none. */
static uint16_t family_of(int fd, const char *name)
{
	struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + strlen(name) + 1), .nla_type = CTRL_ATTR_FAMILY_NAME };
	struct request q;
	uint16_t id = 0;

	begin(&q, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
	put(&q, &a, sizeof(a));
	put(&q, name, strlen(name) + 1);
	return ask(fd, &q, read_family, &id) ? 0 : id;
}

struct datapaths {
	uint32_t ifindex[64];
	size_t n;
};

static void read_datapath(void *arg, const struct nlmsghdr *h)
{
	const struct ovs_header *o = (const void *)((const char *)h + NLMSG_HDRLEN + GENL_HDRLEN);
	struct datapaths *d = arg;

	if (h->nlmsg_len >= NLMSG_HDRLEN + GENL_HDRLEN + sizeof(*o) && d->n < sizeof(d->ifindex) / sizeof(d->ifindex[0]))
		d->ifindex[d->n++] = (uint32_t)o->dp_ifindex;
}

static void read_port(void *arg, const struct nlmsghdr *h)
{
	const struct dump *d = arg;
	struct nt_ovs_vport v;

	if (nt_ovs_vport_parse(h, h->nlmsg_len, &v))
		d->fn(d->arg, &v);
}

static int ask_ports(int fd, struct dump *d)
{
	uint16_t paths = family_of(fd, OVS_DATAPATH_FAMILY);
	struct ovs_header o = { .dp_ifindex = 0 };
	struct datapaths dp = { .n = 0 };
	struct request q;
	int rc;

	if (!paths || !d->family)
		return -ENOENT;
	begin(&q, paths, OVS_DP_CMD_GET, OVS_DATAPATH_VERSION, NLM_F_DUMP);
	put(&q, &o, sizeof(o));
	rc = ask(fd, &q, read_datapath, &dp);
	for (size_t i = 0; !rc && i < dp.n; i++) {
		o.dp_ifindex = (int)dp.ifindex[i];
		begin(&q, d->family, OVS_VPORT_CMD_GET, OVS_VPORT_VERSION, NLM_F_DUMP);
		put(&q, &o, sizeof(o));
		rc = ask(fd, &q, read_port, d);
	}
	return rc;
}

int nt_ovs_vports(void (*fn)(void *arg, const struct nt_ovs_vport *v), void *arg)
{
	struct timeval patience = { .tv_sec = 1 };
	struct dump d = { .fn = fn, .arg = arg };
	int fd, rc;

	if (access("/sys/module/openvswitch", F_OK))
		return -ENOENT;		/* to ask for its family would load it */
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	d.family = family_of(fd, OVS_VPORT_FAMILY);
	rc = ask_ports(fd, &d);
	close(fd);
	return rc;
}
