/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "aws/arn.h"
#include "cli/init_bedrock.h"
#include "cli/init_formats.h"
#include "cli/init_headers.h"
#include "cli/init_upstream.h"
#include "config/form.h"

/* The model of a harness, however it is written. */
struct harness {
	struct draft *d;
	const struct yaml_item *root;  /* the harness */
	const struct yaml_item *model; /* the map with modelId */
	char path[DRAFT_PATH_MAX];     /* of model */
	struct span provider;          /* bedrock open_ai gemini lite_llm */
	struct span model_id;
};

/* The members of the API's union, and the words that the CLI's file has for them. */
static const struct {
	const char *member, *word;
} forms[] = {
	{"bedrockModelConfig", "bedrock"},
	{"openAiModelConfig", "open_ai"},
	{"geminiModelConfig", "gemini"},
	{"liteLlmModelConfig", "lite_llm"},
};

/* The harness itself, or what GetHarness puts around it. */
static const struct yaml_item *
inside(const struct yaml_item *root)
{
	const struct yaml_item *harness = source_member(root, "harness");

	return harness != NULL && harness->kind == YAML_MAP ? harness : root;
}

static bool
find_model(struct harness *h, const struct yaml_item *root)
{
	const struct yaml_item *model, *form;

	h->root = inside(root);
	model = source_member(h->root, "model");
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		form = source_member(model, forms[i].member);
		if (form == NULL || form->kind != YAML_MAP)
			continue;
		h->model = form;
		h->provider = span_of(forms[i].word);
		snprintf(h->path, sizeof(h->path), "model.%s", forms[i].member);
		return true;
	}
	h->model = model;
	h->provider = source_text(model, "provider");
	snprintf(h->path, sizeof(h->path), "model");
	return source_text(model, "modelId").len > 0;
}

bool
harness_is(const struct yaml_item *root)
{
	struct harness h = {0};

	return find_model(&h, root);
}

/* Of the ARNs that the file has anyway: the harness's own, or the credential provider's. */
static struct span
find_region(const struct harness *h)
{
	struct arn arn;

	if (arn_parse(source_text(h->root, "arn"), &arn) == 0 && form_region.is_good(arn.region))
		return arn.region;
	if (arn_parse(source_text(h->model, "apiKeyArn"), &arn) == 0 &&
	    form_region.is_good(arn.region))
		return arn.region;
	return SPAN("");
}

static struct span
read_key(const struct harness *h, const char *fallback)
{
	struct source_place in = {h->d, h->model, h->path};
	struct span key = source_reference(&in, "apiKeyArn", fallback);

	if (key.len > 0)
		return key;
	source_note(
		&in, "apiKeyArn", "no credential provider is named",
		draft_text(h->d, "write into apiKey where the key is; %s was put there", fallback)
			.ptr);
	return draft_text(h->d, "env:%s", fallback);
}

/* OpenAI's interface of Bedrock, which apiFormat chooses, is at a host of its own. */
static void
read_bedrock(const struct harness *h, struct draft_target *t)
{
	struct span format = source_text(h->model, "apiFormat");

	t->provider = PROVIDER_BEDROCK;
	t->region = find_region(h);
	bedrock_region(h->d, h->model, "AWS_REGION", t);
	if (!span_is(format, "responses") && !span_is(format, "chat_completions")) {
		upstream_note(h->d, PROVIDER_BEDROCK, h->model, h->path);
		return;
	}
	t->provider = PROVIDER_OPENAI;
	t->sigv4 = true;
	t->api_base = draft_text(h->d, "https://bedrock-mantle.%.*s.api.aws/openai/v1",
				 (int)t->region.len, t->region.ptr);
	t->region = SPAN("");
}

static void
read_params(const struct harness *h, struct draft_target *t)
{
	const struct yaml_item *params = source_member(h->model, "additionalParams");
	char path[DRAFT_PATH_MAX];
	struct source_place in = {h->d, params, path};

	if (params == NULL || params->kind != YAML_MAP)
		return;
	source_path(&(struct source_place){h->d, h->model, h->path}, "additionalParams", path);
	headers_values(&in, "extra_headers", t);
	for (const struct yaml_item *m = params->first; m != NULL; m = m->next) {
		const char *name = source_name(h->d, m->key);

		if (span_is(m->key, "extra_headers"))
			continue;
		if (t->provider == PROVIDER_AZURE && span_is(m->key, "api_version") &&
		    form_query_name.is_good(m->text))
			t->query[t->nquery++] = (struct draft_pair){SPAN("api-version"), m->text};
		else
			source_note(&in, name,
				    "is not carried over: sidekey changes no request's body", NULL);
	}
}

