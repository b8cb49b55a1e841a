/* SPDX-License-Identifier: GPL-2.0 */
/* Queue engine: constants, devices, events, the wait in the ring. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fnmatch.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nettrace/queue.h"

#define DEVS_MAX	1024		/* entries of nt_ring_devs */
#define WAIT_MAX_NS	30000000000ULL	/* older entries of nt_waiting have lost their packet */
#define WAIT_SWEEP_NS	5000000000ULL

struct queue_priv {
	struct nt_stream *stream;
	struct nt_queue_snapshot now, last;	/* last: at the last interval report */
	uint32_t interval_id;
	struct nt_ring_dev dev[DEVS_MAX];	/* in nt_ring_devs now */
	size_t n_devs;
	uint64_t wait_swept_ns;
};

/* An event as it is shown: the kernel's record, and what is made from it. */
struct shown {
	struct nt_ring_event e;
	const char *reason;
	double occupancy_pct;
	uint32_t ring_free;
	char verdict[48];	/* text: "DROP FULL_RING" */
	char queue[24];		/* "0/4" */
	char used[24];		/* "64/64" */
	char flow[128];
};

#define EV(member) offsetof(struct shown, e.member)
#define RING .has_off = EV(ring.known), .has_mask = 1
#define IF_L3 .has_off = EV(pkt.bits), .has_mask = NT_PKT_L3, .flags = NT_F_NO_TEXT
#define IF_PORTS .has_off = EV(pkt.bits), .has_mask = NT_PKT_PORTS, .flags = NT_F_NO_TEXT
#define TEXT(what, head, w) \
	{ .name = #what, .label = head, .kind = NT_K_STR, .off = offsetof(struct shown, what), \
	  .arg = sizeof(((struct shown *)0)->what), .width = w, .flags = NT_F_NO_JSON }

static const struct nt_field fields[] = {
	{ .name = "time", .kind = NT_K_TS, .off = EV(ts_ns) },
	TEXT(verdict, "verdict", 14),
	{ .name = "ifname", .label = "device", .kind = NT_K_IFINDEX, .off = EV(pkt.flow.ifindex),
	  .arg = EV(pkt.flow.netns), .width = 8 },
	TEXT(queue, "queue", 5),
	TEXT(used, "used/size", 9),
	{ .name = "ifindex", .kind = NT_K_U32, .off = EV(pkt.flow.ifindex), .flags = NT_F_NO_TEXT },
	{ .name = "netns", .kind = NT_K_U32, .off = EV(pkt.flow.netns), .flags = NT_F_NO_TEXT },
	{ .name = "queue", .kind = NT_K_U32, .off = EV(queue), .flags = NT_F_NO_TEXT },
	{ .name = "num_queues", .kind = NT_K_U32, .off = EV(num_queues),
	  .flags = NT_F_NO_TEXT | NT_F_IF_NONZERO },
	{ .name = "verdict", .kind = NT_K_ENUM, .off = EV(verdict), .names = "ok|full|drop",
	  .flags = NT_F_NO_TEXT },
	{ .name = "reason", .kind = NT_K_CSTR, .off = offsetof(struct shown, reason),
	  .flags = NT_F_NO_TEXT | NT_F_IF_NONZERO },
	{ .name = "ring_size", .kind = NT_K_U32, .off = EV(ring.size), RING, .flags = NT_F_NO_TEXT },
	{ .name = "ring_queued", .kind = NT_K_U32, .off = EV(ring.queued), RING,
	  .flags = NT_F_NO_TEXT },
	{ .name = "ring_stale", .label = "stale", .kind = NT_K_U32, .off = EV(ring.stale), RING,
	  .width = 5 },
	{ .name = "ring_free", .kind = NT_K_U32, .off = offsetof(struct shown, ring_free),
	  .flags = NT_F_NO_TEXT, RING },
	{ .name = "occupancy_pct", .label = "%", .kind = NT_K_F64,
	  .off = offsetof(struct shown, occupancy_pct), .decimals = 1, .width = 5, RING },
	{ .name = "len_bytes", .label = "bytes", .kind = NT_K_U32, .off = EV(pkt.len), .width = 5 },
	TEXT(flow, "flow", 36),
	{ .name = "protocol", .kind = NT_K_PROTO, .off = EV(pkt.flow.proto), IF_L3 },
	{ .name = "src_ip", .kind = NT_K_ADDR, .off = EV(pkt.flow.saddr), IF_L3 },
	{ .name = "dst_ip", .kind = NT_K_ADDR, .off = EV(pkt.flow.daddr), IF_L3 },
	{ .name = "src_port", .kind = NT_K_PORT, .off = EV(pkt.flow.sport), IF_PORTS },
	{ .name = "dst_port", .kind = NT_K_PORT, .off = EV(pkt.flow.dport), IF_PORTS },
	{ .name = "ip_version", .kind = NT_K_U8, .off = EV(pkt.flow.ip_version), IF_L3 },
	{ .name = "eth_type", .kind = NT_K_ETHTYPE, .off = EV(pkt.flow.eth_type),
	  .flags = NT_F_NO_TEXT },
	{ .name = "vlan", .kind = NT_K_VLANS, .off = EV(pkt.vlan), .arg = 2,
	  .flags = NT_F_NO_TEXT | NT_F_IF_NONZERO },
	{ .name = "gso_segs", .kind = NT_K_U16, .off = EV(pkt.gso_segs),
	  .flags = NT_F_NO_TEXT | NT_F_IF_NONZERO },
	{ .name = "pid", .kind = NT_K_U32, .off = EV(pid), .flags = NT_F_NO_TEXT },
	{ .name = "tid", .kind = NT_K_U32, .off = EV(tid), .flags = NT_F_NO_TEXT },
	{ .name = "cpu", .kind = NT_K_U32, .off = EV(cpu), .flags = NT_F_NO_TEXT },
	{ .name = "comm", .label = "process", .kind = NT_K_COMM, .off = EV(comm) },
	/* --verbose */
	{ .name = "producer", .kind = NT_K_U32, .off = EV(ring.producer), .width = 4, RING },
	{ .name = "consumer_head", .label = "head", .kind = NT_K_U32, .off = EV(ring.consumer_head),
	  .width = 4, RING },
	{ .name = "consumer_tail", .label = "tail", .kind = NT_K_U32, .off = EV(ring.consumer_tail),
	  .width = 4, RING },
	{ .name = "skb", .kind = NT_K_HEX64, .off = EV(skb) },
	{ .name = "dev", .kind = NT_K_HEX64, .off = EV(dev) },
};
#define VERBOSE_FIELDS 5	/* the last ones */

