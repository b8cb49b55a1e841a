/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options: values of every type, spellings and their collisions, errors, and
 * the texts made from the tables.
 */
#include "nettrace/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "check.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* One row of each type, as a tool would have them. */
struct all_values {
	bool flag, stacks, number_four;
	uint32_t vlan, mode, proto, ethertype, pid, rate;
	double ratio, signed_real;
	uint64_t interval, size;
	struct nt_prefix src, dst;
	struct nt_ports port;
	struct nt_strlist ifnames, cpus, reasons;
	const char *file;
};

#define AT(member) .offset = offsetof(struct all_values, member)

static const struct nt_opt all_rows[] = {
	{ .name = "flag", .letter = 'f', .type = NT_OPT_FLAG, AT(flag), .help = "a flag" },
	{ .name = "stacks", .letter = 'k', .type = NT_OPT_FLAG, AT(stacks), .def = "true",
	  .help = "a flag that is on" },
	{ .name = "vlan-id", .letter = 'V', .type = NT_OPT_U32, AT(vlan), .min = 0, .max = 4095,
	  .unit = "", .help = "VLAN id" },
	{ .name = "rate", .type = NT_OPT_U32, AT(rate), .def = "1000", .unit = "events/s",
	  .help = "events per second" },
	{ .name = "ratio", .letter = 'R', .type = NT_OPT_FLOAT, AT(ratio), .min = 0, .max = 1,
	  .unit = "", .help = "a ratio" },
	{ .name = "offset", .type = NT_OPT_FLOAT, AT(signed_real), .unit = "ms",
	  .help = "any real number" },
	{ .name = "interval", .letter = 'i', .type = NT_OPT_DURATION, AT(interval), .def = "10",
	  .unit = "s", .min = 0.1, .max = 3600, .help = "report period", .alt = "dst-ip" },
	{ .name = "snap-size", .type = NT_OPT_SIZE, AT(size), .def = "64K", .unit = "bytes",
	  .help = "a size" },
	{ .name = "src-ip", .letter = 's', .type = NT_OPT_PREFIX, AT(src), .help = "source" },
	{ .name = "dst-ip", .type = NT_OPT_PREFIX, AT(dst), .help = "destination" },
	{ .name = "src-port", .letter = 'S', .type = NT_OPT_PORTS, AT(port),
	  .help = "source port" },
	{ .name = "interface", .letter = 'I', .type = NT_OPT_IFNAMES, AT(ifnames),
	  .aliases = "phy-interface|dev", .help = "interfaces" },
	{ .name = "direction", .letter = 'd', .type = NT_OPT_ENUM, AT(mode), .def = "both",
	  .choices = "tx|rx|both", .help = "direction" },
	{ .name = "protocol", .letter = 'p', .type = NT_OPT_PROTO, AT(proto), .def = "all",
	  .aliases = "l4-protocol", .help = "protocol" },
	{ .name = "type", .letter = 't', .type = NT_OPT_ETHERTYPE, AT(ethertype), .def = "all",
	  .help = "EtherType" },
	{ .name = "cpu", .letter = 'c', .type = NT_OPT_CPUS, AT(cpus), .help = "CPUs" },
	{ .name = "pid", .type = NT_OPT_PID, AT(pid), .help = "process" },
	{ .name = "pcap", .letter = 'w', .type = NT_OPT_STRING, AT(file), .help = "a file" },
	{ .name = "reason", .type = NT_OPT_STRLIST, AT(reasons), .help = "reasons" },
	{ .name = "ebpf", .type = NT_OPT_FLAG, AT(flag), .help = "ignored",
	  .flags = NT_OPT_HIDDEN },
};

static struct all_values values;
static struct nt_err err;
static struct nt_opts *opts;

/* Splits at blanks; "~" stands for an empty argument. The last result is freed first. */
static int run(const struct nt_optset *sets, size_t n_sets, const char *line)
{
	static char copy[2048];
	static char *argv[64];
	char *next = copy;
	int argc = 0;

	nt_opts_free(opts);
	opts = NULL;
	memset(&err, 0, sizeof(err));
	snprintf(copy, sizeof(copy), "%s", line);
	while (next && *next) {
		argv[argc] = strsep(&next, " ");
		if (!strcmp(argv[argc], "~"))
			argv[argc] += 1;
		argc++;
	}
	return nt_opts_parse(&opts, sets, n_sets, argc, argv, &err);
}

static int parse(const char *line)
{
	struct nt_optset set = { "All", all_rows, N_OF(all_rows), &values };

	memset(&values, 0, sizeof(values));
	return run(&set, 1, line);
}

static void good(const char *line)
{
	if (!CHECK(!parse(line), line))
		printf("#   %s\n", err.text);
}

static void bad(const char *line, const char *sentence)
{
	char name[120];
	int rc = parse(line);

	snprintf(name, sizeof(name), "refused: %.60s", line);
	CHECK_STR(err.text, sentence, name);
	if (rc != -EINVAL || err.code != NT_EXIT_USAGE || opts)
		CHECK(0, "refused with -EINVAL and the usage code");
}

struct dump {
	char text[1024];
	size_t n;
};

static void dump_one(void *arg, const struct nt_opt *row, const char *text)
{
	struct dump *d = arg;

	d->n += (size_t)snprintf(d->text + d->n, sizeof(d->text) - d->n, "%s%s=%s",
				 d->n ? " " : "", row->name, text);
}

static const char *dump(const struct nt_optset *sets, size_t n_sets)
{
	static struct dump d;

	memset(&d, 0, sizeof(d));
	if (opts)
		nt_opts_each_value(opts, sets, n_sets, dump_one, &d);
	return d.text;
}

