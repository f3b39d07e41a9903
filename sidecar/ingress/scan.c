/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	JSON-text = ws value ws                                        ; RFC 8259
 *	value     = object / array / number / string / "true" / "false" / "null"
 *	object    = "{" ws [ member *( ws "," ws member ) ] ws "}"
 *	member    = string ws ":" ws value
 *	array     = "[" ws [ value *( ws "," ws value ) ] ws "]"
 *	number    = [ "-" ] ( "0" / %x31-39 *DIGIT ) [ "." 1*DIGIT ]
 *	            [ ( "e" / "E" ) [ "+" / "-" ] 1*DIGIT ]
 *	string    = DQUOTE *( %x20-21 / %x23-5B / %x5D-10FFFF / "\" escape ) DQUOTE
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/ascii.h"
#include "http/grammar.h"
#include "ingress/scan.h"

struct scanner {
	const unsigned char *start;
	const unsigned char *at;
	const unsigned char *end;
	struct scan *out;
	scan_denies_fn *denies;
	const void *arg;
	enum scan_fault fault;
	struct span *noted; /* the member of out whose value has begun, and not ended */
	size_t depth;
	char open[SCAN_DEPTH]; /* '{' or '[' for each level */
};

static bool
fail(struct scanner *s, const unsigned char *at, enum scan_fault fault)
{
	s->fault = fault;
	s->out->error_at = (size_t)(at - s->start);
	return false;
}

static void
skip_blanks(struct scanner *s)
{
	const unsigned char *p = s->at;

	while (p < s->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	s->at = p;
}

static bool
is_digit(const struct scanner *s, const unsigned char *p)
{
	return p < s->end && ascii_is_digit((char)*p);
}

/*
 * The first byte at or after p that a string does not simply hold: a quote, a backslash, a
 * control byte, or one beyond ASCII. Eight bytes at a time, since prompts and images are long:
 * each term sets the high bit of a byte that it stands for (and perhaps of bytes behind
 * one, which does no harm, as the bytes are looked at again).
 */
static const unsigned char *
skip_plain(const unsigned char *p, const unsigned char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;

	while (end - p >= 8) {
		uint64_t word, quote, escape;

		memcpy(&word, p, sizeof(word));
		quote = word ^ ones * '"';
		escape = word ^ ones * '\\';
		if (((word | (word - ones * 0x20) | ((quote - ones) & ~quote) |
		      ((escape - ones) & ~escape)) &
		     highs) != 0)
			break;
		p += 8;
	}
	while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

static bool
is_hex4(const unsigned char *p)
{
	return (grammar_class[p[0]] & grammar_class[p[1]] & grammar_class[p[2]] &
		grammar_class[p[3]] & GRAMMAR_HEX) != 0;
}

/* The length of the escape at p, which is a backslash, or 0. */
static size_t
escape_length(const unsigned char *p, const unsigned char *end)
{
	if (end - p < 2)
		return 0;
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return 2;
	case 'u':
		return end - p >= 6 && is_hex4(p + 2) ? 6 : 0;
	default:
		return 0;
	}
}

/* A string, at whose opening quote the scanner stands; *inside is what the quotes hold. */
static bool
scan_string(struct scanner *s, struct span *inside)
{
	const unsigned char *first = s->at + 1, *p = first;
	struct span document = {(const char *)s->start, (size_t)(s->end - s->start)};
	size_t from, n;

	for (;;) {
		p = skip_plain(p, s->end);
		if (p == s->end)
			return fail(s, p, SCAN_NOT_JSON);
		if (*p == '"') {
			*inside = (struct span){(const char *)first, (size_t)(p - first)};
			s->at = p + 1;
			return true;
		}
		if (*p >= 0x80) {
			from = (size_t)(p - s->start);
			n = grammar_utf8_run(document, from) - from;
			if (n == 0)
				return fail(s, p, SCAN_NOT_UTF8);
		} else {
			n = *p == '\\' ? escape_length(p, s->end) : 0;
			if (n == 0)
				return fail(s, p, SCAN_NOT_JSON);
		}
		p += n;
	}
}

static bool
scan_number(struct scanner *s)
{
	const unsigned char *p = s->at;

	if (*p == '-')
		p++;
	if (!is_digit(s, p))
		return fail(s, p, SCAN_NOT_JSON);
	if (*p == '0')
		p++;
	else
		while (is_digit(s, p))
			p++;
	if (p < s->end && *p == '.') {
		if (!is_digit(s, ++p))
			return fail(s, p, SCAN_NOT_JSON);
		while (is_digit(s, p))
			p++;
	}
	if (p < s->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < s->end && (*p == '+' || *p == '-'))
			p++;
		if (!is_digit(s, p))
			return fail(s, p, SCAN_NOT_JSON);
		while (is_digit(s, p))
			p++;
	}
	s->at = p;
	return true;
}

static bool
stands_here(const struct scanner *s, struct span word)
{
	return (size_t)(s->end - s->at) >= word.len && memcmp(s->at, word.ptr, word.len) == 0;
}

static bool
scan_word(struct scanner *s, struct span word)
{
	if (!stands_here(s, word))
		return fail(s, s->at, SCAN_NOT_JSON);
	s->at += word.len;
	return true;
}

static uint32_t
hex4(const char *p)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++)
		v = v << 4 | ascii_hex(p[i]);
	return v;
}

