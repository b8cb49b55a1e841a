// SPDX-License-Identifier: GPL-2.0
/* Filter expressions: libpcap's compiler, and error positions it does not give. */
#include "nettrace/pcap_filter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>

/* <pcap/bpf.h> has a struct bpf_insn of its own, which is not the kernel's. */
#define bpf_insn	pcap_bpf_insn
#include <pcap/pcap.h>
#undef bpf_insn

#include "nettrace/cbpf.h"

#define SNAPLEN		262144	/* only what an accepting program returns */

/*
 * A number too large for the language. libpcap's scanner refuses it with a message that
 * quotes it, which shows that the parser had no objection to what comes before.
 */
#define SENTINEL	"98765432109876543210"

struct token {
	size_t start, end;
};

struct source {
	const char *text;
	size_t len;
	size_t ntokens;
	struct token tokens[NT_PCAP_MAX_TOKENS];
	unsigned int open_parens;	/* at the end */
};

static const int link_type[NT_LINK_FORMS] = {
	[NT_LINK_ETHER] = DLT_EN10MB,
	[NT_LINK_RAW] = DLT_RAW,
};

__attribute__((format(printf, 3, 4)))
static int fail(struct nt_pcap_error *err, int pos, const char *fmt, ...)
{
	va_list ap;

	err->pos = pos;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Tokens: only as exact as error positions need; libpcap's scanner decides. */
static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A ':' or '/' is part of an address, except in an index, as in tcp[0:2]. */
static bool is_word(char c, unsigned int brackets)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return strchr("._-\\", c) || (c == ':' && !brackets);
}

static size_t token_end(const struct source *src, size_t i, unsigned int brackets)
{
	static const char *const pairs[] = { "&&", "||", "<=", ">=", "!=", "==", "<<", ">>" };
	size_t k;

	if (is_word(src->text[i], brackets) && src->text[i] != '-') {
		while (i < src->len && is_word(src->text[i], brackets))
			i++;
		return i;
	}
	for (k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++)
		if (!strncmp(src->text + i, pairs[k], 2))
			return i + 2;
	return i + 1;
}

/* Splits, and refuses what need not reach libpcap. */
static int tokenise(struct source *src, struct nt_pcap_error *err)
{
	unsigned int brackets = 0, parens = 0;
	size_t i = 0;

	while (i < src->len) {
		unsigned char c = (unsigned char)src->text[i];

		if (is_space((char)c)) {
			i++;
			continue;
		}
		if (c < 0x20 || c > 0x7e)
			return fail(err, (int)i, "byte 0x%02x is not plain ASCII text", c);
		if (src->ntokens == NT_PCAP_MAX_TOKENS)
			return fail(err, (int)i, "more than %d words", NT_PCAP_MAX_TOKENS);
		brackets += c == '[';
		parens += c == '(';
		if (brackets + parens > NT_PCAP_MAX_DEPTH)
			return fail(err, (int)i, "nested deeper than %d", NT_PCAP_MAX_DEPTH);
		brackets -= c == ']' && brackets;
		parens -= c == ')' && parens;
		src->tokens[src->ntokens].start = i;
		i = token_end(src, i, brackets);
		src->tokens[src->ntokens++].end = i;
	}
	src->open_parens = parens;
	return 0;
}

static bool token_is(const struct source *src, size_t i, const char *word)
{
	const struct token *t = &src->tokens[i];

	return strlen(word) == t->end - t->start &&
	       !memcmp(src->text + t->start, word, t->end - t->start);
}

/* One call of libpcap; on failure its message in MSG (PCAP_ERRBUF_SIZE). */
static int compile(const char *text, int dlt, bool optimise, struct bpf_program *prog, char *msg)
{
	pcap_t *pcap = pcap_open_dead(dlt, SNAPLEN);
	int ret;

	*prog = (struct bpf_program){ 0 };
	if (!pcap)
		return -ENOMEM;
	ret = pcap_compile(pcap, prog, text, optimise, PCAP_NETMASK_UNKNOWN) ? -EINVAL : 0;
	if (ret)
		snprintf(msg, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(pcap));
	pcap_close(pcap);
	return ret;
}

/* Does the parser accept the first N tokens as a beginning? */
static bool is_viable_prefix(const struct source *src, size_t n, int dlt)
{
	char text[NT_PCAP_MAX_EXPR + sizeof(" " SENTINEL)];
	char msg[PCAP_ERRBUF_SIZE] = "";
	size_t len = n ? src->tokens[n - 1].end : 0;
	struct bpf_program prog;

	memcpy(text, src->text, len);
	memcpy(text + len, " " SENTINEL, sizeof(" " SENTINEL));
	compile(text, dlt, false, &prog, msg);	/* always fails */
	pcap_freecode(&prog);
	return strstr(msg, SENTINEL) != NULL;
}

