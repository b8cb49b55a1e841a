/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's counters: by ctnetlink, one message a CPU; where its module is not loaded, and shall
 * not be for our sake, from /proc/net/stat/nf_conntrack.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "nettrace/conntrack.h"

#define ATTR_CLASH_RESOLVE 14	/* 5.10 and 5.13: our headers may be older */
#define ATTR_CHAIN_TOOLONG 15
#define ATTR_GLOBAL_MAX 2

/* ---- ctnetlink ---- */
static uint32_t *member(struct nt_ct_kernel *k, uint8_t message, uint16_t attr)
{
	if (message == IPCTNL_MSG_CT_GET_STATS)
		return attr == CTA_STATS_GLOBAL_ENTRIES ? &k->entries : attr == ATTR_GLOBAL_MAX ? &k->max : NULL;
	switch (attr) {
	case CTA_STATS_FOUND: return &k->found;
	case CTA_STATS_INVALID: return &k->invalid;
	case CTA_STATS_INSERT: return &k->insert;
	case CTA_STATS_INSERT_FAILED: return &k->insert_failed;
	case CTA_STATS_DROP: return &k->drop;
	case CTA_STATS_EARLY_DROP: return &k->early_drop;
	case CTA_STATS_ERROR: return &k->icmp_error;
	case CTA_STATS_SEARCH_RESTART: return &k->search_restart;
	case ATTR_CLASH_RESOLVE: return &k->clash_resolve;
	case ATTR_CHAIN_TOOLONG: return &k->chain_toolong;
	}
	return NULL;
}

void nt_ct_kernel_message(struct nt_ct_kernel *k, const void *msg, size_t len)
{
	const struct nlmsghdr *h = msg;
	size_t at = NLMSG_SPACE(sizeof(struct nfgenmsg));
	struct nlattr a;

	if (len < at || h->nlmsg_type >> 8 != NFNL_SUBSYS_CTNETLINK)
		return;
	k->known = true;
	while (at + sizeof(a) <= len) {
		uint32_t *m, value;

		memcpy(&a, (const char *)msg + at, sizeof(a));
		if (a.nla_len < sizeof(a) || at + a.nla_len > len)
			return;
		m = member(k, h->nlmsg_type & 0xff, a.nla_type & NLA_TYPE_MASK);
		if (m && a.nla_len == sizeof(a) + sizeof(value)) {
			memcpy(&value, (const char *)msg + at + sizeof(a), sizeof(value));
			*m += ntohl(value);
		}
		at += NLA_ALIGN(a.nla_len);
	}
}

/* False once the answer is at its end. */
static bool answers(struct nt_ct_kernel *k, const char *buf, size_t n, bool dump)
{
	size_t at = 0;

	while (at + sizeof(struct nlmsghdr) <= n) {
		const struct nlmsghdr *h = (const void *)(buf + at);

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > n - at || h->nlmsg_type == NLMSG_DONE ||
		    h->nlmsg_type == NLMSG_ERROR)
			return false;
		nt_ct_kernel_message(k, h, h->nlmsg_len);
		if (!dump)	/* NLM_F_MULTI is set all the same */
			return false;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return true;
}

static int ask(struct nt_ct_kernel *k, int fd, uint8_t message, uint16_t flags)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
	} req = {
		.h = { .nlmsg_len = sizeof(req), .nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | message),
		       .nlmsg_flags = NLM_F_REQUEST | flags },
		.g = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 },
	};
	static char buf[32768] __attribute__((aligned(8)));
	ssize_t n;

	if (send(fd, &req, sizeof(req), 0) < 0)
		return -errno;
	do
		n = recv(fd, buf, sizeof(buf), 0);
	while (n > 0 && answers(k, buf, (size_t)n, flags & NLM_F_DUMP));
	return n < 0 ? -errno : 0;
}

static int by_netlink(struct nt_ct_kernel *k)
{
	const struct timeval patience = { .tv_sec = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), rc;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	rc = ask(k, fd, IPCTNL_MSG_CT_GET_STATS_CPU, NLM_F_DUMP);
	if (!rc)
		rc = ask(k, fd, IPCTNL_MSG_CT_GET_STATS, 0);
	close(fd);
	return rc ? rc : k->known ? 0 : -ENOENT;
}

/* ---- /proc ---- */
static uint32_t *named(struct nt_ct_kernel *k, const char *name)
{
#define NT_CT_NAMED(member) if (!strcmp(name, #member)) return &k->member;
	NT_CT_KERNEL_LIST(NT_CT_NAMED)
#undef NT_CT_NAMED
	if (!strcmp(name, "clashres"))
		return &k->clash_resolve;
	if (!strcmp(name, "chainlength"))	/* took the place of delete_list in 5.13 */
		return &k->chain_toolong;
	return NULL;
}

/* A line of names, then a line of hexadecimal numbers a CPU; the table's size is in each. */
void nt_ct_kernel_text(struct nt_ct_kernel *k, char *text)
{
	char *line_at, *word_at, *line = strtok_r(text, "\n", &line_at), *name[32];
	size_t n = 0;

	for (char *w = line ? strtok_r(line, " ", &word_at) : NULL; w && n < NT_COUNT(name);
	     w = strtok_r(NULL, " ", &word_at))
		name[n++] = w;
	while ((line = strtok_r(NULL, "\n", &line_at))) {
		size_t i = 0;

		for (char *w = strtok_r(line, " ", &word_at); w && i < n; w = strtok_r(NULL, " ", &word_at), i++) {
			uint32_t v = (uint32_t)strtoul(w, NULL, 16), *m = named(k, name[i]);

			if (m)
				*m += v;
			else if (!strcmp(name[i], "entries"))
				k->entries = v;
		}
		k->known = n > 0;
	}
}

static uint32_t number_in(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned int v = 0;

	if (f && fscanf(f, "%u", &v) != 1)
		v = 0;
	if (f)
		fclose(f);
	return v;
}

static int by_proc(struct nt_ct_kernel *k)
{
	static char text[131072];
	FILE *f = fopen("/proc/self/net/stat/nf_conntrack", "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (!f)
		return -errno;
	fclose(f);
	text[n] = '\0';
	nt_ct_kernel_text(k, text);
	return k->known ? 0 : -ENOENT;
}

int nt_ct_kernel_read(struct nt_ct_kernel *k)
{
	int rc = -ENOENT;

	memset(k, 0, sizeof(*k));
	if (!access("/sys/module/nf_conntrack_netlink", F_OK))
		rc = by_netlink(k);
	if (rc) {
		memset(k, 0, sizeof(*k));
		rc = by_proc(k);
	}
	if (!k->max)	/* by ctnetlink since 5.18 */
		k->max = number_in("/proc/sys/net/netfilter/nf_conntrack_max");
	return rc;
}
