/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "aws/arn.h"
#include "box/spawn.h"
#include "config/plan_identity.h"
#include "plans.h"

static const char full[] =
	"listen: [127.0.0.1:7717, {unix: /run/a.sock, mode: '0660', group: 7}]\n"
	"hosts: [SideKey]\n"
	"admin: [0.0.0.0:80]\n"
	"sandbox: {require: [landlockNet]}\n"
	"targets:\n"
	"  litellm:\n"
	"    provider: litellm\n"
	"    apiBase: https://LiteLLM.internal:4000/base/\n"
	"    apiKey: '" ARN "k-AbCdEf'\n"
	"    headers:\n"
	"      X-Team: research\n"
	"      X-Two: 'a ${env:TWO} b ${file:/etc/keys/three} c'\n"
	"      X-Opt: '${env:OPT?}'\n"
	"    cloudflareAccess: {clientId: '" ARN "cf-XyZ123:id::', clientSecret: env:CF}\n"
	"    tls: {ca: /etc/tls/ca.crt, clientCert: /etc/tls/tls.crt, clientKey: file:/k/tls.key, "
	"serverName: Other.Name}\n"
	"    query: {api-version: 'a b/c'}\n"
	"    timeouts: {connect: 1s}\n"
	"  plain:\n"
	"    apiBase: http://10.0.0.5/v1\n"
	"    allowPlaintext: true\n"
	"    apiKey: env:TWO\n"
	"  claude:\n"
	"    provider: anthropic\n"
	"    apiBase: 'https://[2001:db8::1]'\n"
	"    apiKey: '" ARN "k-AbCdEf'\n"
	"    headers: {X-Opt: '${env:OPT}'}\n"
	"models: [{match: 'x/*', target: plain, stripPrefix: x/}]\n"
	"defaultTarget: litellm\n";

static const char *const with_keys[] = {"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=x",
					"AWS_SESSION_TOKEN=t",
					"AWS_CONTAINER_AUTHORIZATION_TOKEN=not-this-one", NULL};

static void
test_slots(void **state)
{
	static const struct {
		const char *name, *reference;
		enum reference_kind kind;
		bool optional;
	} want[] = {
		{"litellm.apiKey", ARN "k-AbCdEf", REFERENCE_SECRETS_MANAGER, false},
		{"litellm.headers.X-Two", "env:TWO", REFERENCE_ENV, false},
		{"litellm.headers.X-Two", "file:/etc/keys/three", REFERENCE_FILE, false},
		{"litellm.headers.X-Opt", "env:OPT", REFERENCE_ENV, false}, /* required by claude */
		{"litellm.cloudflareAccess.clientId",
		 ARN "cf-XyZ123:id::", REFERENCE_SECRETS_MANAGER, false},
		{"litellm.cloudflareAccess.clientSecret", "env:CF", REFERENCE_ENV, false},
		{"litellm.tls.ca", "file:/etc/tls/ca.crt", REFERENCE_FILE, false},
		{"litellm.tls.clientCert", "file:/etc/tls/tls.crt", REFERENCE_FILE, false},
		{"litellm.tls.clientKey", "file:/k/tls.key", REFERENCE_FILE, false},
	};
	struct fixture f;
	const struct keeper_plan *k = &f.p.keeper;

	(void)state;
	assert_int_equal(open_fixture(&f, full, with_keys), 0);
	assert_int_equal(k->nslots, COUNT(want));
	assert_int_equal(f.p.egress.nslots, COUNT(want));
	assert_int_equal(f.p.ingress.nslots, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_text(k->slots[i].name, want[i].name);
		assert_text(k->slots[i].reference, want[i].reference);
		assert_text(f.p.ingress.slots[i].name, want[i].name);
		assert_int_equal(k->slots[i].kind, want[i].kind);
		assert_int_equal(k->slots[i].optional, want[i].optional);
	}
	assert_text(k->slots[0].at.host, "secretsmanager.us-east-1.amazonaws.com");
	assert_int_equal(k->slots[0].at.port, 443);
	assert_true(k->slots[0].at.https);
	assert_int_equal(k->slots[0].at.resolve, 0);
	assert_int_equal(k->slots[1].at.resolve, PLAN_NONE);
	assert_int_equal(k->nnames, 1);
	assert_int_equal(k->nports, 1);
	assert_int_equal(k->nread_dirs, 3);
	assert_true(has_text(k->read_dirs, k->nread_dirs, "/etc/keys"));
	assert_true(has_text(k->read_dirs, k->nread_dirs, "/etc/tls"));
	assert_true(has_text(k->read_dirs, k->nread_dirs, "/k"));
	assert_int_equal(k->targets[0].ca, 6);
	assert_int_equal(k->targets[0].key, 8);
	assert_false(k->targets[0].system_ca);
	assert_false(k->targets[1].system_ca);
	assert_true(k->targets[2].system_ca);
	assert_int_equal(k->targets[2].cert, PLAN_NONE);
	assert_int_equal(k->identities[0].source, IDENTITY_FROM_ENVIRONMENT);
	assert_true(k->require_landlock_net);
	assert_false(k->require_landlock);
	assert_int_equal(f.p.nenv_names, 6);
	assert_true(has_text(f.p.env_names, f.p.nenv_names, "AWS_SESSION_TOKEN"));
	assert_true(has_text(f.p.env_names, f.p.nenv_names, "OPT"));
	close_fixture(&f);
}

