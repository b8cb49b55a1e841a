/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Connection tracking: what is known of an entry, which ones the user means, and what is told of
 * them. Entries are reached from packets and from arguments, so they are always read by address.
 */
#ifndef NT_BPF_CONNTRACK_H
#define NT_BPF_CONNTRACK_H

#include "lib/emit.bpf.h"
#include "lib/filter.bpf.h"
#include "lib/hist.bpf.h"
#include "lib/rate.bpf.h"
#include "lib/stacks.bpf.h"
#include "lib/types_conntrack.bpf.h"
#include "nettrace/nt_abi_conntrack.h"

/* Enumerators that are part of the interface to user space, linux/netfilter/nf_conntrack_common.h. */
#define NT_IPS_CONFIRMED (1u << 3)
#define NT_IPS_DYING (1u << 9)
#define NT_IPS_TEMPLATE (1u << 11)
#define NT_CT_INFO_MASK 7u
#define NT_CT_INFO_RELATED 1
#define NT_CT_INFO_NEW 2
#define NT_CT_INFO_UNTRACKED 7
#define NT_NF_ACCEPT 1

struct {			/* by address; every entry ends in nf_ct_destroy() */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct nt_ct_conn);
} nt_cts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct nt_ct_stats_key);
	__type(value, struct nt_ct_stats);
} nt_ct_table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_ct_cfg);
} nt_ct_cfg SEC(".maps");

NT_HISTS(nt_hists, 1);		/* us from an entry's first packet until it leaves the table */

/* ---- rules of a file: 64 of them in three lookups a side ---- */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * NT_CT_RULES_MAX + 2);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nt_ct_addr_key);
	__type(value, struct nt_ct_ends);
} nt_ct_addrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * NT_CT_RULES_MAX);
	__type(key, __u32);
	__type(value, struct nt_ct_ends);
} nt_ct_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} nt_ct_protos SEC(".maps");

NT_INLINE struct nt_ct_cfg *nt_ct_cfg_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nt_ct_cfg, &zero);
}

/* Rules whose source, and those whose destination, this end may be. */
NT_INLINE void nt_ct_end(const struct nt_ct_cfg *cfg, const __u8 *addr, __be16 port, struct nt_ct_ends *e)
{
	struct nt_ct_addr_key key = { .prefixlen = 128 };
	__u32 number = bpf_ntohs(port);
	struct nt_ct_ends *of;

	__builtin_memcpy(key.addr, addr, 16);
	of = bpf_map_lookup_elem(&nt_ct_addrs, &key);
	e->src = of ? of->src : 0;
	e->dst = of ? of->dst : 0;
	of = bpf_map_lookup_elem(&nt_ct_ports, &number);
	e->src &= of ? of->src : cfg->any_sport;
	e->dst &= of ? of->dst : cfg->any_dport;
}

NT_INLINE bool nt_ct_rules_match(const struct nt_flow *f)
{
	const struct nt_ct_cfg *cfg = nt_ct_cfg_get();
	struct nt_ct_ends a, b;
	__u32 proto = f->proto;
	__u64 *of_proto = bpf_map_lookup_elem(&nt_ct_protos, &proto);

	if (!cfg || !of_proto)
		return false;
	nt_ct_end(cfg, f->saddr, f->sport, &a);
	nt_ct_end(cfg, f->daddr, f->dport, &b);
	return (((a.src & b.dst) | (b.src & a.dst)) & *of_proto) != 0;
}

/* ---- the command line's filter: both directions of a connection match, or none does ---- */
NT_INLINE bool nt_ct_is_end(const __u8 *addr, const __u8 *want, const __u8 *mask, const bool addr_given,
			    __be16 port, __u16 low, __u16 high, const bool port_given)
{
	__u16 p = bpf_ntohs(port);

	if (addr_given && !nt_addr_match(addr, want, mask))
		return false;
	return !port_given || (p >= low && p <= high && p);
}

NT_INLINE bool nt_ct_is_source(const __u64 mask, const struct nt_tuple *t, const __u8 *addr, __be16 port)
{
	return nt_ct_is_end(addr, t->src, t->src_mask, mask & NT_FILTER_SRC, port, t->sport_low, t->sport_high,
			    mask & NT_FILTER_SPORT);
}

