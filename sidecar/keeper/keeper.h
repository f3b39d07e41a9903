/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper role: holds the cloud identity and every secret, asks the stores, and hands egress
 * what the targets need. It never reads a byte from the agent or an upstream.
 */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

/* Runs the role on the descriptors of box/spawn.h until its parent is gone: its exit status. */
int keeper_main(void);

#endif
