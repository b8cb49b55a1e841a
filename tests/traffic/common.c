#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OPTS_MAX 48
#define HELP_COLUMN 28
#define FILE_WAIT_NS (120 * NSEC_PER_SEC)

/* --- failure ------------------------------------------------------------- */

static const char *program = "traffic";

void set_program_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	program = slash ? slash + 1 : name;
}

static void complain(const char *fmt, va_list ap)
{
	fprintf(stderr, "%s: ", program);
	vfprintf(stderr, fmt, ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void die_errno(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(1);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		die("out of memory");
	return p;
}

/* --- options ------------------------------------------------------------- */

static bool parse_u64(const char *text, uint64_t *v)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*v = strtoull(text, &end, 0);
	return !errno && !*end;
}

static void parse_number(const struct opt *o, const char *text)
{
	uint64_t max = o->max ? o->max : UINT64_MAX;
	uint64_t v;

	if (!parse_u64(text, &v))
		die("--%s: '%s' is not a number", o->name, text);
	if (v < o->min || v > max)
		die("--%s: %s is out of range, %llu to %llu", o->name, text,
		    (unsigned long long)o->min, (unsigned long long)max);
	*(uint64_t *)o->value = v;
}

static void parse_seconds(const struct opt *o, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v >= 0 && v < 1e6))
		die("--%s: '%s' is not a number of seconds", o->name, text);
	*(uint64_t *)o->value = (uint64_t)(v * 1e9);
}

static void parse_addr(const struct opt *o, const char *text)
{
	char buf[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	struct addr *a = o->value;
	char *dev;

	*a = (struct addr){ 0 };
	if (inet_pton(AF_INET, text, &a->v4) == 1) {
		a->family = AF_INET;
		return;
	}
	snprintf(buf, sizeof(buf), "%s", text);
	dev = strchr(buf, '%');
	if (dev)
		*dev++ = '\0';
	if (inet_pton(AF_INET6, buf, &a->v6) != 1)
		die("--%s: '%s' is not an address", o->name, text);
	if (dev)
		a->scope = link_index(dev);
	a->family = AF_INET6;
}

static void parse_mac(const struct opt *o, const char *text)
{
	struct mac *m = o->value;
	int used = 0;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m->b[0], &m->b[1], &m->b[2],
		   &m->b[3], &m->b[4], &m->b[5], &used) != 6 || text[used])
		die("--%s: '%s' is not a MAC address", o->name, text);
	m->given = true;
}

static void parse_choice(const struct opt *o, const char *text)
{
	const char *word = o->arg;

	for (int i = 0; word; i++) {
		size_t len = strcspn(word, "|");

		if (strlen(text) == len && !strncmp(word, text, len)) {
			*(int *)o->value = i;
			return;
		}
		word = word[len] ? word + len + 1 : NULL;
	}
	die("--%s: '%s' is none of %s", o->name, text, o->arg);
}

static void opt_take(const struct opt *o, const char *text)
{
	switch (o->type) {
	case OPT_FLAG:
		*(bool *)o->value = true;
		break;
	case OPT_U64:
		parse_number(o, text);
		break;
	case OPT_SECONDS:
		parse_seconds(o, text);
		break;
	case OPT_STR:
		*(const char **)o->value = text;
		break;
	case OPT_ADDR:
		parse_addr(o, text);
		break;
	case OPT_MAC:
		parse_mac(o, text);
		break;
	case OPT_CHOICE:
		parse_choice(o, text);
		break;
	}
}

/* Further lines stand below the first one. */
static void help_text(const char *text)
{
	for (; *text; text++) {
		putchar(*text);
		if (*text == '\n')
			printf("%*s", HELP_COLUMN, "");
	}
}

static void help(const char *command, const char *summary, const struct opt *opts)
{
	printf("usage: %s%s%s [options]\n%s\n\n", program, command ? " " : "",
	       command ? command : "", summary);
	for (const struct opt *o = opts; o->name; o++) {
		int len = printf("  --%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");

		printf("%*s", len < HELP_COLUMN ? HELP_COLUMN - len : 1, "");
		help_text(o->help);
		puts(o->required ? " (required)" : "");
	}
	printf("  --help%*sthis text\n", HELP_COLUMN - 8, "");
	exit(0);
}

