/* SPDX-License-Identifier: Apache-2.0 */
/* `sidekey route`: what would become of a call, and which rule decides. */
#ifndef CLI_ROUTE_H
#define CLI_ROUTE_H

/* argv[0] is the verb. Returns the exit status: 0 allowed, 1 refused, 2 usage or configuration. */
int cli_route(int argc, char **argv);

#endif
