/* SPDX-License-Identifier: GPL-2.0 */
/* Who puts gso_types of tunnels on packets, and what tunnels there are. */
#ifndef NETTRACE_TUNNEL_SOURCE_H
#define NETTRACE_TUNNEL_SOURCE_H

#include "nettrace/shinfo.h"

enum nt_tunnel_asserts { NT_TUNNEL_ASSERT_OFF, NT_TUNNEL_ASSERT_NONE };
struct nt_tunnel_opts {
	struct nt_strlist flags;	/* names of types that are looked for; none: all of tunnels */
	uint32_t rate;			/* events a second, 0: no limit */
	uint32_t assert;		/* enum nt_tunnel_asserts */
	bool no_static;			/* do not tell what is configured */
	bool changes_only;		/* NT_SHINFO_CHANGES */
	bool stack;			/* of every event */
};

extern const struct nt_engine nt_tunnel_source_engine;

/* For the tool's check(). */
int nt_tunnel_source_check(struct nt_run *r, struct nt_err *err);
/* Bits of all types of tunnels that the kernel has. */
uint32_t nt_tunnel_types_all(const struct nt_gso_names *n);
/*
 * Names of types to bits: "UDP_TUNNEL", "SKB_GSO_GRE", in any case; l->n 0: all of tunnels. 0, or -EINVAL
 * with *wrong, the item that is none.
 */
int nt_tunnel_types(const struct nt_gso_names *n, const struct nt_strlist *l, uint32_t *types, const char **wrong);
const char *nt_tunnel_what_name(uint32_t what);
/* Where the first packet had such a type; first NULL: none had. types: those that were looked for. */
const char *nt_tunnel_verdict(const struct nt_gso_names *n, const struct nt_shinfo_event *first, const char *ifname,
			      uint32_t types, char *buf, size_t size);

#endif
