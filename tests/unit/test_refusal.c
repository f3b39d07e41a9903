/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "egress/refusal.h"

#define LOGIN "https://team.cloudflareaccess.com/cdn-cgi/access/login/host?kid=1"

static const struct {
	uint16_t status;
	const char *name, *value;
	bool access;
	enum refusal refusal;
	enum verdict verdict;
	const char *comment;
} heads[] = {
	{200, "Content-Type", "application/json", true, REFUSAL_NONE, VERDICT_OK, "an answer"},
	{401, "Content-Type", "application/json", false, REFUSAL_UNAUTHORIZED, VERDICT_OK, "key"},
	{403, "content-type", "application/json", true, REFUSAL_FORBIDDEN, VERDICT_OK, "a no"},
	{401, "X-Other", "1", false, REFUSAL_UNAUTHORIZED, VERDICT_OK, "no type at all"},
	{400, "Content-Type", "application/json", true, REFUSAL_NONE, VERDICT_OK, "other errors"},
	{429, "Content-Type", "application/json", true, REFUSAL_NONE, VERDICT_OK, "a limit"},
	{302, "Location", LOGIN, true, REFUSAL_ACCESS, VERDICT_ACCESS_DENIED_BY_GATEWAY, "login"},
	{302, "Location", "/cdn-cgi/access/login/x", true, REFUSAL_ACCESS,
	 VERDICT_ACCESS_DENIED_BY_GATEWAY, "login by path"},
	{302, "Location", LOGIN, false, REFUSAL_ACCESS, VERDICT_ACCESS_DENIED_BY_GATEWAY,
	 "a login where the pair may be among `headers`"},
	{302, "Location", "/elsewhere", true, REFUSAL_NONE, VERDICT_UPSTREAM_REDIRECT, "redirect"},
	{403, "Content-Type", "Text/HTML; charset=utf-8", true, REFUSAL_ACCESS,
	 VERDICT_ACCESS_DENIED_BY_GATEWAY, "Access's page"},
	{401, "Content-Type", "text/html", true, REFUSAL_ACCESS, VERDICT_ACCESS_DENIED_BY_GATEWAY,
	 "Access in strict mode"},
	{401, "Content-Type", "text/html", false, REFUSAL_UNAUTHORIZED, VERDICT_UPSTREAM_INVALID,
	 "a proxy's page says the same as its JSON would"},
	{200, "Content-Type", "text/html", true, REFUSAL_NONE, VERDICT_UPSTREAM_INVALID, "portal"},
	{200, "Content-Type", "application/xhtml+xml", true, REFUSAL_NONE, VERDICT_UPSTREAM_INVALID,
	 "another portal"},
};

static void
test_judge(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(heads); i++) {
		struct http_field field = {span_of(heads[i].name), span_of(heads[i].value)};
		struct frame_head head = {.status = heads[i].status, .fields = &field};
		struct judgement j;

		head.nfields = 1;
		j = refusal_judge(&head, heads[i].access);
		if (j.refusal != heads[i].refusal || j.verdict != heads[i].verdict)
			fail_msg("%s: refusal %d, verdict %d", heads[i].comment, (int)j.refusal,
				 (int)j.verdict);
	}
}

static void
test_names_signature(void **state)
{
	static const struct {
		uint16_t status;
		const char *name, *value;
		bool is;
	} rows[] = {
		{400, "x-amzn-ErrorType", "ExpiredTokenException:http://x/", true},
		{400, "x-amzn-errortype", "aws.auth#IncompleteSignature", true},
		{400, "x-amzn-errortype", "RequestExpired", true},
		{400, "x-amzn-errortype", "ValidationException", false},
		{400, "x-amzn-errortype", "ThrottlingException", false},
		{400, "x-amzn-errortype", "", false},
		{400, "x-other", "ExpiredTokenException", false},
		{200, "x-amzn-errortype", "ExpiredTokenException", false},
		{403, "x-amzn-errortype", "ExpiredTokenException", false}, /* refusal_judge's */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_field field = {span_of(rows[i].name), span_of(rows[i].value)};
		struct frame_head head = {.status = rows[i].status, .fields = &field};

		head.nfields = 1;
		if (refusal_names_signature(&head) != rows[i].is)
			fail_msg("%u %s", rows[i].status, rows[i].value);
	}
}

