/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sidekey status --open`: the page of the admin port, for one browser, on a loopback port of its
 * own. Whoever else finds the port gets nothing:
 *
 *	http://127.0.0.1:PORT/KEY/       KEY: 32 random bytes; good for one load, which gives the
 *	                                 browser a session cookie and sends it to the page
 *	http://127.0.0.1:PORT/KEY/NAME   with that cookie: the page and its files, and `status`,
 *	                                 which is asked of the running sidekey
 */
#ifndef CLI_OPEN_H
#define CLI_OPEN_H

#include "config/config.h"

/*
 * Serves it until SIGINT, SIGTERM, or ten minutes without a request; what to show is asked of
 * listeners, with token (or NULL). Prints the link. Returns an exit status.
 */
int open_page(const struct config_listeners *listeners, const char *token);

#endif
