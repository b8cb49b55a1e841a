/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the BTF for this kernel is: the kernel's own, files beside the executable and of the
 * system, by architecture and release, and those compiled in. Nothing is ever fetched.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core.h"

#define KERNEL "/sys/kernel/btf/vmlinux"
#define SYSTEM "/usr/lib/nettrace/btf"

/* nettrace-btf beside the executable. */
static bool beside(char *buf, size_t size)
{
	char exe[400], *slash;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n <= 0)
		return false;
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (!slash)
		return false;
	slash[1] = '\0';
	snprintf(buf, size, "%snettrace-btf", exe);
	return true;
}

static bool in_folder(struct nt_btf_place *p, const char *folder, const struct utsname *u)
{
	snprintf(p->path, sizeof(p->path), "%s/%s/%s.btf", folder, u->machine, u->release);
	return !access(p->path, F_OK);
}

static int open_packed(struct nt_btf_place *p, const struct nt_btf_packed *b)
{
	uint8_t *memory = malloc(b->bytes ? b->bytes : 1);
	int err = memory ? nt_unpack(b->data, b->end, memory, b->bytes) : -ENOMEM;
	char path[32];

	if (!err) {
		p->fd = nt_btf_memory(memory, b->bytes, path);
		err = p->fd < 0 ? p->fd : 0;
		snprintf(p->path, sizeof(p->path), "%s", path);
	}
	free(memory);
	return err;
}

static const struct nt_btf_packed *packed_for(const struct utsname *u)
{
	for (size_t i = 0; i < nt_n_btf_bundle; i++)
		if (!strcmp(nt_btf_bundle[i].arch, u->machine) &&
		    !strcmp(nt_btf_bundle[i].release, u->release))
			return &nt_btf_bundle[i];
	return NULL;
}

int nt_btf_find_file(struct nt_btf_place *p)
{
	const struct nt_btf_packed *b;
	struct utsname u;
	char folder[420];

	p->fd = -1;
	uname(&u);
	p->from = NT_BTF_BESIDE;
	if (beside(folder, sizeof(folder)) && in_folder(p, folder, &u))
		return 0;
	p->from = NT_BTF_SYSTEM;
	if (in_folder(p, SYSTEM, &u))
		return 0;
	p->from = NT_BTF_BUNDLE;
	b = packed_for(&u);
	return b ? open_packed(p, b) : -ENOENT;
}

int nt_btf_find(struct nt_btf_place *p, const char *given)
{
	p->fd = -1;
	p->from = NT_BTF_GIVEN;
	if (given) {
		snprintf(p->path, sizeof(p->path), "%s", given);
		return access(given, R_OK) ? -errno : 0;
	}
	p->from = NT_BTF_KERNEL;
	snprintf(p->path, sizeof(p->path), KERNEL);
	return access(p->path, R_OK) ? nt_btf_find_file(p) : 0;
}

void nt_btf_place_close(struct nt_btf_place *p)
{
	if (p->from == NT_BTF_BUNDLE && p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* ---- all that is known ---- */

struct listing {
	void (*fn)(void *arg, const struct nt_btf_known *k);
	void *arg;
	struct utsname u;
	bool found;		/* a place that comes before serves this kernel */
};

static bool mine(const struct listing *l, const char *arch, const char *release)
{
	return !strcmp(arch, l->u.machine) && !strcmp(release, l->u.release);
}

static void tell(struct listing *l, struct nt_btf_known k, bool fits)
{
	k.used = fits && !l->found;
	l->found |= fits;
	l->fn(l->arg, &k);
}

static int is_btf(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');

	return dot && dot != e->d_name && !strcmp(dot, ".btf");
}

static int is_name(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void list_arch(struct listing *l, enum nt_btf_from from, const char *folder, const char *arch)
{
	struct dirent **e;
	char path[1024];
	int n;

	snprintf(path, sizeof(path), "%s/%s", folder, arch);
	n = scandir(path, &e, is_btf, versionsort);
	for (int i = 0; i < n; i++) {
		struct nt_btf_known k = { .from = from, .path = path, .arch = arch, .release = e[i]->d_name };
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s/%s", folder, arch, e[i]->d_name);
		*strrchr(e[i]->d_name, '.') = '\0';
		k.bytes = stat(path, &st) ? 0 : (uint64_t)st.st_size;
		tell(l, k, mine(l, arch, k.release));
		free(e[i]);
	}
	if (n >= 0)
		free(e);
}

static void list_folder(struct listing *l, enum nt_btf_from from, const char *folder)
{
	struct dirent **e;
	int n = scandir(folder, &e, is_name, versionsort);

	for (int i = 0; i < n; i++) {
		list_arch(l, from, folder, e[i]->d_name);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
}

void nt_btf_each(void (*fn)(void *arg, const struct nt_btf_known *k), void *arg)
{
	struct listing l = { .fn = fn, .arg = arg };
	char folder[420];
	struct stat st;

	uname(&l.u);
	if (!stat(KERNEL, &st))
		tell(&l, (struct nt_btf_known){ .from = NT_BTF_KERNEL, .path = KERNEL, .arch = l.u.machine,
						.bytes = (uint64_t)st.st_size }, !access(KERNEL, R_OK));
	if (beside(folder, sizeof(folder)))
		list_folder(&l, NT_BTF_BESIDE, folder);
	list_folder(&l, NT_BTF_SYSTEM, SYSTEM);
	for (size_t i = 0; i < nt_n_btf_bundle; i++) {
		const struct nt_btf_packed *b = &nt_btf_bundle[i];

		tell(&l, (struct nt_btf_known){ .from = NT_BTF_BUNDLE, .arch = b->arch,
						.release = b->release, .bytes = b->bytes },
		     mine(&l, b->arch, b->release));
	}
}
