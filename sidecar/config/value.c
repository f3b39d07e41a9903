/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "config/form.h"
#include "config/literal.h"
#include "config/reader.h"
#include "config/template.h"
#include "config/url.h"
#include "http/grammar.h"
#include "policy/access/headers.h"

enum { TEXT_MAX = 4096, NAME_MAX_BYTES = 128 }; /* where the table gives no bound */
enum { BOUND_MAX = 32 };

/* memcpy(3), which gcc's -fanalyzer takes for a use of what a caller has not set. */
static void
put(void *at, const void *value, size_t size)
{
	memcpy(at, value, size);
}

static bool
in_bounds(const struct schema_key *key, uint64_t v)
{
	return v >= key->min && (key->max == 0 || v <= key->max);
}

static bool
parse_bool(struct span s, bool *out)
{
	*out = span_is(s, "true");
	return *out || span_is(s, "false");
}

static void
read_bool(struct reader *r, const struct yaml_item *item, const struct path *path,
	  const struct schema_key *key, void *at)
{
	struct scalar value;
	uint8_t choice;
	bool yes;

	if (!reader_scalar(r, item, path, &value))
		return;
	if ((item->quoted && !value.is_expanded) || !parse_bool(value.text, &yes)) {
		reader_fault(r, item, path, NULL, "true or false is due");
		return;
	}
	choice = yes ? CHOICE_YES : CHOICE_NO;
	if (key->type == SCHEMA_CHOICE)
		put(at, &choice, sizeof(choice));
	else
		put(at, &yes, sizeof(yes));
}

static bool
parse_number(const struct schema_key *key, struct span s, uint64_t *out)
{
	switch (key->type) {
	case SCHEMA_DURATION:
		return num_duration(s, out) == 0;
	case SCHEMA_SIZE:
		return num_size(s, out) == 0;
	default:
		return num_u64(s, INT64_MAX, out) == 0;
	}
}

/* v in the largest unit of which it is a whole number, as the file would say it. */
static void
in_units(enum schema_type type, uint64_t v, char out[static BOUND_MAX])
{
	static const struct unit {
		enum schema_type type;
		const char *name;
		uint64_t factor;
	} units[] = {
		{SCHEMA_DURATION, "d", 24 * 3600 * 1000},
		{SCHEMA_DURATION, "h", 3600 * 1000},
		{SCHEMA_DURATION, "m", 60 * 1000},
		{SCHEMA_DURATION, "s", 1000},
		{SCHEMA_DURATION, "ms", 1},
		{SCHEMA_SIZE, "GiB", 1 << 30},
		{SCHEMA_SIZE, "MiB", 1 << 20},
		{SCHEMA_SIZE, "KiB", 1 << 10},
		{SCHEMA_SIZE, "", 1},
		{SCHEMA_INTEGER, "", 1},
	};
	const struct unit *u = units;

	while (u->type != type || v % u->factor != 0 || (v == 0 && u->factor > 1000))
		u++;
	snprintf(out, BOUND_MAX, "%" PRIu64 "%s", v / u->factor, u->name);
}

static void
refuse_bounds(struct reader *r, const struct yaml_item *item, const struct path *path,
	      const struct schema_key *key)
{
	char least[BOUND_MAX], most[BOUND_MAX];

	in_units(key->type, key->min, least);
	in_units(key->type, key->max, most);
	reader_fault(r, item, path, NULL, "out of bounds: %s to %s", least, most);
}

static void
read_number(struct reader *r, const struct yaml_item *item, const struct path *path,
	    const struct schema_key *key, void *at)
{
	static const char *const due[SCHEMA_TYPES] = {
		[SCHEMA_INTEGER] = "a whole number is due",
		[SCHEMA_DURATION] = "a duration such as 250ms, 5s, 10m, 24h or 7d is due",
		[SCHEMA_SIZE] = "a size such as 512, 64KiB, 32MiB or 1GiB is due",
	};
	struct scalar value;
	uint64_t v;

	if (!reader_scalar(r, item, path, &value))
		return;
	if ((key->type == SCHEMA_INTEGER && item->quoted && !value.is_expanded) ||
	    !parse_number(key, value.text, &v))
		reader_fault(r, item, path, NULL, "%s", due[key->type]);
	else if (!in_bounds(key, v))
		refuse_bounds(r, item, path, key);
	else
		put(at, &v, sizeof(v));
}

