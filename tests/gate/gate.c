/* SPDX-License-Identifier: GPL-2.0 */
#include "gate.h"

#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/nt_abi.h"
#include "nettrace/object.h"
#include "nettrace/patch.h"

#define MAX_INSNS 4096
#define MAX_STACK 512
#define FRAME_ALIGN 32		/* update_stack_depth() and check_max_stack_depth() round up */
#define MAX_SUBPROGS 256

struct gate {
	gate_report report;
	void *arg;
	int broken;
	struct gate_numbers *n;
};

static const char *const texts[] = {
	[GATE_READ] = "cannot be read",
	[GATE_DATA] = "has global data",
	[GATE_MAP] = "is of a map type that 4.19 has not",
	[GATE_LENGTH] = "is longer than 4096 instructions",
	[GATE_LOOP] = "has a loop",
	[GATE_OPCODE] = "has an instruction that 4.19 has not",
	[GATE_HELPER] = "calls a helper that 4.19 has not",
	[GATE_STACK] = "needs more than 512 bytes of stack",
};

const char *gate_rule_text(enum gate_rule rule)
{
	return texts[rule];
}

static void broken(struct gate *g, enum gate_rule rule, const char *what, long number)
{
	g->broken++;
	g->report(g->arg, rule, what, number);
}

/* What tracing programs may call on 4.19; and what libbpf (bpf_object__sanitize_prog) and the
 * loader replace by one of those. */
static bool helper_ok(int32_t id)
{
	static const int32_t known[] = {
		BPF_FUNC_map_lookup_elem, BPF_FUNC_map_update_elem, BPF_FUNC_map_delete_elem,
		BPF_FUNC_probe_read, BPF_FUNC_ktime_get_ns, BPF_FUNC_trace_printk,
		BPF_FUNC_get_prandom_u32, BPF_FUNC_get_smp_processor_id, BPF_FUNC_tail_call,
		BPF_FUNC_get_current_pid_tgid, BPF_FUNC_get_current_uid_gid,
		BPF_FUNC_get_current_comm, BPF_FUNC_perf_event_read, BPF_FUNC_perf_event_output,
		BPF_FUNC_get_stackid, BPF_FUNC_get_current_task, BPF_FUNC_get_numa_node_id,
		BPF_FUNC_probe_read_str, BPF_FUNC_get_stack, BPF_FUNC_get_current_cgroup_id,
		BPF_FUNC_probe_read_kernel, BPF_FUNC_probe_read_user,
		BPF_FUNC_probe_read_kernel_str, BPF_FUNC_probe_read_user_str,
		NT_CALL_PCAP_L2, NT_CALL_PCAP_L3,
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == id)
			return true;
	return false;
}

static bool is_call(const struct bpf_insn *i)
{
	return i->code == (BPF_JMP | BPF_CALL);
}

static void check_insn(struct gate *g, const struct nt_prog *p, const struct nt_reach *f, size_t at)
{
	const struct bpf_insn *i = &p->insns[at];
	uint8_t class = BPF_CLASS(i->code);
	bool atomic = class == BPF_STX && BPF_MODE(i->code) == BPF_ATOMIC;

	if (class == BPF_JMP32 || (atomic && i->imm != BPF_ADD))
		broken(g, GATE_OPCODE, p->name, (long)at);
	if (is_call(i) && i->src_reg != BPF_PSEUDO_CALL && f->live[at] && !helper_ok(i->imm))
		broken(g, GATE_HELPER, p->name, i->imm);
}

