// SPDX-License-Identifier: GPL-2.0
/* Programs that do nothing: what a hook itself costs. */
#include "lib/bpf.bpf.h"

NT_LICENSE;

#define BARE(n)							\
SEC("tp_btf") int tp_btf_##n(__u64 *ctx) { return 0; }		\
SEC("raw_tp") int raw_tp_##n(__u64 *ctx) { return 0; }		\
SEC("fentry") int fentry_##n(__u64 *ctx) { return 0; }		\
SEC("fexit") int fexit_##n(__u64 *ctx) { return 0; }		\
SEC("kprobe") int kprobe_##n(void *ctx) { return 0; }		\
SEC("kretprobe") int kretprobe_##n(void *ctx) { return 0; }

BARE(0)
BARE(1)
BARE(2)
BARE(3)
BARE(4)
BARE(5)
BARE(6)
BARE(7)
BARE(8)
BARE(9)
BARE(10)
BARE(11)
