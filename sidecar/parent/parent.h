/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent: reads the configuration, at the start and on SIGHUP, holds the listeners and the
 * start-up environment, starts a generation of roles for each configuration, and ends when one of
 * them dies unasked. It never reads or writes the network and never sees a secret that was fetched
 * from a store.
 */
#ifndef PARENT_PARENT_H
#define PARENT_PARENT_H

/*
 * Serves with the configuration at path (NULL: look for it) until SIGTERM or SIGINT. Returns
 * the exit status.
 */
int parent_serve(const char *path);

#endif
