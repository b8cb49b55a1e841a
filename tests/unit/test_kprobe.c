/* SPDX-License-Identifier: GPL-2.0 */
/* What old kernels tell in text or bytes: our events in tracefs, the version in the vDSO. */
#include <elf.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "check.h"
#include "core.h"

static uint64_t misses(const char *text, const char *event)
{
	FILE *f = fmemopen((void *)text, strlen(text), "r");
	uint64_t n = nt_kprobe_profile(f, event);

	fclose(f);
	return n;
}

static void test_profile(void)
{
	static const char text[] =
		"  nettrace_12_0                                            900               7\n"
		"  nettrace_12_1                                              0               0\n"
		"  r_free_one_page_0                                         12              44\n"
		"  nettrace_12_10                                             1    123456789012\n";

	CHECK_U64(misses(text, "nettrace_12_0"), 7, "misses of the first event");
	CHECK_U64(misses(text, "nettrace_12_1"), 0, "no misses");
	CHECK_U64(misses(text, "nettrace_12_10"), 123456789012, "a name is compared whole");
	CHECK_U64(misses(text, "nettrace_1"), 0, "no such event");
	CHECK_U64(misses("nettrace_12_0 many 3\n", "nettrace_12_0"), 0, "a line that is no profile");
	CHECK_U64(nt_kprobe_profile(NULL, "x"), 0, "no profile");
}

static void test_event_pid(void)
{
	char event[NT_EVENT_NAME] = "", small[8];

	CHECK_U64((uint64_t)nt_kprobe_event_pid("p:nettrace/nettrace_4711_3 ip_rcv_core\n", event,
						sizeof(event)), 4711, "an event of ours");
	CHECK_STR(event, "nettrace_4711_3", "its name");
	CHECK_U64((uint64_t)nt_kprobe_event_pid("r5:nettrace/nettrace_8_12 tun_net_xmit\n", event,
						sizeof(event)), 8, "a return probe with its limit");
	CHECK_STR(event, "nettrace_8_12", "its name");
	CHECK(!nt_kprobe_event_pid("p:kprobes/nettrace_4711_3 ip_rcv\n", event, sizeof(event)) &&
	      !nt_kprobe_event_pid("p:nettrace/other ip_rcv\n", event, sizeof(event)) &&
	      !nt_kprobe_event_pid("p:x/y nettrace_1_1\n", event, sizeof(event)) &&
	      !nt_kprobe_event_pid("", event, sizeof(event)), "events of others");
	CHECK(!nt_kprobe_event_pid("p:nettrace/nettrace_x_1 f\n", event, sizeof(event)), "no number");
	CHECK(!nt_kprobe_event_pid("p:nettrace/nettrace_4711_3 f\n", small, sizeof(small)),
	      "a name that is too long");
}

/* An image with two program headers and the notes NOTES. */
struct image {
	Elf64_Ehdr e;
	Elf64_Phdr p[2];
	struct {
		Elf64_Nhdr h;
		char name[8];
		uint32_t value[2];
	} note[2];
};

static struct image make_image(void)
{
	struct image i = {
		.e = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64 }, .e_phnum = 2,
		       .e_phentsize = sizeof(Elf64_Phdr), .e_phoff = offsetof(struct image, p) },
		.p = { { .p_type = PT_LOAD, .p_filesz = sizeof(i) },
		       { .p_type = PT_NOTE, .p_offset = offsetof(struct image, note),
			 .p_filesz = sizeof(i.note) } },
		.note = { { { 6, 8, 0x100 }, "Linux", { 1, 2 } },
			  { { 6, 4, 0 }, "Linux", { 0x413ff, 0 } } },
	};

	return i;
}

static void test_vdso(void)
{
	struct image i = make_image(), bad;
	struct utsname u;
	uint32_t code = nt_kernel_version_code();
	int cut = 0;

	CHECK_U64(nt_vdso_version(&i, sizeof(i)), 0x413ff, "the second note: 4.19.255");
	bad = i;
	bad.note[1].h.n_type = 1;
	CHECK_U64(nt_vdso_version(&bad, sizeof(bad)), 0, "a note of another type");
	bad = i;
	memcpy(bad.note[1].name, "Xen\0\0", 6);
	CHECK_U64(nt_vdso_version(&bad, sizeof(bad)), 0, "a note of another name");
	bad = i;
	bad.note[0].h.n_descsz = 0xfffffffe;
	CHECK_U64(nt_vdso_version(&bad, sizeof(bad)), 0, "a note that is too long");
	bad = i;
	bad.p[1].p_offset = UINT64_MAX - 3;
	CHECK_U64(nt_vdso_version(&bad, sizeof(bad)), 0, "notes outside the image");
	bad = i;
	bad.e.e_phoff = UINT64_MAX - 70;
	CHECK_U64(nt_vdso_version(&bad, sizeof(bad)), 0, "headers outside the image");
	for (size_t n = 0; n < offsetof(struct image, note[1].value[1]); n++) {
		char *copy = malloc(n ? n : 1);	/* exact size, for the sanitizer */

		memcpy(copy, &i, n);
		cut += nt_vdso_version(copy, n) != 0;
		free(copy);
	}
	CHECK_U64((uint64_t)cut, 0, "an image that is cut short");
	uname(&u);
	CHECK_U64(code >> 16, (uint64_t)atoi(u.release), "this kernel's note has its major version");
}

int main(void)
{
	test_profile();
	test_event_pid();
	test_vdso();
	return check_done();
}
