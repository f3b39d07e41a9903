/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every error of our own: its code, HTTP status, retry advice and shape in each dialect (design
 * section 6).
 */
#ifndef POLICY_ACCESS_VERDICT_H
#define POLICY_ACCESS_VERDICT_H

#include "base/buf.h"
#include "policy/access/operations.h"

enum verdict {
	VERDICT_OK,
	VERDICT_MALFORMED_REQUEST,
	VERDICT_CALLER_UNAUTHENTICATED,
	VERDICT_HOST_NOT_ALLOWED,
	VERDICT_BROWSER_REFUSED,
	VERDICT_OPERATION_NOT_ALLOWED,
	VERDICT_MODEL_NOT_ALLOWED,
	VERDICT_FIELD_NOT_ALLOWED,
	VERDICT_BUDGET_EXCEEDED,
	VERDICT_ROUTE_NOT_FOUND,
	VERDICT_BODY_TOO_LARGE,
	VERDICT_HEADER_TOO_LARGE,
	VERDICT_UPGRADE_REFUSED,
	VERDICT_RATE_LIMITED,
	VERDICT_CREDENTIAL_UNAVAILABLE,
	VERDICT_CREDENTIAL_REFUSED,
	VERDICT_UPSTREAM_UNREACHABLE,
	VERDICT_UPSTREAM_UNTRUSTED,
	VERDICT_UPSTREAM_BROKEN,
	VERDICT_UPSTREAM_REDIRECT,
	VERDICT_ACCESS_DENIED_BY_GATEWAY,
	VERDICT_UPSTREAM_INVALID,
	VERDICT_UPSTREAM_TIMEOUT,
	VERDICT_OVERLOADED,
	VERDICT_SHUTTING_DOWN,
	VERDICTS
};

struct verdict_row {
	const char *code; /* "malformed_request" … */
	unsigned status;
	bool retry;         /* x-should-retry */
	const char *type;   /* OpenAI's error.type: invalid_request_error, api_error … */
	const char *remedy; /* the default sentence: what to change */
};

const struct verdict_row *verdict_row(enum verdict v);

/* The reason phrase of an HTTP status (RFC 9110 section 15), or "Unknown". */
const char *verdict_reason(unsigned status);

/*
 * The error body in dialect's shape: OpenAI {"error":{message,type,param,code}}, Anthropic
 * {"type":"error","error":{type,message},"request_id"}, AWS {"message"}. message NULL: the row's
 * remedy.
 * status_out: the HTTP status to send (in the AWS dialect a terminal "no" is 4xx). Returns 0 or -1
 * (out full).
 */
int verdict_body(enum verdict v, enum dialect d, const char *message, struct span request_id,
		 struct buf *out, unsigned *status_out);

/* AWS dialect: the value of x-amzn-ErrorType for v. */
const char *verdict_aws_type(enum verdict v);

#endif
