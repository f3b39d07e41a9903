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

static const char *const steering[] = {
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
