/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Values of options: from text to the row's type. Every parser takes the whole
 * text or nothing, and writes its result only when all of it is right.
 */
#include "nettrace/options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NS_PER_S	1000000000ull
#define DURATION_MAX_S	18446744073.0	/* whole seconds in 64 bits of ns */

struct name_value {
	const char *name;
	uint32_t value;
};

static const struct name_value protos[] = {
	{ "all", NT_PROTO_ALL }, { "icmp", 1 }, { "igmp", 2 }, { "tcp", 6 }, { "udp", 17 },
	{ "gre", 47 }, { "esp", 50 }, { "ah", 51 }, { "icmpv6", 58 }, { "sctp", 132 },
	{ "udplite", 136 },
};

static const struct name_value ethertypes[] = {
	{ "all", NT_ETHERTYPE_ALL }, { "arp", 0x0806 }, { "rarp", 0x8035 }, { "ipv4", 0x0800 },
	{ "ipv6", 0x86dd }, { "lldp", 0x88cc }, { "flow_control", 0x8808 },
	{ "other", NT_ETHERTYPE_OTHER },
};

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static const struct name_value *by_name(const struct name_value *t, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(t[i].name, name))
			return &t[i];
	return NULL;
}

static const char *name_of(const struct name_value *t, size_t n, uint32_t value)
{
	for (size_t i = 0; i < n; i++)
		if (t[i].value == value)
			return t[i].name;
	return NULL;
}

const char *nt_opt_proto_name(uint32_t proto)
{
	return name_of(protos, N_OF(protos), proto);
}

const char *nt_opt_ethertype_name(uint32_t type)
{
	return name_of(ethertypes, N_OF(ethertypes), type);
}

bool nt_opt_next_word(const char **list, const char **word, size_t *len)
{
	if (!*list)
		return false;
	*word = *list;
	*len = strcspn(*list, "|");
	*list = (*word)[*len] ? *word + *len + 1 : NULL;
	return true;
}

/*
 * The first len characters as a number without a sign. A leading zero means
 * nothing (nobody means octal); -ERANGE if it does not fit.
 */
static int scan_u64(const char *s, size_t len, unsigned int base, uint64_t *out)
{
	uint64_t v = 0;
	int rc = 0;

	if (!len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		unsigned int digit;

		if (isdigit(c))
			digit = c - '0';
		else if (base == 16 && isxdigit(c))
			digit = (unsigned int)tolower(c) - 'a' + 10;
		else
			return -EINVAL;
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)digit, &v))
			rc = -ERANGE;	/* but go on: junk behind it is -EINVAL */
	}
	if (!rc)
		*out = v;
	return rc;
}

/* Decimal or 0x; a negative one is a number out of range, not a mistyped one. */
static int scan_whole(const char *text, uint64_t *out)
{
	bool minus = text[0] == '-';
	bool hex;
	int rc;

	text += minus;
	hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	text += hex ? 2 : 0;
	rc = scan_u64(text, strlen(text), hex ? 16 : 10, out);
	return !rc && minus ? -ERANGE : rc;
}

/*
 * Only [-]DIGITS[.DIGITS][e[+-]DIGITS]: strtod() alone would also take
 * blanks, hexadecimal, "inf" and "nan".
 */
static int scan_real(const char *text, double *out)
{
	const char *s = text + (text[0] == '-');
	size_t whole = strspn(s, "0123456789"), frac = 0;
	char *end;
	double v;

	s += whole;
	if (*s == '.') {
		frac = strspn(s + 1, "0123456789");
		s += 1 + frac;
	}
	if (!whole && !frac)
		return -EINVAL;
	if (*s == 'e' || *s == 'E') {
		s += 1 + (s[1] == '+' || s[1] == '-');
		if (!isdigit((unsigned char)*s))
			return -EINVAL;
		s += strspn(s, "0123456789");
	}
	v = strtod(text, &end);
	if (*s || *end)
		return -EINVAL;
	if (!isfinite(v))
		return -ERANGE;
	*out = v;
	return 0;
}

/* Both limits 0: any value up to type_max; only a lower one: no upper one. */
static int check_range(double v, double min, double max, double type_min, double type_max)
{
	if (!min && !max) {
		min = type_min;
		max = type_max;
	} else if (!max && min > 0) {
		max = type_max;
	}
	if (v < min || v > max || v < type_min || v > type_max)
		return -ERANGE;
	return 0;
}

static int scan_duration(const char *text, double min_s, double max_s, uint64_t *out_ns)
{
	uint64_t whole, ns;
	double v;
	int rc = scan_real(text, &v);

	if (!rc)
		rc = check_range(v, min_s, max_s, 0, DURATION_MAX_S);
	if (rc)
		return rc;
	/* Apart, so that whole seconds stay exact. */
	whole = (uint64_t)v;
	ns = whole * NS_PER_S + (uint64_t)((v - (double)whole) * (double)NS_PER_S + 0.5);
	/* 0 means something else than "very short" to most tools. */
	*out_ns = ns || v <= 0 ? ns : 1;
	return 0;
}

