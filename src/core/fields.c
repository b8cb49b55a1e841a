/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records described by rows: every kind of value as text, JSON and CSV.
 *
 * Records come from a ring buffer; members are copied out, as nothing says that
 * they are aligned.
 */
#include <endian.h>
#include <string.h>

#include "out_priv.h"

#define WHOLE ((size_t)PTRDIFF_MAX)	/* length of a terminated string */

static const uint8_t *at(const struct nt_field *f, const void *rec)
{
	return (const uint8_t *)rec + f->off;
}

static double load_f64(const struct nt_field *f, const void *rec)
{
	double v;

	memcpy(&v, at(f, rec), sizeof(v));
	return v;
}

const char *nt_field_cstr(const struct nt_field *f, const void *rec)
{
	const char *s;

	memcpy(&s, at(f, rec), sizeof(s));
	return s;
}

/* Kinds that are one integer; signed ones sign-extended. */
uint64_t nt_field_int(const struct nt_field *f, const void *rec)
{
	const uint8_t *p = at(f, rec);

	switch (f->kind) {
	case NT_K_U8:
	case NT_K_BOOL8:
	case NT_K_PROTO:
	case NT_K_TCPFLAGS:
		return *p;
	case NT_K_U16:
	case NT_K_ERRNO:
		return nt_load_u16(p);
	case NT_K_PORT:
	case NT_K_BE16:
	case NT_K_ETHTYPE:
		return be16toh(nt_load_u16(p));
	case NT_K_U32:
	case NT_K_HEX32:
	case NT_K_IFINDEX:
	case NT_K_REASON:
	case NT_K_ENUM:
		return nt_load_u32(p);
	case NT_K_BE32:
		return be32toh(nt_load_u32(p));
	case NT_K_I32:
		return (uint64_t)(int64_t)(int32_t)nt_load_u32(p);
	default:
		return nt_load_u64(p);
	}
}

static bool all_zero(const uint8_t *p, size_t n)
{
	while (n && !*p) {
		p++;
		n--;
	}
	return !n;
}

static bool is_zero(const struct nt_field *f, const void *rec)
{
	const uint8_t *p = at(f, rec);
	const char *s;

	switch (f->kind) {
	case NT_K_ADDR:
		return all_zero(p, 16);
	case NT_K_MAC:
		return all_zero(p, 6);
	case NT_K_HEXBYTES:
		return all_zero(p, f->arg);
	case NT_K_COMM:
		return !*p;
	case NT_K_STR:
		return !f->arg || !*p;
	case NT_K_CSTR:
		s = nt_field_cstr(f, rec);
		return !s || !*s;
	case NT_K_STACK:
		return !f->arg || !nt_load_u64(p);
	case NT_K_VLANS:	/* 0 is an id (priority tag) */
		return !f->arg || nt_load_u16(p) == 0xffff;
	case NT_K_F64:
		return load_f64(f, rec) == 0;
	default:
		return !nt_field_int(f, rec);
	}
}

bool nt_field_absent(const struct nt_field *f, const void *rec)
{
	if (f->has_mask && !(nt_load_u32((const uint8_t *)rec + f->has_off) & f->has_mask))
		return true;
	return (f->flags & NT_F_IF_NONZERO) && is_zero(f, rec);
}

/* ---- names ---- */

static const char *ifname(const struct nt_resolver *r, const struct nt_field *f, const void *rec)
{
	uint32_t netns = f->arg ? nt_load_u32((const uint8_t *)rec + f->arg) : 0;

	return r && r->ifname ? r->ifname(r->ctx, netns, nt_load_u32(at(f, rec))) : NULL;
}

static const char *reason(const struct nt_resolver *r, uint32_t id)
{
	return r && r->reason ? r->reason(r->ctx, id) : NULL;
}

/* The index-th of the names between '|'; NULL if there are not so many. */
static const char *enum_name(const struct nt_field *f, uint64_t index, size_t *len)
{
	const char *s = f->names;

	while (s && index--) {
		s = strchr(s, '|');
		if (s)
			s++;
	}
	if (s)
		*len = strcspn(s, "|");
	return s;
}

static bool realtime(const struct nt_resolver *r, uint64_t mono, uint64_t *real)
{
	if (!r || !r->realtime)
		return false;
	*real = r->realtime(r->ctx, mono);
	return true;
}

