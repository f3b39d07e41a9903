/* SPDX-License-Identifier: Apache-2.0 */
/* What an AWS service means by an error answer (reference/aws.md 1.3). Pure. */
#ifndef AWS_ERROR_H
#define AWS_ERROR_H

#include "base/span.h"

enum aws_error_class {
	AWS_ERROR_OTHER,
	AWS_ERROR_CREDENTIALS, /* the identity is expired or wrong: get another, try once more */
	AWS_ERROR_CLOCK,       /* our clock is off: learn from Date, try once more */
	AWS_ERROR_DENIED,      /* the store says no, or the reference is wrong */
	AWS_ERROR_THROTTLED,
	AWS_ERROR_TRANSIENT,
};

struct aws_error {
	char type[80];       /* normalised: without namespace and suffix */
	char principal[256]; /* the ARN that the message says was denied, or "" */
	enum aws_error_class class;
};

/* Reads an error answer of the JSON protocols: by type; by the status only without one. */
void aws_error_read(unsigned status, struct span body, struct aws_error *out);

/* The same of REST-JSON, whose type stands in the header x-amzn-errortype where there is one. */
void aws_error_read_rest(unsigned status, struct span header, struct span body,
			 struct aws_error *out);

/* The same from the two texts of an error, which another protocol brought. */
void aws_error_set(unsigned status, struct span type, struct span message, struct aws_error *out);

#endif
