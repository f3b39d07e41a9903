/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/access/models.h"

#define RULE(match, target, strip, as)                                                             \
	{                                                                                          \
		SPAN(match), target, SPAN(strip), SPAN(as)                                         \
	}

static void
rules(void **state)
{
	const struct model_rule list[] = {
		RULE("litellm_proxy/*", 1, "litellm_proxy/", ""),
		RULE("gpt-4o", 1, "", "my-deployment"),
		RULE("claude-*", 2, "", ""),
		RULE("claude-haiku", 3, "", ""),
		RULE("a*b", 4, "x", ""),
	};
	static const struct {
		const char *model;
		long rule;
		const char *sent;
		const char *why;
	} rows[] = {
		{"litellm_proxy/claude", 0, "claude", "the prefix is cut"},
		{"litellm_proxy/", 0, "litellm_proxy/", "nothing would be left"},
		{"gpt-4o", 1, "my-deployment", "an alias"},
		{"gpt-4o-mini", -1, NULL, "exact means exact"},
		{"GPT-4o", -1, NULL, "models have a case"},
		{"claude-haiku", 2, "claude-haiku", "the first rule wins"},
		{"claude-", 2, "claude-", "the prefix alone"},
		{"claude", -1, NULL, "less than the prefix"},
		{"a*b", 4, "a*b", "an asterisk within is itself"},
		{"axb", -1, NULL, "and nothing else"},
		{"", -1, NULL, "no name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span model = span_of(rows[i].model);
		long got = model_pick(list, sizeof(list) / sizeof(list[0]), model);

		if (got != rows[i].rule)
			fail_msg("%s: %s: %ld", rows[i].model, rows[i].why, got);
		if (got >= 0 && !span_is(model_sent(&list[got], model), rows[i].sent))
			fail_msg("%s: %s", rows[i].model, rows[i].why);
	}
	assert_int_equal(model_pick(NULL, 0, SPAN("a")), -1);
}

/* A rule that can never be the first to match, by what stands before it. */
static void
shadows(void **state)
{
	const struct model_rule list[] = {
		RULE("claude-haiku", 0, "", ""),
		RULE("claude-*", 0, "", ""),
		RULE("claude-haiku", 0, "", ""),   /* the same again */
		RULE("claude-haiku-*", 0, "", ""), /* narrower */
		RULE("claude-*", 0, "x", ""),      /* the same, with another end */
		RULE("claude", 0, "", ""),
		RULE("cl*", 0, "", ""), /* wider */
		RULE("a*b", 0, "", ""), /* an asterisk within is a character */
		RULE("*", 0, "", ""),
		RULE("gpt-4o", 0, "", ""),
		RULE("my model", 0, "", ""), /* no '*' stands for a blank, … */
		RULE("my *", 0, "", ""),
		RULE("my *", 0, "", ""), /* … but one may stand behind it */
		RULE("a,b", 0, "", ""),
		RULE("../*", 0, "", ""), /* nor for a way out of a path */
		RULE("*", 0, "", ""),
	};
	static const long by[] = {-1, -1, 0, 1, 1, -1, -1, -1, -1, 8, -1, -1, 11, -1, -1, 8};

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		long got = model_shadowed(list, i);

		if (got != by[i])
			fail_msg("%zu: %ld", i, got);
	}
}

#define TEXT(literal)                                                                              \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

/* Names of models in use, as they stand in front of and behind a prefix's '*'. */
static const char *const plain[] = {
	"",
	"gpt-4o",
	"ft:gpt-4o-mini-2024-07-18:my-org:suffix_1:id",
	"us.anthropic.claude-sonnet-4-20250514-v1:0",
	"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2",
	"arn:aws-us-gov:sagemaker:us-gov-west-1:123456789012:endpoint/my.endpoint",
	"claude-3-5-sonnet@20240620",
	"meta-llama/Llama-3.1-8B-Instruct:free",
	"@cf/meta/llama-3-8b",
	"hf.co/a/b:Q4_K_M",
	"~anthropic/claude-latest",
	"a+b",
	"..a",
	"a..b/.c",
};

static const struct {
	struct span rest;
	const char *why;
} odd[] = {
	{TEXT("x,gpt-5"), "LiteLLM calls every name of such a list"},
	{TEXT(","), "an empty one too"},
	{TEXT("x, gpt-5"), "with a blank"},
	{TEXT("x;gpt-5"), "another list"},
	{TEXT("x|gpt-5"), "and another"},
	{TEXT(" x"), "a blank in front"},
	{TEXT("x "), "behind"},
	{TEXT("x y"), "between"},
	{TEXT("x\t"), "a tab"},
	{TEXT("x\ngpt-5"), "a line end"},
	{TEXT("x\r"), "half of one"},
	{TEXT("x\0gpt-5"), "what ends a C string"},
	{TEXT("x\x7f"), "a control character"},
	{TEXT("x\x1b[0m"), "another"},
	{TEXT("x?model=gpt-5"), "a query, where the name goes into a path"},
	{TEXT("x#y"), "the end of a path"},
	{TEXT("x%2cgpt-5"), "an escape that somebody undoes"},
	{TEXT("x%2F.."), "another"},
	{TEXT("x&model=gpt-5"), "a form's next field"},
	{TEXT("x\\..\\y"), "backslashes"},
	{TEXT("x/../gpt-5"), "a way out of a path"},
	{TEXT("x/./y"), "a segment that goes"},
	{TEXT("x/.."), "the last one"},
	{TEXT("/.."), "the first one"},
	{TEXT("x//y"), "an empty one"},
	{TEXT("/https://evil.example/x"), "an address, which LiteLLM calls with the key"},
	{TEXT("x*"), "many names"},
	{TEXT("x\""), "a quote"},
	{TEXT("${x}"), "what a template fills in"},
	{TEXT("<x>"), "brackets"},
	{TEXT("x\xc2\xa0"), "a blank that is not ASCII"},
	{TEXT("x\xef\xbc\x8cy"), "a wide comma"},
	{TEXT("x\xff"), "not UTF-8"},
};

