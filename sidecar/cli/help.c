/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/help.h"

bool
help_is_asked(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

bool
help_is_among(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (help_is_asked(argv[i]))
			return true;
	return false;
}

static bool
is_config(const char *word)
{
	return strcmp(word, "-c") == 0 || strcmp(word, "--config") == 0;
}

bool
help_config(int argc, char **argv, int *i, const char **file)
{
	static const char joined[] = "--config=";

	if (strncmp(argv[*i], joined, strlen(joined)) == 0)
		*file = argv[*i] + strlen(joined);
	else if (is_config(argv[*i]) && *i + 1 < argc)
		*file = argv[++*i];
	else
		return false;
	return true;
}

void
help_refuse(const char *verb, const char *word)
{
	if (is_config(word))
		fprintf(stderr, "sidekey %s: behind %s comes a file\n\n", verb, word);
	else
		fprintf(stderr, "sidekey %s: \"%s\" is not taken here%s\n\n", verb, word,
			word[0] == '-' ? "" : " (a verb comes first, and a file behind -c)");
}

int
help_or_usage(const char *verb, int argc, char **argv, const char *usage)
{
	const char *unused;

	if (help_is_among(argc, argv)) {
		fputs(usage, stdout);
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		if (help_config(argc, argv, &i, &unused))
			continue;
		help_refuse(verb, argv[i]);
		fputs(usage, stderr);
		return 2;
	}
	return -1;
}
