/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/include_usage.h"

#include "ingress/walk.h"

#define WISH "\"include_usage\":true"

/* Stops the scan at a word of the agent's own, yes or no. */
static bool
is_said(const void *arg, struct span folded_name)
{
	(void)arg;
	return span_is(folded_name, "include_usage");
}

struct said { /* what count_said gets is const, and the number is not */
	size_t *n;
};

/* Names as a lenient upstream reads them; none of them is denied. */
static bool
count_said(const void *arg, struct span folded_name)
{
	const struct said *said = arg;

	*said->n += span_is(folded_name, "include_usage") ? 1 : 0;
	return false;
}

/* How often a plain yes is said, as every upstream reads it. */
static size_t
count_yes(struct span options)
{
	struct span name, value;
	size_t n = 0;

	for (size_t at = 1; walk_item(options, &at, true, &name, &value);) {
		char text[SCAN_NAME_MAX + 1];
		struct span said = {text, 0};

		if (scan_string_text(name, text, SCAN_NAME_MAX, &said.len) &&
		    span_is(said, "include_usage") && span_is(value, "true"))
			n++;
	}
	return n;
}

/* The empty place behind the brace of an object. */
static struct span
behind_brace(struct span object)
{
	return (struct span){object.ptr + span_find(object, 0, '{') + 1, 0};
}

static bool
is_empty(struct span object)
{
	return object.ptr[walk_blanks(object, 1)] == '}';
}

bool
include_usage(struct span body, const struct scan *s, struct span *at, struct span *text)
{
	struct span options = s->stream_options;
	struct scan inside;

	if (!s->stream || s->many_stream_options)
		return false;
	if (options.ptr == NULL) {
		*at = behind_brace(body);
		*text = SPAN("\"stream_options\":{" WISH "},"); /* "stream" stands behind it */
		return true;
	}
	if (span_is(options, "null")) {
		*at = options;
		*text = SPAN("{" WISH "}");
		return true;
	}
	if (scan_json(&inside, options, is_said, NULL) != SCAN_OK)
		return false;
	*at = behind_brace(options);
	*text = is_empty(options) ? SPAN(WISH) : SPAN(WISH ",");
	return true;
}

bool
include_usage_is_open(const struct scan *s)
{
	struct span options = s->stream_options;
	struct scan inside;
	size_t n = 0;

	if (s->many_stream_options || s->stream_options_is_folded)
		return false;
	if (options.ptr == NULL || span_is(options, "null"))
		return true;
	return scan_json(&inside, options, count_said, &(struct said){&n}) == SCAN_OK &&
	       count_yes(options) == n;
}