bool nt_field_is_number(const struct nt_field *f, const void *rec)
{
	size_t len;

	switch (f->kind) {
	case NT_K_PROTO:
		return !nt_proto_name((uint8_t)nt_field_int(f, rec));
	case NT_K_ERRNO:
		return !nt_errno_name((uint32_t)nt_field_int(f, rec));
	case NT_K_ENUM:
		return !enum_name(f, nt_field_int(f, rec), &len);
	default:
		return f->kind <= NT_K_NS_AS_US || f->kind == NT_K_PORT ||
		       f->kind == NT_K_BE16 || f->kind == NT_K_BE32;
	}
}

/* ---- values as strings ---- */

static size_t put(char *buf, size_t size, const char *s, size_t n)
{
	if (!size)
		return 0;
	if (n >= size)
		n = size - 1;
	memcpy(buf, s, n);
	buf[n] = '\0';
	return n;
}

/* JSON has escapes of its own. */
static size_t put_escaped(char *buf, size_t size, enum nt_style style, const char *s, size_t n)
{
	if (style == NT_STYLE_JSON)
		return put(buf, size, s, strnlen(s, n));
	return size ? strlen(nt_fmt_escape(s, n, buf, size)) : 0;
}

/* "if7", "reason_93": numbers that have no name */
static size_t put_number_name(char *buf, size_t size, const char *prefix, uint64_t v)
{
	char tmp[NT_NUM_ROOM + 16];
	size_t n = strlen(prefix);

	memcpy(tmp, prefix, n);
	return put(buf, size, tmp, (size_t)(nt_put_u64(tmp + n, v) - tmp));
}

size_t nt_field_symbol(const struct nt_resolver *r, uint64_t addr, bool offset,
		       enum nt_style style, char *buf, size_t size)
{
	char tmp[NT_SYMBOL_MAX + NT_NUM_ROOM], *p = tmp;
	const char *name, *module;
	uint64_t off = 0;
	size_t len;

	name = r && r->ksym ? r->ksym(r->ctx, addr, &off) : NULL;
	if (!name) {
		memcpy(p, "0x", 2);
		return put(buf, size, tmp, (size_t)(nt_put_hex(p + 2, addr, 0) - tmp));
	}
	len = strnlen(name, NT_SYMBOL_MAX);
	if (!offset)
		return put_escaped(buf, size, style, name, len);
	module = memchr(name, ' ', len);	/* the offset belongs to the function */
	if (!module)
		module = name + len;
	memcpy(p, name, (size_t)(module - name));
	p += module - name;
	memcpy(p, "+0x", 3);
	p = nt_put_hex(p + 3, off, 0);
	memcpy(p, module, (size_t)(name + len - module));
	p += name + len - module;
	return put_escaped(buf, size, style, tmp, (size_t)(p - tmp));
}

/* Only whole frames. Text: indented lines, none ended. Else: joined by ';'. */
static size_t put_stack(const struct nt_resolver *r, const struct nt_field *f, const void *rec,
			enum nt_style style, char *buf, size_t size)
{
	const char *sep = style == NT_STYLE_TEXT ? "\n    " : ";";
	char sym[NT_SYMBOL_MAX + NT_NUM_ROOM];
	size_t i, n, skip = 1, len = 0;
	uint64_t addr;

	if (size)
		*buf = '\0';
	for (i = 0; i < f->arg; i++, skip = 0) {
		addr = nt_load_u64(at(f, rec) + 8 * i);
		if (!addr)
			break;
		n = nt_field_symbol(r, addr, true, style, sym, sizeof(sym));
		if (len + strlen(sep) + n >= size)
			break;
		len += put(buf + len, size - len, sep + skip, strlen(sep + skip));
		len += put(buf + len, size - len, sym, n);
	}
	return len;
}

static size_t put_vlans(const struct nt_field *f, const void *rec, char sep, char *buf, size_t size)
{
	char tmp[NT_NUM_ROOM], *p;
	size_t i, len = 0;
	uint16_t id;

	if (size)
		*buf = '\0';
	for (i = 0; i < f->arg; i++) {
		id = nt_load_u16(at(f, rec) + 2 * i);
		if (id == 0xffff)
			break;
		p = tmp;
		if (i)
			*p++ = sep;
		p = nt_put_u64(p, id);
		len += put(buf + len, size - len, tmp, (size_t)(p - tmp));
	}
	return len;
}

static size_t put_hexbytes(const struct nt_field *f, const void *rec, char *buf, size_t size)
{
	size_t n = f->arg;

	if (!size)
		return 0;
	if (2 * n >= size)
		n = (size - 1) / 2;
	*nt_put_hexbytes(buf, at(f, rec), n, '\0') = '\0';
	return 2 * n;
}

