/* SPDX-License-Identifier: GPL-2.0 */
/* A file with given bytes, for tests of readers. */
#ifndef NETTRACE_TEST_TEMP_FILE_H
#define NETTRACE_TEST_TEMP_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char temp_path[64];

/* Makes the file or writes it anew; the path, good until temp_done(). */
static inline const char *temp_file(const void *data, size_t n)
{
	FILE *f;
	int fd;

	if (!temp_path[0]) {
		strcpy(temp_path, "/tmp/nt_test_XXXXXX");
		fd = mkstemp(temp_path);
		if (fd >= 0)
			close(fd);
	}
	f = fopen(temp_path, "w");
	if (!f || fwrite(data, 1, n, f) != n || fclose(f)) {
		perror(temp_path);
		exit(1);
	}
	return temp_path;
}

static inline void temp_done(void)
{
	if (temp_path[0])
		unlink(temp_path);
	temp_path[0] = '\0';
}

#endif
