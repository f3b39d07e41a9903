/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A /dev for an isolated command: what every program takes for granted, and terminals of its own.
 * The user's other terminals, cameras and disks are not in it.
 */
#ifndef CLI_ISOLATE_DEVICES_H
#define CLI_ISOLATE_DEVICES_H

/* In mount and user namespaces of its own, with its own /proc. 0, or -1 with errno. */
int devices_make(void);

#endif
