/* SPDX-License-Identifier: GPL-2.0 */
/* Facts about a device. */
#include <errno.h>
#include <net/if.h>

#include "check.h"
#include "nettrace/link.h"

int main(void)
{
	uint32_t lo = if_nametoindex("lo");
	struct nt_link l;

	memset(&l, 0xff, sizeof(l));
	CHECK(nt_link_get(0x7fffffff, &l) == -ENODEV, "no such device");
	CHECK(!l.num_tx_queues && !l.stats.rx_packets, "nothing known about it");
	CHECK(nt_link_get(0, &l) < 0, "no device at all");
	if (lo) {
		CHECK(!nt_link_get(lo, &l), "the loopback device");
		CHECK(l.num_tx_queues >= 1 && l.num_rx_queues >= 1, "it has queues");
		CHECK(l.stats.rx_packets == l.stats.tx_packets || l.stats.rx_dropped || l.stats.tx_dropped,
		      "it receives what it sends");
	}
	return check_done();
}
