/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CO-RE relocations on types made by hand, with the values worked out by hand; and files made
 * from this kernel's BTF: each relocation must get the same value from the file.
 */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "nettrace/btf_file.h"

static const struct bpf_insn load32 = { .code = BPF_LDX | BPF_MEM | BPF_W };

/* Ours: struct s { int a; struct { int deep; }; unsigned bits; int arr[8]; }, its flavours, enum e. */
struct ours {
	struct btf *btf;
	int s, s_old, absent, e, td;
};

static void make_ours(struct ours *o)
{
	int i, u, arr, inner, anon;

	o->btf = btf__new_empty();
	i = btf__add_int(o->btf, "int", 4, BTF_INT_SIGNED);
	u = btf__add_int(o->btf, "unsigned int", 4, 0);
	arr = btf__add_array(o->btf, i, i, 8);
	inner = btf__add_struct(o->btf, NULL, 4);
	btf__add_field(o->btf, "deep", i, 0, 0);
	o->s = btf__add_struct(o->btf, "s", 48);
	btf__add_field(o->btf, "a", i, 0, 0);
	btf__add_field(o->btf, NULL, inner, 32, 0);
	btf__add_field(o->btf, "bits", u, 64, 0);
	btf__add_field(o->btf, "arr", arr, 96, 0);
	o->s_old = btf__add_struct(o->btf, "s___old", 8);
	btf__add_field(o->btf, "gone", i, 0, 0);
	o->absent = btf__add_struct(o->btf, "absent", 8);
	o->e = btf__add_enum(o->btf, "e", 4);
	btf__add_enum_value(o->btf, "E_ONE", 1);
	anon = btf__add_struct(o->btf, NULL, 8);
	btf__add_field(o->btf, "net", i, 0, 0);
	o->td = btf__add_typedef(o->btf, "s_t", anon);
}

/* The kernel's: struct s { long pad[2]; union { struct { int deep; }; int x; }; u32 bits : 5 at bit
 * 163; int arr[8] at 24; int a at 56; } 64 bytes; enum e { E_ONE = 7 }. twice: two structs s
 * whose a lies elsewhere. */
static struct btf *make_kernel(bool twice, bool a_is_ptr)
{
	struct btf *k = btf__new_empty();
	int i = btf__add_int(k, "int", 4, BTF_INT_SIGNED), u = btf__add_int(k, "unsigned int", 4, 0);
	int arr = btf__add_array(k, i, i, 8), ptr = btf__add_ptr(k, 0), inner, un;

	inner = btf__add_struct(k, NULL, 4);
	btf__add_field(k, "deep", i, 0, 0);
	un = btf__add_union(k, NULL, 4);
	btf__add_field(k, NULL, inner, 0, 0);
	btf__add_field(k, "x", i, 0, 0);
	btf__add_struct(k, "s", 64);
	btf__add_field(k, NULL, un, 128, 0);
	btf__add_field(k, "bits", u, 163, 5);
	btf__add_field(k, "arr", arr, 192, 0);
	btf__add_field(k, "a", a_is_ptr ? ptr : i, 448, 0);
	if (twice) {
		btf__add_struct(k, "s", 64);
		btf__add_field(k, "a", i, 0, 0);
	}
	btf__add_enum(k, "e", 4);
	btf__add_enum_value(k, "E_ZERO", 0);
	btf__add_enum_value(k, "E_ONE", 7);
	return k;
}

static uint64_t value;

static struct btf *module;	/* a second source, NULL: none */

static int resolve(const struct ours *o, struct btf *kernel, enum bpf_core_relo_kind kind, int type,
		   const char *access)
{
	struct nt_relo r = { .kind = kind, .type_id = (uint32_t)type, .access = access };
	struct nt_core_target t = { .n = 0 };
	struct nt_core_path local;
	int rc = nt_core_target_add(&t, kernel);

	value = ~0ULL;
	if (!rc && module)
		rc = nt_core_target_add(&t, module);
	if (!rc)
		rc = nt_core_local(&local, o->btf, &r);
	if (!rc)
		rc = nt_core_value(&t, &r, &local, &load32, &value);
	nt_core_target_free(&t);
	return rc;
}

