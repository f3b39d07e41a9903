/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "egress/dial.h"

static const struct egress_target target = {.server_name = {"a.test", 6}, .port = 443};

/* Digits are addresses of 192.0.2.0/24; a 6 is 2001:db8::6. */
static struct addresses
addresses_of(const char *digits)
{
	static const unsigned char v6[15] = {0x20, 0x01, 0x0d, 0xb8};
	static const unsigned char v4[4] = {192, 0, 2, 0};
	struct addresses a = {0};

	for (; *digits != '\0'; digits++, a.n++) {
		a.at[a.n].v6 = *digits == '6';
		memcpy(a.at[a.n].bytes, *digits == '6' ? v6 : v4, *digits == '6' ? 15 : 4);
		a.at[a.n].bytes[*digits == '6' ? 15 : 3] = (unsigned char)(*digits - '0');
	}
	return a;
}

static void
what_was_reached_comes_first(void **state)
{
	static const struct {
		const char *shown, *reached, *again, *line;
		bool changed;
	} cases[] = {
		{"123", "192.0.2.3", NULL, "a.test:443:192.0.2.3,192.0.2.1,192.0.2.2", true},
		{"12", "192.0.2.1", NULL, "a.test:443:192.0.2.1,192.0.2.2", false},
		{"12", "192.0.2.9", NULL, "a.test:443:192.0.2.1,192.0.2.2", false},
		{"12", "", NULL, "a.test:443:192.0.2.1,192.0.2.2", false},
		{"16", "2001:db8::6", NULL, "a.test:443:[2001:db8::6],192.0.2.1", true},
		/* and the resolver's next answer leaves it there */
		{"12", "192.0.2.2", "12", "a.test:443:192.0.2.2,192.0.2.1", true},
		{"123", "192.0.2.3", "413", "a.test:443:192.0.2.3,192.0.2.1,192.0.2.4", true},
		{"12", "192.0.2.2", "34", "a.test:443:192.0.2.3,192.0.2.4", true},
		{"12", "192.0.2.2", "331", "a.test:443:192.0.2.1,192.0.2.3,192.0.2.3", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addresses shown = addresses_of(cases[i].shown);
		struct dial d = {0};
		unsigned was;

		dial_set(&d, &target, &shown);
		was = d.current;
		dial_reached(&d, &target, cases[i].reached);
		assert_int_equal(d.current != was, cases[i].changed);
		if (cases[i].again != NULL) {
			struct addresses again = addresses_of(cases[i].again);

			dial_set(&d, &target, &again);
		}
		assert_string_equal(d.line, cases[i].line);
		dial_free(&d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_reached_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
