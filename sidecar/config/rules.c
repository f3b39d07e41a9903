/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/arn.h"
#include "config/deployment.h"
#include "config/endpoint.h"
#include "config/preset.h"
#include "config/reader.h"
#include "config/signing.h"
#include "config/template.h"
#include "config/url.h"

/* A target, its place in the tree and its path. */
struct rule {
	struct reader *r;
	const struct yaml_item *item;
	const struct path *path;
	const struct config_target *target;
	const struct yaml_item *above; /* of a deployment: its target's item; else NULL */
};

static void
check_base(const struct rule *rule)
{
	const struct yaml_item *tls = yaml_member(rule->item, SPAN("tls"));
	struct url url;

	if (rule->target->api_base.len == 0 || url_parse(rule->target->api_base, &url) != URL_OK ||
	    url.https)
		return;
	if (!rule->target->allow_plaintext)
		reader_fault_member(
			rule->r, rule->item, rule->path, "apiBase",
			"use https, or say allowPlaintext: true if no other program can take that "
			"address",
			"plain http is refused, loopback included");
	if (tls != NULL && tls->n > 0)
		reader_fault_member(rule->r, rule->item, rule->path, "tls", NULL,
				    "has no effect on an apiBase of plain http");
}

/* The region, where two places name one. */
static void
check_region(const struct rule *rule)
{
	const struct config_target *t = rule->target;
	struct span other;
	struct url url;

	if (t->region.len == 0)
		return;
	if (t->provider != PROVIDER_BEDROCK && !signing_is_due(t))
		reader_fault_member(rule->r, rule->item, rule->path, "region", NULL,
				    "has no effect on a target that is not of Bedrock");
	if (t->api_base.len == 0 || url_parse(t->api_base, &url) != URL_OK)
		return;
	other = signing_host_region(url.host);
	if (other.len > 0 && !span_ieq(other, t->region))
		reader_fault_member(rule->r, rule->item, rule->path, "region", NULL,
				    "is not the region of apiBase's host");
}

/* What is signed for Bedrock: its own interface, and those of others that it has too. */
static bool
may_be_signed(enum provider p)
{
	return p == PROVIDER_BEDROCK || p == PROVIDER_OPENAI || p == PROVIDER_ANTHROPIC ||
	       p == PROVIDER_OPENAI_COMPATIBLE;
}

/* How a target proves who is calling, and where it is. */
static void
check_auth(const struct rule *rule)
{
	const struct config_target *t = rule->target;
	bool has_base = yaml_member(rule->item, SPAN("apiBase")) != NULL;
	bool has_key = yaml_member(rule->item, SPAN("apiKey")) != NULL ||
		       yaml_member(rule->above, SPAN("apiKey")) != NULL;

	if (!has_base && t->provider != PROVIDER_BEDROCK)
		reader_fault_member(rule->r, rule->item, rule->path, "apiBase",
				    "URL that the operations' paths are put behind", "is missing");
	if (!has_key && !signing_is_due(t))
		reader_fault_member(rule->r, rule->item, rule->path, "apiKey",
				    "where the API key is: arn:…, env:NAME, file:/path, or none",
				    "is missing");
	if (t->auth == CONFIG_AUTH_SIGV4 && has_key)
		reader_fault_member(
			rule->r, rule->item, rule->path, "apiKey", NULL,
			"stands beside auth: sigv4; one of the two proves who is calling");
	if (t->auth == CONFIG_AUTH_SIGV4 && !may_be_signed((enum provider)t->provider))
		reader_fault_member(
			rule->r, rule->item, rule->path, "auth", "use apiKey",
			"sigv4 is for Bedrock: provider bedrock, openai, openaiCompatible or "
			"anthropic");
}

static void
check_pair_of_keys(const struct rule *rule)
{
	const struct yaml_item *tls = yaml_member(rule->item, SPAN("tls"));
	bool cert = yaml_member(tls, SPAN("clientCert")) != NULL;
	bool key = yaml_member(tls, SPAN("clientKey")) != NULL;
	struct path at = {rule->path, SPAN("tls"), 0};

	if (cert != key)
		reader_fault_member(rule->r, tls, &at, cert ? "clientKey" : "clientCert", NULL,
				    "is missing: clientCert and clientKey come together");
}

