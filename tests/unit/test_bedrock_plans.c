/* SPDX-License-Identifier: Apache-2.0 */
/* Targets of Bedrock, compiled: where they are, and by whom and for what their calls are signed. */
#include "config/plan_identity.h"
#include "plans.h"

/* Where Bedrock is, by what the configuration and the environment say, and what is signed there. */
static void
test_signed_targets(void **state)
{
	static const char *const keys[] = {"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=x",
					   NULL};
	static const char *const fips[] = {"AWS_REGION=us-west-2", "AWS_USE_FIPS_ENDPOINT=true",
					   NULL};
	static const char *const own[] = {
		"AWS_ENDPOINT_URL_BEDROCK_RUNTIME=https://vpce-1.example:8443", NULL};
	static const struct {
		const char *keys; /* of the target */
		const char *const *env;
		const char *authority, *region, *service; /* region NULL: not signed */
	} cases[] = {
		{"region: us-east-1", keys, "bedrock-runtime.us-east-1.amazonaws.com", "us-east-1",
		 "bedrock"},
		{"aws: {region: eu-west-1}", keys, "bedrock-runtime.eu-west-1.amazonaws.com",
		 "eu-west-1", "bedrock"},
		{"required: true", fips, "bedrock-runtime-fips.us-west-2.amazonaws.com",
		 "us-west-2", "bedrock"},
		{"region: cn-north-1", own, "vpce-1.example:8443", "cn-north-1", "bedrock"},
		{"apiBase: 'https://vpce-0a-1b.bedrock-runtime.us-east-2.vpce.amazonaws.com'", keys,
		 "vpce-0a-1b.bedrock-runtime.us-east-2.vpce.amazonaws.com", "us-east-2", "bedrock"},
		{"apiBase: 'https://proxy.example/bedrock', region: us-east-1", keys,
		 "proxy.example", "us-east-1", "bedrock"},
		{"apiBase: 'https://Bedrock-Mantle.us-east-1.api.aws/openai/v1', "
		 "provider: openai, auth: sigv4",
		 keys, "bedrock-mantle.us-east-1.api.aws", "us-east-1", "bedrock-mantle"},
		{"apiKey: env:K, region: us-east-1", keys,
		 "bedrock-runtime.us-east-1.amazonaws.com", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool bedrock = strstr(cases[i].keys, "provider:") == NULL;
		const struct keeper_target *k;
		const struct egress_target *e;
		struct fixture f;
		char text[512];

		snprintf(text, sizeof(text), "targets: {a: {%s%s}}",
			 bedrock ? "provider: bedrock, " : "", cases[i].keys);
		assert_int_equal(open_fixture(&f, text, cases[i].env), 0);
		k = &f.p.keeper.targets[0];
		e = &f.p.egress.targets[0];
		assert_text(e->authority, cases[i].authority);
		assert_true(has_text(f.p.resolver.egress_names, f.p.resolver.negress_names,
				     e->host.ptr));
		assert_int_equal(k->is_signed, cases[i].region != NULL);
		assert_int_equal(e->is_signed, cases[i].region != NULL);
		assert_int_equal(e->nheaders, cases[i].region == NULL);
		if (cases[i].region != NULL) {
			assert_text(k->region, cases[i].region);
			assert_text(k->service, cases[i].service);
			assert_text(e->region, cases[i].region);
			assert_text(e->service, cases[i].service);
		}
		close_fixture(&f);
	}
}

/* The identity for all is completed for a target that is signed by it; else there is no need. */
static void
test_identity_of_signed_targets(void **state)
{
	static const char *const keys[] = {"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=x",
					   NULL};
	struct fixture f;

	(void)state;
	assert_int_equal(
		open_fixture(&f, "targets: {a: {provider: bedrock, region: us-east-1}}", keys), 0);
	assert_int_equal(f.p.keeper.nidentities, 1);
	assert_int_equal(f.p.keeper.identities[0].source, IDENTITY_FROM_ENVIRONMENT);
	close_fixture(&f);
	assert_int_equal(
		open_fixture(&f,
			     "targets: {a: {provider: bedrock, region: us-east-1, aws: "
			     "{assumeRole: {roleArn: 'arn:aws:iam::123456789012:role/r'}}}}",
			     keys),
		0);
	assert_int_equal(f.p.keeper.nidentities, 2);
	assert_int_equal(f.p.keeper.targets[0].identity, 1);
	assert_int_equal(f.p.keeper.identities[0].source, IDENTITY_FROM_NOTHING);
	assert_text(f.p.keeper.identities[1].region, "us-east-1");
	close_fixture(&f);
}

/* A region must be had from somewhere, and the environment's endpoint be one that may be used. */
static void
test_bad_signed_targets(void **state)
{
	static const char *const none[] = {NULL};
	static const char *const plain[] = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:9",
					    NULL};
	struct fixture f;

	(void)state;
	assert_int_equal(open_fixture(&f, "targets: {a: {provider: bedrock}}", none), -1);
	assert_string_equal(f.faults.items[0].path, "targets.a.region");
	close_fixture(&f);
	assert_int_equal(
		open_fixture(&f, "targets: {a: {provider: bedrock, region: us-east-1}}", plain),
		-1);
	assert_string_equal(f.faults.items[0].path, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME");
	close_fixture(&f);
}

/* At the endpoint that is named for Mantle, whose host does not say so, calls are signed for it. */
static void
test_endpoint_of_mantle(void **state)
{
#define ALL             "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=x"
#define OWN             "AWS_ENDPOINT_URL_BEDROCK_MANTLE=https://mantle.internal"
#define AT(url)         "targets: {a: {provider: openai, auth: sigv4, apiBase: '" url "'}}\n"
#define ENDPOINTS(list) "aws: {endpoints: {" list "}}\n"
	static const char *const keys[] = {ALL, NULL};
	static const char *const own[] = {ALL, OWN, NULL};
	static const char *const ignored[] = {ALL, OWN, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
					      NULL};
	static const char *const odd[] = {ALL, "AWS_ENDPOINT_URL_BEDROCK_MANTLE=mantle.internal",
					  NULL};
	static const char *const general[] = {ALL, "AWS_ENDPOINT_URL=https://mantle.internal",
					      NULL};
	static const struct {
		const char *text, *const *env, *service;
	} cases[] = {
		{AT("https://mantle.internal/openai/v1")
			 ENDPOINTS("bedrockMantle: 'https://Mantle.internal:443'"),
		 keys, "bedrock-mantle"},
		{AT("https://MANTLE.internal/v1"), own, "bedrock-mantle"},
		{AT("https://[::1]:8/v1") ENDPOINTS("bedrockMantle: 'https://[::1]:8'"), keys,
		 "bedrock-mantle"},
		{AT("https://mantle.internal/v1"), ignored, "bedrock"},
		{AT("https://mantle.internal/v1"), odd, "bedrock"},
		{AT("https://mantle.internal/v1"), general, "bedrock"}, /* of all services */
		{AT("https://mantle.internal:8443/v1"), own, "bedrock"},
		{AT("https://other.mantle.internal/v1"), own, "bedrock"},
		{AT("https://mantle.internal/v1") ENDPOINTS("bedrockMantle: 'https://a.example'"),
		 own, "bedrock"}, /* the configuration's wins */
		{"targets: {a: {provider: bedrock}}\n" ENDPOINTS(
			 "bedrockRuntime: 'https://all.example', "
			 "bedrockMantle: 'https://all.example'"),
		 keys, "bedrock"}, /* it is there as Bedrock */
	};
#undef ALL
#undef OWN
#undef AT
#undef ENDPOINTS

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;

		assert_int_equal(open_fixture(&f, cases[i].text, cases[i].env), 0);
		assert_text(f.p.keeper.targets[0].service, cases[i].service);
		assert_text(f.p.egress.targets[0].service, cases[i].service);
		close_fixture(&f);
	}
}

