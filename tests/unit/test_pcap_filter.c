// SPDX-License-Identifier: GPL-2.0
/*
 * Filter expressions and their conversion to eBPF: every expression of
 * tests/data/filters.txt on every packet of the corpus, at many capture lengths, must
 * give libpcap's own verdict, in the test's interpreter and in the running kernel.
 *
 * Usage: test_pcap_filter [--filters FILE] [--write-pcap FILE]
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/filter.h>

#define bpf_insn	pcap_bpf_insn	/* libpcap's struct of the same name */
#include <pcap/pcap.h>
#undef bpf_insn
#include <linux/bpf.h>

#include "nettrace/cbpf.h"
#include "nettrace/pcap_filter.h"
#include "ebpf_vm.h"
#include "packets.h"

#define MAX_INSNS	8192
#define ETH_HLEN	14
#define READ_USER	112	/* bpf_probe_read_user: the kernel reads our packets */
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

#ifndef NT_FILTERS_FILE
#define NT_FILTERS_FILE	"tests/data/filters.txt"
#endif

static unsigned int passed, failed;
static unsigned long vm_runs, kernel_runs, kernel_loads;
static bool kernel_usable = true;
static struct corpus corpus;
static struct bpf_insn insns[MAX_INSNS];

__attribute__((format(printf, 2, 3)))
static bool check(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%s - ", ok ? "ok" : "not ok");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	passed += ok;
	failed += !ok;
	return ok;
}

/* Every capture length where headers are, few beyond. */
static uint32_t next_caplen(uint32_t len)
{
	if (len > 180)
		return len / 2;
	return len > 90 ? 90 : len - 1;
}

static bool same_verdict(const struct bpf_program *oracle, int n, const struct ebpf_packet *pkt,
			 const char *name)
{
	const struct pcap_pkthdr header = { .caplen = pkt->caplen, .len = pkt->len };
	bool want = pcap_offline_filter(oracle, &header, pkt->data) != 0;
	const char *wrong;
	uint64_t r0 = 0;

	wrong = ebpf_vm_run(insns, (size_t)n, pkt, &r0);
	vm_runs++;
	if (!wrong && want == (r0 != 0))
		return true;
	printf("# packet '%s' len %u caplen %u: %s, want %d, got %llu\n", name, pkt->len,
	       pkt->caplen, wrong ? wrong : "wrong verdict", want, (unsigned long long)r0);
	return false;
}

/* Packet I in the given form, captured completely. */
static struct ebpf_packet form_of(const struct packet *p, enum nt_link_form form)
{
	uint32_t skip = form == NT_LINK_RAW ? ETH_HLEN : 0;

	if (skip > p->len)
		skip = p->len;
	return (struct ebpf_packet){ p->data + skip, p->len - skip, p->len - skip };
}

/* The N instructions in insns[] against the oracle. */
static bool run_corpus(const struct bpf_program *oracle, int n, enum nt_link_form form)
{
	size_t i;

	for (i = 0; i < corpus.n; i++) {
		struct ebpf_packet pkt = form_of(&corpus.packets[i], form);

		for (;;) {
			if (!same_verdict(oracle, n, &pkt, corpus.packets[i].name))
				return false;
			if (!pkt.caplen)
				break;
			pkt.caplen = next_caplen(pkt.caplen);
		}
	}
	return true;
}

static bool run_kernel(int fd, const struct bpf_program *oracle, enum nt_link_form form)
{
	size_t i;

	for (i = 0; i < corpus.n * 2; i++) {
		struct ebpf_packet pkt = form_of(&corpus.packets[i / 2], form);
		struct pcap_pkthdr header;
		uint32_t r0 = 0;
		int err;

		if (i % 2 && pkt.caplen > 40)
			pkt.caplen = 40;
		header = (struct pcap_pkthdr){ .caplen = pkt.caplen, .len = pkt.len };
		err = ebpf_kernel_run(fd, &pkt, &r0);
		kernel_runs++;
		if (!err && !r0 == !pcap_offline_filter(oracle, &header, pkt.data))
			continue;
		printf("# kernel, packet '%s' caplen %u: error %d, got %u\n",
		       corpus.packets[i / 2].name, pkt.caplen, err, r0);
		return false;
	}
	return true;
}

