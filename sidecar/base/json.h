/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading small JSON documents (a store's answer, a cached sign-in) with jansson. Allocations
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
 * NULL on any error.
 * Free with json_doc_free.
 */
struct json *json_doc_parse(struct span text);
void json_doc_free(struct json *doc);

/* Borrowed views that live as long as the document. Absent or of another type: NULL, or false. */
const struct json *json_doc_get(const struct json *object, const char *name);
bool json_doc_string(const struct json *object, const char *name, struct span *out);
/* A whole number that is not negative; 1.0 is none. */
bool json_doc_u64(const struct json *object, const char *name, uint64_t *out);
/* The same of a point in time as AWS writes it, whose fraction is dropped. */
bool json_doc_seconds(const struct json *object, const char *name, uint64_t *out);

/* Calls fn for each string member of object, in order; false when fn said so and it stopped. */
bool json_doc_each(const struct json *object,
		   bool (*fn)(void *arg, struct span name, struct span value), void *arg);

#endif
