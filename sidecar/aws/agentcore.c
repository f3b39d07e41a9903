/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/agentcore.h"

enum { JSON_KEY_MAX = 128 };

int
agentcore_body(const struct reference *provider, struct buf *out)
{
	return buf_add_str(out, "{\"name\":") | buf_add_json(out, provider->name) |
	       buf_add_char(out, '}');
}

static bool
is_beside(const struct arn *a, const struct arn *b)
{
	return span_eq(a->partition, b->partition) && span_eq(a->region, b->region) &&
	       span_eq(a->account, b->account);
}

/* doc is the answer, of which all spans of *out are views. */
static enum agentcore_fault
read_doc(const struct json *doc, const struct reference *provider, struct agentcore_secret *out)
{
	const struct json *holder = json_doc_get(doc, "apiKeySecretArn");
	struct span arn;

	if (holder == NULL || !json_doc_string(holder, "secretArn", &arn))
		return AGENTCORE_NOT_JSON;
	if (reference_parse(arn, &out->secret) != REFERENCE_OK ||
	    out->secret.kind != REFERENCE_SECRETS_MANAGER || out->secret.secret.len != arn.len)
		return AGENTCORE_NO_SECRET;
	if (!is_beside(&out->secret.arn, &provider->arn))
		return AGENTCORE_ELSEWHERE;
	if (!json_doc_string(doc, "apiKeySecretJsonKey", &out->json_key) || out->json_key.len == 0)
		out->json_key = SPAN("api_key_value");
	return out->json_key.len > JSON_KEY_MAX ? AGENTCORE_BAD_KEY : AGENTCORE_OK;
}

enum agentcore_fault
agentcore_read(struct span answer, const struct reference *provider, struct agentcore_secret *out)
{
	struct agentcore_secret s = {.doc = json_doc_parse(answer)};
	enum agentcore_fault fault =
		s.doc == NULL ? AGENTCORE_NOT_JSON : read_doc(s.doc, provider, &s);

	if (fault == AGENTCORE_OK)
		*out = s;
	else
		agentcore_free(&s);
	return fault;
}

void
agentcore_free(struct agentcore_secret *s)
{
	json_doc_free(s->doc);
	*s = (struct agentcore_secret){0};
}

const char *
agentcore_fault_text(enum agentcore_fault f)
{
	static const char *const texts[] = {
		[AGENTCORE_OK] = "",
		[AGENTCORE_NOT_JSON] = "the answer is not GetApiKeyCredentialProvider's",
		[AGENTCORE_NO_SECRET] =
			"the credential provider's key is in no secret of Secrets Manager",
		[AGENTCORE_ELSEWHERE] =
			"the provider's secret is of another partition, account or region",
		[AGENTCORE_BAD_KEY] = "the credential provider names a JSON key of over 128 bytes",
	};

	return texts[f];
}
