// SPDX-License-Identifier: GPL-2.0
#include "packets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_MAX	9018	/* jumbo frame without FCS */
#define CORPUS_MAX	160

struct builder {
	struct corpus *corpus;
	uint8_t buf[PACKET_MAX];
	size_t len;
	bool no_memory;
};

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 1 }, mac_b[6] = { 2, 0, 0, 0, 0, 2 };
static const uint8_t mac_all[6] = { 255, 255, 255, 255, 255, 255 };
static const uint8_t mac_mcast4[6] = { 1, 0, 0x5e, 0, 0, 1 };
static const uint8_t mac_mcast6[6] = { 0x33, 0x33, 0, 0, 0, 1 };
static const uint8_t mac_lldp[6] = { 1, 0x80, 0xc2, 0, 0, 0xe };

static void put(struct builder *b, const void *data, size_t n)
{
	if (n > PACKET_MAX - b->len)
		n = PACKET_MAX - b->len;
	memcpy(b->buf + b->len, data, n);
	b->len += n;
}

static void put8(struct builder *b, unsigned int v)
{
	uint8_t byte = (uint8_t)v;

	put(b, &byte, 1);
}

static void put16(struct builder *b, unsigned int v)
{
	put8(b, v >> 8);
	put8(b, v);
}

static void put32(struct builder *b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b, v & 0xffff);
}

static void fill(struct builder *b, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		put8(b, (unsigned int)(i * 7 + 1));
}

static void eth(struct builder *b, const uint8_t *dst, const uint8_t *src, unsigned int type)
{
	put(b, dst, 6);
	put(b, src, 6);
	put16(b, type);
}

static void eth_ab(struct builder *b, unsigned int type)
{
	eth(b, mac_b, mac_a, type);
}

/* IPv4, 20 bytes and OPTIONS (a multiple of four), before PAYLOAD bytes. */
static void ip4(struct builder *b, unsigned int proto, uint32_t src, uint32_t dst, size_t payload,
		unsigned int frag, unsigned int ttl, size_t options)
{
	put8(b, 0x40 | (unsigned int)(5 + options / 4));
	put8(b, ttl == 3 ? 0xb8 : 0);		/* some packets with DSCP EF */
	put16(b, (unsigned int)(20 + options + payload));
	put16(b, 0x1234);
	put16(b, frag);
	put8(b, ttl);
	put8(b, proto);
	put16(b, 0);
	put32(b, src);
	put32(b, dst);
	fill(b, options);
}

static void ip4_ab(struct builder *b, unsigned int proto, size_t payload)
{
	ip4(b, proto, 0x0a000001, 0x0a000002, payload, 0x4000, 64, 0);
}

static void ip6_addr(struct builder *b, uint32_t high, uint32_t low)
{
	put32(b, high);
	put32(b, 0);
	put32(b, 0);
	put32(b, low);
}

static void ip6(struct builder *b, unsigned int next, size_t payload)
{
	put32(b, 0x60000000);
	put16(b, (unsigned int)payload);
	put8(b, next);
	put8(b, 64);
	ip6_addr(b, 0x20010db8, 1);
	ip6_addr(b, 0x20010db8, 2);
}

static void tcp(struct builder *b, unsigned int src, unsigned int dst, unsigned int flags,
		size_t options)
{
	put16(b, src);
	put16(b, dst);
	put32(b, flags & 2 ? 0x80000000 : 1000);
	put32(b, flags & 0x10 ? 0xffffffff : 0);
	put8(b, (unsigned int)(5 + options / 4) << 4);
	put8(b, flags);
	put16(b, 65535);
	put32(b, 0);
	if (options) {
		put32(b, 0x020405b4);
		fill(b, options - 4);
	}
}

static void udp(struct builder *b, unsigned int src, unsigned int dst, size_t payload)
{
	put16(b, src);
	put16(b, dst);
	put16(b, (unsigned int)(8 + payload));
	put16(b, 0);
}

static void icmp(struct builder *b, unsigned int type, unsigned int code)
{
	put8(b, type);
	put8(b, code);
	put16(b, 0);
	put16(b, 0x1234);
	put16(b, 1);
}

/* Ends the packet that was put together and starts the next. */
static void add(struct builder *b, const char *name)
{
	struct corpus *c = b->corpus;
	struct packet *p = &c->packets[c->n];

	p->data = c->n < CORPUS_MAX ? malloc(b->len ? b->len : 1) : NULL;
	if (!p->data) {
		b->no_memory = true;
		return;
	}
	snprintf(p->name, sizeof(p->name), "%s", name);
	memcpy(p->data, b->buf, b->len);
	p->len = (uint32_t)b->len;
	b->len = 0;
	c->n++;
}

