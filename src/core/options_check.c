/* SPDX-License-Identifier: GPL-2.0 */
/* Options as data: the check of a table, for a unit test. */
#include "nettrace/options.h"

#include <ctype.h>
#include <string.h>

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
