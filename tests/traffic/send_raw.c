/* nt-send raw, badsum */
#include "common.h"
#include "nt-send.h"

#include <arpa/inet.h>
#include <endian.h>
#include <ifaddrs.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#define PCAP_MAGIC 0xa1b2c3d4
#define PCAP_LINK_ETHERNET 1
#define RAW_FRAMES_MAX 65536

struct raw_job {
	const char *dev, *hex, *pcap;
	uint64_t count, interval_us;
	bool bypass;

	struct raw_frame {
		uint8_t *data;
		size_t len;
	} *frames;
	size_t nframes;
	uint64_t sent, bytes, errors;
};

struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snaplen, link;
};

struct pcap_record {
	uint32_t seconds, microseconds, captured, length;
};

static void frame_add(struct raw_job *j, const uint8_t *data, size_t len)
{
	struct raw_frame *f;

	if (len < ETH_HLEN)
		die("frame %zu is shorter than an Ethernet header", j->nframes + 1);
	if (j->nframes == RAW_FRAMES_MAX)
		die("more than %d frames", RAW_FRAMES_MAX);
	j->frames = realloc(j->frames, (j->nframes + 1) * sizeof(*j->frames));
	if (!j->frames)
		die("out of memory");
	f = &j->frames[j->nframes++];
	f->data = xcalloc(len, 1);
	f->len = len;
	memcpy(f->data, data, len);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Blanks and colons may stand between the bytes. */
static void load_hex(struct raw_job *j)
{
	static uint8_t frame[FRAME_MAX];
	const char *p = j->hex;
	size_t len = 0;

	for (;;) {
		p += strspn(p, " :\n\t");
		if (!*p)
			break;
		if (len == sizeof(frame))
			die("--hex: the frame is too long");
		if (hex_digit(p[0]) < 0 || hex_digit(p[1]) < 0)
			die("--hex: '%.2s' is not a byte", p);
		frame[len++] = (uint8_t)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
		p += 2;
	}
	frame_add(j, frame, len);
}

static void load_pcap(struct raw_job *j)
{
	static uint8_t frame[FRAME_MAX];
	FILE *f = fopen(j->pcap, "rb");
	struct pcap_header h;
	struct pcap_record r;

	if (!f)
		die_errno("%s", j->pcap);
	if (fread(&h, sizeof(h), 1, f) != 1 || le32toh(h.magic) != PCAP_MAGIC)
		die("%s: not a little endian microsecond pcap file", j->pcap);
	if ((le32toh(h.link) & 0xffff) != PCAP_LINK_ETHERNET)
		die("%s: not Ethernet", j->pcap);
	while (fread(&r, sizeof(r), 1, f) == 1) {
		uint32_t len = le32toh(r.captured);

		if (len > sizeof(frame) || fread(frame, 1, len, f) != len)
			die("%s: frame %zu is cut off", j->pcap, j->nframes + 1);
		frame_add(j, frame, len);
	}
	fclose(f);
	if (!j->nframes)
		die("%s: no frames", j->pcap);
}

static void raw_run(struct raw_job *j)
{
	struct packet_socket p;
	uint64_t start = now_ns();

	packet_open(&p, j->dev, j->bypass);
	for (uint64_t i = 0; i < j->count * j->nframes && !stopped(); i++) {
		struct raw_frame *f = &j->frames[i % j->nframes];

		if (j->interval_us)
			sleep_until_ns(start + i * j->interval_us * 1000);
		if (packet_send(&p, f->data, f->len)) {
			j->sent++;
			j->bytes += f->len;
		} else {
			j->errors++;
		}
	}
}

void cmd_raw(int argc, char **argv)
{
	struct raw_job j = { .count = 1 };
	const struct opt opts[] = {
		{ "dev", OPT_STR, &j.dev, "DEV", "device to send on", 0, 0, true },
		{ "hex", OPT_STR, &j.hex, "BYTES",
		  "one frame from destination MAC on, in hexadecimal", 0, 0, false },
		{ "pcap", OPT_STR, &j.pcap, "FILE",
		  "every frame of a pcap file, in order", 0, 0, false },
		{ "count", OPT_U64, &j.count, "N",
		  "how often to send all of it; default 1", 0, 1ull << 32, false },
		{ "interval-us", OPT_U64, &j.interval_us, "US",
		  "time between frames; default 0", 0, 1ull << 32, false },
		{ "bypass", OPT_FLAG, &j.bypass, NULL,
		  "past the queueing discipline", 0, 0, false },
		{ 0 },
	};
	struct json out;

	opts_parse("raw", "Sends the given Ethernet frames unchanged.", opts, argc, argv);
	if (!j.hex == !j.pcap)
		die("give either --hex or --pcap");
	if (j.hex)
		load_hex(&j);
	else
		load_pcap(&j);
	raw_run(&j);
	json_begin(&out);
	json_u64(&out, "frames", j.nframes);
	json_u64(&out, "sent", j.sent);
	json_u64(&out, "bytes", j.bytes);
	json_u64(&out, "errors", j.errors);
	json_end(&out);
}

/* --- badsum -------------------------------------------------------------- */

enum bad { BAD_UDP, BAD_IP };

/* The device's own address of this family. */
static struct addr device_addr(const char *dev, int family)
{
	struct addr a = { 0 };
	struct ifaddrs *list;

	if (getifaddrs(&list))
		die_errno("getifaddrs");
	for (struct ifaddrs *i = list; i && !a.family; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != family || strcmp(i->ifa_name, dev))
			continue;
		a.family = family;
		if (family == AF_INET)
			a.v4 = ((struct sockaddr_in *)i->ifa_addr)->sin_addr;
		else
			a.v6 = ((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr;
	}
	freeifaddrs(list);
	if (!a.family)
		die("%s has no address of that family: give --from", dev);
	return a;
}

static void spoil(uint8_t *frame, const struct udp_spec *s, int bad)
{
	size_t at = bad == BAD_IP ? ETH_HLEN + offsetof(struct iphdr, check)
				  : udp_header_offset(s) + offsetof(struct udphdr, check);
	uint16_t sum;

	memcpy(&sum, frame + at, 2);
	sum ^= htons(0x5555);
	/* 0 would mean: no checksum; 0xffff counts as 0. */
	if (!sum || sum == 0xffff)
		sum = htons(0x1234);
	memcpy(frame + at, &sum, 2);
}

void cmd_badsum(int argc, char **argv)
{
	struct udp_spec s = { 0 };
	uint64_t port = 9, sport = 40000, count = 1, size = 32, sent = 0, errors = 0;
	static uint8_t frame[FRAME_MAX];
	const char *dev = NULL;
	struct packet_socket p;
	int bad = BAD_UDP;
	const struct opt opts[] = {
		OPT_TO(&s.dst),
		{ "dev", OPT_STR, &dev, "DEV", "device to send on", 0, 0, true },
		{ "dst-mac", OPT_MAC, &s.dst_mac, "MAC", "destination MAC", 0, 0, true },
		{ "src-mac", OPT_MAC, &s.src_mac, "MAC",
		  "source MAC; default: the device's", 0, 0, false },
		{ "from", OPT_ADDR, &s.src, "ADDR",
		  "source address; default: the device's", 0, 0, false },
		{ "proto", OPT_CHOICE, &bad, "udp|ip",
		  "which checksum is wrong; default udp", 0, 0, false },
		OPT_PORT("port", &port, "destination port; default 9", false),
		OPT_PORT("sport", &sport, "source port; default 40000", false),
		{ "count", OPT_U64, &count, "N", "packets; default 1", 0, 0, false },
		{ "size", OPT_U64, &size, "BYTES", "UDP payload; default 32", 0, 1472, false },
		{ 0 },
	};
	struct json out;

	opts_parse("badsum", "Sends UDP packets whose IPv4 header or UDP checksum is wrong.",
		   opts, argc, argv);
	if (bad == BAD_IP && s.dst.family != AF_INET)
		die("IPv6 has no header checksum");
	if (!s.src.family)
		s.src = device_addr(dev, s.dst.family);
	if (s.src.family != s.dst.family)
		die("the two addresses are of different families");
	if (!s.src_mac.given)
		link_mac(dev, s.src_mac.b);
	s.sport = (uint16_t)sport;
	s.dport = (uint16_t)port;
	s.payload = (uint16_t)size;
	packet_open(&p, dev, false);
	for (uint64_t i = 0; i < count && !stopped(); i++) {
		size_t len;

		s.number = (uint16_t)i;
		len = udp_frame(frame, &s);
		spoil(frame, &s, bad);
		if (packet_send(&p, frame, len))
			sent++;
		else
			errors++;
	}
	json_begin(&out);
	json_u64(&out, "sent", sent);
	json_u64(&out, "errors", errors);
	json_end(&out);
}
