/* SPDX-License-Identifier: GPL-2.0 */
/* Records by rows: every kind in every format. */
#include <math.h>
#include <time.h>

#include "check.h"
#include "capture.h"
#include "record.h"

static const char *json_of(const struct nt_resolver *r, const struct nt_field *f, size_t n,
			   const void *rec)
{
	struct nt_out *o = capture_start(NT_JSON);
	int valid;

	nt_json_begin(o, NULL);
	nt_fields_json(o, r, f, n, rec);
	nt_json_end(o);
	capture_end_jq(o, &valid);
	return valid ? capture_text : "(invalid JSON)";
}

static const char *field_json(enum nt_kind kind, size_t off, struct record *rec)
{
	struct nt_field f = { .name = "k", .kind = kind, .off = off };

	return json_of(&resolver, &f, 1, rec);
}

static const char *field_text(const char *name, const struct record *rec)
{
	static char buf[400];
	size_t i;

	for (i = 0; i < N_ALL && strcmp(ALL[i].name, name); i++)
		;
	return i < N_ALL ? nt_field_text(&resolver, &ALL[i], rec, buf, sizeof(buf)) : NULL;
}

static void test_json_all(void)
{
	struct record rec = sample();

	CHECK_STR(json_of(&resolver, ALL, N_ALL, &rec),
		  "{\"time\":\"2026-11-21T10:00:01.234567+00:00\",\"ts_ns\":1234567890,\"u8\":200,"
		  "\"u16\":65535,\"u32\":4294967295,\"u64\":18446744073709551615,\"i32\":-5,"
		  "\"i64\":-9223372036854775808,\"f64\":-1.5,\"yes\":true,\"latency_us\":12.345,"
		  "\"src_ip\":\"10.0.0.1\",\"src_port\":443,\"be16\":1,\"be32\":4294967294,"
		  "\"src_mac\":\"02:00:ab:00:00:01\",\"eth_type\":\"0x0800\",\"hex32\":\"0x1f\","
		  "\"hex64\":\"0xdeadbeefcafe\",\"comm\":\"0123456789abcdef\",\"str\":\"ab\\\"c\","
		  "\"cstr\":\"x,y\",\"protocol\":\"tcp\",\"ifname\":\"eth7.1\","
		  "\"reason\":\"NO_SOCKET\",\"location\":\"ovs_vport_receive [openvswitch]\","
		  "\"stack\":[\"tcp_v4_rcv+0x10\",\"ovs_vport_receive+0x1f [openvswitch]\","
		  "\"0x999\"],\"tcp_flags\":\"SYN|ACK\",\"payload_hex\":\"0001feff\","
		  "\"vlan\":[100],\"color\":\"blue\"}\n", "JSON of every kind");
}

