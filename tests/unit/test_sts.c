/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "aws/sts.h"
#include "base/json.h"

#define ROLE "arn:aws:iam::123456789012:role/a/b+c=d"
/* urllib.parse.quote(value, safe="-._~") of Python 3.11, which the bodies below are made with */
#define ROLE_ENCODED "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fa%2Fb%2Bc%3Dd"
#define VERSION      "&Version=2011-06-15"

/* ---- bodies ---- */

static void
writes_bodies(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	assert_int_equal(
		sts_body_web_identity(SPAN(ROLE), SPAN("sidekey"), SPAN("e.y-J_~"), 900, &out), 0);
	assert_true(span_is(buf_span(&out),
			    "Action=AssumeRoleWithWebIdentity" VERSION "&RoleArn=" ROLE_ENCODED
			    "&RoleSessionName=sidekey&DurationSeconds=900"
			    "&WebIdentityToken=e.y-J_~"));
	buf_clear(&out, 4096);
	assert_int_equal(sts_body_assume_role(SPAN(ROLE), SPAN("s@x,y"), SPAN("a:b/c"), 0,
					      SPAN("{\"Version\": \"x\"}\xc3\xa9&\n"), &out),
			 0);
	assert_true(span_is(buf_span(&out),
			    "Action=AssumeRole" VERSION "&RoleArn=" ROLE_ENCODED
			    "&RoleSessionName=s%40x%2Cy&ExternalId=a%3Ab%2Fc"
			    "&Policy=%7B%22Version%22%3A%20%22x%22%7D%C3%A9%26%0A"));
	buf_clear(&out, 4096);
	assert_int_equal(
		sts_body_assume_role(SPAN("r"), SPAN("s"), SPAN(""), 43200, SPAN(""), &out), 0);
	assert_true(span_is(buf_span(&out), "Action=AssumeRole" VERSION "&RoleArn=r"
					    "&RoleSessionName=s&DurationSeconds=43200"));
	buf_clear(&out, 4096);
	assert_int_equal(sts_body_caller_identity(&out), 0);
	assert_true(span_is(buf_span(&out), "Action=GetCallerIdentity" VERSION));
	buf_free(&out);
}

/* A token of the cluster's must not be able to add a parameter of its own. */
static void
no_value_becomes_a_parameter(void **state)
{
	const struct span hostile = SPAN("x&RoleArn=evil+%26#;\r\n\0");
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	assert_int_equal(sts_body_web_identity(hostile, hostile, hostile, 0, &out), 0);
	for (size_t i = 0, parameters = 1;; i++) {
		i = span_find(buf_span(&out), i, '&');
		if (i == out.len) {
			assert_int_equal(parameters, 5);
			break;
		}
		parameters++;
	}
	assert_true(span_ends(buf_span(&out), SPAN("x%26RoleArn%3Devil%2B%2526%23%3B%0D%0A%00")));
	buf_free(&out);
}

static void
leaves_a_full_buffer_alone(void **state)
{
	struct buf whole;

	(void)state;
	buf_init(&whole, 4096);
	assert_int_equal(sts_body_web_identity(SPAN(ROLE), SPAN("s"), SPAN("t"), 900, &whole), 0);
	for (size_t max = 0; max < whole.len; max++) {
		struct buf out;

		buf_init(&out, max);
		assert_int_equal(sts_body_web_identity(SPAN(ROLE), SPAN("s"), SPAN("t"), 900, &out),
				 -1);
		assert_int_equal(out.len, 0);
		assert_int_equal(sts_body_assume_role(SPAN(ROLE), SPAN("s"), SPAN("e"), 900,
						      SPAN("a policy of some bytes"), &out),
				 -1);
		assert_int_equal(out.len, 0);
		buf_free(&out);
	}
	buf_free(&whole);
}

/* ---- the policy ---- */

#define SM(region, name)   "arn:aws:secretsmanager:" region ":123456789012:secret:" name
#define SSM(path)          "arn:aws:ssm:eu-west-1:123456789012:parameter/" path
#define CORE(service, at)  "arn:aws:" service ":us-west-2:123456789012:token-vault/" at

#define PROVIDER(at)       CORE("bedrock-agentcore", at)
#define MANAGED            SM("us-west-2", "bedrock-agentcore-identity!*")

#define POLICY(statements) "{\"Version\":\"2012-10-17\",\"Statement\":[" statements "]}"
#define ALLOW(action)      "{\"Effect\":\"Allow\",\"Action\":\"" action "\",\"Resource\":"
#define SECRETS(list)      ALLOW("secretsmanager:GetSecretValue") "[" list "]},"
#define PARAMETERS(list)   ALLOW("ssm:GetParameter") "[" list "]},"
#define PROVIDERS(list)    ALLOW("bedrock-agentcore:GetApiKeyCredentialProvider") "[" list "]},"
#define VIA(list)                                                                                  \
	ALLOW("kms:Decrypt")                                                                       \
	"\"*\",\"Condition\":{\"StringEquals\":{\"kms:ViaService\":[" list "]}}}"
#define Q(text) "\"" text "\""

