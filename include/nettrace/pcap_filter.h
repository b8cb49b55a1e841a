/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Filter expressions in tcpdump's language (pcap-filter(7)), compiled by libpcap
 * to classic BPF and from there to eBPF (cbpf.h).
 *
 * Compiling touches neither network nor files. What that means for names:
 *	hosts, networks	refused; numeric IPv4, IPv6 and MAC addresses and prefixes work
 *	ports		a short built-in list of well-known names (http, domain, ...)
 *	protocols	the keywords, and built-in lists behind "ip proto" (\tcp, gre, ...)
 *			and "ether proto" (\ip, \arp, lldp, ...); else a number
 * Also refused, because the kernel side cannot do it: protochain (a loop), inbound,
 * outbound and ifindex (metadata instead of packet bytes), ip broadcast (needs a
 * netmask). "vlan" looks at bytes: a tag that the driver moved into the skb is not
 * among them.
 */
#ifndef NETTRACE_PCAP_FILTER_H
#define NETTRACE_PCAP_FILTER_H

#include <stdbool.h>
#include <stddef.h>

struct sock_filter;	/* <linux/filter.h> */
struct bpf_insn;	/* <linux/bpf.h>, never libpcap's; see cbpf.h */

/* Longer or deeper expressions are refused: they only burden libpcap's optimiser. */
#define NT_PCAP_MAX_EXPR	4096	/* bytes */
#define NT_PCAP_MAX_TOKENS	1024
#define NT_PCAP_MAX_DEPTH	64	/* open ( and [ */

enum nt_link_form {
	NT_LINK_ETHER,	/* the first byte is the Ethernet header's */
	NT_LINK_RAW,	/* the first byte is the IP header's */
	NT_LINK_FORMS,
};

struct nt_pcap_prog {
	struct sock_filter *insns;	/* classic BPF */
	size_t len;
};

/* Owned by the caller, freed with nt_pcap_free(); read only. */
struct nt_pcap_filter {
	struct nt_pcap_prog form[NT_LINK_FORMS];
	/*
	 * The expression has no meaning without an Ethernet header (ether host, vlan,
	 * arp, ...): the raw form rejects every packet. The tool should say so where
	 * a hook sees packets in that form only.
	 */
	bool raw_rejects;
	char raw_reason[160];	/* why, "" if !raw_rejects */
};

struct nt_pcap_error {
	int pos;	/* byte offset of the offending token; length if the end is; -1 unknown */
	char msg[256];	/* one line, no newline, does not repeat the expression */
};

/*
 * Compiles EXPR for both forms. The empty expression accepts every packet. Returns
 * 0 with *out set, or with *out NULL and *err (may be NULL) filled:
 *	-EINVAL	the expression is wrong, or not possible here (see above)
 *	-ENOMEM
 */
int nt_pcap_compile(const char *expr, struct nt_pcap_filter **out, struct nt_pcap_error *err);

void nt_pcap_free(struct nt_pcap_filter *filter);	/* NULL is fine */

/*
 * The eBPF subprogram for one form; arguments, result and errors as
 * nt_cbpf_convert(). OUT NULL counts.
 */
int nt_pcap_to_ebpf(const struct nt_pcap_filter *filter, enum nt_link_form form,
		    unsigned int read_helper, struct bpf_insn *out, size_t cap);

/*
 * From pcap_stubs.c, for the error text: the host, network or station name that the
 * last nt_pcap_compile() in this thread was asked to resolve, "" if none.
 */
const char *nt_pcap_refused_name(void);
void nt_pcap_forget_name(void);

#endif
