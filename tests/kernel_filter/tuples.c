// SPDX-License-Identifier: GPL-2.0
#include "tuples.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/nt_abi.h"

const struct tuple_row tuple_rows[] = {
	{ .src = "10.0.0.1/32", .plain = "ip src 10.0.0.1" },
	{ .dst = "10.0.0.2/32", .plain = "ip dst 10.0.0.2" },
	{ .src = "10.0.0.0/8", .plain = "ip src net 10.0.0.0/8" },
	{ .src = "10.0.0.2/31", .plain = "ip src net 10.0.0.2/31" },
	{ .dst = "224.0.0.0/4", .plain = "ip dst net 224.0.0.0/4" },
	{ .src = "0.0.0.0/0", .plain = "ip" },
	{ .dst = "255.255.255.255/32", .plain = "ip dst 255.255.255.255" },
	{ .src = "10.0.0.1/32", .dst = "10.0.0.2/32", .plain = "ip src 10.0.0.1 and dst 10.0.0.2" },
	{ .src = "2001:db8::1/128", .plain = "ip6 src 2001:db8::1" },
	{ .dst = "2001:db8::/32", .plain = "ip6 dst net 2001:db8::/32" },
	{ .dst = "ff00::/8", .plain = "ip6 dst net ff00::/8" },
	{ .src = "fe80::/10", .plain = "ip6 src net fe80::/10" },
	{ .dst = "2001:db8::2/127", .plain = "ip6 dst net 2001:db8::2/127" },
	{ .dport = "80-80", .plain = "dst port 80" },
	{ .sport = "53-53", .plain = "src port 53" },
	{ .dport = "1-1023", .plain = "dst portrange 1-1023" },
	{ .sport = "12345-65535", .plain = "src portrange 12345-65535" },
	{ .dport = "0-0", .plain = "dst port 0" },
	{ .sport = "0-65535", .plain = "src portrange 0-65535" },
	{ .sport = "53-53", .dport = "53-53", .plain = "src port 53 and dst port 53" },
	{ .proto = "6", .plain = "tcp" },
	{ .proto = "17", .plain = "udp" },
	{ .proto = "icmp", .plain = "icmp or icmp6" },
	{ .proto = "58", .plain = "ip proto 58 or ip6 proto 58" },
	{ .proto = "132", .plain = "sctp" },
	{ .proto = "47", .plain = "ip proto 47 or ip6 proto 47" },
	{ .proto = "6", .dport = "80-80", .plain = "tcp dst port 80" },
	{ .proto = "17", .sport = "1-1", .dport = "53-53",
	  .plain = "udp src port 1 and udp dst port 53" },
	{ .src = "10.0.0.0/24", .dst = "10.0.0.0/24", .proto = "6", .dport = "1-442",
	  .plain = "src net 10.0.0.0/24 and dst net 10.0.0.0/24 and tcp dst portrange 1-442" },
	{ .dst = "2001:db8::/64", .proto = "17", .dport = "53-53",
	  .plain = "ip6 dst net 2001:db8::/64 and udp dst port 53" },
	{ .type = "0x0800", .plain = "ip" },
	{ .type = "0x0806", .plain = "arp" },
	{ .type = "0x8035", .plain = "rarp" },
	{ .type = "0x86dd", .plain = "ip6" },
	{ .type = "0x88cc", .plain = "ether proto 0x88cc" },
	{ .type = "0x8847", .plain = "ether proto 0x8847" },
	{ .type = "other" },
	{ .type = "0x0800", .proto = "17", .plain = "ip and udp" },
	{ .type = "0x0806", .proto = "17", .plain = "arp and udp" },
	{ .vlan = "100" },
	{ .vlan = "200" },
	{ .vlan = "0" },
	{ .vlan = "100", .type = "0x0806" },
	{ .vlan = "100", .dst = "10.0.0.2/32", .proto = "6", .dport = "80-80" },
	{ .vlan = "100", .src = "2001:db8::/32", .dport = "53-53" },
	{ .vlan = "200", .proto = "17" },
};
const size_t n_tuple_rows = sizeof(tuple_rows) / sizeof(tuple_rows[0]);

void tuple_text(const struct tuple_row *row, char *out, size_t size)
{
	const struct { const char *name, *value; } o[] = {
		{ "src-ip", row->src }, { "dst-ip", row->dst }, { "src-port", row->sport },
		{ "dst-port", row->dport }, { "protocol", row->proto }, { "type", row->type },
		{ "vlan-id", row->vlan },
	};
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(o) / sizeof(o[0]) && n < size; i++)
		if (o[i].value)
			n += (size_t)snprintf(out + n, size - n, "%s--%s %s", n ? " " : "",
					      o[i].name, o[i].value);
}

/* ---- the filter's values ---- */

static bool is_v6(const char *prefix)
{
	return strchr(prefix, ':');
}

