/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "policy/access/query.h"

#define LONGEST                                                                                    \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"                         \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"                         \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

static const struct {
	const char *query;
	enum query_fault fault;
	const char *name; /* of the member that is refused */
	const char *why;
} rows[] = {
	{"", QUERY_OK, NULL, "none"},
	{"&&", QUERY_OK, NULL, "empty members"},
	{"limit=20&after=b", QUERY_OK, NULL, "ordinary ones"},
	{"api-version=2024-10-21", QUERY_OK, NULL, "Azure's own, with the hyphen"},
	{"API%2DVersion=1", QUERY_OK, NULL, "the same"},
	{"a=model", QUERY_OK, NULL, "a value is no name"},
	{"models=x", QUERY_DENIED, "models", "of the list"},
	{"model=x", QUERY_DENIED, "model", "a gateway takes it before the body's"},
	{"a=b&model=x&c=d", QUERY_DENIED, "model", "in the middle"},
	{"model", QUERY_DENIED, "model", "without a value"},
	{"a=b&=&model", QUERY_DENIED, "model", "behind a member without a name"},
	{"MODEL=x", QUERY_DENIED, "model", "folded"},
	{"%4d%6Fdel=x", QUERY_DENIED, "model", "escaped"},
	{"a=b;model=x", QUERY_DENIED, "model", "older servers part members at ';' too"},
	{"a;Model=x", QUERY_DENIED, "model", "the same without a value"},
	{"api_version=1", QUERY_DENIED, "api_version", "no API has it"},
	{"api_base=x", QUERY_DENIED, "api_base", "of the list"},
	{"aws_region_name=x", QUERY_DENIED, "aws_region_name", "by a prefix"},
	{"extra=x", QUERY_DENIED, "extra", "of deniedFields"},
	{"e%78tra", QUERY_DENIED, "extra", "the same, escaped"},
	{LONGEST "=1", QUERY_OK, NULL, "as long as names may be"},
	{LONGEST "n=1", QUERY_LONG_NAME, NULL, "longer"},
};

static void
names(void **state)
{
	const struct span extra[] = {SPAN("Extra")};
	char name[QUERY_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum query_fault got = query_check(span_of(rows[i].query), extra, 1, name);

		if (got != rows[i].fault || (rows[i].name != NULL && strcmp(name, rows[i].name)))
			fail_msg("%s: %s", rows[i].query, rows[i].why);
	}
	assert_int_equal(query_check(SPAN("extra=x"), NULL, 0, name), QUERY_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
