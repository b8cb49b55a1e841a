/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What code runs: the kernel's CPU clock samples each watched CPU while it is not idle, and puts the
 * frames into a ring that is emptied ten times a second. Samples are counted by thread and stack; at
 * the end of a span those of a hot CPU are written to a file, and all are forgotten.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cpu.h"

enum { RING_BYTES = 128 << 10, RECORD_MAX = 4096 };

/* ---- records ---- */
int nt_cpu_sample_parse(const void *record, size_t size, struct nt_cpu_sample *s, uint64_t *lost)
{
	struct perf_event_header h;
	const uint8_t *p = record;
	uint64_t n, addr, numbers[2];
	bool user = false;

	if (size < sizeof(h))
		return -EINVAL;
	memcpy(&h, p, sizeof(h));
	if (h.size != size)
		return -EINVAL;
	if (h.type == PERF_RECORD_LOST && size >= sizeof(h) + sizeof(numbers)) {
		memcpy(numbers, p + sizeof(h), sizeof(numbers));	/* id, lost */
		*lost += numbers[1];
	}
	if (h.type != PERF_RECORD_SAMPLE)
		return 0;
	if (size < sizeof(h) + 16)
		return -EINVAL;
	memset(s, 0, sizeof(*s));
	memcpy(&s->pid, p + sizeof(h), 4);
	memcpy(&s->tid, p + sizeof(h) + 4, 4);
	memcpy(&n, p + sizeof(h) + 8, 8);
	if (n > (size - sizeof(h) - 16) / 8)
		return -EINVAL;
	for (uint64_t i = 0; i < n && s->n_kernel + s->n_user < NT_CPU_FRAMES; i++) {
		memcpy(&addr, p + sizeof(h) + 16 + i * 8, 8);
		if (addr >= (uint64_t)PERF_CONTEXT_MAX) {
			user = addr == (uint64_t)PERF_CONTEXT_USER;
			continue;
		}
		s->frame[s->n_kernel + s->n_user] = addr;
		*(user ? &s->n_user : &s->n_kernel) += 1;
	}
	return 1;
}

static uint64_t hash(uint32_t cpu, const struct nt_cpu_sample *s)
{
	uint64_t h = 14695981039346656037ULL ^ cpu ^ (uint64_t)s->tid << 32;

	for (uint32_t i = 0; i < s->n_kernel + s->n_user; i++)
		h = (h ^ s->frame[i]) * 1099511628211ULL;
	return h ^ h >> 29;
}

static void count(struct nt_run *r, struct nt_cpu_profile *p, uint32_t cpu, const struct nt_cpu_sample *s)
{
	p->ring[cpu].samples++;
	for (uint64_t i = hash(cpu, s);; i++) {
		struct nt_cpu_stack *e = &p->stack[i % NT_CPU_STACKS];

		if (e->count && (e->cpu != cpu || memcmp(&e->s, s, sizeof(*s))))
			continue;
		if (!e->count && p->n_stacks >= NT_CPU_STACKS / 4 * 3) {
			p->ring[cpu].too_many++;
			nt_run_lost(r, NT_STAT_MAP_FULL, 1);
			return;
		}
		if (!e->count) {
			p->n_stacks++;
			e->s = *s;
			e->cpu = cpu;
			if (p->usyms)
				nt_usyms_remember(p->usyms, s->pid);
		}
		e->count++;
		return;
	}
}

/* ---- rings ---- */
static void copy_out(const struct nt_cpu_profile *p, const struct nt_cpu_ring *ring, uint64_t at, void *to, size_t n)
{
	const uint8_t *data = (const uint8_t *)ring->page + p->page_size;
	size_t from = at % RING_BYTES, first = RING_BYTES - from < n ? RING_BYTES - from : n;

	memcpy(to, data + from, first);
	memcpy((uint8_t *)to + first, data, n - first);
}

static void drain(struct nt_run *r, struct nt_cpu_profile *p, uint32_t cpu)
{
	struct nt_cpu_ring *ring = &p->ring[cpu];
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->page->data_tail, lost = 0;

	while (tail + sizeof(struct perf_event_header) <= head) {
		static uint8_t record[RECORD_MAX];
		struct perf_event_header h;
		struct nt_cpu_sample s;

		copy_out(p, ring, tail, &h, sizeof(h));
		if (h.size < sizeof(h) || tail + h.size > head)
			break;
		if (h.size <= sizeof(record)) {
			copy_out(p, ring, tail, record, h.size);
			if (nt_cpu_sample_parse(record, h.size, &s, &lost) > 0)
				count(r, p, cpu, &s);
		}
		tail += h.size;
	}
	__atomic_store_n(&ring->page->data_tail, head, __ATOMIC_RELEASE);
	ring->lost += lost;
	nt_run_lost(r, NT_STAT_LOST_BUFFER, lost);
}

