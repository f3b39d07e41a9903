/* SPDX-License-Identifier: Apache-2.0 */
/* Telling systemd that we serve (sd_notify(3), Type=notify). */
#ifndef PARENT_NOTIFY_H
#define PARENT_NOTIFY_H

/*
 * A socket to where, which is NOTIFY_SOCKET's value: a path, or behind an @ the name of an abstract
 * socket; before the sandbox. -1 with errno; EINVAL where it is neither, or too long.
 */
int notify_open(const char *where);

/* Says so, and closes the socket. -1 is none: nothing happens. */
void notify_ready(int fd);

#endif
