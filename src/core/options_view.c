/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options as data: the rows of all sets as one view, and which row a spelling means.
 */
#include "nettrace/options.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_LEN	40	/* longest typed name that is compared for a suggestion */

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
	opt->flags |= by->flags & (NT_OPT_HIDDEN | NT_OPT_REQUIRED | NT_OPT_ZERO_IS_ANY);
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

const char *nt_optview_prefix(const struct nt_optview *v, const struct nt_optview_row *vr,
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

const char *nt_optview_nearest(const struct nt_optview *v, const char *name, size_t len,
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