/* The index of the word that stands there, or -1 with a fault. */
static long
read_one_word(struct reader *r, const struct yaml_item *item, const struct path *path,
	      const struct schema_key *key)
{
	struct scalar value;
	long i;

	if (!reader_text(r, item, path, &value))
		return -1;
	i = schema_word_find(key->word, value.text);
	if (i < 0) {
		const char *near = nearest_word(key->word, value.text);
		struct buf all;

		buf_init(&all, PATH_TEXT_MAX);
		for (unsigned w = 0; key->word(w) != NULL; w++)
			buf_addf(&all, "%s%s", w > 0 ? " " : "", key->word(w));
		reader_fault(r, item, path, NULL, "not one of: %.*s%s%s%s", (int)all.len, all.ptr,
			     near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
			     near == NULL ? "" : "?");
		buf_free(&all);
	}
	return i;
}

static void
read_word(struct reader *r, const struct yaml_item *item, const struct path *path,
	  const struct schema_key *key, void *at)
{
	long i = read_one_word(r, item, path, key);
	uint8_t word = (uint8_t)(i + (long)key->min);

	if (i >= 0)
		put(at, &word, sizeof(word));
}

/* Whether item is a list within key's bounds of count. */
static bool
is_list(struct reader *r, const struct yaml_item *item, const struct path *path,
	const struct schema_key *key)
{
	if (item->kind != YAML_LIST)
		reader_fault(r, item, path, NULL, "a list is due");
	else if (item->n < key->min)
		reader_fault(r, item, path, NULL, "must not be empty");
	else if (key->max > 0 && item->n > key->max)
		reader_fault(r, item, path, NULL, "too long (%" PRIu64 " at most)", key->max);
	else
		return true;
	return false;
}

static void
read_words(struct reader *r, const struct yaml_item *item, const struct path *path,
	   const struct schema_key *key, void *at)
{
	struct path entry = {path, {NULL, 0}, 0};
	uint32_t bits = 0;

	if (!is_list(r, item, path, key))
		return;
	for (const struct yaml_item *i = item->first; i != NULL; i = i->next, entry.index++) {
		long word = read_one_word(r, i, &entry, key);

		if (word >= 0)
			bits |= 1U << word;
	}
	put(at, &bits, sizeof(bits));
}

static bool
check_text(struct reader *r, const struct yaml_item *item, const struct path *path,
	   const struct schema_key *key, struct span text)
{
	uint64_t max = key->type == SCHEMA_TEXT && key->max > 0 ? key->max : TEXT_MAX;

	if (key->type == SCHEMA_TEXT && text.len < key->min)
		reader_fault(r, item, path, NULL, "must not be empty");
	else if (text.len > max)
		reader_fault(r, item, path, NULL, "too long (%" PRIu64 " bytes at most)", max);
	else if (key->form != NULL && !key->form->is_good(text))
		reader_fault(r, item, path, NULL, "%s", key->form->due);
	else
		return true;
	return false;
}

static void
read_text(struct reader *r, const struct yaml_item *item, const struct path *path,
	  const struct schema_key *key, void *at)
{
	struct scalar value;

	if (reader_text(r, item, path, &value) && check_text(r, item, path, key, value.text))
		put(at, &value.text, sizeof(value.text));
}

static void
read_texts(struct reader *r, const struct yaml_item *item, const struct path *path,
	   const struct schema_key *key, void *at)
{
	struct path entry = {path, {NULL, 0}, 0};
	struct config_texts list = {0};

	if (!is_list(r, item, path, key))
		return;
	list.items = reader_room(r, item, path, item->n * sizeof(struct span));
	if (list.items == NULL)
		return;
	for (const struct yaml_item *i = item->first; i != NULL; i = i->next, entry.index++) {
		struct scalar value;

		if (reader_text(r, i, &entry, &value) && check_text(r, i, &entry, key, value.text))
			list.items[list.n++] = value.text;
	}
	put(at, &list, sizeof(list));
}

