/* SPDX-License-Identifier: GPL-2.0 */
/* A record with a member of every kind, its rows, and a resolver, for tests. */
#ifndef NETTRACE_TEST_RECORD_H
#define NETTRACE_TEST_RECORD_H

#include <arpa/inet.h>
#include <stddef.h>

#include "nettrace/out.h"

struct record {
	uint64_t ts;
	uint8_t u8, proto, flags, yes;
	uint16_t u16, port, be16, eth_type;
	uint32_t u32, be32, ifindex, netns, reason, color, hex32;
	int32_t i32;
	int64_t i64;
	uint64_t u64, ns, hex64, symbol;
	double f64;
	uint8_t addr[16], mac[6];
	char comm[16], str[8];
	const char *cstr;
	uint64_t stack[4];
	uint8_t bytes[4];
	uint16_t vlan[2];
	uint32_t has;
};

#define F(n, k, m, ...) { .name = n, .kind = k, .off = offsetof(struct record, m), __VA_ARGS__ }

static const struct nt_field ALL[] = {
	F("time", NT_K_TS, ts),
	F("u8", NT_K_U8, u8),
	F("u16", NT_K_U16, u16),
	F("u32", NT_K_U32, u32),
	F("u64", NT_K_U64, u64),
	F("i32", NT_K_I32, i32),
	F("i64", NT_K_I64, i64),
	F("f64", NT_K_F64, f64, .decimals = 2),
	F("yes", NT_K_BOOL8, yes),
	F("latency_us", NT_K_NS_AS_US, ns),
	F("src_ip", NT_K_ADDR, addr),
	F("src_port", NT_K_PORT, port),
	F("be16", NT_K_BE16, be16),
	F("be32", NT_K_BE32, be32),
	F("src_mac", NT_K_MAC, mac),
	F("eth_type", NT_K_ETHTYPE, eth_type),
	F("hex32", NT_K_HEX32, hex32),
	F("hex64", NT_K_HEX64, hex64),
	F("comm", NT_K_COMM, comm),
	F("str", NT_K_STR, str, .arg = 8),
	F("cstr", NT_K_CSTR, cstr),
	F("protocol", NT_K_PROTO, proto),
	F("ifname", NT_K_IFINDEX, ifindex, .arg = offsetof(struct record, netns)),
	F("reason", NT_K_REASON, reason),
	F("location", NT_K_KSYM, symbol),
	F("stack", NT_K_STACK, stack, .arg = 4),
	F("tcp_flags", NT_K_TCPFLAGS, flags),
	F("payload_hex", NT_K_HEXBYTES, bytes, .arg = 4),
	F("vlan", NT_K_VLANS, vlan, .arg = 2),
	F("color", NT_K_ENUM, color, .names = "red|green|blue"),
};
#define N_ALL (sizeof(ALL) / sizeof(ALL[0]))

static const char *r_ifname(void *ctx, uint32_t netns, uint32_t ifindex)
{
	static char name[40];

	(void)ctx;
	if (ifindex > 2)
		return NULL;
	if (ifindex == 2)
		return "a\033b";
	snprintf(name, sizeof(name), "eth%u.%u", netns, ifindex);
	return name;
}

static const char *r_reason(void *ctx, uint32_t id)
{
	(void)ctx;
	return id == 5 ? "NO_SOCKET" : NULL;
}

static const char *r_ksym(void *ctx, uint64_t address, uint64_t *offset)
{
	(void)ctx;
	*offset = address & 0xff;
	switch (address >> 8) {
	case 1:
		return "tcp_v4_rcv";
	case 2:
		return "ovs_vport_receive [openvswitch]";
	default:
		return NULL;
	}
}

static uint64_t r_realtime(void *ctx, uint64_t mono)
{
	return mono + *(uint64_t *)ctx;
}

static uint64_t boot_ns = 1795255200000000000ULL;	/* 2026-11-21 10:00:00 UTC */
static const struct nt_resolver resolver = {
	.ctx = &boot_ns, .ifname = r_ifname, .reason = r_reason, .ksym = r_ksym,
	.realtime = r_realtime,
};

static inline struct record sample(void)
{
	return (struct record){
		.ts = 1234567890, .u8 = 200, .proto = 6, .flags = 0x12, .yes = 1, .u16 = 65535,
		.port = htons(443), .be16 = htons(1), .eth_type = htons(0x0800),
		.u32 = 4294967295u, .be32 = htonl(0xfffffffe), .ifindex = 1, .netns = 7,
		.reason = 5, .color = 2, .hex32 = 0x1f, .i32 = -5, .i64 = INT64_MIN,
		.u64 = UINT64_MAX, .ns = 12345, .hex64 = 0xdeadbeefcafeULL, .symbol = 0x21f,
		.f64 = -1.5, .addr = { [10] = 255, 255, 10, 0, 0, 1 },
		.mac = { 2, 0, 0xab, 0, 0, 1 }, .comm = "0123456789abcdef", .str = "ab\"c",
		.cstr = "x,y", .stack = { 0x110, 0x21f, 0x999 }, .bytes = { 0, 1, 0xfe, 0xff },
		.vlan = { 100, 0xffff }, .has = 1,
	};
}

#endif
