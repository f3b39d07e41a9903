/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4, header signing: a pure function over OpenSSL
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 * For every service but S3: dot segments and repeated slashes are taken out of the path.
 */
#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include <stdint.h>

#include "base/buf.h"

enum { SIGV4_KEY_LEN = 32, SIGV4_HEX_LEN = 64 };

struct sigv4_header {
	struct span name, value;
};

struct sigv4_request {
	struct span method;
	struct span path;                   /* as on the wire, percent-encoded */
	struct span query;                  /* as on the wire, without '?' */
	const struct sigv4_header *headers; /* all to be signed: host and x-amz-date among them */
	size_t nheaders;
	struct span payload_hash; /* 64 hex digits, or UNSIGNED-PAYLOAD */
};

struct sigv4_scope {
	struct span access_key_id;
	struct span region, service;
	struct span amz_date; /* YYYYMMDDTHHMMSSZ */
};

/*
 * kSigning of secret for the scope's date, region and service (32 bytes): wipe it after use. 0
 * or -1.
 */
int sigv4_key(struct span secret_access_key, const struct sigv4_scope *scope,
	      unsigned char key[static SIGV4_KEY_LEN]);

/* The lower-case hexadecimal SHA-256 of body, with a NUL. */
int sigv4_hash(struct span body, char hex[static SIGV4_HEX_LEN + 1]);

/*
 * The canonical request, and the string to sign (each appended to out; for the vectors' sake
 * public).
 */
int sigv4_canonical(const struct sigv4_request *r, struct buf *out);
int sigv4_string_to_sign(const struct sigv4_request *r, const struct sigv4_scope *scope,
			 struct buf *out);

/* The value of Authorization for r, signed with key, appended to out. 0 or -1. */
int sigv4_authorization(const struct sigv4_request *r, const struct sigv4_scope *scope,
			const unsigned char key[static SIGV4_KEY_LEN], struct buf *out);

#endif