/* A '*' stands for the rest of one name: not for several, nor for what is no name. */
static void
prefixes(void **state)
{
	const struct model_rule rule = RULE("a/b*", 1, "", ""), any = RULE("*", 1, "", "");

	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		char name[128] = "a/b";

		strcat(name, plain[i]);
		if (model_pick(&rule, 1, span_of(name)) != 0 ||
		    !model_is_listed(&rule.match, 1, span_of(name)) ||
		    model_pick(&any, 1, span_of(plain[i])) != 0)
			fail_msg("%s", plain[i]);
	}
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		char text[128] = "a/b";
		struct span name = {text, 3 + odd[i].rest.len};
		struct model_rule exact = rule;

		memcpy(text + 3, odd[i].rest.ptr, odd[i].rest.len);
		exact.match = name;
		if (model_pick(&rule, 1, name) >= 0 || model_is_listed(&rule.match, 1, name))
			fail_msg("%s (%s)", text, odd[i].why);
		if (!span_ends(name, SPAN("*")) && model_pick(&exact, 1, name) != 0)
			fail_msg("%s: the operator wrote it (%s)", text, odd[i].why);
	}
	assert_int_equal(model_pick(&any, 1, SPAN("..")), -1);
	assert_int_equal(model_pick(&any, 1, SPAN("//evil.example")), -1);
}

static const char *const steering[] = {
	"fastest_response",
	"api_base",
	"base_url",
	"api_key",
	"api_version",
	"extra_headers",
	"extra_body",
	"custom_llm_provider",
	"aws_role_name",
	"aws_",
	"vertex_credentials",
	"model_list",
	"user_config",
	"fallbacks",
	"models",
	"context_window_fallback_dict",
	"litellm_credential_name",
	"litellm_params",
	"deployment_id",
	"provider",
	"workspace_id",
	"anthropic-workspace-id",
	"anthropic_identity_token_file",
	"bedrock_tags",
	"use_ssl",
	"nvcf_function_id",
	"posthog_api_url",
	"arize_space_id",
	"slack_webhook_url",
	"cache_read_input_token_cost",
	"tags",
	"num_retries",
	"max_retries",
	"retry_policy",
	"retry_strategy",
	"model_group_retry_policy",
	"cooldown_time",
	"timeout",
	"request_timeout",
	"stream_timeout",
	"routing_strategy",
	"disable_fallbacks",
	"max_fallbacks",
	"max_agentic_loops",
	"mock_testing_fallbacks",
	"_router_weights",
	"_target_order",
	"extra",
	"shouted",
};

static const char *const ordinary[] = {
	"model",
	"messages",
	"stream",
	"stream_options",
	"tools",
	"tool_choice",
	"metadata",
	"user",
	"store",
	"service_tier",
	"input",
	"instructions",
	"prompt",
	"reasoning",
	"modalities",
	"response_format",
	"thinking",
	"system",
	"max_tokens",
	"aws",
	"api",
	"inferenceConfig",
	"additionalModelRequestFields",
	"guardrailConfig",
	"mcp_servers",
	"prediction",
	"parallel_tool_calls",
	"safety_identifier",
	"prompt_cache_key",
	"prompt_cache_retention",
	"anthropic_version",
	"anthropic_beta",
	"anthropic",
	"cache_control",
	"context_management",
	"container",
	"output_config",
	"inference_geo",
	"speed",
	"seed",
	"size",
	"truncation",
	"background",
	"include",
	"top_logprobs",
	"web_search_options",
	"verbosity",
	"priority",
	"cache",
	"order",
	"",
};

static void
fields(void **state)
{
	const struct span extra[] = {SPAN("extra"), SPAN("SHOUTED")};

	(void)state;
	for (size_t i = 0; i < sizeof(steering) / sizeof(steering[0]); i++)
		if (!model_field_denied(span_of(steering[i]), extra, 2))
			fail_msg("%s", steering[i]);
	for (size_t i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++)
		if (model_field_denied(span_of(ordinary[i]), extra, 2))
			fail_msg("%s", ordinary[i]);
	assert_false(model_field_denied(SPAN("extra"), NULL, 0));
}

/* A body of InvokeModel may have one member that steers elsewhere. */
static void
own_fields(void **state)
{
	const struct span extra[] = {SPAN("Extra"), SPAN("SHOUTED"), SPAN("API_version")};

	(void)state;
	for (size_t i = 0; i < sizeof(steering) / sizeof(steering[0]); i++) {
		struct span name = span_of(steering[i]);
		bool own = span_is(name, "api_version");

		if (model_own_field_denied(name, extra, 2) == own)
			fail_msg("%s", steering[i]);
		assert_true(model_own_field_denied(name, extra, 3));
	}
	assert_false(model_own_field_denied(SPAN("anthropic_version"), extra, 3));
	assert_false(model_own_field_denied(SPAN("anthropic_beta"), extra, 3));
	assert_true(model_own_field_denied(SPAN("extra"), extra, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),  cmocka_unit_test(shadows),    cmocka_unit_test(prefixes),
		cmocka_unit_test(fields), cmocka_unit_test(own_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