NT_INLINE bool nt_ct_is_destination(const __u64 mask, const struct nt_tuple *t, const __u8 *addr, __be16 port)
{
	return nt_ct_is_end(addr, t->dst, t->dst_mask, mask & NT_FILTER_DST, port, t->dport_low, t->dport_high,
			    mask & NT_FILTER_DPORT);
}

NT_INLINE bool nt_ct_line_match(const struct nt_flow *f)
{
	const __u64 mask = nt_const(NT_CONST_FILTER);
	struct nt_tuple *t;
	__u32 zero = 0;

	t = bpf_map_lookup_elem(&nt_tuple, &zero);
	if (!t || ((mask & NT_FILTER_IP6) && f->ip_version != 6))
		return false;
	if (mask & NT_FILTER_PROTO) {
		if ((mask & NT_FILTER_ICMP46) && f->ip_version == 6) {
			if (f->proto != 58)
				return false;
		} else if (f->proto != t->proto) {
			return false;
		}
	}
	return (nt_ct_is_source(mask, t, f->saddr, f->sport) && nt_ct_is_destination(mask, t, f->daddr, f->dport)) ||
	       (nt_ct_is_source(mask, t, f->daddr, f->dport) && nt_ct_is_destination(mask, t, f->saddr, f->sport));
}

/* A subprogram: a packet and both tuples of an entry are tested. */
NT_SUBPROG int nt_ct_flow_match(const struct nt_flow *f)
{
	if (!f)
		return 0;
	if (nt_const(NT_CONST_FILTER) && !nt_ct_line_match(f))
		return 0;
	return !(nt_const(NT_CONST_TOOL0) & NT_CT_RULES) || nt_ct_rules_match(f);
}

NT_INLINE bool nt_ct_has_filter(void)
{
	return nt_const(NT_CONST_FILTER) || (nt_const(NT_CONST_TOOL0) & NT_CT_RULES);
}

/* Has the user asked for it? The expression speaks of packets: an entry is meant once one of its
 * packets matched. */
NT_SUBPROG int nt_ct_match(const struct nt_ct_event *e)
{
	const __u64 tool = nt_const(NT_CONST_TOOL0);
	const struct nt_ct_cfg *cfg = nt_ct_cfg_get();

	if (!e || !cfg)
		return 0;
	if ((tool & NT_CT_ZONE) && e->zone != cfg->zone)
		return 0;
	if ((tool & NT_CT_MARK) && (!(e->bits & NT_CT_HAS) || (e->mark & cfg->mark_mask) != cfg->mark))
		return 0;
	if (nt_const(NT_CONST_PCAP) && !(e->conn.bits & NT_CT_MATCHED))
		return 0;
	if (!nt_ct_has_filter())
		return 1;
	if ((e->bits & NT_CT_PKT) && nt_ct_flow_match(&e->pkt.flow))
		return 1;
	return (e->bits & NT_CT_HAS) &&
	       (nt_ct_flow_match(&e->orig.flow) || nt_ct_flow_match(&e->reply.flow));
}

/* ---- an entry ---- */
NT_INLINE void nt_ct_addr(__u8 *to, union nf_inet_addr *from, __u8 version)
{
	__u8 v4[4];

	if (version == 6) {
		bpf_probe_read_kernel(to, 16, from);
		return;
	}
	bpf_probe_read_kernel(v4, sizeof(v4), from);
	nt_v4_mapped(to, v4);
}

NT_SUBPROG int nt_ct_tuple(struct nt_ct_tuple *to, struct nf_conntrack_tuple *from)
{
	struct nt_flow *f;
	__u16 dst;

	if (!to || !from)
		return 0;
	f = &to->flow;
	f->ip_version = BPF_CORE_READ(from, src.l3num) == NT_AF_INET6 ? 6 : 4;
	f->eth_type = f->ip_version == 6 ? bpf_htons(NT_ETH_P_IPV6) : bpf_htons(NT_ETH_P_IP);
	f->proto = BPF_CORE_READ(from, dst.protonum);
	nt_ct_addr(f->saddr, &from->src.u3, f->ip_version);
	nt_ct_addr(f->daddr, &from->dst.u3, f->ip_version);
	dst = BPF_CORE_READ(from, dst.u.all);
	if (f->proto == 1 || f->proto == 58) {
		f->icmp_id = BPF_CORE_READ(from, src.u.all);
		to->icmp_type = bpf_ntohs(dst) >> 8;
		to->icmp_code = bpf_ntohs(dst);
		return 0;
	}
	f->sport = BPF_CORE_READ(from, src.u.all);
	f->dport = dst;
	return 0;
}

