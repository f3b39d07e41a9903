/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/head.h"

#define HOST "Host: a\r\n"
#define GET  "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST

enum { MAX = 65536 };

struct bad {
	const char *head;
	enum http_fault fault;
	const char *why;
};

static const struct bad bads[] = {
	{"\x16", HTTP_TLS_HELLO, "a ClientHello, at its first byte"},
	{"\x16\x03\x01\x02", HTTP_TLS_HELLO, "a ClientHello"},
	{"PRI ", HTTP_H2_PREFACE, "an HTTP/2 preface, at its method"},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_H2_PREFACE, "an HTTP/2 preface"},
	{"\r\n", HTTP_BAD_LINE_END, "a leading empty line"},
	{"\n", HTTP_BAD_LINE_END, "a leading line feed"},
	{"\r", HTTP_BAD_LINE_END, "a leading CR, at once"},
	{" ", HTTP_BAD_METHOD, "a leading space"},
	{"\t", HTTP_BAD_METHOD, "a leading tab"},
	{"G(", HTTP_BAD_METHOD, "a delimiter in the method"},
	{"GET\t", HTTP_BAD_METHOD, "a tab behind the method"},
	{"GET\r\n", HTTP_BAD_METHOD, "a method alone"},
	{"GET\n", HTTP_BAD_METHOD, "a method alone, bare LF"},
	{"G\x80", HTTP_BAD_METHOD, "a byte beyond ASCII in the method"},
	{"G:", HTTP_BAD_METHOD, "a colon in the method"},
	{"{", HTTP_BAD_METHOD, "JSON to a plain port"},
	{"\x80", HTTP_BAD_METHOD, "an SSLv2 hello"},
	{"\x05\x01", HTTP_BAD_METHOD, "a SOCKS greeting"},
	{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", HTTP_BAD_METHOD, "a method of 33 bytes"},
	{"GET  ", HTTP_BAD_TARGET, "two spaces"},
	{"GET \t", HTTP_BAD_TARGET, "a tab before the target"},
	{"GET \r\n", HTTP_BAD_TARGET, "no target"},
	{"GET \n", HTTP_BAD_TARGET, "no target, bare LF"},
	{"GET \x80", HTTP_BAD_TARGET, "obs-text as target"},
	{"GET \x7f", HTTP_BAD_TARGET, "DEL as target"},
	{"GET h", HTTP_NOT_ORIGIN_FORM, "absolute-form, at its first byte"},
	{"GET http://evil/ HTTP/1.1\r\n", HTTP_NOT_ORIGIN_FORM, "absolute-form"},
	{"CONNECT evil:443 HTTP/1.1\r\n", HTTP_NOT_ORIGIN_FORM, "authority-form"},
	{"OPTIONS * HTTP/1.1\r\n", HTTP_NOT_ORIGIN_FORM, "asterisk-form"},
	{"GET ?a", HTTP_NOT_ORIGIN_FORM, "a query alone"},
	{"GET \\", HTTP_NOT_ORIGIN_FORM, "a backslash first"},
	{"GET /#", HTTP_BAD_TARGET, "a fragment"},
	{"GET /\"", HTTP_BAD_TARGET, "a quote"},
	{"GET /<", HTTP_BAD_TARGET, "less than"},
	{"GET />", HTTP_BAD_TARGET, "greater than"},
	{"GET /\t", HTTP_BAD_TARGET, "a tab in the target"},
	{"GET /\x01", HTTP_BAD_TARGET, "a control byte in the target"},
	{"GET /\x7f", HTTP_BAD_TARGET, "DEL in the target"},
	{"GET /\xc3\xa9", HTTP_BAD_TARGET, "raw UTF-8 in the target"},
	{"GET /\xff", HTTP_BAD_TARGET, "0xff in the target"},
	{"GET /\v", HTTP_BAD_TARGET, "a vertical tab in the target"},
	{"GET /\n", HTTP_BAD_LINE_END, "HTTP/0.9, bare LF"},
	{"GET /\r", HTTP_BAD_VERSION, "HTTP/0.9"},
	{"GET / \r\n", HTTP_BAD_VERSION, "an empty version"},
	{"GET /  HTTP/1.1\r\n", HTTP_BAD_VERSION, "two spaces before the version"},
	{"GET / h", HTTP_BAD_VERSION, "lower case, at its first byte"},
	{"GET / http/1.1\r\n", HTTP_BAD_VERSION, "lower case"},
	{"GET / HTTP/2", HTTP_BAD_VERSION, "HTTP/2"},
	{"GET / HTTP/0.9\r\n", HTTP_BAD_VERSION, "0.9"},
	{"GET / HTTP/1.2", HTTP_BAD_VERSION, "1.2"},
	{"GET / HTTP/1.10", HTTP_BAD_VERSION, "1.10"},
	{"GET / HTTP/1,1", HTTP_BAD_VERSION, "a comma"},
	{"GET / HTTP/11", HTTP_BAD_VERSION, "no dot"},
	{"GET / HTTPS/1.1", HTTP_BAD_VERSION, "HTTPS"},
	{"GET / HTTP/1.1 ", HTTP_BAD_VERSION, "a space behind the version"},
	{"GET / HTTP/1.1\t", HTTP_BAD_VERSION, "a tab behind the version"},
	{"GET / x HTTP/1.1\r\n", HTTP_BAD_VERSION, "a space in the target"},
	{"GET / HTTP/1.1\n", HTTP_BAD_LINE_END, "bare LF behind the version"},
	{"GET / HTTP/1.1\rH", HTTP_BAD_LINE_END, "bare CR behind the version"},
	{"GET / HTTP/1.1\r\r\n", HTTP_BAD_LINE_END, "CR CR LF"},
	{GET " ", HTTP_FOLDED_FIELD, "a blank before the first field"},
	{GET "\t", HTTP_FOLDED_FIELD, "a tab before the first field"},
	{GET HOST " b", HTTP_FOLDED_FIELD, "obs-fold by a space"},
	{GET HOST "\tb", HTTP_FOLDED_FIELD, "obs-fold by a tab"},
	{GET ":", HTTP_BAD_FIELD_NAME, "an empty name"},
	{GET "Host :", HTTP_BAD_FIELD_NAME, "a space before the colon"},
	{GET "Host\t:", HTTP_BAD_FIELD_NAME, "a tab before the colon"},
	{GET "Ho st:", HTTP_BAD_FIELD_NAME, "a space in a name"},
	{GET "Host\r\n", HTTP_BAD_FIELD_NAME, "no colon"},
	{GET "Host\n", HTTP_BAD_LINE_END, "no colon, bare LF"},
	{GET "H(", HTTP_BAD_FIELD_NAME, "a delimiter in a name"},
	{GET "H\"", HTTP_BAD_FIELD_NAME, "a quote in a name"},
	{GET "H/", HTTP_BAD_FIELD_NAME, "a slash in a name"},
	{GET "H{", HTTP_BAD_FIELD_NAME, "a brace in a name"},
	{GET "H@", HTTP_BAD_FIELD_NAME, "an at sign in a name"},
	{GET "H;", HTTP_BAD_FIELD_NAME, "a semicolon in a name"},
	{GET "H\x7f", HTTP_BAD_FIELD_NAME, "DEL in a name"},
	{GET "H\x01", HTTP_BAD_FIELD_NAME, "a control byte in a name"},
	{GET "H\x80", HTTP_BAD_FIELD_NAME, "obs-text in a name"},
	{GET "\xc4\xa8ost:", HTTP_BAD_FIELD_NAME, "UTF-8 in a name"},
	{GET "\n", HTTP_BAD_LINE_END, "the head ends in a bare LF"},
	{GET HOST "\n", HTTP_BAD_LINE_END, "the head ends in a bare LF behind a field"},
	{GET HOST "\rX", HTTP_BAD_LINE_END, "the head ends in a bare CR"},
	{GET "Host: a\n", HTTP_BAD_LINE_END, "a value ends in a bare LF"},
	{GET "Host: a\rb", HTTP_BAD_LINE_END, "a bare CR in a value"},
	{GET "Host: a\r\r\n", HTTP_BAD_LINE_END, "CR CR LF behind a value"},
	{GET "A: b\x01", HTTP_BAD_FIELD_VALUE, "a control byte in a value"},
	{GET "A: b\x7f", HTTP_BAD_FIELD_VALUE, "DEL in a value"},
	{GET "A: \v", HTTP_BAD_FIELD_VALUE, "a vertical tab in a value"},
	{GET "A: \f", HTTP_BAD_FIELD_VALUE, "a form feed in a value"},
	{GET "A: \x1b[0m", HTTP_BAD_FIELD_VALUE, "an escape sequence in a value"},
	{GET "A:\b", HTTP_BAD_FIELD_VALUE, "a backspace in a value"},
	{GET "\r\n", HTTP_NO_HOST, "no Host"},
	{"GET / HTTP/1.0\r\n\r\n", HTTP_NO_HOST, "no Host in HTTP/1.0"},
	{GET HOST HOST "\r\n", HTTP_TWO_HOSTS, "two Hosts, though equal"},
	{GET HOST "HOST: b\r\n\r\n", HTTP_TWO_HOSTS, "two Hosts in different case"},
	{GET "Host:\r\n\r\n", HTTP_BAD_HOST, "an empty Host"},
	{GET "Host: \t \r\n\r\n", HTTP_BAD_HOST, "a blank Host"},
	{GET "Host: a b\r\n\r\n", HTTP_BAD_HOST, "a space in Host"},
	{GET "Host: a,b\r\n\r\n", HTTP_BAD_HOST, "a list in Host"},
	{GET "Host: a/\r\n\r\n", HTTP_BAD_HOST, "a path in Host"},
	{GET "Host: u@a\r\n\r\n", HTTP_BAD_HOST, "userinfo in Host"},
	{GET "Host: a:\r\n\r\n", HTTP_BAD_HOST, "an empty port"},
	{GET "Host: a:0\r\n\r\n", HTTP_BAD_HOST, "port 0"},
	{GET "Host: a:65536\r\n\r\n", HTTP_BAD_HOST, "a port too high"},
	{GET "Host: a:1:2\r\n\r\n", HTTP_BAD_HOST, "two ports"},
	{GET "Host: ::1\r\n\r\n", HTTP_BAD_HOST, "IPv6 without brackets"},
	{GET "Host: [::1\r\n\r\n", HTTP_BAD_HOST, "half a bracket"},
	{GET "Host: \xc3\xa4\r\n\r\n", HTTP_BAD_HOST, "a name beyond ASCII"},
	{POST "Content-Length:\r\n\r\n", HTTP_BAD_LENGTH, "an empty length"},
	{POST "Content-Length: +1\r\n\r\n", HTTP_BAD_LENGTH, "a plus sign"},
	{POST "Content-Length: -1\r\n\r\n", HTTP_BAD_LENGTH, "a minus sign"},
	{POST "Content-Length: 1 1\r\n\r\n", HTTP_BAD_LENGTH, "a space between digits"},
	{POST "Content-Length: 1,1\r\n\r\n", HTTP_BAD_LENGTH, "a list, though equal"},
	{POST "Content-Length: 0x1\r\n\r\n", HTTP_BAD_LENGTH, "hexadecimal"},
	{POST "Content-Length: 1.0\r\n\r\n", HTTP_BAD_LENGTH, "a fraction"},
	{POST "Content-Length: 1e1\r\n\r\n", HTTP_BAD_LENGTH, "an exponent"},
	{POST "Content-Length: \"1\"\r\n\r\n", HTTP_BAD_LENGTH, "quoted"},
	{POST "Content-Length: 1;\r\n\r\n", HTTP_BAD_LENGTH, "a parameter"},
	{POST "Content-Length: 9223372036854775808\r\n\r\n", HTTP_BAD_LENGTH, "2^63"},
	{POST "Content-Length: 18446744073709551617\r\n\r\n", HTTP_BAD_LENGTH, "2^64 + 1"},
	{POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", HTTP_BAD_LENGTH, "twice"},
	{POST "Content-Length: 1\r\ncontent-length: 2\r\n\r\n", HTTP_BAD_LENGTH, "two lengths"},
	{POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_LENGTH_AND_CODING,
	 "CL.TE"},
	{POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", HTTP_LENGTH_AND_CODING,
	 "TE.CL"},
	{POST "Transfer-Encoding:\r\n\r\n", HTTP_BAD_CODING, "an empty coding"},
	{POST "Transfer-Encoding: identity\r\n\r\n", HTTP_BAD_CODING, "identity"},
	{POST "Transfer-Encoding: gzip\r\n\r\n", HTTP_BAD_CODING, "gzip alone"},
	{POST "Transfer-Encoding: gzip, chunked\r\n\r\n", HTTP_BAD_CODING, "gzip, chunked"},
	{POST "Transfer-Encoding: chunked, chunked\r\n\r\n", HTTP_BAD_CODING, "chunked in chunked"},
	{POST "Transfer-Encoding: chunked,\r\n\r\n", HTTP_BAD_CODING, "a trailing comma"},
	{POST "Transfer-Encoding: chunked;q=1\r\n\r\n", HTTP_BAD_CODING, "a parameter"},
	{POST "Transfer-Encoding: xchunked\r\n\r\n", HTTP_BAD_CODING, "xchunked"},
	{POST "Transfer-Encoding: \"chunked\"\r\n\r\n", HTTP_BAD_CODING, "quoted"},
	{POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD_CODING,
	 "twice"},
	{"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", HTTP_BAD_CODING,
	 "chunked in HTTP/1.0"},
	{POST "Expect: 200-ok\r\n\r\n", HTTP_BAD_EXPECT, "another expectation"},
	{POST "Expect:\r\n\r\n", HTTP_BAD_EXPECT, "an empty expectation"},
	{POST "Expect: 100-continue, x\r\n\r\n", HTTP_BAD_EXPECT, "one more expectation"},
	{POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", HTTP_BAD_EXPECT, "twice"},
	{POST "Connection: close, Host\r\n\r\n", HTTP_BAD_CONNECTION, "nominates Host"},
	{POST "Connection: content-LENGTH\r\n\r\n", HTTP_BAD_CONNECTION, "nominates the length"},
	{POST "Connection: transfer-encoding\r\n\r\n", HTTP_BAD_CONNECTION, "nominates the coding"},
	{POST "Connection: authorization\r\n\r\n", HTTP_BAD_CONNECTION, "nominates Authorization"},
	{POST "Connection: a b\r\n\r\n", HTTP_BAD_CONNECTION, "no token"},
	{POST "Connection: \"close\"\r\n\r\n", HTTP_BAD_CONNECTION, "quoted"},
};

/* Each is refused whole, byte by byte with the same fault, and never accepted on the way. */
static void
refuses(void **state)
{
	static struct http_request r;

	(void)state;
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		const struct bad *b = &bads[i];
		size_t len = strlen(b->head), seen = 0;
		long got = http_head_parse(&r, b->head, len, &seen, MAX);

		if (got != -(long)b->fault)
			fail_msg("%s: %ld, not %d", b->why, got, -(int)b->fault);
		seen = 0;
		got = 0;
		for (size_t n = 0; n <= len && got == 0; n++)
			got = http_head_parse(&r, b->head, n, &seen, MAX);
		if (got != -(long)b->fault)
			fail_msg("%s, dripping: %ld, not %d", b->why, got, -(int)b->fault);
		assert_true(strlen(http_fault_text(b->fault)) > 10);
	}
}

/* NUL cannot stand in the table above. */
static void
refuses_nul(void **state)
{
	static const struct {
		struct span head;
		enum http_fault fault;
	} rows[] = {
		{{"\0", 1}, HTTP_BAD_METHOD},
		{{"GET /\0", 6}, HTTP_BAD_TARGET},
		{{GET "A\0", sizeof(GET) + 1}, HTTP_BAD_FIELD_NAME},
		{{GET "A:\0", sizeof(GET) + 2}, HTTP_BAD_FIELD_VALUE},
	};
	static struct http_request r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t seen = 0;

		assert_int_equal(
			http_head_parse(&r, rows[i].head.ptr, rows[i].head.len, &seen, MAX),
			-(long)rows[i].fault);
	}
}

