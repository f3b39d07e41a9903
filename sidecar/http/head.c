/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	head         = request-line *( field-line CRLF ) CRLF              ; RFC 9112 section 2.1
 *	request-line = token SP origin-form SP "HTTP/1." ( "0" / "1" ) CRLF
 *	origin-form  = "/" *TARGET                 ; visible ASCII without # " < >
 *	field-line   = token ":" *FIELD            ; VCHAR, SP, HTAB, obs-text; trimmed
 *
 * Two passes. The first walks the bytes once, over all calls together, and refuses
 * each wrong one as it comes; it stops where it can take up again from *seen and one
 * look back. The second splits a complete head, whose bytes are known to be good by
 * then, and judges what its fields say together.
 */
#include <string.h>

#include "base/num.h"
#include "http/grammar.h"
#include "http/head.h"

/* Besides an enum http_fault (0 is "the line is complete and good"). */
enum { MORE = -1 };

enum {
	METHOD_MAX = 32,      /* the longest registered one, UPDATEREDIRECTREF, has 17 */
	TLS_HANDSHAKE = 0x16, /* ContentType of a ClientHello (RFC 8446 section 5.1) */
	VERSION_LEN = 8,      /* "HTTP/1.1" */
};

struct cursor {
	const unsigned char *start;
	const unsigned char *at; /* everything before it is checked; a place to resume from */
	const unsigned char *end;
};

/* CR LF at p, and the cursor behind it. wrong: the fault when p is neither CR nor LF. */
static int
line_end(struct cursor *c, const unsigned char *p, int wrong)
{
	if (p == c->end)
		return MORE;
	if (*p != '\r')
		return *p == '\n' ? HTTP_BAD_LINE_END : wrong;
	if (p + 1 == c->end)
		return MORE;
	if (p[1] != '\n')
		return HTTP_BAD_LINE_END;
	c->at = p + 2;
	return HTTP_OK;
}

/* The method, its space, and the first byte of the target, at which the cursor then stands. */
static int
check_method(struct cursor *c)
{
	const unsigned char *p = c->at;
	size_t n;

	if (p == c->end)
		return MORE;
	if (*p == TLS_HANDSHAKE)
		return HTTP_TLS_HELLO;
	if (*p == '\r' || *p == '\n')
		return HTTP_BAD_LINE_END;
	while (p < c->end && (grammar_class[*p] & GRAMMAR_TCHAR) != 0)
		p++;
	n = (size_t)(p - c->at);
	if (n > METHOD_MAX)
		return HTTP_BAD_METHOD;
	if (p == c->end)
		return MORE;
	if (n == 0 || *p != ' ')
		return HTTP_BAD_METHOD;
	/* RFC 9113 section 3.4 reserves this method for its preface. */
	if (n == 3 && memcmp(c->at, "PRI", 3) == 0)
		return HTTP_H2_PREFACE;
	if (++p == c->end)
		return MORE;
	if (*p != '/')
		return *p <= ' ' || *p >= 0x7f ? HTTP_BAD_TARGET : HTTP_NOT_ORIGIN_FORM;
	c->at = p;
	return HTTP_OK;
}

/* SP HTTP-version CRLF; the cursor stands at the space until the line is complete. */
static int
check_version(struct cursor *c)
{
	const unsigned char *p = c->at + 1;
	size_t n = (size_t)(c->end - p);

	if (memcmp(p, "HTTP/1.", n < VERSION_LEN - 1 ? n : VERSION_LEN - 1) != 0)
		return HTTP_BAD_VERSION;
	if (n < VERSION_LEN)
		return MORE;
	if (p[VERSION_LEN - 1] != '0' && p[VERSION_LEN - 1] != '1')
		return HTTP_BAD_VERSION;
	return line_end(c, p + VERSION_LEN, HTTP_BAD_VERSION);
}

static int
check_request_line(struct cursor *c)
{
	const unsigned char *p;
	int fault = c->at == c->start ? check_method(c) : HTTP_OK;

	if (fault != HTTP_OK)
		return fault;
	p = c->at;
	while (p < c->end && (grammar_class[*p] & GRAMMAR_TARGET) != 0)
		p++;
	c->at = p;
	if (p - c->start > HTTP_LINE_MAX)
		return HTTP_HEAD_TOO_LARGE;
	if (p == c->end)
		return MORE;
	if (*p == ' ')
		return check_version(c);
	if (*p == '\n')
		return HTTP_BAD_LINE_END;
	return *p == '\r' ? HTTP_BAD_VERSION : HTTP_BAD_TARGET;
}

