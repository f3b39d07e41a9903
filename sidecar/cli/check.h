/* SPDX-License-Identifier: Apache-2.0 */
/* `sidekey check`: is the configuration right, and what does it say. */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

/* argv[0] is the verb. Returns the exit status: 0 good, 2 faults or usage. */
int cli_check(int argc, char **argv);

#endif
