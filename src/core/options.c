/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options as data: which row a spelling means, and the walk over argv.
 */
#include "nettrace/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK	4096
#define QUOTE_MAX	72	/* of the user's text in an error: the rest has to fit too */
#define NAME_MAX_LEN	40	/* longest typed name that is compared for a suggestion */

struct nt_arena_block {
	struct nt_arena_block *next;
	size_t used, size;
	_Alignas(max_align_t) unsigned char data[];
};

struct nt_opts {
	struct nt_arena arena;
	struct nt_optset sets[NT_OPTSET_MAX];
	struct nt_optview view;
	const char **word;
	size_t n_words;
	char *joined;
};

struct parser {
	struct nt_opts *o;
	struct nt_err *err;
	int argc, next;
	char *const *argv;
	bool ended;	/* "--" was seen */
	bool digits;	/* there is an option like -4: then "-4" is no word */
};

void *nt_arena_alloc(struct nt_arena *a, size_t size)
{
	struct nt_arena_block *b = a->head;
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	if (!b || b->size - b->used < size) {
		size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;

		b = calloc(1, sizeof(*b) + room);
		if (!b)
			return NULL;
		b->size = room;
		b->next = a->head;
		a->head = b;
	}
	p = b->data + b->used;
	b->used += size;
	return p;
}

