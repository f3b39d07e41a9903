/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "base/pack.h"

struct item {
	struct span text;
	uint16_t number;
};

struct thing {
	bool flag;
	uint8_t small;
	uint16_t mid;
	uint32_t big;
	uint64_t huge;
	struct span text;
	struct item *items;
	size_t nitems;
};

static const struct pack_field item_fields[] = {
	PACK_FIELD_SPAN(item, text, 8),
	PACK_FIELD_U16(item, number, 1000),
};
static const struct pack_type item_type = PACK_TYPE(item, item_fields);

static const struct pack_field thing_fields[] = {
	PACK_FIELD_BOOL(thing, flag),
	PACK_FIELD_U8(thing, small, 9),
	PACK_FIELD_U16(thing, mid, UINT16_MAX),
	PACK_FIELD_U32(thing, big, UINT32_MAX),
	PACK_FIELD_U64(thing, huge),
	PACK_FIELD_SPAN(thing, text, 16),
	PACK_FIELD_LIST(thing, items, nitems, 3, item_type),
};
static const struct pack_type thing_type = PACK_TYPE(thing, thing_fields);

static struct item two[] = {{{"one", 3}, 1}, {{"", 0}, 1000}};

static struct thing
sample(void)
{
	return (struct thing){true, 9, 65535, 7, UINT64_MAX, {"hello", 5}, two, 2};
}

static void
round_trip_gives_the_same(void **state)
{
	struct thing in = sample(), out;
	char room[512];
	struct pool pool;
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	assert_int_equal(pack_write(&thing_type, &in, &b), 0);
	pool_over(&pool, room, sizeof(room));
	assert_int_equal(pack_read(&thing_type, buf_span(&b), &pool, &out), 0);
	assert_true(out.flag);
	assert_int_equal(out.small, 9);
	assert_int_equal(out.mid, 65535);
	assert_true(out.huge == UINT64_MAX);
	assert_true(span_is(out.text, "hello"));
	assert_int_equal(out.nitems, 2);
	assert_true(span_is(out.items[0].text, "one"));
	assert_int_equal(out.items[1].number, 1000);
	buf_free(&b);
}

/* Every proper prefix, and every longer input, is refused. */
static void
wrong_lengths_are_refused(void **state)
{
	struct thing in = sample(), out;
	char room[512];
	struct pool pool;
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	assert_int_equal(pack_write(&thing_type, &in, &b), 0);
	for (size_t n = 0; n < b.len; n++) {
		pool_over(&pool, room, sizeof(room));
		assert_int_equal(pack_read(&thing_type, span_cut(buf_span(&b), 0, n), &pool, &out),
				 -1);
	}
	buf_add_char(&b, 0);
	pool_over(&pool, room, sizeof(room));
	assert_int_equal(pack_read(&thing_type, buf_span(&b), &pool, &out), -1);
	buf_free(&b);
}

static void
values_over_their_bound_are_refused(void **state)
{
	struct thing in = sample();
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	in.small = 10;
	assert_int_equal(pack_write(&thing_type, &in, &b), -1);
	in = sample();
	in.text = (struct span){"seventeen letters", 17};
	assert_int_equal(pack_write(&thing_type, &in, &b), -1);
	in = sample();
	in.nitems = 4;
	assert_int_equal(pack_write(&thing_type, &in, &b), -1);
	assert_int_equal(b.len, 0); /* nothing half-written is left */
	buf_free(&b);
}

/* A flag that is neither 0 nor 1, a count without items, a length over the input. */
static void
lies_are_refused(void **state)
{
	struct thing in = sample(), out;
	char room[512];
	struct pool pool;
	struct buf b;
	static const size_t places[] = {0, 1, 16, 25};

	(void)state;
	for (size_t i = 0; i < COUNT(places); i++) {
		buf_init(&b, 1024);
		assert_int_equal(pack_write(&thing_type, &in, &b), 0);
		b.ptr[places[i]] = (char)0xff;
		pool_over(&pool, room, sizeof(room));
		assert_int_equal(pack_read(&thing_type, buf_span(&b), &pool, &out), -1);
		buf_free(&b);
	}
}

static void
a_full_pool_is_an_error(void **state)
{
	struct thing in = sample(), out;
	char room[16];
	struct pool pool;
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	assert_int_equal(pack_write(&thing_type, &in, &b), 0);
	pool_over(&pool, room, sizeof(room));
	assert_int_equal(pack_read(&thing_type, buf_span(&b), &pool, &out), -1);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip_gives_the_same),
		cmocka_unit_test(wrong_lengths_are_refused),
		cmocka_unit_test(values_over_their_bound_are_refused),
		cmocka_unit_test(lies_are_refused),
		cmocka_unit_test(a_full_pool_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