/* (uid_t)-1 is no user, but what chown(2) takes for "leave it". */
static void
read_uids(struct reader *r, const struct yaml_item *item, const struct path *path,
	  const struct schema_key *key, void *at)
{
	struct path entry = {path, {NULL, 0}, 0};
	struct config_uids list = {0};

	if (!is_list(r, item, path, key))
		return;
	list.items = reader_room(r, item, path, item->n * sizeof(*list.items));
	if (list.items == NULL)
		return;
	for (const struct yaml_item *i = item->first; i != NULL; i = i->next, entry.index++) {
		struct scalar value;
		uint64_t uid;

		if (!reader_scalar(r, i, &entry, &value))
			continue;
		if ((i->quoted && !value.is_expanded) ||
		    num_u64(value.text, UINT32_MAX - 1, &uid) != 0)
			reader_fault(r, i, &entry, NULL, "the number of a user is due");
		else
			list.items[list.n++] = (uint32_t)uid;
	}
	put(at, &list, sizeof(list));
}

/* The scalar where a reference is due; for a variable that is not set, with the better hint. */
static bool
reference_scalar(struct reader *r, const struct yaml_item *item, const struct path *path,
		 struct scalar *value)
{
	struct span name;

	if (item->kind == YAML_TEXT && expand_is_variable(item->text, &name)) {
		struct config_faults *faults = r->faults;
		size_t before = faults->n;

		if (reader_text(r, item, path, value))
			return true;
		if (faults->n > before && name.len <= 64) {
			struct buf hint;

			buf_init(&hint, 128);
			buf_addf(&hint, "write env:%.*s%c", (int)name.len, name.ptr, '\0');
			faults->items[before].hint = pool_copy(&faults->pool, buf_span(&hint)).ptr;
			buf_free(&hint);
		}
		return false;
	}
	return reader_text(r, item, path, value);
}

static void
read_reference(struct reader *r, const struct yaml_item *item, const struct path *path,
	       const struct schema_key *key, void *at)
{
	bool is_path = key->type == SCHEMA_MATERIAL;
	struct scalar value;

	if (!reference_scalar(r, item, path, &value))
		return;
	if (is_path && value.text.len > 1 && value.text.ptr[0] == '/') {
		struct buf text;

		buf_init(&text, TEXT_MAX);
		if (buf_add_str(&text, "file:") == 0 && buf_add_span(&text, value.text) == 0)
			value.text = pool_copy(r->pool, buf_span(&text));
		buf_free(&text);
	}
	if (key->type == SCHEMA_TOKEN && span_starts(value.text, SPAN("sha256:"))) {
		if (form_digest.is_good(value.text))
			put(at, &value.text, sizeof(value.text));
		else
			reader_fault(r, item, path, NULL, "%s", form_digest.due);
		return;
	}
	if ((key->word != NULL && schema_word_find(key->word, value.text) >= 0) ||
	    (is_path ? reference_check_path : reference_check)(r, item, path, &value))
		put(at, &value.text, sizeof(value.text));
}

static void
read_url(struct reader *r, const struct yaml_item *item, const struct path *path,
	 const struct schema_key *key, void *at)
{
	struct scalar value;
	struct url url;
	enum url_fault fault;

	(void)key;
	if (!reader_text(r, item, path, &value))
		return;
	fault = url_parse(value.text, &url);
	if (value.text.len > TEXT_MAX)
		reader_fault(r, item, path, NULL, "too long (%d bytes at most)", TEXT_MAX);
	else if (fault != URL_OK)
		reader_fault(r, item, path, NULL, "%s", url_fault_text(fault));
	else
		put(at, &value.text, sizeof(value.text));
}

/* A value of headers: what it becomes must be able to stand in a field. */
static bool
check_template(struct reader *r, const struct yaml_item *item, const struct path *path,
	       struct span text)
{
	struct template_part part;
	struct buf sample;
	size_t at = 0;
	enum template_next next;
	bool good = true;

	buf_init(&sample, YAML_BYTES_MAX);
	while ((next = template_next(text, &at, &part)) == TEMPLATE_PART) {
		struct scalar value = {part.text, part.text, false, true};

		if (part.is_reference)
			good = reference_check(r, item, path, &value) && good;
		buf_add_span(&sample, part.is_reference ? SPAN("x") : part.text);
	}
	if (next == TEMPLATE_BROKEN) {
		reader_fault(r, item, path, NULL, "a reference inside it lacks its closing brace");
		good = false;
	} else if (sample.len == 0 || sample.len > TEXT_MAX ||
		   !grammar_is_field_value(buf_span(&sample))) {
		reader_fault(
			r, item, path, NULL,
			"cannot be a header's value: empty, too long, with control characters, "
			"or with blanks around it");
		good = false;
	}
	buf_free(&sample);
	return good;
}

