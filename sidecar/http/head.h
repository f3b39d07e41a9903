/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict HTTP/1.1 request head parser (RFC 9112, RFC 9110). Pure: bytes in;
 * a request, need-more, or an error out. Nothing is repaired: what two parsers
 * could read differently is refused.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdint.h>

#include "base/span.h"

enum {
	HTTP_FIELDS_MAX = 128,
	HTTP_LINE_MAX = 8192, /* the request line: RFC 9112 section 3 asks for 8000 */
	HTTP_NAME_MAX = 256,  /* a field's name: the longest of measured clients has 40 bytes */
	/* The values of Connection, in all: every field is sought in them (http_is_nominated). */
	HTTP_CONNECTION_MAX = 1024,
};

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED };

/* Why a head was refused; http_fault_text says it in a sentence. */
enum http_fault {
	HTTP_OK,
	HTTP_BAD_METHOD,
	HTTP_BAD_TARGET,
	HTTP_NOT_ORIGIN_FORM,
	HTTP_BAD_VERSION,
	HTTP_BAD_LINE_END,
	HTTP_BAD_FIELD_NAME,
	HTTP_BAD_FIELD_VALUE,
	HTTP_FOLDED_FIELD,
	HTTP_NO_HOST,
	HTTP_TWO_HOSTS,
	HTTP_BAD_HOST,
	HTTP_BAD_LENGTH,
	HTTP_LENGTH_AND_CODING,
	HTTP_BAD_CODING,
	HTTP_BAD_EXPECT,
	HTTP_BAD_CONNECTION,
	HTTP_TOO_MANY_FIELDS,
	HTTP_HEAD_TOO_LARGE,
	HTTP_H2_PREFACE, /* "PRI * HTTP/2.0": the client speaks HTTP/2 with prior knowledge */
	HTTP_TLS_HELLO,  /* the client speaks TLS to a plain port */
	HTTP_BAD_CHUNK,
};

struct http_field {
	struct span name;  /* as sent */
	struct span value; /* trimmed */
};

struct http_request {
	struct span method;
	struct span target; /* raw, origin-form */
	struct span path;   /* raw, up to '?' */
	struct span query;  /* raw, behind '?' */
	bool has_query;
	bool http10; /* HTTP/1.0: cannot be answered in chunks */
	bool keep_alive;
	bool expect_continue;
	bool upgrade; /* an Upgrade field is there */
	enum http_framing framing;
	uint64_t length;  /* HTTP_LENGTH (may be 0); at most INT64_MAX */
	struct span host; /* the value of Host */
	size_t nfields;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/*
 * Looks at the len bytes that have come so far, of which the first *seen were
 * looked at by an earlier call (start with 0; it is updated, so that the cost of a
 * head that drips in is linear). Returns the head's length in bytes with *out
 * filled (views into buf), 0 for "more is needed", or -(enum http_fault) as soon
 * as the bytes cannot begin an acceptable head; what takes more than one line to see
 * (two Hosts, two framings) is refused at the head's end. max is the head's largest size.
 *
 * Refused: any version but HTTP/1.1 and 1.0 (1.0 with Transfer-Encoding too), anything
 * but origin-form ("*" for OPTIONS included), bare CR or LF, leading empty lines, space
 * before a colon, obs-fold, control or non-ASCII bytes in names and targets, NUL, CR
 * or other controls in values (obs-text is allowed in values), missing or repeated or
 * malformed Host, repeated or list or signed Content-Length (RFC 9112 section 6.3),
 * Content-Length with Transfer-Encoding, Transfer-Encoding other than exactly "chunked"
 * once, Expect other than 100-continue, a Connection that nominates Host,
 * Content-Length, Transfer-Encoding or Authorization, or that is longer than its bound.
 */
long http_head_parse(struct http_request *out, const char *buf, size_t len, size_t *seen,
		     size_t max);

/*
 * Method and path alone, of a head that was refused or has not come whole: whoever sent it is
 * answered as that line asks. It may be longer than is taken, and a proxy's: of an absolute-form
 * the path is told, of a path that has not come whole the segments that have. False, and *out is
 * left alone: not so much is there, or it is no HTTP. len: as for http_head_parse, and no more than
 * its max.
 */
bool http_head_line(struct http_request *out, const char *buf, size_t len);

/* The field of that name (any case), or NULL; and whether there is more than one. */
const struct http_field *http_find(const struct http_request *r, const char *name);
size_t http_count(const struct http_request *r, const char *name);
/* The value of the first field of that name among the n, or the empty span. */
struct span http_value(const struct http_field *fields, size_t n, const char *name);

/* Takes the next element, trimmed, perhaps empty, off a comma-separated list; false at its end. */
bool http_list_next(struct span *list, struct span *element);

/* True when a Connection field of the n nominates name: it is hop-by-hop then (RFC 9110 7.6.1). */
bool http_is_nominated(const struct http_field *fields, size_t n, struct span name);

/* What was refused and what to send instead, one English sentence for the error message. */
const char *http_fault_text(enum http_fault fault);

#endif
