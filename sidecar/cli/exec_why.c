/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exec_why.h"

#include "base/json.h"
#include "cli/printable.h"

static void
print_slot(void *arg, struct span name, const struct json *slot)
{
	struct span state = {"", 0}, error = {"", 0};
	FILE *out = arg;

	(void)json_doc_string(slot, "state", &state);
	(void)json_doc_string(slot, "error", &error);
	if (span_is(state, "fresh") || span_is(state, "stale"))
		return;
	fputs("sidekey exec: the secret ", out);
	printable_put(name, out);
	fputs(" is ", out);
	printable_put(state, out);
	fputs(" (", out);
	printable_put(error.len > 0 ? error : SPAN("its store has not answered yet"), out);
	fputs(")\n", out);
}

static void
print_target(void *arg, struct span name, const struct json *target)
{
	struct span state = {"", 0}, error = {"", 0};
	FILE *out = arg;

	(void)json_doc_string(target, "state", &state);
	(void)json_doc_string(target, "error", &error);
	if (!json_doc_is_true(target, "required") || span_is(state, "usable"))
		return;
	fputs("sidekey exec: the target ", out);
	printable_put(name, out);
	fprintf(out, " cannot be called%s",
		json_doc_is_true(target, "resolved") ? ""
						     : ", and its host's name does not resolve");
	if (error.len > 0) {
		fputs(" (", out);
		printable_put(error, out);
		fputs(")", out);
	}
	fprintf(out, "\n");
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
