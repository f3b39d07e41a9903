/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "aws/arn.h"
#include "base/ascii.h"
#include "config/projector.h"
#include "config/services.h"
#include "config/url.h"

struct span
projector_variable(struct projector *pr, const char *name)
{
	return span_of(pr->env->get(pr->env->arg, name));
}

void
projector_refuse(struct projector *pr, const char *name, const char *message)
{
	struct fault_place at = {0, 0, name};

	for (size_t i = 0; i < pr->faults->n; i++)
		if (strcmp(pr->faults->items[i].path, name) == 0 &&
		    strcmp(pr->faults->items[i].message, message) == 0)
			return;
	pr->failed = true;
	fault_in(pr->faults, "environment");
	fault_add(pr->faults, at, NULL, "%s", message);
}

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

struct span
projector_format(struct projector *pr, const char *format, ...)
{
	char text[PROJECT_TEXT_MAX + 1];
	va_list args;
	struct span s;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	s = pool_copy(&pr->p->pool, span_of(text));
	assert(s.ptr != NULL);
	return s;
}

struct span
projector_lower(struct projector *pr, struct span s)
{
	char *at = projector_room(pr, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		at[i] = ascii_lower(s.ptr[i]);
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

/* Where the store of an ARN is reached; of AgentCore also Secrets Manager, where the key is. */
static void
set_store(struct projector *pr, const struct reference *ref, struct keeper_slot *slot)
{
	struct span region = ref->arn.region;

	if (ref->kind == REFERENCE_SECRETS_MANAGER) {
		(void)services_find(pr, SERVICE_SECRETSMANAGER, region, &slot->at);
	} else if (ref->kind == REFERENCE_SSM) {
		(void)services_find(pr, SERVICE_SSM, region, &slot->at);
	} else {
		(void)services_find(pr, SERVICE_AGENTCORE_CONTROL, region, &slot->at);
		(void)services_find(pr, SERVICE_SECRETSMANAGER, region, &slot->behind);
	}
}

static void
fill_slot(struct projector *pr, struct keeper_slot *slot)
{
	struct reference ref;
	enum reference_fault fault = reference_parse(slot->reference, &ref);

	assert(fault == REFERENCE_OK); /* read.c let nothing else through */
	slot->kind = (uint8_t)ref.kind;
	slot->at.resolve = slot->behind.resolve = PLAN_NONE;
	if (ref.kind == REFERENCE_ENV)
		projector_text(pr, pr->p->env_names, &pr->p->nenv_names,
			       pool_copy(&pr->p->pool, ref.name));
	else if (ref.kind == REFERENCE_FILE)
		projector_directory(pr, ref.name);
	else
		set_store(pr, &ref, slot);
}

/* The slot of that reference, which is new when its name is still empty; NULL: too many. */
static struct keeper_slot *
find_slot(struct projector *pr, struct span reference)
{
	struct keeper_plan *k = &pr->p->keeper;
	size_t i = 0;

	while (i < k->nslots &&
	       (k->slots[i].is_token || !span_eq(k->slots[i].reference, reference)))
		i++;
	if (i == SLOTS_MAX) {
		pr->too_many = true;
		return NULL;
	}
	if (i == k->nslots) {
		k->nslots++;
		k->slots[i].reference = reference;
		fill_slot(pr, &k->slots[i]);
	}
	return &k->slots[i];
}

/* What the deployments of a target share is named after it. */
static struct span
owner_of(const struct projector *pr, struct span reference)
{
	const struct config_target *t = pr->target;
	bool own = t->has_own_key && span_eq(reference, t->api_key);

	return t->is_deployment && !own ? t->file_name : t->name;
}

uint16_t
projector_slot(struct projector *pr, struct span reference, bool optional, const char *section,
	       struct span key)
{
	struct keeper_slot *slot = find_slot(pr, reference);
	struct span owner;
	uint16_t number;

	if (slot == NULL)
		return PLAN_NONE;
	number = (uint16_t)(slot - pr->p->keeper.slots);
	if (slot->name.len == 0) {
		owner = owner_of(pr, reference);
		slot->name = projector_format(pr, "%.*s%s%.*s", (int)owner.len, owner.ptr, section,
					      (int)key.len, key.ptr);
		slot->optional = optional;
	}
	slot->optional = slot->optional && optional;
	projector_number(pr, pr->keeper->slots, &pr->keeper->nslots, SLOTS_MAX, number);
	if (!optional)
		projector_number(pr, pr->ingress->slots, &pr->ingress->nslots, SLOTS_MAX, number);
	return number;
}

uint16_t
projector_private_slot(struct projector *pr, struct span reference, struct span name)
{
	struct keeper_slot *slot = find_slot(pr, reference);

	if (slot == NULL)
		return PLAN_NONE;
	if (slot->name.len == 0) {
		slot->name = name;
		slot->is_private = true;
	}
	return (uint16_t)(slot - pr->p->keeper.slots);
}

uint16_t
projector_token(struct projector *pr, struct span reference, struct span name)
{
	struct keeper_plan *k = &pr->p->keeper;
	struct keeper_slot *slot;

	for (size_t i = 0; i < k->nslots; i++)
		if (k->slots[i].is_token && span_eq(k->slots[i].reference, reference))
			return (uint16_t)i;
	if (k->nslots == SLOTS_MAX) {
		pr->too_many = true;
		return PLAN_NONE;
	}
	slot = &k->slots[k->nslots];
	slot->reference = reference;
	slot->name = name;
	slot->is_token = true;
	fill_slot(pr, slot);
	return (uint16_t)k->nslots++;
}