static void test_defaults(void)
{
	good("");
	CHECK(!values.flag && values.stacks, "defaults of flags");
	CHECK_U64(values.interval, 10000000000ull, "default of a duration");
	CHECK_U64(values.size, 65536, "default of a size");
	CHECK_U64(values.mode, 2, "default of an enum");
	CHECK(values.proto == NT_PROTO_ALL && values.ethertype == NT_ETHERTYPE_ALL,
	      "default of protocol and type");
	CHECK(!values.src.set && !values.port.set && !values.ifnames.n && !values.file,
	      "no default, zero value");
	CHECK(!nt_opts_given(opts, "interval"), "a default is not given");
	CHECK_U64(nt_opts_n_words(opts), 0, "no words");
	CHECK_STR(nt_opts_words(opts), "", "no words are an empty text");
	CHECK(!nt_opts_word(opts, 0), "no first word");
}

static void test_flags(void)
{
	good("--flag");
	CHECK(values.flag && nt_opts_given(opts, "flag"), "a flag is set and given");
	good("--flag --flag=false");
	CHECK(!values.flag && nt_opts_given(opts, "flag"), "the last one wins");
	good("-kf --stacks=false");
	CHECK(values.flag && !values.stacks, "clustered flags; one turned off");
	bad("--flag=yes", "bad value for --flag: yes: it is a flag, leave the value out");
	bad("--flag=", "bad value for --flag: (empty): it is a flag, leave the value out");
	good("--flag word");
	CHECK_STR(nt_opts_words(opts), "word", "a flag takes no next word");
	good("--ebpf");
	CHECK(values.flag, "a hidden option works");
	bad("--ebp", "unknown option: --ebp: see --help");
}

static void test_numbers(void)
{
	good("-V 4095");
	CHECK_U64(values.vlan, 4095, "the largest");
	good("-V0x10");
	CHECK_U64(values.vlan, 16, "hexadecimal, attached");
	good("--vlan-id=010");
	CHECK_U64(values.vlan, 10, "a leading zero is not octal");
	bad("-V 4096", "bad value for -V: 4096 is out of range: give a whole number 0..4095");
	bad("-V -1", "bad value for -V: -1 is out of range: give a whole number 0..4095");
	bad("-V 1x", "bad value for -V: 1x: give a whole number 0..4095");
	bad("-V +1", "bad value for -V: +1: give a whole number 0..4095");
	bad("-V ~", "bad value for -V: (empty): give a whole number 0..4095");
	bad("-V 0x", "bad value for -V: 0x: give a whole number 0..4095");
	bad("-V=5", "bad value for -V: =5: give a whole number 0..4095");
	good("--rate 4294967295");
	CHECK_U64(values.rate, 4294967295u, "32 bits");
	bad("--rate 4294967296",
	    "bad value for --rate: 4294967296 is out of range: give a whole number");
	bad("--rate 99999999999999999999999",
	    "bad value for --rate: 99999999999999999999999 is out of range: give a whole number");
	bad("--rate 1.5", "bad value for --rate: 1.5: give a whole number");
	good("-R .5");
	CHECK(values.ratio == 0.5, "a fraction without whole part");
	good("-R 1e-3");
	CHECK(values.ratio == 0.001, "an exponent");
	bad("-R 1.01", "bad value for -R: 1.01 is out of range: give a number 0..1");
	bad("-R nan", "bad value for -R: nan: give a number 0..1");
	bad("-R inf", "bad value for -R: inf: give a number 0..1");
	bad("-R 0x1p-1", "bad value for -R: 0x1p-1: give a number 0..1");
	bad("-R 1e", "bad value for -R: 1e: give a number 0..1");
	bad("-R .", "bad value for -R: .: give a number 0..1");
	good("--offset -2.5");
	CHECK(values.signed_real == -2.5, "a negative number");
	good("--offset -.5");
	CHECK(values.signed_real == -0.5, "a negative number without whole part");
	bad("--offset 1e999", "bad value for --offset: 1e999 is out of range: give a number");
	good("--pid 1");
	CHECK_U64(values.pid, 1, "a process id");
	bad("--pid 0", "bad value for --pid: 0 is out of range: give a process id");
	bad("--pid -5", "bad value for --pid: -5 is out of range: give a process id");
	bad("--pid 0x10", "bad value for --pid: 0x10: give a process id");
}

