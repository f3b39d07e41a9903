/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "box/frame.h"
#include "box/msg_slot.h"

static void
frames_come_back_whole_and_only_whole(void **state)
{
	struct frame_fail in = {.verdict = 3}, out;
	struct frame f;
	struct pool none;
	struct buf b;

	(void)state;
	pool_over(&none, NULL, 0);
	buf_init(&b, 1024);
	assert_int_equal(frame_add(&b, FRAME_FAIL, &frame_fail_type, &in), 0);
	assert_int_equal(frame_add_bytes(&b, FRAME_BODY, SPAN("data: x\n\n")), 0);
	for (size_t n = 0; n < FRAME_HEADER + 1; n++)
		assert_int_equal(frame_next(span_cut(buf_span(&b), 0, n), &f), 0);
	assert_int_equal(frame_next(buf_span(&b), &f), FRAME_HEADER + 1);
	assert_int_equal(f.type, FRAME_FAIL);
	assert_int_equal(pack_read(&frame_fail_type, f.payload, &none, &out), 0);
	assert_int_equal(out.verdict, 3);
	buf_drop(&b, FRAME_HEADER + 1);
	assert_int_equal(frame_next(buf_span(&b), &f), FRAME_HEADER + 9);
	assert_true(span_is(f.payload, "data: x\n\n"));
	buf_free(&b);
}

static void
bytes_that_are_no_frame_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		const char *why;
	} cases[] = {
		{"\x00\0\0\0\0\0\0\0", "type none"},
		{"\x63\0\0\0\0\0\0\0", "a type that does not exist"},
		{"\x02\1\0\0\0\0\0\0", "a reserved byte set"},
		{"\x02\0\0\0\1\0\1\0", "a body over 64 KiB"},
		{"\x03\0\0\0\1\0\0\0", "an end with a payload"},
		{"\x01\0\0\0\xff\xff\xff\xff", "a head of 4 GiB"},
	};
	struct frame f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(frame_next((struct span){cases[i].bytes, 8}, &f), -1);
}

static void
a_call_keeps_its_fields(void **state)
{
	struct http_field fields[] = {{SPAN("accept"), SPAN("*/*")}, {SPAN("x"), SPAN("")}};
	struct frame_call in = {.target = 2,
				.operation = 1,
				.method = SPAN("POST"),
				.path = SPAN("/chat/completions"),
				.fields = fields,
				.nfields = 2,
				.has_body = true,
				.body_len = 77},
			  out;
	char room[512];
	struct pool pool;
	struct frame f;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	pool_over(&pool, room, sizeof(room));
	assert_int_equal(frame_add(&b, FRAME_CALL, &frame_call_type, &in), 0);
	assert_true(frame_next(buf_span(&b), &f) > 0);
	assert_int_equal(pack_read(&frame_call_type, f.payload, &pool, &out), 0);
	assert_true(span_is(out.path, "/chat/completions"));
	assert_int_equal(out.nfields, 2);
	assert_true(span_is(out.fields[0].value, "*/*"));
	assert_true(out.body_len == 77);
	buf_free(&b);
}

/* The names of states stand in logs and errors: none is missing. */
static void
every_message_has_a_row(void **state)
{
	(void)state;
	for (enum msg_type t = MSG_NONE; t < MSG_TYPES; t++)
		assert_non_null(msg_row(t)->type);
	for (enum slot_state s = SLOT_WAITING; s < SLOT_STATES; s++)
		assert_non_null(slot_state_name(s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_back_whole_and_only_whole),
		cmocka_unit_test(bytes_that_are_no_frame_are_refused),
		cmocka_unit_test(a_call_keeps_its_fields),
		cmocka_unit_test(every_message_has_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
