/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which BTF a run relocates against: the kernel's own or a file, and which types of modules it
 * lacks. libbpf looks into no other once it is given a file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core.h"

static void not_found(struct nt_run *r, const char *why)
{
	r->btf_found = false;
	if (!r->btf_why[0])
		snprintf(r->btf_why, sizeof(r->btf_why), "%s", why);
}

/* libbpf gets the bytes that were validated, not the file, which may change or be ELF. */
static int keep_bytes(struct nt_run *r)
{
	size_t size;
	const void *data = nt_btf_bytes(r->btf_file, &size);

	r->btf_fd = nt_btf_memory(data, size, r->btf_load);
	if (r->btf_fd < 0)
		r->btf_load[0] = '\0';
	return r->btf_fd < 0 ? r->btf_fd : 0;
}

static int use_file(struct nt_run *r, const struct nt_btf_place *p, struct nt_err *err)
{
	int rc = nt_btf_read(&r->btf_file, p->path, NULL, err);

	if (!rc)
		rc = keep_bytes(r);
	if (rc)
		return nt_err_set(err, NT_EXIT_RUNTIME, -rc, "cannot use the BTF file: %s: %s", p->path,
				  strerror(-rc));
	r->btf_custom = r->btf_found = true;
	snprintf(r->btf_name, sizeof(r->btf_name), "%s",
		 p->from == NT_BTF_BUNDLE ? "compiled in" : p->path);
	return 0;
}

int nt_run_btf_find(struct nt_run *r, struct nt_err *err)
{
	struct nt_err why = { .text = "" };
	struct nt_btf_place p;
	int rc = nt_btf_find(&p, r->common.btf);

	if (r->common.btf) {
		rc = use_file(r, &p, &why);
		if (rc)
			nt_err_set(err, NT_EXIT_USAGE, -rc, "%s", why.text);
	} else if (rc) {
		not_found(r, "no BTF for this kernel: make a file with nettrace btf make and give it"
			  " with --btf");
		rc = 0;
	} else if (p.from == NT_BTF_KERNEL) {
		r->btf_found = true;
	} else if (use_file(r, &p, &why)) {
		not_found(r, why.text);
	}
	nt_btf_place_close(&p);
	return rc;
}

struct nt_btf *nt_run_btf_own(const struct nt_run *r)
{
	struct nt_btf *own = NULL;

	(void)r;
	nt_btf_open(&own, "/sys/kernel/btf/vmlinux", NULL);
	return own;
}

/* ---- types of modules ---- */

static bool in_module(const struct nt_btf *own, const struct nt_type_need *t)
{
	struct nt_btf *module;
	char path[128];
	bool found;

	snprintf(path, sizeof(path), "/sys/kernel/btf/%s", t->module);
	if (nt_btf_open(&module, path, own))
		return false;
	found = nt_btf_has_struct(module, t->name);
	nt_btf_close(module);
	return found;
}

static bool is_loaded(const char *module)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return !access(path, F_OK);
}

static bool type_known(const struct nt_run *r, const struct nt_btf *own, const struct nt_type_need *t)
{
	if (t->if_loaded && !is_loaded(t->module))
		return true;
	if (r->btf_custom)
		return nt_btf_has_struct(r->btf_file, t->name);
	return nt_btf_has_struct(own, t->name) || in_module(own, t);
}

static bool all_known(const struct nt_run *r, const struct nt_btf *own)
{
	for (size_t i = 0; i < r->tool->n_types; i++)
		if (!type_known(r, own, &r->tool->types[i]))
			return false;
	return true;
}

/* A kernel whose BTF does not know its modules, and a file that does. */
static void try_file(struct nt_run *r, const struct nt_btf *own)
{
	struct nt_err err = { .text = "" };
	struct nt_btf_place p;

	if (!nt_btf_find_file(&p) && use_file(r, &p, &err))
		nt_run_note(r, "nettrace %s: %s", r->tool->name, err.text);
	nt_btf_place_close(&p);
	if (!r->btf_custom || all_known(r, own))
		return;
	r->btf_custom = false;		/* no better than the kernel's own */
}

static void say_why(const struct nt_run *r, const struct nt_type_need *t, char *why, size_t size)
{
	if (r->btf_custom)
		snprintf(why, size, "the BTF file %s has no types of module %s: make it again with"
			 " nettrace btf make, of the kernel and the module", r->btf_name, t->module);
	else if (!is_loaded(t->module))
		snprintf(why, size, "module %s is not loaded: load it before the start", t->module);
	else
		snprintf(why, size, "this kernel has no BTF for module %s: make a file with nettrace btf make"
			 " of the kernel and the module, and give it with --btf", t->module);
}

void nt_run_btf_types(struct nt_run *r, const struct nt_btf *own)
{
	if (!r->btf_found)
		return;
	if (!r->btf_custom && !all_known(r, own))
		try_file(r, own);
	for (size_t i = 0; i < r->tool->n_types && r->n_missing_types < NT_COUNT(r->missing_type); i++) {
		const struct nt_type_need *t = &r->tool->types[i];

		if (type_known(r, own, t))
			continue;
		r->missing_type[r->n_missing_types].need = t;
		say_why(r, t, r->missing_type[r->n_missing_types].why,
			sizeof(r->missing_type[0].why));
		r->n_missing_types++;
	}
}

void nt_run_btf_close(struct nt_run *r)
{
	nt_btf_close(r->btf_file);
	r->btf_file = NULL;
	if (r->btf_load[0])
		close(r->btf_fd);
	r->btf_load[0] = '\0';
}
