/* SPDX-License-Identifier: GPL-2.0 */
#include "btf_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_file(const char *path, uint8_t **data, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat st;
	size_t cap, n = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || st.st_size <= 0) {
		close(fd);
		return -EINVAL;
	}
	cap = (size_t)st.st_size;
	*data = malloc(cap);
	if (!*data)
		err = -ENOMEM;
	while (!err && n < cap) {
		ssize_t got = read(fd, *data + n, cap - n);

		if (got < 0 && errno != EINTR)
			err = -errno;
		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
	}
	close(fd);
	*size = n;
	if (err)
		free(*data);
	return err;
}

static int check_header(struct nt_btf *b)
{
	struct btf_header h;

	if (b->size < sizeof(h))
		return -EINVAL;
	memcpy(&h, b->data, sizeof(h));
	if (h.magic != BTF_MAGIC || h.hdr_len < sizeof(h) || h.hdr_len > b->size)
		return -EINVAL;
	if (h.hdr_len % 4 || h.type_off % 4)	/* types are read in place */
		return -EINVAL;
	if ((uint64_t)h.hdr_len + h.type_off + h.type_len > b->size ||
	    (uint64_t)h.hdr_len + h.str_off + h.str_len > b->size || !h.str_len)
		return -EINVAL;
	b->types = b->data + h.hdr_len + h.type_off;
	b->types_end = b->types + h.type_len;
	b->strings = (const char *)b->data + h.hdr_len + h.str_off;
	b->strings_len = h.str_len;
	return b->strings[h.str_len - 1] ? -EINVAL : 0;
}

/* Bytes of a type's record, 0 if the kind is unknown. */
static size_t type_size(const struct btf_type *t)
{
	size_t n = sizeof(*t), vlen = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT: return n + sizeof(uint32_t);
	case BTF_KIND_ARRAY: return n + sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return n + vlen * sizeof(struct btf_member);
	case BTF_KIND_ENUM: return n + vlen * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64: return n + vlen * 12;
	case BTF_KIND_FUNC_PROTO: return n + vlen * sizeof(struct btf_param);
	case BTF_KIND_VAR: return n + sizeof(struct btf_var);
	case BTF_KIND_DATASEC: return n + vlen * sizeof(struct btf_var_secinfo);
	case BTF_KIND_DECL_TAG: return n + sizeof(struct btf_decl_tag);
	case BTF_KIND_PTR: case BTF_KIND_FWD: case BTF_KIND_TYPEDEF: case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST: case BTF_KIND_RESTRICT: case BTF_KIND_FUNC: case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG: return n;
	default: return 0;
	}
}

/* Offsets of all types, so that searches do not decode every record again. */
static int index_types(struct nt_btf *b)
{
	const uint8_t *p = b->types;
	size_t cap = (size_t)(b->types_end - p) / sizeof(struct btf_type);

	b->at = malloc((cap + 1) * sizeof(*b->at));
	if (!b->at)
		return -ENOMEM;
	while (p + sizeof(struct btf_type) <= b->types_end) {
		size_t n = type_size((const void *)p);

		if (!n || p + n > b->types_end)
			break;
		b->at[b->n_types++] = (uint32_t)(p - b->types);
		p += n;
	}
	b->whole = p == b->types_end;
	return 0;
}

static const struct btf_type *type_at(const struct nt_btf *b, uint32_t i)
{
	return (const void *)(b->types + b->at[i]);
}

const char *nt_btf_string(const struct nt_btf *b, uint32_t off)
{
	if (b->base) {
		if (off < b->base->strings_len)
			return b->base->strings + off;
		off -= b->base->strings_len;
	}
	return off < b->strings_len ? b->strings + off : NULL;
}

static const char *string_at(const struct nt_btf *b, uint32_t off)
{
	const char *s = nt_btf_string(b, off);

	return s ? s : "";
}

static const struct btf_type *find_type(const struct nt_btf *b, uint32_t kind, const char *name)
{
	for (uint32_t i = 0; i < b->n_types; i++) {
		const struct btf_type *t = type_at(b, i);

		if (BTF_INFO_KIND(t->info) == kind && !strcmp(string_at(b, t->name_off), name))
			return t;
	}
	return NULL;
}

static uint32_t first_id(const struct nt_btf *b)
{
	return b->base ? b->base->n_types + 1 : 1;
}

uint32_t nt_btf_end(const struct nt_btf *b)
{
	return first_id(b) + b->n_types;
}

const struct btf_type *nt_btf_type(const struct nt_btf *b, uint32_t id)
{
	uint32_t first = first_id(b);

	if (b->base && id < first)
		return nt_btf_type(b->base, id);
	return id >= first && id - first < b->n_types ? type_at(b, id - first) : NULL;
}

int nt_btf_new(struct nt_btf **out, uint8_t *data, size_t size, const struct nt_btf *base)
{
	struct nt_btf *b = calloc(1, sizeof(*b));
	int err;

	*out = NULL;
	if (!b) {
		free(data);
		return -ENOMEM;
	}
	b->base = base;
	b->data = data;
	b->size = size;
	err = check_header(b);
	if (!err)
		err = index_types(b);
	if (err) {
		nt_btf_close(b);
		return err;
	}
	*out = b;
	return 0;
}

