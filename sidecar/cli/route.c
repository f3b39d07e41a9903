/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds what ingress and egress would be told, and asks their own functions about a made-up
 * request: what is printed here is what would happen, for there is no second implementation.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/route.h"

#include "config/project.h"
#include "egress/inject.h"
#include "ingress/admin.h"
#include "ingress/call.h"
#include "policy/access/headers.h"

enum { EXIT_ALLOWED = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, TEXT_MAX = 64 * 1024 };

static const char usage[] =
	"usage: sidekey route METHOD PATH [--model M] [--caller C] [-c FILE] [--json]\n"
	"\n"
	"Says what would become of a call: where it would go, under which name of the model,\n"
	"with which headers, and which rule decides. Nothing is sent, no secret is fetched.\n"
	"\n"
	"  METHOD PATH        such as POST /v1/chat/completions\n"
	"      --model M      the \"model\" of its body\n"
	"      --caller C     who calls, one of the configured `callers`; without it, a call\n"
	"                     that presents no token\n"
	"  -c, --config FILE  the configuration, as for sidekey check\n"
	"      --json         print JSON\n"
	"  -h, --help         print this\n"
	"\n"
	"Exit status: 0 it would be sent, 1 it would be refused, 2 usage or configuration.\n";

/* What clients send of themselves (reference/llm.md 1.2), to show what becomes of it. */
static const char *const client_headers[] = {
	"accept",         "accept-encoding",     "accept-language", "anthropic-beta",
	"openai-beta",    "anthropic-version",   "api-key",         "authorization",
	"cookie",         "openai-organization", "openai-project",  "user-agent",
	"x-goog-api-key", "x-stainless-*",       "x-api-key",
};

struct asked {
	const char *method, *path, *model, *caller, *config;
	bool json;
};

struct routed {
	struct ingress in;
	struct ingress_listener listener;
	struct call call;
	struct buf head, body;
	struct frame_call sent; /* as egress would get it */
	struct http_field fields[HTTP_FIELDS_MAX];
	enum verdict verdict;
	const struct egress_target *target; /* NULL: refused, or no call */
	unsigned own;                       /* the status that sidekey answers of itself; 0: none */
};

/* ---- the made-up request ---- */

#define BOUNDARY "sidekey"

static void
write_json(struct buf *body, const char *model)
{
	(void)buf_add_str(body, "{");
	if (model != NULL) {
		(void)buf_add_str(body, "\"model\":");
		(void)buf_add_json(body, span_of(model));
	}
	(void)buf_add_str(body, "}");
}

static void
write_form(struct buf *body, const char *model)
{
	(void)buf_addf(body,
		       "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n"
		       "%s\r\n--" BOUNDARY "--\r\n",
		       model != NULL ? "model" : "file", model != NULL ? model : "");
}

/* The least that an agent sends: a body only where the route takes one. */
static void
write_request(struct routed *r, const struct asked *a)
{
	struct span path = span_of(a->path), rest, host = SPAN("localhost");
	const struct route *route;
	bool known, form;

	path = span_cut(path, 0, span_find(path, 0, '?'));
	route = route_find(dialect_of(path, &rest), span_of(a->method), rest, &known);
	if (r->listener.nhosts > 0)
		host = r->listener.hosts[0].text;
	form = route != NULL && route->body == BODY_FORM;
	if (form)
		write_form(&r->body, a->model);
	else if (route != NULL && route->body != BODY_NONE && route->body != BODY_NO_MEMBERS)
		write_json(&r->body, a->model);
	(void)buf_addf(&r->head, "%s %s HTTP/1.1\r\nHost: %.*s\r\n", a->method, a->path,
		       (int)host.len, host.ptr);
	if (r->body.len > 0)
		(void)buf_addf(&r->head, "Content-Type: %s\r\nContent-Length: %zu\r\n",
			       form ? "multipart/form-data; boundary=" BOUNDARY
				    : "application/json",
			       r->body.len);
	(void)buf_add_str(&r->head, "\r\n");
}

