/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "config/deployment.h"
#include "config/form.h"
#include "config/literal.h"
#include "config/reader.h"
#include "config/signing.h"
#include "config/syntax.h"

enum {
	SCALAR_MAX = 64 * 1024,         /* after expansion */
	CONFIG_POOL = 16 * 1024 * 1024, /* many times a file of the largest size */
	MESSAGE_MAX = 1024,
};

#define TOO_LARGE "the configuration is too large once its variables are put in"
#define BLANK_DUE "a blank is due behind the colon"

/* ---- faults ---- */

static void
path_text(const struct path *path, struct buf *out)
{
	struct span key;

	if (path == NULL)
		return;
	path_text(path->up, out);
	key = literal_key_shown(path->key);
	if (path->key.len == 0)
		buf_addf(out, "[%zu]", path->index);
	else
		buf_addf(out, "%s%.*s", path->up == NULL ? "" : ".", (int)key.len, key.ptr);
}

static void __attribute__((format(printf, 6, 0)))
fault_at(struct reader *r, unsigned line, unsigned column, const struct path *path,
	 const char *hint, const char *format, va_list args)
{
	char message[MESSAGE_MAX];
	struct buf text;

	vsnprintf(message, sizeof(message), format, args);
	buf_init(&text, PATH_TEXT_MAX);
	path_text(path, &text);
	if (buf_add_char(&text, '\0') == 0)
		fault_add(r->faults, (struct fault_place){line, column, text.ptr}, hint, "%s",
			  message);
	buf_free(&text);
}

void
reader_fault(struct reader *r, const struct yaml_item *item, const struct path *path,
	     const char *hint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fault_at(r, item->line, item->column, path, hint, format, args);
	va_end(args);
}

void
reader_fault_key(struct reader *r, const struct yaml_item *item, const struct path *path,
		 const char *hint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fault_at(r, item->key_line, item->key_column, path, hint, format, args);
	va_end(args);
}

void
reader_fault_member(struct reader *r, const struct yaml_item *item, const struct path *path,
		    const char *key, const char *hint, const char *message)
{
	const struct yaml_item *member = yaml_member(item, span_of(key));
	struct path at = {path, span_of(key), 0};

	reader_fault(r, member != NULL ? member : item, &at, hint, "%s", message);
}

/* ---- scalars ---- */

/* In braces, {key:value} is a key alone. */
static bool
lacks_blank(const struct yaml_item *item)
{
	return item->kind == YAML_TEXT && item->text.len == 0 &&
	       span_find(item->key, 0, ':') < item->key.len;
}

static size_t
digits(struct span s, size_t from, const char *set)
{
	while (from < s.len && s.ptr[from] != '\0' && strchr(set, s.ptr[from]) != NULL)
		from++;
	return from;
}

/* What YAML 1.2's core schema (section 10.3.2) takes for a number. */
static bool
is_number(struct span s)
{
	static const char decimal[] = "0123456789";
	size_t sign = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'), at, start;

	if (span_starts(s, SPAN("0o")))
		return s.len > 2 && digits(s, 2, "01234567") == s.len;
	if (span_starts(s, SPAN("0x")))
		return s.len > 2 && digits(s, 2, "0123456789abcdefABCDEF") == s.len;
	if (span_iis(span_cut(s, sign, s.len), ".inf") || span_iis(s, ".nan"))
		return true;
	at = digits(s, sign, decimal);
	start = at - sign;
	if (at < s.len && s.ptr[at] == '.') {
		size_t end = digits(s, at + 1, decimal);

		start += end - at - 1;
		at = end;
	}
	if (start == 0)
		return false;
	if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
		at++;
		at += at < s.len && (s.ptr[at] == '-' || s.ptr[at] == '+');
		return at < s.len && digits(s, at, decimal) == s.len;
	}
	return at == s.len;
}

static bool
is_plain_text(struct span s)
{
	static const char *const words[] = {"",     "~",    "null",  "Null",  "NULL", "true",
					    "True", "TRUE", "false", "False", "FALSE"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_is(s, words[i]))
			return false;
	return !is_number(s);
}

static bool
expand_into(struct reader *r, const struct yaml_item *item, const struct path *path,
	    struct buf *out)
{
	struct span name = {NULL, 0};

