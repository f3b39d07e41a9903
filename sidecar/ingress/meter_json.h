/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a few numbers, each at its own place, in a JSON object (RFC 8259) of any length that comes
 * in pieces cut anywhere. A name elsewhere, be it in a text, in an array or in an object that is
 * not on the way, is never looked at: what a model wrote cannot pass for what its server counted.
 *
 * Fixed memory, each byte looked at once. Where it looks it holds the document to the grammar;
 * what it skips need only have its strings closed and its brackets matched, METER_DEPTH of them.
 */
#ifndef INGRESS_METER_JSON_H
#define INGRESS_METER_JSON_H

#include <stdint.h>

#include "base/span.h"

enum {
	METER_DEPTH = 128,     /* levels of what is skipped, as in scan.h */
	METER_PATH_MAX = 4,    /* levels of what is looked at */
	METER_WORD_MAX = 36,   /* the longest name that is looked for, and then some */
	METER_NUMBERS_MAX = 10 /* that can be looked for at a time */
};

enum meter_kind {
	METER_OBJECT,
	METER_NUMBER,
	METER_TEXT,
	METER_MARK, /* whatever its value is */
};

/* A member of an object: its name, and what its value must be (null: as if it were not there). */
struct meter_member {
	const char *name;
	enum meter_kind kind;
	uint8_t number;                  /* of METER_NUMBER: which */
	bool last;                       /* of METER_OBJECT: nothing will be said after it */
	const struct meter_object *into; /* of METER_OBJECT */
};

struct meter_object {
	const struct meter_member *members;
	size_t n;
};

/* No model takes as many tokens in a call: who says more takes a caller's budget at all targets. */
#define METER_COUNT_MAX (UINT64_C(1) << 26)

/* What was found: bit 1 << i of seen says that value[i] is one. */
struct meter_numbers {
	uint64_t value[METER_NUMBERS_MAX]; /* at most METER_COUNT_MAX */
	uint16_t seen;
	bool bad;  /* something else than a count stood where one is due, or two different ones */
	bool last; /* an object that says so was there */
	bool mark; /* a METER_MARK was there */
};

/* Takes the inside of a METER_TEXT, in pieces. A text with escapes is bad. */
typedef void meter_text_fn(void *arg, struct span piece);

struct meter_json {
	const struct meter_object *path[METER_PATH_MAX];
	const struct meter_member *member; /* whose value comes; NULL: any other's */
	meter_text_fn *text;
	void *arg;
	struct meter_numbers found;
	uint64_t arrays[METER_DEPTH / 64]; /* of what is skipped: which levels are arrays */
	uint8_t step;                      /* of meter_json.c's own */
	uint8_t depth;                     /* of path */
	uint8_t skipped;                   /* levels */
	bool escaped;                      /* in a string: the next byte belongs to a backslash */
	uint8_t word_len;
	char word[METER_WORD_MAX]; /* of a name or a scalar */
};

/* root: the members of the document itself. text may be NULL when no place is a METER_TEXT. */
void meter_json_init(struct meter_json *j, const struct meter_object *root, meter_text_fn *text,
		     void *arg);

void meter_json_feed(struct meter_json *j, struct span piece);

/* Whether a whole object came, and nothing but blanks behind it: only then trust found. */
bool meter_json_done(const struct meter_json *j);

#endif
