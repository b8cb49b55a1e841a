/* SPDX-License-Identifier: GPL-2.0 */
/* What the probe and the test program share. */
#ifndef NETTRACE_FILTER_PROBE_H
#define NETTRACE_FILTER_PROBE_H

/* The socket mark of a test frame: FP_MARK and the frame's number. */
#define FP_MARK		0x4e54u		/* upper half */
#define FP_FRAMES	512

/* Where the filter looks at a frame; each is a typed and a raw tracepoint program. */
enum fp_view {
	FP_TX,		/* net_dev_start_xmit, NT_AT_DATA_L2 */
	FP_RX,		/* netif_receive_skb, NT_AT_DATA_L3 */
	FP_L3,		/* net_dev_start_xmit, NT_AT_L3: the raw form of expressions */
	FP_DROP,	/* kfree_skb, NT_AT_ANY */
	FP_VIEWS,
};
#define FP_KINDS	2	/* tp_btf, raw_tp */
#define FP_SLOTS	(FP_VIEWS * FP_KINDS * FP_FRAMES)

struct fp_slot {
	__u32 seen;
	__u32 verdict;
	__u32 caplen, len;	/* as the filter has them, without a tag beside the packet */
	__u32 tag;		/* beside the packet; 0: none */
	__u32 pad;		/* map values are padded to 8 bytes */
};

/* NT_CONST_TOOL0, TOOL1: the devices whose frames count, sending and receiving. */

#endif