/* Agents have a host of their own: a second target, which nobody names and no default finds. */
static void
test_second_host(void **state)
{
	static const char *const env[] = {"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=x",
					  "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME=https://a:8443",
					  NULL};
	static const char text[] =
		"targets: {a: {provider: bedrock, region: us-east-1, operations: [converse, "
		"agents, knowledgeBases], aws: {assumeRole: {roleArn: "
		"'arn:aws:iam::123456789012:role/r'}}}, b: {apiBase: https://h, apiKey: none}}";
	struct fixture f;
	const struct ingress_plan *g = &f.p.ingress;

	(void)state;
	assert_int_equal(open_fixture(&f, text, env), 0);
	assert_int_equal(g->ntargets, 3);
	assert_text(g->targets[2].name, "a.agents");
	assert_int_equal(g->targets[0].agents, 2);
	assert_int_equal(g->targets[1].agents, 0);
	assert_int_equal(g->targets[2].operations, OPERATIONS_OF_AGENTS);
	assert_int_equal(g->targets[0].operations, 1u << OPERATION_CONVERSE);
	assert_int_equal(f.p.egress.targets[0].operations, 1u << OPERATION_CONVERSE);
	assert_text(f.p.egress.targets[0].authority, "bedrock-runtime.us-east-1.amazonaws.com");
	assert_text(f.p.egress.targets[2].authority, "a:8443");
	assert_text(f.p.egress.targets[2].service, "bedrock");
	assert_int_equal(f.p.keeper.targets[0].identity, 1);
	assert_int_equal(f.p.keeper.targets[2].identity, 1);
	assert_int_equal(g->default_targets[DIALECT_BEDROCK].number, 0);
	assert_int_equal(g->default_targets[DIALECT_OPENAI].number, 1);
	assert_true(g->targets[0].required && g->targets[2].required);
	close_fixture(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signed_targets),
		cmocka_unit_test(test_identity_of_signed_targets),
		cmocka_unit_test(test_bad_signed_targets),
		cmocka_unit_test(test_endpoint_of_mantle),
		cmocka_unit_test(test_second_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
