/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

#include "aws/credentials.h"

#define NINE  UINT64_C(1795251600) /* 2026-11-21T09:00:00Z */
#define KEYS  "\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s/+=\""
#define TOKEN "\"Token\":\"t0k/en==\""
#define WHEN  "\"Expiration\":\"2026-11-21T09:00:00Z\""

static void
check(const struct credentials *c, const char *token, uint64_t expires_s)
{
	assert_true(span_is(c->key_id, "ASIA1"));
	assert_true(span_is(c->secret, "s/+="));
	assert_true(span_is(c->token, token));
	assert_int_equal(c->expires_s, expires_s);
}

/* ---- the container's endpoint ---- */

static const struct {
	const char *json;
	bool good;
	const char *token;
	uint64_t expires_s;
	const char *why;
} containers[] = {
	{"{" KEYS "," TOKEN "," WHEN ",\"AccountId\":\"123456789012\",\"RoleArn\":\"arn\"}", true,
	 "t0k/en==", NINE, "as EKS answers"},
	{"{" KEYS "," TOKEN "}", true, "t0k/en==", 0, "no expiry"},
	{"{" KEYS "}", true, "", 0, "a local endpoint's long-lived pair"},
	{"{" KEYS "," TOKEN ",\"Expiration\":\"tomorrow\"}", false, "", 0,
	 "an expiry that is none"},
	{"{" KEYS "," TOKEN ",\"Expiration\":1795251600}", false, "", 0, "or of another type"},
	{"{" KEYS "," TOKEN ",\"Expiration\":null}", false, "", 0, "or null"},
	{"{" KEYS ",\"Token\":\"\"," WHEN "}", false, "", 0, "an empty token"},
	{"{" KEYS ",\"Token\":null," WHEN "}", false, "", 0, "a null token"},
	{"{\"AccessKeyId\":\"ASIA1\"," TOKEN "," WHEN "}", false, "", 0, "no secret"},
	{"{\"SecretAccessKey\":\"s\"," TOKEN "," WHEN "}", false, "", 0, "no key"},
	{"{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"s\"}", false, "", 0, "an empty key"},
	{"{\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"\"}", false, "", 0, "an empty secret"},
	{"{\"AccessKeyId\":\"A\\r\\nX-Evil: 1\",\"SecretAccessKey\":\"s\"}", false, "", 0,
	 "a key of two lines"},
	{"{\"AccessKeyId\":\"A/20260101/x\\u0000\",\"SecretAccessKey\":\"s\"}", false, "", 0,
	 "NUL"},
	{"{\"AccessKeyId\":\"A B\",\"SecretAccessKey\":\"s\"}", false, "", 0, "a blank"},
	{"{\"AccessKeyId\":\"A\\u00e9\",\"SecretAccessKey\":\"s\"}", false, "", 0, "not ASCII"},
	{"{" KEYS ",\"Token\":\"a\\tb\"}", false, "", 0, "a tab in the token"},
	{"{" KEYS ",\"AccessKeyId\":\"ASIA2\"}", false, "", 0, "two keys"},
	{"{\"code\":\"AccessDenied\",\"message\":\"no\"}", false, "", 0, "an error"},
	{"[" KEYS "]", false, "", 0, "no object"},
	{"", false, "", 0, "nothing"},
};

static void
reads_the_container(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(containers); i++) {
		struct credentials c = {.expires_s = 7};
		bool good = credentials_read_container(span_of(containers[i].json), &c);

		if (good != containers[i].good)
			fail_msg("%s", containers[i].why);
		if (good)
			check(&c, containers[i].token, containers[i].expires_s);
		else
			assert_true(c.expires_s == 7 && c.doc == NULL);
		credentials_free(&c);
		credentials_free(&c); /* twice is once */
		assert_null(c.doc);
	}
}

/* ---- the instance's ---- */

#define SUCCESS "\"Code\":\"Success\""

static const struct {
	const char *json;
	bool good;
	const char *why;
} instances[] = {
	{"{" SUCCESS ",\"Type\":\"AWS-HMAC\",\"LastUpdated\":\"2026-11-21T03:00:00Z\"," KEYS
	 "," TOKEN "," WHEN "}",
	 true, ""},
	{"{" SUCCESS "," KEYS "," TOKEN "}", false, ""}, /* what never ends is none of IMDS's */
	{"{" SUCCESS "," KEYS "," WHEN "}", false, ""},
	{"{" SUCCESS "," TOKEN "," WHEN "}", false, ""},
	{"{" KEYS "," TOKEN "," WHEN "}", false, ""},
	{"{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"EC2 cannot assume the role\"}",
	 false, "AssumeRoleUnauthorizedAccess"},
	{"{\"Code\":\"Failed\"," KEYS "," TOKEN "," WHEN "}", false, "Failed"},
	{"{\"Code\":\"two words\"}", false, ""}, /* into a log goes a word, or nothing */
	{"{\"Code\":\"a\\nb\"}", false, ""},
	{"{\"Code\":7}", false, ""},
	{"<html>", false, ""},
};

