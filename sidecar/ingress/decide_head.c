/* SPDX-License-Identifier: Apache-2.0 */
/* What the head of a request alone decides: who sends it, who calls, and what for. */
#include "ingress/decide_parts.h"

#include "base/ip.h"
#include "http/grammar.h"
#include "ingress/scan.h"
#include "policy/access/query.h"

/* ---- the listener's own names and browsers ---- */

static bool
is_ip_literal(struct span host)
{
	unsigned char bytes[16];

	if (host.len > 2 && host.ptr[0] == '[')
		host = span_cut(host, 1, host.len - 1);
	return ip_parse(host, bytes) != 0;
}

/*
 * A page that has rebound its name to 127.0.0.1 is same-origin and may send no Origin:
 * Host is the one field that names the attacker (reference/security.md 3.6).
 */
static bool
host_is_ours(const struct ingress_listener *l, struct span host)
{
	struct span name;
	unsigned port;

	if (!grammar_split_host(host, &name, &port))
		return false;
	if (l->is_unix)
		return true;
	for (size_t i = 0; i < l->nhosts; i++)
		if (span_ieq(host, l->hosts[i].text))
			return true;
	return l->any_ip_host && is_ip_literal(name);
}

static bool
is_browser(const struct http_request *r)
{
	const struct http_field *site = http_find(r, "sec-fetch-site");

	if (http_find(r, "origin") != NULL)
		return true;
	return site != NULL && !span_iis(site->value, "none") &&
	       !span_iis(site->value, "same-origin");
}

static bool
asks_for_websocket(const struct http_request *r)
{
	const struct http_field *f = r->upgrade ? http_find(r, "upgrade") : NULL;

	return f != NULL && span_istarts(f->value, SPAN("websocket"));
}

static enum verdict
check_sender(const struct ingress_listener *l, const struct http_request *r, struct decision *d)
{
	if (!host_is_ours(l, r->host))
		return decide_refuse(
			d, VERDICT_HOST_NOT_ALLOWED,
			"The Host header names neither this listener (%.*s) nor an entry of "
			"`hosts`; call it by its own address or add the name to `hosts`.",
			(int)l->name.len, l->name.ptr);
	if (is_browser(r))
		return decide_refuse(
			d, VERDICT_BROWSER_REFUSED,
			"This request was sent by a browser page (Origin or Sec-Fetch-Site); "
			"sidekey serves programs on this machine only.");
	if (asks_for_websocket(r))
		return decide_refuse(
			d, VERDICT_UPGRADE_REFUSED,
			"WebSocket is not offered here; use the same path with POST, and "
			"\"stream\": true for server-sent events.");
	return VERDICT_OK;
}

static enum verdict
check_caller(const struct ingress *in, const struct http_request *r, struct decision *d)
{
	enum caller_fault fault;

	if (in->plan.ncallers == 0 || d->caller != CALLER_NONE)
		return VERDICT_OK;
	fault = caller_find(in, d->peer, r, &d->caller);
	if (fault == CALLER_OK)
		return VERDICT_OK;
	return decide_refuse(d,
			     fault == CALLER_NOT_YET ? VERDICT_CREDENTIAL_UNAVAILABLE
						     : VERDICT_CALLER_UNAUTHENTICATED,
			     "%s", caller_fault_text(fault));
}

/* ---- the route ---- */

static enum verdict
check_enabled(const struct ingress *in, struct decision *d)
{
	enum operation o = d->route->operation;
	bool possible = false;

	for (size_t i = 0; i < in->plan.ntargets; i++) {
		const struct ingress_target *t = &in->plan.targets[i];

		if ((dialects_of(t->provider) >> d->dialect & 1) == 0)
			continue;
		if ((t->operations >> o & 1) != 0)
			return VERDICT_OK;
		possible |= (operations_possible(t->provider) >> o & 1) != 0;
	}
	return decide_refuse(
		d, VERDICT_OPERATION_NOT_ALLOWED,
		"The operation \"%s\" is not enabled for any target; %s.", operation_name(o),
		possible ? "add it to the target's `operations` if the agent may use it"
			 : "no target is of a provider that has it");
}

