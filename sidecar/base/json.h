/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading small JSON documents (a store's answer, an upstream's refusal) with jansson. Allocations
 * are wiped when freed.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdint.h>

#include "base/span.h"

struct json; /* a document, or a value inside one */

/* Routes jansson's allocations through wipe-on-free; once, before any document. */
void json_setup(void);

/*
 * Parses text: one object, at most 32 levels deep, duplicate names refused, nothing behind it;
 * NULL on any error. Free with json_doc_free. NULL may be freed and asked, too: nothing is in it.
 */
struct json *json_doc_parse(struct span text);
/* The same, but strings in it may hold a NUL, which whoever takes one must refuse. */
struct json *json_doc_parse_nul(struct span text);
void json_doc_free(struct json *doc);

/* Borrowed views that live as long as the document. Absent or of another type: NULL, or false. */
const struct json *json_doc_get(const struct json *object, const char *name);
bool json_doc_string(const struct json *object, const char *name, struct span *out);
/* A whole number that is not negative; 1.0 is none. */
bool json_doc_u64(const struct json *object, const char *name, uint64_t *out);
/* The same of a point in time as AWS writes it, whose fraction is dropped. */
bool json_doc_seconds(const struct json *object, const char *name, uint64_t *out);

bool json_doc_number(const struct json *object, const char *name, double *out);
/* Whether the member is there and true. */
bool json_doc_is_true(const struct json *object, const char *name);
/* The i-th of a list, or NULL behind the last. */
const struct json *json_doc_item(const struct json *list, size_t i);
bool json_doc_item_number(const struct json *list, size_t i, double *out);
/* Calls fn for each member of object, in order. */
void json_doc_members(const struct json *object,
		      void (*fn)(void *arg, struct span name, const struct json *value), void *arg);

/* Calls fn for each string member of object, in order; false when fn said so and it stopped. */
bool json_doc_each(const struct json *object,
		   bool (*fn)(void *arg, struct span name, struct span value), void *arg);

#endif