int nt_btf_open(struct nt_btf **out, const char *path, const struct nt_btf *base)
{
	uint8_t *data = NULL;
	size_t size = 0;
	int err = read_file(path, &data, &size);

	*out = NULL;
	return err ? err : nt_btf_new(out, data, size, base);
}

int nt_btf_memory(const void *data, size_t size, char path[32])
{
	int fd = memfd_create("nettrace-btf", MFD_CLOEXEC);
	size_t done = 0;

	while (fd >= 0 && done < size) {
		ssize_t n = write(fd, (const char *)data + done, size - done);

		if (n < 0 && errno != EINTR) {
			int err = -errno;

			close(fd);
			return err;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd < 0 ? -errno : fd;
}

bool nt_btf_split(const struct nt_btf *b)
{
	return b->base != NULL;
}

const void *nt_btf_bytes(const struct nt_btf *b, size_t *size)
{
	*size = b->size;
	return b->data;
}

void nt_btf_close(struct nt_btf *b)
{
	if (!b)
		return;
	free(b->at);
	free(b->data);
	free(b);
}

bool nt_btf_has_func(const struct nt_btf *b, const char *name)
{
	return b && find_type(b, BTF_KIND_FUNC, name);
}

int nt_btf_func_args(const struct nt_btf *b, const char *name)
{
	const struct btf_type *t = b ? find_type(b, BTF_KIND_FUNC, name) : NULL;

	if (t)
		t = nt_btf_type(b, t->type);
	return t && BTF_INFO_KIND(t->info) == BTF_KIND_FUNC_PROTO ? (int)BTF_INFO_VLEN(t->info) : -ENOENT;
}

bool nt_btf_has_struct(const struct nt_btf *b, const char *name)
{
	return b && find_type(b, BTF_KIND_STRUCT, name);
}

static bool is_pointer(const struct nt_btf *b, uint32_t id)
{
	const struct btf_type *t = nt_btf_type(b, id);

	for (int i = 0; t && i < 8 && (BTF_INFO_KIND(t->info) == BTF_KIND_CONST ||
				       BTF_INFO_KIND(t->info) == BTF_KIND_TYPEDEF); i++)
		t = nt_btf_type(b, t->type);
	return t && BTF_INFO_KIND(t->info) == BTF_KIND_PTR;
}

/* typedef void (*btf_trace_NAME)(void *__data, args...) */
static const struct btf_type *tp_prototype(const struct nt_btf *b, const char *tracepoint)
{
	const struct btf_type *t;
	char name[128];

	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	t = b ? find_type(b, BTF_KIND_TYPEDEF, name) : NULL;
	if (t)
		t = nt_btf_type(b, t->type);
	if (t && BTF_INFO_KIND(t->info) == BTF_KIND_PTR)
		t = nt_btf_type(b, t->type);
	if (!t || BTF_INFO_KIND(t->info) != BTF_KIND_FUNC_PROTO || !BTF_INFO_VLEN(t->info))
		return NULL;
	return t;
}

int nt_btf_tp_args(const struct nt_btf *b, const char *tracepoint)
{
	const struct btf_type *t = tp_prototype(b, tracepoint);

	return t ? (int)BTF_INFO_VLEN(t->info) - 1 : -ENOENT;
}

uint32_t nt_btf_tp_ptrs(const struct nt_btf *b, const char *tracepoint)
{
	const struct btf_type *t = tp_prototype(b, tracepoint);
	const struct btf_param *p = t ? (const void *)(t + 1) : NULL;
	uint32_t ptrs = 0;

	for (uint32_t i = 1; t && i < BTF_INFO_VLEN(t->info) && i <= 32; i++)
		if (is_pointer(b, p[i].type))
			ptrs |= 1u << (i - 1);
	return ptrs;
}

static void each_value(const struct nt_btf *b, const struct btf_type *t,
		       void (*fn)(void *arg, const char *name, uint32_t value), void *arg)
{
	const struct btf_enum *e = (const void *)(t + 1);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++)
		fn(arg, string_at(b, e[i].name_off), (uint32_t)e[i].val);
}

int nt_btf_enum_with(const struct nt_btf *b, const char *first,
		     void (*fn)(void *arg, const char *name, uint32_t value), void *arg)
{
	for (uint32_t i = 0; b && i < b->n_types; i++) {
		const struct btf_type *t = type_at(b, i);
		const struct btf_enum *e = (const void *)(t + 1);

		if (BTF_INFO_KIND(t->info) != BTF_KIND_ENUM || t->name_off || !BTF_INFO_VLEN(t->info) ||
		    strcmp(string_at(b, e->name_off), first))
			continue;
		each_value(b, t, fn, arg);
		return 0;
	}
	return -ENOENT;
}

int nt_btf_enum(const struct nt_btf *b, const char *name,
		void (*fn)(void *arg, const char *name, uint32_t value), void *arg)
{
	const struct btf_type *t = b ? find_type(b, BTF_KIND_ENUM, name) : NULL;

	if (!t)
		return -ENOENT;
	each_value(b, t, fn, arg);
	return 0;
}