/* The running kernel's verifier, and its JIT's verdicts where reading user memory works. */
static bool try_kernel(const struct nt_pcap_filter *filter, enum nt_link_form form,
		       const struct bpf_program *oracle)
{
	static const unsigned int helpers[] = {
		NT_READ_HELPER_KERNEL, NT_READ_HELPER_LEGACY, READ_USER,
	};
	static char log[1 << 20];
	size_t i;

	for (i = 0; kernel_usable && i < COUNT(helpers); i++) {
		int n = nt_pcap_to_ebpf(filter, form, helpers[i], insns, MAX_INSNS);
		int fd = n < 0 ? n : ebpf_kernel_load(insns, (size_t)n, log, sizeof(log));
		bool ok = true;

		if (fd == -EPERM) {
			puts("# skip: bpf(2) is not permitted, nothing is tried in the kernel");
			kernel_usable = false;
			return true;
		}
		if (fd < 0) {
			size_t len = strlen(log);

			printf("# verifier: error %d: ...%s\n", fd,
			       log + (len > 800 ? len - 800 : 0));
			return false;
		}
		kernel_loads++;
		if (helpers[i] == READ_USER)
			ok = run_kernel(fd, oracle, form);
		close(fd);
		if (!ok)
			return false;
	}
	return true;
}

static bool well_formed(int n)
{
	const char *wrong;

	if (n < 0) {
		printf("# conversion: error %d\n", n);
		return false;
	}
	wrong = ebpf_vm_check(insns, (size_t)n, NT_READ_HELPER_KERNEL);
	if (wrong)
		printf("# not well formed: %s\n", wrong);
	return !wrong;
}

/* As nt_pcap_compile() gives it; ORACLE is what libpcap itself compiles. */
static bool test_form(const struct nt_pcap_filter *filter, enum nt_link_form form,
		      const struct bpf_program *oracle)
{
	int n = nt_pcap_to_ebpf(filter, form, NT_READ_HELPER_KERNEL, insns, MAX_INSNS);

	if (nt_pcap_to_ebpf(filter, form, NT_READ_HELPER_KERNEL, NULL, 0) != n) {
		puts("# counting and converting disagree");
		return false;
	}
	return well_formed(n) && run_corpus(oracle, n, form) && try_kernel(filter, form, oracle);
}

/* libpcap's unoptimised code has other instructions: MEM, IND, dead code. */
static bool test_unoptimised(const struct bpf_program *prog, enum nt_link_form form)
{
	int n = nt_cbpf_convert((const struct sock_filter *)prog->bf_insns, prog->bf_len,
				NT_READ_HELPER_KERNEL, insns, MAX_INSNS);

	return well_formed(n) && run_corpus(prog, n, form);
}

static bool oracle_compile(const char *expr, enum nt_link_form form, bool optimise,
			   struct bpf_program *prog)
{
	pcap_t *pcap = pcap_open_dead(form == NT_LINK_ETHER ? DLT_EN10MB : DLT_RAW, 262144);
	bool ok = pcap && !pcap_compile(pcap, prog, expr, optimise, PCAP_NETMASK_UNKNOWN);

	pcap_close(pcap);
	return ok;
}

static bool test_raw(const struct nt_pcap_filter *filter, const char *expr)
{
	struct bpf_program prog = { 0 };
	bool exists = oracle_compile(expr, NT_LINK_RAW, true, &prog);
	bool ok;

	if (filter->raw_rejects) {
		int n = nt_pcap_to_ebpf(filter, NT_LINK_RAW, NT_READ_HELPER_KERNEL, insns,
					MAX_INSNS);

		/* Only an index into the link header is refused beyond what libpcap refuses. */
		ok = n == 2 && insns[0].imm == 0 && (!exists || strstr(expr, "ether["));
	} else {
		ok = exists && test_form(filter, NT_LINK_RAW, &prog);
		pcap_freecode(&prog);
		ok = ok && oracle_compile(expr, NT_LINK_RAW, false, &prog) &&
		     test_unoptimised(&prog, NT_LINK_RAW);
	}
	pcap_freecode(&prog);
	return ok;
}