static const struct nt_queue_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

/* ---- options ---- */

bool nt_queue_wants_wait(const void *opts)
{
	return ((const struct nt_queue_opts *)opts)->wait;
}

static bool is_glob(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

/* Its driver is another one for certain; a driver that does not answer may be tun. */
static bool is_no_tun(const char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq q = { .ifr_data = (void *)&info };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return false;
	memcpy(q.ifr_name, name, strlen(name));	/* shorter than IFNAMSIZ: it exists */
	rc = ioctl(fd, SIOCETHTOOL, &q);
	close(fd);
	return !rc && strcmp(info.driver, "tun") != 0;
}

static int check_devs(const struct nt_strlist *l, struct nt_err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		if (is_glob(l->item[i]))
			continue;	/* a virtual machine that is yet to come */
		if (!if_nametoindex(l->item[i]))
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"no such interface: %s: see ip link for the names in this namespace",
				l->item[i]);
		if (is_no_tun(l->item[i]))
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				"no tun or tap device: %s: see ip -d link for the devices that are",
				l->item[i]);
	}
	return 0;
}

int nt_queue_check(struct nt_run *r, struct nt_err *err)
{
	const struct nt_tuple_opts *t = nt_run_tuple(r);
	bool tuple = t->src.set || t->dst.set || t->sport.set || t->dport.set ||
		     t->proto != NT_PROTO_ALL;

	/* Any of no conditions would let nothing pass. */
	if (opts_of(r)->match == NT_QUEUE_MATCH_ANY && tuple)
		nt_run_tuple_mask(r, NT_FILTER_ANY);
	return check_devs(&opts_of(r)->devs, err);
}

static int configure(struct nt_run *r, struct nt_err *err)
{
	const struct nt_queue_opts *o = opts_of(r);

	(void)err;
	nt_run_const(r, NT_CONST_TOOL0, (o->all ? NT_RING_ALL : 0) | (o->wait ? NT_RING_WAIT : 0) |
				       (o->devs.n ? NT_RING_DEVS : 0));
	nt_run_const(r, NT_CONST_TOOL1, o->threshold ? o->threshold + 1 : 0);
	nt_run_const(r, NT_CONST_TOOL2, nt_run_given(r, "queue") ? o->queue + 1 : 0);
	nt_run_const(r, NT_CONST_TOOL3, o->rate);
	if (!o->wait)
		nt_run_map_entries(r, "nt_waiting", 1);
	return 0;
}

/* ---- devices: names and globs to indexes, again and again ---- */

static bool named(const struct nt_strlist *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!fnmatch(l->item[i], name, 0))
			return true;
	return false;
}

static bool has_dev(const struct nt_ring_dev *devs, size_t n, const struct nt_ring_dev *d)
{
	for (size_t i = 0; i < n; i++)
		if (!memcmp(&devs[i], d, sizeof(*d)))
			return true;
	return false;
}

