/* SPDX-License-Identifier: Apache-2.0 */
/* `sidekey token`: a fresh token for a caller, and its digest for the configuration. */
#ifndef CLI_TOKEN_H
#define CLI_TOKEN_H

/* token [--name NAME] [--json]. Returns 0 good, 1 no randomness or output, 2 usage. */
int cli_token(int argc, char **argv);

#endif
