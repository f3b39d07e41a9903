/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/secret.h"
#include "egress/inject.h"

enum { KEY, TEAM, SLOTS };

#define TEXT(s)                                                                                    \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	} /* SPAN for data */

static struct egress_part key_parts[] = {{TEXT("Bearer "), PLAN_NONE}, {{NULL, 0}, KEY}};
static struct egress_part team_parts[] = {{{NULL, 0}, TEAM}};
static struct egress_part plain_parts[] = {{TEXT("1"), PLAN_NONE}};
static struct egress_header headers[] = {
	{TEXT("Authorization"), key_parts, COUNT(key_parts), false},
	{TEXT("X-Team"), team_parts, COUNT(team_parts), true},
};
static struct egress_header plain[] = {{TEXT("X-Plain"), plain_parts, COUNT(plain_parts), false}};
static struct egress_target targets[] = {
	{.authority = TEXT("api"), .headers = headers, .nheaders = COUNT(headers)},
	{.headers = plain, .nheaders = COUNT(plain)},
};
static const struct egress_plan plan = {
	.targets = targets, .ntargets = COUNT(targets), .nslots = SLOTS};

static struct vault *v; /* for all tests, as a role has one for good */

static void
lines_know_what_they_are_made_of(void **state)
{
	struct header_set *old, *now;

	(void)state;
	assert_null(vault_headers(v, 0));
	assert_int_equal(vault_put(v, KEY, 1, SPAN("one")), 0);
	old = vault_headers(v, 0);
	assert_int_equal(header_set_count(old), 1);
	assert_true(header_set_has_secret(old));
	assert_false(vault_is_newer(v, old));

	assert_int_equal(vault_put(v, KEY, 2, SPAN("two")), 0);
	assert_true(vault_is_newer(v, old));
	now = vault_headers(v, 0);
	assert_false(vault_is_newer(v, now));
	assert_string_equal(header_set_line(now, 0), "Authorization: Bearer two");
	assert_string_equal(header_set_line(old, 0), "Authorization: Bearer one");
	header_set_release(old);

	assert_int_equal(vault_put(v, TEAM, 1, SPAN("research")), 0); /* optional, and here now */
	assert_true(vault_is_newer(v, now));
	vault_drop(v, TEAM);
	assert_false(vault_is_newer(v, now)); /* gone is not newer */
	header_set_release(now);
	vault_drop(v, KEY);
	assert_null(vault_headers(v, 0));
	assert_int_equal(vault_put(v, SLOTS, 1, SPAN("none")), -1);
}

static void
targets_know_their_slots(void **state)
{
	struct header_set *s;

	(void)state;
	s = vault_headers(v, 1);
	assert_true(vault_uses(v, 0, KEY) && vault_uses(v, 0, TEAM));
	assert_false(vault_uses(v, 1, KEY) || vault_uses(v, 1, PLAN_NONE - 1));
	assert_non_null(s);
	assert_false(header_set_has_secret(s));
	header_set_release(s);
}

/* Pages without room for another block of a line's size, or of its value's. */
static size_t
fill_pages(struct secret **filling, size_t max)
{
	size_t n = 0;

	for (size_t len = 2048; len >= 16; len /= 2)
		while (n < max && (filling[n] = secret_room(len - 16)) != NULL)
			n++;
	assert_true(n < max);
	return n;
}

/*
 * A rotation needs no room for both values; while a call has the lines of the old one, or the new
 * one is longer, there is none to be had, and the old one goes on.
 */
static void
full_pages_take_a_rotation(void **state)
{
	static struct secret *filling[8192];
	const char *old = "sk-1-0123456789-0123456789-0123456789";
	const char *next = "sk-2-0123456789-0123456789-0123456789";
	struct header_set *s;
	char longer[1024];
	size_t n;

	(void)state;
	memset(longer, 'x', sizeof(longer));
	assert_int_equal(vault_put(v, KEY, 1, span_of(old)), 0);
	s = vault_headers(v, 0);
	n = fill_pages(filling, COUNT(filling));
	assert_int_equal(vault_put(v, KEY, 2, span_of(next)), -1);
	assert_false(vault_is_newer(v, s));
	header_set_release(s);
	s = vault_headers(v, 0);
	assert_string_equal(header_set_line(s, 0) + 22, old);
	header_set_release(s);

	assert_int_equal(vault_put(v, KEY, 3, span_of(next)), 0);
	s = vault_headers(v, 0);
	assert_non_null(s);
	assert_string_equal(header_set_line(s, 0) + 22, next);
	header_set_release(s);
	assert_int_equal(vault_put(v, KEY, 4, (struct span){longer, sizeof(longer)}), -1);
	s = vault_headers(v, 0);
	assert_non_null(s);
	assert_string_equal(header_set_line(s, 0) + 22, next);
	header_set_release(s);
	while (n > 0)
		secret_free(filling[--n]);
	vault_drop(v, KEY);
}

/* The request's own lines stay, however many secret ones there are then. */
static void
a_request_is_renewed(void **state)
{
	struct frame_call call = {.method = SPAN("GET"), .path = SPAN("/v1/models")};
	struct inject in = {0};
	size_t own;

	(void)state;
	assert_int_equal(vault_put(v, KEY, 1, SPAN("one")), 0);
	inject_build(&in, &targets[0], &call, vault_headers(v, 0));
	own = in.nlines - 1;
	assert_string_equal(in.lines[own], "Authorization: Bearer one");
	assert_int_equal(vault_put(v, KEY, 2, SPAN("two")), 0);
	assert_int_equal(vault_put(v, TEAM, 1, SPAN("research")), 0);
	inject_renew(&in, vault_headers(v, 0));
	assert_int_equal(in.nlines, own + 2);
	assert_string_equal(in.target, "/v1/models");
	assert_memory_equal(in.lines[0], "Host: ", 6);
	assert_string_equal(in.lines[own], "Authorization: Bearer two");
	assert_string_equal(in.lines[own + 1], "X-Team: research");
	vault_drop(v, TEAM);
	inject_renew(&in, vault_headers(v, 0));
	assert_int_equal(in.nlines, own + 1);
	inject_free(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_know_what_they_are_made_of),
		cmocka_unit_test(targets_know_their_slots),
		cmocka_unit_test(full_pages_take_a_rotation),
		cmocka_unit_test(a_request_is_renewed),
	};

	if (secret_init(64 * 1024) == SECRET_PAGES_NONE)
		return 1;
	v = vault_new(&plan);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