/* The target's own place, where there is one, or the keys of one that is a deployment. */
static void
check_place(const struct rule *rule)
{
	check_base(rule);
	check_auth(rule);
	check_region(rule);
}

static void
check_deployments(const struct rule *rule)
{
	const struct yaml_item *list = yaml_member(rule->item, SPAN("deployments"));
	const struct yaml_item *item = list->first;
	struct path above = {rule->path, SPAN("deployments"), 0}, at = {&above, {NULL, 0}, 0};
	static const char *const own[] = {"apiBase", "region"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (yaml_member(rule->item, span_of(own[i])) != NULL)
			reader_fault_member(
				rule->r, rule->item, rule->path, own[i],
				"say it in each of the deployments",
				"stands beside deployments, which say where the target is");
	for (; item != NULL && at.index < rule->target->deployments.n; item = item->next) {
		struct config_target there =
			deployment_of(rule->target, &rule->target->deployments.items[at.index]);
		struct rule of = {rule->r, item, &at, &there, rule->item};

		check_place(&of);
		at.index++;
	}
	deployment_rules_check(rule->r, rule->item, rule->path, rule->target);
}

/* Whether calls of agents would go to that host: Bedrock's own, and signed; or a gateway's. */
static bool
may_have_agents(const struct config_target *t)
{
	for (size_t i = 0; i < t->deployments.n; i++) {
		struct config_target there = deployment_of(t, &t->deployments.items[i]);

		if (!may_have_agents(&there))
			return false;
	}
	return t->deployments.n > 0 || (t->api_base.len == 0) == signing_is_due(t);
}

/* Bedrock has its agents and knowledge bases at another host, and takes no Bedrock key there. */
static void
check_agents(const struct rule *rule)
{
	const struct config_target *t = rule->target;
	struct path at = {rule->path, SPAN("operations"), 0};

	if (t->provider == PROVIDER_BEDROCK && (t->operations & OPERATIONS_OF_AGENTS) != 0 &&
	    !may_have_agents(t))
		reader_fault(rule->r, yaml_member(rule->item, SPAN("operations")), &at,
			     "leave apiBase and apiKey out; aws.endpoints may name that host, as "
			     "bedrockAgentRuntime",
			     "agents and knowledgeBases are at a host of their own, where calls "
			     "must be signed");
}

static void
check_operations(const struct rule *rule)
{
	uint32_t other = rule->target->operations &
			 ~operations_possible((enum provider)rule->target->provider);

	for (unsigned o = 0; o < OPERATIONS; o++) {
		struct path at = {rule->path, SPAN("operations"), 0};

		if ((other & (1U << o)) != 0)
			reader_fault(rule->r, yaml_member(rule->item, SPAN("operations")), &at,
				     NULL, "%s is not an operation of provider %s",
				     operation_name((enum operation)o),
				     provider_name((enum provider)rule->target->provider));
	}
	check_agents(rule);
}

static bool
sends_a_key(const struct config_target *t)
{
	bool some = t->api_key.len > 0 && !span_is(t->api_key, "none");

	for (size_t i = 0; i < t->deployments.n; i++) {
		struct span own = t->deployments.items[i].api_key;

		some = some || (own.len > 0 && !span_is(own, "none"));
	}
	return some;
}

/* The headers that other keys of the target set. */
static bool
is_set_elsewhere(const struct config_target *t, struct span name, const char **by)
{
	const struct preset *preset = preset_of((enum provider)t->provider);

	if (sends_a_key(t) && span_iis(name, preset->header)) {
		*by = "apiKey sets it for this provider; apiKey: none leaves it to headers";
		return true;
	}
	if (signing_is_due(t) && span_iis(name, preset->header)) {
		*by = "the signature stands in it";
		return true;
	}
	*by = "cloudflareAccess sets it";
	if (t->access.client_id.len == 0)
		return false;
	if (t->access.header.len > 0)
		return span_ieq(name, t->access.header);
	return span_iis(name, PRESET_ACCESS_ID) || span_iis(name, PRESET_ACCESS_SECRET);
}

static bool
stands_before(const struct yaml_item *map, const struct yaml_item *member)
{
	for (const struct yaml_item *m = map->first; m != member; m = m->next)
		if (span_ieq(m->key, member->key))
			return true;
	return false;
}

static void
check_headers(const struct rule *rule)
{
	const struct yaml_item *headers = yaml_member(rule->item, SPAN("headers"));
	const struct preset *preset = preset_of((enum provider)rule->target->provider);
	struct path above = {rule->path, SPAN("headers"), 0};

	if (rule->target->access.header.len > 0 &&
	    (sends_a_key(rule->target) || signing_is_due(rule->target)) &&
	    span_iis(rule->target->access.header, preset->header))
		reader_fault_member(rule->r, yaml_member(rule->item, SPAN("cloudflareAccess")),
				    &(struct path){rule->path, SPAN("cloudflareAccess"), 0},
				    "header", "set apiKey: none and send the key in another header",
				    "apiKey sets this header already");
	if (headers == NULL || headers->kind != YAML_MAP || headers->n > 32)
		return;
	for (const struct yaml_item *m = headers->first; m != NULL; m = m->next) {
		struct path at = {&above, m->key, 0};
		const char *by;

		if (is_set_elsewhere(rule->target, m->key, &by))
			reader_fault_key(rule->r, m, &at, by, "two settings for one header");
		else if (stands_before(headers, m))
			reader_fault_key(rule->r, m, &at, "names of headers have no case",
					 "two settings for one header");
	}
}

/* Whether a header of t is made of that reference. */
static bool
is_in_header(const struct config_target *t, struct span reference)
{
	struct template_part part;

	if (span_eq(t->api_key, reference) || span_eq(t->access.client_id, reference) ||
	    span_eq(t->access.client_secret, reference))
		return true;
	for (size_t i = 0; i < t->deployments.n; i++)
		if (span_eq(t->deployments.items[i].api_key, reference))
			return true;
	for (size_t i = 0; i < t->headers.n; i++)
		for (size_t at = 0;
		     template_next(t->headers.items[i].value, &at, &part) == TEMPLATE_PART;)
			if (part.is_reference && span_eq(part.text, reference))
				return true;
	return false;
}

/* What is kept for TLS keeps its line breaks, and never reaches a header. */
static void
check_material(const struct rule *rule, const struct config *c)
{
	const struct config_tls *tls = &rule->target->tls;
	const struct {
		const char *key;
		struct span reference;
	} material[] = {
		{"ca", tls->ca}, {"clientCert", tls->client_cert}, {"clientKey", tls->client_key}};
	struct path at = {rule->path, SPAN("tls"), 0};
	bool shared;

	for (size_t i = 0; i < sizeof(material) / sizeof(material[0]); i++) {
		shared = false;
		for (size_t t = 0; t < c->targets.n && material[i].reference.len > 0; t++)
			shared =
				shared || is_in_header(&c->targets.items[t], material[i].reference);
		if (shared)
			reader_fault_member(
				rule->r, yaml_member(rule->item, SPAN("tls")), &at, material[i].key,
				"keep the two apart in the store",
				"the same reference makes a header; one secret cannot be "
				"both PEM and a header's value");
	}
}

/* Each deployment is a target, and each that has agents is two. */
static void
check_count(struct reader *r, const struct yaml_item *targets, const struct path *path,
	    const struct config *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->targets.n; i++) {
		const struct config_target *t = &c->targets.items[i];
		bool two = t->provider == PROVIDER_BEDROCK &&
			   (t->operations & OPERATIONS_OF_AGENTS) != 0;

		n += (1 + t->deployments.n) * (two ? 2 : 1);
	}
	if (n > PLAN_TARGETS_MAX)
		reader_fault(r, targets, path, NULL,
			     "%zu with their deployments, and with the hosts of agents; %d are "
			     "allowed",
			     n, PLAN_TARGETS_MAX);
}

