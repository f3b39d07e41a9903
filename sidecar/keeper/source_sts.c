/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "keeper/source.h"

#include "aws/credentials.h"
#include "aws/sts.h"
#include "base/auto.h"
#include "keeper/file.h"

enum { TOKEN_MAX = 64 * 1024, BODY_MAX = 256 * 1024 };

static void
answered(void *arg, const struct fetch_answer *answer)
{
	struct acquire *a = arg;
	struct span arn = {NULL, 0};
	struct credentials c;
	struct aws_error e;
	bool moved = answer->fault == NULL && skew_learn(a->seams->skew, answer->date);

	if (answer->fault != NULL || answer->status != 200) {
		if (answer->fault == NULL && answer->status < 500 && moved && acquire_again(a))
			return; /* the signature's time was wrong: once more, with AWS's */
		credentials_read_sts_error(answer->status, answer->body, &e);
		acquire_refused(a, answer, "STS", &e);
		return;
	}
	if (!credentials_read_sts(answer->body, &c, &arn)) {
		acquire_failed(a, false, "BadAnswer", "STS's answer holds no credentials");
		return;
	}
	snprintf(a->principal, sizeof(a->principal), "%.*s", (int)arn.len,
		 arn.len > 0 ? arn.ptr : "");
	acquire_got(a, &(struct call_keys){c.key_id, c.secret, c.token}, c.expires_s);
	credentials_free(&c);
}

/* Signed with the keys of the step before, where there are any. */
static void
call_sts(struct acquire *a, struct span body)
{
	struct fetch_address addresses[FETCH_ADDRESSES_MAX];
	struct call call = {.at = &a->plan->sts,
			    .addresses = addresses,
			    .path = "/",
			    .content_type = "application/x-www-form-urlencoded; charset=utf-8",
			    .body = body,
			    .keys = keys_view(&a->keys),
			    .region = a->plan->region,
			    .service = SPAN("sts"),
			    .now_s = skew_now_s(a->seams->skew)};

	call.naddresses = acquire_addresses(a, call.at, addresses);
	if (call.naddresses > 0 && call_start(a->seams->fetcher, &call, answered, a) != 0)
		acquire_failed(a, false, "RequestNotBuilt", "the call of STS could not be built");
}

static void
cannot_build(struct acquire *a)
{
	acquire_failed(a, true, "RequestNotBuilt", "the call of STS would be too long");
}

void
source_web(struct acquire *a)
{
	const struct plan_role *r = &a->plan->web;
	struct span file = a->plan->token_file;
	const char *wrong;
	auto_buf struct buf token = {0}, body = {0};

	buf_init(&token, TOKEN_MAX);
	buf_init(&body, BODY_MAX);
	keys_clear(&a->keys);                 /* this call is not signed */
	wrong = file_read_line(file, &token); /* kubelet renews it */
	if (wrong != NULL)
		acquire_failed(a, false, wrong, "the web identity token cannot be read: %.*s",
			       (int)file.len, file.ptr);
	else if (sts_body_web_identity(r->arn, r->session_name, buf_span(&token), r->duration_s,
				       &body) != 0)
		cannot_build(a);
	else
		call_sts(a, buf_span(&body));
}

void
source_role(struct acquire *a)
{
	const struct plan_role *r = &a->plan->roles[a->step - 1];
	struct span external_id = r->external_id;
	auto_buf struct buf body = {0};

	buf_init(&body, BODY_MAX);
	if (r->external_id_slot != PLAN_NONE) {
		external_id = slot_value(&a->seams->slots[r->external_id_slot]);
		if (external_id.len == 0) {
			acquire_failed(a, false, "NoExternalId",
				       "the external id for %.*s has no value: see its reference",
				       (int)r->arn.len, r->arn.ptr);
			return;
		}
	}
	if (sts_body_assume_role(r->arn, r->session_name, external_id, r->duration_s, r->policy,
				 &body) != 0)
		cannot_build(a);
	else
		call_sts(a, buf_span(&body));
}
