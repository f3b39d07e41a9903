/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/access/headers.h"
#include "http/grammar.h"
#include "policy/access/names.h"

/*
 * Names are in lower case; a trailing '*' is a prefix. Requests: what measured clients send and an
 * upstream may need (reference/llm.md, 1.2 and D3). The body's framing is not here
 * because egress writes it anew, nor Accept-Encoding because it asks for identity.
 */
static const char *const requests[] = {
	"content-type",    "accept",           "accept-language",
	"user-agent",      "x-stainless-*",    "anthropic-version",
	"anthropic-beta",  "openai-beta",      "x-client-request-id",
	"idempotency-key", "originator", /* this one and the next three: codex */
	"session-id",      "thread-id",        "x-codex-*",
	"amz-sdk-*",       "x-amzn-bedrock-*", "traceparent",
	"tracestate",
};

/* Connection's own, and what frames a message: each hop has its own (RFC 9110 section 7.6.1). */
#define HOP_BY_HOP                                                                                 \
	"connection", "keep-alive", "proxy-*", "te", "trailer", "transfer-encoding", "upgrade",    \
		"content-length"

/*
 * Answers. Server stays: it tells which hop answered. Via goes, since it names the hosts
 * of an inner network, and so do the headers with which proxies name their peers.
 */
static const char *const answers_denied[] = {
	HOP_BY_HOP,
	"set-cookie*", /* Access hands out a session that works without us */
	"location",    /* a redirect is never followed and never relayed */
	"content-location",
	"refresh",
	"www-authenticate", /* it asks for a credential that the agent must not have */
	"authentication-info",
	"alt-svc", /* it would have the agent go round us */
	"via",
	"forwarded",
	"x-forwarded-*",
	"x-real-ip",
	"x-litellm-model-api-base",
	"cf-access-*", /* an echo of what egress added */
	"authorization",
	"x-api-key",
	"api-key",
	"x-goog-api-key",
	"access-control-*", /* no page in a browser may read us, whatever the upstream thinks */
	"x-sidekey-*",      /* only we may say that */
};

/* What no operator can set: it frames a message, describes the agent's body, or is set by us. */
static const char *const configuration_denied[] = {
	HOP_BY_HOP,
	"host",
	"expect",
	"http2-settings",
	"content-type",
	"content-encoding",
	"accept-encoding",
	"x-sidekey-*",
	"x-amz-date",
	"x-amz-security-token",
	"x-amz-content-sha256",
};

/* Who is calling, at the upstream, at a gateway or at what stands before it. */
static const char *const credentials[] = {
	"authorization",        "x-api-key",         "api-key",
	"x-goog-api-key",       "x-litellm-api-key", "ocp-apim-subscription-key",
	"cf-aig-authorization", "cf-access-*",       "cookie",
};

bool
header_request_passes(struct span name)
{
	return NAMES_HAVE(requests, name) && grammar_is_token(name);
}

bool
header_response_passes(struct span name)
{
	static const struct span relayed = {"llm_provider-", sizeof("llm_provider-") - 1};

	/* LiteLLM passes its upstream's headers on under this prefix, Set-Cookie too. */
	while (span_istarts(name, relayed))
		name = span_cut(name, relayed.len, name.len);
	return grammar_is_token(name) && !NAMES_HAVE(answers_denied, name);
}

bool
header_may_configure(struct span name)
{
	return grammar_is_token(name) && !NAMES_HAVE(configuration_denied, name);
}

bool
header_is_credential(struct span name)
{
	return NAMES_HAVE(credentials, name);
}
