/* SPDX-License-Identifier: Apache-2.0 */
#include "config/preset.h"
#include "config/signing.h"
#include "config/template.h"
#include "policy/access/paths.h"

/* ---- headers ---- */

static struct egress_header *
add_header(struct projector *pr, const char *name, size_t nparts)
{
	struct egress_header *h = &pr->egress->headers[pr->egress->nheaders++];

	h->name = span_of(name);
	h->parts = projector_room(pr, nparts * sizeof(struct egress_part));
	return h;
}

static void
add_literal(struct egress_header *h, struct span text)
{
	if (text.len > 0)
		h->parts[h->nparts++] = (struct egress_part){text, PLAN_NONE};
}

static void
add_secret(struct egress_header *h, uint16_t slot)
{
	h->parts[h->nparts++] = (struct egress_part){{NULL, 0}, slot};
}

static void
add_key_header(struct projector *pr)
{
	const struct preset *preset = preset_of((enum provider)pr->target->provider);
	struct egress_header *h;

	if (pr->target->api_key.len == 0 || span_is(pr->target->api_key, "none"))
		return;
	h = add_header(pr, preset->header, 2);
	add_literal(h, span_of(preset->prefix));
	add_secret(h, projector_slot(pr, pr->target->api_key, false, ".", SPAN("apiKey")));
}

static size_t
count_parts(struct span text)
{
	struct template_part part;
	size_t at = 0, n = 0;

	while (template_next(text, &at, &part) == TEMPLATE_PART)
		n++;
	return n;
}

static void
add_template_header(struct projector *pr, const struct config_pair *pair)
{
	struct egress_header *h = add_header(pr, pair->name.ptr, count_parts(pair->value));
	struct template_part part;
	size_t at = 0;

	while (template_next(pair->value, &at, &part) == TEMPLATE_PART)
		h->optional = h->optional || part.is_optional;
	at = 0;
	while (template_next(pair->value, &at, &part) == TEMPLATE_PART)
		if (part.is_reference)
			add_secret(h, projector_slot(pr, part.text, h->optional, ".headers.",
						     pair->name));
		else
			add_literal(h, part.text);
}

static void
add_access_headers(struct projector *pr)
{
	const struct config_access *access = &pr->target->access;
	uint16_t id, secret;
	struct egress_header *h;

	if (access->client_id.len == 0)
		return;
	id = projector_slot(pr, access->client_id, false, ".cloudflareAccess.", SPAN("clientId"));
	secret = projector_slot(pr, access->client_secret, false, ".cloudflareAccess.",
				SPAN("clientSecret"));
	if (access->header.len == 0) {
		add_secret(add_header(pr, PRESET_ACCESS_ID, 1), id);
		add_secret(add_header(pr, PRESET_ACCESS_SECRET, 1), secret);
		return;
	}
	h = add_header(pr, access->header.ptr, 5);
	add_literal(h, SPAN("{\"cf-access-client-id\": \""));
	add_secret(h, id);
	add_literal(h, SPAN("\", \"cf-access-client-secret\": \""));
	add_secret(h, secret);
	add_literal(h, SPAN("\"}"));
}

/* ---- targets ---- */

static struct span
encode_query(struct projector *pr, struct span text)
{
	struct buf out;

	buf_init(&out, PROJECT_TEXT_MAX);
	(void)buf_add_percent(&out, text);
	return projector_take(pr, &out);
}

/* Those of a target are its deployments' too, and encoded once: they may be long. */
static void
set_query(struct projector *pr)
{
	const struct config_target *t = pr->target, *all = pr->c->targets.items;
	struct egress_target *out = pr->egress;

	for (size_t i = 0; &all[i] != t; i++)
		if (t->query.n > 0 && all[i].query.items == t->query.items &&
		    pr->p->egress.targets[i].nquery > 0) {
			out->query = pr->p->egress.targets[i].query;
			out->nquery = t->query.n;
			return;
		}
	out->query = projector_room(pr, t->query.n * sizeof(struct egress_query));
	for (size_t q = 0; q < t->query.n; q++)
		out->query[out->nquery++] = (struct egress_query){
			t->query.items[q].name, encode_query(pr, t->query.items[q].value)};
}

