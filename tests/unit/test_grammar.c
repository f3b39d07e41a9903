/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/grammar.h"

struct row {
	const char *text;
	bool good;
	const char *why;
};

#define EACH(rows, predicate)                                                                      \
	for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++)                              \
		if (predicate != (rows)[i].good)                                                   \
	fail_msg("%s: %s", (rows)[i].text, (rows)[i].why)

/* Each entry of the table, from the text of the RFCs anew. */
static void
classes(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool digit = c >= '0' && c <= '9', visible = c >= 0x21 && c <= 0x7e;
		bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool hex = digit || (alpha && strchr("abcdefABCDEF", c) != NULL);
		unsigned want = 0;

		if (digit || alpha || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL))
			want |= GRAMMAR_TCHAR;
		if (visible || c == ' ' || c == '\t' || c >= 0x80)
			want |= GRAMMAR_FIELD;
		if (visible && strchr("#\"<>", c) == NULL)
			want |= GRAMMAR_TARGET;
		if (visible && strchr("#\\?\"<>^`{|}", c) == NULL)
			want |= GRAMMAR_PATH;
		if (digit || alpha || (c != 0 && strchr("-._~", c) != NULL))
			want |= GRAMMAR_NAME;
		want |= hex ? GRAMMAR_HEX : 0;
		assert_int_equal(grammar_class[c], want);
	}
}

static const struct row paths[] = {
	{"/", true, "the root"},
	{"/v1/chat/completions", true, "plain"},
	{"/a/", true, "one trailing slash"},
	{"/model/a%3A0/converse", true, "an encoded colon"},
	{"/a%2eb", true, "an encoded dot within a name"},
	{"/...", true, "three dots are a name"},
	{"/.a", true, "a hidden name"},
	{"/a;b=c/d", true, "a parameter"},
	{"/%C3%A9", true, "UTF-8"},
	{"/a:b@c!$&'()*+,=~", true, "pchar"},
	{"", false, "empty"},
	{"a", false, "no slash"},
	{"//", false, "an empty segment"},
	{"//evil/a", false, "an authority"},
	{"/a//b", false, "an empty segment within"},
	{"/a//", false, "two trailing slashes"},
	{"/.", false, "dot at the end"},
	{"/..", false, "dot dot at the end"},
	{"/./a", false, "dot"},
	{"/a/../b", false, "dot dot"},
	{"/a/..", false, "trailing dot dot"},
	{"/a/../", false, "dot dot and a slash"},
	{"/%2e", false, "encoded dot"},
	{"/a/%2e%2E/b", false, "encoded dot dot"},
	{"/a/.%2e", false, "half encoded dot dot"},
	{"/a/..;x/b", false, "dot dot before a parameter"},
	{"/a/%2e%2e;/b", false, "encoded dot dot before a parameter"},
	{"/a/..%3Bx/b", false, "dot dot before an encoded semicolon"},
	{"/;/a", false, "nothing before a parameter"},
	{"/a%", false, "half a triplet"},
	{"/a%2", false, "two thirds of a triplet"},
	{"/a%zz", false, "no triplet"},
	{"/a%2g", false, "no triplet either"},
	{"/a%00", false, "an encoded NUL"},
	{"/a%0d%0a", false, "encoded line end"},
	{"/a%1f", false, "an encoded control byte"},
	{"/a%7F", false, "an encoded DEL"},
	{"/a%25", false, "an encoded percent sign"},
	{"/a%252e", false, "encoded twice"},
	{"/a%5C", false, "an encoded backslash"},
	{"/a\\b", false, "a backslash"},
	{"/a?b", false, "a query"},
	{"/a#b", false, "a fragment"},
	{"/a\"", false, "a quote"},
	{"/<", false, "less than"},
	{"/>", false, "greater than"},
	{"/^", false, "a caret"},
	{"/`", false, "a backtick"},
	{"/{a}", false, "braces"},
	{"/|", false, "a bar"},
	{"/ a", false, "a space"},
	{"/\t", false, "a tab"},
	{"/\x7f", false, "DEL"},
	{"/\xc3\xa9", false, "raw UTF-8"},
};

static void
path(void **state)
{
	static const struct row encoded[] = {
		{"/model/arn%3Aaws%3Abedrock%2Fabc/converse", true, "a Bedrock ARN"},
		{"/a%2fb", true, "lower case"},
		{"/a%2F..%2Fb", false, "dot dot between encoded slashes"},
		{"/a%2F%2e%2e/b", false, "encoded dot dot behind one"},
		{"/a%2F%2Fb", false, "two encoded slashes"},
		{"/a%2F/b", false, "an encoded slash and a slash"},
		{"/a%2F", false, "a trailing encoded slash"},
		{"/%2Fevil/a", false, "an encoded authority"},
	};

	(void)state;
	EACH(paths, grammar_is_path(span_of(paths[i].text), false));
	EACH(paths, grammar_is_path(span_of(paths[i].text), true));
	EACH(encoded, grammar_is_path(span_of(encoded[i].text), true));
	for (size_t i = 0; i < sizeof(encoded) / sizeof(encoded[0]); i++)
		assert_false(grammar_is_path(span_of(encoded[i].text), false));
	assert_false(grammar_is_path((struct span){"/\0", 2}, true));
}

