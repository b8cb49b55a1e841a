/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/btf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

struct nt_btf {
	uint8_t *data;
	size_t size;
	const uint8_t *types, *types_end;
	uint32_t *at;		/* offset of each type in types; index 0 is the first */
	const char *strings;
	uint32_t strings_len;
	uint32_t n_types;
	const struct nt_btf *base;
};

#ifndef BTF_KIND_ENUM64
#define BTF_KIND_ENUM64 19
#endif

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
	return 0;
}

static const struct btf_type *type_at(const struct nt_btf *b, uint32_t i)
{
	return (const void *)(b->types + b->at[i]);
}

static const char *string_at(const struct nt_btf *b, uint32_t off)
{
	if (b->base) {
		if (off < b->base->strings_len)
			return b->base->strings + off;
		off -= b->base->strings_len;
	}
	return off < b->strings_len ? b->strings + off : "";
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

/* Ids count from 1; a module's go on behind the kernel's. */
static const struct btf_type *type_by_id(const struct nt_btf *b, uint32_t id)
{
	uint32_t first = b->base ? b->base->n_types + 1 : 1;

	if (b->base && id < first)
		return type_by_id(b->base, id);
	return id >= first && id - first < b->n_types ? type_at(b, id - first) : NULL;
}

int nt_btf_open(struct nt_btf **out, const char *path, const struct nt_btf *base)
{
	struct nt_btf *b = calloc(1, sizeof(*b));
	int err;

	*out = NULL;
	if (!b)
		return -ENOMEM;
	b->base = base;
	err = read_file(path, &b->data, &b->size);
	if (!err)
		err = check_header(b);
	else
		b->data = NULL;
	if (!err)
		err = index_types(b);
	if (err) {
		nt_btf_close(b);
		return err;
	}
	*out = b;
	return 0;
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

/* typedef void (*btf_trace_NAME)(void *__data, args...) */
int nt_btf_tp_args(const struct nt_btf *b, const char *tracepoint)
{
	const struct btf_type *t;
	char name[128];

	if (!b)
		return -ENOENT;
	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	t = find_type(b, BTF_KIND_TYPEDEF, name);
	if (t)
		t = type_by_id(b, t->type);
	if (t && BTF_INFO_KIND(t->info) == BTF_KIND_PTR)
		t = type_by_id(b, t->type);
	if (!t || BTF_INFO_KIND(t->info) != BTF_KIND_FUNC_PROTO || !BTF_INFO_VLEN(t->info))
		return -ENOENT;
	return (int)BTF_INFO_VLEN(t->info) - 1;
}

int nt_btf_enum(const struct nt_btf *b, const char *name,
		void (*fn)(void *arg, const char *name, uint32_t value), void *arg)
{
	const struct btf_type *t = b ? find_type(b, BTF_KIND_ENUM, name) : NULL;
	const struct btf_enum *e;

	if (!t)
		return -ENOENT;
	e = (const void *)(t + 1);
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++)
		fn(arg, string_at(b, e[i].name_off), (uint32_t)e[i].val);
	return 0;
}

static bool in_folder(const char *folder, const struct utsname *u, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s/%s.btf", folder, u->machine, u->release);
	return !access(buf, R_OK);
}

int nt_btf_find(const char *custom, char *buf, size_t size, bool *is_custom)
{
	char exe[512], *slash;
	struct utsname u;
	ssize_t n;

	*is_custom = true;
	if (custom) {
		snprintf(buf, size, "%s", custom);
		return access(custom, R_OK) ? -errno : 0;
	}
	snprintf(buf, size, "/sys/kernel/btf/vmlinux");
	if (!access(buf, R_OK)) {
		*is_custom = false;
		return 0;
	}
	uname(&u);
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 16);
	if (n > 0) {
		exe[n] = '\0';
		slash = strrchr(exe, '/');
		strcpy(slash ? slash + 1 : exe, "nettrace-btf");
		if (in_folder(exe, &u, buf, size))
			return 0;
	}
	return in_folder("/usr/lib/nettrace/btf", &u, buf, size) ? 0 : -ENOENT;
}
