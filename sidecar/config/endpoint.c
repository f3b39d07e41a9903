/* SPDX-License-Identifier: Apache-2.0 */
#include "config/endpoint.h"

/* Besides loopback: the agents of ECS and of EKS Pod Identity, which are reached without TLS. */
static const char *const container_hosts[] = {
	"169.254.170.2",
	"169.254.170.23",
	"fd00:ec2::23",
};

static bool
is_local(const struct url *url)
{
	return url_is_loopback(url->host) || span_iis(url->host, "localhost");
}

const char *
endpoint_check_store(struct span text, struct url *out)
{
	struct url url;
	enum url_fault fault = url_parse(text, &url);

	if (fault != URL_OK)
		return url_fault_text(fault);
	if (url.path.len > 0)
		return "must not have a path";
	if (!url.https && !is_local(&url))
		return "must be https: a store is spoken to in plain http on loopback only";
	*out = url;
	return NULL;
}

const char *
endpoint_check_container(struct span text, struct url *out)
{
	struct url url;
	enum url_fault fault = url_parse_query(text, &url);
	bool known;

	if (fault != URL_OK)
		return url_fault_text(fault);
	known = url.https || is_local(&url);
	for (size_t i = 0; i < sizeof(container_hosts) / sizeof(container_hosts[0]); i++)
		known = known || span_iis(url.host, container_hosts[i]);
	if (!known)
		return "must be https, or http to loopback, 169.254.170.2, 169.254.170.23 or "
		       "[fd00:ec2::23]";
	*out = url;
	return NULL;
}

const char *
endpoint_check_instance(struct span text, struct url *out)
{
	struct url url;
	enum url_fault fault = url_parse(text, &url);

	if (fault != URL_OK)
		return url_fault_text(fault);
	if (url.path.len > 0)
		return "must not have a path";
	if (url.https || (!is_local(&url) && !span_is(url.host, "169.254.169.254") &&
			  !span_iis(url.host, "fd00:ec2::254")))
		return "must be http to loopback, 169.254.169.254 or [fd00:ec2::254]";
	*out = url;
	return NULL;
}
