/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ingress/decide_parts.h"

#include "http/grammar.h"
#include "ingress/metadata.h"
#include "ingress/scan.h"
#include "ingress/tool.h"
#include "ingress/walk.h"
#include "policy/access/paths.h"

enum {
	TOOL_MODELS_MAX = 128,        /* as many as OpenAI takes tools */
	BEDROCK_BODY_MAX = 25000000,  /* of InvokeModel, the largest that there is */
	DECIDE_PATH_MODEL_MAX = 2048, /* as long as Bedrock's ids may be, and as a body's */
	/* A request line, and a name that takes a segment's place, each byte of it escaped. */
	PATH_MAX_BYTES = HTTP_LINE_MAX + 3 * DECIDE_PATH_MODEL_MAX,
};

enum verdict
decide_refuse(struct decision *d, enum verdict v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(d->why, sizeof(d->why), format, args);
	va_end(args);
	return v;
}

/* ---- body, model, target ---- */

static void
note_model(struct decision *d, struct span model)
{
	size_t n = model.len < DECIDE_MODEL_MAX ? model.len : DECIDE_MODEL_MAX;

	memcpy(d->model, model.ptr, n);
	d->model[n] = '\0';
}

static bool
decide_denies(const void *arg, struct span folded_name)
{
	const struct ingress *in = arg;

	return model_field_denied(folded_name, (const struct span *)in->plan.denied_fields,
				  in->plan.ndenied_fields);
}

static bool
denies_of_own(const void *arg, struct span folded_name)
{
	const struct ingress *in = arg;

	return model_own_field_denied(folded_name, (const struct span *)in->plan.denied_fields,
				      in->plan.ndenied_fields);
}

static enum verdict
refuse_scan(struct decision *d, const char *what, enum scan_fault fault, const struct scan *s)
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
		return decide_refuse(
			d, VERDICT_FIELD_NOT_ALLOWED,
			"The body member \"%s\" would steer the upstream or choose another "
			"model, which the configuration alone decides; leave it out.",
			s->denied);
	return decide_refuse(d, VERDICT_MALFORMED_REQUEST, "%s %s (near byte %zu).", what,
			     texts[fault], s->error_at);
}

/*
 * May this caller use that model? The one place that says so: for the model of a body and of a
 * path, and for each entry of a list of models. Without rules every model may be used, and *rule
 * is DECIDE_NO_RULE.
 */
static bool
may_use(const struct ingress *in, long caller, struct span model, long *rule)
{
	*rule = in->plan.has_models ? model_pick(in->plan.models, in->plan.nmodels, model)
				    : DECIDE_NO_RULE;
	return (*rule >= 0 || !in->plan.has_models) && caller_may_name(in, caller, model);
}

bool
decide_may_list(const struct ingress *in, long caller, struct span model, uint16_t target,
		struct span sent)
{
	long rule;

	if (!may_use(in, caller, model, &rule))
		return false;
	if (rule < 0)
		return span_eq(model, sent);
	return in->plan.models[rule].target == target &&
	       span_eq(model_sent(&in->plan.models[rule], model), sent);
}

static enum verdict
refuse_model(const struct ingress *in, struct span model, struct decision *d)
{
	int n = model.len < DECIDE_MODEL_MAX ? (int)model.len : DECIDE_MODEL_MAX;
	struct span name = caller_name(in, d->caller);
	const char *hint = model_is_plain(model, 0)
				   ? ""
				   : " A * stands for letters, digits and -._:/@+~ alone.";

	if (!caller_may_name(in, d->caller, model))
		return decide_refuse(
			d, VERDICT_MODEL_NOT_ALLOWED,
			"The caller \"%.*s\" may not use the model \"%.*s\": its `models` do "
			"not name it.%s",
			(int)name.len, name.ptr, n, model.ptr, hint);
	return decide_refuse(
		d, VERDICT_MODEL_NOT_ALLOWED,
		"The model \"%.*s\" matches no rule of `models`; use one that is configured, or "
		"add a rule for it.%s",
		n, model.ptr, hint);
}

