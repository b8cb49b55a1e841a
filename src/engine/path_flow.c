/* SPDX-License-Identifier: GPL-2.0 */
/* Path engine: the TCP connections that are known. */
#include <stdlib.h>
#include <string.h>

#include "path.h"

#define FLOW_BUCKETS 4096

static void free_idle_flows(struct nt_path *p)
{
	for (uint32_t i = 0; i < FLOW_BUCKETS; i++) {
		for (struct nt_path_flow **f = &p->flow[i]; *f;) {
			struct nt_path_flow *idle = *f;

			if (idle->entries) {
				f = &idle->next;
				continue;
			}
			*f = idle->next;
			free(idle);
			p->n_flows--;
		}
	}
	p->flows_limit = 2 * p->n_flows + 1024;
}

void nt_path_stream_free(struct nt_path *p)
{
	for (uint32_t i = 0; p->flow && i < FLOW_BUCKETS; i++) {
		while (p->flow[i]) {
			struct nt_path_flow *f = p->flow[i];

			p->flow[i] = f->next;
			free(f);
		}
	}
	free(p->flow);
	p->flow = NULL;
}

void nt_path_flow_key(const struct nt_path_event *ev, struct nt_path_key *k)
{
	bool reply = ev->bits & NT_PATH_REPLY;

	memset(k, 0, sizeof(*k));
	memcpy(k->src, reply ? ev->flow.daddr : ev->flow.saddr, 16);
	memcpy(k->dst, reply ? ev->flow.saddr : ev->flow.daddr, 16);
	k->sport = reply ? ev->flow.dport : ev->flow.sport;
	k->dport = reply ? ev->flow.sport : ev->flow.dport;
	k->kind = NT_PATH_STREAM;
}

static uint32_t flow_bucket(const struct nt_path_key *k)
{
	uint32_t h = (uint32_t)k->sport << 16 | k->dport, w;

	for (size_t i = 0; i < 16; i += 4) {
		memcpy(&w, k->src + i, 4);
		h = (h ^ w) * 16777619u;
		memcpy(&w, k->dst + i, 4);
		h = (h ^ w) * 16777619u;
	}
	return (h ^ h >> 15) % FLOW_BUCKETS;
}

struct nt_path_flow *nt_path_flow_of(struct nt_path *p, const struct nt_path_key *k, bool make)
{
	uint32_t bucket = flow_bucket(k);
	struct nt_path_flow *f;

	if (!p->flow)
		p->flow = calloc(FLOW_BUCKETS, sizeof(struct nt_path_flow *));
	if (!p->flow)
		return NULL;
	for (f = p->flow[bucket]; f; f = f->next)
		if (!memcmp(&f->key, k, sizeof(*k)))
			return f;
	if (!make)
		return NULL;
	if (p->n_flows >= p->flows_limit)
		free_idle_flows(p);
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->key = *k;
	f->dir[0].flow = f->dir[1].flow = f;
	f->next = p->flow[bucket];
	p->flow[bucket] = f;
	p->n_flows++;
	return f;
}
