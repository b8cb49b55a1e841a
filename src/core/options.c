/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options as data: the walk over argv.
 */
#include "nettrace/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ARENA_BLOCK	4096
#define QUOTE_MAX	72	/* of the user's text in an error: the rest has to fit too */

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

static int usage_unknown(struct parser *p, const char *name, size_t len, const char *typed)
{
	char shown[QUOTE_MAX];
	size_t found_len;
	const char *found = nt_optview_nearest(&p->o->view, name, len, &found_len);

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
		const char *match = nt_optview_prefix(v, &v->row[i], name, len, &match_len);

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
		if (nt_optview_prefix(v, &v->row[i], name, len, &match_len)) {
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

static bool is_bool(const char *word)
{
	return !strcasecmp(word, "true") || !strcasecmp(word, "false");
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
	if (!value && vr->opt.flags & NT_OPT_BOOL_WORD && p->next < p->argc && is_bool(p->argv[p->next]))
		value = p->argv[p->next++];
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
