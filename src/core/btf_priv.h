/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the BTF reader: shared by btf.c (reading) and btf_check.c (is it sound?). */
#ifndef NETTRACE_BTF_PRIV_H
#define NETTRACE_BTF_PRIV_H

#include <linux/btf.h>

#include "nettrace/btf.h"

#ifndef BTF_KIND_ENUM64
#define BTF_KIND_ENUM64 19
#endif

struct nt_btf {
	uint8_t *data;
	size_t size;
	const uint8_t *types, *types_end;
	uint32_t *at;		/* offset of each type in types; index 0 is the first */
	const char *strings;
	uint32_t strings_len;
	uint32_t n_types;
	bool whole;		/* every byte of the types was understood */
	const struct nt_btf *base;
};

/* By id, which count from 1 and go on behind the kernel's in a module; NULL if there is none. */
const struct btf_type *nt_btf_type(const struct nt_btf *b, uint32_t id);
/* Ids are below this. */
uint32_t nt_btf_end(const struct nt_btf *b);
/* NULL if the offset is behind the strings. */
const char *nt_btf_string(const struct nt_btf *b, uint32_t off);

#endif