static void test_json_odd(void)
{
	struct record rec = sample();
	struct nt_field sym = F("location", NT_K_KSYM, symbol, .arg = 1);

	CHECK_STR(json_of(&resolver, &sym, 1, &rec),
		  "{\"location\":\"ovs_vport_receive+0x1f [openvswitch]\"}\n",
		  "offset if asked for");
	rec.symbol = 0xffffffff81000000ULL;
	CHECK_STR(json_of(&resolver, &sym, 1, &rec), "{\"location\":\"0xffffffff81000000\"}\n",
		  "address without a symbol");
	rec.ifindex = 2;
	CHECK_STR(field_json(NT_K_IFINDEX, offsetof(struct record, ifindex), &rec),
		  "{\"k\":\"a\\u001bb\"}\n", "control character in an interface name");
	rec.ifindex = 77;
	CHECK_STR(field_json(NT_K_IFINDEX, offsetof(struct record, ifindex), &rec),
		  "{\"k\":\"if77\"}\n", "interface without a name");
	rec.reason = 93;
	CHECK_STR(field_json(NT_K_REASON, offsetof(struct record, reason), &rec),
		  "{\"k\":\"reason_93\"}\n", "reason without a name");
	rec.u16 = 11;
	CHECK_STR(field_json(NT_K_ERRNO, offsetof(struct record, u16), &rec), "{\"k\":\"EAGAIN\"}\n", "an error's name");
	rec.u16 = 512;
	CHECK_STR(field_json(NT_K_ERRNO, offsetof(struct record, u16), &rec), "{\"k\":\"EINTR\"}\n", "ERESTARTSYS");
	rec.u16 = 999;
	CHECK_STR(field_json(NT_K_ERRNO, offsetof(struct record, u16), &rec), "{\"k\":999}\n", "error without a name");
	rec.proto = 253;
	CHECK_STR(field_json(NT_K_PROTO, offsetof(struct record, proto), &rec), "{\"k\":253}\n",
		  "protocol without a name is a number");
	rec.cstr = NULL;
	CHECK_STR(field_json(NT_K_CSTR, offsetof(struct record, cstr), &rec), "{\"k\":null}\n",
		  "no string is null");
	rec.f64 = NAN;
	CHECK_STR(field_json(NT_K_F64, offsetof(struct record, f64), &rec), "{\"k\":null}\n",
		  "no number is null");
	rec.flags = 0;
	CHECK_STR(field_json(NT_K_TCPFLAGS, offsetof(struct record, flags), &rec), "{\"k\":\"\"}\n",
		  "no TCP flags");
	rec.yes = 0;
	CHECK_STR(field_json(NT_K_BOOL8, offsetof(struct record, yes), &rec), "{\"k\":false}\n",
		  "false");
	memset(rec.comm, 0xff, sizeof(rec.comm));
	CHECK(strstr(field_json(NT_K_COMM, offsetof(struct record, comm), &rec),
		     "\"\\u00ff\\u00ff"),
	      "comm that is no UTF-8");
	memset(rec.addr, 0, sizeof(rec.addr));
	CHECK_STR(field_json(NT_K_ADDR, offsetof(struct record, addr), &rec), "{\"k\":\"::\"}\n",
		  "zero address");
	rec.ns = 1000;
	CHECK_STR(field_json(NT_K_NS_AS_US, offsetof(struct record, ns), &rec), "{\"k\":1}\n",
		  "whole us");
	rec.ns = 20;
	CHECK_STR(field_json(NT_K_NS_AS_US, offsetof(struct record, ns), &rec), "{\"k\":0.02}\n",
		  "20 ns");
	rec.ns = UINT64_MAX;
	CHECK_STR(field_json(NT_K_NS_AS_US, offsetof(struct record, ns), &rec),
		  "{\"k\":18446744073709551.615}\n", "longest time is exact");
}

static void test_json_enum_arrays(void)
{
	struct record rec = sample();
	struct nt_field color = F("c", NT_K_ENUM, color, .names = "red|green|blue");
	struct nt_field vlan = F("v", NT_K_VLANS, vlan, .arg = 2);
	struct nt_field stack = F("s", NT_K_STACK, stack, .arg = 2);

	rec.color = 0;
	CHECK_STR(json_of(NULL, &color, 1, &rec), "{\"c\":\"red\"}\n", "first name");
	rec.color = 3;
	CHECK_STR(json_of(NULL, &color, 1, &rec), "{\"c\":3}\n", "beyond the names: number");
	rec.vlan[1] = 0;
	CHECK_STR(json_of(NULL, &vlan, 1, &rec), "{\"v\":[100,0]}\n", "two tags, the array full");
	rec.vlan[0] = 0xffff;
	CHECK_STR(json_of(NULL, &vlan, 1, &rec), "{\"v\":[]}\n", "no tags");
	CHECK_STR(json_of(NULL, &stack, 1, &rec), "{\"s\":[\"0x110\",\"0x21f\"]}\n",
		  "full stack without a resolver");
	rec.stack[0] = 0;
	CHECK_STR(json_of(NULL, &stack, 1, &rec), "{\"s\":[]}\n", "empty stack");
}

static void test_json_times(void)
{
	static const struct nt_field TS[] = {
		F(NULL, NT_K_TS, ts), F("first_ns", NT_K_TS, u64), F("last_time", NT_K_TS, ns),
	};
	struct record rec = { .ts = 1000000000, .u64 = 2000000000, .ns = 3000000000 };

	CHECK_STR(json_of(&resolver, TS, 3, &rec),
		  "{\"time\":\"2026-11-21T10:00:01.000000+00:00\",\"ts_ns\":1000000000,"
		  "\"first_time\":\"2026-11-21T10:00:02.000000+00:00\",\"first_ns\":2000000000,"
		  "\"last_time\":\"2026-11-21T10:00:03.000000+00:00\",\"last_ns\":3000000000}\n",
		  "several times have names of their own");
	CHECK_STR(json_of(NULL, TS, 1, &rec), "{\"ts_ns\":1000000000}\n", "no clock: ts_ns alone");
}

