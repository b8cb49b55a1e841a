/*
 * nt-vhost: plays QEMU and its guest. A TAP device with vhost-net behind it,
 * whose call eventfds are irqfds of a virtual machine that never runs.
 */
#include "common.h"
#include "tap.h"
#include "vhost_kvm.h"
#include "vhost_net.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#define POLL_NS 20000
#define SETTLE_NS 100000000	/* the signal comes after the used index */
#define EVENT_IDX_PAUSE_US 500
#define UNSET UINT64_MAX

enum call { CALL_NONE, CALL_IRQFD, CALL_EVENTFD };
enum route { ROUTE_MSI, ROUTE_PIN };

static struct tap tap = TAP_DEFAULTS("vtap0");
static struct frames frames = FRAMES_DEFAULTS;
static struct vq_config vq_config = { .used_event = 1 };
static uint64_t rx_count = 100, tx_count = 100, self_signals;
static uint64_t gsi = 24, vector = 0x51, interval_us = UNSET, delay_us, stall_ms = 2000;
static bool burst, no_refill, no_kvm, no_vcpu, no_bypass;
static int call = -1, route;
static const char *wait_file, *hold_file, *comm;

static struct vhost_pair pairs[TAP_QUEUES_MAX];
static uint64_t rx_sent, rx_errors, rx_stray, tx_queued, stalls;

static const struct opt opts[] = {
	OPTS_TAP(&tap),
	{ "rx", OPT_U64, &rx_count, "N",
	  "frames to the guest, sent into the device; default 100", 0, 0, false },
	{ "tx", OPT_U64, &tx_count, "N", "frames from the guest; default 100", 0, 0, false },
	{ "burst", OPT_FLAG, &burst, NULL, "do not wait for each frame", 0, 0, false },
	{ "interval-us", OPT_U64, &interval_us, "US",
	  "pause after each frame, with --burst time between frames; default 0, or 500 with\n"
	  "--event-idx and no --burst (so that signals are exact)",
	  0, 1ull << 32, false },
	{ "delay-us", OPT_U64, &delay_us, "US",
	  "post receive buffers only US after the frame was sent, with --burst after the first\n"
	  "frame; until then there are none", 0, 1ull << 32, false },
	{ "no-refill", OPT_FLAG, &no_refill, NULL,
	  "post 256 receive buffers per queue and no more", 0, 0, false },
	{ "no-bypass", OPT_FLAG, &no_bypass, NULL,
	  "frames to the guest pass the queueing discipline", 0, 0, false },
	OPTS_FRAMES(&frames),
	{ "no-interrupt", OPT_FLAG, &vq_config.no_interrupt, NULL,
	  "the guest suppresses signals by flag (not with --event-idx)", 0, 0, false },
	{ "event-idx", OPT_FLAG, &vq_config.event_idx, NULL,
	  "with VIRTIO_RING_F_EVENT_IDX", 0, 0, false },
	{ "used-event", OPT_U64, &vq_config.used_event, "N",
	  "with --event-idx: a signal for every Nth buffer; 0: never, but vhost always signals\n"
	  "the first one of a queue; default 1", 0, 128, false },
	{ "call", OPT_CHOICE, &call, "none|irqfd|eventfd",
	  "where signals go; default irqfd, with --no-kvm eventfd", 0, 0, false },
	{ "no-kvm", OPT_FLAG, &no_kvm, NULL, "no virtual machine", 0, 0, false },
	{ "no-vcpu", OPT_FLAG, &no_vcpu, NULL,
	  "machine without vCPU: interrupts take the slow path", 0, 0, false },
	{ "route", OPT_CHOICE, &route, "msi|pin",
	  "kind of interrupt route; pin: slow path; default msi", 0, 0, false },
	{ "gsi", OPT_U64, &gsi, "G",
	  "of the first receive queue, others follow: rx0 tx0 rx1...; default 24",
	  0, 4000, false },
	{ "vector", OPT_U64, &vector, "V", "likewise; default 0x51", 16, 255, false },
	{ "self-signals", OPT_U64, &self_signals, "N",
	  "the driver itself writes N times 1 to the call eventfd of rx0, last of all; default 0",
	  0, 0, false },
	{ "comm", OPT_STR, &comm, "NAME", "name of the process", 0, 0, false },
	{ "stall-ms", OPT_U64, &stall_ms, "MS",
	  "a frame not taken for so long is a stall, which ends the\n"
	  "direction; default 2000", 1, 600000, false },
	{ "wait-file", OPT_STR, &wait_file, "PATH",
	  "print 'ready', then send when PATH exists", 0, 0, false },
	{ "hold-file", OPT_STR, &hold_file, "PATH",
	  "keep all of it after the result until PATH exists",
	  0, 0, false },
	{ 0 },
};

