/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel structs and fields that nettrace reads, and no more. Offsets are
 * never taken from here: preserve_access_index makes every access a CO-RE
 * relocation against the running kernel's BTF. Where a kernel has another
 * spelling, a flavour (NAME___SUFFIX) stands below its struct with the version
 * that made it necessary. Those of connection tracking: types_conntrack.bpf.h.
 */
#ifndef NT_TYPES_BPF_H
#define NT_TYPES_BPF_H

#define __VMLINUX_H__ 1		/* bpf_tracing.h: use the kernel's names of pt_regs members */
#include <linux/bpf.h>

typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* pt_regs is architecture ABI: its layout does not drift, so no relocation. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31], sp, pc, pstate;
};
struct pt_regs {
	struct user_pt_regs user_regs;
	__u64 orig_x0;		/* regs[0] of a system call, which its result takes the place of */
};
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct rtnl_link_ops {
	const char *kind;
};

struct gnet_stats_queue {
	__u32 backlog;
};

struct qdisc_skb_head {
	__u32 qlen;
};

struct Qdisc_ops {
	char id[16];
};

struct Qdisc {
	unsigned int flags;
	__u32 limit;
	const struct Qdisc_ops *ops;
	__u32 handle;
	__u32 parent;
	struct qdisc_skb_head q;
	struct gnet_stats_queue qstats;
};

struct netdev_queue {
	struct Qdisc *qdisc_sleeping;	/* also while the device is down and .qdisc is noop */
};

struct list_head {
	struct list_head *next;
};

struct device_driver {
	const char *name;
};

struct device {
	struct device *parent;
	struct device_driver *driver;
};

struct net_device {
	struct netdev_queue *_tx;
	char name[16];
	int ifindex;
	unsigned int mtu;
	unsigned short type;
	struct { struct list_head lower; } adj_list;
	unsigned int num_tx_queues;
	possible_net_t nd_net;
	struct device dev;
	const struct rtnl_link_ops *rtnl_link_ops;
};

struct sk_buff_head {
	__u32 qlen;
};

struct softnet_data {
	struct sk_buff_head process_queue, input_pkt_queue;
};

struct net_device___priv {	/* 6.10: private area became a flexible member */
	__u8 priv[0];
};

struct in6_addr {
	__u8 byte[16];		/* the kernel's is a union: taken whole */
};

struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;			/* local port, host order */
	unsigned short skc_family;
	unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;	/* only with CONFIG_IPV6 */
};

struct sock {
	struct sock_common __sk_common;
	unsigned int sk_type : 16;	/* SOCK_STREAM ...; a bit-field before 5.6 */
	int sk_err;
	unsigned int sk_protocol : 8;	/* 5.6: 16 bits of its own */
	struct { struct { int counter; } rmem_alloc; } sk_backlog;
};

struct sock___protocol {	/* 16 bits from 5.6 on, before a bit-field of 8 in 32 */
	__u16 sk_protocol;
};

struct udp_sock {
	int forward_deficit;
};

struct socket {
	struct sock *sk;
};

