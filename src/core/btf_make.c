/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The smallest BTF that our programs can be loaded with: marks what their relocations reach,
 * then writes just that, structs with their size and only the members that were reached.
 * Functions are left out: only a kernel that has BTF itself can attach to them by type.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/btf_file.h"

struct mark {
	bool named;		/* looked up by name: it, and a typedef to it, keep their names */
	bool values;		/* an enum with its enumerators */
	uint8_t *member;	/* of a struct: which are reached; NULL: none */
	int out;		/* id in the new BTF, 0: not written yet */
};

struct maker {
	const struct nt_btf_set *set;
	struct mark *mark[NT_COUNT(((struct nt_btf_set *)0)->item)];	/* per source, by id - first */
	struct btf *out;
	int ptr;		/* the one pointer: what it points to does not matter */
	size_t roots;
	struct nt_btf_made *made;
};

/* ---- marking ---- */

/* A module's ids below its first are the kernel's. */
static const struct nt_core_source *owner(const struct maker *m, size_t *source, uint32_t id)
{
	if (id < m->set->target.source[*source].first)
		*source = 0;
	return &m->set->target.source[*source];
}

static struct mark *mark_of(const struct maker *m, size_t source, uint32_t id)
{
	const struct nt_core_source *s = owner(m, &source, id);

	return &m->mark[source][id - s->first];
}

static int mark_named(struct maker *m, size_t source, uint32_t id)
{
	struct mark *k = mark_of(m, source, id);

	m->roots += !k->named;
	k->named = true;
	return 0;
}

static int mark_member(struct maker *m, size_t source, const struct nt_core_step *s)
{
	const struct btf_type *t = btf__type_by_id(m->set->target.source[source].btf, s->type_id);
	struct mark *k = mark_of(m, source, s->type_id);

	if (!k->member)
		k->member = calloc(btf_vlen(t), 1);
	if (!k->member)
		return -ENOMEM;
	k->member[s->index] = 1;
	return 0;
}

struct marking {
	struct maker *m;
	bool values;
};

static int mark_path(void *arg, size_t source, const struct nt_core_path *p)
{
	struct marking *g = arg;
	uint32_t id = p->root;
	int err = mark_named(g->m, source, p->root);

	nt_core_strip(p->btf, &id);
	if (g->values)
		mark_of(g->m, source, id)->values = true;
	for (size_t i = 0; !err && i < p->n; i++)
		if (p->step[i].member)
			err = mark_member(g->m, source, &p->step[i]);
	return err;
}

/* Adds a name once to the list of what was not found. */
static void note_missing(struct maker *m, const char *name)
{
	char *list = m->made->missing, *at = strstr(list, name);
	size_t n = strlen(list), len = strlen(name);

	while (at && ((at != list && at[-1] != ' ') || (at[len] && at[len] != ',')))
		at = strstr(at + 1, name);
	if (!at && n + len + 3 < sizeof(m->made->missing))
		snprintf(list + n, sizeof(m->made->missing) - n, "%s%s", n ? ", " : "", name);
}

static bool is_known(const struct maker *m, const char *name)
{
	for (size_t i = 0; i < m->set->n; i++)
		if (btf__find_by_name_kind(m->set->item[i].btf, name, BTF_KIND_STRUCT) > 0)
			return true;
	return false;
}

/* A struct that another one took the place of, of which no kernel has both and our programs ask for either; or one
 * that stands for variables which other kernels have by themselves. */
static bool can_be_absent(const struct maker *m, const char *text)
{
	static const char *const pair[][2] = {
		{ "struct netns_frags", "struct fqdir" },	/* 5.3 */
	};
	const size_t skip = strlen("struct ");

	if (!strcmp(text, "struct pcpu_hot"))			/* 6.2 to 6.14 */
		return true;
	for (size_t i = 0; i < NT_COUNT(pair); i++)
		for (int k = 0; k < 2; k++)
			if (!strcmp(text, pair[i][k]) && is_known(m, pair[i][!k] + skip))
				return true;
	return false;
}

static int mark_relo(struct maker *m, const struct btf *local, const struct nt_relo *r)
{
	struct marking g = { m, r->kind == BPF_CORE_ENUMVAL_EXISTS || r->kind == BPF_CORE_ENUMVAL_VALUE };
	struct nt_core_path p;
	char text[128];
	int rc = nt_core_local(&p, local, r);

	if (rc || r->kind == BPF_CORE_TYPE_ID_LOCAL)
		return rc;
	if (!nt_core_known(&m->set->target, &p)) {
		p.n = 0;	/* the type's name alone */
		nt_core_text(&p, text, sizeof(text));
		if (!can_be_absent(m, text))
			note_missing(m, text);
		return 0;
	}
	rc = nt_core_each(&m->set->target, r, &p, mark_path, &g);
	return rc < 0 ? rc : 0;
}

