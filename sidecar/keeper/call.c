/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "keeper/call.h"

#include "aws/sigv4.h"
#include "base/auto.h"
#include "base/date.h"

enum { LINES_MAX = 64 * 1024, HOST_MAX = 512, HEADERS = 5 };

/* The Host field, which is signed: the port only when it is not the usual one. */
static void
host_field(const struct plan_endpoint *at, struct buf *out)
{
	bool usual = at->port == (at->https ? 443 : 80);
	bool v6 = span_find(at->host, 0, ':') < at->host.len;

	(void)buf_addf(out, v6 ? "[%.*s]" : "%.*s", (int)at->host.len, at->host.ptr);
	if (!usual)
		(void)buf_addf(out, ":%u", (unsigned)at->port);
}

static int
add_line(struct buf *out, struct span name, struct span value)
{
	return buf_add_span(out, name) | buf_add_str(out, ": ") | buf_add_span(out, value) |
	       buf_add_char(out, '\0');
}

static int
add_authorization(const struct call *c, const struct sigv4_header *headers, size_t n,
		  struct span amz_date, struct buf *out)
{
	unsigned char key[SIGV4_KEY_LEN];
	char hash[SIGV4_HEX_LEN + 1];
	struct sigv4_request r = {.method = SPAN("POST"),
				  .path = span_of(c->path),
				  .query = SPAN(""),
				  .headers = headers,
				  .nheaders = n,
				  .payload_hash = {hash, SIGV4_HEX_LEN}};
	struct sigv4_scope scope = {c->keys.key_id, c->region, c->service, amz_date};
	int bad = sigv4_hash(c->body, hash) | sigv4_key(c->keys.secret, &scope, key);

	bad |= buf_add_str(out, "Authorization: ") | sigv4_authorization(&r, &scope, key, out) |
	       buf_add_char(out, '\0');
	explicit_bzero(key, sizeof(key));
	return bad;
}

/* The header lines, a NUL behind each, in a buffer that is wiped. 0 or -1. */
static int
add_lines(const struct call *c, struct span host, struct buf *out)
{
	struct sigv4_header headers[HEADERS];
	char date[17];
	size_t n = 0;
	int bad = 0;

	date_to_basic(c->now_s, date);
	headers[n++] = (struct sigv4_header){SPAN("content-type"), span_of(c->content_type)};
	headers[n++] = (struct sigv4_header){SPAN("host"), host};
	if (c->keys.key_id.len > 0)
		headers[n++] = (struct sigv4_header){SPAN("x-amz-date"), {date, 16}};
	if (c->target != NULL)
		headers[n++] = (struct sigv4_header){SPAN("x-amz-target"), span_of(c->target)};
	if (c->keys.token.len > 0)
		headers[n++] = (struct sigv4_header){SPAN("x-amz-security-token"), c->keys.token};
	if (c->keys.key_id.len > 0)
		bad = add_authorization(c, headers, n, (struct span){date, 16}, out);
	for (size_t i = 0; i < n; i++)
		bad |= add_line(out, headers[i].name, headers[i].value);
	return bad;
}

int
call_start(struct fetcher *f, const struct call *c, fetch_fn *done, void *arg)
{
	struct fetch_request r = {.https = c->at->https,
				  .host = c->at->host,
				  .port = c->at->port,
				  .addresses = c->addresses,
				  .naddresses = c->naddresses,
				  .path = c->path,
				  .timeout_ms = c->timeout_ms,
				  .body = c->body};
	auto_buf struct buf lines = {0}, host = {0};

	buf_init(&lines, LINES_MAX);
	buf_init(&host, HOST_MAX);
	host_field(c->at, &host);
	if (add_lines(c, buf_span(&host), &lines) != 0)
		return -1;
	for (size_t at = 0; at < lines.len; at += strlen(lines.ptr + at) + 1)
		r.lines[r.nlines++] = lines.ptr + at;
	return fetch_start(f, &r, done, arg);
}
