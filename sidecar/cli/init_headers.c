/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/init_headers.h"

#include "aws/arn.h"
#include "config/literal.h"
#include "config/preset.h"
#include "http/grammar.h"
#include "policy/access/headers.h"

enum { VARIABLE_MAX = 64 };

/* Names of headers that hold secrets, by a part of them. */
static bool
holds_secrets(struct span name)
{
	static const char *const parts[] = {"auth",   "key",    "token",  "secret",
					    "cookie", "passwd", "access", "session"};

	for (size_t i = 0; i < name.len; i++)
		for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++)
			if (span_istarts(span_cut(name, i, name.len), span_of(parts[p])))
				return true;
	return false;
}

/* X-Api-Key as X_API_KEY. */
static void
variable_for(struct span header, char out[static VARIABLE_MAX])
{
	size_t n = 0;

	for (; n < header.len && n < VARIABLE_MAX - 1; n++) {
		char c = header.ptr[n];
		bool lower = c >= 'a' && c <= 'z';
		bool other = (c < 'A' || c > 'Z') && (c < '0' || c > '9' || n == 0);

		out[n] = lower ? (char)(c - 'a' + 'A') : other ? '_' : c;
	}
	out[n] = '\0';
}

static bool
is_there(const struct draft_target *t, struct span name)
{
	for (size_t i = 0; i < t->nheaders; i++)
		if (span_ieq(t->headers[i].name, name))
			return true;
	return false;
}

/* "Bearer X" as its two parts; *scheme is empty where there is none. */
static struct span
cut_scheme(struct span value, struct span *scheme)
{
	static const char *const schemes[] = {"Bearer ", "Basic ", "Token "};

	*scheme = SPAN("");
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		struct span s = span_of(schemes[i]);

		if (span_istarts(value, s)) {
			*scheme = s;
			return span_trim(span_cut(value, s.len, value.len));
		}
	}
	return value;
}

/* One header, its value a template of ours. */
static void
add(const struct source_place *in, const struct yaml_item *m, struct draft_target *t,
    struct span value)
{
	const char *name = source_name(in->draft, m->key);

	if (t->nheaders == DRAFT_PAIRS_MAX)
		source_note(in, name, "is one header too many and was not carried over", NULL);
	else if (is_there(t, m->key))
		source_note(in, name, "stands here a second time and was not carried over", NULL);
	else
		t->headers[t->nheaders++] = (struct draft_pair){m->key, value};
}

/* Whether m can be a header of t's; where not, it is said why. */
static bool
is_usable(const struct source_place *in, const struct yaml_item *m, const char *name)
{
	if (!header_may_configure(m->key) || name[0] == '?') {
		source_note(in, name, "is not a header that can be set and was not carried over",
			    NULL);
		return false;
	}
	if (m->kind != YAML_TEXT || m->text.len == 0) {
		source_note(in, name, "has no text for its value and was not carried over", NULL);
		return false;
	}
	return true;
}

/* Headers of providers and SDKs that hold names and dates, which look like keys and are none. */
static const char *const open_headers[] = {"anthropic-beta", "openai-beta", "openai-organization",
					   "openai-project"};

static bool
looks_secret(struct span header, struct span value)
{
	for (size_t i = 0; i < sizeof(open_headers) / sizeof(open_headers[0]); i++)
		if (span_iis(header, open_headers[i]))
			return literal_has_key(value);
	return source_is_secret(value);
}