/* ---- open files ---- */
struct inode {
	unsigned short i_mode;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct sk_buff {
	struct sk_buff *next;
	struct net_device *dev;
	struct sock *sk;
	unsigned int len, data_len;
	__u16 queue_mapping;
	__u32 mark;
	int skb_iif;
	__u32 hash;
	__be16 vlan_proto;
	__u16 vlan_tci;
	__be16 protocol, inner_protocol;
	__u16 transport_header, network_header, mac_header;
	unsigned long _skb_refdst;	/* address of its dst_entry, and a bit */
	unsigned int tail, end;
	unsigned char *head, *data;
	char cb[48];
};

struct sk_buff___vlan_present {	/* 4.20 to 6.1: tag is there if the bit is set */
	__u8 vlan_present : 1;
};

struct sk_buff___vlan_all {	/* 6.2: tag is there if the 32 bits are not 0 */
	__u32 vlan_all;
};

struct sk_buff___encapsulation {
	__u8 encapsulation : 1;
};

struct sk_buff___ip_summed {	/* a bit-field, like the tags above */
	__u8 ip_summed : 2;
};

struct sk_buff___cloned {
	__u8 cloned : 1;
};

struct skb_shared_info {
	__u8 nr_frags;
	unsigned short gso_size;
	unsigned short gso_segs;
	struct sk_buff *frag_list;
	unsigned int gso_type;
	struct { unsigned int len; } frags[17];	/* 6.7 */
};

struct skb_shared_info___bvec {	/* 5.4 to 6.6: struct bio_vec */
	struct { unsigned int bv_len; } frags[17];
};

struct skb_shared_info___size {	/* before 5.4 */
	struct { __u32 size; } frags[17];
};

/* ---- TCP ---- */
struct tcp_skb_cb {		/* in sk_buff.cb */
	__u32 seq, end_seq;
	__u16 tcp_gso_segs;
	__u8 tcp_flags;		/* 6.15: 16 bits, whose lower ones these are */
	__u32 ack_seq;
};

struct inet_sock {
	__be16 inet_sport;	/* stays when skc_num has been given back */
};

struct inet_connection_sock {	/* a tcp_sock begins with it */
	__u8 icsk_ca_state : 5;
	__u8 icsk_retransmits, icsk_pending;
};

struct tcp_sock {
	__u32 srtt_us;		/* eighths of microseconds */
	__u32 snd_cwnd, snd_ssthresh, packets_out, sacked_out, lost_out, retrans_out;
	__u32 mss_cache, snd_una, snd_nxt, rcv_nxt, copied_seq, data_segs_out, total_retrans;
	__u8 chrono_type : 2;
};

/* ---- threads ---- */
struct sched_entity {
	__u64 sum_exec_runtime;
};

struct thread_info {
	unsigned long flags;
	__u32 status;		/* x86 */
};

struct thread_info___preempt {	/* arm64 */
	__u64 preempt_count;
};

struct task_struct___preempt {
	struct thread_info___preempt thread_info;
};

struct pcpu_hot {		/* x86, 6.2 to 6.14 */
	int preempt_count;
};

struct task_struct {
	struct thread_info thread_info;
	struct sched_entity se;
	struct files_struct *files;
	unsigned int __state;
	unsigned int flags;
	int pid;		/* the thread's id */
	int tgid;		/* what user space calls the process id */
	__u64 start_time;	/* CLOCK_MONOTONIC ns */
	char comm[16];
};

struct task_struct___state {	/* before 5.14 */
	long state;
};

/* ---- defragmentation ---- */
struct frag_v4_compare_key {
	__be32 saddr, daddr;
	__u32 user, vif;
	__be16 id;
	__u16 protocol;
};

struct frag_v6_compare_key {
	struct in6_addr saddr, daddr;
	__u32 user;
	__be32 id;
	__u32 iif;
};

union flowi_uli {
	struct { __be16 dport, sport; } ports;
};

struct flowi4 {
	union flowi_uli uli;
};

struct flowi6 {
	struct { __u8 flowic_proto; } __fl_common;
	struct in6_addr daddr, saddr;
	union flowi_uli uli;
};

struct inet_cork_full {
	struct { union { struct flowi6 ip6; } u; } fl;
};

struct timer_list {
	unsigned long expires;
};

struct inet_frag_queue {
	union {
		struct frag_v4_compare_key v4;
		struct frag_v6_compare_key v6;
	} key;
	struct timer_list timer;
	int len, meat;
	__u8 flags;
};

struct fqdir {
	long high_thresh;
	struct { long counter; } mem;
};

struct netns_frags {		/* before 5.3: what fqdir is */
	long high_thresh;
	struct { long counter; } mem;
};

/* ---- Open vSwitch ---- */
struct vport {
	struct net_device *dev;
};

struct dp_upcall_info {
	__u8 cmd;		/* enum ovs_packet_cmd of linux/openvswitch.h */
};

struct sw_flow_key {
	__u8 ct_state;
	__u16 ct_zone;
	struct {
		__u32 mark;
		struct { __u32 ct_labels_32[4]; } labels;
	} ct;
};

/* ---- routes, tunnels ---- */
struct dst_entry {
	struct net_device *dev;
	unsigned short flags;
};

struct ip_tunnel_key {
	__be64 tun_id;
	union {
		struct { __be32 dst; } ipv4;
		struct { struct in6_addr dst; } ipv6;
	} u;
};

struct ip_tunnel_info {
	struct ip_tunnel_key key;
	__u8 mode;
};

struct metadata_dst {
	struct dst_entry dst;
	union { struct ip_tunnel_info tun_info; } u;
};

struct sockaddr_in {
	unsigned short sin_family;
	struct { __be32 s_addr; } sin_addr;
};

struct sockaddr_in6 {
	struct in6_addr sin6_addr;
};

union vxlan_addr {		/* of module vxlan, as the next */
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;
};

struct vxlan_rdst {
	union vxlan_addr remote_ip;
	__be32 remote_vni;
};

/* ---- ptr_ring, tun ---- */
struct ptr_ring {
	int producer;
	int consumer_head;
	int consumer_tail;
	int size;
	void **queue;
};

struct tun_file {
	__u16 queue_index;
	struct ptr_ring tx_ring;
};

struct tun_struct {
	struct tun_file *tfiles[256];	/* MAX_TAP_QUEUES */
	unsigned int numqueues;
	struct net_device *dev;
};

#pragma clang attribute pop

#endif