void nt_arena_free(struct nt_arena *a)
{
	while (a->head) {
		struct nt_arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
}

bool nt_opt_name_eq(const char *a, size_t a_len, const char *b, size_t b_len)
{
	if (a_len != b_len)
		return false;
	for (size_t i = 0; i < a_len; i++)
		if ((a[i] == '_' ? '-' : a[i]) != (b[i] == '_' ? '-' : b[i]))
			return false;
	return true;
}

static bool row_has_name(const struct nt_opt *row, const char *name)
{
	return nt_opt_name_eq(row->name, strlen(row->name), name, strlen(name));
}

/* The row that a row with NT_OPT_COMMON of sets[from] retunes. */
static const struct nt_opt *tune_target(const struct nt_optset *sets, size_t n_sets, size_t from,
					const char *name)
{
	for (size_t s = from + 1; s < n_sets; s++)
		for (size_t i = 0; i < sets[s].n; i++) {
			const struct nt_opt *row = &sets[s].rows[i];

			if (!(row->flags & NT_OPT_COMMON) && row_has_name(row, name))
				return row;
		}
	return NULL;
}

static void retune(struct nt_optview_row *vr, const struct nt_opt *by, uint8_t from)
{
	struct nt_opt *opt = &vr->opt;

	vr->name_from = from;
	if (by->letter || (by->flags & NT_OPT_LONG_ONLY)) {
		opt->letter = by->flags & NT_OPT_LONG_ONLY ? 0 : by->letter;
		vr->letter_from = from;
	}
	if (by->aliases) {
		opt->aliases = by->aliases;
		vr->aliases_from = from;
	}
	opt->def = by->def ? by->def : opt->def;
	opt->arg = by->arg ? by->arg : opt->arg;
	opt->unit = by->unit ? by->unit : opt->unit;
	opt->help = by->help ? by->help : opt->help;
	opt->alt = by->alt ? by->alt : opt->alt;
	if (by->min || by->max) {
		opt->min = by->min;
		opt->max = by->max;
	}
	opt->flags |= by->flags & (NT_OPT_HIDDEN | NT_OPT_REQUIRED);
}

static void view_add(struct nt_optview *v, const struct nt_optset *sets, size_t n_sets, size_t s,
		     const struct nt_opt *row)
{
	struct nt_optview_row *vr = &v->row[v->n++];
	uint8_t from = (uint8_t)s;

	*vr = (struct nt_optview_row){ .opt = *row, .set = &sets[s], .name_from = from,
				       .letter_from = from, .aliases_from = from };
	while (s-- > 0)	/* the nearest set first, so that the earliest has the last word */
		for (size_t i = 0; i < sets[s].n; i++) {
			const struct nt_opt *by = &sets[s].rows[i];

			if ((by->flags & NT_OPT_COMMON) && row_has_name(by, row->name) &&
			    tune_target(sets, n_sets, s, by->name) == row)
				retune(vr, by, (uint8_t)s);
		}
}

int nt_optview_init(struct nt_optview *v, const struct nt_optset *sets, size_t n_sets,
		    struct nt_arena *a, struct nt_err *err)
{
	size_t n = 0;
	int rc = 0;

	for (size_t s = 0; s < n_sets; s++)
		n += sets[s].n;
	*v = (struct nt_optview){ .row = nt_arena_alloc(a, (n + 1) * sizeof(*v->row)) };
	if (!v->row)
		return nt_err_set(err, NT_EXIT_RUNTIME, ENOMEM, "options: no memory");
	for (size_t s = 0; s < n_sets; s++)
		for (size_t i = 0; i < sets[s].n; i++) {
			const struct nt_opt *row = &sets[s].rows[i];

			if (!(row->flags & NT_OPT_COMMON))
				view_add(v, sets, n_sets, s, row);
			else if (!tune_target(sets, n_sets, s, row->name))
				rc = nt_err_set(err, NT_EXIT_RUNTIME, EINVAL, "option table: --%s:"
						" no later set has it to retune", row->name);
		}
	return rc;
}

struct nt_optview_row *nt_optview_letter(const struct nt_optview *v, char letter)
{
	struct nt_optview_row *best = NULL;

	for (size_t i = 0; i < v->n; i++)
		if (letter && v->row[i].opt.letter == letter &&
		    (!best || v->row[i].letter_from < best->letter_from))
			best = &v->row[i];
	return best;
}

struct nt_optview_row *nt_optview_name(const struct nt_optview *v, const char *name, size_t len)
{
	struct nt_optview_row *best = NULL;
	unsigned int best_from = NT_OPTSET_MAX;

	for (size_t i = 0; i < v->n; i++) {
		struct nt_optview_row *vr = &v->row[i];
		const char *list = vr->opt.aliases, *word = vr->opt.name;
		size_t word_len = strlen(word);
		unsigned int from = vr->name_from;

		do {
			if (from < best_from && nt_opt_name_eq(word, word_len, name, len)) {
				best = vr;
				best_from = from;
			}
			from = vr->aliases_from;
		} while (nt_opt_next_word(&list, &word, &word_len));
	}
	return best;
}

/*
 * The row's own spelling that begins so, or NULL. Hidden rows have to be written
 * out: a switch that nobody is told about must not make a prefix ambiguous.
 */
static const char *prefix_match(const struct nt_optview *v, const struct nt_optview_row *vr,
				const char *name, size_t len, size_t *match_len)
{
	const char *list = vr->opt.aliases, *word = vr->opt.name;
	size_t word_len = strlen(word);

	if (vr->opt.flags & NT_OPT_HIDDEN)
		return NULL;
	do {
		if (word_len >= len && nt_opt_name_eq(word, len, name, len) &&
		    nt_optview_name(v, word, word_len) == vr) {
			*match_len = word_len;
			return word;
		}
	} while (nt_opt_next_word(&list, &word, &word_len));
	return NULL;
}

/* Levenshtein's distance; '-' and '_' are equal. a_len is at most NAME_MAX_LEN. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[NAME_MAX_LEN + 1];

	for (size_t i = 0; i <= a_len; i++)
		row[i] = i;
	for (size_t j = 1; j <= b_len; j++) {
		size_t diagonal = row[0];

		row[0] = j;
		for (size_t i = 1; i <= a_len; i++) {
			size_t best = diagonal + !nt_opt_name_eq(a + i - 1, 1, b + j - 1, 1);

			diagonal = row[i];
			if (row[i] + 1 < best)
				best = row[i] + 1;
			if (row[i - 1] + 1 < best)
				best = row[i - 1] + 1;
			row[i] = best;
		}
	}
	return row[a_len];
}

/* The spelling nearest to a mistyped name, if one is near enough to be meant. */
static const char *nearest(const struct nt_optview *v, const char *name, size_t len,
			   size_t *found_len)
{
	size_t best = len / 3 > 2 ? len / 3 : 2;
	const char *found = NULL;

	if (len > NAME_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < v->n; i++) {
		const struct nt_opt *opt = &v->row[i].opt;
		const char *list = opt->aliases, *word = opt->name;
		size_t word_len = strlen(word), d;

		if (opt->flags & NT_OPT_HIDDEN)
			continue;
		do {
			d = distance(name, len, word, word_len);
			if (d >= len || d >= best + !found ||
			    nt_optview_name(v, word, word_len) != &v->row[i])
				continue;
			best = d;
			found = word;
			*found_len = word_len;
		} while (nt_opt_next_word(&list, &word, &word_len));
	}
	return found;
}

static int usage_unknown(struct parser *p, const char *name, size_t len, const char *typed)
{
	char shown[QUOTE_MAX];
	size_t found_len;
	const char *found = nearest(&p->o->view, name, len, &found_len);

	nt_err_quote(shown, sizeof(shown), typed);
	if (found)
		return nt_err_set(p->err, NT_EXIT_USAGE, EINVAL,
				  "unknown option: %s: did you mean --%.*s?", shown, (int)found_len,
				  found);
	return nt_err_set(p->err, NT_EXIT_USAGE, EINVAL, "unknown option: %s: see --help", shown);
}

static int usage_ambiguous(struct parser *p, const char *name, size_t len, const char *typed)
{
	const struct nt_optview *v = &p->o->view;
	char shown[QUOTE_MAX], list[240];
	size_t n = 0, match_len;

	for (size_t i = 0; i < v->n && n < sizeof(list); i++) {
		const char *match = prefix_match(v, &v->row[i], name, len, &match_len);

		if (match)
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s--%.*s", n ? ", " : "",
					      (int)match_len, match);
	}
	return nt_err_set(p->err, NT_EXIT_USAGE, EINVAL, "ambiguous option: %s: it could be %s%s",
			  nt_err_quote(shown, sizeof(shown), typed), list,
			  n < sizeof(list) ? "" : "...");
}

