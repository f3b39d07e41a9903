/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/init_draft.h"

#include "cli/init_write.h"

enum { TEXTS_MAX = 256 * 1024, TEXT_MAX = 8192 };

struct draft *
draft_new(struct environment env, const char *file, size_t source_len)
{
	struct draft *d = calloc(1, sizeof(*d));

	if (d == NULL)
		abort();
	d->env = env;
	fault_init(&d->notes);
	fault_in(&d->notes, file);
	/* No text of ours is made of less than one byte of the source. */
	pool_init(&d->pool, TEXTS_MAX + 64 * source_len);
	return d;
}

void
draft_free(struct draft *d)
{
	if (d == NULL)
		return;
	fault_free(&d->notes);
	pool_free(&d->pool);
	free(d);
}

void
draft_note(struct draft *d, const struct yaml_item *item, const char *path, const char *message,
	   const char *hint)
{
	struct fault_place at = {0, 0, path};

	for (size_t i = 0; i < d->notes.n; i++)
		if (strcmp(d->notes.items[i].message, message) == 0 && hint != NULL &&
		    d->notes.items[i].hint != NULL && strcmp(d->notes.items[i].hint, hint) == 0)
			return;
	if (item != NULL)
		at = (struct fault_place){item->line, item->column, path};
	fault_add(&d->notes, at, hint, "%s", message);
}

struct span
draft_text(struct draft *d, const char *format, ...)
{
	char text[TEXT_MAX];
	struct span copy;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || n >= TEXT_MAX)
		return SPAN("");
	copy = pool_copy(&d->pool, span_of(text));
	return copy.ptr == NULL ? SPAN("") : copy;
}

static bool
has_name(const struct draft *d, struct span name)
{
	for (size_t i = 0; i < d->ntargets; i++)
		if (span_eq(d->targets[i].name, name))
			return true;
	return false;
}

/* The text that a target becomes is what tells it from another. */
static bool
is_same(const struct draft_target *a, const struct draft_target *b)
{
	struct buf x, y;
	bool same;

	buf_init(&x, WRITE_MAX);
	buf_init(&y, WRITE_MAX);
	write_target(&x, a);
	write_target(&y, b);
	same = span_eq(buf_span(&x), buf_span(&y));
	buf_free(&x);
	buf_free(&y);
	return same;
}

static size_t
count_places(const struct draft *d)
{
	size_t n = d->ntargets;

	for (size_t i = 0; i < d->ntargets; i++)
		n += d->targets[i].ndeployments;
	return n;
}

long
draft_target(struct draft *d, const struct draft_target *t, const char *wanted)
{
	struct span name = draft_text(d, "%s", wanted);

	for (size_t i = 0; i < d->ntargets; i++)
		if (is_same(&d->targets[i], t))
			return (long)i;
	if (d->ntargets == DRAFT_TARGETS_MAX ||
	    count_places(d) + 1 + t->ndeployments > DRAFT_PLACES_MAX) {
		draft_note(d, NULL, "",
			   "more targets than can be carried over (128, and 512 with their "
			   "deployments)",
			   "write the others by hand");
		return -1;
	}
	for (unsigned n = 2; has_name(d, name); n++)
		name = draft_text(d, "%s-%u", wanted, n);
	d->targets[d->ntargets] = *t;
	d->targets[d->ntargets].name = name;
	return (long)d->ntargets++;
}

const struct draft_rule *
draft_rule_find(const struct draft *d, struct span match)
{
	for (size_t i = 0; i < d->nrules; i++)
		if (span_eq(d->rules[i].match, match))
			return &d->rules[i];
	return NULL;
}

bool
draft_rule(struct draft *d, const struct draft_rule *rule)
{
	if (d->nrules == DRAFT_RULES_MAX || draft_rule_find(d, rule->match) != NULL)
		return false;
	d->rules[d->nrules++] = *rule;
	return true;
}

static bool
is_prefix(const struct draft_rule *r)
{
	return r->match.len > 0 && r->match.ptr[r->match.len - 1] == '*';
}

/* Whether b has to stand before a. */
static bool
is_after(const struct draft_rule *a, const struct draft_rule *b)
{
	if (is_prefix(a) != is_prefix(b))
		return is_prefix(a);
	return is_prefix(a) && a->match.len < b->match.len;
}

void
draft_sort(struct draft *d)
{
	/* By insertion, which leaves equals in the order of the source. */
	for (size_t i = 1; i < d->nrules; i++) {
		struct draft_rule rule = d->rules[i];
		size_t j = i;

		for (; j > 0 && is_after(&d->rules[j - 1], &rule); j--)
			d->rules[j] = d->rules[j - 1];
		d->rules[j] = rule;
	}
}
