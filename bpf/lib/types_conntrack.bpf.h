/* SPDX-License-Identifier: GPL-2.0 */
/* Of connection tracking: as types.bpf.h. */
#ifndef NT_TYPES_CONNTRACK_BPF_H
#define NT_TYPES_CONNTRACK_BPF_H

#include "lib/types.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sk_buff___nfct {		/* 4.12: nf_conn's address and 3 bits of enum ip_conntrack_info */
	unsigned long _nfct;
};

struct nf_hook_state {
	__u8 hook, pf;		/* hook: 32 bits before 5.16, whose lowest are these */
	struct net_device *in, *out;
	struct net *net;
};

union nf_inet_addr {
	__u32 all[4];
};

struct nf_conntrack_tuple {
	struct {
		union nf_inet_addr u3;
		union { __be16 all; } u;
		__u16 l3num;
	} src;
	struct {
		union nf_inet_addr u3;
		union { __be16 all; } u;
		__u8 protonum;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct nf_conntrack_zone {
	__u16 id;
	__u8 flags, dir;
};

struct ip_ct_tcp_state {
	__u32 td_end, td_maxend, td_maxwin, td_maxack;
	__u8 td_scale, flags;
};

struct ip_ct_tcp {
	struct ip_ct_tcp_state seen[2];
	__u8 state;
};

struct nf_ct_ext {
	__u8 offset[4];		/* as many as the configuration has extensions */
};

struct nf_conn {
	__u32 timeout;
	struct nf_conntrack_zone zone;
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
	possible_net_t ct_net;
	__u32 mark;
	struct nf_ct_ext *ext;
	union { struct ip_ct_tcp tcp; } proto;
};

enum nf_ct_ext_id { NF_CT_EXT_ACCT = 3, NF_CT_EXT_LABELS = 7 };

struct nf_conn_counter {	/* of module nf_conntrack, as the next */
	struct { __s64 counter; } packets, bytes;
};

struct nf_conn_acct {
	struct nf_conn_counter counter[2];
};

struct va_format {
	const char *fmt;
};

struct ovs_conntrack_info {
	struct nf_conntrack_zone zone;
	__u8 commit : 1, nat : 3, force : 1;
};

#pragma clang attribute pop

#endif
