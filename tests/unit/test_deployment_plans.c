/* SPDX-License-Identifier: Apache-2.0 */
/* Targets with deployments, compiled: what each of them is, and what is refused. */
#include "plans.h"

static const char *const env[] = {"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=x", NULL};

static void
test_each_is_a_target(void **state)
{
	static const char text[] =
		"targets: {b: {apiBase: https://b, apiKey: none}, a: {provider: azure, apiKey: "
		"env:K, headers: {X-T: '${env:H}'}, timeouts: {connect: 2s}, deployments: ["
		"{name: we, apiBase: 'https://we', weight: 3}, "
		"{apiBase: 'https://sc:8443', apiKey: env:OWN}]}}\n"
		"defaultTarget: a\n";
	struct fixture f;
	const struct egress_target *e;
	const struct ingress_target *g;
	const struct keeper_slot *slots;

	(void)state;
	assert_int_equal(open_fixture(&f, text, NULL), 0);
	e = f.p.egress.targets;
	g = f.p.ingress.targets;
	slots = f.p.keeper.slots;
	assert_int_equal(f.p.egress.ntargets, 4);
	assert_text(e[2].name, "a.we");
	assert_text(e[3].name, "a.d2");
	assert_int_equal(e[1].ndeployments, 2);
	assert_int_equal(e[1].deployments[0].target, 2);
	assert_int_equal(e[1].deployments[0].weight, 3);
	assert_int_equal(e[1].deployments[1].target, 3);
	assert_int_equal(e[1].deployments[1].weight, 1);
	assert_false(e[0].is_deployment || e[1].is_deployment);
	assert_true(e[2].is_deployment && e[3].is_deployment);
	assert_int_equal(e[0].ndeployments + e[2].ndeployments + e[3].ndeployments, 0);
	assert_text(e[2].authority, "we");
	assert_true(has_text(f.p.resolver.egress_names, f.p.resolver.negress_names, "we"));
	assert_text(e[2].base_path, "");
	assert_text(e[3].authority, "sc:8443");
	assert_int_equal(e[1].resolve, PLAN_NONE);
	assert_int_equal(e[1].nheaders, 0); /* it is nowhere itself, and holds no key */
	assert_int_equal(e[3].connect_ms, 2000);
	assert_int_equal(e[2].nheaders, 2);
	/* What they share is one slot, named after the target; an own key is another. */
	assert_text(slots[e[2].headers[0].parts[0].slot].name, "a.apiKey");
	assert_text(slots[e[3].headers[0].parts[0].slot].name, "a.d2.apiKey");
	assert_int_equal(e[2].headers[1].parts[0].slot, e[3].headers[1].parts[0].slot);
	assert_text(slots[e[2].headers[1].parts[0].slot].name, "a.headers.X-T");
	/* Ingress knows whose they are, and calls none of them. */
	assert_int_equal(g[1].ndeployments, 2);
	assert_int_equal(g[2].deployment_of, 1);
	assert_int_equal(g[3].deployment_of, 1);
	assert_true(g[2].is_deployment && g[3].is_deployment);
	assert_false(g[0].is_deployment || g[1].is_deployment);
	assert_int_equal(f.p.ingress.default_targets[DIALECT_OPENAI].number, 1);
	assert_true(g[1].required);
	assert_false(g[2].required || g[3].required);
	assert_true(g[1].classic);
	assert_int_equal(f.p.keeper.targets[1].nslots, 0);
	assert_int_equal(f.p.keeper.targets[3].nslots, 2);
	close_fixture(&f);
}

/* Each region is signed for, and so is each region of the agents' host. */
static void
test_regions(void **state)
{
	static const char text[] =
		"targets: {a: {provider: bedrock, operations: [converse, agents], deployments: ["
		"{region: us-east-1}, {region: eu-west-1, weight: 2}]}}";
	static const struct {
		const char *name, *authority, *region;
	} expected[] = {
		{"a.us-east-1", "bedrock-runtime.us-east-1.amazonaws.com", "us-east-1"},
		{"a.eu-west-1", "bedrock-runtime.eu-west-1.amazonaws.com", "eu-west-1"},
		{"a.agents.us-east-1", "bedrock-agent-runtime.us-east-1.amazonaws.com",
		 "us-east-1"},
		{"a.agents.eu-west-1", "bedrock-agent-runtime.eu-west-1.amazonaws.com",
		 "eu-west-1"},
	};
	struct fixture f;

	(void)state;
	assert_int_equal(open_fixture(&f, text, env), 0);
	assert_int_equal(f.p.egress.ntargets, 2 + COUNT(expected));
	assert_int_equal(f.p.ingress.targets[0].agents, 1);
	for (size_t i = 0; i < COUNT(expected); i++) {
		const struct egress_target *e = &f.p.egress.targets[2 + i];

		assert_text(e->name, expected[i].name);
		assert_text(e->authority, expected[i].authority);
		assert_true(e->is_signed && f.p.keeper.targets[2 + i].is_signed);
		assert_text(e->region, expected[i].region);
		assert_text(f.p.keeper.targets[2 + i].region, expected[i].region);
		assert_int_equal(f.p.ingress.targets[2 + i].deployment_of, i / 2);
	}
	for (size_t i = 0; i < 2; i++) {
		assert_false(f.p.egress.targets[i].is_signed || f.p.keeper.targets[i].is_signed);
		assert_int_equal(f.p.egress.targets[i].ndeployments, 2);
		assert_true(f.p.ingress.targets[i].required);
	}
	assert_int_equal(f.p.keeper.nidentities, 1);
	close_fixture(&f);
}