/* The keys are taken to be there: whether they are is a matter of /readyz. */
static void
give_slots(struct ingress *in)
{
	in->slots = calloc(in->plan.nslots + 1, sizeof(*in->slots));
	in->targets = calloc(in->plan.ntargets + 1, sizeof(*in->targets));
	if (in->slots == NULL || in->targets == NULL)
		abort();
	for (size_t i = 0; i < in->plan.nslots; i++)
		in->slots[i].state = SLOT_FRESH;
}

static void
refuse(struct routed *r, enum verdict v, const char *why)
{
	r->verdict = v;
	snprintf(r->call.decision.why, sizeof(r->call.decision.why), "%s", why);
}

static enum verdict
judge_form(struct routed *r)
{
	static struct multipart form; /* the decision has views into it */

	multipart_init(&form, SPAN(BOUNDARY), decide_form_denies(&r->in, &r->call.decision),
		       &r->in);
	(void)multipart_feed(&form, r->call.content);
	if (multipart_end(&form) != MULTIPART_OK)
		return decide_form_fault(&form, &r->call.decision);
	return decide_form(&r->in, &form, &r->call.decision);
}

/* What is no call, and asks no target. */
static void
answer_self(struct routed *r)
{
	struct reply_page page;
	struct buf body;

	buf_init(&body, ADMIN_BODY_MAX);
	admin_answer(&r->in, &r->listener, &r->call.request, &body, &page);
	buf_free(&body);
	r->own = page.status;
	r->verdict = page.status == 200 ? VERDICT_OK : VERDICT_OPERATION_NOT_ALLOWED;
	(void)snprintf(r->call.decision.why, sizeof(r->call.decision.why), "%s",
		       "sidekey answers this itself, to GET and HEAD alone.");
}

/* The way of a request through the two roles: head, body, the frame between them, its check. */
static void
follow(struct routed *r, const struct asked *a, const struct plans *p)
{
	struct call *c = &r->call;
	const struct egress_target *target;
	const char *wrong;
	size_t seen = 0;
	long n = http_head_parse(&c->request, r->head.ptr, r->head.len, &seen,
				 r->in.plan.header_bytes);

	if (n <= 0) {
		refuse(r, VERDICT_MALFORMED_REQUEST,
		       n == 0 ? "The request has no end." : http_fault_text((enum http_fault) - n));
		return;
	}
	if (!span_is(c->request.method, a->method) || !span_is(c->request.target, a->path)) {
		refuse(r, VERDICT_MALFORMED_REQUEST,
		       "A blank or a line end stands in the method or the path.");
		return;
	}
	c->content = buf_span(&r->body);
	r->verdict = decide_head(&r->in, &r->listener, &c->request, &c->decision);
	if (admin_asks_life(&c->request)) {
		answer_self(r);
		return;
	}
	if (r->verdict == VERDICT_OK)
		r->verdict = c->decision.body == BODY_FORM
				     ? judge_form(r)
				     : decide_body(&r->in, c->content, &c->decision);
	if (r->verdict != VERDICT_OK)
		return;
	call_sent(c, &r->sent, r->fields);
	target = &p->egress.targets[c->decision.target];
	wrong = inject_check(target, &r->sent, p->egress.body_bytes, p->egress.upload_bytes);
	if (wrong != NULL)
		refuse(r, VERDICT_MALFORMED_REQUEST, wrong);
	else
		r->target = target;
}

/* ---- what is printed ---- */

/* One line of the table, or one member of the JSON object. */
struct lines {
	struct buf text;
	bool json;
};

static void
put(struct lines *l, const char *name, struct span value)
{
	if (!l->json) {
		(void)buf_addf(&l->text, "%-10s %.*s\n", name, (int)value.len, value.ptr);
		return;
	}
	(void)buf_addf(&l->text, "%s\"%s\":", l->text.len > 1 ? "," : "", name);
	(void)buf_add_json(&l->text, value);
}

