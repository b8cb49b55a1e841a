/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets at transmit queues (qdisc_latency_details): how long each waited in its discipline and for
 * the driver, or that it never came out; figures by device, queue and discipline.
 */
#ifndef NETTRACE_QDISC_LATENCY_H
#define NETTRACE_QDISC_LATENCY_H

#include "nettrace/drop.h"

struct nt_qlat_opts {
	struct nt_drop_opts drop;	/* first: the drop engine's functions see only this */
	double threshold_us;
	uint32_t timeout_ms;
	bool summary;
};

extern const struct nt_engine nt_qdisc_latency_engine;

/* For the tool's check(). */
int nt_qdisc_latency_check(struct nt_run *r, struct nt_err *err);

#endif