void nt_cpu_profile_drain(struct nt_run *r, struct nt_cpu_profile *p)
{
	for (uint32_t cpu = 0; cpu < p->n_cpus; cpu++)
		if (p->ring[cpu].page)
			drain(r, p, cpu);
}

static int open_ring(struct nt_cpu_profile *p, uint32_t cpu, uint32_t hz)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = hz, .freq = 1, .exclude_idle = 1, .disabled = 0,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN,
		.sample_max_stack = NT_CPU_FRAMES,
	};
	void *map;

	p->ring[cpu].fd = (int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (p->ring[cpu].fd < 0)
		return -errno;
	map = mmap(NULL, p->page_size + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p->ring[cpu].fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	p->ring[cpu].page = map;
	return 0;
}

/* The user's folder, or one in /tmp; made when the first file is. */
static void name_dir(struct nt_run *r, struct nt_cpu_profile *p)
{
	const struct nt_cpu_opts *o = nt_run_opts(r);
	time_t now = time(NULL);
	char date[32];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y%m%d_%H%M%S", &tm);
	if (o->profile_dir)
		snprintf(p->dir, sizeof(p->dir), "%s", o->profile_dir);
	else
		snprintf(p->dir, sizeof(p->dir), "/tmp/cpu_monitor_perf_%s", date);
}

struct nt_cpu_profile *nt_cpu_profile_open(struct nt_run *r, const bool *watched, struct nt_err *err)
{
	const struct nt_cpu_opts *o = nt_run_opts(r);
	struct nt_cpu_profile *p = calloc(1, sizeof(*p));
	int rc = 0;

	if (!p)
		return NULL;
	p->n_cpus = nt_run_cpus(r);
	p->page_size = (size_t)sysconf(_SC_PAGESIZE);
	p->ring = calloc(p->n_cpus, sizeof(*p->ring));
	p->stack = calloc(NT_CPU_STACKS, sizeof(*p->stack));
	if (!p->ring || !p->stack || nt_usyms_new(&p->usyms))
		rc = -ENOMEM;
	for (uint32_t cpu = 0; !rc && cpu < p->n_cpus; cpu++) {
		p->ring[cpu].fd = -1;
		rc = watched[cpu] ? open_ring(p, cpu, o->hz) : 0;
		if (rc == -ENODEV)
			rc = 0;		/* not online */
	}
	name_dir(r, p);
	if (!rc)
		return p;
	nt_err_set(err, rc == -EACCES || rc == -EPERM ? NT_EXIT_PERMISSION : NT_EXIT_RUNTIME, -rc,
		   "cannot sample: %s: %s", "perf_event_open", rc == -EACCES || rc == -EPERM ?
		   "CAP_PERFMON (before 5.8 CAP_SYS_ADMIN) is missing" : rc == -EINVAL ?
		   "give a lower --hz (kernel.perf_event_max_sample_rate)" : strerror(-rc));
	nt_cpu_profile_close(p);
	return NULL;
}

void nt_cpu_profile_clear(struct nt_cpu_profile *p)
{
	for (size_t i = 0; i < NT_CPU_STACKS; i++)
		p->stack[i].count = 0;
	for (size_t i = 0; i < p->n_cpus; i++)
		p->ring[i].samples = p->ring[i].lost = p->ring[i].too_many = 0;
	p->n_stacks = 0;
	/* Mappings change, and processes end: what is known of them is known of a span. */
	nt_usyms_free(p->usyms);
	if (nt_usyms_new(&p->usyms))
		p->usyms = NULL;
}

void nt_cpu_profile_close(struct nt_cpu_profile *p)
{
	if (!p)
		return;
	for (size_t i = 0; p->ring && i < p->n_cpus; i++) {
		if (p->ring[i].page)
			munmap(p->ring[i].page, p->page_size + RING_BYTES);
		if (p->ring[i].fd > 0)
			close(p->ring[i].fd);
	}
	nt_usyms_free(p->usyms);
	free(p->ring);
	free(p->stack);
	free(p);
}