static int mark_object(struct maker *m, const struct nt_tool_entry *e)
{
	struct nt_object o;
	int err = nt_object_read_tool(&o, e);

	for (size_t i = 0; !err && i < o.n; i++)
		for (size_t k = 0; !err && k < o.prog[i].n_relo; k++)
			err = mark_relo(m, o.btf, &o.prog[i].relo[k]);
	nt_object_free(&o);
	return err;
}

/* Marks every type of a kind and name that the core asks for; the kernel's own goes first. */
static void mark_kind(struct maker *m, uint32_t kind, const char *name)
{
	for (size_t i = 0; i < m->set->n; i++) {
		const struct btf *btf = m->set->item[i].btf;
		int id = btf__find_by_name_kind(btf, name, kind);

		if (id <= 0)
			continue;
		mark_named(m, i, (uint32_t)id);
		mark_of(m, i, (uint32_t)id)->values = true;
		return;
	}
}

/* What src/core reads itself: names of drop reasons (names.c) and the arguments of tracepoints
 * (nt_btf_tp_args, nt_btf_tp_ptrs). */
static void mark_core(struct maker *m, const struct nt_tool *t)
{
	static const char *const enums[] = { "skb_drop_reason", "ovs_drop_reason", "qdisc_drop_reason" };
	char name[128];

	for (size_t i = 0; i < NT_COUNT(enums); i++)
		mark_kind(m, BTF_KIND_ENUM, enums[i]);
	for (size_t i = 0; i < t->n_hooks; i++) {
		const char *p = t->hooks[i].targets;

		while (t->hooks[i].type == NT_HOOK_TP && *p) {
			size_t len = strcspn(p, "|");
			const char *colon = memchr(p, ':', len), *tp = colon ? colon + 1 : p;

			snprintf(name, sizeof(name), "btf_trace_%.*s", (int)(p + len - tp), tp);
			mark_kind(m, BTF_KIND_TYPEDEF, name);
			p += len + (p[len] == '|');
		}
	}
}

/* ---- writing ---- */

static int write_type(struct maker *m, size_t source, uint32_t id);

static int void_ptr(struct maker *m)
{
	if (!m->ptr)
		m->ptr = btf__add_ptr(m->out, 0);
	return m->ptr;
}

/* As many arguments, pointers to nothing or of no type: more is not asked for. */
static int write_proto(struct maker *m, const struct btf *btf, const struct btf_type *t)
{
	const struct btf_param *p = btf_params(t);
	int ptr = void_ptr(m), id = btf__add_func_proto(m->out, 0), err = ptr < 0 ? ptr : 0;

	for (uint32_t i = 0; id > 0 && !err && i < btf_vlen(t); i++) {
		uint32_t of = p[i].type;
		const struct btf_type *type = nt_core_strip(btf, &of);

		err = btf__add_func_param(m->out, NULL, type && btf_is_ptr(type) ? ptr : 0);
	}
	return err ? err : id;
}

static int write_ptr(struct maker *m, const struct btf *btf, const struct btf_type *t, bool tracepoint)
{
	uint32_t to = t->type;

	if (tracepoint) {
		const struct btf_type *proto = nt_core_strip(btf, &to);
		int id = proto && btf_is_func_proto(proto) ? write_proto(m, btf, proto) : 0;

		return id < 0 ? id : btf__add_ptr(m->out, id);
	}
	return void_ptr(m);
}

static int write_enum(struct maker *m, const struct btf *btf, const struct btf_type *t, bool values)
{
	const char *name = btf__name_by_offset(btf, t->name_off);

	if (values)
		return btf__add_type(m->out, btf, t);
	return btf_is_enum64(t) ? btf__add_enum64(m->out, name, t->size, btf_kflag(t))
				: btf__add_enum(m->out, name, t->size);
}

static int write_array(struct maker *m, size_t source, const struct btf_type *t)
{
	int elem = write_type(m, source, btf_array(t)->type);
	int index = elem < 0 ? elem : write_type(m, source, btf_array(t)->index_type);

	return index < 0 ? index : btf__add_array(m->out, index, elem, btf_array(t)->nelems);
}

static int write_members(struct maker *m, const struct btf *btf, const struct btf_type *t,
			 const uint8_t *wanted, const int *types)
{
	int err = 0;

	for (uint32_t i = 0; !err && wanted && i < btf_vlen(t); i++)
		if (wanted[i])
			err = btf__add_field(m->out, btf__name_by_offset(btf, btf_members(t)[i].name_off),
					     types[i], btf_member_bit_offset(t, i),
					     btf_member_bitfield_size(t, i));
	return err;
}

