/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>

#include "cli/doctor_checks.h"

#include "aws/arn.h"
#include "base/auto.h"
#include "keeper/file.h"
#include "keeper/pair.h"

enum { DAY_S = 24 * 3600, SOON_S = 14 * DAY_S, PEM_MAX = 256 * 1024 };

#define REMEDY_RENEW "put a new pair in its place: it is picked up without a restart"

static void
tell_end(const struct place *p, struct span target, uint64_t ends_s)
{
	uint64_t now_s = (uint64_t)time(NULL), left_s = ends_s > now_s ? ends_s - now_s : 0;

	if (left_s > SOON_S)
		findings_add(p->findings, FINDING_OK, "certificate", NULL,
			     "the client certificate of %.*s is good for %u days", (int)target.len,
			     target.ptr, (unsigned)(left_s / DAY_S));
	else if (left_s > DAY_S)
		findings_add(p->findings, FINDING_NOTE, "certificate", REMEDY_RENEW,
			     "the client certificate of %.*s ends in %u days", (int)target.len,
			     target.ptr, (unsigned)(left_s / DAY_S));
	else
		findings_add(p->findings, FINDING_WEAK, "certificate", REMEDY_RENEW,
			     left_s > 0 ? "the client certificate of %.*s ends within a day"
					: "the client certificate of %.*s has ended",
			     (int)target.len, target.ptr);
}

/* The content of a slot that is a file. */
static bool
read_slot(const struct keeper_slot *s, struct buf *out)
{
	struct reference ref;

	return s->kind == REFERENCE_FILE && reference_parse(s->reference, &ref) == REFERENCE_OK &&
	       file_read(ref.name, out) == NULL;
}

static void
look(const struct place *p, const struct keeper_target *t)
{
	const struct keeper_slot *slots = p->plans->keeper.slots;
	auto_buf struct buf cert = {0}, key = {0};
	uint64_t ends_s = 0;

	buf_init(&cert, PEM_MAX);
	buf_init(&key, PEM_MAX);
	if (!read_slot(&slots[t->cert], &cert) || !read_slot(&slots[t->key], &key))
		findings_add(
			p->findings, FINDING_UNKNOWN, "certificate",
			"sidekey check --resolve tries what is in a store",
			"the client certificate of %.*s, or its key, is not in a file that can "
			"be read here",
			(int)t->name.len, t->name.ptr);
	else if (pair_fault(buf_span(&cert), buf_span(&key), &ends_s) != TLS_FAULT_NONE)
		findings_add(
			p->findings, FINDING_WEAK, "certificate",
			"put the certificate and the key that was made for it in their places, "
			"as PEM",
			"the client certificate of %.*s and its key do not belong together, or "
			"are not PEM",
			(int)t->name.len, t->name.ptr);
	else
		tell_end(p, t->name, ends_s);
}

void
doctor_certificates(const struct place *p)
{
	const struct keeper_plan *k = &p->plans->keeper;
	bool any = false;

	for (size_t i = 0; i < k->ntargets; i++)
		if (k->targets[i].cert != PLAN_NONE && k->targets[i].key != PLAN_NONE) {
			look(p, &k->targets[i]);
			any = true;
		}
	if (!any)
		findings_add(p->findings, FINDING_OK, "certificate", NULL,
			     "no target has a client certificate");
}