struct good {
	const char *head;
	const char *path;
	const char *query; /* NULL: none */
	enum http_framing framing;
	uint64_t length;
	bool keep_alive;
	bool expect;
	size_t nfields;
	const char *why;
};

static const struct good goods[] = {
	{GET HOST "\r\n", "/", NULL, HTTP_NO_BODY, 0, true, false, 1, "the least"},
	{"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:7717\r\n"
	 "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nAccept: application/json\r\n"
	 "Content-Type: application/json\r\nUser-Agent: OpenAI/Python 2.54.0\r\n"
	 "X-Stainless-Lang: python\r\nAuthorization: Bearer x\r\nContent-Length: 1200\r\n\r\n",
	 "/v1/chat/completions", NULL, HTTP_LENGTH, 1200, true, false, 9, "openai Python"},
	{"GET /openai/models?api-version=1&a=%20 HTTP/1.1\r\n" HOST "\r\n", "/openai/models",
	 "api-version=1&a=%20", HTTP_NO_BODY, 0, true, false, 1, "a query"},
	{"GET /? HTTP/1.1\r\n" HOST "\r\n", "/", "", HTTP_NO_BODY, 0, true, false, 1,
	 "an empty query"},
	{"GET /?a?b HTTP/1.1\r\n" HOST "\r\n", "/", "a?b", HTTP_NO_BODY, 0, true, false, 1,
	 "a question mark in the query"},
	{POST "Transfer-Encoding: Chunked\r\n\r\n", "/", NULL, HTTP_CHUNKED, 0, true, false, 2,
	 "chunked, in any case"},
	{POST "Content-Length: 0\r\n\r\n", "/", NULL, HTTP_LENGTH, 0, true, false, 2, "length 0"},
	{POST "Content-Length: 9223372036854775807\r\n\r\n", "/", NULL, HTTP_LENGTH, INT64_MAX,
	 true, false, 2, "2^63 - 1"},
	{POST "Content-Length:\t 7 \t\r\n\r\n", "/", NULL, HTTP_LENGTH, 7, true, false, 2,
	 "blanks around a value"},
	{POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", "/", NULL, HTTP_LENGTH, 1, true,
	 true, 3, "100-continue"},
	{GET HOST "Connection: x-a, close\r\n\r\n", "/", NULL, HTTP_NO_BODY, 0, false, false, 2,
	 "close"},
	{GET HOST "Connection: ,close,\r\n\r\n", "/", NULL, HTTP_NO_BODY, 0, false, false, 2,
	 "empty list elements"},
	{GET HOST "Connection: keep-alive\r\nConnection: Close\r\n\r\n", "/", NULL, HTTP_NO_BODY, 0,
	 false, false, 3, "close wins"},
	{"GET / HTTP/1.0\r\n" HOST "\r\n", "/", NULL, HTTP_NO_BODY, 0, false, false, 1, "1.0"},
	{"GET / HTTP/1.0\r\n" HOST "Connection: Keep-Alive\r\n\r\n", "/", NULL, HTTP_NO_BODY, 0,
	 true, false, 2, "1.0, kept alive"},
	{"POST / HTTP/1.0\r\n" HOST "Expect: 100-continue\r\n\r\n", "/", NULL, HTTP_NO_BODY, 0,
	 false, false, 2, "1.0 cannot be told to continue"},
	{GET "Host: [::1]:7717\r\nA: \xff\xe9 b\tc\r\nB:\r\n\r\n", "/", NULL, HTTP_NO_BODY, 0, true,
	 false, 3, "obs-text and an empty value"},
	{"POST /bedrock/model/a%3A0/converse HTTP/1.1\r\n" HOST "\r\n",
	 "/bedrock/model/a%3A0/converse", NULL, HTTP_NO_BODY, 0, true, false, 1, "bytes as sent"},
};

