/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The egress role: calls the configured upstreams with their secrets. It holds header values
 * and TLS keys, never the cloud identity; it dials what the resolver gave and opens no file.
 */
#ifndef EGRESS_EGRESS_H
#define EGRESS_EGRESS_H

/*
 * Runs the role on the descriptors of box/spawn.h until its parent is gone. Returns the exit
 * status.
 */
int egress_main(void);

#endif
