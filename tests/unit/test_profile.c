/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/unit/unit.h"

#include "aws/profile.h"
#include "base/buf.h"

/* A chain as one line: SOURCE, what belongs to it, and the roles in the order they are assumed. */
static void
describe_role(const struct profile_role *r, struct buf *out)
{
	assert_int_equal(buf_addf(out, " > %.*s", (int)r->arn.len, r->arn.ptr), 0);
	if (r->external_id.len > 0)
		assert_int_equal(
			buf_addf(out, " x=%.*s", (int)r->external_id.len, r->external_id.ptr), 0);
	if (r->session_name.len > 0)
		assert_int_equal(
			buf_addf(out, " n=%.*s", (int)r->session_name.len, r->session_name.ptr), 0);
	if (r->duration_s > 0)
		assert_int_equal(buf_addf(out, " d=%u", r->duration_s), 0);
}

static void
describe(const struct profile_chain *c, struct buf *out)
{
	static const char *const sources[] = {"keys",     "environment",  "container",
					      "instance", "web identity", "sso"};
	const struct span parts[] = {c->keys_profile,  c->token_file, c->sso_session,
				     c->sso_start_url, c->sso_region, c->sso_account,
				     c->sso_role};

	assert_int_equal(buf_add_str(out, sources[c->source]), 0);
	for (size_t i = 0; i < COUNT(parts); i++)
		if (parts[i].len > 0)
			assert_int_equal(buf_addf(out, " %.*s", (int)parts[i].len, parts[i].ptr),
					 0);
	if (c->source == PROFILE_WEB_IDENTITY)
		describe_role(&c->web_role, out);
	for (size_t i = 0; i < c->nroles; i++)
		describe_role(&c->roles[i], out);
	if (c->region.len > 0)
		assert_int_equal(buf_addf(out, " @%.*s", (int)c->region.len, c->region.ptr), 0);
	for (size_t i = 0; i < PROFILE_PLACES; i++)
		if (c->places[i])
			assert_int_equal(
				buf_addf(out, " !%s", profile_place_name((enum profile_place)i)),
				0);
}

#define KEYS              "aws_access_key_id = AKIA1\naws_secret_access_key = s/+=\n"
#define ROLE(arn, source) "role_arn = " arn "\nsource_profile = " source "\n"
#define SSO               "sso_account_id = 123456789012\nsso_role_name = reader\n"
#define SITE              "sso_start_url = https://d-1.awsapps.com/start\nsso_region = eu-west-1\n"

/*
 * What is found, and what is refused, botocore 1.44.5 finds and refuses as well, by its resolver
 * over the same two files (create_credential_resolver), but for what a comment says.
 */