static void
check_targets(struct reader *r, const struct yaml_item *root, const struct config *c)
{
	const struct yaml_item *targets = yaml_member(root, SPAN("targets"));
	struct path above = {NULL, SPAN("targets"), 0};

	if (c->targets.n > 0)
		check_count(r, targets, &above, c);
	for (size_t i = 0; i < c->targets.n; i++) {
		const struct config_target *t = &c->targets.items[i];
		const struct yaml_item *item = yaml_member(targets, t->name);
		struct path at = {&above, t->name, 0};
		struct rule rule = {r, item, &at, t, NULL};

		if (yaml_member(item, SPAN("deployments")) != NULL)
			check_deployments(&rule);
		else
			check_place(&rule);
		check_pair_of_keys(&rule);
		check_operations(&rule);
		check_headers(&rule);
		check_material(&rule, c);
	}
}

/* Whether the name, where one was read, is a target's. */
static bool
check_target_name(struct reader *r, const struct yaml_item *item, const struct path *path,
		  const struct config *c, struct span name)
{
	struct buf all;

	if (name.len == 0 || c->targets.n == 0 || config_target_find(c, name) >= 0)
		return true;
	buf_init(&all, PATH_TEXT_MAX);
	for (size_t i = 0; i < c->targets.n; i++)
		buf_addf(&all, " %.*s", (int)c->targets.items[i].name.len,
			 c->targets.items[i].name.ptr);
	reader_fault(r, item, path, NULL, "no such target; there are:%.*s", (int)all.len, all.ptr);
	buf_free(&all);
	return false;
}

