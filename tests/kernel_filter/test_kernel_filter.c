// SPDX-License-Identifier: GPL-2.0
/*
 * The filter in the running kernel: every expression of tests/data/filters.txt on
 * every packet of the corpus must give libpcap's own verdict, and every setting of
 * the tuple filter that of the expression which says the same. The packets are
 * sent through a veth pair; tagged ones once more with the tag beside the packet.
 *
 * Usage: test_kernel_filter [--filters FILE] [--every N] [--tuples-every N]
 * Exit status 77: not possible here (no privilege, no veth).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/nt_abi.h"
#include "nettrace/pcap_filter.h"
#include "oracle.h"
#include "packets.h"
#include "probe.h"
#include "tuples.h"

#define ETH_HLEN	14
#define TAG_LEN		4
#define TAG_COPY	272	/* a packet whose tag is put back is seen so far (filter.bpf.h) */
#define LINEAR		3000	/* frames up to here are in one piece whatever the kernel */
#define N_FORMS		2

#ifndef NT_FILTERS_FILE
#define NT_FILTERS_FILE	"tests/data/filters.txt"
#endif

struct frame {
	char name[64];
	const uint8_t *sent;	/* through the VLAN device if tagged */
	uint8_t *wire;		/* with the tag */
	uint32_t sent_len, len;
	bool tagged, vlan, regular;
};

static struct frame frames[FP_FRAMES];
static unsigned int n_frames, too_short;
static unsigned int passed, failed, not_linear, beside, cut_tagged;
static unsigned long compared[FP_VIEWS];

static const char *const view_names[FP_VIEWS] = {
	"sent", "received", "from the IP header", "dropped",
};
static const char *const kind_names[FP_KINDS] = { "tp_btf", "raw_tp" };

/* ---- frames ---- */

/* Is the packet neither cut nor a liar, and without what plain expressions see otherwise:
 * extension headers (they do not look behind), UDP-Lite's ports (they know none)? */
