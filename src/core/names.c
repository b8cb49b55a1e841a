/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers to names: interfaces by network namespace, drop reasons by the running kernel's
 * enums, addresses by kallsyms, monotonic time by the wall clock.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core.h"
#include "nettrace/netns.h"

struct reason {
	uint32_t id;
	char name[44];
};

struct iface {
	uint32_t netns, ifindex;
	char name[IF_NAMESIZE + 1];
};

struct nt_names {
	struct reason *reason;
	size_t n_reasons, cap_reasons;
	struct iface *iface;
	size_t n_ifaces, cap_ifaces;
	uint32_t netns;
	uint64_t scanned_ns;	/* last time all namespaces were looked through */
	uint64_t offset_ns;	/* CLOCK_REALTIME - CLOCK_MONOTONIC */
};

/* ---- interfaces ---- */
static void add_iface(struct nt_names *n, uint32_t netns, uint32_t ifindex, const char *name)
{
	if (n->n_ifaces == n->cap_ifaces) {
		size_t cap = n->cap_ifaces ? n->cap_ifaces * 2 : 32;
		struct iface *p = realloc(n->iface, cap * sizeof(*p));

		if (!p)
			return;
		n->iface = p;
		n->cap_ifaces = cap;
	}
	n->iface[n->n_ifaces].netns = netns;
	n->iface[n->n_ifaces].ifindex = ifindex;
	snprintf(n->iface[n->n_ifaces++].name, sizeof(n->iface->name), "%s", name);
}

static const char *known_iface(const struct nt_names *n, uint32_t netns, uint32_t ifindex)
{
	for (size_t i = 0; i < n->n_ifaces; i++)
		if (n->iface[i].ifindex == ifindex && n->iface[i].netns == netns)
			return n->iface[i].name;
	return NULL;
}

static void read_ifaces(struct nt_names *n, uint32_t netns)
{
	struct if_nameindex *list = if_nameindex();

	for (struct if_nameindex *i = list; i && i->if_index; i++)
		if (!known_iface(n, netns, i->if_index))
			add_iface(n, netns, i->if_index, i->if_name);
	if (list)
		if_freenameindex(list);
}

static void read_namespace(void *arg, const struct nt_netns *ns)
{
	read_ifaces(arg, ns->inode);
}

static void scan_namespaces(struct nt_names *n)
{
	n->n_ifaces = 0;
	nt_netns_each(read_namespace, n);
}

static const char *ifname(void *ctx, uint32_t netns, uint32_t ifindex)
{
	struct nt_run *r = ctx;
	struct nt_names *n = r->names;
	const char *name;

	if (!ifindex)
		return NULL;
	if (!netns)
		netns = n->netns;
	name = known_iface(n, netns, ifindex);
	/* An unknown interface: new, or of a namespace not seen yet. Look again, but not for
	 * every packet. */
	if (!name && nt_now_ns() - n->scanned_ns > 200000000ULL) {
		scan_namespaces(n);
		n->scanned_ns = nt_now_ns();
		name = known_iface(n, netns, ifindex);
	}
	return name;
}

/* ---- drop reasons ---- */
static void add_reason(void *arg, const char *name, uint32_t id)
{
	static const char *const prefixes[] = { "SKB_DROP_REASON_", "OVS_DROP_", "QDISC_DROP_",
						"RX_DROP_", "SKB_" };
	struct nt_names *n = arg;

	for (size_t i = 0; i < NT_COUNT(prefixes); i++) {
		size_t len = strlen(prefixes[i]);

		if (!strncmp(name, prefixes[i], len)) {
			name += len;
			break;
		}
	}
	if (n->n_reasons == n->cap_reasons) {
		size_t cap = n->cap_reasons ? n->cap_reasons * 2 : 128;
		struct reason *p = realloc(n->reason, cap * sizeof(*p));

		if (!p)
			return;
		n->reason = p;
		n->cap_reasons = cap;
	}
	n->reason[n->n_reasons].id = id;
	snprintf(n->reason[n->n_reasons++].name, sizeof(n->reason->name), "%s", name);
}

