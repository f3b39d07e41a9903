/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/init_bedrock.h"
#include "cli/init_formats.h"
#include "config/form.h"
#include "config/url.h"

enum { NAMES_MAX = 3, OWN_PORT = 7717 };

#define ANTHROPIC_TOKEN "ANTHROPIC_AUTH_TOKEN"

/* Variables that SDKs read; of several names the first that is set counts. */
struct product {
	const char *name;
	enum provider provider;
	const char *keys[NAMES_MAX];
	const char *bases[NAMES_MAX];
	const char *base; /* where none of those is set; NULL: it has no place of its own */
};

static const struct product products[] = {
	{"openai",
	 PROVIDER_OPENAI,
	 {"OPENAI_API_KEY"},
	 {"OPENAI_BASE_URL", "OPENAI_API_BASE"},
	 "https://api.openai.com/v1"},
	{"anthropic",
	 PROVIDER_ANTHROPIC,
	 {"ANTHROPIC_API_KEY", ANTHROPIC_TOKEN},
	 {"ANTHROPIC_BASE_URL"},
	 "https://api.anthropic.com"},
	{"azure",
	 PROVIDER_AZURE,
	 {"AZURE_OPENAI_API_KEY", "AZURE_API_KEY"},
	 {"AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"},
	 NULL},
	{"gemini",
	 PROVIDER_GEMINI,
	 {"GEMINI_API_KEY", "GOOGLE_API_KEY"},
	 {NULL},
	 "https://generativelanguage.googleapis.com/v1beta/openai"},
	{"litellm",
	 PROVIDER_LITELLM,
	 {"LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"},
	 {"LITELLM_PROXY_API_BASE", "LITELLM_BASE_URL", "LITELLM_API_BASE"},
	 NULL},
};

/* The first of the names that is set, and in *value what to; NULL: none. */
static const char *
first_set(const struct draft *d, const char *const names[static NAMES_MAX], const char **value)
{
	for (size_t i = 0; i < NAMES_MAX && names[i] != NULL; i++) {
		*value = d->env.get(d->env.arg, names[i]);
		if (*value != NULL && (*value)[0] != '\0')
			return names[i];
	}
	return NULL;
}

/* Whether a URL of the agent's leads to where sidekey itself will listen. */
static bool
is_own(const struct url *url)
{
	return url->port == OWN_PORT &&
	       (url_is_loopback(url->host) || span_iis(url->host, "localhost"));
}

static bool
set_base(struct draft *d, const struct product *p, struct draft_target *t)
{
	const char *value = NULL, *name = first_set(d, p->bases, &value);
	struct span text = name == NULL ? SPAN("") : span_of(value);
	struct url url;

	while (text.len > 0 && text.ptr[text.len - 1] == '/')
		text = span_cut(text, 0, text.len - 1);
	if (name != NULL &&
	    (url_parse(text, &url) != URL_OK || !source_may_be_copied(text) || is_own(&url))) {
		draft_note(
			d, NULL, name,
			"is set to sidekey's own address, or to no URL that an apiBase can be; it "
			"was not taken",
			"write the upstream's URL into apiBase");
		text = SPAN("");
	}
	t->api_base = text.len > 0 ? text : span_of(p->base);
	if (text.len > 0 && !url.https) {
		t->allow_plaintext = true;
		draft_note(d, NULL, name, "is plain http, which others on the way can read",
			   "use https where you can, and take allowPlaintext out");
	}
	return t->api_base.len > 0;
}

/* Claude Code and Anthropic's SDKs send this one as others send their keys. */
static void
set_key(struct draft *d, struct draft_target *t, const char *key)
{
	if (strcmp(key, ANTHROPIC_TOKEN) != 0) {
		t->api_key = draft_text(d, "env:%s", key);
		return;
	}
	t->api_key = SPAN("none");
	t->headers[t->nheaders++] = (struct draft_pair){SPAN("Authorization"),
							SPAN("Bearer ${env:" ANTHROPIC_TOKEN "}")};
}

static void
read_product(struct draft *d, const struct product *p)
{
	struct draft_target t = {.provider = p->provider};
	const char *value = NULL, *key = first_set(d, p->keys, &value), *version;

	if (key == NULL)
		return;
	if (!set_base(d, p, &t)) {
		draft_note(d, NULL, key, "is set, but no variable says where that upstream is",
			   draft_text(d, "set %s, or write the target by hand", p->bases[0]).ptr);
		return;
	}
	set_key(d, &t, key);
	version = d->env.get(d->env.arg, "OPENAI_API_VERSION");
	if (p->provider == PROVIDER_AZURE && !span_ends(t.api_base, SPAN("/openai/v1")) &&
	    version != NULL && form_query_name.is_good(span_of(version)))
		t.query[t.nquery++] =
			(struct draft_pair){SPAN("api-version"), draft_text(d, "%s", version)};
	(void)draft_target(d, &t, p->name);
}

static void
read_bedrock(struct draft *d)
{
	static const char *const names[NAMES_MAX] = {"AWS_BEARER_TOKEN_BEDROCK"};
	struct draft_target t = {.provider = PROVIDER_BEDROCK};
	const char *value;

	if (first_set(d, names, &value) == NULL)
		return;
	t.api_key = SPAN("env:AWS_BEARER_TOKEN_BEDROCK");
	bedrock_region(d, NULL, "AWS_REGION", &t);
	(void)draft_target(d, &t, "bedrock");
}

/* Nothing in an environment says which models are whose: the first of a dialect gets its calls. */
static void
remark_order(struct draft *d)
{
	unsigned taken = 0;

	for (size_t i = 0; i < d->ntargets; i++) {
		unsigned spoken = dialects_of(d->targets[i].provider);

		if ((spoken & ~taken) == 0)
			draft_note(d, NULL, d->targets[i].name.ptr,
				   "no call goes there, since the agent speaks to a target before "
				   "it in the same way; write `models` that say which is whose",
				   NULL);
		taken |= spoken;
	}
}

void
environment_read(struct draft *d)
{
	d->made_from = "the keys in this environment";
	for (size_t i = 0; i < sizeof(products) / sizeof(products[0]); i++)
		read_product(d, &products[i]);
	read_bedrock(d);
	remark_order(d);
	if (d->ntargets > 0)
		return;
	d->made_from = "nothing: an example to fill in";
	(void)draft_target(
		d,
		&(struct draft_target){
			.provider = PROVIDER_OPENAI,
			.api_base = SPAN("https://api.openai.com/v1"),
			.api_key = SPAN("arn:aws:secretsmanager:us-east-1:123456789012:secret:"
					"openai-AbCdEf")},
		"openai");
}
