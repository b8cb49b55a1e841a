/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options as data: the texts that are made from the rows, and the check of a
 * table.
 */
#include "nettrace/options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HELP_WIDTH	100
#define HELP_COLUMN	34
#define CHOICES_MAX	20	/* longer lists of words are no argument name, but go to the text */

/* "a|b|c" as "a, b, c", cut to size. */
static const char *comma_list(const char *list, char *buf, size_t size)
{
	const char *word;
	size_t len, n = 0;

	buf[0] = '\0';
	while (nt_opt_next_word(&list, &word, &len) && n < size)
		n += (size_t)snprintf(buf + n, size - n, "%s%.*s", n ? ", " : "", (int)len, word);
	return buf;
}

/* " LO..HI" or " from LO" behind a kind of number; "" if the type says it all. */
static const char *range_text(const struct nt_opt *row, char *buf, size_t size)
{
	buf[0] = '\0';
	if (row->max || row->min < 0)
		snprintf(buf, size, " %.10g..%.10g", row->min, row->max);
	else if (row->min)
		snprintf(buf, size, " from %.10g", row->min);
	return buf;
}

struct type_text {
	const char *arg;	/* name of the argument in --help */
	const char *want;	/* what would be right; a range or the choices follow */
};

static const struct type_text type_texts[] = {
	[NT_OPT_FLAG] = { "", "it is a flag, leave the value out" },
	[NT_OPT_U32] = { "N", "give a whole number" },
	[NT_OPT_FLOAT] = { "NUMBER", "give a number" },
	[NT_OPT_DURATION] = { "SECONDS", "give seconds" },
	[NT_OPT_SIZE] = { "SIZE", "give bytes, K, M or G may follow" },
	[NT_OPT_PREFIX] = { "PREFIX", "give an IPv4 or IPv6 address, or ADDRESS/LENGTH" },
	[NT_OPT_PORTS] = { "PORT", "give a port 1..65535 or LOW-HIGH" },
	[NT_OPT_IFNAMES] = { "IFNAME", "give interface names (1..15 characters), commas between" },
	[NT_OPT_ENUM] = { "WORD", "give one of" },
	[NT_OPT_PROTO] = { "PROTO", "give all, a name (tcp, udp, icmp, icmpv6, ...) or 0..255" },
	[NT_OPT_ETHERTYPE] = { "TYPE", "give all, arp, rarp, ipv4, ipv6, lldp, flow_control, other"
				       " or 0xHHHH" },
	[NT_OPT_CPUS] = { "CPUS", "give CPU numbers and ranges, as 0-3,8" },
	[NT_OPT_PID] = { "PID", "give a process id" },
	[NT_OPT_STRING] = { "TEXT", "give a text" },
	[NT_OPT_STRLIST] = { "LIST", "give words, commas between" },
};

const char *nt_opt_want(const struct nt_opt *row, char *buf, size_t size)
{
	const char *base = type_texts[row->type].want;
	char more[96] = " ";

	if (row->type == NT_OPT_ENUM)
		comma_list(row->choices, more + 1, sizeof(more) - 1);
	else if (row->type == NT_OPT_U32 || row->type == NT_OPT_FLOAT ||
		 row->type == NT_OPT_DURATION || row->type == NT_OPT_SIZE)
		range_text(row, more, sizeof(more));
	else
		more[0] = '\0';
	snprintf(buf, size, "%s%s%s%s", base, more, row->alt ? ", or an address for --" : "",
		 row->alt ? row->alt : "");
	return buf;
}

static const char *arg_name(const struct nt_opt *row)
{
	if (row->arg)
		return row->arg;
	if (row->type == NT_OPT_ENUM && row->choices && strlen(row->choices) <= CHOICES_MAX)
		return row->choices;
	return type_texts[row->type].arg;
}

struct wrapper {
	FILE *f;
	size_t col;
};

/* n characters that stay together. */
static void wrap_put(struct wrapper *w, const char *s, size_t n)
{
	if (w->col > HELP_COLUMN && w->col + 1 + n > HELP_WIDTH) {
		fprintf(w->f, "\n%*s", HELP_COLUMN, "");
		w->col = HELP_COLUMN;
	} else if (w->col > HELP_COLUMN) {
		fputc(' ', w->f);
		w->col++;
	}
	fwrite(s, 1, n, w->f);
	w->col += n;
}

static void wrap_words(struct wrapper *w, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, " ");

		if (n)
			wrap_put(w, text, n);
		text += n + (text[n] == ' ');
	}
}