static void test_durations(void)
{
	uint64_t ns = 7;

	good("--interval 0.5");
	CHECK_U64(values.interval, 500000000, "half a second");
	good("-i3600");
	CHECK_U64(values.interval, 3600000000000ull, "an hour, attached");
	bad("--interval -1", "bad value for --interval: -1 is out of range: give seconds 0.1..3600,"
			     " or an address for --dst-ip");
	bad("--interval=-1", "bad value for --interval: -1 is out of range: give seconds 0.1..3600,"
			     " or an address for --dst-ip");
	bad("-i 0", "bad value for -i: 0 is out of range: give seconds 0.1..3600,"
		    " or an address for --dst-ip");
	bad("-i 5s", "bad value for -i: 5s: give seconds 0.1..3600, or an address for --dst-ip");
	CHECK(!nt_parse_duration("0", 0, 0, &ns) && !ns, "0 without limits");
	CHECK(nt_parse_duration("0", 0.001, 0, &ns) == -EINVAL, "0 below a lower limit");
	CHECK(!nt_parse_duration("86400", 0.001, 0, &ns) && ns == 86400000000000ull,
	      "a lower limit alone");
	CHECK(!nt_parse_duration("18446744073", 0, 0, &ns) && ns == 18446744073000000000ull,
	      "the longest");
	CHECK(nt_parse_duration("18446744074", 0, 0, &ns) == -EINVAL, "one second too long");
	CHECK(nt_parse_duration("1e300", 0, 0, &ns) == -EINVAL, "far too long");
	CHECK(nt_parse_duration("1e999", 0, 0, &ns) == -EINVAL, "beyond a double");
	CHECK(!nt_parse_duration("1e-12", 0, 0, &ns) && ns == 1, "a short time is not none");
	CHECK(!nt_parse_duration("123456.000000001", 0, 0, &ns) && ns == 123456000000001ull,
	      "one nanosecond");
	CHECK(!nt_parse_duration("1.9999999999", 0, 0, &ns) && ns == 2000000000, "rounded up");
	CHECK(nt_parse_duration("nan", 0, 0, &ns) && nt_parse_duration("inf", 0, 0, &ns) &&
	      nt_parse_duration("infinity", 0, 0, &ns) && nt_parse_duration("0x10", 0, 0, &ns),
	      "nan, inf and hexadecimal");
	CHECK(nt_parse_duration("", 0, 0, &ns) && nt_parse_duration(" 1", 0, 0, &ns) &&
	      nt_parse_duration("1 ", 0, 0, &ns) && nt_parse_duration("1,5", 0, 0, &ns) &&
	      nt_parse_duration("+1", 0, 0, &ns) && nt_parse_duration("1.2.3", 0, 0, &ns),
	      "blanks, commas, signs");
	CHECK_U64(ns, 2000000000, "a failure leaves the value alone");
}

static void test_sizes(void)
{
	uint64_t v = 0;

	CHECK(!nt_parse_size("0", &v) && v == 0, "no bytes");
	CHECK(!nt_parse_size("123", &v) && v == 123, "bytes");
	CHECK(!nt_parse_size("4K", &v) && v == 4096, "K");
	CHECK(!nt_parse_size("8m", &v) && v == 8 << 20, "m");
	CHECK(!nt_parse_size("3G", &v) && v == 3ull << 30, "G");
	CHECK(!nt_parse_size("17179869183G", &v) && v == 17179869183ull << 30, "the largest");
	CHECK(nt_parse_size("17179869184G", &v) == -EINVAL, "more than 64 bits by the suffix");
	CHECK(nt_parse_size("18446744073709551616", &v) == -EINVAL, "more than 64 bits");
	CHECK(nt_parse_size("", &v) && nt_parse_size("K", &v) && nt_parse_size("1KK", &v) &&
	      nt_parse_size("1T", &v) && nt_parse_size("1.5K", &v) && nt_parse_size("-1K", &v),
	      "no sizes");
	bad("--snap-size=-1",
	    "bad value for --snap-size: -1 is out of range: give bytes, K, M or G may follow");
	bad("--snap-size 1X", "bad value for --snap-size: 1X: give bytes, K, M or G may follow");
}

static void prefix_is(const char *text, const char *addr, unsigned int len, bool v4)
{
	struct nt_prefix p;
	uint8_t want[16];
	char name[80];

	snprintf(name, sizeof(name), "prefix %s", text);
	inet_pton(AF_INET6, addr, want);
	memset(&p, 0xee, sizeof(p));
	CHECK(!nt_parse_prefix(text, &p) && p.set && p.is_v4 == v4 && p.len == len &&
	      !memcmp(p.addr, want, 16), name);
}

static void test_prefixes(void)
{
	static const char *const wrong[] = {
		"", "/", "/8", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.01", "10.0.0.0/33",
		"10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8x", "10.0.0.0/255.0.0.0",
		"10.0.0.0/8/8", " 10.0.0.1", "10.0.0.1 ", "fe80::1%eth0", "fe80::1%2", "::/129",
		"1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1::", "::ffff:010.0.0.1", "localhost",
		"0x0a000001", "167772161", "[::1]", "::g",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
	};
	struct nt_prefix p;

	prefix_is("10.1.2.3", "::ffff:10.1.2.3", 128, true);
	prefix_is("10.1.2.3/8", "::ffff:10.0.0.0", 104, true);
	prefix_is("10.1.2.255/25", "::ffff:10.1.2.128", 121, true);
	prefix_is("1.2.3.4/0", "::ffff:0.0.0.0", 96, true);
	prefix_is("0.0.0.0/32", "::ffff:0.0.0.0", 128, true);
	prefix_is("2001:db8::1", "2001:db8::1", 128, false);
	prefix_is("2001:DB8:ffff::1/33", "2001:db8:8000::", 33, false);
	prefix_is("::/0", "::", 0, false);
	prefix_is("::ffff:10.1.2.3", "::ffff:10.1.2.3", 128, true);
	prefix_is("::ffff:10.1.2.3/104", "::ffff:10.0.0.0", 104, true);
	prefix_is("::ffff:10.1.2.3/95", "::fffe:0:0", 95, false);
	for (size_t i = 0; i < N_OF(wrong); i++) {
		char name[100];

		snprintf(name, sizeof(name), "no prefix: \"%s\"", wrong[i]);
		CHECK(nt_parse_prefix(wrong[i], &p) == -EINVAL, name);
	}
	bad("--src-ip 10.0.0.0/33", "bad value for --src-ip: 10.0.0.0/33: give an IPv4 or IPv6"
				    " address, or ADDRESS/LENGTH");
}