static const char summary[] =
	"Plays QEMU and its guest: sends frames through TAP, vhost-net and irqfd, first to\n"
	"the guest, then from it. Needs the modules tun, vhost_net and kvm_intel or kvm_amd.\n"
	"Example: nt-vhost --name vtap0 --rx 200 --tx 0";

static struct vq *vq_of(uint64_t pair, int direction)
{
	return &pairs[pair].vqs[direction];
}

static uint64_t total_used(int direction)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < tap.queues; i++)
		n += vq_of(i, direction)->used;
	return n;
}

/* --- set-up -------------------------------------------------------------- */

static void check_options(void)
{
	if (call < 0)
		call = no_kvm ? CALL_EVENTFD : CALL_IRQFD;
	if (no_kvm && call == CALL_IRQFD)
		die("--call irqfd needs the machine that --no-kvm leaves out");
	if (vq_config.event_idx && vq_config.no_interrupt)
		die("--no-interrupt has no meaning with --event-idx: use --used-event 0");
	if (no_refill && delay_us && !burst)
		die("--no-refill and --delay-us go together only with --burst");
	if (delay_us && !burst && tap.queues > 1 && tap.steer == TAP_NO_STEERING)
		die("--delay-us with several queues needs --burst or --steer");
	if (vector + tap.queues * VQS_PER_PAIR - 1 > 255)
		die("--vector: the last one would exceed 255");
	if (self_signals && call == CALL_NONE)
		die("--self-signals needs a call eventfd");
	if (interval_us == UNSET)
		interval_us = vq_config.event_idx && !burst ? EVENT_IDX_PAUSE_US : 0;
}

static void connect_irqfds(void)
{
	const struct kvm_config config = {
		.routes = (unsigned int)(tap.queues * VQS_PER_PAIR), .gsi = gsi, .vector = vector,
		.vcpu = !no_vcpu, .pin = route == ROUTE_PIN,
	};
	int vm = kvm_machine_make(&config);

	for (uint64_t i = 0; i < tap.queues; i++)
		for (int d = 0; d < VQS_PER_PAIR; d++)
			kvm_irqfd_add(vm, vq_of(i, d)->call, gsi + i * VQS_PER_PAIR + (uint64_t)d);
}

static void set_up(void)
{
	struct guest_memory mem = guest_memory_make((unsigned int)tap.queues);

	if (comm)
		prctl(PR_SET_NAME, comm);
	prctl(PR_SET_TIMERSLACK, 1);
	tap_open(&tap, VNET_HDR_SIZE);
	for (unsigned int i = 0; i < tap.queues; i++)
		vhost_pair_open(&pairs[i], &mem, i, &vq_config, call != CALL_NONE);
	if (call == CALL_IRQFD)
		connect_irqfds();
	for (uint64_t i = 0; i < tap.queues; i++) {
		if (!delay_us)
			vq_post(vq_of(i, VQ_RX), VQ_SIZE);
		vhost_pair_start(&pairs[i], tap.fds[i]);
	}
}

/* --- to the guest -------------------------------------------------------- */

/* Posts n buffers on each queue that has none. */
static void rx_post(unsigned int n)
{
	for (uint64_t i = 0; i < tap.queues; i++)
		if (vq_of(i, VQ_RX)->nfree == VQ_SIZE)
			vq_post(vq_of(i, VQ_RX), n);
}

static unsigned int rx_reap(bool refill)
{
	unsigned int n = 0;

	for (uint64_t i = 0; i < tap.queues; i++) {
		struct vq *vq = vq_of(i, VQ_RX);
		unsigned int k = vq_reap(vq);

		if (k && refill)
			vq_post(vq, k);
		if (k && burst)
			vq_arm(vq);
		n += k;
	}
	return n;
}

