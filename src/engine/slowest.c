/* SPDX-License-Identifier: GPL-2.0 */
#include "slowest.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int nt_slowest_new(struct nt_slowest *s, uint32_t most, size_t record_size)
{
	*s = (struct nt_slowest){ .time = calloc(most ? most : 1, sizeof(*s->time)),
				  .record = calloc(most ? most : 1, record_size),
				  .size = record_size, .most = most };
	if (s->time && s->record)
		return 0;
	nt_slowest_free(s);
	return -ENOMEM;
}

void nt_slowest_free(struct nt_slowest *s)
{
	free(s->time);
	free(s->record);
	*s = (struct nt_slowest){ 0 };
}

void nt_slowest_clear(struct nt_slowest *s)
{
	s->n = 0;
}

static uint32_t least_of(const struct nt_slowest *s)
{
	uint32_t at = 0;

	for (uint32_t i = 1; i < s->n; i++)
		if (s->time[i] < s->time[at])
			at = i;
	return at;
}

static void put(struct nt_slowest *s, uint32_t at, uint64_t time, const void *record)
{
	s->time[at] = time;
	memcpy(s->record + at * s->size, record, s->size);
}

void nt_slowest_add(struct nt_slowest *s, uint64_t time, const void *record)
{
	uint32_t at;

	if (!s->most)
		return;
	if (s->n < s->most) {
		put(s, s->n++, time, record);
		return;
	}
	at = least_of(s);
	if (time > s->time[at])
		put(s, at, time, record);
}

uint64_t nt_slowest_least(const struct nt_slowest *s)
{
	return s->n < s->most || !s->most ? 0 : s->time[least_of(s)];
}

static void swap_records(char *a, char *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char c = a[i];

		a[i] = b[i];
		b[i] = c;
	}
}

void nt_slowest_sort(struct nt_slowest *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t max = i;
		uint64_t time;

		for (uint32_t j = i + 1; j < s->n; j++)
			if (s->time[j] > s->time[max])
				max = j;
		if (max == i)
			continue;
		time = s->time[i];
		s->time[i] = s->time[max];
		s->time[max] = time;
		swap_records(s->record + i * s->size, s->record + max * s->size, s->size);
	}
}

const void *nt_slowest_get(const struct nt_slowest *s, uint32_t i)
{
	return s->record + i * s->size;
}

void nt_slowest_tell(struct nt_run *r, const struct nt_slowest *s)
{
	uint64_t least = nt_slowest_least(s);
	uint32_t zero = 0;

	bpf_map_update_elem(nt_run_map_fd(r, "nt_slowest"), &zero, &least, BPF_ANY);
}
