/* SPDX-License-Identifier: Apache-2.0 */
/* What all verbs have in common: -h and --help, and a -c that some have no use for. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdbool.h>

/* Whether this argument asks for the verb's usage. */
bool help_is_asked(const char *argument);

/*
 * The arguments of a verb that takes none of its own: -c FILE alone, for nothing, since every verb
 * takes it. -1: go on; else the exit status, with usage printed.
 */
int help_or_usage(int argc, char **argv, const char *usage);

#endif
