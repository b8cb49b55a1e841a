/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nettrace/tool.h"

/* One word from *text on to out; the end of it, NULL: a quote is not closed. */
static char *take_word(const char **text, char *out)
{
	const char *p = *text;
	char quote = 0;

	for (; *p && (quote || (*p != ' ' && *p != '\t' && *p != '\n')); p++) {
		if (*p == quote) {
			quote = 0;
		} else if (!quote && (*p == '\'' || *p == '"')) {
			quote = *p;
		} else if (*p == '\\' && quote != '\'' && p[1] &&
			   (!quote || p[1] == '"' || p[1] == '\\')) {
			*out++ = *++p;
		} else {
			*out++ = *p;
		}
	}
	*out++ = '\0';
	*text = p;
	return quote ? NULL : out;
}

char **nt_words_split(const char *text, size_t *n, struct nt_err *err)
{
	size_t len = strlen(text), most = len / 2 + 2;	/* words, with the NULL behind them */
	char **argv = calloc(1, most * sizeof(*argv) + len + 1);
	char *out = (char *)(argv + most);

	*n = 0;
	while (argv) {
		text += strspn(text, " \t\n");
		if (!*text)
			break;
		argv[(*n)++] = out;
		out = take_word(&text, out);
		if (!out)
			break;
	}
	if (argv && out && *n)
		return argv;
	if (argv)
		nt_err_set(err, NT_EXIT_USAGE, EINVAL, "bad command: %s: %s", *n ? argv[*n - 1] : "\"\"",
			   *n ? "a quote is not closed" : "give a program and its arguments");
	free(argv);
	return NULL;
}

char **nt_words_own_tool(char **argv, bool *own)
{
	static const char *const before[] = { "sudo", "python", "python2", "python3" };
	char **p = argv;

	for (size_t i = 0; *p && i < NT_COUNT(before); i++) {
		const char *slash = strrchr(*p, '/');

		if (!strcmp(slash ? slash + 1 : *p, before[i])) {
			p++;
			i = (size_t)-1;		/* "sudo python3 tool" has two */
		}
	}
	*own = *p && nt_tool_find(*p);
	return *own ? p : argv;
}

/* In the child. The descriptor tells the parent why exec failed; a successful one closes it. */
__attribute__((noreturn))
static void become(char *const *argv, int fd, int failure)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), e;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (null >= 0 && dup2(null, 0) >= 0 && dup2(fd, 1) >= 0 && dup2(fd, 2) >= 0)
		execvp(argv[0], argv);
	e = errno;
	if (write(failure, &e, sizeof(e)) < 0)
		_exit(126);
	_exit(127);
}

pid_t nt_child_start(char *const *argv, int fd)
{
	int failure[2], e = 0;
	pid_t pid;

	if (pipe2(failure, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid)
		become(argv, fd, failure[1]);
	if (pid < 0)
		e = errno;
	close(failure[1]);
	if (pid > 0 && read(failure[0], &e, sizeof(e)) == sizeof(e))
		waitpid(pid, NULL, 0);
	close(failure[0]);
	if (!e)
		setpgid(pid, pid);	/* whoever comes first */
	return e ? -e : pid;
}

bool nt_child_ended(pid_t pid, int *status)
{
	return waitpid(pid, status, WNOHANG) == pid;
}

void nt_child_wait(pid_t pid, unsigned int wait_ms, bool (*idle)(void *arg), void *arg)
{
	int status;

	for (unsigned int ms = 0; ms < wait_ms; ms += 10) {
		bool go_on = !idle || idle(arg);

		if (nt_child_ended(pid, &status)) {
			kill(-pid, SIGKILL);	/* what it left behind in its group */
			return;
		}
		if (!go_on)
			break;
		usleep(10000);
	}
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
}

void nt_child_stop(pid_t pid, unsigned int wait_ms, bool (*idle)(void *arg), void *arg)
{
	kill(-pid, SIGTERM);
	nt_child_wait(pid, wait_ms, idle, arg);
}
