/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers, times and names as text. No printf where events pass: a line of 25
 * values has to cost a few microseconds.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "out_priv.h"

#define NSEC_PER_SEC 1000000000ULL

/* ---- numbers ---- */

char *nt_put_u64(char *p, uint64_t v)
{
	char digits[20];
	unsigned int i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	memcpy(p, digits + i, sizeof(digits) - i);
	return p + sizeof(digits) - i;
}

char *nt_put_i64(char *p, int64_t v)
{
	if (v >= 0)
		return nt_put_u64(p, (uint64_t)v);
	*p++ = '-';
	return nt_put_u64(p, -(uint64_t)v);
}

/* Exactly n digits, with leading zeros. */
static char *put_padded(char *p, uint64_t v, unsigned int n)
{
	unsigned int i;

	for (i = n; i--; v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + n;
}

char *nt_put_group(char *p, uint64_t v)
{
	char digits[20];
	size_t i, n = (size_t)(nt_put_u64(digits, v) - digits);

	for (i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	return p;
}

char *nt_put_hex(char *p, uint64_t v, int digits)
{
	int i, n = digits;

	if (!n) {
		for (n = 1; n < 16 && v >> (4 * n); n++)
			;
	}
	for (i = n; i--; v >>= 4)
		p[i] = "0123456789abcdef"[v & 15];
	return p + n;
}

char *nt_put_hexbytes(char *p, const uint8_t *b, size_t n, char sep)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (i && sep)
			*p++ = sep;
		p = nt_put_hex(p, b[i], 2);
	}
	return p;
}

char *nt_put_f64(char *p, double v, int decimals, bool trim, bool group)
{
	static const uint64_t pow10[] = {
		1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000
	};
	double scaled;
	uint64_t n, frac;

	if (decimals < 0)
		decimals = 0;
	if (decimals > 9)
		decimals = 9;
	scaled = __builtin_fabs(v) * (double)pow10[decimals] + 0.5;
	if (!(scaled < 4503599627370496.0))	/* 2^52: from here on a double has no halves */
		return p + snprintf(p, NT_NUM_ROOM, "%.17g", v);
	n = (uint64_t)scaled;
	if (v < 0 && n)
		*p++ = '-';
	p = (group ? nt_put_group : nt_put_u64)(p, n / pow10[decimals]);
	frac = n % pow10[decimals];
	if (trim) {
		for (; decimals && frac % 10 == 0; decimals--)
			frac /= 10;
	}
	if (!decimals)
		return p;
	*p++ = '.';
	return put_padded(p, frac, (unsigned int)decimals);
}

char *nt_put_ns_as_us(char *p, uint64_t ns)
{
	unsigned int frac = (unsigned int)(ns % 1000), digits = 3;

	p = nt_put_u64(p, ns / 1000);
	if (!frac)
		return p;
	for (; frac % 10 == 0; digits--)
		frac /= 10;
	*p++ = '.';
	return put_padded(p, frac, digits);
}

/* ---- times ---- */

/* Broken-down local time is dear and the same for all events of a second. */
struct second {
	uint64_t sec;
	bool valid;
	char date[20];		/* 2026-11-21T10:00:00 */
	char zone[7];		/* +01:00 */
};

static const struct second *local_second(uint64_t sec)
{
	static _Thread_local struct second last;
	time_t t = (time_t)sec;
	char zone[8];
	struct tm tm;

	if (last.valid && last.sec == sec)
		return &last;
	if (!localtime_r(&t, &tm) ||
	    strftime(last.date, sizeof(last.date), "%Y-%m-%dT%H:%M:%S", &tm) != 19 ||
	    strftime(zone, sizeof(zone), "%z", &tm) != 5) {
		memcpy(last.date, "1970-01-01T00:00:00", sizeof(last.date));
		memcpy(zone, "+0000", 6);
	}
	memcpy(last.zone, zone, 3);
	last.zone[3] = ':';
	memcpy(last.zone + 4, zone + 3, 3);
	last.sec = sec;
	last.valid = true;
	return &last;
}

char *nt_put_time(char *p, uint64_t realtime_ns)
{
	const struct second *s = local_second(realtime_ns / NSEC_PER_SEC);

	memcpy(p, s->date, 19);
	p[19] = '.';
	p = put_padded(p + 20, realtime_ns % NSEC_PER_SEC / 1000, 6);
	memcpy(p, s->zone, 6);
	return p + 6;
}

char *nt_put_clock(char *p, uint64_t realtime_ns)
{
	const struct second *s = local_second(realtime_ns / NSEC_PER_SEC);

	memcpy(p, s->date + 11, 8);
	p[8] = '.';
	return put_padded(p + 9, realtime_ns % NSEC_PER_SEC / 1000000, 3);
}

/* ---- addresses ---- */

/* The longest run of at least two zero groups (the first of equals), as RFC 5952 wants it. */
static int longest_zero_run(const uint16_t g[8], int *len)
{
	int i, j, start = -1;

	*len = 1;
	for (i = 0; i < 8; i = j + 1) {
		for (j = i; j < 8 && !g[j]; j++)
			;
		if (j - i > *len) {
			start = i;
			*len = j - i;
		}
	}
	return start;
}

