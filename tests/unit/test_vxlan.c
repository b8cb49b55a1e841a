/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers and names of VXLAN. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "nettrace/vxlan.h"

static void test_numbers(void)
{
	static const struct { const char *text; uint32_t max; int rc; uint32_t value; } t[] = {
		{ "100", 16777215, 0, 100 }, { "0", 16777215, 0, 0 }, { "16777215", 16777215, 0, 16777215 },
		{ "0x64", 16777215, 0, 100 }, { "007", 16777215, 0, 7 },
		{ "16777216", 16777215, -EINVAL, 0 }, { "-1", 16777215, -EINVAL, 0 }, { "", 16777215, -EINVAL, 0 },
		{ "1a", 16777215, -EINVAL, 0 }, { " 1", 16777215, -EINVAL, 0 }, { "0x", 16777215, -EINVAL, 0 },
		{ "99999999999999999999999", 16777215, -EINVAL, 0 }, { "65536", 65535, -EINVAL, 0 },
	};

	for (size_t i = 0; i < NT_COUNT(t); i++) {
		uint32_t v = 0;

		CHECK(nt_vxlan_number(t[i].text, t[i].max, &v) == t[i].rc && v == t[i].value, t[i].text);
	}
}

static void test_names(void)
{
	char buf[160], small[12];

	CHECK(!strcmp(nt_vxlan_flag_names(0, buf, sizeof(buf)), "-"), "no flag");
	CHECK(!strcmp(nt_vxlan_flag_names(0x08000000, buf, sizeof(buf)), "I"), "a VNI");
	CHECK(!strcmp(nt_vxlan_flag_names(0x8800004d, buf, sizeof(buf)), "I,GBP"), "a group");
	CHECK(!strcmp(nt_vxlan_flag_names(0x0c000003, buf, sizeof(buf)), "I,GPE"), "another payload");
	CHECK(!strcmp(nt_vxlan_gso_names(0, buf, sizeof(buf)), "-"), "no type");
	CHECK(!strcmp(nt_vxlan_gso_names(0x401, buf, sizeof(buf)), "TCPV4,UDP_TUNNEL"), "in a tunnel");
	CHECK(!strcmp(nt_vxlan_gso_names(0x100002, buf, sizeof(buf)), "DODGY,0x100000"), "a bit of a later kernel");
	CHECK(strlen(nt_vxlan_gso_names(~0u, small, sizeof(small))) < sizeof(small), "names that do not fit");
	CHECK(!strcmp(nt_vxlan_what_name(NT_VXLAN_LOCAL), "local") && !strcmp(nt_vxlan_what_name(99), "-"), "outcomes");
}

int main(void)
{
	test_numbers();
	test_names();
	return check_done();
}
