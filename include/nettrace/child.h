/* SPDX-License-Identifier: GPL-2.0 */
/* A user's command as a process group of its own; never a shell. */
#ifndef NETTRACE_CHILD_H
#define NETTRACE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "nettrace/err.h"

/*
 * Splits a command as a shell would split its words: spaces, '...', "...", and \ before a
 * character (in "..." before " and \ only); nothing is expanded. The result is one block to
 * free(), ended by NULL; *n words. NULL: no memory, or *err says what is wrong with it.
 */
char **nt_words_split(const char *text, size_t *n, struct nt_err *err);
/*
 * The words of our own executable with a tool, if the first word (after sudo, python, python2 or
 * python3, and whatever its folder) is a tool's name: /proc/self/exe NAME ... in place of it and
 * what stands before. Returns the place in argv where the command begins.
 */
char **nt_words_own_tool(char **argv, bool *own);

/*
 * Starts it with standard input from /dev/null and both outputs to fd. It gets SIGTERM when we
 * die. The process id, or -errno (also of exec).
 */
pid_t nt_child_start(char *const *argv, int fd);
/* Waits for its end, at most wait_ms; then SIGKILL to the whole group. idle (may be NULL) is called
 * every 10 ms meanwhile; false: wait no longer. */
void nt_child_wait(pid_t pid, unsigned int wait_ms, bool (*idle)(void *arg), void *arg);
/* The same after SIGTERM to the group. */
void nt_child_stop(pid_t pid, unsigned int wait_ms, bool (*idle)(void *arg), void *arg);
/* Has it ended by itself? *status as of waitpid(). */
bool nt_child_ended(pid_t pid, int *status);

#endif
