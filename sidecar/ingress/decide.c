/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ingress/decide.h"

#include "http/grammar.h"
#include "ingress/include_usage.h"
#include "ingress/scan.h"

static enum verdict __attribute__((format(printf, 3, 4)))
refuse(struct decision *d, enum verdict v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(d->why, sizeof(d->why), format, args);
	va_end(args);
	return v;
}

/* ---- the listener's own names and browsers ---- */

static bool
is_ip_literal(struct span host)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (host.len > 2 && host.ptr[0] == '[')
		host = span_cut(host, 1, host.len - 1);
	if (host.len == 0 || host.len >= sizeof(text))
		return false;
	memcpy(text, host.ptr, host.len);
	text[host.len] = '\0';
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
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
		return refuse(d, VERDICT_HOST_NOT_ALLOWED,
			      "The Host header names neither this listener (%.*s) nor an entry of "
			      "`hosts`; call it by its own address or add the name to `hosts`.",
			      (int)l->name.len, l->name.ptr);
	if (is_browser(r))
		return refuse(d, VERDICT_BROWSER_REFUSED,
			      "This request was sent by a browser page (Origin or Sec-Fetch-Site); "
			      "sidekey serves programs on this machine only.");
	if (asks_for_websocket(r))
		return refuse(d, VERDICT_UPGRADE_REFUSED,
			      "WebSocket is not offered here; use the same path with POST, and "
			      "\"stream\": true for server-sent events.");
	return VERDICT_OK;
}

/* ---- the route ---- */

static bool
any_target_speaks(const struct ingress *in, const struct decision *d)
{
	for (size_t i = 0; i < in->plan.ntargets; i++) {
		const struct ingress_target *t = &in->plan.targets[i];

		if ((dialects_of(t->provider) >> d->dialect & 1) != 0 &&
		    (t->operations >> d->route->operation & 1) != 0)
			return true;
	}
	return false;
}

static bool
is_json_type(struct span value)
{
	struct span type = span_trim(span_cut(value, 0, span_find(value, 0, ';')));

	return span_iis(type, "application/json");
}

static enum verdict
check_body_kind(const struct http_request *r, struct decision *d)
{
	const struct http_field *type = http_find(r, "content-type");
	const struct http_field *coding = http_find(r, "content-encoding");

	if (d->route->body == BODY_NONE &&
	    (r->framing == HTTP_CHUNKED || (r->framing == HTTP_LENGTH && r->length > 0)))
		return refuse(d, VERDICT_MALFORMED_REQUEST,
			      "%s %s takes no body; send it without one.", d->route->method,
			      d->route->path);
	if (d->route->body != BODY_JSON)
		return VERDICT_OK;
	if (type == NULL || http_count(r, "content-type") > 1 || !is_json_type(type->value))
		return refuse(d, VERDICT_MALFORMED_REQUEST,
			      "%s %s takes JSON; send Content-Type: application/json.",
			      d->route->method, d->route->path);
	if (coding != NULL && !span_iis(coding->value, "identity"))
		return refuse(d, VERDICT_MALFORMED_REQUEST,
			      "A compressed body cannot be checked; send it without "
			      "Content-Encoding.");
	return VERDICT_OK;
}

static enum verdict
check_query(const struct ingress *in, const struct http_request *r, struct decision *d)
{
	for (size_t at = 0; r->has_query && at < r->query.len;) {
		size_t end = span_find(r->query, at, '&');
		struct span member = span_cut(r->query, at, end);
		struct span name = span_cut(member, 0, span_find(member, 0, '='));
		char folded[SCAN_NAME_MAX + 1];
		size_t n = name.len < SCAN_NAME_MAX ? name.len : SCAN_NAME_MAX;
		bool azure = span_is(name, "api-version") || span_is(name, "api_version");

		at = end + 1;
		for (size_t i = 0; i < n; i++)
			folded[i] = (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z'
						   ? name.ptr[i] + ('a' - 'A')
						   : name.ptr[i]);
		folded[n] = '\0';
		if (!azure && model_field_denied((struct span){folded, n},
						 (const struct span *)in->plan.denied_fields,
						 in->plan.ndenied_fields))
			return refuse(d, VERDICT_FIELD_NOT_ALLOWED,
				      "The query member \"%s\" would steer the upstream, which the "
				      "configuration alone decides; leave it out.",
				      folded);
	}
	return VERDICT_OK;
}

