/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "config/form.h"
#include "config/jsonschema.h"
#include "policy/access/operations.h"

/*
 * A text with a variable in it may become anything. A reference (`${env:…}`) is no variable, but
 * stands only in headers, where every text is good.
 */
#define VARIABLE "\\$\\{"

#define REFERENCE_PATTERN                                                                          \
	"arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]+:[0-9]{12}:[^ ]+|env:[A-Za-z_][A-Za-z0-9_]*|file:/.+"
#define URL_PATTERN  "[Hh][Tt][Tt][Pp][Ss]?://[^/?#@ ]+(/[^?# ]*)?"
#define HEADER_NAMES "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$"

static void write_section(struct buf *out, const struct schema *schema);

/* {"type": "string", "pattern": "^(?:PATTERN)$|\$\{"} */
static void
write_pattern(struct buf *out, const char *pattern, bool anchored)
{
	struct buf whole;

	buf_init(&whole, 1024);
	if (anchored)
		buf_addf(&whole, "%s|" VARIABLE, pattern);
	else
		buf_addf(&whole, "^(?:%s)$|" VARIABLE, pattern);
	buf_add_str(out, "\"type\": \"string\", \"pattern\": ");
	buf_add_json(out, buf_span(&whole));
	buf_free(&whole);
}

static void
write_words(struct buf *out, const struct schema_key *key)
{
	const char *comma = "";

	buf_add_str(out, "\"anyOf\": [{\"enum\": [");
	for (unsigned i = 0; key->word(i) != NULL; i++) {
		buf_add_str(out, comma);
		buf_add_json(out, span_of(key->word(i)));
		comma = ", ";
	}
	buf_add_str(out, "]}, {");
	write_pattern(out, VARIABLE, true);
	buf_add_str(out, "}]");
}

static void
write_text(struct buf *out, const struct schema_key *key)
{
	if (key->form != NULL)
		write_pattern(out, key->form->pattern, true);
	else
		buf_add_str(out, "\"type\": \"string\"");
	if (key->type == SCHEMA_TEXT && key->min > 0)
		buf_addf(out, ", \"minLength\": %" PRIu64, key->min);
	if (key->type == SCHEMA_TEXT && key->max > 0 && key->form == NULL)
		buf_addf(out, ", \"maxLength\": %" PRIu64, key->max);
}

static void
write_counts(struct buf *out, const struct schema_key *key, const char *least, const char *most)
{
	if (key->min > 0)
		buf_addf(out, ", \"%s\": %" PRIu64, least, key->min);
	if (key->max > 0)
		buf_addf(out, ", \"%s\": %" PRIu64, most, key->max);
}

/* JSON Schema cannot bound a duration: editors and the reference page find the bounds beside it. */
static void
write_duration(struct buf *out, const struct schema_key *key)
{
	write_pattern(out, "[0-9]+(ms|s|m|h|d)", false);
	buf_addf(out, ", \"$comment\": \"%" PRIu64 "ms to %" PRIu64 "ms\"", key->min, key->max);
}

static void
write_number(struct buf *out, const struct schema_key *key)
{
	if (key->type == SCHEMA_DURATION) {
		write_duration(out, key);
		return;
	}
	buf_add_str(out, "\"anyOf\": [{\"type\": \"integer\"");
	write_counts(out, key, "minimum", "maximum");
	buf_add_str(out, "}, {");
	if (key->type == SCHEMA_SIZE)
		write_pattern(out, "[0-9]+(B|KiB|MiB|GiB|kB|MB|GB)?", false);
	else
		write_pattern(out, VARIABLE, true);
	buf_add_str(out, "}]");
}

static void
write_reference(struct buf *out, const struct schema_key *key)
{
	struct buf pattern;

	buf_init(&pattern, 1024);
	buf_add_str(&pattern, REFERENCE_PATTERN);
	if (key->type == SCHEMA_MATERIAL)
		buf_add_str(&pattern, "|/.+");
	if (key->type == SCHEMA_TOKEN)
		buf_add_str(&pattern, "|sha256:[0-9A-Fa-f]{64}");
	for (unsigned i = 0; key->word != NULL && key->word(i) != NULL; i++)
		buf_addf(&pattern, "|%s", key->word(i));
	buf_add_char(&pattern, '\0');
	write_pattern(out, pattern.ptr, false);
	buf_free(&pattern);
}

static void
write_pairs(struct buf *out, const struct schema_key *key)
{
	const char *names = key->type == SCHEMA_PAIRS ? form_query_name.pattern : HEADER_NAMES;

	buf_add_str(out, "\"type\": \"object\", \"additionalProperties\": {\"type\": \"string\"}, "
			 "\"propertyNames\": {\"pattern\": ");
	buf_add_json(out, span_of(names));
	buf_addf(out, "}, \"maxProperties\": %" PRIu64, key->max);
}

static void
write_listeners(struct buf *out, const struct schema_key *key)
{
	buf_add_str(out, "\"type\": \"array\"");
	write_counts(out, key, "minItems", "maxItems");
	buf_add_str(out, ", \"items\": {\"anyOf\": [{");
	write_pattern(out, "unix:/.+|localhost:[0-9]+|[0-9.]+:[0-9]+|\\[[0-9A-Fa-f:.]+\\]:[0-9]+",
		      false);
	buf_add_str(out, "}, {");
	write_section(out, key->of);
	buf_add_str(out, "}]}");
}

