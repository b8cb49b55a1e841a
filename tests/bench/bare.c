// SPDX-License-Identifier: GPL-2.0
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "bench.h"
#include "bare.skel.h"

#define MAX_HOOKS 12

struct hook {
	char kind[16];
	const char *target;
	char prog[32];
};

static struct hook hooks[MAX_HOOKS];
static int n_hooks;

static void parse(int argc, char **argv)
{
	for (int i = 0; i < argc && n_hooks < MAX_HOOKS; i++) {
		struct hook *h = &hooks[n_hooks];
		char *colon = strchr(argv[i], ':');
		size_t n = colon ? (size_t)(colon - argv[i]) : 0;

		if (!n || n >= sizeof(h->kind)) {
			errno = EINVAL;
			bench_die(argv[i]);
		}
		memcpy(h->kind, argv[i], n);
		h->target = colon + 1;
		snprintf(h->prog, sizeof(h->prog), "%.*s_%d", (int)n, argv[i], n_hooks);
		n_hooks++;
	}
}

static struct hook *hook_of(const char *prog)
{
	for (int i = 0; i < n_hooks; i++)
		if (!strcmp(hooks[i].prog, prog))
			return &hooks[i];
	return NULL;
}

static bool typed(const struct hook *h)
{
	return h->kind[0] == 't' || h->kind[0] == 'f';
}

static struct bpf_link *attach(struct bpf_program *p, const struct hook *h)
{
	if (typed(h))
		return bpf_program__attach_trace(p);
	if (!strcmp(h->kind, "raw_tp"))
		return bpf_program__attach_raw_tracepoint(p, h->target);
	return bpf_program__attach_kprobe(p, !strcmp(h->kind, "kretprobe"), h->target);
}

int bench_bare(int argc, char **argv)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct bpf_object *obj;
	struct bpf_program *p;
	const void *elf;
	sigset_t set;
	size_t size;
	int sig;

	parse(argc, argv);
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	elf = bare__elf_bytes(&size);
	obj = bpf_object__open_mem(elf, size, NULL);
	if (!obj)
		bench_die("open");
	bpf_object__for_each_program(p, obj) {
		struct hook *h = hook_of(bpf_program__name(p));

		bpf_program__set_autoload(p, h != NULL);
		if (h && typed(h) && bpf_program__set_attach_target(p, 0, h->target))
			bench_die(h->target);
	}
	if (bpf_object__load(obj))
		bench_die("load");
	for (int i = 0; i < n_hooks; i++)
		if (!attach(bpf_object__find_program_by_name(obj, hooks[i].prog), &hooks[i]))
			bench_die(hooks[i].target);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	puts("ready");
	fflush(stdout);
	sigwait(&set, &sig);
	return 0;
}
