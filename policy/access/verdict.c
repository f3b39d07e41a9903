/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/access/verdict.h"

/*
 * aws: status and type in the AWS dialect. Its clients retry every 5xx whatever a header says,
 * so what another try cannot change is a 4xx there, and what it can is a 5xx or 429.
 */
struct row {
	struct verdict_row common;
	unsigned aws_status;
	const char *aws_type;
};

#define INVALID     "invalid_request_error"
#define PERMISSION  "permission_error"
#define API         "api_error"
#define VALIDATION  "ValidationException"
#define DENIED      "AccessDeniedException"
#define UNAVAILABLE "ServiceUnavailableException"
#define FAILED      "ModelErrorException"

static const struct row rows[VERDICTS] = {
	[VERDICT_OK] = {{"", 200, false, "", ""}, 200, ""},
	[VERDICT_MALFORMED_REQUEST] =
		{{"malformed_request", 400, false, INVALID,
		  "The request is not the HTTP/1.1 or the JSON that sidekey accepts. "
		  "Correct the client; trying again will not help."},
		 400,
		 VALIDATION},
	[VERDICT_CALLER_UNAUTHENTICATED] =
		{{"caller_unauthenticated", 401, false, "authentication_error",
		  "A caller token is required, and this request has none or a wrong one. "
		  "Set the client's API key to the token that the operator gave to this "
		  "caller."},
		 401,
		 DENIED},
	[VERDICT_HOST_NOT_ALLOWED] =
		{{"host_not_allowed", 403, false, PERMISSION,
		  "The Host header is none of this listener's names. Use the address that "
		  "it listens on as base URL, or add the name to `hosts` in sidekey's "
		  "configuration."},
		 403,
		 DENIED},
	[VERDICT_BROWSER_REFUSED] =
		{{"browser_refused", 403, false, PERMISSION,
		  "The request comes from a web page (Origin or Sec-Fetch-Site), and "
		  "sidekey serves programs only. Call it from the server side."},
		 403,
		 DENIED},
	[VERDICT_OPERATION_NOT_ALLOWED] =
		{{"operation_not_allowed", 403, false, PERMISSION,
		  "This operation is not enabled for this caller and target. Ask the "
		  "operator to add it to `operations` in sidekey's configuration."},
		 403,
		 DENIED},
	[VERDICT_MODEL_NOT_ALLOWED] =
		{{"model_not_allowed", 403, false, PERMISSION,
		  "No rule in `models` matches this model, or this caller may not use it. "
		  "Choose another model, or ask the operator to add a rule."},
		 403,
		 DENIED},
	[VERDICT_FIELD_NOT_ALLOWED] =
		{{"field_not_allowed", 403, false, PERMISSION,
		  "The body has a member that would choose another upstream, key or model. "
		  "Remove it; sidekey's configuration decides these."},
		 403,
		 DENIED},
	[VERDICT_BUDGET_EXCEEDED] =
		{{"budget_exceeded", 403, false, PERMISSION,
		  "This caller's `tokenBudget` is spent. Wait for its period to end, or "
		  "ask the operator to raise it."},
		 403,
		 "ServiceQuotaExceededException"},
	[VERDICT_ROUTE_NOT_FOUND] =
		{{"route_not_found", 404, false, INVALID,
		  "sidekey has no route for this method and path. Check the base URL (with "
		  "or without /v1); administration and key management are never reachable."},
		 404,
		 "ResourceNotFoundException"},
	[VERDICT_BODY_TOO_LARGE] =
		{{"body_too_large", 413, false, INVALID,
		  "The request body is larger than `limits.bodyBytes`. Send less, or ask "
		  "the operator to raise it."},
		 413,
		 VALIDATION},
	[VERDICT_HEADER_TOO_LARGE] =
		{{"header_too_large", 431, false, INVALID,
		  "The request's headers are larger than `limits.headerBytes`. Send fewer, "
		  "or ask the operator to raise it."},
		 431,
		 VALIDATION},
	[VERDICT_UPGRADE_REFUSED] =
		{{"upgrade_refused", 426, false, INVALID,
		  "sidekey does not speak WebSocket. Use the HTTP API, with server-sent "
		  "events for streams."},
		 426,
		 VALIDATION},
	[VERDICT_RATE_LIMITED] =
		{{"rate_limited", 429, true, "rate_limit_error",
		  "This caller is over its requests, tokens or concurrent requests. Try "
		  "again after the seconds in Retry-After."},
		 429,
		 "ThrottlingException"},
	[VERDICT_CREDENTIAL_UNAVAILABLE] =
		{{"credential_unavailable", 503, true, API,
		  "The credential store cannot be reached, and no usable key is held. Try "
		  "again soon; the operator finds the cause in sidekey's log and /readyz."},
		 503,
		 UNAVAILABLE},
	[VERDICT_CREDENTIAL_REFUSED] =
		{{"credential_refused", 503, false, API,
		  "The credential store refused to give the key, or the reference to it is "
		  "wrong. The operator must correct the reference or the permissions; see "
		  "/readyz."},
		 403,
		 DENIED},
	[VERDICT_UPSTREAM_UNREACHABLE] =
		{{"upstream_unreachable", 502, true, API,
		  "The upstream could not be reached; nothing was sent. Try again; if it "
		  "lasts, the operator must check the target's `apiBase`, its DNS and the "
		  "network."},
		 502,
		 UNAVAILABLE},
	[VERDICT_UPSTREAM_UNTRUSTED] =
		{{"upstream_untrusted", 502, false, API,
		  "TLS with the upstream failed: its certificate or ours was not accepted. "
		  "The operator must check the target's `tls`; nothing was sent."},
		 424,
		 FAILED},
	[VERDICT_UPSTREAM_BROKEN] =
		{{"upstream_broken", 502, false, API,
		  "The connection to the upstream was lost before it answered, and the "
		  "request may have been carried out. Try again only if running it twice "
		  "does no harm."},
		 424,
		 FAILED},
	[VERDICT_UPSTREAM_REDIRECT] =
		{{"upstream_redirect", 502, false, API,
		  "The upstream answered with a redirect, which sidekey never follows. The "
		  "operator must set the target's `apiBase` to where the API is."},
		 424,
		 FAILED},
	[VERDICT_ACCESS_DENIED_BY_GATEWAY] =
		{{"access_denied_by_gateway", 502, false, API,
		  "Cloudflare Access, in front of the upstream, refused us. The operator "
		  "must check the target's `cloudflareAccess` token and the application's "
		  "Service Auth policy."},
		 403,
		 DENIED},
	[VERDICT_UPSTREAM_INVALID] =
		{{"upstream_invalid", 502, false, API,
		  "The upstream's answer is not HTTP, is compressed though that was not asked "
		  "for, or is a web page where an API answer "
		  "is due. The operator must check the target's `apiBase`."},
		 424,
		 FAILED},
	[VERDICT_UPSTREAM_TIMEOUT] =
		{{"upstream_timeout", 504, false, API,
		  "The upstream sent no answer within `timeouts.firstByte`. Ask for less "
		  "or stream the answer, or ask the operator to raise it."},
		 408,
		 "ModelTimeoutException"},
	[VERDICT_OVERLOADED] = {{"overloaded", 503, true, API,
				 "sidekey has no room for another call (`limits.connections`, "
				 "`limits.bufferTotal`). Try again soon."},
				503,
				UNAVAILABLE},
	[VERDICT_SHUTTING_DOWN] = {{"shutting_down", 503, true, API,
				    "sidekey is shutting down. Try again soon."},
				   503,
				   UNAVAILABLE},
};