static bool is_regular(const char *name)
{
	static const char *const odd[] = {
		"cut to", "ip4 header length", "ip version 6", "ip4 in ethertype", "all ones",
		"udp6 first", "udp6 last", "hop-by-hop", "routing", "ip6 ah", "ip4 proto 136",
		"geneve ip4 option", "proto 132",
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		if (strstr(name, odd[i]))
			return false;
	return true;
}

static bool add_frame(const struct packet *p, bool tagged)
{
	struct frame *f = &frames[n_frames];

	if (p->len < ETH_HLEN) {
		too_short += !tagged;
		return true;
	}
	if (n_frames == FP_FRAMES)
		return false;
	f->sent = p->data;
	f->sent_len = p->len;
	f->len = p->len + (tagged ? TAG_LEN : 0);
	f->wire = malloc(f->len);
	if (!f->wire)
		return false;
	snprintf(f->name, sizeof(f->name), "%s%s", p->name, tagged ? ", tag beside" : "");
	memcpy(f->wire, p->data, p->len);
	if (tagged) {
		memcpy(f->wire + 12, (uint8_t[]){ 0x81, 0, 0, PROBE_VLAN }, TAG_LEN);
		memcpy(f->wire + 16, p->data + 12, p->len - 12);
	}
	f->tagged = tagged;
	f->vlan = f->wire[12] == 0x81 || f->wire[12] == 0x88 ?
		  f->wire[13] == 0x00 || f->wire[13] == 0xa8 : false;
	f->regular = is_regular(p->name);
	n_frames++;
	return true;
}

static bool make_frames(const struct corpus *corpus, bool tagged_works)
{
	bool ok = true;

	for (size_t i = 0; ok && i < corpus->n; i++)
		ok = add_frame(&corpus->packets[i], false);
	for (size_t i = 0; ok && tagged_works && i < corpus->n; i++)
		ok = add_frame(&corpus->packets[i], true);
	return ok;
}

static bool send_all(void)
{
	for (unsigned int i = 0; i < n_frames; i++) {
		int err = probe_send(i, frames[i].sent, frames[i].sent_len, frames[i].tagged);

		if (err) {
			printf("# cannot send '%s': %s\n", frames[i].name, strerror(-err));
			return false;
		}
	}
	return true;
}

/* ---- comparing ---- */

/* Oracles for one filter. */
struct expect {
	struct oracle *ether, *raw;
	struct oracle *tagged;		/* for frames with a tag beside them, NULL: as ether */
	bool raw_rejects;
	bool no_raw;			/* the view from the IP header is not compared */
	bool regular_only;
};

/* 1 or 0, or -1: nothing to compare. */
static int expected(const struct expect *e, const struct frame *f, enum fp_view view,
		    const volatile struct fp_slot *s)
{
	const struct oracle *o = f->tagged && e->tagged ? e->tagged : e->ether;
	uint32_t caplen = s->caplen;

	if (e->regular_only && (!f->regular || caplen < s->len))
		return -1;
	if (view == FP_L3) {
		if (f->vlan || e->no_raw)
			return -1;
		return e->raw_rejects ? 0 :
		       oracle_match(e->raw, f->wire + ETH_HLEN, s->caplen, s->len);
	}
	if (view == FP_DROP && f->vlan)		/* the stack has taken its tag away */
		return -1;
	if (!s->tag)		/* none, or the kernel has put it into the packet (MPLS) */
		return oracle_match(o, f->wire, caplen, s->len);
	beside++;
	caplen += TAG_LEN;
	if (caplen > TAG_COPY) {
		bool whole = oracle_match(o, f->wire, caplen, f->len);

		caplen = TAG_COPY;
		cut_tagged += whole != oracle_match(o, f->wire, caplen, f->len);
	}
	return oracle_match(o, f->wire, caplen, f->len);
}

/* Has the hook seen the frame once and whole? */
static bool seen_well(const struct frame *f, enum fp_view view, const volatile struct fp_slot *s)
{
	uint32_t len = view == FP_L3 ? f->sent_len - ETH_HLEN : f->sent_len;

	if (view == FP_DROP)
		return true;
	if (f->tagged && !s->tag)
		len += TAG_LEN;
	if (s->seen != 1 || s->len != len) {
		printf("# '%s' %s: seen %u times, length %u of %u\n", f->name, view_names[view],
		       s->seen, s->len, len);
		return false;
	}
	if (s->caplen == len)
		return true;
	not_linear++;
	if (f->sent_len > LINEAR && s->caplen < len)
		return true;
	printf("# '%s' %s: %u of %u bytes are readable\n", f->name, view_names[view], s->caplen, len);
	return false;
}

static bool compare(struct probe *p, const struct expect *e)
{
	const volatile struct fp_slot *slots = probe_wait(p, n_frames);

	for (size_t n = 0; n < (size_t)FP_VIEWS * FP_KINDS * n_frames; n++) {
		unsigned int i = (unsigned int)(n % n_frames);
		int kind = (int)(n / n_frames % FP_KINDS);
		enum fp_view view = (enum fp_view)(n / n_frames / FP_KINDS);
		const volatile struct fp_slot *s = &slots[probe_slot(view, kind, i)];
		int want;

		if (probe_marks_lost() && (view == FP_RX || view == FP_DROP))
			continue;
		if (kind < probe_first_kind(p) || (!s->seen && view == FP_DROP))
			continue;
		if (view == FP_L3 && frames[i].vlan)
			continue;
		if (!seen_well(&frames[i], view, s))
			return false;
		want = expected(e, &frames[i], view, s);
		if (want < 0)
			continue;
		compared[view]++;
		if (want == (int)s->verdict)
			continue;
		printf("# packet '%s' %s (%s), %u of %u bytes: want %d, got %u\n", frames[i].name,
		       view_names[view], kind_names[kind], s->caplen, s->len, want, s->verdict);
		return false;
	}
	return true;
}

static void report(bool ok, const char *what)
{
	printf("%s - %s\n", ok ? "ok" : "not ok", what);
	fflush(stdout);
	passed += ok;
	failed += !ok;
}

/* ---- expressions ---- */

static void test_expression(const char *expr)
{
	struct nt_pcap_filter *filter = NULL;
	struct nt_pcap_error err;
	struct probe *p = NULL;
	struct expect e = { 0 };
	bool ok = false;

	if (nt_pcap_compile(expr, &filter, &err)) {
		printf("# %s at %d\n", err.msg, err.pos);
	} else {
		e.raw_rejects = filter->raw_rejects;
		e.ether = oracle_new(expr, false, true);
		e.raw = oracle_new(expr, true, true);
		if (e.ether && (e.raw || e.raw_rejects))
			p = probe_load(0, NULL, filter);
	}
	if (p && send_all())
		ok = compare(p, &e);
	probe_free(p);
	oracle_free(e.ether);
	oracle_free(e.raw);
	nt_pcap_free(filter);
	report(ok, *expr ? expr : "the empty expression");
}

static void test_file(const char *path, unsigned int every)
{
	char line[NT_PCAP_MAX_EXPR + 2];
	FILE *f = fopen(path, "r");
	unsigned int n = 0;

	if (!f) {
		report(false, path);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line && *line != '#' && n++ % every == 0)
			test_expression(line);
	}
	fclose(f);
}

