/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, ENHANCED_PACKET = 6 };
enum { OPT_END = 0, OPT_COMMENT = 1, OPT_IF_TSRESOL = 9 };
enum { LINK_ETHERNET = 1, ETHER_LEN = 14 };

struct nt_pcapng {
	FILE *f;
	int err;
};

static void put_bytes(struct nt_pcapng *p, const void *data, size_t n)
{
	if (!p->err && fwrite(data, 1, n, p->f) != n)
		p->err = -EIO;
}

static void put_padding(struct nt_pcapng *p, size_t n)
{
	static const char zero[4];

	put_bytes(p, zero, (4 - n % 4) % 4);
}

static void put(struct nt_pcapng *p, const void *data, size_t n)
{
	put_bytes(p, data, n);
	put_padding(p, n);
}

static void put32(struct nt_pcapng *p, uint32_t v)
{
	put(p, &v, sizeof(v));
}

static void put_option(struct nt_pcapng *p, uint16_t code, const void *data, uint16_t n)
{
	put32(p, (uint32_t)n << 16 | code);
	put(p, data, n);
}

static uint32_t option_len(size_t n)
{
	return 4 + (uint32_t)((n + 3) & ~(size_t)3);
}

static void put_section(struct nt_pcapng *p)
{
	uint64_t unknown_length = UINT64_MAX;

	put32(p, SECTION);
	put32(p, 28);
	put32(p, 0x1a2b3c4d);
	put32(p, 1);		/* version 1.0 */
	put(p, &unknown_length, sizeof(unknown_length));
	put32(p, 28);
}

static void put_interface(struct nt_pcapng *p, uint32_t link)
{
	uint8_t nanoseconds = 9;

	put32(p, INTERFACE);
	put32(p, 32);
	put32(p, link);
	put32(p, 0);		/* no snap length */
	put_option(p, OPT_IF_TSRESOL, &nanoseconds, 1);
	put32(p, OPT_END);
	put32(p, 32);
}

int nt_pcapng_open(struct nt_pcapng **out, const char *path)
{
	struct nt_pcapng *p = calloc(1, sizeof(*p));
	int err;

	*out = NULL;
	if (!p)
		return -ENOMEM;
	p->f = fopen(path, "we");
	if (!p->f) {
		err = -errno;
		free(p);
		return err;
	}
	put_section(p);
	put_interface(p, LINK_ETHERNET);
	*out = p;
	return 0;
}

/* libpcap reads no file whose interfaces have different link types, so a packet that had no
 * Ethernet header gets one: no addresses, the type of its IP version. */
static void put_ether(struct nt_pcapng *p, const uint8_t *data, size_t captured)
{
	uint8_t header[ETHER_LEN] = { 0 };

	if (captured && data[0] >> 4 == 6) {
		header[12] = 0x86;
		header[13] = 0xdd;
	} else {
		header[12] = 0x08;
	}
	put_bytes(p, header, sizeof(header));
}

int nt_pcapng_packet(struct nt_pcapng *p, int ether, uint64_t realtime_ns, const void *data,
		     size_t captured, size_t wire_len, const char *comment)
{
	size_t text = comment ? strnlen(comment, 4096) : 0, extra = ether ? 0 : ETHER_LEN;
	uint32_t len = 32 + (uint32_t)((captured + extra + 3) & ~(size_t)3);

	if (text)
		len += option_len(text) + 4;
	put32(p, ENHANCED_PACKET);
	put32(p, len);
	put32(p, 0);		/* interface */
	put32(p, (uint32_t)(realtime_ns >> 32));
	put32(p, (uint32_t)realtime_ns);
	put32(p, (uint32_t)(captured + extra));
	put32(p, (uint32_t)((wire_len > captured ? wire_len : captured) + extra));
	if (extra)
		put_ether(p, data, captured);
	put_bytes(p, data, captured);
	put_padding(p, captured + extra);
	if (text) {
		put_option(p, OPT_COMMENT, comment, (uint16_t)text);
		put32(p, OPT_END);
	}
	put32(p, len);
	return p->err;
}

int nt_pcapng_close(struct nt_pcapng *p)
{
	int err;

	if (!p)
		return 0;
	err = p->err;
	if (fclose(p->f) && !err)
		err = -errno;
	free(p);
	return err;
}