/*
 * The first token with which no valid expression can begin; ntokens if there is none.
 * An LALR parser never shifts such a token, and errors stay: so bisect.
 */
static size_t first_bad_token(const struct source *src, int dlt)
{
	size_t good = 0, bad = src->ntokens + 1;	/* prefix lengths */

	while (bad - good > 1) {
		size_t mid = good + (bad - good) / 2;

		if (is_viable_prefix(src, mid, dlt))
			good = mid;
		else
			bad = mid;
	}
	return good;
}

/* Is token I mentioned in MSG? Either quoted, or as a number or address. */
static bool is_mentioned(const struct source *src, size_t i, const char *msg)
{
	const char *text = src->text + src->tokens[i].start;
	size_t len = src->tokens[i].end - src->tokens[i].start;
	bool numeric = strchr("0123456789", *text) || memchr(text, ':', len);
	const char *p;

	if (*text == '\\' && len > 1) {		/* \tcp is reported as tcp */
		text++;
		len--;
	}
	for (p = msg; *p; p++) {
		char before = p > msg ? p[-1] : ' ';
		char after;

		if (strncmp(p, text, len))
			continue;
		after = p[len];
		if (before == '\'' && after == '\'')
			return true;
		if (numeric && before == ' ' && (!after || strchr(" ,:/\'", after)))
			return true;
	}
	return false;
}

/* Where a meaning, as opposed to the syntax, is wrong. LAST: where the parser stopped. */
static int semantic_pos(const struct source *src, size_t last, const char *msg)
{
	size_t i;

	if (!src->ntokens)
		return -1;
	if (last >= src->ntokens)
		last = src->ntokens - 1;
	for (i = last + 1; i-- > 0;)
		if (is_mentioned(src, i, msg))
			return (int)src->tokens[i].start;
	return (int)src->tokens[last].start;
}

static const char *remedy(const char *msg)
{
	if (*nt_pcap_refused_name())
		return ": names are not resolved; use an address";
	if (!strncmp(msg, "unknown port", 12))
		return ": use a number up to 65535";
	if (!strncmp(msg, "unknown", 7) && strstr(msg, "proto"))
		return ": use a number";
	return "";
}

/* Turns libpcap's message about the whole expression into *err. */
static int explain(const struct source *src, int dlt, const char *msg, struct nt_pcap_error *err)
{
	char plain[PCAP_ERRBUF_SIZE] = "";
	struct bpf_program prog;
	const char *why;
	size_t bad;
	int ret;

	/* What only the optimiser finds has no place: "expression rejects all packets". */
	nt_pcap_forget_name();
	ret = compile(src->text, dlt, false, &prog, plain);
	pcap_freecode(&prog);
	if (!ret)
		return fail(err, -1, "%s", msg);
	why = remedy(plain);
	bad = first_bad_token(src, dlt);
	if (!strstr(plain, "syntax error"))
		return fail(err, semantic_pos(src, bad, plain), "%.180s%s", plain, why);
	if (bad < src->ntokens) {
		const struct token *t = &src->tokens[bad];
		int len = t->end - t->start < 40 ? (int)(t->end - t->start) : 40;

		return fail(err, (int)t->start, "syntax error at '%.*s'", len,
			    src->text + t->start);
	}
	if (src->open_parens)
		return fail(err, (int)src->len, "the expression ends with %u unclosed '('",
			    src->open_parens);
	return fail(err, (int)src->len, "the expression is not complete");
}

/* Copies a classic program; libpcap's instruction has the kernel's layout. */
static int keep_program(struct nt_pcap_prog *to, const struct bpf_program *from)
{
	unsigned int i;

	to->insns = calloc(from->bf_len, sizeof(*to->insns));
	if (!to->insns)
		return -ENOMEM;
	for (i = 0; i < from->bf_len; i++)
		to->insns[i] = (struct sock_filter){
			.code = from->bf_insns[i].code,
			.jt = from->bf_insns[i].jt,
			.jf = from->bf_insns[i].jf,
			.k = from->bf_insns[i].k,
		};
	to->len = from->bf_len;
	return 0;
}

static int find_word(const struct source *src, const char *const *words, size_t n)
{
	size_t i, k;

	for (i = 0; i < src->ntokens; i++)
		for (k = 0; k < n; k++)
			if (token_is(src, i, words[k]))
				return (int)src->tokens[i].start;
	return -1;
}

