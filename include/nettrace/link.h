/* SPDX-License-Identifier: GPL-2.0 */
/* Facts about a network device of our namespace, by rtnetlink (/sys shows another one's). */
#ifndef NETTRACE_LINK_H
#define NETTRACE_LINK_H

#include <linux/if_link.h>
#include <stdint.h>

struct nt_link {
	uint32_t num_tx_queues, num_rx_queues;
	struct rtnl_link_stats64 stats;
};

/* RTM_GETLINK. 0 or -errno. */
int nt_link_get(uint32_t ifindex, struct nt_link *out);

#endif