static void add_tcp4(struct builder *b)
{
	static const struct {
		unsigned int src, dst, flags;
		const char *name;
	} t[] = {
		{ 12345, 80, 0x02, "tcp4 syn 80" },	{ 80, 12345, 0x12, "tcp4 synack" },
		{ 12345, 9, 0x10, "tcp4 ack 9" },	{ 12345, 443, 0x11, "tcp4 fin 443" },
		{ 22, 50000, 0x14, "tcp4 rst 22" },	{ 8080, 8080, 0x18, "tcp4 same ports" },
		{ 65535, 0, 0x00, "tcp4 null 65535" },	{ 0, 65535, 0x29, "tcp4 xmas" },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		eth_ab(b, 0x0800);
		ip4_ab(b, 6, 20);
		tcp(b, t[i].src, t[i].dst, t[i].flags, 0);
		add(b, t[i].name);
	}
	eth_ab(b, 0x0800);
	ip4_ab(b, 6, 38);
	tcp(b, 12345, 80, 0x18, 0);
	put(b, "GET / HTTP/1.1\r\n\r\n", 18);
	add(b, "tcp4 http get");
	eth_ab(b, 0x0800);
	ip4_ab(b, 6, 60);
	tcp(b, 12345, 80, 0x18, 12);
	put(b, "GET /index HTTP/1.1\r\nHost: a", 28);
	add(b, "tcp4 http get, options");
	eth_ab(b, 0x0800);
	ip4(b, 6, 0x0a000003, 0x0a000004, 40, 0x4000, 3, 40);
	tcp(b, 12345, 80, 0x02, 20);
	add(b, "tcp4 60-byte ip header");
	eth_ab(b, 0x0800);
	ip4(b, 6, 0xc0a8fffe, 0x0a000001, 1460, 0x4000, 128, 4);
	tcp(b, 443, 12345, 0x10, 0);
	fill(b, 1440);
	add(b, "tcp4 full size, 4-byte ip option");
	eth_ab(b, 0x0800);
	ip4_ab(b, 6, 8980);
	tcp(b, 12345, 9, 0x10, 0);
	fill(b, PACKET_MAX);
	add(b, "tcp4 jumbo");
}

static void add_udp4(struct builder *b)
{
	static const uint16_t ports[][2] = {
		{ 53, 5353 }, { 40000, 53 }, { 68, 67 }, { 50000, 4789 }, { 9, 9 }, { 40000, 22 },
	};
	char name[32];
	size_t i;

	for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		eth_ab(b, 0x0800);
		ip4_ab(b, 17, 12);
		udp(b, ports[i][0], ports[i][1], 4);
		put32(b, 0x01020304);
		snprintf(name, sizeof(name), "udp4 %u to %u", ports[i][0], ports[i][1]);
		add(b, name);
	}
	eth_ab(b, 0x0800);
	ip4(b, 17, 0x0a000002, 0x0a000001, 8, 0, 1, 0);
	udp(b, 1, 53, 0);
	fill(b, 18);
	add(b, "udp4 empty, padded, ttl 1");
	eth(b, mac_all, mac_a, 0x0800);
	ip4(b, 17, 0, 0xffffffff, 308, 0, 255, 0);
	udp(b, 68, 67, 300);
	fill(b, 300);
	add(b, "udp4 dhcp broadcast");
	eth(b, mac_mcast4, mac_a, 0x0800);
	ip4(b, 17, 0x0a000001, 0xe0000001, 12, 0, 1, 0);
	udp(b, 5353, 5353, 4);
	put32(b, 0);
	add(b, "udp4 multicast");
	eth_ab(b, 0x0800);
	ip4_ab(b, 17, 1208);
	udp(b, 50000, 6081, 58);
	put32(b, 0x00006558);			/* geneve, VNI 5, no options */
	put32(b, 5 << 8);
	eth_ab(b, 0x0800);
	ip4_ab(b, 6, 20);
	tcp(b, 1, 80, 2, 0);
	add(b, "geneve tcp4");
	eth_ab(b, 0x0800);
	ip4_ab(b, 17, 44);
	udp(b, 50000, 6081, 36);
	put32(b, 0x01000800);			/* four bytes of options, IPv4 inside */
	put32(b, 6 << 8);
	put32(b, 0);
	ip4_ab(b, 6, 0);
	add(b, "geneve ip4 option");
}

