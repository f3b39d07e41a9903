/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that come by a Unix socket (SCM_RIGHTS). Nobody needs to take them: what was not
 * taken is closed by whoever reads the bytes, or closes the socket. The last close of a TCP
 * connection whose sender asked for it (SO_LINGER) waits for as long as that sender likes, and
 * with it all that this process does, until a signal comes.
 */
#ifndef BASE_RIGHTS_H
#define BASE_RIGHTS_H

#include <stdbool.h>
#include <sys/socket.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16; an older kernel lets all of them pass */
#endif

/* Whether they may come to this socket, and to the connections of this listener. If not, who
 * sends one gets EPERM. -1 with errno where the kernel is too old to be asked. */
int rights_let(int sock, bool let);

/* For a process to whose Unix sockets anybody may send: where the kernel cannot refuse, a signal
 * ten times a second ends such a wait. Calls may end by EINTR from then on. 0, or -1 with errno. */
int rights_bear(void);

#endif