/* The HTTP status of an answer of sidekey's own; the dialect has a say in that of a refusal. */
static void
put_status(struct lines *l, const struct routed *r)
{
	unsigned status = r->own;
	struct buf body;

	buf_init(&body, TEXT_MAX);
	if (status == 0)
		(void)verdict_body(r->verdict, r->call.decision.dialect, NULL, SPAN(""), &body,
				   &status);
	buf_free(&body);
	if (l->json)
		(void)buf_addf(&l->text, ",\"status\":%u", status);
	else
		(void)buf_addf(&l->text, "%-10s %u %s\n", "status", status, verdict_reason(status));
}

static void
put_buf(struct lines *l, const char *name, struct buf *value)
{
	put(l, name, buf_span(value));
	buf_free(value);
}

static void
add_name(struct buf *b, struct span name)
{
	(void)buf_add_str(b, b->len > 0 ? ", " : "");
	(void)buf_add_span(b, name);
}

static void
add_callers(struct buf *b, const struct ingress_plan *p)
{
	for (size_t i = 0; i < p->ncallers; i++)
		(void)buf_addf(b, "%s%.*s", i > 0 ? ", " : "", (int)p->callers[i].name.len,
			       p->callers[i].name.ptr);
}

static void
put_headers(struct lines *l, const struct egress_target *t)
{
	struct buf added, dropped;

	buf_init(&added, TEXT_MAX);
	buf_init(&dropped, TEXT_MAX);
	for (size_t i = 0; i < t->nheaders; i++)
		add_name(&added, t->headers[i].name);
	if (t->is_signed) {
		add_name(&added, SPAN("X-Amz-Date"));
		add_name(&added, SPAN("Authorization"));
	}
	add_name(&added, SPAN("Accept-Encoding"));
	for (size_t i = 0; i < sizeof(client_headers) / sizeof(client_headers[0]); i++)
		if (!header_request_passes(span_of(client_headers[i])))
			add_name(&dropped, span_of(client_headers[i]));
	put_buf(l, "added", &added);
	put_buf(l, "dropped", &dropped);
}

static void
put_rule(struct lines *l, const struct routed *r)
{
	const struct ingress_plan *p = &r->in.plan;
	const struct decision *d = &r->call.decision;
	const struct model_rule *m;
	struct buf b;

	buf_init(&b, TEXT_MAX);
	if (d->rule < 0) {
		(void)buf_addf(&b, "the default target of the %s dialect%s",
			       dialect_name(d->dialect), p->has_models ? "" : "; no `models`");
		put_buf(l, "rule", &b);
		return;
	}
	m = &p->models[d->rule];
	(void)buf_addf(&b, "models[%ld]: match %.*s", d->rule, (int)m->match.len, m->match.ptr);
	if (m->send_as.len > 0)
		(void)buf_addf(&b, ", sendAs %.*s", (int)m->send_as.len, m->send_as.ptr);
	if (m->strip_prefix.len > 0)
		(void)buf_addf(&b, ", stripPrefix %.*s", (int)m->strip_prefix.len,
			       m->strip_prefix.ptr);
	put_buf(l, "rule", &b);
}

/* Who calls; of a call that is nobody's, what decides, and who there is. */
static void
put_caller(struct lines *l, const struct routed *r)
{
	const struct ingress_plan *p = &r->in.plan;
	struct buf hint;

	if (p->ncallers == 0)
		return;
	if (r->call.decision.caller != CALLER_NONE) {
		put(l, "caller", caller_name(&r->in, r->call.decision.caller));
		return;
	}
	buf_init(&hint, TEXT_MAX);
	(void)buf_add_str(&hint, "--caller says who calls: ");
	add_callers(&hint, p);
	put(l, "rule", SPAN("callers: this call is of none of them"));
	put_buf(l, "hint", &hint);
}

