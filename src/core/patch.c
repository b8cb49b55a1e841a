/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/patch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LD_IMM64	(BPF_LD | BPF_DW | BPF_IMM)
#define CALL		(BPF_JMP | BPF_CALL)
#define MARK_HIGH	((uint32_t)(NT_CONST_MARK >> 32))

static bool is_placeholder(const struct bpf_insn *i)
{
	return i->code == CALL && i->src_reg == 0 &&
	       ((uint32_t)i->imm == NT_CALL_PCAP_L2 || (uint32_t)i->imm == NT_CALL_PCAP_L3);
}

int nt_patch_consts(struct bpf_insn *insns, size_t n, const struct nt_consts *c, unsigned *missing)
{
	int places = 0;

	for (size_t i = 0; i + 1 < n; i++) {
		uint32_t id = (uint32_t)insns[i].imm;

		if (insns[i].code != LD_IMM64)
			continue;
		if (insns[i].src_reg == 0 && (uint32_t)insns[i + 1].imm == MARK_HIGH) {
			if (id > NT_CONST_TOOL3 || !(c->set & 1u << id)) {
				if (missing)
					*missing = id;
				return -ENOENT;
			}
			insns[i].imm = (int32_t)c->value[id];
			insns[i + 1].imm = (int32_t)(c->value[id] >> 32);
			places++;
		}
		i++;			/* the second half is no instruction */
	}
	return places;
}

bool nt_patch_uses(const struct bpf_insn *insns, size_t n, unsigned int id)
{
	for (size_t i = 0; i + 1 < n; i++) {
		if (insns[i].code != LD_IMM64)
			continue;
		if (insns[i].src_reg == 0 && (uint32_t)insns[i + 1].imm == MARK_HIGH &&
		    (uint32_t)insns[i].imm == id)
			return true;
		i++;
	}
	return false;
}

static size_t count_calls(const struct bpf_insn *insns, size_t n, uint32_t call)
{
	size_t calls = 0;

	for (size_t i = 0; i < n; i++)
		calls += is_placeholder(&insns[i]) && (uint32_t)insns[i].imm == call;
	return calls;
}

static const struct nt_append *find_app(const struct nt_append *apps, size_t n, uint32_t call,
					size_t *index)
{
	for (size_t i = 0; i < n; i++) {
		if (apps[i].call == call) {
			*index = i;
			return &apps[i];
		}
	}
	return NULL;
}

int nt_patch_append(const struct bpf_insn *insns, size_t n, const struct nt_append *apps,
		    size_t n_apps, struct bpf_insn **out, size_t *at)
{
	size_t total = n, app;
	struct bpf_insn *p;

	for (size_t i = 0; i < n_apps; i++) {
		at[i] = 0;
		if (apps[i].insns && count_calls(insns, n, apps[i].call)) {
			at[i] = total;
			total += apps[i].n;
		}
	}
	p = calloc(total, sizeof(*p));
	if (!p)
		return -ENOMEM;
	memcpy(p, insns, n * sizeof(*p));
	for (size_t i = 0; i < n_apps; i++)
		if (at[i])
			memcpy(p + at[i], apps[i].insns, apps[i].n * sizeof(*p));
	for (size_t i = 0; i < n; i++) {
		if (!is_placeholder(&p[i]))
			continue;
		if (!find_app(apps, n_apps, (uint32_t)p[i].imm, &app)) {
			free(p);
			return -ENOENT;
		}
		if (at[app]) {
			p[i].src_reg = BPF_PSEUDO_CALL;
			p[i].imm = (int32_t)(at[app] - i - 1);
		} else {
			p[i] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1 };
		}
	}
	*out = p;
	return (int)total;
}

void *nt_patch_grow_info(const void *info, uint32_t *n, uint32_t rec, uint32_t like, const size_t *at,
			 size_t n_at)
{
	char *p = malloc((size_t)rec * (*n + n_at));

	if (!p)
		return NULL;
	memcpy(p, info, (size_t)rec * *n);
	for (size_t i = 0; i < n_at; i++) {
		uint32_t off = (uint32_t)at[i];

		if (!off)
			continue;
		memcpy(p + (size_t)rec * *n, p + (size_t)rec * like, rec);
		memcpy(p + (size_t)rec * *n, &off, sizeof(off));
		(*n)++;
	}
	return p;
}