NT_INLINE void nt_ct_zone(struct nt_ct_event *e, struct nf_conn *ct)
{
	if (!bpf_core_field_exists(ct->zone))
		return;
	e->zone = BPF_CORE_READ(ct, zone.id);
	e->zone_dir = BPF_CORE_READ(ct, zone.dir);
}

/* What decides whether the entry is meant, and where it is counted. */
NT_SUBPROG int nt_ct_read(struct nt_ct_event *e)
{
	struct nf_conn *ct;

	if (!e || !e->ct)
		return 0;
	ct = (void *)e->ct;
	e->bits |= NT_CT_HAS;
	e->status = BPF_CORE_READ(ct, status);
	e->netns = BPF_CORE_READ(ct, ct_net.net, ns.inum);
	if (bpf_core_field_exists(ct->mark))
		e->mark = BPF_CORE_READ(ct, mark);
	nt_ct_zone(e, ct);
	nt_ct_tuple(&e->orig, &ct->tuplehash[0].tuple);
	nt_ct_tuple(&e->reply, &ct->tuplehash[1].tuple);
	return 0;
}

/* Where an extension of the entry lies; 0: it has not got it. */
NT_INLINE __u64 nt_ct_extension(struct nf_ct_ext *ext, __u32 id)
{
	__u8 offset = 0;

	if (!ext || id >= bpf_core_field_size(ext->offset))
		return 0;
	bpf_probe_read_kernel(&offset, 1, (void *)ext + bpf_core_field_offset(ext->offset) + id);
	return offset ? (__u64)ext + offset : 0;
}

NT_INLINE void nt_ct_read_ext(struct nt_ct_event *e, struct nf_ct_ext *ext)
{
	struct nf_conn_acct *acct;
	__u64 at;

	if (bpf_core_enum_value_exists(enum nf_ct_ext_id, NF_CT_EXT_LABELS)) {
		at = nt_ct_extension(ext, bpf_core_enum_value(enum nf_ct_ext_id, NF_CT_EXT_LABELS));
		if (at && !bpf_probe_read_kernel(e->labels, sizeof(e->labels), (void *)at))
			e->bits |= NT_CT_LABELS;
	}
	if (!bpf_core_type_exists(struct nf_conn_acct) ||
	    !bpf_core_enum_value_exists(enum nf_ct_ext_id, NF_CT_EXT_ACCT))
		return;
	at = nt_ct_extension(ext, bpf_core_enum_value(enum nf_ct_ext_id, NF_CT_EXT_ACCT));
	acct = (void *)at;
	if (!acct)
		return;
	e->bits |= NT_CT_ACCT;
	e->acct_packets[0] = BPF_CORE_READ(acct, counter[0].packets.counter);
	e->acct_packets[1] = BPF_CORE_READ(acct, counter[1].packets.counter);
	e->acct_bytes[0] = BPF_CORE_READ(acct, counter[0].bytes.counter);
	e->acct_bytes[1] = BPF_CORE_READ(acct, counter[1].bytes.counter);
}

/* Before it is confirmed, an entry has the length of its timeout, then the time. */
NT_INLINE bool nt_ct_timeout_left(struct nf_conn *ct, __u64 status, __s32 *left)
{
	__u32 timeout = BPF_CORE_READ(ct, timeout);

	if (!(status & NT_IPS_CONFIRMED)) {
		*left = timeout;
		return true;
	}
	if (!nt_const(NT_CONST_RINGBUF))	/* kernels before bpf_jiffies64() have no ring buffer, too */
		return false;
	*left = timeout - (__u32)bpf_jiffies64();
	return true;
}

