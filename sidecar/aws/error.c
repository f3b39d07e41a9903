/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "aws/error.h"
#include "base/ascii.h"
#include "base/json.h"

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
	{"ParameterNotFound", AWS_ERROR_DENIED},
	{"ParameterVersionNotFound", AWS_ERROR_DENIED},
	{"InvalidKeyId", AWS_ERROR_DENIED},
	{"IDPRejectedClaim", AWS_ERROR_DENIED},
	{"RegionDisabledException", AWS_ERROR_DENIED},
	{"MalformedPolicyDocument", AWS_ERROR_DENIED},
	{"PackedPolicyTooLarge", AWS_ERROR_DENIED},
	{"UnrecognizedClientException", AWS_ERROR_CREDENTIALS},
	{"InvalidClientTokenId", AWS_ERROR_CREDENTIALS},
	{"ExpiredToken", AWS_ERROR_CREDENTIALS},
	{"ExpiredTokenException", AWS_ERROR_CREDENTIALS},
	{"InvalidIdentityToken", AWS_ERROR_CREDENTIALS},
	{"UnauthorizedException", AWS_ERROR_CREDENTIALS},
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
	{"IDPCommunicationError", AWS_ERROR_TRANSIENT},
	{"InternalServiceError", AWS_ERROR_TRANSIENT},
	{"InternalServerError", AWS_ERROR_TRANSIENT},
	{"InternalServerException", AWS_ERROR_TRANSIENT},
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

/* "namespace#Type:url" is Type; what is no name is not repeated in a log. */
static void
set_type(struct aws_error *out, struct span type)
{
	size_t hash = span_find(type, 0, '#');

	if (hash < type.len)
		type = span_cut(type, hash + 1, type.len);
	type = span_cut(type, 0, span_find(type, 0, ':'));
	if (span_is_alnum(type, "._-"))
		(void)span_cstr(type, out->type, sizeof(out->type));
}

static bool
is_of_arn(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr(":/_+=.,@-", c) != NULL);
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
		(void)span_cstr(span_cut(arn, 0, n), out->principal, sizeof(out->principal));
		return;
	}
}

void
aws_error_set(unsigned status, struct span type, struct span message, struct aws_error *out)
{
	*out = (struct aws_error){.class = class_of_status(status)};
	set_type(out, type);
	set_principal(out, message);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(out->type, types[i].type) == 0)
			out->class = types[i].class;
}

void
aws_error_read_rest(unsigned status, struct span header, struct span body, struct aws_error *out)
{
	static const char *const names[] = {"__type", "code", "Code"};
	struct json *doc = json_doc_parse(body);
	struct span type = header, message = {NULL, 0};

	for (size_t i = 0; type.len == 0 && i < sizeof(names) / sizeof(names[0]); i++)
		(void)json_doc_string(doc, names[i], &type);
	if (!json_doc_string(doc, "Message", &message))
		(void)json_doc_string(doc, "message", &message);
	aws_error_set(status, type, message, out);
	json_doc_free(doc);
}

void
aws_error_read(unsigned status, struct span body, struct aws_error *out)
{
	aws_error_read_rest(status, (struct span){NULL, 0}, body, out);
}
