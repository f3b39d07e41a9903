/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/warning.h"

#include "aws/arn.h"
#include "config/plan_identity.h"
#include "config/signing.h"
#include "config/url.h"

/* Of one kind: below a "*" there may be thousands of rules, and the first few say what is wrong. */
enum { PATH_MAX_BYTES = 256, MESSAGE_MAX = 256, ALIKE_MAX = 20 };

struct teller {
	warning_fn *tell;
	void *arg;
};

static void __attribute__((format(printf, 3, 4)))
warn(const struct teller *t, const char *message, const char *path, ...)
{
	char text[PATH_MAX_BYTES];
	va_list args;

	va_start(args, path);
	vsnprintf(text, sizeof(text), path, args);
	va_end(args);
	t->tell(t->arg, text, message);
}

/* Elsewhere a reference stands alone; in a header's value it would be sent as it is written. */
static void
warn_headers(const struct teller *to, const struct config_target *t)
{
	struct reference ignored;

	for (size_t i = 0; i < t->headers.n; i++) {
		const struct config_pair *h = &t->headers.items[i];

		if (reference_parse(h->value, &ignored) == REFERENCE_OK)
			warn(to,
			     "the upstream gets this reference itself as the value: write ${…} "
			     "around it",
			     "targets.%.*s.headers.%.*s", (int)t->name.len, t->name.ptr,
			     (int)h->name.len, h->name.ptr);
	}
}

/* What is signed is signed with its body, and an upload passes without being kept. */
static void
warn_uploads(const struct teller *to, const struct config_target *t)
{
	uint32_t forms = t->operations & operations_of_forms();
	char message[MESSAGE_MAX];
	int n = 0;

	if (forms == 0 || !signing_is_due(t))
		return;
	for (unsigned o = 0; o < OPERATIONS; o++)
		if ((forms >> o & 1) != 0)
			n += snprintf(message + n, sizeof(message) - (size_t)n, "%s%s",
				      n > 0 ? ", " : "", operation_name((enum operation)o));
	snprintf(message + n, sizeof(message) - (size_t)n,
		 ": their uploads are refused, since calls of this target are signed with their "
		 "whole body; only what needs no form of these can be called");
	warn(to, message, "targets.%.*s.operations", (int)t->name.len, t->name.ptr);
}

/* Where the APIs of some hosts are (reference/llm.md 4.2): each of another path is answered 404. */
static const struct {
	const char *host, *end;
} homes[] = {
	{"api.openai.com", "/v1"},
	{"mtls.api.openai.com", "/v1"},
	{"generativelanguage.googleapis.com", "/openai"},
};

/* What a call's path ends in, and a base does not. */
static const char *const ends_of_calls[] = {"/completions", "/embeddings", "/messages",
					    "/responses"};

/* A base as it is copied from an example of curl, or as another program wants it. */
static void
warn_base(const struct teller *to, const struct config_target *t, const struct url *url)
{
	char message[MESSAGE_MAX];

	for (size_t i = 0; i < sizeof(ends_of_calls) / sizeof(ends_of_calls[0]); i++) {
		if (!span_ends(url->path, span_of(ends_of_calls[i])))
			continue;
		warn(to,
		     "is one call's URL: sidekey adds the path of each call to it; leave out "
		     "`/chat/completions`, or whatever the call's is",
		     "targets.%.*s.apiBase", (int)t->name.len, t->name.ptr);
		return;
	}
	for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++) {
		if (!span_iis(url->host, homes[i].host) ||
		    span_ends(url->path, span_of(homes[i].end)))
			continue;
		snprintf(message, sizeof(message),
			 "%s answers 404 to all that sidekey would ask there: the API that it "
			 "speaks is where the path ends in %s",
			 homes[i].host, homes[i].end);
		warn(to, message, "targets.%.*s.apiBase", (int)t->name.len, t->name.ptr);
	}
}

/* Access protects custom domains only: to this host its headers would be sent for nothing. */
static void
warn_access(const struct teller *to, const struct config_target *t, const struct url *url)
{
	if (t->access.client_id.len > 0 && span_iis(url->host, "gateway.ai.cloudflare.com"))
		warn(to,
		     "Cloudflare Access does not protect gateway.ai.cloudflare.com, only a "
		     "custom domain of the gateway; cloudflareAccess has no use there",
		     "targets.%.*s", (int)t->name.len, t->name.ptr);
}

