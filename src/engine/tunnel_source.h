/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the engine of tunnels' gso_types. */
#ifndef NETTRACE_ENGINE_TUNNEL_SOURCE_H
#define NETTRACE_ENGINE_TUNNEL_SOURCE_H

#include "nettrace/tunnel_source.h"
#include "shinfo.h"

struct nt_tunnel_run {		/* private data */
	struct nt_shinfo_run shinfo;	/* the first */
	uint32_t types;			/* SKB_GSO_* that are looked for */
};
struct nt_tunnel_row {
	struct nt_tunnel_key key;
	struct nt_tunnel_val val;
};

nt_shinfo_show nt_tunnel_show_event;
void nt_tunnel_show_rows(struct nt_run *r, const struct nt_tunnel_row *row, size_t n);
/* first NULL: no packet had a type. */
void nt_tunnel_show_verdict(struct nt_run *r, const struct nt_shinfo_event *first);
const char *nt_tunnel_verdict_of(struct nt_run *r, const struct nt_shinfo_event *first, char *buf, size_t size);
/* What tunnels are configured (tunnel_static.c): a record of its own. */
void nt_tunnel_show_static(struct nt_run *r);

#endif
