/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/sts.h"

#include "aws/arn.h"
#include "aws/service.h"
#include "base/ascii.h"

/* 0 when all went well; else out is what it was before. */
static int
settle(struct buf *out, size_t before, bool bad)
{
	if (!bad)
		return 0;
	buf_keep(out, before);
	return -1;
}

/* ---- bodies ---- */

/* "&name=value" with the value percent-encoded, unless it is empty. 0 or -1. */
static int
add_field(struct buf *out, const char *name, struct span value)
{
	if (value.len == 0)
		return 0;
	return buf_addf(out, "&%s=", name) | buf_add_percent(out, value);
}

static int
add_action(struct buf *out, const char *action)
{
	return buf_addf(out, "Action=%s&Version=2011-06-15", action);
}

static int
add_duration(struct buf *out, uint32_t duration_s)
{
	return duration_s == 0 ? 0 : buf_addf(out, "&DurationSeconds=%u", duration_s);
}

int
sts_body_web_identity(struct span role_arn, struct span session_name, struct span token,
		      uint32_t duration_s, struct buf *out)
{
	size_t before = out->len;

	return settle(out, before,
		      add_action(out, "AssumeRoleWithWebIdentity") != 0 ||
			      add_field(out, "RoleArn", role_arn) != 0 ||
			      add_field(out, "RoleSessionName", session_name) != 0 ||
			      add_duration(out, duration_s) != 0 ||
			      add_field(out, "WebIdentityToken", token) != 0);
}

int
sts_body_assume_role(struct span role_arn, struct span session_name, struct span external_id,
		     uint32_t duration_s, struct span policy, struct buf *out)
{
	size_t before = out->len;

	return settle(out, before,
		      add_action(out, "AssumeRole") != 0 ||
			      add_field(out, "RoleArn", role_arn) != 0 ||
			      add_field(out, "RoleSessionName", session_name) != 0 ||
			      add_field(out, "ExternalId", external_id) != 0 ||
			      add_duration(out, duration_s) != 0 ||
			      add_field(out, "Policy", policy) != 0);
}

int
sts_body_caller_identity(struct buf *out)
{
	size_t before = out->len;

	return settle(out, before, add_action(out, "GetCallerIdentity") != 0);
}

/* ---- the session policy ---- */

/*
 * Elements of a JSON list are written as "text", with the comma, and the last comma is taken away
 * at the end. What reference_parse takes needs no escaping.
 */

/* Ends the element that began at start, or drops it when the list from list on has it. 0 or -1. */
static int
end_element(struct buf *out, size_t list, size_t start)
{
	struct span all, element;

	if (buf_add_char(out, '"') != 0)
		return -1;
	all = buf_span(out);
	element = span_cut(all, start, all.len);
	if (span_has(span_cut(all, list, start), element)) {
		buf_keep(out, start);
		return 0;
	}
	return buf_add_char(out, ',');
}

/* "arn:P:service:R:A:resource" with the partition, region and account of a. */
static int
add_arn(struct buf *out, size_t list, const struct arn *a, struct span service,
	struct span resource)
{
	const struct span parts[] = {a->partition, service, a->region, a->account, resource};
	size_t start = out->len;

	if (buf_add_str(out, "\"arn") != 0)
		return -1;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (buf_add_char(out, ':') != 0 || buf_add_span(out, parts[i]) != 0)
			return -1;
	return end_element(out, list, start);
}

/* What one reference adds to a statement's list that began at list; often nothing. 0 or -1. */
typedef int element_fn(const struct reference *r, size_t list, struct buf *out);

enum suffix { SUFFIX_NONE, SUFFIX_PERHAPS, SUFFIX };

/*
 * Whether the name ends as Secrets Manager's ARNs do: in a hyphen and six letters or digits. Of
 * small letters alone they are perhaps a word of the name, as in prod-openai.
 */
static enum suffix
suffix_of(struct span secret)
{
	const size_t n = 7;
	struct span end = span_cut(secret, secret.len > n ? secret.len - n : 0, secret.len);

	if (end.len < n || end.ptr[0] != '-' || !span_is_alnum(span_cut(end, 1, n), ""))
		return SUFFIX_NONE;
	for (size_t i = 1; i < n; i++)
		if (ascii_is_digit(end.ptr[i]) || ascii_is_upper(end.ptr[i]))
			return SUFFIX;
	return SUFFIX_PERHAPS;
}