/* The rest, of what is shown. */
NT_SUBPROG int nt_ct_read_more(struct nt_ct_event *e)
{
	struct nf_conn *ct;

	if (!e || !(e->bits & NT_CT_HAS))
		return 0;
	ct = (void *)e->ct;
	nt_ct_read_ext(e, BPF_CORE_READ(ct, ext));
	if (nt_ct_timeout_left(ct, e->status, &e->timeout_left))
		e->bits |= NT_CT_TIMEOUT_LEFT;
	if (e->orig.flow.proto == 6) {
		e->tcp_new = BPF_CORE_READ(ct, proto.tcp.state);
		e->bits |= NT_CT_TCP_STATE;
	}
	return 0;
}

/* ---- its history ---- */
NT_INLINE struct nt_ct_conn *nt_ct_open(__u64 ct, const struct nt_ct_conn *from)
{
	if (!bpf_map_lookup_elem(&nt_cts, &ct))
		nt_stat_add(NT_STAT_CT_OPENED, 1);
	if (bpf_map_update_elem(&nt_cts, &ct, from, BPF_ANY))
		nt_stat_add(NT_STAT_MAP_FULL, 1);
	return bpf_map_lookup_elem(&nt_cts, &ct);
}

NT_INLINE void nt_ct_close(__u64 ct)
{
	if (!bpf_map_delete_elem(&nt_cts, &ct))
		nt_stat_add(NT_STAT_CT_CLOSED, 1);
}

/* ---- events ---- */
NT_SUBPROG int nt_ct_count(const struct nt_ct_event *e)
{
	struct nt_ct_stats_key key = { .netns = 0 };
	struct nt_ct_stats *s;
	__u64 what, cause;

	if (!e)
		return 0;
	what = e->what;
	cause = e->cause;
	key.netns = e->netns;
	key.zone = e->zone;
	key.proto = e->bits & NT_CT_HAS ? e->orig.flow.proto : e->pkt.flow.proto;
	s = bpf_map_lookup_elem(&nt_ct_table, &key);
	if (!s) {
		struct nt_ct_stats *zero = nt_scratch_get(1);

		if (!zero)
			return 0;
		__builtin_memset(zero, 0, sizeof(*zero));
		bpf_map_update_elem(&nt_ct_table, &key, zero, BPF_NOEXIST);
		s = bpf_map_lookup_elem(&nt_ct_table, &key);
	}
	if (!s) {
		nt_stat_add(NT_STAT_MAP_FULL, 1);
		return 0;
	}
	NT_BARRIER(what);
	if (what < NT_CT_WHATS)
		__sync_fetch_and_add(&s->n[what], 1);
	NT_BARRIER(cause);
	if (cause < NT_CT_CAUSES)	/* without "not 0", which clang would fold into the bound */
		__sync_fetch_and_add(&s->cause[cause], 1);
	return 0;
}

NT_INLINE bool nt_ct_shown(__u32 what)
{
	return nt_const(NT_CONST_TOOL0) >> what & 1;
}

NT_INLINE struct nt_ct_event *nt_ct_event_new(__u32 what, __u32 hook)
{
	struct nt_ct_event *e = nt_scratch_get(0);

	if (!e)
		return NULL;
	__builtin_memset(e, 0, offsetof(struct nt_ct_event, stack));
	e->ts_ns = bpf_ktime_get_ns();
	e->what = what;
	e->hook = hook;
	e->ctinfo_old = e->ctinfo = NT_CT_NO_INFO;
	e->stack_id = -1;
	return e;
}

NT_INLINE void nt_ct_send(void *ctx, struct nt_ct_event *e)
{
	if (!(nt_const(NT_CONST_TOOL0) & NT_CT_STACKS) || e->stack_id >= 0) {
		nt_emit(ctx, e, offsetof(struct nt_ct_event, stack));
		return;
	}
	nt_stack_fill(ctx, e->stack);
	nt_emit(ctx, e, sizeof(*e));
}

/* Counts and shows an event that matched. */
NT_SUBPROG int nt_ct_tell(void *ctx, struct nt_ct_event *e)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (!e)
		return 0;
	nt_ct_count(e);
	nt_stat_add(NT_STAT_EVENTS, 1);
	if (!nt_ct_shown(e->what))
		return 0;
	if (nt_rate_limited()) {
		nt_stat_add(NT_STAT_CT_RATE_LIMITED, 1);
		return 0;
	}
	nt_ct_read_more(e);
	e->cpu = bpf_get_smp_processor_id();
	e->pid = id >> 32;
	e->tid = id;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	nt_ct_send(ctx, e);
	return 0;
}

#endif
