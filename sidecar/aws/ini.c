/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/ini.h"

struct ini
ini_start(struct span text)
{
	const struct span mark = SPAN("\xef\xbb\xbf");

	return (struct ini){.text = text, .at = span_starts(text, mark) ? mark.len : 0};
}

/* The line that starts at, without its end; *next is where the one behind it starts. */
static struct span
line_at(const struct ini *i, size_t at, size_t *next)
{
	size_t end = span_find(i->text, at, '\n');
	struct span line = span_cut(i->text, at, end);

	*next = end == i->text.len ? end : end + 1;
	if (span_ends(line, SPAN("\r")))
		line.len--;
	return line;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_comment(char c)
{
	return c == '#' || c == ';';
}

static size_t
indent_of(struct span line)
{
	size_t n = 0;

	while (n < line.len && is_blank(line.ptr[n]))
		n++;
	return n;
}

/* Whether there is nothing to read in the line. */
static bool
is_idle(struct span line)
{
	size_t n = indent_of(line);

	return n == line.len || is_comment(line.ptr[n]);
}

/* s without a comment that begins it or that a blank goes before, trimmed. */
static struct span
without_comment(struct span s)
{
	for (size_t n = 0; n < s.len; n++)
		if (is_comment(s.ptr[n]) && (n == 0 || is_blank(s.ptr[n - 1])))
			return span_trim(span_cut(s, 0, n));
	return span_trim(s);
}

static enum ini_event
read_section(struct ini *i, struct span line, struct span *name)
{
	size_t end = span_find(line, 0, ']');

	*name = span_trim(span_cut(line, 1, end));
	if (end == line.len || name->len == 0 ||
	    without_comment(span_cut(line, end + 1, line.len)).len > 0)
		return INI_BAD;
	i->in_section = true;
	return INI_SECTION;
}

/* The lines that are indented deeper than a setting are its value too. */
static struct span
with_more_lines(struct ini *i, size_t indent, struct span value)
{
	size_t next;

	for (size_t at = i->at; at < i->text.len; at = next) {
		struct span line = line_at(i, at, &next);

		if (is_idle(line))
			continue;
		if (indent_of(line) <= indent)
			break;
		value.len = (size_t)(line.ptr + line.len - value.ptr);
		i->at = next;
	}
	return value;
}

static enum ini_event
read_setting(struct ini *i, struct span line, size_t indent, struct span *name, struct span *value)
{
	size_t equals = span_find(line, 0, '='), colon = span_find(line, 0, ':');
	size_t at = equals < colon ? equals : colon;

	if (!i->in_section || at == line.len)
		return INI_BAD;
	*name = span_trim(span_cut(line, 0, at));
	*value = with_more_lines(i, indent, without_comment(span_cut(line, at + 1, line.len)));
	return name->len > 0 ? INI_SETTING : INI_BAD;
}

enum ini_event
ini_next(struct ini *i, struct span *name, struct span *value)
{
	while (i->at < i->text.len) {
		struct span line = line_at(i, i->at, &i->at);
		size_t indent = indent_of(line);

		if (is_idle(line))
			continue;
		line = span_cut(line, indent, line.len);
		if (line.ptr[0] == '[')
			return read_section(i, line, name);
		return read_setting(i, line, indent, name, value);
	}
	return INI_END;
}
