/* SPDX-License-Identifier: GPL-2.0 */
/* Load-time constants and appended subprograms, on instruction arrays made by hand. */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "nettrace/patch.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define MARK_HIGH ((int32_t)(NT_CONST_MARK >> 32))

#define LD_IMM64(dst, low, high)						\
	{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = (dst), .imm = (low) },	\
	{ .imm = (high) }
#define CONST(dst, id)	LD_IMM64(dst, id, MARK_HIGH)
#define MOV(dst, v)	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (dst), .imm = (v) }
#define CALL(n)		{ .code = BPF_JMP | BPF_CALL, .imm = (int32_t)(n) }
#define EXIT		{ .code = BPF_JMP | BPF_EXIT }

static struct nt_consts consts(unsigned int id, uint64_t value)
{
	struct nt_consts c = { .set = 1u << id };

	c.value[id] = value;
	return c;
}

static int same(const struct bpf_insn *a, const struct bpf_insn *b, size_t n)
{
	return !memcmp(a, b, n * sizeof(*a));
}

static void test_replaced_everywhere(void)
{
	struct bpf_insn p[] = {
		CONST(1, NT_CONST_FILTER), MOV(2, NT_CONST_FILTER), CONST(3, NT_CONST_TOOL3),
		CONST(4, NT_CONST_FILTER), EXIT,
	};
	struct bpf_insn want[] = {
		LD_IMM64(1, 0x55667788, 0x11223344), MOV(2, NT_CONST_FILTER), LD_IMM64(3, -1, -1),
		LD_IMM64(4, 0x55667788, 0x11223344), EXIT,
	};
	struct nt_consts c = consts(NT_CONST_FILTER, 0x1122334455667788ULL);

	c.value[NT_CONST_TOOL3] = UINT64_MAX;
	c.set |= 1u << NT_CONST_TOOL3;
	CHECK_U64((uint64_t)nt_patch_consts(p, N_OF(p), &c, NULL), 3, "three places");
	CHECK(same(p, want, N_OF(p)), "64-bit values in every place, nothing else changed");
	CHECK_U64((uint64_t)nt_patch_consts(p, N_OF(p), &c, NULL), 0, "a second pass finds none");
	CHECK(same(p, want, N_OF(p)), "and changes nothing");
}

static void test_values(void)
{
	static const uint64_t values[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff,
					   0x100000000ULL, 1ULL << 63, UINT64_MAX };

	for (size_t i = 0; i < N_OF(values); i++) {
		struct bpf_insn p[] = { CONST(1, NT_CONST_TOOL0), EXIT };
		struct nt_consts c = consts(NT_CONST_TOOL0, values[i]);
		char name[64];
		uint64_t got;

		snprintf(name, sizeof(name), "value 0x%llx", (unsigned long long)values[i]);
		nt_patch_consts(p, N_OF(p), &c, NULL);
		got = (uint32_t)p[0].imm | (uint64_t)(uint32_t)p[1].imm << 32;
		CHECK_U64(got, values[i], name);
	}
	/* The value may look like a marker itself: it is not looked at again. */
	struct bpf_insn p[] = { CONST(1, NT_CONST_TOOL0), EXIT };
	struct nt_consts c = consts(NT_CONST_TOOL0, NT_CONST_MARK | NT_CONST_TOOL1);

	CHECK_U64((uint64_t)nt_patch_consts(p, N_OF(p), &c, NULL), 1, "a value that looks like a marker");
}

