/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of IPv4 and IPv6 as texts. */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <sys/socket.h>

#include "base/span.h"

/* The family (AF_INET, AF_INET6) of an address without brackets or zone, or 0; in network order. */
int ip_parse(struct span text, unsigned char bytes[static 16]);

#endif
