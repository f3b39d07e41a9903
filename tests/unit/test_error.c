/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/unit/unit.h"

#include "aws/error.h"
#include "base/json.h"

#define USER "arn:aws:sts::123456789012:assumed-role/keeper/i-0abc"

static const struct {
	unsigned status;
	const char *body, *type, *principal;
	enum aws_error_class class;
} errors[] = {
	{400,
	 "{\"__type\":\"AccessDeniedException\",\"Message\":\"User: " USER " is not authorized\"}",
	 "AccessDeniedException", USER, AWS_ERROR_DENIED},
	{403, "{\"__type\":\"AccessDeniedException\",\"message\":\"no\"}", "AccessDeniedException",
	 "", AWS_ERROR_DENIED},
	{400, "{\"__type\":\"com.amazonaws.secretsmanager#ResourceNotFoundException\"}",
	 "ResourceNotFoundException", "", AWS_ERROR_DENIED},
	{404, "{\"__type\":\"ResourceNotFoundException\"}", "ResourceNotFoundException", "",
	 AWS_ERROR_DENIED}, /* moto's status */
	{400, "{\"__type\":\"ThrottlingException:http://internal.amazon.com/coral/\"}",
	 "ThrottlingException", "", AWS_ERROR_THROTTLED},
	{400, "{\"__type\":\"ExpiredTokenException\"}", "ExpiredTokenException", "",
	 AWS_ERROR_CREDENTIALS},
	{400, "{\"__type\":\"UnrecognizedClientException\"}", "UnrecognizedClientException", "",
	 AWS_ERROR_CREDENTIALS},
	{400, "{\"__type\":\"InvalidSignatureException\"}", "InvalidSignatureException", "",
	 AWS_ERROR_CLOCK},
	{403, "{\"__type\":\"RequestTimeTooSkewed\"}", "RequestTimeTooSkewed", "", AWS_ERROR_CLOCK},
	{400, "{\"__type\":\"bad type with\\nnewline\"}", "", "", AWS_ERROR_DENIED},
	{400, "{\"__type\":\"DecryptionFailure\"}", "DecryptionFailure", "", AWS_ERROR_DENIED},
	{500, "{\"__type\":\"InternalServiceError\"}", "InternalServiceError", "",
	 AWS_ERROR_TRANSIENT},
	{400, "{\"__type\":\"InternalFailure\"}", "InternalFailure", "", AWS_ERROR_TRANSIENT},
	{500, "{\"__type\":\"AccessDeniedException\"}", "AccessDeniedException", "",
	 AWS_ERROR_DENIED}, /* the type decides */
	{400, "{\"__type\":\"NewException\"}", "NewException", "", AWS_ERROR_DENIED},
	{503, "{\"__type\":\"NewException\"}", "NewException", "", AWS_ERROR_TRANSIENT},
	{429, "", "", "", AWS_ERROR_THROTTLED},
	{503, "<html>busy</html>", "", "", AWS_ERROR_TRANSIENT},
	{403, "{}", "", "", AWS_ERROR_DENIED},
	{302, "", "", "", AWS_ERROR_OTHER},
	{400, "{\"__type\":\"sk-secret in here\"}", "", "",
	 AWS_ERROR_DENIED}, /* no name: not repeated */
	{400, "{\"__type\":7,\"code\":\"ExpiredToken\"}", "ExpiredToken", "",
	 AWS_ERROR_CREDENTIALS},
};

/* Every row of aws.md 1.3 and 4.5 that says of a class: whatever the status is. */
static void
knows_each_type(void **state)
{
	static const struct {
		enum aws_error_class class;
		const char *types[20];
	} rows[] = {
		{AWS_ERROR_THROTTLED,
		 {"Throttling", "ThrottlingException", "ThrottledException",
		  "RequestThrottledException", "TooManyRequestsException",
		  "ProvisionedThroughputExceededException", "TransactionInProgressException",
		  "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException",
		  "RequestThrottled", "SlowDown", "PriorRequestNotComplete",
		  "EC2ThrottledException"}},
		{AWS_ERROR_TRANSIENT,
		 {"RequestTimeout", "RequestTimeoutException", "InternalServiceError",
		  "InternalFailure", "InternalServerError", "InternalServerException",
		  "IDPCommunicationError"}},
		{AWS_ERROR_CREDENTIALS,
		 {"UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken",
		  "ExpiredTokenException", "IncompleteSignature", "InvalidIdentityToken",
		  "UnauthorizedException"}},
		{AWS_ERROR_CLOCK,
		 {"InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired",
		  "RequestTimeTooSkewed"}},
		{AWS_ERROR_DENIED,
		 {"ResourceNotFoundException", "InvalidParameterException",
		  "InvalidRequestException", "DecryptionFailure", "AccessDeniedException",
		  "ValidationException", "ParameterNotFound", "ParameterVersionNotFound",
		  "InvalidKeyId", "IDPRejectedClaim", "RegionDisabledException",
		  "MalformedPolicyDocument", "PackedPolicyTooLarge", "AccessDenied"}},
	};
	static const unsigned statuses[] = {400, 403, 404, 429, 500, 503};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t j = 0; rows[i].types[j] != NULL; j++)
			for (size_t k = 0; k < COUNT(statuses); k++) {
				struct aws_error e;

				aws_error_set(statuses[k], span_of(rows[i].types[j]),
					      (struct span){NULL, 0}, &e);
				if (e.class != rows[i].class)
					fail_msg("%s: %d", rows[i].types[j], (int)e.class);
			}
}

