/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Latency engine: packets (or sessions of two packets) on their way through
 * stages. An event for each passage with the time between its stages, or with
 * --summary or --interval figures only; histograms at the end. What did not
 * come to its end is found by sweeps and told with the last stage it reached.
 */
#ifndef NETTRACE_LATENCY_H
#define NETTRACE_LATENCY_H

#include "nettrace/run.h"

enum nt_latency_direction { NT_LATENCY_TX, NT_LATENCY_RX, NT_LATENCY_BOTH };

struct nt_latency_opts {		/* begins the option struct of every latency tool */
	double latency_ms;
	uint32_t direction;		/* enum nt_latency_direction */
	uint32_t timeout_ms;
	bool no_stacks, debug, summary;
	bool reversed[2];		/* no option: what check() found out about the addresses */
};

struct nt_latency_stage {
	const char *name;
	const char *hook4, *hook6;	/* stems of the hooks table, by IP version */
};

#define NT_LATENCY_KEY_MAX 64

/*
 * What the engine has to know of a tool. Its events are
 *	__u64 ts_ns; KEY; __u32 ended, last_stage; struct nt_lat lat;
 * and nt_lat is a hash of KEY (a multiple of 8 bytes) and struct nt_lat.
 */
struct nt_latency_desc {
	const struct nt_latency_stage *stage[2];	/* by NT_DIR_TX, NT_DIR_RX */
	uint32_t n_stages;
	uint32_t leg2;			/* first stage of the second leg */
	const char *leg[2];		/* "request", "reply" */
	const char *outside[2];		/* what lies between the legs, by direction */
	const char *hook[NT_STAGES];	/* by the number that counters of --debug have */
	const char *total;		/* JSON key and heading of the whole: "rtt" */
	size_t key_size;
	const struct nt_field *key;	/* JSON and CSV members of the key */
	size_t n_key;
	uint32_t (*direction)(const void *key);		/* NT_DIR_TX, NT_DIR_RX */
	const char *(*protocol)(const void *key);
	void (*text)(const void *key, char *buf, size_t size);
};

extern const struct nt_engine nt_latency_engine;

/* For a tool's check(): --summary and --interval turn events off. */
int nt_latency_check(struct nt_run *r, struct nt_err *err);

/* ---- ICMP echo sessions: the key is struct nt_echo_key ---- */
#define NT_ECHO_KEY_FIELDS 5
extern const struct nt_field nt_echo_key_fields[NT_ECHO_KEY_FIELDS];
uint32_t nt_echo_direction(const void *key);
const char *nt_echo_protocol(const void *key);
void nt_echo_text(const void *key, char *buf, size_t size);
/* By direction: is the filter's --src-ip the end that is pinged? */
void nt_echo_ends(struct nt_run *r, bool reversed[2]);
/* nt_latency_check(), and which of the filter's addresses is the initiator. */
int nt_echo_check(struct nt_run *r, struct nt_err *err);

#endif