enum verdict
decide_head(const struct ingress *in, const struct ingress_listener *l,
	    const struct http_request *r, struct decision *d)
{
	enum verdict v = check_sender(l, r, d);
	bool known = false;

	if (v != VERDICT_OK)
		return v;
	d->dialect = dialect_of(r->path, &d->rest);
	if (!grammar_is_path(r->path, d->dialect == DIALECT_BEDROCK) ||
	    (r->has_query && !grammar_is_query(r->query)))
		return refuse(d, VERDICT_MALFORMED_REQUEST,
			      "The path or query is not in a form that means the same to everyone "
			      "(dot segments, empty segments, encoded slashes or control bytes).");
	d->route = route_find(d->dialect, r->method, d->rest, &known);
	if (d->route == NULL && known)
		return refuse(d, VERDICT_OPERATION_NOT_ALLOWED, "%.*s is not allowed on this path.",
			      (int)r->method.len, r->method.ptr);
	if (d->route == NULL)
		return refuse(d, VERDICT_ROUTE_NOT_FOUND,
			      "No operation has this path in the %s dialect; the base URL for an "
			      "OpenAI client is http://HOST:PORT/v1.",
			      dialect_name(d->dialect));
	if (!any_target_speaks(in, d))
		return refuse(d, VERDICT_OPERATION_NOT_ALLOWED,
			      "The operation \"%s\" is not enabled for any target; add it to the "
			      "target's `operations` if the agent may use it.",
			      operation_name(d->route->operation));
	v = check_body_kind(r, d);
	return v != VERDICT_OK ? v : check_query(in, r, d);
}

/* ---- body, model, target ---- */

static bool
denies(const void *arg, struct span folded_name)
{
	const struct ingress *in = arg;

	return model_field_denied(folded_name, (const struct span *)in->plan.denied_fields,
				  in->plan.ndenied_fields);
}

static enum verdict
refuse_scan(struct decision *d, enum scan_fault fault, const struct scan *s)
{
	static const char *const texts[] = {
		[SCAN_NOT_JSON] = "is not JSON",
		[SCAN_NOT_OBJECT] = "is JSON, but not an object",
		[SCAN_NOT_UTF8] = "is not UTF-8 without a byte order mark",
		[SCAN_TOO_DEEP] = "is nested too deeply",
		[SCAN_MODEL_TWICE] = "names the model twice",
		[SCAN_MODEL_TYPE] = "has a \"model\" that is not a string, or is too long",
	};

	if (fault == SCAN_DENIED_FIELD)
		return refuse(d, VERDICT_FIELD_NOT_ALLOWED,
			      "The body member \"%s\" would steer the upstream or choose another "
			      "model, which the configuration alone decides; leave it out.",
			      s->denied);
	return refuse(d, VERDICT_MALFORMED_REQUEST, "The body %s (near byte %zu).", texts[fault],
		      s->error_at);
}

static enum verdict
pick_by_model(const struct ingress *in, const struct scan *s, struct decision *d)
{
	struct span model = {s->model, s->model_len}, sent;
	long rule = model_pick(in->plan.models, in->plan.nmodels, model);

	if (rule < 0)
		return refuse(d, VERDICT_MODEL_NOT_ALLOWED,
			      "The model \"%s\" matches no rule of `models`; use one that is "
			      "configured, or add a rule for it.",
			      d->model);
	d->target = in->plan.models[rule].target;
	d->rule = rule;
	sent = model_sent(&in->plan.models[rule], model);
	if (!span_eq(sent, model)) {
		d->rewrite_at = s->model_raw;
		d->rewrite_to = sent;
	}
	return VERDICT_OK;
}

