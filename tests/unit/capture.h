/* SPDX-License-Identifier: GPL-2.0 */
/* For tests of the writer: an output to a temporary file, and what it got. */
#ifndef NETTRACE_TEST_CAPTURE_H
#define NETTRACE_TEST_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nettrace/out.h"

static char capture_path[64];
static char capture_text[1 << 20];

static inline struct nt_out *capture_start(enum nt_format format)
{
	struct nt_out *o;
	int fd;

	strcpy(capture_path, "/tmp/nt_test_XXXXXX");
	fd = mkstemp(capture_path);
	if (fd < 0 || nt_out_open(&o, capture_path, format, false)) {
		perror("capture_start");
		exit(1);
	}
	close(fd);
	return o;
}

static inline const char *capture_read(void)
{
	FILE *f = fopen(capture_path, "r");
	size_t n = f ? fread(capture_text, 1, sizeof(capture_text) - 1, f) : 0;

	if (f)
		fclose(f);
	capture_text[n] = '\0';
	return capture_text;
}

static inline const char *capture_flushed(struct nt_out *o)
{
	nt_out_flush(o);
	return capture_read();
}

/* Closes; the text stays until the next capture. */
static inline const char *capture_end(struct nt_out *o)
{
	nt_out_close(o);
	capture_read();
	unlink(capture_path);
	return capture_text;
}

/* As capture_end(); *valid tells whether jq takes every line (true where there is no jq). */
static inline const char *capture_end_jq(struct nt_out *o, int *valid)
{
	char cmd[256];

	nt_out_close(o);
	capture_read();
	snprintf(cmd, sizeof(cmd), "! command -v jq >/dev/null || jq -e . %s >/dev/null",
		 capture_path);
	*valid = system(cmd) == 0;
	unlink(capture_path);
	return capture_text;
}

#endif
