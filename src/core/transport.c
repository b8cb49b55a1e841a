/* SPDX-License-Identifier: GPL-2.0 */
/* Events from the kernel: ring buffer, or perf buffers where there is none (before 5.8). */
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core.h"

struct nt_transport {
	struct ring_buffer *ring;
	struct perf_buffer *perf;
};

static void deliver(struct nt_run *r, const void *data, size_t size)
{
	const struct nt_engine *e = r->tool->engine;

	if (!e->event || size < e->min_event)
		return;
	if (nt_run_enough(r)) {
		r->after_count++;	/* the user wanted no more; not lost */
		return;
	}
	e->event(r, data, size);
}

static int on_ring(void *ctx, void *data, size_t size)
{
	deliver(ctx, data, size);
	return 0;
}

/* A perf sample's data begins 4 bytes behind an 8-byte boundary: records hold 64-bit members. */
static enum bpf_perf_event_ret on_perf(void *ctx, int cpu, struct perf_event_header *h)
{
	struct { struct perf_event_header h; uint32_t size; char data[]; } *sample = (void *)h;
	struct { struct perf_event_header h; uint64_t id, lost; } *lost = (void *)h;
	static _Alignas(8) char copy[4096];
	struct nt_run *r = ctx;

	(void)cpu;
	if (h->type == PERF_RECORD_SAMPLE && sample->size <= sizeof(copy)) {
		r->perf_received++;
		memcpy(copy, sample->data, sample->size);
		deliver(r, copy, sample->size);
	} else if (h->type == PERF_RECORD_LOST) {
		r->perf_lost += lost->lost;
	}
	return LIBBPF_PERF_EVENT_CONT;
}

static int open_perf(struct nt_run *r, int fd)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.watermark = 1,
	};
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = 1;

	while (pages * page < r->common.buffer_bytes && pages < 1u << 16)
		pages *= 2;
	attr.wakeup_watermark = (uint32_t)(pages * page / 4);
	r->transport->perf = perf_buffer__new_raw(fd, pages, &attr, on_perf, r, NULL);
	return r->transport->perf ? 0 : -errno;
}

int nt_transport_open(struct nt_run *r, struct nt_err *err)
{
	int fd = nt_run_map_fd(r, "nt_events"), rc = 0;

	if (fd < 0)
		return 0;
	r->transport = calloc(1, sizeof(*r->transport));
	if (!r->transport)
		return -ENOMEM;
	if (r->bpf.ringbuf) {
		r->transport->ring = ring_buffer__new(fd, on_ring, r, NULL);
		rc = r->transport->ring ? 0 : -errno;
	} else {
		rc = open_perf(r, fd);
	}
	if (rc)
		return nt_err_set(err, NT_EXIT_RUNTIME, -rc,
				  "cannot open the event buffer: %s: try a smaller --buffer-size",
				  strerror(-rc));
	return 0;
}

int nt_transport_fd(const struct nt_run *r)
{
	if (!r->transport)
		return -1;
	return r->transport->ring ? ring_buffer__epoll_fd(r->transport->ring)
				  : perf_buffer__epoll_fd(r->transport->perf);
}

void nt_transport_drain(struct nt_run *r)
{
	if (!r->transport)
		return;
	if (r->transport->ring)
		ring_buffer__consume(r->transport->ring);
	else
		perf_buffer__consume(r->transport->perf);
}

void nt_transport_close(struct nt_run *r)
{
	if (!r->transport)
		return;
	ring_buffer__free(r->transport->ring);
	perf_buffer__free(r->transport->perf);
	free(r->transport);
	r->transport = NULL;
}