static int
check_name(struct cursor *c)
{
	const unsigned char *p = c->at;

	if (*p == ' ' || *p == '\t')
		return HTTP_FOLDED_FIELD;
	while (p < c->end && (grammar_class[*p] & GRAMMAR_TCHAR) != 0)
		p++;
	if (p - c->at > HTTP_NAME_MAX)
		return HTTP_BAD_FIELD_NAME;
	if (p == c->end)
		return MORE;
	if (*p == '\n')
		return HTTP_BAD_LINE_END;
	if (*p != ':' || p == c->at)
		return HTTP_BAD_FIELD_NAME;
	c->at = p + 1;
	return HTTP_OK;
}

/* The first byte at or after p that a value may not hold, eight at a time where they are plain. */
static const unsigned char *
skip_value(const unsigned char *p, const unsigned char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;

	while (end - p >= 8) {
		uint64_t word, del;

		memcpy(&word, p, sizeof(word));
		del = word ^ ones * 0x7f;
		/* A byte below 0x20, DEL or beyond ASCII sets its high bit. */
		if (((word | (word - ones * 0x20) | ((del - ones) & ~del)) & highs) != 0)
			break;
		p += 8;
	}
	while (p < end && (grammar_class[*p] & GRAMMAR_FIELD) != 0)
		p++;
	return p;
}

static int
check_field_line(struct cursor *c, bool in_value)
{
	int fault = in_value ? HTTP_OK : check_name(c);

	if (fault != HTTP_OK)
		return fault;
	c->at = skip_value(c->at, c->end);
	return line_end(c, c->at, HTTP_BAD_FIELD_VALUE);
}

/*
 * The first pass. Where it resumes follows from the bytes: behind a line's end it is
 * a new field, before the first line's end it is the target, else it is a value. The
 * look back is short because the request line is; methods, names and versions, which
 * are short too, are read again from their start.
 */
static int
check_head(struct cursor *c)
{
	size_t seen = (size_t)(c->at - c->start);
	size_t first = seen < HTTP_LINE_MAX + 16 ? seen : HTTP_LINE_MAX + 16;
	bool in_value = false;
	int fault;

	if (seen == 0 || memchr(c->start, '\n', first) == NULL) {
		fault = check_request_line(c);
		if (fault != HTTP_OK)
			return fault;
	} else {
		in_value = c->at[-1] != '\n';
	}
	while (in_value || c->at < c->end) {
		if (!in_value && *c->at == '\r')
			return line_end(c, c->at, HTTP_BAD_LINE_END);
		fault = check_field_line(c, in_value);
		if (fault != HTTP_OK)
			return fault;
		in_value = false;
	}
	return MORE;
}

/* What the fields said so far that more than one of them must agree on. */
struct tally {
	struct http_request *r;
	bool host, length, coding, expect;
	bool close, keep;
	size_t connection; /* bytes of its values */
};

static enum http_fault
take_host(struct tally *v, struct span value)
{
	struct span name;
	unsigned port;

	if (v->host)
		return HTTP_TWO_HOSTS;
	v->host = true;
	v->r->host = value;
	return grammar_split_host(value, &name, &port) ? HTTP_OK : HTTP_BAD_HOST;
}

static enum http_fault
take_length(struct tally *v, struct span value)
{
	if (v->length || num_u64(value, INT64_MAX, &v->r->length) != 0)
		return HTTP_BAD_LENGTH;
	v->length = true;
	return HTTP_OK;
}

static enum http_fault
take_coding(struct tally *v, struct span value)
{
	if (v->coding || !span_iis(value, "chunked"))
		return HTTP_BAD_CODING;
	v->coding = true;
	return HTTP_OK;
}

static enum http_fault
take_expect(struct tally *v, struct span value)
{
	if (v->expect || !span_iis(value, "100-continue"))
		return HTTP_BAD_EXPECT;
	v->expect = true;
	return HTTP_OK;
}

static enum http_fault
take_upgrade(struct tally *v, struct span value)
{
	(void)value;
	v->r->upgrade = true;
	return HTTP_OK;
}

/* Nominating one of these would have a hop before us and a hop behind us frame differently. */
static const char *const never_nominated[] = {
	"host",
	"content-length",
	"transfer-encoding",
	"authorization",
};

static enum http_fault
take_connection(struct tally *v, struct span value)
{
	struct span element;

	v->connection += value.len;
	if (v->connection > HTTP_CONNECTION_MAX)
		return HTTP_BAD_CONNECTION;
	while (http_list_next(&value, &element)) {
		if (element.len == 0) /* RFC 9110 section 5.6.1.2 has empty ones ignored */
			continue;
		if (!grammar_is_token(element))
			return HTTP_BAD_CONNECTION;
		for (size_t i = 0; i < sizeof(never_nominated) / sizeof(never_nominated[0]); i++)
			if (span_iis(element, never_nominated[i]))
				return HTTP_BAD_CONNECTION;
		v->close = v->close || span_iis(element, "close");
		v->keep = v->keep || span_iis(element, "keep-alive");
	}
	return HTTP_OK;
}

