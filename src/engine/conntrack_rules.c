/* SPDX-License-Identifier: GPL-2.0 */
/* Rules of a JSON file, and the bit sets by which the kernel side tests all of them at once. */
#include <bpf/bpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/conntrack.h"

/* ---- JSON, as far as rules need it: a list of objects of texts and numbers ---- */
struct reader {
	const char *p;
	unsigned int line;
	char *why;
	size_t size;
};

static int fail(struct reader *s, const char *what, const char *on)
{
	snprintf(s->why, s->size, "line %u: %s%s%s", s->line, what, on ? ": " : "", on ? on : "");
	return -EINVAL;
}

static char peek(struct reader *s)
{
	for (; *s->p && isspace((unsigned char)*s->p); s->p++)
		s->line += *s->p == '\n';
	return *s->p;
}

static bool take(struct reader *s, char c)
{
	if (peek(s) != c)
		return false;
	s->p++;
	return true;
}

/* A text without escapes: addresses and names have none. */
static int read_text(struct reader *s, char *buf, size_t size)
{
	size_t n;

	if (!take(s, '"'))
		return fail(s, "a text in quotes is missing", NULL);
	n = strcspn(s->p, "\"\\\n");
	if (s->p[n] != '"' || n >= size)
		return fail(s, "a text does not end, is too long or has escapes", NULL);
	memcpy(buf, s->p, n);
	buf[n] = '\0';
	s->p += n + 1;
	return 0;
}

/* A text, a number, or null, which is as an empty text. */
static int read_value(struct reader *s, char *buf, size_t size)
{
	size_t n;

	if (peek(s) == '"')
		return read_text(s, buf, size);
	n = strspn(s->p, "abcdefghijklmnopqrstuvwxyz0123456789.+-");
	if (!n || n >= size || (!isdigit((unsigned char)*s->p) && (n != 4 || strncmp(s->p, "null", 4))))
		return fail(s, "a value is neither a text nor a number", NULL);
	snprintf(buf, size, "%.*s", *s->p == 'n' ? 0 : (int)n, s->p);
	s->p += n;
	return 0;
}

static int set_port(struct reader *s, const char *text, uint16_t *port)
{
	struct nt_ports ports;

	if (!*text || !strcmp(text, "0"))
		return 0;
	if (nt_parse_ports(text, &ports) || ports.low != ports.high)
		return fail(s, "no port 0..65535", text);
	*port = ports.low;
	return 0;
}

static int set_prefix(struct reader *s, const char *text, struct nt_prefix *p)
{
	if (*text && nt_parse_prefix(text, p))
		return fail(s, "no address or prefix", text);
	return 0;
}

static int set_proto(struct reader *s, const char *text, uint32_t *proto)
{
	static const struct nt_opt row = { .name = "protocol", .type = NT_OPT_PROTO };
	struct nt_arena arena = { NULL };
	int rc = *text ? nt_opt_parse_value(&row, text, proto, &arena) : 0;

	nt_arena_free(&arena);
	return rc ? fail(s, "no protocol", text) : 0;
}

static int set(struct reader *s, struct nt_ct_rule *r, const char *key, const char *value)
{
	if (!strcmp(key, "src_ip"))
		return set_prefix(s, value, &r->src);
	if (!strcmp(key, "dst_ip"))
		return set_prefix(s, value, &r->dst);
	if (!strcmp(key, "protocol"))
		return set_proto(s, value, &r->proto);
	if (!strcmp(key, "src_port"))
		return set_port(s, value, &r->sport);
	if (!strcmp(key, "dst_port"))
		return set_port(s, value, &r->dport);
	return fail(s, "unknown member (src_ip, dst_ip, protocol, src_port, dst_port)", key);
}

static int read_rule(struct reader *s, struct nt_ct_rules *rules)
{
	struct nt_ct_rule *r = &rules->rule[rules->n];
	char key[64], value[64];

	if (rules->n == NT_CT_RULES_MAX)
		return fail(s, "more than 64 rules", NULL);
	if (!take(s, '{'))
		return fail(s, "a rule is no object", NULL);
	*r = (struct nt_ct_rule){ .proto = NT_PROTO_ALL };
	rules->n++;
	if (take(s, '}'))
		return 0;
	do {
		if (read_text(s, key, sizeof(key)))
			return -EINVAL;
		if (!take(s, ':'))
			return fail(s, "a colon is missing behind", key);
		if (read_value(s, value, sizeof(value)) || set(s, r, key, value))
			return -EINVAL;
	} while (take(s, ','));
	return take(s, '}') ? 0 : fail(s, "a comma or } is missing behind", key);
}

