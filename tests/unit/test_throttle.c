/* SPDX-License-Identifier: Apache-2.0 */
/* Which answers say that a call was not executed, and how long they ask to wait. */
#include "base/json.h"
#include "egress/throttle.h"
#include "unit.h"

struct answer {
	unsigned status;
	bool aws;
	const char *name, *value; /* of a field, or NULL */
	const char *body;
};

static struct frame_head
head_of(const struct answer *a, struct http_field *field)
{
	struct frame_head head = {.status = (uint16_t)a->status, .fields = field};

	if (a->name != NULL) {
		*field = (struct http_field){span_of(a->name), span_of(a->value)};
		head.nfields = 1;
	}
	return head;
}

static void
test_kinds(void **state)
{
	static const struct {
		struct answer answer;
		bool is;
		const char *comment;
	} cases[] = {
		{{429, false, NULL, NULL, ""}, true, "OpenAI, Azure, LiteLLM"},
		{{429, true, NULL, NULL, ""}, true, "Bedrock: Throttling, ModelNotReady"},
		{{503, false, "Retry-After", "5", ""}, true, "Azure"},
		{{503, false, NULL, NULL, "{\"error\":{\"code\":\"rate_limit_exceeded\"}}"},
		 true,
		 "OpenAI"},
		{{503, false, NULL, NULL, "{\"error\":{\"type\":\"overloaded_error\"}}"},
		 true,
		 "a gateway to Anthropic"},
		{{503, false, NULL, NULL, "{\"error\":{\"code\":\"internal\"}}"}, false, "other"},
		{{503, false, NULL, NULL, "{\"error\":\"overloaded\"}"}, false, "not an object"},
		{{503, false, NULL, NULL, "upstream connect error or disconnect"}, false, "Envoy"},
		{{503, false, NULL, NULL, ""}, false, "nothing is said"},
		{{529, false, NULL, NULL, "{\"error\":{\"type\":\"overloaded_error\"}}"},
		 true,
		 "Anthropic"},
		{{529, false, NULL, NULL, "{}"}, false, "somebody's own 529"},
		{{529, false, "Retry-After", "5", ""}, false, "the same"},
		{{503, true, "x-amzn-ErrorType", "ThrottlingException:http://x", "{}"},
		 true,
		 "named by AWS"},
		{{503, true, "x-amzn-ErrorType", "ServiceUnavailableException", "{}"},
		 false,
		 "nothing says that it was not executed"},
		{{503, true, "Retry-After", "5", "{}"}, false, "AWS names what it means"},
		{{503, true, NULL, NULL, "{\"__type\":\"ThrottlingException\"}"}, true, "its body"},
		{{500, false, "Retry-After", "5", ""}, false, "it may have been executed"},
		{{502, false, "Retry-After", "5", ""}, false, "the same"},
		{{504, false, "Retry-After", "5", ""}, false, "the same"},
		{{408, true, "x-amzn-ErrorType", "ModelTimeoutException", ""}, false, "it was"},
		{{424, true, "x-amzn-ErrorType", "ModelErrorException", ""}, false, "it was"},
		{{400, true, "x-amzn-ErrorType", "ThrottlingException", ""}, false, "of no 400"},
		{{200, false, "Retry-After", "5", ""}, false, "an answer"},
	};

	(void)state;
	json_setup();
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct answer *a = &cases[i].answer;
		struct http_field field;
		struct frame_head head = head_of(a, &field);
		enum throttle by_head = throttle_by_head(&head, a->aws);
		bool is = by_head == THROTTLE_YES ||
			  (by_head == THROTTLE_MAYBE &&
			   throttle_by_body(&head, a->aws, span_of(a->body)));

		if (is != cases[i].is)
			fail_msg("%u: %s", a->status, cases[i].comment);
	}
}

static void
test_failures(void **state)
{
	(void)state;
	for (unsigned status = 200; status < 600; status++)
		assert_int_equal(throttle_is_failure(status), status == 429 || status >= 500);
}

static void
test_retry(void **state)
{
	static const struct {
		const char *name, *value;
		uint64_t ms;
	} cases[] = {
		{"Retry-After", "7", 7000},
		{"retry-after", "0", 1},
		{"Retry-After", "1.5", 2000},
		{"Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT", 37000},
		{"Retry-After", "Sun, 06 Nov 1994 08:48:37 GMT", 1},
		{"retry-after-ms", "1500", 1500},
		{"Retry-After", "soon", 0},
		{"Retry-After", "-5", 0},
		{"Retry-After", "99999999999999999999", 0},
		{"X-Other", "7", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer a = {429, false, cases[i].name, cases[i].value, ""};
		struct http_field field;
		struct frame_head head = head_of(&a, &field);

		assert_int_equal(throttle_retry_ms(&head, 784111740), cases[i].ms);
	}
}

/* Milliseconds win, as in the clients (reference/llm.md 1.3). */
static void
test_both(void **state)
{
	struct http_field fields[] = {{SPAN("Retry-After"), SPAN("7")},
				      {SPAN("Retry-After-Ms"), SPAN("250")}};
	struct frame_head head = {.status = 429, .fields = fields, .nfields = 2};

	(void)state;
	assert_int_equal(throttle_retry_ms(&head, 0), 250);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
