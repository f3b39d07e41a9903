/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "aws/arn.h"
#include "config/projector.h"
#include "config/url.h"

void *
projector_room(struct projector *pr, size_t size)
{
	void *got = pool_get(&pr->p->pool, size);

	assert(got != NULL);
	return got;
}

struct span
projector_take(struct projector *pr, struct buf *text)
{
	struct span s = pool_copy(&pr->p->pool, buf_span(text));

	assert(s.ptr != NULL);
	buf_free(text);
	return s;
}

static struct span
projector_join(struct projector *pr, struct span a, const char *between, struct span b)
{
	struct buf text;

	buf_init(&text, PROJECT_TEXT_MAX);
	buf_add_span(&text, a);
	buf_add_str(&text, between);
	buf_add_span(&text, b);
	return projector_take(pr, &text);
}

struct span
projector_lower(struct projector *pr, struct span s)
{
	char *at = projector_room(pr, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		at[i] = s.ptr[i] >= 'A' && s.ptr[i] <= 'Z' ? (char)(s.ptr[i] - 'A' + 'a')
							   : s.ptr[i];
	return (struct span){at, s.len};
}

uint16_t
projector_text(struct projector *pr, struct plan_text *list, size_t *n, struct span text)
{
	for (size_t i = 0; i < *n; i++)
		if (span_eq(list[i].text, text))
			return (uint16_t)i;
	if (*n == NAMES_MAX) {
		pr->too_many = true;
		return PLAN_NONE;
	}
	list[*n].text = text;
	return (uint16_t)(*n)++;
}

void
projector_number(struct projector *pr, struct plan_number *list, size_t *n, size_t max,
		 uint16_t number)
{
	for (size_t i = 0; i < *n; i++)
		if (list[i].number == number)
			return;
	if (*n == max)
		pr->too_many = true;
	else
		list[(*n)++].number = number;
}

uint16_t
projector_host(struct projector *pr, struct plan_text *list, size_t *n, struct span host)
{
	return url_is_ip(host, NULL) ? PLAN_NONE : projector_text(pr, list, n, host);
}

void
projector_directory(struct projector *pr, struct span path)
{
	struct keeper_plan *k = &pr->p->keeper;
	size_t end = path.len;

	while (end > 1 && path.ptr[end - 1] != '/')
		end--;
	projector_text(pr, k->read_dirs, &k->nread_dirs,
		       pool_copy(&pr->p->pool, span_cut(path, 0, end > 1 ? end - 1 : 1)));
}

/* Where a Secrets Manager reference is fetched: the endpoint, or the host of the ARN's region. */
static void
set_store(struct projector *pr, const struct reference *ref, struct keeper_slot *slot)
{
	struct keeper_plan *k = &pr->p->keeper;
	const char *suffix = arn_dns_suffix(ref->arn.partition);
	struct url url;

	slot->at.https = true;
	slot->at.port = 443;
	if (pr->endpoint.len > 0 && url_parse(pr->endpoint, &url) == URL_OK) {
		slot->at.https = url.https;
		slot->at.port = url.port;
		slot->at.host = projector_lower(pr, url.host);
	} else {
		assert(suffix != NULL); /* reference_parse knows the partition */
		slot->at.host = projector_join(
			pr, projector_join(pr, SPAN("secretsmanager"), ".", ref->arn.region), ".",
			span_of(suffix));
	}
	slot->at.resolve = projector_host(pr, k->names, &k->nnames, slot->at.host);
	projector_number(pr, k->ports, &k->nports, PORTS_MAX, slot->at.port);
}

static void
fill_slot(struct projector *pr, struct keeper_slot *slot)
{
	struct reference ref;
	enum reference_fault fault = reference_parse(slot->reference, &ref);

	assert(fault == REFERENCE_OK); /* read.c let nothing else through */
	slot->kind = (uint8_t)ref.kind;
	slot->at.resolve = PLAN_NONE;
	if (ref.kind == REFERENCE_ENV)
		projector_text(pr, pr->p->env_names, &pr->p->nenv_names,
			       pool_copy(&pr->p->pool, ref.name));
	else if (ref.kind == REFERENCE_FILE)
		projector_directory(pr, ref.name);
	else
		set_store(pr, &ref, slot);
}

uint16_t
projector_slot(struct projector *pr, struct span reference, bool optional, const char *section,
	       struct span key)
{
	struct keeper_plan *k = &pr->p->keeper;
	struct keeper_slot *slot;
	size_t i = 0;

	while (i < k->nslots && !span_eq(k->slots[i].reference, reference))
		i++;
	if (i == SLOTS_MAX) {
		pr->too_many = true;
		return PLAN_NONE;
	}
	slot = &k->slots[i];
	if (i == k->nslots) {
		k->nslots++;
		slot->reference = reference;
		slot->name = projector_join(pr, pr->target->name, section, key);
		slot->optional = optional;
		fill_slot(pr, slot);
	}
	slot->optional = slot->optional && optional;
	projector_number(pr, pr->keeper->slots, &pr->keeper->nslots, SLOTS_MAX, (uint16_t)i);
	if (!optional)
		projector_number(pr, pr->ingress->slots, &pr->ingress->nslots, SLOTS_MAX,
				 (uint16_t)i);
	return (uint16_t)i;
}
