/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/decide_parts.h"

#include "ingress/caller.h"
#include "ingress/include_usage.h"

/*
 * What a response in the background uses is told when it is asked for later, as often as it is
 * asked for: it could be charged to nobody.
 */
static enum verdict
check_background(const struct scan *s, struct span name, struct decision *d)
{
	if (!s->background || d->route->operation != OPERATION_RESPONSES)
		return VERDICT_OK;
	return decide_refuse(
		d, VERDICT_FIELD_NOT_ALLOWED,
		"The caller \"%.*s\" has a `tokenBudget` or `tokensPerMinute`, and the answer to a "
		"call with \"background\" does not tell what it will use; leave \"background\" "
		"out, or set it to false.",
		(int)name.len, name.ptr);
}

static bool
is_chat(const struct decision *d)
{
	return d->route->operation == OPERATION_CHAT ||
	       d->route->operation == OPERATION_COMPLETIONS;
}

/*
 * A stream that does not tell its usage is charged by its bytes, and what a model thinks has none:
 * so nobody may say that it should not tell, or ask for one that decide_usage does not see.
 */
static enum verdict
check_stream(const struct scan *s, struct span name, struct decision *d)
{
	if (!is_chat(d) || (!s->odd_stream && (!s->stream || include_usage_is_open(s))))
		return VERDICT_OK;
	if (s->odd_stream)
		return decide_refuse(
			d, VERDICT_FIELD_NOT_ALLOWED,
			"The caller \"%.*s\" has a `tokenBudget` or `tokensPerMinute`, and some "
			"upstreams take this \"stream\" for true, some for false; set it to true "
			"or false.",
			(int)name.len, name.ptr);
	return decide_refuse(
		d, VERDICT_FIELD_NOT_ALLOWED,
		"The caller \"%.*s\" has a `tokenBudget` or `tokensPerMinute`, and with these "
		"\"stream_options\" a stream need not tell what it used; set \"include_usage\" to "
		"true in them, or leave it out.",
		(int)name.len, name.ptr);
}

enum verdict
decide_counted(const struct ingress *in, const struct scan *s, struct decision *d)
{
	struct span name = caller_name(in, d->caller);
	enum verdict v;

	if (!caller_counts_tokens(in, d->caller))
		return VERDICT_OK;
	v = check_background(s, name, d);
	return v == VERDICT_OK ? check_stream(s, name, d) : v;
}

void
decide_usage(const struct ingress *in, struct span body, const struct scan *s, struct decision *d)
{
	bool fits = body.len + 64 <= in->plan.body_bytes; /* egress holds it to the same limit */

	if (in->plan.targets[d->target].include_usage && is_chat(d) && fits)
		(void)include_usage(body, s, &d->usage_at, &d->usage_text);
}