static void test_nonzero(void)
{
	struct nt_field f[N_ALL];
	struct record rec = { .vlan = { 0xffff, 0xffff } };
	size_t i;

	for (i = 0; i < N_ALL; i++) {
		f[i] = ALL[i];
		f[i].flags |= NT_F_IF_NONZERO;
	}
	CHECK_STR(json_of(&resolver, f, N_ALL, &rec), "{}\n", "every kind is left out when zero");
	rec.cstr = "";
	rec.vlan[0] = 0;
	rec.f64 = -0.0;
	CHECK_STR(json_of(&resolver, f, N_ALL, &rec), "{\"vlan\":[0]}\n",
		  "id 0 is a tag; minus zero and an empty string are zero");
	rec = sample();
	CHECK(strlen(json_of(&resolver, f, N_ALL, &rec)) > 600, "and stays when not");
	rec.addr[12] = rec.addr[15] = 0;
	CHECK(strstr(json_of(&resolver, f, N_ALL, &rec), "\"src_ip\":\"0.0.0.0\""),
	      "IPv4 any is not zero");
}

static void test_masks_and_flags(void)
{
	static const struct nt_field M[] = {
		F("a", NT_K_U8, u8, .has_off = offsetof(struct record, has), .has_mask = 1),
		F("b", NT_K_U8, u8, .has_off = offsetof(struct record, has), .has_mask = 2),
		F("c", NT_K_U8, u8, .has_off = offsetof(struct record, has), .has_mask = 3),
		F("d", NT_K_U8, u8, .flags = NT_F_NO_JSON),
		F("e", NT_K_U8, u8, .flags = NT_F_NO_TEXT),
	};
	struct record rec = { .u8 = 9, .has = 1 };
	struct nt_stream *s;
	struct nt_out *o;
	char buf[20];

	CHECK_STR(json_of(NULL, M, 5, &rec), "{\"a\":9,\"c\":9,\"e\":9}\n", "masks in JSON");
	rec.has = 0;
	CHECK_STR(json_of(NULL, M, 5, &rec), "{\"e\":9}\n", "none of the masked ones");
	rec.has = 2;
	CHECK_STR(nt_field_text(NULL, &M[0], &rec, buf, sizeof(buf)), "-", "absent in text");
	CHECK_STR(nt_field_text(NULL, &M[1], &rec, buf, sizeof(buf)), "9", "present in text");
	o = capture_start(NT_CSV);
	nt_stream_new(&s, o, NULL, M, 5);
	nt_stream_event(s, &rec);
	nt_stream_free(s);
	CHECK_STR(capture_end(o), "a,b,c,e\n,9,9,9\n", "masks in CSV");
	o = capture_start(NT_TEXT);
	nt_stream_new(&s, o, NULL, M, 5);
	nt_stream_event(s, &rec);
	nt_stream_free(s);
	CHECK_STR(capture_end(o), "  a    b    c    d\n  -    9    9    9\n", "masks in text");
}

static void test_text_values(void)
{
	static const struct { const char *name, *want; } T[] = {
		{ "time", "10:00:01.234" }, { "u8", "200" }, { "u64", "18446744073709551615" },
		{ "i32", "-5" }, { "i64", "-9223372036854775808" }, { "f64", "-1.50" },
		{ "yes", "yes" }, { "latency_us", "12.3 us" }, { "src_ip", "10.0.0.1" },
		{ "src_port", "443" }, { "be32", "4294967294" },
		{ "src_mac", "02:00:ab:00:00:01" }, { "eth_type", "0x0800" },
		{ "hex64", "0xdeadbeefcafe" }, { "comm", "0123456789abcdef" },
		{ "str", "ab\"c" }, { "cstr", "x,y" }, { "protocol", "tcp" },
		{ "ifname", "eth7.1" }, { "reason", "NO_SOCKET" },
		{ "location", "ovs_vport_receive [openvswitch]" }, { "tcp_flags", "SYN|ACK" },
		{ "payload_hex", "0001feff" }, { "vlan", "100" }, { "color", "blue" },
		{ "stack", "    tcp_v4_rcv+0x10\n    ovs_vport_receive+0x1f [openvswitch]\n"
			   "    0x999" },
	};
	struct nt_field group = F("n", NT_K_I64, i64, .flags = NT_F_GROUP);
	struct nt_field f64 = F("n", NT_K_F64, f64, .flags = NT_F_GROUP, .decimals = 1);
	struct record rec = sample();
	char buf[40];
	size_t i;

	for (i = 0; i < sizeof(T) / sizeof(T[0]); i++)
		CHECK_STR(field_text(T[i].name, &rec), T[i].want, T[i].name);
	CHECK_STR(nt_field_text(NULL, &group, &rec, buf, sizeof(buf)),
		  "-9,223,372,036,854,775,808", "grouped");
	rec.f64 = 1234567.89;
	CHECK_STR(nt_field_text(NULL, &f64, &rec, buf, sizeof(buf)), "1,234,567.9",
		  "grouped with decimals");
	rec.f64 = INFINITY;
	CHECK_STR(field_text("f64", &rec), "-", "infinity");
	rec.ifindex = 2;
	CHECK_STR(field_text("ifname", &rec), "a\\x1bb", "escaped name");
	memcpy(rec.comm, "a\nb\0", 4);
	CHECK_STR(field_text("comm", &rec), "a\\x0ab", "escaped comm");
	rec.str[0] = 0;
	CHECK_STR(field_text("str", &rec), "-", "empty string");
	rec.cstr = NULL;
	CHECK_STR(field_text("cstr", &rec), "-", "no string");
	rec.vlan[0] = 5;
	rec.vlan[1] = 6;
	CHECK_STR(field_text("vlan", &rec), "5.6", "two tags");
	CHECK_STR(nt_field_text(NULL, &ALL[0], &rec, buf, sizeof(buf)), "1.234568",
		  "time without a clock");
	CHECK_STR(nt_field_text(NULL, &ALL[10], &rec, buf, 5), "10.0", "cut to the buffer");
}

