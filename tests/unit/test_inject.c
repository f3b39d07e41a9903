/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "egress/inject.h"

#include "policy/access/operations.h"

static const struct {
	const char *query;
	const char *wrong; /* NULL: it passes */
} rows[] = {
	{"limit=20&api-version=1", NULL},
	{"a=%zz", "a query that is not safe"},
	{"mod%65l=other", "a query member that steers the upstream"},
	{"api_base=x", "a query member that steers the upstream"},
};

/* What ingress refuses already, egress refuses for itself. */
static void
queries(void **state)
{
	const struct egress_target target = {.provider = PROVIDER_OPENAI,
					     .operations = UINT32_C(1) << OPERATION_MODELS};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct frame_call call = {
			.dialect = DIALECT_OPENAI,
			.operation = OPERATION_MODELS,
			.method = SPAN("GET"),
			.path = SPAN("/models"),
			.has_query = true,
			.query = span_of(rows[i].query),
		};
		const char *wrong = inject_check(&target, &call, 0, 0);

		if (rows[i].wrong == NULL)
			assert_null(wrong);
		else
			assert_string_equal(wrong, rows[i].wrong);
	}
}

#define WRONG_BODY    "a body where none is due"
#define WRONG_DIALECT "a dialect that the target does not speak"

static const struct {
	uint8_t provider, dialect, operation; /* of the enums */
	const char *method, *path;
	bool has_body, chunked;
	uint64_t len;
	const char *wrong; /* NULL: it passes */
	const char *why;
} calls[] = {
#define OPENAI(o) PROVIDER_OPENAI, DIALECT_OPENAI, OPERATION_##o
	{OPENAI(MODELS), "GET", "/models", false, false, 0, NULL, "as it comes"},
	{OPENAI(MODELS), "GET", "/models", true, false, 0, NULL, "Content-Length: 0"},
	{OPENAI(CHAT), "POST", "/chat/completions", true, false, 40, NULL, "one is due"},
	/* An upstream that does not read it takes it for the beginning of the next call. */
	{OPENAI(MODELS), "GET", "/models", true, false, 1, WRONG_BODY, "none is due"},
	{OPENAI(MODELS), "GET", "/models", true, true, 0, WRONG_BODY, "of any length"},
	{OPENAI(RESPONSES), "DELETE", "/responses/r", true, false, 40, WRONG_BODY, "DELETE"},
	{OPENAI(FILES), "POST", "/uploads/u/cancel", true, false, 2, WRONG_BODY, "POST"},
	{OPENAI(RESPONSES), "POST", "/responses/r/cancel", true, false, 2, NULL, "{}"},
	{OPENAI(RESPONSES), "POST", "/responses/r/cancel", true, false, 3, WRONG_BODY, "more"},
	{OPENAI(RESPONSES), "POST", "/responses/r/cancel", true, true, 0, WRONG_BODY, "chunks"},
	{PROVIDER_AZURE, DIALECT_AZURE, OPERATION_MODELS, "GET", "/openai/models", false, false, 0,
	 NULL, "it is spoken"},
	{PROVIDER_LITELLM, DIALECT_AZURE, OPERATION_MODELS, "GET", "/openai/models", false, false,
	 0, WRONG_DIALECT, "it is not"},
	/* What LiteLLM has under /model is key management. */
	{PROVIDER_LITELLM, DIALECT_BEDROCK, OPERATION_INVOKE, "POST", "/model/m/invoke", true,
	 false, 2, WRONG_DIALECT, "nor is this"},
};

/* Nor does it take ingress's word for what the route and the provider allow. */
static void
routes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(calls); i++) {
		const struct egress_target target = {.provider = calls[i].provider,
						     .operations = UINT32_MAX};
		const struct frame_call call = {
			.dialect = calls[i].dialect,
			.operation = calls[i].operation,
			.method = span_of(calls[i].method),
			.path = span_of(calls[i].path),
			.has_body = calls[i].has_body,
			.chunked = calls[i].chunked,
			.body_len = calls[i].len,
		};
		const char *wrong = inject_check(&target, &call, 64, 64);
		const char *said = wrong == NULL ? "" : wrong;
		const char *due = calls[i].wrong == NULL ? "" : calls[i].wrong;

		if (strcmp(said, due) != 0)
			fail_msg("row %zu, %s: \"%s\"", i, calls[i].why, said);
	}
}

static const struct {
	const char *query, *sent;
} joined[] = {
	{"", "?api-version=1"},
	{"a=1", "?a=1&api-version=1"},
	{"a=1;b=2&c=3", "?a=1;b=2&c=3&api-version=1"},
	{"a=1;api-version=0", "?a=1&api-version=1"},
	{"Api%2dversion=0;a=1", "?a=1&api-version=1"},
	{"a=1;api-version=0;b", "?a=1;b&api-version=1"},
	{"a=1&api-version=0;b", "?a=1&b&api-version=1"},
	{"a=1;api-version=0&b", "?a=1&b&api-version=1"},
	{"key=mine;a=1;api_key=x", "?a=1&api-version=1"},
	{"a=1;;b&&", "?a=1;b&api-version=1"},
};

/* However members are parted, none takes the place of what the configuration says. */
static void
targets(void **state)
{
	struct egress_query fixed = {SPAN("api-version"), SPAN("1")};
	const struct egress_target target = {
		.base_path = SPAN("/v1"), .query = &fixed, .nquery = 1};

	(void)state;
	for (size_t i = 0; i < COUNT(joined); i++) {
		const struct frame_call call = {
			.path = SPAN("/models"),
			.has_query = true,
			.query = span_of(joined[i].query),
		};
		struct buf b;

		buf_init(&b, 1024);
		inject_target(&b, &target, &call);
		if (!span_eq(span_cut(buf_span(&b), strlen("/v1/models"), b.len),
			     span_of(joined[i].sent)))
			fail_msg("%s: %.*s", joined[i].query, (int)b.len, b.ptr);
		buf_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries),
		cmocka_unit_test(routes),
		cmocka_unit_test(targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