static const struct {
	const char *config, *credentials, *name, *chain;
} found[] = {
	{"", "[default]\n" KEYS, "default", "keys default"},
	{"[default]\n" KEYS "region=eu-west-1", "", "default", "keys default @eu-west-1"},
	{"[profile a]\nregion = eu-west-1\n", "[a]\n" KEYS, "a", "keys a @eu-west-1"},
	{"[profile a]\nregion = eu-west-1\n", "[a]\nregion = us-east-1\n" KEYS, "a",
	 "keys a @us-east-1"},
	{"[profile \"a b\"]\n" KEYS, "", "a b", "keys a b"},
	{"[profile 'a b']\n" KEYS, "", "a b", "keys a b"},
	{"[profile\t a ]\n" KEYS, "", "a", "keys a"},
	{"[profile default]\n" KEYS, "", "default", "keys default"},
	{"", "[profile a]\n" KEYS, "profile a", "keys profile a"},
	{"# c\n; c\n  # c\n\n[default]\n# c\n" KEYS "; c", "", "default", "keys default"},
	{"\xef\xbb\xbf[default]\r\nregion = r\r\nrole_arn = a\r\n"
	 "credential_source = Environment\r\n",
	 "", "default", "environment > a @r"}, /* the mark: not so in botocore */
	{"[default] # c\n" KEYS "region = eu-west-1 # c", "", "default",
	 "keys default @eu-west-1"}, /* as other SDKs: botocore takes the comment for the value */
	{"[default]\n" KEYS "region = a;b#c\n", "", "default", "keys default @a;b#c"},
	{"[default]\nREGION: r\nAWS_ACCESS_KEY_ID: AKIA1\nAws_Secret_Access_Key: s\n", "",
	 "default", "keys default @r"},
	{"[default]\n  region = r\n  aws_access_key_id = AKIA1\n  aws_secret_access_key = s\n", "",
	 "default", "keys default @r"},
	{"[default]\ns3 =\n  role_arn = evil\n\n  # c\n  source_profile = x\n" KEYS, "", "default",
	 "keys default"},
	{"[default]\nother = a\n  b\n c\n" KEYS, "", "default", "keys default"},
	{"[default]\nother = a\n [profile x]\n role_arn = evil\n" KEYS, "", "default",
	 "keys default"}, /* a header that is indented is a value */
	{"[other]\n" ROLE("x", "y") "[default]\n" KEYS, "", "default", "keys default"},
	/* what of a place is not heeded, of the profile that is asked for alone */
	{"[default]\nuse_fips_endpoint = True\nservices = s\n" KEYS "[services s]\nsts =\n"
	 "  endpoint_url = http://x\n",
	 "[default]\nuse_dualstack_endpoint = true\n", "default",
	 "keys default !use_fips_endpoint !use_dualstack_endpoint !services"},
	{"[default]\nuse_fips_endpoint = false\nuse_dualstack_endpoint =\nendpoint_url =\n" KEYS,
	 "", "default", "keys default"},
	{"[default]\nendpoint_url = https://x\n" ROLE("a", "b") "[profile b]\n"
								"use_fips_endpoint = true\n" KEYS,
	 "", "default", "keys b > a !endpoint_url"},
	/* roles */
	{"[default]\n" ROLE("a", "b") "external_id = e\nrole_session_name = n\n"
				      "duration_seconds = 900\n[profile b]\n" KEYS,
	 "", "default", "keys b > a x=e n=n d=900"},
	{"[default]\n" ROLE("a", "b") "region = r\n[profile b]\nregion = q\n" ROLE(
		 "b", "c") "[profile c]\n" ROLE("c", "d"),
	 "[d]\n" KEYS, "default", "keys d > c > b > a @r"},
	{"[default]\n" ROLE("a", "default") KEYS, "", "default", "keys default > a"},
	{"[default]\n" ROLE("a", "b") "[profile b]\n" ROLE("b", "default") KEYS, "", "default",
	 "keys b > a"}, /* a source's keys win over its role */
	{"[default]\nrole_arn = a\ncredential_source = Ec2InstanceMetadata\n", "", "default",
	 "instance > a"},
	{"[default]\nrole_arn = a\ncredential_source = EcsContainer\n" KEYS, "", "default",
	 "container > a"},
	{"[default]\n" ROLE("a",
			    "b") "[profile b]\nrole_arn = b\ncredential_source = Environment\n",
	 "", "default", "environment > b > a"},
	{"", "[default]\n" ROLE("a", "b") "[b]\n" KEYS, "default", "keys b > a"},
	{"[default]\n" ROLE("1", "b") "[profile b]\n" ROLE("2", "c") "[profile c]\n" ROLE(
		 "3", "d") "[profile d]\n" ROLE("4", "e") "[profile e]\n" ROLE("5", "f"),
	 "[f]\n" KEYS, "default", "keys f > 5 > 4 > 3 > 2 > 1"},
	/* web identity */
	{"[default]\nrole_arn = a\nweb_identity_token_file = /t a\nrole_session_name = n\n" KEYS,
	 "", "default", "web identity /t a > a n=n"},
	{"[default]\n" ROLE("a", "b") "[profile b]\nrole_arn = b\nweb_identity_token_file = /t\n",
	 "", "default", "web identity /t > b > a"},
	/* IAM Identity Center */
	{"[default]\nsso_session = s\n" SSO "[sso-session s]\n" SITE, "", "default",
	 "sso s https://d-1.awsapps.com/start eu-west-1 123456789012 reader"},
	{"[default]\n" SSO SITE KEYS, "", "default",
	 "sso https://d-1.awsapps.com/start eu-west-1 123456789012 reader"},
	{"[default]\nsso_session = s\n" SSO "sso_region = eu-west-1\n[sso-session \"s\"]\n" SITE,
	 "", "default", "sso s https://d-1.awsapps.com/start eu-west-1 123456789012 reader"},
	{"[default]\n" ROLE("a", "b") "[profile b]\n" SSO SITE, "", "default",
	 "sso https://d-1.awsapps.com/start eu-west-1 123456789012 reader > a"},
	{"[default]\n" KEYS "aws_session_token =\n", "", "default", "keys default"},
	/* a program is behind the keys of the credentials file, and before those of config */
	{"[default]\ncredential_process = p\n", "[default]\n" KEYS, "default", "keys default"},
	{"[default]\nlogin_session = x\n", "[default]\n" KEYS, "default", "keys default"},
};