static bool rx_starved(void)
{
	for (uint64_t i = 0; i < tap.queues; i++)
		if (vq_of(i, VQ_RX)->nfree < VQ_SIZE)
			return false;
	return true;
}

/* Until all accepted frames arrived. False: they did not. */
static bool rx_wait(bool refill)
{
	uint64_t limit = now_ns() + stall_ms * 1000000;

	while (total_used(VQ_RX) - rx_stray < rx_sent && !stopped()) {
		if (rx_reap(refill)) {
			limit = now_ns() + stall_ms * 1000000;
			continue;
		}
		if (!refill && rx_starved())
			return true;
		if (now_ns() > limit) {
			stalls++;
			return false;
		}
		sleep_ns(POLL_NS);
	}
	return true;
}

static void rx_send(struct packet_socket *p, uint64_t i)
{
	static uint8_t frame[FRAME_MAX];
	size_t len = frames_build(&frames, i, false, frame);

	if (packet_send(p, frame, len))
		rx_sent++;
	else if (errno == ENOBUFS)
		rx_errors++;
	else
		die_errno("send to %s", tap.name);
}

static void rx_one_by_one(struct packet_socket *p)
{
	for (uint64_t i = 0; i < rx_count && !stopped(); i++) {
		for (uint64_t q = 0; q < tap.queues; q++)
			vq_arm(vq_of(q, VQ_RX));
		rx_send(p, i);
		if (delay_us) {
			sleep_ns(delay_us * 1000);
			rx_post(1);
		}
		if (!rx_wait(!no_refill && !delay_us))
			return;
		sleep_ns(interval_us * 1000);
	}
}

static void rx_burst(struct packet_socket *p)
{
	uint64_t start = now_ns();

	for (uint64_t i = 0; i < rx_count && !stopped(); i++) {
		if (interval_us)
			sleep_until_ns(start + i * interval_us * 1000);
		rx_send(p, i);
		if (!delay_us)
			rx_reap(!no_refill);
	}
	if (delay_us) {
		sleep_until_ns(start + delay_us * 1000);
		rx_post(VQ_SIZE);
	}
	rx_wait(!no_refill);
}

static void rx_run(void)
{
	struct packet_socket p;

	packet_open(&p, tap.name, !no_bypass);
	rx_stray = rx_reap(!no_refill && !delay_us);
	if (burst)
		rx_burst(&p);
	else
		rx_one_by_one(&p);
	close(p.fd);
}

/* --- from the guest ------------------------------------------------------ */

/* Until at most pending buffers are with vhost. False: that did not happen. */
static bool tx_wait(struct vq *vq, unsigned int pending)
{
	uint64_t limit = now_ns() + stall_ms * 1000000;

	while (VQ_SIZE - vq->nfree > pending && !stopped()) {
		if (vq_reap(vq)) {
			if (burst)
				vq_arm(vq);
			continue;
		}
		if (now_ns() > limit) {
			stalls++;
			return false;
		}
		sleep_ns(POLL_NS);
	}
	return true;
}

static void tx_queue(struct vq *vq, uint64_t i)
{
	uint8_t *at = vq_next_buffer(vq, (uint32_t)(VNET_HDR_SIZE + frames.len));

	memset(at, 0, VNET_HDR_SIZE);
	frames_build(&frames, i, true, at + VNET_HDR_SIZE);
	vq_post(vq, 1);
	tx_queued++;
}

static void tx_run(void)
{
	for (uint64_t i = 0; i < tx_count && !stopped(); i++) {
		struct vq *vq = vq_of(i % tap.queues, VQ_TX);

		if (!tx_wait(vq, burst ? VQ_SIZE - 1 : 0))
			return;
		if (!burst)
			vq_arm(vq);
		tx_queue(vq, i);
		if (!burst && !tx_wait(vq, 0))
			return;
		sleep_ns(interval_us * 1000);
	}
	for (uint64_t i = 0; i < tap.queues; i++)
		if (!tx_wait(vq_of(i, VQ_TX), 0))
			return;
}

/* --- the rest ------------------------------------------------------------ */

