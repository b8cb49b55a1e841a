/* SPDX-License-Identifier: GPL-2.0 */
/*
 * At each interval: which ports have listeners, all sockets, what they rose by since the last time
 * (by cookie, which no other socket ever gets), the worst and busiest first, and whose they are.
 */
#include "nettrace/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX	16384

struct conns {
	struct nt_conn *conn;
	struct nt_conn_past *past;	/* sorted by cookie */
	size_t n, cap, n_past;
	uint8_t listening[65536 / 8];	/* ports */
	struct nt_mib mib;		/* at the last look */
	uint64_t last_ns, looks, left_out;
	struct nt_conn_totals totals;
};

static const struct nt_conn_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

static bool wants_mib(const struct nt_run *r)
{
	return opts_of(r)->stats || opts_of(r)->analysis;
}

static void fail(struct nt_run *r, int rc)
{
	struct nt_err e = { .text = "" };

	nt_err_set(&e, NT_EXIT_RUNTIME, -rc, "cannot read the sockets: sock_diag: %s", strerror(-rc));
	nt_run_fail(r, &e);
}

/* ---- who is the server ---- */
static bool add_listener(void *arg, const struct nt_sock *s)
{
	uint16_t port = ntohs(s->local_port);

	((struct conns *)arg)->listening[port / 8] |= (uint8_t)(1u << port % 8);
	return true;
}

/* A listener may be closed while its connections live on: then the ports tell. */
static uint32_t role_of(const struct conns *p, const struct nt_sock *s)
{
	uint16_t local = ntohs(s->local_port), remote = ntohs(s->remote_port);

	if (s->state == NT_TCP_LISTEN || (p->listening[local / 8] >> local % 8 & 1))
		return NT_CONN_SERVER;
	return !nt_conn_port_is_ours(local) && nt_conn_port_is_ours(remote) ? NT_CONN_SERVER : NT_CONN_CLIENT;
}

/* ---- one look ---- */
struct look { struct nt_run *r; int rc; };

static bool room(struct conns *p, uint32_t most)
{
	size_t cap = p->cap ? p->cap * 2 : 64;
	struct nt_conn *grown;

	if (p->n < p->cap)
		return true;
	if (p->n >= most)
		return false;
	cap = cap < most ? cap : most;
	grown = realloc(p->conn, cap * sizeof(*grown));
	if (!grown)
		return false;
	p->conn = grown;
	p->cap = cap;
	return true;
}

static bool add_conn(void *arg, const struct nt_sock *s)
{
	struct nt_run *r = ((struct look *)arg)->r;
	struct conns *p = nt_run_priv(r);
	uint32_t role = role_of(p, s), most = nt_run_common(r)->max_entries;

	if (opts_of(r)->role && opts_of(r)->role != role)
		return true;
	if (!room(p, most ? most : DEFAULT_MAX)) {
		p->left_out++;
		nt_run_lost(r, NT_STAT_MAP_FULL, 1);
		return true;
	}
	p->conn[p->n] = (struct nt_conn){ .s = *s, .role = role, .worst = -1 };
	p->n++;
	return true;
}

static int read_sockets(struct nt_run *r)
{
	struct conns *p = nt_run_priv(r);
	struct nt_sock_filter any = { .local = { .set = false } };
	struct look l = { .r = r };
	int rc;

	memset(p->listening, 0, sizeof(p->listening));
	p->n = p->left_out = 0;
	rc = nt_sock_dump(1u << NT_TCP_LISTEN, &any, add_listener, p);
	if (!rc)
		rc = nt_sock_dump(opts_of(r)->all ? NT_TCP_ALL_STATES : 1u << NT_TCP_ESTABLISHED, &opts_of(r)->filter,
				  add_conn, &l);
	return rc;
}

