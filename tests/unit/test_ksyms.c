/* SPDX-License-Identifier: GPL-2.0 */
/* Symbols of a made-up kernel, and of this one. */
#include <errno.h>
#include <unistd.h>

#include "check.h"
#include "nettrace/ksyms.h"
#include "temp_file.h"

static const char small[] =
	"0000000000000000 A fixed_percpu_data\n"
	"0000000000001000 D cpu_number\n"
	"ffffffff81000000 T startup_64\n"
	"ffffffff81000100 t inner\n"
	"ffffffff81000100 T alias_of_inner\n"
	"ffffffff81000100 W weak_alias\n"
	"ffffffff81000200 T __pfx_tcp_v4_rcv\n"
	"ffffffff81000210 T tcp_v4_rcv\n"
	"ffffffff81000300 t part.0.constprop.1\n"
	"ffffffff81000400 D some_data\n"
	"ffffffff81000500 R more_data\n"
	"ffffffff81000600 T after_data\n"
	"ffffffff81000700 B end_of_text\n"
	"ffffffffc0200000 t vhost_poll\t[vhost]\n"
	"ffffffffc0200080 t vhost_work\t[vhost]\n"
	"ffffffffc0200100 d vhost_data\t[vhost]\n"
	"ffffffffc0100000 t tun_net_xmit\t[tun]\n"	/* below the module before it */
	"ffffffffc0100040 t tun_do_read\t[tun]\n"
	"ffffffffc0100100 d tun_data\t[tun]\n"
	"ffffffffc0300000 t bpf_prog_1234_name\t[bpf]\n";

static int load(struct nt_ksyms **k, const char *text)
{
	return nt_ksyms_load(k, temp_file(text, strlen(text)));
}

static void at(const struct nt_ksyms *k, uint64_t addr, const char *want, uint64_t want_offset)
{
	uint64_t offset = 12345;
	const char *got = nt_ksyms_lookup(k, addr, &offset);
	char name[80];

	snprintf(name, sizeof(name), "address %llx", (unsigned long long)addr);
	CHECK_STR(got, want, name);
	if (want)
		CHECK_U64(offset, want_offset, "its offset");
}

static void test_lookup(const struct nt_ksyms *k)
{
	at(k, 0xffffffff81000000, "startup_64", 0);
	at(k, 0xffffffff810000ff, "startup_64", 0xff);
	at(k, 0xffffffff81000100, "inner", 0);
	at(k, 0xffffffff81000180, "inner", 0x80);
	at(k, 0xffffffff81000210, "tcp_v4_rcv", 0);
	at(k, 0xffffffff81000310, "part.0.constprop.1", 0x10);
	at(k, 0xffffffff810003ff, "part.0.constprop.1", 0xff);
	at(k, 0xffffffff81000400, NULL, 0);
	at(k, 0xffffffff81000550, NULL, 0);
	at(k, 0xffffffff81000600, "after_data", 0);
	at(k, 0xffffffff81000700, NULL, 0);
	at(k, 0, NULL, 0);
	at(k, 0x1000, NULL, 0);
	at(k, 0xffffffff80ffffff, NULL, 0);
	at(k, UINT64_MAX, NULL, 0);
	CHECK_STR(nt_ksyms_lookup(k, 0xffffffff81000000, NULL), "startup_64", "nobody asks for the offset");
	CHECK(!nt_ksyms_lookup(NULL, 0xffffffff81000000, NULL), "no symbols, no name");
}

static void test_modules(const struct nt_ksyms *k)
{
	at(k, 0xffffffffc0100000, "tun_net_xmit [tun]", 0);
	at(k, 0xffffffffc0100044, "tun_do_read [tun]", 4);
	at(k, 0xffffffffc0100100, NULL, 0);
	at(k, 0xffffffffc0200000, "vhost_poll [vhost]", 0);
	at(k, 0xffffffffc02000ff, "vhost_work [vhost]", 0x7f);
	at(k, 0xffffffffc0200100, NULL, 0);
	at(k, 0xffffffffc0300010, "bpf_prog_1234_name [bpf]", 0x10);
	at(k, 0xffffffffc0ffffff, NULL, 0);
}

struct seen {
	unsigned int n, inner, aliases, pfx;
	uint64_t inner_start, inner_end, data_end;
};

static void see(void *arg, const char *name, uint64_t start, uint64_t end)
{
	struct seen *s = arg;

	s->n++;
	if (!strcmp(name, "inner")) {
		s->inner++;
		s->inner_start = start;
		s->inner_end = end;
	}
	s->aliases += !strcmp(name, "alias_of_inner") || !strcmp(name, "weak_alias");
	s->pfx += !strncmp(name, "__pfx_", 6);
	if (!strcmp(name, "part.0.constprop.1"))
		s->data_end = end;
}