/* The row that "--name" means; NULL with the error set. */
static struct nt_optview_row *find_long(struct parser *p, const char *name, size_t len,
					const char *typed)
{
	const struct nt_optview *v = &p->o->view;
	struct nt_optview_row *vr = nt_optview_name(v, name, len);
	size_t n = 0, match_len;

	if (vr)
		return vr;
	for (size_t i = 0; len && i < v->n; i++)
		if (prefix_match(v, &v->row[i], name, len, &match_len)) {
			vr = &v->row[i];
			n++;
		}
	if (n == 1)
		return vr;
	if (n)
		usage_ambiguous(p, name, len, typed);
	else
		usage_unknown(p, name, len, typed);
	return NULL;
}

static int usage_value(struct parser *p, const struct nt_opt *opt, const char *typed,
		       const char *text, int rc)
{
	char option[QUOTE_MAX], value[QUOTE_MAX], want[160];

	if (rc == -ENOMEM)
		return nt_err_set(p->err, NT_EXIT_RUNTIME, ENOMEM, "options: no memory");
	nt_opt_want(opt, want, sizeof(want));
	nt_err_quote(option, sizeof(option), typed);
	nt_err_quote(value, sizeof(value), *text ? text : "(empty)");
	return nt_err_set(p->err, NT_EXIT_USAGE, EINVAL, "bad value for %s: %s%s: %s", option,
			  value, rc == -ERANGE ? " is out of range" : "", want);
}

static void *place(const struct nt_optview_row *vr)
{
	return (char *)vr->set->values + vr->opt.offset;
}

static int set_value(struct parser *p, struct nt_optview_row *vr, const char *typed,
		     const char *text)
{
	struct nt_optview_row *alt = NULL;
	struct nt_prefix prefix;
	int rc;

	if (vr->opt.alt && !nt_parse_prefix(text, &prefix))
		alt = nt_optview_name(&p->o->view, vr->opt.alt, strlen(vr->opt.alt));
	vr = alt ? alt : vr;
	rc = nt_opt_parse_value(&vr->opt, text, place(vr), &p->o->arena);
	if (rc)
		return usage_value(p, &vr->opt, typed, text, rc);
	vr->given = true;
	return 0;
}

