/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "keeper/store_aws.h"

#include "aws/error.h"
#include "keeper/call.h"

/*
 * A question that gets lost is asked once more, as AWS's SDKs do: calls that were refused wait 3 s
 * for a newer secret (design section 4), and a lost one must not make a rotation their error.
 */
enum { FIRST_MS = 2 * 1000, SECOND_MS = 8 * 1000 };

struct asking {
	struct document *d;
	uint32_t generation; /* of the keys that it was signed with */
	int64_t offset_s;    /* of the clock that it was dated by */
	void (*answered)(struct document *d, struct span body);
	bool (*denied)(struct document *d);
};

static enum slot_failure kind_of(enum aws_error_class class)
{
	return class == AWS_ERROR_THROTTLED || class == AWS_ERROR_TRANSIENT ? SLOT_ERROR
									    : SLOT_DENIED;
}

/* Whether what the service complains about is another now. */
static bool
put_right(const struct asking *asking, const struct aws_error *e, const struct fetch_answer *a)
{
	struct store_context *c = asking->d->c;

	/* Of several at a time, the first refused may have said what the time is. */
	if (e->class == AWS_ERROR_CLOCK &&
	    (skew_learn(&c->skew, a->date) || c->skew.offset_s != asking->offset_s))
		return true;
	/* Where the clocks agree, it is the secret key that is wrong. */
	return (e->class == AWS_ERROR_CLOCK || e->class == AWS_ERROR_CREDENTIALS) &&
	       identity_renew(c->identity, asking->generation);
}

static void
unanswered(struct document *d, const char *type)
{
	store_failed(d, &(struct store_failure){.kind = SLOT_UNREACHED,
						.type = type,
						.key_id = identity_keys(d->c->identity).key_id});
}

static void
refused(const struct asking *asking, const struct fetch_answer *a)
{
	struct document *d = asking->d;
	struct aws_error e;
	struct store_failure f;

	aws_error_read_rest(a->status, a->error_type, a->body, &e);
	f = (struct store_failure){.kind = kind_of(e.class),
				   .type = e.type[0] != '\0' ? e.type : "HttpError",
				   .status = a->status,
				   .request_id = a->request_id,
				   .key_id = identity_keys(d->c->identity).key_id,
				   .principal = e.principal};
	if (!d->tried_again && put_right(asking, &e, a) && store_again(d))
		return;
	if (e.class == AWS_ERROR_TRANSIENT && store_ask_twice(d))
		return;
	if (f.kind == SLOT_DENIED && asking->denied != NULL && asking->denied(d) && store_again(d))
		return;
	store_failed(d, &f);
}

static bool
got_lost(const char *fault)
{
	return strcmp(fault, "TimedOut") == 0 || strcmp(fault, "Broken") == 0;
}

static void
answered(void *arg, const struct fetch_answer *a)
{
	struct asking asking = *(struct asking *)arg;

	free(arg);
	if (a->fault != NULL && got_lost(a->fault) && store_ask_twice(asking.d))
		return;
	if (a->fault != NULL)
		unanswered(asking.d, a->fault);
	else if (a->status != 200)
		refused(&asking, a);
	else
		asking.answered(asking.d, a->body);
}

static int
send_question(struct document *d, const struct store_question *q,
	      const struct fetch_address *addresses, size_t naddresses)
{
	struct store_context *c = d->c;
	struct call call = {.at = q->at,
			    .addresses = addresses,
			    .naddresses = naddresses,
			    .path = q->path,
			    .content_type = q->content_type,
			    .target = q->target,
			    .body = q->body,
			    .keys = identity_keys(c->identity),
			    .region = d->slots[0]->reference.arn.region,
			    .service = span_of(service_signing_name(q->service)),
			    .now_s = skew_now_s(&c->skew),
			    .timeout_ms = d->asked_twice ? SECOND_MS : FIRST_MS};
	struct asking *asking = malloc(sizeof(*asking));

	if (asking == NULL)
		abort();
	*asking = (struct asking){d, identity_generation(c->identity), c->skew.offset_s,
				  q->answered, q->denied};
	if (call_start(c->fetcher, &call, answered, asking) == 0)
		return 0;
	free(asking);
	return -1;
}

void
store_ask(struct document *d, const struct store_question *q)
{
	struct fetch_address addresses[FETCH_ADDRESSES_MAX];
	size_t n = names_of(d->c->names, q->at, addresses);

	if (n > 0 && d->slots[0]->failures > 0)
		names_again(d->c->names, q->at);
	if (n == 0)
		unanswered(d, "NameNotResolved");
	else if (send_question(d, q, addresses, n) != 0)
		store_failed_odd(d, "RequestNotBuilt", NULL);
}

void
store_failed_odd(struct document *d, const char *type, const char *why)
{
	store_failed(d, &(struct store_failure){.kind = SLOT_ERROR, .type = type, .why = why});
}
