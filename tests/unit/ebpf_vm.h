/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two ways to run a subprogram of nt_cbpf_convert(): an interpreter in user space that
 * is stricter than needed, and the real kernel through bpf(2).
 */
#ifndef NETTRACE_TEST_EBPF_VM_H
#define NETTRACE_TEST_EBPF_VM_H

#include <stddef.h>
#include <stdint.h>

struct bpf_insn;	/* <linux/bpf.h> */

/* The packet as the subprogram sees it: bytes beyond caplen may not be read. */
struct ebpf_packet {
	const uint8_t *data;
	uint32_t caplen;	/* bytes at data */
	uint32_t len;		/* bytes on the wire */
};

/*
 * Static checks: known opcodes with reserved fields zero, jumps forward and inside, all
 * instructions reachable, no way past the end, only calls of HELPER, shift counts in
 * range, stack accesses aligned and inside NT_CBPF_STACK_BYTES. Returns NULL if
 * well formed, else what is wrong.
 */
const char *ebpf_vm_check(const struct bpf_insn *insns, size_t n, unsigned int helper);

/*
 * Runs a checked program. Refuses reads of registers and stack bytes that were not
 * written, and packet reads outside caplen. Returns NULL with *r0 set, or what is wrong.
 */
const char *ebpf_vm_run(const struct bpf_insn *insns, size_t n, const struct ebpf_packet *pkt,
			uint64_t *r0);

/*
 * Loads a raw tracepoint program that calls the subprogram with its context's three
 * words. Returns a file descriptor, or -errno with the verifier's last words in LOG.
 */
int ebpf_kernel_load(const struct bpf_insn *insns, size_t n, char *log, size_t log_size);

/* Runs it once on PKT (for helper 112, bpf_probe_read_user). 0 or -errno. */
int ebpf_kernel_run(int fd, const struct ebpf_packet *pkt, uint32_t *r0);

#endif
