/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/arn.h"
#include "cli/init_bedrock.h"
#include "cli/init_formats.h"
#include "cli/init_headers.h"
#include "cli/init_upstream.h"
#include "config/form.h"
#include "config/url.h"

bool
blueprint_is(const struct yaml_item *root)
{
	return source_text(source_member(root, "model"), "model_id").len > 0;
}

/* The variable that api_key_env names, as a reference; fallback where it names none. */
static struct span
read_key(const struct source_place *in, struct span fallback)
{
	const struct yaml_item *item = source_member(in->map, "api_key_env");
	struct span name = source_text(in->map, "api_key_env");

	if (source_member(in->map, "api_key") != NULL)
		return source_reference(in, "api_key", "LITELLM_API_KEY");
	if (item == NULL)
		return fallback;
	if (expand_is_name(name) && name.len <= 64)
		return draft_text(in->draft, "env:%.*s", (int)name.len, name.ptr);
	return source_reference(in, "api_key_env", "LITELLM_API_KEY");
}

/* base_url with any OpenAI-compatible server behind it, which the host tells apart. */
static int
read_proxy(const struct source_place *in, struct draft_target *t, const char **name)
{
	struct url url;

	t->provider = PROVIDER_LITELLM;
	*name = "litellm";
	if (source_base(in, "base_url", NULL, t) != 0)
		return -1;
	if (url_parse(t->api_base, &url) == URL_OK &&
	    span_iis(url.host, "gateway.ai.cloudflare.com")) {
		t->provider = PROVIDER_CLOUDFLARE;
		*name = "gateway";
	}
	t->api_key = read_key(in, SPAN(""));
	headers_variables(in, "extra_headers_env", t);
	headers_access(t);
	if (t->api_key.len > 0)
		return 0;
	t->api_key = SPAN("none");
	source_note(in, "api_key_env", "no key is named, so none is sent",
		    "write into apiKey where the key is, if there is one");
	return 0;
}

/* Without base_url, LiteLLM's rules say where the model is. */
static int
read_litellm(const struct source_place *in, struct draft_target *t, const char **name,
	     struct span *model)
{
	const struct upstream *u = upstream_of(*model, model);

	if (u == NULL) {
		source_note(in, "model_id",
			    "is of a provider that sidekey does not speak to, or of none that is "
			    "clear",
			    "name a LiteLLM proxy in base_url, or write the target by hand");
		return -1;
	}
	*name = u->prefix;
	t->provider = u->provider;
	upstream_note(in->draft, u->provider, in->map, in->path);
	if (u->provider == PROVIDER_BEDROCK) {
		bedrock_region(in->draft, in->map, "BEDROCK_REGION", t);
		return 0;
	}
	if (source_base(in, "base_url", u->base, t) != 0)
		return -1;
	t->api_key = read_key(in, u->key == NULL ? SPAN("none")
						 : draft_text(in->draft, "env:%s", u->key));
	headers_variables(in, "extra_headers_env", t);
	headers_access(t);
	return 0;
}

static int
read_target(const struct source_place *in, struct draft_target *t, const char **name,
	    struct span *model)
{
	struct span provider = source_text(in->map, "provider");

	if (provider.len == 0 || span_is(provider, "bedrock")) {
		*name = "bedrock";
		t->provider = PROVIDER_BEDROCK;
		bedrock_region(in->draft, in->map, "BEDROCK_REGION", t);
		upstream_note(in->draft, PROVIDER_BEDROCK, in->map, in->path);
		return 0;
	}
	if (span_is(provider, "anthropic")) {
		*name = "anthropic";
		t->provider = PROVIDER_ANTHROPIC;
		t->api_key = read_key(in, SPAN("env:ANTHROPIC_API_KEY"));
		return source_base(in, "base_url", "https://api.anthropic.com", t);
	}
	if (span_is(provider, "litellm") && source_member(in->map, "base_url") != NULL)
		return read_proxy(in, t, name);
	if (span_is(provider, "litellm"))
		return read_litellm(in, t, name, model);
	source_note(
		in, "provider",
		"is none of bedrock, anthropic and litellm (sidekey does not speak to Vertex AI)",
		"put a LiteLLM proxy in front of it, and use provider: litellm");
	return -1;
}

/* ${VAR:-DEFAULT}, which sidekey expands as the blueprint's loader does. */
static bool
has_default(struct span text)
{
	struct span name, model;

	return source_has_default(text, &name, &model) && form_match.is_good(model);
}

static void
add_rule(const struct source_place *in, struct span written, struct span model, size_t target)
{
	struct draft_rule rule = {.match = written, .target = target};

	if (has_default(written) || span_eq(written, model)) {
		draft_rule(in->draft, &rule);
		return;
	}
	rule.send_as = model;
	draft_rule(in->draft, &rule);
	draft_rule(in->draft, &(struct draft_rule){.match = model, .target = target});
}

void
blueprint_read(struct draft *d, const struct yaml_item *root)
{
	const struct yaml_item *map = source_member(root, "model");
	struct source_place in = {d, map, "model"};
	struct draft_target t = {.provider = PROVIDERS};
	struct span written = source_text(map, "model_id"), model = written;
	const char *name = "";
	long target;

	d->made_from = "an agent-core blueprint";
	if (!has_default(written) &&
	    (!source_may_be_copied(written) || !form_match.is_good(written))) {
		source_note(&in, "model_id", "is not known before the agent starts, or no name",
			    "without `models`, every model is let through; write rules by hand");
		d->any_model = true;
	}
	if (read_target(&in, &t, &name, &model) != 0)
		return;
	target = draft_target(d, &t, name);
	if (target >= 0)
		add_rule(&in, written, model, (size_t)target);
	draft_note(d, map, "model", "the blueprint stays as it is, but for where it calls",
		   "set base_url to http://127.0.0.1:7717/v1 and take extra_headers_env out; the "
		   "variable of api_key_env may hold any word");
}
