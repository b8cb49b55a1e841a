/* SPDX-License-Identifier: GPL-2.0 */
/*
 * BTF from a file that somebody names: raw, or the section .BTF of an ELF file (vmlinux, a
 * module). Only the headers and that section of an ELF file are read: vmlinux of a debug
 * package may have a GiB.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nettrace/btf.h"

#define BTF_MOST (256u << 20)	/* the largest vmlinux BTF has about 10 MiB */

struct input {
	const char *path;
	int fd;
	uint64_t size;
	struct nt_err *err;
};

static int fail(const struct input *in, int err_no, const char *why, const char *todo)
{
	return nt_err_set(in->err, NT_EXIT_RUNTIME, err_no, "cannot use as BTF: %s: %s: %s", in->path, why,
			  todo);
}

static int fail_errno(const struct input *in, int err_no)
{
	return nt_err_set(in->err, NT_EXIT_RUNTIME, err_no, "cannot read the BTF file: %s: %s", in->path,
			  strerror(err_no));
}

/* n bytes at off of the file, or an error. The caller frees *out. */
static int read_at(const struct input *in, uint64_t off, size_t n, void **out)
{
	uint8_t *p;
	size_t got = 0;

	if (off > in->size || n > in->size - off)
		return fail(in, EINVAL, "it is cut short", "copy it again");
	p = malloc(n ? n : 1);
	if (!p)
		return fail_errno(in, ENOMEM);
	while (got < n) {
		ssize_t r = pread(in->fd, p + got, n - got, (off_t)(off + got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			int e = r ? errno : EIO;

			free(p);
			return fail_errno(in, e);
		}
		got += (size_t)r;
	}
	*out = p;
	return 0;
}

static const char *section_name(const char *names, uint64_t size, uint32_t off)
{
	return off < size && memchr(names + off, 0, size - off) ? names + off : "";
}

/* The section headers and their names; the caller frees both. */
static int read_sections(const struct input *in, Elf64_Shdr **sections, size_t *n, char **names,
			 uint64_t *names_size)
{
	const Elf64_Shdr *s;
	void *p = NULL;
	Elf64_Ehdr e;
	int err = read_at(in, 0, sizeof(e), &p);

	if (err)
		return err;
	memcpy(&e, p, sizeof(e));
	free(p);
	if (e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB ||
	    e.e_shentsize != sizeof(Elf64_Shdr) || !e.e_shnum || e.e_shstrndx >= e.e_shnum)
		return fail(in, EINVAL, "an ELF file, but none of a 64-bit little-endian kernel",
			    "give vmlinux or a module");
	err = read_at(in, e.e_shoff, (size_t)e.e_shnum * sizeof(Elf64_Shdr), &p);
	if (err)
		return err;
	*sections = p;
	*n = e.e_shnum;
	s = &(*sections)[e.e_shstrndx];
	*names_size = s->sh_size;
	if (s->sh_size > BTF_MOST)
		err = fail(in, EINVAL, "its section names have an absurd size", "copy it again");
	else
		err = read_at(in, s->sh_offset, (size_t)s->sh_size, &p);
	*names = err ? NULL : p;
	return err;
}

static int pick_section(const struct input *in, const Elf64_Shdr *s, size_t n, const char *names,
			uint64_t names_size, const Elf64_Shdr **btf)
{
	*btf = NULL;
	for (size_t i = 0; i < n; i++) {
		const char *name = section_name(names, names_size, s[i].sh_name);

		if (!strcmp(name, ".BTF.base"))		/* 6.11+: modules built outside of the tree */
			return fail(in, EINVAL, "its BTF continues its own .BTF.base, not a kernel's",
				    "only modules that came with the kernel can be used");
		if (!strcmp(name, ".BTF"))
			*btf = &s[i];
	}
	if (!*btf || (*btf)->sh_type == SHT_NOBITS)
		return fail(in, EINVAL, "an ELF file without a section .BTF",
			    "make one with pahole -J from a file with debug information");
	if ((*btf)->sh_flags & SHF_COMPRESSED)
		return fail(in, EINVAL, "its section .BTF is compressed", "unpack it with objcopy first");
	if ((*btf)->sh_size > BTF_MOST)
		return fail(in, EINVAL, "its section .BTF has an absurd size", "copy it again");
	return 0;
}

static int read_elf(const struct input *in, uint8_t **data, size_t *size)
{
	Elf64_Shdr *sections = NULL;
	const Elf64_Shdr *btf;
	uint64_t names_size;
	char *names = NULL;
	size_t n = 0;
	int err = read_sections(in, &sections, &n, &names, &names_size);
	void *p = NULL;

	if (!err)
		err = pick_section(in, sections, n, names, names_size, &btf);
	if (!err) {
		*size = (size_t)btf->sh_size;
		err = read_at(in, btf->sh_offset, *size, &p);
		*data = p;
	}
	free(names);
	free(sections);
	return err;
}

/* What the first bytes say, if it can be no BTF. */
static int refuse_kind(const struct input *in, const uint8_t *head)
{
	static const struct { const char *magic; size_t n; const char *todo; } packed[] = {
		{ "\xfd" "7zXZ", 5, "unpack it first, with xz -d" },
		{ "\x28\xb5\x2f\xfd", 4, "unpack it first, with zstd -d" },
		{ "\x1f\x8b", 2, "unpack it first, with gzip -d" },
	};

	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++)
		if (!memcmp(head, packed[i].magic, packed[i].n))
			return fail(in, EINVAL, "it is compressed", packed[i].todo);
	if (!memcmp(head, "MZ", 2))
		return fail(in, EINVAL, "it is a kernel image to boot",
			    "give vmlinux, or /sys/kernel/btf/vmlinux of such a machine");
	if (head[0] == 0xeb && head[1] == 0x9f)
		return fail(in, EINVAL, "its byte order is another",
			    "only those of little-endian kernels can be read");
	if (head[0] != 0x9f || head[1] != 0xeb)
		return fail(in, EINVAL, "it is not BTF", "give vmlinux, a module or a BTF file");
	return 0;
}