static void set_prefix(const char *text, uint8_t *addr, uint8_t *mask)
{
	char buf[64];
	char *slash;
	int len;

	snprintf(buf, sizeof(buf), "%s", text);
	slash = strchr(buf, '/');
	*slash = '\0';
	len = atoi(slash + 1);
	memset(addr, 0, 16);
	if (is_v6(buf)) {
		inet_pton(AF_INET6, buf, addr);
	} else {
		addr[10] = addr[11] = 0xff;
		inet_pton(AF_INET, buf, addr + 12);
		len += 96;
	}
	for (int i = 0; i < 16; i++) {
		int bits = len - 8 * i;

		mask[i] = bits >= 8 ? 0xff : bits <= 0 ? 0 : (uint8_t)(0xff << (8 - bits));
		addr[i] &= mask[i];
	}
}

static void set_ports(const char *text, uint16_t *low, uint16_t *high)
{
	char *end;

	*low = (uint16_t)strtoul(text, &end, 10);
	*high = (uint16_t)strtoul(end + 1, NULL, 10);
}

uint64_t tuple_values(const struct tuple_row *row, struct nt_tuple *t)
{
	uint64_t mask = 0;

	memset(t, 0, sizeof(*t));
	if (row->src) {
		set_prefix(row->src, t->src, t->src_mask);
		mask |= NT_FILTER_SRC;
	}
	if (row->dst) {
		set_prefix(row->dst, t->dst, t->dst_mask);
		mask |= NT_FILTER_DST;
	}
	if (row->sport) {
		set_ports(row->sport, &t->sport_low, &t->sport_high);
		mask |= NT_FILTER_SPORT;
	}
	if (row->dport) {
		set_ports(row->dport, &t->dport_low, &t->dport_high);
		mask |= NT_FILTER_DPORT;
	}
	if (row->proto) {
		bool icmp = !strcmp(row->proto, "icmp");

		t->proto = icmp ? 1 : (uint32_t)atoi(row->proto);
		mask |= NT_FILTER_PROTO | (icmp ? NT_FILTER_ICMP46 : 0);
	}
	if (row->type) {
		bool other = !strcmp(row->type, "other");

		t->eth_type = other ? 0 : (uint16_t)strtoul(row->type, NULL, 16);
		mask |= other ? NT_FILTER_ETHTYPE_OTHER : NT_FILTER_ETHTYPE;
	}
	if (row->vlan) {
		t->vlan = (uint16_t)atoi(row->vlan);
		mask |= NT_FILTER_VLAN;
	}
	return mask;
}

/* ---- the same as an expression on bytes ---- */

struct text {
	char *out;
	size_t n;
};

__attribute__((format(printf, 2, 3)))
static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->n += (size_t)vsnprintf(t->out + t->n, TUPLE_EXPR - t->n, fmt, ap);
	va_end(ap);
	if (t->n >= TUPLE_EXPR)
		abort();
}

/* " and this address word by word is under the mask" for a family's address at OFF. */
static void add_addr(struct text *t, const char *prefix, bool v6, int off)
{
	uint8_t addr[16], mask[16];
	uint32_t a, m;

	if (!prefix)
		return;
	if (is_v6(prefix) != v6) {
		add(t, " and 1 = 0");
		return;
	}
	set_prefix(prefix, addr, mask);
	for (int i = v6 ? 0 : 12; i < 16; i += 4) {
		memcpy(&a, addr + i, 4);
		memcpy(&m, mask + i, 4);
		if (m)
			add(t, " and ether[%d:4] & 0x%x = 0x%x", off + i - (v6 ? 0 : 12), ntohl(m),
			    ntohl(a));
	}
}

/* " and the ports fit": L4 is the transport header's offset, an expression. */
static void add_ports(struct text *t, const struct tuple_row *row, const char *proto, const char *l4)
{
	uint16_t low, high;

	if (!row->sport && !row->dport)
		return;
	add(t, " and (%s = 6 or %s = 17 or %s = 132 or %s = 136) and len >= %s + 8", proto, proto,
	    proto, proto, l4);
	if (row->sport) {
		set_ports(row->sport, &low, &high);
		add(t, " and ether[%s:2] >= %u and ether[%s:2] <= %u", l4, low, l4, high);
	}
	if (row->dport) {
		set_ports(row->dport, &low, &high);
		add(t, " and ether[%s + 2:2] >= %u and ether[%s + 2:2] <= %u", l4, low, l4, high);
	}
}

static void add_proto(struct text *t, const struct tuple_row *row, bool v6, const char *proto)
{
	if (row->proto)
		add(t, " and %s = %s", proto,
		    strcmp(row->proto, "icmp") ? row->proto : v6 ? "58" : "1");
}

