/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "aws/arn.h"

#define SM   "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
#define AC   "arn:aws:bedrock-agentcore:us-west-2:123456789012:"
#define UUID "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE"

/* ECS has ARN:json-key:version-stage:version-id; published parsers swap the last two. */
static const struct {
	const char *text, *secret, *json_key, *stage, *version_id;
} secrets[] = {
	{SM "k-AbCdEf", SM "k-AbCdEf", "", "", ""},
	{SM "k", SM "k", "", "", ""}, /* a partial ARN goes as it is */
	{SM "k-AbCdEf:apiKey::", SM "k-AbCdEf", "apiKey", "", ""},
	{SM "k-AbCdEf::AWSPREVIOUS:", SM "k-AbCdEf", "", "AWSPREVIOUS", ""},
	{SM "k-AbCdEf:::" UUID, SM "k-AbCdEf", "", "", UUID},
	{SM "k-AbCdEf:api key:AWSCURRENT:" UUID, SM "k-AbCdEf", "api key", "AWSCURRENT", UUID},
	{SM "k-AbCdEf:::", SM "k-AbCdEf", "", "", ""},
	{SM "a/b_c+d=e.f@g-h-AbCdEf", SM "a/b_c+d=e.f@g-h-AbCdEf", "", "", ""},
	{SM "bedrock-agentcore-identity!default/apikey/p-1_+=.@x-AbCdEf:api_key_value::",
	 SM "bedrock-agentcore-identity!default/apikey/p-1_+=.@x-AbCdEf", "api_key_value", "", ""},
};

static void
takes_the_ecs_suffix_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(secrets); i++) {
		struct reference r;

		assert_int_equal(reference_parse(span_of(secrets[i].text), &r), REFERENCE_OK);
		assert_int_equal(r.kind, REFERENCE_SECRETS_MANAGER);
		assert_true(span_is(r.text, secrets[i].text));
		assert_true(span_is(r.secret, secrets[i].secret));
		assert_true(span_is(r.json_key, secrets[i].json_key));
		assert_true(span_is(r.version_stage, secrets[i].stage));
		assert_true(span_is(r.version_id, secrets[i].version_id));
		assert_true(span_is(r.arn.region, "us-east-1"));
	}
}

static const struct {
	const char *text;
	enum reference_kind kind;
	const char *name;
} others[] = {
	{"arn:aws:ssm:us-east-1:123456789012:parameter/llm/team_a/key.1-2", REFERENCE_SSM, ""},
	{AC "token-vault/default/apikeycredentialprovider/open_ai", REFERENCE_AGENTCORE, "open_ai"},
	{"arn:aws:acps:us-west-2:123456789012:token-vault/default/apikeycredentialprovider/p",
	 REFERENCE_AGENTCORE, "p"},
	{"env:OPENAI_API_KEY", REFERENCE_ENV, "OPENAI_API_KEY"},
	{"env:_k2", REFERENCE_ENV, "_k2"},
	{"file:/run/secrets/key", REFERENCE_FILE, "/run/secrets/key"},
	{"file:/a b/ü", REFERENCE_FILE, "/a b/ü"},
};

static void
knows_the_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		struct reference r;

		assert_int_equal(reference_parse(span_of(others[i].text), &r), REFERENCE_OK);
		assert_int_equal(r.kind, others[i].kind);
		assert_true(span_is(r.name, others[i].name));
	}
}

