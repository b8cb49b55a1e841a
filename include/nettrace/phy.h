/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Probes between two hosts (phy_net_drop_detector): the protocol, which the script speaks too, what
 * a receiver knows about the probes, and what follows from both ends' figures. Numbers are in host
 * order here and big-endian on the wire.
 */
#ifndef NETTRACE_PHY_H
#define NETTRACE_PHY_H

#include <sys/socket.h>

#include "nettrace/drop.h"

enum { NT_PHY_PROBE = 0x50485944, NT_PHY_CONTROL = 0x50485943 };	/* "PHYD", "PHYC" */
enum nt_phy_type { NT_PHY_STATS_REQUEST = 1, NT_PHY_STATS, NT_PHY_START, NT_PHY_STOP, NT_PHY_ACK };
#define NT_PHY_COUNTERS 13
#define NT_PHY_REASONS 16
#define NT_PHY_MESSAGE 1200		/* no message of ours is longer */

struct nt_phy_drops {			/* of probes, by this end's kernel */
	bool known;			/* BPF was there to tell */
	size_t n;
	struct { char name[44]; uint64_t count; } reason[NT_PHY_REASONS];
};

struct nt_phy_stats {			/* what the receiver answers */
	uint32_t received, lowest, highest, out_of_order;
	uint64_t counters[NT_PHY_COUNTERS];	/* rise of the interface's */
	bool extended;			/* the rest is there: the peer is one of us */
	uint32_t session, longest_run;	/* lost probes in a row */
	uint64_t overflow;		/* socket buffer full: the receiving program was too slow */
	uint64_t duplicates;
	struct nt_phy_drops drops;
};

struct nt_phy_message {
	bool probe;
	enum nt_phy_type type;		/* of a control message */
	uint32_t seq;			/* of a probe */
	uint64_t time_us;
	uint32_t session;		/* of NT_PHY_START; 0: the script's */
	struct nt_phy_stats stats;	/* of NT_PHY_STATS */
};

const char *nt_phy_counter_name(size_t i);
/* Bytes written (probes are padded with zeros to size), 0: no room. */
size_t nt_phy_put(const struct nt_phy_message *m, void *buf, size_t size);
/* 0 or -EINVAL: no message of this protocol. */
int nt_phy_parse(struct nt_phy_message *m, const void *buf, size_t n);

/* ---- sequence numbers, in bounded memory ---- */
#define NT_PHY_WINDOW (1u << 18)
struct nt_phy_seen {
	uint8_t bit[NT_PHY_WINDOW / 8];
	uint32_t received, lowest, highest, out_of_order, run, longest_run;
	uint64_t duplicates;
	bool any;
};
void nt_phy_seen_add(struct nt_phy_seen *s, uint32_t seq);
/* Longest run of lost ones up to highest; first and last: what was sent, so that a lost beginning
 * and end count. */
uint32_t nt_phy_seen_longest(const struct nt_phy_seen *s, uint32_t first, uint32_t last);

/* ---- what follows ---- */
enum nt_phy_verdict {
	NT_PHY_NO_DROP, NT_PHY_NETWORK, NT_PHY_SENDER, NT_PHY_RECEIVER, NT_PHY_OVERRUN, NT_PHY_INCONCLUSIVE,
};
struct nt_phy_result {
	uint64_t sent;
	double threshold_pct;		/* less is no loss */
	bool answered;			/* peer is valid */
	uint64_t counters[NT_PHY_COUNTERS];	/* rise of ours */
	struct nt_phy_drops drops;	/* ours */
	struct nt_phy_stats peer;
};
uint64_t nt_phy_lost(const struct nt_phy_result *r);
/* evidence: the sentence that says why. */
enum nt_phy_verdict nt_phy_judge(const struct nt_phy_result *r, char *evidence, size_t size);
const char *nt_phy_verdict_name(enum nt_phy_verdict v);
const char *nt_phy_remedy(enum nt_phy_verdict v);

/* Opens the socket of this end into *sock, bound to the device and the port; a sender gets its
 * peer's address. The caller closes it, also after an error if it is not -1. */
int nt_phy_socket(struct nt_run *r, int *sock, struct sockaddr_storage *to, socklen_t *to_len,
		  struct nt_err *err);

/* ---- the tool ---- */
struct nt_phy_opts {
	struct nt_drop_opts drop;	/* first: the drop engine's functions see only this */
	uint32_t mode;			/* enum nt_phy_mode */
	uint32_t port, rate, size;
	struct nt_prefix peer, bind;
	double threshold_pct;
	bool once;
	uint64_t rcvbuf_bytes, send_ns;
};
enum nt_phy_mode { NT_PHY_MODE_SENDER, NT_PHY_MODE_RECEIVER };

extern const struct nt_engine nt_phy_engine;
int nt_phy_check(struct nt_run *r, struct nt_err *err);

/* ---- phy_show.c ---- */
void nt_phy_show_stats(struct nt_run *r, const struct nt_phy_stats *s, uint64_t stray);
void nt_phy_show_result(struct nt_run *r, const struct nt_phy_result *res, uint64_t send_errors);

#endif