static void add_fragments(struct builder *b)
{
	eth_ab(b, 0x0800);
	ip4(b, 17, 0x0a000001, 0x0a000002, 1480, 0x2000, 64, 0);
	udp(b, 1, 53, 2000);
	fill(b, 1472);
	add(b, "udp4 first fragment");
	eth_ab(b, 0x0800);
	ip4(b, 17, 0x0a000001, 0x0a000002, 536, 185, 64, 0);
	put32(b, 0x00350035);			/* data that looks like ports */
	fill(b, 532);
	add(b, "udp4 last fragment");
	eth_ab(b, 0x0800);
	ip4(b, 6, 0x0a000001, 0x0a000002, 64, 0x2000 | 185, 64, 8);
	put32(b, 0x30390050);
	fill(b, 60);
	add(b, "tcp4 middle fragment");
	eth_ab(b, 0x86dd);
	ip6(b, 44, 24);
	put32(b, 0x11000001);			/* first fragment, UDP */
	put32(b, 7);
	udp(b, 1, 53, 8);
	fill(b, 8);
	add(b, "udp6 first fragment");
	eth_ab(b, 0x86dd);
	ip6(b, 44, 24);
	put32(b, 0x110005a8);
	put32(b, 7);
	fill(b, 16);
	add(b, "udp6 last fragment");
}

static void add_other4(struct builder *b)
{
	static const uint8_t types[][2] = { { 8, 0 }, { 0, 0 }, { 3, 3 }, { 11, 0 } };
	static const uint8_t protos[] = { 2, 4, 41, 50, 51, 88, 89, 103, 112, 136, 255 };
	char name[32];
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		eth_ab(b, 0x0800);
		ip4_ab(b, 1, 64);
		icmp(b, types[i][0], types[i][1]);
		fill(b, 56);
		snprintf(name, sizeof(name), "icmp type %u", types[i][0]);
		add(b, name);
	}
	for (i = 0; i < sizeof(protos); i++) {
		eth_ab(b, 0x0800);
		ip4(b, protos[i], 0x0a000001, 0xe0000002, 20, 0, 3, 0);
		fill(b, 20);
		snprintf(name, sizeof(name), "ip4 proto %u", protos[i]);
		add(b, name);
	}
	eth_ab(b, 0x0800);
	ip4_ab(b, 132, 28);
	put32(b, 5000u << 16 | 5001);
	put32(b, 1);
	put32(b, 0);
	put32(b, 0x01000010);
	fill(b, 12);
	add(b, "sctp4 init");
	eth_ab(b, 0x0800);
	ip4_ab(b, 47, 44);
	put32(b, 0x00000800);
	ip4_ab(b, 6, 20);
	tcp(b, 12345, 80, 2, 0);
	add(b, "gre ip4 tcp4");
}

static void add_ip6(struct builder *b)
{
	eth_ab(b, 0x86dd);
	ip6(b, 6, 20);
	tcp(b, 12345, 80, 2, 0);
	add(b, "tcp6 syn");
	eth_ab(b, 0x86dd);
	ip6(b, 17, 12);
	udp(b, 40000, 53, 4);
	put32(b, 0x01020304);
	add(b, "udp6 dns");
	eth_ab(b, 0x86dd);
	ip6(b, 58, 16);
	icmp(b, 128, 0);
	fill(b, 8);
	add(b, "icmp6 echo");
	eth(b, mac_mcast6, mac_a, 0x86dd);
	put32(b, 0x60000000);
	put32(b, 32 << 16 | 58 << 8 | 255);
	ip6_addr(b, 0xfe800000, 1);
	ip6_addr(b, 0xff020000, 1);
	icmp(b, 135, 0);
	fill(b, 24);
	add(b, "icmp6 neighbour solicitation");
	eth_ab(b, 0x86dd);
	ip6(b, 132, 28);
	put32(b, 5001u << 16 | 5000);
	fill(b, 24);
	add(b, "sctp6");
	eth_ab(b, 0x86dd);
	ip6(b, 0, 28);
	put32(b, 0x06000502);			/* hop-by-hop, router alert */
	put32(b, 0x00000100);
	tcp(b, 12345, 80, 0x10, 0);
	add(b, "tcp6 hop-by-hop");
	eth_ab(b, 0x86dd);
	ip6(b, 43, 44);
	put32(b, 0x3c020000);			/* routing, then destination options */
	fill(b, 20);
	put32(b, 0x11000104);
	put32(b, 0);
	udp(b, 53, 53, 4);
	put32(b, 0);
	add(b, "udp6 routing, destination options");
	eth_ab(b, 0x86dd);
	ip6(b, 59, 0);
	add(b, "ip6 no next header");
	eth_ab(b, 0x86dd);
	ip6(b, 51, 44);
	fill(b, 44);
	add(b, "ip6 ah");
}

