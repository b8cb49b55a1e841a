/* SPDX-License-Identifier: GPL-2.0 */
/* What only a trial can tell of a kernel without BTF; a version says nothing about backports. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "core.h"

#define MOST_ARGS 12	/* of a raw tracepoint: BPF's limit */

/* Does a program that reads argument i attach? __bpf_probe_register() compares the furthest
 * byte of the context that a program reads with the tracepoint's arguments. */
static bool has_argument(const char *tracepoint, int i)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_1,
		  .off = (int16_t)(8 * i) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int prog = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "nt_trial", "GPL", insns,
				 NT_COUNT(insns), NULL);
	int link = prog < 0 ? -1 : bpf_raw_tracepoint_open(tracepoint, prog);

	if (link >= 0)
		close(link);
	if (prog >= 0)
		close(prog);
	return link >= 0;
}

int nt_trial_tp_args(const char *tracepoint)
{
	int n = 0;

	while (n < MOST_ARGS && has_argument(tracepoint, n))
		n++;
	return n ? n : -1;
}

/* Of type tracepoint, as before 5.0 a kprobe program is refused unless it tells the kernel's
 * version, which libbpf gets wrong where LINUX_VERSION_CODE and uname differ (4.19.177+). */
bool nt_trial_read_kernel(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_TRACEPOINT, BPF_FUNC_probe_read_kernel, NULL);
}
