/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "egress/framing.h"

#define LENGTH "Content-Length"
#define CODING "Transfer-Encoding"

static const struct {
	const char *name, *value, *name2, *value2;
	bool sound;
} heads[] = {
	{"X-A", "b", "X-B", "c", true},
	{LENGTH, "0", "X-A", "b", true},
	{"content-length", "100", LENGTH, "100", true},
	{LENGTH, "9223372036854775807", "X-A", "b", true},
	{LENGTH, "9223372036854775808", "X-A", "b", false},
	{LENGTH, "99999999999999999999", "X-A", "b", false},
	{LENGTH, "100", LENGTH, "50", false},
	{LENGTH, "0", LENGTH, "50", false},
	{LENGTH, "100, 100", "X-A", "b", false},
	{LENGTH, "", "X-A", "b", false},
	{LENGTH, "-1", "X-A", "b", false},
	{LENGTH, "+1", "X-A", "b", false},
	{LENGTH, "0x10", "X-A", "b", false},
	{LENGTH, "1 0", "X-A", "b", false},
	{CODING, "Chunked", "X-A", "b", true},
	{CODING, "chunked", LENGTH, "5", false},
	{LENGTH, "5", CODING, "chunked", false},
	{CODING, "chunked", LENGTH, "x", false},
	{CODING, "chunked", CODING, "chunked", false},
	{CODING, "gzip, chunked", "X-A", "b", false},
	{CODING, "gzip", CODING, "chunked", false},
	{CODING, "identity", "X-A", "b", false},
	{CODING, "", "X-A", "b", false},
};

static void
test_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(heads); i++) {
		struct http_field fields[] = {
			{span_of(heads[i].name), span_of(heads[i].value)},
			{span_of(heads[i].name2), span_of(heads[i].value2)},
		};
		struct frame_head head = {.status = 200, .fields = fields, .nfields = 2};

		if (framing_is_sound(&head) != heads[i].sound)
			fail_msg("%s: %s, %s: %s", heads[i].name, heads[i].value, heads[i].name2,
				 heads[i].value2);
	}
}

/* An interim answer has no body whose length it could tell. */
static void
test_interim(void **state)
{
	struct http_field link = {SPAN("Link"), SPAN("</x>")};
	struct http_field length = {SPAN(LENGTH), SPAN("0")},
			  coding = {SPAN(CODING), SPAN("chunked")};

	(void)state;
	assert_true(framing_is_sound(
		&(struct frame_head){.status = 103, .fields = &link, .nfields = 1}));
	assert_false(framing_is_sound(
		&(struct frame_head){.status = 103, .fields = &length, .nfields = 1}));
	assert_false(framing_is_sound(
		&(struct frame_head){.status = 100, .fields = &coding, .nfields = 1}));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sound),
					   cmocka_unit_test(test_interim)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