static void test_ports(void)
{
	static const char *const wrong[] = { "0", "65536", "", "-", "80-", "-80", "90-80", "0-80",
					     "80-65536", "80-90-100", "http", "80,443", "0x50",
					     "99999999999999999999999" };
	struct nt_ports p = { 0 };

	CHECK(!nt_parse_ports("80", &p) && p.low == 80 && p.high == 80 && p.set, "a port");
	CHECK(!nt_parse_ports("1-65535", &p) && p.low == 1 && p.high == 65535, "all ports");
	CHECK(!nt_parse_ports("80-80", &p) && p.low == 80 && p.high == 80, "a range of one");
	for (size_t i = 0; i < N_OF(wrong); i++) {
		char name[60];

		snprintf(name, sizeof(name), "no ports: \"%s\"", wrong[i]);
		CHECK(nt_parse_ports(wrong[i], &p) == -EINVAL, name);
	}
	CHECK_U64(p.low, 80, "a failure leaves the ports alone");
	bad("--src-port 70000",
	    "bad value for --src-port: 70000: give a port 1..65535 or LOW-HIGH");
}

static void test_lists(void)
{
	good("--interface eth0,br-int,vnet0.100");
	CHECK_U64(values.ifnames.n, 3, "three interfaces");
	CHECK_STR(values.ifnames.item[1], "br-int", "the second interface");
	good("--dev a --phy-interface b");
	CHECK(values.ifnames.n == 1 && !strcmp(values.ifnames.item[0], "b"), "aliases; last wins");
	CHECK(nt_opts_given(opts, "interface") && nt_opts_given(opts, "dev"), "given by an alias");
	bad("-I eth0,,eth1", "bad value for -I: eth0,,eth1: give interface names (1..15"
			     " characters), commas between");
	bad("-I ~", "bad value for -I: (empty): give interface names (1..15 characters),"
		    " commas between");
	CHECK(parse("-I sixteencharacter"), "a name of 16 characters");
	CHECK(!parse("-I fifteencharacte"), "a name of 15 characters");
	CHECK(parse("-I a/b") && parse("-I ..") && parse("-I a,b\t"), "names with '/', '..', tab");
	good("--reason NO_SOCKET,QDISC_DROP");
	CHECK(values.reasons.n == 2 && !strcmp(values.reasons.item[1], "QDISC_DROP"), "words");
	CHECK(parse("--reason a,") && parse("--reason ,") && parse("--reason=") &&
	      !strcmp(err.text, "bad value for --reason: (empty): give words, commas between"),
	      "empty words");
	good("-c 0-3,8");
	CHECK(values.cpus.n == 2 && !strcmp(values.cpus.item[0], "0-3"), "CPUs");
	CHECK(parse("-c 3-1") && parse("-c 1-") && parse("-c -1") && parse("-c 1,") &&
	      parse("-c all") && parse("-c 1-2-3") && parse("-c 70000"), "no CPUs");
	good("-w -");
	CHECK_STR(values.file, "-", "\"-\" is a value");
	good("--pcap=--flag");
	CHECK_STR(values.file, "--flag", "'=' takes any value");
	good("--pcap=");
	CHECK_STR(values.file, "", "an empty text");
	good("--pcap=a=b");
	CHECK_STR(values.file, "a=b", "the first '=' counts");
}

static void test_words_of_types(void)
{
	good("-d tx");
	CHECK_U64(values.mode, 0, "an enum");
	good("--direction=RX");
	CHECK_U64(values.mode, 1, "an enum in upper case");
	bad("-d r", "bad value for -d: r: give one of tx, rx, both");
	bad("-d ~", "bad value for -d: (empty): give one of tx, rx, both");
	bad("-d tx|rx", "bad value for -d: tx|rx: give one of tx, rx, both");
	good("-p TCP");
	CHECK_U64(values.proto, 6, "tcp");
	good("--l4-protocol icmpv6");
	CHECK_U64(values.proto, 58, "icmpv6 by an alias");
	good("-p 0");
	CHECK_U64(values.proto, 0, "protocol 0");
	good("-p sctp -p all");
	CHECK(values.proto == NT_PROTO_ALL, "all protocols");
	bad("-p 256", "bad value for -p: 256 is out of range: give all, a name (tcp, udp, icmp,"
		      " icmpv6, ...) or 0..255");
	bad("-p tpc", "bad value for -p: tpc: give all, a name (tcp, udp, icmp, icmpv6, ...)"
		      " or 0..255");
	good("-t ipv6");
	CHECK_U64(values.ethertype, 0x86dd, "ipv6");
	good("-t flow_control");
	CHECK_U64(values.ethertype, 0x8808, "flow_control");
	good("-t other");
	CHECK(values.ethertype == NT_ETHERTYPE_OTHER, "other");
	good("-t 0x88A8");
	CHECK_U64(values.ethertype, 0x88a8, "a number");
	CHECK(parse("-t 0x") && parse("-t 0x12345") && parse("-t 0800") && parse("-t ip"),
	      "no EtherTypes");
	bad("-t 800", "bad value for -t: 800: give all, arp, rarp, ipv4, ipv6, lldp, flow_control,"
		      " other or 0xHHHH");
}

