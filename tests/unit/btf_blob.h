/* SPDX-License-Identifier: GPL-2.0 */
/* Raw BTF made by hand, sound or not: words of types, strings, and a header around them. */
#ifndef NETTRACE_TEST_BTF_BLOB_H
#define NETTRACE_TEST_BTF_BLOB_H

#include <linux/btf.h>
#include <stdint.h>
#include <string.h>

#define INFO(kind, vlen) ((uint32_t)(kind) << 24 | (uint32_t)(vlen))

struct blob {
	uint32_t words[256];
	size_t n_words;
	char strings[512];
	size_t n_strings;
	uint8_t bytes[2048];
	size_t n;
};

static inline uint32_t str(struct blob *b, const char *s)
{
	size_t at = b->n_strings;

	strcpy(b->strings + at, s);
	b->n_strings += strlen(s) + 1;
	return (uint32_t)at;
}

static inline void put(struct blob *b, uint32_t word)
{
	b->words[b->n_words++] = word;
}

static inline void put_type(struct blob *b, const char *name, uint32_t info, uint32_t size_or_type)
{
	put(b, name ? str(b, name) : 0);
	put(b, info);
	put(b, size_or_type);
}

static inline void finish(struct blob *b)
{
	struct btf_header h = { .magic = BTF_MAGIC, .version = 1, .hdr_len = sizeof(h) };

	h.type_len = (uint32_t)(b->n_words * 4);
	h.str_off = h.type_len;
	h.str_len = (uint32_t)b->n_strings;
	memcpy(b->bytes, &h, sizeof(h));
	memcpy(b->bytes + sizeof(h), b->words, h.type_len);
	memcpy(b->bytes + sizeof(h) + h.str_off, b->strings, h.str_len);
	b->n = sizeof(h) + h.type_len + h.str_len;
}

#endif