static void
warn_targets(const struct teller *to, const struct config *c)
{
	for (size_t i = 0; i < c->targets.n; i++) {
		const struct config_target *t = &c->targets.items[i];
		struct url url;

		if (url_parse(t->api_base, &url) == URL_OK) {
			warn_access(to, t, &url);
			warn_base(to, t, &url);
		}
		if (t->is_deployment)
			continue;
		warn_headers(to, t);
		warn_uploads(to, t);
	}
}

/* A rule that stands behind one which takes all of its models. */
static void
warn_models(const struct teller *to, const struct ingress_plan *p)
{
	char message[MESSAGE_MAX];
	size_t told = 0;

	for (size_t i = 0; i < p->nmodels && told < ALIKE_MAX; i++) {
		long by = model_shadowed(p->models, i);

		if (by < 0)
			continue;
		told++;
		snprintf(message, sizeof(message),
			 "is never used: models[%ld] stands before it and matches all that it "
			 "matches; put the narrower rule first, or leave this one out",
			 by);
		warn(to, message, "models[%zu]", i);
	}
}

static bool
is_spoken(const struct ingress_plan *p, unsigned dialect)
{
	for (size_t i = 0; i < p->ntargets; i++)
		if ((dialects_of((enum provider)p->targets[i].provider) >> dialect & 1) != 0)
			return true;
	return false;
}

/* Each of several targets could get a call, and nothing says which: none does. */
static void
warn_undecided(const struct teller *to, const struct ingress_plan *p)
{
	bool decided = p->has_models;

	for (unsigned d = 0; d < DIALECTS; d++)
		decided |= p->default_targets[d].number != PLAN_NONE;
	if (!decided)
		warn(to,
		     "nothing can be called: neither `models` nor `defaultTarget` decides which of "
		     "them gets a call",
		     "targets");
	for (unsigned d = 0; decided && !p->has_models && d < DIALECTS; d++)
		if (p->default_targets[d].number == PLAN_NONE && is_spoken(p, d))
			warn(to,
			     "several targets speak it, and neither this nor `models` decides "
			     "which of them gets a call: all are refused",
			     "defaultTarget.%s", dialect_name((enum dialect)d));
}

static void
warn_fields(const struct teller *to, const struct config *c)
{
	for (size_t i = 0; i < c->denied_fields.n; i++) {
		struct span name = c->denied_fields.items[i];

		if (name.len == 0)
			warn(to, "is empty, and refuses nothing that anybody sends",
			     "deniedFields[%zu]", i);
		else if (span_find(name, 0, '*') < name.len)
			warn(to, "has a `*`, which stands for itself here: name each field in full",
			     "deniedFields[%zu]", i);
	}
}

/* The kernel tells who calls on a Unix socket, and nowhere else. */
static void
warn_callers(const struct teller *to, const struct config *c)
{
	for (size_t i = 0; i < c->listen.n; i++)
		if (c->listen.items[i].is_unix)
			return;
	for (size_t i = 0; i < c->callers.n; i++)
		if (c->callers.items[i].uids.n > 0)
			warn(to,
			     "nobody can be this caller: `uids` are known on a Unix socket, and "
			     "`listen` has none",
			     "callers.%.*s", (int)c->callers.items[i].name.len,
			     c->callers.items[i].name.ptr);
}

static void
warn_profiles(const struct teller *to, const struct keeper_plan *k)
{
	for (size_t i = 0; i < k->nidentities; i++) {
		const struct plan_identity *id = &k->identities[i];

		if (id->in_vain.len > 0)
			warn(to, id->in_vain.ptr, "%.*s.profile", (int)id->name.len, id->name.ptr);
	}
}

void
warnings_tell(const struct config *c, const struct plans *p, warning_fn *tell, void *arg)
{
	const struct teller to = {tell, arg};

	warn_targets(&to, c);
	warn_models(&to, &p->ingress);
	warn_undecided(&to, &p->ingress);
	warn_fields(&to, c);
	warn_callers(&to, c);
	warn_profiles(&to, &p->keeper);
}