static void
write_default_target(struct buf *out)
{
	buf_add_str(out, "\"anyOf\": [{");
	write_pattern(out, form_name.pattern, true);
	buf_add_str(out, "}, {\"type\": \"object\", \"additionalProperties\": false, "
			 "\"properties\": {");
	for (unsigned d = 0; d < DIALECTS; d++) {
		buf_addf(out, "%s\"%s\": {", d > 0 ? ", " : "", dialect_name((enum dialect)d));
		write_pattern(out, form_name.pattern, true);
		buf_add_char(out, '}');
	}
	buf_add_str(out, "}}]");
}

static void
write_named(struct buf *out, const struct schema_key *key)
{
	buf_add_str(out, "\"type\": \"object\", \"propertyNames\": {\"pattern\": ");
	buf_add_json(out, span_of(form_name.pattern));
	buf_add_char(out, '}');
	write_counts(out, key, "minProperties", "maxProperties");
	buf_add_str(out, ", \"additionalProperties\": {");
	write_section(out, key->of);
	buf_add_char(out, '}');
}

static void
write_uid(struct buf *out)
{
	buf_addf(out,
		 "\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0, \"maximum\": %" PRIu32 "}, {",
		 UINT32_MAX - 1);
	write_pattern(out, VARIABLE, true);
	buf_add_str(out, "}]");
}

static void
write_list(struct buf *out, const struct schema_key *key)
{
	buf_add_str(out, "\"type\": \"array\"");
	write_counts(out, key, "minItems", "maxItems");
	buf_add_str(out, ", \"items\": {");
	if (key->type == SCHEMA_ROWS)
		write_section(out, key->of);
	else if (key->type == SCHEMA_WORDS)
		write_words(out, key);
	else if (key->type == SCHEMA_UIDS)
		write_uid(out);
	else
		write_text(out, key);
	buf_add_char(out, '}');
}

static void
write_type(struct buf *out, const struct schema_key *key)
{
	switch (key->type) {
	case SCHEMA_BOOL:
	case SCHEMA_CHOICE:
		buf_add_str(out, "\"anyOf\": [{\"type\": \"boolean\"}, {");
		write_pattern(out, VARIABLE, true);
		buf_add_str(out, "}]");
		break;
	case SCHEMA_INTEGER:
	case SCHEMA_DURATION:
	case SCHEMA_SIZE:
		write_number(out, key);
		break;
	case SCHEMA_WORD:
		write_words(out, key);
		break;
	case SCHEMA_TEXT:
		write_text(out, key);
		break;
	case SCHEMA_REFERENCE:
	case SCHEMA_TOKEN:
	case SCHEMA_MATERIAL:
		write_reference(out, key);
		break;
	case SCHEMA_URL:
		write_pattern(out, URL_PATTERN, false);
		break;
	case SCHEMA_TEMPLATES:
	case SCHEMA_PAIRS:
		write_pairs(out, key);
		break;
	case SCHEMA_SECTION:
		write_section(out, key->of);
		break;
	case SCHEMA_NAMED:
		write_named(out, key);
		break;
	case SCHEMA_LISTENERS:
		write_listeners(out, key);
		break;
	case SCHEMA_DEFAULT_TARGET:
		write_default_target(out);
		break;
	default:
		write_list(out, key);
		break;
	}
}

static void
write_key(struct buf *out, const struct schema_key *key)
{
	buf_add_json(out, span_of(key->name));
	buf_add_str(out, ": {\"description\": ");
	buf_add_json(out, span_of(key->help));
	buf_add_str(out, ", ");
	write_type(out, key);
	if (key->fallback != NULL) {
		bool literal = key->type == SCHEMA_BOOL || key->type == SCHEMA_INTEGER;

		buf_add_str(out, ", \"default\": ");
		if (literal)
			buf_add_str(out, key->fallback);
		else if (key->type == SCHEMA_LISTENERS)
			buf_addf(out, "[\"%s\"]", key->fallback);
		else
			buf_add_json(out, span_of(key->fallback));
	}
	buf_add_str(out, "}");
}

/* The members of a schema object, without its braces. */
static void
write_section(struct buf *out, const struct schema *schema)
{
	const char *comma = "";

	buf_add_str(out, "\"type\": \"object\", \"additionalProperties\": false, \"required\": [");
	for (size_t i = 0; i < schema->n; i++) {
		if (!schema->keys[i].required)
			continue;
		buf_addf(out, "%s\"%s\"", comma, schema->keys[i].name);
		comma = ", ";
	}
	buf_add_str(out, "], \"properties\": {");
	for (size_t i = 0; i < schema->n; i++) {
		buf_add_str(out, i > 0 ? ",\n" : "\n");
		write_key(out, &schema->keys[i]);
	}
	buf_add_char(out, '}');
}

int
jsonschema_write(struct buf *out)
{
	buf_add_str(
		out,
		"{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
		"\"title\": \"sidekey.yaml\",\n\"description\": \"Configuration of sidekey.\",\n");
	write_section(out, &schema_root);
	return buf_add_str(out, "}\n");
}
