/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the writer: shared by out.c, fmt.c, fields.c and table.c only. */
#ifndef NETTRACE_OUT_PRIV_H
#define NETTRACE_OUT_PRIV_H

#include <string.h>

#include "nettrace/out.h"

struct nt_out {
	int fd;
	int error;		/* errno of the first failure; nothing is written after it */
	enum nt_format format;
	bool color, tty;
	char *path;		/* NULL: stdout */
	char *buf;
	size_t len, cap;
	size_t line;		/* start of the JSON line that is being built, if depth */
	unsigned int depth;
	uint64_t arrays;	/* bit per level: it is an array */
	bool comma;
	/* Rows whose CSV header was printed last: tables that take turns repeat theirs. */
	const struct nt_field *csv_rows;
	size_t csv_n;
	bool (*stopping)(void *arg);	/* is the run to end? */
	void *stopping_arg;
	unsigned int generation;	/* number of reopens: a new file gets headings */
};

/* n writable bytes at the end of the buffer, NULL when memory is short (remembered as failure).
 * The caller adds what it used to o->len. */
char *nt_out_room(struct nt_out *o, size_t n);
void nt_out_put(struct nt_out *o, const char *s, size_t n);
/* To be called when a line is complete: keeps the buffer bounded between two flushes. */
void nt_out_line_done(struct nt_out *o);

/* ---- fmt.c: these write at p without a terminating 0 and return the new end ---- */
enum { NT_NUM_ROOM = 64 };	/* enough for each of them */
char *nt_put_u64(char *p, uint64_t v);
char *nt_put_i64(char *p, int64_t v);
char *nt_put_group(char *p, uint64_t v);
char *nt_put_hex(char *p, uint64_t v, int digits);	/* digits 0: as many as needed */
char *nt_put_hexbytes(char *p, const uint8_t *b, size_t n, char sep);
char *nt_put_f64(char *p, double v, int decimals, bool trim, bool group);
char *nt_put_ns_as_us(char *p, uint64_t ns);
char *nt_put_time(char *p, uint64_t realtime_ns);	/* RFC 3339 */
char *nt_put_clock(char *p, uint64_t realtime_ns);	/* HH:MM:SS.mmm */
char *nt_put_addr(char *p, const uint8_t addr[16]);
/* Bytes of the printable UTF-8 character at s; 0: control character or no UTF-8. */
size_t nt_utf8_len(const unsigned char *s, size_t n);

/* Numbers that are JSON already. */
void nt_json_raw(struct nt_out *o, const char *key, const char *s, size_t n);
void nt_json_hexbytes(struct nt_out *o, const char *key, const uint8_t *b, size_t n);

/* ---- fields.c ---- */
enum nt_style {
	NT_STYLE_TEXT,
	NT_STYLE_CSV,	/* exact numbers; control characters escaped as in text */
	NT_STYLE_JSON,	/* as CSV, not escaped yet */
};

/* KSYM_NAME_LEN is 512 in newer kernels; a module name has 56. */
enum { NT_SYMBOL_MAX = 640, NT_SYMBOL_ROOM = NT_SYMBOL_MAX + NT_NUM_ROOM };

static inline uint64_t nt_load_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t nt_load_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t nt_load_u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Kinds that are one integer; signed ones sign-extended. */
uint64_t nt_field_int(const struct nt_field *f, const void *rec);
const char *nt_field_cstr(const struct nt_field *f, const void *rec);
bool nt_field_absent(const struct nt_field *f, const void *rec);
/* The value is shown as a number, not as a string. */
bool nt_field_is_number(const struct nt_field *f, const void *rec);
/* The value as a string, whether it is absent or not; returns its length. */
size_t nt_field_value(const struct nt_resolver *r, const struct nt_field *f, const void *rec,
		      enum nt_style style, char *buf, size_t size);
size_t nt_field_symbol(const struct nt_resolver *r, uint64_t addr, bool offset,
		       enum nt_style style, char *buf, size_t size);

/* ---- fields_out.c ---- */
/* One CSV record; the header comes first if these rows are new to the file. */
void nt_fields_csv(struct nt_out *o, const struct nt_resolver *r, const struct nt_field *f,
		   size_t n, const void *rec);
void nt_fields_csv_header(struct nt_out *o, const struct nt_field *f, size_t n);

#endif
