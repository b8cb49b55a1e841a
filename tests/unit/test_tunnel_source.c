/* SPDX-License-Identifier: GPL-2.0 */
/* Types of tunnels by name, the verdict, and what is read of devices, sockets and Open vSwitch. */
#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/if.h>
#include <linux/openvswitch.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "check.h"
#include "nettrace/link.h"
#include "nettrace/ovs_vport.h"
#include "nettrace/tunnel_source.h"
#include "nettrace/udp_ports.h"

#define TCPV4 0x1
#define GRE 0x40
#define UDP_TUNNEL 0x400
#define UDP_L4 0x20000			/* of no tunnel, but it may be looked for */
#define TYPES (GRE | UDP_TUNNEL | UDP_L4)

static struct nt_gso_names names;

/* ---- --flags ---- */
static uint32_t types(const char *const *item, size_t n, const char **wrong)
{
	struct nt_strlist l = { item, n };
	uint32_t found = 0;

	*wrong = NULL;
	if (!nt_tunnel_types(&names, &l, &found, wrong))
		*wrong = NULL;
	return found;
}

static void test_types(void)
{
	static const char *const two[] = { "gre", "SKB_GSO_UDP_TUNNEL" }, *const bad[] = { "GRE", "UDPTUNNEL" };
	static const char *const empty[] = { "SKB_GSO_" };
	struct nt_gso_names few = { .name = { [2] = "GRE" } };
	struct nt_strlist none = { NULL, 0 };
	const char *wrong;
	uint32_t found;

	CHECK(types(NULL, 0, &wrong) == 0x2fc0 && !wrong, "all of tunnels");
	CHECK(types(two, 2, &wrong) == (GRE | UDP_TUNNEL) && !wrong, "named, with and without prefix, in any case");
	types(bad, 2, &wrong);
	CHECK(wrong && !strcmp(wrong, "UDPTUNNEL"), "the one that is none is told");
	types(empty, 1, &wrong);
	CHECK(wrong, "a prefix alone is none");
	CHECK(!nt_tunnel_types(&few, &none, &found, &wrong) && found == 4, "a kernel's own numbers, those that it has");
}

/* ---- what happens to a packet ---- */
static bool happens(struct nt_shinfo before, struct nt_shinfo after, uint32_t driver, uint32_t place, uint32_t marks,
		    uint32_t what)
{
	bool leaves = place == NT_SHINFO_AT_START_XMIT;
	uint32_t m = nt_tunnel_marks(&before, &after, TYPES, GRE | UDP_TUNNEL, driver, leaves);
	uint32_t w = nt_tunnel_what(&before, &after, TYPES, m, place, leaves);

	if (m == marks && w == what)
		return true;
	printf("# marks 0x%x, %s\n", m, nt_tunnel_what_name(w));
	return false;
}