static void test_missing(void)
{
	struct bpf_insn p[] = { CONST(1, NT_CONST_TOOL1), EXIT };
	struct bpf_insn beyond[] = { CONST(1, NT_CONST_TOOL3 + 1), EXIT };
	struct bpf_insn huge[] = { CONST(1, -1), EXIT };
	struct nt_consts c = consts(NT_CONST_TOOL0, 1);
	unsigned int missing = 0;

	CHECK(nt_patch_consts(p, N_OF(p), &c, &missing) == -ENOENT, "a marker without a value");
	CHECK_U64(missing, NT_CONST_TOOL1, "which one");
	CHECK(nt_patch_consts(p, N_OF(p), &c, NULL) == -ENOENT, "the same, not asked which");
	c.set = UINT32_MAX;
	CHECK(nt_patch_consts(beyond, N_OF(beyond), &c, &missing) == -ENOENT, "an unknown constant");
	CHECK(nt_patch_consts(huge, N_OF(huge), &c, &missing) == -ENOENT, "a constant out of all range");
	CHECK_U64(missing, UINT32_MAX, "its number");
}

static void test_second_half(void)
{
	/* Of the first load the second half, read as an instruction, would begin another one. */
	struct bpf_insn p[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .imm = 7 },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .imm = NT_CONST_TOOL0 },
		{ .imm = MARK_HIGH },
		EXIT,
	};
	struct bpf_insn map[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .src_reg = BPF_PSEUDO_MAP_FD, .imm = NT_CONST_TOOL0 },
		{ .imm = MARK_HIGH }, EXIT,
	};
	struct bpf_insn before[4], cut[] = { CONST(1, NT_CONST_TOOL0) };
	struct nt_consts c = consts(NT_CONST_TOOL0, 99);

	memcpy(before, p, sizeof(before));
	CHECK_U64((uint64_t)nt_patch_consts(p, N_OF(p), &c, NULL), 0, "a second half is no load");
	CHECK(same(p, before, N_OF(p)), "and stays as it was");
	CHECK_U64((uint64_t)nt_patch_consts(map, N_OF(map), &c, NULL), 0, "a map's load is no marker");
	CHECK_U64((uint64_t)nt_patch_consts(cut, 1, &c, NULL), 0, "a load cut in half at the end");
	CHECK_U64((uint64_t)nt_patch_consts(cut, 2, &c, NULL), 1, "a load that is all there is");
	CHECK_U64((uint64_t)nt_patch_consts(NULL, 0, &c, NULL), 0, "no instructions");
}

static const struct bpf_insn sub2[] = { MOV(0, 2), EXIT };
static const struct bpf_insn sub3[] = { MOV(0, 3), MOV(1, 4), EXIT };

static void test_append(void)
{
	const struct bpf_insn p[] = {
		CALL(1), CALL(NT_CALL_PCAP_L2), MOV(1, NT_CALL_PCAP_L2), CALL(NT_CALL_PCAP_L3),
		CALL(NT_CALL_PCAP_L2), EXIT,
	};
	const struct nt_append apps[] = {
		{ NT_CALL_PCAP_L2, sub2, N_OF(sub2) }, { NT_CALL_PCAP_L3, sub3, N_OF(sub3) },
	};
	struct bpf_insn *out = NULL;
	size_t at[2] = { 77, 77 };
	int n = nt_patch_append(p, N_OF(p), apps, 2, &out, at);

	CHECK_U64((uint64_t)n, N_OF(p) + 5, "length with both subprograms");
	if (n < 0)
		return;
	CHECK(at[0] == 6 && at[1] == 8, "where they begin");
	CHECK(same(out, p, 1), "a helper call stays");
	CHECK(same(out + 2, p + 2, 1), "a number that equals a placeholder stays");
	for (size_t i = 0; i < N_OF(p); i++) {
		size_t target = i == 3 ? at[1] : at[0];
		char name[64];

		if (i != 1 && i != 3 && i != 4)
			continue;
		snprintf(name, sizeof(name), "call at %zu reaches its subprogram", i);
		CHECK(out[i].code == (BPF_JMP | BPF_CALL) && out[i].src_reg == BPF_PSEUDO_CALL &&
		      (size_t)((int)i + 1 + out[i].imm) == target, name);
	}
	CHECK(same(out + 6, sub2, 2) && same(out + 8, sub3, 3), "their instructions");
	free(out);
}