static void
put_model(struct lines *l, const struct decision *d)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	(void)buf_add_str(&b, d->model);
	if (d->rewrite_to.ptr != NULL)
		(void)buf_addf(&b, ", sent as %.*s", (int)d->rewrite_to.len, d->rewrite_to.ptr);
	put_buf(l, "model", &b);
}

static void
put_url(struct lines *l, const struct egress_target *t, const struct frame_call *sent)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	(void)buf_addf(&b, "%s://%.*s", t->https ? "https" : "http", (int)t->authority.len,
		       t->authority.ptr);
	inject_target(&b, t, sent);
	put_buf(l, "url", &b);
}

/* Where it may go, each with its share. */
static void
put_deployments(struct lines *l, const struct plans *p, const struct egress_target *t)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	for (size_t i = 0; i < t->ndeployments; i++) {
		const struct egress_target *d = &p->egress.targets[t->deployments[i].target];

		(void)buf_addf(&b, "%s%.*s (weight %u, %s://%.*s%.*s)", i > 0 ? ", " : "",
			       (int)d->name.len, d->name.ptr, (unsigned)t->deployments[i].weight,
			       d->https ? "https" : "http", (int)d->authority.len, d->authority.ptr,
			       (int)d->base_path.len, d->base_path.ptr);
	}
	if (b.len > 0)
		put(l, l->json ? "deployments" : "spread", buf_span(&b));
	buf_free(&b);
}

static void
add_limit(struct buf *b, uint64_t limit, const char *what)
{
	if (limit != 0)
		(void)buf_addf(b, ", %" PRIu64 " %s", limit, what);
}

static void
add_caller_limits(struct buf *b, const struct caller_limits *l)
{
	add_limit(b, l->requests_per_minute, "requests a minute");
	add_limit(b, l->tokens_per_minute, "tokens a minute");
	add_limit(b, l->concurrent_requests, "calls at once");
	if (l->budget_tokens != 0)
		(void)buf_addf(b, ", %" PRIu64 " tokens in %" PRIu64 " s", l->budget_tokens,
			       l->budget_ms / 1000);
}

static void
put_limits(struct lines *l, const struct routed *r)
{
	const struct egress_target *t = r->target;
	struct buf b;

	buf_init(&b, TEXT_MAX);
	(void)buf_addf(&b,
		       "body %" PRIu64 " bytes, head %" PRIu64 " bytes, connect %" PRIu64
		       " ms, first byte %" PRIu64 " ms, idle %" PRIu64 " ms",
		       r->in.plan.body_bytes, r->in.plan.header_bytes, t->connect_ms,
		       t->first_byte_ms, t->idle_ms);
	if ((size_t)r->call.decision.caller < r->in.plan.ncallers)
		add_caller_limits(&b, &r->in.plan.callers[r->call.decision.caller].limits);
	put_buf(l, "limits", &b);
}

/* What is shown of a target's request: that of its first deployment, where it has some. */
static const struct egress_target *
place_of(const struct plans *p, const struct egress_target *t)
{
	if (t == NULL || t->ndeployments == 0)
		return t;
	return &p->egress.targets[t->deployments[0].target];
}

