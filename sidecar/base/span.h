/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes. Who lends it says how long it lives. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

struct span {
	const char *ptr;
	size_t len;
};

/* A span over a string literal. */
#define SPAN(literal) ((struct span){("" literal), sizeof(literal) - 1})

/* A span over a NUL-terminated string; NULL gives the empty span. */
struct span span_of(const char *s);

/* The bytes of s from index from (clamped) up to, and without, index to (clamped). */
struct span span_cut(struct span s, size_t from, size_t to);

/* Byte equality; equality with ASCII letters folded; the same against a C string. */
bool span_eq(struct span a, struct span b);
bool span_ieq(struct span a, struct span b);
bool span_is(struct span a, const char *s);
bool span_iis(struct span a, const char *s);

bool span_starts(struct span s, struct span prefix);
bool span_istarts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
bool span_has(struct span s, struct span part);
/* Whether a byte is a control character (below 0x20, or DEL). */
bool span_has_control(struct span s);
/* Whether it is ASCII letters, digits and the bytes of extra alone, and not empty. */
bool span_is_alnum(struct span s, const char *extra);

/* Index of the first c at or after from, or s.len when there is none. */
size_t span_find(struct span s, size_t from, char c);
size_t span_count(struct span s, char c);

/* Without leading and trailing blanks and tabs. */
struct span span_trim(struct span s);

/* s as a C string in out. False, and out is left alone, where that is too small for it. */
bool span_cstr(struct span s, char *out, size_t size);

/* Equality in time that depends on the lengths alone (for tokens and digests). */
bool span_eq_ct(struct span a, struct span b);

#endif
