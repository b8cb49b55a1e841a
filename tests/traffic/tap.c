#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int queue_open(const struct tap *t, int vnet_hdr)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	if (fd < 0)
		die_errno("/dev/net/tun");
	if (strlen(t->name) >= IFNAMSIZ)
		die("device name %s is too long", t->name);
	strcpy(r.ifr_name, t->name);
	if (vnet_hdr)
		r.ifr_flags |= IFF_VNET_HDR;
	if (t->queues > 1)
		r.ifr_flags |= IFF_MULTI_QUEUE;
	if (ioctl(fd, TUNSETIFF, &r))
		die_errno("attach to %s", t->name);
	if (vnet_hdr && ioctl(fd, TUNSETVNETHDRSZ, &vnet_hdr))
		die_errno("header size of %s", t->name);
	return fd;
}

/* A program that answers with the queue's number for every frame. */
static int steering_program(uint64_t queue)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = (int)queue },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = ARRAY_SIZE(code);
	attr.license = (uintptr_t)"GPL";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		die_errno("steering program");
	return fd;
}

static void steer(const struct tap *t)
{
	int prog = steering_program(t->steer);

	if (ioctl(t->fds[0], TUNSETSTEERINGEBPF, &prog))
		die_errno("steering of %s", t->name);
	close(prog);
}

void tap_open(struct tap *t, int vnet_hdr)
{
	if (t->steer != TAP_NO_STEERING && t->steer >= t->queues)
		die("--steer: there are only %llu queues", (unsigned long long)t->queues);
	for (uint64_t i = 0; i < t->queues; i++)
		t->fds[i] = queue_open(t, vnet_hdr);
	if (t->steer != TAP_NO_STEERING)
		steer(t);
	/* The kernel resizes the rings of all attached queues with it. */
	if (t->qlen)
		link_set_qlen(t->name, (int)t->qlen);
	link_disable_ipv6(t->name);
	link_up(t->name);
}

/* --- frames -------------------------------------------------------------- */

void frames_init(struct frames *f)
{
	static uint8_t frame[FRAME_MAX];

	if (f->src.family == AF_INET6 || f->dst.family == AF_INET6)
		f->ipv6 = true;
	if (!f->src.family)
		f->src = f->ipv6 ? addr_v6("2001:db8::1") : addr_v4("192.0.2.1");
	if (!f->dst.family)
		f->dst = f->ipv6 ? addr_v6("2001:db8::2") : addr_v4("192.0.2.2");
	if (f->src.family != f->dst.family || (f->src.family == AF_INET6) != f->ipv6)
		die("the two addresses are of different families");
	if (f->dport + f->flows - 1 > 65535)
		die("--flows: the ports would exceed 65535");
	f->len = frames_build(f, 0, false, frame);
}

size_t frames_build(const struct frames *f, uint64_t i, bool reply, uint8_t *frame)
{
	uint16_t flow_port = (uint16_t)(f->dport + i % f->flows);
	struct udp_spec s = {
		.src_mac = mac_local(reply ? 2 : 1),
		.dst_mac = mac_local(reply ? 1 : 2),
		.src = reply ? f->dst : f->src,
		.dst = reply ? f->src : f->dst,
		.sport = reply ? flow_port : (uint16_t)f->sport,
		.dport = reply ? (uint16_t)f->sport : flow_port,
		.payload = (uint16_t)f->size,
		.number = (uint16_t)i,
	};

	return udp_frame(frame, &s);
}