static void test_each(const struct nt_ksyms *k)
{
	struct seen s = { 0 };

	nt_ksyms_each(k, see, &s);
	CHECK_U64(s.n, 12, "every text symbol");
	CHECK(s.inner == 1 && s.aliases == 2, "aliases too, they may be asked for by name");
	CHECK(s.inner_start == 0xffffffff81000100 && s.inner_end == 0xffffffff81000210, "a range");
	CHECK_U64(s.data_end, 0xffffffff81000400, "data ends a range");
	CHECK(!s.pfx, "padding is not there");
}

static void test_hidden(void)
{
	struct nt_ksyms *k;

	CHECK(load(&k, "0000000000000000 T startup_64\n0000000000000000 t inner\n"
		       "0000000000000000 t tun_net_xmit\t[tun]\n") == -EPERM && !k,
	      "addresses that read as zero");
	CHECK(load(&k, "") == -ENOENT && !k, "an empty file");
	CHECK(load(&k, "no symbols\nat all\n\n\n") == -ENOENT && !k, "a file without symbols");
	CHECK(nt_ksyms_load(&k, "/nowhere/at/all") == -ENOENT && !k, "no file");
	nt_ksyms_free(NULL);
}

static void test_broken_lines(void)
{
	struct nt_ksyms *k;

	if (!CHECK(!load(&k, "\n \nffffffff81000000\nffffffff81000000 \nffffffff81000000 T\n"
			     "ffffffff81000000 T good\nffffffff81000010 T\n"
			     "zzz T bad\nffffffff81000020 T last_without_newline"), "odd lines"))
		return;
	at(k, 0xffffffff81000001, "good", 1);
	nt_ksyms_free(k);
}

/* Larger than the reader's buffer, so that lines lie across its ends. */
static void test_large(void)
{
	enum { N = 40000, STEP = 0x40 };
	size_t cap = N * 64, len = 0;
	char *text = malloc(cap), want[32];
	struct nt_ksyms *k;
	unsigned int wrong = 0;
	uint64_t offset;

	for (int i = 0; i < N; i++)
		len += (size_t)snprintf(text + len, cap - len, "%016llx t symbol_%d%s\n",
					0xffffffff81000000ULL + (unsigned long long)i * STEP, i,
					i % 3 ? "" : "_longer");
	if (CHECK(!nt_ksyms_load(&k, temp_file(text, len)), "40000 symbols")) {
		for (int i = 0; i < N; i++) {
			const char *got = nt_ksyms_lookup(k, 0xffffffff81000000ULL +
							  (uint64_t)i * STEP + 7, &offset);

			snprintf(want, sizeof(want), "symbol_%d%s", i, i % 3 ? "" : "_longer");
			wrong += !got || strcmp(got, want) || offset != 7;
		}
		CHECK_U64(wrong, 0, "each is found");
		nt_ksyms_free(k);
	}
	free(text);
}

static void test_find(void)
{
	struct nt_ksyms_func f[] = {
		{ .name = "tun_net_xmit" }, { .name = "inner" }, { .name = "inne" }, { .name = "inner2" },
		{ .name = "some_data" }, { .name = "tun_net_xmit" }, { .name = "part.0.constprop.1" }, { .name = "tun" },
	};
	static const char *const there[] = { "inner", "part.0.constprop.1", "tun_net_xmit" };
	char hidden[sizeof(small)];
	unsigned int right = 0;

	memcpy(hidden, small, sizeof(small));
	for (char *p = hidden; *p; p = strchr(p, '\n') + 1)
		memset(p, '0', 16);	/* as without privilege */
	if (!CHECK(!nt_ksyms_find(f, 8, temp_file(hidden, strlen(hidden))), "names of hidden addresses"))
		return;
	for (size_t i = 0; i < 8; i++) {
		bool want = false;

		for (size_t k = 0; k < 3; k++)
			want |= !strcmp(f[i].name, there[k]);
		right += f[i].found == want;
	}
	CHECK_U64(right, 8, "whole names of functions, one of them twice");
	CHECK(nt_ksyms_find(f, 8, "/nowhere/at/all") == -ENOENT, "no file to find them in");
	CHECK(nt_ksyms_find(f, 8, "/dev/null") == -ENOENT, "a file that is masked");
}

static void count(void *arg, const char *name, uint64_t start, uint64_t end)
{
	(void)name;
	*(unsigned int *)arg += start < end;
}

static void test_own(void)
{
	unsigned int n = 0;
	struct nt_ksyms *k;
	int err = nt_ksyms_load(&k, NULL);

	if (err) {
		printf("# this kernel's symbols cannot be read: %s\n", strerror(-err));
		CHECK(err == -EPERM || err == -ENOENT, "no symbols here");
		return;
	}
	nt_ksyms_each(k, count, &n);
	CHECK(n > 10000, "this kernel has symbols");
	nt_ksyms_free(k);
}

int main(void)
{
	struct nt_ksyms *k;

	if (CHECK(!load(&k, small), "load")) {
		test_lookup(k);
		test_modules(k);
		test_each(k);
		nt_ksyms_free(k);
	}
	test_hidden();
	test_find();
	test_broken_lines();
	test_large();
	test_own();
	temp_done();
	return check_done();
}
