/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "cli/doctor_checks.h"

static const struct {
	const char *name, *value;
	bool is_secret;
	const char *why;
} variables[] = {
	{"OPENAI_API_KEY", "sk-0123456789", true, "an API key"},
	{"openai_api_key", "sk-0123456789", true, "by any case"},
	{"AWS_SECRET_ACCESS_KEY", "0123456789", true, "the AWS secret key"},
	{"AWS_SESSION_TOKEN", "IQoJb3JpZ2lu", true, "its session"},
	{"GITHUB_TOKEN", "ghp_0123456789", true, "a token"},
	{"PGPASSWORD", "correct horse", true, "a password"},
	{"OPENAI_API_KEY", "none", false, "what a client without a key is given"},
	{"OPENAI_API_KEY", "not-needed", false, "the same in other words"},
	{"OPENAI_API_KEY", "", false, "nothing"},
	{"OPENAI_API_KEY", "sk-sidekey-0123456789abcdef", false, "what only a sidekey accepts"},
	{"SOME_TOKEN", "/run/secrets/token-of-it", false, "a path"},
	{"AWS_ACCESS_KEY_ID", "AKIA0123456789", false, "an id, which is no secret"},
	{"GPG_KEY", "A035C8C19219BA821ECE", false, "the fingerprint in Python's images"},
	{"MAX_TOKENS", "1000000000", false, "a number of tokens"},
	{"AWS_WEB_IDENTITY_TOKEN_FILE", "anything-long", false, "where a token is"},
	{"KEYBOARD", "a-long-layout", false, "a word that begins so"},
	{"PATH", "usr/bin:usr/local/bin", false, "another variable"},
};

static void
secrets_are_told_by_their_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(variables); i++)
		if (doctor_is_secret(span_of(variables[i].name), span_of(variables[i].value)) !=
		    variables[i].is_secret)
			fail_msg("wrong of %s: %s", variables[i].name, variables[i].why);
}

static const struct {
	const char *text;
	bool good;
} targets[] = {
	{"api.openai.com:443", true},
	{"192.0.2.1:443", true},
	{"[2001:db8::1]:443", true},
	{"2001:db8::1:443", true},
	{"host", false},
	{"host:", false},
	{":443", false},
	{"host:0", false},
	{"host:65536", false},
	{"host:44x", false},
	{"", false},
	{"a b:443", false},
	{"https://a:443", false},
	{"[]:443", false},
	{"a..b:443", false},
};

static void
a_place_to_reach_is_a_host_and_a_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++)
		if (doctor_reach_is_good(targets[i].text) != targets[i].good)
			fail_msg("wrong of \"%s\"", targets[i].text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_are_told_by_their_names),
		cmocka_unit_test(a_place_to_reach_is_a_host_and_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
