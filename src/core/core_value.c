/* SPDX-License-Identifier: GPL-2.0 */
/* Values of CO-RE relocations, and where they stand in instructions. */
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nettrace/core_relo.h"

/* Where a bit-field is read: an aligned word of byte bytes at off that holds all its bits. */
struct place {
	uint64_t off;
	uint32_t byte, bits, bit_in_word;
};

static int bitfield(const struct nt_core_path *p, uint32_t bits, struct place *at)
{
	int64_t size = btf__resolve_size(p->btf, p->end_type);

	if (size <= 0)
		return -EINVAL;
	at->byte = (uint32_t)size;
	for (;; at->byte *= 2) {
		if (at->byte > 8)
			return -EINVAL;
		at->off = p->bit / 8 / at->byte * at->byte;
		if (p->bit + bits - at->off * 8 <= (uint64_t)at->byte * 8)
			break;
	}
	at->bits = bits;
	at->bit_in_word = (uint32_t)(p->bit - at->off * 8);
	return 0;
}

/* What the path's last step leads to. */
static int find_place(const struct nt_core_path *p, struct place *at)
{
	const struct nt_core_step *last = &p->step[p->n - 1];
	uint32_t bits = 0;
	int64_t size;

	if (last->member)
		bits = btf_member_bitfield_size(btf__type_by_id(p->btf, last->type_id), last->index);
	if (bits)
		return bitfield(p, bits, at);
	size = btf__resolve_size(p->btf, p->end_type);
	if (size < 0 || size > UINT32_MAX)
		return -EINVAL;
	*at = (struct place){ .off = p->bit / 8, .byte = (uint32_t)size, .bits = (uint32_t)size * 8 };
	return 0;
}

static bool is_signed(const struct nt_core_path *p)
{
	uint32_t id = p->end_type;
	const struct btf_type *t = nt_core_strip(p->btf, &id);

	return t && ((btf_is_int(t) && (btf_int_encoding(t) & BTF_INT_SIGNED)) || btf_is_any_enum(t));
}

static int field_value(enum bpf_core_relo_kind kind, const struct nt_core_path *p, uint64_t *v)
{
	struct place at;

	if (!p->n || find_place(p, &at))
		return -EINVAL;
	switch (kind) {
	case BPF_CORE_FIELD_BYTE_OFFSET: *v = at.off; return 0;
	case BPF_CORE_FIELD_BYTE_SIZE: *v = at.byte; return 0;
	case BPF_CORE_FIELD_SIGNED: *v = is_signed(p); return 0;
	/* bpf_core_read.h shifts the bits to the top of 64 and back (little-endian) */
	case BPF_CORE_FIELD_LSHIFT_U64: *v = 64 - (at.bit_in_word + at.bits); return 0;
	case BPF_CORE_FIELD_RSHIFT_U64: *v = 64 - at.bits; return 0;
	default: return -EINVAL;
	}
}

static int value_of(enum bpf_core_relo_kind kind, const struct nt_core_path *p, uint64_t *v)
{
	int64_t size;

	switch (kind) {
	case BPF_CORE_FIELD_EXISTS:
	case BPF_CORE_TYPE_EXISTS:
	case BPF_CORE_ENUMVAL_EXISTS:
		*v = 1;
		return 0;
	case BPF_CORE_TYPE_SIZE:
		size = btf__resolve_size(p->btf, p->root);
		*v = (uint64_t)size;
		return size < 0 ? -EINVAL : 0;
	case BPF_CORE_TYPE_ID_TARGET:
		*v = p->root;
		return 0;
	case BPF_CORE_ENUMVAL_VALUE:
		*v = p->enum_value;
		return 0;
	default:
		return field_value(kind, p, v);
	}
}

