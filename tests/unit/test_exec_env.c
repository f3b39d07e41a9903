/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "cli/exec_env.h"
#include "policy/access/operations.h"

enum {
	OPENAI = 1 << DIALECT_OPENAI,
	ANTHROPIC = 1 << DIALECT_ANTHROPIC,
	AZURE = 1 << DIALECT_AZURE,
	BEDROCK = 1 << DIALECT_BEDROCK,
};

static struct pool pool;

static char **
make(const char *const *own, uint32_t dialects, const char *named, bool isolated)
{
	const struct plan_text name = {span_of(named)};
	const struct exec_env_options o = {
		.named = &name,
		.nnamed = named != NULL,
		.dialects = dialects,
		.address = "127.0.0.1:4000",
		.token = "sk-sidekey-run",
		.region = "eu-west-1",
		.isolated = isolated,
	};

	return exec_env_make((char *const *)(uintptr_t)own, &o, &pool);
}

static int
set_up(void **state)
{
	(void)state;
	pool_init(&pool, 1024 * 1024);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	pool_free(&pool);
	return 0;
}

static size_t
count(char *const *env, const char *entry)
{
	size_t n = 0;

	for (; *env != NULL; env++)
		n += strcmp(*env, entry) == 0;
	return n;
}

static size_t
count_name(char *const *env, const char *name)
{
	size_t n = 0;

	for (; *env != NULL; env++)
		n += span_is(span_cut(span_of(*env), 0, strcspn(*env, "=")), name);
	return n;
}

