/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "keeper/report.h"

#include "aws/credentials.h"
#include "aws/sigv4.h"
#include "aws/sts.h"
#include "base/auto.h"
#include "box/msg_report.h"

enum { FINGERPRINT_LEN = 12, BODY_MAX = 256, NAME_MS = 5 * 1000 };

struct asked { /* one identity */
	struct report_who *who;
	uint16_t number;
	bool asked;
	struct timer timer; /* for STS's address */
};

struct report_who {
	struct identity_options options;
	struct identity_set *all;
	struct channel *parent;
	struct asked *items;
};

void
report_slot(struct channel *parent, const struct slot *s)
{
	struct span value = slot_value(s);
	char hash[SIGV4_HEX_LEN + 1] = "";
	struct msg_report_slot m = {
		.slot = s->number,
		.state = (uint8_t)s->state,
		.length = (uint32_t)value.len,
		.created_s = s->created_s,
		.version_id = span_of(s->version_id),
		.error_type = span_of(s->error_type),
	};

	if (value.ptr != NULL && sigv4_hash(value, hash) == 0)
		m.fingerprint = (struct span){hash, FINGERPRINT_LEN};
	(void)channel_send(parent, MSG_REPORT_SLOT, &m, -1);
}

/* ---- identities ---- */

static void
tell(struct asked *a, bool good, struct span principal, const char *why)
{
	struct msg_report_identity m = {a->number, good, principal, span_of(why)};

	timer_stop(a->who->options.seams.loop, &a->timer);
	(void)channel_send(a->who->parent, MSG_REPORT_IDENTITY, &m, -1);
}

/* In a private network STS may be out of reach, and all else be well. */
static void
nobody_knows(struct asked *a)
{
	tell(a, true, (struct span){NULL, 0},
	     "there are keys; STS, which knows whose, does not answer");
}

static void
too_late(struct timer *t)
{
	struct asked *a = ev_owner(t, struct asked, timer);

	a->asked = true;
	nobody_knows(a);
}

static void
answered(void *arg, const struct fetch_answer *answer)
{
	struct asked *a = arg;
	struct span arn = {NULL, 0};
	struct aws_error e;

	if (answer->fault != NULL) {
		nobody_knows(a);
	} else if (answer->status != 200) {
		credentials_read_sts_error(answer->status, answer->body, &e);
		tell(a, false, span_of(e.principal),
		     e.type[0] != '\0' ? e.type : "STS refuses the keys");
	} else if (!credentials_read_caller(answer->body, &arn)) {
		tell(a, false, arn, "STS's answer does not say whose the keys are");
	} else {
		tell(a, true, arn, "");
	}
}

static void
ask(struct asked *a)
{
	const struct report_who *w = a->who;
	const struct plan_identity *plan = &w->options.plan->identities[a->number];
	struct fetch_address addresses[FETCH_ADDRESSES_MAX];
	struct call call = {.at = &plan->sts,
			    .addresses = addresses,
			    .path = "/",
			    .content_type = "application/x-www-form-urlencoded; charset=utf-8",
			    .keys = identity_keys(identity_set_at(w->all, a->number)),
			    .region = plan->region,
			    .service = SPAN("sts"),
			    .now_s = skew_now_s(w->options.seams.skew)};
	auto_buf struct buf body = {0};

	call.naddresses = names_of(w->options.seams.names, &plan->sts, addresses);
	if (call.naddresses == 0) { /* when they have come, or never */
		if (a->timer.slot == 0)
			timer_set(w->options.seams.loop, &a->timer, NAME_MS);
		return;
	}
	timer_stop(w->options.seams.loop, &a->timer); /* the question has a time of its own */
	a->asked = true;
	buf_init(&body, BODY_MAX);
	if (sts_body_caller_identity(&body) == 0) {
		call.body = buf_span(&body);
		if (call_start(w->options.seams.fetcher, &call, answered, a) == 0)
			return;
	}
	nobody_knows(a);
}

struct report_who *
report_who_new(const struct identity_options *o, struct identity_set *all, struct channel *parent)
{
	struct report_who *w = calloc(1, sizeof(*w));

	if (w == NULL)
		abort();
	*w = (struct report_who){*o, all, parent,
				 calloc(o->plan->nidentities + 1, sizeof(*w->items))};
	if (w->items == NULL)
		abort();
	for (size_t i = 0; i < o->plan->nidentities; i++)
		w->items[i] = (struct asked){.who = w, .number = (uint16_t)i, .timer.fn = too_late};
	return w;
}

void
report_who_look(struct report_who *w)
{
	for (size_t i = 0; i < w->options.plan->nidentities; i++) {
		struct asked *a = &w->items[i];
		struct identity *id = identity_set_at(w->all, i);
		enum identity_state state;

		if (a->asked || w->options.plan->identities[i].tried.len == 0)
			continue;
		state = identity_get(id);
		if (state == IDENTITY_READY)
			ask(a);
		a->asked |= state == IDENTITY_FAILED;
		if (state == IDENTITY_FAILED)
			tell(a, false, (struct span){NULL, 0}, identity_fault(id)->why);
	}
}
