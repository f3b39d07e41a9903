/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable byte buffer with its maximum given at birth. What it held is wiped
 * when its memory is given back: what is past its length holds nothing. All
 * functions return 0, or -1 when the maximum would be passed (the buffer is
 * then unchanged). Running out of memory ends the process.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdint.h>

#include "base/span.h"

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t max;
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);

/* Forgets the content; keeps the memory when it is at most keep bytes. */
void buf_clear(struct buf *b, size_t keep);

int buf_add(struct buf *b, const void *bytes, size_t n);
int buf_add_span(struct buf *b, struct span s);
int buf_add_str(struct buf *b, const char *s);
int buf_add_char(struct buf *b, char c);
int buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* n in decimal or in lower-case hexadecimal digits: where printf costs too much. */
int buf_add_dec(struct buf *b, uint64_t n);
int buf_add_hex(struct buf *b, uint64_t n);

/* s percent-encoded, but for the unreserved of RFC 3986 section 2.3. */
int buf_add_percent(struct buf *b, struct span s);

/*
 * s as a JSON string with its quotes (RFC 8259 section 7); invalid UTF-8 becomes U+FFFD. What a
 * terminal that shows it would act on is escaped.
 */
int buf_add_json(struct buf *b, struct span s);

/* Makes room for n more bytes and returns where they go, or NULL when over the maximum. */
char *buf_room(struct buf *b, size_t n);
/* Says that n bytes, all that were, were written at buf_room's answer. */
void buf_grew(struct buf *b, size_t n);

/* Drops n bytes from the front, or keeps only the first n. */
void buf_drop(struct buf *b, size_t n);
void buf_keep(struct buf *b, size_t n);

struct span buf_span(const struct buf *b);

#endif
