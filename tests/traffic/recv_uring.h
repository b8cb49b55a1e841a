/* recv() by io_uring. */
#ifndef TRAFFIC_RECV_URING_H
#define TRAFFIC_RECV_URING_H

#include <stddef.h>
#include <sys/types.h>

ssize_t uring_recv(int fd, void *buf, size_t len);

#endif
