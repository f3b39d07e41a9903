/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking several addresses at once who answers there, within one short time: HTTP by hand over
 * plain sockets, one request each. What comes back is wiped, since it may be a credential.
 */
#ifndef CLI_KNOCK_H
#define CLI_KNOCK_H

#include <netinet/in.h>

#include "base/buf.h"

struct knock {
	struct sockaddr_in6 to; /* an IPv4 address is written as ::ffff:a.b.c.d */
	struct buf request;     /* empty: connecting is all */
	struct buf answer;
	bool connected;
	int fd;
	size_t sent;
};

/* A knock at host, an IPv4 or IPv6 literal without brackets. Frees with knock_free. */
void knock_init(struct knock *k, const char *host, uint16_t port);
void knock_free(struct knock *k);

/* The request "METHOD path", with Host and further lines (each ends in CRLF, or empty). */
void knock_ask(struct knock *k, const char *method, const char *path, const char *lines);

/* Knocks at all of them at the same time, for ms at most. */
void knock_all(struct knock *k, size_t n, unsigned ms);

/* The status of the answer; 0: none came. *body is a view; may be NULL. */
unsigned knock_status(const struct knock *k, struct span *body);

#endif
