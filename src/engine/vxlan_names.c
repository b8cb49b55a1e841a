/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers and names of VXLAN and of GSO. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/vxlan.h"

int nt_vxlan_number(const char *text, uint32_t max, uint32_t *out)
{
	unsigned long long v;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, text[1] == 'x' || text[1] == 'X' ? 16 : 10);
	if (*end || errno || v > max)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

const char *nt_vxlan_what_name(uint32_t what)
{
	static const char *const names[NT_VXLAN_WHATS] = { "sent", "delivered", "seen", "dropped", "local" };

	return what < NT_VXLAN_WHATS ? names[what] : "-";
}

/* "a,b" */
static size_t add(char *buf, size_t size, size_t n, const char *name)
{
	int more = snprintf(buf + n, size - n, "%s%s", n ? "," : "", name);

	return more < 0 || n + (size_t)more >= size ? n : n + (size_t)more;
}

const char *nt_vxlan_flag_names(uint32_t flags, char *buf, size_t size)
{
	static const struct { uint32_t bit; const char *name; } names[] = {
		{ NT_VXLAN_F_I, "I" }, { NT_VXLAN_F_GBP, "GBP" }, { NT_VXLAN_F_P, "GPE" },
		{ 0x01000000, "OAM" }, { 0x00200000, "RCO" },
	};
	size_t n = 0;

	snprintf(buf, size, "-");
	for (size_t i = 0; i < NT_COUNT(names); i++)
		if (flags & names[i].bit)
			n = add(buf, size, n, names[i].name);
	return buf;
}

/* The bits have been the same from 4.19 on; later kernels only added some. */
const char *nt_vxlan_gso_names(uint32_t gso_type, char *buf, size_t size)
{
	static const char *const names[] = {
		"TCPV4", "DODGY", "TCP_ECN", "TCP_FIXEDID", "TCPV6", "FCOE", "GRE", "GRE_CSUM", "IPXIP4", "IPXIP6",
		"UDP_TUNNEL", "UDP_TUNNEL_CSUM", "PARTIAL", "TUNNEL_REMCSUM", "SCTP", "ESP", "UDP", "UDP_L4", "FRAGLIST",
	};
	char number[16];
	size_t n = 0;

	snprintf(buf, size, "-");
	for (size_t i = 0; i < NT_COUNT(names); i++)
		if (gso_type >> i & 1)
			n = add(buf, size, n, names[i]);
	if (gso_type >> NT_COUNT(names)) {
		snprintf(number, sizeof(number), "0x%x", gso_type >> NT_COUNT(names) << NT_COUNT(names));
		add(buf, size, n, number);
	}
	return buf;
}