static const struct {
	const char *text;
	enum reference_fault fault;
	const char *why;
} bad[] = {
	{"", REFERENCE_NOT_ONE, "nothing"},
	{"sk-proj-0123456789", REFERENCE_NOT_ONE, "a literal secret"},
	{"${OPENAI_API_KEY}", REFERENCE_NOT_ONE, "a variable that was not expanded"},
	{"os.environ/OPENAI_API_KEY", REFERENCE_NOT_ONE, "LiteLLM's form"},
	{" env:KEY", REFERENCE_NOT_ONE, "a blank in front"},
	{"ENV:KEY", REFERENCE_NOT_ONE, "upper case"},
	{"env:", REFERENCE_BAD_ENV, "no name"},
	{"env:1KEY", REFERENCE_BAD_ENV, "a digit first"},
	{"env:A B", REFERENCE_BAD_ENV, "a blank"},
	{"env:MY-KEY", REFERENCE_BAD_ENV, "no name for a shell"},
	{"env:KEY=x", REFERENCE_BAD_ENV, "a value"},
	{"file:", REFERENCE_BAD_FILE, "no path"},
	{"file:key", REFERENCE_BAD_FILE, "relative"},
	{"file:/", REFERENCE_BAD_FILE, "the root"},
	{"file:/run/secrets/", REFERENCE_BAD_FILE, "a directory"},
	{"file:/run/\nkey", REFERENCE_BAD_FILE, "a control byte"},
	{"arn:aws:s3:us-east-1:123456789012:bucket", REFERENCE_UNKNOWN_SERVICE, "another service"},
	{"arn:aws:secretsmanager:us-east-1:1:secret:k", REFERENCE_BAD_ARN, "the account"},
	{"arn:aws:secretsmanager::123456789012:secret:k", REFERENCE_BAD_REGION, "no region"},
	{"arn:aws:secretsmanager:cn-north-1:123456789012:secret:k", REFERENCE_BAD_REGION,
	 "a region of another partition"},
	{"arn:aws:secretsmanager:x@evil:123456789012:secret:k", REFERENCE_BAD_REGION, "a redirect"},
	{"arn:aws:secretsmanager:us-east-1:123456789012:k", REFERENCE_BAD_ARN, "no secret:"},
	{SM, REFERENCE_BAD_ARN, "no name"},
	{SM ":key::", REFERENCE_BAD_ARN, "no name, but a key"},
	{SM "a b", REFERENCE_BAD_ARN, "a blank in the name"},
	{SM "k:apiKey", REFERENCE_BAD_SUFFIX, "one colon"},
	{SM "k:apiKey:", REFERENCE_BAD_SUFFIX, "two colons"},
	{SM "k:apiKey:::", REFERENCE_BAD_SUFFIX, "four colons"},
	{SM "k:::short", REFERENCE_BAD_SUFFIX, "a version id has 32 to 64 bytes"},
	{SM "k:a\tb::", REFERENCE_BAD_ARN, "a control byte in the key"},
	{"arn:aws:ssm:us-east-1:123456789012:k", REFERENCE_BAD_ARN, "no parameter/"},
	{"arn:aws:ssm:us-east-1:123456789012:parameter/", REFERENCE_BAD_ARN, "no path"},
	{"arn:aws:ssm:us-east-1:123456789012:parameter/a:1", REFERENCE_BAD_ARN, "a version"},
	{AC "credential-provider/p", REFERENCE_SEED_ARN, "the seed's form"},
	{AC "token-vault/default/oauth2credentialprovider/p", REFERENCE_BAD_ARN, "not a key's"},
	{AC "token-vault/default/apikeycredentialprovider/", REFERENCE_BAD_ARN, "no name"},
	{AC "token-vault/default/apikeycredentialprovider/a/b", REFERENCE_BAD_ARN, "one more part"},
	{AC "token-vault//apikeycredentialprovider/p", REFERENCE_BAD_ARN, "no vault"},
};

static void
refuses_everything_else(void **state)
{
	struct reference r = {.name = SPAN("before")};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		enum reference_fault fault = reference_parse(span_of(bad[i].text), &r);

		if (fault != bad[i].fault)
			fail_msg("%s: %s: %d", bad[i].text, bad[i].why, (int)fault);
		assert_true(span_is(r.name, "before"));
	}
}

/* Each fault has its sentence, and none of them repeats what may be a secret. */
static void
says_what_is_wrong(void **state)
{
	(void)state;
	for (int f = REFERENCE_OK; f <= REFERENCE_BAD_FILE; f++) {
		const char *text = reference_fault_text((enum reference_fault)f);

		assert_non_null(text);
		assert_true(strlen(text) > 10);
		assert_null(strchr(text, '%'));
	}
}

static void
refuses_what_is_too_long(void **state)
{
	static char text[5000];
	struct reference r;
	size_t n = strlen(SM);

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, SM, n);
	/* GetSecretValue's SecretId has 2048 bytes at most */
	assert_int_equal(reference_parse((struct span){text, 2048}, &r), REFERENCE_OK);
	assert_int_equal(reference_parse((struct span){text, 2049}, &r), REFERENCE_BAD_ARN);
	assert_int_equal(reference_parse((struct span){text, 5000}, &r), REFERENCE_NOT_ONE);
	memcpy(text, "env:", 4);
	assert_int_equal(reference_parse((struct span){text, 261}, &r), REFERENCE_BAD_ENV);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_ecs_suffix_off), cmocka_unit_test(knows_the_kinds),
		cmocka_unit_test(refuses_everything_else),  cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(refuses_what_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