void opts_parse(const char *command, const char *summary, const struct opt *opts,
		int argc, char **argv)
{
	struct option longs[OPTS_MAX + 2] = { 0 };
	bool seen[OPTS_MAX] = { 0 };
	int n, i;

	for (n = 0; opts[n].name; n++) {
		if (n == OPTS_MAX)
			die("too many options in the table");
		longs[n].name = opts[n].name;
		longs[n].has_arg = opts[n].type == OPT_FLAG ? no_argument : required_argument;
	}
	longs[n].name = "help";
	opterr = 0;
	for (;;) {
		int at = optind ? optind : 1;
		int c = getopt_long(argc, argv, "+:", longs, &i);

		if (c == -1)
			break;
		if (c == ':')
			die("%s needs a value", argv[at]);
		if (c)
			die("unknown option '%s' (see --help)", argv[at]);
		if (i == n)
			help(command, summary, opts);
		opt_take(&opts[i], optarg);
		seen[i] = true;
	}
	if (optind < argc)
		die("unexpected argument '%s' (see --help)", argv[optind]);
	for (i = 0; i < n; i++)
		if (opts[i].required && !seen[i])
			die("--%s is required (see --help)", opts[i].name);
}

/* --- JSON ---------------------------------------------------------------- */

static void json_name(struct json *j, const char *name)
{
	if (j->comma)
		fputc(',', j->out);
	j->comma = true;
	if (name)
		fprintf(j->out, "\"%s\":", name);
}

void json_begin(struct json *j)
{
	*j = (struct json){ .out = stdout };
	fputc('{', j->out);
}

void json_end(struct json *j)
{
	fputs("}\n", j->out);
	if (fflush(j->out) || ferror(j->out))
		die("cannot write the result");
}

void json_u64(struct json *j, const char *name, uint64_t v)
{
	json_name(j, name);
	fprintf(j->out, "%llu", (unsigned long long)v);
}

void json_double(struct json *j, const char *name, double v)
{
	json_name(j, name);
	fprintf(j->out, "%.6f", v);
}

void json_null(struct json *j, const char *name)
{
	json_name(j, name);
	fputs("null", j->out);
}

void json_str(struct json *j, const char *name, const char *v)
{
	json_name(j, name);
	fprintf(j->out, "\"%s\"", v);
}

void json_open(struct json *j, const char *name, char bracket)
{
	json_name(j, name);
	fputc(bracket, j->out);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	fputc(bracket, j->out);
	j->comma = true;
}

void json_u64_array(struct json *j, const char *name, const uint64_t *v, size_t n)
{
	json_open(j, name, '[');
	for (size_t i = 0; i < n; i++)
		json_u64(j, NULL, v[i]);
	json_close(j, ']');
}

/* --- time, signals, files ------------------------------------------------ */

static volatile sig_atomic_t stop_flag;

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

double seconds_since(uint64_t start_ns)
{
	return (double)(now_ns() - start_ns) / 1e9;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NSEC_PER_SEC),
				  .tv_nsec = (long)(ns % NSEC_PER_SEC) };
}

void sleep_until_ns(uint64_t when)
{
	struct timespec t = timespec_of(when);

	while (!stop_flag && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

void sleep_ns(uint64_t ns)
{
	if (ns)
		sleep_until_ns(now_ns() + ns);
}

static void on_stop(int sig)
{
	(void)sig;
	stop_flag = 1;
}

void stop_on_signals(void)
{
	struct sigaction sa = { .sa_handler = on_stop };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

bool stopped(void)
{
	return stop_flag;
}

int wait_readable(int fd, uint64_t until_ns)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	sigset_t block, old;
	int n;

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &old);
	if (stop_flag) {
		n = -1;
	} else {
		uint64_t now = now_ns();
		struct timespec t = timespec_of(until_ns > now ? until_ns - now : 0);

		n = ppoll(&p, 1, &t, &old);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return n < 0 ? -1 : n > 0;
}

void print_ready(void)
{
	puts("ready");
	fflush(stdout);
}

void wait_for_file(const char *path)
{
	uint64_t limit = now_ns() + FILE_WAIT_NS;

	while (!stop_flag && access(path, F_OK)) {
		if (now_ns() > limit)
			die("%s did not appear", path);
		sleep_ns(5000000);
	}
}

/* --- sockets ------------------------------------------------------------- */

socklen_t sockaddr_fill(struct sockaddr_storage *ss, const struct addr *a, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (a->family == AF_INET) {
		in->sin_family = AF_INET;
		in->sin_addr = a->v4;
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_addr = a->v6;
	in6->sin6_port = htons(port);
	in6->sin6_scope_id = a->scope;
	return sizeof(*in6);
}

int socket_bound(int family, int type, int protocol, const struct addr *from, uint16_t port)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);
	struct addr any = { .family = family };
	struct sockaddr_storage ss;
	int on = 1;

	if (fd < 0)
		die_errno("socket");
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (from && from->family) {
		if (from->family != family)
			die("the two addresses are of different families");
		any = *from;
	} else if (!port) {
		return fd;
	}
	if (bind(fd, (struct sockaddr *)&ss, sockaddr_fill(&ss, &any, port)))
		die_errno("bind to port %u", port);
	return fd;
}

void set_receive_buffer(int fd, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)))
		die_errno("SO_RCVBUF");
}