/*
 * The code point at *at of the inside of a string that was found valid, and *at behind
 * it; 0 for what parsers disagree about: an escaped NUL, a surrogate without its other half.
 */
static uint32_t
next_char(struct span inside, size_t *at)
{
	static const char from[] = "bfnrt\"\\/", to[] = "\b\f\n\r\t\"\\/";
	const char *p = inside.ptr + *at;
	unsigned char c = (unsigned char)*p;
	uint32_t v, low;
	size_t n;

	if (c == '\\' && p[1] != 'u') {
		*at += 2;
		return (unsigned char)to[strchr(from, p[1]) - from];
	}
	if (c != '\\') {
		n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		v = n == 1 ? c : c & (0x7fU >> n);
		for (size_t i = 1; i < n; i++)
			v = v << 6 | ((unsigned char)p[i] & 0x3fU);
		*at += n;
		return v;
	}
	v = hex4(p + 2);
	*at += 6;
	if (v < 0xd800 || v > 0xdfff)
		return v;
	if (v > 0xdbff || inside.len - *at < 6 || p[6] != '\\' || p[7] != 'u')
		return 0;
	low = hex4(p + 8);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*at += 6;
	return 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
}

/* v in UTF-8 at out, which has room for 4 bytes; how many it took. */
static size_t
put_char(char *out, uint32_t v)
{
	size_t n = v < 0x80 ? 1 : v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; v >>= 6)
		out[i] = (char)(0x80 | (v & 0x3f));
	out[0] = (char)(n == 1 ? v : (0xf00U >> n & 0xf0) | v);
	return n;
}

static uint32_t
fold_char(uint32_t v)
{
	if (v >= 'A' && v <= 'Z')
		return v + ('a' - 'A');
	return v == 0x212a ? 'k' : v == 0x17f ? 's' : v;
}

/*
 * Unescapes into out (and folds), up to max bytes, with a NUL behind them; the rest is cut
 * and *cut set. False when the string holds what next_char refuses.
 */
static bool
unescape(struct span inside, bool folding, char *out, size_t max, size_t *len, bool *cut)
{
	size_t n = 0, at = 0;

	*cut = false;
	while (at < inside.len) {
		char bytes[4];
		uint32_t v = next_char(inside, &at);
		size_t took;

		if (v == 0)
			return false;
		took = put_char(bytes, folding ? fold_char(v) : v);
		*cut = *cut || took > max - n;
		if (*cut)
			continue;
		memcpy(out + n, bytes, took);
		n += took;
	}
	out[n] = '\0';
	*len = n;
	return true;
}