int nt_ct_rules_parse(struct nt_ct_rules *rules, const char *text, char *why, size_t size)
{
	struct reader s = { .p = text, .line = 1, .why = why, .size = size };
	bool list = take(&s, '[');
	int rc = 0;

	rules->n = 0;
	if (!list && peek(&s) != '{')
		return fail(&s, "no list of rules", NULL);
	if (list && take(&s, ']'))
		return fail(&s, "no rule in the list", NULL);
	do
		rc = read_rule(&s, rules);
	while (!rc && list && take(&s, ','));
	if (!rc && list && !take(&s, ']'))
		rc = fail(&s, "a comma or ] is missing behind a rule", NULL);
	if (!rc && peek(&s))
		rc = fail(&s, "something stands behind the rules", NULL);
	return rc;
}

/* ---- bit sets ---- */
static bool is_v4(const struct nt_prefix *p)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return p->len >= 96 && !memcmp(p->addr, mapped, sizeof(mapped));
}

/* Does every address of p match what the rule wants? ::/0 is no IPv4 address. */
static bool covers(const struct nt_prefix *want, const struct nt_prefix *p)
{
	unsigned int bytes = want->len / 8, bits = want->len % 8;

	if (!want->set)
		return true;
	if (want->len > p->len || want->is_v4 != is_v4(p) || memcmp(want->addr, p->addr, bytes))
		return false;
	return !bits || !((want->addr[bytes] ^ p->addr[bytes]) >> (8 - bits));
}

struct nt_ct_ends nt_ct_rules_of_addr(const struct nt_ct_rules *rules, const struct nt_prefix *p)
{
	struct nt_ct_ends e = { 0, 0 };

	for (size_t i = 0; i < rules->n; i++) {
		e.src |= (uint64_t)covers(&rules->rule[i].src, p) << i;
		e.dst |= (uint64_t)covers(&rules->rule[i].dst, p) << i;
	}
	return e;
}

struct nt_ct_ends nt_ct_rules_of_port(const struct nt_ct_rules *rules, uint16_t port)
{
	struct nt_ct_ends e = { 0, 0 };

	for (size_t i = 0; i < rules->n; i++) {
		const struct nt_ct_rule *r = &rules->rule[i];

		e.src |= (uint64_t)(!r->sport || r->sport == port) << i;
		e.dst |= (uint64_t)(!r->dport || r->dport == port) << i;
	}
	return e;
}

uint64_t nt_ct_rules_of_proto(const struct nt_ct_rules *rules, uint8_t proto)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < rules->n; i++) {
		uint32_t want = rules->rule[i].proto;

		bits |= (uint64_t)(want == NT_PROTO_ALL || want == proto || (want == 1 && proto == 58)) << i;
	}
	return bits;
}

static int write_addr(int fd, const struct nt_ct_rules *rules, const struct nt_prefix *p)
{
	struct nt_ct_ends e = nt_ct_rules_of_addr(rules, p);
	struct nt_ct_addr_key key = { .prefixlen = p->len };

	memcpy(key.addr, p->addr, sizeof(key.addr));
	return bpf_map_update_elem(fd, &key, &e, BPF_ANY) ? -errno : 0;
}

static int write_port(int fd, const struct nt_ct_rules *rules, uint16_t port)
{
	struct nt_ct_ends e = nt_ct_rules_of_port(rules, port);
	uint32_t key = port;

	return port && bpf_map_update_elem(fd, &key, &e, BPF_ANY) ? -errno : 0;
}

int nt_ct_rules_write(struct nt_run *r, const struct nt_ct_rules *rules, struct nt_ct_cfg *cfg)
{
	static const struct nt_prefix all = { .len = 0 }, all_v4 = { .len = 96, .addr = { [10] = 0xff, [11] = 0xff } };
	int addrs = nt_run_map_fd(r, "nt_ct_addrs"), ports = nt_run_map_fd(r, "nt_ct_ports"),
	    protos = nt_run_map_fd(r, "nt_ct_protos");
	struct nt_ct_ends any = nt_ct_rules_of_port(rules, 0);
	int rc = write_addr(addrs, rules, &all);

	if (!rc)
		rc = write_addr(addrs, rules, &all_v4);
	for (size_t i = 0; !rc && i < rules->n; i++) {
		const struct nt_ct_rule *rule = &rules->rule[i];

		if (rule->src.set)
			rc = write_addr(addrs, rules, &rule->src);
		if (!rc && rule->dst.set)
			rc = write_addr(addrs, rules, &rule->dst);
		if (!rc)
			rc = write_port(ports, rules, rule->sport);
		if (!rc)
			rc = write_port(ports, rules, rule->dport);
	}
	for (uint32_t proto = 0; !rc && proto < 256; proto++) {
		uint64_t bits = nt_ct_rules_of_proto(rules, (uint8_t)proto);

		rc = bpf_map_update_elem(protos, &proto, &bits, BPF_ANY) ? -errno : 0;
	}
	cfg->any_sport = any.src;
	cfg->any_dport = any.dst;
	return rc;
}
