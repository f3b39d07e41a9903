/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "aws/arn.h"
#include "config/reader.h"

enum { HINT_MAX = 256 };

/*
 * NAME where the value was written as ${NAME} or as LiteLLM's os.environ/NAME: the name of a
 * variable may be shown, since it is not the secret.
 */
static bool
variable_name(const struct scalar *value, struct span *name)
{
	struct span prefix = SPAN("os.environ/");

	if (expand_is_variable(value->raw, name))
		return true;
	*name = span_cut(value->raw, prefix.len, value->raw.len);
	return span_starts(value->raw, prefix) && expand_is_name(*name) && name->len <= 64;
}

/* ${env:NAME}, as a reference is written within a header's value. */
static bool
is_wrapped(struct span raw)
{
	struct reference ref;

	return span_starts(raw, SPAN("${")) && span_ends(raw, SPAN("}")) &&
	       reference_parse(span_cut(raw, 2, raw.len - 1), &ref) == REFERENCE_OK;
}

static const char *
hint_for(enum reference_fault fault, const struct scalar *value, char hint[static HINT_MAX])
{
	struct span name;

	if (fault == REFERENCE_SEED_ARN)
		return "the form is arn:aws:bedrock-agentcore:REGION:ACCOUNT:token-vault/default/"
		       "apikeycredentialprovider/NAME";
	if (fault == REFERENCE_BAD_ARN || fault == REFERENCE_UNKNOWN_SERVICE)
		return "one of arn:aws:secretsmanager:REGION:123456789012:secret:NAME, "
		       "arn:aws:ssm:REGION:123456789012:parameter/NAME, "
		       "arn:aws:bedrock-agentcore:REGION:123456789012:token-vault/default/"
		       "apikeycredentialprovider/NAME";
	if (fault != REFERENCE_NOT_ONE)
		return NULL;
	if (is_wrapped(value->raw))
		return "write it without the ${ and }, which are for a reference inside a text";
	if (variable_name(value, &name)) {
		snprintf(hint, HINT_MAX, "write env:%.*s", (int)name.len, name.ptr);
		return hint;
	}
	if (value->text.len > 0 && value->text.ptr[0] == '/')
		return "write file: before a path";
	return "put the secret into a store, a variable or a file, and name that here";
}

bool
reference_check(struct reader *r, const struct yaml_item *item, const struct path *path,
		const struct scalar *value)
{
	struct reference ref;
	enum reference_fault fault = reference_parse(value->text, &ref);
	char hint[HINT_MAX];

	if (fault != REFERENCE_OK) {
		reader_fault(r, item, path, hint_for(fault, value, hint), "%s",
			     reference_fault_text(fault));
		return false;
	}
	return true;
}

bool
reference_check_path(struct reader *r, const struct yaml_item *item, const struct path *path,
		     const struct scalar *value)
{
	struct reference ref;
	struct span name;

	if (reference_parse(value->text, &ref) != REFERENCE_NOT_ONE || variable_name(value, &name))
		return reference_check(r, item, path, value);
	reader_fault(r, item, path, NULL,
		     "an absolute path or a reference (arn:…, env:NAME or file:/path) is due, "
		     "never the text itself");
	return false;
}
