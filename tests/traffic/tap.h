/* TAP devices and the frames sent into them; for nt-tap and nt-vhost. */
#ifndef TRAFFIC_TAP_H
#define TRAFFIC_TAP_H

#include "common.h"

#define TAP_QUEUES_MAX 16
#define TAP_NO_STEERING UINT64_MAX

struct tap {
	const char *name;
	uint64_t queues;
	uint64_t qlen;		/* 0: as it is */
	uint64_t steer;		/* the queue for all frames, or TAP_NO_STEERING */
	int fds[TAP_QUEUES_MAX];
};

#define TAP_DEFAULTS(n) { .name = n, .queues = 1, .steer = TAP_NO_STEERING }
#define OPTS_TAP(t) \
	{ .name = "name", .type = OPT_STR, .value = &(t)->name, .arg = "DEV", \
	  .help = "device, made unless it exists; default as shown in the example" }, \
	{ .name = "queues", .type = OPT_U64, .value = &(t)->queues, .arg = "N", \
	  .help = "queues; default 1", .min = 1, .max = TAP_QUEUES_MAX }, \
	{ .name = "qlen", .type = OPT_U64, .value = &(t)->qlen, .arg = "N", \
	  .help = "txqueuelen, which is also the size of each ring; default: the kernel's, 1000", \
	  .min = 1, .max = 1 << 20 }, \
	{ .name = "steer", .type = OPT_U64, .value = &(t)->steer, .arg = "Q", \
	  .help = "all frames to queue Q (default: by flow hash)", .max = TAP_QUEUES_MAX - 1 }

/* Opens all queues; vnet_hdr is the size of the header before each frame, 0: none. */
void tap_open(struct tap *t, int vnet_hdr);

/* --- frames -------------------------------------------------------------- */

/* Frame i belongs to flow i % flows, whose destination port is dport + that. */
struct frames {
	struct addr src, dst;
	uint64_t sport, dport, flows, size;
	bool ipv6;
	size_t len;		/* of each Ethernet frame */
};

#define FRAMES_DEFAULTS { .sport = 40000, .dport = 5000, .flows = 1, .size = 100 }
#define FRAME_PAYLOAD_MAX 1452
#define OPTS_FRAMES(f) \
	{ .name = "ipv6", .type = OPT_FLAG, .value = &(f)->ipv6, .help = "UDP over IPv6" }, \
	{ .name = "src", .type = OPT_ADDR, .value = &(f)->src, .arg = "ADDR", \
	  .help = "source of the frames; default 192.0.2.1 or 2001:db8::1" }, \
	{ .name = "dst", .type = OPT_ADDR, .value = &(f)->dst, .arg = "ADDR", \
	  .help = "destination; default 192.0.2.2 or 2001:db8::2" }, \
	OPT_PORT("sport", &(f)->sport, "UDP source port; default 40000", false), \
	OPT_PORT("dport", &(f)->dport, "UDP destination port; default 5000", false), \
	{ .name = "flows", .type = OPT_U64, .value = &(f)->flows, .arg = "N", \
	  .help = "frame i goes to destination port PORT + i modulo N; default 1", \
	  .min = 1, .max = 4096 }, \
	{ .name = "size", .type = OPT_U64, .value = &(f)->size, .arg = "BYTES", \
	  .help = "UDP payload; default 100", .max = FRAME_PAYLOAD_MAX }

/* After the options are parsed. */
void frames_init(struct frames *f);
/* Writes frame i, at most FRAME_MAX bytes. Reply: the other direction. */
size_t frames_build(const struct frames *f, uint64_t i, bool reply, uint8_t *frame);

#endif