static void test_csv(void)
{
	struct record rec = sample();
	struct nt_stream *s;
	struct nt_out *o = capture_start(NT_CSV);

	nt_stream_new(&s, o, &resolver, ALL, N_ALL);
	nt_stream_event(s, &rec);
	nt_stream_free(s);
	CHECK_STR(capture_end(o),
		  "time,ts_ns,u8,u16,u32,u64,i32,i64,f64,yes,latency_us,src_ip,src_port,be16,be32,"
		  "src_mac,eth_type,hex32,hex64,comm,str,cstr,protocol,ifname,reason,location,"
		  "stack,tcp_flags,payload_hex,vlan,color\n"
		  "2026-11-21T10:00:01.234567+00:00,1234567890,200,65535,4294967295,"
		  "18446744073709551615,-5,-9223372036854775808,-1.5,true,12.345,10.0.0.1,443,1,"
		  "4294967294,02:00:ab:00:00:01,0x0800,0x1f,0xdeadbeefcafe,0123456789abcdef,"
		  "\"ab\"\"c\",\"x,y\",tcp,eth7.1,NO_SOCKET,ovs_vport_receive [openvswitch],"
		  "tcp_v4_rcv+0x10;ovs_vport_receive+0x1f [openvswitch];0x999,SYN|ACK,0001feff,"
		  "100,blue\n", "CSV of every kind");
}

static void test_csv_quoting(void)
{
	static const struct nt_field Q[] = {
		F("a,b", NT_K_CSTR, cstr), F("v", NT_K_VLANS, vlan, .arg = 2), F("t", NT_K_TS, ts),
	};
	struct record rec = { .cstr = "\"", .vlan = { 1, 2 }, .ts = 5 };
	struct nt_out *o = capture_start(NT_CSV);
	char big[2000];
	struct nt_stream *s;

	nt_stream_new(&s, o, NULL, Q, 3);
	nt_stream_event(s, &rec);
	rec.cstr = "line\nbreak";
	nt_stream_event(s, &rec);
	rec.cstr = NULL;
	nt_stream_event(s, &rec);
	CHECK_STR(capture_flushed(o), "\"a,b\",v,t_time,t_ns\n\"\"\"\",1;2,,5\n"
		  "line\\x0abreak,1;2,,5\n,1;2,,5\n", "quotes, control characters, no clock");
	unlink(capture_path);
	nt_out_reopen(o);
	memset(big, '"', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	rec.cstr = big;
	nt_stream_event(s, &rec);
	capture_flushed(o);
	CHECK(!strncmp(capture_text, "\"a,b\",v,", 8), "a new file gets the header");
	CHECK_U64(strlen(capture_text), 20 + 2 * (sizeof(big) - 1) + 2 + 8, "long quoted cell");
	nt_stream_free(s);
	capture_end(o);
}

static void test_unaligned(void)
{
	char space[sizeof(struct record) + 1];
	struct record rec = sample();

	memcpy(space + 1, &rec, sizeof(rec));
	CHECK(strlen(json_of(&resolver, ALL, N_ALL, space + 1)) > 600, "unaligned record");
}

int main(void)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	test_json_all();
	test_json_odd();
	test_json_enum_arrays();
	test_json_times();
	test_nonzero();
	test_masks_and_flags();
	test_text_values();
	test_csv();
	test_csv_quoting();
	test_unaligned();
	return check_done();
}