static bool
check_pair(struct reader *r, const struct yaml_item *m, const struct path *path,
	   const struct schema_key *key, const struct scalar *value)
{
	if (m->key.len > NAME_MAX_BYTES)
		reader_fault_key(r, m, path, NULL, "too long a name (%d bytes at most)",
				 NAME_MAX_BYTES);
	else if (key->type == SCHEMA_PAIRS && !form_query_name.is_good(m->key))
		reader_fault_key(r, m, path, NULL, "%s", form_query_name.due);
	else if (key->type == SCHEMA_PAIRS && value->text.len > TEXT_MAX)
		reader_fault(r, m, path, NULL, "too long (%d bytes at most)", TEXT_MAX);
	else if (key->type == SCHEMA_PAIRS && literal_has_key(value->text))
		reader_fault(r, m, path, "apiKey and headers take references, query does not",
			     "a secret does not belong here");
	else if (key->type == SCHEMA_TEMPLATES && !header_may_configure(m->key))
		reader_fault_key(r, m, path, NULL, "not a header that can be set here");
	else if (key->type == SCHEMA_TEMPLATES)
		return literal_check(r, m, path, value) && check_template(r, m, path, value->text);
	else
		return true;
	return false;
}

static void
read_pairs(struct reader *r, const struct yaml_item *item, const struct path *path,
	   const struct schema_key *key, void *at)
{
	struct config_pairs pairs = {0};

	if (item->kind != YAML_MAP || item->n > key->max) {
		reader_fault(r, item, path, NULL, "a map of at most %" PRIu64 " names is due",
			     key->max);
		return;
	}
	pairs.items = reader_room(r, item, path, item->n * sizeof(struct config_pair));
	if (pairs.items == NULL)
		return;
	for (const struct yaml_item *m = item->first; m != NULL; m = m->next) {
		struct path member = {path, m->key, 0};
		struct scalar value;

		if (!reader_text(r, m, &member, &value) || !check_pair(r, m, &member, key, &value))
			continue;
		pairs.items[pairs.n].name = pool_copy(r->pool, m->key);
		pairs.items[pairs.n++].value = value.text;
	}
	put(at, &pairs, sizeof(pairs));
}

static void (*const readers[SCHEMA_TYPES])(struct reader *, const struct yaml_item *,
					   const struct path *, const struct schema_key *,
					   void *) = {
	[SCHEMA_BOOL] = read_bool,           [SCHEMA_CHOICE] = read_bool,
	[SCHEMA_INTEGER] = read_number,      [SCHEMA_DURATION] = read_number,
	[SCHEMA_SIZE] = read_number,         [SCHEMA_WORD] = read_word,
	[SCHEMA_WORDS] = read_words,         [SCHEMA_TEXT] = read_text,
	[SCHEMA_TEXTS] = read_texts,         [SCHEMA_UIDS] = read_uids,
	[SCHEMA_REFERENCE] = read_reference, [SCHEMA_MATERIAL] = read_reference,
	[SCHEMA_TOKEN] = read_reference,     [SCHEMA_URL] = read_url,
	[SCHEMA_TEMPLATES] = read_pairs,     [SCHEMA_PAIRS] = read_pairs,
};

void
value_read(struct reader *r, const struct yaml_item *item, const struct path *path,
	   const struct schema_key *key, void *obj)
{
	readers[key->type](r, item, path, key, (char *)obj + key->offset);
}

void
value_default(const struct schema_key *key, void *obj)
{
	void *at = (char *)obj + key->offset;
	struct span text = span_of(key->fallback);
	uint64_t number = 0;
	uint8_t word;
	bool yes = false, good;

	switch (key->type) {
	case SCHEMA_BOOL:
		good = parse_bool(text, &yes);
		assert(good);
		put(at, &yes, sizeof(yes));
		break;
	case SCHEMA_WORD:
		word = (uint8_t)schema_word_find(key->word, text);
		put(at, &word, sizeof(word));
		break;
	case SCHEMA_TEXT:
		put(at, &text, sizeof(text));
		break;
	default:
		good = parse_number(key, text, &number) && in_bounds(key, number);
		assert(good);
		put(at, &number, sizeof(number));
		break;
	}
}