static enum verdict
check_target(const struct ingress *in, struct decision *d)
{
	const struct ingress_target *t = &in->plan.targets[d->target];
	bool missing = false;

	if ((dialects_of(t->provider) >> d->dialect & 1) == 0 ||
	    (t->operations >> d->route->operation & 1) == 0)
		return refuse(d, VERDICT_OPERATION_NOT_ALLOWED,
			      "The operation \"%s\" is not enabled for the target \"%.*s\", where "
			      "this call would go.",
			      operation_name(d->route->operation), (int)t->name.len, t->name.ptr);
	for (size_t i = 0; i < t->nslots; i++) {
		const struct slot_view *s = &in->slots[t->slots[i].number];
		struct span name = in->plan.slots[t->slots[i].number].name;

		if (s->state == SLOT_REFUSED)
			return refuse(d, VERDICT_CREDENTIAL_REFUSED,
				      "The store refused the secret %.*s (%s); sidekey's log names "
				      "the reference and the principal.",
				      (int)name.len, name.ptr, s->error_type);
		missing |= s->state == SLOT_MISSING || s->state == SLOT_WAITING;
	}
	if (missing)
		return refuse(d, VERDICT_CREDENTIAL_UNAVAILABLE,
			      "A secret of the target \"%.*s\" is not there yet; sidekey keeps "
			      "asking the store, try again in a few seconds.",
			      (int)t->name.len, t->name.ptr);
	return VERDICT_OK;
}

static void
note_model(struct decision *d, const struct scan *s)
{
	size_t n = s->model_len < DECIDE_MODEL_MAX ? s->model_len : DECIDE_MODEL_MAX;

	memcpy(d->model, s->model, n);
	d->model[n] = '\0';
	d->stream = s->stream;
}

/* Where the target's configuration wants usage in every stream of chat. */
static void
want_usage(const struct ingress *in, struct span body, const struct scan *s, struct decision *d)
{
	bool chat = d->route->operation == OPERATION_CHAT ||
		    d->route->operation == OPERATION_COMPLETIONS;
	bool fits = body.len + 64 <= in->plan.body_bytes; /* egress holds it to the same limit */

	if (in->plan.targets[d->target].include_usage && chat && fits)
		(void)include_usage(body, s, &d->usage_at, &d->usage_text);
}

enum verdict
decide_body(const struct ingress *in, struct span body, struct decision *d)
{
	static struct scan
		s; /* d->rewrite_to is a view into it until the next call: one at a time */
	enum verdict v;

	s.has_model = false;
	if (d->route->body == BODY_JSON) {
		enum scan_fault fault = scan_json(&s, body, denies, in);

		if (fault != SCAN_OK)
			return refuse_scan(d, fault, &s);
		note_model(d, &s);
	}
	if (s.has_model && in->plan.has_models) {
		v = pick_by_model(in, &s, d);
		if (v != VERDICT_OK)
			return v;
	}
	/*
	 * Rules for models would be worth little if a call could leave its model to the
	 * upstream.
	 */
	if (!s.has_model && in->plan.has_models && d->route->needs_model)
		return refuse(
			d, VERDICT_MODEL_NOT_ALLOWED,
			"The call names no model, and `models` has rules for which model goes "
			"where; name one that is configured.");
	if (d->rule < 0)
		d->target = in->plan.default_targets[d->dialect].number;
	if (d->target == PLAN_NONE)
		return refuse(d, VERDICT_MODEL_NOT_ALLOWED,
			      "The call names no model and there is no `defaultTarget` for the %s "
			      "dialect; name a model, or configure one.",
			      dialect_name(d->dialect));
	want_usage(in, body, &s, d);
	return check_target(in, d);
}