/* Holds model against the rules; *sent is what the target is to be told in its place. */
static enum verdict
pick_by_model(const struct ingress *in, struct span model, struct decision *d, struct span *sent)
{
	uint16_t before = d->rule >= 0 ? d->target : PLAN_NONE;
	long rule;

	*sent = model;
	if (!may_use(in, d->caller, model, &rule))
		return refuse_model(in, model, d);
	if (rule < 0)
		return VERDICT_OK;
	d->rule = rule;
	d->target = in->plan.models[rule].target;
	*sent = model_sent(&in->plan.models[rule], model);
	if (before != PLAN_NONE && before != d->target)
		return decide_refuse(
			d, VERDICT_MODEL_NOT_ALLOWED,
			"The path and the body name two models, which `models` sends to two "
			"targets; name the same one in both.");
	return VERDICT_OK;
}

/* What the path of the upstream's request is put together in: one call at a time. */
static char sent_path[PATH_MAX_BYTES];

static struct span
keep_path(struct buf *b)
{
	struct span path = {sent_path, b->len};

	memcpy(sent_path, b->ptr, b->len);
	buf_free(b);
	return path;
}

/* A model that the path names, where a rule may rename it. */
static enum verdict
decide_path(const struct ingress *in, struct decision *d)
{
	bool slashes = d->dialect == DIALECT_BEDROCK;
	char model[DECIDE_PATH_MODEL_MAX + 1];
	struct span segment, named = {model, 0}, sent;
	enum verdict v;
	struct buf b;

	if (!route_model(d->route, d->rest, &segment))
		return VERDICT_OK;
	if (paths_decode(segment, model, DECIDE_PATH_MODEL_MAX, &named.len) != 0 ||
	    !grammar_is_utf8(named))
		return decide_refuse(d, VERDICT_MALFORMED_REQUEST,
				     "The model that the path names is not UTF-8, or is too long.");
	note_model(d, named);
	v = pick_by_model(in, named, d, &sent);
	if (v != VERDICT_OK || span_eq(sent, named))
		return v;
	buf_init(&b, sizeof(sent_path));
	if (paths_rename(&b, d->rest, segment, sent, slashes) != 0) {
		buf_free(&b);
		return decide_refuse(
			d, VERDICT_MODEL_NOT_ALLOWED,
			"The rule for \"%s\" sends a name that cannot stand in a path; call it "
			"where the body names the model.",
			d->model);
	}
	d->rest = keep_path(&b);
	return VERDICT_OK;
}

/* A call of the openai dialect for classic Azure, where the deployment stands in the path. */
static enum verdict
decide_classic(struct span method, struct span model, struct decision *d)
{
	struct buf b;

	d->spoken = DIALECT_AZURE;
	buf_init(&b, sizeof(sent_path));
	if (paths_classic(&b, method, d->rest, model) == 0) {
		d->rest = keep_path(&b);
		return VERDICT_OK;
	}
	buf_free(&b);
	return decide_refuse(
		d, VERDICT_OPERATION_NOT_ALLOWED,
		"The classic Azure API has no path for this operation%s; with an `apiBase` "
		"that ends in /openai/v1 it may have one.",
		model.len == 0 ? " without a model" : " and model");
}

/* Under rules it counts for something which model that is: the upstream has to see it, too. */
static enum verdict
refuse_folded(struct decision *d, const char *what)
{
	return decide_refuse(d, VERDICT_MALFORMED_REQUEST,
			     "%s has a \"model\" with capitals, which some upstreams do not see.",
			     what);
}

static bool
has_rules(const struct ingress *in, const struct decision *d)
{
	return in->plan.has_models || caller_has_models(in, d->caller);
}

