/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/init_bedrock.h"
#include "cli/init_deployments.h"
#include "cli/init_formats.h"
#include "cli/init_headers.h"
#include "cli/init_remarks.h"
#include "cli/init_upstream.h"
#include "config/form.h"

enum { DAY_SECONDS = 24 * 60 * 60, SHARE_MAX = 1000 * 1000 * 1000, ONE = 1000 };

/* One entry of model_list. */
struct deployment {
	struct draft *d;
	const struct yaml_item *root, *entry, *params;
	size_t index;                       /* of entry */
	const struct yaml_item *credential; /* of credential_list, or NULL */
	char path[DRAFT_PATH_MAX];          /* of params */
	struct span model;                  /* what is sent upstream */
	const struct upstream *upstream;
};

/* ---- one deployment ---- */

/* Where key is: among the entry's own parameters, or in the credential that it names. */
static struct source_place
place(const struct deployment *p, const char *key)
{
	if (source_member(p->params, key) == NULL && source_member(p->credential, key) != NULL)
		return (struct source_place){p->d, p->credential,
					     "credential_list[].credential_values"};
	return (struct source_place){p->d, p->params, p->path};
}

static const struct yaml_item *
find_credential(const struct deployment *p)
{
	const struct yaml_item *list = source_member(p->root, "credential_list");
	struct span name = source_text(p->params, "litellm_credential_name");

	for (const struct yaml_item *m = list == NULL || name.len == 0 ? NULL : list->first;
	     m != NULL; m = m->next)
		if (span_eq(source_text(m, "credential_name"), name))
			return source_member(m, "credential_values");
	return NULL;
}

/* The upstream and the model's name there. False, with a note, when it is none of ours. */
static bool
find_upstream(struct deployment *p)
{
	struct source_place in = {p->d, p->params, p->path};
	struct span model = source_text(p->params, "model");
	struct span custom = source_text(p->params, "custom_llm_provider");

	if (!source_may_be_copied(model)) {
		source_note(&in, "model", "is no name of a model and was left out", NULL);
		return false;
	}
	p->upstream = upstream_of(model, &p->model);
	if (custom.len > 0) {
		p->upstream = upstream_find(custom);
		p->model = model;
		if (span_starts(model, custom) && model.len > custom.len + 1 &&
		    model.ptr[custom.len] == '/')
			p->model = span_cut(model, custom.len + 1, model.len);
	}
	if (p->upstream == NULL)
		source_note(&in, "model",
			    "is of a provider that sidekey does not speak to, or of none that is "
			    "clear; it was left out",
			    "keep it behind a LiteLLM proxy, and make that proxy a target");
	return p->upstream != NULL;
}

/* bedrock/us-west-2/ID: the region stands in the name. */
static void
cut_region(struct deployment *p, struct draft_target *t)
{
	size_t slash = span_find(p->model, 0, '/');
	struct span first = span_cut(p->model, 0, slash);

	if (slash == p->model.len || !form_region.is_good(first))
		return;
	t->region = first;
	p->model = span_cut(p->model, slash + 1, p->model.len);
}

static int
read_bedrock(struct deployment *p, struct draft_target *t)
{
	struct source_place in = place(p, "aws_bedrock_runtime_endpoint");

	cut_region(p, t);
	if (source_member(in.map, "aws_bedrock_runtime_endpoint") != NULL &&
	    source_base(&in, "aws_bedrock_runtime_endpoint", NULL, t) != 0)
		return -1;
	in = place(p, "api_key");
	t->api_key = source_reference(&in, "api_key", "AWS_BEARER_TOKEN_BEDROCK");
	in = place(p, "aws_region_name");
	bedrock_identity(&in, t);
	bedrock_region(p->d, p->params, "AWS_REGION", t);
	return 0;
}

/* With a Bedrock API key nothing is signed, so that nobody is assumed. */
static void
drop_identity(const struct deployment *p, struct draft_target *t)
{
	struct source_place in = {p->d, p->params, p->path};

	if (t->api_key.len == 0 || (t->role.len == 0 && t->profile.len == 0))
		return;
	source_note(&in, t->role.len > 0 ? "aws_role_name" : "aws_profile_name",
		    "stands beside an API key, with which nothing is signed; it was left out",
		    "take apiKey out of the target if calls are to be signed");
	t->role = t->profile = SPAN("");
}

static bool
is_version(struct span s)
{
	return form_query_name.is_good(s) && s.len <= 32;
}

static void
read_version(const struct deployment *p, struct draft_target *t)
{
	struct source_place in = place(p, "api_version");
	struct span version;

	/* The v1 interface has none. */
	if (p->upstream->provider != PROVIDER_AZURE || span_ends(t->api_base, SPAN("/openai/v1")))
		return;
	version = source_value(&in, "api_version", is_version, "2024-10-21");
	if (version.len > 0)
		t->query[t->nquery++] = (struct draft_pair){SPAN("api-version"), version};
}

