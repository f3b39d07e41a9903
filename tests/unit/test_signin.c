/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "aws/signin.h"

/* The names are those of botocore 1.44.5's SSOTokenLoader and JSONFileCache. */
static void
names_the_file_as_the_cli_does(void **state)
{
	static const struct {
		const char *text, *name;
	} names[] = {
		{"https://d-92671207e4.awsapps.com/start",
		 "13f9d35043871d073ab260e020f0ffde092cb14b.json"},
		{"https://d-92671207e4.awsapps.com/start#/",
		 "44d18d9e704f0fad35ad50eab39c54de55877f75.json"},
		{"my-sso", "0ad374308c5a4e22f723adf10145eafad7c4031c.json"},
		{"caf\xc3\xa9 1", "acf86fd85974c534fb0d611d00b1f6ecbf66c017.json"},
	};
	char name[SIGNIN_NAME_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(signin_file_name(span_of(names[i].text), name), 0);
		assert_string_equal(name, names[i].name);
	}
}

#define TOKEN "\"accessToken\":\"eyJ.x-_y\""
#define WHEN  "\"expiresAt\":\"2026-11-21T09:00:00Z\""

static const struct {
	const char *json;
	uint64_t expires_s; /* 0: refused */
	const char *region, *why;
} signins[] = {
	{"{\"startUrl\":\"https://d-1.awsapps.com/start\",\"region\":\"eu-west-1\"," TOKEN "," WHEN
	 ",\"clientId\":\"c\",\"clientSecret\":\"s\",\"refreshToken\":\"r\"}",
	 1795251600, "eu-west-1", "as aws sso login writes it"},
	{"{" TOKEN ",\"expiresAt\":\"2026-11-21T09:00:00UTC\"}", 1795251600, "", "as it once did"},
	{"{" TOKEN ",\"expiresAt\":\"2026-11-21T10:00:00.5+01:00\"}", 1795251600, "",
	 "another zone"},
	{"{" TOKEN "}", 0, "", "no expiry"},
	{"{" WHEN "}", 0, "", "no token"},
	{"{\"accessToken\":\"\"," WHEN "}", 0, "", "an empty token"},
	{"{\"accessToken\":7," WHEN "}", 0, "", "a token of another type"},
	{"{\"accessToken\":\"a\\r\\nx-evil: 1\"," WHEN "}", 0, "", "a token of two lines"},
	{"{\"accessToken\":\"a b\"," WHEN "}", 0, "", "a blank"},
	{"{" TOKEN ",\"accessToken\":\"b\"," WHEN "}", 0, "", "two tokens"},
	{"{" TOKEN ",\"expiresAt\":1795251600}", 0, "", "a number"},
	{"{" TOKEN ",\"expiresAt\":\"2026-11-21T09:00:00\"}", 0, "", "no zone"},
	{"{" TOKEN ",\"expiresAt\":\"2026-13-21T09:00:00UTC\"}", 0, "", "no such month"},
	{"{" TOKEN ",\"expiresAt\":\"UTC\"}", 0, "", "the zone alone"},
	{"{\"clientId\":\"c\",\"clientSecret\":\"s\"," WHEN "}", 0, "",
	 "the registration, which lies in the same folder"},
	{"[]", 0, "", "no object"},
	{"", 0, "", "nothing"},
};

static void
reads_the_sign_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(signins); i++) {
		struct span token = SPAN("before"), region = SPAN("before");
		struct json *doc = NULL;
		uint64_t expires_s = 7;
		bool good =
			signin_read(span_of(signins[i].json), &doc, &token, &expires_s, &region);

		if (good != (signins[i].expires_s != 0))
			fail_msg("%s", signins[i].why);
		if (!good) {
			assert_true(span_is(token, "before") && span_is(region, "before"));
			assert_true(doc == NULL && expires_s == 7);
			continue;
		}
		assert_true(span_is(token, "eyJ.x-_y"));
		assert_true(span_is(region, signins[i].region));
		assert_int_equal(expires_s, signins[i].expires_s);
		json_doc_free(doc);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_file_as_the_cli_does),
		cmocka_unit_test(reads_the_sign_in),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