static void self_run(void)
{
	for (uint64_t i = 0; i < self_signals && !stopped(); i++) {
		if (eventfd_write(vq_of(0, VQ_RX)->call, 1))
			die_errno("call eventfd");
		sleep_ns(interval_us * 1000);
	}
}

static uint64_t sum_of(const uint64_t *v)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < tap.queues; i++)
		n += v[i];
	return n;
}

static void report_signals(struct json *out, const char *name, const char *per_queue, int direction)
{
	uint64_t n[TAP_QUEUES_MAX];

	if (call == CALL_IRQFD) {	/* KVM may have taken them from the counter */
		json_null(out, name);
		return;
	}
	for (uint64_t i = 0; i < tap.queues; i++)
		n[i] = vq_signals(vq_of(i, direction));
	json_u64(out, name, sum_of(n));
	json_u64_array(out, per_queue, n, tap.queues);
}

static void report_queues(struct json *out)
{
	uint64_t got[TAP_QUEUES_MAX], bytes[TAP_QUEUES_MAX], used[TAP_QUEUES_MAX];
	uint64_t kicks_rx[TAP_QUEUES_MAX], kicks_tx[TAP_QUEUES_MAX];

	for (uint64_t i = 0; i < tap.queues; i++) {
		got[i] = vq_of(i, VQ_RX)->used;
		bytes[i] = vq_of(i, VQ_RX)->bytes;
		used[i] = vq_of(i, VQ_TX)->used;
		kicks_rx[i] = vq_of(i, VQ_RX)->kicks;
		kicks_tx[i] = vq_of(i, VQ_TX)->kicks;
	}
	json_u64(out, "rx_got", sum_of(got) - rx_stray);
	json_u64(out, "rx_bytes", sum_of(bytes));
	json_u64_array(out, "rx_per_queue", got, tap.queues);
	json_u64(out, "tx_queued", tx_queued);
	json_u64(out, "tx_used", sum_of(used));
	json_u64_array(out, "tx_per_queue", used, tap.queues);
	json_u64(out, "kicks", sum_of(kicks_rx) + sum_of(kicks_tx));
	json_u64(out, "kicks_rx", sum_of(kicks_rx));
	json_u64(out, "kicks_tx", sum_of(kicks_tx));
}

static void report(const struct link_stats *before, double seconds)
{
	static const char *const calls[] = { "none", "irqfd", "eventfd" };
	struct link_stats after;
	struct json out;

	link_stats_get(tap.name, &after);
	json_begin(&out);
	json_u64(&out, "rx_sent", rx_sent);
	json_u64(&out, "rx_errors", rx_errors);
	json_u64(&out, "rx_stray", rx_stray);
	report_queues(&out);
	json_str(&out, "call", calls[call]);
	report_signals(&out, "signals_rx", "signals_rx_per_queue", VQ_RX);
	report_signals(&out, "signals_tx", "signals_tx_per_queue", VQ_TX);
	json_u64(&out, "self_signals", self_signals);
	json_u64(&out, "stalls", stalls);
	json_u64(&out, "dev_tx_packets", after.tx_packets - before->tx_packets);
	json_u64(&out, "dev_tx_dropped", after.tx_dropped - before->tx_dropped);
	json_u64(&out, "dev_rx_packets", after.rx_packets - before->rx_packets);
	json_u64(&out, "frame_bytes", frames.len);
	json_u64(&out, "ifindex", link_index(tap.name));
	json_u64(&out, "pid", (uint64_t)getpid());
	json_double(&out, "seconds", seconds);
	json_end(&out);
}

int main(int argc, char **argv)
{
	struct link_stats before;
	uint64_t start;
	double seconds;

	set_program_name("nt-vhost");
	opts_parse(NULL, summary, opts, argc, argv);
	stop_on_signals();
	check_options();
	frames_init(&frames);
	set_up();
	if (wait_file) {
		print_ready();
		wait_for_file(wait_file);
	}
	link_stats_get(tap.name, &before);
	start = now_ns();
	rx_run();
	tx_run();
	self_run();
	seconds = seconds_since(start);
	sleep_ns(SETTLE_NS);
	report(&before, seconds);
	if (hold_file)
		wait_for_file(hold_file);
	return 0;
}
