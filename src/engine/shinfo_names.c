/* SPDX-License-Identifier: GPL-2.0 */
/* Names of segmentation types, places, events and rules. */
#include <stdio.h>
#include <string.h>

#include "nettrace/btf.h"
#include "nettrace/shinfo.h"
#include "nettrace/vxlan.h"

void nt_gso_names_default(struct nt_gso_names *n)
{
	memset(n, 0, sizeof(*n));
	for (uint32_t i = 0; i < 19; i++)	/* to FRAGLIST: later kernels differ above */
		nt_vxlan_gso_names(1u << i, n->name[i], sizeof(n->name[i]));
}

void nt_gso_names_add(struct nt_gso_names *n, const char *name, uint32_t value)
{
	if (!value || value & (value - 1))
		return;
	while (*name == '_')
		name++;
	if (!strncmp(name, "SKB_GSO_", 8))
		name += 8;
	snprintf(n->name[__builtin_ctz(value)], NT_GSO_NAME, "%s", name);
}

static void add(void *arg, const char *name, uint32_t value)
{
	nt_gso_names_add(arg, name, value);
}

void nt_gso_names_read(struct nt_gso_names *n, const struct nt_btf *btf)
{
	nt_gso_names_default(n);
	nt_btf_enum_with(btf, "SKB_GSO_TCPV4", add, n);
}

uint32_t nt_gso_bit(const struct nt_gso_names *n, const char *name)
{
	for (uint32_t i = 0; i < 32; i++)
		if (!strcmp(n->name[i], name))
			return 1u << i;
	return 0;
}

const char *nt_gso_text(const struct nt_gso_names *n, uint32_t gso_type, char *buf, size_t size)
{
	size_t used = 0;

	snprintf(buf, size, "-");
	for (uint32_t i = 0; i < 32 && used < size; i++) {
		int more;

		if (!(gso_type >> i & 1))
			continue;
		if (n->name[i][0])
			more = snprintf(buf + used, size - used, "%s%s", used ? "," : "", n->name[i]);
		else
			more = snprintf(buf + used, size - used, "%s0x%x", used ? "," : "", 1u << i);
		used += more > 0 ? (size_t)more : 0;
	}
	return buf;
}

const char *nt_shinfo_place_name(uint32_t place)
{
#define NAME(id, name) name,
	static const char *const names[NT_SHINFO_PLACES_N] = { NT_SHINFO_PLACES(NAME) };
#undef NAME

	return place < NT_SHINFO_PLACES_N ? names[place] : "-";
}

const char *nt_shinfo_what_name(uint32_t what)
{
	static const char *const names[NT_SHINFO_WHATS] = { "CREATE", "CLEAR", "MODIFY", "ACCESS", "INCONSISTENT" };

	return what < NT_SHINFO_WHATS ? names[what] : "-";
}

const char *nt_shinfo_rule_text(uint32_t rule)
{
	switch (rule) {
	case NT_SHINFO_NO_DATA: return "data_len without fragments and without frag_list";
	case NT_SHINFO_LENGTHS: return "linear part, fragments and frag_list together are not len";
	case NT_SHINFO_NO_LIST: return "to be segmented by its frag_list, which is not there";
	case NT_SHINFO_MEMBER: return "DODGY, and a frag_list member's linear part is not gso_size";
	default: return "-";
	}
}