static struct span
authority_of(struct projector *pr, const struct url *url, struct span host)
{
	struct buf text;

	buf_init(&text, PROJECT_TEXT_MAX);
	buf_addf(&text, url->is_v6 ? "[%.*s]" : "%.*s", (int)host.len, host.ptr);
	if (url->port != (url->https ? 443 : 80))
		buf_addf(&text, ":%u", url->port);
	return projector_take(pr, &text);
}

static void
set_address(struct projector *pr, const struct url *url)
{
	struct egress_plan *e = &pr->p->egress;
	struct resolver_plan *r = &pr->p->resolver;
	struct egress_target *out = pr->egress;
	const struct config_tls *tls = &pr->target->tls;

	out->https = url->https;
	out->host = projector_lower(pr, url->host);
	out->port = url->port;
	out->authority = authority_of(pr, url, out->host);
	out->base_path = url->path;
	out->server_name =
		tls->server_name.len > 0 ? projector_lower(pr, tls->server_name) : out->host;
	out->resolve = projector_host(pr, r->egress_names, &r->negress_names, out->host);
	projector_number(pr, e->ports, &e->nports, PORTS_MAX, out->port);
}

static void
set_tls(struct projector *pr)
{
	struct keeper_target *out = pr->keeper;
	const struct config_tls *tls = &pr->target->tls;

	out->system_ca = pr->egress->https && tls->ca.len == 0;
	if (tls->ca.len > 0)
		out->ca = projector_slot(pr, tls->ca, false, ".tls.", SPAN("ca"));
	if (out->ca != PLAN_NONE)
		pr->p->keeper.slots[out->ca].once = pr->c->trusts_once;
	if (tls->client_cert.len > 0)
		out->cert =
			projector_slot(pr, tls->client_cert, false, ".tls.", SPAN("clientCert"));
	if (tls->client_key.len > 0)
		out->key = projector_slot(pr, tls->client_key, false, ".tls.", SPAN("clientKey"));
	pr->egress->has_tls_client = tls->client_cert.len > 0;
}

/* What is looked for in answers has to be long enough to be told from other text. */
static void
demand_length(struct projector *pr)
{
	for (size_t h = 0; pr->egress->redact && h < pr->egress->nheaders; h++)
		for (size_t i = 0; i < pr->egress->headers[h].nparts; i++) {
			uint16_t slot = pr->egress->headers[h].parts[i].slot;

			if (slot != PLAN_NONE)
				pr->p->keeper.slots[slot].least = REDACT_LENGTH_MIN;
		}
}

void
target_project(struct projector *pr, size_t i)
{
	const struct config_target *t = &pr->c->targets.items[i];
	struct egress_target *e = &pr->p->egress.targets[i];
	struct ingress_target *g = &pr->p->ingress.targets[i];
	struct url url;

	pr->target = t;
	pr->keeper = &pr->p->keeper.targets[i];
	pr->egress = e;
	pr->ingress = g;
	e->name = g->name = t->name;
	e->provider = g->provider = t->provider;
	e->operations = g->operations = t->operations;
	g->agents = t->agents;
	e->redact = t->redact;
	g->include_usage = t->include_usage;
	g->is_signed = signing_is_due(t);
	e->access = t->access.client_id.len > 0;
	e->connect_ms = t->timeouts.connect_ms;
	e->first_byte_ms = t->timeouts.first_byte_ms;
	e->idle_ms = t->timeouts.idle_ms;
	e->pool_idle_ms = t->timeouts.pool_idle_ms;
	pr->keeper->slots = projector_room(pr, SLOTS_MAX * sizeof(struct plan_number));
	g->slots = projector_room(pr, SLOTS_MAX * sizeof(struct plan_number));
	e->headers = projector_room(pr, (t->headers.n + 3) * sizeof(struct egress_header));
	e->resolve = pr->keeper->ca = pr->keeper->cert = pr->keeper->key = PLAN_NONE;
	pr->keeper->name = t->name;
	if (t->first > 0 || !signing_url(pr, &url)) /* what has deployments is nowhere itself */
		return;
	set_address(pr, &url);
	signing_project(pr, &url);
	g->classic = paths_is_classic((enum provider)t->provider, e->base_path);
	add_key_header(pr);
	for (size_t h = 0; h < t->headers.n; h++)
		add_template_header(pr, &t->headers.items[h]);
	add_access_headers(pr);
	demand_length(pr);
	set_tls(pr);
	set_query(pr);
}
