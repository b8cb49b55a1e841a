/* SPDX-License-Identifier: GPL-2.0 */
/* The devices' counters that a monitor watches, and its options. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/child.h"
#include "nettrace/link.h"
#include "nettrace/monitor.h"

static const struct { const char *name; size_t off; } counters[NT_MONITOR_COUNTERS] = {
#define S(member) offsetof(struct rtnl_link_stats64, member)
	{ "rx_dropped", S(rx_dropped) }, { "rx_missed", S(rx_missed_errors) }, { "rx_errors", S(rx_errors) },
	{ "rx_over", S(rx_over_errors) }, { "rx_fifo", S(rx_fifo_errors) }, { "tx_dropped", S(tx_dropped) },
	{ "tx_errors", S(tx_errors) }, { "nohandler", S(rx_nohandler) },
};

static const struct nt_monitor_opts *opts_of(const struct nt_run *r)
{
	return nt_run_opts(r);
}

const char *nt_monitor_name(size_t c)
{
	return counters[c].name;
}

bool nt_monitor_asked(const struct nt_run *r, size_t c)
{
	const struct nt_strlist *l = &opts_of(r)->counters;

	if (!l->n)
		return !strcmp(counters[c].name, "rx_dropped");
	return nt_strlist_has(l, "all") || nt_strlist_has(l, counters[c].name);
}

void nt_monitor_read(struct nt_run *r, struct nt_monitor_values *v)
{
	const uint32_t *ifindex = nt_run_tuple_values(r)->ifindex;
	struct nt_link l;

	memset(v, 0, sizeof(*v));
	for (size_t d = 0; d < NT_FILTER_DEVS && ifindex[d]; d++) {
		v->known[d] = !nt_link_get(ifindex[d], &l);
		for (size_t c = 0; v->known[d] && c < NT_MONITOR_COUNTERS; c++)
			memcpy(&v->v[d][c], (const char *)&l.stats + counters[c].off, sizeof(uint64_t));
	}
}

uint64_t nt_monitor_rise(const struct nt_monitor_values *a, const struct nt_monitor_values *b, size_t d, size_t c)
{
	return a->known[d] && b->known[d] && b->v[d][c] > a->v[d][c] ? b->v[d][c] - a->v[d][c] : 0;
}

uint64_t nt_monitor_rises(struct nt_run *r, const struct nt_monitor_values *a, const struct nt_monitor_values *b, size_t d)
{
	uint64_t sum = 0;

	for (size_t c = 0; c < NT_MONITOR_COUNTERS; c++)
		if (nt_monitor_asked(r, c))
			sum += nt_monitor_rise(a, b, d, c);
	return sum;
}

int nt_monitor_check(struct nt_run *r, struct nt_err *err)
{
	struct nt_monitor_opts *o = nt_run_opts_rw(r);
	const char *const command[] = { o->command, o->stop_command };

	for (size_t i = 0; i < o->counters.n; i++) {
		bool known = !strcmp(o->counters.item[i], "all");

		for (size_t c = 0; c < NT_MONITOR_COUNTERS; c++)
			known = known || !strcmp(o->counters.item[i], counters[c].name);
		if (!known)
			return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "unknown counter: %s: give rx_dropped, "
				"rx_missed, rx_errors, rx_over, rx_fifo, tx_dropped, tx_errors, nohandler or all",
				o->counters.item[i]);
	}
	for (size_t i = 0; i < NT_COUNT(command); i++) {
		size_t n;
		char **words = command[i] ? nt_words_split(command[i], &n, err) : NULL;

		if (command[i] && !words)
			return -EINVAL;
		free(words);
	}
	if (nt_run_common(r)->format == NT_CSV)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no csv output: drop_monitor_controller has records of several kinds: use --json");
	return 0;
}