static void test_expression(const char *expr)
{
	struct bpf_program prog = { 0 };
	struct nt_pcap_filter *filter;
	struct nt_pcap_error err;
	bool ok;

	if (nt_pcap_compile(expr, &filter, &err)) {
		check(false, "%s: %s at %d", expr, err.msg, err.pos);
		return;
	}
	ok = oracle_compile(expr, NT_LINK_ETHER, true, &prog) &&
	     test_form(filter, NT_LINK_ETHER, &prog);
	pcap_freecode(&prog);
	ok = ok && oracle_compile(expr, NT_LINK_ETHER, false, &prog) &&
	     test_unoptimised(&prog, NT_LINK_ETHER);
	pcap_freecode(&prog);
	ok = ok && test_raw(filter, expr);
	check(ok, "%s", expr);
	nt_pcap_free(filter);
}

static void test_file(const char *path)
{
	char line[NT_PCAP_MAX_EXPR + 2];
	FILE *f = fopen(path, "r");

	if (!check(f != NULL, "open %s", path))
		return;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line && *line != '#')
			test_expression(line);
	}
	fclose(f);
}

/* Classic code that libpcap does not make, on one packet, with the value it must return. */
#define STMT(c, v)		{ .code = (c), .k = (v) }
#define JUMP(c, v, t, f)	{ .code = (c), .jt = (t), .jf = (f), .k = (v) }
#define RET_A			STMT(BPF_RET | BPF_A, 0)
#define RET_K(v)		STMT(BPF_RET | BPF_K, v)
#define LD_K(v)			STMT(BPF_LD | BPF_IMM, v)
#define LDX_K(v)		STMT(BPF_LDX | BPF_IMM, v)
#define ALU_X(op)		STMT(BPF_ALU | (op) | BPF_X, 0)
#define ALU_K(op, v)		STMT(BPF_ALU | (op) | BPF_K, v)
#define JMP_K(op, v, t, f)	JUMP(BPF_JMP | (op) | BPF_K, v, t, f)

static const uint8_t semantics_packet[8] = { 0x45, 1, 2, 3, 0xff, 0xfe, 0xfd, 0xfc };