static void
read_timeout(const struct deployment *p, struct draft_target *t)
{
	struct source_place in = {p->d, p->params, p->path};
	struct span text = source_text(p->params, "timeout");
	uint64_t seconds;

	if (source_member(p->params, "timeout") == NULL)
		return;
	if (span_ends(text, SPAN(".0")))
		text = span_cut(text, 0, text.len - 2);
	if (num_u64(text, DAY_SECONDS, &seconds) == 0 && seconds > 0)
		t->first_byte_s = seconds;
	else
		source_note(&in, "timeout", "is no number of seconds and was not carried over",
			    "write timeouts.firstByte by hand");
}

/* No secret, though it looks like one. */
static bool
is_organization(struct span s)
{
	return span_starts(s, SPAN("org-")) && form_query_name.is_good(s) && s.len <= 64;
}

static void
read_headers(const struct deployment *p, struct draft_target *t)
{
	struct source_place in = {p->d, p->params, p->path};
	struct span organization =
		source_value(&in, "organization", is_organization, "org-not-set");

	if (organization.len > 0)
		t->headers[t->nheaders++] =
			(struct draft_pair){SPAN("OpenAI-Organization"), organization};
	headers_values(&in, "extra_headers", t);
	headers_values(&in, "headers", t);
	headers_access(t);
}

/* A server of one's own that speaks OpenAI's protocol is no OpenAI. */
static void
settle_provider(const struct deployment *p, struct draft_target *t)
{
	if (p->upstream->provider == PROVIDER_OPENAI && p->upstream->base != NULL &&
	    !span_starts(t->api_base, SPAN("https://api.openai.com/")))
		t->provider = PROVIDER_OPENAI_COMPATIBLE;
}

/*
 * The variable that LiteLLM reads; not for another host than the provider's own, which must not
 * get the provider's key because somebody forgot to name one.
 */
static struct span
default_key(const struct deployment *p, const struct draft_target *t)
{
	const struct upstream *u = p->upstream;
	struct source_place in = {p->d, p->params, p->path};

	if (u->key == NULL)
		return SPAN("none");
	if (u->base == NULL || span_is(t->api_base, u->base))
		return draft_text(p->d, "env:%s", u->key);
	source_note(&in, "api_key", "no key is named for this host, so none is sent",
		    "write into apiKey where its key is, if there is one");
	return SPAN("none");
}

static int
read_target(struct deployment *p, struct draft_target *t)
{
	const struct upstream *u = p->upstream;
	const char *base = source_member(p->params, "base_url") != NULL ? "base_url" : "api_base";
	struct source_place in = place(p, base);

	t->provider = u->provider;
	if (u->provider == PROVIDER_BEDROCK) {
		if (read_bedrock(p, t) != 0)
			return -1;
		read_headers(p, t);
		drop_identity(p, t);
	} else {
		if (source_base(&in, base, u->base, t) != 0)
			return -1;
		settle_provider(p, t);
		in = place(p, "api_key");
		t->api_key = source_reference(&in, "api_key",
					      u->key != NULL ? u->key : "UPSTREAM_API_KEY");
		read_headers(p, t);
		if (t->api_key.len == 0)
			t->api_key = default_key(p, t);
	}
	read_version(p, t);
	read_timeout(p, t);
	return 0;
}

/* ---- names ---- */

/*
 * How a name becomes what is sent. Of two prefixes that end in *, the one that is asked for must
 * end in the one that is sent, since a rule cuts off and does not put in front. False: it cannot
 * be said in a rule.
 */
static bool
make_rule(struct span name, struct span sent, struct draft_rule *rule)
{
	size_t star = span_find(name, 0, '*'), sent_star = span_find(sent, 0, '*');
	struct span front, sent_front;

	rule->match = name;
	if (star == name.len) {
		rule->send_as = span_eq(name, sent) ? SPAN("") : sent;
		return sent_star == sent.len;
	}
	if (star != name.len - 1 || (sent_star != sent.len && sent_star != sent.len - 1))
		return false;
	if (sent_star == sent.len) { /* every name of the prefix as the one model */
		rule->send_as = sent;
		return true;
	}
	front = span_cut(name, 0, star);
	sent_front = span_cut(sent, 0, sent_star);
	rule->strip_prefix = span_cut(front, 0, front.len - sent_front.len);
	return front.len >= sent_front.len && span_ends(front, sent_front);
}

