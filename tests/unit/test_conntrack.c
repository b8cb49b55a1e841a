/* SPDX-License-Identifier: GPL-2.0 */
/* Rules of a file, why a packet is invalid, and the kernel's counters. */
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "check.h"
#include "nettrace/conntrack.h"

static struct nt_ct_rules rules;
static char why[200];

static int parse(const char *text)
{
	return nt_ct_rules_parse(&rules, text, why, sizeof(why));
}

static bool refused(const char *text, const char *because)
{
	return parse(text) && strstr(why, because);
}

static void test_parse(void)
{
	CHECK(!parse("[{\"src_ip\": \"10.0.0.0/8\", \"protocol\": \"tcp\", \"dst_port\": 443}, {}]\n") && rules.n == 2,
	      "a list");
	CHECK(rules.rule[0].src.set && rules.rule[0].src.len == 104 && !rules.rule[0].dst.set &&
	      rules.rule[0].proto == 6 && rules.rule[0].dport == 443 && !rules.rule[0].sport, "its first rule");
	CHECK(!rules.rule[1].src.set && rules.rule[1].proto == NT_PROTO_ALL, "an empty object is every connection");
	CHECK(!parse("{\"protocol\":58,\"src_port\":\"0\",\"dst_ip\":null,\"dst_port\":\"53\"}") && rules.n == 1 &&
	      rules.rule[0].proto == 58 && !rules.rule[0].sport && rules.rule[0].dport == 53 && !rules.rule[0].dst.set,
	      "one object, numbers as texts, null, port 0");
	CHECK(refused("", "no list"), "nothing");
	CHECK(refused("[]", "no rule"), "an empty list");
	CHECK(refused("[{\"src_ip\":\n\"10.0.0.300\"}]", "line 2: no address or prefix: 10.0.0.300"), "a wrong address");
	CHECK(refused("[{\"src_port\": 70000}]", "no port"), "a wrong port");
	CHECK(refused("[{\"src_port\": \"1-5\"}]", "no port"), "a range");
	CHECK(refused("[{\"protocol\": \"xyz\"}]", "no protocol"), "a wrong protocol");
	CHECK(refused("[{\"source\": 1}]", "unknown member"), "a wrong member");
	CHECK(refused("[{\"src_port\": 1", "comma or }"), "it ends too early");
	CHECK(refused("[{} {}]", "comma or ]"), "a comma is missing");
	CHECK(refused("[{}] x", "behind the rules"), "something behind it");
	CHECK(refused("[{\"src_port\": [1]}]", "neither"), "a list as value");
	CHECK(refused("[{\"src_ip\": \"10.0", "does not end"), "an open text");
}

static void test_number(void)
{
	char text[65 * 3 + 3] = "[";

	for (int i = 0; i < 64; i++)
		strcat(text, i ? ",{}" : "{}");
	strcat(text, "]");
	CHECK(!parse(text) && rules.n == 64, "64 rules");
	strcpy(text + strlen(text) - 1, ",{}]");
	CHECK(refused(text, "more than 64"), "65 rules");
}

static struct nt_ct_ends of(const char *prefix)
{
	struct nt_prefix p;

	CHECK(!nt_parse_prefix(prefix, &p), "a prefix");
	return nt_ct_rules_of_addr(&rules, &p);
}

static void test_bits(void)
{
	struct nt_ct_ends e;

	parse("[{\"src_ip\":\"10.0.0.0/8\"},{\"dst_ip\":\"10.1.0.0/17\",\"src_port\":5},{\"src_ip\":\"::/0\",\"dst_port\":6},"
	      "{\"protocol\":\"icmp\"},{\"protocol\":17}]");
	e = of("10.1.2.3");
	CHECK(e.src == 0x1b && e.dst == 0x1f, "an address within two prefixes");
	e = of("10.1.128.0/24");
	CHECK(e.src == 0x1b && e.dst == 0x1d, "outside of a prefix by its last bit");
	e = of("11.0.0.0/8");
	CHECK(e.src == 0x1a && e.dst == 0x1d, "outside of both");
	e = of("fd77::1");
	CHECK(e.src == 0x1e && e.dst == 0x1d, "IPv6");
	e = of("0.0.0.0/0");
	CHECK(e.src == 0x1a, "more than a prefix is not in it, and ::/0 is no IPv4 address");
	e = nt_ct_rules_of_port(&rules, 5);
	CHECK(e.src == 0x1f && e.dst == 0x1b, "a source port");
	e = nt_ct_rules_of_port(&rules, 6);
	CHECK(e.src == 0x1d && e.dst == 0x1f, "a destination port");
	e = nt_ct_rules_of_port(&rules, 0);
	CHECK(e.src == 0x1d && e.dst == 0x1b, "a port that no rule names");
	CHECK(nt_ct_rules_of_proto(&rules, 1) == 0x0f && nt_ct_rules_of_proto(&rules, 58) == 0x0f,
	      "icmp is ICMPv6, too");
	CHECK(nt_ct_rules_of_proto(&rules, 17) == 0x17 && nt_ct_rules_of_proto(&rules, 6) == 0x07, "protocols");
}

