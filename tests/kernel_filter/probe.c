// SPDX-License-Identifier: GPL-2.0
#include "probe.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core.h"
#include "nettrace/btf.h"
#include "nettrace/cbpf.h"
#include "nettrace/nt_abi.h"
#include "nettrace/patch.h"
#include "nettrace/pcap_filter.h"
#include "filter_probe.skel.h"

#define N_PROGS		(FP_VIEWS * FP_KINDS)
#define N_FORMS		2

struct probe {
	struct bpf_object *obj;
	struct bpf_link *link[N_PROGS];
	struct nt_consts consts;
	struct nt_append form[N_FORMS];
	void *scratch[2 * N_PROGS];
	size_t n_scratch;
	const volatile struct fp_slot *slot;	/* the map's own memory, or copy */
	struct fp_slot *copy;			/* where maps cannot be mapped (before 5.5) */
	int first_kind;				/* 1: no typed programs */
};

/* libbpf's callback has no room for a pointer of ours that changes. */
static struct probe *loading;
static int sock = -1;
static unsigned int tx_dev, rx_dev, vlan_dev;

/* ---- devices ---- */

static const char *const setup_commands[] = {
	"ip link add fp0 mtu 9200 type veth peer name fp1 mtu 9200",
	"ip link set lo up && ip link set fp0 up && ip link set fp1 up",
};

int probe_setup(bool *tagged_works)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &unlimited);	/* maps count as locked memory before 5.11 */
	if (unshare(CLONE_NEWNET))
		return -errno;
	for (size_t i = 0; i < sizeof(setup_commands) / sizeof(setup_commands[0]); i++)
		if (system(setup_commands[i]))
			return -ENODEV;
	*tagged_works = !system("{ modprobe -q 8021q; ip link add link fp0 name fp0.100 mtu 9100 "
				"type vlan id 100 && ip link set fp0.100 up; } 2>/dev/null");
	tx_dev = if_nametoindex("fp0");
	rx_dev = if_nametoindex("fp1");
	vlan_dev = *tagged_works ? if_nametoindex("fp0.100") : 0;
	sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	return sock < 0 ? -errno : 0;
}

int probe_send(unsigned int number, const void *frame, size_t len, bool tagged)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_halen = ETH_ALEN,
		.sll_ifindex = (int)(tagged ? vlan_dev : tx_dev),
	};
	const unsigned char *type = (const unsigned char *)frame + 12;
	unsigned int mark = FP_MARK << 16 | number;

	/* skb->protocol as the stack or a bridge would set it. Left to the kernel, a VLAN device
	 * gives none at all (5.10), or the innermost one of a packet with tags (6.1). */
	if (tagged) {
		to.sll_protocol = htons(ETH_P_802_2);
		if (type[0] >= 6)
			memcpy(&to.sll_protocol, type, 2);
	}
	if (setsockopt(sock, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return -errno;
	return sendto(sock, frame, len, 0, (void *)&to, sizeof(to)) < 0 ? -errno : 0;
}

/* ---- loading: as src/core/bpf.c does it ---- */

static const void *grow_info(struct probe *p, const void *info, __u32 *n, __u32 rec,
			     const size_t *at)
{
	void *grown = nt_patch_grow_info(info, n, rec, *n - 1, at, N_FORMS);

	if (!grown)
		return info;
	p->scratch[p->n_scratch++] = grown;
	return grown;
}

static int prepare_load(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	size_t n = bpf_program__insn_cnt(prog), at[N_FORMS];
	struct bpf_insn *insns = malloc(n * sizeof(*insns)), *out = NULL;
	struct probe *p = loading;
	unsigned int missing = 0;
	int len;

	(void)cookie;
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(prog), n * sizeof(*insns));
	len = nt_patch_consts(insns, n, &p->consts, &missing);
	if (len >= 0)
		len = nt_patch_append(insns, n, p->form, N_FORMS, &out, at);
	free(insns);
	if (len < 0) {
		printf("# patching: error %d, constant %u\n", len, missing);
		return len;
	}
	if (opts->func_info_cnt)
		opts->func_info = grow_info(p, opts->func_info, &opts->func_info_cnt,
					    opts->func_info_rec_size, at);
	if (opts->line_info_cnt)
		opts->line_info = grow_info(p, opts->line_info, &opts->line_info_cnt,
					    opts->line_info_rec_size, at);
	len = bpf_program__set_insns(prog, out, (size_t)len);
	free(out);
	return len;
}

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char text[512];
	size_t n;

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), fmt, args);
	n = strlen(text);
	printf("# libbpf: %s%s", text, n && text[n - 1] == '\n' ? "" : "\n");
	return 0;
}