static void
add_value(const struct source_place *in, const struct yaml_item *m, struct draft_target *t)
{
	const struct preset *preset = preset_of(t->provider);
	const char *name = source_name(in->draft, m->key);
	char variable[VARIABLE_MAX], path[DRAFT_PATH_MAX];
	struct span scheme, value, reference, unused;

	if (!is_usable(in, m, name))
		return;
	value = cut_scheme(m->text, &scheme);
	if (scheme.len == 0 && !holds_secrets(m->key) && !looks_secret(m->key, value) &&
	    !source_is_variable(value, &unused) && source_may_be_copied(value) &&
	    grammar_is_field_value(value)) {
		add(in, m, t, value);
		return;
	}
	variable_for(m->key, variable);
	source_path(in, name, path);
	reference = source_secret(in->draft, value, m, path, variable);
	if (!span_iis(m->key, preset->header))
		add(in, m, t,
		    draft_text(in->draft, "%.*s${%.*s}", (int)scheme.len, scheme.ptr,
			       (int)reference.len, reference.ptr));
	else if (t->api_key.len == 0)
		t->api_key = reference;
	else
		source_note(in, name, "is the header that apiKey sets, and was not carried over",
			    "keep the one of the two keys that is used");
}

static void
add_variable(const struct source_place *in, const struct yaml_item *m, struct draft_target *t)
{
	const char *name = source_name(in->draft, m->key);

	if (!is_usable(in, m, name))
		return;
	if (!expand_is_name(m->text) || m->text.len > VARIABLE_MAX) {
		source_note(in, name, "names no variable and was not carried over", NULL);
		return;
	}
	if (span_iis(m->key, preset_of(t->provider)->header) && t->api_key.len > 0) {
		source_note(in, name, "is the header that apiKey sets, and was not carried over",
			    "keep the one of the two keys that is used");
		return;
	}
	add(in, m, t, draft_text(in->draft, "${env:%.*s?}", (int)m->text.len, m->text.ptr));
}

typedef void add_one(const struct source_place *in, const struct yaml_item *m,
		     struct draft_target *t);

static void
add_each(const struct source_place *in, const char *key, struct draft_target *t, add_one *one)
{
	const struct yaml_item *map = source_member(in->map, key);
	char path[DRAFT_PATH_MAX];

	if (map == NULL)
		return;
	if (map->kind != YAML_MAP) {
		source_note(in, key, "is no map of headers and was not carried over",
			    "write them under headers by hand");
		return;
	}
	source_path(in, key, path);
	for (const struct yaml_item *m = map->first; m != NULL; m = m->next)
		one(&(struct source_place){in->draft, map, path}, m, t);
}

void
headers_values(const struct source_place *in, const char *key, struct draft_target *t)
{
	add_each(in, key, t, add_value);
}

void
headers_variables(const struct source_place *in, const char *key, struct draft_target *t)
{
	add_each(in, key, t, add_variable);
}

/* The reference that a header's value is alone: ${X} or ${X?}; empty where it is more. */
static struct span
whole_reference(struct span value)
{
	struct reference ref;
	struct span inner;

	if (!span_starts(value, SPAN("${")) || !span_ends(value, SPAN("}")))
		return SPAN("");
	inner = span_cut(value, 2, value.len - 1);
	if (span_ends(inner, SPAN("?")))
		inner = span_cut(inner, 0, inner.len - 1);
	return reference_parse(inner, &ref) == REFERENCE_OK ? inner : SPAN("");
}

void
headers_access(struct draft_target *t)
{
	struct span id = SPAN(""), secret = SPAN("");
	size_t kept = 0;

	for (size_t i = 0; i < t->nheaders; i++) {
		if (span_iis(t->headers[i].name, PRESET_ACCESS_ID))
			id = whole_reference(t->headers[i].value);
		else if (span_iis(t->headers[i].name, PRESET_ACCESS_SECRET))
			secret = whole_reference(t->headers[i].value);
	}
	if (id.len == 0 || secret.len == 0)
		return;
	t->access_id = id;
	t->access_secret = secret;
	for (size_t i = 0; i < t->nheaders; i++)
		if (!span_iis(t->headers[i].name, PRESET_ACCESS_ID) &&
		    !span_iis(t->headers[i].name, PRESET_ACCESS_SECRET))
			t->headers[kept++] = t->headers[i];
	t->nheaders = kept;
}