static void test_packets(void)
{
	const struct nt_shinfo unknown = { .len = 0 }, plain = { .bits = NT_SHINFO_KNOWN, .gso_type = TCPV4 };
	const struct nt_shinfo with = { .bits = NT_SHINFO_KNOWN | NT_SHINFO_ENCAP, .gso_type = TCPV4 | UDP_TUNNEL };
	const struct nt_shinfo bare = { .bits = NT_SHINFO_KNOWN, .gso_type = TCPV4 | UDP_TUNNEL };
	const struct nt_shinfo both = { .bits = NT_SHINFO_KNOWN | NT_SHINFO_ENCAP, .gso_type = GRE | UDP_TUNNEL };
	const struct nt_shinfo other = { .bits = NT_SHINFO_KNOWN, .gso_type = UDP_L4 };
	const struct nt_shinfo none = { .bits = NT_SHINFO_KNOWN };
	const uint32_t offloads = NT_SHINFO_AT_OFFLOADS, xmit = NT_SHINFO_AT_START_XMIT, gro = NT_SHINFO_AT_NAPI_GRO;

	CHECK(happens(plain, with, 0, offloads, NT_TUNNEL_ADDED, NT_TUNNEL_SET), "a tunnel puts it on");
	CHECK(happens(with, both, 0, offloads, NT_TUNNEL_ADDED, NT_TUNNEL_SET), "a second one");
	CHECK(happens(plain, with, 0, NT_SHINFO_AT_GRO_UDP, NT_TUNNEL_ADDED, NT_TUNNEL_GRO_COMPLETE), "GRO puts it on");
	CHECK(happens(with, plain, 0, NT_SHINFO_AT_PULL_TUNNEL, 0, NT_TUNNEL_DECAP), "it is taken off behind the tunnel");
	CHECK(happens(with, plain, 0, NT_SHINFO_AT_SEGMENT, 0, NT_TUNNEL_CLEAR), "or somewhere else");
	CHECK(happens(with, with, 0, NT_SHINFO_AT_SEGMENT, 0, NT_SHINFO_NOTHING), "nothing happens");
	CHECK(happens(plain, none, 0, NT_SHINFO_AT_SEGMENT, 0, NT_SHINFO_NOTHING), "another type is lost");
	CHECK(happens(with, with, 0, xmit, 0, NT_TUNNEL_TX), "it leaves");
	CHECK(happens(plain, plain, 0, xmit, 0, NT_SHINFO_NOTHING), "without a type of a tunnel");
	CHECK(happens(with, bare, 0, xmit, NT_TUNNEL_MISMATCH, NT_TUNNEL_TX), "not marked as encapsulated");
	CHECK(happens(other, other, 0, xmit, 0, NT_TUNNEL_TX), "which a type of no tunnel need not be");
	CHECK(happens(bare, bare, 0, offloads, 0, NT_SHINFO_NOTHING), "which matters where it leaves");
	CHECK(happens(plain, with, 0, xmit, NT_TUNNEL_ADDED, NT_TUNNEL_TX), "it got it shortly before");
	CHECK(happens(unknown, with, 0, xmit, NT_TUNNEL_FOUND, NT_TUNNEL_TX), "first seen as it leaves");
	CHECK(happens(unknown, with, 0, gro, NT_TUNNEL_FOUND, NT_TUNNEL_SEEN), "first seen with it");
	CHECK(happens(unknown, plain, NT_TUNNEL_FROM_VIRTIO, gro, NT_TUNNEL_FROM_VIRTIO, NT_TUNNEL_VIRTIO_RX),
	      "from a hypervisor");
	CHECK(happens(unknown, bare, NT_TUNNEL_FROM_TUN, gro, NT_TUNNEL_FROM_TUN | NT_TUNNEL_ADDED, NT_TUNNEL_VIRTIO_RX),
	      "which says that it is of a tunnel");
	CHECK(happens(unknown, none, NT_TUNNEL_FROM_TUN, gro, 0, NT_SHINFO_NOTHING), "not to be segmented");
	CHECK(happens(plain, plain, NT_TUNNEL_FROM_TUN, gro, 0, NT_SHINFO_NOTHING), "comes by such a device again");
}

/* ---- the verdict ---- */
static bool says(const struct nt_shinfo_event *e, const char *ifname, const char *text)
{
	char buf[400];

	if (!strcmp(nt_tunnel_verdict(&names, e, ifname, GRE | UDP_TUNNEL, buf, sizeof(buf)), text))
		return true;
	printf("# %s\n", buf);
	return false;
}

