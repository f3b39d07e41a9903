/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a credential endpoint answers: keys that can stand in a header, or nothing. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "aws/credentials.h"
#include "aws/signin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good, bool temporary, struct credentials *c)
{
	if (!good) {
		assert(c->doc == NULL && c->text.ptr == NULL && c->key_id.len == 0);
		return;
	}
	assert(credentials_is_value(c->key_id) && credentials_is_value(c->secret));
	assert(c->token.len == 0 || credentials_is_value(c->token));
	assert(!temporary || (c->token.len > 0 && c->expires_s > 0));
	credentials_free(c);
}

static void
read_json(struct span json)
{
	struct credentials c = {0};
	struct span token, region;
	struct json *doc;
	uint64_t expires_s;
	char why[80];

	check(credentials_read_container(json, &c), false, &c);
	check(credentials_read_instance(json, &c, why), true, &c);
	assert(memchr(why, '\0', sizeof(why)) != NULL);
	check(credentials_read_sso(json, &c), true, &c);
	if (signin_read(json, &doc, &token, &expires_s, &region)) {
		assert(credentials_is_value(token));
		json_doc_free(doc);
	}
}

static void
read_xml(struct span xml)
{
	struct credentials c = {0};
	struct aws_error e;
	struct span arn;
	bool good = credentials_read_sts(xml, &c, &arn);

	assert(!good || arn.len == 0 || credentials_is_value(arn));
	check(good, true, &c);
	if (credentials_read_caller(xml, &arn))
		assert(arn.ptr >= xml.ptr && arn.ptr + arn.len <= xml.ptr + xml.len);
	credentials_read_sts_error(400, xml, &e);
	assert(memchr(e.type, '\0', sizeof(e.type)) != NULL);
	assert(memchr(e.principal, '\0', sizeof(e.principal)) != NULL);
	assert(strpbrk(e.type, " \"\n<&") == NULL && strpbrk(e.principal, " \"\n<&") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span answer = {(const char *)data, size};

	read_json(answer);
	read_xml(answer);
	return 0;
}