static void test_append_unused(void)
{
	const struct bpf_insn p[] = { CALL(NT_CALL_PCAP_L3), EXIT };
	const struct bpf_insn none[] = { MOV(0, 0), EXIT };
	struct nt_append apps[] = {
		{ NT_CALL_PCAP_L2, sub2, N_OF(sub2) }, { NT_CALL_PCAP_L3, sub3, N_OF(sub3) },
	};
	struct bpf_insn *out = NULL;
	size_t at[2] = { 77, 77 };
	int n = nt_patch_append(p, N_OF(p), apps, 2, &out, at);

	CHECK_U64((uint64_t)n, 5, "a subprogram that nothing calls is not appended");
	CHECK(at[0] == 0 && at[1] == 2, "it has no place");
	CHECK(n > 0 && out[0].imm == 1, "the other one is called");
	free(out);
	n = nt_patch_append(none, N_OF(none), apps, 2, &out, at);
	CHECK(n == 2 && same(out, none, 2) && !at[0] && !at[1], "a program without calls is only copied");
	free(out);
	apps[1].insns = NULL;
	n = nt_patch_append(p, N_OF(p), apps, 2, &out, at);
	CHECK(n == 2 && out[0].code == (BPF_ALU64 | BPF_MOV | BPF_K) && out[0].imm == 1 &&
	      out[0].dst_reg == 0 && out[0].src_reg == 0, "no filter: the call becomes r0 = 1");
	free(out);
}

static void test_append_missing(void)
{
	const struct bpf_insn p[] = { CALL(NT_CALL_PCAP_L2), CALL(NT_CALL_PCAP_L3), EXIT };
	const struct bpf_insn pseudo[] = {
		{ .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = NT_CALL_PCAP_L2 }, EXIT,
	};
	const struct nt_append apps[] = { { NT_CALL_PCAP_L2, sub2, N_OF(sub2) } };
	struct bpf_insn *out = NULL;
	size_t at[1];
	int n;

	CHECK(nt_patch_append(p, N_OF(p), apps, 1, &out, at) == -ENOENT, "a placeholder without an entry");
	CHECK(nt_patch_append(p, N_OF(p), NULL, 0, &out, NULL) == -ENOENT, "no entries at all");
	n = nt_patch_append(pseudo, N_OF(pseudo), apps, 1, &out, at);
	CHECK(n == 2 && same(out, pseudo, 2), "a call of a subprogram is no placeholder");
	free(out);
}

static void test_uses(void)
{
	const struct bpf_insn p[] = {
		MOV(2, NT_CONST_TP_ARGS), CONST(1, NT_CONST_FILTER), LD_IMM64(3, NT_CONST_TP_ARGS, 0), EXIT,
	};
	const struct bpf_insn q[] = { CONST(1, NT_CONST_FILTER), CONST(1, NT_CONST_TP_ARGS), EXIT };
	const struct bpf_insn second[] = {	/* the second half looks like the load of a constant */
		{ .code = BPF_LD | BPF_DW | BPF_IMM },
		CONST(1, NT_CONST_TP_ARGS),
	};

	CHECK(nt_patch_uses(p, N_OF(p), NT_CONST_FILTER), "a constant that is there");
	CHECK(!nt_patch_uses(p, N_OF(p), NT_CONST_TP_ARGS), "a number that only looks like one");
	CHECK(nt_patch_uses(q, N_OF(q), NT_CONST_TP_ARGS), "the second constant");
	CHECK(!nt_patch_uses(second, N_OF(second), NT_CONST_TP_ARGS), "the second half of a load");
	CHECK(!nt_patch_uses(NULL, 0, NT_CONST_TP_ARGS), "no instructions");
}

int main(void)
{
	test_uses();
	test_replaced_everywhere();
	test_values();
	test_missing();
	test_second_half();
	test_append();
	test_append_unused();
	test_append_missing();
	return check_done();
}