static void test_verdict(void)
{
	struct nt_shinfo_event e = { .what = NT_TUNNEL_SET, .place = NT_SHINFO_AT_OFFLOADS, .seen_at = NT_SHINFO_AT_OFFLOADS,
				     .rules = NT_TUNNEL_ADDED, .after = { .gso_type = UDP_TUNNEL | TCPV4 } };
	char small[8];

	CHECK(says(NULL, NULL, "no packet had one of GRE,UDP_TUNNEL"), "none");
	CHECK(says(&e, "vx0", "iptunnel_handle_offloads put UDP_TUNNEL on a packet of vx0"), "a function");
	CHECK(says(&e, NULL, "iptunnel_handle_offloads put UDP_TUNNEL on a packet"), "of no known device");
	e.since = NT_SHINFO_AT_RECEIVE;
	e.seen_at = e.place = NT_SHINFO_AT_SEGMENT;
	CHECK(says(&e, "eth0", "UDP_TUNNEL was put on a packet of eth0 between netif_receive_skb and skb_segment"),
	      "between two functions");
	e.since = 0;
	e.rules = NT_TUNNEL_FOUND;
	e.what = NT_TUNNEL_TX;
	e.seen_at = e.place = NT_SHINFO_AT_START_XMIT;
	CHECK(says(&e, "eth0", "a packet of eth0 had UDP_TUNNEL already when it was first seen, at net_dev_start_xmit"),
	      "before it was seen");
	e.what = NT_TUNNEL_VIRTIO_RX;
	e.rules = NT_TUNNEL_ADDED | NT_TUNNEL_FROM_TUN;
	CHECK(says(&e, "tap0", "UDP_TUNNEL came with the packet from the tun device tap0"), "from a tap");
	e.rules = NT_TUNNEL_ADDED | NT_TUNNEL_FROM_VIRTIO;
	CHECK(says(&e, "eth0", "UDP_TUNNEL came with the packet from the virtio_net device eth0"), "from the hypervisor");
	CHECK(strlen(nt_tunnel_verdict(&names, &e, "eth0", UDP_TUNNEL, small, sizeof(small))) < sizeof(small), "no room");
	CHECK(!strcmp(nt_tunnel_what_name(NT_TUNNEL_SEEN), "SEEN") && !strcmp(nt_tunnel_what_name(99), "-"), "events");
}

/* ---- devices ---- */
struct message {
	struct nlmsghdr h;
	struct ifinfomsg info;
	char attr[512];
};

static struct rtattr *put(char *at, size_t *used, unsigned short type, const void *data, size_t n)
{
	struct rtattr *a = (void *)(at + *used);

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(a), data, n);
	*used += RTA_ALIGN(a->rta_len);
	return a;
}

static void make(struct message *m, const char *kind, const char *data, size_t size)
{
	char info[256] __attribute__((aligned(8)));
	size_t used = 0, inner = 0;

	memset(m, 0, sizeof(*m));
	m->h.nlmsg_type = RTM_NEWLINK;
	m->info.ifi_index = 7;
	m->info.ifi_flags = IFF_UP;
	put(m->attr, &used, IFLA_IFNAME, "vx9", 4);
	put(info, &inner, IFLA_INFO_KIND, kind, strlen(kind) + 1);
	put(info, &inner, IFLA_INFO_DATA, data, size);
	put(m->attr, &used, IFLA_LINKINFO, info, inner);
	m->h.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(m->info)) + used);
}