static void
finds(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < COUNT(found); i++) {
		struct profile_chain chain;
		struct span culprit = SPAN("before");
		enum profile_fault fault =
			profile_find(span_of(found[i].config), span_of(found[i].credentials),
				     span_of(found[i].name), &chain, &culprit);

		if (fault != PROFILE_OK)
			fail_msg("%s: %d", found[i].config, (int)fault);
		assert_true(span_is(culprit, "before"));
		buf_keep(&out, 0);
		describe(&chain, &out);
		if (!span_is(buf_span(&out), found[i].chain))
			fail_msg("%s: %.*s", found[i].chain, (int)out.len, out.ptr);
	}
	buf_free(&out);
}

static const struct {
	const char *config, *credentials, *name;
	enum profile_fault fault;
	const char *culprit;
} refused[] = {
	{"", "", "default", PROFILE_UNKNOWN, "default"},
	{"[default]\n" KEYS, "", "", PROFILE_UNKNOWN, ""},
	{"[default]\n" KEYS, "", "Default", PROFILE_UNKNOWN, "Default"},
	{"[a]\n" KEYS, "", "a", PROFILE_UNKNOWN, "a"}, /* config wants [profile a] */
	{"[profile a b]\n" KEYS, "", "a b", PROFILE_UNKNOWN, "a b"},
	{"[profilea]\n" KEYS, "", "a", PROFILE_UNKNOWN, "a"},
	{"[profile \"a]\n" KEYS, "", "a", PROFILE_UNKNOWN, "a"},
	{"[default]\n" ROLE("a", "none"), "", "default", PROFILE_UNKNOWN, "none"},
	{"[default]\nsso_session = none\n" SSO, "", "default", PROFILE_UNKNOWN, "none"},
	/* not to be read */
	{KEYS, "", "default", PROFILE_MALFORMED, ""},
	{"[default]\n" KEYS "[profile b]\nnothing\n", "", "default", PROFILE_MALFORMED,
	 "profile b"},
	{"[default]\n" KEYS, "[x]\n= v\n", "default", PROFILE_MALFORMED, "x"},
	{"[default]\n" KEYS "[profile b\n", "", "default", PROFILE_MALFORMED, "default"},
	{"[default]\n" KEYS "[]\n", "", "default", PROFILE_MALFORMED, "default"},
	{"[default] x\n" KEYS, "", "default", PROFILE_MALFORMED, ""}, /* botocore: no matter */
	{"[default]\n" KEYS "[default]\n", "", "default", PROFILE_MALFORMED, "default"},
	{"[default]\n" KEYS "[profile default]\n", "", "default", PROFILE_MALFORMED,
	 "default"}, /* botocore: the last one */
	{"[default]\n" KEYS KEYS, "", "default", PROFILE_MALFORMED, "default"},
	{"[default]\nREGION = a\nregion = b\n" KEYS, "", "default", PROFILE_MALFORMED, "default"},
	/* botocore would go on with such values */
	{"[default]\n" KEYS "region = a\n  b\n", "", "default", PROFILE_MALFORMED, "default"},
	{"[default]\n" KEYS "region = a\x01\n", "", "default", PROFILE_MALFORMED, "default"},
	{"[default]\n" ROLE("a", "b") "duration_seconds = 1h\n[profile b]\n" KEYS, "", "default",
	 PROFILE_MALFORMED, "default"},
	{"[default]\n" ROLE("a", "b") "duration_seconds = 899\n[profile b]\n" KEYS, "", "default",
	 PROFILE_MALFORMED, "default"},
	{"[default]\n" ROLE("a", "b") "duration_seconds = 43201\n[profile b]\n" KEYS, "", "default",
	 PROFILE_MALFORMED, "default"},
	{"[default]\nrole_arn = a\ncredential_source = environment\n", "", "default",
	 PROFILE_MALFORMED, "default"},
	{"[default]\nsso_session = s\nsso_region = r\n" SSO "[sso-session s]\n" SITE, "", "default",
	 PROFILE_MALFORMED, "default"},
	{"[default]\nsso_session = s\n" SSO "[sso-session s]\n" SITE "[sso-session 's']\n", "",
	 "default", PROFILE_MALFORMED, "default"},
	/* loops, and too much */
	{"[default]\n" ROLE("a", "default"), "", "default", PROFILE_LOOP, "default"},
	{"[default]\n" ROLE("a", "b") "[profile b]\n" ROLE("b", "default"), "", "default",
	 PROFILE_LOOP, "b"},
	{"[default]\n" ROLE("a", "b") KEYS "[profile b]\n" ROLE("b", "default"), "", "default",
	 PROFILE_LOOP, "b"},
	{"[default]\n" ROLE("a", "b") "[profile b]\n" ROLE("b", "b"), "", "default", PROFILE_LOOP,
	 "b"},
	{"[default]\n" ROLE("1", "b") "[profile b]\n" ROLE("2", "c") "[profile c]\n" ROLE(
		 "3",
		 "d") "[profile d]\n" ROLE("4",
					   "e") "[profile e]\n" ROLE("5",
								     "f") "[profile f]\n" ROLE("6",
											       "g"),
	 "[g]\n" KEYS, "default", PROFILE_TOO_DEEP, "f"}, /* botocore: no bound */
	/* half an identity */
	{"[default]\nrole_arn = a\n" KEYS, "", "default", PROFILE_INCOMPLETE, "default"},
	{"[default]\nrole_arn = a\nsource_profile =\n", "", "default", PROFILE_INCOMPLETE,
	 "default"},
	{"[default]\n" ROLE("", "b") "[profile b]\n" KEYS, "", "default", PROFILE_INCOMPLETE,
	 "default"}, /* STS would refuse it */
	{"[default]\n" ROLE("a", "b") "credential_source = Environment\n[profile b]\n" KEYS, "",
	 "default", PROFILE_INCOMPLETE, "default"},
	{"[default]\naws_access_key_id = AKIA1\n", "", "default", PROFILE_INCOMPLETE, "default"},
	{"[default]\naws_secret_access_key = s\n", "", "default", PROFILE_INCOMPLETE, "default"},
	{"[default]\naws_secret_access_key = s\n", "[default]\naws_access_key_id = AKIA1\n",
	 "default", PROFILE_INCOMPLETE, "default"}, /* each in a file of its own */
	{"[default]\naws_access_key_id = A B\naws_secret_access_key = s\n", "", "default",
	 PROFILE_INCOMPLETE, "default"}, /* AWS would refuse it */
	{"[default]\n" ROLE("a", "b") "[profile b]\naws_access_key_id = A\n", "", "default",
	 PROFILE_INCOMPLETE, "b"},
	{"[default]\n" ROLE("a",
			    "b") "[profile b]\nrole_arn = b\ncredential_source = Environment\n",
	 "[b]\naws_secret_access_key = s\n", "default", PROFILE_INCOMPLETE, "b"},
	{"[default]\nweb_identity_token_file = /t\n" KEYS, "", "default", PROFILE_INCOMPLETE,
	 "default"},
	{"[default]\nweb_identity_token_file =\nrole_arn = a\n", "", "default", PROFILE_INCOMPLETE,
	 "default"},
	{"[default]\n" SSO, "", "default", PROFILE_INCOMPLETE, "default"},
	{"[default]\nsso_account_id = 1\n" SITE, "", "default", PROFILE_INCOMPLETE, "default"},
	{"[default]\nsso_session =\n" SSO "[sso-session s]\n" SITE, "", "default", PROFILE_UNKNOWN,
	 ""},
	{"[default]\nregion = r\n", "", "default", PROFILE_NOTHING, "default"},
	{"[default]\n" SITE, "", "default", PROFILE_NOTHING, "default"},
	{"[default]\n" ROLE("a", "b") "[profile b]\nregion = r\n", "", "default", PROFILE_NOTHING,
	 "b"},
	/* what we do not do */
	{"[default]\ncredential_process = /bin/p\n" KEYS, "", "default", PROFILE_PROCESS,
	 "default"},
	{"[default]\n" ROLE("a", "b") "[profile b]\ncredential_process = p\n", "", "default",
	 PROFILE_PROCESS, "b"},
	{"[default]\nlogin_session = arn:aws:iam::1:user/u\n", "", "default", PROFILE_LOGIN,
	 "default"},
	{"[default]\nlogin_session = x\n" KEYS, "", "default", PROFILE_LOGIN, "default"},
	{"[default]\nlogin_session = x\ncredential_process = p\n", "", "default", PROFILE_LOGIN,
	 "default"},
	{"[default]\n" ROLE("a", "b") "[profile b]\nlogin_session = x\n", "", "default",
	 PROFILE_LOGIN, "b"},
	{"[default]\n" ROLE("a", "b") "mfa_serial = m\n[profile b]\n" KEYS, "", "default",
	 PROFILE_MFA, "default"},
	{"[default]\n" ROLE("a", "b") "[profile b]\nmfa_serial = m\n" ROLE("b", "c"), "[c]\n" KEYS,
	 "default", PROFILE_MFA, "b"},
};