/* A restarted machine's device has another index: the kernel side follows. */
static void follow_devs(struct nt_run *r)
{
	struct queue_priv *p = nt_run_priv(r);
	int fd = nt_run_map_fd(r, "nt_ring_devs");
	struct nt_ring_dev found[DEVS_MAX];
	struct if_nameindex *list;
	uint32_t one = 1;
	size_t n = 0;

	if (!opts_of(r)->devs.n)
		return;
	list = if_nameindex();
	for (struct if_nameindex *i = list; i && i->if_index && n < DEVS_MAX; i++)
		if (named(&opts_of(r)->devs, i->if_name))
			found[n++] = (struct nt_ring_dev){ i->if_index, nt_run_netns(r) };
	if (!list)
		return;
	if_freenameindex(list);
	for (size_t i = 0; i < p->n_devs; i++)
		if (!has_dev(found, n, &p->dev[i]))
			bpf_map_delete_elem(fd, &p->dev[i]);
	for (size_t i = 0; i < n; i++)
		if (!has_dev(p->dev, p->n_devs, &found[i]))
			bpf_map_update_elem(fd, &found[i], &one, BPF_ANY);
	memcpy(p->dev, found, n * sizeof(*found));
	p->n_devs = n;
}

static int prepare(struct nt_run *r, struct nt_err *err)
{
	struct queue_priv *p = nt_run_priv(r);

	(void)err;
	p->n_devs = 0;		/* the map is new with each try to load */
	follow_devs(r);
	return 0;
}

static void started(struct nt_run *r)
{
	struct queue_priv *p = nt_run_priv(r);
	size_t n = NT_COUNT(fields) - (nt_run_common(r)->verbose ? 0 : VERBOSE_FIELDS);

	p->wait_swept_ns = nt_now_ns();
	nt_stream_new(&p->stream, nt_run_out(r), nt_run_names(r), fields, n);
	if (opts_of(r)->devs.n && !p->n_devs)
		nt_run_note(r, "nettrace %s: no device matches --device yet", nt_run_tool(r)->name);
}

/* ---- events ---- */

const char *nt_queue_reason(struct nt_run *r, uint32_t reason)
{
	const char *name = NULL;

	if (reason == NT_RING_REASON_FULL)
		return "full_ring";
	if (reason == NT_RING_REASON_OTHER)
		return "other";
	if (reason)
		name = nt_run_names(r)->reason(nt_run_names(r)->ctx, reason);
	return name ? name : "-";
}

static void put_end(char *buf, size_t size, const struct nt_pkt *p, const uint8_t *addr,
		    uint16_t port)
{
	bool v6 = p->flow.ip_version == 6 && (p->bits & NT_PKT_PORTS);
	size_t n = strlen(buf);
	char a[64];

	nt_fmt_addr(addr, a, sizeof(a));
	n += (size_t)snprintf(buf + n, size - n, "%s%s%s", v6 ? "[" : "", a, v6 ? "]" : "");
	if (p->bits & NT_PKT_PORTS)
		snprintf(buf + n, size - n, ":%u", (unsigned int)(uint16_t)(port << 8 | port >> 8));
}

static void put_flow(char *buf, size_t size, const struct nt_pkt *p)
{
	const uint8_t *t = (const uint8_t *)&p->flow.eth_type;
	unsigned int type = (unsigned int)t[0] << 8 | t[1];
	const char *name;

	if (!(p->bits & NT_PKT_L3)) {
		name = nt_opt_ethertype_name(type);
		if (name)
			snprintf(buf, size, "%s", name);
		else
			snprintf(buf, size, "0x%04x", type);
		return;
	}
	name = nt_proto_name(p->flow.proto);
	if (name)
		snprintf(buf, size, "%s ", name);
	else
		snprintf(buf, size, "proto %u ", p->flow.proto);
	put_end(buf, size, p, p->flow.saddr, p->flow.sport);
	strncat(buf, " > ", size - strlen(buf) - 1);
	put_end(buf, size, p, p->flow.daddr, p->flow.dport);
}

static void put_text(struct shown *s)
{
	const struct nt_ring_event *e = &s->e;

	if (e->verdict != NT_RING_DROP)
		strcpy(s->verdict, e->verdict == NT_RING_FULL ? "full" : "ok");
	else
		snprintf(s->verdict, sizeof(s->verdict), "DROP%s%s", s->reason[0] == '-' ? "" : " ",
			 s->reason[0] == '-' ? "" : s->reason);
	if (e->num_queues)
		snprintf(s->queue, sizeof(s->queue), "%u/%u", e->queue, e->num_queues);
	else
		snprintf(s->queue, sizeof(s->queue), "%u", e->queue);
	if (e->ring.known)
		snprintf(s->used, sizeof(s->used), "%u/%u", e->ring.queued, e->ring.size);
	put_flow(s->flow, sizeof(s->flow), &e->pkt);
}

