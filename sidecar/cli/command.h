/* SPDX-License-Identifier: Apache-2.0 */
/* Becoming the command that `exec` runs. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

/*
 * Keeps this process, and so the command, from what is beside it, from typing into the terminal,
 * and from new privileges. 0, or -1; a sentence on standard error then, or where the kernel lacks
 * something.
 */
int command_confine(void);

/* Executes it. Returns 126 or 127, with a sentence on standard error, when that cannot be. */
int command_become(char **command, char **env);

#endif
