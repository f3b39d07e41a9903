/* SPDX-License-Identifier: Apache-2.0 */
/* `sidekey health`: asks the running sidekey's admin port, for probes in images without a shell. */
#ifndef CLI_HEALTH_H
#define CLI_HEALTH_H

/* health [-c FILE] [--ready|--started]. Returns 0 good, 1 not, 2 usage or configuration. */
int cli_health(int argc, char **argv);

#endif
