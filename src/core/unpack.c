/* SPDX-License-Identifier: GPL-2.0 */
/* What is packed in the executable: BPF objects of tools, BTF of kernels. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core.h"

int nt_unpack(const uint8_t *data, const uint8_t *end, void *memory, size_t bytes)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)data, .avail_in = (unsigned int)(end - data),
		       .next_out = memory, .avail_out = (unsigned int)bytes };
	int rc;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)	/* 16: with gzip's header */
		return -ENOMEM;
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return rc == Z_STREAM_END && z.total_out == bytes ? 0 : -EINVAL;
}

void *nt_tool_object(const struct nt_tool_entry *e, size_t *size)
{
	const uint8_t *end = e->packed_end;
	void *memory;

	*size = 0;
	if (!e->packed)
		return NULL;
	/* gzip's last four bytes are the length, little endian (RFC 1952) */
	*size = end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
	memory = malloc(*size);
	if (memory && nt_unpack(e->packed, end, memory, *size)) {
		free(memory);
		return NULL;
	}
	return memory;
}
