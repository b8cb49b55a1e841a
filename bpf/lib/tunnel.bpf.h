/* SPDX-License-Identifier: GPL-2.0 */
/* Packets inside packets. */
#ifndef NT_BPF_TUNNEL_H
#define NT_BPF_TUNNEL_H

#include "lib/packet.bpf.h"

/* A frame inside the packet, behind a tunnel's headers, as if it had come by itself. eth_type: of what
 * begins at off; 0: an Ethernet header. */
NT_INLINE void nt_cur_inside(const bool direct, struct nt_cur *c, struct sk_buff *skb, __u32 off, __u16 eth_type)
{
	__builtin_memset(c, 0, sizeof(*c));
	c->head = (__u64)NT_GET(direct, skb, head);
	c->data = off;
	c->tail = NT_GET(direct, skb, tail);
	c->len = NT_GET(direct, skb, len) - (off - (__u32)((__u64)NT_GET(direct, skb, data) - c->head));
	c->eth_type = eth_type;
	c->l2 = c->l4 = NT_NO_OFF;
	c->l3 = off;
	if (!eth_type) {
		c->l2 = off;
		c->l3 = off + NT_ETH_HLEN;
		c->bits |= NT_PKT_L2;
	}
	nt_cur_unnamed(c);
	nt_cur_tags(c);
	c->flow.eth_type = bpf_htons(c->eth_type);
}

#endif