static void add_ipv4(struct text *t, const struct tuple_row *row, int o)
{
	char proto[32], l4[64];

	snprintf(proto, sizeof(proto), "ether[%d]", o + 9);
	snprintf(l4, sizeof(l4), "%d + (ether[%d] & 15) * 4", o, o);
	add(t, "(ether[%d:2] = 0x800 and len >= %d and ether[%d] & 0xf0 = 0x40", o - 2, o + 20, o);
	add_proto(t, row, false, proto);
	add_addr(t, row->src, false, o + 12);
	add_addr(t, row->dst, false, o + 16);
	if (row->sport || row->dport)
		add(t, " and ether[%d:2] & 0x1fff = 0", o + 6);
	add_ports(t, row, proto, l4);
	add(t, ")");
}

/* Chains of extension headers that the corpus has; offsets from the IPv6 header. */
static const struct {
	const char *is;		/* ether[O + n] is written as @n */
	int proto, l4;
} chains[] = {
	{ "@6 != 0 and @6 != 43 and @6 != 44 and @6 != 51 and @6 != 60", 6, 40 },
	{ "@6 = 0 and @41 = 0", 40, 48 },
	{ "@6 = 43 and @41 = 2 and @40 = 60 and @65 = 0", 64, 72 },
	{ "@6 = 44 and @42 = 0 and @43 < 8", 40, 48 },
	{ "@6 = 44 and (@42 != 0 or @43 >= 8)", 40, -1 },
	{ "@6 = 51 and @41 = 8", 40, 80 },
};

static void add_chain(struct text *t, const char *is, int o)
{
	for (; *is; is++) {
		char *end;

		if (*is != '@') {
			add(t, "%c", *is);
			continue;
		}
		add(t, "ether[%d]", o + (int)strtol(is + 1, &end, 10));
		is = end - 1;
	}
}

static void add_ipv6(struct text *t, const struct tuple_row *row, int o)
{
	char proto[32], l4[32];

	add(t, "(ether[%d:2] = 0x86dd and len >= %d and ether[%d] & 0xf0 = 0x60", o - 2, o + 40, o);
	add_addr(t, row->src, true, o + 8);
	add_addr(t, row->dst, true, o + 24);
	add(t, " and (");
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		add(t, "%s(", i ? " or " : "");
		add_chain(t, chains[i].is, o);
		snprintf(proto, sizeof(proto), "ether[%d]", o + chains[i].proto);
		snprintf(l4, sizeof(l4), "%d", o + chains[i].l4);
		add_proto(t, row, true, proto);
		if (chains[i].l4 < 0 && (row->sport || row->dport))
			add(t, " and 1 = 0");
		else
			add_ports(t, row, proto, l4);
		add(t, ")");
	}
	add(t, "))");
}

static void add_tag_types(struct text *t, int at)
{
	add(t, "(ether[%d:2] = 0x8100 or ether[%d:2] = 0x88a8)", at, at);
}

/* The packet with D tags. */
static void add_depth(struct text *t, const struct tuple_row *row, int d)
{
	const int o = 14 + 4 * d;

	add(t, "(1 = 1");
	for (int i = 0; i < d; i++) {
		add(t, " and ");
		add_tag_types(t, 12 + 4 * i);
	}
	if (row->vlan && d == 0)
		add(t, " and 1 = 0");
	else if (row->vlan && d == 1)
		add(t, " and ether[14:2] & 0xfff = %s", row->vlan);
	else if (row->vlan)
		add(t, " and (ether[14:2] & 0xfff = %s or ether[18:2] & 0xfff = %s)", row->vlan,
		    row->vlan);
	if (row->type && !strcmp(row->type, "other"))
		add(t, " and not (ether[%d:2] = 0x800 or ether[%d:2] = 0x806 or ether[%d:2] = 0x8035"
		    " or ether[%d:2] = 0x86dd or ether[%d:2] = 0x88cc or ether[%d:2] = 0x8808"
		    " or ether[%d:2] = 0x8100 or ether[%d:2] = 0x88a8)", o - 2, o - 2, o - 2, o - 2,
		    o - 2, o - 2, o - 2, o - 2);
	else if (row->type)
		add(t, " and ether[%d:2] = %s", o - 2, row->type);
	if (row->src || row->dst || row->proto || row->sport || row->dport) {
		add(t, " and (");
		add_ipv4(t, row, o);
		add(t, " or ");
		add_ipv6(t, row, o);
		add(t, ")");
	}
	add(t, ")");
}

void tuple_exact(const struct tuple_row *row, int depth, char *out)
{
	struct text t = { out, 0 };

	for (int d = 0; d <= depth; d++) {
		if (d)
			add(&t, " or ");
		add_depth(&t, row, d);
	}
}

void tuple_plain(const struct tuple_row *row, int depth, char *out)
{
	struct text t = { out, 0 };

	for (int d = 0; d < depth; d++)
		add(&t, "(%s) or (vlan and (", row->plain);
	add(&t, "%s", row->plain);
	for (int d = 0; d < depth; d++)
		add(&t, "))");
}
