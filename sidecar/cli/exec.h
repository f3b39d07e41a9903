/* SPDX-License-Identifier: Apache-2.0 */
/* `sidekey exec`: a command with sidekey beside it, and none of its secrets. */
#ifndef CLI_EXEC_H
#define CLI_EXEC_H

/*
 * exec [--isolate] [-c FILE] [--caller NAME] [--log FILE] [--] CMD… becomes CMD, or ends as the
 * isolated CMD does. Returns else: 1 sidekey did not get ready, 2 usage or configuration, 126 CMD
 * cannot be executed, 127 it is not there.
 */
int cli_exec(int argc, char **argv);

#endif