static void
reads_the_instance(void **state)
{
	char json[160], why[80];
	struct credentials c = {.expires_s = 7};

	(void)state;
	for (size_t i = 0; i < COUNT(instances); i++) {
		bool good;

		strcpy(why, "before");
		good = credentials_read_instance(span_of(instances[i].json), &c, why);
		assert_int_equal(good, instances[i].good);
		assert_string_equal(why, instances[i].why);
		if (good)
			check(&c, "t0k/en==", NINE);
		credentials_free(&c);
	}
	for (int n = 79; n <= 80; n++) {
		snprintf(json, sizeof(json), "{\"Code\":\"%0*d\"}", n, 0);
		assert_false(credentials_read_instance(span_of(json), &c, why));
		assert_int_equal(strlen(why), n == 79 ? 79 : 0);
	}
}

/* ---- IAM Identity Center ---- */

#define ROLE(token, when)                                                                          \
	"{\"roleCredentials\":{\"accessKeyId\":\"ASIA1\",\"secretAccessKey\":\"s/+=\","            \
	"\"sessionToken\":" token ",\"expiration\":" when "}}"

static void
reads_identity_center(void **state)
{
	static const char *const refused[] = {
		ROLE("\"t\"", "\"1795251600000\""),
		ROLE("\"t\"", "-1"),
		ROLE("\"t\"", "0"),
		ROLE("\"t\"", "1795251600000.0"),
		ROLE("\"t\"", "99999999999999999999999"),
		ROLE("\"\"", "1795251600000"),
		ROLE("\"a\\nb\"", "1795251600000"),
		ROLE("null", "1795251600000"),
		"{\"roleCredentials\":[]}",
		"{\"roleCredentials\":\"x\"}",
		"{" KEYS "," TOKEN "," WHEN "}",
		"{}",
		"",
	};
	struct credentials c = {0};

	(void)state;
	assert_true(credentials_read_sso(SPAN(ROLE("\"t0k/en==\"", "1795251600999")), &c));
	check(&c, "t0k/en==", NINE);
	credentials_free(&c);
	for (size_t i = 0; i < COUNT(refused); i++)
		if (credentials_read_sso(span_of(refused[i]), &c))
			fail_msg("%s", refused[i]);
	assert_null(c.doc);
}

/* ---- STS ---- */

#define ARN         "arn:aws:sts::123456789012:assumed-role/keeper/sidekey"
#define XMLNS       " xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\""
#define KEY         "<AccessKeyId>ASIA1</AccessKeyId>"
#define SECRET      "<SecretAccessKey>s/+=</SecretAccessKey>"
#define SESSION     "<SessionToken>t0k/en==</SessionToken>"
#define EXPIRATION  "<Expiration>2026-11-21T09:00:00Z</Expiration>"
#define CREDENTIALS "<Credentials>" KEY SECRET SESSION EXPIRATION "</Credentials>"
#define USER                                                                                       \
	"<AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId><Arn>" ARN "</Arn></AssumedRoleUser>"
#define ANSWER(attributes, inside)                                                                 \
	"<AssumeRoleResponse" attributes "><AssumeRoleResult>" inside                              \
	"</AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"         \
	"</AssumeRoleResponse>"

