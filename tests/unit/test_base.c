/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <sys/mman.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/ip.h"
#include "base/num.h"
#include "base/pool.h"

static void
json_strings(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
		const char *why;
	} cases[] = {
		{"plain", 5, "\"plain\"", "as it is"},
		{"a\"b\\c", 5, "\"a\\\"b\\\\c\"", "quote and backslash"},
		{"\n\r\t\001", 4, "\"\\n\\r\\t\\u0001\"", "controls"},
		{"\0", 1, "\"\\u0000\"", "NUL"},
		{"\xc3\xa9", 2, "\"\xc3\xa9\"", "valid UTF-8 stays"},
		{"\xff", 1, "\"\xef\xbf\xbd\"", "a stray byte becomes U+FFFD"},
		{"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", "a surrogate"},
		{"\xc2\x9b\xc2\x9f", 4, "\"\\u009b\\u009f\"", "C1 controls, as CSI"},
		{"\xc2\xa0", 2, "\"\xc2\xa0\"", "the first behind them stays"},
		{"\xe2\x80\xa8\xe2\x80\xa9", 6, "\"\\u2028\\u2029\"", "ends of lines"},
		{"\xe2\x80\xae\xe2\x81\xa6", 6, "\"\\u202e\\u2066\"", "other directions"},
		{"\xe2\x80\x93", 3, "\"\xe2\x80\x93\"", "a dash stays"},
		{"\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"", "an overlong slash"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b;

		buf_init(&b, 256);
		assert_int_equal(buf_add_json(&b, (struct span){cases[i].in, cases[i].len}), 0);
		assert_true(span_is(buf_span(&b), cases[i].out));
		buf_free(&b);
	}
}

static void
percent_encoding(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 32);
	assert_int_equal(buf_add_percent(&b, SPAN("aZ09-._~")), 0);
	assert_int_equal(buf_add_percent(&b, SPAN(" /%\0\xff")), 0);
	assert_true(span_is(buf_span(&b), "aZ09-._~%20%2F%25%00%FF"));
	assert_int_equal(buf_add_percent(&b, SPAN("1234567 ")), -1);
	assert_true(span_is(buf_span(&b), "aZ09-._~%20%2F%25%00%FF"));
	buf_free(&b);
}

static void
a_pool_is_printed_into(void **state)
{
	_Alignas(max_align_t) char room[16];
	struct pool p;
	struct span s;

	(void)state;
	pool_over(&p, room, sizeof(room));
	assert_null(pool_format(&p, "%s", "0123456789abcdef").ptr); /* no room for the NUL */
	s = pool_format(&p, "%.*s%u", 3, "0123", 456789u);
	assert_true(span_is(s, "012456789"));
	assert_int_equal(s.ptr[s.len], 0);
	s = pool_format(&p, "%s", "");
	assert_null(s.ptr);
	assert_int_equal(s.len, 0);
}

static void
a_buffer_stays_within_its_maximum(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_add_str(&b, "12345678"), 0);
	assert_int_equal(buf_add_str(&b, "90x"), -1);
	assert_int_equal(b.len, 8);
	assert_int_equal(buf_addf(&b, "%d", 12), 0);
	assert_int_equal(buf_add_char(&b, 'x'), -1);
	buf_drop(&b, 3);
	assert_true(span_is(buf_span(&b), "4567812"));
	buf_keep(&b, 2);
	assert_true(span_is(buf_span(&b), "45"));
	buf_free(&b);
}

/* buf_free wipes what is within the length alone. */
static void
past_its_length_a_buffer_holds_nothing(void **state)
{
	static const char nothing[8];
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_add_str(&b, "12345678"), 0);
	buf_drop(&b, 3);
	assert_memory_equal(b.ptr + 5, nothing, 3);
	buf_keep(&b, 2);
	assert_memory_equal(b.ptr + 2, nothing, 6);
	buf_clear(&b, b.cap);
	assert_memory_equal(b.ptr, nothing, 8);
	buf_free(&b);
}

