/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The byte-preserving JSON scanner: validates a whole document (RFC 8259, UTF-8,
 * no byte order mark, at most SCAN_DEPTH levels) without building a tree, and
 * reports the members of the top-level object, names unescaped and case-folded,
 * so that "mod\u0065l" and "Model" cannot slip past the rules for "model".
 *
 * Folding is ASCII's, and that of the two other characters whose simple folding is an
 * ASCII letter (U+212A to k, U+017F to s), which Go's encoding/json matches too. What
 * parsers read differently is refused where it matters: an escaped NUL or a lone
 * surrogate in a top-level name (SCAN_NOT_JSON) or in the model (SCAN_MODEL_TYPE).
 * Elsewhere in the document both are RFC 8259, and pass.
 */
#ifndef INGRESS_SCAN_H
#define INGRESS_SCAN_H

#include "base/span.h"

enum { SCAN_DEPTH = 128, SCAN_NAME_MAX = 64 };

enum scan_fault {
	SCAN_OK,
	SCAN_NOT_JSON, /* not RFC 8259, or bytes behind the document */
	SCAN_NOT_OBJECT,
	SCAN_NOT_UTF8, /* or it begins with a byte order mark */
	SCAN_TOO_DEEP,
	SCAN_MODEL_TWICE,  /* two members that fold to "model" */
	SCAN_MODEL_TYPE,   /* "model" is not a string, or longer than 2048 bytes */
	SCAN_DENIED_FIELD, /* a member that the caller's predicate denied; see denied */
};

struct scan {
	bool has_model;
	bool model_is_folded;  /* its name is "Model", say, which some upstreams do not see */
	struct span model_raw; /* the value with its quotes, in the document */
	size_t model_len;
	bool stream;                    /* a top-level "stream": true (any one of them) */
	bool odd_stream;                /* one that is neither true nor false nor null */
	bool background;                /* a top-level "background" that is not false */
	struct span stream_options;     /* the value of the top-level member, a view; or empty */
	bool many_stream_options;       /* there are several */
	bool stream_options_is_folded;  /* one is "Stream_options", say */
	struct span tools;              /* the same of "tools" */
	bool many_tools;                /* there are several */
	struct span metadata;           /* the same of "metadata" */
	bool many_metadata;             /* there are several */
	char denied[SCAN_NAME_MAX + 1]; /* the folded name, for the message */
	size_t error_at;                /* byte offset of the first fault */
	char model[2049];               /* unescaped, NUL-terminated */
};

/*
 * Whether the folded (lower-case, unescaped) name of a top-level member is refused. Longer names
 * than SCAN_NAME_MAX are cut.
 */
typedef bool scan_denies_fn(const void *arg, struct span folded_name);

/*
 * Stops at the first fault, at out->error_at; model_raw is a view into document. denies may be
 * NULL. One pass, no recursion, no allocation.
 */
enum scan_fault scan_json(struct scan *out, struct span document, scan_denies_fn *denies,
			  const void *arg);

/*
 * The text of a string of a valid document, given with its quotes: unescaped, with a NUL behind it,
 * room for max bytes and that. False: it is longer, or holds a NUL or a lone surrogate.
 */
bool scan_string_text(struct span quoted, char *out, size_t max, size_t *len);
/* Whether it is word, of at most SCAN_NAME_MAX bytes, in letters of any case. */
bool scan_string_is(struct span quoted, const char *word);

#endif