static int write_struct(struct maker *m, size_t source, const struct btf_type *t, const struct mark *k)
{
	const struct btf *btf = m->set->target.source[source].btf;
	/* A name would make a candidate of a struct that is only a part of others. */
	const char *name = k->named ? btf__name_by_offset(btf, t->name_off) : NULL;
	int *types = calloc(btf_vlen(t) + 1, sizeof(*types)), err = types ? 0 : -ENOMEM, id = 0;

	/* btf__add_field() adds to the type that was written last: what it refers to comes first. */
	for (uint32_t i = 0; !err && k->member && i < btf_vlen(t); i++) {
		if (!k->member[i])
			continue;
		types[i] = write_type(m, source, btf_members(t)[i].type);
		err = types[i] < 0 ? types[i] : 0;
	}
	if (!err) {
		id = btf_is_union(t) ? btf__add_union(m->out, name, t->size)
				     : btf__add_struct(m->out, name, t->size);
		err = id < 0 ? id : write_members(m, btf, t, k->member, types);
	}
	free(types);
	return err ? err : id;
}

/* Writes the type unless it is written: without modifiers, and without typedefs, unless it is
 * one that was looked up. Its id, 0 for void, or -errno. The depth is bounded by
 * nt_btf_validate(). */
static int write_type(struct maker *m, size_t source, uint32_t id)
{
	const struct btf *btf = owner(m, &source, id)->btf;
	const struct btf_type *t = btf__type_by_id(btf, id);
	struct mark *k;
	int out = 0;

	if (!id || !t)
		return 0;
	k = mark_of(m, source, id);
	if (k->out)
		return k->out;
	if (btf_is_mod(t) || (btf_is_typedef(t) && !k->named))
		return write_type(m, source, t->type);
	if (btf_is_typedef(t)) {
		const struct btf_type *to = btf__type_by_id(btf, t->type);

		out = k->values && btf_is_ptr(to) ? write_ptr(m, btf, to, true)
						  : write_type(m, source, t->type);
		if (out >= 0)
			out = btf__add_typedef(m->out, btf__name_by_offset(btf, t->name_off), out);
	} else if (btf_is_int(t) || btf_is_float(t)) {
		out = btf__add_type(m->out, btf, t);
	} else if (btf_is_ptr(t)) {
		out = write_ptr(m, btf, t, false);
	} else if (btf_is_any_enum(t)) {
		out = write_enum(m, btf, t, k->values);
	} else if (btf_is_array(t)) {
		out = write_array(m, source, t);
	} else if (btf_is_composite(t)) {
		out = write_struct(m, source, t, k);
	}
	k->out = out > 0 ? out : 0;
	return out;
}

static int write_all(struct maker *m)
{
	for (size_t i = 0; i < m->set->target.n; i++) {
		const struct nt_core_source *s = &m->set->target.source[i];

		for (uint32_t id = s->first; id < s->end; id++) {
			int out = m->mark[i][id - s->first].named ? write_type(m, i, id) : 0;

			if (out < 0)
				return out;
		}
	}
	return 0;
}

static int finish(struct maker *m, struct nt_err *err)
{
	const void *data;
	uint32_t size;
	int rc;

	if (!m->roots)
		return nt_err_set(err, NT_EXIT_RUNTIME, ENOENT, "nothing found: none of the types that the "
				  "tools read is in the files: give the kernel's vmlinux first");
	m->out = btf__new_empty();
	rc = m->out ? write_all(m) : -ENOMEM;
	if (!rc)
		rc = btf__dedup(m->out, NULL);
	data = rc ? NULL : btf__raw_data(m->out, &size);
	if (!rc && data)
		m->made->data = malloc(size);
	if (!m->made->data)
		return nt_err_set(err, NT_EXIT_RUNTIME, rc ? -rc : ENOMEM, "cannot make the BTF: %s",
				  strerror(rc ? -rc : ENOMEM));
	memcpy(m->made->data, data, size);
	m->made->size = size;
	m->made->n_types = btf__type_cnt(m->out) - 1;
	return 0;
}

static void release(struct maker *m)
{
	for (size_t i = 0; i < m->set->target.n; i++) {
		const struct nt_core_source *s = &m->set->target.source[i];

		for (uint32_t id = s->first; m->mark[i] && id < s->end; id++)
			free(m->mark[i][id - s->first].member);
		free(m->mark[i]);
	}
	btf__free(m->out);
}

int nt_btf_make(struct nt_btf_made *made, const struct nt_btf_set *s,
		const struct nt_tool_entry *const *tools, size_t n, struct nt_err *err)
{
	struct maker m = { .set = s, .made = made };
	int rc = 0;

	memset(made, 0, sizeof(*made));
	for (size_t i = 0; !rc && i < s->target.n; i++) {
		m.mark[i] = calloc(s->target.source[i].end - s->target.source[i].first + 1,
				   sizeof(*m.mark[i]));
		rc = m.mark[i] ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !rc && i < n; i++) {
		rc = mark_object(&m, tools[i]);
		if (!rc)
			mark_core(&m, tools[i]->tool);
	}
	if (rc)
		nt_err_set(err, NT_EXIT_RUNTIME, -rc, "cannot find what the tools read: %s", strerror(-rc));
	else
		rc = finish(&m, err);
	release(&m);
	return rc;
}