static void
check_models(struct reader *r, const struct yaml_item *root, const struct config *c)
{
	const struct yaml_item *models = yaml_member(root, SPAN("models"));
	const struct yaml_item *item = models == NULL ? NULL : models->first;
	struct path above = {NULL, SPAN("models"), 0};
	struct path at = {&above, {NULL, 0}, 0};

	for (; at.index < c->models.n && item != NULL; at.index++, item = item->next) {
		const struct config_model *m = &c->models.items[at.index];
		const struct yaml_item *target = yaml_member(item, SPAN("target"));
		struct path target_path = {&at, SPAN("target"), 0};

		if (target != NULL)
			check_target_name(r, target, &target_path, c, m->target);
		if (m->strip_prefix.len > 0 && m->send_as.len > 0)
			reader_fault_member(
				r, item, &at, "sendAs", NULL,
				"stands beside stripPrefix: one of the two decides what is sent");
	}
}

static void
check_default(struct reader *r, const struct yaml_item *root, const struct config *c)
{
	const struct yaml_item *item = yaml_member(root, SPAN("defaultTarget"));
	struct path above = {NULL, SPAN("defaultTarget"), 0};

	if (item != NULL)
		check_target_name(r, item, &above, c, c->default_target.all);
	for (unsigned d = 0; d < DIALECTS; d++) {
		struct span name = c->default_target.dialects[d];
		struct span key = span_of(dialect_name((enum dialect)d));
		const struct yaml_item *member = yaml_member(item, key);
		struct path at = {&above, key, 0};
		long target = config_target_find(c, name);

		if (member == NULL || !check_target_name(r, member, &at, c, name) || target < 0)
			continue;
		if ((dialects_of((enum provider)c->targets.items[target].provider) & (1U << d)) ==
		    0)
			reader_fault(
				r, member, &at, NULL, "provider %s does not speak it",
				provider_name((enum provider)c->targets.items[target].provider));
	}
}

static bool
is_same_listener(const struct config_listener *a, const struct config_listener *b)
{
	if (a->is_unix != b->is_unix)
		return false;
	if (a->is_unix)
		return a->path.len > 0 && span_eq(a->path, b->path);
	return a->port != 0 && a->port == b->port && span_eq(a->host, b->host);
}

static bool
is_among(const struct config_listener *l, const struct config_listeners *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_same_listener(l, &list->items[i]))
			return true;
	return false;
}

static void
check_listeners(struct reader *r, const struct yaml_item *root, const char *key,
		const struct config_listeners *list, const struct config_listeners *other,
		bool loopback_only)
{
	const struct yaml_item *item = yaml_member(root, span_of(key));
	struct path above = {NULL, span_of(key), 0};
	struct path at = {&above, {NULL, 0}, 0};

	item = item == NULL ? root : item->first;
	for (; at.index < list->n && item != NULL; at.index++) {
		const struct config_listener *l = &list->items[at.index];
		if (is_among(l, list, at.index))
			reader_fault(r, item, &at, NULL, "this listener stands here a second time");
		if (other != NULL && is_among(l, other, other->n))
			reader_fault(r, item, &at,
				     "unless they are set, `listen` is 127.0.0.1:7717 and `admin` "
				     "127.0.0.1:7718",
				     "`listen` has the same");
		if (loopback_only && !l->is_loopback && l->port != 0)
			reader_fault(
				r, item, &at,
				"listen on loopback or a Unix socket, or say unsafeListen: true",
				"beyond loopback, whoever reaches it can use the keys");
		item = item == root ? root : item->next;
	}
}