/* A name that folds to one of ours: whether it is that to an upstream that minds case, too. */
static bool
is_exact(struct span inside, const char *name)
{
	char text[SCAN_NAME_MAX + 1];
	size_t len;
	bool cut;

	return unescape(inside, false, text, SCAN_NAME_MAX, &len, &cut) &&
	       span_is((struct span){text, len}, name);
}

/* The value of "model", at which the scanner stands and where it stays. */
static bool
take_model(struct scanner *s)
{
	const unsigned char *value = s->at;
	struct scan *out = s->out;
	struct span inside;
	bool cut;

	if (value == s->end || *value != '"')
		return fail(s, value, SCAN_MODEL_TYPE);
	if (!scan_string(s, &inside))
		return false;
	if (!unescape(inside, false, out->model, sizeof(out->model) - 1, &out->model_len, &cut) ||
	    cut) {
		out->model[0] = '\0';
		out->model_len = 0;
		return fail(s, value, SCAN_MODEL_TYPE);
	}
	out->model_raw = (struct span){(const char *)value, (size_t)(s->at - value)};
	out->has_model = true;
	s->at = value;
	return true;
}

/* The value at which the scanner stands is to be a view in the end. */
static void
note(struct scanner *s, struct span *value, bool *many)
{
	*many = value->ptr != NULL;
	value->ptr = (const char *)s->at;
	s->noted = value;
}

/* How the answer is asked for, which counts where the caller's tokens do. */
static void
take_stream(struct scanner *s, struct span inside, struct span name)
{
	struct scan *out = s->out;

	if (span_is(name, "stream_options")) {
		note(s, &out->stream_options, &out->many_stream_options);
		if (!is_exact(inside, "stream_options"))
			out->stream_options_is_folded = true;
	} else if (span_is(name, "stream")) {
		if (stands_here(s, SPAN("true")))
			out->stream = true;
		else if (!stands_here(s, SPAN("false")) && !stands_here(s, SPAN("null")))
			out->odd_stream = true;
	} else if (span_is(name, "background") && !stands_here(s, SPAN("false"))) {
		out->background = true;
	}
}

/* A member of the top-level object: its name is read, the scanner stands at its value. */
static bool
take_member(struct scanner *s, struct span inside)
{
	const unsigned char *quote = (const unsigned char *)inside.ptr - 1;
	char folded[SCAN_NAME_MAX + 1];
	struct span name = {folded, 0};
	bool cut;

	if (!unescape(inside, true, folded, SCAN_NAME_MAX, &name.len, &cut))
		return fail(s, quote, SCAN_NOT_JSON);
	if (s->denies != NULL && s->denies(s->arg, name)) {
		memcpy(s->out->denied, folded, name.len + 1);
		return fail(s, quote, SCAN_DENIED_FIELD);
	}
	if (cut)
		return true;
	take_stream(s, inside, name);
	if (span_is(name, "tools"))
		note(s, &s->out->tools, &s->out->many_tools);
	if (span_is(name, "metadata"))
		note(s, &s->out->metadata, &s->out->many_metadata);
	if (!span_is(name, "model"))
		return true;
	if (s->out->has_model)
		return fail(s, quote, SCAN_MODEL_TWICE);
	s->out->model_is_folded = !is_exact(inside, "model");
	return take_model(s);
}

/* string ws ":" ws, where a member must begin. */
static bool
scan_name(struct scanner *s)
{
	struct span inside;

	if (s->at == s->end || *s->at != '"')
		return fail(s, s->at, SCAN_NOT_JSON);
	if (!scan_string(s, &inside))
		return false;
	skip_blanks(s);
	if (s->at == s->end || *s->at != ':')
		return fail(s, s->at, SCAN_NOT_JSON);
	s->at++;
	skip_blanks(s);
	return s->depth > 1 || take_member(s, inside);
}

