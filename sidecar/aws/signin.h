/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IAM Identity Center's sign-in as `aws sso login` keeps it, in
 * ~/.aws/sso/cache/SHA1.json (https://docs.aws.amazon.com/sdkref/latest/guide/
 * feature-sso-credentials.html). Pure.
 */
#ifndef AWS_SIGNIN_H
#define AWS_SIGNIN_H

#include <stdint.h>

#include "base/json.h"

enum { SIGNIN_NAME_LEN = 46 };

/*
 * The name of the cached file: 40 hex digits of SHA-1, ".json" and a NUL. Of the [sso-session]'s
 * name; without a session, of the start URL. 0, or -1 when OpenSSL fails.
 */
int signin_file_name(struct span session_or_url, char out[static SIGNIN_NAME_LEN]);

/*
 * Reads the file. *access_token and *region (empty when not said) are views into *doc, which the
 * caller frees with json_doc_free (it wipes). False, and everything left alone, without a token
 * that a header can hold or an expiry.
 */
bool signin_read(struct span json, struct json **doc, struct span *access_token,
		 uint64_t *expires_s, struct span *region);

#endif