static void
check(const struct good *g, const struct http_request *r)
{
	if (!span_is(r->path, g->path) || r->has_query != (g->query != NULL) ||
	    !span_eq(r->query, span_of(g->query)) || r->framing != g->framing ||
	    r->length != g->length || r->keep_alive != g->keep_alive ||
	    r->expect_continue != g->expect || r->nfields != g->nfields)
		fail_msg("%s", g->why);
	assert_true(r->host.len > 0);
}

/* Whole, byte by byte, and at every split, with bytes of a body behind the head. */
static void
accepts(void **state)
{
	static struct http_request r;
	char text[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
		size_t len = strlen(goods[i].head), seen = 0, n;
		long got = 0;

		memcpy(text, goods[i].head, len);
		memcpy(text + len, "\r\n{}\n", 5);
		for (n = 1; got == 0; n++)
			got = http_head_parse(&r, text, n, &seen, MAX);
		assert_int_equal(n - 1, len);
		assert_int_equal(got, len);
		check(&goods[i], &r);
		for (n = 0; n < len; n++) {
			memset(&r, 0x5a, sizeof(r));
			seen = 0;
			assert_int_equal(http_head_parse(&r, text, n, &seen, MAX), 0);
			assert_true(seen <= n);
			assert_int_equal(http_head_parse(&r, text, len + 5, &seen, MAX), len);
			check(&goods[i], &r);
		}
	}
}

