/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "policy/access/verdict.h"

/* Design section 6, row by row. */
static const struct {
	enum verdict v;
	const char *code;
	unsigned status;
	bool retry;
	unsigned aws_status;
	const char *aws_type;
	const char *anthropic_type;
} rows[] = {
	{VERDICT_MALFORMED_REQUEST, "malformed_request", 400, false, 400, "ValidationException",
	 "invalid_request_error"},
	{VERDICT_CALLER_UNAUTHENTICATED, "caller_unauthenticated", 401, false, 401,
	 "AccessDeniedException", "authentication_error"},
	{VERDICT_HOST_NOT_ALLOWED, "host_not_allowed", 403, false, 403, "AccessDeniedException",
	 "permission_error"},
	{VERDICT_BROWSER_REFUSED, "browser_refused", 403, false, 403, "AccessDeniedException",
	 "permission_error"},
	{VERDICT_OPERATION_NOT_ALLOWED, "operation_not_allowed", 403, false, 403,
	 "AccessDeniedException", "permission_error"},
	{VERDICT_MODEL_NOT_ALLOWED, "model_not_allowed", 403, false, 403, "AccessDeniedException",
	 "permission_error"},
	{VERDICT_FIELD_NOT_ALLOWED, "field_not_allowed", 403, false, 403, "AccessDeniedException",
	 "permission_error"},
	{VERDICT_BUDGET_EXCEEDED, "budget_exceeded", 403, false, 403,
	 "ServiceQuotaExceededException", "permission_error"},
	{VERDICT_ROUTE_NOT_FOUND, "route_not_found", 404, false, 404, "ResourceNotFoundException",
	 "not_found_error"},
	{VERDICT_BODY_TOO_LARGE, "body_too_large", 413, false, 413, "ValidationException",
	 "request_too_large"},
	{VERDICT_HEADER_TOO_LARGE, "header_too_large", 431, false, 431, "ValidationException",
	 "request_too_large"},
	{VERDICT_UPGRADE_REFUSED, "upgrade_refused", 426, false, 426, "ValidationException",
	 "invalid_request_error"},
	{VERDICT_RATE_LIMITED, "rate_limited", 429, true, 429, "ThrottlingException",
	 "rate_limit_error"},
	{VERDICT_CREDENTIAL_UNAVAILABLE, "credential_unavailable", 503, true, 503,
	 "ServiceUnavailableException", "overloaded_error"},
	{VERDICT_CREDENTIAL_REFUSED, "credential_refused", 503, false, 403, "AccessDeniedException",
	 "api_error"},
	{VERDICT_UPSTREAM_UNREACHABLE, "upstream_unreachable", 502, true, 502,
	 "ServiceUnavailableException", "api_error"},
	{VERDICT_UPSTREAM_UNTRUSTED, "upstream_untrusted", 502, false, 424, "ModelErrorException",
	 "api_error"},
	{VERDICT_UPSTREAM_BROKEN, "upstream_broken", 502, false, 424, "ModelErrorException",
	 "api_error"},
	{VERDICT_UPSTREAM_REDIRECT, "upstream_redirect", 502, false, 424, "ModelErrorException",
	 "api_error"},
	{VERDICT_ACCESS_DENIED_BY_GATEWAY, "access_denied_by_gateway", 502, false, 403,
	 "AccessDeniedException", "api_error"},
	{VERDICT_UPSTREAM_INVALID, "upstream_invalid", 502, false, 424, "ModelErrorException",
	 "api_error"},
	{VERDICT_UPSTREAM_TIMEOUT, "upstream_timeout", 504, false, 408, "ModelTimeoutException",
	 "timeout_error"},
	{VERDICT_OVERLOADED, "overloaded", 503, true, 503, "ServiceUnavailableException",
	 "overloaded_error"},
	{VERDICT_SHUTTING_DOWN, "shutting_down", 503, true, 503, "ServiceUnavailableException",
	 "overloaded_error"},
};

static json_t *
body(enum verdict v, enum dialect d, const char *message, unsigned *status)
{
	struct buf out;
	json_t *tree;

	buf_init(&out, 4096);
	assert_int_equal(verdict_body(v, d, message, SPAN("req-1"), &out, status), 0);
	tree = json_loadb(out.ptr, out.len, 0, NULL);
	assert_non_null(tree);
	buf_free(&out);
	return tree;
}

static const char *
text(const json_t *tree, const char *a, const char *b)
{
	const json_t *at = json_object_get(tree, a);

	return json_string_value(b == NULL ? at : json_object_get(at, b));
}

static void
table(void **state)
{
	(void)state;
	assert_int_equal(sizeof(rows) / sizeof(rows[0]), VERDICTS - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum verdict v = rows[i].v;
		const struct verdict_row *row = verdict_row(v);
		unsigned status = 0;
		json_t *tree;

		assert_string_equal(row->code, rows[i].code);
		assert_int_equal(row->status, rows[i].status);
		assert_int_equal(row->retry, rows[i].retry);
		assert_string_not_equal(verdict_reason(row->status), "Unknown");
		tree = body(v, DIALECT_OPENAI, NULL, &status);
		assert_int_equal(status, rows[i].status);
		assert_string_equal(text(tree, "error", "code"), rows[i].code);
		assert_string_equal(text(tree, "error", "type"), row->type);
		assert_string_equal(text(tree, "error", "message"), row->remedy);
		assert_int_equal(json_object_size(json_object_get(tree, "error")), 4);
		json_decref(tree);
		tree = body(v, DIALECT_ANTHROPIC, NULL, &status);
		assert_int_equal(status, rows[i].status);
		assert_string_equal(text(tree, "type", NULL), "error");
		assert_string_equal(text(tree, "error", "type"), rows[i].anthropic_type);
		assert_string_equal(text(tree, "request_id", NULL), "req-1");
		json_decref(tree);
		tree = body(v, DIALECT_BEDROCK, NULL, &status);
		assert_int_equal(status, rows[i].aws_status);
		assert_string_equal(verdict_aws_type(v), rows[i].aws_type);
		assert_true(row->retry || status < 500); /* a "no" is 4xx */
		assert_string_equal(text(tree, "message", NULL), row->remedy);
		json_decref(tree);
	}
}

static void
shapes(void **state)
{
	unsigned status = 7;
	struct buf out;
	json_t *tree = body(VERDICT_MODEL_NOT_ALLOWED, DIALECT_AZURE, "no \"x\"\n\xff", &status);

	(void)state;
	assert_string_equal(text(tree, "error", "message"), "no \"x\"\n\xef\xbf\xbd");
	assert_string_equal(text(tree, "error", "param"), "model");
	json_decref(tree);
	tree = body(VERDICT_OVERLOADED, DIALECT_OPENAI, "", &status);
	assert_true(json_is_null(json_object_get(json_object_get(tree, "error"), "param")));
	json_decref(tree);
	for (unsigned d = 0; d < DIALECTS; d++) {
		buf_init(&out, 40);
		status = 7;
		assert_int_equal(buf_add_str(&out, "x"), 0);
		assert_int_equal(verdict_body(VERDICT_OVERLOADED, (enum dialect)d, NULL, SPAN(""),
					      &out, &status),
				 -1);
		assert_int_equal(out.len, 1);
		assert_int_equal(status, 7);
		buf_free(&out);
	}
	assert_string_equal(verdict_reason(200), "OK");
	assert_string_equal(verdict_reason(431), "Request Header Fields Too Large");
	assert_string_equal(verdict_reason(599), "Unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(shapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
