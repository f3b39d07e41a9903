/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "aws/credentials.h"

#include "base/date.h"
#include "base/num.h"

enum { WHY_SIZE = 80 };

void
credentials_free(struct credentials *c)
{
	json_doc_free(c->doc);
	buf_free(&c->text);
	*c = (struct credentials){0};
}

bool
credentials_is_value(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f)
			return false;
	return s.len > 0;
}

static bool
is_temporary(const struct credentials *c)
{
	return c->token.len > 0 && c->expires_s > 0;
}

/* c becomes *out when it is good, and is freed when not. */
static bool
hand_over(bool good, struct credentials *c, struct credentials *out)
{
	if (good)
		*out = *c;
	else
		credentials_free(c);
	return good;
}

/* ---- JSON ---- */

static bool
read_value(const struct json *object, const char *name, struct span *out)
{
	struct span value;

	if (!json_doc_string(object, name, &value) || !credentials_is_value(value))
		return false;
	*out = value;
	return true;
}

/* The members that the container's and the instance's endpoints share. */
static bool
read_members(const struct json *object, struct credentials *c)
{
	struct span when;

	if (!read_value(object, "AccessKeyId", &c->key_id) ||
	    !read_value(object, "SecretAccessKey", &c->secret))
		return false;
	if (json_doc_get(object, "Token") != NULL && !read_value(object, "Token", &c->token))
		return false;
	return json_doc_get(object, "Expiration") == NULL ||
	       (json_doc_string(object, "Expiration", &when) &&
		date_from_iso(when, &c->expires_s) == 0);
}

bool
credentials_read_container(struct span json, struct credentials *out)
{
	struct credentials c = {.doc = json_doc_parse(json)};

	return hand_over(read_members(c.doc, &c), &c, out);
}

bool
credentials_read_instance(struct span json, struct credentials *out, char why[static WHY_SIZE])
{
	struct credentials c = {.doc = json_doc_parse(json)};
	struct span code = {NULL, 0};

	why[0] = '\0';
	if (c.doc == NULL)
		return false;
	(void)read_value(c.doc, "Code", &code);
	if (!span_is(code, "Success")) {
		(void)span_cstr(code, why, WHY_SIZE);
		return hand_over(false, &c, out);
	}
	return hand_over(read_members(c.doc, &c) && is_temporary(&c), &c, out);
}

bool
credentials_read_sso(struct span json, struct credentials *out)
{
	struct credentials c = {.doc = json_doc_parse(json)};
	const struct json *keys;
	uint64_t expires_ms;
	bool good;

	if (c.doc == NULL)
		return false;
	keys = json_doc_get(c.doc, "roleCredentials");
	good = keys != NULL && read_value(keys, "accessKeyId", &c.key_id) &&
	       read_value(keys, "secretAccessKey", &c.secret) &&
	       read_value(keys, "sessionToken", &c.token) &&
	       json_doc_u64(keys, "expiration", &expires_ms);
	if (good)
		c.expires_s = expires_ms / 1000;
	return hand_over(good && is_temporary(&c), &c, out);
}

/* ---- XML ---- */

/*
 * Finds the next tag of name, opening or closing, at or behind from. Its first byte's index, and
 * in *end the one behind its '>'; xml.len when there is none.
 */
static size_t
find_tag(struct span xml, size_t from, bool closing, const char *name, size_t *end)
{
	size_t n = strlen(name);

	for (size_t at = span_find(xml, from, '<'); at < xml.len;
	     at = span_find(xml, at + 1, '<')) {
		size_t start = at + 1, behind;

		if (closing && !span_starts(span_cut(xml, start, xml.len), SPAN("/")))
			continue;
		start += closing ? 1 : 0;
		behind = start + n;
		if (!span_is(span_cut(xml, start, behind), name) || behind >= xml.len ||
		    strchr("> \t\r\n", xml.ptr[behind]) == NULL || xml.ptr[behind] == '\0')
			continue;
		*end = span_find(xml, behind, '>');
		if (*end == xml.len)
			return xml.len;
		*end += 1;
		return at;
	}
	return xml.len;
}

