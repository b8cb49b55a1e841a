/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/object.h"

#include <bpf/btf.h>
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/tool.h"

#define INSN sizeof(struct bpf_insn)
#define MAX_INSNS (1u << 16)

struct sec {
	const char *name;
	const uint8_t *data;
	size_t size;
	Elf_Data *rel;			/* its relocations, NULL: none */
	bool code;
};

struct func {
	const char *name;
	size_t sec, start, n;		/* in instructions of its section */
};

/* .BTF.ext: header, then per section a list of records. */
struct ext_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len, func_off, func_len, line_off, line_len, core_off, core_len;
};

struct ext_sec {
	uint32_t name_off, n;
};

struct reader {
	Elf *elf;
	struct sec *sec;
	size_t n_sec;
	Elf_Data *symbols;
	size_t strings;			/* section of the symbols' names */
	struct func *func;
	size_t n_func;
	const uint8_t *ext;
	size_t ext_size;
	struct nt_object *o;
};

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static int read_section(struct reader *rd, Elf_Scn *scn, const char *name, const GElf_Shdr *h)
{
	Elf_Data *d = elf_getdata(scn, NULL);
	struct sec *s = &rd->sec[elf_ndxscn(scn)];

	if (!d)
		return -EINVAL;
	s->name = name;
	s->data = d->d_buf;
	s->size = d->d_size;
	s->code = h->sh_type == SHT_PROGBITS && (h->sh_flags & SHF_EXECINSTR) && d->d_size;
	if (h->sh_type == SHT_SYMTAB) {
		rd->symbols = d;
		rd->strings = h->sh_link;
	} else if (h->sh_type == SHT_REL && h->sh_info < rd->n_sec) {
		rd->sec[h->sh_info].rel = d;
	} else if (!strcmp(name, ".BTF")) {
		rd->o->btf = btf__new(d->d_buf, (uint32_t)d->d_size);
	} else if (!strcmp(name, ".BTF.ext")) {
		rd->ext = d->d_buf;
		rd->ext_size = d->d_size;
	} else if (d->d_size && (starts(name, ".data") || starts(name, ".rodata") ||
				 starts(name, ".bss") || starts(name, ".kconfig"))) {
		rd->o->global_data = true;
	}
	return 0;
}

static int read_sections(struct reader *rd)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrnum(rd->elf, &rd->n_sec) || elf_getshdrstrndx(rd->elf, &names))
		return -EINVAL;
	rd->sec = calloc(rd->n_sec + 1, sizeof(*rd->sec));
	if (!rd->sec)
		return -ENOMEM;
	while ((scn = elf_nextscn(rd->elf, scn))) {
		GElf_Shdr h;
		const char *name;
		int err;

		if (!gelf_getshdr(scn, &h) || !(name = elf_strptr(rd->elf, names, h.sh_name)))
			return -EINVAL;
		err = read_section(rd, scn, name, &h);
		if (err)
			return err;
	}
	return rd->symbols && rd->o->btf ? 0 : -EINVAL;
}

static int read_funcs(struct reader *rd)
{
	size_t n = rd->symbols->d_size / sizeof(Elf64_Sym);

	rd->func = calloc(n + 1, sizeof(*rd->func));
	if (!rd->func)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct func *f = &rd->func[rd->n_func];
		GElf_Sym s;

		if (!gelf_getsym(rd->symbols, (int)i, &s) || GELF_ST_TYPE(s.st_info) != STT_FUNC ||
		    s.st_shndx >= rd->n_sec || !rd->sec[s.st_shndx].code)
			continue;
		*f = (struct func){ elf_strptr(rd->elf, rd->strings, s.st_name), s.st_shndx,
				    s.st_value / INSN, s.st_size / INSN };
		if (!f->name || !f->n || (f->start + f->n) * INSN > rd->sec[f->sec].size)
			return -EINVAL;
		rd->n_func++;
	}
	return 0;
}

static const struct func *func_at(const struct reader *rd, size_t sec, size_t start)
{
	for (size_t i = 0; i < rd->n_func; i++)
		if (rd->func[i].sec == sec && rd->func[i].start == start)
			return &rd->func[i];
	return NULL;
}

