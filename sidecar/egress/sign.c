/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "egress/sign.h"

#include "base/date.h"

enum { SIGNED_MAX = 64, AUTHORIZATION_MAX = 8 * 1024, DATE_LEN = 16 };

static const struct span token_name = {"X-Amz-Security-Token: ", 22};

struct secret *
sign_token_line(struct span token)
{
	struct secret *line = secret_room(token_name.len + token.len);
	char *at;

	if (line == NULL)
		return NULL;
	at = secret_bytes(line);
	memcpy(at, token_name.ptr, token_name.len);
	memcpy(at + token_name.len, token.ptr, token.len);
	at[token_name.len + token.len] = '\0';
	return line;
}

struct span
sign_token(const struct signer *s)
{
	struct span line = secret_span(s->token_line);

	return span_cut(line, token_name.len, line.len);
}

/* All of AWS's own are due; a hop may change any other (aws.md 5.1, rule 3). */
static bool
is_signed(struct span name)
{
	return span_iis(name, "host") || span_iis(name, "content-type") ||
	       span_istarts(name, SPAN("x-amz-")) || span_istarts(name, SPAN("x-amzn-bedrock-"));
}

static size_t
pick_headers(const char *const *lines, size_t nlines, struct sigv4_header *out)
{
	size_t n = 0;

	for (size_t i = 0; i < nlines && n < SIGNED_MAX; i++) {
		struct span line = span_of(lines[i]);
		size_t colon = span_find(line, 0, ':');
		struct span name = span_cut(line, 0, colon);

		/* A line that ends in its colon takes a field out (inject.c); it is not sent. */
		if (colon + 1 < line.len && is_signed(name))
			out[n++] = (struct sigv4_header){
				name, span_trim(span_cut(line, colon + 1, line.len))};
	}
	return n;
}

int
sign_build(struct sign *out, const struct signer *s, struct span method, struct span target,
	   const char *const *lines, size_t nlines, struct span body, uint64_t now_s)
{
	struct sigv4_header headers[SIGNED_MAX + 2];
	char date[DATE_LEN + 1], hash[SIGV4_HEX_LEN + 1];
	size_t n = pick_headers(lines, nlines, headers), mark = span_find(target, 0, '?');
	struct sigv4_request r = {.method = method,
				  .path = span_cut(target, 0, mark),
				  .query = span_cut(target, mark + 1, target.len),
				  .headers = headers,
				  .payload_hash = {hash, SIGV4_HEX_LEN}};
	struct sigv4_scope scope = {span_of(s->key_id), s->region, s->service, {date, DATE_LEN}};
	struct buf b;
	int bad;

	*out = (struct sign){.signer = s};
	date_to_basic(now_s, date);
	if (memcmp(date, s->day, 8) != 0 || n == SIGNED_MAX)
		return -1;
	headers[n++] = (struct sigv4_header){SPAN("x-amz-date"), {date, DATE_LEN}};
	if (s->token_line != NULL)
		headers[n++] = (struct sigv4_header){SPAN("x-amz-security-token"), sign_token(s)};
	r.nheaders = n;
	buf_init(&b, AUTHORIZATION_MAX);
	bad = sigv4_hash(body, hash) | buf_add_str(&b, "Authorization: ") |
	      sigv4_authorization(&r, &scope, (const unsigned char *)secret_span(s->key).ptr, &b) |
	      buf_add_char(&b, '\0');
	if (bad == 0)
		out->authorization = strdup(b.ptr);
	buf_free(&b);
	snprintf(out->date, sizeof(out->date), "X-Amz-Date: %s", date);
	return out->authorization == NULL ? -1 : 0;
}

size_t
sign_lines(const struct sign *s, const char *lines[static SIGN_LINES])
{
	size_t n = 0;

	lines[n++] = s->date;
	lines[n++] = s->authorization;
	if (s->signer->token_line != NULL)
		lines[n++] = secret_span(s->signer->token_line).ptr;
	return n;
}

void
sign_free(struct sign *s)
{
	free(s->authorization); /* what everybody on the way sees: not a secret */
	s->authorization = NULL;
}

void
signer_free(struct signer *s)
{
	secret_free(s->key);
	secret_free(s->token_line);
	s->key = s->token_line = NULL;
}
