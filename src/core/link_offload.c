/* SPDX-License-Identifier: GPL-2.0 */
/* Which offloads for tunnels a device has on: ETHTOOL_GFEATURES. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nettrace/link.h"

#define FEATURES_MAX 1024

static const char *const names[NT_LINK_OFFLOADS] = {
	"tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation", "tx-gre-segmentation", "tx-gre-csum-segmentation",
	"tx-ipxip4-segmentation", "tx-ipxip6-segmentation", "rx-udp_tunnel-port-offload",
};

const char *nt_link_offload_name(uint32_t bit)
{
	return bit < NT_LINK_OFFLOADS ? names[bit] : "-";
}

static int ask(int fd, const char *ifname, void *cmd)
{
	struct ifreq q = { .ifr_data = cmd };

	snprintf(q.ifr_name, sizeof(q.ifr_name), "%s", ifname);
	return ioctl(fd, SIOCETHTOOL, &q);
}

/* Number of features that this kernel knows. */
static uint32_t count(int fd, const char *ifname)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t n;
	} q = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES } };

	if (ask(fd, ifname, &q) || !q.info.sset_mask || q.n > FEATURES_MAX)
		return 0;
	return q.n;
}

/* Where each of our names is among the kernel's, which are the same for all devices; UINT32_MAX: nowhere. */
static bool find(int fd, const char *ifname, uint32_t n, uint32_t *at)
{
	struct ethtool_gstrings *s = calloc(1, sizeof(*s) + (size_t)n * ETH_GSTRING_LEN);
	bool ok;

	if (!s)
		return false;
	s->cmd = ETHTOOL_GSTRINGS;
	s->string_set = ETH_SS_FEATURES;
	s->len = n;
	ok = !ask(fd, ifname, s);
	for (uint32_t k = 0; k < NT_LINK_OFFLOADS; k++) {
		at[k] = UINT32_MAX;
		for (uint32_t i = 0; ok && i < n && i < s->len; i++)
			if (!strncmp((const char *)s->data + (size_t)i * ETH_GSTRING_LEN, names[k], ETH_GSTRING_LEN))
				at[k] = i;
	}
	free(s);
	return ok;
}

static uint32_t active(int fd, const char *ifname, uint32_t n, const uint32_t *at)
{
	struct {
		struct ethtool_gfeatures head;
		struct ethtool_get_features_block block[FEATURES_MAX / 32];
	} q = { .head = { .cmd = ETHTOOL_GFEATURES, .size = (n + 31) / 32 } };
	uint32_t mask = 0;

	if (ask(fd, ifname, &q))
		return 0;
	for (uint32_t k = 0; k < NT_LINK_OFFLOADS; k++)
		if (at[k] < n && q.block[at[k] / 32].active >> (at[k] % 32) & 1)
			mask |= 1u << k;
	return mask;
}

uint32_t nt_link_offloads(const char *ifname)
{
	static uint32_t n, at[NT_LINK_OFFLOADS];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t mask = 0;

	if (fd < 0)
		return 0;
	if (!n) {
		n = count(fd, ifname);
		if (n && !find(fd, ifname, n, at))
			n = 0;
	}
	if (n)
		mask = active(fd, ifname, n, at);
	close(fd);
	return mask;
}