static bool is_jump(const struct bpf_insn *i)
{
	uint8_t class = BPF_CLASS(i->code), op = BPF_OP(i->code);

	return (class == BPF_JMP || class == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;
}

/* The instructions behind at: those that follow it, and that it jumps to. */
static size_t successors(const struct nt_prog *p, size_t at, size_t to[2])
{
	const struct bpf_insn *i = &p->insns[at];
	size_t n = 0;

	if (i->code == (BPF_JMP | BPF_EXIT))
		return 0;
	if (is_jump(i))
		to[n++] = at + 1 + (size_t)(int64_t)i->off;
	if (i->code != (BPF_JMP | BPF_JA))
		to[n++] = at + 1 + (i->code == (BPF_LD | BPF_DW | BPF_IMM));
	return n;
}

/*
 * The compiler lays blocks out so that some jumps go backwards without closing a loop. 4.19's
 * check_cfg() searches in depth and refuses only an edge to an instruction that is still on its
 * path; so do we, from the beginning of each subprogram.
 */
static void check_loops(struct gate *g, const struct nt_prog *p, size_t start)
{
	enum { NEW, ON_PATH, DONE };
	uint8_t *state = calloc(p->n + 1, 1), *edge = calloc(p->n + 1, 1);
	size_t *path = calloc(p->n + 1, sizeof(*path)), depth = 0, to[2];

	if (state && edge && path)
		path[depth++] = start;
	while (depth) {
		size_t at = path[depth - 1];

		state[at] = ON_PATH;
		if (edge[at] == successors(p, at, to)) {
			state[at] = DONE;
			depth--;
		} else if (to[edge[at]] < p->n) {
			size_t next = to[edge[at]++];

			if (state[next] == ON_PATH)
				broken(g, GATE_LOOP, p->name, (long)at);
			else if (state[next] == NEW)
				path[depth++] = next;
		} else {
			edge[at]++;	/* out of the program: nt_reach_find() says so */
		}
	}
	free(state);
	free(edge);
	free(path);
}

static size_t sub_of(const struct nt_prog *p, size_t at)
{
	size_t sub = 0;

	for (size_t i = 1; i < p->n_sub; i++)
		if (p->sub[i].start <= at && p->sub[i].start >= p->sub[sub].start)
			sub = i;
	return sub;
}

/* Bytes of stack that subprogram sub and its deepest chain of calls need. */
static long stack_of(const struct nt_prog *p, const struct nt_reach *f, size_t sub, int depth)
{
	long own = 1, below = 0;

	if (depth > 8)			/* MAX_CALL_FRAMES */
		return MAX_STACK + 1;
	for (size_t i = p->sub[sub].start; i < p->n; i++) {
		if (sub_of(p, i) != sub)
			break;
		if (-f->stack[i] > own)
			own = -f->stack[i];
		if (f->live[i] && is_call(&p->insns[i]) && p->insns[i].src_reg == BPF_PSEUDO_CALL) {
			size_t to = i + 1 + (size_t)(int64_t)p->insns[i].imm;
			long n = stack_of(p, f, sub_of(p, to), depth + 1);

			if (n > below)
				below = n;
		}
	}
	return (own + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN + below;
}

int gate_set_consts(struct bpf_insn *insns, size_t n)
{
	struct nt_consts c = { 0 };

	for (unsigned int id = 1; id <= NT_CONST_TOOL3; id++) {
		c.value[id] = id == NT_CONST_RINGBUF || id == NT_CONST_WATERMARK ? 0 : ~0ULL;
		c.set |= 1u << id;
	}
	c.value[NT_CONST_PCAP] = 1;
	return nt_patch_consts(insns, n, &c, NULL);
}

/* Immediates that depend on the kernel's BTF, and the constants of which any value may come. */
static uint8_t *unknowns(const struct nt_prog *p)
{
	uint8_t *u = calloc(p->n + 1, 1);

	for (size_t i = 0; u && i < p->n_relo; i++)
		u[p->relo[i].insn] = 1;
	for (size_t i = 0; u && i + 1 < p->n; i++)
		if (p->insns[i].code == (BPF_LD | BPF_DW | BPF_IMM) &&
		    (uint32_t)p->insns[i + 1].imm == (uint32_t)(NT_CONST_MARK >> 32) &&
		    p->insns[i].imm != NT_CONST_RINGBUF && p->insns[i].imm != NT_CONST_WATERMARK)
			u[i] = 1;
	return u;
}

static void check_prog(struct gate *g, struct nt_prog *p)
{
	uint8_t *unknown = unknowns(p);
	struct nt_reach f;
	size_t live = 0;
	long stack;

	if (!unknown || gate_set_consts(p->insns, p->n) < 0 || nt_reach_find(&f, p->insns, p->n, unknown)) {
		broken(g, GATE_READ, p->name, 0);
		free(unknown);
		return;
	}
	free(unknown);
	if (p->n > MAX_INSNS)
		broken(g, GATE_LENGTH, p->name, (long)p->n);
	for (size_t i = 0; i < p->n; i++) {
		bool wide = p->insns[i].code == (BPF_LD | BPF_DW | BPF_IMM);

		check_insn(g, p, &f, i);
		live += f.live[i];
		i += wide;
	}
	for (size_t i = 0; i < p->n_sub; i++)
		check_loops(g, p, p->sub[i].start);
	stack = stack_of(p, &f, 0, 1);
	if (stack > MAX_STACK)
		broken(g, GATE_STACK, p->name, stack);
	nt_reach_free(&f);
	g->n->programs++;
	if (p->n > g->n->longest) {
		g->n->longest = p->n;
		g->n->live = live;
		g->n->longest_name = p->name;
	}
	if ((size_t)stack > g->n->deepest)
		g->n->deepest = (size_t)stack;
}

bool gate_loaded_on_419(const char *section)
{
	return strncmp(section, "fentry", 6) && strncmp(section, "fexit", 5) && strncmp(section, "tp_btf", 6);
}

static bool map_ok(const struct bpf_map *m)
{
	switch (bpf_map__type(m)) {
	case BPF_MAP_TYPE_HASH: case BPF_MAP_TYPE_ARRAY: case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_PERCPU_ARRAY: case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH: case BPF_MAP_TYPE_STACK_TRACE:
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY: case BPF_MAP_TYPE_LPM_TRIE:
		return true;
	default:
		/* the loader makes a perf event array of it where there is no ring buffer */
		return !strcmp(bpf_map__name(m), "nt_events");
	}
}

static void check_maps(struct gate *g, const void *elf, size_t size)
{
	struct bpf_object *o = bpf_object__open_mem(elf, size, NULL);
	struct bpf_map *m;

	if (!o) {
		broken(g, GATE_READ, "object", 0);
		return;
	}
	bpf_object__for_each_map(m, o)
		if (!bpf_map__is_internal(m) && !map_ok(m))
			broken(g, GATE_MAP, bpf_map__name(m), (long)bpf_map__type(m));
	bpf_object__close(o);
}

int gate_check(const void *elf, size_t size, gate_report report, void *arg, struct gate_numbers *n)
{
	struct gate g = { report, arg, 0, n };
	struct nt_object o;

	memset(n, 0, sizeof(*n));
	if (nt_object_read(&o, elf, size)) {
		broken(&g, GATE_READ, "object", 0);
		return g.broken;
	}
	if (o.global_data)
		broken(&g, GATE_DATA, "object", 1);
	check_maps(&g, elf, size);
	for (size_t i = 0; i < o.n; i++)
		if (gate_loaded_on_419(o.prog[i].section))
			check_prog(&g, &o.prog[i]);
	nt_object_free(&o);
	return g.broken;
}
