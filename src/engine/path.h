/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files of the path engine. What decides (path_table.c, path_echo.c,
 * path_datagram.c, path_stream.c) knows no run and no output: it gets records and
 * the time, and calls .decided for each packet whose fate is known.
 */
#ifndef NETTRACE_ENGINE_PATH_H
#define NETTRACE_ENGINE_PATH_H

#include "devset.h"
#include "nettrace/path.h"

enum { NT_REQ_RX, NT_REQ_TX, NT_REP_RX, NT_REP_TX, NT_PATH_STAGES };

enum nt_path_verdict {
	NT_PATH_UNDECIDED,
	NT_PATH_COMPLETE,
	NT_PATH_REQ_INTERNAL,		/* losses */
	NT_PATH_EXTERNAL,
	NT_PATH_REP_INTERNAL,
	NT_PATH_INTERNAL,
	NT_PATH_PARTIAL_FRAG,
	NT_PATH_UPSTREAM,		/* fragments never came here whole */
	NT_PATH_UNCERTAIN,		/* records were lost meanwhile */
	NT_PATH_EVICTED,
	NT_PATH_OPEN_AT_END,
	NT_PATH_UNMATCHED,		/* never seen at the first stage: not tracked */
	NT_PATH_UNWANTED,		/* did not match the filter expression: not tracked */
	NT_PATH_VERDICTS,
};

/* Half-open ranges, ascending, none touching another. */
#define NT_PATH_RANGES 48
struct nt_range { uint64_t start, end; };
struct nt_ranges {
	uint32_t n;
	struct nt_range v[NT_PATH_RANGES];
};
/* Both return the bytes that changed. Without room the two nearest ranges become one (add), or
 * the hole is not made (sub). */
uint64_t nt_ranges_add(struct nt_ranges *r, uint64_t start, uint64_t end);
uint64_t nt_ranges_sub(struct nt_ranges *r, uint64_t start, uint64_t end);
uint64_t nt_ranges_bytes(const struct nt_ranges *r);

struct nt_path_key {			/* in the orientation of the request; no holes */
	uint8_t src[16], dst[16];
	uint32_t id, seq, ack;
	uint16_t sport, dport, len;
	uint8_t kind, sub;		/* what the members mean, by the file that uses them */
};
NT_ASSERT_SIZE(struct nt_path_key, 52);

struct nt_path_frags {			/* of one fragmented datagram */
	struct nt_ranges in, out;
	uint64_t total;			/* 0: the last fragment was not seen */
};

struct nt_path_entry;
struct nt_path_list { struct nt_path_entry *head, *tail; };

struct nt_path_entry {			/* one packet */
	struct nt_path_key key;
	uint8_t state, verdict, seen;	/* enum nt_path_state; bit per stage */
	bool wanted;			/* its first stage matched the filter expression */
	bool reply, control;		/* TCP */
	bool resent;			/* TCP: sent again after we had forwarded it */
	uint8_t tcp_flags;
	struct nt_path_entry *chain_prev, *chain_next;	/* same bucket, oldest first */
	struct nt_path_entry *prev, *next;		/* same state, by time */
	uint64_t ts[NT_PATH_STAGES], last_ns, skb;
	uint32_t ifindex[NT_PATH_STAGES];
	struct nt_flow flow;		/* as first seen, in the orientation of the request */
	uint32_t len, ip_id;
	__be16 check;
	bool check_known;
	uint16_t gso_size;
	uint64_t lost_bytes;
	struct nt_path_event *drop;	/* the last one, NULL: none; malloc */
	struct nt_path_frags *frags;	/* NULL: not fragmented; malloc */
	struct nt_path_entry *whole;	/* tx fragments under another id: the datagram they are of */
	/* TCP data */
	struct nt_path_dir *dir;
	struct nt_path_entry *dir_prev, *dir_next;
	uint64_t seq, end;
	struct nt_ranges *need;		/* not yet forwarded, if in pieces; NULL: [seq, end) */
	bool forwarded;
};

enum nt_path_state { NT_PATH_FREE, NT_PATH_LIVE, NT_PATH_DOOMED, NT_PATH_DONE, NT_PATH_STATES };

struct nt_path_dir {			/* one direction of a connection */
	struct nt_path_flow *flow;
	bool started;
	uint64_t high;			/* highest sequence number seen, not wrapped */
	uint64_t acked;			/* by what the other end sent through us */
	struct nt_path_list waiting;	/* not wholly forwarded, oldest first */
	struct nt_path_list unacked;	/* forwarded, by .end */
};

struct nt_path_flow {
	struct nt_path_flow *next;
	struct nt_path_key key;
	uint32_t entries;
	struct nt_path_dir dir[2];	/* [1]: the answers */
};

struct nt_path_counts {
	uint64_t total;			/* tracked: seen at the first stage, and wanted */
	uint64_t verdict[NT_PATH_VERDICTS];
	uint64_t duplicate;		/* the same packet again */
	uint64_t late;			/* after it had been given up */
	uint64_t fragments;		/* datagrams that were fragmented */
	uint64_t control, control_complete, control_lost, control_other;	/* TCP without data */
	/* TCP: segments lost here; beyond us; sent again although their ACK went through */
	uint64_t internal_segments, external_segments, spurious_segments, lost_bytes;
};