static const struct {
	const char *xml;
	bool good;
	const char *arn, *why;
} sessions[] = {
	{ANSWER(XMLNS, USER CREDENTIALS), true, ARN, "as STS answers"},
	{"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" ANSWER("", "\n  " CREDENTIALS "\n  " USER),
	 true, ARN, "another order, a prolog, no name space"},
	{ANSWER(XMLNS, CREDENTIALS), true, "", "no AssumedRoleUser"},
	{ANSWER(XMLNS, "<Credentials >" EXPIRATION SESSION SECRET KEY "</Credentials\n>"), true, "",
	 "blanks in tags"},
	{ANSWER(XMLNS, "<Credentials><AccessKeyId>&#65;&#x53;IA&#x31;</AccessKeyId>"
		       "<SecretAccessKey>s&#47;&#x2B;=</SecretAccessKey>" SESSION EXPIRATION
		       "</Credentials>"),
	 true, "", "references"},
	{ANSWER(XMLNS, "<Credentials>" KEY SECRET EXPIRATION "</Credentials>"), false, "",
	 "no token"},
	{ANSWER(XMLNS, "<Credentials>" KEY SECRET SESSION "</Credentials>"), false, "",
	 "no expiry"},
	{ANSWER(XMLNS, "<Credentials>" KEY SECRET "<SessionToken/>" EXPIRATION "</Credentials>"),
	 false, "", "an empty element"},
	{ANSWER(XMLNS, "<Credentials>" KEY SECRET "<SessionToken></SessionToken>" EXPIRATION
		       "</Credentials>"),
	 false, "", "an empty token"},
	{ANSWER(XMLNS, "<Credentials>" KEY KEY SECRET SESSION EXPIRATION "</Credentials>"), false,
	 "", "two keys"},
	{ANSWER(XMLNS, CREDENTIALS CREDENTIALS), false, "", "two sets"},
	{ANSWER(XMLNS, KEY SECRET SESSION EXPIRATION), false, "", "outside of Credentials"},
	{ANSWER(XMLNS, "<Credentials>" KEY SECRET EXPIRATION "</Credentials>" SESSION), false, "",
	 "the token outside"},
	{ANSWER(XMLNS, "<Credentials>" KEY SECRET SESSION EXPIRATION), false, "", "cut short"},
	{"<!DOCTYPE x [<!ENTITY k \"v\">]>" ANSWER(XMLNS, CREDENTIALS), false, "", "a DTD"},
	{ANSWER(XMLNS, "<!-- " CREDENTIALS " -->"), false, "", "a comment"},
	{ANSWER(XMLNS, "<![CDATA[" CREDENTIALS "]]>"), false, "", "CDATA"},
	{ANSWER(XMLNS, "<Credentials><AccessKeyId>A&nbsp;</AccessKeyId>" SECRET SESSION EXPIRATION
		       "</Credentials>"),
	 false, "", "an entity of nobody's"},
	{ANSWER(XMLNS, "<Credentials><AccessKeyId>A&amp</AccessKeyId>" SECRET SESSION EXPIRATION
		       "</Credentials>"),
	 false, "", "a reference without end"},
	{ANSWER(XMLNS, "<Credentials><AccessKeyId>A&#10;B</AccessKeyId>" SECRET SESSION EXPIRATION
		       "</Credentials>"),
	 false, "", "a newline by reference"},
	{ANSWER(XMLNS, "<Credentials><AccessKeyId>A&#0;</AccessKeyId>" SECRET SESSION EXPIRATION
		       "</Credentials>"),
	 false, "", "NUL by reference"},
	{ANSWER(XMLNS, "<Credentials><AccessKeyId>A&#xe9;</AccessKeyId>" SECRET SESSION EXPIRATION
		       "</Credentials>"),
	 false, "", "not ASCII, by reference"},
	{ANSWER(XMLNS, "<Credentials><AccessKeyId>A&#x;&#;</AccessKeyId>" SECRET SESSION EXPIRATION
		       "</Credentials>"),
	 false, "", "references to nothing"},
	{ANSWER(XMLNS, "<Credentials><AccessKeyId>\nASIA1\n</AccessKeyId>" SECRET SESSION EXPIRATION
		       "</Credentials>"),
	 false, "", "newlines around"},
	{ANSWER(XMLNS,
		"<Credentials><AccessKeyId><b>ASIA1</b></AccessKeyId>" SECRET SESSION EXPIRATION
		"</Credentials>"),
	 false, "", "markup inside"},
	{ANSWER(XMLNS, "<Credentials><AccessKeyIdX>ASIA1</AccessKeyIdX>" SECRET SESSION EXPIRATION
		       "</Credentials>"),
	 false, "", "a longer name"},
	{ANSWER(XMLNS, "<AssumedRoleUser><Arn>a b</Arn></AssumedRoleUser>" CREDENTIALS), false, "",
	 "an ARN with a blank"},
	{"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>", false, "",
	 "an error"},
	{"{" KEYS "}", false, "", "JSON"},
	{"<Credentials", false, "", "half a tag"},
	{"<", false, "", "less"},
	{"", false, "", "nothing"},
};

static void
reads_sts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sessions); i++) {
		struct credentials c = {.expires_s = 7};
		struct span arn = SPAN("before");
		bool good = credentials_read_sts(span_of(sessions[i].xml), &c, &arn);

		if (good != sessions[i].good)
			fail_msg("%s", sessions[i].why);
		if (good) {
			check(&c, "t0k/en==", NINE);
			assert_true(span_is(arn, sessions[i].arn));
		} else {
			assert_true(c.expires_s == 7 && c.text.ptr == NULL);
			assert_true(span_is(arn, "before"));
		}
		credentials_free(&c);
		credentials_free(&c);
	}
}

