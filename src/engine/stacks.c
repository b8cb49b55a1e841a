/* SPDX-License-Identifier: GPL-2.0 */
/* Stacks of stages: the table in which they are, and their text. */
#include "stacks.h"

#include <bpf/bpf.h>
#include <string.h>

#define STACKS_MISSED 64	/* so many found no place: the table is emptied */

void nt_stacks_renew(struct nt_run *r, struct nt_stack_table *t, uint32_t stat)
{
	uint64_t missed = nt_run_stat(r, stat);
	int fd = nt_run_map_fd(r, "nt_stacks");
	uint32_t id, *prev = NULL;

	if (missed - t->missed < STACKS_MISSED)
		return;
	while (!bpf_map_get_next_key(fd, prev, &id)) {
		bpf_map_delete_elem(fd, &id);
		prev = &id;	/* the walk goes by number, so a deleted one serves */
	}
	t->missed = missed;
	t->emptied_ns = nt_now_ns();
}

void nt_stacks_read(struct nt_run *r, const struct nt_stack_table *t, int32_t id, uint64_t started_ns, uint64_t *stack)
{
	stack[0] = stack[NT_STACK_MAX] = 0;
	if (id < 0 || started_ns < t->emptied_ns || bpf_map_lookup_elem(nt_run_map_fd(r, "nt_stacks"), &id, stack))
		return;
	nt_run_cut_stack(r, stack, NT_STACK_MAX);
}

/* What stands behind the softirq's entry was interrupted: it is not the packet's way. */
static size_t frames_of(struct nt_run *r, const uint64_t *stack)
{
	const struct nt_resolver *names = nt_run_names(r);
	uint64_t offset;
	size_t n = 0;

	while (n < NT_STACK_MAX && stack[n]) {
		const char *sym = names->ksym(names->ctx, stack[n++], &offset);

		if (sym && (!strcmp(sym, "handle_softirqs") || !strcmp(sym, "__do_softirq")))
			break;
	}
	return n;
}

/* The stacks of a leg have their outer frames in common: those are shown once. */
void nt_stack_text(struct nt_run *r, const uint64_t *stack, const uint64_t *above)
{
	static const struct nt_field frame = { .kind = NT_K_KSYM, .arg = 1 };
	size_t n = frames_of(r, stack), m = frames_of(r, above), same = 0;
	char buf[160];

	while (same < n && same < m && stack[n - 1 - same] == above[m - 1 - same])
		same++;
	if (same < 3 || same == n)
		same = 1;	/* the line in place of them would save little */
	for (size_t i = 0; i < n - (same - 1); i++)
		nt_text(nt_run_out(r), "                   %s\n",
			nt_field_text(nt_run_names(r), &frame, &stack[i], buf, sizeof(buf)));
	if (same > 1)
		nt_text(nt_run_out(r), "                   ... as above\n");
}
