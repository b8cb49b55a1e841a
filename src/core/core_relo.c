/* SPDX-License-Identifier: GPL-2.0 */
/* Paths of CO-RE relocations in the object and in the kernel. */
#include "nettrace/core_relo.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 16384u

size_t nt_core_name_len(const char *name)
{
	size_t n = strlen(name);

	/* three underscores, neither the name's beginning nor four of them */
	for (size_t i = n; i-- > 1;)
		if (i + 4 <= n && !strncmp(name + i, "___", 3) && name[i - 1] != '_' && name[i + 3] != '_')
			return i;
	return n;
}

static const char *name_of(const struct btf *btf, uint32_t off)
{
	const char *s = btf__name_by_offset(btf, off);

	return s ? s : "";
}

static bool same_name(const char *a, const char *b)
{
	size_t n = nt_core_name_len(a);

	return n == nt_core_name_len(b) && !strncmp(a, b, n);
}

static uint32_t hash(const char *name)
{
	size_t n = nt_core_name_len(name);
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	return h % BUCKETS;
}

/* ---- the target ---- */

static bool indexed(const struct btf_type *t)
{
	return t->name_off && (btf_is_composite(t) || btf_is_any_enum(t) || btf_is_typedef(t) ||
			       btf_is_int(t) || btf_is_float(t));
}

int nt_core_target_add(struct nt_core_target *t, const struct btf *btf)
{
	const struct btf *base = btf__base_btf(btf);
	struct nt_core_source *s = realloc(t->source, (t->n + 1) * sizeof(*s));

	if (!s)
		return -ENOMEM;
	t->source = s;
	s += t->n;
	s->btf = btf;
	s->first = base ? btf__type_cnt(base) : 1;
	s->end = btf__type_cnt(btf);
	s->head = calloc(BUCKETS, sizeof(*s->head));
	s->next = calloc(s->end - s->first + 1, sizeof(*s->next));
	t->n++;
	if (!s->head || !s->next)
		return -ENOMEM;
	for (uint32_t id = s->end; id-- > s->first;) {	/* backwards: chains then go forwards */
		const struct btf_type *type = btf__type_by_id(btf, id);
		uint32_t h;

		if (!indexed(type))
			continue;
		h = hash(name_of(btf, type->name_off));
		s->next[id - s->first] = s->head[h];
		s->head[h] = id;
	}
	return 0;
}

void nt_core_target_free(struct nt_core_target *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->source[i].head);
		free(t->source[i].next);
	}
	free(t->source);
	t->source = NULL;
	t->n = 0;
}

/* ---- types ---- */

const struct btf_type *nt_core_strip(const struct btf *btf, uint32_t *id)
{
	const struct btf_type *t = btf__type_by_id(btf, *id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t))) {
		*id = t->type;
		t = btf__type_by_id(btf, *id);
	}
	return t;
}

static bool is_type_relo(enum bpf_core_relo_kind k)
{
	return k == BPF_CORE_TYPE_ID_LOCAL || k == BPF_CORE_TYPE_ID_TARGET ||
	       k == BPF_CORE_TYPE_EXISTS || k == BPF_CORE_TYPE_SIZE;
}

static bool is_enum_relo(enum bpf_core_relo_kind k)
{
	return k == BPF_CORE_ENUMVAL_EXISTS || k == BPF_CORE_ENUMVAL_VALUE;
}

static struct nt_core_step *add_step(struct nt_core_path *p, uint32_t type_id, uint32_t index,
				     bool member, bool named)
{
	if (p->n == NT_CORE_STEPS)
		return NULL;
	p->step[p->n] = (struct nt_core_step){ type_id, index, member, named };
	return &p->step[p->n++];
}

static const char *enumerator(const struct btf *btf, const struct btf_type *t, uint32_t i, uint64_t *v)
{
	if (btf_is_enum64(t)) {
		*v = btf_enum64_value(btf_enum64(t) + i);
		return name_of(btf, btf_enum64(t)[i].name_off);
	}
	*v = (uint64_t)(int64_t)btf_enum(t)[i].val;
	return name_of(btf, btf_enum(t)[i].name_off);
}

/* An array without length at the end of a struct has as many elements as are used. */
static bool is_flexible(const struct nt_core_path *p, const struct btf_array *a)
{
	const struct nt_core_step *last = p->n ? &p->step[p->n - 1] : NULL;
	const struct btf_type *t;

	if (a->nelems || !last || !last->member)
		return false;
	t = btf__type_by_id(p->btf, last->type_id);
	return last->index + 1u == btf_vlen(t);
}

