/* SPDX-License-Identifier: GPL-2.0 */
/* Records described by rows, for programs: members of a JSON object, CSV records. */
#include <string.h>

#include "out_priv.h"

static const uint8_t *at(const struct nt_field *f, const void *rec)
{
	return (const uint8_t *)rec + f->off;
}

/*
 * A time is two values: "time" and "ts_ns". A record may have further ones, so
 * a row named "first_ns" makes "first_time" and "first_ns".
 */
enum { KEY_MAX = 64 };

struct ts_keys {
	char time[KEY_MAX + 8], ns[KEY_MAX + 8];
};

static void ts_keys(const struct nt_field *f, struct ts_keys *k)
{
	const char *name = f->name;
	size_t n;

	if (!name || !strcmp(name, "time") || !strcmp(name, "ts_ns") || !strcmp(name, "ts")) {
		memcpy(k->time, "time", 5);
		memcpy(k->ns, "ts_ns", 6);
		return;
	}
	n = strnlen(name, KEY_MAX);
	if (n > 5 && n < KEY_MAX && !strcmp(name + n - 5, "_time"))
		n -= 5;
	else if (n > 3 && n < KEY_MAX && !strcmp(name + n - 3, "_ns"))
		n -= 3;
	memcpy(k->time, name, n);
	memcpy(k->time + n, "_time", 6);
	memcpy(k->ns, name, n);
	memcpy(k->ns + n, "_ns", 4);
}

/* ---- JSON ---- */

static void json_ts(struct nt_out *o, const struct nt_resolver *r, const struct nt_field *f,
		    const void *rec)
{
	uint64_t ts = nt_field_int(f, rec);
	struct ts_keys k;

	ts_keys(f, &k);
	if (r && r->realtime)
		nt_json_time(o, k.time, r->realtime(r->ctx, ts));
	nt_json_u64(o, k.ns, ts);
}

static void json_stack(struct nt_out *o, const struct nt_resolver *r, const struct nt_field *f,
		       const void *rec)
{
	char sym[NT_SYMBOL_ROOM];
	uint64_t addr;
	size_t i, n;

	nt_json_arr(o, f->name);
	for (i = 0; i < f->arg; i++) {
		addr = nt_load_u64(at(f, rec) + 8 * i);
		if (!addr)
			break;
		n = nt_field_symbol(r, addr, true, NT_STYLE_JSON, sym, sizeof(sym));
		nt_json_strn(o, NULL, sym, n);
	}
	nt_json_arr_end(o);
}

static void json_vlans(struct nt_out *o, const struct nt_field *f, const void *rec)
{
	uint16_t id;
	size_t i;

	nt_json_arr(o, f->name);
	for (i = 0; i < f->arg; i++) {
		id = nt_load_u16(at(f, rec) + 2 * i);
		if (id == 0xffff)
			break;
		nt_json_u64(o, NULL, id);
	}
	nt_json_arr_end(o);
}

static void json_u64s(struct nt_out *o, const struct nt_field *f, const void *rec)
{
	nt_json_arr(o, f->name);
	for (size_t i = 0; i < f->arg; i++)
		nt_json_u64(o, NULL, nt_load_u64(at(f, rec) + 8 * i));
	nt_json_arr_end(o);
}

static void json_other(struct nt_out *o, const struct nt_resolver *r, const struct nt_field *f,
		       const void *rec)
{
	const char *key = f->name ? f->name : f->kind == NT_K_IFINDEX ? "ifname" : NULL;
	char buf[NT_SYMBOL_ROOM];
	size_t n = nt_field_value(r, f, rec, NT_STYLE_JSON, buf, sizeof(buf));

	if (!nt_field_is_number(f, rec))
		nt_json_strn(o, key, buf, n);
	else if (n)
		nt_json_raw(o, key, buf, n);
	else	/* not finite */
		nt_json_str(o, key, NULL);
}

static void json_field(struct nt_out *o, const struct nt_resolver *r, const struct nt_field *f,
		       const void *rec)
{
	const char *data = (const char *)at(f, rec);

	switch (f->kind) {
	case NT_K_TS:
		json_ts(o, r, f, rec);
		break;
	case NT_K_COMM:
		nt_json_strn(o, f->name, data, 16);
		break;
	case NT_K_STR:
		nt_json_strn(o, f->name, data, f->arg);
		break;
	case NT_K_CSTR:
		nt_json_str(o, f->name, nt_field_cstr(f, rec));
		break;
	case NT_K_STACK:
		json_stack(o, r, f, rec);
		break;
	case NT_K_VLANS:
		json_vlans(o, f, rec);
		break;
	case NT_K_U64S:
		json_u64s(o, f, rec);
		break;
	case NT_K_HEXBYTES:
		nt_json_hexbytes(o, f->name, at(f, rec), f->arg);
		break;
	default:
		json_other(o, r, f, rec);
		break;
	}
}