int nt_parse_duration(const char *text, double min_s, double max_s, uint64_t *out_ns)
{
	return scan_duration(text, min_s, max_s, out_ns) ? -EINVAL : 0;
}

static int scan_size(const char *text, uint64_t *out)
{
	static const char suffix[] = "KMG";
	bool minus = text[0] == '-';
	size_t len = strlen(text += minus);
	const char *at = len ? strchr(suffix, toupper((unsigned char)text[len - 1])) : NULL;
	uint64_t v, unit = 1;
	int rc;

	if (at)
		unit <<= 10 * (at - suffix + 1);
	rc = scan_u64(text, len - (at ? 1 : 0), 10, &v);
	if (!rc && (minus || __builtin_mul_overflow(v, unit, &v)))
		rc = -ERANGE;
	if (!rc)
		*out = v;
	return rc;
}

int nt_parse_size(const char *text, uint64_t *out_bytes)
{
	return scan_size(text, out_bytes) ? -EINVAL : 0;
}

/* Length behind the '/'; NULL: none given. */
static int scan_prefix_len(const char *text, unsigned int max, unsigned int *out)
{
	uint64_t v = max;

	if (text && (strlen(text) > 3 || (text[0] == '0' && text[1]) ||
		     scan_u64(text, strlen(text), 10, &v) || v > max))
		return -EINVAL;
	*out = (unsigned int)v;
	return 0;
}

int nt_parse_prefix(const char *text, struct nt_prefix *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct nt_prefix p = { .set = true };
	char addr[INET6_ADDRSTRLEN];
	unsigned int len;

	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (inet_pton(AF_INET, addr, p.addr + 12) == 1) {
		memcpy(p.addr, mapped, sizeof(mapped));
		if (scan_prefix_len(slash ? slash + 1 : NULL, 32, &len))
			return -EINVAL;
		len += 96;
	} else if (inet_pton(AF_INET6, addr, p.addr) != 1 ||
		   scan_prefix_len(slash ? slash + 1 : NULL, 128, &len)) {
		return -EINVAL;
	}
	/* ::ffff:0:0/90 holds more than IPv4, so that one is not IPv4. */
	p.is_v4 = len >= 96 && !memcmp(p.addr, mapped, sizeof(mapped));
	p.len = (uint8_t)len;
	for (unsigned int bit = len; bit < 128; bit++)
		p.addr[bit / 8] &= (uint8_t)~(0x80u >> (bit % 8));
	*out = p;
	return 0;
}

int nt_parse_ports(const char *text, struct nt_ports *out)
{
	size_t n = strcspn(text, "-");
	uint64_t low, high;

	if (scan_u64(text, n, 10, &low))
		return -EINVAL;
	high = low;
	if (text[n] && scan_u64(text + n + 1, strlen(text + n + 1), 10, &high))
		return -EINVAL;
	if (low < 1 || high > 65535 || low > high)
		return -EINVAL;
	*out = (struct nt_ports){ .low = (uint16_t)low, .high = (uint16_t)high, .set = true };
	return 0;
}

