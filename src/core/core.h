/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the core: the run, and the interfaces between the core's files. */
#ifndef NETTRACE_CORE_H
#define NETTRACE_CORE_H

#include <bpf/libbpf.h>
#include <signal.h>

#include "nettrace/btf.h"
#include "nettrace/ksyms.h"
#include "nettrace/patch.h"
#include "nettrace/pcap_filter.h"
#include "nettrace/run.h"

/* ---- hooks.c: the plan ---- */
#define NT_CANDIDATES 10
#define NT_EVENT_NAME 48

struct nt_candidate {
	enum nt_prog_kind kind;
	char target[64];		/* function, or tracepoint without its category */
	int tp_args;			/* of a tracepoint, as BTF says; -1 unknown */
	bool refused;
	bool unsure;			/* a function that BTF does not know */
};

struct nt_plan_hook {
	const struct nt_hook *hook;
	struct nt_candidate cand[NT_CANDIDATES];
	size_t n;
	int chosen;			/* index in cand, -1: none */
	bool off;			/* not asked for, or of a variant that is not used */
	uint32_t tp_ptrs;		/* bit per argument of a tracepoint: it is a pointer; 0 unknown */
	char event[NT_EVENT_NAME];	/* tracefs event of its kprobe, "": none */
	char why[160];			/* why it is missing, or why an earlier candidate was not taken */
};

struct nt_plan {
	struct nt_plan_hook *hook;
	size_t n;
};

int nt_plan_make(struct nt_run *r);
void nt_plan_free(struct nt_plan *p);
/* Chooses for every hook its first candidate that was not refused, and variants. 0, or -ENOTSUP
 * with *err when a required hook has none. */
int nt_plan_choose(struct nt_run *r, struct nt_err *err);
enum nt_refusal { NT_REFUSED_BTF, NT_REFUSED_LOAD, NT_REFUSED_ATTACH };
/* Is no hook asked for? Then nothing needs to be loaded, and no privilege. */
bool nt_plan_empty(const struct nt_plan *p);
/* A tool that works without BPF goes on without its hooks. */
void nt_plan_give_up(struct nt_plan *p, const char *why);
void nt_plan_refuse(struct nt_run *r, struct nt_plan_hook *h, enum nt_refusal what, int err_no);
/* Program name of a hook's chosen candidate. */
void nt_plan_prog(const struct nt_plan_hook *h, char *buf, size_t size);
struct nt_plan_hook *nt_plan_by_prog(struct nt_plan *p, const char *prog);
const char *nt_prog_kind_name(enum nt_prog_kind k);
enum nt_prog_kind nt_prog_plain_kind(enum nt_hook_type t);	/* needs no BTF in the kernel */
bool nt_hook_missing(const struct nt_plan_hook *h);

/* ---- run_btf.c: the BTF that a run relocates against ---- */
/* 0 with r->btf_found and, if not, r->btf_why; or -errno and *err: --btf is wrong. */
int nt_run_btf_find(struct nt_run *r, struct nt_err *err);
/* The kernel's own, NULL if it has none; the caller closes it. Only by it a program can be
 * attached to a typed target. */
struct nt_btf *nt_run_btf_own(const struct nt_run *r);
/* Fills r->missing_type; takes a file instead of the kernel's own if only that knows them. */
void nt_run_btf_types(struct nt_run *r, const struct nt_btf *own);
void nt_run_btf_close(struct nt_run *r);

/* ---- unpack.c ---- */
/* gzip data into memory, which takes exactly the bytes that were packed. 0, -ENOMEM, -EINVAL. */
int nt_unpack(const uint8_t *data, const uint8_t *end, void *memory, size_t bytes);

