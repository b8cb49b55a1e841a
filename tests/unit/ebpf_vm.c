// SPDX-License-Identifier: GPL-2.0
#include "ebpf_vm.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <sys/syscall.h>

#include "nettrace/cbpf.h"

#define STACK		NT_CBPF_STACK_BYTES
#define PACKET_BASE	0xffff888012345677ULL	/* a kernel-like address, unaligned */
#define STACK_BASE	0x7000000000000000ULL	/* value of r10: the end of the stack */
#define DIRTY_HIGH	0xdeadbeef00000000ULL	/* upper half of a u32 argument */
#define RUN_LIMIT	65536
#define FIELD(cond)	do { if (!(cond)) return "reserved field used"; } while (0)

struct vm {
	uint64_t reg[11];
	uint16_t valid;			/* registers that hold a value */
	uint8_t stack[STACK];
	uint8_t written[STACK];
	const struct ebpf_packet *pkt;
};

static int access_size(uint8_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	default:
		return 8;
	}
}

static const char *check_memory(const struct bpf_insn *i)
{
	int size = access_size(i->code);
	int base = BPF_CLASS(i->code) == BPF_LDX ? i->src_reg : i->dst_reg;

	if (BPF_MODE(i->code) != BPF_MEM)
		return "unknown addressing mode";
	if (base != 10)
		return "memory access not through r10";
	if (i->off >= 0 || i->off < -STACK || i->off + size > 0)
		return "stack access out of range";
	if (i->off % size)
		return "misaligned stack access";
	FIELD(BPF_CLASS(i->code) == BPF_ST ? !i->src_reg : !i->imm);
	return NULL;
}

static const char *check_alu(const struct bpf_insn *i)
{
	bool wide = BPF_CLASS(i->code) == BPF_ALU64;
	bool by_reg = BPF_SRC(i->code) == BPF_X;

	FIELD(!i->off);
	if (i->dst_reg > 9)
		return "r10 written";
	switch (BPF_OP(i->code)) {
	case BPF_END:
		FIELD(!i->src_reg);
		if (wide || (i->imm != 16 && i->imm != 32))
			return "unknown byte swap";
		return NULL;
	case BPF_NEG:
		FIELD(!i->src_reg && !i->imm && !by_reg);
		return NULL;
	case BPF_LSH:
	case BPF_RSH:
		if (!by_reg && (uint32_t)i->imm >= (wide ? 64u : 32u))
			return "shift count out of range";
		break;
	case BPF_DIV:
	case BPF_MOD:
		if (!by_reg && !i->imm)
			return "division by zero";
		break;
	case BPF_ARSH:
		return "signed operation";
	default:
		if (BPF_OP(i->code) > BPF_MOV)
			return "unknown operation";
	}
	FIELD(by_reg ? !i->imm && i->src_reg <= 10 : !i->src_reg);
	return NULL;
}

static const char *check_jump(const struct bpf_insn *i, size_t left, unsigned int helper)
{
	switch (BPF_OP(i->code)) {
	case BPF_CALL:
		FIELD(!i->dst_reg && !i->src_reg && !i->off);
		return (unsigned int)i->imm == helper ? NULL : "unknown helper";
	case BPF_EXIT:
		FIELD(!i->dst_reg && !i->src_reg && !i->off && !i->imm);
		return NULL;
	case BPF_JA:
	case BPF_JEQ:
	case BPF_JNE:
	case BPF_JGT:
	case BPF_JGE:
	case BPF_JLT:
	case BPF_JLE:
	case BPF_JSET:
		break;
	default:
		return "unknown jump";
	}
	if (i->off < 0)
		return "backward jump";
	if ((size_t)i->off >= left)
		return "jump past the end";
	FIELD(BPF_SRC(i->code) == BPF_X ? !i->imm : !i->src_reg);
	return NULL;
}

