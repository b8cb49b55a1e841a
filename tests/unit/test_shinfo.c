/* SPDX-License-Identifier: GPL-2.0 */
/* What is inconsistent in a packet, and names. */
#include <string.h>

#include "check.h"
#include "nettrace/shinfo.h"

#define DODGY 0x2
#define FRAGLIST 0x40000

static void test_rules(void)
{
	static const struct {
		struct nt_shinfo s;
		uint32_t first_linear, rules;
		const char *what;
	} t[] = {
		{ { .len = 100 }, 0, 0, "a linear packet" },
		{ { .len = 9000, .gso_size = 1448, .gso_type = 1 | DODGY }, 0, 0, "a linear GSO packet is in order" },
		{ { .len = 100, .data_len = 50 }, 0, NT_SHINFO_NO_DATA, "data_len of nothing" },
		{ { .len = 100, .data_len = 50, .nr_frags = 1 }, 0, 0, "fragments" },
		{ { .len = 100, .data_len = 50, .frag_list = 1 }, 0, 0, "a list" },
		{ { .len = 200, .gso_size = 100, .gso_type = FRAGLIST }, 0, NT_SHINFO_NO_LIST, "GSO by a list that is gone" },
		{ { .len = 200, .gso_type = FRAGLIST }, 0, 0, "its type alone is no GSO" },
		{ { .len = 200, .gso_size = NT_GSO_BY_FRAGS, .gso_type = 1 << 14 }, 0, NT_SHINFO_NO_LIST, "SCTP without list" },
		{ { .len = 200, .gso_size = NT_GSO_BY_FRAGS, .frag_list = 1, .data_len = 9 }, 0, 0, "SCTP with one" },
		{ { .len = 200, .data_len = 50, .gso_size = FRAGLIST >> 9, .gso_type = FRAGLIST }, 0,
		  NT_SHINFO_NO_DATA | NT_SHINFO_NO_LIST, "both" },
		{ { .len = 3000, .data_len = 2000, .gso_size = 1000, .gso_type = 1 | DODGY, .frag_list = 1 }, 999,
		  NT_SHINFO_MEMBER, "a member of another size" },
		{ { .len = 3000, .data_len = 2000, .gso_size = 1000, .gso_type = 1 | DODGY, .frag_list = 1 }, 1000, 0,
		  "a member of this size" },
		{ { .len = 3000, .data_len = 2000, .gso_size = 1000, .gso_type = 1 | DODGY, .frag_list = 1 }, 0, 0,
		  "a single member, or all in fragments" },
		{ { .len = 3000, .data_len = 2000, .gso_size = 1000, .gso_type = 1, .frag_list = 1 }, 999, 0,
		  "our own packets may" },
	};

	for (size_t i = 0; i < NT_COUNT(t); i++)
		CHECK(nt_shinfo_rules(&t[i].s, t[i].first_linear, DODGY, FRAGLIST) == t[i].rules, t[i].what);
}

static void test_names(void)
{
	char buf[200], small[12];
	struct nt_gso_names n;

	nt_gso_names_default(&n);
	CHECK(!strcmp(nt_gso_text(&n, 0, buf, sizeof(buf)), "-"), "no type");
	CHECK(!strcmp(nt_gso_text(&n, 0x403, buf, sizeof(buf)), "TCPV4,DODGY,UDP_TUNNEL"), "several");
	CHECK(!strcmp(nt_gso_text(&n, 0x80000002, buf, sizeof(buf)), "DODGY,0x80000000"), "one without a name");
	CHECK(nt_gso_bit(&n, "DODGY") == DODGY && nt_gso_bit(&n, "FRAGLIST") == FRAGLIST && !nt_gso_bit(&n, "NEW"), "bits");
	nt_gso_names_add(&n, "SKB_GSO_NEW", 0x80000000u);
	nt_gso_names_add(&n, "__SKB_GSO_OTHER", 1);
	nt_gso_names_add(&n, "SKB_GSO_MASK", 3);
	CHECK(!strcmp(nt_gso_text(&n, 0x80000003, buf, sizeof(buf)), "OTHER,DODGY,NEW"), "a kernel's own names");
	CHECK(strlen(nt_gso_text(&n, ~0u, small, sizeof(small))) < sizeof(small), "names that do not fit");
	CHECK(!strcmp(nt_shinfo_place_name(NT_SHINFO_AT_SEGMENT), "skb_segment") && !strcmp(nt_shinfo_place_name(255), "-"),
	      "places");
	CHECK(!strcmp(nt_shinfo_what_name(NT_SHINFO_CLEAR), "CLEAR") && !strcmp(nt_shinfo_what_name(99), "-"), "events");
}

int main(void)
{
	test_rules();
	test_names();
	return check_done();
}
