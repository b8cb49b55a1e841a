/* SPDX-License-Identifier: GPL-2.0 */
#include "sweep.h"

#include <bpf/bpf.h>
#include <string.h>

void nt_sweep(struct nt_run *r, struct nt_sweep *s, const char *map, void *value, size_t n, nt_sweep_fn *fn,
	      void *arg)
{
	uint8_t key[NT_SWEEP_KEY_MAX], next[NT_SWEEP_KEY_MAX];
	int fd = nt_run_map_fd(r, map);
	bool more = !bpf_map_get_next_key(fd, s->has_cursor ? s->cursor : NULL, key);

	for (; more && n; n--, memcpy(key, next, sizeof(key))) {
		more = !bpf_map_get_next_key(fd, key, next);
		if (!bpf_map_lookup_elem(fd, key, value))
			fn(r, fd, key, value, arg);
	}
	s->has_cursor = more;
	if (more)
		memcpy(s->cursor, key, sizeof(key));
}