static void
add_rule(const struct deployment *p, const struct source_place *entry, size_t target)
{
	struct draft_rule rule = {.target = target};
	struct span name = source_text(p->entry, "model_name");

	if (!make_rule(name, p->model, &rule)) {
		source_note(entry, "model_name",
			    "its pattern cannot be said in a rule of sidekey's; it was left out",
			    "write rules for the names that are used");
		return;
	}
	draft_rule(p->d, &rule);
}

/* ---- an entry ---- */

/* False, with a note, when it is none that can be carried over. */
static bool
read_members(struct deployment *p, const char *path, struct draft_target *t)
{
	snprintf(p->path, sizeof(p->path), "model_list[%zu].litellm_params", p->index);
	p->params = source_member(p->entry, "litellm_params");
	if (!source_may_be_copied(source_text(p->entry, "model_name")) || p->params == NULL ||
	    p->params->kind != YAML_MAP) {
		draft_note(
			p->d, p->entry, path,
			"has no model_name that can be used, or no litellm_params; it was left out",
			NULL);
		return false;
	}
	p->credential = find_credential(p);
	if (!find_upstream(p) || read_target(p, t) != 0)
		return false;
	upstream_note(p->d, t->provider, p->entry, path);
	return true;
}

/* The same; that it is left out is said of each, a reason that many of them have but once. */
static bool
read_deployment(struct deployment *p, struct draft_target *t)
{
	char path[DRAFT_PATH_MAX];
	size_t said = p->d->notes.n;

	snprintf(path, sizeof(path), "model_list[%zu]", p->index);
	if (read_members(p, path, t))
		return true;
	if (p->d->notes.n == said)
		draft_note(p->d, p->entry, path,
			   "was left out, for the reason that is given of another", NULL);
	return false;
}

/* ---- several deployments of one name ---- */

static bool
is_of_group(const struct deployment *first, const struct yaml_item *entry)
{
	return span_eq(source_text(entry, "model_name"), source_text(first->entry, "model_name"));
}

/* By what LiteLLM shares out the calls of the group; NULL: evenly. */
static const char *
find_share_key(const struct deployment *first)
{
	static const char *const keys[] = {"weight", "rpm", "tpm", NULL};
	size_t best = sizeof(keys) / sizeof(keys[0]) - 1;

	for (const struct yaml_item *m = first->entry; m != NULL; m = m->next)
		for (size_t i = 0; i < best && is_of_group(first, m); i++)
			if (source_member(source_member(m, "litellm_params"), keys[i]) != NULL)
				best = i;
	return keys[best];
}

/* "2", "0.25" in thousandths; 0 where it is neither. */
static uint64_t
read_share(struct span text)
{
	size_t point = span_find(text, 0, '.');
	struct span whole = span_cut(text, 0, point), part = span_cut(text, point + 1, text.len);
	uint64_t n = 0, thousandths = 0;

	part = span_cut(part, 0, 3);
	if ((whole.len > 0 && num_u64(whole, SHARE_MAX, &n) != 0) ||
	    (part.len > 0 && num_u64(part, ONE, &thousandths) != 0))
		return 0;
	for (size_t i = part.len; i < 3; i++)
		thousandths *= 10;
	return n * ONE + thousandths;
}

static uint64_t
find_share(const struct deployment *p, const char *key)
{
	struct source_place in = {p->d, p->params, p->path};
	uint64_t share = key == NULL ? ONE : read_share(source_text(p->params, key));

	if (share == 0 && source_member(p->params, key) != NULL)
		source_note(&in, key, "is no share that a deployment can have; it gets the least",
			    "take it out of deployments, if it is to get no calls");
	return share;
}

static void
remark_order(const struct deployment *p)
{
	struct source_place in = {p->d, p->params, p->path};

	if (source_member(p->params, "order") != NULL)
		source_note(&in, "order", "an order among deployments is not carried over",
			    "calls are spread by weight, and one that fails or throttles is "
			    "spared for a while");
}

static bool
may_join(const struct deployment *first, const struct draft_target *group,
	 const struct deployment *p, const struct draft_target *t)
{
	struct source_place in = {p->d, p->params, p->path};
	const char *difference = deployments_difference(group, t);

	if (difference == NULL && !span_eq(p->model, first->model))
		difference = "what its model is called there";
	if (difference == NULL)
		return true;
	source_note(&in, "model",
		    draft_text(p->d,
			       "differs from the first deployment of its name in %s, and was not "
			       "carried over",
			       difference)
			    .ptr,
		    "deployments of a target differ in apiBase, region, apiKey and weight alone; "
		    "give it a name of its own, or keep a LiteLLM proxy behind sidekey");
	return false;
}

