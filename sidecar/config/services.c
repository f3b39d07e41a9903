/* SPDX-License-Identifier: Apache-2.0 */
#include "config/services.h"

#include "config/endpoint.h"

enum { HOST_MAX = 512 };

void
services_take(struct projector *pr, const struct url *url, struct plan_endpoint *out)
{
	struct keeper_plan *k = &pr->p->keeper;
	struct resolver_plan *r = &pr->p->resolver;

	out->https = url->https;
	out->port = url->port;
	out->host = projector_lower(pr, url->host);
	out->resolve = projector_host(pr, r->keeper_names, &r->nkeeper_names, out->host);
	projector_number(pr, k->ports, &k->nports, PORTS_MAX, out->port);
}

static bool
ignores_variables(struct projector *pr)
{
	return span_iis(projector_variable(pr, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true");
}

static struct span
endpoint_variable(struct projector *pr, const char *name)
{
	if (ignores_variables(pr))
		return (struct span){NULL, 0};
	return projector_variable(pr, name);
}

/* The URL that is named for s alone, and where; empty: none. */
static struct span
own_endpoint(struct projector *pr, enum service s, const char **variable)
{
	struct span text = pr->c->aws.endpoints[s];

	*variable = NULL;
	if (text.len > 0)
		return text;
	*variable = service_variable(s);
	return endpoint_variable(pr, *variable);
}

/* The URL that is named for s, and where; empty: the region decides. */
static struct span
named_endpoint(struct projector *pr, enum service s, const char **variable)
{
	struct span text = own_endpoint(pr, s, variable);

	if (text.len > 0)
		return text;
	*variable = "AWS_ENDPOINT_URL";
	return endpoint_variable(pr, *variable);
}

bool
services_is_at(struct projector *pr, enum service s, const struct url *url)
{
	const char *variable;
	struct url own = {0};

	return url_parse(own_endpoint(pr, s, &variable), &own) == URL_OK &&
	       span_ieq(own.host, url->host) && own.port == url->port;
}

bool
services_are_placed(struct projector *pr)
{
	const char *variable;

	for (unsigned s = 0; s < SERVICES; s++)
		if (named_endpoint(pr, (enum service)s, &variable).len > 0)
			return true;
	return ignores_variables(pr);
}

static bool
find_in_region(struct projector *pr, enum service s, struct span region, struct url *out)
{
	struct service_options o = {
		span_iis(projector_variable(pr, "AWS_USE_FIPS_ENDPOINT"), "true"),
		span_iis(projector_variable(pr, "AWS_USE_DUALSTACK_ENDPOINT"), "true")};
	struct buf host;

	buf_init(&host, HOST_MAX);
	if (service_host(s, region, o, &host) == 0) {
		*out = (struct url){.https = true, .host = projector_take(pr, &host), .port = 443};
		return true;
	}
	buf_free(&host);
	projector_refuse(pr, o.fips ? "AWS_USE_FIPS_ENDPOINT" : "AWS_REGION",
			 o.fips ? "a service that is needed has no such endpoint in its region"
				: "a service that is needed has no endpoint in its region");
	return false;
}

bool
services_url(struct projector *pr, enum service s, struct span region, struct url *out)
{
	const char *variable, *wrong;
	struct span text = named_endpoint(pr, s, &variable);

	if (text.len == 0)
		return find_in_region(pr, s, region, out);
	wrong = endpoint_check_store(text, out);
	if (wrong == NULL)
		return true;
	projector_refuse(pr, variable == NULL ? "aws.endpoints" : variable, wrong);
	return false;
}

bool
services_find(struct projector *pr, enum service s, struct span region, struct plan_endpoint *out)
{
	struct url url;

	if (!services_url(pr, s, region, &url))
		return false;
	services_take(pr, &url, out);
	return true;
}
