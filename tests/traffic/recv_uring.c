/* Receives by io_uring, without a library: one request at a time. */
#include "common.h"
#include "recv_uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	int fd;
	char *ring;			/* submission and completion share a mapping (5.4) */
	struct io_uring_sqe *sqe;
	struct io_uring_params p;
} u = { .fd = -1 };

static void uring_open(void)
{
	size_t sq, cq;

	u.fd = (int)syscall(SYS_io_uring_setup, 4, &u.p);
	if (u.fd < 0)
		die_errno("io_uring");
	sq = u.p.sq_off.array + u.p.sq_entries * sizeof(unsigned int);
	cq = u.p.cq_off.cqes + u.p.cq_entries * sizeof(struct io_uring_cqe);
	u.ring = mmap(NULL, sq > cq ? sq : cq, PROT_READ | PROT_WRITE, MAP_SHARED, u.fd, IORING_OFF_SQ_RING);
	u.sqe = mmap(NULL, u.p.sq_entries * sizeof(*u.sqe), PROT_READ | PROT_WRITE, MAP_SHARED, u.fd, IORING_OFF_SQES);
	if (u.ring == MAP_FAILED || u.sqe == MAP_FAILED)
		die_errno("io_uring: mmap");
}

static unsigned int *word(unsigned int off)
{
	return (unsigned int *)(u.ring + off);
}

ssize_t uring_recv(int fd, void *buf, size_t len)
{
	struct io_uring_cqe *cqe;
	unsigned int tail, head;
	int res;

	if (u.fd < 0)
		uring_open();
	tail = *word(u.p.sq_off.tail);
	memset(&u.sqe[0], 0, sizeof(u.sqe[0]));
	u.sqe[0].opcode = IORING_OP_RECV;
	u.sqe[0].fd = fd;
	u.sqe[0].addr = (uintptr_t)buf;
	u.sqe[0].len = (unsigned int)len;
	word(u.p.sq_off.array)[tail & *word(u.p.sq_off.ring_mask)] = 0;
	__atomic_store_n(word(u.p.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, u.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -1;
	head = *word(u.p.cq_off.head);
	while (head == __atomic_load_n(word(u.p.cq_off.tail), __ATOMIC_ACQUIRE))
		if (syscall(SYS_io_uring_enter, u.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			return -1;
	cqe = (struct io_uring_cqe *)(u.ring + u.p.cq_off.cqes) + (head & *word(u.p.cq_off.ring_mask));
	res = cqe->res;
	__atomic_store_n(word(u.p.cq_off.head), head + 1, __ATOMIC_RELEASE);
	errno = res < 0 ? -res : 0;
	return res < 0 ? -1 : res;
}