static void
small(void **state)
{
	static const struct row tokens[] = {
		{"a", true, "a letter"},      {"!#$%&'*+-.^_`|~09azAZ", true, "each kind"},
		{"", false, "empty"},         {"a b", false, "a space"},
		{"a:", false, "a delimiter"}, {"\xc3\xa9", false, "beyond ASCII"},
	};
	static const struct row values[] = {
		{"", true, "empty"},
		{"a b\tc", true, "blanks within"},
		{"\x80\xff", true, "obs-text"},
		{" a", false, "a leading blank"},
		{"a\t", false, "a trailing tab"},
		{"a\r\nb", false, "a line end"},
		{"\x7f", false, "DEL"},
	};
	static const struct row queries[] = {
		{"", true, "empty"},
		{"a=b&c[]=/?:@%20{}", true, "what clients send"},
		{"a#", false, "a fragment"},
		{"%4", false, "half a triplet"},
		{"%4x", false, "no triplet"},
		{"a b", false, "a space"},
		{"\xff", false, "beyond ASCII"},
		{"<", false, "less than"},
	};
	static const struct row texts[] = {
		{"", true, "empty"},
		{"aé€😀", true, "one to four bytes"},
		{"\xef\xbb\xbfz", false, "a byte order mark"},
		{"z\xef\xbb\xbf", true, "U+FEFF within"},
		{"\x80", false, "a lone continuation"},
		{"\xc0\x80", false, "an overlong NUL"},
		{"\xc1\xbf", false, "overlong, two bytes"},
		{"\xe0\x9f\xbf", false, "overlong, three bytes"},
		{"\xf0\x8f\xbf\xbf", false, "overlong, four bytes"},
		{"\xed\xa0\x80", false, "a surrogate"},
		{"\xed\x9f\xbf\xee\x80\x80", true, "the neighbours of surrogates"},
		{"\xf4\x8f\xbf\xbf", true, "U+10FFFF"},
		{"\xf4\x90\x80\x80", false, "beyond U+10FFFF"},
		{"\xf5\x80\x80\x80", false, "an impossible lead"},
		{"a\xe2\x82", false, "cut short"},
		{"\xe2\x28\xa1", false, "a bad second byte"},
		{"\xe2\x82z", false, "a bad third byte"},
		{"\xf0\x9f\x98z", false, "a bad fourth byte"},
	};

	(void)state;
	EACH(tokens, grammar_is_token(span_of(tokens[i].text)));
	EACH(values, grammar_is_field_value(span_of(values[i].text)));
	EACH(queries, grammar_is_query(span_of(queries[i].text)));
	EACH(texts, grammar_is_utf8(span_of(texts[i].text)));
	assert_int_equal(grammar_utf8_run(span_of("aé€z"), 1), 6);
	assert_int_equal(grammar_utf8_run(span_of("é\xff"), 0), 2);
}

static void
host(void **state)
{
	static const struct {
		const char *text, *host; /* NULL: refused */
		unsigned port;
	} rows[] = {
		{"localhost", "localhost", 0},
		{"127.0.0.1:7717", "127.0.0.1", 7717},
		{"[::1]", "[::1]", 0},
		{"[::1]:65535", "[::1]", 65535},
		{"[::ffff:1.2.3.4]:1", "[::ffff:1.2.3.4]", 1},
		{"a_b.c-d~", "a_b.c-d~", 0},
		{"A:080", "A", 80},
		{"", NULL, 0},
		{":80", NULL, 0},
		{"a:", NULL, 0},
		{"a:0", NULL, 0},
		{"a:65536", NULL, 0},
		{"a:+1", NULL, 0},
		{"a:1a", NULL, 0},
		{"a:123456", NULL, 0},
		{"[]", NULL, 0},
		{"[::1", NULL, 0},
		{"[::1]x", NULL, 0},
		{"[::1]x:1", NULL, 0},
		{"[fe80::1%eth0]", NULL, 0},
		{"[1.2.3.4]", NULL, 0},
		{"[v1.a]", NULL, 0},
		{"a%20b", NULL, 0},
		{"a,b", NULL, 0},
		{"a@b", NULL, 0},
		{"a/b", NULL, 0},
		{"a b", NULL, 0},
		{"::1", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span name = SPAN("untouched");
		unsigned port = 7;
		bool good = grammar_split_host(span_of(rows[i].text), &name, &port);

		if (good != (rows[i].host != NULL) ||
		    !span_is(name, good ? rows[i].host : "untouched") ||
		    port != (good ? rows[i].port : 7))
			fail_msg("%s", rows[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(path),
		cmocka_unit_test(small),
		cmocka_unit_test(host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
