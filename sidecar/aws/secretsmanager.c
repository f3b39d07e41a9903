/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

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

	if (key.len >= sizeof(name))
		return false;
	memcpy(name, key.ptr, key.len);
	name[key.len] = '\0';
	return json_doc_string(object, name, value);
}

enum secretsmanager_fault
secretsmanager_read(struct span answer, struct span json_key, struct secretsmanager_value *out)
{
	struct secretsmanager_value v = {.doc = json_doc_parse(answer)};
	enum secretsmanager_fault fault = SECRETSMANAGER_OK;
	struct span text, ignored;

	if (v.doc == NULL)
		return SECRETSMANAGER_NOT_JSON;
	(void)json_doc_string(v.doc, "VersionId", &v.version_id);
	if (!json_doc_string(v.doc, "SecretString", &text)) {
		fault = json_doc_string(v.doc, "SecretBinary", &ignored) ? SECRETSMANAGER_BINARY
									 : SECRETSMANAGER_NOT_JSON;
	} else {
		v.inner = json_doc_parse(text);
		v.value = text;
		if (json_key.len > 0 && (v.inner == NULL || !pick_key(v.inner, json_key, &v.value)))
			fault = SECRETSMANAGER_NO_KEY;
		else if (json_key.len == 0 && v.inner != NULL && !pick_default(v.inner, &v.value))
			fault = SECRETSMANAGER_AMBIGUOUS;
	}
	if (fault == SECRETSMANAGER_OK)
		*out = v;
	else
		secretsmanager_free(&v);
	return fault;
}

void
secretsmanager_free(struct secretsmanager_value *v)
{
	if (v->inner != NULL)
		json_doc_free(v->inner);
	if (v->doc != NULL)
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

/* ---- errors ---- */

/* reference/aws.md 1.3: decided by type, since statuses differ between services and emulators. */
static const struct {
	const char *type;
	enum aws_error_class class;
} types[] = {
	{"AccessDenied", AWS_ERROR_DENIED},
	{"AccessDeniedException", AWS_ERROR_DENIED},
	{"ResourceNotFoundException", AWS_ERROR_DENIED},
	{"InvalidParameterException", AWS_ERROR_DENIED},
	{"InvalidRequestException", AWS_ERROR_DENIED},
	{"ValidationException", AWS_ERROR_DENIED},
	{"DecryptionFailure", AWS_ERROR_DENIED},
	{"UnrecognizedClientException", AWS_ERROR_CREDENTIALS},
	{"InvalidClientTokenId", AWS_ERROR_CREDENTIALS},
	{"ExpiredToken", AWS_ERROR_CREDENTIALS},
	{"ExpiredTokenException", AWS_ERROR_CREDENTIALS},
	{"IncompleteSignature", AWS_ERROR_CREDENTIALS},
	{"MissingAuthenticationToken", AWS_ERROR_CREDENTIALS},
	{"InvalidSignatureException", AWS_ERROR_CLOCK},
	{"SignatureDoesNotMatch", AWS_ERROR_CLOCK},
	{"RequestExpired", AWS_ERROR_CLOCK},
	{"RequestTimeTooSkewed", AWS_ERROR_CLOCK},
	{"Throttling", AWS_ERROR_THROTTLED},
	{"ThrottlingException", AWS_ERROR_THROTTLED},
	{"ThrottledException", AWS_ERROR_THROTTLED},
	{"RequestThrottled", AWS_ERROR_THROTTLED},
	{"RequestThrottledException", AWS_ERROR_THROTTLED},
	{"TooManyRequestsException", AWS_ERROR_THROTTLED},
	{"ProvisionedThroughputExceededException", AWS_ERROR_THROTTLED},
	{"TransactionInProgressException", AWS_ERROR_THROTTLED},
	{"RequestLimitExceeded", AWS_ERROR_THROTTLED},
	{"BandwidthLimitExceeded", AWS_ERROR_THROTTLED},
	{"LimitExceededException", AWS_ERROR_THROTTLED},
	{"SlowDown", AWS_ERROR_THROTTLED},
	{"PriorRequestNotComplete", AWS_ERROR_THROTTLED},
	{"EC2ThrottledException", AWS_ERROR_THROTTLED},
	{"RequestTimeout", AWS_ERROR_TRANSIENT},
	{"RequestTimeoutException", AWS_ERROR_TRANSIENT},
	{"InternalServiceError", AWS_ERROR_TRANSIENT},
	{"InternalFailure", AWS_ERROR_TRANSIENT},
	{"ServiceUnavailable", AWS_ERROR_TRANSIENT},
};

static enum aws_error_class
class_of_status(unsigned status)
{
	if (status == 401 || status == 403 || status == 404 || status == 400)
		return AWS_ERROR_DENIED;
	if (status == 429)
		return AWS_ERROR_THROTTLED;
	return status >= 500 ? AWS_ERROR_TRANSIENT : AWS_ERROR_OTHER;
}

static bool
is_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == '-'))
			return false;
	}
	return s.len > 0;
}

/* "namespace#Type:url" is Type; what is no name is not repeated in a log. */
static void
set_type(struct aws_error *out, struct span type)
{
	size_t hash = span_find(type, 0, '#');

	if (hash < type.len)
		type = span_cut(type, hash + 1, type.len);
	type = span_cut(type, 0, span_find(type, 0, ':'));
	if (!is_name(type) || type.len >= sizeof(out->type))
		return;
	memcpy(out->type, type.ptr, type.len);
	out->type[type.len] = '\0';
}

static bool
is_of_arn(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr(":/_+=.,@-", c) != NULL);
}

/* "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized …": the ARN alone is kept. */
static void
set_principal(struct aws_error *out, struct span message)
{
	const struct span mark = SPAN("User: arn:");

	for (size_t i = 0; i + mark.len <= message.len; i++) {
		struct span arn = span_cut(message, i + 6, message.len);
		size_t n = 0;

		if (!span_starts(span_cut(message, i, message.len), mark))
			continue;
		while (n < arn.len && is_of_arn(arn.ptr[n]))
			n++;
		if (n < sizeof(out->principal)) {
			memcpy(out->principal, arn.ptr, n);
			out->principal[n] = '\0';
		}
		return;
	}
}

void
aws_error_read(unsigned status, struct span body, struct aws_error *out)
{
	struct json *doc = json_doc_parse(body);
	struct span text;

	*out = (struct aws_error){.class = class_of_status(status)};
	if (doc == NULL)
		return;
	if (json_doc_string(doc, "__type", &text) || json_doc_string(doc, "code", &text))
		set_type(out, text);
	if (json_doc_string(doc, "Message", &text) || json_doc_string(doc, "message", &text))
		set_principal(out, text);
	json_doc_free(doc);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(out->type, types[i].type) == 0)
			out->class = types[i].class;
}