static bool ifname_ok(const char *s)
{
	size_t n = strlen(s);

	if (n < 1 || n > 15 || !strcmp(s, ".") || !strcmp(s, ".."))
		return false;
	for (; *s; s++)	/* what the kernel refuses, and control characters */
		if (*s == '/' || *s == ':' || (unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

static bool cpus_ok(const char *s)
{
	size_t n = strcspn(s, "-");
	uint64_t low, high;

	if (scan_u64(s, n, 10, &low))
		return false;
	high = low;
	if (s[n] && scan_u64(s + n + 1, strlen(s + n + 1), 10, &high))
		return false;
	return low <= high && high <= 65535;
}

static bool word_ok(const char *s)
{
	return *s != '\0';
}

static int parse_list(const char *text, bool (*item_ok)(const char *s), struct nt_strlist *out,
		      struct nt_arena *a)
{
	size_t size = strlen(text) + 1, n = 1, i = 0;
	const char **item;
	char *copy, *next;

	for (const char *s = text; *s; s++)
		n += *s == ',';
	item = nt_arena_alloc(a, n * sizeof(*item));
	copy = nt_arena_alloc(a, size);
	if (!item || !copy)
		return -ENOMEM;
	memcpy(copy, text, size);
	for (next = copy; next; i++) {
		item[i] = strsep(&next, ",");
		if (!item_ok(item[i]))
			return -EINVAL;
	}
	*out = (struct nt_strlist){ .item = item, .n = n };
	return 0;
}

static int parse_u32(const struct nt_opt *row, const char *text, uint32_t *out)
{
	uint64_t v;
	int rc = scan_whole(text, &v);

	if (!rc)
		rc = check_range((double)v, row->min, row->max, 0, UINT32_MAX);
	if (!rc)
		*out = (uint32_t)v;
	return rc;
}

static int parse_pid(const char *text, uint32_t *out)
{
	bool minus = text[0] == '-';
	uint64_t v;
	int rc = scan_u64(text + minus, strlen(text + minus), 10, &v);

	if (!rc && (minus || v < 1 || v > UINT32_MAX))
		rc = -ERANGE;
	if (!rc)
		*out = (uint32_t)v;
	return rc;
}

static int parse_float(const struct nt_opt *row, const char *text, double *out)
{
	double v;
	int rc = scan_real(text, &v);

	if (!rc)
		rc = check_range(v, row->min, row->max, -HUGE_VAL, HUGE_VAL);
	if (!rc)
		*out = v;
	return rc;
}

static int parse_size(const struct nt_opt *row, const char *text, uint64_t *out)
{
	uint64_t v;
	int rc = scan_size(text, &v);

	if (!rc)
		rc = check_range((double)v, row->min, row->max, 0, HUGE_VAL);
	if (!rc)
		*out = v;
	return rc;
}

static int parse_enum(const struct nt_opt *row, const char *text, uint32_t *out)
{
	const char *list = row->choices, *word;
	uint32_t i = 0, found = UINT32_MAX;
	size_t len, n = strlen(text);

	for (; nt_opt_next_word(&list, &word, &len); i++) {
		if (len != n || strncasecmp(word, text, n))
			continue;
		if (found == UINT32_MAX || !strncmp(word, text, n))
			found = i;	/* words that differ in case only: the exact one */
	}
	if (found == UINT32_MAX)
		return -EINVAL;
	*out = found;
	return 0;
}

static int parse_proto(const char *text, uint32_t *out)
{
	const struct name_value *known = by_name(protos, N_OF(protos), text);
	uint64_t v = 0;
	int rc = known ? 0 : scan_whole(text, &v);

	if (!rc && v > 255)
		rc = -ERANGE;
	if (!rc)
		*out = known ? known->value : (uint32_t)v;
	return rc;
}

static int parse_ethertype(const char *text, uint32_t *out)
{
	const struct name_value *known = by_name(ethertypes, N_OF(ethertypes), text);
	size_t len = strlen(text);
	uint64_t v = 0;

	if (!known && !strcasecmp(text, "flow-control"))
		known = by_name(ethertypes, N_OF(ethertypes), "flow_control");
	/* Decimal would be guesswork: 800 is more likely 0x0800 than 0x0320. */
	if (!known && (len < 3 || len > 6 || strncasecmp(text, "0x", 2) ||
		       scan_u64(text + 2, len - 2, 16, &v)))
		return -EINVAL;
	*out = known ? known->value : (uint32_t)v;
	return 0;
}

static int parse_flag(const char *text, bool *out)
{
	bool on = !strcasecmp(text, "true");

	if (!on && strcasecmp(text, "false"))
		return -EINVAL;
	*out = on;
	return 0;
}

int nt_opt_parse_value(const struct nt_opt *row, const char *text, void *out, struct nt_arena *a)
{
	switch (row->type) {
	case NT_OPT_FLAG:
		return parse_flag(text, out);
	case NT_OPT_U32:
		return parse_u32(row, text, out);
	case NT_OPT_FLOAT:
		return parse_float(row, text, out);
	case NT_OPT_DURATION:
		return scan_duration(text, row->min, row->max, out);
	case NT_OPT_SIZE:
		return parse_size(row, text, out);
	case NT_OPT_PREFIX:
		return nt_parse_prefix(text, out);
	case NT_OPT_PORTS:
		if ((row->flags & NT_OPT_ZERO_IS_ANY) && !strcmp(text, "0")) {
			memset(out, 0, sizeof(struct nt_ports));
			return 0;
		}
		return nt_parse_ports(text, out);
	case NT_OPT_IFNAMES:
		return parse_list(text, ifname_ok, out, a);
	case NT_OPT_ENUM:
		return parse_enum(row, text, out);
	case NT_OPT_PROTO:
		return parse_proto(text, out);
	case NT_OPT_ETHERTYPE:
		return parse_ethertype(text, out);
	case NT_OPT_CPUS:
		return parse_list(text, cpus_ok, out, a);
	case NT_OPT_PID:
		return parse_pid(text, out);
	case NT_OPT_STRING:
		*(const char **)out = text;
		return 0;
	case NT_OPT_STRLIST:
		return parse_list(text, word_ok, out, a);
	}
	return -EINVAL;
}

bool nt_strlist_has(const struct nt_strlist *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->item[i], s))
			return true;
	return false;
}