struct known_field {
	const char *name;
	size_t len;
	enum http_fault (*take)(struct tally *v, struct span value);
};

#define KNOWN(name, take)                                                                          \
	{                                                                                          \
		name, sizeof(name) - 1, take                                                       \
	}

static const struct known_field known[] = {
	KNOWN("host", take_host),
	KNOWN("content-length", take_length),
	KNOWN("transfer-encoding", take_coding),
	KNOWN("connection", take_connection),
	KNOWN("expect", take_expect),
	KNOWN("upgrade", take_upgrade),
};

static enum http_fault
take_field(struct tally *v, const struct http_field *field)
{
	struct http_request *r = v->r;

	if (r->nfields == HTTP_FIELDS_MAX)
		return HTTP_TOO_MANY_FIELDS;
	r->fields[r->nfields++] = *field;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (field->name.len == known[i].len && span_iis(field->name, known[i].name))
			return known[i].take(v, field->value);
	return HTTP_OK;
}

static enum http_fault
judge(const struct tally *v)
{
	struct http_request *r = v->r;

	if (!v->host)
		return HTTP_NO_HOST;
	if (v->length && v->coding)
		return HTTP_LENGTH_AND_CODING;
	if (v->coding && r->http10) /* RFC 9112 section 6.1: its framing is faulty */
		return HTTP_BAD_CODING;
	r->framing = v->coding ? HTTP_CHUNKED : v->length ? HTTP_LENGTH : HTTP_NO_BODY;
	r->keep_alive = !v->close && (!r->http10 || v->keep);
	r->expect_continue = v->expect && !r->http10; /* RFC 9110 section 10.1.1 */
	return HTTP_OK;
}

/* The value from p to the CR, which is there, without blanks around it; returns where the CR is. */
static const char *
take_value(const char *p, struct span *value)
{
	const char *cr, *end;

	while (*p == ' ' || *p == '\t')
		p++;
	cr = end = rawmemchr(p, '\r');
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*value = (struct span){p, (size_t)(end - p)};
	return cr;
}

/* The second pass, over a head that the first one found complete. */
static enum http_fault
split_head(struct http_request *r, struct span head)
{
	struct tally v = {.r = r};
	size_t at = span_find(head, 0, ' ');
	size_t target_end = span_find(head, at + 1, ' ');

	memset(r, 0, offsetof(struct http_request, fields)); /* the fields are 4 KiB */
	r->method = span_cut(head, 0, at);
	r->target = span_cut(head, at + 1, target_end);
	at = span_find(r->target, 0, '?');
	r->has_query = at < r->target.len;
	r->path = span_cut(r->target, 0, at);
	r->query = span_cut(r->target, at + 1, r->target.len);
	r->http10 = head.ptr[target_end + VERSION_LEN] == '0';
	at = target_end + 1 + VERSION_LEN + 2;
	for (const char *p = head.ptr + at; *p != '\r'; p += 2) {
		struct http_field field = {.name = {p, 0}};
		enum http_fault fault;

		while (*p != ':')
			p++;
		field.name.len = (size_t)(p - field.name.ptr);
		p = take_value(p + 1, &field.value);
		fault = take_field(&v, &field);
		if (fault != HTTP_OK)
			return fault;
	}
	return judge(&v);
}

long
http_head_parse(struct http_request *out, const char *buf, size_t len, size_t *seen, size_t max)
{
	const unsigned char *start = (const unsigned char *)buf;
	struct cursor c = {start, start + *seen, start + (len < max ? len : max)};
	int fault;
	size_t n;

	if (c.at > c.end) /* max shrank between two calls */
		return -HTTP_HEAD_TOO_LARGE;
	fault = check_head(&c);
	n = (size_t)(c.at - start);
	if (fault == MORE) {
		*seen = n;
		return len < max ? 0 : -HTTP_HEAD_TOO_LARGE;
	}
	if (fault == HTTP_OK)
		fault = (int)split_head(out, (struct span){buf, n});
	return fault == HTTP_OK ? (long)n : -(long)fault;
}

/* Where the path of an absolute-form begins (RFC 9112 section 3.2.2). False: it is another form. */
static bool
skip_authority(struct span *target)
{
	size_t slash = span_find(*target, 0, '/');

	if (slash == 0)
		return true;
	if (slash < 2 || target->ptr[slash - 1] != ':' || slash + 1 >= target->len ||
	    target->ptr[slash + 1] != '/')
		return false;
	*target = span_cut(*target, span_find(*target, slash + 2, '/'), target->len);
	return true;
}

