/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, ENHANCED_PACKET = 6 };
enum { OPT_END = 0, OPT_COMMENT = 1, OPT_IF_TSRESOL = 9 };
enum { LINK_ETHERNET = 1, LINK_RAW = 101 };

struct nt_pcapng {
	FILE *f;
	int err;
};

static void put(struct nt_pcapng *p, const void *data, size_t n)
{
	static const char zero[4];

	if (p->err)
		return;
	if (fwrite(data, 1, n, p->f) != n || fwrite(zero, 1, (4 - n % 4) % 4, p->f) != (4 - n % 4) % 4)
		p->err = -EIO;
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
	put_interface(p, LINK_RAW);
	*out = p;
	return 0;
}

int nt_pcapng_packet(struct nt_pcapng *p, int ether, uint64_t realtime_ns, const void *data,
		     size_t captured, size_t wire_len, const char *comment)
{
	size_t text = comment ? strlen(comment) : 0;
	uint32_t len = 32 + (uint32_t)((captured + 3) & ~(size_t)3);

	if (text)
		len += option_len(text) + 4;
	put32(p, ENHANCED_PACKET);
	put32(p, len);
	put32(p, ether ? 0 : 1);
	put32(p, (uint32_t)(realtime_ns >> 32));
	put32(p, (uint32_t)realtime_ns);
	put32(p, (uint32_t)captured);
	put32(p, (uint32_t)(wire_len > captured ? wire_len : captured));
	put(p, data, captured);
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
