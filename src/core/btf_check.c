/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is BTF sound that somebody else made? libbpf 1.1 checks the header and the length of the
 * records, but follows type ids and string offsets as they are; a file that a user names is
 * therefore looked through here first, whole.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "btf_priv.h"

#define DEEPEST 64		/* kernels nest about 20 deep; bounds every recursion over types */
#define IN_PROGRESS 255

struct judge {
	const struct nt_btf *b;
	uint32_t end;
	uint8_t *height;	/* per type: 0 not seen, IN_PROGRESS, else levels below and itself */
	uint32_t *bytes;	/* per type, where it has a size */
	char *why;
	size_t why_size;
};

__attribute__((format(printf, 2, 3)))
static int bad(struct judge *j, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(j->why, j->why_size, fmt, args);
	va_end(args);
	return -EINVAL;
}

static int check_name(struct judge *j, uint32_t id, uint32_t off)
{
	return nt_btf_string(j->b, off) ? 0 : bad(j, "type %u has its name outside of the strings", id);
}

static int check_ref(struct judge *j, uint32_t id, uint32_t to)
{
	return to < j->end ? 0 : bad(j, "type %u refers to type %u, there are %u", id, to, j->end - 1);
}

static int check_int(struct judge *j, uint32_t id, const struct btf_type *t)
{
	uint32_t v = *(const uint32_t *)(t + 1), bits = BTF_INT_BITS(v);

	if (!t->size || t->size > 16 || bits > 128 || BTF_INT_OFFSET(v) + bits > t->size * 8)
		return bad(j, "integer %u has an impossible size", id);
	return 0;
}

static int check_members(struct judge *j, uint32_t id, const struct btf_type *t)
{
	const struct btf_member *m = (const void *)(t + 1);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++)
		if (check_name(j, id, m[i].name_off) || check_ref(j, id, m[i].type))
			return -EINVAL;
	return 0;
}

static int check_params(struct judge *j, uint32_t id, const struct btf_type *t)
{
	const struct btf_param *p = (const void *)(t + 1);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++)
		if (check_name(j, id, p[i].name_off) || check_ref(j, id, p[i].type))
			return -EINVAL;
	return check_ref(j, id, t->type);
}

static int check_enum(struct judge *j, uint32_t id, const struct btf_type *t, size_t record)
{
	const uint8_t *e = (const void *)(t + 1);

	if (t->size != 1 && t->size != 2 && t->size != 4 && t->size != 8)
		return bad(j, "enum %u has an impossible size", id);
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++, e += record)
		if (check_name(j, id, *(const uint32_t *)e))	/* the name comes first in both kinds */
			return -EINVAL;
	return 0;
}

static int check_section(struct judge *j, uint32_t id, const struct btf_type *t)
{
	const struct btf_var_secinfo *v = (const void *)(t + 1);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++)
		if (check_ref(j, id, v[i].type))
			return -EINVAL;
	return 0;
}

/* Names and ids of one record. */
static int check_record(struct judge *j, uint32_t id)
{
	const struct btf_type *t = nt_btf_type(j->b, id);

	if (check_name(j, id, t->name_off))
		return -EINVAL;
	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT: return check_int(j, id, t);
	case BTF_KIND_ARRAY: {
		const struct btf_array *a = (const void *)(t + 1);

		return check_ref(j, id, a->type) ? -EINVAL : check_ref(j, id, a->index_type);
	}
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return check_members(j, id, t);
	case BTF_KIND_ENUM: return check_enum(j, id, t, sizeof(struct btf_enum));
	case BTF_KIND_ENUM64: return check_enum(j, id, t, 12);
	case BTF_KIND_FUNC_PROTO: return check_params(j, id, t);
	case BTF_KIND_DATASEC: return check_section(j, id, t);
	case BTF_KIND_FLOAT:
	case BTF_KIND_FWD: return 0;
	default: return check_ref(j, id, t->type);
	}
}

static int visit(struct judge *j, uint32_t id, unsigned int depth);

/* Visits what type id contains or names by value; its height is one more. */
static int below(struct judge *j, uint32_t id, uint32_t what, unsigned int depth, uint8_t *height)
{
	int err = visit(j, what, depth + 1);

	if (err)
		return err;
	if (j->height[what] + 1 > *height)
		*height = (uint8_t)(j->height[what] + 1);
	return *height > DEEPEST ? bad(j, "type %u is nested too deep", id) : 0;
}

static int visit_array(struct judge *j, uint32_t id, const struct btf_type *t, unsigned int depth,
		       uint8_t *height)
{
	const struct btf_array *a = (const void *)(t + 1);
	int err = below(j, id, a->type, depth, height);
	uint64_t bytes;

	if (err)
		return err;
	bytes = (uint64_t)a->nelems * j->bytes[a->type];
	if (bytes > UINT32_MAX)
		return bad(j, "array %u has an absurd size", id);
	j->bytes[id] = (uint32_t)bytes;
	return 0;
}

