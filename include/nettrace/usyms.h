/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbols of user-space addresses: a process's mappings from /proc/PID/maps,
 * functions from the ELF files (symtab, else dynsym). Files are read at the
 * first address that lies in them and kept; a process's mappings are kept after
 * its end, so nt_usyms_remember() should come while it lives.
 */
#ifndef NETTRACE_USYMS_H
#define NETTRACE_USYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- functions of one ELF file (64-bit, little endian) ---- */
struct nt_elf;
/* Takes nothing over: fd stays the caller's. -EINVAL: no ELF, damaged, or another class. */
int nt_elf_open(struct nt_elf **out, int fd);
void nt_elf_close(struct nt_elf *e);
size_t nt_elf_functions(const struct nt_elf *e);
/* Function at an offset in the file; NULL if there is none. *offset is within it. */
const char *nt_elf_lookup(const struct nt_elf *e, uint64_t file_offset, uint64_t *offset);
/* Offset in the file of the function; 0: there is none. */
uint64_t nt_elf_find(const struct nt_elf *e, const char *function);

/* ---- processes ---- */
struct nt_usyms;
int nt_usyms_new(struct nt_usyms **out);		/* 0 or -ENOMEM */
void nt_usyms_free(struct nt_usyms *u);
/* Reads the mappings of a process that is not known yet. */
void nt_usyms_remember(struct nt_usyms *u, uint32_t pid);
/* Does the address lie in an executable mapping of the process? false too if nothing is known of it. */
bool nt_usyms_mapped(struct nt_usyms *u, uint32_t pid, uint64_t addr);
/* Name of the function, NULL if unknown; *module is the base name of the file, or "[vdso]", NULL if
 * unknown. Both are valid until the next call. */
const char *nt_usyms_lookup(struct nt_usyms *u, uint32_t pid, uint64_t addr, uint64_t *offset,
			    const char **module);
/* "function[+offset] [module]", or the address where it is unknown, into buf; returns buf. */
enum { NT_USYM_OFFSET = 1, NT_USYM_MODULE = 2 };
const char *nt_usyms_text(struct nt_usyms *u, uint32_t pid, uint64_t addr, unsigned int what, char *buf,
			  size_t size);

#endif
