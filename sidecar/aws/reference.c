/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arn:P:secretsmanager:R:A:secret:NAME[:json-key:version-stage:version-id]
 * arn:P:ssm:R:A:parameter/PATH
 * arn:P:bedrock-agentcore:R:A:token-vault/VAULT/apikeycredentialprovider/NAME
 * env:NAME
 * file:/absolute/path
 */
#include "aws/arn.h"
#include "base/ascii.h"

enum {
	TEXT_MAX = 4096,
	SECRET_ID_MAX = 2048,
	VARIABLE_MAX = 256,
	JSON_KEY_MAX = 128,
	STAGE_MAX = 256,
	VERSION_ID_MIN = 32,
	VERSION_ID_MAX = 64,
};

static const char *const texts[] = {
	[REFERENCE_OK] = "the reference is good",
	[REFERENCE_NOT_ONE] =
		"a reference is due here (arn:…, env:NAME or file:/path), never a secret",
	[REFERENCE_BAD_ARN] = "the ARN is not of the form that its service has",
	[REFERENCE_BAD_REGION] = "the ARN names no region, or one that its partition does not have",
	[REFERENCE_UNKNOWN_SERVICE] = "the ARN is not of Secrets Manager, SSM or AgentCore",
	[REFERENCE_BAD_SUFFIX] = "behind the secret's name comes nothing, or "
				 ":json-key:version-stage:version-id with all three colons",
	[REFERENCE_SEED_ARN] = "this ARN only names a credential provider in passing; write the "
			       "provider's own ARN",
	[REFERENCE_BAD_ENV] = "behind env: comes the name of an environment variable",
	[REFERENCE_BAD_FILE] = "behind file: comes an absolute path",
};

const char *
reference_fault_text(enum reference_fault f)
{
	return texts[f];
}

/* The part of s before the first c; s becomes what is behind it. False when there is no c. */
static bool
cut_at(struct span *s, char c, struct span *part)
{
	size_t at = span_find(*s, 0, c);

	if (at == s->len)
		return false;
	*part = span_cut(*s, 0, at);
	*s = span_cut(*s, at + 1, s->len);
	return true;
}

/* rest is what follows the colon behind the name. ECS has this order, and wants every colon. */
static enum reference_fault
parse_suffix(struct span rest, struct reference *r)
{
	if (!cut_at(&rest, ':', &r->json_key) || !cut_at(&rest, ':', &r->version_stage))
		return REFERENCE_BAD_SUFFIX;
	r->version_id = rest;
	if (r->json_key.len > JSON_KEY_MAX || r->version_stage.len > STAGE_MAX)
		return REFERENCE_BAD_SUFFIX;
	if (rest.len > 0 &&
	    (rest.len < VERSION_ID_MIN || rest.len > VERSION_ID_MAX || !span_is_alnum(rest, "-")))
		return REFERENCE_BAD_SUFFIX;
	if (span_has_control(r->json_key) || span_has_control(r->version_stage))
		return REFERENCE_BAD_SUFFIX;
	return REFERENCE_OK;
}

static enum reference_fault
parse_secret(struct reference *r)
{
	struct span prefix = SPAN("secret:"), rest = r->arn.resource, name;
	size_t end;

	r->kind = REFERENCE_SECRETS_MANAGER;
	if (!span_starts(rest, prefix))
		return REFERENCE_BAD_ARN;
	/* A colon never occurs in a name, so what follows one is the suffix. */
	end = span_find(rest, prefix.len, ':');
	name = span_cut(rest, prefix.len, end);
	if (!span_is_alnum(name, "/_+=.@!-"))
		return REFERENCE_BAD_ARN;
	r->secret = span_cut(r->text, 0, r->text.len - (rest.len - end));
	if (r->secret.len > SECRET_ID_MAX)
		return REFERENCE_BAD_ARN;
	return end == rest.len ? REFERENCE_OK : parse_suffix(span_cut(rest, end + 1, rest.len), r);
}

