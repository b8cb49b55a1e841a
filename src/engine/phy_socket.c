/* SPDX-License-Identifier: GPL-2.0 */
/* The socket of one end of a probe test. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "nettrace/phy.h"

static socklen_t fill(struct sockaddr_storage *s, int family, const struct nt_prefix *addr, uint16_t port,
		      uint32_t ifindex)
{
	struct sockaddr_in6 *s6 = (void *)s;
	struct sockaddr_in *s4 = (void *)s;

	memset(s, 0, sizeof(*s));
	s->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		s4->sin_port = htons(port);
		if (addr && addr->set)
			memcpy(&s4->sin_addr, addr->addr + 12, 4);
		return sizeof(*s4);
	}
	s6->sin6_port = htons(port);
	if (addr && addr->set)
		memcpy(&s6->sin6_addr, addr->addr, 16);
	if (IN6_IS_ADDR_LINKLOCAL(&s6->sin6_addr))
		s6->sin6_scope_id = ifindex;
	return sizeof(*s6);
}

int nt_phy_socket(struct nt_run *r, int *sock, struct sockaddr_storage *to, socklen_t *to_len,
		  struct nt_err *err)
{
	const struct nt_phy_opts *o = nt_run_opts(r);
	const char *dev = nt_run_tuple(r)->devs.item[0];
	bool sender = o->mode == NT_PHY_MODE_SENDER;
	int family = (sender ? o->peer.is_v4 : o->bind.is_v4) ? AF_INET : AF_INET6, one = 1, zero = 0;
	int bytes = (int)(o->rcvbuf_bytes < 1 << 30 ? o->rcvbuf_bytes : 1 << 30);
	uint32_t ifindex = nt_run_tuple_values(r)->ifindex[0];
	struct sockaddr_storage local;
	socklen_t len;

	*sock = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*sock < 0 && errno == EAFNOSUPPORT && !sender && !o->bind.set)
		*sock = socket(family = AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*sock < 0)
		return nt_err_set(err, NT_EXIT_RUNTIME, errno, "cannot open a socket: UDP: %s", strerror(errno));
	if (family == AF_INET6)
		setsockopt(*sock, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(*sock, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
	if (setsockopt(*sock, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(*sock, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (setsockopt(*sock, SOL_SOCKET, SO_BINDTODEVICE, dev, (socklen_t)strlen(dev)))
		return nt_err_set(err, errno == EPERM ? NT_EXIT_PERMISSION : NT_EXIT_RUNTIME, errno,
				  "cannot bind to the interface: %s: %s", dev, strerror(errno));
	len = fill(&local, family, &o->bind, sender ? 0 : (uint16_t)o->port, ifindex);
	if (bind(*sock, (void *)&local, len))
		return nt_err_set(err, NT_EXIT_RUNTIME, errno, "cannot bind: port %u: %s", sender ? 0 : o->port,
				  strerror(errno));
	if (sender)
		*to_len = fill(to, family, &o->peer, (uint16_t)o->port, ifindex);
	return 0;
}