#define OF(keys, list) "targets: {a: {" keys ", deployments: [" list "]}}"
#define TWO            "{apiBase: 'https://x'}, {apiBase: 'https://y'}"

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *path, *message;
	} cases[] = {
		{OF("apiBase: 'https://h', apiKey: none", TWO), "targets.a.apiBase",
		 "beside deployments"},
		{OF("provider: bedrock, region: us-east-1", "{region: us-east-1}, {region: x-y-1}"),
		 "targets.a.region", "beside deployments"},
		{OF("provider: openai", TWO), "targets.a.deployments[0].apiKey", "is missing"},
		{OF("apiKey: none", "{apiBase: 'https://x'}, {weight: 2}"),
		 "targets.a.deployments[1].apiBase", "is missing"},
		{OF("apiKey: none", "{apiBase: 'https://x'}, {apiBase: 'http://y'}"),
		 "targets.a.deployments[1].apiBase", "plain http"},
		{OF("apiKey: none", "{apiBase: 'https://x'}, {apiBase: 'https://x'}"),
		 "targets.a.deployments[1].apiBase", "a second time"},
		{OF("apiKey: none", "{apiBase: 'https://x', name: d2}, {apiBase: 'https://y'}"),
		 "targets.a.deployments[1].name", "called the same"},
		{OF("apiKey: none", "{apiBase: 'https://x', name: agents}, {apiBase: 'https://y'}"),
		 "targets.a.deployments[0].name", "agents"},
		{OF("apiKey: none", "{apiBase: 'https://x', weight: 0}, {apiBase: 'https://y'}"),
		 "targets.a.deployments[0].weight", "out of bounds"},
		{OF("apiKey: none", "{apiBase: 'https://x', region: us-east-1}, " TWO),
		 "targets.a.deployments[0].region", "no effect"},
		{OF("provider: bedrock", "{region: us-east-1}, {name: x}"),
		 "targets.a.deployments[1].region", "is missing"},
		{OF("provider: azure, apiKey: none",
		    "{apiBase: 'https://x'}, {apiBase: 'https://y/openai/v1'}"),
		 "targets.a.deployments[1].apiBase", "Azure's two APIs"},
		{OF("provider: bedrock, operations: [agents]",
		    "{region: us-east-1}, {region: eu-west-1, apiKey: env:K}"),
		 "targets.a.operations", "a host of their own"},
		{OF("apiKey: none", "{apiBase: 'https://x'}"), "targets.a.deployments", "2 to 16"},
		{"targets: {a: {apiBase: 'https://h', apiKey: none}}\n"
		 "models: [{match: m, target: a.d1}]",
		 "models[0].target", "a name is due"},
	};
	struct environment none = {variable, NULL};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config_faults faults;
		struct config *c = NULL;
		bool found = false;

		fault_init(&faults);
		assert_int_equal(config_read_text(span_of(cases[i].text), "t", &none, &c, &faults),
				 -1);
		for (size_t n = 0; n < faults.n; n++)
			found = found ||
				(strcmp(faults.items[n].path, cases[i].path) == 0 &&
				 strstr(faults.items[n].message, cases[i].message) != NULL);
		if (!found) {
			fault_print(&faults, stderr);
			fail_msg("%s is not refused at %s", cases[i].text, cases[i].path);
		}
		fault_free(&faults);
	}
}

/* All that a configuration may have, and one more. */
static void
test_how_many(void **state)
{
	struct environment none = {variable, NULL};
	struct buf text;

	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		struct config_faults faults;
		struct config *c = NULL;

		buf_init(&text, 256 * 1024);
		(void)buf_add_str(&text, "targets:\n");
		for (unsigned t = 0; t < 30; t++) {
			(void)buf_addf(&text, "  t%u: {apiKey: none, deployments: [", t);
			for (unsigned d = 0; d < 16; d++)
				(void)buf_addf(&text, "{apiBase: 'https://h%u-%u'},", t, d);
			(void)buf_add_str(&text, "]}\n");
		}
		for (unsigned t = 0; t < 2 + more; t++)
			(void)buf_addf(&text, "  x%u: {apiBase: 'https://h', apiKey: none}\n", t);
		fault_init(&faults);
		assert_int_equal(config_read_text(buf_span(&text), "t", &none, &c, &faults),
				 more == 0 ? 0 : -1);
		if (c != NULL) {
			struct plans p;

			assert_int_equal(c->targets.n, PLAN_TARGETS_MAX);
			assert_int_equal(project(c, &none, &p, &faults), 0);
			plans_free(&p);
		}
		config_free(c);
		fault_free(&faults);
		buf_free(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_a_target),
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_how_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
