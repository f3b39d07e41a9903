/* SPDX-License-Identifier: Apache-2.0 */
/* `sidekey reload` and `sidekey refresh`: a signal to the running sidekey. */
#ifndef CLI_SIGNAL_H
#define CLI_SIGNAL_H

int cli_reload(int argc, char **argv);
int cli_refresh(int argc, char **argv);

#endif
