/* SPDX-License-Identifier: GPL-2.0 */
/* Facts about a network device of our namespace, by rtnetlink (/sys shows another one's). */
#ifndef NETTRACE_LINK_H
#define NETTRACE_LINK_H

#include <linux/if_link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nt_link {
	uint32_t num_tx_queues, num_rx_queues;
	struct rtnl_link_stats64 stats;
};

/* RTM_GETLINK. 0 or -errno. */
int nt_link_get(uint32_t ifindex, struct nt_link *out);

/* A device as a dump tells it: what it lies on. */
enum nt_link_kind { NT_LINK_PLAIN, NT_LINK_GROUP /* bond, team */, NT_LINK_VLAN,
		    NT_LINK_OVS_INTERNAL };
struct nt_link_row {
	uint32_t ifindex;
	uint32_t lower;			/* NT_LINK_VLAN: the device below; 0: in another namespace */
	uint32_t master;		/* group or bridge that it is in; 0: none */
	uint16_t vlan;			/* NT_LINK_VLAN: its id */
	uint8_t kind;
	bool up;
};

struct nt_link_lower {
	uint32_t ifindex;
	uint16_t vlan;			/* outermost tag there of the device's packets; 0xffff: any */
};

/* Calls fn for every message of a dump of our namespace's devices; fn returns 0, or -errno to end it. 0 or -errno. */
int nt_link_each(int (*fn)(void *arg, const void *msg, size_t len), void *arg);
/* All devices of our namespace: *rows is malloc'd, the caller frees. Their number or -errno. */
int nt_link_dump(struct nt_link_row **rows);
/* One message of the dump. False: it is none of a device. */
bool nt_link_parse(const void *msg, size_t len, struct nt_link_row *row);
/*
 * The devices at which packets of ifindex are received and sent in truth: the
 * members of a bond or team, the device below a VLAN, through all layers; else
 * itself. Fills at most max; returns their number, which may be more.
 */
size_t nt_link_expand(const struct nt_link_row *rows, size_t n, uint32_t ifindex,
		      struct nt_link_lower *out, size_t max);

/* ---- tunnels (link_tunnel.c) ---- */
struct nt_link_tunnel {
	uint32_t ifindex;
	char name[16];
	char kind[16];			/* "vxlan", "geneve", "gre", ...; "": no tunnel */
	bool up;
	bool external;			/* whoever sends says to whom, and with which number */
	bool has_vni;
	uint32_t vni;			/* of VXLAN, Geneve */
	uint16_t port;			/* UDP, host order; 0: none */
	uint8_t local[16], remote[16];	/* v4-mapped; zero: any */
};
/* One message of the dump: name and up of any device, the rest of tunnels. False: it is none of a device. */
bool nt_link_tunnel_parse(const void *msg, size_t len, struct nt_link_tunnel *t);

/* ---- offloads for tunnels, by the ethtool ioctl (link_offload.c) ---- */
#define NT_LINK_OFFLOADS 7
const char *nt_link_offload_name(uint32_t bit);	/* "tx-udp_tnl-segmentation" */
/* Bit for each of them that is on; 0 as well if the device tells nothing. */
uint32_t nt_link_offloads(const char *ifname);

#endif