uint64_t socket_drops(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len))
		die_errno("SO_MEMINFO");
	return info[SK_MEMINFO_DROPS];
}

void packet_open(struct packet_socket *p, const char *dev, bool bypass)
{
	int on = 1;

	/* Protocol 0: the socket gets no copy of any frame. */
	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		die_errno("packet socket");
	if (bypass && setsockopt(p->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)))
		die_errno("PACKET_QDISC_BYPASS");
	p->to = (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_halen = 6,
				      .sll_ifindex = (int)link_index(dev) };
}

bool packet_send(struct packet_socket *p, const void *frame, size_t len)
{
	ssize_t n;

	/* Kernels before 5.1 do not look at the frame for its protocol. */
	if (len >= ETH_HLEN)
		memcpy(&p->to.sll_protocol, (const uint8_t *)frame + 12, 2);
	do {
		n = sendto(p->fd, frame, len, 0, (struct sockaddr *)&p->to, sizeof(p->to));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

/* --- links --------------------------------------------------------------- */

unsigned int link_index(const char *name)
{
	unsigned int i = if_nametoindex(name);

	if (!i)
		die_errno("device %s", name);
	return i;
}

static struct ifreq link_request(const char *name)
{
	struct ifreq r = { 0 };

	if (strlen(name) >= IFNAMSIZ)
		die("device name %s is too long", name);
	strcpy(r.ifr_name, name);
	return r;
}

static void link_ioctl(struct ifreq *r, unsigned long request, const char *what)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die_errno("socket");
	if (ioctl(fd, request, r))
		die_errno("%s of %s", what, r->ifr_name);
	close(fd);
}

void link_up(const char *name)
{
	struct ifreq r = link_request(name);

	link_ioctl(&r, SIOCGIFFLAGS, "flags");
	r.ifr_flags |= IFF_UP;
	link_ioctl(&r, SIOCSIFFLAGS, "flags");
}

void link_set_qlen(const char *name, int qlen)
{
	struct ifreq r = link_request(name);

	r.ifr_qlen = qlen;
	link_ioctl(&r, SIOCSIFTXQLEN, "txqueuelen");
}

void link_mac(const char *name, uint8_t mac[6])
{
	struct ifreq r = link_request(name);

	link_ioctl(&r, SIOCGIFHWADDR, "hardware address");
	memcpy(mac, r.ifr_hwaddr.sa_data, 6);
}

void link_disable_ipv6(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT)
			return;	/* a kernel without IPv6 */
		die_errno("%s", path);
	}
	if (write(fd, "1", 1) != 1)
		die_errno("%s", path);
	close(fd);
}

static void link_query(int fd, const char *name)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} req = {
		.h = { .nlmsg_len = sizeof(req), .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST },
		.i = { .ifi_index = (int)link_index(name) },
	};

	if (send(fd, &req, sizeof(req), 0) < 0)
		die_errno("netlink");
}

void link_stats_get(const char *name, struct link_stats *st)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	static _Alignas(struct nlmsghdr) char buf[32768];
	struct nlmsghdr *h = (struct nlmsghdr *)buf;
	struct rtnl_link_stats64 s;
	struct rtattr *a;
	ssize_t len;
	int left;

	if (fd < 0)
		die_errno("netlink");
	link_query(fd, name);
	len = recv(fd, buf, sizeof(buf), 0);
	close(fd);
	if (len < (ssize_t)NLMSG_LENGTH(sizeof(struct ifinfomsg)) || h->nlmsg_type != RTM_NEWLINK)
		die("no statistics of %s", name);
	left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(struct ifinfomsg));
	a = (struct rtattr *)((char *)NLMSG_DATA(h) + NLMSG_ALIGN(sizeof(struct ifinfomsg)));
	while (RTA_OK(a, left) && a->rta_type != IFLA_STATS64)
		a = RTA_NEXT(a, left);
	if (!RTA_OK(a, left))
		die("no statistics of %s", name);
	memset(&s, 0, sizeof(s));
	memcpy(&s, RTA_DATA(a), RTA_PAYLOAD(a) < sizeof(s) ? RTA_PAYLOAD(a) : sizeof(s));
	*st = (struct link_stats){ .rx_packets = s.rx_packets, .tx_packets = s.tx_packets,
				   .rx_dropped = s.rx_dropped, .tx_dropped = s.tx_dropped };
}