static void test_names(void)
{
	good("--vlan_id 5");
	CHECK_U64(values.vlan, 5, "'_' for '-'");
	good("--vl 6");
	CHECK_U64(values.vlan, 6, "a prefix");
	good("--src_i=10.0.0.1");
	CHECK(values.src.set, "a prefix with '_' and '='");
	good("--phy eth0");
	CHECK_U64(values.ifnames.n, 1, "a prefix of an alias");
	good("--pi 5");
	CHECK_U64(values.pid, 5, "a prefix that only one option has");
	bad("--int 5", "ambiguous option: --int: it could be --interval, --interface");
	bad("--src=1", "ambiguous option: --src: it could be --src-ip, --src-port");
	bad("--p x", "ambiguous option: --p: it could be --phy-interface, --protocol, --pid,"
		     " --pcap");
	bad("--intreval 5", "unknown option: --intreval: did you mean --interval?");
	bad("--protocl=tcp", "unknown option: --protocl: did you mean --protocol?");
	bad("--l4-protocols=tcp", "unknown option: --l4-protocols: did you mean --l4-protocol?");
	bad("--frobnicate", "unknown option: --frobnicate: see --help");
	bad("--=5", "unknown option: --=5: see --help");
	bad("--FLAG", "unknown option: --FLAG: see --help");
	bad("-x", "unknown option: -x: see --help");
	bad("-F", "unknown option: -F: did you mean -f?");
	bad("-fxk", "unknown option: -x in -fxk: see --help");
	bad("-f=true", "unknown option: -= in -f=true: see --help");
	bad("--vlan-id", "missing value: --vlan-id: give a whole number 0..4095");
	bad("-fV", "missing value: -V: give a whole number 0..4095");
	bad("-V --flag", "missing value: -V: give a whole number 0..4095");
	bad("-V --", "missing value: -V: give a whole number 0..4095");
	good("-fkV7");
	CHECK(values.flag && values.vlan == 7, "a cluster that ends in a value");
	good("-fkV 8");
	CHECK(values.flag && values.vlan == 8, "a cluster, and the value behind it");
}

static void test_words(void)
{
	good("tcp -f port --vlan-id 5 80");
	CHECK_STR(nt_opts_words(opts), "tcp port 80", "options and words mixed");
	CHECK_U64(nt_opts_n_words(opts), 3, "three words");
	CHECK_STR(nt_opts_word(opts, 2), "80", "the third word");
	CHECK(!nt_opts_word(opts, 3), "no fourth word");
	good("-- --flag -x --");
	CHECK_STR(nt_opts_words(opts), "--flag -x --", "\"--\" ends options");
	CHECK(!values.flag, "no option behind \"--\"");
	good("- -5 -f -1.5");
	CHECK_STR(nt_opts_words(opts), "- -5 -1.5", "\"-\" and negative numbers are words");
	good("~ a ~");
	CHECK_U64(nt_opts_n_words(opts), 3, "empty words count");
	CHECK_STR(nt_opts_words(opts), " a ", "empty words joined");
	CHECK(parse("-.5"), "\"-.5\" is no word");
}

static void test_alternatives(void)
{
	good("-i 10.0.0.0/8");
	CHECK(values.dst.set && values.dst.len == 104, "an address goes to the other option");
	CHECK_U64(values.interval, 10000000000ull, "the option itself keeps its default");
	CHECK(nt_opts_given(opts, "dst-ip") && !nt_opts_given(opts, "interval"), "given");
	good("--interval ::1 -i 3");
	CHECK(values.dst.set && values.interval == 3000000000ull, "both meanings in one line");
	bad("-i 10.0.0.0/99", "bad value for -i: 10.0.0.0/99: give seconds 0.1..3600,"
			      " or an address for --dst-ip");
}

static void test_long_input(void)
{
	char line[1500] = "--src-port ", want[400];

	bad("-I \x1b[31m\xff\x7f\xc2\x9b\xc3\xa4\t",
	    "bad value for -I: \\x1b[31m\\xff\\x7f\\xc2\\x9b\xc3\xa4\\x09: give interface names"
	    " (1..15 characters), commas between");
	memset(line + 11, '7', 1200);
	snprintf(want, sizeof(want), "bad value for --src-port: %.68s...: give a port 1..65535"
				     " or LOW-HIGH", line + 11);
	bad(line, want);
	memcpy(line, "--", 2);
	memset(line + 2, 'x', 1200);
	snprintf(want, sizeof(want), "unknown option: %.68s...: see --help", line);
	bad(line, want);
	strcpy(line + 1202, "=5");
	bad(line, want);
	bad("-\x01", "unknown option: -\\x01: see --help");
	bad("-\xc3\xa4", "unknown option: -\\xc3 in -\xc3\xa4: see --help");
}

static void test_err(void)
{
	struct nt_err e = { 0 };
	char small[8];

	CHECK(nt_err_set(NULL, NT_EXIT_RUNTIME, EIO, "x") == -EIO, "no place for the sentence");
	CHECK(nt_err_set(&e, NT_EXIT_PERMISSION, EPERM, "a: %d", 5) == -EPERM, "errno returned");
	CHECK(nt_err_set(&e, NT_EXIT_USAGE, EINVAL, "b") == -EINVAL, "the second errno returned");
	CHECK(e.code == NT_EXIT_PERMISSION && !strcmp(e.text, "a: 5"), "the first error wins");
	e.text[0] = '\0';
	nt_err_set(&e, NT_EXIT_RUNTIME, EIO, "%0*d\n", 1000, 0);
	CHECK(strlen(e.text) == sizeof(e.text) - 1 && !strcmp(e.text + 396, "..."), "cut");
	CHECK_STR(nt_err_quote(small, sizeof(small), "1234567"), "1234567", "fits exactly");
	CHECK_STR(nt_err_quote(small, sizeof(small), "12345678"), "1234...", "one too long");
	CHECK_STR(nt_err_quote(small, sizeof(small), "123\xe2\x82\xac\xe2\x82\xac"), "123...",
		  "no character is cut in two");
	CHECK_STR(nt_err_quote(small, sizeof(small), "\n\n"), "\\x0a...", "escapes are not cut");
	CHECK_STR(nt_err_quote(small, 4, "12345"), "...", "the smallest buffer");
}