static void
digits(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 44);
	assert_int_equal(buf_add_dec(&b, 0), 0);
	assert_int_equal(buf_add_dec(&b, UINT64_MAX), 0);
	assert_int_equal(buf_add_char(&b, ' '), 0);
	assert_int_equal(buf_add_hex(&b, 0), 0);
	assert_int_equal(buf_add_hex(&b, 0x1f4a), 0);
	assert_int_equal(buf_add_hex(&b, UINT64_MAX), 0);
	assert_int_equal(buf_add_dec(&b, 12), -1);
	assert_true(span_is(buf_span(&b), "018446744073709551615 01f4affffffffffffffff"));
	buf_free(&b);
}

static void
numbers(void **state)
{
	static const struct {
		const char *text;
		int bad;
		uint64_t value;
	} u64s[] = {{"0", 0, 0},
		    {"42", 0, 42},
		    {"100", 0, 100},
		    {"101", -1, 0},
		    {"", -1, 0},
		    {"+1", -1, 0},
		    {" 1", -1, 0},
		    {"1 ", -1, 0},
		    {"0x1", -1, 0},
		    {"-1", -1, 0},
		    {"99999999999999999999999", -1, 0}},
	  durations[] = {{"5s", 0, 5000},      {"250ms", 0, 250},
			 {"24h", 0, 86400000}, {"5", -1, 0},
			 {"s", -1, 0},         {"1.5s", -1, 0},
			 {"5 s", -1, 0},       {"999999999999999999d", -1, 0}},
	  sizes[] = {{"512", 0, 512},     {"64KiB", 0, 65536}, {"32MiB", 0, 33554432},
		     {"1MB", 0, 1000000}, {"1kb", -1, 0},      {"KiB", -1, 0}};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < COUNT(u64s); i++) {
		v = 0;
		assert_int_equal(num_u64(span_of(u64s[i].text), 100, &v), u64s[i].bad);
		assert_true(v == u64s[i].value);
	}
	for (size_t i = 0; i < COUNT(durations); i++) {
		v = 0;
		assert_int_equal(num_duration(span_of(durations[i].text), &v), durations[i].bad);
		assert_true(v == durations[i].value);
	}
	for (size_t i = 0; i < COUNT(sizes); i++) {
		v = 0;
		assert_int_equal(num_size(span_of(sizes[i].text), &v), sizes[i].bad);
		assert_true(v == sizes[i].value);
	}
	assert_int_equal(num_hex(span_of("fF"), 1000, &v), 0);
	assert_true(v == 255);
	assert_int_equal(num_hex(span_of("g"), 1000, &v), -1);
	assert_int_equal(num_u64(span_of("18446744073709551615"), UINT64_MAX, &v), 0);
	assert_int_equal(num_u64(span_of("18446744073709551616"), UINT64_MAX, &v), -1);
}