static enum verdict
check_metadata(const struct scan *s, struct decision *d)
{
	if (!metadata_steers(s))
		return VERDICT_OK;
	return decide_refuse(
		d, VERDICT_FIELD_NOT_ALLOWED,
		"\"tags\" in \"metadata\" choose a deployment of LiteLLM's, which the "
		"configuration alone decides: leave them out, and say \"metadata\" once, as an "
		"object. Tags that each call should have belong into the target's `headers`, as "
		"x-litellm-tags.");
}

/* The model of a JSON body, and what is to stand there instead; *sent its final name. */
static enum verdict
decide_json(const struct ingress *in, struct span body, struct scan *s, struct decision *d,
	    struct span *sent)
{
	bool own = d->route->body == BODY_UNTYPED_JSON;
	struct span model = {s->model, 0};
	enum scan_fault fault = scan_json(s, body, own ? denies_of_own : decide_denies, in);
	enum verdict v;

	if (fault != SCAN_OK)
		return refuse_scan(d, "The body", fault, s);
	d->stream = s->stream;
	v = check_metadata(s, d);
	if (v == VERDICT_OK)
		v = decide_counted(in, s, d);
	if (v != VERDICT_OK || !s->has_model)
		return v;
	model.len = s->model_len;
	if (d->model[0] == '\0')
		note_model(d, model);
	v = pick_by_model(in, model, d, sent);
	if (v == VERDICT_OK && s->model_is_folded && has_rules(in, d))
		return refuse_folded(d, "The body");
	if (v == VERDICT_OK && !span_eq(*sent, model)) {
		d->rewrite_at = s->model_raw;
		d->rewrite_to = *sent;
	}
	return v;
}

/* Whether what the rule (-1: none) is for is sent as it is, to where the call goes. */
static bool
goes_along(const struct ingress *in, long rule, struct span model, const struct decision *d)
{
	return rule < 0 || (in->plan.models[rule].target == d->target &&
			    span_eq(model_sent(&in->plan.models[rule], model), model));
}

static enum verdict
check_tool_model(const struct ingress *in, struct span model, struct decision *d)
{
	long rule;

	if (!may_use(in, d->caller, model, &rule))
		return refuse_model(in, model, d);
	if (goes_along(in, rule, model, d))
		return VERDICT_OK;
	return decide_refuse(d, VERDICT_MODEL_NOT_ALLOWED,
			     "The rule for the model \"%.*s\", which a tool names, renames it or "
			     "leads to another target than the call's; name one that goes there as "
			     "it is.",
			     model.len < DECIDE_MODEL_MAX ? (int)model.len : DECIDE_MODEL_MAX,
			     model.ptr);
}

/* A name that nobody has: where every model may be used, so may the one that is not named. */
static enum verdict
check_unnamed(const struct ingress *in, struct decision *d)
{
	struct span unnamed = SPAN("image_generation");
	long rule;

	if (may_use(in, d->caller, unnamed, &rule) && goes_along(in, rule, unnamed, d))
		return VERDICT_OK;
	return decide_refuse(
		d, VERDICT_MODEL_NOT_ALLOWED,
		"The tool \"image_generation\" runs on a model of its own, and "
		"`models`, or this caller's own, has rules for which may be used; name "
		"one in it that they allow (\"model\").");
}

/*
 * Some tools run on a model of their own: OpenAI's image_generation, Anthropic's advisor. It stands
 * in the tool itself; what is deeper is a schema's.
 */
