/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks for unit tests: one line each, "ok - name" or "not ok - name", and a
 * closing line "N passed, N failed". A failed check does not stop the test.
 * main() ends with "return check_done();".
 */
#ifndef NETTRACE_TEST_CHECK_H
#define NETTRACE_TEST_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static unsigned int check_passed, check_failed;

static inline int check_one(int ok, const char *name, const char *file, int line)
{
	if (ok)
		check_passed++;
	else
		check_failed++;
	printf("%sok - %s\n", ok ? "" : "not ", name);
	if (!ok)
		printf("#   at %s:%d\n", file, line);
	return ok;
}

static inline void check_str(const char *a, const char *b, const char *name, const char *file,
			     int line)
{
	if (!check_one(a && b ? !strcmp(a, b) : a == b, name, file, line))
		printf("#   got  \"%s\"\n#   want \"%s\"\n", a ? a : "(null)", b ? b : "(null)");
}

static inline void check_u64(uint64_t a, uint64_t b, const char *name, const char *file, int line)
{
	if (!check_one(a == b, name, file, line))
		printf("#   got  %llu\n#   want %llu\n", (unsigned long long)a,
		       (unsigned long long)b);
}

static inline int check_done(void)
{
	printf("%u passed, %u failed\n", check_passed, check_failed);
	return check_failed ? 1 : 0;
}

#define CHECK(cond, name) check_one(!!(cond), (name), __FILE__, __LINE__)
#define CHECK_STR(a, b, name) check_str((a), (b), (name), __FILE__, __LINE__)
#define CHECK_U64(a, b, name) check_u64((a), (b), (name), __FILE__, __LINE__)

#endif
