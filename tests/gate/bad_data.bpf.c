/* SPDX-License-Identifier: GPL-2.0 */
/* Global data, which 4.19 refuses. */
#include "lib/bpf.bpf.h"

volatile int counter = 7;

SEC("kprobe") int uses_data(struct pt_regs *ctx)
{
	return counter++;
}

NT_LICENSE;