#define VALUE(kind, type, access, want, name) do { \
	int rc_ = resolve(&o, k, BPF_CORE_##kind, o.type, access); \
	if (CHECK(!rc_, name)) CHECK_U64(value, want, name); \
} while (0)
#define FAILS(kind, type, access, want, name) \
	CHECK(resolve(&o, k, BPF_CORE_##kind, o.type, access) == (want), name)

static void test_values(void)
{
	struct btf *k = make_kernel(false, false);
	struct ours o;

	make_ours(&o);
	VALUE(FIELD_BYTE_OFFSET, s, "0:0", 56, "a field that moved");
	VALUE(FIELD_BYTE_OFFSET, s, "0:1:0", 16, "a field in an anonymous struct in a union");
	VALUE(FIELD_BYTE_OFFSET, s, "0:3:5", 24 + 20, "an element of an array");
	VALUE(FIELD_BYTE_OFFSET, s, "2:0", 2 * 64 + 56, "of the third struct in a row");
	VALUE(FIELD_BYTE_SIZE, s, "0:3", 32, "size of an array");
	VALUE(FIELD_EXISTS, s, "0:0", 1, "a field exists");
	VALUE(FIELD_EXISTS, s_old, "0:0", 0, "a flavour's field does not");
	VALUE(FIELD_SIGNED, s, "0:0", 1, "signed");
	VALUE(FIELD_BYTE_OFFSET, s, "0:2", 20, "a bit-field's word");
	VALUE(FIELD_BYTE_SIZE, s, "0:2", 4, "its size");
	VALUE(FIELD_LSHIFT_U64, s, "0:2", 64 - 8, "bits 3 to 7 of it: shift left");
	VALUE(FIELD_RSHIFT_U64, s, "0:2", 59, "and right");
	VALUE(FIELD_SIGNED, s, "0:2", 0, "unsigned");
	VALUE(TYPE_EXISTS, s, "0", 1, "a type exists");
	VALUE(TYPE_EXISTS, s_old, "0", 1, "by its name without flavour");
	VALUE(TYPE_EXISTS, absent, "0", 0, "another does not");
	VALUE(TYPE_EXISTS, td, "0", 0, "nor a typedef");
	VALUE(TYPE_SIZE, s, "0", 64, "a type's size");
	VALUE(ENUMVAL_VALUE, e, "0", 7, "an enumerator by name");
	VALUE(ENUMVAL_EXISTS, e, "0", 1, "it exists");
	FAILS(FIELD_BYTE_OFFSET, s_old, "0:0", -ENOENT, "a field that is not there");
	FAILS(TYPE_SIZE, absent, "0", -ENOENT, "a type that is not there");
	FAILS(FIELD_BYTE_OFFSET, s, "0:3:9", -ENOENT, "behind the array's end");
	FAILS(FIELD_BYTE_OFFSET, s, "0:77", -EINVAL, "a member that we do not have");
	FAILS(FIELD_BYTE_OFFSET, s, "x", -EINVAL, "no path");
	btf__free(k);
	k = make_kernel(true, false);
	FAILS(FIELD_BYTE_OFFSET, s, "0:0", -EINVAL, "two of the name that disagree");
	VALUE(FIELD_BYTE_OFFSET, s, "0:1:0", 16, "one of two has it");
	btf__free(k);
	k = make_kernel(false, true);
	FAILS(FIELD_BYTE_OFFSET, s, "0:0", -ENOENT, "a pointer where we have a number");
	VALUE(FIELD_EXISTS, s, "0:0", 0, "and so it does not exist");
	btf__free(k);
	k = make_kernel(false, false);
	module = make_kernel(true, false);
	VALUE(FIELD_BYTE_OFFSET, s, "0:0", 56, "a module's types of the same name are not asked");
	btf__free(k);
	k = btf__new_empty();
	VALUE(FIELD_BYTE_OFFSET, s, "0:1:0", 16, "unless the kernel has none");
	btf__free(k);
	btf__free(module);
	module = NULL;
	btf__free(o.btf);
}

static void test_names(void)
{
	CHECK_U64(nt_core_name_len("sk_buff"), 7, "a name");
	CHECK_U64(nt_core_name_len("sk_buff___old"), 7, "a flavour");
	CHECK_U64(nt_core_name_len("___old"), 6, "nothing in front");
	CHECK_U64(nt_core_name_len("a____b"), 6, "four underscores");
	CHECK_U64(nt_core_name_len("a___"), 4, "nothing behind");
}

/* ---- files from this kernel's BTF ---- */

static bool add_file(struct nt_btf_set *s, const char *path)
{
	struct nt_err err = { .text = "" };
	struct nt_btf *raw;
	bool ok = !nt_btf_read(&raw, path, s->n ? s->item[0].raw : NULL, &err) &&
		  !nt_btf_set_add(s, raw, path, &err);

	if (!ok)
		printf("#   %s\n", err.text);
	return ok;
}

static void add_modules(struct nt_btf_set *s)
{
	static const char *const names[] = { "tun", "openvswitch" };
	char path[64];

	for (size_t i = 0; i < NT_COUNT(names); i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/kernel/btf/%s", names[i]);
		f = fopen(path, "r");
		if (!f)
			continue;
		fclose(f);
		CHECK(add_file(s, path), path);
	}
}

static bool add_bytes(struct nt_btf_set *s, const void *data, size_t size)
{
	struct nt_err err = { .text = "" };
	uint8_t *copy = malloc(size);
	struct nt_btf *raw;
	char why[160] = "";
	bool ok;

	memcpy(copy, data, size);
	ok = !nt_btf_new(&raw, copy, size, NULL) && !nt_btf_validate(raw, why, sizeof(why)) &&
	     !nt_btf_set_add(s, raw, "made", &err);
	if (!ok)
		printf("#   %s %s\n", why, err.text);
	return ok;
}

/* Relocations of an object that get another value, or another error, from set b. */
static unsigned int differences(const struct nt_object *o, const struct nt_btf_set *a,
				const struct nt_btf_set *b, unsigned int *n)
{
	unsigned int bad = 0;

	for (size_t i = 0; i < o->n; i++)
		for (size_t k = 0; k < o->prog[i].n_relo; k++) {
			const struct nt_relo *r = &o->prog[i].relo[k];
			struct nt_core_path local;
			uint64_t x = 0, y = 0;
			char text[120];
			int p, q;

			if (nt_core_local(&local, o->btf, r))
				bad++;
			p = nt_core_value(&a->target, r, &local, &o->prog[i].insns[r->insn], &x);
			q = nt_core_value(&b->target, r, &local, &o->prog[i].insns[r->insn], &y);
			(*n)++;
			if (p == q && (p || x == y || r->kind == BPF_CORE_TYPE_ID_TARGET))
				continue;
			printf("#   %s kind %d: %d %llu, file: %d %llu\n",
			       nt_core_text(&local, text, sizeof(text)), r->kind, p,
			       (unsigned long long)x, q, (unsigned long long)y);
			bad++;
		}
	return bad;
}

static void all_tools(const struct nt_tool_entry **tools)
{
	for (size_t i = 0; i < nt_n_tools; i++)
		tools[i] = &nt_tools[i];
}

static void test_same_values(const struct nt_btf_set *kernel, const struct nt_btf_set *file)
{
	unsigned int n = 0, bad = 0;

	for (size_t i = 0; i < nt_n_tools; i++) {
		struct nt_object o;

		if (nt_object_read_tool(&o, &nt_tools[i])) {
			bad++;
			continue;
		}
		bad += differences(&o, kernel, file, &n);
		nt_object_free(&o);
	}
	printf("# %u relocations\n", n);
	CHECK(n > 100 && !bad, "every relocation gets the same value from the file");
}

static void count_one(void *arg, const char *name, uint32_t v)
{
	(void)name;
	(void)v;
	++*(unsigned int *)arg;
}

static void test_core_needs(const struct nt_btf_set *kernel, const struct nt_btf_set *file)
{
	unsigned int here = 0, there = 0;

	nt_btf_enum(kernel->item[0].raw, "skb_drop_reason", count_one, &here);
	nt_btf_enum(file->item[0].raw, "skb_drop_reason", count_one, &there);
	CHECK_U64(there, here, "all drop reasons");
	CHECK(nt_btf_tp_args(file->item[0].raw, "kfree_skb") ==
	      nt_btf_tp_args(kernel->item[0].raw, "kfree_skb"), "arguments of a tracepoint");
	CHECK(!nt_btf_has_func(file->item[0].raw, "ip_rcv"), "no functions");
}

static unsigned int state_of(const struct nt_btf_set *s, const char *tool, char *text, size_t size)
{
	struct nt_btf_judged j;
	unsigned int state;

	if (nt_btf_judge(&j, s, nt_tool_find(tool)))
		return 99;
	state = j.state;
	snprintf(text, size, "%s; %zu faults, first %s", j.text, j.n_faults,
		 j.n_faults ? j.fault[0].what : "none");
	nt_btf_judged_free(&j);
	return state;
}

/* The file with one name spoiled. */
static void test_spoiled(const struct nt_btf_made *m, const char *name, const char *tool, unsigned int want,
			 const char *says)
{
	struct nt_btf_set s = { .n = 0 };
	size_t len = strlen(name);
	char *data = malloc(m->size), *at = NULL, text[800];
	unsigned int state;

	memcpy(data, m->data, m->size);
	for (uint32_t i = 1; !at && i + len < m->size; i++)
		if (!data[i - 1] && !memcmp(data + i, name, len + 1))
			at = data + i;
	if (CHECK(at != NULL, name)) {
		at[0] = '#';
		CHECK(add_bytes(&s, data, m->size), "the spoiled file is sound");
		state = state_of(&s, tool, text, sizeof(text));
		if (!CHECK(state == want && strstr(text, says), says))
			printf("#   %u: %s\n", state, text);
	}
	nt_btf_set_free(&s);
	free(data);
}

/* What is in two modules is in the file once. */
static void test_twice(const struct nt_btf_made *m, const struct nt_tool_entry *const *tools)
{
	struct nt_btf_set s = { .n = 0 };
	struct nt_err err = { .text = "" };
	struct nt_btf_made again = { .data = NULL };
	struct btf *base = btf__new_empty();
	uint32_t size;
	const void *data;

	btf__add_int(base, "int", 4, BTF_INT_SIGNED);
	data = btf__raw_data(base, &size);
	CHECK(add_bytes(&s, data, size) && add_bytes(&s, m->data, m->size) && add_bytes(&s, m->data, m->size),
	      "two modules with the same types");
	CHECK(!nt_btf_make(&again, &s, tools, nt_n_tools, &err), "a file of them");
	CHECK_U64(again.n_types, m->n_types, "has each once");
	free(again.data);
	nt_btf_set_free(&s);
	btf__free(base);
}

static void test_kernel(void)
{
	const struct nt_tool_entry *tools[64], *one;
	struct nt_btf_set kernel = { .n = 0 }, file = { .n = 0 };
	struct nt_btf_made m = { .data = NULL }, small = { .data = NULL };
	struct nt_err err = { .text = "" };
	char text[800];

	all_tools(tools);
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		printf("# this kernel has no BTF\n");
		return;
	}
	CHECK(add_file(&kernel, "/sys/kernel/btf/vmlinux"), "this kernel's BTF is sound");
	add_modules(&kernel);
	if (!CHECK(!nt_btf_make(&m, &kernel, tools, nt_n_tools, &err) && m.size <= 65536,
		   "a file of at most 64 kB"))
		return;
	printf("# %u types, %u bytes; in no file: %s\n", m.n_types, m.size, m.missing);
	CHECK(add_bytes(&file, m.data, m.size), "it is sound");
	test_same_values(&kernel, &file);
	test_core_needs(&kernel, &file);
	test_twice(&m, tools);
	one = nt_tool_find("iface_netstat");
	CHECK(!nt_btf_make(&small, &kernel, &one, 1, &err) && small.size < m.size, "one tool needs less");
	for (size_t i = 0; i < nt_n_tools; i++) {
		unsigned int state = state_of(&file, nt_tools[i].tool->name, text, sizeof(text));

		if (!CHECK(state == NT_FILE_OK || (state == NT_FILE_DEGRADED && m.missing[0]),
			   nt_tools[i].tool->name))
			printf("#   %s\n", text);
	}
	test_spoiled(&m, "head", "eth_drop", NT_FILE_UNAVAILABLE, "struct sk_buff.head");
	test_spoiled(&m, "skb_iif", "kernel_icmp_rtt", NT_FILE_OK, "none");
	if (!m.missing[0])
		test_spoiled(&m, "tun_struct", "tun_ring_monitor", NT_FILE_DEGRADED,
			     "no struct tun_struct of module tun");
	nt_btf_set_free(&kernel);
	nt_btf_set_free(&file);
	free(m.data);
	free(small.data);
}

/* Of a kernel that has none of the types there is nothing to make. */
static void test_nothing(void)
{
	const struct nt_tool_entry *tools[64];
	struct nt_btf_made m;
	struct nt_btf_set s = { .n = 0 };
	struct nt_err err = { .text = "" };
	struct btf *b = btf__new_empty();
	uint32_t size;
	const void *data;

	all_tools(tools);
	btf__add_int(b, "int", 4, BTF_INT_SIGNED);
	data = btf__raw_data(b, &size);
	CHECK(add_bytes(&s, data, size), "BTF with nothing of ours");
	CHECK(nt_btf_make(&m, &s, tools, nt_n_tools, &err) == -ENOENT && strstr(err.text, "nothing found"),
	      "nothing found");
	nt_btf_set_free(&s);
	btf__free(b);
}

int main(void)
{
	libbpf_set_print(NULL);
	test_names();
	test_values();
	test_kernel();
	test_nothing();
	return check_done();
}
