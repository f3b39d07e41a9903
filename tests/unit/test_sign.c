/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of egress, against what botocore.auth.SigV4Auth makes of the same requests. */
#include "tests/unit/unit.h"

#include "egress/sign.h"

#define HOST  "Host: bedrock-runtime.us-east-1.amazonaws.com"
#define NOW_S 1795236060 /* 2026-11-21T04:41:00Z */
#define BODY  "{\"messages\":[]}"

struct row {
	const char *target, *token, *more, *signed_headers, *signature;
};

static const struct row rows[] = {
	{"/model/amazon.nova-lite-v1%3A0/converse", NULL, NULL, "content-type;host;x-amz-date",
	 "92ef506f8a8b3015b966e559c7dc99c93c8809a6d9c651cf4a88b04a11050ec9"},
	{"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile"
	 "%2Fabc123/converse-stream",
	 "the-token", "X-Amzn-Bedrock-Trace: ENABLED",
	 "content-type;host;x-amz-date;x-amz-security-token;x-amzn-bedrock-trace",
	 "5fe06853481a4121215c3f75aad136f00bb766585f887338b34022f6495e1e1c"},
	{"/model/amazon.nova-lite-v1%3A0/converse", "the-token",
	 "X-Amz-Source-Account: 123456789012", /* from the configuration: AWS wants it signed */
	 "content-type;host;x-amz-date;x-amz-security-token;x-amz-source-account",
	 "e8fc76d1a437741a79eb7a23e3ed937b06bef25c1c484e77f9aea8e52050992d"},
	{"/model/a:0/invoke?z=1&a=2&a=1", NULL, NULL, "content-type;host;x-amz-date",
	 "f97b17c2eeab583e31ad75aef7c8471ea8f763c14effbf68144be3b193bb9d86"},
};

static struct signer
make_signer(const char *token)
{
	struct signer s = {.key_id = "AKIDEXAMPLE",
			   .day = "20261121",
			   .region = SPAN("us-east-1"),
			   .service = SPAN("bedrock")};
	struct sigv4_scope scope = {SPAN("AKIDEXAMPLE"), s.region, s.service,
				    SPAN("20261121T044100Z")};
	unsigned char key[SIGV4_KEY_LEN];

	assert_int_equal(sigv4_key(SPAN("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), &scope, key),
			 0);
	s.key = secret_new((struct span){(const char *)key, sizeof(key)});
	assert_non_null(s.key);
	if (token != NULL)
		s.token_line = sign_token_line(span_of(token));
	return s;
}

static void
signatures_are_botocore_s(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *lines[] = {HOST, "Content-Type: application/json", "User-Agent: x",
				       "Expect:", rows[i].more};
		struct signer signer = make_signer(rows[i].token);
		const char *added[SIGN_LINES];
		struct sign s;
		struct buf want;
		size_t n;

		assert_int_equal(sign_build(&s, &signer, SPAN("POST"), span_of(rows[i].target),
					    lines, rows[i].more == NULL ? 4 : 5, SPAN(BODY), NOW_S),
				 0);
		n = sign_lines(&s, added);
		assert_int_equal(n, rows[i].token == NULL ? 2 : 3);
		assert_string_equal(added[0], "X-Amz-Date: 20261121T044100Z");
		buf_init(&want, 1024);
		(void)buf_addf(&want,
			       "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/"
			       "us-east-1/bedrock/aws4_request, SignedHeaders=%s, Signature=%s",
			       rows[i].signed_headers, rows[i].signature);
		(void)buf_add_char(&want, '\0');
		assert_string_equal(added[1], want.ptr);
		buf_free(&want);
		sign_free(&s);
		signer_free(&signer);
	}
}

/* A key is for one day: at midnight the keeper has sent the next. */
static void
a_key_of_another_day_does_not_sign(void **state)
{
	const char *lines[] = {HOST};
	struct signer signer = make_signer(NULL);
	struct sign s;

	(void)state;
	assert_int_equal(
		sign_build(&s, &signer, SPAN("POST"), SPAN("/"), lines, 1, SPAN(""), NOW_S + 86400),
		-1);
	sign_free(&s);
	signer_free(&signer);
}

static int
set_up(void **state)
{
	(void)state;
	return secret_init(64 * 1024) == SECRET_PAGES_NONE ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_are_botocore_s),
		cmocka_unit_test(a_key_of_another_day_does_not_sign),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