static void
test_egress(void **state)
{
	struct fixture f;
	const struct egress_plan *e = &f.p.egress;
	const struct egress_target *t;

	(void)state;
	assert_int_equal(open_fixture(&f, full, with_keys), 0);
	t = &e->targets[0];
	assert_text(t->host, "litellm.internal");
	assert_text(t->authority, "litellm.internal:4000");
	assert_text(t->base_path, "/base");
	assert_text(t->server_name, "other.name");
	assert_int_equal(t->resolve, 0);
	assert_true(t->has_tls_client);
	assert_true(t->access);
	assert_int_equal(t->connect_ms, 1000);
	assert_text(t->query[0].value, "a%20b%2Fc");
	assert_int_equal(t->nheaders, 6);
	assert_text(t->headers[0].name, "Authorization");
	assert_text(t->headers[0].parts[0].literal, "Bearer ");
	assert_int_equal(t->headers[0].parts[1].slot, 0);
	assert_int_equal(t->headers[1].parts[0].slot, PLAN_NONE);
	assert_int_equal(t->headers[2].nparts, 5);
	assert_text(t->headers[2].parts[2].literal, " b ");
	assert_int_equal(t->headers[2].parts[3].slot, 2);
	assert_true(t->headers[3].optional);
	assert_text(t->headers[4].name, "CF-Access-Client-Id");
	assert_int_equal(t->headers[5].parts[0].slot, 5);
	t = &e->targets[1];
	assert_false(t->https);
	assert_int_equal(t->port, 80);
	assert_text(t->authority, "10.0.0.5");
	assert_int_equal(t->resolve, PLAN_NONE);
	t = &e->targets[2];
	assert_text(t->host, "2001:db8::1");
	assert_text(t->authority, "[2001:db8::1]");
	assert_text(t->base_path, "");
	assert_text(t->headers[0].name, "x-api-key");
	assert_int_equal(t->headers[0].nparts, 1);
	assert_false(t->headers[1].optional);
	assert_int_equal(f.p.resolver.negress_names, 1);
	assert_int_equal(e->nports, 3);
	close_fixture(&f);
}

