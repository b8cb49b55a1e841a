/* SPDX-License-Identifier: GPL-2.0 */
/* Stages: names, those of the scripts, and which pairs have a queue between them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "timeline.h"

#define NAME(id, name) [NT_TL_##id] = #name,
static const char *const names[] = { NT_TL_STAGE_LIST(NAME) };

/* What the scripts printed, by direction; stages that they had not keep their names. */
static const char *const legacy[2][NT_TL_STAGES] = {
	[NT_DIR_TX] = {
		[NT_TL_IP_OUT] = "TX_S0_ip_layer_entry", [NT_TL_INTERNAL_XMIT] = "TX_S1_internal_dev_xmit",
		[NT_TL_OVS_PROCESS] = "TX_S2_ovs_dp_process_packet", [NT_TL_OVS_UPCALL] = "TX_S3_ovs_dp_upcall",
		[NT_TL_OVS_EXEC] = "TX_S4_ovs_flow_key_extract_userspace", [NT_TL_OVS_SEND] = "TX_S5_ovs_vport_send",
		[NT_TL_PHY_QUEUE] = "TX_S6_dev_queue_xmit",
	},
	[NT_DIR_RX] = {
		[NT_TL_PHY_RX] = "RX_S0_netif_receive_skb", [NT_TL_OVS_HOOK] = "RX_S1_netdev_frame_hook",
		[NT_TL_OVS_PROCESS] = "RX_S2_ovs_dp_process_packet", [NT_TL_OVS_UPCALL] = "RX_S3_ovs_dp_upcall",
		[NT_TL_OVS_EXEC] = "RX_S4_ovs_flow_key_extract_userspace", [NT_TL_OVS_SEND] = "RX_S5_ovs_vport_send",
		[NT_TL_L4_RCV] = "RX_S6_tcp_v4_rcv/udp_rcv",
	},
};

const char *nt_tl_stage_name(const struct nt_run *r, uint32_t direction, uint32_t stage)
{
	const char *old;

	if (stage >= NT_TL_STAGES)
		return "?";
	if (stage == NT_TL_L4_RCV && nt_tl_desc_of(r)->by_packet)
		return "icmp_rcv";		/* what it is hooked at */
	old = legacy[direction & 1][stage];
	return old && nt_tl_opts_of(r)->legacy_names ? old : names[stage];
}

uint32_t nt_tl_stage_by_name(const char *name, size_t len)
{
	for (uint32_t i = 0; i < NT_TL_STAGES; i++)
		if (strlen(names[i]) == len && !memcmp(names[i], name, len))
			return i;
	return NT_TL_STAGES;
}

int nt_tl_parse_stage_us(const char *text, uint8_t *from, uint8_t *to, uint64_t *ns)
{
	const char *second = strchr(text, ':'), *us = second ? strchr(second + 1, ':') : NULL;
	uint32_t first, last;
	double value;
	char *end;

	if (!us)
		return -EINVAL;
	first = nt_tl_stage_by_name(text, (size_t)(second - text));
	last = nt_tl_stage_by_name(second + 1, (size_t)(us - second - 1));
	value = strtod(us + 1, &end);
	if (first >= NT_TL_STAGES || last >= NT_TL_STAGES || end == us + 1 || *end || !(value > 0 && value < 1e9))
		return -EINVAL;
	*from = (uint8_t)first;
	*to = (uint8_t)last;
	*ns = (uint64_t)(value * 1e3);
	return 0;
}

bool nt_tl_async(uint32_t from, uint32_t to)
{
	return (from == NT_TL_OVS_UPCALL && to == NT_TL_OVS_EXEC) ||
	       (from == NT_TL_BACKLOG_ENQ && to == NT_TL_BACKLOG_DEQ) ||
	       (from == NT_TL_PHY_QUEUE && (to == NT_TL_QDISC_DEQ || to == NT_TL_PHY_XMIT));
}