/* "-", "-5" and "-.5" are values; anything else behind a '-' is taken for the next option. */
static bool is_value(const char *arg)
{
	return arg[0] != '-' || !arg[1] || isdigit((unsigned char)arg[1]) ||
	       (arg[1] == '.' && isdigit((unsigned char)arg[2]));
}

static int set_from_next(struct parser *p, struct nt_optview_row *vr, const char *typed)
{
	char option[QUOTE_MAX], want[160];

	if (p->next < p->argc && is_value(p->argv[p->next]))
		return set_value(p, vr, typed, p->argv[p->next++]);
	return nt_err_set(p->err, NT_EXIT_USAGE, EINVAL, "missing value: %s: %s",
			  nt_err_quote(option, sizeof(option), typed),
			  nt_opt_want(&vr->opt, want, sizeof(want)));
}

static int parse_long(struct parser *p, const char *arg)
{
	const char *name = arg + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	struct nt_optview_row *vr;
	char typed[QUOTE_MAX + 8];	/* so long that quoting it shows that it was cut */

	snprintf(typed, sizeof(typed), "--%.*s", (int)(len < QUOTE_MAX ? len : QUOTE_MAX), name);
	vr = find_long(p, name, len, len ? typed : arg);
	if (!vr)
		return -EINVAL;
	if (!value && vr->opt.type == NT_OPT_FLAG)
		value = "true";
	return value ? set_value(p, vr, typed, value) : set_from_next(p, vr, typed);
}

static int usage_letter(struct parser *p, const char *arg, const char *at)
{
	unsigned char c = (unsigned char)*at;
	char shown[QUOTE_MAX], other;
	const char *in = at == arg + 1 && !at[1] ? "" : " in ";

	other = (char)(isupper(c) ? tolower(c) : toupper(c));
	nt_err_quote(shown, sizeof(shown), *in ? arg : "");
	if (other != *at && nt_optview_letter(&p->o->view, other))
		return nt_err_set(p->err, NT_EXIT_USAGE, EINVAL,
				  "unknown option: -%c%s%s: did you mean -%c?", c, in, shown,
				  other);
	return nt_err_set(p->err, NT_EXIT_USAGE, EINVAL, "unknown option: -%c%s%s: see --help", c,
			  in, shown);
}

/* "-x", "-xVALUE", "-x VALUE", and flags in a row before any of these. */
static int parse_letters(struct parser *p, const char *arg)
{
	for (const char *at = arg + 1; *at; at++) {
		struct nt_optview_row *vr = nt_optview_letter(&p->o->view, *at);
		char typed[3] = { '-', *at, '\0' };
		int rc;

		if (!vr)
			return usage_letter(p, arg, at);
		if (vr->opt.type != NT_OPT_FLAG)
			return at[1] ? set_value(p, vr, typed, at + 1) :
				       set_from_next(p, vr, typed);
		rc = set_value(p, vr, typed, "true");
		if (rc)
			return rc;
	}
	return 0;
}

static bool is_word(const struct parser *p, const char *arg)
{
	return p->ended || arg[0] != '-' || !arg[1] ||
	       (isdigit((unsigned char)arg[1]) && !p->digits);
}

static int parse_args(struct parser *p)
{
	int rc = 0;

	while (!rc && p->next < p->argc) {
		const char *arg = p->argv[p->next++];

		if (is_word(p, arg))
			p->o->word[p->o->n_words++] = arg;
		else if (!strcmp(arg, "--"))
			p->ended = true;
		else
			rc = arg[1] == '-' ? parse_long(p, arg) : parse_letters(p, arg);
	}
	return rc;
}

static int set_defaults(struct parser *p)
{
	for (size_t i = 0; i < p->o->view.n; i++) {
		struct nt_optview_row *vr = &p->o->view.row[i];
		int rc = 0;

		if (vr->opt.def)
			rc = nt_opt_parse_value(&vr->opt, vr->opt.def, place(vr), &p->o->arena);
		if (rc == -ENOMEM)
			return nt_err_set(p->err, NT_EXIT_RUNTIME, ENOMEM, "options: no memory");
		if (rc)
			return nt_err_set(p->err, NT_EXIT_RUNTIME, EINVAL,
					  "option table: --%s: bad default %s", vr->opt.name,
					  vr->opt.def);
	}
	return 0;
}

