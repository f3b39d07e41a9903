/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/init_deployments.h"

#include "config/url.h"
#include "policy/access/paths.h"

enum { WEIGHT_MAX = 100 };

/* ---- what may differ ---- */

static bool
are_same(const struct draft_pair *a, size_t na, const struct draft_pair *b, size_t nb)
{
	for (size_t i = 0; na == nb && i < na; i++)
		if (!span_eq(a[i].name, b[i].name) || !span_eq(a[i].value, b[i].value))
			return false;
	return na == nb;
}

static bool
have_same_identity(const struct draft_target *a, const struct draft_target *b)
{
	return a->sigv4 == b->sigv4 && (a->api_key.len == 0) == (b->api_key.len == 0) &&
	       span_eq(a->profile, b->profile) && span_eq(a->role, b->role) &&
	       span_eq(a->session, b->session) && span_eq(a->external_id, b->external_id);
}

/* Of Azure's two APIs; one whose place is in a variable is of the older. */
static bool
is_classic(const struct draft_target *t)
{
	struct url url = {0};

	return url_parse(t->api_base, &url) != URL_OK || paths_is_classic(t->provider, url.path);
}

const char *
deployments_difference(const struct draft_target *t, const struct draft_target *further)
{
	if (t->provider != further->provider)
		return "its provider";
	if (t->provider == PROVIDER_AZURE && is_classic(t) != is_classic(further))
		return "which of Azure's two APIs it speaks";
	if (!have_same_identity(t, further))
		return "who signs its calls";
	if (!are_same(t->headers, t->nheaders, further->headers, further->nheaders) ||
	    !span_eq(t->access_id, further->access_id) ||
	    !span_eq(t->access_secret, further->access_secret))
		return "its headers";
	if (!are_same(t->query, t->nquery, further->query, further->nquery))
		return "its API version";
	return t->first_byte_s != further->first_byte_s ? "its timeout" : NULL;
}

/* ---- the list ---- */

static bool
is_variable(struct span text)
{
	return span_starts(text, SPAN("${"));
}

static bool
may_be_equal(struct span a, struct span b)
{
	return span_eq(a, b) || (a.len > 0 && b.len > 0 && (is_variable(a) || is_variable(b)));
}

const char *
deployments_add(struct draft_target *t, const struct draft_target *place, uint64_t share)
{
	struct draft_deployment made = {.api_base = place->api_base,
					.region = place->region,
					.api_key = place->api_key,
					.weight = share};

	for (size_t i = 0; i < t->ndeployments; i++) {
		struct draft_deployment *d = &t->deployments[i];

		if (!span_eq(d->api_key, made.api_key) ||
		    !may_be_equal(d->api_base, made.api_base) ||
		    !may_be_equal(d->region, made.region))
			continue;
		if (!span_eq(d->api_base, made.api_base) || !span_eq(d->region, made.region))
			return "may be another deployment of its name, as a variable says, and was "
			       "not carried over";
		d->weight += share;
		return NULL;
	}
	if (t->ndeployments == DRAFT_DEPLOYMENTS_MAX)
		return "is one deployment of its name too many (16)";
	t->allow_plaintext = t->allow_plaintext || place->allow_plaintext;
	t->deployments[t->ndeployments++] = made;
	return NULL;
}

static uint64_t
common_divisor(uint64_t a, uint64_t b)
{
	while (b > 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Small whole numbers in the same proportion, or the nearest to it that a weight can say. */
static void
make_weights(struct draft_deployment *list, size_t n)
{
	uint64_t divisor = 0, most = 0;
	bool is_even = true;

	for (size_t i = 0; i < n; i++) {
		divisor = common_divisor(divisor, list[i].weight);
		most = list[i].weight > most ? list[i].weight : most;
		is_even = is_even && list[i].weight == list[0].weight;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t *w = &list[i].weight;

		if (is_even)
			*w = 0; /* as it is by default */
		else if (most / divisor <= WEIGHT_MAX)
			*w /= divisor;
		else
			*w = (*w * WEIGHT_MAX + most / 2) / most;
		if (!is_even && *w == 0)
			*w = 1;
	}
}

/* Without a name, one is called by its region, which another may have, or a variable make equal. */
static bool
needs_name(const struct draft_target *t, size_t i)
{
	struct span region = t->deployments[i].region;
	bool is_shared = is_variable(region);

	for (size_t k = 0; k < t->ndeployments; k++)
		is_shared = is_shared || (k != i && span_eq(t->deployments[k].region, region));
	return region.len > 0 && is_shared;
}

void
deployments_settle(struct draft *d, struct draft_target *t)
{
	if (t->ndeployments < 2) {
		t->ndeployments = 0;
		return;
	}
	make_weights(t->deployments, t->ndeployments);
	for (size_t i = 0; i < t->ndeployments; i++) {
		if (needs_name(t, i))
			t->deployments[i].name = draft_text(d, "d%zu", i + 1);
		if (span_eq(t->deployments[i].api_key, t->api_key))
			t->deployments[i].api_key = SPAN("");
	}
	t->api_base = t->region = SPAN("");
}
