/* SPDX-License-Identifier: Apache-2.0 */
/* The chunked transfer coding of a request (RFC 9112 section 7.1), incremental and bounded. */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include <stdint.h>

#include "http/head.h"

struct chunked {
	int state;       /* of body.c's own */
	uint64_t left;   /* bytes left in the chunk */
	uint64_t total;  /* bytes of content so far */
	uint64_t max;    /* largest content allowed; beyond it CHUNKED_TOO_LARGE */
	size_t overhead; /* bytes of extensions and trailers so far (bounded) */
	unsigned digits; /* of the chunk size being read */
};

enum chunked_event {
	CHUNKED_MORE,      /* all input used; more is needed */
	CHUNKED_DATA,      /* *data is content; call again with the rest */
	CHUNKED_END,       /* the body is complete; what is behind *used is not part of it */
	CHUNKED_BAD,       /* not the grammar: bare CR or LF, sign, space, "0x", overflow … */
	CHUNKED_TOO_LARGE, /* content over max, or extensions and trailers over 4 KiB */
};

void chunked_init(struct chunked *c, uint64_t max);

/*
 * Consumes up to len bytes of in; *used says how many. Trailers are read and dropped. *data is a
 * view into in. After CHUNKED_END, _BAD or _TOO_LARGE every further call says the same.
 */
enum chunked_event chunked_feed(struct chunked *c, const char *in, size_t len, size_t *used,
				struct span *data);

#endif
