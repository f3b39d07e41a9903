/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/refusal.h"

#include "aws/error.h"
#include "base/date.h"
#include "base/json.h"
#include "egress/throttle.h"

/* A head with its body goes to ingress in one go, which must fit below serve.c's high mark. */
enum { HEAD_BYTES_MAX = 32 * 1024 };

static bool
is_access_login(struct span location)
{
	return span_has(location, SPAN(".cloudflareaccess.com/")) ||
	       span_has(location, SPAN("/cdn-cgi/access/"));
}

struct judgement
refusal_judge(const struct frame_head *head, bool access)
{
	struct span type = http_value(head->fields, head->nfields, "content-type");
	bool html = span_istarts(type, SPAN("text/html")) ||
		    span_istarts(type, SPAN("application/xhtml"));
	struct judgement j = {REFUSAL_NONE, html ? VERDICT_UPSTREAM_INVALID : VERDICT_OK};

	if (head->status >= 300 && head->status < 400) {
		if (!is_access_login(http_value(head->fields, head->nfields, "location")))
			return (struct judgement){REFUSAL_NONE, VERDICT_UPSTREAM_REDIRECT};
		return (struct judgement){REFUSAL_ACCESS, VERDICT_ACCESS_DENIED_BY_GATEWAY};
	}
	if (head->status != 401 && head->status != 403)
		return j;
	if (html && access)
		return (struct judgement){REFUSAL_ACCESS, VERDICT_ACCESS_DENIED_BY_GATEWAY};
	if (html && http_value(head->fields, head->nfields, "cf-ray").len > 0)
		j.verdict = VERDICT_ACCESS_DENIED_BY_GATEWAY; /* of a target without the pair */
	j.refusal = head->status == 401 ? REFUSAL_UNAUTHORIZED : REFUSAL_FORBIDDEN;
	return j;
}

/* Whether error.type of the body ends in type. */
static bool
is_of_type(struct span body, struct span type)
{
	struct json *doc = json_doc_parse(body);
	struct span said;
	bool is =
		json_doc_string(json_doc_get(doc, "error"), "type", &said) && span_ends(said, type);

	json_doc_free(doc);
	return is;
}

bool
refusal_is_model(struct span body)
{
	return is_of_type(body, SPAN("_model_access_denied"));
}

bool
refusal_may_be_budget(const struct frame_head *head)
{
	return (head->status == 400 || head->status == 429) &&
	       span_istarts(http_value(head->fields, head->nfields, "content-type"),
			    SPAN("application/json"));
}

bool
refusal_is_budget(struct span body)
{
	return is_of_type(body, SPAN("budget_exceeded"));
}

void
refusal_say_retry(struct frame_head *head, bool retry, struct http_field to[static HTTP_FIELDS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < head->nfields && n < HTTP_FIELDS_MAX - 1; i++)
		if (!span_iis(head->fields[i].name, "x-should-retry"))
			to[n++] = head->fields[i];
	to[n++] = (struct http_field){SPAN("x-should-retry"), span_of(retry ? "true" : "false")};
	head->fields = to;
	head->nfields = n;
}

int
held_head(struct held *h, struct judgement as, const struct frame_head *head)
{
	buf_init(&h->head, HEAD_BYTES_MAX);
	buf_init(&h->body, FRAME_BODY_MAX);
	if (pack_write(&frame_head_type, head, &h->head) != 0) {
		held_free(h);
		return -1;
	}
	h->as = as;
	return 0;
}

int
held_body(struct held *h, struct span piece)
{
	return buf_add_span(&h->body, piece);
}

int
held_take(const struct held *h, struct pool *room, struct frame_head *head)
{
	return pack_read(&frame_head_type, buf_span(&h->head), room, head);
}

static bool
is_of_keys(const struct aws_error *e)
{
	return e->class == AWS_ERROR_CREDENTIALS || e->class == AWS_ERROR_CLOCK;
}

bool
refusal_names_signature(const struct frame_head *head)
{
	struct span type = http_value(head->fields, head->nfields, "x-amzn-errortype");
	struct aws_error e;

	if (head->status != 400 || type.len == 0)
		return false;
	aws_error_read_rest(head->status, type, (struct span){NULL, 0}, &e);
	return is_of_keys(&e);
}

/*
 * The same of an answer in OpenAI's form, as bedrock-mantle gives it: by error.code or error.type;
 * and a 401 is about nothing else.
 */
static bool
says_keys(unsigned status, struct span body)
{
	static const char *const members[] = {"code", "type"};
	struct json *doc = json_doc_parse(body);
	const struct json *error = json_doc_get(doc, "error");
	bool is = error != NULL && status == 401;
	struct aws_error e;
	struct span said;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]) && !is; i++) {
		if (!json_doc_string(error, members[i], &said))
			continue;
		aws_error_set(status, said, (struct span){NULL, 0}, &e);
		is = is_of_keys(&e);
	}
	json_doc_free(doc);
	return is;
}

bool
refusal_is_of_signature(const struct held *h, uint64_t *date_s)
{
	_Alignas(max_align_t) char space[FRAME_ROOM];
	struct frame_head head;
	struct aws_error e;
	struct pool room;

	pool_over(&room, space, sizeof(space));
	if (held_take(h, &room, &head) != 0)
		return false;
	(void)date_from_http(http_value(head.fields, head.nfields, "date"), date_s);
	aws_error_read_rest(head.status, http_value(head.fields, head.nfields, "x-amzn-errortype"),
			    buf_span(&h->body), &e);
	return is_of_keys(&e) || (e.type[0] == '\0' && says_keys(head.status, buf_span(&h->body)));
}

bool
held_is_throttle(const struct held *h, bool aws)
{
	_Alignas(max_align_t) char space[FRAME_ROOM];
	struct frame_head head;
	enum throttle by_head;
	struct pool room;

	pool_over(&room, space, sizeof(space));
	if (held_take(h, &room, &head) != 0)
		return false;
	by_head = throttle_by_head(&head, aws);
	if (by_head == THROTTLE_MAYBE)
		return throttle_by_body(&head, aws, buf_span(&h->body));
	return by_head == THROTTLE_YES;
}

void
held_free(struct held *h)
{
	buf_free(&h->head);
	buf_free(&h->body);
	*h = (struct held){0};
}
