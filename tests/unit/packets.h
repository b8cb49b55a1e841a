/* SPDX-License-Identifier: GPL-2.0 */
/* A corpus of Ethernet packets for filter tests: valid, odd and broken ones. */
#ifndef NETTRACE_TEST_PACKETS_H
#define NETTRACE_TEST_PACKETS_H

#include <stddef.h>
#include <stdint.h>

struct packet {
	char name[48];
	uint32_t len;
	uint8_t *data;		/* Ethernet header first */
};

struct corpus {
	struct packet *packets;
	size_t n;
};

/* Owned by the caller; 0 or -ENOMEM. The same bytes every time. */
int corpus_build(struct corpus *corpus);
void corpus_free(struct corpus *corpus);

/* Writes a pcap file (LINKTYPE_ETHERNET) with one record a packet. 0 or -errno. */
int corpus_write_pcap(const struct corpus *corpus, const char *path);

#endif
