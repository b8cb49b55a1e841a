/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The JSON builder. It appends to the line buffer of the writer; wrong nesting
 * is an assertion, and without assertions still a valid line (up to 64 levels).
 */
#include <assert.h>
#include <string.h>

#include "out_priv.h"

static bool in_array(const struct nt_out *o)
{
	return o->depth && o->depth <= 64 && (o->arrays >> (o->depth - 1) & 1);
}

/* At most 6 * n + 2 bytes. */
static char *put_string(char *p, const char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *u = (const unsigned char *)s, *end = u + n;

	*p++ = '"';
	while (u < end) {
		size_t len;

		if (*u >= 0x20 && *u < 0x7f && *u != '"' && *u != '\\') {
			*p++ = (char)*u++;
			continue;
		}
		len = nt_utf8_len(u, (size_t)(end - u));
		if (len > 1) {
			memcpy(p, u, len);
			p += len;
			u += len;
			continue;
		}
		if (*u == '"' || *u == '\\') {
			*p++ = '\\';
			*p++ = (char)*u++;
			continue;
		}
		memcpy(p, "\\u00", 4);
		p[4] = hex[*u >> 4];
		p[5] = hex[*u++ & 15];
		p += 6;
	}
	*p++ = '"';
	return p;
}

/* Comma and key; returns where the value goes (room for n bytes), NULL when there is nothing
 * to do. */
static char *value_begin(struct nt_out *o, const char *key, size_t n)
{
	size_t key_len;
	char *p;

	if (o->format != NT_JSON)
		return NULL;
	assert(o->depth > 0);
	assert(in_array(o) == !key);
	if (!o->depth)
		return NULL;
	if (in_array(o))
		key = NULL;
	else if (!key)
		key = "";
	key_len = key ? strlen(key) : 0;
	p = nt_out_room(o, 6 * key_len + n + 4);
	if (!p)
		return NULL;
	if (o->comma)
		*p++ = ',';
	if (key) {
		p = put_string(p, key, key_len);
		*p++ = ':';
	}
	return p;
}

static void value_end(struct nt_out *o, const char *p)
{
	o->len = (size_t)(p - o->buf);
	o->comma = true;
}

void nt_json_raw(struct nt_out *o, const char *key, const char *s, size_t n)
{
	char *p = value_begin(o, key, n);

	if (!p)
		return;
	memcpy(p, s, n);
	value_end(o, p + n);
}

static void value_word(struct nt_out *o, const char *key, const char *word)
{
	nt_json_raw(o, key, word, strlen(word));
}

static void nest(struct nt_out *o, const char *key, char open, bool array)
{
	char *p = value_begin(o, key, 1);

	if (!p)
		return;
	*p++ = open;
	value_end(o, p);
	o->comma = false;
	assert(o->depth < 64);
	if (o->depth < 64) {
		o->arrays &= ~(1ULL << o->depth);
		o->arrays |= (uint64_t)array << o->depth;
	}
	o->depth++;
}

static void unnest(struct nt_out *o)
{
	nt_out_put(o, in_array(o) ? "]" : "}", 1);
	o->depth--;
	o->comma = true;
}

void nt_json_begin(struct nt_out *o, const char *type)
{
	if (o->format != NT_JSON)
		return;
	assert(!o->depth);
	if (o->depth)		/* an object that nobody will end is not shown */
		o->len = o->line;
	o->line = o->len;
	o->depth = 1;
	o->arrays = 0;
	o->comma = false;
	nt_out_put(o, "{", 1);
	if (type)
		nt_json_str(o, "type", type);
}

void nt_json_end(struct nt_out *o)
{
	if (o->format != NT_JSON)
		return;
	assert(o->depth == 1);
	if (!o->depth)
		return;
	while (o->depth)
		unnest(o);
	nt_out_put(o, "\n", 1);
	nt_out_line_done(o);
}

void nt_json_obj(struct nt_out *o, const char *key)
{
	nest(o, key, '{', false);
}

void nt_json_obj_end(struct nt_out *o)
{
	if (o->format != NT_JSON)
		return;
	assert(o->depth > 1 && !in_array(o));
	if (o->depth > 1)
		unnest(o);
}

void nt_json_arr(struct nt_out *o, const char *key)
{
	nest(o, key, '[', true);
}

void nt_json_arr_end(struct nt_out *o)
{
	if (o->format != NT_JSON)
		return;
	assert(o->depth > 1 && in_array(o));
	if (o->depth > 1)
		unnest(o);
}

void nt_json_u64(struct nt_out *o, const char *key, uint64_t v)
{
	char *p = value_begin(o, key, NT_NUM_ROOM);

	if (p)
		value_end(o, nt_put_u64(p, v));
}

void nt_json_i64(struct nt_out *o, const char *key, int64_t v)
{
	char *p = value_begin(o, key, NT_NUM_ROOM);

	if (p)
		value_end(o, nt_put_i64(p, v));
}

void nt_json_f64(struct nt_out *o, const char *key, double v, int decimals)
{
	char *p;

	if (!__builtin_isfinite(v)) {
		value_word(o, key, "null");
		return;
	}
	p = value_begin(o, key, NT_NUM_ROOM);
	if (p)
		value_end(o, nt_put_f64(p, v, decimals, true, false));
}

void nt_json_bool(struct nt_out *o, const char *key, bool v)
{
	value_word(o, key, v ? "true" : "false");
}

void nt_json_str(struct nt_out *o, const char *key, const char *s)
{
	nt_json_strn(o, key, s, s ? strlen(s) : 0);
}

void nt_json_strn(struct nt_out *o, const char *key, const char *s, size_t n)
{
	char *p;

	if (!s) {
		value_word(o, key, "null");
		return;
	}
	n = strnlen(s, n);
	p = value_begin(o, key, 6 * n + 2);
	if (p)
		value_end(o, put_string(p, s, n));
}

void nt_json_hexbytes(struct nt_out *o, const char *key, const uint8_t *b, size_t n)
{
	char *p = value_begin(o, key, 2 * n + 2);

	if (!p)
		return;
	*p++ = '"';
	p = nt_put_hexbytes(p, b, n, '\0');
	*p++ = '"';
	value_end(o, p);
}

void nt_json_time(struct nt_out *o, const char *key, uint64_t realtime_ns)
{
	char *p = value_begin(o, key, NT_NUM_ROOM + 2);

	if (!p)
		return;
	*p++ = '"';
	p = nt_put_time(p, realtime_ns);
	*p++ = '"';
	value_end(o, p);
}
