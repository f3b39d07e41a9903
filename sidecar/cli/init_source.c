/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/init_source.h"

#include "aws/arn.h"
#include "base/ascii.h"
#include "config/literal.h"
#include "config/url.h"

enum { NAME_MAX_BYTES = 64, COPY_MAX = 512, MIXED_MIN = 16 };

/* ---- members ---- */

const struct yaml_item *
source_member(const struct yaml_item *map, const char *key)
{
	const struct yaml_item *item = yaml_member(map, span_of(key));
	bool is_null =
		item != NULL && item->kind == YAML_TEXT && !item->quoted &&
		(item->text.len == 0 || span_is(item->text, "~") || span_iis(item->text, "null"));

	return is_null ? NULL : item;
}

struct span
source_text(const struct yaml_item *map, const char *key)
{
	const struct yaml_item *item = source_member(map, key);

	return item != NULL && item->kind == YAML_TEXT ? item->text : SPAN("");
}

void
source_path(const struct source_place *in, const char *key, char out[static DRAFT_PATH_MAX])
{
	snprintf(out, DRAFT_PATH_MAX, "%s%s%s", in->path, in->path[0] == '\0' ? "" : ".", key);
}

void
source_note(const struct source_place *in, const char *key, const char *message, const char *hint)
{
	const struct yaml_item *item = yaml_member(in->map, span_of(key));
	char path[DRAFT_PATH_MAX];

	source_path(in, key, path);
	draft_note(in->draft, item != NULL ? item : in->map, path, message, hint);
}

/* ---- what may be shown and copied ---- */

/* How keys and tokens begin, the public ones too, and what stands before them. */
static bool
has_front_of_key(struct span s)
{
	return literal_begins_like_key(s) || span_starts(s, SPAN("pk-")) ||
	       span_starts(s, SPAN("Bearer ")) || span_starts(s, SPAN("Basic "));
}

bool
source_is_secret(struct span text)
{
	size_t run = 0, letters = 0, digits = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (!ascii_is_alnum(c) && strchr("+/_=-", c) == NULL) {
			run = letters = digits = 0;
			continue;
		}
		if (run == 0 && has_front_of_key(span_cut(text, i, text.len)))
			return true;
		run++;
		letters += ascii_is_letter(c);
		digits += ascii_is_digit(c);
		if (run >= MIXED_MIN && letters > 0 && digits > 0)
			return true;
	}
	return false;
}

bool
source_may_be_copied(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		struct span rest = span_cut(text, i, text.len);
		bool starts = i == 0 || strchr("/:. ", text.ptr[i - 1]) != NULL;

		if (span_starts(rest, SPAN("${")) || (starts && has_front_of_key(rest)))
			return false;
	}
	return text.len > 0 && text.len <= COPY_MAX && !span_has_control(text);
}

const char *
source_name(struct draft *d, struct span key)
{
	if (!span_is_alnum(key, "_.-") || key.len > NAME_MAX_BYTES || has_front_of_key(key))
		return "?";
	return draft_text(d, "%.*s", (int)key.len, key.ptr).ptr;
}

bool
source_is_variable(struct span text, struct span *name)
{
	struct span prefix = SPAN("os.environ/");

	if (expand_is_variable(text, name))
		return name->len <= NAME_MAX_BYTES;
	*name = span_cut(text, prefix.len, text.len);
	return span_starts(text, prefix) && expand_is_name(*name) && name->len <= NAME_MAX_BYTES;
}

bool
source_has_default(struct span text, struct span *name, struct span *fallback)
{
	size_t colon = span_find(text, 0, ':');

	if (!span_starts(text, SPAN("${")) || span_find(text, 0, '}') != text.len - 1 ||
	    !span_starts(span_cut(text, colon, text.len), SPAN(":-")))
		return false;
	*name = span_cut(text, 2, colon);
	*fallback = span_cut(text, colon + 2, text.len - 1);
	return expand_is_name(*name) && name->len <= NAME_MAX_BYTES &&
	       source_may_be_copied(*fallback);
}

/* ---- references ---- */

/*
 * env:NEW_NAME: a variable that no SDK reads, so that no key of another upstream stands in it, and
 * that stands for no other secret of the source.
 */
static struct span
name_literal(struct draft *d, struct span value, const char *name)
{
	struct span reference;
	size_t n = d->nliterals;

	for (size_t i = 0; i < d->nliterals; i++)
		if (span_eq(d->literals[i].value, value))
			return d->literals[i].reference;
	if (d->nliterals == DRAFT_LITERALS_MAX)
		return SPAN("none");
	reference = draft_text(d, "env:NEW_%s", name);
	for (size_t i = 0; i < d->nliterals; i++)
		if (span_eq(d->literals[i].reference, reference)) {
			reference = draft_text(d, "env:NEW_%s_%zu", name, ++n);
			i = (size_t)-1; /* that name may be taken too */
		}
	d->literals[d->nliterals++] = (struct draft_literal){value, reference};
	return reference;
}

/* …:credential-provider/NAME, or another resource whose last part is the provider's name. */
static struct span
vault_form(struct draft *d, struct span text)
{
	struct span name = text;
	struct arn arn;

	if (arn_parse(text, &arn) != 0)
		return SPAN("");
	for (size_t at; (at = span_find(name, 0, '/')) < name.len;)
		name = span_cut(name, at + 1, name.len);
	return draft_text(d,
			  "arn:%.*s:bedrock-agentcore:%.*s:%.*s:token-vault/default/"
			  "apikeycredentialprovider/%.*s",
			  (int)arn.partition.len, arn.partition.ptr, (int)arn.region.len,
			  arn.region.ptr, (int)arn.account.len, arn.account.ptr, (int)name.len,
			  name.ptr);
}

