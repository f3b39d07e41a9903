/* SPDX-License-Identifier: Apache-2.0 */
/* What all verbs have in common: -h, --help, a -c that some have no use for, a word too many. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdbool.h>

/* Whether this argument asks for the verb's usage; whether any of them does. */
bool help_is_asked(const char *argument);
bool help_is_among(int argc, char **argv);

/*
 * Whether -c FILE, --config FILE or --config=FILE stands at argv[*i]: *i is then its last word. On
 * false, file is as it was.
 */
bool help_config(int argc, char **argv, int *i, const char **file);

/* Says, for the usage to follow, that the verb does not take the word, or lacks the FILE of -c. */
void help_refuse(const char *verb, const char *word);

/*
 * The arguments of a verb that takes none of its own: -c FILE alone, for nothing, since every verb
 * takes it. -1: go on; else the exit status, with usage printed.
 */
int help_or_usage(const char *verb, int argc, char **argv, const char *usage);

#endif
