// SPDX-License-Identifier: GPL-2.0
/*
 * What libpcap.a must not bring along.
 *
 * Only libpcap's compiler is used, but its object files also reach
 *   - capture devices (Linux sockets, D-Bus, Bluetooth, USB, netfilter): replaced by
 *     stubs that fail, which also drops the need for libdbus;
 *   - name look-ups (getaddrinfo, getservbyname, /etc/ethers, ...): replaced by
 *     numeric parsing and short tables, because NSS does not work in a static glibc
 *     binary and a filter must not cause network traffic.
 * A definition here keeps the linker from taking libpcap's object file with the same
 * symbol, so all symbols that others use of such a file must be here: for
 * nametoaddr.o and etherent.o, and the entry points of the capture devices. A libpcap
 * with other devices only links more of its own code.
 *
 * Nothing here aborts; every stub reports failure.
 */
#include "nettrace/pcap_filter.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define PROTO_UNDEF	(-1)	/* libpcap: any protocol, or no such name */
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* The same prototypes as libpcap's headers, which are not needed otherwise. */
struct pcap_if_list;
struct pcap;
struct pcap *pcap_create_interface(const char *device, char *ebuf);
int pcap_platform_finddevs(struct pcap_if_list *devs, char *ebuf);
unsigned char *pcap_ether_aton(const char *s);
unsigned char *pcap_ether_hostton(const char *name);
struct addrinfo *pcap_nametoaddrinfo(const char *name);
uint32_t pcap_nametonetaddr(const char *name);
int pcap_nametoport(const char *name, int *port, int *proto);
int pcap_nametoportrange(const char *name, int *port1, int *port2, int *proto);
int pcap_nametoproto(const char *name);
int pcap_nametoeproto(const char *name);
int pcap_nametollc(const char *name);
int __pcap_atoin(const char *s, uint32_t *addr);
int __pcap_atodn(const char *s, uint32_t *addr);
int __pcap_nametodnaddr(const char *name, unsigned short *addr);

/* Capture devices. */
#define STUB_DEVICE(prefix)								\
	struct pcap *prefix##_create(const char *device, char *ebuf, int *is_ours);	\
	int prefix##_findalldevs(struct pcap_if_list *devs, char *ebuf);		\
	struct pcap *prefix##_create(const char *device, char *ebuf, int *is_ours)	\
	{										\
		(void)device;								\
		(void)ebuf;								\
		*is_ours = 0;								\
		return NULL;								\
	}										\
	int prefix##_findalldevs(struct pcap_if_list *devs, char *ebuf)			\
	{										\
		(void)devs;								\
		(void)ebuf;								\
		return 0;								\
	}

STUB_DEVICE(dbus)
STUB_DEVICE(bt)
STUB_DEVICE(bt_monitor)
STUB_DEVICE(usb)
STUB_DEVICE(netfilter)
STUB_DEVICE(rdmasniff)

struct pcap *pcap_create_interface(const char *device, char *ebuf)
{
	(void)device;
	snprintf(ebuf, 256, "capturing is not supported");	/* PCAP_ERRBUF_SIZE */
	return NULL;
}

int pcap_platform_finddevs(struct pcap_if_list *devs, char *ebuf)
{
	(void)devs;
	snprintf(ebuf, 256, "capturing is not supported");
	return -1;
}

/* Host, network and station names: refused, and remembered for the error text. */
static _Thread_local char refused_name[64];

const char *nt_pcap_refused_name(void)
{
	return refused_name;
}

void nt_pcap_forget_name(void)
{
	refused_name[0] = '\0';
}

static void refuse_name(const char *name)
{
	snprintf(refused_name, sizeof(refused_name), "%s", name);
}

struct numeric_addr {	/* one allocation, so that a plain free() is right, too */
	struct addrinfo ai;
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa;
};

static struct addrinfo *numeric_addrinfo(const char *s)
{
	struct numeric_addr *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	if (inet_pton(AF_INET, s, &a->sa.v4.sin_addr) == 1) {
		a->ai.ai_family = a->sa.v4.sin_family = AF_INET;
		a->ai.ai_addrlen = sizeof(a->sa.v4);
	} else if (inet_pton(AF_INET6, s, &a->sa.v6.sin6_addr) == 1) {
		a->ai.ai_family = a->sa.v6.sin6_family = AF_INET6;
		a->ai.ai_addrlen = sizeof(a->sa.v6);
	} else {
		free(a);
		return NULL;
	}
	a->ai.ai_socktype = SOCK_STREAM;
	a->ai.ai_protocol = IPPROTO_TCP;
	a->ai.ai_addr = (struct sockaddr *)&a->sa;
	return &a->ai;
}