static const char *check_insn(const struct bpf_insn *i, size_t left, unsigned int helper)
{
	switch (BPF_CLASS(i->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		return check_alu(i);
	case BPF_JMP:
		return check_jump(i, left, helper);
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX:
		return check_memory(i);
	case BPF_LD:
		if (i->code != (BPF_LD | BPF_IMM | BPF_DW) || !left || i[1].code)
			return "unknown load";
		FIELD(!i->src_reg && !i->off && !i[1].dst_reg && !i[1].src_reg && !i[1].off);
		return NULL;
	default:
		return "unknown class (JMP32 is too new)";
	}
}

const char *ebpf_vm_check(const struct bpf_insn *insns, size_t n, unsigned int helper)
{
	uint8_t *reached = calloc(n + 2, 1);
	const char *wrong = reached ? NULL : "no memory";
	size_t i;

	if (reached)
		reached[0] = 1;
	for (i = 0; !wrong && i < n; i++) {
		uint8_t code = insns[i].code;
		bool jump = BPF_CLASS(code) == BPF_JMP && BPF_OP(code) != BPF_CALL;

		if (!reached[i])
			wrong = "unreachable instruction";
		else
			wrong = check_insn(&insns[i], n - i - 1, helper);
		if (wrong)
			break;
		if (jump && BPF_OP(code) == BPF_EXIT)
			continue;
		if (jump)
			reached[i + 1 + (size_t)insns[i].off] = 1;
		if (BPF_CLASS(code) == BPF_LD)
			reached[++i + 1] = 1;
		else if (!jump || BPF_OP(code) != BPF_JA)
			reached[i + 1] = 1;
	}
	if (!wrong && reached[n])
		wrong = "runs past the end";
	free(reached);
	return wrong;
}

/* The helper: r1 destination on the stack, r2 size, r3 packet address. */
static const char *probe_read(struct vm *vm)
{
	uint64_t to = vm->reg[1] - (STACK_BASE - STACK);
	uint64_t size = vm->reg[2], from = vm->reg[3] - PACKET_BASE;

	if ((vm->valid & 0xe) != 0xe)
		return "helper argument not set";
	if (size > STACK || to > STACK - size)
		return "helper writes outside the stack";
	if (from > vm->pkt->caplen || size > vm->pkt->caplen - from)
		return "read outside the packet";
	if (size)
		memcpy(vm->stack + to, vm->pkt->data + from, size);
	memset(vm->written + to, 1, size);
	vm->reg[0] = 0;
	vm->valid = (uint16_t)((vm->valid | 1) & ~0x3e);
	return NULL;
}

static const char *run_memory(struct vm *vm, const struct bpf_insn *i)
{
	int size = access_size(i->code);
	uint8_t *at = vm->stack + STACK + i->off;
	uint64_t value = BPF_CLASS(i->code) == BPF_ST ? (uint64_t)(int64_t)i->imm :
			 vm->reg[i->src_reg];

	if (BPF_CLASS(i->code) == BPF_LDX) {
		if (memchr(vm->written + STACK + i->off, 0, (size_t)size))
			return "stack read before it is written";
		value = 0;
		memcpy(&value, at, (size_t)size);	/* little endian hosts only */
		vm->reg[i->dst_reg] = value;
		vm->valid |= (uint16_t)(1 << i->dst_reg);
		return NULL;
	}
	memcpy(at, &value, (size_t)size);
	memset(vm->written + STACK + i->off, 1, (size_t)size);
	return NULL;
}

static uint64_t alu(uint8_t op, uint64_t a, uint64_t b, bool wide)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_MOD:
		return b ? a % b : a;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & (wide ? 63 : 31));
	case BPF_RSH:
		return a >> (b & (wide ? 63 : 31));
	case BPF_NEG:
		return -a;
	default:
		return b;	/* BPF_MOV */
	}
}

static void run_alu(struct vm *vm, const struct bpf_insn *i)
{
	bool wide = BPF_CLASS(i->code) == BPF_ALU64;
	uint64_t a = vm->reg[i->dst_reg];
	uint64_t b = BPF_SRC(i->code) == BPF_X ? vm->reg[i->src_reg] : (uint64_t)(int64_t)i->imm;

	if (BPF_OP(i->code) == BPF_END) {
		a = i->imm == 16 ? __builtin_bswap16((uint16_t)a) : __builtin_bswap32((uint32_t)a);
	} else if (wide) {
		a = alu(BPF_OP(i->code), a, b, true);
	} else {
		a = (uint32_t)alu(BPF_OP(i->code), (uint32_t)a, (uint32_t)b, false);
	}
	vm->reg[i->dst_reg] = a;
	vm->valid |= (uint16_t)(1 << i->dst_reg);
}

static bool taken(const struct vm *vm, const struct bpf_insn *i)
{
	uint64_t a = vm->reg[i->dst_reg];
	uint64_t b = BPF_SRC(i->code) == BPF_X ? vm->reg[i->src_reg] : (uint64_t)(int64_t)i->imm;

	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	case BPF_JSET:
		return a & b;
	default:
		return true;	/* BPF_JA */
	}
}

