/* The subcommands of nt-send. */
#ifndef TRAFFIC_NT_SEND_H
#define TRAFFIC_NT_SEND_H

void cmd_udp(int argc, char **argv);
void cmd_sink(int argc, char **argv);
void cmd_echo(int argc, char **argv);
void cmd_rcvbuf(int argc, char **argv);
void cmd_tcp(int argc, char **argv);
void cmd_tcp_connect(int argc, char **argv);
void cmd_tcp_send(int argc, char **argv);
void cmd_tcp_sink(int argc, char **argv);
void cmd_badsum(int argc, char **argv);
void cmd_raw(int argc, char **argv);
void cmd_ping(int argc, char **argv);

#endif
