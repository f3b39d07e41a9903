/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/body.h"

#define Z8 "00000000"

struct row {
	const char *in;
	enum chunked_event event;
	const char *content;
	size_t behind; /* bytes not used */
	const char *why;
};

static const struct row rows[] = {
	{"0\r\n\r\n", CHUNKED_END, "", 0, "an empty body"},
	{"5\r\nhello\r\n0\r\n\r\n", CHUNKED_END, "hello", 0, "one chunk"},
	{"5\r\nhello\r\n0\r\n\r\nGET /", CHUNKED_END, "hello", 5, "bytes behind the body"},
	{"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", CHUNKED_END, "abc", 0, "two chunks"},
	{"A\r\n0123456789\r\n0\r\n\r\n", CHUNKED_END, "0123456789", 0, "upper case"},
	{"a\r\n0123456789\r\n0\r\n\r\n", CHUNKED_END, "0123456789", 0, "lower case"},
	{"0001\r\na\r\n000\r\n\r\n", CHUNKED_END, "a", 0, "leading zeros"},
	{Z8 "00000001\r\na\r\n0\r\n\r\n", CHUNKED_END, "a", 0, "sixteen digits"},
	{"2\r\n\r\n\r\n0\r\n\r\n", CHUNKED_END, "\r\n", 0, "line ends as content"},
	{"1;a=b;c=\"d e\"\r\na\r\n0;x\r\n\r\n", CHUNKED_END, "a", 0, "extensions"},
	{"1;a=\"\\\" ;\"\r\na\r\n0\r\n\r\n", CHUNKED_END, "a", 0, "a quoted pair"},
	{"1\r\na\r\n0\r\nA: b\r\nC:\r\n\r\n", CHUNKED_END, "a", 0, "trailers"},
	{"", CHUNKED_MORE, "", 0, "nothing yet"},
	{"5", CHUNKED_MORE, "", 0, "half a size"},
	{"5\r\nhel", CHUNKED_MORE, "hel", 0, "half a chunk"},
	{"5\r\nhello\r\n0\r\n\r", CHUNKED_MORE, "hello", 0, "all but the last byte"},
	{"\r\n", CHUNKED_BAD, "", 0, "no size"},
	{";a\r\n", CHUNKED_BAD, "", 0, "an extension without a size"},
	{" 1\r\n", CHUNKED_BAD, "", 0, "a space before the size"},
	{"1 \r\n", CHUNKED_BAD, "", 0, "a space behind the size"},
	{"1 ;a\r\n", CHUNKED_BAD, "", 0, "a space before an extension"},
	{"1\t\r\n", CHUNKED_BAD, "", 0, "a tab behind the size"},
	{"+1\r\n", CHUNKED_BAD, "", 0, "a plus sign"},
	{"-1\r\n", CHUNKED_BAD, "", 0, "a minus sign"},
	{"0x1\r\n", CHUNKED_BAD, "", 0, "0x"},
	{"g\r\n", CHUNKED_BAD, "", 0, "no digit"},
	{"1_0\r\n", CHUNKED_BAD, "", 0, "an underscore"},
	{"1\n", CHUNKED_BAD, "", 0, "a bare LF behind the size"},
	{"1\rx", CHUNKED_BAD, "", 0, "a bare CR behind the size"},
	{"1\r\r\n", CHUNKED_BAD, "", 0, "CR CR LF"},
	{"1;a\n", CHUNKED_BAD, "", 0, "a bare LF behind an extension"},
	{"1;a\rb", CHUNKED_BAD, "", 0, "a bare CR in an extension"},
	{"1;\x01\r\n", CHUNKED_BAD, "", 0, "a control byte in an extension"},
	{"1;a=GET / HTTP/1.1\r\n", CHUNKED_BAD, "", 0, "a blank in an extension"},
	{"1;a=\"\\\"\r\n", CHUNKED_BAD, "", 0, "a quoted extension without an end"},
	{"1\r\nab", CHUNKED_BAD, "a", 0, "a chunk longer than its size"},
	{"1\r\na\n", CHUNKED_BAD, "a", 0, "a bare LF behind a chunk"},
	{"1\r\na\rx", CHUNKED_BAD, "a", 0, "a bare CR behind a chunk"},
	{"1\r\na0\r\n\r\n", CHUNKED_BAD, "a", 0, "no line end behind a chunk"},
	{Z8 Z8 "1", CHUNKED_BAD, "", 0, "seventeen digits"},
	{"0\r\n\n", CHUNKED_BAD, "", 0, "a bare LF at the end"},
	{"0\r\n\rx", CHUNKED_BAD, "", 0, "a bare CR at the end"},
	{"0\r\n:a\r\n", CHUNKED_BAD, "", 0, "a trailer without a name"},
	{"0\r\nA\r\n", CHUNKED_BAD, "", 0, "a trailer without a colon"},
	{"0\r\nA : b", CHUNKED_BAD, "", 0, "a space in a trailer's name"},
	{"0\r\n A: b", CHUNKED_BAD, "", 0, "a folded trailer"},
	{"0\r\nA: b\n", CHUNKED_BAD, "", 0, "a bare LF behind a trailer"},
	{"0\r\nA: b\rx", CHUNKED_BAD, "", 0, "a bare CR in a trailer"},
	{"0\r\nA: \x01", CHUNKED_BAD, "", 0, "a control byte in a trailer"},
	{"ffffffffffffffff", CHUNKED_TOO_LARGE, "", 0, "2^64 - 1, before it wraps"},
	{"15\r\n", CHUNKED_TOO_LARGE, "", 0, "one byte over the maximum"},
	{"14\r\n01234567890123456789\r\n1", CHUNKED_TOO_LARGE, "01234567890123456789", 0,
	 "one byte over it in a second chunk"},
};