/* Registers that the instruction reads, as a bit mask. */
static unsigned int reads(const struct bpf_insn *i)
{
	unsigned int dst = 1u << i->dst_reg, src = 1u << i->src_reg;
	unsigned int by_reg = BPF_SRC(i->code) == BPF_X ? src : 0;

	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
		return 0;
	case BPF_LDX:
		return src;
	case BPF_ST:
		return dst;
	case BPF_STX:
		return dst | src;
	case BPF_JMP:
		if (BPF_OP(i->code) == BPF_EXIT)
			return 1;
		return BPF_OP(i->code) == BPF_CALL || BPF_OP(i->code) == BPF_JA ? 0 : dst | by_reg;
	default:
		if (BPF_OP(i->code) == BPF_END)
			return dst;
		return BPF_OP(i->code) == BPF_MOV ? by_reg : dst | by_reg;
	}
}

/* Executes insns[*pc] and moves *pc; NULL or what is wrong. */
static const char *step(struct vm *vm, const struct bpf_insn *insns, size_t *pc)
{
	const struct bpf_insn *i = &insns[(*pc)++];

	if (reads(i) & ~vm->valid)
		return "register read before it is written";
	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
		vm->reg[i->dst_reg] = (uint32_t)i->imm | (uint64_t)(uint32_t)i[1].imm << 32;
		vm->valid |= (uint16_t)(1 << i->dst_reg);
		(*pc)++;
		return NULL;
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX:
		return run_memory(vm, i);
	case BPF_JMP:
		if (BPF_OP(i->code) == BPF_CALL)
			return probe_read(vm);
		if (BPF_OP(i->code) != BPF_EXIT && taken(vm, i))
			*pc += (size_t)i->off;
		return NULL;
	default:
		run_alu(vm, i);
		return NULL;
	}
}

const char *ebpf_vm_run(const struct bpf_insn *insns, size_t n, const struct ebpf_packet *pkt,
			uint64_t *r0)
{
	struct vm vm = {
		.reg = {
			[1] = PACKET_BASE, [2] = DIRTY_HIGH | pkt->caplen,
			[3] = DIRTY_HIGH | pkt->len, [10] = STACK_BASE,
		},
		.valid = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 10,
		.pkt = pkt,
	};
	size_t pc = 0, steps;

	for (steps = 0; steps < RUN_LIMIT; steps++) {
		const char *wrong;
		bool end;

		if (pc >= n)
			return "left the program";
		end = insns[pc].code == (BPF_JMP | BPF_EXIT);
		wrong = step(&vm, insns, &pc);
		if (wrong)
			return wrong;
		if (end) {
			*r0 = vm.reg[0];
			return NULL;
		}
	}
	return "too many steps";
}

static long sys_bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* r1..r3 = context words 0..2; call the subprogram behind; exit. */
static const struct bpf_insn caller[] = {
	{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 3, .src_reg = 1, .off = 16 },
	{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 2, .src_reg = 1, .off = 8 },
	{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 1, .src_reg = 1, .off = 0 },
	{ .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = 1 },
	{ .code = BPF_JMP | BPF_EXIT },
};

int ebpf_kernel_load(const struct bpf_insn *insns, size_t n, char *log, size_t log_size)
{
	size_t head = sizeof(caller) / sizeof(caller[0]);
	struct bpf_insn *all = calloc(head + n, sizeof(*all));
	union bpf_attr attr;
	int fd;

	if (!all)
		return -ENOMEM;
	memcpy(all, caller, sizeof(caller));
	memcpy(all + head, insns, n * sizeof(*all));
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attr.insns = (uintptr_t)all;
	attr.insn_cnt = (uint32_t)(head + n);
	attr.license = (uintptr_t)"GPL";
	log[0] = '\0';
	fd = (int)sys_bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0) {		/* again for the log, which costs time */
		int err = errno;

		attr.log_buf = (uintptr_t)log;
		attr.log_size = (uint32_t)log_size;
		attr.log_level = 1;
		fd = (int)sys_bpf(BPF_PROG_LOAD, &attr);
		if (fd < 0)
			fd = -err;
	}
	free(all);
	return fd;
}

int ebpf_kernel_run(int fd, const struct ebpf_packet *pkt, uint32_t *r0)
{
	uint64_t ctx[3] = { (uintptr_t)pkt->data, pkt->caplen, pkt->len };
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)fd;
	attr.test.ctx_in = (uintptr_t)ctx;
	attr.test.ctx_size_in = sizeof(ctx);
	if (sys_bpf(BPF_PROG_TEST_RUN, &attr) < 0)
		return -errno;
	*r0 = attr.test.retval;
	return 0;
}
