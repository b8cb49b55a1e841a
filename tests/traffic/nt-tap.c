/* nt-tap: a TAP device that gets an exact number of frames and is read as told. */
#include "common.h"
#include "tap.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static struct tap tap = TAP_DEFAULTS("nttap0");
static struct frames frames = FRAMES_DEFAULTS;
static uint64_t count, interval_us, read_every_us;
static bool vnet_hdr, no_bypass, two_flows, drain;
static const char *wait_file, *hold_file;

static uint64_t sent, send_errors;
static uint64_t sent_per_flow[4096];
static uint64_t read_per_queue[TAP_QUEUES_MAX];
static atomic_bool sending_done;

static const struct opt opts[] = {
	OPTS_TAP(&tap),
	{ "vnet-hdr", OPT_FLAG, &vnet_hdr, NULL,
	  "with the virtio-net header of 12 bytes", 0, 0, false },
	{ "frames", OPT_U64, &count, "N",
	  "frames to send into the device; default 0", 0, 0, false },
	{ "interval-us", OPT_U64, &interval_us, "US",
	  "time between frames; default 0", 0, 1ull << 32, false },
	{ "no-bypass", OPT_FLAG, &no_bypass, NULL, "through the queueing discipline", 0, 0, false },
	OPTS_FRAMES(&frames),
	{ "two-flows", OPT_FLAG, &two_flows, NULL, "the same as --flows 2", 0, 0, false },
	{ "read-every-us", OPT_U64, &read_every_us, "US",
	  "take one frame per US microseconds while sending and until the rings are empty", 1,
	  1ull << 32, false },
	{ "drain", OPT_FLAG, &drain, NULL, "take all frames after sending", 0, 0, false },
	{ "wait-file", OPT_STR, &wait_file, "PATH",
	  "print 'ready', then send when PATH exists", 0, 0, false },
	{ "hold-file", OPT_STR, &hold_file, "PATH",
	  "keep the device after the result until PATH exists",
	  0, 0, false },
	{ 0 },
};

static const char summary[] =
	"Sends frames into a TAP device that nobody reads unless told so; the ring then takes\n"
	"txqueuelen frames, the rest is dropped (send_errors, tx_dropped).\n"
	"Example: nt-tap --name nttap0 --qlen 64 --frames 100 --drain";

/* One frame of one queue; false: it is empty. */
static bool queue_read(uint64_t queue)
{
	static _Thread_local uint8_t buf[FRAME_MAX + VNET_HDR_SIZE];
	ssize_t n;

	do {
		n = read(tap.fds[queue], buf, sizeof(buf));
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		die_errno("read from %s", tap.name);
	if (n <= 0)
		return false;
	read_per_queue[queue]++;
	return true;
}

static bool read_any(uint64_t *next)
{
	for (uint64_t i = 0; i < tap.queues; i++) {
		uint64_t queue = (*next + i) % tap.queues;

		if (queue_read(queue)) {
			*next = queue + 1;
			return true;
		}
	}
	return false;
}

static void *reader(void *arg)
{
	uint64_t when = now_ns(), next = 0;

	(void)arg;
	while (!stopped()) {
		bool done = atomic_load(&sending_done);

		when += read_every_us * 1000;
		sleep_until_ns(when);
		if (!read_any(&next) && done)
			break;
	}
	return NULL;
}

static void send_all(void)
{
	static uint8_t frame[FRAME_MAX];
	struct packet_socket p;
	uint64_t start;

	packet_open(&p, tap.name, !no_bypass);
	start = now_ns();
	for (uint64_t i = 0; i < count && !stopped(); i++) {
		size_t len = frames_build(&frames, i, false, frame);

		if (interval_us)
			sleep_until_ns(start + i * interval_us * 1000);
		if (packet_send(&p, frame, len)) {
			sent++;
			sent_per_flow[i % frames.flows]++;
		} else if (errno == ENOBUFS) {
			send_errors++;
		} else {
			die_errno("send to %s", tap.name);
		}
	}
}

static void run(void)
{
	pthread_t thread;

	if (read_every_us && pthread_create(&thread, NULL, reader, NULL))
		die("cannot start the reader");
	send_all();
	atomic_store(&sending_done, true);
	if (read_every_us)
		pthread_join(thread, NULL);
	if (drain)
		for (uint64_t q = 0; q < tap.queues; q++)
			while (queue_read(q))
				;
}

static void report(const struct link_stats *before, double seconds)
{
	struct link_stats after;
	uint64_t total = 0;
	struct json out;

	link_stats_get(tap.name, &after);
	for (uint64_t q = 0; q < tap.queues; q++)
		total += read_per_queue[q];
	json_begin(&out);
	json_u64(&out, "sent", sent);
	json_u64(&out, "send_errors", send_errors);
	json_u64_array(&out, "sent_per_flow", sent_per_flow, frames.flows);
	json_u64(&out, "read", total);
	json_u64_array(&out, "read_per_queue", read_per_queue, tap.queues);
	json_u64(&out, "tx_dropped", after.tx_dropped - before->tx_dropped);
	json_u64(&out, "tx_packets", after.tx_packets - before->tx_packets);
	json_u64(&out, "frame_bytes", frames.len);
	json_u64(&out, "ifindex", link_index(tap.name));
	json_double(&out, "seconds", seconds);
	json_end(&out);
}

int main(int argc, char **argv)
{
	struct link_stats before;
	uint64_t start;
	double seconds;

	set_program_name("nt-tap");
	opts_parse(NULL, summary, opts, argc, argv);
	stop_on_signals();
	if (two_flows)
		frames.flows = 2;
	frames_init(&frames);
	tap_open(&tap, vnet_hdr ? VNET_HDR_SIZE : 0);
	if (wait_file) {
		print_ready();
		wait_for_file(wait_file);
	}
	link_stats_get(tap.name, &before);
	start = now_ns();
	run();
	seconds = seconds_since(start);
	report(&before, seconds);
	if (hold_file)
		wait_for_file(hold_file);
	return 0;
}
