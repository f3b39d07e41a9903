/* SPDX-License-Identifier: Apache-2.0 */
/* An environment of NAME=VALUE rows, NULL behind the last; rows NULL: an empty one. */
#ifndef TESTS_UNIT_VARIABLES_H
#define TESTS_UNIT_VARIABLES_H

#include <string.h>

#include "config/config.h"

static const char *
variable(void *arg, const char *name)
{
	size_t n = strlen(name);

	for (const char *const *row = arg; row != NULL && *row != NULL; row++)
		if (strncmp(*row, name, n) == 0 && (*row)[n] == '=')
			return *row + n + 1;
	return NULL;
}

static struct environment
environment(const char *const *rows)
{
	return (struct environment){variable, (void *)(uintptr_t)rows};
}

#endif
