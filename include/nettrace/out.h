/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one writer: text, JSON lines and CSV. Tools describe records as rows of
 * struct nt_field; they do not print. Every JSON line is one object that is
 * written (and flushed) whole. Text and JSON escape control characters that
 * come from kernel strings.
 */
#ifndef NETTRACE_OUT_H
#define NETTRACE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nt_format { NT_TEXT, NT_JSON, NT_CSV };

struct nt_out;		/* opaque; owns its file descriptor (stdout is not closed) and line buffer */

/* path NULL: stdout. Opens with O_APPEND|O_CREAT. 0 or -errno. */
int nt_out_open(struct nt_out **out, const char *path, enum nt_format format, bool color);
int nt_out_reopen(struct nt_out *o);	/* SIGHUP: opens path again; no-op for stdout */
void nt_out_close(struct nt_out *o);
enum nt_format nt_out_format(const struct nt_out *o);
bool nt_out_color(const struct nt_out *o);
/* True once a write failed; *errno_out (may be NULL) tells why; EPIPE is a
 * normal end (exit code 0), everything else exit code 1. */
bool nt_out_failed(const struct nt_out *o, int *errno_out);
/* A reader that takes nothing stops the run: the kernel's buffers fill, which is counted. stopping
 * is asked meanwhile; from when it says true the reader has half a second left, then writing has
 * failed with ETIMEDOUT. */
void nt_out_on_stall(struct nt_out *o, bool (*stopping)(void *arg), void *arg);
/* Flushes what is buffered. Lines are buffered until flushed: the event loop
 * flushes after each batch, so one write(2) carries many lines. */
void nt_out_flush(struct nt_out *o);

/* ---- text ---- */
__attribute__((format(printf, 2, 3)))
void nt_text(struct nt_out *o, const char *fmt, ...);	/* nothing unless format is text */

/* ---- JSON: a streaming builder; nesting is checked by assert in debug builds.
 * Every call is a no-op unless the format is JSON. key NULL inside arrays. ---- */
void nt_json_begin(struct nt_out *o, const char *type);	/* {"type":TYPE */
void nt_json_end(struct nt_out *o);				/* }\n */
void nt_json_obj(struct nt_out *o, const char *key);
void nt_json_obj_end(struct nt_out *o);
void nt_json_arr(struct nt_out *o, const char *key);
void nt_json_arr_end(struct nt_out *o);
void nt_json_u64(struct nt_out *o, const char *key, uint64_t v);
void nt_json_i64(struct nt_out *o, const char *key, int64_t v);
/* Fixed number of decimals, trailing zeros trimmed; NaN and infinity print null. */
void nt_json_f64(struct nt_out *o, const char *key, double v, int decimals);
void nt_json_bool(struct nt_out *o, const char *key, bool v);
void nt_json_str(struct nt_out *o, const char *key, const char *s);	/* NULL prints null */
void nt_json_strn(struct nt_out *o, const char *key, const char *s, size_t n);
/* RFC 3339 with microseconds and zone, from CLOCK_REALTIME ns. */
void nt_json_time(struct nt_out *o, const char *key, uint64_t realtime_ns);

/* ---- records by rows ---- */
enum nt_kind {
	NT_K_U8, NT_K_U16, NT_K_U32, NT_K_U64, NT_K_I32, NT_K_I64, NT_K_F64, NT_K_BOOL8,
	NT_K_NS_AS_US,		/* uint64_t ns, shown as us with 3 decimals in JSON, adaptive in text */
	NT_K_TS,		/* uint64_t CLOCK_MONOTONIC ns: JSON "time" RFC 3339 and "ts_ns"; text HH:MM:SS.mmm */
	NT_K_ADDR,		/* uint8_t[16], v4-mapped: printed as IPv4 */
	NT_K_PORT,		/* uint16_t network order */
	NT_K_BE16,		/* uint16_t network order, a number */
	NT_K_BE32,
	NT_K_MAC,		/* uint8_t[6] */
	NT_K_ETHTYPE,		/* uint16_t network order: "0x0800" */
	NT_K_HEX32, NT_K_HEX64,
	NT_K_COMM,		/* char[16], not necessarily terminated */
	NT_K_STR,		/* char[arg], fixed array, not necessarily terminated */
	NT_K_CSTR,		/* const char * */
	NT_K_PROTO,		/* uint8_t: "tcp", else number */
	NT_K_IFINDEX,		/* uint32_t: name by resolver; with arg = offset of the uint32_t netns inode (0: none) */
	NT_K_REASON,		/* uint32_t drop reason: name by resolver */
	NT_K_ERRNO,		/* uint16_t: errno as the kernel returns it, above 0: "EAGAIN", else number */
	NT_K_KSYM,		/* uint64_t kernel address: "function+0x1f [module]" -> location */
	NT_K_STACK,		/* uint64_t[arg], zero terminated: JSON array of symbols; text: lines, not columns */
	NT_K_TCPFLAGS,		/* uint8_t: "SYN|ACK" */
	NT_K_HEXBYTES,		/* uint8_t[arg] */
	NT_K_VLANS,		/* uint16_t[arg] host order ids, 0xffff ends: JSON array */
	NT_K_U64S,		/* uint64_t[arg]: JSON array of numbers, no text column */
	NT_K_ENUM,		/* uint32_t index into .names ('|' between) */
};

