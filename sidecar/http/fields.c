/* SPDX-License-Identifier: Apache-2.0 */
#include "http/head.h"

static const struct http_field *
find(const struct http_field *fields, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++)
		if (fields[i].name.len == name.len && span_ieq(fields[i].name, name))
			return &fields[i];
	return NULL;
}

const struct http_field *
http_find(const struct http_request *r, const char *name)
{
	return find(r->fields, r->nfields, span_of(name));
}

struct span
http_value(const struct http_field *fields, size_t n, const char *name)
{
	const struct http_field *f = find(fields, n, span_of(name));

	return f != NULL ? f->value : (struct span){NULL, 0};
}

size_t
http_count(const struct http_request *r, const char *name)
{
	struct span wanted = span_of(name);
	size_t n = 0;

	for (size_t i = 0; i < r->nfields; i++)
		if (r->fields[i].name.len == wanted.len && span_ieq(r->fields[i].name, wanted))
			n++;
	return n;
}

bool
http_list_next(struct span *list, struct span *element)
{
	size_t comma;

	if (list->ptr == NULL)
		return false;
	comma = span_find(*list, 0, ',');
	*element = span_trim(span_cut(*list, 0, comma));
	if (comma == list->len)
		*list = (struct span){NULL, 0};
	else
		*list = span_cut(*list, comma + 1, list->len);
	return true;
}

bool
http_is_nominated(const struct http_field *fields, size_t n, struct span name)
{
	struct span element;

	for (size_t i = 0; i < n; i++) {
		struct span list = fields[i].value;

		if (!span_ieq(fields[i].name, SPAN("connection")))
			continue;
		while (http_list_next(&list, &element))
			if (span_ieq(element, name))
				return true;
	}
	return false;
}
