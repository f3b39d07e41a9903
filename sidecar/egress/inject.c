/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "egress/inject.h"

#include "http/grammar.h"
#include "policy/access/headers.h"
#include "policy/access/paths.h"
#include "policy/access/query.h"

enum { TEXT_BYTES_MAX = 256 * 1024, OWN_LINES = 7, MEMBER_MAX = 1024 };

/* Query members by which clients send a key (reference/llm.md 4.3). */
static const char *const credential_members[] = {
	"key",
	"api-key",
	"api_key",
	"access_token",
};

/* ---- the second check ---- */

/* Without deniedFields, which are the business of ingress alone. */
static bool
may_query(const struct frame_call *call)
{
	char name[QUERY_NAME_MAX + 1];

	return !call->has_query || query_check(call->query, NULL, 0, name) == QUERY_OK;
}

static const char *
check_route(const struct egress_target *t, const struct frame_call *call)
{
	const struct route *route;
	bool known;

	if (call->dialect >= DIALECTS || call->operation >= OPERATIONS)
		return "a dialect or operation that does not exist";
	if ((dialects_of(t->provider) >> call->dialect & 1) == 0)
		return "a dialect that the target does not speak";
	if ((t->operations >> call->operation & 1) == 0)
		return "an operation that is not enabled for the target";
	if (!grammar_is_path(call->path, call->dialect == DIALECT_BEDROCK))
		return "a path that is not safe";
	if (call->has_query && !grammar_is_query(call->query))
		return "a query that is not safe";
	if (!may_query(call))
		return "a query member that steers the upstream";
	route = route_find(call->dialect, call->method, call->path, &known);
	if (route == NULL || route->operation != call->operation)
		return "a path that is not the operation's";
	/* An upstream that does not read it may take it for its connection's next call. */
	if (route->body == BODY_NONE && (call->chunked || call->body_len > 0))
		return "a body where none is due";
	if (route->body == BODY_NO_MEMBERS &&
	    (call->chunked || call->body_len > BODY_NO_MEMBERS_MAX))
		return "a body where none is due";
	if (call->streamed && route->body != BODY_FORM && route->body != BODY_FORM_OR_JSON)
		return "a stream where a whole body is due";
	return NULL;
}

static bool
is_body(const struct frame_call *call, uint64_t max)
{
	if (call->streamed && !call->has_body)
		return false;
	if (call->chunked && !call->streamed)
		return false;
	return call->body_len <= (call->has_body && !call->chunked ? max : 0);
}

const char *
inject_check(const struct egress_target *t, const struct frame_call *call, uint64_t body_max,
	     uint64_t upload_max)
{
	const char *wrong = check_route(t, call);

	if (wrong != NULL)
		return wrong;
	if (!is_body(call, call->streamed ? upload_max : body_max))
		return "a body that is too large";
	for (size_t i = 0; i < call->nfields; i++) {
		const struct http_field *f = &call->fields[i];

		if (!grammar_is_token(f->name) || !grammar_is_field_value(f->value) ||
		    !header_request_passes(f->name))
			return "a header field that may not pass";
	}
	return NULL;
}

/* ---- the request target ---- */

/*
 * Whether a member must not pass, by its name as servers read it: unescaped, and without regard
 * to case (Azure's api-version has none).
 */
static bool
is_replaced(const struct egress_target *t, struct span member)
{
	struct span raw = span_cut(member, 0, span_find(member, 0, '=')), name;
	char text[MEMBER_MAX + 1];

	name = (struct span){text, 0};
	if (paths_decode(raw, text, MEMBER_MAX, &name.len) != 0)
		return true; /* ingress lets no such name through */
	/* A signature of the client's own, presigned. */
	if (t->is_signed && span_istarts(name, SPAN("x-amz-")))
		return true;
	for (size_t i = 0; i < sizeof(credential_members) / sizeof(credential_members[0]); i++)
		if (span_iis(name, credential_members[i]))
			return true;
	for (size_t i = 0; i < t->nquery; i++)
		if (span_ieq(name, t->query[i].name))
			return true;
	return false;
}

static void
add_query(struct buf *b, const struct egress_target *t, const struct frame_call *call)
{
	char mark = '?', between = ';'; /* of two members: one '&' parts them for everybody */

	for (size_t at = 0; call->has_query && at < call->query.len;) {
		size_t end = query_member_end(call->query, at);
		struct span member = span_cut(call->query, at, end);

		if (member.len > 0 && !is_replaced(t, member)) {
			(void)buf_add_char(b, mark == '?' ? mark : between);
			(void)buf_add_span(b, member);
			mark = '&';
			between = ';';
		}
		if (end < call->query.len && call->query.ptr[end] == '&')
			between = '&';
		at = end + 1;
	}
	for (size_t i = 0; i < t->nquery; i++) {
		(void)buf_add_char(b, mark);
		(void)buf_add_span(b, t->query[i].name);
		(void)buf_add_char(b, '=');
		(void)buf_add_span(b, t->query[i].value);
		mark = '&';
	}
}

void
inject_target(struct buf *b, const struct egress_target *t, const struct frame_call *call)
{
	(void)paths_join(b, t->base_path, call->path);
	add_query(b, t, call);
}

/* ---- the header lines ---- */

static bool
is_configured(const struct egress_target *t, struct span name)
{
	for (size_t i = 0; i < t->nheaders; i++)
		if (span_ieq(name, t->headers[i].name))
			return true;
	return false;
}

