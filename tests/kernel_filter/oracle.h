/* SPDX-License-Identifier: GPL-2.0 */
/* libpcap's own verdicts. Apart: its struct bpf_insn clashes with the kernel's. */
#ifndef NETTRACE_TEST_ORACLE_H
#define NETTRACE_TEST_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

struct oracle;

/*
 * For packets with an Ethernet header, or (RAW) from the IP header on; NULL if libpcap
 * refuses. Its optimiser refuses what can never match, and gets the long expressions of
 * tuples.c wrong.
 */
struct oracle *oracle_new(const char *expr, bool raw, bool optimise);
void oracle_free(struct oracle *o);
bool oracle_match(const struct oracle *o, const void *bytes, uint32_t caplen, uint32_t len);

#endif