static void
each_dialect_has_its_variables(void **state)
{
	static const struct {
		uint32_t dialects; /* that set it */
		const char *entry;
	} rows[] = {
		{OPENAI, "OPENAI_BASE_URL=http://127.0.0.1:4000/v1"},
		{OPENAI, "OPENAI_API_KEY=sk-sidekey-run"},
		{OPENAI, "LITELLM_PROXY_API_BASE=http://127.0.0.1:4000"},
		{OPENAI, "LITELLM_PROXY_API_KEY=sk-sidekey-run"},
		{ANTHROPIC, "ANTHROPIC_BASE_URL=http://127.0.0.1:4000"},
		{ANTHROPIC, "ANTHROPIC_API_KEY=sk-sidekey-run"},
		{AZURE, "AZURE_OPENAI_ENDPOINT=http://127.0.0.1:4000"},
		{AZURE, "AZURE_OPENAI_API_KEY=sk-sidekey-run"},
		{BEDROCK, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:4000/bedrock"},
		{BEDROCK, "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME=http://127.0.0.1:4000/bedrock"},
		{BEDROCK, "ANTHROPIC_BEDROCK_BASE_URL=http://127.0.0.1:4000/bedrock"},
		{BEDROCK, "AWS_ACCESS_KEY_ID=sk-sidekey-run"},
		{BEDROCK, "AWS_SECRET_ACCESS_KEY=none"},
		{BEDROCK, "AWS_REGION=eu-west-1"},
		{BEDROCK, "AWS_DEFAULT_REGION=eu-west-1"},
		{OPENAI | ANTHROPIC | AZURE | BEDROCK, "AWS_CONFIG_FILE=/dev/null"},
		{OPENAI | ANTHROPIC | AZURE | BEDROCK, "AWS_SHARED_CREDENTIALS_FILE=/dev/null"},
		{OPENAI | ANTHROPIC | AZURE | BEDROCK, "AWS_EC2_METADATA_DISABLED=true"},
	};
	static const char *const own[] = {NULL};

	(void)state;
	for (unsigned d = 0; d < DIALECTS; d++) {
		char **env = make(own, 1U << d, NULL, false);

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			assert_int_equal(count(env, rows[i].entry), rows[i].dialects >> d & 1);
	}
}

static void
what_leads_past_sidekey_goes(void **state)
{
	static const struct {
		const char *entry, *why;
		bool stays, stays_isolated;
	} rows[] = {
		{"PATH=/usr/bin", "the user's own", true, true},
		{"EMPTY=", "an empty one is one", true, true},
		{"EQUALS=a=b", "the first = ends the name", true, true},
		{"AWSOME=1", "not of AWS", true, true},
		{"OPENAI_API_KEY=sk-real", "replaced, or gone where nobody speaks it", false,
		 false},
		{"ANTHROPIC_API_KEY=sk-real", "the same", false, false},
		{"ANTHROPIC_AUTH_TOKEN=real", "goes before the key in the SDK", false, false},
		{"OPENAI_API_BASE=https://api", "an older name of the address", false, false},
		{"ANTHROPIC_BEDROCK_BASE_URL=https://b", "another address", false, false},
		{"ANTHROPIC_CUSTOM_HEADERS=Authorization: Bearer real", "a key", false, false},
		{"OPENAI_CUSTOM_HEADERS=x-trace: 1\nCF-Access-Client-Secret: real",
		 "a key behind another header", false, false},
		{"ANTHROPIC_CUSTOM_HEADERS=anthropic-beta: a,b\n\nUser-Agent: me\n",
		 "headers that go through", true, true},
		{"OPENAI_CUSTOM_HEADERS=", "none", true, true},
		{"AWS_PROFILE=work", "an identity", false, false},
		{"AWS_SESSION_TOKEN=real", "an identity", false, false},
		{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://x", "an identity", false, false},
		{"AWS_REGION=us-west-2", "of an identity that is gone", false, false},
		{"SIDEKEY_API_KEY=env:X", "sidekey's own", false, false},
		{"SIDEKEY_CONFIG_CONTENT=x", "sidekey's own", false, false},
		{"MY_KEY=secret-of-gateway", "a reference names it", false, false},
		{"URL=https://u:secret-of-gateway@x/", "repeats it", false, false},
		{"SSH_AUTH_SOCK=/tmp/agent", "a socket of the host", true, false},
		{"DBUS_SESSION_BUS_ADDRESS=unix:x", "a socket of the host", true, false},
		{"DOCKER_HOST=unix:///x", "a socket of the host", true, false},
		{"XDG_RUNTIME_DIR=/run/user/1", "sockets of the host", true, false},
		{"https_proxy=http://u:p@proxy", "cannot be reached", true, false},
		{"no equals sign", "not a variable", false, false},
	};
	const char *own[sizeof(rows) / sizeof(rows[0]) + 1] = {NULL};
	char **env, **isolated;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		own[i] = rows[i].entry;
	env = make(own, AZURE, "MY_KEY", false);
	isolated = make(own, AZURE, "MY_KEY", true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(count(env, rows[i].entry), rows[i].stays);
		assert_int_equal(count(isolated, rows[i].entry), rows[i].stays_isolated);
	}
	assert_int_equal(count_name(env, "OPENAI_API_KEY"), 0);
}

static void
a_short_value_may_be_repeated(void **state)
{
	static const char *const own[] = {"MY_KEY=1", "N=1", "M=21", NULL};
	char **env = make(own, OPENAI, "MY_KEY", false);

	(void)state;
	assert_int_equal(count(env, "N=1") + count(env, "M=21"), 2);
	assert_int_equal(count_name(env, "MY_KEY"), 0);
}

static void
a_name_stands_once(void **state)
{
	static const char *const own[] = {"OPENAI_API_KEY=a", "X=1", "OPENAI_API_KEY=b", NULL};
	char **env = make(own, OPENAI, "OPENAI_API_KEY", false);

	(void)state;
	assert_int_equal(count_name(env, "OPENAI_API_KEY"), 1);
	assert_int_equal(count(env, "OPENAI_API_KEY=sk-sidekey-run"), 1);
	assert_int_equal(count(env, "X=1"), 1);
}

static void
no_proxy_is_made_longer(void **state)
{
	static const struct {
		const char *own[3];
		const char *upper, *lower;
	} rows[] = {
		{{NULL}, "NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost"},
		{{"NO_PROXY=", NULL},
		 "NO_PROXY=127.0.0.1,localhost",
		 "no_proxy=127.0.0.1,localhost"},
		{{"no_proxy=.corp", NULL},
		 "NO_PROXY=.corp,127.0.0.1,localhost",
		 "no_proxy=.corp,127.0.0.1,localhost"},
		{{"NO_PROXY=a", "no_proxy=b", NULL},
		 "NO_PROXY=a,127.0.0.1,localhost",
		 "no_proxy=b,127.0.0.1,localhost"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char **env = make(rows[i].own, OPENAI, NULL, false);

		assert_int_equal(count(env, rows[i].upper) + count(env, rows[i].lower), 2);
		assert_int_equal(count_name(env, "NO_PROXY") + count_name(env, "no_proxy"), 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_dialect_has_its_variables, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_leads_past_sidekey_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_short_value_may_be_repeated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_stands_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_proxy_is_made_longer, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