static bool
is_close(const struct scanner *s)
{
	return s->at < s->end && *s->at == (s->open[s->depth - 1] == '{' ? '}' : ']');
}

/* Enters an object or array; *opened unless it is empty and left again. */
static bool
scan_open(struct scanner *s, bool *opened)
{
	if (s->depth == SCAN_DEPTH)
		return fail(s, s->at, SCAN_TOO_DEEP);
	s->open[s->depth++] = (char)*s->at++;
	skip_blanks(s);
	if (is_close(s)) {
		s->at++;
		s->depth--;
		return true;
	}
	*opened = true;
	return s->open[s->depth - 1] == '[' || scan_name(s);
}

/* A whole scalar or empty container, or, with *opened, a container up to its first value. */
static bool
scan_value(struct scanner *s, bool *opened)
{
	struct span inside;

	*opened = false;
	if (s->at == s->end)
		return fail(s, s->at, SCAN_NOT_JSON);
	switch (*s->at) {
	case '"':
		return scan_string(s, &inside);
	case '{':
	case '[':
		return scan_open(s, opened);
	case 't':
		return scan_word(s, SPAN("true"));
	case 'f':
		return scan_word(s, SPAN("false"));
	case 'n':
		return scan_word(s, SPAN("null"));
	default:
		return scan_number(s);
	}
}

/* What follows a value inside a container: closes what ends here, up to where a value must be. */
static bool
scan_on(struct scanner *s)
{
	while (s->depth > 0) {
		if (s->noted != NULL && s->depth == 1) {
			s->noted->len = (size_t)((const char *)s->at - s->noted->ptr);
			s->noted = NULL;
		}
		skip_blanks(s);
		if (is_close(s)) {
			s->at++;
			s->depth--;
			continue;
		}
		if (s->at == s->end || *s->at != ',')
			return fail(s, s->at, SCAN_NOT_JSON);
		s->at++;
		skip_blanks(s);
		return s->open[s->depth - 1] == '[' || scan_name(s);
	}
	return true;
}

static bool
scan_document(struct scanner *s)
{
	bool opened, object;

	skip_blanks(s);
	object = s->at < s->end && *s->at == '{';
	do {
		if (!scan_value(s, &opened) || (!opened && !scan_on(s)))
			return false;
	} while (s->depth > 0);
	skip_blanks(s);
	if (s->at != s->end)
		return fail(s, s->at, SCAN_NOT_JSON);
	return object || fail(s, s->start, SCAN_NOT_OBJECT);
}

enum scan_fault
scan_json(struct scan *out, struct span document, scan_denies_fn *denies, const void *arg)
{
	const unsigned char *start = (const unsigned char *)document.ptr;
	struct scanner s = {.out = out, .denies = denies, .arg = arg, .start = start};

	/* Not the whole of it: tools are scanned one by one, and a body can have millions. */
	memset(out, 0, offsetof(struct scan, model) + 1);
	if (document.len == 0)
		return SCAN_NOT_JSON;
	s.at = start;
	s.end = start + document.len;
	if (span_starts(document, SPAN("\xef\xbb\xbf")))
		return SCAN_NOT_UTF8;
	return scan_document(&s) ? SCAN_OK : s.fault;
}

bool
scan_string_text(struct span quoted, char *out, size_t max, size_t *len)
{
	bool cut;

	return unescape(span_cut(quoted, 1, quoted.len - 1), false, out, max, len, &cut) && !cut;
}

bool
scan_string_is(struct span quoted, const char *word)
{
	char text[SCAN_NAME_MAX + 1];
	size_t len;

	return scan_string_text(quoted, text, SCAN_NAME_MAX, &len) &&
	       span_iis((struct span){text, len}, word);
}
