/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_PRINTED_H
#define TESTS_UNIT_PRINTED_H

#include <stdio.h>

#include "config/config.h"

/* The faults as they are printed; for free(3). */
static char *
printed(const struct config_faults *faults)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	fault_print(faults, out);
	fclose(out);
	return text;
}

#endif