static void
bounds(void **state)
{
	static char big[MAX + 1];
	static struct http_request r;
	size_t seen = 0, n;

	(void)state;
	n = strlen(GET HOST "\r\n");
	assert_int_equal(http_head_parse(&r, GET HOST "\r\n", n, &seen, n), n);
	seen = 0;
	assert_int_equal(http_head_parse(&r, GET HOST "\r\n", n, &seen, n - 1),
			 -HTTP_HEAD_TOO_LARGE);
	seen = 0;
	memset(big, 'a', sizeof(big));
	memcpy(big, "GET /", 5);
	assert_int_equal(http_head_parse(&r, big, HTTP_LINE_MAX, &seen, MAX), 0);
	assert_int_equal(http_head_parse(&r, big, MAX, &seen, MAX), -HTTP_HEAD_TOO_LARGE);
	seen = 0;
	memset(big, 'a', sizeof(big));
	memcpy(big, GET, sizeof(GET) - 1);
	assert_int_equal(http_head_parse(&r, big, 1000, &seen, MAX), -HTTP_BAD_FIELD_NAME);
	seen = 0;
	big[sizeof(GET) + 1] = ':';
	assert_int_equal(http_head_parse(&r, big, MAX - 1, &seen, MAX), 0);
	assert_int_equal(seen, MAX - 1);
	assert_int_equal(http_head_parse(&r, big, MAX, &seen, MAX), -HTTP_HEAD_TOO_LARGE);
	for (size_t fields = 127; fields <= 128; fields++) {
		n = strlen(strcpy(big, GET HOST));
		for (size_t i = 0; i < fields; i++, n += 5)
			memcpy(big + n, "a:b\r\n", 5);
		memcpy(big + n, "\r\n", 2);
		seen = 0;
		assert_int_equal(http_head_parse(&r, big, n + 2, &seen, MAX),
				 fields == 127 ? (long)n + 2 : -HTTP_TOO_MANY_FIELDS);
	}
}