/* IAM compares whole ARNs: six question marks stand for what this one was written without. */
static int
add_whole_secret(struct buf *out, size_t list, struct span arn, const char *rest)
{
	size_t start = out->len;

	if (buf_add_char(out, '"') != 0 || buf_add_span(out, arn) != 0 ||
	    buf_add_str(out, rest) != 0)
		return -1;
	return end_element(out, list, start);
}

static int
add_secret(const struct reference *r, size_t list, struct buf *out)
{
	enum suffix end = suffix_of(r->secret);

	/* which secret AgentCore keeps a key in, only its answer says */
	if (r->kind == REFERENCE_AGENTCORE)
		return add_arn(out, list, &r->arn, SPAN("secretsmanager"),
			       SPAN("secret:bedrock-agentcore-identity!*"));
	if (r->kind != REFERENCE_SECRETS_MANAGER)
		return 0;
	if (end != SUFFIX_NONE && add_whole_secret(out, list, r->secret, "") != 0)
		return -1;
	if (end == SUFFIX)
		return 0;
	return add_whole_secret(out, list, r->secret, "-??????");
}

static int
add_parameter(const struct reference *r, size_t list, struct buf *out)
{
	if (r->kind != REFERENCE_SSM)
		return 0;
	return add_arn(out, list, &r->arn, r->arn.service, r->arn.resource);
}

/* The provider, and the vault that it is in: IAM asks for both, under one name of the service. */
static int
add_provider(const struct reference *r, size_t list, struct buf *out)
{
	const struct span service = SPAN("bedrock-agentcore"), resource = r->arn.resource;
	size_t vault = span_find(resource, sizeof("token-vault/") - 1, '/');

	if (r->kind != REFERENCE_AGENTCORE)
		return 0;
	if (add_arn(out, list, &r->arn, service, resource) != 0)
		return -1;
	return add_arn(out, list, &r->arn, service, span_cut(resource, 0, vault));
}

/* The service for which KMS decrypts. */
static int
add_via(const struct reference *r, size_t list, struct buf *out)
{
	enum service s = r->kind == REFERENCE_SSM ? SERVICE_SSM : SERVICE_SECRETSMANAGER;
	size_t start = out->len;

	if (r->kind == REFERENCE_ENV || r->kind == REFERENCE_FILE)
		return 0;
	if (buf_add_char(out, '"') != 0 ||
	    service_host(s, r->arn.region, (struct service_options){0}, out) != 0)
		return -1;
	return end_element(out, list, start);
}

#define ALLOW(action, rest) "{\"Effect\":\"Allow\",\"Action\":\"" action "\"," rest "["

static const struct statement {
	const char *head;
	element_fn *add;
	const char *tail;
} statements[] = {
	{ALLOW("secretsmanager:GetSecretValue", "\"Resource\":"), add_secret, "]},"},
	{ALLOW("ssm:GetParameter", "\"Resource\":"), add_parameter, "]},"},
	{ALLOW("bedrock-agentcore:GetApiKeyCredentialProvider", "\"Resource\":"), add_provider,
	 "]},"},
	{ALLOW("kms:Decrypt", "\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{"
			      "\"kms:ViaService\":"),
	 add_via, "]}}},"},
};

/* Appends s with a comma behind it, or nothing when no reference has a part in it. 0 or -1. */
static int
add_statement(const struct statement *s, const struct span *references, size_t n, struct buf *out)
{
	size_t before = out->len, list;

	if (buf_add_str(out, s->head) != 0)
		return -1;
	list = out->len;
	for (size_t i = 0; i < n; i++) {
		struct reference r;

		if (reference_parse(references[i], &r) != REFERENCE_OK ||
		    s->add(&r, list, out) != 0)
			return -1;
	}
	if (out->len == list) {
		buf_keep(out, before);
		return 0;
	}
	buf_keep(out, out->len - 1);
	return buf_add_str(out, s->tail);
}

static int
add_statements(const struct span *references, size_t n, struct buf *out)
{
	size_t first = out->len;

	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (add_statement(&statements[i], references, n, out) != 0)
			return -1;
	if (out->len == first)
		return -1;
	buf_keep(out, out->len - 1);
	return 0;
}

int
sts_policy_for(const struct span *references, size_t n, struct buf *out)
{
	size_t before = out->len;

	return settle(out, before,
		      buf_add_str(out, "{\"Version\":\"2012-10-17\",\"Statement\":[") != 0 ||
			      add_statements(references, n, out) != 0 ||
			      buf_add_str(out, "]}") != 0 || out->len - before > STS_POLICY_MAX);
}
