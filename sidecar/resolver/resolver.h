/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver: names of the configuration in, addresses out, and nothing else. A child for
 * each look-up, killed when it takes too long, parses what the name server says.
 */
#ifndef RESOLVER_RESOLVER_H
#define RESOLVER_RESOLVER_H

/* Runs the role until its parent goes; returns the exit status. */
int resolver_main(void);

#endif
