/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/mib.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nettrace/link.h"

static void add(struct nt_mib *m, const char *prefix, const char *name, uint64_t value)
{
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 256;
		struct nt_mib_row *p = realloc(m->row, cap * sizeof(*p));

		if (!p)
			return;
		m->row = p;
		m->cap = cap;
	}
	snprintf(m->row[m->n].name, sizeof(m->row[m->n].name), "%s%s", prefix, name);
	m->row[m->n++].value = value;
}

/* snmp, netstat: a line of names and a line of values, both beginning with "Udp:". */
static void read_pairs(struct nt_mib *m, const char *path)
{
	char *names = NULL, *values = NULL, *n_save, *v_save;
	size_t n_cap = 0, v_cap = 0;
	FILE *f = fopen(path, "re");

	while (f && getline(&names, &n_cap, f) > 0 && getline(&values, &v_cap, f) > 0) {
		char *name = strtok_r(names, " \n", &n_save), *value = strtok_r(values, " \n", &v_save);
		char prefix[24];

		if (!name)
			continue;
		snprintf(prefix, sizeof(prefix), "%.*s", (int)strcspn(name, ":"), name);
		while ((name = strtok_r(NULL, " \n", &n_save)) &&
		       (value = strtok_r(NULL, " \n", &v_save)))
			if (*value != '-')	/* -1: not a counter (TcpMaxConn) */
				add(m, prefix, name, strtoull(value, NULL, 10));
	}
	free(names);
	free(values);
	if (f)
		fclose(f);
}

/* snmp6: a name and a value a line. */
static void read_lines(struct nt_mib *m, const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long long value;
	char name[64];

	while (f && fscanf(f, "%63s %llu", name, &value) == 2)
		add(m, "", name, value);
	if (f)
		fclose(f);
}

/* One line a CPU, hexadecimal: processed, dropped, time_squeeze, ... */
static void read_softnet(struct nt_mib *m)
{
	FILE *f = fopen("/proc/net/softnet_stat", "re");
	uint64_t processed = 0, dropped = 0, squeezed = 0;
	unsigned int p, d, s;

	while (f && fscanf(f, "%x %x %x%*[^\n]", &p, &d, &s) == 3) {
		processed += p;
		dropped += d;
		squeezed += s;
	}
	if (f)
		fclose(f);
	add(m, "softnet_", "processed", processed);
	add(m, "softnet_", "dropped", dropped);
	add(m, "softnet_", "time_squeeze", squeezed);
}

static void read_device(struct nt_mib *m, uint32_t ifindex, const char *ifname)
{
	struct nt_link l;
	char prefix[24];

	if (nt_link_get(ifindex, &l))
		return;
	snprintf(prefix, sizeof(prefix), "%s.", ifname);
	add(m, prefix, "rx_dropped", l.stats.rx_dropped);
	add(m, prefix, "tx_dropped", l.stats.tx_dropped);
	add(m, prefix, "rx_errors", l.stats.rx_errors);
	add(m, prefix, "tx_errors", l.stats.tx_errors);
	add(m, prefix, "rx_missed", l.stats.rx_missed_errors);
	add(m, prefix, "rx_fifo", l.stats.rx_fifo_errors);
	add(m, prefix, "rx_nohandler", l.stats.rx_nohandler);
}

int nt_mib_read(struct nt_mib *m, const uint32_t *ifindex, const char *const *ifname, size_t n_devs)
{
	memset(m, 0, sizeof(*m));
	read_pairs(m, "/proc/self/net/snmp");
	read_pairs(m, "/proc/self/net/netstat");
	read_lines(m, "/proc/self/net/snmp6");
	read_softnet(m);
	for (size_t i = 0; i < n_devs; i++)
		read_device(m, ifindex[i], ifname[i]);
	return m->n ? 0 : -ENOENT;
}

void nt_mib_free(struct nt_mib *m)
{
	free(m->row);
	memset(m, 0, sizeof(*m));
}

size_t nt_mib_rises(const struct nt_mib *a, const struct nt_mib *b, struct nt_mib_row *out)
{
	size_t n = 0;

	/* Rows come in the same order every time, unless a counter appeared in between. */
	for (size_t i = 0; i < b->n; i++) {
		uint64_t before = 0;

		if (i < a->n && !strcmp(a->row[i].name, b->row[i].name)) {
			before = a->row[i].value;
		} else {
			for (size_t j = 0; j < a->n; j++)
				if (!strcmp(a->row[j].name, b->row[i].name))
					before = a->row[j].value;
		}
		if (b->row[i].value <= before)
			continue;
		out[n] = b->row[i];
		out[n++].value -= before;
	}
	return n;
}