/* ---- bpf.c ---- */
struct nt_bpf {
	struct bpf_object *obj;
	struct bpf_link **link;		/* one per plan hook */
	struct nt_user_file *user_file;	/* those in which hooks of user space are attached */
	struct bpf_link **user_link;
	size_t n_user_files, n_user_links;
	struct nt_consts consts;
	bool ringbuf;
	char last_prog[64];		/* handed to the kernel last: the one that a failure means */
	char log[256];			/* libbpf's or the verifier's last useful line */
	void *scratch[8];		/* memory that libbpf borrows while it loads */
	size_t n_scratch;
};
int nt_bpf_load(struct nt_run *r, struct nt_err *err);	/* with fallbacks; attaches too */
void nt_bpf_close(struct nt_run *r);
void nt_bpf_gate(struct nt_run *r, bool open);
int nt_bpf_check_caps(struct nt_err *err);

/* ---- uprobe.c ---- */
struct nt_user_file {
	char *path;
	uint32_t pid;			/* 0: every process */
};
/* Attaches the program in every file that has the function of the hook's chosen candidate; 0 if there
 * is one, else -errno. */
int nt_uprobe_attach(struct nt_run *r, const struct nt_plan_hook *h, struct bpf_program *p);
void nt_uprobe_detach(struct nt_run *r);	/* all of them; the files are forgotten */
bool nt_uprobe_possible(void);

/* ---- kprobe.c ---- */
/* perf's type number of kprobes, -1: this kernel's perf has none. */
int nt_kprobe_pmu(void);
/* Attaches the program to the function of the hook's chosen candidate. NULL and errno. */
struct bpf_link *nt_kprobe_attach(struct nt_run *r, struct nt_plan_hook *h, struct bpf_program *p);
void nt_kprobe_remove(struct nt_plan_hook *h);		/* its tracefs event; the link is gone */
void nt_kprobe_sweep(void);				/* tracefs events of processes that died */
uint64_t nt_kprobe_missed(const struct nt_plan_hook *h);	/* of its tracefs event */
/* Misses of an event in tracefs' kprobe_profile; 0 if it is not there. f may be NULL. */
uint64_t nt_kprobe_profile(FILE *f, const char *event);
/* The process that made an event of kprobe_events, and the event's name; 0: it is not ours. */
int nt_kprobe_event_pid(const char *line, char *event, size_t size);

/* ---- trial.c: questions to a kernel without BTF; they need the privilege to load ---- */
int nt_trial_tp_args(const char *tracepoint);		/* -1: unknown */
bool nt_trial_read_kernel(void);			/* bpf_probe_read_kernel is there (5.5+) */

/* ---- vdso.c ---- */
uint32_t nt_kernel_version_code(void);			/* 0: unknown */
uint32_t nt_vdso_version(const void *image, size_t size);	/* of an ELF image; 0: no such note */

/* ---- transport.c ---- */
struct nt_transport;
int nt_transport_open(struct nt_run *r, struct nt_err *err);
int nt_transport_fd(const struct nt_run *r);		/* epoll-able, -1: no events */
void nt_transport_drain(struct nt_run *r);
void nt_transport_close(struct nt_run *r);

/* ---- loss.c ---- */
struct nt_lost {
	uint64_t buffer, map_full, evicted, probe_missed, unmatched;
};
void nt_loss_read(struct nt_run *r, struct nt_lost *l);
void nt_loss_json(struct nt_run *r, const struct nt_lost *l);
void nt_loss_text(struct nt_run *r, const struct nt_lost *l);

/* ---- names.c: interfaces, reasons, symbols, time ---- */
struct nt_names;
int nt_names_open(struct nt_run *r);
void nt_names_close(struct nt_run *r);
void nt_names_read_reasons(struct nt_run *r, const struct nt_btf *vmlinux);

/* ---- filter.c ---- */
int nt_filter_resolve(struct nt_run *r, struct nt_err *err);
int nt_filter_load(struct nt_run *r);			/* values into the map */
void nt_filter_json(struct nt_run *r);
void nt_filter_text(struct nt_run *r, char *buf, size_t size);
extern const struct nt_opt nt_common_rows[];
extern const size_t nt_n_common_rows;
extern const struct nt_opt nt_hidden_rows[];
extern const size_t nt_n_hidden_rows;
/* Rows of the tuple set that a tool offers; *n filled. Static storage per call. */
const struct nt_opt *nt_tuple_rows(unsigned int which, size_t *n);

