/* SPDX-License-Identifier: GPL-2.0 */
/* Why a packet that was followed did not come to its end. */
#include "timeline.h"

#define D(member) offsetof(struct nt_tl_drop, member)
static const struct nt_field rows[] = {
	{ .name = "reason", .kind = NT_K_REASON, .off = D(reason), NT_TL_FREED(D(location)) },
	{ .name = "location", .kind = NT_K_KSYM, .off = D(location), NT_TL_FREED(D(location)) },
	{ .name = "upcall_error", .kind = NT_K_ERRNO, .off = D(upcall_error), .flags = NT_F_IF_NONZERO },
};

void nt_tl_drop_json(struct nt_run *r, const struct nt_tl_drop *k)
{
	nt_fields_json(nt_run_out(r), nt_run_names(r), rows, NT_COUNT(rows), k);
}

const char *nt_tl_drop_text(struct nt_run *r, const struct nt_tl_drop *k, char *buf, size_t size)
{
	char error[48] = "", reason[48], place[96];
	bool upcall = k->upcall_error;

	if (upcall)
		nt_field_text(nt_run_names(r), &rows[2], k, error, sizeof(error));
	if (upcall && !k->location) {	/* consumed: no reason, no place */
		snprintf(buf, size, "upcall failed: %s", error);
		return buf;
	}
	snprintf(buf, size, "%s%s%s%s at %s", upcall ? "upcall failed: " : "", error, upcall ? ", " : "",
		 nt_field_text(nt_run_names(r), &rows[0], k, reason, sizeof(reason)),
		 nt_field_text(nt_run_names(r), &rows[1], k, place, sizeof(place)));
	return buf;
}

const char *nt_tl_dropped_text(struct nt_run *r, const struct nt_timeline *l, char *buf, size_t size)
{
	struct nt_tl_drop k = { .location = l->location, .reason = l->reason, .upcall_error = l->upcall_error };

	return nt_tl_drop_text(r, &k, buf, size);
}
