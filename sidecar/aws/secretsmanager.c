/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/secretsmanager.h"

int
secretsmanager_body(const struct reference *r, struct buf *out)
{
	int bad = buf_add_str(out, "{\"SecretId\":") | buf_add_json(out, r->secret);

	if (r->version_stage.len > 0)
		bad |= buf_add_str(out, ",\"VersionStage\":") | buf_add_json(out, r->version_stage);
	if (r->version_id.len > 0)
		bad |= buf_add_str(out, ",\"VersionId\":") | buf_add_json(out, r->version_id);
	return bad | buf_add_char(out, '}');
}

struct only {
	struct span value;
	size_t n;
};

static bool
note_only(void *arg, struct span name, struct span value)
{
	struct only *o = arg;

	(void)name;
	o->value = value;
	return ++o->n < 2;
}

static bool
pick_default(const struct json *object, struct span *value)
{
	struct only o = {.n = 0};

	if (json_doc_string(object, "api_key_value", value)) /* AgentCore's managed secrets */
		return true;
	(void)json_doc_each(object, note_only, &o);
	*value = o.value;
	return o.n == 1;
}

static bool
pick_key(const struct json *object, struct span key, struct span *value)
{
	char name[256];

	return span_cstr(key, name, sizeof(name)) && json_doc_string(object, name, value);
}

enum secretsmanager_fault
secretsmanager_read(struct span answer, struct secretsmanager_value *out)
{
	struct secretsmanager_value v = {.doc = json_doc_parse_nul(answer)};
	enum secretsmanager_fault fault = SECRETSMANAGER_NOT_JSON;
	struct span ignored;

	if (v.doc == NULL)
		return fault;
	if (json_doc_string(v.doc, "SecretString", &v.text)) {
		(void)json_doc_string(v.doc, "VersionId", &v.version_id);
		(void)json_doc_seconds(v.doc, "CreatedDate", &v.created_s);
		v.inner = json_doc_parse_nul(v.text);
		*out = v;
		return SECRETSMANAGER_OK;
	}
	if (json_doc_string(v.doc, "SecretBinary", &ignored))
		fault = SECRETSMANAGER_BINARY;
	secretsmanager_free(&v);
	return fault;
}

enum secretsmanager_fault
secretsmanager_pick(const struct secretsmanager_value *v, struct span json_key, struct span *value)
{
	struct span picked = v->text;

	if (json_key.len > 0 && (v->inner == NULL || !pick_key(v->inner, json_key, &picked)))
		return SECRETSMANAGER_NO_KEY;
	if (json_key.len == 0 && v->inner != NULL && !pick_default(v->inner, &picked))
		return SECRETSMANAGER_AMBIGUOUS;
	*value = picked;
	return SECRETSMANAGER_OK;
}

void
secretsmanager_free(struct secretsmanager_value *v)
{
	json_doc_free(v->inner);
	json_doc_free(v->doc);
	*v = (struct secretsmanager_value){0};
}

const char *
secretsmanager_fault_text(enum secretsmanager_fault f)
{
	static const char *const texts[] = {
		[SECRETSMANAGER_OK] = "",
		[SECRETSMANAGER_NOT_JSON] = "the answer is not GetSecretValue's",
		[SECRETSMANAGER_BINARY] = "the secret is binary; a string is needed",
		[SECRETSMANAGER_NO_KEY] = "the secret has no such JSON key with a string",
		[SECRETSMANAGER_AMBIGUOUS] =
			"the secret is a JSON object with several members; name one: …:NAME:KEY::",
	};

	return texts[f];
}