static bool
is_type(struct span value, const char *name)
{
	return span_iis(span_trim(span_cut(value, 0, span_find(value, 0, ';'))), name);
}

static bool
is_json_type(struct span value)
{
	return is_type(value, "application/json");
}

/* The value of the parameter charset, without quotes; ptr NULL: it is another parameter. */
static struct span
charset_of(struct span parameter)
{
	size_t equals = span_find(parameter, 0, '=');
	struct span name = span_trim(span_cut(parameter, 0, equals)), value;

	if (!span_iis(name, "charset") && !span_iis(name, "charset*"))
		return (struct span){NULL, 0};
	value = span_trim(span_cut(parameter, equals + 1, parameter.len));
	if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
		value = span_cut(value, 1, value.len - 1);
	return value;
}

/*
 * No charset, or UTF-8, in which the body is read here. Each ';' is taken for the beginning of a
 * parameter, within quotes too: whoever reads them otherwise finds no other charset.
 */
static bool
is_in_utf8(struct span type)
{
	for (size_t at = span_find(type, 0, ';'); at < type.len;) {
		size_t end = span_find(type, at + 1, ';');
		struct span charset = charset_of(span_cut(type, at + 1, end));

		if (charset.ptr != NULL && !span_iis(charset, "utf-8"))
			return false;
		at = end;
	}
	return true;
}

static bool
has_body(const struct http_request *r)
{
	return r->framing == HTTP_CHUNKED || (r->framing == HTTP_LENGTH && r->length > 0);
}

/* What the body is to be read as, where the route leaves a choice. */
static enum body_kind
kind_of(enum body_kind route, const struct http_request *r, const struct http_field *type)
{
	if (route == BODY_NO_MEMBERS)
		return has_body(r) ? BODY_JSON : BODY_NONE;
	if (route == BODY_UNTYPED_JSON)
		return BODY_JSON;
	if (route != BODY_FORM_OR_JSON)
		return route;
	return type != NULL && is_json_type(type->value) ? BODY_JSON : BODY_FORM;
}

/*
 * Some of AWS's SDKs say nothing of InvokeModel's body, some that it is bytes. By the name of a
 * form LiteLLM would read it as one, with other members than the JSON has.
 */
static bool
is_json_said(enum body_kind route, const struct http_field *type, bool one)
{
	if (route == BODY_UNTYPED_JSON && type == NULL)
		return true;
	return one &&
	       (is_json_type(type->value) ||
		(route == BODY_UNTYPED_JSON && is_type(type->value, "application/octet-stream")));
}

static enum verdict
check_type(const struct http_request *r, const struct http_field *type, struct decision *d)
{
	bool one = type != NULL && http_count(r, "content-type") == 1;
	struct span boundary;

	if (d->body == BODY_JSON && !is_json_said(d->route->body, type, one))
		return decide_refuse(d, VERDICT_MALFORMED_REQUEST,
				     "%s %s takes JSON; send Content-Type: application/json.",
				     d->route->method, d->route->path);
	if (d->body == BODY_JSON && type != NULL && !is_in_utf8(type->value))
		return decide_refuse(
			d, VERDICT_MALFORMED_REQUEST,
			"JSON is read as UTF-8 here, and the charset of Content-Type says "
			"otherwise; send application/json without a charset, or with utf-8.");
	if (d->body == BODY_FORM && (!one || !part_boundary(type->value, &boundary)))
		return decide_refuse(
			d, VERDICT_MALFORMED_REQUEST,
			"%s %s takes a form; send Content-Type: multipart/form-data with a "
			"boundary of 1 to 70 characters and no other parameter.",
			d->route->method, d->route->path);
	return VERDICT_OK;
}

