/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "aws/ssm.h"

int
ssm_body(const struct reference *r, struct buf *out)
{
	return buf_add_str(out, "{\"Name\":") | buf_add_json(out, r->text) |
	       buf_add_str(out, ",\"WithDecryption\":true}");
}

bool
ssm_read(struct span answer, struct ssm_value *out)
{
	struct ssm_value v = {.doc = json_doc_parse_nul(answer)};
	const struct json *parameter = json_doc_get(v.doc, "Parameter");
	uint64_t version;

	if (!json_doc_string(parameter, "Value", &v.text)) {
		ssm_free(&v);
		return false;
	}
	if (json_doc_u64(parameter, "Version", &version))
		snprintf(v.version, sizeof(v.version), "%" PRIu64, version);
	(void)json_doc_seconds(parameter, "LastModifiedDate", &v.modified_s);
	*out = v;
	return true;
}

void
ssm_free(struct ssm_value *v)
{
	json_doc_free(v->doc);
	*v = (struct ssm_value){0};
}