/* Three sets: a tool, a shared filter, the common options. */
struct tool_values {
	uint32_t name_count;
	struct nt_prefix dst;
	const char *output, *name;
	bool four;
};

struct filter_values {
	struct nt_prefix src, dst;
	struct nt_strlist ifnames;
};

struct common_values {
	uint64_t duration, interval;
	uint32_t top;
	const char *output;
	bool verbose, help;
};

#define TOOL(member) .offset = offsetof(struct tool_values, member)
#define FILTER(member) .offset = offsetof(struct filter_values, member)
#define COMMON(member) .offset = offsetof(struct common_values, member)

static const struct nt_opt tool_rows[] = {
	{ .name = "interval", .letter = 'i', .def = "2.5", .help = "time between reports",
	  .min = 0.5, .max = 60, .flags = NT_OPT_COMMON },
	{ .name = "top", .aliases = "rows|stack-count", .flags = NT_OPT_COMMON | NT_OPT_LONG_ONLY },
	{ .name = "output", .letter = 'o', .type = NT_OPT_STRING, TOOL(output), .arg = "FILE",
	  .help = "write a JSON array of all events here when the tool ends, with the names"
		  " that the earlier scripts used" },
	{ .name = "name", .letter = 'n', .type = NT_OPT_STRING, TOOL(name), .arg = "DEVICE",
	  .help = "device to watch", .flags = NT_OPT_REQUIRED },
	{ .name = "count-names", .letter = 'v', .type = NT_OPT_U32, TOOL(name_count), .def = "7",
	  .unit = "names", .help = "number of names" },
};

static const struct nt_opt filter_rows[] = {
	{ .name = "src-ip", .letter = 's', .type = NT_OPT_PREFIX, FILTER(src),
	  .help = "source address" },
	{ .name = "dst-ip", .letter = 'd', .type = NT_OPT_PREFIX, FILTER(dst),
	  .help = "destination address" },
	{ .name = "interface", .letter = 'i', .type = NT_OPT_IFNAMES, FILTER(ifnames),
	  .aliases = "name", .help = "interfaces" },
};

static const struct nt_opt common_rows[] = {
	{ .name = "duration", .letter = 'd', .type = NT_OPT_DURATION, COMMON(duration), .unit = "s",
	  .help = "stop after this time", .alt = "dst-ip" },
	{ .name = "interval", .letter = 'I', .type = NT_OPT_DURATION, COMMON(interval), .def = "1",
	  .unit = "s", .help = "report period", .aliases = "period" },
	{ .name = "top", .letter = 't', .type = NT_OPT_U32, COMMON(top), .def = "20",
	  .unit = "rows", .min = 1, .max = 1000, .help = "rows of ranked tables", .aliases = "limit" },
	{ .name = "output", .letter = 'o', .type = NT_OPT_STRING, COMMON(output), .def = "-",
	  .help = "write there", .aliases = "write-to" },
	{ .name = "verbose", .letter = 'v', .type = NT_OPT_FLAG, COMMON(verbose),
	  .help = "more on stderr" },
	{ .name = "help", .letter = 'h', .type = NT_OPT_FLAG, COMMON(help), .help = "this text" },
};

static struct tool_values tool;
static struct filter_values filter;
static struct common_values common;
static const struct nt_optset three[] = {
	{ "Options of the tool", tool_rows, N_OF(tool_rows), &tool },
	{ "Filter", filter_rows, N_OF(filter_rows), &filter },
	{ "Common options", common_rows, N_OF(common_rows), &common },
};

static int parse3(const char *line)
{
	memset(&tool, 0, sizeof(tool));
	memset(&filter, 0, sizeof(filter));
	memset(&common, 0, sizeof(common));
	return run(three, 3, line);
}

static void test_collisions(void)
{
	CHECK(!parse3("-n eth0"), "the required option alone");
	CHECK_U64(common.interval, 2500000000ull, "retuned default, common storage");
	CHECK_U64(common.top, 20, "default kept");
	CHECK(parse3("-n eth0 -I 6"), "the old letter is gone");
	CHECK(!parse3("-n eth0 -i 5") && common.interval == 5000000000ull && !filter.ifnames.n,
	      "a retuned letter wins over the filter's");
	CHECK(nt_opts_given(opts, "interval") && !nt_opts_given(opts, "interface"), "given");
	CHECK(parse3("-n eth0 -i 0.4") == -EINVAL, "retuned minimum");
	CHECK_STR(err.text, "bad value for -i: 0.4 is out of range: give seconds 0.5..60",
		  "retuned minimum in the sentence");
	CHECK(!parse3("-n eth0 --period 5") && common.interval == 5000000000ull,
	      "aliases stay where the retuning has none");
	CHECK(parse3("-n eth0 -t 5") == -EINVAL, "NT_OPT_LONG_ONLY takes the letter");
	CHECK(!parse3("-n eth0 --rows 5") && common.top == 5, "a retuned alias");
	CHECK(parse3("-n eth0 --limit 5") == -EINVAL, "retuned aliases replace the old ones");
	CHECK(!parse3("-n eth0 --top=9") && common.top == 9, "the long name stays");
	CHECK(!parse3("-n eth0 -o x --output=y") && !strcmp(tool.output, "y") &&
	      !strcmp(common.output, "-"), "the tool's row hides the common one");
	CHECK(!parse3("-n eth0 --write-to z") && !tool.output && !strcmp(common.output, "z"),
	      "the hidden row keeps its other spelling");
	CHECK(!parse3("--name br0 -v 3 --verbose") && tool.name_count == 3 && common.verbose,
	      "a lost letter, the long name stays");
	CHECK(!filter.ifnames.n && !strcmp(tool.name, "br0"), "a name wins over a later alias");
	CHECK(!parse3("-n eth0 --outp q") && tool.output && !strcmp(tool.output, "q"),
	      "a prefix of a name in two sets means the owner");
	CHECK(!parse3("-n eth0 -d 10.0.0.1") && filter.dst.set, "the earlier set's letter");
	CHECK(!parse3("-n eth0 --duration 10.0.0.1") && filter.dst.set && !common.duration,
	      "an alternative in another set");
	CHECK(!parse3("-n eth0 --duration 10") && common.duration == 10000000000ull, "and not");
}