struct nt_path_bucket { struct nt_path_entry *head, *tail; };

struct nt_path {
	struct nt_path_entry *pool;
	uint32_t max, used;
	struct nt_path_entry *free;
	struct nt_path_bucket *bucket;
	uint32_t buckets;		/* a power of two */
	struct nt_path_list list[NT_PATH_STATES];
	struct nt_path_flow **flow;	/* TCP */
	uint32_t n_flows, flows_limit;
	uint64_t timeout_ns, grace_ns;
	uint64_t records_lost_ns;	/* records were lost up to this time; 0: none */
	enum nt_path_kind kind;
	bool one_way, has_ports;	/* ports: the filter tests them */
	struct nt_ports sport, dport;
	struct nt_path_counts count;
	/* Verdict is in e->verdict; e is as it was. For complete ones and losses. */
	void (*decided)(void *arg, const struct nt_path_entry *e);
	void *arg;
};

/* path_table.c */
uint64_t nt_path_grace_ns(uint64_t timeout_ns);	/* also the time between sweeps */
/* 0 or -ENOMEM. */
int nt_path_init(struct nt_path *p, enum nt_path_kind kind, uint32_t max, uint64_t timeout_ns);
void nt_path_free(struct nt_path *p);
struct nt_path_entry *nt_path_first(const struct nt_path *p, const struct nt_path_key *k);
struct nt_path_entry *nt_path_next(const struct nt_path_entry *e);	/* of the same key */
/* Never NULL: the oldest one goes if there is no room. Not in the table by key until linked. */
struct nt_path_entry *nt_path_new(struct nt_path *p, const struct nt_path_key *k,
				  const struct nt_path_event *ev);
void nt_path_link(struct nt_path *p, struct nt_path_entry *e);
void nt_path_unlink(struct nt_path *p, struct nt_path_entry *e);
/* First visit of a stage counts. */
void nt_path_stamp(struct nt_path *p, struct nt_path_entry *e, const struct nt_path_event *ev,
		   int stage);
/* keep: stays as a tombstone for a timeout, so that what comes late is known. */
void nt_path_decide(struct nt_path *p, struct nt_path_entry *e, enum nt_path_verdict v, bool keep);
void nt_path_dropped(struct nt_path *p, struct nt_path_entry *e, const struct nt_path_event *ev);
void nt_path_remove(struct nt_path *p, struct nt_path_entry *e);
/* 0..3, or -1: tells nothing. */
int nt_path_stage(const struct nt_path_event *ev);
void nt_path_record(struct nt_path *p, const struct nt_path_event *ev);
void nt_path_sweep(struct nt_path *p, uint64_t now);
void nt_path_finish(struct nt_path *p);		/* no more records: what is left was open */
uint64_t nt_path_unfinished(const struct nt_path *p);	/* tracked and open now */
bool nt_path_is_loss(enum nt_path_verdict v);

/* One file a kind: a record; what an entry is that nothing more is seen of; before it goes. */
void nt_path_echo(struct nt_path *p, const struct nt_path_event *ev);
enum nt_path_verdict nt_path_echo_verdict(const struct nt_path *p, const struct nt_path_entry *e);
void nt_path_datagram(struct nt_path *p, const struct nt_path_event *ev);
enum nt_path_verdict nt_path_datagram_verdict(const struct nt_path *p, struct nt_path_entry *e);
void nt_path_stream(struct nt_path *p, const struct nt_path_event *ev);
enum nt_path_verdict nt_path_stream_verdict(struct nt_path *p, struct nt_path_entry *e);
void nt_path_stream_detach(struct nt_path_entry *e);

/* path_flow.c */
void nt_path_stream_free(struct nt_path *p);
void nt_path_flow_key(const struct nt_path_event *ev, struct nt_path_key *k);	/* both ways the same */
/* NULL: unknown and not to be made, or no memory. */
struct nt_path_flow *nt_path_flow_of(struct nt_path *p, const struct nt_path_key *k, bool make);

/* path_show.c */
void nt_path_show_passage(struct nt_run *r, const struct nt_path_event *ev, int stage);
void nt_path_show(struct nt_run *r, const struct nt_path_entry *e);

/* path_counts.c */
void nt_path_show_counts(struct nt_run *r, const struct nt_path_counts *c, uint64_t open);
void nt_path_show_gaps(struct nt_run *r);

/* path.c */
struct nt_path_priv {
	struct nt_path path;
	struct nt_devset devset;
	struct nt_drop_places *places;
	struct nt_path_counts last;	/* at the last interval report */
	struct nt_hist *gap;		/* by enum nt_path_gap, of complete packets */
	uint64_t buffer_lost, told_evicted, told_unmatched;
	struct nt_path_event **queue;	/* records that are not in order yet; malloc'd each */
	size_t n_queued, cap_queued;
};
enum nt_path_gap { NT_GAP_REQ, NT_GAP_EXTERNAL, NT_GAP_REP, NT_GAP_TOTAL, NT_PATH_GAPS };

/* Time from stage to stage; false: one of them was not seen. */
bool nt_path_gap_ns(const struct nt_path_entry *e, enum nt_path_gap gap, bool one_way,
		    uint64_t *ns);

static inline const struct nt_path_desc *nt_path_desc_of(const struct nt_run *r)
{
	return nt_run_tool(r)->engine_data;
}

#endif
