/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options as data: the help that is made from the rows.
 */
#include "nettrace/options.h"

#include <errno.h>
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
