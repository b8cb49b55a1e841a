/* SPDX-License-Identifier: GPL-2.0 */
/* Every tool's object passes the gate of 4.19, and every rule of it can fail. */
#include <stdbool.h>
#include <stdlib.h>

#include "bad_data.skel.h"
#include "bad_programs.skel.h"
#include "check.h"
#include "gate.h"
#include "nettrace/tool.h"

#define MAX_FOUND 64

struct found {
	enum gate_rule rule;
	char what[64];
	long number;
} found[MAX_FOUND];
static size_t n_found;

static void note(void *arg, enum gate_rule rule, const char *what, long number)
{
	struct found *f = &found[n_found];

	if (n_found == MAX_FOUND)
		return;
	n_found++;
	f->rule = rule;
	f->number = number;
	snprintf(f->what, sizeof(f->what), "%s", what);
	if (arg)
		printf("# %s: %s %s: %ld\n", (const char *)arg, what, gate_rule_text(rule), number);
}

static const struct found *find(enum gate_rule rule, const char *what)
{
	for (size_t i = 0; i < n_found; i++)
		if (found[i].rule == rule && !strcmp(found[i].what, what))
			return &found[i];
	return NULL;
}

static bool mentioned(const char *what)
{
	for (size_t i = 0; i < n_found; i++)
		if (!strcmp(found[i].what, what))
			return true;
	return false;
}

static void test_tools(void)
{
	for (size_t i = 0; i < nt_n_tools; i++) {
		struct gate_numbers n;
		char text[160];
		size_t size;
		void *elf = nt_tool_object(&nt_tools[i], &size);
		int bad;

		if (!nt_tools[i].packed)
			continue;		/* no programs */
		bad = gate_check(elf, size, note, (void *)(uintptr_t)nt_tools[i].tool->name, &n);

		snprintf(text, sizeof(text), "%s: %zu programs, longest %s %zu instructions (%zu live), "
			 "stack %zu bytes", nt_tools[i].tool->name, n.programs,
			 n.longest_name ? n.longest_name : "-", n.longest, n.live, n.deepest);
		check_one(!bad && n.programs, text, __FILE__, __LINE__);
		free(elf);
	}
}

/* 4.19's limit is 131072. Kernels count differently, and we run on any. */
#define MOST_PROCESSED 110000

static void test_work(void)
{
	if (getenv("NETTRACE_GATE_NO_LOAD"))	/* minutes in an emulated machine */
		return;
	for (size_t i = 0; i < nt_n_tools; i++) {
		struct gate_work w;
		char text[160];
		size_t size;
		void *elf = nt_tool_object(&nt_tools[i], &size);
		int err;

		if (!nt_tools[i].packed)
			continue;		/* no programs */
		err = gate_verify(elf, size, &w);
		free(elf);
		if (err) {
			printf("# %s: cannot be loaded here, its work is not judged\n", nt_tools[i].tool->name);
			continue;
		}
		snprintf(text, sizeof(text), "%s: %lu instructions verified for %s", nt_tools[i].tool->name,
			 w.most, w.name);
		check_one(w.most > 0 && w.most <= MOST_PROCESSED, text, __FILE__, __LINE__);
	}
}

#define HAS(rule, what) check_one(find(rule, what) != NULL, what ": " #rule, __FILE__, __LINE__)
#define NOT(what) check_one(!mentioned(what), what ": passes", __FILE__, __LINE__)

static void test_bad_programs(void)
{
	struct gate_numbers n;
	size_t size;
	const void *elf = bad_programs__elf_bytes(&size);

	n_found = 0;
	gate_check(elf, size, note, NULL, &n);
	HAS(GATE_MAP, "bad_map");
	HAS(GATE_LENGTH, "bad_length");
	HAS(GATE_LOOP, "bad_loop");
	HAS(GATE_LOOP, "bad_loop_dead");
	HAS(GATE_HELPER, "bad_helper");
	HAS(GATE_HELPER, "bad_helper_maybe");
	HAS(GATE_STACK, "bad_stack");
	NOT("good_helper_dead");
	NOT("good_backward");
	NOT("good_fentry");
	NOT("nt_events");
	if (find(GATE_LENGTH, "bad_length"))
		check_one(find(GATE_LENGTH, "bad_length")->number > 4100, "the length is named", __FILE__,
			  __LINE__);
	if (find(GATE_STACK, "bad_stack"))
		check_one(find(GATE_STACK, "bad_stack")->number >= 560, "the depth is named", __FILE__,
			  __LINE__);
	if (find(GATE_HELPER, "bad_helper"))
		check_u64((uint64_t)find(GATE_HELPER, "bad_helper")->number, BPF_FUNC_jiffies64,
			  "the helper is named", __FILE__, __LINE__);
}

static void test_bad_data(void)
{
	struct gate_numbers n;
	size_t size;
	const void *elf = bad_data__elf_bytes(&size);

	n_found = 0;
	gate_check(elf, size, note, NULL, &n);
	HAS(GATE_DATA, "object");
	n_found = 0;
	gate_check(elf, size / 2, note, NULL, &n);
	HAS(GATE_READ, "object");
}

int main(void)
{
	test_tools();
	test_work();
	test_bad_programs();
	test_bad_data();
	return check_done();
}
