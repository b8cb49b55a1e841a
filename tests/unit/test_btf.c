/* SPDX-License-Identifier: GPL-2.0 */
/* The BTF reader on a small blob made by hand, on broken ones, and on this kernel's own. */
#include <errno.h>
#include "btf_blob.h"
#include "check.h"
#include "nettrace/btf.h"
#include "temp_file.h"

#define VMLINUX "/sys/kernel/btf/vmlinux"
/* One of every kind that kernels have. */
static void make(struct blob *b)
{
	memset(b, 0, sizeof(*b));
	b->n_strings = 1;
	put_type(b, "int", INFO(BTF_KIND_INT, 0), 4);			/* 1 */
	put(b, 32);
	put_type(b, NULL, INFO(BTF_KIND_PTR, 0), 0);			/* 2: void * */
	put_type(b, NULL, INFO(BTF_KIND_FUNC_PROTO, 3), 0);		/* 3 */
	for (uint32_t type = 1; type <= 3; type++) {
		put(b, 0);
		put(b, type == 3 ? 1 : 2);
	}
	put_type(b, NULL, INFO(BTF_KIND_PTR, 0), 3);			/* 4 */
	put_type(b, "btf_trace_some_event", INFO(BTF_KIND_TYPEDEF, 0), 4);	/* 5 */
	put_type(b, "color", INFO(BTF_KIND_ENUM, 2), 4);		/* 6 */
	put(b, str(b, "RED"));
	put(b, 3);
	put(b, str(b, "GREEN"));
	put(b, 70000);
	put_type(b, "pair", INFO(BTF_KIND_STRUCT, 1), 4);		/* 7 */
	put(b, str(b, "first"));
	put(b, 1);
	put(b, 0);
	put_type(b, NULL, INFO(BTF_KIND_ARRAY, 0), 0);			/* 8 */
	put(b, 1);
	put(b, 1);
	put(b, 4);
	put_type(b, "big", INFO(19 /* ENUM64 */, 1), 8);		/* 9 */
	put(b, str(b, "BIG"));
	put(b, 1);
	put(b, 1);
	put_type(b, "btf_trace_odd_event", INFO(BTF_KIND_TYPEDEF, 0), 1);	/* 10: no prototype */
	put_type(b, "btf_trace_lost_event", INFO(BTF_KIND_TYPEDEF, 0), 999);	/* 11: no such type */
	put_type(b, "some_func", INFO(BTF_KIND_FUNC, 1), 3);		/* 12 */
	finish(b);
}

static void add_name(void *arg, const char *name, uint32_t value)
{
	char *text = arg;

	snprintf(text + strlen(text), 200 - strlen(text), "%s=%u ", name, value);
}

static void test_small(struct nt_btf *b)
{
	char text[200] = "";

	CHECK(nt_btf_has_func(b, "some_func"), "has its function");
	CHECK(!nt_btf_has_func(b, "pair") && !nt_btf_has_func(b, "some_fun") && !nt_btf_has_func(b, ""),
	      "has no others");
	CHECK_U64((uint64_t)nt_btf_tp_args(b, "some_event"), 2, "arguments of a tracepoint");
	CHECK(nt_btf_tp_args(b, "event") == -ENOENT && !nt_btf_tp_ptrs(b, "event"), "no such tracepoint");
	CHECK(nt_btf_tp_ptrs(b, "some_event") == 1, "the first of them is a pointer");
	CHECK(nt_btf_tp_args(b, "odd_event") == -ENOENT, "a typedef that is no prototype");
	CHECK(nt_btf_tp_args(b, "lost_event") == -ENOENT, "a type that is not there");
	CHECK(!nt_btf_enum(b, "color", add_name, text), "an enum");
	CHECK_STR(text, "RED=3 GREEN=70000 ", "its enumerators");
	CHECK(nt_btf_enum(b, "pair", add_name, text) == -ENOENT, "a struct is no enum");
}

static void ask_everything(const struct nt_btf *b)
{
	char text[200] = "";

	nt_btf_has_func(b, "some_func");
	nt_btf_tp_args(b, "some_event");
	nt_btf_tp_args(b, "odd_event");
	nt_btf_tp_args(b, "lost_event");
	nt_btf_enum(b, "color", add_name, text);
}

/* Opens the bytes, asks if that works; the error otherwise. */
static int try_bytes(const void *data, size_t n)
{
	struct nt_btf *b;
	int err = nt_btf_open(&b, temp_file(data, n), NULL);

	if (!err)
		ask_everything(b);
	else if (b)
		return 1;		/* must be NULL on failure */
	nt_btf_close(b);
	return err;
}

static void test_broken(struct blob *blob)
{
	unsigned int opened = 0, seed = 1;
	struct blob bad;

	for (size_t n = 0; n < blob->n; n++)
		opened += try_bytes(blob->bytes, n) >= 0;
	CHECK_U64(opened, 0, "cut at every byte: an error each time");
	CHECK(try_bytes(blob->bytes, blob->n) == 0, "whole: none");
	for (int i = 0; i < 20000; i++) {
		bad = *blob;
		for (int k = 0; k <= i % 3; k++) {
			seed = seed * 1103515245 + 12345;
			bad.bytes[(seed >> 8) % bad.n] = (uint8_t)(seed >> 24);
		}
		try_bytes(bad.bytes, bad.n);
	}
	CHECK(1, "20000 times with wrong bytes: survived");
	for (unsigned int field = 4; field < sizeof(struct btf_header); field += 4) {
		static const uint32_t values[] = { 0, 1, 3, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff };

		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
			bad = *blob;
			memcpy(bad.bytes + field, &values[v], 4);
			try_bytes(bad.bytes, bad.n);
		}
	}
	CHECK(1, "absurd numbers in the header: survived");
	bad = *blob;
	bad.bytes[0] = 'X';
	CHECK(try_bytes(bad.bytes, bad.n) == -EINVAL, "another magic number");
	CHECK(try_bytes("", 0) == -EINVAL, "an empty file");
	CHECK(try_bytes("#!/bin/sh\necho this is not BTF at all, but long enough\n", 54) == -EINVAL,
	      "a text file");
}