static void
test_ingress(void **state)
{
	static const char *const agent[] = {"127.0.0.1:7717", "localhost:7717", "[::1]:7717",
					    "sidekey:7717", "sidekey"};
	static const char *const admin[] = {
		"127.0.0.1:80", "127.0.0.1",  "localhost:80", "localhost",  "[::1]:80",
		"[::1]",        "0.0.0.0:80", "0.0.0.0",      "sidekey:80", "sidekey"};
	struct fixture f;
	const struct ingress_plan *g = &f.p.ingress;

	(void)state;
	assert_int_equal(open_fixture(&f, full, with_keys), 0);
	assert_int_equal(g->nlisteners, 3);
	assert_int_equal(g->listeners[0].fd, SPAWN_FIRST_LISTENER);
	assert_int_equal(g->listeners[2].fd, SPAWN_FIRST_LISTENER + 2);
	assert_int_equal(g->listeners[0].nhosts, COUNT(agent));
	for (size_t i = 0; i < COUNT(agent); i++)
		assert_text(g->listeners[0].hosts[i].text, agent[i]);
	assert_true(g->listeners[1].is_unix);
	assert_int_equal(g->listeners[1].nhosts, 0);
	assert_int_equal(f.p.listeners[1].mode, 0660);
	assert_int_equal(f.p.listeners[1].group, 7);
	assert_string_equal(f.p.listeners[1].path.ptr, "/run/a.sock");
	assert_string_equal(f.p.listeners[0].host.ptr, "127.0.0.1");
	assert_false(g->listeners[0].any_ip_host);
	assert_true(g->listeners[2].is_admin);
	assert_true(g->listeners[2].any_ip_host);
	assert_int_equal(g->listeners[2].nhosts, COUNT(admin));
	for (size_t i = 0; i < COUNT(admin); i++)
		assert_text(g->listeners[2].hosts[i].text, admin[i]);
	assert_int_equal(g->targets[0].nslots, 8);         /* all but the optional header's */
	assert_int_equal(f.p.keeper.targets[0].nslots, 9); /* that, too */
	assert_int_equal(g->targets[2].nslots, 2);
	assert_true(g->has_models);
	assert_int_equal(g->models[0].target, 1);
	assert_int_equal(g->ttl_ms, f.p.keeper.ttl_ms);
	assert_int_equal(g->max_stale_ms, f.p.keeper.max_stale_ms);
	close_fixture(&f);
}

#define T(name, provider)                                                                          \
	name ": {provider: " provider ", apiBase: 'https://" name "', apiKey: none"

