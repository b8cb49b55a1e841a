/* SPDX-License-Identifier: GPL-2.0 */
/* The search for a file: beside the program, then compiled in, for a kernel that we claim to be. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "check.h"
#include "nettrace/btf.h"

static const char *release = "6.1.0-bundle-test";

/* In place of libc's. */
int uname(struct utsname *u)
{
	memset(u, 0, sizeof(*u));
	strcpy(u->machine, "x86_64");
	strcpy(u->release, release);
	return 0;
}

static char folder[600], file[1200];

static void name_files(void)
{
	char exe[400], *slash;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		slash[1] = '\0';
	snprintf(folder, sizeof(folder), "%snettrace-btf", exe);
	snprintf(file, sizeof(file), "%s/x86_64/%s.btf", folder, release);
}

static void make_file(void)
{
	char arch[700];
	int fd;

	snprintf(arch, sizeof(arch), "%s/x86_64", folder);
	mkdir(folder, 0755);
	mkdir(arch, 0755);
	fd = open(file, O_WRONLY | O_CREAT, 0644);
	if (fd >= 0)
		close(fd);
}

static void remove_file(void)
{
	char arch[700];

	snprintf(arch, sizeof(arch), "%s/x86_64", folder);
	unlink(file);
	rmdir(arch);
	rmdir(folder);
}

static size_t read_all(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size);

	if (fd >= 0)
		close(fd);
	return n > 0 ? (size_t)n : 0;
}

static void test_bundle(void)
{
	static char want[65536], got[65536];
	struct nt_err err = { .text = "" };
	struct nt_btf_place p;
	struct nt_btf *b;
	size_t n = read_all(NT_BUNDLE_FILE, want, sizeof(want));

	CHECK_U64(nt_n_btf_bundle, 1, "one is compiled in");
	if (!CHECK(!nt_btf_find_file(&p) && p.from == NT_BTF_BUNDLE && p.fd >= 0, "it is found"))
		return;
	CHECK(n > 1000 && read_all(p.path, got, sizeof(got)) == n && !memcmp(want, got, n),
	      "unpacked, it has the file's bytes");
	CHECK(!nt_btf_read(&b, p.path, NULL, &err) && nt_btf_has_struct(b, "sk_buff"), "and is BTF");
	nt_btf_close(b);
	nt_btf_place_close(&p);
	CHECK(p.fd < 0 && !read_all(p.path, got, sizeof(got)), "it is closed");
	release = "6.1.0-other";
	CHECK(nt_btf_find_file(&p) == -ENOENT, "another release is not in it");
	nt_btf_place_close(&p);
	release = "6.1.0-bundle-test";
}

static void test_beside(void)
{
	struct nt_btf_place p;

	make_file();
	CHECK(!nt_btf_find_file(&p) && p.from == NT_BTF_BESIDE && !strcmp(p.path, file),
	      "a file beside the program comes first");
	nt_btf_place_close(&p);
	remove_file();
	CHECK(!nt_btf_find_file(&p) && p.from == NT_BTF_BUNDLE, "without it what is compiled in");
	nt_btf_place_close(&p);
	CHECK(!nt_btf_find(&p, "/dev/null") && p.from == NT_BTF_GIVEN, "what is given comes before both");
	nt_btf_place_close(&p);
}

struct seen {
	unsigned int n, used;
	enum nt_btf_from last;
};

static void see(void *arg, const struct nt_btf_known *k)
{
	struct seen *s = arg;

	s->n++;
	s->used += k->used;
	s->last = k->from;
	if (k->from == NT_BTF_BUNDLE)
		CHECK(!strcmp(k->arch, "x86_64") && !strcmp(k->release, release) && k->bytes > 1000,
		      "a row for what is compiled in");
}

static void test_each(void)
{
	struct seen without = { .n = 0 }, with = { .n = 0 };

	nt_btf_each(see, &without);
	make_file();
	nt_btf_each(see, &with);
	remove_file();
	CHECK_U64(with.n, without.n + 1, "a row more with a file");
	CHECK(with.used == 1 && without.used == 1, "one of them is used");
	CHECK(with.last == NT_BTF_BUNDLE, "compiled-in ones come last");
}

int main(void)
{
	name_files();
	test_bundle();
	test_beside();
	test_each();
	return check_done();
}