static enum reference_fault
parse_parameter(struct reference *r)
{
	struct span prefix = SPAN("parameter/");
	struct span path = span_cut(r->arn.resource, prefix.len, r->arn.resource.len);

	r->kind = REFERENCE_SSM;
	if (!span_starts(r->arn.resource, prefix) || !span_is_alnum(path, "/_.-"))
		return REFERENCE_BAD_ARN;
	return REFERENCE_OK;
}

static enum reference_fault
parse_provider(struct reference *r)
{
	struct span rest = r->arn.resource, part;

	r->kind = REFERENCE_AGENTCORE;
	if (!cut_at(&rest, '/', &part) || !span_is(part, "token-vault"))
		return REFERENCE_BAD_ARN;
	if (!cut_at(&rest, '/', &part) || !span_is_alnum(part, ".-"))
		return REFERENCE_BAD_ARN;
	if (!cut_at(&rest, '/', &part) || !span_is(part, "apikeycredentialprovider"))
		return REFERENCE_BAD_ARN;
	r->name = rest;
	return span_is_alnum(rest, "._-") ? REFERENCE_OK : REFERENCE_BAD_ARN;
}

static const struct service {
	const char *name;
	enum reference_fault (*parse)(struct reference *r);
} services[] = {
	{"secretsmanager", parse_secret},
	{"ssm", parse_parameter},
	{"bedrock-agentcore", parse_provider},
	{"acps", parse_provider}, /* what AgentCore's model says, though its answers differ */
};

/* The field of an ARN by its place, also when the ARN is bad elsewhere. */
static struct span
field(struct span text, size_t place)
{
	struct span part = {NULL, 0};

	for (size_t i = 0; i <= place; i++)
		if (!cut_at(&text, ':', &part))
			return (struct span){NULL, 0};
	return part;
}

static enum reference_fault
parse_arn(struct reference *r)
{
	struct span region = field(r->text, 3), partition = field(r->text, 1);

	if (arn_dns_suffix(partition) != NULL &&
	    (!arn_is_region(region) || !span_is(partition, arn_partition_of(region))))
		return REFERENCE_BAD_REGION;
	if (arn_parse(r->text, &r->arn) != 0)
		return REFERENCE_BAD_ARN;
	if (span_starts(r->arn.resource, SPAN("credential-provider/")))
		return REFERENCE_SEED_ARN;
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (span_is(r->arn.service, services[i].name))
			return services[i].parse(r);
	return REFERENCE_UNKNOWN_SERVICE;
}

static enum reference_fault
parse_env(struct reference *r)
{
	r->kind = REFERENCE_ENV;
	if (r->name.len > VARIABLE_MAX || !span_is_alnum(r->name, "_") ||
	    ascii_is_digit(r->name.ptr[0]))
		return REFERENCE_BAD_ENV;
	return REFERENCE_OK;
}

static enum reference_fault
parse_file(struct reference *r)
{
	r->kind = REFERENCE_FILE;
	if (r->name.len < 2 || r->name.ptr[0] != '/' || span_has_control(r->name) ||
	    r->name.ptr[r->name.len - 1] == '/')
		return REFERENCE_BAD_FILE;
	return REFERENCE_OK;
}

enum reference_fault
reference_parse(struct span text, struct reference *out)
{
	struct reference r = {.text = text};
	enum reference_fault fault = REFERENCE_NOT_ONE;

	if (text.len > TEXT_MAX)
		return REFERENCE_NOT_ONE;
	if (span_starts(text, SPAN("arn:"))) {
		fault = parse_arn(&r);
	} else if (span_starts(text, SPAN("env:"))) {
		r.name = span_cut(text, 4, text.len);
		fault = parse_env(&r);
	} else if (span_starts(text, SPAN("file:"))) {
		r.name = span_cut(text, 5, text.len);
		fault = parse_file(&r);
	}
	if (fault == REFERENCE_OK)
		*out = r;
	return fault;
}
