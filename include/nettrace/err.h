/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Errors: a failing function returns a negative errno and leaves one sentence
 * about it in a struct nt_err; the caller that knows the tool prints it, once:
 *
 *   nettrace TOOL: what failed: on what: what to do
 */
#ifndef NETTRACE_ERR_H
#define NETTRACE_ERR_H

#include <stddef.h>

/* Exit codes (contract). */
enum nt_exit {
	NT_EXIT_OK = 0,
	NT_EXIT_RUNTIME = 1,		/* failed while running */
	NT_EXIT_USAGE = 2,		/* wrong command line or filter */
	NT_EXIT_UNSUPPORTED = 3,	/* this kernel cannot run the tool */
	NT_EXIT_PERMISSION = 4,		/* a capability is missing */
};

struct nt_err {
	enum nt_exit code;
	char text[400];	/* "what: on what: what to do", no newline; "" if none */
};

/*
 * Fills *err (may be NULL) and returns -err_no. The first error wins: a later
 * call on an already filled struct changes nothing, so that the place that
 * knows the cause is the one that is shown.
 */
__attribute__((format(printf, 4, 5)))
int nt_err_set(struct nt_err *err, enum nt_exit code, int err_no, const char *fmt, ...);

/*
 * Copies text for one line of a terminal: control characters and bytes that
 * are not UTF-8 become \xNN; what does not fit is cut and "..." shows it
 * (size >= 4). nt_err_set() does this to its whole sentence; use this one
 * first for user input, so that long input does not push out what follows.
 * Returns buf.
 */
char *nt_err_quote(char *buf, size_t size, const char *text);

#endif