static const struct {
	const char *name;
	int64_t want;	/* the value returned, or a negative errno from the conversion */
	struct sock_filter f[6];
} semantics[] = {
	{ "A starts as 0", 0, { RET_A } },
	{ "X starts as 0", 0, { STMT(BPF_MISC | BPF_TXA, 0), RET_A } },
	{ "scratch starts as 0", 0, { STMT(BPF_LD | BPF_MEM, 7), RET_A } },
	{ "scratch written on the other path", 0, { LD_K(1), JMP_K(BPF_JEQ, 1, 1, 0),
	  STMT(BPF_ST, 1), STMT(BPF_LD | BPF_MEM, 1), RET_A } },
	{ "X written on the other path", 0, { LD_K(1), JMP_K(BPF_JEQ, 1, 1, 0), LDX_K(7),
	  STMT(BPF_MISC | BPF_TXA, 0), RET_A } },
	{ "scratch keeps A", 9, { LD_K(9), STMT(BPF_ST, 15), LD_K(1), STMT(BPF_LD | BPF_MEM, 15),
	  RET_A } },
	{ "scratch keeps X", 5, { LDX_K(5), STMT(BPF_STX, 3), STMT(BPF_LD | BPF_MEM, 3), RET_A } },
	{ "len", 8, { STMT(BPF_LD | BPF_W | BPF_LEN, 0), RET_A } },
	{ "len to X", 8, { STMT(BPF_LDX | BPF_W | BPF_LEN, 0),
	  STMT(BPF_MISC | BPF_TXA, 0), RET_A } },
	{ "msh", 20, { STMT(BPF_LDX | BPF_MSH | BPF_B, 0), STMT(BPF_MISC | BPF_TXA, 0), RET_A } },
	{ "word", 0xfffefdfc, { STMT(BPF_LD | BPF_W | BPF_ABS, 4), RET_A } },
	{ "odd word", 0x010203ff, { STMT(BPF_LD | BPF_B | BPF_ABS, 0),
	  STMT(BPF_LD | BPF_W | BPF_ABS, 1), RET_A } },
	{ "half behind the end", 0, { LD_K(1), STMT(BPF_LD | BPF_H | BPF_ABS, 7), RET_K(1) } },
	{ "last byte", 0xfc, { STMT(BPF_LD | BPF_B | BPF_ABS, 7), RET_A } },
	{ "offset 0x7fffffff", 0, { STMT(BPF_LD | BPF_W | BPF_ABS, 0x7fffffff), RET_K(1) } },
	{ "offset 0xffdffffe", 0, { STMT(BPF_LD | BPF_W | BPF_ABS, 0xffdffffe), RET_K(1) } },
	{ "X + k wraps", 0, { LDX_K(0xffffffff), STMT(BPF_LD | BPF_B | BPF_IND, 1), RET_K(1) } },
	{ "X + large k", 0, { LDX_K(0x7fffffff),
	  STMT(BPF_LD | BPF_B | BPF_IND, 0x80000001), RET_K(1) } },
	{ "X at the end", 0xfc, { LDX_K(4), STMT(BPF_LD | BPF_B | BPF_IND, 3), RET_A } },
	{ "add wraps", 1, { LD_K(0xffffffff), ALU_K(BPF_ADD, 2), RET_A } },
	{ "sub wraps", 0xffffffff, { ALU_K(BPF_SUB, 1), RET_A } },
	{ "mul wraps", 0xfffffffe, { LD_K(0xffffffff), ALU_K(BPF_MUL, 2), RET_A } },
	{ "neg", 0xffffffff, { LD_K(1), STMT(BPF_ALU | BPF_NEG, 0), RET_A } },
	{ "div large k", 1, { LD_K(0xffffffff), ALU_K(BPF_DIV, 0xfffffff0), RET_A } },
	{ "mod large k", 15, { LD_K(0xffffffff), ALU_K(BPF_MOD, 0xfffffff0), RET_A } },
	{ "div X", 3, { LD_K(7), LDX_K(2), ALU_X(BPF_DIV), RET_A } },
	{ "div by X = 0", 0, { LD_K(7), ALU_X(BPF_DIV), RET_K(1) } },
	{ "mod by X = 0", 0, { LD_K(7), ALU_X(BPF_MOD), RET_K(1) } },
	{ "lsh X = 31", 0x80000000, { LD_K(3), LDX_K(31), ALU_X(BPF_LSH), RET_A } },
	{ "lsh X = 32", 0, { LD_K(3), LDX_K(32), ALU_X(BPF_LSH), RET_A } },
	{ "rsh X = 32", 0, { LD_K(3), LDX_K(32), ALU_X(BPF_RSH), RET_A } },
	{ "rsh X = 0xffffffff", 0, { LD_K(3), LDX_K(~0u), ALU_X(BPF_RSH), RET_A } },
	{ "rsh k = 31", 1, { LD_K(0x80000000), ALU_K(BPF_RSH, 31), RET_A } },
	{ "lsh k = 32", 0, { LD_K(3), ALU_K(BPF_LSH, 32), RET_A } },
	{ "and k bit 31", 0x80000000, { LD_K(~0u), ALU_K(BPF_AND, 0x80000000), RET_A } },
	{ "xor k bit 31", 0x7fffffff, { LD_K(~0u), ALU_K(BPF_XOR, 0x80000000), RET_A } },
	{ "jeq k bit 31", 1, { LD_K(~0u), JMP_K(BPF_JEQ, ~0u, 0, 1), RET_K(1), RET_K(0) } },
	{ "jgt k bit 31", 1, { LD_K(~0u), JMP_K(BPF_JGT, 0x80000000, 0, 1), RET_K(1), RET_K(0) } },
	{ "jge k bit 31", 0, { LD_K(1), JMP_K(BPF_JGE, 0x80000000, 0, 1), RET_K(1), RET_K(0) } },
	{ "jset k bit 31", 1, { LD_K(~0u), JMP_K(BPF_JSET, 0x80000000, 0, 1),
	  RET_K(1), RET_K(0) } },
	{ "jset false", 2, { LD_K(1), JMP_K(BPF_JSET, 2, 1, 0), RET_K(2), RET_K(0) } },
	{ "two jumps", 3, { LD_K(1), JMP_K(BPF_JEQ, 2, 1, 2), RET_K(1), RET_K(2), RET_K(3) } },
	{ "dead code", 2, { STMT(BPF_JMP | BPF_JA, 1), RET_K(1), RET_K(2), RET_K(3) } },
	{ "jump to the next", 2, { JMP_K(BPF_JEQ, 0, 0, 0), RET_K(2) } },
	{ "return 0xffffffff", 0xffffffff, { RET_K(~0u) } },
	{ "empty", -EINVAL, { STMT(0xffff, 0) } },
	{ "no return", -EINVAL, { LD_K(1) } },
	{ "jump past the end", -EINVAL, { JMP_K(BPF_JEQ, 0, 0, 1), RET_K(0) } },
	{ "jump backwards", -EINVAL, { STMT(BPF_JMP | BPF_JA, ~0u), RET_K(0) } },
	{ "scratch slot 16", -EINVAL, { STMT(BPF_ST, 16), RET_K(0) } },
	{ "div by k = 0", -EINVAL, { ALU_K(BPF_DIV, 0), RET_A } },
	{ "eight-byte load", -EINVAL, { STMT(BPF_LD | 0x18 | BPF_ABS, 0), RET_A } },
	{ "return X", -EINVAL, { STMT(BPF_RET | BPF_X, 0) } },
	{ "kernel extension", -EOPNOTSUPP, { STMT(BPF_LD | BPF_B | BPF_ABS, SKF_AD_OFF), RET_A } },
};