static void
test_is_of_signature(void **state)
{
	static const struct {
		uint16_t status;
		const char *body;
		bool is;
	} rows[] = {
		{403, "{\"__type\":\"ExpiredTokenException\"}", true},
		{403,
		 "{\"__type\":\"AccessDeniedException\",\"error\":{\"code\":\"ExpiredToken\"}}",
		 false},
		{403, "{\"message\":\"ExpiredTokenException\"}", false},
		{403, "{\"error\":{\"code\":\"ExpiredTokenException\",\"type\":\"x\"}}", true},
		{403, "{\"error\":{\"code\":null,\"type\":\"InvalidSignatureException\"}}", true},
		{403, "{\"error\":{\"code\":\"access_denied\",\"type\":\"permission_error\"}}",
		 false},
		{401, "{\"error\":{\"code\":\"invalid_api_key\"}}", true},
		{401, "{\"error\":\"no object\"}", true},
		{401, "{\"message\":\"no\"}", false},
		{401, "<html>", false},
		{403, "", false},
	};
	struct http_field field = {SPAN("Date"), SPAN("Sun, 06 Nov 1994 08:49:37 GMT")};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct frame_head head = {.status = rows[i].status, .fields = &field};
		struct judgement as = {REFUSAL_FORBIDDEN, VERDICT_OK};
		struct held h = {0};
		uint64_t date_s = 0;

		head.nfields = 1;
		assert_int_equal(held_head(&h, as, &head), 0);
		assert_int_equal(held_body(&h, span_of(rows[i].body)), 0);
		if (refusal_is_of_signature(&h, &date_s) != rows[i].is)
			fail_msg("%u %s", rows[i].status, rows[i].body);
		assert_int_equal(date_s, 784111777);
		held_free(&h);
	}
}

/* Its pages bear the edge's number of the request (Cloudflare's docs, "Cf-Ray"). */
static void
test_judge_a_page_of_cloudflare(void **state)
{
	struct http_field fields[] = {{SPAN("Content-Type"), SPAN("text/html")},
				      {SPAN("CF-RAY"), SPAN("8f1c2d3e4a5b6c7d-FRA")}};
	struct frame_head head = {.status = 403, .fields = fields, .nfields = COUNT(fields)};
	struct judgement j = refusal_judge(&head, false);

	(void)state;
	assert_int_equal(j.verdict, VERDICT_ACCESS_DENIED_BY_GATEWAY);
	assert_int_equal(j.refusal, REFUSAL_FORBIDDEN);
	head.status = 502;
	assert_int_equal(refusal_judge(&head, false).verdict, VERDICT_UPSTREAM_INVALID);
	fields[0].value = SPAN("application/json");
	head.status = 403;
	assert_int_equal(refusal_judge(&head, false).verdict, VERDICT_OK);
}

static const struct {
	const char *body;
	bool is;
	const char *comment;
} bodies[] = {
	{"{\"error\":{\"type\":\"key_model_access_denied\",\"code\":\"401\"}}", true, "a key's"},
	{"{\"error\":{\"message\":\"x\",\"type\":\"team_model_access_denied\"}}", true, "a team's"},
	{"{\"error\":{\"type\":\"new_kind_model_access_denied\"}}", true, "one we do not know yet"},
	{"{\"error\":{\"type\":\"auth_error\"}}", false, "the key itself"},
	{"{\"error\":{\"message\":\"key_model_access_denied\",\"type\":\"auth_error\"}}", false,
	 "a message tells nothing"},
	{"{\"error\":{\"type\":\"key_model_access_denied \"}}", false, "not quite"},
	{"{\"type\":\"key_model_access_denied\"}", false, "not in error"},
	{"{\"error\":\"key_model_access_denied\"}", false, "error is no object"},
	{"{\"error\":{\"type\":7}}", false, "type is no string"},
	{"[]", false, "no object"},
	{"", false, "no body"},
	{"{\"error\":", false, "cut short"},
};

