#include "vhost_net.h"
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul

static size_t ring_bytes(void)
{
	return (vring_size(VQ_SIZE, PAGE) + PAGE - 1) & ~(PAGE - 1);
}

static size_t queue_bytes(void)
{
	return ring_bytes() + (size_t)VQ_SIZE * VQ_BUFFER;
}

struct guest_memory guest_memory_make(unsigned int pairs)
{
	struct guest_memory m = { .size = queue_bytes() * VQS_PER_PAIR * pairs };

	m.base = mmap(NULL, m.size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (m.base == MAP_FAILED)
		die_errno("guest memory");
	return m;
}

static void vhost_ioctl(int fd, unsigned long request, const void *arg, const char *what)
{
	if (ioctl(fd, request, arg) < 0)
		die_errno("vhost: %s", what);
}

static int eventfd_make(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		die_errno("eventfd");
	return fd;
}

static void vq_init(struct vq *vq, uint8_t *mem, int direction, const struct vq_config *config,
		    bool call)
{
	*vq = (struct vq){ .config = config, .buffers = mem + ring_bytes(), .nfree = VQ_SIZE,
			   .kick = eventfd_make(), .call = call ? eventfd_make() : -1 };
	vring_init(&vq->ring, VQ_SIZE, mem, PAGE);
	if (config->no_interrupt)
		vq->ring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	for (uint16_t i = 0; i < VQ_SIZE; i++) {
		vq->free[i] = (uint16_t)(VQ_SIZE - 1 - i);
		vq->ring.desc[i] = (struct vring_desc){
			.addr = (uintptr_t)(vq->buffers + (size_t)i * VQ_BUFFER),
			.len = VQ_BUFFER,
			.flags = direction == VQ_RX ? VRING_DESC_F_WRITE : 0,
		};
	}
	vq_arm(vq);
}

static void vq_set_up(const struct vq *vq, int vhost, unsigned int index)
{
	struct vhost_vring_state num = { index, VQ_SIZE }, base = { index, 0 };
	struct vhost_vring_file kick = { index, vq->kick }, call = { index, vq->call };
	struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = (uintptr_t)vq->ring.desc,
		.avail_user_addr = (uintptr_t)vq->ring.avail,
		.used_user_addr = (uintptr_t)vq->ring.used,
	};

	vhost_ioctl(vhost, VHOST_SET_VRING_NUM, &num, "ring size");
	vhost_ioctl(vhost, VHOST_SET_VRING_BASE, &base, "ring base");
	vhost_ioctl(vhost, VHOST_SET_VRING_ADDR, &addr, "ring address");
	vhost_ioctl(vhost, VHOST_SET_VRING_KICK, &kick, "kick eventfd");
	vhost_ioctl(vhost, VHOST_SET_VRING_CALL, &call, "call eventfd");
}

static void set_features(int fd, bool event_idx)
{
	uint64_t want = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_NET_F_MRG_RXBUF;
	uint64_t have = 0;

	if (event_idx)
		want |= 1ull << VIRTIO_RING_F_EVENT_IDX;
	vhost_ioctl(fd, VHOST_GET_FEATURES, &have, "features");
	if ((have & want) != want)
		die("vhost-net lacks features %#llx", (unsigned long long)(want & ~have));
	vhost_ioctl(fd, VHOST_SET_FEATURES, &want, "features");
}

static void set_memory(int fd, const struct guest_memory *mem)
{
	struct vhost_memory *m = xcalloc(1, sizeof(*m) + sizeof(m->regions[0]));

	m->nregions = 1;
	m->regions[0] = (struct vhost_memory_region){
		.guest_phys_addr = (uintptr_t)mem->base,
		.memory_size = mem->size,
		.userspace_addr = (uintptr_t)mem->base,
	};
	vhost_ioctl(fd, VHOST_SET_MEM_TABLE, m, "memory table");
	free(m);
}

void vhost_pair_open(struct vhost_pair *p, const struct guest_memory *mem, unsigned int index,
		     const struct vq_config *config, bool call)
{
	p->fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	if (p->fd < 0)
		die_errno("/dev/vhost-net");
	vhost_ioctl(p->fd, VHOST_SET_OWNER, NULL, "owner");
	set_features(p->fd, config->event_idx);
	set_memory(p->fd, mem);
	for (unsigned int i = 0; i < VQS_PER_PAIR; i++) {
		uint8_t *at = mem->base + queue_bytes() * (index * VQS_PER_PAIR + i);

		vq_init(&p->vqs[i], at, (int)i, config, call);
		vq_set_up(&p->vqs[i], p->fd, i);
	}
}

void vhost_pair_start(struct vhost_pair *p, int tap)
{
	for (unsigned int i = 0; i < VQS_PER_PAIR; i++) {
		struct vhost_vring_file backend = { i, tap };

		p->vqs[i].started = true;
		vhost_ioctl(p->fd, VHOST_NET_SET_BACKEND, &backend, "backend");
	}
}

static bool wants_kick(const struct vq *vq, uint16_t old)
{
	if (vq->config->event_idx) {
		uint16_t event = __atomic_load_n(&vring_avail_event(&vq->ring), __ATOMIC_RELAXED);

		return vring_need_event(event, vq->avail, old);
	}
	return !(__atomic_load_n(&vq->ring.used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
}

void vq_post(struct vq *vq, unsigned int n)
{
	uint16_t old = vq->avail;

	for (; n && vq->nfree; n--)
		vq->ring.avail->ring[vq->avail++ % VQ_SIZE] = vq->free[--vq->nfree];
	if (vq->avail == old)
		return;
	vq->posted += (uint16_t)(vq->avail - old);
	__atomic_store_n(&vq->ring.avail->idx, vq->avail, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->started || !wants_kick(vq, old))
		return;
	if (eventfd_write(vq->kick, 1))
		die_errno("kick");
	vq->kicks++;
}

unsigned int vq_reap(struct vq *vq)
{
	uint16_t end = __atomic_load_n(&vq->ring.used->idx, __ATOMIC_ACQUIRE);
	unsigned int n = 0;

	while ((uint16_t)vq->used != end) {
		const struct vring_used_elem *e = &vq->ring.used->ring[vq->used % VQ_SIZE];

		if (e->id >= VQ_SIZE || vq->nfree == VQ_SIZE)
			die("vhost used a buffer that was not posted");
		vq->free[vq->nfree++] = (uint16_t)e->id;
		if (e->len > VNET_HDR_SIZE)	/* 0 for transmit */
			vq->bytes += e->len - VNET_HDR_SIZE;
		vq->used++;
		n++;
	}
	return n;
}

void vq_arm(struct vq *vq)
{
	uint64_t every = vq->config->used_event;
	/* The index far ahead is never reached: every arming moves it on. */
	uint64_t event = every ? vq->used - vq->used % every + every - 1 : vq->used + 0x8000;

	if (!vq->config->event_idx)
		return;
	__atomic_store_n(&vring_used_event(&vq->ring), (uint16_t)event, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

uint8_t *vq_next_buffer(struct vq *vq, uint32_t len)
{
	uint16_t id = vq->free[vq->nfree - 1];

	vq->ring.desc[id].len = len;
	return vq->buffers + (size_t)id * VQ_BUFFER;
}

uint64_t vq_signals(struct vq *vq)
{
	eventfd_t n = 0;

	if (vq->call >= 0 && eventfd_read(vq->call, &n) && errno != EAGAIN)
		die_errno("call eventfd");
	return n;
}
