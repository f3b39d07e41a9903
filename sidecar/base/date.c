/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/date.h"

#include "base/ascii.h"
#include "base/num.h"

enum { DAY = 86400, YEAR_MAX = 9999 };

struct civil {
	uint64_t year, month, day, hour, minute, second;
};

/* Days since 1970-01-01 of a day in the Gregorian calendar; the year begins in March here. */
static uint64_t
days_of(const struct civil *c)
{
	uint64_t y = c->month <= 2 ? c->year - 1 : c->year;
	uint64_t m = c->month <= 2 ? c->month + 9 : c->month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + c->day - 1 - 719468;
}

static bool
is_leap(uint64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
to_seconds(const struct civil *c, uint64_t *out)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	uint64_t last;

	if (c->year < 1970 || c->year > YEAR_MAX || c->month < 1 || c->month > 12)
		return -1;
	last = c->month == 2 && is_leap(c->year) ? 29 : days[c->month - 1];
	if (c->day < 1 || c->day > last || c->hour > 23 || c->minute > 59 || c->second > 60)
		return -1;
	*out = days_of(c) * DAY + c->hour * 3600 + c->minute * 60 + c->second;
	return 0;
}

void
date_to_basic(uint64_t seconds, char out[static 17])
{
	uint64_t last = UINT64_C(253402300799); /* the end of the year 9999 */
	uint64_t s = seconds > last ? last : seconds;
	uint64_t z = s / DAY + 719468, era = z / 146097, doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	uint64_t month = mp < 10 ? mp + 3 : mp - 9;
	uint64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0), t = s % DAY;

	snprintf(out, 17, "%04u%02u%02uT%02u%02u%02uZ", (unsigned)(year % 10000),
		 (unsigned)(month % 100), (unsigned)((doy - (153 * mp + 2) / 5 + 1) % 100),
		 (unsigned)(t / 3600 % 100), (unsigned)(t / 60 % 60), (unsigned)(t % 60));
}

/* Reads text by pattern, in which Y M D h m s stand for digits and others for themselves. */
static int
match(struct span text, const char *pattern, struct civil *c)
{
	*c = (struct civil){0};
	if (text.len != strlen(pattern))
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		uint64_t *field = NULL;
		char t = text.ptr[i];

		switch (pattern[i]) {
		case 'Y':
			field = &c->year;
			break;
		case 'M':
			field = &c->month;
			break;
		case 'D':
			field = &c->day;
			break;
		case 'h':
			field = &c->hour;
			break;
		case 'm':
			field = &c->minute;
			break;
		case 's':
			field = &c->second;
			break;
		default:
			break;
		}
		if (field == NULL && t != pattern[i])
			return -1;
		if (field == NULL)
			continue;
		if (!ascii_is_digit(t))
			return -1;
		*field = *field * 10 + (uint64_t)(t - '0');
	}
	return 0;
}

/* What may follow the seconds. */
static int
read_zone(struct span zone, int64_t *offset)
{
	struct civil c;

	if (zone.len > 0 && zone.ptr[0] == '.') {
		size_t i = 1;

		while (i < zone.len && ascii_is_digit(zone.ptr[i]))
			i++;
		if (i == 1)
			return -1;
		zone = span_cut(zone, i, zone.len);
	}
	*offset = 0;
	if (span_is(zone, "Z"))
		return 0;
	if (zone.len != 6 || match(span_cut(zone, 1, 6), "hh:mm", &c) != 0)
		return -1;
	if (c.hour > 23 || c.minute > 59 || (zone.ptr[0] != '+' && zone.ptr[0] != '-'))
		return -1;
	*offset = (int64_t)(c.hour * 3600 + c.minute * 60);
	if (zone.ptr[0] == '-')
		*offset = -*offset;
	return 0;
}

int
date_from_iso(struct span text, uint64_t *out)
{
	static const char pattern[] = "YYYY-MM-DDThh:mm:ss";
	size_t n = sizeof(pattern) - 1;
	int64_t offset;
	uint64_t seconds;
	struct civil c;

	if (match(span_cut(text, 0, n), pattern, &c) != 0 || to_seconds(&c, &seconds) != 0)
		return -1;
	if (read_zone(span_cut(text, n, text.len), &offset) != 0 || (int64_t)seconds < offset)
		return -1;
	*out = (uint64_t)((int64_t)seconds - offset);
	return 0;
}

int
date_from_http(struct span text, uint64_t *out)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct span month = span_cut(text, 8, 11);
	struct civil day, rest;
	const char *at;

	/* "Sun, 06 Nov 1994 08:49:37 GMT"; the day's name says nothing new */
	if (text.len != 29 || match(span_cut(text, 3, 8), ", DD ", &day) != 0 ||
	    match(span_cut(text, 11, 25), " YYYY hh:mm:ss", &rest) != 0 ||
	    !span_is(span_cut(text, 25, 29), " GMT"))
		return -1;
	for (at = months; *at != '\0'; at += 3)
		if (memcmp(at, month.ptr, 3) == 0)
			break;
	rest.day = day.day;
	rest.month = (uint64_t)(at - months) / 3 + 1; /* 13 when there is no such month */
	return to_seconds(&rest, out);
}