static bool
has_field(const struct frame_call *call, const char *name)
{
	for (size_t i = 0; i < call->nfields; i++)
		if (span_iis(call->fields[i].name, name))
			return true;
	return false;
}

/* Lines are gathered as offsets, since the text may move while it grows. */
struct gather {
	struct buf text;
	size_t *at;
	size_t n;
};

static void
add_line(struct gather *g, struct span name, struct span value)
{
	g->at[g->n++] = g->text.len;
	(void)buf_add_span(&g->text, name);
	/* libcurl's way to send a field without a value is "Name;" */
	(void)buf_add_str(&g->text, value.len > 0 ? ": " : ";");
	(void)buf_add_span(&g->text, value);
	(void)buf_add_char(&g->text, '\0');
}

/* "Name:" takes out a field that libcurl would add by itself. */
static void
add_removal(struct gather *g, const char *line)
{
	g->at[g->n++] = g->text.len;
	(void)buf_add(&g->text, line, strlen(line) + 1);
}

static void
add_lines(struct gather *g, const struct egress_target *t, const struct frame_call *call)
{
	add_line(g, SPAN("Host"), t->authority);
	for (size_t i = 0; i < call->nfields; i++)
		if (!is_configured(t, call->fields[i].name) &&
		    !span_iis(call->fields[i].name, "accept-encoding"))
			add_line(g, call->fields[i].name, call->fields[i].value);
	/* Usage is read from, and secrets are looked for in, bytes that are not compressed. */
	add_line(g, SPAN("Accept-Encoding"), SPAN("identity"));
	add_removal(g,
		    "Expect:"); /* else libcurl waits 1 s for a 100 when the body is over 1 MiB */
	if (call->chunked)
		add_line(g, SPAN("Transfer-Encoding"), SPAN("chunked"));
	/* Anthropic demands one; that of the client's is never changed. */
	if (t->provider == PROVIDER_ANTHROPIC && !has_field(call, "anthropic-version") &&
	    !is_configured(t, SPAN("anthropic-version")))
		add_line(g, SPAN("anthropic-version"), SPAN("2023-06-01"));
	if (!has_field(call, "accept") && !is_configured(t, SPAN("accept")))
		add_removal(g, "Accept:");
	if (!has_field(call, "content-type") && !is_configured(t, SPAN("content-type")))
		add_removal(g, "Content-Type:");
}

/* The secret lines, in place, behind the nown lines of the request's own. */
static void
add_secrets(struct inject *in, size_t nown, struct header_set *secrets)
{
	size_t n = header_set_count(secrets);

	in->lines = reallocarray(in->lines, nown + n + SIGN_LINES, sizeof(*in->lines));
	if (in->lines == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		in->lines[nown + i] = header_set_line(secrets, i);
	in->nlines = nown + n;
	in->secrets = secrets;
}

void
inject_build(struct inject *out, const struct egress_target *t, const struct frame_call *call,
	     struct header_set *secrets)
{
	struct gather g = {.n = 0};

	buf_init(&g.text, TEXT_BYTES_MAX);
	g.at = calloc(call->nfields + OWN_LINES, sizeof(*g.at));
	if (g.at == NULL)
		abort();
	inject_target(&g.text, t, call);
	(void)buf_add_char(&g.text, '\0');
	add_lines(&g, t, call);
	out->text = g.text.ptr; /* ownership passes; never secret, so free(3) will do */
	out->target = out->text;
	out->lines = NULL;
	out->loan = NULL;
	out->nsigned = 0;
	out->sign = (struct sign){0};
	add_secrets(out, g.n, secrets);
	for (size_t i = 0; i < g.n; i++)
		out->lines[i] = out->text + g.at[i];
	free(g.at);
}

void
inject_renew(struct inject *in, struct header_set *secrets)
{
	size_t nown = in->nlines - in->nsigned - header_set_count(in->secrets);

	in->nsigned = 0;
	header_set_release(in->secrets);
	add_secrets(in, nown, secrets);
}

enum verdict
inject_sign(struct inject *in, struct signers *signers, size_t target, struct span method,
	    struct span body)
{
	uint64_t now_s;
	struct signer_loan *loan = signers_lend(signers, target, &now_s);

	in->nlines -= in->nsigned;
	in->nsigned = 0;
	sign_free(&in->sign);
	signers_release(in->loan);
	in->loan = loan;
	if (loan == NULL)
		return VERDICT_CREDENTIAL_UNAVAILABLE;
	if (sign_build(&in->sign, &loan->signer, method, span_of(in->target), in->lines, in->nlines,
		       body, now_s) != 0)
		return VERDICT_MALFORMED_REQUEST;
	in->nsigned = sign_lines(&in->sign, in->lines + in->nlines);
	in->nlines += in->nsigned;
	return VERDICT_OK;
}

static bool
seeks_token(const struct inject *in)
{
	return in->loan != NULL && in->loan->redactor != NULL &&
	       !header_set_has_secret(in->secrets);
}

const struct redactor *
inject_redactor(const struct inject *in)
{
	return seeks_token(in) ? in->loan->redactor : header_set_redactor(in->secrets);
}

uint16_t
inject_redacted(const struct inject *in, size_t i)
{
	return seeks_token(in) ? PLAN_NONE : header_set_slot(in->secrets, i);
}

void
inject_free(struct inject *in)
{
	sign_free(&in->sign);
	signers_release(in->loan);
	header_set_release(in->secrets);
	free(in->lines);
	free(in->text);
	*in = (struct inject){0};
}
