/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/reply.h"

#include "http/head.h"
#include "policy/access/headers.h"

enum { BODY_MAX = 4096 };

/* HEAD is told its length (RFC 9110 section 9.3.2), but takes bytes of it for the next answer. */
static int
add_body(struct buf *out, struct span body, bool is_head)
{
	return is_head ? 0 : buf_add_span(out, body);
}

static int
add_status(struct buf *out, unsigned status)
{
	int bad = buf_add_str(out, "HTTP/1.1 ");

	bad |= buf_add_dec(out, status);
	bad |= buf_add_char(out, ' ');
	bad |= buf_add_str(out, verdict_reason(status));
	return bad | buf_add_str(out, "\r\n");
}

unsigned
reply_error(struct buf *out, const struct reply *r)
{
	const struct verdict_row *row = verdict_row(r->verdict);
	size_t before = out->len;
	struct buf body;
	unsigned status = row->status;
	int bad;

	buf_init(&body, BODY_MAX);
	bad = verdict_body(r->verdict, r->dialect, r->why, r->request_id, &body, &status);
	bad |= add_status(out, status);
	bad |= buf_addf(out,
			"Content-Type: application/json\r\nContent-Length: %zu\r\n"
			"x-sidekey-error: %s\r\nx-sidekey-request-id: %.*s\r\n"
			"x-should-retry: %s\r\n",
			body.len, row->code, (int)r->request_id.len, r->request_id.ptr,
			row->retry ? "true" : "false");
	if (row->retry)
		bad |= buf_addf(out, "Retry-After: %u\r\n",
				r->retry_seconds > 0 ? r->retry_seconds : 1);
	if (r->dialect == DIALECT_BEDROCK)
		bad |= buf_addf(out, "x-amzn-ErrorType: %s\r\n", verdict_aws_type(r->verdict));
	if (status == 426)
		bad |= buf_add_str(out, "Upgrade: HTTP/1.1\r\n");
	bad |= buf_add_str(out, r->close ? "Connection: close\r\n\r\n" : "\r\n");
	bad |= add_body(out, buf_span(&body), r->is_head);
	buf_free(&body);
	if (bad == 0)
		return status;
	buf_keep(out, before);
	return 0;
}

int
reply_plain(struct buf *out, const struct reply_page *page, struct span body, bool close)
{
	int bad = add_status(out, page->status);

	bad |= buf_addf(
		out,
		"Content-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n%s%s\r\n",
		page->type, body.len, page->fields, close ? "Connection: close\r\n" : "");
	return bad | add_body(out, body, page->is_head);
}

static enum reply_framing
framing_of(const struct frame_head *head, unsigned minor)
{
	if (head->status == 204 || head->status == 304)
		return REPLY_EMPTY;
	if (head->has_length)
		return REPLY_LENGTH;
	return minor >= 1 ? REPLY_CHUNKED : REPLY_UNTIL_CLOSE;
}

static int
add_field(struct buf *out, struct span name, struct span value)
{
	int bad = buf_add_span(out, name);

	bad |= buf_add_str(out, ": ");
	bad |= buf_add_span(out, value);
	return bad | buf_add_str(out, "\r\n");
}

int
reply_head(struct buf *out, const struct frame_head *head, unsigned minor, struct span request_id,
	   bool *close, enum reply_framing *framing)
{
	int bad = add_status(out, head->status);

	*framing = framing_of(head, minor);
	*close |= *framing == REPLY_UNTIL_CLOSE;
	for (size_t i = 0; i < head->nfields; i++) {
		if (!header_response_passes(head->fields[i].name) ||
		    http_is_nominated(head->fields, head->nfields, head->fields[i].name))
			continue;
		bad |= add_field(out, head->fields[i].name, head->fields[i].value);
	}
	if (*framing == REPLY_LENGTH) {
		bad |= buf_add_str(out, "Content-Length: ");
		bad |= buf_add_dec(out, head->length);
		bad |= buf_add_str(out, "\r\n");
	} else if (*framing == REPLY_CHUNKED) {
		bad |= buf_add_str(out, "Transfer-Encoding: chunked\r\n");
	}
	bad |= add_field(out, SPAN("x-sidekey-request-id"), request_id);
	if (*close)
		bad |= buf_add_str(out, "Connection: close\r\n");
	else if (minor == 0)
		bad |= buf_add_str(out, "Connection: keep-alive\r\n");
	return bad | buf_add_str(out, "\r\n");
}
