/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/crc.h"
#include "egress/outlet.h"

#define KEY    "sk-Proj-Zq8+7Yt_0vWmN4"
#define HEX    "736b2d50726f6a2d5a71382b3759745f3076576d4e34"
#define FOLDED "sk-proj-zq8+7yt_0vwmn4"
#define SHOUTS "SK-PROJ-ZQ8+7YT_0VWMN4"
#define BASE64 "c2stUHJvai1acTgrN1l0XzB2V21OND"
#define BETWEN "XNrLVByb2otWnE4KzdZdF8wdldtTj" /* with a byte before it */
#define OTHER  "%25literal~escape%41"

static const struct span secrets[] = {
	{KEY, sizeof(KEY) - 1},
	{OTHER, sizeof(OTHER) - 1},
};

/* ---- where it goes ---- */

static char got[4096];
static size_t ngot, nfields;
static struct http_field field;

static int
take_head(void *arg, const struct frame_head *head)
{
	(void)arg;
	nfields = head->nfields;
	field = nfields > 0 ? head->fields[0] : (struct http_field){0};
	return 0;
}

static bool
is_ready(void *arg)
{
	(void)arg;
	return true;
}

static int
take_data(void *arg, struct span piece)
{
	(void)arg;
	assert_in_range(ngot + piece.len, ngot, sizeof(got));
	memcpy(got + ngot, piece.ptr, piece.len);
	ngot += piece.len;
	return 0;
}

static const struct outlet_sink sink = {take_head, is_ready, take_data};

/* ---- names ---- */

static const struct {
	const char *name;
	uint64_t found; /* bit 0: KEY, bit 1: OTHER */
} names[] = {
	{"x-request-id", 0},
	{KEY, 1},
	{FOLDED, 1},
	{SHOUTS, 1},
	{"x-" KEY "-y", 1},
	{"sk-proj-zq8+7yt_0vwmn", 0}, /* not all of it */
	{"sk-proj-zq8+7yt_0vwmn-", 0},
	{"sk-prpj-zq8+7yt_0vwmn4", 0}, /* another one */
	{"sk-proj-zq8+7yt_0vwmn5", 0},
	{"x-" HEX, 1},
	{"736B2d50726F6a2D5a71382B3759745f3076576D4e34", 1},
	{"736b2d50726f6a2d5a71382b3759745f3076576d4e35", 0},
	{BASE64, 1},
	{"x-" BETWEN, 1},
	{"c2stuhjvai1actgrn1l0xzb2v21ond", 1},
	{"%73%6b-proj-zq8%2b7yt%5F0vwmn4", 1},
	{"%53%4B-PROJ-ZQ8%2B7YT_0VWMN%34", 1},
	{"%73%6b-proj-zq8%2b7yt%5F0vwmn", 0},
	{OTHER, 2},
	{"%2525literal~escape%2541", 2},
	{"%25LITERAL~escape%41", 2},
};

static void
a_name_with_a_secret_goes(void **state)
{
	struct redactor *r = redactor_new(secrets, COUNT(secrets));

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct http_field fields[] = {{span_of(names[i].name), SPAN("before")},
					      {SPAN("x-after"), SPAN("after")}};
		struct frame_head head = {.status = 200, .fields = fields, .nfields = 2};
		struct outlet o = {0};

		assert_int_equal(outlet_head(&o, r, &head, &sink, NULL), 0);
		if (nfields != (names[i].found == 0 ? 2 : 1) ||
		    !span_is(field.name, names[i].found == 0 ? names[i].name : "x-after") ||
		    o.redact.found.secrets != names[i].found ||
		    o.redact.found.matches != (names[i].found == 0 ? 0 : 1))
			fail_msg("%s", names[i].name);
		outlet_stop(&o);
	}
	redactor_free(r);
}

/* ---- frames ---- */

enum { FRAME_LEN = 40 };

static void
put(char *at, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		at[i] = (char)(n >> (24 - 8 * i));
}

/* All that a secret may have, up to the checksum; n makes them differ in that. */
static void
make(char *at, uint32_t n)
{
	memset(at, 'a', FRAME_LEN);
	put(at, FRAME_LEN);
	put(at + 4, 0);
	put(at + 8, crc_32(0, (struct span){at, 8}));
	put(at + 12, n << 8);
	put(at + FRAME_LEN - 4, crc_32(0, (struct span){at, FRAME_LEN - 4}));
}

static void
begin(struct outlet *o, const struct redactor *r)
{
	struct http_field type = {SPAN("Content-Type"), SPAN("application/vnd.amazon.eventstream")};
	struct frame_head head = {.status = 200, .fields = &type, .nfields = 1};

	ngot = 0;
	assert_int_equal(outlet_head(o, r, &head, &sink, NULL), 0);
}

static enum outlet_answer
give(struct outlet *o, const char *text, size_t n)
{
	return outlet_data(o, (struct span){text, n}, &sink, NULL);
}