/*
 * libpcap's scanner checks IPv6 literals with getaddrinfo(AI_NUMERICHOST). glibc's
 * would link the whole of NSS; this one knows literals only. Weak: should anything
 * in the program really need glibc's, that one wins and nothing breaks.
 */
__attribute__((weak))
int getaddrinfo(const char *restrict node, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict res)
{
	struct addrinfo *ai;

	if (!node || service)
		return EAI_NONAME;
	ai = numeric_addrinfo(node);
	if (!ai)
		return EAI_NONAME;
	if (hints && hints->ai_family != AF_UNSPEC && hints->ai_family != ai->ai_family) {
		free(ai);
		return EAI_NONAME;
	}
	*res = ai;
	return 0;
}

__attribute__((weak))
void freeaddrinfo(struct addrinfo *ai)
{
	while (ai) {
		struct addrinfo *next = ai->ai_next;

		free(ai->ai_canonname);
		free(ai);
		ai = next;
	}
}

struct addrinfo *pcap_nametoaddrinfo(const char *name)
{
	struct addrinfo *ai = numeric_addrinfo(name);

	if (!ai)
		refuse_name(name);
	return ai;
}

uint32_t pcap_nametonetaddr(const char *name)
{
	refuse_name(name);
	return 0;
}

unsigned char *pcap_ether_hostton(const char *name)
{
	refuse_name(name);
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 1:2:3:4:5:6, 01-02-..., 0102.0304.0506 or 010203040506, as pcap-filter(7) says. */
unsigned char *pcap_ether_aton(const char *s)
{
	unsigned char *mac = calloc(1, 6);
	unsigned int i;

	for (i = 0; mac && i < 6; i++) {
		int high, low;

		if (*s == ':' || *s == '.' || *s == '-')
			s++;
		high = hex_digit(*s);
		if (high < 0)
			break;
		low = hex_digit(*++s);
		if (low >= 0)
			s++;
		mac[i] = (unsigned char)(low < 0 ? high : high << 4 | low);
	}
	return mac;
}

/* Names from IANA's registries that people do type. */
static const struct {
	const char *name;
	uint16_t port;
	int8_t proto;	/* IPPROTO_*, PROTO_UNDEF for TCP and UDP */
} ports[] = {
	{ "bgp", 179, IPPROTO_TCP },
	{ "bootpc", 68, IPPROTO_UDP },
	{ "bootps", 67, IPPROTO_UDP },
	{ "discard", 9, PROTO_UNDEF },
	{ "domain", 53, PROTO_UNDEF },
	{ "echo", 7, PROTO_UNDEF },
	{ "ftp", 21, IPPROTO_TCP },
	{ "ftp-data", 20, IPPROTO_TCP },
	{ "geneve", 6081, IPPROTO_UDP },
	{ "http", 80, IPPROTO_TCP },
	{ "https", 443, PROTO_UNDEF },
	{ "imap", 143, IPPROTO_TCP },
	{ "imaps", 993, IPPROTO_TCP },
	{ "iscsi-target", 3260, IPPROTO_TCP },
	{ "isakmp", 500, IPPROTO_UDP },
	{ "kerberos", 88, PROTO_UNDEF },
	{ "ldap", 389, PROTO_UNDEF },
	{ "ldaps", 636, IPPROTO_TCP },
	{ "mdns", 5353, IPPROTO_UDP },
	{ "mysql", 3306, IPPROTO_TCP },
	{ "nfs", 2049, PROTO_UNDEF },
	{ "ntp", 123, IPPROTO_UDP },
	{ "pop3", 110, IPPROTO_TCP },
	{ "postgresql", 5432, IPPROTO_TCP },
	{ "smtp", 25, IPPROTO_TCP },
	{ "snmp", 161, IPPROTO_UDP },
	{ "ssh", 22, IPPROTO_TCP },
	{ "sunrpc", 111, PROTO_UNDEF },
	{ "syslog", 514, IPPROTO_UDP },
	{ "telnet", 23, IPPROTO_TCP },
	{ "tftp", 69, IPPROTO_UDP },
	{ "vxlan", 4789, IPPROTO_UDP },
};

/* A whole decimal number up to 65535; 1 if it is one. */
static int parse_port(const char *s, int *port)
{
	int value = 0;

	if (!*s)
		return 0;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return 0;
		value = value * 10 + (*s - '0');
		if (value > UINT16_MAX)
			return 0;
	}
	*port = value;
	return 1;
}

