/* SPDX-License-Identifier: GPL-2.0 */
/* Settings of the tuple filter and the expressions that say the same. */
#ifndef NETTRACE_TEST_TUPLES_H
#define NETTRACE_TEST_TUPLES_H

#include <stddef.h>
#include <stdint.h>

struct nt_tuple;

#define TUPLE_EXPR 65536

struct tuple_row {
	const char *src, *dst;		/* ADDRESS/LENGTH */
	const char *sport, *dport;	/* LOW-HIGH */
	const char *proto;		/* a number, or "icmp" */
	const char *type;		/* 0xHHHH, or "other" */
	const char *vlan;
	/* What a user would write instead; agrees on every packet that is neither cut nor lies and
	 * where both look at the same things. NULL: nothing as simple says it. */
	const char *plain;
};

extern const struct tuple_row tuple_rows[];
extern const size_t n_tuple_rows;

/* What the options are called on a command line. */
void tuple_text(const struct tuple_row *row, char *out, size_t size);

/* The mask for NT_CONST_FILTER; fills *TUPLE. */
uint64_t tuple_values(const struct tuple_row *row, struct nt_tuple *tuple);

/*
 * The very same test in terms of packet bytes (OUT has TUPLE_EXPR bytes): tags
 * outside first, lengths, versions, fragments, extension headers as far as the
 * corpus has them. DEPTH: most tags before the EtherType.
 */
void tuple_exact(const struct tuple_row *row, int depth, char *out);

/* PLAIN behind up to DEPTH tags as well. */
void tuple_plain(const struct tuple_row *row, int depth, char *out);

#endif