static const struct {
	unsigned status;
	const char *phrase;
} reasons[] = {
	{200, "OK"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{429, "Too Many Requests"}, /* this and 431: RFC 6585 */
	{500, "Internal Server Error"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{100, "Continue"},
	{101, "Switching Protocols"},
	{201, "Created"},
	{202, "Accepted"},
	{203, "Non-Authoritative Information"},
	{204, "No Content"},
	{205, "Reset Content"},
	{206, "Partial Content"},
	{300, "Multiple Choices"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{305, "Use Proxy"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{402, "Payment Required"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{407, "Proxy Authentication Required"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Range Not Satisfiable"},
	{417, "Expectation Failed"},
	{421, "Misdirected Request"},
	{422, "Unprocessable Content"},
	{424, "Failed Dependency"}, /* RFC 4918 */
	{426, "Upgrade Required"},
	{431, "Request Header Fields Too Large"},
	{501, "Not Implemented"},
	{505, "HTTP Version Not Supported"},
};

/* Anthropic's error.type follows the status (reference/llm.md 2.3). */
static const struct {
	unsigned status;
	const char *type;
} anthropic_types[] = {
	{400, INVALID},
	{401, "authentication_error"},
	{403, PERMISSION},
	{404, "not_found_error"},
	{413, "request_too_large"},
	{426, INVALID},
	{429, "rate_limit_error"},
	{431, "request_too_large"},
	{503, "overloaded_error"},
	{504, "timeout_error"},
};

const struct verdict_row *
verdict_row(enum verdict v)
{
	return &rows[v].common;
}

const char *
verdict_reason(unsigned status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].phrase;
	return "Unknown";
}

const char *
verdict_aws_type(enum verdict v)
{
	return rows[v].aws_type;
}

static const char *
anthropic_type(enum verdict v)
{
	/* overloaded_error has clients wait for capacity that a refused key will not give. */
	if (v == VERDICT_CREDENTIAL_REFUSED)
		return API;
	for (size_t i = 0; i < sizeof(anthropic_types) / sizeof(anthropic_types[0]); i++)
		if (anthropic_types[i].status == rows[v].common.status)
			return anthropic_types[i].type;
	return API;
}

static int
anthropic_body(enum verdict v, struct span message, struct span request_id, struct buf *out)
{
	if (buf_add_str(out, "{\"type\":\"error\",\"error\":{\"type\":\"") != 0 ||
	    buf_add_str(out, anthropic_type(v)) != 0 || buf_add_str(out, "\",\"message\":") != 0 ||
	    buf_add_json(out, message) != 0 || buf_add_str(out, "},\"request_id\":") != 0)
		return -1;
	if (request_id.len == 0 ? buf_add_str(out, "null") : buf_add_json(out, request_id))
		return -1;
	return buf_add_char(out, '}');
}

static int
aws_body(struct span message, struct buf *out)
{
	if (buf_add_str(out, "{\"message\":") != 0 || buf_add_json(out, message) != 0)
		return -1;
	return buf_add_char(out, '}');
}

static int
openai_body(enum verdict v, struct span message, struct buf *out)
{
	const char *param = v == VERDICT_MODEL_NOT_ALLOWED ? "\"model\"" : "null";

	if (buf_add_str(out, "{\"error\":{\"message\":") != 0 || buf_add_json(out, message) != 0)
		return -1;
	return buf_addf(out, ",\"type\":\"%s\",\"param\":%s,\"code\":\"%s\"}}", rows[v].common.type,
			param, rows[v].common.code);
}

int
verdict_body(enum verdict v, enum dialect d, const char *message, struct span request_id,
	     struct buf *out, unsigned *status_out)
{
	struct span text = span_of(message == NULL ? rows[v].common.remedy : message);
	size_t before = out->len;
	int bad;

	if (d == DIALECT_ANTHROPIC)
		bad = anthropic_body(v, text, request_id, out);
	else if (d == DIALECT_BEDROCK)
		bad = aws_body(text, out);
	else
		bad = openai_body(v, text, out);
	if (bad != 0) {
		buf_keep(out, before);
		return -1;
	}
	*status_out = d == DIALECT_BEDROCK ? rows[v].aws_status : rows[v].common.status;
	return 0;
}