static void test_semantics(void)
{
	const struct ebpf_packet pkt = { semantics_packet, 8, 8 };
	size_t i;

	for (i = 0; i < COUNT(semantics); i++) {
		const struct sock_filter *f = semantics[i].f;
		size_t n = COUNT(semantics[i].f);
		const char *wrong = NULL;
		uint64_t r0 = 0;
		int len;

		while (n > 1 && !f[n - 1].code && !f[n - 1].k)
			n--;
		len = nt_cbpf_convert(f, n, NT_READ_HELPER_KERNEL, insns, MAX_INSNS);
		if (len < 0) {
			check(len == semantics[i].want, "%s: refused with %d",
			      semantics[i].name, len);
			continue;
		}
		if (well_formed(len))
			wrong = ebpf_vm_run(insns, (size_t)len, &pkt, &r0);
		check(!wrong && (int64_t)r0 == semantics[i].want, "%s: %s 0x%llx",
		      semantics[i].name, wrong ? wrong : "returns", (unsigned long long)r0);
	}
}

static void test_limits(void)
{
	static struct sock_filter f[NT_CBPF_MAX_INSNS + 1];
	size_t n = NT_CBPF_MAX_INSNS;
	size_t i;

	for (i = 0; i <= n; i++)
		f[i] = (struct sock_filter)STMT(BPF_LD | BPF_B | BPF_IND, 1);
	f[0] = (struct sock_filter)JMP_K(BPF_JEQ, 1, 0, 1);
	f[n - 1] = (struct sock_filter)RET_K(0);
	check(nt_cbpf_convert(f, 0, 4, insns, MAX_INSNS) == -EINVAL, "no instructions");
	check(nt_cbpf_convert(f, n + 1, 4, insns, MAX_INSNS) == -E2BIG, "too many instructions");
	check(nt_cbpf_convert(f, n, 4, insns, MAX_INSNS) == -E2BIG, "jump too long");
	check(nt_cbpf_convert(f + n - 1, 1, 4, insns, 1) == -E2BIG, "no room");
	check(nt_cbpf_convert(f + n - 1, 1, 4, insns, 2) == 2, "just enough room");
}

