/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The character classes and small productions of RFC 9110, 9112 and 3986 that all boundaries
 * share.
 */
#ifndef HTTP_GRAMMAR_H
#define HTTP_GRAMMAR_H

#include "base/span.h"

/* What a byte may be part of; the bits of grammar_class, for loops that cannot afford a call. */
enum grammar_bit {
	GRAMMAR_TCHAR = 1,  /* token (RFC 9110 section 5.6.2) */
	GRAMMAR_FIELD = 2,  /* field-value: VCHAR, SP, HTAB, obs-text (RFC 9110 section 5.5) */
	GRAMMAR_TARGET = 4, /* visible ASCII without # " < > */
	GRAMMAR_PATH = 8,   /* visible ASCII without # \ ? " < > ^ ` { | } */
	GRAMMAR_NAME = 16,  /* unreserved of RFC 3986: what a host name may hold */
	GRAMMAR_HEX = 32,   /* HEXDIG, either case */
};

extern const unsigned char grammar_class[256];

/* token = 1*tchar (RFC 9110 section 5.6.2). */
bool grammar_is_token(struct span s);
/* field-value without leading or trailing blanks: VCHAR, SP, HTAB, obs-text (RFC 9110 5.5). */
bool grammar_is_field_value(struct span s);
/*
 * An absolute path that means the same to everyone: starts with one '/', visible ASCII
 * without '#', '\\', '?', '"', '<', '>', '^', '`', '{', '|', '}', valid percent-triplets, no empty,
 * "." or ".." segment (also not percent-encoded, also not before ';'), no encoded control byte,
 * NUL, '%' or backslash. One trailing '/' is allowed. Encoded slashes (%2F) only if slashes is
 * true;
 * what stands between them is held to the rules for segments, since an upstream may decode them.
 */
bool grammar_is_path(struct span s, bool slashes);
/* query of RFC 3986: visible ASCII without '#', '"', '<', '>', valid percent-triplets. */
bool grammar_is_query(struct span s);
/*
 * Splits uri-host [":" port] (RFC 9110 section 7.2); IPv6 literals keep their brackets; port 0 when
 * absent. A host is an IPv6 address in brackets or unreserved characters: no percent-triplet, no
 * sub-delims, no empty port. False leaves *host and *port alone.
 */
bool grammar_split_host(struct span s, struct span *host, unsigned *port);
/* Valid UTF-8 (RFC 3629) without a byte order mark. */
bool grammar_is_utf8(struct span s);
/* The index behind the valid multi-byte sequences that start at from; from when there is none. */
size_t grammar_utf8_run(struct span s, size_t from);

#endif