static void register_handlers(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = prepare_load);
	static bool done;

	if (done)
		return;
	done = true;
	libbpf_set_print(print_libbpf);
	libbpf_register_prog_handler("tp_btf", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, &opts);
	libbpf_register_prog_handler("raw_tp", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, &opts);
}

static void set_const(struct probe *p, enum nt_const_id id, uint64_t value)
{
	p->consts.value[id] = value;
	p->consts.set |= 1u << id;
}

/* Both forms of the expression as eBPF. */
static int convert(struct probe *p, const struct nt_pcap_filter *filter)
{
	static const uint32_t calls[N_FORMS] = { NT_CALL_PCAP_L2, NT_CALL_PCAP_L3 };
	static const enum nt_link_form forms[N_FORMS] = { NT_LINK_ETHER, NT_LINK_RAW };
	unsigned int helper = nt_trial_read_kernel() ? NT_READ_HELPER_KERNEL : NT_READ_HELPER_LEGACY;

	for (size_t i = 0; i < N_FORMS; i++) {
		struct bpf_insn *insns;
		int n;

		p->form[i].call = calls[i];
		if (!filter)
			continue;
		n = nt_pcap_to_ebpf(filter, forms[i], helper, NULL, 0);
		insns = n < 0 ? NULL : malloc((size_t)n * sizeof(*insns));
		if (!insns)
			return n < 0 ? n : -ENOMEM;
		p->form[i].insns = insns;
		n = nt_pcap_to_ebpf(filter, forms[i], helper, insns, (size_t)n);
		if (n < 0)
			return n;
		p->form[i].n = (size_t)n;
	}
	return 0;
}

static const struct { const char *stem, *tp; } views[FP_VIEWS] = {
	[FP_TX] = { "tx", "net_dev_start_xmit" },
	[FP_RX] = { "rx", "netif_receive_skb" },
	[FP_L3] = { "l3", "net_dev_start_xmit" },
	[FP_DROP] = { "drop", "kfree_skb" },
};

static struct bpf_program *program(struct probe *p, int i)
{
	char name[32];

	snprintf(name, sizeof(name), "%s__%s", views[i / FP_KINDS].stem,
		 i % FP_KINDS ? "raw_tp" : "tp_btf");
	return bpf_object__find_program_by_name(p->obj, name);
}

/* 5.5+; a kernel that cannot map an array refuses the flag. */
static bool can_map(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "fp_try", 4, 8, 1, &opts);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int load_with(struct probe *p, const char *btf_file)
{
	size_t size;
	const void *elf = filter_probe__elf_bytes(&size);
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "filter_probe",
		    .btf_custom_path = btf_file);
	int err = 0;

	p->first_kind = btf_file ? 1 : p->first_kind;
	p->obj = bpf_object__open_mem(elf, size, &opts);
	if (!p->obj)
		return -errno;
	if (!can_map()) {
		bpf_map__set_map_flags(bpf_object__find_map_by_name(p->obj, "fp_slots"), 0);
		p->copy = calloc(FP_SLOTS, sizeof(*p->copy));
	}
	for (int i = 0; !err && i < N_PROGS; i += FP_KINDS) {
		if (p->first_kind)
			bpf_program__set_autoload(program(p, i), false);
		else
			err = bpf_program__set_attach_target(program(p, i), 0, views[i / FP_KINDS].tp);
	}
	if (err)
		return err;
	loading = p;
	return bpf_object__load(p->obj);
}

static int load(struct probe *p)
{
	struct nt_btf_place place;
	int err = nt_btf_find(&place, NULL);

	if (!err)
		err = load_with(p, place.from == NT_BTF_KERNEL ? NULL : place.path);
	nt_btf_place_close(&place);
	return err;
}

