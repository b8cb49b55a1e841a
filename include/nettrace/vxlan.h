/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VXLAN packets (vxlan_tracer): each as it is encapsulated or decapsulated, and numbers by VNI and
 * peer, and by inner flow.
 */
#ifndef NETTRACE_VXLAN_H
#define NETTRACE_VXLAN_H

#include "nettrace/nt_abi_vxlan.h"
#include "nettrace/run.h"

enum nt_vxlan_directions { NT_VXLAN_DIR_BOTH, NT_VXLAN_DIR_TX, NT_VXLAN_DIR_RX };
struct nt_vxlan_opts {
	struct nt_strlist vni, port, dev;
	struct nt_prefix outer_src, outer_dst;
	uint32_t direction;		/* enum nt_vxlan_directions */
	uint32_t rate;			/* events a second, 0: no limit */
	bool stack, summary, drops_only, by_port;
	struct nt_vxlan_cfg cfg;	/* made of the above */
};

extern const struct nt_engine nt_vxlan_engine;

/* For the tool's check(): contradicting options, the lists of numbers. */
int nt_vxlan_check(struct nt_run *r, struct nt_err *err);
/* One comma list item: "100" or "0x64", at most max. 0 or -EINVAL. */
int nt_vxlan_number(const char *text, uint32_t max, uint32_t *out);

/* ---- names (vxlan_names.c) ---- */
const char *nt_vxlan_what_name(uint32_t what);
/* "I", "I,GBP": of the header's first word; "-" if there is none. Returns buf. */
const char *nt_vxlan_flag_names(uint32_t flags, char *buf, size_t size);
/* "TCPV4,UDP_TUNNEL": SKB_GSO_* bits; unknown ones in hexadecimal. Returns buf. */
const char *nt_vxlan_gso_names(uint32_t gso_type, char *buf, size_t size);

/* ---- between the engine's files ---- */
struct nt_vxlan_peer {
	struct nt_vxlan_peer_key key;
	struct nt_vxlan_val val;
};
struct nt_vxlan_flow {
	struct nt_vxlan_flow_key key;
	uint32_t pad;
	struct nt_vxlan_val val;
};
struct nt_vxlan_snapshot {		/* since the start */
	uint64_t count[2][NT_VXLAN_COUNTS];
	uint64_t device_packets;
	struct nt_vxlan_peer *peer;	/* by key, as the flows */
	struct nt_vxlan_flow *flow;
	size_t n_peers, n_flows;
};
struct nt_vxlan {			/* private data */
	struct nt_vxlan_snapshot start, last;
	unsigned int reports;
	bool by_port;
};

/* stack: zero terminated, NULL: none. */
void nt_vxlan_show_event(struct nt_run *r, const struct nt_vxlan_event *e, const uint64_t *stack);
/* What happened between two snapshots, as members of the open record or as text. */
void nt_vxlan_show_report(struct nt_run *r, const struct nt_vxlan_snapshot *before,
			  const struct nt_vxlan_snapshot *now);

#endif
