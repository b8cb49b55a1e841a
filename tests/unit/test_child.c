/* SPDX-License-Identifier: GPL-2.0 */
/* Words of a command, which of them is our own tool, and starting and stopping it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "nettrace/child.h"

static void splits(const char *text, const char *joined)
{
	struct nt_err err = { .text = "" };
	char all[200] = "";
	size_t n = 99;
	char **w = nt_words_split(text, &n, &err);

	for (size_t i = 0; w && i < n; i++) {
		strcat(all, "[");
		strcat(all, w[i]);
		strcat(all, "]");
	}
	CHECK_STR(w ? all : err.text, joined, text);
	CHECK(!w || !w[n], "NULL ends them");
	free(w);
}

static void owns(const char *text, const char *first, bool expected)
{
	struct nt_err err = { .text = "" };
	size_t n;
	char **w = nt_words_split(text, &n, &err), **at;
	bool own = !expected;

	if (!CHECK(w != NULL, text))
		return;
	at = nt_words_own_tool(w, &own);
	CHECK(own == expected, "its own tool or not");
	CHECK_STR(*at, first, "where the command begins");
	free(w);
}

static void test_words(void)
{
	splits("a", "[a]");
	splits("  a\tbc \n d ", "[a][bc][d]");
	splits("a 'b c' \"d e\"f", "[a][b c][d ef]");
	splits("a ''", "[a][]");
	splits("a\\ b \"c\\\"d\\e\" '\\'", "[a b][c\"d\\e][\\]");
	splits("x=$HOME;rm *|", "[x=$HOME;rm][*|]");
	splits("a\\", "[a\\]");
	splits("", "bad command: \"\": give a program and its arguments");
	splits(" \t", "bad command: \"\": give a program and its arguments");
	splits("a 'b", "bad command: b: a quote is not closed");
	splits("\"", "bad command: : a quote is not closed");
	owns("tcpdump -i lo", "tcpdump", false);
	owns("sudo tcpdump", "sudo", false);
	owns("eth_drop -i lo", "eth_drop", true);
	owns("sudo python3 /opt/x/eth_drop.py -i lo", "/opt/x/eth_drop.py", true);
	owns("/usr/bin/python2 eth-drop.py", "eth-drop.py", true);
	owns("sudo", "sudo", false);
}

static size_t output_of(const char *command, char *buf, size_t size, pid_t *pid)
{
	struct nt_err err = { .text = "" };
	size_t n, used = 0;
	char **w = nt_words_split(command, &n, &err);
	int fds[2];
	ssize_t got;

	if (!w || pipe2(fds, O_CLOEXEC))
		return 0;
	*pid = nt_child_start(w, fds[1]);
	close(fds[1]);
	while (*pid > 0 && used + 1 < size && (got = read(fds[0], buf + used, size - 1 - used)) > 0)
		used += (size_t)got;
	buf[used] = '\0';
	close(fds[0]);
	free(w);
	return used;
}

static void test_start(void)
{
	char buf[100];
	int status = 0;
	pid_t pid;

	output_of("echo 'a  b' $HOME", buf, sizeof(buf), &pid);
	CHECK_STR(buf, "a  b $HOME\n", "its output");
	nt_child_wait(pid, 2000, NULL, NULL);
	CHECK(!nt_child_ended(pid, &status), "waited for once");
	output_of("/no/such/program", buf, sizeof(buf), &pid);
	CHECK(pid == -ENOENT, "a program that is not there");
	output_of("sh -c 'sleep 100 >&- 2>&- & exec sleep 100 >&- 2>&-'", buf, sizeof(buf), &pid);
	CHECK(pid > 0 && !nt_child_ended(pid, &status), "it runs");
	nt_child_stop(pid, 2000, NULL, NULL);
	CHECK(!nt_child_ended(pid, &status), "stopped and waited for");
}

int main(void)
{
	test_words();
	test_start();
	return check_done();
}