static void add_l2(struct builder *b)
{
	unsigned int op;

	for (op = 1; op <= 2; op++) {
		eth(b, op == 1 ? mac_all : mac_b, mac_a, 0x0806);
		put32(b, 0x00010800);
		put32(b, 0x06040000 | op);
		put(b, mac_a, 6);
		put32(b, 0x0a000001);
		put(b, mac_b, 6);
		put32(b, 0x0a000002);
		fill(b, 18);
		add(b, op == 1 ? "arp request" : "arp reply");
	}
	eth(b, mac_all, mac_a, 0x8035);
	put32(b, 0x00010800);
	put32(b, 0x06040003);
	put(b, mac_a, 6);
	put32(b, 0x0a000001);
	put(b, mac_a, 6);
	put32(b, 0x0a000001);
	add(b, "rarp request");
	eth(b, mac_lldp, mac_a, 0x88cc);
	fill(b, 46);
	add(b, "lldp");
	eth(b, mac_lldp, mac_a, 38);
	put32(b, 0x42420300);
	fill(b, 42);
	add(b, "stp, 802.2 length 38");
	eth_ab(b, 1500);
	put32(b, 0xfefe0383);
	fill(b, 1496);
	add(b, "iso, 802.2 length 1500");
	eth_ab(b, 0x8137);
	fill(b, 46);
	add(b, "ipx");
	eth_ab(b, 40);
	put32(b, 0xffff0022);
	fill(b, 42);
	add(b, "ipx raw 802.3");
	eth_ab(b, 46);
	put32(b, 0xaaaa0300);
	put32(b, 0x0000809b);
	fill(b, 38);
	add(b, "snap atalk");
	eth_ab(b, 46);
	put32(b, 0xaaaa0300);
	put32(b, 0x00000800);
	ip4_ab(b, 6, 18);
	fill(b, 18);
	add(b, "snap ip4");
	eth_ab(b, 0x9000);
	fill(b, 46);
	add(b, "loopback ethertype");
	eth_ab(b, 0xffff);
	fill(b, 46);
	add(b, "ethertype ffff");
}

static void inner_tcp4(struct builder *b, const char *name)
{
	ip4_ab(b, 6, 20);
	tcp(b, 12345, 80, 2, 0);
	add(b, name);
}

static void add_tagged(struct builder *b)
{
	eth_ab(b, 0x8100);
	put32(b, 100 << 16 | 0x0800);
	inner_tcp4(b, "vlan 100 tcp4");
	eth_ab(b, 0x8100);
	put32(b, 0xe0c80800);			/* priority 7, id 200 */
	ip4_ab(b, 17, 12);
	udp(b, 1, 53, 4);
	put32(b, 0);
	add(b, "vlan 200 udp4");
	eth_ab(b, 0x88a8);
	put32(b, 200u << 16 | 0x8100);
	put32(b, 100 << 16 | 0x0800);
	inner_tcp4(b, "qinq 200 100 tcp4");
	eth_ab(b, 0x8100);
	put32(b, 100u << 16 | 0x8100);
	put32(b, 100 << 16 | 0x86dd);
	ip6(b, 17, 8);
	udp(b, 53, 53, 0);
	add(b, "vlan 100 100 udp6");
	eth_ab(b, 0x8100);
	put32(b, 0x00000806);
	fill(b, 28);
	add(b, "vlan 0 arp");
	eth_ab(b, 0x8847);
	put32(b, 100 << 12 | 1 << 8 | 64);	/* label 100, bottom of stack */
	inner_tcp4(b, "mpls 100 tcp4");
	eth_ab(b, 0x8847);
	put32(b, 200 << 12 | 64);
	put32(b, 100 << 12 | 1 << 8 | 64);
	inner_tcp4(b, "mpls 200 100 tcp4");
	eth(b, mac_all, mac_a, 0x8863);
	put32(b, 0x11090000);
	put16(b, 4);
	put32(b, 0x01010000);
	add(b, "pppoe padi");
	eth_ab(b, 0x8864);
	put32(b, 0x11000011);			/* session 17 */
	put32(b, 42 << 16 | 0x0021);
	inner_tcp4(b, "pppoe session 17 tcp4");
	eth_ab(b, 0x8864);
	put32(b, 0x11000012);
	put32(b, 50 << 16 | 0x0057);
	ip6(b, 17, 8);
	udp(b, 1, 2, 0);
	add(b, "pppoe session 18 udp6");
}

