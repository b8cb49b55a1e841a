/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options as data. A tool (and each shared set: the common options, the tuple
 * filter) is a table of rows; parsing, --help, --dry-run, shell completion and
 * the man page are made from the rows. Nothing here allocates per option: a
 * row names the place of its value in a struct that the caller owns. Strings
 * and lists point into argv or into the parser's own arena, which lives until
 * nt_opts_free().
 */
#ifndef NETTRACE_OPTIONS_H
#define NETTRACE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "nettrace/err.h"

enum nt_opt_type {		/* type of the value at .offset */
	NT_OPT_FLAG,		/* bool; no argument */
	NT_OPT_U32,		/* uint32_t, decimal or 0x, within [min, max] */
	NT_OPT_FLOAT,		/* double, within [min, max]; "nan" and "inf" are refused */
	NT_OPT_DURATION,	/* uint64_t ns; text is seconds, fractions allowed, within [min, max] s */
	NT_OPT_SIZE,		/* uint64_t bytes; suffixes K, M, G (1024-based) */
	NT_OPT_PREFIX,		/* struct nt_prefix: IPv4 or IPv6 address, optional /LEN */
	NT_OPT_PORTS,		/* struct nt_ports: PORT or LOW-HIGH */
	NT_OPT_IFNAMES,		/* struct nt_strlist of interface names (each 1..15 chars, no '/' or space) */
	NT_OPT_ENUM,		/* uint32_t: index into .choices */
	NT_OPT_PROTO,		/* uint32_t: IP protocol number; "all" = NT_PROTO_ALL; names icmp tcp udp
				 * icmpv6 sctp gre igmp esp ah udplite; or 0..255 */
	NT_OPT_ETHERTYPE,	/* uint32_t: all arp rarp ipv4 ipv6 lldp flow_control other or 0xHHHH (NT_ETHERTYPE_*) */
	NT_OPT_CPUS,		/* struct nt_strlist for now: list/ranges "0-3,8", syntax checked */
	NT_OPT_PID,		/* uint32_t >= 1 */
	NT_OPT_STRING,		/* const char * */
	NT_OPT_STRLIST,		/* struct nt_strlist: comma list, no empty items */
};

#define NT_PROTO_ALL		0xffffffffu
#define NT_ETHERTYPE_ALL	0xffffffffu
#define NT_ETHERTYPE_OTHER	0xfffffffeu	/* none of arp rarp ipv4 ipv6 lldp flow_control */

struct nt_prefix {
	uint8_t addr[16];	/* network order; IPv4 as ::ffff:a.b.c.d; host bits cleared */
	uint8_t len;		/* prefix length in the 128-bit form (IPv4 /8 is 104) */
	bool set;
	bool is_v4;
};

struct nt_ports {
	uint16_t low, high;	/* host order, low <= high */
	bool set;
};

struct nt_strlist {
	const char *const *item;	/* n strings, owned by the parser's arena */
	size_t n;
};
bool nt_strlist_has(const struct nt_strlist *l, const char *s);

enum {
	NT_OPT_HIDDEN = 1u << 0,	/* accepted, not in --help */
	NT_OPT_REQUIRED = 1u << 1,
	NT_OPT_COMMON = 1u << 2,	/* retunes the common row of this name: letter, default, help
					 * and aliases come from this row, type and storage from the
					 * common one; NULL/0 members keep the common row's */
	NT_OPT_LONG_ONLY = 1u << 3,	/* with NT_OPT_COMMON: the common row loses its letter */
	NT_OPT_ZERO_IS_ANY = 1u << 5,	/* NT_OPT_PORTS: 0 is as if it had not been given (old scripts) */
	NT_OPT_BOOL_WORD = 1u << 6,	/* NT_OPT_FLAG: a next word "true" or "false" is its value (old scripts) */
	NT_OPT_FILTER = 1u << 4,	/* a tool's own row that is part of the filter: the start record
					 * shows it there */
};

struct nt_opt {
	const char *name;		/* long name, without "--" */
	char letter;			/* short name or 0 */
	enum nt_opt_type type;
	size_t offset;			/* of the value in the set's struct */
	const char *def;		/* default, as a user would type it; NULL: zero value */
	const char *arg;		/* name of the argument in --help: "SECONDS"; NULL: by type */
	const char *unit;		/* unit of the value in --help; NULL if it has none */
	const char *help;		/* one sentence, no full stop */
	const char *aliases;		/* other long spellings, '|' between; NULL */
	const char *choices;		/* NT_OPT_ENUM: words, '|' between */
	double min, max;		/* numeric types: both 0 = the type's full range */
	const char *alt;		/* when the value is an IP address or prefix, it is this
					 * option's instead (old "-d ADDRESS" beside "-d SECONDS") */
	unsigned flags;
};

/* A table of rows and the struct that they fill. Earlier sets win over later
 * ones where a name or a letter collides (the tool's set comes first, the
 * common set last): the later row keeps its other spellings. */
struct nt_optset {
	const char *title;		/* heading in --help */
	const struct nt_opt *rows;
	size_t n;
	void *values;			/* owned by the caller, zeroed by it */
};

#define NT_OPTSET_MAX 4

struct nt_opts;				/* a parsed command line; opaque */