/* The symbol that instruction at of a section refers to. */
static bool symbol_of(const struct reader *rd, const struct sec *s, size_t at, GElf_Sym *sym)
{
	size_t n = s->rel ? s->rel->d_size / sizeof(Elf64_Rel) : 0;

	for (size_t i = 0; i < n; i++) {
		GElf_Rel r;

		if (gelf_getrel(s->rel, (int)i, &r) && r.r_offset == at * INSN)
			return gelf_getsym(rd->symbols, (int)GELF_R_SYM(r.r_info), sym);
	}
	return false;
}

/* Subprograms in other sections are called through a symbol, whose value counts in bytes. */
static const struct func *callee(const struct reader *rd, const struct func *f, size_t at,
				 const struct bpf_insn *i)
{
	GElf_Sym sym;

	if (symbol_of(rd, &rd->sec[f->sec], f->start + at, &sym))
		return func_at(rd, sym.st_shndx, sym.st_value / INSN + (size_t)(i->imm + 1));
	return func_at(rd, f->sec, f->start + at + 1 + (size_t)(int64_t)i->imm);
}

static int add_relo(struct reader *rd, struct nt_prog *p, const struct bpf_core_relo *c,
		    const struct func *f, size_t base)
{
	struct nt_relo *r = realloc(p->relo, (p->n_relo + 1) * sizeof(*r));

	if (!r)
		return -ENOMEM;
	p->relo = r;
	r[p->n_relo++] = (struct nt_relo){
		.insn = base + c->insn_off / INSN - f->start, .kind = c->kind,
		.type_id = c->type_id, .access = btf__str_by_offset(rd->o->btf, c->access_str_off),
	};
	return r[p->n_relo - 1].access ? 0 : -EINVAL;
}

static int add_relos_of(struct reader *rd, struct nt_prog *p, const struct func *f, size_t base,
			const uint8_t *rec, uint32_t rec_size, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++, rec += rec_size) {
		struct bpf_core_relo c;
		int err;

		memcpy(&c, rec, sizeof(c));
		if (c.insn_off / INSN < f->start || c.insn_off / INSN >= f->start + f->n)
			continue;
		err = add_relo(rd, p, &c, f, base);
		if (err)
			return err;
	}
	return 0;
}

/* The records of function f, whose code is at base of the program. */
static int add_relos(struct reader *rd, struct nt_prog *p, const struct func *f, size_t base)
{
	struct ext_header h = { 0 };
	const uint8_t *at, *end;
	uint32_t rec_size;

	if (rd->ext_size < sizeof(h))
		return 0;		/* nothing to relocate */
	memcpy(&h, rd->ext, sizeof(h));
	at = rd->ext + h.hdr_len + h.core_off;
	end = at + h.core_len;
	if (h.hdr_len < sizeof(h) || !h.core_len)
		return 0;
	if (end > rd->ext + rd->ext_size || h.core_len < sizeof(rec_size))
		return -EINVAL;
	memcpy(&rec_size, at, sizeof(rec_size));
	if (rec_size < sizeof(struct bpf_core_relo))
		return -EINVAL;
	for (at += sizeof(rec_size); at + sizeof(struct ext_sec) <= end;) {
		struct ext_sec s;
		const char *name;
		int err = 0;

		memcpy(&s, at, sizeof(s));
		at += sizeof(s);
		if ((uint64_t)s.n * rec_size > (uint64_t)(end - at))
			return -EINVAL;
		name = btf__str_by_offset(rd->o->btf, s.name_off);
		if (name && !strcmp(name, rd->sec[f->sec].name))
			err = add_relos_of(rd, p, f, base, at, rec_size, s.n);
		if (err)
			return err;
		at += (size_t)s.n * rec_size;
	}
	return 0;
}

static int find_sub(const struct nt_prog *p, const struct func *f, size_t *start)
{
	for (size_t i = 0; i < p->n_sub; i++) {
		if (!strcmp(p->sub[i].name, f->name)) {
			*start = p->sub[i].start;
			return 0;
		}
	}
	return -ENOENT;
}

