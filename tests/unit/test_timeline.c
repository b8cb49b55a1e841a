/* SPDX-License-Identifier: GPL-2.0 */
/* Timelines: names of stages, thresholds of a pair, which pairs have a queue between them. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "../../src/engine/timeline.h"

static void test_names(void)
{
	CHECK(nt_tl_stage_by_name("ip_out", 6) == NT_TL_IP_OUT, "the first");
	CHECK(nt_tl_stage_by_name("phy_xmit", 8) == NT_TL_PHY_XMIT, "the last");
	CHECK(nt_tl_stage_by_name("netif_rx_internal", 17) == NT_TL_NETIF_RX_INTERNAL, "one that begins as another");
	CHECK(nt_tl_stage_by_name("netif_rx_internal", 8) == NT_TL_NETIF_RX, "as long as said");
	CHECK(nt_tl_stage_by_name("ip_ou", 5) == NT_TL_STAGES && nt_tl_stage_by_name("ip_outs", 7) == NT_TL_STAGES &&
	      nt_tl_stage_by_name("", 0) == NT_TL_STAGES, "no stage");
}

static void test_thresholds(void)
{
	static const char *const wrong[] = {
		"", ":", "::", "ip_out", "ip_out:phy_queue", "ip_out:phy_queue:", "ip_out:phy_queue:0", "ip_out:phy_queue:-1",
		"ip_out:phy_queue:5us", "ip_out:phy_queue:nan", "ip_out:phy_queue:inf", "ip_out:phy_queue:1e9",
		"ip_out:nowhere:5", "nowhere:phy_queue:5", "ip_out::5", ":phy_queue:5", "ip_out:phy_queue:5:5",
	};
	uint8_t from = 99, to = 99;
	uint64_t ns = 99;

	for (size_t i = 0; i < NT_COUNT(wrong); i++)
		CHECK(nt_tl_parse_stage_us(wrong[i], &from, &to, &ns) == -EINVAL && from == 99 && to == 99 && ns == 99,
		      wrong[i]);
	CHECK(!nt_tl_parse_stage_us("ip_out:phy_queue:500", &from, &to, &ns) && from == NT_TL_IP_OUT &&
	      to == NT_TL_PHY_QUEUE && ns == 500000, "500 us");
	CHECK(!nt_tl_parse_stage_us("ovs_upcall:ovs_exec:0.5", &from, &to, &ns) && from == NT_TL_OVS_UPCALL &&
	      to == NT_TL_OVS_EXEC && ns == 500, "half a us");
}

static bool in_switch(const uint8_t *stage, uint64_t *ns)
{
	static struct nt_timeline l;

	l = (struct nt_timeline){ .start_ns = 100 };
	for (; *stage != NT_TL_STAGES; stage++) {
		l.stop[l.n] = (struct nt_tl_stop){ .stage = *stage, .ts_ns = 100 + 10 * l.n * l.n };
		l.n++;
	}
	return nt_tl_in_switch(&l, ns);
}

/* Stages are 0, 10, 40, 90, 160, ... ns behind the first. */
static void test_in_switch(void)
{
	static const uint8_t none[] = { NT_TL_IP_OUT, NT_TL_PHY_QUEUE, NT_TL_STAGES },
		out[] = { NT_TL_IP_OUT, NT_TL_INTERNAL_XMIT, NT_TL_OVS_PROCESS, NT_TL_OVS_SEND, NT_TL_PHY_QUEUE,
			  NT_TL_STAGES },
		unsent[] = { NT_TL_PHY_RX, NT_TL_OVS_HOOK, NT_TL_OVS_PROCESS, NT_TL_BACKLOG_ENQ, NT_TL_L4_RCV,
			     NT_TL_STAGES },
		lost[] = { NT_TL_IP_OUT, NT_TL_OVS_PROCESS, NT_TL_OVS_UPCALL, NT_TL_STAGES };
	uint64_t ns;

	CHECK(!in_switch(none, &ns), "past the switch");
	CHECK(in_switch(out, &ns) && ns == 80, "from the internal port to the output");
	CHECK(in_switch(unsent, &ns) && ns == 80, "without its output: to what is next");
	CHECK(in_switch(lost, &ns) && ns == 30, "lost inside");
}

static void test_queues(void)
{
	size_t n = 0;

	for (uint32_t from = 0; from < NT_TL_STAGES; from++)
		for (uint32_t to = 0; to < NT_TL_STAGES; to++)
			n += nt_tl_async(from, to);
	CHECK(n == 4 && nt_tl_async(NT_TL_OVS_UPCALL, NT_TL_OVS_EXEC) && nt_tl_async(NT_TL_BACKLOG_ENQ, NT_TL_BACKLOG_DEQ) &&
	      nt_tl_async(NT_TL_PHY_QUEUE, NT_TL_QDISC_DEQ) && nt_tl_async(NT_TL_PHY_QUEUE, NT_TL_PHY_XMIT),
	      "the upcall, the backlog, the uplink's queue");
}

int main(void)
{
	test_names();
	test_thresholds();
	test_in_switch();
	test_queues();
	return check_done();
}
