/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/access/headers.h"

struct row {
	const char *name;
	bool request, answer, configure;
	const char *why;
};

static const struct row rows[] = {
	/* name, request, answer, configure */
	{"Content-Type", true, true, false, "the body's"},
	{"accept", true, true, true, "passes"},
	{"Accept-Language", true, true, true, "passes"},
	{"USER-AGENT", true, true, true, "in any case"},
	{"X-Stainless-Retry-Count", true, true, true, "the OpenAI SDK's"},
	{"anthropic-version", true, true, true, "Anthropic's"},
	{"anthropic-beta", true, true, true, "Anthropic's"},
	{"anthropic-organization-id", false, true, true, "not on the list"},
	{"OpenAI-Beta", true, true, true, "OpenAI's"},
	{"idempotency-key", true, true, true, "a client's"},
	{"x-client-request-id", true, true, true, "a client's"},
	{"originator", true, true, true, "codex"},
	{"session-id", true, true, true, "codex"},
	{"thread-id", true, true, true, "codex"},
	{"x-codex-turn-metadata", true, true, true, "codex"},
	{"amz-sdk-invocation-id", true, true, true, "botocore"},
	{"X-Amzn-Bedrock-GuardrailIdentifier", true, true, true, "Bedrock"},
	{"traceparent", true, true, true, "W3C"},
	{"tracestate", true, true, true, "W3C"},
	{"baggage", false, true, true, "not on the list"},
	{"Authorization", false, false, true, "a credential"},
	{"x-api-key", false, false, true, "a credential"},
	{"api-key", false, false, true, "a credential"},
	{"x-goog-api-key", false, false, true, "a credential"},
	{"Cookie", false, true, true, "a credential"},
	{"x-litellm-api-key", false, true, true, "steers the gateway"},
	{"x-pass-anything", false, true, true, "steers the gateway"},
	{"cf-aig-cache-key", false, true, true, "steers the gateway"},
	{"CF-Access-Client-Secret", false, false, true, "a credential"},
	{"ocp-apim-subscription-key", false, true, true, "a credential"},
	{"x-amz-security-token", false, true, false, "we sign"},
	{"X-Amz-Date", false, true, false, "we sign"},
	{"openai-organization", false, true, true, "whose bill"},
	{"forwarded", false, false, true, "names hosts"},
	{"x-forwarded-for", false, false, true, "names hosts"},
	{"x-http-method-override", false, true, true, "not on the list"},
	{"x-original-url", false, true, true, "not on the list"},
	{"accept-encoding", false, true, false, "egress asks for identity"},
	{"content-encoding", false, true, false, "the body's"},
	{"range", false, true, true, "not on the list"},
	{"Host", false, true, false, "the target's"},
	{"Content-Length", false, false, false, "framing"},
	{"Transfer-Encoding", false, false, false, "framing"},
	{"Connection", false, false, false, "hop-by-hop"},
	{"keep-alive", false, false, false, "hop-by-hop"},
	{"TE", false, false, false, "hop-by-hop"},
	{"trailer", false, false, false, "hop-by-hop"},
	{"upgrade", false, false, false, "hop-by-hop"},
	{"proxy-authorization", false, false, false, "hop-by-hop"},
	{"proxy-authenticate", false, false, false, "hop-by-hop"},
	{"Proxy-Connection", false, false, false, "hop-by-hop"},
	{"expect", false, true, false, "framing"},
	{"Set-Cookie", false, false, true, "an Access session"},
	{"set-cookie2", false, false, true, "another one"},
	{"llm_provider-Set-Cookie", false, false, true, "through LiteLLM"},
	{"llm_provider-llm_provider-location", false, false, true, "through two of them"},
	{"llm_provider-request-id", false, true, true, "an id"},
	{"llm_provider-", false, false, true, "nothing behind the prefix"},
	{"Location", false, false, true, "a redirect"},
	{"WWW-Authenticate", false, false, true, "asks for a key"},
	{"alt-svc", false, false, true, "another way round"},
	{"via", false, false, true, "names hosts"},
	{"server", false, true, true, "who answered"},
	{"x-litellm-model-api-base", false, false, true, "an internal address"},
	{"x-litellm-call-id", false, true, true, "an id"},
	{"x-litellm-response-cost", false, true, true, "a cost"},
	{"cf-ray", false, true, true, "an id"},
	{"cf-aig-cache-status", false, true, true, "a fact"},
	{"x-request-id", false, true, true, "an id"},
	{"retry-after-ms", false, true, true, "advice"},
	{"x-should-retry", false, true, true, "advice"},
	{"x-ratelimit-remaining-tokens", false, true, true, "a limit"},
	{"anthropic-ratelimit-requests-limit", false, true, true, "a limit"},
	{"x-amzn-ErrorType", false, true, true, "an error"},
	{"x-sidekey-error", false, false, false, "ours alone"},
	{"access-control-allow-origin", false, false, true, "no page may read us"},
	{"", false, false, false, "empty"},
	{"x-stainless-a b", false, false, false, "no token"},
	{"a:b", false, false, false, "no token"},
	{"x\r\ny", false, false, false, "no token"},
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span name = span_of(rows[i].name);

		if (header_request_passes(name) != rows[i].request)
			fail_msg("request %s: %s", rows[i].name, rows[i].why);
		if (header_response_passes(name) != rows[i].answer)
			fail_msg("answer %s: %s", rows[i].name, rows[i].why);
		if (header_may_configure(name) != rows[i].configure)
			fail_msg("configure %s: %s", rows[i].name, rows[i].why);
	}
}

static void
credentials(void **state)
{
	static const char *const names[] = {
		"Authorization",
		"x-api-key",
		"API-Key",
		"x-goog-api-key",
		"Cookie",
		"CF-Access-Client-Id",
		"cf-access-client-secret",
		"cf-aig-authorization",
		"x-litellm-api-key",
		"Ocp-Apim-Subscription-Key",
	};
	static const char *const others[] = {"x-team", "accept", "x-api-keys", "anthropic-version",
					     ""};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!header_is_credential(span_of(names[i])))
			fail_msg("%s is one", names[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (header_is_credential(span_of(others[i])))
			fail_msg("%s is none", others[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(credentials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
