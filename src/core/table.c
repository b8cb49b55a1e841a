/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rows of text in columns: streams of events, whose widths are known only by
 * kind, and tables, which are measured first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "out_priv.h"

enum {
	CELL_MAX = 1024,
	LINE_COLUMNS = 100,
	REPEAT_HEADINGS = 40,	/* rows; on a terminal only */
};

struct column {
	const struct nt_field *f;
	size_t width;
	bool left;
};

/* The columns of a text; stacks are not among them, they follow as lines. */
struct layout {
	struct nt_out *o;
	const struct nt_resolver *r;
	const struct nt_field *f;
	size_t n_fields;
	struct column *col;
	size_t n_cols;
	size_t gap;
};

static const char *label(const struct nt_field *f)
{
	return f->label ? f->label : f->name ? f->name : "";
}

/* Names and the like; numbers stand right, so that they can be compared. */
static bool left_aligned(const struct nt_field *f)
{
	if (f->flags & NT_F_LEFT)
		return true;
	switch (f->kind) {
	case NT_K_TS:
	case NT_K_ADDR:
	case NT_K_MAC:
	case NT_K_COMM:
	case NT_K_STR:
	case NT_K_CSTR:
	case NT_K_PROTO:
	case NT_K_IFINDEX:
	case NT_K_REASON:
	case NT_K_ERRNO:
	case NT_K_KSYM:
	case NT_K_TCPFLAGS:
	case NT_K_HEXBYTES:
	case NT_K_VLANS:
	case NT_K_ENUM:
		return true;
	default:
		return false;
	}
}

/* Characters, as the terminal shows them: one column for each. */
static size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static size_t enum_width(const char *names)
{
	size_t n, widest = 0;

	while (names && *names) {
		n = strcspn(names, "|");
		if (n > widest)
			widest = n;
		names += n + (names[n] == '|');
	}
	return widest;
}

/* What most values of a kind need; longer ones push the next columns aside. */
static size_t kind_width(const struct nt_field *f)
{
	static const uint8_t width[] = {
		[NT_K_U8] = 3, [NT_K_U16] = 5, [NT_K_U32] = 7, [NT_K_U64] = 10,
		[NT_K_I32] = 7, [NT_K_I64] = 10, [NT_K_F64] = 8, [NT_K_BOOL8] = 3,
		[NT_K_NS_AS_US] = 8, [NT_K_TS] = 12, [NT_K_ADDR] = 15, [NT_K_PORT] = 5,
		[NT_K_BE16] = 5, [NT_K_BE32] = 10, [NT_K_MAC] = 17, [NT_K_ETHTYPE] = 6,
		[NT_K_HEX32] = 10, [NT_K_HEX64] = 18, [NT_K_COMM] = 15, [NT_K_STR] = 16,
		[NT_K_CSTR] = 16, [NT_K_PROTO] = 6, [NT_K_IFINDEX] = 10, [NT_K_REASON] = 20, [NT_K_ERRNO] = 12,
		[NT_K_KSYM] = 28, [NT_K_TCPFLAGS] = 7, [NT_K_HEXBYTES] = 32, [NT_K_VLANS] = 4,
	};
	size_t n = f->kind < sizeof(width) ? width[f->kind] : 0;

	switch (f->kind) {
	case NT_K_ENUM:
		return enum_width(f->names);
	case NT_K_STR:
		return f->arg < n ? f->arg : n;
	case NT_K_HEXBYTES:
		return 2 * f->arg < n ? 2 * f->arg : n;
	default:
		return n;
	}
}

static int layout_init(struct layout *l, struct nt_out *o, const struct nt_resolver *r,
		       const struct nt_field *f, size_t n)
{
	size_t i;

	*l = (struct layout){ .o = o, .r = r, .f = f, .n_fields = n, .gap = 2 };
	l->col = calloc(n ? n : 1, sizeof(*l->col));
	if (!l->col)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		if ((f[i].flags & NT_F_NO_TEXT) || f[i].kind == NT_K_STACK)
			continue;
		l->col[l->n_cols].f = &f[i];
		l->col[l->n_cols++].left = left_aligned(&f[i]);
	}
	return 0;
}

