/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much work an object's programs are for a verifier. 4.19 gives up after
 * 131072 instructions, and it looks at every call of a subprogram anew; how many
 * it will need no reading of the bytes tells. The verifier of the kernel we run
 * on is asked instead, with the constants that 4.19 gets. 6.18's count was 0.7
 * to 2 times that of 4.19 where both saw the same code.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "nettrace/nt_abi.h"
#include "nettrace/patch.h"

#define LOG_SIZE 4096
#define FEW 64			/* entries of a map: none is used */

static int prepare(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	const struct nt_append none[] = { { .call = NT_CALL_PCAP_L2 }, { .call = NT_CALL_PCAP_L3 } };
	size_t n = bpf_program__insn_cnt(prog), at[2];
	struct bpf_insn *insns = malloc(n * sizeof(*insns)), *out = NULL;
	int len = -1;

	(void)opts;
	(void)cookie;
	if (insns) {
		memcpy(insns, bpf_program__insns(prog), n * sizeof(*insns));
		if (gate_set_consts(insns, n) >= 0)
			len = nt_patch_append(insns, n, none, 2, &out, at);
	}
	if (len >= 0)
		len = bpf_program__set_insns(prog, out, (size_t)len);
	free(insns);
	free(out);
	return len;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

static void register_handlers(void)
{
	static const char *const plain[] = { "kprobe", "kretprobe", "uprobe", "uretprobe" };
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = prepare);

	libbpf_set_print(quiet);
	libbpf_register_prog_handler("raw_tp", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, &opts);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		libbpf_register_prog_handler(plain[i], BPF_PROG_TYPE_KPROBE, 0, &opts);
}

static void make_small(struct bpf_object *o)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, o) {
		if (!strcmp(bpf_map__name(m), "nt_events")) {
			bpf_map__set_type(m, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
			bpf_map__set_key_size(m, sizeof(int));
			bpf_map__set_value_size(m, sizeof(int));
		}
		if (bpf_map__max_entries(m) > FEW)
			bpf_map__set_max_entries(m, FEW);
	}
}

/* "processed N insns" of a program's log; 0: it was not looked at to its end. */
static unsigned long processed(const char *log)
{
	const char *p = strstr(log, "processed ");

	return p ? strtoul(p + strlen("processed "), NULL, 10) : 0;
}

/* Loads those programs that 4.19 gets. */
static int load(struct bpf_object *o, char *log)
{
	struct bpf_program *p;
	size_t i = 0;

	make_small(o);
	bpf_object__for_each_program(p, o) {
		bpf_program__set_autoload(p, gate_loaded_on_419(bpf_program__section_name(p)));
		bpf_program__set_log_buf(p, log + i++ * LOG_SIZE, LOG_SIZE);
		bpf_program__set_log_level(p, 4);	/* statistics only */
	}
	return bpf_object__load(o);
}

int gate_verify(const void *elf, size_t size, struct gate_work *w)
{
	struct bpf_object *o;
	struct bpf_program *p;
	size_t n = 0, i = 0;
	char *log;
	int err;

	memset(w, 0, sizeof(*w));
	register_handlers();
	o = bpf_object__open_mem(elf, size, NULL);
	if (!o)
		return -1;
	bpf_object__for_each_program(p, o)
		n++;
	log = calloc(n + 1, LOG_SIZE);
	err = log ? load(o, log) : -1;
	bpf_object__for_each_program(p, o) {
		unsigned long did = log ? processed(log + i++ * LOG_SIZE) : 0;

		if (did > w->most) {
			w->most = did;
			snprintf(w->name, sizeof(w->name), "%s", bpf_program__name(p));
		}
	}
	bpf_object__close(o);
	free(log);
	return err;
}