	switch (expand(item->text, r->env, out, &name)) {
	case EXPAND_OK:
		return true;
	case EXPAND_UNDEFINED:
		reader_fault(r, item, path, "set it, or give a default: ${NAME:-default}",
			     "the variable %.*s is not set", (int)(name.len < 128 ? name.len : 128),
			     name.ptr);
		return false;
	case EXPAND_MALFORMED:
		reader_fault(r, item, path,
			     "${NAME} or ${NAME:-default}, with no ${ in the default",
			     "${ is not followed by a variable's name and }");
		return false;
	default:
		reader_fault(r, item, path, NULL, "too long once its variables are put in");
		return false;
	}
}

bool
reader_scalar(struct reader *r, const struct yaml_item *item, const struct path *path,
	      struct scalar *out)
{
	struct buf text;

	if (item->kind != YAML_TEXT) {
		reader_fault(r, item, path, NULL, "a single value is due, not a %s",
			     item->kind == YAML_MAP ? "map" : "list");
		return false;
	}
	out->raw = item->text;
	buf_init(&text, SCALAR_MAX);
	if (!expand_into(r, item, path, &text)) {
		buf_free(&text);
		return false;
	}
	out->is_expanded = !span_eq(buf_span(&text), item->text);
	out->is_plain_text = item->quoted || out->is_expanded || is_plain_text(item->text);
	out->text = pool_copy(r->pool, buf_span(&text));
	buf_free(&text);
	if (out->text.ptr == NULL)
		reader_fault(r, item, path, NULL, TOO_LARGE);
	return out->text.ptr != NULL;
}

void *
reader_room(struct reader *r, const struct yaml_item *item, const struct path *path, size_t size)
{
	void *room = pool_get(r->pool, size);

	if (room == NULL)
		reader_fault(r, item, path, NULL, TOO_LARGE);
	return room;
}

bool
reader_text(struct reader *r, const struct yaml_item *item, const struct path *path,
	    struct scalar *out)
{
	if (!reader_scalar(r, item, path, out))
		return false;
	if (!out->is_plain_text) {
		reader_fault(r, item, path,
			     lacks_blank(item) ? BLANK_DUE : "write it in quotes if it is meant",
			     "a text is due");
		return false;
	}
	if (!span_has_control(out->text))
		return true;
	reader_fault(r, item, path, NULL, "holds a control character (such as a line end)");
	return false;
}

/* ---- sections ---- */

static void
unknown_key(struct reader *r, const struct yaml_item *m, const struct path *path,
	    const struct schema *schema)
{
	const char *near = nearest_key(schema, m->key);
	char hint[80] = BLANK_DUE;
	bool blank = lacks_blank(m);

	if (near != NULL && !blank)
		snprintf(hint, sizeof(hint), "did you mean %s?", near);
	reader_fault_key(r, m, path, near == NULL && !blank ? NULL : hint, "unknown key");
}

/* The sections of a map of names, or of a list; each struct of a map begins with its name. */
static void
read_sections(struct reader *r, const struct yaml_item *item, const struct path *path,
	      const struct schema_key *key, void *obj)
{
	bool named = key->type == SCHEMA_NAMED;
	struct schema_list list = {0};
	struct path entry = {path, {NULL, 0}, 0};

	if (item->kind != (named ? YAML_MAP : YAML_LIST)) {
		reader_fault(r, item, path, NULL,
			     named ? "a map of names is due" : "a list is due");
		return;
	}
	if (item->n < key->min || item->n > key->max) {
		reader_fault(r, item, path, NULL, "%zu entries; %llu to %llu are allowed", item->n,
			     (unsigned long long)key->min, (unsigned long long)key->max);
		return;
	}
	list.items = reader_room(r, item, path, item->n * key->of->size);
	if (list.items == NULL)
		return;
	for (const struct yaml_item *m = item->first; m != NULL; m = m->next, entry.index++) {
		char *at = (char *)list.items + list.n * key->of->size;

		entry.key = named ? m->key : (struct span){NULL, 0};
		if (named && !form_name.is_good(m->key)) {
			entry.key = m->key.len == 0 ? SPAN("\"\"") : m->key;
			reader_fault_key(r, m, &entry, NULL, "%s", form_name.due);
			continue;
		}
		if (named)
			*(struct span *)(void *)at = pool_copy(r->pool, m->key);
		section_read(r, m, &entry, key->of, at);
		list.n++;
	}
	memcpy((char *)obj + key->offset, &list, sizeof(list));
}

