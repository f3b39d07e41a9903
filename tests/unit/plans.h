/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration and an environment, compiled into plans. */
#ifndef TESTS_UNIT_PLANS_H
#define TESTS_UNIT_PLANS_H

#include <stdio.h>
#include <stdlib.h>

#include "config/project.h"
#include "unit.h"
#include "variables.h"

#define ARN        "arn:aws:secretsmanager:us-east-1:123456789012:secret:"

#define STORE(key) "targets: {a: {apiBase: https://h, apiKey: '" key "'}}\n"

struct fixture {
	struct config *c;
	struct plans p;
	struct config_faults faults;
};

static int
open_fixture(struct fixture *f, const char *text, const char *const *rows)
{
	struct environment env = environment(rows);

	*f = (struct fixture){0};
	fault_init(&f->faults);
	if (config_read_text(span_of(text), "t", &env, &f->c, &f->faults) != 0) {
		fault_print(&f->faults, stderr);
		fail();
	}
	return project(f->c, &env, &f->p, &f->faults);
}

static void
close_fixture(struct fixture *f)
{
	plans_free(&f->p);
	config_free(f->c);
	fault_free(&f->faults);
}

static void
assert_text(struct span s, const char *text)
{
	if (!span_is(s, text))
		fail_msg("%.*s is not %s", (int)s.len, s.ptr, text);
}

static bool
has_text(const struct plan_text *list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(list[i].text, text))
			return true;
	return false;
}

#endif
