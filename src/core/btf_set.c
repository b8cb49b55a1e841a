/* SPDX-License-Identifier: GPL-2.0 */
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "nettrace/btf_file.h"

/* libbpf 1.1 declares btf__new_split() but has none: split BTF goes through a path. */
static struct btf *open_btf(const struct nt_btf_set *s, const struct nt_btf *raw)
{
	struct btf *btf;
	char path[32];
	size_t size;
	const void *data = nt_btf_bytes(raw, &size);
	int fd, e;

	if (!nt_btf_split(raw))
		return btf__new(data, (uint32_t)size);
	fd = nt_btf_memory(data, size, path);
	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	btf = btf__parse_raw_split(path, s->item[0].btf);
	e = errno;
	close(fd);
	errno = e;
	return btf;
}

int nt_btf_set_add(struct nt_btf_set *s, struct nt_btf *raw, const char *path, struct nt_err *err)
{
	struct btf *btf;
	int rc;

	if (s->n == NT_COUNT(s->item)) {
		nt_btf_close(raw);
		return nt_err_set(err, NT_EXIT_RUNTIME, E2BIG, "too many files: %s: give at most %zu", path,
				  NT_COUNT(s->item));
	}
	s->item[s->n].raw = raw;
	btf = open_btf(s, raw);
	rc = btf ? 0 : -errno;
	s->item[s->n++].btf = btf;
	if (!rc)
		rc = nt_core_target_add(&s->target, btf);
	return rc ? nt_err_set(err, NT_EXIT_RUNTIME, -rc, "cannot use as BTF: %s: %s", path,
			       strerror(-rc)) : 0;
}

void nt_btf_set_free(struct nt_btf_set *s)
{
	nt_core_target_free(&s->target);
	while (s->n) {		/* the first is the others' base */
		s->n--;
		btf__free(s->item[s->n].btf);
		nt_btf_close(s->item[s->n].raw);
	}
}