/* Numbers, and names that stand for numbers: short. */
static char *put_scalar(const struct nt_resolver *r, const struct nt_field *f, const void *rec,
			bool text, char *p)
{
	bool group = text && (f->flags & NT_F_GROUP);
	uint64_t v = f->kind == NT_K_ADDR || f->kind == NT_K_MAC ? 0 : nt_field_int(f, rec), real;
	double d;

	switch (f->kind) {
	case NT_K_I32:
	case NT_K_I64:
		if ((int64_t)v < 0) {
			*p++ = '-';
			v = -v;
		}
		break;
	case NT_K_F64:
		d = load_f64(f, rec);
		if (__builtin_isfinite(d))
			return nt_put_f64(p, d, f->decimals, !text, group);
		if (text)
			*p++ = '-';
		return p;
	case NT_K_BOOL8:
		return stpcpy(p, text ? (v ? "yes" : "no") : (v ? "true" : "false"));
	case NT_K_NS_AS_US:
		if (!text)
			return nt_put_ns_as_us(p, v);
		nt_fmt_ns(v, p, NT_NUM_ROOM);
		return p + strlen(p);
	case NT_K_TS:
		if (realtime(r, v, &real))
			return text ? nt_put_clock(p, real) : nt_put_time(p, real);
		return nt_put_f64(p, (double)v / 1e9, 6, false, false);
	case NT_K_ADDR:
		return nt_put_addr(p, at(f, rec));
	case NT_K_MAC:
		return nt_put_hexbytes(p, at(f, rec), 6, ':');
	case NT_K_ETHTYPE:
	case NT_K_HEX32:
	case NT_K_HEX64:
		memcpy(p, "0x", 2);
		return nt_put_hex(p + 2, v, f->kind == NT_K_ETHTYPE ? 4 : 0);
	default:
		break;
	}
	return group ? nt_put_group(p, v) : nt_put_u64(p, v);
}

size_t nt_field_value(const struct nt_resolver *r, const struct nt_field *f, const void *rec,
		      enum nt_style style, char *buf, size_t size)
{
	const char *data = (const char *)at(f, rec), *s = NULL;
	bool text = style == NT_STYLE_TEXT;
	char tmp[2 * NT_NUM_ROOM];
	size_t len = WHOLE;

	switch (f->kind) {
	case NT_K_COMM:
	case NT_K_STR:
		return put_escaped(buf, size, style, data, f->kind == NT_K_COMM ? 16 : f->arg);
	case NT_K_CSTR:
		s = nt_field_cstr(f, rec);
		return put_escaped(buf, size, style, s ? s : text ? "-" : "", WHOLE);
	case NT_K_HEXBYTES:
		return put_hexbytes(f, rec, buf, size);
	case NT_K_VLANS:
		return put_vlans(f, rec, text ? '.' : ';', buf, size);
	case NT_K_STACK:
		return put_stack(r, f, rec, style, buf, size);
	case NT_K_KSYM:
		return nt_field_symbol(r, nt_load_u64(at(f, rec)), f->arg == 1, style, buf, size);
	case NT_K_TCPFLAGS:
		if (!text && !*data)
			return put(buf, size, "", 0);
		return strlen(nt_fmt_tcpflags((uint8_t)*data, buf, size));
	case NT_K_PROTO:
		s = nt_proto_name((uint8_t)*data);
		break;
	case NT_K_IFINDEX:
		s = ifname(r, f, rec);
		if (!s)
			return put_number_name(buf, size, "if", nt_field_int(f, rec));
		break;
	case NT_K_REASON:
		s = reason(r, nt_load_u32(at(f, rec)));
		if (!s)
			return put_number_name(buf, size, "reason_", nt_field_int(f, rec));
		break;
	case NT_K_ERRNO:
		s = nt_errno_name((uint32_t)nt_field_int(f, rec));
		break;
	case NT_K_ENUM:
		s = enum_name(f, nt_field_int(f, rec), &len);
		break;
	default:
		break;
	}
	if (s)
		return put_escaped(buf, size, style, s, len);
	return put(buf, size, tmp, (size_t)(put_scalar(r, f, rec, text, tmp) - tmp));
}

const char *nt_field_text(const struct nt_resolver *r, const struct nt_field *f, const void *rec,
			  char *buf, size_t size)
{
	if (!size)
		return buf;
	if (nt_field_absent(f, rec) || !nt_field_value(r, f, rec, NT_STYLE_TEXT, buf, size))
		put(buf, size, "-", 1);
	return buf;
}

const char *nt_field_by_name(const struct nt_resolver *r, const struct nt_field *rows, size_t n,
			     const char *name, const void *rec, char *buf, size_t size)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].name, name))
			return nt_field_text(r, &rows[i], rec, buf, size);
	return "";
}