/*
 * The target, as far as it came, from the cursor on; *whole: a blank stands behind it. False: what
 * stands there is not the rest of a line.
 */
static bool
take_target(struct cursor *c, struct span *target, bool *whole)
{
	const unsigned char *from = c->at;
	int fault = MORE;

	while (c->at < c->end && (grammar_class[*c->at] & GRAMMAR_TARGET) != 0)
		c->at++;
	*target = (struct span){(const char *)from, (size_t)(c->at - from)};
	*whole = c->at < c->end;
	if (*whole)
		fault = *c->at == ' ' ? check_version(c) : HTTP_BAD_TARGET;
	return fault == HTTP_OK || fault == MORE;
}

bool
http_head_line(struct http_request *out, const char *buf, size_t len)
{
	const unsigned char *start = (const unsigned char *)buf;
	struct cursor c = {start, start, start + len};
	struct span line = {buf, len}, path;
	size_t blank = span_find(line, 0, ' '), end;
	int fault = check_method(&c);
	bool whole;

	if (fault != HTTP_OK && fault != HTTP_NOT_ORIGIN_FORM)
		return false;
	c.at = start + blank + 1;
	if (!take_target(&c, &path, &whole))
		return false;
	end = span_find(path, 0, '?');
	whole = whole || end < path.len;
	path = span_cut(path, 0, end);
	if (!skip_authority(&path))
		return false;
	while (!whole && path.len > 0 && path.ptr[path.len - 1] != '/')
		path.len--;
	out->method = span_cut(line, 0, blank);
	out->path = path;
	return true;
}

static const char *const fault_texts[] = {
	[HTTP_OK] = "The request head is good.",
	[HTTP_BAD_METHOD] = "The request does not begin with an HTTP method and one space.",
	[HTTP_BAD_TARGET] = "The request target holds a space, a control byte, a byte beyond "
			    "ASCII, or one of # \" < >; percent-encode it.",
	[HTTP_NOT_ORIGIN_FORM] = "The request target must be a path that starts with '/'; this is "
				 "not a forward proxy, so set it as base URL, not as HTTP_PROXY.",
	[HTTP_BAD_VERSION] = "Only HTTP/1.1 and HTTP/1.0 are spoken here.",
	[HTTP_BAD_LINE_END] = "Each line of the request head must end in CR LF, and none may be "
			      "empty before the request line.",
	[HTTP_BAD_FIELD_NAME] = "A header name is empty, too long or holds a byte that names may "
				"not hold, such as a space before the colon.",
	[HTTP_BAD_FIELD_VALUE] = "A header value holds a control byte.",
	[HTTP_FOLDED_FIELD] = "A header line begins with a blank; send each header on one line.",
	[HTTP_NO_HOST] = "The Host header is missing.",
	[HTTP_TWO_HOSTS] = "There is more than one Host header; send one.",
	[HTTP_BAD_HOST] = "The Host header is not a host name or address with an optional port.",
	[HTTP_BAD_LENGTH] = "Content-Length must be sent once, as decimal digits alone.",
	[HTTP_LENGTH_AND_CODING] = "Content-Length and Transfer-Encoding must not be sent "
				   "together; send one of them.",
	[HTTP_BAD_CODING] = "Transfer-Encoding must be exactly \"chunked\", once, in HTTP/1.1.",
	[HTTP_BAD_EXPECT] = "The only expectation that is met here is 100-continue.",
	[HTTP_BAD_CONNECTION] = "The Connection header is malformed, longer than 1 KiB, or names "
				"a header that every hop needs.",
	[HTTP_TOO_MANY_FIELDS] = "There are more than 128 header lines.",
	[HTTP_HEAD_TOO_LARGE] = "The request head is larger than limits.headerBytes, or its first "
				"line is longer than 8 KiB.",
	[HTTP_H2_PREFACE] = "The client speaks HTTP/2, and this port HTTP/1.1; with the AWS SDK "
			    "for JavaScript, pass requestHandler: new NodeHttpHandler().",
	[HTTP_TLS_HELLO] = "The client speaks TLS to a plain port; use an http:// base URL.",
	[HTTP_BAD_CHUNK] = "The chunked request body is malformed.",
};

const char *
http_fault_text(enum http_fault fault)
{
	if ((size_t)fault >= sizeof(fault_texts) / sizeof(fault_texts[0]))
		return "The request is malformed.";
	return fault_texts[fault];
}