struct span
source_secret(struct draft *d, struct span text, const struct yaml_item *at, const char *path,
	      const char *fallback)
{
	enum reference_fault fault;
	struct reference ref;
	struct span name, reference;

	if (source_is_variable(text, &name))
		return draft_text(d, "env:%.*s", (int)name.len, name.ptr);
	fault = reference_parse(text, &ref);
	if (fault == REFERENCE_OK)
		return text;
	if (fault == REFERENCE_SEED_ARN) {
		reference = vault_form(d, text);
		if (reference_parse(reference, &ref) == REFERENCE_OK) {
			draft_note(d, at, path,
				   "the ARN was put into the form that AgentCore Identity uses",
				   "see that it names the credential provider that you mean");
			return reference;
		}
	}
	reference = name_literal(d, text, fallback);
	if (span_is(reference, "none")) {
		draft_note(d, at, path, "more secrets in clear than can be named", "take them out");
		return reference;
	}
	draft_note(d, at, path, "a secret stands here in clear and was not copied",
		   draft_text(d,
			      "make a new one; put it into a store, or into %s of sidekey's "
			      "environment, and no longer into this file",
			      reference.ptr + strlen("env:"))
			   .ptr);
	return reference;
}

/* What people write where a client insists on a key and the upstream does not. */
static bool
is_no_key(struct span text)
{
	static const char *const words[] = {"none",       "empty",  "dummy",  "fake",
					    "fake-key",   "no-key", "unused", "dummy-key",
					    "not-needed", "-"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_iis(text, words[i]))
			return true;
	return false;
}

struct span
source_reference(const struct source_place *in, const char *key, const char *fallback)
{
	const struct yaml_item *item = source_member(in->map, key);
	char path[DRAFT_PATH_MAX];

	if (item == NULL)
		return SPAN("");
	if (is_no_key(item->text))
		return SPAN("none");
	if (item->kind != YAML_TEXT || item->text.len == 0) {
		source_note(in, key, "is not a text and was not carried over",
			    "name the secret in apiKey");
		return SPAN("");
	}
	source_path(in, key, path);
	return source_secret(in->draft, item->text, item, path, fallback);
}

/* ---- URLs and other values ---- */

/* The variable's value where it is set, else what stands behind :-. */
static struct span
now(const struct draft *d, struct span name, struct span fallback)
{
	char text[NAME_MAX_BYTES + 1];
	const char *value;

	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.ptr);
	value = d->env.get(d->env.arg, text);
	return value != NULL && value[0] != '\0' ? span_of(value) : fallback;
}

static int
take_base(const struct source_place *in, const char *key, struct draft_target *t, struct span text,
	  struct span looks_like)
{
	struct url url;
	enum url_fault fault = url_parse(looks_like, &url);

	if (fault != URL_OK) {
		source_note(in, key,
			    "is not a URL that an apiBase can be, so the target is left out",
			    url_fault_text(fault));
		return -1;
	}
	t->api_base = text;
	t->allow_plaintext = !url.https;
	if (!url.https)
		source_note(in, key, "is plain http, which others on the way can read",
			    "use https where you can, and take allowPlaintext out");
	return 0;
}

/* text: ${NAME:-UNSET}. */
static int
take_variable(const struct source_place *in, const char *key, struct draft_target *t,
	      struct span text, struct span name, struct span unset)
{
	source_note(in, key, "is read from the environment when sidekey starts",
		    draft_text(in->draft, "set %.*s there, or write the URL into apiBase",
			       (int)name.len, name.ptr)
			    .ptr);
	return take_base(in, key, t, text, now(in->draft, name, unset));
}

int
source_base(const struct source_place *in, const char *key, const char *fallback,
	    struct draft_target *t)
{
	struct span text = source_text(in->map, key), name, unset;

	if (text.len == 0 && fallback == NULL) {
		source_note(in, key, "names no URL, so the target is left out",
			    "write the target by hand, with its apiBase");
		return -1;
	}
	if (text.len == 0)
		return take_base(in, key, t, span_of(fallback), span_of(fallback));
	if (source_is_variable(text, &name)) {
		unset = SPAN("https://not-set.invalid");
		text = draft_text(in->draft, "${%.*s:-%s}", (int)name.len, name.ptr, unset.ptr);
		return take_variable(in, key, t, text, name, unset);
	}
	if (source_has_default(text, &name, &unset))
		return take_variable(in, key, t, text, name, unset);
	if (!source_may_be_copied(text)) {
		source_note(in, key,
			    "is not a URL that an apiBase can be, so the target is left out",
			    "it holds what looks like a key, or characters that a URL has not");
		return -1;
	}
	while (text.len > 0 && text.ptr[text.len - 1] == '/')
		text = span_cut(text, 0, text.len - 1);
	return take_base(in, key, t, text, text);
}

struct span
source_value(const struct source_place *in, const char *key, bool (*is_good)(struct span),
	     const char *fallback)
{
	const struct yaml_item *item = source_member(in->map, key);
	struct span text = source_text(in->map, key), name;

	if (item == NULL)
		return SPAN("");
	if (source_is_variable(text, &name) && is_good(now(in->draft, name, span_of(fallback)))) {
		source_note(in, key, "is read from the environment when sidekey starts",
			    draft_text(in->draft, "set %.*s there", (int)name.len, name.ptr).ptr);
		return draft_text(in->draft, "${%.*s:-%s}", (int)name.len, name.ptr, fallback);
	}
	if (source_may_be_copied(text) && is_good(text))
		return text;
	source_note(in, key, "is not of the form that is due and was not carried over",
		    "write it into the target by hand");
	return SPAN("");
}