static void
check_sizes(struct reader *r, const struct yaml_item *root, const struct config *c)
{
	struct path limits = {NULL, SPAN("limits"), 0}, secrets = {NULL, SPAN("secrets"), 0};

	if (c->limits.buffer_total / 2 < c->limits.body_bytes)
		reader_fault_member(r, yaml_member(root, SPAN("limits")), &limits, "bufferTotal",
				    "one body must fit twice: in ingress, and in egress",
				    "is less than twice bodyBytes");
	if (c->secrets.max_stale_ms < c->secrets.ttl_ms)
		reader_fault_member(r, yaml_member(root, SPAN("secrets")), &secrets, "maxStale",
				    NULL, "is less than ttl");
}

static void
check_endpoints(struct reader *r, const struct yaml_item *root, const struct config *c)
{
	const struct yaml_item *aws = yaml_member(root, SPAN("aws"));
	struct path above = {NULL, SPAN("aws"), 0}, path = {&above, SPAN("endpoints"), 0};
	const struct yaml_item *endpoints = yaml_member(aws, SPAN("endpoints"));
	const struct yaml_item *m = endpoints == NULL ? NULL : endpoints->first;

	for (; m != NULL; m = m->next) {
		const struct schema_key *key = schema_find(&schema_endpoints, m->key);
		struct path at = {&path, m->key, 0};
		const char *wrong;
		struct url url;
		struct span text;

		if (key == NULL)
			continue;
		text = c->aws.endpoints[key->offset / sizeof(struct span)];
		wrong = text.len == 0 ? NULL : endpoint_check_store(text, &url);
		if (wrong != NULL)
			reader_fault(r, m, &at, NULL, "%s", wrong);
	}
}

/* What a role cannot be asked with: its own identity's secrets, or a target's narrowed session. */
static void
check_role(struct reader *r, const struct yaml_item *aws, const struct path *above,
	   const struct config_role *role, bool of_target)
{
	const struct yaml_item *item = yaml_member(aws, SPAN("assumeRole"));
	struct path path = {above, SPAN("assumeRole"), 0};
	struct reference ref;

	if (role->external_id.len > 0 && reference_parse(role->external_id, &ref) == REFERENCE_OK &&
	    ref.kind != REFERENCE_ENV && ref.kind != REFERENCE_FILE)
		reader_fault_member(r, item, &path, "externalId", "write env:NAME or file:/path",
				    "an ARN is read with the identity that this role is to make");
	if (of_target && role->narrow)
		reader_fault_member(
			r, item, &path, "narrow", "say it in aws.assumeRole",
			"a target's calls read no secrets, which are all that it leaves");
}

static void
check_roles(struct reader *r, const struct yaml_item *root, const struct config *c)
{
	const struct yaml_item *targets = yaml_member(root, SPAN("targets"));
	struct path all = {NULL, SPAN("aws"), 0}, above = {NULL, SPAN("targets"), 0};

	check_role(r, yaml_member(root, SPAN("aws")), &all, &c->aws.identity.role, false);
	for (size_t i = 0; i < c->targets.n; i++) {
		const struct config_target *t = &c->targets.items[i];
		struct path target = {&above, t->name, 0}, path = {&target, SPAN("aws"), 0};

		check_role(r, yaml_member(yaml_member(targets, t->name), SPAN("aws")), &path,
			   &t->aws.role, true);
	}
}

void
rules_check(struct reader *r, const struct yaml_item *root, struct config *c)
{
	if (root->kind != YAML_MAP)
		return;
	check_targets(r, root, c);
	check_models(r, root, c);
	check_default(r, root, c);
	check_listeners(r, root, "listen", &c->listen, NULL, !c->unsafe_listen);
	check_listeners(r, root, "admin", &c->admin, &c->listen, false);
	check_endpoints(r, root, c);
	check_roles(r, root, c);
	caller_rules_check(r, root, c);
	check_sizes(r, root, c);
}
