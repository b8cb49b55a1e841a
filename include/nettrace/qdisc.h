/* SPDX-License-Identifier: GPL-2.0 */
/* The queueing disciplines of our namespace and the kernel's counters of them, by rtnetlink. */
#ifndef NETTRACE_QDISC_H
#define NETTRACE_QDISC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nettrace/out.h"

struct nt_qdisc_row {
	char kind[16];
	uint32_t ifindex;
	uint32_t handle, parent;	/* major << 16 | minor */
	uint32_t qlen, backlog_bytes;	/* now */
	uint32_t drops, overlimits, requeues;	/* since it was made; they wrap */
	uint64_t packets, bytes;	/* sent */
};

struct nt_qdiscs {
	struct nt_qdisc_row *row;
	size_t n, cap;
};

/*
 * Reads them all, of every device, also those that a parent made for itself (tbf's bfifo), which
 * tc does not list. 0 or -errno; the caller frees what is there in both cases.
 */
int nt_qdiscs_read(struct nt_qdiscs *q);
void nt_qdiscs_free(struct nt_qdiscs *q);
/* The discipline of this device with this handle and parent, or NULL. */
const struct nt_qdisc_row *nt_qdiscs_find(const struct nt_qdiscs *q, uint32_t ifindex, uint32_t handle,
					  uint32_t parent);
/* Does any device of our namespace use this kind? Read once in the life of the process. */
bool nt_qdisc_kind_used(const char *kind);

/* One answer of the kernel (n bytes of messages), appended. 1: more follow, 0: the last one,
 * -errno: the kernel's error or -EIO for what is no such answer. */
int nt_qdiscs_parse(struct nt_qdiscs *q, const void *answer, size_t n);

/* "1:", "1:10", "none", "root" as tc writes them; returns buf. */
const char *nt_qdisc_handle(uint32_t handle, char *buf, size_t size);
/* "tbf 1:", "bfifo of 1:1" (nobody gave it a handle), "mq's pfifo_fast"; returns buf. */
const char *nt_qdisc_name(const char *kind, uint32_t handle, uint32_t parent, char *buf, size_t size);
/* As members PREFIX_kind, PREFIX_handle, PREFIX_parent of the object that is being built. */
void nt_qdisc_json(struct nt_out *o, const char *prefix, const char kind[16], uint32_t handle, uint32_t parent);

#endif
