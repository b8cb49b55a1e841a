// SPDX-License-Identifier: GPL-2.0
#include "oracle.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

struct oracle {
	struct bpf_program prog;
};

struct oracle *oracle_new(const char *expr, bool raw, bool optimise)
{
	pcap_t *pcap = pcap_open_dead(raw ? DLT_RAW : DLT_EN10MB, 262144);
	struct oracle *o = calloc(1, sizeof(*o));

	if (o && pcap && pcap_compile(pcap, &o->prog, expr, optimise, PCAP_NETMASK_UNKNOWN)) {
		if (!raw)
			printf("# libpcap: %s\n", pcap_geterr(pcap));
		free(o);
		o = NULL;
	}
	pcap_close(pcap);
	return o;
}

void oracle_free(struct oracle *o)
{
	if (!o)
		return;
	pcap_freecode(&o->prog);
	free(o);
}

bool oracle_match(const struct oracle *o, const void *bytes, uint32_t caplen, uint32_t len)
{
	const struct pcap_pkthdr header = { .caplen = caplen, .len = len };

	return pcap_offline_filter(&o->prog, &header, bytes) != 0;
}
