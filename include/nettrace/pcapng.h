/* SPDX-License-Identifier: GPL-2.0 */
/* Writes packets with a comment each, in the pcapng format (draft-ietf-opsawg-pcapng). */
#ifndef NETTRACE_PCAPNG_H
#define NETTRACE_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

struct nt_pcapng;

int nt_pcapng_open(struct nt_pcapng **out, const char *path);
/* ether: data begins with an Ethernet header, else with the IP header (one without addresses is
 * put in front then). 0 or -errno; the first failure is kept and every later call returns it. */
int nt_pcapng_packet(struct nt_pcapng *p, int ether, uint64_t realtime_ns, const void *data,
		     size_t captured, size_t wire_len, const char *comment);
int nt_pcapng_close(struct nt_pcapng *p);	/* 0 or -errno of the first failure */

#endif