static void test_files(void)
{
	struct nt_btf *b;

	CHECK(nt_btf_open(&b, "/nowhere/at/all", NULL) == -ENOENT && !b, "no file");
	CHECK(nt_btf_open(&b, "/", NULL) < 0 && !b, "a folder");
	nt_btf_close(NULL);
	CHECK(!nt_btf_has_func(NULL, "f") && nt_btf_tp_args(NULL, "t") == -ENOENT, "no BTF, no answers");
}

/* Split BTF: a module whose type ids and strings go on behind the kernel's. */
static void test_split(const struct nt_btf *base, const struct blob *base_blob)
{
	struct blob m = { .n_strings = 1 };
	uint32_t off = (uint32_t)base_blob->n_strings;
	struct nt_btf *b;

	m.n_strings = 0;
	put(&m, str(&m, "module_func") + off);
	put(&m, INFO(BTF_KIND_FUNC, 1));
	put(&m, 3);
	put(&m, str(&m, "btf_trace_module_event") + off);
	put(&m, INFO(BTF_KIND_TYPEDEF, 0));
	put(&m, 4);			/* the kernel's prototype */
	finish(&m);
	if (!CHECK(!nt_btf_open(&b, temp_file(m.bytes, m.n), base), "open split BTF"))
		return;
	CHECK(nt_btf_has_func(b, "module_func"), "a module's function");
	CHECK(!nt_btf_has_func(b, "some_func"), "the kernel's is not the module's");
	CHECK_U64((uint64_t)nt_btf_tp_args(b, "module_event"), 2, "a module's tracepoint by the kernel's type");
	nt_btf_close(b);
}

static void find_dodgy(void *arg, const char *name, uint32_t value)
{
	if (!strcmp(name, "SKB_GSO_DODGY"))
		*(uint32_t *)arg = value;
}

static void find_no_socket(void *arg, const char *name, uint32_t value)
{
	if (!strcmp(name, "SKB_DROP_REASON_NO_SOCKET"))
		*(uint32_t *)arg = value;
}

static void test_vmlinux(void)
{
	uint32_t no_socket = 0, dodgy = 0;
	struct nt_btf *b;
	int err = nt_btf_open(&b, VMLINUX, NULL);
	struct nt_btf_place p;

	if (err) {
		printf("# this kernel has no BTF: %s\n", strerror(-err));
		CHECK(err == -ENOENT || err == -EACCES, "no BTF here");
		return;
	}
	CHECK(nt_btf_has_func(b, "ip_rcv"), "ip_rcv is a function");
	CHECK(!nt_btf_has_func(b, "no_kernel_has_this"), "another is not");
	CHECK(nt_btf_tp_args(b, "kfree_skb") >= 2, "kfree_skb has two arguments or more");
	err = nt_btf_enum(b, "skb_drop_reason", find_no_socket, &no_socket);
	CHECK(err == -ENOENT || no_socket > 0, "drop reasons, where there are any, have NO_SOCKET");
	CHECK_U64((uint64_t)nt_btf_func_args(b, "ip_rcv"), 4, "arguments of a function");
	CHECK(nt_btf_func_args(b, "no_kernel_has_this") == -ENOENT, "of none");
	CHECK(!nt_btf_enum_with(b, "SKB_GSO_TCPV4", find_dodgy, &dodgy) && dodgy == 2, "an enum without a name");
	CHECK(nt_btf_enum_with(b, "SKB_GSO_DODGY", find_dodgy, &dodgy) == -ENOENT, "by its first enumerator only");
	nt_btf_close(b);
	CHECK(!nt_btf_find(&p, NULL) && p.from == NT_BTF_KERNEL && !strcmp(p.path, VMLINUX),
	      "it is found");
	CHECK(!nt_btf_find(&p, "/etc/passwd") && p.from == NT_BTF_GIVEN &&
	      !strcmp(p.path, "/etc/passwd"), "a file of the user's wins");
	CHECK(nt_btf_find(&p, "/nowhere") == -ENOENT, "if it is there");
}

/* The kernel's own, cut at many places. */
static void test_vmlinux_cut(void)
{
	FILE *f = fopen(VMLINUX, "r");
	size_t cap = 64 << 20, n;
	char *data = malloc(cap);
	unsigned int opened = 0;

	n = f && data ? fread(data, 1, cap, f) : 0;
	for (size_t i = 1; n && i < 24; i++)
		opened += try_bytes(data, n * i / 24) >= 0;
	for (size_t i = 1; i <= 8 && i < n; i++)
		opened += try_bytes(data, n - i) >= 0;
	CHECK_U64(opened, 0, "this kernel's BTF cut: an error each time");
	if (f)
		fclose(f);
	free(data);
}

int main(void)
{
	struct blob blob;
	struct nt_btf *b;

	make(&blob);
	if (CHECK(!nt_btf_open(&b, temp_file(blob.bytes, blob.n), NULL), "open a small one")) {
		test_small(b);
		test_split(b, &blob);
		nt_btf_close(b);
	}
	test_files();
	test_vmlinux();
	test_vmlinux_cut();
	test_broken(&blob);
	temp_done();
	return check_done();
}
