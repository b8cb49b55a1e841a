/* SPDX-License-Identifier: GPL-2.0 */
/* The writer of pcapng files, read back block by block, and by tcpdump where there is one. */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "nettrace/pcapng.h"
#include "temp_file.h"

#define TIME 1795255201123456789ULL

/* An Ethernet frame with an IPv4 UDP datagram of 8 payload bytes, 50 bytes. */
static const uint8_t frame[50] = {
	2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
	0x45, 0, 0, 36, 0x12, 0x34, 0x40, 0, 64, 17, 0x14, 0x93, 10, 0, 0, 1, 10, 0, 0, 2,
	0x30, 0x39, 0, 53, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,
};

static uint8_t file[1 << 16];
static size_t file_len;

static uint32_t word(size_t at)
{
	uint32_t v = 0;

	if (at + 4 <= file_len)
		memcpy(&v, file + at, 4);
	return v;
}

static void read_back(void)
{
	FILE *f = fopen(temp_path, "r");

	file_len = f ? fread(file, 1, sizeof(file), f) : 0;
	if (f)
		fclose(f);
}

/* Offset of the n-th block of a type, 0 if there is none; *whole: all lengths agree. */
static size_t block(uint32_t type, unsigned int n, int *whole)
{
	size_t at = 0, found = 0;
	unsigned int seen = 0;

	*whole = 1;
	while (at < file_len) {
		uint32_t len = word(at + 4);

		if (len < 12 || len % 4 || at + len > file_len || word(at + len - 4) != len) {
			*whole = 0;
			return 0;
		}
		if (word(at) == type && seen++ == n)
			found = at;
		at += len;
	}
	return found;
}

static void test_packets(void)
{
	struct nt_pcapng *p;
	int whole, rc = 0;
	size_t at;

	temp_file("", 0);
	if (!CHECK(!nt_pcapng_open(&p, temp_path), "open"))
		return;
	rc |= nt_pcapng_packet(p, 1, TIME, frame, sizeof(frame), sizeof(frame), "NO_SOCKET at __udp4_lib_rcv");
	rc |= nt_pcapng_packet(p, 1, TIME + 1000, frame, 33, sizeof(frame), NULL);
	rc |= nt_pcapng_packet(p, 0, TIME + 2000, frame + 14, sizeof(frame) - 14, 1400, "gr\xc3\xbc\xc3\x9f" "e");
	rc |= nt_pcapng_packet(p, 1, TIME + 3000, frame, sizeof(frame), 10, "");
	rc |= nt_pcapng_packet(p, 1, TIME + 4000, frame, 0, 60, "c");
	CHECK(!rc && !nt_pcapng_close(p), "five packets");
	read_back();
	block(0, 0, &whole);
	CHECK(whole, "the blocks' lengths agree");
	CHECK(word(0) == 0x0a0d0d0a && word(8) == 0x1a2b3c4d, "a section header");
	at = block(1, 0, &whole);
	CHECK(at && (word(at + 8) & 0xffff) == 1, "an interface of Ethernet frames");
	CHECK(!block(1, 1, &whole), "and no other: libpcap takes one link type a file");
	at = block(6, 0, &whole);
	CHECK(word(at + 8) == 0 && word(at + 20) == 50 && word(at + 24) == 50, "a whole packet");
	CHECK(((uint64_t)word(at + 12) << 32 | word(at + 16)) == TIME, "its time in nanoseconds");
	CHECK(!memcmp(file + at + 28, frame, 50), "its bytes");
	CHECK((word(at + 28 + 52) & 0xffff) == 1 && !memcmp(file + at + 28 + 56, "NO_SOCKET at", 12), "its comment");
	at = block(6, 1, &whole);
	CHECK(word(at + 4) == 68 && word(at + 20) == 33 && word(at + 24) == 50, "a cut packet without comment");
	at = block(6, 2, &whole);
	CHECK(word(at + 8) == 0 && word(at + 20) == 50 && word(at + 24) == 1414 &&
	      !memcmp(file + at + 28 + 12, "\x08\x00\x45", 3), "a packet without Ethernet header gets one");
	at = block(6, 3, &whole);
	CHECK(word(at + 24) == 50, "a wire length is at least what was captured");
	at = block(6, 4, &whole);
	CHECK(at && word(at + 20) == 0 && word(at + 24) == 60, "a packet of which nothing was captured");
	CHECK(!block(6, 5, &whole) && whole, "no more");
}

static void test_tcpdump(void)
{
	char command[200], line[256] = "", all[4096] = "";
	struct nt_pcapng *p;
	unsigned int lines = 0;
	FILE *f;

	if (system("command -v tcpdump >/dev/null 2>&1")) {
		printf("# no tcpdump here\n");
		return;
	}
	temp_file("", 0);
	if (nt_pcapng_open(&p, temp_path))
		return;
	for (int i = 0; i < 3; i++)
		nt_pcapng_packet(p, i != 1, TIME + (uint64_t)i * 1000, i != 1 ? frame : frame + 14,
				 i != 1 ? sizeof(frame) : sizeof(frame) - 14, sizeof(frame), "why");
	nt_pcapng_close(p);
	snprintf(command, sizeof(command), "tcpdump -n -tt -e -r %s 2>/dev/null", temp_path);
	f = popen(command, "r");
	while (f && fgets(line, sizeof(line), f)) {
		lines++;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s", line);
	}
	if (f)
		pclose(f);
	printf("# %s", all);
	CHECK_U64(lines, 3, "tcpdump reads three packets");
	CHECK(strstr(all, "length 50") && strstr(all, "10.0.0.1.12345 > 10.0.0.2.53"), "with length and addresses");
	CHECK(strstr(all, "1795255201.123456"), "and time");
}

static void test_failures(void)
{
	struct nt_pcapng *p;
	int err = 0;

	CHECK(nt_pcapng_open(&p, "/nowhere/at/all") == -ENOENT && !p, "a path that cannot be");
	CHECK(nt_pcapng_close(NULL) == 0, "closing nothing");
	if (nt_pcapng_open(&p, "/dev/full")) {
		printf("# no /dev/full here\n");
		return;
	}
	for (int i = 0; i < 1000 && !err; i++)
		err = nt_pcapng_packet(p, 1, TIME, frame, sizeof(frame), sizeof(frame), NULL);
	CHECK(err < 0, "a full disk is an error");
	CHECK(nt_pcapng_packet(p, 1, TIME, frame, sizeof(frame), sizeof(frame), NULL) == err, "and stays one");
	CHECK(nt_pcapng_close(p) == err, "at the end too");
	if (!nt_pcapng_open(&p, "/dev/full"))
		CHECK(nt_pcapng_close(p) < 0, "even if only closing notices");
}

int main(void)
{
	test_packets();
	test_tcpdump();
	test_failures();
	temp_done();
	return check_done();
}