static void
read_listeners(struct reader *r, const struct yaml_item *item, const struct path *path,
	       const struct schema_key *key, void *obj)
{
	struct config_listeners *list = (void *)((char *)obj + key->offset);
	struct path entry = {path, {NULL, 0}, 0};

	if (item->kind != YAML_LIST || item->n < key->min || item->n > key->max) {
		reader_fault(r, item, path, NULL, "a list of %llu to %llu listeners is due",
			     (unsigned long long)key->min, (unsigned long long)key->max);
		return;
	}
	list->items = reader_room(r, item, path, item->n * sizeof(struct config_listener));
	if (list->items == NULL)
		return;
	for (const struct yaml_item *i = item->first; i != NULL; i = i->next, entry.index++)
		listener_read(r, i, &entry, &list->items[list->n++]);
}

static void
read_default_target(struct reader *r, const struct yaml_item *item, const struct path *path,
		    const struct schema_key *key, void *obj)
{
	struct config_default *out = (void *)((char *)obj + key->offset);
	struct scalar value;

	if (item->kind != YAML_MAP) {
		if (reader_text(r, item, path, &value))
			out->all = value.text;
		return;
	}
	for (const struct yaml_item *m = item->first; m != NULL; m = m->next) {
		struct path member = {path, m->key, 0};
		unsigned d = 0;

		while (d < DIALECTS && !span_is(m->key, dialect_name((enum dialect)d)))
			d++;
		if (d == DIALECTS)
			reader_fault_key(r, m, &member, "openai, anthropic, azure or bedrock",
					 "not a dialect");
		else if (reader_text(r, m, &member, &value))
			out->dialects[d] = value.text;
	}
}

static void
read_key(struct reader *r, const struct yaml_item *m, const struct path *path,
	 const struct schema_key *key, void *obj)
{
	switch (key->type) {
	case SCHEMA_SECTION:
		section_read(r, m, path, key->of, (char *)obj + key->offset);
		break;
	case SCHEMA_NAMED:
	case SCHEMA_ROWS:
		read_sections(r, m, path, key, obj);
		break;
	case SCHEMA_LISTENERS:
		read_listeners(r, m, path, key, obj);
		break;
	case SCHEMA_DEFAULT_TARGET:
		read_default_target(r, m, path, key, obj);
		break;
	default:
		value_read(r, m, path, key, obj);
		break;
	}
}

/* The defaults, written first so that what stands in the file goes over them. */
static void
set_defaults(struct reader *r, const struct schema *schema, void *obj)
{
	for (size_t i = 0; i < schema->n; i++) {
		const struct schema_key *key = &schema->keys[i];

		if (key->type == SCHEMA_SECTION)
			section_read(r, NULL, NULL, key->of, (char *)obj + key->offset);
		else if (key->fallback != NULL && key->type != SCHEMA_LISTENERS)
			value_default(key, obj);
	}
}

static void
missing_keys(struct reader *r, const struct yaml_item *item, const struct path *path,
	     const struct schema *schema, void *obj)
{
	for (size_t i = 0; i < schema->n; i++) {
		const struct schema_key *key = &schema->keys[i];
		struct config_listeners *list = (void *)((char *)obj + key->offset);

		if (yaml_member(item, span_of(key->name)) != NULL)
			continue;
		if (key->required) {
			struct path member = {path, span_of(key->name), 0};

			reader_fault(r, item, &member, key->help, "is missing");
		} else if (key->type == SCHEMA_LISTENERS) {
			list->items = reader_room(r, item, path, sizeof(struct config_listener));
			list->n = list->items != NULL &&
				  listener_parse(span_of(key->fallback), list->items);
		}
	}
}

