/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "config/syntax.h"

#define QUOTE_COLONS "a value with :: at its end, such as an ARN, needs quotes: \"arn:…::\""

/* By a part of libyaml's message and a part of the line; the first that fits. */
static const struct {
	const char *message, *in_line, *hint;
} hints[] = {
	{"mapping values are not allowed", "::", QUOTE_COLONS},
	{"found unexpected ':'", "::", QUOTE_COLONS},
	{"mapping values are not allowed", "",
	 "indent this line as its neighbours are; a value with a colon and a blank in it needs "
	 "quotes"},
	{"did not find expected ',' or '}'", "${",
	 "within { } a value with ${…} needs quotes: \"Bearer ${env:NAME}\""},
	{"did not find expected key", "", "indent this line as its neighbours are"},
	{"did not find expected '-' indicator", "", "indent this line as its neighbours are"},
	{"unexpected end of stream", "", "a quote further up is not closed"},
	{"cannot start any token", "\t", "indent with blanks: a tab does not count"},
	{"cannot start any token", "", "a value that begins with @, % or ` needs quotes"},
	{"expected alphabetic or numeric", "*", "a value that begins with * needs quotes"},
};

/* The line of that number; empty where there is none. */
static struct span
line_of(struct span text, unsigned number)
{
	size_t at = 0;

	for (unsigned i = 1; i < number && at < text.len; i++)
		at = span_find(text, at, '\n') + 1;
	return at < text.len ? span_cut(text, at, span_find(text, at, '\n')) : SPAN("");
}

const char *
syntax_hint(struct span text, const struct yaml_fault *fault)
{
	struct span line = line_of(text, fault->line);

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strstr(fault->message, hints[i].message) != NULL &&
		    span_has(line, span_of(hints[i].in_line)))
			return hints[i].hint;
	return NULL;
}
