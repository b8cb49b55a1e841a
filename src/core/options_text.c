/* SPDX-License-Identifier: GPL-2.0 */
/* Options as data: values as text, for the plan of a dry run. */
#include "nettrace/options.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void prefix_text(const struct nt_prefix *p, char *buf, size_t size)
{
	char addr[INET6_ADDRSTRLEN] = "";
	unsigned int len = p->is_v4 ? p->len - 96u : p->len, full = p->is_v4 ? 32 : 128;

	inet_ntop(p->is_v4 ? AF_INET : AF_INET6, p->addr + (p->is_v4 ? 12 : 0), addr, sizeof(addr));
	if (len == full)
		snprintf(buf, size, "%s", addr);
	else
		snprintf(buf, size, "%s/%u", addr, len);
}

static void duration_text(uint64_t ns, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);

	while (buf[n - 1] == '0')
		n--;
	buf[n - (buf[n - 1] == '.')] = '\0';
}

static void size_text(uint64_t bytes, char *buf, size_t size)
{
	static const char *const suffix[] = { "", "K", "M", "G" };
	size_t step = 0;

	while (step < 3 && bytes && !(bytes % 1024)) {
		bytes /= 1024;
		step++;
	}
	snprintf(buf, size, "%" PRIu64 "%s", bytes, suffix[step]);
}

/* The shortest text that reads back as the same number. */
static void float_text(double v, char *buf, size_t size)
{
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(buf, size, "%.*g", digits, v);
		if (strtod(buf, NULL) == v)
			return;
	}
}

static void choice_text(const char *list, uint32_t index, char *buf, size_t size)
{
	const char *word;
	size_t len;

	while (nt_opt_next_word(&list, &word, &len))
		if (!index--) {
			snprintf(buf, size, "%.*s", (int)len, word);
			return;
		}
}

/* A value of 32 bits, by type. Zero is no value, but "0" if it was given. */
static void u32_text(const struct nt_opt *row, uint32_t v, char *buf, size_t size)
{
	const char *name = NULL;

	if (row->type == NT_OPT_ENUM) {
		choice_text(row->choices, v, buf, size);
		return;
	}
	if (row->type == NT_OPT_PROTO)
		name = nt_opt_proto_name(v);
	else if (row->type == NT_OPT_ETHERTYPE)
		name = nt_opt_ethertype_name(v);
	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, row->type == NT_OPT_ETHERTYPE ? "0x%04" PRIx32 : "%" PRIu32, v);
}

/* Text of a value that is no string and no list; false: it is the zero value. */
static bool value_text(const struct nt_opt *row, const void *at, char *buf, size_t size)
{
	const struct nt_ports *ports = at;

	buf[0] = '\0';
	switch (row->type) {
	case NT_OPT_FLAG:
		snprintf(buf, size, *(const bool *)at ? "true" : "false");
		return *(const bool *)at;
	case NT_OPT_FLOAT:
		float_text(*(const double *)at, buf, size);
		return *(const double *)at != 0;
	case NT_OPT_DURATION:
		duration_text(*(const uint64_t *)at, buf, size);
		return *(const uint64_t *)at;
	case NT_OPT_SIZE:
		size_text(*(const uint64_t *)at, buf, size);
		return *(const uint64_t *)at;
	case NT_OPT_PREFIX:
		prefix_text(at, buf, size);
		return ((const struct nt_prefix *)at)->set;
	case NT_OPT_PORTS:
		snprintf(buf, size, ports->low == ports->high ? "%u" : "%u-%u", ports->low,
			 ports->high);
		return ports->set;
	default:
		u32_text(row, *(const uint32_t *)at, buf, size);
		return *(const uint32_t *)at;
	}
}

/* The list with commas, to be freed; NULL: no memory. */
static char *list_text(const struct nt_strlist *list)
{
	size_t size = 1;
	char *text, *at;

	for (size_t i = 0; i < list->n; i++)
		size += strlen(list->item[i]) + 1;
	at = text = calloc(1, size);
	for (size_t i = 0; text && i < list->n; i++) {
		if (i)
			*at++ = ',';
		at = stpcpy(at, list->item[i]);
	}
	return text;
}

static void each_value(const struct nt_optview_row *vr,
		       void (*fn)(void *arg, const struct nt_opt *row, const char *text), void *arg)
{
	const struct nt_opt *row = &vr->opt;
	const void *at = (const char *)vr->set->values + row->offset;
	const struct nt_strlist *list = at;
	const char *const *string = at;
	char buf[128], *joined;

	switch (row->type) {
	case NT_OPT_STRING:
		if (*string)
			fn(arg, row, *string);
		return;
	case NT_OPT_IFNAMES:
	case NT_OPT_CPUS:
	case NT_OPT_STRLIST:
		joined = list->n ? list_text(list) : NULL;
		if (joined)
			fn(arg, row, joined);
		free(joined);
		return;
	default:
		if (value_text(row, at, buf, sizeof(buf)) || vr->given)
			fn(arg, row, buf);
	}
}

void nt_opts_each_value(const struct nt_opts *o, const struct nt_optset *sets, size_t n_sets,
			void (*fn)(void *arg, const struct nt_opt *row, const char *text),
			void *arg)
{
	const struct nt_optview *v = nt_opts_view(o);

	for (size_t i = 0; i < v->n; i++) {
		const struct nt_optview_row *vr = &v->row[i];
		bool wanted = false;

		for (size_t s = 0; s < n_sets; s++)
			wanted = wanted || (sets[s].rows == vr->set->rows &&
					    sets[s].values == vr->set->values);
		/* A default under a name that an earlier set took would look like that one's. */
		if (wanted && !vr->given &&
		    nt_optview_name(v, vr->opt.name, strlen(vr->opt.name)) != vr)
			wanted = false;
		if (wanted)
			each_value(vr, fn, arg);
	}
}