/* What stands in the one element called name; none and several are both false. */
static bool
find_element(struct span xml, const char *name, struct span *content)
{
	size_t start, stop, end;

	if (find_tag(xml, 0, false, name, &start) == xml.len)
		return false;
	stop = find_tag(xml, start, true, name, &end);
	if (stop == xml.len)
		return false;
	*content = span_cut(xml, start, stop);
	return find_tag(xml, start, false, name, &end) == xml.len;
}

/* The character of a reference such as "amp", "#65" or "#x41", or -1; ASCII is all we need. */
static int
character_of(struct span reference)
{
	static const struct {
		const char *name;
		char c;
	} entities[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
	uint64_t code;

	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
		if (span_is(reference, entities[i].name))
			return entities[i].c;
	if (span_starts(reference, SPAN("#x"))) {
		if (num_hex(span_cut(reference, 2, reference.len), 0x7f, &code) != 0)
			return -1;
	} else if (!span_starts(reference, SPAN("#")) ||
		   num_u64(span_cut(reference, 1, reference.len), 0x7f, &code) != 0) {
		return -1;
	}
	return (int)code;
}

/* Appends text with its references replaced; markup inside it is refused. 0 or -1. */
static int
unescape(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		size_t end;
		int c = (unsigned char)text.ptr[i];

		if (c == '<' || c == '>')
			return -1;
		if (c == '&') {
			end = span_find(text, i, ';');
			c = character_of(span_cut(text, i + 1, end));
			if (c < 0 || end == text.len)
				return -1;
			i = end;
		}
		if (buf_add_char(out, (char)c) != 0)
			return -1;
	}
	return 0;
}

/* The text of the element name, kept in c->text, which has room for all of the document. */
static bool
read_text(struct span xml, const char *name, struct credentials *c, struct span *out)
{
	size_t start = c->text.len;
	struct span content;

	if (!find_element(xml, name, &content) || unescape(content, &c->text) != 0)
		return false;
	*out = span_cut(buf_span(&c->text), start, c->text.len);
	return credentials_is_value(*out);
}

/* A DTD could define entities, and a comment or CDATA section hide a tag. */
static bool
has_declaration(struct span xml)
{
	return span_has(xml, SPAN("<!"));
}

static bool
read_session(struct span xml, struct credentials *c, struct span *arn)
{
	struct span keys, user, when;

	*arn = (struct span){NULL, 0};
	if (has_declaration(xml) || !find_element(xml, "Credentials", &keys))
		return false;
	/* nothing grows when unescaped, so that the views stay where they are */
	buf_init(&c->text, xml.len);
	if (buf_room(&c->text, xml.len) == NULL)
		return false;
	if (!read_text(keys, "AccessKeyId", c, &c->key_id) ||
	    !read_text(keys, "SecretAccessKey", c, &c->secret) ||
	    !read_text(keys, "SessionToken", c, &c->token))
		return false;
	if (!find_element(keys, "Expiration", &when) || date_from_iso(when, &c->expires_s) != 0)
		return false;
	return !find_element(xml, "AssumedRoleUser", &user) || read_text(user, "Arn", c, arn);
}

bool
credentials_read_sts(struct span xml, struct credentials *out, struct span *assumed_arn)
{
	struct credentials c = {0};
	struct span arn;

	if (!hand_over(read_session(xml, &c, &arn) && is_temporary(&c), &c, out))
		return false;
	*assumed_arn = arn;
	return true;
}

void
credentials_read_sts_error(unsigned status, struct span xml, struct aws_error *out)
{
	struct span error, type = {NULL, 0}, message = {NULL, 0};

	if (!has_declaration(xml) && find_element(xml, "Error", &error)) {
		(void)find_element(error, "Code", &type);
		(void)find_element(error, "Message", &message);
	}
	aws_error_set(status, type, message, out);
}

bool
credentials_read_caller(struct span xml, struct span *arn)
{
	struct span found;

	if (has_declaration(xml) || !find_element(xml, "Arn", &found))
		return false;
	/* an ARN has none of these, escaped or not */
	if (!credentials_is_value(found) || span_find(found, 0, '<') < found.len ||
	    span_find(found, 0, '>') < found.len || span_find(found, 0, '&') < found.len ||
	    !span_starts(found, SPAN("arn:")))
		return false;
	*arn = found;
	return true;
}