static void
test_is_model(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++)
		if (refusal_is_model(span_of(bodies[i].body)) != bodies[i].is)
			fail_msg("%s", bodies[i].comment);
}

static const struct {
	uint16_t status;
	const char *type, *body;
	bool is;
} budgets[] = {
	{429, "application/json", "{\"error\":{\"type\":\"budget_exceeded\"}}", true},
	{400, "Application/JSON; charset=utf-8",
	 "{\"error\":{\"message\":\"x\",\"type\":\"budget_exceeded\",\"code\":\"400\"}}", true},
	{403, "application/json", "{\"error\":{\"type\":\"budget_exceeded\"}}", false},
	{429, "text/plain", "{\"error\":{\"type\":\"budget_exceeded\"}}", false},
	{429, "application/json", "{\"error\":{\"type\":\"rate_limit_error\"}}", false},
	{429, "application/json", "{\"error\":{\"message\":\"budget_exceeded\"}}", false},
	{429, "application/json", "{\"error\":{\"type\":\"budget_exceeded\"}", false},
};

static void
test_is_budget(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(budgets); i++) {
		struct http_field field = {SPAN("content-type"), span_of(budgets[i].type)};
		struct frame_head head = {
			.status = budgets[i].status, .fields = &field, .nfields = 1};

		if ((refusal_may_be_budget(&head) && refusal_is_budget(span_of(budgets[i].body))) !=
		    budgets[i].is)
			fail_msg("%u %s %s", budgets[i].status, budgets[i].type, budgets[i].body);
	}
}

static void
test_say_retry(void **state)
{
	struct http_field fields[HTTP_FIELDS_MAX], to[HTTP_FIELDS_MAX];
	struct frame_head head = {.status = 429, .fields = fields, .nfields = 3};

	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++)
		fields[i] = (struct http_field){SPAN("x-a"), SPAN("b")};
	fields[1] = (struct http_field){SPAN("X-Should-Retry"), SPAN("true")};
	refusal_say_retry(&head, false, to);
	assert_int_equal(head.nfields, 3);
	assert_true(span_is(head.fields[0].name, "x-a") && span_is(head.fields[1].name, "x-a"));
	assert_true(span_is(head.fields[2].name, "x-should-retry"));
	assert_true(span_is(head.fields[2].value, "false"));

	head = (struct frame_head){.status = 429, .fields = fields, .nfields = COUNT(fields)};
	refusal_say_retry(&head, false, to);
	assert_true(head.nfields <= HTTP_FIELDS_MAX);
	assert_true(span_is(head.fields[head.nfields - 1].value, "false"));
}

static void
test_held(void **state)
{
	static char large[FRAME_BODY_MAX];
	struct http_field field = {SPAN("X-A"), SPAN("b")};
	struct frame_head head = {401, true, 2, &field, 1, 0}, back;
	struct judgement as = {REFUSAL_UNAUTHORIZED, VERDICT_OK};
	_Alignas(max_align_t) char space[4 * sizeof(struct http_field)];
	struct held h = {0};
	struct pool room;

	(void)state;
	assert_int_equal(held_head(&h, as, &head), 0);
	assert_int_equal(held_body(&h, SPAN("{}")), 0);
	assert_int_equal(held_body(&h, (struct span){large, sizeof(large) - 2}), 0);
	assert_int_equal(held_body(&h, SPAN("x")), -1);
	pool_over(&room, space, sizeof(space));
	assert_int_equal(held_take(&h, &room, &back), 0);
	assert_int_equal(back.status, 401);
	assert_true(back.has_length && back.length == 2);
	assert_int_equal(back.nfields, 1);
	assert_true(span_is(back.fields[0].value, "b"));
	held_free(&h);
	assert_int_equal(h.as.refusal, REFUSAL_NONE);

	field.value = (struct span){large, 40 * 1024};
	assert_int_equal(held_head(&h, as, &head), -1);
	assert_int_equal(h.as.refusal, REFUSAL_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_names_signature),
		cmocka_unit_test(test_is_of_signature),
		cmocka_unit_test(test_judge_a_page_of_cloudflare),
		cmocka_unit_test(test_is_model),
		cmocka_unit_test(test_is_budget),
		cmocka_unit_test(test_say_retry),
		cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