/* The spellings that the row owns, besides the one that heads its line. */
static void help_aliases(struct wrapper *w, const struct nt_optview *v,
			 const struct nt_optview_row *vr, const char *shown)
{
	const char *list = vr->opt.aliases, *word;
	char buf[160];
	size_t len, n = 0;

	while (nt_opt_next_word(&list, &word, &len) && n < sizeof(buf))
		if (word != shown && nt_optview_name(v, word, len) == vr)
			n += (size_t)snprintf(buf + n, sizeof(buf) - n, "%s--%.*s",
					      n ? ", " : "(also ", (int)len, word);
	if (n && n < sizeof(buf) - 1) {
		strcpy(buf + n, ")");
		wrap_words(w, buf);
	}
}

static void help_notes(struct wrapper *w, const struct nt_opt *opt, const char *arg)
{
	const char *unit = opt->unit ? opt->unit : "";
	char buf[200], list[160];
	bool on = opt->type != NT_OPT_FLAG || (opt->def && !strcmp(opt->def, "true"));

	if (opt->type == NT_OPT_ENUM && arg != opt->choices) {
		snprintf(buf, sizeof(buf), "(%s)", comma_list(opt->choices, list, sizeof(list)));
		wrap_words(w, buf);
	}
	if (opt->alt) {
		snprintf(buf, sizeof(buf), "(an address here means --%s)", opt->alt);
		wrap_words(w, buf);
	}
	if (opt->flags & NT_OPT_REQUIRED)
		wrap_words(w, "[required]");
	if (opt->def && *opt->def && on)
		snprintf(buf, sizeof(buf), "[default: %s%s%s]", opt->def, *unit ? " " : "", unit);
	else if (*unit)
		snprintf(buf, sizeof(buf), "[unit: %s]", unit);
	else
		return;
	wrap_put(w, buf, strlen(buf));
}

/* The long spelling to head the line: the name, or an alias if the name is lost. */
static const char *own_spelling(const struct nt_optview *v, const struct nt_optview_row *vr,
				size_t *len)
{
	const char *list = vr->opt.aliases, *word = vr->opt.name;

	*len = strlen(word);
	do {
		if (nt_optview_name(v, word, *len) == vr)
			return word;
	} while (nt_opt_next_word(&list, &word, len));
	return NULL;
}

static bool help_row(FILE *f, const struct nt_optview *v, const struct nt_optview_row *vr,
		     const char *title)
{
	const struct nt_opt *opt = &vr->opt;
	bool letter = nt_optview_letter(v, opt->letter) == vr;
	size_t len = 0;
	const char *name = own_spelling(v, vr, &len);
	const char *arg = arg_name(opt);
	struct wrapper w = { .f = f, .col = HELP_COLUMN };
	int n;

	if ((opt->flags & NT_OPT_HIDDEN) || (!letter && !name))
		return false;
	if (title)
		fprintf(f, "%s:\n", title);
	if (letter)
		n = fprintf(f, "  -%c%s", opt->letter, name ? ", " : "");
	else
		n = fprintf(f, "      ");
	if (name)
		n += fprintf(f, "--%.*s", (int)len, name);
	if (*arg)
		n += fprintf(f, " %s", arg);
	if (n > HELP_COLUMN - 2) {
		fputc('\n', f);
		n = 0;
	}
	fprintf(f, "%*s", HELP_COLUMN - n, "");
	wrap_words(&w, opt->help ? opt->help : "");
	help_aliases(&w, v, vr, name);
	help_notes(&w, opt, arg);
	fputc('\n', f);
	return true;
}

void nt_opts_help(FILE *f, const struct nt_optset *sets, size_t n_sets)
{
	struct nt_arena arena = { 0 };
	struct nt_optview v;
	bool any_before = false;

	if (nt_optview_init(&v, sets, n_sets, &arena, NULL) == -ENOMEM)
		return;
	for (size_t s = 0; s < n_sets; s++) {
		char head[120];
		bool any = false;

		snprintf(head, sizeof(head), "%s%s", any_before ? "\n" : "",
			 sets[s].title ? sets[s].title : "Options");
		for (size_t i = 0; i < v.n; i++)
			if (v.row[i].set == &sets[s] &&
			    help_row(f, &v, &v.row[i], any ? NULL : head))
				any = true;
		any_before = any_before || any;
	}
	nt_arena_free(&arena);
}

static void prefix_text(const struct nt_prefix *p, char *buf, size_t size)
{
	char addr[INET6_ADDRSTRLEN] = "";
	unsigned int len = p->is_v4 ? p->len - 96u : p->len, full = p->is_v4 ? 32 : 128;

	inet_ntop(p->is_v4 ? AF_INET : AF_INET6, p->addr + (p->is_v4 ? 12 : 0), addr, sizeof(addr));
	if (len == full)
		snprintf(buf, size, "%s", addr);
	else
		snprintf(buf, size, "%s/%u", addr, len);
}

