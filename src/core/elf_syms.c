/* SPDX-License-Identifier: GPL-2.0 */
/* Functions of an ELF file. Nothing in the file is trusted: every offset is tested. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "nettrace/usyms.h"

struct func {
	uint64_t addr;
	uint32_t size;
	uint32_t name;			/* in the string table */
};

struct nt_elf {
	const uint8_t *data;		/* the file, mapped */
	size_t size;
	const char *strings;
	size_t strings_len;
	struct func *func;
	size_t n;
	Elf64_Phdr *load;		/* its loadable segments */
	size_t n_load;
};

static const void *part(const struct nt_elf *e, uint64_t off, uint64_t len)
{
	return off <= e->size && len <= e->size - off ? e->data + off : NULL;
}

static int read_segments(struct nt_elf *e, const Elf64_Ehdr *h)
{
	const uint8_t *p = part(e, h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr));

	if (!p || (h->e_phnum && h->e_phentsize != sizeof(Elf64_Phdr)))
		return -EINVAL;
	e->load = calloc(h->e_phnum + 1u, sizeof(*e->load));
	if (!e->load)
		return -ENOMEM;
	for (unsigned int i = 0; i < h->e_phnum; i++) {
		memcpy(&e->load[e->n_load], p + i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr));
		e->n_load += e->load[e->n_load].p_type == PT_LOAD;
	}
	return 0;
}

static int by_addr(const void *a, const void *b)
{
	const struct func *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static int read_functions(struct nt_elf *e, const Elf64_Shdr *table, const Elf64_Shdr *strings)
{
	const uint8_t *syms = part(e, table->sh_offset, table->sh_size);
	size_t n = table->sh_size / sizeof(Elf64_Sym);

	e->strings = part(e, strings->sh_offset, strings->sh_size);
	e->strings_len = strings->sh_size;
	if (!syms || !e->strings || !e->strings_len || e->strings[e->strings_len - 1])
		return -EINVAL;
	e->func = malloc((n + 1) * sizeof(*e->func));
	if (!e->func)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		Elf64_Sym s;

		memcpy(&s, syms + i * sizeof(s), sizeof(s));
		if ((ELF64_ST_TYPE(s.st_info) != STT_FUNC && ELF64_ST_TYPE(s.st_info) != STT_GNU_IFUNC) ||
		    s.st_shndx == SHN_UNDEF || s.st_name >= e->strings_len || !e->strings[s.st_name])
			continue;
		e->func[e->n++] = (struct func){ s.st_value,
			s.st_size > UINT32_MAX ? UINT32_MAX : (uint32_t)s.st_size, s.st_name };
	}
	qsort(e->func, e->n, sizeof(*e->func), by_addr);
	return 0;
}

/* symtab has all functions; a stripped file has dynsym only, or nothing. */
static int read_sections(struct nt_elf *e, const Elf64_Ehdr *h)
{
	const uint8_t *p = part(e, h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf64_Shdr));
	Elf64_Shdr best = { .sh_type = SHT_NULL }, strings;

	if (!h->e_shnum)
		return 0;
	if (!p || h->e_shentsize != sizeof(Elf64_Shdr))
		return -EINVAL;
	for (unsigned int i = 0; i < h->e_shnum; i++) {
		Elf64_Shdr s;

		memcpy(&s, p + i * sizeof(s), sizeof(s));
		if (s.sh_type == SHT_SYMTAB || (s.sh_type == SHT_DYNSYM && best.sh_type == SHT_NULL))
			best = s;
	}
	if (best.sh_type == SHT_NULL)
		return 0;
	if (best.sh_link >= h->e_shnum)
		return -EINVAL;
	memcpy(&strings, p + best.sh_link * sizeof(strings), sizeof(strings));
	return read_functions(e, &best, &strings);
}

static int read_file(struct nt_elf *e, int fd)
{
	struct stat st;
	Elf64_Ehdr h;
	void *p;
	int rc;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(h))
		return -EINVAL;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	e->data = p;
	e->size = (size_t)st.st_size;
	memcpy(&h, p, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB)
		return -EINVAL;
	rc = read_segments(e, &h);
	return rc ? rc : read_sections(e, &h);
}

int nt_elf_open(struct nt_elf **out, int fd)
{
	struct nt_elf *e = calloc(1, sizeof(*e));
	int rc = e ? read_file(e, fd) : -ENOMEM;

	*out = NULL;
	if (rc) {
		nt_elf_close(e);
		return rc;
	}
	*out = e;
	return 0;
}

void nt_elf_close(struct nt_elf *e)
{
	if (!e)
		return;
	if (e->data)
		munmap((void *)e->data, e->size);
	free(e->func);
	free(e->load);
	free(e);
}

size_t nt_elf_functions(const struct nt_elf *e)
{
	return e->n;
}

static bool to_address(const struct nt_elf *e, uint64_t off, uint64_t *addr)
{
	for (size_t i = 0; i < e->n_load; i++) {
		const Elf64_Phdr *p = &e->load[i];

		if (off < p->p_offset || off - p->p_offset >= p->p_filesz)
			continue;
		*addr = p->p_vaddr + (off - p->p_offset);
		return true;
	}
	return false;
}

const char *nt_elf_lookup(const struct nt_elf *e, uint64_t file_offset, uint64_t *offset)
{
	size_t lo = 0, hi = e->n;
	uint64_t addr;

	if (!to_address(e, file_offset, &addr))
		return NULL;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (e->func[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || (e->func[lo - 1].size && addr - e->func[lo - 1].addr >= e->func[lo - 1].size))
		return NULL;
	for (lo--; lo && e->func[lo - 1].addr == e->func[lo].addr; lo--)
		;		/* of several names the first in the table */
	if (offset)
		*offset = addr - e->func[lo].addr;
	return e->strings + e->func[lo].name;
}

uint64_t nt_elf_find(const struct nt_elf *e, const char *function)
{
	for (size_t i = 0; i < e->n; i++) {
		if (strcmp(e->strings + e->func[i].name, function))
			continue;
		for (size_t k = 0; k < e->n_load; k++) {
			const Elf64_Phdr *p = &e->load[k];

			if (e->func[i].addr >= p->p_vaddr && e->func[i].addr - p->p_vaddr < p->p_filesz)
				return e->func[i].addr - p->p_vaddr + p->p_offset;
		}
	}
	return 0;
}