static enum chunked_event
feed(const char *in, size_t len, size_t step, char *content, size_t *used_all)
{
	enum chunked_event event = CHUNKED_MORE;
	struct chunked c;
	size_t at = 0, n = 0;

	chunked_init(&c, 20);
	while (at < len && (event == CHUNKED_MORE || event == CHUNKED_DATA)) {
		size_t some = len - at < step ? len - at : step, used;
		struct span data;

		event = chunked_feed(&c, in + at, some, &used, &data);
		assert_true(used > 0 && used <= some);
		assert_int_equal(event == CHUNKED_DATA, data.len > 0);
		memcpy(content + n, data.len > 0 ? data.ptr : "", data.len);
		n += data.len;
		at += used;
	}
	content[n] = '\0';
	assert_int_equal(c.total, n);
	*used_all = at;
	return event == CHUNKED_DATA ? CHUNKED_MORE : event;
}

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].in), used;

		for (size_t step = 1; step <= len + 1; step++) {
			char content[64];
			enum chunked_event got = feed(rows[i].in, len, step, content, &used);

			if (got != rows[i].event || strcmp(content, rows[i].content) != 0)
				fail_msg("%s, by %zu: %d", rows[i].why, step, (int)got);
			if (got == CHUNKED_END)
				assert_int_equal(len - used, rows[i].behind);
		}
	}
}

static void
overhead(void **state)
{
	struct chunked c;
	struct span data;
	char big[5000];
	size_t used;

	(void)state;
	memset(big, 'a', sizeof(big));
	big[0] = '1';
	big[1] = ';';
	chunked_init(&c, 20);
	assert_int_equal(chunked_feed(&c, big, 4096, &used, &data), CHUNKED_MORE);
	assert_int_equal(chunked_feed(&c, big + 4096, 900, &used, &data), CHUNKED_TOO_LARGE);
	assert_int_equal(chunked_feed(&c, "a", 1, &used, &data), CHUNKED_TOO_LARGE);
	assert_int_equal(used, 0);
	memcpy(big, "0\r\nA:", 5);
	chunked_init(&c, 20);
	assert_int_equal(chunked_feed(&c, big, sizeof(big), &used, &data), CHUNKED_TOO_LARGE);
	chunked_init(&c, 20);
	assert_int_equal(chunked_feed(&c, "0\r\n", 3, &used, &data), CHUNKED_MORE);
	for (int i = 0; i < 1100; i++) /* over all lines together, LF not counted */
		assert_int_equal(chunked_feed(&c, "A:b\r\n", 5, &used, &data),
				 i < 4096 / 4 ? CHUNKED_MORE : CHUNKED_TOO_LARGE);
}

static void
sticky(void **state)
{
	struct chunked c;
	struct span data;
	size_t used;

	(void)state;
	chunked_init(&c, 20);
	assert_int_equal(chunked_feed(&c, "x", 1, &used, &data), CHUNKED_BAD);
	assert_int_equal(chunked_feed(&c, "0\r\n\r\n", 5, &used, &data), CHUNKED_BAD);
	chunked_init(&c, 0);
	assert_int_equal(chunked_feed(&c, "0\r\n\r\n", 5, &used, &data), CHUNKED_END);
	assert_int_equal(chunked_feed(&c, "x", 1, &used, &data), CHUNKED_END);
	assert_int_equal(used, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(overhead),
		cmocka_unit_test(sticky),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
