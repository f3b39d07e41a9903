/* SPDX-License-Identifier: Apache-2.0 */
/* SSM Parameter Store: one GetParameter, decrypted. */
#include "keeper/store_aws.h"

#include "aws/ssm.h"
#include "base/auto.h"

enum { BODY_MAX = 8 * 1024 };

static void
answered(struct document *d, struct span body)
{
	struct ssm_value v;

	if (!ssm_read(body, &v)) {
		store_failed_odd(d, "UnusableAnswer", "the answer is not GetParameter's");
		return;
	}
	store_fetched_text(d, &(struct slot_version){span_of(v.version), v.modified_s}, v.text);
	ssm_free(&v);
}

static void
start(struct document *d)
{
	const struct slot *s = d->slots[0];
	struct store_question q = {.service = SERVICE_SSM,
				   .at = &s->plan->at,
				   .path = "/",
				   .content_type = "application/x-amz-json-1.1",
				   .target = "AmazonSSM.GetParameter",
				   .answered = answered};
	auto_buf struct buf body = {0};

	buf_init(&body, BODY_MAX);
	if (ssm_body(&s->reference, &body) != 0) {
		store_failed_odd(d, "RequestNotBuilt", NULL);
		return;
	}
	q.body = buf_span(&body);
	store_ask(d, &q);
}

const struct store store_ssm = {.needs_identity = true, .start = start};
