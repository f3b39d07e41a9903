/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <unistd.h>

#include "unit.h"

#include "resolver/lookup.h"

/* Addresses are letters here: "abc" is three of them, and capitals are IPv6. */
static struct lookup_answer
answer_of(const char *letters)
{
	struct lookup_answer a = {0};

	for (; *letters != '\0'; letters++)
		a.addresses[a.n++] = (struct lookup_address){.v6 = *letters <= 'Z',
							     .bytes = {(unsigned char)*letters}};
	return a;
}

static void
known_addresses_keep_their_place(void **state)
{
	static const struct {
		const char *shown, *got, *now;
		bool changed;
		const char *comment;
	} cases[] = {
		{"", "ab", "ab", true, "the first answer"},
		{"ab", "ba", "ab", false, "a name server that rotates changes nothing"},
		{"abc", "edcba", "abc", false, "nor with more addresses than are shown"},
		{"abc", "dca", "acd", true, "what is gone makes room"},
		{"abc", "de", "de", true, "moved"},
		{"ab", "abc", "abc", true, "one more"},
		{"", "abcdefgh", "abc", true, "three at most"},
		{"", "aab", "ab", true, "each once"},
		{"", "ABCde", "ABd", true, "one of each family"},
		{"ABd", "CBAed", "ABd", false, "and it stays"},
		{"ABC", "ABCd", "ABC", false, "but what works is not given up for it"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lookup_answer shown = answer_of(cases[i].shown);
		struct lookup_answer got = answer_of(cases[i].got), want = answer_of(cases[i].now);

		if (lookup_merge(&shown, &got) != cases[i].changed || shown.n != want.n ||
		    memcmp(&shown.addresses, &want.addresses, sizeof(want.addresses)) != 0)
			fail_msg("%s", cases[i].comment);
	}
}

static int
look_up(const char *host, struct lookup_answer *out)
{
	struct pollfd p = {.fd = -1, .events = POLLIN};
	pid_t pid = lookup_start(host, &p.fd);
	int result;

	assert_true(pid > 0);
	assert_true(poll(&p, 1, 10000) > 0);
	result = lookup_finish(pid, p.fd, out);
	close(p.fd);
	return result;
}

static void
a_child_answers(void **state)
{
	static const unsigned char loopback[4] = {127, 0, 0, 1};
	struct lookup_answer got;
	bool found = false;

	(void)state;
	assert_int_equal(look_up("localhost", &got), 0);
	for (size_t i = 0; i < got.n; i++)
		found = found || (got.addresses[i].v6 == 0 &&
				  memcmp(got.addresses[i].bytes, loopback, 4) == 0);
	assert_true(found);
}

static void
no_answer_is_a_failure(void **state)
{
	struct lookup_answer got = answer_of("untouched");
	int fd;
	pid_t pid;

	(void)state;
	assert_int_equal(look_up("no..such", &got), -1);
	assert_int_equal(got.n, 9);
	/* Ended at once, before it can have answered: as the deadline does. */
	pid = lookup_start("localhost", &fd);
	assert_true(pid > 0);
	(void)lookup_finish(pid, fd, &got);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_addresses_keep_their_place),
		cmocka_unit_test(a_child_answers),
		cmocka_unit_test(no_answer_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