void nt_fields_json(struct nt_out *o, const struct nt_resolver *r, const struct nt_field *f,
		    size_t n, const void *rec)
{
	const struct nt_field *end = f + n;

	if (o->format != NT_JSON)
		return;
	for (; f < end; f++) {
		if (!(f->flags & NT_F_NO_JSON) && !nt_field_absent(f, rec))
			json_field(o, r, f, rec);
	}
}

/* ---- CSV ---- */

/* Bytes that hold any value of the row. */
static size_t value_room(const struct nt_field *f, const void *rec)
{
	const char *s;

	switch (f->kind) {
	case NT_K_STR:
		return 4 * f->arg + 1;
	case NT_K_CSTR:
		s = nt_field_cstr(f, rec);
		return s ? 4 * strlen(s) + 1 : 1;
	case NT_K_HEXBYTES:
		return 2 * f->arg + 1;
	case NT_K_VLANS:
		return 6 * f->arg + 1;
	case NT_K_STACK:
		return f->arg * (NT_SYMBOL_ROOM + 1) + 1;
	default:	/* a name, every character of it escaped */
		return 4 * NT_SYMBOL_ROOM;
	}
}

/* RFC 4180: quotes what was appended since start, if it has to be. */
static void csv_quote(struct nt_out *o, size_t start)
{
	size_t i, len = o->len - start, quotes = 0;
	bool special = false;
	char *p, *to;

	for (p = o->buf + start, i = 0; i < len; i++) {
		quotes += p[i] == '"';
		special |= p[i] == '"' || p[i] == ',' || p[i] == '\n' || p[i] == '\r';
	}
	if (!special || !nt_out_room(o, quotes + 2))
		return;
	p = o->buf + start;
	o->len += quotes + 2;
	to = o->buf + o->len;
	*--to = '"';
	for (i = len; i--;) {
		*--to = p[i];
		if (p[i] == '"')
			*--to = '"';
	}
	*--to = '"';
}

static void csv_str(struct nt_out *o, const char *s)
{
	size_t start = o->len;

	nt_out_put(o, s, strlen(s));
	csv_quote(o, start);
}

static void csv_field(struct nt_out *o, const struct nt_resolver *r, const struct nt_field *f,
		      const void *rec)
{
	bool absent = nt_field_absent(f, rec);
	size_t room, start = o->len;
	char *p;

	if (!absent && (f->kind != NT_K_TS || (r && r->realtime))) {
		room = value_room(f, rec);
		p = nt_out_room(o, room);
		if (!p)
			return;
		o->len += nt_field_value(r, f, rec, NT_STYLE_CSV, p, room);
		csv_quote(o, start);
	}
	if (f->kind != NT_K_TS)
		return;
	nt_out_put(o, ",", 1);
	p = absent ? NULL : nt_out_room(o, NT_NUM_ROOM);
	if (p)
		o->len += (size_t)(nt_put_u64(p, nt_field_int(f, rec)) - p);
}

void nt_fields_csv_header(struct nt_out *o, const struct nt_field *f, size_t n)
{
	bool first = true;
	struct ts_keys k;
	size_t i;

	if (o->format != NT_CSV || (o->csv_rows == f && o->csv_n == n))
		return;
	o->csv_rows = f;
	o->csv_n = n;
	for (i = 0; i < n; i++, f++) {
		if (f->flags & NT_F_NO_JSON)
			continue;
		if (!first)
			nt_out_put(o, ",", 1);
		first = false;
		if (f->kind == NT_K_TS) {
			ts_keys(f, &k);
			csv_str(o, k.time);
			nt_out_put(o, ",", 1);
			csv_str(o, k.ns);
		} else {
			csv_str(o, f->name ? f->name : f->kind == NT_K_IFINDEX ? "ifname" : "");
		}
	}
	nt_out_put(o, "\n", 1);
}

void nt_fields_csv(struct nt_out *o, const struct nt_resolver *r, const struct nt_field *f,
		   size_t n, const void *rec)
{
	const struct nt_field *end = f + n;
	bool first = true;

	if (o->format != NT_CSV)
		return;
	nt_fields_csv_header(o, f, n);
	for (; f < end; f++) {
		if (f->flags & NT_F_NO_JSON)
			continue;
		if (!first)
			nt_out_put(o, ",", 1);
		first = false;
		csv_field(o, r, f, rec);
	}
	nt_out_put(o, "\n", 1);
	nt_out_line_done(o);
}
