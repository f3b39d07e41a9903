/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/crc.h"
#include "egress/frames.h"

enum { FRAME_MIN = 16, WHOLE_MAX = 8 };

static void
put(char *at, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		at[i] = (char)(n >> (24 - 8 * i));
}

/* A frame of len bytes, of which those between prelude and seal are fill. */
static void
make(char *at, uint32_t len, char fill)
{
	memset(at, fill, len);
	put(at, len);
	put(at + 4, 0);
	put(at + 8, crc_32(0, (struct span){at, 8}));
	put(at + len - 4, crc_32(0, (struct span){at, len - 4}));
}

/* Gives text in pieces of at most so many bytes; notes where frames end. Their number. */
static size_t
ends_in(struct span text, size_t most, size_t ends[static WHOLE_MAX])
{
	struct frames f = {0};
	size_t n = 0, got;

	for (size_t at = 0; at < text.len; at += got) {
		struct span piece = span_cut(text, at, at + most);
		bool whole;

		got = frames_take(&f, piece, &whole);
		assert_in_range(got, 1, piece.len);
		assert_true(got == piece.len || whole);
		if (whole && n < WHOLE_MAX)
			ends[n++] = at + got;
	}
	return n;
}

static void
each_end_is_found(void **state)
{
	char text[FRAME_MIN + 17 + 300 + 100];
	size_t ends[WHOLE_MAX];

	(void)state;
	make(text, FRAME_MIN, 'a');
	make(text + FRAME_MIN, 17, 'b');
	make(text + FRAME_MIN + 17, 300, 'c');
	make(text + FRAME_MIN + 17 + 300, 100, 'd');
	for (size_t most = 1; most <= sizeof(text); most++) {
		struct span cut_short = {text, sizeof(text) - 1};

		assert_int_equal(ends_in(cut_short, most, ends), 3);
		assert_int_equal(ends[0], FRAME_MIN);
		assert_int_equal(ends[1], FRAME_MIN + 17);
		assert_int_equal(ends[2], FRAME_MIN + 17 + 300);
	}
}

/* What a byte of the second of three frames that is not what it was leaves of them. */
static void
nothing_is_believed_after_what_is_no_frame(void **state)
{
	enum { LEN = 40 };
	char text[3 * LEN];
	size_t ends[WHOLE_MAX];

	(void)state;
	for (size_t wrong = LEN; wrong < 2 * LEN; wrong++) {
		for (size_t i = 0; i < 3; i++)
			make(text + i * LEN, LEN, 'x');
		text[wrong] ^= 0x04;
		for (size_t most = 1; most <= sizeof(text); most += 13)
			assert_int_equal(ends_in((struct span){text, sizeof(text)}, most, ends), 1);
	}
}

static void
lengths_are_bounded(void **state)
{
	static const uint32_t totals[] = {0,          1,          FRAME_MIN - 1, 24723457,
					  0x7fffffff, 0x80000000, 0xffffffff};
	char text[64] = {0};
	size_t ends[WHOLE_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(totals); i++) {
		put(text, totals[i]);
		put(text + 8, crc_32(0, (struct span){text, 8}));
		assert_int_equal(ends_in((struct span){text, sizeof(text)}, 5, ends), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_end_is_found),
		cmocka_unit_test(nothing_is_believed_after_what_is_no_frame),
		cmocka_unit_test(lengths_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