static int by_cookie(const void *a, const void *b)
{
	const struct nt_conn_past *x = a, *y = b;

	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

/* What the next look is compared with. */
static void remember(struct nt_run *r)
{
	struct conns *p = nt_run_priv(r);
	struct nt_conn_past *past = calloc(p->n + 1, sizeof(*past));

	free(p->past);
	p->past = past;
	p->n_past = past ? p->n : 0;
	for (size_t i = 0; i < p->n_past; i++)
		nt_conn_sums(&past[i], &p->conn[i].s);
	if (past)
		qsort(past, p->n_past, sizeof(*past), by_cookie);
	p->last_ns = nt_now_ns();
}

static void judge_all(struct nt_run *r, double seconds)
{
	struct conns *p = nt_run_priv(r);
	double target = opts_of(r)->target_gbps;
	struct nt_conn_finding f[NT_CONN_FINDINGS];

	for (size_t i = 0; i < p->n; i++) {
		struct nt_conn *c = &p->conn[i];
		struct nt_conn_past key = { .cookie = c->s.cookie };
		const struct nt_conn_past *before = p->n_past
			? bsearch(&key, p->past, p->n_past, sizeof(*p->past), by_cookie) : NULL;

		nt_conn_derive(c, before, seconds, target);
		c->n_findings = (uint32_t)nt_conn_judge(c, target, f, NT_CONN_FINDINGS);
		c->worst = c->n_findings ? (int)f[0].severity : -1;
		for (uint32_t k = 0; k < c->n_findings; k++)
			p->totals.findings[f[k].severity]++;
		p->totals.listeners += c->s.state == NT_TCP_LISTEN;
		p->totals.clients += c->role == NT_CONN_CLIENT;
		p->totals.servers += c->role == NT_CONN_SERVER && c->s.state != NT_TCP_LISTEN;
	}
	p->totals.connections = p->n - p->totals.listeners;
	p->totals.left_out = p->left_out;
}

/* Worst first, then those that moved the most. */
static int by_rank(const void *a, const void *b)
{
	const struct nt_conn *x = a, *y = b;
	uint64_t p = x->rise.sent + x->rise.received, q = y->rise.sent + y->rise.received;

	if (x->worst != y->worst)
		return x->worst > y->worst ? -1 : 1;
	if (p != q)
		return p > q ? -1 : 1;
	return (x->s.cookie > y->s.cookie) - (x->s.cookie < y->s.cookie);
}

static int by_inode(const void *a, const void *b)
{
	const struct nt_sock_owner *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

/* A look takes its time on a host with a million descriptors, the last one not: we are to end. */
struct patience { struct nt_run *r; uint64_t begin_ns; };

static bool too_long(void *arg)
{
	const struct patience *p = arg;

	return nt_now_ns() - p->begin_ns > (nt_run_ending(p->r) ? 400000000 : 2000000000);
}

static void find_owners(struct nt_run *r, size_t n)
{
	struct conns *p = nt_run_priv(r);
	struct nt_sock_owner *o = calloc(n + 1, sizeof(*o));
	struct patience patience = { r, nt_now_ns() };
	size_t wanted = 0;

	for (size_t i = 0; o && i < n; i++)
		if (p->conn[i].s.inode)
			o[wanted++].inode = p->conn[i].s.inode;
	if (o)
		qsort(o, wanted, sizeof(*o), by_inode);
	p->totals.owners_complete = o && (!wanted || nt_sock_owners(o, wanted, too_long, &patience));
	for (size_t i = 0; o && i < n; i++) {
		struct nt_sock_owner key = { .inode = p->conn[i].s.inode };
		const struct nt_sock_owner *found = bsearch(&key, o, wanted, sizeof(*o), by_inode);

		if (!found || !found->processes)
			continue;
		p->conn[i].has |= NT_CONN_OWNED;
		p->conn[i].processes = found->processes;
		p->conn[i].pid = found->pid;
		p->conn[i].fd = found->fd;
		memcpy(p->conn[i].comm, found->comm, sizeof(found->comm));
	}
	free(o);
}

/* Since the boot at the only look, else since the last one. */
static void show_counters(struct nt_run *r)
{
	struct conns *p = nt_run_priv(r);
	struct nt_mib now;
	struct nt_mib_row *rises;
	size_t n = 0;

	nt_mib_read(&now, NULL, NULL, 0);
	rises = calloc(now.n + 1, sizeof(*rises));
	if (rises)
		n = nt_mib_rises(&p->mib, &now, rises);
	if (opts_of(r)->stats)
		nt_conn_show_stats(r, rises, n);
	if (opts_of(r)->analysis)
		nt_conn_show_analysis(r, rises, n);
	free(rises);
	nt_mib_free(&p->mib);
	p->mib = now;
}

static void interval(struct nt_run *r, bool final)
{
	struct conns *p = nt_run_priv(r);
	double seconds = p->last_ns ? (double)(nt_now_ns() - p->last_ns) / 1e9 : 0;
	size_t top = nt_run_common(r)->top;
	int rc;

	(void)final;
	memset(&p->totals, 0, sizeof(p->totals));
	rc = read_sockets(r);
	if (rc) {
		fail(r, rc);
		return;
	}
	p->looks++;
	judge_all(r, seconds);
	if (p->n)
		qsort(p->conn, p->n, sizeof(*p->conn), by_rank);
	top = top < p->n ? top : p->n;
	find_owners(r, top);
	nt_conn_show(r, p->conn, top, &p->totals);
	if (opts_of(r)->config)
		nt_conn_show_config(r);
	if (wants_mib(r))
		show_counters(r);
	remember(r);
}

/* ---- the engine ---- */
static bool nothing(void *arg, const struct nt_sock *s)
{
	(void)arg;
	(void)s;
	return false;
}

static int possible(struct nt_err *err)
{
	struct nt_sock_filter any = { .local = { .set = false } };
	int rc = nt_sock_dump(1u << NT_TCP_LISTEN, &any, nothing, NULL);

	if (!rc)
		return 0;
	return nt_err_set(err, rc == -EPERM || rc == -EACCES ? NT_EXIT_PERMISSION : NT_EXIT_UNSUPPORTED, -rc,
			  "this kernel does not tell of its sockets: sock_diag: %s: %s", strerror(-rc),
			  "load the module tcp_diag, or use tcp_perf_observer");
}

static void baseline(struct nt_run *r)
{
	struct conns *p = nt_run_priv(r);
	int rc;

	if (!nt_run_common(r)->interval_ns)
		return;			/* one look */
	rc = read_sockets(r);
	if (rc)
		fail(r, rc);
	remember(r);
	if (wants_mib(r))
		nt_mib_read(&p->mib, NULL, NULL, 0);
}

static void end(struct nt_run *r)
{
	struct conns *p = nt_run_priv(r);
	struct nt_out *o = nt_run_out(r);

	nt_json_u64(o, "looks", p->looks);
	nt_json_u64(o, "connections", p->totals.connections);
	nt_json_obj(o, "findings");
	for (int s = NT_CONN_CRITICAL; s >= NT_CONN_INFO; s--)
		nt_json_u64(o, nt_conn_severity_name(s), p->totals.findings[s]);
	nt_json_obj_end(o);
}

static void release(struct nt_run *r)
{
	struct conns *p = nt_run_priv(r);

	free(p->conn);
	free(p->past);
	nt_mib_free(&p->mib);
}

/* Without an interval: one look, or, with a duration, one at its end. */
int nt_conn_check(struct nt_run *r, struct nt_err *err)
{
	struct nt_common_opts *c = nt_run_common(r);

	if (nt_run_n_words(r))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "no filter expressions: %s: give --local-ip, --local-port, "
				  "--remote-ip or --remote-port", nt_run_word(r, 0));
	if (!c->interval_ns)
		c->interval_ns = c->duration_ns;
	if (!c->interval_ns)
		nt_run_set_one_look(r);
	return 0;
}

const struct nt_engine nt_conn_engine = {
	.name = "conn",
	.priv_size = sizeof(struct conns),
	.aggregates = true,
	.possible = possible,
	.baseline = baseline,
	.interval = interval,
	.end = end,
	.release = release,
};