static void
decides_by_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct aws_error e;

		aws_error_read(errors[i].status, span_of(errors[i].body), &e);
		if (e.class != errors[i].class)
			fail_msg("%s: %d", errors[i].body, (int)e.class);
		assert_string_equal(e.type, errors[i].type);
		assert_string_equal(e.principal, errors[i].principal);
	}
}

/* REST-JSON: the header's type goes before the body's. */
static void
reads_the_header(void **state)
{
	static const struct {
		unsigned status;
		const char *header, *body, *type, *principal;
		enum aws_error_class class;
	} rows[] = {
		{403, "AccessDeniedException", "{\"message\":\"User: " USER " is not\"}",
		 "AccessDeniedException", USER, AWS_ERROR_DENIED},
		{404, "ResourceNotFoundException:http://internal.amazon.com/coral/", "",
		 "ResourceNotFoundException", "", AWS_ERROR_DENIED},
		{500, "aws.protocols#ThrottlingException:x", "{\"code\":\"Other\"}",
		 "ThrottlingException", "", AWS_ERROR_THROTTLED},
		{500, "", "{\"code\":\"InternalServerException\"}", "InternalServerException", "",
		 AWS_ERROR_TRANSIENT},
		{400, "", "{\"Code\":\"ExpiredTokenException\",\"Message\":\"\"}",
		 "ExpiredTokenException", "", AWS_ERROR_CREDENTIALS},
		{429, "", "{\"__type\":\"x#SlowDown\"}", "SlowDown", "", AWS_ERROR_THROTTLED},
		{403, "no name at all", "{}", "", "", AWS_ERROR_DENIED},
		{400, ":", "{\"code\":7}", "", "", AWS_ERROR_DENIED},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct aws_error e;

		aws_error_read_rest(rows[i].status, span_of(rows[i].header), span_of(rows[i].body),
				    &e);
		if (e.class != rows[i].class)
			fail_msg("%s %s: %d", rows[i].header, rows[i].body, (int)e.class);
		assert_string_equal(e.type, rows[i].type);
		assert_string_equal(e.principal, rows[i].principal);
	}
}

static void
names_the_principal_alone(void **state)
{
	static const struct {
		const char *message, *principal;
	} rows[] = {
		{"User: " USER " is not authorized to perform", USER},
		{"User: " USER, USER},
		{"User: bob is not authorized", ""},
		{"the secret is sk-1", ""},
		{"User: arn:aws:iam::123456789012:user/a\\nsk-1",
		 "arn:aws:iam::123456789012:user/a"},
		{"User: arn:aws:iam::123456789012:user/a\\\"}", "arn:aws:iam::123456789012:user/a"},
	};
	char body[512];
	struct aws_error e;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(body, sizeof(body),
			 "{\"__type\":\"AccessDeniedException\",\"Message\":\"%s\"}",
			 rows[i].message);
		aws_error_read(400, span_of(body), &e);
		assert_string_equal(e.principal, rows[i].principal);
	}
	memset(body, 'a', sizeof(body)); /* longer than an ARN may be */
	memcpy(body, "{\"Message\":\"User: arn:", 22);
	memcpy(body + sizeof(body) - 3, "\"}", 3);
	aws_error_read(400, span_of(body), &e);
	assert_string_equal(e.principal, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_by_type),
		cmocka_unit_test(knows_each_type),
		cmocka_unit_test(reads_the_header),
		cmocka_unit_test(names_the_principal_alone),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