static enum verdict
check_tools(const struct ingress *in, struct span body, const struct scan *s, struct decision *d)
{
	struct span name, item;
	struct scan tool;
	enum verdict v = VERDICT_OK;

	if (s->tools.ptr == NULL || !has_rules(in, d))
		return VERDICT_OK;
	if (s->many_tools)
		return decide_refuse(d, VERDICT_MALFORMED_REQUEST, "The body has \"tools\" twice.");
	if (s->tools.ptr[0] != '[')
		return VERDICT_OK;
	for (size_t at = 1, nmodels = 0;
	     v == VERDICT_OK && walk_item(s->tools, &at, false, &name, &item);) {
		enum scan_fault fault;

		if (item.ptr[0] != '{')
			continue;
		fault = scan_json(&tool, item, NULL, NULL);
		tool.error_at += (size_t)(item.ptr - body.ptr);
		if (fault != SCAN_OK)
			return refuse_scan(d, "A tool in the body", fault, &tool);
		if (tool.has_model && tool.model_is_folded)
			return refuse_folded(d, "A tool in the body");
		/* Each is held against all rules, while all others wait. */
		if (tool.has_model && ++nmodels > TOOL_MODELS_MAX)
			return decide_refuse(d, VERDICT_MALFORMED_REQUEST,
					     "More than %d \"tools\" name a model.",
					     TOOL_MODELS_MAX);
		if (!tool.has_model && tool_has_default_model(item))
			v = check_unnamed(in, d);
		if (tool.has_model)
			v = check_tool_model(in, (struct span){tool.model, tool.model_len}, d);
	}
	return v;
}

/* A list of models is cut down to those that the call may use (listing.h). */
static bool
is_listing(const struct ingress *in, const struct decision *d)
{
	struct span id;

	return has_rules(in, d) && d->route->operation == OPERATION_MODELS &&
	       !route_model(d->route, d->rest, &id);
}

/* Bedrock's agents and knowledge bases are at a host of their own, which is a target beside it. */
static uint16_t
host_for(const struct ingress *in, const struct decision *d)
{
	uint16_t agents = in->plan.targets[d->target].agents;
	bool theirs = (OPERATIONS_OF_AGENTS >> d->route->operation & 1) != 0;

	return theirs && agents > 0 ? agents : d->target;
}

static enum verdict
decide_begin(const struct ingress *in, struct decision *d)
{
	d->spoken = d->dialect;
	d->rule = DECIDE_NO_RULE;
	d->target = PLAN_NONE;
	d->listing = is_listing(in, d);
	return decide_path(in, d);
}

/* Several targets speak the dialect. Naming a model helps only where there are rules for it. */
static enum verdict
refuse_undecided(const struct ingress *in, struct decision *d)
{
	if (!in->plan.has_models)
		return decide_refuse(
			d, VERDICT_MODEL_NOT_ALLOWED,
			"Nothing decides which target gets a call in the %s dialect: the "
			"configuration has neither rules in `models` nor a `defaultTarget` for "
			"it; add one.",
			dialect_name(d->dialect));
	return decide_refuse(d, VERDICT_MODEL_NOT_ALLOWED,
			     "The call names no model and there is no `defaultTarget` for the %s "
			     "dialect; name a model, or configure one.",
			     dialect_name(d->dialect));
}

/* The target, when the body's model (if it has one) has been held against the rules. */
static enum verdict
decide_target(const struct ingress *in, bool has_model, struct decision *d)
{
	/*
	 * Rules for models would be worth little if a call could leave its model to the
	 * upstream.
	 */
	if (!has_model && d->route->needs_model && has_rules(in, d))
		return decide_refuse(
			d, VERDICT_MODEL_NOT_ALLOWED,
			"The call names no model, and `models`, or this caller's own, has rules "
			"for which may be used; name one that is configured.");
	if (d->rule < 0)
		d->target = in->plan.default_targets[d->dialect].number;
	if (d->target == PLAN_NONE)
		return refuse_undecided(in, d);
	d->target = host_for(in, d);
	return decide_target_serves(in, d);
}

/* sent: the body's model, as the target is to see it. */
static enum verdict
decide_spoken(const struct ingress *in, struct span sent, struct decision *d)
{
	if (!in->plan.targets[d->target].classic || d->dialect != DIALECT_OPENAI)
		return VERDICT_OK;
	return decide_classic(span_of(d->route->method), sent, d);
}

/* What may be nothing at all is read as JSON where it is something. */
static bool
is_json(const struct decision *d, struct span body)
{
	return d->body == BODY_JSON && (body.len > 0 || d->route->body != BODY_UNTYPED_JSON);
}

