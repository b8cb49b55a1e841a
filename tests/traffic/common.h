/* Shared parts of the traffic programs: options, JSON, clock, packets, links. */
#ifndef TRAFFIC_COMMON_H
#define TRAFFIC_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NSEC_PER_SEC 1000000000ull

/* --- failure: one line on stderr, exit status 1 -------------------------- */

void set_program_name(const char *name);
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* As die(), followed by the text of errno. */
void die_errno(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void *xcalloc(size_t n, size_t size);

/* --- options ------------------------------------------------------------- */

struct addr {
	int family;		/* AF_INET, AF_INET6, or 0: not given */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
	uint32_t scope;		/* of ADDR%DEV */
};

struct mac {
	bool given;
	uint8_t b[6];
};

enum opt_type {
	OPT_FLAG,		/* bool */
	OPT_U64,		/* uint64_t, from min to max */
	OPT_SECONDS,		/* uint64_t nanoseconds, given in seconds */
	OPT_STR,		/* const char * */
	OPT_ADDR,		/* struct addr */
	OPT_MAC,		/* struct mac */
	OPT_CHOICE,		/* int: index of the word in arg, "a|b|c" */
};

struct opt {
	const char *name;
	enum opt_type type;
	void *value;		/* where it goes; holds the default before */
	const char *arg;	/* shown in the help; NULL for flags */
	const char *help;
	uint64_t min, max;	/* OPT_U64; max 0: no limit */
	bool required;
};

/*
 * Parses argv[1...]; the table ends with a name of NULL. --help prints the
 * help made from the table and exits.
 */
void opts_parse(const char *command, const char *summary, const struct opt *opts,
		int argc, char **argv);

#define OPT_PORT(n, v, h, req) \
	{ .name = n, .type = OPT_U64, .value = v, .arg = "PORT", .help = h, \
	  .min = 1, .max = 65535, .required = req }
#define OPT_TO(v) \
	{ .name = "to", .type = OPT_ADDR, .value = v, .arg = "ADDR", \
	  .help = "destination, IPv4 or IPv6 (ADDR%DEV for link-local)", .required = true }
#define OPT_FROM(v) \
	{ .name = "from", .type = OPT_ADDR, .value = v, .arg = "ADDR", \
	  .help = "source address (default: the kernel's choice)" }

/* --- JSON: one object on one line ---------------------------------------- */

struct json {
	FILE *out;
	bool comma;
};

void json_begin(struct json *j);
void json_end(struct json *j);
void json_u64(struct json *j, const char *name, uint64_t v);
void json_double(struct json *j, const char *name, double v);
void json_null(struct json *j, const char *name);
/* Text without characters that JSON escapes. */
void json_str(struct json *j, const char *name, const char *v);
/* Name may be NULL inside an array. */
void json_open(struct json *j, const char *name, char bracket);
void json_close(struct json *j, char bracket);
void json_u64_array(struct json *j, const char *name, const uint64_t *v, size_t n);

/* --- time, signals, files ------------------------------------------------ */

uint64_t now_ns(void);			/* monotonic */
double seconds_since(uint64_t start_ns);
void sleep_until_ns(uint64_t when);	/* ends early on a stop signal */
void sleep_ns(uint64_t ns);

/* SIGINT and SIGTERM only set a flag from here on. */
void stop_on_signals(void);
bool stopped(void);

/*
 * Waits until fd is readable: 1, or the time has come: 0, or a stop signal
 * arrived: -1. No signal is lost between test and sleep.
 */
int wait_readable(int fd, uint64_t until_ns);

void print_ready(void);
/* Fails after two minutes: no test waits longer. A stop signal ends it. */
void wait_for_file(const char *path);

/* --- sockets ------------------------------------------------------------- */

socklen_t sockaddr_fill(struct sockaddr_storage *ss, const struct addr *a, uint16_t port);
/* Socket bound to from:port, each of which may be unset. */
int socket_bound(int family, int type, int protocol, const struct addr *from, uint16_t port);
void set_receive_buffer(int fd, int bytes);
/* Datagrams lost because the socket's receive buffer was full. */
uint64_t socket_drops(int fd);

struct packet_socket {
	int fd;
	struct sockaddr_ll to;
};

/* Sends only; receives nothing. */
void packet_open(struct packet_socket *p, const char *dev, bool bypass);
/* One Ethernet frame. False: refused, see errno. */
bool packet_send(struct packet_socket *p, const void *frame, size_t len);

/* --- links --------------------------------------------------------------- */

struct link_stats {
	uint64_t rx_packets, tx_packets, rx_dropped, tx_dropped;
};

unsigned int link_index(const char *name);
void link_up(const char *name);
void link_set_qlen(const char *name, int qlen);
void link_mac(const char *name, uint8_t mac[6]);
/* Keeps neighbour discovery and MLD from adding frames. */
void link_disable_ipv6(const char *name);
void link_stats_get(const char *name, struct link_stats *st);

/* --- packets ------------------------------------------------------------- */

#define FRAME_MAX 65536
/* struct virtio_net_hdr_mrg_rxbuf */
#define VNET_HDR_SIZE 12

struct udp_spec {
	struct mac src_mac, dst_mac;
	struct addr src, dst;
	uint16_t sport, dport;
	uint16_t payload;	/* bytes; filled with the number */
	uint16_t number;	/* also the IPv4 identification */
};

/* Ones' complement sum over data, on top of sum; unfolded. */
uint32_t csum_add(uint32_t sum, const void *data, size_t len);
/* The value for the header field, network order. */
uint16_t csum_fold(uint32_t sum);

/* Builds the whole Ethernet frame and returns its length. */
size_t udp_frame(uint8_t *frame, const struct udp_spec *s);
/* Offsets in a frame of udp_frame(). */
size_t udp_header_offset(const struct udp_spec *s);

struct addr addr_v4(const char *text);
struct addr addr_v6(const char *text);
struct mac mac_local(uint8_t last);

#endif
