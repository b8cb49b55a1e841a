/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/link.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void read_attr(const struct rtattr *a, struct nt_link *out)
{
	size_t n = RTA_PAYLOAD(a);

	switch (a->rta_type) {
	case IFLA_NUM_TX_QUEUES:
		memcpy(&out->num_tx_queues, RTA_DATA(a), sizeof(uint32_t));
		break;
	case IFLA_NUM_RX_QUEUES:
		memcpy(&out->num_rx_queues, RTA_DATA(a), sizeof(uint32_t));
		break;
	case IFLA_STATS64:	/* an older kernel's struct is shorter */
		memcpy(&out->stats, RTA_DATA(a), n < sizeof(out->stats) ? n : sizeof(out->stats));
		break;
	}
}

static int parse(char *buf, size_t n, struct nt_link *out)
{
	struct nlmsghdr *h = (void *)buf;
	struct ifinfomsg *info;
	int left;

	if (!NLMSG_OK(h, n))
		return -EIO;
	if (h->nlmsg_type == NLMSG_ERROR)
		return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
	info = NLMSG_DATA(h);
	left = (int)IFLA_PAYLOAD(h);
	for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left))
		read_attr(a, out);
	return 0;
}

int nt_link_get(uint32_t ifindex, struct nt_link *out)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg info;
	} req = {
		.h = { .nlmsg_len = sizeof(req), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST },
		.info = { .ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex },
	};
	static char buf[32768] __attribute__((aligned(8)));
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc = 0;
	ssize_t n = -1;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return -errno;
	if (send(fd, &req, sizeof(req), 0) < 0)
		rc = -errno;
	if (!rc)
		n = recv(fd, buf, sizeof(buf), 0);
	if (!rc)
		rc = n < 0 ? -errno : parse(buf, (size_t)n, out);
	close(fd);
	return rc;
}