/* ---- tuples ---- */

static void test_tuple(const struct tuple_row *row)
{
	static char exact[TUPLE_EXPR], exact_tagged[TUPLE_EXPR], plain[TUPLE_EXPR],
		    plain_tagged[TUPLE_EXPR];
	struct expect e[2] = { { .no_raw = true }, { .no_raw = true, .regular_only = true } };
	bool sent;
	struct nt_tuple tuple;
	uint64_t mask = tuple_values(row, &tuple);
	struct probe *p = probe_load(mask, &tuple, NULL);
	char text[256], name[512];

	tuple_text(row, text, sizeof(text));
	tuple_exact(row, 2, exact);
	tuple_exact(row, 3, exact_tagged);
	e[0].ether = oracle_new(exact, false, false);
	e[0].tagged = oracle_new(exact_tagged, false, false);
	if (row->plain) {
		tuple_plain(row, 2, plain);
		tuple_plain(row, 3, plain_tagged);
		e[1].ether = oracle_new(plain, false, false);
		e[1].tagged = oracle_new(plain_tagged, false, false);
	}
	sent = p && send_all();
	report(sent && e[0].ether && e[0].tagged && compare(p, &e[0]), text);
	if (row->plain) {
		snprintf(name, sizeof(name), "%s is \"%s\"", text, row->plain);
		report(sent && e[1].ether && e[1].tagged && compare(p, &e[1]), name);
	}
	probe_free(p);
	for (int i = 0; i < 2; i++) {
		oracle_free(e[i].ether);
		oracle_free(e[i].tagged);
	}
}

/* Both at once: the tuple and the expression must hold. */
static void test_both(void)
{
	static const struct tuple_row row = { .proto = "6" };
	struct nt_pcap_filter *filter = NULL;
	struct expect e = { .no_raw = true, .regular_only = true };
	struct nt_tuple tuple;
	uint64_t mask = tuple_values(&row, &tuple);
	struct probe *p = NULL;

	e.ether = oracle_new("tcp and ip src 10.0.0.1", false, true);
	if (!nt_pcap_compile("ip src 10.0.0.1", &filter, NULL) && e.ether)
		p = probe_load(mask, &tuple, filter);
	report(p && send_all() && compare(p, &e),
	       "--protocol 6 and \"ip src 10.0.0.1\" together");
	probe_free(p);
	oracle_free(e.ether);
	nt_pcap_free(filter);
}

int main(int argc, char **argv)
{
	const char *filters = NT_FILTERS_FILE;
	unsigned int every = 1, tuples_every = 1;
	struct corpus corpus;
	bool tagged_works = false;
	int err;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--filters"))
			filters = argv[i + 1];
		else if (!strcmp(argv[i], "--every"))
			every = (unsigned int)atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--tuples-every"))
			tuples_every = (unsigned int)atoi(argv[i + 1]);
	}
	if (!every || !tuples_every || corpus_build(&corpus))
		return 1;
	err = probe_setup(&tagged_works);
	if (err) {
		printf("# skip: no devices of our own: %s\n", strerror(-err));
		corpus_free(&corpus);
		return 77;
	}
	if (!tagged_works)
		puts("# no VLAN devices here: no frame has its tag beside it");
	if (!make_frames(&corpus, tagged_works)) {
		puts("# too many packets, or no memory");
		return 1;
	}
	test_expression("");
	test_file(filters, every);
	for (size_t i = 0; i < n_tuple_rows; i += tuples_every)
		test_tuple(&tuple_rows[i]);
	test_both();
	printf("# %zu packets, %u shorter than an Ethernet header are not sent; %u frames\n",
	       corpus.n, too_short, n_frames);
	for (int i = 0; i < FP_VIEWS; i++)
		printf("# %lu verdicts on frames %s\n", compared[i], view_names[i]);
	printf("# %u times a frame was not in one piece\n", not_linear);
	printf("# %u verdicts with the tag beside the packet; %u would be others beyond %d bytes\n",
	       beside, cut_tagged, TAG_COPY);
	if (tagged_works && !beside)
		report(false, "frames with the tag beside them");
	for (unsigned int i = 0; i < n_frames; i++)
		free(frames[i].wire);
	corpus_free(&corpus);
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