static void test_required(void)
{
	CHECK(parse3("tcp") == -EINVAL, "a required option is missing");
	CHECK_STR(err.text, "missing option: --name: give a text", "and named");
	CHECK(err.code == NT_EXIT_USAGE, "and is a usage error");
	CHECK(!parse3("-h") && common.help, "unless --help is asked for");
}

static void test_digits(void)
{
	static const struct nt_opt rows[] = {
		{ .name = "ipv4", .letter = '4', .type = NT_OPT_FLAG, TOOL(four), .help = "IPv4" },
		{ .name = "count", .letter = 'c', .type = NT_OPT_U32, TOOL(name_count), .unit = "",
		  .help = "count" },
	};
	struct nt_optset set = { "T", rows, N_OF(rows), &tool };

	memset(&tool, 0, sizeof(tool));
	CHECK(!run(&set, 1, "-4") && tool.four && !nt_opts_n_words(opts), "a digit as option");
	CHECK(run(&set, 1, "-5") == -EINVAL, "then another digit is unknown");
	CHECK(run(&set, 1, "-c -4") == -EINVAL && strstr(err.text, "-4 is out of range"),
	      "a negative number is still a value");
}

static void test_table_faults(void)
{
	static const struct nt_opt orphan[] = {
		{ .name = "nowhere", .help = "h", .flags = NT_OPT_COMMON },
	};
	static const struct nt_opt broken[] = {
		{ .name = "count", .type = NT_OPT_U32, .def = "x", .unit = "", .help = "h" },
	};
	struct nt_optset set = { "T", orphan, 1, &values };
	struct nt_optset many[NT_OPTSET_MAX + 1] = { { 0 } };

	CHECK(run(&set, 1, "") == -EINVAL && err.code == NT_EXIT_RUNTIME, "nothing to retune");
	CHECK_STR(err.text, "option table: --nowhere: no later set has it to retune", "and named");
	set.rows = broken;
	CHECK(run(&set, 1, "") == -EINVAL && err.code == NT_EXIT_RUNTIME, "a broken default");
	CHECK(run(many, NT_OPTSET_MAX + 1, "") == -EINVAL, "too many sets");
	CHECK(!opts && !nt_opts_given(opts, "x") && !nt_opts_n_words(opts) &&
	      !nt_opts_word(opts, 0) && !*nt_opts_words(opts), "nothing parsed is an empty line");
	CHECK(!run(NULL, 0, "a b") && nt_opts_n_words(opts) == 2, "no sets at all");
}

static void test_each_value(void)
{
	struct nt_optset set = { "All", all_rows, N_OF(all_rows), &values };

	good("");
	CHECK_STR(dump(&set, 1), "stacks=true rate=1000 interval=10 snap-size=64K direction=both"
				 " protocol=all type=all", "values of an empty line");
	good("-k -f -V 0x64 -R 0.1 --offset -1e-7 -i .5 --snap-size 1048576 --src-ip 10.1.2.3/8"
	     " --dst-ip 2001:DB8::/32 -S 100-200 -I a,b -d tx -p 6 -t 0x800 -c 0-3,8 --pid 1"
	     " -w f --reason x,y");
	CHECK_STR(dump(&set, 1), "flag=true stacks=true vlan-id=100 rate=1000 ratio=0.1"
				 " offset=-1e-07 interval=0.5 snap-size=1M src-ip=10.0.0.0/8"
				 " dst-ip=2001:db8::/32 src-port=100-200 interface=a,b direction=tx"
				 " protocol=tcp type=ipv4 cpu=0-3,8 pid=1 pcap=f reason=x,y"
				 " ebpf=true",
		  "all values as a user would type them");
	good("--stacks=false -V 0 --rate 0 -R 0 --snap-size 1025 --src-ip 10.1.2.3 --dst-ip"
	     " 1.2.3.4/0 -S 80 -p 200 -t 0x88a8 -w=");
	CHECK_STR(dump(&set, 1), "stacks=false vlan-id=0 rate=0 ratio=0 interval=10 snap-size=1025"
				 " src-ip=10.1.2.3 dst-ip=0.0.0.0/0 src-port=80 direction=both"
				 " protocol=200 type=0x88a8 pcap==", "zero values that were given");
	CHECK(!parse3("-n eth0 -s ::ffff:1.2.3.4 --write-to x -i 1.000000001"), "three sets");
	CHECK_STR(dump(three, 3), "name=eth0 count-names=7 src-ip=1.2.3.4 interval=1.000000001"
				  " top=20 output=x", "values of three sets");
	CHECK_STR(dump(three + 1, 1), "src-ip=1.2.3.4", "values of one set of them");
	CHECK(!parse3("-n eth0"), "three sets");
	CHECK_STR(dump(three, 3), "name=eth0 count-names=7 interval=2.5 top=20",
		  "a hidden row's default is not told");
}