static void test_devices(void)
{
	uint32_t vni = 9, remote = htonl(0x0a000001);
	uint16_t port = htons(4789);
	char data[128] __attribute__((aligned(8)));
	struct nt_link_tunnel t;
	struct message m;
	uint8_t on = 1;
	size_t used = 0;

	put(data, &used, IFLA_VXLAN_ID, &vni, 4);
	put(data, &used, IFLA_VXLAN_GROUP, &remote, 4);
	put(data, &used, IFLA_VXLAN_PORT, &port, 2);
	make(&m, "vxlan", data, used);
	CHECK(nt_link_tunnel_parse(&m, m.h.nlmsg_len, &t), "a device");
	CHECK(t.ifindex == 7 && t.up && !strcmp(t.name, "vx9") && !strcmp(t.kind, "vxlan"), "which");
	CHECK(t.has_vni && t.vni == 9 && t.port == 4789 && t.remote[10] == 0xff && t.remote[15] == 1 && !t.local[15], "to whom");
	put(data, &used, IFLA_VXLAN_COLLECT_METADATA, &on, 1);
	make(&m, "vxlan", data, used);
	CHECK(nt_link_tunnel_parse(&m, m.h.nlmsg_len, &t) && t.external && !t.has_vni, "external: no number of its own");
	make(&m, "veth", data, used);
	CHECK(nt_link_tunnel_parse(&m, m.h.nlmsg_len, &t) && !t.kind[0] && !t.has_vni && !strcmp(t.name, "vx9"), "no tunnel");
	make(&m, "vxlan", data, 2);
	CHECK(nt_link_tunnel_parse(&m, m.h.nlmsg_len, &t) && !t.has_vni, "data that is cut off");
	CHECK(!nt_link_tunnel_parse(&m, sizeof(m.h), &t), "a message that is cut off");
	m.h.nlmsg_type = RTM_DELLINK;
	CHECK(!nt_link_tunnel_parse(&m, m.h.nlmsg_len, &t), "another message");
	CHECK(nt_link_offloads("no such device") == 0, "offloads of no device");
	CHECK(!strcmp(nt_link_offload_name(0), "tx-udp_tnl-segmentation"), "their names");
}

/* ---- sockets ---- */
static void test_sockets(void)
{
	struct nt_udp_port p;

	CHECK(nt_udp_port_parse(" 1234: 00000000:12B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 "
				"54321 2 0000000000000000 0\n", 4, &p) && p.port == 4789 && p.inode == 54321 && p.ip_version == 4,
	      "a socket");
	CHECK(nt_udp_port_parse("  12: 00000000000000000000000000000000:17C1 00000000000000000000000000000000:0000 07 "
				"00000000:00000000 00:00000000 00000000     0        0 7 2 0000000000000000 0\n", 6, &p) &&
	      p.port == 6081 && p.inode == 7, "of IPv6");
	CHECK(!nt_udp_port_parse("   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
				 "inode ref pointer drops\n", 4, &p), "the heading");
	CHECK(!nt_udp_port_parse("1: 0:12B5", 4, &p), "a line that is cut off");
}

/* ---- Open vSwitch ---- */
static void test_ovs(void)
{
	struct {
		struct nlmsghdr h;
		struct genlmsghdr g;
		struct ovs_header o;
		char attr[128];
	} m = { .h = { .nlmsg_len = 0 } };
	char options[16] __attribute__((aligned(8)));
	uint32_t type = OVS_VPORT_TYPE_VXLAN;
	uint16_t port = 4789;
	struct nt_ovs_vport v;
	size_t used = 0, inner = 0;

	put(options, &inner, OVS_TUNNEL_ATTR_DST_PORT, &port, 2);
	put(m.attr, &used, OVS_VPORT_ATTR_NAME, "vxlan0", 7);
	put(m.attr, &used, OVS_VPORT_ATTR_TYPE, &type, 4);
	put(m.attr, &used, OVS_VPORT_ATTR_OPTIONS, options, inner);
	m.h.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + GENL_HDRLEN + sizeof(m.o) + used);
	CHECK(nt_ovs_vport_parse(&m, m.h.nlmsg_len, &v) && !strcmp(v.name, "vxlan0") && v.port == 4789 &&
	      !strcmp(nt_ovs_tunnel_kind(v.type), "vxlan"), "a port");
	CHECK(!nt_ovs_vport_parse(&m, 20, &v), "cut off");
	CHECK(!nt_ovs_tunnel_kind(OVS_VPORT_TYPE_INTERNAL), "no tunnel");
}

int main(void)
{
	nt_gso_names_default(&names);
	test_types();
	test_packets();
	test_verdict();
	test_devices();
	test_sockets();
	test_ovs();
	return check_done();
}
