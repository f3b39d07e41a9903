/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/base64.h"
#include "ingress/token.h"

static void
vectors(void **state)
{
	static const struct {
		const char *text, *bytes; /* NULL: refused */
		const char *why;
	} rows[] = {
		/* RFC 4648 section 10 */
		{"", "", "nothing"},
		{"Zg==", "f", "two to fill"},
		{"Zm8=", "fo", "one"},
		{"Zm9v", "foo", "none"},
		{"Zm9vYmE=", "fooba", "a group before it"},
		{"Zm9vYmFy", "foobar", "two groups"},
		{"+/+/", "\xfb\xff\xbf", "the last digits"},
		{"Zg=", NULL, "cut"},
		{"Zg", NULL, "not filled"},
		{"Z===", NULL, "a digit alone is no byte"},
		{"====", NULL, "no digit"},
		{"Zg==Zg==", NULL, "filled in the middle"},
		{"Zm9v\n", NULL, "a line"},
		{"Zm 9", NULL, "a blank"},
		{"-_-_", NULL, "the other alphabet"},
		{"Zm9\x80", NULL, "no digit at all"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char out[8];
		long n = base64_decode(span_of(rows[i].text), out, sizeof(out));
		bool good = rows[i].bytes != NULL;

		if (good ? n != (long)strlen(rows[i].bytes) : n != -1)
			fail_msg("%s: %ld", rows[i].why, n);
		if (good)
			assert_memory_equal(out, rows[i].bytes, (size_t)n);
	}
}

static void
never_beyond_its_room(void **state)
{
	char out[3] = {'x', 'y', 'z'};

	(void)state;
	assert_int_equal(base64_decode(SPAN("Zm9v"), out, 2), -1);
	assert_int_equal(base64_decode(SPAN("Zm9vYmFy"), out, 3), -1);
	assert_memory_equal(out, "xyz", 3);
	assert_int_equal(base64_decode(SPAN("Zm9v"), out, 3), 3);
}

static struct span
basic(const char *value, size_t times, char room[static TOKEN_ROOM])
{
	static struct http_request r;

	r = (struct http_request){.nfields = times};
	for (size_t i = 0; i < times; i++)
		r.fields[i] = (struct http_field){SPAN("Authorization"), span_of(value)};
	return token_basic(&r, room);
}

static void
passwords(void **state)
{
	static char longest[6 + TOKEN_ROOM / 3 * 4 + 5] = "Basic ";
	char room[TOKEN_ROOM];

	(void)state;
	assert_true(span_is(basic("Basic bWU6c2VjcmV0", 1, room), "secret")); /* me:secret */
	assert_true(span_is(basic("basic OnNlY3JldA==", 1, room), "secret")); /* :secret */
	assert_true(span_is(basic("Basic bWU6YTpi", 1, room), "a:b"));        /* me:a:b */
	assert_int_equal(basic("Basic c2VjcmV0", 1, room).len, 0);            /* secret */
	assert_int_equal(basic("Basic bWU6", 1, room).len, 0);                /* me: */
	assert_int_equal(basic("Basic bWU6c2VjcmV0", 2, room).len, 0);
	assert_int_equal(basic("Basic bWU6c2VjcmV", 1, room).len, 0);
	assert_int_equal(basic("Bearer bWU6c2VjcmV0", 1, room).len, 0);
	assert_int_equal(basic("", 0, room).len, 0);
	memset(longest + 6, 'O', sizeof(longest) - 7); /* 8, N, 8, …: more than there is room for */
	assert_int_equal(basic(longest, 1, room).len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(never_beyond_its_room),
		cmocka_unit_test(passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
