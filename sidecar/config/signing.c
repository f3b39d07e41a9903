/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>

#include "config/signing.h"

#include "aws/arn.h"
#include "config/services.h"

bool
signing_is_due(const struct config_target *t)
{
	bool unsaid = t->auth == CONFIG_AUTH_UNSET;

	return t->auth == CONFIG_AUTH_SIGV4 ||
	       (unsaid && t->provider == PROVIDER_BEDROCK && t->api_key.len == 0);
}

/* The label that begins with prefix, from there on; empty when there is none. */
static struct span
from_label(struct span host, struct span prefix)
{
	for (size_t at = 0; at < host.len; at = span_find(host, at, '.') + 1)
		if (span_istarts(span_cut(host, at, host.len), prefix))
			return span_cut(host, at, host.len);
	return (struct span){NULL, 0};
}

struct span
signing_host_region(struct span host)
{
	struct span rest = from_label(host, SPAN("bedrock-runtime")), region;
	size_t at;

	if (rest.len == 0)
		rest = from_label(host, SPAN("bedrock-mantle"));
	at = span_find(rest, 0, '.') + 1;
	region = span_cut(rest, at, span_find(rest, at, '.'));
	return arn_is_region(region) ? region : (struct span){NULL, 0};
}

struct span
signing_region(const struct config *c, const struct config_target *t)
{
	struct url url = {0};

	if (t->region.len > 0)
		return t->region;
	if (t->api_base.len > 0 && url_parse(t->api_base, &url) == URL_OK &&
	    signing_host_region(url.host).len > 0)
		return signing_host_region(url.host);
	return t->aws.region.len > 0 ? t->aws.region : c->aws.identity.region;
}

/* The region of the target, at host where that is known, or the environment's. False: a fault. */
static bool
find_region(struct projector *pr, struct span host, struct span *out)
{
	const struct span said[] = {
		pr->target->region,
		signing_host_region(host),
		signing_region(pr->c, pr->target),
		projector_variable(pr, "AWS_REGION"),
		projector_variable(pr, "AWS_DEFAULT_REGION"),
	};
	struct span region = {NULL, 0};
	char place[128];

	for (size_t i = 0; region.len == 0 && i < sizeof(said) / sizeof(said[0]); i++)
		region = said[i];
	if (arn_is_region(region)) {
		*out = pool_copy(&pr->p->pool, region);
		return true;
	}
	/* Once for both that a target may be. */
	snprintf(place, sizeof(place), "targets.%.*s.region",
		 (int)span_find(pr->target->name, 0, '.'), pr->target->name.ptr);
	projector_refuse(pr, place,
			 "a region such as us-east-1 is due: here, as aws.region or in AWS_REGION");
	return false;
}

bool
signing_url(struct projector *pr, struct url *out)
{
	enum url_fault fault;
	struct span region;
	enum service service =
		pr->target->is_agents ? SERVICE_BEDROCK_AGENT_RUNTIME : SERVICE_BEDROCK_RUNTIME;

	if (pr->target->api_base.len > 0) {
		fault = url_parse(pr->target->api_base, out);
		assert(fault == URL_OK); /* read.c let nothing else through */
		return true;
	}
	if (!find_region(pr, SPAN(""), &region) || !services_url(pr, service, region, out))
		return false;
	if (out->https || pr->target->allow_plaintext)
		return true;
	projector_refuse(pr, service_variable(service),
			 "plain http is refused, loopback included: use https, or say "
			 "allowPlaintext: true in the target");
	return false;
}

/* By the host's own name, or since the endpoint of Mantle is there: a private name says nothing. */
static bool
is_mantle(struct projector *pr, const struct url *url)
{
	return from_label(url->host, SPAN("bedrock-mantle")).len > 0 ||
	       (pr->target->api_base.len > 0 && services_is_at(pr, SERVICE_BEDROCK_MANTLE, url));
}

void
signing_project(struct projector *pr, const struct url *url)
{
	enum service service =
		is_mantle(pr, url) ? SERVICE_BEDROCK_MANTLE : SERVICE_BEDROCK_RUNTIME;

	if (!signing_is_due(pr->target) || !find_region(pr, url->host, &pr->keeper->region))
		return;
	pr->keeper->is_signed = pr->egress->is_signed = true;
	pr->keeper->service = span_of(service_signing_name(service));
	pr->egress->region = pr->keeper->region;
	pr->egress->service = pr->keeper->service;
}