/* Headers that lie, and packets that end early on the wire. */
static void add_broken(struct builder *b)
{
	static const uint8_t lengths[] = { 0, 1, 6, 12, 13, 14, 15, 23, 24, 33, 34, 36, 37, 53 };
	char name[32];
	size_t i;

	for (i = 0; i < sizeof(lengths); i++) {
		eth_ab(b, 0x0800);
		ip4_ab(b, 6, 20);
		tcp(b, 12345, 80, 2, 0);
		b->len = lengths[i];
		snprintf(name, sizeof(name), "tcp4 cut to %u", lengths[i]);
		add(b, name);
	}
	eth_ab(b, 0x0800);
	ip4_ab(b, 6, 20);
	b->buf[14] = 0x40;			/* header length 0 */
	tcp(b, 12345, 80, 2, 0);
	add(b, "ip4 header length 0");
	eth_ab(b, 0x0800);
	ip4_ab(b, 6, 20);
	b->buf[14] = 0x4f;			/* header length 60, not there */
	tcp(b, 12345, 80, 2, 0);
	add(b, "ip4 header length 60 of 40");
	eth_ab(b, 0x0800);
	ip4_ab(b, 6, 20);
	b->buf[14] = 0x65;
	tcp(b, 12345, 80, 2, 0);
	add(b, "ip version 6 in ethertype 0800");
	eth_ab(b, 0x86dd);
	ip4_ab(b, 6, 20);
	tcp(b, 12345, 80, 2, 0);
	add(b, "ip4 in ethertype 86dd");
	eth_ab(b, 0x0800);
	ip4_ab(b, 6, 20);
	tcp(b, 12345, 80, 2, 0);
	b->buf[46] = 0xf0;			/* TCP header of 60 bytes, not there */
	add(b, "tcp4 data offset 15 of 20");
	eth_ab(b, 0x0800);
	b->len = PACKET_MAX;
	memset(b->buf + 14, 0xff, PACKET_MAX - 14);
	b->len = 200;
	add(b, "ethertype 0800, all ones");
}

int corpus_build(struct corpus *corpus)
{
	struct builder *b = calloc(1, sizeof(*b));

	corpus->n = 0;
	corpus->packets = calloc(CORPUS_MAX + 1, sizeof(*corpus->packets));
	if (!b || !corpus->packets) {
		free(b);
		corpus_free(corpus);
		return -ENOMEM;
	}
	b->corpus = corpus;
	add_tcp4(b);
	add_udp4(b);
	add_fragments(b);
	add_other4(b);
	add_ip6(b);
	add_l2(b);
	add_tagged(b);
	add_broken(b);
	if (b->no_memory) {
		free(b);
		corpus_free(corpus);
		return -ENOMEM;
	}
	free(b);
	return 0;
}

void corpus_free(struct corpus *corpus)
{
	while (corpus->n)
		free(corpus->packets[--corpus->n].data);
	free(corpus->packets);
	corpus->packets = NULL;
}

int corpus_write_pcap(const struct corpus *corpus, const char *path)
{
	/* Host byte order; readers tell by the magic number. */
	const uint32_t magic = 0xa1b2c3d4, snaplen = 262144, linktype = 1;
	const uint16_t version[2] = { 2, 4 };
	const uint32_t zone[2] = { 0, 0 };
	FILE *f = fopen(path, "wb");
	size_t i;
	int err;

	if (!f)
		return -errno;
	fwrite(&magic, sizeof(magic), 1, f);
	fwrite(version, sizeof(version), 1, f);
	fwrite(zone, sizeof(zone), 1, f);
	fwrite(&snaplen, sizeof(snaplen), 1, f);
	fwrite(&linktype, sizeof(linktype), 1, f);
	for (i = 0; i < corpus->n; i++) {
		const struct packet *p = &corpus->packets[i];
		const uint32_t head[4] = { (uint32_t)i, 0, p->len, p->len };

		fwrite(head, sizeof(head), 1, f);
		fwrite(p->data, 1, p->len, f);
	}
	err = ferror(f) ? -EIO : 0;
	return fclose(f) ? -EIO : err;
}
