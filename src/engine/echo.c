/* SPDX-License-Identifier: GPL-2.0 */
/* ICMP echo sessions: how their keys are shown, and whose the addresses of the filter are. */
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#include "nettrace/echo.h"

#define K(member) offsetof(struct nt_echo_key, member)

const struct nt_field nt_echo_key_fields[NT_ECHO_KEY_FIELDS] = {
	{ .name = "src_ip", .kind = NT_K_ADDR, .off = K(initiator) },
	{ .name = "dst_ip", .kind = NT_K_ADDR, .off = K(target) },
	{ .name = "ip_version", .kind = NT_K_U8, .off = K(ip_version) },
	{ .name = "icmp_id", .kind = NT_K_BE16, .off = K(id) },
	{ .name = "icmp_seq", .kind = NT_K_BE16, .off = K(seq) },
};

const char *nt_echo_protocol(const struct nt_echo_key *k)
{
	return k->ip_version == 6 ? "icmpv6" : "icmp";
}

void nt_echo_text(const struct nt_echo_key *k, char *buf, size_t size)
{
	char from[64], to[64];

	snprintf(buf, size, "%s > %s  %s id %u seq %u",
		 nt_fmt_addr(k->initiator, from, sizeof(from)),
		 nt_fmt_addr(k->target, to, sizeof(to)), nt_echo_protocol(k),
		 __builtin_bswap16(k->id), __builtin_bswap16(k->seq));
}

/* ---- the address rule ---- */

static bool within(const struct nt_prefix *p, const uint8_t addr[16])
{
	for (int i = 0; i < 16; i++) {
		int bits = p->len - 8 * i;
		uint8_t mask = bits >= 8 ? 0xff : bits <= 0 ? 0 : (uint8_t)(0xff << (8 - bits));

		if ((addr[i] ^ p->addr[i]) & mask)
			return false;
	}
	return true;
}

static bool address_of(const struct sockaddr *sa, uint8_t addr[16])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	if (sa && sa->sa_family == AF_INET) {
		memcpy(addr, mapped, 12);
		memcpy(addr + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
		return true;
	}
	if (sa && sa->sa_family == AF_INET6) {
		memcpy(addr, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
		return true;
	}
	return false;
}

static bool is_local(const struct nt_prefix *p)
{
	struct ifaddrs *list, *i;
	bool found = false;
	uint8_t addr[16];

	if (!p->set || getifaddrs(&list))
		return false;
	for (i = list; i && !found; i = i->ifa_next)
		found = address_of(i->ifa_addr, addr) && within(p, addr);
	freeifaddrs(list);
	return found;
}

/*
 * Old command lines gave the local address now as --src-ip, now as --dst-ip. If
 * exactly one of the two is local, it is the local end, whatever the order: the
 * initiator of pings that go out (tx), the target of those that come in (rx).
 */
void nt_echo_ends(struct nt_run *r, bool reversed[2])
{
	const struct nt_tuple_opts *t = nt_run_tuple(r);
	bool src = is_local(&t->src), dst = is_local(&t->dst);

	reversed[NT_DIR_TX] = dst && !src;
	reversed[NT_DIR_RX] = src && !dst;
	if (src == dst && (t->src.set || t->dst.set) && nt_run_common(r)->verbose)
		nt_run_note(r, "nettrace %s: %s: --src-ip is taken for the host that pings",
			    nt_run_tool(r)->name,
			    src ? "both addresses are local" : "no address is of this namespace");
}
