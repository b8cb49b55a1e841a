/* SPDX-License-Identifier: GPL-2.0 */
/* The filter in the running kernel: a veth pair, the probe on it, frames, verdicts. */
#ifndef NETTRACE_TEST_PROBE_H
#define NETTRACE_TEST_PROBE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter_probe.h"

#define PROBE_VLAN 100		/* id of the tag that frames sent with tagged set get */

struct nt_pcap_filter;
struct nt_tuple;
struct probe;

/* Makes a network namespace of its own for the process, and the devices in it. 0 or -errno. */
int probe_setup(bool *tagged_works);

/*
 * Loads and attaches the probe with this tuple filter (MASK 0: none) and this expression
 * (NULL: none). NULL on failure, which has been printed.
 */
struct probe *probe_load(uint64_t mask, const struct nt_tuple *tuple,
			 const struct nt_pcap_filter *filter);
void probe_free(struct probe *p);

/* 0, or 1 where the kernel takes no typed programs: their slots are empty. */
int probe_first_kind(const struct probe *p);

/* Sends one frame, TAGGED through the VLAN device. 0 or -errno. */
int probe_send(unsigned int number, const void *frame, size_t len, bool tagged);

/* Waits until N frames have been received. All slots, which go with the probe. */
const volatile struct fp_slot *probe_wait(struct probe *p, size_t n);

/* Does this kernel clear a frame's mark between the devices (4.19 does)? Known after a wait; then
 * FP_RX and FP_DROP see none of our frames. */
bool probe_marks_lost(void);

static inline size_t probe_slot(enum fp_view view, int kind, unsigned int number)
{
	return ((size_t)view * FP_KINDS + (size_t)kind) * FP_FRAMES + number;
}

#endif