static void
refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct profile_chain chain = {.nroles = 77};
		struct span culprit = SPAN("before");
		enum profile_fault fault =
			profile_find(span_of(refused[i].config), span_of(refused[i].credentials),
				     span_of(refused[i].name), &chain, &culprit);

		if (fault != refused[i].fault)
			fail_msg("%s: %d", refused[i].config, (int)fault);
		if (!span_is(culprit, refused[i].culprit))
			fail_msg("%s: %.*s", refused[i].config, (int)culprit.len, culprit.ptr);
		assert_int_equal(chain.nroles, 77);
		assert_true(strlen(profile_fault_text(fault)) > 10);
	}
}

/* A pair and its token are of one file, and that is the credentials file when it has a key. */
static void
takes_the_keys_of_one_file(void **state)
{
	static const struct {
		const char *config, *credentials, *keys; /* NULL: none */
	} rows[] = {
		{"[default]\n" KEYS, "", "AKIA1 s/+= "},
		{"[default]\n" KEYS "aws_session_token = t\n", "", "AKIA1 s/+= t"},
		{"[default]\naws_access_key_id = B\naws_secret_access_key = b\n"
		 "aws_session_token = t\n",
		 "[default]\n" KEYS, "AKIA1 s/+= "},
		{"[default]\n" KEYS, "[default]\naws_session_token = t\n", "AKIA1 s/+= "},
		{"[default]\n" KEYS, "[default]\naws_access_key_id = B\n", NULL},
		{"[default]\n" KEYS "aws_session_token =\n", "", "AKIA1 s/+= "}, /* none */
		{"[default]\n" KEYS "aws_session_token = a b\n", "", NULL},
		{"[default]\naws_access_key_id =\naws_secret_access_key =\n", "", NULL},
		{"[default]\n" KEYS "[default]\n", "", NULL},
		{"[other]\n" KEYS, "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct profile_keys keys = {.token = SPAN("before")};
		char text[64] = "before";
		bool good = profile_keys(span_of(rows[i].config), span_of(rows[i].credentials),
					 SPAN("default"), &keys);

		assert_int_equal(good, rows[i].keys != NULL);
		if (!good) {
			assert_true(span_is(keys.token, "before"));
			continue;
		}
		snprintf(text, sizeof(text), "%.*s %.*s %.*s", (int)keys.key_id.len,
			 keys.key_id.ptr, (int)keys.secret.len, keys.secret.ptr,
			 (int)keys.token.len, keys.token.len > 0 ? keys.token.ptr : "");
		assert_string_equal(text, rows[i].keys);
	}
	assert_false(profile_keys(SPAN("[sso-session x]\n" KEYS), SPAN(""), SPAN(""),
				  &(struct profile_keys){0}));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(refuses),
		cmocka_unit_test(takes_the_keys_of_one_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