static void duration_text(uint64_t ns, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);

	while (buf[n - 1] == '0')
		n--;
	buf[n - (buf[n - 1] == '.')] = '\0';
}

static void size_text(uint64_t bytes, char *buf, size_t size)
{
	static const char *const suffix[] = { "", "K", "M", "G" };
	size_t step = 0;

	while (step < 3 && bytes && !(bytes % 1024)) {
		bytes /= 1024;
		step++;
	}
	snprintf(buf, size, "%" PRIu64 "%s", bytes, suffix[step]);
}

/* The shortest text that reads back as the same number. */
static void float_text(double v, char *buf, size_t size)
{
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(buf, size, "%.*g", digits, v);
		if (strtod(buf, NULL) == v)
			return;
	}
}

static void choice_text(const char *list, uint32_t index, char *buf, size_t size)
{
	const char *word;
	size_t len;

	while (nt_opt_next_word(&list, &word, &len))
		if (!index--) {
			snprintf(buf, size, "%.*s", (int)len, word);
			return;
		}
}

/* A value of 32 bits, by type. Zero is no value, but "0" if it was given. */
static void u32_text(const struct nt_opt *row, uint32_t v, char *buf, size_t size)
{
	const char *name = NULL;

	if (row->type == NT_OPT_ENUM) {
		choice_text(row->choices, v, buf, size);
		return;
	}
	if (row->type == NT_OPT_PROTO)
		name = nt_opt_proto_name(v);
	else if (row->type == NT_OPT_ETHERTYPE)
		name = nt_opt_ethertype_name(v);
	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, row->type == NT_OPT_ETHERTYPE ? "0x%04" PRIx32 : "%" PRIu32, v);
}

/* Text of a value that is no string and no list; false: it is the zero value. */
static bool value_text(const struct nt_opt *row, const void *at, char *buf, size_t size)
{
	const struct nt_ports *ports = at;

	buf[0] = '\0';
	switch (row->type) {
	case NT_OPT_FLAG:
		snprintf(buf, size, *(const bool *)at ? "true" : "false");
		return *(const bool *)at;
	case NT_OPT_FLOAT:
		float_text(*(const double *)at, buf, size);
		return *(const double *)at != 0;
	case NT_OPT_DURATION:
		duration_text(*(const uint64_t *)at, buf, size);
		return *(const uint64_t *)at;
	case NT_OPT_SIZE:
		size_text(*(const uint64_t *)at, buf, size);
		return *(const uint64_t *)at;
	case NT_OPT_PREFIX:
		prefix_text(at, buf, size);
		return ((const struct nt_prefix *)at)->set;
	case NT_OPT_PORTS:
		snprintf(buf, size, ports->low == ports->high ? "%u" : "%u-%u", ports->low,
			 ports->high);
		return ports->set;
	default:
		u32_text(row, *(const uint32_t *)at, buf, size);
		return *(const uint32_t *)at;
	}
}

/* The list with commas, to be freed; NULL: no memory. */
static char *list_text(const struct nt_strlist *list)
{
	size_t size = 1;
	char *text, *at;

	for (size_t i = 0; i < list->n; i++)
		size += strlen(list->item[i]) + 1;
	at = text = calloc(1, size);
	for (size_t i = 0; text && i < list->n; i++) {
		if (i)
			*at++ = ',';
		at = stpcpy(at, list->item[i]);
	}
	return text;
}

static void each_value(const struct nt_optview_row *vr,
		       void (*fn)(void *arg, const struct nt_opt *row, const char *text), void *arg)
{
	const struct nt_opt *row = &vr->opt;
	const void *at = (const char *)vr->set->values + row->offset;
	const struct nt_strlist *list = at;
	const char *const *string = at;
	char buf[128], *joined;

	switch (row->type) {
	case NT_OPT_STRING:
		if (*string)
			fn(arg, row, *string);
		return;
	case NT_OPT_IFNAMES:
	case NT_OPT_CPUS:
	case NT_OPT_STRLIST:
		joined = list->n ? list_text(list) : NULL;
		if (joined)
			fn(arg, row, joined);
		free(joined);
		return;
	default:
		if (value_text(row, at, buf, sizeof(buf)) || vr->given)
			fn(arg, row, buf);
	}
}

