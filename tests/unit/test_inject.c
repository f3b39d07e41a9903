/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "egress/inject.h"

#include "policy/access/operations.h"

static const struct {
	const char *query;
	const char *wrong; /* NULL: it passes */
} rows[] = {
	{"limit=20&api-version=1", NULL},
	{"a=%zz", "a query that is not safe"},
	{"mod%65l=other", "a query member that steers the upstream"},
	{"api_base=x", "a query member that steers the upstream"},
};

/* What ingress refuses already, egress refuses for itself. */
static void
queries(void **state)
{
	const struct egress_target target = {.operations = UINT32_C(1) << OPERATION_MODELS};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct frame_call call = {
			.dialect = DIALECT_OPENAI,
			.operation = OPERATION_MODELS,
			.method = SPAN("GET"),
			.path = SPAN("/models"),
			.has_query = true,
			.query = span_of(rows[i].query),
		};
		const char *wrong = inject_check(&target, &call, 0, 0);

		if (rows[i].wrong == NULL)
			assert_null(wrong);
		else
			assert_string_equal(wrong, rows[i].wrong);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