int pcap_nametoport(const char *name, int *port, int *proto)
{
	size_t i;

	*proto = PROTO_UNDEF;
	if (parse_port(name, port))
		return 1;
	for (i = 0; i < COUNT(ports); i++) {
		if (strcasecmp(ports[i].name, name))
			continue;
		*port = ports[i].port;
		*proto = ports[i].proto;
		return 1;
	}
	return 0;
}

/* A-B. Names may hold a dash, so every dash is tried. */
int pcap_nametoportrange(const char *name, int *port1, int *port2, int *proto)
{
	const char *dash;
	char first[32];

	for (dash = strchr(name, '-'); dash; dash = strchr(dash + 1, '-')) {
		size_t len = (size_t)(dash - name);
		int proto1, proto2;

		if (len >= sizeof(first))
			break;
		memcpy(first, name, len);
		first[len] = '\0';
		if (!pcap_nametoport(first, port1, &proto1) ||
		    !pcap_nametoport(dash + 1, port2, &proto2))
			continue;
		*proto = proto1 == proto2 ? proto1 : PROTO_UNDEF;
		return 1;
	}
	return 0;
}

struct name_value {
	const char *name;
	int value;
};

static int find_name(const struct name_value *table, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcasecmp(table[i].name, name))
			return table[i].value;
	return PROTO_UNDEF;
}

/* IANA, protocol numbers. */
int pcap_nametoproto(const char *name)
{
	static const struct name_value protos[] = {
		{ "icmp", 1 }, { "igmp", 2 }, { "ipencap", 4 }, { "ipip", 4 }, { "tcp", 6 },
		{ "egp", 8 }, { "igrp", 9 }, { "igp", 9 }, { "udp", 17 }, { "dccp", 33 },
		{ "ipv6", 41 }, { "rsvp", 46 }, { "gre", 47 }, { "esp", 50 }, { "ah", 51 },
		{ "icmp6", 58 }, { "ipv6-icmp", 58 }, { "eigrp", 88 }, { "ospf", 89 },
		{ "pim", 103 }, { "vrrp", 112 }, { "carp", 112 }, { "l2tp", 115 },
		{ "sctp", 132 }, { "udplite", 136 },
	};

	return find_name(protos, COUNT(protos), name);
}

/* IEEE, EtherTypes. */
int pcap_nametoeproto(const char *name)
{
	static const struct name_value types[] = {
		{ "ip", 0x0800 }, { "arp", 0x0806 }, { "rarp", 0x8035 }, { "ip6", 0x86dd },
		{ "mopdl", 0x6001 }, { "moprc", 0x6002 }, { "decnet", 0x6003 },
		{ "lat", 0x6004 }, { "sca", 0x6007 }, { "atalk", 0x809b },
		{ "aarp", 0x80f3 }, { "loopback", 0x9000 }, { "lldp", 0x88cc },
	};

	return find_name(types, COUNT(types), name);
}

/* IEEE 802.2, link service access points. */
int pcap_nametollc(const char *name)
{
	static const struct name_value saps[] = {
		{ "stp", 0x42 }, { "ipx", 0xe0 }, { "netbeui", 0xf0 }, { "iso", 0xfe },
	};

	return find_name(saps, COUNT(saps), name);
}

/*
 * One to four decimal bytes with dots between; the number of bits, or -1. The bytes
 * are at the low end of *addr.
 */
int __pcap_atoin(const char *s, uint32_t *addr)
{
	int bits = 0;

	*addr = 0;
	for (;;) {
		unsigned int byte = 0;

		for (; *s && *s != '.'; s++) {
			if (*s < '0' || *s > '9')
				return -1;
			byte = byte * 10 + (unsigned int)(*s - '0');
			if (byte > UINT8_MAX)
				return -1;
		}
		if (bits == 32)
			return -1;
		*addr = *addr << 8 | byte;
		bits += 8;
		if (!*s++)
			return bits;
	}
}

/* A DECnet address, area.node: 6 and 10 bits. Returns 32 or 0 for none. */
int __pcap_atodn(const char *s, uint32_t *addr)
{
	unsigned int area, node;

	if (sscanf(s, "%4u.%4u", &area, &node) != 2)
		return 0;
	*addr = (area << 10 & 0xfc00) | (node & 0x3ff);
	return 32;
}

int __pcap_nametodnaddr(const char *name, unsigned short *addr)
{
	refuse_name(name);
	*addr = 0;
	return 0;
}