char *nt_put_addr(char *p, const uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint16_t g[8];
	int i, start, len;

	if (!memcmp(addr, mapped, sizeof(mapped))) {
		for (i = 12; i < 16; i++) {
			if (i > 12)
				*p++ = '.';
			p = nt_put_u64(p, addr[i]);
		}
		return p;
	}
	for (i = 0; i < 8; i++)
		g[i] = (uint16_t)(addr[2 * i] << 8 | addr[2 * i + 1]);
	start = longest_zero_run(g, &len);
	for (i = 0; i < 8; i++) {
		if (i == start) {
			*p++ = ':';
			*p++ = ':';
			i += len - 1;
			continue;
		}
		if (i && i != start + len)	/* without a run start + len is 0 */
			*p++ = ':';
		p = nt_put_hex(p, g[i], 0);
	}
	return p;
}

/* ---- characters ---- */

size_t nt_utf8_len(const unsigned char *s, size_t n)
{
	uint32_t c;
	size_t len, i;

	if (!n || s[0] < 0x20 || s[0] == 0x7f)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (len > n)
		return 0;
	c = s[0] & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	/* C1 controls drive terminals as well as C0 does; the rest is overlong forms, surrogates
	 * and what lies beyond Unicode. */
	if (c < 0xa0 || (len == 3 && c < 0x800) || (c >= 0xd800 && c <= 0xdfff) ||
	    (len == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return len;
}

const char *nt_fmt_escape(const char *s, size_t n, char *buf, size_t size)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t len, need, i = 0, at = 0;

	if (!size)
		return buf;
	n = s ? strnlen(s, n) : 0;
	for (; i < n; i += len, at += need) {
		len = nt_utf8_len(u + i, n - i);
		need = len ? len : 4;
		if (at + need >= size)
			break;	/* a character is never cut */
		if (len) {
			memcpy(buf + at, u + i, len);
			continue;
		}
		buf[at] = '\\';
		buf[at + 1] = 'x';
		nt_put_hex(buf + at + 2, u[i], 2);
		len = 1;
	}
	buf[at] = '\0';
	return buf;
}

/* ---- the public helpers ---- */

static const char *copy_out(char *buf, size_t size, const char *s, const char *end)
{
	size_t n = (size_t)(end - s);

	if (!size)
		return buf;
	if (n >= size)
		n = size - 1;
	memcpy(buf, s, n);
	buf[n] = '\0';
	return buf;
}

/* Three significant digits; a value that would round to 1000 takes the next unit. */
const char *nt_fmt_ns(uint64_t ns, char *buf, size_t size)
{
	static const char *const unit[] = { " ns", " us", " ms", " s" };
	char tmp[NT_NUM_ROOM], *p = tmp;
	uint64_t scale = 1;
	unsigned int u = 0;

	while (u < 3 && ns >= scale * 1000 - (u ? scale / 2 : 0)) {
		scale *= 1000;
		u++;
	}
	if (u == 0)
		p = nt_put_u64(p, ns);
	else if (ns < scale * 10 - scale / 200)
		p = nt_put_f64(p, (double)ns / (double)scale, 2, false, false);
	else if (ns < scale * 100 - scale / 20)
		p = nt_put_f64(p, (double)ns / (double)scale, 1, false, false);
	else
		p = nt_put_u64(p, ns / scale + (ns % scale >= scale / 2));
	memcpy(p, unit[u], strlen(unit[u]));
	return copy_out(buf, size, tmp, p + strlen(unit[u]));
}

const char *nt_fmt_count(uint64_t v, char *buf, size_t size)
{
	char tmp[NT_NUM_ROOM];

	return copy_out(buf, size, tmp, nt_put_group(tmp, v));
}

const char *nt_fmt_bytes(uint64_t v, char *buf, size_t size)
{
	static const char unit[][5] = { " B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB" };
	char tmp[NT_NUM_ROOM], *p;
	double d = (double)v;
	unsigned int u = 0;

	while (d >= (u ? 1023.95 : 1024.0) && u < 6) {
		d /= 1024;
		u++;
	}
	p = nt_put_f64(tmp, d, u ? 1 : 0, false, false);
	memcpy(p, unit[u], strlen(unit[u]));
	return copy_out(buf, size, tmp, p + strlen(unit[u]));
}

const char *nt_fmt_addr(const uint8_t addr[16], char *buf, size_t size)
{
	char tmp[NT_NUM_ROOM];

	return copy_out(buf, size, tmp, nt_put_addr(tmp, addr));
}

const char *nt_fmt_tcpflags(uint8_t flags, char *buf, size_t size)
{
	static const char name[8][4] = { "FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR" };
	char tmp[NT_NUM_ROOM], *p = tmp;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		if (!(flags >> i & 1))
			continue;
		if (p > tmp)
			*p++ = '|';
		memcpy(p, name[i], 3);
		p += 3;
	}
	if (p == tmp)
		*p++ = '-';
	return copy_out(buf, size, tmp, p);
}

const char *nt_errno_name(uint32_t error)
{
	if (error >= 512 && error <= 516)	/* ERESTARTSYS to ERESTART_RESTARTBLOCK, of linux/errno.h */
		return "EINTR";
	return error ? strerrorname_np((int)error) : NULL;
}

const char *nt_proto_name(uint8_t proto)
{
	static const char *const name[256] = {
		[1] = "icmp", [2] = "igmp", [4] = "ipip", [6] = "tcp", [17] = "udp",
		[33] = "dccp", [41] = "ipv6", [47] = "gre", [50] = "esp", [51] = "ah",
		[58] = "icmpv6", [89] = "ospf", [103] = "pim", [108] = "ipcomp",
		[112] = "vrrp", [115] = "l2tp", [132] = "sctp", [136] = "udplite",
	};

	return name[proto];
}