/* key: of its share. */
static void
read_further(const struct deployment *first, struct deployment *p, const char *key,
	     struct draft_target *group)
{
	struct draft_target t = {.provider = PROVIDERS};
	struct source_place in = {p->d, NULL, p->path};
	const char *why;

	if (!read_deployment(p, &t) || !may_join(first, group, p, &t))
		return;
	in.map = p->params;
	remarks_params(&in);
	remark_order(p);
	why = deployments_add(group, &t, find_share(p, key));
	if (why != NULL)
		source_note(&in, "model", why, "give it a name of its own");
}

/* All the deployments of a name, of which first is t, as one target. */
static void
read_group(const struct deployment *first, struct draft_target *t)
{
	const struct draft_target alone = *t;
	const char *key = find_share_key(first);
	size_t i = first->index;

	(void)deployments_add(t, &alone, find_share(first, key));
	for (const struct yaml_item *m = first->entry->next; m != NULL; m = m->next) {
		struct deployment p = {
			.d = first->d, .root = first->root, .entry = m, .index = ++i};

		if (is_of_group(first, m))
			read_further(first, &p, key, t);
	}
	deployments_settle(first->d, t);
	if (t->ndeployments > 0)
		remark_order(first);
}

/* A model that is not carried over is one of a * rule's, if there is one, which is told of each. */
static void
remark_wildcard(const struct source_place *in, const struct yaml_item *root)
{
	const struct yaml_item *list = source_member(root, "model_list");
	const char *name = source_name(in->draft, source_text(in->map, "model_name"));

	for (const struct yaml_item *m = list->first; m != NULL; m = m->next) {
		struct span other = source_text(m, "model_name");

		if (m == in->map || span_find(other, 0, '*') == other.len)
			continue;
		source_note(in, "model_name",
			    draft_text(in->draft,
				       "%s was left out, and a rule with * may fit it: its calls "
				       "then go where that one's go",
				       name)
				    .ptr,
			    "write a rule of its own for it, or take the one with * out");
		return;
	}
}

static void
read_entry(struct draft *d, const struct yaml_item *root, const struct yaml_item *entry, size_t i)
{
	struct deployment p = {.d = d, .root = root, .entry = entry, .index = i};
	struct draft_target t = {.provider = PROVIDERS};
	char path[DRAFT_PATH_MAX];
	struct source_place in = {d, entry, path};
	long target;

	snprintf(path, sizeof(path), "model_list[%zu]", i);
	if (draft_rule_find(d, source_text(entry, "model_name")) != NULL)
		return; /* it was read with the first of its name */
	if (!read_deployment(&p, &t)) {
		remark_wildcard(&in, root);
		return;
	}
	remarks_params(&(struct source_place){d, p.params, p.path});
	read_group(&p, &t);
	target = draft_target(d, &t, p.upstream->prefix);
	if (target >= 0)
		add_rule(&p, &in, (size_t)target);
}

/* ---- what stands around the list ---- */

/* Another name for a model: the text, or {model, hidden}. */
static void
read_alias(struct draft *d, const struct source_place *in, const struct yaml_item *m)
{
	struct span model = m->kind == YAML_TEXT ? m->text : source_text(m, "model");
	const struct draft_rule *of = draft_rule_find(d, model);
	struct draft_rule rule = {0};

	if (of != NULL)
		rule = *of;
	rule.match = m->key;
	if (of != NULL && rule.send_as.len == 0)
		rule.send_as = of->match;
	if (of == NULL || !source_may_be_copied(m->key) || rule.strip_prefix.len > 0 ||
	    !form_match.is_good(m->key) || !draft_rule(d, &rule))
		source_note(in, source_name(d, m->key),
			    "is an alias of no model that was carried over; it was left out", NULL);
}

static void
read_aliases(struct draft *d, const struct yaml_item *router)
{
	const struct yaml_item *map = source_member(router, "model_group_alias");
	struct source_place in = {d, map, "router_settings.model_group_alias"};

	if (map == NULL || map->kind != YAML_MAP)
		return;
	for (const struct yaml_item *m = map->first; m != NULL; m = m->next)
		read_alias(d, &in, m);
}

bool
litellm_is(const struct yaml_item *root)
{
	const struct yaml_item *list = source_member(root, "model_list");

	return list != NULL && list->kind == YAML_LIST;
}

void
litellm_read(struct draft *d, const struct yaml_item *root)
{
	const struct yaml_item *list = source_member(root, "model_list");
	size_t i = 0;

	d->made_from = "a LiteLLM config.yaml";
	for (const struct yaml_item *m = list->first; m != NULL; m = m->next)
		read_entry(d, root, m, i++);
	read_aliases(d, source_member(root, "router_settings"));
	remarks_around(d, root);
	draft_sort(d);
}
