/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a listening TCP port is, in the kernel's words (/proc/net/tcp, proc_net(5)). Pure. */
#ifndef CLI_LISTENING_H
#define CLI_LISTENING_H

#include <stdint.h>

#include "base/span.h"

/* False: in this table, of /proc/net/tcp or tcp6, nobody listens on port. */
bool listening_uid(struct span table, uint16_t port, uint32_t *uid);

#endif
