/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/init_remarks.h"

/* What is said of a member that is not carried over. hint NULL: said at each of them. */
struct remark {
	const char *key, *message, *hint;
};

static const char defaults[] =
	"a default for requests is not carried over: sidekey changes no request";
static const char send_it[] = "let the agent send it";
static const char limits[] = "a limit of a deployment is not carried over";
static const char callers[] = "callers.requestsPerMinute, tokensPerMinute and tokenBudget limit "
			      "each caller instead";
static const char retries[] = "retries and cooldowns are not carried over";
static const char by_sdk[] =
	"the agent's SDK retries; sidekey sends again only after a rotation, or to "
	"another deployment what the first has not executed";
static const char fallbacks[] = "fallbacks to another model are not carried over";
static const char choose[] =
	"let the agent choose the other model, or keep a LiteLLM proxy behind sidekey";
static const char entra[] = "Entra ID is not supported and was not carried over";
static const char use_key[] = "use the resource's API key";
static const char deployment_tls[] = "its setting for TLS is not carried over";
static const char use_tls[] = "name the certificates under tls of the target";

static const struct remark params_remarks[] = {
	{"temperature", defaults, send_it},
	{"max_tokens", defaults, send_it},
	{"top_p", defaults, send_it},
	{"seed", defaults, send_it},
	{"stop", defaults, send_it},
	{"extra_body", defaults, send_it},
	{"drop_params", defaults, send_it},
	{"reasoning_effort", defaults, send_it},
	{"dimensions", defaults, send_it},
	{"rpm", limits, callers},
	{"tpm", limits, callers},
	{"max_parallel_requests", limits, callers},
	{"max_budget", limits, callers},
	{"budget_duration", limits, callers},
	{"max_retries", retries, by_sdk},
	{"num_retries", retries, by_sdk},
	{"cooldown_time", retries, by_sdk},
	{"fallbacks", fallbacks, choose},
	{"azure_ad_token", entra, use_key},
	{"tenant_id", entra, use_key},
	{"client_id", entra, use_key},
	{"client_secret", entra, use_key},
	{"azure_username", entra, use_key},
	{"azure_password", entra, use_key},
	{"ssl_verify", deployment_tls, use_tls},
	{"ssl_certificate", deployment_tls, use_tls},
	{"stream_timeout", "a timeout of streams is not carried over",
	 "timeouts.firstByte and timeouts.idle bound them"},
};

static const struct remark section_remarks[] = {
	{"master_key", "keys of LiteLLM's own callers are not carried over",
	 "`sidekey token` makes one for a caller; put its digest under callers"},
	{"fallbacks", fallbacks, choose},
	{"context_window_fallbacks", fallbacks, choose},
	{"content_policy_fallbacks", fallbacks, choose},
	{"default_fallbacks", fallbacks, choose},
	{"num_retries", retries, by_sdk},
	{"retry_policy", retries, by_sdk},
	{"allowed_fails", retries, by_sdk},
	{"cooldown_time", retries, by_sdk},
	{"ssl_verify", deployment_tls, use_tls},
	{"ssl_certificate", deployment_tls, use_tls},
	{"routing_strategy", "calls are spread over deployments by their weight alone",
	 "set weight in deployments; one that fails or throttles is spared for a while"},
	{"pass_through_endpoints", "its pass-through endpoints are not carried over",
	 "write a target for each"},
};

static const char *const params_read[] = {
	"model",
	"api_base",
	"base_url",
	"api_key",
	"api_version",
	"custom_llm_provider",
	"litellm_credential_name",
	"aws_region_name",
	"aws_profile_name",
	"aws_role_name",
	"aws_session_name",
	"aws_external_id",
	"aws_bedrock_runtime_endpoint",
	"aws_access_key_id",
	"aws_secret_access_key",
	"aws_session_token",
	"aws_web_identity_token",
	"extra_headers",
	"headers",
	"organization",
	"timeout",
	"weight",
	"order",
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void
remark(const struct source_place *in, const struct yaml_item *m, const struct remark *table,
       size_t n)
{
	const char *name = source_name(in->draft, m->key);

	for (size_t i = 0; i < n; i++)
		if (span_is(m->key, table[i].key)) {
			source_note(in, name, table[i].message, table[i].hint);
			return;
		}
	source_note(in, name, "is not carried over: sidekey has no counterpart", NULL);
}

void
remarks_params(const struct source_place *params)
{
	for (const struct yaml_item *m = params->map->first; m != NULL; m = m->next) {
		bool was_read = false;

		for (size_t i = 0; i < COUNT(params_read); i++)
			was_read = was_read || span_is(m->key, params_read[i]);
		if (!was_read)
			remark(params, m, params_remarks, COUNT(params_remarks));
	}
}

/* LiteLLM's default, which is what sidekey does. */
static bool
is_by_weight(const struct yaml_item *m)
{
	return span_is(m->key, "routing_strategy") && span_is(m->text, "simple-shuffle");
}

static void
remark_section(struct draft *d, const struct yaml_item *root, const char *section)
{
	const struct yaml_item *map = source_member(root, section);
	struct source_place in = {d, map, section};

	if (map == NULL || map->kind != YAML_MAP)
		return;
	for (const struct yaml_item *m = map->first; m != NULL; m = m->next)
		if (!span_is(m->key, "model_group_alias") && !is_by_weight(m))
			remark(&in, m, section_remarks, COUNT(section_remarks));
}

static void
remark_rest(struct draft *d, const struct yaml_item *root)
{
	static const char *const known[] = {"model_list", "credential_list", "router_settings",
					    "general_settings", "litellm_settings"};
	static const struct remark remarks[] = {
		{"include", "the files that it includes were not read",
		 "give each of them to `sidekey init --from` and put the outcomes together"},
		{"environment_variables", "variables are not carried over, and not shown",
		 "set those that are needed in sidekey's own environment"},
	};
	struct source_place in = {d, root, ""};

	for (const struct yaml_item *m = root->first; m != NULL; m = m->next) {
		bool is_known = false;

		for (size_t i = 0; i < COUNT(known); i++)
			is_known = is_known || span_is(m->key, known[i]);
		if (!is_known)
			remark(&in, m, remarks, COUNT(remarks));
	}
}

void
remarks_around(struct draft *d, const struct yaml_item *root)
{
	remark_section(d, root, "router_settings");
	remark_section(d, root, "general_settings");
	remark_section(d, root, "litellm_settings");
	remark_rest(d, root);
}