enum {
	NT_F_IF_NONZERO = 1u << 0,	/* left out (JSON), "-" (text) when zero */
	NT_F_NO_TEXT = 1u << 1,
	NT_F_NO_JSON = 1u << 2,		/* and no CSV */
	NT_F_LEFT = 1u << 3,		/* left aligned text column (names); numbers are right aligned */
	NT_F_GROUP = 1u << 4,		/* thousands separated in text: 1,234,567 */
};

struct nt_field {
	const char *name;	/* JSON key, with its unit suffix */
	const char *label;	/* text column heading with unit; NULL: name */
	enum nt_kind kind;
	size_t off;		/* of the value in the record */
	size_t arg;		/* see the kinds */
	const char *names;	/* NT_K_ENUM */
	uint8_t width;		/* least text width; 0: by kind */
	uint8_t decimals;	/* NT_K_F64 */
	unsigned flags;
	size_t has_off;		/* with has_mask: the value exists only if (uint32_t at has_off) & has_mask */
	uint32_t has_mask;	/* 0: always there */
};

/* Turns numbers into names. Every function returns a string valid until the
 * next call of the same function, or NULL when unknown. */
struct nt_resolver {
	void *ctx;
	const char *(*ifname)(void *ctx, uint32_t netns, uint32_t ifindex);
	const char *(*reason)(void *ctx, uint32_t id);
	/* Symbol with module, "tcp_v4_rcv" or "ovs_vport_receive [openvswitch]"; *offset filled. */
	const char *(*ksym)(void *ctx, uint64_t addr, uint64_t *offset);
	/* CLOCK_MONOTONIC ns -> CLOCK_REALTIME ns. */
	uint64_t (*realtime)(void *ctx, uint64_t mono_ns);
};

/* Adds the record's fields to the JSON object that is being built. */
void nt_fields_json(struct nt_out *o, const struct nt_resolver *r, const struct nt_field *f,
		    size_t n, const void *rec);
/* One record as a whole: JSON event line, CSV line (header line first time), or a text row
 * (column headings first time and after every 40 rows on a terminal). */
struct nt_stream;	/* remembers whether headings were printed; owned by caller */
int nt_stream_new(struct nt_stream **s, struct nt_out *o, const struct nt_resolver *r,
		  const struct nt_field *f, size_t n);
void nt_stream_free(struct nt_stream *s);
void nt_stream_event(struct nt_stream *s, const void *rec);
/* A table of records: JSON array under key (inside the current object), or an aligned text
 * table (columns as wide as their widest cell, at most 100 columns if it can be), or CSV rows. */
void nt_table(struct nt_out *o, const struct nt_resolver *r, const char *key, const char *title,
	      const struct nt_field *f, size_t n, const void *recs, size_t rec_size, size_t n_recs);
/* One field as text into buf; returns buf. Used by block layouts (packet views). */
const char *nt_field_text(const struct nt_resolver *r, const struct nt_field *f, const void *rec,
			  char *buf, size_t size);
/* The one of n rows that has this JSON name, as text into buf; "" if none has. */
const char *nt_field_by_name(const struct nt_resolver *r, const struct nt_field *rows, size_t n,
			     const char *name, const void *rec, char *buf, size_t size);

/* ---- formatting helpers (no state) ---- */
const char *nt_fmt_ns(uint64_t ns, char *buf, size_t size);		/* "12.3 us", "1.20 ms", "3.00 s" */
const char *nt_fmt_count(uint64_t v, char *buf, size_t size);		/* "1,234,567" */
const char *nt_fmt_bytes(uint64_t v, char *buf, size_t size);		/* "1.2 MiB" */
const char *nt_fmt_addr(const uint8_t addr[16], char *buf, size_t size);
const char *nt_fmt_tcpflags(uint8_t flags, char *buf, size_t size);	/* "SYN|ACK", "-" */
const char *nt_proto_name(uint8_t proto);				/* "tcp", NULL when unnamed */
/* "EAGAIN", NULL when unnamed. ERESTARTSYS and its like, which no program sees, are EINTR. */
const char *nt_errno_name(uint32_t error);
/* Control characters and non-UTF-8 bytes as \xNN; returns buf. */
const char *nt_fmt_escape(const char *s, size_t n, char *buf, size_t size);

#endif
