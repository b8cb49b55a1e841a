/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's LINUX_VERSION_CODE, out of the vDSO's ELF note. Before 5.0 a
 * kprobe program must tell it at load. uname(2) does not have it: stable
 * kernels set the sublevel to 255 there (4.19.177+, 4.14.222+), vendors what
 * they like.
 */
#include <elf.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "core.h"

/* Notes are padded to 4 bytes: header, name, value. */
static uint32_t find_note(const char *p, size_t size)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		uint32_t version;
		Elf64_Nhdr h;
		size_t name, all;

		memcpy(&h, p, sizeof(h));
		name = sizeof(h) + ((size_t)h.n_namesz + 3) / 4 * 4;
		all = name + ((size_t)h.n_descsz + 3) / 4 * 4;
		if (all > size)
			return 0;
		if (h.n_type == 0 && h.n_descsz == sizeof(version) && h.n_namesz == sizeof("Linux") &&
		    !memcmp(p + sizeof(h), "Linux", sizeof("Linux"))) {
			memcpy(&version, p + name, sizeof(version));
			return version;
		}
		p += all;
		size -= all;
	}
	return 0;
}

uint32_t nt_vdso_version(const void *image, size_t size)
{
	const char *p = image;
	uint32_t version = 0;
	Elf64_Ehdr e;
	Elf64_Phdr h;

	if (size < sizeof(e))
		return 0;
	memcpy(&e, p, sizeof(e));
	if (memcmp(e.e_ident, ELFMAG, SELFMAG) || e.e_ident[EI_CLASS] != ELFCLASS64 ||
	    e.e_phentsize != sizeof(h) || e.e_phoff > size)
		return 0;
	for (size_t i = 0; !version && i < e.e_phnum; i++) {
		if (e.e_phoff + (i + 1) * sizeof(h) > size)
			return 0;
		memcpy(&h, p + e.e_phoff + i * sizeof(h), sizeof(h));
		if (h.p_type == PT_NOTE && h.p_offset <= size && h.p_filesz <= size - h.p_offset)
			version = find_note(p + h.p_offset, h.p_filesz);
	}
	return version;
}

uint32_t nt_kernel_version_code(void)
{
	const void *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);

	/* The note is in the first page, which is there whatever the image's size. */
	return vdso ? nt_vdso_version(vdso, (size_t)sysconf(_SC_PAGESIZE)) : 0;
}