/* Every element is held against every field: commas in the rest of a head were 50 ms of work. */
static void
bounds_connection(void **state)
{
	static char head[2 * HTTP_CONNECTION_MAX];
	static char commas[HTTP_CONNECTION_MAX + 2];
	static struct http_request r;

	(void)state;
	memset(commas, ',', sizeof(commas) - 1);
	for (int more = 0; more <= 1; more++) {
		size_t seen = 0;
		int n = snprintf(head, sizeof(head),
				 POST "Connection: close\r\nconnection: %.*s\r\n\r\n",
				 HTTP_CONNECTION_MAX - 5 + more, commas);

		assert_int_equal(http_head_parse(&r, head, (size_t)n, &seen, MAX),
				 more ? -HTTP_BAD_CONNECTION : n);
	}
}

static void
finds(void **state)
{
	static const char head[] = GET HOST "A: 1\r\na: 2\r\nConnection: x-B, close\r\n"
					    "connection: c\r\nUpgrade: websocket\r\n\r\n";
	static struct http_request r;
	struct span list = SPAN("a ,, b"), element;
	size_t seen = 0;

	(void)state;
	assert_int_equal(http_head_parse(&r, head, sizeof(head) - 1, &seen, MAX), sizeof(head) - 1);
	assert_true(span_is(r.method, "GET") && span_is(r.target, "/") && r.upgrade && !r.http10);
	assert_true(span_is(http_find(&r, "A")->value, "1"));
	assert_true(span_is(http_find(&r, "a")->name, "A"));
	assert_null(http_find(&r, "b"));
	assert_int_equal(http_count(&r, "A"), 2);
	assert_int_equal(http_count(&r, "b"), 0);
	assert_true(http_is_nominated(r.fields, r.nfields, SPAN("X-b")));
	assert_true(http_is_nominated(r.fields, r.nfields, SPAN("C")));
	assert_false(http_is_nominated(r.fields, r.nfields, SPAN("x")));
	assert_true(http_list_next(&list, &element) && span_is(element, "a"));
	assert_true(http_list_next(&list, &element) && element.len == 0);
	assert_true(http_list_next(&list, &element) && span_is(element, "b"));
	assert_false(http_list_next(&list, &element));
	assert_string_equal(http_fault_text((enum http_fault)1000), "The request is malformed.");
}

