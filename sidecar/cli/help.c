/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/help.h"

bool
help_is_asked(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

int
help_or_usage(int argc, char **argv, const char *usage)
{
	for (int i = 1; i < argc; i++) {
		if (help_is_asked(argv[i])) {
			fputs(usage, stdout);
			return 0;
		}
		if (strcmp(argv[i], "-c") != 0 || ++i == argc) {
			fputs(usage, stderr);
			return 2;
		}
	}
	return -1;
}
