/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <jansson.h>

#include "base/json.h"
#include "base/secret.h"

enum { DEPTH_MAX = 32 };

/* struct json is never defined: a pointer to it is jansson's json_t in disguise, so that
 * jansson.h stays in this file. */
static json_t *
thaw(const struct json *j)
{
	return (json_t *)(uintptr_t)j;
}

void
json_setup(void)
{
	json_set_alloc_funcs(wipe_malloc, wipe_free);
	json_object_seed(0); /* reads getrandom(2) now, not in the sandbox */
}

/* jansson itself stops at 2048, a recursion that deep. What is no JSON may be counted wrongly. */
static bool
is_shallow(struct span text)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '[') && ++depth > DEPTH_MAX)
			return false;
		else if (!in_string && (c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return true;
}

static struct json *
parse(struct span text, size_t flags)
{
	json_error_t error;
	json_t *doc = NULL;

	if (is_shallow(text))
		doc = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | flags, &error);
	if (doc != NULL && !json_is_object(doc)) {
		json_decref(doc);
		return NULL;
	}
	return (struct json *)doc;
}

struct json *
json_doc_parse(struct span text)
{
	return parse(text, 0);
}

struct json *
json_doc_parse_nul(struct span text)
{
	return parse(text, JSON_ALLOW_NUL);
}

void
json_doc_free(struct json *doc)
{
	json_decref((json_t *)doc);
}

const struct json *
json_doc_get(const struct json *object, const char *name)
{
	return (const struct json *)json_object_get(thaw(object), name);
}

bool
json_doc_string(const struct json *object, const char *name, struct span *out)
{
	const json_t *value = json_object_get(thaw(object), name);

	if (!json_is_string(value))
		return false;
	*out = (struct span){json_string_value(value), json_string_length(value)};
	return true;
}

bool
json_doc_u64(const struct json *object, const char *name, uint64_t *out)
{
	const json_t *value = json_object_get(thaw(object), name);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*out = (uint64_t)json_integer_value(value);
	return true;
}

bool
json_doc_number(const struct json *object, const char *name, double *out)
{
	const json_t *value = json_object_get(thaw(object), name);

	if (!json_is_number(value))
		return false;
	*out = json_number_value(value);
	return true;
}

bool
json_doc_seconds(const struct json *object, const char *name, uint64_t *out)
{
	const json_t *value = json_object_get(thaw(object), name);
	double seconds = json_number_value(value);

	if (!json_is_number(value) || !(seconds >= 0 && seconds < 1e12))
		return false;
	*out = (uint64_t)seconds;
	return true;
}

bool
json_doc_is_true(const struct json *object, const char *name)
{
	return json_is_true(json_object_get(thaw(object), name));
}

const struct json *
json_doc_item(const struct json *list, size_t i)
{
	return (const struct json *)json_array_get(thaw(list), i);
}

bool
json_doc_item_number(const struct json *list, size_t i, double *out)
{
	const json_t *value = json_array_get(thaw(list), i);

	if (!json_is_number(value))
		return false;
	*out = json_number_value(value);
	return true;
}

void
json_doc_members(const struct json *object,
		 void (*fn)(void *arg, struct span name, const struct json *value), void *arg)
{
	const char *name;
	json_t *value;

	json_object_foreach(thaw(object), name, value)
	{
		fn(arg, span_of(name), (const struct json *)value);
	}
}

bool
json_doc_each(const struct json *object, bool (*fn)(void *arg, struct span name, struct span value),
	      void *arg)
{
	const char *name;
	json_t *value;

	json_object_foreach(thaw(object), name, value)
	{
		if (json_is_string(value) &&
		    !fn(arg, span_of(name),
			(struct span){json_string_value(value), json_string_length(value)}))
			return false;
	}
	return true;
}
