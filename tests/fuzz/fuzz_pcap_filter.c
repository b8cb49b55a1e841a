// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzes the filter compiler and the conversion to eBPF (libFuzzer).
 *
 * Default: the input is an expression. With -DNT_FUZZ_CLASSIC it is an array of struct
 * sock_filter. Whatever converts must be well formed, and must agree with libpcap's
 * interpreter on two packets at three capture lengths.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>

#define bpf_insn	pcap_bpf_insn	/* libpcap's struct of the same name */
#include <pcap/pcap.h>
#undef bpf_insn
#include <linux/bpf.h>

#include "nettrace/cbpf.h"
#include "nettrace/pcap_filter.h"
#include "../unit/ebpf_vm.h"

#define MAX_INSNS	65536
#define HEAD		BPF_MEMWORDS

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bpf_insn insns[MAX_INSNS];

/* IPv4 TCP with options, and IPv6 UDP, behind Ethernet headers. */
static const uint8_t packets[2][74] = {
	{ 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
	  0x46, 0, 0, 60, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 1, 1, 0,
	  0x30, 0x39, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 0x60, 0x12, 0xff, 0xff, 0, 0, 0, 0,
	  2, 4, 5, 0xb4, 'G', 'E', 'T', ' ' },
	{ 0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd,
	  0x60, 0, 0, 0, 0, 20, 17, 64, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	  0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	  0x30, 0x39, 0, 53, 0, 20, 0, 0, 0xff, 0xfe, 0xfd, 0xfc },
};

static void die(const char *what)
{
	fprintf(stderr, "fuzz_pcap_filter: %s\n", what);
	abort();
}

/*
 * libpcap's interpreter does not clear its scratch memory, and "not geneve" makes its
 * compiler read a slot that was never written: so the interpreter's copy gets a head
 * that writes every slot. The converted program must do without.
 */
static const struct sock_filter *with_clear_scratch(const struct sock_filter *f, size_t n)
{
	static struct sock_filter all[HEAD + NT_CBPF_MAX_INSNS];
	size_t i;

	for (i = 0; i < HEAD; i++)
		all[i] = (struct sock_filter){ .code = BPF_ST, .k = (uint32_t)i };
	memcpy(all + HEAD, f, n * sizeof(*f));
	return all;
}

static void compare(const struct sock_filter *f, size_t n)
{
	const uint32_t lengths[] = { sizeof(packets[0]), 37, 14 };
	int len = nt_cbpf_convert(f, n, NT_READ_HELPER_KERNEL, insns, MAX_INSNS);
	const struct sock_filter *oracle;
	const char *wrong;
	size_t i;

	if (len < 0)
		return;
	oracle = with_clear_scratch(f, n);
	wrong = ebpf_vm_check(insns, (size_t)len, NT_READ_HELPER_KERNEL);
	if (wrong)
		die(wrong);
	for (i = 0; i < 6; i++) {
		const struct ebpf_packet pkt = { packets[i % 2], lengths[i / 2], 1000 };
		uint32_t want = bpf_filter((const struct pcap_bpf_insn *)oracle, pkt.data, pkt.len,
					   pkt.caplen);
		uint64_t r0 = 0;

		wrong = ebpf_vm_run(insns, (size_t)len, &pkt, &r0);
		if (wrong)
			die(wrong);
		if (r0 != want)
			die("another verdict than libpcap's");
	}
}

#ifdef NT_FUZZ_CLASSIC

#define MAX_CLASSIC	512

/* libpcap's interpreter leaves to the compiler's mercy what these do. */
static int is_undefined(const struct sock_filter *f)
{
	return (f->code == (BPF_ALU | BPF_LSH | BPF_K) || f->code == (BPF_ALU | BPF_RSH | BPF_K)) &&
	       f->k >= 32;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sock_filter f[MAX_CLASSIC];
	size_t n = size / sizeof(f[0]), i;

	if (!n || n > MAX_CLASSIC)
		return 0;
	memcpy(f, data, n * sizeof(f[0]));
	if (nt_cbpf_convert(f, n, NT_READ_HELPER_LEGACY, NULL, 0) < 0)
		return 0;
	for (i = 0; i < n; i++)
		if (is_undefined(&f[i]))
			return 0;
	compare(f, n);
	return 0;
}

#else

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[NT_PCAP_MAX_EXPR + 2];
	struct nt_pcap_filter *filter;
	struct nt_pcap_error err;

	if (size > NT_PCAP_MAX_EXPR + 1)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (nt_pcap_compile(text, &filter, &err)) {
		if (filter || err.pos < -1 || err.pos > (int)strlen(text) || !*err.msg)
			die("a failure without a proper error");
		return 0;
	}
	compare(filter->form[NT_LINK_ETHER].insns, filter->form[NT_LINK_ETHER].len);
	compare(filter->form[NT_LINK_RAW].insns, filter->form[NT_LINK_RAW].len);
	nt_pcap_free(filter);
	return 0;
}

#endif