enum verdict
decide_body(const struct ingress *in, struct span body, struct decision *d)
{
	static struct scan s; /* d->rewrite_to is a view into it until the next call */
	struct span sent = {NULL, 0};
	bool json = is_json(d, body);
	enum verdict v;

	if (d->dialect == DIALECT_BEDROCK && body.len > BEDROCK_BODY_MAX)
		return decide_refuse(d, VERDICT_BODY_TOO_LARGE,
				     "Bedrock takes no body of more than %d bytes.",
				     BEDROCK_BODY_MAX);
	s.has_model = false;
	v = decide_begin(in, d);
	if (v == VERDICT_OK && json)
		v = decide_json(in, body, &s, d, &sent);
	if (v == VERDICT_OK && d->body == BODY_FORM)
		v = decide_refuse(d, VERDICT_MALFORMED_REQUEST, "The form is empty.");
	if (v == VERDICT_OK)
		v = decide_target(in, s.has_model, d);
	if (v == VERDICT_OK && json)
		v = check_tools(in, body, &s, d);
	if (v != VERDICT_OK)
		return v;
	decide_usage(in, body, &s, d);
	return decide_spoken(in, sent, d);
}

/* ---- forms ---- */

static bool
is_upload(const struct decision *d)
{
	return d->route->operation == OPERATION_FILES;
}

/* LiteLLM reads a form's metadata as JSON (metadata.h); no form of OpenAI's has any. */
static bool
denies_of_form(const void *arg, struct span folded_name)
{
	return span_is(folded_name, "metadata") || decide_denies(arg, folded_name);
}

static bool
denies_of_file(const void *arg, struct span folded_name)
{
	return span_is(folded_name, "model") || denies_of_form(arg, folded_name);
}

/* A file is for no model in particular: one that names one would pass the rules by. */
scan_denies_fn *
decide_form_denies(const struct ingress *in, const struct decision *d)
{
	return is_upload(d) && in->plan.has_models ? denies_of_file : denies_of_form;
}

bool
decide_awaits_model(const struct ingress *in, const struct decision *d)
{
	uint16_t target = in->plan.default_targets[d->dialect].number;

	if (is_upload(d))
		return false;
	return has_rules(in, d) || (target != PLAN_NONE && in->plan.targets[target].classic);
}

enum verdict
decide_form_fault(const struct multipart *form, struct decision *d)
{
	if (form->fault == MULTIPART_DENIED_FIELD && span_is(span_of(form->current.name), "model"))
		return decide_refuse(d, VERDICT_FIELD_NOT_ALLOWED,
				     "A file is for no model in particular; leave \"model\" out.");
	if (form->fault == MULTIPART_DENIED_FIELD)
		return decide_refuse(
			d, VERDICT_FIELD_NOT_ALLOWED,
			"The form's field \"%s\" would steer the upstream or choose another "
			"model, which the configuration alone decides; leave it out.",
			form->current.name);
	return decide_refuse(d, VERDICT_MALFORMED_REQUEST, "The form %s (near byte %llu).",
			     multipart_fault_text(form), (unsigned long long)form->at);
}

enum verdict
decide_form(const struct ingress *in, const struct multipart *form, struct decision *d)
{
	struct span model = {form->model, form->has_model ? form->model_len : 0}, sent = model;
	enum verdict v = decide_begin(in, d);

	if (v == VERDICT_OK && form->has_model) {
		if (d->model[0] == '\0')
			note_model(d, model);
		v = pick_by_model(in, model, d, &sent);
		if (!span_eq(sent, model))
			d->rewrite_to = sent;
	}
	if (v == VERDICT_OK && !span_eq(sent, model) && form->model_has_length)
		return decide_refuse(
			d, VERDICT_MALFORMED_REQUEST,
			"A rule of `models` renames the form's model, whose part has a "
			"Content-Length, which would be wrong then; leave that out.");
	if (v == VERDICT_OK)
		v = decide_target(in, form->has_model, d);
	return v != VERDICT_OK ? v : decide_spoken(in, sent, d);
}
