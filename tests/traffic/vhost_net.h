/* The guest's side of vhost-net: vrings in own memory, and the vhost set-up. */
#ifndef TRAFFIC_VHOST_NET_H
#define TRAFFIC_VHOST_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/virtio_ring.h>

#define VQ_SIZE 256
#define VQ_BUFFER 2048

enum { VQ_RX, VQ_TX, VQS_PER_PAIR };

struct vq_config {
	bool event_idx;
	bool no_interrupt;	/* VRING_AVAIL_F_NO_INTERRUPT */
	uint64_t used_event;	/* with event_idx: a signal for every n-th buffer, 0: none */
};

struct vq {
	const struct vq_config *config;
	struct vring ring;
	uint8_t *buffers;	/* VQ_SIZE of VQ_BUFFER bytes, one per descriptor */
	int kick, call;		/* eventfds; call is -1: none */
	bool started;		/* no kicks before */
	uint16_t free[VQ_SIZE];	/* descriptors that are not posted */
	unsigned int nfree;
	uint16_t avail;		/* own copy of the available index */
	uint64_t posted, used, bytes, kicks;	/* used, bytes: taken back by vq_reap() */
};

struct vhost_pair {
	int fd;
	struct vq vqs[VQS_PER_PAIR];
};

/* Memory of all queues; every vhost device gets it as the guest's memory. */
struct guest_memory {
	uint8_t *base;
	uint64_t size;
};

struct guest_memory guest_memory_make(unsigned int pairs);

/*
 * Opens vhost-net for pair number index and sets up both queues, all but the
 * backend. call says whether there are call eventfds.
 */
void vhost_pair_open(struct vhost_pair *p, const struct guest_memory *mem, unsigned int index,
		     const struct vq_config *config, bool call);
/* From here on the worker runs. */
void vhost_pair_start(struct vhost_pair *p, int tap);

/* Posts up to n free descriptors and kicks if vhost wants it. */
void vq_post(struct vq *vq, unsigned int n);
/* Takes back what vhost has used and returns the number. */
unsigned int vq_reap(struct vq *vq);
/* Tells vhost after which buffer to signal; only with event_idx. */
void vq_arm(struct vq *vq);
/* The buffer that vq_post() takes next: fill it first. */
uint8_t *vq_next_buffer(struct vq *vq, uint32_t len);
/* Signals on a plain call eventfd since the last call. */
uint64_t vq_signals(struct vq *vq);

#endif