void
section_read(struct reader *r, const struct yaml_item *item, const struct path *path,
	     const struct schema *schema, void *obj)
{
	set_defaults(r, schema, obj);
	if (item == NULL)
		return;
	if (item->kind != YAML_MAP) {
		reader_fault(r, item, path, NULL, "a map of keys is due");
		return;
	}
	for (const struct yaml_item *m = item->first; m != NULL; m = m->next) {
		const struct schema_key *key = schema_find(schema, m->key);
		struct path member = {path, m->key.len == 0 ? SPAN("\"\"") : m->key, 0};

		if (key == NULL)
			unknown_key(r, m, &member, schema);
		else
			read_key(r, m, &member, key, obj);
	}
	missing_keys(r, item, path, schema, obj);
}

/* ---- the whole ---- */

static void
lower(struct span s)
{
	char *at = (char *)(uintptr_t)s.ptr; /* a copy in the config's pool */

	for (size_t i = 0; i < s.len; i++)
		at[i] = ascii_lower(at[i]);
}

/* The second target of one whose calls go to two hosts. */
static struct config_target
split_agents(struct config *c, struct config_target *t)
{
	struct config_target agents = *t;

	agents.name = pool_format(&c->pool, "%.*s.agents", (int)t->name.len, t->name.ptr);
	agents.is_agents = true;
	agents.operations = t->operations & OPERATIONS_OF_AGENTS;
	t->operations &= ~OPERATIONS_OF_AGENTS;
	t->agents = (uint16_t)c->targets.n;
	return agents;
}

/* Behind the targets of the file, for which there is room. */
static void
add_agents(struct config *c, struct config_target *room)
{
	size_t n = c->targets.n;

	memcpy(room, c->targets.items, n * sizeof(*room));
	c->targets.items = room;
	for (size_t i = 0; i < n; i++)
		if (room[i].provider == PROVIDER_BEDROCK && signing_is_due(&room[i]) &&
		    (room[i].operations & OPERATIONS_OF_AGENTS) != 0) {
			room[c->targets.n] = split_agents(c, &room[i]);
			c->targets.n++;
		}
}

static void
complete(struct config *c)
{
	struct config_target *room = pool_get(&c->pool, 2 * c->targets.n * sizeof(*room));

	for (size_t i = 0; i < c->hosts.n; i++)
		lower(c->hosts.items[i]);
	for (size_t i = 0; i < c->targets.n; i++) {
		struct config_target *t = &c->targets.items[i];

		if (t->operations == 0)
			t->operations = operations_default((enum provider)t->provider);
	}
	if (room != NULL && c->targets.n > 0)
		add_agents(c, room);
	deployment_expand(c);
}

/* Frees the tree, in which a secret may stand that was written where a reference was due. */
static void
tree_free(struct pool *pool)
{
	explicit_bzero(pool->base, pool->used);
	pool_free(pool);
}

int
config_read_text(struct span text, const char *name, const struct environment *env,
		 struct config **out, struct config_faults *faults)
{
	size_t before = faults->n;
	struct yaml_fault fault;
	struct yaml_item *root;
	struct config *c = calloc(1, sizeof(*c));
	struct pool tree;

	if (c == NULL)
		abort();
	pool_init(&c->pool, CONFIG_POOL);
	pool_init(&tree, yaml_pool_size(text.len));
	fault_in(faults, name);
	root = yaml_read(text, &tree, &fault);
	if (root == NULL) {
		fault_add(faults, (struct fault_place){fault.line, fault.column, fault.path},
			  syntax_hint(text, &fault), "%s", fault.message);
	} else {
		struct reader r = {env, faults, &c->pool};

		section_read(&r, root, NULL, &schema_root, c);
		deployment_name_all(c);
		rules_check(&r, root, c);
		if (faults->n == before)
			complete(c);
	}
	tree_free(&tree);
	fault_sort(faults, before);
	c->source = pool_copy(&c->pool, span_of(name)).ptr;
	if (faults->n > before || c->source == NULL) {
		config_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	if (c->pool.base != NULL)
		explicit_bzero(c->pool.base, c->pool.used);
	pool_free(&c->pool);
	free(c);
}

bool
config_target_is_named(const struct config_target *t)
{
	return !t->is_agents && !t->is_deployment;
}

long
config_target_find(const struct config *c, struct span name)
{
	for (size_t i = 0; i < c->targets.n; i++)
		if (span_eq(c->targets.items[i].name, name))
			return (long)i;
	return -1;
}