/* The enums' values move between versions and subsystems: only the running kernel's count. */
void nt_names_read_reasons(struct nt_run *r, const struct nt_btf *vmlinux)
{
	struct nt_names *n = r->names;
	struct nt_btf *module;

	if (nt_btf_enum(vmlinux, "skb_drop_reason", add_reason, n))
		return;
	nt_btf_enum(vmlinux, "qdisc_drop_reason", add_reason, n);
	if (nt_btf_enum(vmlinux, "ovs_drop_reason", add_reason, n) &&
	    !nt_btf_open(&module, "/sys/kernel/btf/openvswitch", vmlinux)) {
		nt_btf_enum(module, "ovs_drop_reason", add_reason, n);
		nt_btf_close(module);
	}
}

static const char *reason(void *ctx, uint32_t id)
{
	const struct nt_names *n = ((struct nt_run *)ctx)->names;
	static char number[24];

	for (size_t i = 0; i < n->n_reasons; i++)
		if (n->reason[i].id == id)
			return n->reason[i].name;
	if (!n->n_reasons && !id)
		return "-";	/* a kernel without reasons (before 5.17): the location stands in */
	snprintf(number, sizeof(number), "reason_%u", id);
	return number;
}

uint32_t nt_run_reason_id(struct nt_run *r, const char *name)
{
	for (size_t i = 0; i < r->names->n_reasons; i++)
		if (!strcasecmp(r->names->reason[i].name, name))
			return r->names->reason[i].id;
	return UINT32_MAX;
}

/* ---- symbols and time ---- */
struct nt_ksyms *nt_run_ksyms(struct nt_run *r)
{
	if (!r->ksyms && !r->ksyms_tried) {
		r->ksyms_tried = true;
		nt_ksyms_load(&r->ksyms, NULL);
	}
	return r->ksyms;
}

static const char *ksym(void *ctx, uint64_t addr, uint64_t *offset)
{
	struct nt_ksyms *k = nt_run_ksyms(ctx);

	return k ? nt_ksyms_lookup(k, addr, offset) : NULL;
}

/* Frames of the tracing itself come first: programs, interpreter and trampolines of BPF, the
 * kprobe's path. What has no name before the first function is theirs, too: kallsyms knows compiled
 * programs and trampolines only with bpf_jit_kallsyms, which 4.19 has off, and arm64 puts them
 * further from the kernel than the 4 GiB that our symbols cover. */
static bool is_tracing(struct nt_run *r, uint64_t addr)
{
	static const char *const names[] = { "bpf_", "__bpf_", "___bpf_prog_run", "__traceiter_", "trace_call_bpf",
					     "kprobe_", "ftrace_", "optimized_callback", "aggr_pre_handler",
					     "kretprobe_", "__kretprobe_", "arch_rethook_" };
	uint64_t offset;
	const char *sym = ksym(r, addr, &offset);

	for (size_t i = 0; sym && i < NT_COUNT(names); i++)
		if (!strncmp(sym, names[i], strlen(names[i])))
			return true;
	return !sym;
}

/* How many frames of a stack, innermost first, are those of the tracing itself. */
static size_t tracing_frames(struct nt_run *r, const uint64_t *stack, size_t n)
{
	size_t skip = 0;

	while (skip < n && is_tracing(r, stack[skip]))
		skip++;
	return skip < n ? skip : 0;	/* symbols are hidden: better addresses than nothing */
}

void nt_run_cut_stack(struct nt_run *r, uint64_t *stack, size_t max)
{
	size_t n = 0, own;

	while (n < max && stack[n])
		n++;
	own = tracing_frames(r, stack, n);
	memmove(stack, stack + own, (n - own) * sizeof(*stack));
	if (own)
		stack[n - own] = 0;
}

static uint64_t realtime(void *ctx, uint64_t mono_ns)
{
	return mono_ns + ((struct nt_run *)ctx)->names->offset_ns;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

uint64_t nt_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint32_t nt_run_netns(const struct nt_run *r)
{
	return r->names->netns;
}

int nt_names_open(struct nt_run *r)
{
	struct stat st;

	r->names = calloc(1, sizeof(*r->names));
	if (!r->names)
		return -ENOMEM;
	r->names->netns = stat("/proc/self/ns/net", &st) ? 0 : (uint32_t)st.st_ino;
	r->names->offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	r->resolver = (struct nt_resolver){ .ctx = r, .ifname = ifname, .reason = reason,
					    .ksym = ksym, .realtime = realtime };
	return 0;
}

void nt_names_close(struct nt_run *r)
{
	if (!r->names)
		return;
	free(r->names->reason);
	free(r->names->iface);
	free(r->names);
	r->names = NULL;
}