static const char *reason(struct nt_ct_event *e, const char *text)
{
	static char buf[200];

	snprintf(e->reason, sizeof(e->reason), "%s", text);
	return nt_ct_reason(e, buf, sizeof(buf));
}

static void test_reason(void)
{
	struct nt_ct_event e = { .what = NT_CT_INVALID, .pkt = { .bits = NT_PKT_TCP, .tcp_flags = 0x12 } };

	CHECK(!strcmp(reason(&e, "SEQ is over upper bound %u (over the window)"), "SEQ is over upper bound (over the window)"),
	      "without what is filled in");
	CHECK(!strcmp(reason(&e, "bad checksum\n"), "bad checksum"), "without a newline");
	CHECK(!strcmp(reason(&e, "invalid packet %-5d in state %s"), "invalid packet in state"), "widths, and at the end");
	CHECK(strstr(reason(&e, "\x01\x02"), "tracker of its protocol"), "no text");
	e.bits = NT_CT_TCP;
	CHECK(!strcmp(reason(&e, ""), "no entry, and SYN|ACK begins no connection"), "derived: no entry");
	CHECK(!strcmp(reason(&e, "invalid new"), "invalid new: no entry, and SYN|ACK begins no connection"), "both");
	CHECK(nt_ct_liberal_helps("SEQ is over") && !nt_ct_liberal_helps("bad checksum"), "what a sysctl would change");
	e.tcp_old = 3;
	CHECK(!strcmp(reason(&e, ""), "SYN|ACK does not fit state ESTABLISHED"), "derived: a state");
	e.bits = 0;
	e.pkt.bits = NT_PKT_ICMP;
	e.pkt.flow.proto = 1;
	CHECK(!strcmp(reason(&e, ""), "a reply to no request"), "derived: an echo reply");
	CHECK(!strcmp(nt_ct_tcp_state(7), "TIME_WAIT") && !strcmp(nt_ct_info_name(4), "RELATED_REPLY") &&
	      !strcmp(nt_ct_info_name(7), "UNTRACKED") && !strcmp(nt_ct_info_name(5), "?"), "names");
	CHECK(!strcmp(nt_ct_ovs_state(0x22, why, sizeof(why)), "+est+trk") &&
	      !strcmp(nt_ct_ovs_state(0, why, sizeof(why)), "-"), "names of Open vSwitch");
}

/* A message of ctnetlink with one attribute. */
static size_t message(char *buf, uint8_t type, uint16_t attr, uint32_t value)
{
	struct nlmsghdr h = { .nlmsg_len = 28, .nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type) };
	struct nlattr a = { .nla_len = 8, .nla_type = attr };

	memset(buf, 0, 28);
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + 20, &a, sizeof(a));
	value = htonl(value);
	memcpy(buf + 24, &value, sizeof(value));
	return 28;
}

static void test_kernel(void)
{
	char text[] = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop "
		      "icmp_error  expect_new expect_create expect_delete search_restart\n"
		      "00000012  00000001 00000002 00000000 0000000a 00000000 00000000 00000000 00000003 00000004 00000005 "
		      "00000006 00000007  00000000 00000000 00000000 00000008\n"
		      "00000012  00000001 00000002 00000000 00000001 00000000 00000000 00000000 00000003 00000004 00000005 "
		      "00000006 00000007  00000000 00000000 00000000 00000008\n";
	struct nt_ct_kernel k = { .known = false };
	char buf[32] __attribute__((aligned(8)));

	nt_ct_kernel_text(&k, text);
	CHECK(k.known && k.entries == 18 && k.invalid == 11 && k.clash_resolve == 2 && k.insert == 6 && k.insert_failed == 8 &&
	      k.drop == 10 && k.early_drop == 12 && k.icmp_error == 14 && k.search_restart == 16, "/proc, two CPUs");
	memset(&k, 0, sizeof(k));
	nt_ct_kernel_message(&k, buf, message(buf, 4, 4, 7));
	nt_ct_kernel_message(&k, buf, message(buf, 4, 4, 3));
	nt_ct_kernel_message(&k, buf, message(buf, 5, 1, 20));
	nt_ct_kernel_message(&k, buf, message(buf, 5, 2, 100));
	CHECK(k.known && k.invalid == 10 && k.entries == 20 && k.max == 100, "ctnetlink, two CPUs and the table");
	message(buf, 4, 4, 7);
	buf[20] = 60;
	nt_ct_kernel_message(&k, buf, 28);
	nt_ct_kernel_message(&k, buf, 10);
	CHECK(k.invalid == 10, "a message that is cut short");
}

int main(void)
{
	test_parse();
	test_number();
	test_bits();
	test_reason();
	test_kernel();
	return check_done();
}
