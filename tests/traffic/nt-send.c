/* nt-send: sends and receives exactly known traffic and reports its own counts. */
#include "common.h"
#include "nt-send.h"

#include <stdlib.h>
#include <string.h>

static const struct command {
	const char *name;
	void (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "udp", cmd_udp, "send UDP datagrams" },
	{ "sink", cmd_sink, "receive and count UDP datagrams" },
	{ "echo", cmd_echo, "send UDP datagrams back" },
	{ "rcvbuf", cmd_rcvbuf, "UDP receiver that does not read until the end" },
	{ "tcp", cmd_tcp, "send over a TCP connection" },
	{ "tcp-connect", cmd_tcp_connect, "try TCP connections one after the other" },
	{ "tcp-send", cmd_tcp_send, "send a stream over TCP, report TCP_INFO" },
	{ "tcp-sink", cmd_tcp_sink, "take TCP connections and read them" },
	{ "ping", cmd_ping, "ICMP or ICMPv6 echo with round-trip times" },
	{ "badsum", cmd_badsum, "UDP packets with a wrong IP or UDP checksum" },
	{ "raw", cmd_raw, "send given Ethernet frames" },
};

static void usage(FILE *out)
{
	fputs("usage: nt-send COMMAND [options]\n"
	      "Makes exactly known traffic; the result is one line of JSON on stdout.\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-14s%s\n", commands[i].name, commands[i].help);
	fputs("\nnt-send COMMAND --help shows the options.\n", out);
}

int main(int argc, char **argv)
{
	set_program_name("nt-send");
	if (argc < 2)
		die("no command given (see --help)");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage(stdout);
		return 0;
	}
	stop_on_signals();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		commands[i].run(argc - 1, argv + 1);
		return 0;
	}
	die("unknown command '%s' (see --help)", argv[1]);
}