struct nt_hidden_opts {			/* for tests */
	struct nt_strlist without;	/* hook stems to leave out */
	struct nt_strlist refuse;	/* programs to break before they are loaded */
	bool perf_buffer;
	bool tracefs_kprobes;		/* no kprobe by perf's own device */
};

/* ---- loop.c ---- */
int nt_loop(struct nt_run *r);
bool nt_stopping(void *run);		/* is the run to end now, seen from outside the loop? */
void nt_block_signals(sigset_t *set);	/* those that end a run or reopen its output */

/* ---- report.c: start, interval and end records ---- */
void nt_report_start(struct nt_run *r);
void nt_report_interval(struct nt_run *r, bool final);
void nt_report_end(struct nt_run *r);
void nt_report_plan(struct nt_run *r, const char *missing);
void nt_report_hooks(const struct nt_run *r, struct nt_out *o);	/* members of the open record */
/* Text lines about r->missing_type; nt_report_hooks() has them in JSON. */
void nt_report_types(const struct nt_run *r, struct nt_out *o, const char *indent);
void nt_report_error(struct nt_run *r, const struct nt_err *err);

/* ---- probe.c ---- */
/* Attaches a program that does nothing to something that every kernel has. */
bool nt_try_attach(enum nt_prog_kind kind);

/* ---- run.c: a run with default options, planned, for probe.c ---- */
struct nt_run *nt_run_for_probe(const struct nt_tool_entry *e);
void nt_run_free(struct nt_run *r);

#define NT_SOURCES 16
struct nt_source {			/* of the loop; fn NULL: free */
	int fd;
	bool timer;			/* the core's own descriptor */
	nt_ready_fn *fn;
	void *arg;
};

struct nt_run {
	const struct nt_tool_entry *entry;
	const struct nt_tool *tool;
	const char *called_as;
	void *opts;
	struct nt_common_opts common;
	struct nt_tuple_opts tuple;
	struct nt_hidden_opts hidden;
	struct nt_opts *cmdline;
	struct nt_optset sets[NT_OPTSET_MAX];
	size_t n_sets;
	const char *one_device;
	bool words_consumed, probing;
	bool aggregates;		/* the engine's, unless the tool decided otherwise */
	bool one_look;			/* nt_run_set_one_look() */

	struct nt_out *out;
	struct nt_names *names;
	struct nt_resolver resolver;
	struct nt_ksyms *ksyms;
	bool ksyms_tried;
	void *priv;

	/* BTF (run_btf.c). custom: libbpf gets the file's bytes from btf_load, not the kernel's own. */
	bool btf_custom, btf_found;
	struct nt_btf *btf_file;
	char btf_name[512], btf_load[32], btf_why[400];
	int btf_fd;
	struct { const struct nt_type_need *need; char why[400]; } missing_type[4];
	size_t n_missing_types;
	struct nt_plan plan;
	struct nt_bpf bpf;
	struct nt_transport *transport;
	char *expr;			/* the filter expression as typed, NULL: none */
	struct bpf_insn *pcap_insns[NT_LINK_FORMS];	/* its code, NULL: none */
	size_t pcap_len[NT_LINK_FORMS];
	struct nt_tuple tuple_values;
	uint64_t tuple_mask;

	uint64_t start_ns, last_interval_ns, end_ns;
	uint64_t first_interval_ns;	/* after the start; 0: as the others */
	uint64_t events, intervals;
	struct nt_lost user_lost;
	int exit_code;
	bool stop;
	struct nt_err failure;		/* nt_run_fail() */
	int epoll;			/* of the loop while it runs, else 0 */
	struct nt_source source[NT_SOURCES];
	uint64_t too_deep;		/* runs that found no scratch memory */
	uint64_t after_count;		/* events that came after --count was reached */
	uint64_t perf_lost, perf_received;	/* perf's lost records, and events that came */
	struct { const char *map; int32_t id; uint64_t frames[NT_STACK_MAX]; } *stack_cache;
	size_t stack_cache_n;
};

#endif