static const char help_text[] =
	"Options of the tool:\n"
	"  -o, --output FILE               write a JSON array of all events here when the tool ends,"
	" with the\n"
	"                                  names that the earlier scripts used\n"
	"  -n, --name DEVICE               device to watch [required]\n"
	"  -v, --count-names N             number of names [default: 7 names]\n"
	"\n"
	"Filter:\n"
	"  -s, --src-ip PREFIX             source address\n"
	"  -d, --dst-ip PREFIX             destination address\n"
	"      --interface IFNAME          interfaces\n"
	"\n"
	"Common options:\n"
	"      --duration SECONDS          stop after this time (an address here means --dst-ip)"
	" [unit: s]\n"
	"  -i, --interval SECONDS          time between reports (also --period) [default: 2.5 s]\n"
	"      --top N                     rows of ranked tables (also --rows, --stack-count)\n"
	"                                  [default: 20 rows]\n"
	"      --write-to TEXT             write there [default: -]\n"
	"      --verbose                   more on stderr\n"
	"  -h, --help                      this text\n";

static const char help_all[] =
	"Options:\n"
	"  -a, --a-name-that-is-rather-long tx|rx|both\n"
	"                                  where [default: both]\n"
	"      --format WORD               how (text, json, csv, pcapng, raw)\n"
	"  -k, --stacks                    stacks [default: true]\n";

static char *help_of(const struct nt_optset *sets, size_t n_sets)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	nt_opts_help(f, sets, n_sets);
	fclose(f);
	return text;
}

static void test_help(void)
{
	static const struct nt_opt rows[] = {
		{ .name = "hidden", .type = NT_OPT_FLAG, .help = "h", .flags = NT_OPT_HIDDEN },
		{ .name = "a-name-that-is-rather-long", .letter = 'a', .type = NT_OPT_ENUM,
		  .choices = "tx|rx|both", .def = "both", .help = "where" },
		{ .name = "format", .type = NT_OPT_ENUM, .choices = "text|json|csv|pcapng|raw",
		  .help = "how" },
		{ .name = "stacks", .letter = 'k', .type = NT_OPT_FLAG, .def = "true",
		  .help = "stacks" },
	};
	struct nt_optset sets[] = {
		{ NULL, rows, N_OF(rows), NULL }, { "Nothing to see", rows, 1, NULL },
	};
	char *text = help_of(three, 3);

	CHECK_STR(text, help_text, "help of three sets");
	free(text);
	text = help_of(sets, 2);
	CHECK_STR(text, help_all, "help: long names, choices, flags, an empty set");
	free(text);
}

static void check_finds(const struct nt_opt *rows, size_t n, int faults, const char *name)
{
	struct nt_optset set = { "T", rows, n, NULL };
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int found = nt_optset_check(f, &set);

	fclose(f);
	if (!CHECK(found == faults && !*text == !faults, name))
		printf("#   %d faults:\n%s", found, text);
	free(text);
}

static void test_check(void)
{
	const struct nt_opt ok = { .name = "ok", .letter = 'o', .type = NT_OPT_FLAG, .help = "h" };
	struct nt_opt rows[2] = { ok, ok };

	check_finds(all_rows, N_OF(all_rows), 0, "check: the table of all types");
	check_finds(tool_rows, N_OF(tool_rows), 0, "check: a tool's table");
	check_finds(filter_rows, N_OF(filter_rows), 0, "check: a filter's table");
	check_finds(common_rows, N_OF(common_rows), 0, "check: the common table");
	check_finds(rows, 2, 4, "check: two names and two letters");
	rows[1] = (struct nt_opt){ .name = "x", .aliases = "y|ok", .type = NT_OPT_FLAG,
				   .help = "h" };
	check_finds(rows, 2, 2, "check: an alias that is a name");
	rows[0] = (struct nt_opt){ .type = NT_OPT_FLAG };
	check_finds(rows, 1, 2, "check: neither name nor help");
	rows[0] = (struct nt_opt){ .name = "A b", .letter = '-', .type = NT_OPT_FLAG,
				   .help = "h." };
	check_finds(rows, 1, 3, "check: odd name, letter and help");
	rows[0] = (struct nt_opt){ .name = "n", .type = NT_OPT_U32, .help = "h", .def = "-1" };
	check_finds(rows, 1, 2, "check: no unit, bad default");
	rows[0] = (struct nt_opt){ .name = "n", .type = NT_OPT_DURATION, .help = "h", .unit = "s",
				   .min = 1, .max = 9, .def = "10" };
	check_finds(rows, 1, 1, "check: a default out of range");
	rows[0] = (struct nt_opt){ .name = "n", .type = NT_OPT_ENUM, .help = "h" };
	check_finds(rows, 1, 1, "check: no choices");
	rows[0].choices = "a|b";
	rows[0].def = "c";
	check_finds(rows, 1, 1, "check: a default that is no choice");
	rows[0] = (struct nt_opt){ .name = "n", .type = NT_OPT_IFNAMES, .help = "h", .def = "a,b" };
	check_finds(rows, 1, 0, "check: a list as default");
	rows[0] = (struct nt_opt){ .name = "n", .letter = 'x', .flags = NT_OPT_LONG_ONLY |
				   NT_OPT_COMMON };
	check_finds(rows, 1, 1, "check: long only, but a letter");
}

int main(void)
{
	test_defaults();
	test_flags();
	test_numbers();
	test_durations();
	test_sizes();
	test_prefixes();
	test_ports();
	test_lists();
	test_words_of_types();
	test_names();
	test_words();
	test_alternatives();
	test_long_input();
	test_err();
	test_collisions();
	test_required();
	test_digits();
	test_table_faults();
	test_each_value();
	test_help();
	test_check();
	nt_opts_free(opts);
	return check_done();
}
