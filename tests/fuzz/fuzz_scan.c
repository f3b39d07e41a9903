/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scanner reports must lie in the document, and what it accepts must be UTF-8. jansson and
 * it agree on what is JSON, and which model it names.
 */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "http/grammar.h"
#include "ingress/scan.h"
#include "ingress/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
denies(const void *arg, struct span name)
{
	(void)arg;
	assert(name.len <= SCAN_NAME_MAX);
	return span_is(name, "api_base");
}

/* ---- the document for jansson ---- */

/*
 * jansson refuses some of RFC 8259: an escaped NUL, half a surrogate pair, and a number that is too
 * large. So it gets a copy, of the same form, in which such an escape is another and numbers
 * are short; the rest of the document is judged as it stands.
 */
struct copy {
	struct span from;
	size_t at, len;
	char *to;
	size_t depth;
	bool refused_name; /* a name in the outermost object had such an escape */
};

static void
put(struct copy *c, struct span bytes)
{
	memcpy(c->to + c->len, bytes.ptr, bytes.len);
	c->len += bytes.len;
}

/* The code unit of the escape at at; -1: there is none. */
static long
code_unit(struct span s, size_t at)
{
	long v = 0;

	if (s.len < at + 6 || s.ptr[at] != '\\' || s.ptr[at + 1] != 'u')
		return -1;
	for (size_t i = at + 2; i < at + 6; i++) {
		if (!isxdigit((unsigned char)s.ptr[i]))
			return -1;
		v = v * 16 + (isdigit((unsigned char)s.ptr[i]) ? s.ptr[i] - '0'
							       : (s.ptr[i] | 0x20) - 'a' + 10);
	}
	return v;
}

static bool
is_high(long unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool
is_low(long unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/* The escape at which the copy stands; true: it is one that jansson refuses. */
static bool
copy_escape(struct copy *c)
{
	long unit = code_unit(c->from, c->at);
	bool is_pair = is_high(unit) && is_low(code_unit(c->from, c->at + 6));
	bool refused = unit == 0 || is_low(unit) || (is_high(unit) && !is_pair);
	size_t n = is_pair ? 12 : unit >= 0 ? 6 : 2;
	struct span escape = span_cut(c->from, c->at, c->at + n);

	put(c, refused ? SPAN("\\u0041") : escape);
	c->at += escape.len;
	return refused;
}

/* The string at whose opening quote the copy stands. */
static void
copy_string(struct copy *c)
{
	bool refused = false;
	size_t end;

	put(c, SPAN("\""));
	for (c->at++; c->at < c->from.len && c->from.ptr[c->at] != '"';) {
		if (c->from.ptr[c->at] == '\\') {
			refused |= copy_escape(c);
			continue;
		}
		put(c, span_cut(c->from, c->at, c->at + 1));
		c->at++;
	}
	end = c->at + 1;
	while (end < c->from.len && strchr(" \t\r\n", c->from.ptr[end]) != NULL)
		end++;
	if (refused && c->depth == 1 && end < c->from.len && c->from.ptr[end] == ':')
		c->refused_name = true;
	put(c, span_cut(c->from, c->at, c->at + 1));
	c->at++;
}

/* Digits outside of strings: two of them are as good as all, and no exponent as good as one. */
static void
copy_digits(struct copy *c, bool is_exponent)
{
	size_t from = c->at;
	struct span digits;

	while (c->at < c->from.len && isdigit((unsigned char)c->from.ptr[c->at]))
		c->at++;
	digits = span_cut(c->from, from, c->at);
	put(c, is_exponent ? SPAN("0") : span_cut(digits, 0, 2));
}

static bool
stands_behind_e(const struct copy *c)
{
	size_t at = c->len;

	if (at > 0 && (c->to[at - 1] == '+' || c->to[at - 1] == '-'))
		at--;
	return at > 0 && (c->to[at - 1] | 0x20) == 'e';
}

static void
copy_document(struct copy *c)
{
	while (c->at < c->from.len) {
		char byte = c->from.ptr[c->at];

		if (byte == '"') {
			copy_string(c);
		} else if (isdigit((unsigned char)byte)) {
			copy_digits(c, stands_behind_e(c));
		} else {
			c->depth += byte == '{' || byte == '[';
			c->depth -= byte == '}' || byte == ']';
			put(c, span_cut(c->from, c->at, c->at + 1));
			c->at++;
		}
	}
}

/* ---- what both say ---- */

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
	struct copy copy = {.from = document, .to = malloc(document.len + 1)};
	json_t *tree;

	if (copy.to == NULL)
		abort();
	copy_document(&copy);
	tree = json_loadb(copy.to, copy.len, JSON_DECODE_ANY, NULL);
	/* what other parsers read differently is refused in a name of the outermost object */
	assert((tree != NULL && !copy.refused_name) ==
	       (fault == SCAN_OK || fault == SCAN_NOT_OBJECT));
	if (fault == SCAN_OK)
		check_model(out, tree);
	json_decref(tree);
	free(copy.to);
}

/* The walk over a list of tools must keep to it, and find values. */
static void
check_tools(struct span tools)
{
	struct span name, item;
	struct scan tool;
	size_t at = 1;

	if (tools.ptr == NULL || tools.ptr[0] != '[')
		return;
	while (walk_item(tools, &at, false, &name, &item)) {
		enum scan_fault fault;

		assert(at < tools.len && item.len > 0 && item.ptr + item.len == tools.ptr + at);
		fault = scan_json(&tool, item, NULL, NULL);
		/* Names are looked at closer now: one with a strange escape is refused. */
		assert(fault != SCAN_NOT_UTF8 && fault != SCAN_TOO_DEEP);
		assert(fault != SCAN_NOT_JSON || memchr(item.ptr, '\\', item.len) != NULL);
	}
	assert(tools.ptr[walk_blanks(tools, at)] == ']');
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
	if (fault == SCAN_OK) {
		assert(grammar_is_utf8(document));
		check_tools(out.tools);
	}
	if (fault == SCAN_OK && out.has_model)
		assert(out.model_raw.len >= 2 && out.model_raw.ptr[0] == '"');
	if (memchr(copy, '\0', size) != NULL) /* jansson loses one behind a number */
		assert(fault != SCAN_OK && fault != SCAN_NOT_OBJECT);
	else if (fault < SCAN_TOO_DEEP) /* what is behind that was not looked at */
		check_oracle(&out, fault, document);
	free(copy);
	return 0;
}