static void
a_whole_frame_is_not_held(void **state)
{
	struct redactor *r = redactor_new(secrets, COUNT(secrets));
	bool seen[256] = {false};
	size_t nseen = 0;

	(void)state;
	for (uint32_t n = 0; nseen < 256; n++) {
		char two[2 * FRAME_LEN];
		struct outlet o = {0};

		make(two, n);
		make(two + FRAME_LEN, n);
		nseen += seen[(unsigned char)two[FRAME_LEN - 1]] ? 0 : 1;
		seen[(unsigned char)two[FRAME_LEN - 1]] = true;
		begin(&o, r);
		assert_int_equal(give(&o, two, FRAME_LEN), OUTLET_TAKEN);
		assert_int_equal(ngot, FRAME_LEN);
		/* What is not whole is held, and comes with the rest. */
		assert_int_equal(give(&o, two, FRAME_LEN - 5), OUTLET_TAKEN);
		assert_int_equal(ngot, FRAME_LEN + 16);
		assert_int_equal(give(&o, two + FRAME_LEN - 5, 5), OUTLET_TAKEN);
		assert_int_equal(ngot, 2 * FRAME_LEN);
		assert_int_equal(give(&o, two, sizeof(two)), OUTLET_TAKEN);
		assert_int_equal(ngot, 4 * FRAME_LEN);
		assert_memory_equal(got + 2 * FRAME_LEN, two, sizeof(two));
		outlet_stop(&o);
	}
	redactor_free(r);
}

/* A length before the secret, as somebody could choose it, that ends within the secret. */
static void
what_is_no_frame_is_held(void **state)
{
	struct redactor *r = redactor_new(secrets, COUNT(secrets));
	size_t len = sizeof(KEY) - 1;

	(void)state;
	for (size_t cut = 1; cut < len; cut++) {
		char text[FRAME_LEN + 12 + sizeof(KEY)] = "";
		struct outlet o = {0};

		make(text, 0);
		put(text + FRAME_LEN, (uint32_t)(12 + cut));
		put(text + FRAME_LEN + 4, 0);
		put(text + FRAME_LEN + 8, crc_32(0, (struct span){text + FRAME_LEN, 8}));
		memcpy(text + FRAME_LEN + 12, KEY, len);
		begin(&o, r);
		assert_int_equal(give(&o, text, FRAME_LEN + 12 + cut), OUTLET_TAKEN);
		assert_in_range(ngot, FRAME_LEN, FRAME_LEN + 12);
		if (give(&o, secrets[0].ptr + cut, len - cut) == OUTLET_TAKEN)
			assert_int_equal(outlet_end(&o, &sink, NULL), OUTLET_BROKEN);
		assert_in_range(ngot, FRAME_LEN, FRAME_LEN + 12);
		outlet_stop(&o);
	}
	redactor_free(r);
}

static void
a_secret_in_a_frame_breaks(void **state)
{
	struct redactor *r = redactor_new(secrets, COUNT(secrets));
	char frame[FRAME_LEN + sizeof(KEY)];
	uint32_t len = sizeof(frame);

	(void)state;
	make(frame, 0);
	put(frame, len);
	put(frame + 8, crc_32(0, (struct span){frame, 8}));
	memcpy(frame + 20, KEY, sizeof(KEY) - 1);
	memset(frame + 20 + sizeof(KEY) - 1, 'a', len - 20 - sizeof(KEY) + 1);
	put(frame + len - 4, crc_32(0, (struct span){frame, len - 4}));
	for (size_t cut = 0; cut < len; cut++) {
		struct outlet o = {0};

		begin(&o, r);
		if (give(&o, frame, cut) == OUTLET_TAKEN)
			assert_int_equal(give(&o, frame + cut, len - cut), OUTLET_BROKEN);
		assert_in_range(ngot, 0, 20);
		assert_int_equal(o.redact.found.matches, 1);
		outlet_stop(&o);
	}
	redactor_free(r);
}

/* ---- a body of known length ---- */

static void
nothing_is_held_of_the_end(void **state)
{
	static const char text[] = "{\"echo\":\"" KEY "\"}";
	struct redactor *r = redactor_new(secrets, COUNT(secrets));
	size_t len = sizeof(text) - 1, at = strlen("{\"echo\":\"");

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		struct frame_head head = {.status = 200, .has_length = true, .length = len};
		struct outlet o = {0};

		ngot = 0;
		assert_int_equal(outlet_head(&o, r, &head, &sink, NULL), 0);
		assert_int_equal(give(&o, text, cut), OUTLET_TAKEN);
		assert_int_equal(ngot, 0);
		assert_int_equal(give(&o, text + cut, len - cut), OUTLET_TAKEN);
		assert_int_equal(ngot, len);
		assert_memory_equal(got, text, at);
		assert_memory_equal(got + at, "**********************\"}", len - at);
		assert_int_equal(outlet_end(&o, &sink, NULL), OUTLET_TAKEN);
		assert_int_equal(ngot, len);
	}
	redactor_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_with_a_secret_goes),
		cmocka_unit_test(a_whole_frame_is_not_held),
		cmocka_unit_test(what_is_no_frame_is_held),
		cmocka_unit_test(a_secret_in_a_frame_breaks),
		cmocka_unit_test(nothing_is_held_of_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