static int attach(struct probe *p)
{
	for (int i = 0; i < N_PROGS; i++) {
		struct bpf_program *prog = program(p, i);

		if (i % FP_KINDS < p->first_kind)
			continue;
		p->link[i] = i % FP_KINDS ?
			bpf_program__attach_raw_tracepoint(prog, views[i / FP_KINDS].tp) :
			bpf_program__attach_trace(prog);
		if (!p->link[i])
			return -errno;
	}
	return 0;
}

static int map_fd(const struct probe *p, const char *name)
{
	return bpf_object__find_map_fd_by_name(p->obj, name);
}

static void copy_slots(struct probe *p)
{
	for (uint32_t i = 0; i < FP_SLOTS; i++)
		if ((int)(i / FP_FRAMES % FP_KINDS) >= p->first_kind)
			bpf_map_lookup_elem(map_fd(p, "fp_slots"), &i, &p->copy[i]);
}

static int map_slots(struct probe *p)
{
	if (p->copy) {
		p->slot = p->copy;
		return 0;
	}
	p->slot = mmap(NULL, FP_SLOTS * sizeof(*p->slot), PROT_READ, MAP_SHARED,
		       map_fd(p, "fp_slots"), 0);
	if (p->slot == MAP_FAILED) {
		p->slot = NULL;
		return -errno;
	}
	return 0;
}

static int open_gate(struct probe *p)
{
	uint32_t zero = 0, open = 1;

	return bpf_map_update_elem(map_fd(p, "nt_open"), &zero, &open, BPF_ANY);
}

struct probe *probe_load(uint64_t mask, const struct nt_tuple *tuple,
			 const struct nt_pcap_filter *filter)
{
	struct probe *p = calloc(1, sizeof(*p));
	const char *what = "conversion";
	uint32_t zero = 0;
	int err;

	if (!p)
		return NULL;
	register_handlers();
	set_const(p, NT_CONST_FILTER, mask);
	set_const(p, NT_CONST_PCAP, filter != NULL);
	set_const(p, NT_CONST_TOOL0, tx_dev);
	set_const(p, NT_CONST_TOOL1, rx_dev);
	err = convert(p, filter);
	if (!err) {
		what = "load";
		err = load(p);
	}
	if (!err && tuple)
		err = bpf_map_update_elem(map_fd(p, "nt_tuple"), &zero, tuple, BPF_ANY);
	if (!err)
		err = map_slots(p);
	if (!err)
		err = open_gate(p);
	if (!err) {
		what = "attach";
		err = attach(p);
	}
	if (!err)
		return p;
	printf("# %s: error %d (%s)\n", what, err, strerror(-err));
	probe_free(p);
	return NULL;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	for (int i = 0; i < N_PROGS; i++)
		bpf_link__destroy(p->link[i]);
	if (p->slot && !p->copy)
		munmap((void *)p->slot, FP_SLOTS * sizeof(*p->slot));
	free(p->copy);
	bpf_object__close(p->obj);
	for (size_t i = 0; i < N_FORMS; i++)
		free((void *)p->form[i].insns);
	while (p->n_scratch)
		free(p->scratch[--p->n_scratch]);
	free(p);
}

/* ---- verdicts ---- */

int probe_first_kind(const struct probe *p)
{
	return p->first_kind;
}

static size_t received(struct probe *p)
{
	size_t n = 0;

	if (p->copy)
		copy_slots(p);
	for (unsigned int i = 0; i < FP_FRAMES; i++)
		n += p->slot[probe_slot(FP_RX, p->first_kind, i)].seen != 0 &&
		     p->slot[probe_slot(FP_RX, 1, i)].seen != 0;
	return n;
}

static bool marks_lost;

bool probe_marks_lost(void)
{
	return marks_lost;
}

const volatile struct fp_slot *probe_wait(struct probe *p, size_t n)
{
	size_t got = received(p);

	/* The receive side runs in a softirq. */
	for (int i = 0; i < 200 && got < n && !marks_lost; i++) {
		usleep(10000);
		got = received(p);
	}
	if (!got && !marks_lost) {
		marks_lost = true;
		puts("# marks do not pass the veth pair: frames received or dropped are not compared");
	}
	return p->slot;
}