/* One step into an array, whose stripped id is *id; *id becomes the element's declared type. */
static int array_step(struct nt_core_path *p, const struct btf_type *t, uint32_t *id, uint32_t index)
{
	const struct btf_array *a = btf_array(t);
	int64_t size = btf__resolve_size(p->btf, a->type);

	if (size < 0)
		return -EINVAL;
	if (index >= a->nelems && !is_flexible(p, a))
		return -ENOENT;
	p->bit += (uint64_t)index * (uint64_t)size * 8;
	if (!add_step(p, *id, index, false, true))
		return -E2BIG;
	*id = a->type;
	return 0;
}

/* ---- the object's own path ---- */

static int local_step(struct nt_core_path *p, uint32_t *id, uint32_t index)
{
	const struct btf_type *t = nt_core_strip(p->btf, id);

	if (!t)
		return -EINVAL;
	if (btf_is_array(t))
		return array_step(p, t, id, index);
	if (!btf_is_composite(t) || index >= btf_vlen(t))
		return -EINVAL;
	p->bit += btf_member_bit_offset(t, index);
	if (!add_step(p, *id, index, true, btf_members(t)[index].name_off != 0))
		return -E2BIG;
	*id = btf_members(t)[index].type;
	return 0;
}

static int local_field(struct nt_core_path *p, const char *access, uint32_t id)
{
	bool first = true;

	while (*access) {
		char *end;
		unsigned long index = strtoul(access, &end, 10);
		int err = 0;

		if (end == access || (*end && *end != ':') || index > UINT32_MAX)
			return -EINVAL;
		if (first) {		/* the pointer as an array of what it points to */
			int64_t size = btf__resolve_size(p->btf, id);

			if (size < 0)
				return -EINVAL;
			p->bit = index * (uint64_t)size * 8;
			if (!add_step(p, id, (uint32_t)index, false, true))
				return -E2BIG;
		} else {
			err = local_step(p, &id, (uint32_t)index);
		}
		if (err)
			return err;
		first = false;
		access = end + (*end == ':');
	}
	p->end_type = id;
	return first ? -EINVAL : 0;
}

int nt_core_local(struct nt_core_path *p, const struct btf *local, const struct nt_relo *r)
{
	const struct btf_type *t = btf__type_by_id(local, r->type_id);
	uint32_t id = r->type_id;

	memset(p, 0, sizeof(*p));
	p->btf = local;
	p->root = p->end_type = r->type_id;
	if (!t || !*name_of(local, t->name_off))
		return -EINVAL;
	if (r->kind == BPF_CORE_TYPE_MATCHES)
		return -ENOTSUP;
	if (is_type_relo(r->kind))
		return 0;
	t = nt_core_strip(local, &id);
	if (!t)
		return -EINVAL;
	if (!is_enum_relo(r->kind))
		return local_field(p, r->access, id);
	p->enum_index = (uint32_t)strtoul(r->access, NULL, 10);
	if (!btf_is_any_enum(t) || p->enum_index >= btf_vlen(t))
		return -EINVAL;
	enumerator(local, t, p->enum_index, &p->enum_value);
	return 0;
}

/* ---- the kernel's path ---- */

static bool names_compatible(const struct btf *a, uint32_t a_off, const struct btf *b, uint32_t b_off)
{
	const char *x = name_of(a, a_off), *y = name_of(b, b_off);

	return !*x || !*y || same_name(x, y);
}

/* May a field of type a (ours) be read where the kernel has b? */
static bool compatible(const struct btf *la, uint32_t a, const struct btf *lb, uint32_t b, int depth)
{
	const struct btf_type *t = nt_core_strip(la, &a), *u = nt_core_strip(lb, &b);

	if (!t || !u || depth > 32)
		return false;
	if (btf_is_composite(t) && btf_is_composite(u))
		return true;
	if (btf_kind(t) != btf_kind(u) && !(btf_is_any_enum(t) && btf_is_any_enum(u)))
		return false;
	if (btf_is_ptr(t) || btf_is_float(t))
		return true;
	if (btf_is_fwd(t) || btf_is_any_enum(t))
		return names_compatible(la, t->name_off, lb, u->name_off);
	if (btf_is_int(t))		/* any size and sign, but no bit-field of old pahole */
		return !btf_int_offset(t) && !btf_int_offset(u);
	if (btf_is_array(t))
		return compatible(la, btf_array(t)->type, lb, btf_array(u)->type, depth + 1);
	return false;
}

/* The member called name, also in anonymous structs and unions. 1 found, 0 not, or -errno. *id is
 * the struct, then the member's type. */