static enum verdict
check_body_kind(const struct http_request *r, struct decision *d)
{
	const struct http_field *type = http_find(r, "content-type");
	const struct http_field *coding = http_find(r, "content-encoding");
	enum verdict v;

	d->body = kind_of(d->route->body, r, type);
	if (d->body == BODY_NONE && has_body(r))
		return decide_refuse(d, VERDICT_MALFORMED_REQUEST,
				     "%s %s takes no body; send it without one.", d->route->method,
				     d->route->path);
	if (d->body == BODY_NONE)
		return VERDICT_OK;
	if (d->route->body == BODY_NO_MEMBERS &&
	    (r->framing == HTTP_CHUNKED || r->length > BODY_NO_MEMBERS_MAX))
		return decide_refuse(d, VERDICT_MALFORMED_REQUEST,
				     "%s %s takes no body, or {}; send it without one.",
				     d->route->method, d->route->path);
	v = check_type(r, type, d);
	if (v == VERDICT_OK && coding != NULL && !span_iis(coding->value, "identity"))
		return decide_refuse(d, VERDICT_MALFORMED_REQUEST,
				     "A compressed body cannot be checked; send it without "
				     "Content-Encoding.");
	return v;
}

static enum verdict
check_query(const struct ingress *in, const struct http_request *r, struct decision *d)
{
	char name[QUERY_NAME_MAX + 1];

	switch (query_check(r->query, (const struct span *)in->plan.denied_fields,
			    in->plan.ndenied_fields, name)) {
	case QUERY_LONG_NAME:
		return decide_refuse(d, VERDICT_MALFORMED_REQUEST,
				     "A query member has a name of more than %d bytes.",
				     QUERY_NAME_MAX);
	case QUERY_DENIED:
		return decide_refuse(
			d, VERDICT_FIELD_NOT_ALLOWED,
			"The query member \"%s\" would steer the upstream or choose another "
			"model, which the configuration alone decides; leave it out.",
			name);
	default:
		return VERDICT_OK;
	}
}

static enum verdict
check_operation(const struct ingress *in, struct decision *d)
{
	struct span name = caller_name(in, d->caller);

	if (caller_may_call(in, d->caller, d->route->operation))
		return VERDICT_OK;
	return decide_refuse(
		d, VERDICT_OPERATION_NOT_ALLOWED,
		"The caller \"%.*s\" may not call the operation \"%s\": its `operations` do not "
		"name it, or it has `models`, against which this one cannot be held.",
		(int)name.len, name.ptr, operation_name(d->route->operation));
}

enum verdict
decide_head(const struct ingress *in, const struct ingress_listener *l,
	    const struct http_request *r, struct decision *d)
{
	bool known = false;
	enum verdict v;

	d->dialect = dialect_of(r->path, &d->rest); /* every refusal is told in it */
	v = check_sender(l, r, d);
	if (v != VERDICT_OK)
		return v;
	if (!grammar_is_path(r->path, d->dialect == DIALECT_BEDROCK) ||
	    (r->has_query && !grammar_is_query(r->query)))
		return decide_refuse(
			d, VERDICT_MALFORMED_REQUEST,
			"The path or query is not in a form that means the same to everyone "
			"(dot segments, empty segments, encoded slashes or control bytes).");
	v = l->is_admin ? VERDICT_OK : check_caller(in, r, d);
	if (v != VERDICT_OK)
		return v;
	d->route = route_find(d->dialect, r->method, d->rest, &known);
	if (d->route == NULL && known)
		return decide_refuse(d, VERDICT_OPERATION_NOT_ALLOWED,
				     "%.*s is not allowed on this path.", (int)r->method.len,
				     r->method.ptr);
	if (d->route == NULL)
		return decide_refuse(
			d, VERDICT_ROUTE_NOT_FOUND,
			"No operation has this path in the %s dialect; the base URL is "
			"http://HOST:PORT/v1 for an OpenAI client, http://HOST:PORT for "
			"Anthropic's, and http://HOST:PORT/bedrock for an AWS SDK.",
			dialect_name(d->dialect));
	v = check_enabled(in, d);
	if (v == VERDICT_OK && !l->is_admin)
		v = check_operation(in, d);
	if (v == VERDICT_OK)
		v = check_body_kind(r, d);
	return v != VERDICT_OK ? v : check_query(in, r, d);
}
