/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "base/date.h"

#define BAD UINT64_MAX

static const struct {
	const char *text;
	uint64_t seconds;
	const char *why;
} iso[] = {
	{"1970-01-01T00:00:00Z", 0, "the beginning"},
	{"2015-08-30T12:36:00Z", 1440938160, "the vectors' date"},
	{"2015-08-30T14:36:00.5+02:00", 1440938160, "a fraction and an offset"},
	{"2026-11-21T05:52:02.123Z", 1795240322, "a fraction"},
	{"2026-11-21T05:52:02+00:00", 1795240322, "an offset of nothing"},
	{"2026-11-21T07:22:02+01:30", 1795240322, "east"},
	{"2026-11-20T21:52:02-08:00", 1795240322, "west"},
	{"2024-02-29T00:00:00Z", 1709164800, "a leap day"},
	{"2000-02-29T00:00:00Z", 951782400, "a leap day of a century"},
	{"9999-12-31T23:59:59Z", 253402300799, "the end"},
	{"2023-02-29T00:00:00Z", BAD, "no leap year"},
	{"2100-02-29T00:00:00Z", BAD, "no leap year either"},
	{"1969-12-31T23:59:59Z", BAD, "before the beginning"},
	{"1970-01-01T00:00:00+01:00", BAD, "before it by the offset"},
	{"2026-13-01T00:00:00Z", BAD, "month 13"},
	{"2026-00-01T00:00:00Z", BAD, "month 0"},
	{"2026-04-31T00:00:00Z", BAD, "April has 30"},
	{"2026-01-00T00:00:00Z", BAD, "day 0"},
	{"2026-01-01T24:00:00Z", BAD, "hour 24"},
	{"2026-01-01T00:60:00Z", BAD, "minute 60"},
	{"2026-01-01T00:00:61Z", BAD, "second 61"},
	{"2026-01-01T00:00:00", BAD, "no zone"},
	{"2026-01-01T00:00:00z", BAD, "a small z"},
	{"2026-01-01T00:00:00.Z", BAD, "a fraction of no digits"},
	{"2026-01-01T00:00:00+1:00", BAD, "a short offset"},
	{"2026-01-01T00:00:00+25:00", BAD, "a day's offset"},
	{"2026-01-01T00:00:00Z ", BAD, "a blank behind"},
	{"2026-01-01 00:00:00Z", BAD, "no T"},
	{"20260101T000000Z", BAD, "the basic form"},
	{"2026-1-1T0:0:0Z", BAD, "short fields"},
	{"", BAD, "nothing"},
};

static void
reads_iso(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(iso); i++) {
		uint64_t got = BAD;
		int result = date_from_iso(span_of(iso[i].text), &got);

		if (got != iso[i].seconds || (result == 0) != (iso[i].seconds != BAD))
			fail_msg("%s: %s: %ju", iso[i].text, iso[i].why, (uintmax_t)got);
	}
}

static const struct {
	const char *text;
	uint64_t seconds;
	const char *why;
} http[] = {
	{"Sun, 06 Nov 1994 08:49:37 GMT", 784111777, "RFC 9110's example"},
	{"Sat, 21 Nov 2026 05:52:02 GMT", 1795240322, "today"},
	{"Sat, 21 nov 2026 05:52:02 GMT", BAD, "names of months have one form"},
	{"Sat, 21 Foo 2026 05:52:02 GMT", BAD, "no month"},
	{"Sat, 21 anF 2026 05:52:02 GMT", BAD, "a month by accident"},
	{"Sat, 21 Nov 2026 05:52:02 UTC", BAD, "always GMT"},
	{"Sat, 31 Nov 2026 05:52:02 GMT", BAD, "November has 30"},
	{"Sunday, 06-Nov-94 08:49:37 GMT", BAD, "RFC 850's form"},
	{"Sun Nov  6 08:49:37 1994", BAD, "asctime's form"},
	{"", BAD, "nothing"},
};

static void
reads_http(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(http); i++) {
		uint64_t got = BAD;
		int result = date_from_http(span_of(http[i].text), &got);

		if (got != http[i].seconds || (result == 0) != (http[i].seconds != BAD))
			fail_msg("%s: %s: %ju", http[i].text, http[i].why, (uintmax_t)got);
	}
}

static void
writes_basic(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} rows[] = {
		{0, "19700101T000000Z"},
		{1440938160, "20150830T123600Z"},
		{1795240322, "20261121T055202Z"},
		{951782400, "20000229T000000Z"},
		{951868799, "20000229T235959Z"},
		{951868800, "20000301T000000Z"},
		{253402300799, "99991231T235959Z"},
		{UINT64_MAX, "99991231T235959Z"},
	};
	char text[17];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		date_to_basic(rows[i].seconds, text);
		assert_string_equal(text, rows[i].text);
	}
}

/* Every day for four centuries, there and back. */
static void
agrees_with_itself(void **state)
{
	(void)state;
	for (uint64_t day = 0; day < UINT64_C(146097); day++) {
		char b[17], text[] = "YYYY-MM-DDThh:mm:ssZ";
		uint64_t want = day * 86400 + day % 86400, got = 0;

		date_to_basic(want, b);
		memcpy(text, b, 4);
		memcpy(text + 5, b + 4, 2);
		memcpy(text + 8, b + 6, 2);
		memcpy(text + 11, b + 9, 2);
		memcpy(text + 14, b + 11, 2);
		memcpy(text + 17, b + 13, 2);
		assert_int_equal(date_from_iso(span_of(text), &got), 0);
		assert_true(got == want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_iso),
		cmocka_unit_test(reads_http),
		cmocka_unit_test(writes_basic),
		cmocka_unit_test(agrees_with_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
