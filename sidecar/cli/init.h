/* SPDX-License-Identifier: Apache-2.0 */
/* `sidekey init`: a configuration to begin with, from the environment or from another format. */
#ifndef CLI_INIT_H
#define CLI_INIT_H

/*
 * init [--from FILE] [-o FILE [--force]]. Returns 0 good, 1 nothing to make one of, or it could
 * not be written, 2 usage.
 */
int cli_init(int argc, char **argv);

#endif
