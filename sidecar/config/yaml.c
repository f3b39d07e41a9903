/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "config/yaml.h"

#include "base/buf.h"
#include "config/literal.h"

/* A map or list that is open, and where its next child goes. */
struct level {
	struct yaml_item *item;
	struct yaml_item **tail;
	bool has_key; /* a map's key was read and waits for its value */
	struct span key;
	unsigned key_line, key_column;
};

struct reader {
	yaml_parser_t parser;
	struct span text;
	struct pool *pool;
	struct yaml_item *root;
	struct level levels[YAML_DEPTH_MAX];
	size_t depth;
	size_t nodes;
	unsigned documents;
	struct yaml_fault *fault;
};

/* The keys and places of what is open and of what is due in it, as far as they fit. */
static void
write_path(const struct reader *r, char out[static YAML_PATH_MAX])
{
	struct buf text;
	int bad = 0;

	buf_init(&text, YAML_PATH_MAX - 1);
	for (size_t i = 0; i < r->depth && bad == 0; i++) {
		const struct level *in = &r->levels[i];
		bool is_open = i + 1 < r->depth; /* what is in it, and counted */
		struct span key = literal_key_shown(in->key);

		if (in->item->kind == YAML_LIST)
			bad = buf_addf(&text, "[%zu]", in->item->n - (is_open ? 1 : 0));
		else if (is_open || in->has_key)
			bad = buf_addf(&text, "%s%.*s", i == 0 ? "" : ".", (int)key.len, key.ptr);
	}
	snprintf(out, YAML_PATH_MAX, "%.*s", (int)text.len, text.len > 0 ? text.ptr : "");
	buf_free(&text);
}

static int
refuse_at(struct reader *r, unsigned line, unsigned column, const char *message)
{
	*r->fault = (struct yaml_fault){line, column, message, ""};
	write_path(r, r->fault->path);
	return -1;
}

static int
refuse(struct reader *r, const yaml_mark_t *at, const char *message)
{
	return refuse_at(r, (unsigned)at->line + 1, (unsigned)at->column + 1, message);
}

/* Of a byte that is no text libyaml gives the offset, and no mark. */
static yaml_mark_t
mark_of(struct span text, size_t offset)
{
	struct span before = span_cut(text, 0, offset);
	yaml_mark_t mark = {.line = span_count(before, '\n')};

	for (size_t i = before.len; i > 0 && before.ptr[i - 1] != '\n'; i--)
		mark.column += ((unsigned char)before.ptr[i - 1] & 0xc0) != 0x80;
	return mark;
}

/* What is no YAML has no place in a tree: libyaml's own words. */
static int
refuse_syntax(struct reader *r)
{
	bool unread = r->parser.error == YAML_READER_ERROR;
	yaml_mark_t at =
		unread ? mark_of(r->text, r->parser.problem_offset) : r->parser.problem_mark;
	const char *problem = r->parser.problem;

	*r->fault = (struct yaml_fault){(unsigned)at.line + 1, (unsigned)at.column + 1,
					problem != NULL ? problem : "this is not YAML", ""};
	return -1;
}

static struct level *
top(struct reader *r)
{
	return r->depth == 0 ? NULL : &r->levels[r->depth - 1];
}

static int
take_key(struct reader *r, const yaml_event_t *e)
{
	struct level *in = top(r);
	struct span s = {(const char *)e->data.scalar.value, e->data.scalar.length};

	in->key = pool_copy(r->pool, s);
	if (in->key.ptr == NULL)
		return refuse(r, &e->start_mark, "the file is too large");
	in->key_line = (unsigned)e->start_mark.line + 1;
	in->key_column = (unsigned)e->start_mark.column + 1;
	in->has_key = true;
	return 0;
}

/* A new node where the next one is due; *out is it. */
static int
add(struct reader *r, const yaml_event_t *e, enum yaml_kind kind, struct yaml_item **out)
{
	struct level *in = top(r);
	struct yaml_item *item;

	if (r->nodes++ == YAML_NODES_MAX)
		return refuse(r, &e->start_mark, "too many values (100000 at most)");
	item = pool_get(r->pool, sizeof(*item));
	if (item == NULL)
		return refuse(r, &e->start_mark, "the file is too large");
	item->kind = kind;
	item->line = (unsigned)e->start_mark.line + 1;
	item->column = (unsigned)e->start_mark.column + 1;
	if (in == NULL) {
		r->root = item;
	} else {
		item->key = in->key;
		item->key_line = in->key_line;
		item->key_column = in->key_column;
		in->has_key = false;
		*in->tail = item;
		in->tail = &item->next;
		in->item->n++;
	}
	*out = item;
	return 0;
}

static int
on_scalar(struct reader *r, const yaml_event_t *e)
{
	struct span s = {(const char *)e->data.scalar.value, e->data.scalar.length};
	struct level *in = top(r);
	struct yaml_item *item;

	if (e->data.scalar.anchor != NULL)
		return refuse(r, &e->start_mark, "anchors are not used here");
	if (e->data.scalar.tag != NULL)
		return refuse(r, &e->start_mark, "tags are not used here");
	if (in != NULL && in->item->kind == YAML_MAP && !in->has_key)
		return take_key(r, e);
	if (add(r, e, YAML_TEXT, &item) != 0)
		return -1;
	item->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	item->text = pool_copy(r->pool, s);
	if (item->text.ptr == NULL)
		return refuse(r, &e->start_mark, "the file is too large");
	return 0;
}