static int read_raw(const struct input *in, const uint8_t *head, uint8_t **data, size_t *size)
{
	int err = refuse_kind(in, head);
	void *p = NULL;

	if (err)
		return err;
	if (in->size > BTF_MOST)
		return fail(in, EINVAL, "it has an absurd size", "give vmlinux, a module or a BTF file");
	err = read_at(in, 0, (size_t)in->size, &p);
	*data = p;
	*size = (size_t)in->size;
	return err;
}

static int open_file(struct input *in)
{
	struct stat st;

	in->fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);	/* a FIFO must not hang */
	if (in->fd < 0)
		return fail_errno(in, errno);
	if (fstat(in->fd, &st))
		return fail_errno(in, errno);
	if (S_ISDIR(st.st_mode))
		return fail(in, EISDIR, "it is a folder", "give a file");
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return fail(in, EINVAL, S_ISREG(st.st_mode) ? "it is empty" : "it is no file",
			    "give vmlinux, a module or a BTF file");
	in->size = (uint64_t)st.st_size;
	return 0;
}

static int read_bytes(struct input *in, uint8_t **data, size_t *size)
{
	uint8_t head[8] = { 0 };
	void *p = NULL;
	int err = open_file(in);

	if (!err)
		err = read_at(in, 0, in->size < sizeof(head) ? (size_t)in->size : sizeof(head), &p);
	if (err)
		return err;
	memcpy(head, p, in->size < sizeof(head) ? (size_t)in->size : sizeof(head));
	free(p);
	return memcmp(head, ELFMAG, SELFMAG) ? read_raw(in, head, data, size) : read_elf(in, data, size);
}

/* The first string of BTF that stands alone is empty, that of a module's continues the kernel's. */
static bool continues(const uint8_t *data, size_t size)
{
	uint32_t hdr_len, str_off;

	if (size < 24)
		return false;
	memcpy(&hdr_len, data + 4, sizeof(hdr_len));
	memcpy(&str_off, data + 16, sizeof(str_off));
	return (uint64_t)hdr_len + str_off < size && data[(size_t)hdr_len + str_off];
}

int nt_btf_read(struct nt_btf **out, const char *path, const struct nt_btf *base, struct nt_err *err)
{
	struct input in = { .path = path, .fd = -1, .err = err };
	uint8_t *data = NULL;
	char why[160] = "it is cut short";
	size_t size = 0;
	int rc = read_bytes(&in, &data, &size);

	*out = NULL;
	if (in.fd >= 0)
		close(in.fd);
	if (rc)
		return rc;
	if (base && !continues(data, size))
		base = NULL;
	rc = nt_btf_new(out, data, size, base);
	if (!rc)
		rc = nt_btf_validate(*out, why, sizeof(why));
	if (!rc)
		return 0;
	nt_btf_close(*out);
	*out = NULL;
	if (rc == -ENOMEM)
		return fail_errno(&in, ENOMEM);
	return fail(&in, EINVAL, why, base ? "give the kernel that the module came with" : "make it again");
}
