/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libFuzzer target: BTF files of strangers. The input is a kernel's BTF, with a module's behind
 * it (the first two bytes say where). Beyond memory errors:
 *   - what the validator accepts, libbpf opens;
 *   - what is made of it is sound, and each relocation gets the same value from it.
 * Linked with one tool's object, which has relocations of most kinds.
 */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/btf_file.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct nt_hook hooks[] = {
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb" },
	{ .stem = "xmit", .type = NT_HOOK_FUNC, .targets = "tun_net_xmit", .need = NT_OPTIONAL,
	  .loss = "everything" },
};
static const struct nt_type_need types[] = { { "tun", "tun_struct", "the ring" } };
static const struct nt_tool tool = { .name = "fuzz", .hooks = hooks, .n_hooks = NT_COUNT(hooks),
				     .types = types, .n_types = NT_COUNT(types) };
static struct nt_tool_entry entry = { .tool = &tool };
static const struct nt_tool_entry *const entries[] = { &entry };
static struct nt_object object;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct nt_tool_entry *real = nt_tool_find("tun_ring_monitor");

	(void)argc;
	(void)argv;
	libbpf_set_print(NULL);
	entry.packed = real->packed;
	entry.packed_end = real->packed_end;
	if (nt_object_read_tool(&object, &entry))
		abort();
	return 0;
}

/* False if it is refused; then why must have been said. */
static bool add(struct nt_btf_set *s, const void *data, size_t size)
{
	struct nt_err err = { .text = "" };
	uint8_t *copy = malloc(size ? size : 1);
	struct nt_btf *raw;
	char why[160] = "";

	memcpy(copy, data, size);
	if (nt_btf_new(&raw, copy, size, s->n ? s->item[0].raw : NULL))
		return false;
	if (nt_btf_validate(raw, why, sizeof(why))) {
		nt_btf_close(raw);
		if (!why[0])
			abort();
		return false;
	}
	if (nt_btf_set_add(s, raw, "input", &err))
		abort();
	return true;
}

static void compare(const struct nt_btf_set *a, const struct nt_btf_set *b)
{
	for (size_t i = 0; i < object.n; i++)
		for (size_t k = 0; k < object.prog[i].n_relo; k++) {
			const struct nt_relo *r = &object.prog[i].relo[k];
			const struct bpf_insn *insn = &object.prog[i].insns[r->insn];
			struct nt_core_path local;
			uint64_t x = 0, y = 0;
			int p, q;

			if (nt_core_local(&local, object.btf, r))
				abort();
			p = nt_core_value(&a->target, r, &local, insn, &x);
			q = nt_core_value(&b->target, r, &local, insn, &y);
			if (r->kind != BPF_CORE_TYPE_ID_TARGET && (p != q || (!p && x != y)))
				abort();
		}
}

static void make_and_check(const struct nt_btf_set *s)
{
	struct nt_btf_set made = { .n = 0 };
	struct nt_err err = { .text = "" };
	struct nt_btf_judged j;
	struct nt_btf_made m;

	if (!nt_btf_judge(&j, s, &entry))
		nt_btf_judged_free(&j);
	if (nt_btf_make(&m, s, entries, 1, &err)) {
		if (!err.text[0])
			abort();
		return;
	}
	if (!add(&made, m.data, m.size))
		abort();
	compare(s, &made);
	nt_btf_set_free(&made);
	free(m.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nt_btf_set s = { .n = 0 };
	size_t kernel;

	if (size < 2)
		return 0;
	kernel = data[0] | (size_t)data[1] << 8;
	data += 2;
	size -= 2;
	if (kernel > size)
		kernel = size;
	if (add(&s, data, kernel)) {
		if (size > kernel)
			add(&s, data + kernel, size - kernel);
		make_and_check(&s);
	}
	nt_btf_set_free(&s);
	return 0;
}