/* A load is narrowed or widened only between pointers and between unsigned integers. */
static bool adjustable(const struct nt_core_path *a, const struct nt_core_path *b)
{
	uint32_t x = a->end_type, y = b->end_type;
	const struct btf_type *t = nt_core_strip(a->btf, &x), *u = nt_core_strip(b->btf, &y);

	if (btf__resolve_size(a->btf, x) == btf__resolve_size(b->btf, y))
		return true;
	if (btf_is_ptr(t) && btf_is_ptr(u))
		return true;
	return btf_is_int(t) && btf_is_int(u) && !is_signed(a) && !is_signed(b);
}

static bool is_memory(const struct bpf_insn *i)
{
	uint8_t class = BPF_CLASS(i->code);

	return class == BPF_LDX || class == BPF_ST || class == BPF_STX;
}

struct found {
	const struct nt_relo *relo;
	const struct nt_core_path *local;
	const struct bpf_insn *insn;
	uint64_t value;
	bool any, unreadable;
};

/* Two candidates must agree. */
static int take(void *arg, size_t source, const struct nt_core_path *p)
{
	struct found *f = arg;
	uint64_t v = 0;

	(void)source;
	if (value_of(f->relo->kind, p, &v) || (f->any && v != f->value))
		return -EINVAL;
	f->value = v;
	f->any = true;
	if (f->relo->kind == BPF_CORE_FIELD_BYTE_OFFSET && is_memory(f->insn) && !adjustable(f->local, p))
		f->unreadable = true;
	return 0;
}

int nt_core_value(const struct nt_core_target *t, const struct nt_relo *r,
		  const struct nt_core_path *local, const struct bpf_insn *insn, uint64_t *value)
{
	struct found f = { .relo = r, .local = local, .insn = insn };
	int n;

	if (r->kind == BPF_CORE_TYPE_ID_LOCAL) {
		*value = r->type_id;
		return 0;
	}
	n = nt_core_each(t, r, local, take, &f);
	if (n < 0)
		return -EINVAL;
	*value = f.value;
	if (n)
		return f.unreadable ? -ENOENT : 0;
	return r->kind == BPF_CORE_FIELD_EXISTS || r->kind == BPF_CORE_TYPE_EXISTS ||
	       r->kind == BPF_CORE_ENUMVAL_EXISTS ? 0 : -ENOENT;
}

int nt_core_patch(struct bpf_insn *insns, size_t n, const struct nt_relo *r, uint64_t value)
{
	struct bpf_insn *i = &insns[r->insn];
	uint8_t class = r->insn < n ? BPF_CLASS(i->code) : 0;

	if (r->insn >= n)
		return -EINVAL;
	if (i->code == (BPF_LD | BPF_DW | BPF_IMM) && r->insn + 1 < n) {
		i[0].imm = (int32_t)value;
		i[1].imm = (int32_t)(value >> 32);
	} else if ((class == BPF_ALU || class == BPF_ALU64) && BPF_SRC(i->code) == BPF_K) {
		i->imm = (int32_t)value;
	} else if (is_memory(i) && value <= INT16_MAX) {
		i->off = (int16_t)value;
	} else {
		return -EINVAL;
	}
	return 0;
}

const char *nt_core_text(const struct nt_core_path *local, char *buf, size_t size)
{
	const struct btf_type *t = btf__type_by_id(local->btf, local->root);
	const char *name = btf__name_by_offset(local->btf, t->name_off);
	size_t n;

	n = (size_t)snprintf(buf, size, "%s%.*s", btf_is_union(t) ? "union " : btf_is_struct(t) ? "struct " :
			     btf_is_any_enum(t) ? "enum " : "", (int)nt_core_name_len(name), name);
	for (size_t i = 1; i < local->n && n < size; i++) {
		const struct nt_core_step *s = &local->step[i];
		const struct btf_type *in = btf__type_by_id(local->btf, s->type_id);

		if (!s->member)
			n += (size_t)snprintf(buf + n, size - n, "[%u]", s->index);
		else if (s->named)
			n += (size_t)snprintf(buf + n, size - n, ".%s",
					      btf__name_by_offset(local->btf,
								  btf_members(in)[s->index].name_off));
	}
	return buf;
}