static void widen(struct column *c, size_t width)
{
	if (width > c->width)
		c->width = width;
}

static size_t total_width(const struct layout *l)
{
	size_t i, total = 0;

	for (i = 0; i < l->n_cols; i++)
		total += l->col[i].width + (i ? l->gap : 0);
	return total;
}

/* ---- lines ---- */

struct line {
	struct nt_out *o;
	size_t pos;		/* characters so far */
	size_t edge;		/* where the columns so far end if nothing is too wide */
};

static void pad(struct nt_out *o, size_t n)
{
	char *p = nt_out_room(o, n);

	if (!p)
		return;
	memset(p, ' ', n);
	o->len += n;
}

/* Blanks go before a cell only: lines have none at their end, and a cell that is too wide costs
 * the next ones their spare room instead of moving them all. */
static void put_cell(struct line *l, const struct column *c, size_t gap, const char *s)
{
	size_t width = text_width(s), start;

	if (!l->edge)
		gap = 0;
	start = l->edge + gap;
	l->edge = start + c->width;
	if (!c->left && width < c->width)
		start = l->edge - width;
	if (l->pos && start <= l->pos)
		start = l->pos + 1;
	pad(l->o, start - l->pos);
	nt_out_put(l->o, s, strlen(s));
	l->pos = start + width;
}

static void put_headings(const struct layout *l)
{
	struct line line = { .o = l->o };
	size_t i;

	if (!l->n_cols)
		return;
	if (l->o->color)
		nt_out_put(l->o, "\033[1m", 4);
	for (i = 0; i < l->n_cols; i++)
		put_cell(&line, &l->col[i], l->gap, label(l->col[i].f));
	if (l->o->color)
		nt_out_put(l->o, "\033[0m", 4);
	nt_out_put(l->o, "\n", 1);
}

static void put_stack_lines(const struct layout *l, const void *rec)
{
	const struct nt_field *f = l->f, *end = f + l->n_fields;
	size_t room, n;
	char *p;

	for (; f < end; f++) {
		if (f->kind != NT_K_STACK || (f->flags & NT_F_NO_TEXT) || nt_field_absent(f, rec))
			continue;
		room = f->arg * (NT_SYMBOL_ROOM + 8) + 1;
		p = nt_out_room(l->o, room);
		if (!p)
			return;
		n = nt_field_value(l->r, f, rec, NT_STYLE_TEXT, p, room);
		l->o->len += n;
		if (n)
			nt_out_put(l->o, "\n", 1);
	}
}

static void put_row(const struct layout *l, const void *rec)
{
	struct line line = { .o = l->o };
	char cell[CELL_MAX];
	size_t i;

	for (i = 0; i < l->n_cols; i++)
		put_cell(&line, &l->col[i], l->gap,
			 nt_field_text(l->r, l->col[i].f, rec, cell, sizeof(cell)));
	if (l->n_cols)
		nt_out_put(l->o, "\n", 1);
	put_stack_lines(l, rec);
	nt_out_line_done(l->o);
}

/* ---- streams ---- */

struct nt_stream {
	struct layout l;
	unsigned int rows;		/* since the last headings */
	unsigned int generation;	/* of the output that the headings went to */
	bool started;
};