static bool embeddable(const struct judge *j, uint32_t id)
{
	const struct btf_type *t = nt_btf_type(j->b, id);

	switch (t ? BTF_INFO_KIND(t->info) : BTF_KIND_UNKN) {
	case BTF_KIND_UNKN: case BTF_KIND_FUNC: case BTF_KIND_FUNC_PROTO: case BTF_KIND_VAR:
	case BTF_KIND_DATASEC: case BTF_KIND_DECL_TAG: return false;
	default: return true;
	}
}

static int visit_members(struct judge *j, uint32_t id, const struct btf_type *t, unsigned int depth,
			 uint8_t *height)
{
	const struct btf_member *m = (const void *)(t + 1);
	bool kflag = BTF_INFO_KFLAG(t->info);

	j->bytes[id] = t->size;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		uint32_t bit = kflag ? BTF_MEMBER_BIT_OFFSET(m[i].offset) : m[i].offset;
		uint32_t bits = kflag ? BTF_MEMBER_BITFIELD_SIZE(m[i].offset) : 0;
		int err;

		if (!embeddable(j, m[i].type))
			return bad(j, "member %u of type %u is no data", i, id);
		err = below(j, id, m[i].type, depth, height);
		if (err)
			return err;
		if (bit + (bits ? (uint64_t)bits : (uint64_t)j->bytes[m[i].type] * 8) > (uint64_t)t->size * 8)
			return bad(j, "member %u of type %u lies outside of it", i, id);
	}
	return 0;
}

/* Finds cycles by value, absurd sizes and absurd depth. A pointer, and what only a pointer can
 * lead to, ends the walk: cycles through them are normal. */
static int visit(struct judge *j, uint32_t id, unsigned int depth)
{
	const struct btf_type *t = nt_btf_type(j->b, id);
	uint8_t height = 1;
	int err = 0;

	if (!id || (j->height[id] && j->height[id] != IN_PROGRESS))
		return 0;
	if (j->height[id] == IN_PROGRESS)
		return bad(j, "type %u contains itself", id);
	if (depth > DEEPEST)
		return bad(j, "type %u is nested too deep", id);
	j->height[id] = IN_PROGRESS;
	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT: case BTF_KIND_ENUM: case BTF_KIND_ENUM64: case BTF_KIND_FLOAT:
		j->bytes[id] = t->size;
		break;
	case BTF_KIND_PTR:
		j->bytes[id] = sizeof(uint64_t);
		break;
	case BTF_KIND_ARRAY:
		err = visit_array(j, id, t, depth, &height);
		break;
	case BTF_KIND_STRUCT: case BTF_KIND_UNION:
		err = visit_members(j, id, t, depth, &height);
		break;
	case BTF_KIND_TYPEDEF: case BTF_KIND_VOLATILE: case BTF_KIND_CONST: case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		err = below(j, id, t->type, depth, &height);
		j->bytes[id] = j->bytes[t->type];
		break;
	default:
		break;
	}
	j->height[id] = height;
	return err;
}

/* libbpf takes the header for 24 bytes where it checks the sections, whatever hdr_len says. */
static int check_layout(struct judge *j)
{
	const struct nt_btf *b = j->b;
	struct btf_header h;

	memcpy(&h, b->data, sizeof(h));
	if (h.version != BTF_VERSION || h.flags || h.hdr_len != sizeof(h))
		return bad(j, "its version is not known");
	if ((uint64_t)h.type_off + h.type_len > h.str_off || h.str_len > INT32_MAX)
		return bad(j, "its sections overlap");
	if (!b->whole)
		return bad(j, "record %u is cut short or of an unknown kind", b->n_types + 1);
	if (!b->n_types)
		return bad(j, "it has no types");
	if (!b->base && b->strings[0])
		return bad(j, "it is the BTF of a module, which continues that of its kernel");
	return 0;
}

int nt_btf_validate(const struct nt_btf *b, char *why, size_t size)
{
	struct judge j = { .b = b, .end = nt_btf_end(b), .why = why, .why_size = size };
	uint32_t first = j.end - b->n_types;
	int err;

	j.height = calloc(j.end, sizeof(*j.height));
	j.bytes = calloc(j.end, sizeof(*j.bytes));
	if (!j.height || !j.bytes) {
		free(j.height);
		free(j.bytes);
		snprintf(why, size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	err = check_layout(&j);
	for (uint32_t id = first; !err && id < j.end; id++)
		err = check_record(&j, id);
	for (uint32_t id = first; !err && id < j.end; id++)
		err = visit(&j, id, 1);
	free(j.height);
	free(j.bytes);
	return err;
}
