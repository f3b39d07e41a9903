/* SPDX-License-Identifier: Apache-2.0 */
/* `sidekey status`: what the running sidekey does, as tables on a terminal or in a browser. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

/* status [-c FILE] [--json | --open]. Returns 0 good, 1 not told, 2 usage or configuration. */
int cli_status(int argc, char **argv);

#endif