/* --- packets ------------------------------------------------------------- */

uint32_t csum_add(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t s = sum;

	for (size_t i = 0; i + 1 < len; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	if (len & 1)
		s += (uint32_t)p[len - 1] << 8;
	while (s >> 32)
		s = (s & 0xffffffff) + (s >> 32);
	return (uint32_t)s;
}

uint16_t csum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* The part of the UDP checksum that covers the addresses. */
static uint32_t pseudo_sum(const struct udp_spec *s, uint16_t udp_len)
{
	size_t size = s->dst.family == AF_INET ? 4 : 16;
	uint32_t sum = csum_add(IPPROTO_UDP + udp_len, &s->src.v6, size);

	return csum_add(sum, &s->dst.v6, size);
}

static void fill_ipv4(void *at, const struct udp_spec *s, uint16_t udp_len)
{
	struct iphdr ip = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
		.tot_len = htons((uint16_t)(sizeof(ip) + udp_len)),
		.id = htons(s->number), .saddr = s->src.v4.s_addr, .daddr = s->dst.v4.s_addr,
	};

	ip.check = csum_fold(csum_add(0, &ip, sizeof(ip)));
	memcpy(at, &ip, sizeof(ip));
}

static void fill_ipv6(void *at, const struct udp_spec *s, uint16_t udp_len)
{
	struct ip6_hdr ip = { .ip6_src = s->src.v6, .ip6_dst = s->dst.v6 };

	ip.ip6_flow = htonl(6u << 28);
	ip.ip6_plen = htons(udp_len);
	ip.ip6_nxt = IPPROTO_UDP;
	ip.ip6_hlim = 64;
	memcpy(at, &ip, sizeof(ip));
}

static void fill_udp(uint8_t *at, const struct udp_spec *s, uint16_t udp_len)
{
	struct udphdr udp = { .source = htons(s->sport), .dest = htons(s->dport),
			      .len = htons(udp_len) };

	for (size_t i = 0; i < s->payload; i++)
		at[sizeof(udp) + i] = (uint8_t)(i & 1 ? s->number : s->number >> 8);
	memcpy(at, &udp, sizeof(udp));
	udp.check = csum_fold(csum_add(pseudo_sum(s, udp_len), at, udp_len));
	if (!udp.check)
		udp.check = 0xffff;
	memcpy(at, &udp, sizeof(udp));
}

size_t udp_header_offset(const struct udp_spec *s)
{
	if (s->dst.family == AF_INET)
		return ETH_HLEN + sizeof(struct iphdr);
	return ETH_HLEN + sizeof(struct ip6_hdr);
}

size_t udp_frame(uint8_t *frame, const struct udp_spec *s)
{
	bool v4 = s->dst.family == AF_INET;
	uint16_t type = htons(v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	uint16_t udp_len = (uint16_t)(sizeof(struct udphdr) + s->payload);

	memcpy(frame, s->dst_mac.b, 6);
	memcpy(frame + 6, s->src_mac.b, 6);
	memcpy(frame + 12, &type, 2);
	if (v4)
		fill_ipv4(frame + ETH_HLEN, s, udp_len);
	else
		fill_ipv6(frame + ETH_HLEN, s, udp_len);
	fill_udp(frame + udp_header_offset(s), s, udp_len);
	return udp_header_offset(s) + udp_len;
}

struct addr addr_v4(const char *text)
{
	struct addr a = { .family = AF_INET };

	inet_pton(AF_INET, text, &a.v4);
	return a;
}

struct addr addr_v6(const char *text)
{
	struct addr a = { .family = AF_INET6 };

	inet_pton(AF_INET6, text, &a.v6);
	return a;
}

struct mac mac_local(uint8_t last)
{
	return (struct mac){ .given = true, .b = { 0x02, 0, 0, 0, 0, last } };
}
