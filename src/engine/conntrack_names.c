/* SPDX-License-Identifier: GPL-2.0 */
/* Names of the kernel's numbers: linux/netfilter/nf_conntrack_common.h, nf_conntrack_tcp.h, openvswitch.h. */
#include <string.h>

#include "nettrace/conntrack.h"

static const char *name_in(const char *const *names, size_t n, size_t i, const char *other)
{
	return i < n && names[i] ? names[i] : other;
}

const char *nt_ct_info_name(uint32_t ctinfo)
{
	static const char *const names[] = {
		"ESTABLISHED", "RELATED", "NEW", "ESTABLISHED_REPLY", "RELATED_REPLY", [7] = "UNTRACKED",
		[NT_CT_NO_INFO] = "-",
	};

	return name_in(names, NT_COUNT(names), ctinfo, "?");
}

const char *nt_ct_tcp_state(uint8_t state)
{
	static const char *const names[] = {
		"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
		"CLOSE", "SYN_SENT2",
	};

	return name_in(names, NT_COUNT(names), state, "?");
}

const char *nt_ct_hook_name(uint8_t hooknum)
{
	static const char *const names[] = { "PRE_ROUTING", "LOCAL_IN", "FORWARD", "LOCAL_OUT", "POST_ROUTING" };

	return name_in(names, NT_COUNT(names), hooknum, "?");
}

const char *nt_ct_status_name(unsigned int bit)
{
	static const char *const names[] = {
		"EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED", "SRC_NAT", "DST_NAT", "SEQ_ADJUST", "SRC_NAT_DONE",
		"DST_NAT_DONE", "DYING", "FIXED_TIMEOUT", "TEMPLATE", "NAT_CLASH", "HELPER", "OFFLOAD", "HW_OFFLOAD",
	};

	return name_in(names, NT_COUNT(names), bit, NULL);
}

const char *nt_ct_cause_name(uint32_t cause)
{
	static const char *const names[] = { "-", "timeout", "user", "early_drop", "reset", "reopened", "early_drop_gc",
					     "other" };

	return name_in(names, NT_COUNT(names), cause, "?");
}

const char *nt_ct_ovs_state(uint8_t state, char *buf, size_t size)
{
	static const char *const names[] = { "new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat" };
	size_t n = 0;

	snprintf(buf, size, "-");
	for (size_t i = 0; i < NT_COUNT(names) && n < size; i++)
		if (state >> i & 1)
			n += (size_t)snprintf(buf + n, size - n, "+%s", names[i]);
	return buf;
}

/* ---- why a packet is invalid ---- */
static bool is_conversion(const char *p, size_t *len)
{
	size_t n = 1;

	if (*p != '%')
		return false;
	n += strspn(p + n, "0123456789#.lhz-");
	if (!p[n])
		return false;
	*len = n + 1 + (p[n] == 'p' && p[n + 1] >= 'A' && p[n + 1] <= 'Z');
	return true;
}

/* "bound %u (over" gets "bound (over". */
static void without_conversions(const char *from, char *buf, size_t size)
{
	size_t n = 0, len;

	for (; *from && n + 1 < size; from++) {
		if (is_conversion(from, &len)) {
			from += len - 1;
			if (n && buf[n - 1] == ' ' && (from[1] == ' ' || !from[1]))
				n--;
			continue;
		}
		if (*from != '\n')
			buf[n++] = *from;
	}
	while (n && (buf[n - 1] == ' ' || buf[n - 1] == ':'))
		n--;
	buf[n] = '\0';
}

static const char *derived(const struct nt_ct_event *e, char *buf, size_t size)
{
	uint8_t proto = e->pkt.flow.proto;
	char flags[32];

	if (e->bits & NT_CT_TCP && !e->tcp_old)
		snprintf(buf, size, "no entry, and %s begins no connection", nt_fmt_tcpflags(e->pkt.tcp_flags, flags,
										       sizeof(flags)));
	else if (e->bits & NT_CT_TCP)
		snprintf(buf, size, "%s does not fit state %s", nt_fmt_tcpflags(e->pkt.tcp_flags, flags, sizeof(flags)),
			 nt_ct_tcp_state(e->tcp_old));
	else if (e->pkt.bits & NT_PKT_ICMP && (proto == 1 ? e->pkt.icmp_type == 0 : e->pkt.icmp_type == 129))
		snprintf(buf, size, "a reply to no request");
	else if (e->pkt.bits & NT_PKT_ICMP)
		snprintf(buf, size, "an error about no connection, or of a type that begins none");
	else
		snprintf(buf, size, "the tracker of its protocol does not accept it");
	return buf;
}

bool nt_ct_liberal_helps(const char *reason)
{
	return !strncmp(reason, "SEQ is ", 7) || !strncmp(reason, "ACK is ", 7);
}

const char *nt_ct_reason(const struct nt_ct_event *e, char *buf, size_t size)
{
	char text[NT_CT_REASON];
	size_t n;

	memcpy(text, e->reason, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (char *p = text; *p; p++)
		if ((*p < ' ' && *p != '\n') || *p > '~')
			text[0] = '\0';		/* no text after all */
	without_conversions(text, buf, size);
	n = strlen(buf);
	if (!n)
		return derived(e, buf, size);
	/* the kernel is short about it: "invalid new" */
	if (e->bits & NT_CT_TCP && !e->tcp_old && n + 4 < size) {
		memcpy(buf + n, ": ", 3);
		derived(e, buf + n + 2, size - n - 2);
	}
	return buf;
}
