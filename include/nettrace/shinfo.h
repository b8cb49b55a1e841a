/* SPDX-License-Identifier: GPL-2.0 */
/* What functions of the kernel do to the shared info of packets: lists of skbs, segmentation. */
#ifndef NETTRACE_SHINFO_H
#define NETTRACE_SHINFO_H

#include "nettrace/nt_abi_shinfo.h"
#include "nettrace/run.h"

struct nt_shinfo_opts {
	struct nt_strlist port;
	uint32_t rate;			/* events a second, 0: no limit */
	uint32_t check;			/* enum nt_shinfo_checks */
	bool gso_only, exclude_access, stack, entry_only;
	struct nt_shinfo_cfg cfg;	/* made of the above */
};
enum nt_shinfo_checks { NT_SHINFO_CHECK_BASIC, NT_SHINFO_CHECK_DEEP };

extern const struct nt_engine nt_shinfo_engine;

/* For the tool's check(): format, list of ports, what the name that it was called by means. */
int nt_shinfo_check_options(struct nt_run *r, struct nt_err *err);
/* For .wanted of returns. */
bool nt_shinfo_both_ends(const void *opts);

/* ---- names (shinfo_names.c) ---- */
#define NT_GSO_NAME 32
struct nt_gso_names {		/* SKB_GSO_* of this kernel, by bit, without the prefix; "": none */
	char name[32][NT_GSO_NAME];
};
void nt_gso_names_default(struct nt_gso_names *n);
void nt_gso_names_add(struct nt_gso_names *n, const char *name, uint32_t value);
/* From a kernel's BTF, where it has them. */
struct nt_btf;
void nt_gso_names_read(struct nt_gso_names *n, const struct nt_btf *btf);
uint32_t nt_gso_bit(const struct nt_gso_names *n, const char *name);	/* 0: this kernel has no such */
/* "TCPV4,DODGY"; "-": none. Returns buf. */
const char *nt_gso_text(const struct nt_gso_names *n, uint32_t gso_type, char *buf, size_t size);
const char *nt_shinfo_place_name(uint32_t place);
const char *nt_shinfo_what_name(uint32_t what);
const char *nt_shinfo_rule_text(uint32_t rule);		/* of one bit */

#endif
