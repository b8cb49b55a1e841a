/* SPDX-License-Identifier: GPL-2.0 */
/* What follows from the figures of one queue alone: what is missing, and for whom it was. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/frag.h"

static int by_from(const void *a, const void *b)
{
	const struct nt_frag_hole *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static size_t add_hole(struct nt_frag_hole *hole, size_t n, uint32_t from, uint32_t to)
{
	if (from < to && n < NT_FRAG_HOLES)
		hole[n++] = (struct nt_frag_hole){ from, to };
	return n;
}

uint32_t nt_frag_missing(const struct nt_frag_queue *q, struct nt_frag_hole hole[NT_FRAG_HOLES], size_t *n)
{
	struct nt_frag_hole had[NT_FRAG_RANGES];
	uint32_t at = 0;
	size_t ranges = q->n_ranges < NT_FRAG_RANGES ? q->n_ranges : NT_FRAG_RANGES;

	*n = 0;
	/* What the kernel keeps never overlaps, so its length is the length of the ranges. */
	if (q->bits & (NT_FRAG_EARLIER | NT_FRAG_MORE))
		return q->end > q->bytes ? q->end - q->bytes : 0;
	for (size_t i = 0; i < ranges; i++)
		had[i] = (struct nt_frag_hole){ q->range[i].from, q->range[i].to };
	qsort(had, ranges, sizeof(had[0]), by_from);
	for (size_t i = 0; i < ranges; i++) {
		*n = add_hole(hole, *n, at, had[i].from);
		if (had[i].to > at)
			at = had[i].to;
	}
	*n = add_hole(hole, *n, at, q->bits & NT_FRAG_LAST ? q->end : NT_FRAG_OPEN_END);
	return q->end > q->bytes ? q->end - q->bytes : 0;
}

/* ---- users ---- */
void nt_frag_users_add(struct nt_frag_users *u, const char *enumerator, uint32_t value)
{
	const char *name = strstr(enumerator, "DEFRAG_");

	/* __IP_DEFRAG_CONNTRACK_IN_END and its like only mark the end of a range */
	if (!name || enumerator[0] == '_' || u->n == NT_COUNT(u->user))
		return;
	name += strlen("DEFRAG_");
	snprintf(u->user[u->n].name, sizeof(u->user[u->n].name), "%s", name);
	for (char *p = u->user[u->n].name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	u->user[u->n++].base = value;
}

void nt_frag_users_default(struct nt_frag_users *u, uint8_t ip_version)
{
	enum { ZONES = 65536 };		/* conntrack's users have a value for each zone */
	static const struct { const char *name; uint32_t base; } v4[] = {
		{ "IP_DEFRAG_LOCAL_DELIVER", 0 }, { "IP_DEFRAG_CALL_RA_CHAIN", 1 },
		{ "IP_DEFRAG_CONNTRACK_IN", 2 }, { "IP_DEFRAG_CONNTRACK_OUT", 2 + ZONES },
		{ "IP_DEFRAG_CONNTRACK_BRIDGE_IN", 2 + 2 * ZONES }, { "IP_DEFRAG_VS_IN", 2 + 3 * ZONES },
		{ "IP_DEFRAG_VS_OUT", 3 + 3 * ZONES }, { "IP_DEFRAG_VS_FWD", 4 + 3 * ZONES },
		{ "IP_DEFRAG_AF_PACKET", 5 + 3 * ZONES }, { "IP_DEFRAG_MACVLAN", 6 + 3 * ZONES },
	}, v6[] = {
		{ "IP6_DEFRAG_LOCAL_DELIVER", 0 }, { "IP6_DEFRAG_CONNTRACK_IN", 1 },
		{ "IP6_DEFRAG_CONNTRACK_OUT", 1 + ZONES }, { "IP6_DEFRAG_CONNTRACK_BRIDGE_IN", 1 + 2 * ZONES },
	};

	u->n = 0;
	for (size_t i = 0; ip_version == 4 && i < NT_COUNT(v4); i++)
		nt_frag_users_add(u, v4[i].name, v4[i].base);
	for (size_t i = 0; ip_version == 6 && i < NT_COUNT(v6); i++)
		nt_frag_users_add(u, v6[i].name, v6[i].base);
}

const char *nt_frag_user(const struct nt_frag_users *u, uint32_t value, int32_t *zone)
{
	size_t best = u->n;

	*zone = -1;
	for (size_t i = 0; i < u->n; i++)
		if (u->user[i].base <= value && (best == u->n || u->user[i].base > u->user[best].base))
			best = i;
	if (best == u->n)
		return NULL;
	if (!strncmp(u->user[best].name, "conntrack", 9))
		*zone = (int32_t)(value - u->user[best].base);
	else if (value != u->user[best].base)
		return NULL;
	return u->user[best].name;
}