void nt_opts_each_value(const struct nt_opts *o, const struct nt_optset *sets, size_t n_sets,
			void (*fn)(void *arg, const struct nt_opt *row, const char *text),
			void *arg)
{
	const struct nt_optview *v = nt_opts_view(o);

	for (size_t i = 0; i < v->n; i++) {
		const struct nt_optview_row *vr = &v->row[i];
		bool wanted = false;

		for (size_t s = 0; s < n_sets; s++)
			wanted = wanted || (sets[s].rows == vr->set->rows &&
					    sets[s].values == vr->set->values);
		/* A default under a name that an earlier set took would look like that one's. */
		if (wanted && !vr->given &&
		    nt_optview_name(v, vr->opt.name, strlen(vr->opt.name)) != vr)
			wanted = false;
		if (wanted)
			each_value(vr, fn, arg);
	}
}

static int fault(FILE *f, const struct nt_optset *set, const struct nt_opt *row, const char *what)
{
	fprintf(f, "%s: --%s: %s\n", set->title ? set->title : "options",
		row->name ? row->name : "(null)", what);
	return 1;
}

static bool name_ok(const char *s, size_t n)
{
	if (!n || *s == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]) && s[i] != '-' &&
		    s[i] != '_')
			return false;
	return true;
}

/* How often a long spelling or a letter occurs in the set. */
static size_t count_name(const struct nt_optset *set, const char *name, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < set->n; i++) {
		const char *list = set->rows[i].aliases, *word = set->rows[i].name;
		size_t word_len = word ? strlen(word) : 0;

		do {
			count += word && nt_opt_name_eq(word, word_len, name, len);
		} while (nt_opt_next_word(&list, &word, &word_len));
	}
	return count;
}

static int check_spellings(FILE *f, const struct nt_optset *set, const struct nt_opt *row)
{
	const char *list = row->aliases, *word = row->name;
	size_t len = word ? strlen(word) : 0, same = 0;
	int faults = 0;

	do {
		if (!word || !name_ok(word, len))
			faults += fault(f, set, row, "a name is not [a-z0-9-]");
		else if (count_name(set, word, len) > 1)
			faults += fault(f, set, row, "a name or alias is not unique");
	} while (nt_opt_next_word(&list, &word, &len));
	if (!row->letter)
		return faults;
	if (!isalnum((unsigned char)row->letter) && row->letter != '?')
		faults += fault(f, set, row, "the letter is no letter, digit or '?'");
	for (size_t i = 0; i < set->n; i++)
		same += set->rows[i].letter == row->letter;
	if (same > 1)
		faults += fault(f, set, row, "the letter is not unique");
	return faults;
}

static int check_default(FILE *f, const struct nt_optset *set, const struct nt_opt *row)
{
	union {
		struct nt_prefix prefix;
		struct nt_strlist list;
		double real;
		uint64_t whole;
		const char *text;
	} scratch;
	struct nt_arena arena = { 0 };
	int rc = nt_opt_parse_value(row, row->def, &scratch, &arena);

	nt_arena_free(&arena);
	return rc ? fault(f, set, row, "the default is no valid value") : 0;
}

static int check_row(FILE *f, const struct nt_optset *set, const struct nt_opt *row)
{
	bool common = row->flags & NT_OPT_COMMON;
	bool number = row->type == NT_OPT_U32 || row->type == NT_OPT_FLOAT ||
		      row->type == NT_OPT_DURATION || row->type == NT_OPT_SIZE;
	int faults = check_spellings(f, set, row);

	if (row->help ? !*row->help : !common)
		faults += fault(f, set, row, "no help");
	else if (row->help && row->help[strlen(row->help) - 1] == '.')
		faults += fault(f, set, row, "a full stop ends the help");
	if (row->max && row->min > row->max)
		faults += fault(f, set, row, "min is above max");
	if ((row->flags & NT_OPT_LONG_ONLY) && (!common || row->letter))
		faults += fault(f, set, row,
				"NT_OPT_LONG_ONLY goes with NT_OPT_COMMON and no letter");
	if (common)	/* the type is the common row's */
		return faults;
	if (number && !row->unit)
		faults += fault(f, set, row, "a number without unit (\"\" if it really has none)");
	if (row->type == NT_OPT_ENUM && (!row->choices || !*row->choices))
		faults += fault(f, set, row, "no choices");
	if (row->def)
		faults += check_default(f, set, row);
	return faults;
}

int nt_optset_check(FILE *f, const struct nt_optset *set)
{
	int faults = 0;

	for (size_t i = 0; i < set->n; i++)
		faults += check_row(f, set, &set->rows[i]);
	return faults;
}
