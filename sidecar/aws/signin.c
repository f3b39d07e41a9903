/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <openssl/evp.h>

#include "aws/signin.h"

#include "aws/credentials.h"
#include "base/date.h"
#include "base/num.h"

int
signin_file_name(struct span session_or_url, char out[static SIGNIN_NAME_LEN])
{
	static const char suffix[] = ".json";
	unsigned char digest[20];

	if (EVP_Digest(session_or_url.len > 0 ? session_or_url.ptr : "", session_or_url.len, digest,
		       NULL, EVP_sha1(), NULL) != 1)
		return -1;
	num_to_hex(digest, sizeof(digest), out);
	memcpy(out + 2 * sizeof(digest), suffix, sizeof(suffix));
	return 0;
}

/* Early versions of the AWS CLI wrote "2019-11-14T04:05:45UTC". */
static int
read_date(struct span text, uint64_t *out)
{
	const size_t seconds = sizeof("YYYY-MM-DDThh:mm:ss") - 1;
	char z[sizeof("YYYY-MM-DDThh:mm:ssZ")];

	if (text.len != seconds + 3 || !span_ends(text, SPAN("UTC")))
		return date_from_iso(text, out);
	memcpy(z, text.ptr, seconds);
	z[seconds] = 'Z';
	return date_from_iso((struct span){z, seconds + 1}, out);
}

static bool
read_members(const struct json *object, struct span *token, uint64_t *expires_s,
	     struct span *region)
{
	struct span when;

	*region = (struct span){NULL, 0};
	(void)json_doc_string(object, "region", region);
	return json_doc_string(object, "accessToken", token) && credentials_is_value(*token) &&
	       json_doc_string(object, "expiresAt", &when) && read_date(when, expires_s) == 0;
}

bool
signin_read(struct span json, struct json **doc, struct span *access_token, uint64_t *expires_s,
	    struct span *region)
{
	struct json *parsed = json_doc_parse(json);
	struct span token, where;
	uint64_t expires;

	if (parsed == NULL)
		return false;
	if (!read_members(parsed, &token, &expires, &where)) {
		json_doc_free(parsed);
		return false;
	}
	*doc = parsed;
	*access_token = token;
	*expires_s = expires;
	*region = where;
	return true;
}