/* A file of as many bytes as fit is whole; of one of more it is known that it was cut. */
static void
files_are_read_up_to_the_maximum(void **state)
{
	static const struct {
		size_t size, max;
		int error;
		size_t got;
	} cases[] = {
		{0, 8, 0, 0},
		{0, 0, 0, 0},
		{8, 8, 0, 8},
		{9, 8, EFBIG, 8},
		{40000, 65536, 0, 40000},
		{40000, 32768, EFBIG, 32768},
	};
	static char content[40000];

	(void)state;
	memset(content, 'x', sizeof(content));
	for (size_t i = 0; i < COUNT(cases); i++) {
		int fd = memfd_create("content", MFD_CLOEXEC);
		struct buf b;

		errno = 0;
		buf_init(&b, cases[i].max);
		assert_int_equal(fd_write_all(fd, (struct span){content, cases[i].size}), 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(fd_read_all(fd, &b), cases[i].error == 0 ? 0 : -1);
		assert_int_equal(errno, cases[i].error);
		assert_true(span_eq(buf_span(&b), (struct span){content, cases[i].got}));
		buf_free(&b);
		close(fd);
	}
	assert_int_equal(fd_write_all(-1, SPAN("x")), -1);
	assert_int_equal(errno, EBADF);
}

static void
addresses(void **state)
{
	const struct {
		struct span text;
		int family;
		unsigned char first, last;
	} cases[] = {
		{SPAN("127.0.0.1"), AF_INET, 127, 1},
		{SPAN("::1"), AF_INET6, 0, 0},
		{SPAN("fd00:ec2::254"), AF_INET6, 0xfd, 0xc2},
		{SPAN("[::1]"), 0, 0, 0},
		{SPAN("fe80::1%eth0"), 0, 0, 0},
		{SPAN("127.1"), 0, 0, 0},
		{SPAN("127.0.0.1\0"), 0, 0, 0},
		{SPAN(""), 0, 0, 0},
		{SPAN("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"), 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned char bytes[16] = {0};

		assert_int_equal(ip_parse(cases[i].text, bytes), cases[i].family);
		assert_true(cases[i].family == 0 || bytes[0] == cases[i].first);
		assert_true(cases[i].family == 0 || bytes[3] == cases[i].last);
	}
}

static void
spans(void **state)
{
	char text[4] = "old";

	(void)state;
	assert_true(span_is_alnum(SPAN("azAZ09"), ""));
	assert_true(span_is_alnum(SPAN("-a_"), "_-"));
	assert_false(span_is_alnum(SPAN("a_"), "-"));
	assert_false(span_is_alnum(SPAN("a\0"), "-"));
	assert_false(span_is_alnum(SPAN("\xc3\xa9"), "-"));
	assert_false(span_is_alnum(SPAN(""), "-"));
	assert_false(span_cstr(SPAN("abcd"), text, sizeof(text)));
	assert_string_equal(text, "old");
	assert_true(span_cstr(SPAN("abc"), text, sizeof(text)));
	assert_string_equal(text, "abc");
	assert_true(span_cstr(span_of(NULL), text, sizeof(text)));
	assert_string_equal(text, "");
	assert_true(span_ieq(SPAN("Content-Type"), SPAN("content-tYPE")));
	assert_false(span_ieq(SPAN("a"), SPAN("ab")));
	assert_true(span_is(span_trim(SPAN(" \t x y\t")), "x y"));
	assert_int_equal(span_find(SPAN("a=b"), 0, '='), 1);
	assert_int_equal(span_find(SPAN("ab"), 0, '='), 2);
	assert_true(span_ends(SPAN("base/v1"), SPAN("/v1")));
	assert_false(span_starts(SPAN("a"), SPAN("ab")));
	assert_true(span_has(SPAN("abc"), SPAN("bc")) && span_has(SPAN("abc"), SPAN("abc")));
	assert_false(span_has(SPAN("abc"), SPAN("ac")) || span_has(SPAN("ab"), SPAN("abc")));
	assert_false(span_has(span_of(NULL), SPAN("a")));
	assert_true(span_has(span_of(NULL), SPAN("")));
	assert_true(span_has_control(SPAN("a\x1f")) && span_has_control(SPAN("\x7f")));
	assert_true(span_has_control(SPAN("a\0b")));
	assert_false(span_has_control(SPAN(" ~\x80\xff")) || span_has_control(SPAN("")));
	assert_int_equal(span_cut(SPAN("abc"), 2, 99).len, 1);
	assert_int_equal(span_cut(SPAN("abc"), 9, 99).len, 0);
	assert_true(span_eq_ct(SPAN("tok"), SPAN("tok")));
	assert_false(span_eq_ct(SPAN("tok"), SPAN("tox")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_strings),
		cmocka_unit_test(percent_encoding),
		cmocka_unit_test(a_pool_is_printed_into),
		cmocka_unit_test(a_buffer_stays_within_its_maximum),
		cmocka_unit_test(past_its_length_a_buffer_holds_nothing),
		cmocka_unit_test(digits),
		cmocka_unit_test(numbers),
		cmocka_unit_test(files_are_read_up_to_the_maximum),
		cmocka_unit_test(addresses),
		cmocka_unit_test(spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