/* A LiteLLM id with a provider in front; the agent may send it with that or without. */
static int
read_litellm(struct harness *h, struct draft_target *t, const char **name)
{
	struct source_place in = {h->d, h->model, h->path};
	const struct upstream *u = upstream_of(h->model_id, &h->model_id);

	if (u == NULL) {
		source_note(
			&in, "modelId",
			"is of a provider that sidekey does not speak to, or of none that is "
			"clear",
			"make a LiteLLM proxy the target, with litellm_proxy/ before the model");
		return -1;
	}
	*name = u->prefix;
	if (u->provider == PROVIDER_BEDROCK) {
		read_bedrock(h, t);
		return 0;
	}
	t->provider = u->provider;
	if (source_base(&in, "apiBase", u->base, t) != 0)
		return -1;
	if (u->provider == PROVIDER_OPENAI &&
	    !span_starts(t->api_base, SPAN("https://api.openai.com/")))
		t->provider = PROVIDER_OPENAI_COMPATIBLE;
	if (source_member(h->model, "apiKeyArn") != NULL)
		t->api_key = source_reference(&in, "apiKeyArn", "UPSTREAM_API_KEY");
	read_params(h, t);
	headers_access(t);
	if (t->api_key.len == 0)
		t->api_key = u->key == NULL ? SPAN("none") : read_key(h, u->key);
	upstream_note(h->d, t->provider, h->model, h->path);
	return 0;
}

static int
read_target(struct harness *h, struct draft_target *t, const char **name)
{
	struct source_place in = {h->d, h->model, h->path};

	if (span_is(h->provider, "lite_llm"))
		return read_litellm(h, t, name);
	if (span_is(h->provider, "bedrock")) {
		*name = "bedrock";
		read_bedrock(h, t);
		return 0;
	}
	if (span_is(h->provider, "open_ai")) {
		*name = "openai";
		t->provider = PROVIDER_OPENAI;
		t->api_key = read_key(h, "OPENAI_API_KEY");
		return source_base(&in, "apiBase", "https://api.openai.com/v1", t);
	}
	if (span_is(h->provider, "gemini")) {
		*name = "gemini";
		t->provider = PROVIDER_GEMINI;
		t->api_key = read_key(h, "GEMINI_API_KEY");
		t->api_base = SPAN("https://generativelanguage.googleapis.com/v1beta/openai");
		return 0;
	}
	source_note(&in, "provider", "is none of bedrock, open_ai, gemini and lite_llm",
		    "write the target by hand");
	return -1;
}

/* Both spellings of the model, with LiteLLM's prefix and without. */
static void
add_rules(const struct harness *h, struct span written, size_t target)
{
	struct draft_rule rule = {.match = h->model_id, .target = target};

	draft_rule(h->d, &rule);
	rule.match = written;
	rule.send_as = h->model_id;
	draft_rule(h->d, &rule);
}

/* Variables of the agent's whose names say that they hold a secret. */
static void
remark_environment(const struct harness *h)
{
	const struct yaml_item *map = source_member(h->root, "environmentVariables");
	struct source_place in = {h->d, map, "environmentVariables"};

	if (map == NULL || map->kind != YAML_MAP)
		return;
	for (const struct yaml_item *m = map->first; m != NULL; m = m->next) {
		bool is_named =
			span_ends(m->key, SPAN("_KEY")) || span_ends(m->key, SPAN("_TOKEN")) ||
			span_ends(m->key, SPAN("_SECRET")) || span_ends(m->key, SPAN("_PASSWORD"));

		if (is_named || (m->kind == YAML_TEXT && source_is_secret(m->text)))
			source_note(&in, source_name(h->d, m->key),
				    "gives the agent what looks like a secret",
				    "take it out of the harness, or put a worthless value there");
	}
}

static void
remark_tools(const struct harness *h)
{
	if (source_member(h->root, "tools") != NULL || source_member(h->root, "skills") != NULL)
		draft_note(h->d, h->root, "",
			   "tools, skills, prompt and memory stay with the harness; their "
			   "credentials are not sidekey's to hold",
			   "sidekey carries the calls to the model");
}

void
harness_read(struct draft *d, const struct yaml_item *root)
{
	struct harness h = {.d = d};
	struct draft_target t = {.provider = PROVIDERS};
	struct source_place in = {d, NULL, h.path};
	const char *name = "";
	struct span written;
	long target;

	d->made_from = "an AgentCore harness.json";
	find_model(&h, root);
	in.map = h.model;
	written = h.model_id = source_text(h.model, "modelId");
	if (!source_may_be_copied(written) || !form_match.is_good(written)) {
		source_note(&in, "modelId", "is no name of a model", "write the target by hand");
		return;
	}
	if (read_target(&h, &t, &name) != 0)
		return;
	target = draft_target(d, &t, name);
	if (target >= 0)
		add_rules(&h, written, (size_t)target);
	remark_environment(&h);
	remark_tools(&h);
}