static int find_member(struct nt_core_path *p, uint32_t *id, const struct btf *local,
		       const struct btf_member *wanted)
{
	const struct btf_type *t = nt_core_strip(p->btf, id);
	const char *name = name_of(local, wanted->name_off);
	uint32_t n = t && btf_is_composite(t) ? btf_vlen(t) : 0, owner = *id;

	for (uint32_t i = 0; i < n; i++) {
		const struct btf_member *m = btf_members(t) + i;
		const char *its = name_of(p->btf, m->name_off);
		uint64_t bit = p->bit;
		uint32_t inner = m->type;
		size_t steps = p->n;
		int found;

		if (*its && strcmp(its, name))
			continue;
		p->bit += btf_member_bit_offset(t, i);
		if (!add_step(p, owner, i, true, *its != 0))
			return -E2BIG;
		if (*its) {
			*id = m->type;
			return compatible(local, wanted->type, p->btf, m->type, 0);
		}
		found = find_member(p, &inner, local, wanted);
		if (found) {
			*id = inner;
			return found;
		}
		p->n = steps;
		p->bit = bit;
	}
	return 0;
}

/* 1: the candidate has the field; 0: not. */
static int match_field(struct nt_core_path *p, const struct nt_core_path *local)
{
	uint32_t id = p->root;

	for (size_t i = 0; i < local->n; i++) {
		const struct nt_core_step *s = &local->step[i];
		const struct btf_type *t = nt_core_strip(p->btf, &id);
		int rc;

		if (!t)
			return 0;
		if (!i) {
			int64_t size = btf__resolve_size(p->btf, id);

			p->bit = size < 0 ? 0 : (uint64_t)s->index * (uint64_t)size * 8;
			add_step(p, id, s->index, false, true);
			continue;
		}
		if (s->member) {
			if (!s->named)
				continue;
			t = btf__type_by_id(local->btf, s->type_id);
			rc = find_member(p, &id, local->btf, btf_members(t) + s->index);
			if (rc <= 0)
				return rc;
			continue;
		}
		if (!btf_is_array(t))
			return 0;
		rc = array_step(p, t, &id, s->index);
		if (rc)
			return rc == -ENOENT ? 0 : rc;
	}
	p->end_type = id;
	return 1;
}

static int match_enum(struct nt_core_path *p, const struct nt_core_path *local)
{
	uint32_t l = local->root, k = p->root;
	const struct btf_type *t = nt_core_strip(local->btf, &l), *u = nt_core_strip(p->btf, &k);
	uint64_t value;
	const char *name = enumerator(local->btf, t, local->enum_index, &value);

	for (uint32_t i = 0; u && btf_is_any_enum(u) && i < btf_vlen(u); i++) {
		if (same_name(enumerator(p->btf, u, i, &value), name)) {
			p->enum_index = i;
			p->enum_value = value;
			return 1;
		}
	}
	return 0;
}

static int match(struct nt_core_path *p, const struct nt_relo *r, const struct nt_core_path *local)
{
	if (is_type_relo(r->kind)) {
		uint32_t a = local->root, b = p->root;
		const struct btf_type *t = nt_core_strip(local->btf, &a), *u = nt_core_strip(p->btf, &b);

		return t && u && btf_kind(t) == btf_kind(u);
	}
	return is_enum_relo(r->kind) ? match_enum(p, local) : match_field(p, local);
}

static bool is_candidate(const struct nt_core_source *s, uint32_t id, const struct btf_type *want,
			 const char *name)
{
	const struct btf_type *t = btf__type_by_id(s->btf, id);
	bool kind = btf_kind(t) == btf_kind(want) || (btf_is_any_enum(t) && btf_is_any_enum(want));

	return kind && same_name(name_of(s->btf, t->name_off), name);
}

int nt_core_each(const struct nt_core_target *t, const struct nt_relo *r,
		 const struct nt_core_path *local,
		 int (*fn)(void *arg, size_t source, const struct nt_core_path *p), void *arg)
{
	const struct btf_type *want = btf__type_by_id(local->btf, local->root);
	const char *name = name_of(local->btf, want->name_off);
	bool found = false;
	int n = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct nt_core_source *s = &t->source[i];

		/* bpf_core_find_cands(): what the kernel proper has is not looked for in modules */
		if (i == 1 && found)
			break;
		for (uint32_t id = s->head[hash(name)]; id; id = s->next[id - s->first]) {
			struct nt_core_path p = { .btf = s->btf, .root = id, .end_type = id };
			int rc;

			if (!is_candidate(s, id, want, name))
				continue;
			found = true;
			rc = match(&p, r, local);
			if (rc > 0) {
				n++;
				rc = fn(arg, i, &p);
			}
			if (rc < 0)
				return rc;
		}
	}
	return n;
}

bool nt_core_known(const struct nt_core_target *t, const struct nt_core_path *local)
{
	const struct btf_type *want = btf__type_by_id(local->btf, local->root);
	const char *name = name_of(local->btf, want->name_off);

	for (size_t i = 0; i < t->n; i++) {
		const struct nt_core_source *s = &t->source[i];

		for (uint32_t id = s->head[hash(name)]; id; id = s->next[id - s->first])
			if (is_candidate(s, id, want, name))
				return true;
	}
	return false;
}