/*
 * Parses argv[0..argc) (program and tool name already removed) into the sets.
 * Options and other words may be mixed; "--" ends options; "--name=value",
 * "-xVALUE", clustered flags "-vN" and unambiguous prefixes of long names are
 * accepted (the scripts' argparse did). The remaining words, joined by one
 * space, are the trailing words (filter expression), see nt_opts_words().
 * An option given twice: the last one wins.
 * Returns 0, or -EINVAL with *err filled (code NT_EXIT_USAGE): the sentence
 * names the option as typed, its bad value and what would be right.
 */
int nt_opts_parse(struct nt_opts **out, const struct nt_optset *sets, size_t n_sets,
		  int argc, char *const *argv, struct nt_err *err);
void nt_opts_free(struct nt_opts *o);

/* Was the option of this long name given on the command line? */
bool nt_opts_given(const struct nt_opts *o, const char *name);
/* Remaining words: count, one, and all joined by spaces ("" if none). */
size_t nt_opts_n_words(const struct nt_opts *o);
const char *nt_opts_word(const struct nt_opts *o, size_t i);
const char *nt_opts_words(const struct nt_opts *o);

/* Prints the option tables for --help, 100 columns: names, argument, help
 * text wrapped, unit, default. */
void nt_opts_help(FILE *f, const struct nt_optset *sets, size_t n_sets);
/* Calls fn for every option that has a value differing from its zero value or
 * that was given; for --dry-run and the start record ("filter" object). text
 * is the value as a user would type it. */
void nt_opts_each_value(const struct nt_opts *o, const struct nt_optset *sets, size_t n_sets,
			void (*fn)(void *arg, const struct nt_opt *row, const char *text), void *arg);
/* Table checks for the table walk test: unique names and letters in a set,
 * help present, unit present for numbers, default parses. Prints each fault to
 * f; returns their number. */
int nt_optset_check(FILE *f, const struct nt_optset *set);

/* Single value parsers, also used by tests and legacy positionals. 0 or -EINVAL. */
int nt_parse_prefix(const char *text, struct nt_prefix *out);
/* The prefix as the kernel side compares it: its address, and the mask of its length. */
void nt_prefix_mask(uint8_t addr[16], uint8_t mask[16], const struct nt_prefix *p);
int nt_parse_ports(const char *text, struct nt_ports *out);
int nt_parse_duration(const char *text, double min_s, double max_s, uint64_t *out_ns);
int nt_parse_size(const char *text, uint64_t *out_bytes);

/*
 * The rest is shared by the parser's files, and of use to other readers of the
 * tables (completion, man page).
 */
struct nt_arena {
	struct nt_arena_block *head;
};

void *nt_arena_alloc(struct nt_arena *a, size_t size);	/* zeroed; NULL: no memory */
void nt_arena_free(struct nt_arena *a);

/* A row as it counts beside the other rows of some sets. */
struct nt_optview_row {
	struct nt_opt opt;		/* the row, retuned */
	const struct nt_optset *set;	/* whose struct it fills */
	uint8_t name_from, letter_from, aliases_from;	/* index of the set that gave the spelling:
							 * the lowest wins a collision */
	bool given;
};

struct nt_optview {
	struct nt_optview_row *row;
	size_t n;
};

/* 0, -ENOMEM, or -EINVAL if a row with NT_OPT_COMMON has nothing to retune
 * (the view is usable then). Points to the sets, which must live as long. */
int nt_optview_init(struct nt_optview *v, const struct nt_optset *sets, size_t n_sets,
		    struct nt_arena *a, struct nt_err *err);
/* The row that owns a letter or a long spelling ('-' and '_' are equal, no prefixes), or NULL. */
struct nt_optview_row *nt_optview_letter(const struct nt_optview *v, char letter);
struct nt_optview_row *nt_optview_name(const struct nt_optview *v, const char *name, size_t len);
/* The row's own spelling that begins so, or NULL. Hidden rows have to be written out: a switch
 * that nobody is told about must not make a prefix ambiguous. */
const char *nt_optview_prefix(const struct nt_optview *v, const struct nt_optview_row *vr,
			      const char *name, size_t len, size_t *match_len);
/* The spelling nearest to a mistyped name, if one is near enough to be meant; NULL. */
const char *nt_optview_nearest(const struct nt_optview *v, const char *name, size_t len,
			       size_t *found_len);
/* Steps through "a|b|c": false at the end. *list NULL is an empty list. */
bool nt_opt_next_word(const char **list, const char **word, size_t *len);
const struct nt_optview *nt_opts_view(const struct nt_opts *o);
bool nt_opt_name_eq(const char *a, size_t a_len, const char *b, size_t b_len);

/* One value of the row's type to *out, which stays as it is on failure: 0,
 * -EINVAL, -ERANGE (a number, but not one in range), -ENOMEM. */
int nt_opt_parse_value(const struct nt_opt *row, const char *text, void *out, struct nt_arena *a);
/* "give a port 1..65535 or LOW-HIGH"; returns buf. */
const char *nt_opt_want(const struct nt_opt *row, char *buf, size_t size);
/* Name of a protocol or EtherType as the parser takes it, or NULL. */
const char *nt_opt_proto_name(uint32_t proto);
const char *nt_opt_ethertype_name(uint32_t type);

#endif
