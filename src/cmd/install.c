/* SPDX-License-Identifier: GPL-2.0 */
/* nettrace --install DIR: a symlink for every name of every tool. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nettrace/core_api.h"

/* 0: made or already ours; 1: something else is there; -1: failed. */
static int link_one(const char *self, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n >= 0) {
		target[n] = '\0';
		if (!strcmp(target, self))
			return 0;
	}
	if (symlink(self, path) == 0)
		return 0;
	if (errno == EEXIST) {
		fprintf(stderr, "nettrace install: left alone: %s: it is not a link of this program\n", path);
		return 1;
	}
	fprintf(stderr, "nettrace install: cannot make the link: %s: %s\n", path, strerror(errno));
	return -1;
}

static int link_names(const char *self, const char *dir, const char *names, unsigned int *made,
		      unsigned int *kept)
{
	char path[PATH_MAX];

	while (names && *names) {
		size_t n = strcspn(names, "|");
		int rc;

		snprintf(path, sizeof(path), "%s/%.*s", dir, (int)n, names);
		rc = link_one(self, path);
		if (rc < 0)
			return -1;
		*(rc ? kept : made) += 1;
		names += n + (names[n] == '|');
	}
	return 0;
}

int nt_cmd_install(int argc, char **argv)
{
	unsigned int made = 0, kept = 0;
	char self[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (argc != 2) {
		fprintf(stderr, "nettrace install: missing folder: give one: nettrace --install DIR\n");
		return NT_EXIT_USAGE;
	}
	if (stat(argv[1], &st) || !S_ISDIR(st.st_mode)) {
		fprintf(stderr, "nettrace install: not a folder: %s: make it first\n", argv[1]);
		return NT_EXIT_USAGE;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0) {
		fprintf(stderr, "nettrace install: cannot find this program: /proc/self/exe: %s\n",
			strerror(errno));
		return NT_EXIT_RUNTIME;
	}
	self[n] = '\0';
	for (size_t i = 0; i < nt_n_tools; i++)
		if (link_names(self, argv[1], nt_tools[i].tool->name, &made, &kept) ||
		    link_names(self, argv[1], nt_tools[i].tool->aliases, &made, &kept))
			return NT_EXIT_RUNTIME;
	printf("%u links in %s, %u names left alone\n", made, argv[1], kept);
	return 0;
}