static int
on_open(struct reader *r, const yaml_event_t *e, enum yaml_kind kind, const void *anchor,
	const void *tag)
{
	struct level *in = top(r);
	struct yaml_item *item;

	if (anchor != NULL)
		return refuse(r, &e->start_mark, "anchors are not used here");
	if (tag != NULL)
		return refuse(r, &e->start_mark, "tags are not used here");
	if (in != NULL && in->item->kind == YAML_MAP && !in->has_key)
		return refuse(r, &e->start_mark, "a key must be a plain text");
	if (r->depth == YAML_DEPTH_MAX)
		return refuse(r, &e->start_mark, "nested too deeply (32 levels at most)");
	if (add(r, e, kind, &item) != 0)
		return -1;
	r->levels[r->depth++] = (struct level){.item = item, .tail = &item->first};
	return 0;
}

static int
by_key(const void *a, const void *b)
{
	const struct yaml_item *x = *(struct yaml_item *const *)a;
	const struct yaml_item *y = *(struct yaml_item *const *)b;
	size_t n = x->key.len < y->key.len ? x->key.len : y->key.len;
	int order = n == 0 ? 0 : memcmp(x->key.ptr, y->key.ptr, n);

	if (order == 0 && x->key.len != y->key.len)
		order = x->key.len < y->key.len ? -1 : 1;
	if (order == 0)
		order = x->key_line != y->key_line ? (x->key_line < y->key_line ? -1 : 1)
						   : (x->key_column < y->key_column ? -1 : 1);
	return order;
}

/* Sorted, since comparing each with each would let a large map take minutes. */
static int
on_map_end(struct reader *r)
{
	struct level *level = top(r);
	const struct yaml_item *map = level->item;
	struct yaml_item **sorted;
	size_t i = 0;

	if (map->n < 2)
		return 0;
	sorted = calloc(map->n, sizeof(struct yaml_item *));
	if (sorted == NULL)
		abort();
	for (struct yaml_item *m = map->first; m != NULL; m = m->next)
		sorted[i++] = m;
	qsort(sorted, map->n, sizeof(struct yaml_item *), by_key);
	for (i = 1; i < map->n; i++)
		if (span_eq(sorted[i - 1]->key, sorted[i]->key))
			break;
	if (i < map->n) {
		level->key = sorted[i]->key;
		level->has_key = true;
		refuse_at(r, sorted[i]->key_line, sorted[i]->key_column,
			  "this key stands here a second time");
	}
	free(sorted);
	return i < map->n ? -1 : 0;
}

static int
on_event(struct reader *r, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->documents++ > 0)
			return refuse(r, &e->start_mark, "one document only");
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(r, &e->start_mark, "aliases are not used here");
	case YAML_SCALAR_EVENT:
		return on_scalar(r, e);
	case YAML_MAPPING_START_EVENT:
		return on_open(r, e, YAML_MAP, e->data.mapping_start.anchor,
			       e->data.mapping_start.tag);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(r, e, YAML_LIST, e->data.sequence_start.anchor,
			       e->data.sequence_start.tag);
	case YAML_MAPPING_END_EVENT:
		if (on_map_end(r) != 0)
			return -1;
		r->depth--;
		return 0;
	case YAML_SEQUENCE_END_EVENT:
		r->depth--;
		return 0;
	default:
		return 0;
	}
}

static int
read_events(struct reader *r)
{
	bool done = false;

	while (!done) {
		yaml_event_t e;
		int bad;

		if (!yaml_parser_parse(&r->parser, &e))
			return refuse_syntax(r);
		bad = on_event(r, &e);
		done = e.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&e);
		if (bad)
			return -1;
	}
	return 0;
}

size_t
yaml_pool_size(size_t len)
{
	size_t nodes = len < YAML_NODES_MAX ? len + 1 : YAML_NODES_MAX;

	/* Each node with a key and a text beside it: their NULs and alignment. An escape such as
	 * \L is at most twice as long as it was written. */
	return nodes * (sizeof(struct yaml_item) + 80) + 2 * len + 1024;
}

struct yaml_item *
yaml_read(struct span text, struct pool *pool, struct yaml_fault *fault)
{
	struct reader r = {.pool = pool, .fault = fault};
	int bad;

	if (span_starts(text, SPAN("\xef\xbb\xbf")))
		text = span_cut(text, 3, text.len);
	if (text.len > YAML_BYTES_MAX) {
		refuse_at(&r, 0, 0, "the file is too large (1 MiB at most)");
		return NULL;
	}
	if (!yaml_parser_initialize(&r.parser))
		abort();
	r.text = text;
	/* Told, so that a byte order mark cannot make it UTF-16. */
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.ptr, text.len);
	bad = read_events(&r);
	yaml_parser_delete(&r.parser);
	if (bad)
		return NULL;
	if (r.root == NULL)
		refuse_at(&r, 0, 0, "the configuration is empty");
	return r.root;
}

struct yaml_item *
yaml_member(const struct yaml_item *map, struct span key)
{
	if (map == NULL || map->kind != YAML_MAP)
		return NULL;
	for (struct yaml_item *m = map->first; m != NULL; m = m->next)
		if (span_eq(m->key, key))
			return m;
	return NULL;
}
