/* SPDX-License-Identifier: GPL-2.0 */
/* Which devices are tunnels, by a dump of rtnetlink: kind, VNI, port, ends. */
#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_tunnel.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "nettrace/link.h"
#include "nettrace/tool.h"

/* Which attribute of a kind's data tells what; 0: none does. */
struct kind {
	const char *name;
	unsigned short vni, port, local, remote, local6, remote6, external;
};
static const struct kind kinds[] = {
	{ "vxlan", IFLA_VXLAN_ID, IFLA_VXLAN_PORT, IFLA_VXLAN_LOCAL, IFLA_VXLAN_GROUP, IFLA_VXLAN_LOCAL6,
	  IFLA_VXLAN_GROUP6, IFLA_VXLAN_COLLECT_METADATA },
	{ "geneve", IFLA_GENEVE_ID, IFLA_GENEVE_PORT, 0, IFLA_GENEVE_REMOTE, 0, IFLA_GENEVE_REMOTE6,
	  IFLA_GENEVE_COLLECT_METADATA },
	{ "bareudp", 0, IFLA_BAREUDP_PORT, 0, 0, 0, 0, 0 },
	{ "gre", 0, 0, IFLA_GRE_LOCAL, IFLA_GRE_REMOTE, 0, 0, IFLA_GRE_COLLECT_METADATA },
	{ "gretap", 0, 0, IFLA_GRE_LOCAL, IFLA_GRE_REMOTE, 0, 0, IFLA_GRE_COLLECT_METADATA },
	{ "erspan", 0, 0, IFLA_GRE_LOCAL, IFLA_GRE_REMOTE, 0, 0, IFLA_GRE_COLLECT_METADATA },
	{ "ip6gre", 0, 0, 0, 0, IFLA_GRE_LOCAL, IFLA_GRE_REMOTE, IFLA_GRE_COLLECT_METADATA },
	{ "ip6gretap", 0, 0, 0, 0, IFLA_GRE_LOCAL, IFLA_GRE_REMOTE, IFLA_GRE_COLLECT_METADATA },
	{ "ip6erspan", 0, 0, 0, 0, IFLA_GRE_LOCAL, IFLA_GRE_REMOTE, IFLA_GRE_COLLECT_METADATA },
	{ "ipip", 0, 0, IFLA_IPTUN_LOCAL, IFLA_IPTUN_REMOTE, 0, 0, IFLA_IPTUN_COLLECT_METADATA },
	{ "sit", 0, 0, IFLA_IPTUN_LOCAL, IFLA_IPTUN_REMOTE, 0, 0, 0 },
	{ "ip6tnl", 0, 0, 0, 0, IFLA_IPTUN_LOCAL, IFLA_IPTUN_REMOTE, IFLA_IPTUN_COLLECT_METADATA },
};

static const struct kind *kind_of(const struct rtattr *a)
{
	size_t n = strnlen(RTA_DATA(a), RTA_PAYLOAD(a));

	for (size_t i = 0; i < NT_COUNT(kinds); i++)
		if (n == strlen(kinds[i].name) && !memcmp(RTA_DATA(a), kinds[i].name, n))
			return &kinds[i];
	return NULL;
}

static void read_v4(uint8_t *to, const struct rtattr *a)
{
	uint32_t any = 0;

	if (RTA_PAYLOAD(a) < 4 || !memcmp(RTA_DATA(a), &any, 4))
		return;
	to[10] = to[11] = 0xff;
	memcpy(to + 12, RTA_DATA(a), 4);
}

static void read_v6(uint8_t *to, const struct rtattr *a)
{
	if (RTA_PAYLOAD(a) >= 16)
		memcpy(to, RTA_DATA(a), 16);
}

static void read_data(struct nt_link_tunnel *t, const struct kind *k, const struct rtattr *a)
{
	unsigned short type = a->rta_type & NLA_TYPE_MASK;
	uint8_t on = 1;

	if (!type)
		return;
	if (type == k->vni && RTA_PAYLOAD(a) >= 4) {
		memcpy(&t->vni, RTA_DATA(a), 4);
		t->has_vni = true;
	} else if (type == k->port && RTA_PAYLOAD(a) >= 2) {
		memcpy(&t->port, RTA_DATA(a), 2);
		t->port = ntohs(t->port);
	} else if (type == k->local) {
		read_v4(t->local, a);
	} else if (type == k->remote) {
		read_v4(t->remote, a);
	} else if (type == k->local6) {
		read_v6(t->local, a);
	} else if (type == k->remote6) {
		read_v6(t->remote, a);
	} else if (type == k->external) {	/* a flag, or a byte */
		if (RTA_PAYLOAD(a))
			memcpy(&on, RTA_DATA(a), 1);
		t->external = on;
	}
}

static void read_info(struct nt_link_tunnel *t, const struct rtattr *info)
{
	int left = (int)RTA_PAYLOAD(info), inner;
	const struct kind *k = NULL;

	for (const struct rtattr *a = RTA_DATA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_INFO_KIND)
			k = kind_of(a);
		if (k)
			memcpy(t->kind, k->name, strlen(k->name) + 1);
		if (!k || (a->rta_type & NLA_TYPE_MASK) != IFLA_INFO_DATA)
			continue;
		inner = (int)RTA_PAYLOAD(a);
		for (const struct rtattr *d = RTA_DATA(a); RTA_OK(d, inner); d = RTA_NEXT(d, inner))
			read_data(t, k, d);
	}
	if (t->external)
		t->has_vni = false;
}

bool nt_link_tunnel_parse(const void *msg, size_t len, struct nt_link_tunnel *t)
{
	const struct nlmsghdr *h = msg;
	const struct ifinfomsg *info;
	size_t n;
	int left;

	memset(t, 0, sizeof(*t));
	if (len < NLMSG_LENGTH(sizeof(*info)) || h->nlmsg_len > len || h->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) ||
	    h->nlmsg_type != RTM_NEWLINK)
		return false;
	info = NLMSG_DATA(h);
	left = (int)IFLA_PAYLOAD(h);
	t->ifindex = (uint32_t)info->ifi_index;
	t->up = info->ifi_flags & IFF_UP;
	for (const struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		switch (a->rta_type & NLA_TYPE_MASK) {
		case IFLA_IFNAME:
			n = strnlen(RTA_DATA(a), RTA_PAYLOAD(a));
			memcpy(t->name, RTA_DATA(a), n < sizeof(t->name) ? n : sizeof(t->name) - 1);
			break;
		case IFLA_LINKINFO: read_info(t, a); break;
		}
	}
	return true;
}