static void event(struct nt_run *r, const void *data, size_t size)
{
	struct queue_priv *p = nt_run_priv(r);
	struct shown s;

	(void)size;
	memset(&s, 0, sizeof(s));
	memcpy(&s.e, data, sizeof(s.e));
	if (s.e.verdict == NT_RING_DROP)
		s.reason = nt_queue_reason(r, s.e.reason);
	if (s.e.ring.known && s.e.ring.size) {
		s.occupancy_pct = 100.0 * s.e.ring.queued / s.e.ring.size;
		s.ring_free = s.e.ring.size - s.e.ring.queued - s.e.ring.stale;
	}
	if (nt_out_format(nt_run_out(r)) == NT_TEXT)
		put_text(&s);
	nt_stream_event(p->stream, &s);
	nt_run_event_shown(r);
}

/* ---- the wait in the ring ---- */

/* A packet that left the ring by a way that is not hooked (a reader without vhost, a closed
 * queue) leaves its entry behind. */
static void sweep_waiting(struct nt_run *r)
{
	struct queue_priv *p = nt_run_priv(r);
	int fd = nt_run_map_fd(r, "nt_waiting");
	uint64_t now = nt_now_ns(), key, next, since, *prev = NULL;
	uint64_t removed = 0;

	if (now - p->wait_swept_ns < WAIT_SWEEP_NS)
		return;
	p->wait_swept_ns = now;
	for (bool more = !bpf_map_get_next_key(fd, prev, &key); more; key = next) {
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (bpf_map_lookup_elem(fd, &key, &since) || now < since + WAIT_MAX_NS)
			continue;
		if (!bpf_map_delete_elem(fd, &key))
			removed++;
	}
	if (removed)
		nt_run_lost(r, NT_STAT_UNMATCHED, removed);
}

static void report_wait(struct nt_run *r)
{
	struct nt_out *o = nt_run_out(r);
	struct nt_hist h;

	if (!opts_of(r)->wait)
		return;
	nt_run_hist(r, "nt_hists", 0, &h);
	nt_json_bool(o, "vhost_reader_seen", h.count != 0);
	nt_hist_json(o, "wait", &h, "us", 1000.0);
	if (nt_out_format(o) != NT_TEXT)
		return;
	if (h.count)
		nt_hist_text(o, "wait of packets, from transmit until vhost passes them to the guest",
			     &h, "us", 1000.0);
	else
		nt_text(o, "no vhost reader seen: how long packets wait is not known\n");
}

/* ---- reports ---- */

static void sweep(struct nt_run *r)
{
	struct queue_priv *p = nt_run_priv(r);

	follow_devs(r);
	nt_queue_read(r, &p->now);	/* learns the names of devices while they are there */
	if (opts_of(r)->wait)
		sweep_waiting(r);
}

static void interval(struct nt_run *r, bool final)
{
	struct queue_priv *p = nt_run_priv(r);
	struct nt_queue_snapshot swap = p->last;
	uint32_t zero = 0, next = p->interval_id + 1;

	(void)final;
	bpf_map_update_elem(nt_run_map_fd(r, "nt_ring_interval"), &zero, &next, BPF_ANY);
	nt_queue_read(r, &p->now);
	nt_queue_report(r, &p->now, nt_run_common(r)->cumulative ? NULL : &p->last, p->interval_id);
	p->interval_id = next;
	p->last = p->now;
	p->now = swap;
}

static void note_counts(struct nt_run *r)
{
	uint64_t limited = nt_run_stat(r, NT_STAT_RING_RATE_LIMITED);
	struct nt_out *o = nt_run_out(r);
	char c[32];

	nt_json_u64(o, "matched", nt_run_stat(r, NT_STAT_EVENTS));
	nt_json_u64(o, "rate_limited", limited);
	nt_json_u64(o, "ring_unresolved", nt_run_stat(r, NT_STAT_RING_UNRESOLVED));
	if (limited)
		nt_text(o, "%s events were counted but not shown: see --rate\n",
			nt_fmt_count(limited, c, sizeof(c)));
}

static void end(struct nt_run *r)
{
	struct queue_priv *p = nt_run_priv(r);

	nt_queue_read(r, &p->now);
	nt_queue_report(r, &p->now, NULL, 0);
	note_counts(r);
	report_wait(r);
}

static void release(struct nt_run *r)
{
	struct queue_priv *p = nt_run_priv(r);

	nt_stream_free(p->stream);
	nt_queue_free(&p->now);
	nt_queue_free(&p->last);
}

const struct nt_engine nt_queue_engine = {
	.name = "queue",
	.priv_size = sizeof(struct queue_priv),
	.configure = configure,
	.prepare = prepare,
	.started = started,
	.event = event,
	.min_event = sizeof(struct nt_ring_event),
	.interval = interval,
	.sweep = sweep,
	.end = end,
	.release = release,
};