static int check_required(struct parser *p)
{
	char want[160];

	if (nt_opts_given(p->o, "help"))
		return 0;	/* who asks for the usage cannot know it yet */
	for (size_t i = 0; i < p->o->view.n; i++) {
		const struct nt_optview_row *vr = &p->o->view.row[i];

		if ((vr->opt.flags & NT_OPT_REQUIRED) && !vr->given)
			return nt_err_set(p->err, NT_EXIT_USAGE, EINVAL, "missing option: --%s: %s",
					  vr->opt.name, nt_opt_want(&vr->opt, want, sizeof(want)));
	}
	return 0;
}

static int join_words(struct nt_opts *o)
{
	size_t size = 1;
	char *at;

	for (size_t i = 0; i < o->n_words; i++)
		size += strlen(o->word[i]) + 1;
	at = o->joined = nt_arena_alloc(&o->arena, size);
	if (!at)
		return -ENOMEM;
	for (size_t i = 0; i < o->n_words; i++) {
		if (i)
			*at++ = ' ';
		at = stpcpy(at, o->word[i]);
	}
	return 0;
}

static int parse_all(struct parser *p, const struct nt_optset *sets, size_t n_sets)
{
	struct nt_opts *o = p->o;
	int rc;

	if (n_sets > NT_OPTSET_MAX)
		return nt_err_set(p->err, NT_EXIT_RUNTIME, EINVAL, "option table: too many sets");
	for (size_t s = 0; s < n_sets; s++)
		o->sets[s] = sets[s];
	rc = nt_optview_init(&o->view, o->sets, n_sets, &o->arena, p->err);
	if (rc)
		return rc;
	for (char c = '0'; c <= '9'; c++)
		p->digits = p->digits || nt_optview_letter(&o->view, c);
	o->word = nt_arena_alloc(&o->arena, ((size_t)p->argc + 1) * sizeof(*o->word));
	if (!o->word)
		return nt_err_set(p->err, NT_EXIT_RUNTIME, ENOMEM, "options: no memory");
	rc = set_defaults(p);
	if (!rc)
		rc = parse_args(p);
	if (!rc)
		rc = check_required(p);
	if (!rc && join_words(o))
		rc = nt_err_set(p->err, NT_EXIT_RUNTIME, ENOMEM, "options: no memory");
	return rc;
}

int nt_opts_parse(struct nt_opts **out, const struct nt_optset *sets, size_t n_sets,
		  int argc, char *const *argv, struct nt_err *err)
{
	struct parser p = { .err = err, .argc = argc > 0 ? argc : 0, .argv = argv };
	int rc;

	*out = NULL;
	p.o = calloc(1, sizeof(*p.o));
	if (!p.o)
		return nt_err_set(err, NT_EXIT_RUNTIME, ENOMEM, "options: no memory");
	rc = parse_all(&p, sets, n_sets);
	if (rc)
		nt_opts_free(p.o);
	else
		*out = p.o;
	return rc;
}

void nt_opts_free(struct nt_opts *o)
{
	if (!o)
		return;
	nt_arena_free(&o->arena);
	free(o);
}

/* A command line that was not parsed (NULL) is an empty one. */
const struct nt_optview *nt_opts_view(const struct nt_opts *o)
{
	static const struct nt_optview none;

	return o ? &o->view : &none;
}

bool nt_opts_given(const struct nt_opts *o, const char *name)
{
	const struct nt_optview_row *vr = nt_optview_name(nt_opts_view(o), name, strlen(name));

	return vr && vr->given;
}

size_t nt_opts_n_words(const struct nt_opts *o)
{
	return o ? o->n_words : 0;
}

const char *nt_opts_word(const struct nt_opts *o, size_t i)
{
	return i < nt_opts_n_words(o) ? o->word[i] : NULL;
}

const char *nt_opts_words(const struct nt_opts *o)
{
	return o ? o->joined : "";
}