static const struct {
	const char *references[4];
	const char *policy;
} policies[] = {
	{{SM("us-east-1", "k-AbCdEf")},
	 POLICY(SECRETS(Q(SM("us-east-1", "k-AbCdEf")))
			VIA(Q("secretsmanager.us-east-1.amazonaws.com")))},
	/* two keys of one secret are one resource, and what ECS hangs on is no part of its name */
	{{SM("us-east-1", "k-AbCdEf:a::"), SM("us-east-1", "k-AbCdEf:b:AWSPREVIOUS:"), "env:KEY",
	  SM("us-east-1", "k-AbCdE")},
	 POLICY(SECRETS(Q(SM("us-east-1", "k-AbCdEf")) "," Q(SM("us-east-1", "k-AbCdE-??????")))
			VIA(Q("secretsmanager.us-east-1.amazonaws.com")))},
	/* the six characters that an ARN was written without: those of a name of that form are */
	{{SM("us-east-1", "AbCdEf"), SM("us-east-1", "a-b+cdef"), SM("us-east-1", "a-bcdefgh")},
	 POLICY(SECRETS(Q(SM("us-east-1", "AbCdEf-??????")) "," Q(
		 SM("us-east-1", "a-b+cdef-??????")) "," Q(SM("us-east-1", "a-bcdefgh-??????")))
			VIA(Q("secretsmanager.us-east-1.amazonaws.com")))},
	/* small letters may be either: both are let through */
	{{SM("us-east-1", "prod-openai")},
	 POLICY(SECRETS(
		 Q(SM("us-east-1", "prod-openai")) "," Q(SM("us-east-1", "prod-openai-??????")))
			VIA(Q("secretsmanager.us-east-1.amazonaws.com")))},
	{{"file:/run/key", SSM("prod/key"), SM("eu-west-1", "a/b-AbCdEf")},
	 POLICY(SECRETS(Q(SM("eu-west-1", "a/b-AbCdEf"))) PARAMETERS(Q(SSM("prod/key"))) VIA(Q(
		 "ssm.eu-west-1.amazonaws.com") "," Q("secretsmanager.eu-west-1.amazonaws.com")))},
	/* IAM knows the provider by bedrock-agentcore, whatever the answers say */
	{{CORE("acps", "default/apikeycredentialprovider/p_1")},
	 POLICY(SECRETS(Q(MANAGED)) PROVIDERS(
		 Q(PROVIDER("default/apikeycredentialprovider/p_1")) "," Q(PROVIDER("default")))
			VIA(Q("secretsmanager.us-west-2.amazonaws.com")))},
	{{"arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:k-AbCdEf"},
	 POLICY(SECRETS(Q("arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:k-AbCdEf"))
			VIA(Q("secretsmanager.cn-north-1.amazonaws.com.cn")))},
	{{"env:KEY", "file:/run/key"}, NULL},
	{{NULL}, NULL},
	{{SM("us-east-1", "k-AbCdEf"), "sk-a-secret-by-mistake"}, NULL},
	{{SM("us-east-1", "*")}, NULL}, /* no reference can widen what is allowed */
	{{SM("us-east-1", "k\",\"*")}, NULL},
	{{SSM("?")}, NULL},
};

static void
writes_policies(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < COUNT(policies); i++) {
		struct span references[COUNT(policies[i].references)];
		const char *want = policies[i].policy;
		struct json *doc;
		size_t n = 0;

		while (n < COUNT(references) && policies[i].references[n] != NULL) {
			references[n] = span_of(policies[i].references[n]);
			n++;
		}
		buf_clear(&out, 4096);
		assert_int_equal(buf_add_str(&out, "before"), 0);
		assert_int_equal(sts_policy_for(references, n, &out), want == NULL ? -1 : 0);
		if (!span_is(span_cut(buf_span(&out), 6, out.len), want == NULL ? "" : want))
			fail_msg("%s: %.*s", want, (int)out.len, out.ptr);
		if (want == NULL)
			continue;
		doc = json_doc_parse(span_cut(buf_span(&out), 6, out.len));
		assert_non_null(doc);
		json_doc_free(doc);
	}
	buf_free(&out);
}

/* Resources of 110 bytes, of which STS's 2048 hold so many and not one more. */
static void
keeps_to_the_length(void **state)
{
	enum { NAMES = 20 };
	static char texts[NAMES][256];
	struct span references[NAMES];
	struct buf out;
	size_t most = 0;

	(void)state;
	for (size_t i = 0; i < NAMES; i++) {
		strcpy(texts[i], SM("us-east-1", ""));
		memset(texts[i] + strlen(texts[i]), 'a' + (int)i, 50);
		references[i] = span_of(texts[i]);
	}
	for (size_t n = 1; n <= NAMES; n++) {
		buf_init(&out, 1 << 16);
		if (sts_policy_for(references, n, &out) == 0) {
			assert_int_equal(most, n - 1);
			assert_true(out.len <= STS_POLICY_MAX);
			most = n;
		} else {
			assert_int_equal(out.len, 0);
		}
		buf_free(&out);
	}
	assert_int_equal(most, 15);
	buf_init(&out, 100);
	assert_int_equal(sts_policy_for(references, 1, &out), -1);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_bodies),
		cmocka_unit_test(no_value_becomes_a_parameter),
		cmocka_unit_test(leaves_a_full_buffer_alone),
		cmocka_unit_test(writes_policies),
		cmocka_unit_test(keeps_to_the_length),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