/* A program that libpcap makes, but that eBPF or the kernel side cannot run. */
static int check_convertible(const struct source *src, const struct nt_pcap_prog *prog,
			     struct nt_pcap_error *err)
{
	static const char *const loops[] = { "protochain" };
	static const char *const metadata[] = { "inbound", "outbound", "ifindex" };
	int len = nt_cbpf_convert(prog->insns, prog->len, NT_READ_HELPER_KERNEL, NULL, 0);

	if (len >= 0)
		return 0;
	switch (len) {
	case -ENOMEM:
		return -ENOMEM;
	case -EOPNOTSUPP:
		return fail(err, find_word(src, metadata, 3),
			    "only packet bytes can be tested, not direction or interface");
	case -E2BIG:
		return fail(err, -1, "the expression is too long for the kernel");
	default:
		return fail(err, find_word(src, loops, 1),
			    "this needs a loop, which is not supported");
	}
}

/* ether[...] would silently read the IP header where there is no Ethernet header. */
static bool indexes_link_header(const struct source *src)
{
	static const char *const link[] = { "ether", "link", "fddi", "tr", "wlan", "ppp", "slip" };
	size_t i, k;

	for (i = 0; i + 1 < src->ntokens; i++)
		for (k = 0; k < sizeof(link) / sizeof(link[0]); k++)
			if (token_is(src, i, link[k]) && token_is(src, i + 1, "["))
				return true;
	return false;
}

static int compile_form(const struct source *src, enum nt_link_form form,
			struct nt_pcap_filter *filter, struct nt_pcap_error *err)
{
	char msg[PCAP_ERRBUF_SIZE] = "";
	struct bpf_program prog;
	int ret = compile(src->text, link_type[form], true, &prog, msg);

	if (ret == -EINVAL)
		ret = explain(src, link_type[form], msg, err);
	if (!ret)
		ret = keep_program(&filter->form[form], &prog);
	pcap_freecode(&prog);
	return ret ? ret : check_convertible(src, &filter->form[form], err);
}

static int reject_raw(struct nt_pcap_filter *filter, const char *why)
{
	struct nt_pcap_prog *prog = &filter->form[NT_LINK_RAW];

	filter->raw_rejects = true;
	snprintf(filter->raw_reason, sizeof(filter->raw_reason), "%.150s", why);
	free(prog->insns);
	prog->len = 1;
	prog->insns = calloc(1, sizeof(*prog->insns));
	if (!prog->insns)
		return -ENOMEM;
	prog->insns[0].code = BPF_RET | BPF_K;
	return 0;
}

/* An expression that is wrong for Ethernet is wrong; the raw form may be missing. */
static int compile_forms(const struct source *src, struct nt_pcap_filter *filter,
			 struct nt_pcap_error *err)
{
	struct nt_pcap_error raw_err = { .pos = -1 };
	int ret = compile_form(src, NT_LINK_ETHER, filter, err);

	if (ret)
		return ret;
	if (indexes_link_header(src))
		return reject_raw(filter, "it reads bytes of the Ethernet header");
	ret = compile_form(src, NT_LINK_RAW, filter, &raw_err);
	return ret == -EINVAL ? reject_raw(filter, raw_err.msg) : ret;
}

int nt_pcap_compile(const char *expr, struct nt_pcap_filter **out, struct nt_pcap_error *err)
{
	struct nt_pcap_error ignored;
	struct nt_pcap_filter *filter;
	struct source *src;
	int ret = -ENOMEM;

	if (!err)
		err = &ignored;
	*err = (struct nt_pcap_error){ .pos = -1, .msg = "out of memory" };
	*out = NULL;
	if (strlen(expr) > NT_PCAP_MAX_EXPR)
		return fail(err, NT_PCAP_MAX_EXPR, "longer than %d bytes", NT_PCAP_MAX_EXPR);
	src = calloc(1, sizeof(*src));
	filter = calloc(1, sizeof(*filter));
	if (src && filter) {
		src->text = expr;
		src->len = strlen(expr);
		ret = tokenise(src, err);
		if (!ret)
			ret = compile_forms(src, filter, err);
	}
	free(src);
	if (ret) {
		nt_pcap_free(filter);
		return ret;
	}
	*err = (struct nt_pcap_error){ .pos = -1 };
	*out = filter;
	return 0;
}

void nt_pcap_free(struct nt_pcap_filter *filter)
{
	int form;

	if (!filter)
		return;
	for (form = 0; form < NT_LINK_FORMS; form++)
		free(filter->form[form].insns);
	free(filter);
}

int nt_pcap_to_ebpf(const struct nt_pcap_filter *filter, enum nt_link_form form,
		    unsigned int read_helper, struct bpf_insn *out, size_t cap)
{
	const struct nt_pcap_prog *prog = &filter->form[form];

	return nt_cbpf_convert(prog->insns, prog->len, read_helper, out, cap);
}
