/* SPDX-License-Identifier: GPL-2.0 */
/* Symbols of this very process, and files that are damaged. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "nettrace/umaps.h"
#include "nettrace/usyms.h"
#include "temp_file.h"

__attribute__((noinline)) void nt_unit_a_function(void);
void nt_unit_a_function(void)
{
	__asm__ volatile("nop");
}

static void test_self(void)
{
	uint64_t addr = (uint64_t)(uintptr_t)nt_unit_a_function, off = 99;
	uint32_t pid = (uint32_t)getpid();
	const char *name, *module;
	struct nt_usyms *u;

	CHECK(!nt_usyms_new(&u), "symbols");
	nt_usyms_remember(u, pid);
	name = nt_usyms_lookup(u, pid, addr, &off, &module);
	CHECK(name && !strcmp(name, "nt_unit_a_function") && off == 0, "own function");
	CHECK(module && !strcmp(module, "test_usyms"), "own file");
	name = nt_usyms_lookup(u, pid, addr + 1, &off, &module);
	CHECK(name && !strcmp(name, "nt_unit_a_function") && off == 1, "an offset in it");
	CHECK(!nt_usyms_lookup(u, pid, 1, &off, &module) && !module, "nothing is there");
	CHECK(!nt_usyms_lookup(u, pid, UINT64_MAX, &off, &module), "nor there");
	CHECK(!nt_usyms_lookup(u, 2147483647, addr, &off, &module), "no such process");
	nt_usyms_free(u);
	nt_usyms_free(NULL);
}

static uint8_t *read_self(size_t *n)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct stat st = { 0 };
	uint8_t *p;

	fstat(fd, &st);
	*n = (size_t)st.st_size;
	p = malloc(*n);
	for (size_t have = 0; p && have < *n;) {
		ssize_t got = read(fd, p + have, *n - have);

		if (got <= 0)
			break;
		have += (size_t)got;
	}
	close(fd);
	return p;
}

/* Opens bytes and asks around in them; whatever is in them, nothing else may happen. */
static int try_bytes(const void *data, size_t n)
{
	int fd = open(temp_file(data, n), O_RDONLY), rc;
	struct nt_elf *e;
	uint64_t off;

	rc = nt_elf_open(&e, fd);
	close(fd);
	for (uint64_t at = 0; !rc && at < n + 4096; at += 997)
		nt_elf_lookup(e, at, &off);
	if (!rc)
		nt_elf_close(e);
	return rc;
}

static void test_damage(void)
{
	size_t n, sound = 0;
	uint8_t *p = read_self(&n);
	Elf64_Ehdr *h = (void *)p;

	CHECK(p && !try_bytes(p, n), "this file can be read");
	CHECK(try_bytes(p, 0) == -EINVAL && try_bytes(p, 63) == -EINVAL && try_bytes("#!/bin/sh\n", 10) == -EINVAL,
	      "no ELF");
	CHECK(try_bytes(p, n / 2) == -EINVAL, "half of it has no section table");
	for (size_t i = 0; i < sizeof(*h); i++) {	/* every byte of its header */
		uint8_t old = p[i];

		p[i] ^= 0xff;
		sound += !try_bytes(p, n);
		p[i] = old;
	}
	CHECK(sound < sizeof(*h), "damaged headers do no harm");
	for (size_t i = 0; i < 64u * h->e_shnum && h->e_shoff + i < n; i += 61) {
		uint8_t old = p[h->e_shoff + i];

		p[h->e_shoff + i] ^= 0xa5;
		try_bytes(p, n);
		p[h->e_shoff + i] = old;
	}
	CHECK(!try_bytes(p, n), "nor damaged section tables");
	free(p);
}

static void test_find(void)
{
	uint64_t addr = (uint64_t)(uintptr_t)nt_unit_a_function, off;
	char where[80];
	struct nt_elf *e;
	struct stat st;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && !fstat(fd, &st) && !nt_elf_open(&e, fd), "own file");
	off = nt_elf_find(e, "nt_unit_a_function");
	CHECK(off && off < (uint64_t)st.st_size, "a function's offset lies in the file");
	CHECK(!nt_elf_find(e, "nt_unit_no_such_function") && !nt_elf_find(e, ""), "what is not there");
	CHECK(strstr(nt_umap_text((uint32_t)getpid(), addr, where, sizeof(where)), "test_usyms+0x"), "a place");
	CHECK(strstr(nt_umap_text((uint32_t)getpid(), (uint64_t)(uintptr_t)where, where, sizeof(where)), "[stack]+0x"),
	      "the stack");
	CHECK(!*nt_umap_text((uint32_t)getpid(), 1, where, sizeof(where)), "nowhere");
	CHECK(!*nt_umap_text(2147483647, addr, where, sizeof(where)), "of no process");
	nt_elf_close(e);
	close(fd);
}

static void test_map_lines(void)
{
	static const char *const bad[] = { "", "x", "1-2", "1-2 r-xp", "1-2 r 0 0:0 0 x", "-1 r-xp 0 0:0 0", "1-2 r-xp 0 0 0 x" };
	char line[] = "7f00a000-7f00b000 r-xp 00001000 fd:01 1234   /usr/lib/a b.so\n", other[] = "1-2 rw-p 0 00:00 0\n";
	char copy[64];
	struct nt_umap m;

	CHECK(!nt_umap_parse(&m, line) && m.start == 0x7f00a000 && m.end == 0x7f00b000 && m.executable &&
	      m.pgoff == 0x1000 && m.ino == 1234 && m.dev == (0xfdULL << 32 | 1) && !strcmp(m.name, "/usr/lib/a b.so"),
	      "a file's mapping");
	CHECK(!nt_umap_parse(&m, other) && !m.executable && !*m.name, "one without a name");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(copy, sizeof(copy), "%s", bad[i]);
		CHECK(nt_umap_parse(&m, copy) == -EINVAL, "no mapping");
	}
}

struct files {
	size_t n, own;
};

static bool count_file(void *arg, const char *path, const char *shown)
{
	struct files *f = arg;

	f->n++;
	f->own += strstr(shown, "/test_usyms") && !access(path, R_OK);
	return true;
}

static void test_files(void)
{
	struct files one = { 0 }, all = { 0 };

	nt_umap_files((uint32_t)getpid(), count_file, &one);
	CHECK(one.own == 1, "own executable once");
	nt_umap_files(0, count_file, &all);
	CHECK(all.own == 1 && all.n >= one.n, "each file once");
	nt_umap_files(2147483647, count_file, &one);
}

int main(void)
{
	test_self();
	test_find();
	test_map_lines();
	test_files();
	test_damage();
	temp_done();
	return check_done();
}
