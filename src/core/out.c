/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The writer: a line buffer before a file descriptor (the JSON builder on it is
 * in out_json.c).
 *
 * The first write error is final: what comes later is dropped, so that callers
 * need not look after each line. A JSON line is flushed only when it is whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "out_priv.h"

#define FIRST_CAP	(16u << 10)
#define KEEP_CAP	(1u << 20)	/* a buffer that one giant line made larger is given back */
#define FLUSH_AT	(256u << 10)	/* lines between two flushes must not eat the memory */
#define STALL_POLL_MS	50
#define GRACE_MS	500		/* of the second that a run has to end in */

static int open_path(const char *path)
{
	int fd;

	do {
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int nt_out_open(struct nt_out **out, const char *path, enum nt_format format, bool color)
{
	struct nt_out *o = calloc(1, sizeof(*o));
	int err = -ENOMEM;

	*out = NULL;
	if (!o)
		return err;
	o->fd = STDOUT_FILENO;
	o->format = format;
	o->color = color && format == NT_TEXT;
	o->cap = FIRST_CAP;
	o->buf = malloc(o->cap);
	if (!o->buf)
		goto fail;
	if (path) {
		o->path = strdup(path);
		if (!o->path)
			goto fail;
		err = open_path(path);
		if (err < 0)
			goto fail;
		o->fd = err;
	}
	o->tty = isatty(o->fd);
	*out = o;
	return 0;
fail:
	free(o->path);
	free(o->buf);
	free(o);
	return err;
}

int nt_out_reopen(struct nt_out *o)
{
	int fd;

	nt_out_flush(o);
	if (!o->path)
		return 0;
	fd = open_path(o->path);
	if (fd < 0)
		return fd;	/* better the old file than none */
	close(o->fd);
	o->fd = fd;
	o->tty = isatty(fd);
	o->csv_rows = NULL;
	o->generation++;
	return 0;
}

void nt_out_close(struct nt_out *o)
{
	if (!o)
		return;
	nt_out_flush(o);
	if (o->path)
		close(o->fd);
	free(o->path);
	free(o->buf);
	free(o);
}

enum nt_format nt_out_format(const struct nt_out *o)
{
	return o->format;
}

bool nt_out_color(const struct nt_out *o)
{
	return o->color;
}

bool nt_out_failed(const struct nt_out *o, int *errno_out)
{
	if (errno_out)
		*errno_out = o->error;
	return o->error != 0;
}

static uint64_t monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Files, also on a full disk, answer at once; a pipe's or a terminal's reader may not. */
static bool can_stall(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && !S_ISREG(st.st_mode);
}

/* Until the reader takes something. Once the run is to end it has GRACE_MS left for that. */
static void wait_writable(struct nt_out *o)
{
	struct pollfd p = { .fd = o->fd, .events = POLLOUT };
	uint64_t give_up = 0;

	while (!o->error && poll(&p, 1, STALL_POLL_MS) <= 0) {
		if (!o->stopping || !o->stopping(o->stopping_arg))
			continue;
		if (!give_up)
			give_up = monotonic_ms() + GRACE_MS;
		else if (monotonic_ms() >= give_up)
			o->error = ETIMEDOUT;
	}
}

static void write_all(struct nt_out *o, size_t n)
{
	bool slow = n && can_stall(o->fd);
	const char *p = o->buf;

	while (n && !o->error) {
		ssize_t done;

		if (slow)
			wait_writable(o);
		if (o->error)
			return;
		/* a pipe that is writable takes PIPE_BUF bytes without blocking (pipe(7)) */
		done = write(o->fd, p, slow && n > PIPE_BUF ? PIPE_BUF : n);
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		} else if (done == 0) {
			o->error = EIO;
		} else if (errno != EINTR && errno != EAGAIN) {
			o->error = errno;
		}
	}
}

void nt_out_on_stall(struct nt_out *o, bool (*stopping)(void *arg), void *arg)
{
	o->stopping = stopping;
	o->stopping_arg = arg;
}

void nt_out_flush(struct nt_out *o)
{
	size_t end = o->depth ? o->line : o->len;

	write_all(o, end);
	if (end < o->len)
		memmove(o->buf, o->buf + end, o->len - end);
	o->len -= end;
	o->line = 0;
	if (!o->len && o->cap > KEEP_CAP) {
		char *buf = realloc(o->buf, FIRST_CAP);

		if (buf) {
			o->buf = buf;
			o->cap = FIRST_CAP;
		}
	}
}

void nt_out_line_done(struct nt_out *o)
{
	if (o->len >= FLUSH_AT)
		nt_out_flush(o);
}

char *nt_out_room(struct nt_out *o, size_t n)
{
	if (o->cap - o->len < n) {
		size_t cap = o->cap + o->cap / 2 + n;
		char *buf = realloc(o->buf, cap);

		if (!buf) {
			if (!o->error)
				o->error = ENOMEM;
			return NULL;
		}
		o->buf = buf;
		o->cap = cap;
	}
	return o->buf + o->len;
}

void nt_out_put(struct nt_out *o, const char *s, size_t n)
{
	char *p = nt_out_room(o, n);

	if (!p || !n)
		return;
	memcpy(p, s, n);
	o->len += n;
}

void nt_text(struct nt_out *o, const char *fmt, ...)
{
	size_t size = 256;
	va_list ap;

	if (o->format != NT_TEXT)
		return;
	for (;;) {
		char *p = nt_out_room(o, size);
		int n;

		if (!p)
			return;
		va_start(ap, fmt);
		n = vsnprintf(p, size, fmt, ap);
		va_end(ap);
		if (n < 0)
			return;
		if ((size_t)n < size) {
			o->len += (size_t)n;
			break;
		}
		size = (size_t)n + 1;
	}
	if (o->len && o->buf[o->len - 1] == '\n')
		nt_out_line_done(o);
}