static void
lines(void **state)
{
	static const struct {
		const char *head;
		const char *method, *path; /* NULL: nothing can be told */
		const char *why;
	} rows[] = {
		{"POST /v1/messages?a=b HTTP/1.1\r\n", "POST", "/v1/messages", "nothing behind it"},
		{"HEAD / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "HEAD", "/", "two Hosts"},
		{"GET /a HTTP/1.1\r\n folded", "GET", "/a", "a line that begins with a blank"},
		{"GET /a HTTP/1.1\r", "GET", "/a", "its end is still to come"},
		{"GET /a HTT", "GET", "/a", "its version, too"},
		{"GET /a ", "GET", "/a", "all of its version"},
		{"GET /v1/mess", "GET", "/v1/", "the rest of its path: whole segments alone"},
		{"GET /model", "GET", "/", "perhaps /models"},
		{"GET /v1/messages?a=/", "GET", "/v1/messages", "the rest of its query"},
		{"GET", NULL, NULL, "its target"},
		{"GET ", NULL, NULL, "all of its target"},
		{"GET /a HTTP/2.0\r\n\r\n", NULL, NULL, "another version"},
		{"GET http://a/b/c?d HTTP/1.1\r\n\r\n", "GET", "/b/c", "absolute-form"},
		{"GET http://a/b/c", "GET", "/b/", "absolute-form, cut"},
		{"GET http://a?b=/c HTTP/1.1\r\n", "GET", "", "without a path"},
		{"GET http://a/b HTTP/3.0\r\n", NULL, NULL, "absolute-form, another version"},
		{"CONNECT a:443 HTTP/1.1\r\n", NULL, NULL, "authority-form"},
		{"OPTIONS * HTTP/1.1\r\n", NULL, NULL, "asterisk-form"},
		{"GET a/b://c/d HTTP/1.1\r\n", NULL, NULL, "no scheme"},
		{"GET ://a/b HTTP/1.1\r\n", NULL, NULL, "an empty one"},
		{"GET http:/a/b HTTP/1.1\r\n", NULL, NULL, "no authority"},
		{"PRI * HTTP/2.0\r\n\r\n", NULL, NULL, "the preface of HTTP/2"},
		{"GET /a\r\n\r\n", NULL, NULL, "no version"},
		{"\r\n", NULL, NULL, "empty"},
		{"", NULL, NULL, "nothing"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request r = {.length = 7};
		bool told = http_head_line(&r, rows[i].head, strlen(rows[i].head));

		if (told != (rows[i].path != NULL))
			fail_msg("%s", rows[i].why);
		if (told && !(span_is(r.method, rows[i].method) && span_is(r.path, rows[i].path)))
			fail_msg("%s: %.*s", rows[i].why, (int)r.path.len, r.path.ptr);
		if (!told)
			assert_int_equal(r.length, 7);
	}
}

/* Where a head that is refused for its size begins, is known. */
static void
long_lines(void **state)
{
	static char head[3 * HTTP_LINE_MAX];
	static const char begin[] = "POST /model/a", end[] = " HTTP/1.1\r\n";
	static struct http_request r;
	size_t seen = 0;

	(void)state;
	memset(head, 'x', sizeof(head));
	memcpy(head, begin, sizeof(begin) - 1);
	assert_int_equal(http_head_parse(&r, head, sizeof(head), &seen, sizeof(head)),
			 -HTTP_HEAD_TOO_LARGE);
	assert_true(http_head_line(&r, head, sizeof(head)));
	assert_true(span_is(r.method, "POST") && span_is(r.path, "/model/"));
	/* Its end is there, beyond what a line may have. */
	memcpy(head + 2 * HTTP_LINE_MAX, end, sizeof(end) - 1);
	assert_true(http_head_line(&r, head, sizeof(head)));
	assert_int_equal(r.path.len, 2 * HTTP_LINE_MAX - strlen("POST "));
	assert_true(span_starts(r.path, SPAN("/model/")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_nul),
		cmocka_unit_test(accepts),
		cmocka_unit_test(bounds),
		cmocka_unit_test(bounds_connection),
		cmocka_unit_test(finds),
		cmocka_unit_test(lines),
		cmocka_unit_test(long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