int nt_stream_new(struct nt_stream **out, struct nt_out *o, const struct nt_resolver *r,
		  const struct nt_field *f, size_t n)
{
	struct nt_stream *s = calloc(1, sizeof(*s));
	struct column *c;
	size_t i;

	*out = NULL;
	if (!s)
		return -ENOMEM;
	if (layout_init(&s->l, o, r, f, n)) {
		free(s);
		return -ENOMEM;
	}
	for (i = 0; i < s->l.n_cols; i++) {
		c = &s->l.col[i];
		c->width = c->f->width ? c->f->width : kind_width(c->f);
		widen(c, text_width(label(c->f)));
	}
	if (total_width(&s->l) > LINE_COLUMNS)
		s->l.gap = 1;
	*out = s;
	return 0;
}

void nt_stream_free(struct nt_stream *s)
{
	if (!s)
		return;
	free(s->l.col);
	free(s);
}

static void stream_text(struct nt_stream *s, const void *rec)
{
	struct nt_out *o = s->l.o;

	if (!s->started || s->generation != o->generation ||
	    (o->tty && s->rows >= REPEAT_HEADINGS)) {
		put_headings(&s->l);
		s->started = true;
		s->generation = o->generation;
		s->rows = 0;
	}
	s->rows++;
	put_row(&s->l, rec);
}

void nt_stream_event(struct nt_stream *s, const void *rec)
{
	const struct layout *l = &s->l;

	switch (l->o->format) {
	case NT_JSON:
		nt_json_begin(l->o, "event");
		nt_fields_json(l->o, l->r, l->f, l->n_fields, rec);
		nt_json_end(l->o);
		break;
	case NT_CSV:
		nt_fields_csv(l->o, l->r, l->f, l->n_fields, rec);
		break;
	case NT_TEXT:
		stream_text(s, rec);
		break;
	}
}

/* ---- tables ---- */

static void measure(struct layout *l, const char *recs, size_t rec_size, size_t n_recs, bool least)
{
	char cell[CELL_MAX];
	struct column *c;
	size_t i, j;

	for (i = 0; i < l->n_cols; i++) {
		c = &l->col[i];
		c->width = text_width(label(c->f));
		if (least)
			widen(c, c->f->width);
		/* Nothing stands right of it: one long name must not squeeze the others. */
		if (i + 1 == l->n_cols && c->left)
			break;
		for (j = 0; j < n_recs; j++)
			widen(c, text_width(nt_field_text(l->r, c->f, recs + j * rec_size, cell,
							  sizeof(cell))));
	}
}

static void table_text(struct nt_out *o, const struct nt_resolver *r, const char *title,
		       const struct nt_field *f, size_t n, const char *recs, size_t rec_size,
		       size_t n_recs)
{
	struct layout l;
	size_t i;

	if (title)
		nt_text(o, "%s\n", title);
	if (!n_recs) {
		if (title)
			nt_text(o, "  (none)\n");
		return;
	}
	if (layout_init(&l, o, r, f, n)) {
		if (!o->error)
			o->error = ENOMEM;
		return;
	}
	measure(&l, recs, rec_size, n_recs, true);
	if (total_width(&l) > LINE_COLUMNS)
		measure(&l, recs, rec_size, n_recs, false);
	if (total_width(&l) > LINE_COLUMNS)
		l.gap = 1;
	put_headings(&l);
	for (i = 0; i < n_recs; i++)
		put_row(&l, recs + i * rec_size);
	free(l.col);
}

void nt_table(struct nt_out *o, const struct nt_resolver *r, const char *key, const char *title,
	      const struct nt_field *f, size_t n, const void *recs, size_t rec_size, size_t n_recs)
{
	const char *rec = recs;
	size_t i;

	if (o->format == NT_TEXT) {
		table_text(o, r, title, f, n, rec, rec_size, n_recs);
		return;
	}
	nt_fields_csv_header(o, f, n);
	nt_json_arr(o, key);
	for (i = 0; i < n_recs; i++, rec += rec_size) {
		nt_json_obj(o, NULL);
		nt_fields_json(o, r, f, n, rec);
		nt_json_obj_end(o);
		nt_fields_csv(o, r, f, n, rec);
	}
	nt_json_arr_end(o);
}
