/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "config/literal.h"

#include "base/ascii.h"
#include "config/reader.h"
#include "config/template.h"
#include "policy/access/headers.h"

enum {
	KEY_MIN = 16,   /* makers' keys are longer; "sk-SK", a language, is not */
	SECRET_MIN = 8, /* what is shorter stands for no key: none, EMPTY, dummy */
	NAME_MAX_BYTES = 64,
	KEY_SHOWN = 80,
	HINT_MAX = 256,
};

bool
literal_begins_like_key(struct span text)
{
	static const char *const fronts[] = {
		"sk-",         "sk_",    "rk_",    "gsk_",  "xai-", "ghp_",       "gho_", "ghs_",
		"github_pat_", "glpat-", "xoxb-",  "xoxp-", "AKIA", "ASIA",       "AIza", "ABSK",
		"eyJ",         "hf_",    "nvapi-", "r8_",   "dapi", "-----BEGIN",
	};

	for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++)
		if (span_starts(text, span_of(fronts[i])))
			return true;
	return false;
}

static bool
is_key_char(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr("_-.", c) != NULL);
}

bool
literal_has_key(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		size_t end = i;

		while (end < text.len && is_key_char(text.ptr[end]))
			end++;
		if (end - i >= KEY_MIN && literal_begins_like_key(span_cut(text, i, end)))
			return true;
		i = end;
	}
	return false;
}

struct span
literal_key_shown(struct span key)
{
	struct span s = span_cut(key, 0, KEY_SHOWN);

	s = span_cut(s, 0, span_find(s, 0, ':'));
	s = span_cut(s, 0, span_find(s, 0, '='));
	return s.len == 0 || literal_has_key(s) ? SPAN("…") : s;
}

static bool
has_long_word(struct span text)
{
	for (size_t at = 0; at < text.len;) {
		size_t end = span_find(text, at, ' ');
		struct span word = span_cut(text, at, end);

		if (word.len >= SECRET_MIN && !span_iis(word, "anonymous"))
			return true;
		at = end + 1;
	}
	return false;
}

/*
 * Something that begins like a key; or, where the header is a credential's and its value has no
 * reference, any word that can be a secret at all.
 */
static bool
is_secret(struct span name, struct span value)
{
	struct template_part part;
	bool has_reference = false;

	for (size_t at = 0; template_next(value, &at, &part) == TEMPLATE_PART;) {
		has_reference = has_reference || part.is_reference;
		if (!part.is_reference && literal_has_key(part.text))
			return true;
	}
	return !has_reference && header_is_credential(name) && has_long_word(value);
}

/* The value's scheme with its blank, as "Bearer "; empty where it has none. */
static struct span
scheme_of(struct span value)
{
	static const char *const schemes[] = {"Bearer ", "Basic ", "Token "};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (span_istarts(value, span_of(schemes[i])))
			return span_cut(value, 0, strlen(schemes[i]));
	return SPAN("");
}

/* The variable that raw is behind its scheme, as ${X} or ${X:-default}; else the word NAME. */
static struct span
variable_of(struct span raw)
{
	struct span rest = span_cut(raw, scheme_of(raw).len, raw.len), name;

	if (span_starts(rest, SPAN("${")) && span_find(rest, 0, '}') == rest.len - 1) {
		name = span_cut(rest, 2, rest.len - 1);
		name = span_cut(name, 0, span_find(name, 0, ':'));
		if (expand_is_name(name) && name.len <= NAME_MAX_BYTES)
			return name;
	}
	return SPAN("NAME");
}

bool
literal_check(struct reader *r, const struct yaml_item *item, const struct path *path,
	      const struct scalar *value)
{
	struct span scheme = scheme_of(value->text), name = variable_of(value->raw);
	char hint[HINT_MAX];

	if (!is_secret(item->key, value->text))
		return true;
	snprintf(hint, sizeof(hint),
		 "write \"%.*s${env:%.*s}\", or ${file:/path} or ${arn:…} there", (int)scheme.len,
		 scheme.ptr, (int)name.len, name.ptr);
	reader_fault(r, item, path, hint, "a reference is due here, never a secret");
	return false;
}
