/* SPDX-License-Identifier: GPL-2.0 */
/* Sessions of echo requests and replies (struct nt_echo_key): how they are shown, and whose addresses are meant. */
#ifndef NETTRACE_ECHO_H
#define NETTRACE_ECHO_H

#include "nettrace/nt_abi_timeline.h"
#include "nettrace/run.h"

#define NT_ECHO_KEY_FIELDS 5
extern const struct nt_field nt_echo_key_fields[NT_ECHO_KEY_FIELDS];
const char *nt_echo_protocol(const struct nt_echo_key *k);
void nt_echo_text(const struct nt_echo_key *k, char *buf, size_t size);
/* By direction: is the filter's --src-ip the end that is pinged? */
void nt_echo_ends(struct nt_run *r, bool reversed[2]);

#endif
