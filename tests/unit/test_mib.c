/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's own counters: what rose. */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "nettrace/mib.h"

static struct nt_mib of(struct nt_mib_row *row, size_t n)
{
	return (struct nt_mib){ .row = row, .n = n, .cap = n };
}

static const struct nt_mib_row *find(const struct nt_mib_row *row, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(row[i].name, name))
			return &row[i];
	return NULL;
}

static void test_rises(void)
{
	struct nt_mib_row a[] = { { "One", 10 }, { "Two", 20 }, { "Three", 30 }, { "Big", UINT64_MAX - 5 } };
	struct nt_mib_row b[] = { { "One", 10 }, { "Two", 25 }, { "Three", 29 }, { "Big", UINT64_MAX } };
	struct nt_mib_row out[6];
	struct nt_mib x = of(a, 4), y = of(b, 4), none = of(NULL, 0);

	CHECK_U64(nt_mib_rises(&x, &y, out), 2, "two rose, one stayed, one fell");
	CHECK(!strcmp(out[0].name, "Two") && out[0].value == 5, "by how much");
	CHECK(!strcmp(out[1].name, "Big") && out[1].value == 5, "large numbers too");
	CHECK_U64(nt_mib_rises(&x, &x, out), 0, "nothing rose");
	CHECK_U64(nt_mib_rises(&x, &none, out), 0, "no rows");
	CHECK_U64(nt_mib_rises(&none, &y, out), 4, "rows that are new count from zero");
}

/* A counter that appears between two readings moves the rows behind it. */
static void test_moved(void)
{
	struct nt_mib_row a[] = { { "One", 1 }, { "Two", 2 }, { "Four", 4 } };
	struct nt_mib_row b[] = { { "One", 1 }, { "New", 9 }, { "Two", 2 }, { "Four", 5 } };
	struct nt_mib_row out[4];
	struct nt_mib x = of(a, 3), y = of(b, 4);

	CHECK_U64(nt_mib_rises(&x, &y, out), 2, "rows that moved are found by name");
	CHECK(find(out, 2, "New") && find(out, 2, "New")->value == 9, "the new one");
	CHECK(find(out, 2, "Four") && find(out, 2, "Four")->value == 1, "the one behind it");
	CHECK_U64(nt_mib_rises(&y, &x, out), 0, "a row that went away is no rise");
}

static void send_to_closed_port(int n)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd;

	for (int i = 0; i < n; i++) {
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		sendto(fd, "x", 1, 0, (void *)&to, sizeof(to));
		close(fd);
	}
}

static void test_real(void)
{
	uint32_t index = if_nametoindex("lo");
	const char *name = "lo";
	struct nt_mib a, b;
	struct nt_mib_row *out;
	const struct nt_mib_row *row;
	size_t n;

	if (!CHECK(!nt_mib_read(&a, &index, &name, index ? 1 : 0), "read them all"))
		return;
	CHECK(find(a.row, a.n, "UdpNoPorts") && find(a.row, a.n, "TcpExtListenDrops"),
	      "snmp and netstat");
	CHECK(find(a.row, a.n, "softnet_dropped"), "softnet");
	CHECK(!index || find(a.row, a.n, "lo.rx_dropped"), "a device's");
	CHECK(!find(a.row, a.n, "TcpMaxConn"), "-1 is no counter");
	send_to_closed_port(5);
	if (!CHECK(!nt_mib_read(&b, NULL, NULL, 0), "read again")) {
		nt_mib_free(&a);
		return;
	}
	out = calloc(b.n, sizeof(*out));
	n = nt_mib_rises(&a, &b, out);
	row = find(out, n, "UdpOutDatagrams");
	if (row) {
		CHECK(row->value >= 5, "datagrams sent");
		row = find(out, n, "UdpNoPorts");
		CHECK(row && row->value >= 5, "and refused");
	} else {
		printf("# nothing can be sent here\n");
	}
	free(out);
	nt_mib_free(&a);
	nt_mib_free(&b);
	CHECK(!b.row && !b.n, "freed");
}

int main(void)
{
	test_rises();
	test_moved();
	test_real();
	return check_done();
}