static void
test_default_targets(void **state)
{
	static const struct {
		const char *text;
		uint16_t openai, anthropic, azure;
		bool required[3];
		const char *comment;
	} cases[] = {
		{"targets: {" T("a", "openai") "}}", 0, 0, 0, {true}, "one takes everything"},
		{"targets: {" T("a", "openai") "}, " T("b", "openai") "}}",
		 PLAN_NONE,
		 PLAN_NONE,
		 PLAN_NONE,
		 {false, false},
		 "two that speak it, and none is named"},
		{"targets: {" T("a", "openai") "}, " T("b", "anthropic") "}}",
		 0,
		 1,
		 PLAN_NONE,
		 {true, true},
		 "each dialect to the only one that speaks it"},
		{"targets: {" T("a", "openai") "}, " T("b", "anthropic") "}}\ndefaultTarget: a",
		 0,
		 1,
		 0,
		 {true, true},
		 "the only speaker goes before one that does not speak it"},
		{"targets: {" T("a", "openai") "}, " T("b", "openai") ", required: true}}\n"
								      "defaultTarget: {openai: a}",
		 0,
		 PLAN_NONE,
		 PLAN_NONE,
		 {true, true},
		 "a map by dialect; required is said"},
		{"targets: {" T("a", "openai") ", required: false}}",
		 0,
		 0,
		 0,
		 {false},
		 "required is denied"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;
		const struct ingress_plan *g = &f.p.ingress;

		assert_int_equal(open_fixture(&f, cases[i].text, NULL), 0);
		assert_int_equal(g->ndefault_targets, DIALECTS);
		if (g->default_targets[DIALECT_OPENAI].number != cases[i].openai ||
		    g->default_targets[DIALECT_ANTHROPIC].number != cases[i].anthropic ||
		    g->default_targets[DIALECT_AZURE].number != cases[i].azure)
			fail_msg("%s", cases[i].comment);
		for (size_t t = 0; t < g->ntargets; t++)
			if (g->targets[t].required != cases[i].required[t])
				fail_msg("required: %s", cases[i].comment);
		close_fixture(&f);
	}
}

static void
test_stores(void **state)
{
	static const char *const both[] = {"AWS_ENDPOINT_URL_SECRETS_MANAGER=http://127.0.0.1:5000",
					   "AWS_ENDPOINT_URL=https://all.example", NULL};
	static const char *const all[] = {"AWS_ENDPOINT_URL=https://All.example:8443/", NULL};
	static const char *const ignored[] = {"AWS_ENDPOINT_URL=https://all.example",
					      "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", NULL};
	static const char *const plain[] = {"AWS_ENDPOINT_URL=http://10.0.0.1", NULL};
	static const char *const path[] = {"AWS_ENDPOINT_URL=https://h/x", NULL};
	static const char cn[] = STORE("arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:"
				       "k-AbCdEf");
	static const char named[] =
		STORE(ARN "k-AbCdEf") "aws: {endpoints: {secretsmanager: 'https://vpce.example'}}";
	static const struct {
		const char *text;
		const char *const *env;
		const char *host; /* NULL: refused */
		uint16_t port;
		bool https;
	} cases[] = {
		{STORE(ARN "k-AbCdEf"), NULL, "secretsmanager.us-east-1.amazonaws.com", 443, true},
		{cn, NULL, "secretsmanager.cn-north-1.amazonaws.com.cn", 443, true},
		{STORE(ARN "k-AbCdEf"), both, "127.0.0.1", 5000, false},
		{STORE(ARN "k-AbCdEf"), all, "all.example", 8443, true},
		{STORE(ARN "k-AbCdEf"), ignored, "secretsmanager.us-east-1.amazonaws.com", 443,
		 true},
		{named, both, "vpce.example", 443, true},
		{STORE(ARN "k-AbCdEf"), plain, NULL, 0, false},
		{STORE(ARN "k-AbCdEf"), path, NULL, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;
		int result = open_fixture(&f, cases[i].text, cases[i].env);

		assert_int_equal(result, cases[i].host != NULL ? 0 : -1);
		if (result == 0) {
			assert_text(f.p.keeper.slots[0].at.host, cases[i].host);
			assert_int_equal(f.p.keeper.slots[0].at.port, cases[i].port);
			assert_int_equal(f.p.keeper.ports[0].number, cases[i].port);
			assert_int_equal(f.p.keeper.slots[0].at.https, cases[i].https);
		} else {
			assert_int_equal(f.faults.n, 1);
			assert_string_equal(f.faults.items[0].path, "AWS_ENDPOINT_URL");
		}
		close_fixture(&f);
	}
}

#define SSM_KEY(region) "arn:aws:ssm:" region ":123456789012:parameter/llm/key"
#define PROVIDER(partition, service, region)                                                       \
	"arn:" partition ":" service ":" region                                                    \
	":123456789012:token-vault/default/apikeycredentialprovider/p"

static bool
has_port(const struct keeper_plan *k, uint16_t port)
{
	for (size_t i = 0; i < k->nports; i++)
		if (k->ports[i].number == port)
			return true;
	return false;
}

/* Each kind of ARN has its service, in the ARN's region, by the options of the environment. */
static void
test_services(void **state)
{
	/* Without an identity, whose port would count. */
	static const char *const none[] = {"AWS_EC2_METADATA_DISABLED=true", NULL};
	static const char *const fips[] = {"AWS_EC2_METADATA_DISABLED=true",
					   "AWS_USE_FIPS_ENDPOINT=true", NULL};
	static const char *const dual[] = {"AWS_EC2_METADATA_DISABLED=true",
					   "AWS_USE_DUALSTACK_ENDPOINT=true",
					   "AWS_USE_FIPS_ENDPOINT=false", NULL};
	static const char *const named[] = {
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_SSM=http://127.0.0.1:1",
		"AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL=http://[::1]:2",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=http://127.0.0.1:3", NULL};
	static const char agentcore[] =
		STORE(PROVIDER("aws", "acps", "us-west-2")) "aws: {endpoints: {agentcoreControl: "
							    "'https://vpce.example'}}";
	static const struct {
		const char *text;
		const char *const *env;
		const char *at, *behind; /* NULL: refused */
	} cases[] = {
		{STORE(SSM_KEY("eu-west-1")), none, "ssm.eu-west-1.amazonaws.com", ""},
		{STORE(SSM_KEY("us-east-1")), fips, "ssm-fips.us-east-1.amazonaws.com", ""},
		{STORE(SSM_KEY("eu-west-1")), fips, NULL, NULL},
		{STORE(SSM_KEY("eu-west-1")), dual, "ssm.eu-west-1.api.aws", ""},
		{STORE(SSM_KEY("us-east-1")), named, "127.0.0.1", ""},
		{STORE(PROVIDER("aws", "bedrock-agentcore", "us-west-2")), none,
		 "bedrock-agentcore-control.us-west-2.amazonaws.com",
		 "secretsmanager.us-west-2.amazonaws.com"},
		{STORE(PROVIDER("aws-cn", "acps", "cn-north-1")), none,
		 "bedrock-agentcore-control.cn-north-1.amazonaws.com.cn",
		 "secretsmanager.cn-north-1.amazonaws.com.cn"},
		{STORE(PROVIDER("aws", "acps", "us-west-2")), named, "::1", "127.0.0.1"},
		{STORE(SSM_KEY("us-east-1")) "aws: {endpoints: {ssm: 'https://vpce.example'}}",
		 named, "vpce.example", ""},
		{agentcore, none, "vpce.example", "secretsmanager.us-west-2.amazonaws.com"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;
		const struct keeper_slot *slot;
		int result = open_fixture(&f, cases[i].text, cases[i].env);

		assert_int_equal(result, cases[i].at != NULL ? 0 : -1);
		if (result == 0) {
			slot = &f.p.keeper.slots[0];
			assert_text(slot->at.host, cases[i].at);
			assert_text(slot->behind.host, cases[i].behind);
			assert_true(has_port(&f.p.keeper, slot->at.port));
			if (slot->behind.host.len > 0)
				assert_true(has_port(&f.p.keeper, slot->behind.port));
		} else {
			assert_string_equal(f.faults.items[0].path, "AWS_USE_FIPS_ENDPOINT");
		}
		close_fixture(&f);
	}
}

/* A configuration that asks no store hands the keeper no identity. */
static void
test_no_identity_needed(void **state)
{
	struct fixture f;

	(void)state;
	assert_int_equal(open_fixture(&f, STORE("env:K"), with_keys), 0);
	assert_int_equal(f.p.keeper.nidentities, 1);
	assert_int_equal(f.p.keeper.identities[0].source, IDENTITY_FROM_NOTHING);
	assert_int_equal(f.p.nenv_names, 1);
	assert_false(plans_lack_identity(&f.p));
	close_fixture(&f);
}

/* The single-header mode of Access is one JSON object. */
static void
test_access_header(void **state)
{
	struct fixture f;
	const struct egress_header *h;

	(void)state;
	assert_int_equal(open_fixture(&f,
				      "targets: {a: {apiBase: https://h, apiKey: none, "
				      "cloudflareAccess: {clientId: env:I, clientSecret: env:S, "
				      "header: Authorization}}}",
				      NULL),
			 0);
	assert_int_equal(f.p.egress.targets[0].nheaders, 1);
	h = &f.p.egress.targets[0].headers[0];
	assert_text(h->name, "Authorization");
	assert_int_equal(h->nparts, 5);
	assert_text(h->parts[2].literal, "\", \"cf-access-client-secret\": \"");
	assert_int_equal(h->parts[3].slot, 1);
	close_fixture(&f);
}

/* Packed, unpacked and packed again: the same bytes, and at most what plan_receive gives them. */
static void
check_round_trip(const struct pack_type *type, const void *plan, void *copy)
{
	struct buf once, twice;
	struct pool pool;

	buf_init(&once, 1 << 20);
	buf_init(&twice, 1 << 20);
	assert_int_equal(pack_write(type, plan, &once), 0);
	pool_init(&pool, 8 * once.len + 64 * 1024);
	assert_int_equal(pack_read(type, buf_span(&once), &pool, copy), 0);
	assert_int_equal(pack_write(type, copy, &twice), 0);
	assert_true(span_eq(buf_span(&once), buf_span(&twice)));
	for (size_t n = 0; n < once.len; n++) {
		pool.used = 0;
		assert_int_equal(pack_read(type, span_cut(buf_span(&once), 0, n), &pool, copy), -1);
	}
	pool_free(&pool);
	buf_free(&once);
	buf_free(&twice);
}

static void
test_round_trip(void **state)
{
	struct resolver_plan resolver;
	struct keeper_plan keeper;
	struct egress_plan egress;
	struct ingress_plan ingress;
	struct fixture f;

	(void)state;
	assert_int_equal(open_fixture(&f, full, with_keys), 0);
	check_round_trip(&resolver_plan_type, &f.p.resolver, &resolver);
	check_round_trip(&keeper_plan_type, &f.p.keeper, &keeper);
	check_round_trip(&egress_plan_type, &f.p.egress, &egress);
	check_round_trip(&ingress_plan_type, &f.p.ingress, &ingress);
	close_fixture(&f);
}

static void
tokens_have_slots_of_their_own(void **state)
{
	static const char text[] = "targets: {a: {apiBase: 'https://h', apiKey: 'env:T'}}\n"
				   "adminToken: env:T\n";
	static const char fixed[] =
		"targets: {a: {apiBase: 'https://h', apiKey: 'env:T'}}\n"
		"adminToken: sha256:"
		"00ff0A0000000000000000000000000000000000000000000000000000000001\n";
	struct fixture f;

	(void)state;
	assert_int_equal(open_fixture(&f, text, NULL), 0);
	assert_int_equal(f.p.keeper.nslots, 2);
	assert_false(f.p.keeper.slots[0].is_token);
	assert_true(f.p.keeper.slots[1].is_token);
	assert_int_equal(f.p.keeper.slots[1].least, 0); /* short ones are warned of */
	assert_text(f.p.ingress.slots[1].name, "adminToken");
	assert_int_equal(f.p.ingress.admin_token.slot, 1);
	assert_int_equal(f.p.ingress.admin_token.digest.len, 0);
	assert_int_equal(f.p.ingress.targets[0].nslots, 1); /* calls do not wait for it */
	close_fixture(&f);

	assert_int_equal(open_fixture(&f, fixed, NULL), 0);
	assert_int_equal(f.p.keeper.nslots, 1);
	assert_int_equal(f.p.ingress.admin_token.slot, PLAN_NONE);
	assert_int_equal(f.p.ingress.admin_token.digest.len, 32);
	assert_memory_equal(f.p.ingress.admin_token.digest.ptr, "\x00\xff\x0a\x00", 4);
	assert_int_equal(f.p.ingress.admin_token.digest.ptr[31], 1);
	close_fixture(&f);
}

/* The most that a file can say: what many deployments share is not as often in the plans. */
static void
test_much_query(void **state)
{
	struct fixture f;
	struct buf text;
	char value[4001];

	(void)state;
	memset(value, '%', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	buf_init(&text, 1024 * 1024);
	(void)buf_add_str(&text, "targets:\n");
	for (int t = 0; t < 15; t++) {
		(void)buf_addf(&text, "  t%d:\n    apiKey: none\n    deployments:\n", t);
		for (int d = 0; d < 16; d++)
			(void)buf_addf(&text, "      - {apiBase: 'https://h%d'}\n", d);
		(void)buf_add_str(&text, "    query:\n");
		for (int q = 0; q < 16; q++)
			(void)buf_addf(&text, "      q%d: '%s'\n", q, value);
	}
	(void)buf_add_char(&text, '\0');
	assert_int_equal(open_fixture(&f, text.ptr, NULL), 0);
	assert_int_equal(f.p.egress.ntargets, 15 * 17);
	assert_int_equal(f.p.egress.targets[15 * 17 - 1].nquery, 16);
	assert_text(f.p.egress.targets[15 * 17 - 1].query[15].name, "q15");
	assert_int_equal(f.p.egress.targets[15 * 17 - 1].query[15].value.len, 3 * 4000);
	close_fixture(&f);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_egress),
		cmocka_unit_test(test_ingress),
		cmocka_unit_test(test_default_targets),
		cmocka_unit_test(test_stores),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_no_identity_needed),
		cmocka_unit_test(test_access_header),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_much_query),
		cmocka_unit_test(tokens_have_slots_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
