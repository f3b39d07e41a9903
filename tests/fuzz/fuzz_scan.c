/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scanner reports must lie in the document, and what it accepts must be UTF-8. jansson and
 * it agree on what is JSON, and which model it names.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "http/grammar.h"
#include "ingress/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
denies(const void *arg, struct span name)
{
	(void)arg;
	assert(name.len <= SCAN_NAME_MAX);
	return span_is(name, "api_base");
}

/* What jansson refuses though it is RFC 8259: lone surrogates, NUL in names, huge numbers. */
static bool
is_disputed(struct span document, const json_error_t *error)
{
	return memmem(document.ptr, document.len, "\\u", 2) != NULL ||
	       json_error_code(error) == json_error_numeric_overflow;
}

static void
check_model(const struct scan *out, json_t *tree)
{
	const char *name;
	json_t *value, *model = NULL;

	json_object_foreach(tree, name, value)
	{
		if (strcasecmp(name, "model") == 0)
			model = value;
	}
	assert(out->has_model == (model != NULL));
	assert(model == NULL || strcmp(out->model, json_string_value(model)) == 0);
}

static void
check_oracle(const struct scan *out, enum scan_fault fault, struct span document)
{
	json_error_t error = {0};
	json_t *tree;

	if (fault >= SCAN_TOO_DEEP) /* what is behind that was not looked at */
		return;
	if (memchr(document.ptr, '\0', document.len) !=
	    NULL) { /* jansson loses one behind a number */
		assert(fault != SCAN_OK && fault != SCAN_NOT_OBJECT);
		return;
	}
	tree = json_loadb(document.ptr, document.len, JSON_DECODE_ANY, &error);
	if (tree == NULL && is_disputed(document, &error))
		return;
	assert((tree != NULL) == (fault == SCAN_OK || fault == SCAN_NOT_OBJECT));
	if (fault == SCAN_OK)
		check_model(out, tree);
	json_decref(tree);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1); /* of its own size, so that a read beyond it shows */
	struct span document = {copy, size};
	struct scan out;
	enum scan_fault fault;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	fault = scan_json(&out, document, denies, NULL);
	assert(out.error_at <= size && out.model_len == strlen(out.model));
	if (fault == SCAN_OK)
		assert(grammar_is_utf8(document));
	if (fault == SCAN_OK && out.has_model)
		assert(out.model_raw.len >= 2 && out.model_raw.ptr[0] == '"');
	check_oracle(&out, fault, document);
	free(copy);
	return 0;
}
