/* SPDX-License-Identifier: Apache-2.0 */
/* How the load generator of tests/bench reads an answer and counts what it measured. */
#include "tests/unit/unit.h"

#include "tests/bench/reply.h"
#include "tests/bench/samples.h"

#define SIZED "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define CHUNKED                                                                                    \
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"                                    \
	"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n"

struct taken {
	char bytes[64];
	size_t len;
};

static void
take(void *arg, const char *ptr, size_t len)
{
	struct taken *t = arg;

	assert_true(t->len + len < sizeof t->bytes);
	memcpy(t->bytes + t->len, ptr, len);
	t->len += len;
}

struct row {
	const char *comment, *wire, *body;
	int status;
	bool closes;
	size_t left; /* bytes of the next answer, which are not this one's */
};

static const struct row rows[] = {
	{"a length", SIZED, "hello", 200, false, 0},
	{"chunks, an extension and a trailer", CHUNKED, "hello", 200, false, 0},
	{"no body", "HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", "", 401, false, 0},
	{"the last one", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "", 200, true, 0},
	{"another behind it", SIZED "HTTP", "hello", 200, false, 4},
};

static void
answers_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].wire);

		for (size_t piece = 1; piece <= len; piece++) {
			struct taken t = {.len = 0};
			struct reply r = {.take = take, .arg = &t};
			size_t left = 0;

			for (size_t at = 0; at < len; at += piece)
				left += reply_take(&r, rows[i].wire + at,
						   len - at < piece ? len - at : piece);
			assert_int_equal(r.at, REPLY_DONE);
			assert_int_equal(r.status, rows[i].status);
			assert_int_equal(r.closes, rows[i].closes);
			assert_int_equal(left, rows[i].left);
			assert_int_equal(t.len, strlen(rows[i].body));
			assert_memory_equal(t.bytes, rows[i].body, t.len);
		}
	}
}

static void
head_is_seen_before_the_body(void **state)
{
	struct reply r = {0};

	(void)state;
	assert_int_equal(reply_take(&r, SIZED, strlen(SIZED) - 6), 0);
	assert_false(reply_has_head(&r));
	assert_int_equal(reply_take(&r, "\n", 1), 0);
	assert_true(reply_has_head(&r));
}

static void
percentiles_by_nearest_rank(void **state)
{
	struct samples s = {0};

	(void)state;
	assert_int_equal(samples_percentile(&s, 50), 0);
	for (uint32_t i = 100; i > 0; i--)
		samples_add(&s, i);
	samples_sort(&s);
	assert_int_equal(samples_percentile(&s, 1), 1);
	assert_int_equal(samples_percentile(&s, 50), 50);
	assert_int_equal(samples_percentile(&s, 99), 99);
	assert_int_equal(samples_percentile(&s, 100), 100);
	samples_fini(&s);
	samples_add(&s, UINT64_MAX);
	samples_sort(&s);
	assert_int_equal(samples_percentile(&s, 50), UINT32_MAX);
	samples_fini(&s);
}

static void
more_than_the_first_room(void **state)
{
	struct samples s = {0};

	(void)state;
	for (uint32_t i = 0; i <= SAMPLES_FIRST; i++)
		samples_add(&s, i);
	samples_sort(&s);
	assert_int_equal(s.len, SAMPLES_FIRST + 1);
	assert_int_equal(samples_percentile(&s, 100), SAMPLES_FIRST);
	samples_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_in_any_pieces),
		cmocka_unit_test(head_is_seen_before_the_body),
		cmocka_unit_test(percentiles_by_nearest_rank),
		cmocka_unit_test(more_than_the_first_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
