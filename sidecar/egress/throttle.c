/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "egress/throttle.h"

#include "aws/error.h"
#include "base/date.h"
#include "base/json.h"
#include "base/num.h"

enum { RETRY_MS_MOST = 24 * 3600 * 1000 };

/* What stands in error.code or error.type of a call that was turned away unread. */
static const char *const turned_away[] = {
	"rate_limit_exceeded", /* OpenAI, Azure */
	"rate_limit_error",    /* Anthropic, LiteLLM */
	"overloaded_error",    /* Anthropic: its 529 */
	"overloaded",          "server_overloaded", "engine_overloaded", "too_many_requests",
};

bool
throttle_is_failure(unsigned status)
{
	return status == 429 || status >= 500;
}

/*
 * AWS's ServiceUnavailableException (503) is not among them: nothing says that the call was not
 * executed.
 */
static bool
is_aws_throttle(const struct frame_head *head, struct span body)
{
	struct aws_error e;

	aws_error_read_rest(head->status,
			    http_value(head->fields, head->nfields, "x-amzn-errortype"), body, &e);
	return e.type[0] != '\0' && e.class == AWS_ERROR_THROTTLED;
}

enum throttle
throttle_by_head(const struct frame_head *head, bool aws)
{
	if (head->status == 429)
		return THROTTLE_YES; /* Bedrock's ModelNotReadyException too */
	if (head->status != 503 && head->status != 529)
		return THROTTLE_NO;
	if (!aws && head->status == 503 &&
	    http_value(head->fields, head->nfields, "retry-after").len > 0)
		return THROTTLE_YES; /* RFC 9110 section 15.6.4: unable to handle it, until then */
	return THROTTLE_MAYBE;
}

bool
throttle_by_body(const struct frame_head *head, bool aws, struct span body)
{
	static const char *const members[] = {"code", "type"};
	struct json *doc = NULL;
	const struct json *error;
	struct span text;
	bool is = false;

	if (aws)
		return is_aws_throttle(head, body);
	doc = json_doc_parse(body);
	error = json_doc_get(doc, "error");
	for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++)
		for (size_t i = 0; i < sizeof(turned_away) / sizeof(turned_away[0]); i++)
			is = is || (json_doc_string(error, members[m], &text) &&
				    span_iis(text, turned_away[i]));
	json_doc_free(doc);
	return is;
}

uint64_t
throttle_retry_ms(const struct frame_head *head, uint64_t now_s)
{
	struct span after = http_value(head->fields, head->nfields, "retry-after");
	uint64_t n;

	if (num_u64(http_value(head->fields, head->nfields, "retry-after-ms"), RETRY_MS_MOST, &n) ==
	    0)
		return n > 0 ? n : 1;
	/* Of a fraction of a second, which some send, the whole ones count, and one more. */
	if (num_u64(span_cut(after, 0, span_find(after, 0, '.')), RETRY_MS_MOST / 1000, &n) == 0)
		return span_find(after, 0, '.') < after.len ? (n + 1) * 1000 : n > 0 ? n * 1000 : 1;
	if (date_from_http(after, &n) != 0)
		return 0;
	return n > now_s ? (n - now_s) * 1000 : 1;
}
