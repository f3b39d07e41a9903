/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing secrets from an answer as it passes (design section 7): raw, base64 and base64url in
 * each alignment, hexadecimal, and each of them behind percent or JSON escapes. A match is
 * overwritten with '*', so that lengths stay. One pass, bounded memory, no oracle: what is held
 * back is the visible characters at the end, whichever secrets are sought and however far they
 * match, and how long it takes does not tell how much of a guess is right, but when its last
 * characters are, several at once (redact.c says how many).
 *
 * Of a run of such characters as much is held as the longest form takes with each byte behind an
 * escape (12 times its secret), rounded up to the next 4 KiB, so that the length of a secret is not
 * told; and up to twice that, 64 KiB more at most, so that what comes byte by byte is not searched
 * anew for each.
 */
#ifndef EGRESS_REDACT_H
#define EGRESS_REDACT_H

#include "config/plan_egress.h"

/* The secrets of one set of header lines, compiled. */
struct redactor;

/*
 * secrets: views that live as long (secret pages; nothing is copied from them but hashes under a
 * random key). Those under REDACT_LENGTH_MIN are left out. Out of memory ends the process.
 */
struct redactor *redactor_new(const struct span *secrets, size_t n);
void redactor_free(struct redactor *r);

struct redactions { /* what was found, and overwritten */
	uint64_t matches;
	uint64_t secrets; /* bit i: the ith of redactor_new, up to the 64th */
};

/* One answer's body on its way. Zeroed and with r set, it is at the start. */
struct redact {
	const struct redactor *r; /* NULL: everything passes as it is */
	struct buf held;
	struct redactions found;
};

/* Takes the next piece; appends to out what may pass. 0, or -1 when out is full. */
int redact_feed(struct redact *s, struct span piece, struct buf *out);
/* The same of a piece that no form can go on after: nothing is held of it. */
int redact_last(struct redact *s, struct span piece, struct buf *out);
/* The body is complete: appends what was held. 0 or -1. */
int redact_end(struct redact *s, struct buf *out);
/* Forgets what is held. */
void redact_stop(struct redact *s);

/* A text that is whole, such as a field's value, in place; adds to found. */
void redact_text(const struct redactor *r, char *text, size_t n, struct redactions *found);

/*
 * Whether a field's name has a secret in it; adds to found. Letters match in either case: a hop may
 * have folded them, and of a secret in hexadecimal, or of one case, that takes nothing away.
 */
bool redact_is_in_name(const struct redactor *r, struct span name, struct redactions *found);

#endif
