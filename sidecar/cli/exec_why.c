/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exec_why.h"

#include "base/json.h"

static void
print_slot(void *arg, struct span name, const struct json *slot)
{
	struct span state = {"", 0}, error = {"", 0};
	FILE *out = arg;

	(void)json_doc_string(slot, "state", &state);
	(void)json_doc_string(slot, "error", &error);
	if (span_is(state, "fresh") || span_is(state, "stale"))
		return;
	fprintf(out, "sidekey exec: the secret %.*s is %.*s", (int)name.len, name.ptr,
		(int)state.len, state.ptr);
	if (error.len == 0)
		error = SPAN("its store has not answered yet");
	fprintf(out, " (%.*s)\n", (int)error.len, error.ptr);
}

static void
print_target(void *arg, struct span name, const struct json *target)
{
	struct span state = {"", 0};
	FILE *out = arg;

	(void)json_doc_string(target, "state", &state);
	if (!json_doc_is_true(target, "required") || span_is(state, "usable"))
		return;
	fprintf(out, "sidekey exec: the target %.*s cannot be called%s\n", (int)name.len, name.ptr,
		json_doc_is_true(target, "resolved") ? ""
						     : ", and its host's name does not resolve");
}

void
exec_why_print(struct span readyz, FILE *out)
{
	struct json *doc = json_doc_parse(readyz);

	if (doc == NULL)
		return;
	json_doc_members(json_doc_get(doc, "slots"), print_slot, out);
	json_doc_members(json_doc_get(doc, "targets"), print_target, out);
	json_doc_free(doc);
}
