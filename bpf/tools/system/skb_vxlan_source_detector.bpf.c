// SPDX-License-Identifier: GPL-2.0
/*
 * Which function puts gso_types of tunnels on packets, or takes them off, and which device packets come from or
 * leave by with them.
 */
#include "lib/shinfo_tunnel.bpf.h"
#include "lib/shinfo_hooks.bpf.h"

NT_LICENSE;

/* ---- from drivers ---- */
NT_TP(gro, struct sk_buff *skb)
{
	return nt_shinfo_see(ctx, (__u64)skb, NT_SHINFO_AT_NAPI_GRO | NT_SHINFO_FRESH | NT_SHINFO_AT_L3 |
			     nt_tunnel_driver(skb) << NT_TUNNEL_FROM_SHIFT, NULL);
}

/* A tun device's packets come by here first, others have been at GRO. */
NT_TP(receive, struct sk_buff *skb)
{
	__u32 driver = nt_tunnel_driver(skb) & NT_TUNNEL_FROM_TUN;

	return nt_shinfo_see(ctx, (__u64)skb, NT_SHINFO_AT_RECEIVE | NT_SHINFO_AT_L3 | (driver ? NT_SHINFO_FRESH : 0) |
			     driver << NT_TUNNEL_FROM_SHIFT, NULL);
}

/* ---- into tunnels, out of them ---- */
NT_SHINFO_BOTH_ENDS(offloads, OFFLOADS, skb, struct sk_buff *skb)
NT_SHINFO_BOTH_ENDS(pull_tunnel, PULL_TUNNEL, skb, struct sk_buff *skb)
NT_SHINFO_BOTH_ENDS(vxlan_rcv, VXLAN_RCV, skb, void *sk, struct sk_buff *skb)

/* ---- GRO has merged ---- */
NT_SHINFO_BOTH_ENDS(gro_udp4, GRO_UDP4, skb, struct sk_buff *skb)
NT_SHINFO_BOTH_ENDS(gro_udp6, GRO_UDP6, skb, struct sk_buff *skb)
NT_SHINFO_BOTH_ENDS(gro_udp, GRO_UDP, skb, struct sk_buff *skb)
NT_SHINFO_BOTH_ENDS(gro_vxlan, GRO_VXLAN, skb, void *sk, struct sk_buff *skb)
NT_SHINFO_BOTH_ENDS(gro_gre, GRO_GRE, skb, struct sk_buff *skb)
NT_SHINFO_BOTH_ENDS(gro_tcp, GRO_TCP, skb, struct sk_buff *skb)

/* ---- on the way out ---- */
NT_SHINFO_PASSES(gso_tunnel, GSO_TUNNEL, 0, skb, struct sk_buff *skb)
NT_SHINFO_PASSES(segment, SEGMENT, 0, skb, struct sk_buff *skb)

NT_TP(start_xmit, struct sk_buff *skb)
{
	return nt_shinfo_see(ctx, (__u64)skb, NT_SHINFO_AT_START_XMIT | NT_SHINFO_AT_L2, NULL);
}