static int
print(const struct routed *r, const struct plans *p, bool json)
{
	const struct egress_target *first = place_of(p, r->target);
	const struct decision *d = &r->call.decision;
	const struct verdict_row *row = verdict_row(r->verdict);
	struct lines l = {.json = json};
	bool allowed = r->verdict == VERDICT_OK, good;

	buf_init(&l.text, 4 * TEXT_MAX);
	(void)buf_add_str(&l.text, json ? "{" : "");
	put(&l, "verdict", allowed ? SPAN("allowed") : span_of(row->code));
	if (r->target == NULL) {
		put_status(&l, r);
		put(&l, allowed ? "rule" : "why",
		    span_of(d->why[0] != '\0' ? d->why : row->remedy));
	}
	if (r->own == 0)
		put_caller(&l, r);
	put(&l, "dialect", span_of(dialect_name(d->dialect)));
	if (d->route != NULL)
		put(&l, "operation", span_of(operation_name(d->route->operation)));
	if (d->model[0] != '\0')
		put_model(&l, d);
	if (r->target != NULL) {
		put_rule(&l, r);
		put(&l, "target", r->target->name);
		put_deployments(&l, p, r->target);
		put_url(&l, first, &r->sent);
		put_headers(&l, first);
		put_limits(&l, r);
	}
	(void)buf_add_str(&l.text, json ? "}\n" : "");
	good = fwrite(l.text.ptr, 1, l.text.len, stdout) == l.text.len && fflush(stdout) == 0;
	buf_free(&l.text);
	return good && allowed ? EXIT_ALLOWED : EXIT_REFUSED;
}

/* ---- the verb ---- */

static long
find_caller(const struct ingress_plan *p, const char *name)
{
	for (size_t i = 0; i < p->ncallers; i++)
		if (name != NULL && span_is(p->callers[i].name, name))
			return (long)i;
	return CALLER_NONE;
}

/* Whether name is nobody's, with a sentence: without `callers`, everybody is "local". */
static bool
is_unknown(const struct ingress_plan *p, const char *name)
{
	struct buf names;

	if (find_caller(p, name) != CALLER_NONE || (p->ncallers == 0 && strcmp(name, "local") == 0))
		return false;
	buf_init(&names, TEXT_MAX);
	add_callers(&names, p);
	if (p->ncallers == 0)
		fputs("sidekey route: --caller: no callers are configured: everybody is "
		      "\"local\"\n",
		      stderr);
	else
		fprintf(stderr, "sidekey route: --caller: these are configured: %.*s\n",
			(int)names.len, names.ptr);
	buf_free(&names);
	return true;
}

static int
route(const struct asked *a, const struct plans *p)
{
	static struct routed r;
	int status;

	if (a->caller != NULL && is_unknown(&p->ingress, a->caller))
		return EXIT_USAGE;
	r.in.plan = p->ingress;
	r.call.decision.caller = find_caller(&r.in.plan, a->caller);
	for (size_t i = p->ingress.nlisteners; i-- > 0;)
		if (!p->ingress.listeners[i].is_admin)
			r.listener = p->ingress.listeners[i];
	buf_init(&r.head, TEXT_MAX);
	buf_init(&r.body, TEXT_MAX);
	give_slots(&r.in);
	write_request(&r, a);
	follow(&r, a, p);
	status = print(&r, p, a->json);
	free(r.in.slots);
	free(r.in.targets);
	buf_free(&r.head);
	buf_free(&r.body);
	return status;
}

static int
with_config(const struct asked *a)
{
	struct config_source source = {a->config, config_own_environment()};
	struct config_faults faults;
	struct config *c = NULL;
	struct plans plans = {0};
	int status = EXIT_USAGE;

	fault_init(&faults);
	if (config_read(&source, &c, &faults) == 0 &&
	    project(c, &source.env, &plans, &faults) == 0) {
		status = route(a, &plans);
		plans_free(&plans);
	}
	fault_print(&faults, stderr);
	config_free(c);
	fault_free(&faults);
	return status;
}

int
cli_route(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"model", required_argument, NULL, 'm'},
		{"caller", required_argument, NULL, 'C'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
	};
	struct asked a = {0};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'c') {
			a.config = optarg;
		} else if (option == 'm') {
			a.model = optarg;
		} else if (option == 'C') {
			a.caller = optarg;
		} else if (option == 'j') {
			a.json = true;
		} else {
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? EXIT_ALLOWED : EXIT_USAGE;
		}
	}
	if (argc - optind != 2) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	a.method = argv[optind];
	a.path = argv[optind + 1];
	return with_config(&a);
}