/* Copies a function behind what is there; -EINVAL when the program becomes absurdly long. */
static int add_func(struct reader *rd, struct nt_prog *p, const struct func *f)
{
	struct nt_subprog *sub = realloc(p->sub, (p->n_sub + 1) * sizeof(*sub));
	struct bpf_insn *insns;
	size_t base = p->n;

	if (!sub)
		return -ENOMEM;
	p->sub = sub;
	p->sub[p->n_sub++] = (struct nt_subprog){ f->name, base };
	if (base + f->n > MAX_INSNS)
		return -EINVAL;
	insns = realloc(p->insns, (base + f->n) * INSN);
	if (!insns)
		return -ENOMEM;
	p->insns = insns;
	memcpy(insns + base, rd->sec[f->sec].data + f->start * INSN, f->n * INSN);
	p->n += f->n;
	return add_relos(rd, p, f, base);
}

/* Function f lies at base: resolves its calls and maps, and adds what it calls. */
static int resolve(struct reader *rd, struct nt_prog *p, const struct func *f, size_t base)
{
	int err;

	for (size_t i = 0; i < f->n; i++) {
		struct bpf_insn in = p->insns[base + i];
		const struct func *to;
		size_t start;
		GElf_Sym sym;

		if (in.code == (BPF_LD | BPF_DW | BPF_IMM)) {
			if (symbol_of(rd, &rd->sec[f->sec], f->start + i, &sym))
				p->insns[base + i].src_reg = BPF_PSEUDO_MAP_FD;
			i++;
		}
		if (in.code != (BPF_JMP | BPF_CALL) || in.src_reg != BPF_PSEUDO_CALL)
			continue;
		to = callee(rd, f, i, &in);
		if (!to)
			return -EINVAL;
		if (find_sub(p, to, &start)) {
			start = p->n;
			err = add_func(rd, p, to);
			if (!err)
				err = resolve(rd, p, to, start);
			if (err)
				return err;
		}
		p->insns[base + i].imm = (int32_t)((int64_t)start - (int64_t)(base + i) - 1);
	}
	return 0;
}

static int read_progs(struct reader *rd)
{
	struct nt_object *o = rd->o;

	o->prog = calloc(rd->n_func + 1, sizeof(*o->prog));
	if (!o->prog)
		return -ENOMEM;
	for (size_t i = 0; i < rd->n_func; i++) {
		const struct func *f = &rd->func[i];
		struct nt_prog *p = &o->prog[o->n];
		int err;

		if (!strcmp(rd->sec[f->sec].name, ".text"))
			continue;	/* a subprogram */
		o->n++;
		p->name = f->name;
		p->section = rd->sec[f->sec].name;
		err = add_func(rd, p, f);
		if (!err)
			err = resolve(rd, p, f, 0);
		if (err)
			return err;
	}
	return o->n ? 0 : -EINVAL;
}

int nt_object_read(struct nt_object *o, const void *elf, size_t size)
{
	struct reader rd = { .o = o };
	int err = -EINVAL;

	memset(o, 0, sizeof(*o));
	elf_version(EV_CURRENT);
	rd.elf = elf_memory((char *)(uintptr_t)elf, size);	/* reads only */
	o->elf = rd.elf;
	if (rd.elf && gelf_getclass(rd.elf) == ELFCLASS64)
		err = read_sections(&rd);
	if (!err)
		err = read_funcs(&rd);
	if (!err)
		err = read_progs(&rd);
	free(rd.sec);
	free(rd.func);
	if (err)
		nt_object_free(o);
	return err;
}

int nt_object_read_tool(struct nt_object *o, const struct nt_tool_entry *e)
{
	size_t size;
	void *bytes = nt_tool_object(e, &size);
	int err;

	memset(o, 0, sizeof(*o));
	if (!e->packed)
		return 0;		/* nothing that BTF could matter to */
	if (!bytes)
		return -ENOMEM;
	err = nt_object_read(o, bytes, size);
	if (err)
		free(bytes);
	else
		o->bytes = bytes;
	return err;
}

void nt_object_free(struct nt_object *o)
{
	for (size_t i = 0; o->prog && i < o->n; i++) {
		free(o->prog[i].insns);
		free(o->prog[i].relo);
		free(o->prog[i].sub);
	}
	free(o->prog);
	btf__free(o->btf);
	elf_end(o->elf);
	free(o->bytes);
	memset(o, 0, sizeof(*o));
}
