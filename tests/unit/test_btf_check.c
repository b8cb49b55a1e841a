/* SPDX-License-Identifier: GPL-2.0 */
/* Files that a user names: is unsound BTF refused, and what is wrong said? */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "btf_blob.h"
#include "check.h"
#include "nettrace/btf.h"
#include "temp_file.h"

/* 1: int, 2: struct pair { int first; int second : 3; }, 3: struct node { struct node *next; },
 * 4: pointer to 3, 5: int[4], 6: enum, 7: void (*)(int), 8: func, 9: const int */
static void sound(struct blob *b)
{
	memset(b, 0, sizeof(*b));
	b->n_strings = 1;
	put_type(b, "int", INFO(BTF_KIND_INT, 0), 4);
	put(b, 32);
	put_type(b, "pair", INFO(BTF_KIND_STRUCT, 2) | 1u << 31, 8);
	put(b, str(b, "first"));
	put(b, 1);
	put(b, 0);
	put(b, str(b, "second"));
	put(b, 1);
	put(b, 32 | 3u << 24);
	put_type(b, "node", INFO(BTF_KIND_STRUCT, 1), 8);
	put(b, str(b, "next"));
	put(b, 4);
	put(b, 0);
	put_type(b, NULL, INFO(BTF_KIND_PTR, 0), 3);
	put_type(b, NULL, INFO(BTF_KIND_ARRAY, 0), 0);
	put(b, 1);
	put(b, 1);
	put(b, 4);
	put_type(b, "color", INFO(BTF_KIND_ENUM, 1), 4);
	put(b, str(b, "RED"));
	put(b, 3);
	put_type(b, NULL, INFO(BTF_KIND_FUNC_PROTO, 1), 0);
	put(b, 0);
	put(b, 1);
	put_type(b, "func", INFO(BTF_KIND_FUNC, 1), 7);
	put_type(b, NULL, INFO(BTF_KIND_CONST, 0), 1);
}
#define N_SOUND 9

static char why[160];

static int verdict_on(const void *data, size_t n, const struct nt_btf *base)
{
	uint8_t *copy = malloc(n ? n : 1);
	struct nt_btf *b;
	int rc;

	why[0] = '\0';
	memcpy(copy, data, n);
	rc = nt_btf_new(&b, copy, n, base);
	if (!rc)
		rc = nt_btf_validate(b, why, sizeof(why));
	nt_btf_close(b);
	return rc;
}

static int verdict(struct blob *b)
{
	finish(b);
	return verdict_on(b->bytes, b->n, NULL);
}

/* Is the sound one with more types behind it refused for the reason? */
static void refused(struct blob *b, const char *reason, const char *name)
{
	int rc = verdict(b);

	if (!CHECK(rc == -EINVAL && strstr(why, reason), name))
		printf("#   %d: %s\n", rc, why);
	sound(b);
}

static void test_references(void)
{
	struct blob b;

	sound(&b);
	CHECK(!verdict(&b), "a sound one, with a cycle through a pointer");
	put_type(&b, NULL, INFO(BTF_KIND_TYPEDEF, 0), 999);
	refused(&b, "refers to type 999", "a typedef to a type that is not there");
	put_type(&b, NULL, INFO(BTF_KIND_PTR, 0), N_SOUND + 2);
	refused(&b, "refers to", "a pointer one behind the last");
	put_type(&b, NULL, INFO(BTF_KIND_ARRAY, 0), 0);
	put(&b, 1);
	put(&b, 77);
	put(&b, 1);
	refused(&b, "refers to type 77", "an array's index type");
	put_type(&b, NULL, INFO(BTF_KIND_FUNC_PROTO, 1), 0);
	put(&b, 0);
	put(&b, 78);
	refused(&b, "refers to type 78", "a parameter");
	put_type(&b, "s", INFO(BTF_KIND_STRUCT, 1), 4);
	put(&b, 0);
	put(&b, 79);
	put(&b, 0);
	refused(&b, "refers to type 79", "a member");
	put_type(&b, "data", INFO(BTF_KIND_DATASEC, 1), 4);
	put(&b, 80);
	put(&b, 0);
	put(&b, 4);
	refused(&b, "refers to type 80", "a variable of a section");
	put(&b, 100000);
	put(&b, INFO(BTF_KIND_FWD, 0));
	put(&b, 0);
	refused(&b, "name outside", "a type's name");
	put_type(&b, "s", INFO(BTF_KIND_STRUCT, 1), 4);
	put(&b, 100000);
	put(&b, 1);
	put(&b, 0);
	refused(&b, "name outside", "a member's name");
	put_type(&b, "e", INFO(BTF_KIND_ENUM, 1), 4);
	put(&b, 100000);
	put(&b, 0);
	refused(&b, "name outside", "an enumerator's name");
}

