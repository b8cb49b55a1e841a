/* SPDX-License-Identifier: GPL-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "nettrace/monitor.h"

int nt_monitor_log_open(struct nt_monitor_log *l, const char *dir, uint64_t max_bytes)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	*l = (struct nt_monitor_log){ .fd = -1, .max_bytes = max_bytes };
	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d_%H%M%S", &tm);
	for (int i = 1; i < 1000; i++) {
		char more[16] = "";

		if (i > 1)
			snprintf(more, sizeof(more), "_%d", i);
		if ((size_t)snprintf(l->path, sizeof(l->path), "%s/monitor_%s%s.log", dir, stamp, more) >=
		    sizeof(l->path))
			return -ENAMETOOLONG;
		l->fd = open(l->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
		if (l->fd >= 0 || errno != EEXIST)
			break;
	}
	return l->fd < 0 ? -errno : 0;
}

void nt_monitor_log_write(struct nt_monitor_log *l, const char *text, size_t n)
{
	ssize_t written;

	if (l->fd < 0)
		return;
	if (l->bytes + n > l->max_bytes) {
		l->cut_bytes += n;
		return;
	}
	written = write(l->fd, text, n);
	if (written > 0)
		l->bytes += (uint64_t)written;
	if (written < (ssize_t)n)
		l->cut_bytes += n - (size_t)(written > 0 ? written : 0);
}

void nt_monitor_log_close(struct nt_monitor_log *l, bool keep)
{
	if (l->fd < 0)
		return;
	close(l->fd);
	l->fd = -1;
	if (!keep)
		unlink(l->path);
}

static int is_log(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 12 && !strncmp(e->d_name, "monitor_", 8) && !strcmp(e->d_name + n - 4, ".log");
}

/* By time stamp, then by number: "_2" is younger than none, "_10" than "_9". */
static int older_first(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

size_t nt_monitor_log_prune(const char *dir, size_t keep)
{
	struct dirent **list = NULL;
	int n = scandir(dir, &list, is_log, older_first);
	size_t removed = 0;

	for (int i = 0; i < n; i++) {
		char path[800];

		if ((size_t)(n - i) > keep) {
			snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
			removed += !unlink(path);
		}
		free(list[i]);
	}
	free(list);
	return removed;
}
