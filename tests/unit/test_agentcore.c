/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/unit/unit.h"

#include "aws/agentcore.h"

#define VAULT    "token-vault/default/apikeycredentialprovider/"
#define PROVIDER "arn:aws:bedrock-agentcore:us-east-1:123456789012:" VAULT "open_ai"
#define MANAGED                                                                                    \
	"arn:aws:secretsmanager:us-east-1:123456789012:secret:"                                    \
	"bedrock-agentcore-identity!default/apikey/open_ai-AbCdEf"

static struct reference
provider(const char *text)
{
	struct reference r;

	assert_int_equal(reference_parse(span_of(text), &r), REFERENCE_OK);
	return r;
}

static void
asks_by_name(void **state)
{
	static const char *const texts[] = {
		PROVIDER,
		"arn:aws-us-gov:acps:us-gov-west-1:123456789012:" VAULT "open_ai",
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct reference r = provider(texts[i]);

		buf_clear(&out, 1024);
		assert_int_equal(agentcore_body(&r, &out), 0);
		assert_true(span_is(buf_span(&out), "{\"name\":\"open_ai\"}"));
	}
	buf_free(&out);
}

#define ANSWER(arn, more)                                                                          \
	"{\"name\":\"open_ai\",\"createdTime\":1.5,\"apiKeySecretArn\":{\"secretArn\":\"" arn      \
	"\"}" more "}"
#define KEY(key) ",\"apiKeySecretJsonKey\":" key

static const struct {
	const char *answer;
	enum agentcore_fault fault;
	const char *secret, *json_key;
} answers[] = {
	{ANSWER(MANAGED, ""), AGENTCORE_OK, MANAGED, "api_key_value"},
	{ANSWER(MANAGED, KEY("null")), AGENTCORE_OK, MANAGED, "api_key_value"},
	{ANSWER(MANAGED, KEY("\"\"")), AGENTCORE_OK, MANAGED, "api_key_value"},
	{ANSWER(MANAGED, KEY("\"token\"") ",\"apiKeySecretSource\":\"EXTERNAL\""), AGENTCORE_OK,
	 MANAGED, "token"},
	{"{\"apiKeySecretArn\":\"" MANAGED "\"}", AGENTCORE_NOT_JSON, NULL, NULL},
	{"{\"apiKeySecretArn\":{}}", AGENTCORE_NOT_JSON, NULL, NULL},
	{"{\"apiKeySecretArn\":{\"secretArn\":7}}", AGENTCORE_NOT_JSON, NULL, NULL},
	{"{\"apiKeySecretArn\":null}", AGENTCORE_NOT_JSON, NULL, NULL},
	{"{}", AGENTCORE_NOT_JSON, NULL, NULL},
	{"<html>", AGENTCORE_NOT_JSON, NULL, NULL},
	{"", AGENTCORE_NOT_JSON, NULL, NULL},
	/* whoever answers must not choose what else the keeper reads */
	{ANSWER("file:/etc/shadow", ""), AGENTCORE_NO_SECRET, NULL, NULL},
	{ANSWER("env:AWS_SECRET_ACCESS_KEY", ""), AGENTCORE_NO_SECRET, NULL, NULL},
	{ANSWER(PROVIDER, ""), AGENTCORE_NO_SECRET, NULL, NULL}, /* no endless chain */
	{ANSWER("arn:aws:ssm:us-east-1:123456789012:parameter/x", ""), AGENTCORE_NO_SECRET, NULL,
	 NULL},
	{ANSWER(MANAGED ":other::", ""), AGENTCORE_NO_SECRET, NULL, NULL},
	{ANSWER("open_ai", ""), AGENTCORE_NO_SECRET, NULL, NULL},
	{ANSWER("arn:aws:secretsmanager:x@evil:123456789012:secret:k", ""), AGENTCORE_NO_SECRET,
	 NULL, NULL},
	{ANSWER("arn:aws:secretsmanager:us-west-2:123456789012:secret:k-AbCdEf", ""),
	 AGENTCORE_ELSEWHERE, NULL, NULL},
	{ANSWER("arn:aws:secretsmanager:us-east-1:210987654321:secret:k-AbCdEf", ""),
	 AGENTCORE_ELSEWHERE, NULL, NULL},
	{ANSWER("arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:k-AbCdEf", ""),
	 AGENTCORE_ELSEWHERE, NULL, NULL},
};

static void
finds_the_secret(void **state)
{
	const struct reference r = provider(PROVIDER);

	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		struct agentcore_secret s = {.json_key = SPAN("before")};
		enum agentcore_fault fault = agentcore_read(span_of(answers[i].answer), &r, &s);

		if (fault != answers[i].fault)
			fail_msg("%s: %d", answers[i].answer, (int)fault);
		if (fault != AGENTCORE_OK) {
			assert_true(span_is(s.json_key, "before"));
			assert_true(strlen(agentcore_fault_text(fault)) > 10);
			continue;
		}
		assert_true(span_is(s.secret.secret, answers[i].secret));
		assert_true(span_is(s.json_key, answers[i].json_key));
		agentcore_free(&s);
		agentcore_free(&s); /* twice is once */
	}
}

static void
takes_no_key_that_is_too_long(void **state)
{
	const struct reference r = provider(PROVIDER);
	struct agentcore_secret s;
	char text[1024], key[130];

	(void)state;
	memset(key, 'k', sizeof(key));
	for (int n = 128; n <= 129; n++) {
		snprintf(text, sizeof(text), ANSWER(MANAGED, KEY("\"%.*s\"")), n, key);
		assert_int_equal(agentcore_read(span_of(text), &r, &s),
				 n == 128 ? AGENTCORE_OK : AGENTCORE_BAD_KEY);
		if (n == 128)
			agentcore_free(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_by_name),
		cmocka_unit_test(finds_the_secret),
		cmocka_unit_test(takes_no_key_that_is_too_long),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