static void test_shapes(void)
{
	struct blob b;

	sound(&b);
	put_type(&b, "s", INFO(BTF_KIND_STRUCT, 1), 4);
	put(&b, 0);
	put(&b, N_SOUND + 1);
	put(&b, 0);
	refused(&b, "contains itself", "a struct in itself");
	put_type(&b, "t", INFO(BTF_KIND_TYPEDEF, 0), N_SOUND + 2);
	put_type(&b, NULL, INFO(BTF_KIND_CONST, 0), N_SOUND + 1);
	refused(&b, "contains itself", "a circle of typedef and const");
	put_type(&b, NULL, INFO(BTF_KIND_ARRAY, 0), 0);
	put(&b, N_SOUND + 1);
	put(&b, 1);
	put(&b, 2);
	refused(&b, "contains itself", "an array of itself");
	for (uint32_t i = 0; i < 70; i++)
		put_type(&b, NULL, INFO(BTF_KIND_CONST, 0), i ? N_SOUND + i : 1);
	refused(&b, "too deep", "70 levels, from below");
	for (uint32_t i = 0; i < 70; i++)
		put_type(&b, NULL, INFO(BTF_KIND_CONST, 0), i < 69 ? N_SOUND + i + 2 : 1);
	refused(&b, "too deep", "70 levels, from above");
	put_type(&b, "s", INFO(BTF_KIND_STRUCT, 1), 4);
	put(&b, 0);
	put(&b, 1);
	put(&b, 8);
	refused(&b, "outside", "a member that sticks out");
	put_type(&b, "s", INFO(BTF_KIND_STRUCT, 1), 4);
	put(&b, 0);
	put(&b, 7);
	put(&b, 0);
	refused(&b, "no data", "a prototype as member");
	put_type(&b, NULL, INFO(BTF_KIND_ARRAY, 0), 0);
	put(&b, 1);
	put(&b, 1);
	put(&b, 0x40000000);
	refused(&b, "absurd size", "an array of 4 GiB");
	put_type(&b, "i", INFO(BTF_KIND_INT, 0), 4);
	put(&b, 64);
	refused(&b, "impossible size", "64 bits in 4 bytes");
	put_type(&b, "e", INFO(BTF_KIND_ENUM, 0), 3);
	refused(&b, "impossible size", "an enum of 3 bytes");
	put_type(&b, "x", INFO(31, 0), 0);
	refused(&b, "unknown kind", "a kind that nobody knows");
	put_type(&b, "s", INFO(BTF_KIND_STRUCT, 2), 4);
	put(&b, 0);
	refused(&b, "cut short", "members that are not there");
}

static void test_header(void)
{
	struct btf_header *h;
	struct blob b;

	sound(&b);
	finish(&b);
	h = (void *)b.bytes;
	h->version = 9;
	CHECK(verdict_on(b.bytes, b.n, NULL) == -EINVAL && strstr(why, "version"), "another version");
	finish(&b);
	h->type_len += 4;
	CHECK(verdict_on(b.bytes, b.n, NULL) == -EINVAL && strstr(why, "overlap"), "sections that overlap");
	finish(&b);
	memmove(b.bytes + 28, b.bytes + 24, b.n - 24);
	h->hdr_len = 28;
	CHECK(verdict_on(b.bytes, b.n + 4, NULL) == -EINVAL && strstr(why, "version"), "a longer header");
	sound(&b);
	b.strings[0] = 'x';
	refused(&b, "module", "a module's BTF alone");
}

static void test_split(void)
{
	struct blob base, m = { .n_strings = 0 };
	struct nt_btf *b;
	uint8_t *copy;

	sound(&base);
	finish(&base);
	copy = malloc(base.n);
	memcpy(copy, base.bytes, base.n);
	if (!CHECK(!nt_btf_new(&b, copy, base.n, NULL), "a base"))
		return;
	str(&m, "x");
	put_type(&m, NULL, INFO(BTF_KIND_CONST, 0), N_SOUND);
	put_type(&m, NULL, INFO(BTF_KIND_PTR, 0), N_SOUND + 1);
	finish(&m);
	CHECK(!verdict_on(m.bytes, m.n, b), "a module that refers to its kernel's types");
	put_type(&m, NULL, INFO(BTF_KIND_PTR, 0), N_SOUND + 4);
	finish(&m);
	CHECK(verdict_on(m.bytes, m.n, b) == -EINVAL && strstr(why, "refers"), "and to what is not there");
	nt_btf_close(b);
}