/* Expression, where its error must be (-1: nowhere), and a part of the message. */
static const struct {
	const char *expr;
	int pos;
	const char *part;
} bad[] = {
	{ "foo", 0, "syntax error at 'foo'" },
	{ "tcp and and udp", 8, "syntax error at 'and'" },
	{ "tcp)", 3, "syntax error at ')'" },
	{ "(tcp or udp", 11, "1 unclosed '('" },
	{ "((tcp) or (udp", 14, "2 unclosed '('" },
	{ "host", 4, "not complete" },
	{ "tcp and", 7, "not complete" },
	{ "tcp[0", 5, "not complete" },
	{ "tcp @ 4", 4, "syntax error at '@'" },
	{ "less 64 more", 8, "syntax error at 'more'" },
	{ "udp src dst 3", 8, "syntax error at 'dst'" },
	{ "len > 5 and tcp[20 : 4 = 9", 23, "syntax error at '='" },
	{ "host nosuch", 5, "names are not resolved; use an address" },
	{ "udp and host 1.2.3.4 and host nosuch", 30, "unknown host 'nosuch'" },
	{ "net nosuch", 4, "names are not resolved" },
	{ "ether host nosuch", 11, "names are not resolved" },
	{ "tcp port nosuch or udp", 9, "use a number" },
	{ "udp portrange 10-nosuch", 14, "use a number" },
	{ "udp portrange 1-70000", 14, "up to 65535" },
	{ "tcp port 99999", 9, "illegal port number" },
	{ "ip proto nosuch", 9, "use a number" },
	{ "ether proto nosuch", 12, "use a number" },
	{ "host 1.2.3.400", 5, "invalid IPv4 address" },
	{ "ip6 host 1::2::3", 9, "bogus" },
	{ "net 10.0.0.0/33", 13, "mask length" },
	{ "tcp and vlan 5000", 13, "VLAN tag 5000" },
	{ "len > 5000000000", 6, "overflows" },
	{ "tcp and ip broadcast", 11, "netmask not known" },
	{ "tcp and udp", -1, "rejects all packets" },
	{ "tcp or inbound", 7, "direction" },
	{ "ip protochain 6", 3, "loop" },
	{ "tcp or \xc3\xa9", 7, "ASCII" },
};

static void test_errors(void)
{
	struct nt_pcap_filter *filter;
	struct nt_pcap_error err;
	char *text = malloc(NT_PCAP_MAX_EXPR + 2);
	size_t i;

	for (i = 0; i < COUNT(bad); i++) {
		int ret = nt_pcap_compile(bad[i].expr, &filter, &err);

		check(ret == -EINVAL && !filter && err.pos == bad[i].pos &&
		      strstr(err.msg, bad[i].part), "refuses '%s': %s at %d", bad[i].expr,
		      err.msg, err.pos);
		nt_pcap_free(filter);
	}
	if (!check(text != NULL, "memory"))
		return;
	memset(text, '(', NT_PCAP_MAX_DEPTH + 1);
	strcpy(text + NT_PCAP_MAX_DEPTH + 1, "tcp");
	check(nt_pcap_compile(text, &filter, &err) && err.pos == NT_PCAP_MAX_DEPTH, "deep nest");
	memset(text, ' ', NT_PCAP_MAX_EXPR + 1);
	text[NT_PCAP_MAX_EXPR + 1] = '\0';
	check(nt_pcap_compile(text, &filter, NULL) == -EINVAL, "too long");
	check(!nt_pcap_compile("", &filter, &err) && filter && err.pos == -1, "empty accepts all");
	nt_pcap_free(filter);
	free(text);
}

int main(int argc, char **argv)
{
	const char *filters = NT_FILTERS_FILE;
	int i;

	if (corpus_build(&corpus))
		return 1;
	for (i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--filters")) {
			filters = argv[i + 1];
		} else if (!strcmp(argv[i], "--write-pcap")) {
			int err = corpus_write_pcap(&corpus, argv[i + 1]);

			corpus_free(&corpus);
			return err ? 1 : 0;
		}
	}
	test_semantics();
	test_limits();
	test_errors();
	test_file(filters);
	printf("# %zu packets, %lu runs in the interpreter; kernel: %lu loads, %lu runs\n",
	       corpus.n, vm_runs, kernel_loads, kernel_runs);
	corpus_free(&corpus);
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
