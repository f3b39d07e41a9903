/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/init_bedrock.h"

#include "config/form.h"
#include "config/signing.h"
#include "config/url.h"

static bool
is_profile(struct span s)
{
	return s.len <= 128;
}

void
bedrock_identity(const struct source_place *in, struct draft_target *t)
{
	static const char *const keys[] = {"aws_access_key_id", "aws_secret_access_key",
					   "aws_session_token", "aws_web_identity_token"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (source_member(in->map, keys[i]) != NULL)
			source_note(in, keys[i], "cloud credentials are not carried over",
				    "sidekey signs with its own identity (see aws.credentials); "
				    "take these out of the source");
	if (t->region.len == 0)
		t->region = source_value(in, "aws_region_name", form_region.is_good, "us-east-1");
	t->profile = source_value(in, "aws_profile_name", is_profile, "default");
	t->role = source_value(in, "aws_role_name", form_role.is_good,
			       "arn:aws:iam::123456789012:role/NOT-SET");
	if (t->role.len == 0)
		return;
	t->session = source_value(in, "aws_session_name", form_session.is_good, "sidekey");
	t->external_id = source_reference(in, "aws_external_id", "AWS_EXTERNAL_ID");
}

void
bedrock_region(struct draft *d, const struct yaml_item *at, const char *variable,
	       struct draft_target *t)
{
	const char *value = d->env.get(d->env.arg, variable);
	struct url url;

	if (t->api_base.len > 0 && url_parse(t->api_base, &url) == URL_OK &&
	    signing_host_region(url.host).len > 0) {
		t->region = SPAN("");
		return;
	}
	if (t->region.len > 0)
		return;
	if (value == NULL || form_region.is_good(span_of(value)))
		t->region = draft_text(d, "${%s:-us-east-1}", variable);
	else
		t->region = SPAN("us-east-1");
	draft_note(d, at, "", "no region is named for Bedrock",
		   draft_text(d, "set %s where sidekey starts, or write the region into the target",
			      variable)
			   .ptr);
}