/* Whatever the validator lets through, libbpf must survive; and much is not let through. */
static void test_random(void)
{
	unsigned int seed = 7, refusals = 0;
	struct blob b, bad;

	libbpf_set_print(NULL);
	sound(&b);
	finish(&b);
	for (int i = 0; i < 30000; i++) {
		bad = b;
		for (int k = 0; k <= i % 4; k++) {
			seed = seed * 1103515245 + 12345;
			bad.bytes[(seed >> 8) % bad.n] = (uint8_t)(seed >> 24);
		}
		if (verdict_on(bad.bytes, bad.n, NULL)) {
			refusals++;
			continue;
		}
		struct btf *btf = btf__new(bad.bytes, (uint32_t)bad.n);

		for (uint32_t id = 1; btf && id < btf__type_cnt(btf); id++)
			btf__resolve_size(btf, id);
		btf__free(btf);
	}
	CHECK(refusals > 10000 && refusals < 30000, "wrong bytes: many are refused, libbpf lives on");
}

static void read_fails(const char *path, const char *reason, const char *name)
{
	struct nt_err err = { .text = "" };
	struct nt_btf *b;
	int rc = nt_btf_read(&b, path, NULL, &err);

	if (!CHECK(rc < 0 && !b && strstr(err.text, reason) && err.code == NT_EXIT_RUNTIME, name))
		printf("#   %d: %s\n", rc, err.text);
}

static void test_elf(const struct blob *b)
{
	static const char names[] = "\0.BTF\0.shstrtab";
	struct { Elf64_Ehdr e; Elf64_Shdr s[3]; char names[16]; uint8_t btf[2048]; } f;
	struct nt_err err = { .text = "" };
	struct nt_btf *got;

	memset(&f, 0, sizeof(f));
	memcpy(f.e.e_ident, ELFMAG, SELFMAG);
	f.e.e_ident[EI_CLASS] = ELFCLASS64;
	f.e.e_ident[EI_DATA] = ELFDATA2LSB;
	f.e.e_shoff = offsetof(typeof(f), s);
	f.e.e_shentsize = sizeof(Elf64_Shdr);
	f.e.e_shnum = 3;
	f.e.e_shstrndx = 2;
	f.s[1] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_size = b->n,
			       .sh_offset = offsetof(typeof(f), btf) };
	f.s[2] = (Elf64_Shdr){ .sh_name = 6, .sh_type = SHT_STRTAB, .sh_size = sizeof(names),
			       .sh_offset = offsetof(typeof(f), names) };
	memcpy(f.names, names, sizeof(names));
	memcpy(f.btf, b->bytes, b->n);
	CHECK(!nt_btf_read(&got, temp_file(&f, sizeof(f)), NULL, &err) && nt_btf_has_struct(got, "pair"),
	      "the section .BTF of an ELF file");
	nt_btf_close(got);
	read_fails(temp_file(&f, offsetof(typeof(f), btf) + 100), "cut short", "a cut ELF file");
	f.s[1].sh_flags = SHF_COMPRESSED;
	read_fails(temp_file(&f, sizeof(f)), "compressed", "a compressed section");
	f.s[1].sh_flags = 0;
	f.s[1].sh_name = 6;
	read_fails(temp_file(&f, sizeof(f)), "without a section .BTF", "no section .BTF");
	f.s[1].sh_name = 0xffffff;
	read_fails(temp_file(&f, sizeof(f)), "without a section .BTF", "a name outside of the names");
	f.e.e_shoff = ~0ULL - 8;
	read_fails(temp_file(&f, sizeof(f)), "cut short", "section headers nowhere");
	f.e.e_ident[EI_CLASS] = ELFCLASS32;
	read_fails(temp_file(&f, sizeof(f)), "64-bit", "a 32-bit file");
}

static void test_files(void)
{
	struct blob b;

	sound(&b);
	finish(&b);
	read_fails("/nowhere/at/all", "No such file", "no file");
	read_fails("/", "folder", "a folder");
	read_fails("/dev/null", "no file", "a device");
	read_fails(temp_file("", 0), "empty", "an empty file");
	read_fails(temp_file("x", 1), "not BTF", "one byte");
	read_fails(temp_file("#!/bin/sh\n", 10), "not BTF", "a script");
	read_fails(temp_file("\xfd" "7zXZ\0\0\0", 8), "compressed", "xz");
	read_fails(temp_file("\x1f\x8b\0\0\0\0\0\0", 8), "compressed", "gzip");
	read_fails(temp_file("\x28\xb5\x2f\xfd\0\0\0\0", 8), "compressed", "zstd");
	read_fails(temp_file("MZ\0\0\0\0\0\0", 8), "boot", "a bzImage");
	read_fails(temp_file("\xeb\x9f\1\0\0\0\0\0", 8), "byte order", "a big-endian one");
	read_fails(temp_file(b.bytes, 20), "cut short", "cut in its header");
	read_fails(temp_file(b.bytes, b.n - 1), "cut short", "cut at its end");
	test_elf(&b);
}

int main(void)
{
	test_references();
	test_shapes();
	test_header();
	test_split();
	test_random();
	test_files();
	temp_done();
	return check_done();
}