/* Every prefix of a good answer is refused, and read within its bounds (under ASan). */
static void
refuses_all_that_is_cut_short(void **state)
{
	static const char whole[] = ANSWER(XMLNS, USER CREDENTIALS);
	const char *end = strstr(whole, "</Credentials>");

	(void)state;
	for (size_t n = 0; n < (size_t)(end - whole) + strlen("</Credentials>"); n++) {
		char *cut = malloc(n + 1);
		struct credentials c;
		struct span arn;

		assert_non_null(cut);
		memcpy(cut, whole, n);
		assert_false(credentials_read_sts((struct span){cut, n}, &c, &arn));
		free(cut);
	}
}

#define ERROR(code, message)                                                                       \
	"<ErrorResponse" XMLNS "><Error><Type>Sender</Type><Code>" code "</Code><Message>" message \
	"</Message></Error><RequestId>1</RequestId></ErrorResponse>"

static const struct {
	unsigned status;
	const char *xml, *type, *principal;
	enum aws_error_class class;
} errors[] = {
	{403, ERROR("AccessDenied", "User: " ARN " is not authorized to perform: sts:AssumeRole"),
	 "AccessDenied", ARN, AWS_ERROR_DENIED},
	{400, ERROR("ExpiredTokenException", "Token expired"), "ExpiredTokenException", "",
	 AWS_ERROR_CREDENTIALS},
	{403, ERROR("ExpiredToken", "x"), "ExpiredToken", "", AWS_ERROR_CREDENTIALS},
	{400, ERROR("InvalidIdentityToken", "x"), "InvalidIdentityToken", "",
	 AWS_ERROR_CREDENTIALS},
	{403, ERROR("InvalidClientTokenId", "x"), "InvalidClientTokenId", "",
	 AWS_ERROR_CREDENTIALS},
	{403, ERROR("SignatureDoesNotMatch", "x"), "SignatureDoesNotMatch", "", AWS_ERROR_CLOCK},
	{400, ERROR("RequestExpired", "x"), "RequestExpired", "", AWS_ERROR_CLOCK},
	{400, ERROR("IDPCommunicationError", "x"), "IDPCommunicationError", "",
	 AWS_ERROR_TRANSIENT},
	{400, ERROR("Throttling", "Rate exceeded"), "Throttling", "", AWS_ERROR_THROTTLED},
	{403, ERROR("IDPRejectedClaim", "x"), "IDPRejectedClaim", "", AWS_ERROR_DENIED},
	{403, ERROR("RegionDisabledException", "x"), "RegionDisabledException", "",
	 AWS_ERROR_DENIED},
	{400, ERROR("PackedPolicyTooLarge", "x"), "PackedPolicyTooLarge", "", AWS_ERROR_DENIED},
	{400, ERROR("sk-secret in here", "x"), "", "", AWS_ERROR_DENIED},
	{503, ERROR("&lt;", ""), "", "", AWS_ERROR_TRANSIENT},
	{400, "<!-- -->" ERROR("Throttling", "x"), "", "", AWS_ERROR_DENIED},
	{400, "<ErrorResponse><Code>Throttling</Code></ErrorResponse>", "", "", AWS_ERROR_DENIED},
	{500, "", "", "", AWS_ERROR_TRANSIENT},
};

static void
reads_sts_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct aws_error e;

		credentials_read_sts_error(errors[i].status, span_of(errors[i].xml), &e);
		if (e.class != errors[i].class)
			fail_msg("%s: %d", errors[i].xml, (int)e.class);
		assert_string_equal(e.type, errors[i].type);
		assert_string_equal(e.principal, errors[i].principal);
	}
}

#define CALLER(arn)                                                                                \
	"<GetCallerIdentityResponse" XMLNS "><GetCallerIdentityResult><Arn>" arn                   \
	"</Arn><UserId>AROA:s</UserId><Account>123456789012</Account>"                             \
	"</GetCallerIdentityResult></GetCallerIdentityResponse>"

static void
reads_the_caller(void **state)
{
	static const char *const refused[] = {
		CALLER(""),
		CALLER("bob"),
		CALLER("arn:aws:sts::1:a&amp;b"),
		CALLER("arn:<b>x</b>"),
		CALLER("arn:a\nb"),
		CALLER("arn:x</Arn><Arn>arn:y"),
		"<!-- -->" CALLER(ARN),
		("<Arn>" ARN),
		"",
	};
	struct span arn = SPAN("before");

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++)
		if (credentials_read_caller(span_of(refused[i]), &arn))
			fail_msg("%s", refused[i]);
	assert_true(span_is(arn, "before"));
	assert_true(credentials_read_caller(SPAN(CALLER(ARN)), &arn));
	assert_true(span_is(arn, ARN));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_container),
		cmocka_unit_test(reads_the_instance),
		cmocka_unit_test(reads_identity_center),
		cmocka_unit_test(reads_sts),
		cmocka_unit_test(refuses_all_that_is_cut_short),
		cmocka_unit_test(reads_sts_errors),
		cmocka_unit_test(reads_the_caller),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
